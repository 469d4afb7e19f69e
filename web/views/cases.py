"""Cases: found, read, put on hold, merged, reopened; the case page with its clocks, course, records, diagram and journal."""

from __future__ import annotations

import difflib
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from engine import (
    accountability,
    attachments,
    cases,
    choices,
    deadlines,
    environment,
    feel,
    forms,
    journal,
    notices,
    organisations,
    people,
    permissions,
    procedures,
    records,
    rectifications,
    subjects,
    version_changes,
    work_items,
)
from engine.errors import InvalidInput, NotFound
from engine.permissions import Permission
from models import (
    FINAL_STATES,
    Case,
    CaseKind,
    CaseState,
    HoldReason,
    Record,
    WorkItem,
    WorkItemState,
)
from web import diagrams, words
from web.forms.base import BaseForm
from web.forms.from_schema import Filled, shown
from web.guards import requires
from web.language import either
from web.places import number_asked
from web.views import case_page
from web.views import journal as journal_pages

views = Blueprint("cases", __name__, url_prefix="/cases")
READ = (Permission.CASE_READ, Permission.CASE_READ_ASSIGNED)


class HoldForm(BaseForm):
    """Why a case is put on hold."""

    reason = SelectField(_l("原因"), choices=[SelectChoice(reason.value, words.HOLD_REASONS[reason]) for reason in HoldReason])
    note = StringField(_l("说明"), [Length(max=300, message=_l("最多 300 个字。"))])


class ReasonForm(BaseForm):
    """A reason."""

    reason = TextAreaField(_l("理由"), [InputRequired(_l("请写明理由。")), Length(max=1000, message=_l("最多 1000 个字。"))])


class MergeForm(ReasonForm):
    """Into which case, and why."""

    into = StringField(_l("并入哪个个案（编号）"), [InputRequired(_l("请填个案编号。")), Length(max=30)])


# ── finding ──


@views.get("")
@requires(Permission.CASE_LIST)
def index() -> ResponseReturnValue:
    """List the cases of the person's area, by filter and order."""
    wanted = _filter()
    rows, count = cases.find(g.session, g.actor, wanted)
    return render_template(
        "cases/index.html",
        rows=rows,
        count=count,
        wanted=wanted,
        kinds=list(CaseKind),
        states=list(CaseState),
        page_url=lambda page: url_for("cases.index", **{**request.args.to_dict(), "page": page}),
        search_key=request.args.get("search", ""),
    )


def _filter() -> cases.Filter:
    asked = request.args
    kind, state, ended = asked.get("kind", ""), asked.get("state", ""), asked.get("open", "")
    words_typed = g.sign_in.searches.get(asked.get("search", ""), "") if asked.get("search") else ""
    return cases.Filter(
        kind=CaseKind(kind) if kind in {entry.value for entry in CaseKind} else None,
        state=CaseState(state) if state in {entry.value for entry in CaseState} else None,
        is_open={"yes": True, "no": False}.get(ended),
        words=words_typed,
        order=asked.get("order", "changed"),
        page=number_asked("page", 1),
    )


@views.post("/search")
@requires(Permission.CASE_LIST)
def search() -> ResponseReturnValue:
    """Keep what was typed with the session and show the matches; one exact number leads straight to its case."""
    typed = request.form.get("words", "")[:60]
    if typed.strip():
        rows, count = cases.find(g.session, g.actor, cases.Filter(words=typed, per_page=2))
        if count == 1 and rows[0].case.number == typed.strip().upper():
            return redirect(url_for("cases.show", reference=rows[0].case.number))
    key = people.keep_search(g.session, g.sign_in, typed)
    return redirect(url_for("cases.index", search=key or None))


# ── the case page ──


@views.get("/<reference>")
@requires(*READ, journals=True)
def show(reference: str) -> ResponseReturnValue:
    """Show a case identified: state, clocks, what is under way, its course in sentences, records, people, files."""
    case = cases.read(g.session, g.actor, reference)
    if case.number and reference != case.number:
        return redirect(url_for("cases.show", reference=case.number))
    deployed = procedures.deployed(g.session, case.procedure_version_id)
    clocks = deadlines.of_case(g.session, case.id)
    found = list(records.of_case(g.session, g.actor, case.id))
    return render_template(
        "cases/show.html",
        case=case,
        reference=cases.reference(g.session, case),
        subject=subjects.of_case(g.session, case.id),
        strip=case_page.strip(case, clocks, deployed),
        rows=work_items.of_case(g.session, g.actor, case.id),
        told=case_page.course(case, found, deployed),
        records=case_page.grouped(found),
        record_count=sum(row.is_current for row in found),
        sealed=case_page.SEALED,
        titles=case_page.titles(deployed, found),
        notices=notices.of_case(g.session, case.id),
        files=attachments.of_case(g.session, g.actor, case.id),
        items=rectifications.of_case(g.session, g.actor, case.id) if Permission.RECTIFICATION_READ in g.permitted else [],
        parties=case_page.parties(case),
        links=case_page.links(case),
        walk=case_page.walk(case, deployed),
        processes=diagrams.processes(deployed),
        summary=case_page.summary(case),
        allowed=allowed(case),
        actions=actions(case),
        crossings=accountability.crossings_of(g.session, case.id) if Permission.CASE_JOURNAL in g.permitted else [],
        people_in=case_page.people_in(case),
        version=case.procedure_version,
        moves=[move for move in version_changes.of_case(g.session, case) if move.to_version_id == case.procedure_version_id][-1:],
        profile=case.profile_version.profile,
        profile_version=case.profile_version,
        is_final=case.state in FINAL_STATES,
        clocks=clocks,
    )


def allowed(case: Case) -> dict[str, bool]:
    """Return what the person may do with this case as a whole."""

    def may(permission: Permission) -> bool:
        return g.session.scalar(sa.select(Case.id).where(Case.id == case.id, permissions.visible(g.actor, permission))) is not None

    return {
        "hold": permissions.allows(g.actor, Permission.CASE_HOLD) and may(Permission.CASE_HOLD),
        "merge": permissions.allows(g.actor, Permission.CASE_MERGE) and may(Permission.CASE_MERGE),
        "reopen": permissions.allows(g.actor, Permission.CASE_REOPEN) and may(Permission.CASE_REOPEN),
        "journal": permissions.allows(g.actor, Permission.CASE_JOURNAL) and may(Permission.CASE_JOURNAL),
        "steer": permissions.allows(g.actor, Permission.CASE_STEER) and may(Permission.CASE_STEER),
        "cancel": permissions.allows(g.actor, Permission.CASE_CANCEL) and may(Permission.CASE_CANCEL),
    }


def actions(case: Case) -> list[dict[str, str]]:
    """Return the messages that the diagram waits for and the person may send, but for those with a button of their own."""
    return [
        {"message": row.message, "label": either(element.name, element.name_en)}
        for row, element in cases.messages_for(g.session, g.actor, case)
        if row.message != "reopened"
    ]


# ── its diagram ──


@views.get("/<reference>/diagram/<process>.json")
@requires(*READ, journals=True)
def diagram(reference: str, process: str) -> ResponseReturnValue:
    """Return a diagram of the case's version with what is done and what is under way, for the viewer."""
    case = cases.read(g.session, g.actor, reference)
    deployed = procedures.deployed(g.session, case.procedure_version_id)
    passed = journal.walked(g.session, case.id, case.course)
    rows = g.session.execute(
        sa.select(WorkItem.element, WorkItem.path).where(
            WorkItem.case_id == case.id, WorkItem.course == case.course, WorkItem.state.in_((WorkItemState.READY, WorkItemState.RESERVED))
        )
    ).all()
    current: dict[str, int] = {}
    for element, path in rows:
        for step in [element, *path.split(".")]:
            if step:
                current[step] = current.get(step, 0) + 1
    return diagrams.drawn(deployed, process, done=passed - set(current), current=current)


# ── records ──


@views.get("/<reference>/records/<uuid:record_id>")
@requires(*READ, journals=True)
def record(reference: str, record_id: UUID) -> ResponseReturnValue:
    """Show a record with what it replaced, and what changed."""
    case = cases.read(g.session, g.actor, reference)
    found = next((row for row in records.of_case(g.session, g.actor, case.id) if row.id == record_id), None)
    if found is None:
        raise NotFound
    chain = records.versions(g.session, found)
    trees = [reading(case, row) for row in chain]
    files = [file for file in attachments.of_case(g.session, g.actor, case.id) if file.work_item_id == found.work_item_id]
    return render_template(
        "cases/record.html",
        case=case,
        reference=cases.reference(g.session, case),
        record=found,
        chain=chain,
        tree=trees[0],
        shown=shown,
        title=title_of(found),
        differences=differences(trees[1], trees[0]) if len(trees) > 1 else [],
        files=files,
    )


def title_of(row: Record) -> str:
    """Return the title of a record's form."""
    form = procedures.form(g.session, row.procedure_version_id, row.form)
    return either(form.title, form.title_en)


def reading(case: Case, row: Record) -> Any:
    """Return a record as the tree that templates show, put together with what identifies the subject."""
    form = procedures.form(g.session, row.procedure_version_id, row.form)
    item = g.session.get(WorkItem, row.work_item_id) if row.work_item_id else None
    if item is not None:
        context = work_items.context_of(g.session, g.actor, case, item, form)
    else:
        owner = organisations.get(g.session, case.owner_id)
        names = {"known": {}, "person": {}, "variables": {}, "now": feel.to_wire(case.created_at), "case": environment.facts(case)}
        context = forms.Context(environment.of_case(g.session, case), names, choices.of_form(g.session, form, owner))
    return Filled(form, context, stored=records.whole(g.session, row)).tree()


def differences(before: Any, after: Any) -> list[dict[str, str]]:
    """Return which answers changed, from and to what, in words."""

    def flat(tree: Any) -> dict[tuple[Any, ...], tuple[str, str]]:
        return {
            node.path: (node.label, shown(node.entry, node.value, node.options))
            for top in tree
            for node in top.inputs()
            if node.path and not node.children and not node.rows and node.entry.type not in ("text", "separator", "spacer", "filepicker")
        }

    old, new = flat(before), flat(after)
    found = []
    for path in dict.fromkeys([*old, *new]):
        label, was = old.get(path, (*new.get(path, ("", ""))[:1], ""))
        label, now_is = (new[path][0] or label, new[path][1]) if path in new else (label, "")
        if was != now_is:
            ratio = difflib.SequenceMatcher(None, was, now_is).ratio() if was and now_is else 0.0
            found.append({"label": label, "was": was, "is": now_is, "alike": f"{ratio:.0%}"})
    return found


# ── commands ──


@views.route("/<reference>/hold", methods=["GET", "POST"])
@requires(Permission.CASE_HOLD)
def hold(reference: str) -> ResponseReturnValue:
    """Put a case on hold, or take it off."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_HOLD)
    if case.held_at is not None:
        form: BaseForm = ReasonForm()
        if request.method == "POST" and form.validate():
            cases.resume(g.session, g.actor, reference, form.reason.data or "")
            flash(_("已恢复办理。"), "done")
            return redirect(url_for("cases.show", reference=reference))
        return _ask(case, form, _("恢复办理"), _("说明为什么可以接着办。时限一直在走。"), 422 if form.errors else 200)
    form = HoldForm()
    if request.method == "POST" and form.validate():
        cases.hold(g.session, g.actor, reference, HoldReason(form.reason.data), form.note.data or "")
        flash(_("已暂缓。时限照常显示，不停表。"), "done")
        return redirect(url_for("cases.show", reference=reference))
    return _ask(
        case, form, _("暂缓"), _("等待尸检、公安或纠纷时可以暂缓。时限照常显示，不停表；任务留着，恢复后才能提交。"), 422 if form.errors else 200
    )


@views.route("/<reference>/merge", methods=["GET", "POST"])
@requires(Permission.CASE_MERGE)
def merge(reference: str) -> ResponseReturnValue:
    """Merge a case into another one."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_MERGE)
    form = MergeForm()
    if request.method == "POST" and form.validate():
        try:
            target = cases.merge(g.session, g.actor, reference, (form.into.data or "").upper(), form.reason.data or "")
            flash(_("已并入 %(number)s，时限从最早的一份通知起算。", number=target.number), "done")
            return redirect(url_for("cases.show", reference=target.number))
        except NotFound:
            form.into.errors = [_("没有这个编号，或不在您的辖区。")]
        except InvalidInput:
            form.into.errors = [_("不能并入：同一个案、已结束的或别的类型的个案不行。")]
    return _ask(
        case,
        form,
        _("并入另一个案"),
        _("同一人的个案并到一起：通知移过去，都保留，时限从最早的一份起算；本个案的任务结束。"),
        422 if form.errors else 200,
    )


@views.route("/<reference>/reopen", methods=["GET", "POST"])
@requires(Permission.CASE_REOPEN)
def reopen(reference: str) -> ResponseReturnValue:
    """Review a signed case again after new facts."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_REOPEN)
    asked = cases.message_form(g.session, g.actor, case, "reopened")
    if asked is not None:
        return _reopen(case, Filled(*asked, **({"sent": MultiDict(request.form)} if request.method == "POST" else {"stored": forms.prefill(*asked)})))
    form = ReasonForm()
    if request.method == "POST" and form.validate():
        cases.reopen(g.session, g.actor, reference, form.reason.data or "")
        flash(_("已重新评审。原结论保留，将另立新版。"), "done")
        return redirect(url_for("cases.show", reference=reference))
    return _ask(
        case, form, _("重新评审"), _("有新的事实时重新制作资料、收集意见、开会和签署。原结论保留，新结论是新的一版。"), 422 if form.errors else 200
    )


def _reopen(case: Case, filled: Filled) -> ResponseReturnValue:
    """Ask for new facts with the procedure's own form, and begin again with them."""
    reference, status = cases.reference(g.session, case), 200
    if request.method == "POST":
        if not filled.check().errors:
            values = filled.values()
            cases.reopen(g.session, g.actor, reference, str(values.get("reason") or ""), values)
            flash(_("已重新评审。原结论保留，将另立新版。"), "done")
            return redirect(url_for("cases.show", reference=reference))
        status = 422
    tree = filled.tree()
    return render_template(
        "cases/reopen.html",
        reference=reference,
        case=case,
        tree=tree,
        shown=shown,
        errors=filled.error_links(tree) if filled.checked else [],
    ), status


@views.route("/<reference>/messages/<message>", methods=["GET", "POST"])
@requires(*READ)
def message(reference: str, message: str) -> ResponseReturnValue:
    """Send a message that the diagram waits for."""
    case = cases.by_reference(g.session, g.actor, reference)
    label = next((entry["label"] for entry in actions(case) if entry["message"] == message), None)
    if label is None:
        raise NotFound
    form = ReasonForm()
    if request.method == "POST" and form.validate():
        cases.send_message(g.session, g.actor, reference, message, form.reason.data or "")
        flash(_("已办：%(label)s。", label=label), "done")
        return redirect(url_for("cases.show", reference=reference))
    return _ask(case, form, label, "", 422 if form.errors else 200)


def _ask(case: Case, form: BaseForm, title: str, text: str, status: int = 200) -> ResponseReturnValue:
    return render_template("cases/ask.html", case=case, form=form, title=title, text=text, reference=cases.reference(g.session, case)), status


# ── its journal ──


@views.get("/<reference>/journal")
@requires(Permission.CASE_JOURNAL, journals=True)
def case_journal(reference: str) -> ResponseReturnValue:
    """Show every act on a case and every reading of it."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_JOURNAL)
    journal.record(g.session, g.actor, "case:read-journal", case_id=case.id)
    page = number_asked("page", 1)
    rows, count = journal.find(g.session, case_id=case.id, page=page, per_page=100)
    return render_template(
        "cases/journal.html",
        details=journal_pages.details([entry for entry, _name, _number in rows], free=True),
        case=case,
        reference=reference,
        rows=rows,
        count=count,
        page=page,
        page_url=lambda number: url_for("cases.case_journal", reference=reference, page=number),
    )
