"""The journal: what cannot be written here does not happen."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from engine import clock
from models import Case, JournalEntry, JournalHead, Person
from models.journal import FIRST_HASH, chain

if TYPE_CHECKING:
    from engine.actor import Actor


READINGS = ("case:read", "case:read-journal", "work-item:read", "packet:read", "attachment:read", "rectification:read", "conclusion:read")


_WAITING = "journal_entries_that_wait"
_AT_ONCE = 8


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

    The entry is chained when the transaction commits, or when the journal is read in it: only then does the transaction hold
    the end of the chain, of which there is one for everybody.

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
        detail=json.loads(json.dumps(detail)),
    )
    session.info.setdefault(_WAITING, []).append((session.get_nested_transaction(), entry))
    return entry


def settle(session: Session) -> None:
    """Chain the entries that wait and add them to the session: one statement for as many as a command writes."""
    entries = [entry for _within, entry in session.info.pop(_WAITING, ())]
    for first in range(0, len(entries), _AT_ONCE):
        _chain(session, entries[first : first + _AT_ONCE])
    session.add_all(entries)


def _chain(session: Session, entries: Sequence[JournalEntry]) -> None:
    digests = [digest(entry) for entry in entries]
    hashed: Any = JournalHead.hash
    for one in digests:
        hashed = sa.func.chained(hashed, one)
    moved = sa.update(JournalHead).values(position=JournalHead.position + len(entries), before=JournalHead.hash, hash=hashed)
    position, before = session.execute(
        moved.returning(JournalHead.position, JournalHead.before), execution_options={"synchronize_session": False}
    ).one()
    for number, (entry, content) in enumerate(zip(entries, digests, strict=True), position - len(entries) + 1):
        before = chain(before, content)
        entry.position, entry.hash = number, before


@sa.event.listens_for(Session, "before_commit")
def _at_the_commit(session: Session) -> None:
    settle(session)


@sa.event.listens_for(Session, "do_orm_execute")
def _before_the_journal_is_read(state: ORMExecuteState) -> None:
    if _WAITING in state.session.info and any(mapper.class_ is JournalEntry for mapper in state.all_mappers):
        settle(state.session)


@sa.event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, ended: SessionTransaction) -> None:
    """What was recorded since a savepoint that is given up did not happen."""
    waiting = session.info.pop(_WAITING, ())
    kept = [(within, entry) for within, entry in waiting if ended.nested and within is not ended]
    if kept:
        session.info[_WAITING] = kept


def digest(entry: JournalEntry) -> str:
    """Return the SHA-256 of an entry's content, in hexadecimal: a JSON list of its columns in their order, the keys of the detail sorted."""
    columns = (
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        str(entry.actor_id) if entry.actor_id else None,
        entry.action,
        str(entry.case_id) if entry.case_id else None,
        entry.sequence,
        str(entry.object_id) if entry.object_id else None,
        entry.detail,
    )
    return hashlib.sha256(json.dumps(columns, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Anchor:
    """The end of the chain at a moment, kept outside the database: what lies before it can no more be written anew unseen."""

    position: int
    hash: str

    def __str__(self) -> str:
        return f"{self.position} {self.hash}"

    @classmethod
    def read(cls, line: str) -> Anchor:
        """Read an anchor from a line that begins with one; what stands behind it is for people.

        Raises:
            ValueError: there is none.
        """
        position, found = line.split()[:2]
        if not re.fullmatch(r"[0-9a-f]{64}", found):
            raise ValueError(line)
        return cls(int(position), found)


@dataclass(frozen=True)
class Verdict:
    """What became of the chain.

    Attributes:
        entries: How many were read.
        head: Where the chain ends.
        broken_at: The position of the first entry that is not what was written, or is missing; None when it is whole.
        why: `content`, `gap`, `tail`, `head`, `anchor`; empty when it is whole.
        entry_id: The entry's key, where there is one.
    """

    entries: int
    head: Anchor
    broken_at: int | None = None
    why: str = ""
    entry_id: int | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was changed, added or taken away."""
        return self.broken_at is None


def head(session: Session) -> Anchor:
    """Return the end of the chain."""
    position, hashed = session.execute(sa.select(JournalHead.position, JournalHead.hash)).one()
    return Anchor(position, hashed)


def verify(session: Session, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Read the journal from its beginning and compare each entry with its hash, the end with the head, and all with the anchors.

    Args:
        anchors: Ends of the chain that were kept elsewhere, in any order.
    """
    kept: dict[int, set[str]] = {}
    for anchor in anchors:
        kept.setdefault(anchor.position, set()).add(anchor.hash)
    position, before = 0, FIRST_HASH
    if kept.get(0, {FIRST_HASH}) != {FIRST_HASH}:
        return Verdict(0, Anchor(0, FIRST_HASH), 0, "anchor")
    query = sa.select(JournalEntry).order_by(JournalEntry.position).execution_options(yield_per=1000, populate_existing=True)
    with closing(session.scalars(query)) as rows:
        for entry in rows:
            if entry.position != position + 1:
                return Verdict(position, Anchor(position, before), position + 1, "gap", entry.id)
            hashed = chain(before, digest(entry))
            if hashed != entry.hash:
                return Verdict(position, Anchor(position, before), entry.position, "content", entry.id)
            position, before = entry.position, hashed
            if kept.pop(position, {hashed}) != {hashed}:
                return Verdict(position, Anchor(position, before), position, "anchor", entry.id)
            session.expunge(entry)
    found, stored = Anchor(position, before), head(session)
    if stored.position > position or any(later > position for later in kept):
        return Verdict(position, found, position + 1, "tail")
    if stored != found:
        return Verdict(position, found, position, "head")
    return Verdict(position, found)


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
