"""Manuals: a procedure as a document to print: its diagrams drawn, each step with its rule, forms, tables, clocks, in one language.

Plain data comes out; how it is typeset is the affair of the pages. Words that the pages know already (roles, units of time,
states) are lent by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from engine import codes, drawings, feel, forms
from engine.workflow import reading
from engine.workflow.reading import BPMN, UnreadableDiagram

if TYPE_CHECKING:
    from engine.limits import Limit
    from engine.procedures import Deployed
    from engine.profiles import Values
    from engine.workflow import Element, Process

STRIP = 1400.0
MAX_OPTIONS = 12
MAX_CELLS = 4000
MAX_TEXT = 4000
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


def content(deployed: Deployed, lexicon: Lexicon, areas: Sequence[Area]) -> dict[str, Any]:
    """Return what a manual tells of a procedure: chapters of diagrams with their steps, forms, decision tables, clocks, states."""
    specification = deployed.specification
    order = list(_called(deployed, specification.main, set()))
    order += [key for key in specification.processes if key not in order]
    numbers = {key: f"{number}" for number, key in enumerate(order, 1)}
    form_numbers = {key: f"F{number}" for number, key in enumerate(_used_forms(deployed, order), 1)}
    roots = [reading.xml(text, path) for path, text in specification.files.items() if path.endswith(".bpmn")]
    place = _Place(numbers, form_numbers, {node.get("id", ""): node for root in roots for node in root.iter(etree.Element) if node.get("id")})
    return {
        "title": lexicon.either(deployed.manifest["name"], deployed.manifest.get("name_en")),
        "is_english": lexicon.is_english,
        "parts": [_part(deployed, lexicon, areas, specification.processes[key], place) for key in order],
        "forms": [_form(lexicon, form_numbers[key], deployed.forms[key]) for key in form_numbers],
        "tables": [table for path, text in sorted(specification.files.items()) if path.endswith(".dmn") for table in decision_tables(text)],
        "clocks": _clocks(deployed, lexicon, areas),
        "areas": [lexicon.either(area.name, area.name_en) for area in areas],
        "states": [lexicon.state(state) for state in deployed.manifest.get("states", [])],
    }


def _called(deployed: Deployed, process: str, seen: set[str]) -> Iterator[str]:
    """Yield a diagram and those that it calls, in the order in which they are met."""
    if process in seen or process not in deployed.specification.processes:
        return
    seen.add(process)
    yield process
    for element in deployed.specification.processes[process].outline:
        called = deployed.specification.elements[element].called
        if called:
            yield from _called(deployed, called, seen)


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
    return {
        "number": number,
        "name": lexicon.either(process.name, process.name_en),
        "strips": strips(deployed, lexicon, process),
        "lanes": [lexicon.either(name, lexicon.role(lane.split(".")[0])) for lane, name in process.lanes],
        "steps": steps,
    }


def strips(deployed: Deployed, lexicon: Lexicon, process: Process) -> list[dict[str, Any]]:
    """Return the drawing of a diagram in pieces that fit a page across."""
    names: dict[str, str] = {}
    if lexicon.is_english:
        names = {lane: lexicon.role(lane.split(".")[0]) or name for lane, name in process.lanes}
        names |= {element.id: element.name_en for element in deployed.specification.elements.values() if element.process == process.id}
        names[process.id] = process.name_en
    try:
        drawing = drawings.read(deployed.specification.files[process.file], process.id, names)
    except UnreadableDiagram:
        return []
    return [{"svg": piece.svg, "width": piece.width, "height": piece.height} for piece in drawing.strips(STRIP)] if drawing.shapes else []


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
        kept = [text for text in texts if text]
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
    for limit, start in element.arms:
        tell("starts clock", f"{_limit_name(lexicon, areas, limit)}{f' ({start})' if start else ''}")
    tell("meets clock", *(_limit_name(lexicon, areas, limit) for limit in element.meets))
    tell("state after", lexicon.state(element.state) if element.state else "")
    reads, writes = _variables(element, place.nodes.get(element.id))
    tell("reads", ", ".join(reads))
    tell("writes", ", ".join(writes))
    return {
        "number": number,
        "id": element.id,
        "kind": say(element.kind),
        "name": lexicon.either(element.name, element.name_en) or element.id,
        "text": lexicon.either(element.documentation, element.documentation_en)[:MAX_TEXT],
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


def _variables(element: Element, node: etree._Element | None) -> tuple[list[str], list[str]]:
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
        for name in feel.check(text).names:
            if name.name not in ("answers", "person", "record") and not name.is_call and not name.is_loose:
                read[".".join(name.path[:2])] = None
    return list(read), list(dict.fromkeys(name for name in writes if name))


def _form(lexicon: Lexicon, number: str, form: forms.Form) -> dict[str, Any]:
    return {
        "number": number,
        "key": form.key,
        "title": lexicon.either(form.title, form.title_en),
        "source": form.source,
        "audience": lexicon.audience(form.audience),
        "fields": list(_fields(lexicon, form.fields, 0)),
        "rules": [
            {"text": lexicon.either(rule.zh, rule.en), "level": lexicon.say("refuses" if rule.level == "error" else "warns")} for rule in form.rules
        ],
    }


def _fields(lexicon: Lexicon, fields: Sequence[forms.Field], depth: int) -> Iterator[dict[str, Any]]:
    for field in fields:
        if field.type in ("separator", "spacer"):
            continue
        if field.type != "text" and (field.label or field.key):
            unit = lexicon.either(field.unit, field.unit_en)
            yield {
                "depth": min(depth, 4),
                "label": lexicon.either(field.label, field.label_en) or field.key,
                "kind": lexicon.say(field.subtype if field.type == "datetime" and field.subtype else field.type) + (f" ({unit})" if unit else ""),
                "is_group": field.type in forms.NESTED,
                "required": lexicon.say("required") if field.required else lexicon.say("sometimes") if field.required_if else "",
                "identity": field.identity if field.key and field.type not in forms.NESTED else "",
                "options": _options(lexicon, field),
                "hint": lexicon.either(field.hint, field.hint_en),
            }
        yield from _fields(lexicon, field.fields, depth + 1)


def _options(lexicon: Lexicon, field: forms.Field) -> str:
    listed = codes.lists()[field.values_key].codes if field.values_key and field.values_key in codes.lists() else field.values
    texts = [lexicon.either(option.zh, option.en) for option in listed]
    if not texts:
        return ""
    more = f" … ({len(texts)})" if len(texts) > MAX_OPTIONS else ""
    return " / ".join(texts[:MAX_OPTIONS]) + more


def _clocks(deployed: Deployed, lexicon: Lexicon, areas: Sequence[Area]) -> list[dict[str, Any]]:
    """Return every limit that the diagrams name, with its value in each area and its rule."""
    keys: dict[str, None] = {}
    for element in deployed.specification.elements.values():
        for key in ([element.plan.limit] if element.plan and element.plan.limit else []) + [limit for limit, _ in element.arms]:
            keys[key] = None
    found = []
    for key in keys:
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


def decision_tables(text: bytes) -> Iterator[dict[str, Any]]:
    """Yield the decision tables of a file: heads of inputs and outputs, and rows of cells as they are written."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError:
        return

    def words(node: etree._Element | None) -> str:
        return " ".join("".join(map(str, node.itertext())).split())[:300] if node is not None else ""

    def child(node: etree._Element, name: str) -> etree._Element | None:
        return next((entry for entry in node if isinstance(entry.tag, str) and reading.local(entry) == name), None)

    def children(node: etree._Element, name: str) -> list[etree._Element]:
        return [entry for entry in node if isinstance(entry.tag, str) and reading.local(entry) == name]

    for decision in children(root, "decision"):
        table = child(decision, "decisionTable")
        if table is None:
            yield {"name": decision.get("name") or decision.get("id") or "", "hit": "", "inputs": [], "outputs": [words(decision)], "rows": []}
            continue
        inputs = [entry.get("label") or words(child(entry, "inputExpression")) for entry in children(table, "input")]
        outputs = [entry.get("label") or entry.get("name") or "" for entry in children(table, "output")]
        rules = children(table, "rule")[: MAX_CELLS // max(1, len(inputs) + len(outputs))]
        rows = [[words(cell) or "-" for name in ("inputEntry", "outputEntry") for cell in children(rule, name)] for rule in rules]
        hit = " ".join(filter(None, (table.get("hitPolicy") or "UNIQUE", table.get("aggregation"))))
        yield {"name": decision.get("name") or decision.get("id") or "", "hit": hit, "inputs": inputs, "outputs": outputs, "rows": rows}
