"""Rectification items: raised from the approved plan, done by their owner, verified by somebody else, extended, found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from engine import cases, clock, feel, journal, numbers, permissions, records
from engine.errors import NotFound, StepFailed
from engine.permissions import Permission
from engine.services import service
from models import CaseParty, ItemState, Organisation, Record, RectificationItem, WorkItem, WorkItemState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.projection import Command

PLAN = "rectification_plan"
OVER = (ItemState.VERIFIED, ItemState.CANCELLED)


def visible(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on `rectification_items` under which an actor sees one.

    Its owner; whoever has a work item about it; those who read rectification within their part of the tree.
    """
    prefixes = permissions.reaches(actor, Permission.RECTIFICATION_READ)
    owned = RectificationItem.owner_id == actor.person_id
    own_work = sa.exists().where(WorkItem.rectification_item_id == RectificationItem.id, permissions.mine_or_claimable(actor))
    if not prefixes:
        return sa.or_(owned, own_work)
    unit = sa.orm.aliased(Organisation)
    area = sa.exists().where(
        CaseParty.case_id == RectificationItem.case_id,
        CaseParty.capacity.in_(("owner", "administration")),
        CaseParty.organisation_id == unit.id,
        permissions.within(unit.path, prefixes),
    )
    own_unit = sa.exists().where(RectificationItem.organisation_id == unit.id, permissions.within(unit.path, prefixes))
    return sa.or_(owned, own_work, own_unit, area)


def find(
    session: Session, actor: Actor, *, state: ItemState | None = None, is_open: bool | None = None, page: int = 1, per_page: int = 25
) -> tuple[list[RectificationItem], int]:
    """Return a page of the items an actor sees, the earliest due first, and how many there are."""
    condition = [visible(actor)]
    if state is not None:
        condition.append(RectificationItem.state == state)
    if is_open is not None:
        condition.append(RectificationItem.state.not_in(OVER) if is_open else RectificationItem.state.in_(OVER))
    base = sa.select(RectificationItem).where(*condition)
    count = session.scalar(base.with_only_columns(sa.func.count())) or 0
    rows = session.scalars(
        base.options(joinedload(RectificationItem.owner), joinedload(RectificationItem.organisation), joinedload(RectificationItem.verified_by))
        .order_by(RectificationItem.state.in_(OVER), RectificationItem.due_on, RectificationItem.number)
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return list(rows), count


def read(session: Session, actor: Actor, number: str) -> RectificationItem:
    """Return an item an actor sees, and journal the reading.

    Raises:
        NotFound: not there, or not visible.
    """
    item = session.scalar(
        sa.select(RectificationItem)
        .options(joinedload(RectificationItem.owner), joinedload(RectificationItem.organisation), joinedload(RectificationItem.verified_by))
        .where(RectificationItem.number == number, visible(actor))
    )
    if item is None:
        raise NotFound
    journal.record(session, actor, "rectification:read", case_id=item.case_id, object_id=item.id)
    return item


def of_case(session: Session, actor: Actor, case_id: UUID) -> list[RectificationItem]:
    """Return the items of a case that an actor sees: another unit's stay with that unit and the office."""
    return list(
        session.scalars(
            sa.select(RectificationItem)
            .options(joinedload(RectificationItem.owner), joinedload(RectificationItem.organisation))
            .where(RectificationItem.case_id == case_id, visible(actor))
            .order_by(RectificationItem.number)
        )
    )


def facts(session: Session, item_id: UUID) -> dict[str, Any]:
    """Return what a form knows of the item it is about, in wire form: the item and its reason, not the case."""
    item = session.get(RectificationItem, item_id)
    if item is None:
        return {}
    return {
        "number": item.number,
        "issue": item.issue,
        "action": item.action,
        "done_when": item.done_when,
        "state": item.state.value,
        "resources": item.resources,
        "start_on": feel.to_wire(item.start_on),
        "due_on": feel.to_wire(item.due_on),
        "extensions": item.extensions,
    }


@service
def raise_items(command: Command, arguments: Mapping[str, Any]) -> None:
    """Raise the items of the approved rectification plan; one that exists is left as it is.

    Source:
        Review procedures, §9.
    """
    session, case = command.session, command.case
    record = records.current(session, case.id, PLAN)
    if record is None:
        raise StepFailed(element=None, reason="no plan")
    known = set(session.scalars(sa.select(RectificationItem.id).where(RectificationItem.case_id == case.id)))
    wanted = [row for row in record.answers.get("items", []) if UUID(row["row_id"]) not in known]
    given = numbers.several(session, cases.office_code(session, case), "ZG", len(wanted))
    for row, number in zip(wanted, given, strict=True):
        start, due = feel.from_wire(row["start"]), feel.from_wire(row["due"])
        session.add(
            RectificationItem(
                id=UUID(row["row_id"]),
                number=number,
                case_id=case.id,
                record_id=record.id,
                issue=row["issue"],
                factor=row.get("factor"),
                level=row["level"],
                kind=row["type"],
                action=row["action"],
                done_when=row["done_when"],
                resources=row.get("resources"),
                owner_id=UUID(row["owner"]),
                organisation_id=UUID(row["unit"]),
                start_on=start,
                due_on=due,
                first_due_on=due,
                state=ItemState.OPEN,
            )
        )
    session.flush()


@service
def note_item(command: Command, arguments: Mapping[str, Any]) -> None:
    """Note how far an item (`item`) has come (`state`: submitted, returned, verified, cancelled, extended).

    `by` is the person who verified it, `due_on` its new date.
    """
    item = command.session.get(RectificationItem, UUID(arguments["item"]))
    if item is None:
        raise StepFailed(element=None, reason="no such item")
    if arguments["state"] == "extended":
        due: date = feel.from_wire(arguments["due_on"])
        item.due_on, item.extensions, item.state = max(due, item.start_on), item.extensions + 1, ItemState.OPEN
        return
    item.state = ItemState(arguments["state"])
    if item.state is ItemState.VERIFIED:
        item.verified_by_id = UUID(arguments["by"])
    if item.state in OVER:
        item.ended_at = clock.now()


def steps(session: Session, item: RectificationItem) -> list[WorkItem]:
    """Return the steps of an item, done and open, in order."""
    return list(
        session.scalars(
            sa.select(WorkItem)
            .options(joinedload(WorkItem.completed_by), joinedload(WorkItem.person))
            .where(WorkItem.rectification_item_id == item.id, WorkItem.state != WorkItemState.EXITED)
            .order_by(WorkItem.offered_at, WorkItem.id)
        )
    )


def reports(session: Session, item_id: UUID) -> list[Record]:
    """Return what was reported and decided about an item, in order."""
    return list(
        session.scalars(
            sa.select(Record)
            .options(joinedload(Record.submitted_by))
            .join(WorkItem, WorkItem.id == Record.work_item_id)
            .where(WorkItem.rectification_item_id == item_id)
            .order_by(Record.submitted_at, Record.id)
        )
    )
