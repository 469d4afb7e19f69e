"""The outline by keyboard alone: a step, its form, its deadline and what happens when it is late; every page of it accessible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import NARROW, WIDE

FILE = "maternal_death.bpmn"


def tab_to(page: Any, wanted: Callable[[dict[str, str]], bool], most: int = 300) -> None:
    """Press Tab until the focus is where it is wanted."""
    for _ in range(most):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "(() => { const e = document.activeElement; return {tag: e.tagName, text: (e.innerText || '').trim(), name: e.name || '',"
            " to: e.getAttribute('href') || ''} })()"
        )
        if wanted(here):
            return
    raise AssertionError("the focus never came there")


def enter(page: Any) -> None:
    """Press Enter on a link or button and wait for the page it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def pick(page: Any, value: str) -> None:
    """Choose in the list that has the focus, by the arrow keys."""
    page.keyboard.press("Home")
    for _ in range(100):
        if page.evaluate("document.activeElement.value") == value:
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"{value} is not offered")


@pytest.mark.parametrize(("size", "language"), [(WIDE, "zh-CN"), (NARROW, "en")], ids=["wide", "phone-english"])
def test_a_step_with_an_escalation_is_added_by_keyboard_alone(visit: Any, size: tuple[int, int], language: str) -> None:
    person = visit("liucheng", size, language)
    page = person.open("/studio/maternal_death/outline")
    tab_to(page, lambda here: here["tag"] == "BUTTON" and here["text"] in ("从这一版开始修改", "Begin a draft from here"), 60)
    enter(page)
    faults = {"outline": person.faults()}
    tab_to(page, lambda here: here["tag"] == "SUMMARY" and ("告知户籍地乡镇" in here["text"] or "Tell the township" in here["text"]))
    page.keyboard.press("Enter")
    tab_to(page, lambda here: "add/after" in here["to"], 3)
    enter(page)
    faults["step"] = person.faults()
    for name, value in (("name", "多学科讨论"), ("name_en", "Joint discussion")):
        tab_to(page, lambda here, name=name: here["name"] == name)
        page.keyboard.type(value)
    for name, value in (
        ("lane", "facility_reporter"),
        ("form", "facility_discussion"),
        ("organisation", "facility"),
        ("limit", "facility_discussion"),
    ):
        tab_to(page, lambda here, name=name: here["name"] == name)
        pick(page, value)
    tab_to(page, lambda here: here["tag"] == "BUTTON" and here["text"] in ("加一步", "Add a step"))
    enter(page)
    page.wait_for_function("document.activeElement.id === 's-joint_discussion'")  # the focus is back at what was added
    assert page.locator(".flash[role=status]").count() == 1
    tab_to(page, lambda here: here["tag"] == "SUMMARY", 3)
    page.keyboard.press("Enter")
    tab_to(page, lambda here: "add/deadline" in here["to"], 8)
    enter(page)
    faults["deadline"] = person.faults()
    tab_to(page, lambda here: here["name"] == "name")
    page.keyboard.type("催办讨论")
    tab_to(page, lambda here: here["name"] == "name_en")
    page.keyboard.type("Chase it")
    tab_to(page, lambda here: here["name"] == "lane")
    pick(page, "qc_officer")
    tab_to(page, lambda here: here["tag"] == "BUTTON")
    enter(page)
    page.wait_for_function("document.activeElement.id === 's-joint_discussion_overdue'")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "s-chase_it"
    enter(page)
    faults["values"] = person.faults()
    person.open("/studio/maternal_death/outline/decisions/scope.dmn")
    faults["table"] = person.faults()
    person.open("/studio/maternal_death/outline/forms/facility_discussion.json")
    faults["form"] = person.faults()
    assert {name: found for name, found in faults.items() if found} == {}
    assert person.complaints == []
