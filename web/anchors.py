"""Anchors: the end of the journal's chain, kept in a file outside the database, one line each. Lines are added, never changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from engine import clock, journal
from engine.journal import Anchor

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

EVERY = timedelta(hours=1)


def keep(session: Session, file: Path, *, at_once: bool = False) -> Anchor | None:
    """Add the present end of the chain, if it moved and the last line is an hour old. Returns what was added.

    Args:
        at_once: However old the last line is.

    Raises:
        OSError: the file cannot be written.
    """
    lines = _lines(file)
    if lines and not at_once and _age(lines[-1]) < EVERY:
        return None
    end = journal.head(session)
    if lines and Anchor.read(lines[-1]) == end:
        return None
    with file.open("a", encoding="ascii") as opened:
        opened.write(f"{end} {clock.now().isoformat(timespec='seconds')}\n")
    return end


def read(file: Path) -> list[Anchor]:
    """Return the anchors of a file.

    Raises:
        ValueError: a line holds none; its number is said.
        OSError: the file cannot be read.
    """
    found = []
    for number, line in enumerate(_lines(file), 1):
        try:
            found.append(Anchor.read(line))
        except ValueError:
            raise ValueError(number) from None
    return found


def _age(line: str) -> timedelta:
    try:
        return clock.now() - datetime.fromisoformat(line.split()[2])
    except (IndexError, ValueError, TypeError):
        return EVERY


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text("ascii", "replace").splitlines() if line.strip()] if file.exists() else []
