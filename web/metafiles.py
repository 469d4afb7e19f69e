"""Drawings as Enhanced Metafiles: the pictures of a Word file. They are lines and letters, sharp on paper and light to make.

Only what `engine.drawings` draws is understood: rectangles, circles, paths and texts, in a drawing or in a window of one.
The records are those of [MS-EMF], and the plainest of them: pens, brushes and fonts made once, polygons and lines through
points, letters. Curves become short lines, and what lies beyond the sides of a window is left out here, since not every
program keeps to clipping.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Iterator
from typing import Any

from lxml import etree

UNITS = 10
"""Logical units for one of the drawing."""
PIXEL = 25.4 / 96
"""Millimetres of a unit of the drawing at its own size."""
CJK, LATIN = "Microsoft YaHei", "Arial"
# Widths of the letters from the blank on, in thousandths of their size: of Helvetica, whose measures Arial shares.
_WIDTHS = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584,
    584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667,
    611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500,
    722, 500, 500, 500, 334, 260, 334, 584,
]  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
_MOVED = re.compile(r"translate\(([-\d.]+) ([-\d.]+)\) rotate\(-90\)")
_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_NO_BRUSH, _NO_PEN = 0x80000005, 0x80000008
_STEPS = 6
"""Short lines for a curve."""
Point = tuple[float, float]


def metafile(svg: str, width: float, height: float) -> bytes:
    """Return a drawing as an Enhanced Metafile.

    Args:
        svg: As a `Picture` holds it.
        width, height: Of the drawing, in its own units.
    """
    return _Metafile(width, height).of(svg)


class _Metafile:
    """The records of a metafile as they are written."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.records: list[bytes] = []
        self.handles: dict[tuple[Any, ...], int] = {}
        self.chosen: dict[str, int] = {}
        self.x = self.y = 0.0
        self.sides = (-math.inf, math.inf)

    def of(self, svg: str) -> bytes:
        wide, high = math.ceil(self.width), math.ceil(self.height)
        self._write(17, "I", 8)  # a mapping of our own: the window on the viewport
        self._write(10, "ii", 0, 0)
        self._write(9, "ii", wide * UNITS, high * UNITS)
        self._write(12, "ii", 0, 0)
        self._write(11, "ii", wide, high)
        self._write(18, "I", 1)  # letters without a ground
        self._group(etree.fromstring(svg.encode()))
        self._write(14, "III", 0, 16, 20)
        body = b"".join(self.records)
        header = struct.pack(
            "<II4i4iIIIIHHIIIii ii".replace(" ", ""),
            *(1, 88),
            *(0, 0, wide - 1, high - 1),
            *(0, 0, round(wide * PIXEL * 100), round(high * PIXEL * 100)),
            *(0x464D4520, 0x10000, 88 + len(body), len(self.records) + 1, len(self.handles) + 1, 0, 0, 0, 0),
            *(1920, 1080, round(1920 * PIXEL), round(1080 * PIXEL)),
        )
        return header + body

    def _write(self, kind: int, form: str = "", *values: Any, more: bytes = b"") -> None:
        fixed = struct.pack("<" + form, *values)
        self.records.append(struct.pack("<II", kind, 8 + len(fixed) + len(more)) + fixed + more)

    # ── what is drawn ──

    def _group(self, node: etree._Element) -> None:
        name = etree.QName(node).localname
        if name == "svg":
            self._window(node)
        elif name == "g":
            for child in node:
                self._group(child)
        elif name == "rect":
            self._rectangle(node)
        elif name == "circle":
            x, y, radius = (float(node.get(key, "0")) for key in ("cx", "cy", "r"))
            if self._is_seen(x - radius, x + radius):
                self._styled(node)
                self._write(42, "4i", *self._at(x - radius, y - radius), *self._at(x + radius, y + radius))
        elif name == "path":
            self._path(node)
        elif name == "text":
            self._text(node)

    def _window(self, node: etree._Element) -> None:
        """Draw what a window shows: its own coordinates moved, and nothing beyond its sides."""
        left, top, wide, _high = map(float, (node.get("viewBox") or f"0 0 {self.width} {self.height}").split())
        before = self.x, self.y, self.sides
        x, y = float(node.get("x", "0")), float(node.get("y", "0"))
        self.sides = max(self.sides[0], x + self.x), min(self.sides[1], x + self.x + wide)
        self.x, self.y = self.x + x - left, self.y + y - top
        for child in node:
            self._group(child)
        self.x, self.y, self.sides = before

    def _is_seen(self, left: float, right: float) -> bool:
        """Tell whether something lies between the sides of the window."""
        return right + self.x > self.sides[0] and left + self.x < self.sides[1]

    def _rectangle(self, node: etree._Element) -> None:
        x, y, wide, high = (float(node.get(key, "0")) for key in ("x", "y", "width", "height"))
        if not self._is_seen(x, x + wide):
            return
        round_by = round(2 * UNITS * float(node.get("rx", "0")))
        if round_by:
            self._styled(node)
            self._write(44, "6i", *self._at(x, y), *self._at(x + wide, y + high), round_by, round_by)
        else:
            self._lines([[(x, y), (x + wide, y), (x + wide, y + high), (x, y + high), (x, y)]], node)

    def _path(self, node: etree._Element) -> None:
        self._lines(list(_lines(node.get("d", ""))), node)

    def _lines(self, lines: list[list[Point]], node: etree._Element) -> None:
        """Fill and draw lines through points; one that ends where it begins is closed."""
        is_filled, is_drawn = self._styled(node)
        for line in lines:
            xs = [x for x, _ in line]
            if len(line) < 2 or not self._is_seen(min(xs), max(xs)):
                continue
            is_whole = min(xs) + self.x >= self.sides[0] and max(xs) + self.x <= self.sides[1]
            if is_filled and len(line) > 2:
                corners = line if is_whole else [(min(max(x, self.sides[0] - self.x), self.sides[1] - self.x), y) for x, y in line]
                if not is_whole:
                    self._choose("pen", _NO_PEN)
                self._points(3, corners)
                if is_whole and is_drawn:
                    continue
                self._styled(node)
            if is_drawn:
                for part in [line] if is_whole else _between_sides(line, self.sides[0] - self.x, self.sides[1] - self.x):
                    self._points(4, part)

    def _points(self, record: int, points: list[Point]) -> None:
        places = [self._at(x, y) for x, y in points]
        xs, ys = [x for x, _ in places], [y for _, y in places]
        flat = [value for place in places for value in place]
        self._write(record, f"4iI{len(flat)}i", min(xs), min(ys), max(xs), max(ys), len(places), *flat)

    def _text(self, node: etree._Element) -> None:
        text = node.text or ""
        size = float(node.get("font-size", "12"))
        moved = _MOVED.match(node.get("transform", ""))
        x, y = (float(moved[1]), float(moved[2])) if moved else (float(node.get("x", "0")), float(node.get("y", "0")))
        if not self._is_seen(x, x):
            return
        self._choose("font", self._font(text, size, is_bold=node.get("font-weight") == "700", is_turned=moved is not None))
        self._write(22, "I", 24 | (6 if node.get("text-anchor") == "middle" else 0))
        self._write(24, "I", _colour(node.get("fill")))
        letters = text.encode("utf-16-le", "replace")
        count = len(letters) // 2
        padded = letters + bytes(-len(letters) % 4)
        steps = [_step(unit, size) for unit in struct.unpack(f"<{count}H", letters)]
        self._write(
            84,
            "4iIffiiIII4iI",
            *(0, 0, -1, -1),
            *(2, 1.0, 1.0),
            *self._at(x, y),
            *(count, 76, 0),
            *(0, 0, -1, -1),
            76 + len(padded),
            more=padded + struct.pack(f"<{count}I", *steps),
        )

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round((x + self.x) * UNITS), round((y + self.y) * UNITS)

    # ── pens, brushes, fonts ──

    def _styled(self, node: etree._Element) -> tuple[bool, bool]:
        """Take up the brush and the pen of a shape; return whether it is filled, and whether its outline is drawn."""
        fill, stroke = node.get("fill", "black"), node.get("stroke", "none")
        self._choose("brush", _NO_BRUSH if fill == "none" else self._made("brush", 39, struct.pack("<III", 0, _colour(fill), 0)))
        if stroke == "none":
            self._choose("pen", _NO_PEN)
        else:
            wide = max(1, round(float(node.get("stroke-width", "1")) * UNITS))
            dashes = [max(1, round(float(part) * UNITS)) for part in (node.get("stroke-dasharray") or "").split()]
            style = 0x10000 | (7 if dashes else 0)  # geometric, its ends and corners round
            pen = struct.pack(f"<IIII IIIIII{len(dashes)}I".replace(" ", ""), 0, 0, 0, 0, style, wide, 0, _colour(stroke), 0, len(dashes), *dashes)
            self._choose("pen", self._made("pen", 95, pen))
        return fill != "none", stroke != "none"

    def _font(self, text: str, size: float, *, is_bold: bool, is_turned: bool) -> int:
        turn, face = (900 if is_turned else 0), LATIN if text.isascii() else CJK
        form = struct.pack("<5i8B", -round(size * UNITS), 0, turn, turn, 700 if is_bold else 400, 0, 0, 0, 1, 0, 0, 0, 0)
        return self._made("font", 82, form + face.encode("utf-16-le").ljust(64, b"\0") + bytes(228))

    def _made(self, kind: str, record: int, form: bytes) -> int:
        """Return the handle of a pen, a brush or a font, making it when it is first asked for."""
        known = (kind, form)
        if known not in self.handles:
            self.handles[known] = len(self.handles) + 1
            self._write(record, "I", self.handles[known], more=form)
        return self.handles[known]

    def _choose(self, kind: str, handle: int) -> None:
        if self.chosen.get(kind) != handle:
            self.chosen[kind] = handle
            self._write(37, "I", handle)


def _colour(name: str | None) -> int:
    """Return a colour as metafiles have it: blue, green, red."""
    if name is None or not name.startswith("#"):
        return 0xFFFFFF if name == "white" else 0
    return int.from_bytes(bytes.fromhex(name[1:]), "little")


def _step(unit: int, size: float) -> int:
    """Return how far the next letter stands from one."""
    thousandths = _WIDTHS[unit - 32] if 32 <= unit < 127 else 1000 if unit >= 0x2E80 else 600
    return round(size * UNITS * thousandths / 1000)


# ── paths ──


def _lines(path: str) -> Iterator[list[Point]]:
    """Yield the lines of a path through their points, curves as short lines; one that returns to its beginning ends there."""
    tokens = _TOKEN.findall(path)
    line: list[Point] = [(0.0, 0.0)]
    bent: Point | None = None
    place, command = 0, ""
    while place < len(tokens):
        if tokens[place].isalpha():
            command = tokens[place]
            place += 1
        kind, count, at = command.upper(), _COUNTS[command.upper()], line[-1]
        numbers = list(map(float, tokens[place : place + count]))
        place += count
        if kind == "Z":
            yield [*line, line[0]]
            line = [line[0]]
            continue
        points = _absolute(kind, numbers, at if command.islower() else (0.0, 0.0), at)
        control: Point | None = None
        if kind == "M":
            if len(line) > 1:
                yield line
            line, command = points, "l" if command == "m" else "L"
        elif kind in "LHV":
            line += points
        elif kind == "A":
            line += [point for start, one, two, end in _arc(at, points[0], numbers) for point in _curve(start, one, two, end)]
        else:
            one = _mirrored(at, bent) if kind in "ST" else points[0]
            end = points[-1]
            if kind in "QT":
                control = one
                line += _curve(at, _between(at, one, 2 / 3), _between(end, one, 2 / 3), end)
            else:
                control = points[-2]
                line += _curve(at, one, points[-2], end)
        bent = control
    if len(line) > 1:
        yield line


def _curve(start: Point, one: Point, two: Point, end: Point) -> list[Point]:
    """Return the points of a curve after its start."""
    found = []
    for step in range(1, _STEPS + 1):
        share = step / _STEPS
        rest = 1 - share
        weights = rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3
        found.append((_sum(weights, start[0], one[0], two[0], end[0]), _sum(weights, start[1], one[1], two[1], end[1])))
    return found


def _sum(weights: tuple[float, ...], *values: float) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def _between_sides(line: list[Point], left: float, right: float) -> Iterator[list[Point]]:
    """Yield what of a line lies between two sides."""
    found: list[Point] = []
    for one, other in itertools.pairwise(line):
        low, high = (one, other) if one[0] <= other[0] else (other, one)
        if high[0] < left or low[0] > right:
            if found:
                yield found
            found = []
            continue
        wide = high[0] - low[0]
        from_, to = (
            point if left <= point[0] <= right else _between(low, high, ((left if point[0] < left else right) - low[0]) / wide)
            for point in (one, other)
        )
        if found and found[-1] != from_:
            yield found
            found = []
        found = [*(found or [from_]), to]
    if found:
        yield found


def _absolute(kind: str, numbers: list[float], origin: Point, at: Point) -> list[Point]:
    if kind == "H":
        return [(numbers[0] + origin[0], at[1])]
    if kind == "V":
        return [(at[0], numbers[0] + origin[1])]
    ends = numbers[5:] if kind == "A" else numbers
    return [(ends[place] + origin[0], ends[place + 1] + origin[1]) for place in range(0, len(ends), 2)]


def _mirrored(at: Point, bent: Point | None) -> Point:
    return at if bent is None else (2 * at[0] - bent[0], 2 * at[1] - bent[1])


def _between(one: Point, other: Point, share: float) -> Point:
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share


def _arc(start: Point, end: Point, numbers: list[float]) -> Iterator[tuple[Point, Point, Point, Point]]:
    """Yield an arc of an upright ellipse as curves of at most a quarter (SVG 1.1, F.6.5)."""
    wide, high, _turn, is_large, is_forward = numbers[:5]
    half = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    if not wide or not high or half == (0.0, 0.0):
        return
    grow = math.sqrt(max(1.0, (half[0] / wide) ** 2 + (half[1] / high) ** 2))
    wide, high = abs(wide) * grow, abs(high) * grow
    square = (wide * half[1]) ** 2 + (high * half[0]) ** 2
    aside = math.sqrt(max(0.0, (wide * high) ** 2 / square - 1)) * (-1 if bool(is_large) == bool(is_forward) else 1)
    middle = (
        aside * wide * half[1] / high + (start[0] + end[0]) / 2,
        -aside * high * half[0] / wide + (start[1] + end[1]) / 2,
    )
    first, last = (math.atan2((point[1] - middle[1]) / high, (point[0] - middle[0]) / wide) for point in (start, end))
    sweep = (last - first) % (2 * math.pi) if is_forward else -((first - last) % (2 * math.pi))
    count = max(1, math.ceil(abs(sweep) / (math.pi / 2) - 1e-9))
    reach = 4 / 3 * math.tan(sweep / count / 4)
    for number in range(count):
        one, two = (first + sweep * (number + more) / count for more in (0, 1))
        yield (
            (middle[0] + wide * math.cos(one), middle[1] + high * math.sin(one)),
            (middle[0] + wide * (math.cos(one) - reach * math.sin(one)), middle[1] + high * (math.sin(one) + reach * math.cos(one))),
            (middle[0] + wide * (math.cos(two) + reach * math.sin(two)), middle[1] + high * (math.sin(two) - reach * math.cos(two))),
            (middle[0] + wide * math.cos(two), middle[1] + high * math.sin(two)),
        )
