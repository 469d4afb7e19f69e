"""Clocks: warned once per level, told up the ladder, late for ever, moved by the earliest notice, never stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from engine import cases, clock, deadlines, limits, organisations, people, profiles, work_items, worker
from engine.errors import ClockStartInFuture
from engine.limits import Limit
from models import (
    OPEN_STATES,
    CaseState,
    Deadline,
    DeadlineKind,
    HoldReason,
    JournalEntry,
    Message,
    Notice,
    Role,
    Warned,
    WorkItem,
    WorkItemState,
    new_id,
)
from tests.engine.conftest import At
from tests.worlds import World

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
CARD = "case_report"  # two days from the death: told to the head of the hospital and the MCH office, then to the administration


def fire(world: World) -> None:
    """Let the worker do what is due now."""
    worker.run(world.sessions)
    world.session.expire_all()


def told(world: World, limit: str) -> dict[str, list[str]]:
    """Return who was told what of a limit, by kind."""
    names = {person.id: person.username for person in people.find(world.session, per_page=200)[0]}
    found: dict[str, list[str]] = {}
    for message in world.rows(Message):
        if message.detail.get("limit") == limit:
            found.setdefault(message.kind.removeprefix("deadline_"), []).append(names[message.person_id])
    return {kind: sorted(who) for kind, who in found.items()}


def the(world: World, limit: str) -> Deadline:
    return world.rows(Deadline, Deadline.key == limit, Deadline.kind == DeadlineKind.LIMIT)[0]


def _open(world: World) -> list[WorkItem]:
    return world.rows(WorkItem, WorkItem.state.in_(OPEN_STATES))


def levels(clock_row: Deadline) -> Iterator[tuple[str, datetime]]:
    for name in ("amber", "red", "due", "escalate"):
        yield name, getattr(clock_row, f"{name}_at")


# ── told once per level ──


def test_each_level_is_told_once_to_the_people_at_work_and_then_up_the_ladder(at: At) -> None:
    world = at("fill_card")
    card = the(world, CARD)
    seen: list[dict[str, list[str]]] = []
    for _, instant in levels(card):
        world.move(instant + SECOND)
        fire(world)
        fire(world)
        seen.append(told(world, CARD))
    assert seen[0] == {"amber": ["qinhaitang"]}
    assert seen[1] == {"amber": ["qinhaitang"], "red": ["qinhaitang"]}
    assert seen[2] == {**seen[1], "overdue": ["linshuhe", "lushoucheng", "qinhaitang", "tangyining"]}
    assert seen[3] == {**seen[2], "escalated": ["gaohuairen", "linshuhe", "lushoucheng", "qinhaitang", "renguochang", "tangyining"]}
    assert (the(world, CARD).warned, the(world, CARD).next_at) == (Warned.ESCALATED, None)


def test_nothing_is_told_a_moment_too_early(at: At) -> None:
    world = at("fill_card")
    for _, instant in levels(the(world, CARD)):
        before = told(world, CARD)
        world.move(instant - timedelta(microseconds=1))
        fire(world)
        assert told(world, CARD) == before
        world.move(instant)
        fire(world)
        assert told(world, CARD) != before


def test_a_worker_that_was_away_for_days_tells_the_highest_level_only(at: At) -> None:
    world = at("fill_card")
    world.move(the(world, CARD).escalate_at + timedelta(days=9))
    fire(world)
    assert set(told(world, CARD)) == {"escalated"}
    assert the(world, CARD).warned is Warned.ESCALATED


def test_an_overdue_task_stays_open_and_is_journalled_with_the_rungs_that_were_told(at: At) -> None:
    world = at("fill_card")
    world.move(the(world, CARD).due_at + SECOND)
    fire(world)
    assert world.item("fill_card").state is WorkItemState.READY
    entry = world.rows(JournalEntry, JournalEntry.action == "deadline:overdue")[0]
    assert (entry.actor_id, entry.sequence) == (None, None)
    assert entry.detail == {"limit": CARD, "told": ["facility.unit_head", "owner.qc_officer"], "people": 4}
    world.hand_in("fill_card", "qinhaitang", late_reason="staffing")


def test_a_held_task_warns_its_holder_and_a_free_one_all_who_may_take_it(at: At) -> None:
    world = at("verify_report")
    limit = the(world, "verification")
    world.move(limit.amber_at)
    fire(world)
    assert told(world, "verification") == {"amber": ["linshuhe", "tangyining"]}
    work_items.claim(world.session, world.actor("linshuhe"), world.item("verify_report").id)
    world.session.commit()
    world.move(limit.red_at)
    fire(world)
    assert told(world, "verification")["red"] == ["linshuhe"]


def test_who_left_or_is_inactive_is_not_told(at: At) -> None:
    world = at("fill_card")
    people.change(world.session, world.actor("xitong"), world.person("tangyining"), is_active=False)
    world.session.commit()
    world.move(the(world, CARD).due_at + SECOND)
    fire(world)
    assert told(world, CARD)["overdue"] == ["linshuhe", "lushoucheng", "qinhaitang"]


def test_a_person_on_several_rungs_is_told_once(at: At) -> None:
    world = at("fill_card")
    people.appoint(world.session, None, world.person("qinhaitang"), Role.UNIT_HEAD, world.place("LZ-FE"))
    world.session.commit()
    world.move(the(world, CARD).due_at + SECOND)
    fire(world)
    assert told(world, CARD)["overdue"].count("qinhaitang") == 1


def test_a_limit_that_nobody_is_told_of_is_still_late(at: At) -> None:
    world = at("reply_facts")
    world.move(the(world, "fact_reply").due_at + SECOND)
    assert deadlines.is_late(the(world, "fact_reply"), clock.now())
    fire(world)
    assert told(world, "fact_reply")["overdue"] == ["qinhaitang"]  # whoever is at work; the ladder of this limit is empty


# ── late is late ──


def test_a_task_done_late_keeps_its_lateness_and_its_reason(at: At) -> None:
    world = at("report_case")
    card = the(world, CARD)
    world.move(card.due_at + HOUR)
    world.hand_in("report_case", "qinhaitang", late_reason="staffing")
    world.session.commit()
    met = the(world, CARD)
    found = next(row for row in world.rows(Deadline, Deadline.key == CARD) if row.task_id and row.met_at == clock.now())
    assert (found.late_reason, found.warned, found.next_at) == ("staffing", Warned.OVERDUE, None)
    world.move(timedelta(days=300))
    fire(world)
    assert deadlines.is_late(found, clock.now())
    assert deadlines.level(found, clock.now()) is Warned.OVERDUE
    assert met.due_at == card.due_at


def test_a_task_done_late_tells_the_ladder_even_if_the_worker_was_away(at: At) -> None:
    world = at("report_case")
    world.move(the(world, CARD).due_at + HOUR)
    world.hand_in("report_case", "qinhaitang", late_reason="staffing")
    assert "lushoucheng" in told(world, CARD)["overdue"]


def test_a_task_done_in_time_is_never_late_and_never_told_again(at: At) -> None:
    world = at("report_case")
    world.hand_in("report_case", "qinhaitang")
    world.session.commit()
    world.move(timedelta(days=300))
    met = world.rows(Deadline, Deadline.key == CARD)
    fire(world)
    assert not any(deadlines.is_late(row, clock.now()) for row in met)
    assert "overdue" not in told(world, CARD)


@pytest.mark.parametrize(
    ("moment", "late", "level"),
    [
        ("amber_at", False, Warned.AMBER),
        ("red_at", False, Warned.RED),
        ("due_at", False, Warned.RED),
        ("escalate_at", True, Warned.ESCALATED),
    ],
)
def test_the_instant_itself_is_in_time(begun: World, moment: str, late: bool, level: Warned) -> None:
    row = deadlines.row(new_id(), CARD, limits.until(datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)))
    instant = getattr(row, moment)
    assert (deadlines.is_late(row, instant), deadlines.level(row, instant)) == (late, level)
    row.met_at = instant
    assert (deadlines.is_late(row, instant + timedelta(days=99)), deadlines.level(row, instant + timedelta(days=99))) == (late, level)


# ── armed, met, extended, ended ──


def test_a_clock_is_armed_once_and_met_clocks_are_not_armed_again(at: At) -> None:
    world = at("fill_card")
    limit = Limit("county_review", 14, "d")
    known = the(world, "county_review")
    assert deadlines.arm(world.session, world.case, limit, clock_start=clock.now()).id == known.id
    deadlines.meet(world.session, world.case, ["county_review"])
    assert deadlines.arm(world.session, world.case, limit, clock_start=clock.now()).id == known.id
    assert the(world, "county_review").met_at == clock.now()


def test_a_clock_cannot_start_in_the_future(at: At) -> None:
    world = at("fill_card")
    with pytest.raises(ClockStartInFuture):
        deadlines.arm(world.session, world.case, Limit("packet", 5, "wd"), clock_start=clock.now() + timedelta(minutes=2))


def test_an_armed_clock_has_its_instants_and_may_be_met_as_it_starts(at: At) -> None:
    world = at("fill_card")
    armed = deadlines.arm(world.session, world.case, Limit("packet", 10, "h"), clock_start=clock.now())
    assert (armed.amber_at, armed.due_at, armed.next_at) == (clock.now() + 5 * HOUR, clock.now() + 10 * HOUR, armed.amber_at)
    met = deadlines.arm(world.session, world.case, Limit("feedback", 10, "h"), clock_start=clock.now(), met_at=clock.now())
    assert (met.met_at, met.next_at) == (clock.now(), None)


def test_an_extension_moves_the_end_and_what_was_told_stays_told(at: At) -> None:
    world = at("fill_card")
    card = the(world, CARD)
    world.move(card.red_at + SECOND)
    fire(world)
    deadlines.extend(world.session, world.item("fill_card").id, card.due_at + timedelta(days=2))
    world.session.commit()
    card = the(world, CARD)
    assert (card.warned, card.next_at) == (Warned.RED, card.due_at)
    fire(world)
    assert set(told(world, CARD)) == {"red"}


def test_a_clock_over_several_steps_is_met_when_the_diagram_says_so(at: At) -> None:
    world = at("open_discussion")
    assert the(world, "county_review").met_at is None
    world.play("draft_conclusion")
    assert the(world, "county_review").met_at is not None
    assert not deadlines.is_late(the(world, "county_review"), clock.now())


def test_the_clock_of_a_step_that_the_case_left_behind_is_withdrawn(at: At) -> None:
    world = at("reply_facts")
    timer = world.clocks("no_reply")[0]
    world.move(timer.due_at)
    fire(world)
    left = world.rows(Deadline, Deadline.key.in_(["fact_reply", "no_reply"]))
    assert all(row.next_at is None and (row.withdrawn_at or row.met_at) for row in left)
    assert [row.withdrawn_at is not None for row in left if row.key == "fact_reply"] == [True]


def test_a_case_that_ended_withdraws_every_clock(at: At) -> None:
    world = at("fill_card")
    deadlines.end(world.session, world.case)
    assert world.clocks() == []
    world.session.commit()
    world.move(timedelta(days=400))
    fire(world)
    assert told(world, CARD) == {}


def test_a_case_out_of_scope_leaves_no_clock_that_fires(at: At) -> None:
    world = at("verify_report")
    assert world.clocks() != []
    world.hand_in("verify_report", "tangyining", decision="out_of_scope", scope_reason="与妊娠及其处理无关，属意外。")
    assert world.case.state is CaseState.OUT_OF_SCOPE
    assert world.clocks() == []


def test_on_hold_clocks_go_on_and_are_told(at: At) -> None:
    world = at("fill_card")
    cases.hold(world.session, world.actor("tangyining"), str(world.case.number), HoldReason.AUTOPSY, "等尸检")
    world.session.commit()
    before = {row.id: row.due_at for row in world.clocks()}
    world.move(the(world, CARD).due_at + SECOND)
    fire(world)
    assert "lushoucheng" in told(world, CARD)["overdue"]
    assert {row.id: row.due_at for row in world.clocks()}.items() >= before.items()


# ── the earliest notice ──


def test_an_earlier_notice_moves_the_clocks_that_began_with_the_case(at: At) -> None:
    world = at("fill_card")
    start = world.case.clock_start_at
    others = {row.key: row.start_at for row in world.clocks() if row.start_at != start}
    moved = deadlines.move_start(world.session, world.case, start, start - 5 * HOUR)
    assert moved == 3
    assert {row.key: row.start_at for row in world.clocks() if row.key in others} == others
    assert the(world, CARD).due_at == start - 5 * HOUR + timedelta(days=2)
    assert the(world, CARD).next_at == the(world, CARD).amber_at


def test_a_clock_that_is_moved_does_not_tell_a_level_twice(at: At) -> None:
    world = at("fill_card")
    world.move(the(world, CARD).amber_at + SECOND)
    fire(world)
    deadlines.move_start(world.session, world.case, world.case.clock_start_at, world.case.clock_start_at - HOUR)
    world.session.commit()
    fire(world)
    assert set(told(world, CARD)) == {"amber"}
    assert the(world, CARD).next_at == the(world, CARD).red_at


def test_clocks_whose_limit_is_a_date_of_their_own_are_not_moved(at: At) -> None:
    world = at("give_opinion")
    dated = world.clocks("opinion")
    before = {row.id: (row.start_at, row.due_at) for row in dated}
    for row in dated:
        deadlines.move_start(world.session, world.case, row.start_at, row.start_at - HOUR)
    assert {row.id: (row.start_at, row.due_at) for row in world.clocks("opinion")} == before


def test_a_clock_that_no_profile_knows_is_not_moved_and_does_not_stop_the_others(at: At) -> None:
    """A step whose end the diagram gives itself has a clock under its own name."""
    world = at("fill_card")
    start = world.case.clock_start_at
    world.session.add(deadlines.row(world.case_id, "visit_scene", limits.until(start, start + timedelta(days=3)), task_id=new_id()))
    world.session.flush()
    assert deadlines.move_start(world.session, world.case, start, start - HOUR) == 3
    assert the(world, "visit_scene").start_at == start


# ── notices ──


def test_a_notice_in_time_is_met_by_its_call_and_tells_nobody(at: At) -> None:
    world = at("check_duplicate")
    row, notice = the(world, "notify_facility"), world.rows(Notice)[0]
    assert (row.start_at, row.met_at, row.warned) == (notice.event_at, notice.notified_at, Warned.NONE)
    assert told(world, "notify_facility") == {}


def test_a_late_notice_is_told_to_the_ladder_once_when_it_comes_in(at: At) -> None:
    world = at()
    case_id = world.play("check_duplicate", new=True, notice={"after": "P1DT6H", "answers": {"late_reason": "recognised_late"}})
    row = world.rows(Deadline, Deadline.case_id == case_id, Deadline.key == "notify_facility")[0]
    assert row.late_reason == "recognised_late"
    assert deadlines.is_late(row, clock.now())
    assert told(world, "notify_facility") == {"overdue": ["gaohuairen", "lushoucheng"]}
    world.move(timedelta(days=30))
    fire(world)
    assert told(world, "notify_facility") == {"overdue": ["gaohuairen", "lushoucheng"]}


# ── timers of the diagram ──


def test_a_timer_fires_once_when_it_is_due_and_opens_its_step(at: At) -> None:
    world = at("report_case")
    timer = world.clocks("report_overdue")[0]
    world.move(timer.due_at - SECOND)
    fire(world)
    assert "chase_report" not in {item.element for item in _open(world)}
    world.move(timer.due_at)
    fire(world)
    fire(world)
    assert [item.element for item in _open(world)].count("chase_report") == 1
    assert world.clocks("report_overdue") == []
    assert world.case.state is CaseState.OPENED


def test_a_timer_s_row_begins_no_later_than_it_ends() -> None:
    past, now = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC)
    row = deadlines.timer_row(new_id(), "report_overdue", new_id(), past, now)
    assert (row.start_at, row.due_at, row.next_at, row.kind) == (past, past, past, DeadlineKind.TIMER)


def test_limits_are_listed_in_the_order_in_which_they_began_without_timers(at: At) -> None:
    world = at("report_case")
    rows = deadlines.of_case(world.session, world.case_id)
    assert [row.start_at for row in rows] == sorted(row.start_at for row in rows)
    assert {row.kind for row in rows} == {DeadlineKind.LIMIT}
    assert {row.key for row in rows} >= {"notify_facility", "receive_notice", "case_report", "county_review"}


def test_closing_meets_the_limits_of_what_was_done_and_withdraws_the_rest(at: At) -> None:
    world = at("report_case")
    limit, timer = world.clocks(CARD)[0], world.clocks("report_overdue")[0]
    deadlines.close(world.session, [], [])
    deadlines.close(world.session, [limit.task_id, timer.task_id], [])
    world.session.expire_all()
    assert (limit.met_at, limit.withdrawn_at) == (clock.now(), None)
    assert (timer.met_at, timer.withdrawn_at) == (None, clock.now())


def test_the_ladder_of_every_shipped_limit_names_parties_and_roles_that_exist() -> None:
    parties = {"owner", "facility", "township", "reporting", "administration", "upper"}
    for content in profiles.shipped().values():
        for name, entry in content["limits"].items():
            for rung in (*entry["overdue"], *entry["escalated"]):
                party, _, role = rung.partition(".")
                assert party in parties, name
                assert role in {member.value for member in Role}, name


def test_a_clock_without_anybody_at_work_still_climbs_the_ladder(at: At) -> None:
    world = at("fill_card")
    post = next(entry for entry in people.get(world.session, "qinhaitang").appointments if entry.role is Role.FACILITY_REPORTER)
    people.dismiss(world.session, world.actor("anquan"), post.id)
    world.session.commit()
    assert organisations.people_with(world.session, world.place("LZ-FE").id, [Role.FACILITY_REPORTER], clock.today()) == []
    world.move(the(world, CARD).due_at + SECOND)
    fire(world)
    assert told(world, CARD)["overdue"] == ["linshuhe", "lushoucheng", "tangyining"]
