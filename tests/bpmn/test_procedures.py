"""Every shipped procedure is fit to deploy, drawn so that it can be read, and whole: forms, limits, words, sources, defaults."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any

import pytest

from engine import codes, forms, notices, procedures, profiles, workflow
from engine.workflow import reading
from engine.workflow.reading import BPMN, DI, FLOW_NODES, PS
from tests.bpmn import walker
from web.demo.player import defaults

KEYS = procedures.shipped()
EXPLAINED = ("userTask", "callActivity", "serviceTask")
WORDS_NOT_USED = re.compile(r"案件|过错|违规|差错|责任(?!人)")


def diagrams() -> list[tuple[str, str, bytes]]:
    """Return every diagram of every shipped procedure: its procedure, its path, its bytes; a shared one once."""
    found = {
        path if "/" in path else f"{key}/{path}": (key, path, content)
        for key in KEYS
        for path, content in procedures.shipped_files(key).items()
        if path.endswith(".bpmn")
    }
    return list(found.values())


DIAGRAMS = diagrams()
EVERY_DIAGRAM = pytest.mark.parametrize(("path", "content"), [entry[1:] for entry in DIAGRAMS], ids=[entry[1] for entry in DIAGRAMS])


@lru_cache
def specification(key: str) -> workflow.Specification:
    """Return a shipped procedure as it runs."""
    return workflow.read(procedures.shipped_files(key), manifest(key)["main"])


def manifest(key: str) -> dict[str, Any]:
    """Return the manifest of a shipped procedure."""
    return tomllib.loads(procedures.shipped_files(key)["procedure.toml"].decode())


@pytest.mark.parametrize("key", KEYS)
def test_a_shipped_procedure_is_fit_to_deploy(key: str) -> None:
    assert [str(complaint) for complaint in procedures.check(procedures.shipped_files(key))] == []


@EVERY_DIAGRAM
def test_everything_is_drawn(path: str, content: bytes) -> None:
    root = reading.xml(content, path)
    drawn = {shape.get("bpmnElement") for shape in root.iter(f"{{{DI}}}BPMNShape", f"{{{DI}}}BPMNEdge")}
    wanted = {node.get("id") for kind in (*FLOW_NODES, "sequenceFlow", "lane", "participant") for node in root.iter(f"{{{BPMN}}}{kind}")}
    assert wanted - drawn == set()
    assert drawn - wanted == set()


@pytest.mark.parametrize("key", KEYS)
def test_every_step_has_both_names_and_says_where_its_rule_comes_from(key: str) -> None:
    for element in specification(key).elements.values():
        if element.kind in EXPLAINED:
            assert element.name, element.id
            assert element.name_en not in ("", element.name), element.id
            assert "来源：" in element.documentation, f"{element.id}: {element.documentation}"
            assert re.search(r"\(.+\)", element.documentation_en), f"{element.id}: {element.documentation_en}"
            assert not chinese(element.name_en + element.documentation_en), element.id
        elif element.kind != "endEvent" and element.name:
            assert element.name_en, element.id
            assert not chinese(element.name_en), element.id


@EVERY_DIAGRAM
def test_every_word_on_a_flow_is_said_in_english(path: str, content: bytes) -> None:
    for flow in reading.xml(content, path).iter(f"{{{BPMN}}}sequenceFlow"):
        assert not flow.get("name") or flow.get(f"{{{PS}}}name_en"), flow.get("id")


def test_every_form_that_is_named_is_shipped_and_every_shipped_one_is_used() -> None:
    used: set[str] = set()
    for key in KEYS:
        elements = specification(key).elements.values()
        mine = (
            {notices.FORM}
            | {element.plan.form for element in elements if element.plan}
            | {element.message_form for element in elements if element.message_form}
        )
        named = set(manifest(key)["forms"])
        assert mine == named, f"{key}: {mine ^ named}"
        used |= mine
    shipped = {entry.name[:-5] for entry in (resources.files("bpmn") / "forms").iterdir() if entry.name.endswith(".json")}
    assert used == shipped


@pytest.mark.parametrize("key", KEYS)
def test_every_limit_and_value_stands_in_the_profiles(key: str) -> None:
    shipped = profiles.shipped()
    elements = specification(key).elements.values()
    limits = {element.plan.limit for element in elements if element.plan and element.plan.limit}
    limits |= {limit for element in elements for limit, _ in element.arms} | {limit for element in elements for limit in element.meets}
    texts = "\n".join(content.decode() for path, content in procedures.shipped_files(key).items() if path.endswith((".bpmn", ".json")))
    limits |= set(re.findall(r"""due\((?:"|\\"|&quot;)(\w+)""", texts))
    values = set(re.findall(r"profile\.([a-z_]+)", texts))
    for name, profile in shipped.items():
        assert limits <= set(profile["limits"]), f"{name}: {limits - set(profile['limits'])}"
        assert values <= set(profile["values"]), f"{name}: {values - set(profile['values'])}"


@pytest.mark.parametrize("key", KEYS)
def test_every_code_list_of_a_form_is_shipped(key: str) -> None:
    of_the_case = {"matches", "timeline"}
    for path, content in procedures.shipped_files(key).items():
        if path.startswith("forms/"):
            for entry in every(forms.parse(content).fields):
                named = entry.values_key
                assert not named or named in codes.lists() or "." in named or named in of_the_case, f"{path}: {named}"


def test_every_form_and_step_has_its_defaults() -> None:
    given = defaults()
    files = procedures.shipped_files("maternal_death")
    elements = specification("maternal_death").elements.values()
    assert set(given.answers) == {path[6:-5] for path in files if path.startswith("forms/")}
    assert set(given.steps) <= {element.id for element in elements if element.kind == "userTask"}


@pytest.mark.parametrize("name", walker.scenarios())
def test_a_scenario_speaks_of_steps_that_exist(name: str) -> None:
    wanted = walker.scenario(name)
    known = set(specification("maternal_death").elements)
    assert wanted["name"]
    assert wanted["name_en"]
    for case in wanted["cases"]:
        expected = case.get("expect", {})
        assert expected, "a scenario expects something of each of its cases"
        named = {step["element"] for step in case.get("steps", ())} | {also["before"] for also in case.get("also", ())} | set(case.get("leaves", ()))
        named |= set(expected.get("walked", ())) | set(expected.get("never", ())) | set(expected.get("open", ())) | set(expected.get("done_by", ()))
        assert named - known - {"end"} == set()


def test_the_words_are_the_house_s() -> None:
    for folder in (resources.files("bpmn"), resources.files("web.demo")):
        for path, text in _texts_under(folder):
            found = WORDS_NOT_USED.findall(text)
            assert not found, f"{path}: {found[:3]}"


# ── reading ──


def chinese(text: str) -> bool:
    """Tell whether a text holds a Chinese character."""
    return re.search(r"[\u3400-\u9fff]", text) is not None


def every(fields: Any) -> Iterator[Any]:
    """Yield every component of a form."""
    for entry in fields:
        yield entry
        yield from every(entry.fields)


def _texts_under(folder: Any) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _texts_under(entry)
        elif entry.name.endswith((".toml", ".json", ".bpmn", ".dmn", ".md")):
            yield entry.name, entry.read_text("utf-8")
