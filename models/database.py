"""Connecting: one way to open SQLite and PostgreSQL so that a commit survives a power cut."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from models.journal import chain

Sessions = sessionmaker[Session]
READ_ONLY = {"pingshen_read_only": True}


def connect(url: str, *, pool_size: int = 5) -> sa.Engine:
    """Open a database.

    SQLite: write-ahead log with full synchronisation, foreign keys on, and every transaction takes the write lock at
    its beginning unless it says that it only reads. PostgreSQL: READ COMMITTED, connections checked before use.
    """
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_size=pool_size, pool_pre_ping=True, isolation_level="READ COMMITTED")
    engine = sa.create_engine(url, connect_args={"timeout": 30, "check_same_thread": False}, pool_size=pool_size, max_overflow=20)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late
    connection.create_function("chained", 2, chain, deterministic=True)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("pingshen_read_only")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def sessions_of(engine: sa.Engine) -> Sessions:
    """Return the factory of sessions for an engine; loaded rows stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)
