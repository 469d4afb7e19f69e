"""Dates, times, zones and durations."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feel import Months, temporal

PARIS, SHANGHAI = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Shanghai")


@given(st.dates())
def test_day_numbers_are_those_of_python(day):
    number = temporal.day_number(day.year, day.month, day.day)
    assert number == (day - date(1970, 1, 1)).days
    assert temporal.civil(number) == (day.year, day.month, day.day)


@given(st.integers(-(10**11), 10**11))
def test_every_day_number_has_its_day(number):
    assert temporal.day_number(*temporal.civil(number)) == number


@given(st.dates(), st.integers(-24_000, 24_000))
def test_months_keep_the_day_or_take_the_last(day, months):
    moved = temporal.add_months(temporal.from_date(day).days, months)
    year, month, found = temporal.civil(moved)
    assert (year * 12 + month) - (day.year * 12 + day.month) == months
    assert found == day.day or (found < day.day and temporal.day_number(year, month, found + 1) is None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22",
        "-0001-01-01",
        "12026-01-01",
        "999999999-12-31",
    ],
)
def test_dates_are_written_as_read(text):
    assert str(temporal.read_date(text)) == text


@pytest.mark.parametrize("text", ["2026-13-01", "2026-02-29", "2026-1-1", "02026-01-01", "20260101", "9999999999-01-01", ""])
def test_no_date(text):
    assert temporal.read_date(text) is None


@pytest.mark.parametrize("text", ["10:20:30", "10:20:30.5", "10:20:30Z", "10:20:30-05:30", "10:20:30+00:00:01", "10:20:30@Asia/Shanghai"])
def test_times_are_written_as_read(text):
    assert str(temporal.read_time(text)) == text


@pytest.mark.parametrize("text", ["24:00:01", "10:60:00", "10:00", "10:00:00+19:00", "10:00:00@Mars/Base", "1:00:00", "10:00:00z"])
def test_no_time(text):
    assert temporal.read_time(text) is None


def test_the_24th_hour_is_the_next_day():
    assert str(temporal.read_date_time("2026-12-31T24:00:00")) == "2027-01-01T00:00:00"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("P1D", "P1D"),
        ("PT36H", "P1DT12H"),
        ("PT0S", "PT0S"),
        ("-PT1.5S", "-PT1.5S"),
        ("PT90M", "PT1H30M"),
        ("P14M", "P1Y2M"),
        ("P0Y", "P0M"),
        ("-P1Y", "-P1Y"),
        ("P1DT0.000000001S", "P1DT0.000000001S"),
    ],
)
def test_durations_are_written_in_their_shortest_form(text, written):
    assert str(temporal.read_duration(text)) == written


@pytest.mark.parametrize("text", ["P", "PT", "P1DT", "P1Y1D", "1D", "P1H", "P-1D", "", "P1W"])
def test_no_duration(text):
    assert temporal.read_duration(text) is None


def test_named_zones_follow_their_clocks(feel):
    winter = feel('@"2026-01-15T12:00:00@Europe/Paris"')
    summer = feel('@"2026-07-15T12:00:00@Europe/Paris"')
    assert (winter.utcoffset(), summer.utcoffset()) == (timedelta(hours=1), timedelta(hours=2))
    assert feel('@"2026-07-15T12:00:00@Europe/Paris" - @"2026-01-15T12:00:00@Europe/Paris"') == timedelta(days=181, hours=-1)


def test_seconds_move_the_instant_and_months_the_calendar_across_a_change_of_clocks(feel):
    before = '@"2026-03-28T12:00:00@Europe/Paris"'
    assert feel(f'{before} + @"PT24H"') == datetime(2026, 3, 29, 13, tzinfo=PARIS)
    assert feel(f'{before} + @"P1M"') == datetime(2026, 4, 28, 12, tzinfo=PARIS)


def test_clocks_that_are_set_back_have_one_hour_twice(feel):
    begin = '@"2026-10-25T02:30:00@Europe/Paris"'
    later = feel(f'{begin} + @"PT1H"')
    assert (later.hour, later.fold) == (2, 1)
    assert feel(f'({begin} + @"PT1H") - {begin}') == timedelta(hours=1)
    assert feel(f'{begin} + @"PT2H"') == datetime(2026, 10, 25, 3, 30, tzinfo=PARIS)


def test_shanghai_had_summer_time_in_1988(feel):
    assert feel('@"1988-07-01T12:00:00@Asia/Shanghai".time offset') == timedelta(hours=9)
    assert feel('@"2026-07-01T12:00:00@Asia/Shanghai".time offset') == timedelta(hours=8)


def test_an_instant_is_shown_in_another_zone(feel):
    assert feel('date and time(@"2026-01-01T00:00:00Z", "Asia/Shanghai")') == datetime(2026, 1, 1, 8, tzinfo=SHANGHAI)


def test_offsets_stay_when_time_is_added(feel):
    moved = feel('@"2026-12-31T23:00:00-05:00" + @"PT2H"')
    assert moved == datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=-5)))


def test_far_years_count_on(feel, environment):
    assert feel('string(@"9999-12-31" + @"P1D")') == "10000-01-01"
    assert feel('string(@"0001-01-01" - @"P1D")') == "0000-12-31"
    assert feel('string(@"12000-07-01T12:00:00@Europe/Paris" + @"PT1H")') == "12000-07-01T13:00:00@Europe/Paris"
    assert feel('string(@"-0500-07-01T12:00:00@Europe/Paris" + @"PT1H")') == "-0500-07-01T13:00:00@Europe/Paris"
    assert feel('@"999999999-12-31" + @"P1D"') is None


def test_now_and_today_are_those_of_the_environment(feel):
    assert feel("now()") == datetime(2026, 11, 22, 11, tzinfo=SHANGHAI)
    assert feel("today()") == date(2026, 11, 22)
    assert feel("string(now())") == "2026-11-22T11:00:00@Asia/Shanghai"


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)))
def test_adding_a_duration_agrees_with_python(instant, delta):
    try:
        wanted = instant + delta
    except OverflowError:
        return
    found = temporal.add_to_date_time(temporal.from_datetime(instant), temporal.from_timedelta(delta))
    assert temporal.to_datetime(found) == wanted


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2035, 1, 1)),
    st.sampled_from(["Europe/Paris", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]),
)
def test_zones_agree_with_python(naive, name):
    instant = naive.replace(tzinfo=UTC)
    found = temporal.in_zone(temporal.from_datetime(instant).instant, name)
    wanted = instant.astimezone(ZoneInfo(name))
    assert temporal.to_datetime(found) == wanted
    assert (found.fold, found.instant) == (wanted.fold, temporal.from_datetime(instant).instant)


def test_python_values_of_each_kind(feel):
    assert feel('@"10:20:30.123456"') == time(10, 20, 30, 123456)
    assert feel('@"10:20:30@Asia/Shanghai"') == time(10, 20, 30, tzinfo=SHANGHAI)
    assert feel('@"P1Y3M"') == Months(15)
    assert feel('@"-PT1.5S"') == timedelta(seconds=-1.5)
