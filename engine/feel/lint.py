"""What can be said about an expression without running it: whether it is FEEL, and which names it needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from engine.feel import parser
from engine.feel.builtins import BUILTINS
from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.evaluator import Expression

FUNCTION_NAMES = frozenset(BUILTINS)
"""The built-in functions; a variable should not have the name of one."""


class FreeName(NamedTuple):
    """A name that an expression needs from outside, once for each place where it stands.

    Attributes:
        path: The name and the entries read from it: ("form", "age") for `form.age`.
        start, end: Offsets in the text, of the whole path.
        is_loose: Whether it stands in a filter, where it may as well be an entry of the items.
        is_call: Whether it is called as a function.
    """

    path: tuple[str, ...]
    start: int
    end: int
    is_loose: bool = False
    is_call: bool = False

    @property
    def name(self) -> str:
        """The variable or function."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of checking a text: the error that stops it, or the names it needs, in order."""

    error: FeelError | None
    names: tuple[FreeName, ...]


def check(text: str, kind: Literal["expression", "unary"] = "expression") -> Check:
    """Return whether a text is FEEL, and every free name with its path and position.

    Built-in functions, bound names (of `for`, `some`, `every`, functions, context entries, `item`, `partial`) and the
    `?` of unary tests are not free.
    """
    unary = kind == "unary"
    try:
        Expression(text, unary=unary)
        tree = parser.parse_unary(text) if unary else parser.parse(text)
        names = tuple(free(tree, Bound(frozenset({"?"} if unary else ()))))
    except RecursionError:
        return Check(LimitExceeded("nested too deeply", expression=text), ())
    except FeelError as error:
        return Check(error, ())
    return Check(None, names)


class Bound(NamedTuple):
    """What is known at one place of the tree.

    Attributes:
        names: Bound here.
        pending: Entries being computed, which only the functions inside them can see.
        in_filter: Whether the place is inside a filter.
    """

    names: frozenset[str]
    pending: frozenset[str] = frozenset()
    in_filter: bool = False

    def with_names(self, *names: str) -> "Bound":
        """Return this with more names bound."""
        return self._replace(names=self.names.union(names))


def free(node: parser.Node, bound: Bound) -> Iterator[FreeName]:
    """Yield the names that a node needs from outside."""
    match node:
        case parser.Name():
            yield from _named(node, (), node, bound)
        case parser.Path(source=parser.Name() as source):
            yield from _named(source, tuple(node.names), node, bound)
        case parser.Call(function=parser.Name() as function):
            if function.name not in bound.names and function.name not in BUILTINS:
                yield FreeName((function.name,), function.start, function.end, bound.in_filter, True)
            for argument in node.arguments:
                yield from free(argument, bound)
        case parser.Filter():
            yield from free(node.source, bound)
            yield from free(node.condition, bound.with_names("item")._replace(in_filter=True))
        case parser.Loop():
            yield from _free_in_loop(node, bound)
        case parser.FunctionNode():
            inner = bound.with_names(*bound.pending, *(name for name, _ in node.parameters))
            yield from free(node.body, inner)
        case parser.ContextNode():
            for key, value in node.entries:
                yield from free(value, bound._replace(pending=bound.pending | {key}))
                bound = bound.with_names(key)
        case parser.In():
            yield from free(node.value, bound)
            for test in node.tests:
                yield from free(test, bound.with_names("?"))
        case _:
            for child in parser.children(node):
                yield from free(child, bound)


def _named(name: parser.Name, entries: tuple[str, ...], whole: parser.Node, bound: Bound) -> Iterator[FreeName]:
    if name.name not in bound.names and name.name not in BUILTINS:
        yield FreeName((name.name, *entries), whole.start, whole.end, bound.in_filter)


def _free_in_loop(node: parser.Loop, bound: Bound) -> Iterator[FreeName]:
    for iterator in node.iterators:
        yield from free(iterator.source, bound)
        if iterator.last is not None:
            yield from free(iterator.last, bound)
        bound = bound.with_names(iterator.name)
    yield from free(node.body, bound.with_names("partial") if node.keyword == "for" else bound)
