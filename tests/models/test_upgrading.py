"""Migrations go up, go down to nothing, and end where the models are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from models import Base
from models.database import connect
from models.upgrading import configuration, downgrade, is_current, upgrade
from tests.worlds import KINDS


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database in which nothing is."""
    if request.param == "sqlite":
        engine = connect(f"sqlite:///{tmp_path / 'empty.db'}")
        yield engine
        engine.dispose()
        return
    with request.getfixturevalue("postgres").database() as url:
        engine = connect(url)
        yield engine
        engine.dispose()


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def revisions() -> list[str]:
    """Return every revision, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()]


def test_the_migrations_end_exactly_where_the_models_are(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        connection.rollback()
    assert tables(empty) == set(Base.metadata.tables) | {"alembic_version"}


def test_named_constraints_of_the_models_stand_in_the_database(empty: sa.Engine) -> None:
    """Alembic does not compare CHECKs: ask for them by name."""
    upgrade(empty)
    inspector = sa.inspect(empty)
    for table in Base.metadata.sorted_tables:
        wanted = {str(rule.name) for rule in table.constraints if isinstance(rule, sa.CheckConstraint)}
        assert {check["name"] for check in inspector.get_check_constraints(table.name)} == wanted
        indexes = {str(index.name) for index in table.indexes}
        assert indexes <= {index["name"] for index in inspector.get_indexes(table.name)}


def test_going_down_leaves_nothing_and_up_again_brings_everything(empty: sa.Engine) -> None:
    upgrade(empty)
    before = tables(empty)
    downgrade(empty)
    assert tables(empty) == {"alembic_version"}
    assert not is_current(empty)
    upgrade(empty)
    assert tables(empty) == before


def test_each_step_can_be_taken_alone_up_and_down(empty: sa.Engine) -> None:
    for revision in reversed(revisions()):
        upgrade(empty, revision)
    assert is_current(empty)
    for revision in [*revisions()[1:], "base"]:
        downgrade(empty, revision)
    assert tables(empty) == {"alembic_version"}


def test_a_database_is_current_once_it_is_at_the_newest_migration(empty: sa.Engine) -> None:
    assert not is_current(empty)
    upgrade(empty)
    assert is_current(empty)


def test_upgrading_twice_keeps_what_is_there(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        connection.execute(sa.text("INSERT INTO counters (key, value) VALUES ('LZ26-MD', 7)"))
    upgrade(empty)
    with empty.connect() as connection:
        assert connection.scalar(sa.text("SELECT value FROM counters")) == 7
        connection.rollback()


def test_two_processes_may_upgrade_at_the_same_moment(empty: sa.Engine) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(empty)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert is_current(empty)


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty: sa.Engine) -> None:
    """A table that is in the way stops the migration half-way: it is one transaction."""
    with empty.begin() as connection:
        connection.execute(sa.text("CREATE TABLE subjects (x INTEGER)"))
    with pytest.raises((sa.exc.OperationalError, sa.exc.ProgrammingError)):
        upgrade(empty)
    assert tables(empty) == {"subjects"}
