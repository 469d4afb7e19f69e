"""A file of a draft on the desk of somebody who works with its outline, and the fields of the pages there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import drafts
from engine.errors import NotFound
from engine.workflow import outlining
from engine.workflow.outlining import Outline
from models import ProcedureDraft
from web.language import is_english

ROWS = 2  # empty rows offered behind those that are there


@dataclass
class Control:
    """A field of a page's form."""

    name: str
    label: str
    kind: str = "text"
    value: Any = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    columns: Sequence[tuple[str, str]] = ()
    group: str = "main"
    optional: bool = True
    names: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The id of its input."""
        return f"f-{self.name}"

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of a table, and some empty ones."""
        width = len(self.columns)
        there = [tuple(row) if isinstance(row, tuple | list) else (row,) for row in self.value or ()]
        return [*(row + ("",) * (width - len(row)) for row in there), *([("",) * width] * ROWS)]


@dataclass
class Desk:
    """A file of a draft that is being worked on."""

    key: str
    path: str
    draft: ProcedureDraft
    files: dict[str, bytes]

    @property
    def content(self) -> bytes:
        """The file as it stands."""
        return self.files[self.path]

    @property
    def taken(self) -> frozenset[str]:
        """Ids that the other diagrams use."""
        return outlining.identifiers({path: content for path, content in self.files.items() if path != self.path})

    def outline(self) -> Outline:
        """Return the diagram in words."""
        return outlining.read(self.content, self.path)

    def url(self, element: str = "") -> str:
        """Return the address of the outline, at a step."""
        return url_for("outlines.show", key=self.key, path=self.path) + (f"#s-{element}" if element else "")


def opened(key: str, path: str) -> Desk:
    """Return a file of a draft.

    Raises:
        NotFound: no draft, or no such file in it.
    """
    draft = drafts.get(g.session, key)
    files = drafts.files(g.session, draft)
    if path not in files:
        raise NotFound
    return Desk(key, path, draft, files)


def kept(desk: Desk, content: bytes, told: str, revision: int, *, place: str = "", number: str = "") -> ResponseReturnValue:
    """Save an edit and come back to where it was; what happened is said there.

    Args:
        place: The id on the page to come back to.
        number: The number of the step that it is now.
    """
    drafts.save(g.session, g.actor, desk.draft, {desk.path: content}, revision, told)
    said = [_("%(told)s。", told=told), _("现在是第 %(number)s 步。", number=number) if number else "", _("可以撤销。")]
    flash((" " if is_english() else "").join(part for part in said if part), "done")
    return redirect(desk.url() + (f"#{place}" if place else ""))


def take(control: Control) -> None:
    """Read what was sent for a control."""
    if control.kind == "rows":
        width, rows, place = len(control.columns), [], 0
        while place < 100 and f"{control.name}-{place}-0" in request.form:
            rows.append(tuple(request.form.get(f"{control.name}-{place}-{column}", "").strip() for column in range(width)))
            place += 1
        rows = [row for row in rows if any(row)]
        control.value = [row[0] for row in rows] if width == 1 else rows
        if not control.value:
            control.value = ""
    elif control.kind == "check":
        control.value = request.form.get(control.name) == "y" or ("" if control.name == "fresh" else False)
        if control.name == "fresh" and control.value:
            control.value = "true"
    else:
        control.value = request.form.get(control.name, "").replace("\r\n", "\n").strip()
