"""A new database made ready, and how an installation is doing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine import calendars, installation, people, procedures, worker
from engine.installation import BegunBefore
from engine.transaction import transaction
from models import CaseKind, Incident, Installation, Message, Person, Realm
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from tests.engine.conftest import At
from tests.worlds import World


@pytest.fixture
def empty(kind: str, request: pytest.FixtureRequest, tmp_path: Path, now: object) -> Iterator[Sessions]:
    """A migrated database in which nothing is."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'empty.db'}" if kind == "sqlite" else stack.enter_context(request.getfixturevalue("postgres").database())
        engine = connect(url)
        upgrade(engine)
        yield sessions_of(engine)
        engine.dispose()
    calendars.forget()


@pytest.mark.parametrize("realm", Realm)
def test_an_empty_database_is_made_ready_once(empty: Sessions, realm: Realm) -> None:
    with transaction(empty) as session:
        installation.begin(session, realm)
    with transaction(empty) as session:
        assert session.scalars(sa.select(Installation.realm)).all() == [realm]
        assert procedures.active(session, CaseKind.MATERNAL_DEATH).number == 1
        assert [calendars.current(session).is_working_day(day.day) for day in calendars.of_year(session, 2026)][:3] == [False, False, True]
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 0
        with pytest.raises(BegunBefore):
            installation.begin(session, Realm.DEMO)
    with transaction(empty, read_only=True) as session:
        assert session.scalars(sa.select(Installation.realm)).all() == [realm]


def test_no_demo_account_can_be_made_where_work_is_real(empty: Sessions) -> None:
    with transaction(empty) as session:
        installation.begin(session, Realm.PRODUCTION)
        assert people.add(session, None, username="first", name="甲").realm is Realm.PRODUCTION
    with pytest.raises(sa.exc.IntegrityError), transaction(empty) as session:
        people.add(session, None, username="demo", name="乙", realm=Realm.DEMO)


def test_a_quiet_installation_has_nothing_that_waits(begun: World) -> None:
    found = installation.health(begun.session)
    assert (found.realm, found.open_cases, found.due_for, found.mail_waits_for, found.open_incidents) == ("demo", 0, None, None, 0)
    assert found.people == len(begun.rows(Person))
    assert not found.is_behind


def test_a_worker_that_is_away_is_noticed_after_five_minutes(at: At) -> None:
    world = at("verify_report")
    worker.run(world.sessions)
    assert not installation.health(world.session).is_behind
    world.move(min(clock.next_at for clock in world.clocks() if clock.next_at) + timedelta(minutes=5))
    assert not installation.health(world.session).is_behind
    world.move(timedelta(seconds=1))
    found = installation.health(world.session)
    assert found.is_behind
    assert found.due_for == timedelta(minutes=5, seconds=1)
    worker.run(world.sessions)
    assert not installation.health(world.session).is_behind


def test_mail_that_waits_is_noticed_too(at: At) -> None:
    world = at("verify_report")
    worker.run(world.sessions)
    world.session.execute(sa.update(Message).values(next_at=world.case.changed_at))
    world.move(timedelta(hours=1))
    found = installation.health(world.session)
    assert found.mail_waits_for is not None
    assert found.is_behind


def test_open_cases_and_incidents_are_counted_and_closed_ones_are_not(at: At) -> None:
    world = at("close_case")
    assert installation.health(world.session).open_cases == 1
    world.session.add(Incident(number="AAA-AAA", kind="hand_in", error="KeyError", occurred_at=world.case.changed_at))
    world.session.add(
        Incident(number="AAA-BBB", kind="hand_in", error="KeyError", occurred_at=world.case.changed_at, resolved_at=world.case.changed_at)
    )
    world.session.flush()
    assert installation.health(world.session).open_incidents == 1
    world.play()
    assert installation.health(world.session).open_cases == 0


def test_a_year_whose_holidays_are_not_known_is_named(begun: World) -> None:
    assert installation.health(begun.session).uncovered_year is None
    begun.move(timedelta(days=50))
    calendars.forget()
    assert installation.health(begun.session).uncovered_year == 2027
