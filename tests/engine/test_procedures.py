"""Procedures: hostile or unfit files are refused whole and quickly; a version never changes; new cases take the active one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from engine import clock, procedures
from engine.errors import Deployment, NotFound
from engine.workflow import bench
from models import CaseKind, JournalEntry, ProcedureFile, ProcedureVersion
from tests.engine.conftest import At
from tests.worlds import World, fingerprint
from web.bench import FORM, MANIFEST

Files = dict[str, bytes]
SOURCE = "maternal_death/maternal_death.bpmn"


@pytest.fixture
def fit() -> Files:
    """A small procedure that may be deployed."""
    return {**bench.files(), "procedure.toml": MANIFEST, "forms/f.json": FORM}


def changed(files: Files, path: str, *pairs: tuple[str, str]) -> Files:
    text = files[path].decode()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return {**files, path: text.encode()}


def refused(world: World, files: Files) -> set[str]:
    """Deploy what is not fit: nothing may stay. Returns the codes of the complaints."""
    before = fingerprint(world.session)
    with pytest.raises(Deployment) as caught:
        procedures.deploy(world.session, world.actor("liucheng"), files)
    world.session.rollback()
    assert fingerprint(world.session) == before
    assert str(caught.value)
    return {complaint.code for complaint in caught.value.complaints}


def test_what_is_fit_is_kept_byte_for_byte_as_the_next_version(begun: World, fit: Files) -> None:
    actor = begun.actor("liucheng")
    first = procedures.deploy(begun.session, actor, fit, "erste")
    assert (first.number, first.comment, first.deployed_by_id) == (1, "erste", actor.person_id)
    rows = begun.rows(ProcedureFile, ProcedureFile.version_id == first.id)
    assert {row.path: row.content for row in rows} == fit
    assert procedures.deploy(begun.session, actor, dict(reversed(fit.items()))).id == first.id
    second = procedures.deploy(begun.session, actor, changed(fit, "bench.bpmn", ('name="receive"', 'name="take in"')))
    assert (second.number, second.digest != first.digest) == (2, True)
    assert {row.path: row.content for row in begun.rows(ProcedureFile, ProcedureFile.version_id == first.id)} == fit
    begun.session.flush()
    assert [
        row.detail["number"] for row in begun.rows(JournalEntry, JournalEntry.action == "procedure:deploy", JournalEntry.actor_id.is_not(None))
    ] == [
        1,
        2,
    ]


def test_names_and_bytes_cannot_change_places_in_a_digest() -> None:
    assert procedures.digest({"a": b"bc"}) != procedures.digest({"ab": b"c"})
    assert procedures.digest({"a": b"1", "b": b"2"}) != procedures.digest({"a": b"2", "b": b"1"})
    assert procedures.digest({"a": b"1", "b": b"2"}) == procedures.digest({"b": b"2", "a": b"1"})


def test_a_version_is_used_when_it_is_activated_and_running_cases_keep_theirs(at: At) -> None:
    world = at("verify_report")
    running = world.case.procedure_version_id
    files = procedures.shipped_files("maternal_death")
    path = next(path for path in files if path.endswith("report.bpmn"))
    files[path] = files[path].replace(b"</bpmn:definitions>", b"<!-- changed -->\n</bpmn:definitions>", 1)
    if procedures.digest(files) == procedures.digest(procedures.shipped_files("maternal_death")):
        pytest.fail("the file was not changed")
    version = procedures.deploy(world.session, world.actor("liucheng"), files)
    assert procedures.active(world.session, CaseKind.MATERNAL_DEATH).id == running
    world.move(timedelta(minutes=1))
    procedures.activate(world.session, world.actor("liucheng"), version)
    assert procedures.active(world.session, CaseKind.MATERNAL_DEATH).id == version.id
    world.session.commit()
    world.hand_in("verify_report", "tangyining")
    assert world.case.procedure_version_id == running
    world.session.commit()
    other = world.play("check_duplicate", new=True, event=clock.now() + timedelta(hours=1))
    assert world.session.get_one(type(world.case), other).procedure_version_id == version.id


def test_no_kind_without_an_active_procedure(begun: World, fit: Files) -> None:
    with pytest.raises(NotFound):
        procedures.active(begun.session, CaseKind.MATERNAL_NEAR_MISS)
    version = procedures.deploy(begun.session, None, fit)
    with pytest.raises(NotFound):
        procedures.active(begun.session, CaseKind.MATERNAL_NEAR_MISS)
    procedures.activate(begun.session, None, version)
    assert procedures.active(begun.session, CaseKind.MATERNAL_NEAR_MISS).id == version.id
    assert procedures.active_kinds(begun.session) == [CaseKind.MATERNAL_DEATH, CaseKind.MATERNAL_NEAR_MISS]
    begun.session.execute(sa.update(ProcedureVersion).where(ProcedureVersion.id == version.id).values(retired_at=clock.now()))
    assert procedures.active_kinds(begun.session) == [CaseKind.MATERNAL_DEATH]


# ── hostile ──

HOSTILE: dict[str, tuple[str, Callable[[str], str]]] = {
    "entities that multiply": (
        "doctype not_xml",
        lambda text: (
            '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
            + text.replace('name="receive"', 'name="&c;"', 1)
        ),
    ),
    "an external entity": (
        "doctype not_xml",
        lambda text: '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + text.replace('name="receive"', 'name="&x;"', 1),
    ),
    "an external type definition": ("doctype not_xml", lambda text: '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/evil.dtd">' + text),
    "not closed": ("not_xml", lambda text: text[:-40]),
    "another language": ("not_bpmn", lambda text: "<html><body/></html>"),
    "nothing": ("not_xml", lambda text: ""),
    "too large": ("too_large", lambda text: text.replace("</definitions>", "<!--" + "x" * 2_000_001 + "--></definitions>")),
    "too deep": ("not_xml", lambda text: text.replace("</process>", "<documentation>" * 400 + "</documentation>" * 400 + "</process>")),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_diagram_is_refused_quickly_and_nothing_is_kept(begun: World, fit: Files, case: str) -> None:
    codes, spoil = HOSTILE[case]
    before = time.monotonic()
    assert refused(begun, {**fit, "bench.bpmn": spoil(fit["bench.bpmn"].decode()).encode()}) & set(codes.split())
    assert time.monotonic() - before < 5


UNFIT: dict[str, tuple[str, tuple[str, str]]] = {
    "a script in Python": (
        "script",
        ('<p:set variable="level" expression="level"/></extensionElements>', "</extensionElements><script>import os</script>"),
    ),
    "a task that does nothing": ("unsupported", ('<userTask id="verify"', '<manualTask id="plain" name="plain"/><userTask id="verify"')),
    "an expression that is none": ("expression", ('expression="person"', 'expression="person +"')),
    "a name that nothing gives": ("unknown_name", ('expression="person"', 'expression="nobody_sets_this"')),
    "a role that is none": ("unknown_role", ('lane id="qc_officer.', 'lane id="king.')),
    "a form that is not there": ("unknown_form", ('form="f"', 'form="g"')),
    "a process that is not there": ("unknown_process", ('calledElement="meeting"', 'calledElement="nowhere"')),
    "a process that calls itself": ("calls_itself", ('calledElement="meeting"', 'calledElement="bench"')),
    "a state that is none": ("unknown_state", ('p:state="closed"', 'p:state="paradise"')),
    "a gateway without a default": ("no_default", (' default="flow_in_scope_no"', "")),
    "no end": ("no_end", ('<endEvent id="bench_ends" p:state="closed"/>', "")),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_would_not_run_is_refused_and_the_place_is_named(begun: World, fit: Files, case: str) -> None:
    code, pair = UNFIT[case]
    codes = refused(begun, changed(fit, "bench.bpmn", pair))
    if code == "unsupported":
        assert codes
    elif code == "no_end":
        assert codes & {"no_end", "dangling_flow", "dead_end"}
    else:
        assert code in codes, codes


def test_an_answer_that_identifies_does_not_leave_its_form(begun: World, fit: Files) -> None:
    form = FORM.replace(b'"key": "note"', b'"key": "note", "properties": {"id": "I"}')
    files = changed({**fit, "forms/f.json": form}, "bench.bpmn", ('expression="person"', 'expression="answers.note"'))
    assert refused(begun, files) == {"identity_leaves"}


def test_branches_that_grow_exponentially_are_refused(begun: World, fit: Files) -> None:
    """Parallel blocks in a row: the library would predict each way through them."""
    branch = [bench._task(f"a{place}") for place in range(3)]
    steps: list[object] = []
    for block in range(9):
        steps.append([bench._task(f"t{block}_{place}") for place in range(3)])
        steps.append(bench._task(f"s{block}"))
    assert branch
    text = bench._diagram("bench", bench._chain("bench", steps))
    before = time.monotonic()
    codes = refused(begun, {"procedure.toml": MANIFEST, "forms/f.json": FORM, "bench.bpmn": text})
    assert "too_branchy" in codes
    assert time.monotonic() - before < 20


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"key = ",
        b"\xff\xfe",
        b'key = "x"',
        MANIFEST.replace(b"maternal_near_miss", b"alien"),
        MANIFEST.replace(b'main = "bench"', b'main = "nowhere"'),
    ],
)
def test_a_manifest_that_says_nothing_sensible_is_refused(begun: World, fit: Files, manifest: bytes) -> None:
    assert refused(begun, {**fit, "procedure.toml": manifest})


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"[]",
        b"{}",
        b"{" * 100_000,
        b'{"id": "f", "components": ' + b'[{"type": "group", "components": ' * 40 + b"[]" + b"}]" * 40 + b', "pingshen": {}}',
        FORM.replace(b'"textfield"', b'"html"'),
        FORM.replace(b'"key": "note"', b'"key": "answers"'),
        FORM.replace(b'"key": "note"', b'"key": "__class__"'),
        FORM.replace(b'"audience": "case"', b'"audience": "everybody"'),
    ],
)
def test_a_form_that_cannot_be_used_is_refused(begun: World, fit: Files, form: bytes) -> None:
    assert refused(begun, {**fit, "forms/f.json": form})


def test_every_complaint_says_where(fit: Files) -> None:
    files = changed(fit, "bench.bpmn", ('calledElement="meeting"', 'calledElement="nowhere"'))
    complaint = next(found for found in procedures.check(files) if found.code == "unknown_process")
    assert (complaint.file, complaint.element) == ("bench.bpmn", "hold_meeting")
    assert complaint.line
    assert re.search("nowhere", str(complaint))


@pytest.mark.parametrize("key", procedures.shipped())
def test_what_is_shipped_is_fit_and_read_once(begun: World, key: str) -> None:
    assert not [complaint for complaint in procedures.check(procedures.shipped_files(key)) if complaint.level == "error"]
    version = procedures.active(begun.session, CaseKind.MATERNAL_DEATH)
    assert procedures.deployed(begun.session, version.id) is procedures.deployed(begun.session, version.id)
