"""Plays cases as people would: the right person at the right moment, one transaction per command, through the engine alone.

A script says what differs from the defaults beside the procedure (`scenarios/defaults`): who does a step, after how
long, with which answers, and what else happens on the way. The demonstration and the tests are both played by it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from importlib import resources
from typing import Any, TypeVar
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine import attachments, calendars, cases, clock, errors, forms, notices, packets, permissions, work_items, worker
from engine.actor import Actor, of_person
from engine.permissions import Permission
from engine.scenarios import all_of, duration, in_hours, merged, spoken
from engine.transaction import transaction
from models import (
    OPEN_STATES,
    Appointment,
    Case,
    Deadline,
    HoldReason,
    Organisation,
    Person,
    RectificationItem,
    WorkItem,
    WorkItemState,
)
from models.database import Sessions

T = TypeVar("T")
PAPER = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


class CannotPlay(Exception):
    """The script does not fit the procedure: a refused form, an act that should have been refused, nobody for a step."""


# ── what is played ──


@dataclass(frozen=True)
class Defaults:
    """Who does each step and after how long, and complete answers for every form."""

    begin: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    answers: Mapping[str, Mapping[str, Any]]


@lru_cache(maxsize=4)
def defaults(procedure: str = "maternal_death") -> Defaults:
    """Return the defaults that lie beside a shipped procedure."""
    folder = resources.files("bpmn") / procedure / "scenarios" / "defaults"
    cast = _read(folder / "cast.toml")
    answers = {entry.name[:-5]: _read(entry) for entry in (folder / "answers").iterdir() if entry.name.endswith(".toml")}
    return Defaults(cast["begin"], cast["steps"], answers)


def _read(path: Any) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)


@dataclass(frozen=True)
class Script:
    """What is played for one case.

    Attributes:
        event: When the woman died.
        notice: How it begins: `by`, `after` the event, `answers`, `refused_without`, `key` of the command.
        steps: What differs: `element`; which one of it (`time` it is done, `person` it is for, `item` of the plan);
            `by`, `after` or `at`, `hours`, `answers`, `refused_without` (fields demanded), `leave` (nobody does it).
        also: What else happens `before` a step (or the `end`): `do` is hold, resume, reopen, merge, send or try;
            `at` a moment of its own, or `after` what was done last.
        leaves: Steps that nobody does.
        answers: Answers by form that replace the defaults.
    """

    event: datetime
    notice: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[Mapping[str, Any]] = ()
    also: Sequence[Mapping[str, Any]] = ()
    leaves: Sequence[str] = ()
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


# ── where it is played ──


class Stage:
    """A database, a clock that can be moved, and the people and institutions that live there.

    Args:
        move: Sets the present.
        opens: Every step is opened, as its page does, before it is handed in.
    """

    def __init__(self, sessions: Sessions, move: Callable[[datetime], None], *, opens: bool = False) -> None:
        self.sessions, self.move, self.opens = sessions, move, opens
        self.defaults = defaults()
        self.cases: list[UUID] = []
        with transaction(sessions, read_only=True) as session:
            self.people = {person.username: person for person in session.scalars(sa.select(Person))}
            self.organisations = {code: key for code, key in session.execute(sa.select(Organisation.code, Organisation.id))}  # noqa: C416 - rows, not pairs
            self.calendar = calendars.current(session)
            self._posts: dict[tuple[Any, UUID | None], list[str]] = {}
            for role, organisation, username in session.execute(
                sa.select(Appointment.role, Appointment.organisation_id, Person.username)
                .join(Person, Person.id == Appointment.person_id)
                .order_by(Person.username)
            ):
                self._posts.setdefault((role, organisation), []).append(username)
        self._names = {person.id: username for username, person in self.people.items()}

    def run(self, who: str, what: str, command: Callable[[Session, Actor], T]) -> T:
        """Carry out a command as a person, in a transaction of its own. `what` names it."""
        with transaction(self.sessions) as session:
            return command(session, of_person(session, self.people[who]))

    def fire(self) -> None:
        """Let every clock fire that is due; messages are left to the worker of the server."""
        while worker.fire_next(self.sessions):
            pass

    def advance(self, to: datetime) -> bool:
        """Move the present forward to a moment, or to where a clock wants something before. Returns whether one did."""
        with transaction(self.sessions, read_only=True) as session:
            instant = session.scalar(sa.select(sa.func.min(Deadline.next_at)).where(Deadline.next_at <= to))
        self.move(max(to if instant is None else instant, clock.now()))
        if instant is not None:
            self.fire()
        return instant is not None

    def who(self, item: WorkItem, wanted: Iterable[str]) -> str:
        """Return who does a work item: the person it is given to, else the first wanted one who may, else whoever may."""
        if item.person_id is not None:
            return self._names[item.person_id]
        able = [name for name in self._posts.get((item.role, item.organisation_id), []) if self.people[name].id != item.excluded_id]
        found = next((name for name in wanted if name in able), able[0] if able else None)
        if found is None:
            raise CannotPlay(f"nobody can do {item.element}")
        return found

    def username(self, person_id: UUID | None) -> str | None:
        """Return the username of a person's key."""
        return self._names.get(person_id) if person_id else None


@dataclass
class _Act:
    """The next thing that happens in a case."""

    at: datetime
    item: WorkItem | None = None
    step: Mapping[str, Any] = field(default_factory=dict)
    also: int | None = None


class Player:
    """Plays one case by its script, one act at a time."""

    def __init__(self, stage: Stage, script: Script, case_id: UUID | None = None) -> None:
        self.stage, self.script, self.case_id = stage, script, case_id
        self._done: set[int] = set()
        self._last = script.event if case_id is None else clock.now()
        self._next: _Act | None = None
        self._is_planned, self._revision = False, 0

    def forget(self) -> None:
        """Look at the rows again if somebody else changed the case."""
        if self.case_id is not None and self._is_planned:
            with transaction(self.stage.sessions, read_only=True) as session:
                self._is_planned = session.scalar(sa.select(Case.revision).where(Case.id == self.case_id)) == self._revision

    def due(self) -> datetime | None:
        """Return when the next act of the case is, or None when there is nothing left to do."""
        if not self._is_planned:
            self._next, self._is_planned = self._plan(), True
        return self._next.at if self._next else None

    @property
    def upcoming(self) -> str | None:
        """The step that is done next."""
        self.due()
        return self._next.item.element if self._next and self._next.item else None

    def act(self) -> None:
        """Do the next act."""
        self.due()
        act, self._is_planned = self._next, False
        if act is None:
            return
        self._last = max(act.at, clock.now())
        if self.case_id is None:
            self._notify()
        elif act.also is not None:
            self._done.add(act.also)
            self._also(self.script.also[act.also], act)
        elif act.item is not None:
            self._do(act.item, act.step)

    # planning

    def _plan(self) -> _Act | None:
        if self.case_id is None:
            return _Act(self.script.event + duration(self._begin.get("after", "PT0M")))
        with transaction(self.stage.sessions, read_only=True) as session:
            self._revision, held_at = session.execute(sa.select(Case.revision, Case.held_at).where(Case.id == self.case_id)).one()
            items = list(session.scalars(sa.select(WorkItem).where(WorkItem.case_id == self.case_id)))
            numbers = dict(
                session.execute(sa.select(RectificationItem.id, RectificationItem.number).where(RectificationItem.case_id == self.case_id)).all()
            )
        ordered = {key: place + 1 for place, (key, _) in enumerate(sorted(numbers.items(), key=lambda pair: pair[1]))}
        acts = [act for item in items if item.state in OPEN_STATES if (act := self._step(item, items, ordered)) is not None]
        return min((act for act in acts if act.also is not None or held_at is None), key=_in_order, default=None) or self._after_all()

    def _step(self, item: WorkItem, items: Sequence[WorkItem], ordered: Mapping[UUID, int]) -> _Act | None:
        """Return when and how an open step is done, or what else happens before it."""
        step = dict(self.stage.defaults.steps.get(item.element, {}))
        step["answers"] = merged(
            merged(self.stage.defaults.answers.get(item.form, {}), self.script.answers.get(item.form, {})), step.get("answers", {})
        )
        for entry in self.script.steps:
            if self._fits(entry, item, items, ordered):
                step = {**step, **entry, "answers": merged(step["answers"], entry.get("answers", {}))}
        after = step.get("after", "PT4H")
        if "at" in step:
            at = max(item.offered_at, step["at"])
        elif after.startswith("@"):
            at = max(item.offered_at, self._value(after, item))
        else:
            person = self.stage.username(item.person_id) or ""
            at = in_hours(self.stage.calendar, item.offered_at + duration(after), step.get("hours", "office"), f"{item.element}{person}{item.path}")
        for index, also in enumerate(self.script.also):
            if index not in self._done and also["before"] == item.element and self._fits({**also, "element": item.element}, item, items, ordered):
                at = self._value(also["at"], item) if "at" in also else max(at, self._last)
                return _Act(at + duration(also.get("after", "PT0M")), item, step, index)
        return None if step.get("leave") or item.element in self.script.leaves else _Act(at, item, step)

    def _after_all(self) -> _Act | None:
        """Return what still happens when nobody has anything to do."""
        for index, also in enumerate(self.script.also):
            if index not in self._done and also["before"] == "end":
                return _Act(self._last + duration(also.get("after", "PT0M")), also=index)
        return None

    def _fits(self, entry: Mapping[str, Any], item: WorkItem, items: Sequence[WorkItem], ordered: Mapping[UUID, int]) -> bool:
        if entry["element"] != item.element:
            return False
        if "person" in entry and entry["person"] != self.stage.username(item.person_id):
            return False
        if "item" in entry and (item.rectification_item_id is None or entry["item"] != ordered.get(item.rectification_item_id)):
            return False
        return "time" not in entry or entry["time"] == 1 + sum(
            other.state is WorkItemState.COMPLETED
            and other.element == item.element
            and other.rectification_item_id == item.rectification_item_id
            and (not item.is_assigned or other.person_id == item.person_id)
            for other in items
        )

    # acting

    @property
    def _begin(self) -> dict[str, Any]:
        return {**self.stage.defaults.begin, **self.script.notice}

    def _notify(self) -> None:
        begin, default = self._begin, self.stage.defaults.answers[notices.FORM]
        said = merged(merged(default, self.script.answers.get(notices.FORM, {})), begin.get("answers", {}))
        answers, who, once = self._resolved(said, None, (), {}), all_of(begin["by"])[0], begin.get("key") or uuid4().hex

        def take(session: Session, actor: Actor, answers: Mapping[str, Any]) -> notices.Taken:
            return notices.take(session, actor, answers, key=once)

        taken = self._ran(who, "notice", take, answers, begin.get("refused_without", ()))
        self.case_id = taken.case.id
        self.stage.cases.append(taken.case.id)

    def _do(self, item: WorkItem, step: Mapping[str, Any]) -> None:
        who = self.stage.who(item, all_of(step.get("by", ())))
        if item.state is WorkItemState.READY:
            self.stage.run(who, "claim", lambda session, actor: work_items.claim(session, actor, item.id))
        once = uuid4().hex

        def hand_in(session: Session, actor: Actor, answers: Mapping[str, Any]) -> work_items.HandedIn:
            return work_items.hand_in(session, actor, item.id, answers, key=once)

        self._ran(who, f"hand-in:{item.form}", hand_in, self._answers(item, step, who), step.get("refused_without", ()))

    def _answers(self, item: WorkItem, step: Mapping[str, Any], who: str) -> dict[str, Any]:
        shown: Mapping[str, Any] = {}
        if self.stage.opens or "@prefilled" in step["answers"].values():
            opened = self.stage.run(who, "show", lambda session, actor: work_items.show(session, actor, item.id))
            shown = forms.thaw(opened.answers)
        resolved: dict[str, Any] = self._resolved(step["answers"], item, (), shown, who)
        return resolved

    def _ran(
        self,
        who: str,
        what: str,
        command: Callable[[Session, Actor, Mapping[str, Any]], T],
        answers: Mapping[str, Any],
        demanded: Iterable[str],
    ) -> T:
        """Carry out a command with a form; before it, see that it is refused without each answer that is demanded."""
        for key in demanded:
            try:
                self.stage.run(who, f"refused:{key}", partial(_given, command, {name: said for name, said in answers.items() if name != key}))
            except errors.FormInvalid as error:
                if any(finding.path[0] == key for finding in error.findings):
                    continue
            raise CannotPlay(f"{what} by {who}: {key} was not demanded")
        try:
            return self.stage.run(who, what, partial(_given, command, answers))
        except errors.FormInvalid as error:
            found = "; ".join(f"{'.'.join(map(str, finding.path))}: {finding.zh or finding.sentence} {finding.fields}" for finding in error.findings)
            raise CannotPlay(f"{what} by {who}: {found}") from error

    def _also(self, also: Mapping[str, Any], act: _Act) -> None:
        who, reason = all_of(also.get("by", "tangyining"))[0], also.get("reason", "")

        def command(session: Session, actor: Actor) -> object:
            case = session.get_one(Case, self.case_id)
            reference = cases.reference(session, case)
            if also["do"] == "hold":
                return cases.hold(session, actor, reference, HoldReason(also["kind"]), reason)
            if also["do"] == "resume":
                return cases.resume(session, actor, reference, reason)
            if also["do"] == "reopen":
                return cases.reopen(session, actor, reference, reason)
            if also["do"] == "send":
                packet = packets.of_case(session, case.id, case.course)
                known_as = packet.number if packet and not permissions.allows(actor, Permission.CASE_READ) else reference
                return cases.send_message(session, actor, known_as, also["message"], reason)
            into = session.get_one(Case, self.stage.cases[also["into"] - 1])
            return cases.merge(session, actor, reference, cases.reference(session, into), reason)

        if also["do"] == "try":
            self._try(also, act)
        else:
            self.stage.run(who, also["do"], command)

    def _try(self, also: Mapping[str, Any], act: _Act) -> None:
        """Attempt the step that comes next and see it refused."""
        item = act.item
        if item is None:
            raise CannotPlay("nothing to try")
        who = all_of(also["by"])[0] if "by" in also else self.stage.who(item, all_of(act.step.get("by", ())))
        answers = self._resolved(act.step["answers"], item, (), {}, None)
        try:
            self.stage.run(who, "try", lambda session, actor: work_items.hand_in(session, actor, item.id, answers, key=uuid4().hex))
        except errors.EngineError as error:
            if type(error).__name__ == also["refused"]:
                return
            raise
        raise CannotPlay(f"{item.element} by {who} was not refused")

    # answers

    def _resolved(self, value: Any, item: WorkItem | None, path: tuple[str, ...], shown: Mapping[str, Any], who: str | None = None) -> Any:
        """Return answers with every token in its place."""
        if isinstance(value, Mapping):
            return {key: self._resolved(inner, item, (*path, key), shown, who) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner, item, path, shown, who) for inner in value if who or not str(inner).startswith("@file ")]
        if not isinstance(value, str) or not value.startswith("@") or value == "@none":
            return None if value == "@none" else value
        word, _, rest = value.partition(" ")
        if word == "@person":
            return str(self.stage.people[rest].id)
        if word == "@organisation":
            return str(self.stage.organisations[rest])
        if word == "@case":
            return str(self.stage.cases[int(rest) - 1])
        if word == "@prefilled":
            return shown.get(path[0])
        if word == "@file" and item is not None and who is not None:
            stored = self.stage.run(who, "file", lambda session, actor: attachments.store(session, actor, item.id, ".".join(path), PAPER, rest))
            return str(stored.id)
        return self._value(value, item)

    def _value(self, text: str, item: WorkItem | None) -> Any:
        """Return the moment or day that a token speaks of."""
        sitting = (item.variables if item else {}).get("sitting_at")
        return spoken(text, self.stage.calendar, event=self.script.event, now=clock.now(), sitting=sitting)


def _in_order(act: _Act) -> tuple[datetime, str, str]:
    return act.at, act.item.element if act.item else "", str(act.item.path if act.item else "")


def _given(command: Callable[[Session, Actor, Mapping[str, Any]], T], answers: Mapping[str, Any], session: Session, actor: Actor) -> T:
    return command(session, actor, answers)


def play(stage: Stage, players: Sequence[Player], until: datetime | None = None) -> Iterator[Player]:
    """Play several cases in the order of time, yielding after each act the player that acted; clocks run meanwhile.

    Nothing is done after `until`; the present ends there.
    """
    while True:
        waiting = [(due, place) for place, player in enumerate(players) if (due := player.due()) is not None and (until is None or due <= until)]
        if not waiting:
            break
        due, place = min(waiting)
        if stage.advance(due):  # a clock may have changed what comes next
            for player in players:
                player.forget()
            continue
        players[place].act()
        yield players[place]
    while until is not None and stage.advance(until):
        pass
    stage.fire()
