"""Equality, order, arithmetic and properties of values (DMN 1.5, 10.3.2.13 and tables 46 to 65).

Every function gives None where FEEL gives null; whoever calls explains why.
"""

import operator
import re
from collections.abc import Callable, Iterable
from decimal import Decimal

from engine.feel import temporal
from engine.feel.environment import Run
from engine.feel.errors import LimitExceeded
from engine.feel.temporal import DAY_NANOS, MILLISECOND, NANOS, Date, DateTime, Duration, Months, Time
from engine.feel.values import MAX_TEXT, NUMBERS, Function, Range, Value, number_text

_LONG = 64
"""Characters of a text that are compared in one step."""
_WORD = re.compile(r"\w+")

MISSING_PROPERTY = object()
"""What `member` gives for a name that the value does not have."""


# Logic


def both(left: bool | None, right: bool | None) -> bool | None:
    """Return `left and right` in three-valued logic."""
    if left is False or right is False:
        return False
    return True if left is True and right is True else None


def negated(value: Value) -> bool | None:
    """Return `not(value)` in three-valued logic."""
    return not value if type(value) is bool else None


# Equality


def equal(left: Value, right: Value, run: Run) -> bool | None:
    """Return whether two values are equal; values of different kinds are neither (DMN 1.5, table 50)."""
    if left is None or right is None:
        return left is right
    kind = type(left)
    if kind is not type(right):
        return None
    if kind is list:
        run.spend(1 + len(left))
        return len(left) == len(right) and all(equal(mine, theirs, run) is True for mine, theirs in zip(left, right, strict=True))
    if kind is dict:
        run.spend(1 + len(left))
        return left.keys() == right.keys() and all(equal(left[key], right[key], run) is True for key in left)
    if kind is DateTime:
        return (left.zone is None) == (right.zone is None) and left.instant // MILLISECOND == right.instant // MILLISECOND
    if kind is Time:
        return (left.zone is None) == (right.zone is None) and left.order // MILLISECOND == right.order // MILLISECOND
    if kind is Range:
        return (
            (left.low_closed, left.high_closed, left.sign) == (right.low_closed, right.high_closed, right.sign)
            and equal(left.low, right.low, run) is True
            and equal(left.high, right.high, run) is True
        )
    if kind is Function:
        return left is right
    if kind is str and len(left) > _LONG:
        run.spend(len(left) // _LONG)
    return bool(left == right)


def same(left: Value, right: Value, run: Run) -> bool:
    """Return whether two values cannot be told apart, zones included: the built-in `is` (DMN 1.5, 10.3.4.10)."""
    if type(left) is not type(right):
        return False
    return bool(left == right) if type(left) in (Time, DateTime) else equal(left, right, run) is True


# Order

ORDER_KEYS: dict[type, Callable[[Value], Value]] = {
    str: lambda value: value,
    Date: lambda value: value.days,
    Time: lambda value: value.order // MILLISECOND,
    DateTime: lambda value: value.instant // MILLISECOND,
    Duration: lambda value: value.nanos,
    Months: lambda value: value.months,
}
"""What values of a kind are ordered by; numbers by themselves."""

ORDERS: dict[str, Callable[[Value, Value], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def ordered(sign: str, left: Value, right: Value, run: Run) -> bool | None:
    """Return `left < right` and the like, or None when the two cannot be compared (DMN 1.5, table 51).

    A date compared with a date and time is its midnight, in UTC when the other has a zone.
    """
    kind = type(left)
    if kind is Decimal and type(right) is Decimal:
        return ORDERS[sign](left, right)
    if kind is not type(right):
        if kind is Date and type(right) is DateTime:
            left, kind = _midnight(left, right), DateTime
        elif kind is DateTime and type(right) is Date:
            right = _midnight(right, left)
        else:
            return None
    if kind is str and len(left) > _LONG:
        run.spend(len(left) // _LONG)
    key = ORDER_KEYS.get(kind)
    if key is None or (kind in (Time, DateTime) and (left.zone is None) != (right.zone is None)):
        return None
    return ORDERS[sign](key(left), key(right))


def _midnight(day: Date, beside: DateTime) -> DateTime:
    return DateTime(day.days, 0, None if beside.zone is None else 0)


def in_range(value: Value, within: Range, run: Run) -> bool | None:
    """Return whether a value lies in a range."""
    if value is None:
        return None
    if within.sign == "!=":
        return negated(equal(value, within.low, run))
    above: bool | None
    below: bool | None
    if within.low is None:
        above = True if within.low_closed is None else None
    else:
        above = ordered(">=" if within.low_closed else ">", value, within.low, run)
    if within.high is None:
        below = True if within.high_closed is None else None
    else:
        below = ordered("<=" if within.high_closed else "<", value, within.high, run)
    return both(above, below)


def passes(value: Value, test: Value, run: Run) -> bool | None:
    """Return whether `value in test` for the value of one test: a range, a list, or something to be equal to."""
    if type(test) is Range:
        return equal(value, test, run) is True or in_range(value, test, run)
    if type(test) is not list:
        return equal(value, test, run)
    if type(value) is list and equal(value, test, run) is True:
        return True
    run.spend(1 + len(test))
    for item in test:
        if type(item) is Range or (type(item) is list and type(value) is not list):
            found = passes(value, item, run)
        else:
            found = equal(value, item, run)
        if found is True:
            return True
    return False


# Arithmetic


def _finite(number: Decimal) -> Decimal | None:
    return number if number.is_finite() else None


def add(left: Value, right: Value) -> Value:
    """Return `left + right` (DMN 1.5, table 55)."""
    kind, other = type(left), type(right)
    if kind is Decimal and other is Decimal:
        return _finite(NUMBERS.add(left, right))
    if kind is Duration or kind is Months:
        left, right, kind, other = right, left, other, kind
    if other is not Duration and other is not Months:
        return None
    if kind is Date:
        return temporal.add_to_date(left, right)
    if kind is DateTime:
        return temporal.add_to_date_time(left, right)
    if kind is Time and other is Duration:
        return Time((left.nanos + right.nanos) % DAY_NANOS, left.zone)
    if kind is not other:
        return None
    return Duration(left.nanos + right.nanos) if kind is Duration else Months(left.months + right.months)


def subtract(left: Value, right: Value) -> Value:
    """Return `left - right` (DMN 1.5, table 55); a date beside a date and time is its midnight in UTC."""
    kind, other = type(left), type(right)
    if kind is Decimal and other is Decimal:
        return _finite(NUMBERS.subtract(left, right))
    if other is Duration and kind is not Decimal:
        return add(left, Duration(-right.nanos))
    if other is Months and kind in (Date, DateTime, Months):
        return add(left, Months(-right.months))
    if kind is Date and other is Date:
        return Duration((left.days - right.days) * DAY_NANOS)
    if kind is Time and other is Time:
        return Duration(left.order - right.order) if (left.zone is None) == (right.zone is None) else None
    if kind in (Date, DateTime) and other in (Date, DateTime):
        left = DateTime(left.days, 0, 0) if kind is Date else left
        right = DateTime(right.days, 0, 0) if other is Date else right
        return Duration(left.instant - right.instant) if (left.zone is None) == (right.zone is None) else None
    return None


def multiply(left: Value, right: Value) -> Value:
    """Return `left * right`: numbers, or a duration and a number."""
    kind, other = type(left), type(right)
    if kind is Decimal and other is Decimal:
        return _finite(NUMBERS.multiply(left, right))
    if kind is Decimal:
        left, right, kind, other = right, left, other, kind
    if other is not Decimal:
        return None
    return _scaled(left, NUMBERS.multiply(_amount(left), right)) if kind in (Duration, Months) else None


def divide(left: Value, right: Value) -> Value:
    """Return `left / right`: numbers, a duration by a number, or two durations of one kind."""
    kind, other = type(left), type(right)
    if kind not in (Decimal, Duration, Months) or other not in (Decimal, kind):
        return None
    divisor = right if other is Decimal else _amount(right)
    if not divisor:
        return None
    if kind is Decimal:
        return _finite(NUMBERS.divide(left, divisor))
    quotient = NUMBERS.divide(_amount(left), divisor)
    return quotient if other is kind else _scaled(left, quotient)


def power(left: Value, right: Value) -> Value:
    """Return `left ** right`."""
    if type(left) is not Decimal or type(right) is not Decimal:
        return None
    return _finite(NUMBERS.power(left, right)) if right else Decimal(1)


def _amount(duration: Duration | Months) -> Decimal:
    return NUMBERS.create_decimal(duration.nanos if type(duration) is Duration else duration.months)


def _scaled(kind: Value, amount: Decimal) -> Duration | Months | None:
    """Return a duration of the kind of another; parts of a nanosecond or month are cut."""
    if not amount.is_finite() or amount.adjusted() > 28:
        return None
    return Duration(int(amount)) if type(kind) is Duration else Months(int(amount))


def minus(value: Value) -> Value:
    """Return `-value`."""
    kind = type(value)
    if kind is Decimal:
        return NUMBERS.minus(value)
    if kind is Duration:
        return Duration(-value.nanos)
    return Months(-value.months) if kind is Months else None


ARITHMETIC: dict[str, Callable[[Value, Value], Value]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "**": power,
}
"""`+` joins texts, too, but that has a cost and is done where the budget is known."""


# Properties


def _sign(duration: Duration | Months) -> int:
    amount = duration.nanos if type(duration) is Duration else duration.months
    return -1 if amount < 0 else 1


def _time_offset(value: Time | DateTime) -> Duration | None:
    days = value.days if type(value) is DateTime else 0
    fold = value.fold if type(value) is DateTime else 0
    offset = temporal.offset_at(value.zone, days, value.nanos, fold)
    return None if offset is None else Duration(offset * NANOS)


_CALENDAR: dict[str, Callable[[Value], Value]] = {
    "year": lambda value: Decimal(temporal.civil(value.days)[0]),
    "month": lambda value: Decimal(temporal.civil(value.days)[1]),
    "day": lambda value: Decimal(temporal.civil(value.days)[2]),
    "weekday": lambda value: Decimal((value.days + 3) % 7 + 1),
}
_CLOCK: dict[str, Callable[[Value], Value]] = {
    "hour": lambda value: Decimal(value.nanos // NANOS // 3600),
    "minute": lambda value: Decimal(value.nanos // NANOS // 60 % 60),
    "second": lambda value: Decimal(value.nanos // NANOS % 60),
    "time offset": _time_offset,
    "timezone": lambda value: value.zone if isinstance(value.zone, str) else None,
}
PROPERTIES: dict[type, dict[str, Callable[[Value], Value]]] = {
    Date: _CALENDAR,
    Time: _CLOCK,
    DateTime: {**_CALENDAR, **_CLOCK},
    Duration: {
        "days": lambda value: Decimal(abs(value.nanos) // DAY_NANOS * _sign(value)),
        "hours": lambda value: Decimal(abs(value.nanos) // NANOS // 3600 % 24 * _sign(value)),
        "minutes": lambda value: Decimal(abs(value.nanos) // NANOS // 60 % 60 * _sign(value)),
        "seconds": lambda value: Decimal(abs(value.nanos) // NANOS % 60 * _sign(value)),
    },
    Months: {
        "years": lambda value: Decimal(abs(value.months) // 12 * _sign(value)),
        "months": lambda value: Decimal(abs(value.months) % 12 * _sign(value)),
    },
    Range: {
        "start": lambda value: value.low,
        "end": lambda value: value.high,
        "start included": lambda value: bool(value.low_closed),
        "end included": lambda value: bool(value.high_closed),
    },
}
"""DMN 1.5, table 65, and `weekday` (Monday is 1)."""


def member(value: Value, name: str, run: Run) -> Value:
    """Return an entry of a context, a property, or a list of those of the items; MISSING_PROPERTY if there is none."""
    kind = type(value)
    if kind is dict:
        return value.get(name, MISSING_PROPERTY)
    if kind is list:
        run.room(len(value))
        run.spend(len(value))
        found = [member(item, name, run) for item in value]
        return [None if item is MISSING_PROPERTY else item for item in found]
    read = PROPERTIES.get(kind, {}).get(name)
    return MISSING_PROPERTY if read is None else read(value)


# Text


def text_of(value: Value, run: Run) -> str:
    """Return a value as text, as the built-in `string` does."""
    if type(value) is str:
        return value
    text = _Text(run)
    text.put_value(value)
    return "".join(text.pieces)


class _Text:
    """A text being put together, paid for piece by piece."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.pieces: list[str] = []
        self.size = 0

    def put(self, text: str) -> None:
        """Add a piece."""
        self.size += len(text)
        if self.size > MAX_TEXT:
            raise LimitExceeded(f"a text longer than {MAX_TEXT} characters")
        self.run.spend(1 + len(text) // 64)
        self.pieces.append(text)

    def put_quoted(self, text: str) -> None:
        """Add a string as it is written in FEEL."""
        self.put('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')

    def put_value(self, value: Value) -> None:
        """Add a value inside another."""
        kind = type(value)
        if kind is str:
            self.put_quoted(value)
        elif kind is list:
            self.put_all("[", value, self.put_value, "]")
        elif kind is dict:
            self.put_all("{", value.items(), self.put_entry, "}")
        elif kind is Range:
            self.put_range(value)
        else:
            self.put(_simple_text(value))

    def put_all(self, opening: str, items: Iterable[Value], put: Callable[[Value], None], closing: str) -> None:
        """Add items with commas between brackets."""
        self.put(opening)
        for number, item in enumerate(items):
            if number:
                self.put(", ")
            put(item)
        self.put(closing)

    def put_entry(self, entry: tuple[str, Value]) -> None:
        """Add one entry of a context."""
        key, value = entry
        if _WORD.fullmatch(key):
            self.put(key)
        else:
            self.put_quoted(key)
        self.put(": ")
        self.put_value(value)

    def put_range(self, value: Range) -> None:
        """Add a range with its brackets, or as a comparison when it has one end."""
        if value.sign:
            self.put(f"({value.sign} ")
            self.put_value(value.low)
            self.put(")")
        elif value.low_closed is None:
            self.put("(<= " if value.high_closed else "(< ")
            self.put_value(value.high)
            self.put(")")
        elif value.high_closed is None:
            self.put("(>= " if value.low_closed else "(> ")
            self.put_value(value.low)
            self.put(")")
        else:
            self.put("[" if value.low_closed else "(")
            self.put_value(value.low)
            self.put("..")
            self.put_value(value.high)
            self.put("]" if value.high_closed else ")")


def _simple_text(value: Value) -> str:
    kind = type(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is Decimal:
        return number_text(value)
    if kind is Function:
        return f"function({', '.join(value.parameters)})"
    return str(value)
