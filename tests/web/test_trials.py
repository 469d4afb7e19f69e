"""The pages of trials: scenarios, a walk by hand, a replay, for the process administrator and without scripts."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from lxml import html

from engine import drafts, procedures, scenarios, trials
from engine.actor import of_person
from engine.transaction import transaction
from models import Case, Person, Trial, TrialState
from models.database import Sessions
from tests.web.conftest import fields_of

BASE = "/studio/maternal_death"
CONDITION = b"profile.city_review_required = true or upper_review = true"


def words(page: str) -> str:
    """Return what a page says, without its frame."""
    (main,) = html.fromstring(page).xpath("//main")
    return re.sub(r"\s+", " ", main.text_content())


def change(sessions: Sessions) -> None:
    """Ask for the upper level's review only where somebody wants it."""
    with transaction(sessions) as session:
        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == "liucheng")).one())
        draft = drafts.begin(session, actor, "maternal_death")
        path = "shared/upper_level.bpmn"
        content = drafts.file(session, draft, path)
        assert CONDITION in content
        drafts.save(session, actor, draft, {path: content.replace(CONDITION, b"upper_review = true")}, draft.revision)


def test_scenarios_are_run_and_each_opens_with_its_steps_lit_and_in_words(browse: Any) -> None:
    browser = browse("liucheng")
    assert "还没有试走" in browser.get(f"{BASE}/trials").text
    assert browser.post(f"{BASE}/trials/scenarios").status_code == 302
    page = words(browser.get(f"{BASE}/trials").text)
    assert page.count("与预期相同") == len(scenarios.scenarios(procedures.shipped_files("maternal_death")))
    assert "与预期不同" not in page.replace("0 个与预期不同", "")
    scenario = browser.get(f"{BASE}/trials/scenarios/member_recused")
    assert "与预期相同" in scenario.text
    (listed,) = html.fromstring(scenario.text).xpath("//ol[contains(@class, 'walk')]")
    assert listed.text_content().index("裁定回避") < listed.text_content().index("已签署")
    diagram = browser.get(f"{BASE}/trials/scenarios/member_recused/opinion.json").json
    assert {"declare", "rule_on_conflict", "take_packet_back"} <= set(diagram["done"])
    assert "<bpmn:definitions" in diagram["xml"]
    assert browser.get(f"{BASE}/trials/scenarios/nothing").status_code == 404
    assert browser.get(f"{BASE}/trials/scenarios/straight/nothing.json").status_code == 404


def test_what_is_not_judged_is_said_so(browse: Any) -> None:
    page = words(browse("liucheng").get(f"{BASE}/trials/scenarios/township_does_not_call").text)
    assert "告知了谁没有判断" in page
    assert "没有算作通过" in page


def form_of(page: str, action: str) -> list[tuple[str, str]]:
    """Return what a browser would send for the form with an action."""
    document = html.fromstring(page)
    form = next(found for found in document.iter("form") if (found.get("action") or "").split("?")[0] == action and found.get("method") == "post")
    form.set("id", "work")
    return fields_of(html.tostring(document, encoding="unicode"))


def test_a_scenario_is_written_in_the_browser_and_kept_in_the_draft(browse: Any, sessions: Sessions) -> None:
    browser = browse("liucheng")
    address = f"{BASE}/scenarios/new"
    sent = dict(form_of(browser.get(address).text, address))
    refused = browser.post(address, sent)
    assert refused.status_code == 422
    assert "请填名称" in refused.text
    sent |= {
        "name": "不在范围",
        "name_en": "Out of scope",
        "file": "mine_out",
        "element-0": "verify_report",
        "answers-0": "decision = out_of_scope\n坏行",
    }
    sent |= {"expect-verify_report": "walked", "expect-fill_card": "walked", "expect-redact": "never", "state": "out_of_scope"}
    assert browser.post(address, sent).headers["Location"].endswith("/trials/scenarios/mine_out")
    assert "与预期相同" in browser.get(f"{BASE}/trials/scenarios/mine_out").text
    with transaction(sessions, read_only=True) as session:
        content = drafts.file(session, drafts.get(session, "maternal_death"), "scenarios/mine_out.toml").decode()
    assert 'answers = {decision = "out_of_scope"}' in content
    assert 'walked = ["fill_card", "verify_report"]' in content
    assert browser.post(address, sent).status_code == 422  # the name is taken

    address = f"{BASE}/scenarios/mine_out"
    again = dict(form_of(browser.get(address).text, address))
    assert (again["element-0"], again["answers-0"], again["state"]) == ("verify_report", 'decision = "out_of_scope"', "out_of_scope")
    browser.post(address, {**again, "expect-redact": "walked"})
    page = words(browser.get(f"{BASE}/trials/scenarios/mine_out").text)
    assert "与预期不同" in page
    assert "没有在这个位置经过：脱敏" in page
    browser.post(f"{address}/delete")
    assert browser.get(f"{BASE}/trials/scenarios/mine_out").status_code == 404


def test_a_scenario_saved_unchanged_comes_out_as_before(browse: Any) -> None:
    browser = browse("liucheng")
    for name in ("member_recused", "two_notices_one_case"):
        address = f"{BASE}/scenarios/{name}"
        browser.post(address, form_of(browser.get(address).text, address))
        assert "与预期相同" in browser.get(f"{BASE}/trials/scenarios/{name}").text, name


def act(browser: Any, page: str, step: str, **answers: str) -> str:
    """Do an open step on the page of a walk by hand, as a browser without scripts would; returns the next page."""
    document = html.fromstring(page)
    (button,) = document.xpath(f"//button[starts-with(@value, 'do:{step}:')]")
    form = next(button.iterancestors("form"))
    form.set("id", "work")
    fields = [
        (name, value)
        for name, value in fields_of(html.tostring(document, encoding="unicode"))
        if name.split(".")[-1] not in answers or "was." in name
    ]
    fields += [(f"{step}.{button.get('value').split(':')[2]}.{name}", value) for name, value in answers.items()]
    answer = browser.get(f"{BASE}/walk", query_string=[*fields, ("do", button.get("value"))])
    assert answer.status_code == 302, answer.text[:2000]
    return str(browser.get(answer.headers["Location"]).text)


def test_a_walk_by_hand_needs_no_diagram_and_no_script(browse: Any) -> None:
    browser = browse("liucheng")
    page = browser.get(f"{BASE}/walk").text
    assert "接报核重" in words(page)
    for step in ("check_duplicate", "fill_card", "hold_discussion", "report_case"):
        page = act(browser, page, step)
    assert "核实报告" in words(page)
    page = act(browser, page, "verify_report", decision="out_of_scope")
    assert "状态：不在范围" in words(page)
    assert "没有开着的步骤" in words(page)
    back = html.fromstring(page).xpath("//a[contains(., '退一步')]/@href")[0]
    assert len(parse_qs(urlsplit(back).query)["act"]) == 4
    sent = form_of(page, f"{BASE}/walk")
    kept = browser.post(f"{BASE}/walk", [*[pair for pair in sent if pair[0] == "act"], ("name", "亲手走的"), ("name_en", ""), ("file", "by_hand")])
    assert kept.headers["Location"].endswith("/trials/scenarios/by_hand")
    assert "与预期相同" in browser.get(f"{BASE}/trials/scenarios/by_hand").text


def test_hostile_acts_in_the_address_are_refused(browse: Any) -> None:
    browser = browse("liucheng")
    for text in ("{", "[]", "{}", '{"w": "do", "n": "x", "p": "y"}', '{"w": "do", "a": 3}', "[" * 5000):
        assert browser.get(f"{BASE}/walk", query_string={"act": text}).status_code == 422, text
    deep = json.dumps({"w": "do", "n": "check_duplicate", "p": 0, "a": {"decision": {"$": "dt", "v": "nonsense"}}})
    assert browser.get(f"{BASE}/walk", query_string={"act": deep}).status_code == 200
    assert browser.get(f"{BASE}/walk", query_string={"do": "do:nothing:here"}).status_code == 302


def test_a_replay_shows_its_progress_what_it_found_and_both_ways_of_a_case(browse: Any, sessions: Sessions) -> None:
    change(sessions)
    browser = browse("liucheng")
    address = browser.post(f"{BASE}/trials", {"most": "50"}).headers["Location"]
    waiting = browser.get(address)
    assert "等待开始 0 / 7" in words(waiting.text)
    assert waiting.headers["Refresh"] == "3"
    while trials.advance(sessions):
        pass
    done = browser.get(address)
    assert "Refresh" not in done.headers
    page = words(done.text)
    assert "已走完 7 / 7" in page
    assert "在“要上级评审？”之后分开：原来是“上级评审”，新版是“报送省级”。" in page
    assert "上级评审专家淮夏省妇幼保健院2 步" in page
    only = words(browser.get(f"{address}?outcome=other").text)
    assert "LZ26-MD-001" in only
    assert "LZ26-MD-007" not in only
    case = browser.get(f"{address}/cases/LZ26-MD-002")
    assert "只有这一版经过" in case.text
    assert words(case.text).count("还开着：") == 2
    old, new = (browser.get(f"{address}/cases/LZ26-MD-002/{side}/upper_level.json").json for side in ("old", "new"))
    assert (old["current"], new["current"]) == ({"review_at_upper_level": 1}, {})
    assert "report_province" in new["done"]
    table = browser.get(f"{address}/cases.csv")
    assert table.mimetype == "text/csv"
    assert len(table.text.strip().splitlines()) == 8
    assert browser.get(f"{address}/cases/LZ26-MD-099").status_code == 404


def test_the_administrator_sees_numbers_and_steps_and_nothing_else(browse: Any, sessions: Sessions) -> None:
    change(sessions)
    browser = browse("liucheng")
    address = browser.post(f"{BASE}/trials", {"most": "50"}).headers["Location"]
    while trials.advance(sessions):
        pass
    with transaction(sessions, read_only=True) as session:
        people = [name for name in session.scalars(sa.select(Person.name)) if name != "刘澄"]
        days = [f"{case.event_at:%m-%d}" for case in session.scalars(sa.select(Case))]
    pages = [address, f"{address}/cases/LZ26-MD-001", f"{address}/cases.csv", f"{address}/cases/LZ26-MD-001/new/review.json"]
    for path in pages:
        text = browser.get(path).text
        text = words(text) if text.startswith("<!doctype") else text
        assert not [word for word in [*people, *days, "沈若蘅", "avoidable_if", "可避免"] if word in text], path


def test_a_replay_is_stopped(browse: Any, sessions: Sessions) -> None:
    browser = browse("liucheng")
    address = browser.post(f"{BASE}/trials", {"most": "50"}).headers["Location"]
    browser.post(f"{address}/stop")
    assert "已停止" in words(browser.get(address).text)
    assert not trials.advance(sessions)
    assert browser.post(f"{address}/stop").status_code == 409
    with transaction(sessions, read_only=True) as session:
        assert session.scalars(sa.select(Trial.state)).all() == [TrialState.STOPPED]


def test_files_that_cannot_run_are_told_and_not_tried(browse: Any, sessions: Sessions) -> None:
    with transaction(sessions) as session:
        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == "liucheng")).one())
        draft = drafts.begin(session, actor, "maternal_death")
        drafts.save(session, actor, draft, {"shared/review.bpmn": b"<x/>"}, draft.revision)
    browser = browse("liucheng")
    for path, sent in ((f"{BASE}/trials", {"most": "5"}), (f"{BASE}/trials/scenarios", {})):
        assert browser.post(path, sent).status_code == 302
        assert "没有试走" in browser.get(f"{BASE}/trials").text
    assert browser.get(f"{BASE}/walk").status_code == 404


def test_nobody_else_may_try(browse: Any) -> None:
    browser = browse("tangyining")
    for path in (f"{BASE}/trials", f"{BASE}/walk", f"{BASE}/scenarios/new", f"{BASE}/trials/scenarios/straight"):
        assert browser.get(path).status_code == 403
    assert browser.post(f"{BASE}/trials", {"most": "5"}).status_code == 403
