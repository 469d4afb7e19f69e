"""Connecting: SQLite as it must be opened, and what two connections see of each other."""
from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.transaction import transaction
from models import Counter
from models.database import READ_ONLY, Sessions, connect, sessions_of
from models.upgrading import upgrade


@pytest.fixture
def file(tmp_path: Path) -> sa.Engine:
    engine = connect(f"sqlite:///{tmp_path / 'pingshen.db'}")
    upgrade(engine)
    yield engine  # type: ignore[misc]
    engine.dispose()


def test_sqlite_is_opened_so_that_a_commit_survives_a_power_cut(file: sa.Engine) -> None:
    with file.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


def test_a_writing_transaction_takes_the_lock_at_its_beginning_and_the_next_waits(file: sa.Engine) -> None:
    order: list[str] = []
    begun = threading.Event()

    def second() -> None:
        begun.wait()
        with file.begin() as connection:
            order.append("second begins")
            connection.exec_driver_sql("INSERT INTO counters VALUES ('b', 1)")

    thread = threading.Thread(target=second)
    thread.start()
    with file.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
        begun.set()
        time.sleep(0.15)
        order.append("first ends")
    thread.join()
    assert order == ["first ends", "second begins"]


def test_a_reading_transaction_does_not_wait_for_the_writer_and_sees_what_was_committed(file: sa.Engine) -> None:
    with file.begin() as writing:
        writing.exec_driver_sql("INSERT INTO counters VALUES ('a', 1)")
        with file.connect().execution_options(**READ_ONLY) as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM counters").scalar() == 0
            reading.rollback()
    with file.connect().execution_options(**READ_ONLY) as reading:
        assert reading.exec_driver_sql("SELECT count(*) FROM counters").scalar() == 1


def test_rows_stay_readable_after_the_commit(file: sa.Engine) -> None:
    with sessions_of(file)() as session:
        row = Counter(key="k", value=1)
        session.add(row)
        session.commit()
    assert row.value == 1


def test_a_transaction_commits_at_the_end_and_rolls_back_on_an_exception(file: sa.Engine) -> None:
    sessions: Sessions = sessions_of(file)
    with transaction(sessions) as session:
        session.add(Counter(key="kept", value=1))
    with pytest.raises(KeyError), transaction(sessions) as session:
        session.add(Counter(key="lost", value=1))
        session.flush()
        raise KeyError
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(sa.select(Counter.key)).all() == ["kept"]


def test_a_transaction_that_is_interrupted_rolls_back_too(file: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), transaction(sessions_of(file)) as session:
        session.add(Counter(key="lost", value=1))
        session.flush()
        raise KeyboardInterrupt
    with transaction(sessions_of(file), read_only=True) as session:
        assert session.scalars(sa.select(Counter.key)).all() == []
