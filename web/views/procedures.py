"""Procedures: the diagrams and forms by which cases are reviewed, and from when each version counts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import clock, drafts, forms, procedures
from engine.errors import InvalidInput, NotFound
from engine.permissions import Permission
from models import Case, Person, Procedure, ProcedureApproval, ProcedureVersion
from web import diagrams, listed_files, words
from web.guards import requires
from web.language import either

views = Blueprint("procedures", __name__, url_prefix="/procedures")


@views.get("")
@requires(Permission.PROCEDURE_READ)
def index() -> ResponseReturnValue:
    """List the procedures with their versions."""
    rows = g.session.execute(
        sa.select(
            Procedure,
            ProcedureVersion,
            sa.select(sa.func.count())
            .where(Case.procedure_version_id == ProcedureVersion.id, Case.ended_at.is_(None))
            .correlate(ProcedureVersion)
            .scalar_subquery(),
        )
        .join(ProcedureVersion, ProcedureVersion.procedure_id == Procedure.id)
        .order_by(Procedure.key, ProcedureVersion.number.desc())
    ).all()
    return render_template("procedures/index.html", rows=rows)


@views.get("/<key>")
@requires(Permission.PROCEDURE_READ)
def newest(key: str) -> ResponseReturnValue:
    """Go to the newest version of a procedure."""
    number = g.session.scalar(sa.select(sa.func.max(ProcedureVersion.number)).join(Procedure).where(Procedure.key == key))
    if number is None:
        raise NotFound
    return redirect(url_for("procedures.show", key=key, number=number))


@views.get("/<key>/versions/<int:number>")
@requires(Permission.PROCEDURE_READ)
def show(key: str, number: int) -> ResponseReturnValue:
    """Show a version: its diagrams, the same in words, its forms, and what may be done with it."""
    version = procedures.numbered(g.session, key, number)
    deployed = procedures.deployed(g.session, version.id)
    parts = []
    for process_id, name in diagrams.processes(deployed):
        process = deployed.specification.processes[process_id]
        steps = [deployed.specification.elements[element] for element in process.outline]
        lanes = {lane.split(".")[0]: either(lane_name, words.role_name(lane.split(".")[0])) for lane, lane_name in process.lanes}
        parts.append({"id": process_id, "name": name, "steps": [step for step in steps if step.name], "lanes": lanes})
    listed = [
        (form_key, either(form.title, form.title_en), form.audience, sum(1 for _field in form.inputs()), len(form.rules))
        for form_key, form in deployed.forms.items()
    ]
    asked = g.session.get(ProcedureApproval, version.id)
    return render_template(
        "procedures/show.html",
        version=version,
        procedure=version.procedure,
        parts=parts,
        forms=listed,
        key=key,
        number=number,
        asked=asked,
        asked_by=g.session.get(Person, asked.asked_by_id) if asked and asked.asked_by_id else None,
        verdict_by=g.session.get(Person, asked.verdict_by_id) if asked and asked.verdict_by_id else None,
        in_use=procedures.in_use(g.session, version.procedure),
        others=g.session.scalars(
            sa.select(ProcedureVersion).where(ProcedureVersion.procedure_id == version.procedure_id).order_by(ProcedureVersion.number.desc())
        ).all(),
        has_draft=drafts.find(g.session, key) is not None,
    )


@views.post("/<key>/versions/<int:number>/activate")
@requires(Permission.PROCEDURE_DEPLOY)
def activate(key: str, number: int) -> ResponseReturnValue:
    """Let new cases open under a version, now or from an instant on; an earlier version is gone back to in the same way."""
    version = procedures.numbered(g.session, key, number)
    at = None
    if request.form.get("at"):
        try:
            at = datetime.fromisoformat(request.form["at"]).replace(tzinfo=clock.zone())
        except ValueError:
            raise InvalidInput from None
        if at < clock.now():
            flash(_("启用的时间要晚于现在。"), "half")
            return redirect(url_for("procedures.show", key=key, number=number))
    procedures.activate(g.session, g.actor, version, at)
    flash(_("第 %(number)s 版已启用，新个案用这一版。", number=number) if at is None else _("第 %(number)s 版到时启用。", number=number), "done")
    return redirect(url_for("procedures.show", key=key, number=number))


@views.post("/<key>/versions/<int:number>/withdraw")
@requires(Permission.PROCEDURE_DEPLOY)
def withdraw(key: str, number: int) -> ResponseReturnValue:
    """Take back an activation that lies ahead."""
    procedures.withdraw(g.session, g.actor, procedures.numbered(g.session, key, number))
    flash(_("已取消定时启用。"), "done")
    return redirect(url_for("procedures.show", key=key, number=number))


@views.post("/<key>/versions/<int:number>/verdict")
@requires(Permission.PROCEDURE_APPROVE)
def verdict(key: str, number: int) -> ResponseReturnValue:
    """Give the second person's verdict on a version."""
    is_approved = request.form.get("verdict") == "approve"
    note = request.form.get("note", "").strip()
    if not is_approved and not note:
        flash(_("不批准要写明理由。"), "half")
        return redirect(url_for("procedures.show", key=key, number=number))
    procedures.approve(g.session, g.actor, procedures.numbered(g.session, key, number), is_approved=is_approved, note=note)
    flash(_("已批准。") if is_approved else _("已记为不批准。"), "done")
    return redirect(url_for("procedures.show", key=key, number=number))


@views.get("/<key>/versions/<int:number>/diagrams/<process>.json")
@requires(Permission.PROCEDURE_READ)
def diagram(key: str, number: int, process: str) -> ResponseReturnValue:
    """Return a diagram for the viewer."""
    return diagrams.drawn(procedures.deployed(g.session, procedures.numbered(g.session, key, number).id), process)


@views.get("/<key>/versions/<int:number>/forms/<form_key>")
@requires(Permission.PROCEDURE_READ)
def form(key: str, number: int, form_key: str) -> ResponseReturnValue:
    """Show a form's fields and rules."""
    found = procedures.form(g.session, procedures.numbered(g.session, key, number).id, form_key)

    def flat(fields: tuple[forms.Field, ...], depth: int) -> list[tuple[int, forms.Field]]:
        rows: list[tuple[int, forms.Field]] = []
        for entry in fields:
            if entry.type not in ("separator", "spacer", "text"):
                rows.append((depth, entry))
            rows += flat(entry.fields, depth + 1)
        return rows

    return render_template("procedures/form.html", form=found, fields=flat(found.fields, 0), kinds=listed_files.FIELDS, key=key, number=number)
