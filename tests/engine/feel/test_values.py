"""The wire form: there and back, and what it refuses."""

import enum
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feel import (
    DateTime,
    ForbiddenKey,
    KeyNotText,
    MalformedWire,
    Months,
    NotPlain,
    NumberNotFinite,
    Range,
    TextNotAllowed,
    ValueTooLarge,
    evaluate,
    from_wire,
    to_wire,
)

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
KEYS = TEXTS.filter(lambda key: key not in ("__proto__", "typename")) | st.just("$")
ZONES = st.sampled_from([None, UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Paris"), timezone(timedelta(hours=-9.5))])
NUMBERS = st.integers(-(10**33), 10**33) | st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**20), max_value=10**20)
SCALARS = (
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXTS
    | st.dates()
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)
    | st.times(timezones=ZONES)
    | st.timedeltas()
    | st.builds(Months, st.integers(-(10**6), 10**6))
    | st.builds(
        lambda low, size, a, b: Range(low, low + size, a, b),
        st.integers(0, 99),
        st.integers(0, 9),
        st.booleans(),
        st.booleans(),
    )
    | st.builds(lambda end: Range(None, end, None, False), st.dates())
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@given(VALUES)
def test_values_come_back(value):
    wire = to_wire(value)
    assert from_wire(wire) == value
    assert json.loads(json.dumps(wire, allow_nan=False)) == wire
    assert to_wire(from_wire(wire)) == wire


@given(VALUES)
def test_values_pass_through_an_expression_unchanged(value):
    from engine.feel import Environment

    wire = to_wire({"x": value})
    assert evaluate("x", wire, Environment(now=datetime(2026, 1, 1, tzinfo=UTC))) == wire["x"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_become_the_number_they_show(value):
    assert from_wire(to_wire(value)) == Decimal(repr(value))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (3.0, 3),
        (Decimal("1.50"), 1.5),
        (Decimal("-0.0"), 0),
        (2**53, {"$": "n", "v": "9007199254740992"}),
        (Decimal("0.12345678901234567890"), {"$": "n", "v": "0.1234567890123456789"}),
        (Decimal("1e100"), {"$": "n", "v": "1E+100"}),
        (date(2026, 11, 22), {"$": "d", "v": "2026-11-22"}),
        (time(10, 15), {"$": "t", "v": "10:15:00"}),
        (time(10, 15, tzinfo=ZoneInfo("Asia/Shanghai")), {"$": "t", "v": "10:15:00@Asia/Shanghai"}),
        (datetime(2026, 11, 22, 10, 15, tzinfo=UTC), {"$": "dt", "v": "2026-11-22T10:15:00Z"}),
        (datetime(2026, 11, 22, 10, 15, 0, 5), {"$": "dt", "v": "2026-11-22T10:15:00.000005"}),
        (
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),
            {"$": "dt", "v": "2026-10-25T02:30:00@Europe/Paris", "fold": 1},
        ),
        (timedelta(days=1, hours=2), {"$": "p", "v": "P1DT2H", "s": 93600}),
        (timedelta(seconds=1.5), {"$": "p", "v": "PT1.5S", "s": 1.5}),
        (Months(14), {"$": "p", "v": "P1Y2M", "y": 14}),
        (Range(1, date(2026, 1, 1), True, False), {"$": "r", "v": ["[", 1, {"$": "d", "v": "2026-01-01"}, ")"]}),
        (Range(None, 5, None, False), {"$": "r", "v": ["", None, 5, ")"]}),
        (Range(5, 5, sign="!="), {"$": "r", "v": ["!=", 5, 5, "!="]}),
        ({"$": "d", "v": "mine"}, {"$": "c", "v": {"$": "d", "v": "mine"}}),
        ((1, [2]), [1, [2]]),
    ],
)
def test_the_form_of_each_kind(value, wire):
    assert to_wire(value) == wire
    assert type(to_wire(value)) is type(wire)


class Colour(enum.StrEnum):
    """An enumeration that is a string, and yet not plain."""

    RED = "red"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"__proto__": 1}, ForbiddenKey),
        ([{"a": {"typename": 1}}], ForbiddenKey),
        ({"$": {"typename": 1}}, ForbiddenKey),
        ({1: "a"}, KeyNotText),
        ({None: "a"}, KeyNotText),
        (float("nan"), NumberNotFinite),
        ([float("-inf")], NumberNotFinite),
        (Decimal("NaN"), NumberNotFinite),
        (Decimal("Infinity"), NumberNotFinite),
        ("a\0b", TextNotAllowed),
        ({"a\0": 1}, TextNotAllowed),
        ("中\ud800", TextNotAllowed),
        ({"\udfff": 1}, TextNotAllowed),
        (b"bytes", NotPlain),
        ({1, 2}, NotPlain),
        (object(), NotPlain),
        (Colour.RED, NotPlain),
        (1j, NotPlain),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(microseconds=1))), NotPlain),
        ("x" * 200_001, ValueTooLarge),
        (["x" * 200_000] * 6, ValueTooLarge),
        ([0] * 50_000, ValueTooLarge),
        (10**40 + 1, ValueTooLarge),
        pytest.param(10**7000, ValueTooLarge, id="huge"),
        (Decimal("1e7000"), ValueTooLarge),
        (Decimal("1." + "1" * 40), ValueTooLarge),
    ],
)
def test_what_is_refused(value, error):
    with pytest.raises(error) as caught:
        to_wire(value)
    assert caught.value.kind == "value"


def test_depth_is_limited():
    deep = []
    for _ in range(59):
        deep = [deep]
    assert from_wire(to_wire(deep)) == deep
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueTooLarge):
        to_wire(deep)
    with pytest.raises(MalformedWire):
        from_wire(deep)


def test_a_value_that_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(ValueTooLarge):
        to_wire(loop)


@pytest.mark.parametrize(
    "wire",
    [
        {"$": "d", "v": "2026-02-30"},
        {"$": "d", "v": 5},
        {"$": "d"},
        {"$": "x", "v": "1"},
        {"$": ["d"], "v": "2026-01-01"},
        {"$": "n", "v": "1e99999"},
        {"$": "n", "v": "one"},
        {"$": "p", "v": "P"},
        {"$": "r", "v": ["[", 1, 2]},
        {"$": "r", "v": ["<", 1, 2, "]"]},
        {"$": "c", "v": []},
        {"$": "d", "v": "12026-01-01"},
        [{"$": "dt", "v": "-0001-01-01T00:00:00"}],
        {"$": "p", "v": "P99999999999D"},
        pytest.param(10**7000, id="huge"),
        date(2026, 1, 1),
    ],
)
def test_what_is_not_in_wire_form(wire):
    with pytest.raises(MalformedWire):
        from_wire(wire)


def test_hints_beside_the_text_do_not_count():
    assert from_wire({"$": "p", "v": "P1D", "s": 5}) == timedelta(days=1)
    assert from_wire({"$": "p", "v": "P1Y"}) == Months(12)


def test_feel_values_are_accepted_as_well():
    assert to_wire([DateTime(0, 0, "Asia/Shanghai"), Decimal(2)]) == [
        {"$": "dt", "v": "1970-01-01T00:00:00@Asia/Shanghai"},
        2,
    ]
