"""Incidents: what the system could not complete, for an administrator to read and to retry."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ByValue, new_id, one_of


class IncidentKind(enum.Enum):
    """Which command failed."""

    HAND_IN = "hand_in"
    TIMER = "timer"
    MESSAGE = "message"
    REQUEST = "request"


class Incident(Base):
    """A command that failed and changed nothing. It names the place in the code, never a value of the case."""

    __tablename__ = "incidents"
    __table_args__ = (one_of("kind", "kind", IncidentKind), sa.Index("ix_incidents_open", "resolved_at", "occurred_at"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(sa.String(12), unique=True)
    kind: Mapped[IncidentKind] = mapped_column(ByValue(IncidentKind))
    case_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("cases.id"))
    work_item_id: Mapped[uuid.UUID | None]
    person_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    element: Mapped[str | None] = mapped_column(sa.String(80))
    error: Mapped[str] = mapped_column(sa.String(200))
    trace: Mapped[list[Any]] = mapped_column(default=list)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    occurred_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=1)
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    resolution: Mapped[str | None] = mapped_column(sa.String(20))
