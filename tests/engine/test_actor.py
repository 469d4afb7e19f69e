"""The person who acts: roles in force today, in active organisations, and how far each reaches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from engine import clock, organisations, people
from engine.actor import AREA_ROLES, Actor, of_person
from models import Role
from tests.worlds import World


def roles(world: World, username: str) -> set[Role]:
    return set(world.actor(username).roles)


def test_a_person_acts_with_every_role_in_force(begun: World) -> None:
    actor = begun.actor("qinhaitang")
    assert actor.roles == {Role.FACILITY_REPORTER, Role.OBSTETRIC_SAFETY_OFFICE}
    assert [post.organisation for post in actor.posts] == ["澜州市妇女儿童医院"] * 2
    assert actor.organisations(Role.FACILITY_REPORTER) == [begun.place("LZ-FE").id]
    assert actor.organisations(Role.QC_OFFICER) == []


@pytest.mark.parametrize(("begins", "ends", "holds"), [(0, None, True), (-5, 0, True), (1, None, False), (-5, -1, False), (0, 0, True)])
def test_a_role_is_in_force_from_its_first_to_its_last_day(begun: World, begins: int, ends: int | None, holds: bool) -> None:
    person, today = begun.person("peiwenxiu"), clock.today()
    people.appoint(
        begun.session,
        None,
        person,
        Role.VERIFIER,
        begun.place("LZ-FY"),
        from_on=today + timedelta(days=begins),
        until_on=None if ends is None else today + timedelta(days=ends),
    )
    assert (Role.VERIFIER in roles(begun, "peiwenxiu")) is holds


def test_a_role_ends_at_midnight_of_the_office(begun: World) -> None:
    people.appoint(begun.session, None, begun.person("peiwenxiu"), Role.VERIFIER, begun.place("LZ-FY"), until_on=date(2026, 10, 22))
    begun.move(datetime(2026, 10, 22, 15, 59, tzinfo=UTC))
    assert Role.VERIFIER in roles(begun, "peiwenxiu")
    begun.move(datetime(2026, 10, 22, 16, 0, tzinfo=UTC))
    assert Role.VERIFIER not in roles(begun, "peiwenxiu")


def test_a_role_in_an_organisation_that_is_no_longer_active_gives_nothing(begun: World) -> None:
    organisations.change(begun.session, begun.actor("xitong"), begun.place("LZ-FE"), {"is_active": False})
    assert begun.actor("qinhaitang") == Actor(begun.person("qinhaitang").id, "覃海棠")


def test_actors_are_plain_values_that_nobody_changes(begun: World) -> None:
    actor = begun.actor("tangyining")
    assert actor == of_person(begun.session, begun.person("tangyining"))
    with pytest.raises(AttributeError):
        actor.roles = frozenset(Role)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("username", "reach"),
    [
        ("tangyining", "/HX/LZ/"),
        ("fangjingshu", "/HX/LZ/SGX/SGX-HNP/"),
        ("zoushoutian", "/HX/LZ/SGX/SGX-HNP/SGX-HNP-SH/SGX-HNP-SH-WSS/"),
        ("jimingtang", "/HX/"),
        ("renguochang", "/HX/LZ/"),
        ("lushoucheng", "/HX/LZ/LZ-FE/"),
        ("yechengxuan", "/HX/YP/"),
    ],
)
def test_a_role_reaches_its_house_or_the_area_in_which_the_house_lies(begun: World, username: str, reach: str) -> None:
    assert {post.reach for post in begun.actor(username).posts} == {reach}


def test_who_works_for_one_house_is_nobody_who_works_for_the_area() -> None:
    assert not AREA_ROLES & {Role.VILLAGE_REPORTER, Role.FACILITY_REPORTER, Role.OBSTETRIC_SAFETY_OFFICE, Role.UNIT_HEAD, Role.RECTIFICATION_OWNER}
