"""Phone notices: recorded in under a minute, and listed with what came of them."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from engine import forms, notices
from engine.errors import FormInvalid, NotFound
from engine.permissions import Permission
from web.forms.from_schema import Filled, shown
from web.guards import requires
from web.jinja import moment, span
from web.language import inside
from web.places import number_asked

views = Blueprint("notices", __name__, url_prefix="/notices")


@views.get("")
@requires(Permission.NOTICE_READ)
def index() -> ResponseReturnValue:
    """List the notices of the person's area, newest first."""
    page = number_asked("page", 1)
    rows, count = notices.find(g.session, g.actor, page=page)
    return render_template("notices/index.html", rows=rows, count=count, page=page, page_url=lambda number: url_for("notices.index", page=number))


@views.get("/new")
@requires(Permission.NOTICE_TAKE)
def new() -> ResponseReturnValue:
    """Show the page of a new notice."""
    form, context = notices.context(g.session, g.actor)
    return _page(Filled(form, context, stored=forms.prefill(form, context)))


def _page(filled: Filled, status: int = 200) -> ResponseReturnValue:
    tree = filled.tree()
    return render_template(
        "notices/new.html",
        filled=filled,
        tree=tree,
        errors=filled.error_links(tree) if filled.checked else [],
        key=request.form.get("_key") or uuid.uuid4().hex,
        shown=shown,
        clock_line=clock_line(filled),
        suggestions=sorted({node.entry.suggestions for top in tree for node in top.inputs() if node.entry.suggestions}),
    ), status


@views.post("/new")
@requires(Permission.NOTICE_TAKE)
def take() -> ResponseReturnValue:
    """Take the notice; the same page sent twice is one notice."""
    form, context = notices.context(g.session, g.actor)
    filled = Filled(form, context, sent=MultiDict(request.form))
    if filled.check().errors:
        return _page(filled, 422)
    try:
        taken = notices.take(g.session, g.actor, filled.values(), key=request.form.get("_key", "")[:64] or uuid.uuid4().hex)
    except FormInvalid as error:
        filled.add_findings(error.findings)
        return _page(filled, 422)
    flash(_("通知 %(number)s 已记下。", number=taken.notice.number), "done")
    return redirect(url_for("notices.taken", number=taken.notice.number))


@views.post("/new/state")
@requires(Permission.NOTICE_TAKE)
def state() -> ResponseReturnValue:
    """Answer the page's script: which fields are hidden and which required for what is typed."""
    form, context = notices.context(g.session, g.actor)
    filled = Filled(form, context, sent=MultiDict(request.form))
    return {**filled.visibility(), "clock": clock_line(filled)}


def clock_line(filled: Filled) -> dict[str, object]:
    """Return how long ago it happened and whether the call is in time, as the form stands; nothing while that is not known."""
    answered = notices.timing(g.session, g.actor, filled.values())
    if answered is None:
        return {"text": "", "late": False}
    since, due_at, called = answered
    told = {"time": inside(moment(called)), "span": span(called - since)}
    if called <= due_at:
        return {"text": _("电话 %(time)s，距发生 %(span)s，在时限之内。", **told), "late": False}
    return {"text": _("电话 %(time)s，距发生 %(span)s，已过时限 %(late)s，照常记录。", late=span(called - due_at), **told), "late": True}


@views.get("/<number>/taken")
@requires(Permission.NOTICE_TAKE)
def taken(number: str) -> ResponseReturnValue:
    """Say what happens next with a notice one has just recorded."""
    notice = next((notice for notice in notices.mine(g.session, g.actor) if notice.number == number), None)
    if notice is None:
        raise NotFound
    return render_template("notices/taken.html", notice=notice, report_due=notices.report_due(g.session, notice))
