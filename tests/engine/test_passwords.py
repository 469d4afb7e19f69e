"""Which passwords an installation accepts, and how they are kept."""

from __future__ import annotations

import unicodedata

import pytest

from engine import passwords
from engine.passwords import RULES, PasswordRefused

GB, NIST = RULES["gbt22239"], RULES["nist80063b"]


def why(password: str, rules: passwords.Rules, **more: object) -> str:
    with pytest.raises(PasswordRefused) as caught:
        passwords.check(password, rules, **more)  # type: ignore[arg-type]
    return str(caught.value.why)


@pytest.mark.parametrize("password", ["Lanzhou-2026", "Abcdef1!", "产科Abc-9 安全", "a1-" + "界" * 10, "Aa1" + "x" * 61])
def test_the_chinese_rules_accept_eight_characters_of_three_kinds(password: str) -> None:
    passwords.check(password, GB)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Ab1-xyz", "至少"),
        ("abcdefgh1", "中的"),
        ("ABCDEFGHIJ", "中的"),
        ("Passw0rd", "太常见"),
        ("P@ssw0rd", "太常见"),
        ("Aa1Aa1Aa1", "太常见"),
    ],
)
def test_the_chinese_rules_say_why_they_refuse(password: str, reason: str) -> None:
    assert reason in why(password, GB)


@pytest.mark.parametrize("password", ["correct horse battery", "床前明月光疑是地上霜举头望明月", "a b c d e f g h i j", "x" * 12 + "yzw"])
def test_the_american_rules_want_length_and_nothing_else(password: str) -> None:
    passwords.check(password, NIST)


def test_the_american_rules_refuse_what_is_short_or_the_same_over_and_over() -> None:
    assert "至少" in why("Ab1-efgh", NIST)
    assert "太常见" in why("abababababababab", NIST)


@pytest.mark.parametrize("rules", [GB, NIST])
@pytest.mark.parametrize("length", [64, 128, 256])
def test_sixty_four_characters_and_more_are_accepted_in_any_script(rules: passwords.Rules, length: int) -> None:
    password = ("Aé 安全9-𠮷" * 40)[:length]
    passwords.check(password, rules)
    assert passwords.fits(password, passwords.hashed(password))


@pytest.mark.parametrize("rules", [GB, NIST])
def test_a_password_of_any_length_is_bounded(rules: passwords.Rules) -> None:
    assert "最多" in why("Aé 安全9-𠮷" * 40, rules)
    assert not passwords.fits("x" * 10_000_000, passwords.hashed("x"))


def test_every_character_counts_also_the_last_of_a_long_password() -> None:
    long = "Aa1-" + "界" * 96
    assert not passwords.fits(long[:-1] + "a", passwords.hashed(long))


def test_the_same_characters_typed_otherwise_are_the_same_password() -> None:
    typed = "Café-２０２６界"
    kept = passwords.hashed(unicodedata.normalize("NFC", typed))
    assert passwords.fits(unicodedata.normalize("NFD", typed), kept)
    assert passwords.fits("Café-2026界", kept)
    assert not passwords.fits("café-2026界", kept)


def test_blanks_count_and_are_not_cut_off() -> None:
    kept = passwords.hashed(" Lanzhou 2026 ")
    assert not passwords.fits("Lanzhou 2026", kept)


@pytest.mark.parametrize("password", ["tangyining1-A", "汤以宁汤以宁A1-", "A-13800000417x"])
def test_the_account_s_own_words_do_not_make_a_password(password: str) -> None:
    assert "不要用" in why(password, GB, own_words=["tangyining", "汤以宁汤以宁", "13800000417"])


def test_an_own_word_may_be_a_small_part_of_a_long_password() -> None:
    passwords.check("tangyining-Kestrel-7-harbour", GB, own_words=["tangyining"])


def test_a_password_of_the_history_is_refused_whatever_its_spelling() -> None:
    former = [passwords.hashed("Lanzhou-2025"), passwords.hashed("Lanzhou-2026")]
    assert "最近用过" in why("Ｌanzhou-2025", GB, previous=former)
    passwords.check("Lanzhou-2027", GB, previous=former)


def test_a_kept_hash_holds_nothing_of_the_password_and_two_of_the_same_differ() -> None:
    one, other = passwords.hashed("Lanzhou-2026"), passwords.hashed("Lanzhou-2026")
    assert one != other
    assert "Lanzhou" not in one
    assert one.startswith("$argon2id$")


@pytest.mark.parametrize("kept", [None, "", "rubbish", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$xxxx", "Lanzhou-2026"])
def test_without_a_good_hash_no_password_fits(kept: str | None) -> None:
    assert not passwords.fits("Lanzhou-2026", kept)
    assert not passwords.fits("no account has this password", kept)


def test_a_hash_with_other_costs_is_made_anew() -> None:
    from argon2 import PasswordHasher

    assert passwords.needs_rehash(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x"))
    assert not passwords.needs_rehash(passwords.hashed("x"))


def test_the_presets_are_what_their_sources_ask_for() -> None:
    assert (GB.least, GB.kinds, GB.remembered, GB.attempts, GB.lasts.days) == (8, 3, 5, 5, 90)  # type: ignore[union-attr]
    assert (NIST.least, NIST.kinds, NIST.lasts) == (15, 1, None)
