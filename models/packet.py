"""Packets: the redacted copy that reviewers read, and who may open it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id
from models.person import Person


class Packet(Base):
    """A de-identified file. Its number is random and says nothing of the case.

    Source:
        Forms, §9 De-identified packet.
    """

    __tablename__ = "packets"
    __table_args__ = (
        sa.CheckConstraint("checked_by_id IS NULL OR checked_by_id <> redacted_by_id", name="two_people"),
        sa.CheckConstraint("released_at IS NULL OR checked_by_id IS NOT NULL", name="checked_before_release"),
        sa.CheckConstraint("(checked_by_id IS NULL) = (checked_at IS NULL)", name="check_whole"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(sa.String(12), unique=True)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    course: Mapped[int] = mapped_column(default=1)
    title: Mapped[str] = mapped_column(sa.String(120))
    content: Mapped[dict[str, Any]]
    content_hash: Mapped[str] = mapped_column(sa.String(64))
    redacted_by_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"))
    redacted_at: Mapped[datetime]
    checked_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    checked_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class PacketReader(Base):
    """A person to whom a packet was released, until they are recused."""

    __tablename__ = "packet_readers"

    packet_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("packets.id"), primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, index=True)
    released_at: Mapped[datetime]
    declared_at: Mapped[datetime | None]
    is_advisory: Mapped[bool] = mapped_column(default=False)
    recused_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship()
