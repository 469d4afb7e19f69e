"""Work items: the queue, claiming, drafts, and handing in: one command, one transaction, one case."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased, joinedload

from engine import (
    attachments,
    cases,
    choices,
    clock,
    deadlines,
    environment,
    feel,
    forms,
    journal,
    messages,
    notices,
    organisations,
    packets,
    permissions,
    procedures,
    projection,
    records,
    rectifications,
    subjects,
    workflow,
)
from engine.codes import Code
from engine.errors import (
    CaseEnded,
    CaseOnHold,
    DraftOutdated,
    FormInvalid,
    FourEyes,
    InvalidInput,
    NotAllowed,
    NotFound,
    WorkItemNotOpen,
    WorkItemTaken,
)
from engine.projection import Command
from models import (
    FINAL_STATES,
    OPEN_STATES,
    Audience,
    Case,
    CaseKind,
    Deadline,
    DeadlineKind,
    Draft,
    Organisation,
    Packet,
    Person,
    Record,
    RectificationItem,
    Role,
    Source,
    Subject,
    VersionChange,
    WorkItem,
    WorkItemState,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.procedures import Deployed

VIEWS = ("mine", "claimable", "today", "overdue", "all")
IDENTIFIED = frozenset({"case", "office", "administration"})


# ── the queue ──


@dataclass(frozen=True, slots=True)
class Filter:
    """What a queue is narrowed to, and its order."""

    view: str = "mine"
    kind: CaseKind | None = None
    element: str | None = None
    organisation_id: UUID | None = None
    due: str = ""
    words: str = ""
    order: str = "due"
    page: int = 1
    per_page: int = 25


@dataclass(frozen=True, slots=True)
class Row:
    """A work item in a list. `name` is the subject's for those who see the case identified; else the packet or the item."""

    item: WorkItem
    case: Case
    name: str | None
    packet: str | None
    rectification: str | None
    unit: str | None
    deadline: Deadline | None
    holder: str | None
    has_draft: bool
    unit_en: str | None = None


def queue(session: Session, actor: Actor, wanted: Filter) -> tuple[list[Row], int]:
    """Return a page of the open work items that are an actor's or that they may claim, and how many there are.

    No workflow is loaded: rows are read, once.
    """
    condition = sa.and_(_of_view(actor, wanted.view), *_narrow(wanted))
    base = _joined().where(condition)
    count = session.scalar(base.with_only_columns(sa.func.count(WorkItem.id), maintain_column_froms=True)) or 0
    orders: dict[str, tuple[Any, ...]] = {
        "due": (Deadline.due_at.is_(None), Deadline.due_at),
        "offered": (WorkItem.offered_at.desc(),),
        "step": (WorkItem.name,),
        "case": (Case.number.is_(None), Case.number),
        "unit": (Organisation.name.is_(None), Organisation.name),
    }
    rows = session.execute(
        _columns(base, actor)
        .order_by(*orders.get(wanted.order, orders["due"]), WorkItem.offered_at, WorkItem.id)
        .limit(wanted.per_page)
        .offset((wanted.page - 1) * wanted.per_page)
    ).all()
    return [_row(actor, row) for row in rows], count


def counts(session: Session, actor: Actor) -> dict[str, int]:
    """Return how many open work items each view holds: one query."""
    mine, free = WorkItem.person_id == actor.person_id, permissions.claimable(actor)
    now = clock.now()
    row = session.execute(
        sa.select(
            sa.func.sum(sa.case((mine, 1), else_=0)),
            sa.func.sum(sa.case((free, 1), else_=0)),
            sa.func.sum(sa.case((_due_today(), 1), else_=0)),
            sa.func.sum(sa.case((Deadline.due_at < now, 1), else_=0)),
            sa.func.count(WorkItem.id),
        )
        .select_from(WorkItem)
        .outerjoin(Deadline, _own_deadline())
        .where(permissions.may_hand_in(actor))
    ).one()
    return dict(zip(VIEWS, (int(value or 0) for value in row), strict=True))


def steps(session: Session, actor: Actor) -> list[tuple[str, str, str]]:
    """Return the steps that occur in an actor's queue: element and both names."""
    rows = session.execute(
        sa.select(WorkItem.element, sa.func.min(WorkItem.name), sa.func.min(WorkItem.name_en))
        .where(permissions.may_hand_in(actor))
        .group_by(WorkItem.element)
        .order_by(sa.func.min(WorkItem.phase), WorkItem.element)
    )
    return [(element, name, name_en) for element, name, name_en in rows]


def units(session: Session, actor: Actor) -> list[tuple[UUID, str, str | None]]:
    """Return the facilities and townships of the cases in an actor's identified queue: id and both names."""
    rows = session.execute(
        sa.select(Organisation.id, Organisation.name, Organisation.name_en)
        .join(Case, sa.or_(Case.facility_id == Organisation.id, Case.township_id == Organisation.id))
        .join(WorkItem, WorkItem.case_id == Case.id)
        .where(permissions.may_hand_in(actor), WorkItem.audience.in_(("case", "office")))
        .distinct()
        .order_by(Organisation.name)
    )
    return [(organisation_id, name, name_en) for organisation_id, name, name_en in rows]


def of_case(session: Session, actor: Actor, case_id: UUID) -> list[Row]:
    """Return the open work items of a case that is visible to an actor, the earliest due first."""
    rows = session.execute(
        _columns(_joined().where(WorkItem.case_id == case_id, WorkItem.state.in_(OPEN_STATES)), actor).order_by(
            Deadline.due_at.is_(None), Deadline.due_at, WorkItem.offered_at
        )
    )
    return [_row(actor, row) for row in rows]


def history(session: Session, case_id: UUID) -> list[WorkItem]:
    """Return the finished work items of a case in the order in which they were finished."""
    return list(
        session.scalars(
            sa.select(WorkItem)
            .options(joinedload(WorkItem.completed_by))
            .where(WorkItem.case_id == case_id, WorkItem.state == WorkItemState.COMPLETED)
            .order_by(WorkItem.completed_at, WorkItem.id)
        )
    )


def _joined() -> Any:
    return (
        sa.select(WorkItem)
        .join(Case, Case.id == WorkItem.case_id)
        .outerjoin(Subject, sa.and_(Subject.source == Source.CASE, Subject.source_id == Case.id))
        .outerjoin(Deadline, _own_deadline())
        .outerjoin(Organisation, Organisation.id == sa.func.coalesce(Case.facility_id, Case.township_id))
        .outerjoin(Packet, sa.and_(Packet.case_id == Case.id, Packet.course == Case.course, Packet.withdrawn_at.is_(None)))
        .outerjoin(RectificationItem, RectificationItem.id == WorkItem.rectification_item_id)
    )


def _columns(base: Any, actor: Actor) -> Any:
    holder = aliased(Person)
    draft = sa.exists().where(Draft.work_item_id == WorkItem.id, Draft.person_id == actor.person_id)
    return base.outerjoin(holder, holder.id == WorkItem.person_id).with_only_columns(
        WorkItem,
        Case,
        Subject.name,
        Packet.number,
        RectificationItem.number,
        Organisation.name,
        Deadline,
        holder.name,
        draft,
        Organisation.name_en,
        maintain_column_froms=True,
    )


def _own_deadline() -> sa.ColumnElement[bool]:
    return sa.and_(Deadline.task_id == WorkItem.id, Deadline.kind == DeadlineKind.LIMIT, Deadline.withdrawn_at.is_(None))


def _row(actor: Actor, row: Any) -> Row:
    item, case, name, packet, rectification, unit, deadline, holder, has_draft, unit_en = row
    if item.audience not in IDENTIFIED or not sees_identity(actor, item):
        name, unit, unit_en = None, None, None
    return Row(item, case, name, packet, rectification, unit, deadline, holder, has_draft, unit_en)


def sees_identity(actor: Actor, item: WorkItem) -> bool:
    """Tell whether an actor does a work item on identified data: its form is for those who do, and a role of theirs is."""
    over = permissions.roles_over(actor, item.case)
    return item.audience in ("case", "office") or bool(over & {Role.QC_OFFICER, Role.MCH_HEAD} and item.audience in IDENTIFIED)


def _of_view(actor: Actor, view: str) -> sa.ColumnElement[bool]:
    if view == "mine":
        return sa.and_(WorkItem.person_id == actor.person_id, WorkItem.state.in_(OPEN_STATES))
    if view == "claimable":
        return permissions.claimable(actor)
    own = permissions.may_hand_in(actor)
    if view == "today":
        return sa.and_(own, _due_today())
    if view == "overdue":
        return sa.and_(own, Deadline.due_at < clock.now())
    return own


def _due_today() -> sa.ColumnElement[bool]:
    """Return the condition of what falls due on this day of the office, be it past already or not."""
    morning = clock.now().astimezone(clock.zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    return sa.and_(Deadline.due_at >= morning, Deadline.due_at < morning + timedelta(days=1))


def _narrow(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.kind:
        conditions.append(Case.kind == wanted.kind)
    if wanted.element:
        conditions.append(WorkItem.element == wanted.element)
    if wanted.organisation_id:
        conditions.append(
            sa.and_(
                WorkItem.audience.in_(("case", "office")),
                sa.or_(Case.facility_id == wanted.organisation_id, Case.township_id == wanted.organisation_id),
            )
        )
    now = clock.now()
    if wanted.due == "overdue":
        conditions.append(Deadline.due_at < now)
    elif wanted.due == "today":
        conditions.append(_due_today())
    elif wanted.due == "week":
        conditions.append(Deadline.due_at.between(now, now + timedelta(days=7)))
    elif wanted.due == "none":
        conditions.append(Deadline.due_at.is_(None))
    if wanted.words.strip():
        identified = sa.and_(WorkItem.audience.in_(("case", "office")), cases.matches(wanted.words))
        others = [column.icontains(wanted.words.strip(), autoescape=True) for column in (WorkItem.name, Packet.number, RectificationItem.number)]
        conditions.append(sa.or_(identified, *others))
    return conditions


# ── one work item ──


@dataclass(frozen=True)
class Opened:
    """A work item opened by somebody who may do it or see it: its form, its context, and what is written already."""

    item: WorkItem
    case: Case
    form: forms.Form
    context: forms.Context
    answers: Mapping[str, Any]
    draft: Draft | None
    deadline: Deadline | None
    may_work: bool
    holder: Person | None
    element: workflow.Element


def show(session: Session, actor: Actor, item_id: UUID, *, to_write: bool = False) -> Opened:
    """Open a work item: journalled when its form speaks of an identified case.

    Args:
        to_write: The case is locked first: a journal entry refers to it, and two who refer to it could then not lock it.

    Raises:
        NotFound: not there, or neither the actor's nor claimable nor finished by them.
    """
    if to_write:
        of_item = sa.select(Case.id).join(WorkItem, WorkItem.case_id == Case.id).where(WorkItem.id == item_id)
        session.execute(of_item.where(permissions.mine_or_claimable(actor) | _takeable(actor)).with_for_update(of=Case, key_share=True))
    item = _visible(session, actor, item_id)
    case = item.case
    deployed = _by_which(session, item)
    form = deployed.forms[item.form]
    context = context_of(session, actor, case, item, form)
    draft = session.scalar(sa.select(Draft).where(Draft.work_item_id == item.id, Draft.person_id == actor.person_id))
    journal.record(session, actor, "work-item:read", case_id=case.id, object_id=item.id, element=item.element)
    return Opened(
        item=item,
        case=case,
        form=form,
        context=context,
        answers=first_answers(session, case, item, form, context, draft),
        draft=draft,
        deadline=session.scalar(sa.select(Deadline).where(_own_deadline(), Deadline.task_id == item.id).where(WorkItem.id == item.id)),
        may_work=item.state in OPEN_STATES and _may_work(session, actor, item.id),
        holder=item.person,
        element=deployed.specification.elements[item.element],
    )


def _by_which(session: Session, item: WorkItem) -> Deployed:
    """Return the version by which a work item is read: the case's, or for one that is over and is not in it, the one it was done by."""
    deployed = procedures.deployed(session, item.case.procedure_version_id)
    if item.state in OPEN_STATES:
        return deployed
    done_by = session.scalar(sa.select(Record.procedure_version_id).where(Record.work_item_id == item.id))
    earlier = (
        [done_by]
        if done_by is not None
        else list(
            session.scalars(
                sa.select(VersionChange.from_version_id).where(VersionChange.case_id == item.case_id).order_by(VersionChange.made_at.desc())
            )
        )
    )
    for candidate in (procedures.deployed(session, version_id) for version_id in earlier):
        if item.element in candidate.specification.elements and item.form in candidate.forms:
            return candidate
    return deployed


def _visible(session: Session, actor: Actor, item_id: UUID) -> WorkItem:
    item = session.scalar(
        sa.select(WorkItem)
        .options(joinedload(WorkItem.case), joinedload(WorkItem.person), joinedload(WorkItem.completed_by), joinedload(WorkItem.organisation))
        .where(WorkItem.id == item_id, permissions.mine_or_claimable(actor) | _takeable(actor))
    )
    if item is None:
        raise NotFound
    return item


def openable(session: Session, actor: Actor, item_ids: Collection[UUID]) -> set[UUID]:
    """Return which of some work items the actor may open."""
    if not item_ids:
        return set()
    return set(session.scalars(sa.select(WorkItem.id).where(WorkItem.id.in_(item_ids), permissions.mine_or_claimable(actor) | _takeable(actor))))


def _takeable(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition under which a work item that a colleague holds is at least theirs to see."""
    posts = [sa.and_(WorkItem.role == post.role, WorkItem.organisation_id == post.organisation_id) for post in actor.posts]
    return sa.and_(WorkItem.is_assigned.is_(False), sa.or_(*posts)) if posts else sa.false()


def _may_work(session: Session, actor: Actor, item_id: UUID) -> bool:
    return session.scalar(sa.select(WorkItem.id).where(WorkItem.id == item_id, permissions.may_hand_in(actor))) is not None


def context_of(
    session: Session, actor: Actor, case: Case, item: WorkItem, form: forms.Form, *, deadline: Deadline | None = None, is_whole: bool = True
) -> forms.Context:
    """Return what the expressions of a work item's form see, and its lists.

    Forms for the committee see nothing that identifies: known answers come from the committee's own records only.

    Args:
        deadline: The item's clock, where it is known.
        is_whole: With everything a page shows; without it only what the form's own expressions ask for.
    """
    surroundings = environment.of_case(session, case)
    identified = form.audience in ("case", "office")
    allowed = (
        None
        if identified
        else ([Audience.COMMITTEE] if form.audience in ("committee", "author") else [Audience.COMMITTEE, Audience.ADMINISTRATION, Audience.ITEM])
    )
    known = records.known(session, case.id, identified=identified, audiences=allowed)
    home = organisations.get(session, item.organisation_id or case.owner_id)
    owner = organisations.get(session, case.owner_id)
    if is_whole and deadline is None:
        deadline = session.scalar(sa.select(Deadline).where(Deadline.task_id == item.id, Deadline.kind == DeadlineKind.LIMIT))
    is_late = deadline is not None and clock.now() > deadline.due_at
    names = {
        "person": choices.person(actor, home),
        "known": known,
        "now": feel.to_wire(clock.now().astimezone(clock.zone())),
        "variables": {**item.variables, **packets.variables(session, case, item, None if is_whole else form.names)},
        "case": {**environment.facts(case), "late_report": is_late, "late_discussion": is_late, "late": is_late},
    }
    if item.rectification_item_id is not None:
        names["variables"]["item"] = rectifications.facts(session, item.rectification_item_id)
    extra: dict[str, Callable[[], list[Code]]] = {
        "matches": lambda: notices.match(session, actor, case),
        "timeline": lambda: packets.timeline_choices(session, case),
        "people.panel": lambda: packets.panel_choices(session, case),
    }
    offered = choices.of_form(session, form, owner, extra)
    for key in [key for key in offered if key.startswith("organisations.")]:  # the case's own units first
        offered[key] = sorted(offered[key], key=lambda code: code.code not in case.parties.values())
    if "matches" in offered:
        names["variables"]["candidates"] = len(offered["matches"])
    return forms.Context(
        surroundings,
        names,
        offered,
        attachments.of_work_item(session, item.id) if form.takes_files else {},
    )


def first_answers(session: Session, case: Case, item: WorkItem, form: forms.Form, context: forms.Context, draft: Draft | None) -> dict[str, Any]:
    """Return what a form shows when it is opened: the draft; else what was handed in before at this step; else prefilled."""
    if item.state is WorkItemState.COMPLETED:
        record = session.scalar(sa.select(Record).where(Record.work_item_id == item.id))
        return records.whole(session, record) if record else {}
    if draft is not None:
        identity = subjects.details(session, Source.DRAFT, [draft.id]).get(draft.id, {})
        return forms.put_identity(draft.answers, identity)
    plan = procedures.deployed(session, case.procedure_version_id).specification.elements[item.element].plan
    if form.audience != "author" and plan is not None and not plan.is_fresh:
        earlier = session.scalar(
            sa.select(Record)
            .where(
                Record.case_id == case.id, Record.form == form.key, Record.is_current, Record.element == item.element, Record.course == case.course
            )
            .order_by(Record.submitted_at.desc())
            .limit(1)
        )
        if earlier is not None and item.rectification_item_id is None and not item.is_assigned:
            return records.whole(session, earlier)
    if plan is not None and plan.shows is not None:
        shown = records.current(session, case.id, plan.shows)
        if shown is not None:
            return records.whole(session, shown)
    return forms.prefill(form, context)


def claim(session: Session, actor: Actor, item_id: UUID) -> WorkItem:
    """Take a ready work item; taking one's own again changes nothing.

    Raises:
        WorkItemTaken, WorkItemNotOpen, FourEyes, NotFound: why not.
    """
    now = clock.now()
    taken = session.execute(
        sa.update(WorkItem)
        .where(WorkItem.id == item_id, permissions.claimable(actor))
        .values(state=WorkItemState.RESERVED, person_id=actor.person_id, claimed_at=now)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        item = _visible(session, actor, item_id)
        session.refresh(item)
        if item.person_id == actor.person_id and item.state is WorkItemState.RESERVED:
            return item
        raise why_not(session, actor, item)
    item = _visible(session, actor, item_id)
    session.refresh(item)
    journal.record(session, actor, "work-item:claim", case_id=item.case_id, object_id=item.id, element=item.element)
    session.flush()
    return item


def release(session: Session, actor: Actor, item_id: UUID) -> WorkItem:
    """Give a claimed work item back to its queue; what was written stays with it.

    Raises:
        NotAllowed: it is given to this person by the procedure.
    """
    item = _visible(session, actor, item_id)
    if item.is_assigned:
        raise NotAllowed
    freed = session.execute(
        sa.update(WorkItem)
        .where(WorkItem.id == item_id, WorkItem.person_id == actor.person_id, WorkItem.state == WorkItemState.RESERVED)
        .values(state=WorkItemState.READY, person_id=None, claimed_at=None)
        .execution_options(synchronize_session=False)
    )
    if freed.rowcount != 1:  # type: ignore[attr-defined]
        raise why_not(session, actor, item)
    session.refresh(item)
    journal.record(session, actor, "work-item:release", case_id=item.case_id, object_id=item.id, element=item.element)
    session.flush()
    return item


def delegate(session: Session, actor: Actor, item_id: UUID, to: UUID) -> WorkItem:
    """Pass one's own work item on to a colleague of the same role and organisation; the draft travels with it.

    Raises:
        InvalidInput: the colleague cannot do it.
        NotAllowed: it is given to this person by the procedure.
    """
    item = _visible(session, actor, item_id)
    if item.is_assigned:
        raise NotAllowed
    if to not in {person_id for person_id, _ in colleagues(session, actor, item)}:
        raise InvalidInput
    passed = session.execute(
        sa.update(WorkItem)
        .where(WorkItem.id == item_id, permissions.may_hand_in(actor))
        .values(state=WorkItemState.RESERVED, person_id=to, claimed_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if passed.rowcount != 1:  # type: ignore[attr-defined]
        raise why_not(session, actor, item)
    theirs = session.scalar(sa.select(Draft.id).where(Draft.work_item_id == item_id, Draft.person_id == to))
    if theirs is None:
        session.execute(sa.update(Draft).where(Draft.work_item_id == item_id, Draft.person_id == actor.person_id).values(person_id=to))
    session.refresh(item)
    messages.write(
        session, [to], "passed_on", f"passed:{item.id}:{clock.now().isoformat()}", case_id=item.case_id, work_item_id=item.id, element=item.element
    )
    journal.record(session, actor, "work-item:delegate", case_id=item.case_id, object_id=item.id, element=item.element, to=str(to))
    session.flush()
    return item


def colleagues(session: Session, actor: Actor, item: WorkItem) -> list[tuple[UUID, str]]:
    """Return to whom a work item can be passed on."""
    people = [
        person_id
        for person_id, _ in organisations.people_with(session, item.organisation_id, [item.role], clock.today())
        if person_id not in (actor.person_id, item.excluded_id)
    ]
    rows = session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(people)).order_by(Person.name))
    return [(person_id, name) for person_id, name in rows]


def save_draft(session: Session, actor: Actor, item_id: UUID, answers: Mapping[str, Any], *, revision: int | None = None) -> Draft:
    """Keep what a person has written; nothing is checked but that it can be stored.

    Args:
        answers: Python values by key, as the page read them.
        revision: The revision the page began from; None overwrites.

    Raises:
        DraftOutdated: it was saved elsewhere since.
    """
    item = _visible(session, actor, item_id)
    deployed = procedures.deployed(session, item.case.procedure_version_id)
    form = deployed.forms[item.form]
    plain, identity = forms.take_identity(form, forms.for_draft(form, answers))
    draft = session.scalar(sa.select(Draft).where(Draft.work_item_id == item_id, Draft.person_id == actor.person_id).with_for_update())
    if draft is None:
        draft = Draft(id=new_id(), work_item_id=item_id, person_id=actor.person_id, answers=plain, revision=1, saved_at=clock.now())
        session.add(draft)
        session.flush()
    else:
        if revision is not None and revision != draft.revision:
            raise DraftOutdated
        draft.answers, draft.revision, draft.saved_at = plain, draft.revision + 1, clock.now()
        session.flush()
        if not identity:
            session.execute(sa.delete(Subject).where(Subject.draft_id == draft.id))
    subjects.keep(session, item.case_id, identity, draft_id=draft.id)
    return draft


@dataclass(frozen=True)
class HandedIn:
    """What a hand-in did: the record, the work items it opened, and whether it had been done before with the same key."""

    item: WorkItem
    record: Record | None
    opened: tuple[WorkItem, ...]
    is_new: bool


def hand_in(session: Session, actor: Actor, item_id: UUID, answers: Mapping[str, Any], *, key: str) -> HandedIn:
    """Finish a work item: check its form, keep it as a record, walk the case on.

    The case is locked first; the item is finished by comparing and swapping its state; clocks that are due fire before
    it; whatever fails, nothing of it is kept.

    Args:
        answers: Python values by key, as the page read them.
        key: The command's key; the same key twice is answered the same way.

    Raises:
        FormInvalid: answers that cannot be true.
        WorkItemNotOpen, WorkItemTaken, FourEyes: somebody else has it, finished it, or must not do it.
        CaseOnHold: work rests.
        StepFailed: the diagram failed; the caller keeps the draft and writes an incident.
        NotFound: not there, or not the actor's.
    """
    head = _lock(session, actor, item_id)
    item, case = head.item, head.case
    if _is_done_with(item, actor, key):
        return _done_before(session, item)
    if not head.is_theirs:
        raise why_not(session, actor, item)
    if case.held_at is not None:
        raise CaseOnHold
    if case.state in FINAL_STATES:
        raise CaseEnded
    deployed = procedures.deployed(session, case.procedure_version_id)
    form = deployed.forms[item.form]
    context = _light_context(session, actor, case, item, form, head)
    checked = forms.check(form, answers, context)
    checked.findings.extend(packets.check_answers(session, case, form, checked.answers))
    if checked.errors:
        raise FormInvalid(checked.errors)
    return _finish(session, actor, head, deployed, form, checked, context, key)


@dataclass(frozen=True)
class _Head:
    """All that a hand-in reads at once, under the lock of the case."""

    item: WorkItem
    case: Case
    deadline: Deadline | None
    earlier: Record | None
    owner: Organisation
    home: Organisation
    is_theirs: bool
    has_draft: bool


def _lock(session: Session, actor: Actor, item_id: UUID) -> _Head:
    earlier = aliased(Record)
    latest = (
        sa.select(earlier.id)
        .where(
            earlier.case_id == WorkItem.case_id,
            earlier.form == WorkItem.form,
            earlier.element == WorkItem.element,
            earlier.is_current,
            earlier.course == WorkItem.course,
            WorkItem.is_assigned.is_(False),
        )
        .order_by(earlier.submitted_at.desc())
        .limit(1)
        .correlate(WorkItem)
        .scalar_subquery()
    )
    owner, home = aliased(Organisation), aliased(Organisation)  # read along: the context of the form asks for them
    row = session.execute(
        sa.select(
            WorkItem,
            Case,
            Deadline,
            Record,
            owner,
            home,
            permissions.may_hand_in(actor),
            sa.exists().where(Draft.work_item_id == WorkItem.id, Draft.person_id == actor.person_id),
        )
        .join(Case, Case.id == WorkItem.case_id)
        .join(owner, owner.id == Case.owner_id)
        .join(home, home.id == WorkItem.organisation_id)
        .outerjoin(Deadline, _own_deadline())
        .outerjoin(Record, Record.id == latest)
        .where(WorkItem.id == item_id, permissions.mine_or_claimable(actor) | _takeable(actor))
        .with_for_update(of=Case, key_share=True)  # rows that point to the case may be written meanwhile: the journal of its readers
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise NotFound
    return _Head(*row)


def _light_context(session: Session, actor: Actor, case: Case, item: WorkItem, form: forms.Form, head: _Head) -> forms.Context:
    """Return the context for checking: earlier records and lists are read only for a form that looks at them."""
    if (
        form.needs_known
        or form.checks
        or form.takes_files
        or any(entry.values_key and ("." in entry.values_key or entry.values_key in ("matches", "timeline")) for entry in _fields(form.fields))
    ):
        return context_of(session, actor, case, item, form, deadline=head.deadline, is_whole=False)
    is_late = head.deadline is not None and clock.now() > head.deadline.due_at
    names = {
        "known": {},
        "now": feel.to_wire(clock.now().astimezone(clock.zone())),
        "variables": item.variables,
        "case": {**environment.facts(case), "late_report": is_late, "late_discussion": is_late, "late": is_late},
        "person": {"id": str(actor.person_id), "name": actor.name, "roles": sorted(role.value for role in actor.roles)},
    }
    return forms.Context(environment.of_case(session, case), names)


def _fields(fields: Any) -> Any:
    for entry in fields:
        yield entry
        yield from _fields(entry.fields)


def _finish(
    session: Session, actor: Actor, head: _Head, deployed: Deployed, form: forms.Form, checked: forms.Checked, context: forms.Context, key: str
) -> HandedIn:
    item, case, now = head.item, head.case, clock.now()
    try:
        swapped = session.execute(
            sa.update(WorkItem)
            .where(WorkItem.id == item.id, permissions.may_hand_in(actor))
            .values(state=WorkItemState.COMPLETED, person_id=actor.person_id, completed_at=now, completed_by_id=actor.person_id, command_key=key)
            .execution_options(synchronize_session=False)
        )
    except sa.exc.IntegrityError:  # the key of another page's button
        raise InvalidInput from None
    if swapped.rowcount != 1:  # type: ignore[attr-defined]
        # PostgreSQL waits for the case and then shows the item as it was before: the same command may have just done it.
        session.refresh(item)
        if _is_done_with(item, actor, key):
            return _done_before(session, item)
        raise why_not(session, actor, item)
    if head.deadline is not None and now > head.deadline.due_at:
        head.deadline.late_reason = checked.answers.get("late_reason") or head.deadline.late_reason
        deadlines.warn(session, case, head.deadline, now)
    plan = deployed.specification.elements[item.element].plan
    record = records.submit(
        session, case, form, checked, actor, work_item=item, replaces=None if plan is not None and plan.is_fresh else head.earlier
    )
    if form.township and case.township_id is None:
        cases.settle_township(session, case, checked.answers.get(form.township))
    if head.has_draft:
        session.execute(sa.delete(Draft).where(Draft.work_item_id == item.id, Draft.person_id == actor.person_id))
    surroundings = context.environment
    names = {"answers": record.answers, "person": str(actor.person_id), "record": str(record.id)}
    state = projection.load(session, case)
    try:
        outcome = cases.attempt(lambda: workflow.complete(deployed.specification, state, item.id, names, surroundings))
    except workflow.NotOpen:
        raise WorkItemNotOpen from None
    sequence = cases.next_sequence(case)
    opened = projection.refresh(Command(session, case, deployed, surroundings, actor, record), outcome, completed=item.id)
    journal.record(
        session,
        actor,
        "work-item:hand-in",
        case_id=case.id,
        object_id=item.id,
        sequence=sequence,
        element=item.element,
        form=form.key,
        version=record.version,
        walked=[step for step, _ in outcome.walked],
    )
    session.flush()
    return HandedIn(item, record, tuple(opened), True)


def _is_done_with(item: WorkItem, actor: Actor, key: str) -> bool:
    return item.state is WorkItemState.COMPLETED and item.command_key == key and item.completed_by_id == actor.person_id


def _done_before(session: Session, item: WorkItem) -> HandedIn:
    return HandedIn(item, session.scalar(sa.select(Record).where(Record.work_item_id == item.id)), (), False)


def why_not(session: Session, actor: Actor, item: WorkItem) -> Exception:
    """Return the reason why a work item is not this actor's to do now."""
    session.refresh(item, ["state", "person_id", "completed_by_id", "completed_at"])
    if item.state is WorkItemState.COMPLETED and item.completed_by_id:
        person = session.get(Person, item.completed_by_id)
        return WorkItemNotOpen(name=person.name if person else "", at=item.completed_at, item=item.id)
    if item.state is WorkItemState.EXITED or item.state is WorkItemState.COMPLETED:
        return WorkItemNotOpen()
    if item.excluded_id == actor.person_id:
        return FourEyes()
    if item.person_id is not None and item.person_id != actor.person_id:
        person = session.get(Person, item.person_id)
        return WorkItemTaken(name=person.name if person else "")
    return NotAllowed()


def done_with(session: Session, actor: Actor, item_id: UUID, key: str) -> HandedIn | None:
    """Return what a hand-in with this key did, if the actor made it before: the same button pressed twice."""
    item = (
        session.scalar(sa.select(WorkItem).where(WorkItem.id == item_id, WorkItem.command_key == key, WorkItem.completed_by_id == actor.person_id))
        if key
        else None
    )
    return HandedIn(item, None, (), False) if item is not None else None


def saved_at(session: Session, actor: Actor, item_id: UUID) -> datetime | None:
    """Return when a person's draft was saved last."""
    return session.scalar(sa.select(Draft.saved_at).where(Draft.work_item_id == item_id, Draft.person_id == actor.person_id))
