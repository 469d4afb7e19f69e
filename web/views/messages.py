"""Messages: what concerns the person, read here."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from engine import messages, packets
from models import WorkItem
from web import words
from web.guards import signed_in
from web.language import either

views = Blueprint("messages", __name__, url_prefix="/messages")


@views.get("")
@signed_in()
def index() -> ResponseReturnValue:
    """List a person's messages, unread ones first."""
    inbox = messages.inbox(g.session, g.actor.person_id)
    keys = [message.work_item_id for message in inbox if message.work_item_id]
    steps = {item.id: either(item.name, item.name_en) for item in g.session.scalars(sa.select(WorkItem).where(WorkItem.id.in_(keys)))}
    numbers = packets.numbers_for(g.session, g.actor, [message.case_id for message in inbox if message.case_id])
    shown = [
        (message, words.message_text(message.kind, message.detail, steps.get(message.work_item_id, "")), numbers.get(message.case_id, ""))
        for message in inbox
    ]
    return render_template("account/messages.html", messages=shown)


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
    if found is not None and found.work_item_id:
        return redirect(url_for("work_items.show", item_id=found.work_item_id))
    return redirect(url_for("messages.index"))
