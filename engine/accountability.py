"""Accountability: a file of its own. What crosses to it from the review is named here, and every crossing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from engine import cases, clock, journal, messages, numbers, organisations, permissions, records
from engine.errors import NotFound
from engine.permissions import Permission
from engine.services import service
from models import AccountabilityFile, Case, Crossing, Organisation, Role, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.projection import Command


def find(session: Session, actor: Actor) -> list[AccountabilityFile]:
    """Return the files an actor sees, newest first."""
    return list(
        session.scalars(
            sa.select(AccountabilityFile)
            .options(joinedload(AccountabilityFile.organisation))
            .where(_visible(actor))
            .order_by(AccountabilityFile.opened_at.desc(), AccountabilityFile.id)
        )
    )


def read(session: Session, actor: Actor, number: str) -> tuple[AccountabilityFile, list[Crossing]]:
    """Return a file and what crossed to it, and journal the reading.

    Raises:
        NotFound: not there, or not visible.
    """
    file = session.scalar(
        sa.select(AccountabilityFile).options(joinedload(AccountabilityFile.organisation)).where(AccountabilityFile.number == number, _visible(actor))
    )
    if file is None:
        raise NotFound
    journal.record(session, actor, "accountability:read", object_id=file.id)
    crossings = session.scalars(sa.select(Crossing).where(Crossing.file_id == file.id).order_by(Crossing.crossed_at, Crossing.id))
    return file, list(crossings)


def crossings_of(session: Session, case_id: UUID) -> list[tuple[AccountabilityFile, Crossing]]:
    """Return what crossed from a case: shown to those who see the case, and to the chair."""
    rows = session.execute(
        sa.select(AccountabilityFile, Crossing)
        .join(Crossing, Crossing.file_id == AccountabilityFile.id)
        .where(AccountabilityFile.case_id == case_id)
        .order_by(Crossing.crossed_at)
    )
    return [(file, crossing) for file, crossing in rows]


def _visible(actor: Actor) -> sa.ColumnElement[bool]:
    prefixes = permissions.reaches(actor, Permission.ACCOUNTABILITY_READ)
    return sa.exists().where(Organisation.id == AccountabilityFile.organisation_id, permissions.within(Organisation.path, prefixes))


def crossing_of(session: Session, case: Case) -> dict[str, Any]:
    """Return what may cross: number, kind, facility, date, conclusion code, system issues and recommendations.

    Never opinions, votes, names, narrative or who reviewed.

    Source:
        Review procedures, §8 Firewall.
    """
    conclusion = records.current(session, case.id, "conclusion")
    said = conclusion.answers if conclusion else {}
    facility = session.get(Organisation, case.facility_id) if case.facility_id else None
    return {
        "case_number": case.number,
        "kind": case.kind.value,
        "facility": facility.name if facility else None,
        "event_on": case.event_at.astimezone(clock.zone()).date().isoformat(),
        "conclusion": case.conclusion,
        "factors": list(said.get("factors", [])),
        "issues": [{"stage": row.get("stage"), "level": row.get("level"), "text": row.get("text")} for row in said.get("issues", [])],
        "recommendations": [{"level": row.get("level"), "action": row.get("action")} for row in said.get("recommendations", [])],
    }


@service
def hand_over(command: Command, arguments: Mapping[str, Any]) -> None:
    """Open an accountability file for a `trigger` and let the named data cross to it, nothing else.

    Source:
        Review procedures, §8 Firewall.
    """
    session, case = command.session, command.case
    trigger = str(arguments["trigger"])
    file = session.scalar(
        sa.select(AccountabilityFile).where(
            AccountabilityFile.case_id == case.id, AccountabilityFile.course == case.course, AccountabilityFile.trigger == trigger
        )
    )
    if file is None:
        administration = case.parties.get("administration") or case.parties["owner"]
        file = AccountabilityFile(
            id=new_id(),
            number=numbers.give(session, cases.office_code(session, case), "YT"),
            case_id=case.id,
            course=case.course,
            trigger=trigger,
            organisation_id=UUID(administration),
            opened_at=clock.now(),
        )
        session.add(file)
        session.flush()
        rungs = [Role.HEALTH_ADMINISTRATION, Role.ACCOUNTABILITY_OFFICER]
        people = [person_id for person_id, _role in organisations.people_with(session, file.organisation_id, rungs, clock.today())]
        messages.write(session, people, "crossed", f"crossed:{file.id}", case_id=case.id, accountability=file.number)
        chairs = [person_id for person_id, _role in organisations.people_with(session, case.owner_id, [Role.COMMITTEE_CHAIR], clock.today())]
        messages.write(session, chairs, "crossing_told", f"crossed:{file.id}", case_id=case.id)
    content = crossing_of(session, case)
    session.add(Crossing(id=new_id(), file_id=file.id, crossed_at=clock.now(), content=content))
    journal.record(session, command.actor, "accountability:cross", case_id=case.id, object_id=file.id, trigger=trigger, fields=sorted(content))
