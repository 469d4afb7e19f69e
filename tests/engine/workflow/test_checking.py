"""The checks of a procedure: for every rule a procedure that breaks it beside one that does not, and where it can be mended, mended."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine import procedures
from engine.workflow import bounds, checking, mending, rules
from engine.workflow.checking import Complaint
from engine.workflow.reading import FLOW_NODES

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
HEAD = (
    f'<definitions xmlns="{BPMN}" xmlns:ps="urn:pingshen:bpmn" xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI"'
    ' xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:spiff="http://spiffworkflow.org/bpmn/schema/1.0/core"'
    ' id="definitions" targetNamespace="tests">\n'
)
SAYS = "<documentation>来源：§1</documentation>"
MANIFEST = b'key = "trial"\nname = "x"\nname_en = "x"\ncase_kind = "maternal_death"\nmain = "main"\nshared = ["part"]\nforms = ["f", "g"]\n'
FORM = """{"type": "default", "id": "f", "schemaVersion": 18, "components": [
  {"type": "textfield", "id": "c1", "key": "note", "label": "记录", "properties": {"en": "Note", "prefill": "known.g.agree"}},
  {"type": "textfield", "id": "c2", "key": "secret", "label": "姓名", "properties": {"en": "Name", "id": "I"}},
  {"type": "number", "id": "c3", "key": "age", "label": "年龄", "validate": {"min": 10, "max": 60}, "properties": {"en": "Age"}},
  {"type": "datetime", "id": "c4", "key": "seen_on", "label": "日期", "properties": {"en": "Seen"}},
  {"type": "radio", "id": "c5", "key": "place", "label": "地点", "valuesKey": "CS-PLACE", "properties": {"en": "Place"}},
  {"type": "select", "id": "c6", "key": "kind_of", "label": "种类", "values": [{"value": "a", "label": "甲", "label_en": "A"},
    {"value": "b", "label": "乙", "label_en": "B"}], "properties": {"en": "Kind"}},
  {"type": "textfield", "id": "c7", "key": "phone", "label": "电话", "validate": {"pattern": "[0-9]{11}"}, "properties": {"en": "Phone"}}],
 "pingshen": {"title": "表", "title_en": "Form", "audience": "case", "source": "§1", "tells": "place", "checks": ["no_subject"], "rules": [
  {"id": "young", "level": "warning", "field": "age", "when": "age < 14", "zh": "太小。", "en": "Young."},
  {"id": "old", "level": "error", "field": "age", "when": "age > 50", "zh": "太大。", "en": "Old."}]}}"""
OTHER = """{"type": "default", "id": "g", "schemaVersion": 18, "components": [
  {"type": "textfield", "id": "c1", "key": "agree", "label": "同意", "properties": {"en": "Agree"}}],
 "pingshen": {"title": "表二", "title_en": "Form 2", "audience": "case", "source": "§2"}}"""
SERVICES = {"note_it": (frozenset({"what"}), frozenset({"also"})), "close_it": (frozenset(), frozenset())}
LIMITS = frozenset({"report"})
VALUES = frozenset({"quorum"})


def flow(source: str, target: str, condition: str = "") -> str:
    """Draw a flow, perhaps with a condition."""
    said = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
    return f'<sequenceFlow id="flow_{source}_{target}" sourceRef="{source}" targetRef="{target}">{said}</sequenceFlow>\n'


def step(name: str, *, form: str = "f", inside: str = "", task: str = "", several: str = "") -> str:
    """Draw a user task."""
    own = f'<extensionElements><ps:task form="{form}"{task}/>{inside}</extensionElements>'
    return f'<userTask id="{name}" name="办" ps:name_en="Do">{SAYS}{own}{several}</userTask>\n'


def drawn(processes: str, extra: str = "") -> str:
    """Make a diagram: everything on one lane, everything drawn one below the other."""
    ids = [found[1] for found in re.finditer(r'<(\w+) id="([^"]+)"', processes) if found[1] in FLOW_NODES for found in [(found[0], found[2])]]
    shapes = "".join(
        f'<di:BPMNShape id="{name}_di" bpmnElement="{name}"><dc:Bounds x="0" y="{100 * place}" width="100" height="80"/></di:BPMNShape>\n'
        for place, name in enumerate(dict.fromkeys(ids))
    )
    lanes = "".join(f"<flowNodeRef>{name}</flowNodeRef>" for name in dict.fromkeys(ids))
    text = processes.replace("<!--lanes-->", f'<laneSet id="lanes"><lane id="qc_officer" name="质控">{lanes}</lane></laneSet>\n')
    return f'{HEAD}{extra}{text}<di:BPMNDiagram id="diagram"><di:BPMNPlane id="plane">{shapes}</di:BPMNPlane></di:BPMNDiagram></definitions>'


SEVERAL = (
    "<multiInstanceLoopCharacteristics><loopDataInputRef>people</loopDataInputRef><loopDataOutputRef>votes</loopDataOutputRef>"
    '<inputDataItem id="voter" name="voter"/><outputDataItem id="vote" name="vote"/>'
    "<completionCondition>instances_done &gt; 2</completionCondition></multiInstanceLoopCharacteristics>"
)
MAIN = drawn(
    '<process id="main" name="总" ps:name_en="All" isExecutable="true"><!--lanes-->'
    '<startEvent id="begins"/>\n'
    '<scriptTask id="prepare"><extensionElements><ps:set variable="people" expression="[1, 2]"/><ps:set variable="total" expression="0"/>'
    "</extensionElements></scriptTask>\n"
    + step(
        "write",
        inside='<ps:output variable="done" expression="answers.note"/><ps:output variable="writer" expression="person"/>'
        '<ps:output variable="years" expression="answers.age"/><ps:arm limit="report" from="now()"/>',
        task=' limit="report" from="now()"',
    )
    + '<boundaryEvent id="late" attachedToRef="write" cancelActivity="false"><timerEventDefinition><timeDuration>P3D</timeDuration>'
    '</timerEventDefinition></boundaryEvent>\n<endEvent id="reminded"/>\n'
    '<boundaryEvent id="called_off" attachedToRef="write"><extensionElements><ps:message role="mch_head" form="g"/></extensionElements>'
    '<messageEventDefinition messageRef="stop"/></boundaryEvent>\n<endEvent id="stopped" ps:state="out_of_scope"/>\n'
    '<parallelGateway id="fork"/>\n'
    + step("left", inside='<ps:output variable="on_the_left" expression="answers.note"/>')
    + step("right", form="g", task=' exclude="writer"')
    + '<parallelGateway id="join"/>\n'
    + step("each", several=SEVERAL, inside='<ps:output variable="vote" expression="answers.note"/>')
    + f'<callActivity id="call_part" name="部" ps:name_en="Part" calledElement="part">{SAYS}</callActivity>\n'
    '<boundaryEvent id="part_failed" attachedToRef="call_part"><errorEventDefinition errorRef="failed"/></boundaryEvent>\n'
    f'<serviceTask id="note" name="记" ps:name_en="Note">{SAYS}<extensionElements><ps:service name="note_it">'
    '<ps:argument name="what" expression="on_the_left"/></ps:service></extensionElements></serviceTask>\n'
    '<exclusiveGateway id="is_done" default="flow_is_done_ask_again"/>\n<endEvent id="closed" ps:state="closed"/>\n'
    + step("ask_again")
    + flow("begins", "prepare")
    + flow("prepare", "write")
    + flow("write", "fork")
    + flow("late", "reminded")
    + flow("called_off", "stopped")
    + flow("fork", "left")
    + flow("fork", "right")
    + flow("left", "join")
    + flow("right", "join")
    + flow("join", "each")
    + flow("each", "call_part")
    + flow("call_part", "note")
    + flow("part_failed", "note")
    + flow("note", "is_done")
    + flow("is_done", "closed", 'years &gt; profile.quorum and case.kind = "maternal_death"')
    + flow("is_done", "ask_again")
    + flow("ask_again", "is_done")
    + "</process>",
    extra='<message id="stop" name="stop"/><error id="failed" errorCode="failed"/>\n',
)
PART = drawn(
    '<process id="part" name="部" ps:name_en="Part" isExecutable="true"><!--lanes--><startEvent id="part_begins"/>\n'
    + step("look")
    + '<exclusiveGateway id="how" default="flow_how_part_ends"/>\n<endEvent id="part_ends"/>\n'
    '<endEvent id="part_fails"><errorEventDefinition errorRef="failed"/></endEvent>\n'
    + flow("part_begins", "look")
    + flow("look", "how")
    + flow("how", "part_ends")
    + flow("how", "part_fails", "total &gt; 0")
    + "</process>",
    extra='<error id="failed" errorCode="failed"/>\n',
)
FIT: dict[str, bytes] = {
    "procedure.toml": MANIFEST,
    "main.bpmn": MAIN.encode(),
    "shared/part.bpmn": PART.encode(),
    "forms/f.json": FORM.encode(),
    "forms/g.json": OTHER.encode(),
}
Change = Callable[[dict[str, bytes]], Any]


def judged(files: Mapping[str, bytes]) -> list[Complaint]:
    """Check files with what this little house knows."""
    return checking.check(files, services=SERVICES, limits=LIMITS, values=VALUES)


def main(*pairs: tuple[str, str], path: str = "main.bpmn") -> Change:
    """Say something else in a file."""

    def change(files: dict[str, bytes]) -> None:
        text = files[path].decode()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        files[path] = text.encode()

    return change


def form(*pairs: tuple[str, str]) -> Change:
    """Say something else in the form."""
    return main(*pairs, path="forms/f.json")


def toml(*pairs: tuple[str, str]) -> Change:
    """Say something else in the manifest."""
    return main(*pairs, path="procedure.toml")


def put(path: str, content: bytes | str) -> Change:
    """Put a file in the place of another."""
    return lambda files: files.update({path: content.encode() if isinstance(content, str) else content})


def more(nodes: str, flows: str = "") -> Change:
    """Draw more into the main process."""
    return main(('<exclusiveGateway id="is_done"', nodes + '<exclusiveGateway id="is_done"'), ("</process>", flows + "</process>"))


def before_closing(nodes: str, first: str, last: str, flows: str = "") -> Change:
    """Draw more between the last service and the gateway behind it."""
    return main(
        ('<exclusiveGateway id="is_done"', nodes + '<exclusiveGateway id="is_done"'),
        (flow("note", "is_done"), flow("note", first) + flows + flow(last, "is_done")),
    )


def alone(body: str, extra: str = "") -> Change:
    """Leave nothing but a small main process."""

    def change(files: dict[str, bytes]) -> None:
        files["main.bpmn"] = drawn(f'<process id="main" isExecutable="true"><!--lanes-->{body}</process>', extra).encode()
        del files["shared/part.bpmn"]

    return change


def subs(inner: str, depth: int) -> str:
    """Put parts into one another."""
    for level in range(depth):
        ends = f'<startEvent id="s{level}"/><endEvent id="e{level}"/>'
        node = re.search(r'id="([^"]+)"', inner)
        assert node is not None
        inner = f'<subProcess id="part_{level}">{ends}{inner}{flow(f"s{level}", node[1])}{flow(node[1], f"e{level}")}</subProcess>'
    return inner


ENDS = '<startEvent id="s"/><endEvent id="e" ps:state="closed"/>'
FORK = '<parallelGateway id="fork_2"/>' + step("one") + step("two")
BLOCKS = "".join(
    f'<parallelGateway id="f{n}"/><parallelGateway id="j{n}"/>'
    + step(f"a{n}")
    + step(f"b{n}")
    + flow(f"f{n}", f"a{n}")
    + flow(f"f{n}", f"b{n}")
    + flow(f"a{n}", f"j{n}")
    + flow(f"b{n}", f"j{n}")
    + flow(f"j{n}", f"f{n + 1}" if n < 7 else "e")
    for n in range(8)
)
LOOP = '<multiInstanceLoopCharacteristics><loopDataInputRef>people</loopDataInputRef><inputDataItem id="{0}" name="{0}"/></multiInstanceLoopCharacteristics>'
TIMED = '<intermediateCatchEvent id="wait"><timerEventDefinition><{0}>{1}</{0}></timerEventDefinition></intermediateCatchEvent>'


def timed(text: str, tag: str = "timeDuration") -> Change:
    """Wait for a time before the end."""
    return before_closing(TIMED.format(tag, text), "wait", "wait")


WRITE = '<ps:task form="f" limit="report" from="now()"/>'
CASES: dict[str, Change] = {
    # files
    "too_many_files": lambda files: files.update({f"a{number}.bpmn": b"" for number in range(bounds.MAX_FILES)}),
    "too_many_complaints": more("".join(f'<task id="T{number}"/>' for number in range(300))),
    "unchecked": before_closing(
        '<scriptTask id="much"><extensionElements>'
        + f'<ps:set variable="v" expression="{" + ".join(["total"] * 50)}"/>' * 400
        + "</extensionElements></scriptTask>",
        "much",
        "much",
    ),
    "path": put("../outside.bpmn", MAIN),
    "manifest": toml(('main = "main"', "")),
    "manifest_long": toml(('name = "x"', f'name = "{"长" * 70}"')),
    "main_missing": toml(('main = "main"', 'main = "elsewhere"')),
    # reading
    "too_large": put("main.bpmn", MAIN + f"<!--{'x' * 2_000_000}-->"),
    "not_xml": put("main.bpmn", MAIN[:-30]),
    "encoding": put("main.bpmn", '<?xml version="1.0" encoding="UTF-7"?>' + MAIN),
    "doctype": put("main.bpmn", '<!DOCTYPE d [<!ENTITY a "b">]>' + MAIN),
    "not_bpmn": put("main.bpmn", "<html/>"),
    "too_many_parts": more("<documentation/>" * bounds.MAX_TAGS),
    "too_many_elements": more("".join(f'<task id="t{number}"/>' for number in range(bounds.MAX_ELEMENTS))),
    "too_many_elements_in_all": lambda files: [
        put(f"more_{part}.bpmn", drawn("<process>" + "".join(f'<task id="t{part}_{n}"/>' for n in range(390)) + "</process>"))(files)
        for part in range(4)
    ],
    "nested": alone(ENDS + subs(step("deep"), 7) + flow("s", "part_6") + flow("part_6", "e")),
    "unreadable": lambda files: put("main.bpmn", MAIN.replace('y="100"', 'y="high"'))(files),
    "task_without_lane": main(("<flowNodeRef>write</flowNodeRef>", "")),
    # what is drawn
    "no_process": put("empty.bpmn", HEAD + "</definitions>"),
    "process_without_id": put("nameless.bpmn", HEAD + '<process isExecutable="true"/></definitions>'),
    "not_executable": main((' isExecutable="true"', ' isExecutable="false"')),
    "no_id": main(('<startEvent id="begins"/>', '<startEvent id="begins"/><endEvent/>')),
    "duplicate_id": main((flow("left", "join"), flow("left", "join").replace("flow_left_join", "flow_fork_left"))),
    "id_in_two_files": put("shared/part.bpmn", PART.replace('"look"', '"write"')),
    "reserved_id": put("shared/part.bpmn", PART.replace('"look"', '"End"')),
    "id_long": put("shared/part.bpmn", PART.replace('"look"', f'"{"l" * 90}"')),
    "id_style": put("shared/part.bpmn", PART.replace('"look"', '"Activity_LookAt"')),
    "path_long": alone(
        ENDS + subs(step("deep"), 4).replace("part_", "part_" + "x" * 60) + flow("s", "part_" + "x" * 60 + "3") + flow("part_" + "x" * 60 + "3", "e")
    ),
    "name_long": main(('<startEvent id="begins"/>', f'<startEvent id="begins" name="{"长" * 81}" ps:name_en="x"/>')),
    "name_en_long": main(('<startEvent id="begins"/>', f'<startEvent id="begins" ps:name_en="{"long " * 30}"/>')),
    "phase_long": main(('<startEvent id="begins"/>', '<startEvent id="begins" ps:phase="the very first"/>')),
    "unsupported": before_closing('<manualTask id="by_hand"/>', "by_hand", "by_hand"),
    "compensation": main(('<scriptTask id="prepare"', '<scriptTask id="prepare" isForCompensation="true"')),
    "not_run": main(('<message id="stop"', '<globalUserTask id="anywhere"/><message id="stop"')),
    "value_ignored": main(('<scriptTask id="prepare"', '<scriptTask id="prepare" completionQuantity="2"')),
    "event_subprocess": more(
        '<subProcess id="part_of" triggeredByEvent="true"><startEvent id="s"/><endEvent id="e"/>' + flow("s", "e") + "</subProcess>"
    ),
    "event_unsupported": main(('<endEvent id="reminded"/>', '<endEvent id="reminded"><signalEventDefinition/></endEvent>')),
    "several_definitions": before_closing(
        TIMED.format("timeDuration", "P1D").replace("</inter", '<messageEventDefinition messageRef="stop"/></inter'), "wait", "wait"
    ),
    "cycle_timer": timed("R3/PT1H", "timeCycle"),
    "message_missing": main(('<messageEventDefinition messageRef="stop"/>', "<messageEventDefinition/>")),
    "unknown_reference": main(('<messageEventDefinition messageRef="stop"/>', '<messageEventDefinition messageRef="go"/>')),
    "message_without_name": main(('<message id="stop" name="stop"/>', '<message id="stop"/>')),
    "boundary": main(('<boundaryEvent id="late" attachedToRef="write"', '<boundaryEvent id="late"')),
    "boundary_host": main(('<boundaryEvent id="late" attachedToRef="write"', '<boundaryEvent id="late" attachedToRef="fork"')),
    "boundary_entered": main((flow("left", "join"), flow("left", "late"))),
    "error_never_comes": put("shared/part.bpmn", PART.replace('<errorEventDefinition errorRef="failed"/>', "")),
    "error_unheard": main(('<endEvent id="reminded"/>', '<endEvent id="reminded"><errorEventDefinition errorRef="failed"/></endEvent>')),
    "catch_nothing": before_closing('<intermediateCatchEvent id="wait"/>', "wait", "wait"),
    "event_gateway": before_closing('<eventBasedGateway id="which"/>' + TIMED.format("timeDuration", "P1D"), "which", "wait", flow("which", "wait")),
    "standard_loop": main(("</extensionElements></scriptTask>", "</extensionElements><standardLoopCharacteristics loopMaximum='3'/></scriptTask>")),
    "script": main(("</extensionElements></scriptTask>", "</extensionElements><script>import os</script></scriptTask>")),
    "data_unsupported": main(("</extensionElements></scriptTask>", "</extensionElements><ioSpecification/></scriptTask>")),
    "correlation": main(('<message id="stop"', '<correlationProperty id="c"/><message id="stop"')),
    "resources": main(("</extensionElements></scriptTask>", "</extensionElements><potentialOwner/></scriptTask>")),
    "foreign_setting": main(('<userTask id="write"', '<userTask id="write" camunda:assignee="kermit"')),
    "unknown_property": main((WRITE, WRITE.replace("limit=", "limits="))),
    "dangling_flow": more("", flow("note", "nowhere")),
    "condition_ignored": main((flow("prepare", "write"), flow("prepare", "write", "total = 0"))),
    "default_ignored": main((flow("is_done", "ask_again"), flow("is_done", "ask_again", "total = 0"))),
    "unknown_default": main(('default="flow_is_done_ask_again"', 'default="flow_fork_left"')),
    "not_drawn": main(('bpmnElement="write"', 'bpmnElement="wrote"')),
    "one_start": main(
        ('<startEvent id="begins"/>', '<startEvent id="begins"/><startEvent id="begins_too"/>'),
        (flow("begins", "prepare"), flow("begins", "prepare") + flow("begins_too", "prepare")),
    ),
    "start_entered": main((flow("is_done", "ask_again"), flow("is_done", "begins").replace("flow_is_done_begins", "flow_is_done_ask_again"))),
    "start_waits": main(
        (
            '<startEvent id="begins"/>',
            '<startEvent id="begins"><timerEventDefinition><timeDuration>P1D</timeDuration></timerEventDefinition></startEvent>',
        )
    ),
    "no_end": alone('<startEvent id="s"/>' + step("a") + flow("s", "a") + flow("a", "a")),
    "end_goes_on": main((flow("late", "reminded"), flow("late", "reminded") + flow("reminded", "closed"))),
    "unreachable": more(step("orphan") + '<endEvent id="orphan_ends"/>', flow("orphan", "orphan_ends")),
    "dead_end": main((flow("late", "reminded"), "")),
    "several_flows": main((flow("write", "fork"), flow("write", "fork") + flow("write", "closed"))),
    "no_condition": main(
        (flow("is_done", "closed", 'years &gt; profile.quorum and case.kind = "maternal_death"'), flow("is_done", "closed")),
        (' default="flow_is_done_ask_again"', ""),
    ),
    "no_default": main((' default="flow_is_done_ask_again"', "")),
    "same_condition": before_closing(
        '<exclusiveGateway id="again" default="flow_again_is_done"/>' + step("p") + step("q"),
        "again",
        "again",
        flow("again", "p", "total = 1") + flow("again", "q", "total  = 1") + flow("p", "is_done") + flow("q", "is_done"),
    ),
    "always_true": main((flow("is_done", "closed", 'years &gt; profile.quorum and case.kind = "maternal_death"'), flow("is_done", "closed", "true"))),
    "never_true": main((flow("is_done", "closed", 'years &gt; profile.quorum and case.kind = "maternal_death"'), flow("is_done", "closed", "false"))),
    "join_waits_for_ever": main(
        ('<parallelGateway id="fork"/>', '<exclusiveGateway id="fork" default="flow_fork_left"/>'),
        (flow("fork", "right"), flow("fork", "right", "total = 1")),
    ),
    "join_may_wait": alone(
        ENDS
        + '<parallelGateway id="f"/><parallelGateway id="j"/><exclusiveGateway id="x" default="flow_x_j"/><endEvent id="lost"/>'
        + step("a")
        + step("b")
        + flow("s", "f")
        + flow("f", "a")
        + flow("f", "b")
        + flow("a", "x")
        + flow("x", "j")
        + flow("x", "lost", 'kind = "a"')
        + flow("b", "j")
        + flow("j", "e")
    ),
    "runs_twice": main(('<parallelGateway id="join"/>', '<exclusiveGateway id="join"/>')),
    "cuts_off": put(
        "shared/part.bpmn",
        drawn(
            '<process id="part" name="部" ps:name_en="P" isExecutable="true"><!--lanes--><startEvent id="part_begins"/>'
            + FORK
            + '<endEvent id="part_ends"/><endEvent id="part_stops"><terminateEventDefinition/></endEvent>'
            + flow("part_begins", "fork_2")
            + flow("fork_2", "one")
            + flow("fork_2", "two")
            + flow("one", "part_ends")
            + flow("two", "part_stops")
            + "</process>"
        ),
    ),
    "no_way_out": alone(
        ENDS
        + step("a")
        + step("b")
        + '<exclusiveGateway id="x" default="flow_x_e"/>'
        + flow("s", "x")
        + flow("x", "e")
        + flow("x", "a", 'kind = "a"')
        + flow("a", "b")
        + flow("b", "a")
    ),
    "never_rests": alone(
        ENDS
        + '<exclusiveGateway id="x"/><exclusiveGateway id="y" default="flow_y_e"/>'
        + flow("s", "x")
        + flow("x", "y")
        + flow("y", "x", 'kind = "a"')
        + flow("y", "e")
    ),
    "may_not_rest": alone(
        ENDS
        + '<exclusiveGateway id="x"/><scriptTask id="count_up"><extensionElements><ps:set variable="n" expression="1"/></extensionElements></scriptTask>'
        + '<exclusiveGateway id="y" default="flow_y_e"/>'
        + flow("s", "x")
        + flow("x", "count_up")
        + flow("count_up", "y")
        + flow("y", "x", "n &lt; 3")
        + flow("y", "e")
    ),
    "endless_prediction": alone(ENDS + '<parallelGateway id="x"/>' + step("a") + flow("s", "x") + flow("x", "a") + flow("a", "x") + flow("x", "e")),
    "too_branchy": alone(ENDS + BLOCKS + flow("s", "f0")),
    "calls_itself": put("shared/part.bpmn", PART.replace(step("look"), '<callActivity id="look" name="部" ps:name_en="P" calledElement="part"/>')),
    "parallel_writes": main(
        (step("right", form="g", task=' exclude="writer"'), step("right", inside='<ps:output variable="on_the_left" expression="answers.note"/>'))
    ),
    "lost_write": main(
        (
            '<ps:output variable="on_the_left" expression="answers.note"/>',
            '<ps:output variable="on_the_left" expression="answers.note"/><ps:output variable="total" expression="answers.age"/>',
        )
    ),
    # the case
    "no_final_state": main((' ps:state="closed"', "")),
    "may_lack_final_state": alone(
        '<startEvent id="s"/><endEvent id="e"/>'
        + step("a").replace("<userTask ", '<userTask ps:state="closed" ')
        + '<exclusiveGateway id="x" default="flow_x_a"/><exclusiveGateway id="y"/>'
        + flow("s", "x")
        + flow("x", "a")
        + flow("x", "y", 'kind = "b"')
        + flow("a", "y")
        + flow("y", "e")
    ),
    "ends_early": main(('<scriptTask id="prepare">', '<scriptTask id="prepare" ps:state="closed">')),
    "unknown_state": main((' ps:state="closed"', ' ps:state="paradise"')),
    # who
    "unknown_role": main(('<lane id="qc_officer"', '<lane id="king"')),
    "unknown_role_here": main(('<ps:message role="mch_head"', '<ps:message role="queen"')),
    "role_cannot_work": main(('<lane id="qc_officer"', '<lane id="audit_administrator"')),
    "role_elsewhere": main((WRITE, WRITE.replace('form="f"', 'form="f" organisation="facility"'))),
    "unknown_party": main((WRITE, WRITE.replace('form="f"', 'form="f" organisation="moon"'))),
    "item_missing": main((WRITE, WRITE.replace('form="f"', 'form="f" organisation="item"'))),
    "lane_names_nothing": main(("<flowNodeRef>write</flowNodeRef>", "<flowNodeRef>write</flowNodeRef><flowNodeRef>gone</flowNodeRef>")),
    "process_unused": put(
        "idle.bpmn",
        PART.replace('id="part"', 'id="idle"')
        .replace("part_", "idle_")
        .replace('"look"', '"idle_look"')
        .replace('"how"', '"idle_how"')
        .replace("flow_", "flow_i_"),
    ),
    "message_flow": main(
        ('<message id="stop"', '<collaboration id="c"><messageFlow id="m" sourceRef="write" targetRef="left"/></collaboration><message id="stop"')
    ),
    "exclude_nobody": main((' exclude="writer"', ' exclude="years"')),
    "exclude_same": main((' exclude="writer"', ' exclude="writer" person="writer"')),
    # what
    "no_form": main((WRITE, "")),
    "unknown_form": main((WRITE, WRITE.replace('form="f"', 'form="h"'))),
    "no_name": main(('<userTask id="write" name="办"', '<userTask id="write"')),
    "no_english": main(('<userTask id="write" name="办" ps:name_en="Do"', '<userTask id="write" name="办"')),
    "no_source": main((f'<userTask id="write" name="办" ps:name_en="Do">{SAYS}', '<userTask id="write" name="办" ps:name_en="Do">')),
    "unknown_limit": main((WRITE, WRITE.replace("report", "whenever"))),
    "unknown_value": main(("profile.quorum", "profile.quorums")),
    "unknown_fact": main(("case.kind", "case.name")),
    "unknown_service": main(('<ps:service name="note_it">', '<ps:service name="sing">')),
    "argument_missing": main(('<ps:argument name="what" expression="on_the_left"/>', "")),
    "argument_unknown": main(('<ps:argument name="what"', '<ps:argument name="why" expression="1"/><ps:argument name="what"')),
    "empty_script": before_closing('<scriptTask id="nothing"/>', "nothing", "nothing"),
    "unknown_process": main(('calledElement="part"', 'calledElement="nowhere"')),
    "no_decision": before_closing(f'<businessRuleTask id="rule" name="规" ps:name_en="R">{SAYS}</businessRuleTask>', "rule", "rule"),
    "message_from_nobody": main(('<extensionElements><ps:message role="mch_head" form="g"/></extensionElements>', "")),
    "message_unheard": main(
        ('<endEvent id="reminded"/>', '<endEvent id="reminded"><messageEventDefinition messageRef="other"/></endEvent>'),
        ('<message id="stop"', '<message id="other" name="other"/><message id="stop"'),
    ),
    # expressions
    "expression": main(('years &gt; profile.quorum and case.kind = "maternal_death"', "${years == profile.quorum}")),
    "expression_sign": main(("years &gt; profile.quorum", "=years &gt; profile.quorum")),
    "expression_missing": main(('expression="[1, 2]"', 'expression=""')),
    "unknown_name": main(("years &gt; profile.quorum", "ages &gt; profile.quorum")),
    "unknown_function": main(("years &gt; profile.quorum", "guess(years)")),
    "name_too_late": main(
        ('<ps:set variable="total" expression="0"/>', '<ps:set variable="total" expression="years"/>'),
        (flow("is_done", "ask_again"), flow("is_done", "closed").replace("flow_is_done_closed", "flow_is_done_ask_again")),
    ),
    "name_perhaps_missing": main(
        ("</process>", step("extra", inside='<ps:output variable="extra_word" expression="answers.note"/>') + "</process>"),
        ('<exclusiveGateway id="is_done"', '<exclusiveGateway id="maybe" default="flow_maybe_is_done"/><exclusiveGateway id="is_done"'),
        (flow("note", "is_done"), flow("note", "maybe") + flow("maybe", "is_done") + flow("maybe", "extra", "total = 1") + flow("extra", "is_done")),
        ("years &gt; profile.quorum", "extra_word = years"),
    ),
    "variable_name": main(('variable="done"', 'variable="the end"')),
    "variable_shadows": main(('variable="done"', 'variable="count"')),
    "unknown_answer": main(("answers.age", "answers.wisdom")),
    "identity_leaves": main(("answers.age", "answers.secret")),
    "kinds_differ": main(("years &gt; profile.quorum", 'years &gt; "10"')),
    "timer_empty": timed(""),
    "timer_text": timed("P3Days"),
    "timer_past": timed("PT0S"),
    "timer_far": timed("P900Y"),
    # several at once
    "several_of_what": main(("<loopDataInputRef>people</loopDataInputRef>", "")),
    "several_both": main(
        ("<loopDataInputRef>people</loopDataInputRef>", "<loopCardinality>2</loopCardinality><loopDataInputRef>people</loopDataInputRef>")
    ),
    "several_collection": main(("<loopDataInputRef>people</loopDataInputRef>", "<loopDataInputRef>crowd</loopDataInputRef>")),
    "several_count": main(("<loopDataInputRef>people</loopDataInputRef>", "<loopCardinality>1000000000</loopCardinality>")),
    "several_item_id": main(('<inputDataItem id="voter"', '<inputDataItem id="InputDataItem_1"')),
    "several_shadows": main(('<inputDataItem id="voter" name="voter"/>', '<inputDataItem id="total" name="total"/>')),
    "several_output_missing": main(('<ps:output variable="vote" expression="answers.note"/>', "")),
    "several_output_item": main(('<outputDataItem id="vote" name="vote"/>', "")),
    "several_output_shared": before_closing(
        step("each_again", several=SEVERAL.replace("voter", "second"), inside='<ps:output variable="vote" expression="answers.note"/>'),
        "each_again",
        "each_again",
    ),
    "several_lost": main(
        ('<ps:output variable="vote"', '<ps:output variable="mood" expression="answers.note"/><ps:output variable="vote"'),
        ('<ps:argument name="what" expression="on_the_left"/>', '<ps:argument name="what" expression="mood"/>'),
    ),
    "several_interrupted": main(
        (
            '<boundaryEvent id="part_failed"',
            '<boundaryEvent id="time_up" attachedToRef="each"><timerEventDefinition><timeDuration>P9D</timeDuration></timerEventDefinition></boundaryEvent><boundaryEvent id="part_failed"',
        ),
        (flow("each", "call_part"), flow("each", "call_part") + flow("time_up", "call_part")),
        ('<ps:argument name="what" expression="on_the_left"/>', '<ps:argument name="what" expression="votes"/>'),
    ),
    "completion_never": main(("instances_done &gt; 2", "false")),
    "completion_at_once": main(("instances_done &gt; 2", "true")),
    # forms
    "form_large": form(('"schemaVersion": 18', f'"schemaVersion": 18, "note": "{"x" * bounds.MAX_FORM}"')),
    "form_unreadable": put("forms/f.json", '{"pingshen": {}}'),
    "form_foreign": put("forms/f.json", '{"type": "default", "components": [{"type": "button", "key": "send"}]}'),
    "form_component": form(('"type": "number"', '"type": "script"')),
    "form_field_name": form(('"key": "age"', '"key": "ageOfMother"')),
    "form_key": form(('"id": "f"', '"id": "form_of_ours"')),
    "form_audience": form(('"audience": "case"', '"audience": "everybody"')),
    "form_expression": form(("age < 14", "age <")),
    "form_name": form(("age < 14", "ages < 14")),
    "form_function": form(("age < 14", "guess(age)")),
    "form_other_form": form(("known.g.agree", "known.h.agree")),
    "form_other_field": form(("known.g.agree", "known.g.agreed")),
    "form_rule_field": form(('"field": "age", "when": "age < 14"', '"field": "ages", "when": "age < 14"')),
    "form_rule_level": form(('"level": "warning"', '"level": "perhaps"')),
    "form_rule_twice": form(('"id": "old"', '"id": "young"')),
    "form_answer": form(('"tells": "place"', '"tells": "places"')),
    "form_list": form(("CS-PLACE", "CS-NOWHERE")),
    "form_no_options": form((' "valuesKey": "CS-PLACE",', "")),
    "form_option_twice": form(('"value": "b"', '"value": "a"')),
    "form_pattern": form(("[0-9]{11}", "[0-9{11}")),
    "form_identity": form(('"id": "I"', '"id": "Z"')),
    "form_check": form(("no_subject", "no_nonsense")),
    "form_bounds": form(('"min": 10', '"min": 90')),
    "form_kinds": form(("age < 14", "seen_on < now()")),
    "form_property": form(('{"en": "Age"}', '{"en": "Age", "colour": "red"}')),
    "form_english": form(('{"en": "Age"}', "{}")),
    "form_source": form(('"source": "§1", ', "")),
    "form_empty": lambda files: put("forms/g.json", OTHER.replace('"textfield"', '"text"').replace('"key": "agree", ', ""))(files),
    "form_unused": put("forms/h.json", OTHER.replace('"id": "g"', '"id": "h"')),
}
# What cannot be told of the fit procedure by changing it: an inner failure, said so that the check fails closed.
INNER = {"check_failed"}


@dataclass(frozen=True)
class Found:
    """The complaints of one changed procedure."""

    files: dict[str, bytes]
    complaints: list[Complaint]

    def of(self, code: str) -> list[Complaint]:
        """Return those of a rule."""
        return [complaint for complaint in self.complaints if complaint.code == code]


def broken(code: str) -> Found:
    """Break a rule."""
    files = dict(FIT)
    CASES[code](files)
    return Found(files, judged(files))


def test_the_fit_procedure_has_nothing_to_complain_of() -> None:
    assert [str(complaint) for complaint in judged(FIT)] == []


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert set(rules.RULES) - INNER - set(CASES) == set()
    assert set(CASES) - set(rules.RULES) == set()
    sources = "".join(path.read_text() for path in Path(checking.__file__).parent.glob("*.py"))
    unused = {code for code in rules.RULES if sources.count(f'"{code}"') < 2}
    assert unused == set(), "rules that nothing breaks"


@pytest.mark.parametrize("code", CASES)
def test_a_rule_is_told_where_it_is_broken(code: str) -> None:
    found = broken(code)
    told = found.of(code)
    assert told, sorted({complaint.code for complaint in found.complaints})
    assert not [complaint for complaint in found.complaints if complaint.code == "check_failed"]
    for complaint in told:
        assert complaint.sentence % complaint.fields
        assert complaint.mend, "tells a way to mend it"
        assert complaint.mend % complaint.fields
        assert complaint.level == rules.RULES[code].level
        assert complaint.file in found.files or code in ("manifest", "too_many_files", "too_many_complaints", "unchecked", "too_many_elements_in_all")


@pytest.mark.parametrize("code", CASES)
def test_what_a_machine_can_mend_is_mended(code: str) -> None:
    found = broken(code)
    fixes = [complaint for complaint in found.of(code) if complaint.fix is not None]
    before = len(found.of(code))
    for complaint in fixes[:1]:
        fix = dict(complaint.fix or {})
        assert fix["kind"] in set(mending.kinds())
        if "choices" in fix:
            with pytest.raises(mending.NotMended):
                mending.mend(found.files, fix)
            fix["choice"] = fix["choices"][0]
        changed = mending.mend(found.files, fix)
        assert changed, "something was mended"
        left = [complaint for complaint in judged({**found.files, **changed}) if complaint.code == code]
        assert len(left) < before or code == "duplicate_id"


FIXED = {
    "always_true", "cuts_off", "completion_at_once", "completion_never", "condition_ignored", "data_unsupported", "dead_end", "default_ignored",
    "dangling_flow", "duplicate_id", "expression", "expression_sign", "foreign_setting", "form_audience", "form_key", "id_in_two_files", "id_long",
    "id_style", "join_waits_for_ever", "lane_names_nothing", "main_missing", "may_lack_final_state", "message_flow", "no_condition", "no_default",
    "no_final_state", "no_form", "not_executable", "reserved_id", "resources", "runs_twice", "script", "several_both", "several_flows",
    "several_item_id", "standard_loop", "unknown_default", "unknown_form", "unknown_role", "unknown_state", "unreachable", "unsupported",
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(FIXED))
def test_a_mend_by_machine_is_offered(code: str) -> None:
    assert any(complaint.fix is not None for complaint in broken(code).of(code))


def test_everything_is_told_at_once_however_broken_the_rest_is() -> None:
    files = dict(FIT)
    for code in ("not_executable", "unknown_limit", "kinds_differ", "form_name", "join_waits_for_ever"):
        CASES[code](files)
    files["other.bpmn"] = b"<"
    codes = {complaint.code for complaint in judged(files)}
    assert {"not_executable", "unknown_limit", "kinds_differ", "form_name", "join_waits_for_ever", "not_xml"} <= codes


def test_a_warning_refuses_nothing_and_an_error_does() -> None:
    warned = [
        code
        for code, rule in rules.RULES.items()
        if rule.level == "warning" and code in CASES and code not in ("too_many_complaints", "process_unused")
    ]
    assert len(warned) > 20
    assert not [complaint for complaint in broken("no_source").complaints if complaint.level == "error"]
    assert [complaint.level for complaint in broken("unknown_limit").of("unknown_limit")] == ["error"]


@pytest.mark.parametrize("key", procedures.shipped())
def test_what_is_shipped_gives_no_cause_for_complaint(key: str) -> None:
    assert [str(complaint) for complaint in procedures.check(procedures.shipped_files(key))] == []


def test_each_thing_that_a_form_from_elsewhere_has_and_ours_have_not_is_named() -> None:
    foreign = """{"type": "default", "id": "f", "components": [
      {"type": "textfield", "key": "invoiceNumber", "label": "Number"}, {"type": "image", "alt": "=a"}, {"type": "number", "key": "age"}, 7,
      {"type": "group", "components": [{"type": "iframe", "label": "Map", "url": "https://elsewhere.example"}, {"type": "checkbox"}]},
      {"type": "button", "key": "submit", "label": "Send"}]}"""
    found = judged({**FIT, "forms/f.json": foreign.encode()})
    told = [(complaint.code, *complaint.fields.values()) for complaint in found if complaint.file == "forms/f.json"]
    assert told == [
        ("form_foreign",),
        ("form_field_name", "invoiceNumber"),
        ("form_component", "image", "image"),
        ("form_component", "Map", "iframe"),
        ("form_field_name", "checkbox"),
        ("form_component", "Send", "button"),
    ]
