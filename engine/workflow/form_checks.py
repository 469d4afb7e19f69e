"""Forms judged: what the page would leave out, what an expression names that is not there, what a reader misses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from engine import codes, feel, forms
from engine.feel import patterns
from engine.workflow import bounds, kinds
from models import Audience

CASE_LISTS = frozenset(
    {
        "organisations.hospitals",
        "organisations.care",
        "organisations.townships",
        "organisations.all",
        "people.committee",
        "people.investigators",
        "people.receivers",
        "people.owners",
        "people.unit",
        "people.panel",
        "procedures.kinds",
        "matches",
        "timeline",
    }
)
CHECKS = frozenset({"no_identifiers", "no_subject"})
IDENTITIES = frozenset("IQPCNA")
CONTEXT = frozenset({"now", "today", "case", "known", "profile", "person", "variables", "answers", "row_number"})
FUNCTIONS = frozenset({"due", "end of day", "members", "resident number valid", "resident number birth"})
PROPERTIES = frozenset(
    {
        "en", "hint_en", "unit_en", "id", "prefill", "required_if", "pattern_en", "codes", "seg", "warn_min", "warn_max", "past", "row_id",
        "summary", "unknown", "long", "folded", "quick", "file_kind",
    }
)  # fmt: skip
NOTICE = "notice"
"""The form of a notice is used before there is a case, by no step."""


@dataclass(frozen=True)
class Told:
    """Something to say about a form."""

    code: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, Any] | None = None


def judge(path: str, content: bytes, values: frozenset[str] | None) -> tuple[forms.Form | None, Sequence[Told]]:
    """Read a form and judge it by itself; None where it cannot be used."""
    if len(content) > bounds.MAX_FORM or content.count(b'"type"') > bounds.MAX_COMPONENTS:
        return None, [Told("form_large")]
    if len(content) <= 80_000:
        return _kept(path, content, values)
    return _judged(path, content, values)


@lru_cache(maxsize=96)
def _kept(path: str, content: bytes, values: frozenset[str] | None) -> tuple[forms.Form | None, Sequence[Told]]:
    return _judged(path, content, values)


def _judged(path: str, content: bytes, values: frozenset[str] | None) -> tuple[forms.Form | None, Sequence[Told]]:
    try:
        form = forms.parse(content)
        schema = json.loads(content)
        told = list(_told(form, path[6:-5], schema, values))
    except forms.UnreadableForm as error:
        return None, list(itertools.islice(_unfit(content), 200)) or [Told("form_unreadable", {"reason": str(error)})]
    except (RecursionError, TypeError, ValueError, AttributeError, KeyError, ArithmeticError) as error:
        return None, [Told("form_unreadable", {"reason": type(error).__name__})]
    return form, tuple(told[:200])


def _unfit(content: bytes) -> Iterator[Told]:
    """Tell of each thing in a form from elsewhere that a form has not here."""
    try:
        schema = json.loads(content) if forms.is_small(content) else None
    except (RecursionError, ValueError):
        return
    if not isinstance(schema, dict) or not isinstance(schema.get("components"), list):
        return
    if not isinstance(schema.get("pingshen"), dict):
        yield Told("form_foreign")
    todo = [(component, 0) for component in reversed(schema["components"])]
    while todo:
        component, depth = todo.pop()
        if not isinstance(component, dict) or depth > forms.MAX_DEPTH:
            continue
        kind, key = str(component.get("type")), str(component.get("key") or "")
        name = str(component.get("label") or key or component.get("id") or kind)
        if kind not in forms.INPUTS | forms.SHOWN | forms.NESTED:
            yield Told("form_component", {"field": name, "kind": kind})
        elif kind in forms.INPUTS and (not forms.KEY.match(key) or (key in forms.RESERVED and key != "person")):
            yield Told("form_field_name", {"field": key or name})
        inner = component.get("components")
        if isinstance(inner, list):
            todo += [(entry, depth + 1) for entry in reversed(inner)]


def _told(form: forms.Form, key: str, schema: Mapping[str, Any], values: frozenset[str] | None) -> Iterator[Told]:
    if form.key != key:
        yield Told("form_key", {}, {"kind": "form_key"})
    if form.audience not in {audience.value for audience in Audience}:
        yield Told("form_audience", {"audience": str(form.audience)}, {"kind": "form_audience", "choices": [audience.value for audience in Audience]})
    for name in form.checks:
        if name not in CHECKS:
            yield Told("form_check", {"name": str(name)})
    if not form.title_en:
        yield Told("form_english", {"field": str(form.title)})
    if not form.source:
        yield Told("form_source")
    tops = {entry.key: entry for entry in form.inputs()}
    if not tops:
        yield Told("form_empty")
    for part, answer in (("tells", form.tells), ("township", form.township)):
        if answer and answer not in tops:
            yield Told("form_answer", {"part": part, "field": str(answer)})
    yield from _fields(form.fields, Names(form), values)
    yield from _properties(schema.get("components") or (), 0)
    yield from _rules(form, values)


class Names:
    """The names that expressions of a form see at a place: its answers, those of the row and groups around, the context."""

    def __init__(self, form: forms.Form) -> None:
        self.paths = set(_paths(form.fields, ()))
        self.kinds = {**kinds.of_form(form), **{path: kind for path, kind in kinds.FACTS.items() if path[0] == "case"}}
        self.tops = frozenset(path[0] for path in self.paths if len(path) == 1)

    def inside(self, path: Sequence[str]) -> frozenset[str]:
        """Return the keys that lie directly in each list or group on the way to a path."""
        found = set(self.tops)
        for depth in range(1, len(path) + 1):
            prefix = tuple(path[:depth])
            found.update(entry[depth] for entry in self.paths if len(entry) == depth + 1 and entry[:depth] == prefix)
        return frozenset(found)


def _paths(fields: Sequence[forms.Field], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for entry in fields:
        here = (*path, entry.key) if entry.key else path
        if entry.key:
            yield here
        yield from _paths(entry.fields, here)
        if entry.has_row_id:
            yield (*here, "row_id")


def _fields(
    fields: Sequence[forms.Field], names: Names, values: frozenset[str] | None, path: tuple[str, ...] = (), *, in_row: bool = False
) -> Iterator[Told]:
    for entry in fields:
        where = entry.key or entry.id
        here = (*path, entry.key) if entry.key else path
        if (entry.key or entry.type == "group") and entry.label and not entry.label_en:
            yield Told("form_english", {"field": entry.label})
        yield from _field(entry, where)
        for text in (entry.hide, entry.required_if, entry.expression):
            if text:
                yield from _expression(text, where, names.inside(path), names, values, in_row=in_row)
        if entry.summary:
            yield from _expression(entry.summary, where, names.inside(here), names, values, in_row=True)
        if entry.prefill:
            yield from _expression(entry.prefill, where, frozenset(), names, values, in_row=in_row)
        yield from _fields(entry.fields, names, values, here, in_row=in_row or entry.type == "dynamiclist")


def _field(entry: forms.Field, where: str) -> Iterator[Told]:
    if entry.identity not in IDENTITIES or not entry.identity:
        yield Told("form_identity", {"field": where, "identity": str(entry.identity)})
    if entry.type in ("radio", "select", "checklist"):
        if entry.values_key and entry.values_key not in codes.lists() and entry.values_key not in CASE_LISTS:
            yield Told("form_list", {"field": where, "list": str(entry.values_key)})
        elif not entry.values_key and not entry.values:
            yield Told("form_no_options", {"field": where})
        taken: set[str] = set()
        for code in entry.values:
            if code.code in taken:
                yield Told("form_option_twice", {"field": where, "value": code.code})
            taken.add(code.code)
    if entry.suggestions and entry.suggestions not in codes.lists() and f"CS-{entry.suggestions}" not in codes.lists():
        yield Told("form_list", {"field": where, "list": str(entry.suggestions)})
    for low, high in ((entry.minimum, entry.maximum), (entry.min_length, entry.max_length)):
        if low is not None and high is not None and low > high:
            yield Told("form_bounds", {"field": where})
    if entry.pattern:
        try:
            patterns._compiled(f"^(?:{entry.pattern})$", "")
        except (patterns.PatternError, feel.FeelError) as error:
            yield Told("form_pattern", {"field": where, "reason": str(error)})


def _properties(components: Iterable[Any], depth: int) -> Iterator[Told]:
    for component in components:
        for name in component.get("properties") or {}:
            if name not in PROPERTIES:
                yield Told("form_property", {"field": str(component.get("key") or component.get("path") or component.get("id")), "name": str(name)})
        if depth < forms.MAX_DEPTH:
            yield from _properties(component.get("components") or (), depth + 1)


def _rules(form: forms.Form, values: frozenset[str] | None) -> Iterator[Told]:
    names = Names(form)
    seen: set[str] = set()
    for rule in form.rules:
        if rule.id in seen:
            yield Told("form_rule_twice", {"rule": rule.id})
        seen.add(rule.id)
        if rule.level not in ("error", "warning"):
            yield Told("form_rule_level", {"rule": rule.id})
        path = tuple(part for part in str(rule.field).replace("[]", "").split(".") if part)
        if path not in names.paths:
            yield Told("form_rule_field", {"rule": rule.id, "field": str(rule.field)})
        if not rule.en:
            yield Told("form_english", {"field": rule.id})
        yield from _expression(str(rule.when), rule.id, names.inside(path), names, values, in_row="[]" in str(rule.field))


def _expression(text: str, where: str, seen: frozenset[str], names: Names, values: frozenset[str] | None, *, in_row: bool) -> Iterator[Told]:
    if not isinstance(text, str):
        yield Told("form_expression", {"where": where, "reason": "not text"})
        return
    found = kinds.checked(text)
    if found.error is not None:
        yield Told("form_expression", {"where": where, "reason": found.error.message})
        return
    told: set[str] = set()
    for name in found.names:
        if name.is_call:
            if name.name not in FUNCTIONS and name.name not in told:
                told.add(name.name)
                yield Told("form_function", {"where": where, "name": name.name})
        elif name.name == "profile" and len(name.path) > 1:
            if values is not None and name.path[1] not in values:
                yield Told("unknown_value", {"name": name.path[1]})
        elif name.name not in seen and name.name not in CONTEXT and not name.is_loose and name.name not in told:
            told.add(name.name)
            yield Told("form_name", {"where": where, "name": name.name})
    if not in_row:
        for left, right in kinds.differing(text, names.kinds):
            yield Told("form_kinds", {"where": where, "left": left, "right": right})


def together(known: Mapping[str, forms.Form], files: Mapping[str, bytes]) -> Iterator[tuple[str, Told]]:
    """Judge forms against one another: what `known` names, and whether some step uses each."""
    fields = {key: {entry.key for entry in form.inputs()} for key, form in known.items()}
    for key, form in known.items():
        if key == NOTICE:  # what it knows comes from the page on which it is taken
            continue
        path = f"forms/{key}.json"
        texts = [(rule.id, rule.when) for rule in form.rules]
        texts += [
            (entry.key or entry.id, text)
            for entry in _all(form.fields)
            for text in (entry.hide, entry.required_if, entry.expression, entry.prefill)
            if text
        ]
        for where, text in texts:
            if not isinstance(text, str) or "known" not in text:
                continue
            for name in kinds.checked(text).names:
                if name.name != "known" or len(name.path) < 2:
                    continue
                if name.path[1] not in known:
                    yield path, Told("form_other_form", {"where": where, "form": name.path[1]})
                elif len(name.path) > 2 and name.path[2] not in fields[name.path[1]]:
                    yield path, Told("form_other_field", {"where": where, "form": name.path[1], "field": name.path[2]})
    drawn = b"\n".join(content for path, content in files.items() if path.endswith(".bpmn"))
    for key in known:
        if key != NOTICE and f'"{key}"'.encode() not in drawn and f"'{key}'".encode() not in drawn:
            yield f"forms/{key}.json", Told("form_unused")


def _all(fields: Sequence[forms.Field]) -> Iterator[forms.Field]:
    for entry in fields:
        yield entry
        yield from _all(entry.fields)
