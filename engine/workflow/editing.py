"""One edit of a diagram under way: its tree, its picture, and the words by which elements, values and flows are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from lxml import etree

from engine.errors import N_, EngineError
from engine.workflow import markup, outlining
from engine.workflow.markup import XSI, Markup
from engine.workflow.outlining import DECISION, PARTS
from engine.workflow.reading import BPMN, FLOW_NODES, PS, extensions, local
from engine.workflow.redrawing import GAP, Box, Picture, room, size

MAX_TEXT = 4000
MAX_ELEMENTS = 400  # as many as a diagram may have to be deployed
MAX_ROWS = 60
TASKS = ("userTask", "serviceTask", "scriptTask", "businessRuleTask", "callActivity")
GATEWAYS = ("exclusiveGateway", "parallelGateway", "inclusiveGateway")
ANY_TASK = (*TASKS, "task", "manualTask", "sendTask", "receiveTask", *PARTS)
CALLED = {  # what a new element is called when its English name gives no id
    "userTask": "step",
    "serviceTask": "service",
    "scriptTask": "note",
    "businessRuleTask": "rule",
    "callActivity": "part",
    "exclusiveGateway": "decision",
    "inclusiveGateway": "decision",
    "parallelGateway": "parallel",
    "boundaryEvent": "overdue",
    "endEvent": "end",
}
OF_KIND = {"userTask": ("task", "output"), "serviceTask": ("service",), "scriptTask": ("set",), "businessRuleTask": ("decision",)}
_ORDER = ("documentation_en", "task", "output", "set", "service", "decision", "arm", "meet", "message")
_UNFIT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class EditRefused(EngineError):
    """The edit cannot be done; the diagram stays as it is. `field` names the value that does not fit, where it is one."""

    def __init__(self, sentence: str, field: str = "", **fields: Any) -> None:
        super().__init__(**fields)
        self.sentence, self.field = sentence, field  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Edited:
    """The diagram after an edit, and the element at which a reader goes on."""

    content: bytes
    element: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is put in: behind an element, before it, or on a flow."""

    after: str = ""
    before: str = ""
    flow: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """A step that does not exist yet. `lane` is a lane or a role that has one; without it the lane of its neighbour."""

    kind: str = "userTask"
    name: str = ""
    name_en: str = ""
    lane: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Branch:
    """A way out of a decision.

    Attributes:
        leads: `on`: to what follows the decision; `step`: to `step`, then on; `end`: to an end of its own; or the id of an element.
    """

    name: str = ""
    name_en: str = ""
    condition: str = ""
    is_default: bool = False
    leads: str = "on"
    step: New | None = None


class Values:
    """Writes values into an element, each in the place that the schema and the engine expect."""

    def __init__(self, edit: Edit, node: etree._Element) -> None:
        self.edit, self.node = edit, node

    def set(self, values: Mapping[str, Any]) -> None:
        """Write them; an unknown one is refused."""
        plain: dict[str, Callable[[str], None]] = {
            "name": self._name,
            "name_en": lambda text: self._attribute(f"{{{PS}}}name_en", text),
            "phase": lambda text: self._attribute(f"{{{PS}}}phase", text),
            "state": lambda text: self._attribute(f"{{{PS}}}state", text),
            "role": lambda text: self._attribute(f"{{{PS}}}role", text),
            "documentation": self._documentation,
            "documentation_en": lambda text: self._said("documentation_en", text),
            "called": lambda text: self._attribute("calledElement", text),
            "condition": self._condition,
            "message": self._message,
        }
        task = ("form", "organisation", "person", "exclude", "item", "limit", "from", "due", "shows")
        several = {"collection", "item_name", "results", "result_name", "completion", "cardinality", "in_turn"}
        for key, value in values.items():
            if key in plain:
                plain[key](self._text(key, value))
            elif key in task:
                self._extension("task", key, self._text(key, value), needs="form")
            elif key == "task_role":
                self._extension("task", "role", self._text(key, value), needs="form")
            elif key == "fresh":
                self._extension("task", "fresh", "true" if value in (True, "true", "y") else "", needs="form")
            elif key == "outputs":
                self._rows("output", key, value, ("variable", "expression"))
            elif key == "sets":
                self._rows("set", key, value, ("variable", "expression"))
            elif key == "arms":
                self._rows("arm", key, value, ("limit", "from"), whole=1)
            elif key == "meets":
                self._rows("meet", key, [(entry,) for entry in value or ()], ("limit",))
            elif key == "service":
                self._extension("service", "name", self._text(key, value), needs="name")
            elif key == "arguments":
                self._inside("service", "argument", key, value)
            elif key in DECISION:
                self._extension("decision", DECISION[key], self._text(key, value))
            elif key == "inputs":
                self._inside("decision", "input", key, value)
            elif key in ("message_role", "message_form"):
                self._extension("message", key.removeprefix("message_"), self._text(key, value), needs="role")
            elif key == "interrupts":
                self.node.set("cancelActivity", "true" if value else "false")
            elif key == "lane":
                self.edit.to_lane(self.node, self._text(key, value))
            elif key == "is_default":
                self._default(bool(value))
            elif key not in several and key not in ("timer", "timer_kind"):
                raise EditRefused(N_("没有“%(name)s”这一项。"), key, name=key)
        if "timer" in values or "timer_kind" in values:
            self._timer(values)
        if several & set(values):
            self._several(values)
        self.edit.arrange(self.node)

    def _text(self, key: str, value: Any) -> str:
        return self.edit.fit(value, key)

    def _attribute(self, name: str, text: str) -> None:
        if text:
            self.node.set(name, text)
        else:
            markup.unset(self.node, name)

    def _name(self, text: str) -> None:
        text = " ".join(text.split())
        if len(text) > 200:
            raise EditRefused(N_("名称太长。"), "name")
        if text == " ".join((self.node.get("name") or "").split()):
            return
        self._attribute("name", text)
        identifier = self.node.get("id", "")
        self.edit.touched.append(identifier)
        self.edit.fit_box(identifier)

    def _documentation(self, text: str) -> None:
        there = self.node.findall(f"{{{BPMN}}}documentation")
        if "\n".join((entry.text or "").strip() for entry in there) == text:
            return
        for entry in there[1:] if text else there:
            markup.remove(entry)
        if text:
            entry = there[0] if there else markup.make(self.node, f"{{{BPMN}}}documentation", {})
            if not there:
                markup.insert(self.node, 0, entry)
            entry.text = text

    def _said(self, name: str, text: str) -> None:
        there = extensions(self.node, name)
        if there and (there[0].text or "").strip() == text:
            return
        if not text:
            for entry in there:
                self.edit.drop_extension(self.node, entry)
            return
        (there[0] if there else self.edit.extension(self.node, name)).text = text

    def _extension(self, tag: str, attribute: str, text: str, needs: str = "") -> None:
        there = extensions(self.node, tag)
        if not there and not text:
            return
        entry = there[0] if there else self.edit.extension(self.node, tag)
        if text:
            entry.set(attribute, text)
        else:
            markup.unset(entry, attribute)
            if not entry.attrib or (attribute == needs and attribute == "name"):
                self.edit.drop_extension(self.node, entry)

    def _pairs(self, key: str, value: Any) -> list[tuple[str, ...]]:
        rows = [tuple(self.edit.fit(cell, key) for cell in row) for row in value or ()]
        rows = [row for row in rows if any(row)]
        if len(rows) > MAX_ROWS:
            raise EditRefused(N_("行数太多。"), key)
        return rows

    def _rows(self, tag: str, key: str, value: Any, attributes: tuple[str, ...], whole: int = 2) -> None:
        rows = self._pairs(key, value)
        if any(not cell for row in rows for cell in row[: min(whole, len(attributes))]):
            raise EditRefused(N_("每一行都要填完整。"), key)
        there = extensions(self.node, tag)
        if [tuple(entry.get(name, "") for name in attributes) for entry in there] == rows:
            return
        for entry in there[len(rows) :]:
            self.edit.drop_extension(self.node, entry)
        for place, row in enumerate(rows):
            entry = there[place] if place < len(there) else self.edit.extension(self.node, tag)
            for name, cell in zip(attributes, row, strict=True):
                if cell:
                    entry.set(name, cell)
                else:
                    markup.unset(entry, name)

    def _inside(self, tag: str, inner: str, key: str, value: Any) -> None:
        rows = self._pairs(key, value)
        if any(not row[0] or not row[1] for row in rows):
            raise EditRefused(N_("每一行都要填完整。"), key)
        there = extensions(self.node, tag)
        if not there:
            if rows:
                raise EditRefused(N_("请先选服务或决策。"), "service" if tag == "service" else "decision")
            return
        now = there[0].findall(f"{{{PS}}}{inner}")
        if [(entry.get("name", ""), entry.get("expression", "")) for entry in now] == rows:
            return
        for entry in now[len(rows) :]:
            markup.remove(entry)
        for place, (name, expression) in enumerate(cast("list[tuple[str, str]]", rows)):
            entry = now[place] if place < len(now) else markup.make(there[0], f"{{{PS}}}{inner}", {})
            if place >= len(now):
                markup.append(there[0], entry)
            entry.set("name", name)
            entry.set("expression", expression)

    def _condition(self, text: str) -> None:
        there = self.node.find(f"{{{BPMN}}}conditionExpression")
        if not text:
            if there is not None:
                markup.remove(there)
            return
        if there is not None:
            if (there.text or "").strip() != text:
                there.text = text
        else:
            self.edit.formal(self.node, "conditionExpression", text)
        source = self.edit.nodes.get(self.node.get("sourceRef", ""))
        if source is not None and source.get("default") == self.node.get("id"):
            markup.unset(source, "default")

    def _default(self, wanted: bool) -> None:
        source = self.edit.nodes.get(self.node.get("sourceRef", ""))
        if source is None or local(source) not in ("exclusiveGateway", "inclusiveGateway"):
            if wanted:
                raise EditRefused(N_("只有决定的分支能设为“其他情况”。"), "is_default")
            return
        if wanted:
            source.set("default", self.node.get("id", ""))
            self._condition("")
            source.set("default", self.node.get("id", ""))
        elif source.get("default") == self.node.get("id"):
            markup.unset(source, "default")

    def _message(self, text: str) -> None:
        definition = self.node.find(f"{{{BPMN}}}messageEventDefinition")
        if definition is None or not text:
            if text or definition is not None:
                raise EditRefused(N_("消息要有名称，并且只有消息事件才有。"), "message")
            return
        root = self.edit.root
        for entry in root.findall(f"{{{BPMN}}}message"):
            if entry.get("name") == text:
                definition.set("messageRef", entry.get("id", ""))
                return
        entry = markup.make(root, f"{{{BPMN}}}message", {"id": self.edit.id_of(f"message_{snake(text) or 'sent'}"), "name": text})
        process = self.edit.process("")
        markup.insert(root, root.index(process) + 1, entry)
        definition.set("messageRef", entry.get("id", ""))

    def _timer(self, values: Mapping[str, Any]) -> None:
        definition = self.node.find(f"{{{BPMN}}}timerEventDefinition")
        if definition is None:
            raise EditRefused(N_("只有定时事件才有时间。"), "timer")
        now = next((child for child in definition if isinstance(child.tag, str) and local(child).startswith("time")), None)
        kind = self._text("timer_kind", values.get("timer_kind", local(now) if now is not None else "timeDate"))
        text = self._text("timer", values.get("timer", (now.text or "").strip() if now is not None else ""))
        if kind not in ("timeDate", "timeDuration"):
            raise EditRefused(N_("定时只能是时刻或时长。"), "timer_kind")
        if not text:
            raise EditRefused(N_("请填时间。"), "timer")
        if now is not None and local(now) == kind:
            if (now.text or "").strip() != text:
                now.text = text
            return
        if now is not None:
            markup.remove(now)
        self.edit.formal(definition, kind, text)

    def _several(self, values: Mapping[str, Any]) -> None:
        now = outlining.values(self.node)
        wanted = {key: self._text(key, values.get(key, now.get(key, ""))) for key in ("collection", "item_name", "results", "result_name")}
        wanted |= {key: self._text(key, values.get(key, now.get(key, ""))) for key in ("completion", "cardinality")}
        in_turn = bool(values.get("in_turn", now.get("in_turn", False)))
        loop = self.node.find(f"{{{BPMN}}}multiInstanceLoopCharacteristics")
        if not wanted["collection"] and not wanted["cardinality"]:
            if loop is not None:
                markup.remove(loop)
            return
        if {key: now.get(key, "") for key in wanted} == wanted and now.get("in_turn", False) == in_turn:
            return
        if loop is not None:
            markup.remove(loop)
        loop = markup.make(self.node, f"{{{BPMN}}}multiInstanceLoopCharacteristics", {})
        if in_turn:
            loop.set("isSequential", "true")
        markup.append(self.node, loop)
        if wanted["cardinality"]:
            self.edit.formal(loop, "loopCardinality", wanted["cardinality"])
        for key, tag in (("collection", "loopDataInputRef"), ("results", "loopDataOutputRef")):
            if wanted[key]:
                entry = markup.make(loop, f"{{{BPMN}}}{tag}", {})
                entry.text = wanted[key]
                markup.append(loop, entry)
        for key, tag in (("item_name", "inputDataItem"), ("result_name", "outputDataItem")):
            if wanted[key]:
                identifier = wanted[key] if wanted[key] not in self.edit.used else self.edit.id_of(f"{self.node.get('id')}_{wanted[key]}")
                markup.append(loop, markup.make(loop, f"{{{BPMN}}}{tag}", {"id": identifier, "name": wanted[key]}))
        if wanted["completion"]:
            self.edit.formal(loop, "completionCondition", wanted["completion"])


# ── one edit ──


class Edit:
    """A diagram while it is edited: its tree, its picture, and the elements whose place or way must be found anew."""

    def __init__(self, content: bytes, taken: Collection[str]) -> None:
        self.text = Markup(content)
        self.root = self.text.root
        self.nodes: dict[str, etree._Element] = {}
        self.flows: dict[str, etree._Element] = {}
        self.used = set(taken)
        for node in self.root.iter(etree.Element):
            identifier = node.get("id")
            if identifier:
                self.used.add(identifier)
            if isinstance(node.tag, str) and node.tag.startswith(f"{{{BPMN}}}") and identifier:
                if local(node) in FLOW_NODES:
                    self.nodes[identifier] = node
                elif local(node) == "sequenceFlow":
                    self.flows[identifier] = node
        if len(self.nodes) > MAX_ELEMENTS:
            raise EditRefused(N_("一张图最多 %(most)s 个元素。"), most=MAX_ELEMENTS)
        self.picture = Picture(self.root)
        self.touched: list[str] = []

    def done(self, element: str) -> Edited:
        """Bring the picture in order and return the text."""
        picture = self.fresh_picture()
        picture.tidy(self.touched)
        picture.write()
        return Edited(self.text.to_bytes(), element)

    def fresh_picture(self) -> Picture:
        """Return the picture with what the tree says now."""
        self.picture.look()
        return self.picture

    # what is there

    def node(self, identifier: str) -> etree._Element:
        """Return a flow node.

        Raises:
            EditRefused: there is none.
        """
        if identifier not in self.nodes:
            raise EditRefused(N_("没有这一步，图可能刚改过。"))
        return self.nodes[identifier]

    def lane(self, identifier: str) -> etree._Element:
        """Return a lane."""
        for lane in self.root.iter(f"{{{BPMN}}}lane"):
            if lane.get("id") == identifier:
                return lane
        raise EditRefused(N_("没有这条泳道，图可能刚改过。"))

    def process(self, identifier: str) -> etree._Element:
        """Return a process; without an id the first."""
        for process in self.root.findall(f"{{{BPMN}}}process"):
            if identifier in ("", process.get("id")):
                return process
        raise EditRefused(N_("图里没有流程。"))

    def scope(self, node: etree._Element) -> etree._Element:
        """Return the process or embedded part in which a node or flow stands."""
        parent = node.getparent()
        assert parent is not None
        return parent

    def scope_id(self, node: etree._Element) -> str:
        """Return its id."""
        return str(self.scope(node).get("id", ""))

    def out(self, identifier: str) -> list[str]:
        """Return the flows that leave a node."""
        return [name for name, flow in self.flows.items() if flow.get("sourceRef") == identifier]

    def into(self, identifier: str) -> list[str]:
        """Return the flows that reach a node."""
        return [name for name, flow in self.flows.items() if flow.get("targetRef") == identifier]

    def lane_of(self, identifier: str) -> str:
        """Return the lane of a node; of one in an embedded part, that of the part."""
        found = ""
        for lane in self.root.iter(f"{{{BPMN}}}lane"):
            if any((entry.text or "").strip() == identifier for entry in lane.findall(f"{{{BPMN}}}flowNodeRef")):
                found = lane.get("id", "")
        return found

    def reached(self, scope: etree._Element) -> set[str]:
        """Return the nodes of a scope that lie on a way from its start."""
        mine = {child.get("id", ""): child for child in scope if isinstance(child.tag, str) and local(child) in FLOW_NODES}
        ahead: dict[str, list[str]] = {}
        for flow in self.flows.values():
            ahead.setdefault(flow.get("sourceRef", ""), []).append(flow.get("targetRef", ""))
        for name, node in mine.items():
            if node.get("attachedToRef"):
                ahead.setdefault(node.get("attachedToRef", ""), []).append(name)
        todo = [name for name, node in mine.items() if local(node) == "startEvent"]
        seen: set[str] = set()
        while todo:
            name = todo.pop()
            if name in seen or name not in mine:
                continue
            seen.add(name)
            todo += ahead.get(name, [])
        return seen

    def meeting(self, gateway: str) -> str:
        """Return where the ways of a gateway meet again, if they do."""
        outline = outlining.read(self.text.to_bytes())
        for part in outline.parts:
            found = _following(list(part.steps), gateway)
            if found:
                return found
        return ""

    # words and ids

    def fit(self, value: Any, field: str) -> str:
        """Return a text that may stand in a diagram.

        Raises:
            EditRefused: too long.
        """
        text = _UNFIT.sub("", str(value if value is not None else "")).strip()
        if len(text) > MAX_TEXT:
            raise EditRefused(N_("内容太长。"), field)
        return text

    def id_of(self, base: str) -> str:
        """Return an id that nothing in the procedure has."""
        base = base[:60]
        name, count = base, 2
        while name in self.used:
            name, count = f"{base}_{count}", count + 1
        self.used.add(name)
        return name

    # what is new

    def element(
        self, scope: etree._Element, kind: str, name: str, name_en: str, identifier: str, near: etree._Element | None = None
    ) -> etree._Element:
        """Make an element behind another one."""
        node = markup.make(scope, f"{{{BPMN}}}{kind}", {"id": identifier})
        if name:
            node.set("name", self.fit(name, "name"))
        if name_en:
            node.set(f"{{{PS}}}name_en", self.fit(name_en, "name_en"))
        if near is not None and near.getparent() is scope:
            markup.insert(scope, scope.index(near) + 1, node)
        else:
            flows = [place for place, child in enumerate(scope) if isinstance(child.tag, str) and local(child) == "sequenceFlow"]
            markup.insert(scope, flows[0] if flows else len(scope), node)
        self.nodes[identifier] = node
        return node

    def new(self, new: New, flow: str, *, scope: etree._Element | None = None, near: etree._Element | None = None, lane: str = "") -> str:
        """Make a step, in the lane that it names or that of the step before it."""
        if new.kind not in TASKS:
            raise EditRefused(N_("这里不能加这一种步骤。"), "kind")
        if not new.name.strip():
            raise EditRefused(N_("请填名称。"), "name")
        if flow:
            source = self.nodes[self.flows[flow].get("sourceRef", "")]
            scope, near = self.scope(source), source
            lane = lane or self.lane_of(self.flows[flow].get("sourceRef", "")) or self.lane_of(self.flows[flow].get("targetRef", ""))
        assert scope is not None
        identifier = self.id_of(snake(new.name_en) or CALLED[new.kind])
        node = self.element(scope, new.kind, new.name, new.name_en, identifier, near)
        self.into_lane(node, self.lane_for(new.lane, scope) or lane)
        if new.values:
            Values(self, node).set({key: value for key, value in new.values.items() if key not in ("name", "name_en", "lane")})
        self.touched.append(identifier)
        return identifier

    def lane_for(self, wanted: str, scope: etree._Element) -> str:
        """Return a lane by its id or its role."""
        lanes = [lane.get("id", "") for lane in self.root.iter(f"{{{BPMN}}}lane")]
        return wanted if wanted in lanes else next((lane for lane in lanes if wanted and lane.split(".")[0] == wanted), "")

    def into_lane(self, node: etree._Element, lane: str) -> None:
        """Name a node in a lane."""
        for entry in self.root.iter(f"{{{BPMN}}}lane"):
            if entry.get("id") == lane:
                reference = markup.make(entry, f"{{{BPMN}}}flowNodeRef", {})
                reference.text = node.get("id", "")
                inner = entry.find(f"{{{BPMN}}}childLaneSet")
                markup.insert(entry, entry.index(inner) if inner is not None else len(entry), reference)
                return

    def flow(self, scope: etree._Element, source: etree._Element | str, target: etree._Element | str) -> str:
        """Draw a flow."""
        start, end = (entry if isinstance(entry, str) else entry.get("id", "") for entry in (source, target))
        identifier = self.id_of(f"flow_{start}_{end}")
        node = markup.make(scope, f"{{{BPMN}}}sequenceFlow", {"id": identifier, "sourceRef": start, "targetRef": end})
        flows = [place for place, child in enumerate(scope) if isinstance(child.tag, str) and local(child) == "sequenceFlow"]
        markup.insert(scope, flows[-1] + 1 if flows else len(scope), node)
        self.flows[identifier] = node
        self._refer(start, "outgoing", identifier)
        self._refer(end, "incoming", identifier)
        self.touched.append(identifier)
        return identifier

    def _refer(self, identifier: str, tag: str, flow: str) -> None:
        node = self.nodes[identifier]
        reference = markup.make(node, f"{{{BPMN}}}{tag}", {})
        reference.text = flow
        before = {"documentation", "extensionElements", "auditing", "monitoring", "categoryValueRef", "incoming", tag}
        place = 0
        for index, child in enumerate(node):
            if isinstance(child.tag, str) and local(child) in before and child.tag.startswith(f"{{{BPMN}}}"):
                place = index + 1
        markup.insert(node, place, reference)

    def _forget(self, identifier: str, tag: str, flow: str) -> None:
        node = self.nodes.get(identifier)
        for child in list(node) if node is not None else ():
            if child.tag == f"{{{BPMN}}}{tag}" and (child.text or "").strip() == flow:
                markup.remove(child)

    def formal(self, parent: etree._Element, tag: str, text: str) -> None:
        """Write an expression into an element."""
        node = markup.make(parent, f"{{{BPMN}}}{tag}", {})
        prefix = next((name for name, uri in parent.nsmap.items() if uri == BPMN), None)
        node.set(f"{{{XSI}}}type", f"{prefix}:tFormalExpression" if prefix else "tFormalExpression")
        node.text = text
        markup.append(parent, node)

    def extension(self, node: etree._Element, tag: str) -> etree._Element:
        """Make an extension element of ours, in the usual order."""
        holder = node.find(f"{{{BPMN}}}extensionElements")
        if holder is None:
            holder = markup.make(node, f"{{{BPMN}}}extensionElements", {})
            documented = [place for place, child in enumerate(node) if child.tag == f"{{{BPMN}}}documentation"]
            markup.insert(node, documented[-1] + 1 if documented else 0, holder)
        entry = markup.make(holder, f"{{{PS}}}{tag}", {})
        rank = _ORDER.index(tag)
        place = len(holder)
        for index, child in enumerate(holder):
            name = local(child) if isinstance(child.tag, str) and child.tag.startswith(f"{{{PS}}}") else ""
            if name in _ORDER and _ORDER.index(name) > rank:
                place = index
                break
        markup.insert(holder, place, entry)
        return entry

    def drop_extension(self, node: etree._Element, entry: etree._Element) -> None:
        """Take an extension element away, and the list of them when it is empty."""
        holder = entry.getparent()
        markup.remove(entry)
        if holder is not None and not len(holder) and holder.getparent() is node:
            markup.remove(holder)

    def arrange(self, node: etree._Element) -> None:
        """Put what an event waits for and loops behind the flows, as the schema has it."""
        late = [child for child in node if isinstance(child.tag, str) and (child.tag.endswith("EventDefinition") or "Loop" in local(child))]
        places = [place for place, child in enumerate(node) if isinstance(child.tag, str) and local(child) in ("incoming", "outgoing")]
        for child in late:
            if places and node.index(child) < places[-1]:
                markup.remove(child)
                markup.append(node, child)

    # flows

    def spot(self, spot: Spot) -> str:
        """Return the flow on which something is put in.

        Raises:
            EditRefused: several ways part or meet there, or none.
        """
        if spot.flow:
            if spot.flow not in self.flows:
                raise EditRefused(N_("没有这条连线，图可能刚改过。"))
            return spot.flow
        if spot.after:
            node, out = self.node(spot.after), self.out(spot.after)
            if len(out) > 1:
                raise EditRefused(N_("这里有几条分支，请在其中一条分支上加。"))
            if not out:
                raise EditRefused(N_("结束后面不能再有步骤。") if local(node) == "endEvent" else N_("这一步后面没有路，请先说明走到哪一步。"))
            return out[0]
        node, into = self.node(spot.before), self.into(spot.before)
        if not into:
            raise EditRefused(N_("这一步前面没有路，不能在前面加。"))
        if len(into) == 1:
            return into[0]
        if local(node) in ("parallelGateway", "inclusiveGateway"):
            raise EditRefused(N_("这里等几条分支，请在其中一条分支上加。"))
        # All that leads there is to pass by the new step: the others follow the first one in `put_in`.
        self._also = into[1:]
        return into[0]

    _also: Sequence[str] = ()

    def put_in(self, flow: str, element: etree._Element | str) -> None:
        """Lead a flow to an element, and from there on to where it led."""
        identifier = element if isinstance(element, str) else element.get("id", "")
        target = self.flows[flow].get("targetRef", "")
        for way in (flow, *self._also):
            self.aim(way, identifier)
            self.touched.append(way)
        self._also = ()
        self.flow(self.scope(self.flows[flow]), identifier, target)
        self.touched.append(identifier)

    def aim(self, flow: str, target: str) -> None:
        """Have a flow lead elsewhere."""
        node = self.flows[flow]
        self._forget(node.get("targetRef", ""), "incoming", flow)
        node.set("targetRef", target)
        self._refer(target, "incoming", flow)

    def cut(self, flow: str) -> None:
        """Take a flow away."""
        node = self.flows.pop(flow)
        self._forget(node.get("sourceRef", ""), "outgoing", flow)
        self._forget(node.get("targetRef", ""), "incoming", flow)
        source = self.nodes.get(node.get("sourceRef", ""))
        if source is not None and source.get("default") == flow:
            markup.unset(source, "default")
        self._unlink(flow)
        markup.remove(node)
        self.touched = [name for name in self.touched if name != flow]
        for drawn in (self.picture.lines, self.picture.words):
            drawn.pop(flow, None)

    def _unlink(self, identifier: str) -> None:
        for kind in ("association", "messageFlow"):
            for node in list(self.root.iter(f"{{{BPMN}}}{kind}")):
                if identifier in (node.get("sourceRef"), node.get("targetRef")):
                    markup.remove(node)

    def drop(self, node: etree._Element) -> None:
        """Take an element away with all that is in it and the events on its border; its flows are gone already."""
        for event in [entry for entry in self.nodes.values() if entry.get("attachedToRef") == node.get("id") and entry is not node]:
            for way in [*self.out(event.get("id", ""))]:
                self.cut(way)
            self.drop(event)
        inside = {entry.get("id", "") for entry in node.iter(etree.Element) if entry.get("id")}
        for lane in self.root.iter(f"{{{BPMN}}}lane"):
            for reference in lane.findall(f"{{{BPMN}}}flowNodeRef"):
                if (reference.text or "").strip() in inside:
                    markup.remove(reference)
        for name in inside:
            self.nodes.pop(name, None)
            self.flows.pop(name, None)
            self._unlink(name)
            for drawn in (self.picture.boxes, self.picture.words, self.picture.lines):
                drawn.pop(name, None)
        self.touched = [name for name in self.touched if name not in inside]
        markup.remove(node)

    def melt(self, scope: etree._Element) -> dict[str, Box | None]:
        """Take away nameless gateways at which nothing parts or meets any more. Returns their boxes."""
        gone: dict[str, Box | None] = {}
        for name, node in list(self.nodes.items()):
            if self.scope(node) is not scope or not local(node).endswith("Gateway") or node.get("name"):
                continue
            into, out = self.into(name), self.out(name)
            if len(into) == 1 and len(out) == 1 and self.flows[into[0]].get("sourceRef") != self.flows[out[0]].get("targetRef"):
                gone[name] = self.picture.boxes.get(name)
                target = self.flows[out[0]].get("targetRef", "")
                self.cut(out[0])
                self.aim(into[0], target)
                self.touched.append(into[0])
                self.drop(node)
        return gone

    def drop_lost(self, scope: etree._Element, before: set[str]) -> dict[str, Box | None]:
        """Take away the steps to which nothing leads any more, and gateways that they leave with nothing to part or meet.

        Args:
            before: The nodes to which something led.

        Returns:
            What is gone, with its box.

        Raises:
            EditRefused: nothing leads to an end any more.
        """
        gone: dict[str, Box | None] = {}
        while lost := [name for name in sorted(before - self.reached(scope)) if name in self.nodes and self.scope(self.nodes[name]) is scope]:
            for name in lost:
                if name not in self.nodes:
                    continue  # gone with the step on which it sat
                gone[name] = self.picture.boxes.get(name)
                for way in [*self.into(name), *self.out(name)]:
                    self.cut(way)
                self.drop(self.nodes[name])
        gone |= self.melt(scope)
        if not any(local(self.nodes[name]) == "endEvent" for name in self.reached(scope)):
            raise EditRefused(N_("删掉以后就没有路走到结束了。"))
        return gone

    def branch(self, gate: etree._Element, branch: Branch, goal: str) -> str:
        """Draw a way out of a gateway; return the element that is new on it."""
        scope = self.scope(gate)
        if branch.leads == "on":
            self.describe(self.flows[self.flow(scope, gate, goal)], branch, gate)
            return ""
        if branch.leads == "step":
            lane = self.lane_of(gate.get("id", ""))
            step = self.new(branch.step or New(), "", scope=scope, near=gate, lane=lane)
            self.describe(self.flows[self.flow(scope, gate, step)], branch, gate)
            self.flow(scope, step, goal)
            return step
        if branch.leads == "end":
            end = self.element(scope, "endEvent", branch.name or "结束", branch.name_en or "End", self.id_of(f"{gate.get('id')}_end"))
            self.into_lane(end, self.lane_of(gate.get("id", "")))
            self.describe(self.flows[self.flow(scope, gate, end)], branch, gate)
            self.touched.append(end.get("id", ""))
            return str(end.get("id", ""))
        node = self.node(branch.leads)
        if local(node) in ("startEvent", "boundaryEvent") or self.scope(node) is not scope or node is gate:
            raise EditRefused(N_("不能走到开始或附着的事件。"), "leads")
        self.describe(self.flows[self.flow(scope, gate, node)], branch, gate)
        return ""

    def describe(self, flow: etree._Element, branch: Branch, gate: etree._Element) -> None:
        """Write name and condition of a way."""
        if branch.name:
            flow.set("name", self.fit(branch.name, "name"))
        if branch.name_en:
            flow.set(f"{{{PS}}}name_en", self.fit(branch.name_en, "name_en"))
        if local(gate) == "parallelGateway":
            return
        if branch.condition.strip() and not branch.is_default:
            self.formal(flow, "conditionExpression", self.fit(branch.condition, "condition"))
        elif branch.is_default:
            gate.set("default", flow.get("id", ""))

    # places

    def column(self, flow: str, width: float, behind: str = "") -> tuple[float, float]:
        """Make room for something on a flow. Returns its left edge and the row on which the flow runs."""
        picture = self.picture
        source = self.flows[flow].get("sourceRef", "")
        target = self.flows[behind or flow].get("targetRef", "")
        a, b = picture.boxes[source], picture.boxes[target]
        scope = self.scope_id(self.flows[flow])
        words = room(picture.names[flow]) + 30 if picture.names.get(flow) else 0
        lead = max(GAP, words)
        if b.x >= a.right:
            lacking = lead + width + GAP - (b.x - a.right)
            if lacking > 0:
                picture.make_room(scope, b.middle[0] if b.width < 60 else b.x + 1, 10 * -(-lacking // 10))
                left = a.right + lead
            else:
                left = a.right + max(lead, (b.x - a.right - width) / 2)
        else:
            picture.make_room(scope, a.right + 1, 10 * -(-(lead + width) // 10))
            left = a.right + lead
        row = a.middle[1] if self.picture.kinds.get(source) != "boundaryEvent" else b.middle[1]
        return 10 * -(-(left + 25) // 10) - 25, row

    def place_on(self, flow: str, element: str | etree._Element, lane: str, keep: Box | None = None, behind: str = "") -> None:
        """Draw an element on the flow that leads to it."""
        identifier = element if isinstance(element, str) else element.get("id", "")
        picture = self.fresh_picture()
        behind = behind or (self.out(identifier) or [flow])[0]
        source, target = self.flows[flow].get("sourceRef", ""), self.flows[behind].get("targetRef", "")
        if not picture.is_drawn or source not in picture.boxes or target not in picture.boxes:
            return
        width = keep.width if keep is not None else picture_size(picture, identifier)[0]
        for way in (flow, behind):
            picture.lines.pop(way, None)
            picture.words.pop(way, None)
        a, b = picture.boxes[source], picture.boxes[target]
        mine = self.lane_of(identifier)
        left, _ = self.column(flow, width, behind)
        if width >= 60:
            left = 10 * round(left / 10)
        a, b = picture.boxes[source], picture.boxes[target]
        rows = [box.middle[1] for name, box in ((source, a), (target, b)) if self.lane_of(name) == mine]
        if keep is not None and mine:
            rows.append(keep.middle[1])
        hang = 20 if any(node.get("attachedToRef") == identifier for node in self.nodes.values()) else 0
        self.stand(identifier, mine, left, rows, keep=keep, hang=hang)

    def stand(
        self, element: str, lane: str, left: float, rows: Iterable[float], *, keep: Box | None = None, length: float = 0, hang: float = 0
    ) -> None:
        """Draw an element at a column of a lane, in a row where nothing is in the way."""
        picture = self.fresh_picture()
        if not picture.is_drawn:
            return
        node = self.nodes[element]
        lane = self.lane_of(element) or self.lane_for(lane, self.scope(node))
        width, height = (keep.width, keep.height) if keep is not None else picture_size(picture, element)
        left = 10 * -(-(left + width / 2) // 10) - width / 2
        touching = {*self.into(element), *self.out(element), *self.touched}
        row = picture.find_row(
            self.scope_id(node), lane, (left, left + width + length), height + 2 * hang, [10 * round(row / 10) for row in rows], touching
        )
        picture.add(element, Box(left, row - height / 2, width, height))
        self.touched += [element, *self.into(element), *self.out(element)]
        self.widen_for(element)

    def widen_for(self, element: str) -> None:
        """Have the pool, or the part around, end behind an element."""
        picture = self.picture
        node, box = self.nodes[element], picture.boxes[element]
        scope = self.scope_id(node)
        frame = picture.boxes.get(scope) or picture.boxes.get(picture.pools.get(picture.process_of.get(element, ""), ""))
        if frame is None:
            return
        lacking = box.right + GAP - frame.right
        if lacking > 0:
            picture.make_room(scope, frame.right, 10 * -(-lacking // 10))
        if scope in picture.kinds and box.bottom + 20 > frame.bottom:
            picture.make_room(scope, frame.bottom, 10 * -(-(box.bottom + 20 - frame.bottom) // 10), 1)

    def sit_on(self, event: str, host: str, *, below: bool) -> None:
        """Draw an event on the border of a step, beside those that sit there."""
        picture = self.picture
        box = picture.boxes[host]
        there = [picture.boxes[name].middle for name, owner in picture.hosts.items() if owner == host and name != event and name in picture.boxes]
        x, _ = box.middle
        free = []
        for edge in (box.bottom, box.y) if below else (box.y, box.bottom):
            for place in (x, x + 60, x - 60, x + 40, x - 40):
                if box.x <= place <= box.right and all(abs(place - p) >= 60 or abs(edge - q) >= 60 for p, q in there):
                    free.append(Box(place - 18, edge - 18, 36, 36))
        crossed = [picture.crossing(place) for place in free]
        best = next(
            (place for place, flows in zip(free, crossed, strict=True) if not flows), free[0] if free else Box(x - 18, box.bottom - 18, 36, 36)
        )
        picture.add(event, best)
        picture.broken |= picture.crossing(best)

    def is_above(self, lane: str, other: str) -> bool:
        """Tell whether a lane lies above another."""
        one = self.picture.boxes.get(self.lane_for(lane, self.root))
        two = self.picture.boxes.get(other)
        return one is not None and two is not None and one.y < two.y

    def to_lane(self, node: etree._Element, wanted: str) -> None:
        """Move a step to another lane, in its column."""
        identifier = node.get("id", "")
        lane = self.lane_for(wanted, self.scope(node))
        if not lane:
            raise EditRefused(N_("没有这条泳道，请先加上。"), "lane")
        if self.lane_of(identifier) == lane or local(node) == "boundaryEvent":
            return
        carried = [name for name, entry in self.nodes.items() if entry.get("attachedToRef") == identifier]
        for name in (identifier, *carried):
            for entry in self.root.iter(f"{{{BPMN}}}flowNodeRef"):
                if (entry.text or "").strip() == name:
                    markup.remove(entry)
                    break
            self.into_lane(self.nodes[name], lane)
        picture = self.fresh_picture()
        box = picture.boxes.get(identifier)
        if box is None:
            return
        offsets = {name: offset(picture.boxes[name], box) for name in carried if name in picture.boxes}
        for name in (identifier, *carried):
            picture.boxes.pop(name, None)
            picture.words.pop(name, None)
            for way in [*self.into(name), *self.out(name)]:
                picture.lines.pop(way, None)
                picture.words.pop(way, None)
                self.touched.append(way)
        self.stand(identifier, lane, box.x, [box.middle[1]], keep=box, hang=20 if carried else 0)
        fresh = picture.boxes[identifier]
        for name, (x, y) in offsets.items():
            picture.add(name, Box(fresh.x + x, fresh.y + y, 36, 36))
            self.touched.append(name)

    def fit_box(self, element: str) -> None:
        """Widen a step whose name needs it."""
        picture = self.fresh_picture()
        box = picture.boxes.get(element)
        if box is None or element not in self.nodes or local(self.nodes[element]) in PARTS:
            return
        kind = local(self.nodes[element])
        if kind.endswith(("Event", "Gateway")):
            return
        by = size(kind, picture.names[element])[0] - box.width
        if by > 0:
            picture.make_room(self.scope_id(self.nodes[element]), box.right + 1, by)
            box.width += by
            self.touched += [*self.into(element), *self.out(element)]


def offset(box: Box, host: Box) -> tuple[float, float]:
    """Return where a box stands seen from another."""
    return box.x - host.x, box.y - host.y


def snake(text: str) -> str:
    """Return English words as an id; empty where they give none."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40].strip("_")
    return name if name[:1].isalpha() else ""


def _following(steps: list[Any], gateway: str) -> str:
    """Return the step behind a gateway in its own list, or where that list goes on."""
    for place, step in enumerate(steps):
        if step.id == gateway:
            if place + 1 < len(steps):
                return str(steps[place + 1].id)
            leads = [way.target for way in step.ways if way.leads == "on"]
            for way in step.ways:
                tail = way.steps[-1] if way.steps else None
                leads += [entry.target for entry in (tail.ways if tail else ()) if entry.leads == "on"]
            return leads[0] if leads else ""
        inner = [way.steps for way in step.ways] + [step.inner, step.events] + [[event] for event in step.events]
        for part in inner:
            found = _following(list(part), gateway)
            if found:
                return found
    return ""


def picture_size(picture: Picture, element: str) -> tuple[float, float]:
    """Return how large an element is drawn."""
    return size(picture.kinds.get(element, "userTask"), picture.names.get(element, ""))
