"""Business rule tasks: decided by the procedure's own tables, stored, restored; what cannot be decided is a failure with its element."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from engine import feel, workflow

BPMN, PS = "http://www.omg.org/spec/BPMN/20100524/MODEL", "urn:pingshen:bpmn"
DMN = "https://www.omg.org/spec/DMN/20191111/MODEL/"
ENVIRONMENT = feel.Environment(
    now=datetime(2026, 1, 5, 9, tzinfo=UTC),
    zone="Asia/Shanghai",
    names={"profile": {"late_days": 42}, "case": {"kind": "maternal_death"}},
)


def task(decision: str = "scope", name: str = "Scope", result: str = "scope", **inputs: str) -> str:
    """Return a business rule task called `decide`."""
    given = "".join(f"<p:input name='{key}' expression='{text}'/>" for key, text in inputs.items())
    asked = f'<p:decision decision="{decision}" name="{name}" result="{result}">{given}</p:decision>'
    return f'<businessRuleTask id="decide" name="decide"><extensionElements>{asked}</extensionElements></businessRuleTask>'


def diagram(drawn: str) -> bytes:
    """Return a process: a task, what is drawn, a gateway on its result, a task on each way."""
    flows = ["begin first", "first decide", "decide which", "inside done", "outside done"]
    drawn_flows = "".join(
        f'<sequenceFlow id="f_{flow.replace(" ", "_")}" sourceRef="{flow.split()[0]}" targetRef="{flow.split()[1]}"/>' for flow in flows
    )
    nodes = ["begin", "first", "decide", "which", "inside", "outside", "done"]
    lane = "".join(f"<flowNodeRef>{node}</flowNodeRef>" for node in nodes)
    user = '<userTask id="{0}" name="{0}"><extensionElements><p:task form="f"/>{1}</extensionElements></userTask>'
    output = '<p:output variable="days" expression="answers.days"/><p:output variable="cause" expression="answers.cause"/>'
    return (
        f'<definitions xmlns="{BPMN}" xmlns:p="{PS}"><process id="main" isExecutable="true">'
        f'<laneSet id="lanes"><lane id="qc_officer">{lane}</lane></laneSet><startEvent id="begin"/>'
        + user.format("first", output)
        + drawn
        + '<exclusiveGateway id="which" default="f_out"/>'
        + user.format("inside", "")
        + user.format("outside", "")
        + '<endEvent id="done"/>'
        + drawn_flows
        + '<sequenceFlow id="f_in" sourceRef="which" targetRef="inside"><conditionExpression>scope = "in"</conditionExpression></sequenceFlow>'
        '<sequenceFlow id="f_out" sourceRef="which" targetRef="outside"/></process></definitions>'
    ).encode()


def model(decision: str, *, namespace: str = "urn:scope", inputs: str = "days cause") -> bytes:
    """Return a model with the inputs and one decision `Scope` with the id `d_scope`."""
    data = "".join(f'<inputData id="i_{name}" name="{name}"/>' for name in inputs.split())
    needs = "".join(f'<informationRequirement><requiredInput href="#i_{name}"/></informationRequirement>' for name in inputs.split())
    return (
        f'<definitions xmlns="{DMN}" namespace="{namespace}" name="m">{data}<decision id="d_scope" name="Scope">{needs}{decision}</decision></definitions>'
    ).encode()


def table(policy: str, *rules: str) -> str:
    """Return a table over `days` and `cause`; each rule is `test | test | result`."""
    columns = "".join(f"<input><inputExpression><text>{name}</text></inputExpression></input>" for name in ("days", "cause"))
    drawn = ""
    for rule in rules:
        *tests, result = (cell.strip().replace("<", "&lt;") for cell in rule.split("|"))
        cells = "".join(f"<inputEntry><text>{test}</text></inputEntry>" for test in tests)
        drawn += f"<rule>{cells}<outputEntry><text>{result}</text></outputEntry></rule>"
    return f'<decisionTable hitPolicy="{policy}">{columns}<output/>{drawn}</decisionTable>'


SCOPE = model(table("FIRST", '- | "accident" | "out"', '<= profile.late_days, null | - | "in"', '- | - | "late"'))
GIVEN = {"days": "days", "cause": "cause"}


def specification(drawn: str, **tables: bytes) -> workflow.Specification:
    return workflow.read({"main.bpmn": diagram(drawn), **{f"decisions/{key}.dmn": content for key, content in tables.items()}}, "main")


def walk(found: workflow.Specification, answers: Mapping[str, Any]) -> tuple[list[str], Mapping[str, Any]]:
    """Start, store, restore, hand the first task in; return what is open then, and the variables it sees."""
    begun = workflow.start(found, {}, ENVIRONMENT)
    outcome = workflow.complete(found, begun.scopes, begun.opened[0].task_id, {"answers": answers}, ENVIRONMENT)
    return [item.element for item in outcome.opened], outcome.opened[0].variables


@pytest.mark.parametrize(
    ("days", "cause", "way", "result"),
    [
        (3, "bleeding", "inside", "in"),
        (42, "x", "inside", "in"),
        (43, "x", "outside", "late"),
        (3, "accident", "outside", "out"),
        (None, "x", "inside", "in"),
    ],
)
def test_the_result_chooses_the_way_and_is_kept(days: int | None, cause: str, way: str, result: str) -> None:
    opened, variables = walk(specification(task(**GIVEN), scope=SCOPE), {"days": days, "cause": cause})
    assert (opened, variables["scope"]) == ([way], result)


def test_no_python_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = specification(task(**GIVEN), scope=SCOPE)

    def forbidden(*_arguments: object) -> None:
        raise AssertionError("Python was run")

    monkeypatch.setattr(builtins, "eval", forbidden)
    monkeypatch.setattr(builtins, "exec", forbidden)
    assert walk(found, {"days": 1, "cause": "x"})[0] == ["inside"]


def test_a_decision_is_found_by_its_id_too() -> None:
    assert walk(specification(task(name="d_scope", **GIVEN), scope=SCOPE), {"days": 1, "cause": "x"})[1]["scope"] == "in"


def test_inputs_are_expressions_and_results_are_stored_as_wire_values() -> None:
    literal = '<literalExpression><text>{due: date("2026-01-01") + duration("P1D") * days, cause: cause}</text></literalExpression>'
    found = specification(task(days="days + 1", cause="upper case(cause)"), scope=model(literal))
    begun = workflow.start(found, {}, ENVIRONMENT)
    outcome = workflow.complete(found, begun.scopes, begun.opened[0].task_id, {"answers": {"days": 2, "cause": "a"}}, ENVIRONMENT)
    kept = {"due": {"$": "d", "v": "2026-01-04"}, "cause": "A"}
    assert outcome.opened[0].variables["scope"] == kept
    again = workflow.fire_timers(found, outcome.scopes, ENVIRONMENT)
    assert (again.scopes, again.opened) == ({}, [])
    done = workflow.complete(found, outcome.scopes, outcome.opened[0].task_id, {}, ENVIRONMENT)
    assert (done.is_completed, [name for name, _ in done.walked]) == (True, ["outside", "done"])


def test_a_table_without_declared_inputs_reads_what_is_given() -> None:
    found = specification(task(**GIVEN), scope=model(table("UNIQUE", '> 5 | - | "in"', '<= 5 | - | "out"'), inputs=""))
    assert walk(found, {"days": 6, "cause": "x"})[1]["scope"] == "in"


def test_tables_import_each_other_by_namespace() -> None:
    limits = (
        f'<definitions xmlns="{DMN}" namespace="urn:limits" name="limits"><decision id="d_longest" name="longest">'
        "<literalExpression><text>42</text></literalExpression></decision></definitions>"
    ).encode()
    scope = (
        f'<definitions xmlns="{DMN}" namespace="urn:scope" name="scope"><import name="limits" namespace="urn:limits" importType="{DMN}"/>'
        '<inputData id="i_days" name="days"/><decision id="d_scope" name="Scope"><informationRequirement><requiredInput href="#i_days"/>'
        '</informationRequirement><informationRequirement><requiredDecision href="urn:limits#d_longest"/></informationRequirement>'
        '<literalExpression><text>if days &lt;= limits.longest then "in" else "late"</text></literalExpression></decision></definitions>'
    ).encode()
    found = specification(task(days="days"), scope=scope, limits=limits)
    assert set(found.decisions) == {"scope", "limits"}
    assert walk(found, {"days": 42, "cause": ""})[1]["scope"] == "in"
    assert walk(found, {"days": 43, "cause": ""})[1]["scope"] == "late"


FAILING = {
    "two hits under UNIQUE": (task(**GIVEN), table("UNIQUE", '> 1 | - | "in"', '> 2 | - | "out"'), "rules 1 and 2 match"),
    "different results under ANY": (task(**GIVEN), table("ANY", '> 1 | - | "in"', '> 2 | - | "out"'), "different results"),
    "no such decision": (task(name="Nothing", **GIVEN), table("FIRST", '- | - | "in"'), "there is no such decision"),
    "no such file": (task(decision="nothing", **GIVEN), table("FIRST", '- | - | "in"'), "there is no such decision table"),
    "an unknown variable in an input": (task(days="dayz", cause="cause"), table("FIRST", '- | - | "in"'), "'dayz'"),
    "an input that is not given": (task(cause="cause"), table("FIRST", '> 1 | - | "in"'), "'days'"),
    "an unknown name in a cell": (task(**GIVEN), table("FIRST", '> limit | - | "in"'), "'limit'"),
    "a cell that is not FEEL": (task(**GIVEN), table("FIRST", '> > | - | "in"'), "Scope"),
    "too much work": (task(**GIVEN), table("FIRST", "- | - | count(for i in 1..10000000 return i)"), "too many steps"),
    "a result that cannot be kept": (task(**GIVEN), table("FIRST", "- | - | function(a) a"), "function"),
    "a result under a forbidden name": (task(result="__proto__", **GIVEN), table("FIRST", "- | - | 1"), "key"),
}


@pytest.mark.parametrize(("drawn", "decision", "reason"), FAILING.values(), ids=FAILING)
def test_what_cannot_be_decided_is_a_failure_at_its_element(drawn: str, decision: str, reason: str) -> None:
    found = specification(drawn, scope=model(decision))
    with pytest.raises(workflow.WorkflowFailed) as caught:
        walk(found, {"days": 4, "cause": "x"})
    assert caught.value.element == "decide"
    assert reason in caught.value.reason


REFUSED = {
    "Java": (
        "<context><contextEntry><variable name='f'/><functionDefinition kind='Java'><context/></functionDefinition></contextEntry></context>",
        "a function of kind Java is refused",
    ),
    "PMML": (
        "<context><contextEntry><variable name='f'/><functionDefinition kind='PMML'><context/></functionDefinition></contextEntry></context>",
        "a function of kind PMML is refused",
    ),
    "JUEL": ("<literalExpression expressionLanguage='juel'><text>${1}</text></literalExpression>", "'juel' is refused"),
    "a cell in JavaScript": (
        table("FIRST", '- | - | "in"').replace("<outputEntry>", "<outputEntry expressionLanguage='javascript'>"),
        "'javascript' is refused",
    ),
}


@pytest.mark.parametrize(("decision", "reason"), REFUSED.values(), ids=REFUSED)
def test_other_languages_are_refused_by_name_when_the_procedure_is_read(decision: str, reason: str) -> None:
    with pytest.raises(workflow.UnreadableDiagram) as caught:
        specification(task(**GIVEN), scope=model(decision))
    assert (caught.value.file, reason in caught.value.reason, caught.value.element) == ("decisions/scope.dmn", True, "d_scope")


def test_a_task_that_does_not_say_what_to_decide_is_refused() -> None:
    with pytest.raises(workflow.UnreadableDiagram) as caught:
        specification('<businessRuleTask id="decide" name="decide"/>', scope=SCOPE)
    assert caught.value.element == "decide"


def test_the_specification_tells_what_a_task_decides() -> None:
    found = specification(task(**GIVEN), scope=SCOPE)
    assert found.elements["decide"].decision == workflow.Decision("scope", "Scope", "scope", (("days", "days"), ("cause", "cause")))
