"""The values of FEEL, and the wire form in which they are kept.

Inside an expression a value is one of: None, bool, Decimal (34 digits), str, list, dict with string keys, and the
classes `Date`, `Time`, `DateTime`, `Duration`, `Months`, `Range` and `Function`. All are treated as immutable.

The wire form is plain JSON: null, booleans, numbers, strings, lists and contexts stand for themselves, everything else
is `{"$": tag, "v": text}`:

    d   date                      {"$": "d", "v": "2026-11-22"}
    t   time                      {"$": "t", "v": "10:15:00@Asia/Shanghai"}
    dt  date and time             {"$": "dt", "v": "2026-11-22T10:15:00Z"}
    p   days and time duration    {"$": "p", "v": "P1DT2H", "s": 93600}
        years and months duration {"$": "p", "v": "P1Y", "y": 12}
    r   range                     {"$": "r", "v": ["[", low, high, ")"]}
    n   number JSON cannot hold   {"$": "n", "v": "0.1000000000000000000000000001"}
    c   context with a key "$"    {"$": "c", "v": {"$": 1}}

`v` decides; `s` (seconds) and `y` (months) are for readers in other languages. A date and time has `"fold": 1` when it
is the second of two equal clocks, as clocks go back. In a range "" stands for the bracket of an end that was never
written, as in `(< 5)`, and "=" or "!=" for both brackets of `(= 5)` and `(!= 5)`.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isfinite
from typing import Any, TypeAlias, final

from engine.feel import temporal
from engine.feel.errors import (
    FeelError,
    ForbiddenKey,
    KeyNotText,
    MalformedWire,
    NotPlain,
    NumberNotFinite,
    TextNotAllowed,
    ValueTooLarge,
)
from engine.feel.temporal import Date, DateTime, Duration, Months, Plain, Time

Value: TypeAlias = Any
"""A value inside an expression, as listed above."""

Wire: TypeAlias = Any
"""A value in wire form: None | bool | int | float | str | list[Wire] | dict[str, Wire]."""

NUMBERS = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[])
"""Decimal128 (DMN 1.5, 10.3.2.3.1). Every calculation goes through it, never through the thread's own context."""

MAX_TEXT = 200_000
"""Characters of one string."""
MAX_ITEMS = 50_000
"""Items of one list and entries of one context inside an expression."""
MAX_CELLS = 50_000
"""Values of all kinds in one value in wire form, at all depths."""
MAX_TOTAL_TEXT = 1_000_000
"""Characters of all strings in one value in wire form."""
MAX_DEPTH = 60
"""Lists and contexts within each other in one value in wire form."""
FORBIDDEN_KEYS = frozenset({"__proto__", "typename"})
"""`__proto__` changes objects in browsers; `typename` is how the workflow library marks its own objects."""

_SAFE_INTEGER = 2**53
_BAD_TEXT = re.compile("[\0\ud800-\udfff]")


@final
class Range(Plain):
    """A range of values, or a comparison that was made a value.

    Attributes:
        low, high: The ends; None where there is none.
        low_closed, high_closed: Whether an end belongs to the range; None when it was never written, as in `(< 5)`.
        sign: "=" or "!=" for `(= 5)` and `(!= 5)`, whose ends are both 5; else empty.
    """

    __slots__ = ("high", "high_closed", "low", "low_closed", "sign")

    def __init__(self, low: Value, high: Value, low_closed: bool | None = True, high_closed: bool | None = True, sign: str = "") -> None:
        self.low = low
        self.high = high
        self.low_closed = low_closed
        self.high_closed = high_closed
        self.sign = sign

    def _key(self) -> tuple[Any, ...]:
        return self.low, self.high, self.low_closed, self.high_closed, self.sign


@final
class Function:
    """A function value; it lives only while the expression runs.

    Attributes:
        parameters: Names, in order.
        invoke: Called with the values of the parameters and the place of the call; checks their number and kinds.
        types: The declared type of each parameter, None where there is none.
        result: The declared type of the result, or None.
    """

    __slots__ = ("invoke", "parameters", "result", "types")

    def __init__(
        self,
        parameters: tuple[str, ...],
        invoke: Callable[[list[Value], Any], Value],
        types: tuple[Any, ...] = (),
        result: Any = None,
    ) -> None:
        self.parameters = parameters
        self.invoke = invoke
        self.types = types
        self.result = result


KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    Decimal: "number",
    str: "string",
    Date: "date",
    Time: "time",
    DateTime: "date and time",
    Duration: "days and time duration",
    Months: "years and months duration",
    Range: "range",
    list: "list",
    dict: "context",
    Function: "function",
}
"""The name of the FEEL type of each class of values."""


def kind(value: Value) -> str:
    """Return the name of the FEEL type of a value."""
    return KINDS[type(value)]


def number_text(value: Decimal) -> str:
    """Return a number in full digits without superfluous zeros, as FEEL's string() does."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


# Python -> wire


def to_wire(value: object) -> Wire:
    """Return the wire form of a Python or FEEL value.

    Accepted are None, bool, int, float, Decimal, str, date, datetime, time, timedelta, list, tuple, dict, and the
    classes of this module except Function. Subclasses (enumerations, rows, markup) are not plain and are refused.

    Raises:
        ForbiddenKey: A context at any depth has a key `__proto__` or `typename`.
        KeyNotText: A key is not a string.
        NumberNotFinite: A number is NaN or infinite.
        TextNotAllowed: A text or key holds NUL or a lone surrogate.
        NotPlain: A value of another kind.
        ValueTooLarge: Longer, deeper or with more digits than the limits of this module.
    """
    try:
        return _Writer().write(value, 0)
    except RecursionError:
        raise ValueTooLarge("the value is nested too deeply") from None


class _Writer:
    """One walk over a value, counting cells and characters."""

    __slots__ = ("cells", "characters")

    def __init__(self) -> None:
        self.cells = MAX_CELLS
        self.characters = MAX_TOTAL_TEXT

    def write(self, value: Any, depth: int) -> Wire:
        """Return the wire form of `value` found at `depth`."""
        self.cells -= 1
        if self.cells < 0:
            raise ValueTooLarge(f"more than {MAX_CELLS} values in one")
        kind_of = type(value)
        if value is None or kind_of is bool:
            return value
        if kind_of is str:
            return self._text(value)
        if kind_of is Decimal:
            return _number(value)
        if kind_of in (list, tuple, dict):
            if depth >= MAX_DEPTH:
                raise ValueTooLarge(f"lists and contexts nested deeper than {MAX_DEPTH}")
            return self._context(value, depth + 1) if kind_of is dict else [self.write(item, depth + 1) for item in value]
        if kind_of is Range:
            low, high = self.write(value.low, depth + 1), self.write(value.high, depth + 1)
            opening = "" if value.low_closed is None else "[" if value.low_closed else "("
            closing = "" if value.high_closed is None else "]" if value.high_closed else ")"
            return {"$": "r", "v": [value.sign or opening, low, high, value.sign or closing]}
        simple = _WRITERS.get(kind_of)
        if simple is None:
            raise NotPlain(f"a {'function' if kind_of is Function else kind_of.__name__} cannot be kept in data")
        try:
            return simple(value)
        except (TypeError, ValueError, OverflowError):
            raise NotPlain(f"this {kind_of.__name__} has no wire form") from None

    def _text(self, text: str) -> str:
        if len(text) > MAX_TEXT:
            raise ValueTooLarge(f"a text longer than {MAX_TEXT} characters")
        self.characters -= len(text)
        if self.characters < 0:
            raise ValueTooLarge(f"more than {MAX_TOTAL_TEXT} characters in one value")
        if "\0" in text or (not text.isascii() and _BAD_TEXT.search(text)):
            raise TextNotAllowed("a text holds NUL or half of a character (a lone surrogate)")
        return text

    def _context(self, value: dict[Any, Any], depth: int) -> Wire:
        written = {}
        for key, item in value.items():
            check_key(key)
            written[self._text(key)] = self.write(item, depth)
        return {"$": "c", "v": written} if "$" in written else written


def check_key(key: object) -> None:
    """Raise when a key of a context is not a string or is reserved."""
    if type(key) is not str:
        raise KeyNotText(f"a key is a {type(key).__name__}, not a string")
    if key in FORBIDDEN_KEYS:
        raise ForbiddenKey(f"the key {key!r} is reserved")


def _number(value: Decimal) -> Wire:
    """Return a JSON number if it comes back as the same decimal number, else the tagged text."""
    if not value.is_finite():
        raise NumberNotFinite("a number is not a number or infinite")
    if not value:
        return 0
    if not -6200 < value.adjusted() < 6145 or NUMBERS.plus(value) != value:
        raise ValueTooLarge("a number of more than 34 digits or beyond 10^6144")
    is_whole = value == NUMBERS.to_integral_value(value)
    if is_whole and value.copy_abs() < _SAFE_INTEGER:
        return int(value)
    if not is_whole and value.adjusted() > -300:
        near = float(value)
        if Decimal(repr(near)) == value:
            return near
    return {"$": "n", "v": number_text(value) if abs(value.adjusted()) < 40 else str(NUMBERS.normalize(value))}


def _integer(value: int) -> Wire:
    if abs(value) < _SAFE_INTEGER:
        return value
    if value.bit_length() > 20_500:
        raise ValueTooLarge("a number beyond 10^6144")
    return _number(Decimal(value))


def _float(value: float) -> Wire:
    if not isfinite(value):
        raise NumberNotFinite("a number is not a number or infinite")
    return _number(Decimal(repr(value)))


def _duration(value: Duration) -> Wire:
    seconds = Decimal(value.nanos).scaleb(-9, NUMBERS)
    whole = seconds == seconds.to_integral_value()
    return {"$": "p", "v": str(value), "s": int(seconds) if whole else float(seconds)}


def _date_time(value: DateTime) -> Wire:
    wire = {"$": "dt", "v": str(value)}
    return {**wire, "fold": 1} if value.fold and _fold_matters(value) else wire


def _fold_matters(value: DateTime) -> bool:
    if not isinstance(value.zone, str):
        return False
    first = temporal.offset_at(value.zone, value.days, value.nanos, 0)
    return first != temporal.offset_at(value.zone, value.days, value.nanos, 1)


_WRITERS: dict[type, Callable[[Any], Wire]] = {
    int: _integer,
    float: _float,
    Date: lambda value: {"$": "d", "v": str(value)},
    Time: lambda value: {"$": "t", "v": str(value)},
    DateTime: _date_time,
    Duration: _duration,
    Months: lambda value: {"$": "p", "v": str(value), "y": value.months},
    date: lambda value: {"$": "d", "v": str(temporal.from_date(value))},
    time: lambda value: {"$": "t", "v": str(Time(temporal.clock_nanos(value), temporal.zone_of(value)))},
    datetime: lambda value: _date_time(temporal.from_datetime(value)),
    timedelta: lambda value: _duration(temporal.from_timedelta(value)),
}


# Wire -> FEEL


def decode(wire: Wire) -> Value:
    """Return the FEEL value of a value in wire form.

    Raises:
        MalformedWire: The tag is unknown or its text cannot be read.
        NumberNotFinite: A number is NaN or infinite.
    """
    kind_of = type(wire)
    if wire is None or kind_of is str or kind_of is bool:
        return wire
    if kind_of is int:
        return Decimal(wire) if abs(wire) < _SAFE_INTEGER else _big_integer(wire)
    if kind_of is float:
        if not isfinite(wire):
            raise NumberNotFinite("a number is not a number or infinite")
        return Decimal(repr(wire))
    if kind_of is list:
        return [decode(item) for item in wire]
    if kind_of is dict:
        if "$" in wire:
            return _decode_tagged(wire)
        return {key: decode(item) for key, item in wire.items()}
    raise MalformedWire(f"a {kind_of.__name__} is not in wire form")


def _decode_tagged(wire: dict[str, Wire]) -> Value:
    tag, content = wire["$"], wire.get("v")
    if tag == "c" and type(content) is dict:
        return {key: decode(item) for key, item in content.items()}
    if tag == "r" and type(content) is list and len(content) == 4:
        opening, low, high, closing = content
        if opening in _OPENINGS and closing in _CLOSINGS:
            return Range(decode(low), decode(high), _OPENINGS[opening], _CLOSINGS[closing])
        if opening in ("=", "!=") and opening == closing:
            return Range(decode(low), decode(high), sign=opening)
    if type(tag) is str and type(content) is str and tag in _READERS:
        value = _READERS[tag](content)
        if value is not None:
            if tag == "dt" and wire.get("fold") == 1:
                value.fold = 1
            return value
    raise MalformedWire("a value with a tag is not in wire form")


def _big_integer(value: int) -> Decimal:
    if value.bit_length() > 20_500:
        raise MalformedWire("a number beyond 10^6144")
    number = NUMBERS.create_decimal(value)
    if not number.is_finite():
        raise MalformedWire("a number beyond 10^6144")
    return number


def _read_number(text: str) -> Decimal | None:
    if len(text) > 100 or not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", text, re.ASCII):
        return None
    value = NUMBERS.create_decimal(text)
    return value if value.is_finite() else None


_OPENINGS = {"[": True, "(": False, "": None}
_CLOSINGS = {"]": True, ")": False, "": None}
_READERS: dict[str, Callable[[str], Any]] = {
    "d": temporal.read_date,
    "t": temporal.read_time,
    "dt": temporal.read_date_time,
    "p": temporal.read_duration,
    "n": _read_number,
}


# Wire -> Python


def from_wire(wire: Wire) -> Any:
    """Return the Python value of a value in wire form.

    Dates become date, datetime (with ZoneInfo, a fixed offset, or naive), time and timedelta; months become `Months`,
    ranges `Range` with Python ends; integers stay int, other numbers become Decimal. Nanoseconds are cut to
    microseconds.

    Raises:
        MalformedWire: The tag is unknown, its text cannot be read, or the date lies outside Python's years 1 to 9999.
        NumberNotFinite: A number is NaN or infinite.
    """
    try:
        return _python(decode(wire))
    except RecursionError:
        raise MalformedWire("the value is nested too deeply") from None
    except (ValueError, OverflowError):
        raise MalformedWire("a date or duration is beyond the range of Python") from None


def _python(value: Value) -> Any:
    kind_of = type(value)
    if kind_of is Decimal:
        whole = abs(value.adjusted()) < 40 and value == NUMBERS.to_integral_value(value)
        return int(value) if whole else value
    if kind_of is list:
        return [_python(item) for item in value]
    if kind_of is dict:
        return {key: _python(item) for key, item in value.items()}
    if kind_of is Date:
        return temporal.to_date(value)
    if kind_of is DateTime:
        return temporal.to_datetime(value)
    if kind_of is Time:
        naive = (datetime.min + timedelta(microseconds=value.nanos // 1000)).time()
        return naive.replace(tzinfo=temporal.tzinfo_of(value.zone))
    if kind_of is Duration:
        return temporal.to_timedelta(value)
    if kind_of is Range:
        return Range(_python(value.low), _python(value.high), value.low_closed, value.high_closed, value.sign)
    return value


def from_host(value: object) -> Value:
    """Return the FEEL value of what a host function returned."""
    return decode(to_wire(value))


def to_host(value: Value) -> Any:
    """Return the Python value handed to a host function."""
    try:
        return _python(value)
    except (ValueError, OverflowError):
        raise FeelError("a date or duration is beyond the range of Python", kind="host function") from None
