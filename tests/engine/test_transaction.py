"""One command, one transaction."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine.transaction import transaction
from models import Counter
from models.database import READ_ONLY
from tests.engine.conftest import At
from tests.worlds import World


def keys(world: World) -> list[str]:
    with transaction(world.sessions, read_only=True) as session:
        return list(session.scalars(sa.select(Counter.key).order_by(Counter.key)))


def write(session: Session, key: str) -> None:
    session.add(Counter(key=key, value=1))
    session.flush()


def test_it_commits_at_the_end(copy_at: At) -> None:
    world = copy_at()
    with transaction(world.sessions) as session:
        session.add(Counter(key="kept", value=1))
    assert keys(world) == ["kept"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit])
def test_it_rolls_back_whatever_is_raised_and_raises_it(copy_at: At, error: type[BaseException]) -> None:
    world = copy_at()

    def fail() -> None:
        with transaction(world.sessions) as session:
            write(session, "lost")
            raise error

    with pytest.raises(error):
        fail()
    assert keys(world) == []


def test_a_commit_that_fails_is_raised_and_nothing_stays(copy_at: At) -> None:
    world = copy_at()

    def fail() -> None:
        with transaction(world.sessions) as session:
            write(session, "one")
            session.add(Counter(key="one", value=2))

    with pytest.raises(sa.exc.IntegrityError):
        fail()
    assert keys(world) == []


def test_one_that_only_reads_says_so_to_the_database(copy_at: At) -> None:
    with transaction(copy_at().sessions, read_only=True) as session:
        assert READ_ONLY.items() <= session.connection().get_execution_options().items()
