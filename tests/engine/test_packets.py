"""Packets: what reviewers read says nothing of whom, where and when; it is read by those who have declared, until withdrawn."""

from __future__ import annotations

import json
from datetime import date

import pytest

from engine import identifiers, packets, procedures, subjects, work_items
from engine.errors import FormInvalid, NotFound, Recused
from engine.identifiers import Terms, find
from models import JournalEntry, Organisation, Packet, PacketReader, Record
from tests.engine.conftest import At
from tests.worlds import World

MEMBER = "lujianwei"


def packet_of(world: World) -> Packet:
    found = packets.of_case(world.session, world.case_id, world.case.course)
    assert found is not None
    return found


def opens(world: World, who: str) -> bool:
    try:
        packets.read(world.session, world.actor(who), packet_of(world).number)
    except (NotFound, Recused):
        return False
    return True


# ── what must not be in it ──


def test_a_packet_names_nobody_no_place_and_no_day(at: At) -> None:
    world = at("give_opinion")
    packet = packet_of(world)
    text = json.dumps([packet.title, packet.content], ensure_ascii=False)
    deployed = procedures.deployed(world.session, world.case.procedure_version_id)
    terms = packets.terms(world.session, world.case, deployed)
    assert {"沈若蘅", "若蘅", "341299198603120422"} <= terms.subject
    assert "澜州市妇女儿童医院" in terms.places
    for term in [*terms.all(), *subjects.identifiers(world.session, world.case_id)]:
        assert term not in text, term
    for organisation in world.rows(Organisation):
        assert organisation.name not in text
    assert str(world.case.number) not in text
    assert "2026-10" not in text
    assert "2026年" not in text
    assert "机构 A" in text


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("沈若蘅入院", "subject"),
        ("若蘅诉头晕", "subject"),
        ("沈女士诉头晕", "subject"),
        ("沈 若 蘅 入院", "subject"),
        ("转诊自市一院", "place"),
        ("由覃海棠接诊", "person"),
        ("证件 341299198603120422", "number"),
        ("证件 ３４１２９９１９８６０３１２０４２２", "number"),
        ("证件 34129919860312042X", "number"),
        ("电话 138 0000 0417", "telephone"),
        ("电话 13800000417", "telephone"),
        ("电话 0550-0000999", "telephone"),
        ("2026年10月21日入院", "date"),
        ("10月21日入院", "date"),
        ("2026-10-21", "date"),
        ("20261021 入院", "date"),
        ("二〇二六年十月二十一日", "date"),
        ("2026—10—21", "date"),
        ("21/10/2026", "date"),
        ("沈\u200b若\u200b蘅", "subject"),
        ("沈·若·蘅", "subject"),
        ("沈-若-蘅", "subject"),
        ("沈若\u00ad蘅", "subject"),
        ("Shen Ruoheng", "subject"),
        ("ruoheng shen", "subject"),
        ("由覃海堂接诊", "person"),
        ("市 一 院", "place"),
        ("341299-19860312-0422", "number"),
        ("341299.19860312.042X", "number"),
        ("341299860312042", "number"),
        ("139.1234.5678", "telephone"),
        ("139 123 45678", "telephone"),
        ("139\u200b12345678", "telephone"),
        ("(0551)62345678", "telephone"),
        ("0551 62345678", "telephone"),
    ],
)
def test_what_identifies_is_found_however_it_is_written(said: str, kind: str) -> None:
    wanted = Terms(frozenset({"沈若蘅", "若蘅", "沈女士"}), frozenset({"覃海棠"}), frozenset({"市一院"}))
    assert kind in {found.kind for found in find(said, wanted)}, find(said, wanted)


@pytest.mark.parametrize(
    "said",
    [
        "第 3 天 +01:40 心率 120–130 次/分",
        "血小板 39×10⁹/L，麦角新碱 0.2 mg",
        "孕 36 周 6 天",
        "出血 13812 毫升",
        "血压 120/80 130/90 110/70 mmHg",
        "心率 130 90-100 110-120 次/分",
        "乳酸 2.1 3.4 5.6 7.8 9.1 10.2 11.3",
    ],
)
def test_what_does_not_identify_is_left_alone(said: str) -> None:
    wanted = Terms(frozenset({"沈若蘅", "若蘅"}), frozenset({"覃海棠"}), frozenset({"市一院"}))
    assert find(said, wanted) == []


@pytest.mark.parametrize(
    "narrative", ["患者沈若蘅入院。", "转自澜州市妇女儿童医院。", "电话 13800000417。", "2026年10月21日死亡。", "覃海棠医师处理。"]
)
def test_a_redaction_that_still_names_somebody_is_refused_at_its_field(at: At, narrative: str) -> None:
    world = at("redact")
    with pytest.raises(FormInvalid) as caught:
        world.hand_in("redact", "qitinglan", narrative="孕产妇病情经过。" * 30 + narrative)
    assert ("narrative",) in {finding.path for finding in caught.value.findings}
    assert packets.of_case(world.session, world.case_id, 1) is None


# ── who may open it ──


def test_it_is_opened_by_members_who_have_declared_and_reading_is_journalled(at: At) -> None:
    world = at("declare")
    assert not opens(world, MEMBER)
    assert not packets.mine(world.session, world.actor(MEMBER))
    world.hand_in("declare", MEMBER, of=MEMBER)
    world.session.flush()
    assert opens(world, MEMBER)
    world.session.flush()
    entry = world.rows(JournalEntry, JournalEntry.action == "packet:read")[-1]
    assert entry.actor_id == world.person(MEMBER).id
    for other in ("waidi", "qinhaitang", "renguochang", "xitong", "peiwenxiu", "baoyunfei"):
        assert not opens(world, other), other


def test_who_is_recused_sees_it_no_more(at: At) -> None:
    world = at("declare")
    world.hand_in("declare", MEMBER, of=MEMBER)
    world.session.flush()
    reader = world.rows(PacketReader, PacketReader.person_id == world.person(MEMBER).id)[0]
    assert opens(world, MEMBER)
    reader.recused_at = reader.declared_at
    world.session.flush()
    assert not opens(world, MEMBER)
    assert [row["presence"] for row in packets.panel_rows(world.session, world.case) if row["person"] == str(world.person(MEMBER).id)] == ["recused"]
    assert {"person": str(world.person(MEMBER).id), "recused": True, "advisory": False} in packets.members(world.session, world.case)


def test_it_is_withdrawn_after_the_conclusion_is_signed(at: At) -> None:
    world = at("close_case")
    packet = packet_of(world)
    assert packet.withdrawn_at is not None
    assert not opens(world, MEMBER)
    assert not packets.mine(world.session, world.actor(MEMBER))


def test_two_people_make_it_and_its_bytes_are_hashed(at: At) -> None:
    world = at("check_redaction")
    packet = packet_of(world)
    assert (packet.redacted_by_id, packet.checked_by_id, packet.released_at) == (world.person("qitinglan").id, None, None)
    world.hand_in("check_redaction", "linshuhe")
    world.session.flush()
    packet = world.rows(Packet)[0]
    assert packet.checked_by_id == world.person("linshuhe").id
    assert len(packet.content_hash) == 64
    again = json.dumps(packet.content, sort_keys=True, ensure_ascii=False).encode()
    import hashlib

    assert hashlib.sha256(again).hexdigest() == packet.content_hash


def test_days_are_counted_from_the_admission(at: At) -> None:
    world = at("give_opinion")
    content = packet_of(world).content
    assert content["day0"] == "admission"
    assert content["sections"]
    assert "第 0 天" in json.dumps(content, ensure_ascii=False)
    assert date.today().isoformat() not in json.dumps(content)


def test_quasi_identifiers_in_words_and_exact_sums_are_hidden(at: At) -> None:
    world = at("give_opinion")
    deployed = procedures.deployed(world.session, world.case.procedure_version_id)
    record = world.rows(Record, Record.form == "facility_annex")[0]
    record.answers = {**record.answers, "ethnic_name": "鄂温克族", "income_month": 6512}
    world.session.flush()
    shown = json.dumps(packets.preview(world.session, world.case, deployed), ensure_ascii=False)
    assert "鄂温克" not in shown
    assert "6512" not in shown
    assert "民族名称" in shown  # told among what is hidden


def test_a_place_is_told_without_its_city_and_a_village_without_its_address() -> None:
    assert identifiers.places_of("澜州市第一人民医院") == {"澜州市第一人民医院", "第一人民医院"}
    assert identifiers.places_of("市妇幼") == {"市妇幼"}
    assert {"上槐村", "黄泥铺乡"} <= identifiers.parts_of("澜州市石鼓溪县黄泥铺乡上槐村 12 号")


def test_what_the_records_give_is_covered_however_it_is_written() -> None:
    wanted = Terms(frozenset({"沈若蘅", "若蘅"}), frozenset({"覃海棠"}), identifiers.places_of("澜州市第一人民医院"))
    said = "沈 若\u3000蘅由第一 人民医院转来，电话１３９１２３４５６７８，２０２６年１０月２１日出血 1500 ml。"
    covered = identifiers.cover(said, wanted)
    assert covered == "〔已遮盖〕由〔已遮盖〕转来，电话〔已遮盖〕，〔已遮盖〕出血 1500 ml。"


@pytest.mark.parametrize("said", ["沈若蘅产后出血", "沈 若 蘅", "证件 341299198603120422", "家属电话 13800000417"])
def test_the_subject_is_not_named_in_what_leaves_the_office(at: At, said: str) -> None:
    world = at("plan_rectification")
    item = world.item("plan_rectification")
    answers = world.answers(item, "tangyining")
    answers["items"] = [{**row, "issue": f"{row.get('issue', '')}，{said}"} for row in answers["items"]]
    with pytest.raises(FormInvalid) as refused:
        work_items.hand_in(world.session, world.actor("tangyining"), item.id, answers, key="k")
    assert {finding.path[:1] for finding in refused.value.findings} == {("items",)}


def test_the_key_of_a_row_is_no_telephone(at: At) -> None:
    world = at("plan_rectification")
    item = world.item("plan_rectification")
    answers = world.answers(item, "tangyining")
    answers["items"] = [{**row, "row_id": "00000000-0000-4157-8751-139123456789"} if not place else row for place, row in enumerate(answers["items"])]
    assert work_items.hand_in(world.session, world.actor("tangyining"), item.id, answers, key="k").record is not None
