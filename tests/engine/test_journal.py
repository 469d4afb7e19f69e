"""The memory of who did and read what: what cannot be written there does not happen, what is written there stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine import (
    attachments,
    calendars,
    cases,
    clock,
    conclusions,
    journal,
    notices,
    organisations,
    packets,
    people,
    rectifications,
    work_items,
    worker,
)
from engine.transaction import transaction
from models import DayKind, HoldReason, JournalEntry, Role
from tests.engine.conftest import At
from tests.worlds import World, counting, fingerprint
from web.demo.player import PAPER

Act = Callable[[World, Session], object]
FULL = {
    "sqlite": ["CREATE TRIGGER full BEFORE INSERT ON journal_entries BEGIN SELECT RAISE(ABORT, 'the journal is full'); END"],
    "postgresql": [
        "CREATE FUNCTION full_up() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'the journal is full'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER full_up BEFORE INSERT ON journal_entries FOR EACH ROW EXECUTE FUNCTION full_up()",
    ],
}


def fill(world: World) -> None:
    """Let the database refuse every further entry."""
    for text in FULL[world.engine.dialect.name]:
        world.session.execute(sa.text(text))
    world.session.commit()


def claimed(world: World, element: str, who: str) -> None:
    work_items.claim(world.session, world.actor(who), world.item(element).id)
    world.session.commit()


def hand_in(world: World, session: Session) -> object:
    item = world.item("verify_report")
    return work_items.hand_in(session, world.actor("tangyining"), item.id, world.answers(item, "tangyining"), key="k")


ACTS: dict[str, tuple[str, Act]] = {
    "work-item:hand-in": ("verify_report", hand_in),
    "work-item:claim": ("verify_report", lambda world, session: work_items.claim(session, world.actor("tangyining"), world.item("verify_report").id)),
    "case:hold": ("verify_report", lambda world, session: cases.hold(session, world.actor("tangyining"), str(world.case.number), HoldReason.POLICE)),
    "attachment:store": (
        "verify_report",
        lambda world, session: attachments.store(session, world.actor("tangyining"), world.item("verify_report").id, "files", PAPER),
    ),
    "person:change": (
        "verify_report",
        lambda world, session: people.change(session, world.actor("xitong"), people.get(session, "bailu"), name="白鹭"),
    ),
    "person:appoint": (
        "verify_report",
        lambda world, session: people.appoint(session, world.actor("anquan"), people.get(session, "bailu"), Role.VERIFIER, world.place("LZ-FY")),
    ),
    "organisation:change": (
        "verify_report",
        lambda world, session: organisations.change(session, world.actor("xitong"), session.merge(world.place("LZ-FE")), {"name": "新名"}),
    ),
    "calendar:set": ("verify_report", lambda world, session: calendars.set_day(session, world.actor("liucheng"), date(2026, 11, 2), DayKind.HOLIDAY)),
    "person:sign-in": (
        "verify_report",
        lambda world, session: people.sign_in(session, people.Policy(), "tangyining", "Pingshen-2026", address="10.0.0.1", device="x"),
    ),
}
READINGS: dict[str, tuple[str, Act]] = {
    "case:read": ("verify_report", lambda world, session: cases.read(session, world.actor("tangyining"), str(world.case.number))),
    "work-item:read": ("verify_report", lambda world, session: work_items.show(session, world.actor("tangyining"), world.item("verify_report").id)),
    "packet:read": (
        "give_opinion",
        lambda world, session: packets.read(session, world.actor("lujianwei"), packets.mine(session, world.actor("lujianwei"))[0].number),
    ),
    "rectification:read": (
        "do_item",
        lambda world, session: rectifications.read(
            session, world.actor("peiwenxiu"), rectifications.find(session, world.actor("peiwenxiu"))[0][0].number
        ),
    ),
    "conclusion:read": ("close_case", lambda world, session: conclusions.read(session, world.actor("renguochang"), str(world.case.number))),
    "attachment:read": (
        "close_case",
        lambda world, session: attachments.fetch(
            session, world.actor("tangyining"), attachments.of_case(session, world.actor("tangyining"), world.case_id)[0].id
        ),
    ),
}


def run(world: World, act: Act) -> None:
    with transaction(world.sessions) as session:
        act(world, session)


@pytest.mark.parametrize("action", [*ACTS, *READINGS])
def test_what_cannot_be_journalled_does_not_happen(at: At, action: str) -> None:
    element, act = {**ACTS, **READINGS}[action]
    world = at(element)
    fill(world)
    before = fingerprint(world.session)
    with pytest.raises(sa.exc.DBAPIError, match="the journal is full"):
        run(world, act)
    assert fingerprint(world.session) == before


@pytest.mark.parametrize("action", [*ACTS, *READINGS])
def test_what_is_done_and_read_is_written_with_who_and_when(at: At, action: str) -> None:
    element, act = {**ACTS, **READINGS}[action]
    world = at(element)
    last = max(row.id for row in world.rows(JournalEntry))
    run(world, act)
    written = [row for row in world.rows(JournalEntry, JournalEntry.id > last) if row.action == action]
    assert len(written) == 1
    assert written[0].actor_id is not None
    assert written[0].at == clock.now()
    assert (written[0].sequence is not None) is (action in ("work-item:hand-in", "case:hold"))


def test_a_notice_that_cannot_be_journalled_is_not_taken(at: At) -> None:
    world = at()
    fill(world)
    before = fingerprint(world.session)
    with pytest.raises(sa.exc.DBAPIError, match="the journal is full"):
        world.play("check_duplicate", new=True)
    assert fingerprint(world.session) == before


def test_a_timer_that_cannot_be_journalled_does_not_fire(at: At) -> None:
    world = at("report_case")
    fill(world)
    world.move(world.clocks("report_overdue")[0].due_at)
    before = fingerprint(world.session)
    while worker.fire_next(world.sessions):
        pass
    after = fingerprint(world.session)
    assert {table: rows for table, rows in after.items() if table not in ("deadlines", "messages")} == {
        table: rows for table, rows in before.items() if table not in ("deadlines", "messages")
    }
    assert world.clocks("report_overdue")[0].attempts == 1  # put off, and tried again


def test_every_reading_has_its_name() -> None:
    assert set(READINGS) | {"case:read-journal"} == set(journal.READINGS)


def test_entries_are_added_and_never_changed(at: At) -> None:
    """What a case's journal said early it says to the end."""

    def entries(world: World) -> list[str]:
        return [
            repr((row.id, row.at, row.actor_id, row.action, row.case_id, row.sequence, row.object_id, row.detail))
            for row in sorted(world.rows(JournalEntry), key=lambda row: row.id)
        ]

    early, late = entries(at("verify_report")), entries(at("end"))
    assert len(late) > len(early) > 0
    assert late[: len(early)] == early


def test_a_case_s_acts_are_numbered_without_gap_or_double(at: At) -> None:
    world = at("end")
    numbers = sorted(row.sequence for row in world.rows(JournalEntry, JournalEntry.case_id == world.case_id) if row.sequence)
    assert numbers == list(range(2, world.case.revision + 1))


def test_entries_are_found_by_case_actor_action_and_time_newest_first(at: At) -> None:
    world = at("close_case")
    actor = world.actor("tangyining")
    mine, count = journal.find(world.session, actor_id=actor.person_id, case_id=world.case_id, action="work-item:hand-in")
    assert count == len(mine) > 2
    assert [entry.id for entry, _, _ in mine] == sorted((entry.id for entry, _, _ in mine), reverse=True)
    assert {(name, number) for _, name, number in mine} == {("汤以宁", world.case.number)}
    middle = mine[1][0].at
    assert journal.find(world.session, actor_id=actor.person_id, action="work-item:hand-in", since=middle)[1] == 2
    assert journal.find(world.session, actor_id=actor.person_id, action="work-item:hand-in", until=middle)[1] == count - 2
    assert journal.find(world.session, action="work-item:%")[1] == 0
    assert journal.find(world.session, action="work_item")[1] == 0


def test_entries_come_in_pages_without_gap_or_double(at: At) -> None:
    world = at("close_case")
    _, count = journal.find(world.session)
    pages = [journal.find(world.session, page=page, per_page=30)[0] for page in range(1, count // 30 + 2)]
    keys = [entry.id for page in pages for entry, _, _ in page]
    assert len(keys) == len(set(keys)) == count


def test_the_way_a_case_went_is_told_without_its_workflow(at: At) -> None:
    world = at("close_case")
    found = journal.walked(world.session, world.case_id, 1)
    assert {"case_notified", "open_the_case", "verify_report", "redact", "approve_plan"} <= found
    assert "close_case" not in found
    assert "reopened" not in found


def test_the_second_course_has_a_way_of_its_own(at: At) -> None:
    world = at("end")
    cases.reopen(world.session, world.actor("tangyining"), str(world.case.number), "新事实")
    assert "verify_report" in journal.walked(world.session, world.case_id, 1)
    second = journal.walked(world.session, world.case_id, 2)
    assert "is_second_review" in second
    assert "verify_report" not in second


def test_an_entry_says_nothing_that_identifies_a_subject(at: At) -> None:
    from engine import subjects

    world = at("end")
    terms = subjects.identifiers(world.session, world.case_id)
    assert len(terms) > 3
    for row in world.rows(JournalEntry):
        assert not [term for term in terms if term in str(row.detail)]


def test_a_notice_s_number_leads_to_its_case_in_the_journal(at: At) -> None:
    world = at("check_duplicate")
    entry = world.rows(JournalEntry, JournalEntry.action == "notice:take")[0]
    assert entry.detail == {"number": notices.of_case(world.session, world.case_id)[0].number, "hop": "facility"}


def test_the_clock_acts_without_a_name(at: At) -> None:
    world = at("report_case")
    world.move(world.clocks("report_overdue")[0].due_at + timedelta(seconds=1))
    worker.run(world.sessions)
    entry = world.rows(JournalEntry, JournalEntry.action == "timer:fire")[0]
    assert entry.actor_id is None
    assert entry.detail["element"] == "report_overdue"


# ── the chain ──


def altered(world: World, text: str) -> journal.Verdict:
    """Return what is said of the journal after somebody wrote into the database."""
    world.session.execute(sa.text(text))
    world.session.commit()
    return journal.verify(world.session)


def test_a_journal_that_nobody_touched_is_whole(copy_at: At) -> None:
    world = copy_at("verify_report")
    verdict = journal.verify(world.session)
    assert verdict.is_whole and verdict.entries > 20
    assert verdict.head == journal.head(world.session)
    hand_in(world, world.session)
    world.session.commit()
    again = journal.verify(world.session, [verdict.head])
    assert again.is_whole and again.entries > verdict.entries


@pytest.mark.parametrize(
    "change",
    [
        "action = 'case:begun'",
        "actor_id = NULL",
        "detail = '{}'",
        "object_id = case_id",
        "sequence = 99",
        "case_id = NULL",
        "at = (SELECT min(at) FROM journal_entries)",
        "hash = '" + "0" * 64 + "'",
    ],
)
def test_one_value_changed_in_the_database_is_found_and_named(copy_at: At, change: str) -> None:
    world = copy_at("verify_report")
    entry = world.session.scalars(sa.select(JournalEntry).where(JournalEntry.action == "work-item:hand-in").order_by(JournalEntry.id)).first()
    assert entry is not None and entry.detail and entry.actor_id
    verdict = altered(world, f"UPDATE journal_entries SET {change} WHERE id = {entry.id}")
    assert (verdict.broken_at, verdict.why, verdict.entry_id) == (entry.position, "content", entry.id)


def test_an_entry_taken_out_put_in_or_moved_is_found(copy_at: At) -> None:
    world = copy_at("verify_report")
    end = journal.head(world.session)
    assert altered(world, "UPDATE journal_entries SET position = position + 1000 WHERE position = 3").broken_at == 3
    assert altered(world, "DELETE FROM journal_entries WHERE position = 1003").why == "gap"
    assert journal.verify(world.session, [end]).broken_at == 3


def test_a_tail_that_was_cut_is_noticed_by_the_head_or_by_the_anchor(copy_at: At) -> None:
    world = copy_at("verify_report")
    end = journal.head(world.session)
    cut = f"DELETE FROM journal_entries WHERE position > {end.position - 2}"
    assert (altered(world, cut).why, journal.verify(world.session).broken_at) == ("tail", end.position - 1)
    last = world.session.execute(sa.select(JournalEntry.position, JournalEntry.hash).order_by(JournalEntry.position.desc()).limit(1)).one()
    forged = f"UPDATE journal_heads SET position = {last.position}, hash = '{last.hash}'"
    assert altered(world, forged).is_whole  # a chain alone does not notice
    verdict = journal.verify(world.session, [end])
    assert (verdict.why, verdict.broken_at) == ("tail", end.position - 1)


def test_a_journal_written_anew_does_not_fit_its_anchors(copy_at: At) -> None:
    world = copy_at("verify_report")
    end = journal.head(world.session)
    world.session.execute(sa.text("UPDATE journal_entries SET action = 'case:begun' WHERE position = 5"))
    before = journal.FIRST_HASH
    for entry in world.session.scalars(sa.select(JournalEntry).order_by(JournalEntry.position)):
        entry.hash = before = journal.chain(before, journal.digest(entry))
    world.session.execute(sa.text(f"UPDATE journal_heads SET hash = '{before}'"))
    world.session.commit()
    assert journal.verify(world.session).is_whole
    verdict = journal.verify(world.session, [journal.Anchor.read(f"{end} 2026-10-22")])
    assert (verdict.why, verdict.broken_at) == ("anchor", end.position)


def test_entries_of_many_at_once_stand_in_one_chain(copy_at: At) -> None:
    world = copy_at()
    failed: list[Exception] = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                with transaction(world.sessions) as session:
                    for part in range(1 + turn % 3):
                        journal.record(session, None, "test:write", number=number, turn=turn, part=part)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    verdict = journal.verify(world.session)
    assert verdict.is_whole
    assert world.session.scalar(sa.select(sa.func.count()).where(JournalEntry.action == "test:write")) == 6 * 19


def test_what_was_given_up_is_not_told(copy_at: At) -> None:
    world = copy_at()
    with transaction(world.sessions) as session:
        journal.record(session, None, "test:kept")
        nested = session.begin_nested()
        journal.record(session, None, "test:given-up")
        nested.rollback()
        assert set(session.scalars(sa.select(JournalEntry.action).where(JournalEntry.action.startswith("test:")))) == {"test:kept"}
    with pytest.raises(ZeroDivisionError), transaction(world.sessions) as session:
        journal.record(session, None, "test:lost")
        raise ZeroDivisionError
    with transaction(world.sessions) as session:
        journal.record(session, None, "test:again")
    found = set(world.session.scalars(sa.select(JournalEntry.action).where(JournalEntry.action.startswith("test:"))))
    assert found == {"test:kept", "test:again"}
    assert journal.verify(world.session).is_whole


def test_a_command_holds_the_end_of_the_chain_with_one_statement(copy_at: At) -> None:
    world = copy_at("verify_report")
    with counting(world.engine) as seen:
        hand_in(world, world.session)
        world.session.commit()
    assert sum("journal_heads" in text for text in seen) == 1
