"""Version changes: a running case moved to another version of its procedure, with what is needed to take it back."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id


class VersionChange(Base):
    """One case moved once. It can be undone while the case's revision is still `revision`, the one the move made.

    `mapping` holds the ids that somebody mapped by hand; `before` the rows that the move changed, as they were.
    """

    __tablename__ = "version_changes"
    __table_args__ = (
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by_id IS NULL)", name="undoing_signed"),
        sa.Index("ix_version_changes_case", "case_id", "made_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"))
    from_version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_versions.id"))
    to_version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_versions.id"))
    revision: Mapped[int]
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    made_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))


class VersionChangeScope(Base):
    """A scope of the workflow as it was before a move, byte for byte."""

    __tablename__ = "version_change_scopes"

    change_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("version_changes.id"), primary_key=True)
    scope: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    is_frozen: Mapped[bool]
    state: Mapped[bytes]
