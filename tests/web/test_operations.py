"""Pages of operations: where cases wait, the manual, the event log, incidents in words."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest
import sqlalchemy as sa
from lxml import etree, html

from engine import incidents
from engine.errors import StepFailed
from engine.feel import FeelError
from engine.transaction import transaction
from models import Case, Incident, IncidentKind, JournalEntry, Organisation, Person, Subject, WorkItem
from models.database import Sessions
from tests.web.conftest import all_rows, one
from web import documents, downloads

ADMINISTRATOR, SYSTEM, HEAD = "liucheng", "xitong", "gaohuairen"


# ── where cases wait ──


def test_the_table_tells_numbers_and_no_case(sessions: Sessions, browse: Any) -> None:
    page = browse(ADMINISTRATOR).get("/bottlenecks/maternal_death?period=all")
    assert page.status_code == 200
    body = html.fromstring(page.text).get_element_by_id("table").text_content()
    assert "核实" in body
    numbers = [number for (number,) in all_rows(sessions, sa.select(Case.number)) if number]
    names = [name for (name,) in all_rows(sessions, sa.select(Subject.name)) if name]
    people = [name for (name,) in all_rows(sessions, sa.select(Person.name).where(Person.username != ADMINISTRATOR))]
    assert not [word for word in (*numbers, *names, *people) if word in page.text]


def test_the_diagram_has_colours_and_numbers(browse: Any) -> None:
    administrator = browse(ADMINISTRATOR)
    answer = administrator.get("/bottlenecks/maternal_death/diagram/maternal_death.json?period=all&measure=waiting").json
    assert answer["heat"]["investigate_case"]["level"] in range(5)
    assert answer["heat"]["investigate_case"]["text"].isdigit()
    late = administrator.get("/bottlenecks/maternal_death/diagram/report.json?period=all&measure=late").json
    assert all(entry["text"].endswith("%") for entry in late["heat"].values())
    assert administrator.get("/bottlenecks/maternal_death/diagram/none.json").status_code == 404
    assert administrator.get("/bottlenecks/none").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        "measure=x&period=y&sort=z",
        "since=2026-99-99&until=x&period=own",
        "version=abc&role=nobody&organisation=1",
        "profile=none",
        "until=9999-12-31&period=own",
    ],
)
def test_whatever_the_address_says_there_is_a_page(browse: Any, asked: str) -> None:
    assert browse(ADMINISTRATOR).get(f"/bottlenecks/maternal_death?{asked}").status_code == 200


def test_the_table_is_sorted_and_downloaded(sessions: Sessions, browse: Any) -> None:
    administrator = browse(ADMINISTRATOR)
    answer = administrator.get("/bottlenecks/maternal_death/table.csv?period=all&sort=passed")
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True).lstrip("\ufeff"))))
    passed = [int(row[5]) for row in rows[1:]]
    assert passed == sorted(passed, reverse=True)
    up = list(
        csv.reader(io.StringIO(administrator.get("/bottlenecks/maternal_death/table.csv?period=all&sort=passed&order=up").get_data(as_text=True)))
    )
    assert [int(row[5]) for row in up[1:]] == sorted(passed)


def test_a_name_is_no_formula() -> None:
    page = downloads.table([["=1+1", "-x", "@a", "核实"]], "x.csv")
    assert page.get_data(as_text=True) == "\ufeff'=1+1,'-x,'@a,核实\r\n"


# ── the manual ──


def test_the_manual_is_a_pdf_and_a_word_file(browse: Any) -> None:
    officer = browse("tangyining")
    answer = officer.get("/procedures/maternal_death/versions/1/manual.pdf")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.data.startswith(b"%PDF-")
    word = officer.get("/procedures/maternal_death/versions/1/manual.docx")
    assert word.status_code == 200
    with zipfile.ZipFile(io.BytesIO(word.data)) as file:
        text = "".join(str(part) for part in etree.fromstring(file.read("word/document.xml")).itertext())
        assert len([name for name in file.namelist() if name.startswith("word/media/")]) >= 12
    for word_told in ("院内死亡讨论", "72 小时", "四川省孕产妇死亡评审规定", "核实", "第 1 版"):
        assert word_told in text
    assert officer.get("/procedures/maternal_death/versions/9/manual.pdf").status_code == 404


def test_hostile_names_do_not_become_markup() -> None:
    name = '#import "@preview/x:0.1.0" *b* $x$ #panic("no") \\ ] ['
    data = {
        "title": name, "is_english": False, "meta": [(name, name)], "version": name, "footer": name, "note": name,
        "labels": dict.fromkeys(
            ("manual", "contents", "how_to_read", "states", "steps", "clocks", "clock", "rule", "escalation", "tables", "hit", "forms", "field",
             "kind", "required", "identity", "options", "rules", "glossary"), name),
        "legend": [(name, name)], "glossary": [(name, name)], "states": [name], "areas": [name],
        "parts": [{"number": "1", "name": name, "strips": [], "lanes": [name],
                   "steps": [{"number": name, "id": name, "kind": name, "name": name, "text": name, "rows": [(name, [name])]}]}],
        "forms": [{"number": "F1", "key": name, "title": name, "source": name, "audience": name, "rules": [{"text": name, "level": name}],
                   "fields": [{"depth": 1, "label": name, "kind": name, "is_group": False, "required": name, "identity": name, "options": name, "hint": name}]}],
        "tables": [{"name": name, "hit": name, "inputs": [name], "outputs": [name], "rows": [[name, name]]}],
        "clocks": [{"name": name, "values": [name], "rule": name, "source": name, "escalation": [name]}],
    }  # fmt: skip
    assert documents.pdf("manual", data).startswith(b"%PDF-")
    from web import word_documents

    with zipfile.ZipFile(io.BytesIO(word_documents.manual(data))) as file:
        assert name in "".join(str(part) for part in etree.fromstring(file.read("word/document.xml")).itertext())


# ── the event log ──


def test_the_event_log_is_sent_and_journalled(sessions: Sessions, browse: Any) -> None:
    answer = browse(ADMINISTRATOR).get("/procedures/maternal_death/event-log.xes")
    log = etree.fromstring(answer.data)
    traces = list(log.iter("{http://www.xes-standard.org/}trace"))
    with_work = one(sessions, sa.select(sa.func.count(sa.distinct(WorkItem.case_id))))
    assert len(traces) == with_work
    units = [name for (name,) in all_rows(sessions, sa.select(Organisation.name))]
    assert not [name for name in units if name in answer.get_data(as_text=True)]
    assert one(sessions, sa.select(sa.func.count()).where(JournalEntry.action == "procedure:export-log")) == 1


# ── incidents ──


def incident(sessions: Sessions, element: str = "visit_scene") -> str:
    error = StepFailed(element=element, reason="x")
    error.__cause__ = FeelError("a condition must be true or false", expression="x")
    with transaction(sessions) as session:
        item = session.scalars(sa.select(WorkItem).where(WorkItem.element == element)).first()
        assert item is not None
        return incidents.write(session, IncidentKind.HAND_IN, error, case_id=item.case_id, work_item_id=item.id, key="k").number


def test_an_incident_is_told_in_words_with_its_step_lit(sessions: Sessions, browse: Any) -> None:
    number = incident(sessions)
    page = browse(SYSTEM).get(f"/incidents/{number}").text
    assert "一个表达式算不出来" in page
    assert "a condition must be true or false" in page
    assert "现场" in page
    assert "/studio/" not in page
    answer = browse(SYSTEM).get(f"/incidents/{number}/diagram.json").json
    assert answer["current"] == {"visit_scene": 1}
    assert "<bpmn:definitions" in answer["xml"]


def test_who_draws_procedures_is_led_to_the_step_and_may_not_retry(sessions: Sessions, browse: Any) -> None:
    number = incident(sessions)
    drawer = browse(ADMINISTRATOR)
    page = drawer.get(f"/incidents/{number}").text
    assert "/studio/maternal_death?file=shared%2Finvestigate.bpmn&amp;element=visit_scene" in page or "element=visit_scene" in page
    assert f"/incidents/{number}/retry" not in page
    assert drawer.post(f"/incidents/{number}/retry").status_code == 403
    with transaction(sessions) as session:
        other = incidents.write(session, IncidentKind.REQUEST, ValueError()).number
    assert drawer.get(f"/incidents/{other}").status_code == 404
    assert other not in drawer.get("/incidents").text
    assert other in browse(SYSTEM).get("/incidents").text


def test_all_of_a_cause_are_tried_again(sessions: Sessions, browse: Any) -> None:
    first, second = incident(sessions), incident(sessions)
    other = incident(sessions, "verify_report")
    system = browse(SYSTEM)
    assert second in system.get(f"/incidents/{first}").text
    assert other not in system.get(f"/incidents/{first}").text
    answer = system.post(f"/incidents/{first}/retry-alike", follow_redirects=True)
    assert "重试了 2 个：0 个成功，2 个没有" in answer.text  # their drafts are gone
    assert one(sessions, sa.select(sa.func.count()).select_from(Incident).where(Incident.resolved_at.is_(None))) == 3


def test_incidents_are_narrowed(sessions: Sessions, browse: Any) -> None:
    number = incident(sessions)
    system = browse(SYSTEM)
    for asked, is_there in (
        ("procedure=maternal_death", True),
        ("procedure=none", False),
        ("version=1", True),
        ("version=2", False),
        ("kind=hand_in", True),
        ("kind=timer", False),
        ("resolved=yes", False),
    ):
        assert (number in system.get(f"/incidents?{asked}").text) is is_there, asked
    system.post(f"/incidents/{number}/dismiss")
    assert "已了结，没有重试" in system.get("/incidents?resolved=yes").text


def test_what_nobody_prints_is_refused() -> None:
    with pytest.raises(documents.TooLong):
        documents.pdf("manual", {"title": "x" * 5_000_000})
