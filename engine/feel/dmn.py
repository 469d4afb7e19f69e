"""DMN XML → a plain tree of what the evaluator needs (DMN 1.1 to 1.5)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, dataclass_transform

from lxml import etree

from engine.feel import xml_texts
from engine.feel.errors import ModelRefused
from engine.feel.parser import clean_name

MAX_XML = 1_000_000
"""Bytes of one model."""
MAX_TAGS, MAX_ATTRIBUTES = 90_000, 120_000
"""Opening and closing tags, and attributes, of one model: a table of 4,000 rules and four columns has 72,000 tags."""
MAX_NAME = 150
"""Characters of a name."""
MAX_ELEMENTS = 2_000
"""Inputs, decisions, knowledge models, services and types of one model."""

NAMESPACES = frozenset(
    {
        "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
        "http://www.omg.org/spec/DMN/20180521/MODEL/",
        "https://www.omg.org/spec/DMN/20191111/MODEL/",
        "https://www.omg.org/spec/DMN/20211108/MODEL/",
        "https://www.omg.org/spec/DMN/20230324/MODEL/",
    }
)
HIT_POLICIES = frozenset({"UNIQUE", "ANY", "FIRST", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT"})
AGGREGATIONS = frozenset({"SUM", "MIN", "MAX", "COUNT"})

T = TypeVar("T")


@dataclass_transform(field_specifiers=(field,))
def _part(cls: type[T]) -> type[T]:
    """Make a class of parts of a model; without comparison and the like, which would double the time of the import."""
    return dataclass(slots=True, eq=False, repr=False, match_args=False)(cls)


@_part
class Text:
    """A literal expression."""

    text: str
    type: str | None


@_part
class Entry:
    """An entry of a boxed context; without a name it is the result."""

    name: str | None
    type: str | None
    value: "Box | None"


@_part
class ContextBox:
    """A boxed context."""

    entries: list[Entry]
    type: str | None


@_part
class InvocationBox:
    """A boxed invocation with its arguments by name."""

    function: "Box | None"
    arguments: list[tuple[str, "Box | None"]]
    type: str | None


@_part
class ListBox:
    """A boxed list."""

    items: list["Box"]
    type: str | None


@_part
class RelationBox:
    """A boxed relation: columns with their types, and rows."""

    columns: list[tuple[str, str | None]]
    rows: list[list["Box"]]
    type: str | None


@_part
class FunctionBox:
    """A boxed function: parameters with their types, the body, and the type of the result."""

    parameters: list[tuple[str, str | None]]
    body: "Box | None"
    type: str | None


@_part
class ConditionalBox:
    """A boxed conditional."""

    condition: "Box | None"
    yes: "Box | None"
    no: "Box | None"
    type: str | None


@_part
class FilterBox:
    """A boxed filter."""

    source: "Box | None"
    match: "Box | None"
    type: str | None


@_part
class LoopBox:
    """A boxed `for`, `some` or `every`."""

    keyword: str
    variable: str
    source: "Box | None"
    body: "Box | None"
    type: str | None


@_part
class InputColumn:
    """An input of a decision table: its expression and the values allowed, as unary tests; `label` is for people."""

    expression: Text
    values: str | None
    label: str = ""
    id: str = ""


@_part
class OutputColumn:
    """An output of a decision table: the values in order of priority, and the default."""

    name: str
    type: str | None
    values: str | None
    default: str | None
    label: str = ""
    id: str = ""


@_part
class TableBox:
    """A decision table; `rule_ids` and `id` are those of the XML, empty where it has none."""

    hit_policy: str
    aggregation: str | None
    inputs: list[InputColumn]
    outputs: list[OutputColumn]
    rules: list[tuple[list[str], list[str]]]
    type: str | None
    rule_ids: list[str] = field(default_factory=list)
    id: str = ""


Box: TypeAlias = Text | ContextBox | InvocationBox | ListBox | RelationBox | FunctionBox | ConditionalBox | FilterBox | LoopBox | TableBox
"""A boxed expression (DMN 1.5, 10.2)."""


@_part
class ItemDefinition:
    """A type of the model.

    Attributes:
        base: The name of the type it refines, or None.
        is_list: Whether its values are lists of that.
        allowed: Unary tests that every value (or item of the list) passes.
        constraint: Unary tests that the value as a whole passes.
        members: The types of the entries, by name, when it is a context.
    """

    name: str
    base: str | None
    is_list: bool
    is_function: bool
    allowed: str | None
    constraint: str | None
    members: list["ItemDefinition"]


@_part
class Element:
    """An input, decision, knowledge model or service.

    Attributes:
        kind: "input", "decision", "knowledge" or "service".
        type: The declared type of its variable.
        requires: References (`#id` or `namespace#id`) to what it needs.
        logic: What it computes; of a knowledge model, a function.
        outputs, inputs: References of a service.
    """

    kind: str
    id: str
    name: str
    type: str | None
    requires: list[str] = field(default_factory=list)
    logic: Box | None = None
    outputs: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    line: int | None = None


@_part
class Definitions:
    """A whole model; `imports` are pairs of name and namespace."""

    name: str
    namespace: str
    items: list[ItemDefinition]
    elements: list[Element]
    imports: list[tuple[str, str]]


def _xml_parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)


def read_xml(xml: bytes) -> Definitions:
    """Read a model.

    Raises:
        ModelRefused: The XML is broken, too large, has a document type, is not DMN, lacks a name, or uses what is
            refused here: functions of kind Java or PMML, other languages, and unknown hit policies.
    """
    root = parse_xml(xml)
    try:
        return _Reader(str(etree.QName(root).namespace)).definitions(root)
    except RecursionError:
        raise ModelRefused("boxed expressions are nested too deeply") from None


def parse_xml(xml: bytes) -> etree._Element:
    """Return the root of a model's XML, read without entities, without the network, without a document type.

    Raises:
        ModelRefused: See `read_xml`.
    """
    if len(xml) > MAX_XML:
        raise ModelRefused(f"the model is larger than {MAX_XML} bytes")
    if not xml_texts.is_countable(xml):
        raise ModelRefused("the encoding is not one of those that are read here; save it as UTF-8")
    if xml.count(b"<") > MAX_TAGS or xml.count(b"=") > MAX_ATTRIBUTES:
        raise ModelRefused(f"the model has more than {MAX_TAGS} tags or {MAX_ATTRIBUTES} attributes")
    try:
        root = etree.fromstring(xml, _xml_parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        refused = ModelRefused(f"the XML is broken: {getattr(error, 'msg', 'the encoding')}")
        refused.line = getattr(error, "lineno", None)
        raise refused from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ModelRefused("a document type is not allowed")
    tag = etree.QName(root)
    if tag.localname != "definitions" or tag.namespace not in NAMESPACES:
        raise ModelRefused("the root is not the definitions of a decision model")
    return root


class _Reader:
    """Reads the elements of one document."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.element = ""
        self.node: etree._Element | None = None

    # XML

    def children(self, node: etree._Element, *names: str) -> Iterator[etree._Element]:
        """Yield the children of these names; those of other namespaces are extensions."""
        for child in node:
            if isinstance(child.tag, str):
                tag = etree.QName(child)
                if tag.namespace == self.namespace and (not names or tag.localname in names):
                    yield child

    def child(self, node: etree._Element | None, *names: str) -> etree._Element | None:
        """Return the first child of these names."""
        return None if node is None else next(self.children(node, *names), None)

    def text(self, node: etree._Element | None, name: str = "text") -> str | None:
        """Return the text of a child."""
        found = self.child(node, name)
        return None if found is None else found.text

    def name(self, node: etree._Element | None, what: str) -> str:
        """Return the name of a node, which must have one."""
        name = clean_name((None if node is None else node.get("name")) or "")
        if not name:
            raise self.refused(f"{what} without a name")
        if len(name) > MAX_NAME:
            raise self.refused(f"{what} with a name longer than {MAX_NAME} characters")
        return name

    def type(self, node: etree._Element | None) -> str | None:
        """Return the name of the type of a node."""
        return None if node is None else node.get("typeRef") or self.text(node, "typeRef")

    def refused(self, message: str, node: etree._Element | None = None) -> ModelRefused:
        """Return the error of a node, or else of the element being read."""
        error = ModelRefused(message, decision=self.element or None)
        place = self.node if node is None else node
        while place is not None and not place.get("id"):
            place = place.getparent()
        if place is not None:
            error.element, error.line = place.get("id"), line_of(place)
        return error

    def check_language(self, node: etree._Element | None) -> None:
        """Refuse an expression, a cell or a whole model in another language than FEEL."""
        language = None if node is None else node.get("expressionLanguage")
        if language and not is_feel(language):
            raise self.refused(f"the expression language {language[:100]!r} is refused", node)

    # The document

    def definitions(self, root: etree._Element) -> Definitions:
        """Read the whole document."""
        self.check_language(root)
        elements: list[Element] = []
        for node in self.children(root, *_KINDS):
            elements.append(self.model_element(node))
        self.element, self.node = "", None
        items = [self.item(node) for node in self.children(root, "itemDefinition")]
        if len(elements) + len(items) > MAX_ELEMENTS:
            raise ModelRefused(f"more than {MAX_ELEMENTS} elements and types")
        for what, values in (
            ("id", [element.id for element in elements]),
            ("name", [element.name for element in elements]),
            ("type", [item.name for item in items]),
        ):
            [(value, times)] = Counter(values).most_common(1) or [("", 0)]
            if times > 1:
                raise ModelRefused(f"the {what} {value!r} is given twice")
        return Definitions(
            name=root.get("name") or "",
            namespace=root.get("namespace") or "",
            items=items,
            elements=elements,
            imports=[(clean_name(node.get("name") or ""), node.get("namespace") or "") for node in self.children(root, "import")],
        )

    def model_element(self, node: etree._Element) -> Element:
        """Read an input, decision, knowledge model or service."""
        kind = _KINDS[etree.QName(node).localname]
        self.element, self.node = "", node
        self.element = name = self.name(node, "an input" if kind == "input" else f"a {kind}")
        element = Element(kind, node.get("id") or f"name:{name}", name, self.type(self.child(node, "variable")))
        element.line = line_of(node)
        element.requires = [
            reference.get("href") or ""
            for requirement in self.children(node, "informationRequirement", "knowledgeRequirement")
            for reference in self.children(requirement)
        ]
        if kind == "decision":
            element.logic = self.box_in(node)
        elif kind == "knowledge":
            logic = self.child(node, "encapsulatedLogic")
            element.logic = None if logic is None else self.function(logic)
        elif kind == "service":
            element.outputs = self.references(node, "outputDecision")
            element.inputs = self.references(node, "inputData") + self.references(node, "inputDecision")
        return element

    def references(self, node: etree._Element, name: str) -> list[str]:
        """Return the references of a service."""
        return [child.get("href") or "" for child in self.children(node, name)]

    def item(self, node: etree._Element) -> ItemDefinition:
        """Read a type or a member of one."""
        return ItemDefinition(
            name=self.name(node, "a type"),
            base=self.type(node),
            is_list=node.get("isCollection") == "true",
            is_function=self.child(node, "functionItem") is not None,
            allowed=self.cell(self.child(node, "allowedValues")),
            constraint=self.cell(self.child(node, "typeConstraint")),
            members=[self.item(child) for child in self.children(node, "itemComponent")],
        )

    # Boxed expressions

    def box_in(self, node: etree._Element | None) -> Box | None:
        """Read the boxed expression inside a node."""
        found = self.child(node, *_BOXES)
        return None if found is None else self.box(found)

    def box(self, node: etree._Element) -> Box:
        """Read a boxed expression."""
        return _BOXES[etree.QName(node).localname](self, node)

    def literal(self, node: etree._Element) -> Text:
        """Read a literal expression."""
        self.check_language(node)
        return Text(self.text(node) or "", node.get("typeRef"))

    def context(self, node: etree._Element) -> ContextBox:
        """Read a boxed context."""
        entries = []
        for child in self.children(node, "contextEntry"):
            variable = self.child(child, "variable")
            name = None if variable is None else self.name(variable, "an entry")
            entries.append(Entry(name, self.type(variable), self.box_in(child)))
        return ContextBox(entries, node.get("typeRef"))

    def invocation(self, node: etree._Element) -> InvocationBox:
        """Read a boxed invocation."""
        arguments = [(self.name(self.child(binding, "parameter"), "an argument"), self.box_in(binding)) for binding in self.children(node, "binding")]
        return InvocationBox(self.box_in(node), arguments, node.get("typeRef"))

    def list_of(self, node: etree._Element) -> ListBox:
        """Read a boxed list."""
        return ListBox([self.box(child) for child in self.children(node, *_BOXES)], node.get("typeRef"))

    def relation(self, node: etree._Element) -> RelationBox:
        """Read a relation."""
        columns = [(self.name(child, "a column"), self.type(child)) for child in self.children(node, "column")]
        rows = [[self.box(cell) for cell in self.children(row, *_BOXES)] for row in self.children(node, "row")]
        if any(len(row) != len(columns) for row in rows):
            raise self.refused("a row of a relation has more or fewer cells than columns")
        return RelationBox(columns, rows, node.get("typeRef"))

    def function(self, node: etree._Element) -> FunctionBox:
        """Read a function definition; only FEEL is accepted."""
        kind = node.get("kind") or "FEEL"
        if kind != "FEEL":
            raise self.refused(f"a function of kind {kind[:20]} is refused", node)
        parameters = [(self.name(child, "a parameter"), self.type(child)) for child in self.children(node, "formalParameter")]
        return FunctionBox(parameters, self.box_in(node), node.get("typeRef"))

    def conditional(self, node: etree._Element) -> ConditionalBox:
        """Read a boxed conditional."""
        condition, yes, no = (self.box_in(self.child(node, part)) for part in ("if", "then", "else"))
        return ConditionalBox(condition, yes, no, node.get("typeRef"))

    def filter(self, node: etree._Element) -> FilterBox:
        """Read a boxed filter."""
        return FilterBox(self.box_in(self.child(node, "in")), self.box_in(self.child(node, "match")), node.get("typeRef"))

    def loop(self, node: etree._Element) -> LoopBox:
        """Read a boxed iterator."""
        variable = clean_name(node.get("iteratorVariable") or "")
        if not variable:
            raise self.refused("an iterator without a variable")
        return LoopBox(
            etree.QName(node).localname,
            variable,
            self.box_in(self.child(node, "in")),
            self.box_in(self.child(node, "return", "satisfies")),
            node.get("typeRef"),
        )

    def table(self, node: etree._Element) -> TableBox:
        """Read a decision table."""
        hit_policy, aggregation = node.get("hitPolicy") or "UNIQUE", node.get("aggregation")
        if hit_policy not in HIT_POLICIES:
            raise self.refused(f"the hit policy {hit_policy[:100]!r} is refused", node)
        if aggregation and (aggregation not in AGGREGATIONS or hit_policy != "COLLECT"):
            raise self.refused(f"the aggregation {aggregation[:100]!r} under {hit_policy} is refused", node)
        inputs = []
        for child in self.children(node, "input"):
            expression = self.child(child, "inputExpression")
            if expression is None:
                raise self.refused("an input of a decision table without an expression", child)
            values = self.cell(self.child(child, "inputValues"))
            inputs.append(InputColumn(self.literal(expression), values, child.get("label") or "", child.get("id") or ""))
        outputs = [
            OutputColumn(
                clean_name(child.get("name") or ""),
                self.type(child),
                self.cell(self.child(child, "outputValues")),
                self.cell(self.child(child, "defaultOutputEntry")),
                child.get("label") or "",
                child.get("id") or "",
            )
            for child in self.children(node, "output")
        ]
        self.check_outputs(outputs)
        rules, rule_ids = [], []
        for number, rule in enumerate(self.children(node, "rule"), 1):
            tests = [(self.cell(cell) or "").strip() for cell in self.children(rule, "inputEntry")]
            results = [self.cell(cell) or "" for cell in self.children(rule, "outputEntry")]
            if len(tests) != len(inputs) or len(results) != len(outputs):
                raise self.refused(f"rule {number} has more or fewer cells than the table has columns", rule)
            rules.append((tests, results))
            rule_ids.append(rule.get("id") or "")
        return TableBox(hit_policy, aggregation, inputs, outputs, rules, node.get("typeRef"), rule_ids, node.get("id") or "")

    def cell(self, node: etree._Element | None) -> str | None:
        """Return the text of a cell or a list of values."""
        self.check_language(node)
        return self.text(node)

    def check_outputs(self, outputs: list[OutputColumn]) -> None:
        """Refuse a table whose results could not be told apart."""
        names = [output.name for output in outputs]
        if not outputs:
            raise self.refused("a decision table without an output")
        if len(outputs) > 1 and (not all(names) or len(set(names)) < len(names)):
            raise self.refused("several outputs of a decision table need names of their own")


def line_of(node: etree._Element) -> int | None:
    """Return the line on which a node begins."""
    return node.sourceline if isinstance(node.sourceline, int) else None


def is_feel(language: str) -> bool:
    """Tell whether the name of an expression language means FEEL: the word, or its address in a version of the standard."""
    plain = language.strip().lower().rstrip("/")
    return plain in ("feel", "s-feel") or (plain.startswith(("http://www.omg.org/spec/", "https://www.omg.org/spec/")) and "feel" in plain)


_KINDS = {
    "inputData": "input",
    "decision": "decision",
    "businessKnowledgeModel": "knowledge",
    "decisionService": "service",
}
_BOXES: dict[str, Callable[[_Reader, etree._Element], Box]] = {
    "literalExpression": _Reader.literal,
    "context": _Reader.context,
    "invocation": _Reader.invocation,
    "list": _Reader.list_of,
    "relation": _Reader.relation,
    "functionDefinition": _Reader.function,
    "conditional": _Reader.conditional,
    "filter": _Reader.filter,
    "for": _Reader.loop,
    "some": _Reader.loop,
    "every": _Reader.loop,
    "decisionTable": _Reader.table,
}
