"""Services: what a diagram may wish for. Each stands with its noun and is carried out in the command's own transaction."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError, StepFailed

if TYPE_CHECKING:
    from engine.projection import Command
    from engine.workflow import Request

Service = Callable[["Command", Mapping[str, Any]], None]
HOMES = ("accountability", "cases", "messages", "notices", "packets", "rectifications")
_registered: dict[str, Service] = {}


def service(function: Service) -> Service:
    """Register a service under the name of its function; its docstring tells the arguments a diagram gives."""
    _registered[function.__name__] = function
    return function


@lru_cache(maxsize=1)
def all_services() -> Mapping[str, Service]:
    """Return every service by its name."""
    for home in HOMES:
        importlib.import_module(f"engine.{home}")
    return _registered


def carry_out(command: Command, request: Request) -> None:
    """Carry out one wish.

    Raises:
        StepFailed: no such service, or what it needs is missing; the whole command is rolled back.
    """
    function = all_services().get(request.service)
    if function is None:
        raise StepFailed(element=request.element, reason=f"no service {request.service!r}")
    try:
        function(command, request.arguments)
    except StepFailed:
        raise
    except (EngineError, KeyError, TypeError, ValueError) as error:
        raise StepFailed(element=request.element, reason=f"{request.service}: {type(error).__name__}: {error}"[:300]) from error
