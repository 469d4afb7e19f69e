"""Many finished cases from one that was played: its rows copied under new keys, moved in time, with other answers where asked."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from models import Base, Case

TABLES = ("cases", "records", "notices", "rectification_items", "work_items", "journal_entries", "workflow_scopes", "messages")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_beyond = itertools.count(10_000_000)  # copies stand in no chain
Vary = Callable[[int, str, dict[str, Any]], dict[str, Any]]


def multiply(
    engine: sa.Engine, case_id: uuid.UUID, count: int, *, apart: timedelta = timedelta(weeks=1), spread: int = 8, vary: Vary | None = None
) -> list[str]:
    """Copy a case so many times; returns the numbers of the copies.

    Args:
        apart: Copies lie whole steps of this earlier than the case, `spread` of them in turn.
        vary: Changes the columns of a row: the copy's number, the table, the columns.
    """
    tables = {name: Base.metadata.tables[name] for name in TABLES}
    with engine.connect() as connection:
        rows = {
            name: [
                dict(row)
                for row in connection.execute(sa.select(table).where((table.c.id if name == "cases" else table.c.case_id) == case_id)).mappings()
            ]
            for name, table in tables.items()
        }
        connection.rollback()
    rows["messages"] = [row for row in rows["messages"] if row["kind"] == "told"]  # the others name clocks, which are not copied
    own = {str(row["id"]) for name in TABLES if name not in ("journal_entries", "workflow_scopes") for row in rows[name]}
    numbers = []
    with engine.begin() as connection:
        for place in range(count):
            keys: dict[str, str] = {}
            numbers.append(f"COPY-{place:05d}")
            for name, table in tables.items():
                made = [_copy(row, name, place, own, keys, -apart * (place % spread), vary) for row in rows[name]]
                if made:
                    connection.execute(sa.insert(table), made)
    return numbers


def _copy(row: Mapping[str, Any], table: str, place: int, own: set[str], keys: dict[str, str], shift: timedelta, vary: Vary | None) -> dict[str, Any]:
    made = {name: _moved(value, own, keys, shift) for name, value in row.items()}
    if table == "cases":
        made["number"] = f"COPY-{place:05d}"
    if table in ("notices", "rectification_items"):
        made["number"] = f"{row['number'][:18]}-{place:05d}"
    if table == "journal_entries":
        del made["id"]
        made["position"] = next(_beyond)
    if table == "messages":
        made["once"] = UUID.sub(lambda match: _key(match[0], own, keys), row["once"])
    if "command_key" in made:
        made["command_key"] = None
    return vary(place, table, made) if vary is not None else made


def _key(text: str, own: set[str], keys: dict[str, str]) -> str:
    if text not in own:
        return text
    if text not in keys:
        keys[text] = str(uuid.uuid4())
    return keys[text]


def _moved(value: Any, own: set[str], keys: dict[str, str], shift: timedelta) -> Any:
    if isinstance(value, uuid.UUID):
        return uuid.UUID(_key(str(value), own, keys))
    if isinstance(value, datetime):
        return value + shift
    if isinstance(value, dict | list):
        text = UUID.sub(lambda match: _key(match[0], own, keys), json.dumps(value, ensure_ascii=False))
        return json.loads(text, object_hook=lambda found: _shifted(found, shift))
    if isinstance(value, bytes):
        return _state(value, shift)
    return value


def _shifted(found: dict[str, Any], shift: timedelta) -> dict[str, Any]:
    if found.get("$") == "dt" and isinstance(found.get("v"), str) and shift:
        text, _at, zone = found["v"].partition("@")
        try:
            return {**found, "v": (datetime.fromisoformat(text) + shift).isoformat() + (f"@{zone}" if zone else "")}
        except ValueError:
            return found
    return found


def _state(blob: bytes, shift: timedelta) -> bytes:
    """Move the instants among the variables with which a workflow began."""
    from engine.workflow import storing

    head, first, *rest = storing._zstd.unpack(blob).split(b"\n")
    moved = json.dumps(json.loads(first, object_hook=lambda found: _shifted(found, shift))).encode() if first else first
    return storing._zstd.pack(b"\n".join([head, moved, *rest]))


def closed_case(connection: sa.Connection) -> uuid.UUID:
    """Return the case that has ended."""
    found = connection.scalar(sa.select(Case.id).where(Case.ended_at.is_not(None)).limit(1))
    assert found is not None
    return found
