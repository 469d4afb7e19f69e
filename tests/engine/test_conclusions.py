"""Conclusions: the administration's reading and the crossing to accountability: named fields and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import accountability, conclusions, subjects
from engine.errors import NotFound
from models import AccountabilityFile, Audience, Crossing, JournalEntry, Person, Record
from tests.engine.conftest import At
from tests.worlds import World

NAMED = {"case_number", "kind", "facility", "event_on", "conclusion", "factors", "issues", "recommendations"}
AVOIDABLE: dict[str, Any] = {"preventability": "avoidable", "votes": [{"option": "avoidable", "count": 3}, {"option": "avoidable_if", "count": 2}]}


def crossed(world: World) -> World:
    """Conclude that the death was avoidable, and let it be signed."""
    world.play("plan_rectification", answers={"conclusion": AVOIDABLE})
    return world


def says_who_reviewed(world: World, text: str) -> list[str]:
    return [person.name for person in world.rows(Person) if person.name in text]


def test_the_administration_reads_the_result_and_reading_is_journalled(at: At) -> None:
    world = at("close_case")
    actor = world.actor("renguochang")
    reading = conclusions.read(world.session, actor, str(world.case.number))
    assert reading.case.id == world.case_id
    assert all(row.audience is Audience.ADMINISTRATION for row, _ in reading.records)
    world.session.flush()
    assert world.rows(JournalEntry, JournalEntry.action == "conclusion:read")[-1].actor_id == actor.person_id
    rows, count = conclusions.find(world.session, actor)
    assert ([row.id for row in rows], count) == ([world.case_id], 1)


@pytest.mark.parametrize("who", ["qinhaitang", "lujianwei", "peiwenxiu", "xitong", "waidi", "tianjingye"])
def test_others_do_not_find_it(at: At, who: str) -> None:
    world = at("close_case")
    with pytest.raises(NotFound):
        conclusions.read(world.session, world.actor(who), str(world.case.number))
    assert conclusions.find(world.session, world.actor(who))[1] == 0


def test_what_the_administration_reads_names_neither_her_nor_who_reviewed(at: At) -> None:
    world = at("close_case")
    reading = conclusions.read(world.session, world.actor("renguochang"), str(world.case.number))
    text = json.dumps([reading.crossing, [row.answers for row, _ in reading.records]], ensure_ascii=False, default=str)
    for term in subjects.identifiers(world.session, world.case_id):
        assert term not in text
    for record in world.rows(Record, Record.form == "opinion"):
        for said in record.answers.values():
            assert not (isinstance(said, str) and len(said) > 12 and said in text)


# ── accountability ──


def test_only_the_named_data_cross_and_each_crossing_is_kept(at: At) -> None:
    world = crossed(at("draft_conclusion"))
    file, crossing = world.rows(AccountabilityFile)[0], world.rows(Crossing)[0]
    assert (file.trigger, file.case_id, file.organisation_id) == ("conclusion_avoidable", world.case_id, world.place("LZ-WJW").id)
    assert set(crossing.content) == NAMED
    assert crossing.content == accountability.crossing_of(world.session, world.case)
    assert (crossing.content["conclusion"], crossing.content["case_number"]) == ("avoidable", world.case.number)
    text = json.dumps(crossing.content, ensure_ascii=False)
    assert says_who_reviewed(world, text) == []
    for term in subjects.identifiers(world.session, world.case_id):
        assert term not in text
    for form in ("opinion", "minutes", "redaction", "sign_off"):
        for record in world.rows(Record, Record.form == form):
            for said in record.answers.values():
                assert not (isinstance(said, str) and len(said) > 20 and said in text), form
    assert all(set(row) <= {"stage", "level", "text"} for row in crossing.content["issues"])
    assert all(set(row) <= {"level", "action"} for row in crossing.content["recommendations"])
    entry = world.rows(JournalEntry, JournalEntry.action == "accountability:cross")[0]
    assert entry.detail == {"trigger": "conclusion_avoidable", "fields": sorted(NAMED)}


def test_the_file_is_read_by_the_administration_and_by_nobody_of_the_review(at: At) -> None:
    world = crossed(at("draft_conclusion"))
    number = world.rows(AccountabilityFile)[0].number
    for reader in ("renguochang", "tianjingye"):
        file, crossings = accountability.read(world.session, world.actor(reader), number)
        assert (file.number, len(crossings)) == (number, 1)
        assert [row.number for row in accountability.find(world.session, world.actor(reader))] == [number]
    for other in ("tangyining", "gaohuairen", "lujianwei", "xushenyan", "qinhaitang", "waidi", "xitong", "shenji"):
        assert accountability.find(world.session, world.actor(other)) == []
        with pytest.raises(NotFound):
            accountability.read(world.session, world.actor(other), number)
    world.session.flush()
    assert {row.actor_id for row in world.rows(JournalEntry, JournalEntry.action == "accountability:read")} == {
        world.person(reader).id for reader in ("renguochang", "tianjingye")
    }


def test_a_conclusion_that_was_not_avoidable_opens_no_file(at: At) -> None:
    world = at("plan_rectification")
    assert not world.rows(AccountabilityFile)
    assert accountability.crossings_of(world.session, world.case_id) == []


def test_handing_over_again_keeps_one_file_and_a_second_crossing(at: At) -> None:
    from engine import environment, procedures
    from engine.projection import Command

    world = crossed(at("draft_conclusion"))
    case = world.case
    command = Command(world.session, case, procedures.deployed(world.session, case.procedure_version_id), environment.of_case(world.session, case))
    accountability.hand_over(command, {"trigger": "conclusion_avoidable"})
    world.session.flush()
    assert len(world.rows(AccountabilityFile)) == 1
    assert len(accountability.crossings_of(world.session, world.case_id)) == 2
