"""The rooms of the house: imports go one way, each foreign library has its room, and identity has one door."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "engine", "web", "bpmn")
FLASK = frozenset({"flask", "flask_babel", "flask_login", "flask_wtf", "werkzeug", "wtforms", "jinja2"})
# Which modules of the pages may ask for a subject: the page of a case that is visible, identified, to whoever asks.
READERS_OF_SUBJECTS = {"web/views/cases.py"}


def files(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@lru_cache(maxsize=400)
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every import of a file as module and name, those inside functions included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module or "", alias.name
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__"):
            for argument in node.args[:1]:
                first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
                assert isinstance(first, ast.Constant), f"{named(path)}:{node.lineno} imports what cannot be read"
                assert "." in str(first.value) or first is argument, f"{named(path)}:{node.lineno}"
                yield str(first.value).rstrip("."), ""


def tops(path: Path) -> set[str]:
    return {module.split(".")[0] for module, _ in imports(path)}


def test_the_four_names_belong_to_this_distribution() -> None:
    owners = importlib.metadata.packages_distributions()
    for room in ROOMS:
        assert set(owners.get(room, ["pingshen"])) == {"pingshen"}, room


@pytest.mark.parametrize("room", ROOMS)
def test_there_is_something_in_each_room(room: str) -> None:
    assert files(room), "a walk over no files finds nothing wrong"


def test_models_import_neither_the_engine_nor_the_pages_nor_their_libraries() -> None:
    for path in files("models"):
        assert not tops(path) & ({"engine", "web", "tests", "SpiffWorkflow"} | FLASK), named(path)


def test_the_engine_imports_no_pages() -> None:
    for path in files("engine"):
        assert not tops(path) & ({"web", "tests"} | FLASK), named(path)


def test_the_workflow_library_is_spoken_in_one_room() -> None:
    speakers = {named(path) for path in files(*ROOMS) if "SpiffWorkflow" in tops(path)}
    assert speakers
    assert all(path.startswith("engine/workflow/") for path in speakers), speakers


def test_what_speaks_the_workflow_library_knows_no_session() -> None:
    """State in, state out: no database, no case, no other noun of the engine."""
    allowed = {"engine.errors", "engine.feel", "engine.forms", "engine.workflow", "engine"}
    for path in files("engine/workflow"):
        assert "sqlalchemy" not in tops(path), named(path)
        for module, name in imports(path):
            if module.split(".")[0] == "engine":
                full = f"{module}.{name}" if module == "engine" else module
                assert any(full == one or full.startswith(f"{one}.") for one in allowed), f"{named(path)} imports {full}"


def test_the_expression_language_knows_nothing_of_cases() -> None:
    for path in files("engine/feel"):
        assert not tops(path) & {"models", "sqlalchemy", "web", "SpiffWorkflow"}, named(path)
        for module, name in imports(path):
            if module.split(".")[0] == "engine":
                full = f"{module}.{name}" if module == "engine" else module
                assert full.startswith("engine.feel"), f"{named(path)} imports {full}"


def test_diagrams_and_tables_are_data() -> None:
    for path in files("bpmn"):
        assert not list(imports(path)), named(path)


def test_nothing_that_ships_imports_the_tests() -> None:
    for path in files(*ROOMS):
        assert not tops(path) & {"tests", "pytest", "hypothesis", "time_machine"}, named(path)


def test_the_pages_read_no_identity_of_their_own() -> None:
    """Whoever may see her is decided in the engine: no page reads the table `subjects` itself."""
    for path in files("web"):
        if path.is_relative_to(ROOT / "web" / "demo"):
            continue
        for module, name in imports(path):
            assert not (module.startswith("models") and name in ("Subject", "Source")), named(path)
            assert module != "models.subject", named(path)
            if (module, name) == ("engine", "subjects") or module == "engine.subjects":
                assert named(path) in READERS_OF_SUBJECTS, named(path)


def test_no_program_text_is_evaluated_anywhere() -> None:
    """What a file says is FEEL: nothing that ships calls Python's own evaluator or reads pickles."""
    for path in files(*ROOMS):
        assert not tops(path) & {"pickle", "marshal", "shelve", "dill"}, named(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{named(path)}:{node.lineno}"


def test_every_file_begins_by_saying_what_it_is() -> None:
    for path in files(*ROOMS):
        assert ast.get_docstring(tree(path)) or not path.read_text("utf-8").strip(), named(path)
