"""A new rule comes: a step of 72 hours with a form of its own and a reminder is drawn, checked and deployed by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import procedures
from engine.transaction import transaction
from models import ProcedureDraft, ProcedureVersion
from tests.browser.conftest import Person
from tests.browser.test_studio import begun, ids, ready, saved, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.database import Sessions

MAIN = "/studio/maternal_death"
STEP, CHASE = "in_hospital_discussion_2", "chase_in_hospital_discussion_2"


def test_a_step_with_form_limit_and_reminder_is_drawn_and_deployed(visit: Callable[..., Person], sessions: Sessions) -> None:
    person = visit("liucheng")
    page = begun(person, MAIN)
    panel = page.locator("[data-st=panel]")

    page.click("[data-act=new]")
    page.keyboard.type("院内讨论 2")
    page.keyboard.press("Tab")
    page.keyboard.type("In-hospital discussion 2")
    assert page.input_value("#st-new-key") == STEP
    page.keyboard.press("Enter")
    page.wait_for_url("**file=forms*")
    page.wait_for_selector(".fjs-palette-field")
    page.click(".fjs-palette-field[data-field-type=textarea]")
    until(page, "document.activeElement.closest('[data-where=label]')")
    page.keyboard.type("讨论经过")
    page.wait_for_timeout(500)  # a pause in writing is saved, and the writing goes on
    page.keyboard.type("和结论")
    page.keyboard.press("Tab")
    page.keyboard.type("What was concluded")
    saved(page)
    (field,) = page.evaluate("pingshenStudio.open().editor.text().then(JSON.parse)")["components"]
    assert (field["label"], field["properties"]["en"], field["properties"]["id"]) == ("讨论经过和结论", "What was concluded", "N")

    page.click("[data-st=tree] [data-path='maternal_death.bpmn']")
    until(page, "pingshenStudio.open()?.editor.modeler")
    before = ids(page)
    assert page.evaluate("pingshenStudio.open().editor.reveal('flow_is_in_scope_verified_work')")
    page.click(".djs-context-pad [data-action='insert.user-task']")
    page.keyboard.insert_text("院内讨论 2")
    page.keyboard.press("Enter")
    panel.get_by_label("英文名称").fill("In-hospital discussion 2")
    until(page, "id => pingshenStudio.open().editor.ids().includes(id)", STEP)
    panel.get_by_label("角色", exact=True).select_option("facility_reporter")
    panel.get_by_label("在哪个单位").select_option("reporting")
    page.select_option("#bio-properties-panel-task-form", "in_hospital_discussion_2")
    panel.get_by_text("时限", exact=True).first.click()
    page.select_option("#bio-properties-panel-task-limit", label="院内讨论（72 小时）")
    panel.get_by_text("超时怎么办").click()
    page.get_by_role("button", name="加一个超时提醒：由人催办").click()
    panel.get_by_label("英文名称").fill("Chase in-hospital discussion 2")
    until(page, "id => pingshenStudio.open().editor.ids().includes(id)", CHASE)
    saved(page)
    assert page.evaluate("pingshenStudio.findings().filter(({ level }) => level === 'error')") == []
    boxes = page.evaluate(
        """made => pingshenStudio.open().editor.modeler.get('elementRegistry')
          .filter(({ id, parent, waypoints, type, x }) => parent && x !== undefined && !waypoints && !/Lane|Participant|label/.test(type) && made.includes(id))
          .map(({ id, x, y, width, height }) => [id, x, y, width, height])""",
        sorted(ids(page)),
    )
    for name, x, y, width, height in boxes:  # what was put in lies on nothing
        for other, left, top, wide, high in boxes:
            is_apart = x + width <= left or left + wide <= x or y + height <= top or top + high <= y
            assert is_apart or name not in (STEP, CHASE) or other == name or other.startswith("boundary_event"), (name, other)
    assert len(ids(page) - before) >= 7

    ready(person.open(MAIN))  # what was saved is read back whole
    assert {STEP, CHASE} <= ids(page)
    assert person.complaints == []
    page.get_by_role("link", name="检查并部署").click()
    page.get_by_label("这一版改了什么").fill("核实后加 72 小时院内讨论，超时催办。依据：县级补充规定")
    page.get_by_role("button", name="部署").click()
    page.wait_for_url(re.compile(r"/versions/2$"))
    with transaction(sessions) as session:
        assert session.scalars(sa.select(ProcedureDraft)).first() is None
        version = session.scalars(sa.select(ProcedureVersion).where(ProcedureVersion.number == 2)).one()
        deployed = procedures.deployed(session, version.id)
    assert "in_hospital_discussion_2" in deployed.forms
    assert version.activated_at is not None
