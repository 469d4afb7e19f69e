"""Dossiers have their format, give away nobody in their narrative, and carry a case to its end."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from engine import codes, identifiers, resident_numbers
from engine.transaction import transaction
from models import Case, CaseState, Record
from models.database import connect, sessions_of
from tests.bpmn import walker
from tests.conftest import START
from web.demo import dossiers
from web.demo.player import Player, Script, Stage, play

EVERY = sorted(entry.name[:-5] for entry in dossiers.FOLDER.iterdir() if entry.name.endswith(".json"))
MATERNAL = dossiers.names()
FIELDS = {
    "case_id",
    "source",
    "case_kind",
    "day0",
    "facts",
    "facts_without_field",
    "timeline",
    "criteria",
    "criteria_not_counted",
    "cause_chain",
    "icd10",
    "not_stated",
    "discrepancies_in_source",
    "invented",
    "summary_with_identifiers",
    "identifiers_in_summary",
    "expected",
}
NOT_IN_THE_DEMONSTRATION_LONG_ENOUGH = ("md-03-atonic-haemorrhage-late-referral", "md-05-acute-fatty-liver-second-trimester")


@pytest.mark.parametrize("name", EVERY)
def test_a_dossier_has_its_format_and_says_what_is_made_up(name: str) -> None:
    content = dossiers.read(name)
    assert FIELDS - set(content) == set()
    assert content["case_id"] == name
    assert content["source"]["citation"]
    assert content["source"]["url"].startswith("https://")
    assert all({"field", "value"} <= set(entry) for entry in content["invented"])
    assert [text for text in content["identifiers_in_summary"] if text not in content["summary_with_identifiers"]] == []
    stages = {code.code for code in codes.lists()["CS-STAGE"].codes}
    assert {row["stage"] for row in content["timeline"]} <= stages


@pytest.mark.parametrize("name", MATERNAL)
def test_a_made_up_identity_is_possible_and_nobody_s(name: str) -> None:
    dossier = dossiers.Dossier(dossiers.read(name))
    assert resident_numbers.valid(dossier.id_number)
    assert dossier.id_number.startswith("341299")
    assert dossier.died.date() - date(int(dossier.id_number[6:10]), int(dossier.id_number[10:12]), int(dossier.id_number[12:14])) >= timedelta(
        days=int(dossier.age * 365.24)
    )
    later = dossiers.Dossier(dossiers.read(name), dossier.died.replace(year=dossier.died.year + 3))
    assert resident_numbers.valid(later.id_number)
    assert int(later.id_number[6:10]) == int(dossier.id_number[6:10]) + 3


@pytest.mark.parametrize("name", MATERNAL)
def test_what_reviewers_read_gives_nobody_away(name: str) -> None:
    dossier = dossiers.Dossier(dossiers.read(name))
    content = dossiers.read(name)
    said = str([dossier.redaction(), dossier.minutes(), dossier.conclusion(), dossier.opinion(), dossier.feedback()["content"]])
    assert [text for text in content["identifiers_in_summary"] if text in said] == []
    terms = identifiers.Terms(frozenset(), frozenset(), frozenset(dossiers.places().codes))
    assert [found for row in dossier.timeline for found in identifiers.find(row["what"] + row["t"], terms)] == []
    assert not any(letter.isascii() and letter.isalpha() for row in dossier.timeline for letter in row["t"])


def test_every_class_of_cause_that_is_spoken_of_has_its_place_in_the_code_list() -> None:
    known = {code.code for code in codes.lists()["CS-MCAUSE"].codes}
    factors = {code.code for code in codes.lists()["CS-FACTOR22"].codes}
    for key, review in dossiers.reviews().items():
        assert key == "other" or key in known
        assert len({found["cell"] for found in review["findings"]}) == 3, f"{key}: three findings in three cells"
        assert {dossiers.factor(found) for found in review["findings"]} <= factors


def test_a_factor_follows_from_the_cell_and_the_level() -> None:
    names: dict[str, Any] = {code.code: code.zh for code in codes.lists()["CS-FACTOR22"].codes}
    said = {
        ("care_management", "city"): "医疗保健系统（省（地、市）级）管理系统",
        ("care_knowledge", "county"): "医疗保健系统（县区级）知识技能",
        ("care_resources", "township"): "医疗保健系统（乡镇级）资源",
        ("person_attitude", ""): "个人、家庭及居民团体态度",
    }
    assert {key: names[dossiers.factor({"cell": key[0], "level": key[1]})] for key in said} == said


def test_dossiers_carry_their_cases_to_the_end(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "dossiers.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = connect(f"sqlite:///{path}")
    with time_machine.travel(START, tick=False) as traveller:
        stage = Stage(sessions_of(engine), traveller.move_to)
        players = []
        for name in NOT_IN_THE_DEMONSTRATION_LONG_ENOUGH:
            dossier = dossiers.Dossier(dossiers.read(name), START + timedelta(days=1))
            reporter = dossiers.places().holder(dossier.facility or "", "facility_reporter")
            players.append(Player(stage, Script(event=dossier.event, notice={"by": reporter}, answers=dossier.answers())))
        for _ in play(stage, players):
            pass
        with transaction(stage.sessions) as session:
            assert [case.state for case in session.scalars(sa.select(Case))] == [CaseState.CLOSED] * len(players)
            assert [(record.form, record.warnings) for record in session.scalars(sa.select(Record)) if record.warnings] == []
            walker.quiet(session)
            walker.identity_is_apart(session)
    engine.dispose()
