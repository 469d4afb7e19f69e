"""The demonstration's cases stand where they should, on both databases, and nothing was left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine

from engine import calendars, cases, clock, packets, work_items
from engine.actor import Actor, of_person
from engine.transaction import transaction
from models import (
    OPEN_STATES,
    Case,
    Deadline,
    Incident,
    ItemState,
    JournalEntry,
    Notice,
    Person,
    Record,
    RectificationItem,
    WorkItem,
    WorkItemState,
)
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from tests.bpmn import walker
from tests.conftest import START
from web.demo import load

SECONDS = 12


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sessions, load.Summary]]:
    """A filled demonstration, and what it was filled with."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            engine = connect(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}")
        else:
            engine = connect(stack.enter_context(request.getfixturevalue("postgres").database()))
        stack.callback(engine.dispose)
        stack.callback(calendars.forget)
        stack.enter_context(time_machine.travel(START, tick=False))
        calendars.forget()
        upgrade(engine)
        began = time.process_time()
        summary = load.load(sessions_of(engine))
        assert time.process_time() - began < SECONDS
        assert clock.now() == START
        yield sessions_of(engine), summary


def actor(sessions: Sessions, username: str) -> Actor:
    """Return a person of the city."""
    with transaction(sessions, read_only=True) as session:
        return of_person(session, session.scalars(sa.select(Person).where(Person.username == username)).one())


def case_of(session: sa.orm.Session, number: str) -> Case:
    """Return a case by its number or its notice's."""
    by_notice = sa.select(Notice.case_id).where(Notice.number == number)
    return session.scalars(sa.select(Case).where(sa.or_(Case.number == number, Case.id.in_(by_notice)))).one()


def open_items(session: sa.orm.Session, case: Case) -> list[str]:
    """Return the open steps of a case."""
    return sorted(session.scalars(sa.select(WorkItem.element).where(WorkItem.case_id == case.id, WorkItem.state.in_(OPEN_STATES))))


@pytest.mark.parametrize(
    ("name", "state", "steps"),
    [
        ("closed", "closed", []),
        ("rectifying", "rectifying", ["do_item", "rule_on_request", "verify_item"]),
        ("signing", "concluded", ["sign_conclusion"] * 3),
        ("in_review", "in_review", ["give_opinion"] * 3),
        ("overdue", "opened", ["report_case"]),
        ("new", "notified", ["check_duplicate"]),
    ],
)
def test_a_case_stands_where_it_should(demo: tuple[Sessions, load.Summary], name: str, state: str, steps: list[str]) -> None:
    sessions, summary = demo
    with transaction(sessions, read_only=True) as session:
        case = case_of(session, summary.numbers[name])
        assert case.state.value == state
        assert open_items(session, case) == steps


def test_six_cases_of_six_women_lie_before_the_present(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, summary = demo
    officer = actor(sessions, "tangyining")
    with transaction(sessions, read_only=True) as session:
        rows, count = cases.find(session, officer, cases.Filter(per_page=50))
        by_initials, _ = cases.find(session, officer, cases.Filter(words="srh"))
        latest = session.scalar(sa.select(sa.func.max(JournalEntry.at)))
    assert count == len(summary.numbers) == 6
    assert len({row.name for row in rows}) == 6
    assert [row.name for row in by_initials] == ["沈若蘅"]
    assert max(row.case.event_at for row in rows) < START
    assert latest is not None
    assert latest <= START


def test_the_qc_officer_has_work_and_some_of_it_is_overdue(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, _ = demo
    officer = actor(sessions, "tangyining")
    with transaction(sessions, read_only=True) as session:
        counts = work_items.counts(session, officer)
        overdue, _ = work_items.queue(session, officer, work_items.Filter(view="overdue"))
    assert counts["claimable"] >= 2
    assert [row.item.element for row in overdue] == ["rule_on_request"]


def test_the_late_report_was_chased_and_told(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, summary = demo
    with transaction(sessions, read_only=True) as session:
        case = case_of(session, summary.numbers["overdue"])
        chased = session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.element == "chase_report")).one()
        running = sa.select(Deadline).where(Deadline.case_id == case.id, Deadline.key == "case_report", Deadline.met_at.is_(None))
        late = session.scalars(running).one()
    assert chased.state is WorkItemState.COMPLETED
    assert late.due_at < START
    assert late.warned.value in ("overdue", "escalated")


def test_a_reviewer_has_packets_and_opinions_are_sealed(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, summary = demo
    reviewer, colleague = actor(sessions, "lujianwei"), actor(sessions, "wenrenchu")
    with transaction(sessions, read_only=True) as session:
        case = case_of(session, summary.numbers["in_review"])
        mine = packets.mine(session, reviewer)
        packet = next(packet for packet in mine if packet.case_id == case.id)
        assert len(mine) == 2
        assert [name for _, name in packets.opinions(session, reviewer, packet)] == ["陆见微"]
        assert packets.opinions(session, colleague, packet) == []
        given = session.scalar(sa.select(sa.func.count()).select_from(Record).where(Record.case_id == case.id, Record.form == "opinion"))
    assert given == 2


def test_one_member_has_signed(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, summary = demo
    with transaction(sessions, read_only=True) as session:
        case = case_of(session, summary.numbers["signing"])
        signed = session.scalars(
            sa.select(Person.username).join(Record, Record.submitted_by_id == Person.id).where(Record.case_id == case.id, Record.form == "sign_off")
        ).all()
    assert signed == ["lujianwei"]


def test_items_are_verified_under_way_and_asked_for(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, summary = demo
    with transaction(sessions, read_only=True) as session:
        case = case_of(session, summary.numbers["rectifying"])
        items = sa.select(RectificationItem.state).order_by(RectificationItem.number)
        states = session.scalars(items.where(RectificationItem.case_id == case.id)).all()
        done = session.scalars(sa.select(RectificationItem.state).join(Case).where(Case.number == summary.numbers["closed"])).all()
    assert states == [ItemState.SUBMITTED, ItemState.OPEN, ItemState.OPEN]
    assert done == [ItemState.VERIFIED] * 3


def test_nothing_failed_and_no_form_has_a_warning(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, _ = demo
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(sa.select(Incident)).all() == []
        assert [(record.form, record.warnings) for record in session.scalars(sa.select(Record)) if record.warnings] == []
        assert session.scalars(sa.select(Deadline).where(Deadline.next_at < START)).all() == []
        walker.identity_is_apart(session)


def test_a_finished_load_is_never_touched_again(demo: tuple[Sessions, load.Summary]) -> None:
    sessions, summary = demo
    with transaction(sessions, read_only=True) as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(JournalEntry))
    again = load.load(sessions)
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(JournalEntry)) == before
    assert (again.numbers, again.acts) == (summary.numbers, 0)


def test_an_interrupted_load_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(START, tick=False):
        engine = connect(f"sqlite:///{tmp_path / 'demo.db'}")
        upgrade(engine)
        calendars.forget()
        with monkeypatch.context() as patched:
            whole = load.play
            patched.setattr(load, "play", lambda *arguments, **options: stops_after(whole(*arguments, **options), 20))
            with pytest.raises(KeyboardInterrupt):
                load.load(sessions_of(engine))
        assert clock.now() == START
        summary = load.load(sessions_of(engine))
        with transaction(sessions_of(engine), read_only=True) as session:
            states = {name: case_of(session, number).state.value for name, number in summary.numbers.items()}
            walker.quiet(session)
        engine.dispose()
    calendars.forget()
    assert states == {
        "closed": "closed",
        "rectifying": "rectifying",
        "signing": "concluded",
        "in_review": "in_review",
        "overdue": "opened",
        "new": "notified",
    }


def stops_after(acts: Iterator[object], most: int) -> Iterator[object]:
    """Break off in the middle."""
    for count, player in enumerate(acts):
        if count == most:
            raise KeyboardInterrupt
        yield player
