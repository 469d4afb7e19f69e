"""Bodies of requests that are JSON: measured before they are read, so that none costs more than its text."""

from __future__ import annotations

import re
from typing import Any

import flask
from flask import request

MAX_PARTS = 20_000
"""Values, lists and mappings of one body; a value costs a hundred times its text."""
MAX_DEPTH = 60
# Possessive, so that nothing is remembered on the way: a text of a million escapes costs nothing.
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.S)
_NOT_PARTS = re.compile(rb"[^\[\]{},]+")


def read(max_bytes: int) -> dict[str, Any] | None:
    """Return the mapping that a request carries; None for anything else.

    A body longer than `max_bytes` is refused with 413, and so is one of more parts than any page sends.
    """
    if (request.content_length or 0) > max_bytes:
        flask.abort(413)
    content = request.get_data()
    if len(content) > max_bytes:
        flask.abort(413)
    if not _is_small(content):
        flask.abort(413)
    try:
        found = request.get_json(silent=True)
    except RecursionError:
        return None
    return found if isinstance(found, dict) else None


def _is_small(content: bytes) -> bool:
    """Tell whether a body has few parts, none nested deeply; what stands between quotation marks is one part."""
    signs = _NOT_PARTS.sub(b"", _TEXTS.sub(b"", content))
    if len(signs) > MAX_PARTS:
        return False
    depth = deepest = 0
    for sign in signs:
        depth += (sign in b"[{") - (sign in b"]}")
        deepest = max(deepest, depth)
    return deepest <= MAX_DEPTH


def clean(text: object, length: int) -> str:
    """Return a text as every database takes it: without halves of pairs and without zeros, cut."""
    return str(text)[:length].encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
