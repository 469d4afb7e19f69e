"""What is said of a table before it runs, compared with what it does: overlaps, gaps, rules that never count, values that do not fit."""

import itertools
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feel import DecisionFailed, Environment, decisions
from engine.feel.analysis import Finding, analyse
from tests.engine.feel.tables import table_of, table_xml

ENVIRONMENT = Environment(now=datetime(2026, 1, 1, tzinfo=UTC))


def findings(policy, inputs, outputs, rules, **options):
    """Return what is said of a table, by kind: the rules and the values."""
    xml = table_xml(policy, inputs, outputs, rules, **options)
    return analyse(table_of(xml), decisions.read(xml))


def said(policy, inputs, outputs, rules, **options):
    return {(found.kind, found.rules, found.text) for found in findings(policy, inputs, outputs, rules, **options)}


AGE, KIND, RESULT = ("age", "number"), ("kind", "string", '"a","b"'), ("o",)
TABLES = {
    "a number that two ranges hold": ("UNIQUE", [AGE], [("< 18", "1"), ("[18..65]", "2"), (">= 65", "3")], {("overlap", (2, 3), "age: 65")}),
    "ranges side by side": ("UNIQUE", [AGE], [("< 18", "1"), ("[18..65)", "2"), (">= 65", "3")], set()),
    "a gap between ranges": ("UNIQUE", [AGE], [("< 18", "1"), ("(18..65)", "2"), (">= 65", "3")], {("gap", (), "age: 18")}),
    "equal cells": ("UNIQUE", [AGE], [("5", "1"), ("5.0", "2"), ("not(5)", "3")], {("overlap", (1, 2), "age: 5")}),
    "cells with the same text": ("UNIQUE", [AGE], [("> limit", "1"), ("> limit", "2"), ("-", "3")], {("overlap", (1, 2), "")}),
    "cells nobody can compare": ("UNIQUE", [AGE], [("> limit", "1"), ("<= limit", "2"), ("null", "3")], set()),
    "values that are allowed": ("UNIQUE", [KIND], [('"a"', "1")], {("gap", (), 'kind: "b"')}),
    "a value that is not allowed": (
        "UNIQUE",
        [KIND],
        [('"a"', "1"), ('"b"', "2"), ('"c"', "3")],
        {("never", (3,), '"c"')},
    ),
    "any other text": ("UNIQUE", [("s", "string")], [('"a","b"', "1"), ('"c"', "2")], {("gap", (), 's: not("a", "b", "c")')}),
    "all but some texts": ("UNIQUE", [("s", "string")], [('"a","b"', "1"), ('not("a","b")', "2")], set()),
    "both booleans": ("UNIQUE", [("b", "boolean")], [("true", "1")], {("gap", (), "b: false")}),
    "days without a day between": ("UNIQUE", [("d", "date")], [('<= @"2026-01-01"', "1"), ('>= @"2026-01-02"', "2")], set()),
    "days with one between": (
        "UNIQUE",
        [("d", "date")],
        [('<= @"2026-01-01"', "1"), ('>= @"2026-01-03"', "2")],
        {("gap", (), "d: (2026-01-01..2026-01-03)")},
    ),
    "instants between days": (
        "UNIQUE",
        [("t", "date and time")],
        [('<= @"2026-01-01"', "1"), ('>= @"2026-01-02"', "2")],
        {("gap", (), "t: (2026-01-01T00:00:00..2026-01-02T00:00:00)")},
    ),
    "durations": ("UNIQUE", [("p",)], [('< @"PT24H"', "1"), ('> @"P1D"', "2")], {("gap", (), "p: P1D")}),
    "a range the wrong way round": ("FIRST", [AGE], [("[9..3]", "1"), ("-", "2")], {("nothing", (1,), "[9..3]")}),
    "a day that is not there": ("FIRST", [("d", "date")], [('date("2026-02-30")', "1"), ("-", "2")], {("nothing", (1,), 'date("2026-02-30")')}),
    "a rule that comes too late": ("FIRST", [AGE], [("< 5", "1"), (">= 5", "2"), ("[3..9]", "3"), ("-", "4")], {("unreachable", (3,), "")}),
    "a rule that is left null alone": ("FIRST", [AGE], [("< 5", "1"), (">= 5", "2"), ("-", "3")], set()),
    "nothing is left": ("FIRST", [AGE], [("null", "1"), ("not(null)", "2"), ("-", "3")], {("unreachable", (3,), "")}),
    "ANY with equal results": ("ANY", [AGE], [("< 5", "1"), ("< 9", "1.0"), (">= 9", "2")], set()),
    "ANY with other results": ("ANY", [AGE], [("< 5", "1"), ("< 9", "2"), (">= 9", "2")], {("conflict", (1, 2), "age: < 5")}),
    "ANY with results to be computed": ("ANY", [AGE], [("< 5", "age"), ("< 9", "age + 0"), (">= 9", "2")], set()),
    "no gap where none is one": ("COLLECT", [AGE], [("< 5", "1")], set()),
    "an empty table": ("UNIQUE", [("b", "boolean")], [], {("gap", (), "")}),
    "the same column twice": ("UNIQUE", [AGE, AGE], [(">= 18", "< 65", "1"), ("< 18", "-", "2"), ("-", ">= 65", "3")], set()),
}


@pytest.mark.parametrize(("policy", "inputs", "rules", "wanted"), TABLES.values(), ids=TABLES)
def test_rules_beside_each_other(policy, inputs, rules, wanted):
    assert said(policy, inputs, [RESULT], rules) == wanted


def test_what_depends_on_each_other_is_not_sure():
    rules = [("> 1", "-", "1"), ("-", "< 1", "2"), ("<= 1", ">= 1", "3")]
    [found] = findings("UNIQUE", [("a", "number"), ("a + 1", "number")], [RESULT], rules, declared=False)
    assert (found.kind, found.is_sure) == ("overlap", False)
    [found] = findings("UNIQUE", [("p.a", "number"), ("p.b", "number")], [RESULT], rules, declared=False)
    assert (found.kind, found.is_sure) == ("overlap", True)
    [found] = findings("UNIQUE", [("p", "number"), ("p.b", "number")], [RESULT], rules, declared=False)
    assert (found.kind, found.is_sure) == ("overlap", False)


def test_a_default_leaves_no_gap():
    assert said("UNIQUE", [AGE], [("o", "", "", "0")], [("< 5", "1")]) == set()


OUTPUTS = {
    "not in the order": ("PRIORITY", [("o", "string", '"a","b"')], [("-", '"c"')], ("not listed", (1,), '"c"'), ""),
    "no order": ("OUTPUT ORDER", [RESULT], [("-", '"c"')], ("no order", (), ""), ""),
    "not of the type": ("FIRST", [("o", "number")], [("-", '"c"')], ("type", (1,), '"c"'), ""),
    "an input not of the type": ("FIRST", [RESULT], [('"x"', "1"), ("-", "2")], ("type", (1,), '"x"'), ""),
    "a range not of the type": ("FIRST", [RESULT], [('["a".."c"]', "1"), ("-", "2")], ("type", (1,), '["a".."c"]'), ""),
    "a result that has no value": ("FIRST", [RESULT], [("-", 'date("2026-02-30")')], ("nothing", (1,), 'date("2026-02-30")'), ""),
    "a sum of texts": ("COLLECT", [RESULT], [("-", '"c"')], ("aggregation", (1,), '"c"'), "SUM"),
    "a sum of two outputs": ("COLLECT", [("o",), ("p",)], [("-", "1", "2")], ("aggregation", (), "MAX"), "MAX"),
}


@pytest.mark.parametrize(("policy", "outputs", "rules", "wanted", "aggregation"), OUTPUTS.values(), ids=OUTPUTS)
def test_values_that_do_not_fit(policy, outputs, rules, wanted, aggregation):
    assert wanted in said(policy, [AGE], outputs, rules, aggregation=aggregation)


def test_types_of_the_model_allow_values():
    colour = '<itemDefinition name="colour"><typeRef>string</typeRef><allowedValues><text>"red","blue"</text></allowedValues></itemDefinition>'
    rules = [('"red"', '"blue"'), ('"green"', '"green"')]
    found = said("FIRST", [("c", "colour")], [("o", "colour")], rules, extra=colour)
    assert found == {("never", (2,), '"green"'), ("type", (2,), '"green"'), ("gap", (), 'c: "blue"')}


POINTS = [None, *range(-1, 8)]
CELLS = st.sampled_from(
    ["-", "1", "3", "< 3", "<= 3", "> 2", ">= 5", "[1..4]", "(1..4]", "[2..6)", "(0..5)", "1, 4", "not(3)", "not(< 2)", "null", "< 2, > 5"]
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(["UNIQUE", "FIRST"]), st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_what_is_said_is_what_happens(policy, cells):
    """Every point of two inputs, halves between them included, is decided; what the table does agrees with what was said of it."""
    rules = [(*pair, str(number)) for number, pair in enumerate(cells, 1)]
    inputs = [("x", "number"), ("y", "number")]
    found = findings(policy, inputs, [RESULT], rules)
    model = decisions.read(table_xml("COLLECT", inputs, [RESULT], rules))
    points = [None, *(number / 2 for number in range(-2, 15))]
    hits = {(x, y): model.decide("D", {"x": x, "y": y}, ENVIRONMENT) for x, y in itertools.product(points, points)}
    overlapping = {pair for numbers in hits.values() for pair in itertools.combinations(numbers, 2)}
    kinds = {each: {one.rules for one in found if one.kind == each} for each in ("overlap", "never", "unreachable", "gap")}
    matched = {number for numbers in hits.values() for number in numbers}
    first = {numbers[0] for numbers in hits.values() if numbers}
    everyone = set(range(1, len(rules) + 1))
    if policy == "UNIQUE":
        assert kinds["overlap"] == overlapping
    else:
        assert {number for (number,) in kinds["unreachable"]} == matched - first
    assert {number for (number,) in kinds["never"]} == everyone - matched
    is_whole = all(numbers for (x, y), numbers in hits.items() if x is not None and y is not None)
    assert bool(kinds["gap"]) is not is_whole


def test_an_overlap_is_what_the_table_stumbles_over():
    rules = [("< 5", '"a"'), ("> 3", '"b"')]
    [overlap] = findings("UNIQUE", [AGE], [RESULT], rules)
    assert overlap == Finding("overlap", (1, 2), "", "age: (3..5)")
    with pytest.raises(DecisionFailed, match="rules 1 and 2 match"):
        decisions.read(table_xml("UNIQUE", [AGE], [RESULT], rules)).decide("D", {"age": 4}, ENVIRONMENT)


HOSTILE = {
    "many rules": [(f"[{number}..{number + 2})", f"[{number % 37}..{number % 53}]", f'"k{number % 11}"', "1") for number in range(700)],
    "many constants in a cell": [(", ".join(str(number) for number in range(4000)), "-", "-", "1")],
    "constants that are long to compute": [(f"{number} + count(for i in 1..90000 return i)", "-", "-", "1") for number in range(300)],
    "a list of many constants": [("for i in 1..90000 return i", "-", "-", "1")],
    "a number that is too large": [("9e6144", "-9e6144", "-", "1"), ("> 9e6144", "< -9e6144", "-", "1")],
    "rules in which nothing can be told": [("? > x and ? < y", f"contains(?, {number})", "-", "1") for number in range(500)],
    "deep": [("(" * 300 + "1" + ")" * 300, "-", "-", "1")],
    "texts": [(f'"{"x" * 900}{number}"', "-", f'> "{"y" * 900}{number}"', "1") for number in range(150)],
}


@pytest.mark.parametrize("policy", ["UNIQUE", "FIRST"])
@pytest.mark.parametrize("rules", HOSTILE.values(), ids=HOSTILE)
def test_no_table_takes_long(policy, rules):
    xml = table_xml(policy, [("a",), ("b",), ("c",)], [RESULT], rules)
    model, table = decisions.read(xml), table_of(xml)
    began = time.process_time()
    found = analyse(table, model)
    assert time.process_time() - began < 1
    assert len(found) < 150
