"""The present, in one place: every instant of the engine comes from here, so that tests and the demo can move it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_zone = ZoneInfo("Asia/Shanghai")
_ahead = timedelta()


def now() -> datetime:
    """Return the present as an aware instant in UTC; in a demo, as far ahead as its clock was moved."""
    return datetime.now(UTC) + _ahead


def today() -> date:
    """Return the day of the office."""
    return now().astimezone(_zone).date()


def zone() -> ZoneInfo:
    """Return the zone in which the office lives and shows its times."""
    return _zone


def set_zone(name: str) -> None:
    """Choose the office's zone; once, at start."""
    global _zone
    _zone = ZoneInfo(name)


def set_ahead(seconds: int) -> None:
    """Move the demo's clock: the present is this many seconds ahead of the machine's."""
    global _ahead
    _ahead = timedelta(seconds=seconds)
