"""The working calendar in the database: seeded, edited, read again, and what a deadline makes of it."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from engine import calendars, clock, journal, limits
from engine.errors import InvalidInput
from engine.limits import Limit
from models import CalendarDay, DayKind, JournalEntry
from tests.engine.conftest import At
from tests.engine.test_limits import REST_2026, WORK_2026
from tests.worlds import World, counting


def test_the_seeded_days_of_2026_are_those_of_the_state_council_s_notice(session: Session) -> None:
    found = calendars.of_year(session, 2026)
    assert [f"{row.day:%m-%d}" for row in found if row.kind is DayKind.HOLIDAY] == REST_2026
    assert [f"{row.day:%m-%d}" for row in found if row.kind is DayKind.WORKDAY] == WORK_2026


def test_seeding_again_adds_nothing_and_keeps_what_was_edited(begun: World) -> None:
    session = begun.session
    calendars.set_day(session, begun.actor("liucheng"), date(2026, 10, 26), DayKind.HOLIDAY, "台风停工")
    assert calendars.seed(session, range(2025, 2028)) == 0
    assert calendars.of_year(session, 2026)[-1].note == "台风停工"


def test_a_year_that_has_no_days_yet_is_seeded(session: Session) -> None:
    assert calendars.of_year(session, 2031) == []
    assert calendars.seed(session, range(2031, 2032)) == len(calendars.of_year(session, 2031)) > 0


def test_an_edited_day_counts_from_then_on(begun: World) -> None:
    session, actor = begun.session, begun.actor("liucheng")
    start, limit = datetime(2026, 10, 22, 8, 40, tzinfo=UTC), Limit("verification", 3, "wd")
    before = limits.reckon(limit, start, calendars.current(session)).due_at
    calendars.set_day(session, actor, date(2026, 10, 26), DayKind.HOLIDAY, "台风停工")
    assert limits.reckon(limit, start, calendars.current(session)).due_at == before + timedelta(days=1)
    calendars.set_day(session, actor, date(2026, 10, 24), DayKind.WORKDAY)
    assert limits.reckon(limit, start, calendars.current(session)).due_at == before
    calendars.set_day(session, actor, date(2026, 10, 26), None)
    assert limits.reckon(limit, start, calendars.current(session)).due_at == before - timedelta(days=1)


def test_changing_a_day_replaces_it_and_is_journalled(begun: World) -> None:
    session, actor = begun.session, begun.actor("liucheng")
    calendars.set_day(session, actor, date(2026, 10, 26), DayKind.HOLIDAY, "甲" * 100)
    calendars.set_day(session, actor, date(2026, 10, 26), DayKind.WORKDAY)
    calendars.set_day(session, actor, date(2026, 10, 26), None)
    calendars.set_day(session, actor, date(2026, 10, 26), None)
    assert session.get(CalendarDay, date(2026, 10, 26)) is None
    kinds = [entry.detail["kind"] for entry, _, _ in journal.find(session, action="calendar:set")[0]]
    assert kinds == ["usual", "usual", "workday", "holiday"]


@pytest.mark.parametrize("far", [date(1926, 1, 1), date(2126, 1, 1)])
def test_a_day_more_than_three_years_away_is_refused(begun: World, far: date) -> None:
    with pytest.raises(InvalidInput):
        calendars.set_day(begun.session, begun.actor("liucheng"), far, DayKind.HOLIDAY)
    assert begun.rows(JournalEntry, JournalEntry.action == "calendar:set") == []


def test_the_office_closes_when_the_profile_says_so_and_lives_in_its_zone(session: Session) -> None:
    calendar = calendars.current(session, "17:30")
    assert calendar.closes.isoformat() == "17:30:00"
    assert calendar.zone == clock.zone()


def test_the_table_is_read_once_a_minute(begun: World) -> None:
    with counting(begun.engine) as seen:
        for _ in range(5):
            calendars.current(begun.session)
        assert len(seen) == 1
        calendars.forget()
        calendars.current(begun.session)
        assert len(seen) == 2


def test_forgetting_in_another_thread_never_breaks_a_reader(session: Session) -> None:
    """An administrator edits a day while others reckon deadlines."""
    stop, failed = threading.Event(), []

    def forget() -> None:
        while not stop.is_set():
            calendars.forget()

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        for _ in range(400):
            calendars.current(session)
    except TypeError as error:
        failed.append(error)
    finally:
        stop.set()
        thread.join()
    assert failed == []


def test_a_year_whose_notice_is_not_published_is_told_before_deadlines_reach_it(begun: World) -> None:
    assert calendars.uncovered_year(begun.session) is None
    begun.move(datetime(2026, 11, 20, tzinfo=UTC))
    calendars.forget()
    assert calendars.uncovered_year(begun.session) == 2027
    calendars.set_day(begun.session, begun.actor("liucheng"), date(2027, 2, 13), DayKind.WORKDAY, "调休上班")
    assert calendars.uncovered_year(begun.session) is None


def test_running_deadlines_keep_their_instants_when_the_calendar_changes(at: At) -> None:
    world = at("verify_report")
    before = {row.id: row.due_at for row in world.clocks()}
    calendars.set_day(world.session, world.actor("liucheng"), clock.today() + timedelta(days=1), DayKind.HOLIDAY)
    assert {row.id: row.due_at for row in world.clocks()} == before


def test_a_deadline_over_a_holiday_is_due_on_the_working_day_after_it(at: At) -> None:
    """The verification has three working days: a feast among them moves it."""
    world = at("report_case")
    for day in (26, 27):
        calendars.set_day(world.session, world.actor("liucheng"), date(2026, 10, day), DayKind.HOLIDAY)
    world.hand_in("report_case", "qinhaitang")
    due = world.clocks("verification")[0].due_at.astimezone(clock.zone())
    assert (due.date(), due.hour) == (date(2026, 10, 30), 18)
