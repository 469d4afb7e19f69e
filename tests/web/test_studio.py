"""The studio's addresses: files in and out, saves, the lock, findings, deploying with and without a second person."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine import drafts, procedures
from engine.transaction import transaction
from models import Organisation, ProcedureDraft, ProcedureVersion, Profile
from models.database import Sessions
from tests.web.conftest import Browser

KEY = "maternal_death"
MAIN = "maternal_death.bpmn"


@pytest.fixture
def studio(browse: Callable[..., Browser]) -> Any:
    """A process administrator with a draft begun, who speaks JSON."""
    person = browse("liucheng")
    assert person.post(f"/studio/{KEY}/draft").status_code == 302
    return Studio(person)


class Studio:
    def __init__(self, person: Browser) -> None:
        self.person, self.token = person, person.token("/account")

    def send(self, path: str, body: Any, method: str = "POST") -> Any:
        answer = self.person.client.open(
            f"/studio/{KEY}/{path}", method=method, json=body, headers={"X-CSRFToken": self.token, "Accept": "application/json"}
        )
        return answer.status_code, answer.get_json()

    def read(self, path: str) -> Any:
        return self.person.client.get(f"/studio/{KEY}/{path}").get_json()


def test_without_a_draft_the_version_in_use_is_read(browse: Callable[..., Browser]) -> None:
    person = browse("liucheng")
    assert person.get("/studio").status_code == 200
    page = person.get(f"/studio/{KEY}")
    assert page.status_code == 200
    assert "'unsafe-inline'" in page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in person.get("/studio").headers["Content-Security-Policy"]
    assert person.client.get(f"/studio/{KEY}/files").get_json()["revision"] == 0
    assert person.get("/studio/no_such").status_code == 404


@pytest.mark.parametrize("with_draft", [False, True])
def test_every_link_of_the_editor_leads_somewhere(browse: Callable[..., Browser], with_draft: bool) -> None:
    person = browse("liucheng")
    if with_draft:
        person.post(f"/studio/{KEY}/draft")
    links = set(re.findall(r'href="(/studio[^"#]*)', person.get(f"/studio/{KEY}").text))
    assert {f"/studio/{KEY}/outline/{MAIN}", "/studio/help"} <= links
    assert (f"/studio/{KEY}/trials" in links) is with_draft
    assert {link: status for link in sorted(links) if (status := person.get(link).status_code) not in (200, 302)} == {}


def test_files_are_listed_read_saved_and_undone(studio: Studio) -> None:
    listed = studio.read("files")
    by_path = {entry["path"]: entry for entry in listed["files"]}
    assert (by_path[MAIN]["name"], by_path[MAIN]["kind"], by_path[MAIN]["changed"]) == ("孕产妇死亡评审", "diagram", False)
    assert by_path["forms/chase.json"]["name"] == "催报"
    assert by_path["procedure.toml"]["name"] == "流程说明"
    text = studio.read(f"files/{MAIN}")["text"]
    changed = text.replace('name="接到通知"', 'name="接到电话"')
    status, answer = studio.send("files", {"revision": listed["revision"], "files": {MAIN: changed}, "what": "改名"})
    assert (status, answer["revision"], answer["undo"], answer["redo"]) == (200, 2, 1, 0)
    assert [finding for finding in answer["findings"] if finding["level"] == "error"] == []
    assert next(entry for entry in studio.read("files")["files"] if entry["path"] == MAIN)["changed"]
    assert studio.send("files", {"revision": 1, "files": {MAIN: "<lost/>"}})[0] == 409
    assert studio.read(f"files/{MAIN}")["text"] == changed
    status, answer = studio.send("undo", {"revision": 2})
    assert (status, answer["paths"], answer["redo"]) == (200, [MAIN], 1)
    assert studio.read(f"files/{MAIN}")["text"] == text
    status, answer = studio.send("redo", {"revision": answer["revision"]})
    assert studio.read(f"files/{MAIN}")["text"] == changed


def test_findings_name_their_element_and_nothing_is_kept(studio: Studio) -> None:
    text = studio.read(f"files/{MAIN}")["text"]
    broken = text.replace('form="facility_discussion"', 'form="no_such"')
    assert broken != text
    status, answer = studio.send("check", {"files": {MAIN: broken}})
    found = [finding for finding in answer["findings"] if finding["code"] == "unknown_form"]
    assert (status, found[0]["element"], found[0]["file"], "no_such" in found[0]["text"]) == (200, "hold_discussion", MAIN, True)
    assert studio.read(f"files/{MAIN}")["text"] == text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("files", []),
        ("files", {"revision": "1", "files": {}}),
        ("files", {"revision": True, "files": {}}),
        ("files", {"revision": 1, "files": {MAIN: 5}}),
        ("files", {"revision": 1, "files": {"../../x": "y"}}),
        ("files", {"revision": 1, "files": {MAIN: "\ud800"}}),
        ("check", {"files": [1]}),
        ("check", {"files": {"x.exe": "y"}}),
        ("undo", {}),
        ("lock", "x"),
    ],
)
def test_what_no_page_sends_is_refused_and_changes_nothing(studio: Studio, sessions: Sessions, path: str, body: Any) -> None:
    status, answer = studio.send(path, body)
    assert (status, bool(answer["problem"])) == (422, True)
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(sa.select(ProcedureDraft.revision)) == 1


def test_the_draft_is_one_persons_until_it_is_taken_over(studio: Studio, sessions: Sessions) -> None:
    with transaction(sessions) as session:
        draft = drafts.get(session, KEY)
        draft.locked_by_id = session.scalar(sa.text("SELECT id FROM people WHERE username = 'tangyining'").columns(id=sa.Uuid()))
    status, answer = studio.send("files", {"revision": 1, "files": {MAIN: "<a/>"}})
    assert (status, answer["lock"]["mine"], answer["lock"]["name"]) == (409, False, "汤以宁")
    assert studio.send("lock", {"take": False})[1]["mine"] is False
    assert studio.send("lock", {"take": True})[1]["mine"] is True
    assert studio.send("files", {"revision": 1, "files": {MAIN: "<a/>"}})[0] == 200
    assert studio.send("lock", None, "DELETE")[1]["mine"] is False


def test_names_that_expressions_may_use_are_told(studio: Studio) -> None:
    found = studio.read("names")
    assert {entry["name"] for entry in found["variables"]} >= {"verdict", "need_card", "hop"}
    assert {entry["key"] for entry in found["limits"]} >= {"case_report"}
    report = next(entry for entry in found["limits"] if entry["key"] == "case_report")
    assert {(value["value"], value["unit"]) for value in report["values"]} == {(2, "d")}
    assert {entry["value"] for entry in found["roles"]} >= {"qc_officer"}
    chase = next(entry for entry in found["forms"] if entry["key"] == "chase")
    assert {entry["key"] for entry in chase["fields"]} >= {"called_dt", "obstacle"}
    card = next(entry for entry in found["forms"] if entry["key"] == "report_card")
    assert "name" not in {entry["key"] for entry in card["fields"]}  # what identifies cannot leave a form
    assert "due(limit, from)" in {entry["signature"] for entry in found["functions"]}


def test_a_whole_procedure_goes_out_and_in(studio: Studio, sessions: Sessions) -> None:
    packed = studio.person.get(f"/studio/{KEY}/export.zip")
    assert packed.headers["Content-Disposition"] == f'attachment; filename="{KEY}.zip"'
    assert drafts.unpack(packed.data) == procedures.shipped_files(KEY)
    single = studio.person.get(f"/studio/{KEY}/export/forms/chase.json")
    assert json.loads(single.data)["id"] == "chase"
    upload = {"files": [(io.BytesIO(b"<x/>"), "Von Anderswo (1).BPMN"), (io.BytesIO(single.data), "chase.json")], "csrf_token": studio.token}
    answer = studio.person.client.post(f"/studio/{KEY}/import", data=upload)
    assert (answer.status_code, "shared/von_anderswo_1.bpmn" in answer.location) == (302, True)
    with transaction(sessions, read_only=True) as session:
        assert drafts.files(session, drafts.get(session, KEY))["shared/von_anderswo_1.bpmn"] == b"<x/>"
    wrong = studio.person.client.post(f"/studio/{KEY}/import", data={"files": [(io.BytesIO(b"x"), "a.exe")], "csrf_token": studio.token})
    assert (wrong.status_code, "a.exe" in wrong.text) == (422, True)


def test_what_is_not_fit_is_not_deployed_and_says_where(studio: Studio, sessions: Sessions) -> None:
    text = studio.read(f"files/{MAIN}")["text"]
    studio.send("files", {"revision": 1, "files": {MAIN: text.replace('form="facility_discussion"', 'form="no_such"')}})
    page = studio.person.get(f"/studio/{KEY}/deploy")
    assert "no_such" in page.text
    assert "element=hold_discussion" in page.text
    answer = studio.person.post(f"/studio/{KEY}/deploy", {"comment": "试", "activate": "now"})
    assert (answer.status_code, "试" in answer.text) == (422, True)
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ProcedureVersion)) == 1


def deployed(studio: Studio, **fields: str) -> Any:
    text = studio.read(f"files/{MAIN}")["text"]
    studio.send("files", {"revision": 1, "files": {MAIN: text.replace('name="接到通知"', 'name="接到电话"')}})
    return studio.person.post(f"/studio/{KEY}/deploy", {"comment": "改名，依据会议", "activate": "now"} | fields)


def test_a_draft_becomes_the_version_in_use_and_can_be_gone_back_from(studio: Studio, sessions: Sessions, now: Any) -> None:
    answer = deployed(studio)
    assert (answer.status_code, answer.location) == (302, f"/procedures/{KEY}/versions/2")
    page = studio.person.get(answer.location)
    assert "正在用" in page.text
    assert "改名，依据会议" in page.text
    with transaction(sessions, read_only=True) as session:
        assert drafts.find(session, KEY) is None
    now.shift(60)
    assert studio.person.post(f"/procedures/{KEY}/versions/1/activate").status_code == 302
    assert "正在用" in studio.person.get(f"/procedures/{KEY}/versions/1").text
    later = studio.person.post(f"/procedures/{KEY}/versions/2/activate", {"at": "2026-12-01T08:00"})
    assert later.status_code == 302
    assert "取消定时启用" in studio.person.get(f"/procedures/{KEY}/versions/2").text
    assert studio.person.post(f"/procedures/{KEY}/versions/2/withdraw").status_code == 302
    past = studio.person.post(f"/procedures/{KEY}/versions/2/activate", {"at": "2020-12-01T08:00"})
    assert past.status_code == 302
    assert "要晚于现在" in studio.person.get(f"/procedures/{KEY}/versions/2").text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"comment": ""}, "请写明改了什么"),
        ({"activate": "later"}, "请填从何时起"),
        ({"activate": "later", "activate_at": "2020-01-01T08:00"}, "要晚于现在"),
    ],
)
def test_a_deployment_says_what_is_missing(studio: Studio, fields: dict[str, str], told: str) -> None:
    answer = deployed(studio, **fields)
    assert (answer.status_code, told in answer.text) == (422, True)


def test_where_the_profile_asks_a_second_person_approves(studio: Studio, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    with transaction(sessions) as session:
        session.execute(sa.update(Organisation).values(profile_id=session.scalar(sa.select(Profile.id).where(Profile.key == "rencheng"))))
    address = deployed(studio).location
    own = studio.person.get(address)
    assert "等另一个人批准" in own.text
    assert studio.person.post(f"{address}/activate").status_code == 409
    assert studio.person.post(f"{address}/verdict", {"verdict": "approve"}).status_code == 403
    head = browse("gaohuairen")
    listed = head.get(address)
    assert "批准" in listed.text
    assert head.post(f"{address}/verdict", {"verdict": "approve"}).status_code == 302
    assert "正在用" in studio.person.get(address).text


def test_a_procedure_begins_and_is_thrown_away(browse: Callable[..., Browser]) -> None:
    person = browse("liucheng")
    wrong = person.post("/studio", {"key": "Not A Key", "name": "", "name_en": "", "kind": "maternal_near_miss"})
    assert (wrong.status_code, "小写字母" in wrong.text) == (422, True)
    fields = {"key": "near_miss", "name": "危重评审", "name_en": "Near miss", "kind": "maternal_near_miss"}
    assert person.post("/studio", fields).status_code == 302
    assert person.get("/studio/near_miss").status_code == 200
    assert "已经有这个标识" in person.post("/studio", fields).text
    assert person.post("/studio/near_miss/draft/discard").status_code == 302
    assert person.get("/studio/near_miss").status_code == 404


@pytest.mark.parametrize(
    ("kind", "path", "told"),
    [("form", "forms/our_own.json", "audience"), ("table", "decisions/our_own.dmn", "FIRST"), ("diagram", "shared/our_own.bpmn", "process")],
)
def test_a_new_file_is_fit_from_the_beginning_listed_and_taken_away(studio: Studio, kind: str, path: str, told: str) -> None:
    fields = {"kind": kind, "key": "our_own", "name": '院内<讨论>"', "name_en": "In-house & more"}
    manifest = studio.read("files/procedure.toml")["text"]
    answer = studio.person.post(f"/studio/{KEY}/new", fields)
    assert (answer.status_code, answer.location) == (302, f"/studio/{KEY}/outline/{path}")
    assert studio.person.get(answer.location).status_code == 200
    assert told in studio.read(f"files/{path}")["text"]
    assert studio.read("files/procedure.toml")["text"].count('"our_own"') == 1
    findings = studio.send("check", {"files": {}})[1]["findings"]
    assert [finding for finding in findings if finding["level"] == "error"] == []
    assert "已经有这个标识的文件" in studio.person.post(f"/studio/{KEY}/new", fields).text
    assert studio.send("remove", {"revision": 2, "path": path}) == (200, {"revision": 3})
    assert studio.person.client.get(f"/studio/{KEY}/files/{path}").status_code == 404
    assert studio.read("files/procedure.toml")["text"] == manifest


def test_the_editor_is_told_what_a_new_file_lacks_and_who_was_quicker(studio: Studio) -> None:
    def asked(**fields: Any) -> Any:
        headers = {"X-CSRFToken": studio.token, "Accept": "application/json"}
        answer = studio.person.client.post(f"/studio/{KEY}/new", data={"kind": "diagram", "name": "试", "name_en": "Try"} | fields, headers=headers)
        return answer.status_code, answer.get_json()

    assert asked(key="9")[0] == 422
    assert asked(key="opinion") == (422, {"problem": "已经有这个标识的文件。"})
    assert asked(key=KEY) == (422, {"problem": "已经有这个标识的文件。"})  # the process of another file is called so
    assert asked(key="our_own", revision=7)[0] == 409
    assert asked(key="our_own", revision=1) == (200, {"revision": 2, "path": "shared/our_own.bpmn"})
    assert studio.send("remove", {"revision": 1, "path": "shared/our_own.bpmn"})[0] == 409
    for path in ("procedure.toml", MAIN, "shared/no_such.bpmn", "../x", None):
        assert studio.send("remove", {"revision": 2, "path": path})[0] == 422


def test_a_diagram_goes_out_as_pdf(studio: Studio) -> None:
    answer = studio.person.get(f"/studio/{KEY}/picture/{MAIN}")
    assert (answer.status_code, answer.data[:5]) == (200, b"%PDF-")
    assert studio.person.get(f"/studio/{KEY}/picture/forms/chase.json").status_code == 404


def test_a_diagram_from_elsewhere_is_told_what_does_not_run_and_turned_where_it_was_chosen(studio: Studio) -> None:
    content = (Path(__file__).parents[1] / "engine" / "workflow" / "foreign" / "camunda_7.bpmn").read_bytes()
    upload = {"files": [(io.BytesIO(content), "camunda_7.bpmn")], "csrf_token": studio.token}
    answer = studio.person.client.post(f"/studio/{KEY}/import", data=upload)
    address = f"/studio/{KEY}/turn/shared/camunda_7.bpmn"
    assert (answer.status_code, answer.location) == (302, address)
    page = studio.person.get(address).text
    keys = re.findall(r'name="chosen" value="([^"]+)"', page)
    assert keys
    assert studio.person.post(address, [("chosen", keys[0])]).status_code == 302
    turned = studio.read("files/shared/camunda_7.bpmn")["text"]
    assert turned != content.decode()
    left = re.findall(r'name="chosen" value="([^"]+)"', studio.person.get(address).text)
    assert keys[0] not in left
    assert studio.person.post(address, [("chosen", "no such offer")]).status_code == 302
    assert studio.read("files/shared/camunda_7.bpmn")["text"] == turned
    assert studio.person.get(f"/studio/{KEY}/turn/forms/chase.json").status_code == 404


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "iso-8859-15"])
def test_a_diagram_finds_its_place_by_each_ending_that_tools_give_it_in_the_letters_of_the_editors(studio: Studio, encoding: str) -> None:
    text = (Path(__file__).parents[1] / "engine" / "workflow" / "foreign" / "bonita.bpmn").read_text().replace("Look at it", "Prüfen für 5 €")
    content = text.replace('encoding="UTF-8"', f'encoding="{encoding.upper()}"').encode(encoding)
    for name in ("Office.bpmn2", "Office.bpmn20.xml"):
        answer = studio.person.client.post(
            f"/studio/{KEY}/import", data={"files": [(io.BytesIO(content), name)], "csrf_token": studio.token}, headers={"Accept": "application/json"}
        )
        assert answer.status_code == 200
    assert answer.get_json()["paths"] == ["shared/office_bpmn20.bpmn"]
    assert studio.read("files/shared/office.bpmn")["text"] == text == studio.read("files/shared/office_bpmn20.bpmn")["text"]
