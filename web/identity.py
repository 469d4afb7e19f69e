"""Cookie → person → actor: who is asking, in which language, with which second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
from flask import g, request
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from engine import clock, people
from engine.actor import Actor, of_person
from engine.permissions import Permission, permitted
from engine.transaction import transaction
from models import SignIn

if TYPE_CHECKING:
    from web import Application


class User(UserMixin):  # type: ignore[misc]
    """Flask-Login's view of a running session: its id is the secret, so that a session ended is ended on the server."""

    def __init__(self, row: SignIn, secret: str) -> None:
        self.row, self.secret = row, secret

    def get_id(self) -> str:
        """Return the secret that the signed cookie carries."""
        return self.secret


def set_up(app: Application) -> None:
    """Connect Flask-Login."""
    manager = LoginManager(app)
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load_user(secret: str) -> User | None:
        row = people.of_secret(g.session, app.settings.policy, secret) if g.get("session") is not None else None
        return User(row, secret) if row else None


def load() -> None:
    """Find out who is asking; once, inside the request's transaction."""
    be_nobody()
    if current_user.is_authenticated:
        g.sign_in = current_user.row
        g.seen_before = (g.sign_in.id, g.sign_in.seen_at)
        g.actor = of_person(g.session, g.sign_in.person)
        g.permitted = permitted(g.actor)
        g.actor_known = is_whole(g.actor, g.sign_in)


def be_nobody() -> None:
    """Forget who is asking."""
    g.pop("_login_user", None)
    g.actor, g.sign_in, g.permitted, g.actor_known = None, None, frozenset(), False


def is_whole(actor: Actor, row: SignIn) -> bool:
    """Tell whether signing in is complete: no second factor and no new password is still asked for."""
    from web import application

    policy = application().settings.policy
    return not row.person.must_change_password and (row.second_factor_at is not None or not people.needs_second_factor(policy, actor))


def begin(row: SignIn, secret: str) -> None:
    """Let the browser carry a new session, and nothing of an earlier one."""
    language = flask.session.get("language")
    flask.session.clear()
    if language:
        flask.session["language"] = language
    login_user(User(row, secret))


def end() -> None:
    """Take the session from the browser."""
    logout_user()
    flask.session.clear()


def note_use(response: flask.Response) -> flask.Response:
    """Note that a session is in use, at most once a minute, after the page is made."""
    if g.get("sign_in") is not None and clock.now() - g.seen_before[1] > people.SEEN_EVERY and request.endpoint != "assets":
        from web import application

        with transaction(application().sessions) as session:
            people.seen(session, g.seen_before[0])
    return response


def may(permission: str) -> bool:
    """Tell whether the person's roles allow something somewhere; for menus and buttons."""
    return Permission(permission) in g.permitted
