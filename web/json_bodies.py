"""Bodies of requests that are JSON: measured before they are read, so that none costs more than its text."""

from __future__ import annotations

from typing import Any

import flask
from flask import request

from engine import json_texts

MAX_PARTS = 20_000
"""Values, lists and mappings of one body; a value costs a hundred times its text."""


def read(max_bytes: int) -> dict[str, Any] | None:
    """Return the mapping that a request carries; None for anything else.

    A body longer than `max_bytes` is refused with 413, and so is one of more parts than any page sends.
    """
    if (request.content_length or 0) > max_bytes:
        flask.abort(413)
    content = request.get_data()
    if len(content) > max_bytes:
        flask.abort(413)
    if not json_texts.is_small(content, MAX_PARTS):
        flask.abort(413)
    try:
        found = request.get_json(silent=True)
    except RecursionError:
        return None
    return found if isinstance(found, dict) else None


def clean(text: object, length: int) -> str:
    """Return a text as every database takes it: without halves of pairs and without zeros, cut."""
    return str(text)[:length].encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
