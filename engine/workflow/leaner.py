"""The library's inner loops with less work in them: the same tasks, in the same states, with the same data.

Each function here takes the place of one of the library's (3.2.0) and is to be compared with it when the library changes. What it
leaves out has no effect: looking up by key what is at hand, walking the tree where an index knows, notes for logs nobody keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from time import time
from typing import Any
from uuid import UUID, uuid4

from SpiffWorkflow.bpmn.specs.control import _EndJoin
from SpiffWorkflow.bpmn.specs.event_definitions.simple import NoneEventDefinition
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.subworkflow_task import CallActivity, SubWorkflowTask
from SpiffWorkflow.bpmn.specs.mixins.unstructured_join import UnstructuredJoin
from SpiffWorkflow.exceptions import WorkflowException
from SpiffWorkflow.specs.base import TaskSpec
from SpiffWorkflow.specs.Join import Join
from SpiffWorkflow.specs.StartTask import StartTask
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.deep_merge import DeepMerge
from SpiffWorkflow.util.task import TaskState
from SpiffWorkflow.workflow import Workflow

MAYBE, FUTURE, WAITING, READY = TaskState.MAYBE, TaskState.FUTURE, TaskState.WAITING, TaskState.READY
COMPLETED, CANCELLED = TaskState.COMPLETED, TaskState.CANCELLED
PREDICTED, DEFINITE = TaskState.PREDICTED_MASK, TaskState.DEFINITE_MASK
FINISHED, NOT_FINISHED = TaskState.FINISHED_MASK, TaskState.NOT_FINISHED_MASK
TESTED = "is_tested"
REPLACED: list[tuple[type, str, Any]] = []
"""What stands in whose place: the class, the name, and what the library has there."""
MUTABLE = frozenset({dict, list, set})
PLAIN = frozenset({str, int, float, bool, type(None)})


def put(owner: type, name: str, ours: Any) -> Any:
    """Put a function in the place of one of the library's and return that."""
    theirs = owner.__dict__[name]
    REPLACED.append((owner, name, theirs))
    setattr(owner, name, ours)
    return theirs


# ── tasks ──


def _init(self: Task, workflow: Any, task_spec: Any, parent: Task | None = None, state: int = MAYBE, id: UUID | None = None) -> None:  # noqa: A002
    """Add a task to a workflow; a parent that is at hand is not looked up, and the key may be a number (`Workflow.new_id`)."""
    self.id = key = id or workflow.new_id()
    workflow.tasks[key] = self
    self.workflow = workflow
    self._parent = None
    self._children = []
    self._state = state
    self.triggered = False
    self.task_spec = task_spec or StartTask(workflow.spec)
    self.thread_id = Task.thread_id_pool
    self.data = {}
    self.internal_data = {}
    self.last_state_change = time()
    if parent is not None:
        self._parent = parent.id
        parent._children.append(key)
    if state == WAITING:
        workflow.has_waiting = True


def _set_state(self: Task, value: int) -> None:
    """Set the state, tell the workflow what it has to look for, and write no log."""
    if value == READY:
        self.workflow.has_ready = True
    elif value == WAITING:
        self.workflow.has_waiting = True
    if value != self._state:
        self.last_state_change = time()
        self._state = value


def _ready(self: Task) -> None:
    if not self._state & (COMPLETED | CANCELLED):
        self._set_state(READY)
        self.task_spec._on_ready(self)


def _add_child(self: Task, task_spec: Any, state: int = MAYBE) -> Task:
    if self._state & PREDICTED and not state & PREDICTED:
        raise WorkflowException("Attempt to add non-predicted child to predicted task", task_spec=self.task_spec)
    task = Task(self.workflow, task_spec, self, state)
    task.thread_id = self.thread_id
    if state == READY:
        task._ready()
    return task


def _sync_children(self: Task, task_specs: list[Any], state: int = MAYBE) -> None:
    """Let a task have one child for each specification; those it has already are looked up once."""
    missing = task_specs
    if self._children:
        missing, tasks, gone = task_specs[:], self.workflow.tasks, []
        for key in self._children:
            child = tasks[key]
            if child.triggered:
                continue
            if child.task_spec in missing:
                missing.remove(child.task_spec)
                if child._state & NOT_FINISHED:
                    child._set_state(state)
            elif child._state & DEFINITE:
                raise WorkflowException(f"removal of non-predicted child {child}", task_spec=self.task_spec)
            else:
                gone.append(key)
        for key in gone:
            self.workflow._remove_task(key)
    for task_spec in missing:
        self._add_child(task_spec, state)


def _is_descendant_of(self: Task, task: Task) -> bool:
    """Tell whether another task lies above, without recursion."""
    tasks, wanted, key = self.workflow.tasks, task.id, self._parent
    while key is not None:
        if key == wanted:
            return True
        key = tasks[key]._parent
    return False


def _inherit_data(self: Task) -> None:
    """Take over the data of the parent; a task that has none yet merges with nothing."""
    data = self.workflow.tasks[self._parent].data
    if self.data:
        self.data = DeepMerge.merge(self.data, data)
        return
    own = self.data = data.copy()
    for key, value in data.items():
        if value.__class__ in MUTABLE:
            own[key] = value.copy()


def below(task: Task, end_at: str) -> Iterator[Task]:
    """Yield a task and all under it in its own scope, parents first; not what lies under tasks of one element."""
    tasks, todo = task.workflow.tasks, [task]
    while todo:
        task = todo.pop()
        yield task
        if task._children and task.task_spec.name != end_at:
            todo += [tasks[key] for key in reversed(task._children)]


put(Task, "__init__", _init)
put(Task, "_set_state", _set_state)
put(Task, "_ready", _ready)
put(Task, "_add_child", _add_child)
put(Task, "_sync_children", _sync_children)
put(Task, "_inherit_data", _inherit_data)
put(Task, "is_descendant_of", _is_descendant_of)
Workflow.new_id = staticmethod(uuid4)
Workflow.has_ready = Workflow.has_waiting = True


# ── what all elements do ──


def _predict(self: TaskSpec, my_task: Task, _seen: Any = None, looked_ahead: int = 0, mask: int = PREDICTED) -> None:
    """Add what may follow. The library's list of what it has seen holds no tasks and is asked for tasks: it is left out."""
    if my_task._state & mask:
        self._predict_hook(my_task)
    children = my_task._children
    if children and (my_task._state & DEFINITE or looked_ahead + 1 < self.lookahead):
        tasks = my_task.workflow.tasks
        for child in [tasks[key] for key in children]:
            if child._state & mask:
                child.task_spec._predict(child, None, looked_ahead + 1, mask)


def _predict_hook(self: TaskSpec, my_task: Task) -> None:
    state, specs = my_task._state, self._wf_spec.task_specs
    my_task._sync_children([specs[name] for name in self._outputs], FUTURE if state & DEFINITE else state)


def _update(self: TaskSpec, my_task: Task) -> None:
    if my_task._state & PREDICTED:
        self._predict(my_task)
    if self._update_hook(my_task):
        my_task._ready()


def _on_ready(self: TaskSpec, my_task: Task) -> None:
    """Look at an element's attributes the first time only: they do not change."""
    if TESTED not in self.__dict__:
        self.test()
        self.__dict__[TESTED] = True
    for assignment in self.pre_assign:
        assignment.assign(my_task, my_task)
    self._on_ready_hook(my_task)


def _on_complete(self: TaskSpec, my_task: Task) -> None:
    self._on_complete_hook(my_task)
    workflow = my_task.workflow
    tasks = workflow.tasks
    for child in [tasks[key] for key in my_task._children]:
        if not child._state & FINISHED:
            child.task_spec._update(child)
    workflow._task_completed_notify(my_task)


put(TaskSpec, "_predict", _predict)
put(TaskSpec, "_predict_hook", _predict_hook)
put(TaskSpec, "_update", _update)
put(TaskSpec, "_on_ready", _on_ready)
put(TaskSpec, "_on_complete", _on_complete)


# ── joins ──


def _join_update(self: UnstructuredJoin, my_task: Task) -> bool:
    may_fire: bool = self._check_threshold_unstructured(my_task)
    for task in [task for task in my_task.workflow.tasks.values() if task._state == WAITING and task.task_spec is self and task is not my_task]:
        task.cancel()
    if may_fire:
        my_task._inherit_data()
    else:
        my_task._set_state(WAITING)
    return may_fire


def _join_run(self: UnstructuredJoin, my_task: Task) -> bool:
    tasks = my_task.workflow.tasks
    others = [task for task in tasks.values() if task.task_spec is self and task._state & FINISHED and not my_task.is_descendant_of(task)]
    for task in sorted(others, key=lambda task: task.last_state_change):
        DeepMerge.merge(my_task.data, tasks[task._parent].data)
        if task._state & COMPLETED:
            task._drop_children(force=True)
    my_task._inherit_data()
    return True


def _end_check(self: _EndJoin, my_task: Task) -> bool:
    """Tell whether nothing else is unfinished in the scope but what lies behind its end."""
    tasks = my_task.workflow.tasks
    for task in tasks.values():
        if task._state & NOT_FINISHED and task is not my_task and (task._parent is None or tasks[task._parent].task_spec is not self):
            return False
    return True


def _find_tasks(self: Join, my_task: Task) -> list[Task]:
    """Return the tasks of a structured join that belong together."""
    split_task = my_task.find_ancestor(self.split_task) or my_task.workflow.task_tree
    return [
        task
        for task in below(split_task, self.name)
        if task.task_spec.name == self.name and task.thread_id == my_task.thread_id and not (self.split_task and task.is_descendant_of(my_task))
    ]


put(UnstructuredJoin, "_update_hook", _join_update)
put(UnstructuredJoin, "_run_hook", _join_run)
put(_EndJoin, "_check_threshold_unstructured", _end_check)
put(Join, "_find_tasks", _find_tasks)


# ── parts and events ──


def copied(value: Any) -> Any:
    """Return a deep copy of a value of the routing variables: plain JSON, in which nothing stands twice."""
    kind = value.__class__
    if kind in PLAIN:
        return value
    if kind is dict:
        return {key: inner if inner.__class__ in PLAIN else copied(inner) for key, inner in value.items()}
    if kind is list:
        return [inner if inner.__class__ in PLAIN else copied(inner) for inner in value]
    return deepcopy(value)


def _start_workflow(self: SubWorkflowTask, my_task: Task) -> None:
    """Begin a part; its first task is the root of its tree, which the library looks for from the root on."""
    top = my_task.workflow.top_workflow
    if self.spec in top.subprocess_specs:
        part = top.create_subprocess(my_task, self.spec)
        part.completed_event.connect(self._on_subworkflow_completed, my_task)
        self.copy_data(my_task, part)
        part.task_tree.run()
    else:
        _library_start_workflow(self, my_task)


def _into_part(_self: SubWorkflowTask, my_task: Task, part: Any) -> None:
    part.task_tree.data.update(copied(my_task.data))


def _out_of_part(_self: SubWorkflowTask, my_task: Task, part: Any) -> None:
    my_task.data = copied(part.last_task.data)


def _into_called(self: CallActivity, my_task: Task, part: Any) -> None:
    if part.spec.io_specification is not None and part.spec.io_specification.data_inputs:
        _library_into_called(self, my_task, part)
    else:
        part.task_tree.data.update(my_task.data)


def _out_of_called(self: CallActivity, my_task: Task, part: Any) -> None:
    if part.spec.io_specification is not None and part.spec.io_specification.data_outputs:
        _library_out_of_called(self, my_task, part)
    else:
        my_task.data = copied(part.last_task.data)


def _run_event(self: CatchingEvent, my_task: Task) -> Any:
    """Run an event; one that waits for nothing has nothing to forget in all that follows it."""
    if self.event_definition.__class__ is NoneEventDefinition:
        return super(CatchingEvent, self)._run_hook(my_task)
    return _library_run_event(self, my_task)


_library_start_workflow = put(SubWorkflowTask, "start_workflow", _start_workflow)
put(SubWorkflowTask, "copy_data", _into_part)
put(SubWorkflowTask, "update_data", _out_of_part)
_library_into_called = put(CallActivity, "copy_data", _into_called)
_library_out_of_called = put(CallActivity, "update_data", _out_of_called)
_library_run_event = put(CatchingEvent, "_run_hook", _run_event)
