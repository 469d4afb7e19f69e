"""What can go wrong with an expression, a decision or a value.

No message carries a value of the data: messages reach logs and pages, and the data are health records. A message names
variables, entries, kinds and functions only.
"""

from typing import NamedTuple


class FeelError(Exception):
    """An expression, a decision or a value that cannot be used.

    Attributes:
        message: One plain English sentence without the position.
        expression: The text of the expression, when one is concerned.
        start, end: Offsets in `expression`, in Python characters (code points); None when the whole text is meant.
        kind: A word to branch on: "syntax", "limit", "value", "model", "decision", "environment", or one of the reasons
            in `RAISED`.
        decision: The name of the decision, knowledge model or service in which it happened.
    """

    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        expression: str | None = None,
        start: int | None = None,
        end: int | None = None,
        kind: str | None = None,
        decision: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression
        self.start = start
        self.end = end
        self.decision = decision
        if kind is not None:
            self.kind = kind

    @property
    def position(self) -> tuple[int, int] | None:
        """Start and end offset in the expression, or None."""
        return None if self.start is None or self.end is None else (self.start, self.end)

    def __str__(self) -> str:
        where = "" if self.start is None else f" (at {self.start})"
        who = "" if self.decision is None else f"{self.decision}: "
        return f"{who}{self.message}{where}"


class FeelSyntaxError(FeelError):
    """The text is not FEEL."""

    kind = "syntax"


class LimitExceeded(FeelError):
    """The text or its evaluation is larger, deeper or longer than allowed."""

    kind = "limit"


class NullExplained(FeelError):
    """Strict evaluation met a null whose reason is a mistake of the author; `kind` is that reason."""


class EnvironmentIncomplete(FeelError):
    """The expression needs something that the environment does not have, such as a calendar."""

    kind = "environment"


class HostFunctionFailed(FeelError):
    """A function lent by the host raised an exception, kept as the cause."""

    kind = "host function"


class ModelRefused(FeelError):
    """The decision model cannot be read, or uses what is refused here.

    Attributes:
        element: The id of the element that is refused, when it has one.
        line: Where it stands in the XML.
    """

    kind = "model"
    element: str | None = None
    line: int | None = None


class DecisionFailed(FeelError):
    """A decision has no result by its own rules, such as two matching rules under UNIQUE."""

    kind = "decision"


class ValueRefused(FeelError):
    """A value cannot be kept in task data."""

    kind = "value"


class ForbiddenKey(ValueRefused):
    """A key is reserved by the storage or by browsers: `__proto__`, `typename`."""


class KeyNotText(ValueRefused):
    """A key is not a string."""


class NumberNotFinite(ValueRefused):
    """A number is not a number or infinite."""


class TextNotAllowed(ValueRefused):
    """A text holds NUL or a lone surrogate."""


class NotPlain(ValueRefused):
    """A value is of a kind that FEEL does not have."""


class ValueTooLarge(ValueRefused):
    """A value is too long, too deep, or has too many digits."""


class MalformedWire(ValueRefused):
    """A stored value does not follow the wire form."""


class Reason(NamedTuple):
    """Why an evaluation gave null at one place.

    `kind` is one of the words below; `start` and `end` are offsets in `expression`.
    """

    kind: str
    message: str
    expression: str | None
    start: int
    end: int
    decision: str | None = None


VARIABLE_NOT_FOUND = "variable not found"
NO_SUCH_FUNCTION = "no such function"
WRONG_ARGUMENTS = "wrong arguments"
WRONG_TYPE = "wrong type"
"""A decision's value, input or parameter does not conform to its declared type."""

NULL_ARGUMENT = "null argument"
NO_RESULT = "no result"
NO_SUCH_ENTRY = "no such entry"
NOT_COMPARABLE = "not comparable"
WRONG_OPERANDS = "wrong operands"
NOT_BOOLEAN = "not boolean"
FAILED = "failed"
"""An error inside a decision that became null because the evaluation is lenient."""

RAISED = frozenset({VARIABLE_NOT_FOUND, NO_SUCH_FUNCTION, WRONG_ARGUMENTS, WRONG_TYPE})
"""Reasons that are mistakes of the author: a strict evaluation raises them, the others stay null."""
