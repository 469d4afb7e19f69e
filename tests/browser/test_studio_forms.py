"""The editor of forms in the studio: nothing is lost, what we keep beside a form, hostile texts, both languages, a telephone."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from engine import drafts
from engine.transaction import transaction
from models import ProcedureDraft
from tests.browser.conftest import NARROW, Person
from tests.browser.test_studio import begun, saved, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from models.database import Sessions

CHASE = "/studio/maternal_death?file=forms/chase.json"
# Opens a text in an editor of its own, beside the page's, and tells what it says.
TRY = """async ([text, act]) => {
  const at = document.querySelector('script[type=module][src*="studio/studio.js"]').src.replace('studio.js', 'forms.js');
  const { open } = await import(at);
  const place = document.createElement('div');
  place.style.cssText = 'height:40rem;width:60rem';
  document.body.append(place);
  const editor = await open(place, { path: 'forms/x.json', text, key: 'maternal_death', names: {} });
  const side = place.querySelector('.fe-side');
  if (act === 'title') {
    const title = side.querySelector('input');
    title.value += '!';
    title.dispatchEvent(new Event('input'));
    title.dispatchEvent(new Event('change'));
  }
  if (act === 'look') for (const link of [...side.querySelectorAll('.fp-link')].slice(0, 6)) { link.click(); side.querySelector('.fp-head button').click(); }
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const note = place.querySelector('.se-note:not([hidden])')?.textContent ?? '';
  const loads = [...place.querySelectorAll('img, iframe, script, object, a[href^=javascript]')].length;
  const said = await editor.text();
  editor.destroy();
  place.remove();
  return { said, note, loads };
}"""


def shipped() -> list[str]:
    return [entry.read_text("utf-8") for entry in sorted((resources.files("bpmn") / "forms").iterdir(), key=lambda entry: entry.name)]


def field(page: Page, where: str) -> Any:
    """The control of the panel that writes at a place of the field."""
    return page.locator(f".fe-side [data-where='{where}'] :is(input, textarea, select)").first


def choose(page: Page, identifier: str) -> None:
    page.click(f".fjs-element[data-id='{identifier}']", position={"x": 4, "y": 4})
    page.wait_for_selector(".fp-actions")


def in_draft(sessions: Sessions, path: str) -> dict[str, Any]:
    with transaction(sessions) as session:
        found: dict[str, Any] = json.loads(drafts.file(session, session.scalars(sa.select(ProcedureDraft)).one(), path))
    return found


def test_every_shipped_form_comes_out_as_it_went_in_but_for_what_was_changed(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    page = person.open(CHASE)
    page.wait_for_selector(".fe-canvas .fjs-element")
    for text in shipped():
        assert page.evaluate(TRY, [text, ""]) == {"said": text, "note": "", "loads": 0}
        form = json.loads(text)
        form["pingshen"]["title"] += "!"
        changed = page.evaluate(TRY, [text, "title"])["said"]
        assert changed == json.dumps(form, ensure_ascii=False, indent=1) + "\n"
    assert person.complaints == []


def test_a_field_is_added_described_and_kept_and_can_be_undone(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = begun(person, CHASE)
    choose(page, "Field_answer")
    page.click(".fjs-palette-field[data-field-type=number]")
    page.wait_for_selector(".fp-kind:has-text('数字')")
    field(page, "label").fill("打了几次")
    field(page, "properties.en").fill("Calls made")
    field(page, "key").fill("calls")
    field(page, "validate.min").fill("1")
    field(page, "properties.warn_max").fill("5")
    page.locator("[data-where='validate.required'] input").check()
    page.locator("[data-where='properties.id'] select").select_option("C")
    page.click("[data-where='conditional.hide'] .cm-content")
    page.keyboard.insert_text('obstacle = "9"')
    saved(page)
    made = in_draft(sessions, "forms/chase.json")["components"][0]["components"][3]
    assert {name: value for name, value in made.items() if name != "id"} == {
        "type": "number",
        "key": "calls",
        "label": "打了几次",
        "validate": {"min": 1, "required": True},
        "properties": {"en": "Calls made", "warn_max": "5", "id": "C"},
        "conditional": {"hide": '=obstacle = "9"'},
    }
    before = [entry["id"] for entry in in_draft(sessions, "forms/chase.json")["components"][0]["components"]]
    page.click(".fp-actions button:has-text('上移')")
    saved(page)
    after = [entry["id"] for entry in in_draft(sessions, "forms/chase.json")["components"][0]["components"]]
    assert after == [before[0], before[1], before[3], before[2], before[4], before[5]]
    page.click("[data-tab=preview]")
    page.wait_for_selector(".fe-paper:has-text('打了几次')")
    assert page.locator(".fe-paper input").first.is_editable() is False or page.locator(".fe-paper[inert]").count() == 1
    assert person.complaints == []


def test_a_rule_is_written_and_a_key_cannot_be_taken_twice(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = begun(person, CHASE)
    page.click(".fp-rules > button")
    rule = page.locator(".fp-rules details").last
    rule.locator("input").first.fill("no_answer")
    rule.locator("select").first.select_option("error")
    rule.locator("select").nth(1).select_option("spoke_with")
    rule.locator("textarea.form-control").nth(-2).fill("请写接听人。")
    rule.locator("textarea.form-control").nth(-1).fill("Who answered is missing.")
    choose(page, "Field_answer")
    field(page, "key").fill("spoke_with")
    until(page, "document.querySelector('[data-where=key] input').validationMessage === '键名“spoke_with”用了两次。'")
    saved(page)
    kept = in_draft(sessions, "forms/chase.json")
    assert kept["components"][0]["components"][2]["key"] == "answer"
    assert kept["pingshen"]["rules"][1] == {
        "id": "no_answer",
        "level": "error",
        "field": "spoke_with",
        "when": "false",
        "zh": "请写接听人。",
        "en": "Who answered is missing.",
    }


def hostile() -> list[tuple[str, bool]]:
    """Texts and whether they can be drawn."""
    base = json.loads(shipped()[1])

    def changed(**component: Any) -> str:
        copy = json.loads(json.dumps(base))
        copy["components"].append({"id": "Odd", **component})
        return json.dumps(copy)

    markup = "<img src=x onerror=alert(1)><script>alert(1)</script>[a](javascript:alert(1)) ![b](https://example.org/x.png)"
    return [
        (changed(type="text", text=markup), True),
        (changed(type="textfield", key="odd", label=markup, description=markup), True),
        (changed(type="textfield", key="odd", label="{{ for i in 1..1000000000 return i }}"), True),
        (changed(type="expression", key="odd", expression="=for i in 1..1000000000 return i"), True),
        (changed(type="textfield", key="odd", properties={"prefill": 5, "id": {}, "long": [1]}, validate={"min": {}}), True),
        (changed(type="html", content=markup), False),
        (changed(type="iframe", url="javascript:alert(1)"), False),
        (changed(type="textfield", key="odd", label={"a": 1}), False),
        (changed(type="textfield", key="odd", values=[5]), False),
        (changed(type="textfield", key="__proto__x.y"), False),
        (json.dumps({**base, "components": [None]}), False),
        (json.dumps({**base, "pingshen": {"rules": {"a": 1}}}), False),
        ('{"type":"default","id":"x","components":[{"type":"text","id":"a","__proto__":{"x":1}}]}', False),
        ("{", False),
        ("[" * 100_000, False),
        (" " * 500_000, False),
        (json.dumps({**base, "components": [{"type": "number", "id": f"a{number}", "key": f"a{number}"} for number in range(2000)]}), False),
    ]


def test_a_hostile_form_is_told_in_a_sentence_or_drawn_as_text(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    page = person.open(CHASE)
    page.wait_for_selector(".fe-canvas .fjs-element")
    page.on("dialog", lambda dialog: pytest.fail(f"ran: {dialog.message}"))
    for text, fits in hostile():
        found = page.evaluate(TRY, [text, "look"])
        assert found["said"] == text
        assert found["loads"] == 0
        assert (found["note"] == "") is fits, (text[-200:], found["note"])
    assert person.complaints == []


@pytest.mark.parametrize(("size", "language"), [((1360, 900), "zh-CN"), (NARROW, "en-GB")])
def test_the_editor_speaks_the_language_of_the_page_and_axe_is_content(visit: Callable[..., Person], size: tuple[int, int], language: str) -> None:
    person = visit("liucheng", size, language)
    page = begun(person, CHASE)
    page.wait_for_selector(".fe-canvas .fjs-element")
    page.wait_for_timeout(300)
    assert page.evaluate("[...pingshenMissingWords]") == []
    assert person.faults() == []
    shown = page.inner_text(".fe-canvas")
    assert ("单行文字" in shown) is (language == "zh-CN") and ("Text field" in shown) is (language != "zh-CN")
    logo = page.locator(".fe-canvas .fjs-powered-by").first
    logo.scroll_into_view_if_needed()
    box = logo.bounding_box()
    assert box is not None
    on_top = page.evaluate(
        "([x, y]) => Boolean(document.elementFromPoint(x, y)?.closest('.fjs-powered-by'))",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
    )
    assert on_top  # the maker's mark stays to be seen
    assert person.complaints == []
