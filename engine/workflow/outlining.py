"""A diagram in words: its steps as a numbered, nested list that says all the picture says.

A step is followed by the next one; a decision holds its branches; what joins again goes on below. Every element and every
flow of the diagram stands in it once, and whatever leads elsewhere names the number of where it leads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from engine.workflow.reading import BPMN, FLOW_NODES, PS, UnreadableDiagram, diagrams, extensions, local, xml

MAX_NODES, MAX_FLOWS, MAX_LANES, MAX_DRAWN = 600, 1_500, 300, 300
"""Of a diagram that is told: elements and processes, flows, lanes, and what is drawn besides, of which the rest is left out."""
MAX_DEPTH = 16  # branches in branches; what lies deeper is told after the rest
LONG = 8  # steps from which on a branch is not told inside its decision
PARTS = ("subProcess", "transaction", "adHocSubProcess")
DECISION = {"table": "decision", "decision": "name", "result": "result"}
DRAWN_ONLY = ("textAnnotation", "group", "dataObjectReference", "dataStoreReference", "association", "messageFlow")


@dataclass(slots=True)
class Way:
    """A flow that leaves a step.

    Attributes:
        leads: `next`: to the step below; `branch`: to the steps in it; `on`, `back`: to the step with the number `to`;
            `nowhere`: to nothing.
        letter: what the branch is called behind the number of its step; empty where a step has one way only.
    """

    flow: str
    target: str
    leads: str = "on"
    name: str = ""
    name_en: str = ""
    condition: str = ""
    is_default: bool = False
    letter: str = ""
    to: str = ""
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """An element: where it stands, what it is, and what comes of it. `values` are those `outline_edits.set_values` sets."""

    id: str
    kind: str
    event: str
    values: dict[str, Any]
    number: str = ""
    lane: str = ""
    role: str = ""
    called: str = ""
    ways: list[Way] = field(default_factory=list)
    events: list[Step] = field(default_factory=list)
    inner: list[Step] = field(default_factory=list)
    inner_loose: list[Step] = field(default_factory=list)
    comes_from: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name, in Chinese."""
        return str(self.values.get("name", ""))

    @property
    def is_gateway(self) -> bool:
        """Whether ways part or join here and nothing is done."""
        return self.kind.endswith("Gateway")

    @property
    def is_join(self) -> bool:
        """Whether ways only join here."""
        return self.is_gateway and len(self.ways) <= 1


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane: its id is the role (`qc_officer`, `qc_officer.2`)."""

    id: str
    role: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Part:
    """A process of the diagram. `loose` are steps to which nothing leads; `drawn` what is drawn besides: kind and words."""

    id: str
    name: str
    name_en: str
    lanes: tuple[Lane, ...]
    steps: tuple[Step, ...]
    loose: tuple[Step, ...]
    drawn: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A diagram in words."""

    parts: tuple[Part, ...]

    def steps(self) -> Iterator[Step]:
        """Yield every step in the order of reading."""
        for part in self.parts:
            yield from _flat(part.steps)
            yield from _flat(part.loose)

    def find(self, identifier: str) -> Step | None:
        """Return a step by the id of its element."""
        return next((step for step in self.steps() if step.id == identifier), None)

    def ways(self) -> Iterator[tuple[Step, Way]]:
        """Yield every flow with the step it leaves."""
        for step in self.steps():
            for way in step.ways:
                yield step, way


def _flat(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for event in step.events:
            yield from _flat([event])
        yield from _flat(step.inner)
        yield from _flat(step.inner_loose)
        for way in step.ways:
            yield from _flat(way.steps)


def read(content: bytes, file: str = "") -> Outline:
    """Return a diagram in words.

    Raises:
        UnreadableDiagram: it is not a diagram, or too large to be told.
    """
    root = xml(content, file)
    nodes = list(root.iter(*(f"{{{BPMN}}}{kind}" for kind in FLOW_NODES)))
    flows, bands = (sum(1 for _ in root.iter(f"{{{BPMN}}}{tag}")) for tag in ("sequenceFlow", "lane"))
    if len(nodes) + len(root.findall(f"{{{BPMN}}}process")) > MAX_NODES or flows > MAX_FLOWS or bands > MAX_LANES:
        raise UnreadableDiagram("too_many_elements", file=file)
    processes = {process.get("id", ""): process for process in root.findall(f"{{{BPMN}}}process")}
    messages = {message.get("id", ""): message.get("name", "") for message in root.findall(f"{{{BPMN}}}message")}
    parts = []
    for identifier, process in processes.items():
        reader = _Reader(process, messages)
        steps, loose = reader.scope(process, 0)
        lanes = tuple(
            Lane(lane.get("id", ""), lane.get("id", "").split(".")[0], lane.get("name", ""), len(lane.findall(f"{{{BPMN}}}flowNodeRef")))
            for lane in process.iter(f"{{{BPMN}}}lane")
        )
        drawn = tuple(itertools.islice(_drawn_only(process), MAX_DRAWN))
        if len(processes) == 1:
            beside = (entry for other in root.findall(f"{{{BPMN}}}collaboration") for entry in _drawn_only(other))
            drawn += tuple(itertools.islice(beside, MAX_DRAWN))
        part = Part(identifier, words(process.get("name")), words(process.get(f"{{{PS}}}name_en")), lanes, tuple(steps), tuple(loose), drawn)
        _number(part)
        parts.append(part)
    return Outline(tuple(parts))


def words(text: str | None) -> str:
    """Return a name on one line."""
    return " ".join((text or "").split())


def _drawn_only(scope: etree._Element) -> Iterator[tuple[str, str]]:
    for node in scope.iter(*(f"{{{BPMN}}}{kind}" for kind in DRAWN_ONLY)):
        yield local(node), words(node.get("name") or node.findtext(f"{{{BPMN}}}text"))


# ── what stands at an element ──


def values(node: etree._Element, messages: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what can be set at an element or a flow, by the names that `outline_edits.set_values` takes. What is not set is absent."""
    found: dict[str, Any] = {"name": words(node.get("name"))}
    for key in ("name_en", "phase", "state", "role"):
        if node.get(f"{{{PS}}}{key}"):
            found[key] = node.get(f"{{{PS}}}{key}")
    documentation = "\n".join((entry.text or "").strip() for entry in node.findall(f"{{{BPMN}}}documentation"))
    if documentation:
        found["documentation"] = documentation
    for entry in extensions(node, "documentation_en"):
        found["documentation_en"] = (entry.text or "").strip()
    for task in extensions(node, "task")[:1]:
        found.update({"task_role" if key == "role" else str(key): value for key, value in task.attrib.items() if value})
    _pairs(found, node, "outputs", "output")
    _pairs(found, node, "sets", "set")
    for service in extensions(node, "service")[:1]:
        found["service"] = service.get("name", "")
        found["arguments"] = [(entry.get("name", ""), entry.get("expression", "")) for entry in service.findall(f"{{{PS}}}argument")]
    for decision in extensions(node, "decision")[:1]:
        found.update({key: decision.get(attribute, "") for key, attribute in DECISION.items()})
        found["inputs"] = [(entry.get("name", ""), entry.get("expression", "")) for entry in decision.findall(f"{{{PS}}}input")]
    arms = [(entry.get("limit", ""), entry.get("from", "")) for entry in extensions(node, "arm")]
    meets = [entry.get("limit", "") for entry in extensions(node, "meet")]
    if arms:
        found["arms"] = arms
    if meets:
        found["meets"] = meets
    if node.get("calledElement"):
        found["called"] = node.get("calledElement")
    if local(node) == "boundaryEvent":
        found["interrupts"] = node.get("cancelActivity", "true") != "false"
    _event(found, node, messages or {})
    _several(found, node)
    condition = node.find(f"{{{BPMN}}}conditionExpression")
    if condition is not None:
        found["condition"] = (condition.text or "").strip()
    return found


def _pairs(found: dict[str, Any], node: etree._Element, key: str, tag: str) -> None:
    pairs = [(entry.get("variable", ""), entry.get("expression", "")) for entry in extensions(node, tag)]
    if pairs:
        found[key] = pairs


def _event(found: dict[str, Any], node: etree._Element, messages: Mapping[str, str]) -> None:
    for kind in ("timeDate", "timeDuration", "timeCycle"):
        timer = node.find(f"{{{BPMN}}}timerEventDefinition/{{{BPMN}}}{kind}")
        if timer is not None:
            found["timer_kind"], found["timer"] = kind, (timer.text or "").strip()
    message = node.find(f"{{{BPMN}}}messageEventDefinition")
    if message is not None:
        found["message"] = messages.get(message.get("messageRef", ""), message.get("messageRef", ""))
    for entry in extensions(node, "message")[:1]:
        found["message_role"] = entry.get("role", "")
        if entry.get("form"):
            found["message_form"] = entry.get("form")


def _several(found: dict[str, Any], node: etree._Element) -> None:
    loop = node.find(f"{{{BPMN}}}multiInstanceLoopCharacteristics")
    if loop is None:
        return
    found["in_turn"] = loop.get("isSequential") == "true"
    for key, tag in (("collection", "loopDataInputRef"), ("results", "loopDataOutputRef"), ("cardinality", "loopCardinality")):
        text = (loop.findtext(f"{{{BPMN}}}{tag}") or "").strip()
        if text:
            found[key] = text
    completion = (loop.findtext(f"{{{BPMN}}}completionCondition") or "").strip()
    if completion:
        found["completion"] = completion
    for key, tag in (("item_name", "inputDataItem"), ("result_name", "outputDataItem")):
        entry = loop.find(f"{{{BPMN}}}{tag}")
        if entry is not None:
            found[key] = entry.get("name", "")


def event_of(node: etree._Element) -> str:
    """Return what an event waits for or throws: `timer`, `message`, `terminate`, …; empty for none."""
    for child in node:
        if isinstance(child.tag, str) and child.tag.endswith("EventDefinition"):
            return local(child)[: -len("EventDefinition")]
    return ""


# ── the order of reading ──


class _Reader:
    """Walks one process with everything in it."""

    def __init__(self, process: etree._Element, messages: Mapping[str, str]) -> None:
        self.messages = messages
        self.lanes: dict[str, str] = {}
        depths: dict[str, int] = {}
        for lane in process.iter(f"{{{BPMN}}}lane"):
            depth = sum(1 for _ in lane.iterancestors())
            for reference in lane.findall(f"{{{BPMN}}}flowNodeRef"):
                node = (reference.text or "").strip()
                if depth >= depths.get(node, 0):
                    self.lanes[node], depths[node] = lane.get("id", ""), depth

    def scope(self, scope: etree._Element, depth: int) -> tuple[list[Step], list[Step]]:
        """Return the steps of a process or an embedded part, and those that nothing leads to."""
        if depth > MAX_DEPTH:
            raise UnreadableDiagram("too_deep")
        return _Scope(self, scope, depth).read()

    def step(self, node: etree._Element) -> Step:
        """Return what stands at an element."""
        found = values(node, self.messages)
        lane = self.lanes.get(node.get("id", ""), "")
        role = found.get("role") or lane.split(".")[0]
        return Step(node.get("id", ""), local(node), event_of(node), found, lane=lane, role=role, called=found.get("called", ""))


class _Scope:
    """The nodes and flows directly in a process or an embedded part."""

    def __init__(self, reader: _Reader, scope: etree._Element, depth: int) -> None:
        self.reader, self.depth = reader, depth
        children = [child for child in scope if isinstance(child.tag, str) and child.tag.startswith(f"{{{BPMN}}}")]
        self.nodes = {child.get("id", ""): child for child in children if local(child) in FLOW_NODES}
        self.flows = [child for child in children if local(child) == "sequenceFlow"]
        self.ahead: dict[str, list[etree._Element]] = {node: [] for node in self.nodes}
        self.stray: list[etree._Element] = []
        for flow in self.flows:
            if flow.get("sourceRef", "") in self.nodes:
                self.ahead[flow.get("sourceRef", "")].append(flow)
            else:
                self.stray.append(flow)
        self.events: dict[str, list[str]] = {}
        for identifier, node in self.nodes.items():
            if local(node) == "boundaryEvent" and node.get("attachedToRef", "") in self.nodes:
                self.events.setdefault(node.get("attachedToRef", ""), []).append(identifier)
        self.placed: set[str] = set()
        self.back: set[str] = set()
        self.order: dict[str, int] = {}
        self.reach: dict[str, int] = {}
        self._sort()

    def _sort(self) -> None:
        """Order the nodes so that flows lead forward; those that lead back to a node on the way are left aside."""
        following = {
            node: [*((flow.get("id", ""), flow.get("targetRef", "")) for flow in flows), *(("", event) for event in self.events.get(node, ()))]
            for node, flows in self.ahead.items()
        }
        starts = [node for node, element in self.nodes.items() if local(element) == "startEvent"]
        entered = {flow.get("targetRef", "") for flow in self.flows}
        heads = [*starts, *(n for n, e in self.nodes.items() if n not in entered and not e.get("attachedToRef")), *self.nodes]
        done: list[str] = []
        seen: set[str] = set()
        on_the_way: set[str] = set()
        for head in heads:
            if head in seen:
                continue
            seen.add(head)
            on_the_way.add(head)
            stack = [(head, iter(following[head]))]
            while stack:
                node, rest = stack[-1]
                for flow, target in rest:
                    if target in on_the_way:
                        self.back.add(flow)
                    elif target in self.nodes and target not in seen:
                        seen.add(target)
                        on_the_way.add(target)
                        stack.append((target, iter(following[target])))
                        break
                else:
                    stack.pop()
                    on_the_way.discard(node)
                    done.append(node)
        self.order = {node: place for place, node in enumerate(reversed(done))}
        for node in done:  # the last first: whatever is ahead is known
            mask = 1 << self.order[node]
            for flow, target in following[node]:
                if target in self.reach and flow not in self.back:
                    mask |= self.reach[target]
            self.reach[node] = mask

    def read(self) -> tuple[list[Step], list[Step]]:
        """Return the steps, and those that nothing leads to."""
        steps: list[Step] = []
        for start in sorted((node for node, element in self.nodes.items() if local(element) == "startEvent"), key=self.order.__getitem__):
            steps += self.walk(start, 0, 0)
        known = 0
        for step in steps:
            known |= self.reach.get(step.id, 0)
        by_order = sorted(self.nodes, key=self.order.__getitem__)
        for node in by_order:  # what lay too deep to be told inside
            if node not in self.placed and known >> self.order[node] & 1:
                steps += self.walk(node, 0, 0)
        loose: list[Step] = []
        for node in by_order:
            if node not in self.placed:
                loose += self.walk(node, 0, 0)
        for flow in self.stray:  # a flow that begins nowhere is told behind the last step, if there is one
            for holder in (steps or loose)[-1:]:
                holder.ways.append(self._way(flow))
        return steps, loose

    def walk(self, start: str, stops: int, depth: int) -> list[Step]:
        """Return the steps from a node on, until one that is told elsewhere."""
        steps: list[Step] = []
        node: str | None = start
        while node is not None and node in self.nodes and node not in self.placed and not stops >> self.order[node] & 1:
            self.placed.add(node)
            step = self.reader.step(self.nodes[node])
            if steps and len(steps[-1].ways) == 1:
                steps[-1].ways[0].leads = "next"
            steps.append(step)
            flows = self.ahead[node]
            ahead = 0
            for flow in flows:
                if flow.get("id", "") not in self.back:
                    ahead |= self.reach.get(flow.get("targetRef", ""), 0)
            for event in self.events.get(node, ()):
                if event not in self.placed:
                    step.events += self._event(event, stops | ahead, depth + 1)
            if local(self.nodes[node]) in PARTS:
                step.inner, step.inner_loose = self.reader.scope(self.nodes[node], self.depth + 1)
            step.ways = [self._way(flow) for flow in flows]
            if len(flows) > 1:
                node = self._branches(step, flows, stops, depth)
            else:
                node = step.ways[0].target if step.ways and step.ways[0].leads == "on" else None
        return steps

    def _event(self, event: str, stops: int, depth: int) -> list[Step]:
        """Return an event on the border of a step with what comes of it inside."""
        self.placed.add(event)
        step = self.reader.step(self.nodes[event])
        step.ways = [self._way(flow) for flow in self.ahead[event]]
        for way in step.ways:
            self._fill(way, stops, depth)
        return [step]

    def _fill(self, way: Way, stops: int, depth: int) -> None:
        if depth < MAX_DEPTH and way.leads == "on":
            way.steps = self.walk(way.target, stops, depth)
            if way.steps:
                way.leads = "branch"

    def _branches(self, step: Step, flows: list[etree._Element], stops: int, depth: int) -> str | None:
        """Tell the ways of a step that has several; return the node at which the list goes on below."""
        ways = [way for way in step.ways if way.leads == "on"]
        reach = [self.reach.get(way.target, 0) for way in ways]
        shared = [mask & _union(other for place, other in enumerate(reach) if place != at) | mask & stops for at, mask in enumerate(reach)]
        living = [at for at, mask in enumerate(shared) if mask]
        follow: str | None = None
        meeting: str | None = None
        if len(living) >= 2:
            common = reach[living[0]]
            for at in living[1:]:
                common &= reach[at]
            if not common:
                common = _union(shared[at] for at in living)
            follow = meeting = self._first(common)
            if meeting is not None and step.kind in ("exclusiveGateway", "eventBasedGateway"):
                follow = self._main_line(meeting, [ways[at] for at in living], reach, living) or meeting
        elif len(living) == 1:
            follow = ways[living[0]].target
        elif len(ways) == 1:  # the others lead back
            follow = ways[0].target
        elif ways:
            sizes = [mask.bit_count() for mask in reach]
            largest = max(sizes)
            if largest >= 3 and sizes.count(largest) == 1:
                follow = ways[sizes.index(largest)].target
        if follow is not None and (follow in self.placed or stops >> self.order[follow] & 1):
            follow = None
        inside = stops | sum(1 << self.order[node] for node in {follow, meeting} if node is not None)
        for way in ways:
            if way.target == follow:
                way.leads = "next"
            else:
                self._fill(way, inside, depth + 1)
        return follow

    def _main_line(self, follow: str, ways: list[Way], reach: list[int], living: list[int]) -> str | None:
        """Return where the list goes on when one choice is a long way and every other leads straight past it: no deeper than needed."""
        long = [at for at, way in zip(living, ways, strict=True) if way.target != follow]
        if len(long) != 1 or (reach[long[0]] & ~self.reach[follow]).bit_count() < LONG:
            return None
        return ways[living.index(long[0])].target

    def _first(self, mask: int) -> str | None:
        if not mask:
            return None
        place = (mask & -mask).bit_length() - 1
        return next(node for node, at in self.order.items() if at == place)

    def _way(self, flow: etree._Element) -> Way:
        found = values(flow)
        source = self.nodes.get(flow.get("sourceRef", ""))
        target = flow.get("targetRef", "")
        leads = "nowhere" if target not in self.nodes else "back" if flow.get("id", "") in self.back else "on"
        return Way(
            flow.get("id", ""),
            target,
            leads,
            found["name"],
            found.get("name_en", ""),
            found.get("condition", ""),
            source is not None and source.get("default") == flow.get("id") and bool(flow.get("id")),
        )


def _union(masks: Any) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total


# ── numbers ──


def _number(part: Part) -> None:
    """Number the steps: 1, 2, the branches of 2 are 2a, 2b, what is in them 2a.1; then name the numbers to which flows lead."""
    numbers: dict[str, str] = {}

    def count(steps: Sequence[Step], prefix: str, first: int = 1) -> int:
        for place, step in enumerate(steps, first):
            step.number = f"{prefix}{place}"
            numbers[step.id] = step.number
            letters = _letters()
            if len(step.ways) > 1:
                for way in step.ways:
                    way.letter = next(letters)
                    count(way.steps, f"{step.number}{way.letter}.")
            for event in step.events:
                event.number = f"{step.number}{next(letters)}"
                numbers[event.id] = event.number
                many = len(event.ways) > 1
                inner = _letters()
                for way in event.ways:
                    way.letter = next(inner) if many else ""
                    count(way.steps, f"{event.number}{way.letter}.")
            after = count(step.inner, f"{step.number}.")
            count(step.inner_loose, f"{step.number}.", after)
        return first + len(steps)

    last = count(part.steps, "")
    count(part.loose, "", last)
    everything = [*_flat(part.steps), *_flat(part.loose)]
    comes: dict[str, list[str]] = {}
    for step in everything:
        for way in step.ways:
            way.to = numbers.get(way.target, "")
            if way.leads not in ("next", "branch"):
                comes.setdefault(way.target, []).append(f"{step.number}{way.letter}")
    for step in everything:
        step.comes_from = comes.get(step.id, [])


def _letters() -> Iterator[str]:
    count = 0
    while True:
        name, rest = "", count
        while True:
            name = chr(97 + rest % 26) + name
            rest = rest // 26 - 1
            if rest < 0:
                break
        yield name
        count += 1


# ── everything else in words ──


def identifiers(files: Mapping[str, bytes]) -> frozenset[str]:
    """Return every id used in the diagrams of a procedure; unreadable ones have none."""
    return frozenset(node.get("id", "") for _path, root in diagrams(files) for node in root.iter(etree.Element)) - {""}
