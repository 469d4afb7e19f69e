"""FEEL text → syntax tree (DMN 1.5, 10.3.1.2).

A name with blanks is read as the grammar writes it: words up to the next keyword or symbol, so `first name` needs no
declaration. Names that hold a keyword or a symbol (`date and time`, `pre-tax`) are read only where they are declared:
built-in names, names passed to `parse`, and names that the expression itself declares before.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar, dataclass_transform

from engine.feel import temporal
from engine.feel.errors import FeelError, FeelSyntaxError, LimitExceeded
from engine.feel.values import NUMBERS, Value

MAX_EXPRESSION = 20_000
"""Characters of one expression."""
MAX_NESTING = 100
"""Expressions within each other."""

T = TypeVar("T")

KEYWORDS = frozenset(
    (
        *(
            "if",
            "then",
            "else",
            "for",
            "in",
            "return",
            "some",
            "every",
            "satisfies",
            "and",
            "or",
            "between",
            "instance",
        ),
        *("function", "external", "true", "false", "null"),
    )
)


# The tree


@dataclass_transform(field_specifiers=(field,))
def _node(cls: type[T]) -> type[T]:
    """Make a class of nodes; without comparison and the like, which would triple the time of the import."""
    return dataclass(slots=True, eq=False, repr=False, match_args=False)(cls)


@_node
class Node:
    """A piece of an expression, from offset `start` to `end` of the text."""

    start: int
    end: int


@_node
class Literal(Node):
    """A value written out."""

    value: Value


@_node
class Name(Node):
    """A variable or function, or `?`, the value under a unary test."""

    name: str


@_node
class Path(Node):
    """`source.name.name`."""

    source: Node
    names: list[str]


@_node
class Negation(Node):
    """`-operand`."""

    operand: Node


@_node
class Arithmetic(Node):
    """Operands of one precedence from left to right: `first + a - b`."""

    first: Node
    rest: list[tuple[str, Node]]


@_node
class Comparison(Node):
    """`left operator right`."""

    operator: str
    left: Node
    right: Node


@_node
class Between(Node):
    """`value between low and high`."""

    value: Node
    low: Node
    high: Node


@_node
class In(Node):
    """`value in test` or `value in (test, test)`."""

    value: Node
    tests: list["Test"]


@_node
class InstanceOf(Node):
    """`value instance of type`."""

    value: Node
    type: "TypeName"


@_node
class Logic(Node):
    """Operands joined by `and` or by `or`."""

    operator: str
    operands: list[Node]


@_node
class If(Node):
    """`if condition then yes else no`."""

    condition: Node
    yes: Node
    no: Node


class Iterator(NamedTuple):
    """`name in source`, or `name in source..last`."""

    name: str
    source: Node
    last: Node | None


@_node
class Loop(Node):
    """`for ... return body`, `some ... satisfies body` or `every ... satisfies body`."""

    keyword: str
    iterators: list[Iterator]
    body: Node


@_node
class FunctionNode(Node):
    """`function(name: type, ...) body`."""

    parameters: list[tuple[str, "TypeName | None"]]
    body: Node


@_node
class ContextNode(Node):
    """`{key: value, ...}`."""

    entries: list[tuple[str, Node]]


@_node
class ListNode(Node):
    """`[item, ...]`."""

    items: list[Node]


@_node
class RangeNode(Node):
    """`[low..high)` with its brackets; `(< high)` with None for the end not written; `(= low)` with its sign."""

    low: Node | None
    high: Node | None
    low_closed: bool | None
    high_closed: bool | None
    sign: str = ""


@_node
class Filter(Node):
    """`source[condition]`."""

    source: Node
    condition: Node


@_node
class Call(Node):
    """`function(a, b)` or `function(name: a, name: b)`."""

    function: Node
    arguments: list[Node]
    names: list[str] | None


@_node
class Test(Node):
    """One unary test: `operator operand`, or an expression (operator ""), which may use `?` (DMN 1.5, 10.3.2.14)."""

    operator: str
    operand: Node
    uses_input: bool


@_node
class Tests(Node):
    """Unary tests of a cell; no tests at all is `-`, which everything passes."""

    tests: list[Test]
    negated: bool


@_node
class TypeName(Node):
    """A type with its parts, as written."""

    name: str
    parts: list["TypeName"] = field(default_factory=list)
    members: list[tuple[str, "TypeName"]] | None = None
    parameters: list["TypeName"] | None = None


# Tokens


class Token(NamedTuple):
    """A word, number, string, symbol or the end."""

    kind: str
    text: str
    start: int
    end: int


_START = (
    r"?A-Za-z_\u00B7\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C-\u200D\u2070-\u218F"
    r"\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\U00010000-\U000EFFFF"
)
_PART = _START + r"0-9\u0300-\u036F\u203F-\u2040"
_SPACE = r"(?:[\s\u0085\u00A0\u1680\u180E\u2000-\u200B\u2028\u2029\u202F\u205F\u3000\uFEFF]+|//[^\n]*|/\*.*?\*/)*"
_TOKEN = re.compile(
    rf"{_SPACE}(?:"
    rf"(?P<word>[{_START}][{_PART}]*)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r'|(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")'
    r"|(?P<comment>/\*)"
    r"|(?P<symbol>\*\*|\.\.|->|<=|>=|!=|[-+*/=<>()\[\]{},.:@'])"
    r"|(?P<end>\Z)"
    r"|(?P<other>.))",
    re.DOTALL,
)
_NAME_SYMBOLS = frozenset("-+*/.'") | {"**", ".."}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{6}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
_BLANKS = re.compile(r"\s+")


def _tokens(text: str) -> list[Token]:
    """Split a text.

    Raises:
        FeelSyntaxError: A character or an open string or comment does not belong to FEEL.
    """
    tokens = []
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "end"
        start, end = found.span(kind)
        if kind in ("comment", "other"):
            what = "a comment that does not end" if kind == "comment" else f"unexpected character {text[start]!r}"
            what = "a string that does not end" if text[start] == '"' else what
            raise FeelSyntaxError(what, expression=text, start=start, end=end)
        tokens.append(Token(kind, text[start:end], start, end))
        if kind == "end":
            break
    return tokens


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) == 1:
        return _ESCAPES.get(code, found[0])
    return chr(int(code[1:], 16))


def _string(token: Token, text: str) -> str:
    """Return the characters of a string token; halves of characters written as two escapes are joined."""
    inner = token.text[1:-1]
    if "\\" not in inner:
        return inner
    try:
        inner = _ESCAPE.sub(_unescaped, inner)
    except ValueError:
        message = "an escape beyond the last character of Unicode"
        raise FeelSyntaxError(message, expression=text, start=token.start, end=token.end) from None
    return inner.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_name(name: str) -> str:
    """Return a name with its blanks collapsed."""
    return _BLANKS.sub(" ", name.strip())


# Names that need a declaration


class Declared:
    """A name that was declared so many times."""

    __slots__ = ("name", "times")

    def __init__(self, name: str) -> None:
        self.name = name
        self.times = 0


class NameBook:
    """Names by their first token, by the number of their tokens, and by all of them."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        self.names: dict[str, dict[int, dict[str, Declared]]] = {}

    def add(self, name: str) -> Declared:
        """Add a name and return its entry; one that is no name of FEEL is not to be found."""
        try:
            tokens = [token.text for token in _tokens(name)[:-1]]
        except FeelSyntaxError:
            tokens = []
        if not tokens:
            return Declared(name)
        entry = self.names.setdefault(tokens[0], {}).setdefault(len(tokens), {}).setdefault(" ".join(tokens), Declared(name))
        entry.times += 1
        return entry


@lru_cache(maxsize=4096)
def is_plain(name: str) -> bool:
    """Tell whether a name is read without a declaration: words without keywords, separated by single blanks."""
    try:
        tokens = _tokens(name)[:-1]
    except FeelSyntaxError:
        return False
    return (
        bool(tokens)
        and tokens[0].kind == "word"
        and all(token.kind == "word" or token.text.isdecimal() for token in tokens)
        and not any(token.text in KEYWORDS for token in tokens)
        and " ".join(token.text for token in tokens) == name
    )


@lru_cache(maxsize=256)
def _book(names: frozenset[str]) -> NameBook:
    """Return the book of names, which nobody changes."""
    book = NameBook()
    for name in sorted(names):
        book.add(name)
    return book


_FUNCTIONS = _book(frozenset({"date and time", "working days between", "years and months duration"}))
"""The built-in functions whose names hold a keyword; they are read where a parenthesis follows."""
_TYPES = _book(
    frozenset(
        {
            "date and time",
            "day time duration",
            "days and time duration",
            "year month duration",
            "years and months duration",
        }
    )
)
_TYPE_ALIASES = {
    "day time duration": "days and time duration",
    "year month duration": "years and months duration",
}

# The parser

_OR, _AND, _COMPARE, _ADD, _MULTIPLY, _POWER, _POSTFIX = 1, 2, 3, 4, 5, 6, 9
_POWERS = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(("=", "!=", "<", ">", "<=", ">=", "between", "in", "instance"), _COMPARE),
    "+": _ADD,
    "-": _ADD,
    "*": _MULTIPLY,
    "/": _MULTIPLY,
    "**": _POWER,
    ".": _POSTFIX,
    "[": _POSTFIX,
    "(": _POSTFIX,
}
_SAME_POWER = {"+": ("+", "-"), "-": ("+", "-"), "*": ("*", "/"), "/": ("*", "/"), "**": ("**",)}
_COMPARISONS = frozenset({"=", "!=", "<", ">", "<=", ">="})
_CONSTANTS = {"true": True, "false": False, "null": None}


class _Parser:
    """A precedence-climbing parser over the tokens of one text."""

    def __init__(self, text: str, variables: Iterable[str] = (), members: Iterable[str] = ()) -> None:
        if len(text) > MAX_EXPRESSION:
            raise LimitExceeded(f"an expression longer than {MAX_EXPRESSION} characters", expression=text[:200])
        self.text = text
        self.tokens = _tokens(text)
        self.token = self.tokens[0]
        self.index = 0
        self.depth = 0
        self.work = 20 * len(self.tokens) + 200
        self.at_range_end = False
        self.uses_input = False
        self.filters = 0
        self.members = [_book(frozenset(name for name in members if not is_plain(name))), NameBook()]
        self.variables = [NameBook(), _book(frozenset(name for name in variables if not is_plain(name)))]
        self.declared: list[Declared] = []

    # Moving over tokens

    def fail(self, message: str, token: Token | None = None) -> FeelSyntaxError:
        """Return the error of a token, by default of the present one."""
        token = token or self.token
        return FeelSyntaxError(message, expression=self.text, start=token.start, end=token.end)

    def unexpected(self) -> FeelSyntaxError:
        """Return the error of a token that cannot stand here."""
        return self.fail(f"unexpected {self.token.text!r}" if self.token.text else "unexpected end")

    def advance(self) -> Token:
        """Step over the present token and return it.

        Raises:
            LimitExceeded: The text was read again and again without becoming clear.
        """
        token = self.token
        if token.kind != "end":
            self.index += 1
            self.token = self.tokens[self.index]
        self.work -= 1
        if self.work < 0:
            raise LimitExceeded("the expression is too ambiguous", expression=self.text)
        return token

    def go_to(self, index: int) -> None:
        """Go to a token."""
        self.index = index
        self.token = self.tokens[index]

    def next_is(self, text: str) -> bool:
        """Tell whether the token after the present one is this symbol."""
        return self.index + 1 < len(self.tokens) and self.tokens[self.index + 1].text == text

    def skip(self, text: str) -> bool:
        """Step over the present token if it is this word or symbol."""
        if self.token.text == text:
            self.advance()
            return True
        return False

    def expect(self, text: str) -> Token:
        """Step over this word or symbol, which must stand here."""
        if self.token.text != text:
            found = repr(self.token.text) if self.token.text else "the end"
            raise self.fail(f"expected {text!r}, found {found}")
        return self.advance()

    @property
    def last_end(self) -> int:
        """The end of the token before the present one."""
        return self.tokens[self.index - 1].end if self.index else 0

    # Names

    def declared_name(self, books: Iterable[NameBook], following: str | None = None) -> str | None:
        """Step over one of these names, the longest that stands here (and is followed by a symbol, if one is told)."""
        found, most, steps = None, 0, 0
        for book in books:
            for length, names in book.names.get(self.token.text, {}).items():
                end = self.index + length
                if length > most and end < len(self.tokens) and following in (None, self.tokens[end].text):
                    steps += length
                    entry = names.get(" ".join(token.text for token in self.tokens[self.index : end]))
                    if entry is not None and entry.times:
                        found, most = entry.name, length
        self.work -= steps // 2
        if found is not None:
            self.go_to(self.index + most)
        return found

    def words(self) -> str:
        """Step over a word and the words and integers that follow it, up to a keyword or symbol."""
        first = self.advance()
        if self.token.kind not in ("word", "number"):
            return first.text
        found = [first.text]
        while (self.token.kind == "word" and self.token.text not in KEYWORDS) or self.token.text.isdecimal():
            found.append(self.advance().text)
        return " ".join(found)

    def member(self) -> str:
        """Read the name after a point; a keyword may be one."""
        name = self.declared_name(self.members)
        if name is not None:
            return name
        if self.token.kind != "word":
            raise self.fail("expected a name")
        return self.words()

    def new_name(self, *stops: str) -> str:
        """Read a name being declared, which may hold any word and name symbol, up to one of `stops`."""
        start = self.token.start
        if self.token.kind != "word":
            raise self.fail("expected a name")
        self.advance()
        while self.token.text not in stops:
            if self.token.kind not in ("word", "number") and self.token.text not in _NAME_SYMBOLS:
                raise self.fail(f"expected {' or '.join(map(repr, stops))}")
            self.advance()
        return clean_name(self.text[start : self.last_end])

    def declare(self, name: str) -> None:
        """Make a name readable as a variable from here on, until `forget`."""
        if not is_plain(name):
            self.declared.append(self.variables[0].add(name))

    def forget(self, count: int) -> None:
        """Take back all names but the first so many that were declared."""
        while len(self.declared) > count:
            self.declared.pop().times -= 1

    # Expressions

    def whole(self) -> Node:
        """Read the whole text as one expression."""
        node = self.expression()
        if self.token.kind != "end":
            raise self.unexpected()
        return node

    def expression(self, power: int = 0) -> Node:
        """Read an expression whose operators bind tighter than `power`."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise LimitExceeded(f"nested deeper than {MAX_NESTING}", expression=self.text, start=self.token.start, end=self.token.end)
        left = self.prefix()
        height = self.depth
        while True:
            operator = self.token.text
            binding = _POWERS.get(operator)
            if binding is None or binding <= power:
                break
            if operator == "[" and self.at_range_end:
                filtered = self.filter_or_range_end(left)
                if filtered is None:
                    break
                left = filtered
            else:
                left = self.infix(left, operator, binding)
            height += 1
            if height > MAX_NESTING:
                raise LimitExceeded(f"nested deeper than {MAX_NESTING}", expression=self.text, start=left.start, end=left.end)
        self.depth -= 1
        return left

    def infix(self, left: Node, operator: str, binding: int) -> Node:
        """Read what follows an operator."""
        start = left.start
        if operator in _SAME_POWER:
            rest = []
            while self.token.text in _SAME_POWER[operator]:
                sign = self.advance().text
                rest.append((sign, self.expression(binding)))
            return Arithmetic(start, self.last_end, left, rest)
        if operator in _COMPARISONS:
            self.advance()
            right = self.expression(_COMPARE)
            return Comparison(start, right.end, operator, left, right)
        if operator in ("and", "or"):
            operands = [left]
            while self.skip(operator):
                operands.append(self.expression(binding))
            return Logic(start, self.last_end, operator, operands)
        if operator == ".":
            names = []
            while self.skip("."):
                names.append(self.member())
            return Path(start, self.last_end, left, names)
        if operator == "[":
            return self.filter(left)
        if operator == "(":
            return self.call(left)
        self.advance()
        if operator == "between":
            low = self.expression(_COMPARE)
            self.expect("and")
            high = self.expression(_COMPARE)
            return Between(start, high.end, left, low, high)
        if operator == "in":
            tests = self.tests_after_in()
            return In(start, self.last_end, left, tests)
        self.expect("of")
        return InstanceOf(start, self.last_end, left, self.type())

    def prefix(self) -> Node:
        """Read what an expression can begin with."""
        token = self.token
        if token.kind == "word":
            return self.word()
        if token.kind == "number":
            self.advance()
            value = NUMBERS.create_decimal(token.text)
            if not value.is_finite():
                raise self.fail("a number beyond 10^6144", token)
            return Literal(token.start, token.end, value)
        if token.kind == "string":
            self.advance()
            return Literal(token.start, token.end, _string(token, self.text))
        if token.text == "@":
            return self.at_literal()
        if token.text == "-":
            self.advance()
            operand = self.expression(_POWER)
            return Negation(token.start, operand.end, operand)
        if token.text in _COMPARISONS:
            return self.open_range()
        if token.text == "{":
            return self.bracketed(self.context)
        if token.text in ("(", "[", "]"):
            return self.bracketed(self.list_or_range)
        raise self.unexpected()

    def bracketed(self, read: Callable[[], T]) -> T:
        """Read something with brackets of its own, inside which `[` filters again."""
        outer, self.at_range_end = self.at_range_end, False
        found = read()
        self.at_range_end = outer
        return found

    def word(self) -> Node:
        """Read a keyword expression, a constant or a name."""
        token = self.token
        name = self.declared_name([*self.variables, *self.members] if self.filters else self.variables)
        name = name or self.declared_name((_FUNCTIONS,), "(")
        if name is not None:
            return Name(token.start, self.last_end, name)
        if token.text not in KEYWORDS:
            name = self.words()
            if name.startswith("not "):
                raise self.fail("write not(...)", token)
            if name == "?":
                self.uses_input = True
            return Name(token.start, self.last_end, name)
        if token.text in _CONSTANTS:
            self.advance()
            return Literal(token.start, token.end, _CONSTANTS[token.text])
        if token.text == "if":
            return self.conditional()
        if token.text in ("for", "some", "every"):
            return self.loop()
        if token.text == "function":
            return self.bracketed(self.function)
        raise self.unexpected()

    def at_literal(self) -> Node:
        """Read `@"2026-11-22"`."""
        start = self.advance().start
        token = self.token
        if token.kind != "string":
            raise self.fail("expected a string")
        self.advance()
        value = temporal.read_temporal(_string(token, self.text))
        if value is None:
            raise self.fail("not a date, time or duration", token)
        return Literal(start, token.end, value)

    def open_range(self) -> Node:
        """Read `< 5` as the range of what is smaller, and the like."""
        token = self.advance()
        end = self.expression(_COMPARE)
        if token.text in ("=", "!="):
            return RangeNode(token.start, end.end, end, end, True, True, token.text)
        if token.text in ("<", "<="):
            return RangeNode(token.start, end.end, None, end, None, token.text == "<=")
        return RangeNode(token.start, end.end, end, None, token.text == ">=", None)

    def conditional(self) -> Node:
        """Read `if ... then ... else ...`."""
        start = self.advance().start
        condition = self.expression()
        self.expect("then")
        yes = self.expression()
        self.expect("else")
        no = self.expression()
        return If(start, no.end, condition, yes, no)

    def loop(self) -> Node:
        """Read `for`, `some` and `every`."""
        keyword = self.advance()
        declared = len(self.declared)
        iterators = []
        while True:
            name = self.new_name("in")
            self.expect("in")
            source = self.expression()
            last = self.expression() if self.skip("..") else None
            iterators.append(Iterator(name, source, last))
            self.declare(name)
            if not self.skip(","):
                break
        self.expect("return" if keyword.text == "for" else "satisfies")
        body = self.expression()
        self.forget(declared)
        return Loop(keyword.start, body.end, keyword.text, iterators, body)

    def function(self) -> Node:
        """Read `function(a, b: number) ...`."""
        start = self.advance().start
        declared = len(self.declared)
        self.expect("(")
        parameters: list[tuple[str, TypeName | None]] = []
        while self.token.text != ")":
            token = self.token
            name = self.new_name(":", ",", ")")
            if any(name == other for other, _ in parameters):
                raise self.fail(f"the parameter {name!r} is declared twice", token)
            parameters.append((name, self.type() if self.skip(":") else None))
            self.declare(name)
            if not self.skip(","):
                break
        self.expect(")")
        if self.token.text == "external":
            raise self.fail("external functions are refused")
        body = self.expression()
        self.forget(declared)
        return FunctionNode(start, body.end, parameters, body)

    def context(self) -> Node:
        """Read `{key: value, ...}`; each entry sees those before it."""
        start = self.advance().start
        declared = len(self.declared)
        entries: dict[str, Node] = {}
        while self.token.text != "}":
            token = self.token
            if token.kind == "string":
                self.advance()
                key = _string(token, self.text)
            else:
                key = self.new_name(":")
            self.expect(":")
            if key in entries:
                raise self.fail(f"the entry {key!r} stands twice", token)
            self.declare(key)
            if not is_plain(key):
                self.members[1].add(key)
            entries[key] = self.expression()
            if not self.skip(","):
                break
        self.expect("}")
        self.forget(declared)
        return ContextNode(start, self.last_end, list(entries.items()))

    def list_or_range(self) -> Node:
        """Read `(a)`, `[a, b]`, `[a..b]`, `(a..b)`, `]a..b[` and the like."""
        opening = self.advance()
        if opening.text == "[" and self.skip("]"):
            return ListNode(opening.start, self.last_end, [])
        first = self.expression()
        if self.skip(".."):
            self.at_range_end = True
            high = self.expression()
            if self.token.text not in ("]", ")", "["):
                raise self.fail("expected the end of a range")
            closing = self.advance()
            return RangeNode(opening.start, closing.end, first, high, opening.text == "[", closing.text == "]")
        if opening.text == "(":
            self.expect(")")
            return first
        if opening.text == "]":
            raise self.fail("expected '..'")
        items = [first]
        while self.skip(","):
            items.append(self.expression())
        self.expect("]")
        return ListNode(opening.start, self.last_end, items)

    def filter(self, source: Node) -> Node:
        """Read `[condition]` after a value; inside, entries of the items are names, too."""
        return self.bracketed(lambda: self._filter(source))

    def _filter(self, source: Node) -> Node:
        self.expect("[")
        self.filters += 1
        condition = self.expression()
        self.filters -= 1
        self.expect("]")
        return Filter(source.start, self.last_end, source, condition)

    def filter_or_range_end(self, left: Node) -> Node | None:
        """Read a filter at the end of a range, or None when the bracket is the range's own, as in `[1..a[`."""
        if isinstance(left, Literal):
            return None
        index, depth, declared, filters, seen = self.index, self.depth, len(self.declared), self.filters, self.uses_input
        try:
            return self.filter(left)
        except FeelSyntaxError:
            self.go_to(index)
            self.forget(declared)
            self.depth, self.filters, self.uses_input, self.at_range_end = depth, filters, seen, True
            return None

    def call(self, function: Node) -> Node:
        """Read the arguments of a call, all by position or all by name."""
        return self.bracketed(lambda: self._call(function))

    def _call(self, function: Node) -> Node:
        self.expect("(")
        arguments: list[Node] = []
        names: list[str] | None = [] if self.at_argument_name() else None
        while self.token.text != ")":
            if names is not None:
                token = self.token
                name = self.new_name(":")
                if name in names:
                    raise self.fail(f"the argument {name!r} is given twice", token)
                names.append(name)
                self.expect(":")
            arguments.append(self.expression())
            if not self.skip(","):
                break
        self.expect(")")
        return Call(function.start, self.last_end, function, arguments, names)

    def at_argument_name(self) -> bool:
        """Tell whether a name and a colon follow."""
        index = self.index
        while self.tokens[index].kind in ("word", "number") or self.tokens[index].text in _NAME_SYMBOLS:
            index += 1
        return index > self.index and self.tokens[index].text == ":"

    # Types

    def type(self) -> TypeName:
        """Read a type: `number`, `list<string>`, `context<a: number>`, `function<number> -> string`, `tLoan.part`."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise LimitExceeded(f"nested deeper than {MAX_NESTING}", expression=self.text)
        start = self.token.start
        name = self.type_name()
        node = TypeName(start, self.last_end, name)
        if name in ("list", "range") and self.skip("<"):
            node.parts = [self.type()]
            self.expect(">")
        elif name == "context" and self.skip("<"):
            node.members = []
            while True:
                member = self.new_name(":")
                self.expect(":")
                node.members.append((member, self.type()))
                if not self.skip(","):
                    break
            self.expect(">")
        elif name == "function" and self.skip("<"):
            node.parameters = []
            while self.token.text != ">":
                node.parameters.append(self.type())
                if not self.skip(","):
                    break
            self.expect(">")
            self.expect("->")
            node.parts = [self.type()]
        node.end = self.last_end
        self.depth -= 1
        return node

    def type_name(self) -> str:
        """Read the name of a type."""
        known = self.declared_name((_TYPES,))
        if known is not None:
            return _TYPE_ALIASES.get(known, known)
        if self.token.kind != "word":
            raise self.fail("expected a type")
        name = self.advance().text if self.token.text == "function" else self.words()
        while self.skip("."):
            name += "." + self.member()
        return name

    # Unary tests

    def tests_after_in(self) -> list[Test]:
        """Read one test, or several in parentheses; a `?` in them is the value before `in`."""
        seen = self.uses_input
        tests: list[Test] = []
        if self.token.text == "(":
            index, depth, declared, filters = self.index, self.depth, len(self.declared), self.filters
            try:
                tests = self.tests_in_parentheses()
            except FeelSyntaxError:
                self.go_to(index)
                self.forget(declared)
                self.depth, self.filters, self.at_range_end = depth, filters, False
        if not tests:
            tests = [self.test(_COMPARE)]
        self.uses_input = seen
        return tests

    def tests_in_parentheses(self) -> list[Test]:
        """Read `(test, test)`."""
        self.expect("(")
        tests = self.bracketed(self.tests)
        self.expect(")")
        return tests

    def tests(self) -> list[Test]:
        """Read tests separated by commas."""
        tests = [self.test(0)]
        while self.skip(","):
            tests.append(self.test(0))
        return tests

    def test(self, power: int) -> Test:
        """Read one positive unary test."""
        token = self.token
        if token.text in _COMPARISONS:
            self.advance()
            operand = self.expression(_COMPARE)
            return Test(token.start, operand.end, token.text, operand, False)
        outer, self.uses_input = self.uses_input, False
        operand = self.expression(power)
        uses_input, self.uses_input = self.uses_input, outer or self.uses_input
        return Test(token.start, operand.end, "", operand, uses_input)

    def whole_tests(self) -> Tests:
        """Read the whole text as the unary tests of a cell."""
        end = len(self.text)
        if self.token.kind == "end" or (self.token.text == "-" and len(self.tokens) == 2):
            return Tests(0, end, [], False)
        if self.token.text == "not" and self.next_is("("):
            try:
                self.advance()
                tests = self.tests_in_parentheses()
                if self.token.kind == "end":
                    return Tests(0, end, tests, True)
            except FeelSyntaxError:
                pass
            self.go_to(0)
            self.depth, self.uses_input, self.at_range_end = 0, False, False
        tests = self.tests()
        if self.token.kind != "end":
            raise self.unexpected()
        return Tests(0, end, tests, False)


def parse(text: str, variables: Iterable[str] = (), members: Iterable[str] = ()) -> Node:
    """Return the tree of an expression.

    Args:
        text: At most MAX_EXPRESSION characters.
        variables: Names in scope; only those that hold a keyword or symbol matter.
        members: Names that entries of contexts may have; likewise.

    Raises:
        FeelSyntaxError: The text is not FEEL; it knows where.
        LimitExceeded: The text is too long or nested too deeply.
    """
    return _guarded(text, lambda: _Parser(text, variables, members).whole())


def parse_unary(text: str, variables: Iterable[str] = (), members: Iterable[str] = ()) -> Tests:
    """Return the tree of unary tests, the text of an input cell; see `parse`."""
    tree = _guarded(text, lambda: _Parser(text, variables, members).whole_tests())
    assert isinstance(tree, Tests)
    return tree


def _guarded(text: str, read: Callable[[], Node]) -> Node:
    try:
        return read()
    except RecursionError:
        raise LimitExceeded("nested too deeply", expression=text[:MAX_EXPRESSION]) from None
    except FeelError as error:
        error.expression = error.expression or text
        raise


def children(node: Node) -> Sequence[Node]:
    """Return the direct parts of a node, in order; types are not among them."""
    match node:
        case Path(source=source):
            return [source]
        case Negation(operand=operand) | Test(operand=operand):
            return [operand]
        case Arithmetic(first=first, rest=rest):
            return [first, *(operand for _, operand in rest)]
        case Comparison(left=left, right=right):
            return [left, right]
        case Between(value=value, low=low, high=high):
            return [value, low, high]
        case In(value=value, tests=tests):
            return [value, *tests]
        case InstanceOf(value=value):
            return [value]
        case Logic(operands=operands):
            return operands
        case If(condition=condition, yes=yes, no=no):
            return [condition, yes, no]
        case Loop(iterators=iterators, body=body):
            ends = [end for each in iterators for end in (each.source, each.last) if end is not None]
            return [*ends, body]
        case FunctionNode(body=body):
            return [body]
        case ContextNode(entries=entries):
            return [value for _, value in entries]
        case ListNode(items=items):
            return items
        case RangeNode(low=low_end, high=high_end):
            return [end for end in (low_end, None if high_end is low_end else high_end) if end is not None]
        case Filter(source=source, condition=condition):
            return [source, condition]
        case Call(function=function, arguments=arguments):
            return [function, *arguments]
        case Tests(tests=cell):
            return cell
    return []
