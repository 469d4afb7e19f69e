"""Killed at any moment: what was acknowledged is there, nothing is there twice, and every case goes on."""

from __future__ import annotations

import http.cookiejar
import multiprocessing
import os
import random
import re
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import clock, work_items, worker
from engine.actor import of_person
from engine.transaction import transaction
from models import (
    OPEN_STATES,
    Case,
    CaseState,
    Deadline,
    DeadlineKind,
    Draft,
    Incident,
    JournalEntry,
    Message,
    Person,
    Record,
    WorkItem,
    WorkItemState,
)
from models.database import Sessions, connect
from tests.engine import crashing
from tests.engine.conftest import At
from tests.worlds import World, fingerprint
from web import create_app
from web.demo.places import PASSWORD
from web.settings import Settings

SEED = 20261122
IN_PROCESS, OVER_HTTP = timedelta(seconds=5), timedelta(seconds=5)
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.engine.crashing", "web.cli"])


class Child:
    """A process on the database of a test; what it tells is read until it dies."""

    def __init__(self, act: Callable[[str, datetime, int], None], url: str, moment: datetime) -> None:
        self.lines: list[str] = []
        self._told = threading.Condition()
        read, write = os.pipe()
        with processes_write(write) as theirs:
            self.process = processes.Process(target=_begin, args=(act, url, moment, theirs))
            self.process.start()
        os.close(write)
        self._reader = threading.Thread(target=self._read, args=(read,))
        self._reader.start()

    def _read(self, end: int) -> None:
        with os.fdopen(end) as told:
            for line in told:
                with self._told:
                    self.lines.append(line.strip())
                    self._told.notify_all()
        with self._told:
            self.lines.append("")
            self._told.notify_all()

    def first(self) -> str:
        """Wait for the first thing it tells."""
        with self._told:
            self._told.wait_for(lambda: self.lines, timeout=30)
            return self.lines[0]

    def kill(self) -> list[str]:
        """End it without a word, and return what it had told."""
        self.process.kill()
        self.process.join()
        self._reader.join()
        assert self.process.exitcode in (0, -signal.SIGKILL), self.process.exitcode
        return [line for line in self.lines if line]


def processes_write(descriptor: int) -> Any:
    """Return the writing end of a pipe as a child may be given it."""
    from multiprocessing.connection import Connection

    return Connection(os.dup(descriptor), readable=False)


def _begin(act: Callable[[str, datetime, int], None], url: str, moment: datetime, told: Any) -> None:
    act(url, moment, told.fileno())


@pytest.fixture
def ready(copy_at: At) -> World:
    """A database of its own with a procedure whose steps are fast."""
    world = copy_at()
    crashing.deploy(world.sessions)
    return world


def address(world: World) -> str:
    return world.engine.url.render_as_string(hide_password=False)


def everything_is_there_once(sessions: Sessions, acknowledged: set[UUID]) -> None:
    """See that a database holds what was acknowledged, and of each thing one."""
    with transaction(sessions, read_only=True) as session:
        done = {item.id: item for item in session.scalars(sa.select(WorkItem).where(WorkItem.state == WorkItemState.COMPLETED))}
        assert acknowledged <= set(done)
        assert all(done[item_id].command_key == crashing.key_of(item_id) for item_id in acknowledged)
        kept = Counter(session.scalars(sa.select(Record.work_item_id).where(Record.work_item_id.is_not(None))))
        told = Counter(session.scalars(sa.select(JournalEntry.object_id).where(JournalEntry.action == "work-item:hand-in")))
        assert kept == told == Counter(list(done))
        for case in session.scalars(sa.select(Case).where(Case.number.like(f"{crashing.NUMBERED}%"))):
            sequence = session.scalars(
                sa.select(JournalEntry.sequence)
                .where(JournalEntry.case_id == case.id, JournalEntry.sequence.is_not(None))
                .order_by(JournalEntry.sequence)
            ).all()
            assert list(sequence) == list(range(2, case.revision + 1))


def every_case_ends_alike(world: World) -> None:
    """Do what is left of each case and see that it went the way of one that nobody disturbed."""
    undisturbed = crashing.begin(world.sessions, f"{crashing.NUMBERED}UNDISTURBED")
    while (item_id := crashing.upcoming(world.sessions)) is not None:
        assert crashing.hand_in(world.sessions, item_id).is_new
    with transaction(world.sessions, read_only=True) as session:
        found = session.scalars(sa.select(Case).where(Case.number.like(f"{crashing.NUMBERED}%"))).all()
        assert {case.state for case in found} == {CaseState.CLOSED}

        def way(case_id: UUID) -> tuple[Counter[str], Counter[str]]:
            items = session.execute(sa.select(WorkItem.element, WorkItem.state).where(WorkItem.case_id == case_id))
            entries = session.scalars(sa.select(JournalEntry.detail).where(JournalEntry.case_id == case_id, JournalEntry.sequence.is_not(None)))
            return Counter(f"{element} {state.value}" for element, state in items), Counter(step for entry in entries for step in entry["walked"])

        wanted = way(undisturbed)
        assert sum(wanted[0].values()) == crashing.TASKS
        for case in found:
            assert way(case.id) == wanted, case.number
        assert not session.scalars(sa.select(Incident)).all()


def test_killed_while_handing_in(ready: World) -> None:
    """Round after round a process dies in the middle of its work; the next one goes on where it stopped."""
    chance, until = random.Random(SEED), time.monotonic() + IN_PROCESS.total_seconds()
    acknowledged: set[UUID] = set()
    rounds = unsure = 0
    while time.monotonic() < until or rounds < 5:
        child = Child(crashing.work, address(ready), clock.now())
        assert child.first().startswith("?")
        time.sleep(chance.uniform(0.0, 0.25))
        lines = child.kill()
        rounds += 1
        mine = {UUID(line[1:]) for line in lines if line[0] == "+"}
        assert not mine & acknowledged
        acknowledged |= mine
        last = UUID(lines[-1][1:])
        if lines[-1][0] == "?":  # asked for, not acknowledged: the same key again does it, or finds it done
            unsure += 1
            crashing.hand_in(ready.sessions, last)
            assert not crashing.hand_in(ready.sessions, last).is_new
            acknowledged.add(last)
        everything_is_there_once(ready.sessions, acknowledged)
    assert rounds > 4
    assert unsure > rounds / 4
    every_case_ends_alike(ready)
    print(f"\n{ready.engine.dialect.name}: killed {rounds} times, {unsure} in a command; {len(acknowledged)} hand-ins acknowledged")


# ── over HTTP ──


class Reader(urllib.request.HTTPRedirectHandler):
    """A browser that does not follow redirects: 302 is the answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    """Somebody's browser: it keeps its cookies while the server dies and comes back."""

    def __init__(self) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar, Reader, urllib.request.ProxyHandler({}))
        self.root = ""

    def send(self, path: str, form: list[tuple[str, str]] | None = None) -> tuple[int, str]:
        """Ask for a page or send a form. Raises OSError where the server is gone."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            with self.opener.open(self.root + path, data, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def token(self, path: str) -> str:
        """Return the token that forms of this session carry."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.send(path)[1])
        assert found
        return found[1]


def test_killed_while_serving(ready: World) -> None:
    """The server dies under its browser; the browser sends the same form again to the next one."""
    chance, until = random.Random(SEED + 1), time.monotonic() + OVER_HTTP.total_seconds()
    browser, acknowledged, rounds, again = Browser(), set[UUID](), 0, 0
    waiting: UUID | None = None
    token = ""
    crashing.begin(ready.sessions, f"{crashing.NUMBERED}0000")
    while time.monotonic() < until or rounds < 4:
        ready.move(timedelta(seconds=20))  # time goes on: cookies of the future are refused
        server = Child(crashing.serve, address(ready), clock.now())
        port = server.first()
        assert port.startswith("@")
        browser.root = f"http://127.0.0.1:{port[1:]}"
        if not token:
            status, _ = browser.send("/sign-in", [("username", "tangyining"), ("password", PASSWORD), ("csrf_token", browser.token("/sign-in"))])
            assert status == 302
            token = browser.token("/work-items")
        killer = threading.Timer(chance.uniform(0.05, 0.9), server.process.kill)
        killer.start()
        try:
            while True:
                item_id = waiting or crashing.upcoming(ready.sessions)
                if item_id is None:
                    crashing.begin(ready.sessions, f"{crashing.NUMBERED}{len(acknowledged):04}")
                    continue
                again += waiting is not None
                waiting = item_id
                form = [("note", "done"), ("_key", crashing.key_of(item_id)), ("_action", "hand_in"), ("csrf_token", token)]
                status, page = browser.send(f"/work-items/{item_id}", form)
                assert status == 302, page[:2000]
                acknowledged.add(item_id)
                waiting = None
        except (OSError, http.client.HTTPException):
            pass
        killer.join()
        server.kill()
        rounds += 1
        everything_is_there_once(ready.sessions, acknowledged)
    if waiting is not None:
        crashing.hand_in(ready.sessions, waiting)
    assert len(acknowledged) > rounds
    assert again > 1
    every_case_ends_alike(ready)
    print(f"\n{ready.engine.dialect.name}: killed {rounds} times; {len(acknowledged)} forms acknowledged, {again} sent again")


# ── the worker ──


def test_a_worker_killed_while_firing_fires_each_timer_once(ready: World) -> None:
    chance = random.Random(SEED + 2)
    for number in range(12):
        case_id = crashing.begin(ready.sessions, f"{crashing.NUMBERED}{number:04}")
        for _ in range(4):
            item_id = ready.session.scalar(
                sa.select(WorkItem.id).where(WorkItem.case_id == case_id, WorkItem.state.in_(OPEN_STATES)).order_by(WorkItem.id).limit(1)
            )
            ready.session.rollback()
            assert item_id is not None
            crashing.hand_in(ready.sessions, item_id)
    due = {row.id for row in ready.rows(Deadline, Deadline.next_at.is_not(None), Deadline.kind == DeadlineKind.TIMER)}
    assert len(due) == 36
    ready.session.rollback()
    ready.move(timedelta(days=31))
    deaths = 0
    for _ in range(40):
        child = Child(crashing.fire, address(ready), clock.now())
        if not child.first():
            child.kill()
            break
        time.sleep(chance.uniform(0.0, 0.03))
        deaths += child.process.is_alive()
        child.kill()
    worker.run(ready.sessions)
    fired = Counter((row.case_id, step) for row in ready.rows(JournalEntry, JournalEntry.action == "timer:fire") for step in row.detail["walked"])
    late = Counter({pair: count for pair, count in fired.items() if pair[1].endswith("_late")})
    assert set(late.values()) == {1}
    assert len(late) == len(due)
    assert deaths >= 2
    assert not ready.rows(Deadline, Deadline.next_at.is_not(None), Deadline.kind == DeadlineKind.TIMER)
    assert not ready.rows(Incident)
    told = Counter((row.person_id, row.once) for row in ready.rows(Message))
    assert not [pair for pair, count in told.items() if count > 1]
    ready.session.rollback()
    two_cases_end(ready)


def two_cases_end(world: World) -> None:
    """Do what is left of two: a timer that has fired beside a task disturbs nothing else."""
    found = world.rows(Case, Case.number.in_([f"{crashing.NUMBERED}0000", f"{crashing.NUMBERED}0001"]))
    world.session.rollback()
    for _ in range(2 * (crashing.TASKS - 4)):
        item_id = crashing.upcoming(world.sessions)
        assert item_id is not None
        crashing.hand_in(world.sessions, item_id)
    assert {world.session.get_one(Case, case.id, populate_existing=True).state for case in found} == {CaseState.CLOSED}
    world.session.rollback()


# ── the database goes away ──


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # only a server ends connections
def test_a_connection_that_is_ended_during_a_command_leaves_nothing_half_done(ready: World) -> None:
    """At each statement of a hand-in in turn, its connection is ended by the server; then the same command works."""
    crashing.begin(ready.sessions, f"{crashing.NUMBERED}0000")
    other = connect(address(ready))
    item_id, place, ended = crashing.upcoming(ready.sessions), 0, 0
    assert item_id is not None
    while True:
        place, before, seen = place + 1, look(ready), 0

        def end(connection: sa.Connection, *_: object, place: int = place) -> None:
            nonlocal seen, ended
            seen += 1
            if seen == place:
                ended += 1
                pid = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
                with other.connect() as executioner:
                    executioner.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

        before_ended = ended
        sa.event.listen(ready.engine, "before_cursor_execute", end)
        sa.event.listen(ready.engine, "commit", end)
        try:
            crashing.hand_in(ready.sessions, item_id)
        except sa.exc.OperationalError as error:
            assert error.connection_invalidated
            assert look(ready) == before
        else:
            assert ended == before_ended  # the command had fewer statements than this
            break
        finally:
            sa.event.remove(ready.engine, "before_cursor_execute", end)
            sa.event.remove(ready.engine, "commit", end)
    assert 8 < ended < 20
    everything_is_there_once(ready.sessions, {item_id})
    other.dispose()
    every_case_ends_alike(ready)


def look(world: World) -> dict[str, list[str]]:
    """Return everything that is committed."""
    with transaction(world.sessions, read_only=True) as session:
        return fingerprint(session)


@pytest.fixture
def narrow(ready: World) -> Iterator[Callable[[int | None], None]]:
    """Lets the database grow by so many pages and no more, on every connection; None takes the bound away."""
    bound: list[int] = []

    def keep_small(connection: sqlite3.Connection, *_: object) -> None:
        if bound:
            connection.execute(f"PRAGMA max_page_count = {bound[0]}")

    def set_bound(pages: int | None) -> None:
        bound.clear()
        with transaction(ready.sessions, read_only=True) as session:
            count = session.scalar(sa.text("PRAGMA page_count"))
        bound.append(4_000_000_000 if pages is None else int(count or 0) + pages)

    sa.event.listen(ready.engine, "checkout", keep_small)
    yield set_bound
    sa.event.remove(ready.engine, "checkout", keep_small)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # its file is narrowed
def test_a_full_disk_refuses_the_command_whole_and_it_goes_on_when_there_is_room(ready: World, narrow: Callable[[int | None], None]) -> None:
    crashing.begin(ready.sessions, f"{crashing.NUMBERED}0000")
    refused: set[UUID] = set()
    narrow(4)
    for _ in range(crashing.TASKS):
        item_id = crashing.upcoming(ready.sessions)
        assert item_id is not None
        before = look(ready)
        try:
            crashing.hand_in(ready.sessions, item_id)
        except sa.exc.OperationalError as error:
            assert "full" in str(error.orig)
            assert look(ready) == before
            refused.add(item_id)
            narrow(4)
            if len(refused) > 3:
                break
    assert len(refused) >= 2
    narrow(None)
    everything_is_there_once(ready.sessions, set())
    every_case_ends_alike(ready)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_full_disk_has_its_page_and_what_was_saved_before_is_kept(ready: World, narrow: Callable[[int | None], None]) -> None:
    """Over HTTP: the page says that nothing was done; the draft of before stands; with room again the same form goes in."""
    from tests.web.conftest import Browser as TestBrowser

    crashing.begin(ready.sessions, f"{crashing.NUMBERED}0000")
    app = create_app(Settings(realm="demo", database_url=address(ready), secret_key="a key for tests of forty characters long"), ready.sessions)
    browser = TestBrowser(app).sign_in("tangyining")
    for _ in range(crashing.TASKS):  # until one needs a page that is not there
        item_id = crashing.upcoming(ready.sessions)
        assert item_id is not None
        narrow(None)
        assert browser.post(f"/work-items/{item_id}", [("note", "写了一半"), ("_action", "draft")]).status_code == 302
        before = look(ready)
        narrow(0)
        sent = [("note", "写完了"), ("_key", crashing.key_of(item_id)), ("_action", "hand_in")]
        answer = browser.post(f"/work-items/{item_id}", sent)
        if answer.status_code != 302:
            break
    assert answer.status_code == 503
    assert "个案没有改变" in answer.text
    assert look(ready) == before
    narrow(None)
    assert browser.post(f"/work-items/{item_id}", sent).status_code == 302
    with transaction(ready.sessions, read_only=True) as session:
        assert session.scalars(sa.select(Record).where(Record.work_item_id == item_id)).one().answers == {"note": "写完了"}
        assert not session.scalars(sa.select(Draft)).all()


def test_the_key_of_a_hand_in_that_was_cut_off_finds_it_done(ready: World) -> None:
    """The commit came through and its answer did not: asking again changes nothing and says that it is done."""
    crashing.begin(ready.sessions, f"{crashing.NUMBERED}0000")
    item_id = crashing.upcoming(ready.sessions)
    assert item_id is not None
    assert crashing.hand_in(ready.sessions, item_id).is_new
    before = look(ready)
    again = crashing.hand_in(ready.sessions, item_id)
    assert not again.is_new
    assert again.record is not None
    assert again.record.answers == {"note": "done"}
    assert look(ready) == before
    with transaction(ready.sessions) as session:
        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == "tangyining")).one())
        assert work_items.done_with(session, actor, item_id, crashing.key_of(item_id)) is not None
