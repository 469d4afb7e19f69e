"""Version changes: running cases moved to another version of their procedure; what is written, claimed and due stays.

A plan says who can follow and who cannot, and why; a move takes one case, under its lock, in its own transaction, and keeps
what is needed to take it back until the next act on the case.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import cases, clock, deadlines, environment, feel, forms, journal, messages, permissions, procedures, projection, workflow
from engine.errors import ApprovalNeeded, CannotFollow, CaseEnded, InvalidInput, NotFound, NotNow, StepFailed
from engine.permissions import Permission
from engine.projection import Command
from engine.workflow import moving
from engine.workflow.moving import Moved, Note
from models import (
    OPEN_STATES,
    Case,
    Deadline,
    DeadlineKind,
    Draft,
    ProcedureApproval,
    ProcedureVersion,
    Role,
    Subscription,
    VersionChange,
    VersionChangeScope,
    WorkflowScope,
    WorkItem,
    WorkItemState,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.procedures import Deployed

MAX_TRIED_CASES = 60
"""How many cases of a plan have their open steps finished in memory; a move does so for each."""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What becomes of an open work item.

    Attributes:
        element, new_element: Its step in the version the case leaves, and in the new one.
        changes: What differs: `element`, `name`, `form`, `fields`, `audience`, `role`, `organisation`, `limit`, `person`, `exclude`.
        drafts: How many people have a draft of it.
        homeless: How many answers of those drafts have no field in the new form, or one of another kind.
        is_held: Somebody has claimed it, and keeps it.
    """

    item_id: UUID
    element: str
    new_element: str
    changes: tuple[str, ...]
    drafts: int = 0
    homeless: int = 0
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class CasePlan:
    """Whether one case can follow, and what becomes of its work."""

    case_id: UUID
    reference: str
    version_id: UUID
    number: int
    open_elements: tuple[str, ...]
    obstacles: tuple[Note, ...]
    remarks: tuple[Note, ...]
    items: tuple[ItemChange, ...]

    @property
    def can_follow(self) -> bool:
        """Nothing stands in the way."""
        return not self.obstacles


@dataclass
class Group:
    """Cases that stand at the same steps of the same version and fare alike."""

    version_id: UUID
    number: int
    open_elements: tuple[str, ...]
    obstacles: tuple[Note, ...]
    remarks: tuple[Note, ...]
    cases: list[CasePlan] = field(default_factory=list)

    @property
    def can_follow(self) -> bool:
        """Nothing stands in the way of these cases."""
        return not self.obstacles

    def items(self) -> list[tuple[str, str, tuple[str, ...], int, int, int, int]]:
        """Return what becomes of the open work: step, new step, changes, how many, held, drafts, answers without a field."""
        found: dict[tuple[str, str, tuple[str, ...]], list[ItemChange]] = {}
        for case in self.cases:
            for item in case.items:
                found.setdefault((item.element, item.new_element, item.changes), []).append(item)
        return [
            (*key, len(items), sum(item.is_held for item in items), sum(item.drafts for item in items), sum(item.homeless for item in items))
            for key, items in sorted(found.items())
        ]


@dataclass(frozen=True)
class Result:
    """What came of moving one case: the plan for it, and what was kept; nothing when it stood there already, or for a dry run."""

    plan: CasePlan
    change: VersionChange | None
    is_new: bool


# ── the plan ──


def running(session: Session, actor: Actor, version: ProcedureVersion, *, from_numbers: Collection[int] = ()) -> list[Case]:
    """Return the running cases of a procedure that are on other versions than this and in the actor's part of the tree.

    Args:
        from_numbers: Only those on these versions.
    """
    conditions = [
        ProcedureVersion.procedure_id == version.procedure_id,
        Case.procedure_version_id != version.id,
        Case.ended_at.is_(None),
        permissions.visible(actor, Permission.PROCEDURE_MIGRATE),
    ]
    if from_numbers:
        conditions.append(ProcedureVersion.number.in_(tuple(from_numbers)))
    return list(
        session.scalars(
            sa.select(Case)
            .join(ProcedureVersion, ProcedureVersion.id == Case.procedure_version_id)
            .where(*conditions)
            .options(sa.orm.joinedload(Case.procedure_version))
            .order_by(Case.number.is_(None), Case.number, Case.id)
        )
    )


def plan(
    session: Session, actor: Actor, version: ProcedureVersion, *, mapping: Mapping[str, str] | None = None, from_numbers: Collection[int] = ()
) -> list[Group]:
    """Say which running cases can follow to a version, which cannot and why, in groups; nothing is written.

    Args:
        mapping: Elements that were renamed: id in the version a case leaves → id in the new one.
    """
    found: dict[Any, Group] = {}
    for place, case in enumerate(running(session, actor, version, from_numbers=from_numbers)):
        planned, _moved, _command = _examine(session, actor, case, version, mapping or {}, tries=place < MAX_TRIED_CASES)
        key = (planned.version_id, planned.open_elements, _told(planned.obstacles), _told(planned.remarks))
        group = found.get(key)
        if group is None:
            group = found[key] = Group(planned.version_id, planned.number, planned.open_elements, planned.obstacles, planned.remarks)
        group.cases.append(planned)
    return sorted(found.values(), key=lambda group: (group.can_follow, -len(group.cases), group.open_elements))


def _told(notes: Iterable[Note]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({(note.code, note.element) for note in notes}))


def _examine(
    session: Session, actor: Actor | None, case: Case, version: ProcedureVersion, mapping: Mapping[str, str], *, tries: bool
) -> tuple[CasePlan, Moved, Command]:
    """Work out in memory what a move would do to a case."""
    old, new = procedures.deployed(session, case.procedure_version_id), procedures.deployed(session, version.id)
    surroundings = environment.of_case(session, case, version.id)
    moved = moving.move(old.specification, new.specification, projection.load(session, case), mapping, surroundings, tries=tries)
    command = Command(session, case, new, surroundings, actor)
    obstacles, items = list(moved.obstacles), []
    if not obstacles:
        rows = {row.id: row for row in session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES)))}
        drafts: dict[UUID, list[Mapping[str, Any]]] = {}
        for item_id, answers in session.execute(sa.select(Draft.work_item_id, Draft.answers).where(Draft.work_item_id.in_(rows))):
            drafts.setdefault(item_id, []).append(answers)
        for before, after in moved.items:
            row = rows.get(before.task_id)
            if row is None:
                obstacles.append(Note("unstorable", before.element, "no row"))
                continue
            try:
                items.append(_item_change(command, old, row, before, after, drafts.get(row.id, [])))
            except _Obstacle as obstacle:
                obstacles.append(obstacle.note)
    open_elements = tuple(sorted(set(moved.open_elements)))
    return (
        CasePlan(
            case.id,
            cases.reference(session, case),
            case.procedure_version_id,
            case.procedure_version.number,
            open_elements,
            tuple(dict.fromkeys(obstacles)),
            tuple(dict.fromkeys(moved.remarks)),
            tuple(items),
        ),
        moved,
        command,
    )


class _Obstacle(Exception):
    """A work item that has no place under the new version."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.code)
        self.note = note


@dataclass(frozen=True)
class _Target:
    """What a work item's row says under the new version."""

    role: Role
    organisation_id: UUID
    person_id: UUID | None
    is_assigned: bool
    excluded_id: UUID | None
    rectification_item_id: UUID | None


def _target(command: Command, row: WorkItem, item: workflow.Item) -> _Target:
    """Work out whose an open work item is by the new version; whoever holds it keeps it.

    Raises:
        _Obstacle: it names nobody's queue, or its holder must not do it any more.
    """
    element = command.deployed.specification.elements[item.element]
    plan = element.plan
    if plan is None or plan.form not in command.deployed.forms or (plan.role is None and element.role is None):
        raise _Obstacle(Note("kind_changed", row.element))
    try:
        role = Role(projection.computed(command, plan.role, item.variables, item.element) if plan.role else element.role)
        keyed = {name: projection.key_named(command, getattr(plan, name), item) for name in ("person", "exclude", "item")}
        party = str(row.organisation_id) if plan.organisation == "item" else command.case.parties.get(plan.organisation or "owner")
    except (StepFailed, ValueError) as error:
        raise _Obstacle(Note("expression", row.element, str(getattr(error, "reason", ""))[:200])) from None
    if party is None:
        raise _Obstacle(Note("no_party", row.element))
    person, excluded, is_assigned = row.person_id, keyed["exclude"], row.is_assigned and plan.person is not None
    if row.state is WorkItemState.READY and keyed["person"] is not None:
        person, is_assigned = keyed["person"], True
    if excluded is not None and excluded == person:
        raise _Obstacle(Note("four_eyes", row.element))
    return _Target(role, UUID(party), person, is_assigned, excluded, keyed["item"] or row.rectification_item_id)


def _item_change(
    command: Command, old: Deployed, row: WorkItem, before: workflow.Item, after: workflow.Item, drafts: list[Mapping[str, Any]]
) -> ItemChange:
    target = _target(command, row, after)
    was, now = old.specification.elements[before.element], command.deployed.specification.elements[after.element]
    assert now.plan is not None
    form = command.deployed.forms[now.plan.form]
    changes = []
    if before.element != after.element:
        changes.append("element")
    if (row.name, row.name_en) != (now.name, now.name_en):
        changes.append("name")
    if row.form != now.plan.form:
        changes.append("form")
    elif row.form in old.forms and old.forms[row.form].fields != form.fields:
        changes.append("fields")
    if row.audience != form.audience:
        changes.append("audience")
    if row.role is not target.role:
        changes.append("role")
    if row.organisation_id != target.organisation_id:
        changes.append("organisation")
    if was.plan is None or _clock_of(was.plan) != _clock_of(now.plan):
        changes.append("limit")
    if row.person_id != target.person_id or row.is_assigned != target.is_assigned:
        changes.append("person")
    if row.excluded_id != target.excluded_id:
        changes.append("exclude")
    homeless = sum(_homeless(form.fields, answers) for answers in drafts) if {"form", "fields"} & set(changes) else 0
    return ItemChange(row.id, before.element, after.element, tuple(changes), len(drafts), homeless, row.state is WorkItemState.RESERVED)


def _clock_of(plan: workflow.Plan) -> tuple[str | None, ...]:
    return plan.limit, plan.due, plan.clock_start


_SHAPES = {"group": Mapping, "dynamiclist": list, "checklist": list, "checkbox": bool}


def _homeless(fields: Iterable[forms.Field], answers: Mapping[str, Any]) -> int:
    """Count the answers that no field of a form takes up."""
    known: dict[str, forms.Field] = {}

    def gather(entries: Iterable[forms.Field]) -> None:
        for entry in entries:
            if entry.type == "group" and not entry.key:
                gather(entry.fields)
            elif entry.key:
                known[entry.key] = entry

    gather(fields)
    count = 0
    for key, value in answers.items():
        if value is None or value in ("", [], {}):
            continue
        entry = known.get(key)
        shape = _SHAPES.get(entry.type) if entry is not None else None
        if entry is None or (shape is not None and not isinstance(value, shape)) or (shape is None and isinstance(value, list) and not entry.fields):
            count += 0 if entry is not None and isinstance(value, list) and entry.type == "filepicker" else 1
        elif entry.type == "group":
            count += _homeless(entry.fields, value)
        elif entry.type == "dynamiclist":
            count += sum(_homeless(entry.fields, {name: inner for name, inner in row.items() if name != "row_id"}) for row in value)
    return count


# ── the move ──


def move(
    session: Session,
    actor: Actor,
    case_id: UUID,
    version: ProcedureVersion,
    *,
    mapping: Mapping[str, str] | None = None,
    reason: str = "",
    reckons: bool = False,
    dry_run: bool = False,
) -> Result:
    """Move a running case to another version of its procedure.

    Its open work stays with whoever has it, with what is written; no instant of a clock that runs changes. Timers that are due
    fire first, under the version the case leaves. The same move twice is one.

    Args:
        mapping: Elements that were renamed: id in the version the case leaves → id in the new one.
        reckons: Whether the clock of an open step whose limit the new version changes is reckoned anew.
        dry_run: Nothing stays of it.

    Raises:
        CannotFollow: something stands in the way; `plan` says what.
        ApprovalNeeded: a second person's verdict on the version is asked for and not given, or it was a refusal.
        InvalidInput: no reason is given, or the version is of another procedure.
        CaseEnded: it is over.
        NotFound: there is no such case in the actor's part of the tree.
    """
    if not reason.strip() and not dry_run:
        raise InvalidInput
    if session.scalar(sa.select(Case.id).where(Case.id == case_id, permissions.visible(actor, Permission.PROCEDURE_MIGRATE))) is None:
        raise NotFound
    if not dry_run:
        asked = session.get(ProcedureApproval, version.id)
        if asked is not None and not asked.is_approved:
            raise ApprovalNeeded
        return _move(session, actor, cases.lock(session, case_id), version, mapping or {}, reason, reckons)
    attempt = session.begin_nested()
    try:
        return Result(_move(session, actor, cases.lock(session, case_id), version, mapping or {}, reason, reckons).plan, None, False)
    finally:
        attempt.rollback()


def _move(session: Session, actor: Actor, case: Case, version: ProcedureVersion, mapping: Mapping[str, str], reason: str, reckons: bool) -> Result:
    left = session.get_one(ProcedureVersion, case.procedure_version_id)
    if left.procedure_id != version.procedure_id:
        raise InvalidInput
    if case.ended_at is not None:
        raise CaseEnded
    if left.id == version.id:
        return Result(CasePlan(case.id, cases.reference(session, case), left.id, left.number, (), (), (), ()), None, False)
    _catch_up(session, case)
    if case.ended_at is not None:
        raise CaseEnded
    planned, moved, command = _examine(session, actor, case, version, mapping, tries=True)
    if planned.obstacles:
        raise CannotFollow(planned)
    kept = _Kept()
    change = VersionChange(
        id=new_id(),
        case_id=case.id,
        from_version_id=left.id,
        to_version_id=version.id,
        revision=case.revision + 1,
        mapping=dict(mapping),
        reason=reason.strip()[:500] or None,
        made_by_id=actor.person_id,
        made_at=clock.now(),
    )
    session.add(change)
    session.flush()
    _write_scopes(session, case, change, moved)
    changes = {entry.item_id: entry for entry in planned.items}
    for _before, after in moved.items:
        row = session.get_one(WorkItem, after.task_id, populate_existing=True)
        _write_item(command, row, after, kept)
        if reckons and "limit" in changes[row.id].changes:
            _reckon(command, row, after, kept)
        _rename_clock(session, row, changes[row.id], kept)
    _write_clocks(command, moved, kept)
    _write_subscriptions(session, case, moved, kept)
    case.procedure_version_id = version.id
    sequence = cases.next_sequence(case)
    change.revision, change.before = sequence, kept.plain()
    journal.record(
        session,
        actor,
        "case:change-version",
        case_id=case.id,
        object_id=change.id,
        sequence=sequence,
        left=left.number,
        number=version.number,
        reason=reason.strip()[:500],
        mapping=dict(mapping),
    )
    session.flush()
    session.expire(case, ["procedure_version"])
    return Result(planned, change, True)


def _catch_up(session: Session, case: Case) -> None:
    """Fire the timers that are due, under the version the case leaves: what was due before the move is not put off by it."""
    due = session.scalar(
        sa.select(Deadline).where(Deadline.case_id == case.id, Deadline.kind == DeadlineKind.TIMER, Deadline.next_at <= clock.now()).limit(1)
    )
    if due is not None:
        cases.act(session, None, case, workflow.fire_timers, "timer:fire", element=due.key)


def _write_scopes(session: Session, case: Case, change: VersionChange, moved: Moved) -> None:
    rows = session.scalars(
        sa.select(WorkflowScope).where(WorkflowScope.case_id == case.id, WorkflowScope.course == case.course, WorkflowScope.scope.in_(moved.scopes))
    ).all()
    for row in rows:
        session.add(VersionChangeScope(change_id=change.id, scope=row.scope, is_frozen=row.is_frozen, state=row.state))
        row.state = moved.scopes[row.scope]
    session.flush()


@dataclass
class _Kept:
    """What a move changed, as it was and as it is now: enough to take it back."""

    rows: dict[str, dict[str, dict[str, list[Any]]]] = field(default_factory=lambda: {"work_items": {}, "deadlines": {}})
    added: list[str] = field(default_factory=list)
    unawaited: list[list[str]] = field(default_factory=list)
    awaited: list[list[str]] = field(default_factory=list)

    def set(self, table: str, row: Any, **values: Any) -> None:
        """Change columns of a row and keep what they were."""
        for name, value in values.items():
            was = getattr(row, name)
            if was != value:
                self.rows[table].setdefault(str(row.id), {})[name] = [_plain(was), _plain(value)]
                setattr(row, name, value)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {**self.rows, "added": self.added, "unawaited": self.unawaited, "awaited": self.awaited}


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _typed(column: Any, value: Any) -> Any:
    """Return a value of a column from how JSON keeps it."""
    if value is None:
        return None
    kind = getattr(column.type, "kind", None)
    if kind is not None:
        return kind(value)
    if isinstance(column.type, sa.Uuid):
        return UUID(value)
    return datetime.fromisoformat(value) if type(column.type).__name__ == "Instant" else value


def _write_item(command: Command, row: WorkItem, item: workflow.Item, kept: _Kept) -> None:
    """Bring the row of an open step in line with the new version."""
    element = command.deployed.specification.elements[item.element]
    plan, target = element.plan, _target(command, row, item)
    assert plan is not None
    kept.set(
        "work_items",
        row,
        element=element.id,
        path=".".join(item.path),
        phase=element.phase,
        name=element.name,
        name_en=element.name_en,
        form=plan.form,
        audience=command.deployed.forms[plan.form].audience,
        role=target.role,
        organisation_id=target.organisation_id,
        is_assigned=target.is_assigned,
        excluded_id=target.excluded_id,
        rectification_item_id=target.rectification_item_id,
    )
    if row.person_id != target.person_id and target.person_id is not None:
        kept.set("work_items", row, person_id=target.person_id, state=WorkItemState.RESERVED, claimed_at=clock.now())
        messages.write(
            command.session, [target.person_id], "assigned", f"assigned:{row.id}", case_id=row.case_id, work_item_id=row.id, element=row.element
        )


def _own_clock(session: Session, row: WorkItem) -> Deadline | None:
    return session.scalar(
        sa.select(Deadline).where(
            Deadline.task_id == row.id, Deadline.kind == DeadlineKind.LIMIT, Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None)
        )
    )


def _reckon(command: Command, row: WorkItem, item: workflow.Item, kept: _Kept) -> None:
    """Reckon the clock of an open step anew, from when it was offered; what was told stays told."""
    plan = command.deployed.specification.elements[item.element].plan
    assert plan is not None
    then = Command(command.session, command.case, command.deployed, _at(command.environment, row.offered_at), command.actor)
    wanted, running = projection.clock_row(then, item, row), _own_clock(command.session, row)
    if wanted is None and running is not None:
        kept.set("deadlines", running, withdrawn_at=clock.now(), next_at=None)
    elif wanted is not None and running is None:
        command.session.add(wanted)
        kept.added.append(str(wanted.id))
    elif wanted is not None and running is not None:
        kept.set(
            "deadlines",
            running,
            key=wanted.key,
            start_at=wanted.start_at,
            amber_at=wanted.amber_at,
            red_at=wanted.red_at,
            due_at=wanted.due_at,
            escalate_at=wanted.escalate_at,
        )
        kept.set("deadlines", running, next_at=deadlines.next_instant(running))


def _at(surroundings: feel.Environment, moment: datetime) -> feel.Environment:
    return replace(surroundings, now=moment)


def _rename_clock(session: Session, row: WorkItem, change: ItemChange, kept: _Kept) -> None:
    """Let the clock of a renamed step that has no limit of the profile follow its name."""
    running = _own_clock(session, row) if change.element != change.new_element else None
    if running is not None and running.key == change.element:
        kept.set("deadlines", running, key=change.new_element)


def _write_clocks(command: Command, moved: Moved, kept: _Kept) -> None:
    session, case, now = command.session, command.case, command.environment.now
    gone, renamed = set(moved.disarmed), dict(moved.retitled)
    for row in session.scalars(
        sa.select(Deadline).where(
            Deadline.kind == DeadlineKind.TIMER,
            Deadline.task_id.in_([*gone, *renamed]),
            Deadline.met_at.is_(None),
            Deadline.withdrawn_at.is_(None),
        )
    ):
        if row.task_id in gone:
            kept.set("deadlines", row, withdrawn_at=now, next_at=None)
        else:
            kept.set("deadlines", row, key=renamed[row.task_id])  # type: ignore[index]
    for timer in moved.armed:
        row = deadlines.timer_row(case.id, timer.element, timer.task_id, timer.due_at, now)
        session.add(row)
        kept.added.append(str(row.id))


def _write_subscriptions(session: Session, case: Case, moved: Moved, kept: _Kept) -> None:
    rows = session.scalars(sa.select(Subscription).where(Subscription.case_id == case.id, Subscription.task_id.in_(moved.unawaited))).all()
    for row in rows:
        kept.unawaited.append([str(row.task_id), row.message, row.element])
        session.delete(row)
    session.flush()
    for task_id, message, element in moved.awaited:
        session.add(Subscription(case_id=case.id, task_id=task_id, message=message, element=element))
        kept.awaited.append([str(task_id), message, element])


# ── taking it back ──


def undo(session: Session, actor: Actor, change_id: UUID, version: ProcedureVersion | None = None) -> Case:
    """Take a move back, as long as nothing was done on the case since: its state is what it was, byte for byte.

    What people claimed or wrote meanwhile stays.

    Args:
        version: The version to which the case was moved, where the page tells it; a move to another is not found.

    Raises:
        NotNow: the case has gone on, or the move was taken back before.
        NotFound: there is no such move in the actor's part of the tree.
    """
    change = session.get(VersionChange, change_id)
    if (
        change is None
        or (version is not None and change.to_version_id != version.id)
        or session.scalar(sa.select(Case.id).where(Case.id == change.case_id, permissions.visible(actor, Permission.PROCEDURE_MIGRATE))) is None
    ):
        raise NotFound
    case = cases.lock(session, change.case_id)
    session.refresh(change)
    if change.undone_at is not None or case.revision != change.revision or case.procedure_version_id != change.to_version_id:
        raise NotNow
    before = change.before
    session.execute(sa.delete(Deadline).where(Deadline.id.in_([UUID(key) for key in before["added"]])))
    for table, model in (("work_items", WorkItem), ("deadlines", Deadline)):
        for key, columns in before[table].items():
            row = session.get_one(model, UUID(key), populate_existing=True)
            _restore(row, columns)
    for task_id, message, _element in before["awaited"]:
        session.execute(
            sa.delete(Subscription).where(Subscription.case_id == case.id, Subscription.task_id == UUID(task_id), Subscription.message == message)
        )
    for task_id, message, element in before["unawaited"]:
        session.add(Subscription(case_id=case.id, task_id=UUID(task_id), message=message, element=element))
    for kept in session.scalars(sa.select(VersionChangeScope).where(VersionChangeScope.change_id == change.id)):
        row = session.get_one(WorkflowScope, (case.id, case.course, kept.scope))
        row.state, row.is_frozen = kept.state, kept.is_frozen
    case.procedure_version_id = change.from_version_id
    sequence = cases.next_sequence(case)
    change.undone_at, change.undone_by_id = clock.now(), actor.person_id
    journal.record(
        session,
        actor,
        "case:undo-version",
        case_id=case.id,
        object_id=change.id,
        sequence=sequence,
        left=session.get_one(ProcedureVersion, change.to_version_id).number,
        number=session.get_one(ProcedureVersion, change.from_version_id).number,
    )
    session.flush()
    session.expire(case, ["procedure_version"])
    return case


CLAIM = frozenset({"state", "person_id", "claimed_at", "is_assigned"})


def _restore(row: Any, columns: Mapping[str, list[Any]]) -> None:
    """Give columns back what they held; a claim that was made or passed on since is its holder's."""
    table = type(row).__table__.columns
    touched = any(_plain(getattr(row, name)) != columns[name][1] for name in CLAIM & set(columns)) or (
        "is_assigned" in columns and "person_id" not in columns and row.person_id is None and columns["is_assigned"][0]
    )
    for name, (was, _is) in columns.items():
        if name in CLAIM and touched:
            continue
        setattr(row, name, _typed(table[name], was))


# ── what was done ──


@dataclass(frozen=True, slots=True)
class Made:
    """A move that was made: from which version, whether it can still be taken back."""

    change: VersionChange
    reference: str
    left: int
    number: int
    can_undo: bool


def made(session: Session, actor: Actor, version: ProcedureVersion, *, limit: int = 200) -> list[Made]:
    """Return the moves to a version that an actor may see, newest first."""
    rows = session.execute(
        sa.select(VersionChange, Case, ProcedureVersion.number)
        .join(Case, Case.id == VersionChange.case_id)
        .join(ProcedureVersion, ProcedureVersion.id == VersionChange.from_version_id)
        .where(VersionChange.to_version_id == version.id, permissions.visible(actor, Permission.PROCEDURE_MIGRATE))
        .order_by(VersionChange.made_at.desc(), VersionChange.id.desc())
        .limit(limit)
    )
    return [
        Made(
            change,
            cases.reference(session, case),
            left,
            version.number,
            change.undone_at is None and case.revision == change.revision and case.procedure_version_id == change.to_version_id,
        )
        for change, case, left in rows
    ]


def of_case(session: Session, case: Case) -> list[VersionChange]:
    """Return the moves of a case that were not taken back, in their order."""
    return list(
        session.scalars(
            sa.select(VersionChange).where(VersionChange.case_id == case.id, VersionChange.undone_at.is_(None)).order_by(VersionChange.made_at)
        )
    )
