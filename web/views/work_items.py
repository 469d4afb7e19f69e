"""The task queue and its tasks: claim, release, pass on, write, review, hand in."""

from __future__ import annotations

import uuid
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from engine import attachments, cases, codes, errors, forms, incidents, packets, people, procedures, records, rectifications, work_items
from engine.permissions import Permission
from engine.transaction import transaction
from engine.work_items import Filter
from models import CaseKind
from web import application
from web.errors import page as error_page
from web.errors import sentence
from web.forms.from_schema import Filled, Node, shown
from web.guards import requires
from web.jinja import clock_time, word
from web.language import either, joined
from web.places import local_path, number_asked
from web.views import case_page

views = Blueprint("work_items", __name__, url_prefix="/work-items")
HAND_IN = Permission.WORK_ITEM_HAND_IN
SHORT_FORM = 14  # answers that fit into the drawer beside the queue


# ── the queue ──


@views.get("")
@requires(HAND_IN)
def queue() -> ResponseReturnValue:
    """Show the tasks a person may do, by view, filter and order; what was searched for is kept with the session, not here."""
    wanted = _filter()
    rows, count = work_items.queue(g.session, g.actor, wanted)
    free: list[Any] = []
    free_count = 0
    if wanted.view == "mine" and wanted.page == 1:
        free, free_count = work_items.queue(g.session, g.actor, Filter(view="claimable", per_page=5))
    return render_template(
        "work_items/queue.html",
        rows=rows,
        count=count,
        wanted=wanted,
        counts=work_items.counts(g.session, g.actor),
        free=free,
        free_count=free_count,
        steps=work_items.steps(g.session, g.actor),
        units=work_items.units(g.session, g.actor),
        kinds=list(CaseKind),
        page_url=_page_url,
        search=request.args.get("search", ""),
    )


def _filter() -> Filter:
    asked = request.args
    kind = asked.get("kind", "")
    unit = asked.get("unit", "")
    words = g.sign_in.searches.get(asked.get("search", ""), "") if asked.get("search") else ""
    view = asked.get("view", "mine")
    return Filter(
        view=view if view in work_items.VIEWS else "mine",
        kind=CaseKind(kind) if kind in {entry.value for entry in CaseKind} else None,
        element=asked.get("step") or None,
        organisation_id=UUID(unit) if _is_uuid(unit) else None,
        due=asked.get("due", ""),
        words=words,
        order=asked.get("order", "due"),
        page=number_asked("page", 1),
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
        return True
    except ValueError:
        return False


def _page_url(page: int) -> str:
    return url_for("work_items.queue", **{**request.args.to_dict(), "page": page})


@views.post("/search")
@requires(HAND_IN)
def search() -> ResponseReturnValue:
    """Keep what was typed with the session and show the matches: a name does not belong into an address."""
    key = people.keep_search(g.session, g.sign_in, request.form.get("words", ""))
    view = request.form.get("view", "all")
    return redirect(url_for("work_items.queue", view=view if view in work_items.VIEWS else "all", search=key or None))


@views.post("/bulk")
@requires(HAND_IN)
def bulk() -> ResponseReturnValue:
    """Claim, release or pass on several tasks; each is answered on its own."""
    keys = [UUID(item) for item in request.form.getlist("items") if _is_uuid(item)][:100]
    action, done, failed = request.form.get("action", ""), 0, 0
    for key in keys:
        try:
            with g.session.begin_nested():
                if action == "claim":
                    work_items.claim(g.session, g.actor, key)
                elif action == "release":
                    work_items.release(g.session, g.actor, key)
                else:
                    raise errors.InvalidInput
            done += 1
        except errors.EngineError:
            failed += 1
    if done:
        flash(_("%(count)s 项已办。", count=done), "done")
    if failed:
        flash(_("%(count)s 项没有办成：已由别人认领，或由流程指定给您。", count=failed), "info")
    return redirect(local_path(request.form.get("back")) or url_for("work_items.queue"))


# ── one task ──


@views.get("/<uuid:item_id>")
@requires(HAND_IN, journals=True)
def show(item_id: UUID) -> ResponseReturnValue:
    """Open a task with its form, its draft and what is known already."""
    opened = work_items.show(g.session, g.actor, item_id)
    return _task(opened, Filled(opened.form, opened.context, stored=opened.answers))


def _task(opened: work_items.Opened, filled: Filled, *, status: int = 200, problem: str = "", message: str = "") -> ResponseReturnValue:
    tree = filled.tree()
    item = opened.item
    return render_template(
        "work_items/show.html",
        opened=opened,
        item=item,
        case=opened.case,
        form=opened.form,
        tree=tree,
        filled=filled,
        errors=filled.error_links(tree) if filled.checked else [],
        files=attachments.listed(g.session, item.id),
        missing_text=missing_text(tree),
        section_text=section_text,
        work_url=url_for("work_items.write", item_id=item.id),
        key=request.form.get("_key") or uuid.uuid4().hex,
        suggestions=sorted({node.entry.suggestions for top in tree for node in top.inputs() if node.entry.suggestions}),
        colleagues=work_items.colleagues(g.session, g.actor, item) if opened.may_work and not item.is_assigned else [],
        problem=problem,
        message=message,
        about=about(opened),
        reference=reference(opened),
        draft=opened.draft,
        shown=shown,
        returned=returned(opened),
        at_hand=at_hand(opened),
        conclusion_text=lambda: conclusion_text(opened),
        conclusion_tree=lambda: conclusion_tree(opened),
        basis=lambda: basis(opened),
    ), status


@views.get("/<uuid:item_id>/drawer")
@requires(HAND_IN, journals=True)
def drawer(item_id: UUID) -> ResponseReturnValue:
    """Open a task beside the queue: what it is about, and a short form at once; a long one on its own page."""
    opened = work_items.show(g.session, g.actor, item_id)
    filled = Filled(opened.form, opened.context, stored=opened.answers)
    tree, seen = filled.tree(), reference(opened)
    is_short = sum(1 for top in tree for node in top.inputs() if node.path) <= SHORT_FORM and not any(
        node.entry.type in ("dynamiclist", "filepicker") for top in tree for node in top.inputs()
    )
    return render_template(
        "work_items/drawer.html",
        opened=opened,
        item=opened.item,
        case=opened.case,
        form=opened.form,
        tree=tree,
        about=about(opened),
        reference=seen,
        draft=opened.draft,
        is_short=is_short,
        key=uuid.uuid4().hex,
        work_url=url_for("work_items.write", item_id=item_id),
        shown=shown,
        summary=case_page.summary(opened.case) if seen else "",
        latest=case_page.latest(opened.case) if seen else [],
        suggestions=sorted({node.entry.suggestions for top in tree for node in top.inputs() if node.entry.suggestions}),
        conclusion_text=lambda: conclusion_text(opened),
        conclusion_tree=lambda: conclusion_tree(opened),
        basis=lambda: basis(opened),
        missing_text=missing_text(tree),
        section_text=section_text,
    )


def at_hand(opened: work_items.Opened) -> list[tuple[str, str]]:
    """Return the records that somebody who sees the case may want beside the form: their titles and addresses."""
    seen = reference(opened)
    if not seen:
        return []
    titles = procedures.deployed(g.session, opened.case.procedure_version_id).forms
    newest: dict[str, Any] = {}
    for record in records.of_case(g.session, g.actor, opened.case.id):
        if record.is_current and record.audience not in case_page.SEALED:
            newest.setdefault(record.form, record)
    return [
        (either(titles[form].title, titles[form].title_en), url_for("cases.record", reference=seen, record_id=record.id))
        for form, record in newest.items()
        if form in titles
    ]


def missing_text(tree: list[Node]) -> str:
    """Return how many required answers the form still lacks, in words."""
    missing = sum(node.missing for node in tree if not node.is_hidden)
    return _("必填还差 %(count)s 项", count=missing) if missing else _("必填都已填")


def section_text(node: Node) -> str:
    """Return what the list of sections says of one."""
    if node.has_error:
        return _("需要改")
    return _("差 %(count)s 项", count=node.missing) if node.missing else _("已填完")


def conclusion_text(opened: work_items.Opened) -> str:
    """Return the exact text that a signature stands under."""
    record = records.current(g.session, opened.case.id, "conclusion")
    return str(record.answers.get("text", "")) if record else ""


def conclusion_tree(opened: work_items.Opened) -> list[Node]:
    """Return the conclusion as its form has it: verdict, votes, causes, factors, issues and recommendations."""
    record, packet = records.current(g.session, opened.case.id, "conclusion"), packets.of_case(g.session, opened.case.id, opened.case.course)
    if record is None or packet is None:
        return []
    form = procedures.form(g.session, record.procedure_version_id, record.form)
    return Filled(form, packets.reading_context(g.session, packet, form), stored=record.answers).tree()


def basis(opened: work_items.Opened) -> list[tuple[str, list[str]]]:
    """Return what a step after the conclusion works from: issues, recommendations, the plan; never opinions or votes."""
    record = records.current(g.session, opened.case.id, "conclusion")
    said = record.answers if record else {}
    issues = [row.get("text", "") for row in said.get("issues", [])]
    wanted = [row.get("action", "") for row in said.get("recommendations", [])]
    found: list[tuple[str, list[str]]] = []
    if opened.item.form in ("fact_reply", "feedback", "upper_report") and issues:
        found.append((_("问题摘要"), issues))
    if opened.item.form in ("rectification_plan", "feedback", "upper_report", "closing") and wanted:
        found.append((_("改进建议"), wanted))
    if opened.item.form in ("upper_report", "closing") and opened.case.conclusion:
        found.append((_("评审结论"), [word("CS-AVOID3", opened.case.conclusion)]))
    if opened.item.form == "plan_approval":
        plan = records.current(g.session, opened.case.id, "rectification_plan")
        rows = plan.answers.get("items", []) if plan else []
        names = {str(person_id): name for person_id, name in people.names(g.session, [row.get("owner") for row in rows])}
        found.append(
            (
                _("整改方案"),
                [
                    _(
                        "%(action)s（%(owner)s，%(due)s 前；完成标准：%(done_when)s）",
                        action=row.get("action"),
                        owner=names.get(row.get("owner"), ""),
                        due=(row.get("due") or {}).get("v", ""),
                        done_when=row.get("done_when"),
                    )
                    for row in rows
                ]
                or [_("无需整改。")],
            )
        )
    return found


def about(opened: work_items.Opened) -> dict[str, str]:
    """Return what the head of a task says of its case: a name for those who see it, else the packet or the item."""
    variables = opened.context.names.get("variables", {})
    if opened.item.rectification_item_id is not None:
        item = variables.get("item", {})
        return {"name": item.get("action", ""), "number": item.get("number", "")}
    if not work_items.sees_identity(g.actor, opened.item):
        if variables.get("packet_number"):
            return {"name": variables.get("packet_title") or "", "number": variables["packet_number"]}
        return {"name": "", "number": (opened.case.number or "") if opened.item.audience == "administration" else ""}
    name = cases.name_of(g.session, opened.case.id)
    return {"name": name or "", "number": reference(opened)}


def reference(opened: work_items.Opened) -> str:
    """Return what the case is called in addresses, for those who see it identified; else nothing."""
    return cases.reference(g.session, opened.case) if work_items.sees_identity(g.actor, opened.item) else ""


# Which form checks a step and may send it back: its list of what is missing, the parts of a line, its free words.
CHECKS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "report_card": ("verification", "return_list", ("item", "what"), ("cause_chain_note", "remark")),
    "case_report": ("verification", "return_list", ("item", "what"), ("cause_chain_note", "remark")),
    "redaction": ("redaction_check", "problems", ("where", "what"), ("remark",)),
    "rectification_plan": ("plan_approval", "missing", ("item", "what"), ("remark",)),
    "item_report": ("item_verification", "", (), ("return_reason",)),
}


def returned(opened: work_items.Opened) -> list[str]:
    """Return what whoever checked a step asked for when sending it back: line by line."""
    if opened.item.form not in CHECKS:
        return []
    form, rows_key, parts, notes = CHECKS[opened.item.form]
    if opened.item.rectification_item_id is not None:
        last = rectifications.reports(g.session, opened.item.rectification_item_id)[-1:]
        record = last[0] if last and last[0].form == form else None
    else:
        record = records.current(g.session, opened.case.id, form)
    if record is None or record.course != opened.case.course or record.answers.get("decision") not in ("return", "returned"):
        return []
    answers = records.whole(g.session, record) if work_items.sees_identity(g.actor, opened.item) else record.answers
    rows = answers.get(rows_key, [])
    rows = [row for row in rows if row.get("form") in (None, opened.item.form)] or rows
    lines = [_("：").join(str(row[part]) for part in parts if row.get(part)) for row in rows]
    return [*lines, *(str(answers[note]) for note in notes if answers.get(note))]


@views.post("/<uuid:item_id>/claim")
@requires(HAND_IN)
def claim(item_id: UUID) -> ResponseReturnValue:
    """Take a task."""
    work_items.claim(g.session, g.actor, item_id)
    flash(_("已认领。"), "done")
    return redirect(local_path(request.form.get("back")) or url_for("work_items.show", item_id=item_id))


@views.post("/<uuid:item_id>/release")
@requires(HAND_IN)
def release(item_id: UUID) -> ResponseReturnValue:
    """Give a task back; what was written stays with it."""
    work_items.release(g.session, g.actor, item_id)
    flash(_("已放回。写过的内容还在。"), "done")
    return redirect(url_for("work_items.queue"))


@views.post("/<uuid:item_id>/delegate")
@requires(HAND_IN)
def delegate(item_id: UUID) -> ResponseReturnValue:
    """Pass a task on to a colleague; the draft travels with it."""
    to = request.form.get("to", "")
    if not _is_uuid(to):
        raise errors.InvalidInput
    work_items.delegate(g.session, g.actor, item_id, UUID(to))
    flash(_("已转交，草稿一并转过去。"), "done")
    return redirect(url_for("work_items.queue"))


@views.post("/<uuid:item_id>")
@requires(HAND_IN)
def write(item_id: UUID) -> ResponseReturnValue:
    """Do what a button of the form says: add or remove a row, take over a known value, attach, save, review, hand in."""
    done = work_items.done_with(g.session, g.actor, item_id, request.form.get("_key", ""))
    if done is not None:
        return _done(done)
    opened = work_items.show(g.session, g.actor, item_id, to_write=True)
    sent = MultiDict(request.form)
    filled = Filled(opened.form, opened.context, sent=sent)
    if not opened.may_work:
        raise work_items.why_not(g.session, g.actor, opened.item)
    for name, act in _BUTTONS.items():
        if name in sent:
            return act(opened, filled, sent[name])
    _attach(opened, "")
    if sent.get("_action") == "draft":
        _save(opened, filled)
        flash(_("草稿已存。"), "done")
        return redirect(url_for("work_items.show", item_id=item_id))
    if request.files:
        opened = work_items.show(g.session, g.actor, item_id)
        filled = Filled(opened.form, opened.context, sent=sent)
    checked = filled.check()
    if checked.errors:
        _save(opened, filled)
        return _task(opened, filled, status=422)
    if opened.form.has_review or (checked.warnings and sent.get("_warned") != "y"):
        _save(opened, filled)
        return redirect(url_for("work_items.review", item_id=item_id))
    return _hand_in(opened, filled, sent.get("_key", ""))


def _save(opened: work_items.Opened, filled: Filled) -> None:
    """Keep the draft; the first thing somebody writes claims the task."""
    if opened.item.person_id != g.actor.person_id:
        work_items.claim(g.session, g.actor, opened.item.id)
    work_items.save_draft(g.session, g.actor, opened.item.id, filled.values())


def _add(opened: work_items.Opened, filled: Filled, path: str) -> ResponseReturnValue:
    filled.add_row(path)
    return _task(opened, filled)


def _remove(opened: work_items.Opened, filled: Filled, value: str) -> ResponseReturnValue:
    path, _colon, index = value.rpartition(":")
    if index.isascii() and index.isdecimal() and len(index) < 5:
        filled.remove_row(path, int(index))
    return _task(opened, filled)


def _adopt(opened: work_items.Opened, filled: Filled, path: str) -> ResponseReturnValue:
    known = forms.prefill(opened.form, opened.context)
    if path in known and path in filled.wtform:
        filled.wtform[path].process_data(forms.thaw(known[path]))
    _save(opened, filled)
    return _task(opened, filled)


def _upload(opened: work_items.Opened, filled: Filled, field: str) -> ResponseReturnValue:
    problem = _attach(opened, field)
    _save(opened, filled)
    again = work_items.show(g.session, g.actor, opened.item.id)
    return _task(again, Filled(again.form, again.context, sent=MultiDict(request.form)), problem=problem, status=422 if problem else 200)


def _unattach(opened: work_items.Opened, _filled: Filled, attachment: str) -> ResponseReturnValue:
    if not _is_uuid(attachment):
        raise errors.InvalidInput
    attachments.remove(g.session, g.actor, UUID(attachment))
    again = work_items.show(g.session, g.actor, opened.item.id)
    return _task(again, Filled(again.form, again.context, sent=MultiDict(request.form)))


_BUTTONS = {"_add": _add, "_remove": _remove, "_adopt": _adopt, "_upload": _upload, "_unattach": _unattach}


def _attach(opened: work_items.Opened, only: str) -> str:
    """Keep the files that came with the form; a refused one is told of and the others stay."""
    kinds = {code.code for code in codes.lists()["CS-FILEKIND"].codes}
    for name, sent in request.files.items(multi=True):
        field = name.removeprefix("file:")
        if not sent or not sent.filename or not name.startswith("file:") or (only and field != only):
            continue
        kind = request.form.get(f"kind:{field}", "other")
        if opened.item.person_id != g.actor.person_id:
            work_items.claim(g.session, g.actor, opened.item.id)
        try:
            attachments.store(
                g.session, g.actor, opened.item.id, field, sent.stream.read(attachments.MAX_BYTES + 1), kind if kind in kinds else "other"
            )
        except attachments.FileRefused as error:
            return sentence(error)
    return ""


@views.post("/<uuid:item_id>/draft")
@requires(HAND_IN)
def autosave(item_id: UUID) -> ResponseReturnValue:
    """Save the draft from the page's script; answer what is hidden and required now, and when it was saved."""
    opened = work_items.show(g.session, g.actor, item_id, to_write=True)
    filled = Filled(opened.form, opened.context, sent=MultiDict(request.form))
    if not opened.may_work:
        raise work_items.why_not(g.session, g.actor, opened.item)
    _save(opened, filled)
    tree = filled.tree(show_errors=False)
    return {
        "saved": _("%(time)s 已存", time=clock_time(work_items.saved_at(g.session, g.actor, item_id))),
        **filled.visibility(),
        "missing_text": missing_text(tree),
        "sections": {node.id: section_text(node) for node in tree if node.entry.type == "group"},
    }


@views.get("/<uuid:item_id>/review")
@requires(HAND_IN, journals=True)
def review(item_id: UUID) -> ResponseReturnValue:
    """Show all answers in order before they are handed in, with what is unusual and what will be dropped."""
    opened = work_items.show(g.session, g.actor, item_id)
    if not opened.may_work or opened.draft is None:
        return redirect(url_for("work_items.show", item_id=item_id))
    filled = Filled(opened.form, opened.context, stored=opened.answers)
    checked = filled.check()
    if checked.errors:
        return _task(opened, filled, status=422)
    tree = filled.tree()
    labels = {node.path: node.label for top in tree for node in top.inputs() if node.path}
    return render_template(
        "work_items/review.html",
        opened=opened,
        item=opened.item,
        form=opened.form,
        tree=tree,
        draft=opened.draft,
        key=uuid.uuid4().hex,
        warnings=filled.checked.warnings if filled.checked else [],
        dropped=[labels.get(path, "") for path in checked.dropped],
        files=attachments.listed(g.session, item_id),
        about=about(opened),
        reference=reference(opened),
        shown=shown,
    )


@views.post("/<uuid:item_id>/hand-in")
@requires(HAND_IN)
def hand_in(item_id: UUID) -> ResponseReturnValue:
    """Hand in the draft that was reviewed; one that was changed since is shown again."""
    done = work_items.done_with(g.session, g.actor, item_id, request.form.get("_key", ""))
    if done is not None:
        return _done(done)
    opened = work_items.show(g.session, g.actor, item_id, to_write=True)
    if not opened.may_work:
        raise work_items.why_not(g.session, g.actor, opened.item)
    if opened.draft is None or str(opened.draft.revision) != request.form.get("_revision"):
        flash(sentence(errors.DraftOutdated()), "info")
        return redirect(url_for("work_items.review", item_id=item_id))
    return _hand_in(opened, Filled(opened.form, opened.context, stored=opened.answers), request.form.get("_key", ""))


def _hand_in(opened: work_items.Opened, filled: Filled, key: str) -> ResponseReturnValue:
    """Hand in; whatever happens, what was typed is kept."""
    item_id, values = opened.item.id, filled.values()
    key = key[:64] or uuid.uuid4().hex
    try:
        done = work_items.hand_in(g.session, g.actor, item_id, values, key=key)
        g.session.flush()
    except errors.FormInvalid as error:
        filled.add_findings(error.findings)
        return _task(opened, filled, status=422)
    except (errors.WorkItemNotOpen, errors.WorkItemTaken, errors.FourEyes, errors.CaseOnHold, errors.CaseEnded) as error:
        g.session.rollback()
        _keep(item_id, values)
        return error_page(409, _("没有提交"), sentence(error), item_id=item_id)
    except (sa.exc.OperationalError, sa.exc.InterfaceError):  # no room, or no answer: the page carries what was typed
        raise
    except Exception as error:
        g.session.rollback()
        number = incidents.keep_hand_in(application().sessions, g.actor, item_id, values, key, error)
        return error_page(
            500,
            _("系统没能完成这一步"),
            _("个案没有改变，您的草稿还在。已记下并通知维护人员；事件编号不含个人信息，可以转告。"),
            number=number,
            item_id=item_id,
        )
    return _done(done)


def _keep(item_id: UUID, values: dict[str, Any]) -> None:
    try:
        with transaction(application().sessions) as session:
            work_items.save_draft(session, g.actor, item_id, values)
    except errors.EngineError:
        return


def _done(done: work_items.HandedIn) -> ResponseReturnValue:
    """Say what happens next, and go on: to the person's own next step of the case, or to the queue."""
    mine = [item for item in done.opened if item.person_id == g.actor.person_id]
    following = joined(dict.fromkeys(either(item.name, item.name_en) for item in done.opened))
    text = _("已提交：%(step)s。", step=either(done.item.name, done.item.name_en))
    if following and not mine:
        text += " " + _("接下来：%(steps)s。", steps=following)
    flash(text, "done")
    if mine:
        return redirect(url_for("work_items.show", item_id=mine[0].id))
    return redirect(url_for("work_items.queue"))
