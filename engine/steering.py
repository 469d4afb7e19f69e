"""Steering: a step skipped, a case sent back, a case cancelled, each by the head of the institution in charge, with a reason.

What a command would do is carried out first and taken back, so that the page can tell it in words. What the committee does
itself, what a second person checks and what is signed is nobody's to pass over: the diagram would go on as if it had been done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from lxml import etree

from engine import (
    calendars,
    cases,
    clock,
    codes,
    deadlines,
    environment,
    feel,
    forms,
    journal,
    limits,
    messages,
    numbers,
    organisations,
    procedures,
    profiles,
    projection,
    workflow,
)
from engine.errors import N_, CaseEnded, CaseOnHold, EngineError, InvalidInput, NotNow
from engine.permissions import Permission
from engine.workflow import reading, steering
from models import (
    FINAL_STATES,
    OPEN_STATES,
    Audience,
    Case,
    CaseState,
    Deadline,
    DeadlineKind,
    Draft,
    JournalEntry,
    Organisation,
    Packet,
    Person,
    Record,
    Role,
    WorkflowScope,
    WorkItem,
    WorkItemState,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.procedures import Deployed
    from engine.workflow import Element

SEALED = frozenset({Audience.AUTHOR.value, Audience.COMMITTEE.value})
SIGNATURE = "sign_off"
# Services that do no harm when a step before them is done again; whatever else was done is not to be done twice.
AGAIN = frozenset({"open_case", "tell", "make_packet", "check_packet", "withdraw_packet", "conclude"})
GROUNDS = ("mistaken", "not_in_scope", "practice")
MAX_REASON, MAX_VALUE = 1000, 500
_CHOICE = re.compile(r"answers\.([a-z][a-z0-9_]*)\Z")
_IS = re.compile(r'answers\.[a-z][a-z0-9_]* = ("[^"]*"|true|false)\Z')

WHY_NOT = {
    "committee": N_("评审组的步骤（声明、回避、意见、公开、会议、结论、签署）由评审组自己办，不能跳过，也不能由办公室退回。"),
    "second_person": N_("这一步是第二个人的核对，跳过等于没有核对。请换一个人办。"),
    "signed": N_("流程记下由谁办了这一步，跳过等于替人签名。"),
    "done_since": N_("这一步之后已有不能重做的自动步骤：%(steps)s。"),
}


class Protected(EngineError):
    """The step is not to be passed over, or the case not to be taken back over it; `why` is a key of `WHY_NOT`."""

    sentence = N_("这一步不能这样办：%(why)s")

    def __init__(self, why: str, **fields: Any) -> None:
        super().__init__(why=why, **fields)
        self.why = why


class ValueMissing(EngineError):
    """The diagram decides on something that was not given."""

    sentence = N_("流程要按“%(name)s”决定往哪里走，请给出它的值。")


class AlreadySigned(EngineError):
    """Somebody has signed a conclusion of the case."""

    sentence = N_("已有人签署结论，个案不能撤销。有新的事实，请用“重新评审”。")


# ── what is possible ──


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a skipped step must give: a variable of the diagram, and how it can be chosen.

    Attributes:
        kind: `choice` of the codes of a form's field, `truth`, or `value`: any FEEL value.
        is_needed: The diagram decides on it.
    """

    variable: str
    label: str
    label_en: str
    kind: str
    options: tuple[tuple[str, str, str], ...] = ()
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Skippable:
    """An open step of a case, and why it cannot be skipped where it cannot."""

    item: WorkItem
    why_not: str | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A step behind the case, and why it cannot be sent back there where it cannot; the steps it would take back twice."""

    task_id: UUID
    element: Element
    path: tuple[str, ...]
    why_not: str | None
    twice: tuple[str, ...] = ()


def skippable(session: Session, case: Case) -> list[Skippable]:
    """Return the open steps of a case in the order in which they were offered."""
    deployed = procedures.deployed(session, case.procedure_version_id)
    items = session.scalars(
        sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES)).order_by(WorkItem.offered_at, WorkItem.id)
    )
    return [Skippable(item, why_not_skip(deployed, item.element)) for item in items]


def why_not_skip(deployed: Deployed, element_id: str) -> str | None:
    """Return why a step is never skipped, as a key of `WHY_NOT`; None where it may be."""
    element = deployed.specification.elements[element_id]
    plan = element.plan
    if plan is None:
        return "signed"
    if deployed.forms[plan.form].audience in SEALED or plan.form == SIGNATURE:
        return "committee"
    if plan.exclude:
        return "second_person"
    for _, expression in element.outputs:
        if any(name.name == "person" and not name.is_loose for name in feel.check(expression).names):
            return "signed"
    return None


def wanted(deployed: Deployed, element_id: str) -> list[Wanted]:
    """Return what must be given by hand in place of a step's form."""
    element = deployed.specification.elements[element_id]
    decided = decided_on(deployed)
    found = []
    for variable, expression in element.outputs:
        field = _field(deployed, element, expression)
        label, label_en = (field.label, field.label_en) if field is not None else (variable, variable)
        kind: str = "value"
        options: tuple[tuple[str, str, str], ...] = ()
        if _IS.match(expression.strip()) or (field is not None and field.type == "checkbox"):
            kind = "truth"
        elif field is not None and _CHOICE.match(expression.strip()):
            options = _options(field)
            kind = "choice" if options else "value"
        found.append(Wanted(variable, label, label_en, kind, options, variable in decided))
    return found


def decided_on(deployed: Deployed) -> frozenset[str]:
    """Return the variables on which a diagram decides the way: those that conditions and decision tables read."""
    names: set[str] = set()
    for path, content in deployed.specification.files.items():
        if path.endswith((".bpmn", ".dmn")):
            names |= {name.name for text in _conditions(content) for name in feel.check(text).names}
    return frozenset(names)


def _conditions(content: bytes) -> Iterator[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)
    for node in etree.fromstring(content, parser).iter(etree.Element):
        kind = etree.QName(node).localname
        if kind in ("conditionExpression", "completionCondition", "condition"):
            yield (node.text or "").strip()
        elif kind == "inputExpression":
            yield from ((child.text or "").strip() for child in node)


def _field(deployed: Deployed, element: Element, expression: str) -> forms.Field | None:
    keys = {name.path[1] for name in feel.check(expression).names if name.name == "answers" and len(name.path) > 1}
    if element.plan is None or len(keys) != 1:
        return None
    key = keys.pop()
    return next((field for field in deployed.forms[element.plan.form].inputs() if field.key == key), None)


def _options(field: forms.Field) -> tuple[tuple[str, str, str], ...]:
    listed = codes.lists()[field.values_key].codes if field.values_key and field.values_key in codes.lists() else field.values
    return tuple((option.code, option.zh, option.en) for option in listed) if field.type in ("select", "radio") else ()


def earlier(session: Session, case: Case) -> list[Earlier]:
    """Return the steps behind a case, to which it can be sent back or not, the latest first."""
    deployed = procedures.deployed(session, case.procedure_version_id)
    found = cases.attempt(
        lambda: steering.behind(deployed.specification, projection.load(session, case), _frozen(session, case), environment.of_case(session, case))
    )
    return [_earlier(session, case, deployed, place) for place in _as_places(found)]


def _as_places(found: Any) -> list[steering.Behind]:
    places: list[steering.Behind] = found
    return places


def _earlier(session: Session, case: Case, deployed: Deployed, place: steering.Behind) -> Earlier:
    elements = deployed.specification.elements
    element = elements[place.element]
    done = set(
        session.scalars(
            sa.select(WorkItem.element).where(
                WorkItem.case_id == case.id,
                WorkItem.course == case.course,
                WorkItem.element.in_(place.undone),
                sa.or_(WorkItem.audience.in_(tuple(SEALED)), WorkItem.form == SIGNATURE),
                WorkItem.state == WorkItemState.COMPLETED,
            )
        )
    )
    twice = tuple(sorted(key for key in place.undone if elements[key].kind == "serviceTask" and _service(deployed, key) not in AGAIN))
    why = "committee" if done else "done_since" if twice else None
    return Earlier(place.task_id, element, place.path, why, twice)


def _service(deployed: Deployed, element_id: str) -> str:
    process = deployed.specification.processes[deployed.specification.elements[element_id].process]
    for node in reading.xml(deployed.specification.files[process.file]).iter(f"{{{reading.BPMN}}}serviceTask"):
        if node.get("id") == element_id:
            return next((entry.get("name", "") for entry in reading.extensions(node, "service")), "")
    return ""


def _frozen(session: Session, case: Case) -> dict[str, bytes]:
    rows = session.execute(
        sa.select(WorkflowScope.scope, WorkflowScope.state).where(
            WorkflowScope.case_id == case.id, WorkflowScope.course == case.course, WorkflowScope.is_frozen
        )
    )
    return dict(rows.all())


# ── what would happen ──


@dataclass(frozen=True, slots=True)
class Line:
    """A step in the foresight of a command: what it is called, whose it is, who has it now, until when."""

    name: str
    name_en: str
    role: Role
    organisation: str
    organisation_en: str | None
    holder: str | None
    due_at: Any
    has_draft: bool = False


@dataclass(frozen=True)
class Foreseen:
    """What a command would do: steps that close and open, clocks that end and begin, the state before and after."""

    closes: tuple[Line, ...]
    opens: tuple[Line, ...]
    ended: tuple[str, ...]
    begun: tuple[tuple[str, Any], ...]
    before: CaseState
    after: CaseState
    services: tuple[tuple[str, str], ...] = ()


def foresee(session: Session, case_id: UUID, command: Callable[[], object]) -> Foreseen:
    """Carry out a command, tell what it did, and take it all back.

    Raises:
        EngineError: what the command itself would raise.
    """
    case = cases.lock(session, case_id)
    deployed = procedures.deployed(session, case.procedure_version_id)
    before_state = case.state
    items, clocks = _open_items(session, case_id), _open_clocks(session, case_id)
    last = session.scalar(sa.select(sa.func.max(JournalEntry.id))) or 0
    nested = session.begin_nested()
    try:
        command()
        session.flush()
        now_items, now_clocks = _open_items(session, case_id), _open_clocks(session, case_id)
        details = session.scalars(sa.select(JournalEntry.detail).where(JournalEntry.case_id == case_id, JournalEntry.id > last)).all()
        walked = [step for detail in details for step in detail.get("walked", ())]
        elements = deployed.specification.elements
        after = session.scalar(sa.select(Case.state).where(Case.id == case_id)) or before_state
    finally:
        nested.rollback()
        session.expire_all()
    return Foreseen(
        tuple(line for key, line in items.items() if key not in now_items),
        tuple(line for key, line in now_items.items() if key not in items),
        tuple(limit for key, (limit, _) in clocks.items() if key not in now_clocks),
        tuple(entry for key, entry in now_clocks.items() if key not in clocks),
        before_state,
        after,
        tuple((elements[step].name, elements[step].name_en) for step in walked if elements[step].kind == "serviceTask"),
    )


def _open_items(session: Session, case_id: UUID) -> dict[UUID, Line]:
    rows = session.execute(
        sa.select(
            WorkItem.id,
            WorkItem.name,
            WorkItem.name_en,
            WorkItem.role,
            WorkItem.audience,
            Organisation.name,
            Organisation.name_en,
            Person.name,
            Deadline.due_at,
            sa.exists().where(Draft.work_item_id == WorkItem.id),
        )
        .outerjoin(Organisation, Organisation.id == WorkItem.organisation_id)
        .outerjoin(Person, Person.id == WorkItem.person_id)
        .outerjoin(Deadline, sa.and_(Deadline.task_id == WorkItem.id, Deadline.kind == DeadlineKind.LIMIT, Deadline.withdrawn_at.is_(None)))
        .where(WorkItem.case_id == case_id, WorkItem.state.in_(OPEN_STATES))
        .order_by(WorkItem.offered_at, WorkItem.id)
    )
    return {
        key: Line(name, name_en, role, unit or "", unit_en, holder if audience not in SEALED else None, due_at, has_draft)
        for key, name, name_en, role, audience, unit, unit_en, holder, due_at, has_draft in rows
    }


def _open_clocks(session: Session, case_id: UUID) -> dict[UUID, tuple[str, Any]]:
    rows = session.execute(
        sa.select(Deadline.id, Deadline.key, Deadline.due_at).where(
            Deadline.case_id == case_id, Deadline.kind == DeadlineKind.LIMIT, Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None)
        )
    )
    return {key: (limit, due_at) for key, limit, due_at in rows}


# ── commands ──


def skip(session: Session, actor: Actor, reference: str, item_id: UUID, values: Mapping[str, str], reason: str) -> Case:
    """Pass an open step without its form. It counts as not given: no record is made, its clock is withdrawn, not met.

    Args:
        values: By variable, what the diagram is told instead: a code for a choice, else a FEEL value as text.

    Raises:
        Protected: the step is the committee's, a second person's check or a signature.
        ValueMissing: something on which the diagram decides is missing, or is no FEEL value.
        NotNow: the step is not open.
        CaseOnHold, CaseEnded: work rests, or is over.
        StepFailed: the diagram or a service cannot go on without what the step would have given.
    """
    case, reason = _begin(session, actor, reference, Permission.CASE_STEER, reason)
    item = session.scalar(sa.select(WorkItem).where(WorkItem.id == item_id, WorkItem.case_id == case.id).execution_options(populate_existing=True))
    if item is None or item.state not in OPEN_STATES:
        raise NotNow
    deployed = procedures.deployed(session, case.procedure_version_id)
    why = why_not_skip(deployed, item.element)
    if why is not None:
        raise Protected(WHY_NOT[why])
    given = {entry.variable: _given(entry, values.get(entry.variable, "")) for entry in wanted(deployed, item.element)}
    whom = _concerned(session, [item])
    element = deployed.specification.elements[item.element]
    running = {row.id for row in session.scalars(_running(case, element.meets))}

    def step(specification: Any, state: Any, surroundings: Any) -> workflow.Outcome:
        return steering.skip(specification, state, item.id, given, surroundings)

    try:
        cases.act(session, actor, case, step, "case:skip", object_id=item.id, element=item.element, reason=reason, values=given)
    except workflow.NotOpen:
        raise NotNow from None
    # A clock over several steps that the step would have met was not met: it is only no longer asked for.
    session.execute(
        sa.update(Deadline)
        .where(Deadline.id.in_(running), Deadline.met_at.is_not(None))
        .values(met_at=None, withdrawn_at=clock.now(), next_at=None)
        .execution_options(synchronize_session=False)
    )
    _tell(session, actor, case, whom, "skipped")
    session.flush()
    return case


def send_back(session: Session, actor: Actor, reference: str, task_id: UUID, reason: str) -> Case:
    """Send a case back to a step behind it. Records stay; what opened after the step exits; its first clock stays as it was kept.

    Args:
        task_id: One of `earlier`.

    Raises:
        Protected: the committee, or a service that is not to be repeated, has acted since.
        NotNow: the case cannot go back there.
        CaseOnHold, CaseEnded: work rests, or is over.
    """
    case, reason = _begin(session, actor, reference, Permission.CASE_STEER, reason)
    deployed = procedures.deployed(session, case.procedure_version_id)
    place = next((entry for entry in earlier(session, case) if entry.task_id == task_id), None)
    if place is None:
        raise NotNow
    if place.why_not is not None:
        elements = deployed.specification.elements
        raise Protected(WHY_NOT[place.why_not], steps="、".join(elements[key].name for key in place.twice))
    state = _state_before(session, case, deployed, place)
    before = {item.id: item for item in session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES)))}
    whom = _concerned(session, before.values())
    frozen = _frozen(session, case)
    if state is not None:
        case.state = state  # first: what is walked from there sets its own

    def step(specification: Any, scopes: Any, surroundings: Any) -> workflow.Outcome:
        return steering.send_back(specification, scopes, frozen, task_id, surroundings)

    try:
        cases.act(
            session,
            actor,
            case,
            step,
            "case:send-back",
            element=place.element.id,
            name=place.element.name,
            name_en=place.element.name_en,
            reason=reason,
        )
    except workflow.NotOpen:
        raise NotNow from None
    opened = [
        item
        for item in session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES)))
        if item.id not in before
    ]
    _begin_clocks_now(session, case, deployed, opened)
    session.expire_all()
    gone = {item.id for item in session.scalars(sa.select(WorkItem).where(WorkItem.id.in_(before), WorkItem.state == WorkItemState.EXITED))}
    _tell(session, actor, case, {key: people for key, people in whom.items() if key in gone}, "taken_back")
    _tell_again(session, case, opened)
    session.flush()
    return cases.lock(session, case.id)


def cancel(session: Session, actor: Actor, reference: str, ground: str, reason: str) -> Case:
    """End a case that should not have been one: nothing of it is deleted, it is out of the scope of the review.

    Args:
        ground: `mistaken` (the event did not happen, or not so), `not_in_scope`, or `practice`.

    Raises:
        AlreadySigned: a conclusion has been signed.
        InvalidInput: no reason or no such ground.
    """
    if ground not in GROUNDS:
        raise InvalidInput
    case, reason = _begin(session, actor, reference, Permission.CASE_CANCEL, reason, even_on_hold=True)
    signed = sa.exists().where(Record.case_id == case.id, Record.form == SIGNATURE)
    if session.scalar(sa.select(signed)):
        raise AlreadySigned
    items = session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES))).all()
    whom = _concerned(session, items)
    sequence = cases.next_sequence(case)
    if case.number is None:  # so that it is found again, and counted among those that were no case
        case.number = numbers.give(session, cases.office_code(session, case), numbers.KINDS[case.kind.value])
    cases.end_work(session, case)
    session.execute(
        sa.update(Packet)
        .where(Packet.case_id == case.id, Packet.withdrawn_at.is_(None))
        .values(withdrawn_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    case.state, case.ended_at, case.held_at, case.hold_reason = CaseState.OUT_OF_SCOPE, clock.now(), None, None
    journal.record(session, actor, "case:cancel", case_id=case.id, sequence=sequence, ground=ground, reason=reason)
    _tell(session, actor, case, whom, "cancelled")
    session.flush()
    return case


def _begin(session: Session, actor: Actor, reference: str, permission: Permission, reason: str, *, even_on_hold: bool = False) -> tuple[Case, str]:
    if not reason.strip():
        raise InvalidInput
    case = cases.lock(session, cases.by_reference(session, actor, reference, permission).id)
    if case.state in FINAL_STATES:
        raise CaseEnded
    if case.held_at is not None and not even_on_hold:
        raise CaseOnHold
    return case, reason.strip()[:MAX_REASON]


def _given(entry: Wanted, text: str) -> Any:
    """Return a value that was given by hand, in wire form.

    Raises:
        ValueMissing: the diagram decides on it and there is none, or it is no value.
    """
    text = text.strip()[:MAX_VALUE]
    value: Any = None
    if text and entry.kind == "choice":
        value = text if text in {code for code, _zh, _en in entry.options} else None
    elif text:
        try:
            found = feel.check(text)
            value = feel.evaluate(text, {}, feel.Environment(now=clock.now(), zone=clock.zone())) if found.error is None and not found.names else None
        except feel.FeelError:
            value = None
        if entry.kind == "truth" and not isinstance(value, bool):
            value = None
    if value is None and (entry.is_needed or text not in ("", "null")):
        raise ValueMissing(name=entry.label)
    return value


def _running(case: Case, keys: Sequence[str]) -> Any:
    return sa.select(Deadline).where(
        Deadline.case_id == case.id,
        Deadline.key.in_(keys),
        Deadline.task_id.is_(None),
        Deadline.met_at.is_(None),
        Deadline.withdrawn_at.is_(None),
    )


def _state_before(session: Session, case: Case, deployed: Deployed, place: Earlier) -> CaseState | None:
    """Return the state that a case had when a step was done: told by the journal, never a later one than now."""
    items = session.scalars(
        sa.select(WorkItem)
        .where(WorkItem.case_id == case.id, WorkItem.course == case.course, WorkItem.state == WorkItemState.COMPLETED)
        .order_by(WorkItem.completed_at, WorkItem.id)
    ).all()
    inside = ".".join([*place.path, place.element.id])
    mine = [item for item in items if item.id == place.task_id]
    mine = mine or [
        item for item in items if (item.element == place.element.id and item.path == ".".join(place.path)) or f"{item.path}.".startswith(f"{inside}.")
    ]
    if not mine:
        return None
    first = session.scalar(
        sa.select(sa.func.min(JournalEntry.id)).where(
            JournalEntry.case_id == case.id, JournalEntry.object_id == mine[0].id, JournalEntry.sequence.is_not(None)
        )
    )
    if first is None:
        return None
    elements = deployed.specification.elements
    found = CaseState.NOTIFIED if case.opened_at is None else CaseState.OPENED
    for detail in session.scalars(
        sa.select(JournalEntry.detail)
        .where(JournalEntry.case_id == case.id, JournalEntry.sequence.is_not(None), JournalEntry.id < first)
        .order_by(JournalEntry.id)
    ):
        for step in detail.get("walked", ()):
            state = elements[step].state if step in elements else None
            found = CaseState(state) if state is not None else found
    order = list(CaseState)
    return found if found not in FINAL_STATES and order.index(found) < order.index(case.state) else None


def _begin_clocks_now(session: Session, case: Case, deployed: Deployed, opened: Iterable[WorkItem]) -> None:
    """Let the clocks of steps that are done again begin now: the first ones stay, met or late, as they were kept."""
    values = profiles.values(session, case.profile_version_id)
    calendar = calendars.current(session, values.values.get("office_closes", "18:00"))
    for item in opened:
        plan = deployed.specification.elements[item.element].plan
        limit = values.limit(plan.limit) if plan is not None and plan.limit and not plan.due else None
        if limit is None:
            continue
        instants = limits.reckon(limit, clock.now(), calendar)
        for row in session.scalars(sa.select(Deadline).where(Deadline.task_id == item.id, Deadline.kind == DeadlineKind.LIMIT)):
            fresh = deadlines.row(case.id, limit.key, instants, task_id=item.id)
            row.start_at, row.amber_at, row.red_at, row.due_at = fresh.start_at, fresh.amber_at, fresh.red_at, fresh.due_at
            row.escalate_at, row.next_at = fresh.escalate_at, fresh.next_at
    session.flush()


def _concerned(session: Session, items: Iterable[WorkItem]) -> dict[UUID, tuple[WorkItem, list[UUID]]]:
    """Return, by step, whose task it is: who holds it, else all who may claim it."""
    found = {}
    for item in items:
        people = (
            [item.person_id]
            if item.person_id is not None
            else [person for person, _ in organisations.people_with(session, item.organisation_id, [item.role], clock.today())]
        )
        found[item.id] = (item, people)
    return found


def _tell(session: Session, actor: Actor, case: Case, whom: Mapping[UUID, tuple[WorkItem, list[UUID]]], kind: str) -> None:
    for item, people in whom.values():
        others = [person for person in people if person != actor.person_id]
        messages.write(session, others, kind, f"{kind}:{item.id}", case_id=case.id, work_item_id=item.id, element=item.element)


def _tell_again(session: Session, case: Case, opened: Iterable[WorkItem]) -> None:
    """Tell those who did a step before that it is to be done again."""
    for item in opened:
        people = session.scalars(
            sa.select(WorkItem.completed_by_id)
            .where(
                WorkItem.case_id == case.id,
                WorkItem.course == case.course,
                WorkItem.element == item.element,
                WorkItem.completed_by_id.is_not(None),
            )
            .distinct()
        ).all()
        found = [person for person in people if person is not None]
        messages.write(session, found, "again", f"again:{item.id}", case_id=case.id, work_item_id=item.id, element=item.element)
