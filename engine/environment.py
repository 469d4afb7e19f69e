"""What the expressions of a case see: its facts, the values of its profile, the present, and the host's functions."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from engine import calendars, clock, feel, limits, profiles, resident_numbers
from models import Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy.orm import Session

RESIDENT_NUMBERS = {"resident number valid": resident_numbers.valid, "resident number birth": resident_numbers.birth}


def of_case(session: Session, case: Case, version_id: UUID | None = None) -> feel.Environment:
    """Return the environment of a command on a case; every expression of the command sees the same instant.

    Args:
        version_id: The procedure version whose variables are known, null until they are set; without it, the case's.
    """
    from engine import procedures  # which reads services, which read this

    variables = procedures.deployed(session, version_id or case.procedure_version_id).specification.variables
    values = profiles.values(session, case.profile_version_id)
    calendar = calendars.current(session, values.values.get("office_closes", "18:00"))
    return feel.Environment(
        now=clock.now(),
        zone=clock.zone(),
        calendar=calendar,
        functions=functions(values, calendar, lambda: _members(session, case)),
        names={**dict.fromkeys(variables), "profile": wire(values.values), "case": facts(case)},
    )


def functions(values: profiles.Values, calendar: limits.WorkingCalendar, members: Callable[[], Any]) -> dict[str, Callable[..., Any]]:
    """Return what the host lends to expressions: the limits of a profile, the office's hours, the committee's members."""

    def due(limit: str, clock_start: datetime) -> datetime | None:
        """The instant at which a limit of the profile is up; null where the area does not keep it. A local start is the office's."""
        found = values.limit(limit) if limit in values.content["limits"] else None
        if found is None or not isinstance(clock_start, datetime):
            return None
        return limits.reckon(found, clock_start if clock_start.tzinfo else clock_start.replace(tzinfo=clock.zone()), calendar).due_at

    def end_of_day(day: date) -> datetime | None:
        """The instant at which the office closes on a day."""
        return limits.end_of_day(day, calendar) if isinstance(day, date) else None

    return {"due": due, "end of day": end_of_day, "members": members, **RESIDENT_NUMBERS}


def facts(case: Case) -> dict[str, Any]:
    """Return what of a case an expression may read, in wire form; nothing that identifies the subject."""
    return {
        "kind": case.kind.value,
        "state": case.state.value,
        "event_at": feel.to_wire(case.event_at.astimezone(clock.zone())),
        "clock_start": feel.to_wire(case.clock_start_at.astimezone(clock.zone())),
        "opened_at": feel.to_wire(case.opened_at.astimezone(clock.zone())) if case.opened_at else None,
        "has_facility": case.facility_id is not None,
        "has_township": case.township_id is not None,
        "is_reopened": case.is_reopened,
        "conclusion": case.conclusion,
    }


def wire(value: Any) -> Any:
    """Return a nested plain value in wire form."""
    if isinstance(value, dict):
        return {key: wire(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [wire(inner) for inner in value]
    return feel.to_wire(value)


def _members(session: Session, case: Case) -> list[dict[str, Any]]:
    """The committee's members on this case: `person`, `recused`, `advisory`."""
    from engine import packets  # packets read forms, which read this

    session.flush()
    return packets.members(session, case)
