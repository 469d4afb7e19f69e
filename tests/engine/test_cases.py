"""Cases: held, resumed, reopened, merged, transferred, out of scope; who may, when, and what nobody sees."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine import cases, clock, work_items
from engine.actor import of_person
from engine.errors import CaseEnded, CaseOnHold, FormInvalid, InvalidInput, NotAllowed, NotFound, NotNow
from engine.transaction import transaction
from models import (
    OPEN_STATES,
    Case,
    CaseKind,
    CaseLink,
    CaseParty,
    CaseState,
    Deadline,
    HoldReason,
    JournalEntry,
    LinkKind,
    Notice,
    Person,
    Record,
    Subject,
    Subscription,
    WorkflowScope,
    WorkItem,
)
from tests.engine.conftest import At
from tests.worlds import World, fingerprint

OFFICER, ELSEWHERE = "tangyining", "waidi"
TOWNSHIP_NOTICE = {
    "by": "yushuqin",
    "after": "PT5H",
    "answers": {"hop": "township", "learned_later": True, "learned_dt": "@event+PT4H", "learned_reason": "家属电话告知社区"},
}


def number(world: World) -> str:
    return str(world.case.number)


def refused(world: World, error: type[Exception], act: Callable[[], object]) -> None:
    """Carry out what is refused; nothing of it may stay."""
    world.session.commit()
    before = fingerprint(world.session)
    with pytest.raises(error):
        act()
    world.session.rollback()
    assert fingerprint(world.session) == before


# ── hold and resume ──


def test_on_hold_a_case_says_why_and_since_when_and_goes_on_afterwards(at: At) -> None:
    world = at("verify_report")
    revision = world.case.revision
    case = cases.hold(world.session, world.actor(OFFICER), number(world), HoldReason.AUTOPSY, "等尸检")
    assert (case.held_at, case.hold_reason, case.state) == (clock.now(), HoldReason.AUTOPSY, CaseState.REPORTED)
    refused(world, CaseOnHold, lambda: cases.hold(world.session, world.actor(OFFICER), number(world), HoldReason.OTHER))
    refused(world, CaseOnHold, lambda: cases.send(world.session, world.actor(OFFICER), world.case, "reopened"))
    case = cases.resume(world.session, world.actor(OFFICER), number(world), "结果已到")
    assert (case.held_at, case.hold_reason, case.revision) == (None, None, revision + 2)
    world.session.flush()
    entries = [row.detail for row in world.rows(JournalEntry, JournalEntry.sequence > revision)]
    assert entries == [{"reason": "autopsy", "note": "等尸检"}, {"note": "结果已到"}]
    refused(world, NotNow, lambda: cases.resume(world.session, world.actor(OFFICER), number(world)))


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ("qinhaitang", NotAllowed),
        ("lushoucheng", NotAllowed),
        ("lujianwei", NotFound),
        ("renguochang", NotFound),
        (ELSEWHERE, NotFound),
        ("xitong", NotFound),
    ],
)
def test_only_the_office_in_charge_holds_merges_and_reopens(at: At, who: str, error: type[Exception]) -> None:
    world = at("verify_report")
    actor = world.actor(who)
    refused(world, error, lambda: cases.hold(world.session, actor, number(world), HoldReason.OTHER))
    refused(world, error, lambda: cases.resume(world.session, actor, number(world)))
    refused(world, error, lambda: cases.reopen(world.session, actor, number(world), "理由"))
    refused(world, error, lambda: cases.merge(world.session, actor, number(world), number(world), "理由"))


# ── reopen ──


def test_a_closed_case_reopened_begins_a_second_course_and_keeps_the_first(at: At) -> None:
    world = at("end")
    records = len(world.rows(Record))
    case = cases.reopen(world.session, world.actor(OFFICER), number(world), "上级评审发现新的事实")
    assert (case.course, case.is_reopened, case.ended_at) == (2, True, None)
    assert case.state is CaseState.VERIFIED
    assert [item.course for item in world.rows(WorkItem, WorkItem.state.in_(OPEN_STATES))] == [2]
    assert len(world.rows(Record)) == records
    assert {row.course for row in world.rows(WorkflowScope)} == {1, 2}
    entry = world.rows(JournalEntry, JournalEntry.action == "case:reopen")[0]
    assert entry.detail == {"reason": "上级评审发现新的事实"}


def test_a_case_reopened_on_the_way_is_sent_back_by_its_diagram(at: At) -> None:
    world = at("plan_rectification")
    case = cases.reopen(world.session, world.actor(OFFICER), number(world), "新事实", {**world.stage.defaults.answers["reopening"]})
    assert (case.course, case.is_reopened) == (1, True)
    assert world.rows(Record, Record.form == "reopening")
    assert "plan_rectification" not in {row.element for row in world.rows(WorkItem, WorkItem.state.in_(OPEN_STATES))}


def test_without_a_reason_a_form_or_a_conclusion_nothing_is_reopened(at: At) -> None:
    world = at("verify_report")
    actor = world.actor(OFFICER)
    refused(world, InvalidInput, lambda: cases.reopen(world.session, actor, number(world), "  "))
    refused(world, NotNow, lambda: cases.reopen(world.session, actor, number(world), "理由"))
    late = at("plan_rectification")
    refused(late, FormInvalid, lambda: cases.reopen(late.session, late.actor(OFFICER), number(late), "理由", {}))


# ── merge ──


def two(world: World, until: str = "fill_card") -> tuple[Case, Case]:
    """Return the case that was played and another one of the same woman, told later by her township."""
    other = world.play(until, new=True, notice=TOWNSHIP_NOTICE)
    return world.case, world.session.get_one(Case, other, populate_existing=True)


def test_a_merged_case_gives_its_notices_records_and_names_and_its_work_ends(at: At) -> None:
    world = at("fill_card")
    first, second = two(world)
    notices = {row.id for row in world.rows(Notice, Notice.case_id == second.id)}
    target = cases.merge(world.session, world.actor(OFFICER), str(second.number), str(first.number), "证件号码相同")
    world.session.commit()
    second = world.session.get_one(Case, second.id, populate_existing=True)
    assert (target.id, second.state, second.ended_at) == (first.id, CaseState.MERGED, clock.now())
    assert notices < {row.id for row in world.rows(Notice, Notice.case_id == first.id)}
    assert not world.rows(WorkItem, WorkItem.case_id == second.id, WorkItem.state.in_(OPEN_STATES))
    assert not world.rows(Deadline, Deadline.case_id == second.id, Deadline.next_at.is_not(None))
    assert not world.rows(Subscription, Subscription.case_id == second.id)
    assert {row.is_frozen for row in world.rows(WorkflowScope, WorkflowScope.case_id == second.id)} == {True}
    moved = world.rows(Record, Record.form == "notice")
    assert {row.case_id for row in moved} == {first.id}
    assert {row.case_id for row in world.rows(Subject, Subject.source_id.in_([row.id for row in moved]))} == {first.id}
    link = world.rows(CaseLink)[0]
    assert (link.case_id, link.other_id, link.kind, link.reason) == (second.id, first.id, LinkKind.MERGED_INTO, "证件号码相同")
    assert {row.detail.get("into") for row in world.rows(JournalEntry, JournalEntry.action == "case:merge")} == {str(first.id)}
    assert world.place("WS-TH-SQ").id in {row.organisation_id for row in world.rows(CaseParty, CaseParty.case_id == first.id)}
    refused(world, CaseEnded, lambda: cases.merge(world.session, world.actor(OFFICER), str(second.number), str(first.number), "再来"))
    world.hand_in("fill_card", "qinhaitang")


def test_the_earliest_clock_wins_whichever_way_they_are_merged(at: At) -> None:
    world = at("fill_card")
    first, second = two(world, "report_case")
    early = min(first.clock_start_at, second.clock_start_at)
    assert early == first.clock_start_at < second.clock_start_at
    cases.merge(world.session, world.actor(OFFICER), str(first.number), str(second.number), "后一个资料更全")
    world.session.commit()
    second = world.session.get_one(Case, second.id, populate_existing=True)
    assert second.clock_start_at == early
    card = world.rows(Deadline, Deadline.case_id == second.id, Deadline.key == "case_report", Deadline.met_at.is_(None))
    assert {row.start_at for row in card} == {early}
    timer = world.rows(Deadline, Deadline.case_id == second.id, Deadline.key == "report_overdue", Deadline.next_at.is_not(None))
    assert [row.due_at for row in timer] == [early + timedelta(days=2)]


def test_what_cannot_be_merged_is_refused_and_nothing_moves(at: At) -> None:
    world = at("fill_card")
    first, second = two(world)
    actor, one, other = world.actor(OFFICER), str(first.number), str(second.number)
    refused(world, InvalidInput, lambda: cases.merge(world.session, actor, one, one, "自己"))
    refused(world, InvalidInput, lambda: cases.merge(world.session, actor, one, other, " "))
    refused(world, NotFound, lambda: cases.merge(world.session, actor, one, "LZ99-MD-999", "理由"))
    world.session.execute(sa.update(Case).where(Case.id == second.id).values(kind=CaseKind.MATERNAL_NEAR_MISS))
    refused(world, InvalidInput, lambda: cases.merge(world.session, actor, one, other, "不同类别"))


def test_two_merges_of_two_cases_into_each_other_do_not_wait_for_ever(copy_at: At) -> None:
    """A into B and B into A at the same moment: one is done, the other is refused; neither waits for the other."""
    world = copy_at("fill_card")
    first, second = two(world)
    pairs = [(str(first.number), str(second.number)), (str(second.number), str(first.number))]
    keys = [first.id, second.id]
    world.session.rollback()
    results: list[object] = [None, None]
    barrier = threading.Barrier(2)

    def merge(place: int) -> None:
        barrier.wait()
        try:
            with transaction(world.sessions) as session:
                actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == OFFICER)).one())
                cases.merge(session, actor, *pairs[place], "同一例")
                results[place] = "merged"
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=merge, args=(place,)) for place in range(2)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert time.monotonic() - began < 20
    refusals = [result for result in results if result != "merged"]
    assert len(refusals) == 1
    assert isinstance(refusals[0], InvalidInput | CaseEnded), refusals
    assert sorted(case.state.value for case in world.rows(Case, Case.id.in_(keys))) == ["merged", "opened"]
    assert len(world.rows(CaseLink)) == 1
    left = next(case for case in world.rows(Case, Case.id.in_(keys)) if case.state is CaseState.OPENED)
    assert len(world.rows(Notice, Notice.case_id == left.id)) == 2


def test_two_cases_merged_while_their_tasks_are_handed_in_end_whole(copy_at: At) -> None:
    """A merge and a hand-in of the same case: whichever comes second finds what the first left."""
    world = copy_at("fill_card")
    first, second = two(world)
    item = world.rows(WorkItem, WorkItem.case_id == second.id, WorkItem.element == "fill_card")[0]
    answers, item_id = world.answers(item, "qinhaitang"), item.id
    one, other, key = str(second.number), str(first.number), second.id
    world.session.rollback()
    results: dict[str, object] = {}
    barrier = threading.Barrier(2)

    def run(name: str, who: str, act: Callable[[Session, UUID], object]) -> None:
        barrier.wait()
        try:
            with transaction(world.sessions) as session:
                results[name] = act(session, session.scalars(sa.select(Person.id).where(Person.username == who)).one())
        except Exception as error:
            results[name] = error

    def hand_in(session: Session, person: UUID) -> object:
        return work_items.hand_in(session, of_person(session, session.get_one(Person, person)), item_id, answers, key="k")

    def merge(session: Session, person: UUID) -> object:
        return cases.merge(session, of_person(session, session.get_one(Person, person)), one, other, "同一例")

    threads = [
        threading.Thread(target=run, args=("hand in", "qinhaitang", hand_in)),
        threading.Thread(target=run, args=("merge", OFFICER, merge)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert isinstance(results["merge"], Case), results
    merged = world.rows(Case, Case.id == key)[0]
    assert merged.state is CaseState.MERGED
    assert not world.rows(WorkItem, WorkItem.case_id == key, WorkItem.state.in_(OPEN_STATES))
    sequence = [row.sequence for row in world.rows(JournalEntry, JournalEntry.case_id == key, JournalEntry.sequence.is_not(None))]
    assert sorted(sequence) == list(range(2, merged.revision + 1))


# ── transferred, out of scope ──


def test_out_of_scope_ends_a_case_with_its_reason(at: At) -> None:
    world = at("verify_report")
    world.hand_in("verify_report", OFFICER, decision="out_of_scope", scope_reason="与妊娠及其处理无关，属意外。")
    case = world.case
    assert (case.state, case.ended_at) == (CaseState.OUT_OF_SCOPE, clock.now())
    assert not world.rows(WorkItem, WorkItem.state.in_(OPEN_STATES))
    refused(world, CaseEnded, lambda: cases.hold(world.session, world.actor(OFFICER), number(world), HoldReason.OTHER))
    refused(world, NotNow, lambda: cases.reopen(world.session, world.actor(OFFICER), number(world), "理由"))


def test_a_transferred_case_is_the_other_office_s_and_stays_visible_to_the_former(at: At) -> None:
    world = at("verify_report")
    assert cases.find(world.session, world.actor(ELSEWHERE), cases.Filter())[1] == 0
    refused(world, InvalidInput, lambda: cases.transfer(world.session, world.actor(OFFICER), world.case, world.place("LZ-FY").id))
    cases.transfer(world.session, world.actor(OFFICER), world.case, world.place("YP-RM").id)
    world.session.commit()
    assert world.case.owner_id == world.place("YP-FY").id
    assert cases.read(world.session, world.actor(ELSEWHERE), number(world)).id == world.case_id
    assert cases.read(world.session, world.actor(OFFICER), number(world)).id == world.case_id
    assert world.case.parties["owner"] == str(world.place("YP-FY").id)


# ── reading and finding ──


def test_a_case_is_found_by_number_notice_name_pinyin_unit_and_identity_number(at: At) -> None:
    world = at("verify_report")
    actor = world.actor(OFFICER)
    notice = world.rows(Notice)[0].number
    assert cases.read(world.session, actor, notice).id == cases.read(world.session, actor, number(world)).id == world.case_id

    def found(words: str) -> int:
        return cases.find(world.session, actor, cases.Filter(words=words))[1]

    for words in (number(world), notice, "沈若蘅", "若蘅", "shenruoheng", "srh", "341299198603120422", "澜州市妇女儿童医院", f"沈 {number(world)}"):
        assert found(words) == 1, words
    for words in ("沈蘅", "查无此人", "%", "_", "\\", "' OR 1=1 --", "3412991986"):
        assert found(words) == 0, words


def test_who_does_not_see_it_finds_and_reads_nothing(at: At) -> None:
    world = at("give_opinion")
    for who in ("lujianwei", ELSEWHERE, "renguochang", "xitong", "shenji", "peiwenxiu", "yushuqin"):
        actor = world.actor(who)
        if who != "yushuqin":
            assert cases.find(world.session, actor, cases.Filter())[1] == 0
            with pytest.raises(NotFound):
                cases.read(world.session, actor, number(world))
    with pytest.raises(NotFound):
        cases.read(world.session, world.actor(OFFICER), "%")


def test_reading_is_journalled_and_finding_is_narrowed(at: At) -> None:
    world = at("verify_report")
    actor = world.actor(OFFICER)
    cases.read(world.session, actor, number(world))
    world.session.flush()
    assert len(world.rows(JournalEntry, JournalEntry.action == "case:read", JournalEntry.actor_id == actor.person_id)) >= 1

    def found(**narrowed: object) -> int:
        return cases.find(world.session, actor, cases.Filter(**narrowed))[1]  # type: ignore[arg-type]

    assert found(kind=CaseKind.MATERNAL_DEATH) == found(state=CaseState.REPORTED) == found(is_open=True) == 1
    assert found(kind=CaseKind.INFANT_DEATH) == found(state=CaseState.CLOSED) == found(is_open=False) == 0
    for order in ("changed", "event", "number", "due", "name", "nonsense"):
        assert found(order=order) == 1
