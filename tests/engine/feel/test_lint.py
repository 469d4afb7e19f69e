"""What can be said about a text without running it."""

import pytest

from engine.feel import FUNCTION_NAMES, check


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1 + 2", []),
        ("a + b", ["a", "b"]),
        ("form.mother.age > 35", ["form.mother.age"]),
        ("a + a", ["a", "a"]),
        ("年龄 > 3", ["年龄"]),
        ("first name", ["first name"]),
        ("count(items)", ["items"]),
        ("own rule(x)", ["own rule()", "x"]),
        ("f(y: x)", ["f()", "x"]),
        ("a.f(x)", ["a.f", "x"]),
        ("for x in xs return x + y", ["xs", "y"]),
        ("for x in a..b, y in x return x + y", ["a", "b"]),
        ("for x in xs return partial", ["xs"]),
        ("some x in xs satisfies partial", ["xs", "partial"]),
        ("every x in xs satisfies x = item", ["xs", "item"]),
        ("function(a, b) a + b + c", ["c"]),
        ("{a: x, b: a, c: {d: b + y}}.c.d + a", ["x", "y", "a"]),
        ("{a: a}", ["a"]),
        ("{f: function(n) f(n - 1)}", []),
        ("items[price > limit]", ["items", "?price", "?limit"]),
        ("items[item.price > 1].name", ["items"]),
        ("items[f(x)]", ["items", "?f()", "?x"]),
        ("for i in xs return ys[i]", ["xs", "ys"]),
        ("a in (b, > c, ? > d)", ["a", "b", "c", "d"]),
        ("if a then b else c", ["a", "b", "c"]),
        ("[a..b]", ["a", "b"]),
        ("(= a)", ["a"]),
        ("-a between b and c", ["a", "b", "c"]),
        ("a instance of number", ["a"]),
        ('date("2026-01-01").year + today().year', []),
        ("sort(xs, function(x, y) x < y)", ["xs"]),
        ("{m: max}", []),
        ("? > 1", ["?"]),
    ],
)
def test_free_names(text, names):
    found = check(text)
    assert found.error is None
    assert [("?" if n.is_loose else "") + ".".join(n.path) + ("()" if n.is_call else "") for n in found.names] == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("-", []),
        ('"a", b', ["b"]),
        ("> limit", ["limit"]),
        ("not(a, ? = b)", ["a", "b"]),
        ("? > x.y", ["x.y"]),
        ("", []),
    ],
)
def test_free_names_of_unary_tests(text, names):
    found = check(text, "unary")
    assert found.error is None
    assert [".".join(name.path) for name in found.names] == names


def test_positions():
    text = "1 + form.age in [low..items[x]]"
    found = check(text)
    assert [(name.name, text[name.start : name.end]) for name in found.names] == [
        ("form", "form.age"),
        ("low", "low"),
        ("items", "items"),
        ("x", "x"),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "position"),
    [("1 +", "expression", (3, 3)), ("a instance of tFoo", "expression", (14, 18)), ("> 1, ", "unary", (5, 5))],
)
def test_errors(text, kind, position):
    found = check(text, kind)
    assert found.names == ()
    assert (found.error.position, found.error.expression) == (position, text)


def test_texts_that_are_too_large():
    assert check("(" * 500).error.kind == "limit"
    assert check("a" * 20_001).error.kind == "limit"


def test_functions_are_known_by_name():
    assert {"count", "date and time", "add working days"} <= FUNCTION_NAMES
