"""Syntax tree → functions that compute (DMN 1.5, 10.3.2).

Each node becomes a Python function of a `Scope`, made once and without state of its own, so that a compiled expression
may run in several threads. Names are resolved while compiling: to a variable of an enclosing loop, function or context,
to an entry of an item under a filter, or to the root, which holds the variables given and decodes them when they are
read.

A body that runs again and again (of a loop, filter or function) pays for each of its nodes on every turn; built-ins pay
for the size of what they touch. Together this bounds the time of any expression.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from inspect import Parameter, signature
from types import FunctionType
from typing import Any, TypeAlias

from engine.feel import kinds, operators, parser
from engine.feel.builtins import BUILTINS, Builtin
from engine.feel.environment import MISSING, Environment, Place, Root, Run, Scope, attach
from engine.feel.errors import (
    NO_SUCH_ENTRY,
    NO_SUCH_FUNCTION,
    NOT_BOOLEAN,
    NOT_COMPARABLE,
    VARIABLE_NOT_FOUND,
    WRONG_ARGUMENTS,
    WRONG_OPERANDS,
    FeelError,
    FeelSyntaxError,
    HostFunctionFailed,
    LimitExceeded,
    Reason,
)
from engine.feel.kinds import MISFIT, BuiltinType, Type
from engine.feel.temporal import Date, Duration, Months
from engine.feel.values import (
    NUMBERS,
    Function,
    Range,
    Value,
    Wire,
    check_key,
    decode,
    from_host,
    kind,
    to_host,
    to_wire,
)

Code: TypeAlias = Callable[[Scope], Value]
"""A compiled node."""

_HOST_STEPS = 20
"""What a call of a function lent by the host costs."""
_FUNCTION_STEPS = 10
"""What making a function costs, which takes more memory than other values."""
_POWER_STEPS = 40
_FOLDED = frozenset({"date", "time", "date and time", "duration"})
"""Built-ins computed while compiling when their arguments are written out."""
_NATIVE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": NUMBERS.add,
    "-": NUMBERS.subtract,
    "*": NUMBERS.multiply,
    "/": NUMBERS.divide,
}
_WORDS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "raise"}


class Frame:
    """The names that one scope adds, while compiling.

    Attributes:
        names: Surely there.
        pending: Being computed: there when a function looks for it later, which makes recursion possible.
        is_filter: Whether any name may be an entry of the item.
        used: The names that were found here.
    """

    __slots__ = ("is_filter", "names", "pending", "used")

    def __init__(self, names: Iterable[str] = (), *, is_filter: bool = False) -> None:
        self.names = set(names)
        self.pending: str | None = None
        self.is_filter = is_filter
        self.used: set[str] = set()


class Compiler:
    """Compiles the nodes of one text.

    Attributes:
        size: The number of nodes compiled so far.
    """

    def __init__(self, text: str, frames: Sequence[Frame] = ()) -> None:
        self.text = text
        self.frames = list(frames)
        self.size = 0

    # What decisions add

    decision: str | None = None

    def is_own_function(self, name: str) -> bool:
        """Tell whether a root variable is known to be a function and therefore hides a built-in."""
        return False

    def wants_function(self, name: str) -> None:
        """Hear of a function that is called and is not built in."""

    def custom_type(self, name: str) -> Type | None:
        """Return a type that the model defines."""
        return None

    # Tools

    def place(self, node: parser.Node) -> Place:
        """Return the place of a node."""
        return Place(self.text, node.start, node.end, self.decision)

    def compile(self, node: parser.Node) -> Code:
        """Return the function that computes a node."""
        self.size += 1
        return _COMPILERS[type(node)](self, node)

    def body(self, node: parser.Node, frame: Frame) -> tuple[Code, int]:
        """Compile a node in a frame of its own; also return how many nodes it has."""
        before = self.size
        self.frames.append(frame)
        code = self.compile(node)
        self.frames.pop()
        return code, self.size - before

    def type(self, node: parser.TypeName) -> Type:
        """Return the type that a text names.

        Raises:
            FeelSyntaxError: There is no such type.
        """
        if node.name not in kinds.NAMES:
            custom = self.custom_type(node.name)
            if custom is None:
                message = f"there is no type {node.name!r}"
                raise FeelSyntaxError(message, expression=self.text, start=node.start, end=node.end)
            return custom
        if node.parameters is not None:
            return BuiltinType(node.name, parameters=tuple(map(self.type, node.parameters)), result=self.type(node.parts[0]))
        if node.members is not None:
            return BuiltinType(node.name, members=tuple((name, self.type(each)) for name, each in node.members))
        return BuiltinType(node.name, element=self.type(node.parts[0]) if node.parts else None)

    # Names

    def name(self, node: parser.Name) -> Code:
        """Compile a name: the innermost scope that has it, else the root."""
        filters = [hops for hops, frame in enumerate(reversed(self.frames)) if frame.is_filter]
        return self.resolve(node.name, _root(node.name, self.place(node), filters))

    def resolve(self, name: str, root: Code, hops: int = 0) -> Code:
        """Return what reads a name here, looking outwards from the scope that is so many hops away.

        Args:
            root: What reads the name if no scope has it.
        """
        if hops == len(self.frames):
            return root
        frame = self.frames[-1 - hops]
        if frame.is_filter and name == "item":
            return _item(hops)
        if name in frame.names:
            frame.used.add(name)
            return _local(name, hops)
        outer = self.resolve(name, root, hops + 1)
        return _perhaps_local(name, hops, outer) if frame.is_filter or name == frame.pending else outer

    def is_root(self, name: str) -> bool:
        """Tell whether a name can only be a root variable here."""
        return not any(frame.is_filter or name in frame.names or name == frame.pending for frame in self.frames)

    def is_bound(self, name: str) -> bool:
        """Tell whether a name is surely or perhaps that of an enclosing loop, function or context."""
        return any(name in frame.names or name == frame.pending for frame in self.frames)

    def path(self, node: parser.Path) -> Code:
        """Compile `source.name`."""
        names, place = tuple(node.names), self.place(node)
        source = self.compile(node.source)

        def read(scope: Scope) -> Value:
            value = source(scope)
            for name in names:
                found = operators.member(value, name, scope.run)
                if found is operators.MISSING_PROPERTY:
                    scope.run.note(NO_SUCH_ENTRY, place, "a {} has no {!r}", kind(value), name)
                    return None
                value = found
            return value

        if not isinstance(node.source, parser.Name) or not self.is_root(node.source.name):
            return read
        key = (node.source.name, *names)

        def read_root(scope: Scope) -> Value:
            value = scope.root[key]
            return read(scope) if value is MISSING else value

        return read_root

    # Values written out

    def literal(self, node: parser.Literal) -> Code:
        """Compile a value."""
        return _constant(node.value)

    def list_of(self, node: parser.ListNode) -> Code:
        """Compile `[a, b]`."""
        items = [self.compile(item) for item in node.items]
        return lambda scope: [item(scope) for item in items]

    def context(self, node: parser.ContextNode) -> Code:
        """Compile `{a: 1, b: a + 1}`: each entry sees those before it, and its functions see itself."""
        frame = Frame()
        self.frames.append(frame)
        entries = []
        for key, value in node.entries:
            frame.pending = key
            entries.append((key, self.compile(value)))
            frame.names.add(key)
        self.frames.pop()

        def build(scope: Scope) -> Value:
            values: dict[str, Value] = {}
            inner = Scope(values, scope, scope.root, scope.run)
            for key, value in entries:
                values[key] = value(inner)
            return values

        return build

    def range(self, node: parser.RangeNode) -> Code:
        """Compile a range; its ends must be in order."""
        place = self.place(node)
        low_code = self.compile(node.low) if node.low is not None else None
        high_code = self.compile(node.high) if node.high is not None else None
        low_closed, high_closed, sign = node.low_closed, node.high_closed, node.sign

        def build(scope: Scope) -> Value:
            low = None if low_code is None else low_code(scope)
            high = None if high_code is None else high_code(scope)
            run = scope.run
            if low is None or high is None:
                end = high if low is None else low
                fits = end is not None and operators.ordered("<=", end, end, run) is True
            else:
                fits = operators.ordered("<=", low, high, run) is True
            if fits:
                return Range(low, high, low_closed, high_closed, sign)
            return run.note(NOT_COMPARABLE, place, "no range from {} to {}", kind(low), kind(high))

        return build

    def function(self, node: parser.FunctionNode) -> Code:
        """Compile `function(a: number) a + 1`."""
        names = tuple(name for name, _ in node.parameters)
        types = tuple(None if written is None else self.type(written) for _, written in node.parameters)
        body, cost = self.body(node.body, Frame(names))
        return lambda scope: define(scope, names, types, body, cost)

    # Operators

    def negation(self, node: parser.Negation) -> Code:
        """Compile `-a`."""
        operand, place = self.compile(node.operand), self.place(node)
        if isinstance(node.operand, parser.Literal) and type(node.operand.value) is Decimal:
            return _constant(NUMBERS.minus(node.operand.value))

        def negate(scope: Scope) -> Value:
            value = operand(scope)
            result = operators.minus(value)
            return scope.run.note(WRONG_OPERANDS, place, "no negative {}", kind(value)) if result is None else result

        return negate

    def arithmetic(self, node: parser.Arithmetic) -> Code:
        """Compile `a + b - c`, operators of one precedence from left to right."""
        code = self.compile(node.first)
        if len(node.rest) == 1:
            sign, operand = node.rest[0]
            return _calculation(sign, code, self.compile(operand), self.place(node))
        first, place = code, self.place(node)
        rest = [(sign, self.compile(operand)) for sign, operand in node.rest]

        def chain(scope: Scope) -> Value:
            value = first(scope)
            for sign, operand in rest:
                value = calculate(sign, value, operand(scope), scope.run, place)
            return value

        return chain

    def comparison(self, node: parser.Comparison) -> Code:
        """Compile `a < b` and `a = b`."""
        left, right, place = self.compile(node.left), self.compile(node.right), self.place(node)
        if node.operator in ("=", "!="):
            return _equality(left, right, node.operator == "=", place)
        sign, native = node.operator, operators.ORDERS[node.operator]

        def compare(scope: Scope) -> Value:
            one, other = left(scope), right(scope)
            if type(one) is Decimal and type(other) is Decimal:
                return native(one, other)
            result = operators.ordered(sign, one, other, scope.run)
            return _incomparable(scope.run, place, one, other) if result is None else result

        return compare

    def between(self, node: parser.Between) -> Code:
        """Compile `a between b and c`."""
        value_code, low, high = self.compile(node.value), self.compile(node.low), self.compile(node.high)
        place = self.place(node)

        def compare(scope: Scope) -> Value:
            value, least, most, run = value_code(scope), low(scope), high(scope), scope.run
            above, below = operators.ordered(">=", value, least, run), operators.ordered("<=", value, most, run)
            result = operators.both(above, below)
            if result is None:
                return _incomparable(run, place, value, most if above is not None else least)
            return result

        return compare

    def logic(self, node: parser.Logic) -> Code:
        """Compile `a and b` and `a or b` in three-valued logic, stopping when the result is sure (table 48)."""
        operands = [(self.compile(operand), self.place(operand)) for operand in node.operands]
        decisive = node.operator == "or"

        def decide(scope: Scope) -> Value:
            result: bool | None = not decisive
            for operand, place in operands:
                value = operand(scope)
                if value is decisive:
                    return decisive
                if type(value) is not bool:
                    result = None
                    if value is not None:
                        scope.run.note(NOT_BOOLEAN, place, "a {} is neither true nor false", kind(value))
            return result

        return decide

    def conditional(self, node: parser.If) -> Code:
        """Compile `if a then b else c`: only true is true."""
        condition, yes, no = self.compile(node.condition), self.compile(node.yes), self.compile(node.no)
        place = self.place(node.condition)

        def choose(scope: Scope) -> Value:
            value = condition(scope)
            if value is True:
                return yes(scope)
            if value is not False and value is not None:
                scope.run.note(NOT_BOOLEAN, place, "a {} is neither true nor false", kind(value))
            return no(scope)

        return choose

    def instance_of(self, node: parser.InstanceOf) -> Code:
        """Compile `a instance of type`."""
        value, wanted = self.compile(node.value), self.type(node.type)
        return lambda scope: wanted.accepts(value(scope), scope.run)

    # Lists

    def filter(self, node: parser.Filter) -> Code:
        """Compile `items[condition]`: the items for which it is true, or the one item whose number it is (10.3.2.5)."""
        source, place = self.compile(node.source), self.place(node)
        condition, cost = self.body(node.condition, Frame(is_filter=True))
        cost += 1

        def select(scope: Scope) -> Value:
            items, run = source(scope), scope.run
            if items is None:
                return None
            if type(items) is not list:
                items = [items]
            if not items:
                return _filter_nothing(condition, scope)
            found = []
            for item in items:
                run.spend(cost)
                values = item if type(item) is dict else {"item": item}
                result = condition(Scope(values, scope, scope.root, run))
                if result is True:
                    found.append(item)
                elif type(result) is Decimal:
                    return nth(items, result, run, place)
                elif result is not False and result is not None:
                    run.note(NOT_BOOLEAN, place, "a {} is no condition", kind(result))
            return found

        return select

    def loop(self, node: parser.Loop) -> Code:
        """Compile `for`, `some` and `every` (10.3.2.6)."""
        levels = []
        outer = len(self.frames)
        frame = Frame()
        for iterator in node.iterators:
            before = self.size
            source = self.compile(iterator.source)
            last = None if iterator.last is None else self.compile(iterator.last)
            levels.append((iterator.name, source, last, self.size - before + 1))
            frame = Frame([iterator.name])
            self.frames.append(frame)
        if node.keyword == "for":
            frame.names.add("partial")
        before = self.size
        body = self.compile(node.body)
        cost, place = self.size - before + 1, self.place(node)
        del self.frames[outer:]
        loop = Iteration(levels, body, cost, place, "partial" in frame.used)
        return {"for": loop.results, "some": loop.some, "every": loop.every}[node.keyword]

    # Calls

    def call(self, node: parser.Call) -> Code:
        """Compile `f(a, b)` and `f(name: a)`."""
        place = self.place(node)
        arguments = [self.compile(argument) for argument in node.arguments]
        names = node.names
        if isinstance(node.function, parser.Name):
            name = node.function.name
            bound = self.is_bound(name) or self.is_own_function(name)
            if name in BUILTINS and not bound:
                return self.builtin_call(node, BUILTINS[name], arguments, place)
            self.wants_function(name)
            target = self.resolve(name, _function_named(name, place))
        else:
            target = self.compile(node.function)

        def call(scope: Scope) -> Value:
            function = target(scope)
            values = [argument(scope) for argument in arguments]
            return call_function(function, values, names, scope.run, place)

        return call

    def builtin_call(self, node: parser.Call, function: Builtin, arguments: list[Code], place: Place) -> Code:
        """Compile the call of a built-in, at once if all is written out."""
        if node.names is not None:
            names = node.names

            def call_named(scope: Scope) -> Value:
                values = {name: argument(scope) for name, argument in zip(names, arguments, strict=True)}
                return function.call_named(values, scope.run, place)

            return call_named
        written = [each.value for each in node.arguments if isinstance(each, parser.Literal)]
        if function.name in _FOLDED and written and len(written) == len(arguments):
            value = function.call(written, Run(_folding_environment(), False, None), place)
            if value is not None:
                return _constant(value)
        call = function.call
        return lambda scope: call([argument(scope) for argument in arguments], scope.run, place)

    # Unary tests

    def contained(self, node: parser.In) -> Code:
        """Compile `a in tests`."""
        value_code = self.compile(node.value)
        self.frames.append(Frame(["?"]))
        tests = self.any_of([self.compile(test) for test in node.tests])
        self.frames.pop()
        return lambda scope: tests(Scope({"?": value_code(scope)}, scope, scope.root, scope.run))

    def tests(self, node: parser.Tests) -> Code:
        """Compile the unary tests of a cell, whose scope holds `?`."""
        if not node.tests:
            return _constant(True)
        passed = self.any_of([self.compile(test) for test in node.tests])
        return (lambda scope: operators.negated(passed(scope))) if node.negated else passed

    @staticmethod
    def any_of(tests: Sequence[Code]) -> Code:
        """Return the disjunction of tests."""
        if len(tests) == 1:
            return tests[0]

        def passed(scope: Scope) -> Value:
            result: bool | None = False
            for test in tests:
                value = test(scope)
                if value is True:
                    return True
                if value is None:
                    result = None
            return result

        return passed

    def test(self, node: parser.Test) -> Code:
        """Compile one unary test (10.3.2.14); the innermost scope holds `?`."""
        operand, place, sign = self.compile(node.operand), self.place(node), node.operator
        if sign in ("=", "!="):
            return _equality(_input, operand, sign == "=", place)
        if sign:

            def compare(scope: Scope) -> Value:
                one, other = scope.values["?"], operand(scope)
                result = operators.ordered(sign, one, other, scope.run)
                return _incomparable(scope.run, place, one, other) if result is None else result

            return compare
        if node.uses_input:
            return lambda scope: _boolean(operand(scope), scope.run, place)

        is_written = isinstance(node.operand, parser.Literal)

        def passes(scope: Scope) -> Value:
            value, test = scope.values["?"], operand(scope)
            if test is True and type(value) is not bool and not is_written:
                return True  # a condition over other names; the word `true` is a value to be equal to
            result = operators.passes(value, test, scope.run)
            return _incomparable(scope.run, place, value, test) if result is None else result

        return passes


_COMPILERS: dict[type, Callable[[Compiler, Any], Code]] = {
    parser.Literal: Compiler.literal,
    parser.Name: Compiler.name,
    parser.Path: Compiler.path,
    parser.Negation: Compiler.negation,
    parser.Arithmetic: Compiler.arithmetic,
    parser.Comparison: Compiler.comparison,
    parser.Between: Compiler.between,
    parser.In: Compiler.contained,
    parser.InstanceOf: Compiler.instance_of,
    parser.Logic: Compiler.logic,
    parser.If: Compiler.conditional,
    parser.Loop: Compiler.loop,
    parser.FunctionNode: Compiler.function,
    parser.ContextNode: Compiler.context,
    parser.ListNode: Compiler.list_of,
    parser.RangeNode: Compiler.range,
    parser.Filter: Compiler.filter,
    parser.Call: Compiler.call,
    parser.Test: Compiler.test,
    parser.Tests: Compiler.tests,
}


# Reading names


def _constant(value: Value) -> Code:
    return lambda scope: value


def _input(scope: Scope) -> Value:
    return scope.values["?"]


def _scope_at(scope: Scope, hops: int) -> Scope:
    for _ in range(hops):
        assert scope.parent is not None
        scope = scope.parent
    return scope


def _local(name: str, hops: int) -> Code:
    """Return what reads a name that a scope surely has."""
    if hops == 0:
        return lambda scope: scope.values[name]
    return lambda scope: _scope_at(scope, hops).values[name]


def _perhaps_local(name: str, hops: int, otherwise: Code) -> Code:
    """Return what reads a name that a scope may have: an entry of an item, or an entry still being computed."""

    def read(scope: Scope) -> Value:
        values = _scope_at(scope, hops).values
        return values[name] if name in values else otherwise(scope)

    return read


def _item(hops: int) -> Code:
    """Return what reads the item under a filter; the scope of an item that is a context is that context."""

    def read(scope: Scope) -> Value:
        values = _scope_at(scope, hops).values
        return values.get("item", values)

    return read


def _root(name: str, place: Place, filters: Sequence[int]) -> Code:
    """Return what reads a root variable, or a function of that name as a value."""

    def read(scope: Scope) -> Value:
        value = scope.root[name]
        return absent(scope) if value is MISSING else value

    def absent(scope: Scope) -> Value:
        run = scope.run
        function = _function_value(name, run)
        if function is not None:
            return function
        if any(_is_under_context(_scope_at(scope, hops)) for hops in filters):
            return run.note(NO_SUCH_ENTRY, place, "{!r} is neither a variable nor an entry of the items", name)
        return run.note(VARIABLE_NOT_FOUND, place, "there is no variable {!r}", name)

    return read


def _is_under_context(scope: Scope) -> bool:
    return len(scope.values) != 1 or "item" not in scope.values


def _function_value(name: str, run: Run) -> Function | None:
    """Return a built-in or a function of the host as a value."""
    known = BUILTINS.get(name)
    if known is not None:
        run.spend(_FUNCTION_STEPS)
        return Function(known.parameters, lambda values, place: known.call(values, run, place))
    host = run.environment.functions.get(name)
    if host is not None:
        return Function(_host_parameters(host), lambda values, place: _call_host(name, host, values, run, place))
    return None


def _function_named(name: str, place: Place) -> Code:
    """Return what finds a function that is no built-in: a variable that is one, or one of the host."""

    def find(scope: Scope) -> Value:
        value = scope.root[name]
        if value is MISSING:
            value = _function_value(name, scope.run)
        if type(value) is Function:
            return value
        return scope.run.note(NO_SUCH_FUNCTION, place, "there is no function {!r}", name)

    return find


# Functions


def define(
    scope: Scope,
    names: tuple[str, ...],
    types: tuple[Type | None, ...],
    body: Code,
    cost: int,
    result: Type | None = None,
) -> Function:
    """Return a function value that computes `body` with its parameters, in the scope where it was defined."""
    run, root = scope.run, scope.root
    run.spend(_FUNCTION_STEPS)

    def invoke(values: list[Value], place: Place) -> Value:
        if len(values) != len(names):
            return run.note(WRONG_ARGUMENTS, place, "the function takes {} arguments, not {}", len(names), len(values))
        run.spend(cost + 2)
        bound = {}
        for name, value, wanted in zip(names, values, types, strict=True):
            converted = kinds.convert(value, wanted, run)
            if converted is MISFIT:
                assert wanted is not None
                return run.note(WRONG_ARGUMENTS, place, "{!r} is a {}, not a {}", name, kind(value), wanted.name)
            bound[name] = converted
        run.calls -= 1
        if run.calls < 0:
            raise LimitExceeded("functions call each other too deeply")
        try:
            return body(Scope(bound, scope, root, run))
        finally:
            run.calls += 1

    return Function(names, invoke, types, result)


def call_function(function: Value, values: list[Value], names: list[str] | None, run: Run, place: Place) -> Value:
    """Call a function value; a parameter that is not named is null."""
    if type(function) is not Function:
        return run.note(NO_SUCH_FUNCTION, place, "a {} is not a function", kind(function))
    if names is not None:
        unknown = [name for name in names if name not in function.parameters]
        if unknown:
            return run.note(WRONG_ARGUMENTS, place, "there is no parameter {!r}", unknown[0])
        given = dict(zip(names, values, strict=True))
        values = [given.get(name) for name in function.parameters]
    return function.invoke(values, place)


def _host_parameters(host: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the parameters as expressions write them; none where Python does not know them."""
    if type(host) is FunctionType and not host.__dict__:  # a plain function says so itself, fifty times as fast
        code = host.__code__
        return tuple(name.replace("_", " ") for name in code.co_varnames[: code.co_argcount])
    try:
        parameters = signature(host).parameters.values()
    except (TypeError, ValueError):
        return ()
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(each.name.replace("_", " ") for each in parameters if each.kind in by_position)


def _call_host(name: str, host: Callable[..., object], values: list[Value], run: Run, place: Place) -> Value:
    run.spend(_HOST_STEPS)
    try:
        return from_host(host(*map(to_host, values)))
    except FeelError as error:
        attach(error, place)
        raise
    except Exception as error:
        failure = HostFunctionFailed(f"the function {name!r} failed: {type(error).__name__}")
        attach(failure, place)
        raise failure from error


@cache
def _folding_environment() -> Environment:
    return Environment(now=datetime(1970, 1, 1, tzinfo=UTC))


# Operators


def _equality(left: Code, right: Code, positive: bool, place: Place) -> Code:
    """Return what compares for equality, or for its opposite."""

    def compare(scope: Scope) -> Value:
        one, other = left(scope), right(scope)
        if type(one) is Decimal and type(other) is Decimal:
            return (one == other) is positive
        result = operators.equal(one, other, scope.run)
        if result is None:
            return _incomparable(scope.run, place, one, other)
        return result is positive

    return compare


def _incomparable(run: Run, place: Place, left: Value, right: Value) -> None:
    run.note(NOT_COMPARABLE, place, "cannot compare {} with {}", kind(left), kind(right))


def _boolean(value: Value, run: Run, place: Place) -> Value:
    """Return a boolean or null; anything else is explained."""
    if value is True or value is False or value is None:
        return value
    return run.note(NOT_BOOLEAN, place, "a {} is neither true nor false", kind(value))


def _calculation(sign: str, left: Code, right: Code, place: Place) -> Code:
    """Return what applies one arithmetic operator."""
    native = _NATIVE.get(sign)

    def compute(scope: Scope) -> Value:
        one, other = left(scope), right(scope)
        if native is not None and type(one) is Decimal and type(other) is Decimal:
            result = native(one, other)
            if result.is_finite():
                return result
        return calculate(sign, one, other, scope.run, place)

    return compute


def calculate(sign: str, left: Value, right: Value, run: Run, place: Place) -> Value:
    """Apply an arithmetic operator; null is explained."""
    if sign == "+" and type(left) is str and type(right) is str:
        run.room_for_text(len(left) + len(right))
        return left + right
    if sign == "**":
        run.spend(_POWER_STEPS)
    result = operators.ARITHMETIC[sign](left, right)
    if result is not None:
        return result
    if sign == "/" and type(right) in (Decimal, Duration, Months) and right in _ZEROS:
        return run.note(WRONG_OPERANDS, place, "division by zero")
    return run.note(WRONG_OPERANDS, place, "cannot {} {} and {}", _WORDS[sign], kind(left), kind(right))


_ZEROS = (Decimal(0), Duration(0), Months(0))


# Lists


def _filter_nothing(condition: Code, scope: Scope) -> Value:
    """Return what a filter makes of an empty list: null if it asks for a number, else an empty list.

    There is no item whose entries the condition could read, so what it misses is nobody's mistake.
    """
    run = scope.run
    strict, reasons = run.strict, run.reasons
    run.strict, run.reasons = False, None
    try:
        number = type(condition(Scope({"item": None}, scope, scope.root, run))) is Decimal
    finally:
        run.strict, run.reasons = strict, reasons
    return None if number else []


def nth(items: list[Value], number: Decimal, run: Run, place: Place) -> Value:
    """Return an item by its number from the front, or by its negative number from the end."""
    if number == NUMBERS.to_integral_value(number) and number.copy_abs() <= len(items) and number:
        index = int(number)
        return items[index - 1] if index > 0 else items[index]
    return run.note(NO_SUCH_ENTRY, place, "the list has no such item")


class Iteration:
    """A compiled loop over one or more sources, the last turning fastest."""

    def __init__(self, levels: list[tuple[str, Code, Code | None, int]], body: Code, cost: int, place: Place, partial: bool) -> None:
        self.levels = levels
        self.body = body
        self.cost = cost
        self.place = place
        self.uses_partial = partial

    def results(self, scope: Scope) -> list[Value] | None:
        """Return the results of `for`; null when a source is null or no list."""
        found: list[Value] = []
        if not self.turn(0, scope, found, None):
            return None
        scope.run.room(len(found))
        return found

    def some(self, scope: Scope) -> bool | None:
        """Return whether any result is true, in three-valued logic."""
        return self.quantified(scope, True)

    def every(self, scope: Scope) -> bool | None:
        """Return whether all results are true, in three-valued logic."""
        return self.quantified(scope, False)

    def quantified(self, scope: Scope, decisive: bool) -> bool | None:
        """Return `decisive` if a result is, else its opposite if all results are that, else null."""
        found: list[Value] = []
        if not self.turn(0, scope, found, decisive):
            return None
        opposite = not decisive
        if found and found[-1] is decisive:
            return not opposite
        return opposite if all(type(result) is bool for result in found) else None

    def turn(self, level: int, scope: Scope, found: list[Value], decisive: bool | None) -> bool:
        """Run through one source and those within; tell whether all sources could be run through."""
        name, source, last, cost = self.levels[level]
        run, root = scope.run, scope.root
        run.spend(cost)
        items = self.items(source(scope), last, scope)
        if items is None:
            return False
        inner = level + 1 < len(self.levels)
        for item in items:
            values = {name: item}
            if inner:
                if not self.turn(level + 1, Scope(values, scope, root, run), found, decisive):
                    return False
            else:
                run.spend(self.cost)
                if self.uses_partial:
                    run.spend(len(found) // 16)
                    values["partial"] = found[:]
                found.append(self.body(Scope(values, scope, root, run)))
            if decisive is not None and found and found[-1] is decisive:
                break
        return True

    def items(self, value: Value, last: Code | None, scope: Scope) -> Value:
        """Return what a source gives to run through: items of a list, steps of a range, a single value; or null."""
        if last is not None:
            value = Range(value, last(scope))
        if type(value) is list:
            return value
        if type(value) is not Range or value.sign:
            return None if value is None else [value]
        low, high = value.low, value.high
        if type(low) is Date and type(high) is Date:
            return (Date(days) for days in _steps(low.days, high.days, value))
        if _is_integer(low) and _is_integer(high):
            return (Decimal(number) for number in _steps(int(low), int(high), value))
        return scope.run.note(WRONG_OPERANDS, self.place, "a range that cannot be run through step by step")


def _is_integer(value: Value) -> bool:
    return type(value) is Decimal and value.adjusted() < 18 and value == NUMBERS.to_integral_value(value)


def _steps(low: int, high: int, within: Range) -> range:
    low, high = low + (not within.low_closed), high - (not within.high_closed)
    return range(low, high + 1) if low <= high else range(low, high - 1, -1)


# Compiled expressions


class Expression:
    """A compiled expression, or compiled unary tests; immutable, for any number of threads.

    Attributes:
        text: What was compiled.
        is_unary: Whether it is unary tests.
    """

    __slots__ = ("_code", "_size", "is_unary", "text")

    def __init__(self, text: str, *, unary: bool = False) -> None:
        """Compile a text.

        Raises:
            FeelSyntaxError: The text is not FEEL.
            LimitExceeded: It is too long or nested too deeply.
        """
        self.text = text
        self.is_unary = unary
        compiler = Compiler(text, [Frame(["?"])] if unary else ())
        try:
            self._code = compiler.compile(parser.parse_unary(text) if unary else parser.parse(text))
        except RecursionError:
            raise LimitExceeded("nested too deeply", expression=text) from None
        self._size = compiler.size

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def run(self, run: Run, root: Root, input_value: Value = None) -> Value:
        """Compute the value inside a run that is in progress.

        Raises:
            FeelError: See `evaluate`; the error knows this expression.
        """
        try:
            run.spend(self._size)
            return self._code(Scope({"?": input_value}, None, root, run))
        except RecursionError:
            raise LimitExceeded("nested too deeply", expression=self.text) from None
        except FeelError as error:
            attach(error, Place(self.text, 0, len(self.text)))
            raise


_KEPT_TEXT = 1_000
"""Characters of an expression up to which its compiled form is kept by text."""


def compile_expression(text: str, *, unary: bool = False) -> Expression:
    """Return the compiled expression of a text: a short one is kept for the next time, a long one is for you to keep.

    Raises:
        FeelSyntaxError: The text is not FEEL; the error knows where.
        LimitExceeded: It is too long or nested too deeply.
    """
    return _kept_expression(text, unary) if len(text) <= _KEPT_TEXT else Expression(text, unary=unary)


@lru_cache(maxsize=1024)
def _kept_expression(text: str, unary: bool) -> Expression:
    return Expression(text, unary=unary)


def _compiled(expression: str | Expression, unary: bool) -> Expression:
    if isinstance(expression, str):
        return compile_expression(expression, unary=unary)
    if expression.is_unary is not unary:
        raise FeelError("unary tests are not an expression", expression=expression.text)
    return expression


def evaluate(
    expression: str | Expression,
    names: Mapping[str, Wire],
    environment: Environment,
    *,
    strict: bool = True,
    reasons: list[Reason] | None = None,
) -> Wire:
    """Return the value of an expression, in wire form.

    Args:
        names: Variables in wire form. Task data are kept so, and nothing is converted that is not read.
        strict: Raise mistakes of the author: a variable or function that is not there, arguments of the wrong kind or
            number. Otherwise they give null, as the standard has it.
        reasons: A list to which the reasons of nulls are added, at most 50.

    Raises:
        FeelSyntaxError: The text is not FEEL.
        NullExplained: A mistake of the author, when strict.
        LimitExceeded: The expression is too large, or takes too much time or memory.
        ValueRefused: A variable is not in wire form, or the result cannot be kept (a function, a reserved key).
        EnvironmentIncomplete, HostFunctionFailed: As their names say.
    """
    compiled = _compiled(expression, False)
    run = Run(environment, strict, reasons)
    try:
        value = compiled.run(run, Root(names, environment.names))
    finally:
        run.settle()
    return _kept(value, compiled.text)


def unary_test(
    expression: str | Expression,
    value: Wire,
    names: Mapping[str, Wire],
    environment: Environment,
    *,
    strict: bool = True,
    reasons: list[Reason] | None = None,
) -> bool:
    """Return whether a value in wire form passes unary tests such as `"a","b"`, `[1..5]`, `not(> 3)` or `-`.

    A test that is null does not pass. Arguments and errors are those of `evaluate`.
    """
    compiled = _compiled(expression, True)
    run = Run(environment, strict, reasons)
    try:
        decoded = decode(value)
    except RecursionError:
        raise LimitExceeded("the value is nested too deeply") from None
    try:
        return compiled.run(run, Root(names, environment.names), decoded) is True
    finally:
        run.settle()


def script(
    steps: Iterable[tuple[str, str | Expression]],
    names: Mapping[str, Wire],
    environment: Environment,
    *,
    strict: bool = True,
    reasons: list[Reason] | None = None,
) -> dict[str, Wire]:
    """Evaluate expressions in order, each seeing the results before it; return the results by variable, in wire form.

    All share one budget. Arguments and errors are otherwise those of `evaluate`.
    """
    run = Run(environment, strict, reasons)
    results: dict[str, Wire] = {}
    for variable, expression in steps:
        check_key(variable)
        compiled = _compiled(expression, False)
        try:
            value = compiled.run(run, Root(results, names, environment.names))
        finally:
            run.settle()
            run.begun = run.steps, run.pattern_seconds
        results[variable] = _kept(value, compiled.text)
    return results


_SHORT = 100
"""Characters of a plain text up to which it needs no look to be kept as it is."""


def _kept(value: Value, text: str) -> Wire:
    """Return the wire form of a result."""
    if value is None or type(value) is bool or (type(value) is str and value.isascii() and len(value) <= _SHORT and "\0" not in value):
        return value
    try:
        return to_wire(value)
    except FeelError as error:
        attach(error, Place(text, 0, len(text)))
        raise
