"""A working day in a real browser: the queue by keyboard, forms that save themselves, a lost connection, a page left open over night."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from playwright.sync_api import Page, expect

from engine.transaction import transaction
from models import Case, Draft, Notice, Packet, Person, SignIn, WorkItem, WorkItemState
from models.database import Sessions
from tests.browser.conftest import NARROW

OPEN = (WorkItemState.READY, WorkItemState.RESERVED)


def item_of(sessions: Sessions, element: str, username: str | None = None) -> UUID:
    """Return an open task at a step, of somebody when it is assigned."""
    query = sa.select(WorkItem.id).where(WorkItem.element == element, WorkItem.state.in_(OPEN)).order_by(WorkItem.offered_at)
    if username:
        query = query.join(Person, Person.id == WorkItem.person_id).where(Person.username == username)
    with sessions() as session:
        found = session.scalars(query).first()
    assert found is not None
    return found


def draft_of(sessions: Sessions, item_id: UUID) -> dict[str, Any]:
    with sessions() as session:
        found = session.scalar(sa.select(Draft.answers).where(Draft.work_item_id == item_id))
    return dict(found or {})


def state_of(sessions: Sessions, item_id: UUID) -> WorkItemState | None:
    with sessions() as session:
        return session.scalar(sa.select(WorkItem.state).where(WorkItem.id == item_id))


def wait_until(true: Any, seconds: float = 8) -> None:
    """Wait for something the server did."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, "waited in vain"
        time.sleep(0.05)


def test_the_queue_is_worked_by_keyboard_and_a_task_opens_beside_it(visit: Any, sessions: Sessions) -> None:
    person = visit("tangyining")
    page: Page = person.open("/work-items?view=all")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("tr[data-chosen]").count() == 1
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 1
    page.keyboard.press("o")
    page.wait_for_selector("#drawer:visible h2")
    assert page.url.endswith("view=all")
    assert person.faults() == []
    page.keyboard.press("Escape")
    assert not page.locator("#drawer").is_visible()
    assert page.evaluate("document.activeElement.matches('[data-open]')")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk]")).to_be_visible()
    expect(page.locator("[data-bulk-count]")).to_have_text("已选 1 项")
    page.click("[data-bulk-clear]")
    expect(page.locator("[data-bulk]")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("jjo?x")  # in a field, keys are letters
    assert page.evaluate("document.activeElement.value") == "jjo?x"
    assert not page.locator("#keys").is_visible()
    assert person.complaints == []


def test_several_tasks_are_claimed_and_put_back_at_once(visit: Any, sessions: Sessions) -> None:
    person = visit("tangyining")
    page: Page = person.open("/work-items?view=claimable")
    ids = [str(box.get_attribute("value")) for box in page.locator("input[form=bulk][name=items]").all()]
    assert ids
    page.check("[data-select-all]")
    page.click("[data-bulk] button[value=claim]")
    page.wait_for_load_state()
    assert {state_of(sessions, UUID(item)) for item in ids} == {WorkItemState.RESERVED}
    page = person.open("/work-items?view=mine")
    for item in ids:
        page.check(f"input[form=bulk][value='{item}']")
    page.click("[data-bulk] button[value=release]")
    page.wait_for_load_state()
    assert {state_of(sessions, UUID(item)) for item in ids} == {WorkItemState.READY}


def test_writing_saves_itself_and_asks_only_what_applies(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    person = visit("tangyining")
    page: Page = person.open(f"/work-items/{item_id}")
    asked = page.locator("[data-node]:visible").count()
    page.check("input[name=decision][value=return]")
    page.wait_for_function("before => [...document.querySelectorAll('[data-node]')].filter(e => e.offsetParent).length !== before", arg=asked)
    wait_until(lambda: draft_of(sessions, item_id).get("decision") == "return")
    expect(page.locator("[data-saved]").first).to_contain_text("已存")
    page.fill("[name=remark]", "补死亡医学证明书")
    wait_until(lambda: draft_of(sessions, item_id).get("remark") == "补死亡医学证明书")
    page.reload()
    assert page.input_value("[name=remark]") == "补死亡医学证明书"
    assert page.is_checked("input[name=decision][value=return]")
    assert state_of(sessions, item_id) is WorkItemState.RESERVED  # who writes, has it
    assert person.complaints == []


def test_a_row_is_added_and_removed_without_losing_what_was_typed(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "plan_rectification")
    page: Page = visit("tangyining").open(f"/work-items/{item_id}")
    before = page.locator("details.rep").count()
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    area = page.locator("#work textarea:visible").first
    area.fill("这句话要留着")
    page.locator("[data-add]:visible").first.click()
    page.wait_for_function("before => document.querySelectorAll('details.rep').length === before + 1", arg=before)
    page.wait_for_function("() => document.activeElement.closest('details.rep') !== null")
    assert "这句话要留着" in [box.input_value() for box in page.locator("#work textarea").all()]
    page.locator("details.rep [data-remove]:visible").last.click()
    page.wait_for_function("before => document.querySelectorAll('details.rep').length === before", arg=before)
    assert "这句话要留着" in [box.input_value() for box in page.locator("#work textarea").all()]


def test_what_is_wrong_stands_at_its_field_and_the_summary_leads_there(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    person = visit("tangyining")
    page: Page = person.open(f"/work-items/{item_id}")
    page.fill("[name=remark]", "先看看")
    page.click("[data-hand-in]")
    page.wait_for_selector("[role=alert] li a")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert page.input_value("[name=remark]") == "先看看"
    assert person.faults() == []
    link = page.locator("[role=alert] li a").last
    target = str(link.get_attribute("href")).removeprefix("#")
    link.click()
    page.wait_for_function(
        "id => { const e = document.getElementById(id); return e === document.activeElement || e.contains(document.activeElement); }", arg=target
    )
    assert state_of(sessions, item_id) in OPEN


def test_a_task_is_handed_in_and_the_next_step_is_told(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    page: Page = visit("tangyining", NARROW).open(f"/work-items/{item_id}")
    for box in page.locator("input[name=checked]").all():
        box.check()
    page.check("input[name=cause_chain_ok][value=yes]")
    page.check("input[name=decision][value=accept]")
    page.locator("[name=responsible]").first.wait_for()
    responsible = page.locator("select[name=responsible]")
    if responsible.count():
        responsible.select_option(index=1)
    else:
        page.locator("input[name=responsible]").first.check()
    if page.locator("[name=late_reason]:visible").count():
        field = page.locator("[name=late_reason]:visible").first
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(index=1)
        else:
            field.check()
    page.locator("[data-hand-in]").dblclick()  # an impatient thumb
    page.wait_for_load_state()
    if page.locator("[data-confirm-hand-in]").count():
        page.click("[data-confirm-hand-in]")
    wait_until(lambda: state_of(sessions, item_id) is WorkItemState.COMPLETED)


def test_a_lost_connection_keeps_the_text_and_saves_it_later(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    person = visit("tangyining")
    page: Page = person.open(f"/work-items/{item_id}")
    person.context.set_offline(True)
    page.wait_for_selector("#offline")
    page.fill("[name=remark]", "电话里核过")
    page.wait_for_selector("[data-saved].problem", timeout=8000)
    assert draft_of(sessions, item_id) == {}
    person.context.set_offline(False)
    wait_until(lambda: draft_of(sessions, item_id).get("remark") == "电话里核过", 14)
    assert page.input_value("[name=remark]") == "电话里核过"
    expect(page.locator("#offline")).to_have_count(0)


def test_a_page_left_open_over_night_loses_nothing(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    person = visit("tangyining")
    page: Page = person.open(f"/work-items/{item_id}")
    with transaction(sessions) as session:
        session.execute(sa.delete(SignIn))
    page.fill("[name=remark]", "昨晚写的")
    page.wait_for_selector("[data-saved].problem", timeout=8000)
    page.click("button[form=work][value=draft]")
    page.wait_for_selector("#password")
    page.fill("#password", "Pingshen-2026")
    if page.locator("#username:visible").count() and not page.input_value("#username"):
        page.fill("#username", "tangyining")
    page.press("#password", "Enter")
    page.click("button:has-text('接着提交')")
    page.wait_for_selector("#work [name=remark]:visible")
    assert page.input_value("[name=remark]") == "昨晚写的"
    assert draft_of(sessions, item_id)["remark"] == "昨晚写的"


def test_a_notice_is_given_in_under_a_minute(visit: Any, sessions: Sessions) -> None:
    with sessions() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(Notice))
    person = visit("zoushoutian", NARROW)
    began = time.monotonic()
    page: Page = person.open("/notices/new")
    page.fill("[name=subject_name]", "陶映秋")
    page.fill("[name=age]", "25")
    page.check("[name=pregnancy_state][value=postpartum]")
    page.click("[data-day='0']")
    page.locator("[name=event_dt].clock").fill("0430")
    page.select_option("[name=place]", "5")
    if not page.input_value("[name=receiver]"):
        page.select_option("[name=receiver]", index=1)
    page.wait_for_selector("[data-clock]:visible")
    page.locator("#f-days_postpartum:visible").fill("3")
    page.click("[data-hand-in]")
    page.wait_for_url(re.compile(r"/notices/(?!new)"))
    expect(page.locator("main")).to_contain_text("谢谢")
    assert time.monotonic() - began < 60
    assert person.complaints == []
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notice)) == (before or 0) + 1


def test_the_map_of_twelve_cells_opens_one_and_fills_it(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "give_opinion", "lujianwei")
    person = visit("lujianwei")
    page: Page = person.open(f"/work-items/{item_id}")
    cells = page.locator("[data-cell]")
    assert cells.count() == 12
    page.locator("[data-panel]:visible").first.wait_for()
    assert page.locator("[data-panel]:visible").count() == 1
    cells.nth(5).click()
    panel = page.locator("[data-panel]:visible")
    assert panel.get_attribute("id") == cells.nth(5).get_attribute("data-cell")
    panel.locator("input[type=radio]").first.check()
    expect(cells.nth(5).locator(".st:visible")).to_have_text("有")
    assert cells.nth(6).locator(".st:visible").inner_text() == "待判断"
    assert person.complaints == []


def test_everything_but_the_diagram_works_without_scripts(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    person = visit("tangyining", scripts=False)
    page: Page = person.page
    page.goto(person.base + "/work-items?view=all")
    page.select_option("select[name=step]", "verify_report")
    page.click("form[data-auto] button")
    assert page.locator("table[data-queue] tbody tr").count() >= 1
    page.goto(f"{person.base}/work-items/{item_id}")
    page.fill("[name=remark]", "没有脚本也行")
    page.click("button[form=work][value=draft]")
    page.goto(f"{person.base}/work-items/{item_id}")
    assert page.input_value("[name=remark]") == "没有脚本也行"
    page.click("[data-hand-in]")
    assert page.locator("[role=alert] li").count() > 1
    page.goto(f"{person.base}/work-items/{item_of(sessions, 'plan_rectification')}")
    before = page.locator("details.rep").count()
    page.locator("[data-add]").first.click()
    assert page.locator("details.rep").count() == before + 1
    page.goto(f"{person.base}/cases")
    page.locator("main table a").first.click()
    assert re.search(r"/cases/", page.url)
    assert page.locator("ol.walk li").count() > 3


def test_an_answer_without_the_form_does_not_take_it_away(visit: Any, sessions: Sessions) -> None:
    item_id = item_of(sessions, "verify_report")
    person = visit("tangyining")
    page: Page = person.open(f"/work-items/{item_id}")
    page.check("input[name=decision][value=return]")
    page.locator("[data-add]:visible").first.wait_for()
    page.fill("[name=remark]", "这句话要留着")
    with transaction(sessions) as session:
        session.execute(sa.delete(SignIn))
    page.locator("[data-add]:visible").first.click()
    page.wait_for_selector("[data-saved].problem")
    assert page.input_value("[name=remark]") == "这句话要留着"
    assert page.locator("#work [name=decision]").count() > 0


def test_on_paper_nothing_is_folded(visit: Any, sessions: Sessions) -> None:
    with sessions() as session:
        number = session.scalar(sa.select(Packet.number).join(Case, Case.id == Packet.case_id).where(Case.state == "in_review"))
    page: Page = visit("xushenyan").open(f"/packets/{number}")
    folded = page.locator("details:not([open])").count()
    assert folded > 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded


def test_the_chair_sees_whose_opinions_are_missing(visit: Any, sessions: Sessions) -> None:
    with sessions() as session:
        number = session.scalar(sa.select(Packet.number).join(Case, Case.id == Packet.case_id).where(Case.state == "in_review"))
    chair = visit("xushenyan")
    expect(chair.open("/").locator("main")).to_contain_text("份个人意见")
    expect(chair.open(f"/packets/{number}").locator("main")).to_contain_text("陆见微")
    expect(visit("lujianwei").open(f"/packets/{number}").locator("main")).not_to_contain_text("还差")
