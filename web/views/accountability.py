"""Accountability: a file of its own, with what crossed to it; it holds no opinions, votes or names of the review."""

from __future__ import annotations

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from engine import accountability
from engine.permissions import Permission
from web.guards import requires

views = Blueprint("accountability", __name__, url_prefix="/accountability")


@views.get("")
@requires(Permission.ACCOUNTABILITY_READ)
def index() -> ResponseReturnValue:
    """List the files of the area."""
    return render_template("accountability/index.html", files=accountability.find(g.session, g.actor))


@views.get("/<number>")
@requires(Permission.ACCOUNTABILITY_READ, journals=True)
def show(number: str) -> ResponseReturnValue:
    """Show a file and what crossed to it."""
    file, crossings = accountability.read(g.session, g.actor, number)
    return render_template("accountability/show.html", file=file, crossings=crossings)
