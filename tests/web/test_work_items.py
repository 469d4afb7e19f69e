"""The queue and its tasks over HTTP: claim, write, save, review, hand in; what is wrong stands at its field and nothing is lost."""

from __future__ import annotations

import io
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from models import Attachment, Case, Draft, JournalEntry, Message, Person, Record, WorkItem, WorkItemState
from models.database import Sessions
from tests.web.conftest import Browser, all_rows, fields_of, one
from web.demo.player import PAPER


def item_of(sessions: Sessions, element: str) -> UUID:
    """Return the open task at a step."""
    rows = all_rows(
        sessions,
        sa.select(WorkItem.id)
        .where(WorkItem.element == element, WorkItem.state.in_((WorkItemState.READY, WorkItemState.RESERVED)))
        .order_by(WorkItem.offered_at),
    )
    assert rows, element
    return rows[0][0]


def state_of(sessions: Sessions, item_id: UUID) -> WorkItemState:
    return one(sessions, sa.select(WorkItem.state).where(WorkItem.id == item_id))


def filled(page: str, **answers: Any) -> list[tuple[str, str]]:
    """Return the form of a page with some answers changed."""
    sent = [(name, value) for name, value in fields_of(page) if name not in answers]
    for name, value in answers.items():
        sent += [(name, one) for one in (value if isinstance(value, list) else [value])]
    return sent


def complete(browser: Browser, item_id: UUID) -> list[tuple[str, str]]:
    """Return a verification that can be handed in."""
    page = browser.get(f"/work-items/{item_id}").text
    checked = re.findall(r'name="checked" value="(\w+)"', page)
    responsible = re.search(r'name="responsible" value="(\w+)"|<select[^>]*name="responsible".*?<option value="(\w+)"', page, re.S)
    assert responsible is not None
    return filled(
        page, checked=checked, cause_chain_ok="yes", decision="accept", late_reason="unaware", remark="", responsible=responsible[1] or responsible[2]
    )


def test_the_queue_shows_what_is_due_first_with_case_unit_and_clock(sessions: Sessions, browse: Any) -> None:
    page = browse("tangyining").get("/work-items?view=all").text
    assert "核实报告" in page
    assert "澜州市妇女儿童医院" in page
    assert re.search(r"LZ26-MD-00\d", page)
    assert "还有" in page or "已超时限" in page


def test_counts_beside_the_views_are_the_lengths_of_the_lists(browse: Any) -> None:
    browser = browse("tangyining")
    for view in ("mine", "claimable", "today", "overdue", "all"):
        page = browser.get(f"/work-items?view={view}").text
        shown = re.search(rf'view={view}" aria-current="page">[^<]*<span class="n">(\d+)<', page)
        assert shown is not None
        listed = page.split('class="mt-4 mb-2"')[0].count("data-row=")
        assert int(shown[1]) == listed, view


def test_searching_keeps_names_out_of_the_address(sessions: Sessions, browse: Any) -> None:
    browser = browse("tangyining")
    answer = browser.post("/work-items/search", {"words": "沈若蘅", "view": "all"})
    assert answer.status_code == 302
    assert "沈" not in answer.headers["Location"]
    assert "%E6" not in answer.headers["Location"]
    page = browser.get(answer.headers["Location"]).text
    assert "data-row=" in page
    nothing = browser.get(browser.post("/work-items/search", {"words": "查无此人", "view": "all"}).headers["Location"]).text
    assert "没有找到" in nothing
    assert "data-row=" not in nothing
    for hostile in ("%", "_", "'; DROP TABLE cases; --", "\\", "<script>"):
        found = browser.get(browser.post("/work-items/search", {"words": hostile, "view": "all"}).headers["Location"])
        assert found.status_code == 200
        assert "data-row=" not in found.text
        assert "<script>alert" not in found.text


@pytest.mark.parametrize(
    "query", ["view=x", "kind=nothing", "unit=1", "due=never", "order=evil", "page=-3", "page=99999999999999999999", "search=zz"]
)
def test_a_hostile_query_is_an_ordinary_page(browse: Any, query: str) -> None:
    assert browse("tangyining").get(f"/work-items?{query}").status_code == 200


def test_filters_narrow_and_orders_sort(sessions: Sessions, browse: Any) -> None:
    browser = browse("tangyining")
    every = browser.get("/work-items?view=all").text.count("data-row=")
    narrowed = browser.get("/work-items?view=all&step=verify_report").text
    assert 0 < narrowed.count("data-row=") < every
    for order in ("due", "offered", "step", "case", "unit"):
        assert browser.get(f"/work-items?view=all&order={order}").text.count("data-row=") == every


def test_a_task_is_claimed_given_back_and_passed_on_with_its_draft(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    assert browser.post(f"/work-items/{item_id}/claim").status_code == 302
    assert state_of(sessions, item_id) is WorkItemState.RESERVED
    assert (
        browser.post(f"/work-items/{item_id}", filled(browser.get(f"/work-items/{item_id}").text, remark="移交前写的", _action="draft")).status_code
        == 302
    )
    page = browser.get(f"/work-items/{item_id}").text
    to = re.search(r'<option value="([0-9a-f-]{36})">林书禾', page)
    assert to is not None
    assert browser.post(f"/work-items/{item_id}/delegate", {"to": to[1]}).status_code == 302
    colleague = browse("linshuhe")
    assert "移交前写的" in colleague.get(f"/work-items/{item_id}").text
    assert colleague.post(f"/work-items/{item_id}/release").status_code == 302
    assert state_of(sessions, item_id) is WorkItemState.READY


def test_several_tasks_are_claimed_at_once_and_each_is_answered(sessions: Sessions, browse: Any) -> None:
    items = [
        str(row[0]) for row in all_rows(sessions, sa.select(WorkItem.id).where(WorkItem.role == "qc_officer", WorkItem.state == WorkItemState.READY))
    ]
    assert len(items) >= 2
    browser = browse("tangyining")
    answer = browser.post("/work-items/bulk", [*[("items", item) for item in items], ("items", str(uuid4())), ("items", "x"), ("action", "claim")])
    assert answer.status_code == 302
    page = browser.get("/work-items").text
    assert f"{len(items)} 项已办。" in page
    assert "1 项没有办成" in page
    assert {state_of(sessions, UUID(item)) for item in items} == {WorkItemState.RESERVED}
    assert browser.post("/work-items/bulk", [("items", items[0]), ("action", "hand_in")]).status_code == 302
    assert state_of(sessions, UUID(items[0])) is WorkItemState.RESERVED


def test_what_is_missing_stands_at_its_field_and_what_was_typed_stays(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    page = browser.get(f"/work-items/{item_id}").text
    answer = browser.post(f"/work-items/{item_id}", filled(page, remark="已致电核对", cause_chain_ok="no", _action="hand_in"))
    assert answer.status_code == 422
    assert "还不能提交" in answer.text
    assert "已致电核对" in answer.text
    assert 'href="#f-decision"' in answer.text
    assert re.search(r'id="f-decision"[^>]*aria-invalid="true"', answer.text)
    assert state_of(sessions, item_id) is not WorkItemState.COMPLETED
    assert "已致电核对" in browser.get(f"/work-items/{item_id}").text  # kept as a draft


def test_handing_in_completes_the_task_once_even_if_pressed_twice(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    sent = [*complete(browser, item_id), ("_action", "hand_in")]
    assert browser.post(f"/work-items/{item_id}", sent).status_code == 302
    assert state_of(sessions, item_id) is WorkItemState.COMPLETED
    again = browser.post(f"/work-items/{item_id}", sent)
    assert again.status_code == 302  # the same key: the same answer
    assert len(all_rows(sessions, sa.select(Record.id).where(Record.work_item_id == item_id))) == 1
    other = [(name, value) for name, value in sent if name != "_key"]
    late = browse("linshuhe").post(f"/work-items/{item_id}", [*other, ("_key", uuid4().hex)])
    assert late.status_code in (404, 409)
    assert len(all_rows(sessions, sa.select(Record.id).where(Record.work_item_id == item_id))) == 1


def test_two_people_at_the_same_task_one_is_told_who_was_faster(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    first, second = browse("tangyining"), browse("linshuhe")
    mine, theirs = complete(first, item_id), complete(second, item_id)
    assert first.post(f"/work-items/{item_id}", [*mine, ("_action", "hand_in")]).status_code == 302
    answer = second.post(f"/work-items/{item_id}", [*theirs, ("_action", "hand_in")])
    assert answer.status_code == 409
    assert "汤以宁" in answer.text
    assert one(sessions, sa.select(WorkItem.completed_by_id).where(WorkItem.id == item_id)) is not None


def test_a_long_form_is_looked_through_before_it_is_handed_in(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "hold_discussion")
    browser = browse("qinhaitang")
    page = browser.get(f"/work-items/{item_id}").text
    assert "核对并提交" in page or "提交" in page


def test_the_draft_saves_itself_and_tells_which_questions_are_asked_now(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    page = browser.get(f"/work-items/{item_id}").text
    answer = browser.post(f"/work-items/{item_id}/draft", filled(page, decision="return"), headers={"Accept": "application/json"})
    assert answer.status_code == 200
    said = answer.json
    assert "f-return_list" not in said["hidden"]
    assert "f-scope_reason" in said["hidden"]
    assert said["saved"].endswith("已存")
    assert state_of(sessions, item_id) is WorkItemState.RESERVED  # writing claims
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Draft).where(Draft.work_item_id == item_id)) == 1


def test_rows_are_added_filled_and_removed_without_scripts(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    page = browser.get(f"/work-items/{item_id}").text
    page = browser.post(f"/work-items/{item_id}", filled(page, decision="return", _add="return_list")).text
    page = browser.post(f"/work-items/{item_id}", [*filled(page, **{"return_list-0-item": "补输血记录"}), ("_add", "return_list")]).text
    assert "补输血记录" in page
    assert 'name="return_list-1-item"' in page
    page = browser.post(f"/work-items/{item_id}", [*filled(page), ("_remove", "return_list:0")]).text
    assert "补输血记录" not in page
    for hostile in ("nowhere", "return_list-0-item", "", "../x", "return_list-" + "9" * 400):
        assert browser.post(f"/work-items/{item_id}", [*filled(page), ("_add", hostile)]).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decision", "<script>alert(1)</script>"),
        ("decision", "x" * 100_000),
        ("remark", "甲" * 200_000),
        ("unasked", "1"),
        ("return_list-999999-item", "x"),
        ("return_list--1-item", "x"),
        ("return_list-a-item", "x"),
    ],
)
def test_hostile_answers_change_nothing_and_get_a_page(sessions: Sessions, browse: Any, name: str, value: str) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    answer = browser.post(f"/work-items/{item_id}", [*filled(browser.get(f"/work-items/{item_id}").text), (name, value), ("_action", "hand_in")])
    assert answer.status_code == 422
    assert "<script>alert(1)" not in answer.text
    assert state_of(sessions, item_id) is not WorkItemState.COMPLETED


def test_too_much_in_one_go_is_refused_in_a_sentence(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    assert browser.post(f"/work-items/{item_id}", [("remark", "x" * 5_000_000)]).status_code == 413
    assert browser.post(f"/work-items/{item_id}", [(f"f{number}", "x") for number in range(6100)]).status_code == 413


def test_a_file_is_kept_without_its_name_and_fetched_by_those_who_may(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "hold_discussion")
    browser = browse("qinhaitang")
    page = browser.get(f"/work-items/{item_id}").text
    field = re.search(r'name="file:([^"]+)"', page)
    if field is None:
        pytest.fail("the form takes no files any more: choose another step")
    sent = [*filled(page), (f"file:{field[1]}", (io.BytesIO(PAPER), "沈若蘅-病历.pdf")), ("_upload", field[1])]
    answer = browser.post(f"/work-items/{item_id}", sent, content_type="multipart/form-data")
    assert answer.status_code == 200, re.findall(r'role="alert".*?</b>', answer.text, re.S)
    attachment = all_rows(sessions, sa.select(Attachment.id).where(Attachment.work_item_id == item_id))[0][0]
    fetched = browser.get(f"/attachments/{attachment}")
    assert fetched.status_code == 200
    assert fetched.data == PAPER
    assert "沈" not in fetched.headers["Content-Disposition"]
    assert "attachment" in fetched.headers["Content-Disposition"] or fetched.headers.get("Content-Security-Policy")
    assert browse("lujianwei").get(f"/attachments/{attachment}").status_code in (403, 404)
    lying = [*filled(page), (f"file:{field[1]}", (io.BytesIO(b"<html><script>alert(1)</script>"), "x.pdf")), ("_upload", field[1])]
    refused = browser.post(f"/work-items/{item_id}", lying, content_type="multipart/form-data")
    assert refused.status_code == 422
    assert len(all_rows(sessions, sa.select(Attachment.id).where(Attachment.work_item_id == item_id))) == 1


def test_nobody_opens_a_task_that_is_not_theirs(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    for username in ("lujianwei", "qinhaitang", "fangjingshu", "waidi", "renguochang"):
        for path in (f"/work-items/{item_id}", f"/work-items/{item_id}/drawer", f"/work-items/{item_id}/review"):
            assert browse(username).get(path).status_code == 404, (username, path)
        assert browse(username).post(f"/work-items/{item_id}/claim").status_code == 404
    assert state_of(sessions, item_id) is WorkItemState.READY


def test_the_drawer_shows_what_a_task_is_about(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    answer = browse("tangyining").get(f"/work-items/{item_id}/drawer")
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "核实报告" in answer.text
    assert "在新页打开" in answer.text


def test_a_failing_step_keeps_what_was_typed_and_gives_a_number(sessions: Sessions, browse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw rolls everything back, keeps the draft and can be looked up by its number."""
    from engine import workflow

    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    sent = [(name, value) for name, value in complete(browser, item_id) if name != "remark"]

    def broken(*_arguments: object, **_options: object) -> None:
        raise workflow.WorkflowFailed("a broken expression", "verify_report")

    with monkeypatch.context() as patched:
        patched.setattr(workflow, "complete", broken)
        answer = browser.post(f"/work-items/{item_id}", [*sent, ("remark", "这一句要留住"), ("_action", "hand_in")])
    assert answer.status_code == 500
    number = re.search(r"事件 ([A-Z0-9-]+)", answer.text)
    assert number is not None
    assert state_of(sessions, item_id) is not WorkItemState.COMPLETED
    assert "这一句要留住" in browser.get(f"/work-items/{item_id}").text
    shown = browse("xitong").get(f"/incidents/{number[1]}")
    assert shown.status_code == 200
    assert "verify_report" in shown.text
    assert "这一句要留住" not in shown.text
    assert browse("xitong").post(f"/incidents/{number[1]}/retry").status_code == 302
    assert state_of(sessions, item_id) is WorkItemState.COMPLETED


def test_completing_is_one_line_in_the_case_journal_in_sequence(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    case_id = one(sessions, sa.select(WorkItem.case_id).where(WorkItem.id == item_id))
    before = one(sessions, sa.select(Case.revision).where(Case.id == case_id))
    browser = browse("tangyining")
    assert browser.post(f"/work-items/{item_id}", [*complete(browser, item_id), ("_action", "hand_in")]).status_code == 302
    sequences = [
        row[0]
        for row in all_rows(
            sessions,
            sa.select(JournalEntry.sequence).where(JournalEntry.case_id == case_id, JournalEntry.sequence.is_not(None)).order_by(JournalEntry.id),
        )
    ]
    assert sequences == sorted(set(sequences))
    assert one(sessions, sa.select(Case.revision).where(Case.id == case_id)) > before


def test_a_finding_of_the_engine_with_places_is_said_at_its_field(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    sent = [(name, value) for name, value in complete(browser, item_id) if name != "remark"]
    answer = browser.post(f"/work-items/{item_id}", [*sent, ("remark", "长" * 5001), ("_action", "hand_in")])
    assert answer.status_code == 422
    assert re.search(r"最多 \d+ 个字", answer.text)
    assert "%(" not in answer.text
    assert state_of(sessions, item_id) is not WorkItemState.COMPLETED


def test_who_reported_is_told_what_to_add_when_the_report_comes_back(sessions: Sessions, browse: Any) -> None:
    item_id = item_of(sessions, "verify_report")
    browser = browse("tangyining")
    page = browser.get(f"/work-items/{item_id}").text
    sent = filled(
        page,
        checked=re.findall(r'name="checked" value="(\w+)"', page),
        cause_chain_ok="no",
        cause_chain_note="先兆子痫与脑出血的先后要写明",
        decision="return",
        late_reason="unaware",
        return_forms=["case_report"],
        remark="",
    )
    sent = [(name, value) for name, value in sent if not name.startswith("return_list")]
    sent += [("return_list-0-form", "case_report"), ("return_list-0-item", "就诊经过"), ("return_list-0-what", "补第二次转诊的时间")]
    answer = browser.post(f"/work-items/{item_id}", [*sent, ("_action", "hand_in")])
    assert answer.status_code == 302, re.findall(r'role="alert".*?</ul>', answer.text, re.S)
    correction = item_of(sessions, "report_case")
    reporter = one(sessions, sa.select(Person.username).join(Message, Message.person_id == Person.id).where(Message.work_item_id == correction))
    assert "退回来了" in browse(reporter).get("/messages").text
    shown = browse(reporter).get(f"/work-items/{correction}").text
    assert "补第二次转诊的时间" in shown
    assert "先兆子痫与脑出血的先后要写明" in shown


@pytest.mark.parametrize("name", ["admissions-²-x", "admissions-" + "1" * 5000 + "-x", "admissions-٣-unit", "admissions-99999-unit"])
def test_a_row_that_cannot_be_is_left_out(sessions: Sessions, browse: Any, name: str) -> None:
    item_id = item_of(sessions, "fill_card")
    browser = browse("qinhaitang")
    assert browser.post(f"/work-items/{item_id}/draft", [(name, "x"), ("name", "陶映秋")]).status_code == (200 if len(name) < 200 else 400)
    for value in ("admissions:²", "admissions:" + "1" * 5000, ":", "nothing:0"):
        assert browser.post(f"/work-items/{item_id}", [("_remove", value)]).status_code == 200
