"""Accountability: a file of its own, and the record of what crossed to it from the review."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id
from models.organisation import Organisation


class AccountabilityFile(Base):
    """A file that the health administration keeps. It holds what crossed and nothing else of the review.

    Source:
        Review procedures, §8 Firewall.
    """

    __tablename__ = "accountability_files"
    __table_args__ = (sa.UniqueConstraint("case_id", "course", "trigger"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(sa.String(30), unique=True)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    course: Mapped[int] = mapped_column(default=1)
    trigger: Mapped[str] = mapped_column(sa.String(30))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    opened_at: Mapped[datetime]

    organisation: Mapped[Organisation] = relationship()


class Crossing(Base):
    """Data that crossed from the review to an accountability file: which, when, by whom or by which step."""

    __tablename__ = "crossings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    file_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accountability_files.id"), index=True)
    crossed_at: Mapped[datetime]
    element: Mapped[str | None] = mapped_column(sa.String(80))
    person_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    content: Mapped[dict[str, Any]]
