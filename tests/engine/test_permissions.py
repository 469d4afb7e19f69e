"""Who may do what, compared with the sheet of roles; and how far it reaches."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from engine import permissions
from engine.actor import Actor, Post, of_person
from engine.permissions import PERMISSIONS, Permission, allows, reaches, visible
from models import Case, CaseParty, Role, WorkItem, new_id
from tests.engine.conftest import At
from tests.worlds import World

P = Permission
# Review procedures, §2: what a role does and may see, role by role, and nothing besides.
WORK, PLACES, READS = "work-item:hand-in", "organisation:read", "procedure:read profile:read"
CASES = "case:list case:read"
SHEET = {
    Role.VILLAGE_REPORTER: f"{WORK} notice:take notice:read",  # first notice; own notices
    Role.TOWNSHIP_REPORTER: f"{WORK} {PLACES} {READS} {CASES} notice:take notice:read rectification:read",  # own area, identified
    Role.FACILITY_REPORTER: f"{WORK} {PLACES} {READS} {CASES} notice:take notice:read rectification:read",  # own facility, identified
    Role.OBSTETRIC_SAFETY_OFFICE: f"{WORK} {PLACES} {READS} {CASES} notice:take notice:read rectification:read",  # own facility
    Role.UNIT_HEAD: f"{WORK} {PLACES} {READS} {CASES} notice:read rectification:read",  # the head of the facility in the ladder, §3
    # own jurisdiction, identified; only the QC officer, or higher, changes a case's state, §4
    Role.QC_OFFICER: f"{WORK} {PLACES} {READS} {CASES} notice:take notice:read case:hold case:merge case:reopen case:journal conclusion:read "
    "rectification:read person:read",
    Role.MCH_HEAD: f"{WORK} {PLACES} {READS} {CASES} notice:read case:hold case:merge case:reopen case:journal conclusion:read rectification:read "
    "person:read case:cancel case:steer procedure:approve procedure:measure",
    Role.INVESTIGATOR: f"{WORK} {PLACES} {READS} case:list case:read-assigned",  # assigned cases, identified
    Role.REDACTION_OFFICER: f"{WORK} {PLACES} {READS} case:list case:read-assigned",
    Role.COMMITTEE_CHAIR: f"{WORK} {READS} packet:read",  # de-identified
    Role.COMMITTEE_DEPUTY: f"{WORK} {READS} packet:read",
    Role.COMMITTEE_MEMBER: f"{WORK} {READS} packet:read",
    Role.SECRETARY: f"{WORK} {READS} packet:read",
    Role.UPPER_REVIEWER: f"{WORK} {READS} packet:read",
    # conclusions and aggregates; identity only by explicit grant
    Role.HEALTH_ADMINISTRATION: f"{WORK} {PLACES} {READS} conclusion:read rectification:read accountability:read",
    Role.ACCOUNTABILITY_OFFICER: f"{WORK} accountability:read rectification:read",  # the file, not opinions or votes
    Role.RECTIFICATION_OWNER: f"{WORK} rectification:read",  # that item and its reason
    Role.VERIFIER: f"{WORK} rectification:read",  # item, evidence
    Role.PROCESS_ADMINISTRATOR: f"{READS} {PLACES} calendar:edit procedure:edit procedure:deploy procedure:approve procedure:measure procedure:migrate",  # no case content
    Role.SYSTEM_ADMINISTRATOR: f"{PLACES} organisation:edit person:read person:edit incident:retry calendar:edit",  # accounts, no case content
    Role.SECURITY_ADMINISTRATOR: f"{PLACES} person:read role:appoint",
    Role.AUDIT_ADMINISTRATOR: f"{PLACES} person:read journal:read",
}
IDENTIFIED = {P.CASE_READ, P.CASE_READ_ASSIGNED, P.CASE_LIST, P.NOTICE_READ}
COMMITTEE = (Role.COMMITTEE_CHAIR, Role.COMMITTEE_DEPUTY, Role.COMMITTEE_MEMBER, Role.SECRETARY, Role.UPPER_REVIEWER)
ADMINISTRATORS = (Role.PROCESS_ADMINISTRATOR, Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR)


def acting(*roles: Role, reach: str = "/HX/LZ/") -> Actor:
    key = new_id()
    posts = tuple(Post(role, key, "某院", f"{reach}X/", reach) for role in roles)
    return Actor(person_id=new_id(), name="某人", posts=posts, roles=frozenset(roles))


def test_the_permissions_are_alphabetical_and_read_as_noun_and_verb() -> None:
    names = [permission.name for permission in Permission]
    assert names == sorted(names)
    assert all(permission.value.count(":") == 1 for permission in Permission)


@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_what_the_sheet_says_and_nothing_else(role: Role) -> None:
    wanted = {Permission(value) for value in SHEET[role].split()}
    actor = acting(role)
    assert {permission for permission in Permission if allows(actor, permission)} == wanted
    assert permissions.permitted(actor) == wanted


@pytest.mark.parametrize("permission", Permission)
def test_without_a_role_nothing_is_allowed_and_nothing_is_reached(permission: Permission) -> None:
    assert not allows(acting(), permission)
    assert reaches(acting(), permission) == []


@pytest.mark.parametrize("permission", Permission)
def test_every_permission_is_somebody_s(permission: Permission) -> None:
    assert any(permission in granted for granted in PERMISSIONS.values())


def test_no_committee_member_and_no_administrator_sees_an_identified_case() -> None:
    for role in (*COMMITTEE, *ADMINISTRATORS, Role.HEALTH_ADMINISTRATION, Role.ACCOUNTABILITY_OFFICER, Role.RECTIFICATION_OWNER, Role.VERIFIER):
        assert not PERMISSIONS[role] & IDENTIFIED, role
    for role in ADMINISTRATORS:
        assert P.WORK_ITEM_HAND_IN not in PERMISSIONS[role]
        assert not PERMISSIONS[role] & {P.CONCLUSION_READ, P.PACKET_READ, P.ACCOUNTABILITY_READ, P.RECTIFICATION_READ}


def test_the_three_administrators_share_nothing_that_changes_anything() -> None:
    changing = {P.PERSON_EDIT, P.ROLE_APPOINT, P.JOURNAL_READ, P.ORGANISATION_EDIT, P.INCIDENT_RETRY}
    sets = [PERMISSIONS[role] & changing for role in (Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR)]
    assert all(sets)
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]


def test_the_review_never_reads_the_accountability_file() -> None:
    readers = {role for role, granted in PERMISSIONS.items() if P.ACCOUNTABILITY_READ in granted}
    assert readers == {Role.HEALTH_ADMINISTRATION, Role.ACCOUNTABILITY_OFFICER}


def test_a_second_factor_is_asked_of_whoever_sees_names_or_decides_who_does() -> None:
    assert {
        Role.QC_OFFICER,
        Role.VILLAGE_REPORTER,
        Role.INVESTIGATOR,
        Role.SYSTEM_ADMINISTRATOR,
        Role.SECURITY_ADMINISTRATOR,
    } <= permissions.IDENTIFIED_ROLES
    assert not permissions.IDENTIFIED_ROLES & {*COMMITTEE, Role.RECTIFICATION_OWNER, Role.VERIFIER, Role.ACCOUNTABILITY_OFFICER}


# ── how far it reaches ──


def seen(world: World, actor: Actor) -> bool:
    return world.session.scalar(sa.select(Case.id).where(Case.id == world.case_id, visible(actor))) is not None


@pytest.mark.parametrize(
    ("username", "sees"),
    [
        ("tangyining", True),  # the MCH institution in charge
        ("gaohuairen", True),
        ("jimingtang", True),  # the head of the province's, above it
        ("qinhaitang", True),  # the facility where she died
        ("lushoucheng", True),
        ("yushuqin", True),  # the township of her household
        ("fuyubai", False),  # another hospital of the same city
        ("fangjingshu", False),  # another township
        ("waidi", False),  # another city
        ("renguochang", False),  # the administration: conclusions only
        ("xushenyan", False),  # the chair: the packet only
        ("peiwenxiu", False),
        ("xitong", False),
        ("shenji", False),
        ("liucheng", False),
        ("zoushoutian", False),
    ],
)
def test_a_case_is_seen_identified_by_those_with_a_part_in_it_and_by_nobody_else(at: At, username: str, sees: bool) -> None:
    world = at("verify_report")
    assert seen(world, world.actor(username)) is sees


def test_an_investigator_sees_a_case_once_a_step_of_it_is_theirs(at: At) -> None:
    world = at("verify_report")
    assert not seen(world, world.actor("fanyunzhi"))
    world.play("visit_scene")
    assert seen(world, world.actor("fanyunzhi"))
    assert not seen(world, world.actor("qitinglan"))


def test_a_redaction_officer_sees_the_case_while_and_after_redacting_and_another_one_never(at: At) -> None:
    world = at("redact")
    assert seen(world, world.actor("qitinglan"))
    world.hand_in("redact", "qitinglan")
    assert seen(world, world.actor("qitinglan"))
    assert not seen(world, world.actor("waidi"))


def test_a_part_of_the_tree_whose_code_begins_alike_is_another_part(at: At) -> None:
    world = at("verify_report")
    outside = acting(Role.QC_OFFICER, reach="/HX/L/")
    assert not seen(world, outside)
    assert not seen(world, acting(Role.QC_OFFICER, reach="/HX/LZ-FE/"))
    assert seen(world, acting(Role.QC_OFFICER, reach="/HX/LZ/"))


@pytest.mark.parametrize("reach", ["/%/", "/HX/L_/", "%", "/HX/LZ/%' OR '1'='1"])
def test_a_reach_is_text_and_never_a_pattern(at: At, reach: str) -> None:
    assert not seen(at("verify_report"), acting(Role.QC_OFFICER, reach=reach))


def test_whoever_had_the_case_before_a_transfer_keeps_seeing_it(at: At) -> None:
    world = at("verify_report")
    rows = world.rows(CaseParty, CaseParty.case_id == world.case_id)
    assert {row.capacity for row in rows} >= {"owner", "facility", "township", "administration"}
    world.session.add(CaseParty(case_id=world.case_id, organisation_id=world.place("YP-FY").id, capacity="former_owner"))
    world.session.flush()
    assert seen(world, world.actor("waidi"))


def test_a_role_elsewhere_gives_no_work_here(at: At) -> None:
    world = at("verify_report")

    def claimable(username: str) -> set[str]:
        return set(world.session.scalars(sa.select(WorkItem.element).where(permissions.claimable(world.actor(username)))))

    assert "verify_report" in claimable("tangyining")
    assert claimable("waidi") == set()
    assert claimable("fuyubai") == set()


def test_who_must_not_do_a_step_may_not_claim_it(at: At) -> None:
    world = at("check_redaction")
    item = world.item("check_redaction")
    assert item.excluded_id == world.person("qitinglan").id
    item.excluded_id = world.person("linshuhe").id
    world.session.flush()
    claimable = sa.select(WorkItem.id).where(WorkItem.id == item.id)
    assert world.session.scalar(claimable.where(permissions.claimable(world.actor("linshuhe")))) is None
    assert world.session.scalar(claimable.where(permissions.claimable(world.actor("tangyining")))) == item.id


def test_an_actor_s_reach_is_their_area_and_for_those_of_one_house_the_house(begun: World) -> None:
    assert reaches(of_person(begun.session, begun.person("tangyining")), P.CASE_READ) == ["/HX/LZ/"]
    assert reaches(of_person(begun.session, begun.person("qinhaitang")), P.CASE_READ) == ["/HX/LZ/LZ-FE/"]
    assert reaches(of_person(begun.session, begun.person("yushuqin")), P.CASE_READ) == ["/HX/LZ/WS/WS-TH/"]
