"""Diagrams and decision tables → specification: what the library runs, and what Pingshen knows of each element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lxml import etree
from SpiffWorkflow.bpmn.parser.util import full_tag
from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.spiff.parser.process import SpiffBpmnParser
from SpiffWorkflow.spiff.parser.task_spec import SpiffTaskParser
from SpiffWorkflow.spiff.specs import defaults

from engine import feel
from engine.workflow import bounds, flows
from engine.workflow.bounds import MAX_BYTES as MAX_BYTES

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DD = "http://www.omg.org/spec/DD/20100524/DI"
PS = "urn:pingshen:bpmn"
FLOW_NODES = frozenset(
    {
        "startEvent",
        "endEvent",
        "userTask",
        "task",
        "manualTask",
        "scriptTask",
        "serviceTask",
        "sendTask",
        "receiveTask",
        "businessRuleTask",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "callActivity",
        "exclusiveGateway",
        "parallelGateway",
        "inclusiveGateway",
        "eventBasedGateway",
        "complexGateway",
        "intermediateCatchEvent",
        "intermediateThrowEvent",
        "boundaryEvent",
    }
)
PLACED = FLOW_NODES | {
    "sequenceFlow", "messageFlow", "association", "process", "collaboration", "participant", "lane", "dataObjectReference", "dataStoreReference",
    "textAnnotation", "group",
}  # fmt: skip
"""What can be drawn by itself."""
_PREFIXED = re.compile(rb"""[a-z](?:Ref|Element)\s*=\s*["'][^"'<:]{1,80}:""")


class UnreadableDiagram(Exception):
    """The diagram is not XML, is too large, or holds what no diagram needs."""

    def __init__(self, reason: str, *, file: str = "", element: str | None = None, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.file, self.element, self.line = reason, file, element, line


@dataclass(frozen=True, slots=True)
class Plan:
    """What a user task asks for. Every text but form, organisation and limit is FEEL."""

    form: str
    organisation: str | None = None
    person: str | None = None
    exclude: str | None = None
    item: str | None = None
    role: str | None = None
    due: str | None = None
    limit: str | None = None
    clock_start: str | None = None
    is_fresh: bool = False
    shows: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a business rule task asks: the decision `name` (or id) of the file `key`, its result kept as a variable.

    `inputs` are pairs of the name of an input and FEEL over the variables.
    """

    key: str
    name: str
    result: str
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """A node of a diagram as people and the projection see it."""

    id: str
    kind: str
    name: str
    name_en: str
    process: str
    line: int
    role: str | None = None
    phase: str | None = None
    documentation: str = ""
    documentation_en: str = ""
    plan: Plan | None = None
    outputs: tuple[tuple[str, str], ...] = ()
    arms: tuple[tuple[str, str | None], ...] = ()
    meets: tuple[str, ...] = ()
    state: str | None = None
    message: str | None = None
    message_role: str | None = None
    message_form: str | None = None
    called: str | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a procedure: its own diagram."""

    id: str
    name: str
    name_en: str
    file: str
    outline: tuple[str, ...]
    lanes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Specification:
    """A procedure version ready to run. Shared by all its cases in a process, never changed after `read`.

    Attributes:
        variables: Everything that some step sets. Before it is set it is null: a case that came from another version may
            have passed the step that would have set it.
    """

    main: str
    spec: Any
    parts: Mapping[str, Any]
    elements: Mapping[str, Element]
    processes: Mapping[str, Process]
    files: Mapping[str, bytes] = field(repr=False)
    decisions: Mapping[str, feel.Model] = field(default_factory=dict, repr=False)
    variables: frozenset[str] = frozenset()


def xml(content: bytes, file: str = "", *, tag: str = f"{{{BPMN}}}definitions", keeps_all: bool = False) -> etree._Element:
    """Parse a diagram with everything off that a diagram does not need.

    Args:
        tag: What the root must be.
        keeps_all: With comments, processing instructions and CDATA, to be written again as it was.

    Raises:
        UnreadableDiagram: not well formed, larger than 2 MB, or with a DOCTYPE.
    """
    reason = bounds.unfit(content)
    if reason is not None:
        raise UnreadableDiagram(reason, file=file)
    parser = _parser(keeps_all)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        if not _is_odd_namespace(parser):
            raise UnreadableDiagram("not_xml", file=file, line=getattr(error, "lineno", None)) from None
        parser = _parser(keeps_all, recover=True)
        root = etree.fromstring(content, parser)
        if root is None or not _is_odd_namespace(parser):
            raise UnreadableDiagram("not_xml", file=file) from None
    if str(root.getroottree().docinfo.doctype or ""):  # type: ignore[union-attr]
        raise UnreadableDiagram("doctype", file=file)
    if root.tag != tag:
        raise UnreadableDiagram("not_bpmn", file=file)
    if not keeps_all and _PREFIXED.search(content):
        _take_prefixes(root)
    return root


def _parser(keeps_all: bool, *, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=not keeps_all,
        remove_pis=not keeps_all,
        strip_cdata=not keeps_all,
        recover=recover,
    )


def _take_prefixes(root: etree._Element) -> None:
    """Name elements of the file by their ids alone: a reference may carry the prefix of the file's own namespace (BPMN 2.0, QName)."""
    own = {prefix for prefix, space in root.nsmap.items() if prefix and space == root.get("targetNamespace")}
    nodes = list(root.iter(etree.Element))
    ids = {node.get("id") for node in nodes}
    for node in nodes:
        for name, value in node.attrib.items():
            if not isinstance(name, str) or not (name.endswith("Ref") or name == "bpmnElement"):
                continue
            prefix, _, plain = str(value).partition(":")
            if prefix in own and plain in ids and value not in ids:
                node.set(name, plain)


def _is_odd_namespace(parser: etree.XMLParser) -> bool:
    """Tell whether all that is wrong with a text is a namespace with a blank in it, as some tools make them from names."""
    found = [entry.type for entry in parser.error_log]
    return bool(found) and set(found) == {etree.ErrorTypes.WAR_NS_URI}


def diagrams(files: Mapping[str, bytes]) -> Iterator[tuple[str, etree._Element]]:
    """Yield the diagrams among the files of a procedure by path, parsed; those that cannot be read are left out, and those too many."""
    with suppress(UnreadableDiagram):
        for path, content in _in_bounds(files):
            try:
                root = xml(content, path)
            except UnreadableDiagram:
                continue
            yield path, root


def _in_bounds(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the diagrams among the files of a procedure by path.

    Raises:
        UnreadableDiagram: together they have more tags than are read.
    """
    tally = bounds.Tally()
    for path, content in sorted(files.items()):
        if path.endswith(".bpmn"):
            if not tally.takes(content):
                raise UnreadableDiagram("too_many_parts", file=path)
            yield path, content


def local(node: etree._Element) -> str:
    """Return a tag without its namespace."""
    return etree.QName(node).localname


def placed(node: etree._Element) -> etree._Element:
    """Return the element of which a node is a part and that has a place of its own: the event of a definition, the flow of a condition."""
    while local(node) not in PLACED:
        parent = node.getparent()
        if parent is None or parent.getparent() is None:
            return node
        node = parent
    return node


def extensions(node: etree._Element, name: str) -> list[etree._Element]:
    """Return our own extension elements of a node."""
    return node.findall(f"./{{{BPMN}}}extensionElements/{{{PS}}}{name}")


class _Plain:
    """Refuses what would put Python into a diagram."""

    node: Any

    def parse_extensions(self, node: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().parse_extensions(node)  # type: ignore[misc]
        if found.get("preScript") or found.get("postScript"):
            raise ValidationException("scripts before or after a task are not supported", node=self.node)
        return found


class _ScriptParser(_Plain, SpiffTaskParser):  # type: ignore[misc]
    """A script task: expressions whose results become variables."""

    def create_task(self) -> Any:
        self.parse_extensions()
        script = {"set": [[entry.get("variable"), entry.get("expression")] for entry in extensions(self.node, "set")]}
        return defaults.ScriptTask(self.spec, self.bpmn_id, json.dumps(script), **self.bpmn_attributes)


class _DecisionParser(_Plain, SpiffTaskParser):  # type: ignore[misc]
    """A business rule task: a decision of the procedure's own files, its result a variable."""

    @staticmethod
    def get_decision_ref(_node: Any) -> None:
        """Name no decision to the library: its own tables are not FEEL, and it would look for one."""

    def create_task(self) -> Any:
        self.parse_extensions()
        decision = _decision(self.node)
        if decision is None:
            raise ValidationException("a business rule task names one decision, what it is called and where its result goes", node=self.node)
        script = {"decision": decision.key, "name": decision.name, "result": decision.result, "inputs": decision.inputs}
        return defaults.ScriptTask(self.spec, self.bpmn_id, json.dumps(script), **self.bpmn_attributes)


class _ServiceParser(_Plain, SpiffTaskParser):  # type: ignore[misc]
    """A service task: a wish, collected as data and carried out by the host."""

    def create_task(self) -> Any:
        self.parse_extensions()
        services = extensions(self.node, "service")
        if len(services) != 1:
            raise ValidationException("a service task names one service", node=self.node)
        arguments = [[entry.get("name"), entry.get("expression")] for entry in services[0].findall(f"{{{PS}}}argument")]
        script = {"service": services[0].get("name"), "arguments": arguments}
        return defaults.ScriptTask(self.spec, self.bpmn_id, json.dumps(script), **self.bpmn_attributes)


class ParallelMultiInstanceTask(defaults.ParallelMultiInstanceTask):  # type: ignore[misc]
    """Parallel instances whose list of results begins empty on every pass, so that a step can be done again."""

    def init_data_output_with_input_data(self, my_task: Any, input_data: Any) -> None:
        """Begin an empty list, whatever an earlier pass left."""
        self.data_output.set(my_task, [])

    def init_data_output_with_cardinality(self, my_task: Any) -> None:
        """Begin an empty list, whatever an earlier pass left."""
        self.data_output.set(my_task, [])


class SequentialMultiInstanceTask(defaults.SequentialMultiInstanceTask):  # type: ignore[misc]
    """The same, one after the other."""

    init_data_output_with_input_data = ParallelMultiInstanceTask.init_data_output_with_input_data
    init_data_output_with_cardinality = ParallelMultiInstanceTask.init_data_output_with_cardinality


def _ours(parser: type) -> type:
    """Derive a parser of the library that refuses scripts and makes our multi-instance tasks."""
    if not issubclass(parser, SpiffTaskParser):
        return parser
    classes = {"PARALLEL_MI_CLASS": ParallelMultiInstanceTask, "SEQUENTIAL_MI_CLASS": SequentialMultiInstanceTask}
    return parser if issubclass(parser, _Plain) else type(f"Plain{parser.__name__}", (_Plain, parser), classes)


class _Parser(SpiffBpmnParser):  # type: ignore[misc]
    """The library's parser with FEEL script tasks and services as wishes."""

    OVERRIDE_PARSER_CLASSES: ClassVar = {tag: (_ours(parser), spec) for tag, (parser, spec) in SpiffBpmnParser.OVERRIDE_PARSER_CLASSES.items()}
    OVERRIDE_PARSER_CLASSES[full_tag("scriptTask")] = (_ScriptParser, defaults.ScriptTask)
    OVERRIDE_PARSER_CLASSES[full_tag("businessRuleTask")] = (_DecisionParser, defaults.ScriptTask)
    OVERRIDE_PARSER_CLASSES[full_tag("serviceTask")] = (_ServiceParser, defaults.ScriptTask)


def read(files: Mapping[str, bytes], main: str) -> Specification:
    """Make the specification of a procedure from its diagrams and decision tables.

    Args:
        files: Every file of the version by its path; those ending in `.bpmn` and `.dmn` are read.
        main: The id of the process that a case starts with.

    Raises:
        UnreadableDiagram: a file is not a diagram, or the library cannot read it; `element` and `line` tell where.
            Also for a decision table that is refused.
    """
    roots = {path: xml(content, path) for path, content in _in_bounds(files)}
    _bounded(roots)
    parser = _Parser()
    try:
        spec, parts = _specs(parser, roots, main)
    finally:  # its parsers hold each other and the trees, which would stay until the collector comes
        for process in parser.process_parsers.values():
            process.__dict__.clear()
        parser.__dict__.clear()
    _wire([spec, *parts.values()])
    elements: dict[str, Element] = {}
    processes: dict[str, Process] = {}
    for path, root in roots.items():
        for process in root.findall(f"{{{BPMN}}}process"):
            found = {element.id: element for element in _elements(process)}
            elements.update(found)
            processes[process.get("id", "")] = Process(
                id=process.get("id", ""),
                name=process.get("name", ""),
                name_en=process.get(f"{{{PS}}}name_en", process.get("name", "")),
                file=path,
                outline=tuple(_outline(process)),
                lanes=tuple((lane.get("id", ""), lane.get("name", "")) for lane in process.iter(f"{{{BPMN}}}lane")),
            )
    # The library keys lanes by the identity of a root that may be gone: check them against the diagram itself.
    for scope in [spec, *parts.values()]:
        for task in scope.task_specs.values():
            element = elements.get(getattr(task, "bpmn_id", None) or "")
            if element is not None and element.kind == "userTask" and element.role is None:
                raise UnreadableDiagram("task_without_lane", element=element.id, line=element.line)
    return Specification(
        main=main,
        spec=spec,
        parts=parts,
        elements=elements,
        processes=processes,
        files=files,
        decisions=decisions(files),
        variables=frozenset(name for root in roots.values() for name in _variables(root)),
    )


def _specs(parser: _Parser, roots: Mapping[str, etree._Element], main: str) -> tuple[Any, Any]:
    """Return what the library makes of diagrams: the process that a case starts with, and its parts.

    Raises:
        UnreadableDiagram: it cannot read them.
    """
    for path, root in roots.items():
        try:
            parser.add_bpmn_xml(root, path)
        except ValidationException as error:
            raise _unreadable(error, path) from None
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise UnreadableDiagram(f"library: {type(error).__name__}: {error}"[:300], file=path) from None
    try:
        return parser.get_spec(main), parser.get_subprocess_specs(main)
    except ValidationException as error:
        raise _unreadable(error, error.file_name or "") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableDiagram(f"library: {type(error).__name__}: {error}"[:300]) from None


def _variables(root: etree._Element) -> Iterator[str]:
    """Yield every name that a step of a diagram sets."""
    for tag, attribute in (("output", "variable"), ("set", "variable"), ("decision", "result")):
        for entry in root.iter(f"{{{PS}}}{tag}"):
            if name := entry.get(attribute):
                yield name


def decisions(files: Mapping[str, bytes]) -> dict[str, feel.Model]:
    """Compile the decision tables of a procedure, by the key of their file; they may import each other.

    Raises:
        UnreadableDiagram: one is refused; `reason` tells why, `file` which, `element` the decision.
    """
    found: dict[str, feel.Model] = {}
    for path, model in feel.decisions.read_all(tables(files)).items():
        if isinstance(model, feel.ModelRefused):
            raise UnreadableDiagram(f"decision: {model}"[:300], file=path, element=model.element, line=model.line)
        found[decision_key(path)] = model
    return found


def tables(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the decision tables among the files of a procedure."""
    return {path: content for path, content in sorted(files.items()) if path.startswith("decisions/") and path.endswith(".dmn")}


def decision_key(path: str) -> str:
    """Return the key by which a business rule task names a file: `decisions/scope.dmn` is `scope`."""
    return path[len("decisions/") : -len(".dmn")]


def _bounded(roots: Mapping[str, etree._Element]) -> None:
    """Refuse what the library would recurse through, look for without end, or predict without end.

    Raises:
        UnreadableDiagram: too many elements, parts too deep in one another, connected data objects, exponential growth.
    """
    total = 0
    for path, root in roots.items():
        count = sum(1 for _ in root.iter(*(f"{{{BPMN}}}{kind}" for kind in FLOW_NODES)))
        total += count
        frames = list(root.iter(f"{{{BPMN}}}process", f"{{{BPMN}}}lane"))
        for process in frames:  # in one another, each would be read as often as it is deep
            if process.tag == f"{{{BPMN}}}process" and process.getparent() is not root:
                raise UnreadableDiagram("nested", file=path, element=process.get("id"), line=process.sourceline)  # type: ignore[arg-type]
        count = max(count, len(frames))
        if count > bounds.MAX_ELEMENTS or total > bounds.MAX_ALL_ELEMENTS:
            raise UnreadableDiagram("too_many_elements" if count > bounds.MAX_ELEMENTS else "too_many_elements_in_all", file=path)
        for tag in ("dataInputAssociation", "dataOutputAssociation"):  # the library looks for some of them for ever
            for node in root.iter(f"{{{BPMN}}}{tag}"):
                raise UnreadableDiagram("data_unsupported", file=path, line=node.sourceline)  # type: ignore[arg-type]
        for scope in flows.scopes(root, FLOW_NODES):
            if sum(1 for _ in scope.drawn.iterancestors(f"{{{BPMN}}}subProcess")) >= bounds.MAX_NESTING:
                raise UnreadableDiagram("nested", file=path, element=scope.id, line=scope.drawn.sourceline)  # type: ignore[arg-type]
            if flows.growth(scope)[0] > 10 * bounds.MAX_TASKS:
                raise UnreadableDiagram("too_branchy", file=path, element=scope.id, line=scope.drawn.sourceline)  # type: ignore[arg-type]


def _unreadable(error: ValidationException, path: str) -> UnreadableDiagram:
    return UnreadableDiagram(f"library: {error}"[:300], file=path, element=error.id or None, line=getattr(error, "line_number", None) or None)


def _wire(specs: list[Any]) -> None:
    """Connect instances to the loop that counts them; the library does so only when it creates or restores a child."""
    for spec in specs:
        for task in spec.task_specs.values():
            if isinstance(task, LoopTask):
                child = spec.task_specs[task.task_spec]
                if not child.completed_event.is_connected(task.merge_child):
                    child.completed_event.connect(task.merge_child)


def lanes_of(process: etree._Element) -> dict[str, str]:
    """Return the role of each flow node: the id of the innermost lane that names it."""
    found: dict[str, tuple[int, str]] = {}
    for lane in process.iter(f"{{{BPMN}}}lane"):
        depth = sum(1 for _ in lane.iterancestors())
        for reference in lane.findall(f"{{{BPMN}}}flowNodeRef"):
            node = (reference.text or "").strip()
            if node not in found or found[node][0] < depth:
                found[node] = (depth, lane.get("id", ""))
    return {node: lane for node, (_, lane) in found.items()}


def _elements(process: etree._Element) -> Iterator[Element]:
    """Yield what we know of every flow node of a process, those in embedded parts included."""
    lanes, root = lanes_of(process), process.getroottree().getroot()
    messages = {message.get("id"): message for message in root.iter(f"{{{BPMN}}}message")}
    for node in process.iter(etree.Element):
        if not isinstance(node.tag, str) or not node.tag.startswith(f"{{{BPMN}}}") or local(node) not in FLOW_NODES:
            continue
        enclosing = [lanes[parent.get("id", "")] for parent in node.iterancestors() if parent.get("id", "") in lanes]
        definition = node.find(f"{{{BPMN}}}messageEventDefinition")
        message = messages.get(definition.get("messageRef")) if definition is not None else None
        ours = extensions(node, "message")
        role = node.get(f"{{{PS}}}role") or lanes.get(node.get("id", "")) or (enclosing[0] if enclosing else None)
        yield Element(
            id=node.get("id", ""),
            kind=local(node),
            name=" ".join((node.get("name") or "").split()),
            name_en=" ".join((node.get(f"{{{PS}}}name_en") or node.get("name") or "").split()),
            process=process.get("id", ""),
            line=node.sourceline or 0,  # type: ignore[arg-type]
            role=role.split(".")[0] if role else None,
            phase=node.get(f"{{{PS}}}phase"),
            documentation=_text(node, f"{{{BPMN}}}documentation"),
            documentation_en="\n".join(entry.text or "" for entry in extensions(node, "documentation_en")),
            plan=_plan(node),
            outputs=tuple((entry.get("variable", ""), entry.get("expression", "")) for entry in extensions(node, "output")),
            arms=tuple((entry.get("limit", ""), entry.get("from")) for entry in extensions(node, "arm")),
            meets=tuple(entry.get("limit", "") for entry in extensions(node, "meet")),
            state=node.get(f"{{{PS}}}state"),
            message=message.get("name") if message is not None else None,
            message_role=ours[0].get("role") if ours else None,
            message_form=ours[0].get("form") if ours else None,
            called=node.get("calledElement"),
            decision=_decision(node),
        )


def _text(node: etree._Element, tag: str) -> str:
    return "\n".join((child.text or "").strip() for child in node.findall(tag))


def _plan(node: etree._Element) -> Plan | None:
    found = extensions(node, "task")
    if not found:
        return None
    task = found[0]
    return Plan(
        form=task.get("form", ""),
        organisation=task.get("organisation"),
        person=task.get("person"),
        exclude=task.get("exclude"),
        item=task.get("item"),
        role=task.get("role"),
        due=task.get("due"),
        limit=task.get("limit"),
        clock_start=task.get("from"),
        is_fresh=task.get("fresh") == "true",
        shows=task.get("shows"),
    )


def _decision(node: etree._Element) -> Decision | None:
    """Return what a business rule task asks, None where it does not say so fully."""
    found = extensions(node, "decision")
    if len(found) != 1 or not all(found[0].get(name) for name in ("decision", "name", "result")):
        return None
    decision = found[0]
    inputs = tuple((entry.get("name", ""), entry.get("expression", "")) for entry in decision.findall(f"{{{PS}}}input"))
    return Decision(decision.get("decision", ""), decision.get("name", ""), decision.get("result", ""), inputs)


def _outline(process: etree._Element) -> list[str]:
    """Return the ids of a process in the order a reader meets them: each branch whole, a join after its branches.

    Flows that lead back are left aside; the nodes of an embedded part follow the part.
    """
    ahead: dict[str, list[str]] = {}
    for node in process.iter(f"{{{BPMN}}}sequenceFlow", f"{{{BPMN}}}boundaryEvent"):
        source, target = ("attachedToRef", "id") if local(node) == "boundaryEvent" else ("sourceRef", "targetRef")
        ahead.setdefault(node.get(source, ""), []).append(node.get(target, ""))
    order: list[str] = []

    def reach(scope: etree._Element) -> None:
        nodes = {child.get("id", ""): child for child in scope if isinstance(child.tag, str) and local(child) in FLOW_NODES}
        starts = [node for node, child in nodes.items() if local(child) == "startEvent"]
        forward, inward = _forward(starts, ahead, nodes), dict.fromkeys(nodes, 0)
        for targets in forward.values():
            for target in targets:
                inward[target] += 1
        stack = starts[::-1]
        while stack:
            node = stack.pop()
            order.append(node)
            if local(nodes[node]) in ("subProcess", "transaction"):
                reach(nodes[node])
            for target in reversed(forward.get(node, [])):
                inward[target] -= 1
                if inward[target] == 0:
                    stack.append(target)

    reach(process)
    return order


def _forward(starts: list[str], ahead: Mapping[str, list[str]], nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the flows of a scope without those that lead back to a node on the way."""
    forward: dict[str, list[str]] = {}
    on_the_way: set[str] = set()
    todo: list[tuple[str, bool]] = [(start, False) for start in starts]
    while todo:
        node, left = todo.pop()
        if left:
            on_the_way.discard(node)
            continue
        if node in forward:
            continue
        on_the_way.add(node)
        forward[node] = [target for target in ahead.get(node, []) if target in nodes and target not in on_the_way]
        todo.append((node, True))
        todo.extend((target, False) for target in forward[node])
    return forward
