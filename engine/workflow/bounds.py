"""Bounds: what a procedure may cost before anything of it is read, and while it is judged. Whatever is in a file, answering is quick."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from engine import forms
from engine.feel import xml_texts

MAX_BYTES = 2_000_000
"""Bytes of one file."""
MAX_TOTAL = 6_000_000
"""Bytes of all files of a procedure."""
MAX_FILES = 400
MAX_MANIFEST = 20_000
MAX_DOTS = 300
"""Full stops of a manifest: its parser takes the square of the length of a dotted key."""
MAX_SCENARIO = 200_000
MAX_DOTTED = 100_000
"""The squares of the full stops in each line, together: what the longest dotted keys of a scenario may cost."""
MAX_TOML_DEPTH = 40
MAX_FORM = forms.MAX_BYTES
MAX_TAGS = 40_000
"""Opening and closing tags of one diagram: a tree costs fifty times its text."""
MAX_ATTRIBUTES = 100_000
MAX_ALL_TAGS, MAX_ALL_ATTRIBUTES = 60_000, 120_000
"""Of all diagrams of a procedure."""
MAX_ELEMENTS = 400
"""Steps, events and gateways of one diagram; the library recurses along them."""
MAX_ALL_ELEMENTS = 1_500
MAX_NESTING = 6
"""Embedded parts inside one another."""
MAX_TASKS = 400
"""Tasks that the library predicts from one place."""
MAX_EXPRESSIONS = 120_000
"""Characters of all expressions of a procedure that are compiled in one check."""
MAX_COMPONENTS = 1_200
"""Components of one form."""
MAX_ALL_COMPONENTS = forms.MAX_ALL_COMPONENTS
MAX_VARIABLES = 1_500
"""Places of a procedure that set a variable."""
MAX_COMPLAINTS = 400


def unfit(content: bytes) -> str | None:
    """Tell why a file cannot be read as a diagram without measuring what it would cost; None lets it in.

    Tags are counted in the bytes, so only encodings in which `<` is a byte of its own are let in.
    """
    if len(content) > MAX_BYTES:
        return "too_large"
    if not xml_texts.is_xml(content):
        return "not_xml"
    if not xml_texts.is_countable(content):
        return "encoding"
    if content.count(b"<") > MAX_TAGS or content.count(b"=") > MAX_ATTRIBUTES:
        return "too_many_parts"
    return None


class Tally:
    """The tags and attributes of several diagrams that are read together."""

    def __init__(self) -> None:
        self.tags = self.attributes = 0

    def takes(self, content: bytes) -> bool:
        """Count another diagram; tell whether all of them may still be read."""
        self.tags, self.attributes = self.tags + content.count(b"<"), self.attributes + content.count(b"=")
        return self.tags <= MAX_ALL_TAGS and self.attributes <= MAX_ALL_ATTRIBUTES


def toml(content: bytes) -> dict[str, Any]:
    """Read a manifest whatever is in it.

    Raises:
        ValueError: too long, too many dotted keys, not UTF-8, nested too deeply, or not TOML.
    """
    if len(content) > MAX_MANIFEST or content.count(b".") > MAX_DOTS:
        raise ValueError("too large")
    return _toml(content, float)


def scenario(content: bytes, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Read a scenario, or the answers and the cast kept with scenarios, whatever is in it.

    Raises:
        ValueError: See `toml`; longer than a manifest may it be, and hold as many full stops as it likes, though not in one line.
    """
    if len(content) > MAX_SCENARIO or sum(line.count(b".") ** 2 for line in content.split(b"\n")) > MAX_DOTTED:
        raise ValueError("too large")
    return _toml(content, parse_float)


def _toml(content: bytes, parse_float: Callable[[str], Any]) -> dict[str, Any]:
    try:
        found = tomllib.loads(content.decode(), parse_float=parse_float)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level: list[Any] = [found]
    for _ in range(MAX_TOML_DEPTH):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, Mapping) else outer) if isinstance(inner, Mapping | list)]
        if not level:
            return found
    raise ValueError("nested too deeply")
