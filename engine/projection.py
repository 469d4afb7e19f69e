"""Projection: what a workflow did, brought into rows: work items, clocks, messages awaited, the state of the case.

Only differences are written, a statement per table; the services a diagram wishes for are carried out in its order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engine import calendars, deadlines, feel, limits, messages, profiles, services
from engine.errors import StepFailed
from models import (
    FINAL_STATES,
    Case,
    CaseState,
    Record,
    RectificationItem,
    Role,
    Subscription,
    WorkflowScope,
    WorkItem,
    WorkItemState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.procedures import Deployed
    from engine.workflow import Item, Outcome


@dataclass(frozen=True)
class Command:
    """The command whose outcome is projected: on which case, by whom, with which record."""

    session: Session
    case: Case
    deployed: Deployed
    environment: feel.Environment
    actor: Actor | None = None
    record: Record | None = None


def load(session: Session, case: Case) -> dict[str, bytes]:
    """Return the running scopes of a case."""
    rows = session.execute(
        sa.select(WorkflowScope.scope, WorkflowScope.state).where(
            WorkflowScope.case_id == case.id, WorkflowScope.course == case.course, WorkflowScope.is_frozen.is_(False)
        )
    )
    return dict(rows.all())


def refresh(command: Command, outcome: Outcome, *, completed: UUID | None = None) -> list[WorkItem]:
    """Write what a workflow did.

    Args:
        completed: The work item that the command finished.

    Returns:
        The work items that were opened.

    Raises:
        StepFailed: an element names a person, an organisation or a service that cannot be found.
    """
    session, case = command.session, command.case
    with session.no_autoflush:
        _walked(command, outcome)
        _scopes(session, case, outcome)
        opened = [_work_item(command, item) for item in outcome.opened]
        session.add_all(item for item, _ in opened)
        session.add_all(deadline for _, deadline in opened if deadline is not None)
        now = command.environment.now
        session.add_all(deadlines.timer_row(case.id, timer.element, timer.task_id, timer.due_at, now) for timer in outcome.armed)
        if outcome.closed:
            session.execute(
                sa.update(WorkItem)
                .where(WorkItem.id.in_(outcome.closed))
                .values(state=WorkItemState.EXITED)
                .execution_options(synchronize_session=False)
            )
        deadlines.close(session, [completed] if completed else [], [*outcome.closed, *outcome.disarmed])
        _subscriptions(session, case, outcome)
        messages.put(
            session,
            [
                row
                for item, _ in opened
                if item.is_assigned and item.person_id is not None
                for row in messages.rows(
                    [item.person_id],
                    "again" if _leads_back(command, outcome, item) else "assigned",
                    f"assigned:{item.id}",
                    case_id=case.id,
                    work_item_id=item.id,
                    element=item.element,
                )
            ]
            + _again(command, outcome, [item for item, _ in opened if not item.is_assigned]),
        )
        if outcome.is_completed and case.state not in FINAL_STATES:
            raise StepFailed(element=None, reason="the diagram ended without a final state of the case")
        if case.state in FINAL_STATES and case.ended_at is None:
            case.ended_at = now
            deadlines.end(session, case)
    return [item for item, _ in opened]


def _leads_back(command: Command, outcome: Outcome, item: WorkItem) -> bool:
    """Tell whether the diagram came to a step from one that lies behind it: it is done again."""
    specification = command.deployed.specification
    outline = specification.processes[specification.elements[item.element].process].outline
    return not {element for element, _ in outcome.walked}.isdisjoint(outline[outline.index(item.element) + 1 :])


def _again(command: Command, outcome: Outcome, opened: list[WorkItem]) -> list[dict[str, Any]]:
    """Return messages to those who did a step before that the diagram now leads back to."""
    back = {item.element: item for item in opened if _leads_back(command, outcome, item)}
    if not back:
        return []
    before = command.session.execute(
        sa.select(WorkItem.element, WorkItem.completed_by_id)
        .where(
            WorkItem.case_id == command.case.id,
            WorkItem.course == command.case.course,
            WorkItem.element.in_(back),
            WorkItem.completed_by_id.is_not(None),
        )
        .order_by(WorkItem.completed_at)
    )
    return [
        row
        for element, person_id in dict(before.all()).items()
        if person_id is not None
        for row in messages.rows(
            [person_id], "again", f"again:{back[element].id}", case_id=command.case.id, work_item_id=back[element].id, element=element
        )
    ]


def _walked(command: Command, outcome: Outcome) -> None:
    """Go along the elements that were passed: states, clocks over several steps, services."""
    requests = iter(outcome.requests)
    met: list[str] = []
    for element_id, names in outcome.walked:
        element = command.deployed.specification.elements[element_id]
        if element.kind == "serviceTask":
            request = next(requests)
            services.carry_out(command, request)
        if element.state is not None:
            command.case.state = CaseState(element.state)
        for key, start in element.arms:
            limit = profiles.values(command.session, command.case.profile_version_id).limit(key)
            if limit is not None:
                began = _instant(command, start, names, element_id) if start else command.environment.now
                deadlines.arm(command.session, command.case, limit, clock_start=began)
        met += element.meets
    deadlines.meet(command.session, command.case, met)


def _scopes(session: Session, case: Case, outcome: Outcome) -> None:
    rows = [
        {"case_id": case.id, "course": case.course, "scope": scope, "is_frozen": frozen, "state": state}
        for blobs, frozen in ((outcome.scopes, False), (outcome.frozen, True))
        for scope, state in blobs.items()
    ]
    if not rows:
        return
    dialect = session.get_bind().dialect.name
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(WorkflowScope).values(rows)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["case_id", "course", "scope"],
            set_={"is_frozen": insert.excluded.is_frozen, "state": insert.excluded.state},
        )
    )


def _work_item(command: Command, item: Item) -> tuple[WorkItem, Any]:
    """Make the rows of an open task: the work item and, where the profile keeps one, its clock."""
    case, element = command.case, command.deployed.specification.elements[item.element]
    plan = element.plan
    if plan is None or element.role is None:
        raise StepFailed(element=item.element, reason="a task without a form or a lane")
    role = Role(computed(command, plan.role, item.variables, item.element)) if plan.role else Role(element.role)
    rectification_item_id = key_named(command, plan.item, item)
    if plan.organisation == "item":
        carried = command.session.get(RectificationItem, rectification_item_id) if rectification_item_id else None
        party = str(carried.organisation_id) if carried else None
    else:
        party = case.parties.get(plan.organisation or "owner")
    if party is None:
        raise StepFailed(element=item.element, reason=f"the case has no {plan.organisation}")
    person = key_named(command, plan.person, item)
    form = command.deployed.forms[plan.form]
    row = WorkItem(
        id=item.task_id,
        case_id=case.id,
        course=case.course,
        element=element.id,
        path=".".join(item.path),
        phase=element.phase,
        name=element.name,
        name_en=element.name_en,
        form=plan.form,
        audience=form.audience,
        role=role,
        organisation_id=UUID(party),
        is_assigned=person is not None,
        person_id=person,
        excluded_id=key_named(command, plan.exclude, item),
        rectification_item_id=rectification_item_id,
        variables=dict(item.variables),
        state=WorkItemState.RESERVED if person else WorkItemState.READY,
        offered_at=command.environment.now,
        claimed_at=command.environment.now if person else None,
    )
    return row, clock_row(command, item, row)


def clock_row(command: Command, item: Item, row: WorkItem) -> Any:
    """Return the clock of an open task, reckoned from now or from where its step says; None without a limit."""
    plan = command.deployed.specification.elements[item.element].plan
    assert plan is not None
    values = profiles.values(command.session, command.case.profile_version_id)
    calendar = calendars.current(command.session, values.values.get("office_closes", "18:00"))
    start = _instant(command, plan.clock_start, item.variables, item.element) if plan.clock_start else command.environment.now
    start = min(start, command.environment.now)
    if plan.due:
        end = feel.from_wire(computed(command, plan.due, item.variables, item.element))
        if isinstance(end, date) and not isinstance(end, datetime):
            end = limits.end_of_day(end, calendar)
        if not isinstance(end, datetime) or end.tzinfo is None:
            return None
        return deadlines.row(command.case.id, plan.limit or item.element, limits.until(start, end), task_id=row.id)
    limit = values.limit(plan.limit) if plan.limit else None
    return deadlines.row(command.case.id, limit.key, limits.reckon(limit, start, calendar), task_id=row.id) if limit else None


def computed(command: Command, text: str | None, names: Mapping[str, Any], element: str) -> Any:
    """Return what an expression of a step comes to; None without one.

    Raises:
        StepFailed: it cannot be computed.
    """
    if text is None:
        return None
    try:
        return feel.evaluate(text, names, command.environment)
    except feel.FeelError as error:
        raise StepFailed(element=element, reason=str(error)) from error


def key_named(command: Command, text: str | None, item: Item) -> UUID | None:
    """Return the key of somebody or something that an expression of a step names.

    Raises:
        StepFailed: it cannot be computed, or is no key.
    """
    value = computed(command, text, item.variables, item.element)
    try:
        return UUID(value) if value else None
    except (TypeError, ValueError):
        raise StepFailed(element=item.element, reason=f"{text!r} is no key") from None


def _instant(command: Command, text: str | None, names: Mapping[str, Any], element: str) -> datetime:
    value = feel.from_wire(computed(command, text, names, element))
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise StepFailed(element=element, reason=f"{text!r} is no instant")
    return value


def _subscriptions(session: Session, case: Case, outcome: Outcome) -> None:
    if outcome.unawaited:
        session.execute(sa.delete(Subscription).where(Subscription.case_id == case.id, Subscription.task_id.in_(outcome.unawaited)))
    session.add_all(Subscription(case_id=case.id, task_id=task_id, message=message, element=element) for task_id, message, element in outcome.awaited)
