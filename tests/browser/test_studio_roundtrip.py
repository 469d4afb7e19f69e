"""What the diagram editor reads it writes again: every element and attribute of ours and of others, in their order."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from engine import drafts
from engine.workflow import reading
from engine.workflow.reading import BPMN, DI
from tests.browser.conftest import Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

DEFAULTS = {"cancelActivity": "true", "isInterrupting": "true", "isSequential": "false"}
"""What an attribute says when it is not written (BPMN 2.0): leaving it out loses nothing."""
FOREIGNERS = sorted((Path(__file__).parents[1] / "engine" / "workflow" / "foreign").glob("*.bpmn"))
EMPTY = {f"{{{BPMN}}}{tag}" for tag in ("incoming", "outgoing")}
WRITE = """async ([xml]) => {
  const studio = globalThis.pingshenStudio;
  const place = document.createElement('div');
  place.style.cssText = 'width:800px;height:600px';
  document.body.append(place);
  const shell = { panel: document.createElement('div'), english: false, link: () => '', go: () => {} };
  const open = (await import(document.querySelector('script[type=module]').src.replace('studio.js', 'bpmn.js'))).open;
  const editor = await open(place, { path: 'shared/x.bpmn', text: xml, key: 'x', names: {}, readOnly: false, onChange() {}, translate: (words) => words, shell });
  const written = await editor.text();
  editor.destroy();
  place.remove();
  return written;
}"""
FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:signavio="http://www.signavio.com"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="foreign" targetNamespace="urn:elsewhere">
  <process id="claim" isExecutable="true" camunda:historyTimeToLive="P30D">
    <extensionElements><signavio:signavioMetaData metaKey="bgcolor" metaValue="#ffffff"/></extensionElements>
    <startEvent id="begun" camunda:initiator="who"/>
    <sequenceFlow id="f1" sourceRef="begun" targetRef="decide"/>
    <userTask id="decide" name="Decide" camunda:assignee="${who}" camunda:formKey="embedded:app:decide.html">
      <extensionElements>
        <camunda:formData><camunda:formField id="amount" label="Amount" type="long"><camunda:validation><camunda:constraint name="min" config="5"/>
        </camunda:validation></camunda:formField></camunda:formData>
        <camunda:taskListener class="org.example.Listener" event="create"/>
      </extensionElements>
      <multiInstanceLoopCharacteristics isSequential="true" camunda:collection="people"><loopDataInputRef>nobody_has_this_id</loopDataInputRef></multiInstanceLoopCharacteristics>
    </userTask>
    <sequenceFlow id="f2" sourceRef="decide" targetRef="over"/>
    <endEvent id="over"><messageEventDefinition messageRef="a_message_from_elsewhere"/></endEvent>
  </process>
</definitions>"""


def canonical(node: _Element) -> Any:
    """Return an element as nested tuples: names in full, attributes in no order, text without the blanks around it."""
    attributes = {name: value for name, value in node.attrib.items() if DEFAULTS.get(str(name)) != value}
    children = [canonical(child) for child in node if isinstance(child.tag, str)]
    if node.tag == f"{{{DI}}}BPMNPlane":  # the order of shapes tells what lies on top; bpmn-js works it out anew
        children.sort()
    return (node.tag, tuple(sorted(attributes.items())), (node.text or "").strip() if not children else "", tuple(children))


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two elements differ, by their way from the root."""
    here = f"{path}/{one[0].rsplit('}', 1)[-1]}[{dict(one[1]).get('id', '')}]"
    if one[:3] != other[:3]:
        return [f"{here}: {one[:3]} != {other[:3]}"]
    if len(one[3]) != len(other[3]):
        return [f"{here}: {[child[0] for child in one[3]]} != {[child[0] for child in other[3]]}"]
    return [found for ours, theirs in zip(one[3], other[3], strict=True) for found in differences(ours, theirs, here)]


def test_every_shipped_diagram_is_written_as_it_was_read(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    page = person.open("/studio/maternal_death")
    page.wait_for_selector("[data-ready=true]")
    folders = [resources.files("bpmn") / "shared", *(entry for entry in resources.files("bpmn").iterdir() if entry.is_dir())]
    diagrams = {entry.name: entry.read_text() for folder in folders for entry in folder.iterdir() if entry.name.endswith(".bpmn")}
    assert len(diagrams) >= 13
    lost = {}
    for name, text in diagrams.items():
        written = page.evaluate(WRITE, [text])
        assert "<bpmn:definitions" in written
        assert 'xmlns:ps="urn:pingshen:bpmn"' in written
        found = differences(canonical(etree.fromstring(text.encode())), canonical(etree.fromstring(written.encode())))
        if found:
            lost[name] = found[:3]
    assert lost == {}
    assert person.complaints == []


def test_a_diagram_from_elsewhere_without_a_drawing_is_laid_out_and_keeps_what_we_do_not_know(visit: Callable[..., Person]) -> None:
    page = visit("liucheng").open("/studio/maternal_death")
    page.wait_for_selector("[data-ready=true]")
    before = etree.fromstring(FOREIGN.encode())
    after = etree.fromstring(page.evaluate(WRITE, [FOREIGN]).encode())
    drawn = f"{{{DI}}}BPMNShape"
    assert {shape.get("bpmnElement") for shape in after.iter(drawn)} >= {"begun", "decide", "over"}
    assert {edge.get("bpmnElement") for edge in after.iter(f"{{{DI}}}BPMNEdge")} == {"f1", "f2"}, "though no step says what comes and goes"
    for root in (before, after):
        for node in list(root.iter(*EMPTY)):
            node.getparent().remove(node)  # type: ignore[union-attr]
    process = f"{{{BPMN}}}process"
    assert differences(canonical(before.find(process)), canonical(after.find(process))) == []  # type: ignore[arg-type]


def parts(content: bytes) -> Counter[tuple[str, ...]]:
    """Return each element, attribute, text and comment of a file with the element around it; what may be left unsaid is left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for node in etree.fromstring(content, etree.XMLParser(recover=True)).iter():
        around = node.getparent()
        where = "" if around is None else f"{around.tag}#{around.get('id', '')}"
        if not isinstance(node.tag, str):
            found["comment", where, str(node.text)] += 1
            continue
        own = f"{node.tag}#{node.get('id', '')}"
        found["element", where, own] += 1
        if not len(node):
            found["text", where, own, (node.text or "").strip()] += 1
        for name, value in node.attrib.items():
            found["attribute", where, own, str(name), str(value)] += 1
    return found


@pytest.mark.parametrize("path", [path for path in FOREIGNERS if path.stem != "tiny"], ids=lambda path: path.stem)  # that one has no drawing
def test_diagrams_of_others_open_without_a_complaint_and_are_written_with_all_that_they_held(visit: Callable[..., Person], path: Path) -> None:
    person = visit("liucheng")
    page = person.open("/studio/maternal_death")
    page.wait_for_selector("[data-ready=true]")
    written = page.evaluate(WRITE, [drafts.in_utf8(path.read_bytes()).decode()])
    assert parts(drafts.in_utf8(path.read_bytes())) - parts(written.encode()) == Counter()
    assert "kept_" not in written
    assert person.complaints == []


def test_what_the_editor_does_not_read_is_drawn_changed_and_taken_away_like_all_else(visit: Callable[..., Person]) -> None:
    page = visit("liucheng").open("/studio/maternal_death")
    page.wait_for_selector("[data-ready=true]")
    text = (Path(__file__).parents[1] / "engine" / "workflow" / "foreign" / "older.bpmn").read_text()
    change = WRITE.replace(
        "  const written",
        """  const [registry, modeling] = ['elementRegistry', 'modeling'].map((name) => editor.modeler.get(name));
  const drawn = registry.getAll().map(({ businessObject }) => businessObject).filter(({ id }) => id.startsWith('kept_')).map(({ $type }) => $type);
  if (!editor.reveal('开始') || !editor.ids().includes('1 late')) throw new Error('not found by its id');
  modeling.updateProperties(registry.find(({ businessObject }) => businessObject.name === 'Begin'), { name: 'Begun' });
  modeling.removeElements([registry.find(({ businessObject }) => businessObject.name === 'Inside')]);
  globalThis.drawn = drawn;
  const written""",
    )
    after = reading.xml(page.evaluate(change, [text]).encode(), keeps_all=True)
    assert sorted(set(page.evaluate("drawn"))) == ["bpmn:BoundaryEvent", "bpmn:StartEvent", "bpmn:SubProcess"]
    begun = after.find(f".//{{{BPMN}}}startEvent")
    assert begun is not None
    assert (begun.get("id"), begun.get("name"), [child.tag for child in begun if isinstance(child.tag, str)]) == ("开始", "Begun", ["geometry"])
    assert after.find(f".//{{{BPMN}}}subProcess") is None
    assert [comment.text for comment in after.iter(etree.Comment)] == [" the way "]
