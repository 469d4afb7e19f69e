"""FEEL behind the library: conditions, timers, script tasks and services. There is no path to Python from a diagram."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from SpiffWorkflow.bpmn.exceptions import WorkflowTaskException
from SpiffWorkflow.bpmn.specs.event_definitions.timer import (
    CycleTimerEventDefinition,
    DurationTimerEventDefinition,
    TimerEventDefinition,
)
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import MultiInstanceTask
from SpiffWorkflow.spiff.specs.defaults import ScriptTask

from engine import feel
from engine.feel.values import check_key

NEVER = "9999-12-31T00:00:00+00:00"
MAX_INSTANCES = 100
MAX_STEPS, MAX_PATTERN_SECONDS = 200_000, 0.4
"""What all expressions of one command may do together."""
_DURATION = re.compile(r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """A service task's wish: carried out by the host in the same transaction."""

    service: str
    arguments: Mapping[str, Any]
    element: str


@dataclass
class FeelEngine:
    """Takes the place of the library's Python engine; not derived from it, so that nothing of it is inherited."""

    environment_of_command: feel.Environment
    decisions: Mapping[str, feel.Model] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environment = _Environment(self)
        self.environment_of_command = budgeted(self.environment_of_command)

    def value(self, text: str, data: Mapping[str, Any]) -> Any:
        """Evaluate an expression over wire values.

        Raises:
            feel.FeelError: bad syntax, an unknown name or function, wrong arguments, or the budget is spent.
        """
        return feel.evaluate(text, data, self.environment_of_command)

    def evaluate(self, task: Any, expression: str, external_context: Mapping[str, Any] | None = None) -> Any:
        """Answer the library for a condition, a timer, a cardinality or a payload."""
        try:
            data = {**external_context, **task.data} if external_context else task.data
            timer = _timer_of(task, expression)
            if timer is not None:
                return self._timer(timer, expression, data)
            spec = task.task_spec
            if any(condition is not None and condition.args[0] == expression for condition, _ in getattr(spec, "cond_task_specs", None) or ()):
                return _truth(expression, self.value(expression, data))
            loop = task.parent.task_spec if task.parent is not None else None
            if isinstance(loop, MultiInstanceTask) and expression == loop.condition:
                return _truth(expression, self.value(expression, {**data, **_instances(task.parent)}))
            value = self.value(expression, data)
            if expression == getattr(spec, "cardinality", None) and not (isinstance(value, int) and 0 <= value <= MAX_INSTANCES):
                raise feel.FeelError(f"the number of instances must lie between 0 and {MAX_INSTANCES}", expression=expression)
            return value
        except feel.FeelError as error:
            raise WorkflowTaskException(str(error), task=task, exception=error) from error

    def execute(self, task: Any, script: str, external_context: Mapping[str, Any] | None = None) -> bool:
        """Run a script task's expressions, decide what a business rule task asks, or collect a service task's wish."""
        try:
            if not isinstance(task.task_spec, ScriptTask):
                raise feel.FeelError("scripts are not supported", expression=script)
            content = _script(script)
            if "set" in content:
                task.data.update(feel.script(content["set"], task.data, self.environment_of_command))
            elif "decision" in content:
                task.data[content["result"]] = self._decided(content, task.data)
            else:
                arguments = {name: self.value(text, task.data) for name, text in content["arguments"]}
                self.requests.append(Request(content["service"], arguments, task.task_spec.bpmn_id))
            return True
        except feel.FeelError as error:
            raise WorkflowTaskException(str(error), task=task, exception=error) from error

    def _decided(self, wanted: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        """Return the result of a decision in wire form: its inputs first, each an expression over the variables."""
        model = self.decisions.get(wanted["decision"])
        if model is None:
            raise feel.DecisionFailed("there is no such decision table", expression=wanted["decision"])
        check_key(wanted["result"])
        inputs = {name: self.value(text, data) for name, text in wanted["inputs"]}
        return model.decide(model.named(wanted["name"]) or wanted["name"], inputs, self.environment_of_command)

    def validate(self, expression: str) -> None:
        """Not used: expressions are compiled when a procedure is deployed."""
        raise feel.FeelError("scripts are not supported", expression=expression)

    def call_service(self, task: Any, **options: Any) -> None:
        """Not used: services are wishes."""
        raise feel.FeelError("scripts are not supported", expression=str(options.get("operation_name")))

    def _timer(self, timer: TimerEventDefinition, text: str, data: Mapping[str, Any]) -> str:
        """Return what the library's timer wants to hear: a duration in seconds, or an instant in UTC; null never comes."""
        text, is_duration = text.strip(), isinstance(timer, DurationTimerEventDefinition)
        if isinstance(timer, CycleTimerEventDefinition):
            raise feel.FeelError("cycles are not supported; the host repeats", expression=text)
        if (_DURATION if is_duration else _DATE).match(text):
            value: Any = text
        else:
            value = self.value(text, data)
        if value is None:
            return "P2000000D" if is_duration else NEVER
        if is_duration:
            wanted = {"$": "p", "v": value} if isinstance(value, str) and _DURATION.match(value) else value
            moment = self.value("at + lasting - at", {"at": feel.to_wire(self.environment_of_command.now), "lasting": wanted})
            span = feel.from_wire(moment)
            if not isinstance(span, timedelta):
                raise feel.FeelError("the timer needs a duration", expression=text)
            return f"PT{max(0, round(span.total_seconds()))}S"
        wanted = {"$": "dt" if "T" in value else "d", "v": value} if isinstance(value, str) and _DATE.match(value) else value
        instant = feel.from_wire(wanted)
        if isinstance(instant, date) and not isinstance(instant, datetime):
            instant = datetime.combine(instant, time())
        if not isinstance(instant, datetime):
            raise feel.FeelError("the timer needs a date", expression=text)
        zone = ZoneInfo(self.environment_of_command.zone_name)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC).isoformat()


def budgeted(environment: feel.Environment) -> feel.Environment:
    """Return an environment whose expressions together may do no more than those of one command: a diagram may have thousands."""
    return environment.at(environment.now, environment.names, feel.Purse(MAX_STEPS, MAX_PATTERN_SECONDS))


@lru_cache(maxsize=1024)
def _script(text: str) -> Mapping[str, Any]:
    """Return what `reading` wrote down for a script, a decision or a service; the texts are those of the diagrams alone."""
    found: dict[str, Any] = json.loads(text)
    return found


@dataclass(frozen=True)
class _Environment:
    """What the library asks for values outside tasks."""

    engine: FeelEngine
    globals: Mapping[str, Any] = field(default_factory=dict)

    def evaluate(self, expression: str, context: Mapping[str, Any], external_context: Mapping[str, Any] | None = None) -> Any:
        return self.engine.value(expression, {**(external_context or {}), **context})

    def execute(self, *_arguments: Any, **_options: Any) -> None:
        raise feel.FeelError("scripts are not supported", expression="")

    call_service = execute


def _timer_of(task: Any, expression: str) -> TimerEventDefinition | None:
    definition = getattr(task.task_spec, "event_definition", None)
    for candidate in (definition, *getattr(definition, "event_definitions", ())):
        if isinstance(candidate, TimerEventDefinition) and candidate.expression == expression:
            return candidate
    return None


def _truth(text: str, value: Any) -> bool:
    """A condition is true, false or null (taken for false); anything else is a mistake in the diagram."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise feel.FeelError("a condition must be true or false", expression=text)
    return value


def _instances(loop: Any) -> dict[str, Any]:
    """Return what a completion condition sees: how many instances there are, how many are done, and their results."""
    spec = loop.task_spec
    results = spec.data_output.get(loop) if spec.data_output is not None and spec.data_output.exists(loop) else []
    return {"instances": len(loop.children), "instances_done": len(loop.internal_data.get("merged", [])), "results": results}
