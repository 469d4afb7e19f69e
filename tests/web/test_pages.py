"""Notices, cases, people and the rest over HTTP: found, shown, changed; and the pages of errors."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import time_machine

from models import Case, CaseState, JournalEntry, Notice, Organisation, Person, Subject, WorkItem, WorkItemState
from models.database import Sessions
from tests.web.conftest import Browser, all_rows, fields_of, one
from web import Application


def noticed(browser: Browser, **answers: str) -> list[tuple[str, str]]:
    """Return a complete notice as the page of a facility's reporter sends it."""
    page = browser.get("/notices/new").text
    receiver = re.search(r'name="receiver".*?<option value="([0-9a-f-]{36})"', page, re.S)
    assert receiver is not None
    given = {
        "case_kind": "maternal_death",
        "subject_name": "陶映秋",
        "age": "25",
        "pregnancy_state": "postpartum",
        "days_postpartum": "3",
        "place": "1",
        "receiver": receiver[1],
        **answers,
    }
    sent = [(name, value) for name, value in fields_of(page, "nf") if name not in given and name != "event_dt"]
    return [*sent, *given.items(), ("event_dt", "2026-10-22"), ("event_dt", "08:10")]


def test_a_phone_notice_takes_one_page_and_opens_a_case(sessions: Sessions, browse: Any) -> None:
    before = len(all_rows(sessions, sa.select(Notice.id)))
    browser = browse("qinhaitang")
    answer = browser.post("/notices/new", noticed(browser))
    assert answer.status_code == 302, re.findall(r'role="alert".*?</ul>', answer.text, re.S)
    page = browser.get(answer.headers["Location"]).text
    assert "谢谢您及时告知" in page
    assert len(all_rows(sessions, sa.select(Notice.id))) == before + 1
    receipt = all_rows(sessions, sa.select(WorkItem).where(WorkItem.element == "check_duplicate", WorkItem.state == WorkItemState.READY))
    assert len(receipt) == 1
    assert "陶映秋" in browse("tangyining").get("/work-items?view=all").text


def test_the_same_page_sent_twice_is_one_notice(sessions: Sessions, browse: Any) -> None:
    before = len(all_rows(sessions, sa.select(Notice.id)))
    browser = browse("qinhaitang")
    sent = noticed(browser)
    first, second = browser.post("/notices/new", sent), browser.post("/notices/new", sent)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(all_rows(sessions, sa.select(Notice.id))) == before + 1


def test_a_notice_without_what_is_needed_says_so_at_the_field(sessions: Sessions, browse: Any) -> None:
    before = len(all_rows(sessions, sa.select(Notice.id)))
    browser = browse("qinhaitang")
    answer = browser.post("/notices/new", noticed(browser, subject_name="", place=""))
    assert answer.status_code == 422
    assert 'href="#f-subject_name"' in answer.text
    assert 'href="#f-place"' in answer.text
    future = [(name, "2031-01-01" if value == "2026-10-22" and name == "event_dt" else value) for name, value in noticed(browser)]
    assert 'href="#f-event_dt"' in browser.post("/notices/new", future).text
    assert len(all_rows(sessions, sa.select(Notice.id))) == before


def test_a_late_call_is_recorded_with_its_reason_and_its_lateness(sessions: Sessions, browse: Any, now: time_machine.Coordinates) -> None:
    now.shift(timedelta(hours=30))
    browser = browse("qinhaitang")
    sent = noticed(browser)
    asked = browser.post("/notices/new", sent)
    assert asked.status_code == 422
    assert 'href="#f-late_reason"' in asked.text
    answer = browser.post("/notices/new", [*[(name, value) for name, value in sent if name != "late_reason"], ("late_reason", "unaware")])
    assert answer.status_code == 302
    assert "这是事实记录，不影响继续办理" in browser.get(answer.headers["Location"]).text


def test_the_page_tells_while_typing_whether_the_call_is_in_time(browse: Any) -> None:
    browser = browse("qinhaitang")
    said = browser.post("/notices/new/state", noticed(browser), headers={"Accept": "application/json"}).json
    assert said["clock"]["text"].endswith("在时限之内。")
    assert said["clock"]["late"] is False
    assert "f-learned_dt" in said["hidden"]


def test_a_village_sees_three_things_and_no_queue(browse: Any) -> None:
    page = browse("zoushoutian").get("/").text
    assert "报告一个死亡" in page
    assert "您报过的" in page
    assert "/work-items" not in page


def test_cases_are_found_by_number_name_pinyin_unit_and_township(sessions: Sessions, browse: Any) -> None:
    browser = browse("tangyining")
    for words in ("LZ26-MD-001", "沈若蘅", "若蘅", "shen ruoheng", "妇女儿童医院", "桐花"):
        answer = browser.post("/cases/search", {"words": words})
        assert answer.status_code == 302
        page = browser.get(answer.headers["Location"], follow_redirects=True).text
        assert "LZ26-MD-001" in page, words
    assert browser.post("/cases/search", {"words": "lz26-md-001"}).headers["Location"] == "/cases/LZ26-MD-001"
    none = browser.get(browser.post("/cases/search", {"words": "查无此人"}).headers["Location"]).text
    assert "没有找到" in none


def test_a_case_page_shows_state_clocks_course_records_people_files_and_the_procedure_in_words(browse: Any) -> None:
    page = browse("tangyining").get("/cases/LZ26-MD-001").text
    for text in ("沈若蘅", "已结案", "电话通知", "个案报告", "依据", "经过", "孕产妇死亡报告卡", "流程清单，与图相同", "质控员", "覃海棠", "病历"):
        assert text in page, text
    assert "许慎言" not in page  # who of the committee did what stays with the committee


def test_a_record_shows_its_versions_and_what_changed(sessions: Sessions, browse: Any) -> None:
    from models import Record

    record_id = all_rows(sessions, sa.select(Record.id).where(Record.form == "report_card").limit(1))[0][0]
    number = all_rows(sessions, sa.select(Case.number).join(Record, Record.case_id == Case.id).where(Record.id == record_id))[0][0]
    page = browse("tangyining").get(f"/cases/{number}/records/{record_id}").text
    assert "沈若蘅" in page
    assert "第 1 版" in page


def test_a_case_of_another_area_does_not_exist_for_somebody_else(sessions: Sessions, browse: Any) -> None:
    assert browse("waidi").get("/cases/LZ26-MD-001").status_code == 404
    assert browse("ningyuanzhou").get("/cases/LZ26-MD-001").status_code == 404
    assert "LZ26-MD-001" not in browse("ningyuanzhou").get("/cases").text


def test_holding_and_resuming_keep_the_clocks_running(sessions: Sessions, browse: Any) -> None:
    number = all_rows(sessions, sa.select(Case.number).where(Case.state == CaseState.INVESTIGATING))[0][0]
    browser = browse("tangyining")
    assert browser.post(f"/cases/{number}/hold", {"reason": "autopsy", "note": "等尸检"}).status_code == 302
    assert "暂缓" in browser.get(f"/cases/{number}").text
    assert "时限照常显示，不停表" in browser.get(f"/cases/{number}").text
    assert browser.post(f"/cases/{number}/hold", {"reason": ""}).status_code == 422
    assert browser.post(f"/cases/{number}/hold", {"reason": "尸检报告已到"}).status_code == 302
    with sessions() as session:
        assert session.scalar(sa.select(Case.held_at).where(Case.number == number)) is None


def test_merging_asks_for_a_number_that_exists_and_a_reason(sessions: Sessions, browse: Any) -> None:
    number = all_rows(sessions, sa.select(Case.number).where(Case.state == CaseState.INVESTIGATING))[0][0]
    browser = browse("tangyining")
    wrong = browser.post(f"/cases/{number}/merge", {"into": "LZ26-MD-999", "reason": "同一人"})
    assert wrong.status_code == 422
    assert "没有这个编号" in wrong.text
    assert browser.post(f"/cases/{number}/merge", {"into": number, "reason": "同一人"}).status_code == 422


def test_people_are_added_appointed_and_dismissed_by_the_right_administrator(sessions: Sessions, browse: Any) -> None:
    system, security = browse("xitong"), browse("anquan")
    added = system.post("/people/new", {"username": "linxiaoyu", "name": "林晓雨", "phone": "", "email": "", "title": "", "discipline": ""})
    assert added.status_code in (200, 302), re.findall(r'class="msg e".*?</p>', added.text)
    assert system.post("/people/linxiaoyu/appointments", {"role": "qc_officer"}).status_code == 403
    office = one(sessions, sa.select(Organisation.id).where(Organisation.code == "LZ-FY"))
    given = security.post(
        "/people/linxiaoyu/appointments", {"role": "qc_officer", "organisation": str(office), "from_on": "2026-10-22", "until_on": ""}
    )
    assert given.status_code == 302, re.findall(r'class="msg e".*?</p>', given.text)
    assert "质控员" in security.get("/people/linxiaoyu").text
    assert security.post("/people/new", {"username": "x", "name": "x"}).status_code == 403
    both = security.post(
        "/people/xitong/appointments", {"role": "audit_administrator", "organisation": str(office), "from_on": "2026-10-22", "until_on": ""}
    )
    assert both.status_code == 422
    assert "不能由同一个人担任" in both.text


def test_somebody_made_inactive_is_out_at_once(sessions: Sessions, browse: Any) -> None:
    browser = browse("linshuhe")
    system = browse("xitong")
    page = system.get("/people/linshuhe/edit").text
    form = (
        [(name, value) for name, value in fields_of(page.replace('<form class="sheet', '<form id="work" class="sheet', 1)) if name != "is_active"]
        if 'id="work"' not in page
        else fields_of(page)
    )
    answer = system.post("/people/linshuhe/edit", [*form])
    assert answer.status_code == 302, answer.text[-1500:]
    assert one(sessions, sa.select(Person.is_active).where(Person.username == "linshuhe")) is False
    assert browser.get("/").status_code == 401
    assert browse().post("/sign-in", {"username": "linshuhe", "password": "Pingshen-2026"}).status_code == 422


def test_the_language_and_the_theme_are_kept(browse: Any) -> None:
    browser = browse("tangyining")
    assert browser.post("/account/language", {"language": "en", "back": "/work-items"}).headers["Location"] == "/work-items"
    page = browser.get("/work-items").text
    assert 'lang="en"' in page
    assert browser.post("/account/theme", {"back": "/"}).status_code == 302
    assert 'data-bs-theme="dark"' in browser.get("/").text
    assert 'lang="en"' in browse("tangyining").get("/").text  # kept with the person


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/cases/LZ26-MD-999",
        "/cases/' OR 1=1",
        "/work-items/00000000-0000-0000-0000-000000000000",
        "/work-items/x",
        "/packets/XXX-XXX",
        "/attachments/00000000-0000-0000-0000-000000000000",
        "/people/nobody",
        "/organisations/NONE",
        "/profiles/none",
        "/procedures/none",
        "/procedures/maternal_death/versions/99",
        "/rectifications/none",
        "/notices/none/taken",
        "/incidents/none",
        "/cases/LZ26-MD-001/diagram/none.json",
        "/cases/LZ26-MD-001/records/00000000-0000-0000-0000-000000000000",
        "/assets/0/../../settings.py",
        "/cases/" + "x" * 3000,
    ],
)
def test_what_is_not_there_is_a_page_with_a_sentence(browse: Any, path: str) -> None:
    for username in ("tangyining", "xitong"):
        answer = browse(username).get(path)
        assert answer.status_code in (403, 404), (username, path, answer.status_code)
        assert "<h1>" in answer.text
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "page", ["/cases", "/notices", "/people", "/journal", "/rectifications", "/conclusions", "/incidents", "/calendar", "/profiles/cn_default"]
)
@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=99999999999999999999",
        "page=x",
        "year=0",
        "year=99999999",
        "version=-1",
        "state=x&kind=x&open=x",
        "order=x",
        "search=x",
        "action=%27",
    ],
)
def test_hostile_queries_are_ordinary_pages(browse: Any, page: str, query: str) -> None:
    for username in ("tangyining", "xitong", "shenji"):
        assert browse(username).get(f"{page}?{query}").status_code in (200, 403)


def test_an_unforeseen_error_has_a_page_a_number_and_an_incident(
    app: Application, sessions: Sessions, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import cases

    def broken(*_arguments: object) -> None:
        raise RuntimeError("沈若蘅")

    monkeypatch.setattr(cases, "find", broken)
    answer = browse("tangyining").get("/cases")
    assert answer.status_code == 500
    number = re.search(r"事件 ([A-Z0-9-]+)", answer.text)
    assert number is not None
    assert "沈若蘅" not in answer.text
    shown = browse("xitong").get(f"/incidents/{number[1]}").text
    assert "RuntimeError" in shown
    assert "沈若蘅" not in shown


def test_a_database_that_goes_away_is_a_sentence_and_comes_back(
    sessions: Sessions, app: Application, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browse("qinhaitang")
    sent = noticed(browser)
    with monkeypatch.context() as patched:

        def away(*_arguments: object, **_options: object) -> Any:
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("gone"))

        patched.setattr(app, "sessions", away)
        answer = browser.get("/cases")
        assert answer.status_code == 503
        assert "数据库暂时没有回应" in answer.text
        lost = browser.post("/notices/new", sent)
        assert lost.status_code == 503
    assert browser.get("/cases").status_code == 200
    carried = fields_of(lost.text, "again")
    assert set(sent) <= set(carried)  # what was typed is on the page, and one press sends it again
    before = len(all_rows(sessions, sa.select(Notice.id)))
    assert browser.post("/notices/new", carried).status_code == 302
    assert len(all_rows(sessions, sa.select(Notice.id))) == before + 1


def test_a_password_is_not_carried_over_an_error(app: Application, browse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browse("tangyining")

    def away(*_arguments: object, **_options: object) -> Any:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("database or disk is full"))

    monkeypatch.setattr(app, "sessions", away)
    answer = browser.post("/sign-in", {"username": "tangyining", "password": "Pingshen-2026"})
    assert answer.status_code == 503
    assert "存储空间已满" in answer.text
    assert "Pingshen-2026" not in answer.text


def test_reading_and_changing_the_calendar(sessions: Sessions, browse: Any) -> None:
    browser = browse("liucheng")
    assert "2026-10-01" in browser.get("/calendar?year=2026").text or "10 月 1 日" in browser.get("/calendar?year=2026").text
    answer = browser.post("/calendar", {"day": "2026-12-31", "kind": "holiday", "note": "放假"})
    assert answer.status_code == 302, re.findall(r'class="msg e".*?</p>', answer.text)
    assert "放假" in browser.get("/calendar?year=2026").text
    assert browser.post("/calendar", {"day": "soon", "kind": "holiday"}).status_code == 422


def test_the_auditor_reads_the_journal_and_that_is_in_the_journal(sessions: Sessions, browse: Any) -> None:
    browser = browse("shenji")
    assert browser.get("/journal").status_code == 200
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).where(JournalEntry.action == "journal:read")) >= 1


def test_messages_are_read_once(sessions: Sessions, browse: Any) -> None:
    browser = browse("qinhaitang")
    assert browser.get("/messages").status_code == 200
    assert browser.post("/messages/read").status_code in (302, 404)


def test_no_subject_of_a_case_is_named_where_only_numbers_belong(sessions: Sessions, browse: Any) -> None:
    name = one(sessions, sa.select(Subject.name).where(Subject.name.is_not(None)).limit(1))
    for username, path in (
        ("renguochang", "/conclusions"),
        ("tianjingye", "/accountability"),
        ("peiwenxiu", "/rectifications"),
        ("shenji", "/journal"),
        ("xitong", "/incidents"),
    ):
        assert name not in browse(username).get(path).text, (username, path)
    assert uuid4()


@pytest.mark.parametrize("query", ["since=0001-01-01", "until=9999-12-31", "since=2026-02-30"])
def test_an_odd_day_of_the_journal_is_an_ordinary_page(browse: Any, query: str) -> None:
    assert browse("shenji").get(f"/journal?{query}").status_code == 200


@pytest.mark.parametrize("words", ["甲" * 20_000, "a" * 100_000, "％" * 500])
def test_a_long_search_is_cut(browse: Any, words: str) -> None:
    assert browse("tangyining").post("/cases/search", {"words": words}).status_code == 302


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "１９００-01-01", "12345-01-01"])
def test_an_impossible_day_is_a_sentence_at_its_field(browse: Any, day: str) -> None:
    browser = browse("qinhaitang")
    sent = [(name, value) for name, value in noticed(browser) if name != "event_dt"]
    answer = browser.post("/notices/new", [*sent, ("event_dt", day), ("event_dt", "08:10")])
    assert answer.status_code == 422
    assert "陶映秋" in answer.text
    assert browser.post("/notices/new/state", [*sent, ("event_dt", day), ("event_dt", "08:10")]).status_code == 200


@pytest.mark.parametrize("path", ["/cases/%00", "/people/%00", "/packets/%00", "/work-items?step=%00", "/journal?since=%00"])
def test_what_no_database_takes_is_refused_at_the_door(browse: Any, path: str) -> None:
    assert browse("tangyining").get(path).status_code in (400, 404)
    browser = browse("tangyining")
    assert browser.post("/cases/search", {"words": "\x00"}).status_code == 400
    assert browser.post("/cases/search", {"x" * 300: "y"}).status_code == 400


def test_a_form_of_a_version_tells_its_fields_in_words(browse: Any) -> None:
    page = browse("liucheng").get("/procedures/maternal_death/versions/1/forms/report_card").text
    assert "列出来选一个" in page and "一行文字" in page
    assert not re.search(r">\s*(textfield|radio|dynamiclist|datetime|group)\b", page)


def test_a_profile_tells_its_values_in_words(browse: Any) -> None:
    assert not re.search(r"<td>[a-z_]{3,}</td>", browse("liucheng").get("/profiles/jieshou").text)
