"""A served application and a real browser; the present of the pages is that of the other tests."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import waitress
from jinja2 import BytecodeCache
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright

from engine import calendars, clock
from engine.transaction import transaction
from models import Installation
from models.database import Sessions, connect, sessions_of
from tests.browser.chromium import PACKAGES, chromium
from tests.conftest import START
from tests.web.conftest import make_app
from web.demo.places import PASSWORD

AXE = PACKAGES / "axe-core" / "axe.min.js"
WIDE, NARROW = (1360, 900), (390, 844)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests of a process."""
    program, environment = chromium()
    found = playwright.chromium.launch(executable_path=program, env=environment, args=["--no-sandbox", "--disable-gpu"])
    yield found
    found.close()


@pytest.fixture
def served(filled_template: Path, tmp_path: Path, templates: BytecodeCache) -> Iterator[tuple[str, Sessions]]:
    """The application on a copy of the filled database, served on a free port of this machine."""
    path = tmp_path / "served.db"
    shutil.copy(filled_template, path)
    engine = connect(f"sqlite:///{path}")
    sessions = sessions_of(engine)
    with transaction(sessions) as session:
        session.execute(sa.update(Installation).values(clock_ahead_s=round((START - datetime.now(UTC)).total_seconds())))
    calendars.forget()
    app = make_app(f"sqlite:///{path}", sessions, templates)
    server: Any = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}", sessions
    server.close()
    engine.dispose()
    clock.set_ahead(0)


class Person:
    """Somebody at a browser: what their pages complain of in the console is kept."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context, self.base, self.complaints = context, base, list[str]()
        self.page = context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> Page:
        """Open a page and wait until it rests."""
        self.page.goto(self.base + path)
        if self.page.locator("[data-diagram]").count():
            self.page.wait_for_selector(".canvas svg, .canvas p")
        return self.page

    def sign_in(self, username: str) -> Person:
        """Sign in with the demonstration's password."""
        self.open("/sign-in")
        self.page.fill("#username", username)
        self.page.fill("#password", PASSWORD)
        self.page.press("#password", "Enter")
        self.page.wait_for_url(re.compile(r"^(?!.*sign-in)"))
        return self

    def faults(self) -> list[str]:
        """Return what axe finds wrong with the page by WCAG 2.2 AA, and whether it scrolls sideways."""
        self.page.evaluate(AXE.read_text())
        size = self.page.viewport_size
        assert size is not None
        height = self.page.evaluate("document.documentElement.scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})  # so that no bar covers a part of it
        found = self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
            ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' | ' + n.failureSummary.slice(0, 200)).join(' // ')))"
        )
        self.page.set_viewport_size(size)
        width = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        return [*found, *([f"scrolls sideways: {width}"] if width[0] > width[1] else [])]


@pytest.fixture
def visit(browser: Browser, served: tuple[str, Sessions]) -> Iterator[Callable[..., Person]]:
    """Opens a browser for somebody, of a width, in a language, with or without scripts."""
    contexts: list[BrowserContext] = []

    def begin(username: str | None = None, size: tuple[int, int] = WIDE, language: str = "zh-CN", *, scripts: bool = True) -> Person:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=language, java_script_enabled=scripts)
        contexts.append(context)
        person = Person(context, served[0])
        return person.sign_in(username) if username else person

    yield begin
    for context in contexts:
        context.close()


@pytest.fixture
def sessions(served: tuple[str, Sessions]) -> Sessions:
    """Sessions of the served database."""
    return served[1]
