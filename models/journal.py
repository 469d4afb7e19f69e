"""The journal: the memory of who did and read what. Rows are added, never changed, and each is chained to the one before it."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

FIRST_HASH = "0" * 64
"""What the first entry is chained to."""


class JournalEntry(Base):
    """One act or one reading. `detail` names steps, numbers and codes, never a subject.

    `position` counts the entries from 1 in the order of the chain, without a gap. `hash` is the SHA-256, in hexadecimal, of the
    entry before it and of this one's content (`engine.journal.digest`).
    """

    __tablename__ = "journal_entries"
    __table_args__ = (
        sa.UniqueConstraint("case_id", "sequence"),
        sa.UniqueConstraint("position"),
        sa.Index("ix_journal_entries_case", "case_id", "id"),
        sa.Index("ix_journal_entries_actor", "actor_id", "id"),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    action: Mapped[str] = mapped_column(sa.String(60))
    case_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("cases.id"))
    sequence: Mapped[int | None]
    object_id: Mapped[uuid.UUID | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    position: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[str] = mapped_column(sa.String(64))


class JournalHead(Base):
    """The end of the chain: one row, which whoever adds entries holds until the commit."""

    __tablename__ = "journal_heads"
    __table_args__ = (sa.CheckConstraint("row_number = 1", name="one_row"),)

    row_number: Mapped[int] = mapped_column(primary_key=True, default=1, autoincrement=False)
    position: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[str] = mapped_column(sa.String(64))
    before: Mapped[str] = mapped_column(sa.String(64))


class chained(sa.sql.functions.GenericFunction[str]):  # noqa: N801 - a function of the database
    """The hash of an entry: of the hash before it and of the digest of its content, all in hexadecimal."""

    type = sa.String(64)
    inherit_cache = True


@compiles(chained, "postgresql")
def _in_postgresql(element: chained, compiler: Any, **kwargs: Any) -> str:
    return f"encode(sha256(convert_to(concat({compiler.process(element.clauses, **kwargs)}), 'UTF8')), 'hex')"


def chain(before: str, digest: str) -> str:
    """Return the hash of an entry, as the database computes it."""
    return hashlib.sha256((before + digest).encode()).hexdigest()
