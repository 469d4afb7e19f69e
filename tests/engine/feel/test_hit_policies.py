"""Every hit policy with one and several outputs, defaults and no hit; cells of every form in tables; days and clocks in tables."""

from datetime import UTC, datetime

import pytest

from engine.feel import DecisionFailed, Environment, FeelError, decisions, from_wire
from tests.engine.feel.tables import table_xml

ENVIRONMENT = Environment(now=datetime(2026, 1, 1, tzinfo=UTC), zone="Asia/Shanghai")
ONE = [("o", "string", '"high","mid","low"')]
TWO = [("o", "string", '"high","mid","low"'), ("n", "number", "3,2,1")]
RULES_ONE = [("> 30", '"mid"'), ("> 20", '"low"'), ("> 40", '"high"')]
RULES_TWO = [("> 30", '"mid"', "1"), ("> 20", '"mid"', "3"), ("> 40", '"high"', "2")]
EQUAL_ONE = [("> 20", '"a"'), ("> 30", '"a"')]
EQUAL_TWO = [("> 20", '"a"', "1 + 1"), ("> 30", '"a"', "2")]
NUMBERS = [("> 20", "5"), ("> 30", "7.5"), ("> 40", "5")]


def decide(policy, outputs, rules, x, *, aggregation="", columns=None, **inputs):
    xml = table_xml(policy, columns or [("x",)], outputs, rules, aggregation=aggregation)
    return from_wire(decisions.read(xml).decide("D", {"x": x, **inputs}, ENVIRONMENT))


def with_default(outputs, *defaults):
    return [(*(*cells, "", "")[:3], default) for cells, default in zip(outputs, defaults, strict=True)]


def both(o, n):
    return {"o": o, "n": n}


POLICIES = [
    ("UNIQUE", "", [("o",)], [("< 5", '"a"'), (">= 5", '"b"')], {4: "a", 5: "b", None: None}),
    ("UNIQUE", "", [("o",), ("n",)], [("< 5", '"a"', "1"), (">= 5", '"b"', "2")], {4: both("a", 1), 5: both("b", 2), None: None}),
    ("UNIQUE", "", with_default([("o",)], '"z"'), [("< 5", '"a"')], {4: "a", 5: "z"}),
    ("UNIQUE", "", with_default([("o",), ("n",)], '"z"', "x + 1"), [("< 5", '"a"', "1")], {4: both("a", 1), 5: both("z", 6)}),
    ("UNIQUE", "", with_default([("o",), ("n",)], "", "9"), [("< 5", '"a"', "1")], {5: both(None, 9)}),
    ("ANY", "", [("o",)], EQUAL_ONE, {10: None, 25: "a", 35: "a"}),
    ("ANY", "", [("o",), ("n",)], EQUAL_TWO, {10: None, 35: both("a", 2)}),
    ("ANY", "", with_default([("o",), ("n",)], '"z"', "0"), EQUAL_TWO, {10: both("z", 0)}),
    ("FIRST", "", ONE, RULES_ONE, {10: None, 25: "low", 35: "mid", 45: "mid"}),
    ("FIRST", "", TWO, RULES_TWO, {25: both("mid", 3), 45: both("mid", 1)}),
    ("FIRST", "", with_default(ONE, '"none"'), RULES_ONE, {10: "none", 45: "mid"}),
    ("PRIORITY", "", ONE, RULES_ONE, {10: None, 25: "low", 35: "mid", 45: "high"}),
    ("PRIORITY", "", TWO, RULES_TWO, {35: both("mid", 3), 45: both("high", 2)}),
    ("PRIORITY", "", with_default(TWO, '"none"', "0"), RULES_TWO, {10: both("none", 0)}),
    ("RULE ORDER", "", ONE, RULES_ONE, {10: [], 45: ["mid", "low", "high"]}),
    ("RULE ORDER", "", TWO, RULES_TWO, {45: [both("mid", 1), both("mid", 3), both("high", 2)]}),
    ("OUTPUT ORDER", "", ONE, RULES_ONE, {10: [], 45: ["high", "mid", "low"]}),
    ("OUTPUT ORDER", "", TWO, RULES_TWO, {10: [], 45: [both("high", 2), both("mid", 3), both("mid", 1)]}),
    ("COLLECT", "", ONE, RULES_ONE, {10: [], 25: ["low"], 45: ["mid", "low", "high"]}),
    ("COLLECT", "", TWO, RULES_TWO, {45: [both("mid", 1), both("mid", 3), both("high", 2)]}),
    ("COLLECT", "SUM", [("n",)], NUMBERS, {10: None, 25: 5, 45: 17.5}),
    ("COLLECT", "MIN", [("n",)], NUMBERS, {10: None, 45: 5}),
    ("COLLECT", "MAX", [("n",)], NUMBERS, {10: None, 45: 7.5}),
    ("COLLECT", "COUNT", [("n",)], NUMBERS, {10: 0, 25: 1, 45: 3}),
    ("COLLECT", "SUM", with_default([("n",)], "0"), NUMBERS, {10: 0, 45: 17.5}),
    ("COLLECT", "MAX", [("o",)], [("> 20", '@"2026-01-01"'), ("> 30", '@"2025-01-01"')], {45: datetime(2026, 1, 1).date()}),
    ("COLLECT", "COUNT", TWO, RULES_TWO, {45: 3}),
]


@pytest.mark.parametrize(("policy", "aggregation", "outputs", "rules", "wanted"), POLICIES)
def test_results_of_policies(policy, aggregation, outputs, rules, wanted):
    found = {x: decide(policy, outputs, rules, x, aggregation=aggregation) for x in wanted}
    assert found == wanted


@pytest.mark.parametrize(
    ("policy", "outputs", "rules", "message"),
    [
        ("UNIQUE", ONE, RULES_ONE, "UNIQUE, but rules 1 and 2 and 3 match"),
        ("UNIQUE", [("o",)], EQUAL_ONE, "UNIQUE, but rules 1 and 2 match"),
        ("ANY", ONE, RULES_ONE, "ANY, but rules 1 and 2 give different results"),
        ("ANY", [("o",), ("n",)], [("> 20", '"a"', "1"), ("> 30", '"a"', "2")], "ANY, but rules 1 and 2 give different results"),
        ("PRIORITY", [("o",)], EQUAL_ONE, "PRIORITY needs the values"),
    ],
)
def test_what_a_policy_forbids_is_an_error(policy, outputs, rules, message):
    with pytest.raises(DecisionFailed, match=message):
        decide(policy, outputs, rules, 45)


def test_rules_that_matched_are_told():
    xml = table_xml("COLLECT", [("x",)], ONE, RULES_ONE)
    hits = []
    decisions.read(xml).decide("D", {"x": 35}, ENVIRONMENT, hits=hits)
    assert [(hit.decision, hit.rules) for hit in hits] == [("D", (1, 2))]


CELLS = [
    ("-", [1, "a", None, []], []),
    ("", [1, None], []),
    ('"a","b"', ["a", "b"], ["c", None, 1, ""]),
    ('not("a","b")', ["c", "", None], ["a", "b"]),
    ("1, 2, 3", [1, 2, 3], [4, None, "1"]),
    ("[1..5]", [1, 3, 5], [0, 6, None, "3"]),
    ("(1..5]", [2, 5], [1]),
    ("[1..5)", [1, 4.99], [5]),
    ("]1..5[", [1.01], [1, 5]),
    ("(1..5)", [3], [1, 5]),
    ("> 5", [5.01], [5, None, "6"]),
    ("<= 5", [5, -9], [5.01, None]),
    ("< 3, > 7", [1, 9], [3, 5, 7, None]),
    ("not(< 3, > 7)", [3, 5, 7], [1, 9, None]),
    ("[1..3], 7", [2, 7], [5]),
    ("= 5", [5], [4, None]),
    ("!= 5", [4, None], [5]),
    ("null", [None], [0, "", False]),
    ("not(null)", [0, "", False], [None]),
    ("true", [True], [False, None]),
    ("not(true)", [False, None], [True]),
    ("y > 5", [1, None, True], [False]),
    ("y > 9", [False], [1, None, True]),
    ("? > 3 and ? < 6", [4, 5], [3, 6, None]),
    ("even(?)", [2, 0], [1, None]),
    ('contains(?, "x")', ["axb"], ["ab", None]),
    ('starts with(?, "O")', ["O72.1"], ["I26"]),
    ("? in [1..3]", [2], [4, None]),
    ("not(? in (1, 2))", [3], [1, 2]),
    ("list contains(?, 2)", [[1, 2]], [[1], [], None]),
    ("count(?) > 1", [[1, 2]], [[1]]),
    ("some i in ? satisfies i > 2", [[1, 3]], [[1, 2], []]),
    ("y", [7], [6, None]),
    ("> y", [8], [7, None]),
    ("[y..y + 2]", [7, 9], [10]),
    ("y, 1", [7, 1], [2]),
    ("ys", [1, 2], [3]),
    ("not(ys)", [3], [1, 2]),
    ("{a: 1}", [{"a": 1}], [{"a": 2}, {}, None]),
    ("[1, 2]", [1, 2, [1, 2]], [3, [1]]),
    ('["a".."c"]', ["a", "b", "c"], ["d", "A"]),
    ('@"2026-01-01"', [{"$": "d", "v": "2026-01-01"}], [{"$": "d", "v": "2026-01-02"}, None]),
    ('[@"2026-01-01"..@"2026-01-31"]', [{"$": "d", "v": "2026-01-15"}], [{"$": "d", "v": "2026-02-01"}, None]),
    ('> date and time("2026-01-01T00:00:00+08:00")', [{"$": "dt", "v": "2025-12-31T17:00:00Z"}], [{"$": "dt", "v": "2025-12-31T15:59:59Z"}]),
    ('[@"08:00:00"..@"18:00:00")', [{"$": "t", "v": "08:00:00"}], [{"$": "t", "v": "18:00:00"}, {"$": "t", "v": "09:00:00Z"}]),
    ('<= @"PT72H"', [{"$": "p", "v": "P3D"}], [{"$": "p", "v": "P3DT1S"}, {"$": "p", "v": "P1M"}]),
    ('@"P1Y"', [{"$": "p", "v": "P12M"}], [{"$": "p", "v": "P365D"}]),
]


@pytest.mark.parametrize(("cell", "passing", "failing"), CELLS, ids=[cells[0] or "empty" for cells in CELLS])
def test_cells_of_every_form(cell, passing, failing):
    columns = [("x",), ("y",), ("ys",)]
    rules = [(cell, "-", "-", "true")]
    found = [decide("FIRST", [("o",)], rules, value, columns=columns, y=7, ys=[1, 2]) for value in (*passing, *failing)]
    assert found == [True] * len(passing) + [None] * len(failing)


def instant(text):
    return {"$": "dt", "v": text}


def day(text):
    return {"$": "d", "v": text}


CLOCKS = [
    # a local and a zoned instant have no order: neither rule matches
    ("x < y", instant("2026-01-01T10:00:00"), instant("2026-01-01T10:00:00Z"), None),
    ("x = y", instant("2026-01-01T10:00:00+08:00"), instant("2026-01-01T02:00:00Z"), True),
    ("x = y", instant("2026-07-01T10:00:00@Europe/Paris"), instant("2026-07-01T10:00:00+02:00"), True),
    ("x = y", instant("2026-01-01T10:00:00@Europe/Paris"), instant("2026-01-01T10:00:00+02:00"), False),
    ("x = y", instant("2026-01-01T10:00:00@Asia/Shanghai"), instant("2026-01-01T10:00:00+08:00"), True),
    # Shanghai kept summer time from 1986 to 1991
    ("x = y", instant("1988-07-01T10:00:00@Asia/Shanghai"), instant("1988-07-01T10:00:00+09:00"), True),
    ("x = y", instant("1992-07-01T10:00:00@Asia/Shanghai"), instant("1992-07-01T10:00:00+08:00"), True),
    ("(x - y).hours", instant("1986-05-04T06:00:00@Asia/Shanghai"), instant("1986-05-04T00:00:00@Asia/Shanghai"), 5),
    ("(x - y).hours", instant("1991-09-15T06:00:00@Asia/Shanghai"), instant("1991-09-15T00:00:00@Asia/Shanghai"), 7),
    # days and hours across a change of clocks in Paris
    ('x + duration("P1D") = y', instant("2026-03-28T12:00:00@Europe/Paris"), instant("2026-03-29T13:00:00@Europe/Paris"), True),
    ('x + duration("PT24H") = y', instant("2026-03-28T12:00:00@Europe/Paris"), instant("2026-03-29T13:00:00@Europe/Paris"), True),
    ('x + duration("P1M") = y', instant("2026-02-28T12:00:00@Europe/Paris"), instant("2026-03-28T12:00:00@Europe/Paris"), True),
    ("(x - y).hours", instant("2026-10-25T12:00:00@Europe/Paris"), instant("2026-10-25T00:00:00@Europe/Paris"), 13),
    ("x - y", day("2026-03-01"), day("2026-02-01"), {"$": "p", "v": "P28D", "s": 2419200}),
    ("x < y", day("2026-01-01"), instant("2026-01-01T00:00:01"), True),
    ("(x - y).days", instant("2026-02-12T23:00:00+08:00"), instant("2026-01-01T00:00:00+08:00"), 42),
    ('x + duration("P42D") >= y', instant("2026-01-01T10:00:00+08:00"), instant("2026-02-12T10:00:00+08:00"), True),
    ("date(x)", instant("2026-01-01T23:30:00Z"), None, day("2026-01-01")),
]


@pytest.mark.parametrize(("text", "x", "y", "wanted"), CLOCKS)
def test_days_and_clocks_in_a_table(text, x, y, wanted):
    xml = table_xml("UNIQUE", [("x",), ("y",)], [("o",)], [("-", "-", text)])
    assert decisions.read(xml).decide("D", {"x": x, "y": y}, ENVIRONMENT) == wanted


NAMES = [
    "age",
    "age of mother",
    "孕产妇年龄",
    "产妇 年龄",
    "mother's age",
    "a-b",
    "ICD-10 code",
    "x1",
    "_x",
    "Größe",
    "days+1",
    "in hospital",
    "is known",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_inputs(name):
    data = f'<inputData id="i" name="{name}"/>'
    required = '<informationRequirement><requiredInput href="#i"/></informationRequirement>'
    table = (
        f'<decisionTable hitPolicy="UNIQUE"><input><inputExpression><text>{name}</text></inputExpression></input><output/>'
        f"<rule><inputEntry><text>> 5</text></inputEntry><outputEntry><text>{name} + 1</text></outputEntry></rule></decisionTable>"
    )
    standard = "https://www.omg.org/spec/DMN/20230324/MODEL/"
    xml = f'<definitions xmlns="{standard}" namespace="u" name="n">{data}<decision id="d" name="D">{required}{table}</decision></definitions>'
    found = decisions.read(xml.encode())
    assert found.problems == ()
    assert found.decide("D", {name: 7}, ENVIRONMENT) == 8
    assert found.decide("d", {name: 7}, ENVIRONMENT, strict=False) is None
    assert (found.named("d"), found.named("D"), found.named(name), found.named("x y")) == ("D", "D", None, None)
    assert found.needs("D") == ({name: None}, frozenset(), frozenset())


def test_a_missing_input_is_an_error_and_null_is_a_value():
    xml = table_xml("UNIQUE", [("x",)], [("o",)], [("> 5", "1"), ("null", "2")])
    found = decisions.read(xml)
    assert found.decide("D", {"x": None}, ENVIRONMENT) == 2
    with pytest.raises(FeelError, match="'x'"):
        found.decide("D", {}, ENVIRONMENT)
