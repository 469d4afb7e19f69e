"""Decision tables: what is wrong with them is told before they are deployed, with its place and a way to mend it; examples are run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from engine import feel, forms, procedures
from engine.decision_tables import UnreadableExamples, complaints, names, read_examples, run_examples
from engine.workflow import checking, reading
from models import WorkItem
from tests.engine.conftest import At
from tests.engine.feel.tables import STANDARD, table_xml
from web.bench import MANIFEST

PATH, EXAMPLES = "decisions/age.dmn", "decisions/age.examples.json"
AGE, RESULT = ("age", "number"), ("group", "string")
SOUND = table_xml("UNIQUE", [AGE], [RESULT], [("< 18", '"young"'), (">= 18", '"old"')])
BPMN, PS = reading.BPMN, reading.PS


def told(files: Mapping[str, bytes]) -> dict[str, tuple[str, str | None]]:
    """Return the complaints by code: their level and element. Each has a sentence and a way to mend it that can be filled in."""
    found = complaints(files)
    for complaint in found:
        assert complaint.sentence % complaint.fields
        assert complaint.mend % complaint.fields
        assert complaint.file in files or complaint.file == "procedure.toml"
    return {complaint.code: (complaint.level, complaint.element) for complaint in found}


def diagram(decision: str) -> bytes:
    """Return a diagram with one business rule task `decide`."""
    return (
        f'<definitions xmlns="{BPMN}" xmlns:p="{PS}"><process id="main" isExecutable="true"><businessRuleTask id="decide" name="decide">'
        f"<extensionElements>{decision}</extensionElements></businessRuleTask></process></definitions>"
    ).encode()


def task(decision: str = "age", name: str = "D", **inputs: str) -> bytes:
    given = "".join(f'<p:input name="{key}" expression="{text}"/>' for key, text in inputs.items())
    return diagram(f'<p:decision decision="{decision}" name="{name}" result="group">{given}</p:decision>')


def examples(*rows: tuple[Any, Any], decision: str = "D", **more: Any) -> bytes:
    listed = [{"name": f"row {number}", "inputs": {"age": age}, "expect": expected} for number, (age, expected) in enumerate(rows, 1)]
    return json.dumps({"decision": decision, "examples": listed, **more}).encode()


# ── the shipped table ──


def test_the_shipped_tables_do_what_their_examples_say() -> None:
    for key in procedures.shipped():
        files = procedures.shipped_files(key)
        assert [str(complaint) for complaint in complaints(files)] == []
        kept = [path for path in files if path.endswith(".examples.json")]
        assert {path.removesuffix(".examples.json") for path in kept} == {path.removesuffix(".dmn") for path in reading.tables(files)}
        for path in kept:
            results = run_examples(files, files[path], key=path.removeprefix("decisions/").removesuffix(".examples.json"))
            assert [result.name for result in results if not result.is_ok] == []


def test_every_rule_of_the_shipped_table_has_an_example() -> None:
    files = procedures.shipped_files("maternal_death")
    hits = [result.hits for result in run_examples(files, files["decisions/scope.examples.json"], key="scope")]
    assert {hit for (hit,) in hits} == {1, 2, 3, 4, 5, 6}


def test_the_verification_shows_what_the_table_says(at: At) -> None:
    world = at("verify_report")
    [item] = world.rows(WorkItem, WorkItem.element == "verify_report")
    assert item.variables["scope"] == "in"
    form = procedures.form(world.session, world.case.procedure_version_id, "verification")
    environment = feel.Environment(now=world.case.clock_start_at)
    shown = [
        entry.id
        for entry in _all(form.fields)
        if entry.id.startswith("Text_scope_") and feel.evaluate(entry.hide or "", {"variables": item.variables}, environment) is False
    ]
    assert shown == ["Text_scope_in"]


def _all(fields: Any) -> list[forms.Field]:
    return [inner for entry in fields for inner in (entry, *_all(entry.fields))]


# ── what is wrong with a table ──

UNFIT = {
    "not XML": (b"<definitions", {"decision_unreadable": ("error", None)}),
    "not DMN": (b"<definitions xmlns='urn:x'/>", {"decision_unreadable": ("error", None)}),
    "a document type": (b'<!DOCTYPE d [<!ENTITY a "b">]>' + SOUND, {"decision_unreadable": ("error", None)}),
    "another language": (SOUND.replace(b"<inputEntry>", b'<inputEntry expressionLanguage="juel">', 1), {"decision_language": ("error", "r1")}),
    "another language of the model": (
        SOUND.replace(b"<definitions", b'<definitions expressionLanguage="python"'),
        {"decision_language": ("error", None)},
    ),
    "a function in Java": (
        SOUND.replace(
            b"</definitions>",
            b'<businessKnowledgeModel id="b" name="sqrt"><encapsulatedLogic kind="Java"/></businessKnowledgeModel></definitions>',
        ),
        {"decision_external": ("error", "b")},
    ),
    "two rules for the same": (table_xml("UNIQUE", [AGE], [RESULT], [("< 18", '"a"'), (">= 17", '"b"')]), {"table_overlap": ("error", "r2")}),
    "two rules perhaps for the same": (
        table_xml(
            "UNIQUE", [("age + 1",), ("age",)], [RESULT], [("< 18", "-", '"a"'), (">= 18", ">= 17", '"b"'), ("-", "< 17", '"c"')], declared=False
        ),
        {"table_overlap": ("warning", "r3")},
    ),
    "different results": (table_xml("ANY", [AGE], [RESULT], [("< 18", '"a"'), ("-", '"b"')]), {"table_conflict": ("error", "r2")}),
    "a gap": (table_xml("UNIQUE", [AGE], [RESULT], [("< 18", '"a"'), ("> 18", '"b"')]), {"table_gap": ("warning", "t")}),
    "a rule that comes too late": (table_xml("FIRST", [AGE], [RESULT], [("-", '"a"'), ("> 18", '"b"')]), {"table_unreachable": ("warning", "r2")}),
    "a rule that never matches": (
        table_xml("FIRST", [("age", "number", "[0..120]")], [RESULT], [("< 0", '"a"'), ("-", '"b"')]),
        {"table_never": ("warning", "r1")},
    ),
    "a result without rank": (
        table_xml("PRIORITY", [AGE], [("group", "string", '"a","b"')], [("-", '"a"'), ("> 18", '"c"')]),
        {"table_not_listed": ("error", "r2")},
    ),
    "a result that is not listed": (
        table_xml("UNIQUE", [AGE], [("group", "string", '"a","b"')], [("<= 18", '"a"'), ("> 18", '"c"')]),
        {"table_not_in_values": ("warning", "r2")},
    ),
    "no order": (table_xml("OUTPUT ORDER", [AGE], [RESULT], [("-", '"a"')]), {"table_no_order": ("error", "t")}),
    "a result of another type": (table_xml("UNIQUE", [AGE], [RESULT], [("-", "5")]), {"table_type": ("error", "r1")}),
    "a test of another type": (table_xml("FIRST", [AGE], [RESULT], [('"x"', '"a"'), ("-", '"b"')]), {"table_type": ("error", "r1")}),
    "a day that is not there": (
        table_xml("UNIQUE", [("d",)], [RESULT], [("-", 'date("2026-02-30")')]),
        {"table_nothing": ("error", "r1"), "table_type": None},
    ),
    "a sum of texts": (table_xml("COLLECT", [AGE], [RESULT], [("-", '"a"')], aggregation="SUM"), {"table_aggregation": ("error", "r1")}),
    "a cell that is not FEEL": (table_xml("FIRST", [AGE], [RESULT], [("> 5", '"a"'), ("5 +", '"b"')]), {"decision_expression": ("error", "r2")}),
    "an unknown function": (table_xml("UNIQUE", [AGE], [RESULT], [("-", "shorten(age)")]), {"decision_function": ("error", "d")}),
    "an unknown type": (table_xml("UNIQUE", [("age", "years")], [RESULT], [("-", '"a"')]), {"decision_expression": ("error", None)}),
    "decisions in a circle": (
        f'<definitions xmlns="{STANDARD}" namespace="u" name="m"><decision id="d" name="D"><informationRequirement><requiredDecision href="#d"/>'
        "</informationRequirement></decision><decision id='e' name='E'><informationRequirement><requiredDecision href='#f'/></informationRequirement>"
        "</decision><decision id='f' name='F'><informationRequirement><requiredDecision href='#e'/></informationRequirement></decision></definitions>".encode(),
        {"decision_unreadable": ("error", None)},
    ),
}


@pytest.mark.parametrize(("xml", "wanted"), UNFIT.values(), ids=UNFIT)
def test_what_is_wrong_is_told_with_its_place(xml: bytes, wanted: dict[str, tuple[str, str | None] | None]) -> None:
    assert told({PATH: xml}) == {code: place for code, place in wanted.items() if place is not None}


def test_a_sound_table_is_not_complained_about() -> None:
    assert told({PATH: SOUND}) == {}


def test_lines_are_told() -> None:
    xml = SOUND.replace(b'<rule id="r2">', b'\n\n<rule id="r2">').replace(b"&gt;= 18", b"&gt;= 17")
    [complaint] = complaints({PATH: xml})
    assert (complaint.element, complaint.line, complaint.fields["region"]) == ("r2", 3, "age: [17..18)")


def test_functions_of_other_languages_are_named() -> None:
    java = (
        '<context><contextEntry><variable name="root"/><functionDefinition kind="Java"><context/></functionDefinition></contextEntry>'
        '<contextEntry><variable name="score"/><functionDefinition kind="PMML"><context/></functionDefinition></contextEntry></context>'
    )
    xml = f'<definitions xmlns="{STANDARD}" namespace="u" name="m"><decision id="d" name="D">{java}</decision></definitions>'.encode()
    found = complaints({PATH: xml})
    assert [(complaint.code, complaint.element, dict(complaint.fields)) for complaint in found] == [
        ("decision_external", "d", {"kind": "Java", "name": "root"}),
        ("decision_external", "d", {"kind": "PMML", "name": "score"}),
    ]


# ── steps that use it ──

UNFIT_TASKS = {
    "a file that is not there": (task("agee", age="1"), {"decision_file_missing": ("error", "decide"), "decision_unused": ("warning", None)}),
    "a decision that is not there": (task(name="E", age="1"), {"decision_missing": ("error", "decide")}),
    "an input that is not given": (task(), {"decision_input_missing": ("error", "decide")}),
    "an input that is not wanted": (task(age="1", sex="2"), {"decision_input_unknown": ("warning", "decide")}),
    "an input without an expression": (task(age=""), {"decision_input_empty": ("error", "decide")}),
    "no task": (diagram(""), {"decision_unused": ("warning", None)}),
}


@pytest.mark.parametrize(("drawn", "wanted"), UNFIT_TASKS.values(), ids=UNFIT_TASKS)
def test_steps_must_give_what_a_decision_needs(drawn: bytes, wanted: dict[str, tuple[str, str | None]]) -> None:
    assert told({"main.bpmn": drawn, PATH: SOUND}) == wanted


def test_an_input_given_twice_is_told() -> None:
    twice = '<p:decision decision="age" name="D" result="g"><p:input name="age" expression="1"/><p:input name="age" expression="2"/></p:decision>'
    assert told({"main.bpmn": diagram(twice), PATH: SOUND}) == {"decision_input_twice": ("error", "decide")}


def test_names_that_a_table_reads_without_an_input_must_be_given_too() -> None:
    free = table_xml("UNIQUE", [("age",)], [RESULT], [("< profile.limit", '"a"'), (">= profile.limit", '"b"')], declared=False)
    assert told({"main.bpmn": task(), PATH: free}) == {"decision_input_missing": ("error", "decide")}
    assert told({"main.bpmn": task(age="1"), PATH: free}) == {}
    assert "decision_input_missing" in {complaint.code for complaint in complaints({"main.bpmn": task(age="1"), PATH: free}, frozenset({"case"}))}


def test_an_imported_table_is_used() -> None:
    other = (
        f'<definitions xmlns="{STANDARD}" namespace="urn:o" name="o"><import name="t" namespace="urn:t" importType="{STANDARD}"/>'
        '<decision id="d" name="D"><informationRequirement><requiredDecision href="urn:t#d"/></informationRequirement>'
        "<literalExpression><text>t.D</text></literalExpression></decision></definitions>"
    ).encode()
    files = {PATH: SOUND, "decisions/other.dmn": other}
    assert told({"main.bpmn": task("other", age="1"), **files}) == {}
    assert told({"main.bpmn": task("other"), **files}) == {"decision_input_missing": ("error", "decide")}
    alone = told({"main.bpmn": task("other", age="1"), "decisions/other.dmn": other})
    assert alone == {"decision_unreadable": ("error", None)}


def test_files_are_named_and_listed_as_they_should_be() -> None:
    assert told({"decisions/My Table.dmn": SOUND}) == {"decision_path": ("error", None)}
    manifest = MANIFEST + b'\ndecisions = ["age", "kind"]\n'
    assert told({"procedure.toml": manifest, PATH: SOUND}) == {"decision_listed": ("error", None)}
    assert [complaint.fields["key"] for complaint in complaints({"procedure.toml": manifest, PATH: SOUND})] == ["kind"]


def test_a_deployment_is_refused_for_a_table() -> None:
    files = procedures.shipped_files("maternal_death")
    path = "decisions/scope.dmn"
    broken = files[path].replace(b"(42..365]", b"[42..365]")
    assert broken != files[path]
    found = procedures.check({**files, path: broken})
    assert [(complaint.code, complaint.level, complaint.element) for complaint in found if complaint.level == "error"] == [
        ("table_overlap", "error", "rule_late")
    ]
    assert all(isinstance(complaint, checking.Complaint) for complaint in found)


# ── examples ──


def test_examples_say_what_came_out_and_which_rules_matched() -> None:
    xml = table_xml("COLLECT", [AGE], [RESULT], [("< 18", '"young"'), ("< 65", '"works"'), ("-", '"all"')])
    rows = examples((5, ["young", "works", "all"]), (70, '=["all"]'), (30, []), ("=10 + 10", ["works", "all"]), ("x", []))
    results = run_examples(xml, rows)
    assert [(result.is_ok, result.got, result.hits) for result in results] == [
        (True, ["young", "works", "all"], (1, 2, 3)),
        (True, ["all"], (3,)),
        (False, ["works", "all"], (2, 3)),
        (True, ["works", "all"], (2, 3)),
        (False, None, ()),
    ]
    assert results[2].expected == []
    assert [result.error for result in results] == [None] * 4 + ["D: a string is not of the type 'number'"]


def test_examples_of_dates_durations_and_several_outputs() -> None:
    rules = [('< @"2026-01-01"', '"before"', 'duration("P1D")'), ("-", '"after"', "when")]
    xml = table_xml("FIRST", [("when", "date")], [("kind",), ("then",)], rules)
    kept = {
        "decision": "d",
        "examples": [
            {"name": "a", "inputs": {"when": '=date("2025-12-31")'}, "expect": {"kind": "before", "then": '=@"PT24H"'}},
            {"inputs": {"when": '=@"2026-01-01"'}, "expect": {"kind": "after", "then": '=date("2026-01-01")'}},
            {"inputs": {"when": "=today()"}, "expect": {"kind": "after", "then": '=@"2027-05-04"'}},
        ],
        "now": "2027-05-04T23:30:00",
    }
    results = run_examples(feel.decisions.read(xml), kept)
    assert [(result.name, result.is_ok, result.hits, result.error) for result in results] == [
        ("a", True, (1,), None),
        ("2", True, (2,), None),
        ("3", True, (2,), None),
    ]


def test_an_error_of_one_example_is_its_own() -> None:
    xml = table_xml("UNIQUE", [AGE], [RESULT], [("< 18", '"a"'), ("< 65", '"b"')])
    first, second, third, fourth = run_examples(xml, examples((5, "a"), (30, "b"), (30, "=1 +"), ("old", "b")))
    assert (first.is_ok, first.hits, first.error) == (False, (1, 2), "D: UNIQUE, but rules 1 and 2 match")
    assert second.is_ok
    assert third.error
    assert (fourth.is_ok, fourth.got) == (False, None)


def test_examples_that_fail_warn_unless_they_bind() -> None:
    files = {PATH: SOUND, EXAMPLES: examples((5, "young"), (5, "old"))}
    assert told(files) == {"example_failed": ("warning", None)}
    [complaint] = complaints(files)
    assert complaint.fields == {"name": "row 2", "expected": '"old"', "got": '"young"'}
    assert told({**files, "procedure.toml": MANIFEST + b'\nexamples = "binding"\n'}) == {"example_failed": ("error", None)}
    assert told({PATH: SOUND, EXAMPLES: examples((5, "young"), decision="E")}) == {"example_error": ("warning", None)}
    assert told({EXAMPLES: examples()}) == {"examples_without_table": ("warning", None)}


UNREADABLE = {
    "not JSON": b"{",
    "not an object": b"[]",
    "no examples": b'{"decision": "D"}',
    "an example without a result": b'{"decision": "D", "examples": [{"inputs": {}}]}',
    "inputs that are a list": b'{"decision": "D", "examples": [{"inputs": [], "expect": 1}]}',
    "an instant that is none": b'{"decision": "D", "examples": [], "now": "tomorrow"}',
    "a number that is none": b'{"decision": "D", "examples": [{"inputs": {}, "expect": NaN}]}',
    "too deep": b'{"decision": "D", "examples": ' + b"[" * 100_000,
    "too many": json.dumps({"decision": "D", "examples": [{"inputs": {}, "expect": 1}] * 301}).encode(),
    "too long": b" " * 300_001,
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_examples_that_cannot_be_read(content: bytes) -> None:
    with pytest.raises(UnreadableExamples):
        read_examples(content)
    assert told({PATH: SOUND, EXAMPLES: content}) == {"examples_unreadable": ("error", None)}


def test_values_of_examples_are_kept_whole() -> None:
    xml = f'<definitions xmlns="{STANDARD}" namespace="u" name="m"><inputData id="i" name="x"/><decision id="d" name="D"><informationRequirement>'
    xml += '<requiredInput href="#i"/></informationRequirement><literalExpression><text>x</text></literalExpression></decision></definitions>'
    nested: Any = {"a": [0.1, {"$": "d", "v": "2026-01-01"}, None, True, "中"], "__class__": "x"}
    [result] = run_examples(xml.encode(), {"decision": "D", "examples": [{"inputs": {"x": nested}, "expect": nested}]})
    assert result.is_ok
    assert feel.from_wire(result.got) == feel.from_wire(feel.to_wire(nested))


def test_examples_do_not_take_long() -> None:
    slow = table_xml("FIRST", [AGE], [RESULT], [("-", "count(for i in 1..30000 return i ** 2)")])
    began = time.process_time()
    results = run_examples(slow, examples(*((number, "x") for number in range(300))))
    assert time.process_time() - began < 1
    assert len(results) == 300
    assert results[-1].error == "the examples take too long"


# ── names ──


def test_names_for_the_editor() -> None:
    xml = table_xml("UNIQUE", [("age", "number"), ("kind of case", "string")], [("a", "string"), ("b", "date")], [("-", "-", "1", "2")])
    [found] = names(xml)
    assert (found.id, found.name, found.hit_policy) == ("d", "D", "UNIQUE")
    assert found.inputs == (("age", ""), ("kind of case", ""))
    assert found.outputs == (("a", "string"), ("b", "date"))
    [free] = names(table_xml("FIRST", [("age",)], [RESULT], [("< profile.x", "case.kind")], declared=False))
    assert (free.inputs, free.outputs) == ((("age", ""),), (("", "string"),))
    with pytest.raises(feel.ModelRefused):
        names(b"<x/>")
