"""Profiles: local limits, cycles, quorum and triggers, in versions with effective dates."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id


class Profile(Base):
    """The local values of an area, by key: `cn_default`, `jieshou` and others."""

    __tablename__ = "profiles"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(sa.String(40), unique=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(80))


class ProfileVersion(Base):
    """The values of a profile from a day on; a case keeps the version it started with."""

    __tablename__ = "profile_versions"
    __table_args__ = (
        sa.UniqueConstraint("profile_id", "number"),
        sa.UniqueConstraint("profile_id", "digest"),
        sa.CheckConstraint("number > 0", name="number_positive"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    profile_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("profiles.id"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(sa.String(64))
    content: Mapped[dict[str, Any]]
    effective_on: Mapped[date]
    created_at: Mapped[datetime]

    profile: Mapped[Profile] = relationship()
