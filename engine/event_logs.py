"""Event logs: what happened in the cases of a procedure, as XES for process mining. No name, no answer, no institution.

A trace is a case, an event a step that was offered, claimed, handed in or withdrawn: its name, its role, the kind of unit. A
case is called by its number for those who see it identified anyway; for all others by a running number of this very export.

Source:
    IEEE 1849-2016, eXtensible Event Stream (XES).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import sqlalchemy as sa

from engine import bottlenecks, clock, permissions, procedures
from models import (
    Case,
    Deadline,
    DeadlineKind,
    Organisation,
    Procedure,
    ProcedureVersion,
    Profile,
    ProfileVersion,
    WorkItem,
    WorkItemState,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor

CHUNK = 64_000
ROWS_AT_ONCE = 2_000
EXTENSIONS = (("Concept", "concept"), ("Time", "time"), ("Lifecycle", "lifecycle"), ("Organizational", "org"))
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">
"""
GLOBALS = """  <global scope="trace">
    <string key="concept:name" value="__INVALID__"/>
  </global>
  <global scope="event">
    <string key="concept:name" value="__INVALID__"/>
    <string key="lifecycle:transition" value="complete"/>
    <date key="time:timestamp" value="1970-01-01T00:00:00+00:00"/>
  </global>
  <classifier name="Step" keys="concept:name"/>
  <classifier name="Step and transition" keys="concept:name lifecycle:transition"/>
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a step."""

    at: datetime
    transition: str
    place: int


def write(session: Session, actor: Actor, key: str, wanted: bottlenecks.Filter, *, is_english: bool = False) -> Iterator[str]:
    """Yield the event log of a procedure, in pieces of some ten thousand characters.

    Args:
        wanted: Cases that began in the period, under a profile, under a version; role and institution are not looked at.
        is_english: Which of the two names of a step is written.
    """
    procedure = procedures.get(session, key)
    name = procedure.name_en if is_english else procedure.name
    yield from _gathered(
        [
            HEAD,
            *(f"  <extension name={quoteattr(full)} prefix={quoteattr(short)} uri={quoteattr(_uri(short))}/>\n" for full, short in EXTENSIONS),
            GLOBALS,
            _attribute("string", "concept:name", name, 2),
            _attribute("string", "lifecycle:model", "standard", 2),
        ]
    )
    yield from _gathered(_traces(session, actor, key, wanted, is_english))
    yield "</log>\n"


def _uri(prefix: str) -> str:
    return f"http://www.xes-standard.org/{prefix}.xesext"


def _gathered(pieces: Iterable[str]) -> Iterator[str]:
    """Put pieces together until they are worth sending."""
    kept: list[str] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield "".join(kept)
            kept, size = [], 0
    if kept:
        yield "".join(kept)


def _traces(session: Session, actor: Actor, key: str, wanted: bottlenecks.Filter, is_english: bool) -> Iterator[str]:
    rows = session.execute(_rows(actor, key, wanted).execution_options(yield_per=ROWS_AT_ONCE))
    for number, (_case, found) in enumerate(groupby(rows, key=lambda row: row.case_id), 1):
        yield _trace(number, list(found), is_english)


def _rows(actor: Actor, key: str, wanted: bottlenecks.Filter) -> Any:
    conditions = [*bottlenecks.scope(actor, key, wanted)]
    if wanted.since is not None:
        conditions.append(Case.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Case.created_at < wanted.until)
    withdrawn = (
        sa.select(sa.func.max(Deadline.withdrawn_at))
        .where(Deadline.task_id == WorkItem.id, Deadline.kind == DeadlineKind.LIMIT)
        .correlate(WorkItem)
        .scalar_subquery()
    )
    return (
        sa.select(
            Case.id.label("case_id"),
            Case.number,
            permissions.visible(actor).label("is_visible"),
            Case.kind,
            ProcedureVersion.number.label("version"),
            Profile.key.label("profile"),
            WorkItem.element,
            WorkItem.name,
            WorkItem.name_en,
            WorkItem.role,
            WorkItem.state,
            WorkItem.is_assigned,
            WorkItem.offered_at,
            WorkItem.claimed_at,
            WorkItem.completed_at,
            sa.case((WorkItem.state == WorkItemState.EXITED, sa.func.coalesce(withdrawn, Case.ended_at))).label("exited_at"),
            Organisation.kind.label("unit"),
        )
        .join(Case, Case.id == WorkItem.case_id)
        .join(ProcedureVersion, ProcedureVersion.id == Case.procedure_version_id)
        .join(Procedure, Procedure.id == ProcedureVersion.procedure_id)
        .join(ProfileVersion, ProfileVersion.id == Case.profile_version_id)
        .join(Profile, Profile.id == ProfileVersion.profile_id)
        .outerjoin(Organisation, Organisation.id == WorkItem.organisation_id)
        .where(*conditions)
        .order_by(Case.created_at, Case.id, WorkItem.offered_at, WorkItem.id)
    )


def _trace(number: int, rows: list[Any], is_english: bool) -> str:
    first = rows[0]
    name = first.number if first.is_visible and first.number else f"{number}"
    lines = [
        "  <trace>\n",
        _attribute("string", "concept:name", name, 4),
        _attribute("string", "case_kind", first.kind.value, 4),
        _attribute("int", "procedure_version", str(first.version), 4),
        _attribute("string", "profile", first.profile, 4),
    ]
    events = sorted((event for place, row in enumerate(rows) for event in _events(place, row)), key=lambda event: event.at)
    for event in events:
        row = rows[event.place]
        lines += [
            "    <event>\n",
            _attribute("string", "concept:name", row.name_en if is_english else row.name, 6),
            _attribute("string", "concept:instance", str(event.place + 1), 6),
            _attribute("string", "lifecycle:transition", event.transition, 6),
            _attribute("date", "time:timestamp", event.at.astimezone(clock.zone()).isoformat(timespec="milliseconds"), 6),
            _attribute("string", "org:role", row.role.value, 6),
            _attribute("string", "org:group", row.unit.value, 6) if row.unit is not None else "",
            _attribute("string", "step", row.element, 6),
            "    </event>\n",
        ]
    lines.append("  </trace>\n")
    return "".join(lines)


def _events(place: int, row: Any) -> Iterator[Event]:
    """Yield what happened to a step: offered, given to somebody, taken by somebody, handed in, or no longer asked for."""
    yield Event(row.offered_at, "schedule", place)
    if row.is_assigned:
        yield Event(row.offered_at, "assign", place)
    elif row.claimed_at is not None:
        yield Event(row.claimed_at, "assign", place)
        yield Event(row.claimed_at, "start", place)
    if row.completed_at is not None:
        yield Event(row.completed_at, "complete", place)
    elif row.exited_at is not None:
        yield Event(max(row.exited_at, row.offered_at), "withdraw", place)


def _attribute(kind: str, key: str, value: str, indent: int) -> str:
    text = "".join(char for char in value if char >= " " and char not in "\ufffe\uffff")
    return f"{' ' * indent}<{kind} key={quoteattr(key)} value={quoteattr(text)}/>\n"
