"""The library's workflow with three adjustments: an injected clock, cheaper walks over the tasks, quiet logs.

Measured on the representative case of `pingshen bench engine`, the walks and the logs cost half of a step. What costs less in the
library's own loops stands in `leaner`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import count
from typing import Any

from SpiffWorkflow.bpmn.specs.event_definitions import timer as timer_module
from SpiffWorkflow.bpmn.specs.event_definitions.multiple import MultipleEventDefinition
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState
from SpiffWorkflow.workflow import Workflow as LibraryWorkflow

from engine.workflow import leaner

MAX_STEPS = 2000
_numbers = count(1).__next__
_TIMERS = (timer_module.TimeDateEventDefinition, timer_module.DurationTimerEventDefinition)
_TIMED = (timer_module.TimerEventDefinition, MultipleEventDefinition)
_now: ContextVar[datetime | None] = ContextVar("pingshen_workflow_now", default=None)


class TooManySteps(Exception):
    """The workflow did not come to rest: a loop in the diagram has no work for people in it."""


class InjectedDatetime(datetime):
    """What the library's timers take for `datetime`: its `now` is the instant of the running command."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return the command's instant; the library fires only what lies strictly before it, so add a microsecond."""
        now = _now.get()
        if now is None:
            raise RuntimeError("a workflow runs inside `at(now)` only")
        return (now + timedelta(microseconds=1)).astimezone(tz)


class at:  # noqa: N801 - it is used as a function
    """Let the library's timers see an instant as the present."""

    __slots__ = ("now", "token")

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __enter__(self) -> None:
        self.token = _now.set(self.now)

    def __exit__(self, *_error: object) -> None:
        _now.reset(self.token)


def _update_waiting_tasks(self: LibraryWorkflow) -> None:
    if not self.has_waiting:
        return
    waiting = [task for task in self.tasks.values() if task._state == TaskState.WAITING]
    self.has_waiting = bool(waiting)
    for task in waiting:
        if task._state == TaskState.WAITING and task.id in self.tasks:
            task.task_spec._update(task)


def _in_tree_order(tasks: list[Task]) -> list[Task]:
    """Sort tasks as the library's own iterator meets them, so that results do not hang on the order of a dictionary."""
    if len(tasks) < 2:
        return tasks

    def place(task: Task) -> list[int]:
        steps: list[int] = []
        while (parent := task.parent) is not None:
            steps.append(parent._children.index(task.id))
            task = parent
        return steps[::-1]

    return sorted(tasks, key=place)


def _drop_part(workflow: Any, task: Task) -> None:
    """Let a task that leaves the tree take its part with it.

    The library removes the instances of an interrupted multi-instance call and leaves their parts running without a parent.
    """
    part = workflow.subprocesses.pop(task.id, None)
    if part is not None:
        for inner in [inner for inner in part.tasks.values() if inner.id in workflow.subprocesses]:
            _drop_part(workflow, inner)
        part.cancel()


def _get_tasks(self: Any, first_task: Task | None = None, **wanted: Any) -> list[Task]:
    """Return tasks; those of one element are looked up in the index of the scope it lies in, in the order they were made.

    All before an element are those of its own scope: an inclusive gateway asks so, and no part can lead to it but by its call.
    """
    if first_task is None and len(wanted) == 1:
        if "spec_name" in wanted:
            return [task for task in self.tasks.values() if task.task_spec.name == wanted["spec_name"]]
        if "end_at_spec" in wanted:
            return list(leaner.below(self.task_tree, wanted["end_at_spec"]))
    return list(self.get_tasks_iterator(first_task, **wanted))


def _is_early(my_task: Task) -> bool:
    """Tell whether an event is a timer whose instant is known and has not come yet: it waits on with the data it has.

    What led to it is finished, so that its data are those it began to wait with.
    """
    if my_task._state != TaskState.WAITING or my_task.task_spec.event_definition.__class__ not in _TIMERS:
        return False
    known, now = my_task.internal_data, _now.get()
    due = known.get("event_value")
    if due is None or now is None or known.get("event_fired") or not datetime.fromisoformat(due) > now:
        return False
    return bool(my_task.parent._state & TaskState.FINISHED_MASK)


def _update_event(self: CatchingEvent, my_task: Task) -> bool | None:
    return None if _is_early(my_task) else _library_update_event(self, my_task)


class SubWorkflow(BpmnSubWorkflow):  # type: ignore[misc]
    """A called or embedded part of a workflow."""

    update_waiting_tasks = _update_waiting_tasks
    get_tasks = _get_tasks

    def __init__(self, spec: Any, parent_task_id: Any, top_workflow: Workflow, **options: Any) -> None:
        self.new_id = top_workflow.new_id
        super().__init__(spec, parent_task_id, top_workflow, **options)

    @property
    def parent_workflow(self) -> Any:
        """The scope of the task that called the part; it never changes."""
        above = self.__dict__.get("above")
        if above is None:
            above = self.above = self.top_workflow.get_task_from_id(self.parent_task_id).workflow
        return above

    def _calculate_depth(self) -> int:
        return int(self.parent_workflow.depth) + 1

    def _task_removed_notify(self, task: Task) -> None:
        super()._task_removed_notify(task)
        _drop_part(self.top_workflow, task)


class Workflow(BpmnWorkflow):  # type: ignore[misc]
    """A workflow that counts its steps and takes READY tasks from the index instead of walking the tree.

    The library's iterator stops at a depth of 1000 and then overlooks open tasks; the index does not.

    Args:
        is_numbered: Tasks are known by numbers; for a workflow that nobody stores. Random keys cost a tenth of a walk in memory.
    """

    update_waiting_tasks = _update_waiting_tasks
    get_tasks = _get_tasks

    def __init__(self, *arguments: Any, is_numbered: bool = False, **options: Any) -> None:
        self.steps = 0
        self.entered: set[str] = set()
        if is_numbered:
            self.new_id = _numbers
        super().__init__(*arguments, **options)

    def _task_removed_notify(self, task: Task) -> None:
        super()._task_removed_notify(task)
        _drop_part(self, task)

    def create_subprocess(self, my_task: Task, spec_name: str) -> SubWorkflow:
        """Start a part with our own class, and note which."""
        self.entered.add(spec_name)
        part = SubWorkflow(self.subprocess_specs[spec_name], parent_task_id=my_task.id, top_workflow=self)
        self.subprocesses[my_task.id] = part
        return part

    def _do_engine_steps(self, will_complete_task: object = None, did_complete_task: Callable[[Task], None] | None = None) -> bool:
        active = self.get_active_subprocesses()
        if not self.has_ready and not any(part.has_ready for part in active):
            return False

        def advance(workflow: BpmnWorkflow | BpmnSubWorkflow) -> int:
            if not workflow.has_ready:
                return 0
            ready = [task for task in workflow.tasks.values() if task._state == TaskState.READY and not task.task_spec.manual]
            workflow.has_ready = False
            for task in _in_tree_order(ready):
                self.steps += 1
                if self.steps > MAX_STEPS:
                    raise TooManySteps
                task.run()
                if did_complete_task is not None:
                    did_complete_task(task)
            return len(ready)

        for part in sorted(active, key=lambda part: part.depth, reverse=True) if len(active) > 1 else active:
            if self.subprocesses.get(part.parent_task_id) is not part:
                continue
            while advance(part):
                pass
            if part.completed:  # before that, updating the task that called it changes nothing
                task = self.get_task_from_id(part.parent_task_id)
                task.task_spec._update(task)
        count = advance(self)
        return count > 0 or len(self.get_active_subprocesses()) > len(active)

    def refresh_timers(self) -> None:
        """Look at every timer that waits."""
        for task in list(self.event_manager.tasks.values()):
            if isinstance(task.task_spec.event_definition, _TIMED) and not _is_early(task):
                task.task_spec._update(task)

    def scopes(self) -> list[BpmnWorkflow | BpmnSubWorkflow]:
        """Return the root and every loaded part."""
        return [self, *self.subprocesses.values()]


def dispose(workflow: Workflow) -> None:
    """Cut the cycles between workflows and their tasks, so that memory is free at once and not at the next collection."""
    for part in list(workflow.subprocesses.values()):
        _cut(part)
    _cut(workflow)


def leave(workflow: Workflow, task_id: Any) -> None:
    """Leave a finished part behind and free its memory: nothing asks for its tasks again."""
    part = workflow.subprocesses.pop(task_id)
    for key in part.tasks:
        workflow.event_manager.tasks.pop(key, None)
    _cut(part)


def _cut(scope: BpmnWorkflow | BpmnSubWorkflow) -> None:
    scope.completed_event.hard_subscribers = None
    scope.__dict__.clear()


def _no_extras(_self: object, dct: dict[str, Any] | None = None) -> dict[str, Any] | None:
    return dct


timer_module.datetime = InjectedDatetime
# The library builds log records of every change of state, with values of the case in them, whether or not anybody listens.
logging.getLogger("spiff").setLevel(logging.WARNING)
Task.collect_log_extras = _no_extras
_library_update_event = leaner.put(CatchingEvent, "_update_hook", _update_event)
LibraryWorkflow.collect_log_extras = _no_extras
BpmnSubWorkflow.collect_log_extras = _no_extras
TaskState.get_name = staticmethod(lru_cache(None)(TaskState.get_name))
