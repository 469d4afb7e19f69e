"""Limits: from a profile value and the start of a clock to the instants of a deadline."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

AMBER, RED, ESCALATED = 0.5, 0.8, 1.5


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a profile: `value` in `unit`: h hours, d calendar days, wd working days, dom day of the next month."""

    key: str
    value: int
    unit: str


@dataclass(frozen=True, slots=True)
class Instants:
    """The instants of a deadline: 50, 80, 100 and 150 % of the way from its start."""

    start_at: datetime
    amber_at: datetime
    red_at: datetime
    due_at: datetime
    escalate_at: datetime


@dataclass(frozen=True)
class WorkingCalendar:
    """Which days the office works: Monday to Friday but for the days that the calendar names.

    Source:
        The State Council's yearly notice on public holidays; a year it does not cover falls back to the plain week.
    """

    zone: ZoneInfo
    exceptions: Mapping[date, bool] = field(default_factory=dict)
    closes: time = time(18)

    def is_working_day(self, day: date) -> bool:
        """Tell whether the office works on a day."""
        return self.exceptions.get(day, day.weekday() < 5)

    def add_working_days(self, day: date, count: int) -> date:
        """Return the working day that lies `count` working days after (or, negative, before) a day."""
        step, left = timedelta(days=1 if count >= 0 else -1), abs(count)
        while left:
            day += step
            left -= self.is_working_day(day)
        return day

    def covers(self, year: int) -> bool:
        """Tell whether a year's holidays are known: its notice always names days to make up, a forecast of the feasts cannot."""
        return any(works and day.year == year for day, works in self.exceptions.items())


def reckon(limit: Limit, start: datetime, calendar: WorkingCalendar) -> Instants:
    """Turn a limit into instants.

    Hours and days run through nights and holidays: hours as they pass, days to the same time of day in the office's
    zone, also where clocks are put forward or back. Working days and days of the month end when the office closes; a day
    of the month that is a holiday brings no grace, one that the month lacks is its last.

    Args:
        start: An aware instant: the event, or when the reporter learned of it.

    Source:
        Review procedures, §3 Clocks.
    """
    local = start.astimezone(calendar.zone)
    if limit.unit == "h":
        due = start.astimezone(UTC) + timedelta(hours=limit.value)
    elif limit.unit == "d":
        due = local + timedelta(days=limit.value)
    elif limit.unit == "wd":
        due = end_of_day(calendar.add_working_days(local.date(), limit.value), calendar)
    elif limit.unit == "dom":
        year, month = divmod(local.year * 12 + local.month, 12)
        due = end_of_day(date(year, month + 1, min(limit.value, monthrange(year, month + 1)[1])), calendar)
    else:
        raise ValueError(f"unknown unit {limit.unit!r} of limit {limit.key!r}")
    return until(start, due)


def until(start: datetime, due: datetime) -> Instants:
    """Return the instants of a deadline whose end is given; an end before the start is due at once."""
    start, due = start.astimezone(UTC), max(due, start).astimezone(UTC)
    span = due - start
    return Instants(start, start + span * AMBER, start + span * RED, due, start + span * ESCALATED)


def end_of_day(day: date, calendar: WorkingCalendar) -> datetime:
    """Return the instant at which the office closes on a day."""
    return datetime.combine(day, calendar.closes, calendar.zone)
