"""Incidents: the place and the kind of what failed, never a value of the case; read, retried, dismissed by administrators."""

from __future__ import annotations

from uuid import uuid4

import pytest

from engine import cases, feel, incidents, work_items, workflow
from engine.errors import EngineError, NotFound, NotNow, StepFailed
from models import Draft, Incident, IncidentKind, JournalEntry, Subject
from tests.engine.conftest import At
from tests.worlds import World, fingerprint

STEP, WHO, ADMINISTRATOR = "verify_report", "tangyining", "xitong"


def failing(cause: Exception) -> Exception:
    """Return an error as it comes out of a command, with its causes and places."""

    def step() -> workflow.Outcome:
        raise workflow.WorkflowFailed("state: 沈若蘅", STEP) from cause

    try:
        cases.attempt(step)
    except StepFailed as error:
        return error
    raise AssertionError


def write(world: World, cause: Exception | None = None) -> Incident:
    return incidents.write(
        world.session,
        IncidentKind.HAND_IN,
        failing(cause or KeyError("沈若蘅")),
        case_id=world.case_id,
        work_item_id=world.item(STEP).id,
        person_id=world.person(WHO).id,
        key="k",
    )


@pytest.mark.parametrize("cause", [KeyError("沈若蘅"), ValueError("341299198603120422"), RuntimeError("沈若蘅 13800000417")])
def test_an_incident_names_kind_and_place_and_no_value(at: At, cause: Exception) -> None:
    world = at(STEP)
    incident = write(world, cause)
    assert (incident.error, incident.element) == (type(cause).__name__, STEP)
    assert incident.trace
    assert all(place.split("/")[0] in ("engine", "models", "web", "bpmn") for place in incident.trace)
    text = f"{incident.error} {incident.trace} {incident.detail}"
    assert not any(term in text for term in ("沈若蘅", "341299198603120422", "13800000417"))


def test_an_expression_that_failed_says_what_is_wrong_with_it(at: At) -> None:
    world = at(STEP)
    incident = write(world, feel.FeelError("a condition must be true or false", expression="x"))
    assert "a condition must be true or false" in incident.error
    assert incident.error.startswith("FeelError")


def test_what_was_typed_is_kept_with_its_names_apart(at: At) -> None:
    world = at("fill_card")
    item_id = world.item("fill_card").id
    number = incidents.keep_hand_in(
        world.sessions, world.actor("qinhaitang"), item_id, {"name": "沈若蘅", "summary": "写到这里"}, "k", failing(KeyError())
    )
    assert world.rows(Draft)[0].answers["summary"] == "写到这里"
    assert world.rows(Subject, Subject.draft_id.is_not(None))[0].name == "沈若蘅"
    assert incidents.get(world.session, number).detail == {"key": "k"}
    assert number not in ("", None)


def test_an_incident_is_written_even_where_no_draft_can_be(at: At) -> None:
    world = at(STEP)
    number = incidents.keep_hand_in(world.sessions, world.actor("lujianwei"), world.item(STEP).id, {"remark": "x"}, "k", failing(KeyError()))
    assert incidents.get(world.session, number).person_id == world.person("lujianwei").id
    assert not world.rows(Draft)


def test_a_retry_with_what_is_needed_gone_changes_nothing(at: At) -> None:
    world = at(STEP)
    number = write(world).number
    world.session.commit()
    before = fingerprint(world.session)
    with pytest.raises(NotNow):
        incidents.retry(world.session, world.actor(ADMINISTRATOR), number)  # there is no draft
    world.session.rollback()
    assert fingerprint(world.session) == before
    with pytest.raises(NotFound):
        incidents.retry(world.session, world.actor(ADMINISTRATOR), "NOT-THERE")


def test_a_retry_hands_in_as_the_person_who_failed_and_once(at: At) -> None:
    world = at(STEP)
    answers = world.answers(world.item(STEP), WHO)
    number = incidents.keep_hand_in(world.sessions, world.actor(WHO), world.item(STEP).id, answers, "the-key", failing(KeyError()))
    item_id = world.item(STEP).id
    incidents.retry(world.session, world.actor(ADMINISTRATOR), number)
    world.session.commit()
    done = work_items.done_with(world.session, world.actor(WHO), item_id, "the-key")
    assert done is not None
    entries = world.rows(JournalEntry, JournalEntry.object_id == item_id, JournalEntry.action == "work-item:hand-in")
    assert [row.actor_id for row in entries] == [world.person(WHO).id]
    assert [row.actor_id for row in world.rows(JournalEntry, JournalEntry.action == "incident:retried")] == [world.person(ADMINISTRATOR).id]
    with pytest.raises(NotNow):
        incidents.retry(world.session, world.actor(ADMINISTRATOR), number)


def test_one_is_dismissed_and_listed_among_the_closed(at: At) -> None:
    world = at(STEP)
    number = write(world).number
    other = write(world).number
    assert incidents.find(world.session)[1] == 2
    incidents.dismiss(world.session, world.actor(ADMINISTRATOR), number)
    incidents.dismiss(world.session, world.actor(ADMINISTRATOR), number)
    world.session.flush()
    assert [row.number for row in incidents.find(world.session)[0]] == [other]
    assert [row.number for row in incidents.find(world.session, is_open=False)[0]] == [number]
    assert len(world.rows(JournalEntry, JournalEntry.action == "incident:dismissed")) == 1
    with pytest.raises(EngineError):
        incidents.retry(world.session, world.actor(ADMINISTRATOR), number)


def test_a_retry_that_fails_again_counts_and_says_why(at: At) -> None:
    world = at(STEP)
    number = write(world).number
    world.session.commit()
    incidents.failed_again(world.sessions, number, failing(ValueError("x")))
    found = world.rows(Incident)[0]
    assert (found.attempts, found.error, found.resolved_at) == (2, "ValueError", None)
    assert uuid4() != found.id
