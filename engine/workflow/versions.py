"""Two versions of a procedure compared: what was added, removed, changed or only moved, file by file, each in a sentence.

Drafts are compared too, so nothing here asks that a file be fit to run: one that cannot be read is told as changed.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from engine import forms
from engine.errors import N_
from engine.feel import ModelRefused, dmn
from engine.workflow.bounds import scenario as bounded_toml
from engine.workflow.reading import BPMN, DC, DI, FLOW_NODES, PS, UnreadableDiagram, lanes_of, local, xml

MAX_CHANGES = 2000
MAX_TEXT = 2000
MAX_NODES = 12_000
"""Elements and flows of all diagrams of one side; a diagram beyond is compared as a file."""
MAX_NAME = 200
MAX_PARTS = 100
"""Parts of an expression in boxes that are told; of what comes after them it is told only whether it is the same."""
MAX_ROWS = 400
"""Rules of decision tables that are shown beside each other."""
MAX_LIKELY = 12
"""How many elements are looked at that may be another one under a new id."""
SCOPES = ("process", "subProcess", "transaction", "adHocSubProcess")
TASKS = frozenset({"userTask", "manualTask", "task"})
_BPMN = f"{{{BPMN}}}"
_EXTENSIONS, _OURS = f"{_BPMN}extensionElements", f"{{{PS}}}*"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions.

    Attributes:
        kind: `added`, `removed`, `changed`, `moved` (its place in the drawing alone), `renamed` (its id, as it seems).
        what: `step`, `event`, `gateway`, `service`, `part`, `flow`, `lane`, `process`, `message`, `diagram`, `table`, `rule`, `input`,
            `output`, `form`, `field`, `check`, `manifest`, `scenario`, `examples`, `file`.
        file: Path of the file; of what was removed, in the older version.
        element: Id in a diagram or table, or path of a field.
        name, name_en: What it is called.
        attribute: What of it changed; empty where it is all of it.
        before, after: How it was and is; empty where there was nothing.
        roles: Who does the step, before and now.
    """

    kind: str
    what: str
    file: str
    element: str = ""
    name: str = ""
    name_en: str = ""
    attribute: str = ""
    before: str = ""
    after: str = ""
    roles: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The sentence that tells it, with places for `what`, `name`, `property`, `before` and `after`."""
        if self.attribute == "too_large":
            return N_("文件“%(name)s”太大，没有逐项比较，只知道内容改了。")
        if self.kind == "changed" and not self.attribute:
            return N_("%(what)s“%(name)s”的内容改了。")
        if self.kind == "changed":
            return SENTENCES["set" if not self.before else "cleared" if not self.after else "changed"]
        return SENTENCES[self.kind]


SENTENCES = {
    "added": N_("新增%(what)s“%(name)s”。"),
    "removed": N_("删去%(what)s“%(name)s”。"),
    "moved": N_("%(what)s“%(name)s”只在图上换了位置。"),
    "renamed": N_("%(what)s“%(name)s”看来只换了标识，由 %(before)s 换成 %(after)s。"),
    "changed": N_("%(what)s“%(name)s”的%(property)s由“%(before)s”改为“%(after)s”。"),
    "set": N_("%(what)s“%(name)s”的%(property)s写为“%(after)s”，原来没有。"),
    "cleared": N_("%(what)s“%(name)s”的%(property)s去掉了，原为“%(before)s”。"),
}


def differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Change]:
    """Return everything in which two sets of files of a procedure differ, in the order of the files.

    Args:
        old, new: The files by their paths, as a version or a draft keeps them.
    """
    found = list(itertools.islice(_diagrams(old, new), MAX_CHANGES))
    for path in sorted({*old, *new}):
        if path.endswith(".bpmn"):
            continue
        was, now = old.get(path), new.get(path)
        if was == now:
            continue
        if len(found) >= MAX_CHANGES:
            break
        try:
            found += itertools.islice(_file(path, was, now), MAX_CHANGES)
        except Unreadable:
            found.append(Change("added" if was is None else "removed" if now is None else "changed", "file", path, name=path))
    return sorted(found[:MAX_CHANGES], key=lambda change: (_rank(change.file), change.file))


class Unreadable(Exception):
    """A file that is not what its name says."""


def _rank(path: str) -> int:
    return 0 if path.endswith(".bpmn") else 1 if path.startswith("decisions/") else 2 if path.startswith("forms/") else 3


def _file(path: str, was: bytes | None, now: bytes | None) -> Iterator[Change]:
    if path.startswith("forms/"):
        return _form(path, was, now)
    if path.endswith(".dmn"):
        return _tables(path, was, now)
    if path.endswith(".examples.json"):
        return _whole(path, "examples", path[10:-14], was, now)
    if path == "procedure.toml":
        return _manifest(path, was, now)
    if path.endswith(".toml"):
        return _whole(path, "scenario", _title(now or was or b"", path), was, now)
    return _whole(path, "file", path, was, now)


def _whole(path: str, what: str, name: str, was: bytes | None, now: bytes | None, name_en: str = "") -> Iterator[Change]:
    yield Change("added" if was is None else "removed" if now is None else "changed", what, path, name=name, name_en=name_en)


def _short(text: str | None) -> str:
    return (text or "")[:MAX_TEXT]


# ── diagrams ──


@dataclass
class _Node:
    """An element of a diagram, as it is compared."""

    id: str
    kind: str
    what: str
    file: str
    name: str
    name_en: str
    properties: dict[str, str] = field(default_factory=dict)
    place: tuple[float, ...] = ()
    around: frozenset[str] = frozenset()

    @property
    def called(self) -> str:
        return self.name or self.id

    @property
    def roles(self) -> tuple[str, ...]:
        role = self.properties.get("role", "")
        return (role,) if role and self.kind in TASKS else ()


def _what(kind: str) -> str:
    if kind in TASKS:
        return "step"
    if kind in ("callActivity", "subProcess", "transaction", "adHocSubProcess"):
        return "part"
    if kind.endswith("Gateway"):
        return "gateway"
    return "service" if kind.endswith("Task") else "event"


def _diagrams(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[Change]:
    sides: list[dict[str, _Node]] = []
    unreadable: set[str] = set()
    large: set[str] = set()
    for files in (old, new):
        nodes: dict[str, _Node] = {}
        for path in sorted(files):
            if path.endswith(".bpmn"):
                try:
                    found = list(itertools.islice(_nodes(path, files[path]), MAX_NODES + 1 - len(nodes)))
                except UnreadableDiagram as error:
                    found = []
                    (large if error.reason in ("too_large", "too_many_parts") else unreadable).add(path)
                if len(nodes) + len(found) > MAX_NODES:
                    large.add(path)
                else:
                    nodes.update((node.id, node) for node in found)
        sides.append(nodes)
    for path in sorted(path for path in {*old, *new} if path.endswith(".bpmn")):
        was, now = old.get(path), new.get(path)
        if was is None or now is None:
            yield from _whole(path, "diagram", _name_of(sides[now is not None], path), was, now)
        elif path in unreadable | large and was != now:
            yield Change("changed", "file", path, name=path, attribute="too_large" if path in large else "")
    whole = {path for path in {*old, *new} if path.endswith(".bpmn") and (path not in old or path not in new)} | unreadable | large
    yield from _compare(sides[0], sides[1], whole)


def _name_of(nodes: Mapping[str, _Node], path: str) -> str:
    return next((node.called for node in nodes.values() if node.file == path and node.kind == "process"), path)


def _compare(was: dict[str, _Node], now: dict[str, _Node], whole: set[str]) -> Iterator[Change]:
    pairs = {one: other for one, other in suspects(was, now).items() if was[one].file not in whole or now[other].file not in whole}
    shift, was_called = _shifts(was, now), {other: one for one, other in pairs.items()}
    flows_was, flows_now = _by_ends(was, pairs), _by_ends(now, {})
    for node in was.values():
        if node.id in now or node.id in pairs or node.file in whole:
            continue
        if node.kind == "sequenceFlow" and _way(node, pairs) in flows_now:
            continue
        yield Change("removed", node.what, node.file, node.id, node.called, node.name_en, roles=node.roles)
    for node in now.values():
        before = was.get(node.id)
        if before is None and node.id in was_called:
            before = was[was_called[node.id]]
            yield Change("renamed", node.what, node.file, node.id, node.called, node.name_en, before=before.id, after=node.id, roles=node.roles)
        if before is None and node.kind == "sequenceFlow":
            before = flows_was.get(_way(node, {}))
            before = None if before is None or before.id in now else before
        if before is None:
            if node.file not in whole:
                yield Change("added", node.what, node.file, node.id, node.called, node.name_en, roles=node.roles)
            continue
        if node.file in whole and before.file in whole and node.file != before.file:
            continue
        yield from _changed(before, node, shift.get(node.file, (0.0, 0.0)), was, now, pairs)


def _changed(
    before: _Node, node: _Node, shift: tuple[float, float], was: Mapping[str, _Node], now: Mapping[str, _Node], pairs: Mapping[str, str]
) -> Iterator[Change]:
    roles = tuple(dict.fromkeys((*before.roles, *node.roles)))
    keys = [
        key
        for key in dict.fromkeys((*before.properties, *node.properties))
        if before.properties.get(key, "") != node.properties.get(key, "")
        and not (key in REFERENCES and _same(was, now, pairs, before.properties.get(key, ""), node.properties.get(key, "")))
    ]
    for key in keys:
        one, other = before.properties.get(key, ""), node.properties.get(key, "")
        if key in REFERENCES:
            one, other = _called(was, one), _called(now, other)
        yield Change("changed", node.what, node.file, node.id, node.called, node.name_en, key, _short(one), _short(other), roles)
    if before.file != node.file:
        yield Change("changed", node.what, node.file, node.id, node.called, node.name_en, "file", before.file, node.file, roles)
    elif not keys and node.kind != "process" and _went(before, node, shift):
        yield Change("moved", node.what, node.file, node.id, node.called, node.name_en, roles=roles)


REFERENCES = ("source", "target", "default", "attached")


def _same(was: Mapping[str, _Node], now: Mapping[str, _Node], pairs: Mapping[str, str], one: str, other: str) -> bool:
    """Tell whether two ids stand for the same: one that was renamed, or a flow between the same two elements."""
    if pairs.get(one) == other:
        return True
    before, after = was.get(one), now.get(other)
    return (
        before is not None
        and after is not None
        and before.kind == after.kind == "sequenceFlow"
        and one not in now
        and _way(before, pairs) == _way(after, {})
    )


def _way(flow: _Node, pairs: Mapping[str, str]) -> tuple[str, str]:
    source, target = flow.properties["source"], flow.properties["target"]
    return pairs.get(source, source), pairs.get(target, target)


def _called(nodes: Mapping[str, _Node], key: str) -> str:
    node = nodes.get(key)
    if node is not None and node.kind == "sequenceFlow":
        return _called(nodes, node.properties.get("target", "")) or key
    return node.called if node is not None else key


def _by_ends(nodes: Mapping[str, _Node], pairs: Mapping[str, str]) -> dict[tuple[str, str], _Node]:
    return {_way(node, pairs): node for node in nodes.values() if node.kind == "sequenceFlow"}


def _went(before: _Node, node: _Node, shift: tuple[float, float]) -> bool:
    if not before.place or not node.place:
        return False
    if len(before.place) != len(node.place):
        return True
    if node.kind == "sequenceFlow":
        moves = [(now - was - shift[place % 2]) for place, (was, now) in enumerate(zip(before.place, node.place, strict=True))]
        return any(abs(move) > 1 for move in moves)
    x, y, width, height = (now - was for was, now in zip(before.place, node.place, strict=True))
    return abs(x - shift[0]) > 1 or abs(y - shift[1]) > 1 or abs(width) > 1 or abs(height) > 1


def _shifts(was: Mapping[str, _Node], now: Mapping[str, _Node]) -> dict[str, tuple[float, float]]:
    """Return by how much most of each diagram has moved as a whole: that is no change of anything."""
    found: dict[str, Counter[tuple[float, float]]] = {}
    for node in now.values():
        before = was.get(node.id)
        if before is not None and len(node.place) == 4 == len(before.place):
            found.setdefault(node.file, Counter())[(round(node.place[0] - before.place[0]), round(node.place[1] - before.place[1]))] += 1
    shifts = {}
    for path, counter in found.items():
        (shift, count), total = counter.most_common(1)[0], sum(counter.values())
        shifts[path] = shift if count * 2 > total else (0.0, 0.0)
    return shifts


def suspects(was: Mapping[str, _Node], now: Mapping[str, _Node]) -> dict[str, str]:
    """Return elements that seem to have got another id: the same kind, with the same name or between the same neighbours."""
    lost = [node for node in was.values() if node.id not in now and node.kind in FLOW_NODES]
    new = [node for node in now.values() if node.id not in was and node.kind in FLOW_NODES]
    by_name: dict[tuple[str, str], list[_Node]] = {}
    by_neighbour: dict[tuple[str, str], list[_Node]] = {}
    for node in new:
        by_name.setdefault((node.kind, node.name), []).append(node)
        for neighbour in node.around:
            by_neighbour.setdefault((node.kind, neighbour), []).append(node)
    scored = []
    for one in lost:
        likely = {other.id: other for other in by_name.get((one.kind, one.name), ())[:MAX_LIKELY] if one.name}
        for neighbour in sorted(one.around)[:MAX_LIKELY]:
            likely.update((other.id, other) for other in by_neighbour.get((one.kind, neighbour), ())[:MAX_LIKELY])
        for other in likely.values():
            names = bool(one.name) and one.name == other.name
            forms = bool(one.properties.get("form")) and one.properties.get("form") == other.properties.get("form")
            around = len(one.around & other.around) / max(1, len(one.around | other.around))
            score = 2.0 * names + 1.0 * forms + 1.5 * around
            if names or around >= 0.99 or (forms and around >= 0.5):
                scored.append((-score, one.id, other.id))
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for _score, one_id, other_id in sorted(scored):
        if one_id not in pairs and other_id not in taken:
            pairs[one_id] = other_id
            taken.add(other_id)
    return pairs


def renames(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, str]:
    """Return the elements that seem to have got another id: id in the older version → id in the newer."""
    return {change.before: change.after for change in _diagrams(old, new) if change.kind == "renamed"}


def _nodes(path: str, content: bytes) -> Iterator[_Node]:
    root = xml(content, path)
    places = dict(_places(root))
    messages = {message.get("id", ""): message.get("name", "") for message in root.iter(f"{{{BPMN}}}message")}
    for process in root.findall(f"{{{BPMN}}}process"):
        lanes = lanes_of(process)
        by_id = {node.get("id", ""): node for node in process.iter(etree.Element)}
        around: dict[str, set[str]] = {}
        for node in process.iter(f"{{{BPMN}}}sequenceFlow"):
            around.setdefault(node.get("sourceRef", ""), set()).add(node.get("targetRef", ""))
            around.setdefault(node.get("targetRef", ""), set()).add(node.get("sourceRef", ""))
        for node, inside, role in _within(process, lanes):
            if not node.tag.startswith(_BPMN) or not node.get("id"):
                continue
            kind = local(node)
            if kind in FLOW_NODES:
                made = _node(node, kind, _what(kind), path, places)
                made.properties = _properties(node, kind, inside, role or lanes.get(made.id, ""), messages)
                made.around = frozenset(around.get(made.id, ()))
            elif kind == "sequenceFlow":
                made = _node(node, kind, "flow", path, places)
                condition = node.find(f"{{{BPMN}}}conditionExpression")
                made.properties = {
                    "name": _flat_text(node.get("name")),
                    "name_en": _flat_text(node.get(f"{{{PS}}}name_en")),
                    "source": node.get("sourceRef", ""),
                    "target": node.get("targetRef", ""),
                    "condition": (condition.text or "").strip() if condition is not None else "",
                }
                if not made.name:
                    made.name, made.name_en = _ends(node, by_id, None), _ends(node, by_id, f"{{{PS}}}name_en")
            elif kind in ("lane", "process"):
                made = _node(node, kind, kind, path, places)
                made.properties = {"name": _flat_text(node.get("name")), "name_en": _flat_text(node.get(f"{{{PS}}}name_en"))}
                if kind == "process":
                    made.properties["executable"] = node.get("isExecutable", "true")
            else:
                continue
            yield made
    for message in root.iter(f"{{{BPMN}}}message"):
        if message.get("id"):
            made = _node(message, "message", "message", path, places)
            made.properties = {"name": made.name}
            yield made


def _node(node: etree._Element, kind: str, what: str, path: str, places: Mapping[str, tuple[float, ...]]) -> _Node:
    key = node.get("id", "")
    name, name_en = _flat_text(node.get("name"))[:MAX_NAME], _flat_text(node.get(f"{{{PS}}}name_en"))[:MAX_NAME]
    # A lane's id is its role, which stands in many diagrams.
    return _Node(f"{path}#{key}" if kind == "lane" else key, kind, what, path, name, name_en, place=places.get(key, ()))


def _ends(flow: etree._Element, by_id: Mapping[str, etree._Element], attribute: str | None) -> str:
    """Return what a flow without a name is called: by the elements it joins."""
    names = []
    for end in (flow.get("sourceRef", ""), flow.get("targetRef", "")):
        found = by_id.get(end)
        own = (found.get(attribute or "name") or found.get("name") or "") if found is not None else ""
        names.append((_flat_text(own) or end)[: MAX_NAME // 2])
    return " — ".join(names)


def _flat_text(text: str | None) -> str:
    return " ".join((text or "").split())


_TASK = {
    "form": "form",
    "organisation": "organisation",
    "role": "role_expression",
    "person": "person",
    "exclude": "exclude",
    "item": "item",
    "limit": "limit",
    "from": "clock_start",
    "due": "due",
    "fresh": "fresh",
    "shows": "shows",
}
_OWN_ATTRIBUTES = {"id", "name", "default", "attachedToRef", "cancelActivity", "calledElement"}
_OWN_CHILDREN = {"documentation", "extensionElements", "incoming", "outgoing", "multiInstanceLoopCharacteristics", "laneSet"}


def _within(process: etree._Element, lanes: Mapping[str, str]) -> Iterator[tuple[etree._Element, str, str]]:
    """Yield each node of a process with the id of the part it lies in, empty outside of parts, and the lane of what encloses it."""
    around = [("", "")]
    for event, node in etree.iterwalk(process, events=("start", "end")):
        if not isinstance(node.tag, str):
            continue
        if event == "end":
            around.pop()
            continue
        inside, lane = around[-1]
        yield node, inside, lane
        key = node.get("id", "")
        is_part = local(node) in SCOPES and node is not process
        around.append((key if is_part else inside, lanes.get(key, lane)))


def _own(node: etree._Element) -> dict[str, list[etree._Element]]:
    """Return our own extension elements of a node by their names."""
    found: dict[str, list[etree._Element]] = {}
    for holder in node.iterchildren(_EXTENSIONS):
        for entry in holder.iterchildren(_OURS):
            found.setdefault(local(entry), []).append(entry)
    return found


def _properties(node: etree._Element, kind: str, inside: str, lane: str, messages: Mapping[str, str]) -> dict[str, str]:
    """Return everything by which a flow node may differ, each as text.

    Args:
        inside: The part it lies in.
        lane: The lane of what encloses it, or its own.
    """
    role = node.get(f"{{{PS}}}role") or lane
    found = {
        "kind": kind,
        "name": _flat_text(node.get("name")),
        "name_en": _flat_text(node.get(f"{{{PS}}}name_en")),
        "role": role.split(".")[0],
        "phase": node.get(f"{{{PS}}}phase", ""),
        "state": node.get(f"{{{PS}}}state", ""),
        "part": inside,
        "attached": node.get("attachedToRef", ""),
        "interrupts": node.get("cancelActivity", "true") if kind == "boundaryEvent" else "",
        "called": node.get("calledElement", ""),
        "default": node.get("default", ""),
    }
    if len(node):
        found |= _inner(node, messages)
    found |= _others(node)
    return {key: value for key, value in found.items() if value}


def _inner(node: etree._Element, messages: Mapping[str, str]) -> dict[str, str]:
    """Return what is told inside a flow node."""
    found: dict[str, str] = {}
    own = _own(node)
    for task in own.get("task", ())[:1]:
        found |= {name: task.get(attribute, "") for attribute, name in _TASK.items()}
    for key, tag, left, right in (("outputs", "output", "variable", "expression"), ("sets", "set", "variable", "expression")):
        found[key] = _lines(f"{entry.get(left)} = {entry.get(right)}" for entry in own.get(tag, ()))
    for service in own.get("service", ()):
        found["service"] = service.get("name", "")
        found["arguments"] = _lines(f"{entry.get('name')} = {entry.get('expression')}" for entry in service.findall(f"{{{PS}}}argument"))
    found["arms"] = _lines(" ".join(filter(None, (entry.get("limit"), entry.get("from")))) for entry in own.get("arm", ()))
    found["meets"] = _lines(entry.get("limit", "") for entry in own.get("meet", ()))
    for message in own.get("message", ()):
        found |= {"message_role": message.get("role", ""), "message_form": message.get("form", "")}
    found["documentation_en"] = "\n".join((entry.text or "").strip() for entry in own.get("documentation_en", ()))
    documentation = []
    for child in node.iterchildren(etree.Element):
        tag = local(child)
        if tag == "documentation" and child.tag == f"{_BPMN}documentation":
            documentation.append((child.text or "").strip())
        elif tag == "timerEventDefinition":
            found["timer"] = _lines(f"{local(entry)}: {(entry.text or '').strip()}" for entry in child if isinstance(entry.tag, str))
        elif tag == "messageEventDefinition":
            found["message"] = messages.get(child.get("messageRef", ""), child.get("messageRef", ""))
        elif tag == "multiInstanceLoopCharacteristics":
            found["instances"] = _flat(child)
        elif tag.endswith("EventDefinition"):
            found["event"] = _flat(child)
    found["documentation"] = "\n".join(documentation)
    return found


def _others(node: etree._Element) -> dict[str, str]:
    """Return what none of the names above covers, so that no change goes untold."""
    known = {"task", "output", "set", "service", "arm", "meet", "message", "documentation_en"}
    found: dict[str, list[str]] = {}
    holder = node.find(f"{{{BPMN}}}extensionElements")
    for entry in holder if holder is not None else ():
        if not isinstance(entry.tag, str) or (entry.tag.startswith(f"{{{PS}}}") and local(entry) in known):
            continue
        name = local(entry) if entry.tag.startswith(f"{{{PS}}}") else "extension"
        found.setdefault(name if name in ("decision", "escalation", "quorum") else "extension", []).append(_flat(entry))
    rest = [f"{key.rpartition('}')[2]}={value}" for key, value in _attributes_of(node) if not _is_own(key)]
    if local(node) not in SCOPES:
        rest += [
            _flat(child)
            for child in node
            if isinstance(child.tag, str) and local(child) not in _OWN_CHILDREN and not local(child).endswith("EventDefinition")
        ]
    if rest:
        found["other"] = rest
    return {key: _lines(values) for key, values in found.items()}


def _attributes_of(node: etree._Element) -> list[tuple[str, str]]:
    return sorted((str(key), str(value)) for key, value in node.attrib.items())


def _is_own(attribute: str) -> bool:
    if attribute.startswith(f"{{{PS}}}"):
        return attribute.rpartition("}")[2] in ("name_en", "role", "phase", "state")
    return attribute in _OWN_ATTRIBUTES


def _lines(parts: Iterable[str | None]) -> str:
    return "\n".join(part for part in parts if part)


def _flat(node: etree._Element, depth: int = 0) -> str:
    """Return an element with all that is in it on one line; without ids, which editors give anew."""
    inner = [] if depth > 12 else [_flat(child, depth + 1) for child in node if isinstance(child.tag, str)]
    own = [f"{key.rpartition('}')[2]}={value}" for key, value in _attributes_of(node) if key != "id" and not key.startswith("{http://www.w3.org")]
    text = " ".join(filter(None, [*own, (node.text or "").strip(), *inner]))
    return f"{local(node)}({text})" if text else local(node)


def _places(root: etree._Element) -> Iterator[tuple[str, tuple[float, ...]]]:
    for shape in root.iter(f"{{{DI}}}BPMNShape"):
        bounds = shape.find(f"{{{DC}}}Bounds")
        if bounds is not None:
            yield shape.get("bpmnElement", ""), tuple(_number(bounds.get(key)) for key in ("x", "y", "width", "height"))
    for edge in root.iter(f"{{{DI}}}BPMNEdge"):
        points = [entry for entry in edge if isinstance(entry.tag, str) and local(entry) == "waypoint"]
        yield edge.get("bpmnElement", ""), tuple(_number(point.get(key)) for point in points for key in ("x", "y"))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def marks(changes: Sequence[Change], *, is_old: bool) -> dict[str, str]:
    """Return how the elements of one side's diagrams are marked: id → `added`, `removed`, `changed` or `moved`."""
    found: dict[str, str] = {}
    was_called = {change.after: change.before for change in changes if change.kind == "renamed"}
    for change in changes:
        if not change.element or not change.file.endswith(".bpmn") or change.what in ("process", "message", "lane", "diagram"):
            continue
        key = was_called.get(change.element, change.element) if is_old else change.element
        kind = "changed" if change.kind == "renamed" else change.kind
        if (kind == "added" and is_old) or (kind == "removed" and not is_old):
            continue
        if found.get(key) != "changed":
            found[key] = kind
    return found


# ── decision tables ──


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table or form beside its former self.

    Attributes:
        kind: `added`, `removed`, `changed`, or empty for what stayed.
        before, after: Its cells, each column by its place.
    """

    kind: str
    key: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    id: str
    name: str
    policy: str
    inputs: tuple[tuple[str, str, str], ...]
    outputs: tuple[tuple[str, str, str], ...]
    rules: tuple[tuple[str, tuple[str, ...]], ...]
    logic: str


def _tree(content: bytes) -> etree._Element:
    try:
        return dmn.parse_xml(content)
    except ModelRefused:
        raise Unreadable from None


def _all(node: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in node if isinstance(child.tag, str) and local(child) == name]


def _text_in(node: etree._Element, *names: str) -> str:
    for name in names:
        found = _all(node, name)
        if not found:
            return ""
        node = found[0]
    return (node.text or "").strip()


def _read_tables(content: bytes | None) -> dict[str, _Table]:
    found: dict[str, _Table] = {}
    if content is None:
        return found
    for decision in _tree(content).iterchildren("{*}decision"):
        key, name = decision.get("id", ""), decision.get("name", "")
        tables = _all(decision, "decisionTable")
        if not tables:
            parts = [child for child in decision.iterchildren(etree.Element) if local(child) not in ("variable", "extensionElements")]
            logic = _lines(map(_flat, parts[:MAX_PARTS])) + (f" … {zlib.crc32(etree.tostring(decision)):08x}" if len(parts) > MAX_PARTS else "")
            found[key] = _Table(key, name, "", (), (), (), logic)
            continue
        table = tables[0]
        inputs = tuple(
            (entry.get("id", ""), entry.get("label", "") or _text_in(entry, "inputExpression", "text"), _text_in(entry, "inputExpression", "text"))
            for entry in _all(table, "input")
        )
        outputs = tuple(
            (entry.get("id", ""), entry.get("label", "") or entry.get("name", ""), entry.get("name", "")) for entry in _all(table, "output")
        )
        rules = tuple(
            (
                rule.get("id", ""),
                tuple(
                    _text_in(entry, "text")
                    for entry in rule
                    if isinstance(entry.tag, str) and local(entry) in ("inputEntry", "outputEntry", "annotationEntry")
                ),
            )
            for rule in _all(table, "rule")
        )
        policy = " ".join(filter(None, (table.get("hitPolicy", "UNIQUE"), table.get("aggregation"))))
        found[key] = _Table(key, name, policy, inputs, outputs, rules, "")
    return found


def _tables(path: str, was: bytes | None, now: bytes | None) -> Iterator[Change]:
    old, new = _read_tables(was), _read_tables(now)
    for key, table in old.items():
        if key not in new:
            yield Change("removed", "table", path, key, table.name or key)
    for key, table in new.items():
        before, name = old.get(key), table.name or key
        if before is None:
            yield Change("added", "table", path, key, name)
            continue
        for attribute in ("name", "policy", "logic"):
            if getattr(before, attribute) != getattr(table, attribute):
                yield Change(
                    "changed", "table", path, key, name, "", attribute, _short(getattr(before, attribute)), _short(getattr(table, attribute))
                )
        yield from _columns(path, "input", before.inputs, table.inputs, name)
        yield from _columns(path, "output", before.outputs, table.outputs, name)
        numbers = _numbers(before), _numbers(table)
        for row in _rule_rows(before, table):
            if row.kind == "order":
                yield Change("changed", "table", path, key, name, "", "order", _short(" ".join(row.before)), _short(" ".join(row.after)))
            elif row.kind:
                number = numbers[row.kind != "removed"].get((row.key, row.before if row.kind == "removed" else row.after)) or row.key
                what = "cells" if row.kind == "changed" else ""
                yield Change(
                    row.kind, "rule", path, row.key, f"{name} · {number}", "", what, _short(" | ".join(row.before)), _short(" | ".join(row.after))
                )


def _numbers(table: _Table) -> dict[tuple[str, tuple[str, ...]], int]:
    """Return the places of rules, from 1; of several that are the same, the first."""
    return {rule: place for place, rule in reversed(list(enumerate(table.rules, 1)))}


def _columns(path: str, what: str, old: tuple[tuple[str, str, str], ...], new: tuple[tuple[str, str, str], ...], table: str) -> Iterator[Change]:
    before, after = {entry[0] or entry[2]: entry for entry in old}, {entry[0] or entry[2]: entry for entry in new}
    for key, entry in before.items():
        if key not in after:
            yield Change("removed", what, path, key, f"{table} · {entry[1]}")
    for key, entry in after.items():
        if key not in before:
            yield Change("added", what, path, key, f"{table} · {entry[1]}")
        else:
            for place, attribute in ((1, "label"), (2, "expression")):
                if before[key][place] != entry[place]:
                    yield Change("changed", what, path, key, f"{table} · {entry[1]}", "", attribute, _short(before[key][place]), _short(entry[place]))


def _rule_rows(old: _Table, new: _Table) -> list[Row]:
    """Pair the rules of a table: by all they say and their ids, by what they say, then by their ids."""
    left = dict(enumerate(old.rules))
    whole, cells = _places_of(enumerate(old.rules)), _places_of((place, rule[1]) for place, rule in left.items())
    paired: list[int | None] = []
    for rule in new.rules:
        place = _first(whole.get(rule), left)
        place = _first(cells.get(rule[1]), left) if place is None else place
        if place is not None:
            del left[place]
        paired.append(place)
    by_id = {key: place for place, (key, _cells) in left.items() if key}
    for number, (key, _cells) in enumerate(new.rules):
        if paired[number] is None and key in by_id:
            paired[number] = place = by_id.pop(key)
            del left[place]
    rows = []
    for place, (key, after) in zip(paired, new.rules, strict=True):
        before = None if place is None else old.rules[place][1]
        rows.append(Row("added" if before is None else "" if before == after else "changed", key, before or (), after))
    rows += [Row("removed", key, before, ()) for key, before in left.values()]
    kept = [place for place in paired if place is not None]
    if kept != sorted(kept):
        rows.append(Row("order", "", tuple(str(place + 1) for place in sorted(kept)), tuple(str(place + 1) for place in kept)))
    return rows


def _places_of(entries: Iterable[tuple[int, Any]]) -> dict[Any, deque[int]]:
    found: dict[Any, deque[int]] = {}
    for place, entry in entries:
        found.setdefault(entry, deque()).append(place)
    return found


def _first(places: deque[int] | None, left: Mapping[int, Any]) -> int | None:
    """Take the first of some places that is still left."""
    while places:
        place = places.popleft()
        if place in left:
            return place
    return None


@dataclass(frozen=True)
class TableBeside:
    """A decision table beside its former self: names of its columns, its rules, and how many of those are left out."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    left: int = 0


def tables_beside(was: bytes | None, now: bytes | None, most: int = MAX_ROWS) -> list[TableBeside]:
    """Return the decision tables of a file for reading, old and new in one.

    Args:
        most: How many rules are shown; of a larger table first those that changed. How many are left out stands in `left`.
    """
    try:
        old, new = _read_tables(was), _read_tables(now)
    except Unreadable:
        return []
    found = []
    for key in [*new, *(key for key in old if key not in new)]:
        empty = _Table(key, "", "", (), (), (), "")
        before, after = old.get(key, empty), new.get(key, empty)
        shown = after if after.rules or after.inputs else before
        rows = tuple(row for row in _rule_rows(before, after) if row.kind != "order")
        kept = rows if len(rows) <= most else tuple(row for row in rows if row.kind)[:most]
        most -= len(kept)
        columns = tuple(entry[1] for entry in (*shown.inputs, *shown.outputs))
        found.append(TableBeside(after.name or before.name or key, columns, kept, len(rows) - len(kept)))
    return found


# ── forms ──

_SKIPPED = {"id", "key", "path", "components", "type"}
FORM_PROPERTIES = ("title", "title_en", "audience", "review", "source", "checks", "tells", "township")


def _read_form(content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {}
    try:
        found = json.loads(content) if forms.is_small(content) else None
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(found, dict):
        raise Unreadable
    return found


def _fields(schema: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the fields of a form by their path, each with all that can be said of it as text."""
    found: dict[str, dict[str, str]] = {}

    def gather(components: Any, path: str, section: str, depth: int) -> None:
        for component in components if isinstance(components, list) and depth < 12 else ():
            if not isinstance(component, dict):
                continue
            key = str(component.get("key") or component.get("path") or "")
            own = f"{path}.{key}" if path and key else key or path
            kind, label = str(component.get("type", "")), str(component.get("label") or component.get("text") or "")
            if key or kind not in ("group", "dynamiclist"):
                name = own if key else f"{path}#{component.get('id', '')}"
                flat = {"type": kind, "section": section, **_attributes({name: value for name, value in component.items() if name not in _SKIPPED})}
                found[name] = {name: value for name, value in flat.items() if value}
            inner = label if kind == "group" and not key else section
            if kind in ("group", "dynamiclist"):
                gather(component.get("components"), own, inner, depth + 1)

    gather(schema.get("components"), "", "", 0)
    return found


def _attributes(value: Any, prefix: str = "", depth: int = 0) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, entry in value.items():
        key = f"{prefix}{name}"
        if isinstance(entry, dict) and depth < 4:
            found |= _attributes(entry, f"{key}.", depth + 1)
        elif isinstance(entry, list):
            found[key] = _lines(
                f"{row.get('value')} {row.get('label')}" if isinstance(row, dict) and "value" in row else _json(row) for row in entry[:400]
            )
        elif entry is not None and entry is not False:
            found[key] = _text(entry)
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _label(entry: Mapping[str, str], key: str) -> tuple[str, str]:
    return entry.get("label") or entry.get("text") or key, entry.get("properties.en", "")


def _form(path: str, was: bytes | None, now: bytes | None) -> Iterator[Change]:
    old, new = _read_form(was), _read_form(now)
    ours_old, ours_new = (_mapping(schema.get("pingshen")) for schema in (old, new))
    ours = ours_new or ours_old
    title, title_en = str(ours.get("title") or path[6:-5]), str(ours.get("title_en") or "")
    if was is None or now is None:
        yield from _whole(path, "form", title, was, now, title_en)
        return
    for key in FORM_PROPERTIES:
        one, other = _plain_text(ours_old.get(key)), _plain_text(ours_new.get(key))
        if one != other:
            yield Change("changed", "form", path, "", title, title_en, key, one, other)
    before, after = _fields(old), _fields(new)
    for key, entry in before.items():
        if key not in after:
            yield Change("removed", "field", path, key, *_label(entry, key))
    for key, entry in after.items():
        label = _label(entry, key)
        if key not in before:
            yield Change("added", "field", path, key, *label)
            continue
        for name in dict.fromkeys((*before[key], *entry)):
            one, other = before[key].get(name, ""), entry.get(name, "")
            if one != other:
                yield Change("changed", "field", path, key, *label, name, _short(one), _short(other))
    shared_old, shared_new = [key for key in before if key in after], [key for key in after if key in before]
    if shared_old != shared_new:
        yield Change("changed", "form", path, "", title, title_en, "order")
    yield from _checks(path, ours_old, ours_new)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _plain_text(value: Any) -> str:
    return "" if value is None or value is False else _short(_text(value))


def _checks(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    def listed(ours: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        rules = ours.get("rules")
        return {str(rule.get("id", place)): rule for place, rule in enumerate(rules if isinstance(rules, list) else ()) if isinstance(rule, dict)}

    before, after = listed(old), listed(new)
    for key, rule in before.items():
        if key not in after:
            yield Change("removed", "check", path, key, str(rule.get("zh") or key), str(rule.get("en") or ""))
    for key, rule in after.items():
        name, name_en = str(rule.get("zh") or key), str(rule.get("en") or "")
        if key not in before:
            yield Change("added", "check", path, key, name, name_en)
            continue
        for attribute in ("level", "field", "when", "zh", "en"):
            one, other = _plain_text(before[key].get(attribute)), _plain_text(rule.get(attribute))
            if one != other:
                yield Change("changed", "check", path, key, name, name_en, attribute, one, other)


def form_title(content: bytes) -> tuple[str, str]:
    """Return what a form is called, in both languages; nothing where it cannot be read."""
    try:
        ours = _mapping(_read_form(content).get("pingshen"))
    except Unreadable:
        return "", ""
    return _plain_text(ours.get("title")), _plain_text(ours.get("title_en"))


def form_beside(was: bytes | None, now: bytes | None) -> list[Row]:
    """Return the fields of a form for reading, old and new in one: label, kind, required, identity class, choices, condition."""
    try:
        before, after = _fields(_read_form(was)), _fields(_read_form(now))
    except Unreadable:
        return []

    def cells(entry: Mapping[str, str] | None) -> tuple[str, ...]:
        if entry is None:
            return ()
        required = entry.get("validate.required") or entry.get("properties.required_if", "")
        choices = entry.get("valuesKey") or entry.get("values", "")
        return _label(entry, "")[0], entry.get("type", ""), required, entry.get("properties.id", ""), choices, entry.get("conditional.hide", "")

    rows = []
    for key in [*after, *(key for key in before if key not in after)]:
        one, other = before.get(key), after.get(key)
        kind = "added" if one is None else "removed" if other is None else "changed" if one != other else ""
        rows.append(Row(kind, key, cells(one), cells(other)))
    return rows


# ── the manifest and the rest ──


def _manifest(path: str, was: bytes | None, now: bytes | None) -> Iterator[Change]:
    old, new = _toml(was), _toml(now)
    for key in dict.fromkeys((*old, *new)):
        if key in ("shared", "forms", "decisions"):  # their files are told themselves
            continue
        one, other = _plain_text(old.get(key)), _plain_text(new.get(key))
        if one != other:
            yield Change(
                "changed", "manifest", path, key, str(new.get("name") or old.get("name") or ""), str(new.get("name_en") or ""), key, one, other
            )


def _toml(content: bytes | None) -> dict[str, Any]:
    try:
        return bounded_toml(content or b"")
    except (ValueError, RecursionError):
        raise Unreadable from None


def _title(content: bytes, path: str) -> str:
    try:
        return str(_toml(content).get("name") or path)
    except Unreadable:
        return path


# ── the summary ──

SECTIONS: Mapping[str, frozenset[str]] = {
    "limits": frozenset({"limit", "due", "clock_start", "timer", "arms", "meets"}),
    "people": frozenset({"role", "role_expression", "organisation", "person", "exclude", "message_role", "quorum", "escalation"}),
}
ORDER = ("steps", "people", "limits", "ways", "decisions", "forms", "rest")


@dataclass(frozen=True)
class Summary:
    """What changes, ordered for a reader: by subject, and for each role the steps that change for it.

    Attributes:
        sections: `steps`, `people`, `limits`, `ways`, `decisions`, `forms`, `rest`, each with its changes.
        roles: Role → the changes at its steps.
        counts: How many of each kind.
    """

    sections: Mapping[str, Sequence[Change]]
    roles: Mapping[str, Sequence[Change]]
    counts: Mapping[str, int]


def summary(changes: Sequence[Change]) -> Summary:
    """Order changes for a written summary. What only moved in a drawing is counted and not told."""
    sections: dict[str, list[Change]] = {key: [] for key in ORDER}
    roles: dict[str, list[Change]] = {}
    for change in changes:
        if change.kind == "moved":
            continue
        sections[_section(change)].append(change)
        for role in change.roles:
            roles.setdefault(role, []).append(change)
    return Summary(
        {key: found for key, found in sections.items() if found}, dict(sorted(roles.items())), dict(Counter(change.kind for change in changes))
    )


def _section(change: Change) -> str:
    found = next((section for section, properties in SECTIONS.items() if change.attribute in properties), None)
    if found is not None and change.file.endswith(".bpmn"):
        return found
    if change.what in ("form", "field", "check"):
        return "forms"
    if change.what in ("table", "rule", "input", "output", "examples"):
        return "decisions"
    if change.what in ("flow", "gateway"):
        return "ways"
    return "steps" if change.what in ("step", "part", "event", "service", "diagram") else "rest"
