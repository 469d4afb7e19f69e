"""Decision tables read and changed cell by cell, for those who edit them as a plain table. Pure functions from text to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from engine import feel
from engine.errors import N_
from engine.feel import dmn
from engine.workflow import markup
from engine.workflow.editing import EditRefused
from engine.workflow.markup import Markup
from engine.workflow.reading import UnreadableDiagram

POLICIES = ("UNIQUE", "FIRST", "ANY", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT")
MAX_RULES, MAX_CELL = 500, 2000


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it asks or gives, `text` as FEEL; `values` are those allowed."""

    label: str
    text: str
    kind: str
    values: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A rule: what the inputs must be, what comes out, and why."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Table:
    """A decision table of a model; its place in the model names it."""

    place: int
    name: str
    note: str
    policy: str
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    rows: tuple[Row, ...]


def read(content: bytes) -> list[Table]:
    """Return the decision tables of a model, in order.

    Raises:
        UnreadableDiagram: it is no decision model.
    """
    return [_read(place, node) for place, node in enumerate(_tables(_open(content).root))]


def _open(content: bytes) -> Markup:
    try:
        root = dmn.parse_xml(content)
    except feel.FeelError as error:
        raise UnreadableDiagram("not_dmn") from error
    return Markup(content, tag=str(root.tag), declares=False)


def _tables(root: etree._Element) -> list[etree._Element]:
    return [node for node in root.iter(etree.Element) if isinstance(node.tag, str) and etree.QName(node).localname == "decisionTable"]


def _all(node: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in node if isinstance(child.tag, str) and etree.QName(child).localname == name]


def _text(node: etree._Element | None, *path: str) -> str:
    for name in path:
        found = _all(node, name) if node is not None else []
        node = found[0] if found else None
    return (node.text or "").strip() if node is not None else ""


def _read(place: int, node: etree._Element) -> Table:
    holder = node.getparent()
    inputs = tuple(
        Column(
            entry.get("label", "") or _text(entry, "inputExpression", "text"),
            _text(entry, "inputExpression", "text"),
            next((inner.get("typeRef", "") for inner in _all(entry, "inputExpression")), ""),
            _text(entry, "inputValues", "text"),
        )
        for entry in _all(node, "input")
    )
    outputs = tuple(
        Column(
            entry.get("label", "") or entry.get("name", "") or (holder.get("name", "") if holder is not None else ""),
            entry.get("name", ""),
            entry.get("typeRef", ""),
            _text(entry, "outputValues", "text"),
        )
        for entry in _all(node, "output")
    )
    rows = tuple(
        Row(
            tuple(_text(cell, "text") for cell in _all(rule, "inputEntry")),
            tuple(_text(cell, "text") for cell in _all(rule, "outputEntry")),
            _note(rule),
        )
        for rule in _all(node, "rule")
    )
    policy = node.get("hitPolicy", "UNIQUE") + (f" {node.get('aggregation')}" if node.get("aggregation") else "")
    return Table(place, holder.get("name", "") if holder is not None else "", _text(holder, "description"), policy, inputs, outputs, rows)


def _note(rule: etree._Element) -> str:
    return _text(rule, "annotationEntry", "text") or _text(rule, "description")


def write(content: bytes, place: int, cells: Mapping[tuple[int, int], str], notes: Mapping[int, str]) -> bytes:
    """Write cells (row, column; inputs first) and notes (row) of a table; what stays the same keeps its bytes.

    Raises:
        EditRefused: a cell that is not there, too long, or an empty output.
    """
    text = _open(content)
    table = _table(text.root, place)
    rules = _all(table, "rule")
    for (row, column), words in cells.items():
        if not 0 <= row < len(rules) or len(words) > MAX_CELL:
            raise EditRefused(N_("内容太长，或没有这一格。"))
        entries = [*_all(rules[row], "inputEntry"), *_all(rules[row], "outputEntry")]
        if not 0 <= column < len(entries):
            raise EditRefused(N_("内容太长，或没有这一格。"))
        entry, words = entries[column], words.strip()
        is_input = etree.QName(entry).localname == "inputEntry"
        if not words and not is_input:
            raise EditRefused(N_("结果不能空着。"), f"c-{row}-{column}")
        if _text(entry, "text") != words and not (is_input and {_text(entry, "text"), words} <= {"", "-"}):
            found = _all(entry, "text")
            inner = found[0] if found else markup.make(entry, f"{{{etree.QName(entry).namespace}}}text", {})
            if not found:
                markup.append(entry, inner)
            inner.text = words or "-"
    for row, words in notes.items():
        if 0 <= row < len(rules) and _note(rules[row]) != words.strip():
            _write_note(rules[row], words.strip()[:MAX_CELL])
    return text.to_bytes()


def _write_note(rule: etree._Element, words: str) -> None:
    space = etree.QName(rule).namespace
    annotations = _all(rule, "annotationEntry")
    if annotations:
        inner = _all(annotations[0], "text")
        if inner:
            inner[0].text = words
            return
    descriptions = _all(rule, "description")
    if not descriptions:
        descriptions = [markup.make(rule, f"{{{space}}}description", {})]
        markup.insert(rule, 0, descriptions[0])
    descriptions[0].text = words


def add_row(content: bytes, place: int, after: int) -> bytes:
    """Put an empty rule behind another one (-1: before the first)."""
    text = _open(content)
    table = _table(text.root, place)
    rules, space = _all(table, "rule"), etree.QName(table).namespace
    if len(rules) >= MAX_RULES:
        raise EditRefused(N_("行数太多。"))
    taken = {node.get("id") for node in text.root.iter(etree.Element)}
    names = (f"rule_{count}" for count in range(1, len(taken) + 2))
    rule = markup.make(table, f"{{{space}}}rule", {"id": next(name for name in names if name not in taken)})
    at = rules[after] if 0 <= after < len(rules) else None
    markup.insert(table, table.index(at) + 1 if at is not None else table.index(rules[0]) if rules else len(table), rule)
    for kind, count, words in (("inputEntry", len(_all(table, "input")), "-"), ("outputEntry", len(_all(table, "output")), "null")):
        for column in range(count):
            entry = markup.make(rule, f"{{{space}}}{kind}", {"id": f"{rule.get('id')}_{kind[:-5]}_{column + 1}"})
            markup.append(rule, entry)
            inner = markup.make(entry, f"{{{space}}}text", {})
            inner.text = words
            markup.append(entry, inner)
    return text.to_bytes()


def remove_row(content: bytes, place: int, row: int) -> bytes:
    """Take a rule away."""
    text = _open(content)
    markup.remove(_row(text.root, place, row))
    return text.to_bytes()


def move_row(content: bytes, place: int, row: int, by: int) -> bytes:
    """Move a rule up (-1) or down (1): with some hit policies the order counts."""
    text = _open(content)
    table = _table(text.root, place)
    rules = _all(table, "rule")
    if not (0 <= row < len(rules) and 0 <= row + by < len(rules)):
        raise EditRefused(N_("这一行不能再移了。"))
    rule, other = rules[row], rules[row + by]
    markup.remove(rule)
    markup.insert(table, table.index(other) + (1 if by > 0 else 0), rule)
    return text.to_bytes()


def set_policy(content: bytes, place: int, policy: str) -> bytes:
    """Choose what happens when several rules hit."""
    if policy not in POLICIES:
        raise EditRefused(N_("没有这种命中规则。"))
    text = _open(content)
    table = _table(text.root, place)
    if table.get("hitPolicy", "UNIQUE") != policy:
        table.set("hitPolicy", policy)
        if policy != "COLLECT":
            markup.unset(table, "aggregation")
    return text.to_bytes()


def _table(root: etree._Element, place: int) -> etree._Element:
    tables: Sequence[etree._Element] = _tables(root)
    if not 0 <= place < len(tables):
        raise EditRefused(N_("没有这张表，文件可能刚改过。"))
    return tables[place]


def _row(root: etree._Element, place: int, row: int) -> etree._Element:
    rules = _all(_table(root, place), "rule")
    if not 0 <= row < len(rules):
        raise EditRefused(N_("没有这一行，文件可能刚改过。"))
    return rules[row]
