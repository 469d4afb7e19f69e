"""Comparisons: two versions of a procedure, or its draft and a version, side by side, in words, and as a summary for the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import clock, drafts, procedures
from engine.errors import NotFound
from engine.permissions import Permission
from engine.workflow import reading, versions
from engine.workflow.reading import BPMN, PS, UnreadableDiagram
from engine.workflow.versions import Change
from models import Procedure, ProcedureVersion
from web import comparing, documents, downloads
from web.guards import requires
from web.jinja import moment
from web.language import either, inside, is_english

views = Blueprint("comparisons", __name__)

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MAX_SHOWN, MAX_TABLES, MAX_LINES = 600, 60, 60
"""Of a page: changes, decision tables, and lines for each role."""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str
    address: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Pair:
    """What is compared, the older first."""

    procedure: Procedure
    before: Side
    after: Side
    changes: list[Change]
    page: str
    diagram: str
    summary: str


def _version_side(key: str, version: ProcedureVersion) -> Side:
    return Side(
        _("第 %(number)s 版", number=version.number),
        url_for("procedures.show", key=key, number=version.number),
        procedures.version_files(g.session, version.id),
    )


def _versions(key: str, number: int, other: int) -> Pair:
    older, newer = sorted((number, other))
    one, two = procedures.numbered(g.session, key, older), procedures.numbered(g.session, key, newer)
    before, after = _version_side(key, one), _version_side(key, two)
    return _pair(two.procedure, before, after, "versions", key=key, number=number, other=other)


def _draft(key: str) -> Pair:
    draft = drafts.get(g.session, key)
    wanted = request.args.get("with", type=int)
    if wanted is not None:
        version = procedures.numbered(g.session, key, wanted)
    else:
        base = draft.base_version or procedures.in_use(g.session, draft.procedure)
        if base is None:
            raise NotFound
        version = base
    before = _version_side(key, version)
    after = Side(_("草稿"), url_for("studio.edit", key=key), drafts.files(g.session, draft))
    return _pair(draft.procedure, before, after, "draft", key=key, **{"with": version.number})


def _pair(procedure: Procedure, before: Side, after: Side, what: str, **places: Any) -> Pair:
    return Pair(
        procedure,
        before,
        after,
        versions.differences(before.files, after.files),
        url_for(f"comparisons.of_{what}", **places),
        url_for(f"comparisons.diagram_of_{what}", **places),
        url_for(f"comparisons.summary_of_{what}", **places, format="_"),
    )


@views.get("/procedures/<key>/versions/<int:number>/compare/<int:other>")
@requires(Permission.PROCEDURE_READ)
def of_versions(key: str, number: int, other: int) -> ResponseReturnValue:
    """Show what differs between two versions."""
    return _page(_versions(key, number, other))


@views.get("/procedures/<key>/versions/<int:number>/compare/<int:other>/diagram.json")
@requires(Permission.PROCEDURE_READ)
def diagram_of_versions(key: str, number: int, other: int) -> ResponseReturnValue:
    """Return both sides of a diagram with their marks."""
    return _diagram(_versions(key, number, other))


@views.get("/procedures/<key>/versions/<int:number>/compare/<int:other>/summary.<format>")
@requires(Permission.PROCEDURE_READ)
def summary_of_versions(key: str, number: int, other: int, format: str) -> ResponseReturnValue:  # noqa: A002
    """Return the written summary as a document."""
    return _summary(_versions(key, number, other), format)


@views.get("/studio/<key>/compare")
@requires(Permission.PROCEDURE_EDIT)
def of_draft(key: str) -> ResponseReturnValue:
    """Show what differs between the draft and a version: the one it was begun from, or any."""
    return _page(_draft(key))


@views.get("/studio/<key>/compare/diagram.json")
@requires(Permission.PROCEDURE_EDIT)
def diagram_of_draft(key: str) -> ResponseReturnValue:
    """Return both sides of a diagram with their marks."""
    return _diagram(_draft(key))


@views.get("/studio/<key>/compare/summary.<format>")
@requires(Permission.PROCEDURE_EDIT)
def summary_of_draft(key: str, format: str) -> ResponseReturnValue:  # noqa: A002
    """Return the written summary as a document."""
    return _summary(_draft(key), format)


def _page(pair: Pair) -> ResponseReturnValue:
    kind = request.args.get("kind", "")
    kind = kind if kind in comparing.KINDS else ""
    counts = {key: sum(change.kind == key for change in pair.changes) for key in comparing.KINDS}
    chosen = [change for change in pair.changes if not kind or change.kind == kind]
    chosen.sort(key=lambda change: change.kind == "moved")  # what only lies elsewhere hides nothing that matters
    groups: dict[str, list[Change]] = {}
    for change in chosen[:MAX_SHOWN]:
        groups.setdefault(change.file, []).append(change)
    changed = list(dict.fromkeys(change.file for change in pair.changes if change.file.endswith(".bpmn")))
    numbers = g.session.execute(
        sa.select(ProcedureVersion.number)
        .where(ProcedureVersion.procedure_id == pair.procedure.id)
        .order_by(ProcedureVersion.number.desc())
        .limit(60)
    ).scalars()
    return render_template(
        "comparisons/show.html",
        pair=pair,
        counts=counts,
        kind=kind,
        kinds=comparing.KINDS,
        signs=comparing.SIGNS,
        groups=[(path, _file_name(pair, path), found) for path, found in groups.items()],
        left=len(chosen) - MAX_SHOWN,
        diagrams=[(path, _file_name(pair, path)) for path in changed],
        tables=_beside(pair, chosen),
        forms=_forms_beside(pair, chosen),
        telling=comparing,
        numbers=list(numbers),
        is_draft=request.endpoint == "comparisons.of_draft",
        report=comparing.report("", [], versions.summary(pair.changes), most=MAX_LINES),
    )


def _file_name(pair: Pair, path: str) -> str:
    """Return what a file is called by what is in it."""
    content = pair.after.files.get(path) or pair.before.files.get(path) or b""
    if path.endswith(".bpmn"):
        try:
            for process in reading.xml(content, path).iter(f"{{{BPMN}}}process"):
                return str(either(process.get("name") or path, process.get(f"{{{PS}}}name_en")))
        except UnreadableDiagram:
            return path
    if path.startswith("forms/"):
        form = next((change for change in pair.changes if change.file == path and change.what == "form"), None)
        if form is not None:
            return comparing.name(form)
        ours = versions.form_title(content)
        return either(ours[0] or path, ours[1])
    if path == procedures.MANIFEST:
        return _("流程说明")
    return path


def _beside(pair: Pair, chosen: list[Change]) -> list[tuple[str, versions.TableBeside]]:
    """Return the decision tables that changed, old and new in one."""
    paths = dict.fromkeys(change.file for change in chosen if change.file.endswith(".dmn"))
    found: list[tuple[str, versions.TableBeside]] = []
    for path in paths:
        room = versions.MAX_ROWS - sum(len(table.rows) for _path, table in found)
        found += [(path, table) for table in versions.tables_beside(pair.before.files.get(path), pair.after.files.get(path), room)]
    return found[:MAX_TABLES]


def _forms_beside(pair: Pair, chosen: list[Change]) -> list[tuple[str, str, list[versions.Row]]]:
    """Return the forms that changed, with the fields that did."""
    paths = dict.fromkeys(change.file for change in chosen if change.file.startswith("forms/"))
    found: list[tuple[str, str, list[versions.Row]]] = []
    for path in list(paths)[:40]:
        room = versions.MAX_ROWS - sum(len(rows) for *_place, rows in found)
        rows = [row for row in versions.form_beside(pair.before.files.get(path), pair.after.files.get(path)) if row.kind]
        if rows and room > 0 and path in pair.before.files and path in pair.after.files:
            found.append((path, _file_name(pair, path), rows[: min(200, room)]))
    return found


def _diagram(pair: Pair) -> ResponseReturnValue:
    path = request.args.get("file", "")
    if not path.endswith(".bpmn") or (path not in pair.before.files and path not in pair.after.files):
        raise NotFound
    own = [change for change in pair.changes if change.file == path]
    return {
        "before": _text(pair.before.files.get(path)),
        "after": _text(pair.after.files.get(path)),
        "marks": {"before": versions.marks(own, is_old=True), "after": versions.marks(own, is_old=False)},
        "signs": dict(comparing.SIGNS),
        "words": {kind: str(word) for kind, word in comparing.KINDS.items()},
        "english": is_english(),
    }


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace")


def _summary(pair: Pair, kind: str) -> ResponseReturnValue:
    if kind not in ("docx", "pdf"):
        raise NotFound
    procedure = either(pair.procedure.name, pair.procedure.name_en)
    found = comparing.report(
        _("流程变更说明"),
        [
            procedure,
            _("由%(before)s到%(after)s", before=pair.before.name, after=pair.after.name),
            _("制作于%(moment)s", moment=inside(moment(clock.now()))),
        ],
        versions.summary(pair.changes),
    )
    content: Any = comparing.docx(found) if kind == "docx" else documents.pdf("comparison", found)
    return downloads.given(content, f"{pair.procedure.key}-changes.{kind}", WORD if kind == "docx" else "application/pdf")
