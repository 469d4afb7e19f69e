"""Messages: what concerns the person, read here."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from engine import messages, packets, permissions, profiles, work_items
from models import Case, Message, Role, WorkItem, WorkItemState
from web import words
from web.guards import signed_in
from web.language import either

views = Blueprint("messages", __name__, url_prefix="/messages")


@dataclass(frozen=True)
class Shown:
    """A message in words: what it says, of which case and unit, and where it leads."""

    message: Message
    text: str
    number: str
    unit: str
    leads_to: str
    is_task: bool
    is_settled: bool


@views.get("")
@signed_in()
def index() -> ResponseReturnValue:
    """List a person's messages, unread ones first."""
    return render_template("account/messages.html", messages=shown(messages.inbox(g.session, g.actor.person_id)))


def shown(inbox: list[Message]) -> list[Shown]:
    """Return messages with the words and links that this person may have."""
    item_ids = {message.work_item_id for message in inbox if message.work_item_id}
    case_ids = {message.case_id for message in inbox if message.case_id}
    items = {
        item.id: item for item in g.session.scalars(sa.select(WorkItem).options(joinedload(WorkItem.organisation)).where(WorkItem.id.in_(item_ids)))
    }
    cases = {case.id: case for case in g.session.scalars(sa.select(Case).where(Case.id.in_(case_ids)))}
    seen = set(g.session.scalars(sa.select(Case.id).where(Case.id.in_(case_ids), permissions.visible(g.actor))))
    numbers, openable = packets.numbers_for(g.session, g.actor, case_ids), work_items.openable(g.session, g.actor, item_ids)
    found = []
    for message in inbox:
        item, case, number = items.get(message.work_item_id), cases.get(message.case_id), numbers.get(message.case_id, "")
        step = either(item.name, item.name_en) if item else _limit_name(case, message)
        knows_units = message.case_id in seen or Role.HEALTH_ADMINISTRATION in g.actor.roles
        unit = either(item.organisation.name, item.organisation.name_en) if item and item.organisation and knows_units else ""
        if message.work_item_id in openable:
            leads_to = url_for("work_items.show", item_id=message.work_item_id)
        elif "accountability" in message.detail:
            leads_to = url_for("accountability.show", number=message.detail["accountability"])
        elif message.case_id in seen and number:
            leads_to = url_for("cases.show", reference=number)
        else:
            leads_to = ""
        text = words.message_text(message.kind, message.detail, step)
        is_settled = item is not None and item.state in (WorkItemState.COMPLETED, WorkItemState.EXITED)
        is_task = message.work_item_id in openable and not is_settled
        found.append(Shown(message, text, number, unit if message.kind.startswith("deadline_") else "", leads_to, is_task, is_settled))
    return found


def _limit_name(case: Case | None, message: Message) -> str:
    """Return what a clock over several steps is called."""
    key = str(message.detail.get("limit", ""))
    if case is None or not key:
        return ""
    entry = profiles.values(g.session, case.profile_version_id).describe(key)
    return either(entry.get("name", key), entry.get("name_en"))


@views.post("/read")
@signed_in()
def read_all() -> ResponseReturnValue:
    """Mark all messages as read."""
    messages.mark_read(g.session, g.actor.person_id)
    return redirect(url_for("messages.index"))


@views.post("/<uuid:message_id>")
@signed_in()
def follow(message_id: UUID) -> ResponseReturnValue:
    """Mark a message as read and go where it leads."""
    found = next((message for message in messages.inbox(g.session, g.actor.person_id, limit=500) if message.id == message_id), None)
    messages.mark_read(g.session, g.actor.person_id, message_id)
    leads_to = shown([found])[0].leads_to if found is not None else ""
    return redirect(leads_to or url_for("messages.index"))
