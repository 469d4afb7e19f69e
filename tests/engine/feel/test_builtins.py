"""Every built-in function: what it gives, and what it refuses."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from engine.feel import FUNCTION_NAMES, FreeName, LimitExceeded, Months, NullExplained, Range, check, evaluate

SHANGHAI = ZoneInfo("Asia/Shanghai")

RESULTS = [
    # conversion
    ('number("12.5")', Decimal("12.5")),
    ('number("1 234,5", " ", ",")', Decimal("1234.5")),
    ('number("1.234.567", ".", null)', 1234567),
    ('number(from: "1,234", grouping separator: ",")', 1234),
    ('number(" -3e2 ")', -300),
    ("string(1.50)", "1.5"),
    ("string(-0.0)", "0"),
    ("string(true)", "true"),
    ('string("a")', "a"),
    ('string([1, "a", null, {b: @"2026-01-01", "c d": "e\\"f"}])', '[1, "a", null, {b: 2026-01-01, "c d": "e\\"f"}]'),
    ("string([1..5))", "[1..5)"),
    ("string((<= 5))", "(<= 5)"),
    ('string((> "a"))', '(> "a")'),
    ("string((!= 5))", "(!= 5)"),
    ("string(function(a, b) a)", "function(a, b)"),
    ('string(@"P1DT2H")', "P1DT2H"),
    ('date("2026-11-22")', date(2026, 11, 22)),
    ("date(2026, 11, 22)", date(2026, 11, 22)),
    ("date(day: 22, month: 11, year: 2026)", date(2026, 11, 22)),
    ("date(now())", date(2026, 11, 22)),
    ("date(today())", date(2026, 11, 22)),
    ('time("10:20:30")', time(10, 20, 30)),
    ("time(10, 20, 30.5)", time(10, 20, 30, 500000)),
    ('string(time(10, 20, 30, duration("PT8H")))', "10:20:30+08:00"),
    ("time(10, 20, 30, null)", time(10, 20, 30)),
    ("time(now())", time(11, tzinfo=SHANGHAI)),
    ('time(time("10:00:00"))', time(10)),
    ("string(time(today()))", "00:00:00Z"),
    ('date and time("2026-11-22T10:00:00")', datetime(2026, 11, 22, 10)),
    ('date and time("2026-11-22")', datetime(2026, 11, 22)),
    ('date and time(today(), time("10:00:00"))', datetime(2026, 11, 22, 10)),
    ('date and time(@"2026-11-22T00:00:00Z", "Asia/Shanghai")', datetime(2026, 11, 22, 8, tzinfo=SHANGHAI)),
    ("date and time(2026, 11, 22, 10, 20, 30)", datetime(2026, 11, 22, 10, 20, 30)),
    ('string(date and time(2026, 11, 22, 10, 20, 30, duration("-PT5H")))', "2026-11-22T10:20:30-05:00"),
    ("date and time(now())", datetime(2026, 11, 22, 11, tzinfo=SHANGHAI)),
    ('duration("P1DT2H")', timedelta(days=1, hours=2)),
    ('duration("P1Y2M")', Months(14)),
    ('duration(duration("P1D"))', timedelta(days=1)),
    ('years and months duration(date("2025-01-31"), date("2026-02-28"))', Months(12)),
    ('years and months duration(date("2026-02-28"), date("2025-01-31"))', Months(-12)),
    ('years and months duration(from: @"2000-02-29", to: @"2026-02-28").years', 25),
    # booleans
    ("not(true)", False),
    ("not(null)", None),
    # strings
    ('substring("maternal", 3)', "ternal"),
    ('substring("maternal", 3, 2)', "te"),
    ('substring("maternal", -3, 2)', "na"),
    ('substring("产妇👶死亡", 3, 2)', "👶死"),
    ('substring("abc", 9)', ""),
    ('substring("abc", -9)', "abc"),
    ('substring("abc", 2, null)', "bc"),
    ('string length("产妇👶")', 3),
    ('string length(["a"])', 1),
    ('upper case("aßc")', "ASSC"),
    ('lower case("ÄBC")', "äbc"),
    ('substring before("a-b-c", "-")', "a"),
    ('substring before("abc", "x")', ""),
    ('substring before("abc", "")', ""),
    ('substring after("a-b-c", "-")', "b-c"),
    ('substring after("abc", "x")', ""),
    ('substring after("abc", "")', "abc"),
    ('contains("产妇死亡", "死亡")', True),
    ('contains("abc", "x")', False),
    ('starts with("abc", "ab")', True),
    ('ends with("abc", "bc")', True),
    ('matches("abc", "^a.c$")', True),
    ('matches("ABC", "abc", "i")', True),
    ('replace("abcab", "a(b)", "[$1]")', "[b]c[b]"),
    ('replace("a.c", ".", "x", "q")', "axc"),
    ('split("a; b;c", ";\\s*")', ["a", "b", "c"]),
    ('split("a1b2c", "(\\d)")', ["a", "b", "c"]),
    ('string join(["a", null, "b"], ", ")', "a, b"),
    ('string join(["a", "b"])', "ab"),
    ("string join([])", ""),
    ('string join(["a"], null)', "a"),
    # lists
    ("list contains([1, null], null)", True),
    ("list contains([1, 2], 3)", False),
    ("count([1, null])", 2),
    ("count([])", 0),
    ("min([3, 1, 2])", 1),
    ("min(3, 1, 2)", 1),
    ('min(["b", "a"])', "a"),
    ('max(@"2026-01-01", @"2026-02-01")', date(2026, 2, 1)),
    ("max([])", None),
    ('max([1, "a"])', None),
    ("sum([1, 2.5])", Decimal("3.5")),
    ("sum(1, 2)", 3),
    ('sum([@"P1D", @"PT1H"])', timedelta(days=1, hours=1)),
    ("sum([])", None),
    ("sum([1, null])", None),
    ("mean([1, 2, 3, 6])", 3),
    ('mean([@"P1D", @"P3D"])', timedelta(days=2)),
    ("median([3, 1, 2])", 2),
    ("median(1, 2, 3, 4)", Decimal("2.5")),
    ("stddev([2, 4, 7, 5])", Decimal("2.081665999466132735282297706979931")),
    ("stddev([1])", None),
    ("mode([1, 2, 2, 3, 3])", [2, 3]),
    ("mode([])", []),
    ("product([2, 3, 4])", 24),
    ("product(2, 0.5)", 1),
    ("all([true, null, false])", False),
    ("all([true, null])", None),
    ("all([])", True),
    ("any([false, null, true])", True),
    ("any(false, false)", False),
    ("any([])", False),
    ("sublist([1, 2, 3], 2)", [2, 3]),
    ("sublist([1, 2, 3], 1, 2)", [1, 2]),
    ("sublist([1, 2, 3], -2, 1)", [2]),
    ("append([1], 2, 3)", [1, 2, 3]),
    ("append(1, 2)", [1, 2]),
    ("concatenate([1, 2], [3])", [1, 2, 3]),
    ("concatenate(1, [2])", [1, 2]),
    ("insert before([1, 3], 2, 2)", [1, 2, 3]),
    ("insert before([1, 2], -1, 0)", [1, 0, 2]),
    ("remove([1, 2, 3], 2)", [1, 3]),
    ("remove([1, 2, 3], -1)", [1, 2]),
    ("list replace([1, 2, 3], 2, 9)", [1, 9, 3]),
    ("list replace([1, 2, 3], function(item, new) item < new, 3)", [3, 3, 3]),
    ("reverse([1, 2, 3])", [3, 2, 1]),
    ("index of([1, 2, 1], 1)", [1, 3]),
    ("index of([1], 2)", []),
    ("union([1, 2], [2, 3])", [1, 2, 3]),
    ("union([[1]], [[1], {a: 1}], [{a: 1}])", [[1], {"a": 1}]),
    ('distinct values([1, 1.0, "1", null, null, true])', [1, "1", None, True]),
    ('count(distinct values([@"2026-01-01T10:00:00Z", @"2026-01-01T18:00:00+08:00", @"10:00:00", @"10:00:00Z"]))', 3),
    ("flatten([1, [2, [3, []]]])", [1, 2, 3]),
    ("sort([3, 1, 2])", [1, 2, 3]),
    ('sort(["b", "a"])', ["a", "b"]),
    ("sort([3, 1, 2], function(x, y) x > y)", [3, 2, 1]),
    ("sort(list: [{a: 2}, {a: 1}], precedes: function(x, y) x.a < y.a)", [{"a": 1}, {"a": 2}]),
    # numbers
    ("decimal(1/3, 2)", Decimal("0.33")),
    ("decimal(2.5, 0)", 2),
    ("decimal(1.5, 0)", 2),
    ("decimal(1234.5, -2)", 1200),
    ("floor(-1.5)", -2),
    ("floor(1.56, 1)", Decimal("1.5")),
    ("floor(1.56, null)", None),
    ("ceiling(1.2)", 2),
    ("ceiling(-1.56, 1)", Decimal("-1.5")),
    ("round up(5.121, 2)", Decimal("5.13")),
    ("round down(-5.129, 2)", Decimal("-5.12")),
    ("round half up(5.125, 2)", Decimal("5.13")),
    ("round half down(5.125, 2)", Decimal("5.12")),
    ("abs(-3)", 3),
    ('abs(@"-P1D")', timedelta(days=1)),
    ('abs(@"-P1Y")', Months(12)),
    ("modulo(-12, 5)", 3),
    ("modulo(12, -5)", -3),
    ("modulo(5, 0)", None),
    ("sqrt(16)", 4),
    ("sqrt(-1)", None),
    ("decimal(log(10), 5)", Decimal("2.30259")),
    ("log(0)", None),
    ("decimal(exp(1), 5)", Decimal("2.71828")),
    ("odd(5)", True),
    ("odd(1.5)", None),
    ("even(-4)", True),
    # dates and times
    ("now()", datetime(2026, 11, 22, 11, tzinfo=SHANGHAI)),
    ("today()", date(2026, 11, 22)),
    ('day of year(date("2026-12-31"))', 365),
    ('day of week(date("2026-11-22"))', "Sunday"),
    ('month of year(@"2026-11-22T00:00:00Z")', "November"),
    ('week of year(date("2027-01-03"))', 53),
    ('week of year(date("2027-01-04"))', 1),
    ("is(1, 1.0)", True),
    ('is(@"10:00:00Z", @"10:00:00+00:00")', True),
    ('is(@"10:00:00Z", @"18:00:00+08:00")', False),
    ('is([@"2026-01-01"], [@"2026-01-01"])', True),
    ('is(1, "1")', False),
    ("is(value1: 1)", False),
    # working days: 1 October is off, Saturday 10 October is on
    ('add working days(@"2026-09-30", 1)', date(2026, 10, 2)),
    ('add working days(@"2026-10-09", 1)', date(2026, 10, 10)),
    ('add working days(@"2026-10-05", -3)', date(2026, 9, 29)),
    ('add working days(@"2026-11-22", 0)', date(2026, 11, 22)),
    ('add working days(@"2026-11-22T09:30:00", 1)', datetime(2026, 11, 23, 9, 30)),
    ('add working days(@"2026-11-22T20:00:00Z", 1)', datetime(2026, 11, 24, 4, tzinfo=SHANGHAI)),
    ('working days between(@"2026-09-30", @"2026-10-10")', 7),
    ('working days between(@"2026-10-10", @"2026-09-30")', -7),
    ('working days between(@"2026-11-20", @"2026-11-22")', 0),
    ('working days between(@"2026-11-22T20:00:00Z", @"2026-11-23")', 0),
    # contexts
    ('get value({a: 1}, "a")', 1),
    ('get value({a: {b: 2}}, ["a", "b"])', 2),
    ('get value({a: 1}, "b")', None),
    ("get entries({a: 1, b: null})", [{"key": "a", "value": 1}, {"key": "b", "value": None}]),
    ('context put({a: 1}, "b", 2)', {"a": 1, "b": 2}),
    ('context put({a: {b: 1}}, ["a", "c"], 2)', {"a": {"b": 1, "c": 2}}),
    ('context put({}, ["a", "b"], 1)', {"a": {"b": 1}}),
    ('context put({a: 1}, ["a", "b"], 1)', None),
    ("context merge([{a: 1, b: 1}, {b: 2}])", {"a": 1, "b": 2}),
    ('context([{key: "a", value: 1}])', {"a": 1}),
    ('context([{key: "a", value: 1}, {key: "a", value: 2}])', None),
    # ranges
    ('range("[1..5)")', Range(1, 5, True, False)),
    ('range("(..5]")', Range(None, 5, False, True)),
    ('range("[\\"a\\"..\\"b\\"]")', Range("a", "b")),
    ('range("[@\\"2026-01-01\\"..date(\\"2026-02-01\\")]")', Range(date(2026, 1, 1), date(2026, 2, 1))),
    ('range("[5..1]")', None),
    ('range("[..1]")', None),
    ('range("1..2")', None),
    ('range("[now()..1]")', None),
    ("before(1, 2)", True),
    ("before(1, [2..3])", True),
    ("before([1..2), [2..3])", True),
    ("before([1..2], [2..3])", False),
    ("after(5, [1..5))", True),
    ("meets([1..5], [5..9])", True),
    ("met by([5..9], [1..5])", True),
    ("overlaps([1..5], [5..9])", True),
    ("overlaps([1..5), [5..9])", False),
    ("overlaps before([1..5], [3..9])", True),
    ("overlaps after([3..9], [1..5])", True),
    ("finishes(5, [1..5])", True),
    ("finished by([1..5], [3..5])", True),
    ("includes([1..5], [2..3])", True),
    ("includes([1..5), 5)", False),
    ("during([2..3], [1..5])", True),
    ("starts([1..2], [1..5])", True),
    ("started by([1..5], 1)", True),
    ("coincides([1..5], [1..5])", True),
    ("coincides(1, 1)", True),
]


@pytest.mark.parametrize(("text", "result"), RESULTS)
def test_results(lenient, text, result):
    value, reasons = lenient(text)
    assert value == result
    assert type(value) is type(result) or isinstance(value, int | Decimal)
    assert not reasons or result is None


def test_every_function_is_tried():
    called = {name for text, _ in RESULTS for name in FUNCTION_NAMES if re.search(rf"(?<![\w ]){name}\(", text)}
    assert called == FUNCTION_NAMES


def test_every_function_can_be_read():
    for name in FUNCTION_NAMES:
        assert check(f"1 + {name}(a)").names == (FreeName(("a",), len(name) + 5, len(name) + 6),)


@pytest.mark.parametrize(
    "text",
    [
        'number("1,2")',
        'number("1", "x", ".")',
        'number("1", ",", ",")',
        'date("2026-02-29")',
        "date(2026, 2, 29)",
        "date(9e999, 1, 1)",
        "date(2026, -1.5, 9e999)",
        'time("25:00:00")',
        "time(24, 0, 0)",
        'time(1, 2, 3, duration("PT19H"))',
        'date and time("yesterday")',
        'date and time(now(), "Mars/Base")',
        "date and time(2026, 13, 1, 0, 0, 0)",
        'duration("P")',
        'substring("abc", 0)',
        'substring("abc", 1, 0)',
        'matches("a", "(")',
        'matches("a", "a", "k")',
        'replace("a", "a*", "b")',
        'replace("a", "a", "$")',
        'string join(["a", 1])',
        "sublist([1, 2], 0)",
        "sublist([1, 2], 3)",
        "sublist([1, 2], 1, 3)",
        "insert before([1], 3, 0)",
        "remove([1], 0)",
        "list replace([1], 2, 0)",
        "list replace([1], function(a) true, 0)",
        "list replace([1], function(a, b) 1, 0)",
        "decimal(1, 7000)",
        "exp(99999)",
        "add working days(today(), 1.5)",
        "add working days(today(), 100000)",
        'add working days(@"9999-12-30", 5)',
        "context([{key: 1, value: 1}])",
        "context merge([1])",
        "context put({}, [], 1)",
        "string(null)",
        'mean([1, "a"])',
        "all([1])",
    ],
)
def test_arguments_without_a_result(lenient, text):
    value, reasons = lenient(text)
    assert value is None
    assert reasons[-1].kind == "no result"


@pytest.mark.parametrize(
    "text",
    [
        "number(1)",
        "date(true)",
        "substring(1, 2)",
        "count()",
        "now(1)",
        'sqrt("4")',
        'day of week("Monday")',
        "append()",
        "count(items: [1])",
        "date(year: 2026, month: 1)",
        "abs([1, 2])",
        "sort([1], 1)",
        'context put(1, "a", 1)',
        'add working days("2026-01-01", 1)',
    ],
)
def test_arguments_of_the_wrong_kind_or_number(environment, lenient, text):
    with pytest.raises(NullExplained):
        evaluate(text, {}, environment)
    value, reasons = lenient(text)
    assert (value, reasons[0].kind) == (None, "wrong arguments")


def test_a_calendar_that_never_works_is_left(environment):
    with pytest.raises(LimitExceeded):
        evaluate('add working days(@"0001-01-01", 9999)', {}, environment)
        evaluate('[add working days(@"0001-01-01", 9999), add working days(@"0001-01-01", 9999)]', {}, environment)


@pytest.mark.parametrize("days", range(-12, 13))
def test_adding_and_counting_working_days_are_inverse(feel, days):
    begin = '@"2026-10-09"'
    assert feel(f"working days between({begin}, add working days({begin}, {days}))") == days
