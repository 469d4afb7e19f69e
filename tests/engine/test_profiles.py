"""Local values: what is shipped, inherited, in force, and kept by a case that began under them."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from engine import clock, organisations, profiles
from engine.errors import NotFound
from engine.limits import Limit
from models import Profile, ProfileVersion, new_id
from tests.engine.conftest import At
from tests.worlds import World

# Review procedures, §13: what each shipped profile keeps.
DEFAULT = {
    "notify_facility": (24, "h"),
    "notify_village": (24, "h"),
    "notify_township": (24, "h"),
    "case_report": (2, "d"),
    "facility_discussion": (72, "h"),
    "investigation": (10, "wd"),
    "county_review": (14, "d"),
    "city_review": (30, "d"),
    "national_export": (10, "dom"),
    "verification": (3, "wd"),
    "packet": (5, "wd"),
    "sign_off": (3, "wd"),
    "receive_notice": (1, "d"),
    "collective_review": None,
    "rectification_item": None,
}
LOCAL = {
    "cn_default": (DEFAULT, ["conclusion"], True),
    "jieshou": ({**DEFAULT, "county_review": (30, "d"), "city_review": None}, ["trace_back"], False),
    "rencheng": ({**DEFAULT, "city_review": None, "collective_review": (92, "d")}, ["event"], False),
}


def version(world: World, key: str, number: int, effective_on: date, **values: object) -> ProfileVersion:
    """Add a version of a profile with some values of its own."""
    profile = world.session.scalars(sa.select(Profile).where(Profile.key == key)).one()
    content = dict(profiles.values(world.session, profiles.in_force(world.session, key).id).content)
    content["values"] = {**content["values"], **values}
    row = ProfileVersion(
        id=new_id(),
        profile_id=profile.id,
        number=number,
        digest=hashlib.sha256(str((key, number, values)).encode()).hexdigest(),
        content=content,
        effective_on=effective_on,
        created_at=clock.now(),
    )
    world.session.add(row)
    world.session.flush()
    return row


@pytest.mark.parametrize("key", sorted(LOCAL))
def test_a_shipped_profile_keeps_the_limits_and_values_of_its_source(begun: World, key: str) -> None:
    limits, triggers, onsite = LOCAL[key]
    found = profiles.values(begun.session, profiles.in_force(begun.session, key).id)
    assert {name: (kept.value, kept.unit) if (kept := found.limit(name)) else None for name in limits} == limits
    assert (found.values["accountability_triggers"], found.values["onsite_required"]) == (triggers, onsite)


def test_three_profiles_are_shipped() -> None:
    assert set(profiles.shipped()) == set(LOCAL)


@pytest.mark.parametrize("key", sorted(LOCAL))
def test_every_limit_says_in_both_languages_what_its_rule_is_where_from_and_who_is_told(key: str) -> None:
    for name, entry in profiles.shipped()[key]["limits"].items():
        assert all(entry.get(word) for word in ("name", "name_en", "rule", "rule_en", "source", "unit")), name
        assert isinstance(entry["overdue"], list), name
        assert isinstance(entry["escalated"], list), name


def test_a_profile_inherits_what_it_does_not_name_and_changes_only_what_it_does() -> None:
    shipped = profiles.shipped()
    default, local = shipped["cn_default"]["limits"]["county_review"], shipped["jieshou"]["limits"]["county_review"]
    assert local["value"] == 30
    assert local["overdue"] == default["overdue"]
    assert local["source"] != default["source"]
    assert shipped["jieshou"]["limits"]["case_report"] == shipped["cn_default"]["limits"]["case_report"]
    assert shipped["jieshou"]["values"]["quorum_min"] == shipped["cn_default"]["values"]["quorum_min"]
    assert shipped["cn_default"]["limits"]["city_review"]["value"] == 30


def test_a_limit_that_nobody_knows_is_a_mistake_and_one_that_is_not_kept_is_none(begun: World) -> None:
    found = profiles.values(begun.session, profiles.in_force(begun.session, "jieshou").id)
    assert found.limit("city_review") is None
    assert found.limit("case_report") == Limit("case_report", 2, "d")
    with pytest.raises(KeyError):
        found.limit("nobody_knows")
    assert found.describe("nobody_knows") == {}


def test_loading_the_shipped_profiles_again_adds_nothing(begun: World) -> None:
    assert profiles.load_shipped(begun.session) == 0
    assert {row.number for row in begun.rows(ProfileVersion)} == {1}


def test_a_version_is_in_force_from_its_day_on(begun: World) -> None:
    later = version(begun, "jieshou", 2, date(2026, 11, 1), quorum_min=4)
    assert profiles.in_force(begun.session, "jieshou").number == 1
    begun.move(datetime(2026, 10, 31, 16, 0, tzinfo=UTC))  # midnight of the office
    assert profiles.in_force(begun.session, "jieshou").id == later.id
    assert profiles.values(begun.session, later.id).values["quorum_min"] == 4


def test_of_two_versions_of_a_day_the_later_number_is_in_force(begun: World) -> None:
    version(begun, "jieshou", 2, date(2026, 6, 1))
    third = version(begun, "jieshou", 3, date(2026, 6, 1), quorum_min=5)
    assert profiles.in_force(begun.session, "jieshou").id == third.id


def test_a_profile_that_is_not_there_or_not_yet_in_force_is_not_found(begun: World) -> None:
    begun.session.execute(sa.update(ProfileVersion).values(effective_on=date(2027, 1, 1)))
    with pytest.raises(NotFound):
        profiles.in_force(begun.session, "cn_default")
    with pytest.raises(NotFound):
        profiles.in_force(begun.session, "nobody_knows")
    with pytest.raises(NotFound):
        profiles.values(begun.session, new_id())


@pytest.mark.parametrize(
    ("city", "county", "at_county", "at_hospital"),
    [
        ("rencheng", None, "rencheng", "rencheng"),
        ("rencheng", "jieshou", "jieshou", "rencheng"),
        (None, None, "cn_default", "cn_default"),
    ],
)
def test_an_organisation_works_by_its_own_profile_or_the_nearest_above(
    begun: World,
    city: str | None,
    county: str | None,
    at_county: str,
    at_hospital: str,
) -> None:
    keys = dict(begun.session.execute(sa.select(Profile.key, Profile.id)).all())
    for code, key in (("LZ", city), ("SGX", county)):
        organisations.change(begun.session, begun.actor("xitong"), begun.place(code), {"profile_id": keys.get(key)})
    assert profiles.of_organisation(begun.session, begun.place("SGX-HNP-SH-WSS")).profile.key == at_county
    assert profiles.of_organisation(begun.session, begun.place("LZ-FE")).profile.key == at_hospital


def test_a_running_case_keeps_the_version_it_began_with(at: At) -> None:
    world = at("verify_report")
    before = world.case.profile_version_id
    newer = version(world, "cn_default", 2, clock.today() - timedelta(days=1), onsite_required=False)
    world.hand_in("verify_report", "tangyining")
    assert world.case.profile_version_id == before != newer.id
    assert profiles.of_organisation(world.session, world.place("LZ-FY")).id == newer.id


def test_the_known_limits_are_those_of_any_shipped_profile() -> None:
    assert profiles.known_limits() == {name for content in profiles.shipped().values() for name in content["limits"]}
