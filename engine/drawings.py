"""Drawings: a diagram as SVG, for paper. The shapes, bounds and waypoints are the file's own; nothing is laid out anew.

A page has no scripts and no zoom, so a wide diagram is cut into strips where no shape is cut, with the names of its lanes
repeated on each. Every text of the file is escaped, bounded and printed as it stands.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lxml import etree

from engine.workflow import reading

DI, DC, DD, BPMN, PS = reading.DI, reading.DC, reading.DD, reading.BPMN, reading.PS
FONT = "Noto Sans SC"
SIZE, LINE = 12.0, 15.0
MAX_SHAPES, MAX_POINTS, MAX_TEXT, MAX_LINES, REACH = 3000, 200, 300, 8, 30_000.0
MAX_ALL_POINTS, MAX_ALL_TEXT, SHORT = 15_000, 16_000, 6
"""Of one drawing: the corners of its connections, and the characters of its names; beyond, only ends and `SHORT` beginnings are drawn."""
MAX_PLANES = 400
BESIDE = 100.0
"""How far a name that has no place of its own may reach beyond what it belongs to."""
INK, PALE, SOFT = "#1f2933", "#f4f6f8", "#52606d"
EVENTS = ("startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent")
GATEWAYS = ("exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway", "complexGateway")
FRAMES = ("participant", "lane")
PARTS = ("subProcess", "transaction", "adHocSubProcess")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in the units of the diagram."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: str
    id: str
    name: str
    box: Box
    label: Box | None
    node: etree._Element
    is_flat: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class _Edge:
    kind: str
    name: str
    points: tuple[tuple[float, float], ...]
    label: Box | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing: SVG, its width and height in units of the diagram (one is a pixel at its own size)."""

    svg: str
    width: float
    height: float


@dataclass
class Drawing:
    """A diagram read, ready to be drawn whole or in strips.

    Attributes:
        left: How many shapes and connections it has, if those are too many to be drawn; then none is.
        is_short: Whether only the beginnings of some names are written, since together they are too long.
    """

    shapes: list[_Shape] = field(default_factory=list)
    edges: list[_Edge] = field(default_factory=list)
    process: str = ""
    left: int = 0
    is_short: bool = False

    @property
    def bounds(self) -> Box:
        """Everything that is drawn, with a margin."""
        xs: list[float] = []
        ys: list[float] = []
        for shape in self.shapes:
            for box in (shape.box, shape.label):
                if box is not None:
                    xs += [box.x, box.x + box.width]
                    ys += [box.y, box.y + box.height]
        for edge in self.edges:
            xs += [x for x, _ in edge.points]
            ys += [y for _, y in edge.points]
        if not xs:
            return Box(0, 0, 100, 60)
        return Box(min(xs) - 10, min(ys) - 10, max(xs) - min(xs) + 20, max(ys) - min(ys) + 20)

    def whole(self) -> Picture:
        """Return the diagram in one piece."""
        box = self.bounds
        return Picture(_svg(box.width, box.height, self._body(), box), box.width, box.height)

    def strips(self, longest: float) -> list[Picture]:
        """Return the diagram in pieces of at most `longest` units, cut where no shape stands, lanes named on each."""
        box = self.bounds
        if box.width <= longest:
            return [self.whole()]
        frames = [shape for shape in self.shapes if shape.kind in FRAMES and shape.is_flat]
        head = max((shape.box.x + 30 for shape in frames), default=box.x) - box.x
        count = min(12, math.ceil((box.width - head) / max(200.0, longest - head)))
        found: list[Picture] = []
        start = box.x
        for left in range(count, 0, -1):
            first = not found
            rest = box.x + box.width - start
            end = box.x + box.width if left == 1 else self._cut(start + rest / left)
            width = end - start
            lead = 0.0 if first else head + 12
            window = Box(start, box.y, width, box.height)
            inner = (
                f'<svg x="{lead:.1f}" y="0" width="{width:.1f}" height="{box.height:.1f}" viewBox="{window.x:.1f} {window.y:.1f} '
                f'{window.width:.1f} {window.height:.1f}">{self._body(window)}</svg>'
            )
            names = "" if first else "".join(_frame_head(shape, box) for shape in frames)
            marks = "".join(
                f'<path d="M{x:.1f} 0V{box.height:.1f}" fill="none" stroke="{SOFT}" stroke-width="1" stroke-dasharray="2 4"/>'
                for x in ([lead] if not first else []) + ([lead + width] if end < box.x + box.width - 1 else [])
            )
            total = lead + width
            found.append(Picture(_svg(total, box.height, f"{names}{inner}{marks}", Box(0, 0, total, box.height)), total, box.height))
            start = end
        return found

    def _cut(self, wanted: float) -> float:
        """Return where to cut near a place: where the fewest shapes and labels are crossed."""
        boxes = [shape.box for shape in self.shapes if shape.kind not in FRAMES and shape.kind not in PARTS]
        labels = [shape.label for shape in self.shapes] + [edge.label for edge in self.edges]
        boxes += [label for label in labels if label is not None]
        boxes = [box for box in boxes if box.x - 130 < wanted < box.x + box.width + 130]
        best = min(
            (float(step) for step in range(-120, 125, 5)),
            key=lambda aside: (sum(1 for box in boxes if box.x - 8 < wanted + aside < box.x + box.width + 8), abs(aside)),
        )
        return wanted + best

    def _body(self, window: Box | None = None) -> str:
        """Draw frames and open parts first, connections over them, everything else on top, names last.

        Args:
            window: What is seen; without it, everything.
        """
        order = {"participant": 0, "lane": 1, "group": 2, **dict.fromkeys(PARTS, 3)}
        shapes = [shape for shape in self.shapes if window is None or _is_seen(window, shape)]
        edges = [edge for edge in self.edges if window is None or _is_seen(window, edge)]
        ordered = sorted(shapes, key=lambda shape: order.get(shape.kind, 5))
        behind = "".join(_draw(shape) for shape in ordered if shape.kind in order)
        front = "".join(_draw(shape) for shape in ordered if shape.kind not in order)
        between = "".join(_connection(edge) for edge in edges)
        return behind + between + front + "".join(map(_outside, shapes)) + "".join(map(_outside, edges))


def _is_seen(window: Box, entry: _Shape | _Edge) -> bool:
    """Tell whether something may reach into a window, with the name beside it."""
    boxes = [box for box in ((entry.box if isinstance(entry, _Shape) else None), entry.label) if box is not None]
    xs = [x for box in boxes for x in (box.x, box.x + box.width)]
    if isinstance(entry, _Edge):
        xs += [x for x, _ in entry.points]
    return max(xs) > window.x - BESIDE and min(xs) < window.x + window.width + BESIDE


def read(content: bytes, process: str | None = None, names: Mapping[str, str] | None = None) -> Drawing:
    """Read the drawing of a diagram file.

    Args:
        process: The process whose plane is wanted; the first plane without it.
        names: What elements are called instead, by id; for the other language.

    Raises:
        reading.UnreadableDiagram: the file is no diagram.
    """
    return Sheet(reading.xml(content)).drawing(process, names)


class Sheet:
    """A diagram file whose planes can be drawn, looked through once."""

    def __init__(self, root: etree._Element) -> None:
        """Look through a file.

        Args:
            root: As `reading.xml` returns it.
        """
        self._planes = list(itertools.islice(root.iter(f"{{{DI}}}BPMNPlane"), MAX_PLANES))
        wanted = {entry.get("bpmnElement", "") for plane in self._planes for entry in (plane, *plane)}
        self._nodes: dict[str, etree._Element] = {}
        self._defaults: set[str] = set()
        self._pools: dict[str, etree._Element] = {}
        for node in root.iter(etree.Element):
            key, default = node.get("id"), node.get("default")
            if key and (key in wanted or node.tag == f"{{{BPMN}}}categoryValue"):
                self._nodes[key] = node
            if default:
                self._defaults.add(default)
            if node.tag == f"{{{BPMN}}}participant":
                self._pools.setdefault(node.get("processRef", ""), node)
        self._plane_of: dict[str, etree._Element] = {}
        for plane in self._planes:
            shown = self._nodes.get(plane.get("bpmnElement", ""))
            if shown is not None and shown.get("id") not in self._plane_of:
                for process in (shown.get("id", ""), *(pool.get("processRef", "") for pool in shown.iter(f"{{{BPMN}}}participant"))):
                    self._plane_of.setdefault(process, plane)

    def drawing(self, process: str | None = None, names: Mapping[str, str] | None = None, *, most: int = MAX_SHAPES) -> Drawing:
        """Return the drawing of a plane.

        Args:
            process: The process whose plane is wanted; the first plane without it.
            names: What elements are called instead, by id; for the other language.
            most: How many shapes and connections may be drawn.
        """
        drawing, nodes = Drawing(process=process or ""), self._nodes
        plane = self._plane_of.get(process or "", self._planes[0]) if self._planes else ()
        if len(plane) > most:
            drawing.left = len(plane)
            return drawing
        called, spoken, points_left = names or {}, _Names(nodes), MAX_ALL_POINTS
        drawn = {entry.get("bpmnElement", "") for entry in plane}
        opened: dict[str, bool] = {}
        for entry in plane:
            node = nodes.get(entry.get("bpmnElement", "")) if isinstance(entry.tag, str) else None
            if node is None:
                continue
            pool = self._pools.get(node.get("id", "")) if node.tag == f"{{{BPMN}}}process" else None
            if pool is not None and pool.get("id") not in drawn:  # some tools draw the process for its pool
                node = pool
            key = node.get("id", "")
            kind, name = reading.local(node), spoken.take(node, called)
            label = _box(entry.find(f"{{{DI}}}BPMNLabel/{{{DC}}}Bounds"))
            if reading.local(entry) == "BPMNShape":
                box = _box(entry.find(f"{{{DC}}}Bounds"))
                if box is not None:
                    flat = entry.get("isHorizontal") != "false"
                    if key not in opened:
                        opened[key] = kind in PARTS and any(child.get("id") in drawn for child in node)
                    is_open = opened[key] if entry.get("isExpanded") is None else entry.get("isExpanded") == "true"
                    drawing.shapes.append(_Shape(kind, key, name, box, label, node, flat, is_open))
            elif reading.local(entry) == "BPMNEdge":
                points = tuple(_points(entry))
                points_left -= len(points)
                if points_left < 0:
                    points = (points[0], points[-1]) if points else ()
                if len(points) > 1:
                    drawing.edges.append(_Edge(kind, name, points, label, key in self._defaults))
        drawing.is_short = spoken.left < 0
        return drawing


class _Names:
    """What elements are called, as long as there is room for it."""

    def __init__(self, nodes: Mapping[str, etree._Element]) -> None:
        self.nodes, self.left = nodes, MAX_ALL_TEXT
        self.known: dict[str, str] = {}

    def take(self, node: etree._Element, called: Mapping[str, str]) -> str:
        """Return the name of an element, shortened when many long ones have been."""
        key = node.get("id", "")
        if key not in self.known:
            self.known[key] = _named(node, called, self.nodes)
        name = self.known[key]
        self.left -= len(name)
        return name if self.left >= 0 or len(name) <= SHORT else name[: SHORT - 1] + "…"


def _named(node: etree._Element, called: Mapping[str, str], nodes: Mapping[str, etree._Element]) -> str:
    key = node.get("id", "")
    name = called.get(key)
    if name is None and called:  # the other language, which a flow or pool carries itself
        name = node.get(f"{{{PS}}}name_en") or called.get(node.get("processRef", ""))
    if name is None:
        name = node.get("name") or ""
    if not name and reading.local(node) == "textAnnotation":
        name = node.findtext(f"{{{BPMN}}}text") or ""
    elif not name and (category := nodes.get(node.get("categoryValueRef", ""))) is not None:  # a group is called as its category says
        name = category.get("value", "")
    return " ".join(name[: 9 * MAX_TEXT].split())[:MAX_TEXT]


def _number(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return max(-REACH, min(REACH, value)) if math.isfinite(value) else 0.0


def _box(bounds: etree._Element | None) -> Box | None:
    if bounds is None:
        return None
    width, height = _number(bounds.get("width")), _number(bounds.get("height"))
    return Box(_number(bounds.get("x")), _number(bounds.get("y")), max(1.0, width), max(1.0, height))


def _points(edge: etree._Element) -> Iterator[tuple[float, float]]:
    for count, point in enumerate(edge.findall(f"{{{DD}}}waypoint")):
        if count >= MAX_POINTS:
            return
        yield _number(point.get("x")), _number(point.get("y"))


# ── shapes ──


def _svg(width: float, height: float, body: str, view: Box) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.1f}" height="{height:.1f}" viewBox="{view.x:.1f} {view.y:.1f} {view.width:.1f} '
        f'{view.height:.1f}" font-family="{FONT}" font-size="{SIZE}"><g stroke-linejoin="round" stroke-linecap="round">{body}</g></svg>'
    )


def _draw(shape: _Shape) -> str:
    if shape.kind in FRAMES:
        return _frame(shape)
    if shape.kind in EVENTS:
        return _event(shape)
    if shape.kind in GATEWAYS:
        return _gateway(shape)
    if shape.kind in ("dataObjectReference", "dataStoreReference", "textAnnotation", "group"):
        return _artefact(shape)
    return _task(shape)


def _frame(shape: _Shape) -> str:
    box, fill = shape.box, "white"
    text = f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" fill="{fill}" stroke="{INK}" stroke-width="1.2"/>'
    if shape.is_flat:
        text += f'<rect x="{box.x}" y="{box.y}" width="30" height="{box.height}" fill="{PALE}" stroke="{INK}" stroke-width="1"/>'
        return text + _standing(shape.name, Box(box.x, box.y, 30, box.height), bold=shape.kind == "participant")
    text += f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="30" fill="{PALE}" stroke="{INK}" stroke-width="1"/>'
    return text + _text(shape.name, Box(box.x, box.y, box.width, 30), bold=shape.kind == "participant")


def _frame_head(shape: _Shape, whole: Box) -> str:
    """Draw the head of a pool or lane again, at the left of a later strip."""
    moved = Box(shape.box.x - whole.x, shape.box.y - whole.y, 30, shape.box.height)
    return (
        f'<rect x="{moved.x:.1f}" y="{moved.y:.1f}" width="30" height="{moved.height:.1f}" fill="{PALE}" stroke="{INK}" stroke-width="1"/>'
        + _standing(shape.name, moved, bold=shape.kind == "participant")
    )


def _task(shape: _Shape) -> str:
    box = shape.box
    thick = 3 if shape.kind == "callActivity" else 1.5
    twice = (
        f'<rect x="{box.x + 3}" y="{box.y + 3}" width="{box.width - 6}" height="{box.height - 6}" rx="7" fill="none" stroke="{INK}"/>'
        if shape.kind == "transaction"
        else ""
    )
    text = (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="9" fill="white" stroke="{INK}" stroke-width="{thick}"/>{twice}'
        + _task_sign(shape)
        + _markers(shape)
    )
    if shape.is_open:
        return text + _text(shape.name, Box(box.x + 4, box.y + 3, box.width - 8, 20), bold=True)
    signed = shape.kind in ("userTask", "serviceTask", "scriptTask", "businessRuleTask", "sendTask", "receiveTask", "manualTask")
    top = 14 if signed and box.height > 50 else 2
    return text + _text(shape.name, Box(box.x + 4, box.y + top, box.width - 8, box.height - top - (12 if _repeats(shape) is not None else 2)))


def _task_sign(shape: _Shape) -> str:
    x, y = shape.box.x + 6, shape.box.y + 5
    line = f'fill="none" stroke="{INK}" stroke-width="1"'
    signs = {
        "userTask": f'<circle cx="{x + 6}" cy="{y + 4}" r="3" {line}/><path d="M{x} {y + 13}c0-4 2.5-5.5 6-5.5s6 1.5 6 5.5z" {line}/>',
        "manualTask": f'<path d="M{x} {y + 6}h3l4-4 2 1-2 3h6v2h-5v5h-8z" {line}/>',
        "serviceTask": f'<circle cx="{x + 6}" cy="{y + 7}" r="2.2" {line}/>'
        f'<circle cx="{x + 6}" cy="{y + 7}" r="4.6" {line} stroke-dasharray="2.4 1.2"/>',
        "scriptTask": f'<path d="M{x + 2} {y + 1}h9q-4 3 0 6t-1 6h-9q4-3 0-6t1-6z'
        f'M{x + 3.5} {y + 4}h5M{x + 4.5} {y + 7}h5M{x + 4} {y + 10}h5" {line}/>',
        "businessRuleTask": f'<path d="M{x} {y + 2}h13v10h-13zM{x} {y + 5.2}h13M{x} {y + 8.6}h13M{x + 4} {y + 5.2}v6.8" {line}/>',
        "receiveTask": f'<path d="M{x} {y + 2}h13v9h-13zl6.5 5 6.5-5" {line}/>',
        "sendTask": f'<path d="M{x} {y + 2}h13v9h-13zl6.5 5 6.5-5" fill="{INK}" stroke="white" stroke-width="0.8"/>',
    }
    return signs.get(shape.kind, "")


def _repeats(shape: _Shape) -> etree._Element | None:
    found = shape.node.find(f"{{{BPMN}}}multiInstanceLoopCharacteristics")
    return found if found is not None else shape.node.find(f"{{{BPMN}}}standardLoopCharacteristics")


def _markers(shape: _Shape) -> str:
    x, y = shape.box.x + shape.box.width / 2, shape.box.y + shape.box.height - 13
    loop, text = _repeats(shape), ""
    if shape.kind in PARTS and not shape.is_open:
        text += f'<path d="M{x - 6} {y}h12v12h-12zM{x} {y + 3}v6M{x - 3} {y + 6}h6" fill="none" stroke="{INK}"/>'
        x += 16
    if loop is None:
        return text
    if reading.local(loop) == "standardLoopCharacteristics":
        return text + f'<path d="M{x - 4} {y + 9}a5 5 0 1 1 5 1.4l-3-1.2m3 1.2l1-3" fill="none" stroke="{INK}" stroke-width="1.3"/>'
    if loop.get("isSequential") == "true":
        return text + f'<path d="M{x - 5} {y + 2}h10M{x - 5} {y + 6}h10M{x - 5} {y + 10}h10" stroke="{INK}" stroke-width="1.6"/>'
    return text + f'<path d="M{x - 4} {y + 1}v10M{x} {y + 1}v10M{x + 4} {y + 1}v10" stroke="{INK}" stroke-width="1.6"/>'


def _event(shape: _Shape) -> str:
    (x, y), radius = shape.box.middle, min(shape.box.width, shape.box.height) / 2
    dashed = ' stroke-dasharray="5 3"' if shape.node.get("cancelActivity") == "false" or shape.node.get("isInterrupting") == "false" else ""
    width = 3 if shape.kind == "endEvent" else 1.5
    text = f'<circle cx="{x}" cy="{y}" r="{radius}" fill="white" stroke="{INK}" stroke-width="{width}"{dashed}/>'
    if shape.kind not in ("startEvent", "endEvent"):
        text += f'<circle cx="{x}" cy="{y}" r="{radius - 3.2}" fill="none" stroke="{INK}" stroke-width="1.2"{dashed}/>'
    kinds = [
        reading.local(child)[: -len("EventDefinition")]
        for child in shape.node
        if isinstance(child.tag, str) and reading.local(child).endswith("EventDefinition")
    ]
    return text + (_event_sign(kinds[0], x, y, shape.kind in ("endEvent", "intermediateThrowEvent")) if kinds else "")


def _event_sign(kind: str, x: float, y: float, full: bool) -> str:
    fill, line = (INK, "white") if full else ("none", INK)
    style = f'fill="{fill}" stroke="{line if full else INK}" stroke-width="1.1"'
    signs = {
        "timer": f'<circle cx="{x}" cy="{y}" r="8.5" fill="white" stroke="{INK}"/>'
        f'<path d="M{x} {y - 6}v6h4.5" fill="none" stroke="{INK}" stroke-width="1.3"/>',
        "message": f'<path d="M{x - 8} {y - 5.5}h16v11h-16zl8 6 8-6" {style}/>',
        "signal": f'<path d="M{x} {y - 8}l8 13h-16z" {style}/>',
        "error": f'<path d="M{x - 7} {y + 7}l4-12 5 7 5-9-4 13-5-7z" {style}/>',
        "escalation": f'<path d="M{x} {y - 8}l6 15-6-6-6 6z" {style}/>',
        "conditional": f'<path d="M{x - 6} {y - 8}h12v16h-12zM{x - 4} {y - 5}h8M{x - 4} {y - 1.5}h8M{x - 4} {y + 2}h8M{x - 4} {y + 5.5}h8" '
        f'fill="white" stroke="{INK}"/>',
        "terminate": f'<circle cx="{x}" cy="{y}" r="9" fill="{INK}"/>',
        "cancel": f'<path d="M{x - 6} {y - 6}l12 12M{x + 6} {y - 6}l-12 12" fill="none" stroke="{INK}" stroke-width="3"/>',
        "compensate": f'<path d="M{x} {y}l-7 6v-12zM{x + 7} {y + 6}l-7-6 7-6z" {style}/>',
        "link": f'<path d="M{x - 8} {y - 3}h9v-4l7 7-7 7v-4h-9z" {style}/>',
    }
    return signs.get(kind, "")


def _gateway(shape: _Shape) -> str:
    (x, y), half = shape.box.middle, shape.box.width / 2
    text = f'<path d="M{x} {y - half}L{x + half} {y}L{x} {y + half}L{x - half} {y}z" fill="white" stroke="{INK}" stroke-width="1.5"/>'
    line = f'fill="none" stroke="{INK}" stroke-width="2.6"'
    signs = {
        "exclusiveGateway": f'<path d="M{x - 7} {y - 8}l14 16M{x + 7} {y - 8}l-14 16" {line}/>',
        "parallelGateway": f'<path d="M{x} {y - 10}v20M{x - 10} {y}h20" {line}/>',
        "inclusiveGateway": f'<circle cx="{x}" cy="{y}" r="9.5" {line}/>',
        "complexGateway": f'<path d="M{x} {y - 10}v20M{x - 10} {y}h20M{x - 7} {y - 7}l14 14M{x + 7} {y - 7}l-14 14" {line}/>',
        "eventBasedGateway": f'<circle cx="{x}" cy="{y}" r="13" fill="none" stroke="{INK}"/>'
        f'<circle cx="{x}" cy="{y}" r="10.5" fill="none" stroke="{INK}"/>'
        f'<path d="M{x} {y - 7}l6.7 4.8-2.6 7.8h-8.2l-2.6-7.8z" fill="none" stroke="{INK}"/>',
    }
    return text + signs[shape.kind]


def _artefact(shape: _Shape) -> str:
    box = shape.box
    if shape.kind == "group":
        return (
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8" fill="none" stroke="{SOFT}" stroke-dasharray="8 4 2 4"/>'
        )
    if shape.kind == "textAnnotation":
        return f'<path d="M{box.x + 10} {box.y}H{box.x}V{box.y + box.height}H{box.x + 10}" fill="none" stroke="{INK}"/>' + _text(
            shape.name, Box(box.x + 5, box.y, box.width - 6, box.height), at="start"
        )
    if shape.kind == "dataStoreReference":
        return (
            f'<path d="M{box.x} {box.y + 7}v{box.height - 14}a{box.width / 2} 7 0 0 0 {box.width} 0v-{box.height - 14}a{box.width / 2} 7 0 0 0 '
            f'-{box.width} 0a{box.width / 2} 7 0 0 0 {box.width} 0" fill="white" stroke="{INK}"/>'
        )
    return f'<path d="M{box.x} {box.y}h{box.width - 10}l10 10v{box.height - 10}h-{box.width}zm{box.width - 10} 0v10h10" fill="white" stroke="{INK}"/>'


# ── connections ──


def _connection(edge: _Edge) -> str:
    if edge.kind == "sequenceFlow":
        return _path(edge.points) + _arrow(edge.points, INK) + _flow_start(edge)
    if edge.kind == "messageFlow":
        x, y = edge.points[0]
        return (
            _path(edge.points, ' stroke-dasharray="7 4"')
            + _arrow(edge.points, "white")
            + f'<circle cx="{x}" cy="{y}" r="3.5" fill="white" stroke="{INK}"/>'
        )
    ends = _arrow(edge.points, INK) if edge.kind in ("dataInputAssociation", "dataOutputAssociation") else ""
    return _path(edge.points, ' stroke-dasharray="1 4"') + ends


def _path(points: tuple[tuple[float, float], ...], style: str = "") -> str:
    """Draw a line through points, its corners a little round."""
    words = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for index in range(1, len(points) - 1):
        before, here, after = points[index - 1], points[index], points[index + 1]
        reach = min(6.0, math.dist(before, here) / 2, math.dist(here, after) / 2)
        one, two = _towards(here, before, reach), _towards(here, after, reach)
        words.append(f"L{one[0]:.1f} {one[1]:.1f}Q{here[0]:.1f} {here[1]:.1f} {two[0]:.1f} {two[1]:.1f}")
    words.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return f'<path d="{"".join(words)}" fill="none" stroke="{INK}" stroke-width="1.3"{style}/>'


def _towards(start: tuple[float, float], end: tuple[float, float], by: float) -> tuple[float, float]:
    length = math.dist(start, end) or 1.0
    return start[0] + (end[0] - start[0]) * by / length, start[1] + (end[1] - start[1]) * by / length


def _arrow(points: tuple[tuple[float, float], ...], fill: str) -> str:
    tip = points[-1]
    before = next((point for point in reversed(points[:-1]) if math.dist(point, tip) > 0.5), None)
    if before is None:
        return ""
    angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
    corners = [(tip[0] - 9 * math.cos(angle + turn), tip[1] - 9 * math.sin(angle + turn)) for turn in (0.42, -0.42)]
    path = f"M{tip[0]:.1f} {tip[1]:.1f}L{corners[0][0]:.1f} {corners[0][1]:.1f}L{corners[1][0]:.1f} {corners[1][1]:.1f}z"
    return f'<path d="{path}" fill="{fill}" stroke="{INK}" stroke-width="1"/>'


def _flow_start(edge: _Edge) -> str:
    """Mark a default flow with a stroke, as BPMN asks."""
    if not edge.is_default:
        return ""
    (x, y), (to_x, to_y) = edge.points[0], edge.points[1]
    angle = math.atan2(to_y - y, to_x - x)
    x, y = x + 9 * math.cos(angle), y + 9 * math.sin(angle)
    turn = angle + math.pi / 3
    return (
        f'<path d="M{x - 5 * math.cos(turn):.1f} {y - 5 * math.sin(turn):.1f}L{x + 5 * math.cos(turn):.1f} {y + 5 * math.sin(turn):.1f}" '
        f'stroke="{INK}" stroke-width="1.4"/>'
    )


# ── words ──


def _outside(entry: _Shape | _Edge) -> str:
    """Write the name that stands beside an event, a gateway or a flow."""
    if not entry.name:
        return ""
    if isinstance(entry, _Shape):
        if entry.kind not in (*EVENTS, *GATEWAYS, "dataObjectReference", "dataStoreReference", "group"):
            return ""
        below = 4.0 if entry.kind == "group" else entry.box.height + 4
        box = entry.label or Box(entry.box.x + entry.box.width / 2 - 45, entry.box.y + below, 90, LINE)
    else:
        if entry.kind not in ("sequenceFlow", "messageFlow"):
            return ""
        middle = entry.points[len(entry.points) // 2 - 1], entry.points[len(entry.points) // 2]
        x, y = (middle[0][0] + middle[1][0]) / 2, (middle[0][1] + middle[1][1]) / 2
        box = entry.label or Box(x - 45, y - LINE - 2, 90, LINE)
    width = max(90.0, box.width)
    return _text(entry.name, Box(box.x + box.width / 2 - width / 2, box.y, width, box.height), from_top=True, halo=True)


def wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    """Break a text into lines of a width: Chinese between any two characters, other words between words."""
    lines: list[str] = []
    line, used = "", 0.0
    for word in _pieces(text):
        length = _length(word, size)
        if line and used + length > width and word not in "，。、；：！？）》”":
            lines.append(line.rstrip())
            line, used = "", 0.0
        while length > width and len(word) > 1:  # a word longer than a line
            fit = max(1, int(len(word) * width / length) - 1)
            lines.append(word[:fit])
            word = word[fit:]
            length = _length(word, size)
        if line or word.strip():
            line, used = line + word, used + length
    if line.strip():
        lines.append(line.rstrip())
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1][:-1] + "…"]
    return lines


def _pieces(text: str) -> Iterator[str]:
    word = ""
    for char in text:
        if ord(char) >= 0x2E80 or char == " ":
            if word:
                yield word
            yield char
            word = ""
        else:
            word += char
    if word:
        yield word


def _length(text: str, size: float) -> float:
    return sum(size if ord(char) >= 0x2E80 else size * 0.3 if char in " ilj.,:;'|!" else size * 0.56 for char in text)


def _clean(text: str) -> str:
    return escape("".join(char for char in text if char >= " " and not 0xD800 <= ord(char) <= 0xDFFF and char not in "\ufffe\uffff"))


def _text(text: str, box: Box, *, bold: bool = False, at: str = "middle", from_top: bool = False, halo: bool = False) -> str:
    if not text:
        return ""
    size, lines = SIZE, wrapped(text, box.width)
    if not from_top:
        while len(lines) * size * 1.2 > box.height and size > 8:  # a long name inside a small box
            size -= 1
            lines = wrapped(text, box.width, size)
    step = size * 1.22
    y = box.y + size * 0.95 if from_top else box.y + box.height / 2 - (len(lines) - 1) * step / 2 + size * 0.36
    x = box.x + box.width / 2 if at == "middle" else box.x + 3
    weight = ' font-weight="700"' if bold else ""
    style = f'text-anchor="{at}" font-size="{size:g}"{weight}'
    found = []
    for number, line in enumerate(lines):
        where = f'x="{x:.1f}" y="{y + number * step:.1f}" {style}'
        if halo:  # a name over a line stays readable; the same text in white would cost four times as much to typeset
            wide = _length(line, size) + 2
            found.append(
                f'<rect x="{x - wide / 2:.1f}" y="{y + number * step - size * 0.85:.1f}" width="{wide:.1f}" height="{size * 1.1:.1f}" '
                f'fill="white" fill-opacity="0.75"/>'
            )
        found.append(f'<text {where} fill="{INK}">{_clean(line)}</text>')
    return "".join(found)


def _standing(text: str, box: Box, *, bold: bool) -> str:
    """Write the name of a lane along its side."""
    (x, y), lines = box.middle, wrapped(text, box.height - 8)[:2]
    weight = ' font-weight="700"' if bold else ""
    step = 13.0
    return "".join(
        f'<text transform="translate({x + (number - (len(lines) - 1) / 2) * step + 4.3:.1f} {y:.1f}) rotate(-90)" text-anchor="middle"{weight} '
        f'fill="{INK}">{_clean(line)}</text>'
        for number, line in enumerate(lines)
    )
