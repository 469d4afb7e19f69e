"""People: an account each, and their appointments: a role in an organisation, from when to when."""

from __future__ import annotations

import enum
import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of
from models.organisation import Organisation


class Role(enum.Enum):
    """What a person does in an organisation; a lane of a diagram names one.

    Source:
        Review procedures, §2 Roles; the three administrators kept apart: GB/T 22239, 8.1.4.
    """

    VILLAGE_REPORTER = "village_reporter"
    TOWNSHIP_REPORTER = "township_reporter"
    FACILITY_REPORTER = "facility_reporter"
    OBSTETRIC_SAFETY_OFFICE = "obstetric_safety_office"
    UNIT_HEAD = "unit_head"
    QC_OFFICER = "qc_officer"
    MCH_HEAD = "mch_head"
    INVESTIGATOR = "investigator"
    REDACTION_OFFICER = "redaction_officer"
    COMMITTEE_CHAIR = "committee_chair"
    COMMITTEE_DEPUTY = "committee_deputy"
    COMMITTEE_MEMBER = "committee_member"
    SECRETARY = "secretary"
    HEALTH_ADMINISTRATION = "health_administration"
    ACCOUNTABILITY_OFFICER = "accountability_officer"
    RECTIFICATION_OWNER = "rectification_owner"
    VERIFIER = "verifier"
    UPPER_REVIEWER = "upper_reviewer"
    PROCESS_ADMINISTRATOR = "process_administrator"
    SYSTEM_ADMINISTRATOR = "system_administrator"
    SECURITY_ADMINISTRATOR = "security_administrator"
    AUDIT_ADMINISTRATOR = "audit_administrator"


ADMINISTRATORS = (Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR)


class Title(enum.Enum):
    """Professional title, CS-TITLE."""

    RESIDENT = "resident"
    ATTENDING = "attending"
    ASSOCIATE_CHIEF = "associate_chief"
    CHIEF = "chief"


class Realm(enum.Enum):
    """Which kind of installation a database serves; people of one cannot exist in the other."""

    PRODUCTION = "production"
    DEMO = "demo"


class Person(Base):
    """An account: who signs in, how, and how pages are shown to them."""

    __tablename__ = "people"
    __table_args__ = (
        one_of("title", "title", Title),
        sa.CheckConstraint("username = lower(username)", name="username_lower"),
        sa.CheckConstraint("text_size IN (100, 115, 130)", name="text_size"),
        sa.CheckConstraint("failed_sign_ins >= 0", name="failed_sign_ins"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(sa.String(40), unique=True)
    phone: Mapped[str | None] = mapped_column(sa.String(30), unique=True)
    email: Mapped[str | None] = mapped_column(sa.String(120))
    name: Mapped[str] = mapped_column(sa.String(60))
    title: Mapped[Title | None] = mapped_column(ByValue(Title))
    discipline: Mapped[str | None] = mapped_column(sa.String(40))
    realm: Mapped[Realm] = mapped_column(ByValue(Realm), sa.ForeignKey("installation.realm"))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    password_set_at: Mapped[datetime | None]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    previous_passwords: Mapped[list[Any]] = mapped_column(default=list)
    second_factor_seed: Mapped[str | None] = mapped_column(sa.String(40))
    second_factor_at: Mapped[datetime | None]
    second_factor_step: Mapped[int | None] = mapped_column(sa.BigInteger)
    recovery_codes: Mapped[list[Any]] = mapped_column(default=list)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    language: Mapped[str | None] = mapped_column(sa.String(12))
    theme: Mapped[str] = mapped_column(sa.String(8), default="light")
    text_size: Mapped[int] = mapped_column(default=100)
    has_single_keys: Mapped[bool] = mapped_column(default=True)

    appointments: Mapped[list[Appointment]] = relationship(back_populates="person", order_by="Appointment.from_on")


class Appointment(Base):
    """A role that a person holds in an organisation, from a day, until a day or further notice.

    One person never holds two of the three administrators' roles at a time: the database refuses it.
    """

    __tablename__ = "appointments"
    __table_args__ = (
        one_of("role", "role", Role),
        sa.CheckConstraint("until_on IS NULL OR until_on >= from_on", name="days_in_order"),
        sa.UniqueConstraint("person_id", "role", "organisation_id", "from_on"),
        sa.Index(
            "uq_appointments_one_administrator",
            "person_id",
            unique=True,
            sqlite_where=sa.text(f"until_on IS NULL AND role IN {tuple(role.value for role in ADMINISTRATORS)}"),
            postgresql_where=sa.text(f"until_on IS NULL AND role IN {tuple(role.value for role in ADMINISTRATORS)}"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"))
    role: Mapped[Role] = mapped_column(ByValue(Role))
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    from_on: Mapped[date]
    until_on: Mapped[date | None]

    person: Mapped[Person] = relationship(back_populates="appointments")
    organisation: Mapped[Organisation] = relationship()
