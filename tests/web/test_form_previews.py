"""The preview of a form that is being drawn: our own page of it, inert and escaped, in bounded time."""

from __future__ import annotations

import json
import time
from importlib import resources
from typing import Any

import pytest

from tests.web.conftest import Browser

ADDRESS = "/studio/maternal_death/forms/preview"


def form(*components: Any, **ours: Any) -> str:
    """A form's text of these components."""
    base = {"title": "试一试", "title_en": "A try", "audience": "case", "source": "", "rules": []}
    return json.dumps({"type": "default", "id": "x", "components": components, "pingshen": base | ours})


@pytest.fixture
def preview(browse: Any) -> Any:
    """Previews a text as somebody who may change procedures."""
    administrator: Browser = browse("liucheng")
    headers = {"X-CSRFToken": administrator.token(), "Accept": "application/json"}
    return lambda text: administrator.client.post(ADDRESS, json={"text": text}, headers=headers)


def test_every_shipped_form_is_shown_with_its_labels(preview: Any) -> None:
    for entry in (resources.files("bpmn") / "forms").iterdir():
        text = entry.read_text("utf-8")
        found = preview(text).get_json()
        assert found["problem"] == "", entry.name
        assert json.loads(text)["pingshen"]["title"] in found["html"]


def test_a_form_is_shown_as_people_fill_it_in(preview: Any) -> None:
    html = preview(
        form(
            {"type": "select", "id": "a", "key": "place", "label": "地点", "valuesKey": "CS-PLACE", "validate": {"required": True}},
            {"type": "select", "id": "b", "key": "unit", "label": "单位", "valuesKey": "organisations.hospitals"},
            {"type": "textfield", "id": "c", "key": "gone", "label": "不问的", "conditional": {"hide": "=true"}},
            {
                "type": "dynamiclist",
                "id": "d",
                "path": "rows",
                "label": "几次",
                "components": [{"type": "number", "id": "e", "key": "times", "label": "次数"}],
            },
            rules=[{"id": "r", "level": "error", "field": "place", "when": "false", "zh": "一。", "en": "One."}],
        )
    ).get_json()["html"]
    assert "省（地、市）级医院" in html and "（由个案决定）" in html and "次数" in html and "1 条规则" in html
    assert 'class="field w' in html and " off" in html  # the hidden one is there, folded away


@pytest.mark.parametrize(
    "component",
    [
        {"type": "text", "id": "a", "text": "<script>alert(1)</script><img src=x onerror=alert(1)>[a](javascript:alert(1))"},
        {"type": "textfield", "id": "a", "key": "a", "label": "<script>alert(1)</script>", "description": "<img src=x onerror=alert(1)>"},
        {"type": "radio", "id": "a", "key": "a", "label": "x", "values": [{"value": '"><script>', "label": "<script>alert(1)</script>"}]},
        {"type": "group", "id": "a", "path": "g", "label": "<script>alert(1)</script>", "components": []},
        {"type": "textfield", "id": '"><script>alert(1)</script>', "key": "a", "label": {"<script>": "<script>alert(1)</script>"}},
    ],
)
def test_nothing_of_a_form_becomes_markup(preview: Any, component: dict[str, Any]) -> None:
    found = preview(form(component, title="<script>alert(1)</script>")).get_json()
    assert "<script" not in found["html"] and "<img" not in found["html"] and 'href="javascript' not in found["html"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        '{"components": 5}',
        form({"type": "html", "id": "a", "content": "<b>"}),
        form({"type": "iframe", "id": "a", "url": "https://example.org"}),
        form({"type": "textfield", "id": "a", "key": "Case"}),
        form({"type": "number", "id": "a", "key": "a", "validate": {"min": {}}}),
        form(*({"type": "number", "id": f"a{number}", "key": f"a{number}"} for number in range(700))),
    ],
)
def test_a_form_that_cannot_be_used_is_told_in_a_sentence(preview: Any, text: str) -> None:
    answer = preview(text)
    assert answer.status_code == 200
    assert answer.get_json()["problem"] and not answer.get_json()["html"]


@pytest.mark.parametrize(
    "component",
    [
        {"type": "textfield", "label": "x", "conditional": {"hide": "=count(for a in 1..9999999 return a) > 1"}},
        {
            "type": "textfield",
            "label": "x",
            "properties": {"required_if": 'matches("' + "a" * 40 + '!", "(a+)+$")', "prefill": "string(1..99999999)"},
        },
    ],
)
def test_costly_expressions_share_one_budget(preview: Any, component: dict[str, Any]) -> None:
    text = form(*({**component, "id": f"a{number}", "key": f"a{number}"} for number in range(300)))
    began = time.process_time()
    assert preview(text).get_json()["html"]
    assert time.process_time() - began < 3  # rendering 300 fields included, on a slow machine


def test_text_of_braces_is_looked_through_once(preview: Any) -> None:
    began = time.process_time()
    preview(form({"type": "text", "id": "a", "text": "{{" * 60_000}))
    assert time.process_time() - began < 2


@pytest.mark.parametrize("body", [[], {}, {"text": 5}])
def test_a_request_without_its_text_is_refused(browse: Any, body: Any) -> None:
    administrator = browse("liucheng")
    answer = administrator.client.post(ADDRESS, json=body, headers={"X-CSRFToken": administrator.token(), "Accept": "application/json"})
    assert answer.status_code == 422
