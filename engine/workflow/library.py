"""The library's workflow with three adjustments: an injected clock, cheaper walks over the tasks, quiet logs.

Measured on the representative case of `pingshen bench engine`, the walks and the logs cost half of a step.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from copy import copy
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from SpiffWorkflow.bpmn.specs.event_definitions import timer as timer_module
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.deep_merge import DeepMerge
from SpiffWorkflow.util.task import TaskState
from SpiffWorkflow.workflow import Workflow as LibraryWorkflow

MAX_STEPS = 2000
_MUTABLE = (dict, list, set)
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


@contextlib.contextmanager
def at(now: datetime) -> Iterator[None]:
    """Let the library's timers see `now` as the present."""
    token = _now.set(now)
    try:
        yield
    finally:
        _now.reset(token)


def _update_waiting_tasks(self: LibraryWorkflow) -> None:
    for task in [task for task in self.tasks.values() if task._state == TaskState.WAITING]:
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
    """Return tasks; those of one element are looked up in the index of the scope it lies in, in the order they were made."""
    if first_task is None and len(wanted) == 1 and "spec_name" in wanted:
        return [task for task in self.tasks.values() if task.task_spec.name == wanted["spec_name"]]
    return list(self.get_tasks_iterator(first_task, **wanted))


def _inherit_data(self: Task) -> None:
    """Take over the data of the parent; a task that has none yet merges with nothing."""
    data = self.parent.data
    if self.data:
        self.data = DeepMerge.merge(self.data, data)
    else:
        self.data = {key: copy(value) if isinstance(value, _MUTABLE) else value for key, value in data.items()}


class SubWorkflow(BpmnSubWorkflow):  # type: ignore[misc]
    """A called or embedded part of a workflow."""

    update_waiting_tasks = _update_waiting_tasks
    get_tasks = _get_tasks

    def _task_removed_notify(self, task: Task) -> None:
        super()._task_removed_notify(task)
        _drop_part(self.top_workflow, task)


class Workflow(BpmnWorkflow):  # type: ignore[misc]
    """A workflow that counts its steps and takes READY tasks from the index instead of walking the tree.

    The library's iterator stops at a depth of 1000 and then overlooks open tasks; the index does not.
    """

    update_waiting_tasks = _update_waiting_tasks
    get_tasks = _get_tasks

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.steps = 0
        super().__init__(*arguments, **options)

    def _task_removed_notify(self, task: Task) -> None:
        super()._task_removed_notify(task)
        _drop_part(self, task)

    def create_subprocess(self, my_task: Task, spec_name: str) -> SubWorkflow:
        """Start a part with our own class."""
        part = SubWorkflow(self.subprocess_specs[spec_name], parent_task_id=my_task.id, top_workflow=self)
        self.subprocesses[my_task.id] = part
        return part

    def _do_engine_steps(self, will_complete_task: object = None, did_complete_task: Callable[[Task], None] | None = None) -> bool:
        def advance(workflow: BpmnWorkflow | BpmnSubWorkflow) -> int:
            ready = [task for task in workflow.tasks.values() if task._state == TaskState.READY and not task.task_spec.manual]
            for task in _in_tree_order(ready):
                self.steps += 1
                if self.steps > MAX_STEPS:
                    raise TooManySteps
                task.run()
                if did_complete_task is not None:
                    did_complete_task(task)
            return len(ready)

        active = self.get_active_subprocesses()
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

    def scopes(self) -> list[BpmnWorkflow | BpmnSubWorkflow]:
        """Return the root and every loaded part."""
        return [self, *self.subprocesses.values()]


def dispose(workflow: Workflow) -> None:
    """Cut the cycles between tasks and workflows, so that memory is free at once and not at the next collection."""
    for scope in workflow.scopes():
        for task in scope.tasks.values():
            task.__dict__.clear()
        scope.completed_event.hard_subscribers = None
    for part in list(workflow.subprocesses.values()):
        part.__dict__.clear()
    workflow.__dict__.clear()


def _no_extras(_self: object, dct: dict[str, Any] | None = None) -> dict[str, Any] | None:
    return dct


timer_module.datetime = InjectedDatetime
# The library builds log records of every change of state, with values of the case in them, whether or not anybody listens.
logging.getLogger("spiff").setLevel(logging.WARNING)
Task.collect_log_extras = _no_extras
Task._inherit_data = _inherit_data
LibraryWorkflow.collect_log_extras = _no_extras
BpmnSubWorkflow.collect_log_extras = _no_extras
TaskState.get_name = staticmethod(lru_cache(None)(TaskState.get_name))
