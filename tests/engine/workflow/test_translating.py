"""Diagrams in the manner of other products: each opens, is told what does not run, and is turned where it is chosen; nothing else changes."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from lxml import etree

from engine import drawings
from engine.workflow import checking, elsewhere, mending, reading, translating
from engine.workflow.reading import BPMN, PS
from tests.engine.workflow.test_checking import MANIFEST

FOREIGN = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "foreign").glob("*.bpmn"))}
ROLES = {"质控员": "qc_officer", "QC officer": "qc_officer", "评审秘书": "secretary"}
# What each holds that cannot run here, by the rule that says so.
TOLD = {
    "activiti": {"foreign_setting", "task_without_lane", "no_form", "expression"},
    "adonis": {"not_executable", "unsupported", "event_unsupported", "start_waits", "no_condition"},
    "aris": {"event_subprocess", "event_unsupported", "unsupported", "not_executable"},
    "bizagi": {"not_executable", "data_unsupported", "standard_loop", "unsupported"},
    "bonita": {"not_executable", "data_unsupported", "timer_empty", "start_waits", "unknown_role", "condition_ignored", "no_form"},
    "camunda_7": {"cycle_timer", "script", "unsupported", "foreign_setting", "unknown_service", "no_decision", "several_of_what", "expression"},
    "camunda_8": {"event_gateway", "event_unsupported", "message_flow", "foreign_setting", "expression_sign", "unknown_process", "not_drawn"},
    "camunda_7_older": {
        "compensation",
        "data_unsupported",
        "event_subprocess",
        "event_unsupported",
        "foreign_setting",
        "not_run",
        "unknown_service",
        "unsupported",
        "value_ignored",
    },
    "choreography": {"no_process", "not_run"},
    "flowable": {"foreign_setting", "several_of_what", "unknown_service", "expression"},
    "ibm": {"not_executable", "unknown_process", "unknown_service", "not_drawn", "message_from_nobody"},
    "jbpm": {"data_unsupported", "resources", "foreign_setting"},
    "modelio": {"not_executable", "several_flows", "unsupported", "value_ignored"},
    "older": {"duplicate_id", "unsupported", "foreign_setting"},
    "signavio": {"not_executable", "unsupported", "condition_ignored", "several_flows", "unknown_role", "id_style"},
    "spiff_arena": {"script", "foreign_setting", "unsupported"},
    "tiny": {"process_without_id", "not_executable", "one_start", "no_end"},
    "trisotech": {"unsupported", "event_unsupported", "not_executable"},
}
OFFERED = {
    "activiti": {"role", "said", "ids"},
    "adonis": {"executable", "task", "ids"},
    "aris": {"executable", "task", "ids"},
    "bizagi": {"executable", "task", "data", "ids"},
    "bonita": {"executable", "data", "ids"},
    "camunda_7": {"role", "form", "decision", "several", "said", "ids"},
    "camunda_8": {"lane", "form", "called", "several", "script", "said", "default", "ids"},
    "camunda_7_older": {"task"},
    "choreography": set(),
    "flowable": {"form", "several", "said", "ids"},
    "ibm": {"executable", "ids"},
    "jbpm": {"role", "ids"},
    "older": {"task", "ids"},
    "modelio": {"executable", "gateway", "task", "ids"},
    "signavio": {"executable", "lane", "task", "said", "gateway", "ids"},
    "spiff_arena": {"task", "ids"},
    "tiny": set(),
    "trisotech": {"executable", "ids"},
}
OF_WHAT_IS_NAMED = {"unknown_name", "decision_file_missing"}


def judged(content: bytes) -> list[checking.Complaint]:
    """Check a diagram alone."""
    return checking.check({"procedure.toml": MANIFEST, "main.bpmn": content})


@pytest.mark.parametrize("name", FOREIGN)
def test_what_does_not_run_is_named(name: str) -> None:
    found = judged(FOREIGN[name])
    codes = {complaint.code for complaint in found}
    assert TOLD[name] - codes == set()
    assert not codes & {"check_failed", "unreadable", "not_xml"}
    for complaint in found:
        assert complaint.mend
        assert complaint.sentence % complaint.fields


@pytest.mark.parametrize("name", FOREIGN)
def test_what_can_be_turned_is_offered_and_turned(name: str) -> None:
    content = FOREIGN[name]
    offers = translating.offers(content, ROLES)
    kinds = {offer.key.split(":")[0] for offer in offers}
    assert OFFERED[name] - kinds == set()
    assert len({offer.key for offer in offers}) == len(offers)
    assert all(offer.what % offer.fields for offer in offers)
    turned = translating.turn(content, None, ROLES)
    assert translating.offers(turned, ROLES) == [], "nothing is left to offer"
    errors, before = ({c.code for c in judged(text) if c.level == "error"} for text in (turned, content))
    # A task that was turned is asked, from then on, what every task of a person is asked.
    assert errors <= before | {"no_form", "unknown_form", "task_without_lane", "several_collection", "several_output_missing", *OF_WHAT_IS_NAMED}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_was_not_chosen_keeps_its_bytes(name: str) -> None:
    content = FOREIGN[name]
    assert translating.turn(content, []) == content
    assert translating.turn(content, ["no such turn"]) == content
    for offer in translating.offers(content, ROLES):
        turned = translating.turn(content, [offer.key], ROLES)
        assert turned != content, offer.key
        assert kept(turned) == kept(content), offer.key
        assert offer.key not in {left.key for left in translating.offers(turned, ROLES)}


def kept(content: bytes) -> tuple[list[str], list[str], int]:
    """Return what a turn must leave: extensions of others with their attributes and words, comments, shapes."""
    root = reading.xml(content, keeps_all=True)
    others, comments, shapes = [], [], 0
    for node in root.iter():
        if not isinstance(node.tag, str):
            comments.append(str(node.text))
            continue
        space = etree.QName(node).namespace
        if space not in (BPMN, PS) and "omg.org" not in (space or ""):
            others.append(f"{node.tag} {sorted(node.attrib.items())} {(node.text or '').strip()}")
        others += [
            f"{key}={value}" for key, value in node.attrib.items() if str(key).startswith("{") and PS not in str(key) and "omg" not in str(key)
        ]
        shapes += etree.QName(node).localname == "BPMNShape"
    return sorted(others), comments, min(shapes, 1)


def test_what_no_flow_leads_to_by_its_nature_is_told_of_as_such_and_once() -> None:
    found = judged(FOREIGN["camunda_7_older"])
    where = {code: [complaint.element for complaint in found if complaint.code == code] for code in {complaint.code for complaint in found}}
    aside = {"undo", "overtaken", "late"}
    assert set(where["event_subprocess"]) == aside
    assert not aside & {*where.get("unreachable", ()), *where.get("dead_end", ())}
    assert "any_order" not in {*where.get("one_start", ()), *where.get("no_end", ())}
    assert not {"wash", "feed"} & set(where.get("dead_end", ()))
    assert not {"error_never_comes", "error_unheard", "start_waits"} & set(where)
    assert where["data_unsupported"] == ["approve"], "once, whatever is handed over"
    assert sorted(map(str, where["value_ignored"])) == ["look", "look"]
    assert where["not_run"] == ["everywhere"]
    mended = mending.mend({"main.bpmn": FOREIGN["camunda_7_older"]}, next(dict(c.fix or {}) for c in found if c.code == "data_unsupported"))
    assert "data_unsupported" not in {complaint.code for complaint in judged(mended["main.bpmn"])}


def test_a_condition_behind_a_task_gets_a_gateway_and_is_drawn() -> None:
    content = FOREIGN["signavio"]
    (key,) = [offer.key for offer in translating.offers(content) if offer.key.startswith("gateway")]
    root = reading.xml(translating.turn(content, [key]))
    (gateway,) = root.iter(f"{{{BPMN}}}exclusiveGateway")
    flows = [flow for flow in root.iter(f"{{{BPMN}}}sequenceFlow") if flow.get("sourceRef") == gateway.get("id")]
    assert [flow.find(f"{{{BPMN}}}conditionExpression") is not None for flow in flows] == [True, False]
    assert gateway.get("default") == flows[1].get("id")
    assert gateway.get("id") in {shape.get("bpmnElement") for shape in root.iter(f"{{{reading.DI}}}BPMNShape")}
    assert gateway.get("id") in {(reference.text or "").strip() for reference in root.iter(f"{{{BPMN}}}flowNodeRef")}
    assert not {"several_flows", "condition_ignored"} & {complaint.code for complaint in judged(translating.turn(content, [key]))}


def test_ids_of_a_machine_become_words_wherever_they_stand() -> None:
    content = FOREIGN["signavio"]
    text = translating.turn(content, ["ids"]).decode()
    root = reading.xml(text.encode())
    ids = {node.get("id") for node in root.iter(f"{{{BPMN}}}*")}
    for node in root.iter(f"{{{BPMN}}}sequenceFlow"):
        assert {node.get("sourceRef"), node.get("targetRef")} <= ids
    for node in root.iter(f"{{{BPMN}}}flowNodeRef"):
        assert node.text in ids
    for node in root.iter(f"{{{reading.DI}}}BPMNShape"):
        assert node.get("bpmnElement") in ids
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", node.get("id", "")) for node in root.iter(f"{{{BPMN}}}task", f"{{{BPMN}}}process"))


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("${approved}", "approved"),
        ("${approved == 'yes' && days < 10}", 'approved = "yes" and days < 10'),
        ("#{a eq 1 or b ne null}", "a = 1 or b != null"),
        ("${!done || empty list}", "not(done) or (list = null)"),
        ("${!(a == 1)}", "not((a = 1))"),
        ("${a > 1 ? 'x' : 'y'}", 'if a > 1 then "x" else "y"'),
        ("${nrOfCompletedInstances/nrOfInstances >= 0.5}", "instances_done / instances >= 0.5"),
        ("=total > 2", "total > 2"),
        ('="a" + b', '"a" + b'),
        ("done == true", "done = true"),
        ("${score.numberValue() > 5}", None),
        ("${execution.getVariable('x')}", None),
        ("${a[0] == 1}", None),
        ("${a + }", None),
        ("days < 10", None),
        ("java.lang.Runtime.getRuntime().exec('rm')", None),
        ("${" + "(" * 500, None),
        ("", None),
    ],
)
def test_expressions_of_others_are_said_in_feel(foreign: str, ours: str | None) -> None:
    assert elsewhere.to_feel(foreign) == ours


def test_a_form_is_matched_with_those_there_are() -> None:
    content = FOREIGN["camunda_7"]
    (offer,) = [offer for offer in translating.offers(content, ROLES, ["approveleave"]) if offer.key.startswith("form")]
    root = reading.xml(translating.turn(content, [offer.key], ROLES, ["approveleave"]))
    assert [task.get("form") for task in root.iter(f"{{{PS}}}task")] == ["approveleave"]


@pytest.mark.parametrize("seed", range(60))
def test_spoilt_diagrams_neither_hang_nor_crash(seed: int) -> None:
    """Parts of foreign diagrams taken out, doubled, exchanged: whatever comes out is answered."""
    chance = random.Random(seed)
    root = reading.xml(chance.choice(list(FOREIGN.values())), keeps_all=True)
    for _ in range(12):
        nodes = [node for node in root.iter(etree.Element) if node.getparent() is not None]
        if not nodes:
            break
        node, other = chance.choice(nodes), chance.choice(nodes)
        match chance.randrange(4):
            case 0:
                node.getparent().remove(node)
            case 1 if node.attrib:
                del node.attrib[chance.choice(list(node.attrib))]
            case 2 if node.attrib and other.attrib:
                node.set(chance.choice(list(node.attrib)), str(chance.choice(list(other.attrib.values()))))
            case _:
                node.tag = other.tag
    content = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    found = judged(content)
    assert "check_failed" not in {complaint.code for complaint in found}
    try:
        turned = translating.turn(content, None, ROLES)
        assert "check_failed" not in {complaint.code for complaint in judged(turned)}
    except mending.NotMended:
        pass
    for complaint in found:
        if complaint.fix is not None:
            choice = {"choice": complaint.fix["choices"][0]} if complaint.fix.get("choices") else {}
            try:
                mending.mend({"procedure.toml": MANIFEST, "main.bpmn": content}, {**complaint.fix, **choice})
            except mending.NotMended:
                continue


def test_a_reference_with_the_prefix_of_the_file_is_understood_and_follows_a_rename() -> None:
    content = FOREIGN["ibm"]
    found = judged(content)
    assert not {"boundary_host", "unreachable", "unknown_reference"} & {complaint.code for complaint in found}
    (event,) = reading.xml(translating.turn(content, ["ids"]), keeps_all=True).iter(f"{{{BPMN}}}boundaryEvent")
    assert event.get("attachedToRef") == "Main.Process-1:inner"
    (event,) = reading.xml(translating.turn(content, ["ids"])).iter(f"{{{BPMN}}}boundaryEvent")
    assert event.get("attachedToRef") == "inner"


def test_a_namespace_that_is_no_address_is_read_and_whatever_else_is_wrong_is_refused() -> None:
    content = FOREIGN["ibm"]
    assert b"Main Process" in translating.turn(content, None)
    for broken in (content[:-5], content.replace(b"</bpmn:process>", b""), content.replace(b'name="Book"', b'name="&no;"')):
        with pytest.raises(reading.UnreadableDiagram):
            reading.xml(broken)


def test_a_setting_of_a_part_is_told_and_taken_away_where_the_part_is_drawn() -> None:
    content = FOREIGN["older"]
    told = {complaint.element: complaint for complaint in judged(content) if complaint.code == "foreign_setting"}
    assert {element: complaint.fields["name"] for element, complaint in told.items()} == {"1 late": "handler", "_2-2": "taskName"}
    fix = told["1 late"].fix
    assert fix is not None
    mended = mending.mend({"procedure.toml": MANIFEST, "main.bpmn": content}, fix)["main.bpmn"]
    assert (b"drools:handler" in mended, b"drools:taskName" in mended, b"drools:bgcolor" in mended) == (False, True, True)


def test_a_pool_drawn_as_its_process_and_a_part_that_does_not_say_it_is_open_are_drawn() -> None:
    shapes = {shape.id: shape for shape in drawings.read(FOREIGN["bonita"]).shapes}
    assert (shapes["_pool"].kind, shapes["_pool"].name) == ("participant", "Office")
    assert {shape.id: shape.is_open for shape in drawings.read(FOREIGN["older"]).shapes if shape.kind in ("subProcess", "endEvent")}["_2"]
