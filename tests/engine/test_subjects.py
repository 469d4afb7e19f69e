"""Subjects: who she is stands in one table; every other column of every other table is searched for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from engine import procedures, records, subjects, work_items
from engine.forms import Field
from models import Attachment, Base, Draft, Record, Source, Subject
from tests.bpmn import walker
from tests.engine.conftest import At
from tests.worlds import World
from web.demo.player import PAPER, defaults

RESIDENT = "341299198603120422"
FIXED = {"subject_id": RESIDENT, "id_no": RESIDENT, "subject_phone": "13912345678", "contact_phone": "13912345679"}


def identity_fields(world: World) -> dict[str, list[tuple[str, ...]]]:
    """Return the path of every identifying field of every form."""

    def walk(fields: tuple[Field, ...], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for entry in fields:
            here = (*path, entry.key) if entry.key else path
            if entry.identity == "I" and not entry.fields:
                yield here
            yield from walk(entry.fields, here)

    forms = procedures.deployed(world.session, world.case.procedure_version_id).forms
    return {key: found for key, form in forms.items() if (found := list(walk(form.fields, ())))}


def marker(form: str, path: tuple[str, ...]) -> str:
    return FIXED.get(path[-1]) or f"印记{form}{''.join(path)}"[:40].replace("_", "")


def marked(world: World) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Return complete answers for every form that identifies, a marker in each such field, and the markers."""
    answers: dict[str, dict[str, Any]] = {}
    markers: set[str] = set()
    for form, paths in identity_fields(world).items():
        over: dict[str, Any] = {}
        for path in paths:
            markers.add(marker(form, path))
            if len(path) == 1:
                over[path[0]] = marker(form, path)
            else:
                rows = over.get(path[0]) or [dict(row) for row in defaults().answers[form].get(path[0], [{}])]
                over[path[0]] = [{**row, path[1]: marker(form, path)} for row in rows]
        answers[form] = over
    return answers, markers


def everywhere(world: World) -> Iterator[tuple[str, str]]:
    """Yield every column of every table but the one where identity belongs, with everything that stands in it."""
    for table in Base.metadata.sorted_tables:
        if table.name not in walker.SAID_ELSEWHERE:
            for column, text in walker._texts(world.session, table):
                yield f"{table.name}.{column}", text


def test_who_she_is_stands_in_one_table_from_the_first_call_to_the_closing(at: At, worlds: Any, kind: str) -> None:
    """Markers in every identifying field of every form, a whole case, then every column of every other table."""
    source = at("check_duplicate")
    answers, markers = marked(source)
    assert len(markers) > 12
    source.session.rollback()
    world = at()
    case_id = world.play(None, new=True, answers=answers)
    kept = " ".join(f"{row.name} {row.id_number} {row.phone} {row.details}" for row in world.rows(Subject, Subject.case_id == case_id))
    seen = {one for one in markers if one in kept}
    forms = set(world.session.scalars(sa.select(Record.form).where(Record.case_id == case_id)))
    asked = {marker(form, path) for form, paths in identity_fields(source).items() if form in forms for path in paths}
    assert seen >= {one for one in asked if "guardian" not in one and "current" not in one}, asked - seen
    for where, text in everywhere(world):
        for one in markers:
            assert one not in text, f"{where} holds {one}"
    assert not any(one in str(row) for one in markers for row in world.session.execute(sa.text("SELECT * FROM messages")).all())


def test_drafts_names_of_files_and_refused_forms_leave_her_nowhere_else(at: At) -> None:
    from engine import attachments
    from engine.errors import FormInvalid

    world = at("fill_card")
    actor, item_id = world.actor("qinhaitang"), world.item("fill_card").id
    typed = {"name": "印记草稿甲", "id_no": "印记不是号码", "household_address": "印记某街某号", "contact_phone": "印记电话", "unasked": "印记没有问"}
    work_items.save_draft(world.session, actor, item_id, typed)
    with pytest.raises(FormInvalid):
        work_items.hand_in(world.session, actor, item_id, typed, key=uuid4().hex)
    attachments.store(world.session, actor, item_id, "印记.pdf"[:0] or "attachments", PAPER)
    world.session.flush()
    assert world.rows(Draft)
    assert world.rows(Attachment)
    for where, text in everywhere(world):
        assert "印记" not in text, where
    details = world.rows(Subject, Subject.source == Source.DRAFT)[0].details
    assert details["name"] == "印记草稿甲"
    assert "unasked" not in details


def test_a_draft_says_nothing_about_the_case_and_a_record_does(at: At) -> None:
    world = at("fill_card")
    actor, item_id = world.actor("qinhaitang"), world.item("fill_card").id
    work_items.save_draft(world.session, actor, item_id, {"name": "草稿里的名字"})
    known = subjects.of_case(world.session, world.case_id)
    assert known is not None
    assert known.name == "沈若蘅"
    assert "草稿里的名字" not in subjects.identifiers(world.session, world.case_id)
    world.hand_in("fill_card", "qinhaitang", name="沈若兰")
    known = world.rows(Subject, Subject.source == Source.CASE)[0]
    assert (known.name, known.phone) == ("沈若兰", "13800000417")
    assert {"沈若蘅", "沈若兰"} <= subjects.identifiers(world.session, world.case_id)
    assert not world.rows(Subject, Subject.source == Source.DRAFT)


def test_what_is_unknown_or_missing_does_not_wipe_out_what_is_known(at: At) -> None:
    world = at("fill_card")
    world.hand_in("fill_card", "qinhaitang", contact_phone=None)
    assert world.rows(Subject, Subject.source == Source.CASE)[0].phone == "13800000417"
    assert subjects.columns_of({"name": "unknown", "id_no": "", "contact_phone": None}) == {}


def test_a_record_is_put_together_for_those_who_may_see_her_and_only_then(at: At) -> None:
    world = at("verify_report")
    card = records.current(world.session, world.case_id, "report_card")
    assert card is not None
    assert "沈若蘅" not in str(card.answers)
    assert records.whole(world.session, card)["name"] == "沈若蘅"
    assert "沈若蘅" in str(records.known(world.session, world.case_id, identified=True))
    assert "沈若蘅" not in str(records.known(world.session, world.case_id, identified=False))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("沈若蘅", ["沈", "若", "沈若", "若蘅", "shenruoheng", "ruoheng", "srh"]),
        ("阿依古丽·买买提", ["阿依", "古丽", "丽买", "ayigulimaimaiti"]),
        ("Anna Lee", ["annalee"]),
        ("𠮷田", ["𠮷田", "田"]),
    ],
)
def test_a_name_is_found_by_its_parts_and_its_sounds(name: str, found: list[str]) -> None:
    text = subjects.search_text(name)
    assert text is not None
    for one in found:
        assert f" {one}" in text, one
    assert subjects.search_text("") is subjects.search_text(None) is None
