"""Where a workflow stands ↔ bytes, one blob per scope. The specification is not in it.

A blob is a format byte and zstd over lines of JSON: a head with one row per task in pre-order (children keep their
order by it), then one line per task with what its data adds to its parent's and its internal data. Lines are decoded
when somebody looks; a finished task nobody looked at is written back byte for byte. JSON objects are never reordered:
the library's own format loses data when they are, which is why states are kept as bytes and not as JSON in a database.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import Any
from uuid import UUID, SafeUUID

import orjson
import zstandard
from SpiffWorkflow.bpmn.specs.control import SimpleBpmnTask
from SpiffWorkflow.bpmn.specs.event_definitions.simple import NoneEventDefinition
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.events.intermediate_event import BoundaryEvent
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.workflow.library import SubWorkflow, Workflow

FORMAT = b"\x01"
ROOT = ""
GONE = " [gone]"
"""What is added to the name of a finished task whose id means something else in the diagrams of today."""
MAX_BYTES = 4_000_000
_FINISHED, _WAITING = TaskState.FINISHED_MASK, TaskState.WAITING
_EMPTY = b"[0,{}]"
_MUTABLE = (dict, list, set)
_Scope = Any  # BpmnWorkflow | BpmnSubWorkflow


class Unstorable(Exception):
    """The state is of an unknown format, too large, or holds a value that is not plain JSON."""


class StoredTask(Task):  # type: ignore[misc]
    """A restored task: its data are put together from the lines of its ancestors when somebody looks."""

    @property
    def data(self) -> dict[str, Any]:
        """What the task's expressions see."""
        found: dict[str, Any] | None = self.__dict__.get("_data")
        if found is None:
            found = self.__dict__["_data"] = self._assemble()
        return found

    @data.setter
    def data(self, value: dict[str, Any]) -> None:
        self.__dict__["_data"] = value

    @property
    def internal_data(self) -> dict[str, Any]:
        """What the library remembers of the task."""
        found: dict[str, Any] | None = self.__dict__.get("_internal")
        if found is None:
            found = self.__dict__["_internal"] = self._row()[1]
        return found

    @internal_data.setter
    def internal_data(self, value: dict[str, Any]) -> None:
        self.__dict__["_internal"] = value

    def _row(self) -> Any:
        row = self.__dict__.get("_decoded")
        if row is None:
            row = self.__dict__["_decoded"] = orjson.loads(self._line) if self._line else (None, {})
        return row

    def _assemble(self) -> dict[str, Any]:
        chain: list[Any] = [self]
        task, base = self.parent, None
        while task is not None:
            base = task.__dict__.get("_data") if isinstance(task, StoredTask) else task.data
            if base is not None:
                break
            chain.append(task)
            task = task.parent
        data = {key: _own(value) for key, value in base.items()} if base is not None else {}
        for task in reversed(chain):
            delta = task._row()[0]
            if delta is None:
                continue
            if delta == 0:
                data = {}
                continue
            added, gone = delta
            for key in gone:
                data.pop(key, None)
            data.update(added if task is self else {key: _own(value) for key, value in added.items()})
        return data


def _own(value: Any) -> Any:
    return copy(value) if isinstance(value, _MUTABLE) else value


class _Zstd(threading.local):
    """A pair of zstd contexts for every thread: they are not to be shared, and making them costs as much as using them."""

    def __init__(self) -> None:
        self.compressor, self.decompressor = zstandard.ZstdCompressor(level=1, write_checksum=True), zstandard.ZstdDecompressor()

    def pack(self, raw: bytes) -> bytes:
        return FORMAT + self.compressor.compress(raw)

    def unpack(self, blob: bytes) -> bytes:
        if blob[:1] != FORMAT:
            raise Unstorable(f"unknown format {blob[:1]!r}")
        return self.decompressor.decompress(blob[1:], max_output_size=MAX_BYTES)


_zstd = _Zstd()


def dump(workflow: Workflow) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Turn a workflow into its blobs: those of the running scopes, and those of parts that have just finished.

    Raises:
        Unstorable: a value is not plain JSON, or a scope is larger than 4 MB.
    """
    live = {ROOT: _dump_scope(workflow)}
    frozen: dict[str, bytes] = {}
    for task_id, part in workflow.subprocesses.items():
        if part.completed and part.parent_workflow.tasks[task_id]._state & _FINISHED:
            frozen[task_id.hex] = _dump_scope(part)
        else:
            live[task_id.hex] = _dump_scope(part)
    return live, frozen


def _dump_scope(scope: _Scope) -> bytes:
    tasks, last = scope.tasks, -1
    rows: list[tuple[Any, ...]] = []
    lines: list[bytes] = []
    stack = [(scope.task_tree, -1)]
    try:
        while stack:
            task, parent_at = stack.pop()
            own, state, at = task.__dict__, task._state, len(rows)
            changed = own["last_state_change"]
            rows.append((f"{own['id'].int:032x}", parent_at, own["task_spec"].name, state, changed, 1 if own["triggered"] else 0))
            if state & _FINISHED and own.get("_lsc") == changed and "_data" not in own and "_internal" not in own:
                lines.append(own["_line"])
            else:
                lines.append(_line(task, tasks.get(own["_parent"])))
            if task is scope.last_task:
                last = at
            if children := own["_children"]:
                stack += [(tasks[child], at) for child in reversed(children)]
        head = orjson.dumps((rows, scope.data, scope.correlations, last, scope.success, scope.completed))
    except TypeError as error:
        raise Unstorable(str(error)) from None
    raw = b"\n".join([head, *lines])
    if len(raw) > MAX_BYTES:
        raise Unstorable("too large")
    return _zstd.pack(raw)


def _line(task: Task, parent: Task | None) -> bytes:
    internal = task.internal_data
    delta: Any = None
    if parent is None:
        delta = (task.data, ())
    elif not task.data:
        delta = 0 if parent._state & _FINISHED or parent.data else None
    else:
        data, base = task.data, parent.data
        added = {key: value for key, value in data.items() if key not in base or (base[key] is not value and base[key] != value)}
        gone = [key for key in base if key not in data]
        delta = (added, gone) if added or gone else None
    if "seen_events" in internal:
        internal = {key: value for key, value in internal.items() if key != "seen_events"}
    if delta is None and not internal:
        return b""
    if delta == 0 and not internal:
        return _EMPTY
    return orjson.dumps((delta, internal))


def load(spec: Any, parts: Mapping[str, Any], blobs: Mapping[str, bytes], script_engine: Any) -> Workflow:
    """Restore a workflow from the blobs of its running scopes.

    Raises:
        Unstorable: a blob is of an unknown format or does not fit the specification.
    """
    workflow = Workflow(spec, parts, script_engine=script_engine, deserializing=True)
    try:
        _load_scope(workflow, blobs[ROOT])
        waiting = {UUID(scope): blob for scope, blob in blobs.items() if scope != ROOT}
        scopes: list[_Scope] = [workflow]
        while waiting and scopes:
            deeper: list[_Scope] = []
            for scope in scopes:
                for task_id in [task_id for task_id in waiting if task_id in scope.tasks]:
                    task = scope.tasks[task_id]
                    part = SubWorkflow(parts[task.task_spec.spec], task_id, workflow, deserializing=True)
                    workflow.subprocesses[task_id] = part
                    _load_scope(part, waiting.pop(task_id))
                    part.completed_event.connect(task.task_spec._on_subworkflow_completed, task)
                    deeper.append(part)
            scopes = deeper
    except (KeyError, IndexError, ValueError, zstandard.ZstdError) as error:
        raise Unstorable(f"{type(error).__name__}: {error}"[:200]) from None
    return workflow


def _uuid(hexed: str) -> UUID:
    """Make a UUID of 32 digits; its constructor looks at every other way to write one and takes a fifth of a load."""
    key = object.__new__(UUID)
    object.__setattr__(key, "int", int(hexed, 16))
    object.__setattr__(key, "is_safe", SafeUUID.unknown)
    return key


class _Nowhere:
    """The process of elements that are in no diagram any more."""

    def _add_notify(self, spec: Any) -> None:
        """Take note of nothing."""


@lru_cache(maxsize=2048)
def inert(name: str, is_event: bool) -> Any:
    """Return what stands for a finished element that the diagrams lack: known by name, doing nothing.

    Args:
        is_event: It was a boundary event: whoever looks for the step beside it must not take it for the step.
    """
    return BoundaryEvent(_Nowhere(), name, NoneEventDefinition(), False) if is_event else SimpleBpmnTask(_Nowhere(), name)


def _finished(name: str, state: int, parent: Task | None) -> Any:
    """Return the stand-in of a finished task of which the diagrams know nothing.

    Raises:
        KeyError: it is not finished; there is nothing to go on with.
    """
    if not state & _FINISHED or parent is None:
        raise KeyError(name)
    above = parent.task_spec.name
    return inert(name, above.endswith(".BoundaryEventSplit") and name != above.removesuffix(".BoundaryEventSplit"))


def _load_scope(scope: _Scope, blob: bytes) -> None:
    lines = _zstd.unpack(blob).split(b"\n")
    rows, scope.data, scope.correlations, last, scope.success, scope.completed = orjson.loads(lines[0])
    specs, tasks, eager = scope.spec.task_specs, {}, []
    listed: list[Any] = []
    events = scope.top_workflow.event_manager
    for (hexed, parent_at, name, state, changed, triggered), line in zip(rows, lines[1:], strict=True):
        task = object.__new__(StoredTask)
        key, spec = _uuid(hexed), specs.get(name) or _finished(name, state, listed[parent_at] if 0 <= parent_at < len(listed) else None)
        own = task.__dict__
        own.update(
            id=key,
            workflow=scope,
            _parent=None,
            _children=[],
            _state=state,
            triggered=bool(triggered),
            task_spec=spec,
            thread_id=0,
            last_state_change=changed,
            _line=line,
            _lsc=changed,
        )
        if not (0 <= parent_at < len(listed) or (parent_at == -1 and not listed)):
            raise ValueError("a task that no earlier one leads to")
        tasks[key] = task
        listed.append(task)
        if parent_at >= 0:
            parent = listed[parent_at]
            own["_parent"] = parent.id
            parent._children.append(key)
            if not parent._state & _FINISHED:  # the parent may still change: take its data as they were saved
                if line == _EMPTY or (not line and parent.__dict__.get("_data") == {}):
                    own["_data"], own["_internal"] = {}, {}
                else:
                    eager.append(task)
        if state == _WAITING and isinstance(spec, CatchingEvent):
            events.add_task(task)
    scope.tasks = tasks
    for task in eager:
        task.data  # noqa: B018
    scope.task_tree = listed[0]
    scope.last_task = listed[last] if last >= 0 else None


def first_data(blob: bytes) -> dict[str, Any]:
    """Return the variables with which a workflow began, from the blob of its root scope.

    Raises:
        Unstorable: the blob is of an unknown format.
    """
    lines = _zstd.unpack(blob).split(b"\n", 2)
    delta = orjson.loads(lines[1])[0] if len(lines) > 1 and lines[1] else None
    return dict(delta[0]) if delta else {}
