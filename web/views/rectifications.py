"""Rectification items: what was agreed, who does it by when, and who verified it."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from engine import rectifications, work_items
from engine.permissions import Permission
from models import ItemState
from web.guards import requires
from web.places import number_asked

views = Blueprint("rectifications", __name__, url_prefix="/rectifications")


@views.get("")
@requires(Permission.RECTIFICATION_READ)
def index() -> ResponseReturnValue:
    """List the items a person sees, the earliest due first."""
    state, page = request.args.get("state", ""), number_asked("page", 1)
    chosen = ItemState(state) if state in {entry.value for entry in ItemState} else None
    rows, count = rectifications.find(g.session, g.actor, state=chosen, page=page)
    return render_template(
        "rectifications/index.html",
        rows=rows,
        count=count,
        page=page,
        chosen=chosen,
        states=list(ItemState),
        page_url=lambda number: url_for("rectifications.index", state=state or None, page=number),
    )


@views.get("/<number>")
@requires(Permission.RECTIFICATION_READ, journals=True)
def show(number: str) -> ResponseReturnValue:
    """Show one item: the agreed action and its reason, its steps and reports; not the case."""
    item = rectifications.read(g.session, g.actor, number)
    return render_template(
        "rectifications/show.html",
        item=item,
        steps=rectifications.steps(g.session, item),
        reports=rectifications.reports(g.session, item.id),
        mine=list(work_items.queue(g.session, g.actor, work_items.Filter(view="all", words=item.number))[0]),
    )
