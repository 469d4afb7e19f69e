"""Steering: what is skipped counts as not given, what is sent back keeps its records and clocks, what is cancelled keeps everything."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from engine import cases, clock, procedures, steering
from engine.errors import CaseEnded, CaseOnHold, InvalidInput, NotFound, NotNow
from engine.steering import AlreadySigned, Protected, ValueMissing
from models import CaseState, Deadline, DeadlineKind, HoldReason, JournalEntry, Message, Packet, Record, WorkItem, WorkItemState
from tests.engine.conftest import At
from tests.worlds import World, fingerprint

HEAD, OFFICER = "gaohuairen", "tangyining"


def reference(world: World) -> str:
    return cases.reference(world.session, world.case)


def places(world: World) -> dict[str, steering.Earlier]:
    return {place.element.id: place for place in steering.earlier(world.session, world.case)}


def clocks_of(world: World, element: str) -> list[Deadline]:
    ids = [item.id for item in world.rows(WorkItem, WorkItem.element == element)]
    return world.rows(Deadline, Deadline.task_id.in_(ids), Deadline.kind == DeadlineKind.LIMIT)


def open_steps(world: World) -> set[str]:
    return {item.element for item in world.rows(WorkItem, WorkItem.state.in_((WorkItemState.READY, WorkItemState.RESERVED)))}


# ── skip ──


def test_a_skipped_step_is_closed_without_a_record_and_its_clock_is_not_met(at: At) -> None:
    world = at("visit_scene")
    item = world.item("visit_scene")
    held = world.rows(Record)
    steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {}, "现场已不存在")
    assert world.rows(WorkItem, WorkItem.id == item.id)[0].state is WorkItemState.EXITED
    assert len(world.rows(Record)) == len(held)
    assert all(clock_.met_at is None and clock_.withdrawn_at == clock.now() for clock_ in clocks_of(world, "visit_scene"))
    entry = world.rows(JournalEntry, JournalEntry.action == "case:skip")[0]
    assert (entry.detail["element"], entry.detail["reason"], entry.actor_id) == ("visit_scene", "现场已不存在", world.person(HEAD).id)
    assert {row.kind for row in world.rows(Message, Message.work_item_id == item.id, Message.kind == "skipped")} == {"skipped"}
    world.play()  # the case finishes without it
    assert world.case.state is CaseState.CLOSED


def test_what_the_diagram_decides_on_is_given_by_hand(at: At) -> None:
    world = at("verify_report")
    item = world.item("verify_report")
    before = fingerprint(world.session)
    with pytest.raises(ValueMissing):
        steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {"verdict": "", "onsite": "true"}, "x")
    with pytest.raises(ValueMissing):
        steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {"verdict": "no such code", "onsite": "true"}, "x")
    with pytest.raises(ValueMissing):  # neither a name of the case nor a function that looks at it
        steering.skip(
            world.session, world.actor(HEAD), reference(world), item.id, {"verdict": "accept", "need_card": "case.kind", "onsite": "true"}, "x"
        )
    world.session.rollback()
    assert fingerprint(world.session) == before
    wanted = {
        entry.variable: entry for entry in steering.wanted(procedures.deployed(world.session, world.case.procedure_version_id), "verify_report")
    }
    verdict = next(code for code, zh, _en in wanted["verdict"].options if zh == "通过" or code == "pass" or code == "accept")
    values = {"verdict": verdict, "need_card": "false", "need_report": "false", "onsite": "true"}
    steering.skip(world.session, world.actor(HEAD), reference(world), item.id, values, "核实人员都在外地")
    assert "annex_of_facility" in open_steps(world)
    assert world.rows(JournalEntry, JournalEntry.action == "case:skip")[0].detail["values"]["verdict"] == verdict


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("give_opinion", "committee"),
        ("sign_conclusion", "committee"),
        ("open_discussion", "committee"),
        ("check_redaction", "second_person"),
        ("redact", "signed"),
    ],
)
def test_what_the_committee_signs_and_a_second_person_checks_is_never_skipped(at: At, step: str, why: str) -> None:
    world = at(step)
    item = world.item(step)
    before = fingerprint(world.session)
    with pytest.raises(Protected) as refused:
        steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {"signature": "{}", "redacted_by": '"x"'}, "x")
    assert refused.value.why == steering.WHY_NOT[why]
    world.session.rollback()
    assert fingerprint(world.session) == before


@pytest.mark.parametrize("username", [OFFICER, "liucheng", "xitong", "renguochang", "qinhaitang", "waidi"])
def test_nobody_but_the_head_in_charge_steers(at: At, username: str) -> None:
    world = at("visit_scene")
    item = world.item("visit_scene")
    for act in (
        lambda actor: steering.skip(world.session, actor, reference(world), item.id, {}, "x"),
        lambda actor: steering.send_back(world.session, actor, reference(world), places(world)["hold_discussion"].task_id, "x"),
        lambda actor: steering.cancel(world.session, actor, reference(world), "mistaken", "x"),
    ):
        with pytest.raises(NotFound):
            act(world.actor(username))


def test_a_reason_is_needed_and_work_must_not_rest(at: At) -> None:
    world = at("visit_scene")
    item = world.item("visit_scene")
    with pytest.raises(InvalidInput):
        steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {}, "  ")
    cases.hold(world.session, world.actor(HEAD), reference(world), HoldReason.POLICE)
    with pytest.raises(CaseOnHold):
        steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {}, "x")
    with pytest.raises(NotNow):
        cases.resume(world.session, world.actor(HEAD), reference(world))
        done = world.rows(WorkItem, WorkItem.state == WorkItemState.COMPLETED)[0]
        steering.skip(world.session, world.actor(HEAD), reference(world), done.id, {}, "x")


# ── send back ──


def test_a_case_goes_back_to_a_step_and_keeps_what_was_handed_in(at: At) -> None:
    world = at("visit_scene")
    place = places(world)["report_and_verify"]
    records = {record.id for record in world.rows(Record)}
    first = {clock_.id: (clock_.met_at, clock_.due_at) for clock_ in clocks_of(world, "fill_card")}
    world.move(timedelta(days=1))
    steering.send_back(world.session, world.actor(HEAD), reference(world), place.task_id, "报告卡填的是另一个人")
    assert "fill_card" in open_steps(world)
    assert not {"visit_scene", "annex_of_facility", "annex_of_community"} & open_steps(world)
    assert records <= {record.id for record in world.rows(Record)}
    assert world.case.state is CaseState.OPENED
    clocks = clocks_of(world, "fill_card")
    assert {key: kept for clock_ in clocks if (key := clock_.id) in first for kept in [(clock_.met_at, clock_.due_at)]} == first
    fresh = [clock_ for clock_ in clocks if clock_.id not in first]
    assert fresh
    assert all(clock_.start_at == clock.now() and clock_.met_at is None and clock_.withdrawn_at is None for clock_ in fresh)
    assert "again" in {row.kind for row in world.rows(Message, Message.work_item_id == world.item("fill_card").id)}
    world.play()
    assert world.case.state is CaseState.CLOSED


def test_one_branch_goes_back_and_the_other_goes_on(at: At) -> None:
    world = at("visit_scene")
    place = places(world).get("hold_discussion")
    if place is None or place.why_not is not None:
        raise AssertionError(sorted(places(world)))
    others = open_steps(world)
    steering.send_back(world.session, world.actor(HEAD), reference(world), place.task_id, "讨论缺科室")
    assert open_steps(world) == others | {"hold_discussion"}
    world.play()
    assert world.case.state is CaseState.CLOSED
    done = world.rows(WorkItem, WorkItem.element == "hold_discussion", WorkItem.state == WorkItemState.COMPLETED)
    assert len(done) == 2


def test_a_case_goes_back_inside_a_part(at: At) -> None:
    world = at("check_redaction")
    place = places(world)["redact"]
    steering.send_back(world.session, world.actor(HEAD), reference(world), place.task_id, "遮盖不全")
    assert "redact" in open_steps(world)
    assert "check_redaction" not in open_steps(world)
    world.play()
    assert world.case.state is CaseState.CLOSED


def test_what_the_committee_did_is_not_taken_back_by_the_office(at: At) -> None:
    world = at("sign_as_chair")
    found = steering.earlier(world.session, world.case)
    assert {place.why_not for place in found} == {"committee"}
    before = fingerprint(world.session)
    for place in found:
        with pytest.raises(Protected):
            steering.send_back(world.session, world.actor(HEAD), reference(world), place.task_id, "x")
        world.session.rollback()
    assert fingerprint(world.session) == before


def test_services_that_must_not_be_done_twice_keep_a_case_from_going_back(at: At) -> None:
    world = at("visit_scene")
    place = places(world)["notify_case"]
    assert (place.why_not, place.twice) == ("done_since", ("note_receipt",))
    with pytest.raises(NotNow):
        steering.send_back(world.session, world.actor(HEAD), reference(world), world.item("visit_scene").id, "x")


# ── cancel ──


def test_a_cancelled_case_is_out_of_scope_and_keeps_everything(at: At) -> None:
    world = at("give_opinion")
    records = len(world.rows(Record))
    steering.cancel(world.session, world.actor(HEAD), reference(world), "mistaken", "同名的另一个人，本人健在")
    case = world.case
    assert (case.state, case.ended_at) == (CaseState.OUT_OF_SCOPE, clock.now())
    assert not open_steps(world)
    assert not world.clocks()
    assert len(world.rows(Record)) == records
    assert not world.rows(Packet, Packet.case_id == case.id, Packet.withdrawn_at.is_(None))
    assert world.rows(Message, Message.kind == "cancelled")
    assert world.rows(JournalEntry, JournalEntry.action == "case:cancel")[0].detail == {"ground": "mistaken", "reason": "同名的另一个人，本人健在"}
    with pytest.raises(CaseEnded):
        steering.cancel(world.session, world.actor(HEAD), reference(world), "mistaken", "x")


def test_a_case_without_a_number_gets_one_when_it_is_cancelled(at: At) -> None:
    world = at("check_duplicate")
    assert world.case.number is None
    steering.cancel(world.session, world.actor(HEAD), reference(world), "practice", "练习")
    assert world.case.number is not None


def test_a_signed_conclusion_is_not_cancelled(at: At) -> None:
    world = at("sign_as_chair")
    with pytest.raises(AlreadySigned):
        steering.cancel(world.session, world.actor(HEAD), reference(world), "mistaken", "x")
    with pytest.raises(InvalidInput):
        steering.cancel(world.session, world.actor(HEAD), reference(world), "because", "x")


# ── foresight ──


def test_what_would_happen_is_told_and_taken_back(at: At) -> None:
    world = at("visit_scene")
    place = places(world)["report_and_verify"]
    before = fingerprint(world.session)
    actor, name = world.actor(HEAD), reference(world)
    seen = steering.foresee(world.session, world.case_id, lambda: steering.send_back(world.session, actor, name, place.task_id, "x"))
    world.session.flush()
    assert fingerprint(world.session) == before
    assert {line.name for line in seen.opens} >= {item.name for item in world.rows(WorkItem, WorkItem.element == "fill_card")}
    assert {line.name for line in seen.closes} >= {world.item("visit_scene").name}
    assert (seen.before, seen.after) == (CaseState.INVESTIGATING, CaseState.OPENED) or seen.after is CaseState.OPENED
    assert seen.begun
    steering.send_back(world.session, actor, name, place.task_id, "x")
    assert "fill_card" in open_steps(world)


def test_foresight_raises_what_the_command_would(at: At) -> None:
    world = at("give_opinion")
    item = world.item("give_opinion")
    before = fingerprint(world.session)
    with pytest.raises(Protected):
        steering.foresee(world.session, world.case_id, lambda: steering.skip(world.session, world.actor(HEAD), reference(world), item.id, {}, "x"))
    assert fingerprint(world.session) == before


def test_sealed_holders_are_not_named(at: At) -> None:
    world = at("give_opinion")
    actor, name = world.actor(HEAD), reference(world)
    seen = steering.foresee(world.session, world.case_id, lambda: steering.cancel(world.session, actor, name, "mistaken", "x"))
    assert seen.closes
    assert {line.holder for line in seen.closes if line.role.value.startswith("committee")} == {None}
    assert world.session.scalar(sa.select(sa.func.count()).select_from(WorkItem).where(WorkItem.state == WorkItemState.EXITED)) is not None
