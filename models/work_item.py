"""Work items: work offered to a person, and the drafts of what they write."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ByValue, new_id, one_of
from models.case import Case
from models.organisation import Organisation
from models.person import Person, Role


class WorkItemState(enum.Enum):
    """Ready for whoever may claim it, reserved by one person, completed, or exited because the case went another way.

    Source:
        WS-HumanTask 1.1, 4.10.
    """

    READY = "ready"
    RESERVED = "reserved"
    COMPLETED = "completed"
    EXITED = "exited"


OPEN_STATES = (WorkItemState.READY, WorkItemState.RESERVED)


class WorkItem(Base):
    """One step of one case, offered to a role in an organisation or to one person.

    Its key is the key of the task in the workflow; `command_key` is the key of the command that completed it, so that
    the same command sent twice is answered the same way.
    """

    __tablename__ = "work_items"
    __table_args__ = (
        one_of("state", "state", WorkItemState),
        one_of("role", "role", Role),
        sa.CheckConstraint("(state = 'completed') = (completed_at IS NOT NULL)", name="completion_dated"),
        sa.CheckConstraint("state <> 'completed' OR completed_by_id IS NOT NULL", name="completion_signed"),
        sa.CheckConstraint("state <> 'reserved' OR person_id IS NOT NULL", name="reserved_by_someone"),
        sa.CheckConstraint("(state = 'ready') = (person_id IS NULL) OR state IN ('completed', 'exited')", name="ready_is_free"),
        sa.CheckConstraint("excluded_id IS NULL OR person_id IS NULL OR excluded_id <> person_id", name="four_eyes"),
        sa.CheckConstraint("excluded_id IS NULL OR completed_by_id IS NULL OR excluded_id <> completed_by_id", name="four_eyes_done"),
        sa.Index("ix_work_items_queue", "state", "role", "organisation_id"),
        sa.Index("ix_work_items_person", "person_id", "state"),
        sa.Index("ix_work_items_case", "case_id", "state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"))
    course: Mapped[int] = mapped_column(default=1)
    element: Mapped[str] = mapped_column(sa.String(80))
    path: Mapped[str] = mapped_column(sa.String(200), default="")
    phase: Mapped[str | None] = mapped_column(sa.String(8))
    name: Mapped[str] = mapped_column(sa.String(80))
    name_en: Mapped[str] = mapped_column(sa.String(120))
    form: Mapped[str] = mapped_column(sa.String(60))
    audience: Mapped[str] = mapped_column(sa.String(20))
    role: Mapped[Role] = mapped_column(ByValue(Role))
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    is_assigned: Mapped[bool] = mapped_column(default=False)
    person_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    excluded_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    rectification_item_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("rectification_items.id"))
    state: Mapped[WorkItemState] = mapped_column(ByValue(WorkItemState), default=WorkItemState.READY)
    variables: Mapped[dict[str, Any]] = mapped_column(default=dict)
    offered_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    completed_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    command_key: Mapped[str | None] = mapped_column(sa.String(64), unique=True)

    case: Mapped[Case] = relationship()
    organisation: Mapped[Organisation | None] = relationship()
    person: Mapped[Person | None] = relationship(foreign_keys=[person_id])
    completed_by: Mapped[Person | None] = relationship(foreign_keys=[completed_by_id])


class Draft(Base):
    """What a person has written for a work item and not handed in; identifying answers lie in `subjects`."""

    __tablename__ = "drafts"
    __table_args__ = (sa.UniqueConstraint("work_item_id", "person_id"), sa.CheckConstraint("revision > 0", name="revision_positive"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    work_item_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("work_items.id"))
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"), index=True)
    answers: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(default=1)
    saved_at: Mapped[datetime]
