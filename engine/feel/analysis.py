"""What can be said about a decision table without running it: overlaps, gaps, rules that never count, values that do not fit.

The values of each input are cut into pieces at every constant that a cell names: below the least, the least itself, what
lies between it and the next, and so on. The evaluator itself says which pieces a cell accepts, by a value of each. A cell
that is not made of constants may accept anything: what is told about it is told only when it is sure all the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, pairwise
from operator import xor
from typing import NamedTuple

from engine.feel import dmn, kinds, operators, parser
from engine.feel.decisions import ItemType, Model
from engine.feel.environment import Environment, Limits, Root, Run, Scope
from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.evaluator import Compiler, Frame
from engine.feel.kinds import MISFIT
from engine.feel.lint import Bound, free
from engine.feel.temporal import MILLISECOND, Date, DateTime, Duration, Months, Time
from engine.feel.values import NUMBERS, Function, Range, Value, kind

MAX_PAIRS = 500_000
"""Pairs of rules that are compared in one table."""
MAX_WORK = 80_000
"""Combinations of pieces that are looked at in one table for gaps, and as many for rules that come too late."""
MAX_CELLS = 2_000
"""Input cells of one table; a larger one is checked cell by cell where it runs, and not analysed whole."""
MAX_TESTS = 200_000
"""Tests times pieces of one table, and steps of its constants; a larger one is not analysed."""
MAX_CONSTANTS = 2_000
"""Of one input."""
MAX_TOLD = 20
"""Findings of a kind in one table."""
MAX_GAPS = 5
_CHANGING = frozenset({"now", "today"})


class Finding(NamedTuple):
    """Something about a table.

    Attributes:
        kind: "overlap": two rules match the same values under UNIQUE. "conflict": under ANY, with different results.
            "gap": values that no rule matches. "never": no value that is allowed matches a rule. "unreachable": under
            FIRST earlier rules match everything that this one does. "not listed": a result is not among the values of
            its output. "no order": PRIORITY or OUTPUT ORDER without the values of an output. "type": a constant is not
            of the type of its column. "nothing": a constant that has no value, such as 30 February. "aggregation":
            several outputs, or results that are no numbers, under an aggregation. "too large": not all was looked at.
        rules: Their numbers from 1.
        column: The text of the column or the name of the output, when one is meant.
        text: The values, or the cell, as FEEL.
        is_sure: Whether inputs exist for which it happens; otherwise only if the columns do not depend on each other.
    """

    kind: str
    rules: tuple[int, ...] = ()
    column: str = ""
    text: str = ""
    is_sure: bool = True


def tables(box: dmn.Box | None) -> Iterator[dmn.TableBox]:
    """Yield every decision table in a boxed expression."""
    match box:
        case dmn.TableBox():
            yield box
        case dmn.ContextBox(entries=entries):
            for entry in entries:
                yield from tables(entry.value)
        case dmn.InvocationBox(function=function, arguments=arguments):
            for inner in (function, *(argument for _, argument in arguments)):
                yield from tables(inner)
        case dmn.ListBox(items=items):
            for inner in items:
                yield from tables(inner)
        case dmn.RelationBox(rows=rows):
            for row in rows:
                for inner in row:
                    yield from tables(inner)
        case dmn.FunctionBox(body=inner):
            yield from tables(inner)
        case dmn.ConditionalBox(condition=condition, yes=yes, no=no):
            for inner in (condition, yes, no):
                yield from tables(inner)
        case dmn.FilterBox(source=source, match=match):
            for inner in (source, match):
                yield from tables(inner)
        case dmn.LoopBox(source=source, body=body):
            for inner in (source, body):
                yield from tables(inner)


def analyse(table: dmn.TableBox, model: Model) -> list[Finding]:
    """Return what is odd about a table, the most telling first; never more than a few findings of each kind."""
    return _Analysis(table, model).findings()


class _TooLarge(Exception):
    """The table is larger than can be looked at in a moment."""


class _Cell(NamedTuple):
    """What a cell accepts: the pieces that it surely does, and those that it may, as bits."""

    sure: int
    possible: int
    text: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it is made of constants."""
        return self.sure == self.possible

    def holds(self, other: "_Cell") -> bool:
        """Tell whether it accepts whatever another one does."""
        return self.sure | other.possible == self.sure


class _Piece(NamedTuple):
    """A part of the values of an input, all of which the constant cells treat alike.

    Attributes:
        sample: One of them.
        low, high: Its ends, None where it has none; equal for a single value.
        is_rest: Whether it is every text that no cell names.
    """

    sample: Value
    low: Value = None
    high: Value = None
    is_rest: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it is one value."""
        return not self.is_rest and self.low is not None and self.low == self.high


class _Input:
    """The columns that ask the same expression, and the pieces of its values.

    Attributes:
        pieces: Those of one kind of value stand together, in order if it has one; the last is null.
        kinds: Of each kind, where its pieces begin and end, and whether what lies between constants is alike.
        places: The place of each constant.
        domain: The pieces that are allowed, without null.
        is_plain: Whether it is read as it is given, so that every value can occur; what is computed may never be some.
        rules: Of each rule, what its cells in these columns accept.
    """

    def __init__(self, analysis: "_Analysis", text: str, columns: list[int]) -> None:
        table = analysis.table
        self.text = text
        self.type = next((found for column in columns if (found := table.inputs[column].expression.type)), None)
        trees = [[analysis.tests(tests[column]) for tests, _ in table.rules] for column in columns]
        limits = [analysis.tests(values) for column in columns if (values := table.inputs[column].values)]
        limits += analysis.allowed(self.type)
        constants = [value for tree in (*(tree for column in trees for tree in column), *limits) for value in analysis.constants(tree)]
        self.is_ordered = any(_orders(tree) for tree in (*(tree for column in trees for tree in column), *limits))
        self.is_plain = True
        self.is_instant = analysis.base(self.type) == "date and time"
        self.pieces: list[_Piece] = []
        self.kinds: list[tuple[int, int, bool]] = []
        self._cut(constants, analysis.base(self.type) == "boolean")
        self.pieces.append(_Piece(None))
        self.places = {self._constant(piece.low): place for place, piece in enumerate(self.pieces) if piece.is_single}
        self.null = 1 << (len(self.pieces) - 1)
        self.domain = self.null - 1
        for limit in limits:
            self.domain &= analysis.accepted(limit, self).possible
        cells = [[analysis.accepted(tree, self) for tree in column] for column in trees]
        self.rules = [
            _Cell(
                _all_of(cells[place][number].sure for place in range(len(columns))),
                _all_of(cells[place][number].possible for place in range(len(columns))),
                "; ".join(table.rules[number][0][column] for column in columns),
            )
            for number in range(len(table.rules))
        ]

    def _constant(self, value: Value) -> tuple[type, Value]:
        """Return a constant as it is told from others: a day beside instants is its midnight, and true is not 1."""
        if self.is_instant and type(value) is Date:
            value = DateTime(value.days, 0, None)
        return type(value), value

    def _cut(self, constants: Sequence[Value], is_boolean: bool) -> None:
        """Cut the values at the constants, each kind of value by itself."""
        if len(constants) > MAX_CONSTANTS:
            raise _TooLarge
        by_kind: dict[type, dict[Value, None]] = {}
        for value in constants:
            if value is not None:
                each, known = self._constant(value)
                by_kind.setdefault(each, {})[known] = None
        if is_boolean or bool in by_kind:
            by_kind[bool] = {False: None, True: None}
        if not by_kind:
            self.pieces.append(_Piece(_ANYTHING))
            self.kinds.append((0, 1, False))
        for each, found in by_kind.items():
            values, begin = list(found), len(self.pieces)
            is_ordered = each in _BETWEEN and (each is not str or self.is_ordered)
            if is_ordered:
                steps = _steps(values)
                is_ordered = steps is not None
                self.pieces += steps or [_Piece(value, value, value) for value in values]
            else:
                self.pieces += [_Piece(value, value, value) for value in values]
                if each is str:
                    self.pieces.append(_Piece(_other_text(values), is_rest=True))
            self.kinds.append((begin, len(self.pieces), is_ordered))

    def alike(self, constants: Iterable[Value]) -> Iterator[tuple[int, int]]:
        """Yield groups of pieces that a test with these constants cannot tell apart: the place of one, and all as bits."""
        own = sorted({self.places[key] for key in map(self._constant, constants) if key in self.places})
        for begin, end, is_ordered in self.kinds:
            named = [place for place in own if begin <= place < end]
            yield from ((place, 1 << place) for place in named)
            if is_ordered:
                for low, high in pairwise([begin - 1, *named, end]):
                    if low + 1 < high:
                        yield low + 1, (1 << high) - (1 << (low + 1))
            else:
                others = [place for place in range(begin, end) if place not in set(named)]
                if others:
                    yield others[-1], sum(1 << place for place in others)
        yield len(self.pieces) - 1, self.null

    def describe(self, pieces: int) -> str:
        """Return the values of pieces as FEEL; empty when they are all that is allowed."""
        if pieces & self.domain == self.domain:
            return ""
        run = _run()
        texts: list[str] = []
        group: list[_Piece] = []
        for place, piece in enumerate([*self.pieces, _Piece(None, is_rest=True)]):
            here = place < len(self.pieces) and bool(pieces >> place & 1)
            follows = here and bool(group) and not piece.is_rest and piece.low is not None and group[-1].high == piece.low and self.is_range(piece)
            if group and not follows:
                texts.append(_written(group, run))
                group = []
            if here and piece.is_rest:
                named = ", ".join(operators.text_of([each.low], run)[1:-1] for each in self.pieces if each.is_single and type(each.low) is str)
                texts.append(f"not({named})")
            elif here:
                group.append(piece)
        return ", ".join(texts)

    def is_range(self, piece: _Piece) -> bool:
        """Tell whether a piece may be joined with the one before it."""
        return type(piece.sample) is not bool and (type(piece.sample) is not str or self.is_ordered)


_ANYTHING = "\ue000"
"""A value that no constant is equal to."""


def _other_text(named: Sequence[Value]) -> str:
    """Return a text that is not among these."""
    other = _ANYTHING
    while other in named:
        other += _ANYTHING
    return other


def _between_numbers(low: Value, high: Value) -> Value:
    return NUMBERS.divide(NUMBERS.add(low, high), Decimal(2))


def _between_texts(low: Value, high: Value) -> Value:
    return low + "\x01"


def _between_days(low: Value, high: Value) -> Value:
    return Date((low.days + high.days) // 2)


def _between_times(low: Value, high: Value) -> Value:
    return Time(low.nanos + MILLISECOND, low.zone)


def _between_instants(low: Value, high: Value) -> Value:
    nanos = low.nanos + MILLISECOND
    return DateTime(low.days + nanos // _DAY, nanos % _DAY, low.zone)


_DAY = 86_400 * 10**9
_BETWEEN: dict[type, Callable[[Value, Value], Value]] = {
    Decimal: _between_numbers,
    str: _between_texts,
    Date: _between_days,
    Time: _between_times,
    DateTime: _between_instants,
    Duration: lambda low, high: Duration((low.nanos + high.nanos) // 2),
    Months: lambda low, high: Months((low.months + high.months) // 2),
}
"""A value between two neighbours; there is none when it is not between them."""
_BEYOND: dict[type, Callable[[Value, int], Value]] = {
    Decimal: lambda value, sign: NUMBERS.add(value, Decimal(sign) * max(Decimal(1), NUMBERS.abs(value))),
    str: lambda value, sign: value + "\x01" if sign > 0 else "",
    Date: lambda value, sign: Date(value.days + sign),
    Time: lambda value, sign: Time(min(max(value.nanos + sign * MILLISECOND, 0), _DAY - 1), value.zone),
    DateTime: lambda value, sign: DateTime(value.days + sign, value.nanos, value.zone),
    Duration: lambda value, sign: Duration(value.nanos + sign),
    Months: lambda value, sign: Months(value.months + sign),
}
"""A value beyond the first or last constant, if there is one."""


def _steps(values: list[Value]) -> list[_Piece] | None:
    """Cut an ordered kind of values at constants; None when they have no order, since some are local and some zoned."""
    run, each = _run(), type(values[0])
    if each in (Time, DateTime) and len({value.zone is None for value in values}) > 1:
        return None
    ordered = sorted(values, key=operators.ORDER_KEYS.get(each))
    least, most = ordered[0], ordered[-1]
    pieces: list[_Piece] = []
    below, above = _BEYOND[each](least, -1), _BEYOND[each](most, 1)
    if operators.ordered("<", below, least, run) is True:
        pieces.append(_Piece(below, None, least))
    for low, high in pairwise(ordered):
        pieces.append(_Piece(low, low, low))
        middle = _BETWEEN[each](low, high)
        if operators.ordered("<", low, middle, run) is True and operators.ordered("<", middle, high, run) is True:
            pieces.append(_Piece(middle, low, high))
    pieces.append(_Piece(most, most, most))
    if operators.ordered("<", most, above, run) is True:
        pieces.append(_Piece(above, most, None))
    return pieces


def _written(group: list[_Piece], run: Run) -> str:
    """Return pieces that follow each other as one test."""
    first, last = group[0], group[-1]
    low, high = (operators.text_of([end], run)[1:-1] for end in (first.low, last.high))
    if first.sample is None:
        return "null"
    if first.is_single and last.is_single and first.low == last.low:
        return low
    if first.low is None and last.high is None:
        return "-"
    if first.low is None:
        return f"{'<=' if last.is_single else '<'} {high}"
    if last.high is None:
        return f"{'>=' if first.is_single else '>'} {low}"
    return f"{'[' if first.is_single else '('}{low}..{high}{']' if last.is_single else ')'}"


def _all_of(masks: Iterable[int]) -> int:
    result = -1
    for mask in masks:
        result &= mask
    return result


def _orders(tree: parser.Tests | None) -> bool:
    """Tell whether a test asks for an order, so that what lies between constants counts."""
    if tree is None:
        return False
    todo: list[parser.Node] = list(tree.tests)
    while todo:
        node = todo.pop()
        if isinstance(node, parser.RangeNode) or (isinstance(node, parser.Test) and node.operator in ("<", "<=", ">", ">=")):
            return True
        todo += parser.children(node)
    return False


class _Analysis:
    """One table being looked at."""

    def __init__(self, table: dmn.TableBox, model: Model) -> None:
        self.table = table
        self.model = model
        self.names = model.all_names
        self.count = len(table.rules)
        self.run = _run(MAX_TESTS)
        self.trees: dict[str, parser.Tests | None] = {}
        self.known_cells: dict[tuple[int, int], _Cell] = {}

    def findings(self) -> list[Finding]:
        """Return everything that is odd about the table."""
        found: list[Finding] = []
        try:
            found += self.outputs()
            if self.count * len(self.table.inputs) > MAX_CELLS:
                raise _TooLarge
            found += self.input_types()
            return found + self.rules()
        except (_TooLarge, LimitExceeded):
            return [*found, Finding("too large")]

    def rules(self) -> list[Finding]:
        """Look at the rules beside each other."""
        found: list[Finding] = []
        columns: dict[str, list[int]] = {}
        for place, column in enumerate(self.table.inputs):
            columns.setdefault(" ".join(column.expression.text.split()), []).append(place)
        inputs = [_Input(self, text, places) for text, places in columns.items()]
        is_sure = self.are_independent(inputs)
        found += list(self.never(inputs))[:MAX_TOLD]
        if self.table.hit_policy in ("UNIQUE", "ANY"):
            found += self.overlaps(inputs, is_sure)
        if self.table.hit_policy == "FIRST":
            found += list(self.unreachable(inputs))[:MAX_TOLD]
        has_default = any(output.default is not None for output in self.table.outputs)
        if self.table.hit_policy in ("UNIQUE", "ANY", "FIRST", "PRIORITY") and not has_default:
            found += self.gaps(inputs, is_sure)
        return found

    # Cells

    def tests(self, text: str) -> parser.Tests | None:
        """Return the tree of a cell, None for one that is not FEEL."""
        if text not in self.trees:
            try:
                self.trees[text] = parser.parse_unary(text.strip() or "-", self.names, self.model.member_names)
            except (FeelError, RecursionError):
                self.trees[text] = None
        return self.trees[text]

    def base(self, type_name: str | None) -> str:
        """Return the name of the built-in type that a type rests on; empty for any."""
        wanted = self.model.type(type_name, check_values=False)
        while isinstance(wanted, ItemType):
            if wanted.is_list or wanted.members:
                return ""
            wanted = wanted.base
        return "" if wanted is None else wanted.name

    def allowed(self, type_name: str | None) -> list[parser.Tests | None]:
        """Return the allowed values of a type of the model."""
        wanted = self.model.type(type_name)
        definition = getattr(wanted, "definition", None)
        if definition is None or definition.is_list or definition.members or not definition.allowed:
            return []
        return [self.tests(definition.allowed)]

    def constants(self, tree: parser.Tests | None) -> list[Value]:
        """Return the values that tests compare with, as far as they are written out."""
        if tree is None:
            return []
        found: list[Value] = []
        todo: list[Value] = []
        for test in tree.tests:
            if _is_constant(test.operand):
                todo.append(self.value(test.operand))
        for value in todo:
            if type(value) is list:
                todo += value
            elif type(value) is Range:
                todo += [value.low, value.high]
            elif type(value) not in (dict, Function):
                found.append(value)
        return found

    def value(self, node: parser.Node) -> Value:
        """Return the value of a node that needs nothing from outside; null where it has none.

        Raises:
            LimitExceeded: The constants of the table take too long.
        """
        try:
            return Compiler("", [Frame(["?"])]).compile(node)(Scope({"?": None}, None, Root(), self.run))
        except LimitExceeded:
            raise
        except (FeelError, RecursionError):
            return None

    def accepted(self, tree: parser.Tests | None, each: _Input) -> _Cell:
        """Return the pieces that tests accept."""
        everything = (1 << len(each.pieces)) - 1
        if tree is None or not all(_is_constant(test.operand) for test in tree.tests):
            return _Cell(0, everything)
        key = id(tree), id(each)
        if key not in self.known_cells:
            mask = 0
            compiler = Compiler("", [Frame(["?"])])
            code = compiler.compile(tree)
            for place, group in each.alike(self.constants(tree)):
                self.run.spend(compiler.size)
                if code(Scope({"?": each.pieces[place].sample}, None, Root(), self.run)) is True:
                    mask |= group
            self.known_cells[key] = _Cell(mask, mask)
        return self.known_cells[key]

    def are_independent(self, inputs: list[_Input]) -> bool:
        """Tell whether each column reads something of its own, so that any combination of values can occur."""
        seen: list[tuple[str, ...]] = []
        for each in inputs:
            try:
                tree = parser.parse(each.text, self.names, self.model.member_names)
            except (FeelError, RecursionError):
                return False
            each.is_plain = isinstance(tree, parser.Name) or (isinstance(tree, parser.Path) and isinstance(tree.source, parser.Name))
            paths = [name.path for name in free(tree, Bound(frozenset()))]
            if any(path[: len(other)] == other[: len(path)] for path in paths for other in seen):
                return False
            seen += paths
        return True

    # Outputs and types

    def outputs(self) -> list[Finding]:
        """Look at the results of the rules and the values listed for the outputs."""
        table, found = self.table, []
        is_ranked = table.hit_policy in ("PRIORITY", "OUTPUT ORDER")
        if is_ranked and all(output.values is None for output in table.outputs):
            found.append(Finding("no order"))
        if table.aggregation and table.aggregation != "COUNT" and len(table.outputs) > 1:
            found.append(Finding("aggregation", text=table.aggregation))
        for column, output in enumerate(table.outputs):
            wanted, name = self.model.type(output.type), output.name or output.label
            listed = None if output.values is None else self.written(f"[{output.values}]")[1]
            for number, (_, cells) in enumerate(table.rules, 1):
                is_known, value = self.written(cells[column])
                if is_known and value is None and cells[column].strip() != "null":
                    found.append(Finding("nothing", (number,), name, cells[column].strip()))
                if not is_known or value is None:
                    continue
                self.run.spend(len(listed) if type(listed) is list else 1)
                if kinds.convert(value, wanted, self.run) is MISFIT:
                    found.append(Finding("type", (number,), name, cells[column].strip()))
                elif type(listed) is list and not any(operators.passes(value, one, self.run) is True for one in listed):
                    found.append(Finding("not listed", (number,), name, cells[column].strip()))
                elif table.aggregation == "SUM" and type(value) is not Decimal:
                    found.append(Finding("aggregation", (number,), name, cells[column].strip()))
        return found[:MAX_TOLD]

    def input_types(self) -> list[Finding]:
        """Look for constants in cells that are not of the type of their column."""
        found = []
        for column, each in enumerate(self.table.inputs):
            name = self.base(each.expression.type)
            for number, (tests, _) in enumerate(self.table.rules, 1):
                if self.has_nothing(self.tests(tests[column])):
                    found.append(Finding("nothing", (number,), each.label or each.expression.text, tests[column]))
            if name in ("", "Any", "Null", "context", "list", "function", "range"):
                continue
            for number, (tests, _) in enumerate(self.table.rules, 1):
                wrong = [value for value in self.constants(self.tests(tests[column])) if value is not None and not _may_compare(value, name)]
                if wrong:
                    found.append(Finding("type", (number,), each.label or each.expression.text, tests[column]))
        return found[:MAX_TOLD]

    def has_nothing(self, tree: parser.Tests | None) -> bool:
        """Tell whether a test compares with a constant that has no value, and is not the word null."""
        for test in () if tree is None else tree.tests:
            if _is_constant(test.operand) and not _is_null(test.operand) and self.value(test.operand) is None:
                return True
        return False

    def written(self, text: str) -> tuple[bool, Value]:
        """Return whether a result is written out, and its value."""
        if not text.strip():
            return False, None
        try:
            tree = parser.parse(text, self.names, self.model.member_names)
        except (FeelError, RecursionError):
            return False, None
        return (True, self.value(tree)) if _is_constant(tree) else (False, None)

    # Rules

    def never(self, inputs: list[_Input]) -> Iterator[Finding]:
        """Yield rules that no value matches, as far as values are allowed."""
        for number in range(self.count):
            for each in inputs:
                if not each.rules[number].possible & (each.domain | each.null):
                    yield Finding("never", (number + 1,), each.text, each.rules[number].text)
                    break

    def overlaps(self, inputs: list[_Input], is_sure: bool) -> list[Finding]:
        """Return pairs of rules that match the same values."""
        found: list[Finding] = []
        pairs = 0
        for later in range(1, self.count):
            for earlier in range(later):
                pairs += 1
                if pairs > MAX_PAIRS:
                    return [*found, Finding("too large")]
                common, known = [], is_sure
                for each in inputs:
                    one, other = each.rules[earlier], each.rules[later]
                    known = known and one.is_known and other.is_known and (each.is_plain or one.holds(other) or other.holds(one))
                    both = (one.possible & other.possible if one.text == other.text else one.sure & other.sure) & (each.domain | each.null)
                    if not both:
                        break
                    common.append(both)
                else:
                    finding = self.overlap(earlier, later, inputs, common, known)
                    if finding is not None:
                        found.append(finding)
                        if len(found) >= MAX_TOLD:
                            return found
        return found

    def overlap(self, earlier: int, later: int, inputs: list[_Input], common: list[int], is_sure: bool) -> Finding | None:
        """Return what is wrong with two rules that match the same values; nothing under ANY when their results may be equal."""
        text = _region(inputs, common)
        if self.table.hit_policy == "UNIQUE":
            return Finding("overlap", (earlier + 1, later + 1), "", text, is_sure)
        for mine, theirs in zip(self.table.rules[earlier][1], self.table.rules[later][1], strict=True):
            (is_known, one), (also_known, other) = self.written(mine), self.written(theirs)
            if is_known and also_known and operators.equal(one, other, self.run) is not True:
                return Finding("conflict", (earlier + 1, later + 1), "", text, is_sure)
        return None

    def unreachable(self, inputs: list[_Input]) -> Iterator[Finding]:
        """Yield rules for which earlier ones leave nothing."""
        masks = [_rules_at(each, [cell.sure for cell in each.rules]) for each in inputs]
        budget = [MAX_WORK]
        for number in range(1, self.count):
            boxes = [each.rules[number].possible & (each.domain | each.null) for each in inputs]
            alone = any(all(box & each.rules[earlier].sure == box for box, each in zip(boxes, inputs, strict=True)) for earlier in range(number))
            if all(boxes) and (alone or _uncovered(boxes, masks, (1 << number) - 1, 1, budget) == []):
                yield Finding("unreachable", (number + 1,))
            if budget[0] < 0:
                yield Finding("too large")
                return

    def gaps(self, inputs: list[_Input], is_sure: bool) -> list[Finding]:
        """Return values that no rule matches."""
        masks = [_rules_at(each, [cell.possible for cell in each.rules]) for each in inputs]
        found = _uncovered([each.domain for each in inputs], masks, (1 << self.count) - 1, MAX_GAPS, [MAX_WORK])
        if found is None:
            return [Finding("too large")]
        return [Finding("gap", text=_region(inputs, region), is_sure=is_sure) for region in found]


def _rules_at(each: _Input, accepted: list[int]) -> list[int]:
    """Return of each piece which rules accept it, as bits."""
    turns = [0] * (len(each.pieces) + 1)
    for number, mask in enumerate(accepted):
        changes = mask ^ (mask << 1)
        while changes:
            lowest = changes & -changes
            turns[lowest.bit_length() - 1] ^= 1 << number
            changes ^= lowest
    return list(accumulate(turns[:-1], xor))


def _uncovered(boxes: list[int], masks: list[list[int]], rules: int, most: int, budget: list[int]) -> list[list[int]] | None:
    """Return regions, a set of pieces for each input, that none of the rules accepts.

    Args:
        boxes: Where to look: of each input, the pieces.
        masks: Of each input and piece, the rules that accept it.
        rules: The rules that are asked.
        most: How many regions are enough.
        budget: How many combinations may still be looked at; what is looked at is taken from it.

    Returns:
        At most so many; None when it would take too long.
    """
    found: list[list[int]] = []
    covered: set[tuple[int, int]] = set()

    def look(level: int, alive: int, region: list[int]) -> bool:
        """Tell whether to go on."""
        if not alive:
            found.append([*region, *boxes[level:]])
            return len(found) < most
        if level == len(boxes) or (level, alive) in covered:
            return True
        groups: dict[int, int] = {}
        for place, accepting in enumerate(masks[level]):
            if boxes[level] >> place & 1:
                left = alive & accepting
                groups[left] = groups.get(left, 0) | 1 << place
        budget[0] -= len(masks[level])
        if budget[0] < 0:
            return False
        before = len(found)
        for left in sorted(groups):
            if not look(level + 1, left, [*region, groups[left]]):
                return False
        if len(found) == before:
            covered.add((level, alive))
        return True

    is_finished = look(0, rules, [])
    return found if is_finished or found else None


def _region(inputs: list[_Input], pieces: list[int]) -> str:
    """Return the values of a region as FEEL, by input; empty for all values."""
    written = [(each, each.describe(mask)) for each, mask in zip(inputs, pieces, strict=True)]
    return "; ".join(f"{each.text}: {text}" for each, text in written if text)


def _is_constant(node: parser.Node) -> bool:
    """Tell whether a node always has the same value: nothing from outside, not the input, not the present."""
    if next(free(node, Bound(frozenset())), None) is not None:
        return False
    todo = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, parser.Name) and each.name in (*_CHANGING, "?"):
            return False
        todo += parser.children(each)
    return True


def _is_null(node: parser.Node) -> bool:
    return isinstance(node, parser.Literal) and node.value is None


def _may_compare(value: Value, name: str) -> bool:
    """Tell whether a value of a type may be equal to a constant or stand before it."""
    return kind(value) == name or {kind(value), name} == {"date", "date and time"}


def _run(steps: int = 100_000) -> Run:
    """Return a run for constants, which ask nothing of what surrounds them."""
    return Run(Environment(now=datetime(2026, 1, 1, tzinfo=UTC), limits=Limits(steps=steps)), False, None)
