"""The application on a filled database, and a browser without scripts for everybody of the cast."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from werkzeug.test import TestResponse

from engine import calendars
from models.database import Sessions, connect, sessions_of
from web import Application, create_app
from web.demo.places import PASSWORD
from web.settings import Settings


@pytest.fixture
def filled_url(filled_template: Path, tmp_path: Path) -> str:
    """A copy of the filled database."""
    shutil.copy(filled_template, tmp_path / "filled.db")
    return f"sqlite:///{tmp_path / 'filled.db'}"


@pytest.fixture
def sessions(filled_url: str, now: Any) -> Iterator[Sessions]:
    """Sessions of the filled database; the clock stands still."""
    engine = connect(filled_url)
    calendars.forget()
    yield sessions_of(engine)
    engine.dispose()


def settings(url: str, **changed: Any) -> Settings:
    """Settings of a demonstration on a database."""
    return Settings(**{"realm": "demo", "database_url": url, "secret_key": "a key for tests of forty characters long", **changed})


_made: list[Application] = []


@pytest.fixture
def app(sessions: Sessions, filled_url: str, templates: BytecodeCache) -> Application:
    """The application on the filled database: made once a process, for all it keeps is its settings and its sessions."""
    if not _made:
        _made.append(make_app(filled_url, sessions, templates))
    _made[0].settings, _made[0].sessions = settings(filled_url), sessions
    return _made[0]


def make_app(url: str, sessions: Sessions, templates: BytecodeCache, **changed: Any) -> Application:
    """Return an application of one's own on a database, with the templates as they were compiled before."""
    app = create_app(settings(url, **changed), sessions)
    app.jinja_env.bytecode_cache = templates
    return app


class Browser:
    """Somebody at a browser without scripts: follows links, fills forms, keeps cookies."""

    def __init__(self, app: Application) -> None:
        self.app, self.client = app, FlaskClient(app, use_cookies=True)
        self._token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open an address; redirects are not followed."""
        return self.client.get(path, **options)

    def token(self, path: str = "/sign-in") -> str:
        """Return the token that forms of this session carry, read from a page anew."""
        page = self.client.get(path, follow_redirects=True).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, page[:2000]
        self._token = found[1]
        return self._token

    def post(self, path: str, data: dict[str, Any] | list[tuple[str, Any]] | None = None, **options: Any) -> TestResponse:
        """Send a form with the token of the page it came with, the session's."""
        pairs = list(data.items()) if isinstance(data, dict) else list(data or [])
        fields: dict[str, Any] = {}
        for name, value in [*pairs, ("csrf_token", self._token or self.token())]:
            fields[name] = [*fields[name], value] if name in fields else [value]
        answer = self.client.post(path, data=fields, **options)
        if path in ("/sign-in", "/sign-out"):
            self._token = ""  # another session begins
        return answer

    def sign_in(self, username: str, password: str = PASSWORD) -> Browser:
        """Sign in, which must work."""
        answer = self.post("/sign-in", {"username": username, "password": password})
        assert answer.status_code == 302, answer.text[:3000]
        return self


@pytest.fixture
def browse(app: Application) -> Callable[..., Browser]:
    """Opens a browser, signed in or not."""

    def open_one(username: str | None = None) -> Browser:
        found = Browser(app)
        return found.sign_in(username) if username else found

    return open_one


def fields_of(page: str, form: str = "work") -> list[tuple[str, str]]:
    """Return what a browser would send for a form as it stands in a page, buttons left out."""
    from lxml import html

    document = html.fromstring(page)
    found = document.get_element_by_id(form)
    sent: list[tuple[str, str]] = []
    for node in found.iter("input", "select", "textarea"):
        name = node.get("name")
        if not name or node.get("disabled") is not None or name == "csrf_token":
            continue
        if node.tag == "select":
            chosen = [option for option in node.iter("option") if option.get("selected") is not None] or list(node.iter("option"))[:1]
            sent += [(name, option.get("value", option.text or "")) for option in chosen]
        elif node.tag == "textarea":
            sent.append((name, (node.text or "").lstrip("\n")))
        elif node.get("type") in ("checkbox", "radio"):
            if node.get("checked") is not None:
                sent.append((name, node.get("value", "on")))
        elif node.get("type") not in ("submit", "button", "file"):
            sent.append((name, node.get("value", "")))
    return sent


def in_office(text: str) -> datetime:
    """Return an instant given in the office's time."""
    from engine import clock

    return datetime.fromisoformat(text).replace(tzinfo=clock.zone())


def all_rows(sessions: Sessions, query: Any) -> list[Any]:
    """Return rows of the database as they are committed."""
    with sessions() as session:
        return list(session.execute(query).unique().all())


def one(sessions: Sessions, query: Any) -> Any:
    """Return the one row that a query finds."""
    with sessions() as session:
        return session.execute(query).unique().scalar_one()


__all__ = ["Browser", "all_rows", "fields_of", "in_office", "one", "sa", "settings"]
