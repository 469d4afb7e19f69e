"""A case walked in memory: the same diagrams, the same expressions, nothing read and nothing written.

One workflow stays loaded from the first step to the last. What services do to a case is imitated by a small table, as far
as diagrams can see it: its state, its opening, the members of its committee, its rectification items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakMethod

from SpiffWorkflow.bpmn.util.event import BpmnEvent
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.spiff.specs.event_definitions import MessageEventDefinition
from SpiffWorkflow.util.event import Event
from SpiffWorkflow.util.task import TaskState

from engine import feel, limits
from engine.workflow import (
    NotOpen,
    NotWaiting,
    Outcome,
    Timer,
    WorkflowFailed,
    _finish,
    _item,
    _rest,
    _retime,
    _view,
    _walk,
    failures,
    library,
)
from engine.workflow.expressions import FeelEngine, Request, budgeted
from engine.workflow.leaner import TESTED
from engine.workflow.reading import Element, Plan, Specification, tables
from models import Role

ROLES = frozenset(role.value for role in Role)
FINAL = frozenset({"closed", "merged", "out_of_scope", "converted"})
PLAN_FORM = "rectification_plan"
MAX_TIMERS = 500
FINISHED = TaskState.FINISHED_MASK


@dataclass(frozen=True)
class Surroundings:
    """What a walk asks of the world outside.

    Attributes:
        environment: Makes what the expressions of a walk see, from a function that tells the standing of the committee's
            members; at each command its instant and `case` are put in.
        limit: Returns a limit of the profile, or None where the area does not keep it.
        calendar: Of the office.
        parties: Returns who has a part in the case, from its facility, township and institution in charge.
        owner_for: Returns the institution in charge for an organisation that a case is handed to, or None.
        is_township: Tells whether an answer names a township's centre.
        townships: By form, the answer that tells the township of the household.
    """

    environment: Callable[[Callable[[], list[dict[str, Any]]]], feel.Environment]
    limit: Callable[[str], limits.Limit | None]
    calendar: limits.WorkingCalendar
    parties: Callable[[str | None, str | None, str], Mapping[str, str]]
    owner_for: Callable[[str], str | None] = lambda to: to
    is_township: Callable[[str], bool] = lambda key: True
    townships: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Clock:
    """A limit that runs: of one step, or over several (`element` is None then)."""

    key: str
    element: str | None
    start_at: datetime
    due_at: datetime
    met_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def is_late(self, now: datetime) -> bool:
        """Tell whether it is, or was met, past its limit."""
        return self.withdrawn_at is None and (self.met_at or now) > self.due_at


@dataclass(eq=False)
class Opened:
    """A step that was offered to somebody: where, to whom, and how it ended."""

    task_id: UUID
    element: str
    path: tuple[str, ...]
    form: str
    role: str
    capacity: str
    organisation: str
    person: str | None
    excluded: str | None
    item: str | None
    variables: Mapping[str, Any]
    at: datetime
    place: int
    clock: Clock | None = None
    done_at: datetime | None = None
    done_by: str | None = None
    exited_at: datetime | None = None
    is_invented: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it still waits for somebody."""
        return self.done_at is None and self.exited_at is None


class Passed(NamedTuple):
    """An element that was passed, and when."""

    element: str
    at: datetime


class Walk:
    """A case on its way through a specification, in memory.

    Args:
        kind: The kind of the case.
        parties: `facility` and `township` may be None.

    Attributes:
        now: The instant of the last command.
        facts: What expressions read as `case`.
        walked: Every element passed, in order.
        history: Every step that was ever offered, in order.
        items: Those that are open.
        requests: Every service wish, in order.
        clocks: Every limit that was started.
        has_gaps: Whether a step was done without answers.
        timed: When each timer event of the diagram was due last.
        entered: The parts that were begun, by name.
    """

    def __init__(
        self,
        specification: Specification,
        surroundings: Surroundings,
        *,
        kind: str,
        event_at: datetime,
        clock_start: datetime,
        owner: str,
        facility: str | None = None,
        township: str | None = None,
    ) -> None:
        self.specification, self.surroundings = specification, surroundings
        self.owner, self.facility, self.township = owner, facility, township
        self.parties = surroundings.parties(facility, township, owner)
        zone = surroundings.calendar.zone
        self.facts: dict[str, Any] = {
            "kind": kind,
            "state": "notified",
            "event_at": feel.to_wire(event_at.astimezone(zone)),
            "clock_start": feel.to_wire(clock_start.astimezone(zone)),
            "opened_at": None,
            "has_facility": facility is not None,
            "has_township": township is not None,
            "is_reopened": False,
            "conclusion": None,
        }
        self.now = event_at
        self.clock_start = clock_start
        self.course = 0
        self.entered: set[str] = set()
        self.walked: list[Passed] = []
        self.history: list[Opened] = []
        self.items: dict[UUID, Opened] = {}
        self.timers: dict[UUID, Timer] = {}
        self.timed: dict[str, datetime] = {}
        self.messages: dict[UUID, tuple[str, str]] = {}
        self.requests: list[Request] = []
        self.clocks: list[Clock] = []
        self.states: list[tuple[str, datetime]] = [("notified", event_at)]
        self.answers: dict[str, Mapping[str, Any]] = {}
        self.done: list[Opened] = []
        self.packets = 0
        self.notices = 1
        self.triggers: list[str] = []
        self.rectifications: dict[str, dict[str, Any]] = {}
        self.merged_into: str | None = None
        self.has_gaps = False
        self.called_at: datetime | None = None
        self.crossed: set[tuple[int, str]] = set()
        self.ended_at: datetime | None = None
        self.is_completed = False
        rows = WeakMethod(self.member_rows)  # no cycle: a walk is freed as soon as nobody looks at it
        self._base = surroundings.environment(lambda: method() if (method := rows()) is not None else [])
        self._names = {**dict.fromkeys(specification.variables), **self._base.names}
        self._members: dict[str, dict[str, Any]] | None = None
        self._workflow: library.Workflow | None = None
        self._due: datetime | None = None  # when something may next move by itself
        self._engine: FeelEngine | None = None

    # ── commands ──

    def start(self, variables: Mapping[str, Any], at: datetime) -> None:
        """Begin the workflow of the next course with routing variables in wire form.

        Raises:
            WorkflowFailed: the diagram could not be walked; the walk is of no use any more.
        """
        self.dispose()
        self.course += 1
        self.ended_at, self.is_completed, self._members = None, False, None
        self.items, self.timers, self.messages = {}, {}, {}
        engine = self._engine = FeelEngine(self._environment(at), self.specification.decisions)

        def begin() -> library.Workflow:
            workflow = library.Workflow(self.specification.spec, self.specification.parts, script_engine=engine, is_numbered=True)
            workflow.task_tree.data.update(variables)
            workflow.entered = self.entered
            return workflow

        self._command(at, lambda workflow: None, begin=begin)

    def complete(
        self,
        opened: Opened | UUID,
        answers: Mapping[str, Any] | None,
        person: str,
        at: datetime,
        *,
        record: str = "",
        called_at: datetime | None = None,
    ) -> None:
        """Finish an open step as a person does who hands it in.

        Args:
            answers: In wire form; None for a step of which nothing is known: its outputs are then null.

        Raises:
            NotOpen: it is not open, perhaps since a timer fired first.
            WorkflowFailed: see `start`.
        """
        task_id = opened if isinstance(opened, UUID) else opened.task_id
        item = self.items.get(task_id)
        if item is None or self.is_over:
            raise NotOpen
        self.has_gaps = self.has_gaps or answers is None
        if answers is not None:
            self.answers[item.form] = answers
            self._settle_township(item.form, answers)
        names = {"answers": answers or {}, "person": person, "record": record}

        def act(workflow: library.Workflow) -> Any:
            for scope in workflow.scopes():
                task = scope.tasks.get(task_id)
                if task is not None and task._state == TaskState.READY:
                    element = self.specification.elements[task.task_spec.bpmn_id]
                    if answers is None:
                        task.data.update({variable: None for variable, _ in element.outputs})
                        task.run()
                    else:
                        _finish(task, element, names, self._engine.environment_of_command)  # type: ignore[union-attr]
                    return task
            raise NotOpen

        self._command(at, act, names=names, completed=item)

    def advance(self, to: datetime) -> None:
        """Let every timer fire that is due until an instant, each at its own.

        Raises:
            WorkflowFailed: see `start`; also when timers come up again and again.
        """
        for _ in range(MAX_TIMERS):
            if self.is_over or (due := self.next_timer) is None or due > to:
                return
            self.fire(max(due, self.now))
        raise WorkflowFailed("the timers come up again and again")

    def fire(self, at: datetime) -> None:
        """Let every timer fire that is due at an instant."""
        before = dict(self.timers)
        self._command(at, lambda workflow: None)
        for task_id in [key for key, timer in self.timers.items() if before.get(key) == timer and timer.due_at <= at]:
            del self.timers[task_id]  # the diagram does not wait for it in truth

    def send(self, message: str, at: datetime) -> None:
        """Deliver a message.

        Raises:
            NotWaiting: nothing waits for it now.
            WorkflowFailed: see `start`.
        """
        if self.is_over or message not in {name for name, _ in self.messages.values()}:
            raise NotWaiting

        def act(workflow: library.Workflow) -> None:
            try:
                workflow.send_event(BpmnEvent(MessageEventDefinition(message), payload={}))
            except WorkflowException:
                raise NotWaiting from None

        self._command(at, act)
        if message == "reopened":
            self.facts["is_reopened"] = True

    def reopen(self, at: datetime) -> None:
        """Send a closed case back to be reviewed again; `start` then begins its next course."""
        self.state("verified", at)
        self.facts["is_reopened"] = True

    def end(self, state: str, at: datetime) -> None:
        """End all work from outside, as merging does."""
        self.state(state, at)
        self._over(at)

    def move_clock(self, start: datetime, at: datetime) -> None:
        """Let the clock of the case begin earlier: limits and timers that are reckoned from it follow."""
        if start >= self.clock_start:
            return
        before, self.clock_start = self.clock_start, start
        self.facts["clock_start"] = feel.to_wire(start.astimezone(self.surroundings.calendar.zone))
        for clock in self.clocks:
            limit = self._limit(clock.key) if clock.start_at == before and clock.met_at is None and clock.withdrawn_at is None else None
            if limit is not None:
                instants = limits.reckon(limit, start, self.surroundings.calendar)
                clock.start_at, clock.due_at = instants.start_at, instants.due_at
        if not self.is_over:
            self._command(at, _retime)

    def dispose(self) -> None:
        """Free the memory at once."""
        if self._workflow is not None:
            library.dispose(self._workflow)
            self._workflow = None

    # ── questions ──

    @property
    def is_over(self) -> bool:
        """Whether the case has ended or its workflow has."""
        return self.ended_at is not None or self._workflow is None

    @property
    def next_timer(self) -> datetime | None:
        """The instant at which the next timer is due."""
        return min((timer.due_at for timer in self.timers.values()), default=None)

    @property
    def inside(self) -> tuple[str, ...]:
        """The parts in which a step is open."""
        return tuple(dict.fromkeys(element for item in self.items.values() for element in item.path))

    def member_rows(self) -> list[dict[str, Any]]:
        """The committee's members on this case, as expressions see them."""
        rows = sorted((self._members or {}).values(), key=lambda row: (row["released_at"], row["person"]))
        return [{"person": row["person"], "recused": row["recused"], "advisory": row["advisory"]} for row in rows]

    def state(self, state: str, at: datetime) -> None:
        """Note how far the case has come."""
        self.facts["state"] = state
        self.states.append((state, at))

    # ── the walk itself ──

    def _environment(self, at: datetime) -> feel.Environment:
        return self._base.at(at, {**self._names, "case": dict(self.facts)})

    def _command(
        self,
        at: datetime,
        act: Callable[[library.Workflow], Any],
        *,
        begin: Callable[[], library.Workflow] | None = None,
        names: Mapping[str, Any] | None = None,
        completed: Opened | None = None,
    ) -> None:
        """What `engine.workflow._command` does between loading and saving, and what the projection does after it."""
        outcome = Outcome()
        self.now, self.called_at = at, None
        engine = self._engine
        assert engine is not None
        environment = engine.environment_of_command = budgeted(self._environment(at))
        engine.requests = []
        with library.at(at), failures():
            if begin is not None:
                self._workflow = begin()
            workflow = self._workflow
            assert workflow is not None
            workflow.steps = 0
            if begin is not None or (self._due is not None and self._due <= at):  # else nothing moves by itself: it came to rest
                _rest(workflow, self.specification, outcome)
            task = act(workflow)
            if completed is not None:
                _walk(task, self.specification, outcome, names or {})
            _rest(workflow, self.specification, outcome)
            self._prune(workflow)
            view = _view(workflow)
            self.is_completed = workflow.completed
        self._follow(outcome, engine.requests, environment)
        self.timers, self.messages = view.timers, view.messages
        self._due = self.next_timer
        self.timed |= {timer.element: timer.due_at for timer in view.timers.values()}
        if completed is not None:
            completed.done_at, completed.done_by = at, str((names or {}).get("person") or "")
            del self.items[completed.task_id]
            self.done.append(completed)
            if completed.clock is not None:
                completed.clock.met_at = max(self.called_at or at, completed.clock.start_at)
        for gone in [key for key in self.items if key not in view.items]:
            item = self.items.pop(gone)
            item.exited_at = at
            if item.clock is not None:
                item.clock.withdrawn_at = at
        for task_id, found in view.items.items():
            if task_id not in self.items:
                opened = self._offer(_item(found), environment)
                self.items[task_id] = opened
                self.history.append(opened)
        if self.facts["state"] in FINAL:
            if self.ended_at is None:
                self._over(at)
        elif self.is_completed:
            raise WorkflowFailed("the diagram ended without a final state of the case")

    def _prune(self, workflow: library.Workflow) -> None:
        """Leave finished parts behind, as saving does."""
        parts = workflow.subprocesses
        for task_id in [key for key, part in parts.items() if part.completed and part.parent_workflow.tasks[key]._state & FINISHED]:
            library.leave(workflow, task_id)

    def _over(self, at: datetime) -> None:
        self.ended_at = at
        for item in self.items.values():
            item.exited_at = at
        self.items, self.timers, self.messages = {}, {}, {}
        for clock in self.clocks:
            if clock.met_at is None and clock.withdrawn_at is None:
                clock.withdrawn_at = at
        self.dispose()

    def _follow(self, outcome: Outcome, requests: Sequence[Request], environment: feel.Environment) -> None:
        """Go along what was passed: services, states, clocks over several steps."""
        wishes = iter(requests)
        elements = self.specification.elements
        met: list[str] = []
        for element_id, names in outcome.walked:
            element = elements[element_id]
            self.walked.append(Passed(element_id, self.now))
            if element.kind == "serviceTask":
                self._carry_out(next(wishes))
            if element.state is not None:
                self.state(element.state, self.now)
            for key, text in element.arms:
                self._arm(key, text, names, element, environment)
            met += element.meets
        for clock in self.clocks:
            if clock.element is None and clock.key in met and clock.met_at is None and clock.withdrawn_at is None:
                clock.met_at = self.now

    def _arm(self, key: str, text: str | None, names: Mapping[str, Any], element: Element, environment: feel.Environment) -> None:
        limit = self._limit(key)
        if limit is None or any(clock.element is None and clock.key == key and clock.withdrawn_at is None for clock in self.clocks):
            return
        start = self._instant(text, names, element.id, environment) if text else self.now
        instants = limits.reckon(limit, start, self.surroundings.calendar)
        self.clocks.append(Clock(key, None, instants.start_at, instants.due_at))

    def _offer(self, item: Any, environment: feel.Environment) -> Opened:
        """Make of an open task what its work item would be, with its clock."""
        element = self.specification.elements[item.element]
        plan = element.plan
        if plan is None or element.role is None:
            raise WorkflowFailed("a task without a form or a lane", item.element)

        def value(text: str | None) -> Any:
            return self._value(text, item.variables, item.element, environment) if text is not None else None

        rectification = _text(value(plan.item))
        capacity = plan.organisation or "owner"
        carried = self.rectifications.get(rectification or "", {}).get("organisation")
        organisation = carried if capacity == "item" else self.parties.get(capacity)
        if organisation is None:
            raise WorkflowFailed(f"the case has no {plan.organisation}", item.element)
        role = value(plan.role) if plan.role else element.role
        if not isinstance(role, str) or role not in ROLES:  # a row would refuse it too; and what it is may be an answer
            raise WorkflowFailed("the role of the step is none", item.element)
        opened = Opened(
            task_id=item.task_id,
            element=element.id,
            path=item.path,
            form=plan.form,
            role=role,
            capacity=capacity,
            organisation=organisation,
            person=_text(value(plan.person)),
            excluded=_text(value(plan.exclude)),
            item=rectification,
            variables=item.variables,
            at=self.now,
            place=len(self.history),
        )
        opened.clock = self._clock(plan, item, environment)
        if opened.clock is not None:
            self.clocks.append(opened.clock)
        return opened

    def _clock(self, plan: Plan, item: Any, environment: feel.Environment) -> Clock | None:
        if not plan.due and not plan.limit:
            return None
        start = self._instant(plan.clock_start, item.variables, item.element, environment) if plan.clock_start else self.now
        start = min(start, self.now)
        if plan.due:
            end = feel.from_wire(self._value(plan.due, item.variables, item.element, environment))
            if isinstance(end, date) and not isinstance(end, datetime):
                end = limits.end_of_day(end, self.surroundings.calendar)
            if not isinstance(end, datetime) or end.tzinfo is None:
                return None
            instants = limits.until(start, end)
            return Clock(plan.limit or item.element, item.element, instants.start_at, instants.due_at)
        limit = self._limit(plan.limit or "")
        if limit is None:
            return None
        instants = limits.reckon(limit, start, self.surroundings.calendar)
        return Clock(limit.key, item.element, instants.start_at, instants.due_at)

    def _limit(self, key: str) -> limits.Limit | None:
        try:
            return self.surroundings.limit(key)
        except KeyError:
            return None

    def _value(self, text: str, names: Mapping[str, Any], element: str, environment: feel.Environment) -> Any:
        try:
            return feel.evaluate(text, names, environment)
        except feel.FeelError as error:
            raise WorkflowFailed(str(error), element) from error

    def _instant(self, text: str, names: Mapping[str, Any], element: str, environment: feel.Environment) -> datetime:
        value = feel.from_wire(self._value(text, names, element, environment))
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise WorkflowFailed(f"{text!r} is no instant", element)
        return value

    # ── the case, imitated ──

    def _settle_township(self, form: str, answers: Mapping[str, Any]) -> None:
        key = self.surroundings.townships.get(form)
        said = answers.get(key) if key and self.township is None else None
        if isinstance(said, str) and self.surroundings.is_township(said):
            self.township = said
            self.facts["has_township"] = True
            self.parties = self.surroundings.parties(self.facility, self.township, self.owner)

    def _carry_out(self, request: Request) -> None:
        effect = SERVICES.get(request.service)
        if effect is None:
            raise WorkflowFailed(f"no service {request.service!r}", request.element)
        self.requests.append(request)
        try:
            effect(self, request.arguments)
        except (KeyError, TypeError, ValueError) as error:
            if self.has_gaps:
                return  # what nobody answered cannot be handed to a service
            raise WorkflowFailed(f"{request.service}: {type(error).__name__}", request.element) from error


# ── what two versions have in common ──


def unchanged(was: Specification, would: Specification) -> frozenset[str] | None:
    """Return the parts that are the same in two specifications, down to the last attribute; None if no walk can be the same in both.

    Outside its parts a walk knows only the process it begins with, the decision tables, and the variables that are null until
    they are set.
    """
    if was.variables != would.variables or tables(was.files) != tables(would.files) or not _alike(was.spec, would.spec, set()):
        return None
    return frozenset(name for name, part in was.parts.items() if name in would.parts and _alike(part, would.parts[name], set()))


def is_same(walk: Walk, would: Specification, parts: frozenset[str] | None) -> bool:
    """Tell whether a walk would be the same through another specification, step by step, so that nobody need walk it.

    What a walk does next follows from where it stands and from what it looks at: the process it began with, the parts it is in,
    the decision tables, and what is drawn at the elements it passes or offers (forms, roles, limits, outputs, states). If all of
    these are the same in the other specification for the whole walk, then by induction each of its steps is. Profile, calendar,
    institutions and acts are the caller's, and the same for both.

    Args:
        parts: What `unchanged` returned for the walk's specification and the other one.
    """
    if parts is None or not walk.entered <= parts:
        return False
    met = {step.element for step in walk.walked} | {item.element for item in walk.history}
    return all(walk.specification.elements[element] == would.elements.get(element) for element in met)


def _alike(one: Any, other: Any, seen: set[tuple[int, int]]) -> bool:
    """Tell whether two objects of the library are of one class and have the same attributes, all the way down.

    Args:
        seen: The pairs that are being compared further up, by the addresses of what both specifications keep alive.
    """
    if type(one) is not type(other):
        return False
    if one is other or isinstance(one, Event):  # who listens to an element is the library's own business
        return True
    pair = id(one), id(other)
    if pair in seen:
        return True
    if isinstance(one, list | tuple):
        seen.add(pair)
        return len(one) == len(other) and all(_alike(left, right, seen) for left, right in zip(one, other, strict=True))
    if isinstance(one, dict):
        left, right = one, other
    elif isinstance(one, type) or not hasattr(one, "__dict__"):
        return bool(one == other)
    else:
        left, right = _drawn(one), _drawn(other)
    seen.add(pair)
    return left.keys() == right.keys() and all(_alike(value, right[name], seen) for name, value in left.items())


def _drawn(found: Any) -> dict[str, Any]:
    """Return the attributes of an object of the library but for what was noted of it while it ran."""
    return {name: value for name, value in vars(found).items() if name != TESTED}


def _text(value: Any) -> str | None:
    return str(value) if value else None


# ── what services do to a case, as far as its diagrams can see it ──


def _open_case(walk: Walk, _arguments: Mapping[str, Any]) -> None:
    walk.facts["opened_at"] = walk.facts["opened_at"] or feel.to_wire(walk.now.astimezone(walk.surroundings.calendar.zone))
    walk.state("opened", walk.now)


def _merge_case(walk: Walk, arguments: Mapping[str, Any]) -> None:
    walk.merged_into = str(arguments["into"])


def _transfer_case(walk: Walk, arguments: Mapping[str, Any]) -> None:
    owner = walk.surroundings.owner_for(str(arguments["to"]))
    if owner is None or owner == walk.owner:
        raise ValueError("nobody to hand it to")
    walk.owner = owner
    walk.parties = walk.surroundings.parties(walk.facility, walk.township, owner)


def _conclude(walk: Walk, arguments: Mapping[str, Any]) -> None:
    walk.facts["conclusion"] = str(arguments["code"])


def _pass_notice_on(walk: Walk, arguments: Mapping[str, Any]) -> None:
    walk.notices += 1
    called_at = feel.from_wire(arguments["notified_at"])
    walk.called_at = called_at if isinstance(called_at, datetime) else None


def _make_packet(walk: Walk, _arguments: Mapping[str, Any]) -> None:
    walk.packets += 1
    walk._members = {}


def _release_packet(walk: Walk, arguments: Mapping[str, Any]) -> None:
    if walk._members is None:
        raise ValueError("no packet")
    for person in arguments["people"]:
        walk._members.setdefault(person, {"person": person, "recused": False, "advisory": False, "released_at": walk.now})


def _admit(walk: Walk, arguments: Mapping[str, Any]) -> None:
    row = _reader(walk, arguments["person"])
    if row is not None:
        row["advisory"] = bool(arguments.get("advisory"))


def _recuse(walk: Walk, arguments: Mapping[str, Any]) -> None:
    row = _reader(walk, arguments["person"])
    if row is not None:
        row["recused"] = True


def _reader(walk: Walk, person: str) -> dict[str, Any] | None:
    if walk._members is None:
        raise ValueError("no packet")
    return walk._members.get(person)


def _check_packet(walk: Walk, _arguments: Mapping[str, Any]) -> None:
    if walk._members is None:
        raise ValueError("no packet")


def _withdraw_packet(walk: Walk, _arguments: Mapping[str, Any]) -> None:
    walk._members = None


def _raise_items(walk: Walk, _arguments: Mapping[str, Any]) -> None:
    for row in walk.answers.get(PLAN_FORM, {}).get("items") or []:
        walk.rectifications.setdefault(row["row_id"], {"state": "open", "extensions": 0, "organisation": row.get("unit")})


def _note_item(walk: Walk, arguments: Mapping[str, Any]) -> None:
    row = walk.rectifications.get(str(arguments["item"]))
    if row is None:
        raise ValueError("no such item")
    if arguments["state"] == "extended":
        row["extensions"] += 1
        row["state"] = "open"
    else:
        row["state"] = str(arguments["state"])


def _hand_over(walk: Walk, arguments: Mapping[str, Any]) -> None:
    trigger = str(arguments["trigger"])
    if (walk.course, trigger) not in walk.crossed:
        walk.crossed.add((walk.course, trigger))
        walk.triggers.append(trigger)


def _nothing(_walk: Walk, _arguments: Mapping[str, Any]) -> None:
    """Nothing that a diagram could see."""


SERVICES: Mapping[str, Callable[[Walk, Mapping[str, Any]], None]] = {
    "open_case": _open_case,
    "merge_case": _merge_case,
    "transfer_case": _transfer_case,
    "conclude": _conclude,
    "receive_notice": _nothing,
    "pass_notice_on": _pass_notice_on,
    "tell": _nothing,
    "make_packet": _make_packet,
    "check_packet": _check_packet,
    "release_packet": _release_packet,
    "admit": _admit,
    "recuse": _recuse,
    "reveal_opinions": _nothing,
    "withdraw_packet": _withdraw_packet,
    "raise_items": _raise_items,
    "note_item": _note_item,
    "hand_over": _hand_over,
}
