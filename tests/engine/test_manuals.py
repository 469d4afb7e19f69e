"""Manuals and drawings: everything a procedure says is in the document, as text and nothing else."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from engine import drawings, manuals, procedures, profiles
from engine.limits import Limit
from engine.procedures import Deployed
from engine.profiles import Values

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<b>#import "x"; $x$ &amp; *粗* \\u{7} javascript:alert(1)'


def lexicon(is_english: bool = False) -> manuals.Lexicon:
    def same(text: str) -> str:
        return text

    def amount(limit: Limit) -> str:
        return f"{limit.value}{limit.unit}"

    return manuals.Lexicon(is_english, same, same, same, same, same, amount, same)


def areas() -> list[manuals.Area]:
    return [manuals.Area(content["name"], content["name_en"], Values(content)) for content in profiles.shipped().values()]


def deployed(key: str = "maternal_death", **replaced: bytes) -> Deployed:
    return procedures.ready(UUID(int=0), {**procedures.shipped_files(key), **replaced})


@pytest.mark.parametrize("key", procedures.shipped())
@pytest.mark.parametrize("is_english", [False, True])
def test_everything_is_told(key: str, is_english: bool) -> None:
    found = deployed(key)
    told = manuals.content(found, lexicon(is_english), areas())
    steps = {step["id"]: step for part in told["parts"] for step in part["steps"]}
    people = [element for element in found.specification.elements.values() if element.plan]
    assert {element.id for element in people} <= set(steps)
    for element in people:
        labels = dict(steps[element.id]["rows"])
        assert {"role", "organisation", "form"} <= set(labels)
        assert element.plan is not None
        if element.plan.limit and any(element.plan.limit in area.values.content["limits"] for area in areas()):
            assert labels["deadline"]
        if element.outputs:
            assert {variable for variable, _ in element.outputs} <= set(labels["writes"][0].split(", "))
    assert {form["key"] for form in told["forms"]} == set(found.forms)
    assert [part["number"] for part in told["parts"]] == [str(number + 1) for number in range(len(found.specification.processes))]
    assert told["parts"][0]["strips"]


def test_the_limit_of_each_area_and_its_rule_are_told() -> None:
    told = manuals.content(deployed(), lexicon(), areas())
    step = next(step for part in told["parts"] for step in part["steps"] if step["id"] == "hold_discussion")
    rows = dict(step["rows"])
    assert "72h" in " ".join(rows["deadline"])
    assert rows["rule"] == ["死亡后 72 小时内由相关科室参加院内死亡讨论。"]
    clocks = {clock["name"]: clock for clock in told["clocks"]}
    assert len(clocks["院内讨论"]["values"]) == len(areas())


# ── drawings ──


def texts(svg: str) -> str:
    return "".join(str(text) for text in etree.fromstring(svg.encode()).itertext())


@pytest.mark.parametrize("key", procedures.shipped())
def test_every_shape_and_name_of_a_diagram_is_drawn(key: str) -> None:
    for path, content in procedures.shipped_files(key).items():
        if not path.endswith(".bpmn"):
            continue
        drawing = drawings.read(content)
        root = etree.fromstring(content)
        assert len(drawing.shapes) == len(list(root.iter(f"{{{drawings.DI}}}BPMNShape")))
        assert len(drawing.edges) == len(list(root.iter(f"{{{drawings.DI}}}BPMNEdge")))
        drawn = texts(drawing.whole().svg)
        for shape in drawing.shapes:
            assert shape.name.replace(" ", "")[:3] in drawn.replace(" ", "")


def test_a_wide_diagram_is_cut_where_no_step_stands() -> None:
    drawing = drawings.read(procedures.shipped_files("maternal_death")["maternal_death.bpmn"])
    pieces = drawing.strips(1400)
    assert len(pieces) == 2
    windows = []
    for piece in pieces:
        inner = etree.fromstring(piece.svg.encode()).find(f".//{SVG}svg")
        assert inner is not None
        x, _y, width, _height = map(float, (inner.get("viewBox") or "").split())
        windows.append((x, x + width))
    assert windows[0][1] == windows[1][0]
    cut = windows[0][1]
    tasks = [shape.box for shape in drawing.shapes if shape.kind in ("userTask", "callActivity", "serviceTask")]
    assert not [box for box in tasks if box.x < cut < box.x + box.width]
    assert all("妇幼保健机构" in texts(piece.svg) for piece in pieces)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("院内死亡讨论", 200, ["院内死亡讨论"]),
        ("院内死亡讨论", 40, ["院内死", "亡讨论"]),
        ("Hold the discussion", 70, ["Hold the", "discussion"]),
        ("", 50, []),
    ],
)
def test_names_are_broken_into_lines(text: str, width: float, lines: list[str]) -> None:
    assert drawings.wrapped(text, width) == lines


def hostile(**places: Any) -> bytes:
    content = procedures.shipped_files("maternal_death")["shared/sign_off.bpmn"].decode()
    name = HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    content = content.replace('name="签署结论"', f'name="{name}"')
    for old, new in places.items():
        content = content.replace(f'{old}="', f'{old}="{new}', 1)
    return content.encode()


def test_hostile_names_and_numbers_stay_text_and_within_bounds() -> None:
    drawing = drawings.read(hostile())
    root = etree.fromstring(drawing.whole().svg.encode())
    assert {etree.QName(node).localname for node in root.iter()} <= {"svg", "g", "rect", "path", "circle", "text"}
    assert not [value for node in root.iter() for name, value in node.attrib.items() if "href" in name or name.startswith("on")]
    for number in ("nan", "1e308", "-1e308", "inf", "x", ""):
        content = procedures.shipped_files("maternal_death")["shared/sign_off.bpmn"].decode().replace('x="', f'x="{number}" y0="', 1)
        picture = drawings.read(content.encode()).whole()
        assert picture.width < 200_000
        etree.fromstring(picture.svg.encode())


def test_a_huge_diagram_takes_no_longer_than_a_moment() -> None:
    content = procedures.shipped_files("maternal_death")["shared/sign_off.bpmn"].decode()
    shape = '<bpmndi:BPMNShape id="s{0}" bpmnElement="sign_conclusion"><dc:Bounds x="{0}" y="9" width="120" height="80" /></bpmndi:BPMNShape>'
    many = "".join(shape.format(number) for number in range(9000))
    content = content.replace("</bpmndi:BPMNPlane>", many + "</bpmndi:BPMNPlane>")
    began = time.perf_counter()
    pieces = drawings.read(content.encode()).strips(1400)
    assert time.perf_counter() - began < 3
    assert len(pieces) <= 12


def test_decision_tables_are_told_cell_by_cell() -> None:
    table = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"><decision id="d" name="\xe8\x8c\x83\xe5\x9b\xb4">
    <decisionTable hitPolicy="COLLECT" aggregation="SUM"><input label="kind"><inputExpression><text>kind</text></inputExpression></input>
    <output name="points"/><rule><inputEntry><text>"a"</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>
    <rule><inputEntry><text></text></inputEntry><outputEntry><text>2</text></outputEntry></rule></decisionTable></decision></definitions>"""
    assert list(manuals.decision_tables(table)) == [
        {"name": "范围", "hit": "COLLECT SUM", "inputs": ["kind"], "outputs": ["points"], "rows": [['"a"', "1"], ["-", "2"]]}
    ]
    assert list(manuals.decision_tables(b"not xml")) == []


def test_a_group_is_called_as_its_category_says() -> None:
    text = b"""<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI"
      xmlns:dc="http://www.omg.org/spec/DD/20100524/DC"><category id="c"><categoryValue id="v" value="Ward rounds"/></category>
      <process id="p"><group id="g" categoryValueRef="v"/></process><di:BPMNDiagram><di:BPMNPlane bpmnElement="p">
      <di:BPMNShape bpmnElement="g"><dc:Bounds x="10" y="10" width="180" height="150"/></di:BPMNShape></di:BPMNPlane></di:BPMNDiagram></definitions>"""
    assert "Ward rounds" in texts(drawings.read(text).whole().svg)
