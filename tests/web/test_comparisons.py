"""The comparing page: what differs in words, beside each other, and as a document for the file."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import docx
import pytest
import sqlalchemy as sa

from engine import drafts, procedures
from engine.actor import of_person
from engine.transaction import transaction
from models import Person, ProcedureDraftFile
from models.database import Sessions
from tests.redrawing import redrawn, replaced, step
from tests.web.conftest import Browser

FILES = procedures.shipped_files("maternal_death")
PAGE = "/procedures/maternal_death/versions/1/compare/2"


def changed() -> dict[str, bytes]:
    """A procedure with a step more, another limit, another field."""
    files = redrawn(
        FILES, "shared/review.bpmn", lambda root: step(root, "discuss", "flow_prepare_arrange_sitting", lane="secretary", name="院内讨论")
    )
    files = replaced(files, "shared/report.bpmn", ('limit="verification"', 'limit="fact_reply"'))
    return replaced(files, "forms/verification.json", ('"label": "死因链是否成立"', '"label": "<b>成立吗</b>"'))


@pytest.fixture
def two(sessions: Sessions) -> None:
    """Two versions."""
    with transaction(sessions) as session:
        procedures.deploy(session, None, changed())


def test_everybody_who_may_read_procedures_sees_what_differs_in_words(two: None, browse: Callable[..., Browser]) -> None:
    page = browse("tangyining").get(PAGE).text
    assert "新增步骤“院内讨论”。" in page
    assert "步骤“核实报告”的时限由“核实”改为“事实答复”。" in page or "的时限由" in page
    assert "&lt;b&gt;成立吗&lt;/b&gt;" in page and "<b>成立吗</b>" not in page
    assert "质控员" in page and "评审秘书" in page
    assert browse("tangyining").get("/procedures/maternal_death/versions/2/compare/1").text.count("新增步骤“院内讨论”。") == page.count(
        "新增步骤“院内讨论”。"
    )


def test_the_list_is_narrowed_to_a_kind(two: None, browse: Callable[..., Browser]) -> None:
    page = browse("tangyining").get(f"{PAGE}?kind=changed").text
    listed = page[page.index('id="list"') :]
    assert "核实报告" in listed and "新增步骤“院内讨论”" not in listed
    assert "<b>成立吗" not in browse("tangyining").get(f"{PAGE}?kind=nonsense").text


def test_what_only_lies_elsewhere_stands_below_what_is_another(sessions: Sessions, browse: Callable[..., Browser]) -> None:
    files = replaced(
        changed(), "shared/review.bpmn", ('<dc:Bounds x="182" y="262" width="36" height="36"', '<dc:Bounds x="152" y="282" width="36" height="36"')
    )
    with transaction(sessions) as session:
        procedures.deploy(session, None, files)
    page = browse("tangyining").get(PAGE).text
    listed = page[page.index('id="list"') :]
    assert 0 < listed.index("新增步骤“院内讨论”") < listed.index("事件“开始评审”只在图上换了位置。")


def test_the_same_version_differs_in_nothing(browse: Callable[..., Browser]) -> None:
    assert "没有不同。" in browse("tangyining").get("/procedures/maternal_death/versions/1/compare/1").text


def test_both_sides_of_a_diagram_come_with_their_marks(two: None, browse: Callable[..., Browser]) -> None:
    answer = browse("tangyining").get("/procedures/maternal_death/versions/1/compare/2/diagram.json?file=shared/review.bpmn").json
    assert answer["marks"]["after"]["discuss"] == "added" and "discuss" not in answer["marks"]["before"]
    assert answer["marks"]["before"]["flow_prepare_arrange_sitting"] == "changed"
    assert 'id="discuss"' in answer["after"] and 'id="discuss"' not in answer["before"]
    browser = browse("tangyining")
    for path in ("procedure.toml", "none.bpmn", "../secret.bpmn", ""):
        assert browser.get(f"/procedures/maternal_death/versions/1/compare/2/diagram.json?file={path}").status_code == 404


def test_the_summary_is_a_document(two: None, browse: Callable[..., Browser]) -> None:
    browser = browse("tangyining")
    word = browser.get(f"{PAGE}/summary.docx")
    text = "\n".join(paragraph.text for paragraph in docx.Document(BytesIO(word.data)).paragraphs)
    assert "新增步骤“院内讨论”。" in text and "对谁有什么变化" in text and "质控员" in text
    assert "attachment" in word.headers["Content-Disposition"]
    pdf = browser.get(f"{PAGE}/summary.pdf")
    assert pdf.data.startswith(b"%PDF") and pdf.mimetype == "application/pdf"
    english = browser.get(f"{PAGE}/summary.docx", headers={"Accept-Language": "en"})
    assert "Added: Step" in "\n".join(paragraph.text for paragraph in docx.Document(BytesIO(english.data)).paragraphs)
    assert browser.get(f"{PAGE}/summary.exe").status_code == 404


def test_a_draft_is_compared_with_any_version_by_who_may_edit(two: None, sessions: Sessions, browse: Callable[..., Browser]) -> None:
    with transaction(sessions) as session:
        liucheng = of_person(session, session.scalars(sa.select(Person).where(Person.username == "liucheng")).one())
        draft = drafts.begin(session, liucheng, "maternal_death", procedures.numbered(session, "maternal_death", 2))
        file = session.scalars(
            sa.select(ProcedureDraftFile).where(ProcedureDraftFile.draft_id == draft.id, ProcedureDraftFile.path == "shared/report.bpmn")
        ).one()
        file.content = b"<not a diagram"
    browser = browse("liucheng")
    own: Any = browser.get("/studio/maternal_death/compare")
    assert own.status_code == 200 and "文件“shared/report.bpmn”的内容改了。" in own.text and "院内讨论" not in own.text[own.text.index('id="list"') :]
    first = browser.get("/studio/maternal_death/compare?with=1").text
    assert "新增步骤“院内讨论”。" in first
    assert browser.get("/studio/maternal_death/compare/summary.pdf?with=1").data.startswith(b"%PDF")
    assert browser.get("/studio/maternal_death/compare?with=99").status_code == 404
    assert browser.get("/studio/maternal_death/compare/diagram.json?with=1&file=shared/report.bpmn").json["after"] == "<not a diagram"
    assert browse("tangyining").get("/studio/maternal_death/compare").status_code == 403
