"""The picture of a diagram, kept in order while its steps change: room is made, steps get a place, flows a square way, words a free spot.

Nothing is laid out anew. To make room, everything behind a line moves along and frames grow with it; only flows that were
touched, or that the move would bend, are led anew.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from lxml import etree

from engine.workflow import markup
from engine.workflow.reading import BPMN, DC, DD, DI, FLOW_NODES, local

SIZES = {"Event": (36, 36), "Gateway": (50, 50)}
TASK = (120, 80)
GAP, APART, MARGIN, NEAR, GRID = 50, 20, 10, 9, 10
LETTER, LINE = 12, 14  # width of a Chinese letter and height of a line of words
ROW = 60  # room between two rows of a lane
MAX_CROSSROADS = 40_000
_BEND, _CROSS, _OVER, _WORDS, _SIDE = 40, 130, 12, 400, 60
FRAMES = ("participant", "lane")
RIGHT, DOWN, LEFT, UP = 0, 1, 2, 3
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
Point = tuple[float, float]


@dataclass(slots=True)
class Box:
    """A rectangle that may be moved."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> Point:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2

    def grown(self, by: float) -> Box:
        """Return it with its edges moved outwards."""
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def meets(self, other: Box) -> bool:
        """Tell whether two rectangles share more than an edge; one may be a line."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def holds(self, other: Box) -> bool:
        """Tell whether the other lies in this one."""
        return self.x <= other.x and self.y <= other.y and self.right >= other.right and self.bottom >= other.bottom


def room(words: str) -> float:
    """Return how wide words are on one line."""
    return math.ceil(sum(LETTER if ord(letter) > 0x2000 else LETTER * 0.6 for letter in words)) + 4


def size(kind: str, name: str = "") -> tuple[float, float]:
    """Return width and height of an element; a task is as wide as its name on two lines needs."""
    for ending, found in SIZES.items():
        if kind.endswith(ending):
            return found
    return max(TASK[0], min(240, 20 * math.ceil((room(name) / 2 + 14) / 20))), TASK[1]


def _up(value: float) -> float:
    return GRID * math.ceil(value / GRID - 1e-9)


def _down(value: float) -> float:
    return GRID * math.floor(value / GRID + 1e-9)


class Picture:
    """Boxes, words and lines of a diagram. Elements are told by their ids; `write` brings the numbers back into the tree."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        self.plane = next(iter(root.iter(f"{{{DI}}}BPMNPlane")), None)
        self.boxes: dict[str, Box] = {}
        self.words: dict[str, Box] = {}
        self.lines: dict[str, list[Point]] = {}
        self.broken: set[str] = set()
        self._drawn: dict[str, etree._Element] = {}
        self._known: dict[str, object] = {}
        self._crowded: dict[str, int] = {}
        self.look()
        if self.plane is None:
            return
        for drawn in self.plane:
            element = drawn.get("bpmnElement", "") if isinstance(drawn.tag, str) else ""
            if not element:
                continue
            if local(drawn) == "BPMNShape" and (box := _read_box(drawn.find(f"{{{DC}}}Bounds"))) is not None:
                self.boxes[element] = box
            elif local(drawn) == "BPMNEdge":
                points = [_point(point) for point in drawn.iter(f"{{{DD}}}waypoint")]
                if len(points) >= 2:
                    self.lines[element] = points
            self._drawn[element] = drawn
            words = _read_box(drawn.find(f"{{{DI}}}BPMNLabel/{{{DC}}}Bounds"))
            if words is not None:
                self.words[element] = words
        self._known = self._state()
        self._crowded = {name: self._in_the_way(words, name) for name, words in self.words.items()}

    @property
    def is_drawn(self) -> bool:
        """Whether there is a picture at all."""
        return self.plane is not None and bool(self.boxes)

    def look(self) -> None:
        """Read what the tree says now: which nodes and flows there are and what holds what."""
        self.kinds: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.hosts: dict[str, str] = {}
        self.within: dict[str, str] = {}  # the process or embedded part of a node
        self.process_of: dict[str, str] = {}
        self.ends: dict[str, tuple[str, str]] = {}
        self.lane_of: dict[str, str] = {}
        self.lanes: dict[str, list[str]] = {}
        self.pools: dict[str, str] = {}
        for pool in self.root.iter(f"{{{BPMN}}}participant"):
            self.pools[pool.get("processRef", "")] = pool.get("id", "")
            self.names[pool.get("id", "")] = pool.get("name", "")
        for process in self.root.findall(f"{{{BPMN}}}process"):
            key = process.get("id", "")
            self.lanes[key] = []
            for node in process.iter(etree.Element):
                if not isinstance(node.tag, str) or not node.tag.startswith(f"{{{BPMN}}}"):
                    continue
                kind, identifier = local(node), node.get("id", "")
                parent = node.getparent()
                if kind in FLOW_NODES:
                    self.kinds[identifier], self.names[identifier] = kind, node.get("name", "")
                    self.within[identifier] = parent.get("id", "") if parent is not None else key
                    self.process_of[identifier] = key
                    if node.get("attachedToRef"):
                        self.hosts[identifier] = node.get("attachedToRef", "")
                elif kind == "sequenceFlow":
                    self.ends[identifier] = node.get("sourceRef", ""), node.get("targetRef", "")
                    self.names[identifier] = node.get("name", "")
                    self.process_of[identifier] = key
                elif kind == "lane":
                    self.lanes[key].append(identifier)
                    self.names[identifier] = node.get("name", "")
                elif kind == "flowNodeRef" and parent is not None:
                    self.lane_of[(node.text or "").strip()] = parent.get("id", "")
        self.parts = set(self.within.values())

    # ── room ──

    def _frames(self, scope: str) -> set[str]:
        """Return what grows when room is made in a process or embedded part: its pool, lanes, and the parts around it."""
        process = self.process_of.get(scope, scope)
        frames = {self.pools.get(process, ""), *self.lanes.get(process, ())}
        while scope in self.kinds:
            frames.add(scope)
            scope = self.within[scope]
        return frames

    def _unit(self, node: str, frames: set[str]) -> str:
        """Return what a node moves with: the task it sits on, or the outermost part around it that does not itself grow."""
        unit = node
        while True:
            unit = self.hosts.get(unit, unit)
            around = self.within.get(unit, "")
            if around not in self.kinds or around in frames:
                return unit
            unit = around

    def make_room(self, scope: str, at: float, by: float, axis: int = 0) -> None:
        """Move everything behind a line: to the right of `at` (axis 0) or below it (axis 1). A negative `by` draws it near again."""
        if not by or not self.is_drawn:
            return
        frames = self._frames(scope)
        process = self.process_of.get(scope, scope)
        every_pool = {*self.pools.values(), *(lane for lanes in self.lanes.values() for lane in lanes)}
        moved: dict[str, float] = {}
        for name, box in self.boxes.items():
            low, high = (box.x, box.right) if axis == 0 else (box.y, box.bottom)
            if name in every_pool or name in frames:
                if axis == 0 and name not in frames:
                    continue  # another pool keeps its width
                if low >= at:
                    moved[name] = by
                elif high >= at:
                    if axis == 0:
                        box.width += by
                    else:
                        box.height += by
                continue
            if name in self.kinds:
                if axis == 0 and self.process_of[name] != process:
                    continue
                unit = self.boxes.get(self._unit(name, frames), box)
                if unit.middle[axis] >= at:
                    moved[name] = by
            elif box.middle[axis] >= at:
                moved[name] = by
        for flow, points in self.lines.items():
            if flow in self.ends and axis == 0 and self.process_of.get(flow, process) != process:
                continue
            self._move_line(flow, points, moved, at, by, axis)
        for name in moved:
            box = self.boxes[name]
            if axis == 0:
                box.x += by
            else:
                box.y += by
            if name in self.words:
                self._move_words(name, by, axis)

    def _move_words(self, name: str, by: float, axis: int) -> None:
        words = self.words[name]
        if axis == 0:
            words.x += by
        else:
            words.y += by

    def _move_line(self, flow: str, points: list[Point], moved: dict[str, float], at: float, by: float, axis: int) -> None:
        old = [point[axis] for point in points]
        new = [value + (by if value >= at else 0) for value in old]
        was_square = _is_square(points)
        if flow in self.ends:
            source, target = self.ends[flow]
            for end, places in ((source, range(len(old))), (target, range(len(old) - 1, -1, -1))):
                if end not in self.boxes:
                    continue
                by_end = moved.get(end, 0.0)
                first = old[places[0]]
                for place in places:
                    if old[place] != first:
                        break
                    new[place] = first + by_end
        fresh = [(value, point[1]) if axis == 0 else (point[0], value) for value, point in zip(new, points, strict=True)]
        if flow in self.words:
            self._follow_words(flow, points, fresh, at, by, axis)
        self.lines[flow] = _plain(fresh)
        if flow in self.ends and was_square and not _is_square(self.lines[flow]):
            self.broken.add(flow)

    def _follow_words(self, flow: str, old: list[Point], new: list[Point], at: float, by: float, axis: int) -> None:
        """Words stay beside the piece of the line they stand at."""
        x, y = self.words[flow].middle

        def far(place: int) -> float:
            (a, b), (c, d) = old[place], old[place + 1]
            return math.hypot(x - min(max(x, min(a, c)), max(a, c)), y - min(max(y, min(b, d)), max(b, d)))

        place = min(range(len(old) - 1), key=far)
        first, last = (new[end][axis] - old[end][axis] for end in (place, place + 1))
        step = first if first == last else by if (x, y)[axis] >= at else 0
        self._move_words(flow, step, axis)

    def close_gap(self, scope: str, left: float, right: float) -> None:
        """Draw everything behind a strip near again, as far as nothing stands in it."""
        process = self.process_of.get(scope, scope)
        mine = [box for name, box in self.boxes.items() if name in self.kinds and self.process_of[name] == process]
        mine += [words for name, words in self.words.items() if self.process_of.get(name) == process]
        edges = [box.right for box in mine if box.x < right and box.right > left]
        edges += [x for flow, points in self.lines.items() if self.process_of.get(flow) == process for x, _ in points if left < x < right]
        low = max([left, *edges]) if edges else left
        if edges and low > left:
            return
        by = _down(right - left)
        if by > 0:
            self.make_room(scope, right, -by)

    # ── places ──

    def add(self, identifier: str, box: Box) -> None:
        """Draw a new element."""
        self.boxes[identifier] = box

    def find_row(
        self, scope: str, lane: str, across: tuple[float, float], height: float, wanted: Iterable[float], passing: Iterable[str] = ()
    ) -> float:
        """Return the middle of a row in a lane where nothing stands between two columns; the lane grows where there is none.

        Args:
            across: The left and right edge of what is to stand there.
            wanted: Rows to try first.
            passing: Flows that are led anew and so are not in the way.
        """
        left, right = across
        frame = self.boxes.get(lane) or self._around(scope)
        half, ignored = height / 2, set(passing)
        if frame is None:
            first = next(iter(wanted), 200.0)
            return self._free_below(first, left, right, height, ignored)
        top, bottom = _up(frame.y + MARGIN + half), _down(frame.bottom - MARGIN - half)
        rows = [row for row in wanted if top <= row <= bottom]
        near = rows[0] if rows else (frame.y + frame.bottom) / 2
        # next to them, the rows on which the lane's other steps stand, those of the neighbours first
        there = [box for name, box in self.boxes.items() if name in self.kinds and name not in self.hosts and frame.holds(box)]
        rows += [box.middle[1] for box in sorted(there, key=lambda box: abs(box.middle[0] - left)) if top <= box.middle[1] <= bottom][:3]
        count = int((bottom - top) // GRID) + 1 if bottom >= top else 0
        rows += sorted((top + GRID * step for step in range(count)), key=lambda row: (round(abs(row - near) / 40), abs(row - near)))
        for row in rows:
            if self._is_free(Box(left, row - half, right - left, height), ignored):
                return row
        by = _up(height + ROW)
        edge = frame.bottom
        self.make_room(scope, edge, by, 1)
        row = _down(edge + by - MARGIN - LINE - 6 - half)
        self.broken |= self.crossing(Box(left, row - half, right - left, height).grown(MARGIN))  # what runs down through it goes round it
        return row

    def crossing(self, box: Box) -> set[str]:
        """Return the flows whose lines run through a box."""
        return {flow for flow, points in self.lines.items() if flow in self.ends and any(piece.meets(box) for piece in _pieces(points))}

    def _around(self, scope: str) -> Box | None:
        return self.boxes.get(scope) or self.boxes.get(self.pools.get(self.process_of.get(scope, scope), ""))

    def _free_below(self, first: float, left: float, right: float, height: float, ignored: set[str]) -> float:
        row = _up(first)
        for _ in range(400):
            if self._is_free(Box(left, row - height / 2, right - left, height), ignored):
                break
            row += GRID
        return row

    def _is_free(self, box: Box, ignored: set[str]) -> bool:
        wide = box.grown(APART)
        if any(name in self.kinds and not self._is_part(name) and other.meets(wide) for name, other in self.boxes.items()):
            return False
        near = box.grown(MARGIN)
        if any(other.meets(near) for name, other in self.words.items() if name not in ignored and name not in self.lanes):
            return False
        return not any(piece.meets(near) for flow, points in self.lines.items() if flow not in ignored for piece in _pieces(points))

    def _is_part(self, name: str) -> bool:
        """Tell whether other nodes are drawn inside this one."""
        return name in self.parts

    # ── ways ──

    def lead(self, flow: str) -> None:
        """Lead a flow anew: square, round every node, with few bends and crossings."""
        source, target = self.ends.get(flow, ("", ""))
        a, b = self.boxes.get(source), self.boxes.get(target)
        if a is None or b is None:
            return
        self.lines.pop(flow, None)
        points = _Way(self, flow, source, target).find()
        if points is None:
            (x, y), (p, q) = a.middle, b.middle
            middle = _up((a.right + b.x) / 2)
            points = [(a.right, y), (middle, y), (middle, q), (b.x, q)] if b.x > a.right else [(x, a.bottom), (x, max(a.bottom, b.bottom) + 30)]
            if b.x <= a.right:
                points += [(p, points[-1][1]), (p, b.bottom)]
        self.lines[flow] = _plain(points)

    def others(self, flow: str) -> Iterator[tuple[str, list[Point]]]:
        """Yield the other flows."""
        for name, points in self.lines.items():
            if name != flow and name in self.ends:
                yield name, points

    # ── words ──

    def put_words(self, element: str) -> None:
        """Give the name of an event, a gateway or a flow a free place beside it; a task has its name inside."""
        self.words.pop(element, None)
        name = " ".join(self.names.get(element, "").split())
        if not name:
            return
        width = room(name)
        if element in self.kinds:
            box = self.boxes.get(element)
            if box is None or not self.kinds[element].endswith(("Event", "Gateway")):
                return
            places = _beside_box(box, width)
        elif element in self.lines:
            places = _beside_line(self.lines[element], width)
        else:
            return
        best: tuple[float, Box] | None = None
        for order, place in enumerate(places):
            cost = self._in_the_way(place, element) * 1000 + order
            if best is None or cost < best[0]:
                best = cost, place
            if cost < 1000:
                break
        if best is not None:
            self.words[element] = best[1]

    def _in_the_way(self, place: Box, element: str) -> int:
        count = sum(1 for name, box in self.boxes.items() if name in self.kinds and not self._is_part(name) and box.meets(place.grown(1)))
        count += sum(1 for name, words in self.words.items() if name != element and words.meets(place.grown(2)))
        count += sum(1 for name, points in self.lines.items() for piece in _pieces(points) if piece.meets(place.grown(1)))
        process = self.process_of.get(element, "")
        lanes = [self.boxes[lane] for lane in self.lanes.get(process, ()) if lane in self.boxes]
        return count + (2 if lanes and not any(lane.holds(place) for lane in lanes) else 0)

    def tidy(self, touched: Iterable[str]) -> None:
        """Lead the flows that were touched or bent, then give words their places; words that a new line crosses move aside."""
        if not self.is_drawn:
            return
        flows = [flow for flow in dict.fromkeys([*touched, *self.broken]) if flow in self.ends]
        for flow in flows:
            self.lines.pop(flow, None)
            self.words.pop(flow, None)
        # Short and straight ones first: they leave the others the room they need.
        for flow in sorted(flows, key=self._stretch):
            self.lead(flow)
        for _ in range(2):  # what the first ones could not know: where the others would run
            for flow in [flow for flow in flows if self._is_poor(flow)]:
                before = self.lines[flow]
                self.lead(flow)
                if self._is_poor(flow) and flow not in self.lines:
                    self.lines[flow] = before
        fresh = [element for element in touched if element in self.kinds]
        for element in dict.fromkeys([*fresh, *flows]):
            self.put_words(element)
        self.broken = set()
        for element, words in list(self.words.items()):
            count = self._in_the_way(words, element) if element in self.kinds or element in self.ends else 0
            if count > self._crowded.get(element, 0):  # what was drawn like this stays like this
                self.put_words(element)
                if element not in self.words or self._in_the_way(self.words[element], element) >= count:
                    self.words[element] = words

    def _is_poor(self, flow: str) -> bool:
        """Tell whether a flow lies on another or runs through a node."""
        if flow not in self.lines:
            return False
        pieces = _pieces(self.lines[flow])
        process = self.process_of.get(flow)
        ends = {*self.ends[flow]}
        around = {part for end in ends for part in _around(self, end)}
        for name, box in self.boxes.items():
            if name in self.kinds and name not in around and self.process_of[name] == process and any(piece.meets(box) for piece in pieces):
                return True
        for other, points in self.others(flow):
            if self.ends[other][0] == self.ends[flow][0] or self.ends[other][1] == self.ends[flow][1]:
                continue
            for one in pieces:
                for two in _pieces(points):
                    across = min(one.right, two.right) - max(one.x, two.x)
                    down = min(one.bottom, two.bottom) - max(one.y, two.y)
                    level, upright = one.height == two.height == 0, one.width == two.width == 0
                    if (level and across > GRID and down == 0) or (upright and down > GRID and across == 0):
                        return True
        return False

    def _stretch(self, flow: str) -> float:
        source, target = (self.boxes.get(end) for end in self.ends[flow])
        if source is None or target is None:
            return math.inf
        (x, y), (p, q) = source.middle, target.middle
        return abs(x - p) + 2 * abs(y - q) + (1000 if p < x else 0)

    # ── back into the tree ──

    def _state(self) -> dict[str, object]:
        return {
            name: (_key(self.boxes.get(name)), _key(self.words.get(name)), tuple(self.lines.get(name, ())))
            for name in {*self.boxes, *self.words, *self.lines}
        }

    def write(self) -> None:
        """Bring what changed into the tree; what is gone from the diagram is gone from the picture."""
        if self.plane is None:
            return
        there = {*self.kinds, *self.ends, *self.pools.values(), *(lane for lanes in self.lanes.values() for lane in lanes)}
        others = {node.get("id", "") for node in self.root.iter(etree.Element) if node.get("id")}
        for element, drawn in list(self._drawn.items()):
            if element not in there and element not in others:
                markup.remove(drawn)
                for kept in (self.boxes, self.words, self.lines, self._drawn):
                    kept.pop(element, None)
        state = self._state()
        taken = {node.get("id", "") for node in self.plane.iter(etree.Element)}
        for element in sorted(state, key=lambda name: (name in self.lines, 0)):
            if self._known.get(element) == state[element]:
                continue
            entry = self._drawn.get(element)
            if entry is None:
                entry = self._new(element, taken)
            if element in self.boxes:
                _write_box(entry, self.boxes[element])
            if element in self.lines:
                _write_line(entry, self.lines[element])
            _write_words(entry, self.words.get(element))
        self._known = state

    def _new(self, element: str, taken: set[str]) -> etree._Element:
        assert self.plane is not None
        is_line = element in self.lines
        drawn = markup.make(self.plane, f"{{{DI}}}{'BPMNEdge' if is_line else 'BPMNShape'}", {})
        identifier, count = f"{element}_di", 2
        while identifier in taken:
            identifier, count = f"{element}_di_{count}", count + 1
        taken.add(identifier)
        drawn.set("id", identifier)
        drawn.set("bpmnElement", element)
        kind = self.kinds.get(element, "")
        if kind in ("exclusiveGateway",):
            drawn.set("isMarkerVisible", "true")
        if element not in self.kinds and not is_line:
            drawn.set("isHorizontal", "true")
        shapes = [place for place, entry in enumerate(self.plane) if isinstance(entry.tag, str) and local(entry) == "BPMNShape"]
        if is_line:
            markup.append(self.plane, drawn)
        else:
            markup.insert(self.plane, (shapes[-1] + 1) if shapes else 0, drawn)
        self._drawn[element] = drawn
        return drawn


def _key(box: Box | None) -> tuple[float, float, float, float] | None:
    return (box.x, box.y, box.width, box.height) if box is not None else None


def _read_box(bounds: etree._Element | None) -> Box | None:
    if bounds is None:
        return None
    try:
        x, y, width, height = (float(bounds.get(side, "")) for side in ("x", "y", "width", "height"))
    except ValueError:
        return None
    return Box(x, y, width, height) if all(abs(value) < 1e6 for value in (x, y, width, height)) else None


def _point(node: etree._Element) -> Point:
    try:
        x, y = float(node.get("x", "")), float(node.get("y", ""))
    except ValueError:
        return 0.0, 0.0
    return (x, y) if abs(x) < 1e6 and abs(y) < 1e6 else (0.0, 0.0)


def _figure(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.2f}".rstrip("0")


def _write_box(drawn: etree._Element, box: Box) -> None:
    bounds = drawn.find(f"{{{DC}}}Bounds")
    if bounds is None:
        bounds = markup.make(drawn, f"{{{DC}}}Bounds", {})
        _set_bounds(bounds, box)
        markup.insert(drawn, 0, bounds)
    else:
        _set_bounds(bounds, box)


def _set_bounds(bounds: etree._Element, box: Box) -> None:
    for side, value in (("x", box.x), ("y", box.y), ("width", box.width), ("height", box.height)):
        if bounds.get(side) is None or float(bounds.get(side, "0")) != value:
            bounds.set(side, _figure(value))


def _write_line(drawn: etree._Element, points: list[Point]) -> None:
    there = drawn.findall(f"{{{DD}}}waypoint")
    if [_point(node) for node in there] == points:
        return
    for surplus in there[len(points) :]:
        markup.remove(surplus)
    for place, (x, y) in enumerate(points):
        if place >= len(there):
            there.append(markup.make(drawn, f"{{{DD}}}waypoint", {}))
            markup.insert(drawn, place, there[place])
        there[place].set("x", _figure(x))
        there[place].set("y", _figure(y))


def _write_words(drawn: etree._Element, words: Box | None) -> None:
    label = drawn.find(f"{{{DI}}}BPMNLabel")
    if words is None:
        bounds = label.find(f"{{{DC}}}Bounds") if label is not None else None
        if bounds is not None and label is not None:
            markup.remove(label)
        return
    if label is None:
        label = markup.make(drawn, f"{{{DI}}}BPMNLabel", {})
        markup.append(drawn, label)
    _write_box(label, words)


def _pieces(points: list[Point]) -> list[Box]:
    return [Box(min(a, c), min(b, d), abs(a - c), abs(b - d)) for (a, b), (c, d) in pairwise(points)]


def _is_square(points: list[Point]) -> bool:
    return all((a == c) != (b == d) for (a, b), (c, d) in pairwise(points))


def _plain(points: list[Point]) -> list[Point]:
    """Return a line without points that say nothing."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) >= 2:
            (a, b), (c, d) = kept[-2], kept[-1]
            if (a == c == point[0] and (d - b) * (point[1] - d) > 0) or (b == d == point[1] and (c - a) * (point[0] - c) > 0):
                kept.pop()
        kept.append(point)
    return kept if len(kept) >= 2 else points


def _beside_box(box: Box, width: float) -> Iterator[Box]:
    x, _ = box.middle
    for away in (6, 12, 20):
        below, above = box.bottom + away, box.y - away - LINE
        for left in (x - width / 2, x + 8, x - 8 - width, box.right - 4, box.x + 4 - width):
            yield Box(round(left), round(below), width, LINE)
            yield Box(round(left), round(above), width, LINE)
    for away in (6, 14, 24):
        for top in (box.y - 4, box.bottom - 10):
            yield Box(round(box.right + away), round(top), width, LINE)
            yield Box(round(box.x - away - width), round(top), width, LINE)


def _beside_line(points: list[Point], width: float) -> Iterator[Box]:
    for (a, b), (c, d) in pairwise(points):
        if b == d:
            to_right = c > a
            length = abs(c - a)
            for along in (20, 10, 30, *range(40, int(max(length - width, 0)), 20)):
                if along + width > length and along > 10:
                    continue
                left = a + along if to_right else a - along - width
                for top in (b - 5 - LINE, b + 5, b - 12 - LINE, b + 12):
                    yield Box(round(left), round(top), width, LINE)
        else:
            down = d > b
            for along in (6, 14, *range(24, int(abs(d - b)), 16)):
                top = b + along if down else b - along - LINE
                for left in (a + 8, a - 8 - width, a + 14, a - 14 - width):
                    yield Box(round(left), round(top), width, LINE)


# ── finding a way ──


class _Way:
    """Finds the way of one flow on the lines between and through the nodes around it."""

    def __init__(self, picture: Picture, flow: str, source: str, target: str) -> None:
        self.picture, self.flow, self.source, self.target = picture, flow, source, target
        process = picture.process_of.get(source, "")
        around = _around(picture, source) & _around(picture, target)
        self.boxes = [
            box for name, box in picture.boxes.items() if name in picture.kinds and picture.process_of[name] == process and name not in around
        ]
        self.words = [words for name, words in picture.words.items() if name != flow]
        self.upright: dict[float, list[tuple[float, float, bool]]] = {}
        self.level: dict[float, list[tuple[float, float, bool]]] = {}
        for name, points in picture.others(flow):
            ends = picture.ends[name]
            shares = ends[0] == source or ends[1] == target
            for piece in _pieces(points):
                if piece.width == 0:
                    self.upright.setdefault(piece.x, []).append((piece.y, piece.bottom, shares))
                else:
                    self.level.setdefault(piece.y, []).append((piece.x, piece.right, shares))
        self.edges = {
            value for lane in picture.lanes.get(process, ()) if lane in picture.boxes for value in (picture.boxes[lane].y, picture.boxes[lane].bottom)
        }
        pool = picture.boxes.get(picture.pools.get(process, ""))
        self.frame = pool.grown(-MARGIN) if pool is not None else None
        if self.frame is not None and picture.lanes.get(process):
            self.frame = Box(self.frame.x + 30, self.frame.y, self.frame.width - 30, self.frame.height)
        self.costs: dict[tuple[int, int, int], float] = {}
        self.stretches: dict[tuple[float, bool], tuple[list[tuple[float, float]], list[tuple[float, float]]]] = {}
        self.grown = [box.grown(NEAR) for box in self.boxes], [words.grown(2) for words in self.words]
        self.across_lines = {True: sorted(self.upright), False: sorted(self.level)}

    def find(self) -> list[Point] | None:
        """Return the points of the way, None if there is none."""
        picture = self.picture
        outs = self._ports(self.source, leaving=True)
        ins = self._ports(self.target, leaving=False)
        xs = {value for box in self.boxes for value in (_down(box.x - 15), _up(box.right + 15), box.middle[0])}
        ys = {value for box in self.boxes for value in (_down(box.y - 15), _up(box.bottom + 15), box.middle[1])}
        for lane in picture.lanes.get(picture.process_of.get(self.source, ""), ()):
            if lane in picture.boxes:
                ys |= {_up(picture.boxes[lane].y + 20), _down(picture.boxes[lane].bottom - 20)}
        xs |= {stub[0] for _, stub, _, _ in [*outs, *ins]}
        ys |= {stub[1] for _, stub, _, _ in [*outs, *ins]}
        xs |= {_down((a + b) / 2) for a, b in pairwise(sorted(xs)) if b - a >= 40}
        ys |= {_down((a + b) / 2) for a, b in pairwise(sorted(ys)) if b - a >= 40}
        if self.frame is not None:
            keep = self.frame
            held = {stub for _, stub, _, _ in [*outs, *ins]}
            xs = {x for x in xs if keep.x <= x <= keep.right} | {x for x, _ in held}
            ys = {y for y in ys if keep.y <= y <= keep.bottom} | {y for _, y in held}
        if len(xs) * len(ys) > MAX_CROSSROADS:
            a, b = picture.boxes[self.source], picture.boxes[self.target]
            left, right = min(a.x, b.x) - 300, max(a.right, b.right) + 300
            top, bottom = min(a.y, b.y) - 300, max(a.bottom, b.bottom) + 300
            xs, ys = {x for x in xs if left <= x <= right}, {y for y in ys if top <= y <= bottom}
            if len(xs) * len(ys) > MAX_CROSSROADS:
                return None
        self.xs, self.ys = sorted(xs), sorted(ys)
        at_x, at_y = {x: place for place, x in enumerate(self.xs)}, {y: place for place, y in enumerate(self.ys)}
        goals: dict[tuple[int, int], list[tuple[int, float, Point]]] = {}
        for port, (x, y), side, cost in ins:
            goals.setdefault((at_x[x], at_y[y]), []).append(((side + 2) % 4, cost, port))
        todo: list[tuple[float, float, int, int, int]] = []
        best: dict[tuple[int, int, int], float] = {}
        came: dict[tuple[int, int, int], tuple[int, int, int] | None] = {}
        starts: dict[tuple[int, int, int], Point] = {}
        ends = [stub for _, stub, _, _ in ins]

        def left_over(i: int, j: int) -> float:
            x, y = self.xs[i], self.ys[j]
            return min(abs(x - p) + abs(y - q) for p, q in ends)

        for port, (x, y), side, cost in outs:
            state = at_x[x], at_y[y], side
            if cost < best.get(state, math.inf):
                best[state], came[state], starts[state] = cost, None, port
                heapq.heappush(todo, (cost + left_over(state[0], state[1]), cost, *state))
        found: tuple[float, tuple[int, int, int], Point] | None = None
        while todo:
            guess, cost, i, j, side = heapq.heappop(todo)
            state = i, j, side
            if found is not None and guess >= found[0]:
                break
            if cost > best[state]:
                continue
            for inwards, more, port in goals.get((i, j), ()):
                if (inwards + 2) % 4 == side:
                    continue
                total = cost + more + (0 if inwards == side else _BEND)
                if found is None or total < found[0]:
                    found = total, state, port
            for turn in (0, 1, 3):
                onward = (side + turn) % 4
                dx, dy = STEPS[onward]
                p, q = i + dx, j + dy
                if not (0 <= p < len(self.xs) and 0 <= q < len(self.ys)):
                    continue
                step = self._cost(i, j, p, q)
                if step == math.inf:
                    continue
                fresh = cost + step + (_BEND if turn else 0)
                after = p, q, onward
                if fresh < best.get(after, math.inf):
                    best[after], came[after] = fresh, state
                    heapq.heappush(todo, (fresh + left_over(p, q), fresh, *after))
        if found is None:
            return None
        points: list[Point] = [found[2]]
        here: tuple[int, int, int] | None = found[1]
        last = here
        while here is not None:
            points.append((self.xs[here[0]], self.ys[here[1]]))
            last, here = here, came[here]
        assert last is not None
        points.append(starts[last])
        return points[::-1]

    def _ports(self, node: str, *, leaving: bool) -> list[tuple[Point, Point, int, float]]:
        """Return where a flow may leave or reach a node: the point, the crossing outside of it, the side, and what it costs."""
        picture = self.picture
        box = picture.boxes[node]
        (x, y), kind = box.middle, picture.kinds.get(node, "")
        host = picture.boxes.get(picture.hosts.get(node, ""))
        found = []
        for side, port in ((RIGHT, (box.right, y)), (DOWN, (x, box.bottom)), (LEFT, (box.x, y)), (UP, (x, box.y))):
            dx, dy = STEPS[side]
            stub = (
                (_up(port[0] + 10) if dx > 0 else _down(port[0] - 10), port[1])
                if dx
                else (
                    port[0],
                    _up(port[1] + 10) if dy > 0 else _down(port[1] - 10),
                )
            )
            if host is not None and host.grown(NEAR).meets(Box(stub[0] - 1, stub[1] - 1, 2, 2)):
                continue
            backward = side == (LEFT if leaving else RIGHT)
            cost = 4.0 * _BEND if backward else 0.0 if side in (RIGHT, LEFT) else (10.0 if kind.endswith("Gateway") else 30.0)
            if host is not None:
                cost = 0.0 if side in (UP, DOWN) else 20.0
            for name, points in picture.others(self.flow):
                ends = picture.ends[name]
                if ends[0] == node and points[0] == port:
                    cost += (_SIDE if kind.endswith("Gateway") else 2) if leaving else 5 * _SIDE
                elif ends[1] == node and points[-1] == port:
                    cost += 5 * _SIDE if leaving else (2 if not kind.endswith("Gateway") else 15)
            found.append((port, stub, side, cost))
        return found

    def _cost(self, i: int, j: int, p: int, q: int) -> float:
        key = (min(i, p), min(j, q), 0 if j == q else 1)
        if key not in self.costs:
            self.costs[key] = self._measured(self.xs[min(i, p)], self.ys[min(j, q)], self.xs[max(i, p)], self.ys[max(j, q)])
        return self.costs[key]

    def _measured(self, a: float, b: float, c: float, d: float) -> float:
        """Return what the piece from one crossing to the next costs; infinite through a node."""
        is_level = b == d
        low, high, line = (a, c, b) if is_level else (b, d, a)
        blocked, written = self._on(line, is_level)
        if any(start < high and low < end for start, end in blocked):
            return math.inf
        cost = high - low
        cost += _WORDS * sum(1 for start, end in written if start < high and low < end)
        along, across = (self.level, self.upright) if is_level else (self.upright, self.level)
        for start, end, shares in along.get(line, ()):
            common = min(end, high) - max(start, low)
            if common > 0:
                cost += -0.5 * common if shares else _OVER * common + _CROSS
        for other in (line - 5, line + 5):
            for start, end, shares in along.get(other, ()):
                if min(end, high) - max(start, low) > 0 and not shares:
                    cost += _BEND
        lines = self.across_lines[is_level]
        for other in lines[bisect_right(lines, low) : bisect_right(lines, high)]:
            for start, end, shares in across[other]:
                if start < line < end:
                    cost += _CROSS / 3 if shares else _CROSS
        if is_level and line in self.edges:
            cost += 2 * _BEND
        return max(cost, 0.5)

    def _on(self, line: float, is_level: bool) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Return the stretches of a line that nodes block, and those on which words stand."""
        key = line, is_level
        if key not in self.stretches:
            blocked, written = self.grown
            if is_level:
                found = tuple([(box.x, box.right) for box in boxes if box.y < line < box.bottom] for boxes in (blocked, written))
            else:
                found = tuple([(box.y, box.bottom) for box in boxes if box.x < line < box.right] for boxes in (blocked, written))
            self.stretches[key] = found[0], found[1]
        return self.stretches[key]


def _around(picture: Picture, node: str) -> set[str]:
    """Return the embedded parts around a node."""
    found: set[str] = set()
    around = picture.within.get(node, "")
    while around in picture.kinds:
        found.add(around)
        around = picture.within.get(around, "")
    return found
