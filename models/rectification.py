"""Rectification: agreed actions, each with an owner, a date, evidence and a verification by somebody else."""

from __future__ import annotations

import enum
import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of
from models.organisation import Organisation
from models.person import Person


class ItemState(enum.Enum):
    """How far an item has come.

    Source:
        Forms, §17 Rectification plan and item.
    """

    OPEN = "open"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VERIFIED = "verified"
    CANCELLED = "cancelled"


class RectificationItem(Base):
    """One agreed action. It speaks of work, not of the case: its owner sees the item and its reason alone."""

    __tablename__ = "rectification_items"
    __table_args__ = (
        one_of("state", "state", ItemState),
        sa.CheckConstraint("due_on >= start_on", name="days_in_order"),
        sa.CheckConstraint("verified_by_id IS NULL OR verified_by_id <> owner_id", name="verified_by_another"),
        sa.CheckConstraint("(state = 'verified') = (verified_by_id IS NOT NULL)", name="verified_by_someone"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(sa.String(30), unique=True)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    record_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("records.id"))
    source: Mapped[str] = mapped_column(sa.String(20), default="conclusion")
    issue: Mapped[str]
    factor: Mapped[str | None] = mapped_column(sa.String(4))
    level: Mapped[str] = mapped_column(sa.String(20))
    kind: Mapped[str] = mapped_column(sa.String(20))
    action: Mapped[str]
    done_when: Mapped[str]
    resources: Mapped[str | None]
    owner_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"), index=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    start_on: Mapped[date]
    due_on: Mapped[date]
    first_due_on: Mapped[date]
    extensions: Mapped[int] = mapped_column(default=0)
    state: Mapped[ItemState] = mapped_column(ByValue(ItemState), default=ItemState.OPEN)
    verified_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]

    owner: Mapped[Person] = relationship(foreign_keys=[owner_id])
    verified_by: Mapped[Person | None] = relationship(foreign_keys=[verified_by_id])
    organisation: Mapped[Organisation] = relationship()
