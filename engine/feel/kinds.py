"""FEEL types: what `instance of` asks and what declared parameters and variables demand (DMN 1.5, 10.3.2.9)."""

from dataclasses import dataclass
from typing import Final, Protocol

from engine.feel.environment import Run
from engine.feel.temporal import Date, DateTime
from engine.feel.values import Function, Range, Value, kind


class Type(Protocol):
    """A type that can tell its values."""

    @property
    def name(self) -> str:
        """The name for messages."""

    @property
    def is_list(self) -> bool:
        """Whether its values are lists."""

    @property
    def is_date_time(self) -> bool:
        """Whether its values are dates and times."""

    def accepts(self, value: Value, run: Run) -> bool:
        """Tell whether `value`, which is not null, is of this type."""

    def covers(self, other: "Type") -> bool:
        """Tell whether every value of `other` is of this type."""


@dataclass(frozen=True, slots=True)
class BuiltinType:
    """A type of the language, with its parts: `list<number>`, `context<a: string>`, `function<number> -> string`.

    Attributes:
        name: A FEEL type name, "Any" or "Null".
        element: Of a list or range; None when it is not told.
        members: Of a context, by name; None when they are not told.
        parameters, result: Of a function; None when they are not told.
    """

    name: str
    element: Type | None = None
    members: tuple[tuple[str, Type], ...] | None = None
    parameters: tuple[Type, ...] | None = None
    result: Type | None = None

    @property
    def is_list(self) -> bool:
        """Whether its values are lists."""
        return self.name == "list"

    @property
    def is_date_time(self) -> bool:
        """Whether its values are dates and times."""
        return self.name == "date and time"

    def accepts(self, value: Value, run: Run) -> bool:
        """Tell whether `value` is of this type; null is of type Null alone."""
        if value is None:
            return self.name == "Null"
        if self.name == "Any":
            return True
        if kind(value) != self.name:
            return False
        if type(value) is list and self.element is not None:
            element = self.element
            run.spend(len(value))
            return all(element.accepts(item, run) for item in value)
        if type(value) is dict and self.members is not None:
            return all(name in value and (value[name] is None or member.accepts(value[name], run)) for name, member in self.members)
        if type(value) is Range and self.element is not None:
            return all(end is None or self.element.accepts(end, run) for end in (value.low, value.high))
        if type(value) is Function and self.parameters is not None:
            return self._accepts_function(value)
        return True

    def _accepts_function(self, function: Function) -> bool:
        assert self.parameters is not None
        types = function.types or (None,) * len(function.parameters)
        if len(types) != len(self.parameters):
            return False
        takes = all(own is None or own.covers(asked) for asked, own in zip(self.parameters, types, strict=True))
        return takes and (function.result is None or self.result is None or self.result.covers(function.result))

    def covers(self, other: Type) -> bool:
        """Tell whether every value of `other` is of this type (parameters of functions the other way round)."""
        if self.name == "Any" or other.name == "Null" or self == other:
            return True
        if not isinstance(other, BuiltinType) or self.name != other.name:
            return False
        if self.element is not None:
            return other.element is not None and self.element.covers(other.element)
        if self.members is not None:
            theirs = dict(other.members or ())
            return all(name in theirs and member.covers(theirs[name]) for name, member in self.members)
        if self.parameters is not None:
            if other.parameters is None or len(self.parameters) != len(other.parameters):
                return False
            takes = all(their.covers(own) for own, their in zip(self.parameters, other.parameters, strict=True))
            return takes and (self.result is None or (other.result is not None and self.result.covers(other.result)))
        return True


class Misfit:
    """What `convert` returns when a value cannot become one of the type."""


MISFIT: Final = Misfit()

NAMES = frozenset(
    {
        "Any",
        "Null",
        "boolean",
        "context",
        "date",
        "date and time",
        "days and time duration",
        "function",
        "list",
        "number",
        "range",
        "string",
        "time",
        "years and months duration",
    }
)
"""The names of the types of the language."""


def convert(value: Value, wanted: Type | None, run: Run) -> Value:
    """Return `value` as one of the type, by the implicit conversions (DMN 1.5, 10.3.2.9.4), or MISFIT.

    A value becomes a list of one, a list of one becomes its item, a date becomes its midnight in UTC; null stays null.
    """
    if wanted is None or value is None or wanted.accepts(value, run):
        return value
    if wanted.is_list:
        if type(value) is not list and wanted.accepts([value], run):
            return [value]
    elif type(value) is list and len(value) == 1 and value[0] is not None and wanted.accepts(value[0], run):
        return value[0]
    if wanted.is_date_time and type(value) is Date:
        return DateTime(value.days, 0, 0)
    return MISFIT
