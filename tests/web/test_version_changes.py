"""Moving cases to another version in the browser: by numbers and steps, never by what anybody wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import procedures
from engine.transaction import transaction
from models import Case, Person, ProcedureVersion, Record, Subject, VersionChange
from models.database import Sessions
from tests.redrawing import redrawn, renamed, replaced, step, without
from tests.web.conftest import Browser, all_rows, one
from web.views import version_changes as page_of

FILES = procedures.shipped_files("maternal_death")
PAGE = "/version-changes/maternal_death/2"


@pytest.fixture
def version(sessions: Sessions) -> UUID:
    """A second version: a step more, one renamed."""
    files = renamed(FILES, "verify_report", "check_report")
    files = redrawn(
        files, "shared/review.bpmn", lambda root: step(root, "discuss", "flow_collect_opinions_meeting_due", lane="secretary", name="院内讨论")
    )
    with transaction(sessions) as session:
        return procedures.deploy(session, None, files).id


def chosen(page: str) -> list[str]:
    """Return the cases that can be chosen."""
    return re.findall(r'name="case" value="([0-9a-f-]+)"', page)


def of_version(sessions: Sessions, version: UUID) -> int:
    return int(one(sessions, sa.select(sa.func.count()).select_from(Case).where(Case.procedure_version_id == version)))


def test_the_plan_shows_numbers_and_steps_and_nothing_of_the_cases(version: UUID, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    page = browse("liucheng").get(PAGE).text
    assert "可以转 5 个，不能转 1 个。" in page
    assert "正在办理“核实报告”，新版没有这一步" in page
    assert 'value="check_report" selected' in page
    numbers = [number for (number,) in all_rows(sessions, sa.select(Case.number).where(Case.ended_at.is_(None)))]
    assert all(number in page for number in numbers if number)
    names = {name for (name,) in all_rows(sessions, sa.select(Subject.name).where(Subject.name.is_not(None)))}
    people = {name for (name,) in all_rows(sessions, sa.select(Person.name).where(Person.username != "liucheng"))}
    assert names and people and not [name for name in names | people if name in page]


def test_who_may_not_move_cases_is_refused(version: UUID, browse: Callable[..., Browser]) -> None:
    for username in ("tangyining", "qinhaitang"):
        assert browse(username).get(PAGE).status_code == 403
        assert browse(username).post(PAGE, {"act": "move", "reason": "x"}).status_code == 403
        assert browse(username).post(f"{PAGE}/undo", {"change": str(version)}).status_code == 403


def test_a_dry_run_changes_nothing_and_says_for_each_case_whether_it_would(version: UUID, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    browser = browse("liucheng")
    cases = chosen(browser.get(PAGE).text)
    answer = browser.post(PAGE, [("act", "try"), *(("case", case) for case in cases)])
    assert answer.status_code == 200 and answer.text.count("可以转</span>") >= 5
    assert of_version(sessions, version) == 0
    assert one(sessions, sa.select(sa.func.count()).select_from(VersionChange)) == 0


def test_chosen_cases_are_moved_with_a_reason_and_taken_back_one_by_one(version: UUID, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    browser = browse("liucheng")
    cases = chosen(browser.get(PAGE).text)
    refused = browser.post(PAGE, [("act", "move"), ("case", cases[0])])
    assert refused.status_code == 422 and "请写理由。" in refused.text
    assert browser.post(PAGE, {"act": "move", "reason": "新规定"}).status_code == 422
    assert of_version(sessions, version) == 0

    answer = browser.post(PAGE, [("act", "move"), ("reason", "新规定"), *(("case", case) for case in cases[:3])])
    assert answer.status_code == 302 and of_version(sessions, version) == 3
    page = browser.get(PAGE).text
    assert "可以转 2 个，不能转 1 个。" in page and page.count("/undo") == 3
    change = re.findall(r'name="change" value="([0-9a-f-]+)"', page)[0]
    assert browser.post(f"{PAGE}/undo", {"change": change}).status_code == 302
    assert of_version(sessions, version) == 2
    assert browser.post(f"{PAGE}/undo", {"change": change}).status_code == 409
    assert browser.post(f"{PAGE}/undo", {"change": "no key"}).status_code == 404
    assert "已转回" in browser.get(PAGE).text


def test_a_renamed_step_is_paired_by_hand(version: UUID, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    browser = browse("liucheng")
    page = browser.get(f"{PAGE}?to:verify_report=check_report").text
    assert "可以转 6 个，不能转 0 个。" in page
    cases = chosen(page)
    fields = [("act", "move"), ("reason", "改名"), ("to:verify_report", "check_report"), *(("case", case) for case in cases)]
    assert browser.post(PAGE, fields).status_code == 302
    assert of_version(sessions, version) == 6
    assert "换成新标识" not in browser.get(PAGE).text


def test_one_that_cannot_follow_leaves_the_others_alone(version: UUID, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    browser = browse("liucheng")
    every = [str(key) for (key,) in all_rows(sessions, sa.select(Case.id).where(Case.ended_at.is_(None)))]
    answer = browser.post(PAGE, [("act", "move"), ("reason", "新规定"), *(("case", case) for case in every)])
    assert answer.status_code == 200 and "没有转" in answer.text and "新版没有这一步" in answer.text
    assert of_version(sessions, version) == 5


def test_many_are_moved_in_batches_that_go_on_by_themselves(
    version: UUID, sessions: Sessions, browse: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of, "BATCH", 2)
    browser = browse("liucheng")
    cases = chosen(browser.get(PAGE).text)
    answer = browser.post(PAGE, [("act", "move"), ("reason", "新规定"), *(("case", case) for case in cases)])
    assert answer.status_code == 200 and of_version(sessions, version) == 2
    assert "2 / 5" in answer.text and chosen(answer.text) == cases[2:]
    rest = [("act", "move"), ("reason", "新规定"), ("done", "2"), *(("case", case) for case in chosen(answer.text))]
    answer = browser.post(PAGE, rest)
    assert "4 / 5" in answer.text and of_version(sessions, version) == 4
    answer = browser.post(PAGE, [("act", "move"), ("reason", "新规定"), ("done", "4"), ("case", cases[4])])
    assert answer.status_code == 302 and of_version(sessions, version) == 5


def test_the_page_of_a_case_tells_under_which_version_it_goes_on(version: UUID, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    browser = browse("liucheng")
    cases = chosen(browser.get(PAGE).text)
    browser.post(PAGE, [("act", "move"), ("reason", "新规定"), ("case", cases[0])])
    number = one(sessions, sa.select(Case.number).where(Case.id == UUID(cases[0])))
    page = browse("tangyining").get(f"/cases/{number}").text
    assert "改按流程第 2 版办理，原为第 1 版。" in page
    assert re.search(r"第 2 版，[^<]*转来", page)


def test_a_finished_step_and_a_form_that_are_gone_can_still_be_read(sessions: Sessions, browse: Callable[..., Browser]) -> None:
    files = redrawn(FILES, "maternal_death.bpmn", lambda root: without(root, "report_national"))
    files = {path: content for path, content in files.items() if path != "forms/national_report.json"}
    files = replaced(files, "procedure.toml", ('"national_report", ', ""))
    with transaction(sessions) as session:
        procedures.deploy(session, None, files)
        number = session.scalars(sa.select(ProcedureVersion.number).order_by(ProcedureVersion.number.desc())).first()
    page = f"/version-changes/maternal_death/{number}"
    browser = browse("liucheng")
    shown = browser.get(page).text
    assert "照样留在经过里" in shown
    browser.post(page, [("act", "move"), ("reason", "新规定"), *(("case", case) for case in chosen(shown))])
    moved = all_rows(sessions, sa.select(Case.number).join(VersionChange, VersionChange.case_id == Case.id))
    assert len(moved) >= 4
    officer = browse("tangyining")
    for (reference,) in moved:
        assert officer.get(f"/cases/{reference}").status_code == 200
    gone = all_rows(
        sessions,
        sa.select(Case.number, Record.id).join(Record, Record.case_id == Case.id).where(Record.form == "national_report", Case.ended_at.is_(None)),
    )
    assert gone
    for reference, record in gone:
        assert officer.get(f"/cases/{reference}/records/{record}").status_code == 200
