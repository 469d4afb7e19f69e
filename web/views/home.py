"""Today: what is most pressing for each role, and what follows after a review."""

from __future__ import annotations

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from engine import calendars, clock, notices, organisations, packets, rectifications, work_items
from engine.permissions import Permission
from models import ItemState, OrganisationKind, Role
from web.guards import signed_in

views = Blueprint("home", __name__)


@views.get("/")
@signed_in()
def show() -> ResponseReturnValue:
    """Show today's page: the most pressing work, what the committee waits for, what was reported."""
    roles = g.actor.roles
    if roles <= {Role.VILLAGE_REPORTER} and roles:
        return render_template("home/reporter.html", notices=notices.mine(g.session, g.actor), duty=_duty())
    first, count = work_items.queue(g.session, g.actor, work_items.Filter(view="all", per_page=5))
    counts = work_items.counts(g.session, g.actor)
    follow = None
    if Permission.RECTIFICATION_READ in g.permitted:
        items, open_items = rectifications.find(g.session, g.actor, is_open=True, per_page=200)
        follow = {
            "open": open_items,
            "to_verify": sum(item.state is ItemState.SUBMITTED for item in items),
            "late": sum(item.due_on < clock.today() for item in items),
            "next": items[0] if items else None,
        }
    readable = packets.mine(g.session, g.actor) if Permission.PACKET_READ in g.permitted else []
    return render_template(
        "home/show.html",
        rows=first,
        count=count,
        counts=counts,
        follow=follow,
        packets=readable,
        missing=packets.missing_opinions(g.session, g.actor, readable),
        now_local=clock.now().astimezone(clock.zone()),
        waiting=notices.waiting(g.session, g.actor) if Permission.NOTICE_READ in g.permitted else 0,
        uncovered=calendars.uncovered_year(g.session) if Permission.CALENDAR_EDIT in g.permitted else None,
        reported=notices.mine(g.session, g.actor, limit=5) if Permission.NOTICE_TAKE in g.permitted and Role.QC_OFFICER not in roles else [],
    )


@views.get("/more")
@signed_in()
def more() -> ResponseReturnValue:
    """List every place of the menu, for the telephone."""
    return render_template("home/more.html")


def _duty() -> object:
    """Return the township whose telephone a village calls."""
    post = g.actor.posts[0]
    return organisations.nearest(g.session, post.path, OrganisationKind.TOWNSHIP_HEALTH_CENTRE)
