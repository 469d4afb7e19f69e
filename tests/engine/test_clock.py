"""The present, the office's day, and a demonstration's clock that is ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
import time_machine

from engine import clock


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    clock.set_zone("Asia/Shanghai")
    clock.set_ahead(0)


def test_now_is_an_aware_instant_in_utc() -> None:
    with time_machine.travel(datetime(2026, 10, 22, 1, 40, tzinfo=UTC), tick=False):
        assert clock.now() == datetime(2026, 10, 22, 1, 40, tzinfo=UTC)
        assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "today"), [("Asia/Shanghai", date(2026, 11, 1)), ("UTC", date(2026, 10, 31)), ("America/New_York", date(2026, 10, 31))]
)
def test_today_is_the_day_of_the_office(zone: str, today: date) -> None:
    clock.set_zone(zone)
    with time_machine.travel(datetime(2026, 10, 31, 17, tzinfo=UTC), tick=False):
        assert clock.today() == today
        assert clock.zone() == ZoneInfo(zone)


def test_a_demonstration_s_clock_is_ahead_of_the_machine_s() -> None:
    with time_machine.travel(datetime(2026, 10, 22, 1, 40, tzinfo=UTC), tick=False):
        clock.set_ahead(3 * 86_400 + 60)
        assert clock.now() == datetime(2026, 10, 25, 1, 41, tzinfo=UTC)
        assert clock.today() == date(2026, 10, 25)
        clock.set_ahead(0)
        assert clock.now() - datetime(2026, 10, 22, 1, 40, tzinfo=UTC) == timedelta()


def test_a_zone_that_does_not_exist_is_refused_and_the_old_one_stays() -> None:
    with pytest.raises((ZoneInfoNotFoundError, ValueError)):
        clock.set_zone("Asia/Atlantis")
    assert clock.zone() == ZoneInfo("Asia/Shanghai")
