"""Incidents: what could not be completed, why in words, where on the diagram; tried again one by one or all of a cause.

Who draws procedures reads those of procedures and mends the diagram; the system administrator reads all and tries again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import incidents, procedures
from engine.errors import EngineError, NotFound, NotNow
from engine.permissions import Permission
from models import Incident, IncidentKind, Procedure
from web import application, diagrams
from web.errors import sentence
from web.guards import requires
from web.language import either, say
from web.places import number_asked

views = Blueprint("incidents", __name__, url_prefix="/incidents")
KINDS = {
    IncidentKind.HAND_IN: _l("提交"),
    IncidentKind.TIMER: _l("定时"),
    IncidentKind.MESSAGE: _l("消息"),
    IncidentKind.REQUEST: _l("打开页面"),
}
PLACES = {"diagram": _l("在流程图上"), "case": _l("在个案里"), "database": _l("在数据库"), "program": _l("在程序里")}
AFTER = {
    "open": (_l("没有办成"), "past", "alert"),
    "dismissed": (_l("已了结，没有重试"), "", "minus"),
    "done": (_l("重试后办成了"), "done", "check"),
    "gone": (_l("流程已走别的路，不再需要"), "", "minus"),
    "waiting": (_l("已排到现在重试，正等后台办理"), "half", "clock"),
    "retried": (_l("已重试"), "done", "check"),
}


@views.get("")
@requires(Permission.INCIDENT_RETRY, Permission.PROCEDURE_EDIT)
def index() -> ResponseReturnValue:
    """List incidents, the open ones unless asked otherwise, by procedure, version and kind."""
    page, asked = number_asked("page", 1), request.args
    is_open = asked.get("resolved") != "yes"
    kind = asked.get("kind", "")
    version = asked.get("version", "")
    wanted = incidents.Filter(
        is_open=is_open,
        procedure=asked.get("procedure", "")[:40],
        version=int(version) if version.isdigit() and len(version) < 6 else None,
        kind=IncidentKind(kind) if kind in {entry.value for entry in IncidentKind} else None,
        is_of_procedures=not _may_retry(),
    )
    rows, count = incidents.find(g.session, wanted, page=page)
    given = {name: asked[name] for name in ("procedure", "version", "kind", "resolved") if asked.get(name)}
    return render_template(
        "incidents/index.html",
        rows=[_row(incident) for incident in rows],
        count=count,
        page=page,
        is_open=is_open,
        wanted=wanted,
        kinds=KINDS,
        procedures=g.session.execute(sa.select(Procedure.key, Procedure.name, Procedure.name_en).order_by(Procedure.key)).all(),
        page_url=lambda number: url_for("incidents.index", **{**given, "page": number}),
    )


def _may_retry() -> bool:
    return Permission.INCIDENT_RETRY in g.permitted


def _get(number: str) -> Incident:
    """Return an incident that the person may read.

    Raises:
        NotFound: there is none, or it happened outside any case and they only draw procedures.
    """
    incident = incidents.get(g.session, number)
    if incident.case_id is None and not _may_retry():
        raise NotFound
    return incident


def _row(incident: Incident) -> dict[str, Any]:
    """Return an incident in words: its cause, its step and diagram, what became of it."""
    cause, place = incidents.cause(incident), incidents.place(g.session, incident)
    element = procedures.deployed(g.session, place.version.id).specification.elements.get(incident.element or "") if place is not None else None
    return {
        "incident": incident,
        "kind": KINDS[incident.kind],
        "cause": say(cause.sentence, {"what": cause.what}) if "%(" in cause.sentence else say(cause.sentence),
        "remedy": say(cause.remedy),
        "where": PLACES[cause.where],
        "place": place,
        "element": element,
        "step": either(element.name, element.name_en) or element.id if element is not None else incident.element or "",
        "after": AFTER[incidents.after(g.session, incident)],
    }


@views.get("/<number>")
@requires(Permission.INCIDENT_RETRY, Permission.PROCEDURE_EDIT)
def show(number: str) -> ResponseReturnValue:
    """Show one incident: its cause in words, the step on its diagram, what to do; never a value of the case."""
    incident = _get(number)
    row = _row(incident)
    place, element = row["place"], row["element"]
    diagram = edit = ""
    if place is not None and element is not None:
        process = procedures.deployed(g.session, place.version.id).specification.processes[element.process]
        diagram = url_for("incidents.diagram", number=number)
        row["process"] = either(process.name, process.name_en)
        if Permission.PROCEDURE_EDIT in g.permitted:
            edit = url_for("studio.edit", key=place.procedure.key, file=process.file, element=element.id)
    others = [other for other in incidents.alike(g.session, incident) if other.id != incident.id] if incident.resolved_at is None else []
    return render_template(
        "incidents/show.html",
        row=row,
        incident=incident,
        diagram=diagram,
        edit=edit,
        others=others,
        may_retry=_may_retry(),
        can_retry=_can_retry(incident),
    )


def _can_retry(incident: Incident) -> bool:
    return incident.kind in (IncidentKind.HAND_IN, IncidentKind.TIMER)


@views.get("/<number>/diagram.json")
@requires(Permission.INCIDENT_RETRY, Permission.PROCEDURE_EDIT)
def diagram(number: str) -> ResponseReturnValue:
    """Return the diagram on which an incident happened, its step lit."""
    incident = _get(number)
    place = incidents.place(g.session, incident)
    if place is None:
        raise NotFound
    deployed = procedures.deployed(g.session, place.version.id)
    element = deployed.specification.elements.get(incident.element or "")
    if element is None:
        raise NotFound
    return diagrams.drawn(deployed, element.process, current={element.id: 1}) | {"calls": {}}


@views.post("/<number>/retry")
@requires(Permission.INCIDENT_RETRY)
def retry(number: str) -> ResponseReturnValue:
    """Try the command again."""
    try:
        incidents.retry(g.session, g.actor, number)
        g.session.flush()
        flash(_("重试成功。"), "done")
    except NotNow:
        g.session.rollback()
        flash(_("不能重试：已经了结，或草稿已不在。"), "info")
    except Exception as error:
        g.session.rollback()
        incidents.failed_again(application().sessions, number, error)
        flash(_("又没有成功：%(why)s", why=sentence(error) if isinstance(error, EngineError) else type(error).__name__), "info")
    return redirect(url_for("incidents.show", number=number))


@views.post("/<number>/retry-alike")
@requires(Permission.INCIDENT_RETRY)
def retry_alike(number: str) -> ResponseReturnValue:
    """Try everything again that failed of the same cause at the same step."""
    done, failed = incidents.retry_alike(g.session, g.actor, number)
    flash(_("重试了 %(all)s 个：%(done)s 个成功，%(failed)s 个没有。", all=done + failed, done=done, failed=failed), "done" if not failed else "info")
    return redirect(url_for("incidents.show", number=number))


@views.post("/<number>/dismiss")
@requires(Permission.INCIDENT_RETRY)
def dismiss(number: str) -> ResponseReturnValue:
    """Close an incident that was dealt with otherwise."""
    incidents.dismiss(g.session, g.actor, number)
    flash(_("已了结。"), "done")
    return redirect(url_for("incidents.index"))
