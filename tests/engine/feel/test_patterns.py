"""Regular expressions of XPath."""

import pytest

from engine.feel import LimitExceeded, evaluate


@pytest.mark.parametrize(
    ("text", "pattern", "flags", "found"),
    [
        ("abc", "b", "", True),
        ("abc", "^b", "", False),
        ("abc", "^abc$", "", True),
        ("abc\n", "^abc$", "", False),
        ("a\nb", "a.b", "", False),
        ("a\nb", "a.b", "s", True),
        ("a\nb", "^b$", "", False),
        ("a\nb", "^b$", "m", True),
        ("ABC", "b", "i", True),
        ("abc", "a b c", "x", True),
        ("a.c", "a.c", "q", True),
        ("abc", "a.c", "q", False),
        ("aaa", "^a{3}$", "", True),
        ("aaa", "^a{1,2}$", "", False),
        ("aaa", "^a{2,}$", "", True),
        ("abab", r"^(ab)\1$", "", True),
        ("abba", r"^(a)(b)\2\1$", "", True),
        ("a1", r"\d", "", True),
        ("a１", r"\d", "", True),
        ("ab", r"\D\D", "", True),
        ("a b", r"\w\s\w", "", True),
        ("_", r"^\w$", "", False),
        ("中文", r"^\w+$", "", True),
        ("中文", r"^\p{L}+$", "", True),
        ("中文", r"^\p{IsCJKUnifiedIdeographs}+$", "", True),
        ("ab", r"^\p{Lu}+$", "", False),
        ("AB", r"^\P{Ll}+$", "", True),
        ("xyz", "^[a-z-[aeiou]]+$", "", True),
        ("xaz", "^[a-z-[aeiou]]+$", "", False),
        ("123", "^[^a-z]+$", "", True),
        ("a-b", "^[a-]+[-b]+$", "", True),
        ("a]b", r"[\]]", "", True),
        ("a\tb", r"\t", "", True),
        ("x", "(?:x|y)", "", True),
        ("name_1", r"^\i\c*$", "", True),
        ("1name", r"^\i\c*$", "", False),
        ("𝒜b", r"^.b$", "", True),
        ("a", "", "", True),
    ],
)
def test_matches(feel, text, pattern, flags, found):
    names = {"text": text, "pattern": pattern, "flags": flags}
    assert feel("matches(text, pattern, flags)", names) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "a{2",
        "a**",
        "+",
        "a{3,2}",
        r"\1",
        r"(a\1)",
        r"\b",
        r"\k",
        "(?=a)",
        "(?i)a",
        "(?<n>a)",
        "(?R)",
        "(?:foo){e<=1}",
        r"\p{Foo}",
        r"\p{Greek}",
        "[b-a]",
        r"[\d-z]",
        "[]",
        "[a[b]]",
        r"\x41",
        r"\u0041",
        "a|*",
        "[a-z-[b]c]",
        "\\",
    ],
)
def test_what_is_no_pattern_of_xpath_is_null(lenient, pattern):
    value, reasons = lenient('matches("a", pattern)', {"pattern": pattern})
    assert (value, reasons[0].kind) == (None, "no result")


@pytest.mark.parametrize(
    ("text", "pattern", "replacement", "result"),
    [
        ("abcd", "b", "x", "axcd"),
        ("abab", "a(.)", "$1$1", "bbbb"),
        ("abc", "b", "[$0]", "a[b]c"),
        ("abc", "(b)|(x)", "<$1$2>", "a<b>c"),
        ("abc", "b", r"\$\\", "a$\\c"),
        ("abc", "(b)", "$15", "ab5c"),
        ("abc", "b", "$1", "ac"),
        ("产妇死亡", "死亡", "", "产妇"),
    ],
)
def test_replace(feel, text, pattern, replacement, result):
    names = {"t": text, "p": pattern, "r": replacement}
    assert feel("replace(t, p, r)", names) == result


def test_split(feel):
    assert feel(r'split("2026-11-22", "-")') == ["2026", "11", "22"]
    assert feel('split("abc", "x")') == ["abc"]
    assert feel('split("a,b,", ",")') == ["a", "b", ""]
    assert feel('split("中文a", "")') == ["中", "文", "a"]
    assert feel('split("", "")') == [""]


@pytest.mark.parametrize(
    "text",
    [
        'matches("' + "a" * 60 + '!", "^(a|aa)+$")',
        'matches("' + "x" * 5000 + '", "(x+x+)+[yz]")',
        'matches("a", "(a{100}){100}")',
        'matches("a", "' + "(a)" * 21 + '")',
        'matches("a", string join(for i in 1..500 return "abc"))',
        'matches(string join(for i in 1..3000 return "abcdefghi"), "a")',
        'replace(string join(for i in 1..5000 return "a"), "a", "' + "b" * 100 + '")',
    ],
)
def test_patterns_have_limits(environment, text):
    with pytest.raises(LimitExceeded):
        evaluate(text, {}, environment)
