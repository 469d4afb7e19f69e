"""Keys, instants and enumerations as they go into a database and come back."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.dialects import postgresql, sqlite

from models.base import Base, ByValue, Instant, new_id, one_of


class Colour(enum.Enum):
    RED = "red"
    AMBER = "amber"


@pytest.fixture
def things() -> sa.Table:
    return sa.Table(
        "things",
        sa.MetaData(naming_convention=Base.metadata.naming_convention),
        sa.Column("at", Instant()),
        sa.Column("colour", ByValue(Colour)),
        one_of("colour", "colour", Colour),
    )


@pytest.fixture
def connection(things: sa.Table) -> sa.Connection:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    with engine.connect() as found:
        things.metadata.create_all(found)
        yield found  # type: ignore[misc]
    engine.dispose()


def test_keys_grow_with_time_and_are_never_the_same() -> None:
    with time_machine.travel(datetime(2026, 10, 22, tzinfo=UTC), tick=False) as traveller:
        keys = []
        for _ in range(200):
            keys.append(new_id())
            traveller.shift(timedelta(milliseconds=1))
        assert keys == sorted(keys)
        assert len({new_id() for _ in range(2000)}) == 2000


def test_a_key_says_that_it_is_version_7_and_when_it_was_made() -> None:
    with time_machine.travel(datetime(2026, 10, 22, 1, 40, tzinfo=UTC), tick=False):
        key = new_id()
    assert (key.version, key.variant) == (7, "specified in RFC 4122")
    assert datetime.fromtimestamp((key.int >> 80) / 1000, UTC) == datetime(2026, 10, 22, 1, 40, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), timezone(timedelta(hours=5, minutes=45))])
def test_an_instant_comes_back_as_the_same_instant_in_utc(connection: sa.Connection, things: sa.Table, zone: timezone) -> None:
    moment = datetime(2026, 10, 25, 1, 30, 15, 123456, tzinfo=zone)
    connection.execute(sa.insert(things).values(at=moment))
    found = connection.scalar(sa.select(things.c.at))
    assert found == moment
    assert found.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(connection: sa.Connection, things: sa.Table) -> None:
    with pytest.raises(sa.exc.StatementError, match="time zone"):
        connection.execute(sa.insert(things).values(at=datetime(2026, 10, 22)))


def test_an_instant_is_kept_without_zone_on_sqlite_and_with_it_on_postgresql() -> None:
    assert not Instant().load_dialect_impl(sqlite.dialect()).timezone  # type: ignore[attr-defined]
    assert Instant().load_dialect_impl(postgresql.dialect()).timezone  # type: ignore[attr-defined]


def test_no_instant_and_no_value_stay_none(connection: sa.Connection, things: sa.Table) -> None:
    connection.execute(sa.insert(things).values(at=None, colour=None))
    assert connection.execute(sa.select(things)).one() == (None, None)


def test_an_enumeration_is_kept_by_value_and_comes_back_as_its_member(connection: sa.Connection, things: sa.Table) -> None:
    connection.execute(sa.insert(things), [{"colour": Colour.RED}, {"colour": "amber"}])
    assert list(connection.scalars(sa.select(things.c.colour))) == [Colour.RED, Colour.AMBER]
    assert connection.exec_driver_sql("SELECT colour FROM things ORDER BY rowid").scalars().all() == ["red", "amber"]


def test_a_value_of_no_member_is_refused_before_and_by_the_database(connection: sa.Connection, things: sa.Table) -> None:
    with pytest.raises(sa.exc.StatementError, match="not a valid Colour"):
        connection.execute(sa.insert(things).values(colour="blue"))
    with pytest.raises(sa.exc.IntegrityError, match="ck_things_colour"):
        connection.exec_driver_sql("INSERT INTO things (colour) VALUES ('blue')")


def test_every_constraint_and_index_of_every_table_has_a_name() -> None:
    for table in Base.metadata.sorted_tables:
        for constraint in table.constraints:
            assert constraint.name, f"{table.name}: {constraint}"
        assert all(index.name for index in table.indexes)


def test_every_name_fits_postgresql() -> None:
    """PostgreSQL cuts names at 63 bytes: two long ones could become one."""
    for table in Base.metadata.sorted_tables:
        for name in [*(str(constraint.name) for constraint in table.constraints), *(str(index.name) for index in table.indexes)]:
            assert len(name) <= 63, name
