"""A running workflow under another specification: what is done stays done, what is open stays open, the rest is the new one's.

Nothing is walked: tasks keep their keys, their data and the instants of their timers. What is ahead is predicted anew; a
finished element that the new diagrams lack stays in the state under its name (`storing` gives it an inert stand-in).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from SpiffWorkflow.bpmn.specs.control import BoundaryEventJoin, BoundaryEventSplit, _EndJoin
from SpiffWorkflow.bpmn.specs.event_definitions.timer import TimerEventDefinition
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask, MultiInstanceTask
from SpiffWorkflow.bpmn.specs.mixins.parallel_gateway import ParallelGateway
from SpiffWorkflow.bpmn.specs.mixins.subworkflow_task import SubWorkflowTask
from SpiffWorkflow.bpmn.specs.mixins.unstructured_join import UnstructuredJoin
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine import feel, workflow
from engine.workflow import library, storing
from engine.workflow.expressions import FeelEngine
from engine.workflow.reading import Specification

SPLIT, JOIN, CHILD = ".BoundaryEventSplit", ".BoundaryEventJoin", " [child]"
LIVE = TaskState.WAITING | TaskState.READY | TaskState.STARTED
PREDICTED = TaskState.PREDICTED_MASK | TaskState.FUTURE


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about a move at an element.

    Attributes:
        code: An obstacle: `step_missing`, `step_elsewhere`, `kind_changed`, `part_missing`, `instances_changed`,
            `branch_missing`, `join_changed`, `expression`, `stuck`, `unstorable`. Or a remark: `event_added`,
            `event_dropped`, `passed_over`, `history_only`, `untried`.
        element: The element in the diagrams that the case leaves; of `event_added` and `passed_over`, in the new ones.
        detail: What the library or an expression said; never an answer.
    """

    code: str
    element: str
    detail: str = ""


@dataclass
class Moved:
    """What a move would make of a workflow. With obstacles there is nothing to write."""

    obstacles: list[Note] = field(default_factory=list)
    remarks: list[Note] = field(default_factory=list)
    scopes: dict[str, bytes] = field(default_factory=dict)
    items: list[tuple[workflow.Item, workflow.Item]] = field(default_factory=list)
    armed: list[workflow.Timer] = field(default_factory=list)
    disarmed: list[UUID] = field(default_factory=list)
    retitled: list[tuple[UUID, str]] = field(default_factory=list)
    awaited: list[tuple[UUID, str, str]] = field(default_factory=list)
    unawaited: list[UUID] = field(default_factory=list)
    open_elements: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A scope of the workflow, the specification it follows and the one it is to follow."""

    key: str
    workflow: Any
    old: Any
    new: Any


def move(
    old: Specification, new: Specification, state: workflow.State, mapping: Mapping[str, str], environment: feel.Environment, *, tries: bool = True
) -> Moved:
    """Put the state of a workflow under another specification.

    Args:
        state: The running scopes.
        mapping: Elements that were renamed: the id in the old diagrams → the id in the new ones.
        environment: What the timers of new boundary events see.
        tries: Whether the result is loaded again and its open steps are finished in memory, to see that it goes on.

    Returns:
        The new bytes of the running scopes and the differences to what is projected, or the obstacles.
    """
    moved = Moved()
    engine = _engine(new, environment)
    found: library.Workflow | None = None
    with library.at(environment.now):
        try:
            found = storing.load(old.spec, old.parts, state, engine)
            before = workflow._view(found)
            before_items = {task_id: workflow._item(task) for task_id, task in before.items.items()}
            moved.open_elements = _open_elements(found)
            scopes = _scopes(found, new, mapping, moved)
            for scope in scopes:
                _look(scope, mapping, new, moved)
            if moved.obstacles:
                return moved
            for scope in scopes:
                _carry(scope, mapping, moved)
            if moved.obstacles:
                return moved
            found.subprocess_specs = dict(new.parts)
            _register(found)
            after = workflow._view(found)
            moved.scopes, _frozen = storing.dump(found)
            moved.items = [(before_items[task_id], workflow._item(task)) for task_id, task in after.items.items()]
            moved.armed = [timer for task_id, timer in after.timers.items() if task_id not in before.timers]
            moved.disarmed = [task_id for task_id in before.timers if task_id not in after.timers]
            moved.retitled = [
                (task_id, timer.element)
                for task_id, timer in after.timers.items()
                if task_id in before.timers and before.timers[task_id].element != timer.element
            ]
            moved.awaited = [(task_id, *pair) for task_id, pair in after.messages.items() if before.messages.get(task_id) != pair]
            moved.unawaited = [task_id for task_id, pair in before.messages.items() if after.messages.get(task_id) != pair]
        except storing.Unstorable as error:
            moved.obstacles.append(Note("unstorable", "", str(error)))
        except feel.FeelError as error:
            moved.obstacles.append(Note("expression", "", str(error)))
        finally:
            if found is not None:
                library.dispose(found)
        if tries and not moved.obstacles:
            _try_out(new, moved, set(after.items), environment)
    return moved


def _engine(specification: Specification, environment: feel.Environment) -> FeelEngine:
    decisions = getattr(specification, "decisions", None)
    return FeelEngine(environment, decisions) if decisions else FeelEngine(environment)


def open_elements(specification: Specification, state: workflow.State, environment: feel.Environment) -> list[str]:
    """Return the elements at which a workflow stands: open steps, running parts, events and joins that wait; each once for every token."""
    with library.at(environment.now):
        found = storing.load(specification.spec, specification.parts, state, _engine(specification, environment))
        elements = _open_elements(found)
        library.dispose(found)
    return elements


def _open_elements(found: library.Workflow) -> list[str]:
    standing = [
        task.task_spec.bpmn_id
        for scope in found.scopes()
        for task in scope.tasks.values()
        if task._state & LIVE and task.task_spec.bpmn_id and not isinstance(task.task_spec, LoopTask | SubWorkflowTask)
    ]
    return sorted(standing)


def _scopes(found: library.Workflow, new: Specification, mapping: Mapping[str, str], moved: Moved) -> list[_Scope]:
    """Pair every running scope with the process it is to follow: that which the call it hangs on leads to in the new diagrams."""
    scopes = [_Scope(storing.ROOT, found, found.spec, new.spec)]
    known = {found: new.spec}
    todo = dict(found.subprocesses)
    while todo:
        ready = [(task_id, part) for task_id, part in todo.items() if part.parent_workflow in known]
        if not ready:  # the parts of a call that leads nowhere
            break
        for task_id, part in ready:
            del todo[task_id]
            holder = part.parent_workflow
            caller = holder.tasks[task_id]
            target = known[holder].task_specs.get(_named(caller.task_spec.name, mapping, holder.spec, known[holder]))
            called = new.parts.get(getattr(target, "spec", "")) if isinstance(target, SubWorkflowTask) else None
            if called is None:
                moved.obstacles.append(Note("part_missing", caller.task_spec.bpmn_id or ""))
                continue
            known[part] = called
            scopes.append(_Scope(task_id.hex, part, part.spec, called))
    return scopes


def _parts_of(name: str) -> tuple[str, str]:
    """Split the library's name of a task into the element's id and what the library added."""
    for suffix in (CHILD, SPLIT, JOIN):
        if name.endswith(suffix):
            return name[: -len(suffix)], suffix
    return name, ""


def _named(name: str, mapping: Mapping[str, str], old: Any, new: Any) -> str:
    """Return what a task of the old process is called in the new one."""
    if name == old.end.name:
        return str(new.end.name)
    base, suffix = _parts_of(name)
    return mapping.get(base, base) + suffix


def _target(task: Any, scope: _Scope, mapping: Mapping[str, str]) -> Any:
    return scope.new.task_specs.get(_named(task.task_spec.name, mapping, scope.old, scope.new))


def _may_go(task: Any, scope: _Scope, mapping: Mapping[str, str]) -> bool:
    """Tell whether a waiting task may simply go: a boundary event that its step lost, and the join behind one."""
    spec = task.task_spec
    if isinstance(spec, BoundaryEventJoin):
        return _target(task, scope, mapping) is None
    if not isinstance(spec, BoundaryEvent) or task.parent is None or not isinstance(task.parent.task_spec, BoundaryEventSplit):
        return False
    split, event = _target(task.parent, scope, mapping), _target(task, scope, mapping)
    return not isinstance(split, BoundaryEventSplit) or event is None or event.name not in split._outputs


def _look(scope: _Scope, mapping: Mapping[str, str], new: Specification, moved: Moved) -> None:
    """Find what stands in the way of a scope."""
    for task in scope.workflow.tasks.values():
        spec = task.task_spec
        if not task._state & LIVE or _may_go(task, scope, mapping):
            continue
        element = spec.bpmn_id or _parts_of(spec.name)[0]
        target = _target(task, scope, mapping)
        if target is None:
            elsewhere = new.elements.get(mapping.get(element, element))
            moved.obstacles.append(Note("step_elsewhere" if elsewhere is not None else "step_missing", element))
        elif type(target) is not type(spec) or _event_of(target) != _event_of(spec):
            moved.obstacles.append(Note("kind_changed", element))
        elif isinstance(spec, MultiInstanceTask) and _variables_of(spec) != _variables_of(target):
            moved.obstacles.append(Note("instances_changed", element))
    if not moved.obstacles:
        moved.obstacles += [Note("branch_missing", element) for element in _starved(scope, mapping)]


def _event_of(spec: Any) -> Any:
    """Return what kind of event a catching event waits for; the forms of a timer are one kind."""
    definition = getattr(spec, "event_definition", None)
    behind = getattr(definition, "event_definitions", None)
    kinds = [TimerEventDefinition if isinstance(entry, TimerEventDefinition) else type(entry) for entry in behind or [definition]]
    return kinds if behind else kinds[0]


def _variables_of(spec: Any) -> list[str | None]:
    """Return the variables on which the instances of a step hang."""
    return [getattr(entry, "bpmn_id", None) for entry in (spec.data_input, spec.data_output, spec.input_item, spec.output_item)]


def _starved(scope: _Scope, mapping: Mapping[str, str]) -> list[str]:
    """Return the joins ahead that would wait for ever: for a branch that no token of this case can come by any more."""
    live = [task for task in scope.workflow.tasks.values() if task._state & LIVE]
    at = {_named(task.task_spec.name, mapping, scope.old, scope.new) for task in live if not _may_go(task, scope, mapping)}
    was_at = {task.task_spec.name for task in live}

    def starved(process: Any, places: set[str], names: Any) -> set[str]:
        return {
            spec.bpmn_id
            for spec in process.task_specs.values()
            if isinstance(spec, ParallelGateway)
            and len(spec._inputs) > 1
            and spec.name in _reached(process, places)
            and not set(spec._inputs) <= _reached(process, places, without=spec.name) | names(spec.name)
        }

    def arrived(name: str) -> set[str]:
        """The branches of which a token lies at a join that waits."""
        tasks = [task for task in scope.workflow.tasks.values() if task.task_spec.name == name and not task._state & PREDICTED]
        waits = any(task._state == TaskState.WAITING for task in tasks)
        return {task.parent.task_spec.name for task in tasks if task._state != TaskState.COMPLETED} if waits else set()

    old_names = {_named(name, mapping, scope.old, scope.new): name for name in scope.old.task_specs}

    def arrived_new(name: str) -> set[str]:
        came = arrived(old_names.get(name, name))
        process = scope.new
        found: set[str] = set()
        for parent in came:
            found |= _entries(process, name, _named(parent, mapping, scope.old, process), scope.old.task_specs.get(old_names.get(name, name)))
        return found

    already = starved(scope.old, was_at, arrived)
    return sorted(element for element in starved(scope.new, at, arrived_new) if element not in already)


def _reached(process: Any, places: set[str], without: str = "") -> set[str]:
    """Return the tasks of a process that lie at or ahead of some places; what lies behind `without` is not looked at."""
    seen: set[str] = set()
    todo = [name for name in places if name in process.task_specs]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name != without:
            spec = process.task_specs[name]
            todo += spec._outputs
            base, suffix = _parts_of(name)
            if suffix == CHILD:
                todo.append(base)
            if base + JOIN in process.task_specs:
                todo.append(base + JOIN)
    return seen


def _entries(process: Any, join: str, parent: str, old_join: Any) -> set[str]:
    """Return through which of its branches a token that came from `parent` has come to a join, as the join of a new process sees it."""
    spec = process.task_specs.get(join)
    if spec is None:
        return set()
    if parent in spec._inputs:
        return {parent}
    ahead = _reached(process, {parent}, without=join)
    through = [name for name in spec._inputs if name in ahead]
    if not through and parent not in process.task_specs and old_join is not None:
        through = [name for name in spec._inputs if name not in old_join._inputs]
    return {through[0]} if len(through) == 1 else set()


def _carry(scope: _Scope, mapping: Mapping[str, str], moved: Moved) -> None:
    """Put a scope's tasks under the new process."""
    found = scope.workflow
    tasks = list(found.tasks.values())
    for task in tasks:
        task.data, task.internal_data  # noqa: B018 - whoever gets another parent must not be told by what they add to it
    for task in tasks:
        if task.id in found.tasks and task._state & LIVE:
            for child in list(task.children):
                if child._state & PREDICTED and not child.triggered:
                    found._remove_task(child.id)
    for task in tasks:
        if task.id in found.tasks and task._state & PREDICTED and task.parent is not None and task.parent._state & TaskState.FINISHED_MASK:
            if (target := _target(task, scope, mapping)) is not None and type(target) is type(task.task_spec):
                continue
            found._remove_task(task.id)
    gone = [task for task in tasks if task.id in found.tasks and task._state & LIVE and _may_go(task, scope, mapping)]
    for task in gone:
        if task.id in found.tasks:
            if task.task_spec.bpmn_id:
                moved.remarks.append(Note("event_dropped", task.task_spec.bpmn_id))
            found._remove_task(task.id)
    tokens = [task for task in found.tasks.values() if _is_token_at_join(task)]
    old_joins = {task.id: task.task_spec for task in tokens}
    found.spec = scope.new
    for task in found.tasks.values():
        _put(task, scope, mapping, moved)
    for task in tokens:
        _stand_in(task, old_joins[task.id], moved)
    live = [task for task in list(found.tasks.values()) if task._state & LIVE]
    for task in live:
        _attach(task, scope, moved)
    for task in [task for task in found.tasks.values() if task._state & (LIVE | PREDICTED)]:
        if task.id in found.tasks and task._state & LIVE:
            task.task_spec._predict(task, mask=TaskState.NOT_FINISHED_MASK)
    for spec in scope.new.task_specs.values():
        if isinstance(spec, LoopTask):
            child = scope.new.task_specs[spec.task_spec]
            if not child.completed_event.is_connected(spec.merge_child):
                child.completed_event.connect(spec.merge_child)


def _put(task: Any, scope: _Scope, mapping: Mapping[str, str], moved: Moved) -> None:
    """Give a task its place in the new process; what is finished and has none there keeps its name."""
    target = _target(task, scope, mapping)
    if target is not None and (type(target) is type(task.task_spec)):
        task.task_spec = target
        return
    was = task.task_spec
    name = was.name if target is None else was.name.removesuffix(storing.GONE) + storing.GONE
    is_event = isinstance(was, BoundaryEvent)
    if was.bpmn_id:
        moved.remarks.append(Note("history_only", was.bpmn_id))
    task.task_spec = storing.inert(name, is_event)


def _is_token_at_join(task: Any) -> bool:
    """Tell whether a task is a token that lies before a join which waits for others."""
    spec = task.task_spec
    if not isinstance(spec, UnstructuredJoin) or isinstance(spec, _EndJoin) or task.parent is None:
        return False
    if task._state == TaskState.WAITING:
        return True
    return task._state == TaskState.CANCELLED and any(
        other._state == TaskState.WAITING and other.task_spec is spec and other is not task for other in task.workflow.tasks.values()
    )


def _stand_in(task: Any, old_join: Any, moved: Moved) -> None:
    """Let a token that has come to a join be seen there although the way to it has changed: the new step before it is passed over."""
    join, parent = task.task_spec, task.parent
    if parent.task_spec.name in join._inputs or not join._inputs:
        return
    entries = _entries(task.workflow.spec, join.name, parent.task_spec.name, old_join)
    if not entries:
        if isinstance(join, ParallelGateway):
            moved.obstacles.append(Note("join_changed", join.bpmn_id or ""))
        return
    spec = task.workflow.spec.task_specs[entries.pop()]
    between = _insert(task, spec)
    if between.task_spec.bpmn_id:
        moved.remarks.append(Note("passed_over", between.task_spec.bpmn_id))


def _insert(task: Any, spec: Any) -> Any:
    """Put a finished task between a task and its parent."""
    parent = task.parent
    at = parent._children.index(task.id)
    between = Task(task.workflow, spec, parent, state=TaskState.COMPLETED)
    between.data = {key: storing._own(value) for key, value in parent.data.items()}
    between.last_state_change = parent.last_state_change
    between.thread_id = task.thread_id
    parent._children.remove(between.id)
    parent._children[at] = between.id
    task.parent = between
    between._children.append(task.id)
    return between


def _attach(task: Any, scope: _Scope, moved: Moved) -> None:
    """Let the boundary events of a running step be there that the step did not have when it was reached."""
    spec = task.task_spec
    base, suffix = _parts_of(spec.name)
    split_spec = scope.new.task_specs.get(base + SPLIT)
    if suffix or split_spec is None or not isinstance(split_spec, BoundaryEventSplit) or base not in split_spec._outputs:
        return
    split = task.parent if task.parent is not None and task.parent.task_spec is split_spec else _insert(task, split_spec)
    known = {child.task_spec.name for child in split.children}
    for event_spec in split_spec.outputs:
        if event_spec.name in known or not isinstance(event_spec, BoundaryEvent):
            continue
        event = Task(split.workflow, event_spec, split, state=TaskState.WAITING)
        event.thread_id = task.thread_id
        event.data = {key: storing._own(value) for key, value in split.data.items()}
        try:
            event_spec.event_definition.has_fired(event)
        except Exception as error:  # whatever an expression raises under the library
            moved.obstacles.append(Note("expression", event_spec.bpmn_id or "", str(error)[:200]))
            continue
        # One that is due already fires with the next turn of the clock, as any other.
        event.internal_data.pop("event_fired", None)
        moved.remarks.append(Note("event_added", event_spec.bpmn_id or ""))


def _register(found: library.Workflow) -> None:
    """Make the index of waiting events anew."""
    found.event_manager.tasks = {
        task.id: task
        for scope in found.scopes()
        for task in scope.tasks.values()
        if task._state == TaskState.WAITING and isinstance(task.task_spec, CatchingEvent)
    }


# ── seeing that it goes on ──


def _try_out(new: Specification, moved: Moved, expected: set[UUID], environment: feel.Environment) -> None:
    """Load the result as the next command will, and finish its open steps in memory, without answers, as far as that goes."""
    engine = _engine(new, environment)
    try:
        for one in [*[{item.task_id} for _, item in moved.items][:MAX_TRIED], {item.task_id for _, item in moved.items}]:
            found = storing.load(new.spec, new.parts, moved.scopes, engine)
            try:
                if set(workflow._view(found).items) != expected:
                    moved.obstacles.append(Note("unstorable", "", "the open steps differ"))
                    return
                _finish(found, new, one, environment)
                view = workflow._view(found)
                if not found.completed and not view.items and not view.timers and not view.messages:
                    moved.obstacles.append(Note("stuck", next(iter(moved.open_elements), "")))
                    return
            except _Untried as reason:
                note = Note("untried", reason.element)
                if note not in moved.remarks:
                    moved.remarks.append(note)
            finally:
                library.dispose(found)
    except storing.Unstorable as error:
        moved.obstacles.append(Note("unstorable", "", str(error)))
    except Exception as error:
        # The library raises everything from TypeError up; a state that fails here must not be kept.
        task = getattr(error, "task", None) or getattr(error, "task_spec", None)
        element = getattr(getattr(task, "task_spec", task), "bpmn_id", None) or ""
        moved.obstacles.append(Note("stuck", element, type(error).__name__))


MAX_TRIED = 12


class _Untried(Exception):
    """An expression needs an answer that only a person gives."""

    def __init__(self, element: str) -> None:
        super().__init__(element)
        self.element = element


def _finish(found: library.Workflow, new: Specification, wanted: set[UUID], environment: feel.Environment) -> None:
    for task_id in wanted:
        task = workflow._find(found, task_id)
        if task is None or task._state != TaskState.READY:
            continue
        element = new.elements[task.task_spec.bpmn_id]
        try:
            for variable, text in element.outputs:
                task.data.setdefault(variable, None)
                task.data[variable] = feel.evaluate(text, {**task.data, "answers": {}, "person": None, "record": None}, environment)
        except feel.FeelError:
            pass
        try:
            task.run()
            workflow._rest(found, new, workflow.Outcome())
        except Exception as error:
            if _is_about_values(error):
                raise _Untried(element.id) from None
            raise


def _is_about_values(error: Exception) -> bool:
    """Tell whether an error comes from a value that only a person gives, and not from the shape of the state.

    What is out of shape fails as a look-up, or as the library's plain exception: a task that is not there, or not where it should be.
    """
    chain = (error, error.__cause__, getattr(error, "exception", None))
    if any(isinstance(entry, feel.FeelError) for entry in chain):
        return True
    return not isinstance(error, LookupError | AttributeError) and type(error) is not WorkflowException


__all__ = ["Moved", "Note", "move", "open_elements"]
