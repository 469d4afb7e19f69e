"""Out of the drawn order, by hand: an open task is passed without its form; a scope goes back to a step behind it.

Going back begins the step anew under a new key, in the place of the old one, with the variables it saw at first; whatever
came after it is taken from the workflow. What cannot be undone so is told, never guessed: when branches have joined
elsewhere, the step is no place to go back to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from SpiffWorkflow.bpmn.specs.control import BoundaryEventSplit
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.unstructured_join import UnstructuredJoin
from SpiffWorkflow.util.task import TaskState

from engine import feel, workflow
from engine.workflow import NotOpen, Outcome, State, library, storing
from engine.workflow.expressions import FeelEngine
from engine.workflow.reading import Specification

LIVE = TaskState.WAITING | TaskState.READY | TaskState.STARTED
AHEAD = TaskState.PREDICTED_MASK | TaskState.FUTURE
PLACES = frozenset({"userTask", "callActivity"})


@dataclass(frozen=True, slots=True)
class Behind:
    """A step that lies behind where a workflow stands, and to which it can go back.

    Attributes:
        task_id: The key of its task as it was done; the new one gets another.
        path: The called parts that it lies in, from outside.
        undone: The elements that would be taken back, the step itself among them.
    """

    task_id: UUID
    element: str
    path: tuple[str, ...]
    undone: frozenset[str]


def skip(specification: Specification, state: State, task_id: UUID, values: Mapping[str, Any], environment: feel.Environment) -> Outcome:
    """Pass an open task without its form: its outputs are what somebody gave by hand. The task counts as closed, not as done.

    Args:
        values: The outputs of the task, as wire values.

    Raises:
        NotOpen: the task is not ready.
        WorkflowFailed: the diagram cannot go on so.
    """
    engine = FeelEngine(environment, specification.decisions)

    def act(running: library.Workflow) -> None:
        task = workflow._find(running, task_id)
        if task is None or task._state != TaskState.READY or not task.task_spec.manual:
            raise NotOpen
        task.data.update(values)
        task.run()

    outcome = workflow._command(specification, workflow._loader(specification, state, engine), engine, environment, state, act, {}, task_id)
    outcome.closed.append(task_id)
    return outcome


def behind(specification: Specification, state: State, frozen: State, environment: feel.Environment) -> list[Behind]:
    """Return the steps to which a workflow can go back, in the order of its scopes, the latest first.

    Args:
        frozen: The finished scopes, for what lies inside parts that would be taken back.
    """
    engine = FeelEngine(environment, specification.decisions)
    found: list[Behind] = []
    with library.at(environment.now), workflow.failures():
        running = workflow._loader(specification, state, engine)()
        try:
            for scope in running.scopes():
                if scope is not running and not _is_running(scope):
                    continue
                places = [task for task in scope.tasks.values() if _is_place(specification, task)]
                latest: dict[str, Any] = {}
                for task in sorted(places, key=lambda task: task.last_state_change):
                    latest[task.task_spec.bpmn_id] = task
                for task in sorted(latest.values(), key=lambda task: -task.last_state_change):
                    undone = _undone(specification, running, frozen, task)
                    if undone is not None:
                        found.append(Behind(task.id, task.task_spec.bpmn_id, _path(running, scope), undone))
        finally:
            library.dispose(running)
    return found


def send_back(specification: Specification, state: State, frozen: State, task_id: UUID, environment: feel.Environment) -> Outcome:
    """Go back to a step that was done: it is open again, what came after it is taken back.

    Raises:
        NotOpen: the workflow cannot go back there.
        WorkflowFailed: the diagram cannot go on so.
    """
    engine = FeelEngine(environment, specification.decisions)

    def act(running: library.Workflow) -> None:
        task = workflow._find(running, task_id)
        if task is None or not _is_place(specification, task) or _undone(specification, running, frozen, task) is None:
            raise NotOpen
        scope, top = task.workflow, _top(task)
        parent = top.parent
        place = parent._children.index(top.id)
        scope._remove_task(top.id)
        fresh = parent._add_child(top.task_spec, TaskState.FUTURE)
        parent._children.remove(fresh.id)
        parent._children.insert(place, fresh.id)
        scope.last_task = parent
        running.event_manager.tasks = {
            waiting.id: waiting
            for part in running.scopes()
            for waiting in part.tasks.values()
            if waiting._state == TaskState.WAITING and isinstance(waiting.task_spec, CatchingEvent)
        }
        fresh.task_spec._predict(fresh, mask=AHEAD)
        fresh.task_spec._update(fresh)

    return workflow._command(specification, workflow._loader(specification, state, engine), engine, environment, state, act)


def _is_running(scope: Any) -> bool:
    return not scope.completed and bool(scope.parent_workflow.tasks[scope.parent_task_id]._state & LIVE)


def _is_place(specification: Specification, task: Any) -> bool:
    """Tell whether a task is a whole step that was done: not one of several instances of it."""
    spec = task.task_spec
    element = specification.elements.get(getattr(spec, "bpmn_id", None) or "")
    return task._state == TaskState.COMPLETED and element is not None and element.kind in PLACES and spec.name == element.id


def _top(task: Any) -> Any:
    """Return where a step begins: with boundary events on it, at what arms them."""
    return task.parent if isinstance(task.parent.task_spec, BoundaryEventSplit) else task


def _below(task: Any) -> Iterator[Any]:
    todo = [task]
    while todo:
        found = todo.pop()
        yield found
        todo += found.children


def _undone(specification: Specification, running: library.Workflow, frozen: State, task: Any) -> frozenset[str] | None:
    """Return what going back to a step takes back; None where it would leave something behind that came after it."""
    scope = task.workflow
    below = list(_below(_top(task)))
    inside = {found.id for found in below}
    if not any(found._state & LIVE for found in below):
        return None
    ahead = _ahead(task.task_spec)
    for other in scope.tasks.values():
        if other.id in inside or not other._state & LIVE or other.task_spec.name not in ahead:
            continue
        if not (other._state == TaskState.WAITING and isinstance(other.task_spec, UnstructuredJoin)):
            return None
    elements: set[str] = set()
    for found in below:
        if found._state & (TaskState.FINISHED_MASK | LIVE) and found._state != TaskState.CANCELLED:
            elements.add(getattr(found.task_spec, "bpmn_id", None) or "")
        elements |= _in_part(specification, running, frozen, found.id, getattr(found.task_spec, "spec", None))
    return frozenset(elements & set(specification.elements))


def _ahead(spec: Any) -> set[str]:
    """Return the names of everything that flows lead to from a node."""
    found: set[str] = set()
    todo = list(spec.outputs)
    while todo:
        output = todo.pop()
        if output.name not in found:
            found.add(output.name)
            todo += output.outputs
    return found


def _in_part(specification: Specification, running: library.Workflow, frozen: State, task_id: UUID, part: Any) -> set[str]:
    """Return the elements that were passed inside a called part, running or finished."""
    loaded = running.subprocesses.get(task_id)
    elements: set[str] = set()
    if loaded is not None:
        for task in loaded.tasks.values():
            if task._state & (TaskState.FINISHED_MASK | LIVE) and task._state != TaskState.CANCELLED:
                elements.add(getattr(task.task_spec, "bpmn_id", None) or "")
                elements |= _in_part(specification, running, frozen, task.id, getattr(task.task_spec, "spec", None))
    elif task_id.hex in frozen and part in specification.parts:
        specs = specification.parts[part].task_specs
        rows = orjson.loads(storing._zstd.unpack(frozen[task_id.hex]).split(b"\n", 1)[0])[0]
        for hexed, _parent, name, state, *_rest in rows:
            spec = specs.get(name)
            if spec is not None and state & TaskState.FINISHED_MASK and state != TaskState.CANCELLED:
                elements.add(getattr(spec, "bpmn_id", None) or "")
                elements |= _in_part(specification, running, frozen, UUID(hexed), getattr(spec, "spec", None))
    return elements


def _path(running: library.Workflow, scope: Any) -> tuple[str, ...]:
    path: list[str] = []
    while scope is not running:
        parent = scope.parent_workflow.tasks[scope.parent_task_id]
        path.append(parent.task_spec.bpmn_id)
        scope = parent.workflow
    return tuple(reversed(path))
