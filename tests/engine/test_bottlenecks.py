"""Bottlenecks: what is measured is what a hand count finds; two statements; no case is told."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from engine import bottlenecks, clock
from engine.bottlenecks import Filter, Measured
from engine.errors import NotFound
from models import OPEN_STATES, Case, CaseKind, CaseState, Deadline, DeadlineKind, ProcedureVersion, Role, WorkItem, WorkItemState, new_id
from models.database import connect, sessions_of
from tests.engine.conftest import At
from tests.worlds import World, counting

KEY, WHO = "maternal_death", "liucheng"


def measure(world: World, **wanted: Any) -> dict[str, Measured]:
    return bottlenecks.measure(world.session, world.actor(WHO), KEY, Filter(**wanted))


def add(world: World, element: str, offered: datetime, claimed: float | None, completed: float | None, **more: Any) -> WorkItem:
    """Add a work item of the case: offered then, claimed and handed in so many hours later."""
    person = world.person("tangyining").id
    item = WorkItem(
        id=new_id(),
        case_id=world.case_id,
        course=1,
        element=element,
        path=more.get("path", ""),
        name=element,
        name_en=element,
        form="f",
        audience="case",
        role=more.get("role", Role.QC_OFFICER),
        organisation_id=world.place("LZ-FY").id,
        state=WorkItemState.COMPLETED if completed is not None else WorkItemState.READY,
        person_id=person if completed is not None else None,
        completed_by_id=person if completed is not None else None,
        offered_at=offered,
        claimed_at=offered + timedelta(hours=claimed) if claimed is not None else None,
        completed_at=offered + timedelta(hours=completed) if completed is not None else None,
    )
    world.session.add(item)
    if "due" in more:
        due = offered + timedelta(hours=more["due"])
        row = Deadline(
            id=new_id(), case_id=world.case_id, task_id=item.id, kind=DeadlineKind.LIMIT, key="x", start_at=offered, amber_at=offered,
            red_at=offered, due_at=due, escalate_at=due, attempts=0,
        )  # fmt: skip
        world.session.add(row)
    world.session.flush()
    return item


def test_queue_and_work_are_told_apart(at: At) -> None:
    world = at("verify_report")
    start = clock.now() - timedelta(days=5)
    for claimed, completed in ((1, 2), (2, 6), (3, 10), (10, 12)):
        add(world, "x", start, claimed, completed, due=9)
    add(world, "x", start, None, None, due=9)
    found = measure(world)["x"]
    assert (found.waiting, found.passed) == (1, 4)
    assert (found.total, found.total_high) == (8 * 3600, 12 * 3600)
    assert (found.queue, found.queue_high) == (2.5 * 3600, 10 * 3600)
    assert (found.work, found.work_high) == (3 * 3600, 7 * 3600)
    assert found.late == 3 / 5  # two handed in late, one waits past its time


def test_a_step_done_again_is_counted(at: At) -> None:
    world = at("verify_report")
    start = clock.now() - timedelta(days=9)
    add(world, "y", start, 1, 2)
    add(world, "y", start + timedelta(hours=3), 1, 2)
    add(world, "y", start + timedelta(hours=9), None, None)
    assert measure(world)["y"].again == 2
    add(world, "z", start, 1, 5)
    add(world, "z", start + timedelta(hours=1), 1, 5)  # side by side, not again
    assert measure(world)["z"].again == 0


def test_a_part_takes_from_its_first_offer_to_its_last_hand_in(at: At) -> None:
    world = at("verify_report")
    start = clock.now() - timedelta(days=9)
    add(world, "a", start, 1, 2, path="outer.inner")
    add(world, "b", start + timedelta(hours=5), 1, 4, path="outer")
    found = measure(world)
    assert (found["outer"].total, found["outer"].passed, found["outer"].is_part) == (9 * 3600, 1, True)
    assert found["inner"].total == 2 * 3600
    add(world, "c", start, None, None, path="outer")
    assert (measure(world)["outer"].waiting, measure(world)["outer"].passed) == (1, 0)


def test_it_is_narrowed_by_period_role_version_profile_and_institution(at: At) -> None:
    world = at("verify_report")
    start = clock.now() - timedelta(days=40)
    add(world, "x", start, 1, 2)
    add(world, "x", start + timedelta(days=30), 1, 2, role=Role.SECRETARY)
    assert measure(world)["x"].passed == 2
    assert measure(world, since=clock.now() - timedelta(days=20))["x"].passed == 1
    assert measure(world, until=clock.now() - timedelta(days=20))["x"].passed == 1
    assert measure(world, role=Role.SECRETARY)["x"].passed == 1
    assert measure(world, version=1)["x"].passed == 2
    assert measure(world, version=99) == {}
    assert measure(world, profile="rencheng") == {}
    assert "x" in measure(world, organisation_id=world.place("LZ-FY").id)
    assert "x" not in measure(world, organisation_id=world.place("LZ-YY").id)


def test_the_case_as_it_was_played_counts_right(at: At) -> None:
    world = at("visit_scene")
    found = measure(world)
    for item in world.rows(WorkItem, WorkItem.state.in_(OPEN_STATES)):
        assert found[item.element].waiting == 1
    done = world.rows(WorkItem, WorkItem.state == WorkItemState.COMPLETED)
    assert sum(one.passed for one in found.values() if not one.is_part) == len(done)


def test_only_ones_own_area_counts(at: At) -> None:
    world = at("visit_scene")
    assert measure(world)
    assert bottlenecks.measure(world.session, world.actor("waidi"), KEY, Filter()) == {}
    with pytest.raises(NotFound):
        bottlenecks.measure(world.session, world.actor(WHO), "none", Filter())


@pytest.mark.parametrize(
    ("value", "highest", "level"), [(0, 10, 0), (0.1, 10, 1), (2.5, 10, 1), (2.6, 10, 2), (10, 10, 4), (99, 10, 4), (None, 10, None)]
)
def test_colours_are_quarters_of_the_highest(value: float | None, highest: float, level: int | None) -> None:
    assert bottlenecks.level(Measured("x", total=value), "total", highest) == level


@pytest.mark.parametrize(("late", "level"), [(0, 0), (0.05, 1), (0.1, 2), (0.3, 3), (0.5, 4), (1, 4)])
def test_lateness_has_colours_of_its_own(late: float, level: int) -> None:
    assert bottlenecks.level(Measured("x", late=late), "late", 1) == level


def test_many_cases_take_two_statements_and_a_moment(sqlite_template: Path, tmp_path: Path, now: Any) -> None:
    """A thousand cases of twelve steps each, written in bulk; ten thousand took ten times as long, under two seconds."""
    import shutil

    path = tmp_path / "many.db"
    shutil.copy(sqlite_template, path)
    engine = connect(f"sqlite:///{path}")
    with sessions_of(engine)() as session:
        _fill(session, 1_000, 12)
        session.commit()
    with sessions_of(engine)() as session:
        from engine.actor import of_person
        from models import Person

        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == WHO)).one())
        with counting(engine) as sent:
            began = time.perf_counter()
            found = bottlenecks.measure(session, actor, KEY, Filter())
            took = time.perf_counter() - began
    engine.dispose()
    assert len(sent) <= 2
    assert sum(one.passed for one in found.values() if not one.is_part) == 12_000
    assert took < 3, took


def _fill(session: Session, cases: int, steps: int) -> None:
    from models import Organisation, Person, Procedure, ProfileVersion

    version = session.scalars(sa.select(ProcedureVersion).join(Procedure).where(Procedure.key == KEY)).first()
    profile = session.scalars(sa.select(ProfileVersion)).first()
    owner = session.scalars(sa.select(Organisation).where(Organisation.code == "LZ-FY")).one()
    person = session.scalars(sa.select(Person).where(Person.username == "tangyining")).one()
    assert version is not None
    assert profile is not None
    start = clock.now() - timedelta(days=300)
    rows = [
        {
            "id": new_id(), "number": f"M-{number}", "kind": CaseKind.MATERNAL_DEATH, "state": CaseState.REPORTED, "is_reopened": False,
            "procedure_version_id": version.id, "profile_version_id": profile.id, "owner_id": owner.id, "parties": {}, "event_at": start,
            "clock_start_at": start, "created_at": start, "changed_at": clock.now(), "revision": 1, "course": 1,
        }
        for number in range(cases)
    ]  # fmt: skip
    session.execute(sa.insert(Case), rows)
    items = [
        {
            "id": new_id(), "case_id": row["id"], "course": 1, "element": f"step_{step}", "path": "part" if step % 2 else "", "name": "s",
            "name_en": "s", "form": "f", "audience": "case", "role": Role.QC_OFFICER, "organisation_id": owner.id, "is_assigned": False,
            "person_id": person.id, "state": WorkItemState.COMPLETED, "variables": {}, "offered_at": start + timedelta(hours=step),
            "claimed_at": start + timedelta(hours=step + number % 7), "completed_at": start + timedelta(hours=step + number % 50),
            "completed_by_id": person.id,
        }
        for number, row in enumerate(rows)
        for step in range(steps)
    ]  # fmt: skip
    session.execute(sa.insert(WorkItem), items)
