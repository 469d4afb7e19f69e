"""Drafts of procedures: saved, undone across saves, one writer at a time, in and out as files."""

from __future__ import annotations

import io
import random
import threading
import time
import zipfile
from datetime import timedelta

import pytest
import sqlalchemy as sa

from engine import blanks, clock, drafts, procedures
from engine.errors import ApprovalNeeded, DraftLocked, DraftOutdated, FileUnfit, FourEyes, InvalidInput, NotFound, NotNow
from engine.transaction import transaction
from models import CaseKind, Procedure, ProcedureDraft, ProcedureDraftChange, ProcedureVersion
from tests.engine.conftest import At
from tests.worlds import World

KEY, MAIN = "maternal_death", "maternal_death.bpmn"


@pytest.fixture
def drawn(begun: World) -> ProcedureDraft:
    return drafts.begin(begun.session, begun.actor("liucheng"), KEY)


def test_a_draft_begins_with_the_files_of_the_version_in_use_and_only_once(begun: World, drawn: ProcedureDraft) -> None:
    session = begun.session
    assert drafts.files(session, drawn) == procedures.shipped_files(KEY) == drafts.base_files(session, drawn)
    assert drafts.begin(session, begun.actor("liucheng"), KEY).id == drawn.id
    with pytest.raises(NotFound):
        drafts.begin(session, begun.actor("liucheng"), "no_such")


def test_saves_are_undone_and_done_again_across_sittings(begun: World, drawn: ProcedureDraft) -> None:
    session, actor = begun.session, begun.actor("liucheng")
    first = drafts.file(session, drawn, MAIN)
    revisions = [drawn.revision]
    for text in (b"<a/>", b"<b/>"):
        revisions.append(drafts.save(session, actor, drawn, {MAIN: text, "forms/new.json": text}, drawn.revision, "drawn"))
    assert revisions == [1, 2, 3]
    assert drafts.save(session, actor, drawn, {MAIN: b"<b/>"}, 3) == 3  # nothing changed, nothing saved
    assert drafts.steps(session, drawn) == (2, 0)
    assert drafts.undo(session, actor, drawn, 3) == ["forms/new.json", MAIN]
    assert drafts.file(session, drawn, MAIN) == b"<a/>"
    drafts.undo(session, actor, drawn, 4)
    assert drafts.file(session, drawn, MAIN) == first
    with pytest.raises(NotFound):
        drafts.file(session, drawn, "forms/new.json")
    assert drafts.undo(session, actor, drawn, drawn.revision) == []
    drafts.redo(session, actor, drawn, drawn.revision)
    assert (drafts.file(session, drawn, MAIN), drafts.steps(session, drawn)) == (b"<a/>", (1, 1))
    drafts.save(session, actor, drawn, {MAIN: b"<c/>"}, drawn.revision)
    assert (drafts.redo(session, actor, drawn, drawn.revision), drafts.steps(session, drawn)) == ([], (2, 0))


def test_a_file_that_is_taken_away_comes_back(begun: World, drawn: ProcedureDraft) -> None:
    session, actor = begun.session, begun.actor("liucheng")
    before = drafts.file(session, drawn, "forms/chase.json")
    drafts.save(session, actor, drawn, {"forms/chase.json": None}, 1)
    with pytest.raises(NotFound):
        drafts.file(session, drawn, "forms/chase.json")
    drafts.undo(session, actor, drawn, drawn.revision)
    assert drafts.file(session, drawn, "forms/chase.json") == before


def test_who_began_from_an_older_save_overwrites_nothing(begun: World, drawn: ProcedureDraft) -> None:
    session, actor = begun.session, begun.actor("liucheng")
    drafts.save(session, actor, drawn, {MAIN: b"<a/>"}, 1)
    for attempt in (drafts.save, drafts.undo, drafts.redo):
        with pytest.raises(DraftOutdated):
            attempt(session, actor, drawn, *([{MAIN: b"<z/>"}] if attempt is drafts.save else []), 1)  # type: ignore[operator]
    assert drafts.file(session, drawn, MAIN) == b"<a/>"


def test_one_writes_until_somebody_takes_over_or_nothing_more_is_heard(begun: World, drawn: ProcedureDraft) -> None:
    session, first, second = begun.session, begun.actor("liucheng"), begun.actor("tangyining")
    with pytest.raises(DraftLocked) as caught:
        drafts.save(session, second, drawn, {MAIN: b"<a/>"}, 1)
    assert caught.value.fields["name"] == first.name
    assert drafts.hold(session, second, drawn).person_id == first.person_id
    assert drafts.hold(session, second, drawn, take=True).person_id == second.person_id
    with pytest.raises(DraftLocked):
        drafts.save(session, first, drawn, {MAIN: b"<a/>"}, 1)
    drafts.let_go(session, first, drawn)  # somebody else's lock stays
    assert drafts.holder(session, drawn) is not None
    begun.move(clock.now() + drafts.HELD_FOR + timedelta(seconds=1))
    assert drafts.holder(session, drawn) is None
    assert drafts.save(session, first, drawn, {MAIN: b"<a/>"}, 1) == 2


@pytest.mark.parametrize(
    "path",
    ["../x.bpmn", "/x.bpmn", "x.exe", "forms/X.json", "forms/a/b.json", "shared/.bpmn", "procedure.toml/x", "a.bpmn\x00", "", "scenarios/../a.toml"],
)
def test_only_what_a_procedure_is_made_of_is_taken(begun: World, drawn: ProcedureDraft, path: str) -> None:
    with pytest.raises(FileUnfit):
        drafts.save(begun.session, begun.actor("liucheng"), drawn, {path: b"x"}, 1)
    assert begun.rows(ProcedureDraftChange) == []


def test_what_is_too_large_is_refused_whole(begun: World, drawn: ProcedureDraft) -> None:
    with pytest.raises(FileUnfit):
        drafts.save(begun.session, begun.actor("liucheng"), drawn, {MAIN: b"x" * (drafts.MAX_FILE_BYTES + 1)}, 1)
    many = {f"forms/f{number}.json": b"x" * 1_900_000 for number in range(11)}
    with pytest.raises(FileUnfit):
        drafts.save(begun.session, begun.actor("liucheng"), drawn, many, 1)
    assert begun.rows(ProcedureDraftChange) == []


def test_a_procedure_goes_out_and_comes_back_byte_for_byte(begun: World, drawn: ProcedureDraft) -> None:
    contents = drafts.files(begun.session, drawn)
    packed = drafts.pack(contents, KEY)
    assert drafts.unpack(packed) == contents
    assert drafts.pack(contents, KEY) == packed


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + b"\x00" * 200, b"not a zip"])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(FileUnfit):
        drafts.unpack(content)


def test_a_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("procedure.toml", b"key='x'")
        for number in range(20):
            archive.writestr(f"forms/f{number}.json", b"\x00" * 1_999_999)
    began = time.perf_counter()
    with pytest.raises(FileUnfit):
        drafts.unpack(out.getvalue())
    assert time.perf_counter() - began < 1
    lying = bytearray(out.getvalue())
    lying[22:26] = (10).to_bytes(4, "little")  # a header that says less than there is
    with pytest.raises(FileUnfit):
        drafts.unpack(bytes(lying))


def test_paths_that_lead_out_of_the_archive_are_left_away() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x/procedure.toml", b"key='x'")
        archive.writestr("x/../../etc/passwd", b"no")
        archive.writestr("x/forms/a.json", b"{}")
        archive.writestr("y/forms/b.json", b"{}")
    assert drafts.unpack(out.getvalue()) == {"procedure.toml": b"key='x'", "forms/a.json": b"{}"}


def test_a_new_procedure_begins_whole_and_goes_when_it_is_thrown_away(begun: World) -> None:
    session, actor = begun.session, begun.actor("liucheng")
    files = blanks.procedure("our_own", '引号"与<尖括号>', "Quotes & <brackets>", "maternal_near_miss")
    assert procedures.check(files) == []
    draft = drafts.create(session, actor, "our_own", "试", "Try", CaseKind.MATERNAL_NEAR_MISS, files)
    with pytest.raises(InvalidInput):
        drafts.create(session, actor, "our_own", "试", "Try", CaseKind.MATERNAL_NEAR_MISS, files)
    drafts.throw_away(session, actor, draft)
    assert begun.rows(Procedure, Procedure.key == "our_own") == []


def test_a_deployed_version_waits_for_the_second_person_and_for_its_day(begun: World, drawn: ProcedureDraft) -> None:
    session, first, second = begun.session, begun.actor("liucheng"), begun.actor("tangyining")
    old = procedures.active(session, CaseKind.MATERNAL_DEATH)
    text = drafts.file(session, drawn, MAIN).decode().replace('name="接到通知"', 'name="接到电话通知"')
    drafts.save(session, first, drawn, {MAIN: text.encode()}, 1)
    tomorrow = clock.now() + timedelta(days=1)
    version = procedures.propose(session, first, drafts.files(session, drawn), "改名", activate_at=tomorrow, needs_approval=True)
    with pytest.raises(ApprovalNeeded):
        procedures.activate(session, first, version)
    with pytest.raises(FourEyes):
        procedures.approve(session, first, version, is_approved=True)
    procedures.approve(session, second, version, is_approved=True)
    with pytest.raises(NotNow):
        procedures.approve(session, second, version, is_approved=True)
    assert procedures.active(session, CaseKind.MATERNAL_DEATH).id == old.id
    begun.move(tomorrow + timedelta(seconds=1))
    assert procedures.active(session, CaseKind.MATERNAL_DEATH).id == version.id
    procedures.activate(session, first, old)
    assert procedures.active(session, CaseKind.MATERNAL_DEATH).id == old.id  # gone back


def test_what_was_refused_is_never_activated(begun: World, drawn: ProcedureDraft) -> None:
    session = begun.session
    text = drafts.file(session, drawn, MAIN).decode().replace('name="接到通知"', 'name="接到电话通知"')
    drafts.save(session, begun.actor("liucheng"), drawn, {MAIN: text.encode()}, 1)
    version = procedures.propose(session, begun.actor("liucheng"), drafts.files(session, drawn), "改名", activate_at=clock.now(), needs_approval=True)
    procedures.approve(session, begun.actor("tangyining"), version, is_approved=False, note="依据不足")
    with pytest.raises(ApprovalNeeded):
        procedures.activate(session, begun.actor("liucheng"), version)
    assert session.get_one(ProcedureVersion, version.id).activated_at is None


def test_of_two_that_save_at_once_one_is_told(copy_at: At) -> None:
    world = copy_at()
    actor = world.actor("liucheng")
    world.session.rollback()
    with transaction(world.sessions) as session:
        drafts.begin(session, actor, KEY)
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def write(text: bytes) -> None:
        gate.wait()
        try:
            with transaction(world.sessions) as session:
                drafts.save(session, actor, drafts.get(session, KEY), {MAIN: text}, 1)
            outcomes.append("saved")
        except DraftOutdated:
            outcomes.append("outdated")

    threads = [threading.Thread(target=write, args=(text,)) for text in (b"<a/>", b"<b/>")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["outdated", "saved"]
    with world.sessions() as session:
        assert session.scalar(sa.select(ProcedureDraft.revision)) == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(ProcedureDraftChange)) == 1


def test_a_damaged_archive_is_unpacked_or_refused_and_nothing_else() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("procedure.toml", b"key='x'" * 50)
    whole, chance, refused = out.getvalue(), random.Random(7), 0
    for _ in range(4000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            drafts.unpack(bytes(damaged))
        except FileUnfit:
            refused += 1
    assert refused > 1000
