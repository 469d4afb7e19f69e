"""Manuals: a procedure as a document to print: its diagrams drawn, each step with its rule, forms, tables, clocks, in one language.

Plain data comes out; how it is typeset is the affair of the pages. Words that the pages know already (roles, units of time,
states) are lent by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from engine import codes, drawings, feel, forms
from engine.feel import dmn
from engine.workflow import reading
from engine.workflow.reading import BPMN

if TYPE_CHECKING:
    from engine.limits import Limit
    from engine.procedures import Deployed
    from engine.profiles import Values
    from engine.workflow import Element, Process

STRIP = 1400.0
MAX_OPTIONS = 12
MAX_DECISIONS, MAX_COLUMNS, MAX_CELLS = 200, 30, 4000
"""Decisions of a file, columns of a table, cells of all decision tables that are printed."""
MAX_TEXT, MAX_VALUE, MAX_LABEL, MAX_UNIT = 4000, 1000, 300, 40
"""Characters of an explanation, of a value, of a name, of a unit."""
MAX_DRAWN = 4000
"""Shapes and connections of all diagrams together; a diagram beyond is not drawn."""
MAX_EXPRESSIONS = 120_000
"""Characters of all expressions that are looked through for the variables they read."""
MAX_ARMS, MAX_CLOCKS = 30, 400
"""Clocks that one step starts or meets, and clocks of all steps."""
MAX_VOLUME = 58_500
"""Kilobytes that one volume takes to be typeset, by the reckoning below: measured, and a little more."""
STEPS = frozenset({"userTask", "callActivity", "serviceTask", "scriptTask", "businessRuleTask", "subProcess", "transaction", "manualTask"})


@dataclass(frozen=True)
class Lexicon:
    """What things are called in the language of the document: `say` translates a sentence of this module's vocabulary.

    Attributes:
        is_english: Which of the two names that data carry is taken.
        role, organisation, state, rung: By their keys.
        amount: Of a limit, with its unit.
        audience: Who reads what a form holds.
    """

    is_english: bool
    say: Callable[[str], str]
    role: Callable[[str], str]
    organisation: Callable[[str], str]
    state: Callable[[str], str]
    rung: Callable[[str], str]
    amount: Callable[[Limit], str]
    audience: Callable[[str], str]

    def either(self, zh: str, en: str | None) -> str:
        """Return a word that is kept in both languages."""
        return en if en and self.is_english else zh


@dataclass(frozen=True, slots=True)
class Area:
    """A profile whose limits the document tells: its name in both languages and its values."""

    name: str
    name_en: str
    values: Values


@dataclass(frozen=True, slots=True)
class _Place:
    """What every chapter looks at: numbers of diagrams and forms, the nodes of the files by id."""

    numbers: Mapping[str, str]
    forms: Mapping[str, str]
    nodes: Mapping[str, etree._Element]
    sheets: Mapping[str, drawings.Sheet]
    room: _Room


@dataclass
class _Room:
    """What may still be drawn and looked through."""

    shapes: int = MAX_DRAWN
    characters: int = MAX_EXPRESSIONS


def content(deployed: Deployed, lexicon: Lexicon, areas: Sequence[Area]) -> dict[str, Any]:
    """Return what a manual tells of a procedure: chapters of diagrams with their steps, forms, decision tables, clocks, states."""
    specification = deployed.specification
    order = _called(deployed, specification.main)
    order += [key for key in specification.processes if key not in order]
    numbers = {key: f"{number}" for number, key in enumerate(order, 1)}
    form_numbers = {key: f"F{number}" for number, key in enumerate(_used_forms(deployed, order), 1)}
    roots = dict(reading.diagrams(specification.files))
    nodes = {key: node for root in roots.values() for node in root.iter(etree.Element) if (key := node.get("id", "")) in specification.elements}
    place = _Place(numbers, form_numbers, nodes, {path: drawings.Sheet(root) for path, root in roots.items()}, _Room())
    return {
        "title": _named(lexicon.either(deployed.manifest["name"], deployed.manifest.get("name_en"))),
        "is_english": lexicon.is_english,
        "parts": [_part(deployed, lexicon, areas, specification.processes[key], place) for key in order],
        "forms": [_form(lexicon, form_numbers[key], deployed.forms[key]) for key in form_numbers],
        "tables": list(_tables(specification.files)),
        "clocks": _clocks(deployed, lexicon, areas),
        "areas": [lexicon.either(area.name, area.name_en) for area in areas],
        "states": [lexicon.state(state) for state in deployed.manifest.get("states", [])],
    }


def _called(deployed: Deployed, main: str) -> list[str]:
    """Return a diagram and those that it calls, in the order in which they are met."""
    order: dict[str, None] = {}
    ahead = [main]
    while ahead:
        process = ahead.pop()
        if process in order or process not in deployed.specification.processes:
            continue
        order[process] = None
        elements = (deployed.specification.elements[element] for element in deployed.specification.processes[process].outline)
        ahead += [element.called for element in elements if element.called][::-1]
    return list(order)


def _used_forms(deployed: Deployed, order: Sequence[str]) -> Iterator[str]:
    """Yield the forms in the order in which somebody who walks the diagrams meets them, then the others."""
    elements = deployed.specification.elements
    seen: set[str] = set()
    for process in order:
        for element in (elements[element_id] for element_id in deployed.specification.processes[process].outline):
            for key in (element.plan.form if element.plan else "", element.message_form or ""):
                if key in deployed.forms and key not in seen:
                    seen.add(key)
                    yield key
    yield from (key for key in deployed.forms if key not in seen)


def _part(deployed: Deployed, lexicon: Lexicon, areas: Sequence[Area], process: Process, place: _Place) -> dict[str, Any]:
    elements = deployed.specification.elements
    number = place.numbers[process.id]
    steps: list[dict[str, Any]] = []
    for element_id in process.outline:
        element = elements[element_id]
        if element.kind in STEPS or (element.name and element.message) or (element.kind == "boundaryEvent" and element.name):
            steps.append(_step(deployed, lexicon, areas, process, element, f"{number}.{len(steps) + 1}", place))
    drawn, left = _strips(deployed, lexicon, process, place)
    return {
        "number": number,
        "name": _named(lexicon.either(process.name, process.name_en)),
        "strips": drawn,
        "not_drawn": left,
        "lanes": [_named(lexicon.either(name, lexicon.role(lane.split(".")[0]))) for lane, name in process.lanes],
        "steps": steps,
    }


def _named(text: object) -> str:
    return _cut(text, MAX_LABEL)


def _cut(text: object, most: int) -> str:
    found = str(text)
    return found if len(found) <= most else f"{found[: most - 1]}…"


def _strips(deployed: Deployed, lexicon: Lexicon, process: Process, place: _Place) -> tuple[list[dict[str, Any]], int]:
    """Return the drawing of a diagram in pieces that fit a page across, and of how many shapes it is if those are too many."""
    names: dict[str, str] = {}
    if lexicon.is_english:
        names = {lane: lexicon.role(lane.split(".")[0]) or name for lane, name in process.lanes}
        names |= {element.id: element.name_en for element in deployed.specification.elements.values() if element.process == process.id}
        names[process.id] = process.name_en
    sheet = place.sheets.get(process.file)
    if sheet is None:
        return [], 0
    drawing = sheet.drawing(process.id, names, most=place.room.shapes)
    if drawing.left:
        return [], drawing.left
    place.room.shapes -= len(drawing.shapes) + len(drawing.edges)
    return [{"svg": piece.svg, "width": piece.width, "height": piece.height} for piece in drawing.strips(STRIP)] if drawing.shapes else [], 0


def _step(
    deployed: Deployed,
    lexicon: Lexicon,
    areas: Sequence[Area],
    process: Process,
    element: Element,
    number: str,
    place: _Place,
) -> dict[str, Any]:
    say, rows = lexicon.say, list[tuple[str, list[str]]]()

    def tell(label: str, *texts: str) -> None:
        kept = [_cut(text, MAX_VALUE) for text in texts if text]
        if kept:
            rows.append((say(label), kept))

    plan = element.plan
    if element.role and (plan or element.message):
        lanes = {lane.split(".")[0]: lexicon.either(name, lexicon.role(lane.split(".")[0])) for lane, name in process.lanes}
        role = lexicon.role(element.role)
        tell("role", role if lanes.get(element.role, role) == role else f"{lanes[element.role]} · {role}" if role else lanes[element.role])
    if plan is not None:
        tell("another role", plan.role or "")
        tell("organisation", lexicon.organisation(plan.organisation or "owner"))
        tell("person", plan.person or "")
        tell("four eyes", plan.exclude or "")
        found = deployed.forms.get(plan.form)
        tell("form", f"{place.forms.get(plan.form, '')} {lexicon.either(found.title, found.title_en)}".strip() if found else plan.form)
        tell("deadline", *_deadline(lexicon, areas, plan.limit), plan.due or "")
        tell("clock starts", plan.clock_start or "")
        tell("rule", *_of_limit(lexicon, areas, plan.limit, "rule"))
        tell("source", *_of_limit(lexicon, areas, plan.limit, "source"))
        tell("escalation", *_escalation(lexicon, areas, plan.limit))
    if element.message:
        tell("who may act", *(lexicon.role(role) for role in (element.message_role or "").split()))
        asked = deployed.forms.get(element.message_form or "")
        tell("form", f"{place.forms.get(element.message_form or '', '')} {lexicon.either(asked.title, asked.title_en)}" if asked else "")
    if element.called:
        called = deployed.specification.processes.get(element.called)
        tell("see", f"{place.numbers.get(element.called, '')} {lexicon.either(called.name, called.name_en)}" if called else element.called)
    for limit, start in element.arms[:MAX_ARMS]:
        tell("starts clock", f"{_limit_name(lexicon, areas, limit)}{f' ({start})' if start else ''}")
    tell("meets clock", *(_limit_name(lexicon, areas, limit) for limit in element.meets[:MAX_ARMS]))
    tell("state after", lexicon.state(element.state) if element.state else "")
    reads, writes = _variables(element, place.nodes.get(element.id), place.room)
    tell("reads", ", ".join(reads))
    tell("writes", ", ".join(writes))
    return {
        "number": number,
        "id": element.id,
        "kind": say(element.kind),
        "name": _named(lexicon.either(element.name, element.name_en) or element.id),
        "text": _cut(lexicon.either(element.documentation, element.documentation_en), MAX_TEXT),
        "rows": rows,
    }


def _deadline(lexicon: Lexicon, areas: Sequence[Area], key: str | None) -> list[str]:
    """Return the value of a limit, and where areas differ, which have which."""
    if not key:
        return []
    by_value: dict[str, list[str]] = {}
    for area in areas:
        limit = area.values.limit(key) if key in area.values.content["limits"] else None
        text = lexicon.amount(limit) if limit is not None else lexicon.say("not kept")
        by_value.setdefault(text, []).append(lexicon.either(area.name, area.name_en))
    name = _limit_name(lexicon, areas, key)
    if len(by_value) == 1:
        return [f"{name}: {next(iter(by_value))}" if lexicon.is_english else f"{name}：{next(iter(by_value))}"]
    return [f"{value}: {', '.join(names)}" if lexicon.is_english else f"{value}：{'、'.join(names)}" for value, names in by_value.items()]


def _limit_name(lexicon: Lexicon, areas: Sequence[Area], key: str) -> str:
    entry = next((area.values.describe(key) for area in areas if area.values.describe(key)), {})
    return lexicon.either(str(entry.get("name", key)), entry.get("name_en"))


def _of_limit(lexicon: Lexicon, areas: Sequence[Area], key: str | None, what: str) -> list[str]:
    texts = [lexicon.either(str(entry.get(what, "")), entry.get(f"{what}_en")) for area in areas if key and (entry := area.values.describe(key))]
    return list(dict.fromkeys(text for text in texts if text))


def _escalation(lexicon: Lexicon, areas: Sequence[Area], key: str | None) -> list[str]:
    for area in areas:
        entry = area.values.describe(key) if key else {}
        if entry.get("overdue") or entry.get("escalated"):
            separator = ", " if lexicon.is_english else "、"
            told = []
            for level in ("overdue", "escalated"):
                people = separator.join(lexicon.rung(rung) for rung in entry.get(level, []))
                if people:
                    told.append(lexicon.say(level) + people)
            return told
    return []


def _variables(element: Element, node: etree._Element | None, room: _Room) -> tuple[list[str], list[str]]:
    """Return the variables that an element reads and writes, by its own expressions and those of the flows that leave it."""
    plan = element.plan
    texts = [expression for _, expression in element.outputs]
    writes = [variable for variable, _ in element.outputs]
    if plan is not None:
        texts += [text for text in (plan.person, plan.exclude, plan.item, plan.role, plan.due, plan.clock_start) if text]
    if element.decision is not None:
        texts += [text for _, text in element.decision.inputs]
        writes.append(element.decision.result)
    if node is not None:
        for entry in reading.extensions(node, "set"):
            texts.append(entry.get("expression", ""))
            writes.append(entry.get("variable", ""))
        texts += [entry.get("expression", "") for service in reading.extensions(node, "service") for entry in service]
        loop = node.find(f"{{{BPMN}}}multiInstanceLoopCharacteristics")
        if loop is not None:
            texts += [(child.text or "").strip() for child in loop if isinstance(child.tag, str) and reading.local(child) == "loopDataInputRef"]
            writes += [(child.text or "").strip() for child in loop if isinstance(child.tag, str) and reading.local(child) == "loopDataOutputRef"]
    read: dict[str, None] = {}
    for text in texts:
        room.characters -= len(text) + 10
        for name in feel.check(text).names if room.characters >= 0 else ():
            if name.name not in ("answers", "person", "record") and not name.is_call and not name.is_loose:
                read[".".join(name.path[:2])] = None
    return list(read), list(dict.fromkeys(name for name in writes if name))


def _form(lexicon: Lexicon, number: str, form: forms.Form) -> dict[str, Any]:
    return {
        "number": number,
        "key": form.key,
        "title": _named(lexicon.either(form.title, form.title_en)),
        "source": _cut(form.source, MAX_VALUE),
        "audience": lexicon.audience(form.audience),
        "fields": list(_fields(lexicon, form.fields, 0)),
        "rules": [
            {"text": _cut(lexicon.either(rule.zh, rule.en), MAX_VALUE), "level": lexicon.say("refuses" if rule.level == "error" else "warns")}
            for rule in form.rules
        ],
    }


def _fields(lexicon: Lexicon, fields: Sequence[forms.Field], depth: int) -> Iterator[dict[str, Any]]:
    for field in fields:
        if field.type in ("separator", "spacer"):
            continue
        if field.type != "text" and (field.label or field.key):
            unit = _cut(lexicon.either(field.unit, field.unit_en), MAX_UNIT)
            yield {
                "depth": min(depth, 4),
                "label": _named(lexicon.either(field.label, field.label_en) or field.key),
                "kind": lexicon.say(field.subtype if field.type == "datetime" and field.subtype else field.type) + (f" ({unit})" if unit else ""),
                "is_group": field.type in forms.NESTED,
                "required": lexicon.say("required") if field.required else lexicon.say("sometimes") if field.required_if else "",
                "identity": field.identity if field.key and field.type not in forms.NESTED else "",
                "options": _options(lexicon, field),
                "hint": _cut(lexicon.either(field.hint, field.hint_en), MAX_VALUE),
            }
        yield from _fields(lexicon, field.fields, depth + 1)


def _options(lexicon: Lexicon, field: forms.Field) -> str:
    listed = codes.lists()[field.values_key].codes if field.values_key and field.values_key in codes.lists() else field.values
    texts = [_named(lexicon.either(option.zh, option.en)) for option in listed[:MAX_OPTIONS]]
    return _cut(" / ".join(texts), MAX_VALUE) + (f" … ({len(listed)})" if len(listed) > MAX_OPTIONS else "")


def _clocks(deployed: Deployed, lexicon: Lexicon, areas: Sequence[Area]) -> list[dict[str, Any]]:
    """Return every limit that the diagrams name, with its value in each area and its rule."""
    keys: dict[str, None] = {}
    for element in deployed.specification.elements.values():
        for key in ([element.plan.limit] if element.plan and element.plan.limit else []) + [limit for limit, _ in element.arms]:
            keys[key] = None
    found = []
    for key in list(keys)[:MAX_CLOCKS]:
        values = []
        for area in areas:
            limit = area.values.limit(key) if key in area.values.content["limits"] else None
            values.append(lexicon.amount(limit) if limit is not None else "—")
        found.append(
            {
                "name": _limit_name(lexicon, areas, key),
                "values": values,
                "rule": " ".join(_of_limit(lexicon, areas, key, "rule")),
                "source": "; ".join(_of_limit(lexicon, areas, key, "source")),
                "escalation": _escalation(lexicon, areas, key),
            }
        )
    return found


def _tables(files: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    left = MAX_CELLS
    for content in reading.tables(files).values():
        for table in decision_tables(content, left):
            left = max(0, left - len(table["rows"]) * (len(table["inputs"]) + len(table["outputs"])))
            yield table


def decision_tables(text: bytes, most: int = MAX_CELLS) -> Iterator[dict[str, Any]]:
    """Yield the decision tables of a file: heads of inputs and outputs, rows of cells as they are written; where rules are `left` out, how many.

    Args:
        most: How many cells are told.
    """
    try:
        root = dmn.parse_xml(text)
    except feel.ModelRefused:
        return

    def words(node: etree._Element | None) -> str:
        return " ".join("".join(map(str, node.itertext())).split())[:300] if node is not None else ""

    def called(decision: etree._Element) -> str:
        return _named(decision.get("name") or decision.get("id") or "")

    def child(node: etree._Element, name: str) -> etree._Element | None:
        return next((entry for entry in node if isinstance(entry.tag, str) and reading.local(entry) == name), None)

    def children(node: etree._Element, name: str) -> list[etree._Element]:
        return [entry for entry in node if isinstance(entry.tag, str) and reading.local(entry) == name]

    for decision in children(root, "decision")[:MAX_DECISIONS]:
        table = child(decision, "decisionTable")
        if table is None:
            yield {"name": called(decision), "hit": "", "inputs": [], "outputs": [words(decision)], "rows": []}
            continue
        inputs = [_named(entry.get("label") or words(child(entry, "inputExpression"))) for entry in children(table, "input")[:MAX_COLUMNS]]
        outputs = [_named(entry.get("label") or entry.get("name") or "") for entry in children(table, "output")[:MAX_COLUMNS]]
        every, columns = children(table, "rule"), max(1, len(inputs) + len(outputs))
        rules = every[: most // columns]
        most -= len(rules) * columns
        rows = [[words(cell) or "-" for name in ("inputEntry", "outputEntry") for cell in children(rule, name)[:columns]] for rule in rules]
        hit = " ".join(filter(None, (table.get("hitPolicy") or "UNIQUE", table.get("aggregation"))))
        left = {"left": len(every) - len(rules)} if len(every) > len(rules) else {}
        yield {"name": called(decision), "hit": hit, "inputs": inputs, "outputs": outputs, "rows": rows} | left


# ── volumes ──

_WRITTEN = re.compile(r">([^<]+)</text>")


def volumes(content: Mapping[str, Any], most: float = MAX_VOLUME) -> list[dict[str, Any]]:
    """Return a manual in volumes, none of which takes more to be typeset than it may. Most procedures have one.

    Args:
        content: As `content` returns it; what else is in it stands in every volume.

    Returns:
        Each with its `volume` and how many there are in `of`; `chapters` tells what is in each. A chapter that begins in an
        earlier volume is `continued`.
    """
    binder = _Binder(most)
    for part in content["parts"]:
        binder.open("parts", {**part, "steps": []}, 165 + sum(map(_of_drawing, part["strips"])), {"strips": [], "not_drawn": 0})
        binder.fill("steps", part["steps"], _of_step)
    for clock in content["clocks"]:
        binder.take(80 + 0.2 * _letters(clock))["clocks"].append(clock)
    for table in content["tables"]:
        binder.open("tables", {**table, "rows": []}, 60 + _of_cells([*table["inputs"], *table["outputs"]]), {})
        binder.fill("rows", table["rows"], _of_cells)
    for form in content["forms"]:
        binder.open("forms", {**form, "fields": [], "rules": []}, 30 + 0.1 * _letters(form["source"]), {})
        binder.fill("fields", form["fields"], lambda field: 13 + 0.08 * _letters(field))
        binder.fill("rules", form["rules"], lambda rule: 6 + 0.13 * _letters(rule))
    bound, count = binder.volumes, len(binder.volumes)
    chapters = [_chapters(volume) for volume in bound]
    return [
        {
            **content,
            **volume,
            "legend": content.get("legend", []) if number == 1 else [],
            "states": content["states"] if number == 1 else [],
            "glossary": content.get("glossary", []) if number == count else [],
            "volume": number,
            "of": count,
            "chapters": chapters,
        }
        for number, volume in enumerate(bound, 1)
    ]


def _chapters(volume: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is in a volume, each by its kind: its diagrams with their names, its forms with their numbers."""
    found = [("parts", f"{part['number']}  {part['name']}") for part in volume["parts"]]
    found += [(kind, "") for kind in ("clocks", "tables") if volume[kind]]
    numbers = [form["number"] for form in volume["forms"]]
    return found + ([("forms", "–".join(dict.fromkeys((numbers[0], numbers[-1]))))] if numbers else [])


class _Binder:
    """Fills volumes one after the other; each cost is in kilobytes."""

    def __init__(self, most: float) -> None:
        self.most, self.volumes = most, list[dict[str, list[Any]]]()
        self._left = 0.0
        self._kind, self._chapter, self._again = "", dict[str, Any](), dict[str, Any]()
        self.take(0.0)

    def take(self, cost: float) -> dict[str, list[Any]]:
        """Return the volume in which there is room for something."""
        if not self.volumes or (cost > self._left and any(self.volumes[-1].values())):
            self.volumes.append({"parts": [], "clocks": [], "tables": [], "forms": []})
            self._left = self.most - _EVERY
        self._left -= cost
        return self.volumes[-1]

    def open(self, kind: str, chapter: dict[str, Any], cost: float, again: Mapping[str, Any]) -> None:
        """Begin a chapter; where it goes on in another volume, `again` stands for what was at its beginning."""
        self._kind, self._chapter, self._again = kind, chapter, dict(again)
        self.take(cost)[kind].append(chapter)

    def fill(self, key: str, entries: Iterable[Any], cost: Callable[[Any], float]) -> None:
        """Put entries into the chapter."""
        for entry in entries:
            volume = self.take(cost(entry))
            if not volume[self._kind] or volume[self._kind][-1] is not self._chapter:
                empty: dict[str, Any] = {name: [] for name in ("steps", "rows", "fields", "rules") if name in self._chapter}
                self._chapter = {**self._chapter, **self._again, **empty, "continued": True}
                volume[self._kind].append(self._chapter)
            self._chapter[key].append(entry)


_EVERY = 5_000
"""What a volume takes before anything is in it: fonts, the cover, the contents."""


def _of_drawing(strip: Mapping[str, Any]) -> float:
    texts = _WRITTEN.findall(strip["svg"])
    return 80 + 0.02 * len(strip["svg"]) + 8 * len(texts) + 1.1 * sum(map(len, texts))


def _of_step(step: Mapping[str, Any]) -> float:
    return 25 + 0.08 * _letters(step["text"]) + sum(19 + 0.16 * _letters(texts) for _label, texts in step["rows"])


def _of_cells(cells: Sequence[str]) -> float:
    return 10.5 * len(cells) + 0.1 * _letters(cells)


def _letters(value: Any) -> int:
    """Return how many letters there are, wherever they stand."""
    if isinstance(value, str):
        return len(value)
    return sum(map(_letters, value.values() if isinstance(value, Mapping) else value)) if isinstance(value, Mapping | Sequence) else 0
