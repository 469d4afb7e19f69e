"""Who is not to know a name never receives one: not in pages, JSON, addresses, headers, file names or logs."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from models import Case, CaseParty, JournalEntry, Organisation, Person, Role, Subject, WorkItem, WorkItemState
from models.database import Sessions
from tests.web.conftest import Browser, all_rows, fields_of, one

REVIEWERS = ("xushenyan", "lujianwei", "yanhuaijin", "yechengxuan", "baoyunfei")
LINK = re.compile(r'(?:href|data-diagram|hx-get|action)="(/[^"#]*)')
NEVER = re.compile(r"/(sign-out|assets)")
KIND = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)[A-Z0-9-]{5,}|=[^&]*|(?<=/)[a-z_]+(?=\.json)")


def secrets_of(sessions: Sessions) -> set[str]:
    """Return everything that identifies a woman, her family or the place where she was cared for."""
    found: set[str] = set()
    with sessions() as session:
        for subject in session.scalars(sa.select(Subject)):
            found.add(subject.name or "")
            found |= set(texts(subject.details))
        for organisation in session.scalars(
            sa.select(Organisation)
            .join(CaseParty, CaseParty.organisation_id == Organisation.id)
            .where(CaseParty.capacity.in_(("facility", "township", "notice")))
        ):
            found |= {organisation.name, organisation.short_name or "", organisation.name_en or "", organisation.phone or ""}
        for (number,) in session.execute(sa.select(Case.number).where(Case.number.is_not(None))):
            found.add(number)
        for (name,) in session.execute(
            sa.select(Person.name)
            .join(WorkItem, WorkItem.completed_by_id == Person.id)
            .where(WorkItem.role.in_((Role.FACILITY_REPORTER, Role.OBSTETRIC_SAFETY_OFFICE)))
        ):
            found.add(name)
    return {term for term in found if len(term) > 1}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) and len(value) > 3 and value != "unknown" else []


def crawl(
    browser: Browser, start: tuple[str, ...] = ("/", "/more", "/work-items?view=all", "/packets", "/rectifications", "/messages")
) -> dict[str, Any]:
    """Open every kind of page that links lead to, five of each kind, and the drawer and the review of every task."""
    seen: dict[str, Any] = {}
    kinds: Counter[str] = Counter()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        kind = KIND.sub("*", path)
        if path in seen or NEVER.match(path) or kinds[kind] >= 5:
            continue
        kinds[kind] += 1
        answer = browser.get(path)
        seen[path] = answer
        if answer.mimetype in ("text/html", "application/json"):
            waiting += [link.replace("&amp;", "&") for link in LINK.findall(answer.text)]
            waiting += [f"{path}{more}" for more in ("/drawer", "/review") if re.fullmatch(r"/work-items/[0-9a-f-]{36}", path)]
    return seen


@pytest.mark.parametrize("username", REVIEWERS)
def test_a_reviewer_never_receives_who_she_was_or_where_she_died(sessions: Sessions, browse: Any, username: str) -> None:
    forbidden = secrets_of(sessions)
    assert len(forbidden) > 12
    answers = crawl(browse(username))
    opened = [path for path, answer in answers.items() if answer.status_code == 200 and path.startswith(("/packets/", "/work-items/"))]
    assert opened, sorted(answers)
    for path, answer in answers.items():
        content = answer.get_data().decode("utf-8", "replace") + path + str(answer.headers)
        met = {term for term in forbidden if term in content}
        assert not met, (path, met)


def test_a_reviewer_finds_no_case_by_guessing_addresses(sessions: Sessions, browse: Any) -> None:
    browser = browse("xushenyan")
    for (number,) in all_rows(sessions, sa.select(Case.number).where(Case.number.is_not(None))):
        assert browser.get(f"/cases/{number}").status_code == 403
        assert browser.get(f"/cases/{number}/diagram/maternal_death.json").status_code == 403
    for (item_id,) in all_rows(sessions, sa.select(WorkItem.id).where(WorkItem.audience.in_(("case", "office")))):
        assert browser.get(f"/work-items/{item_id}").status_code == 404
        assert browser.get(f"/work-items/{item_id}/drawer").status_code == 404


def test_what_is_not_yet_revealed_is_its_authors_alone(sessions: Sessions, browse: Any) -> None:
    """An opinion handed in is not in any page of a colleague, of quality control or of the chair before the discussion opens."""
    rows = all_rows(
        sessions,
        sa.select(WorkItem.id, Person.username)
        .join(Person, Person.id == WorkItem.person_id)
        .where(WorkItem.form == "opinion", WorkItem.state == WorkItemState.RESERVED),
    )
    assert len(rows) >= 3
    item_id, author = rows[0]
    mark = "宫缩乏力识别不及时此句只此一处"
    browser = browse(author)
    page = browser.get(f"/work-items/{item_id}").text
    sent = [(name, mark if value == "" and name.startswith("reasoning") else value) for name, value in fields_of(page)]
    sent = [*[pair for pair in sent if pair[0] != "reason"], ("reason", mark)]
    assert browser.post(f"/work-items/{item_id}", [*sent, ("_action", "draft")]).status_code == 302
    for username in ("tangyining", "lujianwei" if author != "lujianwei" else "morushi", "xushenyan", "gaohuairen"):
        for path, answer in crawl(browse(username)).items():
            assert mark not in answer.get_data().decode("utf-8", "replace"), (username, path)


def test_names_stand_in_no_address_title_or_header(sessions: Sessions, browse: Any) -> None:
    names = {name for (name,) in all_rows(sessions, sa.select(Subject.name).where(Subject.name.is_not(None)))}
    browser = browse("tangyining")
    found = browser.post("/cases/search", {"words": next(iter(names))})
    assert found.status_code == 302
    answers = crawl(browser, ("/", "/cases", "/work-items?view=all", "/notices", found.headers["Location"]))
    assert len(answers) > 25
    for path, answer in answers.items():
        title = re.search(r"<title>(.*?)</title>", answer.text, re.S) if answer.mimetype == "text/html" else None
        for text in (path, title[1] if title else "", str(answer.headers)):
            assert not any(name in text for name in names), (path, text[:200])


def test_nothing_of_a_case_enters_a_log_line(sessions: Sessions, browse: Any, caplog: pytest.LogCaptureFixture) -> None:
    forbidden = secrets_of(sessions)
    with caplog.at_level(logging.DEBUG):
        crawl(browse("tangyining"), ("/", "/cases", "/work-items?view=all"))
        [(item_id,)] = all_rows(sessions, sa.select(WorkItem.id).where(WorkItem.element == "verify_report", WorkItem.state == WorkItemState.READY))
        browser = browse("tangyining")
        browser.post(f"/work-items/{item_id}", [*fields_of(browser.get(f"/work-items/{item_id}").text), ("remark", "沈"), ("_action", "hand_in")])
    ours = [record for record in caplog.records if record.name.split(".")[0] in ("pingshen", "web", "engine", "spiff", "waitress")]
    assert not [record for record in ours if any(term in record.getMessage() for term in forbidden)]


def test_every_reading_of_a_case_is_in_its_journal(sessions: Sessions, browse: Any) -> None:
    number = all_rows(sessions, sa.select(Case.number).where(Case.number.is_not(None)).order_by(Case.number))[0][0]
    case_id = one(sessions, sa.select(Case.id).where(Case.number == number))

    def readings() -> int:
        with sessions() as session:
            return session.scalar(sa.select(sa.func.count()).where(JournalEntry.case_id == case_id, JournalEntry.action == "case:read")) or 0

    before = readings()
    browser = browse("tangyining")
    assert browser.get(f"/cases/{number}").status_code == 200
    assert readings() == before + 1
    page = browser.get(f"/cases/{number}/journal")
    assert "汤以宁" in page.text
    assert "查阅个案" in page.text


def test_pages_are_kept_by_no_cache_and_framed_by_nobody(browse: Any) -> None:
    for path in ("/", "/cases", "/sign-in", "/nowhere"):
        headers = browse("tangyining").get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"


def test_no_page_needs_an_inline_script_or_style(sessions: Sessions, browse: Any) -> None:
    for username in ("tangyining", "xushenyan", "xitong"):
        for path, answer in crawl(browse(username)).items():
            if answer.mimetype == "text/html":
                assert not re.search(
                    r"<script(?![^>]*\bsrc=)[^>]*>|\sstyle=|\son[a-z]+=|javascript:", answer.get_data().decode("utf-8", "replace")
                ), path


def test_json_of_a_diagram_names_steps_and_nobody(sessions: Sessions, browse: Any) -> None:
    number = all_rows(sessions, sa.select(Case.number).where(Case.number.is_not(None)).order_by(Case.number))[0][0]
    answer = browse("tangyining").get(f"/cases/{number}/diagram/maternal_death.json")
    assert set(json.loads(answer.text)) == {"xml", "done", "current", "names", "calls"}
    assert not [term for term in secrets_of(sessions) if term in answer.text]
