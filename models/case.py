"""Cases: one death or near-miss under review, who has a part in it, and which cases belong together."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of
from models.organisation import Organisation
from models.procedure import ProcedureVersion
from models.profile import ProfileVersion


class CaseKind(enum.Enum):
    """What happened, CS-CASEKIND.

    Source:
        Review procedures, §1 Case kinds.
    """

    MATERNAL_DEATH = "maternal_death"
    MATERNAL_DEATH_LATE = "maternal_death_late"
    PREGNANCY_ASSOCIATED = "pregnancy_associated"
    NEONATAL_DEATH = "neonatal_death"
    INFANT_DEATH = "infant_death"
    U5_DEATH = "u5_death"
    PERINATAL_DEATH = "perinatal_death"
    MATERNAL_NEAR_MISS = "maternal_near_miss"
    NEONATAL_NEAR_MISS = "neonatal_near_miss"


class CaseState(enum.Enum):
    """How far a case has come, CS-STATE.

    Source:
        Review procedures, §4 Case states.
    """

    NOTIFIED = "notified"
    OPENED = "opened"
    REPORTED = "reported"
    VERIFIED = "verified"
    INVESTIGATING = "investigating"
    PREPARED = "prepared"
    IN_REVIEW = "in_review"
    CONCLUDED = "concluded"
    SIGNED = "signed"
    RECTIFYING = "rectifying"
    CLOSED = "closed"
    MERGED = "merged"
    OUT_OF_SCOPE = "out_of_scope"
    CONVERTED = "converted"


FINAL_STATES = (CaseState.CLOSED, CaseState.MERGED, CaseState.OUT_OF_SCOPE, CaseState.CONVERTED)


class HoldReason(enum.Enum):
    """Why a case is on hold; its clocks are shown and do not stop."""

    AUTOPSY = "autopsy"
    POLICE = "police"
    DISPUTE = "dispute"
    OTHER = "other"


class Case(Base):
    """One death or near-miss under review. The number is given when the case is opened from its first notice."""

    __tablename__ = "cases"
    __table_args__ = (
        one_of("kind", "kind", CaseKind),
        one_of("state", "state", CaseState),
        one_of("hold_reason", "hold_reason", HoldReason),
        sa.CheckConstraint("(held_at IS NULL) = (hold_reason IS NULL)", name="hold_has_reason"),
        sa.CheckConstraint("revision > 0 AND course > 0", name="counts_positive"),
        sa.CheckConstraint("(state IN ('closed', 'merged', 'out_of_scope', 'converted')) = (ended_at IS NOT NULL)", name="end_dated"),
        sa.CheckConstraint("number IS NOT NULL OR state IN ('notified', 'merged')", name="opened_has_number"),
        sa.Index("ix_cases_state_event_at", "state", "event_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str | None] = mapped_column(sa.String(30), unique=True)
    kind: Mapped[CaseKind] = mapped_column(ByValue(CaseKind))
    state: Mapped[CaseState] = mapped_column(ByValue(CaseState))
    held_at: Mapped[datetime | None]
    hold_reason: Mapped[HoldReason | None] = mapped_column(ByValue(HoldReason))
    is_reopened: Mapped[bool] = mapped_column(default=False)
    procedure_version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedure_versions.id"), index=True)
    profile_version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("profile_versions.id"))
    owner_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    facility_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    township_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    parties: Mapped[dict[str, Any]] = mapped_column(default=dict)
    event_at: Mapped[datetime]
    clock_start_at: Mapped[datetime]
    created_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)
    course: Mapped[int] = mapped_column(default=1)
    conclusion: Mapped[str | None] = mapped_column(sa.String(30))

    # Every change compares the revision, every command raises it once: two commands never both succeed on the same one.
    __mapper_args__ = {"version_id_col": revision, "version_id_generator": False}  # noqa: RUF012

    owner: Mapped[Organisation] = relationship(foreign_keys=[owner_id])
    facility: Mapped[Organisation | None] = relationship(foreign_keys=[facility_id])
    township: Mapped[Organisation | None] = relationship(foreign_keys=[township_id])
    procedure_version: Mapped[ProcedureVersion] = relationship()
    profile_version: Mapped[ProfileVersion] = relationship()


class CaseParty(Base):
    """An organisation with a part in a case: who may see it is decided here."""

    __tablename__ = "case_parties"

    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"), primary_key=True, index=True)
    capacity: Mapped[str] = mapped_column(sa.String(20), primary_key=True)


class LinkKind(enum.Enum):
    """How two cases belong together."""

    MERGED_INTO = "merged_into"
    CONVERTED_TO = "converted_to"
    SAME_DELIVERY = "same_delivery"


class CaseLink(Base):
    """A link from one case to another."""

    __tablename__ = "case_links"
    __table_args__ = (
        one_of("kind", "kind", LinkKind),
        sa.CheckConstraint("case_id <> other_id", name="two_cases"),
        sa.Index(
            "uq_case_links_merged_once",
            "case_id",
            unique=True,
            sqlite_where=sa.text("kind = 'merged_into'"),
            postgresql_where=sa.text("kind = 'merged_into'"),
        ),
    )

    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), primary_key=True, index=True)
    kind: Mapped[LinkKind] = mapped_column(ByValue(LinkKind), primary_key=True)
    linked_at: Mapped[datetime]
    reason: Mapped[str | None]
