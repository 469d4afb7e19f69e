"""JSON before it is read: whether it costs little more than its text. A value costs a hundred times what it is written with."""

from __future__ import annotations

import re

MAX_DEPTH = 60
# Possessive, so that nothing is remembered on the way: a text of a million escapes costs nothing.
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.S)
_NOT_PARTS = re.compile(rb"[^\[\]{},]+")


def is_small(content: bytes, max_parts: int) -> bool:
    """Tell whether a text has few values, lists and mappings, none nested deeply; what stands between quotation marks is one part."""
    signs = _NOT_PARTS.sub(b"", _TEXTS.sub(b"", content))
    if len(signs) > max_parts:
        return False
    depth = deepest = 0
    for sign in signs:
        depth += (sign in b"[{") - (sign in b"]}")
        deepest = max(deepest, depth)
    return deepest <= MAX_DEPTH
