"""Procedures: how a case kind is reviewed, as deployed, unchanging versions of diagrams and forms."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id


class Procedure(Base):
    """A procedure by its key. New cases open under the version activated last."""

    __tablename__ = "procedures"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(sa.String(40), unique=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(80))
    case_kind: Mapped[str] = mapped_column(sa.String(40), index=True)


class ProcedureVersion(Base):
    """One deployed set of files; the same digest is the same version.

    New cases open under the version whose `activated_at` passed last; it may lie ahead.
    """

    __tablename__ = "procedure_versions"
    __table_args__ = (
        sa.UniqueConstraint("procedure_id", "number"),
        sa.UniqueConstraint("procedure_id", "digest"),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    procedure_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedures.id"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(sa.String(64))
    comment: Mapped[str | None] = mapped_column(sa.String(500))
    deployed_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    deployed_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]

    procedure: Mapped[Procedure] = relationship()


class ProcedureFile(Base):
    """A file of a version, byte for byte: a diagram, a form, a decision table, or the manifest."""

    __tablename__ = "procedure_files"
    __table_args__ = (sa.CheckConstraint("path NOT LIKE '/%' AND path NOT LIKE '%..%'", name="path_inside"),)

    version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_versions.id"), primary_key=True)
    path: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    content: Mapped[bytes]


class ProcedureApproval(Base):
    """A second person's verdict on a version, where the profile asks for one; until it is given the version is not activated."""

    __tablename__ = "procedure_approvals"
    __table_args__ = (
        sa.CheckConstraint("verdict_by_id IS NULL OR asked_by_id IS NULL OR verdict_by_id <> asked_by_id", name="four_eyes"),
        sa.CheckConstraint(
            "(verdict_by_id IS NULL) = (verdict_at IS NULL) AND (verdict_by_id IS NULL) = (is_approved IS NULL)", name="verdict_whole"
        ),
    )

    version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_versions.id"), primary_key=True)
    asked_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    asked_at: Mapped[datetime]
    activate_at: Mapped[datetime | None]
    is_approved: Mapped[bool | None]
    verdict_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    verdict_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(sa.String(500))


class ProcedureDraft(Base):
    """The working copy of a procedure: one for each, written by one administrator at a time.

    `revision` counts the saves; a save names the revision it began from. The lock tells who writes: it may be taken over,
    and is nobody's once `locked_until` has passed.
    """

    __tablename__ = "procedure_drafts"
    __table_args__ = (
        sa.CheckConstraint("revision > 0", name="revision_positive"),
        sa.CheckConstraint("(locked_by_id IS NULL) = (locked_until IS NULL)", name="lock_ends"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    procedure_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedures.id"), unique=True)
    base_version_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("procedure_versions.id"))
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    locked_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    locked_until: Mapped[datetime | None]

    procedure: Mapped[Procedure] = relationship()
    base_version: Mapped[ProcedureVersion | None] = relationship()


class ProcedureDraftFile(Base):
    """A file of a draft as it stands now."""

    __tablename__ = "procedure_draft_files"
    __table_args__ = (sa.CheckConstraint("path NOT LIKE '/%' AND path NOT LIKE '%..%'", name="path_inside"),)

    draft_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_drafts.id"), primary_key=True)
    path: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    content: Mapped[bytes]


class ProcedureDraftChange(Base):
    """One save of a draft, so that it can be undone: of each file that changed, what was there before and after."""

    __tablename__ = "procedure_draft_changes"
    __table_args__ = (sa.UniqueConstraint("draft_id", "number", "path"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    draft_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_drafts.id"))
    number: Mapped[int]
    path: Mapped[str] = mapped_column(sa.String(120))
    before: Mapped[bytes | None]
    after: Mapped[bytes | None]
    what: Mapped[str | None] = mapped_column(sa.String(200))
    made_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    is_undone: Mapped[bool] = mapped_column(default=False)
