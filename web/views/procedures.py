"""Procedures: the diagrams and forms by which cases are reviewed, for reading."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from engine import forms, procedures
from engine.errors import NotFound
from engine.permissions import Permission
from models import Case, Procedure, ProcedureVersion
from web import words
from web.guards import requires
from web.language import either
from web.views.case_page import names, processes

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
    """Show a version: its diagrams, the same in words, its forms."""
    version = _version(key, number)
    deployed = procedures.deployed(g.session, version.id)
    parts = []
    for process_id, name in processes(deployed):
        process = deployed.specification.processes[process_id]
        steps = [deployed.specification.elements[element] for element in process.outline]
        lanes = {lane.split(".")[0]: either(lane_name, words.role_name(lane.split(".")[0])) for lane, lane_name in process.lanes}
        parts.append({"id": process_id, "name": name, "steps": [step for step in steps if step.name], "lanes": lanes})
    listed = [
        (form_key, either(form.title, form.title_en), form.audience, sum(1 for _field in form.inputs()), len(form.rules))
        for form_key, form in deployed.forms.items()
    ]
    return render_template("procedures/show.html", version=version, procedure=version.procedure, parts=parts, forms=listed, key=key, number=number)


def _version(key: str, number: int) -> ProcedureVersion:
    version = g.session.scalar(
        sa.select(ProcedureVersion)
        .join(Procedure)
        .where(Procedure.key == key, ProcedureVersion.number == number)
        .options(sa.orm.joinedload(ProcedureVersion.procedure))
    )
    if version is None:
        raise NotFound
    found: ProcedureVersion = version
    return found


@views.get("/<key>/versions/<int:number>/diagrams/<process>.json")
@requires(Permission.PROCEDURE_READ)
def diagram(key: str, number: int, process: str) -> ResponseReturnValue:
    """Return a diagram for the viewer."""
    deployed = procedures.deployed(g.session, _version(key, number).id)
    found = deployed.specification.processes.get(process)
    if found is None:
        raise NotFound
    elements = [element for element in deployed.specification.elements.values() if element.process == process]
    return {
        "xml": deployed.specification.files[found.file].decode("utf-8"),
        "done": [],
        "current": {},
        "names": names(deployed, process),
        "calls": {element.id: element.called for element in elements if element.called},
    }


@views.get("/<key>/versions/<int:number>/forms/<form_key>")
@requires(Permission.PROCEDURE_READ)
def form(key: str, number: int, form_key: str) -> ResponseReturnValue:
    """Show a form's fields and rules."""
    found = procedures.form(g.session, _version(key, number).id, form_key)

    def flat(fields: tuple[forms.Field, ...], depth: int) -> list[tuple[int, forms.Field]]:
        rows: list[tuple[int, forms.Field]] = []
        for entry in fields:
            if entry.type not in ("separator", "spacer", "text"):
                rows.append((depth, entry))
            rows += flat(entry.fields, depth + 1)
        return rows

    return render_template("procedures/form.html", form=found, fields=flat(found.fields, 0), key=key, number=number)
