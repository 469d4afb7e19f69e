"""Names, literals, precedence, and where an error stands."""

import pytest

from engine.feel import Expression, FeelSyntaxError, LimitExceeded
from engine.feel.parser import is_plain, parse


@pytest.mark.parametrize(
    ("text", "names", "result"),
    [
        ("age", {"age": 3}, 3),
        ("年龄 + 1", {"年龄": 30}, 31),
        ("first name", {"first name": "Li"}, "Li"),
        ("first  \n name", {"first name": "Li"}, "Li"),
        ("tier 1 limit > 2", {"tier 1 limit": 3}, True),
        ("a1 + _b", {"a1": 1, "_b": 2}, 3),
        ("if old enough then 1 else 2", {"old enough": True}, 1),
        ("person.first name", {"person": {"first name": "Li"}}, "Li"),
        ("person.in.return", {"person": {"in": {"return": 1}}}, 1),
        ("form.a", {"form": {"a": 1}}, 1),
        ('{"a b": 1, c d: a b + 1}.c d', {}, 2),
        ("{a+b: 1}.a+b", {}, 1),
        ("{pre-tax: 100, r: pre-tax - 1}.r", {}, 99),
        ("for a-b in [1, 2] return a-b", {}, [1, 2]),
        ("for a - b in [1, 2] return a-b", {}, [1, 2]),
        ("{f: function(net-pay: number) net-pay * 2, r: f(net-pay: 3)}.r", {}, 6),
        ("a - b", {"a": 3, "b": 1}, 2),
        ("a-b", {"a": 3, "b": 1}, 2),
        ("working days between 1 and 5", {"working days": 3}, True),
        ("date and time", {"date": True, "time": False}, False),
        ('date and time("2026-01-01T00:00:00").year', {}, 2026),
        ('years and months duration(@"2025-01-01", @"2026-03-01").months', {}, 2),
        ("[{x y: 1}, {x y: 5}][x y > 2].x y", {}, [5]),
        ("[{a-b: 5}][a-b > 2]", {}, [{"a-b": 5}]),
    ],
)
def test_names(feel, text, names, result):
    assert feel(text, names) == result


def test_names_that_need_a_declaration():
    assert is_plain("first name")
    assert is_plain("tier 1")
    assert not any(map(is_plain, ["a-b", "a  b", "date and time", "for", "", "1a", "a.b", "a'b"]))
    assert parse("days in week", ["days in week"]).name == "days in week"
    assert parse("applicant's age", ["applicant's age"]).name == "applicant's age"
    assert parse("x.pre-tax", members=["pre-tax"]).names == ["pre-tax"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('"a\\nb\\t\\"c\\"\\\\"', 'a\nb\t"c"\\'),
        ('"\\u4e2d"', "中"),
        ('"\\uD83D\\uDC76"', "👶"),
        ('"\\U01F476"', "👶"),
        ('"\\d+"', "\\d+"),
        ('"\'"', "'"),
        ("true", True),
        ("null", None),
        ("[]", []),
        ("{}", {}),
        ("// nothing\n1 /* and\nmore */ + 1", 2),
        ("1 // the end", 1),
        ("(((1)))", 1),
        ("[1, [2, [3]]]", [1, [2, [3]]]),
        ('{"key with blanks": 1}', {"key with blanks": 1}),
    ],
)
def test_literals(feel, text, result):
    assert feel(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 = 3 and 2 * 2 = 4 or false", True),
        ("true or false and false", True),
        ("1 + 1 in [1..3] and true", True),
        ("if true then 1 else 2 + 10", 1),
        ("10 + if false then 1 else 2", 12),
        ("-[1, 2][2]", -2),
        ("for x in [1, 2] return x + 1", [2, 3]),
        ("1 < 2 = true", True),
        ("not(true) or true", True),
        ("2 * -3", -6),
        ("1 instance of number and true", True),
    ],
)
def test_precedence(feel, text, result):
    assert feel(text) == result


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", (0, 0), "unexpected end"),
        ("1 +", (3, 3), "unexpected end"),
        ("1 2", (2, 3), "unexpected '2'"),
        ("a b (", (5, 5), "unexpected end"),
        ("form.age >= and 3", (12, 15), "unexpected 'and'"),
        ("if a then b", (11, 11), "expected 'else', found the end"),
        ('"open', (0, 1), "a string that does not end"),
        ("1 /* open", (2, 4), "a comment that does not end"),
        ("a § b", (2, 3), "unexpected character '§'"),
        ("[1, 2", (5, 5), "expected ']', found the end"),
        ("{a 1}", (4, 5), "expected ':'"),
        ("{a: 1, a: 2}", (7, 8), "the entry 'a' stands twice"),
        ('@"2026-02-30"', (1, 13), "not a date, time or duration"),
        ("not a", (0, 3), "write not(...)"),
        ("a instance of foo", (14, 17), "there is no type 'foo'"),
        ("function(a, a) a", (12, 13), "the parameter 'a' is declared twice"),
        ("f(a: 1, a: 2)", (8, 9), "the argument 'a' is given twice"),
        ("f(a: 1, 2)", (8, 9), "expected a name"),
        ("function() external {java: {}}", (11, 19), "external functions are refused"),
        ('"\\UFFFFFF"', (0, 10), "an escape beyond the last character of Unicode"),
        ("1e9999", (0, 6), "a number beyond 10^6144"),
        ("产妇 年龄 >", (7, 7), "unexpected end"),
    ],
)
def test_an_error_knows_where_it_stands(text, position, message):
    with pytest.raises(FeelSyntaxError) as caught:
        Expression(text)
    assert (caught.value.message, caught.value.position) == (message, position)
    assert (caught.value.expression, caught.value.kind) == (text, "syntax")


def test_limits_of_a_text():
    assert Expression("(" * 90 + "1" + ")" * 90)
    assert Expression(" or ".join(["a = 1"] * 2000))
    assert Expression(" + ".join(["1"] * 5000))
    for text in ["(" * 101 + "1" + ")" * 101, "1" + " " * 20_000, "a" + "[1]" * 200, "1" + "=1" * 200]:
        with pytest.raises(LimitExceeded):
            Expression(text)
