"""Examples of a decision that is being drawn: run by the server over the text as it stands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Browser

ADDRESS = "/studio/maternal_death/decisions/run"
MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="m" name="范围" namespace="urn:range">
  <inputData id="i" name="年龄"><variable id="iv" name="年龄" typeRef="number"/></inputData>
  <decision id="d" name="是否高龄"><variable id="dv" name="是否高龄"/>
    <informationRequirement id="r"><requiredInput href="#i"/></informationRequirement>
    <decisionTable id="t" hitPolicy="{policy}">
      <input id="c"><inputExpression id="e" typeRef="number"><text>年龄</text></inputExpression></input>
      <output id="o" name="结果" typeRef="string"/>
      <rule id="r1"><inputEntry id="a1"><text>&gt;= 35</text></inputEntry><outputEntry id="b1"><text>"高龄"</text></outputEntry></rule>
      <rule id="r2"><inputEntry id="a2"><text>{second}</text></inputEntry><outputEntry id="b2"><text>"一般"</text></outputEntry></rule>
    </decisionTable>
  </decision>
</definitions>"""


def model(policy: str = "UNIQUE", second: str = "&lt; 35") -> str:
    """The model with another hit policy or second rule."""
    return MODEL.replace("{policy}", policy).replace("{second}", second)


def examples(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"decision": "是否高龄", "examples": list(rows)}


@pytest.fixture
def draws(browse: Any) -> Any:
    """Sends a table with examples as somebody who may change procedures."""
    administrator: Browser = browse("liucheng")
    headers = {"X-CSRFToken": administrator.token(), "Accept": "application/json"}
    return lambda body: administrator.client.post(ADDRESS, json=body, headers=headers)


def test_each_example_tells_its_result_and_the_rules_that_hit(draws: Any) -> None:
    asked = examples(
        {"name": "as expected", "inputs": {"年龄": 36}, "expect": "高龄"},
        {"name": "not as expected", "inputs": {"年龄": "=30 + 4"}, "expect": "高龄"},
        {"name": "no result", "inputs": {"年龄": "old"}, "expect": None},
    )
    found = draws({"path": "decisions/x.dmn", "text": model(), "examples": asked}).get_json()
    assert found["problem"] == ""
    assert found["decisions"] == [{"id": "d", "name": "是否高龄", "inputs": [{"name": "年龄", "type": "number"}], "policy": "UNIQUE"}]
    first, second, third = found["results"]
    assert (first["ok"], first["got"], first["hits"]) == (True, '"高龄"', [1])
    assert (second["ok"], second["got"], second["expected"], second["hits"]) == (False, '"一般"', '"高龄"', [2])
    assert third["ok"] is False and "年龄" in third["problem"]
    assert second["tables"] == [{"decision": "是否高龄", "rules": [2]}]


@pytest.mark.parametrize(("policy", "got"), [("FIRST", '"高龄"'), ("COLLECT", '["高龄", "一般"]'), ("RULE ORDER", '["高龄", "一般"]')])
def test_a_hit_policy_decides_what_overlapping_rules_give(draws: Any, policy: str, got: str) -> None:
    asked = examples({"name": "x", "inputs": {"年龄": 40}, "expect": None})
    found = draws({"path": "decisions/x.dmn", "text": model(policy, "-"), "examples": asked}).get_json()
    assert found["results"][0]["got"] == got


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<a>" * 40_000,
        '<!DOCTYPE x [<!ENTITY a "b">]><x/>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        model("FOO"),
        model().replace(
            "<decisionTable", '<context id="q"><contextEntry id="w"><functionDefinition id="f" kind="Java"/></contextEntry></context><decisionTable'
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_told_in_a_sentence(draws: Any, text: str) -> None:
    answer = draws({"path": "decisions/x.dmn", "text": text, "examples": examples({"name": "x", "inputs": {}, "expect": None})})
    assert answer.status_code == 200
    found = answer.get_json()
    assert found["problem"].startswith("这张决策表还不能用") and found["results"] == []
    assert "root:" not in found["problem"]


def test_a_costly_table_ends_by_its_budget(draws: Any) -> None:
    second = "count(for a in 1..9999999, b in 1..9999999 return a) &gt; ?"
    rows = [{"name": str(number), "inputs": {"年龄": 40}, "expect": None} for number in range(200)]
    results = draws({"path": "decisions/x.dmn", "text": model("FIRST", second).replace("&gt;= 35", second), "examples": examples(*rows)}).get_json()[
        "results"
    ]
    assert len(results) == 200
    assert all(result["ok"] is False and result["problem"] for result in results)


@pytest.mark.parametrize("body", [[], {"text": 5}, {"text": "x", "examples": []}, {"examples": {}}])
def test_a_request_without_its_parts_is_refused(draws: Any, body: Any) -> None:
    answer = draws(body)
    assert answer.status_code == 422
    assert answer.get_json()["problem"]


def test_a_request_has_a_largest_size(draws: Any) -> None:
    assert draws({"path": "x", "text": "x" * 3_100_000, "examples": None}).status_code == 413


def test_examples_that_are_none_are_told(draws: Any) -> None:
    found = draws({"path": "x", "text": model(), "examples": {"decision": "是否高龄", "examples": [5]}}).get_json()
    assert found["problem"].startswith("示例不能读取")
