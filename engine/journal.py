"""The journal: what cannot be written here does not happen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock
from models import Case, JournalEntry, Person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor


READINGS = ("case:read", "case:read-journal", "work-item:read", "packet:read", "attachment:read", "rectification:read", "conclusion:read")


def record(
    session: Session,
    actor: Actor | None,
    action: str,
    *,
    case_id: UUID | None = None,
    object_id: UUID | None = None,
    sequence: int | None = None,
    **detail: Any,
) -> JournalEntry:
    """Add an entry to the running transaction: if it cannot be written, the change it tells of is rolled back.

    Args:
        actor: Who acts; None for the clock.
        action: What, as `noun:verb`.
        sequence: The revision of the case that the act made; None for readings.
        detail: Steps, numbers and codes; never what identifies a subject.
    """
    entry = JournalEntry(
        at=clock.now(),
        actor_id=actor.person_id if actor else None,
        action=action,
        case_id=case_id,
        object_id=object_id,
        sequence=sequence,
        detail=detail,
    )
    session.add(entry)
    return entry


def find(
    session: Session,
    *,
    case_id: UUID | None = None,
    actor_id: UUID | None = None,
    action: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    page: int = 1,
    per_page: int = 50,
) -> tuple[list[tuple[JournalEntry, str | None, str | None]], int]:
    """Return a page of entries, newest first, with the actor's name and the case's number, and how many there are."""
    conditions: list[sa.ColumnElement[bool]] = []
    if case_id is not None:
        conditions.append(JournalEntry.case_id == case_id)
    if actor_id is not None:
        conditions.append(JournalEntry.actor_id == actor_id)
    if action:
        conditions.append(JournalEntry.action.startswith(action, autoescape=True))
    if since is not None:
        conditions.append(JournalEntry.at >= since)
    if until is not None:
        conditions.append(JournalEntry.at < until)
    count = session.scalar(sa.select(sa.func.count()).select_from(JournalEntry).where(*conditions)) or 0
    rows = session.execute(
        sa.select(JournalEntry, Person.name, Case.number)
        .outerjoin(Person, Person.id == JournalEntry.actor_id)
        .outerjoin(Case, Case.id == JournalEntry.case_id)
        .where(*conditions)
        .order_by(JournalEntry.id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return [(entry, name, number) for entry, name, number in rows], count


def walked(session: Session, case_id: UUID, course: int) -> set[str]:
    """Return the elements of its diagrams that a case has passed in its present course; no workflow is loaded."""
    found: set[str] = set()
    begun = session.scalars(
        sa.select(JournalEntry.id).where(JournalEntry.case_id == case_id, JournalEntry.action == "case:begin").order_by(JournalEntry.id)
    ).all()
    first = begun[course - 1] if len(begun) >= course else 0
    for detail in session.scalars(
        sa.select(JournalEntry.detail).where(JournalEntry.case_id == case_id, JournalEntry.sequence.is_not(None), JournalEntry.id >= first)
    ):
        found.update(detail.get("walked", ()))
    return found
