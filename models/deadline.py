"""Deadlines: clocks with a limit, and the timers of a diagram. Lateness stays a fact."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ByValue, new_id, one_of

OPEN = "met_at IS NULL AND withdrawn_at IS NULL"


class DeadlineKind(enum.Enum):
    """A limit of the profile that people work against, or a timer event of the diagram."""

    LIMIT = "limit"
    TIMER = "timer"


class Warned(enum.Enum):
    """The highest level a deadline has reached and told: 50, 80, 100 and 150 % of the limit."""

    NONE = "none"
    AMBER = "amber"
    RED = "red"
    OVERDUE = "overdue"
    ESCALATED = "escalated"


class Deadline(Base):
    """A clock of a case. `next_at` is the next instant at which something is due; empty when nothing is.

    `task_id` is the work item it hangs on, or the timer's task; a clock over several steps has none. Of one thing there
    is one open clock: two would warn twice.

    Source:
        Review procedures, §3 Clocks.
    """

    __tablename__ = "deadlines"
    __table_args__ = (
        one_of("kind", "kind", DeadlineKind),
        one_of("warned", "warned", Warned),
        sa.CheckConstraint(
            "kind <> 'limit' OR (start_at <= amber_at AND amber_at <= red_at AND red_at <= due_at AND due_at <= escalate_at)",
            name="instants_in_order",
        ),
        sa.CheckConstraint("next_at IS NULL OR (met_at IS NULL AND withdrawn_at IS NULL)", name="over_is_quiet"),
        sa.CheckConstraint("attempts >= 0", name="attempts"),
        sa.Index("ix_deadlines_next_at", "next_at"),
        sa.Index("ix_deadlines_case", "case_id", "key"),
        sa.Index("uq_deadlines_one_of_a_task", "task_id", "kind", unique=True, sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN)),
        sa.Index(
            "uq_deadlines_one_of_a_case",
            "case_id",
            "key",
            unique=True,
            sqlite_where=sa.text(f"task_id IS NULL AND {OPEN}"),
            postgresql_where=sa.text(f"task_id IS NULL AND {OPEN}"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"))
    task_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    kind: Mapped[DeadlineKind] = mapped_column(ByValue(DeadlineKind))
    key: Mapped[str] = mapped_column(sa.String(80))
    start_at: Mapped[datetime]
    amber_at: Mapped[datetime | None]
    red_at: Mapped[datetime | None]
    due_at: Mapped[datetime]
    escalate_at: Mapped[datetime | None]
    warned: Mapped[Warned] = mapped_column(ByValue(Warned), default=Warned.NONE)
    next_at: Mapped[datetime | None]
    met_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    late_reason: Mapped[str | None] = mapped_column(sa.String(40))
    attempts: Mapped[int] = mapped_column(default=0)
