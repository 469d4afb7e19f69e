"""The journal of the whole installation, for the audit administrator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import clock, journal, procedures, profiles
from engine.permissions import Permission
from models import JournalEntry, Person, WorkItem
from web import words
from web.guards import requires
from web.jinja import word
from web.language import either
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
        head=journal.head(g.session),
        page=page,
        action=action,
        actions=words.ACTIONS,
        since=request.args.get("since", ""),
        until=request.args.get("until", ""),
        details=details([entry for entry, _name, _number in rows]),
        page_url=lambda number: url_for("journal.index", **{**request.args.to_dict(), "page": number}),
    )


def details(entries: Sequence[JournalEntry], *, free: bool = False) -> Callable[[JournalEntry], str]:
    """Return what tells the details of entries in words.

    Args:
        free: With what people wrote themselves, such as reasons: for those who see the case.
    """
    elements = {entry.detail["element"] for entry in entries if entry.detail.get("element")}
    named = sa.select(WorkItem.element, sa.func.min(WorkItem.name), sa.func.min(WorkItem.name_en)).where(WorkItem.element.in_(elements))
    steps = {element: either(name, name_en) for element, name, name_en in g.session.execute(named.group_by(WorkItem.element))}
    for kind in procedures.active_kinds(g.session) if elements - steps.keys() else ():  # timers are nobody's work: the diagram names them
        drawn = procedures.deployed(g.session, procedures.active(g.session, kind).id).specification.elements
        steps |= {key: either(drawn[key].name, drawn[key].name_en) for key in elements - steps.keys() if key in drawn}
    keys = [entry.object_id for entry in entries if entry.action.startswith("person:") and entry.object_id]
    accounts = dict(g.session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(keys))).all())

    limits = profiles.in_force(g.session, profiles.DEFAULT).content["limits"]

    def said(key: str, value: object) -> str:
        if key == "element":
            return steps.get(value, str(value))
        if key == "hop":
            return word("CS-HOP", str(value))
        if key == "limit" and value in limits:
            return either(limits[value]["name"], limits[value].get("name_en"))
        return str(value)

    def told(entry: JournalEntry) -> str:
        found = [accounts[entry.object_id]] if entry.object_id in accounts else []
        for key, label in (words.DETAILS | (words.FREE_DETAILS if free else {})).items():
            value = entry.detail.get(key)
            if value in (None, "", []) or (key == "version" and value == 1):
                continue
            found.append(_("%(label)s：%(text)s", label=label, text=said(key, value)))
        return " · ".join(found)

    return told


def _day(name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(request.args[name]).replace(tzinfo=clock.zone())
        return found if 2000 <= found.year < 2200 else None
    except (KeyError, ValueError):
        return None
