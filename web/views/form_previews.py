"""Previews of forms that are being drawn: the page that people would fill in, made of the text as it stands; nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import calendars, clock, codes, feel, forms
from engine.environment import RESIDENT_NUMBERS
from engine.limits import end_of_day
from engine.permissions import Permission
from web import json_bodies
from web.forms.from_schema import Filled
from web.guards import requires
from web.language import either

views = Blueprint("form_previews", __name__, url_prefix="/studio")

MAX_BODY = 1_600_000
"""Bytes of a request: 400 000 characters of a form, Chinese ones as three."""
MAX_COMPONENTS, MAX_OPTIONS = 600, 40
STEPS, PATTERN_SECONDS = 200_000, 0.2
"""What all expressions of one preview may do together."""
CASE_FACTS = ("kind", "state", "event_at", "clock_start", "opened_at", "conclusion")


@views.post("/<key>/forms/preview")
@requires(Permission.PROCEDURE_EDIT)
def show(key: str) -> ResponseReturnValue:  # noqa: ARG001 - a form is previewed without its procedure
    """Return the form as a page shows it to somebody who begins to fill it in; what it knows of a case is empty."""
    text = (json_bodies.read(MAX_BODY) or {}).get("text")
    if not isinstance(text, str):
        return {"problem": _("请求不完整。")}, 422
    try:
        form = forms.parse(text.encode("utf-8", "replace"))
        entries = list(_all(form.fields))
        if len(entries) > MAX_COMPONENTS:
            return _not_yet(_("部件太多，画不出来：最多 %(count)s 个。", count=MAX_COMPONENTS))
        filled = Filled(form, _context(entries))
        for entry in form.inputs():
            if entry.type == "dynamiclist":
                filled.add_row(entry.key)
        tree = filled.tree()
        suggestions = sorted({entry.suggestions for entry in entries if isinstance(entry.suggestions, str)})
        html = render_template("studio/form_preview.html", form=form, tree=tree, suggestions=suggestions, title=either(form.title, form.title_en))
    except forms.UnreadableForm as error:
        return _not_yet(_("这张表单还不能用：%(reason)s", reason=str(error)[:300]))
    except (
        TypeError,
        ValueError,
        AttributeError,
        KeyError,
        RecursionError,
        ArithmeticError,
    ) as error:  # what the parser lets pass
        return _not_yet(_("这张表单还不能用：%(reason)s", reason=str(error)[:300]))
    return {"problem": "", "html": html}


def _not_yet(problem: str) -> ResponseReturnValue:
    """Say why there is nothing to see: half-drawn forms are no errors of the request."""
    return {"problem": problem, "html": ""}


def _all(fields: Sequence[forms.Field]) -> Iterator[forms.Field]:
    for entry in fields:
        yield entry
        yield from _all(entry.fields)


def _context(entries: Sequence[forms.Field]) -> forms.Context:
    """Return what the form sees: no case, nobody's records, lists that depend on a case as one line, a budget for all expressions together."""
    texts = [text for entry in entries for text in (entry.hide, entry.required_if, entry.prefill, entry.expression) if text]
    expressions = 1 + len(texts) + sum(str(entry.label).count("{{") for entry in entries)
    calendar = calendars.current(g.session, "18:00")
    surroundings = feel.Environment(
        now=clock.now(),
        zone=clock.zone(),
        calendar=calendar,
        functions={
            "due": lambda limit, clock_start: None,
            "end of day": lambda day: end_of_day(day, calendar),
            "members": list,
            **RESIDENT_NUMBERS,
        },
        names={"profile": {}, "case": dict.fromkeys(CASE_FACTS) | {"has_facility": True, "has_township": True, "is_reopened": False}},
        limits=feel.Limits(steps=min(20_000, STEPS // (2 * expressions)), pattern_seconds=min(0.02, PATTERN_SECONDS / expressions), calls=20),
    )
    known, wanted = codes.lists(), {entry.values_key for entry in entries if entry.values_key}
    depends = (codes.Code("-", _("（由个案决定）"), _("（由个案决定）")),)
    offered = {key: known[key].codes[:MAX_OPTIONS] if key in known else depends for key in wanted}
    names: dict[str, Any] = {
        "now": feel.to_wire(clock.now().astimezone(clock.zone())),
        "known": {},
        "variables": {},
        "person": {"id": "", "name": g.actor.name, "roles": []},
        "case": surroundings.names["case"],
    }
    return forms.Context(surroundings, names, offered)
