"""Versions compared: each kind of difference is told once, in the right words, and nothing else is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine import procedures
from engine.workflow import versions
from engine.workflow.versions import Change, differences
from tests.redrawing import Files, boundary_timer, end, flow, node, redirect, redrawn, renamed, replaced, step, without

FILES = procedures.shipped_files("maternal_death")
REVIEW, REPORT, OPINION, VERIFICATION = "shared/review.bpmn", "shared/report.bpmn", "shared/opinion.bpmn", "forms/verification.json"
TABLE = b"""<?xml version="1.0"?><definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="n">
<decision id="who_reviews" name="Who reviews"><decisionTable id="t" hitPolicy="FIRST">
<input id="i1" label="Age"><inputExpression id="e1"><text>age</text></inputExpression></input><output id="o1" name="level"/>
<rule id="r1"><inputEntry id="a"><text>&lt; 18</text></inputEntry><outputEntry id="b"><text>"city"</text></outputEntry></rule>
<rule id="r2"><inputEntry id="c"><text>-</text></inputEntry><outputEntry id="f"><text>"county"</text></outputEntry></rule>
</decisionTable></decision></definitions>"""
TABLES = {**FILES, "decisions/who_reviews.dmn": TABLE}


def told(old: Files, new: Files) -> list[tuple[str, str, str, str, str, str]]:
    """Return what differs, without files and names."""
    return [(entry.kind, entry.what, entry.element, entry.attribute, entry.before, entry.after) for entry in differences(old, new)]


def test_a_procedure_does_not_differ_from_itself() -> None:
    assert differences(FILES, dict(FILES)) == []


def test_a_step_drawn_into_a_flow_is_an_added_step_and_a_way_that_leads_elsewhere() -> None:
    new = redrawn(FILES, REVIEW, lambda root: step(root, "discuss", "flow_prepare_arrange_sitting", lane="secretary", name="院内讨论"))
    found = differences(FILES, new)
    assert [(entry.kind, entry.what, entry.name) for entry in found] == [
        ("added", "step", "院内讨论"),
        ("changed", "flow", "评审资料制作 — 院内讨论"),
        ("added", "flow", "院内讨论 — 安排评审会"),
    ]
    assert found[1].attribute == "target" and (found[1].before, found[1].after) == ("安排评审会", "院内讨论")
    assert found[0].roles == ("secretary",)
    assert [(entry.kind, entry.what) for entry in differences(new, FILES)] == [("removed", "step"), ("removed", "flow"), ("changed", "flow")]


ATTRIBUTES: list[tuple[str, str, tuple[str, str], tuple[str, str]]] = [
    (REPORT, "name", ('name="核实报告"', 'name="审核报告"'), ("核实报告", "审核报告")),
    (REPORT, "name_en", ('ps:name_en="Verify the report"', 'ps:name_en="Check"'), ("Verify the report", "Check")),
    (REPORT, "limit", ('limit="verification"', 'limit="fact_reply"'), ("verification", "fact_reply")),
    (REPORT, "form", ('form="verification"', 'form="receipt"'), ("verification", "receipt")),
    (OPINION, "due", ('<ps:task form="opinion" organisation="owner" person="member" limit="opinion" due=\'sitting_at - duration("P1D")\' />',
                      '<ps:task form="opinion" organisation="owner" person="member" limit="opinion" due=\'sitting_at - duration("P2D")\' />'),
     ('sitting_at - duration("P1D")', 'sitting_at - duration("P2D")')),
    (OPINION, "person", ('person="if member = chair then deputy else chair"', 'person="chair"'), ("if member = chair then deputy else chair", "chair")),
    (OPINION, "sets", ('status: if has_conflict then "advisory" else "full"', 'status: "full"'),
     ('standing = {person: member, status: if has_conflict then "advisory" else "full"}', 'standing = {person: member, status: "full"}')),
    (OPINION, "arguments", ('expression=\'has_conflict and ruling = "advisory"\'', 'expression="false"'),
     ('person = member\nadvisory = has_conflict and ruling = "advisory"', "person = member\nadvisory = false")),
    (OPINION, "service", ('<ps:service name="recuse">', '<ps:service name="admit">'), ("recuse", "admit")),
    (REVIEW, "state", ('ps:state="concluded"', 'ps:state="signed"'), ("concluded", "signed")),
    (REVIEW, "timer", ('due("fact_reply", now())', 'due("sign_off", now())'), ('timeDate: due("fact_reply", now())', 'timeDate: due("sign_off", now())')),
    (REVIEW, "interrupts", ('attachedToRef="reply_facts" cancelActivity="true"', 'attachedToRef="reply_facts" cancelActivity="false"'), ("true", "false")),
    (REVIEW, "message_role", ('role="committee_chair committee_deputy"', 'role="secretary"'), ("committee_chair committee_deputy", "secretary")),
    (REVIEW, "outputs", ('expression="answers.agree_card"', 'expression="true"'), None),  # type: ignore[list-item]
    (REVIEW, "condition", ("has_corrections = true", "has_corrections"), ("has_corrections = true", "has_corrections")),
    (REVIEW, "default", ('default="flow_are_facts_corrected_facts_settled"', 'default="flow_are_facts_corrected_draft_due"'), None),  # type: ignore[list-item]
    (REVIEW, "documentation", ("专家逐一签署，组长最后。", "专家逐一签署。"), None),  # type: ignore[list-item]
    (REVIEW, "phase", ('name="另定会期" ps:name_en="Rearrange the sitting" ps:phase="P8"', 'name="另定会期" ps:name_en="Rearrange the sitting" ps:phase="P7"'),
     ("P8", "P7")),
    (REVIEW, "instances", ("<bpmn:loopDataInputRef>panel<", "<bpmn:loopDataInputRef>members<"), None),  # type: ignore[list-item]
    (REVIEW, "called", ('calledElement="sign_off"', 'calledElement="meeting"'), ("sign_off", "meeting")),
]  # fmt: skip


@pytest.mark.parametrize(("path", "attribute", "change", "values"), ATTRIBUTES, ids=[entry[1] for entry in ATTRIBUTES])
def test_each_property_that_changes_is_told_with_what_it_was_and_is(
    path: str, attribute: str, change: tuple[str, str], values: tuple[str, str] | None
) -> None:
    found = differences(FILES, replaced(FILES, path, change))
    assert [(entry.kind, entry.attribute) for entry in found] == [("changed", attribute)]
    assert values is None or (found[0].before, found[0].after) == values
    assert found[0].before and found[0].after and found[0].file == path


def test_a_step_in_another_lane_is_another_roles() -> None:
    def lower(root: Any) -> None:
        for lane in root.iter("{*}lane"):
            for entry in lane.findall("{*}flowNodeRef"):
                if entry.text == "reply_facts":
                    lane.remove(entry)
        node(root, "secretary").append(root.makeelement("{http://www.omg.org/spec/BPMN/20100524/MODEL}flowNodeRef"))
        node(root, "secretary")[-1].text = "reply_facts"

    found = differences(FILES, redrawn(FILES, REVIEW, lower))
    assert [(entry.attribute, entry.before, entry.after) for entry in found] == [("role", "obstetric_safety_office", "secretary")]
    assert set(versions.summary(found).roles) == {"obstetric_safety_office", "secretary"}


def test_what_only_moved_in_the_drawing_is_told_apart_and_a_diagram_that_moved_as_a_whole_is_not_told() -> None:
    def shift(which: Callable[[Any], bool], x: int) -> Callable[[Any], None]:
        def apply(root: Any) -> None:
            for shape in root.iter("{*}BPMNShape", "{*}BPMNEdge"):
                if which(shape):
                    for point in [*shape.findall("{*}Bounds"), *shape.findall("{*}waypoint")]:
                        point.set("x", str(float(point.get("x")) + x))

        return apply

    one = redrawn(FILES, REVIEW, shift(lambda shape: shape.get("bpmnElement") == "arrange_sitting", 40))
    assert told(FILES, one) == [("moved", "step", "arrange_sitting", "", "", "")]
    assert versions.marks(differences(FILES, one), is_old=True) == {"arrange_sitting": "moved"}
    assert told(FILES, redrawn(FILES, REVIEW, shift(lambda shape: True, 40))) == []


def test_a_step_with_another_id_is_suspected_to_be_the_same_with_what_else_changed() -> None:
    new = replaced(renamed(FILES, "verify_report", "check_report"), REPORT, ('limit="verification"', 'limit="fact_reply"'))
    assert told(FILES, new) == [
        ("renamed", "step", "check_report", "", "verify_report", "check_report"),
        ("changed", "step", "check_report", "limit", "verification", "fact_reply"),
    ]
    assert versions.renames(FILES, new) == {"verify_report": "check_report"}
    marks = differences(FILES, new)
    assert versions.marks(marks, is_old=True) == {"verify_report": "changed"} and versions.marks(marks, is_old=False) == {"check_report": "changed"}


def test_another_step_in_the_place_of_one_is_not_taken_for_it() -> None:
    new = redrawn(FILES, REVIEW, lambda root: without(root, "rearrange_sitting"))
    new = redrawn(new, REVIEW, lambda root: step(root, "thank_panel", "flow_sign_close_packet", lane="secretary", name="致谢"))
    assert versions.renames(FILES, new) == {}
    assert ("removed", "step", "rearrange_sitting", "", "", "") in told(FILES, new)


def test_a_flow_that_leads_elsewhere_and_a_new_timer_are_told() -> None:
    def change(root: Any) -> None:
        redirect(root, "flow_are_there_substitutes_meeting_due", "draft_due")
        end(root, "reminded", "draft_conclusion")
        boundary_timer(root, "remind", "draft_conclusion", "reminded", 'now() + duration("P2D")')

    found = told(FILES, redrawn(FILES, REVIEW, change))
    assert ("changed", "flow", "flow_are_there_substitutes_meeting_due", "target", "meeting_due", "draft_due") in found
    assert {entry[2] for entry in found if entry[0] == "added"} == {"remind", "reminded", "flow_remind_reminded"}


def test_a_flow_drawn_anew_between_the_same_two_elements_is_no_change() -> None:
    def anew(root: Any) -> None:
        way = node(root, "flow_prepare_arrange_sitting")
        way.set("id", "Flow_0abc")
        for entry in root.iter("{*}incoming", "{*}outgoing"):
            if entry.text == "flow_prepare_arrange_sitting":
                entry.text = "Flow_0abc"

    assert [entry for entry in told(FILES, redrawn(FILES, REVIEW, anew)) if entry[0] != "moved"] == []


def test_whole_files_are_told_once() -> None:
    fewer = {path: content for path, content in FILES.items() if path not in (OPINION, VERIFICATION)}
    assert [(entry.kind, entry.what, entry.name) for entry in differences(FILES, fewer)] == [
        ("removed", "diagram", "声明与个人意见"),
        ("removed", "form", "核实"),
    ]
    assert [entry.kind for entry in differences(fewer, FILES)] == ["added", "added"]


def test_rules_of_a_table_are_told_by_what_they_say() -> None:
    def tables(*pairs: tuple[str, str]) -> list[tuple[str, str, str, str, str, str]]:
        return told(TABLES, replaced(TABLES, "decisions/who_reviews.dmn", *pairs))

    assert tables(("FIRST", "COLLECT")) == [("changed", "table", "who_reviews", "policy", "FIRST", "COLLECT")]
    assert tables(("&lt; 18", "&lt; 20")) == [("changed", "rule", "r1", "cells", '< 18 | "city"', '< 20 | "city"')]
    assert tables(("<text>age</text>", "<text>years</text>")) == [("changed", "input", "i1", "expression", "age", "years")]
    assert tables(('name="level"', 'name="where"')) == [
        ("changed", "output", "o1", "label", "level", "where"),
        ("changed", "output", "o1", "expression", "level", "where"),
    ]
    rule = '<rule id="r3"><inputEntry><text>&gt; 40</text></inputEntry><outputEntry><text>"province"</text></outputEntry></rule>'
    assert tables(("</decisionTable>", f"{rule}</decisionTable>")) == [("added", "rule", "r3", "", "", '> 40 | "province"')]
    assert tables(('id="r1"', 'id="R_9"')) == []
    swapped = TABLE.decode()
    one, other = (
        swapped[swapped.index('<rule id="r1"') : swapped.index('<rule id="r2"')],
        swapped[swapped.index('<rule id="r2"') : swapped.index("</dec")],
    )
    found = told(TABLES, {**TABLES, "decisions/who_reviews.dmn": swapped.replace(one + other, other + one).encode()})
    assert [(entry[0], entry[1], entry[3]) for entry in found] == [("changed", "table", "order")]


def test_a_table_stands_beside_its_former_self() -> None:
    new = TABLE.replace(b"&lt; 18", b"&lt; 20")
    (table,) = versions.tables_beside(TABLE, new)
    assert table.columns == ("Age", "level")
    assert [(row.kind, row.before, row.after) for row in table.rows] == [
        ("changed", ("< 18", '"city"'), ("< 20", '"city"')),
        ("", ("-", '"county"'), ("-", '"county"')),
    ]


def form(change: Callable[[dict[str, Any]], None]) -> list[Change]:
    """Return what differs after a change to the schema of a form."""
    schema = json.loads(FILES[VERIFICATION])
    change(schema)
    return differences(FILES, {**FILES, VERIFICATION: json.dumps(schema, ensure_ascii=False).encode()})


def test_fields_of_a_form_are_told_by_their_path() -> None:
    def first(schema: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = schema["components"][0]["components"][1]
        return found

    def one(change: Callable[[dict[str, Any]], Any]) -> list[tuple[str, str, str, str, str]]:
        return [(entry.kind, entry.element, entry.attribute, entry.before, entry.after) for entry in form(lambda schema: change(first(schema)))]

    key = "cause_chain_ok"
    assert one(lambda field: field.update(label="成立吗")) == [("changed", key, "label", "死因链是否成立", "成立吗")]
    assert one(lambda field: field["validate"].clear()) == [("changed", key, "validate.required", "true", "")]
    assert one(lambda field: field["properties"].update(id="I")) == [("changed", key, "properties.id", "C", "I")]
    assert one(lambda field: field.update(valuesKey="CS-YESNONA")) == [("changed", key, "valuesKey", "CS-YESNO", "CS-YESNONA")]
    assert one(lambda field: field.update(key="chain")) == [("removed", key, "", "", ""), ("added", "chain", "", "", "")]
    assert [(entry.kind, entry.attribute) for entry in form(lambda schema: schema["components"][0]["components"].reverse())] == [("changed", "order")]
    rows = versions.form_beside(FILES[VERIFICATION], FILES[VERIFICATION])
    assert rows and not any(row.kind for row in rows)


def test_rules_of_a_form_its_readers_and_its_title_are_told() -> None:
    def change(schema: dict[str, Any]) -> None:
        ours = schema["pingshen"]
        ours["audience"], ours["title"] = "office", "审核"
        ours["rules"] = [{"id": "new", "level": "error", "field": "decision", "when": "true", "zh": "不行。", "en": "No."}]

    found = {(entry.kind, entry.what, entry.attribute) for entry in form(change)}
    assert {("changed", "form", "audience"), ("changed", "form", "title"), ("added", "check", "")} <= found


def test_the_manifest_and_scenarios_are_told_and_what_cannot_be_read_is_too() -> None:
    manifest = replaced(FILES, "procedure.toml", ('name_en = "Maternal death review"', 'name_en = "MDR"'))
    assert [(entry.what, entry.attribute, entry.after) for entry in differences(FILES, manifest)] == [("manifest", "name_en", "MDR")]
    assert [(entry.what, entry.name) for entry in differences(FILES, {**FILES, "scenarios/a.toml": b'name = "A"'})] == [("scenario", "A")]
    for path, content in ((REVIEW, b"<no"), (VERIFICATION, b"{"), ("decisions/x.dmn", b"<!DOCTYPE a><a/>"), (REVIEW, b"<!DOCTYPE a><a/>")):
        found = differences(TABLES, {**TABLES, path: content})
        assert [(entry.what, entry.file) for entry in found] == [("file", path)], found


def test_the_summary_says_what_changes_for_whom_and_leaves_out_what_only_moved() -> None:
    new = replaced(FILES, REPORT, ('limit="verification"', 'limit="fact_reply"'))
    new = redrawn(new, REVIEW, lambda root: flow(root, "release", "opinions_due", "flow_twice"))
    found = versions.summary([*differences(FILES, new), Change("moved", "step", REVIEW, "arrange_sitting")])
    assert list(found.sections) == ["limits", "ways"] or list(found.sections) == ["limits"]
    assert list(found.roles) == ["qc_officer"]
    assert found.counts["moved"] == 1


def test_a_hostile_procedure_is_compared_in_a_moment() -> None:
    deep = b'{"components":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    wide = json.dumps({"components": [{"type": "textfield", "key": f"k{place}", "label": "x" * 50} for place in range(8000)]}).encode()
    steps = "".join(f'<userTask id="t{place}" name="T"/>' for place in range(1500))
    many = f'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">{steps}</process></definitions>'.encode()
    other = many.replace(b'id="t', b'id="u')
    began = time.perf_counter()
    assert differences({"forms/a.json": b"{}", "m.bpmn": many}, {"forms/a.json": deep, "m.bpmn": other})
    assert len(differences({"forms/a.json": b"{}"}, {"forms/a.json": wide})) <= versions.MAX_CHANGES
    assert time.perf_counter() - began < 3
