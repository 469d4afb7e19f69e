"""Storing: a workflow loaded again at any step goes on as the one that stayed in memory; its bytes are the same twice."""

from __future__ import annotations

import builtins
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import feel, workflow
from engine.workflow import bench, library, storing
from engine.workflow.expressions import FeelEngine
from tests.engine.conftest import At

SPECIFICATION = workflow.read(bench.files(), bench.MAIN)
ENDS = ("bench", "collect", "meeting", "rectification")
NOW = bench.ENVIRONMENT.now
BOUNDED = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


class Case:
    """A workflow that is stored after every step, as a case's is."""

    def __init__(self) -> None:
        self.now = NOW
        self.state: dict[str, bytes] = {}
        self.frozen: dict[str, bytes] = {}
        self.open: dict[UUID, str] = {}
        self.timers: dict[UUID, workflow.Timer] = {}
        self.walked: list[str] = []
        self.is_completed = False
        self._take(workflow.start(SPECIFICATION, bench.VARIABLES, self.environment))

    @property
    def environment(self) -> feel.Environment:
        return replace(bench.ENVIRONMENT, now=self.now)

    def complete(self, task_id: UUID, person: str = "a") -> workflow.Outcome:
        return self._take(workflow.complete(SPECIFICATION, self.state, task_id, {"person": person}, self.environment), task_id)

    def fire(self, by: timedelta) -> workflow.Outcome:
        self.now += by
        return self._take(workflow.fire_timers(SPECIFICATION, self.state, self.environment))

    def _take(self, outcome: workflow.Outcome, done: UUID | None = None) -> workflow.Outcome:
        if done is not None:
            del self.open[done]
        self.state.update(outcome.scopes)
        for scope, blob in outcome.frozen.items():
            self.state.pop(scope, None)
            self.frozen[scope] = blob
        for task_id in outcome.closed:
            del self.open[task_id]
        for task_id in outcome.disarmed:
            del self.timers[task_id]
        self.open.update({item.task_id: item.element for item in outcome.opened})
        self.timers.update({timer.task_id: timer for timer in outcome.armed})
        self.walked += [element for element, _ in outcome.walked]
        self.is_completed |= outcome.is_completed
        return outcome


def loaded(state: Mapping[str, bytes]) -> library.Workflow:
    return storing.load(SPECIFICATION.spec, SPECIFICATION.parts, state, FeelEngine(bench.ENVIRONMENT))


def again(state: Mapping[str, bytes]) -> dict[str, bytes]:
    """Load a state and store it without doing anything."""
    with library.at(NOW):
        found = loaded(state)
        live, _ = storing.dump(found)
        library.dispose(found)
    return live


def choose(case: Case, choice: int) -> UUID:
    return sorted(case.open, key=lambda task_id: (case.open[task_id], str(task_id)))[choice % len(case.open)]


class InMemory:
    """The same workflow, loaded once and never stored."""

    def __init__(self) -> None:
        with library.at(NOW):
            self.workflow = bench._begun(library.Workflow, SPECIFICATION)

    def open(self) -> Counter[str]:
        found = workflow._view(self.workflow).items.values()
        return Counter(task.task_spec.bpmn_id for task in found)

    def complete(self, element: str) -> None:
        with library.at(NOW):
            tasks = [task for task in workflow._view(self.workflow).items.values() if task.task_spec.bpmn_id == element]
            tasks[0].data[f"{element}_by"] = "a"
            tasks[0].run()
            self.workflow.refresh_timers()
            self.workflow.do_engine_steps()


@BOUNDED
@given(st.lists(st.integers(0, 99), min_size=29, max_size=29))
def test_in_whatever_order_tasks_are_done_a_stored_workflow_goes_on_as_one_in_memory(choices: list[int]) -> None:
    case, twin = Case(), InMemory()
    for choice in choices:
        assert Counter(case.open.values()) == twin.open()
        if not case.open:
            break
        task_id = choose(case, choice)
        element = case.open[task_id]
        case.complete(task_id)
        twin.complete(element)
    assert (case.is_completed, case.open, case.timers) == (True, {}, {})
    assert twin.workflow.completed
    assert Counter(element for element in case.walked if element.endswith("_ends")) == Counter(f"{name}_ends" for name in ENDS)


@BOUNDED
@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from([0, 0, 0, 31])), min_size=1, max_size=29))
def test_at_any_step_the_bytes_are_the_same_when_stored_again(steps: list[tuple[int, int]]) -> None:
    case = Case()
    for choice, days in steps:
        if days:
            case.fire(timedelta(days=days))
        if not case.open:
            break
        case.complete(choose(case, choice))
        assert again(case.state) == case.state
        assert again(again(case.state)) == case.state


@BOUNDED
@given(st.lists(st.integers(0, 99), min_size=1, max_size=28), st.integers(0, 27))
def test_what_a_step_wrote_is_all_that_changed_and_a_finished_part_is_never_needed_again(choices: list[int], at: int) -> None:
    """Each scope that is not among the differences is, in its stored bytes, as it was."""
    case = Case()
    for choice in choices:
        if not case.open:
            break
        before = dict(case.state)
        outcome = case.complete(choose(case, choice))
        for scope, blob in before.items():
            if scope not in outcome.scopes and scope not in outcome.frozen:
                assert case.state[scope] == blob
        assert all(before.get(scope) != blob for scope, blob in outcome.scopes.items())
        assert not set(outcome.frozen) & set(case.state)
    assert again(case.state) == case.state


def test_a_task_done_twice_or_not_there_is_not_open() -> None:
    case = Case()
    task_id = choose(case, 0)
    before = dict(case.state)
    case.complete(task_id)
    with pytest.raises(workflow.NotOpen):
        workflow.complete(SPECIFICATION, case.state, task_id, {"person": "a"}, case.environment)
    with pytest.raises(workflow.NotOpen):
        workflow.complete(SPECIFICATION, case.state, UUID(int=0), {"person": "a"}, case.environment)
    twice = workflow.complete(SPECIFICATION, before, task_id, {"person": "a"}, case.environment)
    assert [item.element for item in twice.opened] == list(case.open.values())  # state in, state out: the same in goes the same way


def test_a_command_changes_nothing_that_it_was_given() -> None:
    case = Case()
    state = dict(case.state)
    copies = dict(state)
    workflow.complete(SPECIFICATION, state, choose(case, 0), {"person": "a"}, case.environment)
    workflow.fire_timers(SPECIFICATION, state, replace(case.environment, now=NOW + timedelta(days=99)))
    assert state == copies
    other = Case()
    assert Counter(other.open.values()) == Counter(Case().open.values())  # the specification is as it was, too


def test_timers_fire_once_at_their_instant_and_not_before() -> None:
    case = Case()
    while not case.timers:
        case.complete(choose(case, 0))
    timer = next(iter(case.timers.values()))
    assert timedelta(0) <= timer.due_at - (NOW + timedelta(days=30)) <= timedelta(microseconds=1)
    assert case.fire(timer.due_at - NOW - timedelta(microseconds=1)).walked == []
    assert case.fire(timedelta(microseconds=1)).walked[0][0] == timer.element
    assert not case.timers
    assert case.fire(timedelta(days=300)).walked == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda blob: b"",
        lambda blob: b"\x02" + blob[1:],
        lambda blob: blob[: len(blob) // 2],
        lambda blob: blob[:1] + b"nonsense",
        lambda blob: storing.FORMAT + zstandard.ZstdCompressor().compress(b"[]"),
        lambda blob: storing.FORMAT + zstandard.ZstdCompressor().compress(b"[[[1,2,3]],{},{},-1,false,false]"),
        lambda blob: storing.FORMAT + zstandard.ZstdCompressor().compress(b"x" * 5_000_000),
    ],
)
def test_bytes_that_are_not_a_state_are_refused_as_such(spoil: Any) -> None:
    case = Case()
    with pytest.raises(workflow.WorkflowFailed) as caught:
        workflow.fire_timers(SPECIFICATION, {storing.ROOT: spoil(case.state[storing.ROOT])}, case.environment)
    assert caught.value.reason.startswith("state:") or "Error" in caught.value.reason


def test_a_flipped_bit_is_refused_or_harmless() -> None:
    """A state read from a damaged disk: a command answers as if nothing were wrong, or with our own error; it never spins."""
    case, chance = Case(), random.Random(7)
    for _ in range(6):
        case.complete(choose(case, chance.randrange(9)))
    blob, refused = case.state[storing.ROOT], 0
    for _ in range(120):
        place = chance.randrange(len(blob))
        damaged = blob[:place] + bytes([blob[place] ^ (1 << chance.randrange(8))]) + blob[place + 1 :]
        try:
            outcome = workflow.fire_timers(SPECIFICATION, {**case.state, storing.ROOT: damaged}, case.environment)
        except workflow.WorkflowFailed:
            refused += 1
        else:
            assert (outcome.walked, outcome.closed, outcome.opened) == ([], [], [])
    assert refused > 110


@pytest.mark.parametrize("parent", [1, 2, 10_000, -1, -2, "0"])
def test_a_tree_that_leads_into_itself_is_refused(parent: Any) -> None:
    case = Case()
    lines = zstandard.ZstdDecompressor().decompress(case.state[storing.ROOT][1:], max_output_size=storing.MAX_BYTES).split(b"\n")
    head = orjson.loads(lines[0])
    head[0][1][1] = parent
    damaged = storing.FORMAT + zstandard.ZstdCompressor().compress(b"\n".join([orjson.dumps(head), *lines[1:]]))
    with pytest.raises(workflow.WorkflowFailed):
        workflow.fire_timers(SPECIFICATION, {**case.state, storing.ROOT: damaged}, case.environment)


def test_what_is_not_plain_json_is_refused_when_it_is_stored() -> None:
    with library.at(NOW):
        found = bench._begun(library.Workflow, SPECIFICATION)
        found.last_task.data["odd"] = object()
        with pytest.raises(storing.Unstorable):
            storing.dump(found)
        found.last_task.data["odd"] = "x" * 5_000_000
        with pytest.raises(storing.Unstorable, match="too large"):
            storing.dump(found)


def test_no_program_text_is_evaluated_while_a_whole_case_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expressions of a diagram are FEEL: Python's own evaluator is never asked, from reading the files to the end."""

    def forbidden(*arguments: object, **_: object) -> None:
        raise AssertionError(f"Python is asked to evaluate {str(arguments[:1])[:80]}")

    case = Case()
    for _ in range(40):  # once before, so that what is imported late has been
        if not case.open:
            break
        case.complete(choose(case, 0))
    for name in ("eval", "exec", "compile"):
        monkeypatch.setattr(builtins, name, forbidden)
    specification = workflow.read(bench.files(), bench.MAIN)
    outcome = workflow.start(specification, bench.VARIABLES, bench.ENVIRONMENT)
    case = Case()
    while case.open:
        case.complete(choose(case, 0))
        case.fire(timedelta(days=1))
    monkeypatch.undo()
    assert case.is_completed
    assert outcome.opened


def test_no_program_text_is_evaluated_while_a_real_case_runs(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at("verify_report")
    real = {name: getattr(builtins, name) for name in ("eval", "exec")}
    asked: list[str] = []

    def watch(name: str) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            import sys

            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.split(".")[0] in ("SpiffWorkflow", "engine", "models", "bpmn"):
                asked.append(f"{name} by {caller}")
            return real[name](*arguments, **options)

        return called

    for name in real:
        monkeypatch.setattr(builtins, name, watch(name))
    world.play("redact")
    monkeypatch.undo()
    assert asked == []


def test_instants_do_not_hang_on_the_machine_s_clock() -> None:
    """The same command at the same instant given is the same, whenever it is run."""
    first, second = Case(), Case()
    assert {timer.due_at for timer in first.timers.values()} == {timer.due_at for timer in second.timers.values()}
    assert first.now == datetime(2026, 1, 5, 9, tzinfo=UTC)
    with pytest.raises(RuntimeError, match="at"):
        library.InjectedDatetime.now(UTC)
