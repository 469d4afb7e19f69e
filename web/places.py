"""Where a page sends somebody back to: a path on this site, or nowhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request


def local_path(target: str | None) -> str:
    """Return a target if it is a path on this site; anything else is no target."""
    if not target or len(target) > 500 or not target.startswith("/") or target.startswith(("//", "/\\")) or any(ord(c) < 32 for c in target):
        return ""
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else ""


def number_asked(name: str, default: int, least: int = 1, most: int = 100_000) -> int:
    """Return a whole number from the address, within bounds; anything else is the default."""
    found = request.args.get(name, default, type=int)
    return min(most, max(least, found))


def back_here() -> str:
    """Return the address of this page, for forms that come back to it."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
