"""Incidents: what the system could not complete. Nothing changed; an administrator reads the place and tries again."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock, feel, forms, journal, numbers, work_items
from engine.actor import of_person
from engine.errors import EngineError, NotFound, NotNow, StepFailed
from engine.transaction import transaction
from models import Deadline, Draft, Incident, IncidentKind, Person, Source, Subject, WorkItem, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from models.database import Sessions

OWN_ROOMS = ("/engine/", "/models/", "/web/", "/bpmn/")


def keep_hand_in(sessions: Sessions, actor: Actor, item_id: UUID, answers: Mapping[str, Any], key: str, error: Exception) -> str:
    """After a hand-in failed and was rolled back: keep what was typed as a draft, write an incident. Returns its number."""
    with transaction(sessions) as session:
        item = session.get(WorkItem, item_id)
        try:
            with session.begin_nested():
                work_items.save_draft(session, actor, item_id, answers)
        except (EngineError, sa.exc.SQLAlchemyError):
            pass
        incident = write(
            session,
            IncidentKind.HAND_IN,
            error,
            case_id=item.case_id if item else None,
            work_item_id=item_id,
            person_id=actor.person_id,
            element=item.element if item else None,
            key=key,
        )
        return incident.number


def write(
    session: Session,
    kind: IncidentKind,
    error: BaseException,
    *,
    case_id: UUID | None = None,
    work_item_id: UUID | None = None,
    person_id: UUID | None = None,
    element: str | None = None,
    **detail: Any,
) -> Incident:
    """Write an incident: the kind of error and the places in our code, never its values."""
    reason = error.reason if isinstance(error, StepFailed) else ""
    incident = Incident(
        id=new_id(),
        number=numbers.at_random(6),
        kind=kind,
        case_id=case_id,
        work_item_id=work_item_id,
        person_id=person_id,
        element=(error.element if isinstance(error, StepFailed) else None) or element,
        error=_named(error, reason),
        trace=places(error),
        detail=detail,
        occurred_at=clock.now(),
        attempts=1,
    )
    session.add(incident)
    session.flush()
    return incident


def _named(error: BaseException, reason: str) -> str:
    """Return the error without values: a diagram's reason names expressions, not answers."""
    cause = error.__cause__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    kind = type(cause or error).__name__
    if isinstance(cause, feel.FeelError):
        return f"{kind}: {cause.message}"[:200]
    return (f"{kind}: {reason}" if isinstance(error, StepFailed) and cause is None and reason else kind)[:200]


def places(error: BaseException) -> list[str]:
    """Return where an error came from, innermost cause last: files, lines and kinds, never its words."""
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < 40:
        for frame in traceback.extract_tb(current.__traceback__):
            name = frame.filename.replace("\\", "/")
            for room in OWN_ROOMS:
                if room in name and "site-packages" not in name:
                    found.append(f"{room.strip('/')}/{name.rsplit(room, 1)[1]}:{frame.lineno} {frame.name}")
        current = current.__cause__
    return found[-40:]


def find(session: Session, *, is_open: bool = True, page: int = 1, per_page: int = 25) -> tuple[list[Incident], int]:
    """Return a page of incidents, newest first, and how many there are."""
    condition = Incident.resolved_at.is_(None) if is_open else Incident.resolved_at.is_not(None)
    count = session.scalar(sa.select(sa.func.count()).select_from(Incident).where(condition)) or 0
    rows = session.scalars(
        sa.select(Incident).where(condition).order_by(Incident.occurred_at.desc(), Incident.id).limit(per_page).offset((page - 1) * per_page)
    )
    return list(rows), count


def get(session: Session, number: str) -> Incident:
    """Return an incident by its number.

    Raises:
        NotFound: there is none.
    """
    incident = session.scalar(sa.select(Incident).where(Incident.number == number))
    if incident is None:
        raise NotFound
    return incident


def retry(session: Session, actor: Actor, number: str) -> Incident:
    """Try the failed command again: a hand-in with its person's draft and key, a timer or message by making it due now.

    Raises:
        NotNow: it is resolved, or what it needs is gone.
        EngineError: it failed again, for the same or another reason.
    """
    incident = get(session, number)
    if incident.resolved_at is not None:
        raise NotNow
    if incident.kind is IncidentKind.HAND_IN:
        _hand_in_again(session, incident)
    elif incident.kind is IncidentKind.TIMER:
        _due_again(session, incident)
    else:
        raise NotNow
    _resolve(session, actor, incident, "retried")
    return incident


def dismiss(session: Session, actor: Actor, number: str) -> Incident:
    """Close an incident without trying again: somebody dealt with it otherwise."""
    incident = get(session, number)
    if incident.resolved_at is None:
        _resolve(session, actor, incident, "dismissed")
    return incident


def failed_again(sessions: Sessions, number: str, error: Exception) -> None:
    """Count a retry that failed, with its new reason."""
    with transaction(sessions) as session:
        incident = get(session, number)
        incident.attempts += 1
        incident.error = _named(error, error.reason if isinstance(error, StepFailed) else "")
        incident.trace = places(error)


def _resolve(session: Session, actor: Actor, incident: Incident, how: str) -> None:
    incident.resolved_at, incident.resolved_by_id, incident.resolution = clock.now(), actor.person_id, how
    journal.record(session, actor, f"incident:{how}", case_id=incident.case_id, object_id=incident.id, number=incident.number)
    session.flush()


def _hand_in_again(session: Session, incident: Incident) -> None:
    person = session.get(Person, incident.person_id) if incident.person_id else None
    draft = session.execute(
        sa.select(Draft, Subject.details)
        .outerjoin(Subject, sa.and_(Subject.source == Source.DRAFT, Subject.source_id == Draft.id))
        .where(Draft.work_item_id == incident.work_item_id, Draft.person_id == incident.person_id)
    ).first()
    if person is None or draft is None or incident.work_item_id is None:
        raise NotNow
    answers = forms.thaw(forms.put_identity(draft[0].answers, draft[1] or {}))
    work_items.hand_in(session, of_person(session, person), incident.work_item_id, answers, key=incident.detail["key"])


def _due_again(session: Session, incident: Incident) -> None:
    deadline = session.get(Deadline, UUID(incident.detail["deadline"]))
    if deadline is None or deadline.withdrawn_at is not None or deadline.met_at is not None:
        raise NotNow
    deadline.next_at, deadline.attempts = clock.now(), 0
