"""Cases at a step, on both databases, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.orm import Session

from engine import calendars
from models.database import Sessions, connect, sessions_of
from tests.conftest import START
from tests.worlds import BEGUN, KINDS, Course, World, Worlds, rolled_back

At = Callable[..., World]


@pytest.fixture(scope="session")
def worlds(sqlite_template: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Every database of this process."""
    course = Course(sqlite_template, tmp_path_factory.mktemp("course"), START)
    found = Worlds(
        course, tmp_path_factory.mktemp("worlds"), lambda: request.getfixturevalue("postgres"), lambda: request.getfixturevalue("postgres_template")
    )
    yield found
    found.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two databases."""
    return str(request.param)


@pytest.fixture
def at(worlds: Worlds, kind: str, now: time_machine.Coordinates) -> Iterator[At]:
    """Goes to the moment at which a step is what is done next; whatever is done there is rolled back."""
    with ExitStack() as stack:

        def go(element: str = BEGUN) -> World:
            checkpoint = worlds.course.at(element)
            now.move_to(checkpoint.moment)
            return stack.enter_context(rolled_back(worlds.shared(kind, element), checkpoint.case_id, now))

        yield go


@pytest.fixture
def copy_at(worlds: Worlds, kind: str, now: time_machine.Coordinates) -> Iterator[At]:
    """Goes to a step in a database of one's own, where commits are commits."""
    made: list[World] = []

    def go(element: str = BEGUN) -> World:
        checkpoint = worlds.course.at(element)
        now.move_to(checkpoint.moment)
        calendars.forget()
        engine = connect(worlds.copy(kind, element))
        made.append(World(engine, sessions_of(engine), checkpoint.case_id, now))
        return made[-1]

    yield go
    for world in made:
        world.session.close()
        world.engine.dispose()
        worlds.drop(world.engine.url.render_as_string(hide_password=False))
    calendars.forget()


@pytest.fixture
def begun(at: At) -> World:
    """The furnished database, before any notice."""
    return at()


@pytest.fixture
def sessions(begun: World) -> Sessions:
    """The factory of sessions of the furnished database; what they commit is rolled back after the test."""
    return begun.sessions


@pytest.fixture
def session(begun: World) -> Session:
    """A session in the furnished database."""
    return begun.session
