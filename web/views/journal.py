"""The journal of the whole installation, for the audit administrator."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from engine import clock, journal
from engine.permissions import Permission
from web import words
from web.guards import requires
from web.places import number_asked

views = Blueprint("journal", __name__, url_prefix="/journal")


@views.get("")
@requires(Permission.JOURNAL_READ, journals=True)
def index() -> ResponseReturnValue:
    """Show who did and read what, newest first, by kind and day."""
    page, action = number_asked("page", 1), request.args.get("action", "")
    since, until = _day("since"), _day("until")
    rows, count = journal.find(
        g.session,
        action=action if action in words.ACTIONS else "",
        since=since,
        until=until + timedelta(days=1) if until else None,
        page=page,
    )
    if page == 1:
        journal.record(g.session, g.actor, "journal:read")
    return render_template(
        "journal/index.html",
        rows=rows,
        count=count,
        page=page,
        action=action,
        actions=words.ACTIONS,
        since=request.args.get("since", ""),
        until=request.args.get("until", ""),
        page_url=lambda number: url_for("journal.index", **{**request.args.to_dict(), "page": number}),
    )


def _day(name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(request.args[name]).replace(tzinfo=clock.zone())
        return found if 2000 <= found.year < 2200 else None
    except (KeyError, ValueError):
        return None
