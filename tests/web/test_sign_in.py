"""Signing in and out: sessions end on the server, attempts are counted, what was typed survives a night."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
import time_machine

from models import JournalEntry, Message, Person, Role, SignIn, WorkItem, WorkItemState
from models.database import Sessions
from tests.web.conftest import Browser, all_rows, fields_of, settings
from web import Application, create_app
from web.demo.places import PASSWORD


def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(browse: Any) -> None:
    wrong = browse().post("/sign-in", {"username": "tangyining", "password": "wrong"})
    unknown = browse().post("/sign-in", {"username": "nobody-known", "password": "wrong"})
    assert wrong.status_code == unknown.status_code == 422
    assert "账号或密码不对。" in wrong.text
    assert "账号或密码不对。" in unknown.text


def test_five_wrong_passwords_lock_the_account_for_half_an_hour(browse: Any, now: time_machine.Coordinates) -> None:
    for _ in range(5):
        assert browse().post("/sign-in", {"username": "tangyining", "password": "wrong"}).status_code == 422
    locked = browse().post("/sign-in", {"username": "tangyining", "password": PASSWORD})
    assert locked.status_code == 429
    assert "30 分钟" in locked.text
    now.shift(timedelta(minutes=31))
    assert browse().post("/sign-in", {"username": "tangyining", "password": PASSWORD}).status_code == 302


def test_an_address_that_tries_many_accounts_waits(app: Application, browse: Any) -> None:
    for number in range(50):
        browse().post("/sign-in", {"username": f"somebody{number}", "password": "x"}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    blocked = browse().post("/sign-in", {"username": "tangyining", "password": PASSWORD}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert blocked.status_code == 429
    assert browse().post("/sign-in", {"username": "tangyining", "password": PASSWORD}).status_code == 302


def test_a_session_that_was_ended_is_worth_nothing_even_with_its_cookie(app: Application, browse: Any) -> None:
    browser: Browser = browse("tangyining")
    cookie = browser.client.get_cookie("pingshen")
    assert cookie is not None
    assert browser.post("/sign-out").status_code == 302
    thief = Browser(app)
    thief.client.set_cookie("pingshen", cookie.value)
    assert thief.get("/work-items").status_code == 401


def test_a_session_ends_after_half_an_hour_without_a_request_and_after_twelve_hours_at_the_latest(
    sessions: Sessions, browse: Any, now: time_machine.Coordinates
) -> None:
    browser = browse("tangyining")
    for _ in range(3):
        now.shift(timedelta(minutes=25))
        assert browser.get("/").status_code == 200
    now.shift(timedelta(minutes=31))
    assert browser.get("/").status_code == 401
    busy = browse("tangyining")
    for _ in range(29):
        now.shift(timedelta(minutes=24))
        assert busy.get("/").status_code == 200
    now.shift(timedelta(minutes=25))
    assert busy.get("/").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(filled_url: str, sessions: Sessions) -> None:
    browser = Browser(create_app(settings(filled_url, public_url="https://pingshen.test"), sessions))
    answer = browser.get("/sign-in", base_url="https://pingshen.test")
    [cookie] = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= {part.strip() for part in cookie.split(";")}


def test_a_form_without_its_token_changes_nothing(app: Application, browse: Any) -> None:
    browser = browse("tangyining")
    answer = browser.client.post("/account/language", data={"language": "en"})
    assert answer.status_code == 400
    assert "这一页放得太久了" in answer.text
    assert "中文" not in browser.get("/").text


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b"])
def test_signing_in_leads_nowhere_else(browse: Any, target: str) -> None:
    answer = browse().post("/sign-in", {"username": "tangyining", "password": PASSWORD, "back": target})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(browse: Any) -> None:
    browser = browse()
    gate = browser.get("/cases?state=opened")
    assert gate.status_code == 401
    back = re.search(r'name="back" value="([^"]*)"', gate.text)
    assert back is not None
    assert browser.post("/sign-in", {"username": "tangyining", "password": PASSWORD, "back": back[1]}).headers["Location"] == "/cases"


def test_what_was_typed_in_a_page_left_open_over_night_comes_back_after_signing_in(
    sessions: Sessions, browse: Any, now: time_machine.Coordinates
) -> None:
    browser = browse("tangyining")
    [(item_id,)] = all_rows(sessions, sa.select(WorkItem.id).where(WorkItem.form == "verification", WorkItem.state == WorkItemState.READY).limit(1))
    page = browser.get(f"/work-items/{item_id}").text
    typed = [*((name, value) for name, value in fields_of(page) if name != "remark"), ("remark", "昨晚写到这里"), ("_action", "draft")]
    now.shift(timedelta(hours=11))
    gate = browser.post(f"/work-items/{item_id}", typed)
    assert gate.status_code == 401
    assert "您写的内容还在" in gate.text
    carried = [(name, value) for name, value in fields_of_first_form(gate.text) if name.startswith("resume")]
    again = browser.post("/sign-in", [*carried, ("username", "tangyining"), ("password", PASSWORD)])
    assert again.status_code == 200
    resumed = [(name, value) for name, value in fields_of_first_form(again.text, f'action="/work-items/{item_id}"')]
    assert browser.post(f"/work-items/{item_id}", resumed).status_code == 302
    assert "昨晚写到这里" in browser.get(f"/work-items/{item_id}").text


def fields_of_first_form(page: str, mark: str = 'action="/sign-in"') -> list[tuple[str, str]]:
    """Return the hidden fields of the form with a mark."""
    from lxml import html

    form = next(form for form in html.fromstring(page).iter("form") if mark.split('"')[1] == form.get("action"))
    return [
        (node.get("name"), node.get("value", ""))
        for node in form.iter("input")
        if node.get("name") not in (None, "csrf_token", "username", "password")
    ]


def test_roles_that_see_names_show_a_second_factor_where_the_policy_asks_for_one(
    filled_url: str, sessions: Sessions, now: time_machine.Coordinates
) -> None:
    app = create_app(settings(filled_url, second_factor="on"), sessions)
    browser = Browser(app).sign_in("tangyining")
    assert browser.get("/cases").headers["Location"] == "/second-factor"
    page = browser.get("/second-factor").text
    seed = re.search(r'name="seed" value="(\w+)"', page)
    secret = re.search(r'<span class="code">(\w+)</span>', page)
    assert seed is not None
    assert secret is not None
    totp = pyotp.TOTP(secret[1])
    assert browser.post("/second-factor", {"seed": seed[1], "code": "000000"}).status_code == 422
    done = browser.post("/second-factor", {"seed": seed[1], "code": totp.at(int(clock_now()))})
    assert done.status_code == 200
    recovery = re.findall(r"<li>(\w{4}-\w{4}-\w{4})</li>", done.text)
    assert len(recovery) == 8
    assert browser.get("/cases").status_code == 200
    later = Browser(app).sign_in("tangyining")
    assert "seed" not in dict(fields_of_first_form(later.get("/second-factor").text, 'action="/second-factor"'))
    used = totp.at(int(clock_now()))
    assert later.post("/second-factor", {"code": used}).status_code == 422  # each code only once
    assert later.post("/second-factor", {"code": recovery[0]}).status_code == 302
    assert Browser(app).sign_in("tangyining").post("/second-factor", {"code": recovery[0]}).status_code == 422
    reviewer = Browser(app).sign_in("xushenyan")
    assert reviewer.get("/packets").status_code == 200  # sees no names


def clock_now() -> float:
    from engine import clock

    return clock.now().timestamp()


def test_failed_and_successful_attempts_are_in_the_journal_without_what_was_typed(sessions: Sessions, browse: Any) -> None:
    browse().post("/sign-in", {"username": "tangyining", "password": "a-secret-typo"})
    browse("tangyining")
    rows = [entry for (entry,) in all_rows(sessions, sa.select(JournalEntry).where(JournalEntry.action.like("person:sign-in%")))]
    assert {entry.action for entry in rows} == {"person:sign-in", "person:sign-in-failed"}
    assert "typo" not in str([entry.detail for entry in rows])


def test_a_person_sees_and_ends_their_other_sessions(sessions: Sessions, browse: Any) -> None:
    one, other = browse("tangyining"), browse("tangyining")
    page = one.get("/account").text
    assert page.count("/account/sessions/") == 2  # one to end the other, one to end all
    target = re.search(r'action="(/account/sessions/[^"]+)"', page)
    assert target is not None
    assert one.post(target[1]).status_code == 302
    assert other.get("/").status_code == 401
    assert one.get("/").status_code == 200


def test_an_issued_password_must_be_changed_before_anything_else(sessions: Sessions, browse: Any) -> None:
    shown = browse("xitong").post("/people/zoushoutian/password")
    issued = re.search(r'class="big code"[^>]*>\s*([0-9a-f]{6}-[0-9a-f]{6}-[A-Z]\d[^<\s]*)', shown.text)
    assert issued is not None, shown.text[-3000:]
    browser = browse().sign_in("zoushoutian", issued[1])
    assert browser.get("/").headers["Location"] == "/new-password"
    weak = browser.post("/new-password", {"old": issued[1], "new": "abcdefgh", "again": "abcdefgh"})
    assert weak.status_code == 422
    assert browser.post("/new-password", {"old": issued[1], "new": "雨水Gully-2026", "again": "雨水Gully-2026"}).status_code == 302
    assert browser.get("/").status_code == 200
    assert browse().post("/sign-in", {"username": "zoushoutian", "password": issued[1]}).status_code == 422


def test_no_session_outlives_a_new_password(sessions: Sessions, browse: Any) -> None:
    one, other = browse("tangyining"), browse("tangyining")
    assert one.post("/account/password", {"old": PASSWORD, "new": "Mulberry-77 leaf", "again": "Mulberry-77 leaf"}).status_code == 302
    assert other.get("/").status_code == 401
    with sessions() as session:
        assert (
            session.scalar(
                sa.select(sa.func.count()).select_from(SignIn).join(Person).where(Person.username == "tangyining", SignIn.ended_at.is_(None))
            )
            == 1
        )


def test_a_name_that_does_not_exist_is_answered_like_one_that_does(browse: Any) -> None:
    told = {}
    for name in ("tangyining", "nobody-at-all"):
        answers = [browse().post("/sign-in", {"username": name, "password": f"wrong-{turn}"}) for turn in range(7)]
        told[name] = [(answer.status_code, "账号或密码不对" in answer.text, "30 分钟" in answer.text) for answer in answers]
    assert told["tangyining"] == told["nobody-at-all"]
    assert told["nobody-at-all"][-1][0] == 429


def test_no_administrator_takes_over_another_and_every_reset_is_told(sessions: Sessions, browse: Any) -> None:
    system, security = browse("xitong"), browse("anquan")
    for name in ("anquan", "shenji"):
        assert system.post(f"/people/{name}/password").status_code == 403
    for name in ("xitong", "shenji"):
        assert security.post(f"/people/{name}/second-factor").status_code == 403
    assert system.post("/people/tangyining/second-factor").status_code == 403
    assert security.post("/people/tangyining/password").status_code == 403
    assert security.post("/people/tangyining/second-factor").status_code == 302
    told = all_rows(sessions, sa.select(Person.username).join(Message, Message.person_id == Person.id).where(Message.kind == "second_factor_reset"))
    assert {row[0] for row in told} == {"tangyining", "shenji"}


def test_who_was_dismissed_from_the_committee_does_nothing_of_it_any_more(sessions: Sessions, browse: Any) -> None:
    item_id = all_rows(
        sessions,
        sa.select(WorkItem.id)
        .join(Person, Person.id == WorkItem.person_id)
        .where(Person.username == "lujianwei", WorkItem.element == "give_opinion", WorkItem.state == WorkItemState.RESERVED),
    )[0][0]
    member = browse("lujianwei")
    assert member.get(f"/work-items/{item_id}").status_code == 200
    with sessions.begin() as session:
        person = session.scalars(sa.select(Person).where(Person.username == "lujianwei")).one()
        for post in person.appointments:
            post.role = Role.FACILITY_REPORTER
    assert member.get(f"/work-items/{item_id}").status_code == 404
    assert member.post(f"/work-items/{item_id}", {"_action": "draft"}).status_code in (403, 404)
