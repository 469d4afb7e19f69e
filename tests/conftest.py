"""Databases, sessions, the clock, the cast and the makers that every test may ask for."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from jinja2 import BytecodeCache, FileSystemBytecodeCache
from sqlalchemy.orm import Session

from engine import calendars, installation, passwords
from engine.actor import Actor, of_person
from engine.transaction import transaction
from models import Person, Realm
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from tests import sharing
from tests.postgres import Postgres
from tests.worlds import Course
from web.demo.places import settle
from web.demo.player import Player, Script, Stage, play

START = datetime(2026, 10, 22, 1, 40, tzinfo=UTC)  # a Thursday, 09:40 in the office
passwords.use_cheap_hashes()


def furnish(sessions: Sessions) -> None:
    """Fill an empty database as a demonstration's is: profiles, calendar, procedures, places, people."""
    with transaction(sessions) as session:
        installation.begin(session, Realm.DEMO)
        settle(session)


def pytest_collection_finish() -> None:
    """What was imported and collected lives as long as the process: the collector passes it over, and comes round less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    """One PostgreSQL server for all tests of a run."""

    def make(folder: Path) -> None:
        (folder / "root").write_text(str(Postgres.started().root))

    return Postgres(Path((sharing.once(tmp_path_factory, "postgres", make) / "root").read_text()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the server when the last test of the last process is done."""
    if hasattr(session.config, "workerinput"):
        return
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    if (found := sharing.folder(factory) / "postgres" / "root").exists():
        Postgres(Path(found.read_text())).stop()


def rest(engine: sa.Engine) -> None:
    """Leave a SQLite database as one file, to be copied."""
    raw = engine.raw_connection()
    raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    raw.close()
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A furnished SQLite database, to be copied."""

    def make(folder: Path) -> None:
        with time_machine.travel(START, tick=False):
            engine = connect(f"sqlite:///{folder / 'template.db'}")
            upgrade(engine)
            furnish(sessions_of(engine))
            rest(engine)

    return sharing.once(tmp_path_factory, "furnished", make) / "template.db"


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> BytecodeCache:
    """The compiled templates: an application is made for nearly every test, and each page is compiled once."""
    return FileSystemBytecodeCache(str(sharing.once(tmp_path_factory, "templates", lambda _folder: None)))


@pytest.fixture(scope="session")
def course(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The databases at each step of one case."""
    return Course(sqlite_template, START, tmp_path_factory)


# How many days before the present each case began, and which steps nobody does.
CASES: dict[str, tuple[float, tuple[str, ...]]] = {
    "closed": (150, ()),
    "rectifying": (75, ("plan_rectification", "review_at_upper_level")),
    "signing": (60, ("sign_conclusion",)),
    "reviewing": (40, ("give_opinion",)),
    "investigating": (20, ("visit_scene",)),
    "verifying": (6, ("verify_report",)),
    "reporting": (1.2, ("fill_card",)),
}


@pytest.fixture(scope="session")
def filled_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which some cases stand at different points, to be copied."""

    def make(folder: Path) -> None:
        with time_machine.travel(START - timedelta(days=160), tick=False) as traveller:
            calendars.forget()
            engine = connect(f"sqlite:///{folder / 'filled.db'}")
            upgrade(engine)
            furnish(sessions_of(engine))
            stage = Stage(sessions_of(engine), traveller.move_to)
            scripts = [Script(event=START - timedelta(days=days), leaves=leaves) for days, leaves in CASES.values()]
            for _ in play(stage, [Player(stage, script) for script in scripts], until=START):
                pass
            rest(engine)

    return sharing.once(tmp_path_factory, "filled", make) / "filled.db"


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A furnished PostgreSQL database, to be cloned."""

    def make(_folder: Path) -> None:
        postgres.say("CREATE DATABASE template_pingshen")
        with time_machine.travel(START, tick=False):
            engine = connect(postgres.url("template_pingshen"))
            upgrade(engine)
            furnish(sessions_of(engine))
            engine.dispose()

    sharing.once(tmp_path_factory, "template_pingshen", make)
    return "template_pingshen"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A furnished database of its own, on each of the two kinds."""
    if request.param == "sqlite":
        path = tmp_path / "pingshen.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    with request.getfixturevalue("postgres").database(request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """The engine of the test's database."""
    found = connect(database_url)
    calendars.forget()
    yield found
    found.dispose()


@pytest.fixture
def sessions(engine: sa.Engine) -> Sessions:
    """The factory of sessions of the test's database."""
    return sessions_of(engine)


@pytest.fixture
def session(sessions: Sessions, now: Any) -> Iterator[Session]:
    """A session in a transaction that is rolled back at the end."""
    with sessions() as found:
        yield found
        found.rollback()


@pytest.fixture
def now() -> Iterator[time_machine.Coordinates]:
    """A clock that stands still on a Thursday at 09:40 until a test moves it."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


class Cast:
    """A person for every role, by username."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def __getitem__(self, username: str) -> Actor:
        with transaction(self.sessions, read_only=True) as session:
            return of_person(session, session.scalars(sa.select(Person).where(Person.username == username)).one())


@pytest.fixture
def cast(sessions: Sessions, now: Any) -> Cast:
    """Everybody of the made-up city."""
    return Cast(sessions)
