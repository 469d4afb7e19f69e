"""Every scenario that lies beside the procedure is walked, command by command, as people would walk it."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import time_machine

from engine import calendars, procedures
from engine.transaction import transaction
from models import CaseKind
from models.database import connect, sessions_of
from tests.bpmn import walker
from tests.conftest import START
from web.demo.player import Player, Stage, defaults, play

ON_POSTGRES = ("two_notices_one_case", "township_does_not_call", "opinion_waived", "reopened_after_closing")
ON_THE_WAY = (
    "visit_scene",
    "declare",
    "give_opinion",
    "open_discussion",
    "draft_conclusion",
    "reply_facts",
    "sign_conclusion",
    "give_feedback",
    "approve_plan",
    "do_item",
    "close_case",
)
_counts: list[walker.Counted] = []


class Checkpoints:
    """Databases in which the first case has come to a certain step by the defaults: scenarios that differ later begin there."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.template, self.folder = template, folder
        self.known: dict[str, tuple[Path, UUID, datetime]] = {}

    def at(self, element: str) -> tuple[Path, UUID, datetime]:
        """Return a database, the case in it and its present, where a step is what is done next."""
        if element not in self.known:
            before = ON_THE_WAY.index(element)
            source, case_id, moment = self.at(ON_THE_WAY[before - 1]) if before else (self.template, None, START)
            path = self.folder / f"{element}.db"
            shutil.copy(source, path)
            with time_machine.travel(moment, tick=False) as traveller:
                engine = connect(f"sqlite:///{path}")
                stage = Stage(sessions_of(engine), traveller.move_to)
                player = Player(stage, walker.script({}, defaults().begin["event"]), case_id)
                for _ in play(stage, [player]):
                    if player.upcoming == element:
                        break
                assert player.upcoming == element
                assert player.case_id is not None
                self.known[element] = path, player.case_id, datetime.now(tz=START.tzinfo)
                raw = engine.raw_connection()
                raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
                raw.close()
                engine.dispose()
        return self.known[element]


@pytest.fixture(scope="module")
def checkpoints(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """The databases from which scenarios begin."""
    return Checkpoints(sqlite_template, tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture
def opened(tmp_path: Path, checkpoints: Checkpoints) -> Iterator[Any]:
    """Opens a copy of a database for a scenario."""
    engines: list[sa.Engine] = []

    def copy(source: Path) -> sa.Engine:
        path = tmp_path / "scenario.db"
        shutil.copy(source, path)
        engines.append(connect(f"sqlite:///{path}"))
        calendars.forget()
        return engines[-1]

    yield copy
    for engine in engines:
        engine.dispose()


def walk(name: str, engine: sa.Engine, traveller: time_machine.Coordinates, case_id: UUID | None = None) -> None:
    """Walk a scenario on a database and judge what came of it."""
    wanted = walker.scenario(name)
    sessions, event = sessions_of(engine), defaults().begin["event"]
    if wanted.get("profile", "cn_default") != "cn_default":
        walker.use_profile(sessions, wanted["profile"])
    stage = walker.Watched(sessions, engine, traveller.move_to, opens=wanted.get("opens", False))
    if case_id is not None:
        stage.cases.append(case_id)
    try:
        cases = wanted["cases"]
        for _ in play(stage, walker.players(stage, cases, event, case_id)):
            pass
    finally:
        stage.close()
    _counts.extend(stage.counts)
    with transaction(sessions) as session:
        walker.quiet(session)
        for entry, key in zip(cases, stage.cases, strict=True):
            walker.judge(entry.get("expect", {}), walker.found(session, key, stage), event)
        walker.identity_is_apart(session)
        plain = {
            key
            for key, form in procedures.deployed(session, procedures.active(session, CaseKind.MATERNAL_DEATH).id).forms.items()
            if walker.is_plain(form)
        }
    for counted in stage.counts:
        if counted.what.removeprefix("hand-in:") in plain and not counted.services:
            assert counted.statements <= walker.MOST_STATEMENTS, counted


@pytest.mark.parametrize("name", walker.scenarios())
def test_a_scenario_comes_out_as_it_says(name: str, opened: Any, checkpoints: Checkpoints) -> None:
    begin = walker.scenario(name).get("begin_at")
    source, case_id, moment = checkpoints.at(begin) if begin else (checkpoints.template, None, START)
    with time_machine.travel(moment, tick=False) as traveller:
        walk(name, opened(source), traveller, case_id)


@pytest.mark.parametrize("name", ON_POSTGRES)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_it_comes_out_the_same_on_postgresql(name: str, engine: sa.Engine, now: time_machine.Coordinates) -> None:
    walk(name, engine, now)


def test_the_statements_of_a_hand_in_are_few() -> None:
    """Prints how many statements each form took, over all scenarios of this run."""
    by_form: dict[str, list[int]] = {}
    for counted in _counts:
        by_form.setdefault(counted.what, []).append(counted.statements)
    if not by_form:
        pytest.skip("no scenario was walked in this run")
    every = sorted(counted.statements for counted in _counts if counted.what.startswith("hand-in:"))
    print(f"\nhand-in: {len(every)}, min {every[0]}, median {statistics.median(every)}, max {every[-1]}")
    for what, counts in sorted(by_form.items(), key=lambda pair: -max(pair[1])):
        print(f"{what:32} {len(counts):5} times, min {min(counts):3}, median {statistics.median(counts):5}, max {max(counts):3}")
    assert statistics.median(every) <= 2 * walker.MOST_STATEMENTS
