"""Notices: taken once, each hop with its clock, received by somebody else, matched with what is known nearby."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from engine import clock, notices
from engine.actor import of_person
from engine.errors import FormInvalid, InvalidInput, NotAllowed, NotFound
from engine.transaction import transaction
from models import Case, CaseState, Hop, JournalEntry, Notice, Person, ReceiptMethod, Record, Subject, WorkItem
from tests.engine.conftest import At
from tests.worlds import World, fingerprint, resolved

REPORTER, OFFICER = "qinhaitang", "tangyining"


def said(world: World, **changes: Any) -> dict[str, Any]:
    """Return what a reporter of the women's hospital says three quarters of an hour after a death."""
    event = clock.now() - timedelta(minutes=45)
    answers = {
        "case_kind": "maternal_death",
        "event_dt": event,
        "subject_name": "沈若蘅",
        "age": 40,
        "pregnancy_state": "postpartum",
        "days_postpartum": 6,
        "place": "1",
        "facility": str(world.place("LZ-FE").id),
        "diagnosis": "羊水栓塞",
        "hop": "facility",
        "receiver": str(world.person(OFFICER).id),
        "notice_dt": clock.now(),
        "residence_area": str(world.place("WS-TH-SQ").id),
        "subject_id": "341299198603120422",
        "subject_phone": "13800000417",
    }
    return resolved(answers, **changes)


def take(world: World, who: str = REPORTER, key: str | None = None, **changes: Any) -> notices.Taken:
    return notices.take(world.session, world.actor(who), said(world, **changes), key=key or uuid4().hex)


def receive(world: World, case: Case, who: str = OFFICER, **changes: Any) -> Notice:
    given: Mapping[str, Any] = {"received_at": clock.now(), "method": ReceiptMethod.PHONE, "is_read_back": True, **changes}
    return notices.receive(world.session, world.actor(who), case, **given)


# ── taken ──


def test_a_notice_is_a_record_a_case_a_clock_and_work_for_who_receives_it(begun: World) -> None:
    taken = take(begun)
    begun.session.flush()
    notice, case = taken.notice, taken.case
    assert taken.is_new
    assert (case.state, case.number, case.owner_id) == (CaseState.NOTIFIED, None, begun.place("LZ-FY").id)
    assert (notice.hop, notice.reporter_id, notice.case_id) == (Hop.FACILITY, begun.person(REPORTER).id, case.id)
    assert (notice.clock_start_at, notice.due_at) == (notice.event_at, notice.event_at + timedelta(hours=24))
    assert notice.number.startswith("LZ26-TZ-")
    record = begun.rows(Record)[0]
    assert (record.id, record.form, record.case_id) == (notice.record_id, "notice", case.id)
    assert begun.item("check_duplicate").role.value == "qc_officer"
    assert begun.rows(JournalEntry, JournalEntry.action == "notice:take")[0].object_id == notice.id


def test_the_same_key_is_the_same_notice(begun: World) -> None:
    first = take(begun, key="once")
    begun.session.commit()
    before = fingerprint(begun.session)
    second = take(begun, key="once", age=41)
    assert (second.is_new, second.notice.id, second.case.id) == (False, first.notice.id, first.case.id)
    begun.session.flush()
    assert fingerprint(begun.session) == before
    with pytest.raises(InvalidInput):
        take(begun, "fuyubai", key="once")


@pytest.mark.parametrize("who", ["lujianwei", "renguochang", "xitong", "peiwenxiu", "lushoucheng"])
def test_others_take_no_notices(begun: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        take(begun, who)
    with pytest.raises(NotAllowed):
        notices.context(begun.session, begun.actor(who))
    assert not begun.rows(Notice)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_dt": None},
        {"case_kind": None},
        {"case_kind": "infant_death"},
        {"place": "999"},
        {"age": 400},
        {"subject_id": "12345"},
        {"facility": "not a key"},
        {"receiver": None},
    ],
)
def test_a_notice_that_cannot_be_true_is_refused_and_nothing_is_kept(begun: World, changes: dict[str, Any]) -> None:
    before = fingerprint(begun.session)
    with pytest.raises(FormInvalid) as caught:
        take(begun, **changes)
    assert {str(finding.path[0]) for finding in caught.value.findings} & set(changes)
    begun.session.rollback()
    assert fingerprint(begun.session) == before


def test_an_event_in_the_future_or_after_the_call_is_refused(begun: World) -> None:
    for changes in ({"event_dt": clock.now() + timedelta(hours=1)}, {"notice_dt": clock.now() - timedelta(hours=3)}):
        with pytest.raises(FormInvalid):
            take(begun, **changes)


def test_the_clock_of_a_township_begins_when_it_learned_of_the_death(begun: World) -> None:
    event = clock.now() - timedelta(hours=30)
    learned = clock.now() - timedelta(hours=1)
    taken = take(
        begun,
        "yushuqin",
        event_dt=event,
        hop="township",
        learned_later=True,
        learned_dt=learned,
        learned_reason="家属电话告知社区",
    )
    assert (taken.notice.hop, taken.notice.clock_start_at, taken.case.clock_start_at) == (Hop.TOWNSHIP, learned, learned)
    assert taken.notice.due_at > clock.now()


def test_two_presses_at_once_are_one_notice(copy_at: At) -> None:
    world = copy_at()
    answers, who = said(world), world.person(REPORTER).id
    world.session.rollback()
    results: list[Any] = []
    barrier = threading.Barrier(2)

    def press() -> None:
        barrier.wait()
        try:
            with transaction(world.sessions) as session:
                results.append(notices.take(session, of_person(session, session.get_one(Person, who)), answers, key="pressed twice"))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(result.is_new for result in results if isinstance(result, notices.Taken)) == [False, True], results
    assert (len(world.rows(Notice)), len(world.rows(Case)), len(world.rows(Record))) == (1, 1, 1)


# ── received ──


def test_it_is_received_once_by_somebody_else_and_not_before_the_call(begun: World) -> None:
    taken = take(begun)
    with pytest.raises(InvalidInput):
        receive(begun, taken.case, REPORTER)
    with pytest.raises(InvalidInput):
        receive(begun, taken.case, received_at=taken.notice.notified_at - timedelta(minutes=1))
    assert notices.waiting(begun.session, begun.actor(OFFICER)) == 1
    notice = receive(begun, taken.case)
    begun.session.flush()
    assert (notice.receiver_id, notice.received_at, notice.receipt_method, notice.is_read_back) == (
        begun.person(OFFICER).id,
        clock.now(),
        ReceiptMethod.PHONE,
        True,
    )
    with pytest.raises(NotFound):
        receive(begun, taken.case)


def test_reporters_see_their_own_and_the_office_all_of_its_area(begun: World) -> None:
    taken = take(begun)
    begun.session.flush()
    assert [row.id for row in notices.mine(begun.session, begun.actor(REPORTER))] == [taken.notice.id]
    assert notices.mine(begun.session, begun.actor("fuyubai")) == []
    assert notices.find(begun.session, begun.actor(OFFICER)) == ([(taken.notice, "沈若蘅")], 1)
    for stranger in ("waidi", "lujianwei", "fuyubai", "fangjingshu", "xitong"):
        assert notices.find(begun.session, begun.actor(stranger)) == ([], 0)
    assert [row.id for row in notices.of_case(begun.session, taken.case.id)] == [taken.notice.id]


# ── matched ──


def matched(world: World, **changes: Any) -> str:
    """Tell of another death and return what the officer is shown as perhaps the same."""
    taken = take(world, key=uuid4().hex, **changes)
    world.session.flush()
    found = notices.match(world.session, world.actor(OFFICER), taken.case)
    assert len(found) <= 1
    return found[0].zh if found else ""


def test_cases_that_may_be_the_same_are_shown_with_the_reasons(at: At) -> None:
    world = at("fill_card")
    event = world.case.event_at
    assert "证件号码、姓名、机构、乡镇相同" in matched(world, event_dt=event)
    assert "证件号码、机构、乡镇相同" in matched(world, event_dt=event, subject_name="沈蘅")
    other = {
        "subject_name": "钱某某",
        "subject_id": None,
        "facility": str(world.place("LZ-YY").id),
        "residence_area": str(world.place("QH-LX-WSY").id),
    }
    assert matched(world, event_dt=event, **other) == ""
    assert "机构相同" in matched(world, event_dt=event, **{**other, "facility": str(world.place("LZ-FE").id)})


def test_a_death_of_another_week_is_another_case(at: At) -> None:
    world = at("verify_report")
    far = world.case.event_at + timedelta(days=3, minutes=1)
    world.move(max(clock.now(), far + timedelta(hours=1)))
    assert matched(world, event_dt=far, notice_dt=clock.now(), late_reason="unaware") == ""


def test_a_case_that_is_over_or_not_visible_is_never_offered(at: At) -> None:
    world = at("fill_card")
    event = world.case.event_at
    mine = take(world, event_dt=event)
    world.session.flush()
    assert notices.match(world.session, world.actor("waidi"), mine.case) == []
    world.session.execute(sa.update(Case).where(Case.id == world.case_id).values(state=CaseState.OUT_OF_SCOPE, ended_at=clock.now()))
    assert notices.match(world.session, world.actor(OFFICER), mine.case) == []


def test_the_form_of_a_notice_offers_receivers_and_kinds_that_are_in_force(begun: World) -> None:
    form, context = notices.context(begun.session, begun.actor(REPORTER))
    assert form.key == "notice"
    assert [code.code for code in context.choices["procedures.kinds"]] == ["maternal_death"]
    assert {code.code for code in context.choices["people.receivers"]} == {str(begun.person(who).id) for who in (OFFICER, "linshuhe")}
    start = clock.now() - timedelta(hours=2)
    answers = {"event_dt": start, "notice_dt": clock.now(), "hop": "facility"}
    assert notices.timing(begun.session, begun.actor(REPORTER), answers) == (start, start + timedelta(hours=24), clock.now())
    assert notices.timing(begun.session, begun.actor(REPORTER), {"event_dt": "nonsense"}) is None
    assert not begun.rows(WorkItem)
    assert not begun.rows(Subject)
