"""What somebody hostile sends to the studio: nothing hangs, nothing costs more than its text, nothing of another area is told."""

from __future__ import annotations

import io
import json
import resource
import struct
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from engine import clock, drafts, procedures, scenarios, trials, version_changes
from engine.actor import Actor, of_person
from engine.errors import ApprovalNeeded, FileUnfit, NotFound
from engine.transaction import transaction
from engine.workflow import bounds
from models import Appointment, Case, Organisation, Person, ProcedureApproval, ProcedureDraft, ProcedureVersion, Record, Role, TrialKind
from models.database import Sessions
from tests.web.conftest import Browser

KEY = "maternal_death"
MANIFEST = "procedure.toml"


@pytest.fixture
def studio(browse: Callable[..., Browser]) -> Any:
    """A process administrator with a draft begun, who sends what no page sends."""
    person = browse("liucheng")
    assert person.post(f"/studio/{KEY}/draft").status_code == 302
    return Attacker(person)


class Attacker:
    def __init__(self, person: Browser) -> None:
        self.person, self.token = person, person.token("/account")

    def send(self, path: str, body: bytes) -> Any:
        headers = {"X-CSRFToken": self.token, "Accept": "application/json"}
        return self.person.client.post(f"/studio/{KEY}/{path}", data=body, headers=headers, content_type="application/json")

    def bring(self, *files: tuple[bytes, str]) -> Any:
        headers = {"X-CSRFToken": self.token, "Accept": "application/json"}
        sent = [(io.BytesIO(content), name) for content, name in files]
        return self.person.client.post(f"/studio/{KEY}/import", data={"files": sent}, headers=headers, content_type="multipart/form-data")


@pytest.mark.parametrize("path", ["files", "check", "mend", "lock", "undo", "decisions/run", "forms/preview"])
def test_bodies_that_cost_more_than_their_text_are_refused_before_they_are_read(studio: Attacker, path: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for body in (b"[" * 200_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b'{"files":[' + b"[]," * 490_000 + b"[]]}"):
        assert studio.send(path, body).status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    assert studio.send(path, b'{"files": NaN, "revision": 1' + b"0" * 400 + b"}").status_code in (200, 409, 422)


def test_a_body_with_many_signs_inside_its_texts_is_read(studio: Attacker) -> None:
    text = json.dumps({"a": [[1, 2, '\\"']] * 9_000})
    answer = studio.send("files", json.dumps({"revision": 1, "files": {"forms/many.json": text}, "what": "half \ud800 a \x00 pair"}).encode())
    assert (answer.status_code, answer.get_json()["revision"]) == (200, 2)


@pytest.mark.parametrize("head", [b"<process ", b"<process:process:", b"<a:process b:name ", b"<" + b"a" * 70 + b":process "])
def test_no_title_is_searched_for_longer_than_a_moment(studio: Attacker, head: bytes, sessions: Sessions) -> None:
    with transaction(sessions) as session:
        draft = drafts.get(session, KEY)
        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == "liucheng")).one())
        drafts.save(session, actor, draft, {"shared/long.bpmn": head * (1_500_000 // len(head))}, draft.revision)
    began = time.process_time()
    assert studio.person.get(f"/studio/{KEY}/files").status_code == 200
    assert time.process_time() - began < 1


def packed(entries: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_zips_that_are_traps_are_refused(studio: Attacker) -> None:
    good = packed({"forms/a.json": bytes(range(256)) * 40})
    damaged = bytearray(good)
    at = good.find(b"forms/a.json") + len("forms/a.json")
    damaged[at : at + 20] = bytes(byte ^ 0x5A for byte in damaged[at : at + 20])
    many = packed(dict.fromkeys(map(str, range(2_000)), b""), zipfile.ZIP_STORED)
    large = [packed({f"forms/b{place}_{number}.json": b"0" * 1_900_000 for number in range(3)}) for place in range(3)]
    lzma = bytearray(packed({"forms/a.json": b"{}" * 5_000}, zipfile.ZIP_LZMA))
    struct.pack_into("<I", lzma, lzma.find(b"forms/a.json") + 12 + 5, 0xFFFFFFFF)
    for sent in ([bytes(damaged)], [many], large, [bytes(lzma)], [b"PK" + b"\x01\x02" * 9]):
        answer = studio.bring(*((content, f"{place}.zip") for place, content in enumerate(sent)))
        assert (answer.status_code, bool(answer.get_json()["problem"])) == (422, True)
    assert studio.bring((good, "a.zip")).get_json()["paths"] == ["forms/a.json"]


def test_a_diagram_in_another_encoding_comes_in_whole(studio: Attacker) -> None:
    text = procedures.shipped_files(KEY)["maternal_death.bpmn"].decode()
    assert 'encoding="UTF-8"' in text
    for encoding in ("utf-16", "gb18030"):
        content = text.replace('encoding="UTF-8"', f'encoding="{encoding.upper()}"').encode(encoding)
        assert studio.bring((content, "from_elsewhere.bpmn")).status_code == 200
        assert studio.person.client.get(f"/studio/{KEY}/files/shared/from_elsewhere.bpmn").get_json()["text"] == text


@pytest.mark.parametrize(
    "path",
    [
        f"/studio/{KEY}/compare?with={10**20}",
        f"/procedures/{KEY}/versions/{10**20}",
        f"/version-changes/{KEY}/{10**20}",
        f"/studio/{KEY}/walk?do=do:verify_report:²",
        f"/bottlenecks/{KEY}?period=own&since=0001-01-01&until=9999-12-31",
        f"/procedures/{KEY}/event-log.xes?version=²&period=own&since=0001-01-01",
        f'/studio/{KEY}/walk?act={{"w":"x","p":Infinity}}',
    ],
)
def test_numbers_and_days_that_no_database_keeps_are_answered(studio: Attacker, path: str) -> None:
    answer = studio.person.get(path)
    assert answer.status_code in (200, 302, 404, 422)
    assert answer.data is not None


def test_days_that_no_database_keeps_begin_no_replay(studio: Attacker) -> None:
    for wanted in ({"since": "0001-01-01"}, {"until": "9999-12-31"}):
        assert studio.person.post(f"/studio/{KEY}/trials", wanted).headers["Location"].endswith("/trials")


def test_dotted_keys_cost_no_more_than_their_text() -> None:
    began = time.process_time()
    for content in (b"a." * 90_000 + b"a = 1", b"[" + b"a." * 90_000 + b"a]", b"a = " + b"[" * 90_000, b"\n".join([b"a." * 100 + b"a = 1"] * 900)):
        with pytest.raises(ValueError, match=r"too large|too deeply"):
            bounds.scenario(content)
        found = scenarios.scenarios({"scenarios/a.toml": content})
        assert found[0].problem
    assert time.process_time() - began < 1


# ── deploying ──


def test_a_draft_is_not_deployed_as_another_procedure(studio: Attacker, sessions: Sessions) -> None:
    with transaction(sessions, read_only=True) as session:
        text = drafts.file(session, drafts.get(session, KEY), MANIFEST).decode()
    other = text.replace(f'key = "{KEY}"', 'key = "near_miss"')
    assert other != text
    answer = studio.send("files", json.dumps({"revision": 1, "files": {MANIFEST: other}}).encode()).get_json()
    assert "key_of_another" in {finding["code"] for finding in answer["findings"]}
    assert studio.person.post(f"/studio/{KEY}/deploy", {"comment": "x", "activate": "now"}).status_code == 422
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ProcedureVersion).where(ProcedureVersion.comment == "x")) == 0


def test_nobody_deploys_what_somebody_else_writes_or_what_was_saved_since(studio: Attacker, sessions: Sessions) -> None:
    assert studio.person.post(f"/studio/{KEY}/deploy", {"comment": "x", "activate": "now", "revision": "7"}).status_code == 409
    with transaction(sessions) as session:
        draft = drafts.get(session, KEY)
        draft.locked_by_id = session.scalar(sa.select(Person.id).where(Person.username == "tangyining"))
    assert studio.person.post(f"/studio/{KEY}/deploy", {"comment": "x", "activate": "now"}).status_code == 409
    with transaction(sessions, read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ProcedureDraft)) == 1


# ── whose cases ──


def administrator(session: Any) -> Actor:
    return of_person(session, session.scalars(sa.select(Person).where(Person.username == "liucheng")).one())


def elsewhere(session: Any) -> Actor:
    """Let the process administrator be one of a single institution that is in charge of no case."""
    owners = set(session.scalars(sa.select(Case.owner_id)))
    place = next(row for row in session.scalars(sa.select(Organisation).order_by(Organisation.path.desc())) if row.id not in owners)
    post = session.scalar(sa.select(Appointment).where(Appointment.role == Role.PROCESS_ADMINISTRATOR))
    post.organisation_id = place.id
    session.flush()
    actor = administrator(session)
    return replace(actor, posts=tuple(replace(held, reach=held.path) for held in actor.posts))


def changed(session: Any) -> ProcedureVersion:
    files = procedures.shipped_files(KEY)
    text = files["maternal_death.bpmn"].decode()
    return procedures.deploy(session, None, files | {"maternal_death.bpmn": text.replace('name="接到通知"', 'name="接到电话"').encode()}, "other")


def test_cases_of_another_area_are_neither_moved_nor_replayed(sessions: Sessions) -> None:
    with sessions() as session:
        version, mine = changed(session), administrator(session)
        case = version_changes.running(session, mine, version)[0]
        trial = trials.start(session, mine, KEY, TrialKind.REPLAY, {})
        assert trial.total > 0
        other = elsewhere(session)
        assert version_changes.running(session, other, version) == []
        with pytest.raises(NotFound):
            version_changes.move(session, other, case.id, version, reason="x")
        assert trials.start(session, other, KEY, TrialKind.REPLAY, {}).total == 0
        with pytest.raises(NotFound):
            trials.get(session, KEY, trial.id, other)
        assert trial.id not in {found.id for found in trials.find(session, KEY, actor=other)}
        assert trials.get(session, KEY, trial.id, mine).id == trial.id


def test_no_case_goes_to_a_version_that_awaits_a_second_person(sessions: Sessions) -> None:
    with sessions() as session:
        version, actor = changed(session), administrator(session)
        case = version_changes.running(session, actor, version)[0]
        asked = ProcedureApproval(version_id=version.id, asked_by_id=actor.person_id, asked_at=clock.now())
        session.add(asked)
        session.flush()
        with pytest.raises(ApprovalNeeded):
            version_changes.move(session, actor, case.id, version, reason="x")
        assert version_changes.move(session, actor, case.id, version, dry_run=True).plan.can_follow
        asked.is_approved, asked.verdict_at, asked.verdict_by_id = (
            False,
            clock.now(),
            session.scalar(sa.select(Person.id).where(Person.username == "tangyining")),
        )
        session.flush()
        with pytest.raises(ApprovalNeeded):
            version_changes.move(session, actor, case.id, version, reason="x")
        asked.is_approved = True
        session.flush()
        assert version_changes.move(session, actor, case.id, version, reason="x").is_new


def test_files_are_measured_together() -> None:
    with pytest.raises(FileUnfit):
        drafts.checked({f"forms/a{place}.json": b"0" * 1_900_000 for place in range(4)})


@pytest.mark.parametrize(
    "task",
    [
        '<ps:task form="verification" role="leak" fresh="true" />',
        '<ps:task form="verification" organisation="item" item="leak" fresh="true" />',
        '<ps:task form="verification" person="leak" exclude="leak" due="leak" fresh="true" />',
        '<ps:task form="verification" clock_start="leak" limit="verification" fresh="true" />',
        '<ps:task form="verification" organisation="owner" fresh="true" /><ps:output variable="x" expression="matches(leak, leak)" />',
    ],
)
def test_a_replay_through_a_draft_that_asks_for_answers_keeps_none_of_them(sessions: Sessions, task: str) -> None:
    own = '<ps:task form="verification" organisation="owner" limit="verification" fresh="true" />'
    with transaction(sessions) as session:
        actor = administrator(session)
        draft = drafts.begin(session, actor, KEY)
        diagram = drafts.file(session, draft, "shared/report.bpmn").decode()
        assert own in diagram
        leaking = diagram.replace(own, task)
        leaking = leaking.replace(
            '<ps:task form="case_report"', '<ps:output variable="leak" expression="string(answers)" /><ps:task form="case_report"'
        )
        leaking = leaking.replace(
            'expression="answers.decision"', 'expression="answers.decision" /><ps:output variable="leak" expression="string(answers)"'
        )
        assert leaking.count("string(answers)") > 1
        drafts.save(session, actor, draft, {"shared/report.bpmn": leaking.encode()}, draft.revision)
        trial = trials.start(session, actor, KEY, TrialKind.REPLAY, {})
        written = [
            answer
            for answers in session.scalars(sa.select(Record.answers))
            for answer in words_in(answers)
            if len(answer) > 3 and not answer.isascii()
        ]
        assert len(written) > 20
    while trials.advance(sessions):
        pass
    with transaction(sessions, read_only=True) as session:
        found = trials.get(session, KEY, trial.id)
        kept = json.dumps([found.result, found.progress, found.wanted], ensure_ascii=False)
        assert found.done == found.total > 0
        assert [answer for answer in written if answer in kept] == []
        assert "{" not in "".join(row["reason"] for row in found.result["cases"])
        assert {row[0] for row in found.result["work"]} <= {role.value for role in Role}


def words_in(value: Any) -> list[str]:
    """Return the texts in a value."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in words_in(part)]
