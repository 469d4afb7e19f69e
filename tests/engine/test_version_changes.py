"""Version changes: a running case goes on under another version, with everything that was written, claimed and due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine import procedures, version_changes, work_items
from engine.errors import CannotFollow, InvalidInput, NotFound, NotNow
from models import (
    Case,
    CaseState,
    Deadline,
    Draft,
    JournalEntry,
    ProcedureVersion,
    Role,
    Subscription,
    VersionChange,
    WorkflowScope,
    WorkItem,
    WorkItemState,
)
from tests.engine.conftest import At
from tests.redrawing import boundary_timer, end, flow, redrawn, renamed, replaced, step, without
from tests.worlds import World, fingerprint
from web.demo.player import play

FILES = procedures.shipped_files("maternal_death")
REVIEW, OPINION = "shared/review.bpmn", "shared/opinion.bpmn"


def deploy(world: World, files: dict[str, bytes]) -> ProcedureVersion:
    """Deploy a changed procedure, which must be fit."""
    version = procedures.deploy(world.session, None, files)
    world.session.commit()
    return version


def move(world: World, version: ProcedureVersion, **options: Any) -> version_changes.Result:
    """Move the world's case as the process administrator does."""
    found = version_changes.move(world.session, world.actor("liucheng"), world.case_id, version, reason="新规定自本月起施行", **options)
    world.session.commit()
    return found


def three_of_five(at: At) -> World:
    """A case of which three of five opinions are in, one more begun."""
    world = at("give_opinion")
    world.play(until="give_opinion")
    for _ in play(world.stage, [world.player()]):
        if len(world.rows(WorkItem, WorkItem.element == "give_opinion", WorkItem.state == WorkItemState.COMPLETED)) == 3:
            break
    world.session.expire_all()
    return world


def after_opinions(files: dict[str, bytes]) -> dict[str, bytes]:
    """A step is added between the opinions and the meeting."""
    return redrawn(files, REVIEW, lambda root: step(root, "discuss_in_house", "flow_collect_opinions_meeting_due", lane="secretary"))


def test_a_case_with_three_of_five_opinions_in_goes_on_under_a_version_with_a_step_after_them(at: At) -> None:
    world = three_of_five(at)
    open_items = world.rows(WorkItem, WorkItem.state.in_(("ready", "reserved")))
    version = deploy(world, after_opinions(FILES))
    before = {item.id: (item.person_id, item.state, item.variables) for item in open_items}
    clocks = {row.id: (row.due_at, row.next_at, row.warned) for row in world.clocks()}

    result = move(world, version)

    assert result.is_new and result.plan.can_follow
    assert world.case.procedure_version_id == version.id
    assert {item.id: (item.person_id, item.state, item.variables) for item in world.rows(WorkItem, WorkItem.id.in_(before))} == before
    assert {row.id: (row.due_at, row.next_at, row.warned) for row in world.clocks()} == clocks
    world.play(until="discuss_in_house")
    world.play()
    assert world.case.state is CaseState.CLOSED
    opinions = world.rows(WorkItem, WorkItem.element == "give_opinion", WorkItem.state == WorkItemState.COMPLETED)
    assert len(opinions) == 5


def before_opinions(files: dict[str, bytes]) -> dict[str, bytes]:
    """A step is added ahead of the opinions: the case has passed it."""
    return redrawn(files, REVIEW, lambda root: step(root, "brief_panel", "flow_release_opinions_due", lane="secretary"))


def in_opinion(files: dict[str, bytes]) -> dict[str, bytes]:
    """Each member has one step more after the opinion."""
    task = {"person": "member", "form": "resitting"}
    return redrawn(files, OPINION, lambda root: step(root, "confirm_opinion", "flow_give_opinion_note_given", lane="committee_member", task=task))


def test_drafts_claims_and_clocks_of_others_stay_and_the_move_can_be_taken_back_byte_for_byte(at: At) -> None:
    world = three_of_five(at)
    item = world.item("give_opinion")
    who = next(name for name, person in world.stage.people.items() if person.id == item.person_id)
    work_items.save_draft(world.session, world.actor(who), item.id, {"opinion": "尚未写完"})
    world.session.commit()
    version = deploy(world, in_opinion(before_opinions(after_opinions(FILES))))
    before = fingerprint(world.session)

    change = move(world, version).change
    assert change is not None
    moved = fingerprint(world.session)
    assert moved["drafts"] == before["drafts"]
    assert moved["deadlines"] == before["deadlines"]
    assert moved["workflow_scopes"] != before["workflow_scopes"] or moved["cases"] != before["cases"]

    version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.commit()
    back = fingerprint(world.session)
    changed = {table for table in before if back[table] != before[table]}
    assert changed <= {"cases", "journal_entries", "journal_heads", "version_changes", "version_change_scopes"}
    assert world.case.procedure_version_id == change.from_version_id
    with pytest.raises(NotNow):
        version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.rollback()

    move(world, version)
    world.play(until="confirm_opinion")
    world.play()
    assert world.case.state is CaseState.CLOSED
    confirmed = world.rows(WorkItem, WorkItem.element == "confirm_opinion", WorkItem.state == WorkItemState.COMPLETED)
    assert len(confirmed) == 2, "only who had not handed in confirms"
    assert not world.rows(WorkItem, WorkItem.element == "brief_panel")


def test_the_same_move_twice_is_one_and_a_dry_run_leaves_nothing(at: At) -> None:
    world = at("verify_report")
    version = deploy(world, after_opinions(FILES))
    before = fingerprint(world.session)
    dry = version_changes.move(world.session, world.actor("liucheng"), world.case_id, version, dry_run=True)
    world.session.commit()
    assert dry.plan.can_follow and dry.change is None
    assert fingerprint(world.session) == before
    assert move(world, version).is_new
    once = fingerprint(world.session)
    assert not move(world, version).is_new
    assert fingerprint(world.session) == once


def test_a_renamed_current_step_follows_its_mapping_and_without_it_the_case_stays(at: At) -> None:
    world = at("verify_report")
    version = deploy(world, renamed(FILES, "verify_report", "check_report"))
    before = fingerprint(world.session)
    with pytest.raises(CannotFollow) as refused:
        move(world, version)
    world.session.rollback()
    assert [(note.code, note.element) for note in refused.value.plan.obstacles] == [("step_missing", "verify_report")]
    assert fingerprint(world.session) == before

    item = world.item("verify_report")
    claimed = work_items.claim(world.session, world.actor("tangyining"), item.id)
    world.session.commit()
    move(world, version, mapping={"verify_report": "check_report"})
    moved = world.item("check_report")
    assert (moved.id, moved.person_id, moved.state) == (item.id, claimed.person_id, WorkItemState.RESERVED)
    work_items.hand_in(world.session, world.actor("tangyining"), moved.id, world.answers(moved, "tangyining"), key="k")
    world.session.commit()
    assert world.item("visit_scene")


def test_a_current_step_that_is_gone_keeps_the_case_where_it_is(at: At) -> None:
    world = at("visit_scene")
    version = deploy(world, redrawn(FILES, "shared/investigate.bpmn", lambda root: without(root, "visit_scene")))
    with pytest.raises(CannotFollow) as refused:
        move(world, version)
    assert {note.code for note in refused.value.plan.obstacles} == {"step_missing"}


def test_a_finished_step_that_is_gone_stays_in_the_history_and_hinders_nothing(at: At) -> None:
    world = at("draft_conclusion")
    files = redrawn(FILES, "maternal_death.bpmn", lambda root: without(root, "hold_discussion"))
    files = redrawn(files, "shared/investigate.bpmn", lambda root: without(root, "report_investigation"))
    version = deploy(world, files)
    done = world.rows(WorkItem, WorkItem.element == "hold_discussion", WorkItem.state == WorkItemState.COMPLETED)[0]
    move(world, version)
    who = next(name for name, person in world.stage.people.items() if person.id == done.completed_by_id)
    opened = work_items.show(world.session, world.actor(who), done.id)
    assert (opened.element.id, bool(opened.answers)) == ("hold_discussion", True)
    world.session.commit()
    world.play()
    assert world.case.state is CaseState.CLOSED


def test_a_new_boundary_timer_on_a_running_step_begins_to_wait_and_one_that_is_gone_waits_no_more(at: At) -> None:
    world = at("verify_report")

    def remind(root: Any) -> None:
        end(root, "reminded", "verify_report")
        boundary_timer(root, "remind_officer", "verify_report", "reminded", 'now() + duration("PT72H")')

    with_timer = deploy(world, redrawn(FILES, "shared/report.bpmn", remind))
    clocks = {row.id: (row.due_at, row.next_at) for row in world.clocks()}
    move(world, with_timer)
    timer = world.clocks("remind_officer")[0]
    assert timer.due_at == world.case.changed_at + timedelta(hours=72)
    assert {row.id: (row.due_at, row.next_at) for row in world.clocks() if row.id != timer.id} == clocks
    world.move(timedelta(hours=73))
    world.stage.fire()
    assert not world.clocks("remind_officer") and world.item("verify_report")

    back = world.rows(ProcedureVersion, ProcedureVersion.number == 1)[0]
    move(world, back)
    world.play(until="visit_scene")


def test_a_waiting_timer_keeps_its_instant_although_the_new_version_says_another(at: At) -> None:
    world = at("reply_facts")
    timer = world.clocks("no_reply")[0]
    files = replaced(FILES, REVIEW, ('due("fact_reply", now())', 'now() + duration("P90D")'))
    change = move(world, deploy(world, files)).change
    assert change is not None
    assert [(row.id, row.due_at) for row in world.clocks("no_reply")] == [(timer.id, timer.due_at)]
    world.move(timer.due_at + timedelta(minutes=1))
    world.stage.fire()
    world.play(until="sign_conclusion")
    with pytest.raises(NotNow):
        version_changes.undo(world.session, world.actor("liucheng"), change.id)


def test_a_timer_that_is_due_fires_before_the_move_under_the_version_it_was_set_by(at: At) -> None:
    world = at("reply_facts")
    world.move(world.clocks("no_reply")[0].due_at + timedelta(minutes=1))
    version = deploy(world, redrawn(FILES, REVIEW, lambda root: step(root, "thank", "flow_no_reply_facts_settled", lane="secretary")))
    move(world, version)
    assert world.item("sign_conclusion")
    assert not world.rows(WorkItem, WorkItem.element == "thank")


def test_the_limit_of_a_running_step_changes_only_when_asked(at: At) -> None:
    world = at("verify_report")
    files = replaced(FILES, "shared/report.bpmn", ('limit="verification"', 'limit="case_report"'))
    version = deploy(world, files)
    item = world.item("verify_report")
    before = world.rows(Deadline, Deadline.task_id == item.id)[0]
    due = before.due_at
    change = move(world, version).change
    assert change is not None
    assert world.rows(Deadline, Deadline.task_id == item.id)[0].due_at == due
    version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.commit()
    change = move(world, version, reckons=True).change
    assert change is not None
    after = world.rows(Deadline, Deadline.task_id == item.id)[0]
    assert (after.key, after.start_at <= item.offered_at, after.due_at != due) == ("case_report", True, True)
    version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.commit()
    row = world.rows(Deadline, Deadline.task_id == item.id)[0]
    assert (row.key, row.due_at) == ("verification", due)


def test_the_plan_groups_cases_and_says_what_becomes_of_their_work(at: At) -> None:
    world = at("verify_report")
    work_items.claim(world.session, world.actor("tangyining"), world.item("verify_report").id)
    work_items.save_draft(world.session, world.actor("tangyining"), world.item("verify_report").id, {"cause_chain_note": "不清楚", "floating": True})
    world.session.commit()
    files = replaced(FILES, "forms/verification.json", ('"key": "floating"', '"key": "is_floating"'))
    files = replaced(files, "shared/report.bpmn", ('name="核实报告"', 'name="审核报告"'))
    version = deploy(world, files)
    before = fingerprint(world.session)
    groups = version_changes.plan(world.session, world.actor("liucheng"), version)
    assert fingerprint(world.session) == before
    assert [group.can_follow for group in groups] == [True]
    ((element, new_element, changes, count, held, drafts, homeless),) = [entry for entry in groups[0].items() if entry[0] == "verify_report"]
    assert (element, new_element, set(changes)) == ("verify_report", "verify_report", {"name", "fields"})
    assert (count, held, drafts, homeless) == (1, 1, 1, 1)
    assert world.person("tangyining").name not in repr(groups)


def test_a_new_parallel_way_that_the_case_can_not_take_any_more_is_refused(at: At) -> None:
    world = at("visit_scene")

    def more(root: Any) -> None:
        flow(root, "verified_work", "material_complete", "flow_more")
        step(root, "ask_police", "flow_more", lane="qc_officer")

    version = deploy(world, redrawn(FILES, "maternal_death.bpmn", more))
    groups = version_changes.plan(world.session, world.actor("liucheng"), version)
    assert [{note.code for note in group.obstacles} for group in groups] == [{"branch_missing"}]


def test_a_case_on_its_second_course_follows(at: At) -> None:
    world = at("close_case")
    world.play()
    from engine import cases

    reference = cases.reference(world.session, world.case)
    cases.reopen(world.session, world.actor("tangyining"), reference, "有新的事实")
    world.session.commit()
    first = {(row.scope, row.state) for row in world.rows(WorkflowScope, WorkflowScope.case_id == world.case_id, WorkflowScope.course == 1)}
    version = deploy(world, after_opinions(FILES))
    move(world, version)
    assert {(row.scope, row.state) for row in world.rows(WorkflowScope, WorkflowScope.case_id == world.case_id, WorkflowScope.course == 1)} == first
    world.play()
    assert world.case.state is CaseState.CLOSED
    assert world.rows(WorkItem, WorkItem.element == "discuss_in_house", WorkItem.state == WorkItemState.COMPLETED)


def test_nobody_moves_what_lies_outside_their_area_or_without_a_reason(at: At) -> None:
    world = at("verify_report")
    version = deploy(world, after_opinions(FILES))
    with pytest.raises(NotFound):
        version_changes.move(world.session, world.actor("tangyining"), world.case_id, version, reason="试试")
    with pytest.raises(InvalidInput):
        version_changes.move(world.session, world.actor("liucheng"), world.case_id, version, reason=" ")
    assert version_changes.plan(world.session, world.actor("tangyining"), version) == []


def test_a_move_is_in_the_journal_with_its_reason_and_names_nobody(at: At) -> None:
    world = at("verify_report")
    version = deploy(world, after_opinions(FILES))
    move(world, version)
    entry = world.rows(JournalEntry, JournalEntry.action == "case:change-version")[0]
    assert (entry.detail["left"], entry.detail["number"], entry.sequence) == (1, version.number, world.case.revision)
    change = world.rows(VersionChange)[0]
    assert change.reason == "新规定自本月起施行" and change.revision == world.case.revision
    assert world.session.scalar(sa.select(sa.func.count()).select_from(Draft)) == 0
    assert world.rows(Case)[0].procedure_version_id == version.id


def test_a_way_that_waits_at_a_join_is_not_sent_back_to_a_step_drawn_into_it(at: At) -> None:
    world = at("visit_scene")
    assert world.rows(WorkItem, WorkItem.element == "report_national", WorkItem.state == WorkItemState.COMPLETED)
    version = deploy(
        world,
        redrawn(FILES, "maternal_death.bpmn", lambda root: step(root, "file_export", "flow_report_national_material_complete", lane="qc_officer")),
    )
    result = move(world, version)
    assert ("passed_over", "file_export") in {(note.code, note.element) for note in result.plan.remarks}
    world.play(until="redact")
    assert not world.rows(WorkItem, WorkItem.element == "file_export")


def test_a_step_drawn_into_a_way_that_has_not_come_to_the_join_is_done(at: At) -> None:
    world = at("report_national")
    version = deploy(
        world,
        redrawn(FILES, "maternal_death.bpmn", lambda root: step(root, "file_export", "flow_report_national_material_complete", lane="qc_officer")),
    )
    move(world, version)
    world.play(until="redact")
    assert world.rows(WorkItem, WorkItem.element == "file_export", WorkItem.state == WorkItemState.COMPLETED)


def test_a_current_step_that_lies_in_another_diagram_now_is_said_to(at: At) -> None:
    world = at("visit_scene")
    files = redrawn(FILES, "shared/investigate.bpmn", lambda root: without(root, "visit_scene"))
    files = redrawn(files, REVIEW, lambda root: step(root, "visit_scene", "flow_prepare_arrange_sitting", lane="secretary"))
    groups = version_changes.plan(world.session, world.actor("liucheng"), deploy(world, files))
    assert {(note.code, note.element) for note in groups[0].obstacles} == {("step_elsewhere", "visit_scene")}


def test_what_lies_ahead_is_the_new_versions(at: At) -> None:
    world = at("draft_conclusion")
    files = replaced(FILES, REVIEW, ("case.has_facility or case.has_township", "false"))
    move(world, deploy(world, files))
    world.play(until="sign_conclusion")
    assert not world.rows(WorkItem, WorkItem.element == "reply_facts")


def test_a_message_that_is_called_otherwise_is_awaited_by_its_new_name(at: At) -> None:
    world = three_of_five(at)
    files = replaced(FILES, REVIEW, ('name="opinions_waived"', 'name="opinions_enough"'))
    change = move(world, deploy(world, files)).change
    assert change is not None
    assert "opinions_enough" in {row.message for row in world.rows(Subscription)}
    assert "opinions_waived" not in {row.message for row in world.rows(Subscription)}
    version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.commit()
    assert "opinions_waived" in {row.message for row in world.rows(Subscription)}
    world.play(until="open_discussion")


def test_another_role_gets_the_open_step_but_whoever_claimed_it_keeps_it(at: At) -> None:
    world = at("verify_report")
    role = ('form="verification"', """form="verification" role='"mch_head"'""")
    version = deploy(world, replaced(FILES, "shared/report.bpmn", role))
    change = move(world, version).change
    assert change is not None
    item = world.item("verify_report")
    assert (item.role, item.state, item.person_id) == (Role.MCH_HEAD, WorkItemState.READY, None)
    version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.commit()
    work_items.claim(world.session, world.actor("tangyining"), world.item("verify_report").id)
    world.session.commit()
    move(world, version)
    item = world.item("verify_report")
    assert (item.role, item.person_id) == (Role.MCH_HEAD, world.person("tangyining").id)
    work_items.hand_in(world.session, world.actor("tangyining"), item.id, world.answers(item, "tangyining"), key="k")


def test_what_somebody_claims_after_the_move_is_theirs_when_it_is_taken_back(at: At) -> None:
    world = at("verify_report")
    change = move(world, deploy(world, after_opinions(FILES))).change
    assert change is not None
    item = world.item("verify_report")
    work_items.claim(world.session, world.actor("tangyining"), item.id)
    work_items.save_draft(world.session, world.actor("tangyining"), item.id, {"cause_chain_note": "再看"})
    world.session.commit()
    version_changes.undo(world.session, world.actor("liucheng"), change.id)
    world.session.commit()
    item = world.item("verify_report")
    assert item.person_id == world.person("tangyining").id
    assert world.rows(Draft)[0].answers["cause_chain_note"] == "再看"
    work_items.hand_in(world.session, world.actor("tangyining"), item.id, world.answers(item, "tangyining"), key="k")


def test_each_step_of_the_way_can_be_moved_and_moved_back(at: At) -> None:
    """Wherever a case stands, it follows to a version with more steps and a further timer, back again, and comes to its end."""
    world = at("verify_report")
    files = in_opinion(before_opinions(after_opinions(FILES)))
    newer, older = deploy(world, files), world.rows(ProcedureVersion, ProcedureVersion.number == 1)[0]
    player, moves = world.player(), 0
    for _ in play(world.stage, [player]):
        world.session.expire_all()
        if world.case.ended_at is not None:
            break
        wanted = newer if world.case.procedure_version_id == older.id else older
        groups = version_changes.plan(world.session, world.actor("liucheng"), wanted)
        if groups[0].can_follow:
            move(world, wanted)
            moves += 1
        else:
            codes = {note.code for note in groups[0].obstacles}
            assert wanted is older and codes == {"step_missing"}, groups[0]
        player.forget()
    world.session.expire_all()
    assert world.case.state is CaseState.CLOSED
    assert moves > 20


def test_a_variable_that_only_a_passed_step_would_have_set_is_null_and_no_incident(at: At) -> None:
    """The case has passed the step that sets it in the new version; what asks for it goes on."""
    world = at("fill_card")

    def edit(text: str) -> str:
        text = text.replace('<ps:set variable="need_card"', '<ps:set variable="brand_new" expression="true" />\n<ps:set variable="need_card"', 1)
        return text.replace(">need_report = true<", ">brand_new = null and need_report = true<", 1)

    changed = {**FILES, "shared/report.bpmn": edit(FILES["shared/report.bpmn"].decode()).encode()}
    assert changed["shared/report.bpmn"].count(b"brand_new") == 2
    move(world, deploy(world, changed))
    world.play(until="report_case")
    assert world.item("report_case").state in (WorkItemState.READY, WorkItemState.RESERVED)
