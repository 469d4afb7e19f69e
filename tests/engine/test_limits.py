"""From a limit and the start of its clock to instants: hours, days, working days, days of the month, four zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import Limit, WorkingCalendar, end_of_day, reckon, until

SHANGHAI, BERLIN, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
# The State Council's notice for 2026 (国办发明电〔2025〕7号): days off on weekdays, and weekend days that are worked.
REST_2026 = [
    "01-01",
    "01-02",
    "02-16",
    "02-17",
    "02-18",
    "02-19",
    "02-20",
    "02-23",
    "04-06",
    "05-01",
    "05-04",
    "05-05",
    "06-19",
    "09-25",
    "10-01",
    "10-02",
    "10-05",
    "10-06",
    "10-07",
]
WORK_2026 = ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
CHINA = WorkingCalendar(
    SHANGHAI,
    {
        **{date.fromisoformat(f"2026-{day}"): False for day in REST_2026},
        **{date.fromisoformat(f"2026-{day}"): True for day in WORK_2026},
    },
)
PLAIN = WorkingCalendar(SHANGHAI)


def china(text: str) -> datetime:
    """Return an instant of the office's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def due(value: int, unit: str, start: datetime, calendar: WorkingCalendar = CHINA) -> datetime:
    return reckon(Limit("test", value, unit), start, calendar).due_at


def test_hours_run_through_the_night_the_weekend_and_the_holidays() -> None:
    assert due(24, "h", china("2026-09-30T23:10")) == china("2026-10-01T23:10")
    assert due(72, "h", china("2026-10-02T16:40")) == china("2026-10-05T16:40")


def test_days_end_at_the_same_time_of_day_holidays_or_not() -> None:
    assert due(2, "d", china("2026-09-30T16:40")) == china("2026-10-02T16:40")
    assert due(14, "d", china("2026-02-10T00:00")) == china("2026-02-24T00:00")


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2026-10-22T16:40", 3, "2026-10-27T18:00"),  # over a plain weekend
        ("2026-09-30T09:00", 1, "2026-10-08T18:00"),  # National Day
        ("2026-09-30T09:00", 3, "2026-10-10T18:00"),  # and the Saturday that is made up for it
        ("2026-02-13T09:00", 1, "2026-02-14T18:00"),  # the Saturday before the Spring Festival is worked
        ("2026-02-13T09:00", 2, "2026-02-24T18:00"),
        ("2026-05-08T19:30", 1, "2026-05-09T18:00"),  # begun after closing
        ("2026-10-03T12:00", 1, "2026-10-08T18:00"),  # begun on a holiday
        ("2026-10-22T16:40", 0, "2026-10-22T18:00"),
    ],
)
def test_working_days_end_when_the_office_closes_and_know_the_holidays_of_2026(start: str, count: int, end: str) -> None:
    assert due(count, "wd", china(start)) == china(end)


@pytest.mark.parametrize(
    ("start", "day", "end"),
    [
        ("2026-10-22T16:40", 10, "2026-11-10T18:00"),
        ("2026-12-31T23:59", 10, "2027-01-10T18:00"),  # a Sunday: a holiday brings no grace
        ("2026-09-01T00:00", 2, "2026-10-02T18:00"),  # National Day: no grace either
        ("2026-01-15T08:00", 30, "2026-02-28T18:00"),  # February has no 30th: its last day
        ("2027-12-01T08:00", 31, "2028-01-31T18:00"),
    ],
)
def test_a_day_of_the_next_month_ends_when_the_office_closes_and_brings_no_grace(start: str, day: int, end: str) -> None:
    assert due(day, "dom", china(start)) == china(end)


def test_the_month_is_the_one_of_the_office_not_of_greenwich() -> None:
    """In Shanghai it is November when it is still October in UTC."""
    assert due(10, "dom", datetime(2026, 10, 31, 17, tzinfo=UTC)) == china("2026-12-10T18:00")
    assert due(1, "wd", datetime(2026, 10, 25, 17, tzinfo=UTC)) == china("2026-10-27T18:00")


def test_the_levels_lie_at_50_80_100_and_150_per_cent() -> None:
    start = china("2026-10-22T16:40")
    found = reckon(Limit("notify_facility", 24, "h"), start, CHINA)
    hours = [(instant - start) / timedelta(hours=1) for instant in (found.amber_at, found.red_at, found.due_at, found.escalate_at)]
    assert hours == pytest.approx([12, 19.2, 24, 36])


def test_a_limit_whose_end_lies_before_its_start_is_due_at_once() -> None:
    start = china("2026-10-22T19:00")
    found = reckon(Limit("today", 0, "wd"), start, CHINA)
    assert {found.amber_at, found.red_at, found.due_at, found.escalate_at} == {start}


def test_a_day_that_is_made_up_is_worked_and_a_feast_is_not() -> None:
    assert [CHINA.is_working_day(date.fromisoformat(f"2026-{day}")) for day in WORK_2026] == [True] * 6
    assert not any(CHINA.is_working_day(date.fromisoformat(f"2026-{day}")) for day in REST_2026)
    assert [CHINA.is_working_day(date(2026, 10, day)) for day in range(22, 27)] == [True, True, False, False, True]


def test_the_notice_of_2026_is_what_the_package_knows() -> None:
    rest = holidays.country_holidays("CN", years=2026)
    assert sorted(f"{day:%m-%d}" for day in rest if day.weekday() < 5) == REST_2026
    assert sorted(f"{day:%m-%d}" for day in rest.weekend_workdays if day.year == 2026) == WORK_2026


def test_working_days_can_be_counted_backwards() -> None:
    assert CHINA.add_working_days(date(2026, 10, 8), -1) == date(2026, 9, 30)
    assert CHINA.add_working_days(date(2026, 10, 8), 0) == date(2026, 10, 8)


def test_a_year_without_a_notice_falls_back_to_the_plain_week_and_is_not_covered() -> None:
    assert CHINA.covers(2026)
    assert not CHINA.covers(2028)
    assert due(1, "wd", china("2028-09-29T09:00")) == china("2028-10-02T18:00")


def test_feasts_alone_do_not_cover_a_year_since_the_days_to_make_up_are_not_known() -> None:
    assert not WorkingCalendar(SHANGHAI, {date(2027, 1, 1): False}).covers(2027)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown unit 'weeks'"):
        due(1, "weeks", china("2026-10-22T09:00"))


@pytest.mark.parametrize(
    ("zone", "start", "hours_later"),
    [
        (BERLIN, datetime(2026, 10, 24, 16, 0, tzinfo=BERLIN), 25),  # clocks go back in the night to the 25th
        (BERLIN, datetime(2026, 3, 28, 16, 0, tzinfo=BERLIN), 23),
        (NEW_YORK, datetime(2026, 10, 31, 20, 0, tzinfo=NEW_YORK), 25),
        (SHANGHAI, datetime(2026, 10, 24, 16, 0, tzinfo=SHANGHAI), 24),
    ],
)
def test_where_clocks_are_changed_hours_pass_and_days_keep_the_time_of_day(zone: ZoneInfo, start: datetime, hours_later: int) -> None:
    calendar = WorkingCalendar(zone)
    hour = timedelta(hours=1)
    began = start.astimezone(UTC)
    assert (due(24, "h", start, calendar) - began) / hour == 24
    assert (due(1, "d", start, calendar) - began) / hour == hours_later
    assert due(1, "d", start, calendar).astimezone(zone).time() == start.time()
    assert due(1, "wd", start, calendar).astimezone(zone).time() == time(18)


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from([SHANGHAI, BERLIN, NEW_YORK, ZoneInfo("Asia/Kathmandu")]),
    unit=st.sampled_from(["h", "d", "wd", "dom"]),
    value=st.integers(1, 28),
)
def test_the_same_instant_gives_the_same_limit_however_it_is_written(start: datetime, zone: ZoneInfo, unit: str, value: int) -> None:
    calendar, limit = WorkingCalendar(zone, CHINA.exceptions), Limit("any", value, unit)
    found = reckon(limit, start, calendar)
    assert found == reckon(limit, start.astimezone(zone), calendar)
    assert found.start_at <= found.amber_at <= found.red_at <= found.due_at <= found.escalate_at
    assert found.due_at.tzinfo is UTC


def test_the_office_may_close_at_another_hour() -> None:
    calendar = WorkingCalendar(SHANGHAI, closes=time(17, 30))
    assert end_of_day(date(2026, 10, 27), calendar) == china("2026-10-27T17:30")
    assert due(3, "wd", china("2026-10-22T16:40"), calendar) == china("2026-10-27T17:30")


def test_an_end_that_is_given_has_the_same_levels() -> None:
    start, end = china("2026-10-22T08:00"), china("2026-11-01T08:00")
    found = until(start, end)
    assert (found.amber_at, found.red_at, found.escalate_at) == (china("2026-10-27T08:00"), china("2026-10-30T08:00"), china("2026-11-06T08:00"))
