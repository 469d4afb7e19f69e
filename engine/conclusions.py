"""Conclusions: the reading of the health administration: state, verdict, system issues, recommendations; never identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from engine import accountability, choices, deadlines, environment, forms, journal, organisations, permissions, procedures
from engine.errors import NotFound
from engine.permissions import Permission
from models import Audience, Case, CaseState, Deadline, Record

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.forms import Form


@dataclass(frozen=True)
class Reading:
    """What the administration sees of a case."""

    case: Case
    crossing: dict[str, Any]
    clocks: list[Deadline]
    records: list[tuple[Record, Form]]
    context: Callable[[Form], forms.Context]


def find(session: Session, actor: Actor, *, page: int = 1, per_page: int = 25) -> tuple[list[Case], int]:
    """Return a page of the numbered cases within the actor's area, newest first, and how many there are."""
    base = sa.select(Case).where(permissions.visible(actor, Permission.CONCLUSION_READ), Case.number.is_not(None), Case.state != CaseState.MERGED)
    count = session.scalar(base.with_only_columns(sa.func.count())) or 0
    rows = session.scalars(
        base.options(joinedload(Case.facility), joinedload(Case.owner))
        .order_by(Case.event_at.desc(), Case.id)
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return list(rows), count


def read(session: Session, actor: Actor, number: str) -> Reading:
    """Return the administration's reading of a case, and journal it.

    Raises:
        NotFound: not there, or outside the actor's area.
    """
    case = session.scalar(
        sa.select(Case)
        .options(joinedload(Case.facility), joinedload(Case.owner))
        .where(Case.number == number, permissions.visible(actor, Permission.CONCLUSION_READ))
    )
    if case is None:
        raise NotFound
    journal.record(session, actor, "conclusion:read", case_id=case.id)
    rows = session.scalars(
        sa.select(Record)
        .where(Record.case_id == case.id, Record.audience == Audience.ADMINISTRATION, Record.is_current)
        .order_by(Record.submitted_at)
    )

    def context(form: Form) -> forms.Context:
        owner = organisations.get(session, case.owner_id)
        names = {"known": {}, "person": {}, "variables": {}, "now": None, "case": environment.facts(case)}
        return forms.Context(environment.of_case(session, case), names, choices.of_form(session, form, owner))

    return Reading(
        case,
        accountability.crossing_of(session, case),
        deadlines.of_case(session, case.id),
        [(row, procedures.form(session, row.procedure_version_id, row.form)) for row in rows],
        context,
    )
