"""Records: filled forms of a case, each correction a new version."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of
from models.person import Person


class Audience(enum.Enum):
    """Who may read a record.

    `case`: those who see the case identified. `office`: of those, the MCH office, investigators and redaction officers,
    not the facility or township. `committee`: the committee as well; nothing in it identifies anybody.
    `author`: sealed, the author alone until the chair opens the discussion. `item`: owner and verifier of an item too.
    `administration`: the health administration as well.
    """

    CASE = "case"
    OFFICE = "office"
    COMMITTEE = "committee"
    AUTHOR = "author"
    ITEM = "item"
    ADMINISTRATION = "administration"


class Record(Base):
    """A filled form. The identifying answers are not here but in `subjects`; a correction names what it replaces."""

    __tablename__ = "records"
    __table_args__ = (
        one_of("audience", "audience", Audience),
        sa.CheckConstraint("version > 0", name="version_positive"),
        sa.CheckConstraint("version = 1 OR replaces_id IS NOT NULL", name="later_version_replaces"),
        sa.Index("ix_records_case", "case_id", "form", "is_current"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"))
    course: Mapped[int] = mapped_column(default=1)
    form: Mapped[str] = mapped_column(sa.String(60))
    audience: Mapped[Audience] = mapped_column(ByValue(Audience))
    procedure_version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_versions.id"))
    work_item_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    element: Mapped[str | None] = mapped_column(sa.String(80))
    version: Mapped[int] = mapped_column(default=1)
    replaces_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("records.id"), unique=True)
    is_current: Mapped[bool] = mapped_column(default=True)
    reason: Mapped[str | None]
    answers: Mapped[dict[str, Any]]
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    submitted_by_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"))
    submitted_at: Mapped[datetime]
    revealed_at: Mapped[datetime | None]

    submitted_by: Mapped[Person] = relationship()
