"""Databases, sessions, the clock, the cast and the makers that every test may ask for."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from engine import calendars, installation, passwords
from engine.actor import Actor, of_person
from engine.transaction import transaction
from models import Person, Realm
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from tests.postgres import Postgres
from web.demo.places import settle
from web.demo.player import Player, Script, Stage, play

START = datetime(2026, 10, 22, 1, 40, tzinfo=UTC)  # a Thursday, 09:40 in the office
passwords.use_cheap_hashes()


def furnish(sessions: Sessions) -> None:
    """Fill an empty database as a demonstration's is: profiles, calendar, procedures, places, people."""
    with transaction(sessions) as session:
        installation.begin(session, Realm.DEMO)
        settle(session)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for all tests of a process."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A furnished SQLite database, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    with time_machine.travel(START, tick=False):
        engine = connect(f"sqlite:///{path}")
        upgrade(engine)
        furnish(sessions_of(engine))
        raw = engine.raw_connection()
        raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        raw.close()
        engine.dispose()
    return path


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
    """A database in which five cases stand at different points, to be copied."""
    path = tmp_path_factory.mktemp("filled") / "filled.db"
    with time_machine.travel(START - timedelta(days=160), tick=False) as traveller:
        calendars.forget()
        engine = connect(f"sqlite:///{path}")
        upgrade(engine)
        furnish(sessions_of(engine))
        stage = Stage(sessions_of(engine), traveller.move_to)
        for _ in play(
            stage, [Player(stage, Script(event=START - timedelta(days=days), leaves=leaves)) for days, leaves in CASES.values()], until=START
        ):
            pass
        raw = engine.raw_connection()
        raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        raw.close()
        engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """A furnished PostgreSQL database, to be cloned."""
    _statement(postgres, "CREATE DATABASE template_pingshen")
    with time_machine.travel(START, tick=False):
        engine = connect(postgres.url("template_pingshen"))
        upgrade(engine)
        furnish(sessions_of(engine))
        engine.dispose()
    return "template_pingshen"


_names = itertools.count(1)


def _statement(postgres: Postgres, text: str) -> None:
    engine = sa.create_engine(postgres.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(text)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A furnished database of its own, on each of the two kinds."""
    if request.param == "sqlite":
        path = tmp_path / "pingshen.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    name = f"test_{os.getpid()}_{next(_names)}"
    _statement(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.url(name)
    _statement(postgres, f"DROP DATABASE {name} WITH (FORCE)")


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
