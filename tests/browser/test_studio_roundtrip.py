"""What the diagram editor reads it writes again: every element and attribute of ours and of others, in their order."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from lxml import etree

from engine.workflow.reading import BPMN, DI
from tests.browser.conftest import Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

DEFAULTS = {"cancelActivity": "true", "isInterrupting": "true", "isSequential": "false"}
"""What an attribute says when it is not written (BPMN 2.0): leaving it out loses nothing."""
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
    for root in (before, after):
        for node in list(root.iter(*EMPTY)):
            node.getparent().remove(node)  # type: ignore[union-attr]
    process = f"{{{BPMN}}}process"
    assert differences(canonical(before.find(process)), canonical(after.find(process))) == []  # type: ignore[arg-type]
