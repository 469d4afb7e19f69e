"""The Chinese resident identity number."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import resident_numbers

GOOD = "341299198603120422"


def with_check(seventeen: str) -> str:
    """Return a number with its check character, reckoned the other way round: the whole is 1 modulo 11."""
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(seventeen))
    return seventeen + "0123456789X"[(1 - total) % 11]


@pytest.mark.parametrize("text", [GOOD, " 341299 19860312 0422 ", "３４１２９９１９８６０３１２０４２２"])
def test_a_right_number_is_valid_however_it_is_typed(text: str) -> None:
    assert resident_numbers.valid(text)
    assert resident_numbers.normal(text) == GOOD
    assert resident_numbers.birth(text) == date(1986, 3, 12)


def test_the_last_character_may_be_an_x_in_any_form() -> None:
    number = next(found for found in (with_check(f"34129919860312{order:03}") for order in range(1000)) if found.endswith("X"))
    assert all(resident_numbers.valid(number[:-1] + mark) for mark in "XxＸｘ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3412991986031204",
        "34129919860312042",
        GOOD + "1",
        "041299198603120422",
        "341299198613120422",
        "341299198602300424",
        "３4129919860312042é",
        "341299198603120421",
        "X41299198603120422",
        "34129919860312042X",
        "abcdefghijklmnopqr",
    ],
)
def test_what_is_no_number_is_not_valid(text: str) -> None:
    assert not resident_numbers.valid(text)


@pytest.mark.parametrize("thing", [None, 341299198603120422, [], {"a": 1}])
def test_what_is_no_text_is_not_valid_and_has_no_birth_date(thing: object) -> None:
    assert not resident_numbers.valid(thing)  # type: ignore[arg-type]
    assert resident_numbers.birth(thing) is None  # type: ignore[arg-type]


@given(area=st.integers(110000, 829999), born=st.dates(date(1900, 1, 1), date(2100, 1, 1)), order=st.integers(0, 999))
def test_one_wrong_character_or_two_swapped_are_always_found(area: int, born: date, order: int) -> None:
    number = with_check(f"{area}{born:%Y%m%d}{order:03}")
    assert resident_numbers.valid(number)
    assert resident_numbers.birth(number) == born
    for place in range(17):
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert not resident_numbers.valid(wrong)
        if number[place] != number[place + 1]:
            assert not resident_numbers.valid(number[:place] + number[place + 1] + number[place] + number[place + 2 :])


@given(st.text(max_size=40))
def test_any_text_is_answered(text: str) -> None:
    assert resident_numbers.valid(text) in (True, False)
