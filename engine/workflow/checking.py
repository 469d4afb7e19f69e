"""Is a procedure fit to deploy? Each complaint names its element, its line, says what would happen and how to mend it.

The rules (`rules.py`) cover what the library accepts and does otherwise than drawn, and what only Pingshen knows: roles,
forms, services, limits, names in expressions. Everything that can be judged is judged at once, however broken the rest is;
whatever is in the files, an answer comes within bounds (`bounds.py`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from lxml import etree

from engine import decision_tables, feel, forms
from engine.errors import N_
from engine.permissions import PERMISSIONS, Permission
from engine.workflow import bounds, elsewhere, flows, form_checks, kinds, library, reading
from engine.workflow.flows import GATEWAYS, PARTS, Scope
from engine.workflow.reading import BPMN, FLOW_NODES, PS, UnreadableDiagram, extensions, local, placed
from engine.workflow.rules import RULES
from models import FINAL_STATES, CaseKind, CaseState, ProcedureFile, Role, WorkItem

MAX_TASKS, MAX_ELEMENTS = bounds.MAX_TASKS, bounds.MAX_ELEMENTS
EVENTS = {
    "startEvent": {"message", "timer"},
    "endEvent": {"message", "error", "escalation", "terminate"},
    "intermediateCatchEvent": {"message", "timer"},
    "intermediateThrowEvent": {"message", "escalation"},
    "boundaryEvent": {"error", "escalation", "message", "timer"},
}
UNSUPPORTED = frozenset({"complexGateway", "adHocSubProcess", "transaction", "sendTask", "receiveTask", "task", "manualTask"})
TO_USER_TASK = frozenset({"task", "manualTask", "receiveTask"})
DATA_PARTS = ("ioSpecification", "dataInputAssociation", "dataOutputAssociation")
PERFORMERS = ("potentialOwner", "humanPerformer", "performer", "resourceRole")
# What the standard runs or shows elsewhere than in a process.
NOT_RUN = frozenset(
    {
        "choreography", "choreographyTask", "subChoreography", "callChoreography", "globalChoreographyTask", "conversation", "subConversation",
        "callConversation", "globalConversation", "globalTask", "globalUserTask", "globalManualTask", "globalScriptTask", "globalBusinessRuleTask",
    }
)  # fmt: skip
ACTIVITIES = (
    frozenset({"userTask", "serviceTask", "scriptTask", "businessRuleTask", "callActivity", "task", "manualTask", "sendTask", "receiveTask"}) | PARTS
)
RESERVED = frozenset({"Start", "End", "Root", "StartEventSplit", "StartEventJoin"})
RESERVED_ENDS = (".EndJoin", ".BoundaryEventSplit", ".BoundaryEventJoin", "[child]")
ORGANISATIONS = frozenset({"owner", "facility", "township", "reporting", "administration", "upper", "item"})
GIVEN = frozenset({"case", "profile"})
FACTS = frozenset({"kind", "state", "event_at", "clock_start", "opened_at", "has_facility", "has_township", "is_reopened", "conclusion"})
HOST_FUNCTIONS = frozenset({"due", "end of day", "members", "resident number valid", "resident number birth"})
STARTS_WITH = frozenset({"hop", "kind", "reopened", "notice_at", "reporter"})
OUTPUTS = frozenset({"answers", "person", "record"})
COMPLETION = frozenset({"instances", "instances_done", "results"})
ROLES = frozenset(role.value for role in Role)
WORKERS = frozenset(role.value for role, granted in PERMISSIONS.items() if Permission.WORK_ITEM_HAND_IN in granted)
STATES = frozenset(state.value for state in CaseState)
FINAL = frozenset(state.value for state in FINAL_STATES)
_SOURCE = re.compile(r"来源[：:]|\bSource:", re.IGNORECASE)
EXPLAINED = ("userTask", "callActivity", "serviceTask", "businessRuleTask")
# Parties in which a role is held; a role that is not named here may be held anywhere.
PARTIES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("village_reporter",), frozenset({"reporting", "facility"})),
    **dict.fromkeys(("township_reporter",), frozenset({"township", "reporting", "item"})),
    **dict.fromkeys(
        ("qc_officer", "mch_head", "investigator", "redaction_officer", "secretary", "committee_chair", "committee_deputy", "committee_member"),
        frozenset({"owner", "upper"}),
    ),
    "upper_reviewer": frozenset({"owner", "upper"}),
    **dict.fromkeys(("health_administration", "accountability_officer"), frozenset({"administration", "item"})),
    "verifier": frozenset({"owner", "upper", "administration"}),
}
PROPERTIES: Mapping[str, frozenset[str]] = {
    "task": frozenset({"form", "organisation", "role", "person", "exclude", "item", "limit", "from", "due", "fresh", "shows"}),
    "output": frozenset({"variable", "expression"}),
    "set": frozenset({"variable", "expression"}),
    "service": frozenset({"name"}),
    "argument": frozenset({"name", "expression"}),
    "decision": frozenset({"decision", "name", "result"}),
    "input": frozenset({"name", "expression"}),
    "arm": frozenset({"limit", "from"}),
    "meet": frozenset({"limit"}),
    "message": frozenset({"role", "form"}),
    "documentation_en": frozenset(),
}


def _width(table: Any, column: str) -> int:
    return int(table.__table__.c[column].type.length)


WIDTHS = {column: _width(WorkItem, column) for column in ("element", "name", "name_en", "phase", "path")}
FILE_WIDTH = _width(ProcedureFile, "path")
ATTRIBUTES = frozenset({"name_en", "phase", "state", "role"})
_B, _P = f"{{{BPMN}}}", f"{{{PS}}}"
_FLOW_TAGS = tuple(f"{_B}{kind}" for kind in FLOW_NODES)
_ID = re.compile(r"[a-z][a-z0-9_]*\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}\Z")
_LITERAL = re.compile(r'\s*"([^"\\]*)"\s*\Z')
_CONSTANT = re.compile(r'\s*(?:"[^"\\]*"|[0-9.]+|true|false)\s*\Z')
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,119}\Z")
_DURATION = re.compile(r"-?P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?\Z")
_FAR_DAYS = 366 * 20


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that does not fit. `sentence` and `mend` are translated, `fields` fill their places.

    Attributes:
        level: An error refuses, a warning does not.
        mend: A sentence that tells a way to mend it.
        fix: What `mending.mend` needs to mend it by machine, where it can: `kind`, `file`, `element` and what the kind asks for.
    """

    code: str
    sentence: str
    level: str = "error"
    file: str = ""
    element: str | None = None
    line: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    mend: str = ""
    fix: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.element) if part)
        return f"{place}: {self.code}: {self.sentence % self.fields}"


def complaint(
    code: str, file: str = "", element: str | None = None, line: int | None = None, fix: Mapping[str, Any] | None = None, **fields: Any
) -> Complaint:
    """Make a complaint after its rule. Texts of the files are cut and cleaned: they are shown and sent."""
    rule = RULES[code]
    clean = {name: elsewhere.plain(value) if isinstance(value, str) else value for name, value in fields.items()}
    where = element if element is not None and len(element) <= 200 and elsewhere.plain(element, 200) == element else None
    if fix is not None and (where is None or where != element) and fix["kind"] not in ("main", "form_key", "form_audience"):
        fix = None
    if fix is not None:
        fix = {"file": file, **({} if where is None else {"element": where}), **fix}
    return Complaint(code, rule.sentence, rule.level, file, where, line, clean, rule.mend, fix)


@dataclass(frozen=True)
class _Known:
    """What the host knows; None skips a question."""

    services: Collection[str] | Mapping[str, tuple[Collection[str], Collection[str]]] | None = None
    limits: frozenset[str] | None = None
    values: frozenset[str] | None = None


def check(
    files: Mapping[str, bytes],
    *,
    services: Collection[str] | Mapping[str, tuple[Collection[str], Collection[str]]] | None = None,
    limits: frozenset[str] | None = None,
    values: frozenset[str] | None = None,
) -> list[Complaint]:
    """Check all files of a procedure together, each as far as it can be judged.

    Args:
        services: The services the host knows, perhaps with the arguments each must and may have; None skips the question.
        limits: The limits some profile knows; None skips it.
        values: The other values some profile knows; None skips it.
    """
    found = list(itertools.islice(_Judge(files, _Known(services, limits, values)).all(), 5 * bounds.MAX_COMPLAINTS))
    if len(found) <= bounds.MAX_COMPLAINTS:
        return found
    errors = [told for told in found if told.level == "error"][: bounds.MAX_COMPLAINTS]
    warnings = [told for told in found if told.level != "error"][: bounds.MAX_COMPLAINTS - len(errors)]
    return [*errors, *warnings, complaint("too_many_complaints", count=bounds.MAX_COMPLAINTS)]


# ── one diagram by itself ──


@dataclass(frozen=True)
class _Diagram:
    """A diagram that could be read, and what is wrong with it whatever the others say."""

    path: str
    root: etree._Element
    scopes: tuple[Scope, ...]
    elements: int
    complaints: tuple[Complaint, ...]


def _diagram(path: str, content: bytes) -> _Diagram | Complaint:
    if len(content) <= 60_000 and content.count(b"<") <= 1_500 and content.count(b"=") <= 4_000:
        return _kept(path, content)
    return _judged(path, content)


@lru_cache(maxsize=48)
def _kept(path: str, content: bytes) -> _Diagram | Complaint:
    return _judged(path, content)


def _judged(path: str, content: bytes) -> _Diagram | Complaint:
    try:
        root = reading.xml(content, path)
    except UnreadableDiagram as error:
        return unreadable(error, path)
    count = sum(1 for _ in root.iter(*_FLOW_TAGS))
    if count > bounds.MAX_ELEMENTS:
        return _Diagram(path, root, (), count, (complaint("too_many_elements", path, most=bounds.MAX_ELEMENTS),))
    found = tuple(flows.scopes(root, FLOW_NODES))
    told = tuple(itertools.islice(_drawn(root, path, found), 4 * bounds.MAX_COMPLAINTS))
    return _Diagram(path, root, found, count, told)


def unreadable(error: UnreadableDiagram, path: str) -> Complaint:
    """Return what there is to say of a diagram that cannot be read."""
    code = error.reason if error.reason in RULES else "unreadable"
    most = {"nested": bounds.MAX_NESTING, "too_many_elements": bounds.MAX_ELEMENTS, "too_many_elements_in_all": bounds.MAX_ALL_ELEMENTS}
    return complaint(code, error.file or path, error.element, error.line, reason=error.reason, most=most.get(code, ""))


def _at(node: etree._Element, path: str, code: str, fix: Mapping[str, Any] | None = None, **fields: Any) -> Complaint:
    return complaint(code, path, node.get("id"), node.sourceline, fix, **fields)  # type: ignore[arg-type]


def _drawn(root: etree._Element, path: str, found: tuple[Scope, ...]) -> Iterator[Complaint]:
    seen: dict[str, int] = {}
    everything = {node.get("id", "") for node in root.iter(etree.Element)}
    for node in root.iter(f"{_B}*"):
        identifier = node.get("id")
        kind = local(node)
        if identifier:
            if identifier in seen:
                to = elsewhere.free(elsewhere.snake(identifier), everything)
                fix = {"kind": "rename", "occurrence": seen[identifier], "to": to}
                yield _at(node, path, "duplicate_id", fix if kind in FLOW_NODES or kind == "sequenceFlow" else None, id=identifier)
            seen[identifier] = seen.get(identifier, 0) + 1
        if kind in FLOW_NODES:
            yield from _node(node, path, kind, everything)
        elif kind == "message" and not node.get("name"):
            yield _at(node, path, "message_without_name")
        elif kind == "messageFlow":
            yield _at(node, path, "message_flow", {"kind": "remove"})
        elif kind in ("correlationProperty", "correlationKey", "correlationSubscription"):
            yield _at(node, path, "correlation")
        elif kind == "dataStore":
            yield _at(node, path, "data_unsupported", {"kind": "remove"})
        elif kind in NOT_RUN:
            yield _at(node, path, "not_run", kind=kind)
        elif kind == "lane":
            for reference in node.findall(f"{_B}flowNodeRef"):
                if (reference.text or "").strip() not in everything:
                    yield _at(node, path, "lane_names_nothing", {"kind": "tidy_lane"}, id=(reference.text or "").strip())
        yield from _settings(node, path)
    yield from _parts(root, path)
    processes = root.findall(f"{_B}process")
    if not processes:
        yield complaint("no_process", path)
    shown = {shape.get("bpmnElement", "") for shape in root.iter(f"{{{reading.DI}}}BPMNShape")}
    hidden = sum(1 for scope in found for node in scope.nodes if node not in shown)
    if hidden:
        yield complaint("not_drawn", path, count=hidden)
    for process in processes:
        if not process.get("id"):
            yield _at(process, path, "process_without_id")
        if process.get("isExecutable") != "true":
            yield _at(process, path, "not_executable", {"kind": "executable"})
        yield from _names_fit(process, path)
    for scope in found:
        depth = sum(1 for parent in scope.drawn.iterancestors(f"{_B}subProcess"))
        if depth >= bounds.MAX_NESTING:
            yield _at(scope.drawn, path, "nested", most=bounds.MAX_NESTING)
        yield from _scope(scope, path)


def _parts(root: etree._Element, path: str) -> Iterator[Complaint]:
    """Tell once at each element of the parts in it that do nothing here: data handed over, people named."""
    for code, tags in (("data_unsupported", DATA_PARTS), ("resources", PERFORMERS)):
        found: dict[etree._Element, list[str]] = {}
        for node in root.iter(*(f"{_B}{tag}" for tag in tags)):
            names = found.setdefault(_owner(node), [])
            if local(node) not in names:
                names.append(local(node))
        for owner, names in found.items():
            yield _at(owner, path, code, {"kind": "remove_parts", "names": names})


def _owner(node: etree._Element) -> etree._Element:
    """Return the nearest element around a part that has a place in the drawing."""
    parent = node.getparent()
    while parent is not None and local(parent) not in FLOW_NODES and local(parent) != "process":
        parent = parent.getparent()
    return node if parent is None else parent


def _settings(node: etree._Element, path: str) -> Iterator[Complaint]:
    """Tell of settings that are not ours, and of our own written wrong."""
    foreign, unknown = [], []
    for name in node.attrib:
        if isinstance(name, str) and name.startswith("{"):
            space, _, plain = name[1:].partition("}")
            if space == PS and plain not in ATTRIBUTES:
                unknown.append(f"ps:{plain}")
            elif elsewhere.is_setting(space, plain):
                foreign.append(plain)
    for entry in node.iterfind(f"{_B}extensionElements/*"):
        if not isinstance(entry.tag, str):
            continue
        tag = etree.QName(entry)
        if tag.namespace == PS:
            unknown += _unknown_properties(entry)
        elif elsewhere.is_setting(tag.namespace or "", tag.localname):
            if tag.localname in ("preScript", "postScript"):
                yield _at(node, path, "script", {"kind": "remove_foreign"})
            foreign.append(tag.localname)
    if foreign:
        yield _at(placed(node), path, "foreign_setting", {"kind": "remove_foreign"}, name=", ".join(dict.fromkeys(foreign))[:80])
    for wrong in dict.fromkeys(unknown):
        yield _at(node, path, "unknown_property", name=wrong)


def _unknown_properties(entry: etree._Element) -> list[str]:
    plain = local(entry)
    if plain not in PROPERTIES:
        return [f"ps:{plain}"]
    found = [f"ps:{plain} {name}" for name in map(str, entry.attrib) if name not in PROPERTIES[plain]]
    inner = {"service": "argument", "decision": "input"}.get(plain)
    for child in entry.iterchildren(etree.Element):
        if child.tag != f"{_P}{inner}":
            found.append(f"ps:{plain} {local(child)}")
        else:
            found += _unknown_properties(child)
    return found


def _names_fit(node: etree._Element, path: str) -> Iterator[Complaint]:
    """Tell of names and ids that the database cannot hold."""
    identifier = node.get("id") or ""
    if len(identifier) > WIDTHS["element"]:
        to = elsewhere.snake(identifier)[:60]
        yield _at(node, path, "id_long", {"kind": "rename", "to": to}, most=WIDTHS["element"])
    elif identifier and not _ID.match(identifier):
        yield _at(node, path, "id_style", {"kind": "rename", "to": elsewhere.snake(identifier)}, id=identifier)
    name, name_en = (" ".join((node.get(key) or "").split()) for key in ("name", f"{_P}name_en"))
    if local(node) in FLOW_NODES:
        if len(name) > WIDTHS["name"]:
            yield _at(node, path, "name_long", most=WIDTHS["name"])
        if len(name_en or name) > WIDTHS["name_en"]:
            yield _at(node, path, "name_en_long", most=WIDTHS["name_en"])
        phase = node.get(f"{_P}phase") or ""
        if len(phase) > WIDTHS["phase"]:
            yield _at(node, path, "phase_long", phase=phase)
        outside = [parent.get("id", "") for parent in node.iterancestors(*(f"{_B}{part}" for part in PARTS))]
        if local(node) == "userTask" and sum(len(each) + 1 for each in outside) > WIDTHS["path"]:
            yield _at(node, path, "path_long")


def _node(node: etree._Element, path: str, kind: str, everything: Collection[str]) -> Iterator[Complaint]:
    identifier = node.get("id") or ""
    if not identifier:
        yield _at(node, path, "no_id")
    if identifier in RESERVED or identifier.endswith(RESERVED_ENDS):
        to = elsewhere.free(elsewhere.snake(identifier) + "_step", everything)
        yield _at(node, path, "reserved_id", {"kind": "rename", "to": to}, id=identifier)
    else:
        yield from _names_fit(node, path)
    if kind in UNSUPPORTED:
        yield _at(node, path, "unsupported", {"kind": "to_user_task"} if kind in TO_USER_TASK else None, kind=kind)
    if node.get("isForCompensation") == "true":
        yield _at(node, path, "compensation")
    for name in ("startQuantity", "completionQuantity"):
        if node.get(name, "1").strip() != "1":
            yield _at(node, path, "value_ignored", name=name, value=node.get(name))
    if kind == "subProcess" and node.get("triggeredByEvent") == "true":
        yield _at(node, path, "event_subprocess")
    if kind in EVENTS:
        yield from _event(node, path, kind)
    if kind == "eventBasedGateway":
        yield _at(node, path, "event_gateway")
    if node.find(f"{_B}standardLoopCharacteristics") is not None:
        yield _at(node, path, "standard_loop", {"kind": "remove_parts", "names": ["standardLoopCharacteristics"]})
    for script in node.findall(f"{_B}script"):
        if (script.text or "").strip():
            yield _at(node, path, "script", {"kind": "remove_parts", "names": ["script"]})
    several = node.find(f"{_B}multiInstanceLoopCharacteristics")
    if several is not None:
        yield from _several(node, several, path)
    yield from _words(node, path, kind)


def _words(node: etree._Element, path: str, kind: str) -> Iterator[Complaint]:
    """Tell of a missing name, its English, and the source of the rule."""
    name = node.get("name")
    if kind == "userTask" and not name:
        yield _at(node, path, "no_name")
    if name and not node.get(f"{_P}name_en") and re.search(r"[\u3400-\u9fff]", name):
        yield _at(node, path, "no_english")
    if kind in EXPLAINED and not _SOURCE.search("".join(entry.text or "" for entry in node.findall(f"{_B}documentation"))):
        yield _at(node, path, "no_source")


def _event(node: etree._Element, path: str, kind: str) -> Iterator[Complaint]:
    definitions = [child for child in node if isinstance(child.tag, str) and child.tag.endswith("EventDefinition")]
    references = [child for child in node if isinstance(child.tag, str) and child.tag == f"{_B}eventDefinitionRef"]
    root = node.getroottree().getroot()
    for definition in definitions:
        name = local(definition)[: -len("EventDefinition")]
        if name not in EVENTS[kind]:
            yield _at(node, path, "event_unsupported", kind=kind, name=name)
            continue
        if name == "timer":
            yield from _timer(node, definition, path)
        attribute = {"message": "messageRef", "error": "errorRef", "escalation": "escalationRef"}.get(name)
        reference = definition.get(attribute) if attribute else None
        if name == "message" and not reference:
            yield _at(node, path, "message_missing")
        elif reference is not None and not any(entry.get("id") == reference for entry in root.findall(f"{_B}{name}")):
            yield _at(node, path, "unknown_reference", name=reference)
    if kind == "boundaryEvent":
        if not node.get("attachedToRef") or len(definitions) != 1:
            yield _at(node, path, "boundary")
    elif len(definitions) + len(references) > 1:
        yield _at(node, path, "several_definitions")
    if kind == "intermediateCatchEvent" and not definitions:
        yield _at(node, path, "catch_nothing")
    if kind == "startEvent" and definitions and local(definitions[0])[: -len("EventDefinition")] in EVENTS[kind] and not _is_aside(node.getparent()):
        yield _at(node, path, "start_waits")


def _timer(node: etree._Element, definition: etree._Element, path: str) -> Iterator[Complaint]:
    if definition.find(f"{_B}timeCycle") is not None:
        yield _at(node, path, "cycle_timer")
        return
    written = [entry for entry in definition if isinstance(entry.tag, str) and local(entry) in ("timeDate", "timeDuration")]
    text = (written[0].text or "").strip() if written else ""
    if not text:
        yield _at(node, path, "timer_empty")
    elif text[0] in "-P" or text[0].isdigit():
        yield from _constant_timer(node, path, text, is_date=local(written[0]) == "timeDate")


def _constant_timer(node: etree._Element, path: str, text: str, *, is_date: bool) -> Iterator[Complaint]:
    if is_date:
        try:
            moment = datetime.fromisoformat(text) if _INSTANT.match(text) else None
        except ValueError:
            moment = None
        if moment is None:
            yield _at(node, path, "timer_text", text=text)
        elif moment.year > datetime.now(UTC).year + 20:
            yield _at(node, path, "timer_far", text=text)
        elif (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < datetime.now(UTC):
            yield _at(node, path, "timer_past", text=text)
        return
    duration = _DURATION.match(text)
    if duration is None or len(text) > 60:
        yield _at(node, path, "timer_text", text=text)
        return
    days = days_of(text)
    if text.startswith("-") or days == 0:
        yield _at(node, path, "timer_past", text=text)
    elif days > _FAR_DAYS:
        yield _at(node, path, "timer_far", text=text)


def days_of(text: str) -> float:
    """Return about how many days an ISO 8601 duration lasts; 0 where it is none."""
    found = _DURATION.match(text)
    if found is None:
        return 0
    sizes = (366, 31, 7, 1, 1 / 24, 1 / 1440, 1 / 86400)
    return sum(float(part) * size for part, size in zip(found.groups(), sizes, strict=True) if part)


def _several(node: etree._Element, several: etree._Element, path: str) -> Iterator[Complaint]:
    collection, count = several.find(f"{_B}loopDataInputRef"), several.find(f"{_B}loopCardinality")
    if several.get("behavior", "All") != "All":
        yield _at(node, path, "value_ignored", name="behavior", value=several.get("behavior"))
    if collection is None and count is None:
        yield _at(node, path, "several_of_what")
    if collection is not None and count is not None:
        yield _at(node, path, "several_both", {"kind": "remove_parts", "names": ["loopCardinality"]})
    text = (count.text or "").strip() if count is not None else "1"
    if re.fullmatch(r"-?[0-9.]+", text) and not (text.isdigit() and len(text) < 4 and int(text) <= 100):
        yield _at(node, path, "several_count")
    for tag in ("inputDataItem", "outputDataItem"):
        item = several.find(f"{_B}{tag}")
        if item is not None and item.get("name") and item.get("name") != item.get("id"):
            yield _at(node, path, "several_item_id", {"kind": "item_id", "item": tag}, id=item.get("id") or "", name=item.get("name"))
    results, result = several.find(f"{_B}loopDataOutputRef"), several.find(f"{_B}outputDataItem")
    if results is not None and result is None:
        yield _at(node, path, "several_output_item", name=(results.text or "").strip())
    done = (several.findtext(f"{_B}completionCondition") or "").strip()
    if done in ("false", "null"):
        yield _at(node, path, "completion_never", {"kind": "remove_parts", "names": ["completionCondition"]})
    elif done == "true":
        yield _at(node, path, "completion_at_once", {"kind": "remove_parts", "names": ["completionCondition"]})


def _is_aside(node: etree._Element | None) -> bool:
    """Tell whether no flow leads to an element by its nature: it is told of as such, not that it has no flows."""
    if node is None or (local(node) == "boundaryEvent" and node.find(f"{_B}compensateEventDefinition") is not None):
        return node is not None
    return node.get("triggeredByEvent") == "true" or node.get("isForCompensation") == "true"


def _scope(scope: Scope, path: str) -> Iterator[Complaint]:
    for flow in scope.dangling:
        yield _at(flow, path, "dangling_flow", {"kind": "remove"})
    is_ordered = local(scope.drawn) != "adHocSubProcess"  # its steps need neither beginning nor end
    if is_ordered and len(scope.starts) != 1:
        yield _at(scope.drawn, path, "one_start")
    if is_ordered and not scope.ends:
        yield _at(scope.drawn, path, "no_end")
    for identifier, node in scope.nodes.items():
        kind, out, coming = scope.kinds[identifier], scope.ahead.get(identifier, []), scope.inward.get(identifier, [])
        is_loose = not is_ordered or _is_aside(node)
        if scope.starts and identifier not in scope.reached and not is_loose:
            yield _at(node, path, "unreachable", {"kind": "remove"})
        if not out and kind != "endEvent" and not is_loose:
            yield _at(node, path, "dead_end", {"kind": "add_end"})
        if len(out) > 1 and kind not in GATEWAYS and kind != "startEvent":
            conditional = any(flow.condition for flow in out)
            yield _at(node, path, "several_flows", {"kind": "gateway", "gateway": "exclusiveGateway" if conditional else "parallelGateway"})
        if kind == "startEvent" and coming:
            yield _at(node, path, "start_entered")
        if kind == "boundaryEvent":
            host = node.get("attachedToRef", "")
            if coming:
                yield _at(node, path, "boundary_entered")
            if host and scope.kinds.get(host) not in ACTIVITIES:
                yield _at(node, path, "boundary_host")
        if kind == "endEvent" and out:
            yield _at(node, path, "end_goes_on")
        yield from _leaving(scope, identifier, path)
    for identifier in flows.without_way_out(scope)[:5]:
        yield _at(scope.nodes[identifier], path, "no_way_out")
        break
    count, place = flows.growth(scope)
    if count >= flows.ENDLESS and any(place in group for group in flows.circles(scope.nodes, scope.follow)):
        yield _at(scope.nodes[place], path, "endless_prediction")
    elif count > bounds.MAX_TASKS:
        yield _at(scope.drawn, path, "too_branchy", count=min(count, flows.ENDLESS))


def _leaving(scope: Scope, identifier: str, path: str) -> Iterator[Complaint]:
    """Judge the conditions on the flows that leave a node."""
    node, kind, out = scope.nodes[identifier], scope.kinds[identifier], scope.ahead.get(identifier, [])
    chooses = kind in ("exclusiveGateway", "inclusiveGateway")
    default = node.get("default")
    if default is not None and not any(flow.id == default for flow in out):
        yield _at(node, path, "unknown_default", {"kind": "default", "flow": out[-1].id} if out else None, id=default)
    if not chooses:
        for flow in out:
            if flow.condition is not None:
                fix = {"kind": "gateway", "element": identifier, "gateway": "exclusiveGateway"} if kind not in GATEWAYS else None
                yield _at(flow.drawn, path, "condition_ignored", fix or {"kind": "remove_parts", "names": ["conditionExpression"]})
        return
    if len(out) < 2:
        return
    bare = [flow for flow in out if not flow.condition and flow.id != default]
    ordered = sorted((flow for flow in out if flow.id != default), key=lambda flow: _height(flow, node))
    for flow in bare:
        yield _at(flow.drawn, path, "no_condition", {"kind": "default", "element": identifier, "flow": flow.id} if default is None else None)
    if default is None and not any(flow.condition == "true" for flow in out):
        yield _at(node, path, "no_default", {"kind": "default", "flow": (bare or ordered)[-1].id})
    earlier: dict[str, str] = {}
    for place, flow in enumerate(ordered):
        text = " ".join((flow.condition or "").split())
        if flow.condition and kind == "exclusiveGateway":
            if text in earlier:
                yield _at(flow.drawn, path, "same_condition")
            if text == "true" and place < len(out) - 1:
                yield _at(flow.drawn, path, "always_true", {"kind": "default", "element": identifier, "flow": flow.id})
        if text in ("false", "null"):
            yield _at(flow.drawn, path, "never_true")
        earlier.setdefault(text, flow.id)
    for flow in out:
        if flow.id == default and flow.condition is not None:
            yield _at(flow.drawn, path, "default_ignored", {"kind": "remove_parts", "names": ["conditionExpression"]})


def _height(flow: flows.Flow, gateway: etree._Element) -> float:
    """Return how low the target of a flow lies in the drawing: the library tries conditions from the top down."""
    return _heights(gateway.getroottree().getroot()).get(flow.target, 0.0)


def _heights(root: etree._Element) -> dict[str, float]:
    found = {}
    for shape in root.iter(f"{{{reading.DI}}}BPMNShape"):
        bounds_of = shape.find(f"{{{reading.DC}}}Bounds")
        try:
            found[shape.get("bpmnElement", "")] = float(bounds_of.get("y", 0)) if bounds_of is not None else 0.0
        except ValueError:
            continue
    return found


# ── all files together ──


class _Judge:
    """The judgement of one set of files; every stage says what it can."""

    def __init__(self, files: Mapping[str, bytes], known: _Known) -> None:
        self.files, self.known = files, known
        self.manifest: dict[str, Any] = {}
        self.forms: dict[str, forms.Form] = {}
        self.diagrams: list[_Diagram] = []
        self.scopes: dict[str, Scope] = {}
        self.where: dict[str, str] = {}
        self.left = bounds.MAX_EXPRESSIONS
        self.errors = 0

    def all(self) -> Iterator[Complaint]:
        """Yield the complaints of every stage; what fails in one does not keep the others from speaking."""
        if len(self.files) > bounds.MAX_FILES or sum(map(len, self.files.values())) > bounds.MAX_TOTAL:
            yield complaint("too_many_files", files=bounds.MAX_FILES, bytes=bounds.MAX_TOTAL // 1_000_000)
            return
        stages: tuple[Callable[[], Iterable[Complaint]], ...] = (
            self._paths,
            self._manifest,
            self._forms,
            self._diagrams,
            self._ids,
            self._ours,
            self._events,
            self._walks,
            self._expressions,
            self._runs,
            lambda: decision_tables.complaints(self.files),
        )
        for stage in stages:
            try:
                for told in stage():
                    self.errors += told.level == "error"
                    yield told
            except (RecursionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
                self.errors += 1
                yield complaint("check_failed", reason=f"{stage.__name__.strip('_')}: {type(error).__name__}")

    def feel(self, text: str) -> feel.Check | None:
        """Check an expression; None when more has been written than a check can pay for."""
        self.left -= len(text) + 10
        if self.left < 0:
            return None
        return kinds.checked(text)

    # files

    def _paths(self) -> Iterator[Complaint]:
        longest = FILE_WIDTH
        for path in self.files:
            if not _PATH.match(path) or len(path) > longest or ".." in path:
                yield complaint("path", elsewhere.plain(path, 200), path=path)

    def _manifest(self) -> Iterator[Complaint]:
        path = "procedure.toml"
        try:
            manifest = bounds.toml(self.files[path])
            for key in ("key", "name", "name_en", "case_kind", "main"):
                if not isinstance(manifest[key], str) or not manifest[key]:
                    raise KeyError(key)
            CaseKind(manifest["case_kind"])
        except (KeyError, ValueError):
            yield complaint("manifest", path)
            return
        self.manifest = manifest
        for key, most in (("key", 40), ("name", 60), ("name_en", 80)):
            if len(manifest[key]) > most:
                yield complaint("manifest_long", path, key=key, most=most)

    def _forms(self) -> Iterator[Complaint]:
        components = 0
        for path, content in sorted(self.files.items()):
            if path.startswith("forms/") and path.endswith(".json"):
                components += content.count(b'"type"')
                if components > bounds.MAX_ALL_COMPONENTS:
                    yield complaint("form_large", path)
                    continue
                form, told = form_checks.judge(path, content, self.known.values)
                if form is not None and form.key == path[6:-5]:
                    self.forms[form.key] = form
                elif form is not None:
                    self.forms.setdefault(form.key, form)
                for entry in told:
                    yield complaint(entry.code, path, None, None, entry.fix, **entry.fields)
        for path, entry in form_checks.together(self.forms, self.files):
            yield complaint(entry.code, path, None, None, entry.fix, **entry.fields)

    def _diagrams(self) -> Iterator[Complaint]:
        tally = bounds.Tally()
        for path, content in sorted(self.files.items()):
            if not path.endswith(".bpmn"):
                continue
            judged = _diagram(path, content) if tally.takes(content) else complaint("too_many_parts", path)
            if isinstance(judged, Complaint):
                yield judged
                continue
            self.diagrams.append(judged)
        if sum(diagram.elements for diagram in self.diagrams) > bounds.MAX_ALL_ELEMENTS:
            yield complaint("too_many_elements_in_all", most=bounds.MAX_ALL_ELEMENTS)
            self.diagrams = []
        for diagram in self.diagrams:
            yield from diagram.complaints
            for scope in diagram.scopes:
                self.scopes.setdefault(scope.id, scope)
                self.where.setdefault(scope.id, diagram.path)

    def _ids(self) -> Iterator[Complaint]:
        """Ids must be unique in the whole procedure: work items and journals name an element without its diagram."""
        seen: dict[str, str] = {}
        every: set[str] | None = None
        for diagram in self.diagrams:
            for node in diagram.root.iter(*_FLOW_TAGS, f"{_B}process"):
                identifier, path = node.get("id", ""), diagram.path
                if identifier and identifier in seen and seen[identifier] != path:
                    if every is None:
                        every = {entry.get("id", "") for other in self.diagrams for entry in other.root.iter(*_FLOW_TAGS)}
                    fix = {"kind": "rename", "to": elsewhere.free(elsewhere.snake(identifier), every)}
                    yield _at(node, path, "id_in_two_files", fix, id=identifier, other=seen[identifier])
                seen.setdefault(identifier, path)

    # what only we know

    def _ours(self) -> Iterator[Complaint]:
        processes = {process.get("id", "") for diagram in self.diagrams for process in diagram.root.findall(f"{_B}process")}
        called = {node.get("calledElement", "") for diagram in self.diagrams for node in diagram.root.iter(f"{_B}callActivity")}
        main = self.manifest.get("main")
        if main is not None and main not in processes and not any(told.code in _UNREAD for told in self._unread()):
            choices = sorted(name for name in processes if name)[:20]
            yield complaint("main_missing", "procedure.toml", None, None, {"kind": "main", "choices": choices} if choices else None, name=main)
        for diagram in self.diagrams:
            path = diagram.path
            for process in diagram.root.findall(f"{_B}process"):
                if main is not None and process.get("id", "") not in (main, *called):
                    yield _at(process, path, "process_unused")
            for lane in diagram.root.iter(f"{_B}lane"):
                if (lane.get("id") or "").split(".")[0] not in ROLES and lane.find(f"{_B}childLaneSet") is None:
                    yield _at(lane, path, "unknown_role", {"kind": "lane_role", "choices": sorted(WORKERS)}, id=lane.get("id") or "")
            lanes = {id(process): reading.lanes_of(process) for process in diagram.root.findall(f"{_B}process")}
            for scope in diagram.scopes:
                process = next((parent for parent in (scope.drawn, *scope.drawn.iterancestors()) if id(parent) in lanes), scope.drawn)
                for identifier, node in scope.nodes.items():
                    yield from self._one(node, path, scope.kinds[identifier], lanes.get(id(process), {}), processes)

    def _unread(self) -> Iterator[Complaint]:
        for path, content in self.files.items():
            if path.endswith(".bpmn") and path not in {diagram.path for diagram in self.diagrams}:
                found = _diagram(path, content)
                if isinstance(found, Complaint):
                    yield found

    def _one(self, node: etree._Element, path: str, kind: str, lanes: Mapping[str, str], processes: Collection[str]) -> Iterator[Complaint]:
        limits = self.known.limits
        if kind == "userTask":
            yield from self._user_task(node, path, lanes)
        elif kind == "serviceTask":
            yield from self._service(node, path)
        elif kind == "scriptTask" and not extensions(node, "set"):
            yield _at(node, path, "empty_script")
        elif kind == "businessRuleTask":
            decisions = extensions(node, "decision")
            if len(decisions) != 1 or not all(decisions[0].get(name) for name in ("decision", "name", "result")):
                yield _at(node, path, "no_decision")
        elif kind == "callActivity" and node.get("calledElement") not in processes:
            yield _at(node, path, "unknown_process", name=node.get("calledElement") or "")
        state = node.get(f"{_P}state")
        if state is not None and state not in STATES:
            yield _at(node, path, "unknown_state", {"kind": "state", "choices": sorted(STATES)}, state=state)
        role = node.get(f"{_P}role")
        if role is not None and role not in ROLES:
            yield _at(node, path, "unknown_role_here", id=role)
        for entry in [*extensions(node, "arm"), *extensions(node, "meet")]:
            if limits is not None and entry.get("limit") not in limits:
                yield _at(node, path, "unknown_limit", limit=entry.get("limit") or "")
        for entry in extensions(node, "message"):
            for role in (entry.get("role") or "").split() or [""]:  # any of several may send it
                if role not in ROLES:
                    yield _at(node, path, "unknown_role_here", id=role)
            if entry.get("form") is not None and entry.get("form") not in self.forms:
                yield self._choose(node, path, "unknown_form", entry.get("form") or "")

    def _choose(self, node: etree._Element, path: str, code: str, form: str = "", attribute: str = "form") -> Complaint:
        choices = sorted(self.forms)[:200]
        fix = {"kind": "choose_form", "attribute": attribute, "choices": choices} if choices and local(node) == "userTask" else None
        return _at(node, path, code, fix, form=form)

    def _user_task(self, node: etree._Element, path: str, lanes: Mapping[str, str]) -> Iterator[Complaint]:
        found = extensions(node, "task")
        enclosing = [lanes[parent.get("id", "")] for parent in node.iterancestors() if parent.get("id", "") in lanes]
        role = node.get(f"{_P}role") or lanes.get(node.get("id", "")) or (enclosing[0] if enclosing else None)
        if role is None:
            yield _at(node, path, "task_without_lane")
        if len(found) != 1:
            yield self._choose(node, path, "no_form")
            return
        task = found[0]
        form = task.get("form") or ""
        if not form:
            yield self._choose(node, path, "no_form")
        elif form not in self.forms:
            yield self._choose(node, path, "unknown_form", form)
        shows = task.get("shows")
        if shows is not None and shows not in self.forms:
            yield self._choose(node, path, "unknown_form", shows, "shows")
        party = task.get("organisation") or "owner"
        if party not in ORGANISATIONS:
            yield _at(node, path, "unknown_party", party=party)
        elif party == "item" and not task.get("item"):
            yield _at(node, path, "item_missing")
        if self.known.limits is not None and task.get("limit") and task.get("limit") not in self.known.limits:
            yield _at(node, path, "unknown_limit", limit=task.get("limit") or "")
        own = _LITERAL.match(task.get("role") or "")
        if own is not None and own[1] not in ROLES:
            yield _at(node, path, "unknown_role_here", id=own[1])
        if own is not None or not task.get("role"):
            who = (own[1] if own is not None else role or "").split(".")[0]
            if who in ROLES - WORKERS:
                yield _at(node, path, "role_cannot_work", role=who)
            elif not task.get("person") and party in ORGANISATIONS - PARTIES.get(who, ORGANISATIONS):
                yield _at(node, path, "role_elsewhere", role=who, party=party)
        exclude = " ".join((task.get("exclude") or "").split())
        if exclude and exclude == " ".join((task.get("person") or "").split()):
            yield _at(node, path, "exclude_same")
        elif exclude and _CONSTANT.match(exclude):
            yield _at(node, path, "exclude_nobody")

    def _service(self, node: etree._Element, path: str) -> Iterator[Complaint]:
        found, services = extensions(node, "service"), self.known.services
        names = [entry.get("name") or "" for entry in found]
        if len(names) != 1 or not names[0] or (services is not None and names[0] not in services):
            yield _at(node, path, "unknown_service", name=", ".join(names))
        elif isinstance(services, Mapping):
            needed, possible = services[names[0]]
            given = {entry.get("name") or "" for entry in found[0].findall(f"{_P}argument")}
            for name in sorted(set(needed) - given):
                yield _at(node, path, "argument_missing", service=names[0], name=name)
            for name in sorted(given - set(needed) - set(possible)):
                yield _at(node, path, "argument_unknown", service=names[0], name=name)

    # events that meet

    def _events(self) -> Iterator[Complaint]:
        """Messages, errors and escalations must be thrown by somebody and caught by somebody."""
        thrown: dict[str, set[str]] = {"message": set(), "error": set(), "escalation": set()}
        caught: set[str] = set()
        names: dict[tuple[str, str, str], str] = {}
        for diagram in self.diagrams:
            for kind, key in (("message", "name"), ("error", "errorCode"), ("escalation", "escalationCode")):
                for entry in diagram.root.findall(f"{_B}{kind}"):
                    names[diagram.path, kind, entry.get("id", "")] = entry.get(key) or ""
        events: list[tuple[str, Scope, str, str, str]] = []
        for diagram in self.diagrams:
            for scope in diagram.scopes:
                for identifier, kind in scope.kinds.items():
                    what = scope.definition(identifier) if kind in EVENTS else ""
                    if what not in thrown:
                        continue
                    definition = scope.nodes[identifier].find(f"{_B}{what}EventDefinition")
                    name = names.get((diagram.path, what, definition.get(f"{what}Ref", "") if definition is not None else ""), "")
                    events.append((diagram.path, scope, identifier, what, name))
                    if kind in ("endEvent", "intermediateThrowEvent"):
                        thrown[what].add(name)
                    elif what == "message":
                        caught.add(name)
        for path, scope, identifier, what, name in events:
            node, kind = scope.nodes[identifier], scope.kinds[identifier]
            catches = kind not in ("endEvent", "intermediateThrowEvent")
            if what == "message" and catches and not extensions(node, "message") and name not in thrown["message"]:
                yield _at(node, path, "message_from_nobody", name=name)
            elif what == "message" and not catches and name not in caught:
                yield _at(node, path, "message_unheard", name=name)
            elif what in ("error", "escalation") and kind == "boundaryEvent":
                if not self._throws(node.get("attachedToRef", ""), scope, what, name, names):
                    yield _at(node, path, "error_never_comes", name=name or what)
            elif what in ("error", "escalation") and not catches and not self._hears(scope, what, name, names):
                yield _at(node, path, "error_unheard", name=name or what)

    def _throws(self, host: str, scope: Scope, what: str, name: str, names: Mapping[tuple[str, str, str], str]) -> bool:
        """Tell whether something inside a step throws what an event beside it waits for; an event without a code takes any."""
        todo, seen = [self._inside(scope, host)], set[str]()
        while todo:
            inner = todo.pop()
            if inner is None or inner in seen or inner not in self.scopes:
                continue
            seen.add(inner)
            part, path = self.scopes[inner], self.where[inner]
            for identifier, kind in part.kinds.items():
                todo.append(self._inside(part, identifier))
                if kind in ("endEvent", "intermediateThrowEvent") and part.definition(identifier) == what:
                    definition = part.nodes[identifier].find(f"{_B}{what}EventDefinition")
                    thrown = names.get((path, what, definition.get(f"{what}Ref", "") if definition is not None else ""), "")
                    if not name or name == thrown:
                        return True
        return False

    def _hears(self, scope: Scope, what: str, name: str, names: Mapping[tuple[str, str, str], str]) -> bool:
        """Tell whether an event beside a part around a throwing event takes it."""
        todo, seen = [scope.id], set[str]()
        while todo:
            inner = todo.pop()
            if inner in seen:
                continue
            seen.add(inner)
            for outer, around in self.scopes.items():
                for identifier in around.nodes:
                    if self._inside(around, identifier) != inner:
                        continue
                    todo.append(outer)
                    for event in around.beside.get(identifier, ()):
                        definition = around.nodes[event].find(f"{_B}{what}EventDefinition")
                        if definition is not None and names.get((self.where[outer], what, definition.get(f"{what}Ref", "")), "") in ("", name):
                            return True
        return False

    def _inside(self, scope: Scope, node: str) -> str | None:
        """Return the id of the scope that a node holds or calls."""
        kind = scope.kinds.get(node)
        if kind in PARTS:
            return node
        return scope.nodes[node].get("calledElement") if kind == "callActivity" else None

    # how it is walked

    def _walks(self) -> Iterator[Complaint]:
        yield from self._calls_itself()
        results: dict[str, tuple[frozenset[str | None], frozenset[str]]] = {}
        walks: dict[str, flows.Walk] = {}
        passes: dict[str, bool] = {}
        for name in self._inner_first():
            scope = self.scopes[name]

            def label(node: str, scope: Scope = scope) -> str | None:
                state = scope.nodes[node].get(f"{_P}state")
                return state if state in STATES else None

            def inside(node: str, scope: Scope = scope) -> tuple[frozenset[str | None], frozenset[str]]:
                return results.get(self._inside(scope, node) or "", (frozenset({None}), frozenset()))

            walk = walks[name] = flows.walk(scope, label, inside)
            ends = frozenset(state for states in walk.ends.values() for state in states) if walk.is_whole else frozenset({None})
            at_all = frozenset(filter(None, (label(node) for node in scope.nodes))) | frozenset(s for n in scope.nodes for s in inside(n)[1])
            results[name] = (ends or frozenset({None}), at_all)
            passes[name] = self._passes(scope, passes)
        for diagram in self.diagrams:
            for scope in diagram.scopes:
                if self.scopes.get(scope.id) is scope:
                    yield from self._walked(scope, diagram.path, walks[scope.id], passes)
        yield from self._final_states(walks)

    def _inner_first(self) -> list[str]:
        """Return the scopes so that what is held or called comes before; a circle of calls is cut somewhere."""
        order: list[str] = []
        seen: set[str] = set()
        for start in self.scopes:
            work = [(start, False)]
            while work:
                name, is_done = work.pop()
                if is_done:
                    order.append(name)
                elif name not in seen and name in self.scopes:
                    seen.add(name)
                    work.append((name, True))
                    scope = self.scopes[name]
                    work += [(inner, False) for node in scope.nodes if (inner := self._inside(scope, node)) is not None]
        return order

    def _rests(self, scope: Scope, node: str, passes: Mapping[str, bool]) -> bool:
        """Tell whether a walk surely stops at a node until somebody or the clock comes."""
        kind = scope.kinds[node]
        if kind in flows.RESTING:
            return True
        if kind in ("intermediateCatchEvent", "boundaryEvent"):
            text = "".join(entry.text or "" for entry in scope.nodes[node].iter(f"{_B}timeDuration")).strip()
            return scope.definition(node) in ("message", "timer") and not (_DURATION.match(text) and (text[0] == "-" or days_of(text) == 0))
        inner = self._inside(scope, node)
        return inner is not None and not passes.get(inner, True)

    def _passes(self, scope: Scope, passes: Mapping[str, bool]) -> bool:
        """Tell whether a scope can be walked from start to end without a rest."""
        quick = flows.closure(
            scope.starts,
            lambda node: () if self._rests(scope, node, passes) else (flow.target for flow in scope.ahead.get(node, ())),
        )
        return any(scope.kinds[node] == "endEvent" for node in quick)

    def _walked(self, scope: Scope, path: str, walk: flows.Walk, passes: Mapping[str, bool]) -> Iterator[Complaint]:
        if walk.is_whole:
            for join, fires in walk.waiting.items():
                origin = self._one_choice(scope, join)
                code = "join_may_wait" if fires and not origin else "join_waits_for_ever"
                fix = {"kind": "gateway_kind", "to": "exclusiveGateway"} if origin and scope.kinds[join] == "parallelGateway" else None
                yield _at(scope.nodes[join], path, code, fix)
            for node in sorted(walk.doubled):
                yield _at(scope.nodes[node], path, "runs_twice", {"kind": "join_before"} if scope.kinds[node] != "endEvent" else None)
            for node in sorted(walk.cut_off):
                if scope.nodes[node].get(f"{_P}state") not in FINAL:
                    yield _at(scope.nodes[node], path, "cuts_off", {"kind": "plain_end"})
        restless = [node for node in scope.nodes if node in scope.reached and not self._rests(scope, node, passes)]
        for group in flows.circles(restless, lambda node: (flow.target for flow in scope.ahead.get(node, ()))):
            first = min(group, key=lambda node: scope.nodes[node].sourceline or 0)  # type: ignore[arg-type, return-value]
            changes = any(scope.kinds[node] not in GATEWAYS for node in group)
            leaves = any(flow.target not in group for node in group for flow in scope.ahead.get(node, ()))
            yield _at(scope.nodes[first], path, "may_not_rest" if changes and leaves else "never_rests")

    def _one_choice(self, scope: Scope, join: str) -> bool:
        """Tell whether two flows into a parallel join come from one exclusive choice: they can never both come."""
        choices: dict[str, str] = {}
        for flow in scope.inward.get(join, ()):
            seen: set[str] = set()
            todo = [flow.source]
            while todo:
                current = todo.pop()
                if current in seen:
                    continue
                seen.add(current)
                coming = scope.inward.get(current, [])
                if scope.kinds[current] == "parallelGateway" or len(coming) > 1:
                    continue
                if scope.kinds[current] == "exclusiveGateway":
                    if choices.get(current, flow.id) != flow.id:
                        return True
                    choices[current] = flow.id
                todo += [before.source for before in coming]
        return False

    def _final_states(self, walks: Mapping[str, flows.Walk]) -> Iterator[Complaint]:
        """However the main process ends, the case must be in a state that ends it; and not before."""
        main = self.manifest.get("main", "")
        walk, scope = walks.get(main), self.scopes.get(main)
        if walk is not None and scope is not None and walk.is_whole:
            for node, states in walk.ends.items():
                fix = {"kind": "state", "choices": sorted(FINAL)}
                if not states & FINAL:
                    yield _at(scope.nodes[node], self.where[main], "no_final_state", fix)
                elif states - FINAL:
                    yield _at(scope.nodes[node], self.where[main], "may_lack_final_state", fix)
        for name, part in self.scopes.items():
            for identifier, drawn in part.nodes.items():
                if drawn.get(f"{_P}state") in FINAL and any(
                    part.kinds[after] in ("userTask", "callActivity") for after in flows.closure(part.follow(identifier), part.follow)
                ):
                    yield _at(drawn, self.where[name], "ends_early")

    def _calls_itself(self) -> Iterator[Complaint]:
        """A process that calls itself, straight or round about, never ends."""
        calls: dict[str, set[str]] = {}
        for diagram in self.diagrams:
            for process in diagram.root.findall(f"{_B}process"):
                calls.setdefault(process.get("id", ""), set()).update(n.get("calledElement", "") for n in process.iter(f"{_B}callActivity"))
        for diagram in self.diagrams:
            for process in diagram.root.findall(f"{_B}process"):
                name = process.get("id", "")
                if name in flows.closure(calls.get(name, ()), lambda inner: calls.get(inner, ())):
                    yield _at(process, diagram.path, "calls_itself", name=name)

    # expressions

    def _expressions(self) -> Iterator[Complaint]:
        places = sum(1 for diagram in self.diagrams for _ in diagram.root.iter(f"{_P}output", f"{_P}set", f"{_P}decision"))
        if places > bounds.MAX_VARIABLES:
            yield complaint("unchecked")
            return
        facts = _Variables(self)
        yield from facts.complaints()
        yield from facts.parallel()

    # does it run?

    def _runs(self) -> Iterator[Complaint]:
        """Read it as a case would, once nothing else keeps the library from it, and count what it predicts."""
        main = self.manifest.get("main")
        self.diagrams, self.scopes, self.where = [], {}, {}  # what was judged is not needed any more, and what comes now reads it anew
        if main is not None and not self.errors:
            drawn = {path: content for path, content in self.files.items() if path.endswith((".bpmn", ".dmn"))}
            yield from _tried(tuple(sorted(drawn.items())), main)


@lru_cache(maxsize=4)
def _tried(files: tuple[tuple[str, bytes], ...], main: str) -> tuple[Complaint, ...]:
    """Return what the library has to say of diagrams; the same diagrams are tried once."""
    try:
        specification = reading.read(dict(files), main)
    except UnreadableDiagram as error:
        return (unreadable(error, error.file),)
    found = []
    for name, spec in {main: specification.spec, **specification.parts}.items():
        with library.at(datetime.now(UTC)):
            workflow = library.Workflow(spec, specification.parts)
            count = len(workflow.tasks)
            library.dispose(workflow)
        if count > bounds.MAX_TASKS:
            process = specification.processes.get(name)
            found.append(complaint("too_branchy", process.file if process else "", name, count=count))
    return tuple(found)


_UNREAD = frozenset({"too_large", "not_xml", "encoding", "doctype", "not_bpmn", "too_many_parts"})


# ── names in expressions ──


class _Variables:
    """Which variables the steps set and which their expressions need."""

    def __init__(self, judge: _Judge) -> None:
        self.judge = judge
        self.writers: dict[str, list[tuple[str, str]]] = {}
        self.writes: dict[str, flows.Writes] = {}
        self.called: dict[str, str] = {}
        self.path_of: dict[str, str] = {}
        self.scope_of: dict[str, Scope] = {}
        self.reads: dict[str, frozenset[str]] = {}
        sources: list[tuple[str, str, str]] = []
        for name, scope in judge.scopes.items():
            for identifier, node in scope.nodes.items():
                self.path_of[identifier], self.scope_of[identifier] = judge.where[name], scope
                inner = judge._inside(scope, identifier)
                if inner is not None:
                    self.called[identifier] = inner
                self._node(identifier, node, scope.kinds[identifier], sources)
        self.seen = flows.variables(judge.scopes, judge.manifest.get("main", ""), GIVEN | STARTS_WITH, self.writes, self.called)
        self.kinds = kinds.of_variables(sources, judge.forms)

    def _node(self, identifier: str, node: etree._Element, kind: str, sources: list[tuple[str, str, str]]) -> None:
        own: set[str] = set()
        form = next((task.get("form") or "" for task in extensions(node, "task")), "")
        for tag, attribute in (("output", "variable"), ("set", "variable"), ("decision", "result")):
            for entry in extensions(node, tag):
                name = entry.get(attribute) or ""
                own.add(name)
                self.writers.setdefault(name, []).append((identifier, tag))
                sources.append((name, entry.get("expression") or "", form if tag == "output" else ""))
        several = node.find(f"{_B}multiInstanceLoopCharacteristics")
        if several is None:
            self.writes[identifier] = flows.Writes(frozenset(own))
            return
        item, results = _item(several), (several.findtext(f"{_B}loopDataOutputRef") or "").strip()
        for name in filter(None, (item, results)):
            self.writers.setdefault(name, []).append((identifier, "several"))
            sources.append((name, "", ""))
        within = frozenset(filter(None, (item,)))
        if results:
            self.writes[identifier] = flows.Writes(frozenset({results}), within, is_closed=True)
        else:
            self.writes[identifier] = flows.Writes(frozenset(own) | within, within)

    def complaints(self) -> Iterator[Complaint]:
        """Compile every expression and ask of each free name whether something has set it by then."""
        for name, scope in self.judge.scopes.items():
            path = self.judge.where[name]
            for identifier, node in scope.nodes.items():
                yield from self._settings(scope, identifier, path)
                for text, extra, where, needs in _expressions(node, scope.kinds[identifier]):
                    for told in self._one(node, path, (text, extra, where, needs), identifier):
                        if told.code == "unchecked":
                            yield told
                            return
                        yield told
                for flow in scope.ahead.get(identifier, ()):
                    if flow.condition and scope.kinds[identifier] in ("exclusiveGateway", "inclusiveGateway"):
                        for told in self._one(flow.drawn, path, (flow.condition, frozenset(), N_("条件"), True), identifier):
                            if told.code == "unchecked":
                                yield told
                                return
                            yield told

    def _one(self, node: etree._Element, path: str, entry: tuple[str, frozenset[str], str, bool], at: str) -> Iterator[Complaint]:
        text, extra, where, is_needed = entry
        if not text.strip():
            if is_needed:
                yield _at(node, path, "expression_missing", where=where)
            return
        found = self.judge.feel(text)
        if found is None:
            yield complaint("unchecked")
            return
        if found.error is not None or text.lstrip().startswith("="):
            better = elsewhere.to_feel(text)
            fix = {"kind": "expression", "was": text, "text": better} if better is not None and len(text) < 2000 else None
            if found.error is None:
                yield _at(node, path, "expression_sign", fix, where=where)
            else:
                yield _at(node, path, "expression", fix, where=where, reason=found.error.message)
            return
        told: set[str] = set()
        for name in found.names:
            if name.name in told:
                continue
            if name.is_call:
                if name.name not in HOST_FUNCTIONS:
                    told.add(name.name)
                    yield _at(node, path, "unknown_function", name=name.name)
                continue
            if name.name == "profile" and len(name.path) > 1 and self.judge.known.values is not None and name.path[1] not in self.judge.known.values:
                yield _at(node, path, "unknown_value", name=name.path[1])
            elif name.name == "case" and len(name.path) > 1 and name.path[1] not in FACTS:
                yield _at(node, path, "unknown_fact", name=name.path[1])
            if name.name in extra or name.name in GIVEN:
                continue
            yield from self._known(node, path, (text, where), name, at, told)
        yield from self._answers(node, path, found, where)
        for left, right in kinds.differing(text, self._kinds_at(node)):
            yield _at(node, path, "kinds_differ", where=where, left=left, right=right)

    def _known(self, node: etree._Element, path: str, written: tuple[str, str], name: feel.FreeName, at: str, told: set[str]) -> Iterator[Complaint]:
        text, where = written
        if name.name not in self.writers and name.name not in STARTS_WITH:
            if not name.is_loose:
                told.add(name.name)
                yield _at(node, path, "unknown_name", where=where, name=name.name)
        elif name.is_loose:
            return
        elif not self.seen.possible(at, name.name) and not self._within(at, name.name):
            told.add(name.name)
            yield _at(node, path, "name_too_late", where=where, name=name.name)
        elif not self.seen.certain(at, name.name) and not self._within(at, name.name) and kinds.is_surely_read(text, name.name):
            told.add(name.name)
            yield _at(node, path, "name_perhaps_missing", where=where, name=name.name)

    def _within(self, at: str, name: str) -> bool:
        """Tell whether a node itself gives a name to its expressions: earlier outputs, the item of several instances."""
        return any(writer == at for writer, _ in self.writers.get(name, ()))

    def _kinds_at(self, node: etree._Element) -> Mapping[tuple[str, ...], str]:
        form = self.judge.forms.get(next((task.get("form") or "" for task in extensions(node, "task")), ""))
        if form is None:
            return self.kinds
        return {**self.kinds, **{("answers", *path): kind for path, kind in kinds.of_form(form).items()}}

    def _answers(self, node: etree._Element, path: str, found: feel.Check, where: str) -> Iterator[Complaint]:
        """An answer that goes into the workflow must exist in the form and must not identify the subject."""
        form = self.judge.forms.get(next((task.get("form") or "" for task in extensions(node, "task")), ""))
        if form is None:
            return
        inputs = {entry.key: entry for entry in form.inputs()}
        for name in found.names:
            if name.name != "answers" or len(name.path) < 2:
                continue
            entry = inputs.get(name.path[1])
            if entry is None:
                yield _at(node, path, "unknown_answer", form=form.key, field=name.path[1])
            elif entry.identity == "I":
                yield _at(node, path, "identity_leaves", field=entry.key)

    def _settings(self, scope: Scope, identifier: str, path: str) -> Iterator[Complaint]:
        """Judge the names of variables themselves, and what several instances do with them."""
        node = scope.nodes[identifier]
        written = [entry.get("variable") or "" for tag in ("output", "set") for entry in extensions(node, tag)]
        written += [entry.get("result") or "" for entry in extensions(node, "decision") if entry.get("result")]
        for name in written:
            if not _VARIABLE.match(name) or name in ("__proto__", "typename", "not", "null", "true", "false", *OUTPUTS):
                yield _at(node, path, "variable_name", name=name)
            elif name in feel.FUNCTION_NAMES or name in GIVEN | HOST_FUNCTIONS:
                yield _at(node, path, "variable_shadows", name=name)
        for task in extensions(node, "task"):
            excluded = task.get("exclude") or ""
            if self.kinds.get((excluded.strip(),), "string") not in ("string", ""):
                yield _at(node, path, "exclude_nobody")
        several = node.find(f"{_B}multiInstanceLoopCharacteristics")
        if several is not None:
            yield from self._several(scope, identifier, several, path)

    def _several(self, scope: Scope, identifier: str, several: etree._Element, path: str) -> Iterator[Complaint]:
        node = scope.nodes[identifier]
        collection = (several.findtext(f"{_B}loopDataInputRef") or "").strip()
        if several.find(f"{_B}loopDataInputRef") is not None and collection not in self.writers and collection not in STARTS_WITH:
            yield _at(node, path, "several_collection", name=collection)
        item, results = _item(several), (several.findtext(f"{_B}loopDataOutputRef") or "").strip()
        if item and identifier in self.seen.may and self.seen.possible(identifier, item):
            yield _at(node, path, "several_shadows", name=item)
        result = several.find(f"{_B}outputDataItem")
        name = (result.get("id") or "") if result is not None else ""
        inside = self._set_inside(identifier)
        if results and result is not None and name != item and name not in inside:
            yield _at(node, path, "several_output_missing", name=name)
        others = [writer for writer, tag in self.writers.get(results, ()) if tag == "several" and writer != identifier]
        if results and others:
            yield _at(node, path, "several_output_shared", name=results, other=others[0])
        if results:
            outside = {writer for written in inside for writer, _ in self.writers.get(written, ())} - self._nodes_inside(identifier)
            for lost in sorted(inside - {name, item, ""}):
                elsewhere = {writer for writer, _ in self.writers[lost]} & outside
                if not elsewhere and self._read_outside(lost, identifier):
                    yield _at(node, path, "several_lost", name=lost)
            for event in scope.beside.get(identifier, ()):
                if scope.is_interrupting(event) and scope.definition(event) in ("timer", "message") and self._read_outside(results, event):
                    after = flows.closure(scope.follow(event), scope.follow)
                    if any(results in self._reads(step) for step in after if step in scope.nodes):
                        yield _at(scope.nodes[event], path, "several_interrupted")

    def _nodes_inside(self, identifier: str) -> set[str]:
        """Return a node with every node of the parts it holds or calls."""
        found, todo = {identifier}, [self.called.get(identifier)]
        seen: set[str] = set()
        while todo:
            scope = todo.pop()
            if scope is None or scope in seen or scope not in self.judge.scopes:
                continue
            seen.add(scope)
            for node in self.judge.scopes[scope].nodes:
                found.add(node)
                todo.append(self.called.get(node))
        return found

    def _set_inside(self, identifier: str) -> set[str]:
        nodes = self._nodes_inside(identifier)
        return {name for name, writers in self.writers.items() if any(writer in nodes and tag != "several" for writer, tag in writers)}

    def _reads(self, identifier: str) -> frozenset[str]:
        if identifier not in self.reads:
            self.reads[identifier] = self._read_by(identifier)
        return self.reads[identifier]

    def _read_by(self, identifier: str) -> frozenset[str]:
        scope = self.scope_of[identifier]
        texts = [text for text, *_ in _expressions(scope.nodes[identifier], scope.kinds[identifier])]
        texts += [flow.condition or "" for flow in scope.ahead.get(identifier, ())]
        found: set[str] = set()
        for text in texts:
            if text.strip() and len(text) < 2000:
                found |= {name.name for name in kinds.checked(text).names}
        return frozenset(found)

    def _read_outside(self, name: str, identifier: str) -> bool:
        inside = self._nodes_inside(identifier)
        return any(name in self._reads(node) for node in self.scope_of if node not in inside)

    # branches that write the same

    def parallel(self) -> Iterator[Complaint]:
        """Tell of variables that two branches write, or that one writes over a value from before the branching."""
        for name, scope in self.judge.scopes.items():
            together = self._together(scope)
            if not together:
                continue
            written = {node: self._written(node) for node in scope.nodes}
            told: set[tuple[str, str]] = set()
            for one, other in sorted(together):
                for mine, theirs in ((one, other), (other, one)):
                    for variable in sorted(written[mine]):
                        if (mine, variable) in told or not self._joined(scope, mine, theirs):
                            continue
                        where = self.judge.where[name]
                        label = scope.nodes[theirs].get("name") or theirs
                        if variable in written[theirs] and mine > theirs:
                            told.add((mine, variable))
                            yield _at(scope.nodes[mine], where, "parallel_writes", name=variable, other=label)
                        elif variable not in written[theirs] and self._before_fork(scope, mine, theirs, variable):
                            told.add((mine, variable))
                            yield _at(scope.nodes[mine], where, "lost_write", name=variable, other=label)

    def _together(self, scope: Scope) -> set[tuple[str, str]]:
        walk = flows.walk(scope, lambda node: None, lambda node: (frozenset({None}), frozenset()))
        return walk.together if walk.is_whole else set()

    def _written(self, identifier: str) -> frozenset[str]:
        """Return what a node hands on, with what the parts in it set."""
        own = self.writes[identifier]
        if own.is_closed:
            return own.after
        inside = {name for node in self._nodes_inside(identifier) for name in self.writes[node].after}
        return frozenset(inside | own.after) - {""}

    def _joined(self, scope: Scope, one: str, other: str) -> bool:
        """Tell whether two branches meet in a join, so that their variables are merged."""
        mine, theirs = (flows.closure(scope.follow(node), scope.follow) for node in (one, other))
        return any(
            scope.kinds[node] in ("parallelGateway", "inclusiveGateway") and len(scope.inward.get(node, ())) > 1
            for node in mine & theirs
            if node in scope.kinds
        )

    def _before_fork(self, scope: Scope, one: str, other: str, variable: str) -> bool:
        """Tell whether the variable may have a value where the two branches part."""
        before_one, before_other = (flows.closure([node], scope.before) for node in (one, other))
        forks = [
            node
            for node in before_one & before_other
            if node in scope.kinds and scope.kinds[node] in ("parallelGateway", "inclusiveGateway") and len(scope.ahead.get(node, ())) > 1
        ]
        return any(self.seen.possible(fork, variable) for fork in forks)


def _item(several: etree._Element) -> str:
    """Return the variable that holds an instance's entry: the library names it after the id."""
    item = several.find(f"{_B}inputDataItem")
    return (item.get("id") or "") if item is not None else ""


def _expressions(node: etree._Element, kind: str) -> Iterator[tuple[str, frozenset[str], str, bool]]:
    """Yield every expression of an element: its text, the names it sees besides the variables, where it stands, whether it must be there."""
    for entry in extensions(node, "output"):
        yield entry.get("expression", ""), OUTPUTS, entry.get("variable", ""), True
    for entry in extensions(node, "set"):
        yield entry.get("expression", ""), frozenset(), entry.get("variable", ""), True
    for task in extensions(node, "task"):
        for attribute in ("person", "exclude", "item", "role", "due", "from"):
            if task.get(attribute):
                yield task.get(attribute, ""), frozenset(), attribute, False
    for entry in extensions(node, "arm"):
        if entry.get("from"):
            yield entry.get("from", ""), OUTPUTS, entry.get("limit", ""), False
    for service in extensions(node, "service"):
        for entry in service.findall(f"{_P}argument"):
            yield entry.get("expression", ""), frozenset(), entry.get("name", ""), True
    for decision in extensions(node, "decision"):
        for entry in decision.findall(f"{_P}input"):
            yield entry.get("expression", ""), frozenset(), entry.get("name", ""), True
    if kind in EVENTS:
        for definition in node.iterfind(f"{_B}timerEventDefinition"):
            for tag in ("timeDate", "timeDuration"):
                text = (definition.findtext(f"{_B}{tag}") or "").strip()
                if text and not (text[0] in "-P" or text[0].isdigit()):
                    yield text, frozenset(), N_("定时"), False
    several = node.find(f"{_B}multiInstanceLoopCharacteristics")
    if several is not None:
        for tag in ("loopCardinality", "completionCondition"):
            entry_of = several.find(f"{_B}{tag}")
            if entry_of is not None:
                yield entry_of.text or "", COMPLETION if tag == "completionCondition" else frozenset(), tag, True
