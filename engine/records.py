"""Records: filled forms submitted, sent back, corrected, and put together with what identifies the subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock, forms, permissions, subjects
from engine.errors import NotFound
from models import Audience, Case, CaseParty, Organisation, Record, Role, Source, Subject, WorkItem, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.forms import Checked, Form


def submit(
    session: Session,
    case: Case,
    form: Form,
    checked: Checked,
    actor: Actor,
    *,
    work_item: WorkItem | None = None,
    replaces: Record | None = None,
    reason: str | None = None,
    record_id: UUID | None = None,
) -> Record:
    """Keep a filled form as a record, its identifying answers apart; a correction is a new version with its reason."""
    plain, identity = forms.take_identity(form, checked.answers)
    record = Record(
        id=record_id or new_id(),
        case_id=case.id,
        course=case.course,
        form=form.key,
        audience=Audience(form.audience),
        procedure_version_id=case.procedure_version_id,
        work_item_id=work_item.id if work_item else None,
        element=work_item.element if work_item else None,
        version=replaces.version + 1 if replaces else 1,
        replaces_id=replaces.id if replaces else None,
        is_current=True,
        reason=reason,
        answers=plain,
        warnings=[{"path": list(finding.path), "rule": finding.rule} for finding in checked.warnings],
        submitted_by_id=actor.person_id,
        submitted_at=clock.now(),
    )
    if replaces is not None:
        replaces.is_current = False
    session.add(record)
    subjects.keep(session, case.id, identity, record_id=record.id)
    return record


def current(session: Session, case_id: UUID, form: str) -> Record | None:
    """Return the latest record of a form."""
    return session.scalar(
        sa.select(Record)
        .where(Record.case_id == case_id, Record.form == form, Record.is_current)
        .order_by(Record.submitted_at.desc(), Record.id.desc())
        .limit(1)
    )


def whole(session: Session, record: Record) -> dict[str, Any]:
    """Return a record's answers with what identifies the subject; for those who may see her."""
    details = subjects.details(session, Source.RECORD, [record.id])
    return forms.put_identity(record.answers, details.get(record.id, {}))


def known(session: Session, case_id: UUID, *, identified: bool, audiences: Iterable[Audience] | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the answers of the latest record of each form, for expressions and prefilling: one query.

    Args:
        identified: Put together with what identifies the subject.
        audiences: Only records for these; sealed opinions are never among them.
    """
    query = (
        sa.select(Record.form, Record.answers, Subject.details)
        .outerjoin(Subject, sa.and_(Subject.source == Source.RECORD, Subject.source_id == Record.id))
        .where(Record.case_id == case_id, Record.is_current, Record.audience != Audience.AUTHOR)
        .order_by(Record.submitted_at, Record.id)
    )
    if audiences is not None:
        query = query.where(Record.audience.in_(tuple(audiences)))
    return {form: forms.put_identity(answers, details or {}) if identified else answers for form, answers, details in session.execute(query)}


_OFFICE = frozenset({Audience.CASE, Audience.OFFICE, Audience.COMMITTEE, Audience.ADMINISTRATION, Audience.ITEM})
# What the committee reads, it reads in its packets; here its roles give nothing.
READABLE: Mapping[Role, frozenset[Audience]] = {
    Role.QC_OFFICER: _OFFICE,
    Role.MCH_HEAD: _OFFICE,
    Role.INVESTIGATOR: frozenset({Audience.CASE, Audience.OFFICE}),
    Role.REDACTION_OFFICER: frozenset({Audience.CASE, Audience.OFFICE}),
    Role.FACILITY_REPORTER: frozenset({Audience.CASE}),
    Role.OBSTETRIC_SAFETY_OFFICE: frozenset({Audience.CASE}),
    Role.UNIT_HEAD: frozenset({Audience.CASE}),
    Role.TOWNSHIP_REPORTER: frozenset({Audience.CASE}),
    Role.HEALTH_ADMINISTRATION: frozenset({Audience.ADMINISTRATION}),
}
IDENTIFIED = frozenset({Audience.CASE, Audience.OFFICE})


def readable(actor: Actor, case_id: Any, audience: Any, *, without: Iterable[Audience] = ()) -> sa.ColumnElement[bool]:
    """Return the condition under which an actor may read what is for an audience, in a case that is visible to them.

    Each role counts where it is held: over a party of the case, or for a work item of it. What the committee reads, it reads
    in its packets (`engine.packets`), where recusal holds; here its roles give nothing.

    Args:
        case_id: The column with the case's key.
        audience: The column with the audience.
        without: Audiences that are left out.
    """
    party = sa.orm.aliased(Organisation)
    conditions: list[sa.ColumnElement[bool]] = []
    for kinds in {kinds for role, kinds in READABLE.items() if role in actor.roles}:
        posts = [post for post in actor.posts if READABLE.get(post.role) == kinds]
        reached = sa.exists().where(
            CaseParty.case_id == case_id, CaseParty.organisation_id == party.id, permissions.within(party.path, {post.reach for post in posts})
        )
        asked = sa.exists().where(WorkItem.case_id == case_id, WorkItem.role.in_({post.role for post in posts}), permissions.mine_or_claimable(actor))
        allowed = [kind.value for kind in kinds - set(without)]
        conditions.append(sa.and_(sa.type_coerce(audience, sa.String).in_(allowed), sa.or_(reached, asked)))
    return sa.or_(*conditions) if conditions else sa.false()


def of_case(session: Session, actor: Actor, case_id: UUID) -> Sequence[Record]:
    """Return the records of a case that an actor may read, newest first."""
    return session.scalars(
        sa.select(Record)
        .options(sa.orm.joinedload(Record.submitted_by))
        .where(
            Record.case_id == case_id,
            sa.or_(readable(actor, Record.case_id, Record.audience), Record.submitted_by_id == actor.person_id),
        )
        .order_by(Record.submitted_at.desc(), Record.id.desc())
    ).all()


def get(session: Session, record_id: UUID) -> Record:
    """Return a record.

    Raises:
        NotFound: there is none with this key.
    """
    found = session.get(Record, record_id)
    if found is None:
        raise NotFound
    return found


def versions(session: Session, record: Record) -> list[Record]:
    """Return a record and what it replaced, newest first."""
    chain = [record]
    while chain[-1].replaces_id is not None:
        chain.append(get(session, chain[-1].replaces_id))
    return chain
