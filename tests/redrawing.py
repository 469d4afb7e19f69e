"""Procedures drawn otherwise: small changes to diagrams, for tests of what a new version does to running cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from engine.workflow.reading import BPMN, PS

DI, DC, OMGDI = "http://www.omg.org/spec/BPMN/20100524/DI", "http://www.omg.org/spec/DD/20100524/DC", "http://www.omg.org/spec/DD/20100524/DI"
Files = Mapping[str, bytes]


def redrawn(files: Files, path: str, change: Callable[[etree._Element], Any]) -> dict[str, bytes]:
    """Return the files with one diagram changed."""
    root = etree.fromstring(files[path])
    change(root)
    return {**files, path: etree.tostring(root, xml_declaration=True, encoding="UTF-8")}


def replaced(files: Files, path: str, *pairs: tuple[str, str]) -> dict[str, bytes]:
    """Return the files with texts of one of them replaced; each must be there."""
    text = files[path].decode()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return {**files, path: text.encode()}


def node(root: etree._Element, element_id: str) -> etree._Element:
    """Return an element by its id."""
    return next(entry for entry in root.iter(etree.Element) if entry.get("id") == element_id)


def _draw(root: etree._Element, element_id: str, kind: str = "Shape") -> None:
    plane = next(root.iter(f"{{{DI}}}BPMNPlane"))
    drawn = etree.SubElement(plane, f"{{{DI}}}BPMN{kind}", id=f"{element_id}_di", bpmnElement=element_id)
    if kind == "Shape":
        etree.SubElement(drawn, f"{{{DC}}}Bounds", x="100", y="100", width="100", height="80")
    else:
        for x in ("100", "200"):
            etree.SubElement(drawn, f"{{{OMGDI}}}waypoint", x=x, y="100")


def flow(root: etree._Element, source: str, target: str, flow_id: str | None = None) -> etree._Element:
    """Draw a flow between two elements of the same scope."""
    name = flow_id or f"flow_{source}_{target}"
    made = etree.SubElement(node(root, source).getparent(), f"{{{BPMN}}}sequenceFlow", id=name, sourceRef=source, targetRef=target)
    for element, tag in ((source, "outgoing"), (target, "incoming")):
        entry = etree.Element(f"{{{BPMN}}}{tag}")
        entry.text = name
        _put_reference(node(root, element), entry)
    _draw(root, name, "Edge")
    return made


def _put_reference(element: etree._Element, entry: etree._Element) -> None:
    """References stand behind documentation and extensions, before everything else."""
    at = sum(1 for child in element if etree.QName(child).localname in ("documentation", "extensionElements", "incoming"))
    element.insert(at, entry)


def redirect(root: etree._Element, flow_id: str, target: str) -> None:
    """Let a flow lead elsewhere."""
    found = node(root, flow_id)
    old = node(root, found.get("targetRef", ""))
    old.remove(next(entry for entry in old.findall(f"{{{BPMN}}}incoming") if entry.text == flow_id))
    found.set("targetRef", target)
    entry = etree.Element(f"{{{BPMN}}}incoming")
    entry.text = flow_id
    _put_reference(node(root, target), entry)


def step(
    root: etree._Element,
    element_id: str,
    on: str,
    *,
    lane: str,
    form: str = "resitting",
    name: str = "新步骤",
    task: Mapping[str, str] | None = None,
    tag: str = "userTask",
) -> None:
    """Draw a step into a flow: what the flow led to comes after it."""
    way = node(root, on)
    target, scope = way.get("targetRef", ""), way.getparent()
    made = etree.SubElement(scope, f"{{{BPMN}}}{tag}", id=element_id, name=name)
    made.set(f"{{{PS}}}name_en", "A new step")
    made.set(f"{{{PS}}}phase", "P7")
    scope.insert(list(scope).index(way), made)
    extensions = etree.SubElement(made, f"{{{BPMN}}}extensionElements")
    if tag == "userTask":
        etree.SubElement(extensions, f"{{{PS}}}task", {"form": form, "organisation": "owner", **(task or {})})
    _in_lane(root, element_id, lane)
    _draw(root, element_id)
    redirect(root, on, element_id)
    flow(root, element_id, target)


def _in_lane(root: etree._Element, element_id: str, lane: str) -> None:
    found = next((entry for entry in root.iter(f"{{{BPMN}}}lane") if entry.get("id") == lane), None)
    if found is not None:
        etree.SubElement(found, f"{{{BPMN}}}flowNodeRef").text = element_id


def boundary_timer(root: etree._Element, event_id: str, on: str, to: str, when: str, *, cancels: bool = False, lane: str = "") -> None:
    """Hang a timer on a step, which leads to another element."""
    scope = node(root, on).getparent()
    made = etree.SubElement(
        scope, f"{{{BPMN}}}boundaryEvent", id=event_id, name="到时", attachedToRef=on, cancelActivity="true" if cancels else "false"
    )
    definition = etree.SubElement(made, f"{{{BPMN}}}timerEventDefinition", id=f"{event_id}_definition")
    text = etree.SubElement(definition, f"{{{BPMN}}}timeDate")
    text.set("{http://www.w3.org/2001/XMLSchema-instance}type", "bpmn:tFormalExpression")
    text.text = when
    _in_lane(root, event_id, lane or _lane_of(root, on))
    _draw(root, event_id)
    flow(root, event_id, to)


def end(root: etree._Element, element_id: str, beside: str) -> None:
    """Draw an end event into the scope of another element."""
    etree.SubElement(node(root, beside).getparent(), f"{{{BPMN}}}endEvent", id=element_id, name="到此为止")
    _in_lane(root, element_id, _lane_of(root, beside))
    _draw(root, element_id)


def _lane_of(root: etree._Element, element_id: str) -> str:
    lanes = [lane for lane in root.iter(f"{{{BPMN}}}lane") if any(entry.text == element_id for entry in lane.findall(f"{{{BPMN}}}flowNodeRef"))]
    return lanes[-1].get("id", "") if lanes else ""


def without(root: etree._Element, element_id: str) -> None:
    """Take a step with one way on out of the diagram: what led to it leads to what came after it."""
    gone = node(root, element_id)
    after = next(entry for entry in root.iter(f"{{{BPMN}}}sequenceFlow") if entry.get("sourceRef") == element_id)
    target = after.get("targetRef", "")
    for way in [entry for entry in root.iter(f"{{{BPMN}}}sequenceFlow") if entry.get("targetRef") == element_id]:
        redirect(root, way.get("id", ""), target)
    behind = node(root, target)
    behind.remove(next(entry for entry in behind.findall(f"{{{BPMN}}}incoming") if entry.text == after.get("id")))
    for entry in (gone, after):
        _erase(root, entry.get("id", ""))
        entry.getparent().remove(entry)


def erase(root: etree._Element, element_id: str) -> None:
    """Take an element with its flows out of the diagram; what led to it leads nowhere."""
    for way in [entry for entry in root.iter(f"{{{BPMN}}}sequenceFlow") if element_id in (entry.get("targetRef"), entry.get("sourceRef"))]:
        for entry in [entry for entry in root.iter(f"{{{BPMN}}}incoming", f"{{{BPMN}}}outgoing") if entry.text == way.get("id")]:
            entry.getparent().remove(entry)
        _erase(root, way.get("id", ""))
        way.getparent().remove(way)
    gone = node(root, element_id)
    _erase(root, element_id)
    gone.getparent().remove(gone)


def _erase(root: etree._Element, element_id: str) -> None:
    for drawn in [entry for entry in root.iter(f"{{{DI}}}BPMNShape", f"{{{DI}}}BPMNEdge") if entry.get("bpmnElement") == element_id]:
        drawn.getparent().remove(drawn)
    for entry in [entry for entry in root.iter(f"{{{BPMN}}}flowNodeRef") if entry.text == element_id]:
        entry.getparent().remove(entry)


def renamed(files: Files, old: str, new: str) -> dict[str, bytes]:
    """Return the files with the id of an element changed wherever a diagram names it."""
    found = {}
    for path, content in files.items():
        text = content.decode()
        found[path] = text.replace(f'"{old}"', f'"{new}"').replace(f">{old}<", f">{new}<").encode() if path.endswith(".bpmn") else content
    return found
