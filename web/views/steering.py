"""Steering: a step skipped, a case sent back or cancelled, after the page has told in words what would happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import cases, procedures, profiles, steering
from engine.errors import EngineError, NotFound, NotNow, StepFailed
from engine.permissions import Permission
from models import Case
from web import words
from web.errors import STATUS, sentence
from web.guards import requires
from web.language import either, joined, say

views = Blueprint("steering", __name__, url_prefix="/cases")
GROUNDS = {
    "mistaken": _l("误报：没有发生，或弄错了人"),
    "not_in_scope": _l("不属于这个流程评审的范围"),
    "practice": _l("练习时录入的"),
}


@views.get("/<reference>/steer")
@requires(Permission.CASE_STEER)
def show(reference: str) -> ResponseReturnValue:
    """List the open steps and those behind the case: which can be skipped, to which it can be sent back, and why others cannot."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_STEER)
    deployed = procedures.deployed(g.session, case.procedure_version_id)
    elements = deployed.specification.elements
    behind = [
        {
            "place": place,
            "name": either(place.element.name, place.element.name_en),
            "inside": " / ".join(either(elements[part].name, elements[part].name_en) for part in place.path),
            "why": why(place.why_not, [either(elements[key].name, elements[key].name_en) for key in place.twice]),
        }
        for place in steering.earlier(g.session, case)
    ]
    open_steps = [(entry, why(entry.why_not, [])) for entry in steering.skippable(g.session, case)]
    return render_template("steering/show.html", case=case, reference=cases.reference(g.session, case), behind=behind, open_steps=open_steps)


@views.route("/<reference>/skip/<uuid:item_id>", methods=["GET", "POST"])
@requires(Permission.CASE_STEER)
def skip(reference: str, item_id: UUID) -> ResponseReturnValue:
    """Skip an open step: first what the diagram must know instead, then what would happen, then do it."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_STEER)
    entry = next((entry for entry in steering.skippable(g.session, case) if entry.item.id == item_id), None)
    if entry is None:
        raise NotNow
    deployed = procedures.deployed(g.session, case.procedure_version_id)
    if entry.why_not is not None:
        raise steering.Protected(steering.WHY_NOT[entry.why_not])
    wanted = steering.wanted(deployed, entry.item.element)
    given = {one.variable: request.form.get(f"value:{one.variable}", "") for one in wanted}
    element = deployed.specification.elements[entry.item.element]
    return _steered(
        case,
        _("跳过“%(step)s”", step=either(element.name, element.name_en)),
        _("这一步不办了：不留记录，等于没有提交；时限撤回，不算按时完成。流程从这里往下走。"),
        lambda: steering.skip(g.session, g.actor, reference, item_id, given, request.form.get("reason", "")),
        wanted=wanted,
        expressions=dict(element.outputs),
        given=given,
        done=_("已跳过。"),
    )


@views.route("/<reference>/send-back/<uuid:task_id>", methods=["GET", "POST"])
@requires(Permission.CASE_STEER)
def send_back(reference: str, task_id: UUID) -> ResponseReturnValue:
    """Send a case back to a step behind it: first what would happen, then do it."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_STEER)
    place = next((place for place in steering.earlier(g.session, case) if place.task_id == task_id), None)
    if place is None:
        raise NotNow
    return _steered(
        case,
        _("退回到“%(step)s”", step=either(place.element.name, place.element.name_en)),
        _("这一步重新办，它之后开始的步骤先不办。已交的表都保留；原来的时限照样记着，重办另起一个时限。"),
        lambda: steering.send_back(g.session, g.actor, reference, task_id, request.form.get("reason", "")),
        done=_("已退回。"),
    )


@views.route("/<reference>/cancel", methods=["GET", "POST"])
@requires(Permission.CASE_CANCEL)
def cancel(reference: str) -> ResponseReturnValue:
    """Cancel a case that should not have been one: first what would happen, then do it."""
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_CANCEL)
    ground = request.form.get("ground", "")
    return _steered(
        case,
        _("撤销个案"),
        _("个案结束，状态为“不在范围”。什么也不删除：表、日志和编号都保留。同一人的两个个案请用“并入另一个案”。"),
        lambda: steering.cancel(g.session, g.actor, reference, ground, request.form.get("reason", "")),
        grounds=GROUNDS,
        ground=ground,
        done=_("已撤销。"),
    )


def _steered(
    case: Case, title: str, text: str, command: Callable[[], Any], *, done: str, wanted: Any = (), given: Any = None, **more: Any
) -> ResponseReturnValue:
    """Ask, tell what would happen, or do it: as the button says that was pressed."""
    reference = cases.reference(g.session, case)
    problems: list[str] = []
    foreseen, status = None, 200
    if request.method == "POST" and request.form.get("do") != "edit":
        if not request.form.get("reason", "").strip():
            problems.append(_("请写明理由。"))
        if more.get("grounds") and more.get("ground") not in more["grounds"]:
            problems.append(_("请选撤销的原因。"))
        if not problems:
            try:
                if request.form.get("do") == "yes":
                    command()
                    flash(done, "done")
                    return redirect(url_for("cases.show", reference=cases.reference(g.session, case)))
                foreseen = steering.foresee(g.session, case.id, command)
            except NotFound:
                raise
            except EngineError as error:
                g.session.rollback()
                if STATUS.get(type(error), 400) == 403:
                    raise
                problems.append(
                    _("流程这样走不下去：%(why)s", why=_("后面的步骤要用这一步的内容。")) if isinstance(error, StepFailed) else sentence(error)
                )
        status = 422 if problems else 200
    case = cases.by_reference(g.session, g.actor, reference, Permission.CASE_READ)
    values = profiles.values(g.session, case.profile_version_id)
    return render_template(
        "steering/ask.html",
        case=case,
        reference=reference,
        title=title,
        text=text,
        problems=problems,
        foreseen=foreseen,
        wanted=wanted,
        given=given or {},
        reason=request.form.get("reason", ""),
        states=words.STATES,
        roles=words.ROLES,
        clock_name=lambda key: either(values.describe(key).get("name", key), values.describe(key).get("name_en")),
        **more,
    ), status


def why(key: str | None, steps: list[str]) -> str:
    """Return why a step is not to be passed over, in words."""
    return say(steering.WHY_NOT[key], {"steps": joined(steps)}) if key else ""
