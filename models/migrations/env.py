"""Alembic's environment: it runs on the connection that it is given, in one transaction."""

from typing import Any, Literal

from alembic import context

from models import Base
from models.base import ByValue, Instant


def render(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Write our own types as the plain ones they are, so that a migration never changes with the code."""
    if kind == "type" and isinstance(thing, ByValue):
        return f"sa.String(length={thing.impl.length})"  # type: ignore[misc]
    if kind == "type" and isinstance(thing, Instant):
        return "sa.DateTime(timezone=True)"
    return False


config = context.config
context.configure(connection=config.attributes["connection"], target_metadata=Base.metadata, compare_type=True, render_item=render)
with context.begin_transaction():
    context.run_migrations()
