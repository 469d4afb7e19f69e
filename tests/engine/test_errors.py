"""Every error carries a sentence that a person can read."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import engine
from engine import errors


def kinds() -> list[type[errors.EngineError]]:
    """Return every error of the engine, wherever it stands."""
    for module in pkgutil.walk_packages(engine.__path__, "engine."):
        importlib.import_module(module.name)
    found: list[type[errors.EngineError]] = []
    todo = [errors.EngineError]
    while todo:
        current = todo.pop()
        found.append(current)
        todo += current.__subclasses__()
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", kinds())
def test_an_error_says_in_one_chinese_sentence_what_is_the_case(kind: type[errors.EngineError]) -> None:
    assert re.search(r"[\u3400-\u9fff]", kind.sentence)
    assert kind.sentence.endswith(("。", "%(why)s"))
    assert (kind.__doc__ or "").strip()


def test_a_form_s_error_counts_its_findings() -> None:
    assert errors.FormInvalid([1, 2, 3]).fields == {"count": 3}  # type: ignore[list-item]


def test_a_failed_step_says_where_and_why_and_leaves_the_number_to_the_incident() -> None:
    error = errors.StepFailed(element="note_item", reason="no such item")
    assert (error.element, error.reason, error.fields) == ("note_item", "no such item", {"number": ""})


def test_a_refused_deployment_lists_its_complaints() -> None:
    error = errors.Deployment(["a.bpmn:3:x: one", "a.bpmn:4:y: two"])
    assert str(error) == "a.bpmn:3:x: one\na.bpmn:4:y: two"
    assert error.fields == {"count": 2}
