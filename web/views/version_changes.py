"""Version changes: running cases moved to a version, planned in groups, tried, moved in batches, taken back.

Whoever does so sees numbers of cases and steps, and nothing that anybody wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import procedures, version_changes
from engine.errors import CannotFollow, EngineError, NotFound, StepFailed
from engine.permissions import Permission
from engine.version_changes import CasePlan, Group
from engine.workflow import versions
from engine.workflow.moving import Note
from models import ProcedureVersion
from web.errors import sentence
from web.guards import requires
from web.language import either, joined

views = Blueprint("version_changes", __name__, url_prefix="/version-changes")

BATCH = 25
"""How many cases one request moves: each takes some ten milliseconds, and nobody waits long for a page."""
MAX_CHOSEN = 5000

OBSTACLES: dict[str, Any] = {
    "step_missing": _l("正在办理“%(step)s”，新版没有这一步。如果只是换了标识，请在下面对应；否则先在老版办完这一步。"),
    "step_elsewhere": _l("正在办理“%(step)s”，新版把这一步放进了另一张图，不能中途过去。先在老版办完这一步。"),
    "kind_changed": _l("正在办理“%(step)s”，新版里它已经不是同一种元素。"),
    "part_missing": _l("正在子流程“%(step)s”里，新版没有这个子流程，或它不再调用一张图。"),
    "instances_changed": _l("“%(step)s”由多人同时办理，新版换了它所用的变量，已交的结果接不上。"),
    "branch_missing": _l("新版给并行的路线加了一条，这个个案已经过了分开的地方，会在“%(step)s”一直等下去。"),
    "join_changed": _l("个案有一条路线已经等在“%(step)s”，新版里到这里的路线变了，分不清走的是哪一条。"),
    "expression": _l("“%(step)s”在新版里的表达式对这个个案算不出来。"),
    "no_party": _l("“%(step)s”在新版里归一个本个案没有的单位办理。"),
    "four_eyes": _l("“%(step)s”已有人认领，按新版这个人不能办理。请先放回或转交。"),
    "stuck": _l("试走之后个案停在“%(step)s”附近，没有人能接着办。"),
    "unstorable": _l("个案的状态读不出来，请联系系统管理员。"),
    "on_the_way": _l("到点的定时没有走通，请先处理事件。"),
    "ended": _l("个案已经结束。"),
}
REMARKS: dict[str, Any] = {
    "event_added": _l("“%(step)s”现在就开始等。"),
    "event_dropped": _l("“%(step)s”不再等。"),
    "passed_over": _l("这一路已经等在汇合处，新加的“%(step)s”对它不再办理。"),
    "history_only": _l("已经办过的“%(step)s”新版没有，照样留在经过里。"),
    "untried": _l("“%(step)s”之后怎么走要看填写的内容，没有试走。"),
}
CHANGES: dict[str, Any] = {
    "element": _l("换成新标识"),
    "name": _l("改名"),
    "form": _l("换表单"),
    "fields": _l("表单有改动"),
    "audience": _l("给谁看有变化"),
    "role": _l("换角色"),
    "organisation": _l("换单位"),
    "limit": _l("时限有变化"),
    "person": _l("指定的人有变化"),
    "exclude": _l("不能由谁办理有变化"),
}


@dataclass(frozen=True)
class Names:
    """What the steps of two versions are called."""

    before: Any
    after: Any

    def of(self, element: str) -> str:
        """Return what a step is called: in the version that is left, else in the new one."""
        for deployed in (self.before, self.after):
            found = deployed.specification.elements.get(element) if deployed is not None else None
            if found is not None:
                return either(found.name, found.name_en) or element
        return element

    def is_named(self, element: str) -> bool:
        """Tell whether a step has a name; gateways often have none."""
        found = self.before.specification.elements.get(element)
        return found is not None and bool(found.name)

    def new(self, element: str) -> str:
        """Return what a step is called in the new version."""
        found = self.after.specification.elements.get(element)
        return (either(found.name, found.name_en) or element) if found is not None else element


@views.get("/<key>/<int:number>")
@requires(Permission.PROCEDURE_MIGRATE)
def show(key: str, number: int) -> ResponseReturnValue:
    """Show who can follow to a version, who cannot and why, and what was moved."""
    return _page(procedures.numbered(g.session, key, number), _mapping(request.args))


@views.post("/<key>/<int:number>")
@requires(Permission.PROCEDURE_MIGRATE)
def move(key: str, number: int) -> ResponseReturnValue:
    """Try or move the chosen cases, a batch at a time, each in its own transaction."""
    version = procedures.numbered(g.session, key, number)
    mapping, chosen = _mapping(request.form), _chosen()
    dry, reason, reckons = request.form.get("act") == "try", request.form.get("reason", ""), request.form.get("reckons") == "yes"
    problems = []
    if not chosen:
        problems.append(_("请先选个案。"))
    if not dry and not reason.strip():
        problems.append(_("请写理由。"))
    if problems:
        return _page(version, mapping, problems=problems, picked=set(chosen)), 422
    done = request.form.get("done", 0, type=int)
    results = []
    for case_id in chosen[:BATCH]:
        results.append(_one(version.id, case_id, mapping, reason, reckons=reckons, dry=dry))
    rest = chosen[BATCH:]
    version = procedures.numbered(g.session, key, number)
    if not rest and not dry and all(result["ok"] for result in results):
        flash(_("已转到第 %(number)s 版：%(count)s 个个案。", number=number, count=done + len(results)), "done")
        return redirect(url_for("version_changes.show", key=key, number=number))
    picked = {*chosen, *_chosen("tried")} if dry else None  # who tries some moves those, and no others
    return _page(
        version,
        mapping,
        results=results,
        rest=rest,
        done=done + len(results),
        total=done + len(chosen),
        dry=dry,
        reason=reason,
        reckons=reckons,
        picked=picked,
    )


def _one(version_id: UUID, case_id: UUID, mapping: dict[str, str], reason: str, *, reckons: bool, dry: bool) -> dict[str, Any]:
    """Move or try one case and commit it; what fails is rolled back and leaves the others alone."""
    version = g.session.get_one(ProcedureVersion, version_id)
    try:
        found = version_changes.move(g.session, g.actor, case_id, version, mapping=mapping, reason=reason, reckons=reckons, dry_run=dry)
        result = {"ok": True, "reference": found.plan.reference, "plan": found.plan, "why": [], "names": _names(found.plan.version_id, version_id)}
        g.session.rollback() if dry else g.session.commit()
        return result
    except CannotFollow as error:
        g.session.rollback()
        plan: CasePlan = error.plan
        names = _names(plan.version_id, version_id)
        return {"ok": False, "reference": plan.reference, "plan": plan, "why": [told(note, names) for note in plan.obstacles], "names": names}
    except NotFound:
        raise
    except StepFailed:
        g.session.rollback()
        return {"ok": False, "reference": "", "plan": None, "why": [str(OBSTACLES["on_the_way"])], "names": None}
    except EngineError as error:
        g.session.rollback()
        return {"ok": False, "reference": "", "plan": None, "why": [sentence(error)], "names": None}


@views.post("/<key>/<int:number>/undo")
@requires(Permission.PROCEDURE_MIGRATE)
def undo(key: str, number: int) -> ResponseReturnValue:
    """Take a move back."""
    try:
        change = UUID(request.form.get("change", ""))
    except ValueError:
        raise NotFound from None
    version_changes.undo(g.session, g.actor, change, procedures.numbered(g.session, key, number))
    flash(_("已转回，个案和转之前一样。"), "done")
    return redirect(url_for("version_changes.show", key=key, number=number))


def _mapping(source: Any) -> dict[str, str]:
    """Return the renamed steps that somebody paired: fields `to:<old>` with the new id."""
    return {name[3:]: value for name, value in source.items() if name.startswith("to:") and value and len(name) < 90 and len(value) < 90}


def _chosen(field: str = "case") -> list[UUID]:
    found = []
    for text in request.form.getlist(field)[:MAX_CHOSEN]:
        try:
            found.append(UUID(text))
        except ValueError:
            raise NotFound from None
    return list(dict.fromkeys(found))


def _names(before: UUID, after: UUID) -> Names:
    return Names(procedures.deployed(g.session, before), procedures.deployed(g.session, after))


def told(note: Note, names: Names | None) -> str:
    """Return an obstacle or a remark in words."""
    text = str(OBSTACLES.get(note.code) or REMARKS.get(note.code) or note.code)
    return text % {"step": names.of(note.element) if names is not None and note.element else note.element}


def _fates(group: Group, names: Names) -> list[str]:
    """Return what becomes of the open work of a group, in sentences."""
    found = []
    for element, new_element, changes, count, held, drafts, homeless in group.items():
        parts = [_("“%(step)s” %(count)s 件", step=names.new(new_element), count=count)]
        parts.append(joined(str(CHANGES[change]) for change in changes) if changes else _("不变"))
        if held and {"role", "organisation", "person"} & set(changes):
            parts.append(_("已认领的 %(count)s 件仍归认领人", count=held))
        if drafts:
            parts.append(_("%(count)s 份草稿保留", count=drafts))
        if homeless:
            parts.append(_("草稿里有 %(count)s 项在新表单里没有对应的字段，不会显示", count=homeless))
        if element != new_element:
            parts.append(_("原为“%(step)s”", step=names.of(element)))
        found.append(_("；").join(parts))
    return found


def _page(version: ProcedureVersion, mapping: dict[str, str], **shown: Any) -> str:
    groups = version_changes.plan(g.session, g.actor, version, mapping=mapping)
    rows: list[dict[str, Any]] = []
    wanted: dict[str, tuple[str, list[tuple[str, str]], str]] = {}
    new = procedures.deployed(g.session, version.id)
    for group in groups:
        names = _names(group.version_id, version.id)
        rows.append(
            {
                "group": group,
                "steps": [names.of(element) for element in group.open_elements if names.is_named(element)],
                "why": [told(note, names) for note in group.obstacles],
                "remarks": [told(note, names) for note in group.remarks],
                "fates": _fates(group, names),
            }
        )
        suspected = versions.renames(names.before.specification.files, new.specification.files) if group.obstacles else {}
        for note in group.obstacles:
            if note.code in ("step_missing", "part_missing", "kind_changed"):
                chosen = mapping.get(note.element) or suspected.get(note.element, "")
                wanted[note.element] = (names.of(note.element), _candidates(names, note.element, suspected), chosen)
    for old in mapping:
        if old not in wanted and groups:
            names = _names(groups[0].version_id, version.id)
            wanted[old] = (names.of(old), _candidates(names, old, {}), mapping[old])
    made = version_changes.made(g.session, g.actor, version)
    return render_template(
        "version_changes/show.html",
        version=version,
        procedure=version.procedure,
        key=version.procedure.key,
        rows=rows,
        wanted=wanted,
        mapping=mapping,
        made=made,
        limits_differ=any("limit" in item.changes for row in rows for case in row["group"].cases for item in case.items),
        can=sum(len(row["group"].cases) for row in rows if row["group"].can_follow),
        cannot=sum(len(row["group"].cases) for row in rows if not row["group"].can_follow),
        olders=sorted({row["group"].number for row in rows}),
        batch=BATCH,
        **{"problems": [], "results": None, "rest": [], "done": 0, "total": 0, "dry": False, "reason": "", "reckons": False, "picked": None, **shown},
    )


def _candidates(names: Names, element: str, suspected: dict[str, str]) -> list[tuple[str, str]]:
    """Return the steps of the new version that an old one may have become: of its kind, not in the old version; the likely first."""
    was = names.before.specification.elements.get(element)
    if was is None:
        return []
    new = names.after.specification.elements
    found = [
        (key, _("%(step)s（%(id)s）", step=either(entry.name, entry.name_en) or key, id=key))
        for key, entry in new.items()
        if entry.kind == was.kind and key not in names.before.specification.elements
    ]
    return sorted(found, key=lambda pair: (pair[0] != suspected.get(element), pair[1]))
