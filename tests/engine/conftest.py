"""Cases at a step, on both databases, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import time_machine
from sqlalchemy.orm import Session

from engine import calendars
from models.database import Sessions, connect, sessions_of
from tests.worlds import BEGUN, KINDS, Course, World, Worlds, rolled_back

At = Callable[..., World]


@pytest.fixture(scope="session")
def worlds(course: Course, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Every database of this process."""
    found = Worlds(course, tmp_path_factory, request.getfixturevalue)
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
    with ExitStack() as stack:

        def go(element: str = BEGUN) -> World:
            checkpoint = worlds.course.at(element)
            now.move_to(checkpoint.moment)
            calendars.forget()
            engine = connect(stack.enter_context(worlds.copy(kind, element)))
            stack.callback(engine.dispose)
            world = World(engine, sessions_of(engine), checkpoint.case_id, now)
            stack.callback(world.session.close)
            return world

        yield go
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
