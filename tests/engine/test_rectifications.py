"""Rectification items: raised from the plan, done by their owner, verified by another, extended, cancelled; they speak of work alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine import clock, feel, rectifications, subjects, work_items
from engine.errors import FormInvalid, FourEyes, NotFound
from models import ItemState, JournalEntry, RectificationItem
from tests.engine.conftest import At
from tests.worlds import World

OWNER, VERIFIER, OFFICER = "peiwenxiu", "chushiyao", "tangyining"


def mine(world: World, who: str = OWNER) -> RectificationItem:
    found: RectificationItem = world.rows(RectificationItem, RectificationItem.owner_id == world.person(who).id)[0]
    return found


def report(world: World, who: str = OWNER, **changes: Any) -> None:
    world.hand_in("do_item", who, of=who, **changes)
    world.session.flush()


def test_the_items_are_those_of_the_approved_plan(at: At) -> None:
    world = at("do_item")
    items = rectifications.of_case(world.session, world.actor(OFFICER), world.case_id)
    assert [item.number for item in items] == [f"LZ26-ZG-00{place}" for place in (1, 2, 3)]
    assert {item.state for item in items} == {ItemState.OPEN}
    assert [item.due_on == item.first_due_on for item in items] == [True] * 3
    facts = rectifications.facts(world.session, items[0].id)
    assert facts["number"] == items[0].number
    assert feel.from_wire(facts["due_on"]) == items[0].due_on


def test_an_item_says_nothing_of_the_case_it_came_from(at: At) -> None:
    world = at("do_item")
    terms = subjects.identifiers(world.session, world.case_id)
    for item in rectifications.of_case(world.session, world.actor(OFFICER), world.case_id):
        text = str(rectifications.facts(world.session, item.id))
        assert str(world.case.number) not in text
        assert not [term for term in terms if term in text]
    opened = work_items.show(world.session, world.actor(OWNER), world.item("do_item", of=OWNER).id)
    assert not [term for term in terms if term in str(opened.context.names)]
    assert not [term for term in terms if term in str(opened.answers)]


def test_owner_verifier_unit_and_office_see_it_and_others_do_not(at: At) -> None:
    world = at("do_item")
    number = mine(world).number
    for who in (OWNER, OFFICER, "lushoucheng", "renguochang", VERIFIER):
        assert rectifications.read(world.session, world.actor(who), number).number == number, who
    for who in ("qiuliheng", "fuyubai", "waidi", "lujianwei", "xitong"):
        with pytest.raises(NotFound):
            rectifications.read(world.session, world.actor(who), number)
        assert number not in {row.number for row in rectifications.find(world.session, world.actor(who))[0]}
        assert number not in {row.number for row in rectifications.of_case(world.session, world.actor(who), world.case_id)}
    world.session.flush()
    assert len(world.rows(JournalEntry, JournalEntry.action == "rectification:read")) == 5


def test_an_item_is_reported_and_verified_by_somebody_else(at: At) -> None:
    world = at("do_item")
    report(world)
    assert mine(world).state is ItemState.SUBMITTED
    world.move(timedelta(minutes=5))
    world.hand_in("verify_item", VERIFIER)
    world.session.flush()
    item = mine(world)
    assert (item.state, item.verified_by_id, item.ended_at) == (ItemState.VERIFIED, world.person(VERIFIER).id, clock.now())
    assert [row.form for row in rectifications.reports(world.session, item.id)] == ["item_report", "item_verification"]
    assert [row.element for row in rectifications.steps(world.session, item)] == ["do_item", "verify_item"]
    assert rectifications.find(world.session, world.actor(OFFICER), state=ItemState.VERIFIED)[1] == 1
    assert rectifications.find(world.session, world.actor(OFFICER), is_open=True)[1] == 2


def test_nobody_verifies_their_own_item(at: At) -> None:
    """Refused by the engine, and by the database if the engine were wrong."""
    from engine import people
    from models import Role

    world = at("do_item")
    people.appoint(world.session, None, world.person(OWNER), Role.VERIFIER, world.place("LZ-FY"))
    report(world)
    world.session.commit()
    with pytest.raises((FourEyes, NotFound)):
        world.hand_in("verify_item", OWNER)
    world.session.rollback()
    with pytest.raises(sa.exc.IntegrityError):
        world.session.execute(
            sa.update(RectificationItem)
            .where(RectificationItem.id == mine(world).id)
            .values(state=ItemState.VERIFIED, verified_by_id=world.person(OWNER).id)
        )


def test_what_is_returned_is_done_again(at: At) -> None:
    world = at("do_item")
    report(world)
    world.hand_in("verify_item", VERIFIER, decision="returned", effect=None, note="抽查不符。", return_reason="补做 20 例后重新报送。")
    world.session.flush()
    assert mine(world).state is ItemState.RETURNED
    report(world)
    world.hand_in("verify_item", VERIFIER)
    world.session.flush()
    assert mine(world).state is ItemState.VERIFIED


def test_an_extension_is_granted_or_not_and_its_first_day_stays(at: At) -> None:
    world = at("do_item")
    first = mine(world).due_on
    wanted = {"wanted": "extension", "evidence": [], "progress": [], "extension_reason": "与等级评审冲突。"}
    with pytest.raises(FormInvalid):
        report(world, **wanted)
    report(world, **wanted, new_due=first + timedelta(days=30))
    item = mine(world)
    assert item.first_due_on == first
    assert (item.due_on, item.extensions, item.state) == (first + timedelta(days=30), 1, ItemState.OPEN) or world.item("rule_on_request")


def test_an_item_is_cancelled_only_by_a_ruling(at: At) -> None:
    world = at("do_item")
    report(world, wanted="cancel", cancel_reason="市级已统一签订。", evidence=[], progress=[])
    assert mine(world).state is not ItemState.CANCELLED
    world.hand_in("rule_on_request", OFFICER)
    world.session.flush()
    assert mine(world).state is ItemState.CANCELLED
    assert mine(world).verified_by_id is None
