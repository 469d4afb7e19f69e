"""Decisions that are being drawn: their examples, run over the text as it stands; nothing is kept."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from engine import decision_tables, drafts, feel
from engine.permissions import Permission
from web import json_bodies
from web.guards import requires

views = Blueprint("decisions", __name__, url_prefix="/studio")

MAX_BODY = 3_000_000
"""Bytes of a request: a model of a million, and its examples."""
MAX_KEPT = 20_000
"""Characters of one result."""


@views.post("/<key>/decisions/run")
@requires(Permission.PROCEDURE_EDIT)
def run(key: str) -> ResponseReturnValue:
    """Run examples through a decision: per example the result, whether it is the expected one, and the rules that hit."""
    body = json_bodies.read(MAX_BODY) or {}
    text, examples, path = (body.get(name) for name in ("text", "examples", "path"))
    if not isinstance(text, str) or not isinstance(examples, dict | None):
        return {"problem": _("请求不完整。")}, 422
    xml = text.encode("utf-8", "replace")
    others = _others(key, path) if "import" in text and isinstance(path, str) else {}
    try:
        found = decision_tables.names(xml, others)
        model = feel.decisions.read_all({**others, "": xml})[""]
        if isinstance(model, feel.ModelRefused):
            raise model
        results = decision_tables.run_examples(model, examples) if examples and examples.get("examples") else []
    except feel.FeelError as error:
        return _not_yet(_("这张决策表还不能用：%(reason)s", reason=str(error)[:300]))
    except decision_tables.UnreadableExamples as error:
        return _not_yet(_("示例不能读取：%(reason)s", reason=error.reason[:300]))
    return {
        "problem": "",
        "decisions": [
            {"id": each.id, "name": each.name, "inputs": [{"name": name, "type": kind} for name, kind in each.inputs], "policy": each.hit_policy}
            for each in found
        ],
        "problems": [str(problem)[:300] for problem in model.problems[:20]],
        "results": [_told(result) for result in results],
    }


def _not_yet(problem: str) -> ResponseReturnValue:
    """Say why nothing could be run: half-drawn tables are no errors of the request."""
    return {"problem": problem, "decisions": [], "problems": [], "results": []}


def _others(key: str, path: str) -> dict[str, bytes]:
    """Return the procedure's other tables, among which a model finds what it imports."""
    draft = drafts.find(g.session, key)
    files = drafts.files(g.session, draft) if draft else {}
    return {name: content for name, content in files.items() if name.endswith(".dmn") and name != path}


def _told(result: decision_tables.ExampleResult) -> dict[str, Any]:
    return {
        "ok": result.is_ok,
        "got": "" if result.error else written(result.got)[:MAX_KEPT],
        "expected": "" if result.error else written(result.expected)[:MAX_KEPT],
        "hits": list(result.hits),
        "tables": [{"decision": table.decision or "", "rules": list(table.rules)} for table in result.tables],
        "problem": (result.error or "")[:300],
    }


def written(value: Any) -> str:
    """Return a value in wire form as FEEL."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if isinstance(value, dict) and "$" not in value:
        return "{" + ", ".join(f"{name}: {written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, dict):
        made = {"d": "date", "t": "time", "dt": "date and time", "p": "duration"}.get(str(value["$"]))
        return f'{made}("{value["v"]}")' if made else str(value["v"])
    return str(value)
