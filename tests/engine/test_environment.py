"""What the expressions of a case see: facts, profile values, one present, the host's functions."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine import clock, environment, feel, limits, subjects
from tests.engine.conftest import At
from tests.worlds import World


def value(world: World, text: str, **names: Any) -> Any:
    return feel.from_wire(feel.evaluate(text, names, environment.of_case(world.session, world.case)))


def test_the_facts_of_a_case_are_told_and_nothing_that_identifies_the_subject(at: At) -> None:
    world = at("close_case")
    found = environment.facts(world.case)
    assert (found["kind"], found["state"], found["has_facility"], found["has_township"]) == ("maternal_death", world.case.state.value, True, True)
    text = json.dumps(found, ensure_ascii=False)
    assert not [term for term in subjects.identifiers(world.session, world.case_id) if term in text]


def test_every_expression_of_a_command_sees_the_same_present(at: At) -> None:
    world = at("verify_report")
    surroundings = environment.of_case(world.session, world.case)
    first = feel.evaluate("now()", {}, surroundings)
    world.move(timedelta(hours=1))
    assert feel.evaluate("now()", {}, surroundings) == first
    assert value(world, "now()") == clock.now()
    assert value(world, "today()") == clock.today()


def test_an_instant_is_told_in_the_zone_of_the_office(at: At) -> None:
    world = at("verify_report")
    assert value(world, "case.event_at").utcoffset() == timedelta(hours=8)
    assert value(world, "case.event_at") == world.case.event_at
    assert value(world, "case.event_at.hour") == 16


def test_a_limit_of_the_profile_is_reckoned_from_an_instant(at: At) -> None:
    world = at("verify_report")
    assert value(world, 'due("case_report", case.clock_start)') == world.case.clock_start_at + timedelta(days=2)
    assert value(world, 'due("verification", case.event_at)') == datetime(2026, 10, 27, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        'due("collective_review", case.event_at)',
        'due("nobody_knows", case.event_at)',
        'due("case_report", null)',
        'due("case_report", "today")',
        'due("case_report", today())',
        "due(null, case.event_at)",
        'end of day("today")',
        "end of day(null)",
    ],
)
def test_where_there_is_no_limit_or_no_instant_there_is_no_end(at: At, text: str) -> None:
    assert value(at("verify_report"), text) is None


def test_an_instant_without_a_zone_is_the_office_s(at: At) -> None:
    assert value(at("verify_report"), 'due("case_report", date and time("2026-10-22T16:40:00"))') == datetime(2026, 10, 24, 8, 40, tzinfo=UTC)


def test_the_day_ends_when_the_office_closes_and_working_days_know_the_calendar(at: At) -> None:
    world = at("verify_report")
    assert value(world, 'end of day(date("2026-10-27"))') == datetime(2026, 10, 27, 10, tzinfo=UTC)
    assert value(world, 'add working days(date("2026-09-30"), 3)') == date(2026, 10, 10)


def test_the_values_of_the_profile_are_read_by_name(at: At) -> None:
    world = at("verify_report")
    assert value(world, "profile.quorum_min") == 3
    assert value(world, "profile.accountability_triggers") == ["conclusion"]
    assert value(world, "profile.onsite_required") is True


def test_resident_numbers_are_looked_at_by_the_host(at: At) -> None:
    world = at("verify_report")
    assert value(world, "resident number valid(typed)", typed="341299198603120422") is True
    assert value(world, "resident number birth(typed)", typed="341299198603120422") == date(1986, 3, 12)


def test_the_members_of_the_committee_are_told_with_their_standing(at: At) -> None:
    world = at("verify_report")
    assert value(world, "members()") == []
    world.play("give_opinion")
    found = value(world, "members()")
    assert {row["person"] for row in found} >= {str(world.person(name).id) for name in ("xushenyan", "lujianwei")}
    assert all(set(row) == {"person", "recused", "advisory"} for row in found)


def test_a_nested_value_comes_in_wire_form() -> None:
    assert environment.wire({"a": [date(2026, 10, 1), {"b": 1}]}) == {"a": [{"$": "d", "v": "2026-10-01"}, {"b": 1}]}


def test_the_office_s_calendar_has_its_hour_of_closing_from_the_profile(at: At) -> None:
    world = at("verify_report")
    calendar = environment.of_case(world.session, world.case).calendar
    assert isinstance(calendar, limits.WorkingCalendar)
    assert calendar.closes.hour == 18
