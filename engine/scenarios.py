"""Scenarios kept with a procedure, run in memory: who does what when, with which answers, and what must come of it.

The same files are played against a database by the demonstration and the tests. Here nothing is read or written, so some
expectations cannot be judged; they are told as such and never silently passed.
"""

from __future__ import annotations

import json
import re
import time as monotonic
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from engine import clock, environment, feel, forms, limits, procedures, profiles
from engine.limits import WorkingCalendar
from engine.procedures import Deployed
from engine.workflow import NotOpen, NotWaiting, WorkflowFailed, bounds
from engine.workflow.simulating import Opened, Surroundings, Walk

FOLDER = "scenarios/"
CAST, ANSWERS = "scenarios/defaults/cast.toml", "scenarios/defaults/answers/"
TOKEN = re.compile(r"@(now|today|event|event_day|sitting|workday)(?:([+-])(P\w+))?(?: (\d\d:\d\d))?")
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
HOURS = {"office": (time(8, 35), time(17, 20)), "day": (time(8), time(21))}
EVENT = datetime.fromisoformat("2026-10-22T16:40:00+08:00")
NOTICE_LIMITS = {"village": "notify_village", "township": "notify_township", "facility": "notify_facility", "other": "notify_facility"}
JUDGED = frozenset(
    {
        "walked",
        "never",
        "state",
        "course",
        "conclusion",
        "open",
        "records",
        "items",
        "extensions",
        "packets",
        "notices",
        "accountability",
        "due",
        "late",
        "done_by",
    }
)
MAX_ACTS = 1_000
MAX_SECONDS, MAX_ALL_SECONDS = 0.6, 0.9
"""Processor time of one scenario, after which it is not gone on with, and of all, after which no other is begun."""
ENDLESS = "the scenario does not come to an end"
MAX_ALL_BYTES = 300_000
"""Of all scenarios of a procedure, and of all answers and the cast that are kept with them: a megabyte takes a second to read."""
MAX_SCENARIOS = 200


class Unplayable(Exception):
    """The scenario does not fit its own language: a duration or moment that is none, a step that nobody can do."""


@dataclass(frozen=True)
class Scenario:
    """A scenario as it lies with the procedure; `problem` says why it cannot be read."""

    path: str
    key: str
    name: str
    name_en: str
    profile: str
    cases: tuple[Mapping[str, Any], ...]
    begin_at: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Judgement:
    """One expectation: what it is about, whether it holds (None: cannot be judged in memory), what was wanted and found."""

    what: str
    holds: bool | None
    wanted: str = ""
    found: str = ""


@dataclass
class CaseResult:
    """What came of one case of a scenario: the elements it passed with their instants, the steps that are open and the parts they lie in."""

    judgements: list[Judgement]
    walked: list[tuple[str, datetime]]
    current: dict[str, int]
    state: str
    failed: str = ""
    failed_at: str | None = None
    inside: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.failed and all(judgement.holds is not False for judgement in self.judgements)


@dataclass
class Result:
    """What came of a scenario, and how long it took."""

    scenario: Scenario
    cases: list[CaseResult]
    milliseconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether it came out as it says."""
        return not self.scenario.problem and bool(self.cases) and all(case.holds for case in self.cases)

    @property
    def not_judged(self) -> list[str]:
        """What nobody could judge in memory."""
        return sorted({judgement.what for case in self.cases for judgement in case.judgements if judgement.holds is None})


@dataclass(frozen=True)
class Defaults:
    """Who does each step and after how long, and complete answers for every form."""

    begin: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    answers: Mapping[str, Mapping[str, Any]]


def scenarios(files: Mapping[str, bytes]) -> list[Scenario]:
    """Return the scenarios among the files of a procedure; one that cannot be read is returned with its problem."""
    found, size = [], 0
    for path in sorted(files):
        name = path.removeprefix(FOLDER)
        if not path.startswith(FOLDER) or "/" in name or not name.endswith(".toml"):
            continue
        key = name[:-5]
        size += len(files[path])
        try:
            if size > MAX_ALL_BYTES:
                raise ValueError("the scenarios together are too large")
            said = said_of(files[path])
            cases = said.get("cases") or [{}]
            if not isinstance(cases, list) or not all(isinstance(entry, dict) for entry in cases):
                raise ValueError("cases")
            name = str(said.get("name", key))
            begin_at = said.get("begin_at") if isinstance(said.get("begin_at"), str) else None
            found.append(Scenario(path, key, name, str(said.get("name_en", name)), _profile(said), tuple(cases[:20]), begin_at))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            found.append(Scenario(path, key, key, key, profiles.DEFAULT, (), problem=str(error)[:200]))
    return found[:MAX_SCENARIOS]


def _profile(said: Mapping[str, Any]) -> str:
    return str(said.get("profile", profiles.DEFAULT))


def defaults(files: Mapping[str, bytes]) -> Defaults:
    """Return the defaults that lie with the scenarios; a procedure without them has none."""
    cast_of = _toml(files[CAST]) if CAST in files else {}
    answers: dict[str, Mapping[str, Any]] = {}
    left = MAX_ALL_BYTES
    for path, content in sorted(files.items()):
        if path.startswith(ANSWERS) and path.endswith(".toml"):
            left -= len(content)
            answers[path.removeprefix(ANSWERS)[:-5]] = _toml(content) if left >= 0 else {}
    return Defaults(cast_of.get("begin", {}), cast_of.get("steps", {}), answers)


def _toml(content: bytes) -> dict[str, Any]:
    try:
        return said_of(content)
    except (UnicodeDecodeError, ValueError, RecursionError):
        return {}


def run_scenarios(
    files: Mapping[str, bytes],
    *,
    only: str | None = None,
    content_of: Mapping[str, Mapping[str, Any]] | None = None,
    calendar: WorkingCalendar | None = None,
) -> list[Result]:
    """Run every scenario of a set of files, or the one named.

    Args:
        content_of: The contents of profiles by key; the shipped ones without it.
        calendar: The office's; the plain week without it.

    Raises:
        UnreadableDiagram, forms.UnreadableForm: the files cannot be made ready at all.
    """
    deployed = procedures.ready(UUID(int=0), files)
    known, standard = content_of or profiles.shipped(), defaults(files)
    office = calendar or WorkingCalendar(clock.zone())
    return [run(deployed, standard, scenario, known, office) for scenario in scenarios(files) if only is None or scenario.key == only]


def run(
    deployed: Deployed,
    standard: Defaults,
    scenario: Scenario,
    content_of: Mapping[str, Mapping[str, Any]],
    calendar: WorkingCalendar,
    seconds: float = MAX_SECONDS,
) -> Result:
    """Run one scenario.

    Args:
        seconds: Of processor time, after which it is not gone on with; its problem is then `ENDLESS`.
    """
    began = monotonic.perf_counter()
    if scenario.problem or scenario.profile not in content_of:
        return Result(_with_problem(scenario, scenario.problem or f"no profile {scenario.profile}"), [])
    stage = _Stage(deployed, standard, profiles.Values(content_of[scenario.profile]), calendar)
    try:
        plays = [_Play(stage, entry, place, scenario.begin_at if place == 0 else None) for place, entry in enumerate(scenario.cases)]
        stage.plays = plays
        _play(plays, seconds)
        results = [_judged(play) for play in plays]
    except Unplayable as error:
        return Result(_with_problem(scenario, str(error)), [])
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, feel.FeelError) as error:
        # a file that is TOML and no scenario
        return Result(_with_problem(scenario, f"{type(error).__name__}: {error}"[:200]), [])
    return Result(scenario, results, (monotonic.perf_counter() - began) * 1000)


def _with_problem(scenario: Scenario, problem: str) -> Scenario:
    return replace(scenario, problem=problem)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return one mapping over another, nested ones too; a list replaces a list, `@none` takes away."""
    found = dict(base)
    for key, value in over.items():
        if value == "@none":
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = merged(found[key], value)
        else:
            found[key] = value
    return found


def duration(text: str) -> timedelta:
    """Return a duration like `P1DT2H30M`.

    Raises:
        Unplayable: it is none.
    """
    match = DURATION.fullmatch(str(text))
    if match is None:
        raise Unplayable(f"{text!r} is no duration")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    if days > 36_500:
        raise Unplayable(f"{text!r} is no duration")
    return timedelta(days=days, hours=hours, minutes=minutes)


def key_of(kind: str, name: str) -> str:
    """Return the key that somebody or something of a scenario has in memory: the same name, the same key."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"pingshen:{kind}:{name}"))


def in_hours(calendar: WorkingCalendar, moment: datetime, hours: str, spread: str) -> datetime:
    """Return a moment, or the next one at which people work; `spread` keeps them from all beginning at once.

    Args:
        hours: A key of `HOURS`; anything else is around the clock.
    """
    if hours not in HOURS:
        return moment
    opens, closes = HOURS[hours]
    later = timedelta(minutes=zlib.crc32(spread.encode()) % 50)
    local = moment.astimezone(clock.zone()) + later
    early = datetime.combine(local.date(), opens, clock.zone()) + later
    if local.time() >= closes:
        local = early + timedelta(days=1)
    elif local.time() < opens:
        local = early
    while hours == "office" and not calendar.is_working_day(local.date()):
        local = datetime.combine(local.date() + timedelta(days=1), early.timetz())
    return local


def spoken(text: str, calendar: WorkingCalendar, *, event: datetime, now: datetime, sitting: Any) -> date | datetime:
    """Return the moment or day that a token like `@sitting-P3D 09:00` speaks of.

    Args:
        sitting: The instant of the sitting in wire form, or what stands in its place.

    Raises:
        Unplayable: it is no token, or there is no sitting.
    """
    match = TOKEN.fullmatch(text)
    if match is None:
        raise Unplayable(f"{text!r} is no token")
    word, sign, length, hour = match.groups()
    moment = event if word in ("event", "event_day") else now
    if word == "sitting":
        said = feel.from_wire(sitting)
        if not isinstance(said, datetime):
            raise Unplayable("there is no sitting")
        moment = said
    shift = duration(length) if length else timedelta()
    moment = (moment + shift if sign != "-" else moment - shift).astimezone(clock.zone()).replace(second=0, microsecond=0)
    while word == "workday" and not calendar.is_working_day(moment.date()):
        moment += timedelta(days=1)
    if hour:
        return datetime.combine(moment.date(), time.fromisoformat(hour), clock.zone())
    return moment.date() if word in ("today", "event_day", "workday") else moment


def all_of(names: str | Iterable[str]) -> list[str]:
    """Return the names where a scenario may write one or several."""
    return [names] if isinstance(names, str) else list(names)


# ── where it is played ──


class _Stage:
    """What the cases of one scenario share."""

    def __init__(self, deployed: Deployed, standard: Defaults, values: profiles.Values, calendar: WorkingCalendar) -> None:
        self.deployed, self.defaults, self.values, self.calendar = deployed, standard, values, calendar
        self.plays: list[_Play] = []
        self.people: dict[str, str] = {}
        self.surroundings = surroundings(deployed, values, calendar)

    def person(self, name: str) -> str:
        """Return the key of a person, and remember whose it is."""
        found = key_of("person", name)
        self.people[found] = name
        return found


def surroundings(
    deployed: Deployed,
    values: profiles.Values,
    calendar: WorkingCalendar,
    *,
    parties: Callable[[str | None, str | None, str], Mapping[str, str]] | None = None,
    owner_for: Callable[[str], str | None] | None = None,
    is_township: Callable[[str], bool] | None = None,
) -> Surroundings:
    """Return what a walk under a profile asks of the world; without more, an invented place with one office."""
    profile, zone = environment.wire(values.values), clock.zone()

    def surround(members: Callable[[], list[dict[str, Any]]]) -> feel.Environment:
        lent = environment.functions(values, calendar, members)
        return feel.Environment(now=clock.now(), zone=zone, calendar=calendar, functions=lent, names={"profile": profile})

    return Surroundings(
        environment=surround,
        limit=values.limit,
        calendar=calendar,
        parties=parties or _parties,
        owner_for=owner_for or (lambda to: to),
        is_township=is_township or (lambda key: key != forms.UNKNOWN),
        townships=townships(deployed),
    )


def townships(deployed: Deployed) -> dict[str, str]:
    """Return by form the answer that tells the township of the household."""
    return {key: form.township for key, form in deployed.forms.items() if form.township}


def _parties(facility: str | None, township: str | None, owner: str) -> dict[str, str]:
    found = {
        "owner": owner,
        "facility": facility,
        "township": township,
        "reporting": facility or township,
        "administration": key_of("organisation", "administration"),
        "upper": key_of("organisation", "upper"),
    }
    return {capacity: key for capacity, key in found.items() if key is not None}


@dataclass
class _Act:
    """The next thing that happens in a case."""

    at: datetime
    item: Opened | None = None
    step: Mapping[str, Any] = field(default_factory=dict)
    also: int | None = None


class _Play:
    """One case of a scenario, in memory."""

    def __init__(self, stage: _Stage, entry: Mapping[str, Any], place: int, begin_at: str | None) -> None:
        self.stage, self.entry, self.place, self.begin_at = stage, entry, place, begin_at
        begin = stage.defaults.begin.get("event", EVENT)
        event = begin if isinstance(begin, datetime) and begin.tzinfo else EVENT
        self.event = self.now = event + duration(entry.get("event", "PT0M"))
        self.last = self.event
        self.begin = {**stage.defaults.begin, **entry.get("notice", {})}
        self.steps, self.also = list(entry.get("steps", ())), list(entry.get("also", ()))
        self.leaves, self.answers = set(entry.get("leaves", ())), entry.get("answers", {})
        self.walk: Walk | None = None
        self.is_held, self.over = False, False
        self.failed, self.failed_at = "", cast("str | None", None)
        self.said_also: set[int] = set()
        self.unjudged: set[str] = set()
        self.late: dict[str, str] = {}
        self.due: dict[str, datetime] = {}
        self.notices, self.records = 1, Counter({"notice": 1})
        self.doers: dict[str, list[str | None]] = {}
        if any(row.get("refused_without") for row in [self.begin, *self.steps]) or any(row.get("do") == "try" for row in self.also):
            self.unjudged.add("refused")

    # planning

    def due_at(self) -> datetime | None:
        """Return when the next act is, timers included, or None when nothing is left to do."""
        if self.failed or self.over:
            return None
        act = self._plan()
        timer = self.walk.next_timer if self.walk is not None and not self.walk.is_over else None
        moments = [moment for moment in (act.at if act else None, timer if act else None) if moment is not None]
        return max(min(moments), self.now) if moments else None

    def act(self, at: datetime) -> None:
        """Do what is due at an instant: timers first."""
        self.now = max(at, self.now)
        try:
            if self.walk is not None and not self.walk.is_over and (timer := self.walk.next_timer) is not None and timer <= at:
                self.walk.fire(self.now)
                return
            act = self._plan()
            if act is None or act.at > self.now:
                return
            self.last = self.now
            if self.walk is None:
                self._notify()
            elif act.also is not None:
                self.said_also.add(act.also)
                self._also(self.also[act.also])
            elif act.item is not None:
                self._do(act.item, act.step)
        except WorkflowFailed as error:
            self.failed, self.failed_at = error.reason, error.element
        except (NotOpen, NotWaiting) as error:
            self.failed = f"{type(error).__name__} {act.item.element if act and act.item else ''}".strip()

    def _plan(self) -> _Act | None:
        if self.walk is None:
            return _Act(self.event + duration(self.begin.get("after", "PT0M")))
        found = self._earliest()
        if self.begin_at is not None and found is not None and found.item is not None and found.item.element == self.begin_at:
            self.begin_at, self.last = None, self.now  # until here everything went by the defaults
            found = self._earliest()
        return found or self._after_all()

    def _earliest(self) -> _Act | None:
        assert self.walk is not None
        acts = [act for item in self.walk.items.values() if (act := self._step(item)) is not None]
        wanted = [act for act in acts if act.also is not None or not self.is_held]
        return min(wanted, key=lambda act: (act.at, act.item.element if act.item else "", act.item.place if act.item else 0), default=None)

    def _step(self, item: Opened) -> _Act | None:
        """Return when and how an open step is done, or what else happens before it."""
        defaults_of = self.stage.defaults
        step = dict(defaults_of.steps.get(item.element, {}))
        is_begun = self.begin_at is None
        said = self.answers.get(item.form, {}) if is_begun else {}
        step["answers"] = merged(merged(defaults_of.answers.get(item.form, {}), said), step.get("answers", {}))
        for entry in self.steps if is_begun else ():
            if self._fits(entry, item):
                step = {**step, **entry, "answers": merged(step["answers"], entry.get("answers", {}))}
        after = str(step.get("after", "PT4H"))
        if isinstance(step.get("at"), datetime):
            at = max(item.at, step["at"])
        elif after.startswith("@"):
            at = max(item.at, self._moment(after, item))
        else:
            who = self.stage.people.get(item.person or "", "")
            spread = f"{item.element}{who}{'.'.join(item.path)}"
            at = in_hours(self.stage.calendar, item.at + duration(after), str(step.get("hours", "office")), spread)
        for index, also in enumerate(self.also if is_begun else ()):
            if index not in self.said_also and also.get("before") == item.element and self._fits({**also, "element": item.element}, item):
                at = self._moment(str(also["at"]), item) if "at" in also else max(at, self.last)
                return _Act(at + duration(also.get("after", "PT0M")), item, step, index)
        return None if step.get("leave") or (is_begun and item.element in self.leaves) else _Act(at, item, step)

    def _after_all(self) -> _Act | None:
        """Return what still happens when nobody has anything to do."""
        for index, also in enumerate(self.also):
            if index not in self.said_also and also.get("before") == "end":
                return _Act(self.last + duration(also.get("after", "PT0M")), also=index)
        return None

    def _fits(self, entry: Mapping[str, Any], item: Opened) -> bool:
        assert self.walk is not None
        if entry.get("element") != item.element:
            return False
        if "person" in entry and entry["person"] != self.stage.people.get(item.person or ""):
            return False
        if "item" in entry and (item.item is None or entry["item"] != list(self.walk.rectifications).index(item.item) + 1):
            return False
        return "time" not in entry or entry["time"] == 1 + sum(
            other.element == item.element and other.item == item.item and (item.person is None or other.person == item.person)
            for other in self.walk.done
        )

    # acting

    def _notify(self) -> None:
        said = merged(merged(self.stage.defaults.answers.get("notice", {}), self.answers.get("notice", {})), self.begin.get("answers", {}))
        answers = self._resolved(said, None)
        event_at = _instant(answers.get("event_dt")) or self.event
        learned_at, notified_at = _instant(answers.get("learned_dt")) or event_at, _instant(answers.get("notice_dt")) or self.now
        hop = str(answers.get("hop") or "facility")
        start = event_at if hop in ("facility", "other") else learned_at
        by = self.stage.person(all_of(self.begin.get("by", "reporter"))[0])
        township = answers.get("residence_area") or (key_of("organisation", "township of the reporter") if hop in ("village", "township") else None)
        kind = str(answers.get("case_kind") or self.stage.deployed.manifest.get("case_kind", ""))
        self.walk = Walk(
            self.stage.deployed.specification,
            self.stage.surroundings,
            kind=kind,
            event_at=event_at,
            clock_start=start,
            owner=key_of("organisation", "owner"),
            facility=answers.get("facility"),
            township=township,
        )
        key = NOTICE_LIMITS.get(hop, "notify_facility")
        limit = self.stage.values.limit(key) if key in self.stage.values.content["limits"] else None
        if limit is not None:
            self.due[key] = due = limits.reckon(limit, start, self.stage.calendar).due_at
            if notified_at > due:
                self.late[key] = str(answers.get("late_reason") or "")
        variables = {"hop": hop, "kind": kind, "reopened": False, "notice_at": feel.to_wire(notified_at), "reporter": by}
        self.walk.start(variables, self.now)

    def _do(self, item: Opened, step: Mapping[str, Any]) -> None:
        assert self.walk is not None
        doer, name = self._who(item, all_of(step.get("by", ())))
        answers = self._resolved(step["answers"], item)
        form = self.stage.deployed.forms.get(item.form)
        answers = _rows(form.fields, answers, f"{item.element}{len(self.walk.done)}") if form is not None else answers
        if item.clock is not None and self.now > item.clock.due_at:
            self.late.setdefault(item.clock.key, str(answers.get("late_reason") or ""))
        before = self.walk.notices
        self.walk.complete(item, answers, doer, self.now)
        self.notices += self.walk.notices - before
        self.records[item.form] += 1
        self.doers.setdefault(item.element, []).append(name)
        if self.walk.merged_into is not None:
            self._join(self.walk.merged_into)
            self.walk.merged_into = None

    def _who(self, item: Opened, wanted: Iterable[str]) -> tuple[str, str | None]:
        """Return who does a step: the person it is given to, else the first wanted one who may, else somebody of the role."""
        if item.person is not None:
            return item.person, self.stage.people.get(item.person)
        for name in wanted:
            if self.stage.person(name) != item.excluded:
                return self.stage.person(name), None if item.organisation != key_of("organisation", "owner") else name
        for number in ("", " 2"):
            found = key_of("person", f"{item.role}@{item.capacity}{number}")
            if found != item.excluded:
                return found, None
        raise Unplayable(f"nobody can do {item.element}")

    def _also(self, also: Mapping[str, Any]) -> None:
        assert self.walk is not None
        what = also.get("do")
        if what in ("hold", "resume"):
            self.is_held = what == "hold"
        elif what == "reopen" and self.walk.facts["state"] == "closed":
            self.walk.reopen(self.now)
            self.walk.start({"reopened": True}, self.now)
        elif what == "reopen":
            self.walk.send("reopened", self.now)
        elif what == "send":
            self.walk.send(str(also["message"]), self.now)
        elif what == "merge":
            self._join(key_of("case", str(also["into"])))
            self.walk.end("merged", self.now)

    def _join(self, into: str) -> None:
        """Let the notices of this case move to another one of the scenario; the earliest clock wins there."""
        assert self.walk is not None
        for other in self.stage.plays:
            if other is not self and other.walk is not None and into == key_of("case", str(other.place + 1)):
                other.notices, self.notices = other.notices + self.notices, 0
                other.records["notice"] += self.records["notice"]
                self.records["notice"] = 0
                other.due |= {key: due for key, due in self.due.items() if key not in other.due}
                other.walk.move_clock(self.walk.clock_start, max(self.now, other.walk.now))
                return
        raise Unplayable("there is no such case to merge into")

    # answers

    def _resolved(self, value: Any, item: Opened | None, path: tuple[str, ...] = ()) -> Any:
        """Return answers in wire form with every token in its place."""
        if isinstance(value, Mapping):
            return {key: self._resolved(inner, item, (*path, key)) for key, inner in value.items() if inner != "@none"}
        if isinstance(value, list):
            return [self._resolved(inner, item, path) for inner in value]
        if isinstance(value, datetime):
            return feel.to_wire(value if value.tzinfo else value.replace(tzinfo=clock.zone()))
        if not isinstance(value, str) or not value.startswith("@"):
            return feel.to_wire(value)
        word, _, rest = value.partition(" ")
        if word == "@person":
            return self.stage.person(rest)
        if word in ("@organisation", "@case"):
            return key_of(word[1:], rest)
        if word == "@file":
            return key_of("file", rest)
        if word == "@prefilled":
            return self._panel() if path and path[0] == "attendance" else None
        return feel.to_wire(self._value(value, item))

    def _panel(self) -> list[dict[str, Any]]:
        """Return who sits on the panel; together they are of the disciplines that the profile asks for: nobody here knows better."""
        assert self.walk is not None
        asked = list(self.stage.values.values.get("required_disciplines") or ()) or ["obstetrics"]
        recused = {row["person"] for row in self.walk.member_rows() if row["recused"]}
        rows: dict[str, dict[str, Any]] = {}
        for form in ("sitting", "resitting"):
            said = self.walk.answers.get(form, {})
            for row in [*(said.get("panel") or []), *(said.get("substitutes") or [])]:
                person = row["person"]
                presence = "recused" if person in recused else "present"
                rows.setdefault(person, {**row, "discipline": asked[len(rows) % len(asked)], "presence": presence})
        return list(rows.values())

    def _value(self, text: str, item: Opened | None) -> date | datetime:
        """Return the moment or day that a token speaks of."""
        return spoken(text, self.stage.calendar, event=self.event, now=self.now, sitting=(item.variables if item else {}).get("sitting_at"))

    def _moment(self, text: str, item: Opened | None) -> datetime:
        found = self._value(text, item)
        return found if isinstance(found, datetime) else datetime.combine(found, time(), clock.zone())


def _instant(wire: Any) -> datetime | None:
    found = feel.from_wire(wire) if wire is not None else None
    return found if isinstance(found, datetime) else None


def _rows(fields: Sequence[forms.Field], answers: Mapping[str, Any], seed: str) -> dict[str, Any]:
    """Give the rows of lists the keys that a form gives them."""
    found = dict(answers)
    for entry in fields:
        if entry.type == "group":
            if not entry.key:
                found |= _rows(entry.fields, found, seed)
            elif isinstance(found.get(entry.key), Mapping):
                found[entry.key] = _rows(entry.fields, found[entry.key], seed)
        elif entry.type == "dynamiclist" and entry.has_row_id and isinstance(found.get(entry.key), list):
            found[entry.key] = [
                {"row_id": key_of("row", f"{seed}{entry.key}{place}"), **row} if isinstance(row, Mapping) else row
                for place, row in enumerate(found[entry.key])
            ]
    return found


def _play(plays: Sequence[_Play], seconds: float) -> None:
    """Play the cases of a scenario in the order of time.

    Raises:
        Unplayable: it does not come to an end.
    """
    until = monotonic.thread_time() + seconds
    for _ in range(MAX_ACTS):
        if monotonic.thread_time() > until:
            break
        waiting = [(due, play.place) for play in plays if (due := play.due_at()) is not None]
        if not waiting:
            for play in plays:
                if play.walk is not None:
                    play.walk.dispose()
            return
        due, place = min(waiting)
        plays[place].act(due)
    raise Unplayable(ENDLESS)


# ── what came of it ──


def _judged(play: _Play) -> CaseResult:
    walk = play.walk
    if walk is None:
        return CaseResult([], [], {}, "", play.failed or "it did not begin")
    expected = play.entry.get("expect", {})
    judgements = [found for what, wanted in expected.items() for found in _judge(play, walk, what, wanted)]
    if "late" not in expected and (late := _late(play, walk)):
        judgements.append(Judgement("late", False, _shown({}), _shown(late)))
    judgements += [Judgement(what, None) for what in sorted(play.unjudged)]
    current = Counter(item.element for item in walk.items.values())
    walked = [(passed.element, passed.at) for passed in walk.walked]
    return CaseResult(judgements, walked, dict(current), str(walk.facts["state"]), play.failed, play.failed_at, walk.inside)


def _judge(play: _Play, walk: Walk, what: str, wanted: Any) -> list[Judgement]:
    if what not in JUDGED:
        return [Judgement(what, None, _shown(wanted))]
    passed = [step.element for step in walk.walked]
    reached = set(passed) | {item.element for item in walk.history}
    if what == "walked":
        steps = iter(passed)
        missed = next((step for step in wanted if step not in steps), None)
        return [Judgement(what, missed is None, _shown(wanted), "" if missed is None else missed)]
    if what == "never":
        came = [step for step in wanted if step in reached]
        return [Judgement(what, not came, _shown(wanted), _shown(came) if came else "")]
    if what == "records":
        found = {form: play.records.get(form, 0) for form in wanted}
        return [Judgement(what, found == dict(wanted), _shown(wanted), _shown(found))]
    if what == "done_by":
        judgements = []
        for element, names in wanted.items():
            who = play.doers.get(element, [])
            if len(who) != len(names):
                judgements.append(Judgement(f"done_by {element}", False, _shown(names), _shown([name or "?" for name in who])))
            elif None in who:
                judgements.append(Judgement(f"done_by {element}", None, _shown(names)))
            else:
                judgements.append(Judgement(f"done_by {element}", who == list(names), _shown(names), _shown(who)))
        return judgements
    if what == "due":
        known = {
            **walk.timed,
            **play.due,
            **{clock_.key: clock_.due_at for clock_ in walk.clocks if clock_.withdrawn_at is None or walk.ended_at is not None},
        }
        return [
            Judgement(f"due {limit}", known.get(limit) == play.event + duration(after), str(after), _since(known.get(limit), play.event))
            for limit, after in wanted.items()
        ]
    values: dict[str, Any] = {
        "state": walk.facts["state"],
        "course": walk.course,
        "conclusion": walk.facts["conclusion"],
        "open": sorted(item.element for item in walk.items.values()),
        "items": [row["state"] for row in walk.rectifications.values()],
        "extensions": [row["extensions"] for row in walk.rectifications.values()],
        "packets": walk.packets,
        "notices": play.notices,
        "accountability": sorted(walk.triggers),
        "late": _late(play, walk),
    }
    return [Judgement(what, values[what] == wanted, _shown(wanted), _shown(values[what]))]


def _late(play: _Play, walk: Walk) -> dict[str, str]:
    """Return the limits that were met too late, with the reason given."""
    found = {clock_.key: "" for clock_ in walk.clocks if clock_.met_at is not None and clock_.met_at > clock_.due_at and clock_.withdrawn_at is None}
    return {**found, **play.late}


def _since(moment: datetime | None, event: datetime) -> str:
    if moment is None:
        return ""
    minutes = round((moment - event).total_seconds() / 60)
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    clocked = (f"{hours}H" if hours else "") + (f"{left}M" if left else "")
    return f"P{f'{days}D' if days else ''}{f'T{clocked}' if clocked else ''}" if minutes else "PT0M"


def _shown(value: Any) -> str:
    """Return an expectation as a person reads it."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_shown(inner)}".strip() for key, inner in value.items()) or "—"
    if isinstance(value, list | tuple | set):
        return ", ".join(_shown(inner) for inner in value) or "—"
    return "—" if value is None else str(value)


# ── by hand ──

MAX_HAND = 150
MINUTE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class HandAct:
    """One act of a walk by hand.

    Attributes:
        what: `do` (finish an open step), `wait` (until the next timer is due), `send` (a message).
        name: The element, or the message.
        place: Of a step, its place among all that were offered.
        answers: What is said otherwise than by the defaults.
    """

    what: str
    name: str = ""
    place: int = 0
    answers: Mapping[str, Any] = field(default_factory=dict)


class Hand:
    """A walk by hand, played anew from its acts: nothing is kept between two of them.

    Attributes:
        problem: Why it does not go on; the acts after it are left out.
        begins: For each act, how many elements had been passed before it.
    """

    def __init__(self, deployed: Deployed, standard: Defaults, values: profiles.Values, calendar: WorkingCalendar, acts: Sequence[HandAct]) -> None:
        self.stage = _Stage(deployed, standard, values, calendar)
        self._play = _Play(self.stage, {}, 0, None)
        self.stage.plays = [self._play]
        self.problem, self.problem_at, self.begins, self.acts = "", cast("str | None", None), [], []
        self._dones: list[tuple[HandAct, Opened]] = []
        try:
            self._play.now = self._play.event + duration(self._play.begin.get("after", "PT0M"))
            self._play._notify()
            until = monotonic.thread_time() + MAX_SECONDS
            for act in acts[:MAX_HAND]:
                if monotonic.thread_time() > until:
                    raise Unplayable("the walk takes too long")
                self.begins.append(len(self.walk.walked))
                self._act(act)
                self.acts.append(act)
        except WorkflowFailed as error:
            self.problem, self.problem_at = error.reason, error.element
        except (NotOpen, NotWaiting):
            self.problem = "not_open"
        except (Unplayable, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            self.problem = str(error)[:200]
        finally:
            if self._play.walk is not None:
                self._play.walk.dispose()

    @property
    def walk(self) -> Walk:
        """The walk as far as it came."""
        assert self._play.walk is not None
        return self._play.walk

    @property
    def has_begun(self) -> bool:
        """Whether there is a walk at all."""
        return self._play.walk is not None

    def _act(self, act: HandAct) -> None:
        play, walk = self._play, self.walk
        if act.what == "wait":
            due = walk.next_timer
            if due is None:
                raise NotWaiting
            play.now = max(due, play.now)
            walk.fire(play.now)
            return
        play.now += MINUTE
        if act.what == "send":
            walk.send(act.name, play.now)
            return
        item = next((item for item in walk.items.values() if item.place == act.place and item.element == act.name), None)
        if item is None:
            raise NotOpen
        self._dones.append((act, item))
        play._do(item, {**self.step_of(item), "answers": merged(self.standard(item), act.answers)})

    def step_of(self, item: Opened) -> Mapping[str, Any]:
        """Return who does a step by the defaults."""
        return self.stage.defaults.steps.get(item.element, {})

    def standard(self, item: Opened) -> dict[str, Any]:
        """Return what a step answers by the defaults."""
        return merged(self.stage.defaults.answers.get(item.form, {}), self.step_of(item).get("answers", {}))

    def name_of(self, item: Opened) -> str:
        """Return the name of the person a step is given to, as the defaults call them."""
        return self.stage.people.get(item.person or "", "")

    def as_scenario(self, name: str, name_en: str) -> bytes:
        """Return the walk as a scenario that goes the same way: each step at the same moment, and where it must end."""
        walk, times = self.walk, Counter[tuple[str, str, str | None]]()
        steps: list[dict[str, Any]] = []
        for act, item in self._dones:
            steps.append(self._entry(item, times) | {"after": _since(item.done_at or item.at, item.at), "hours": "any"})
            if act.answers:
                steps[-1]["answers"] = dict(act.answers)
        steps += [self._entry(item, times) | {"leave": True} for item in walk.items.values()]
        also = [{"before": "end", "do": "send", "message": act.name, "by": "tangyining"} for act in self.acts if act.what == "send"]
        elements = self.stage.deployed.specification.elements
        passed = [step.element for step in walk.walked if elements[step.element].name and not elements[step.element].kind.endswith("Gateway")]
        late = _late(self._play, walk)
        expect = {"state": walk.facts["state"], "walked": passed, "open": sorted(item.element for item in walk.items.values())}
        expect |= {"late": late} if late else {}
        entry: dict[str, Any] = {"steps": steps, **({"also": also} if also else {}), "expect": expect}
        return toml({"name": name, "name_en": name_en, "cases": [entry]})

    def _entry(self, item: Opened, times: Counter[tuple[str, str, str | None]]) -> dict[str, Any]:
        who = self.name_of(item)
        times[item.element, who, item.item] += 1
        row: dict[str, Any] = {"element": item.element}
        if who:
            row["person"] = who
        if item.item is not None:
            row["item"] = list(self.walk.rectifications).index(item.item) + 1
        return row | {"time": times[item.element, who, item.item]}


# ── written ──


def toml(said: Mapping[str, Any]) -> bytes:
    """Return a scenario as a file: its cases and their steps as tables, the rest in a line each.

    Raises:
        ValueError: a value that TOML has no word for.
    """
    lines = [f"{_key(key)} = {_value(value)}" for key, value in said.items() if key != "cases" and value is not None]
    for case in said.get("cases", ()):
        lines += ["", "[[cases]]"]
        lines += [f"{_key(key)} = {_value(value)}" for key, value in case.items() if key not in ("steps", "also", "expect", "notice", "answers")]
        for name in ("notice", "answers"):
            if case.get(name):
                lines += ["", f"[cases.{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in case[name].items())]
        for name in ("steps", "also"):
            for row in case.get(name, ()):
                lines += ["", f"[[cases.{name}]]", *(f"{_key(key)} = {_value(value)}" for key, value in row.items())]
        if case.get("expect"):
            lines += ["", "[cases.expect]", *(f"{_key(key)} = {_value(value)}" for key, value in case["expect"].items())]
    return ("\n".join(lines) + "\n").encode()


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int | Decimal | float):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    raise ValueError(f"{type(value).__name__} has no word in TOML")


def said_of(content: bytes) -> dict[str, Any]:
    """Return what a scenario's file says.

    Raises:
        ValueError: it is not TOML, or larger than any scenario.
    """
    return bounds.scenario(content, Decimal)
