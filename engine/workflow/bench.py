"""`pingshen bench engine`: what loading and saving add to a step, as ratios taken side by side on this machine.

The procedure has 25 user tasks in four scopes: a chain, an embedded part with three branches, a called meeting with
five parallel reviewers, a called rectification; five timers beside tasks, five decisions, two scripts. Ways to complete
the same task from the same place:

- in memory: the workflow stays loaded, only the task is completed and the workflow walks on;
- stored: our state of the case is loaded, the task completed, the differences found, the changed parts saved;
- library: the library's own full JSON is restored, the task completed, everything written again; once with routing
  variables alone, as our workflows have them, and once as the library is used by itself, with the answers of the forms
  in its data (300 of them in the end, 12 kB).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.spiff.serializer import DEFAULT_CONFIG
from SpiffWorkflow.spiff.specs import defaults
from SpiffWorkflow.util.task import TaskState

from engine import feel, workflow
from engine.workflow import library, reading
from engine.workflow.expressions import FeelEngine

MAIN = "bench"
BPMN, PS = "http://www.omg.org/spec/BPMN/20100524/MODEL", "urn:pingshen:bpmn"
ENVIRONMENT = feel.Environment(now=datetime(2026, 1, 5, 9, tzinfo=UTC))
VARIABLES = {"kind": "maternal_death", "hop": "facility", "reopened": False, "reviewers": ["a", "b", "c", "d", "e"], "level": "city"}
EARLY, LATE = 0.3, 0.6  # shares of the case
ANSWERS = 12  # a form: 25 of them make about 300 answers


def files() -> dict[str, bytes]:
    """Return the diagrams of the measured procedure."""
    branches = [_task("card", timer=True), _task("history", timer=True), _task("visit", timer=True)]
    collect = _chain("collect", [_task("gather"), branches, _task("join_facts")])
    main = _chain(
        MAIN,
        [
            _task("receive"),
            _script("reckon"),
            _task("report", timer=True),
            _task("verify"),
            _decision("in_scope"),
            [f'<subProcess id="collect" name="collect">{collect}</subProcess>'],
            _task("investigate", timer=True),
            _decision("is_enough"),
            _task("redact"),
            _task("check"),
            _decision("is_clean"),
            ['<callActivity id="hold_meeting" name="meeting" calledElement="meeting"/>'],
            _task("send_up"),
            _script("count"),
            _decision("has_items"),
            _task("feedback"),
            ['<callActivity id="hold_rectification" name="rectification" calledElement="rectification"/>'],
            _task("archive"),
            _task("close"),
        ],
    )
    reviewers = (
        '<userTask id="review" name="review"><extensionElements><p:task form="f"/></extensionElements>'
        '<multiInstanceLoopCharacteristics><loopDataInputRef>reviewers</loopDataInputRef><inputDataItem id="reviewer" name="reviewer"/>'
        "</multiInstanceLoopCharacteristics></userTask>"
    )
    meeting = _chain("meeting", [_task("invite"), [reviewers], _task("hold"), _task("conclude"), _task("sign")])
    rectification = _chain(
        "rectification", [_task("plan"), _task("approve"), _task("act"), _task("report_back"), _decision("is_done"), _task("look")]
    )
    return {f"{name}.bpmn": _diagram(name, content) for name, content in ((MAIN, main), ("meeting", meeting), ("rectification", rectification))}


def _task(name: str, *, timer: bool = False) -> list[str]:
    drawn = (
        f'<userTask id="{name}" name="{name}"><extensionElements><p:task form="f"/>'
        f'<p:output variable="{name}_by" expression="person"/></extensionElements></userTask>'
    )
    if not timer:
        return [drawn]
    late = f"{name}_late"
    beside = (
        f'<boundaryEvent id="{late}" attachedToRef="{name}" cancelActivity="false"><timerEventDefinition><timeDuration>P30D</timeDuration>'
        f'</timerEventDefinition></boundaryEvent><endEvent id="{late}_ends"/>'
        f'<sequenceFlow id="flow_{late}" sourceRef="{late}" targetRef="{late}_ends"/>'
    )
    return [drawn, beside]


def _script(name: str) -> list[str]:
    content = '<p:set variable="reviewers" expression="reviewers"/><p:set variable="level" expression="level"/>'
    return [f'<scriptTask id="{name}" name="{name}"><extensionElements>{content}</extensionElements></scriptTask>']


def _decision(name: str) -> list[str]:
    """A gateway with two ways to the same join, the first of which is always taken."""
    return [
        f'<exclusiveGateway id="{name}" default="flow_{name}_no"/>',
        (
            f'<exclusiveGateway id="{name}_join"/>'
            f'<sequenceFlow id="flow_{name}_yes" sourceRef="{name}" targetRef="{name}_join">'
            '<conditionExpression>kind = "maternal_death"</conditionExpression></sequenceFlow>'
            f'<sequenceFlow id="flow_{name}_no" sourceRef="{name}" targetRef="{name}_join"/>'
        ),
        f"{name}_join",
    ]


def _diagram(name: str, content: str) -> bytes:
    lane = f'<laneSet id="lanes_{name}"><lane id="qc_officer.{name}" name="qc">{{references}}</lane></laneSet>'
    ids = [part.split('"', 1)[0] for part in content.split(' id="')[1:]]
    references = "".join(f"<flowNodeRef>{one}</flowNodeRef>" for one in ids if not one.startswith(("flow_", "reviewer")) or one == "review")
    return (
        f'<definitions xmlns="{BPMN}" xmlns:p="{PS}" id="d_{name}" targetNamespace="bench"><process id="{name}" name="{name}" isExecutable="true">'
        f"{lane.format(references=references)}{content}</process></definitions>"
    ).encode()


def _chain(name: str, steps: list[Any]) -> str:
    """Draw steps one after the other; a list of lists is a pair of parallel gateways with a branch for each.

    A step is what is drawn for it: its node first; a third part names the node it is left from.
    """
    nodes, flows, last = [f'<startEvent id="{name}_begins"/>'], [], f"{name}_begins"

    def connect(source: str, target: str) -> None:
        flows.append(f'<sequenceFlow id="flow_{source}_{target}" sourceRef="{source}" targetRef="{target}"/>')

    def follow(step: list[str], before: str) -> str:
        nodes.extend(step[:2])
        connect(before, _id(step[0]))
        return step[2] if len(step) > 2 else _id(step[0])

    for place, step in enumerate(steps):
        if isinstance(step[0], list):
            fork, join = f"{name}_fork_{place}", f"{name}_join_{place}"
            nodes += [f'<parallelGateway id="{fork}"/>', f'<parallelGateway id="{join}"/>']
            connect(last, fork)
            for branch in step:
                connect(follow(branch, fork), join)
            last = join
        else:
            last = follow(step, last)
    nodes.append(f'<endEvent id="{name}_ends" p:state="closed"/>' if name == MAIN else f'<endEvent id="{name}_ends"/>')
    connect(last, f"{name}_ends")
    return "".join(nodes + flows)


def _id(node: str) -> str:
    return node.split(' id="', 1)[1].split('"', 1)[0]


@dataclass(frozen=True)
class Step:
    """One step of the case, done in each way: seconds, and bytes of the states."""

    share: float
    memory: float
    stored: float
    library: float
    library_with_answers: float
    state_bytes: int
    library_bytes: int


def measure(rounds: int) -> Iterator[Step]:
    """Walk the case some times and yield every step."""
    specification = workflow.read(files(), MAIN)
    config = {**DEFAULT_CONFIG, reading.ParallelMultiInstanceTask: DEFAULT_CONFIG[defaults.ParallelMultiInstanceTask]}
    serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(config))
    for _ in range(rounds):
        outcome = workflow.start(specification, VARIABLES, ENVIRONMENT)
        state, open_tasks, steps = dict(outcome.scopes), [item.task_id for item in outcome.opened], []
        with library.at(ENVIRONMENT.now):
            kept = _begun(library.Workflow, specification)
            text = full = serializer.serialize_json(_begun(BpmnWorkflow, specification))
            while open_tasks:
                in_memory, _nothing = _timed(_step, kept)
                stored, outcome = _timed(workflow.complete, specification, state, open_tasks.pop(0), {"person": "a"}, ENVIRONMENT)
                plain, text = _timed(_library_step, serializer, text)
                answered, full = _timed(_library_step, serializer, full, ANSWERS)
                state = {scope: blob for scope, blob in {**state, **outcome.scopes}.items() if scope not in outcome.frozen}
                open_tasks += [item.task_id for item in outcome.opened]
                steps.append((in_memory, stored, plain, answered, sum(map(len, state.values())), len(full)))
        for place, row in enumerate(steps):
            yield Step(place / len(steps), *row)


def _begun(kind: Any, specification: workflow.Specification) -> Any:
    found = kind(specification.spec, specification.parts, script_engine=FeelEngine(ENVIRONMENT))
    found.task_tree.data.update(VARIABLES)
    found.do_engine_steps()
    return found


def _step(one: Any, answers: int = 0) -> None:
    task = next(task for task in one.get_tasks(state=TaskState.READY) if task.task_spec.manual)
    name = task.task_spec.bpmn_id
    task.data[f"{name}_by"] = "a"
    if answers:
        task.data[f"{name}_answers"] = {f"{name}_{place}": f"answer {place} of the form" for place in range(answers)}
    task.run()
    one.refresh_timers()
    one.do_engine_steps()


def _library_step(serializer: Any, text: str, answers: int = 0) -> str:
    restored = serializer.deserialize_json(text)
    restored.script_engine = FeelEngine(ENVIRONMENT)
    _step(restored, answers)
    written: str = serializer.serialize_json(restored)
    return written


def _timed(act: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = act(*arguments)
    return time.perf_counter() - began, result


def report(rounds: int = 5) -> list[str]:
    """Measure and return the lines to print."""
    steps = list(measure(rounds))
    lines = [f"{len(steps) // rounds} steps a case, {rounds} rounds, late = the last {1 - LATE:.0%}; medians in ms"]
    for name, chosen in (("early", [step for step in steps if step.share < EARLY]), ("late", [step for step in steps if step.share >= LATE])):

        def middle(column: str, chosen: list[Step] = chosen) -> float:
            return float(statistics.median(getattr(step, column) for step in chosen))

        memory, stored, size = middle("memory"), middle("stored"), middle("state_bytes") / 1000
        lines += [
            "",
            f"{name}:  the step in memory {memory * 1000:.2f}",
            f"  load + step + save           {stored * 1000:6.2f}   {stored / memory:4.1f} times the step in memory   {size:6.1f} kB",
        ]
        for label, column in (("library's full JSON", "library"), ("  with the forms' answers", "library_with_answers")):
            lines.append(
                f"  {label:<27}  {middle(column) * 1000:6.2f}   {middle(column) / stored:4.1f} times ours"
                + (f"                 {middle('library_bytes') / 1000:6.1f} kB" if column == "library_with_answers" else "")
            )
    return lines
