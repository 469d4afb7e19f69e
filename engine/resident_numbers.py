"""The Chinese resident identity number: 18 characters, a birth date inside, a checksum at the end."""

from __future__ import annotations

import re
from datetime import date

_SHAPE = re.compile(r"[1-9]\d{5}(\d{4})(\d{2})(\d{2})\d{3}[\dX]\Z")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def normal(text: str) -> str:
    """Return a number as it is kept: half-width, capital X, no blanks."""
    return "".join(text.translate(_HALF).split()).upper()


_HALF = {ord("０") + digit: ord("0") + digit for digit in range(10)} | {ord("Ｘ"): ord("X"), ord("ｘ"): ord("x")}


def valid(text: str) -> bool:
    """Tell whether a text is a well-formed number with a real birth date and the right checksum.

    Source:
        GB 11643-1999; ISO 7064 MOD 11-2.
    """
    number = normal(text) if isinstance(text, str) else ""
    if not _SHAPE.match(number) or birth(number) is None:
        return False
    remainder = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False)) % 11
    return number[17] == "10X98765432"[remainder]


def birth(text: str) -> date | None:
    """Return the birth date inside a number, or None."""
    found = _SHAPE.match(normal(text)) if isinstance(text, str) else None
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
