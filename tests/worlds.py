"""Worlds: databases in which a case has come to a step. Each is played once; tests roll back what they do, or take a copy."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session, sessionmaker

from engine import calendars, clock, work_items
from engine.actor import Actor, of_person
from engine.work_items import HandedIn
from models import OPEN_STATES, Base, Case, Deadline, Organisation, Person, WorkItem
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from tests import sharing
from web.demo.player import Player, Script, Stage, defaults, play

KINDS = ("sqlite", "postgresql")
BEGUN = ""
"""The furnished database, before any notice."""


@dataclass(frozen=True)
class Checkpoint:
    """A copy of the SQLite database at the moment at which a step is what is done next."""

    path: Path
    case_id: UUID | None
    moment: datetime


class Course:
    """One case played to its end by the defaults, a copy kept wherever another step comes next."""

    def __init__(self, template: Path, start: datetime, factory: pytest.TempPathFactory) -> None:
        self._template, self._start, self._factory = template, start, factory
        self._known: dict[str, Checkpoint] | None = None

    def at(self, element: str) -> Checkpoint:
        """Return the copy at a step."""
        if element == BEGUN:
            return Checkpoint(self._template, None, self._start)
        if self._known is None:
            folder = sharing.once(self._factory, "course", self._play)
            stored = json.loads((folder / "checkpoints.json").read_text())
            self._known = {
                step: Checkpoint(folder / f"{step}.db", UUID(case_id), datetime.fromisoformat(moment)) for step, (case_id, moment) in stored.items()
            }
        if element not in self._known:
            raise LookupError(f"the case does not come by there, but by {sorted(self._known)}")
        return self._known[element]

    def _play(self, folder: Path) -> None:
        front, stored = folder / "front.db", dict[str, tuple[str, str]]()
        shutil.copy(self._template, front)
        with time_machine.travel(self._start, tick=False) as traveller:
            calendars.forget()
            engine = connect(f"sqlite:///{front}")
            stage = Stage(sessions_of(engine), traveller.move_to)
            player = Player(stage, Script(event=defaults().begin["event"]))
            for _ in play(stage, [player]):
                upcoming = player.upcoming or "end"
                if upcoming not in stored:
                    raw = engine.raw_connection()
                    raw.driver_connection.execute("VACUUM INTO ?", (str(folder / f"{upcoming}.db"),))  # type: ignore[union-attr]
                    raw.close()
                    stored[upcoming] = str(player.case_id), clock.now().isoformat()
            engine.dispose()
        calendars.forget()
        (folder / "checkpoints.json").write_text(json.dumps(stored))


class Worlds:
    """The databases of a test process, by kind and step."""

    def __init__(self, course: Course, factory: pytest.TempPathFactory, ask: Callable[[str], Any]) -> None:
        self.course, self._factory, self._ask = course, factory, ask
        self._shared: dict[tuple[str, str], sa.Engine] = {}
        self._kept = ExitStack()

    def shared(self, kind: str, element: str) -> sa.Engine:
        """Return the engine of a database that nobody changes."""
        if (kind, element) not in self._shared:
            engine = self._shared[kind, element] = connect(self._kept.enter_context(self.copy(kind, element)))
            self._kept.callback(engine.dispose)
        return self._shared[kind, element]

    @contextmanager
    def copy(self, kind: str, element: str) -> Iterator[str]:
        """Yield the address of a database of one's own."""
        if kind == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                yield f"sqlite:///{shutil.copy(self.course.at(element).path, folder)}"
        else:
            with self._ask("postgres").database(self._postgres_at(element)) as url:
                yield url

    def close(self) -> None:
        """Give the connections and copies back."""
        self._kept.close()

    def _postgres_at(self, element: str) -> str:
        """Return the PostgreSQL database with the rows of the SQLite one, to be cloned."""
        if element == BEGUN:
            return str(self._ask("postgres_template"))
        name, postgres = f"step_{element}", self._ask("postgres")

        def make(_folder: Path) -> None:
            postgres.say(f"CREATE DATABASE {name}")
            target, source = connect(postgres.url(name)), connect(f"sqlite:///{self.course.at(element).path}")
            upgrade(target)
            pour(source, target)
            target.dispose()
            source.dispose()

        sharing.once(self._factory, name, make)
        return name


def pour(source: sa.Engine, target: sa.Engine) -> None:
    """Copy every row of one database to an empty one of another kind."""
    with source.connect() as reading, target.begin() as writing:
        for table in Base.metadata.sorted_tables:
            order = [table.c.path] if table.name == "organisations" else [column for column in (table.c.get("version"),) if column is not None]
            rows = [dict(row) for row in reading.execute(sa.select(table).order_by(*order)).mappings()]
            if rows:
                writing.execute(sa.delete(table))
                writing.execute(sa.insert(table), rows)
        writing.exec_driver_sql("SELECT setval(pg_get_serial_sequence('journal_entries', 'id'), (SELECT coalesce(max(id), 1) FROM journal_entries))")


class World:
    """A database at a step of its case, with its people, its present, and short ways to work in it."""

    def __init__(self, engine: sa.Engine, sessions: Sessions, case_id: UUID | None, traveller: time_machine.Coordinates) -> None:
        self.engine, self.sessions, self.traveller = engine, sessions, traveller
        self._case_id = case_id
        self.session = sessions()
        self._stage: Stage | None = None

    @property
    def stage(self) -> Stage:
        """A stage for players in this world."""
        if self._stage is None:
            self._stage = Stage(self.sessions, self.traveller.move_to)
            self._stage.cases = [self._case_id] if self._case_id else []
        return self._stage

    @property
    def case_id(self) -> UUID:
        """The key of the case that was played."""
        assert self._case_id is not None
        return self._case_id

    @property
    def case(self) -> Case:
        """The case that was played, as it is now."""
        return self.session.get_one(Case, self.case_id, populate_existing=True)

    def move(self, by: timedelta | datetime) -> None:
        """Move the present."""
        self.traveller.move_to(clock.now() + by if isinstance(by, timedelta) else by)

    def person(self, username: str) -> Person:
        """Return a person by username."""
        return self.session.scalars(sa.select(Person).where(Person.username == username)).one()

    def actor(self, username: str) -> Actor:
        """Return a person as who acts now."""
        return of_person(self.session, self.person(username))

    def item(self, element: str, *, of: str | None = None) -> WorkItem:
        """Return the open work item of a step; of one person where several have one."""
        query = sa.select(WorkItem).where(WorkItem.element == element, WorkItem.state.in_(OPEN_STATES)).order_by(WorkItem.path, WorkItem.id)
        if of is not None:
            query = query.where(WorkItem.person_id == self.person(of).id)
        return self.session.scalars(query.execution_options(populate_existing=True)).first() or self._missing(element)

    def _missing(self, element: str) -> WorkItem:
        found = self.session.scalars(sa.select(WorkItem.element).where(WorkItem.state.in_(OPEN_STATES))).all()
        raise AssertionError(f"{element} is not open: {sorted(found)}")

    def answers(self, item: WorkItem, who: str, **changes: Any) -> dict[str, Any]:
        """Return complete answers for a work item, as people give them."""
        player = Player(self.stage, Script(event=defaults().begin["event"]), item.case_id)
        step = {**self.stage.defaults.steps.get(item.element, {})}
        given = {**self.stage.defaults.answers.get(item.form, {}), **step.get("answers", {}), **changes}
        return player._answers(item, {"answers": given}, who)

    def hand_in(self, element: str, who: str, *, key: str | None = None, of: str | None = None, **changes: Any) -> HandedIn:
        """Hand in a step with complete answers, some of them changed."""
        item = self.item(element, of=of)
        answers = self.answers(item, who, **changes)
        return work_items.hand_in(self.session, self.actor(who), item.id, answers, key=key or uuid4().hex)

    def player(self, **script: Any) -> Player:
        """Return a player that goes on with the case."""
        return Player(self.stage, Script(event=defaults().begin["event"], **script), self._case_id)

    def play(self, until: str | None = None, *, new: bool = False, event: datetime | None = None, **script: Any) -> UUID:
        """Play on until a step is next, or to the end. Returns the case.

        Args:
            new: Another case begins.
        """
        player = Player(self.stage, Script(event=event or defaults().begin["event"], **script), None if new else self._case_id)
        if player.upcoming != until or until is None:
            for _ in play(self.stage, [player]):
                if until is not None and player.upcoming == until:
                    break
        assert player.upcoming == until, f"{until} is not next but {player.upcoming}"
        assert player.case_id is not None
        self.session.expire_all()
        return player.case_id

    def clocks(self, *keys: str) -> list[Deadline]:
        """Return the open deadlines of the case, of some limits or timers."""
        found = self.rows(Deadline, Deadline.case_id == self.case_id, Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None))
        return [row for row in found if not keys or row.key in keys]

    def place(self, code: str) -> Organisation:
        """Return an organisation by its code."""
        return self.session.scalars(sa.select(Organisation).where(Organisation.code == code)).one()

    def rows(self, model: type[Any], *conditions: sa.ColumnElement[bool]) -> list[Any]:
        """Return rows as they are in the database now."""
        return list(self.session.scalars(sa.select(model).where(*conditions).execution_options(populate_existing=True)))


@contextmanager
def rolled_back(engine: sa.Engine, case_id: UUID | None, traveller: time_machine.Coordinates) -> Iterator[World]:
    """Yield a world of which nothing stays: its commits are savepoints of one transaction."""
    calendars.forget()
    with engine.connect() as connection:
        outer = connection.begin()
        world = World(engine, sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint"), case_id, traveller)
        try:
            yield world
        finally:
            world.session.close()
            outer.rollback()
    calendars.forget()


def fingerprint(session: Session) -> dict[str, list[str]]:
    """Return everything that stands in a database, to be compared: what failed must have changed nothing."""
    found: dict[str, list[str]] = {}
    for table in Base.metadata.sorted_tables:
        if table.name != "procedure_files":
            found[table.name] = sorted(repr(tuple(row)) for row in session.execute(sa.select(table)))
    return found


@contextmanager
def counting(engine: sa.Engine) -> Iterator[list[str]]:
    """Yield the statements that are sent meanwhile; savepoints, of which the tests' own sessions are made, are not told."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_: object) -> None:
        if "SAVEPOINT" not in text:
            seen.append(text)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def resolved(answers: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return answers with some of them changed; None takes one away."""
    return {key: value for key, value in {**answers, **changes}.items() if value is not None}
