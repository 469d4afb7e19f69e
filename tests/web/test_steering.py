"""The pages of steering: nothing is done before the page has told what would happen."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from lxml import html

from models import Case, CaseState, JournalEntry, WorkItem, WorkItemState
from models.database import Sessions
from tests.web.conftest import one

HEAD = "gaohuairen"


@pytest.fixture
def reference(sessions: Sessions) -> str:
    """A case that is being investigated."""
    found = one(sessions, sa.select(Case.number).where(Case.state == CaseState.INVESTIGATING).order_by(Case.number).limit(1))
    assert found
    return str(found)


def step(sessions: Sessions, reference: str, element: str) -> Any:
    return one(
        sessions,
        sa.select(WorkItem.id)
        .join(Case, Case.id == WorkItem.case_id)
        .where(Case.number == reference, WorkItem.element == element, WorkItem.state != WorkItemState.COMPLETED),
    )


def test_a_step_is_skipped_after_a_look(sessions: Sessions, browse: Any, reference: str) -> None:
    head = browse(HEAD)
    item = step(sessions, reference, "visit_scene")
    page = head.get(f"/cases/{reference}/steer")
    assert page.status_code == 200
    assert f"/cases/{reference}/skip/{item}" in page.text
    assert head.post(f"/cases/{reference}/skip/{item}", {"do": "look"}).status_code == 422
    looked = head.post(f"/cases/{reference}/skip/{item}", {"do": "look", "reason": "现场已不存在"})
    assert looked.status_code == 200
    assert "会发生什么" in looked.text
    assert one(sessions, sa.select(WorkItem.state).where(WorkItem.id == item)) is not WorkItemState.EXITED
    done = head.post(f"/cases/{reference}/skip/{item}", {"do": "yes", "reason": "现场已不存在"})
    assert done.status_code == 302
    assert one(sessions, sa.select(WorkItem.state).where(WorkItem.id == item)) is WorkItemState.EXITED
    assert "现场已不存在" in head.get(f"/cases/{reference}").text


def test_a_case_is_sent_back_after_a_look(sessions: Sessions, browse: Any, reference: str) -> None:
    head = browse(HEAD)
    page = head.get(f"/cases/{reference}/steer").text
    rows = html.fromstring(page).xpath('//li[contains(., "报送与核实")]//a[contains(@href, "/send-back/")]/@href')
    task = rows[0].rsplit("/", 1)[1]
    looked = head.post(f"/cases/{reference}/send-back/{task}", {"do": "look", "reason": "填的是另一个人"})
    assert looked.status_code == 200, looked.text
    assert "开始办" in looked.text
    assert "不再办" in looked.text
    assert head.post(f"/cases/{reference}/send-back/{task}", {"do": "yes", "reason": "填的是另一个人"}).status_code == 302
    assert one(sessions, sa.select(Case.state).where(Case.number == reference)) is CaseState.OPENED
    assert one(sessions, sa.select(sa.func.count()).where(JournalEntry.action == "case:send-back")) == 1
    assert "退回到" in head.get(f"/cases/{reference}").text


def test_a_case_is_cancelled_after_a_look(sessions: Sessions, browse: Any, reference: str) -> None:
    head = browse(HEAD)
    assert head.post(f"/cases/{reference}/cancel", {"do": "look", "reason": "x"}).status_code == 422
    looked = head.post(f"/cases/{reference}/cancel", {"do": "look", "reason": "弄错了人", "ground": "mistaken"})
    assert "不在范围" in looked.text
    edited = head.post(f"/cases/{reference}/cancel", {"do": "edit", "reason": "弄错了人", "ground": "mistaken"})
    assert edited.status_code == 200
    assert "弄错了人" in edited.text
    assert head.post(f"/cases/{reference}/cancel", {"do": "yes", "reason": "弄错了人", "ground": "mistaken"}).status_code == 302
    assert one(sessions, sa.select(Case.state).where(Case.number == reference)) is CaseState.OUT_OF_SCOPE


def test_only_the_head_sees_the_buttons(browse: Any, reference: str) -> None:
    assert f"/cases/{reference}/steer" in browse(HEAD).get(f"/cases/{reference}").text
    officer = browse("tangyining")
    assert f"/cases/{reference}/steer" not in officer.get(f"/cases/{reference}").text
    assert officer.get(f"/cases/{reference}/steer").status_code == 403
    assert browse("liucheng").get(f"/cases/{reference}/cancel").status_code == 403


def test_what_the_committee_does_is_told_to_be_its_own(sessions: Sessions, browse: Any) -> None:
    row = one(sessions, sa.select(WorkItem).where(WorkItem.element == "give_opinion", WorkItem.state == WorkItemState.RESERVED).limit(1))
    number = one(sessions, sa.select(Case.number).where(Case.id == row.case_id))
    page = browse(HEAD).get(f"/cases/{number}/steer").text
    assert page.count("评审组的步骤") == 2  # once for the open steps, once for those behind: not at each
    assert f"/skip/{row.id}" not in page
    assert browse(HEAD).get(f"/cases/{number}/skip/{row.id}").status_code == 409
