"""Work items: whose they are, taken and given back, handed in once, never half; lists read rows and no workflow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine import cases, clock, incidents, procedures, projection, work_items, workflow
from engine.actor import Actor, of_person
from engine.errors import (
    CaseEnded,
    CaseOnHold,
    DraftOutdated,
    EngineError,
    FormInvalid,
    FourEyes,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotNow,
    StepFailed,
    WorkItemNotOpen,
    WorkItemTaken,
)
from engine.transaction import transaction
from engine.work_items import Filter
from models import (
    Case,
    Draft,
    HoldReason,
    Incident,
    JournalEntry,
    Message,
    Person,
    Record,
    Subject,
    WorkItem,
    WorkItemState,
)
from tests.engine import crashing
from tests.engine.conftest import At
from tests.worlds import World, counting, fingerprint
from web.bench import counted

VERIFY = "verify_report"  # for either of the two QC officers
FIRST, SECOND = "tangyining", "linshuhe"
OTHERS = ("qinhaitang", "fangjingshu", "lujianwei", "renguochang", "waidi", "xitong", "shenji", "yanhuaijin")


def refused(world: World, error: type[Exception], act: Callable[[], object]) -> Exception:
    """Carry out what is refused; nothing of it may stay."""
    before = fingerprint(world.session)
    with pytest.raises(error) as caught:
        act()
    world.session.rollback()
    assert fingerprint(world.session) == before
    return caught.value


def written(draft: Draft) -> dict[str, Any]:
    """Return what stands in a draft; an empty field is kept as one."""
    return {key: value for key, value in draft.answers.items() if value not in (None, [])}


def named(rows: list[work_items.Row]) -> set[str]:
    return {row.item.element for row in rows}


# ── claiming ──


def test_a_free_one_is_claimed_by_one_person_and_again_without_effect(at: At) -> None:
    world = at(VERIFY)
    item = work_items.claim(world.session, world.actor(FIRST), world.item(VERIFY).id)
    assert (item.state, item.person_id, item.claimed_at) == (WorkItemState.RESERVED, world.person(FIRST).id, clock.now())
    entries = len(world.rows(JournalEntry))
    assert work_items.claim(world.session, world.actor(FIRST), item.id).id == item.id
    assert len(world.rows(JournalEntry)) == entries
    world.session.commit()
    error = refused(world, WorkItemTaken, lambda: work_items.claim(world.session, world.actor(SECOND), item.id))
    assert isinstance(error, EngineError)
    assert error.fields == {"name": "汤以宁"}


@pytest.mark.parametrize("username", OTHERS)
def test_to_everybody_else_it_is_not_there(at: At, username: str) -> None:
    world = at(VERIFY)
    item_id, actor = world.item(VERIFY).id, world.actor(username)
    answers = world.answers(world.item(VERIFY), FIRST)
    acts: list[Callable[[], object]] = [
        lambda: work_items.show(world.session, actor, item_id),
        lambda: work_items.claim(world.session, actor, item_id),
        lambda: work_items.release(world.session, actor, item_id),
        lambda: work_items.delegate(world.session, actor, item_id, world.person(SECOND).id),
        lambda: work_items.save_draft(world.session, actor, item_id, {"remark": "x"}),
        lambda: work_items.hand_in(world.session, actor, item_id, answers, key="k"),
    ]
    for act in acts:
        refused(world, NotFound, act)


def test_one_that_is_not_there_is_not_found(at: At) -> None:
    world = at(VERIFY)
    refused(world, NotFound, lambda: work_items.claim(world.session, world.actor(FIRST), uuid4()))
    refused(world, NotFound, lambda: work_items.hand_in(world.session, world.actor(FIRST), uuid4(), {}, key="k"))


def test_it_is_given_back_and_what_was_written_stays(at: At) -> None:
    world = at(VERIFY)
    item_id, actor = world.item(VERIFY).id, world.actor(FIRST)
    work_items.claim(world.session, actor, item_id)
    work_items.save_draft(world.session, actor, item_id, {"remark": "写到一半"})
    item = work_items.release(world.session, actor, item_id)
    assert (item.state, item.person_id, item.claimed_at) == (WorkItemState.READY, None, None)
    assert work_items.show(world.session, actor, item_id).answers["remark"] == "写到一半"
    assert "remark" not in work_items.show(world.session, world.actor(SECOND), item_id).answers
    work_items.claim(world.session, world.actor(SECOND), item_id)


def test_nobody_gives_back_what_a_colleague_holds(at: At) -> None:
    world = at(VERIFY)
    item_id = world.item(VERIFY).id
    refused(world, NotAllowed, lambda: work_items.release(world.session, world.actor(FIRST), item_id))  # free as it is
    work_items.claim(world.session, world.actor(FIRST), item_id)
    world.session.commit()
    refused(world, WorkItemTaken, lambda: work_items.release(world.session, world.actor(SECOND), item_id))
    refused(world, WorkItemTaken, lambda: world.hand_in(VERIFY, SECOND))


def test_it_is_passed_on_with_its_draft_and_the_colleague_is_told(at: At) -> None:
    world = at(VERIFY)
    item_id, actor = world.item(VERIFY).id, world.actor(FIRST)
    work_items.save_draft(world.session, actor, item_id, {"remark": "移交前写的"})
    item = work_items.delegate(world.session, actor, item_id, world.person(SECOND).id)
    assert (item.state, item.person_id) == (WorkItemState.RESERVED, world.person(SECOND).id)
    assert work_items.show(world.session, world.actor(SECOND), item_id).answers["remark"] == "移交前写的"
    assert [row.person_id for row in world.rows(Message, Message.kind == "passed_on")] == [item.person_id]
    for to in ("gaohuairen", "waidi", FIRST):
        with pytest.raises((InvalidInput, WorkItemTaken)):
            work_items.delegate(world.session, world.actor(SECOND if to != FIRST else FIRST), item_id, world.person(to).id)


def test_a_task_given_to_one_person_stays_with_them(at: At) -> None:
    world = at("give_opinion")
    item = world.item("give_opinion", of="lujianwei")
    actor = world.actor("lujianwei")
    refused(world, NotAllowed, lambda: work_items.release(world.session, actor, item.id))
    refused(world, NotAllowed, lambda: work_items.delegate(world.session, actor, item.id, world.person("morushi").id))
    refused(world, NotFound, lambda: work_items.show(world.session, world.actor("morushi"), item.id))


def test_who_did_the_step_before_may_not_check_it(at: At) -> None:
    """The redaction officer is a QC officer too: of their own redaction they are neither offered nor given the check."""
    from engine import people
    from models import Role

    world = at("redact")
    people.appoint(world.session, None, world.person("qitinglan"), Role.QC_OFFICER, world.place("LZ-FY"))
    world.hand_in("redact", "qitinglan")
    check = world.item("check_redaction")
    assert check.excluded_id == world.person("qitinglan").id
    actor = world.actor("qitinglan")
    assert "check_redaction" not in named(work_items.queue(world.session, actor, Filter(view="all"))[0])
    world.session.commit()
    refused(world, FourEyes, lambda: work_items.claim(world.session, actor, check.id))
    refused(world, FourEyes, lambda: world.hand_in("check_redaction", "qitinglan"))
    assert ("祁听澜") not in [name for _, name in work_items.colleagues(world.session, world.actor(FIRST), check)]
    world.hand_in("check_redaction", SECOND)


# ── handing in ──


def test_a_task_handed_in_is_a_record_an_entry_and_the_next_steps(at: At) -> None:
    world = at(VERIFY)
    item, revision = world.item(VERIFY), world.case.revision
    done = world.hand_in(VERIFY, FIRST, key="the-key")
    world.session.flush()
    assert done.is_new
    assert done.record is not None
    assert (done.record.work_item_id, done.record.submitted_by_id, done.record.version) == (item.id, world.person(FIRST).id, 1)
    found = world.session.get_one(WorkItem, item.id, populate_existing=True)
    assert (found.state, found.completed_by_id, found.completed_at, found.command_key) == (
        WorkItemState.COMPLETED,
        world.person(FIRST).id,
        clock.now(),
        "the-key",
    )
    assert world.case.revision == revision + 1
    entry = world.rows(JournalEntry, JournalEntry.object_id == item.id, JournalEntry.action == "work-item:hand-in")[0]
    assert (entry.sequence, entry.detail["element"], entry.detail["version"]) == (revision + 1, VERIFY, 1)
    assert {opened.element for opened in done.opened} <= {row.element for row in world.rows(WorkItem, WorkItem.state != WorkItemState.COMPLETED)}


def test_the_same_key_twice_is_one_effect_and_the_same_answer(at: At) -> None:
    world = at(VERIFY)
    item = world.item(VERIFY)
    answers = world.answers(item, FIRST)
    first = work_items.hand_in(world.session, world.actor(FIRST), item.id, answers, key="once")
    world.session.commit()
    before = fingerprint(world.session)
    second = work_items.hand_in(world.session, world.actor(FIRST), item.id, answers, key="once")
    assert not second.is_new
    assert second.record is not None
    assert first.record is not None
    assert (second.item.id, second.record.id) == (item.id, first.record.id)
    world.session.flush()
    assert fingerprint(world.session) == before
    found = work_items.done_with(world.session, world.actor(FIRST), item.id, "once")
    assert found is not None
    assert found.item.id == item.id
    assert work_items.done_with(world.session, world.actor(SECOND), item.id, "once") is None
    assert work_items.done_with(world.session, world.actor(FIRST), item.id, "") is None


def test_another_key_or_another_person_is_told_that_it_is_done_and_by_whom(at: At) -> None:
    world = at(VERIFY)
    item = world.item(VERIFY)
    answers = world.answers(item, FIRST)
    work_items.hand_in(world.session, world.actor(FIRST), item.id, answers, key="once")
    world.session.commit()
    moment = clock.now()
    world.move(timedelta(minutes=3))
    for who, key in ((FIRST, "other"), (SECOND, "once"), (SECOND, "other")):
        error = refused(
            world, WorkItemNotOpen, lambda who=who, key=key: work_items.hand_in(world.session, world.actor(who), item.id, answers, key=key)
        )
        assert isinstance(error, WorkItemNotOpen)
        assert (error.fields["name"], error.fields["at"]) == ("汤以宁", moment)


def test_a_key_used_for_another_task_does_not_do_this_one(at: At) -> None:
    world = at("fill_card")
    world.hand_in("fill_card", "qinhaitang", key="the-key")
    world.session.commit()
    with pytest.raises(InvalidInput):
        world.hand_in("report_case", "qinhaitang", key="the-key")
    world.session.rollback()
    assert world.item("report_case").state in (WorkItemState.READY, WorkItemState.RESERVED)
    world.hand_in("report_case", "qinhaitang", key="its-own")


def test_answers_that_cannot_be_true_change_nothing_and_each_is_named(at: At) -> None:
    world = at(VERIFY)
    error = refused(world, FormInvalid, lambda: world.hand_in(VERIFY, FIRST, decision=None, cause_chain_ok="perhaps"))
    assert isinstance(error, FormInvalid)
    assert {finding.path for finding in error.findings} >= {("decision",), ("cause_chain_ok",)}


def test_what_the_form_does_not_ask_for_is_not_kept(at: At) -> None:
    world = at(VERIFY)
    done = world.hand_in(VERIFY, FIRST, unasked="x", subject_name="沈若蘅", return_list=[{"item": "藏起来的"}])
    assert done.record is not None
    assert not {"unasked", "subject_name", "return_list"} & set(done.record.answers)


def test_on_hold_and_after_the_end_nothing_is_handed_in(at: At) -> None:
    world = at(VERIFY)
    cases.hold(world.session, world.actor(FIRST), str(world.case.number), HoldReason.POLICE)
    world.session.commit()
    refused(world, CaseOnHold, lambda: world.hand_in(VERIFY, FIRST))
    work_items.save_draft(world.session, world.actor(FIRST), world.item(VERIFY).id, {"remark": "仍可写"})
    cases.resume(world.session, world.actor(FIRST), str(world.case.number))
    world.hand_in(VERIFY, FIRST)


def test_a_step_of_a_case_that_ended_is_over(at: At) -> None:
    world = at(VERIFY)
    left = (
        world.item("hold_discussion")
        if world.rows(WorkItem, WorkItem.element == "hold_discussion", WorkItem.state == "ready")
        else world.item(VERIFY)
    )
    answers, item_id = world.answers(world.item(VERIFY), FIRST), world.item(VERIFY).id
    world.hand_in(VERIFY, FIRST, decision="out_of_scope", scope_reason="与妊娠无关，属意外。")
    world.session.commit()
    with pytest.raises((WorkItemNotOpen, CaseEnded, NotFound)):
        work_items.hand_in(world.session, world.actor(FIRST), item_id, answers, key="late")
    with pytest.raises((WorkItemNotOpen, NotFound)):
        work_items.claim(world.session, world.actor("qinhaitang"), left.id)


def test_a_correction_is_a_new_version_and_says_what_it_replaces(at: At) -> None:
    world = at(VERIFY)
    card = world.rows(Record, Record.form == "report_card")[0]
    world.hand_in(
        VERIFY, FIRST, decision="return", return_forms=["report_card"], return_list=[{"form": "report_card", "item": "孕次", "what": "核对"}]
    )
    again = world.hand_in("fill_card", "qinhaitang", gravidity=3)
    world.session.flush()
    assert again.record is not None
    assert (again.record.version, again.record.replaces_id, again.record.is_current) == (2, card.id, True)
    assert not world.session.get_one(Record, card.id, populate_existing=True).is_current
    assert world.rows(Record, Record.id == card.id)[0].answers["gravidity"] == 2


# ── drafts ──


def test_a_draft_keeps_what_was_typed_and_its_name_apart(at: At) -> None:
    world = at("fill_card")
    item_id, actor = world.item("fill_card").id, world.actor("qinhaitang")
    draft = work_items.save_draft(world.session, actor, item_id, {"name": "沈若蘅", "age": "四十", "unasked": "x"})
    assert written(draft) == {"age": "四十"}
    kept = world.rows(Subject, Subject.draft_id == draft.id)[0]
    assert (kept.name, kept.details["name"]) == ("沈若蘅", "沈若蘅")
    shown = work_items.show(world.session, actor, item_id).answers
    assert (shown["name"], shown["age"], shown["summary"]) == ("沈若蘅", "四十", None)
    work_items.save_draft(world.session, actor, item_id, {"age": "41"})
    assert "沈若蘅" not in str([row.details for row in world.rows(Subject, Subject.draft_id == draft.id)])
    assert world.rows(Subject, Subject.draft_id == draft.id)[0].name is None


def test_a_draft_saved_elsewhere_is_not_overwritten(at: At) -> None:
    world = at("fill_card")
    item_id, actor = world.item("fill_card").id, world.actor("qinhaitang")
    first = work_items.save_draft(world.session, actor, item_id, {"summary": "甲"}).revision
    assert work_items.save_draft(world.session, actor, item_id, {"summary": "乙"}, revision=first).revision == first + 1
    world.session.commit()
    refused(world, DraftOutdated, lambda: work_items.save_draft(world.session, actor, item_id, {"summary": "丙"}, revision=first))
    assert work_items.show(world.session, actor, item_id).answers["summary"] == "乙"
    assert work_items.save_draft(world.session, actor, item_id, {"summary": "丁"}).revision == first + 2
    assert work_items.saved_at(world.session, actor, item_id) == clock.now()


def test_a_draft_is_gone_when_it_is_handed_in_and_those_of_others_stay(at: At) -> None:
    world = at(VERIFY)
    item_id = world.item(VERIFY).id
    for who in (FIRST, SECOND):
        work_items.save_draft(world.session, world.actor(who), item_id, {"remark": who})
    world.hand_in(VERIFY, FIRST)
    world.session.flush()
    assert [written(row) for row in world.rows(Draft)] == [{"remark": SECOND}]


# ── two at once ──


def both(world: World, *acts: Callable[[Session, Actor], object], whos: tuple[str, str] = (FIRST, SECOND)) -> list[object]:
    """Let two people act in transactions of their own at the same moment; return what came of each."""
    world.session.rollback()
    results: list[object] = [None, None]
    barrier = threading.Barrier(2)

    def run(place: int) -> None:
        barrier.wait()
        try:
            with transaction(world.sessions) as session:
                actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == whos[place])).one())
                results[place] = acts[place](session, actor)
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return results


@pytest.mark.parametrize("attempt", range(3))
def test_two_who_hand_in_the_same_task_one_wins_and_the_other_is_told_and_keeps_what_was_written(copy_at: At, attempt: int) -> None:
    world = copy_at(VERIFY)
    item_id = world.item(VERIFY).id
    answers = world.answers(world.item(VERIFY), FIRST)
    for who in (FIRST, SECOND):
        work_items.save_draft(world.session, world.actor(who), item_id, {"remark": f"{who} 写的"})
    world.session.commit()

    def hand_in(session: Session, actor: Actor) -> work_items.HandedIn:
        return work_items.hand_in(session, actor, item_id, answers, key=actor.name)

    results = both(world, hand_in, hand_in)
    won = next(place for place, result in enumerate(results) if isinstance(result, work_items.HandedIn))
    lost = results[1 - won]
    assert isinstance(lost, WorkItemNotOpen)
    assert lost.fields["name"] == ("汤以宁", "林书禾")[won]
    assert len(world.rows(Record, Record.work_item_id == item_id)) == 1
    assert len(world.rows(JournalEntry, JournalEntry.object_id == item_id, JournalEntry.action == "work-item:hand-in")) == 1
    assert [row.answers["remark"] for row in world.rows(Draft)] == [f"{(FIRST, SECOND)[1 - won]} 写的"]
    later = world.rows(WorkItem, WorkItem.state.in_([WorkItemState.READY, WorkItemState.RESERVED]))
    assert len({(row.element, row.path, row.person_id) for row in later}) == len(later)


def test_the_same_button_pressed_twice_at_once_is_one_effect(copy_at: At) -> None:
    world = copy_at(VERIFY)
    item_id, answers = world.item(VERIFY).id, world.answers(world.item(VERIFY), FIRST)

    def hand_in(session: Session, actor: Actor) -> work_items.HandedIn:
        return work_items.hand_in(session, actor, item_id, answers, key="pressed twice")

    results = both(world, hand_in, hand_in, whos=(FIRST, FIRST))
    assert sorted(result.is_new for result in results if isinstance(result, work_items.HandedIn)) == [False, True], results
    assert len(world.rows(Record, Record.work_item_id == item_id)) == 1


def test_two_who_claim_the_same_task_one_has_it(copy_at: At) -> None:
    world = copy_at(VERIFY)
    item_id = world.item(VERIFY).id
    results = both(world, *[lambda session, actor: work_items.claim(session, actor, item_id)] * 2)
    assert {type(result) for result in results} == {WorkItem, WorkItemTaken}


def test_two_tasks_of_one_case_at_once_are_both_done_one_after_the_other(copy_at: At) -> None:
    """The case is held for the length of a command: the second reads what the first has written."""
    world = copy_at("fill_card")
    world.move(timedelta(hours=30))
    steps = {"fill_card": "qinhaitang", "hold_discussion": "qinhaitang"}
    items = {element: (world.item(element).id, world.answers(world.item(element), who)) for element, who in steps.items()}
    revision = world.case.revision
    world.session.rollback()

    def hand_in(element: str) -> Callable[[Session, Actor], Any]:
        item_id, answers = items[element]
        return lambda session, actor: work_items.hand_in(session, actor, item_id, answers, key=element)

    results = both(world, *[hand_in(element) for element in steps], whos=("qinhaitang", "qinhaitang"))
    assert all(isinstance(result, work_items.HandedIn) and result.is_new for result in results), results
    assert world.case.revision == revision + 2
    sequence = [row.sequence for row in world.rows(JournalEntry, JournalEntry.case_id == world.case_id, JournalEntry.sequence > revision)]
    assert sorted(sequence) == [revision + 1, revision + 2]


def test_a_case_changed_behind_a_command_s_back_is_not_overwritten(copy_at: At) -> None:
    """The revision read is the revision compared: a writer that did not take the lock loses."""
    world = copy_at(VERIFY)
    world.session.rollback()
    with world.sessions() as slow:
        case = slow.get_one(Case, world.case_id)
        slow.commit()
        cases.next_sequence(case)
        with transaction(world.sessions) as session:
            cases.next_sequence(cases.lock(session, world.case_id))
        with pytest.raises(sa.orm.exc.StaleDataError):
            slow.commit()
    world.session.rollback()


# ── what fails ──


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise workflow.WorkflowFailed("a broken expression", VERIFY)

    monkeypatch.setattr(workflow, "complete", fail)


def test_a_failed_step_is_rolled_back_kept_as_a_draft_and_tried_again_by_an_administrator(copy_at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    world = copy_at(VERIFY)
    item_id, actor = world.item(VERIFY).id, world.actor(FIRST)
    answers = world.answers(world.item(VERIFY), FIRST, remark="这一句要留住")
    world.session.rollback()
    before = fingerprint(world.session)
    world.session.rollback()
    with monkeypatch.context() as patched:
        broken(patched)
        with pytest.raises(StepFailed) as caught, transaction(world.sessions) as session:
            work_items.hand_in(session, actor, item_id, answers, key="k")
        assert fingerprint(world.session) == before
        world.session.rollback()
        number = incidents.keep_hand_in(world.sessions, actor, item_id, answers, "k", caught.value)
        incident = world.rows(Incident)[0]
        assert (incident.number, incident.element, incident.error) == (number, VERIFY, "WorkflowFailed")
        assert incident.case_id == world.case_id
        world.session.rollback()
        with pytest.raises(StepFailed) as again, transaction(world.sessions) as session:
            incidents.retry(session, of_person(session, session.get_one(Person, world_person(session, "xitong"))), number)
        incidents.failed_again(world.sessions, number, again.value)
    assert [row.attempts for row in world.rows(Incident)] == [2]
    assert world.rows(Draft)[0].answers["remark"] == "这一句要留住"
    world.session.rollback()
    with transaction(world.sessions) as session:
        incidents.retry(session, of_person(session, session.get_one(Person, world_person(session, "xitong"))), number)
    record = world.rows(Record, Record.work_item_id == item_id)[0]
    assert (record.answers["remark"], record.submitted_by_id) == ("这一句要留住", actor.person_id)
    assert world.rows(Incident)[0].resolution == "retried"
    assert not world.rows(Draft)
    with pytest.raises(NotNow):
        incidents.retry(world.session, world.actor("xitong"), number)
    world.session.rollback()


def world_person(session: Session, username: str) -> UUID:
    return session.scalars(sa.select(Person.id).where(Person.username == username)).one()


def test_a_task_that_the_workflow_has_left_is_not_open(at: At) -> None:
    """A row that says open where the diagram has gone on: refused, nothing kept."""
    world = at(VERIFY)
    answers, done = world.answers(world.item(VERIFY), FIRST), world.rows(WorkItem, WorkItem.element == "fill_card")[0]
    item_id = world.item(VERIFY).id
    world.session.execute(sa.update(WorkItem).where(WorkItem.id == item_id).values(id=uuid4()))
    world.session.commit()
    assert done.state is WorkItemState.COMPLETED
    refused(world, WorkItemNotOpen, lambda: work_items.hand_in(world.session, world.actor(FIRST), world.item(VERIFY).id, answers, key="k"))


# ── how much it takes ──


def test_a_hand_in_takes_twelve_statements_and_one_commit(copy_at: At) -> None:
    """Every task of the measured procedure, as `pingshen bench engine` hands them in."""
    world = copy_at()
    crashing.deploy(world.sessions)
    crashing.begin(world.sessions, f"{crashing.NUMBERED}0000")
    world.session.rollback()
    actor = world.actor(FIRST)
    world.session.rollback()
    counts: list[dict[str, int]] = []
    while (item_id := crashing.upcoming(world.sessions)) is not None:
        with counted(world.engine) as found, transaction(world.sessions) as session:
            work_items.hand_in(session, actor, item_id, {"note": "done"}, key=uuid4().hex)
        counts.append(dict(found))
    assert len(counts) == crashing.TASKS
    assert max(found["statements"] for found in counts) <= 12 + (world.engine.dialect.name == "sqlite")  # BEGIN IMMEDIATE is one
    assert {found["commits"] for found in counts} == {1}


@pytest.mark.parametrize("view", work_items.VIEWS)
def test_lists_load_no_workflow_and_take_a_statement_for_the_rows_and_one_for_the_count(at: At, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    world = at("give_opinion")
    actors = [world.actor(who) for who in (FIRST, "lujianwei", "qinhaitang")]

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a list loads a workflow")

    from engine.workflow import storing

    monkeypatch.setattr(storing, "load", forbidden)
    monkeypatch.setattr(projection, "load", forbidden)
    monkeypatch.setattr(procedures, "deployed", forbidden)
    for actor in actors:
        with counting(world.engine) as seen:
            rows, count = work_items.queue(world.session, actor, Filter(view=view))
        assert len(rows) == count
        assert len(seen) <= 2
        with counting(world.engine) as seen:
            found = work_items.counts(world.session, actor)
        assert (found[view], len(seen)) == (count, 1)
        cases.find(world.session, actor, cases.Filter())
        work_items.steps(world.session, actor)
        work_items.units(world.session, actor)
        work_items.of_case(world.session, actor, world.case_id)
        work_items.history(world.session, world.case_id)


# ── the queue ──


def test_a_queue_holds_what_is_theirs_and_what_they_may_claim(at: At) -> None:
    world = at(VERIFY)
    first, second = world.actor(FIRST), world.actor(SECOND)
    assert VERIFY in named(work_items.queue(world.session, first, Filter(view="claimable"))[0])
    assert VERIFY not in named(work_items.queue(world.session, first, Filter(view="mine"))[0])
    work_items.claim(world.session, first, world.item(VERIFY).id)
    assert VERIFY in named(work_items.queue(world.session, first, Filter(view="mine"))[0])
    assert VERIFY not in named(work_items.queue(world.session, second, Filter(view="all"))[0])
    world.hand_in(VERIFY, FIRST)
    assert VERIFY not in named(work_items.queue(world.session, first, Filter(view="all"))[0])
    assert VERIFY in [item.element for item in work_items.history(world.session, world.case_id)]


def test_a_queue_is_narrowed_searched_and_paged(at: At) -> None:
    world = at(VERIFY)
    actor = world.actor(FIRST)
    every, count = work_items.queue(world.session, actor, Filter(view="all"))
    assert count >= 1

    def found(**narrowed: Any) -> set[str]:
        return named(work_items.queue(world.session, actor, Filter(view="all", **narrowed))[0])

    assert found(element=VERIFY) == {VERIFY}
    assert found(element="nothing") == set()
    assert VERIFY in found(words="沈若蘅")
    assert VERIFY in found(words=str(world.case.number))
    assert found(words="查无此人") == found(words="%") == found(words="\\") == set()
    assert VERIFY in found(organisation_id=world.place("LZ-FE").id)
    assert found(organisation_id=world.place("LZ-YY").id) == set()
    pages = [work_items.queue(world.session, actor, Filter(view="all", page=page, per_page=1))[0] for page in range(1, count + 2)]
    assert [row.item.id for page in pages for row in page] == [row.item.id for row in every]
    world.move(timedelta(days=60))
    assert VERIFY in named(work_items.queue(world.session, actor, Filter(view="overdue"))[0]) & found(due="overdue")
    assert VERIFY not in found(due="today")


def test_a_reviewer_s_list_names_the_packet_and_never_the_woman(at: At) -> None:
    world = at("give_opinion")
    rows, _ = work_items.queue(world.session, world.actor("lujianwei"), Filter(view="all"))
    assert rows
    for row in rows:
        assert (row.name, row.unit) == (None, None)
        assert row.packet is not None
    assert not work_items.queue(world.session, world.actor("lujianwei"), Filter(view="all", words="沈若蘅"))[0]


@pytest.mark.parametrize("attempt", range(3))
def test_two_who_open_and_hand_in_tasks_of_one_case_at_once_both_come_through(copy_at: At, attempt: int) -> None:
    """What the page does: opening writes to the journal, which refers to the case, before handing in locks the case."""
    world = copy_at("give_opinion")
    whos = ("lujianwei", "morushi")
    items = [world.item("give_opinion", of=who) for who in whos]
    given = [world.answers(item, who) for item, who in zip(items, whos, strict=True)]
    keys = [item.id for item in items]
    world.session.commit()

    def act(place: int) -> Callable[[Session, Actor], object]:
        def opened_and_handed_in(session: Session, actor: Actor) -> work_items.HandedIn:
            work_items.show(session, actor, keys[place], to_write=True)
            time.sleep(0.05)
            return work_items.hand_in(session, actor, keys[place], given[place], key=actor.name)

        return opened_and_handed_in

    results = both(world, act(0), act(1), whos=whos)
    assert [type(result) for result in results] == [work_items.HandedIn, work_items.HandedIn], results
