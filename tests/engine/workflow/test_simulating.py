"""A case walked in memory does what it does in the database: elements, states, limits, timers, messages, services."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from engine import clock, procedures, profiles, scenarios, workflow
from engine.limits import WorkingCalendar
from engine.procedures import Deployed
from engine.services import all_services
from engine.workflow import NotOpen, NotWaiting, Specification, WorkflowFailed
from engine.workflow.simulating import SERVICES, Walk, is_same, unchanged

EVENT = datetime(2026, 10, 22, 8, 40, tzinfo=UTC)
BEGIN = EVENT + timedelta(minutes=45)


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return procedures.ready(UUID(int=0), procedures.shipped_files("maternal_death"))


def walk_of(deployed: Deployed, **changes: Any) -> Walk:
    values = profiles.Values(profiles.shipped()["cn_default"])
    surroundings = scenarios.surroundings(deployed, values, WorkingCalendar(clock.zone()))
    wanted: dict[str, Any] = {"facility": "f", "township": "t", **changes}
    walk = Walk(deployed.specification, surroundings, kind="maternal_death", event_at=EVENT, clock_start=EVENT, owner="o", **wanted)
    walk.start({"hop": "facility", "kind": "maternal_death", "reopened": False, "notice_at": None, "reporter": "r"}, BEGIN)
    return walk


def open_steps(walk: Walk) -> list[str]:
    return sorted(item.element for item in walk.items.values())


def do(walk: Walk, element: str, answers: dict[str, Any] | None = None, person: str = "p", after: float = 1) -> None:
    item = next(item for item in walk.items.values() if item.element == element)
    walk.complete(item, answers, person, walk.now + timedelta(hours=after))


RECEIPT = {"decision": "new", "received_dt": {"$": "dt", "v": "2026-10-22T17:30:00+08:00"}, "receipt_method": "phone", "read_back": True}


def test_every_service_of_the_host_is_imitated() -> None:
    assert set(SERVICES) == set(all_services())


def test_a_step_names_whom_it_is_for_and_its_limit(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    (item,) = walk.items.values()
    assert (item.element, item.path, item.role, item.organisation, item.person) == ("check_duplicate", ("notify_case",), "qc_officer", "o", None)
    assert item.excluded == "r"  # who does not receive their own call
    do(walk, "check_duplicate", RECEIPT)
    assert open_steps(walk) == ["fill_card", "hold_discussion"]
    card = next(item for item in walk.items.values() if item.element == "fill_card")
    assert card.clock is not None
    assert (card.clock.key, card.clock.due_at) == ("case_report", EVENT + timedelta(days=2))
    assert (walk.facts["state"], walk.facts["opened_at"] is not None) == ("opened", True)
    assert [(found.key, found.due_at) for found in walk.clocks if found.element is None] == [("county_review", EVENT + timedelta(days=14))]
    assert [request.service for request in walk.requests] == ["receive_notice", "open_case", "tell"]


def test_a_timer_fires_at_its_instant_and_what_it_brings_is_offered_then(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    do(walk, "check_duplicate", RECEIPT)
    assert walk.next_timer is None
    do(walk, "fill_card", {})
    due = walk.next_timer
    assert due == EVENT + timedelta(days=2)
    walk.advance(due - timedelta(seconds=1))
    assert "chase_report" not in open_steps(walk)
    walk.advance(due + timedelta(days=5))
    chase = next(item for item in walk.items.values() if item.element == "chase_report")
    assert chase.at == due
    assert walk.walked[-1].element == "report_overdue"


def test_a_finished_step_is_not_open_any_more_and_a_late_one_is_told(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    item = next(iter(walk.items.values()))
    walk.complete(item, RECEIPT, "p", BEGIN + timedelta(hours=1))
    with pytest.raises(NotOpen):
        walk.complete(item, RECEIPT, "p", BEGIN + timedelta(hours=2))
    do(walk, "fill_card", {}, after=72)
    card = next(item for item in walk.history if item.element == "fill_card")
    assert card.clock is not None
    assert card.clock.is_late(walk.now)
    assert card.clock.met_at == card.done_at


def test_a_message_is_delivered_only_where_somebody_waits_for_it(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    with pytest.raises(NotWaiting):
        walk.send("reopened", walk.now)


def test_a_step_without_answers_leaves_nothing_behind(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    do(walk, "check_duplicate", None)  # no decision: the default way, the case is opened
    assert "fill_card" in open_steps(walk)


def test_a_case_without_a_party_cannot_offer_a_step_to_it(deployed: Deployed) -> None:
    walk = walk_of(deployed, facility=None, township=None)
    with pytest.raises(WorkflowFailed) as failed:
        do(walk, "check_duplicate", RECEIPT)
    assert failed.value.element in ("fill_card", "report_case")


def test_an_earlier_clock_moves_limits_and_timers(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    do(walk, "check_duplicate", RECEIPT)
    do(walk, "fill_card", {})
    earlier = EVENT - timedelta(hours=5)
    walk.move_clock(earlier, walk.now + timedelta(hours=1))
    report = next(item for item in walk.items.values() if item.element == "report_case")
    assert report.clock is not None
    assert report.clock.due_at == earlier + timedelta(days=2)
    assert walk.next_timer == earlier + timedelta(days=2)


def test_ending_from_outside_ends_everything(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    do(walk, "check_duplicate", RECEIPT)
    walk.end("merged", walk.now + timedelta(hours=1))
    assert walk.is_over
    assert not walk.items
    assert all(found.met_at is not None or found.withdrawn_at is not None for found in walk.clocks)


def test_steps_of_two_courses_are_never_taken_for_each_other(deployed: Deployed) -> None:
    walk = walk_of(deployed)
    do(walk, "check_duplicate", RECEIPT)
    walk.end("closed", walk.now + timedelta(hours=1))
    walk.reopen(walk.now + timedelta(hours=1))
    walk.start({"hop": "facility", "kind": "maternal_death", "reopened": False, "notice_at": None, "reporter": "r"}, walk.now)
    do(walk, "check_duplicate", RECEIPT)
    keys = [item.task_id for item in walk.history]
    assert len(keys) > 4
    assert len(set(keys)) == len(keys)


# ── walks that need not be walked again ──

KEY = "maternal_death"
Change = tuple[str, str, str]


def other(*changes: Change) -> Specification:
    """Return the procedure with changes in its files, read anew."""
    files = dict(procedures.shipped_files(KEY))
    for path, before, after in changes:
        assert before.encode() in files[path]
        files[path] = files[path].replace(before.encode(), after.encode())
    return workflow.read(files, KEY)


def as_far_as_the_report(deployed: Deployed) -> Walk:
    walk = walk_of(deployed)
    do(walk, "check_duplicate", RECEIPT)
    do(walk, "fill_card", {})
    do(walk, "report_case", {})
    return walk


ELSEWHERE: dict[str, Change] = {
    "a condition in a part not begun": ("shared/upper_level.bpmn", "profile.city_review_required = true or upper_review = true", "true"),
    "the limit of a step not met": ("maternal_death.bpmn", 'limit="national_export"', 'limit="facility_discussion"'),
    "a role in a part not begun": ("shared/upper_level.bpmn", 'id="give_feedback"', 'id="give_feedback" ps:role="upper_reviewer"'),
}
ON_THE_WAY: dict[str, Change] = {
    "a condition": ("shared/report.bpmn", "need_report = true", "need_report = false"),
    "what a script sets": ("shared/report.bpmn", 'variable="need_report" expression="true"', 'variable="need_report" expression="false"'),
    "the limit of a step": ("shared/report.bpmn", 'limit="case_report"', 'limit="facility_discussion"'),
    "a timer beside a step": ("shared/report.bpmn", "report_overdue", "report_overdue_now"),
    "the process it begins with": ("maternal_death.bpmn", "reopened = true", "reopened = false"),
}


def test_the_same_diagrams_read_twice_are_walked_once(deployed: Deployed) -> None:
    walk, again = as_far_as_the_report(deployed), other()
    parts = unchanged(deployed.specification, again)
    assert parts == set(again.parts)
    assert {"notify_case", "report"} & walk.entered
    assert is_same(walk, again, parts)


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_change_that_a_walk_does_not_meet_leaves_it_as_it_is(deployed: Deployed, change: Change) -> None:
    would = other(change)
    for _ in range(20):  # whatever addresses its objects have
        assert is_same(as_far_as_the_report(deployed), would, unchanged(deployed.specification, would))


@pytest.mark.parametrize("change", ON_THE_WAY.values(), ids=ON_THE_WAY)
def test_a_change_that_a_walk_meets_has_it_walked_again(deployed: Deployed, change: Change) -> None:
    walk, would = as_far_as_the_report(deployed), other(change)
    for _ in range(50):  # whatever addresses its objects have
        assert not is_same(walk, would, unchanged(deployed.specification, would))


def test_another_variable_or_decision_table_may_be_read_anywhere(deployed: Deployed) -> None:
    was = deployed.specification
    name = next(iter(sorted(was.variables)))
    assert unchanged(was, replace(was, variables=was.variables - {name})) is None
    table = next(path for path in was.files if path.endswith(".dmn"))
    assert unchanged(was, replace(was, files={**was.files, table: was.files[table] + b"\n"})) is None
    assert unchanged(was, replace(was, files={**was.files, "forms/x.json": b"{}"})) == set(was.parts)
