"""Packets: the de-identified file that reviewers read. Addresses carry its number, which says nothing of the case."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import cases, packets, procedures, work_items
from engine.errors import NotFound
from engine.permissions import Permission
from web.forms.from_schema import Filled, shown
from web.guards import requires
from web.language import either
from web.views.cases import ReasonForm, actions

views = Blueprint("packets", __name__, url_prefix="/packets")


@views.get("")
@requires(Permission.PACKET_READ)
def index() -> ResponseReturnValue:
    """List the packets a person may open, and what they have to do about them."""
    rows, count = work_items.queue(g.session, g.actor, work_items.Filter(view="all", per_page=50))
    return render_template("packets/index.html", packets=packets.mine(g.session, g.actor), rows=rows, count=count)


@views.get("/<number>")
@requires(Permission.PACKET_READ, journals=True)
def show(number: str) -> ResponseReturnValue:
    """Show a packet: summary, relative timeline, what the records give; opinions once the chair has opened the discussion."""
    packet = packets.read(g.session, g.actor, number)
    opinions = []
    for record, name in packets.opinions(g.session, g.actor, packet):
        form = procedures.form(g.session, record.procedure_version_id, record.form)
        tree = Filled(form, packets.reading_context(g.session, packet, form), stored=record.answers).tree()
        opinions.append({"name": name, "record": record, "tree": tree, "mine": record.submitted_by_id == g.actor.person_id})
    committee = []
    for record in packets.committee_records(g.session, packet):
        form = procedures.form(g.session, record.procedure_version_id, record.form)
        tree = Filled(form, packets.reading_context(g.session, packet, form), stored=record.answers).tree()
        committee.append({"title": either(form.title, form.title_en), "tree": tree, "record": record})
    rows = work_items.queue(g.session, g.actor, work_items.Filter(view="all", words=packet.number, per_page=10))[0]
    return render_template(
        "packets/show.html",
        packet=packet,
        content=packet.content,
        opinions=opinions,
        committee=committee,
        shown=shown,
        rows=rows,
        actions=actions(packets.case_of(g.session, packet)),
        missing=packets.missing_opinions(g.session, g.actor, [packet]).get(packet.id, []),
    )


@views.route("/<number>/messages/<message>", methods=["GET", "POST"])
@requires(Permission.PACKET_READ)
def message(number: str, message: str) -> ResponseReturnValue:
    """Send a message that the diagram waits for and gives to somebody of the committee, such as going on without the missing opinions."""
    packet = packets.read(g.session, g.actor, number, to_write=request.method == "POST")
    label = next((entry["label"] for entry in actions(packets.case_of(g.session, packet)) if entry["message"] == message), None)
    if label is None:
        raise NotFound
    form = ReasonForm()
    if request.method == "POST" and form.validate():
        cases.send_message(g.session, g.actor, number, message, form.reason.data or "")
        flash(_("已办：%(label)s。", label=label), "done")
        return redirect(url_for("packets.show", number=number))
    missing = packets.missing_opinions(g.session, g.actor, [packet]).get(packet.id, [])
    return render_template("packets/ask.html", number=number, form=form, title=label, missing=missing), 422 if form.errors else 200


@views.get("/preview/<uuid:item_id>")
@requires(Permission.CASE_READ, Permission.CASE_READ_ASSIGNED, journals=True)
def preview(item_id: UUID) -> ResponseReturnValue:
    """Show to those who redact and check what the packet will hold, or holds."""
    opened = work_items.show(g.session, g.actor, item_id)
    if opened.item.form not in ("redaction", "redaction_check"):
        raise NotFound
    packet = packets.of_case(g.session, opened.case.id, opened.case.course)
    if opened.item.form == "redaction_check" and packet is not None:
        return render_template(
            "packets/show.html", packet=packet, content=packet.content, opinions=[], committee=[], preview=True, shown=shown, rows=[]
        )
    deployed = procedures.deployed(g.session, opened.case.procedure_version_id)
    content = {"title": "", "narrative": "", "timeline": [], **packets.preview(g.session, opened.case, deployed)}
    return render_template("packets/show.html", packet=None, content=content, opinions=[], committee=[], preview=True, shown=shown, rows=[])
