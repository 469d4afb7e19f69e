"""Decision models: read, compiled once, evaluated (DMN 1.5, chapters 6 to 8 and 10).

A decision is evaluated with what it requires, each element once in a call. Under a strict evaluation every error is the
error of the call. Otherwise an error makes null of the boxed expression or decision in which it happened, as the
standard has it, and its reason is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from engine.feel import dmn, kinds, operators, parser
from engine.feel.builtins import BUILTINS, all_true, any_true
from engine.feel.environment import Environment, Hits, Place, Root, Run, Scope, attach
from engine.feel.errors import (
    FAILED,
    NOT_BOOLEAN,
    WRONG_TYPE,
    DecisionFailed,
    FeelError,
    LimitExceeded,
    ModelRefused,
    Reason,
)
from engine.feel.evaluator import Code, Compiler, Frame, Iteration, call_function, define, nth
from engine.feel.kinds import MISFIT, BuiltinType, Type
from engine.feel.values import Function, Value, Wire, decode, kind, to_wire

_TYPE_ALIASES = {
    "dateTime": "date and time",
    "dayTimeDuration": "days and time duration",
    "yearMonthDuration": "years and months duration",
    **dict.fromkeys(("decimal", "double", "float", "int", "integer", "long"), "number"),
}
"""Names of XML Schema that models use for types of FEEL."""
MAX_IMPORTS = 20
"""Models that import each other in a row."""
_SERVICE_STEPS = 30
"""What a call of a decision service costs besides what it decides."""
MAX_NODES, MAX_CHARACTERS = 50_000, 300_000
"""Nodes of all expressions of one model, and the characters that they are read from."""
MAX_ALL_XML = 1_500_000
"""Bytes of all models that are read together."""


def read(xml: bytes, imports: Iterable["Model"] = ()) -> "Model":
    """Read a decision model and compile all its expressions.

    Args:
        imports: The models that it imports, found by their namespaces.

    Raises:
        ModelRefused: The XML is broken or is not DMN; an import is missing; or a function is of kind Java or PMML. The
            error names the decision. Expressions that are not FEEL do not stop the reading: they are `Model.problems`,
            and errors of the decisions that use them.
    """
    return Model(dmn.read_xml(xml), {model.namespace: model for model in imports})


def read_all(files: Mapping[str, bytes]) -> dict[str, "Model | ModelRefused"]:
    """Read decision models that may import each other by their namespaces.

    Args:
        files: The models by any name.

    Returns:
        By the same names, each model, or the error by which it is refused; a model is refused with one that it imports.
    """
    return dict(_read_all(tuple(files.items())))


@lru_cache(maxsize=3)
def _read_all(files: tuple[tuple[str, bytes], ...]) -> Mapping[str, "Model | ModelRefused"]:
    """Read models once: the checks, the tables' own and the engine ask for the same, and models never change."""
    found: dict[str, Model | ModelRefused] = {}
    read_in: dict[str, dmn.Definitions] = {}
    size = 0
    for name, xml in files:
        size += len(xml)
        try:
            if size > MAX_ALL_XML:
                raise ModelRefused(f"the models together are larger than {MAX_ALL_XML} bytes")
            read_in[name] = dmn.read_xml(xml)
        except ModelRefused as error:
            found[name] = error
    places: dict[str, list[str]] = {}
    for name, definitions in read_in.items():
        places.setdefault(definitions.namespace, []).append(name)

    def model(name: str, passed: tuple[str, ...]) -> Model:
        known = found.get(name)
        if known is None:
            try:
                known = Model(read_in[name], dict(imported(name, (*passed, name))))
            except ModelRefused as error:
                known = error
            found[name] = known
        if isinstance(known, ModelRefused):
            raise known
        return known

    def imported(name: str, passed: tuple[str, ...]) -> Iterator[tuple[str, Model]]:
        for alias, namespace in read_in[name].imports:
            named = places.get(namespace, [])
            if len(named) > 1:
                raise ModelRefused(f"the imported model {alias[:100]!r} is there {len(named)} times")
            if named and named[0] in passed:
                raise ModelRefused("models import each other in a circle")
            if len(passed) > MAX_IMPORTS:
                raise ModelRefused(f"models import each other more than {MAX_IMPORTS} deep")
            if named:
                yield namespace, model(named[0], passed)

    for name in read_in:
        with suppress(ModelRefused):
            model(name, ())
    return {name: found[name] for name, _xml in files}


class ItemType:
    """A type that a model defines (DMN 1.5, 7.3.3)."""

    def __init__(self, definition: dmn.ItemDefinition, model: "Model", *, check_values: bool = True) -> None:
        self.definition = definition
        self.name = definition.name
        self.model = model
        self.check_values = check_values
        self.element: ItemType | None = None
        self.members: list[tuple[str, ItemType]] = []
        if definition.is_list:
            one = dmn.ItemDefinition(
                definition.name,
                definition.base,
                False,
                definition.is_function,
                definition.allowed,
                None,
                definition.members,
            )
            self.element = ItemType(one, model, check_values=check_values)
        else:
            self.members = [(member.name, ItemType(member, model, check_values=check_values)) for member in definition.members]
        wanted = (definition.constraint, None if definition.is_list else definition.allowed) if check_values else ()
        self.tests = [model.unary(text, f"the type {self.name}") for text in wanted if text]

    @property
    def base(self) -> Type | None:
        """The type it refines."""
        return self.model.type(self.definition.base, check_values=self.check_values)

    @property
    def is_list(self) -> bool:
        """Whether its values are lists."""
        base = self.base
        return self.definition.is_list or (base is not None and base.is_list)

    @property
    def is_date_time(self) -> bool:
        """Whether its values are dates and times."""
        base = self.base
        return not self.definition.is_list and base is not None and base.is_date_time

    def accepts(self, value: Value, run: Run) -> bool:
        """Tell whether `value`, which is not null, is of this type; parts of it may be null."""
        if value is None:
            return False
        run.spend(1)
        return self._has_shape(value, run) and all(test(Scope({"?": value}, None, Root(), run)) is True for test in self.tests)

    def _has_shape(self, value: Value, run: Run) -> bool:
        if self.element is not None:
            element = self.element
            return type(value) is list and all(item is None or element.accepts(item, run) for item in value)
        if self.definition.is_function:
            return type(value) is Function
        if self.members:
            return type(value) is dict and all(
                name in value and (value[name] is None or member.accepts(value[name], run)) for name, member in self.members
            )
        base = self.base
        return base is None or base.accepts(value, run)

    def covers(self, other: Type) -> bool:
        """Tell whether every value of `other` is of this type."""
        return isinstance(other, ItemType) and other.definition is self.definition


class Element:
    """An element of a model with its compiled logic.

    Attributes:
        requires: What it needs, each with the name of the import it comes from (None for its own model).
        code: What computes a decision, or makes the function of a knowledge model; None without logic.
        size: The number of nodes of the code.
    """

    __slots__ = ("code", "definition", "inputs", "model", "outputs", "requires", "size", "unknown_functions", "unknown_names")

    def __init__(self, definition: dmn.Element, model: "Model") -> None:
        self.definition = definition
        self.model = model
        self.requires: list[tuple[str | None, Element]] = []
        self.outputs: list[Element] = []
        self.inputs: list[Element] = []
        self.code: Code | None = None
        self.size = 0
        self.unknown_names: frozenset[str] = frozenset()
        self.unknown_functions: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of its variable."""
        return self.definition.name

    @property
    def type(self) -> Type | None:
        """The declared type of its variable."""
        return self.model.type(self.definition.type)


class Model:
    """A compiled decision model; immutable, for any number of threads.

    Attributes:
        name, namespace: As the model tells.
        decisions, services, knowledge: The names that `decide` takes, in the order of the model.
        inputs: The inputs with the names of their types, if any.
        size: The number of nodes of all expressions.
        problems: The expressions that are not FEEL, types and requirements that are not there; empty for a sound model.
    """

    def __init__(self, definitions: dmn.Definitions, imports: Mapping[str, "Model"]) -> None:
        """Compile a model.

        Raises:
            ModelRefused: An import is missing, decisions require each other in a circle, or something is nested too deeply.
        """
        try:
            self._build(definitions, imports)
        except RecursionError:
            raise ModelRefused("boxed expressions or types are nested too deeply") from None

    def _build(self, definitions: dmn.Definitions, imports: Mapping[str, "Model"]) -> None:
        self.name = definitions.name
        self.namespace = definitions.namespace
        self.imports: dict[str, Model] = {}
        for name, namespace in definitions.imports:
            if namespace not in imports:
                raise ModelRefused(f"the imported model {name!r} is missing")
            self.imports[name] = imports[namespace]
        self._problems: list[FeelError] = []
        self._unknown_types: set[str] = set()
        self.size = self.characters = 0
        self._definitions = {item.name: item for item in definitions.items}
        self._types: dict[tuple[str, bool], Type | None] = {}
        self.member_names = self._collect_names(definitions)
        self._by_id = {element.id: Element(element, self) for element in definitions.elements}
        self._by_name = {element.name: element for element in self._by_id.values()}
        self.decisions = self._names("decision")
        self.services = self._names("service")
        self.knowledge = self._names("knowledge")
        self.inputs: Mapping[str, str | None] = MappingProxyType({name: self._by_name[name].definition.type for name in self._names("input")})
        for item in definitions.items:
            self._check_type(item)
            self.type(item.name)
        for element in self._by_id.values():
            self._connect(element)
        self._check_circles()
        for element in self._by_id.values():
            self._compile(element)
        self.problems: tuple[FeelError, ...] = tuple(self._problems)

    @property
    def unknown_names(self) -> Mapping[str, frozenset[str]]:
        """By decision: names it reads but does not require and that are not built in, hence given or from the environment."""
        return {name: each.unknown_names for name, each in self._by_name.items() if each.unknown_names}

    @property
    def elements(self) -> list[dmn.Element]:
        """Its elements as they were read, in the order of the model."""
        return [element.definition for element in self._by_id.values()]

    @property
    def all_names(self) -> frozenset[str]:
        """The names of its elements, inputs included, and of the models it imports: what a text may name."""
        return frozenset(self._by_name).union(self.imports)

    @property
    def unknown_functions(self) -> Mapping[str, frozenset[str]]:
        """By decision: functions it calls that are neither built in nor knowledge models it requires."""
        return {name: each.unknown_functions for name, each in self._by_name.items() if each.unknown_functions}

    def named(self, name: str) -> str | None:
        """Return the name of a decision, knowledge model or service given by its name or its id; None when there is none."""
        found = self._by_name.get(name) or self._by_id.get(name)
        return None if found is None or found.definition.kind == "input" else found.name

    def needs(self, name: str) -> tuple[dict[str, str | None], frozenset[str], frozenset[str]]:
        """Return what a decision needs from outside, with all that it requires.

        Returns:
            The inputs it requires with the names of their types, those of an imported model as `import.input`; the names
            that it reads without requiring them; and the functions that it calls and nobody provides.
        """
        inputs: dict[str, str | None] = {}
        free: set[str] = set()
        functions: set[str] = set()
        todo: list[tuple[str, Element]] = [("", self._by_name[name])]
        seen: set[Element] = set()
        while todo:
            prefix, element = todo.pop()
            if element in seen:
                continue
            seen.add(element)
            if element.definition.kind == "input":
                inputs[prefix + element.name] = element.definition.type
                continue
            free |= element.unknown_names
            functions |= element.unknown_functions
            within = [(prefix if alias is None else f"{prefix}{alias}.", target) for alias, target in element.requires]
            if element.definition.kind == "service":
                within = [(prefix, each) for each in (*element.inputs, *element.outputs)]
            todo += reversed(within)
        return inputs, frozenset(free), frozenset(functions)

    def decide(
        self,
        name: str,
        names: Mapping[str, Wire],
        environment: Environment,
        *,
        strict: bool = True,
        reasons: list[Reason] | None = None,
        hits: list[Hits] | None = None,
    ) -> Wire:
        """Return the result of a decision, knowledge model or service, in wire form.

        Args:
            name: What to decide.
            names: The inputs in wire form, by name; one that is not there is a variable that is not there. Those of an
                imported model stand in a context under the name of the import, or by their own name. For a knowledge
                model or service: its parameters. Names that are no inputs of the model can be read, too.
            strict: Raise every error. Otherwise errors give null where they happen, as the standard has it.
            reasons: A list to which the reasons of nulls are added, at most 50.
            hits: A list to which each table that was asked adds which of its rules matched, at most 200 tables.

        Raises:
            FeelError: When strict, with the decision in which it happened: DecisionFailed for a decision that is not
                there, hits that its policy forbids, and inputs that are not allowed; and the errors of `evaluate`.
            LimitExceeded: Always, when the call takes too long.
        """
        session = _Session(self, names, Run(environment, strict, reasons))
        session.run.hits = hits
        element = self._by_name.get(name)
        try:
            if element is None or element.definition.kind == "input":
                raise DecisionFailed("there is no such decision", decision=name)
            return to_wire(session.result(element))
        except RecursionError:
            raise LimitExceeded("nested too deeply", decision=name) from None
        except LimitExceeded as error:
            error.decision = error.decision or name
            raise
        except FeelError as error:
            error.decision = error.decision or name
            if strict:
                raise
            where = Place(error.expression or "", error.start or 0, error.end or 0, error.decision)
            session.run.note(FAILED, where, "{}", error.message)
            return None
        finally:
            session.run.settle()

    # Types

    def type(self, name: str | None, *, check_values: bool = True) -> Type | None:
        """Return a type by its name; None when it is Any or unknown."""
        if not name:
            return None
        key = (name, check_values)
        if key not in self._types:
            self._types[key] = self._find_type(name, check_values)
        return self._types[key]

    def _find_type(self, name: str, check_values: bool) -> Type | None:
        plain = _plain_type(name)
        if plain in self._definitions:
            return ItemType(self._definitions[plain], self, check_values=check_values)
        if plain in kinds.NAMES:
            return None if plain == "Any" else BuiltinType(plain)
        alias, _, rest = plain.partition(".")
        return self.imports[alias].type(rest, check_values=check_values) if rest and alias in self.imports else None

    def declared_type(self, name: str | None) -> Type | None:
        """Return the type that a variable declares; an unknown one is a problem of the model."""
        found = self.type(name)
        if name and found is None and _plain_type(name) != "Any" and name not in self._unknown_types:
            self._unknown_types.add(name)
            self._problems.append(ModelRefused(f"there is no type {name!r}"))
        return found

    def _check_type(self, item: dmn.ItemDefinition) -> None:
        """Compile a type and find those it rests on.

        Raises:
            ModelRefused: It rests on itself.
        """
        passed: set[str] = set()
        base = self._definitions.get(item.base or "")
        while base is not None:
            if base.name in passed:
                raise ModelRefused(f"the type {item.name!r} refines itself")
            passed.add(base.name)
            base = self._definitions.get(base.base or "")
        self.declared_type(item.base)
        for member in item.members:
            self._check_type(member)

    # Compiling

    def _names(self, kind_of: str) -> tuple[str, ...]:
        return tuple(each.name for each in self._by_id.values() if each.definition.kind == kind_of)

    def _collect_names(self, definitions: dmn.Definitions) -> frozenset[str]:
        """Return every name that an entry of a context may have in this model and those it imports."""
        names = {element.name for element in definitions.elements}
        for item in definitions.items:
            names |= _member_names(item)
        for element in definitions.elements:
            names |= _entry_names(element.logic)
        return frozenset(names).union(*(model.member_names for model in self.imports.values()))

    def find(self, reference: str) -> Element | None:
        """Return the element of a reference, `#id` or `namespace#id`."""
        namespace, _, name = reference.rpartition("#")
        if not namespace or namespace == self.namespace:
            return self._by_id.get(name)
        for model in self.imports.values():
            if model.namespace == namespace:
                return model.find(f"#{name}")
        return None

    def _connect(self, element: Element) -> None:
        """Resolve the references of an element."""
        definition = element.definition
        self.declared_type(definition.type)
        for references, found in ((definition.outputs, element.outputs), (definition.inputs, element.inputs)):
            for reference in references:
                target = self.find(reference)
                if target is not None:
                    found.append(target)
        for reference in definition.requires:
            target = self.find(reference)
            if target is None:
                self._problems.append(ModelRefused("a requirement that is not there", decision=element.name))
                continue
            alias = next((name for name, model in self.imports.items() if model is target.model), None)
            element.requires.append((alias if target.model is not self else None, target))

    def _check_circles(self) -> None:
        """Refuse decisions that need each other; knowledge models may call themselves."""
        done: set[Element] = set()
        for first in self._by_id.values():
            path: list[tuple[Element, list[Element]]] = [(first, self._needs(first))]
            on_path = {first}
            while path:
                element, needs = path[-1]
                if needs:
                    target = needs.pop()
                    if target in on_path:
                        raise ModelRefused("it requires itself, directly or through others", decision=target.name)
                    if target not in done:
                        path.append((target, self._needs(target)))
                        on_path.add(target)
                else:
                    path.pop()
                    on_path.discard(element)
                    done.add(element)

    @staticmethod
    def _needs(element: Element) -> list[Element]:
        return [target for _, target in element.requires if target is not element]

    def _compile(self, element: Element) -> None:
        """Compile the logic of a decision or knowledge model."""
        logic = element.definition.logic
        if logic is None:
            return
        compiler = BoxCompiler(self, element)
        element.code = compiler.box(logic)
        element.size = compiler.size
        element.unknown_names = frozenset(compiler.unknown_names - compiler.unknown_functions)
        element.unknown_functions = frozenset(compiler.unknown_functions)
        self.size += compiler.size
        self._problems.extend(compiler.problems)

    def unary(self, text: str, owner: str) -> Code:
        """Compile unary tests that see nothing but `?`; a text that is not FEEL is a problem and fails when used."""
        compiler = BoxCompiler(self, None)
        compiler.decision = owner
        compiler.frames.append(Frame(["?"]))
        code = compiler.cell(text)
        self.size += compiler.size
        self._problems.extend(compiler.problems)
        return code


def _plain_type(name: str) -> str:
    """Return the name of a type without the prefix of FEEL and the names of XML Schema."""
    plain = name.removeprefix("feel:").removeprefix("feel.")
    return _TYPE_ALIASES.get(plain, plain)


def _member_names(item: dmn.ItemDefinition) -> set[str]:
    names = {member.name for member in item.members}
    return names.union(*(_member_names(member) for member in item.members))


def _entry_names(box: dmn.Box | None) -> set[str]:
    """Return the names of entries, columns and outputs anywhere in a boxed expression."""
    match box:
        case dmn.ContextBox(entries=entries):
            names = {entry.name for entry in entries if entry.name}
            return names.union(*(_entry_names(entry.value) for entry in entries))
        case dmn.RelationBox(columns=columns):
            return {name for name, _ in columns}
        case dmn.TableBox(outputs=outputs):
            return {output.name for output in outputs}
        case dmn.FunctionBox(body=inner) | dmn.LoopBox(body=inner) | dmn.FilterBox(source=inner):
            return _entry_names(inner)
        case dmn.ConditionalBox(yes=yes, no=no):
            return _entry_names(yes) | _entry_names(no)
        case dmn.ListBox(items=items):
            return set().union(*map(_entry_names, items))
    return set()


class BoxCompiler(Compiler):
    """Compiles the boxed expressions of one element."""

    def __init__(self, model: Model, element: Element | None) -> None:
        super().__init__("")
        self.model = model
        self.decision = None if element is None else element.name
        self.problems: list[FeelError] = []
        self.unknown_names: set[str] = set()
        self.unknown_functions: set[str] = set()
        self.element = element
        requires = [] if element is None else element.requires
        self.root_names = {alias or target.name for alias, target in requires}
        self.functions = {target.name for alias, target in requires if alias is None and target.definition.kind in ("knowledge", "service")}
        if element is not None and element.definition.kind == "knowledge":
            self.root_names.add(element.name)
            self.functions.add(element.name)

    # What FEEL asks

    def is_own_function(self, name: str) -> bool:
        """Tell whether a required knowledge model or service has this name."""
        return name in self.functions

    def wants_function(self, name: str) -> None:
        """Remember a function that nothing provides."""
        if self.is_root(name) and name not in self.root_names:
            self.unknown_functions.add(name)

    def custom_type(self, name: str) -> Type | None:
        """Return a type of the model, whose allowed values `instance of` does not ask."""
        return self.model.type(name, check_values=False)

    def resolve(self, name: str, root: Code, hops: int = 0) -> Code:
        """Return what reads a name; a root variable that nothing provides is remembered."""
        if self.is_root(name) and name not in self.root_names and name not in BUILTINS:
            self.unknown_names.add(name)
        return super().resolve(name, root, hops)

    # Texts

    def parsed(self, text: str, parse: Callable[..., parser.Node]) -> Code:
        """Compile a text with the names that are in scope here; one that is not FEEL fails when it is used."""
        outer, self.text = self.text, text
        self.model.characters += len(text)
        self.measure()
        variables = self.root_names.union(*(frame.names for frame in self.frames))
        try:
            code = self.compile(parse(text, variables, self.model.member_names))
        except RecursionError:
            code = self.failing(LimitExceeded("nested too deeply", expression=text))
        except FeelError as error:
            code = self.failing(error)
        self.text = outer
        self.measure()
        return code

    def measure(self) -> None:
        """Refuse a model that has grown too large."""
        if self.model.size + self.size > MAX_NODES or self.model.characters > MAX_CHARACTERS:
            raise ModelRefused("the expressions of the model are too large", decision=self.decision)

    def failing(self, error: FeelError) -> Code:
        """Remember a problem and return what raises it."""
        error.decision = self.decision
        error.__traceback__ = error.__context__ = None  # they hold the whole way to it, a thousand calls deep
        self.problems.append(error)
        kind_of, message, place = type(error), error.message, (error.expression, error.start, error.end)

        def fail(scope: Scope) -> Value:
            expression, start, end = place
            raise kind_of(message, expression=expression, start=start, end=end, decision=self.decision)

        return fail

    def expression(self, text: str) -> Code:
        """Compile a literal expression; an empty one is null."""
        return self.parsed(text, parser.parse) if text.strip() else _null

    def cell(self, text: str) -> Code:
        """Compile unary tests; the innermost frame holds `?`."""
        return self.parsed(text, parser.parse_unary)

    def text_place(self, text: str) -> Place:
        """Return the place of a whole text."""
        return Place(text, 0, len(text), self.decision)

    # Boxed expressions

    def box(self, box: dmn.Box | None) -> Code:
        """Compile a boxed expression with its type."""
        if box is None:
            return _null
        self.size += 1
        code = _BOXES[type(box)](self, box)
        if isinstance(box, dmn.FunctionBox):
            return code
        return self.typed(code, box.type, box.text if isinstance(box, dmn.Text) else "")

    def soft(self, box: dmn.Box | None) -> Code:
        """Compile a boxed expression whose errors make null of it alone unless the evaluation is strict."""
        return self.softened(self.box(box))

    def softened(self, code: Code) -> Code:
        """Return code whose errors become null unless the evaluation is strict."""

        def compute(scope: Scope) -> Value:
            try:
                return code(scope)
            except LimitExceeded:
                raise
            except FeelError as error:
                if scope.run.strict:
                    raise
                place = Place(error.expression or "", error.start or 0, error.end or 0, error.decision)
                return scope.run.note(FAILED, place, "{}", error.message)

        return compute

    def typed(self, code: Code, type_name: str | None, text: str) -> Code:
        """Return code whose value is made one of a type, or null with its reason."""
        wanted, place = self.model.declared_type(type_name), self.text_place(text)
        if wanted is None:
            return code
        known = wanted

        def compute(scope: Scope) -> Value:
            return conform(code(scope), known, scope.run, place)

        return compute

    def box_literal(self, box: dmn.Text) -> Code:
        """Compile a literal expression."""
        return self.expression(box.text)

    def box_context(self, box: dmn.ContextBox) -> Code:
        """Compile a boxed context: each entry sees those before it; one without a name is the result."""
        frame = Frame()
        self.frames.append(frame)
        entries: list[tuple[str | None, Code]] = []
        for entry in box.entries:
            frame.pending = entry.name
            entries.append((entry.name, self.typed(self.soft(entry.value), entry.type, entry.name or "")))
            if entry.name is not None:
                frame.names.add(entry.name)
        self.frames.pop()

        def build(scope: Scope) -> Value:
            values: dict[str, Value] = {}
            inner = Scope(values, scope, scope.root, scope.run)
            for name, code in entries:
                value = code(inner)
                if name is None:
                    return value
                values[name] = value
            return values

        return build

    def box_invocation(self, box: dmn.InvocationBox) -> Code:
        """Compile a boxed invocation: arguments by name."""
        names = [name for name, _ in box.arguments]
        arguments = [self.soft(argument) for _, argument in box.arguments]
        text = box.function.text.strip() if isinstance(box.function, dmn.Text) else ""
        place = self.text_place(text)
        known = BUILTINS.get(text)
        if known is not None and self.is_root(text) and not self.is_own_function(text):
            builtin = known
            return lambda scope: builtin.call_named(
                {name: argument(scope) for name, argument in zip(names, arguments, strict=True)}, scope.run, place
            )
        target = self.box(box.function)

        def invoke(scope: Scope) -> Value:
            function = target(scope)
            return call_function(function, [argument(scope) for argument in arguments], names, scope.run, place)

        return invoke

    def box_list(self, box: dmn.ListBox) -> Code:
        """Compile a boxed list."""
        items = [self.soft(item) for item in box.items]
        return lambda scope: [item(scope) for item in items]

    def box_relation(self, box: dmn.RelationBox) -> Code:
        """Compile a relation: a list of contexts."""
        rows = [
            [(name, self.typed(self.soft(cell), type_name, name)) for (name, type_name), cell in zip(box.columns, row, strict=True)]
            for row in box.rows
        ]
        return lambda scope: [{name: cell(scope) for name, cell in row} for row in rows]

    def box_function(self, box: dmn.FunctionBox) -> Code:
        """Compile a function definition."""
        names = tuple(name for name, _ in box.parameters)
        types = tuple(self.model.declared_type(type_name) for _, type_name in box.parameters)
        before = self.size
        self.frames.append(Frame(names))
        body = self.typed(self.soft(box.body), box.type, "")
        self.frames.pop()
        cost, result = self.size - before, self.model.type(box.type)
        return lambda scope: define(scope, names, types, body, cost, result)

    def box_conditional(self, box: dmn.ConditionalBox) -> Code:
        """Compile a boxed conditional; null counts as false, anything but a boolean gives null."""
        condition, yes, no = self.soft(box.condition), self.box(box.yes), self.box(box.no)
        place = self.text_place("")

        def choose(scope: Scope) -> Value:
            value = condition(scope)
            if value is not None and type(value) is not bool:
                return scope.run.note(NOT_BOOLEAN, place, "a {} is neither true nor false", kind(value))
            return yes(scope) if value is True else no(scope)

        return choose

    def box_filter(self, box: dmn.FilterBox) -> Code:
        """Compile a boxed filter; numbers pick an item, anything else but booleans is an error."""
        source = self.box(box.source)
        before = self.size
        self.frames.append(Frame(is_filter=True))
        match = self.box(box.match)
        self.frames.pop()
        cost, place = self.size - before + 1, self.text_place("")

        def select(scope: Scope) -> Value:
            items, run = source(scope), scope.run
            if items is None:
                return None
            items = items if type(items) is list else [items]
            results = []
            for item in items:
                run.spend(cost)
                values = item if type(item) is dict else {"item": item}
                results.append(match(Scope(values, scope, scope.root, run)))
            if results and all(type(result) is Decimal for result in results):
                return nth(items, results[0], run, place)
            if any(result is not None and type(result) is not bool for result in results):
                raise DecisionFailed("the condition of a filter is neither true nor false", decision=place.decision)
            return [item for item, result in zip(items, results, strict=True) if result is True]

        return select

    def box_loop(self, box: dmn.LoopBox) -> Code:
        """Compile a boxed `for`, `some` or `every`."""
        before = self.size
        source = self.box(box.source)
        source_cost = self.size - before + 1
        before = self.size
        frame = Frame([box.variable, "partial"] if box.keyword == "for" else [box.variable])
        self.frames.append(frame)
        body = self.box(box.body)
        self.frames.pop()
        cost, place = self.size - before + 1, self.text_place("")
        level = (box.variable, source, None, source_cost)
        iteration = Iteration([level], body, cost, place, "partial" in frame.used)
        if box.keyword == "for":
            return iteration.results

        def quantified(scope: Scope) -> Value:
            results = iteration.results(scope)
            if results is None or any(result is not None and type(result) is not bool for result in results):
                return None
            return any_true(scope.run, results) if box.keyword == "some" else all_true(scope.run, results)

        return quantified

    def box_table(self, box: dmn.TableBox) -> Code:
        """Compile a decision table."""
        before = self.size
        inputs = []
        rules: list[tuple[list[tuple[int, Code]], list[Code]]] = [([], []) for _ in box.rules]
        for column, each in enumerate(box.inputs):
            text = each.expression.text
            code = self.softened(self.typed(self.expression(text), each.expression.type, text))
            self.frames.append(Frame(["?"]))
            allowed = None if each.values is None else self.cell(each.values)
            cell_of = self.alike(self.cell)
            for (tests, _), (cells, _) in zip(rules, box.rules, strict=True):
                if cells[column] not in ("", "-"):
                    tests.append((column, cell_of(cells[column])))
            self.frames.pop()
            inputs.append((code, allowed, text))
        for column, output in enumerate(box.outputs):

            def result(text: str, wanted: str | None = output.type) -> Code:
                return self.softened(self.typed(self.softened(self.expression(text)), wanted, text))

            result_of = self.alike(result)
            for (_, results), (_, cells) in zip(rules, box.rules, strict=True):
                results.append(result_of(cells[column]))
        orders = [self.order(output.values) for output in box.outputs]
        defaults = [None if output.default is None else self.expression(output.default) for output in box.outputs]
        names = [output.name for output in box.outputs]
        table = Table(
            box.hit_policy,
            box.aggregation,
            inputs,
            rules,
            names,
            orders,
            defaults,
            Place(box.hit_policy, 0, len(box.hit_policy), self.decision),
            self.size - before + 1,
        )
        return table.decide

    def alike(self, compile_one: Callable[[str], Code]) -> Callable[[str], Code]:
        """Return what compiles the cells of a column, those that say the same once; a cell that is not FEEL is told each time."""
        known: dict[str, tuple[Code, int]] = {}

        def compiled(text: str) -> Code:
            if text in known:
                code, size = known[text]
                self.size += size
                self.measure()
                return code
            before, problems = self.size, len(self.problems)
            code = compile_one(text)
            if len(self.problems) == problems:
                known[text] = code, self.size - before
            return code

        return compiled

    def order(self, values: str | None) -> Code | None:
        """Compile the values of an output, in order of priority."""
        return None if values is None else self.expression(f"[{values}]")


_BOXES: dict[type, Callable[[BoxCompiler, Any], Code]] = {
    dmn.Text: BoxCompiler.box_literal,
    dmn.ContextBox: BoxCompiler.box_context,
    dmn.InvocationBox: BoxCompiler.box_invocation,
    dmn.ListBox: BoxCompiler.box_list,
    dmn.RelationBox: BoxCompiler.box_relation,
    dmn.FunctionBox: BoxCompiler.box_function,
    dmn.ConditionalBox: BoxCompiler.box_conditional,
    dmn.FilterBox: BoxCompiler.box_filter,
    dmn.LoopBox: BoxCompiler.box_loop,
    dmn.TableBox: BoxCompiler.box_table,
}


def _null(scope: Scope) -> Value:
    return None


def conform(value: Value, wanted: Type | None, run: Run, place: Place) -> Value:
    """Return a value made one of a type by the implicit conversions, or null with its reason."""
    converted = kinds.convert(value, wanted, run)
    if converted is MISFIT:
        assert wanted is not None
        return run.note(WRONG_TYPE, place, "a {} is not of the type {!r}", kind(value), wanted.name)
    return converted


class Table:
    """A compiled decision table (DMN 1.5, chapter 8).

    Attributes:
        inputs: The expression of each column, the test of its allowed values, and its text.
        rules: Of each rule, the tests with their columns (cells that everything passes left out), and the results.
        orders: Of each output, the list of its values in order of priority.
        place: The table as a whole.
        cost: What one evaluation costs in steps.
    """

    def __init__(
        self,
        hit_policy: str,
        aggregation: str | None,
        inputs: list[tuple[Code, Code | None, str]],
        rules: list[tuple[list[tuple[int, Code]], list[Code]]],
        names: list[str],
        orders: list[Code | None],
        defaults: list[Code | None],
        place: Place,
        cost: int,
    ) -> None:
        self.hit_policy = hit_policy
        self.aggregation = aggregation
        self.inputs = inputs
        self.rules = rules
        self.names = names
        self.orders = orders
        self.defaults = defaults
        self.place = place
        self.cost = cost

    def decide(self, scope: Scope) -> Value:
        """Return the result of the table."""
        scope.run.spend(self.cost)
        hits = self.hits(scope)
        if scope.run.hits is not None and len(scope.run.hits) < scope.run.MAX_HITS:
            scope.run.hits.append(Hits(self.place.decision, tuple(number + 1 for number in hits)))
        if not hits:
            return self.without_hit(scope)
        if self.hit_policy == "UNIQUE" and len(hits) > 1:
            raise self.failed(f"UNIQUE, but rules {_numbers(hits)} match")
        results = [[result(scope) for result in self.rules[number][1]] for number in hits]
        if self.hit_policy == "ANY":
            for number, result in zip(hits, results, strict=True):
                if operators.equal(result, results[0], scope.run) is not True:
                    raise self.failed(f"ANY, but rules {_numbers([hits[0], number])} give different results")
        if self.hit_policy in ("PRIORITY", "OUTPUT ORDER"):
            results = self.by_priority(results, scope)
        packed = [self.packed(result) for result in results]
        if self.hit_policy == "COLLECT" and self.aggregation:
            if self.aggregation == "COUNT":
                return Decimal(len(packed))
            return BUILTINS[self.aggregation.lower()].call([packed], scope.run, self.place)
        return packed if self.hit_policy in ("RULE ORDER", "OUTPUT ORDER", "COLLECT") else packed[0]

    def hits(self, scope: Scope) -> list[int]:
        """Return the indices of the rules whose tests all pass; under FIRST no more than one."""
        cells = [self.input(column, scope) for column in self.inputs]
        hits = []
        for number, (tests, _) in enumerate(self.rules):
            for column, test in tests:
                if test(cells[column]) is not True:
                    break
            else:
                hits.append(number)
                if self.hit_policy == "FIRST":
                    break
        return hits

    def input(self, column: tuple[Code, Code | None, str], scope: Scope) -> Scope:
        """Return the scope in which the tests of a column see its value as `?`."""
        code, allowed, text = column
        value = code(scope)
        if allowed is not None and value is not None:
            for item in value if type(value) is list else [value]:
                if allowed(Scope({"?": item}, scope, scope.root, scope.run)) is not True:
                    raise self.failed(f"the value of the input {text!r} is not allowed")
        return Scope({"?": value}, scope, scope.root, scope.run)

    def without_hit(self, scope: Scope) -> Value:
        """Return the defaults, or what no hit means under the policy: null, no items, or a count of 0."""
        if any(default is not None for default in self.defaults):
            return self.packed([None if default is None else default(scope) for default in self.defaults])
        if self.aggregation:
            return Decimal(0) if self.aggregation == "COUNT" else None
        return [] if self.hit_policy in ("RULE ORDER", "OUTPUT ORDER", "COLLECT") else None

    def by_priority(self, results: list[list[Value]], scope: Scope) -> list[list[Value]]:
        """Return results in the order of the output values, the first output first."""
        if all(order is None for order in self.orders):
            raise self.failed(f"{self.hit_policy} needs the values of an output in order of priority")
        orders = [[] if order is None else order(scope) for order in self.orders]
        scope.run.spend(len(results) * sum(map(len, orders)))

        def rank(result: list[Value]) -> list[int]:
            return [
                next((place for place, one in enumerate(order) if operators.passes(value, one, scope.run)), len(order))
                for value, order in zip(result, orders, strict=True)
            ]

        return sorted(results, key=rank)

    def packed(self, result: list[Value]) -> Value:
        """Return the value of a single output, or a context of several."""
        return result[0] if len(result) == 1 else dict(zip(self.names, result, strict=True))

    def failed(self, message: str) -> DecisionFailed:
        """Return an error of this table."""
        return DecisionFailed(message, decision=self.place.decision)


def _numbers(hits: list[int]) -> str:
    return " and ".join(str(number + 1) for number in hits)


class _Session:
    """One call of a model: the inputs given, and what was computed so far."""

    def __init__(self, model: Model, given: Mapping[str, Wire], run: Run, known: dict[Element, Value] | None = None) -> None:
        self.model = model
        self.given = given
        self.run = run
        self.known: dict[Element, Value] = known or {}

    def result(self, element: Element) -> Value:
        """Return the value of a decision, or what a knowledge model or service makes of the names given."""
        value = self.value(element)
        if element.definition.kind == "decision" or type(value) is not Function:
            return value
        arguments = [decode(self.given.get(name)) for name in value.parameters]
        return value.invoke(arguments, Place(element.name, 0, 0, element.name))

    def value(self, element: Element) -> Value:
        """Return the value of an element's variable, computed once."""
        if element not in self.known:
            compute = {
                "input": self.input,
                "decision": self.decision,
                "knowledge": self.knowledge,
                "service": self.service,
            }[element.definition.kind]
            self.known[element] = compute(element)
        return self.known[element]

    def place(self, element: Element) -> Place:
        """Return the place of an element as a whole."""
        return Place(element.name, 0, len(element.name), element.name)

    def scope(self, element: Element) -> Scope:
        """Return the scope of an element's logic: what it requires, those of imported models under their names.

        A name that it reads without requiring it is what was given by that name: tables are drawn without inputs, too.
        """
        root = Root(self.given, self.run.environment.names)
        for alias, target in element.requires:
            if target.definition.kind == "input" and not self.is_given(target):
                continue
            value = None if target is element else self.value(target)
            if alias is None:
                root[target.name] = value
            else:
                root.setdefault(alias, {})[target.name] = value
        return Scope({}, None, root, self.run)

    # Inputs

    def is_given(self, element: Element) -> bool:
        """Tell whether an input was given."""
        return element in self.known or self.source(element) is not None

    def source(self, element: Element) -> Mapping[str, Wire] | None:
        """Return the context in which an input was given: that of its import, or the names themselves."""
        found = self.source_within(self.given, self.model, element)
        return self.given if found is None and element.name in self.given else found

    def source_within(self, context: Mapping[str, Any], model: Model, element: Element) -> Mapping[str, Wire] | None:
        """Follow the imports of a model as far as contexts were given under their names."""
        if model is element.model:
            return context if element.name in context else None
        for alias, imported in model.imports.items():
            inner = context.get(alias)
            if isinstance(inner, Mapping):
                found = self.source_within(inner, imported, element)
                if found is not None:
                    return found
        return None

    def input(self, element: Element) -> Value:
        """Return an input that was given.

        Raises:
            DecisionFailed: It is not of its declared type.
        """
        source = self.source(element)
        value = None if source is None else decode(source[element.name])
        converted = kinds.convert(value, element.type, self.run)
        if converted is MISFIT:
            message = f"the input {element.name!r} is a {kind(value)}, not of the type {element.definition.type!r}"
            raise DecisionFailed(message, kind=WRONG_TYPE)
        return converted

    # Logic

    def decision(self, element: Element) -> Value:
        """Return the result of a decision."""
        scope = self.scope(element)
        if element.code is None:
            return None
        self.run.spend(element.size)
        try:
            value = element.code(scope)
        except LimitExceeded:
            raise
        except FeelError as error:
            attach(error, self.place(element))
            if self.run.strict:
                raise
            value = self.run.note(FAILED, self.place(element), "{}", error.message)
        return conform(value, element.type, self.run, self.place(element))

    def knowledge(self, element: Element) -> Value:
        """Return the function of a knowledge model, which may call itself."""
        if element.code is None:
            return None
        scope = self.scope(element)
        function = element.code(scope)
        scope.root[element.name] = function
        declared, place = element.type, self.place(element)
        if declared is None or (isinstance(declared, ItemType) and declared.definition.is_function):
            return function

        def invoke(values: list[Value], call: Place) -> Value:
            return conform(function.invoke(values, call), declared, self.run, place)

        return Function(function.parameters, invoke, function.types, declared)

    def service(self, element: Element) -> Value:
        """Return the function of a decision service: its outputs, computed from its inputs alone."""
        inputs, outputs, place = element.inputs, element.outputs, self.place(element)

        def invoke(values: list[Value], call: Place) -> Value:
            self.run.spend(_SERVICE_STEPS)
            if len(values) != len(inputs):
                raise DecisionFailed(f"the service takes {len(inputs)} arguments", decision=element.name)
            known = {}
            for each, value in zip(inputs, values, strict=True):
                known[each] = conform(value, each.type, self.run, call)
                if known[each] is None and value is not None:
                    return None
            session = _Session(self.model, {}, self.run, known)
            results = {each.name: session.value(each) for each in outputs}
            value = next(iter(results.values())) if len(results) == 1 else results
            return conform(value, element.type, self.run, place)

        return Function(tuple(each.name for each in inputs), invoke)
