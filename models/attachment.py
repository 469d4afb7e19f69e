"""Attachments: files of a case, kept in parts beside it so that they commit together."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id
from models.person import Person


class Attachment(Base):
    """A file under a neutral name; the name it had on somebody's computer is not kept."""

    __tablename__ = "attachments"
    __table_args__ = (
        sa.UniqueConstraint("case_id", "kind", "ordinal"),
        sa.CheckConstraint("size > 0 AND ordinal > 0", name="sizes_positive"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"))
    work_item_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("work_items.id"), index=True)
    field: Mapped[str] = mapped_column(sa.String(60))
    kind: Mapped[str] = mapped_column(sa.String(30))
    ordinal: Mapped[int]
    audience: Mapped[str] = mapped_column(sa.String(20))
    media_type: Mapped[str] = mapped_column(sa.String(100))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    uploaded_by_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"))
    uploaded_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    uploaded_by: Mapped[Person] = relationship()


class AttachmentPart(Base):
    """A piece of a file's bytes."""

    __tablename__ = "attachment_parts"

    attachment_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("attachments.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]
