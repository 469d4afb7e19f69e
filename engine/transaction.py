"""One command, one transaction: it commits at the end and rolls back on an exception."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.orm import Session

from models.database import READ_ONLY, Sessions


@contextlib.contextmanager
def transaction(sessions: Sessions, *, read_only: bool = False) -> Iterator[Session]:
    """Run a block in a transaction of its own.

    Args:
        read_only: It only reads; on SQLite it then does not wait for the one writer.
    """
    with sessions() as session:
        if read_only:
            session.connection(execution_options=READ_ONLY)
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
