"""Diagrams of a version for the viewer (`assets/src/diagram.js`): the drawing, what is lit on it, and where it leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import NotFound
from web import words
from web.language import either, is_english

if TYPE_CHECKING:
    from engine.procedures import Deployed


def drawn(deployed: Deployed, process: str, *, done: Iterable[str] = (), current: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return a diagram as the viewer takes it.

    Args:
        done: Steps that were walked; those of other diagrams are left out.
        current: How often each step is open.

    Raises:
        NotFound: the version has no such process.
    """
    found = deployed.specification.processes.get(process)
    if found is None:
        raise NotFound
    elements = [element for element in deployed.specification.elements.values() if element.process == process]
    own = {element.id for element in elements}
    return {
        "xml": deployed.specification.files[found.file].decode("utf-8"),
        "done": sorted(own.intersection(done)),
        "current": {step: count for step, count in (current or {}).items() if step in own},
        "names": _names(deployed, process),
        "calls": {element.id: element.called for element in elements if element.called},
    }


def _names(deployed: Deployed, process: str) -> dict[str, str]:
    """Return what the steps and lanes of a diagram are called in English; nothing in the diagram's own language."""
    if not is_english():
        return {}
    lanes = {lane: words.role_name(lane.split(".")[0]) for lane, _name in deployed.specification.processes[process].lanes}
    return {**lanes, **{element.id: element.name_en for element in deployed.specification.elements.values() if element.process == process}}


def processes(deployed: Deployed) -> list[tuple[str, str]]:
    """Return the diagrams of a version with what they are called, the main one first."""
    found = deployed.specification.processes
    main = deployed.specification.main
    return [(key, either(found[key].name, found[key].name_en)) for key in sorted(found, key=lambda key: (key != main, list(found).index(key)))]
