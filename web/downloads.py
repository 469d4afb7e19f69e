"""Files that a page gives to be kept: bytes under a name, and tables for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response


def given(content: bytes | str | Iterator[str], name: str, kind: str) -> Response:
    """Return a file under its name; `kind` is its media type."""
    return Response(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def table(rows: Iterable[Sequence[str]], name: str) -> Response:
    """Return rows as CSV, the names of the columns first; no cell is taken for a formula."""
    page = io.StringIO()
    csv.writer(page).writerows([f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text for text in row] for row in rows)
    return given("\ufeff" + page.getvalue(), name, "text/csv; charset=utf-8")
