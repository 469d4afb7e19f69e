"""Every shipped diagram can be read: nothing covers anything, flows run square and to the right, words stand free."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from lxml import etree

from engine.workflow.reading import BPMN, DC, DI, FLOW_NODES

FOLDER = Path(__file__).resolve().parents[2] / "bpmn"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.bpmn"))
EVERY_DRAWING = pytest.mark.parametrize("file", FILES)

DD = "http://www.omg.org/spec/DD/20100524/DI"
GRID = 10  # middles of nodes stand on it
APART = 20  # between two nodes
MARGIN = 10  # between a node and the edge of its lane
BESIDE = 30  # between a word and what it names
ALONG = 10  # as far as two flows may share a line without sharing an end
CROSSINGS = 2  # in one drawing
BIG, SMALL = 12, 11  # width of a Chinese character in a box, and outside of one


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> Point:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def grown(self, by: float) -> Box:
        """Return the rectangle with its edges moved outwards."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def meets(self, other: Box) -> bool:
        """Tell whether two rectangles share more than an edge. A segment is a rectangle without width or height."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: Box) -> bool:
        """Tell whether the other rectangle lies in this one."""
        return self.left <= other.left and self.top <= other.top and self.right >= other.right and self.bottom >= other.bottom


@dataclass(frozen=True)
class Node:
    """An event, a gateway or a task as drawn."""

    kind: str
    box: Box
    lane: str
    host: str | None

    def on_border(self, point: Point) -> bool:
        """Tell whether a point lies on the border: of a circle, a diamond or a rectangle."""
        (x, y), half, tall = self.box.middle, self.box.width / 2, self.box.height / 2
        across, down = abs(point[0] - x), abs(point[1] - y)
        if self.kind.endswith("Event"):
            return abs(math.hypot(across, down) - half) <= 1
        if self.kind.endswith("Gateway"):
            return abs(across / half + down / tall - 1) <= 1 / half
        return self.box.grown(1).holds(Box(*point, *point)) and (abs(across - half) <= 1 or abs(down - tall) <= 1)


@dataclass(frozen=True)
class Flow:
    """A sequence flow as drawn."""

    source: str
    target: str
    points: tuple[Point, ...]

    @property
    def segments(self) -> list[Box]:
        return [Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in pairwise(self.points)]


@dataclass
class Drawing:
    """The picture of one file. `labels` are the words outside of boxes, by the element they name."""

    pool: Box
    names: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    lanes: dict[str, Box] = field(default_factory=dict)
    labels: dict[str, Box] = field(default_factory=dict)

    def say(self, *elements: str) -> str:
        """Name elements so that a person finds them: id and words."""
        return ", ".join(f"{element} {self.names.get(element) or ''}".strip() for element in elements)


Point = tuple[float, float]


@lru_cache
def drawing(file: str) -> Drawing:
    """Read the picture of a file."""
    root = etree.parse(FOLDER / file).getroot()
    shapes = {shape.get("bpmnElement", ""): shape for shape in root.iter(f"{{{DI}}}BPMNShape")}
    edges = {edge.get("bpmnElement", ""): edge for edge in root.iter(f"{{{DI}}}BPMNEdge")}
    pool = root.find(f".//{{{BPMN}}}participant")
    assert pool is not None
    found = Drawing(pool=_box(shapes[pool.get("id", "")]))
    for lane in root.iter(f"{{{BPMN}}}lane"):
        found.lanes[lane.get("id", "")] = _box(shapes[lane.get("id", "")])
        found.names[lane.get("id", "")] = lane.get("name", "")
    members = {
        (reference.text or "").strip(): lane.get("id", "")
        for lane in root.iter(f"{{{BPMN}}}lane")
        for reference in lane.iter(f"{{{BPMN}}}flowNodeRef")
    }
    for kind in FLOW_NODES:
        for node in root.iter(f"{{{BPMN}}}{kind}"):
            identifier = node.get("id", "")
            found.nodes[identifier] = Node(kind, _box(shapes[identifier]), members[identifier], node.get("attachedToRef"))
            found.names[identifier] = node.get("name", "")
    for flow in root.iter(f"{{{BPMN}}}sequenceFlow"):
        identifier = flow.get("id", "")
        points = tuple((float(point.get("x", "nan")), float(point.get("y", "nan"))) for point in edges[identifier].iter(f"{{{DD}}}waypoint"))
        found.flows[identifier] = Flow(flow.get("sourceRef", ""), flow.get("targetRef", ""), points)
        found.names[identifier] = flow.get("name", "")
    for identifier, drawn in (shapes | edges).items():
        words = drawn.find(f"{{{DI}}}BPMNLabel/{{{DC}}}Bounds")
        if words is not None:
            found.labels[identifier] = _rectangle(words)
    return found


def _box(shape: etree._Element) -> Box:
    bounds = shape.find(f"{{{DC}}}Bounds")
    assert bounds is not None
    return _rectangle(bounds)


def _rectangle(bounds: etree._Element) -> Box:
    x, y, width, height = (float(bounds.get(side, "nan")) for side in ("x", "y", "width", "height"))
    return Box(x, y, x + width, y + height)


def room(words: str, character: int) -> float:
    """Return how wide words are: a Chinese character is square, another about half of one."""
    return sum(character if ord(letter) > 0x2000 else character * 0.6 for letter in words)


def away(one: Box, other: Box) -> float:
    """Return how far two rectangles are from each other."""
    across = max(one.left - other.right, other.left - one.right, 0)
    down = max(one.top - other.bottom, other.top - one.bottom, 0)
    return math.hypot(across, down)


# ── nodes and lanes ──


@EVERY_DRAWING
def test_every_element_is_drawn_once(file: str) -> None:
    """Every node, lane and pool has one shape, every flow one edge with two points or more, and nothing else is drawn."""
    root = etree.parse(FOLDER / file).getroot()
    shapes = sorted(shape.get("bpmnElement", "") for shape in root.iter(f"{{{DI}}}BPMNShape"))
    edges = sorted(edge.get("bpmnElement", "") for edge in root.iter(f"{{{DI}}}BPMNEdge"))
    kinds = (*FLOW_NODES, "lane", "participant")
    assert shapes == sorted(element.get("id", "") for kind in kinds for element in root.iter(f"{{{BPMN}}}{kind}")), file
    assert edges == sorted(flow.get("id", "") for flow in root.iter(f"{{{BPMN}}}sequenceFlow")), file
    assert [name for name, flow in drawing(file).flows.items() if len(flow.points) < 2] == [], file


@EVERY_DRAWING
def test_nodes_stand_apart(file: str) -> None:
    """No node lies on another or close to it; an event on the border of a task is close to that task only."""
    picture = drawing(file)
    close = [
        picture.say(a, b)
        for a, b in combinations(picture.nodes, 2)
        if picture.nodes[a].host != b and picture.nodes[b].host != a and away(picture.nodes[a].box, picture.nodes[b].box) < APART
    ]
    assert close == [], f"{file}: nodes touch or nearly touch"


@EVERY_DRAWING
def test_an_event_of_a_task_sits_on_its_border(file: str) -> None:
    """The middle of a boundary event lies on the border of the task it belongs to."""
    picture = drawing(file)
    loose = [
        picture.say(name, node.host)
        for name, node in picture.nodes.items()
        if node.host is not None and not picture.nodes[node.host].on_border(node.box.middle)
    ]
    assert loose == [], f"{file}: events beside their task"


@EVERY_DRAWING
def test_nodes_stand_on_the_grid(file: str) -> None:
    """The middle of every node stands on the grid, so that rows and columns are straight."""
    picture = drawing(file)
    off = [picture.say(name) for name, node in picture.nodes.items() if any(value % GRID for value in node.box.middle)]
    assert off == [], f"{file}: nodes off the grid of {GRID}"


@EVERY_DRAWING
def test_nodes_lie_in_their_lane(file: str) -> None:
    """Every node lies in the lane of its role, a little away from its edges."""
    picture = drawing(file)
    outside = [picture.say(name, node.lane) for name, node in picture.nodes.items() if not picture.lanes[node.lane].holds(node.box.grown(MARGIN))]
    assert outside == [], f"{file}: nodes outside their lane or at its edge"


@EVERY_DRAWING
def test_lanes_fill_the_pool(file: str) -> None:
    """Lanes lie one under the other in the pool, do not overlap, leave nothing out, and are high enough for their name."""
    picture = drawing(file)
    assert [picture.say(a, b) for a, b in combinations(picture.lanes, 2) if picture.lanes[a].meets(picture.lanes[b])] == [], f"{file}: lanes overlap"
    assert [picture.say(name) for name, lane in picture.lanes.items() if not picture.pool.holds(lane)] == [], f"{file}: lanes outside the pool"
    assert sum(lane.height for lane in picture.lanes.values()) == picture.pool.height, f"{file}: lanes leave a part of the pool empty"
    low = [picture.say(name) for name, lane in picture.lanes.items() if lane.height < room(picture.names[name], BIG) + MARGIN]
    assert low == [], f"{file}: the name is longer than the lane is high"


@EVERY_DRAWING
def test_the_name_of_a_task_fits_into_its_box(file: str) -> None:
    """Two lines of words find room between the sign of the kind above and the sign of a call below."""
    picture = drawing(file)
    tasks = {name: node for name, node in picture.nodes.items() if not node.kind.endswith(("Event", "Gateway"))}
    full = [picture.say(name) for name, node in tasks.items() if room(picture.names[name], BIG) > 2 * (node.box.width - 14) or node.box.height < 80]
    assert full == [], f"{file}: boxes too small for their words"


# ── flows ──


@EVERY_DRAWING
def test_flows_run_square(file: str) -> None:
    """Each piece of a flow is level or upright, and no piece is empty."""
    picture = drawing(file)
    slanted = [picture.say(name) for name, flow in picture.flows.items() if any((a[0] == b[0]) == (a[1] == b[1]) for a, b in pairwise(flow.points))]
    assert slanted == [], f"{file}: flows with a slanted or empty piece"


@EVERY_DRAWING
def test_flows_begin_and_end_at_their_nodes(file: str) -> None:
    """A flow begins on the border of the node it leaves and ends on the border of the node it reaches."""
    picture = drawing(file)
    loose = [
        picture.say(name)
        for name, flow in picture.flows.items()
        if not picture.nodes[flow.source].on_border(flow.points[0]) or not picture.nodes[flow.target].on_border(flow.points[-1])
    ]
    assert loose == [], f"{file}: flows that do not begin or end on a border"


@EVERY_DRAWING
def test_no_flow_passes_through_a_node(file: str) -> None:
    """A flow goes round every node, and leaves and reaches its own from outside."""
    picture = drawing(file)
    through = [
        f"{picture.say(name)} through {picture.say(node)}"
        for name, flow in picture.flows.items()
        for node, drawn in picture.nodes.items()
        if any(segment.meets(drawn.box) for segment in flow.segments)
    ]
    assert through == [], f"{file}: flows through nodes"


@EVERY_DRAWING
def test_flows_do_not_lie_on_each_other(file: str) -> None:
    """Two flows share a line only where they part from the same node or come together at the same node."""
    picture = drawing(file)
    hidden = []
    for (a, one), (b, other) in combinations(picture.flows.items(), 2):
        if one.source == other.source or one.target == other.target:
            continue
        shared = [min(p.right, q.right) - max(p.left, q.left) + min(p.bottom, q.bottom) - max(p.top, q.top) for p, q in _side_by_side(one, other)]
        if shared and max(shared) > ALONG:
            hidden.append(picture.say(a, b))
    assert hidden == [], f"{file}: flows on top of each other"


@EVERY_DRAWING
def test_flows_hardly_cross(file: str) -> None:
    """Few flows cross: the eye follows a line without a choice."""
    picture = drawing(file)
    crossing = [
        picture.say(a, b)
        for (a, one), (b, other) in combinations(picture.flows.items(), 2)
        if any(p.meets(q) for p in one.segments for q in other.segments)
    ]
    assert len(crossing) <= CROSSINGS, f"{file}: {crossing}"


@EVERY_DRAWING
def test_the_course_goes_to_the_right(file: str) -> None:
    """The start is the leftmost node, no end lies before it, and at least twice as many flows lead right as lead back."""
    picture = drawing(file)
    at = {name: node.box.middle[0] for name, node in picture.nodes.items()}
    starts = [name for name, node in picture.nodes.items() if node.kind == "startEvent"]
    assert [at[name] for name in starts] == [min(at.values())], f"{file}: {picture.say(*starts)} is not leftmost"
    on = [name for name, flow in picture.flows.items() if at[flow.source] < at[flow.target]]
    back = [name for name, flow in picture.flows.items() if at[flow.source] > at[flow.target]]
    assert len(on) >= 2 * len(back), f"{file}: {len(on)} flows to the right, {len(back)} back: {picture.say(*back)}"


def _side_by_side(one: Flow, other: Flow) -> list[tuple[Box, Box]]:
    """Return the pieces of two flows that lie on the same line."""
    return [
        (p, q)
        for p in one.segments
        for q in other.segments
        if (p.top == p.bottom == q.top == q.bottom and p.left < q.right and q.left < p.right)
        or (p.left == p.right == q.left == q.right and p.top < q.bottom and q.top < p.bottom)
    ]


# ── words ──


@EVERY_DRAWING
def test_every_word_has_its_place(file: str) -> None:
    """Each name of an event, a gateway or a flow has a place of its own, wide enough for one line and beside what it names."""
    picture = drawing(file)
    outside = {name for name, node in picture.nodes.items() if node.kind.endswith(("Event", "Gateway"))} | set(picture.flows)
    named = {name for name in outside if picture.names[name]}
    assert picture.say(*sorted(named - set(picture.labels))) == "", f"{file}: names without a place"
    narrow = [picture.say(name) for name in named if picture.labels[name].width < room(picture.names[name], SMALL)]
    assert narrow == [], f"{file}: places too narrow for their words"
    far = [picture.say(name) for name in named if min(away(picture.labels[name], own) for own in _drawn(picture, name)) > BESIDE]
    assert far == [], f"{file}: words far from what they name"
    assert [picture.say(name) for name in named if not picture.pool.holds(picture.labels[name])] == [], f"{file}: words outside the pool"


@EVERY_DRAWING
def test_words_stand_free(file: str) -> None:
    """No word lies on a node, on another word or on the edge of a lane, and no flow crosses one."""
    picture = drawing(file)
    on_nodes = [
        f"{picture.say(name)} on {picture.say(node)}"
        for name, words in picture.labels.items()
        for node, drawn in picture.nodes.items()
        if words.meets(drawn.box)
    ]
    assert on_nodes == [], f"{file}: words on nodes"
    on_words = [picture.say(a, b) for a, b in combinations(picture.labels, 2) if picture.labels[a].meets(picture.labels[b])]
    assert on_words == [], f"{file}: words on words"
    crossed = [
        f"{picture.say(name)} by {picture.say(flow)}"
        for name, words in picture.labels.items()
        for flow, drawn in picture.flows.items()
        if any(segment.meets(words) for segment in drawn.segments)
    ]
    assert crossed == [], f"{file}: words crossed by flows"
    between = [picture.say(name) for name, words in picture.labels.items() if not any(lane.holds(words) for lane in picture.lanes.values())]
    assert between == [], f"{file}: words across the edge of a lane"


def _drawn(picture: Drawing, element: str) -> list[Box]:
    """Return what is drawn of an element: its box, or the pieces of its line."""
    return [picture.nodes[element].box] if element in picture.nodes else picture.flows[element].segments
