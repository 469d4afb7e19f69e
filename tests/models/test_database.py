"""Connecting: SQLite as it must be opened, and what two connections see of each other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from models import Counter
from models.database import READ_ONLY, connect, sessions_of
from models.upgrading import upgrade


@pytest.fixture
def file(tmp_path: Path) -> sa.Engine:
    engine = connect(f"sqlite:///{tmp_path / 'pingshen.db'}")
    upgrade(engine)
    yield engine  # type: ignore[misc]
    engine.dispose()


def test_sqlite_is_opened_so_that_a_commit_survives_a_power_cut(file: sa.Engine) -> None:
    with file.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
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
