"""Walks scenarios and watches every command: statements, commits, the journal, ended cases, where identity is kept."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib import resources
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
import zstandard
from sqlalchemy.orm import Session

from engine import clock, deadlines, organisations, procedures, subjects, worker
from engine.actor import Actor
from engine.forms import Form
from engine.scenarios import duration
from engine.transaction import transaction
from engine.work_items import HandedIn
from models import (
    OPEN_STATES,
    AccountabilityFile,
    Base,
    Case,
    Deadline,
    DeadlineKind,
    Incident,
    JournalEntry,
    Message,
    Notice,
    Organisation,
    Packet,
    Person,
    Profile,
    Record,
    RectificationItem,
    WorkItem,
    WorkItemState,
)
from models.database import READ_ONLY, Sessions
from web.demo.player import Player, Script, Stage

T = TypeVar("T")
FOLDER = resources.files("bpmn") / "maternal_death" / "scenarios"
SAID_ELSEWHERE = {"subjects", "procedure_files", "attachment_parts", "alembic_version"}
MOST_STATEMENTS = 12


def scenarios() -> list[str]:
    """Return the names of the shipped scenarios."""
    return sorted(entry.name[:-5] for entry in FOLDER.iterdir() if entry.name.endswith(".toml"))


def scenario(name: str) -> dict[str, Any]:
    """Return a scenario."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"), parse_float=Decimal)


@dataclass(frozen=True)
class Counted:
    """How many statements a command took, and how many services its walk asked for."""

    what: str
    statements: int
    services: int


class Watched(Stage):
    """A stage on which every command is counted and the whole database is looked at after it."""

    def __init__(self, sessions: Sessions, engine: sa.Engine, move: Callable[[datetime], None], *, opens: bool = False) -> None:
        super().__init__(sessions, move, opens=opens)
        self.engine, self.statements, self.commits = engine, 0, 0
        self.counts: list[Counted] = []
        sa.event.listen(engine, "before_cursor_execute", self._count)
        sa.event.listen(engine, "commit", self._commit)

    def _count(self, *_: object) -> None:
        self.statements += 1

    def _commit(self, _connection: object) -> None:
        self.commits += 1

    def run(self, who: str, what: str, command: Callable[[Session, Actor], T]) -> T:
        """Carry out a command and look at what it did."""
        commits = self.commits

        def counted(session: Session, actor: Actor) -> T:
            before = self.statements
            result = command(session, actor)
            count = self.statements - before
            self.counts.append(Counted(what, count, _services(session, result)))
            return result

        result = super().run(who, what, counted)
        assert self.commits == commits + 1, f"{what} committed {self.commits - commits} times"
        if what not in ("claim", "file", "show"):
            self.look(what)
        return result

    def fire(self) -> None:
        """Let the worker work, messages included, and look at what it did."""
        worker.run(self.sessions)
        self.look("worker")

    def look(self, what: str) -> None:
        """See that every case's journal has each number once and that ended cases are quiet."""
        with self.engine.connect().execution_options(**READ_ONLY) as connection:
            for number, revision, first, last, count in connection.execute(
                sa.select(
                    Case.number,
                    Case.revision,
                    sa.func.min(JournalEntry.sequence),
                    sa.func.max(JournalEntry.sequence),
                    sa.func.count(sa.distinct(JournalEntry.sequence)),
                )
                .join(JournalEntry, JournalEntry.case_id == Case.id)
                .where(JournalEntry.sequence.is_not(None))
                .group_by(Case.id)
            ):
                assert (first, last, count) == (2, revision, revision - 1), f"journal of {number} after {what}: {first}…{last}, {count} of {revision}"
            doubled = connection.execute(
                sa.select(JournalEntry.case_id, JournalEntry.sequence)
                .where(JournalEntry.sequence.is_not(None))
                .group_by(JournalEntry.case_id, JournalEntry.sequence)
                .having(sa.func.count() > 1)
            ).all()
            assert not doubled, f"{what}: {doubled}"
            for table, condition in ((WorkItem, WorkItem.state.in_(OPEN_STATES)), (Deadline, Deadline.next_at.is_not(None))):
                left = connection.scalar(
                    sa.select(sa.func.count()).select_from(table).join(Case, Case.id == table.case_id).where(Case.ended_at.is_not(None), condition)
                )
                assert not left, f"{left} {table.__tablename__} of an ended case after {what}"

    def close(self) -> None:
        """Stop watching."""
        sa.event.remove(self.engine, "before_cursor_execute", self._count)
        sa.event.remove(self.engine, "commit", self._commit)


def _services(session: Session, result: object) -> int:
    """Return how many service tasks a hand-in passed."""
    if not isinstance(result, HandedIn):
        return 0
    entry = session.scalars(sa.select(JournalEntry).where(JournalEntry.object_id == result.item.id, JournalEntry.action == "work-item:hand-in")).one()
    elements = procedures.deployed(session, session.get_one(Case, result.item.case_id).procedure_version_id).specification.elements
    return sum(elements[step].kind == "serviceTask" for step in entry.detail["walked"])


def script(entry: Mapping[str, Any], event: datetime) -> Script:
    """Return the script of one case of a scenario."""
    return Script(
        event=event,
        notice=entry.get("notice", {}),
        steps=entry.get("steps", ()),
        also=entry.get("also", ()),
        leaves=entry.get("leaves", ()),
        answers=entry.get("answers", {}),
    )


def use_profile(sessions: Sessions, key: str) -> None:
    """Let the demonstration's city work by another profile."""
    with transaction(sessions) as session:
        city = session.scalars(sa.select(Organisation).where(Organisation.code == "LZ")).one()
        profile_id = session.scalars(sa.select(Profile.id).where(Profile.key == key)).one()
        organisations.change(session, None, city, {"profile_id": profile_id})  # type: ignore[arg-type]


# ── what came of it ──


def found(session: Session, case_id: UUID, stage: Stage) -> dict[str, Any]:
    """Return what came of a case, in the words of a scenario's expectations."""
    case = session.get_one(Case, case_id)
    people = {person.id: person.username for person in session.scalars(sa.select(Person))}
    walked = [
        step
        for entry in session.scalars(
            sa.select(JournalEntry).where(JournalEntry.case_id == case_id, JournalEntry.sequence.is_not(None)).order_by(JournalEntry.sequence)
        )
        for step in entry.detail.get("walked", ())
    ]
    items = session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case_id).order_by(WorkItem.completed_at)).all()
    limits = session.scalars(sa.select(Deadline).where(Deadline.case_id == case_id, Deadline.withdrawn_at.is_(None))).all()
    told = [
        f"{message.kind} {message.detail.get('limit') or message.detail.get('what') or message.detail.get('element')} {people[message.person_id]}"
        for message in session.scalars(sa.select(Message).where(Message.case_id == case_id))
    ]
    return {
        "state": case.state.value,
        "course": case.course,
        "conclusion": case.conclusion,
        "owner": session.get_one(Organisation, case.owner_id).code,
        "walked": walked,
        "reached": {item.element for item in items} | set(walked),
        "open": sorted(item.element for item in items if item.state in OPEN_STATES),
        "done_by": {
            element: [people[item.completed_by_id] for item in items if item.element == element and item.completed_by_id]
            for element in {item.element for item in items if item.state is WorkItemState.COMPLETED}
        },
        "late": {
            limit.key: limit.late_reason or ""
            for limit in limits
            if limit.kind is DeadlineKind.LIMIT and limit.met_at and deadlines.is_late(limit, clock.now())
        },
        "due": {limit.key: limit.due_at for limit in limits if limit.withdrawn_at is None},
        "told": Counter(told),
        "records": Counter(session.scalars(sa.select(Record.form).where(Record.case_id == case_id))),
        "notices": session.scalar(sa.select(sa.func.count()).select_from(Notice).where(Notice.case_id == case_id)),
        "packets": session.scalar(sa.select(sa.func.count()).select_from(Packet).where(Packet.case_id == case_id)),
        "accountability": sorted(session.scalars(sa.select(AccountabilityFile.trigger).where(AccountabilityFile.case_id == case_id))),
        "items": [
            item.state.value
            for item in session.scalars(sa.select(RectificationItem).where(RectificationItem.case_id == case_id).order_by(RectificationItem.number))
        ],
        "extensions": list(
            session.scalars(sa.select(RectificationItem.extensions).where(RectificationItem.case_id == case_id).order_by(RectificationItem.number))
        ),
    }


def judge(expected: Mapping[str, Any], was: Mapping[str, Any], event: datetime) -> None:
    """Compare what a scenario expects with what came of it."""
    for key, wanted in expected.items():
        if key == "walked":
            steps = iter(was["walked"])
            missed = next((step for step in wanted if step not in steps), None)
            assert missed is None, f"{missed} was not passed in this order: {was['walked']}"
        elif key == "never":
            assert not set(wanted) & was["reached"], f"reached: {set(wanted) & was['reached']}"
        elif key == "told":
            assert not set(wanted) - set(was["told"]), f"not told: {set(wanted) - set(was['told'])} of {sorted(was['told'])}"
        elif key in ("records", "done_by"):
            found_of = {name: was[key].get(name, 0 if key == "records" else []) for name in wanted}
            assert found_of == dict(wanted), f"{key}: {found_of}"
        elif key == "due":
            for limit, after in wanted.items():
                assert was["due"].get(limit) == event + duration(after), f"{limit}: {was['due'].get(limit)}"
        else:
            assert was[key] == wanted, f"{key}: {was[key]}"
    ladder = {line for line in was["told"] if line.startswith(("deadline_overdue", "deadline_escalated"))}
    unexpected = ladder - set(expected.get("told", ()))
    assert not unexpected, f"told besides: {sorted(unexpected)}"
    assert "late" in expected or not was["late"], f"late: {was['late']}"
    doubled = {line: count for line, count in was["told"].items() if line in ladder and count > 1}
    assert not doubled, f"told more than once: {doubled}"


def quiet(session: Session) -> None:
    """See that nothing failed on the way."""
    assert not session.scalars(sa.select(Incident)).all()


def identity_is_apart(session: Session) -> None:
    """See that no text that identifies a subject stands in any table but `subjects`.

    Raises:
        AssertionError: names the table, the column and the text.
    """
    wanted: set[str] = set()
    for case_id in session.scalars(sa.select(Case.id)):
        wanted |= subjects.identifiers(session, case_id)
    assert len(wanted) >= 3
    for table in Base.metadata.sorted_tables:
        if table.name in SAID_ELSEWHERE:
            continue
        for column, text in _texts(session, table):
            for term in wanted:
                assert term not in text, f"{table.name}.{column} holds {term!r}"


def _texts(session: Session, table: sa.Table) -> Iterator[tuple[str, str]]:
    """Yield each column of a table with everything that is written in it."""
    columns = [
        column
        for column in table.columns
        if isinstance(column.type, sa.String | sa.Text | sa.JSON | sa.LargeBinary) or isinstance(getattr(column.type, "impl", None), sa.String)
    ]
    if not columns:
        return
    rows = session.execute(sa.select(*columns)).all()
    for place, column in enumerate(columns):
        yield column.name, "\n".join(_text(row[place]) for row in rows if row[place] is not None)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return zstandard.ZstdDecompressor().decompress(value[1:], max_output_size=4_000_000).decode()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def is_plain(form: Form) -> bool:
    """Tell whether a form can be checked without looking at the case: no earlier records, no lists of it, no files."""

    def every(fields: Any) -> Iterator[Any]:
        for entry in fields:
            yield entry
            yield from every(entry.fields)

    return (
        not form.needs_known
        and not form.checks
        and not any(
            entry.type == "filepicker" or "." in (entry.values_key or "") or entry.values_key in ("matches", "timeline")
            for entry in every(form.fields)
        )
    )


def players(stage: Stage, entries: list[Mapping[str, Any]], event: datetime, case_id: UUID | None = None) -> list[Player]:
    """Return a player for each case of a scenario."""
    return [
        Player(stage, script(entry, event + duration(entry.get("event", "PT0M"))), case_id if place == 0 else None)
        for place, entry in enumerate(entries)
    ]
