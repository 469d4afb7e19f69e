"""Conclusions: what the health administration sees of reviews: numbers, units, verdicts; no names, no records of the case."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, g, render_template, url_for
from flask.typing import ResponseReturnValue

from engine import clock, conclusions, deadlines
from engine.permissions import Permission
from models import Deadline
from web.forms.from_schema import Filled, shown
from web.guards import requires
from web.language import either
from web.places import number_asked

views = Blueprint("conclusions", __name__, url_prefix="/conclusions")


@views.get("")
@requires(Permission.CONCLUSION_READ)
def index() -> ResponseReturnValue:
    """List the cases of the area with their state and conclusion."""
    page = number_asked("page", 1)
    rows, count = conclusions.find(g.session, g.actor, page=page)
    return render_template(
        "conclusions/index.html", rows=rows, count=count, page=page, page_url=lambda number: url_for("conclusions.index", page=number)
    )


@views.get("/<number>")
@requires(Permission.CONCLUSION_READ, journals=True)
def show(number: str) -> ResponseReturnValue:
    """Show what the administration may know of one case: its course, conclusion, recommendations and reports."""
    found = conclusions.read(g.session, g.actor, number)
    parts = []
    for record, form in found.records:
        tree = Filled(form, found.context(form), stored=record.answers).tree()
        parts.append({"title": either(form.title, form.title_en), "tree": tree, "record": record})
    return render_template("conclusions/show.html", found=found, clocks=by_limit(found.clocks), parts=parts, shown=shown)


def by_limit(clocks: Sequence[Deadline]) -> list[tuple[Deadline, int, int]]:
    """Return one clock for each limit, the one that is or was worst, with how many there were and how many were late."""
    now = clock.now()
    groups: dict[str, list[Deadline]] = {}
    for deadline in clocks:
        groups.setdefault(deadline.key, []).append(deadline)
    found = []
    for group in groups.values():
        worst = max(group, key=lambda row: ((row.met_at or now) - row.due_at, row.met_at is None))
        found.append((worst, len(group), sum(deadlines.is_late(row, now) for row in group)))
    return found
