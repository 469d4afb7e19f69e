"""What several test processes of a run use and the first of them that needs it makes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all test processes of this run see."""
    base = factory.getbasetemp()
    found = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    found.mkdir(exist_ok=True)
    return found


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of that name; the first process to ask fills it while the others wait.

    Args:
        make: Fills the empty folder it is given. Where it fails, the next who asks tries again in an empty one.
    """
    shared = folder(factory)
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / name).exists():
            begun = factory.mktemp(f"{name}-begun")
            make(begun)
            begun.rename(shared / name)
    return shared / name
