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
    """One deployed set of files; the same digest is the same version."""

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
