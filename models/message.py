"""Messages: the outbox. Written with the change they tell of, delivered after the commit."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id
from models.person import Person


class Message(Base):
    """A word to one person, without anything that identifies a subject; the same event is told once."""

    __tablename__ = "messages"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "once"),
        sa.CheckConstraint("attempts >= 0", name="attempts"),
        sa.Index("ix_messages_next_at", "next_at"),
        sa.Index("ix_messages_person", "person_id", "read_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"))
    kind: Mapped[str] = mapped_column(sa.String(40))
    once: Mapped[str] = mapped_column(sa.String(120))
    case_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("cases.id"))
    work_item_id: Mapped[uuid.UUID | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    written_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)

    person: Mapped[Person] = relationship()
