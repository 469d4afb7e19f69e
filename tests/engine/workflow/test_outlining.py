"""Diagrams in words: all of the picture is told, edits keep ids and bytes, and what they draw looks drawn by hand."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from engine import blanks, procedures
from engine.workflow import outline_edits as edits
from engine.workflow import outlining, reading
from engine.workflow.markup import Markup
from engine.workflow.outline_edits import Branch, Edited, EditRefused, New, Spot
from engine.workflow.reading import BPMN, FLOW_NODES, UnreadableDiagram
from tests.bpmn import test_looks as looks

FOLDER = Path(__file__).resolve().parents[3] / "bpmn"
DIAGRAMS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.bpmn") if path.name != "blank.bpmn")
EVERY_DIAGRAM = pytest.mark.parametrize("file", DIAGRAMS)
CROSSINGS = 10  # a step put into another lane far away cannot but cross


def shipped(file: str) -> bytes:
    return (FOLDER / file).read_bytes()


def missing(content: bytes) -> tuple[Counter[str], Counter[str]]:
    """Return the elements and flows of processes that the outline tells too rarely or too often."""
    outline = outlining.read(content)
    inside = [node for process in reading.xml(content).iter(f"{{{BPMN}}}process") for node in process.iter(etree.Element)]
    names = {f"{{{BPMN}}}{kind}" for kind in FLOW_NODES}
    nodes = Counter(node.get("id", "") for node in inside if node.tag in names)
    flows = Counter(node.get("id", "") for node in inside if node.tag == f"{{{BPMN}}}sequenceFlow")
    nodes.subtract(step.id for step in outline.steps())
    flows.subtract(way.flow for _step, way in outline.ways())
    return Counter({key: n for key, n in nodes.items() if n}), Counter({key: n for key, n in flows.items() if n})


def faults(content: bytes, tmp_path: Path) -> list[str]:
    """Return what the rules for shipped pictures say of a diagram; crossings apart, of which some are allowed."""
    path = tmp_path / "edited.bpmn"
    path.write_bytes(content)
    looks.drawing.cache_clear()
    found = []
    for name, rule in vars(looks).items():
        if not name.startswith("test_") or name in ("test_flows_hardly_cross", "test_the_course_goes_to_the_right"):
            continue
        try:
            rule(str(path))
        except AssertionError as error:
            found.append(f"{name}: {str(error).splitlines()[0]}")
    looks.drawing.cache_clear()
    return found


def simple(*edit: Any) -> bytes:
    """Return a blank diagram (begin, end) after some edits; each takes the text and returns an edit."""
    content = blanks.diagram("small", "小流程", "Small")
    for each in edit:
        content = each(content).content
    return content


def told(content: bytes) -> list[str]:
    """Return the outline as lines: number, id, and where its ways lead."""
    lines = []
    for step in outlining.read(content).steps():
        ways = [f"{way.letter}{'→' if way.leads != 'next' or way.letter else ''}{way.to if way.leads != 'branch' else '…'}" for way in step.ways]
        lines.append(" ".join([step.number, step.id, *(way for way in ways if "→" in way)]))
    return lines


# ── reading ──


@EVERY_DIAGRAM
def test_every_element_and_flow_is_told_once(file: str) -> None:
    assert missing(shipped(file)) == (Counter(), Counter())


@EVERY_DIAGRAM
def test_numbers_are_unique_and_every_way_names_the_number_it_leads_to(file: str) -> None:
    outline = outlining.read(shipped(file))
    numbers = {step.id: step.number for step in outline.steps()}
    assert len(set(numbers.values())) == len(numbers)
    for step, way in outline.ways():
        assert way.to == numbers[way.target], (step.id, way.flow)


def test_a_decision_holds_its_branches_and_goes_on_below() -> None:
    content = simple(
        lambda text: edits.add_decision(
            text,
            Spot(after="small_begins"),
            "要讨论？",
            "Discuss",
            [Branch("要", "yes", "kind = 1", leads="step", step=New(name="讨论", name_en="Talk")), Branch("不要", "no", is_default=True)],
        ),
        lambda text: edits.add_deadline(text, "talk", "opinion", "", New(name="催办", name_en="Chase")),
    )
    assert told(content) == [
        "1 small_begins",
        "2 discuss a→3 b→…",
        "2b.1 talk →3",
        "2b.1a talk_overdue →…",
        "2b.1a.1 chase",
        "2b.1a.2 chase_done",
        "3 discuss_joined",
        "4 small_ends",
    ]
    outline = outlining.read(content)
    overdue = outline.find("talk_overdue")
    assert overdue is not None
    assert (overdue.values["timer"], overdue.values["interrupts"]) == ('due("opinion", now())', False)
    assert [(way.name, way.condition, way.is_default) for way in outline.find("discuss").ways] == [("不要", "", True), ("要", "kind = 1", False)]  # type: ignore[union-attr]


def test_loops_lead_back_and_what_nothing_reaches_is_told_last() -> None:
    content = simple(
        lambda text: edits.add_step(text, Spot(after="small_begins"), New(name="一", name_en="One")),
        lambda text: edits.add_decision(
            text, Spot(after="one"), "对吗？", "Right", [Branch("对", is_default=True), Branch("不对", condition="kind = 1", leads="one")]
        ),
    )
    assert told(content)[1:3] == ["2 one", "3 right a→4 b→2"]
    way = outlining.read(content).find("right").ways[1]  # type: ignore[union-attr]
    assert (way.leads, way.to) == ("back", "2")
    loose = content.replace(b'targetRef="one"', b'targetRef="right"', 1)
    assert [step.id for step in outlining.read(loose).parts[0].loose] == ["one"] or missing(loose) == (Counter(), Counter())


@st.composite
def graphs(draw: Any) -> bytes:
    """Any diagram at all: nodes of any kind, flows from anywhere to anywhere, events on anything, parts in parts."""
    kinds = st.sampled_from(("startEvent", "endEvent", "userTask", "exclusiveGateway", "parallelGateway", "inclusiveGateway", "subProcess"))
    count = draw(st.integers(0, 12))
    names = [f"n{place}" for place in range(count)]
    nodes = [(name, draw(kinds)) for name in names]
    flows = draw(st.lists(st.tuples(st.sampled_from([*names, "nowhere"]), st.sampled_from([*names, "nowhere"])), max_size=20)) if names else []
    events = draw(st.lists(st.sampled_from(names), max_size=3)) if names else []
    body = "".join(f'<b:{kind} id="{name}"/>' for name, kind in nodes)
    body += "".join(f'<b:boundaryEvent id="e{place}" attachedToRef="{host}"/>' for place, host in enumerate(events))
    ends = [*flows, *((f"e{place}", draw(st.sampled_from(names))) for place in range(len(events)))]
    body += "".join(f'<b:sequenceFlow id="f{place}" sourceRef="{a}" targetRef="{b}"/>' for place, (a, b) in enumerate(ends))
    return f'<b:definitions xmlns:b="{BPMN}"><b:process id="p">{body}</b:process></b:definitions>'.encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_any_graph_is_told_whole(content: bytes) -> None:
    nodes, flows = missing(content)
    root = reading.xml(content)
    stray = {flow.get("id") for flow in root.iter(f"{{{BPMN}}}sequenceFlow") if flow.get("sourceRef") == "nowhere"}
    assert not nodes
    assert set(flows) <= stray  # where there is no step at all, nothing can hold a flow


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xml",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b"<x/>",
        f'<b:definitions xmlns:b="{BPMN}"><b:process>{"<b:subProcess>" * 60}{"</b:subProcess>" * 60}</b:process></b:definitions>'.encode(),
        (
            f'<b:definitions xmlns:b="{BPMN}"><b:process>' + "".join(f'<b:userTask id="t{n}"/>' for n in range(3000)) + "</b:process></b:definitions>"
        ).encode(),
    ],
    ids=["empty", "no xml", "doctype", "no bpmn", "deep", "many"],
)
def test_hostile_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadableDiagram):
        outlining.read(content)


# ── bytes ──


@EVERY_DIAGRAM
def test_what_is_not_edited_keeps_every_byte(file: str) -> None:
    content = shipped(file)
    assert Markup(content).to_bytes() == content
    task = next(step for step in outlining.read(content).steps() if step.kind == "userTask" or step.kind == "callActivity")
    edited = edits.set_values(content, task.id, {"documentation": "改过的说明 <&> \"'"}).content
    before, after = content.decode().splitlines(), edited.decode().splitlines()
    changed = [line for line in after if line not in before]
    assert len(changed) == 1
    assert "改过的说明 &lt;&amp;&gt;" in changed[0]
    assert edits.set_values(content, task.id, dict(task.values)).content == content, "values as they are change nothing"


def test_comments_instructions_and_foreign_extensions_survive() -> None:
    content = shipped("shared/sign_off.bpmn").replace(
        b"<bpmn:laneSet",
        b'<!-- drawn <by> hand --><?keep this="too"?>\n    <bpmn:extensionElements><x:y xmlns:x="urn:x" a="1">t</x:y></bpmn:extensionElements><bpmn:laneSet',
        1,
    )
    edited = edits.add_step(content, Spot(after="who_signs"), New(name="通知", name_en="Tell")).content
    for kept in (b"<!-- drawn <by> hand -->", b'<?keep this="too"?>', b'<x:y xmlns:x="urn:x" a="1">t</x:y>'):
        assert kept in edited


def test_a_diagram_with_another_prefix_keeps_it_and_gets_ours_once() -> None:
    content = (
        f'<definitions xmlns="{BPMN}" id="d"><process id="p" isExecutable="true"><startEvent id="a"/><endEvent id="b"/>'
        '<sequenceFlow id="f" sourceRef="a" targetRef="b"/></process></definitions>'
    ).encode()
    edited = edits.add_step(content, Spot(flow="f"), New(name="步", name_en="Step one", values={"form": "x"})).content
    assert edited.count(b'xmlns:ps="urn:pingshen:bpmn"') == 1
    assert b'<userTask id="step_one" name="\xe6\xad\xa5" ps:name_en="Step one">' in edited
    assert b"ns0" not in edited


# ── editing ──


def any_edit(content: bytes, luck: random.Random) -> tuple[str, Edited] | None:
    """Do something at some place of a diagram; None where it is refused."""
    outline = outlining.read(content)
    steps, ways = list(outline.steps()), [way for _step, way in outline.ways()]
    lanes = [lane.id for part in outline.parts for lane in part.lanes]
    step, way, lane = luck.choice(steps), luck.choice(ways), luck.choice(lanes)
    new = New(
        name=luck.choice(("院内讨论", "核对", "由医疗机构组织院内讨论")), name_en=luck.choice(("Discuss", "Check", "")), lane=luck.choice(("", lane))
    )
    end, stay = Branch("结束", condition="false", leads="end"), Branch("接着", is_default=True)
    acts: dict[str, Any] = {
        "step": lambda: edits.add_step(content, Spot(flow=way.flow), new),
        "before": lambda: edits.add_step(content, Spot(before=step.id), new),
        "decision": lambda: edits.add_decision(
            content, Spot(flow=way.flow), "怎样？", "How", [stay, luck.choice((end, Branch("办", leads="step", step=new)))]
        ),
        "parallel": lambda: edits.add_parallel(content, Spot(flow=way.flow), [new, New(name="另一步", lane=lane)]),
        "beside": lambda: edits.add_beside(content, step.id, new),
        "branch": lambda: edits.add_branch(content, step.id, Branch("另行", condition="true", leads="step", step=new)),
        "deadline": lambda: edits.add_deadline(content, step.id, luck.choice(("opinion", 72)), "case.event_at", new),
        "remove": lambda: edits.remove(content, step.id),
        "move": lambda: edits.move(content, step.id, way.flow),
        "lane": lambda: edits.set_values(content, step.id, {"lane": lane}),
        "rename": lambda: edits.set_values(content, step.id, {"name": "改了的名称"}),
        "add lane": lambda: edits.add_lane(content, "investigator", "调查员"),
        "remove lane": lambda: edits.remove_lane(content, lane),
        "lead": lambda: edits.lead_to(content, way.flow, step.id),
        "cut": lambda: edits.cut_branch(content, way.flow),
    }
    name = luck.choice(list(acts))
    try:
        return name, acts[name]()
    except EditRefused:
        return None


@EVERY_DIAGRAM
def test_edits_look_drawn_by_hand(file: str, tmp_path: Path) -> None:
    content, luck, done = shipped(file), random.Random(file), 0
    while done < 5:
        found = any_edit(content, luck)
        if found is None or found[0] == "lead":  # where a person leads a flow to is not for us to make pretty
            continue
        name, edited = found
        assert missing(edited.content) == (Counter(), Counter()), name
        assert faults(edited.content, tmp_path) == [], name
        done += 1


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_of_edits_keeps_the_diagram_whole(seed: int, tmp_path: Path) -> None:
    luck = random.Random(seed)
    file = DIAGRAMS[seed * 2 % len(DIAGRAMS)]
    content, there = shipped(file), {step.id for step in outlining.read(shipped(file)).steps()}
    done: list[str] = []
    while len(done) < 12:
        found = any_edit(content, luck)
        if found is None:
            continue
        name, edited = found
        done.append(name)
        content = edited.content
        assert missing(content) == (Counter(), Counter()), done
        etree.fromstring(content)
        path = tmp_path / "walk.bpmn"
        path.write_bytes(content)
        looks.drawing.cache_clear()
        looks.test_every_element_is_drawn_once(str(path))
    looks.drawing.cache_clear()
    kept = {step.id for step in outlining.read(content).steps()} & there
    assert kept, "an id never changes by itself"
    files = {**procedures.shipped_files("maternal_death"), file.removeprefix("maternal_death/"): content}
    procedures.check(files)  # says what is wrong, and does not fall


def test_removing_what_was_added_leaves_the_outline_as_it_was() -> None:
    content = shipped("shared/report.bpmn")
    before = told(content)
    step = edits.add_step(content, Spot(after="verify_report"), New(name="讨论", name_en="Talk"))
    assert told(edits.remove(step.content, step.element).content) == before
    branches = [Branch("要", condition="kind = 1", leads="step", step=New(name="讨论")), Branch("不要", is_default=True)]
    decision = edits.add_decision(content, Spot(after="verify_report"), "要讨论？", "Talk", branches)
    assert told(edits.remove(decision.content, decision.element).content) == before
    late = edits.add_deadline(content, "verify_report", "verification", "", New(name="催办"))
    assert told(edits.remove(late.content, late.element).content) == before


def test_a_step_moves_along_its_flow_and_back() -> None:
    content = shipped("shared/upper_level.bpmn")
    up, down = edits.movable(content)["give_feedback"]
    assert (bool(up), down) == (True, "")
    moved = edits.move(content, "give_feedback", up).content
    assert told(moved)[1:3] == ["2 give_feedback", "3 report_upper"]
    _up, down = edits.movable(moved)["give_feedback"]
    assert told(edits.move(moved, "give_feedback", down).content) == told(content)


def test_ids_are_words_of_the_english_name_and_unique_in_the_procedure() -> None:
    content = shipped("shared/sign_off.bpmn")
    taken = outlining.identifiers({"a.bpmn": shipped("shared/report.bpmn"), "b.bpmn": b"broken"})
    edited = edits.add_step(content, Spot(after="who_signs"), New(name="核实", name_en="Verify report!"), taken)
    assert edited.element == "verify_report_2"
    assert edits.add_step(content, Spot(after="who_signs"), New(name="核实"), taken).element == "step"


VALUES: dict[str, dict[str, Any]] = {
    "sign_as_chair": {
        "name": "组长签",
        "name_en": "Chair signs",
        "form": "closing",
        "organisation": "upper",
        "limit": "opinion",
        "from": "now()",
        "due": 'now() + duration("P1D")',
        "person": "chair",
        "exclude": "deputy",
        "item": "x",
        "task_role": '"secretary"',
        "shows": "sign_off",
        "fresh": "true",
        "outputs": [("a", "answers.a"), ("b", "1 < 2")],
        "arms": [("opinion", "now()"), ("verification", "")],
        "meets": ["opinion"],
        "state": "signed",
        "phase": "P9",
        "role": "secretary",
        "documentation": "一行\n两行",
        "documentation_en": "One",
        "collection": "panel",
        "item_name": "each_one",
        "results": "all_of_it",
        "result_name": "one_result",
        "completion": "count(results) > 2",
        "in_turn": True,
    },
    "who_signs": {"sets": [("signers", "[]"), ("n", "1")]},
}


@pytest.mark.parametrize("element", VALUES)
def test_every_value_is_written_and_read_back_and_taken_away(element: str) -> None:
    content = shipped("shared/sign_off.bpmn")
    edited = edits.set_values(content, element, VALUES[element]).content
    step = outlining.read(edited).find(element)
    assert step is not None
    assert {key: step.values.get(key) for key in VALUES[element]} == VALUES[element]
    etree.fromstring(edited)
    empty = {key: [] if isinstance(value, list) else "" for key, value in VALUES[element].items() if key not in ("name", "sets", "in_turn")}
    bare = outlining.read(edits.set_values(edited, element, empty).content).find(element)
    assert bare is not None
    assert not set(bare.values) & set(empty)


def test_services_decisions_calls_timers_and_messages_can_be_set() -> None:
    content = shipped("shared/report.bpmn")
    service = {"service": "tell", "arguments": [("whom", '"owner.qc_officer"'), ("what", '"late"')]}
    assert outlining.read(edits.set_values(content, "transfer", service).content).find("transfer").values["arguments"] == service["arguments"]  # type: ignore[union-attr]
    ruled = edits.change_kind(content, "transfer", "businessRuleTask").content
    rule = {"table": "scope", "decision": "scope", "result": "verdict", "inputs": [("kind", "kind")]}
    step = outlining.read(edits.set_values(ruled, "transfer", rule).content).find("transfer")
    assert step is not None
    assert {**rule, "kind": step.kind} == {**{key: step.values[key] for key in rule}, "kind": "businessRuleTask"}
    timer = edits.set_values(content, "report_overdue", {"timer_kind": "timeDuration", "timer": "PT72H", "interrupts": True}).content
    late = outlining.read(timer).find("report_overdue")
    assert late is not None
    assert (late.values["timer_kind"], late.values["timer"], late.values["interrupts"]) == ("timeDuration", "PT72H", True)
    sent = edits.set_values(shipped("maternal_death/maternal_death.bpmn"), "reopened", {"message": "other", "message_role": "secretary"}).content
    step = outlining.read(sent).find("reopened")
    assert step is not None
    assert (step.values["message"], step.values["message_role"]) == ("other", "secretary")


def test_a_branch_becomes_the_one_for_all_other_cases() -> None:
    content = shipped("shared/sign_off.bpmn")
    decided = edits.add_decision(
        content, Spot(after="who_signs"), "怎样？", "How", [Branch("甲", condition="1 = 1"), Branch("乙", is_default=True, leads="end")]
    )
    ways = {way.name: way for way in outlining.read(decided.content).find(decided.element).ways}  # type: ignore[union-attr]
    turned = edits.set_values(decided.content, ways["甲"].flow, {"is_default": True}).content
    turned = edits.set_values(turned, ways["乙"].flow, {"condition": "1 = 2"}).content
    after = {way.name: (way.is_default, way.condition) for way in outlining.read(turned).find(decided.element).ways}  # type: ignore[union-attr]
    assert after == {"甲": (True, ""), "乙": (False, "1 = 2")}


@pytest.mark.parametrize(
    "act",
    [
        lambda text: edits.remove(text, "report_due"),
        lambda text: edits.add_step(text, Spot(after="what_verdict"), New(name="x")),
        lambda text: edits.add_step(text, Spot(after="verified"), New(name="x")),
        lambda text: edits.add_step(text, Spot(after="nobody"), New(name="x")),
        lambda text: edits.add_step(text, Spot(after="verify_report"), New(name=" ")),
        lambda text: edits.add_step(text, Spot(after="verify_report"), New(kind="startEvent", name="x")),
        lambda text: edits.add_decision(text, Spot(after="verify_report"), "x", "", [Branch("a", leads="end"), Branch("b", leads="end")]),
        lambda text: edits.lead_to(text, "flow_report_due_ask_for_both", "report_due"),
        lambda text: edits.move(text, "what_verdict", "flow_report_due_ask_for_both"),
        lambda text: edits.set_values(text, "verify_report", {"name": "x" * 5000}),
        lambda text: edits.set_values(text, "verify_report", {"nonsense": "x"}),
        lambda text: edits.change_kind(text, "verify_report", "exclusiveGateway"),
        lambda text: edits.remove_lane(text, "qc_officer"),
        lambda text: edits.add_deadline(text, "what_verdict", "opinion", "", New(name="x")),
        lambda text: edits.add_deadline(text, "verify_report", "", "", New(name="x")),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(act: Any) -> None:
    with pytest.raises(EditRefused) as refused:
        act(shipped("shared/report.bpmn"))
    assert refused.value.sentence.endswith("。")


def test_control_characters_do_not_get_into_a_diagram() -> None:
    edited = edits.set_values(shipped("shared/report.bpmn"), "verify_report", {"documentation": "a\x00\x0b\ud800b"}).content
    assert outlining.read(edited).find("verify_report").values["documentation"] == "ab"  # type: ignore[union-attr]


def test_a_discussion_within_72_hours_with_an_escalation_is_fit_to_deploy() -> None:
    files = procedures.shipped_files("maternal_death")
    taken = outlining.identifiers({path: content for path, content in files.items() if path != "maternal_death.bpmn"})
    new = New(
        name="多学科讨论",
        name_en="Joint discussion",
        lane="facility_reporter",
        values={
            "form": "facility_discussion",
            "organisation": "facility",
            "limit": "facility_discussion",
            "from": "case.event_at",
            "documentation": "来源：四川规定。",
        },
    )
    step = edits.add_step(files["maternal_death.bpmn"], Spot(after="tell_township"), new, taken)
    chase = New(
        name="催办讨论", name_en="Chase it", lane="qc_officer", values={"form": "chase", "organisation": "owner", "documentation": "来源：四川规定。"}
    )
    late = edits.add_deadline(step.content, step.element, "facility_discussion", "case.event_at", chase, taken=taken)
    assert [str(entry) for entry in procedures.check({**files, "maternal_death.bpmn": late.content}) if entry.level == "error"] == []


FOREIGN = sorted(path for path in (Path(__file__).parent / "foreign").rglob("*.bpmn"))


def test_diagrams_of_others_are_told_and_edited_without_a_fall() -> None:
    """Whatever another tool drew is told whole, and an edit either works or is refused in a sentence."""
    assert FOREIGN
    for path in FOREIGN:
        content, luck = path.read_bytes(), random.Random(path.name)
        try:
            outline = outlining.read(content, path.name)
        except UnreadableDiagram:
            continue
        nodes, flows = missing(content)
        stray = {way.flow for _step, way in outline.ways()}
        assert not nodes, path.name
        assert not {flow for flow, count in flows.items() if count < 0}, (path.name, stray)
        ways = [way for _step, way in outline.ways()]
        for _ in range(3):
            if not ways:
                break
            try:
                edited = edits.add_step(content, Spot(flow=luck.choice(ways).flow), New(name="新的一步", name_en="New"))
                reading.xml(edited.content)
                assert outlining.read(edited.content).find("new") is not None, path.name
                edits.remove(edited.content, "new")
                edits.movable(content)
            except EditRefused:
                continue


def test_a_diagram_larger_than_may_be_deployed_is_read_but_not_edited() -> None:
    tasks = "".join(f'<b:userTask id="t{n}"/><b:sequenceFlow id="f{n}" sourceRef="t{n}" targetRef="t{n + 1}"/>' for n in range(450))
    content = f'<b:definitions xmlns:b="{BPMN}"><b:process id="p">{tasks}<b:endEvent id="t450"/></b:process></b:definitions>'.encode()
    assert len(list(outlining.read(content).steps())) == 451
    assert edits.movable(content) == {}
    with pytest.raises(EditRefused):
        edits.add_step(content, Spot(flow="f3"), New(name="x"))
