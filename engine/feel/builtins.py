"""The built-in functions of FEEL (DMN 1.5, 10.3.4), and working days on top of the environment's calendar.

A function is written with the signature a modeller knows; `|` separates kinds, `?` marks a last parameter that may be
left out, `*` one that takes all remaining arguments. Its Python function gets the run and the values, and gives None
where FEEL gives null.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date as PythonDate
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
)
from functools import cmp_to_key
from typing import Any, TypeVar

from engine.feel import operators, patterns, temporal
from engine.feel.environment import Place, Run
from engine.feel.errors import (
    NO_RESULT,
    NULL_ARGUMENT,
    WRONG_ARGUMENTS,
    EnvironmentIncomplete,
    FeelError,
    HostFunctionFailed,
)
from engine.feel.temporal import MILLISECOND, NANOS, Date, DateTime, Duration, Months, Time
from engine.feel.values import NUMBERS, Function, Range, Value, kind

_KINDS: dict[str, frozenset[type]] = {
    "null": frozenset({type(None)}),
    "boolean": frozenset({bool}),
    "number": frozenset({Decimal}),
    "string": frozenset({str}),
    "date": frozenset({Date}),
    "time": frozenset({Time}),
    "date and time": frozenset({DateTime}),
    "duration": frozenset({Duration, Months}),
    "days and time duration": frozenset({Duration}),
    "range": frozenset({Range}),
    "list": frozenset({list}),
    "context": frozenset({dict}),
    "function": frozenset({Function}),
}
_UNFIT = object()


class Overload:
    """One signature of a built-in function with the Python function behind it.

    Attributes:
        names: The parameters.
        kinds: Of each, the classes of values it takes; None for any, null included.
        required: How many arguments there must be at least.
        is_variadic: Whether the last parameter takes all remaining arguments.
    """

    __slots__ = ("function", "is_variadic", "kinds", "names", "required")

    def __init__(self, signature: str, function: Callable[..., Value]) -> None:
        self.names: list[str] = []
        self.kinds: list[frozenset[type] | None] = []
        self.required = 0
        self.is_variadic = False
        self.function = function
        for parameter in filter(None, signature.split(", ")):
            name, _, kinds = parameter.partition(": ")
            if name.startswith("*"):
                self.is_variadic = True
                name = name[1:]
            elif not kinds.endswith("?"):
                self.required += 1
            alternatives = kinds.rstrip("?").split("|")
            classes = frozenset().union(*(_KINDS[each] for each in alternatives if each != "any"))
            self.names.append(name)
            self.kinds.append(None if "any" in alternatives else classes)

    def fit(self, arguments: list[Value], *, ignore_null: bool = False) -> list[Value] | None:
        """Return the arguments, implicitly converted (DMN 1.5, 10.3.2.9.4), or None when they do not fit."""
        if self.is_variadic:
            fixed = len(self.names) - 1
            if len(arguments) <= fixed:
                return None
            kinds = self.kinds[:fixed] + [self.kinds[-1]] * (len(arguments) - fixed)
        elif self.required <= len(arguments) <= len(self.names):
            kinds = self.kinds
        else:
            return None
        fitted = []
        for value, classes in zip(arguments, kinds, strict=False):
            if classes is not None and type(value) not in classes:
                value = None if value is None and ignore_null else _converted(value, classes)
                if value is _UNFIT:
                    return None
            fitted.append(value)
        return fitted

    def in_order(self, arguments: dict[str, Value]) -> list[Value] | None:
        """Return named arguments by position, or None when a name is unknown or missing."""
        if not arguments.keys() <= set(self.names) or not arguments.keys() >= set(self.names[: self.required]):
            return None
        if self.is_variadic:
            if arguments.keys() != set(self.names):
                return None
            last = arguments[self.names[-1]]
            return [arguments[name] for name in self.names[:-1]] + (last if type(last) is list else [last])
        return [arguments[name] for name in self.names if name in arguments]


def _converted(value: Value, classes: frozenset[type]) -> Value:
    if value is None:
        return _UNFIT
    if list in classes:
        return [value]
    if type(value) is list and len(value) == 1:
        item = value[0]
        return item if type(item) in classes and item is not None else _UNFIT
    if type(value) is Date and DateTime in classes:
        return DateTime(value.days, 0, 0)
    return _UNFIT


class Builtin:
    """A built-in function with all its signatures."""

    __slots__ = ("name", "overloads")

    def __init__(self, name: str) -> None:
        self.name = name
        self.overloads: list[Overload] = []

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the first signature."""
        return tuple(self.overloads[0].names)

    def call(self, arguments: list[Value], run: Run, place: Place) -> Value:
        """Return the result for arguments by position; null is explained."""
        run.spend(2)
        for overload in self.overloads:
            fitted = overload.fit(arguments)
            if fitted is not None:
                return self._result(overload, fitted, run, place)
        return self._unfit([arguments], arguments, run, place)

    def call_named(self, arguments: dict[str, Value], run: Run, place: Place) -> Value:
        """Return the result for arguments by name; null is explained."""
        run.spend(2)
        orders = []
        for overload in self.overloads:
            ordered = overload.in_order(arguments)
            if ordered is None:
                continue
            orders.append(ordered)
            fitted = overload.fit(ordered)
            if fitted is not None:
                return self._result(overload, fitted, run, place)
        return self._unfit(orders, list(arguments.values()), run, place)

    def _result(self, overload: Overload, fitted: list[Value], run: Run, place: Place) -> Value:
        run.place = place
        try:
            result = overload.function(run, *fitted)
        except patterns.PatternError as error:
            run.note(NO_RESULT, place, "{}: {}", self.name, error)
            return None
        if result is None:
            run.note(NO_RESULT, place, "{} has no result for these arguments", self.name)
        return result

    def _unfit(self, orders: Iterable[list[Value]], given: list[Value], run: Run, place: Place) -> None:
        """Explain arguments that fit no signature."""
        for ordered in orders:
            if any(value is None for value in ordered) and any(overload.fit(ordered, ignore_null=True) is not None for overload in self.overloads):
                run.note(NULL_ARGUMENT, place, "{} is given null", self.name)
                return
        kinds = ", ".join(map(kind, given)) or "nothing"
        run.note(WRONG_ARGUMENTS, place, "{}({}) does not take {}", self.name, ", ".join(self.parameters), kinds)


BUILTINS: dict[str, Builtin] = {}
"""Every built-in function by name."""

F = TypeVar("F", bound=Callable[..., Value])


def builtin(name: str, *signatures: str) -> Callable[[F], F]:
    """Register a Python function as a built-in with these signatures."""

    def register(function: F) -> F:
        entry = BUILTINS.setdefault(name, Builtin(name))
        entry.overloads.extend(Overload(signature, function) for signature in signatures)
        return function

    return register


def whole(number: Decimal) -> int:
    """Return a number without its fraction; beyond 10^18 the size does not matter."""
    if number.adjusted() >= 18:
        return 10**18 if number > 0 else -(10**18)
    return int(number)


def _integer(number: Decimal) -> int | None:
    """Return a number that has no fraction, else None."""
    size = whole(number)
    return size if number.adjusted() >= 18 or size == number else None


# Conversion (10.3.4.1)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)


@builtin("number", "from: string", "from: string, grouping separator: string|null, decimal separator: string|null?")
def number(run: Run, text: str, grouping: str | None = None, point: str | None = None) -> Decimal | None:
    """Read a number."""
    if grouping not in (None, " ", ",", ".") or point not in (None, ".", ",") or (grouping and grouping == point):
        return None
    run.room_for_text(len(text))
    if grouping:
        text = text.replace(grouping, "")
    if point:
        text = text.replace(point, ".")
    value = NUMBERS.create_decimal(text.strip()) if _NUMBER.fullmatch(text.strip()) else None
    return value if value is not None and value.is_finite() else None


@builtin("string", "from: any")
def string(run: Run, value: Value) -> str | None:
    """Write any value but null."""
    return None if value is None else operators.text_of(value, run)


@builtin("date", "from: string", "from: date|date and time")
def date(run: Run, value: str | Date | DateTime) -> Date | None:
    """Read a date, or take it out of a date and time."""
    if isinstance(value, str):
        return temporal.read_date(value)
    return value if type(value) is Date else Date(value.days)


@builtin("date", "year: number, month: number, day: number")
def date_of(run: Run, year: Decimal, month: Decimal, day: Decimal) -> Date | None:
    """Put a date together."""
    days = temporal.day_number(whole(year), whole(month), whole(day))
    return None if days is None else Date(days)


@builtin("time", "from: string", "from: time|date and time", "from: date")
def time(run: Run, value: str | Time | DateTime | Date) -> Time | None:
    """Read a time, or take it out of a date and time; that of a date is midnight in UTC."""
    if isinstance(value, str):
        return temporal.read_time(value)
    if type(value) is DateTime:
        return Time(value.nanos, value.zone)
    return value if type(value) is Time else Time(0, 0)


@builtin("time", "hour: number, minute: number, second: number, offset: days and time duration|null?")
def time_of(run: Run, hour: Decimal, minute: Decimal, second: Decimal, offset: Duration | None = None) -> Time | None:
    """Put a time together."""
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    if offset is not None and abs(offset.nanos) > temporal.MAX_OFFSET * NANOS:
        return None
    nanos = int(NUMBERS.multiply(second, Decimal(NANOS)))
    nanos += (int(hour) * 60 + int(minute)) * 60 * NANOS
    return Time(nanos, None if offset is None else offset.nanos // NANOS)


@builtin("date and time", "from: string", "from: date and time")
def date_and_time(run: Run, value: str | DateTime) -> DateTime | None:
    """Read a date and time."""
    return temporal.read_date_time(value) if isinstance(value, str) else value


@builtin("date and time", "date: date|date and time, time: time")
def date_and_time_of(run: Run, day: Date | DateTime, clock: Time) -> DateTime:
    """Put a date and a time together."""
    return DateTime(day.days, clock.nanos, clock.zone)


@builtin("date and time", "date: date and time, timezone: string")
def date_and_time_in(run: Run, value: DateTime, zone: str) -> DateTime | None:
    """Show an instant in another zone."""
    return temporal.in_zone(value.instant, zone) if temporal.is_zone(zone) else None


@builtin(
    "date and time",
    "year: number, month: number, day: number, hour: number, minute: number, second: number, offset: days and time duration|null?",
)
def date_and_time_of_parts(
    run: Run,
    year: Decimal,
    month: Decimal,
    day: Decimal,
    hour: Decimal,
    minute: Decimal,
    second: Decimal,
    offset: Duration | None = None,
) -> DateTime | None:
    """Put a date and time together."""
    days = temporal.day_number(whole(year), whole(month), whole(day))
    clock = time_of(run, hour, minute, second, offset)
    return None if days is None or clock is None else DateTime(days, clock.nanos, clock.zone)


@builtin("duration", "from: string", "from: duration")
def duration(run: Run, value: str | Duration | Months) -> Duration | Months | None:
    """Read a duration."""
    return temporal.read_duration(value) if isinstance(value, str) else value


@builtin("years and months duration", "from: date|date and time, to: date|date and time")
def years_and_months_duration(run: Run, begin: Date | DateTime, end: Date | DateTime) -> Months:
    """Count the whole months from one day to another."""
    if end.days < begin.days:
        return Months(-_months(end.days, begin.days))
    return Months(_months(begin.days, end.days))


def _months(begin: int, end: int) -> int:
    (first_year, first_month, first_day), (year, month, day) = temporal.civil(begin), temporal.civil(end)
    return (year - first_year) * 12 + month - first_month - (day < first_day)


# Booleans (10.3.4.2)


@builtin("not", "negand: any")
def negation(run: Run, value: Value) -> bool | None:
    """Negate a boolean."""
    return operators.negated(value)


# Strings (10.3.4.3)


def _slice(size: int, position: Decimal, length: Decimal | None) -> tuple[int, int] | None:
    """Return begin and end of a part by a position that counts from 1, or from the end when it is negative."""
    begin = whole(position)
    if begin == 0 or (length is not None and length < 1):
        return None
    begin = begin - 1 if begin > 0 else max(size + begin, 0)
    return begin, size if length is None else begin + whole(length)


@builtin("substring", "string: string, start position: number, length: number|null?")
def substring(run: Run, text: str, position: Decimal, length: Decimal | None = None) -> str | None:
    """Take a part of a string by characters (code points)."""
    part = _slice(len(text), position, length)
    if part is None:
        return None
    found = text[part[0] : part[1]]
    run.room_for_text(len(found))
    return found


@builtin("string length", "string: string")
def string_length(run: Run, text: str) -> Decimal:
    """Count characters (code points)."""
    return Decimal(len(text))


@builtin("upper case", "string: string")
def upper_case(run: Run, text: str) -> str:
    """Write in capitals."""
    run.room_for_text(len(text))
    result = text.upper()
    run.room_for_text(len(result))
    return result


@builtin("lower case", "string: string")
def lower_case(run: Run, text: str) -> str:
    """Write in small letters."""
    run.room_for_text(len(text))
    result = text.lower()
    run.room_for_text(len(result))
    return result


@builtin("substring before", "string: string, match: string")
def substring_before(run: Run, text: str, match: str) -> str:
    """Take what stands before the first occurrence; empty when there is none."""
    run.room_for_text(len(text))
    found = text.find(match)
    return text[:found] if found > 0 else ""


@builtin("substring after", "string: string, match: string")
def substring_after(run: Run, text: str, match: str) -> str:
    """Take what stands after the first occurrence; empty when there is none."""
    run.room_for_text(len(text))
    found = text.find(match)
    return "" if found < 0 else text[found + len(match) :]


@builtin("contains", "string: string, match: string")
def contains(run: Run, text: str, match: str) -> bool:
    """Tell whether a string holds another."""
    run.room_for_text(len(text))
    return match in text


@builtin("starts with", "string: string, match: string")
def starts_with(run: Run, text: str, match: str) -> bool:
    """Tell whether a string begins with another."""
    run.room_for_text(len(match))
    return text.startswith(match)


@builtin("ends with", "string: string, match: string")
def ends_with(run: Run, text: str, match: str) -> bool:
    """Tell whether a string ends with another."""
    run.room_for_text(len(match))
    return text.endswith(match)


@builtin("matches", "input: string, pattern: string, flags: string|null?")
def matches(run: Run, text: str, pattern: str, flags: str | None = None) -> bool:
    """Tell whether a regular expression occurs in a string."""
    return patterns.matches(text, pattern, flags or "", run)


@builtin("replace", "input: string, pattern: string, replacement: string, flags: string|null?")
def replace(run: Run, text: str, pattern: str, replacement: str, flags: str | None = None) -> str | None:
    """Replace every match of a regular expression."""
    return patterns.replace(text, pattern, replacement, flags or "", run)


@builtin("split", "string: string, delimiter: string")
def split(run: Run, text: str, delimiter: str) -> list[str]:
    """Split at every match of a regular expression."""
    return patterns.split(text, delimiter, run)


@builtin("string join", "list: list, delimiter: string|null?")
def string_join(run: Run, items: list[Value], delimiter: str | None = None) -> str | None:
    """Join strings, leaving out nulls."""
    run.spend(len(items))
    texts = [item for item in items if item is not None]
    if any(type(item) is not str for item in texts):
        return None
    run.room_for_text(sum(map(len, texts)) + len(delimiter or "") * max(0, len(texts) - 1))
    return (delimiter or "").join(texts)


# Lists (10.3.4.4)


@builtin("list contains", "list: list, element: any")
def list_contains(run: Run, items: list[Value], element: Value) -> bool:
    """Tell whether a list holds a value."""
    run.spend(len(items))
    return any(operators.equal(item, element, run) is True for item in items)


@builtin("count", "list: list")
def count(run: Run, items: list[Value]) -> Decimal:
    """Count the items."""
    return Decimal(len(items))


def aggregate(name: str) -> Callable[[F], F]:
    """Register a function that takes one list, or its items as arguments."""

    def register(function: F) -> F:
        def of_one(run: Run, items: Value) -> Value:
            if items is None:
                return None
            items = items if type(items) is list else [items]
            run.spend(len(items))
            return function(run, items)

        def of_all(run: Run, *items: Value) -> Value:
            run.spend(len(items))
            return function(run, list(items))

        builtin(name, "list: any")(of_one)
        builtin(name, "*list: any")(of_all)
        return function

    return register


_COMPARABLE = frozenset({Decimal, str, Date, Time, DateTime, Duration, Months})


def _best(run: Run, items: list[Value], sign: str) -> Value:
    if not items or type(items[0]) not in _COMPARABLE:
        return None
    best = items[0]
    for item in items[1:]:
        better = operators.ordered(sign, item, best, run)
        if better is None:
            return None
        best = item if better else best
    return best


@aggregate("min")
def minimum(run: Run, items: list[Value]) -> Value:
    """Find the least."""
    return _best(run, items, "<")


@aggregate("max")
def maximum(run: Run, items: list[Value]) -> Value:
    """Find the greatest."""
    return _best(run, items, ">")


@aggregate("sum")
def total(run: Run, items: list[Value]) -> Value:
    """Add numbers, or durations of one kind."""
    if not items:
        return None
    result = items[0]
    for item in items:
        if type(item) not in (Decimal, Duration, Months):
            return None
    for item in items[1:]:
        result = operators.add(result, item)
    return result


@aggregate("mean")
def mean(run: Run, items: list[Value]) -> Value:
    """Average numbers, or durations of one kind."""
    result = total(run, items)
    return None if result is None else operators.divide(result, Decimal(len(items)))


def _are_numbers(items: list[Value]) -> bool:
    return bool(items) and all(type(item) is Decimal for item in items)


@aggregate("median")
def median(run: Run, items: list[Value]) -> Decimal | None:
    """Find the middle of numbers."""
    if not _are_numbers(items):
        return None
    items = sorted(items)
    middle = len(items) // 2
    if len(items) % 2:
        return items[middle]  # type: ignore[no-any-return]
    return NUMBERS.divide(NUMBERS.add(items[middle - 1], items[middle]), Decimal(2))


@aggregate("stddev")
def stddev(run: Run, items: list[Value]) -> Decimal | None:
    """Compute the sample standard deviation of two or more numbers."""
    if not _are_numbers(items) or len(items) < 2:
        return None
    middle = mean(run, items)
    if middle is None:
        return None
    squares = Decimal(0)
    for item in items:
        distance = NUMBERS.subtract(item, middle)
        squares = NUMBERS.add(squares, NUMBERS.multiply(distance, distance))
    return _finite(NUMBERS.sqrt(NUMBERS.divide(squares, Decimal(len(items) - 1))))


@aggregate("mode")
def mode(run: Run, items: list[Value]) -> list[Decimal] | None:
    """Find the most frequent numbers, in order."""
    if not items:
        return []
    if not _are_numbers(items):
        return None
    counts: dict[Decimal, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    most = max(counts.values())
    return sorted(item for item, times in counts.items() if times == most)


@aggregate("product")
def product(run: Run, items: list[Value]) -> Decimal | None:
    """Multiply numbers."""
    if not _are_numbers(items):
        return None
    result = Decimal(1)
    for item in items:
        result = NUMBERS.multiply(result, item)
    return _finite(result)


@aggregate("all")
def all_true(run: Run, items: list[Value]) -> bool | None:
    """Join booleans by `and`; true for none."""
    if any(item is False for item in items):
        return False
    return True if all(item is True for item in items) else None


@aggregate("any")
def any_true(run: Run, items: list[Value]) -> bool | None:
    """Join booleans by `or`; false for none."""
    if any(item is True for item in items):
        return True
    return False if all(item is False for item in items) else None


@builtin("sublist", "list: list, start position: number, length: number|null?")
def sublist(run: Run, items: list[Value], position: Decimal, length: Decimal | None = None) -> list[Value] | None:
    """Take a part of a list."""
    part = _slice(len(items), position, length)
    if part is None or abs(whole(position)) > len(items) or part[1] > len(items):
        return None
    run.room(part[1] - part[0])
    return items[part[0] : part[1]]


@builtin("append", "list: list, *item: any")
def append(run: Run, items: list[Value], *more: Value) -> list[Value]:
    """Put values at the end."""
    run.room(len(items) + len(more))
    return [*items, *more]


@builtin("concatenate", "*list: list")
def concatenate(run: Run, *lists: list[Value]) -> list[Value]:
    """Put lists behind each other."""
    run.room(sum(map(len, lists)))
    return [item for items in lists for item in items]


def _index(items: list[Value], position: Decimal) -> int | None:
    """Return the Python index of a position in a list, or None when there is none."""
    place = whole(position)
    if place == 0 or abs(place) > len(items):
        return None
    return place - 1 if place > 0 else len(items) + place


@builtin("insert before", "list: list, position: number, newItem: any")
def insert_before(run: Run, items: list[Value], position: Decimal, item: Value) -> list[Value] | None:
    """Insert a value at a position."""
    index = _index(items, position)
    run.room(len(items) + 1)
    return None if index is None else [*items[:index], item, *items[index:]]


@builtin("remove", "list: list, position: number")
def remove(run: Run, items: list[Value], position: Decimal) -> list[Value] | None:
    """Leave out the value at a position."""
    index = _index(items, position)
    run.room(len(items))
    return None if index is None else [*items[:index], *items[index + 1 :]]


@builtin("list replace", "list: list, position: number, newItem: any")
def list_replace(run: Run, items: list[Value], position: Decimal, item: Value) -> list[Value] | None:
    """Replace the value at a position."""
    index = _index(items, position)
    run.room(len(items))
    return None if index is None else [*items[:index], item, *items[index + 1 :]]


@builtin("list replace", "list: list, match: function, newItem: any")
def list_replace_where(run: Run, items: list[Value], match: Function, new: Value) -> list[Value] | None:
    """Replace the values for which a function of the item and the new value is true."""
    if len(match.parameters) != 2:
        return None
    run.room(len(items))
    place = run.place
    found = [match.invoke([item, new], place) for item in items]
    if any(type(each) is not bool for each in found):
        return None
    return [new if matched else item for matched, item in zip(found, items, strict=True)]


@builtin("reverse", "list: list")
def reverse(run: Run, items: list[Value]) -> list[Value]:
    """Turn a list round."""
    run.room(len(items))
    return items[::-1]


@builtin("index of", "list: list, match: any")
def index_of(run: Run, items: list[Value], match: Value) -> list[Decimal]:
    """Find the positions of a value."""
    run.spend(len(items))
    return [Decimal(place) for place, item in enumerate(items, 1) if operators.equal(item, match, run) is True]


def _key(value: Value) -> tuple[Any, ...] | None:
    """Return something to look values up by, equal for equal values; None for lists, contexts, ranges and functions."""
    kind_of = type(value)
    if kind_of in (DateTime, Time):
        return kind_of, value.zone is None, (value.instant if kind_of is DateTime else value.order) // MILLISECOND
    if kind_of in (list, dict, Range, Function):
        return None
    return kind_of, value


@builtin("distinct values", "list: list")
@builtin("union", "*list: list")
def union(run: Run, *lists: list[Value]) -> list[Value]:
    """Put lists behind each other and leave out what was there before."""
    run.room(sum(map(len, lists)))
    seen: set[tuple[Any, ...]] = set()
    found: list[Value] = []
    compound: list[Value] = []
    for items in lists:
        for item in items:
            run.spend(1 + (len(item) // 64 if type(item) is str else 0))
            key = _key(item)
            if key is None:
                run.spend(len(compound))
                if any(operators.equal(item, other, run) is True for other in compound):
                    continue
                compound.append(item)
            elif key in seen:
                continue
            else:
                seen.add(key)
            found.append(item)
    return found


@builtin("flatten", "list: list")
def flatten(run: Run, items: list[Value]) -> list[Value]:
    """Put the items of lists in lists into one."""
    flat: list[Value] = []
    _flatten(run, items, flat)
    return flat


def _flatten(run: Run, items: list[Value], flat: list[Value]) -> None:
    run.room(len(flat) + len(items))
    run.spend(len(items))
    for item in items:
        if type(item) is list:
            _flatten(run, item, flat)
        else:
            flat.append(item)


@builtin("sort", "list: list, precedes: function|null?")
def sort(run: Run, items: list[Value], precedes: Function | None = None) -> list[Value]:
    """Sort by a function that tells whether its first argument comes before its second, or in natural order."""
    run.room(len(items))
    run.spend(2 * len(items))
    if precedes is not None:
        before, place = precedes.invoke, run.place
        return sorted(items, key=cmp_to_key(lambda left, right: -1 if before([left, right], place) is True else 1))
    if _are_numbers(items):
        return sorted(items)

    def compare(left: Value, right: Value) -> int:
        run.spend(1)
        if operators.ordered("<", left, right, run):
            return -1
        return 1 if operators.ordered(">", left, right, run) else 0

    return sorted(items, key=cmp_to_key(compare))


# Numbers (10.3.4.5)


def _finite(value: Decimal) -> Decimal | None:
    return value if value.is_finite() else None


def _rounded(value: Decimal, scale: Decimal, mode: str) -> Decimal | None:
    places = whole(scale)
    if not -6111 <= places <= 6176:
        return None
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if places >= -exponent:
        return value
    return _finite(value.quantize(Decimal((0, (1,), -places)), mode, NUMBERS))


def _register_rounding() -> None:
    modes = {
        "decimal": (ROUND_HALF_EVEN, "n: number, scale: number"),
        "floor": (ROUND_FLOOR, "n: number, scale: number?"),
        "ceiling": (ROUND_CEILING, "n: number, scale: number?"),
        "round up": (ROUND_UP, "n: number, scale: number"),
        "round down": (ROUND_DOWN, "n: number, scale: number"),
        "round half up": (ROUND_HALF_UP, "n: number, scale: number"),
        "round half down": (ROUND_HALF_DOWN, "n: number, scale: number"),
    }
    for name, (mode, signature) in modes.items():

        def rounded(run: Run, value: Decimal, scale: Decimal | None = None, mode: str = mode) -> Decimal | None:
            return _rounded(value, Decimal(0) if scale is None else scale, mode)

        builtin(name, signature)(rounded)


_register_rounding()


@builtin("abs", "n: number", "n: duration")
def absolute(run: Run, value: Decimal | Duration | Months) -> Decimal | Duration | Months:
    """Drop the sign."""
    if isinstance(value, Decimal):
        return NUMBERS.abs(value)
    return Duration(abs(value.nanos)) if type(value) is Duration else Months(abs(value.months))


@builtin("modulo", "dividend: number, divisor: number")
def modulo(run: Run, dividend: Decimal, divisor: Decimal) -> Decimal | None:
    """Compute `dividend - divisor * floor(dividend / divisor)`."""
    if not divisor:
        return None
    quotient = NUMBERS.divide(dividend, divisor)
    floor = quotient.to_integral_value(ROUND_FLOOR, NUMBERS)
    return _finite(NUMBERS.subtract(dividend, NUMBERS.multiply(divisor, floor)))


@builtin("sqrt", "number: number")
def sqrt(run: Run, value: Decimal) -> Decimal | None:
    """Compute the square root."""
    run.spend(5)
    return None if value < 0 else NUMBERS.sqrt(value)


@builtin("log", "number: number")
def log(run: Run, value: Decimal) -> Decimal | None:
    """Compute the natural logarithm."""
    run.spend(30)
    return None if value <= 0 else NUMBERS.ln(value)


@builtin("exp", "number: number")
def exp(run: Run, value: Decimal) -> Decimal | None:
    """Compute the power of e."""
    run.spend(30)
    return _finite(NUMBERS.exp(value))


@builtin("odd", "number: number")
def odd(run: Run, value: Decimal) -> bool | None:
    """Tell whether a whole number is odd."""
    return None if _integer(value) is None else NUMBERS.remainder(value, Decimal(2)) != 0


@builtin("even", "number: number")
def even(run: Run, value: Decimal) -> bool | None:
    """Tell whether a whole number is even."""
    return None if _integer(value) is None else NUMBERS.remainder(value, Decimal(2)) == 0


# Dates and times (10.3.4.6 to 10.3.4.8)


@builtin("now", "")
def now(run: Run) -> DateTime:
    """Tell the instant of the environment, in its zone."""
    return run.environment.local_now


@builtin("today", "")
def today(run: Run) -> Date:
    """Tell the day of the environment, in its zone."""
    return Date(run.environment.local_now.days)


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _new_year(days: int) -> int:
    first = temporal.day_number(temporal.civil(days)[0], 1, 1)
    assert first is not None
    return first


@builtin("day of year", "date: date|date and time")
def day_of_year(run: Run, day: Date | DateTime) -> Decimal:
    """Count the days of the year."""
    return Decimal(day.days - _new_year(day.days) + 1)


@builtin("week of year", "date: date|date and time")
def week_of_year(run: Run, day: Date | DateTime) -> Decimal:
    """Tell the week by ISO 8601: that of its Thursday."""
    thursday = day.days - (day.days + 3) % 7 + 3
    return Decimal((thursday - _new_year(thursday)) // 7 + 1)


@builtin("day of week", "date: date|date and time")
def day_of_week(run: Run, day: Date | DateTime) -> str:
    """Name the day in English."""
    return _WEEKDAYS[(day.days + 3) % 7]


@builtin("month of year", "date: date|date and time")
def month_of_year(run: Run, day: Date | DateTime) -> str:
    """Name the month in English."""
    return _MONTH_NAMES[temporal.civil(day.days)[1] - 1]


@builtin("is", "value1: any, value2: any", "value1: any", "value2: any")
def is_same(run: Run, left: Value, right: Value = None) -> bool:
    """Tell whether two values are the same in kind, value and zone; one left out is null."""
    return operators.same(left, right, run)


# Working days, on top of the environment's calendar

_MAX_WORKING_DAYS = 10_000


def _is_working_day(run: Run, days: int) -> bool:
    calendar = run.environment.calendar
    if calendar is None:
        raise EnvironmentIncomplete("working days need a calendar")
    run.spend(5)
    day: PythonDate = temporal.to_date(Date(days))
    try:
        return bool(calendar.is_working_day(day))
    except FeelError:
        raise
    except Exception as error:
        raise HostFunctionFailed("the calendar of working days failed") from error


def _local(run: Run, value: Date | DateTime) -> Date | DateTime:
    """Return a date and time with a zone as the administration's clocks show it."""
    if type(value) is Date or value.zone is None:
        return value
    local = temporal.in_zone(value.instant, run.environment.zone_name)
    return value if local is None else local


@builtin("add working days", "date: date|date and time, days: number")
def add_working_days(run: Run, begin: Date | DateTime, number: Decimal) -> Date | DateTime | None:
    """Move by working days, forwards or backwards; the clock stays, and 0 changes nothing.

    A date and time with a zone is moved, and given back, in the zone of the environment.
    """
    wanted = _integer(number)
    if wanted is None or abs(wanted) > _MAX_WORKING_DAYS:
        return None
    begin = _local(run, begin)
    days, step = begin.days, 1 if wanted > 0 else -1
    try:
        while wanted:
            days += step
            if _is_working_day(run, days):
                wanted -= step
    except (ValueError, OverflowError):
        return None
    return Date(days) if type(begin) is Date else DateTime(days, begin.nanos, begin.zone)


@builtin("working days between", "from: date|date and time, to: date|date and time")
def working_days_between(run: Run, begin: Date | DateTime, end: Date | DateTime) -> Decimal | None:
    """Count the working days after the first day up to and including the last; negative when the last comes first.

    So `add working days(a, working days between(a, b))` is `b` whenever `b` is a working day.
    """
    first, last = _local(run, begin).days, _local(run, end).days
    if last < first:
        found = working_days_between(run, Date(last - 1), Date(first - 1))
        return None if found is None else NUMBERS.minus(found)
    try:
        return Decimal(sum(_is_working_day(run, days) for days in range(first + 1, last + 1)))
    except (ValueError, OverflowError):
        return None


# Contexts (10.3.4.9)


@builtin("get value", "m: context, key: string", "m: context, keys: list")
def get_value(run: Run, context: dict[str, Value], keys: str | list[Value]) -> Value:
    """Read an entry, or an entry of an entry."""
    found: Value = context
    for key in [keys] if isinstance(keys, str) else keys:
        run.spend(1)
        found = found.get(key) if type(found) is dict and type(key) is str else None
    return found


@builtin("get entries", "m: context")
def get_entries(run: Run, context: dict[str, Value]) -> list[Value]:
    """List the entries as contexts of key and value."""
    run.room(len(context))
    run.spend(3 * len(context))
    return [{"key": key, "value": value} for key, value in context.items()]


def _extended(run: Run, context: dict[str, Value], key: str, value: Value) -> dict[str, Value]:
    run.room(len(context) + 1)
    run.spend(len(context))
    return {**context, key: value}


@builtin("context put", "context: context, key: string, value: any")
def context_put(run: Run, context: dict[str, Value], key: str, value: Value) -> dict[str, Value]:
    """Return a context with one entry set."""
    return _extended(run, context, key, value)


@builtin("context put", "context: context, keys: list, value: any")
def context_put_deep(run: Run, context: dict[str, Value], keys: list[Value], value: Value) -> dict[str, Value] | None:
    """Return a context with an entry of an entry set; missing contexts on the way are made."""
    if not keys or any(type(key) is not str for key in keys):
        return None
    path = [context]
    for key in keys[:-1]:
        inner = path[-1].get(key, {})
        if type(inner) is not dict:
            return None
        path.append(inner)
    for inner, key in zip(reversed(path), reversed(keys), strict=True):
        value = _extended(run, inner, key, value)
    return value  # type: ignore[no-any-return]


@builtin("context merge", "contexts: list")
def context_merge(run: Run, contexts: list[Value]) -> dict[str, Value] | None:
    """Put the entries of contexts into one; later ones win."""
    if any(type(each) is not dict for each in contexts):
        return None
    size = sum(map(len, contexts))
    run.room(size)
    run.spend(size + len(contexts))
    return {key: value for each in contexts for key, value in each.items()}


@builtin("context", "entries: list")
def context_of(run: Run, entries: list[Value]) -> dict[str, Value] | None:
    """Make a context of contexts of key and value."""
    run.spend(2 * len(entries))
    result: dict[str, Value] = {}
    for entry in entries:
        if type(entry) is not dict or type(entry.get("key")) is not str or "value" not in entry:
            return None
        if entry["key"] in result:
            return None
        result[entry["key"]] = entry["value"]
    return result


# Ranges (10.3.4.11 and 10.3.2.9.6)


class _Ends:
    """The ends of a range or point, compared with those of another."""

    def __init__(self, value: Value, run: Run) -> None:
        range_of = value if type(value) is Range else Range(value, value)
        if range_of.sign == "!=":
            range_of = Range(None, None)
        self.low, self.high = range_of.low, range_of.high
        self.low_in, self.high_in = bool(range_of.low_closed), bool(range_of.high_closed)
        self.run = run

    def less(self, left: Value, right: Value) -> bool:
        """Tell whether one end lies before another."""
        return operators.ordered("<", left, right, self.run) is True

    def same(self, left: Value, right: Value) -> bool:
        """Tell whether two ends are equal."""
        return operators.equal(left, right, self.run) is True

    def before(self, other: "_Ends") -> bool:
        """Tell whether all of this lies before the other."""
        touching = self.same(self.high, other.low) and not (self.high_in and other.low_in)
        return self.less(self.high, other.low) or touching

    def begins_before(self, other: "_Ends", *, or_with: bool) -> bool:
        """Tell whether this begins before the other, or with it."""
        tie = self.low_in or not other.low_in if or_with else self.low_in and not other.low_in
        return self.less(self.low, other.low) or (self.same(self.low, other.low) and tie)

    def ends_before(self, other: "_Ends") -> bool:
        """Tell whether this ends before the other, or with it."""
        tie = not self.high_in or other.high_in
        return self.less(self.high, other.high) or (self.same(self.high, other.high) and tie)

    def includes(self, other: "_Ends") -> bool:
        """Tell whether all of the other lies in this."""
        return self.begins_before(other, or_with=True) and other.ends_before(self)

    def meets(self, other: "_Ends") -> bool:
        """Tell whether this ends where the other begins."""
        return self.high_in and other.low_in and self.same(self.high, other.low)

    def overlaps_before(self, other: "_Ends") -> bool:
        """Tell whether this begins before the other and ends in it."""
        return self.begins_before(other, or_with=False) and not self.before(other) and self.ends_before(other)

    def overlaps_after(self, other: "_Ends") -> bool:
        """Tell whether this begins in the other and ends after it."""
        return other.begins_before(self, or_with=False) and not other.before(self) and other.ends_before(self)

    def starts(self, other: "_Ends") -> bool:
        """Tell whether this begins with the other and ends in it."""
        return self.same(self.low, other.low) and self.low_in == other.low_in and self.ends_before(other)

    def finishes(self, other: "_Ends") -> bool:
        """Tell whether this ends with the other and begins in it."""
        within = self.less(other.low, self.low) or (self.same(other.low, self.low) and (not self.low_in or other.low_in))
        return self.same(self.high, other.high) and self.high_in == other.high_in and within

    def coincides(self, other: "_Ends") -> bool:
        """Tell whether this is the other."""
        ends = self.same(self.low, other.low) and self.same(self.high, other.high)
        return ends and (self.low_in, self.high_in) == (other.low_in, other.high_in)


def _register_range_relations() -> None:
    relations: dict[str, Callable[[_Ends, _Ends], bool]] = {
        "before": _Ends.before,
        "after": lambda left, right: right.before(left),
        "meets": _Ends.meets,
        "met by": lambda left, right: right.meets(left),
        "overlaps": lambda left, right: not left.before(right) and not right.before(left),
        "overlaps before": _Ends.overlaps_before,
        "overlaps after": _Ends.overlaps_after,
        "finishes": _Ends.finishes,
        "finished by": lambda left, right: right.finishes(left),
        "includes": _Ends.includes,
        "during": lambda left, right: right.includes(left),
        "starts": _Ends.starts,
        "started by": lambda left, right: right.starts(left),
        "coincides": _Ends.coincides,
    }
    for name, relation in relations.items():

        def related(run: Run, left: Value, right: Value, relation: Callable[[_Ends, _Ends], bool] = relation) -> bool | None:
            if left is None or right is None:
                return None
            return relation(_Ends(left, run), _Ends(right, run))

        builtin(
            name,
            "range1: any, range2: any",
            "point1: any, point2: any",
            "range: any, point: any",
            "point: any, range: any",
        )(related)


_register_range_relations()

_RANGE = re.compile(r"\s*([\[(\]])(.*?)\.\.(.*)([\])\[])\s*", re.DOTALL)
_RANGE_END = re.compile(
    r'(?P<number>-?(?:\d+(?:\.\d+)?|\.\d+))|(?P<string>"[^"\\]*")|@"(?P<at>[^"]*)"'
    r'|(?P<function>date|time|date and time|duration)\s*\(\s*"(?P<text>[^"]*)"\s*\)',
    re.ASCII,
)


def _range_end(text: str) -> Value:
    """Read one end of a range written as text: a literal, or a date, time or duration function of one."""
    found = _RANGE_END.fullmatch(text)
    if not found:
        return None
    if found["number"]:
        return NUMBERS.create_decimal(found["number"])
    if found["string"]:
        return found["string"][1:-1]
    if found["at"] is not None:
        return temporal.read_temporal(found["at"])
    readers: dict[str, Callable[[str], Value]] = {
        "date": temporal.read_date,
        "time": temporal.read_time,
        "date and time": temporal.read_date_time,
        "duration": temporal.read_duration,
    }
    return readers[found["function"]](found["text"])


@builtin("range", "from: string")
def range_of(run: Run, text: str) -> Range | None:
    """Read a range such as `[1..5)`; an end left out is open to that side."""
    run.room_for_text(len(text))
    found = _RANGE.fullmatch(text)
    if not found:
        return None
    opening, low_text, high_text, closing = found[1], found[2].strip(), found[3].strip(), found[4]
    low, high = _range_end(low_text), _range_end(high_text)
    if (low is None) != (not low_text) or (high is None) != (not high_text):
        return None
    if (low is None and (high is None or opening == "[")) or (high is None and closing == "]"):
        return None
    both = low is not None and high is not None
    if both and (type(low) is not type(high) or operators.ordered("<=", low, high, run) is not True):
        return None
    return Range(low, high, opening == "[", closing == "]")
