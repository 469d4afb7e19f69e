"""Records: versions in a chain, sealed until revealed, read by those for whom they are."""

from __future__ import annotations

from uuid import uuid4

import pytest

from engine import packets, people, records
from engine.errors import NotFound
from models import Audience, Record, Role
from tests.engine.conftest import At
from tests.worlds import World


def forms_of(world: World, who: str) -> set[str]:
    return {row.form for row in records.of_case(world.session, world.actor(who), world.case_id)}


def test_who_reads_which_records(at: At) -> None:
    world = at("close_case")
    office, hospital, committee = forms_of(world, "tangyining"), forms_of(world, "qinhaitang"), forms_of(world, "lujianwei")
    assert {"report_card", "case_report", "investigation_report", "conclusion"} <= office
    assert {"report_card", "case_report"} <= hospital
    assert not hospital & {"investigation_report", "conclusion", "minutes", "redaction", "upper_review"}
    assert committee <= {"declaration", "opinion", "sign_off"}  # their own; the rest they read in the packet
    for nobody in ("xitong", "shenji", "liucheng"):
        assert forms_of(world, nobody) == set()


def test_every_role_reads_by_a_rule_that_is_written_down() -> None:
    assert {role for role in records.READABLE if Audience.AUTHOR in records.READABLE[role]} == set()
    identified = {role for role, kinds in records.READABLE.items() if kinds & records.IDENTIFIED}
    assert not identified & {Role.COMMITTEE_CHAIR, Role.COMMITTEE_DEPUTY, Role.COMMITTEE_MEMBER, Role.SECRETARY, Role.UPPER_REVIEWER}
    assert not identified & {Role.HEALTH_ADMINISTRATION, Role.SYSTEM_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR}


def test_an_opinion_is_its_author_s_alone_until_the_chair_opens_the_discussion(at: At) -> None:
    world = at("give_opinion")
    world.play("open_discussion")
    opinions = world.rows(Record, Record.form == "opinion")
    assert len(opinions) > 2
    authors = {row.submitted_by_id: row for row in opinions}
    member = world.actor("lujianwei")
    assert [row.id for row in records.of_case(world.session, member, world.case_id) if row.form == "opinion"] == [authors[member.person_id].id]
    for office in ("tangyining", "gaohuairen", "yanhuaijin"):
        assert "opinion" not in forms_of(world, office)
    assert all(row.revealed_at is None for row in opinions)
    assert "opinion" not in records.known(world.session, world.case_id, identified=True)
    world.play("record_minutes")
    packet = packets.of_case(world.session, world.case_id, 1)
    assert packet is not None
    assert {row.id for row, _ in packets.opinions(world.session, world.actor("lujianwei"), packet)} == {row.id for row in opinions}
    assert [row.id for row in records.of_case(world.session, member, world.case_id) if row.form == "opinion"] == [authors[member.person_id].id]
    for office in ("tangyining", "gaohuairen", "qinhaitang", "renguochang"):
        assert "opinion" not in forms_of(world, office)


def test_a_committee_s_role_elsewhere_opens_nothing_of_a_case_of_one_s_own_hospital(at: At) -> None:
    world = at("close_case")
    before = forms_of(world, "qinhaitang")
    outside = world.place("YP-RM")
    for role in (Role.COMMITTEE_MEMBER, Role.QC_OFFICER):
        people.appoint(world.session, world.actor("anquan"), world.person("qinhaitang"), role, outside)
    world.session.flush()
    assert forms_of(world, "qinhaitang") == before
    assert not before & {"conclusion", "minutes", "sitting", "sign_off", "opinion", "declaration"}


def test_what_was_corrected_stays_and_the_chain_is_told_newest_first(at: At) -> None:
    world = at("verify_report")
    for gravidity in (3, 4):
        world.hand_in(
            "verify_report",
            "tangyining",
            decision="return",
            return_forms=["report_card"],
            return_list=[{"form": "report_card", "item": "孕次", "what": "核对"}],
        )
        world.hand_in("fill_card", "qinhaitang", gravidity=gravidity)
        world.session.flush()
    latest = records.current(world.session, world.case_id, "report_card")
    assert latest is not None
    chain = records.versions(world.session, latest)
    assert [row.version for row in chain] == [3, 2, 1]
    assert [int(row.answers["gravidity"]) if not isinstance(row.answers["gravidity"], dict) else row.answers["gravidity"] for row in chain] == [
        4,
        3,
        2,
    ]
    assert [row.is_current for row in chain] == [True, False, False]
    known = records.known(world.session, world.case_id, identified=False)["report_card"]
    assert known["gravidity"] == latest.answers["gravidity"]


def test_a_warning_is_kept_with_the_record_it_was_given_for(at: At) -> None:
    world = at("fill_card")
    done = world.hand_in("fill_card", "qinhaitang", gravidity=1, parity=1, anc_visits=30)
    assert done.record is not None
    assert {"path": ["parity"], "rule": "parity_before"} in done.record.warnings
    assert ["anc_visits"] in [warning["path"] for warning in done.record.warnings]


def test_what_is_not_there_is_not_found(at: At) -> None:
    world = at("fill_card")
    with pytest.raises(NotFound):
        records.get(world.session, uuid4())
    assert records.current(world.session, world.case_id, "conclusion") is None
    notice = records.current(world.session, world.case_id, "notice")
    assert notice is not None
    assert records.get(world.session, notice.id).id == notice.id
