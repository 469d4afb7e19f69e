"""One's own account: language, look, password, second factor, sessions."""

from __future__ import annotations

from uuid import UUID

import flask
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import people
from engine.errors import NotFound
from models import SignIn
from web import application
from web.guards import anybody, signed_in
from web.language import LANGUAGES
from web.places import local_path
from web.views.sign_in import NewPasswordForm, change_password, describe

views = Blueprint("account", __name__, url_prefix="/account")


@views.get("")
@signed_in()
def show() -> ResponseReturnValue:
    """Show one's own account."""
    return _page(NewPasswordForm(formdata=None))


def _page(form: NewPasswordForm, status: int = 200) -> ResponseReturnValue:
    policy = application().settings.policy
    return render_template(
        "account/show.html",
        form=form,
        rules=describe(policy.rules),
        sessions=people.sign_ins(g.session, policy, g.actor.person_id),
        needs_second_factor=people.needs_second_factor(policy, g.actor),
    ), status


@views.post("/password")
@signed_in()
def password() -> ResponseReturnValue:
    """Change one's password; the other sessions end."""
    form = NewPasswordForm()
    if form.validate() and change_password(form):
        flash(_("密码已换，别处的登录都已结束。"), "done")
        return redirect(url_for("account.show"))
    return _page(form, 422)


@views.post("/language")
@anybody
def language() -> ResponseReturnValue:
    """Choose the language, for the person or for this browser."""
    chosen = request.form.get("language", "")
    if chosen in LANGUAGES:
        flask.session["language"] = chosen
        if g.sign_in is not None:
            g.sign_in.person.language = chosen
    return redirect(local_path(request.form.get("back")) or url_for("home.show"))


@views.post("/theme")
@signed_in()
def theme() -> ResponseReturnValue:
    """Change between light and dark."""
    person = g.sign_in.person
    person.theme = "light" if person.theme == "dark" else "dark"
    return redirect(local_path(request.form.get("back")) or url_for("home.show"))


@views.post("/display")
@signed_in()
def display() -> ResponseReturnValue:
    """Choose the size of text and whether single keys act."""
    size = request.form.get("text_size", "100")
    if size in ("100", "115", "130"):
        g.sign_in.person.text_size = int(size)
    g.sign_in.person.has_single_keys = request.form.get("single_keys") == "y"
    flash(_("显示设置已保存。"), "done")
    return redirect(url_for("account.show"))


@views.post("/sessions/<uuid:row_id>/end")
@signed_in()
def end_session(row_id: UUID) -> ResponseReturnValue:
    """End one of one's own sessions."""
    row = g.session.get(SignIn, row_id)
    if row is None or row.person_id != g.actor.person_id:
        raise NotFound
    people.sign_out(g.session, g.actor, row)
    return redirect(url_for("account.show"))


@views.post("/sessions/end")
@signed_in()
def end_others() -> ResponseReturnValue:
    """End all one's sessions but this one."""
    people.end_all(g.session, g.actor, g.actor.person_id, but=g.sign_in.id)
    flash(_("别处的登录都已结束。"), "done")
    return redirect(url_for("account.show"))
