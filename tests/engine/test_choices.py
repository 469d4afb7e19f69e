"""Lists of a form that depend on the case: made when a form asks for them, from the area in charge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import choices, forms, organisations, people
from engine.codes import Code
from models import Role
from tests.worlds import World, counting


def form(*keys: str) -> forms.Form:
    """Return a form that asks for some lists, one of them in the rows of a list in a group."""
    fields: list[dict[str, Any]] = [
        {"type": "select", "id": f"F{place}", "key": f"f{place}", "label": "x", "valuesKey": key} for place, key in enumerate(keys)
    ]
    nested = [{"type": "group", "path": "g", "components": [{"type": "dynamiclist", "path": "rows", "components": fields}]}]
    schema = {"id": "t", "components": nested, "pingshen": {"title": "x", "title_en": "x", "audience": "case"}}
    return forms.parse(json.dumps(schema).encode())


def listed(world: World, key: str, home: str = "LZ-FY") -> list[str]:
    return [code.zh for code in choices.of_form(world.session, form(key), world.place(home))[key]]


def test_only_what_a_form_asks_for_is_made(begun: World) -> None:
    home = begun.place("LZ-FY")
    with counting(begun.engine) as seen:
        assert choices.of_form(begun.session, form("CS-YESNO"), home) == {}
        assert seen == []
        assert set(choices.of_form(begun.session, form("people.receivers"), home)) == {"people.receivers"}
        assert len(seen) == 1


def test_hospitals_are_those_of_the_area_and_of_the_one_above_it(begun: World) -> None:
    found = listed(begun, "organisations.hospitals")
    assert {"澜州市妇女儿童医院", "石鼓溪县人民医院", "云浦市人民医院", "澜州市妇幼保健院", "淮夏省妇幼保健院"} <= set(found)
    assert "黄泥铺乡卫生院" not in found
    assert set(listed(begun, "organisations.hospitals", "HX-FY")) == set(found)


def test_townships_stand_by_their_own_names(begun: World) -> None:
    assert set(listed(begun, "organisations.townships")) == {"桐花街道", "黄泥铺乡", "柳溪镇"}


def test_care_is_given_in_townships_and_villages_too(begun: World) -> None:
    assert {"澜州市妇女儿童医院", "黄泥铺乡卫生院", "上槐村卫生室"} <= set(listed(begun, "organisations.care"))


def test_an_inactive_institution_is_offered_no_longer(begun: World) -> None:
    organisations.change(begun.session, begun.actor("xitong"), begun.place("LZ-AH"), {"is_active": False})
    assert "澜州安和妇产医院" not in listed(begun, "organisations.hospitals")


def test_the_committee_is_the_office_s_own_first_then_the_others(begun: World) -> None:
    found = listed(begun, "people.committee")
    own = [name for name in found if "澜州市妇幼保健院" in name]
    assert found[: len(own)] == own
    assert any("云浦市人民医院" in name for name in found[len(own) :])
    assert any("鲍云飞" in name for name in found)


def test_receivers_and_investigators_are_the_area_s_own(begun: World) -> None:
    assert {name.split(" ")[0] for name in listed(begun, "people.receivers")} == {"汤以宁", "林书禾"}
    assert {name.split(" ")[0] for name in listed(begun, "people.investigators")} == {"汤以宁", "林书禾", "范允之", "白露"}


def test_a_person_with_several_roles_stands_in_a_list_once(begun: World) -> None:
    people.appoint(begun.session, None, begun.person("bailu"), Role.QC_OFFICER, begun.place("LZ-FY"))
    found = [code.code for code in choices.of_form(begun.session, form("people.investigators"), begun.place("LZ-FY"))["people.investigators"]]
    assert len(found) == len(set(found)) == 4


def test_who_left_or_is_inactive_is_offered_no_longer(begun: World) -> None:
    people.change(begun.session, begun.actor("xitong"), begun.person("linshuhe"), is_active=False)
    post = people.get(begun.session, "bailu").appointments[0]
    people.dismiss(begun.session, begun.actor("anquan"), post.id)
    assert {name.split(" ")[0] for name in listed(begun, "people.investigators")} == {"汤以宁", "范允之"}


def test_lists_of_the_case_are_made_on_demand_and_replace_those_of_the_same_name(begun: World) -> None:
    made: list[str] = []

    def matches() -> list[Code]:
        made.append("matches")
        return [Code("1", "甲", "A")]

    home = begun.place("LZ-FY")
    assert choices.of_form(begun.session, form("people.receivers"), home, {"matches": matches}).keys() == {"people.receivers"}
    assert made == []
    assert choices.of_form(begun.session, form("matches"), home, {"matches": matches}) == {"matches": [Code("1", "甲", "A")]}


@pytest.mark.parametrize(
    ("username", "code", "hospital", "receiver"),
    [("qinhaitang", "LZ-FE", True, False), ("tangyining", "LZ-FY", True, True), ("fangjingshu", "SGX-HNP-WSY", False, False)],
)
def test_a_form_knows_of_its_person_what_it_needs(begun: World, username: str, code: str, hospital: bool, receiver: bool) -> None:
    found = choices.person(begun.actor(username), begun.place(code))
    assert (found["is_hospital"], found["is_receiver"], found["organisation"]) == (hospital, receiver, str(begun.place(code).id))
    assert set(found) == {"id", "name", "organisation", "organisation_name", "is_hospital", "is_mch", "is_receiver", "roles", "title", "discipline"}


def test_the_area_of_an_institution_is_the_node_above_it(begun: World) -> None:
    assert choices.area_of(begun.place("LZ-FE")) == "/HX/LZ/"
    assert choices.area_of(begun.place("LZ")) == "/HX/LZ/"
