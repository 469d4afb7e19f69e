"""Unary tests: the cells of decision tables."""

from datetime import date

import pytest

from engine.feel import FeelSyntaxError, NullExplained, evaluate, to_wire, unary_test


@pytest.mark.parametrize(
    ("text", "value", "passes"),
    [
        ("-", 1, True),
        ("-", None, True),
        ("  -  ", "x", True),
        ("", None, True),
        ('"a"', "a", True),
        ('"a"', "b", False),
        ('"a"', None, False),
        ('"a","b"', "b", True),
        ('"a" , "b"', "c", False),
        ('"孕产妇","新生儿"', "新生儿", True),
        ("5", 5, True),
        ("-5", -5, True),
        ("1 + 4", 5, True),
        ("null", None, True),
        ("null", 1, False),
        ("true", True, True),
        ("true", False, False),
        ("false", False, True),
        ("false", None, False),
        ("> 5", 6, True),
        ("> 5", 5, False),
        (">= 5", 5, True),
        ("< 5", 5, False),
        ("<= 5", 5, True),
        ("= 5", 5, True),
        ("!= 5", 5, False),
        ("!= 5", 4, True),
        ("< 1, > 5", 6, True),
        ("< 1, > 5", 3, False),
        ("> 5", None, False),
        ("> 5", "six", False),
        ("[1..5]", 5, True),
        ("[1..5)", 5, False),
        ("(1..5]", 1, False),
        ("]1..5[", 3, True),
        ("[1..5], [10..20]", 12, True),
        ("[1..5]", None, False),
        ('["a".."c"]', "b", True),
        ('[@"2026-01-01"..@"2026-12-31"]', date(2026, 11, 22), True),
        ('< date("2026-11-22")', date(2026, 11, 21), True),
        ('> @"P1D"', None, False),
        ('not("a")', "b", True),
        ('not("a")', "a", False),
        ('not("a")', None, True),
        ('not("a", "b")', "b", False),
        ('not("a", "b")', "c", True),
        ("not(> 5)", 5, True),
        ("not(> 5)", 6, False),
        ("not(> 5)", None, False),
        ("not([1..5], 7)", 7, False),
        ("not(null)", None, False),
        ("not(null)", 1, True),
        ("? > 5", 6, True),
        ("? > 5 and ? < 8", 9, False),
        ("not(? > 5)", 6, False),
        ("not(? > 5) and ? > 1", 3, True),
        ('starts with(?, "O")', "O72", True),
        ('starts with(?, "O")', "P20", False),
        ("? = null", None, True),
        ("? != null", None, False),
        ("odd(?)", 3, True),
        ("? in [1..3]", 2, True),
        ("string length(?) > 2, null", None, True),
        ("limit", 7, True),
        ("> limit", 8, True),
        ("[limit..limit + 1]", 8, True),
        ("allowed", "b", True),
        ("allowed", "c", False),
        ("[1, 2]", 2, True),
        ("[1, 2]", [1, 2], True),
        ("list contains(?, 2)", [1, 2], True),
        ("count(?) > 1", [1, 2], True),
        ("? + 1", 1, False),
        ("limit = 7", "any value", True),
        ("limit = 8", "any value", False),
    ],
)
def test_forms(environment, text, value, passes):
    names = {"limit": 7, "allowed": ["a", "b"]}
    assert unary_test(text, to_wire(value), names, environment) is passes


def test_reasons_are_told(environment):
    reasons = []
    assert unary_test("> 5", "six", {}, environment, reasons=reasons) is False
    assert [(reason.kind, reason.message) for reason in reasons] == [("not comparable", "cannot compare string with number")]


def test_mistakes_are_raised_or_false(environment):
    with pytest.raises(NullExplained):
        unary_test("> missing", 1, {}, environment)
    assert unary_test("> missing", 1, {}, environment, strict=False) is False


@pytest.mark.parametrize("text", ['"a" "b"', "1,", ", 1", "> ", "not(", "> 5 and < 10", "-, 1"])
def test_what_is_no_test(environment, text):
    with pytest.raises(FeelSyntaxError):
        unary_test(text, 1, {}, environment)


def test_the_question_mark_belongs_to_tests(environment):
    with pytest.raises(NullExplained):
        evaluate("? > 1", {}, environment)
    assert evaluate("5 in (? > 1)", {}, environment) is True
    assert unary_test("[1, 2][item = ?]", 2, {}, environment) is False
    assert unary_test("count([1, 2][item = ?]) = 1", 2, {}, environment) is True
