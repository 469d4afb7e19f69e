"""What takes the place of the library's loops does what they do: the same trees of tasks, the same data, in the same order."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import feel, workflow
from engine.workflow import bench, leaner, library, storing
from engine.workflow.expressions import FeelEngine

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
BEGINNING = feel.Environment(now=BEGIN, names={"a": None, "b": None, "list": None, **{f"turns{place}": None for place in range(200)}})
PEOPLE = ["p", "q", "r"]
SEEDS = 18


class Drawn:
    """A random diagram: branches of all kinds, loops, parts, calls, several instances, timers beside steps and between them."""

    def __init__(self, seed: int, name: str, depth: int, *, calls: str = "") -> None:
        self.random, self.calls, self.count = random.Random(seed), calls, 0
        self.is_once = bool(calls)  # an item of several instances stays among the variables: they come but once
        self.nodes: list[str] = [f'<startEvent id="{name}_begins"/>']
        self.flows: list[str] = []
        first, last = self.chain(depth, self.random.randint(2, 4))
        self.end(last, name, self.flow(f"{name}_begins", first))
        self.content = bench._diagram(name, "".join(self.nodes + self.flows))

    def end(self, last: str, name: str, _flow: str) -> None:
        self.nodes.append(f'<endEvent id="{name}_ends" p:state="closed"/>')
        self.flow(last, f"{name}_ends")

    def node(self, tag: str, content: str = "", **attributes: str) -> str:
        self.count += 1
        identifier = f"{tag[:3]}{self.count}_{self.calls or 'x'}"
        written = "".join(f' {name}="{value}"' for name, value in attributes.items())
        self.nodes.append(f'<{tag} id="{identifier}" name="{identifier}"{written}>{content}</{tag}>')
        return identifier

    def flow(self, source: str, target: str, condition: str = "") -> str:
        identifier = f"flow_{source}_{target}"
        inner = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
        self.flows.append(f'<sequenceFlow id="{identifier}" sourceRef="{source}" targetRef="{target}">{inner}</sequenceFlow>')
        return identifier

    def chain(self, depth: int, length: int) -> tuple[str, str]:
        ends = [self.block(depth) for _ in range(length)]
        for (_, last), (first, _) in itertools.pairwise(ends):
            self.flow(last, first)
        return ends[0][0], ends[-1][1]

    def task(self, instances: str = "") -> str:
        variable, text = self.random.choice(
            [("a", "answers.x"), ("b", "answers.x"), ("list", "[answers.x, 1]"), ("deep", "{k: answers.x, l: [answers.x]}")]
        )
        several = f'<multiInstanceLoopCharacteristics isSequential="{instances}">{{}}</multiInstanceLoopCharacteristics>' if instances else ""
        item = f'<loopDataInputRef>people</loopDataInputRef><inputDataItem id="who{self.count}" name="who{self.count}"/>'
        outputs = f'<p:task form="f"/><p:output variable="{variable}" expression="{text}"/>'
        return self.node("userTask", f"<extensionElements>{outputs}</extensionElements>{several.format(item)}")

    def block(self, depth: int) -> tuple[str, str]:
        kinds = ["task", "task", "pause"] + (["xor", "and", "or", "loop", "part", "beside", "call"] if depth else [])
        kind = self.random.choice([*kinds, "several"] if depth and self.is_once else kinds)
        if kind == "call" and self.calls:
            found = self.node("callActivity", calledElement=self.calls)
        elif kind == "pause":
            found = self.node("intermediateCatchEvent", self.timer())
        elif kind == "several":
            found = self.task("false")
        elif kind in ("xor", "and", "or"):
            return self.branches({"xor": "exclusiveGateway", "and": "parallelGateway", "or": "inclusiveGateway"}[kind], depth)
        elif kind == "loop":
            return self.loop(depth)
        elif kind == "part":
            found = self.part(depth)
        else:
            found = self.task()
        return self.beside(found) if kind == "beside" or (kind == "part" and self.random.random() < 0.4) else (found, found)

    def timer(self) -> str:
        return f"<timerEventDefinition><timeDuration>PT{self.random.randint(1, 9)}H</timeDuration></timerEventDefinition>"

    def condition(self) -> str:
        return self.random.choice(["a = 1", "b = null or b > 4", "a != null and a > 5", "list = null"]).replace(">", "&gt;")

    def branches(self, tag: str, depth: int) -> tuple[str, str]:
        ways = [self.chain(depth - 1, self.random.randint(1, 2)) for _ in range(self.random.randint(2, 3))]
        join = self.node(tag)
        self.count += 1
        fork, default = f"fork{self.count}", ""
        for place, (first, last) in enumerate(ways):
            is_default = place == len(ways) - 1 and tag != "parallelGateway"
            flow = self.flow(fork, first, "" if is_default or tag == "parallelGateway" else self.condition())
            default = f' default="{flow}"' if is_default else default
            self.flow(last, join)
        self.nodes.append(f'<{tag} id="{fork}"{default}/>')
        return fork, join

    def loop(self, depth: int) -> tuple[str, str]:
        before, self.is_once = self.is_once, False
        first, last = self.chain(depth - 1, 1)
        self.is_once = before
        merge, after = self.node("exclusiveGateway"), self.node("exclusiveGateway")
        self.count += 1
        turns, fork = f"turns{self.count}", f"fork{self.count}"
        step = f'<p:set variable="{turns}" expression="if {turns} = null then 1 else {turns} + 1"/>'
        count = self.node("scriptTask", f"<extensionElements>{step}</extensionElements>")
        for pair in ((merge, first), (last, count), (count, fork)):
            self.flow(*pair)
        self.flow(fork, merge, f"{turns} &lt; 2")
        self.nodes.append(f'<exclusiveGateway id="{fork}" default="{self.flow(fork, after)}"/>')
        return merge, after

    def part(self, depth: int) -> str:
        nodes, flows, self.nodes, self.flows = self.nodes, self.flows, [], []
        first, last = self.chain(depth - 1, self.random.randint(1, 2))
        begin, end = self.node("startEvent"), self.node("endEvent")
        stop = self.random.random() < 0.3
        if stop:  # somewhere beside: everything in the part ends there
            both = self.node("parallelGateway")
            self.flow(begin, both)
            self.flow(both, first)
            self.flow(both, pause := self.node("intermediateCatchEvent", self.timer()))
            self.flow(pause, self.node("endEvent", "<terminateEventDefinition/>"))
        else:
            self.flow(begin, first)
        self.flow(last, end)
        inner, self.nodes, self.flows = "".join(self.nodes + self.flows), nodes, flows
        return self.node("subProcess", inner)

    def beside(self, found: str) -> tuple[str, str]:
        is_interrupting = self.random.random() < 0.5
        event = self.node("boundaryEvent", self.timer(), attachedToRef=found, cancelActivity=str(is_interrupting).lower())
        first, last = self.chain(0, 1)
        self.flow(event, first)
        after = self.node("exclusiveGateway") if is_interrupting else self.node("endEvent")
        self.flow(last, after)
        if is_interrupting:
            self.flow(found, after)
        return found, after if is_interrupting else found


def walked(seed: int) -> list[Any]:
    """Walk a random diagram with random answers at random instants; returns the whole tree after every step, stored and restored."""
    files = {"main.bpmn": Drawn(seed, "main", 3, calls="other").content, "other.bpmn": Drawn(seed, "other", 1).content}
    specification = workflow.read(files, "main")
    chance, now, state, seen = random.Random(seed), BEGIN, {}, []
    opened: list[workflow.Item] = []

    def environment() -> feel.Environment:
        return feel.Environment(now=now, names=dict.fromkeys([*specification.variables, "a", "b", "list"]))

    def take(outcome: workflow.Outcome) -> bool:
        nonlocal state
        state = {scope: blob for scope, blob in {**state, **outcome.scopes}.items() if scope not in outcome.frozen}
        opened[:] = [item for item in opened if item.task_id not in outcome.closed] + outcome.opened
        restored = storing.load(specification.spec, specification.parts, state, FeelEngine(environment()))
        seen.append(
            [tree(restored), [step for step, _ in outcome.walked], [(item.element, item.path, dict(item.variables)) for item in outcome.opened]]
        )
        seen.append(sorted((timer.element, timer.due_at) for timer in outcome.armed))
        return outcome.is_completed

    try:
        is_over = take(workflow.start(specification, {"people": PEOPLE, "a": 1}, environment()))
        for _ in range(25):
            if is_over:
                break
            now += timedelta(hours=chance.choice([1, 1, 2, 5]))
            if not opened or chance.random() < 0.5:
                is_over = take(workflow.fire_timers(specification, state, environment()))
            else:
                item = opened.pop(chance.randrange(len(opened)))
                answers = {"answers": {"x": chance.randint(0, 9)}, "person": "p"}
                with contextlib.suppress(workflow.NotOpen):  # a timer came first
                    is_over = take(workflow.complete(specification, state, item.task_id, answers, environment()))
    except workflow.WorkflowFailed as error:
        seen.append(repr(error))
    return seen


def kept(seed: int) -> list[Any]:
    """Walk a random diagram that stays in memory, as a simulated case does; returns the whole tree after every step."""
    files = {"main.bpmn": Drawn(seed, "main", 3, calls="other").content, "other.bpmn": Drawn(seed, "other", 1).content}
    specification = workflow.read(files, "main")
    chance, now, seen, outcome = random.Random(seed), BEGIN, [], workflow.Outcome()
    engine = FeelEngine(BEGINNING)
    try:
        with library.at(now), workflow.failures():
            running = library.Workflow(specification.spec, specification.parts, script_engine=engine, is_numbered=True)
            running.task_tree.data.update({"people": PEOPLE, "a": 1})
            workflow._rest(running, specification, outcome)
        for _ in range(25):
            now += timedelta(hours=chance.choice([1, 1, 2, 5]))
            engine.environment_of_command = BEGINNING.at(now, BEGINNING.names)
            with library.at(now), workflow.failures():
                workflow._rest(running, specification, outcome)
                if (found := list(workflow._view(running).items.values())) and chance.random() < 0.7:
                    answers = {"answers": {"x": chance.randint(0, 9)}, "person": "p"}
                    task = chance.choice(found)
                    workflow._finish(task, specification.elements[task.task_spec.bpmn_id], answers, engine.environment_of_command)
                    workflow._rest(running, specification, outcome)
            seen.append([tree(running), [step for step, _ in outcome.walked], running.completed])
    except workflow.WorkflowFailed as error:
        seen.append(repr(error))
    return seen


def tree(running: library.Workflow) -> list[Any]:
    """Return every task under its parent: element, state, data."""
    rows: list[Any] = []
    todo = [(running.task_tree, 0)]
    while todo:
        task, depth = todo.pop()
        rows.append((depth, task.task_spec.name, task._state, json.dumps(task.data)))
        part = running.subprocesses.get(task.id)
        todo += [(child, depth + 1) for child in reversed(task.children + ([part.task_tree] if part is not None else []))]
    return rows


@pytest.fixture
def own_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library with its own loops again."""
    for owner, name, theirs in leaner.REPLACED:
        monkeypatch.setattr(owner, name, theirs)
    for flag in ("has_ready", "has_waiting"):  # which its loops do not keep: look every time
        always = property(lambda _: True, lambda _, value: None)
        monkeypatch.setattr(library.Workflow, flag, always, raising=False)
        monkeypatch.setattr(library.SubWorkflow, flag, always, raising=False)


@pytest.fixture(scope="module")
def ours() -> list[list[Any]]:
    return [[*walked(seed), *kept(seed)] for seed in range(SEEDS)]


def test_random_diagrams_are_walked_as_the_library_walks_them(ours: list[list[Any]], own_loops: None) -> None:
    assert [[*walked(seed), *kept(seed)] for seed in range(SEEDS)] == ours


def test_the_random_diagrams_hold_what_they_should(ours: list[list[Any]]) -> None:
    files = b"".join(Drawn(seed, "main", 3, calls="other").content for seed in range(SEEDS))
    for word in ("parallelGateway", "inclusiveGateway", "subProcess", "callActivity", "boundaryEvent", "multiInstance", "terminateEventDefinition"):
        assert word.encode() in files, word
    assert sum(map(len, ours)) > 20 * SEEDS
    assert sum(isinstance(step, str) for seen in ours for step in seen) < 4  # walks that fail, in the library's loops too


def test_a_copy_of_routing_variables_is_its_own() -> None:
    value = {"a": [1, {"b": [2.5, None, "x"]}], "c": {}, "d": True}
    found = leaner.copied(value)
    assert found == deepcopy(value)
    found["a"][1]["b"].append(3)
    assert value["a"][1]["b"] == [2.5, None, "x"]


def test_tasks_that_are_stored_have_keys_that_nobody_else_has() -> None:
    specification = workflow.read(bench.files(), bench.MAIN)
    made = [library.Workflow(specification.spec, specification.parts, script_engine=FeelEngine(bench.ENVIRONMENT)) for _ in range(2)]
    assert not set(made[0].tasks) & set(made[1].tasks)
    assert {type(key).__name__ for key in made[0].tasks} == {"UUID"}
    numbered = [library.Workflow(specification.spec, specification.parts, script_engine=made[0].script_engine, is_numbered=True) for _ in range(2)]
    assert not set(numbered[0].tasks) & set(numbered[1].tasks)
