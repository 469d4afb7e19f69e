"""The worker: what is due, in order, once; what fails is put off, told, and never keeps the others waiting."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine import clock, deadlines, incidents, worker, workflow
from engine.actor import of_person
from engine.errors import NotNow
from engine.transaction import transaction
from models import Case, Deadline, DeadlineKind, Incident, IncidentKind, JournalEntry, Message, Person, WorkItem, new_id
from tests.engine.conftest import At
from tests.worlds import World, fingerprint

TIMER = "report_overdue"


def due(world: World) -> list[Deadline]:
    found = world.rows(Deadline, Deadline.next_at <= clock.now())
    return sorted(found, key=lambda row: (row.next_at, row.kind.value, row.id))


def pair(world: World) -> tuple[UUID, UUID]:
    """Return two cases whose reports are overdue soon, one an hour after the other."""
    event = world.case.event_at + timedelta(hours=1)
    world.session.commit()
    other = world.play("report_case", new=True, event=event, answers={"notice": {"subject_id": "@none", "subject_name": "甲某某"}})
    world.session.commit()
    return world.case_id, other


def timer_of(world: World, case_id: UUID) -> Deadline:
    found = world.rows(Deadline, Deadline.case_id == case_id, Deadline.key == TIMER)
    assert len(found) == 1
    row: Deadline = found[0]
    return row


# ── in order, and after a long pause ──


def test_what_is_due_is_done_in_order_of_time_one_turn_each(at: At) -> None:
    world = at("report_case")
    pair(world)
    world.move(timedelta(days=9))
    turns = 0
    while rows := due(world):
        first, instant = rows[0].id, rows[0].next_at
        world.session.commit()
        assert worker.fire_next(world.sessions)
        turns += 1
        assert world.rows(Deadline, Deadline.id == first)[0].next_at != instant
        assert turns < 200
    assert turns > 4
    assert not worker.fire_next(world.sessions)
    assert worker.run(world.sessions) >= 0


def test_nothing_is_done_before_its_time(at: At) -> None:
    world = at("report_case")
    worker.run(world.sessions)
    instant = min(row.next_at for row in world.rows(Deadline, Deadline.next_at.is_not(None)))
    world.move(instant - timedelta(microseconds=1))
    world.session.commit()
    before = fingerprint(world.session)
    assert not worker.fire_next(world.sessions)
    assert worker.due_cases(world.session) == []
    assert fingerprint(world.session) == before
    world.move(instant)
    assert worker.due_cases(world.session) == [world.case_id]
    assert worker.fire_next(world.sessions)


def test_after_a_long_pause_it_catches_up_and_tells_each_thing_once(at: At) -> None:
    world = at("report_case")
    one, other = pair(world)
    world.move(timedelta(days=200))
    assert worker.run(world.sessions) > 0
    assert due(world) == []
    told = Counter((row.person_id, row.once) for row in world.rows(Message))
    assert max(told.values()) == 1
    fired = [row.case_id for row in world.rows(JournalEntry, JournalEntry.action == "timer:fire")]
    assert sorted(fired) == sorted({one, other})
    assert worker.run(world.sessions) == 0


def test_the_cases_that_are_due_are_named_the_longest_waiting_first(at: At) -> None:
    world = at("report_case")
    one, other = pair(world)
    world.move(timedelta(days=9))
    order = list(dict.fromkeys(row.case_id for row in due(world)))
    assert set(order) == {one, other}
    assert worker.due_cases(world.session) == order
    assert worker.due_cases(world.session, limit=1) == order[:1]


def test_one_case_alone_can_be_asked_for(at: At) -> None:
    world = at("report_case")
    one, other = pair(world)
    world.move(timedelta(days=9))
    while worker.fire_next(world.sessions, other):
        pass
    assert {row.case_id for row in due(world)} == {one}


def test_it_stops_when_told_to(at: At) -> None:
    world = at("report_case")
    world.move(timedelta(days=9))
    stop = threading.Event()
    stop.set()
    assert worker.run(world.sessions, stop=stop) == 0
    assert due(world)


# ── what fails ──


def fails(monkeypatch: pytest.MonkeyPatch, world: World, case_id: UUID, error: Exception) -> None:
    """Let the timers of one case fail."""
    real = workflow.fire_timers
    state = deadlines_state(world, case_id)

    def fire(specification: Any, found: Any, environment: Any) -> Any:
        if found == state:
            raise error
        return real(specification, found, environment)

    monkeypatch.setattr(workflow, "fire_timers", fire)


def deadlines_state(world: World, case_id: UUID) -> dict[str, bytes]:
    from engine import projection

    return projection.load(world.session, world.session.get_one(Case, case_id))


def drain(world: World) -> None:
    """Do what is due now, however often it fails."""
    for _ in range(200):
        if not worker.fire_next(world.sessions):
            return
    raise AssertionError("the worker does not come to rest")


@pytest.mark.parametrize("error", [workflow.WorkflowFailed("a broken expression", TIMER), KeyError("x"), RecursionError(), ValueError("沈若蘅")])
def test_a_failing_timer_is_put_off_and_does_not_hold_up_the_others(at: At, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    world = at("report_case")
    bad, good = pair(world)
    fails(monkeypatch, world, bad, error)
    world.session.commit()
    world.move(timedelta(days=9))
    drain(world)
    assert timer_of(world, good).next_at is None
    assert {row.case_id for row in world.rows(JournalEntry, JournalEntry.action == "timer:fire")} == {good}
    late = timer_of(world, bad)
    assert (late.attempts, late.next_at) == (1, clock.now() + timedelta(minutes=2))
    assert not world.rows(Incident)
    for attempt, minutes in ((2, 4), (3, 8), (4, 16)):
        world.session.commit()
        world.move(late.next_at)  # type: ignore[arg-type]
        drain(world)
        late = timer_of(world, bad)
        assert (late.attempts, late.next_at) == (attempt, clock.now() + timedelta(minutes=minutes))
    world.session.commit()
    world.move(late.next_at)  # type: ignore[arg-type]
    drain(world)
    assert timer_of(world, bad).next_at is None
    incident = world.rows(Incident)[0]
    assert (incident.kind, incident.case_id, incident.element) == (IncidentKind.TIMER, bad, TIMER)
    assert "沈若蘅" not in f"{incident.error} {incident.trace} {incident.detail}"
    assert any(place.startswith("engine/") for place in incident.trace)


def test_an_administrator_lets_a_failed_timer_be_tried_again(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at("report_case")
    with monkeypatch.context() as patched:
        fails(patched, world, world.case_id, workflow.WorkflowFailed("a broken expression", TIMER))
        world.session.commit()
        for _ in range(worker.MAX_ATTEMPTS):
            world.move(timedelta(days=9))
            drain(world)
    number = world.rows(Incident)[0].number
    incident = incidents.retry(world.session, world.actor("xitong"), number)
    assert (incident.resolution, incident.resolved_by_id) == ("retried", world.person("xitong").id)
    world.session.commit()
    drain(world)
    assert [row.detail["element"] for row in world.rows(JournalEntry, JournalEntry.action == "timer:fire")] == [TIMER]
    assert "chase_report" in {row.element for row in world.rows(WorkItem)}
    with pytest.raises(NotNow):
        incidents.retry(world.session, world.actor("xitong"), number)


def test_a_statement_that_the_database_refuses_is_put_off_like_any_other_failure(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a refused statement the session can be asked nothing more, not even which clock it was."""
    world = at("report_case")
    real = deadlines.warn
    broken: set[UUID] = set()

    def warn(session: Session, case: Case, deadline: Deadline, now: Any) -> Any:
        if not broken or deadline.id in broken:
            broken.add(deadline.id)
            session.add(Message(id=new_id(), person_id=new_id(), kind="told", once="x", detail={}, written_at=now, attempts=0))
            session.flush()
        return real(session, case, deadline, now)

    monkeypatch.setattr(deadlines, "warn", warn)
    world.move(timedelta(days=9))
    drain(world)
    rows = world.rows(Deadline, Deadline.id.in_(broken))
    assert [(row.attempts, row.next_at) for row in rows] == [(1, clock.now() + timedelta(minutes=2))]
    assert [row.case_id for row in world.rows(JournalEntry, JournalEntry.action == "timer:fire")] == [world.case_id]


def test_a_database_that_does_not_answer_is_nobody_s_failure(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at("report_case")
    world.session.commit()
    world.move(timedelta(days=9))
    before = fingerprint(world.session)

    def gone(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("the server went away"))

    with monkeypatch.context() as patched:
        patched.setattr(worker, "_fire", gone)
        with pytest.raises(sa.exc.OperationalError):
            worker.fire_next(world.sessions)
    assert fingerprint(world.session) == before
    drain(world)
    assert not due(world)


def test_the_loop_outlives_whatever_happens_in_a_turn(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at("report_case")
    stop, turns = threading.Event(), [0]

    def run(*_: object, **__: object) -> int:
        turns[0] += 1
        if turns[0] == 3:
            stop.set()
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("gone")) if turns[0] == 1 else KeyError("unforeseen")

    monkeypatch.setattr(worker, "run", run)
    monkeypatch.setattr(worker.log, "disabled", True)
    monkeypatch.setattr(stop, "wait", lambda _seconds: None)
    worker.loop(world.sessions, None, stop, every_s=0.0)
    assert turns == [3]


# ── two at once ──


def test_two_workers_at_once_do_each_thing_once(copy_at: At) -> None:
    world = copy_at("report_case")
    one, other = pair(world)
    timers = {timer_of(world, case_id).id for case_id in (one, other)}
    world.session.rollback()
    world.move(timedelta(days=9))
    failed: list[Exception] = []
    barrier = threading.Barrier(2)

    def run() -> None:
        barrier.wait()
        try:
            for _ in range(100):
                if not worker.fire_next(world.sessions):
                    time.sleep(0.01)
                    if not worker.fire_next(world.sessions):
                        return
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    worker.run(world.sessions)
    fired = world.rows(JournalEntry, JournalEntry.action == "timer:fire")
    assert sorted(row.case_id for row in fired) == sorted([one, other])
    assert all(row.next_at is None for row in world.rows(Deadline, Deadline.id.in_(timers)))
    overdue = Counter(row.object_id for row in world.rows(JournalEntry, JournalEntry.action.in_(["deadline:overdue", "deadline:escalated"])))
    assert set(overdue.values()) == {1}
    told = Counter((row.person_id, row.once) for row in world.rows(Message))
    assert max(told.values()) == 1
    assert not world.rows(Incident)
    assert len(world.rows(WorkItem, WorkItem.element == "chase_report")) == 2
    for case in world.rows(Case):
        sequence = [row.sequence for row in world.rows(JournalEntry, JournalEntry.case_id == case.id, JournalEntry.sequence.is_not(None))]
        assert sorted(sequence) == list(range(2, case.revision + 1))


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # SQLite has one writer: nobody holds a case beside
def test_a_case_that_somebody_holds_is_left_aside_until_later(copy_at: At) -> None:
    """While a command runs on one case, the clocks of the others go on; PostgreSQL alone knows locked rows."""
    world = copy_at("report_case")
    held, _free = pair(world)
    world.session.rollback()
    world.move(timedelta(days=9))
    with transaction(world.sessions) as session:
        of_person(session, session.scalars(sa.select(Person).where(Person.username == "tangyining")).one())
        session.execute(sa.select(Case.id).where(Case.id == held).with_for_update())
        drain(world)
        assert {row.case_id for row in due(world)} == {held}
        world.session.rollback()
    drain(world)
    assert due(world) == []


def test_the_timers_of_a_case_that_ended_are_quiet(at: At) -> None:
    world = at("report_case")
    world.session.execute(sa.update(Case).where(Case.id == world.case_id).values(state="closed", ended_at=clock.now()))
    world.session.commit()
    world.move(timedelta(days=9))
    drain(world)
    assert not world.rows(Deadline, Deadline.next_at.is_not(None))
    assert not world.rows(JournalEntry, JournalEntry.action == "timer:fire")
    assert all(row.withdrawn_at == clock.now() for row in world.rows(Deadline, Deadline.kind == DeadlineKind.TIMER))
