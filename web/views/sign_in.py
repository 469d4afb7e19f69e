"""Signing in and out: password, second factor, new password; a page left open over night keeps what was typed."""

from __future__ import annotations

from typing import Any

import segno
import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired

from engine import passwords, people
from engine.actor import of_person
from engine.permissions import permitted
from models import Person
from web import application, errors, identity
from web.forms.base import BaseForm
from web.guards import anybody, unfinished
from web.language import say
from web.places import local_path

views = Blueprint("sign_in", __name__)
MAX_RESUMED = 400_000


class SignInForm(BaseForm):
    """Name and password."""

    username = StringField(_l("工号或手机号"), [InputRequired(_l("请填工号或手机号。"))])
    password = PasswordField(_l("密码"), [InputRequired(_l("请填密码。"))])


class CodeForm(BaseForm):
    """A code of the second factor."""

    code = StringField(_l("验证码"), [InputRequired(_l("请填验证码。"))])


class NewPasswordForm(BaseForm):
    """The old password and twice the new one."""

    old = PasswordField(_l("现在的密码"), [InputRequired(_l("请填现在的密码。"))])
    new = PasswordField(_l("新密码"), [InputRequired(_l("请填新密码。"))])
    again = PasswordField(_l("再填一次新密码"), [EqualTo("new", _l("两次填的不一样。"))])


@views.get("/sign-in")
@anybody
def show() -> ResponseReturnValue:
    """Show the form, or go on when somebody is signed in already."""
    if g.actor is not None and g.actor_known:
        return redirect(url_for("home.show"))
    return _page(SignInForm(), back=request.args.get("back", ""))


def ask() -> ResponseReturnValue:
    """Ask for signing in where it is needed; what a form sent is kept and comes back afterwards."""
    resumed = None
    if request.method == "POST" and request.content_length is not None and request.content_length < MAX_RESUMED:
        fields = [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]
        resumed = {"to": request.path, "fields": fields}
    if request.headers.get("HX-Request") or request.accept_mimetypes.best == "application/json":
        return {"sign_in": url_for("sign_in.show")}, 401
    back = request.path if request.method == "GET" and request.path != "/" else ""
    return _page(SignInForm(formdata=None), resumed=resumed, back=back, status=401)


def _page(form: SignInForm, *, refused: str = "", resumed: object = None, back: str = "", status: int = 200) -> ResponseReturnValue:
    shown = _demo_people() if application().settings.is_demo else []
    from web.demo.places import PASSWORD

    return render_template(
        "sign_in/show.html",
        form=form,
        refused=refused,
        resumed=resumed,
        back=local_path(back),
        demo_people=shown,
        demo_password=PASSWORD,
    ), status


def _demo_people() -> list[dict[str, str]]:
    from web import words
    from web.demo.start import SHOWN_FIRST

    rows = g.session.scalars(sa.select(Person).where(Person.username.in_(SHOWN_FIRST))).all() if "session" in g else []
    known = {person.username: person for person in rows}
    return [
        {"username": name, "name": known[name].name, "role": str(words.ROLES[known[name].appointments[0].role])}
        for name in SHOWN_FIRST
        if name in known and known[name].appointments
    ]


@views.post("/sign-in")
@anybody
def enter() -> ResponseReturnValue:
    """Check name and password. A refusal is counted before it is answered."""
    form, app = SignInForm(), application()
    resumed = _resumed()
    back = request.form.get("back", "")
    if not form.validate():
        return _page(form, resumed=resumed, back=back, status=422)
    address = request.remote_addr or ""
    try:
        row, secret = people.sign_in(
            g.session,
            app.settings.policy,
            form.username.data or "",
            form.password.data or "",
            address=address,
            device=request.user_agent.string,
        )
    except people.SignInBlocked as error:
        return _page(form, refused=errors.sentence(error), resumed=resumed, back=back, status=429)
    except people.SignInRefused as error:
        people.note_failure(g.session, app.settings.policy, form.username.data or "", address)
        return _page(form, refused=errors.sentence(error), resumed=resumed, back=back, status=422)
    identity.begin(row, secret)
    g.seen_before = (row.id, row.seen_at)
    g.sign_in, g.actor = row, of_person(g.session, row.person)
    g.permitted, g.actor_known = permitted(g.actor), identity.is_whole(g.actor, row)
    if resumed and not g.actor_known:
        return _ask_more(resumed)
    if resumed:
        return render_template("sign_in/resume.html", **resumed)
    return redirect(local_path(back) or url_for("home.show"))


def _resumed() -> dict[str, Any] | None:
    """Return what a form sent before its session had ended; it travels through signing in."""
    if not request.form.get("resume_to"):
        return None
    fields = [(name[7:], value) for name, value in request.form.items(multi=True) if name.startswith("resume:")]
    return {"to": local_path(request.form["resume_to"]) or "/", "fields": fields}


def _ask_more(resumed: dict[str, Any]) -> ResponseReturnValue:
    """Go on to the new password or the second factor, with what was typed."""
    if g.sign_in.person.must_change_password:
        return render_template("sign_in/new_password.html", form=NewPasswordForm(formdata=None), rules=describe(_policy().rules), resumed=resumed)
    return _second_factor_page(CodeForm(formdata=None), _seed(), resumed=resumed)


def _policy() -> people.Policy:
    return application().settings.policy


@views.post("/sign-out")
@unfinished
def leave() -> ResponseReturnValue:
    """End the session on the server and in the browser."""
    people.sign_out(g.session, g.actor, g.sign_in)
    identity.end()
    g.sign_in = None
    flash(_("已退出。"), "done")
    return redirect(url_for("sign_in.show"))


@views.route("/second-factor", methods=["GET", "POST"])
@unfinished
def second_factor() -> ResponseReturnValue:
    """Ask for a code of the authenticator; the first time, connect one."""
    policy, person, form, resumed = _policy(), g.sign_in.person, CodeForm(), _resumed()
    if not people.needs_second_factor(policy, g.actor) or g.sign_in.second_factor_at is not None:
        return redirect(url_for("home.show"))
    seed, refused = _seed(), ""
    if request.method == "POST" and form.validate():
        try:
            if seed:
                codes = people.enrol_second_factor(g.session, policy, g.actor, g.sign_in, seed, form.code.data or "")
                return render_template("sign_in/second_factor.html", codes=codes, resumed=resumed)
            people.show_second_factor(g.session, policy, g.actor, g.sign_in, form.code.data or "")
            return render_template("sign_in/resume.html", **resumed) if resumed else redirect(url_for("home.show"))
        except (people.CodeRefused, people.SignInBlocked) as error:
            refused = errors.sentence(error)
            people.note_failure(g.session, policy, person.username, request.remote_addr or "")
    return _second_factor_page(form, seed, refused=refused, resumed=resumed), 422 if refused or form.errors else 200


def _seed() -> str:
    """Return the seed of the authenticator that is being connected; nothing where one is connected already."""
    return "" if g.sign_in.person.second_factor_seed else (request.form.get("seed") or people.propose_second_factor())[:32]


def _second_factor_page(form: CodeForm, seed: str, *, refused: str = "", resumed: dict[str, Any] | None = None) -> str:
    shown: dict[str, Any] = {}
    if seed:
        uri = people.provisioning_uri(_policy(), g.sign_in.person, seed, _("评审"))
        shown = {
            "qr": Markup(segno.make(uri, error="m").svg_inline(scale=4, border=2, dark="#1e2731", light="#ffffff", omitsize=True)),  # noqa: S704 - made here
            "secret": people.second_factor_secret(_policy(), g.sign_in.person, seed),
        }
    return render_template("sign_in/second_factor.html", form=form, seed=seed, refused=refused, resumed=resumed, **shown)


@views.route("/new-password", methods=["GET", "POST"])
@unfinished
def new_password() -> ResponseReturnValue:
    """Ask for a new password where the old one was given by an administrator or has grown old."""
    form, policy, resumed = NewPasswordForm(), _policy(), _resumed()
    if not g.sign_in.person.must_change_password:
        return redirect(url_for("home.show"))
    if request.method == "POST" and form.validate() and change_password(form):
        if not resumed:
            return redirect(url_for("home.show"))
        return render_template("sign_in/resume.html", **resumed) if identity.is_whole(g.actor, g.sign_in) else _ask_more(resumed)
    return render_template("sign_in/new_password.html", form=form, rules=describe(policy.rules), resumed=resumed), 422 if form.errors else 200


def change_password(form: NewPasswordForm) -> bool:
    """Change one's own password; what is wrong stands at its field."""
    try:
        people.change_password(g.session, _policy(), g.actor, g.sign_in, form.old.data or "", form.new.data or "")
        return True
    except people.SignInRefused:
        form.old.errors = [_("现在的密码不对。")]
    except passwords.PasswordRefused as error:
        form.new.errors = [errors.sentence(error)]
    return False


def describe(rules: passwords.Rules) -> str:
    """Return what a password must be, in words."""
    text = _("至少 %(least)s 个字符", least=rules.least)
    if rules.kinds > 1:
        text += _("，含大写、小写、数字、其他字符中的 %(kinds)s 种", kinds=rules.kinds)
    return text + _("；可以用空格和汉字，64 个以上也可以。") + _("（%(rule)s）", rule=say(rules.name))
