"""An environment that stands still, and short ways to evaluate."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from engine.feel import Environment, Reason, evaluate, from_wire


class WeekendsOff:
    """A calendar of Monday to Friday, with 1 October 2026 off and Saturday 10 October 2026 on."""

    def is_working_day(self, day: date, /) -> bool:
        """Tell whether people work on this day."""
        if day == date(2026, 10, 10):
            return True
        return day.isoweekday() < 6 and day != date(2026, 10, 1)


@pytest.fixture
def environment() -> Environment:
    """Sunday 22 November 2026, 11:00 in Shanghai."""
    return Environment(now=datetime(2026, 11, 22, 3, tzinfo=UTC), zone="Asia/Shanghai", calendar=WeekendsOff())


@pytest.fixture
def feel(environment: Environment) -> Callable[..., Any]:
    """Evaluate strictly and return the Python value; names are in wire form."""

    def run(text: str, names: Mapping[str, Any] | None = None) -> Any:
        return from_wire(evaluate(text, names or {}, environment))

    return run


@pytest.fixture
def lenient(environment: Environment) -> Callable[..., tuple[Any, list[Reason]]]:
    """Evaluate as forms do; return the Python value and the reasons of nulls."""

    def run(text: str, names: Mapping[str, Any] | None = None) -> tuple[Any, list[Reason]]:
        reasons: list[Reason] = []
        return from_wire(evaluate(text, names or {}, environment, strict=False, reasons=reasons)), reasons

    return run
