"""Incidents: what could not be completed, read and tried again by the system administrator."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import incidents
from engine.errors import EngineError, NotNow
from engine.permissions import Permission
from web import application
from web.errors import sentence
from web.guards import requires
from web.places import number_asked

views = Blueprint("incidents", __name__, url_prefix="/incidents")


@views.get("")
@requires(Permission.INCIDENT_RETRY)
def index() -> ResponseReturnValue:
    """List incidents, the open ones unless asked otherwise."""
    is_open, page = request.args.get("resolved") != "yes", number_asked("page", 1)
    rows, count = incidents.find(g.session, is_open=is_open, page=page)
    return render_template(
        "incidents/index.html",
        rows=rows,
        count=count,
        page=page,
        is_open=is_open,
        page_url=lambda number: url_for("incidents.index", resolved=None if is_open else "yes", page=number),
    )


@views.get("/<number>")
@requires(Permission.INCIDENT_RETRY)
def show(number: str) -> ResponseReturnValue:
    """Show one incident: the place in the diagram and in the code, never a value of the case."""
    return render_template("incidents/show.html", incident=incidents.get(g.session, number))


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


@views.post("/<number>/dismiss")
@requires(Permission.INCIDENT_RETRY)
def dismiss(number: str) -> ResponseReturnValue:
    """Close an incident that was dealt with otherwise."""
    incidents.dismiss(g.session, g.actor, number)
    flash(_("已了结。"), "done")
    return redirect(url_for("incidents.index"))
