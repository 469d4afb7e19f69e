"""The outline of a draft: read by everybody who may, changed by plain forms, errors at their fields, undone in one press."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lxml import html

from engine import drafts, form_edits, forms, table_edits
from engine.transaction import transaction
from engine.workflow import outlining
from models.database import Sessions
from tests.web.conftest import fields_of

PATH = "maternal_death.bpmn"
OUTLINE = f"/studio/maternal_death/outline/{PATH}"
REPORT = "/studio/maternal_death/{}/shared/report.bpmn"


@pytest.fixture
def writer(browse: Any) -> Any:
    """The process administrator with a draft begun from the outline."""
    person = browse("liucheng")
    assert person.post("/studio/maternal_death/outline", {"number": 1}).location.endswith("/studio/maternal_death/outline")
    return person


def files(sessions: Sessions) -> dict[str, bytes]:
    with sessions() as session:
        draft = drafts.find(session, "maternal_death")
        assert draft is not None
        return drafts.files(session, draft)


def revision(sessions: Sessions) -> int:
    with sessions() as session:
        draft = drafts.find(session, "maternal_death")
        assert draft is not None
        return draft.revision


def form_of(page: str, act: str = "") -> dict[str, list[str]]:
    """Return what a browser would send for the main form of a page."""
    document = html.fromstring(page)
    form = document.xpath("//form[contains(@class, 'ol-form')]")[0]
    form.set("id", "the-form")
    sent: dict[str, list[str]] = {}
    for name, value in fields_of(html.tostring(document, encoding="unicode"), "the-form"):
        sent.setdefault(name, []).append(value)
    return sent


def sent(page: str, **changed: str) -> list[tuple[str, str]]:
    """Return the form of a page with some fields filled in."""
    pairs = {**{name: values[-1] for name, values in form_of(page).items()}, **{name.replace("__", "-"): value for name, value in changed.items()}}
    return list(pairs.items())


def follow(person: Any, answer: Any) -> str:
    """Return the page to which an answer sends."""
    assert answer.status_code == 302, answer.text[:2000]
    return str(person.get(answer.location.split("#")[0]).text)


def test_a_version_is_read_as_an_outline_with_every_step_once(browse: Any) -> None:
    page = browse("tangyining").get("/procedures/maternal_death/versions/1/outline")
    assert page.status_code == 200
    document = html.fromstring(page.text)
    ids = [node.get("id") for node in document.xpath("//*[@data-step]")]
    assert len(ids) == len(set(ids))
    assert "s-hold_discussion" in ids
    assert not document.xpath("//main//form[@action[contains(., 'studio/maternal_death/outline/')]]"), "nothing to change in a version"
    links = document.xpath("//a[starts-with(@href, '#s-')]/@href")
    assert links
    assert {link[1:] for link in links} <= set(ids), "every link leads to a step"
    other = browse("tangyining").get("/procedures/maternal_death/versions/1/outline?file=shared/report.bpmn").text
    assert "回到第" in other


def test_without_a_draft_the_outline_is_that_of_the_version_in_use(browse: Any) -> None:
    person = browse("liucheng")
    assert person.get("/studio/maternal_death/outline").location.endswith("/procedures/maternal_death/versions/1/outline")
    of_a_part = person.get(REPORT.format("outline"))  # where the editor's own link leads when it is open for reading
    assert of_a_part.location.endswith("/procedures/maternal_death/versions/1/outline?file=shared/report.bpmn")
    assert person.get(of_a_part.location).status_code == 200
    assert person.get(person.get("/studio/maternal_death/outline/no_such.bpmn").location).status_code == 404


def test_an_administrator_adds_a_discussion_with_a_form_a_deadline_and_an_escalation(writer: Any, sessions: Sessions) -> None:
    page = writer.get(f"/studio/maternal_death/add/after/{PATH}?at=tell_township").text
    answer = writer.post(
        f"/studio/maternal_death/add/after/{PATH}",
        sent(
            page,
            name="多学科讨论",
            name_en="Joint discussion",
            lane="facility_reporter",
            form="facility_discussion",
            organisation="facility",
            limit="facility_discussion",
            **{"from": "case.event_at"},
            documentation="72 小时内。来源：四川规定。",
        ),
    )
    assert answer.location.endswith("#s-joint_discussion")
    assert "加了“多学科讨论”。现在是第" in follow(writer, answer)
    page = writer.get(f"/studio/maternal_death/add/deadline/{PATH}?at=joint_discussion").text
    assert form_of(page)["limit"] == ["facility_discussion"]
    answer = writer.post(
        f"/studio/maternal_death/add/deadline/{PATH}",
        sent(page, name="催办讨论", name_en="Chase it", lane="qc_officer", form="chase", documentation="来源：四川规定。"),
    )
    page = follow(writer, answer)
    assert "检查过了，没有问题。" in page
    outline = outlining.read(files(sessions)[PATH])
    step = outline.find("joint_discussion")
    assert step is not None
    assert {key: step.values[key] for key in ("form", "organisation", "limit", "from")} == {
        "form": "facility_discussion",
        "organisation": "facility",
        "limit": "facility_discussion",
        "from": "case.event_at",
    }
    assert step.role == "facility_reporter"
    assert [event.values["timer"] for event in step.events] == ['due("facility_discussion", case.event_at)']
    assert [inner.id for inner in step.events[0].ways[0].steps] == ["chase_it", "chase_it_done"]


def test_hours_and_a_message_will_do_for_an_escalation(writer: Any, sessions: Sessions) -> None:
    page = writer.get(REPORT.format("add/deadline") + "?at=verify_report").text
    filled = {"name": "告知负责人", "hours": "48", "does": "serviceTask", "whom": "owner.mch_head", "start": "now()"}
    wrong = writer.post(REPORT.format("add/deadline"), sent(page, **{**filled, "hours": "两天"}))
    assert wrong.status_code == 422
    assert "请填 1 到 8784 的整数。" in wrong.text
    assert writer.post(REPORT.format("add/deadline"), sent(page, **filled)).status_code == 302
    step = outlining.read(files(sessions)["shared/report.bpmn"]).find("verify_report")
    assert step is not None
    event = step.events[0]
    assert event.values["timer"] == '(now()) + duration("PT48H")'
    assert event.ways[0].steps[0].values["arguments"][0] == ("whom", '"owner.mch_head"')


def test_what_is_wrong_is_told_at_its_field_and_nothing_is_lost(writer: Any, sessions: Sessions) -> None:
    page = writer.get(f"/studio/maternal_death/add/after/{PATH}?at=tell_township").text
    answer = writer.post(f"/studio/maternal_death/add/after/{PATH}", sent(page, name="讨论"))
    assert answer.status_code == 422
    document = html.fromstring(answer.text)
    assert document.xpath("//*[@id='f-form']/@aria-invalid") == ["true"]
    assert document.xpath("//*[@role='alert']//a/@href") == ["#f-form"]
    assert form_of(answer.text)["name"] == ["讨论"]
    page = writer.get(REPORT.format("steps/verify_report")).text
    before = revision(sessions)
    answer = writer.post(REPORT.format("steps/verify_report"), sent(page, **{"from": "case.event_at +", "name": "核实"}))
    assert answer.status_code == 422
    assert "#f-from" in html.fromstring(answer.text).xpath("//*[@role='alert']//a/@href")
    assert revision(sessions) == before
    kept = writer.post(REPORT.format("steps/verify_report"), [*sent(answer.text), ("anyway", "y")])
    assert "verify_report" in kept.location
    assert outlining.read(files(sessions)["shared/report.bpmn"]).find("verify_report").values["from"] == "case.event_at +"  # type: ignore[union-attr]


def test_a_page_that_is_sent_back_as_it_came_changes_no_byte(writer: Any, sessions: Sessions) -> None:
    before = files(sessions)["shared/report.bpmn"]
    for element in ("verify_report", "what_verdict", "report_overdue", "ask_for_both", "transfer", "verified", "report_due"):
        page = writer.get(REPORT.format(f"steps/{element}")).text
        assert writer.post(REPORT.format(f"steps/{element}"), sent(page)).status_code == 302, element
        assert files(sessions)["shared/report.bpmn"] == before, element


def test_branches_get_names_conditions_and_another_way(writer: Any, sessions: Sessions) -> None:
    page = writer.get(REPORT.format("steps/what_verdict")).text
    flow = "flow_what_verdict_transfer"
    answer = writer.post(
        REPORT.format("steps/what_verdict"),
        [*sent(page, **{f"name-{flow}": "转走", f"condition-{flow}": 'verdict = "transfer" or verdict = "x"', f"target-{flow}": "verify_report"})],
    )
    assert answer.status_code == 302, answer.text[:3000]
    ways = {way.flow: way for way in outlining.read(files(sessions)["shared/report.bpmn"]).find("what_verdict").ways}  # type: ignore[union-attr]
    assert (ways[flow].name, ways[flow].target, ways[flow].leads) == ("转走", "verify_report", "back")


def test_decisions_parallel_steps_branches_and_lanes_are_added(writer: Any, sessions: Sessions) -> None:
    page = writer.get(REPORT.format("add/decision") + "?at=verify_report").text
    chosen = {
        "name": "要讨论？",
        "name__0": "要",
        "condition__0": "onsite",
        "leads__0": "step",
        "step_name__0": "讨论",
        "step_form__0": "chase",
        "name__1": "不要",
    }
    assert writer.post(REPORT.format("add/decision"), sent(page, **chosen)).status_code == 302
    outline = outlining.read(files(sessions)["shared/report.bpmn"])
    decision = next(step for step in outline.steps() if step.name == "要讨论？")
    page = writer.get(REPORT.format("add/branch") + f"?at={decision.id}").text
    more = {"name__0": "再说", "condition__0": "onsite = false", "leads__0": "end"}
    assert writer.post(REPORT.format("add/branch"), sent(page, **more)).status_code == 302
    page = writer.get(REPORT.format("add/parallel") + "?at=verify_report").text
    both = {"name__0": "甲", "form__0": "chase", "name__1": "乙", "form__1": "chase"}
    assert writer.post(REPORT.format("add/parallel"), sent(page, **both)).status_code == 302
    page = writer.get(REPORT.format("add/lane")).text
    assert writer.post(REPORT.format("add/lane"), sent(page, role="investigator")).status_code == 302
    outline = outlining.read(files(sessions)["shared/report.bpmn"])
    assert len(outline.find(decision.id).ways) == 3  # type: ignore[union-attr]
    assert {"甲", "乙", "讨论"} <= {step.name for step in outline.steps()}
    assert ("investigator", "调查员") in [(lane.id, lane.name) for lane in outline.parts[0].lanes]


def test_steps_move_go_and_come_back(writer: Any, sessions: Sessions) -> None:
    path = "shared/upper_level.bpmn"
    url, start = f"/studio/maternal_death/outline/{path}", files(sessions)[path]
    order = [step.id for step in outlining.read(start).steps()]

    def act(what: str, **more: str) -> None:
        answer = writer.post(url, {"act": what, "revision": revision(sessions), **more})
        assert answer.status_code == 302, answer.text[:2000]

    act("up:give_feedback")
    assert [step.id for step in outlining.read(files(sessions)[path]).steps()][1:3] == ["give_feedback", "report_upper"]
    act("remove:report_upper")
    assert "report_upper" not in [step.id for step in outlining.read(files(sessions)[path]).steps()]
    act("undo")
    act("undo")
    assert files(sessions)[path] == start
    act("redo")
    act("down:give_feedback")
    assert [step.id for step in outlining.read(files(sessions)[path]).steps()] == order
    act("kind:give_feedback", kind="serviceTask")
    assert outlining.read(files(sessions)[path]).find("give_feedback").kind == "serviceTask"  # type: ignore[union-attr]


def test_a_page_of_yesterday_and_a_draft_in_other_hands_change_nothing(writer: Any, sessions: Sessions, browse: Any) -> None:
    page = writer.get(REPORT.format("steps/verify_report")).text
    assert writer.post(OUTLINE, {"act": "remove:tell_township", "revision": revision(sessions)}).status_code == 302
    answer = writer.post(REPORT.format("steps/verify_report"), sent(page, name="核对"))
    assert answer.status_code == 409
    assert form_of(answer.text)["name"] == ["核对"], "what was typed is still there"
    assert writer.post(REPORT.format("steps/verify_report"), sent(answer.text)).status_code == 302
    assert writer.post(OUTLINE, {"act": "remove:case_notified", "revision": revision(sessions)}).status_code == 422
    assert writer.post(OUTLINE, {"act": "nonsense", "revision": revision(sessions)}).status_code == 422


def test_a_file_that_is_no_diagram_says_so(writer: Any, sessions: Sessions, browse: Any) -> None:
    with transaction(sessions) as session:
        draft = drafts.get(session, "maternal_death")
        from sqlalchemy import update

        from models import ProcedureDraftFile

        session.execute(
            update(ProcedureDraftFile).where(ProcedureDraftFile.draft_id == draft.id, ProcedureDraftFile.path == PATH).values(content=b"<broken")
        )
    page = writer.get(OUTLINE)
    assert page.status_code == 200
    assert "清单列不出来" in page.text
    assert writer.get(f"/studio/maternal_death/steps/x/{PATH}").status_code == 404


def test_words_of_a_hostile_diagram_stay_words(writer: Any, sessions: Sessions) -> None:
    page = writer.get(REPORT.format("steps/verify_report")).text
    name = '<script>alert(1)</script>"&'
    assert writer.post(REPORT.format("steps/verify_report"), sent(page, name=name)).status_code == 302
    shown = writer.get("/studio/maternal_death/outline/shared/report.bpmn").text
    assert "<script>alert" not in shown
    assert re.search(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", shown)


# ── tables and forms ──

TABLE = "/studio/maternal_death/outline/decisions/scope.dmn"
FORM = "/studio/maternal_death/outline/forms/facility_discussion.json"


def test_a_decision_table_is_changed_cell_by_cell(writer: Any, sessions: Sessions) -> None:
    def fields(page: str) -> dict[str, str]:
        document = html.fromstring(page)
        form = document.xpath("//form[.//table]")[0]
        form.set("id", "the-table")
        return dict(fields_of(html.tostring(document, encoding="unicode"), "the-table"))

    start = files(sessions)["decisions/scope.dmn"]
    before = table_edits.read(start)[0]
    shown = fields(writer.get(TABLE).text)
    assert writer.post(TABLE, {**shown, "act": "save"}).status_code == 302
    assert files(sessions)["decisions/scope.dmn"] == start, "sent back as it came, no byte changes"
    answer = writer.post(TABLE, {**shown, "c-0-2-2": "[0..43]", "n-0-2": "四十三天", "act": "add:2"})
    assert answer.location.endswith("#r-0-3")
    after = table_edits.read(files(sessions)["decisions/scope.dmn"])[0]
    assert (after.rows[2].inputs[2], after.rows[2].note, len(after.rows)) == ("[0..43]", "四十三天", len(before.rows) + 1)
    shown = fields(writer.get(TABLE).text)
    assert writer.post(TABLE, {**shown, "act": "up:3"}).status_code == 302
    shown = fields(writer.get(TABLE).text)
    assert writer.post(TABLE, {**shown, "act": "remove:2"}).status_code == 302
    assert [row.inputs for row in table_edits.read(files(sessions)["decisions/scope.dmn"])[0].rows[3:]] == [row.inputs for row in before.rows[3:]]
    shown = fields(writer.get(TABLE).text)
    refused = writer.post(TABLE, {**shown, "c-0-0-3": " ", "act": "save"})
    assert refused.status_code == 422
    assert "结果不能空着。" in refused.text


def test_fields_of_a_form_are_added_changed_moved_and_removed(writer: Any, sessions: Sessions) -> None:
    def keys() -> list[str]:
        return [str(entry.component.get("key")) for entry in form_edits.entries(files(sessions)["forms/facility_discussion.json"])]

    start = keys()
    add = "/studio/maternal_death/fields/+/forms/facility_discussion.json"
    page = writer.get(add + "?at=Field_place").text
    wrong = writer.post(add, sent(page, kind="textarea", label="还有什么", key="Not A Key"))
    assert wrong.status_code == 422
    assert "#f-key" in html.fromstring(wrong.text).xpath("//*[@role='alert']//a/@href")
    answer = writer.post(add, sent(page, kind="textarea", label="还有什么", en="Anything else", key="anything_else"))
    assert answer.location.endswith("#s-Field_anything_else")
    assert keys()[keys().index("place") + 1] == "anything_else"
    edit = "/studio/maternal_death/fields/Field_anything_else/forms/facility_discussion.json"
    answer = writer.post(edit, sent(writer.get(edit).text, required="y", max_length="300", identity="N", hide="place = null"))
    assert answer.status_code == 302, answer.text[:2000]
    form = forms.parse(files(sessions)["forms/facility_discussion.json"])
    field = next(entry for entry in form.inputs() if entry.key == "anything_else")
    assert (field.required, field.max_length, field.identity, field.hide, field.label_en) == (True, 300, "N", "place = null", "Anything else")
    for act in ("up:Field_anything_else", "down:Field_anything_else", "remove:Field_anything_else"):
        assert writer.post(FORM, {"act": act, "revision": revision(sessions)}).status_code == 302, act
    assert keys() == start
    assert writer.post(FORM, {"act": "head", "revision": revision(sessions), "title": "", "title_en": "x"}).status_code == 422
    named = {"title": "讨论记录", "title_en": "Record", "audience": "case", "source": "x"}
    assert writer.post(FORM, {"act": "head", "revision": revision(sessions), **named}).status_code == 302
    assert forms.parse(files(sessions)["forms/facility_discussion.json"]).title == "讨论记录"


@pytest.mark.parametrize("path", ["forms/facility_discussion.json", "decisions/scope.dmn"])
def test_a_broken_form_or_table_is_told_and_nothing_falls(path: str, writer: Any, sessions: Sessions) -> None:
    with transaction(sessions) as session:
        from sqlalchemy import update

        from models import ProcedureDraftFile

        draft = drafts.get(session, "maternal_death")
        session.execute(
            update(ProcedureDraftFile).where(ProcedureDraftFile.draft_id == draft.id, ProcedureDraftFile.path == path).values(content=b"{")
        )
    page = writer.get(f"/studio/maternal_death/outline/{path}")
    assert page.status_code == 200
    assert html.fromstring(page.text).xpath("//*[@role='alert']")


def test_conditions_are_told_in_the_words_of_the_form_in_both_languages(browse: Any) -> None:
    person = browse("liucheng")
    page = person.get("/procedures/maternal_death/versions/1/outline?file=shared/report.bpmn").text
    assert re.search(r"9?c?\s*移交（如果 “[^”]+” 是 [^\"）]*[\u4e00-\u9fff]", page), "the question and the answer, not their codes"
    person.post("/account/language", {"language": "en", "back": "/"})
    english = person.get("/procedures/maternal_death/versions/1/outline?file=shared/report.bpmn").text
    assert re.search(r"transfer \(if “[^”]+” is [A-Za-z]", english)
    main = html.fromstring(english).xpath("//main")[0].text_content()
    assert "Back to step" in main
