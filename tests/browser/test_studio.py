"""The studio in a browser: drawing, saving as one goes, findings, undo across saves, two who write, both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from engine import drafts
from engine.transaction import transaction
from models import Person as Account
from models import ProcedureDraft
from tests.browser.conftest import NARROW, Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from models.database import Sessions

REPORT = "/studio/maternal_death?file=shared/report.bpmn"


def ready(page: Page) -> Page:
    """Wait until the page can be drawn on."""
    page.wait_for_selector("[data-ready=true]")
    return page


def begun(person: Person, path: str = REPORT) -> Page:
    """Begin the draft and open a file of it."""
    person.open("/studio/maternal_death").click("form[action$='/draft'] button")
    person.page.wait_for_selector("[data-draft=true]")
    return ready(person.open(path))


def until(page: Page, expression: str, argument: object = None) -> None:
    """Wait until an expression holds; the page's policy lets nobody watch it from within."""
    for _ in range(100):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


def saved(page: Page) -> None:
    """Wait until everything drawn is acknowledged."""
    until(page, "pingshenStudio.pending() === 0 && document.querySelector('[data-st=state]').dataset.is === 'saved'")


def ids(page: Page) -> set[str]:
    """Return the ids of the elements that are drawn."""
    return set(page.evaluate("pingshenStudio.open().editor.ids()"))


def pick(page: Page, element: str) -> None:
    """Select an element as a click on it would."""
    assert page.evaluate("id => pingshenStudio.open().editor.reveal(id)", element)
    page.wait_for_selector(".djs-context-pad.open")


def append_task(page: Page, element: str, name: str) -> str:
    """Append a user task and name it; return its id."""
    before = ids(page)
    pick(page, element)
    page.click(".djs-context-pad [data-action='append.append-task']")
    page.keyboard.insert_text(name)
    page.keyboard.press("Enter")
    (made,) = {entry for entry in ids(page) - before if entry.startswith("user_task") and not entry.endswith("_label")}
    return made


def test_a_step_drawn_after_another_is_put_between_checked_and_saved_without_being_asked(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = begun(person)
    step = append_task(page, "report_case", "院内讨论")
    page.wait_for_selector(f"[data-st=findings] li[data-element={step}]")
    saved(page)
    with transaction(sessions) as session:
        draft = session.scalars(sa.select(ProcedureDraft)).one()
        text = drafts.file(session, draft, "shared/report.bpmn").decode()
    assert f'<bpmn:userTask id="{step}" name="院内讨论">' in text
    assert f'sourceRef="report_case" targetRef="{step}"' in text
    assert f'sourceRef="{step}" targetRef="report_there"' in text
    assert page.locator("[data-path='shared/report.bpmn'] .dot").inner_text() == "已改"
    assert page.locator(f".djs-overlays[data-container-id={step}] .st-flag").is_visible()
    page.click("[data-st=findings] li a >> nth=0")
    assert page.evaluate("pingshenStudio.open().editor.modeler.get('selection').get()[0].id") == step
    assert person.complaints == []


def test_a_property_is_written_as_bare_feel_and_the_role_moves_the_step_to_its_lane(visit: Callable[..., Person]) -> None:
    page = begun(visit("liucheng"))
    pick(page, "verify_report")
    page.select_option("#bio-properties-panel-role", "facility_reporter")
    page.select_option("#bio-properties-panel-exclude-step", "step:chase_report")
    page.locator("[data-entry-id=task-person] .cm-content").click()
    page.keyboard.insert_text("reporter")
    page.wait_for_timeout(400)
    saved(page)
    text = page.evaluate("pingshenStudio.open().editor.text()")
    lane = text.split('<bpmn:lane id="facility_reporter"')[1].split("</bpmn:lane>")[0]
    assert "<bpmn:flowNodeRef>verify_report</bpmn:flowNodeRef>" in lane
    assert 'person="reporter"' in text
    assert 'exclude="chase_report_by"' in text
    assert '<ps:output variable="chase_report_by" expression="person" />' in text


def test_a_reminder_is_a_timer_that_does_not_interrupt(visit: Callable[..., Person]) -> None:
    page = begun(visit("liucheng"))
    pick(page, "fill_card")
    page.get_by_text("超时怎么办").click()
    page.get_by_role("button", name="加一个超时提醒：由人催办").click()
    saved(page)
    text = page.evaluate("pingshenStudio.open().editor.text()")
    event = text.split('attachedToRef="fill_card"')[1].split("</bpmn:boundaryEvent>")[0]
    assert (
        event.startswith(' cancelActivity="false"')
        or 'cancelActivity="false"' in text.split('attachedToRef="fill_card"')[0].rsplit("<", 1)[1] + event.split(">")[0]
    )
    assert 'due("case_report", if returned_at = null then case.clock_start else returned_at)' in event
    page.keyboard.press("Control+z")
    until(page, "!pingshenStudio.open()?.editor.ids().some(id => id.startsWith('boundary_event'))")


def test_a_finding_is_mended_by_its_button_and_a_file_is_added_and_taken_away(visit: Callable[..., Person]) -> None:
    page = begun(visit("liucheng"))
    step = append_task(page, "report_case", "院内讨论")
    saved(page)
    offer = page.locator(f"[data-st=findings] li[data-element={step}] select")
    offer.first.select_option("facility_discussion")
    until(page, "id => !pingshenStudio.findings().some(({ element, level }) => element === id && level === 'error')", step)
    until(page, "async id => (await pingshenStudio.open()?.editor.text())?.split(`id=\"${id}\"`)[1]?.includes('form=')", step)
    until(page, "!document.querySelector('.st-place[aria-busy]')")
    assert 'form="facility_discussion"' in page.evaluate("pingshenStudio.open().editor.text()").split(f'id="{step}"')[1].split("</bpmn:userTask>")[0]
    page.click("[data-act=new]")
    for field, text in (("name", "记录"), ("en", "Record"), ("key", "talk")):
        page.fill(f"#st-new-{field}", text)
    page.click("#st-new .btn-primary")
    page.wait_for_url("**file=forms%2Ftalk.json")
    manifest = "fetch('/studio/maternal_death/files/procedure.toml').then(answer => answer.json()).then(({ text }) => text)"
    assert '"talk"' in page.evaluate(manifest)
    page.click("details.menu > summary")
    page.click("[data-act=remove]")
    page.wait_for_url("**file=maternal_death.bpmn")
    assert '"talk"' not in page.evaluate(manifest)


def test_undo_goes_on_through_saves_after_the_page_was_loaded_again(visit: Callable[..., Person]) -> None:
    page = begun(visit("liucheng"))
    step = append_task(page, "report_case", "院内讨论")
    saved(page)
    page.reload()
    ready(page)
    assert step in ids(page)
    while step in ids(page):
        turned(page, "undo")
    turned(page, "redo")
    assert step in ids(page)


def turned(page: Page, act: str) -> None:
    """Undo or redo a save and wait until its file is open again."""
    before = page.evaluate("pingshenStudio.revision()")
    page.click(f"[data-act={act}]")
    until(page, "before => pingshenStudio.revision() !== before && pingshenStudio.open() && !document.querySelector('.st-place[aria-busy]')", before)


def test_who_comes_second_reads_and_what_was_drawn_is_kept_when_the_draft_is_taken_over(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = begun(person)
    with transaction(sessions) as session:
        other = session.scalars(sa.select(Account).where(Account.username != "liucheng")).first()
        assert other is not None
        name = other.name
        draft = session.scalars(sa.select(ProcedureDraft)).one()
        draft.locked_by_id = other.id
    step = append_task(page, "report_case", "院内讨论")
    page.wait_for_selector("[data-st=bar]:not([hidden])")
    assert page.evaluate("Object.keys(localStorage).some(name => name.endsWith('shared/report.bpmn'))")
    assert name in page.locator("[data-st=holder]").inner_text()
    page.get_by_role("button", name="接过来，存我画的").click()
    saved(page)
    with transaction(sessions) as session:
        draft = session.scalars(sa.select(ProcedureDraft)).one()
        assert step in drafts.file(session, draft, "shared/report.bpmn").decode()


def test_without_a_network_it_is_kept_here_and_sent_when_there_is_one(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    page = begun(person)
    person.context.set_offline(True)
    step = append_task(page, "report_case", "院内讨论")
    until(page, "document.querySelector('[data-st=state]').dataset.is === 'offline'")
    assert step in page.evaluate("localStorage.getItem('studio:maternal_death:shared/report.bpmn')")
    person.context.set_offline(False)
    saved(page)
    assert page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('studio:')).length") == 0


@pytest.mark.parametrize(("language", "size"), [("zh-CN", None), ("en-GB", NARROW)])
def test_the_page_is_accessible_in_both_languages_and_sizes_and_no_word_is_missing(
    visit: Callable[..., Person], language: str, size: tuple[int, int] | None
) -> None:
    person = visit("liucheng", language=language, **({"size": size} if size else {}))
    page = begun(person, f"{REPORT}&element=report_case")
    mark = page.locator(".bjs-powered-by")
    assert mark.is_visible()
    box = mark.bounding_box()
    assert box is not None
    assert page.evaluate(
        "([x, y]) => Boolean(document.elementFromPoint(x, y).closest('.bjs-powered-by'))", [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    )
    assert person.faults() == []
    if size:
        for part in ("tree", "panel", "find"):
            page.click(f"[data-fold={part}]")
            assert person.faults() == []
            page.click(f"[data-fold={part}]")
    else:
        page.evaluate("for (const header of document.querySelectorAll('.bio-properties-panel-group-header:not(.open)')) header.click()")
        for action in ("replace", "append"):
            page.click(f".djs-context-pad [data-action='{action}']")
            page.wait_for_selector(".djs-popup")
            offered = page.locator(".djs-popup .entry").all_inner_texts()
            assert not any(word in " ".join(offered) for word in ("信号", "补偿", "复杂", "事务", "链接", "手工", "数据"))
            page.keyboard.press("Escape")
        page.click("[data-act=simulate]")
        page.wait_for_selector(".simulation")
        assert person.faults() == []
        assert page.evaluate("[...pingshenMissingWords]") == []
    assert person.complaints == []


def test_other_pages_load_nothing_of_it(visit: Callable[..., Person]) -> None:
    person = visit("liucheng")
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(request.url))
    person.open("/studio")
    assert asked
    assert [address for address in asked if "/studio/" in address and "/assets/" in address] == []
