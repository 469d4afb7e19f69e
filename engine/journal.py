"""The journal: what cannot be written here does not happen."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from engine import clock
from models import JournalEntry

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor


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
        at=clock.now(), actor_id=actor.person_id if actor else None, action=action, case_id=case_id, object_id=object_id,
        sequence=sequence, detail=detail,
    )
    session.add(entry)
    return entry
