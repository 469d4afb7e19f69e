"""Bottlenecks: where cases wait and how long, step by step. Counts and durations only: no name, no answer, no case.

Two statements read what was offered, claimed and handed in; no workflow is loaded. A step's time is told in two: how long it
lay in its queue until somebody claimed it, and how long that person had it. A step that the diagram gives to one person has
no queue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from engine import clock, permissions, procedures
from engine.permissions import Permission
from models import (
    OPEN_STATES,
    Case,
    Deadline,
    DeadlineKind,
    Organisation,
    Procedure,
    ProcedureVersion,
    Profile,
    ProfileVersion,
    Role,
    WorkItem,
    WorkItemState,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor

LEVELS = 4
MEASURES = ("waiting", "total", "total_high", "queue", "work", "late", "again", "passed")
LATE_STEPS = (0.1, 0.25, 0.5)


class seconds(FunctionElement[int]):  # noqa: N801 - reads as an SQL function
    """An instant as whole seconds since 1970, on either database."""

    type = sa.BigInteger()
    inherit_cache = True
    name = "seconds"


@compiles(seconds, "sqlite")
def _in_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(strftime('%s', {compiler.process(element.clauses, **options)}) AS INTEGER)"


@compiles(seconds, "postgresql")
def _in_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(floor(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is measured: handed in (or still waiting) in a period, under a profile, a version, by a role or an institution."""

    since: datetime | None = None
    until: datetime | None = None
    profile: str = ""
    version: int | None = None
    role: Role | None = None
    organisation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one element: numbers of cases, durations in seconds, shares from 0 to 1.

    A median is the middle one; `high` is what nine of ten stay within. None where nothing was handed in.
    """

    element: str
    waiting: int = 0
    passed: int = 0
    total: float | None = None
    total_high: float | None = None
    queue: float | None = None
    queue_high: float | None = None
    work: float | None = None
    work_high: float | None = None
    late: float | None = None
    again: int = 0
    is_part: bool = False

    def value(self, measure: str) -> float | None:
        """Return one of the measures."""
        found: float | None = getattr(self, measure)
        return found


@dataclass
class _Sums:
    waiting: int = 0
    total: list[int] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    timed: int = 0
    late: int = 0
    again: int = 0


def measure(session: Session, actor: Actor, key: str, wanted: Filter) -> dict[str, Measured]:
    """Return what was measured of every step and every called part of a procedure, in the actor's area.

    Raises:
        NotFound: there is no such procedure.
    """
    procedures.get(session, key)
    now = int(clock.now().timestamp())
    since = int(wanted.since.timestamp()) if wanted.since else -(1 << 60)
    until = int(wanted.until.timestamp()) if wanted.until else 1 << 60
    sums: dict[str, _Sums] = {}
    parts: dict[tuple[Any, ...], list[int]] = {}
    before: dict[tuple[Any, ...], int] = {}
    for case_id, course, element, path, person, is_assigned, state, offered, claimed, completed, due in session.execute(_rows(actor, key, wanted)):
        is_open = state in _OPEN
        if not is_open and completed is None:
            continue
        in_period = completed is not None and since <= completed < until
        slot = (case_id, course, element, path, person if is_assigned else None)
        earlier = before.get(slot)
        is_again = earlier is not None and offered >= earlier and since <= offered < until
        if completed is not None:
            before[slot] = completed
        is_late = None if due is None or not (in_period or is_open) else (completed if completed is not None else now) > due
        for name in (element, *path.split(".")) if path else (element,):  # a part tells of all the steps in it
            found = sums.get(name)
            if found is None:
                found = sums[name] = _Sums()
            found.waiting += is_open
            found.again += is_again
            if is_late is not None:
                found.timed += 1
                found.late += is_late
            if in_period:
                total = max(0, completed - offered)
                queue = 0 if is_assigned else min(total, max(0, (claimed if claimed is not None else completed) - offered))
                found.total.append(total)
                found.work.append(total - queue)
                if not is_assigned:
                    found.queue.append(queue)
        if path:
            _into_parts(parts, case_id, course, path, is_open, offered, completed)
    measured = {element: _measured(element, found) for element, found in sums.items()}
    for element, part in _parts(parts, since, until).items():
        measured[element] = replace(measured[element], **part)
    return measured


_OPEN = frozenset(state.value for state in OPEN_STATES)


def _rows(actor: Actor, key: str, wanted: Filter) -> Any:
    """Return the statement: a row per work item, in the order in which they were offered; instants as seconds."""
    conditions = [*scope(actor, key, wanted)]
    if wanted.role is not None:
        conditions.append(WorkItem.role == wanted.role)
    if wanted.organisation_id is not None:
        conditions.append(WorkItem.organisation_id == wanted.organisation_id)
    if wanted.since is not None:  # what ended before tells nothing but that a later one is done again
        conditions.append(sa.or_(WorkItem.completed_at.is_(None), Case.changed_at >= wanted.since))
    return (
        sa.select(
            sa.type_coerce(WorkItem.case_id, sa.String),
            WorkItem.course,
            WorkItem.element,
            WorkItem.path,
            sa.type_coerce(WorkItem.person_id, sa.String),
            WorkItem.is_assigned,
            sa.type_coerce(WorkItem.state, sa.String),
            seconds(WorkItem.offered_at),
            seconds(WorkItem.claimed_at),
            seconds(WorkItem.completed_at),
            seconds(Deadline.due_at),
        )
        .join(Case, Case.id == WorkItem.case_id)
        .join(ProcedureVersion, ProcedureVersion.id == Case.procedure_version_id)
        .join(Procedure, Procedure.id == ProcedureVersion.procedure_id)
        .outerjoin(Deadline, sa.and_(Deadline.task_id == WorkItem.id, Deadline.kind == DeadlineKind.LIMIT, Deadline.withdrawn_at.is_(None)))
        .where(*conditions, WorkItem.state != WorkItemState.EXITED)
        .order_by(WorkItem.offered_at)
    )


def scope(actor: Actor, key: str, wanted: Filter) -> Iterable[sa.ColumnElement[bool]]:
    """Yield the conditions under which cases count: the procedure, the actor's area, the version, the profile."""
    yield Procedure.key == key
    yield in_reach(actor)
    if wanted.version is not None:
        yield ProcedureVersion.number == wanted.version
    if wanted.profile:
        yield Case.profile_version_id.in_(
            sa.select(ProfileVersion.id).join(Profile, Profile.id == ProfileVersion.profile_id).where(Profile.key == wanted.profile)
        )


def in_reach(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on `cases` under which they count for an actor: their institution in charge lies in the actor's area."""
    prefixes = permissions.reaches(actor, Permission.PROCEDURE_MEASURE)
    return Case.owner_id.in_(sa.select(Organisation.id).where(permissions.within(Organisation.path, prefixes)))


def _into_parts(
    parts: dict[tuple[Any, ...], list[int]], case_id: Any, course: int, path: str, is_open: bool, offered: int, completed: int | None
) -> None:
    """Count a work item into every called part that it lies in: a part takes from its first offer to its last hand-in."""
    end = 0
    while end != -1:
        end = path.find(".", end + 1)
        place = (case_id, course, path if end == -1 else path[:end])
        found = parts.get(place)
        if found is None:
            found = parts[place] = [offered, 0, 0]
        if completed is not None and completed > found[1]:
            found[1] = completed
        found[2] += is_open


def _parts(parts: Mapping[tuple[Any, ...], Sequence[int]], since: int, until: int) -> dict[str, dict[str, Any]]:
    """Return of every part how many cases are in it, and how long they were: what it tells otherwise is that of its steps."""
    waiting: dict[str, int] = {}
    spans: dict[str, list[int]] = {}
    for (_case, _course, path), (first, last, is_open) in parts.items():
        element = path.rsplit(".", 1)[-1]
        if is_open:
            waiting[element] = waiting.get(element, 0) + 1
        elif since <= last < until:
            spans.setdefault(element, []).append(max(0, last - first))
    found = {}
    for element in {path.rsplit(".", 1)[-1] for _case, _course, path in parts}:
        times = sorted(spans.get(element, []))
        found[element] = {
            "waiting": waiting.get(element, 0),
            "passed": len(times),
            "total": _rank(times, 0.5),
            "total_high": _rank(times, 0.9),
            "is_part": True,
        }
    return found


def _measured(element: str, found: _Sums) -> Measured:
    total, queue, work = sorted(found.total), sorted(found.queue), sorted(found.work)
    return Measured(
        element,
        found.waiting,
        len(total),
        _rank(total, 0.5),
        _rank(total, 0.9),
        _rank(queue, 0.5),
        _rank(queue, 0.9),
        _rank(work, 0.5),
        _rank(work, 0.9),
        found.late / found.timed if found.timed else None,
        found.again,
    )


def _rank(values: Sequence[int], share: float) -> float | None:
    """Return a percentile by the nearest rank: a value that occurred; half and half, the mean of the two in the middle."""
    if not values:
        return None
    if share == 0.5 and len(values) % 2 == 0:
        return (values[len(values) // 2 - 1] + values[len(values) // 2]) / 2
    return float(values[max(0, math.ceil(share * len(values)) - 1)])


def level(measured: Measured, measure: str, highest: float) -> int | None:
    """Return how strongly an element is coloured: 0 for nothing to tell, 1 to 4 in quarters of the highest; None without a value."""
    value = measured.value(measure)
    if value is None:
        return None
    if measure == "late":
        return 0 if value == 0 else 1 + sum(value >= step for step in LATE_STEPS)
    if value <= 0 or highest <= 0:
        return 0
    return min(LEVELS, max(1, math.ceil(LEVELS * value / highest)))


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen on the page: profiles and institutions that occur, the versions, newest first."""

    profiles: tuple[tuple[str, str, str], ...]
    versions: tuple[int, ...]
    organisations: tuple[tuple[UUID, str, str | None], ...]
    roles: tuple[Role, ...]


def choices(session: Session, actor: Actor, key: str) -> Choices:
    """Return what the measures of a procedure can be narrowed to."""
    cases = (
        sa.select(Case.id)
        .join(ProcedureVersion, ProcedureVersion.id == Case.procedure_version_id)
        .join(Procedure, Procedure.id == ProcedureVersion.procedure_id)
        .where(Procedure.key == key, in_reach(actor))
    )
    profiles = session.execute(
        sa.select(Profile.key, Profile.name, Profile.name_en)
        .where(
            Profile.id.in_(sa.select(ProfileVersion.profile_id).join(Case, Case.profile_version_id == ProfileVersion.id).where(Case.id.in_(cases)))
        )
        .order_by(Profile.key)
    )
    versions = session.scalars(
        sa.select(ProcedureVersion.number).join(Procedure).where(Procedure.key == key).order_by(ProcedureVersion.number.desc())
    )
    pairs = session.execute(sa.select(WorkItem.role, WorkItem.organisation_id).where(WorkItem.case_id.in_(cases)).distinct()).all()
    ids = {organisation_id for _, organisation_id in pairs if organisation_id is not None}
    organisations = session.execute(
        sa.select(Organisation.id, Organisation.name, Organisation.name_en).where(Organisation.id.in_(ids)).order_by(Organisation.path)
    )
    return Choices(
        tuple((profile, name, name_en) for profile, name, name_en in profiles),
        tuple(versions),
        tuple((organisation_id, name, name_en) for organisation_id, name, name_en in organisations),
        tuple(role for role in Role if role in {role for role, _ in pairs}),
    )
