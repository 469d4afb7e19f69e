"""The journal: the memory of who did and read what. Rows are added, never changed."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class JournalEntry(Base):
    """One act or one reading. `detail` names steps, numbers and codes, never a subject."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        sa.UniqueConstraint("case_id", "sequence"),
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
