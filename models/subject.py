"""Subjects: the woman or child a paper speaks of. What identifies her lives in this table alone."""

from __future__ import annotations

import enum
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ByValue, new_id, one_of


class Source(enum.Enum):
    """What a row was taken from: the case as it is known now, or one record or draft."""

    CASE = "case"
    RECORD = "record"
    DRAFT = "draft"


class Subject(Base):
    """Who a case, a record or a draft speaks of: the identifying values that were taken out of it.

    `details` keeps every identifying answer of a form under its path, so that the form can be shown whole again to
    those who may see it; `search` holds the name cut into pairs of characters for searching in Chinese.

    Source:
        Forms, §15 Identity matrix, class I.
    """

    __tablename__ = "subjects"
    __table_args__ = (
        one_of("source", "source", Source),
        sa.UniqueConstraint("source", "source_id"),
        sa.CheckConstraint("(source = 'draft') = (draft_id IS NOT NULL)", name="draft_known"),
        sa.Index("ix_subjects_id_number", "id_number"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    source: Mapped[Source] = mapped_column(ByValue(Source))
    source_id: Mapped[uuid.UUID]
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    draft_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("drafts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None] = mapped_column(sa.String(80))
    id_number: Mapped[str | None] = mapped_column(sa.String(30))
    phone: Mapped[str | None] = mapped_column(sa.String(40))
    search: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
