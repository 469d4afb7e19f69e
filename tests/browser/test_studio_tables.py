"""The editor of decision tables in the studio: tables and their examples, what is kept, hostile models, both languages."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from engine import blanks, decision_tables, drafts
from engine.transaction import transaction
from models import ProcedureDraft
from tests.browser.conftest import NARROW, Person
from tests.browser.test_studio import begun, saved, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from models.database import Sessions

TABLE = "/studio/maternal_death?file=decisions/age.dmn"
MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="m" name="年龄分组" namespace="urn:age">
  <inputData id="i" name="年龄"><extensionElements><own:note xmlns:own="urn:own">kept</own:note></extensionElements><variable id="iv" name="年龄" typeRef="number"/></inputData>
  <decision id="d" name="分组"><variable id="dv" name="分组" typeRef="string"/>
    <informationRequirement id="r"><requiredInput href="#i"/></informationRequirement>
    <decisionTable id="t" hitPolicy="UNIQUE">
      <input id="c" label="年龄"><inputExpression id="e" typeRef="number"><text>年龄</text></inputExpression></input>
      <output id="o" label="分组" name="分组" typeRef="string"/>
      <rule id="r1"><inputEntry id="a1"><text>&gt;= 35</text></inputEntry><outputEntry id="b1"><text>"高龄"</text></outputEntry></rule>
      <rule id="r2"><inputEntry id="a2"><text>&lt; 35</text></inputEntry><outputEntry id="b2"><text>"一般"</text></outputEntry></rule>
    </decisionTable>
  </decision>
  <decision id="k" name="组合"><variable id="kv" name="组合"/><context id="kc"><contextEntry id="ke"><variable id="kn" name="a"/><literalExpression id="kl"><text>1</text></literalExpression></contextEntry></context></decision>
  <dmndi:DMNDI xmlns:dmndi="https://www.omg.org/spec/DMN/20191111/DMNDI/" xmlns:dc="http://www.omg.org/spec/DMN/20180521/DC/"><dmndi:DMNDiagram id="x">
    <dmndi:DMNShape id="xd" dmnElementRef="d"><dc:Bounds x="100" y="60" width="180" height="80"/></dmndi:DMNShape>
    <dmndi:DMNShape id="xk" dmnElementRef="k"><dc:Bounds x="340" y="60" width="180" height="80"/></dmndi:DMNShape>
    <dmndi:DMNShape id="xi" dmnElementRef="i"><dc:Bounds x="120" y="200" width="125" height="45"/></dmndi:DMNShape>
  </dmndi:DMNDiagram></dmndi:DMNDI>
</definitions>
"""
EXAMPLES = {"decision": "分组", "examples": [{"name": "三十六", "inputs": {"年龄": 36}, "expect": "高龄"}]}
PUT = """async (files) => {
  const headers = { Accept: 'application/json', 'Content-Type': 'application/json', 'X-CSRFToken': document.querySelector('meta[name=csrf]').content };
  const { revision } = await (await fetch('/studio/maternal_death/files', { headers })).json();
  return (await fetch('/studio/maternal_death/files', { method: 'POST', headers, body: JSON.stringify({ revision, files, what: 'test' }) })).status;
}"""
TRY = """async (text) => {
  const at = document.querySelector('script[type=module][src*="studio/studio.js"]').src.replace('studio.js', 'tables.js');
  const { open } = await import(at);
  const place = document.createElement('div');
  place.style.cssText = 'height:40rem;width:60rem';
  document.body.append(place);
  const editor = await open(place, { path: 'decisions/x.dmn', text, key: 'maternal_death', names: {} });
  for (const button of [...place.querySelectorAll('.te-views button')].slice(0, -1)) { button.click(); await new Promise((done) => setTimeout(done, 60)); }
  const note = place.querySelector('.se-note:not([hidden])')?.textContent ?? '';
  const isDrawn = !place.querySelector('.te-canvas').hidden;
  const said = await editor.text();
  editor.destroy();
  place.remove();
  return { said, note, isDrawn };
}"""


def drawn(person: Person, text: str = MODEL, examples: dict[str, Any] | None = None) -> Page:
    """Put a table with examples into the draft and open it."""
    page = begun(person)
    files = {"decisions/age.dmn": text} | ({"decisions/age.examples.json": json.dumps(examples)} if examples else {})
    assert page.evaluate(PUT, files) == 200
    page = person.open(TABLE)
    page.wait_for_selector(".te-canvas td")
    page.wait_for_selector(".te-examples select option", state="attached")
    return page


def in_draft(sessions: Sessions, path: str) -> str:
    with transaction(sessions) as session:
        return drafts.file(session, session.scalars(sa.select(ProcedureDraft)).one(), path).decode()


def test_a_changed_rule_runs_the_examples_again_and_both_are_saved(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = drawn(person, examples=EXAMPLES)
    until(page, "document.querySelector('.te-status').textContent.startsWith('1 个示例里 1 个')")
    assert page.locator("tr.is-hit .rule-index").inner_text().strip() == "1"
    page.click("td[data-element-id=a1]")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(">= 40")
    page.click(".te-examples h2")
    until(page, "document.querySelector('.te-status').textContent.startsWith('1 个示例里 0 个')")
    assert page.locator(".te-result").inner_text().startswith("没有结果") or "null" in page.locator(".te-result").inner_text()
    page.click(".te-examples button:has-text('加一个示例')")
    page.fill("[aria-label='年龄，示例 2']", "41")
    page.fill("[aria-label='应为，示例 2']", '"高龄"')
    until(page, "document.querySelectorAll('.te-examples tr.is-ok').length === 1")
    saved(page)
    kept = in_draft(sessions, "decisions/age.dmn")
    assert "<text>&gt;= 40</text>" in kept and "kept</own:note>" in kept and "contextEntry" in kept
    examples = json.loads(in_draft(sessions, "decisions/age.examples.json"))
    assert examples["examples"][1] == {"name": "示例 2", "inputs": {"年龄": 41}, "expect": "高龄"}
    results = decision_tables.run_examples(kept.encode(), examples)
    assert [result.is_ok for result in results] == [False, True]
    assert person.complaints == []


def test_every_hit_policy_is_offered_and_kept(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = drawn(person)
    page.click(".hit-policy-edit-policy-select")
    offered = page.locator(".hit-policy-edit-policy-select ~ .options .option, .dms-select-options .option").all_inner_texts()
    assert len(offered) == 11 and "汇集（求和）" in offered
    page.click(".option:has-text('汇集（计数）')")
    until(page, "pingshenStudio.open().editor.text().then((text) => text.includes('COUNT'))")
    saved(page)
    assert re.search(
        r'hitPolicy="COLLECT"[^>]*aggregation="COUNT"|aggregation="COUNT"[^>]*hitPolicy="COLLECT"', in_draft(sessions, "decisions/age.dmn")
    )


def test_a_new_table_is_one_that_runs(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    page = person.open(TABLE)
    page.wait_for_selector("[data-ready=true]")
    text = blanks.table("age", '年龄 <分组> & "x"').decode()
    (named,) = decision_tables.names(text.encode())
    assert (named.name, named.hit_policy, len(named.outputs)) == ("age", "FIRST", 1)
    assert (
        page.evaluate("text => new DOMParser().parseFromString(text, 'text/xml').documentElement.getAttribute('name')", text) == '年龄 <分组> & "x"'
    )
    assert page.evaluate(TRY, text) == {"said": text, "note": "", "isDrawn": True}


def hostile() -> list[tuple[str, bool]]:
    """Models and whether they can be drawn."""
    rule = '<rule id="x{0}"><inputEntry id="xa{0}"><text>{0}</text></inputEntry><outputEntry id="xb{0}"><text>"x"</text></outputEntry></rule>'
    markup = "&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
    return [
        (MODEL.replace('name="分组"', f'name="{markup}"').replace('label="年龄"', f'label="{markup}"').replace('"高龄"', markup), True),
        (MODEL.replace("20191111/MODEL", "20230324/MODEL"), True),
        (MODEL.replace("<inputData", "<!--c--><inputData", 1), True),
        (MODEL.replace("https://www.omg.org/spec/DMN/20191111/MODEL/", "http://www.omg.org/spec/DMN/20180521/MODEL/"), False),
        (MODEL.replace("?>", '?><!DOCTYPE x [<!ENTITY a "aaaa">]>', 1), False),
        (MODEL.replace("UNIQUE", "FOO"), False),
        (MODEL.replace("UNIQUE", 'FIRST" aggregation="SUM'), False),
        (MODEL.replace('<outputEntry id="b1"><text>"高龄"</text></outputEntry>', ""), False),
        (MODEL.replace("<decision id=", "<foo/><decision id=", 1), False),
        (MODEL.replace('id="k"', 'id="d"'), False),
        (MODEL.replace("</decisionTable>", "".join(rule.format(number) for number in range(8000)) + "</decisionTable>"), False),
        ("hello", False),
        ("", False),
        ("<a>" * 50_000, False),
        ("x" * 1_100_000, False),
    ]


def test_a_hostile_model_is_told_in_a_sentence_or_drawn_as_text(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    page = person.open("/studio/maternal_death?file=forms/chase.json")
    page.wait_for_selector("[data-ready=true]")
    page.on("dialog", lambda dialog: pytest.fail(f"ran: {dialog.message}"))
    for text, fits in hostile():
        found = page.evaluate(TRY, text)
        assert found["said"] == text
        assert found["isDrawn"] is fits, (text[:200], found["note"])
        assert fits or found["note"].endswith("请直接改源文件。")
    assert person.complaints == []


@pytest.mark.parametrize(("size", "language"), [((1360, 900), "zh-CN"), (NARROW, "en-GB")])
def test_the_editor_speaks_the_language_of_the_page_and_axe_is_content(visit: Callable[..., Person], size: tuple[int, int], language: str) -> None:
    person = visit("liucheng", size, language)
    page = drawn(person, examples=EXAMPLES)
    page.wait_for_timeout(300)
    assert person.faults() == []
    shown = page.inner_text(".te-canvas")
    assert ("命中策略" in shown) is (language == "zh-CN") and ("Hit policy" in shown) is (language != "zh-CN")
    page.click("td[data-element-id=a1]", button="right")
    page.wait_for_selector(".context-menu-container, .context-menu")
    page.keyboard.press("Escape")
    page.click(".te-views button >> nth=0")
    page.wait_for_selector(".te-canvas .djs-palette")
    page.click(".djs-element[data-element-id=d]")
    page.wait_for_selector(".djs-context-pad.open")
    assert page.evaluate("[...pingshenMissingWords]") == []
    logo = page.locator(".te-canvas .powered-by, .te-canvas .bjs-powered-by").locator("visible=true").first
    box = logo.bounding_box()
    assert box is not None
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    # the maker's mark stays to be seen
    assert page.evaluate("([x, y]) => Boolean(document.elementFromPoint(x, y)?.closest('.powered-by, .bjs-powered-by'))", middle)
    assert person.complaints == []
