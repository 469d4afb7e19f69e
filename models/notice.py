"""Notices: a phone notification, its hop and its receipt; several may meet in one case."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of
from models.case import Case, CaseKind
from models.organisation import Organisation
from models.person import Person


class Hop(enum.Enum):
    """Who called whom: each hop has its own clock."""

    VILLAGE = "village"
    TOWNSHIP = "township"
    FACILITY = "facility"
    OTHER = "other"


class ReceiptMethod(enum.Enum):
    """How a notice reached its receiver."""

    PHONE = "phone"
    IN_PERSON = "in_person"
    NETWORK = "network"


class Notice(Base):
    """A first report. Its clock starts with the event for a facility, with the learning of it for village and township.

    Source:
        Review procedures, §3 Clock start; forms §1.
    """

    __tablename__ = "notices"
    __table_args__ = (
        one_of("hop", "hop", Hop),
        one_of("case_kind", "case_kind", CaseKind),
        one_of("receipt_method", "receipt_method", ReceiptMethod),
        sa.CheckConstraint("event_at <= learned_at", name="event_before_learned"),
        sa.CheckConstraint("learned_at <= notified_at", name="learned_before_notified"),
        sa.CheckConstraint("received_at IS NULL OR notified_at <= received_at", name="notified_before_received"),
        sa.CheckConstraint("(received_at IS NULL) = (receiver_id IS NULL)", name="receipt_whole"),
        sa.CheckConstraint("receiver_id IS NULL OR reporter_id IS NULL OR receiver_id <> reporter_id", name="two_people"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(sa.String(30), unique=True)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    case_kind: Mapped[CaseKind] = mapped_column(ByValue(CaseKind))
    hop: Mapped[Hop] = mapped_column(ByValue(Hop))
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    reporter_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"), index=True)
    recorded_by_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"), index=True)
    record_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("records.id"))
    event_at: Mapped[datetime]
    learned_at: Mapped[datetime]
    notified_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    clock_start_at: Mapped[datetime]
    due_at: Mapped[datetime]
    receiver_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    received_at: Mapped[datetime | None]
    receipt_method: Mapped[ReceiptMethod | None] = mapped_column(ByValue(ReceiptMethod))
    is_read_back: Mapped[bool | None]
    late_reason: Mapped[str | None] = mapped_column(sa.String(40))
    command_key: Mapped[str | None] = mapped_column(sa.String(64), unique=True)

    case: Mapped[Case] = relationship()
    organisation: Mapped[Organisation | None] = relationship()
    reporter: Mapped[Person | None] = relationship(foreign_keys=[reporter_id])
    receiver: Mapped[Person | None] = relationship(foreign_keys=[receiver_id])
    recorded_by: Mapped[Person] = relationship(foreign_keys=[recorded_by_id])
