"""Passwords: how they are kept, and which ones an installation accepts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from engine.errors import N_, EngineError

MAX_LENGTH = 256
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Rules:
    """What a password must be, and how long it lasts; a preset an installation chooses."""

    key: str
    name: str
    least: int
    kinds: int
    lasts: timedelta | None
    remembered: int
    attempts: int
    locked_for: timedelta


# GB/T 22239-2019, 8.1.4.1 asks for complexity, regular change and limits on failed attempts; the numbers are those
# common in its assessment practice. NIST SP 800-63B-4, 3.1.1: length, no composition rules, no change without cause.
RULES = {
    "gbt22239": Rules("gbt22239", N_("GB/T 22239（等级保护）"), 8, 3, timedelta(days=90), 5, 5, timedelta(minutes=30)),
    "nist80063b": Rules("nist80063b", N_("NIST 800-63B"), 15, 1, None, 0, 10, timedelta(minutes=15)),
}
COMMON = frozenset(
    [
        "password",
        "passw0rd",
        "password1",
        "password123",
        "12345678",
        "123456789",
        "1234567890",
        "qwertyuiop",
        "qwerty123",
        "1qaz2wsx",
        "1qaz@wsx",
        "abc12345",
        "abcd1234",
        "a1234567",
        "admin123",
        "admin@123",
        "administrator",
        "root1234",
        "welcome1",
        "letmein1",
        "iloveyou",
        "11111111",
        "00000000",
        "88888888",
        "66666666",
        "12344321",
        "87654321",
        "asdfghjkl",
        "pingshen",
        "pingshen123",
        "woaini1314",
        "5201314520",
        "qq123456",
        "aa123456",
        "zaq12wsx",
        "p@ssw0rd",
        "passw@rd1",
        "changeme",
        "yiyuan123",
        "fuyou123",
        "baojianyuan",
    ]
)


class PasswordRefused(EngineError):
    """The password does not follow the rules of the installation."""

    sentence = N_("这个密码不能用：%(why)s")

    def __init__(self, why: str, **fields: object) -> None:
        super().__init__(why=why, **fields)
        self.why = why


def use_cheap_hashes() -> None:
    """For tests only: hash as cheaply as the algorithm allows."""
    global _hasher
    _hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def normal(password: str) -> str:
    """Return a password as it is hashed: the same characters typed on another keyboard are the same password."""
    return unicodedata.normalize("NFKC", password)


def hashed(password: str) -> str:
    """Return the hash that is kept."""
    return _hasher.hash(normal(password))


def fits(password: str, kept: str | None) -> bool:
    """Tell whether a password is the one whose hash is kept; an account without one takes as long to refuse."""
    if len(password) > MAX_LENGTH:
        return False
    try:
        return _hasher.verify(kept or _dummy(), normal(password)) and bool(kept)
    except (Argon2Error, InvalidHashError):
        return False


_kept_dummy: str | None = None


def _dummy() -> str:
    global _kept_dummy
    if _kept_dummy is None:
        _kept_dummy = _hasher.hash("no account has this password")
    return _kept_dummy


def needs_rehash(kept: str) -> bool:
    """Tell whether a hash was made with older costs."""
    return _hasher.check_needs_rehash(kept)


def check(password: str, rules: Rules, *, own_words: Iterable[str] = (), previous: Iterable[str] = ()) -> None:
    """Refuse a password that does not follow the rules.

    Every rule set accepts at least 64 characters and all of Unicode; a space counts.

    Args:
        own_words: Words of the account (name, username, telephone) that must not make up the password.
        previous: Hashes of former passwords.

    Raises:
        PasswordRefused: with the reason.
    """
    plain = normal(password)
    if len(plain) < rules.least:
        raise PasswordRefused(N_("至少 %(least)s 个字符。"), least=rules.least)
    if len(plain) > MAX_LENGTH:
        raise PasswordRefused(N_("最多 %(most)s 个字符。"), most=MAX_LENGTH)
    if _kinds(plain) < rules.kinds:
        raise PasswordRefused(N_("请至少用大写字母、小写字母、数字、其他字符中的 %(kinds)s 种。"), kinds=rules.kinds)
    lower = plain.lower()
    if lower in COMMON or len(set(plain)) < 4:
        raise PasswordRefused(N_("太常见，容易被猜到。"))
    if any(len(word) >= 3 and word.lower() in lower and len(word) * 2 >= len(plain) for word in own_words):
        raise PasswordRefused(N_("不要用账号、姓名或电话作密码。"))
    if any(fits(plain, kept) for kept in previous):
        raise PasswordRefused(N_("最近用过，请换一个。"))


def _kinds(text: str) -> int:
    groups = (str.isupper, str.islower, str.isdigit)
    found = sum(any(group(character) for character in text) for group in groups)
    return found + any(not character.isascii() or not character.isalnum() for character in text)
