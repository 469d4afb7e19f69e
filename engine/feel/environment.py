"""What surrounds an evaluation: the instant, the zone, the calendar, lent functions and values, and the budget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from engine.feel import temporal
from engine.feel.errors import RAISED, FeelError, LimitExceeded, NullExplained, Reason
from engine.feel.parser import is_plain
from engine.feel.temporal import DateTime
from engine.feel.values import MAX_ITEMS, MAX_TEXT, Value, Wire, decode


class Calendar(Protocol):
    """The working days of an administration."""

    def is_working_day(self, day: date, /) -> bool:
        """Tell whether people work on this day."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one evaluation may do; a step is about one operation on one value, one to three microseconds."""

    steps: int = 100_000
    pattern_seconds: float = 0.2
    """Processor time of all regular expressions together."""
    calls: int = 40
    """Function calls within each other."""


class Purse:
    """What several evaluations may do together, each within its own limits."""

    __slots__ = ("pattern_seconds", "steps")

    def __init__(self, steps: int, pattern_seconds: float) -> None:
        self.steps = steps
        self.pattern_seconds = pattern_seconds


@dataclass(frozen=True, slots=True)
class Environment:
    """What every expression of one command sees besides its own variables.

    Attributes:
        now: The aware instant that `now()` and `today()` tell; the machine's clock is never asked.
        zone: The zone of `now()`, `today()` and working days, as a name in the IANA database or a ZoneInfo with a name.
        calendar: For `add working days` and `working days between`.
        functions: Functions lent by the host: name (words, no FEEL keywords) → callable. It takes Python values as
            `from_wire` gives them and returns what `to_wire` accepts; a parameter `from_date` is named `from date`.
        names: More variables in wire form, such as the values of a profile; an expression's own variables win.
        limits: The budget.
        purse: What all evaluations with it may do together; None sets them no bound.

    Raises:
        ValueError: `now` is naive, the zone is unknown, or the name of a function holds a keyword or symbol.
    """

    now: datetime
    zone: str | ZoneInfo = "UTC"
    calendar: Calendar | None = None
    functions: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    names: Mapping[str, Wire] = field(default_factory=dict)
    limits: Limits = Limits()
    purse: Purse | None = field(default=None, repr=False, compare=False)
    zone_name: str = field(init=False, repr=False)
    local_now: DateTime = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.now.tzinfo is None or self.now.utcoffset() is None:
            raise ValueError("now must be an aware instant")
        name = self.zone.key if isinstance(self.zone, ZoneInfo) else self.zone
        if not isinstance(name, str) or not temporal.is_zone(name):
            raise ValueError("the zone is unknown")
        unreadable = [name for name in self.functions if not is_plain(name)]
        if unreadable:
            raise ValueError(f"no expression could call the function {unreadable[0]!r}")
        object.__setattr__(self, "zone_name", name)
        object.__setattr__(self, "local_now", _local(self.now, name))

    def at(self, now: datetime, names: Mapping[str, Wire], purse: Purse | None = None) -> "Environment":
        """Return the same environment at another instant with other variables: what was looked at once is not looked at again.

        Args:
            purse: Another one; without it, the same.
        """
        found, put = object.__new__(Environment), object.__setattr__
        put(found, "now", now)
        put(found, "zone", self.zone)
        put(found, "calendar", self.calendar)
        put(found, "functions", self.functions)
        put(found, "names", names)
        put(found, "limits", self.limits)
        put(found, "purse", purse or self.purse)
        put(found, "zone_name", self.zone_name)
        put(found, "local_now", _local(now, self.zone_name))
        return found


@lru_cache(maxsize=256)
def _local(now: datetime, zone_name: str) -> DateTime:
    """Return an instant as a zone's clocks show it; two walks of a case, one after the other, have the same instants."""
    local = temporal.in_zone(temporal.from_datetime(now).instant, zone_name)
    assert local is not None
    return local


class Hits(NamedTuple):
    """Which rules of a decision table matched: their numbers from 1, as the table has them."""

    decision: str | None
    rules: tuple[int, ...]


class Place(NamedTuple):
    """Where in which text an operation stands; what a reason or an error points at."""

    expression: str
    start: int
    end: int
    decision: str | None = None


NOWHERE = Place("", 0, 0)


class Run:
    """One evaluation in progress, used by one thread: its budget, its reasons, and whether mistakes are raised.

    Attributes:
        place: Of the built-in function called last, for those that call functions themselves.
        hits: Where decision tables tell which of their rules matched; None when nobody asks.
    """

    __slots__ = ("begun", "calls", "environment", "hits", "pattern_seconds", "place", "reasons", "steps", "strict")

    MAX_REASONS = 50
    MAX_HITS = 200

    def __init__(self, environment: Environment, strict: bool, reasons: list[Reason] | None) -> None:
        limits = environment.limits
        self.environment = environment
        self.strict = strict
        self.steps = limits.steps
        self.calls = limits.calls
        self.pattern_seconds = limits.pattern_seconds
        purse = environment.purse
        if purse is not None:
            self.steps, self.pattern_seconds = min(self.steps, purse.steps), min(self.pattern_seconds, purse.pattern_seconds)
        self.begun = self.steps, self.pattern_seconds
        self.reasons = reasons
        self.place = NOWHERE
        self.hits: list[Hits] | None = None

    def settle(self) -> None:
        """Take from the purse what was spent."""
        purse = self.environment.purse
        if purse is not None:
            purse.steps -= self.begun[0] - max(0, self.steps)
            purse.pattern_seconds -= self.begun[1] - max(0.0, self.pattern_seconds)

    def spend(self, steps: int) -> None:
        """Take steps from the budget.

        Raises:
            LimitExceeded: The budget is spent.
        """
        self.steps -= steps
        if self.steps < 0:
            raise LimitExceeded("the expression takes too many steps")

    def room(self, items: int) -> None:
        """Pay for a list or context of this size by copying references.

        Raises:
            LimitExceeded: It has too many items.
        """
        if items > MAX_ITEMS:
            raise LimitExceeded(f"a list or context of more than {MAX_ITEMS} items")
        self.spend(1 + items // 8)

    def room_for_text(self, characters: int) -> None:
        """Pay for building or searching a text of this size.

        Raises:
            LimitExceeded: It is too long.
        """
        if characters > MAX_TEXT:
            raise LimitExceeded(f"a text longer than {MAX_TEXT} characters")
        self.spend(1 + characters // 64)

    def note(self, kind: str, place: Place, message: str, *parts: object) -> Value:
        """Explain a null and return it; raise it if it is the author's mistake and the evaluation is strict.

        Args:
            message: A format string for `parts`, which must not hold values of the data.

        Raises:
            NullExplained: See above.
        """
        if self.strict and kind in RAISED:
            raise NullExplained(
                message.format(*parts),
                expression=place.expression,
                start=place.start,
                end=place.end,
                kind=kind,
                decision=place.decision,
            )
        if self.reasons is not None and len(self.reasons) < self.MAX_REASONS:
            text = message.format(*parts)
            self.reasons.append(Reason(kind, text, place.expression, place.start, place.end, place.decision))
        return None


class Root(dict[str | tuple[str, ...], Value]):
    """The variables of an evaluation, decoded from wire form when they are first read.

    A key is a name, or a tuple of names for an entry of a variable (`form.age`), so that reading one entry does not
    decode all of a large context.
    """

    __slots__ = ("sources",)

    def __init__(self, *sources: Mapping[str, Wire]) -> None:
        super().__init__()
        self.sources = sources

    def __missing__(self, key: str | tuple[str, ...]) -> Value:
        found = self._entry(key) if isinstance(key, tuple) else self._variable(key)
        if found is not MISSING:
            self[key] = found
        return found

    def _variable(self, name: str) -> Value:
        for source in self.sources:
            if name in source:
                return decode(source[name])
        return MISSING

    def _entry(self, path: tuple[str, ...]) -> Value:
        """Return the value at the end of a path of plain contexts, MISSING where it is anything else."""
        first = path[0]
        if first in self:
            value = self[first]
            for name in path[1:]:
                if type(value) is not dict or name not in value:
                    return MISSING
                value = value[name]
            return value
        for source in self.sources:
            if first in source:
                wire = source[first]
                for name in path[1:]:
                    if type(wire) is not dict or "$" in wire or name not in wire:
                        return MISSING
                    wire = wire[name]
                return decode(wire)
        return MISSING


class Missing:
    """What `Root` gives for a name it does not have."""


MISSING: Any = Missing()


class Scope:
    """The variables at one place of a running expression: its own, those around it, and the run."""

    __slots__ = ("parent", "root", "run", "values")

    def __init__(self, values: dict[str, Value], parent: "Scope | None", root: Root, run: Run) -> None:
        self.values = values
        self.parent = parent
        self.root = root
        self.run = run


def attach(error: FeelError, place: Place) -> None:
    """Tell an error where it happened, unless it knows."""
    if error.expression is None:
        error.expression, error.start, error.end = place.expression, place.start, place.end
    if error.decision is None:
        error.decision = place.decision
