"""Forms: read strictly, answers checked as data; what is hidden, computed, unasked or hostile never comes through."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import feel, forms, procedures
from engine.forms import UnreadableForm

NOW = datetime(2026, 10, 22, 1, 40, tzinfo=UTC)
CONTEXT = forms.Context(feel.Environment(now=NOW), {"known": {}, "variables": {}})
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


def form(*components: Mapping[str, Any], rules: Any = (), **ours: Any) -> forms.Form:
    """Read a form of these components."""
    named = [{"id": f"C{place}", **component} for place, component in enumerate(components)]
    told = {"title": "表", "title_en": "form", "audience": "case", "rules": list(rules), **ours}
    return forms.parse(json.dumps({"type": "default", "id": "f", "components": named, "pingshen": told}).encode())


def text(key: str, **more: Any) -> dict[str, Any]:
    return {"type": "textfield", "key": key, "label": key, **more}


def checked(one: forms.Form, **answers: Any) -> forms.Checked:
    return forms.check(one, answers, CONTEXT)


def wrong(one: forms.Form, **answers: Any) -> set[tuple[str | int, ...]]:
    return {finding.path for finding in checked(one, **answers).errors}


# ── reading ──


@pytest.mark.parametrize(
    "components",
    [
        [text("a"), text("a")],
        [text("now")],
        [text("answers")],
        [text("Upper")],
        [text("a-b")],
        [text("a" * 61)],
        [{"type": "textfield", "label": "no key"}],
        [{"type": "html", "key": "a"}],
        [{"type": "button", "key": "a"}],
        [{"key": "a"}],
        ["text"],
        [None],
        [{"type": "number", "key": "a", "validate": {"min": "many"}}],
    ],
)
def test_a_form_that_is_not_fit_is_not_read(components: list[Any]) -> None:
    content = {"id": "f", "components": components, "pingshen": {"title": "a", "title_en": "a", "audience": "case"}}
    with pytest.raises((UnreadableForm, ArithmeticError)):
        forms.parse(json.dumps(content).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 200_000, b'{"components": []}'])
def test_what_is_not_a_form_is_not_read(content: bytes) -> None:
    with pytest.raises(UnreadableForm):
        forms.parse(content)


# ── checking ──


def test_required_hidden_computed_and_unasked() -> None:
    one = form(
        text("why", validate={"required": True}, conditional={"hide": '=kind != "other"'}),
        text("kind", validate={"required": True}),
        {"type": "expression", "key": "twice", "expression": "=count * 2"},
        {"type": "number", "key": "count"},
    )
    assert wrong(one) == {("kind",)}
    assert wrong(one, kind="other") == {("why",)}
    found = checked(one, kind="plain", why="藏起来的", count=Decimal(4), twice=Decimal(99), unasked="x", __class__="y")
    assert not found.errors
    assert set(found.answers) == {"kind", "count", "twice"}
    assert feel.from_wire(found.answers["twice"]) == 8
    assert ("why",) in found.dropped


def test_what_hangs_on_a_hidden_answer_is_hidden_too() -> None:
    one = form(
        text("a"),
        text("b", conditional={"hide": '=a != "x"'}),
        text("c", conditional={"hide": '=b != "y"'}),
        text("d", conditional={"hide": "=c = null"}),
    )
    assert set(checked(one, a="x", b="y", c="z", d="w").answers) == {"a", "b", "c", "d"}
    assert set(checked(one, a="no", b="y", c="z", d="w").answers) == {"a"}


@pytest.mark.parametrize(
    ("component", "good", "bad"),
    [
        (text("a", validate={"maxLength": 3}), ["abc", "甲乙丙"], ["abcd", 7, ["abc"], {"x": 1}]),
        (text("a", validate={"pattern": "[0-9]{2}"}), ["12"], ["123", "ab", "1", "1\n2"]),
        ({"type": "number", "key": "a", "validate": {"min": 1, "max": 9}}, [Decimal(1), 9], [0, 10, Decimal("1.5"), "5", True]),
        ({"type": "number", "key": "a", "decimalDigits": 1}, [Decimal("1.5")], ["x", True]),
        ({"type": "datetime", "key": "a", "subtype": "date"}, [date(2026, 1, 1)], [NOW, "2026-01-01", date(1899, 1, 1), 5]),
        (
            {"type": "datetime", "key": "a", "subtype": "datetime", "properties": {"past": "true"}},
            [NOW],
            [datetime(2026, 10, 23, tzinfo=UTC), date(2026, 1, 1), "x"],
        ),
        ({"type": "radio", "key": "a", "values": [{"value": "x", "label": "x"}]}, ["x"], ["y", "X", 1, ["x"]]),
        ({"type": "select", "key": "a", "valuesKey": "CS-PLACE"}, ["1"], ["999", 1]),
        (
            {"type": "checklist", "key": "a", "values": [{"value": "x", "label": "x"}, {"value": "y", "label": "y"}]},
            [["x"], ["x", "y"]],
            ["x", ["z"], ["x", None]],
        ),
        ({"type": "checkbox", "key": "a"}, [True, False], ["yes", 1]),
        ({"type": "filepicker", "key": "a"}, [], [["0199-some-file"], "x"]),
    ],
)
def test_a_value_fits_its_field_or_is_named(component: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    one = form(component)
    for value in good:
        assert wrong(one, a=value) == set(), value
    for value in bad:
        assert ("a",) in {path[:1] for path in wrong(one, a=value)}, value


def test_unknown_answers_only_a_field_that_offers_it() -> None:
    number = {"type": "number", "key": "a", "validate": {"required": True}}
    assert wrong(form({**number, "properties": {"unknown": "true"}}), a="unknown") == set()
    assert wrong(form(number), a="unknown") == {("a",)}


def test_rules_speak_at_their_place_and_a_null_never_fires() -> None:
    rows = {"type": "dynamiclist", "path": "blood", "components": [{"id": "G", "type": "number", "key": "given"}]}
    rules = [
        {"id": "many", "level": "error", "field": "blood[].given", "when": "given > 5", "zh": "多", "en": "many"},
        {"id": "odd", "level": "warning", "field": "total", "when": "total = 13", "zh": "怪", "en": "odd"},
        {"id": "wrong", "level": "error", "field": "total", "when": 'total + "x" > 1', "zh": "坏", "en": "bad"},
    ]
    one = form(rows, {"type": "number", "key": "total"}, rules=rules)
    found = checked(one, blood=[{"given": 1}, {"given": 7}, {}], total=13)
    assert [(finding.path, finding.rule) for finding in found.errors] == [(("blood", 1, "given"), "many")]
    assert [(finding.path, finding.rule) for finding in found.warnings] == [(("total",), "odd")]
    assert not checked(one).findings


def test_lists_have_a_bound_and_rows_only_their_own_answers() -> None:
    one = form({"type": "dynamiclist", "path": "rows", "components": [{"id": "T", **text("a", validate={"required": True})}]})
    assert checked(one, rows=[{"a": "x", "b": "y"}]).answers == {"rows": [{"a": "x"}]}
    assert ("rows",) in wrong(one, rows=[{"a": "x"}] * (forms.MAX_ROWS + 1))
    assert wrong(one, rows=[{"a": ""}, {"a": "x"}]) <= {("rows", 0, "a")}


def test_a_pattern_that_would_run_for_ever_is_stopped() -> None:
    one = form(text("a", validate={"pattern": "(a+)+b"}))
    began = time.monotonic()
    assert wrong(one, a="a" * 60) == {("a",)}
    assert time.monotonic() - began < 5


HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.decimals()
    | st.just("\x00")
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "$", "v", "rows", "row_id"]), inner, max_size=3),
    max_leaves=8,
)


@BOUNDED
@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d", "rows", "group", "zzz"]), HOSTILE, max_size=7))
def test_whatever_is_sent_is_answered_with_findings_and_never_breaks(answers: dict[str, Any]) -> None:
    one = form(
        text("a", validate={"required": True}),
        {"type": "number", "key": "b"},
        {"type": "datetime", "key": "c", "subtype": "datetime"},
        {"type": "checklist", "key": "d", "values": [{"value": "x", "label": "x"}]},
        {"type": "dynamiclist", "path": "rows", "properties": {"row_id": "true"}, "components": [{"id": "R", **text("a")}]},
        {"type": "group", "path": "group", "components": [{"id": "S", **text("a", properties={"id": "I"})}]},
    )
    found = forms.check(one, answers, CONTEXT)
    if not found.errors:
        json.dumps(found.answers, allow_nan=False)
        assert set(found.answers) <= {"a", "b", "c", "d", "rows", "group"}
    forms.for_draft(one, answers)


def test_what_cannot_be_kept_is_told_of_at_its_own_place_and_the_rest_stays() -> None:
    """A control character in one field of a section or a row loses nothing beside it."""
    one = form(
        {"type": "group", "path": "home", "components": [{"id": "A", **text("street")}, {"id": "B", **text("kind")}]},
        {"type": "dynamiclist", "path": "rows", "components": [{"id": "C", **text("a")}]},
        {"type": "checklist", "key": "d", "values": [{"value": "x", "label": "x"}]},
    )
    found = checked(one, home={"street": "a\x00b", "kind": "x"}, rows=[{"a": "y"}, {"a": "\x00"}], d=["\x00"])
    assert {finding.path for finding in found.errors} == {("home", "street"), ("rows", 1, "a"), ("d",)}
    assert found.answers["home"]["kind"] == "x"
    assert found.answers["rows"][0] == {"a": "y"}


# ── identity ──

SHAPE = form(
    text("plain"),
    text("name", properties={"id": "I"}),
    {"type": "group", "path": "home", "components": [{"id": "A", **text("street", properties={"id": "I"})}, {"id": "B", **text("kind")}]},
    {"type": "group", "label": "section", "components": [{"id": "C", **text("phone", properties={"id": "I"})}]},
    {"type": "dynamiclist", "path": "rows", "components": [{"id": "D", **text("who", properties={"id": "I"})}, {"id": "E", **text("what")}]},
)
WORD = st.text(st.characters(categories=["L"]), min_size=1, max_size=6)


@BOUNDED
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "plain": WORD,
            "name": WORD,
            "phone": WORD,
            "home": st.fixed_dictionaries({}, optional={"street": WORD, "kind": WORD}),
            "rows": st.lists(st.fixed_dictionaries({}, optional={"who": WORD, "what": WORD}), max_size=3),
        },
    )
)
def test_identity_is_taken_out_and_put_back_without_loss(answers: dict[str, Any]) -> None:
    plain, identity = forms.take_identity(SHAPE, answers)
    assert forms.put_identity(plain, identity) == answers
    assert not {"name", "phone"} & set(plain)
    assert "street" not in plain.get("home", {})
    assert not any("who" in row for row in plain.get("rows", []))
    assert SHAPE.has_identity


def test_every_shipped_form_is_read_and_names_what_its_expressions_need() -> None:
    for path, content in procedures.shipped_files("maternal_death").items():
        if path.startswith("forms/"):
            one = forms.parse(content)
            assert one.key == path[6:-5]
            assert list(one.inputs())
            assert all(finding.level in ("error", "warning") for finding in forms.check(one, {}, CONTEXT).findings)
