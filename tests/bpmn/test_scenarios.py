"""Every scenario that lies beside the procedure is walked, command by command, as people would walk it."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
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
from tests.worlds import BEGUN, Course
from web.demo.player import defaults, play

ON_POSTGRES = ("two_notices_one_case", "township_does_not_call", "opinion_waived", "reopened_after_closing")
_counts: list[walker.Counted] = []


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
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
def test_a_scenario_comes_out_as_it_says(name: str, opened: Any, course: Course) -> None:
    begin = course.at(walker.scenario(name).get("begin_at", BEGUN))
    with time_machine.travel(begin.moment, tick=False) as traveller:
        walk(name, opened(begin.path), traveller, begin.case_id)


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
