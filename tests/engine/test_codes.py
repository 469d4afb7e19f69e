"""Code lists: read once, whole in both languages."""

from __future__ import annotations

import re

import pytest

from engine import codes


@pytest.mark.parametrize("key", sorted(codes.lists()))
def test_a_list_has_names_a_source_and_every_code_once_in_both_languages(key: str) -> None:
    found = codes.lists()[key]
    assert found.name
    assert found.name_en
    assert found.source
    assert found.codes
    assert len({code.code for code in found.codes}) == len(found.codes)
    for code in found.codes:
        assert code.zh.strip(), code
        assert code.en.strip(), code
        assert not re.search(r"[\u3400-\u9fff]", code.en), code
        assert found.get(code.code) is code


def test_a_code_that_is_not_in_a_list_is_none() -> None:
    assert codes.lists()["CS-PLACE"].get("999") is None


@pytest.mark.parametrize(
    ("key", "code", "language", "word"),
    [
        ("CS-YESNO", "yes", "zh_Hans_CN", "是"),
        ("CS-YESNO", "yes", "en", "Yes"),
        ("CS-YESNO", "odd", "en", "odd"),
        ("CS-NOSUCH", "yes", "en", "yes"),
        ("CS-YESNO", None, "en", ""),
        ("CS-YESNO", "", "zh_Hans_CN", ""),
    ],
)
def test_a_code_is_told_in_words_and_an_unknown_one_as_it_is(key: str, code: str | None, language: str, word: str) -> None:
    assert codes.word(key, code, language) == word


def test_the_lists_are_read_once() -> None:
    assert codes.lists() is codes.lists()
