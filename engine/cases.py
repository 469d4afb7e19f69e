"""Cases: opened from a notice, read, found, held, merged, transferred, reopened; the commands that the clock and messages make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from engine import (
    choices,
    clock,
    deadlines,
    environment,
    feel,
    forms,
    journal,
    messages,
    numbers,
    organisations,
    permissions,
    procedures,
    profiles,
    projection,
    records,
    workflow,
)
from engine.errors import CaseEnded, CaseOnHold, FormInvalid, InvalidInput, NotAllowed, NotFound, NotNow, StepFailed
from engine.permissions import Permission
from engine.projection import Command
from engine.services import service
from models import (
    FINAL_STATES,
    OPEN_STATES,
    Case,
    CaseKind,
    CaseLink,
    CaseParty,
    CaseState,
    Deadline,
    DeadlineKind,
    HoldReason,
    LinkKind,
    Notice,
    Organisation,
    OrganisationKind,
    Packet,
    Record,
    Source,
    Subject,
    Subscription,
    WorkflowScope,
    WorkItem,
    WorkItemState,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor


def begin(
    session: Session,
    actor: Actor,
    kind: CaseKind,
    *,
    owner: Organisation,
    facility: Organisation | None,
    township: Organisation | None,
    event_at: datetime,
    clock_start_at: datetime,
) -> Case:
    """Make a case, not yet walking: state notified, the procedure and profile in force today.

    Raises:
        NotFound: no procedure for this kind is active.
    """
    now = clock.now()
    case = Case(
        id=new_id(),
        kind=kind,
        state=CaseState.NOTIFIED,
        owner_id=owner.id,
        facility_id=facility.id if facility else None,
        township_id=township.id if township else None,
        procedure_version_id=procedures.active(session, kind).id,
        profile_version_id=profiles.of_organisation(session, owner).id,
        event_at=event_at,
        clock_start_at=clock_start_at,
        created_at=now,
        changed_at=now,
        course=1,
        revision=1,
        parties=organisations.parties(session, facility=facility, township=township, owner=owner),
    )
    session.add(case)
    _keep_parties(session, case)
    session.flush()
    return case


def walk(session: Session, actor: Actor | None, case: Case, variables: Mapping[str, Any]) -> Command:
    """Begin the workflow of a case's course and go as far as it goes by itself.

    Raises:
        StepFailed: the diagram could not be walked; nothing is kept.
    """
    deployed = procedures.deployed(session, case.procedure_version_id)
    surroundings = environment.of_case(session, case)
    command = Command(session, case, deployed, surroundings, actor)
    outcome = attempt(lambda: workflow.start(deployed.specification, {key: feel.to_wire(value) for key, value in variables.items()}, surroundings))
    sequence = next_sequence(case)
    projection.refresh(command, outcome)
    journal.record(session, actor, "case:begin", case_id=case.id, sequence=sequence, walked=[step for step, _ in outcome.walked])
    session.flush()
    return command


def attempt(step: Any) -> workflow.Outcome:
    """Take a step of the workflow and turn its failure into the engine's own."""
    try:
        outcome: workflow.Outcome = step()
        return outcome
    except workflow.WorkflowFailed as error:
        raise StepFailed(element=error.element, reason=error.reason) from error


def next_sequence(case: Case) -> int:
    """Raise the revision of a case for the running command and return it: its place in the journal."""
    case.revision, case.changed_at = case.revision + 1, clock.now()
    return case.revision


def lock(session: Session, case_id: UUID) -> Case:
    """Return a case for a command, held until the transaction ends: one command at a time per case.

    Raises:
        NotFound: there is none with this key.
    """
    case = session.scalar(sa.select(Case).where(Case.id == case_id).with_for_update(key_share=True).execution_options(populate_existing=True))
    if case is None:
        raise NotFound
    return case


def act(session: Session, actor: Actor | None, case: Case, step: Any, action: str, **detail: Any) -> Command:
    """Run a step of the workflow of a locked case and write what it did, with its entry in the journal."""
    deployed = procedures.deployed(session, case.procedure_version_id)
    surroundings = environment.of_case(session, case)
    command = Command(session, case, deployed, surroundings, actor)
    state = projection.load(session, case)
    outcome = attempt(lambda: step(deployed.specification, state, surroundings))
    sequence = next_sequence(case)
    projection.refresh(command, outcome)
    journal.record(session, actor, action, case_id=case.id, sequence=sequence, walked=[step for step, _ in outcome.walked], **detail)
    session.flush()
    return command


# ── queries ──


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of cases is narrowed to."""

    kind: CaseKind | None = None
    state: CaseState | None = None
    is_open: bool | None = None
    organisation_id: UUID | None = None
    words: str = ""
    order: str = "changed"
    page: int = 1
    per_page: int = 25


@dataclass(frozen=True, slots=True)
class Row:
    """A case in a list: no workflow is loaded for it."""

    case: Case
    name: str | None
    notice_number: str | None
    facility: str | None
    owner: str
    due_at: datetime | None
    start_at: datetime | None
    is_identified: bool
    facility_en: str | None = None
    owner_en: str | None = None


def find(session: Session, actor: Actor, wanted: Filter) -> tuple[list[Row], int]:
    """Return a page of the cases an actor sees identified, and how many there are."""
    due = next_due()
    notice = sa.select(sa.func.min(Notice.number)).where(Notice.case_id == Case.id).correlate(Case).scalar_subquery()
    facility, owner = sa.orm.aliased(Organisation), sa.orm.aliased(Organisation)
    condition = sa.and_(permissions.visible(actor), *_narrow(wanted, facility))
    base = (
        sa.select(Case)
        .outerjoin(Subject, sa.and_(Subject.source == Source.CASE, Subject.source_id == Case.id))
        .outerjoin(facility, facility.id == Case.facility_id)
        .join(owner, owner.id == Case.owner_id)
        .where(condition)
    )
    count = session.scalar(base.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0
    orders: dict[str, tuple[Any, ...]] = {
        "changed": (Case.changed_at.desc(),),
        "event": (Case.event_at.desc(),),
        "number": (Case.number.is_(None), Case.number),
        "due": (due.c.due_at.is_(None), due.c.due_at),
        "name": (Subject.name.is_(None), Subject.name),
    }
    rows = session.execute(
        base.outerjoin(due, due.c.case_id == Case.id)
        .with_only_columns(
            Case,
            Subject.name,
            notice,
            facility.name,
            owner.name,
            due.c.due_at,
            due.c.start_at,
            facility.name_en,
            owner.name_en,
            maintain_column_froms=True,
        )
        .order_by(*orders.get(wanted.order, orders["changed"]), Case.id)
        .limit(wanted.per_page)
        .offset((wanted.page - 1) * wanted.per_page)
    )
    return [Row(*row[:7], True, *row[7:]) for row in rows], count  # type: ignore[call-arg]


def next_due() -> Any:
    """Return, as a subquery, the earliest open limit of each case."""
    return (
        sa.select(Deadline.case_id, sa.func.min(Deadline.due_at).label("due_at"), sa.func.min(Deadline.start_at).label("start_at"))
        .where(Deadline.kind == DeadlineKind.LIMIT, Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None))
        .group_by(Deadline.case_id)
        .subquery()
    )


def _narrow(wanted: Filter, facility: Any) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.kind:
        conditions.append(Case.kind == wanted.kind)
    if wanted.state:
        conditions.append(Case.state == wanted.state)
    if wanted.is_open is not None:
        conditions.append(Case.ended_at.is_(None) if wanted.is_open else Case.ended_at.is_not(None))
    if wanted.organisation_id:
        conditions.append(sa.exists().where(CaseParty.case_id == Case.id, CaseParty.organisation_id == wanted.organisation_id))
    if wanted.words.strip():
        conditions.append(matches(wanted.words))
    return conditions


def matches(words: str) -> sa.ColumnElement[bool]:
    """Return the condition under which a case fits what was typed: number, name, pinyin, unit or township."""
    conditions: list[sa.ColumnElement[bool]] = []
    for word in words[:60].split()[:5]:
        plain = word.strip().lower()
        pieces = [plain] if len(plain) < 3 or plain.isascii() else [plain[index : index + 2] for index in range(len(plain) - 1)]
        named = sa.and_(*[Subject.search.contains(f" {piece}" if piece.isascii() else f" {piece} ", autoescape=True) for piece in pieces])
        notice = sa.exists().where(Notice.case_id == Case.id, Notice.number.icontains(word, autoescape=True))
        party = sa.exists().where(
            CaseParty.case_id == Case.id,
            CaseParty.organisation_id == Organisation.id,
            sa.or_(Organisation.name.icontains(word, autoescape=True), Organisation.short_name.icontains(word, autoescape=True)),
        )
        identity = [Subject.id_number == plain.upper()] if len(plain) >= 15 else []
        conditions.append(sa.or_(Case.number.icontains(word, autoescape=True), named, notice, party, *identity))
    return sa.and_(*conditions)


def read(session: Session, actor: Actor, reference: str) -> Case:
    """Return a case an actor sees identified, by its number or a notice's, and journal the reading.

    Raises:
        NotFound: not there, or not visible.
    """
    case = by_reference(session, actor, reference)
    journal.record(session, actor, "case:read", case_id=case.id)
    return case


def by_reference(session: Session, actor: Actor, reference: str, permission: Permission = Permission.CASE_READ) -> Case:
    """Return a visible case by its number or by the number of one of its notices, without journalling.

    Raises:
        NotFound: not there, or not visible.
    """
    case = session.scalar(
        sa.select(Case)
        .options(
            joinedload(Case.owner),
            joinedload(Case.facility),
            joinedload(Case.township),
            joinedload(Case.procedure_version),
            joinedload(Case.profile_version),
        )
        .where(
            sa.or_(Case.number == reference, Case.id.in_(sa.select(Notice.case_id).where(Notice.number == reference))),
            permissions.visible(actor, permission),
        )
    )
    if case is None:
        raise NotFound
    return case


def reference(session: Session, case: Case) -> str:
    """Return what a case is called in addresses: its number, or before it has one its first notice's."""
    return case.number or session.scalar(sa.select(sa.func.min(Notice.number)).where(Notice.case_id == case.id)) or str(case.id)


def name_of(session: Session, case_id: UUID) -> str | None:
    """Return the subject's name as known now; for those who see the case identified."""
    return session.scalar(sa.select(Subject.name).where(Subject.source == Source.CASE, Subject.source_id == case_id))


def messages_for(session: Session, actor: Actor, case: Case) -> list[tuple[Subscription, workflow.Element]]:
    """Return the messages that the case waits for and the actor's roles may send."""
    elements = procedures.deployed(session, case.procedure_version_id).specification.elements
    rows = session.scalars(sa.select(Subscription).where(Subscription.case_id == case.id)).all()
    roles = {role.value for role in permissions.roles_over(actor, case)}
    return [(row, elements[row.element]) for row in rows if roles & set((elements[row.element].message_role or "").split())]


def message_form(session: Session, actor: Actor, case: Case, message: str) -> tuple[forms.Form, forms.Context] | None:
    """Return the form that a procedure asks of whoever sends a message, and what its expressions see; None where a reason is enough."""
    deployed = procedures.deployed(session, case.procedure_version_id)
    element = next((element for element in deployed.specification.elements.values() if element.message == message and element.message_form), None)
    if element is None:
        return None
    form = deployed.forms[element.message_form or ""]
    owner = organisations.get(session, case.owner_id)
    names = {
        "known": records.known(session, case.id, identified=True) if form.audience == "case" else {},
        "variables": {},
        "person": choices.person(actor, owner),
        "now": feel.to_wire(clock.now().astimezone(clock.zone())),
        "case": environment.facts(case),
    }
    return form, forms.Context(environment.of_case(session, case), names, choices.of_form(session, form, owner))


def _keep_answers(session: Session, actor: Actor, case: Case, message: str, answers: Mapping[str, Any]) -> None:
    """Keep what was filled in for a message as a record of the case."""
    found = message_form(session, actor, case, message)
    if found is None:
        return
    form, context = found
    checked = forms.check(form, answers, context)
    if checked.errors:
        raise FormInvalid(checked.errors)
    records.submit(session, case, form, checked, actor)


# ── commands ──


def hold(session: Session, actor: Actor, reference: str, reason: HoldReason, note: str = "") -> Case:
    """Put a case on hold: work rests, its clocks are shown and go on.

    Raises:
        CaseEnded, CaseOnHold: it is over, or on hold already.
        NotAllowed: the actor's roles do not include it here.
    """
    case = _for_command(session, actor, reference, Permission.CASE_HOLD)
    if case.state in FINAL_STATES:
        raise CaseEnded
    if case.held_at is not None:
        raise CaseOnHold
    case.held_at, case.hold_reason, case.changed_at = clock.now(), HoldReason(reason), clock.now()
    journal.record(session, actor, "case:hold", case_id=case.id, sequence=next_sequence(case), reason=case.hold_reason.value, note=note[:500])
    session.flush()
    return case


def resume(session: Session, actor: Actor, reference: str, note: str = "") -> Case:
    """Take a case off hold.

    Raises:
        NotNow: it is not on hold.
    """
    case = _for_command(session, actor, reference, Permission.CASE_HOLD)
    if case.held_at is None:
        raise NotNow
    case.held_at, case.hold_reason, case.changed_at = None, None, clock.now()
    journal.record(session, actor, "case:resume", case_id=case.id, sequence=next_sequence(case), note=note[:500])
    session.flush()
    return case


def reopen(session: Session, actor: Actor, reference: str, reason: str, answers: Mapping[str, Any] | None = None) -> Case:
    """Review a signed case again after new facts: a closed one begins a new course, a running one is sent back by its diagram.

    Args:
        answers: The procedure's form for it, filled in; kept as a record.

    Raises:
        InvalidInput: no reason was given.
        FormInvalid: answers that cannot be true.
        NotNow: there is no conclusion yet to be reviewed again.

    Source:
        Review procedures, §4 Case states, §14.
    """
    if not reason.strip():
        raise InvalidInput
    case = _for_command(session, actor, reference, Permission.CASE_REOPEN)
    if answers is not None:
        _keep_answers(session, actor, case, "reopened", answers)
    if case.state is CaseState.CLOSED:
        sequence = next_sequence(case)
        case.course += 1
        case.state, case.ended_at, case.is_reopened = CaseState.VERIFIED, None, True
        journal.record(session, actor, "case:reopen", case_id=case.id, sequence=sequence, reason=reason[:2000])
        rungs = [
            "administration.health_administration",
            "owner.committee_chair",
            "owner.secretary",
            "facility.unit_head",
            "township.township_reporter",
        ]
        people = messages.ladder(session, case, rungs)
        messages.write(session, people, "reopened", f"reopened:{case.id}:{case.course}", case_id=case.id, course=case.course)
        session.flush()
        walk(session, actor, case, {"reopened": True})
    else:
        waiting = session.scalar(sa.select(Subscription).where(Subscription.case_id == case.id, Subscription.message == "reopened"))
        if waiting is None:
            raise NotNow
        send(session, actor, case, "reopened", reason=reason[:2000])
        case.is_reopened = True
        session.flush()
    return case


def send(session: Session, actor: Actor, case: Case, message: str, **detail: Any) -> Command:
    """Deliver a message to a locked case.

    Raises:
        NotNow: the case does not wait for it now.
        CaseOnHold: work rests.
    """
    if case.held_at is not None:
        raise CaseOnHold
    try:
        return act(
            session,
            actor,
            case,
            lambda specification, state, surroundings: workflow.send(specification, state, message, {}, surroundings),
            "case:message",
            message=message,
            **detail,
        )
    except workflow.NotWaiting:
        raise NotNow from None


def send_message(session: Session, actor: Actor, reference: str, message: str, reason: str) -> Case:
    """Deliver a message that the diagram gives to one of the actor's roles.

    Args:
        reference: The number of a case, or of one of its notices, that the actor sees identified; or of a packet they may open.

    Raises:
        NotAllowed: the diagram gives it to other roles.
        NotFound: neither is visible.
    """
    from engine import packets  # packets read forms and records, which read cases

    packet = session.scalar(sa.select(Packet.case_id).where(Packet.number == reference, packets.readable(actor)))
    case = lock(session, packet or by_reference(session, actor, reference).id)
    if not any(row.message == message for row, _ in messages_for(session, actor, case)):
        raise NotAllowed
    send(session, actor, case, message, reason=reason[:2000])
    return case


def merge(session: Session, actor: Actor, reference: str, into: str, reason: str) -> Case:
    """Merge a case that turned out to be another one's into that one; its work ends.

    Raises:
        InvalidInput: the same case, one that is over, or no reason.
        NotAllowed: one of them lies outside the actor's area.
    """
    if not reason.strip():
        raise InvalidInput
    case, target = _permitted(session, actor, reference, Permission.CASE_MERGE), by_reference(session, actor, into, Permission.CASE_MERGE)
    for case_id in sorted({case.id, target.id}):  # in one order, so that two merges never wait for each other
        lock(session, case_id)
    if case.state in FINAL_STATES:
        raise CaseEnded
    sequence = next_sequence(case)
    join(session, actor, case, target.id, reason)
    end_work(session, case)
    case.state, case.ended_at, case.held_at, case.hold_reason = CaseState.MERGED, clock.now(), None, None
    journal.record(session, actor, "case:merge", case_id=case.id, sequence=sequence, into=str(target.id), reason=reason[:500])
    session.flush()
    return target


def join(session: Session, actor: Actor | None, case: Case, into_id: UUID, reason: str = "") -> None:
    """Move a case's notices to another case; the earliest clock wins, and open clocks and timers there follow it.

    Raises:
        InvalidInput: the same case, or one that is over or of another kind.
    """
    if into_id == case.id:
        raise InvalidInput
    target = lock(session, into_id)
    if target.state in FINAL_STATES or target.kind is not case.kind:
        raise InvalidInput
    now = clock.now()
    session.add(CaseLink(case_id=case.id, other_id=target.id, kind=LinkKind.MERGED_INTO, linked_at=now, reason=reason or None))
    moved = list(session.scalars(sa.select(Notice).where(Notice.case_id == case.id)))
    for notice in moved:
        notice.case_id = target.id
    records = [notice.record_id for notice in moved]
    session.execute(sa.update(Record).where(Record.id.in_(records)).values(case_id=target.id).execution_options(synchronize_session=False))
    session.execute(
        sa.update(Subject)
        .where(Subject.source == Source.RECORD, Subject.source_id.in_(records))
        .values(case_id=target.id)
        .execution_options(synchronize_session=False)
    )
    known = {(party.organisation_id, party.capacity) for party in session.scalars(sa.select(CaseParty).where(CaseParty.case_id == target.id))}
    for party in session.scalars(sa.select(CaseParty).where(CaseParty.case_id == case.id)).all():
        if (party.organisation_id, "notice") not in known and not any(organisation == party.organisation_id for organisation, _ in known):
            session.add(CaseParty(case_id=target.id, organisation_id=party.organisation_id, capacity="notice"))
            known.add((party.organisation_id, "notice"))
    sequence = next_sequence(target)
    target.changed_at = now
    if case.clock_start_at < target.clock_start_at:
        before, target.clock_start_at = target.clock_start_at, case.clock_start_at
        deadlines.move_start(session, target, before, target.clock_start_at)
        deployed = procedures.deployed(session, target.procedure_version_id)
        surroundings = environment.of_case(session, target)
        outcome = attempt(lambda: workflow.retime(deployed.specification, projection.load(session, target), surroundings))
        projection.refresh(Command(session, target, deployed, surroundings, actor), outcome)
    journal.record(
        session,
        actor,
        "case:join",
        case_id=target.id,
        sequence=sequence,
        notices=[notice.number for notice in moved],
        clock_start=target.clock_start_at.isoformat(),
    )
    session.flush()


def transfer(session: Session, actor: Actor | None, case: Case, to: UUID) -> None:
    """Hand a case to the MCH institution that serves an organisation; those who had it keep seeing it.

    Raises:
        InvalidInput: no MCH institution serves it, or it is the same.
    """
    organisation = organisations.get(session, to)
    owner = (
        organisation
        if organisation.kind is OrganisationKind.MCH_INSTITUTION
        else organisations.nearest(session, organisation.path, OrganisationKind.MCH_INSTITUTION)
    )
    if owner is None or owner.id == case.owner_id:
        raise InvalidInput
    former = case.owner_id
    case.owner_id = owner.id
    facility = organisations.get(session, case.facility_id) if case.facility_id else None
    township = organisations.get(session, case.township_id) if case.township_id else None
    case.parties = organisations.parties(session, facility=facility, township=township, owner=owner)
    _keep_parties(session, case)
    if session.get(CaseParty, (case.id, former, "former_owner")) is None:
        session.add(CaseParty(case_id=case.id, organisation_id=former, capacity="former_owner"))


def settle_township(session: Session, case: Case, said: Any) -> None:
    """Take the township of the household from a report where the notice did not know it; its reporters are told.

    Source:
        Review procedures, §5.1 step 5: the township interviews the household.
    """
    township = session.get(Organisation, UUID(said)) if isinstance(said, str) and said != forms.UNKNOWN else None
    if township is None or township.kind is not OrganisationKind.TOWNSHIP_HEALTH_CENTRE:
        return
    case.township_id = township.id
    facility = organisations.get(session, case.facility_id) if case.facility_id else None
    owner = organisations.get(session, case.owner_id)
    case.parties = organisations.parties(session, facility=facility, township=township, owner=owner)
    _keep_parties(session, case)
    people = messages.ladder(session, case, ["township.township_reporter"])
    messages.write(session, people, "told", f"told:{case.id}:{case.course}:case_opened", case_id=case.id, what="case_opened")


def _keep_parties(session: Session, case: Case) -> None:
    """Bring the parties' rows in step: what a case says of its parties decides who sees it."""
    rows = {(row.capacity): row for row in session.scalars(sa.select(CaseParty).where(CaseParty.case_id == case.id))}
    for capacity, organisation_id in case.parties.items():
        if capacity in ("reporting", "upper"):
            continue
        row = rows.get(capacity)
        if row is not None and row.organisation_id != UUID(organisation_id):
            session.delete(row)
            session.flush()
            row = None
        if row is None:
            session.add(CaseParty(case_id=case.id, organisation_id=UUID(organisation_id), capacity=capacity))


def end_work(session: Session, case: Case) -> None:
    """End all work of a case: its items exit, its clocks are withdrawn, its workflow is not loaded again."""
    items = list(session.scalars(sa.select(WorkItem.id).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES))))
    session.execute(sa.update(WorkItem).where(WorkItem.id.in_(items)).values(state=WorkItemState.EXITED).execution_options(synchronize_session=False))
    deadlines.end(session, case)
    session.execute(sa.update(WorkflowScope).where(WorkflowScope.case_id == case.id).values(is_frozen=True))
    session.execute(sa.delete(Subscription).where(Subscription.case_id == case.id))


def _for_command(session: Session, actor: Actor, reference: str, permission: Permission) -> Case:
    """Lock a case for a command that needs a permission there."""
    return lock(session, _permitted(session, actor, reference, permission).id)


def _permitted(session: Session, actor: Actor, reference: str, permission: Permission) -> Case:
    """Return a case on which an actor has a permission, not yet locked."""
    case = by_reference(session, actor, reference)
    visible = session.scalar(sa.select(Case.id).where(Case.id == case.id, permissions.visible(actor, permission)))
    if visible is None:
        raise NotAllowed
    return case


# ── services ──


@service
def open_case(command: Command, arguments: Mapping[str, Any]) -> None:
    """Give the case its number and the instant of its opening.

    Source:
        Review procedures, §4 P2.
    """
    case, session = command.case, command.session
    if case.number is None:
        case.number = numbers.give(session, office_code(session, case), numbers.KINDS[case.kind.value])
    case.opened_at = case.opened_at or clock.now()
    case.state = CaseState.OPENED


@service
def merge_case(command: Command, arguments: Mapping[str, Any]) -> None:
    """Merge this case into the one whose key is `into`: its notices move there, and the earliest clock wins.

    Source:
        Review procedures, §4 D1 and §14.
    """
    join(command.session, command.actor, command.case, UUID(arguments["into"]))


@service
def transfer_case(command: Command, arguments: Mapping[str, Any]) -> None:
    """Hand the case to the MCH institution that serves the organisation `to`.

    Source:
        Review procedures, §4 D4.
    """
    transfer(command.session, command.actor, command.case, UUID(arguments["to"]))


@service
def conclude(command: Command, arguments: Mapping[str, Any]) -> None:
    """Keep the code of the conclusion (`code`) with the case, for lists and for the accountability trigger."""
    command.case.conclusion = str(arguments["code"])


def office_code(session: Session, case: Case) -> str:
    """Return the code of the area that a case's MCH institution serves: the head of its numbers."""
    owner = organisations.get(session, case.owner_id)
    area = session.get(Organisation, owner.parent_id) if owner.parent_id else None
    return (area or owner).code
