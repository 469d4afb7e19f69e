"""Deadlines: armed, met, extended, and what happens when an instant of one is due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from engine import calendars, clock, journal, limits, messages, organisations, profiles
from engine.errors import ClockStartInFuture
from engine.limits import Instants, Limit
from models import Case, Deadline, DeadlineKind, Notice, Warned, WorkItem, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LADDER = (Warned.NONE, Warned.AMBER, Warned.RED, Warned.OVERDUE, Warned.ESCALATED)


def arm(
    session: Session, case: Case, limit: Limit, *, clock_start: datetime, task_id: UUID | None = None, met_at: datetime | None = None
) -> Deadline:
    """Start the clock of `limit` for `case`; starting it again returns the same row.

    Args:
        limit: A profile value with its unit: `Limit("case_report", 2, "d")`; units are h, d, wd, dom.
        clock_start: An aware instant: the event, or when the reporter learned of it.
        task_id: The work item it hangs on; without one it is a clock over several steps.
        met_at: For a clock that is met as it starts.

    Returns:
        The deadline, with `amber_at`, `red_at`, `due_at`, `escalate_at` at 50, 80, 100, 150 % of the limit.

    Raises:
        ClockStartInFuture: `clock_start` lies after `clock.now()`.

    Source:
        Review procedures, §3 Clocks.
    """
    if clock_start > clock.now() + timedelta(minutes=1):
        raise ClockStartInFuture
    if task_id is None:
        running = session.scalar(
            sa.select(Deadline).where(
                Deadline.case_id == case.id, Deadline.key == limit.key, Deadline.task_id.is_(None), Deadline.withdrawn_at.is_(None)
            )
        )
        if running is not None:
            return running
    values = profiles.values(session, case.profile_version_id)
    calendar = calendars.current(session, values.values.get("office_closes", "18:00"))
    deadline = row(case.id, limit.key, limits.reckon(limit, clock_start, calendar), task_id=task_id)
    if met_at is not None:
        deadline.met_at, deadline.next_at = met_at, None
    session.add(deadline)
    return deadline


def row(case_id: UUID, key: str, instants: Instants, *, task_id: UUID | None = None) -> Deadline:
    """Make the row of a limit. Levels that have passed by now were never told in time: the next one due is told at once."""
    return Deadline(
        id=new_id(),
        case_id=case_id,
        task_id=task_id,
        kind=DeadlineKind.LIMIT,
        key=key,
        start_at=instants.start_at,
        amber_at=instants.amber_at,
        red_at=instants.red_at,
        due_at=instants.due_at,
        escalate_at=instants.escalate_at,
        warned=Warned.NONE,
        next_at=instants.amber_at,
        attempts=0,
    )


def timer_row(case_id: UUID, element: str, task_id: UUID, due_at: datetime, now: datetime) -> Deadline:
    """Make the row of a timer event of the diagram."""
    return Deadline(
        id=new_id(),
        case_id=case_id,
        task_id=task_id,
        kind=DeadlineKind.TIMER,
        key=element,
        start_at=min(now, due_at),
        due_at=due_at,
        warned=Warned.NONE,
        next_at=due_at,
        attempts=0,
    )


def close(session: Session, met: Iterable[UUID], withdrawn: Iterable[UUID]) -> None:
    """Meet the limits of finished tasks and withdraw those of tasks that will not be done: one statement."""
    met, withdrawn = list(met), list(withdrawn)
    if not met and not withdrawn:
        return
    now = clock.now()
    is_met = sa.and_(Deadline.task_id.in_(met), Deadline.kind == DeadlineKind.LIMIT)
    session.execute(
        sa.update(Deadline)
        .where(Deadline.task_id.in_([*met, *withdrawn]), Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None))
        .values(
            next_at=None,
            met_at=sa.case((is_met, sa.literal(now, Deadline.met_at.type))),
            withdrawn_at=sa.case((is_met, None), else_=sa.literal(now, Deadline.withdrawn_at.type)),
        )
        .execution_options(synchronize_session=False)
    )


def meet(session: Session, case: Case, keys: Sequence[str]) -> None:
    """Meet clocks that run over several steps."""
    if keys:
        session.execute(
            sa.update(Deadline)
            .where(
                Deadline.case_id == case.id,
                Deadline.key.in_(keys),
                Deadline.task_id.is_(None),
                Deadline.met_at.is_(None),
                Deadline.withdrawn_at.is_(None),
            )
            .values(met_at=clock.now(), next_at=None)
            .execution_options(synchronize_session=False)
        )


def end(session: Session, case: Case) -> None:
    """Withdraw every clock of a case that is over."""
    session.execute(
        sa.update(Deadline)
        .where(Deadline.case_id == case.id, Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None))
        .values(withdrawn_at=clock.now(), next_at=None)
        .execution_options(synchronize_session=False)
    )


def met_by_call(session: Session, task_id: UUID, called_at: datetime) -> None:
    """Let a task's clock be met by the call it speaks of, not by its being written down."""
    deadline = session.scalar(sa.select(Deadline).where(Deadline.task_id == task_id, Deadline.kind == DeadlineKind.LIMIT))
    if deadline is not None:
        deadline.met_at, deadline.next_at = max(called_at, deadline.start_at), None


def extend(session: Session, task_id: UUID, due_at: datetime) -> None:
    """Move the end of a task's clock; what was told stays told."""
    deadline = session.scalar(sa.select(Deadline).where(Deadline.task_id == task_id, Deadline.kind == DeadlineKind.LIMIT, Deadline.met_at.is_(None)))
    if deadline is not None:
        instants = limits.until(deadline.start_at, due_at)
        deadline.amber_at, deadline.red_at, deadline.due_at = instants.amber_at, instants.red_at, instants.due_at
        deadline.escalate_at, deadline.next_at = instants.escalate_at, next_instant(deadline)


def move_start(session: Session, case: Case, old_start: datetime, new_start: datetime) -> int:
    """Let the open clocks that began with the case's clock begin earlier: the earliest notice wins. Returns how many moved."""
    values = profiles.values(session, case.profile_version_id)
    calendar = calendars.current(session, values.values.get("office_closes", "18:00"))
    moved = 0
    for deadline in session.scalars(
        sa.select(Deadline).where(
            Deadline.case_id == case.id,
            Deadline.kind == DeadlineKind.LIMIT,
            Deadline.start_at == old_start,
            Deadline.met_at.is_(None),
            Deadline.withdrawn_at.is_(None),
        )
    ):
        # A step whose end the diagram gives itself keeps its clock under its own name: no limit of the profile.
        limit = values.limit(deadline.key) if deadline.key in values.content["limits"] else None
        if limit is not None:
            instants = limits.reckon(limit, new_start, calendar)
            deadline.start_at, deadline.amber_at, deadline.red_at = instants.start_at, instants.amber_at, instants.red_at
            deadline.due_at, deadline.escalate_at, deadline.next_at = instants.due_at, instants.escalate_at, next_instant(deadline)
            moved += 1
    return moved


def level(deadline: Deadline, now: datetime) -> Warned:
    """Return the level a clock has reached; for one that is met, the level at which it was."""
    moment = deadline.met_at or now
    reached = Warned.NONE
    for step, instant in _instants(deadline):
        if moment >= instant and (step is not Warned.OVERDUE or moment > instant):
            reached = step
    return reached


def is_late(deadline: Deadline, now: datetime) -> bool:
    """Tell whether a clock is, or was met, past its limit. The instant itself is in time."""
    return (deadline.met_at or now) > deadline.due_at


def of_case(session: Session, case_id: UUID) -> list[Deadline]:
    """Return the limits of a case, in the order in which they began."""
    return list(
        session.scalars(
            sa.select(Deadline)
            .where(Deadline.case_id == case_id, Deadline.kind == DeadlineKind.LIMIT, Deadline.withdrawn_at.is_(None))
            .order_by(Deadline.start_at, Deadline.due_at, Deadline.id)
        )
    )


def warn(session: Session, case: Case, deadline: Deadline, now: datetime) -> list[Warned]:
    """Tell what a clock has reached and not told: amber and red to whoever does it, then up the ladder. Returns the levels.

    Source:
        Review procedures, §3 Warning levels and escalation ladder.
    """
    told: list[Warned] = []
    for step, instant in _instants(deadline):
        if LADDER.index(step) <= LADDER.index(deadline.warned) or now < instant:
            continue
        deadline.warned = step
        told.append(step)
    if told:
        people = _whom(session, case, deadline, told[-1])
        messages.write(
            session,
            people,
            f"deadline_{told[-1].value}",
            f"deadline:{deadline.id}:{told[-1].value}",
            case_id=case.id,
            work_item_id=deadline.task_id,
            limit=deadline.key,
            due_at=deadline.due_at.isoformat(),
        )
        if told[-1] in (Warned.OVERDUE, Warned.ESCALATED):
            entry = profiles.values(session, case.profile_version_id).describe(deadline.key)
            journal.record(
                session,
                None,
                f"deadline:{told[-1].value}",
                case_id=case.id,
                object_id=deadline.id,
                limit=deadline.key,
                told=entry.get(told[-1].value, []),
                people=len(people),
            )
    deadline.next_at = None if deadline.met_at or deadline.withdrawn_at else next_instant(deadline)
    return told


def _instants(deadline: Deadline) -> list[tuple[Warned, datetime]]:
    steps = (
        (Warned.AMBER, deadline.amber_at),
        (Warned.RED, deadline.red_at),
        (Warned.OVERDUE, deadline.due_at),
        (Warned.ESCALATED, deadline.escalate_at),
    )
    return [(step, instant) for step, instant in steps if instant is not None]


def next_instant(deadline: Deadline) -> datetime | None:
    """Return the next instant that has not been told."""
    for step, instant in _instants(deadline):
        if LADDER.index(step) > LADDER.index(deadline.warned):
            return instant
    return None


def _whom(session: Session, case: Case, deadline: Deadline, step: Warned) -> list[UUID]:
    """Return who is told: the person at work (or all who may claim it), and from 100 % the ladder of the profile."""
    today = clock.today()
    people: list[UUID] = []
    if deadline.task_id is not None:
        item = session.execute(sa.select(WorkItem.person_id, WorkItem.role, WorkItem.organisation_id).where(WorkItem.id == deadline.task_id)).first()
        if item is not None:
            person_id, role, organisation_id = item
            people += [person_id] if person_id else [found for found, _ in organisations.people_with(session, organisation_id, [role], today)]
    if step in (Warned.OVERDUE, Warned.ESCALATED):
        entry = profiles.values(session, case.profile_version_id).describe(deadline.key)
        rungs = [*entry.get("overdue", []), *(entry.get("escalated", []) if step is Warned.ESCALATED else [])]
        people += messages.ladder(session, case, rungs)
    return list(dict.fromkeys(people))


def note_notice(session: Session, case: Case, notice: Notice, limit: Limit) -> Deadline:
    """Keep the clock of a notice: it began with the event or the learning of it, and was met by the call."""
    calendar = calendars.current(session)
    deadline = row(case.id, limit.key, limits.reckon(limit, notice.clock_start_at, calendar))
    deadline.met_at, deadline.next_at, deadline.late_reason = notice.notified_at, None, notice.late_reason
    session.add(deadline)
    if notice.notified_at > deadline.due_at:
        # A late notice is told up the ladder once, when it comes in: before it nobody could know.
        deadline.met_at = None
        warn(session, case, deadline, notice.notified_at)
        deadline.met_at, deadline.next_at = notice.notified_at, None
    return deadline
