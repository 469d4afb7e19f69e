"""Services: what a diagram may wish for. Each stands with its noun and is carried out in the command's own transaction."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
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


@lru_cache(maxsize=1)
def arguments() -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Return for every service the arguments it must be given and those it may be given, read from what its function looks at."""
    return {name: _arguments(function) for name, function in all_services().items()}


def _arguments(function: Service) -> tuple[frozenset[str], frozenset[str]]:
    """What is looked up whatever happens must be given; what is asked for with `get`, or only in a branch, may be."""
    needed: set[str] = set()
    possible: set[str] = set()
    todo: list[tuple[ast.AST, bool]] = [(ast.parse(textwrap.dedent(inspect.getsource(function))), True)]
    while todo:
        node, is_sure = todo.pop()
        match node:
            case ast.Subscript(value=ast.Name(id="arguments"), slice=ast.Constant(value=str(name))):
                (needed if is_sure else possible).add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="arguments"), attr="get"), args=[ast.Constant(value=str(name)), *_]):
                possible.add(name)
        for part, value in ast.iter_fields(node):
            inner = value if isinstance(value, list) else [value]
            branches = isinstance(node, ast.If | ast.IfExp) and part in ("body", "orelse")
            todo += [(child, is_sure and not branches) for child in inner if isinstance(child, ast.AST)]
    return frozenset(needed), frozenset(possible - needed)


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
