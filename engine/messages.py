"""Messages: written with the change they tell of, read in the person's list, and sent by mail after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engine import clock, organisations
from engine.services import service
from models import Case, Message, Role, WorkItem, WorkItemState, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.projection import Command

Deliverer = Callable[[Message], None]
MAX_ATTEMPTS = 8


def write(
    session: Session,
    people: Iterable[UUID],
    kind: str,
    once: str,
    *,
    case_id: UUID | None = None,
    work_item_id: UUID | None = None,
    **detail: Any,
) -> int:
    """Write a message to people; the same event (`once`) is told to each of them once. Returns how many are new.

    Args:
        kind: What it says: the words stand in the message templates.
        detail: Limits, elements, numbers; never what identifies a subject.
    """
    return put(session, rows(people, kind, once, case_id=case_id, work_item_id=work_item_id, **detail))


def rows(
    people: Iterable[UUID], kind: str, once: str, *, case_id: UUID | None = None, work_item_id: UUID | None = None, **detail: Any
) -> list[dict[str, Any]]:
    """Return the rows of a message to people, to be put with others in one statement; see `write`."""
    now = clock.now()
    return [
        {
            "id": new_id(),
            "person_id": person_id,
            "kind": kind,
            "once": once,
            "case_id": case_id,
            "work_item_id": work_item_id,
            "detail": detail,
            "written_at": now,
            "next_at": now,
            "attempts": 0,
        }
        for person_id in dict.fromkeys(people)
    ]


def put(session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
    """Put messages into the outbox, each event told to each person once. Returns how many are new."""
    if not rows:
        return 0
    dialect = session.get_bind().dialect.name
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(Message).values(rows)
    result = session.execute(insert.on_conflict_do_nothing(index_elements=["person_id", "once"]), execution_options={"preserve_rowcount": True})
    return int(result.rowcount)  # type: ignore[attr-defined]


def inbox(session: Session, person_id: UUID, *, limit: int = 50) -> list[Message]:
    """Return a person's messages, unread ones first, newest first."""
    return list(
        session.scalars(
            sa.select(Message)
            .where(Message.person_id == person_id, Message.written_at <= clock.now())
            .order_by(Message.read_at.is_not(None), Message.written_at.desc(), Message.id)
            .limit(limit)
        )
    )


def unread(session: Session, person_id: UUID) -> int:
    """Return how many messages a person has not read, of what is not settled meanwhile."""
    settled = sa.exists().where(WorkItem.id == Message.work_item_id, WorkItem.state.in_((WorkItemState.COMPLETED, WorkItemState.EXITED)))
    return session.scalar(sa.select(sa.func.count()).where(Message.person_id == person_id, Message.read_at.is_(None), ~settled)) or 0


def mark_read(session: Session, person_id: UUID, message_id: UUID | None = None) -> None:
    """Mark one message, or all of a person's, as read."""
    condition = sa.and_(Message.person_id == person_id, Message.read_at.is_(None))
    if message_id is not None:
        condition = sa.and_(condition, Message.id == message_id)
    session.execute(sa.update(Message).where(condition).values(read_at=clock.now()))


def is_waiting(session: Session) -> bool:
    """Tell whether a message waits to be sent now."""
    return bool(session.scalar(sa.select(sa.exists().where(Message.next_at <= clock.now()))))


def claim_next(session: Session) -> Message | None:
    """Take the next message to send and leave it to the others again after a while: sending happens outside."""
    message = session.scalar(
        sa.select(Message)
        .options(sa.orm.joinedload(Message.person))
        .where(Message.next_at <= clock.now())
        .order_by(Message.next_at, Message.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Message)
    )
    if message is not None:
        message.attempts += 1
        message.next_at = clock.now() + timedelta(minutes=2**message.attempts) if message.attempts < MAX_ATTEMPTS else None
        session.flush()
    return message


def settle(session: Session, message_id: UUID) -> None:
    """Note that a message was sent."""
    session.execute(sa.update(Message).where(Message.id == message_id).values(sent_at=clock.now(), next_at=None))


@service
def tell(command: Command, arguments: Mapping[str, Any]) -> None:
    """Tell people that something happened: `whom` is a party and a role (`township.township_reporter`), `what` a key of words."""
    people = ladder(command.session, command.case, [arguments["whom"]])
    write(
        command.session,
        people,
        "told",
        f"told:{command.case.id}:{command.case.course}:{arguments['what']}",
        case_id=command.case.id,
        what=arguments["what"],
    )


def ladder(session: Session, case: Case, rungs: Iterable[str]) -> list[UUID]:
    """Return the people on rungs like `facility.unit_head`: a party of the case and a role there."""
    people: list[UUID] = []
    for rung in rungs:
        capacity, _, role = rung.partition(".")
        party = case.parties.get(capacity)
        if party and role in {member.value for member in Role}:
            people += [found for found, _ in organisations.people_with(session, UUID(party), [Role(role)], clock.today())]
    return people
