"""Guards: every view names its permission; one that names none is refused to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask
from flask import g, request
from flask.typing import ResponseReturnValue

from engine.errors import NotAllowed
from engine.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])
ANYBODY = "anybody"
SIGNED_IN = "signed in"


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended; after signing in the person comes back here."""


class SignInUnfinished(Exception):
    """The second factor or a new password is still asked for."""


def requires(*permissions: Permission, journals: bool = False) -> Callable[[View], View]:
    """Let a view be seen by those whose roles allow one of the permissions somewhere; the engine decides where.

    Args:
        journals: A reading that writes to the journal.
    """
    return _marked(permissions, journals)


def signed_in(journals: bool = False) -> Callable[[View], View]:
    """Let a view be seen by everybody who is signed in, whatever their roles."""
    return _marked(SIGNED_IN, journals)


def anybody(view: View) -> View:
    """Let a view be seen without signing in."""
    view.guard = ANYBODY  # type: ignore[attr-defined]
    return view


def unfinished(view: View) -> View:
    """Let a view be seen by somebody who has shown a password and nothing more."""
    view.guard = SignInUnfinished  # type: ignore[attr-defined]
    return view


def _marked(guard: Any, journals: bool) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.guard, view.journals = guard, journals  # type: ignore[attr-defined]
        return view

    return mark


def guarded(dispatch: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Run a view if its guard lets the person through.

    Raises:
        SignInNeeded, SignInUnfinished, NotAllowed: why not.
    """
    if request.routing_exception is not None:
        return dispatch()
    view = flask.current_app.view_functions[request.endpoint or ""]
    guard = getattr(view, "guard", None)
    if guard == ANYBODY:
        return dispatch()
    if g.actor is None:
        raise SignInNeeded
    if guard is SignInUnfinished:
        return dispatch()
    if not g.actor_known:
        raise SignInUnfinished
    if guard == SIGNED_IN or (isinstance(guard, tuple) and any(permission in g.permitted for permission in guard)):
        return dispatch()
    raise NotAllowed
