"""State in, state out: the only place that speaks SpiffWorkflow. It knows no session and no case."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from SpiffWorkflow.bpmn.specs.event_definitions.message import MessageEventDefinition as PlainMessage
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.util.event import BpmnEvent
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.spiff.specs.event_definitions import MessageEventDefinition
from SpiffWorkflow.util.task import TaskState

from engine import feel
from engine.workflow import library, storing
from engine.workflow.expressions import FeelEngine, Request
from engine.workflow.reading import Decision, Element, Plan, Process, Specification, UnreadableDiagram, read

__all__ = [
    "Decision",
    "Element",
    "Item",
    "NotOpen",
    "NotWaiting",
    "Outcome",
    "Plan",
    "Process",
    "Request",
    "Specification",
    "Timer",
    "UnreadableDiagram",
    "WorkflowFailed",
    "complete",
    "fire_timers",
    "read",
    "retime",
    "send",
    "start",
]
MAX_DEPTH = 800
NEVER_YEAR = 5000
_OPEN = (TaskState.READY, TaskState.WAITING)
State = Mapping[str, bytes]


class WorkflowFailed(Exception):
    """A step of the workflow could not be carried out. Nothing of it is kept; `element` tells where, `reason` why."""

    def __init__(self, reason: str, element: str | None = None) -> None:
        super().__init__(f"{reason} (at {element})" if element else reason)
        self.reason, self.element = reason, element


class NotOpen(Exception):
    """The task is not open: it is finished, or the workflow has gone another way."""


class NotWaiting(Exception):
    """The workflow does not wait for this message now."""


@dataclass(frozen=True, slots=True)
class Item:
    """An open task for a person: where it is drawn, inside which parts, and the variables it sees."""

    task_id: UUID
    element: str
    path: tuple[str, ...]
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer event that waits: its task, its element and the instant at which it fires."""

    task_id: UUID
    element: str
    due_at: datetime


@dataclass
class Outcome:
    """What a command did to a workflow: differences to write, never the whole."""

    scopes: dict[str, bytes] = field(default_factory=dict)
    frozen: dict[str, bytes] = field(default_factory=dict)
    opened: list[Item] = field(default_factory=list)
    closed: list[UUID] = field(default_factory=list)
    armed: list[Timer] = field(default_factory=list)
    disarmed: list[UUID] = field(default_factory=list)
    awaited: list[tuple[UUID, str, str]] = field(default_factory=list)
    unawaited: list[UUID] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    walked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    is_completed: bool = False


@dataclass
class _View:
    """What of a workflow is projected."""

    items: dict[UUID, Any] = field(default_factory=dict)
    timers: dict[UUID, Timer] = field(default_factory=dict)
    messages: dict[UUID, tuple[str, str]] = field(default_factory=dict)


def start(specification: Specification, variables: Mapping[str, Any], environment: feel.Environment) -> Outcome:
    """Begin a workflow and walk until it waits.

    Args:
        variables: The routing variables it starts with, as wire values.

    Raises:
        WorkflowFailed: an expression failed, a value cannot be stored, or the diagram does not come to rest.
    """
    engine = FeelEngine(environment, specification.decisions)

    def begin() -> library.Workflow:
        workflow = library.Workflow(specification.spec, specification.parts, script_engine=engine)
        workflow.task_tree.data.update(variables)
        return workflow

    return _command(specification, begin, engine, environment, {}, lambda workflow: None)


def complete(specification: Specification, state: State, task_id: UUID, names: Mapping[str, Any], environment: feel.Environment) -> Outcome:
    """Finish an open task: due timers first, then its outputs, then as far as the workflow goes by itself.

    Args:
        names: What the output expressions of the task see beside the variables: `answers`, `person`.

    Raises:
        NotOpen: the task is not ready, perhaps since a timer fired first.
        WorkflowFailed: see `start`.
    """
    engine = FeelEngine(environment, specification.decisions)

    def act(workflow: library.Workflow) -> None:
        task = _find(workflow, task_id)
        if task is None or task._state != TaskState.READY or not task.task_spec.manual:
            raise NotOpen
        _finish(task, specification.elements[task.task_spec.bpmn_id], names, engine.environment_of_command)

    return _command(specification, _loader(specification, state, engine), engine, environment, state, act, names, task_id)


def fire_timers(specification: Specification, state: State, environment: feel.Environment) -> Outcome:
    """Let every timer fire that is due at the environment's instant."""
    engine = FeelEngine(environment, specification.decisions)
    return _command(specification, _loader(specification, state, engine), engine, environment, state, lambda workflow: None)


def send(specification: Specification, state: State, message: str, names: Mapping[str, Any], environment: feel.Environment) -> Outcome:
    """Deliver a message that the workflow waits for.

    Raises:
        NotWaiting: no event of the workflow waits for it now.
        WorkflowFailed: see `start`.
    """
    engine = FeelEngine(environment, specification.decisions)

    def act(workflow: library.Workflow) -> None:
        try:
            workflow.send_event(BpmnEvent(MessageEventDefinition(message), payload=dict(names)))
        except WorkflowException:
            raise NotWaiting from None

    return _command(specification, _loader(specification, state, engine), engine, environment, state, act)


def retime(specification: Specification, state: State, environment: feel.Environment) -> Outcome:
    """Compute every waiting timer anew, after the instants it is reckoned from have changed."""
    engine = FeelEngine(environment, specification.decisions)
    return _command(specification, _loader(specification, state, engine), engine, environment, state, _retime)


def _finish(task: Any, element: Element, names: Mapping[str, Any], environment: feel.Environment) -> None:
    """Let a person's task give its outputs and be done."""
    if element.outputs:
        try:
            task.data.update(feel.script(element.outputs, {**task.data, **names}, environment))
        except feel.FeelError as error:
            raise WorkflowFailed(str(error), element.id) from error
    task.run()


def _retime(workflow: library.Workflow) -> None:
    """Let every waiting event reckon its instant anew."""
    for scope in workflow.scopes():
        for task in list(scope.tasks.values()):
            if task._state == TaskState.WAITING and isinstance(task.task_spec, CatchingEvent):
                task.internal_data.pop("event_value", None)
                task.task_spec._update(task)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Tell everything that can go wrong in a workflow as `WorkflowFailed`."""
    try:
        yield
    except (NotOpen, NotWaiting, WorkflowFailed):
        raise
    except library.TooManySteps:
        raise WorkflowFailed("the diagram does not come to rest") from None
    except storing.Unstorable as error:
        raise WorkflowFailed(f"state: {error}") from error
    except Exception as error:
        # The library raises everything from TypeError up; whatever it is, the half-advanced workflow is thrown away.
        task = getattr(error, "task", None) or getattr(error, "task_spec", None)
        element = getattr(getattr(task, "task_spec", task), "bpmn_id", None)
        raise WorkflowFailed(f"{type(error).__name__}: {error}"[:400], element) from error


def _loader(specification: Specification, state: State, engine: FeelEngine) -> Callable[[], library.Workflow]:
    return lambda: storing.load(specification.spec, specification.parts, state, engine)


def _command(
    specification: Specification,
    obtain: Callable[[], library.Workflow],
    engine: FeelEngine,
    environment: feel.Environment,
    before: State,
    act: Callable[[library.Workflow], None],
    names: Mapping[str, Any] | None = None,
    acted_on: UUID | None = None,
) -> Outcome:
    """Obtain a workflow, catch up its clock, act, walk until it rests, and tell the differences."""
    outcome = Outcome()
    workflow: library.Workflow | None = None
    try:
        with library.at(environment.now), failures():
            workflow = obtain()
            seen = _view(workflow) if before else _View()
            _rest(workflow, specification, outcome)
            act(workflow)
            if acted_on is not None:
                _walk(_find(workflow, acted_on), specification, outcome, names or {})
            _rest(workflow, specification, outcome)
            now = _view(workflow)
            live, outcome.frozen = storing.dump(workflow)
            outcome.scopes = {scope: blob for scope, blob in live.items() if before.get(scope) != blob}
            outcome.frozen |= {scope: blob for scope, blob in before.items() if scope not in live and scope not in outcome.frozen}
            outcome.requests = engine.requests
            outcome.is_completed = workflow.completed
            for task_id, task in now.items.items():
                if task_id not in seen.items:
                    outcome.opened.append(_item(task))
            outcome.closed = [task_id for task_id in seen.items if task_id not in now.items and task_id != acted_on]
            outcome.armed = [timer for task_id, timer in now.timers.items() if seen.timers.get(task_id) != timer]
            outcome.disarmed = [task_id for task_id, timer in seen.timers.items() if now.timers.get(task_id) != timer]
            outcome.awaited = [(task_id, *found) for task_id, found in now.messages.items() if task_id not in seen.messages]
            outcome.unawaited = [task_id for task_id in seen.messages if task_id not in now.messages]
            return outcome
    finally:
        if workflow is not None:
            library.dispose(workflow)


def _rest(workflow: library.Workflow, specification: Specification, outcome: Outcome) -> None:
    """Fire what is due and walk until nothing moves by itself."""
    while True:
        workflow.refresh_timers()
        before = workflow.steps
        workflow.do_engine_steps(did_complete_task=lambda task: _walk(task, specification, outcome, {}))
        if workflow.steps == before:
            return


def _walk(task: Any, specification: Specification, outcome: Outcome, names: Mapping[str, Any]) -> None:
    """Remember an element that was passed, with the variables its clocks are reckoned from."""
    element = specification.elements.get(getattr(task.task_spec, "bpmn_id", None) or "") if task is not None else None
    if element is not None and task._state == TaskState.COMPLETED and not task.task_spec.name.endswith(("Split", "Join")):
        outcome.walked.append((element.id, {**task.data, **names} if element.arms else {}))


def _find(workflow: library.Workflow, task_id: UUID) -> Any:
    for scope in workflow.scopes():
        if task_id in scope.tasks:
            return scope.tasks[task_id]
    return None


def _view(workflow: library.Workflow) -> _View:
    """Project a workflow: open tasks of people, waiting timers, awaited messages."""
    view = _View()
    for scope in workflow.scopes():
        for task in scope.tasks.values():
            state = task._state
            if state not in _OPEN:
                continue
            spec = task.task_spec
            if state == TaskState.READY and spec.manual:
                view.items[task.id] = task
            elif state == TaskState.WAITING and isinstance(spec, CatchingEvent):
                value = task.internal_data.get("event_value")
                due_at = datetime.fromisoformat(value) if isinstance(value, str) else None
                if due_at is not None and due_at.year < NEVER_YEAR:
                    view.timers[task.id] = Timer(task.id, spec.bpmn_id, due_at)
                for definition in getattr(spec.event_definition, "event_definitions", None) or [spec.event_definition]:
                    if isinstance(definition, PlainMessage):
                        view.messages[task.id] = (definition.name, spec.bpmn_id)
    return view


def _item(task: Any) -> Item:
    scope, depth, above = task.workflow, 0, task._parent
    while above is not None:
        depth, above = depth + 1, scope.tasks[above]._parent
    if depth > MAX_DEPTH:
        raise WorkflowFailed("the diagram has been walked too many times in one go", task.task_spec.bpmn_id)
    path: list[str] = []
    while scope.parent_task_id is not None:
        parent = scope.top_workflow.get_task_from_id(scope.parent_task_id)
        path.append(parent.task_spec.bpmn_id)
        scope = parent.workflow
    return Item(task.id, task.task_spec.bpmn_id, tuple(reversed(path)), dict(task.data))
