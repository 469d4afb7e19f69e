"""FEEL, the expression language of DMN 1.5, and its decisions: the language of every diagram, table and form.

    evaluate("form.age >= 35 and form.parity > 4", task_data, environment)      → True
    unary_test('"maternal","late"', "late", {}, environment)                    → True
    script([("due", "add working days(today(), 2)")], task_data, environment)   → {"due": {"$": "d", "v": "2026-11-24"}}
    decisions.read(xml).decide("scope", task_data, environment)                 → the result
    check("form.agee > 35").names                                               → what it needs, and where it says so

Variables and results are in wire form: plain JSON, and `{"$": tag, "v": text}` for dates, durations and the like
(`engine.feel.values` tells the tags). `to_wire` and `from_wire` lead there and back. Everything that can go wrong with
an expression is a `FeelError`; no text of an expression is ever run as Python. Nothing here knows of cases or diagrams.
"""

from engine.feel import decisions
from engine.feel.decisions import Model
from engine.feel.environment import Calendar, Environment, Hits, Limits, Purse
from engine.feel.errors import (
    DecisionFailed,
    EnvironmentIncomplete,
    FeelError,
    FeelSyntaxError,
    ForbiddenKey,
    HostFunctionFailed,
    KeyNotText,
    LimitExceeded,
    MalformedWire,
    ModelRefused,
    NotPlain,
    NullExplained,
    NumberNotFinite,
    Reason,
    TextNotAllowed,
    ValueRefused,
    ValueTooLarge,
)
from engine.feel.evaluator import Expression, compile_expression, evaluate, script, unary_test
from engine.feel.lint import FUNCTION_NAMES, Check, FreeName, check
from engine.feel.temporal import Date, DateTime, Duration, Months, Time
from engine.feel.values import Range, Wire, from_wire, to_wire

__all__ = [
    "FUNCTION_NAMES",
    "Calendar",
    "Check",
    "Date",
    "DateTime",
    "DecisionFailed",
    "Duration",
    "Environment",
    "EnvironmentIncomplete",
    "Expression",
    "FeelError",
    "FeelSyntaxError",
    "ForbiddenKey",
    "FreeName",
    "Hits",
    "HostFunctionFailed",
    "KeyNotText",
    "LimitExceeded",
    "Limits",
    "MalformedWire",
    "Model",
    "ModelRefused",
    "Months",
    "NotPlain",
    "NullExplained",
    "NumberNotFinite",
    "Purse",
    "Range",
    "Reason",
    "TextNotAllowed",
    "Time",
    "ValueRefused",
    "ValueTooLarge",
    "Wire",
    "check",
    "compile_expression",
    "decisions",
    "evaluate",
    "from_wire",
    "script",
    "to_wire",
    "unary_test",
]
