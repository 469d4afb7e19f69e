"""Organisations: areas from village to province and the institutions in them, as one tree."""

from __future__ import annotations

import enum
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of


class OrganisationKind(enum.Enum):
    """What a node of the tree is: an area, or an institution that lies in one."""

    AREA = "area"
    HEALTH_ADMINISTRATION = "health_administration"
    MCH_INSTITUTION = "mch_institution"
    HOSPITAL = "hospital"
    TOWNSHIP_HEALTH_CENTRE = "township_health_centre"
    VILLAGE_CLINIC = "village_clinic"
    OTHER = "other"


class Level(enum.Enum):
    """Administrative level, CS-LEVEL."""

    VILLAGE = "village"
    TOWNSHIP = "township"
    COUNTY = "county"
    CITY = "city"
    PROVINCE = "province"
    NATIONAL = "national"


class Organisation(Base):
    """A node of the tree. `path` lists the codes from the root, so that a subtree is one prefix."""

    __tablename__ = "organisations"
    __table_args__ = (
        one_of("kind", "kind", OrganisationKind),
        one_of("level", "level", Level),
        sa.CheckConstraint("path LIKE '/%/'", name="path_shape"),
        sa.CheckConstraint("parent_id IS NULL OR parent_id <> id", name="not_its_own_parent"),
        sa.Index("ix_organisations_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(sa.String(20), unique=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    short_name: Mapped[str | None] = mapped_column(sa.String(40))
    name_en: Mapped[str | None] = mapped_column(sa.String(120))
    kind: Mapped[OrganisationKind] = mapped_column(ByValue(OrganisationKind))
    level: Mapped[Level] = mapped_column(ByValue(Level))
    grade: Mapped[str | None] = mapped_column(sa.String(20))
    phone: Mapped[str | None] = mapped_column(sa.String(30))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    path: Mapped[str] = mapped_column(sa.String(200), unique=True)
    profile_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("profiles.id"))
    is_active: Mapped[bool] = mapped_column(default=True)

    parent: Mapped[Organisation | None] = relationship(remote_side=[id])  # noqa: A003 - the column
