"""Mends by machine: a complaint's `fix`, or what is offered for a diagram from elsewhere, carried out on the text of the files.

What a mend does not touch keeps its bytes (`markup.py`). Nothing is written: the files as they would be are returned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from lxml import etree

from engine.workflow import bounds, elsewhere, markup
from engine.workflow.markup import Markup
from engine.workflow.reading import BPMN, DC, DD, DI, FLOW_NODES, PS, UnreadableDiagram, local, placed

_B, _P = f"{{{BPMN}}}", f"{{{PS}}}"
_AFTER_EXTENSIONS = ("documentation", "extensionElements")


class NotMended(Exception):
    """The mend does not fit the files any more, or needs a choice that was not made; nothing was changed."""


def mend(files: Mapping[str, bytes], fix: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files that a mend changes, as they would be.

    Args:
        fix: A complaint's `fix`; where it offers `choices`, with the `choice` made.

    Raises:
        NotMended: its element is gone, or no choice was made.
    """
    kind, path = fix.get("kind"), str(fix.get("file", ""))
    content = files.get(path)
    if content is None:
        raise NotMended(f"no file {path!r}")
    if kind in _FILES:
        changed = _FILES[str(kind)](dict(files), path, fix)
    elif kind in EDITS:
        changed = {path: edit(content, [fix])}
    else:
        raise NotMended(f"no mend {kind!r}")
    return {name: text for name, text in changed.items() if files.get(name) != text}


def edit(content: bytes, fixes: list[Mapping[str, Any]]) -> bytes:
    """Carry out mends on one diagram, one after the other.

    Raises:
        NotMended: one of them does not fit.
    """
    if bounds.unfit(content) is not None:
        raise NotMended(str(bounds.unfit(content)))
    try:
        drawn = Markup(content)
    except UnreadableDiagram as error:
        raise NotMended(error.reason) from None
    for fix in fixes:
        try:
            EDITS[str(fix["kind"])](drawn.root, fix)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise NotMended(f"{fix.get('kind')}: {type(error).__name__}") from None
    return drawn.to_bytes()


def _find(root: etree._Element, identifier: object, occurrence: int = 0) -> etree._Element:
    found = [node for node in root.iter(f"{_B}*") if node.get("id") == identifier]
    if len(found) <= occurrence:
        raise NotMended(f"no element {identifier!r}")
    return found[occurrence]


def _choice(fix: Mapping[str, Any]) -> str:
    choice = fix.get("choice")
    if not isinstance(choice, str) or choice not in fix.get("choices", (choice,)):
        raise NotMended("no choice was made")
    return choice


def _make(like: etree._Element, tag: str, **attributes: str) -> etree._Element:
    """Make an element with the prefixes of its neighbour."""
    return etree.Element(tag, attributes, nsmap=like.nsmap)  # type: ignore[arg-type]


def extension(node: etree._Element) -> etree._Element:
    """Return the extension elements of a node, made where there are none."""
    found = node.find(f"{_B}extensionElements")
    if found is not None:
        return found
    made = _make(node, f"{_B}extensionElements")
    index = sum(1 for child in node if isinstance(child.tag, str) and child.tag == f"{_B}documentation")
    markup.insert(node, index, made)
    return made


def ours(node: etree._Element, tag: str) -> etree._Element:
    """Return our own extension element of a node, made where there is none."""
    around = extension(node)
    found = around.find(f"{_P}{tag}")
    if found is None:
        found = _make(node, f"{_P}{tag}")
        markup.append(around, found)
    return found


# ── edits of one diagram ──


def _executable(root: etree._Element, fix: Mapping[str, Any]) -> None:
    _find(root, fix["element"]).set("isExecutable", "true")


def _to_user_task(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node = _find(root, fix["element"])
    node.tag = f"{_B}userTask"
    for name in ("messageRef", "operationRef", "instantiate", "implementation"):
        node.attrib.pop(name, "")


def _default(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node, flow = _find(root, fix["element"]), _find(root, fix["flow"])
    node.set("default", str(fix["flow"]))
    for condition in flow.findall(f"{_B}conditionExpression"):
        markup.remove(condition)


def _remove_parts(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node = _find(root, fix["element"])
    for name in fix["names"]:
        for part in list(node.iter(f"{_B}{name}")):
            if _nearest(part) is node:
                markup.remove(part)


def _nearest(part: etree._Element) -> etree._Element:
    parent = part.getparent()
    while parent is not None and local(parent) not in (*FLOW_NODES, "process", "sequenceFlow", "lane"):
        parent = parent.getparent()
    return part if parent is None else parent


def _remove(root: etree._Element, fix: Mapping[str, Any]) -> None:
    """Take an element away with its flows, the events beside it, its references and its drawing."""
    gone = [_find(root, fix["element"])]
    names = {gone[0].get("id", "")}
    inner = {node.get("id", "") for node in gone[0].iter(f"{_B}*")} - {""}
    for node in root.iter(f"{_B}boundaryEvent"):
        if node.get("attachedToRef") in names:
            gone.append(node)
            names.add(node.get("id", ""))
    for node in root.iter(f"{_B}sequenceFlow", f"{_B}messageFlow", f"{_B}association"):
        if {node.get("sourceRef"), node.get("targetRef")} & (names | inner) and node not in gone:
            gone.append(node)
    names = {node.get("id", "") for node in gone} | inner
    for node in gone:
        if node.getparent() is not None:
            markup.remove(node)
    for node in list(root.iter(f"{_B}incoming", f"{_B}outgoing", f"{_B}flowNodeRef")):
        if (node.text or "").strip() in names:
            markup.remove(node)
    for node in root.iter(f"{_B}*"):
        if node.get("default") in names:
            del node.attrib["default"]
    for node in list(root.iter(f"{{{DI}}}BPMNShape", f"{{{DI}}}BPMNEdge")):
        if node.get("bpmnElement") in names:
            markup.remove(node)


def _rename(root: etree._Element, fix: Mapping[str, Any]) -> None:
    old, new = str(fix["element"]), str(fix["to"])
    occurrence = int(fix.get("occurrence", 0))
    if any(node.get("id") == new for node in root.iter(etree.Element)) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,79}", new):
        raise NotMended(f"id {new!r} cannot be used")
    _find(root, old, occurrence).set("id", new)
    if not occurrence:
        rename_references(root, {old: new})


def rename_references(root: etree._Element, names: Mapping[str, str]) -> None:
    """Say new ids wherever the old ones are referred to: in flows, lanes, events, the drawing."""
    own = {prefix for prefix, space in root.nsmap.items() if prefix and space == root.get("targetNamespace")}
    for node in root.iter(etree.Element):
        plain = local(node)
        for key, value in node.attrib.items():
            if not isinstance(key, str) or not (key.endswith("Ref") or key in ("default", "bpmnElement", "calledElement")):
                continue
            prefix, _, last = str(value).partition(":")
            if value in names:
                node.set(key, names[str(value)])
            elif last in names and prefix in own:
                node.set(key, f"{prefix}:{names[last]}")
        if plain.endswith("Ref") or plain in ("incoming", "outgoing"):
            text = (node.text or "").strip()
            if text in names and plain not in ("loopDataInputRef", "loopDataOutputRef"):
                node.text = names[text]


def _gateway(root: etree._Element, fix: Mapping[str, Any]) -> None:
    """Put a gateway behind a step, so that the flows that left the step leave the gateway."""
    node = _find(root, fix["element"])
    kind = str(fix.get("gateway", "exclusiveGateway"))
    if kind not in ("exclusiveGateway", "parallelGateway", "inclusiveGateway"):
        raise NotMended(kind)
    identifier, scope = node.get("id", ""), node.getparent()
    flows = [flow for flow in scope.findall(f"{_B}sequenceFlow") if flow.get("sourceRef") == identifier]  # type: ignore[union-attr]
    if not flows:
        raise NotMended("no flow leaves the step")
    taken = {entry.get("id", "") for entry in root.iter(etree.Element)}
    name = elsewhere.free(f"{elsewhere.beside(identifier, str(node.tag))}_then", taken)
    flow_name = elsewhere.free(f"flow_{elsewhere.snake(identifier)}_{name}"[:78], taken)
    gateway = _make(node, f"{_B}{kind}", id=name)
    between = _make(node, f"{_B}sequenceFlow", id=flow_name, sourceRef=identifier, targetRef=name)
    assert scope is not None
    markup.insert(scope, scope.index(node) + 1, gateway)
    markup.insert(scope, scope.index(flows[0]), between)
    outgoing = node.findall(f"{_B}outgoing")
    for entry in outgoing:
        markup.remove(entry)
    if outgoing:
        made = _make(node, f"{_B}outgoing")
        made.text = flow_name
        markup.append(node, made)
    _note(gateway, "incoming", flow_name)
    for flow in flows:
        flow.set("sourceRef", name)
        _note(gateway, "outgoing", flow.get("id", ""))
    default = node.attrib.pop("default", "")
    if kind == "exclusiveGateway":
        bare = [flow.get("id", "") for flow in flows if flow.find(f"{_B}conditionExpression") is None]
        chosen = default or (bare[0] if bare else None)
        if chosen is not None:
            gateway.set("default", str(chosen))
    _same_lane(root, identifier, name)
    _draw_between(root, identifier, name, flow_name, [flow.get("id", "") for flow in flows], (50, 50))


def _note(node: etree._Element, tag: str, flow: str) -> None:
    made = _make(node, f"{_B}{tag}")
    made.text = flow
    markup.append(node, made)


def _same_lane(root: etree._Element, one: str, other: str) -> None:
    for reference in list(root.iter(f"{_B}flowNodeRef")):
        if (reference.text or "").strip() == one:
            lane = reference.getparent()
            assert lane is not None
            made = _make(reference, f"{_B}flowNodeRef")
            made.text = other
            markup.insert(lane, lane.index(reference) + 1, made)


def _box(root: etree._Element, element: str) -> tuple[float, float, float, float] | None:
    for shape in root.iter(f"{{{DI}}}BPMNShape"):
        box = shape.find(f"{{{DC}}}Bounds")
        if shape.get("bpmnElement") == element and box is not None:
            try:
                return tuple(float(box.get(key, 0)) for key in ("x", "y", "width", "height"))  # type: ignore[return-value]
            except ValueError:
                return None
    return None


def _figure(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e9 else "0"


def _draw_between(root: etree._Element, before: str, made: str, flow: str, moved: Collection[str], size: tuple[int, int]) -> None:
    """Draw a new node to the right of another and let the moved edges begin there; without a drawing nothing is drawn."""
    box, plane = _box(root, before), next(root.iter(f"{{{DI}}}BPMNPlane"), None)
    if box is None or plane is None:
        return
    x, middle = box[0] + box[2] + 40, box[1] + box[3] / 2
    shape = _make(plane, f"{{{DI}}}BPMNShape", id=f"{made}_di", bpmnElement=made)
    if size == (50, 50):
        shape.set("isMarkerVisible", "true")
    place = {"x": _figure(x), "y": _figure(middle - size[1] / 2), "width": str(size[0]), "height": str(size[1])}
    shape.append(_make(plane, f"{{{DC}}}Bounds", **place))
    markup.append(plane, shape)
    edge = _make(plane, f"{{{DI}}}BPMNEdge", id=f"{flow}_di", bpmnElement=flow)
    for across in (box[0] + box[2], x):
        edge.append(_make(plane, f"{{{DD}}}waypoint", x=_figure(across), y=_figure(middle)))
    markup.append(plane, edge)
    for drawn in root.iter(f"{{{DI}}}BPMNEdge"):
        if drawn.get("bpmnElement") in moved:
            first = drawn.find(f"{{{DD}}}waypoint")
            if first is not None:
                first.set("x", _figure(x + size[0]))
                first.set("y", _figure(middle))


def _add_end(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node = _find(root, fix["element"])
    scope, identifier = node.getparent(), node.get("id", "")
    assert scope is not None
    taken = {entry.get("id", "") for entry in root.iter(etree.Element)}
    name = elsewhere.free(f"{elsewhere.beside(identifier, str(node.tag))}_ends"[:70], taken)
    flow_name = elsewhere.free(f"flow_{elsewhere.snake(identifier)}_{name}"[:78], taken)
    end = _make(node, f"{_B}endEvent", id=name)
    flow = _make(node, f"{_B}sequenceFlow", id=flow_name, sourceRef=identifier, targetRef=name)
    markup.insert(scope, scope.index(node) + 1, end)
    last = [place for place, child in enumerate(scope) if isinstance(child.tag, str) and local(child) in (*FLOW_NODES, "sequenceFlow")][-1]
    markup.insert(scope, last + 1, flow)
    _note(end, "incoming", flow_name)
    made = _make(node, f"{_B}outgoing")
    made.text = flow_name
    index = sum(1 for child in node if isinstance(child.tag, str) and local(child) in (*_AFTER_EXTENSIONS, "incoming", "outgoing"))
    markup.insert(node, index, made)
    _same_lane(root, identifier, name)
    _draw_between(root, identifier, name, flow_name, (), (36, 36))


def _gateway_kind(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node = _find(root, fix["element"])
    if local(node) not in ("exclusiveGateway", "parallelGateway", "inclusiveGateway"):
        raise NotMended("no gateway")
    node.tag = f"{_B}{fix['to']}"


def _join_before(root: etree._Element, fix: Mapping[str, Any]) -> None:
    """Let the branches that come to a step meet in a parallel gateway before it."""
    node = _find(root, fix["element"])
    if local(node) in ("exclusiveGateway", "inclusiveGateway"):
        outgoing = [flow for flow in node.getparent().findall(f"{_B}sequenceFlow") if flow.get("sourceRef") == node.get("id")]  # type: ignore[union-attr]
        if len(outgoing) == 1:
            node.tag = f"{_B}parallelGateway"
            return
    scope, identifier = node.getparent(), node.get("id", "")
    assert scope is not None
    flows = [flow for flow in scope.findall(f"{_B}sequenceFlow") if flow.get("targetRef") == identifier]
    taken = {entry.get("id", "") for entry in root.iter(etree.Element)}
    name = elsewhere.free(f"before_{elsewhere.beside(identifier, str(node.tag))}"[:70], taken)
    flow_name = elsewhere.free(f"flow_{name}_{elsewhere.snake(identifier)}"[:78], taken)
    gateway = _make(node, f"{_B}parallelGateway", id=name)
    markup.insert(scope, scope.index(node), gateway)
    between = _make(node, f"{_B}sequenceFlow", id=flow_name, sourceRef=name, targetRef=identifier)
    markup.insert(scope, scope.index(flows[0]), between)
    incoming = node.findall(f"{_B}incoming")
    for entry in incoming[1:]:
        markup.remove(entry)
    if incoming:
        incoming[0].text = flow_name
    for flow in flows:
        flow.set("targetRef", name)
        _note(gateway, "incoming", flow.get("id", ""))
    _note(gateway, "outgoing", flow_name)
    _same_lane(root, identifier, name)
    box, plane = _box(root, identifier), next(root.iter(f"{{{DI}}}BPMNPlane"), None)
    if box is None or plane is None:
        return
    x, middle = box[0] - 70, box[1] + box[3] / 2
    shape = _make(plane, f"{{{DI}}}BPMNShape", id=f"{name}_di", bpmnElement=name)
    shape.append(_make(plane, f"{{{DC}}}Bounds", x=_figure(x), y=_figure(middle - 25), width="50", height="50"))
    markup.append(plane, shape)
    edge = _make(plane, f"{{{DI}}}BPMNEdge", id=f"{flow_name}_di", bpmnElement=flow_name)
    for across in (x + 50, box[0]):
        edge.append(_make(plane, f"{{{DD}}}waypoint", x=_figure(across), y=_figure(middle)))
    markup.append(plane, edge)
    moved = {flow.get("id") for flow in flows}
    for drawn in root.iter(f"{{{DI}}}BPMNEdge"):
        if drawn.get("bpmnElement") in moved:
            points = drawn.findall(f"{{{DD}}}waypoint")
            if points:
                points[-1].set("x", _figure(x))
                points[-1].set("y", _figure(middle))


def _plain_end(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node = _find(root, fix["element"])
    for definition in node.findall(f"{_B}terminateEventDefinition"):
        markup.remove(definition)


def _state(root: etree._Element, fix: Mapping[str, Any]) -> None:
    _find(root, fix["element"]).set(f"{_P}state", _choice(fix))


def _choose_form(root: etree._Element, fix: Mapping[str, Any]) -> None:
    ours(_find(root, fix["element"]), "task").set(str(fix.get("attribute", "form")), _choice(fix))


def _lane_role(root: etree._Element, fix: Mapping[str, Any]) -> None:
    old, role = str(fix["element"]), _choice(fix)
    taken = {node.get("id", "") for node in root.iter(etree.Element)}
    new = role if role not in taken else next(f"{role}.{number}" for number in range(2, 100) if f"{role}.{number}" not in taken)
    _find(root, old).set("id", new)
    rename_references(root, {old: new})


def _role(root: etree._Element, fix: Mapping[str, Any]) -> None:
    _find(root, fix["element"]).set(f"{_P}role", _choice(fix))


def _expression(root: etree._Element, fix: Mapping[str, Any]) -> None:
    """Say an expression of an element anew, wherever in it the old words stand."""
    node, was, text = _find(root, fix["element"]), str(fix["was"]).strip(), str(fix["text"])
    done = False
    for part in node.iter(etree.Element):
        if part is not node and local(part) in FLOW_NODES:
            continue
        if (part.text or "").strip() == was and not len(part):
            part.text = text
            done = True
        for key, value in part.attrib.items():
            if str(value).strip() == was and key != "id":
                part.set(key, text)
                done = True
    if not done:
        raise NotMended("the expression has changed")


def _item_id(root: etree._Element, fix: Mapping[str, Any]) -> None:
    for item in _find(root, fix["element"]).iter(f"{_B}{fix['item']}"):
        item.set("id", item.get("name") or item.get("id") or "item")


def _tidy_lane(root: etree._Element, fix: Mapping[str, Any]) -> None:
    known = {node.get("id", "") for node in root.iter(etree.Element)}
    for reference in _find(root, fix["element"]).findall(f"{_B}flowNodeRef"):
        if (reference.text or "").strip() not in known:
            markup.remove(reference)


def _remove_foreign(root: etree._Element, fix: Mapping[str, Any]) -> None:
    node = _find(root, fix["element"])
    for part in [node, *(part for part in node.iterdescendants(f"{_B}*") if placed(part) is node)]:
        _remove_settings(part)


def _remove_settings(node: etree._Element) -> None:
    for name in list(node.attrib):
        space, _, plain = str(name)[1:].partition("}") if str(name).startswith("{") else ("", "", "")
        if elsewhere.is_setting(space, plain):
            del node.attrib[name]
    around = node.find(f"{_B}extensionElements")
    if around is not None:
        for entry in list(around.iterchildren(etree.Element)):
            if elsewhere.is_setting(etree.QName(entry).namespace or "", local(entry)):
                markup.remove(entry)
        if not len(around):
            markup.remove(around)


def _ours(root: etree._Element, fix: Mapping[str, Any]) -> None:
    """Write settings of ours on an element: `{tag: {attribute: value}}`."""
    node = _find(root, fix["element"])
    for tag, values in fix["settings"].items():
        entry = ours(node, tag)
        for name, value in values.items():
            entry.set(name, str(value))


def _called(root: etree._Element, fix: Mapping[str, Any]) -> None:
    _find(root, fix["element"]).set("calledElement", str(fix["to"]))


def _several(root: etree._Element, fix: Mapping[str, Any]) -> None:
    """Say a list, its items and its results in the standard's own words."""
    node = _find(root, fix["element"])
    several = node.find(f"{_B}multiInstanceLoopCharacteristics")
    if several is None:
        raise NotMended("no several instances")
    order = ("loopCardinality", "loopDataInputRef", "loopDataOutputRef", "inputDataItem", "outputDataItem")
    for tag, value in fix["words"].items():
        if tag not in order or several.find(f"{_B}{tag}") is not None:
            continue
        made = _make(several, f"{_B}{tag}")
        if tag.endswith("Item"):
            made.set("id", str(value))
            made.set("name", str(value))
        else:
            made.text = str(value)
        before = [child for child in several if isinstance(child.tag, str) and local(child) in ("extensionElements", *order[: order.index(tag)])]
        markup.insert(several, several.index(before[-1]) + 1 if before else 0, made)


def _rename_all(root: etree._Element, fix: Mapping[str, Any]) -> None:
    names = {str(old): str(new) for old, new in fix["names"].items()}
    for node in root.iter(f"{_B}*"):
        if node.get("id") in names:
            node.set("id", names[node.get("id", "")])
    rename_references(root, names)


EDITS: Mapping[str, Callable[[etree._Element, Mapping[str, Any]], None]] = {
    "executable": _executable,
    "to_user_task": _to_user_task,
    "default": _default,
    "remove_parts": _remove_parts,
    "remove": _remove,
    "rename": _rename,
    "rename_all": _rename_all,
    "gateway": _gateway,
    "gateway_kind": _gateway_kind,
    "join_before": _join_before,
    "add_end": _add_end,
    "plain_end": _plain_end,
    "state": _state,
    "choose_form": _choose_form,
    "lane_role": _lane_role,
    "role": _role,
    "expression": _expression,
    "item_id": _item_id,
    "tidy_lane": _tidy_lane,
    "remove_foreign": _remove_foreign,
    "settings": _ours,
    "called": _called,
    "several": _several,
}


# ── mends of several files ──


def _rename_in_files(files: dict[str, bytes], path: str, fix: Mapping[str, Any]) -> dict[str, bytes]:
    """Rename an element; a process is also called and named as the main one from other files."""
    old, new = str(fix["element"]), str(fix["to"])
    changed = {path: edit(files[path], [fix])}
    drawn = Markup(files[path]).root
    if local(_find(drawn, old, int(fix.get("occurrence", 0)))) == "process" and not fix.get("occurrence"):
        for other, content in files.items():
            if other != path and other.endswith(".bpmn") and old.encode() in content:
                changed[other] = edit(content, [{"kind": "rename_all", "names": {old: new}}])
        manifest = files.get("procedure.toml", b"").decode("utf-8", "replace")
        written = re.sub(rf'(?m)^(main\s*=\s*)"{re.escape(old)}"', lambda found: f'{found[1]}"{new}"', manifest)
        if written != manifest:
            changed["procedure.toml"] = written.encode()
    return changed


def _main(files: dict[str, bytes], path: str, fix: Mapping[str, Any]) -> dict[str, bytes]:
    choice = _choice(fix)
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,80}", choice):
        raise NotMended("the id cannot be written")
    text = files[path].decode("utf-8", "replace")
    written, count = re.subn(r"(?m)^(main\s*=\s*).*$", lambda found: f'{found[1]}"{choice}"', text, count=1)
    if not count:
        raise NotMended("the manifest names no main process")
    return {path: written.encode()}


def _form_key(files: dict[str, bytes], path: str, _fix: Mapping[str, Any]) -> dict[str, bytes]:
    return _form(files, path, lambda schema: schema.update(id=path.removeprefix("forms/").removesuffix(".json")))


def _form_audience(files: dict[str, bytes], path: str, fix: Mapping[str, Any]) -> dict[str, bytes]:
    choice = _choice(fix)
    return _form(files, path, lambda schema: schema["pingshen"].update(audience=choice))


def _form(files: Mapping[str, bytes], path: str, change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    try:
        schema = json.loads(files[path])
        change(schema)
        indent = 2 if b"\n  " in files[path] else None
        return {path: (json.dumps(schema, ensure_ascii=False, indent=indent) + "\n").encode()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotMended(type(error).__name__) from None


_FILES: Mapping[str, Callable[[dict[str, bytes], str, Mapping[str, Any]], dict[str, bytes]]] = {
    "rename": _rename_in_files,
    "main": _main,
    "form_key": _form_key,
    "form_audience": _form_audience,
}


def kinds() -> Iterator[str]:
    """Yield every kind of mend there is."""
    yield from sorted({*EDITS, *_FILES})
