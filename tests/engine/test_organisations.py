"""The tree from village to province, and who has a part in a case."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import clock, organisations, people
from engine.errors import InvalidInput, NotFound
from models import JournalEntry, Level, Organisation, OrganisationKind, Role, new_id
from tests.worlds import World

AREA, HOSPITAL, MCH = OrganisationKind.AREA, OrganisationKind.HOSPITAL, OrganisationKind.MCH_INSTITUTION


def added(world: World, parent: str | None, code: str, kind: OrganisationKind = HOSPITAL) -> Organisation:
    return organisations.add(
        world.session, world.actor("xitong"), parent=world.place(parent) if parent else None, code=code, name="新院", kind=kind, level=Level.CITY
    )


def test_the_tree_is_told_in_its_order_parents_before_children(begun: World) -> None:
    paths = [row.path for row in organisations.tree(begun.session)]
    assert paths[0] == "/HX/"
    for path in paths[1:]:
        assert path.rstrip("/").rsplit("/", 1)[0] + "/" in paths[: paths.index(path)]


def test_an_organisation_is_added_under_an_area_with_its_path(begun: World) -> None:
    row = added(begun, "LZ", " LZ-X1 ")
    assert (row.code, row.path, row.parent_id, row.is_active) == ("LZ-X1", "/HX/LZ/LZ-X1/", begun.place("LZ").id, True)
    assert added(begun, None, "GD", AREA).path == "/GD/"
    entry = begun.rows(JournalEntry, JournalEntry.object_id == row.id)[0]
    assert (entry.action, entry.detail, entry.actor_id) == ("organisation:add", {"code": "LZ-X1"}, begun.person("xitong").id)


@pytest.mark.parametrize("code", ["", "  ", "LZ/FE", "LZ FE", "LZ_FE", "LZ%", "妇幼", "../LZ", "LZ-FE", "lz-fe", "A" * 21, "LZ\x00", "LZ'"])
def test_a_code_that_is_taken_or_no_code_is_refused(begun: World, code: str) -> None:
    before = len(organisations.tree(begun.session))
    with pytest.raises(InvalidInput):
        added(begun, "LZ", code)
    assert len(organisations.tree(begun.session)) == before


def test_nothing_lies_under_an_institution(begun: World) -> None:
    with pytest.raises(InvalidInput):
        added(begun, "LZ-FE", "LZ-X1")


def test_names_change_and_the_place_in_the_tree_stays(begun: World) -> None:
    row, actor = begun.place("LZ-FE"), begun.actor("xitong")
    organisations.change(
        begun.session,
        actor,
        row,
        {
            "name": "新名",
            "code": "ZZ",
            "path": "/ZZ/",
            "parent_id": begun.place("YP").id,
            "id": new_id(),
            "phone": "1",
        },
    )
    begun.session.refresh(row)
    assert (row.name, row.phone, row.code, row.path, row.parent_id) == ("新名", "1", "LZ-FE", "/HX/LZ/LZ-FE/", begun.place("LZ").id)
    assert begun.rows(JournalEntry, JournalEntry.action == "organisation:change")[0].detail == {"columns": ["name", "phone"]}
    organisations.change(begun.session, actor, row, {"name": "新名"})
    assert len(begun.rows(JournalEntry, JournalEntry.action == "organisation:change")) == 1


def test_a_subtree_holds_what_lies_in_it_and_nothing_whose_code_begins_alike(begun: World) -> None:
    added(begun, "HX", "LZ2", AREA)
    added(begun, "LZ2", "LZ2-H")
    under = {row.code for row in organisations.of_kind(begun.session, [HOSPITAL], under="/HX/LZ/")}
    assert under == {"LZ-FE", "LZ-YY", "LZ-AH", "SGX-RM", "QH-RM"}
    assert {row.code for row in organisations.of_kind(begun.session, [HOSPITAL])} >= under | {"LZ2-H", "YP-RM"}
    assert organisations.of_kind(begun.session, [HOSPITAL], under="/HX/L%/") == []


def test_an_inactive_institution_is_in_no_list(begun: World) -> None:
    organisations.change(begun.session, begun.actor("xitong"), begun.place("LZ-FE"), {"is_active": False})
    assert "LZ-FE" not in {row.code for row in organisations.of_kind(begun.session, [HOSPITAL])}
    assert "LZ-FE" in {row.code for row in organisations.tree(begun.session)}


@pytest.mark.parametrize(
    ("code", "kind", "above", "found"),
    [
        ("LZ-FE", MCH, 0, "LZ-FY"),
        ("SGX-HNP-SH-WSS", MCH, 0, "LZ-FY"),
        ("LZ-FY", MCH, 0, "LZ-FY"),
        ("LZ-FY", MCH, 1, "HX-FY"),
        ("HX-FY", MCH, 1, None),
        ("LZ-FE", OrganisationKind.HEALTH_ADMINISTRATION, 0, "LZ-WJW"),
        ("YP-RM", OrganisationKind.HEALTH_ADMINISTRATION, 0, "HX-WJW"),
        ("SGX-HNP-SH-WSS", OrganisationKind.TOWNSHIP_HEALTH_CENTRE, 0, "SGX-HNP-WSY"),
        ("LZ-FE", OrganisationKind.TOWNSHIP_HEALTH_CENTRE, 0, None),
    ],
)
def test_the_institution_that_serves_a_place_is_the_one_in_the_nearest_area(
    begun: World,
    code: str,
    kind: OrganisationKind,
    above: int,
    found: str | None,
) -> None:
    nearest = organisations.nearest(begun.session, begun.place(code).path, kind, above=above)
    assert (nearest.code if nearest else None) == found


def test_an_inactive_institution_serves_nobody(begun: World) -> None:
    organisations.change(begun.session, begun.actor("xitong"), begun.place("LZ-FY"), {"is_active": False})
    nearest = organisations.nearest(begun.session, begun.place("LZ-FE").path, MCH)
    assert nearest is not None
    assert nearest.code == "HX-FY"


def test_two_institutions_of_one_area_are_one_level(begun: World) -> None:
    added(begun, "LZ", "LZ-FY2", MCH)
    above = organisations.nearest(begun.session, begun.place("LZ-FE").path, MCH, above=1)
    assert above is not None
    assert above.code == "HX-FY"


def test_the_parties_of_a_case_are_named_by_capacity(begun: World) -> None:
    found = organisations.parties(begun.session, facility=begun.place("LZ-FE"), township=begun.place("WS-TH-SQ"), owner=begun.place("LZ-FY"))
    codes = {str(row.id): row.code for row in organisations.tree(begun.session)}
    assert {capacity: codes[key] for capacity, key in found.items()} == {
        "owner": "LZ-FY",
        "facility": "LZ-FE",
        "township": "WS-TH-SQ",
        "reporting": "LZ-FE",
        "administration": "LZ-WJW",
        "upper": "HX-FY",
    }


def test_without_a_facility_the_township_reports_and_without_an_upper_level_the_owner_is_it(begun: World) -> None:
    found = organisations.parties(begun.session, facility=None, township=begun.place("WS-TH-SQ"), owner=begun.place("HX-FY"))
    assert found["reporting"] == found["township"]
    assert found["upper"] == found["owner"]
    assert "facility" not in found


def test_people_are_found_by_role_place_and_day_and_inactive_ones_are_not(begun: World) -> None:
    office, today = begun.place("LZ-FY").id, clock.today()

    def names(roles: list[Role], day: object = today) -> set[str]:
        by_id = {begun.person(name).id: name for name in ("tangyining", "linshuhe", "gaohuairen", "bailu")}
        return {by_id[key] for key, _ in organisations.people_with(begun.session, office, roles, day) if key in by_id}

    assert names([Role.QC_OFFICER, Role.MCH_HEAD]) == {"tangyining", "linshuhe", "gaohuairen"}
    assert names([Role.QC_OFFICER], today.replace(year=2025)) == set()
    people.appoint(begun.session, None, begun.person("bailu"), Role.QC_OFFICER, begun.place("LZ-FY"), from_on=today + timedelta(days=1))
    assert "bailu" not in names([Role.QC_OFFICER])
    assert "bailu" in names([Role.QC_OFFICER], today + timedelta(days=1))
    people.change(begun.session, begun.actor("xitong"), begun.person("linshuhe"), is_active=False)
    assert names([Role.QC_OFFICER]) == {"tangyining"}
    assert organisations.people_with(begun.session, None, [Role.QC_OFFICER], today) == []


def test_an_organisation_that_is_not_there_is_not_found(begun: World) -> None:
    with pytest.raises(NotFound):
        organisations.get(begun.session, new_id())
