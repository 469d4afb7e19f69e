"""The worker: what is due now, one transaction a turn, until nothing is. A lost or doubled wake-up does no harm."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import cases, clock, deadlines, incidents, journal, messages, trials, workflow
from engine.transaction import transaction
from models import Case, Deadline, DeadlineKind, IncidentKind

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from models.database import Sessions

log = logging.getLogger("pingshen.worker")
MAX_ATTEMPTS = 5
MAX_TURNS = 10_000


def run(sessions: Sessions, deliver: messages.Deliverer | None = None, *, stop: threading.Event | None = None) -> int:
    """Do everything that is due now. Returns how many turns it took."""
    turns = 0
    while turns < MAX_TURNS and not (stop and stop.is_set()):
        if not (fire_next(sessions) or send_next(sessions, deliver) or trials.advance(sessions)):  # a trial waits for everything else
            break
        turns += 1
    return turns


def due_cases(session: Session, *, limit: int = 500) -> list[UUID]:
    """Return the cases of which an instant is due, the longest waiting first."""
    first = sa.func.min(Deadline.next_at)
    return list(
        session.scalars(sa.select(Deadline.case_id).where(Deadline.next_at <= clock.now()).group_by(Deadline.case_id).order_by(first).limit(limit))
    )


def fire_next(sessions: Sessions, case_id: UUID | None = None) -> bool:
    """Fire the earliest instant that is due, of one case or of any that nobody holds. Returns whether there was one.

    What fails is tried again later, at growing distances, and becomes an incident in the end: whatever the reason, one case
    never keeps the others waiting. Only a database that does not answer is everybody's trouble, and is raised.
    """
    failed: tuple[UUID, Exception] | None = None
    try:
        with transaction(sessions) as session:
            row = _earliest(session, case_id)
            if row is None:
                return False
            deadline, case = row
            deadline_id = deadline.id  # the row cannot be asked once a statement has failed
            try:
                _fire(session, deadline, case)
            except (sa.exc.OperationalError, sa.exc.InterfaceError):
                raise
            except Exception as error:
                failed = (deadline_id, error)
                raise
    except Exception:
        if failed is None:
            raise
        _put_off(sessions, *failed)
    return True


def _earliest(session: Session, case_id: UUID | None) -> tuple[Deadline, Case] | None:
    row = session.execute(
        sa.select(Deadline, Case)
        .join(Case, Case.id == Deadline.case_id)
        .where(Deadline.next_at <= clock.now(), Deadline.case_id == case_id if case_id else sa.true())
        .order_by(Deadline.next_at, Deadline.kind, Deadline.id)
        .limit(1)
        .with_for_update(of=Case, skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).first()
    return (row[0], row[1]) if row else None


def _fire(session: Session, deadline: Deadline, case: Case) -> None:
    session.refresh(deadline)  # what was read before the lock may be old
    now = clock.now()
    if deadline.next_at is None or deadline.next_at > now:
        return
    if case.ended_at is not None:
        deadline.next_at, deadline.withdrawn_at = None, deadline.withdrawn_at or now
    elif deadline.kind is DeadlineKind.LIMIT:
        deadlines.warn(session, case, deadline, now)
    else:
        cases.act(session, None, case, workflow.fire_timers, "timer:fire", element=deadline.key)
        session.refresh(deadline)
        if deadline.next_at is not None and deadline.next_at <= now:
            deadline.next_at, deadline.withdrawn_at = None, now  # the diagram no longer waits for it
    journal.settle(session)
    session.flush()


def _put_off(sessions: Sessions, deadline_id: UUID, error: Exception) -> None:
    with transaction(sessions) as session:
        deadline = session.get(Deadline, deadline_id)
        if deadline is None or deadline.next_at is None:  # met or withdrawn meanwhile
            return
        deadline.attempts += 1
        if deadline.attempts >= MAX_ATTEMPTS:
            deadline.next_at = None
            incidents.write(session, IncidentKind.TIMER, error, case_id=deadline.case_id, element=deadline.key, deadline=str(deadline.id))
        else:
            deadline.next_at = clock.now() + timedelta(minutes=2**deadline.attempts)
    log.warning("a timer failed: %s", type(error.__cause__ or error).__name__)


def send_next(sessions: Sessions, deliver: messages.Deliverer | None) -> bool:
    """Send the next message, outside any transaction. Returns whether there was one."""
    with transaction(sessions) as session:
        message = messages.claim_next(session)
        if message is None:
            return False
        if deliver is None:
            messages.settle(session, message.id)
            return True
        session.expunge(message)
    try:
        deliver(message)
    except Exception as error:
        log.warning("a message was not sent: %s, attempt %d", type(error).__name__, message.attempts)
        return True
    with transaction(sessions) as session:
        messages.settle(session, message.id)
    return True


def loop(
    sessions: Sessions,
    deliver: messages.Deliverer | None,
    stop: threading.Event,
    *,
    every_s: float = 5.0,
    before: Callable[[Session], None] | None = None,
) -> None:
    """Run until told to stop: the worker of a single machine, inside its server."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            if before is not None:
                with transaction(sessions, read_only=True) as session:
                    before(session)
            run(sessions, deliver, stop=stop)
        except sa.exc.SQLAlchemyError as error:
            log.warning("the database did not answer: %s", type(error).__name__)
        except Exception:
            log.exception("the worker stumbled and goes on")
        stop.wait(max(0.2, every_s - (time.monotonic() - began)))
