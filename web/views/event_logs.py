"""Event logs: the steps of a procedure's cases for process mining, without names and answers."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from engine import clock, event_logs, journal, procedures
from engine.bottlenecks import Filter
from engine.permissions import Permission
from engine.transaction import transaction
from web import application, downloads
from web.guards import requires
from web.language import is_english
from web.views import bottlenecks

views = Blueprint("event_logs", __name__, url_prefix="/procedures")


@views.get("/<key>/event-log.xes")
@requires(Permission.PROCEDURE_MEASURE, journals=True)
def show(key: str) -> ResponseReturnValue:
    """Return the event log as XES; it is written while it is sent. Without a period it tells of all cases."""
    procedures.get(g.session, key)
    asked = {**bottlenecks.arguments(), "period": request.args.get("period", "all")}
    since, until = bottlenecks.period(asked if asked["period"] in bottlenecks.PERIODS else {**asked, "period": "all"})
    version = int(asked["version"]) if asked["version"].isdecimal() and len(asked["version"]) < 6 else None
    wanted = Filter(since, until, asked["profile"], version)
    journal.record(g.session, g.actor, "procedure:export-log", procedure=key)
    sessions, actor, in_english = application().sessions, g.actor, is_english()

    def pieces() -> Iterator[str]:
        with transaction(sessions, read_only=True) as session:
            yield from event_logs.write(session, actor, key, wanted, is_english=in_english)

    return downloads.given(pieces(), f"{key}-{clock.today():%Y%m%d}.xes", "application/xml; charset=utf-8")
