"""Attachments: only what the bytes say, bounded in size and number, without the name they had, for those who may."""

from __future__ import annotations

import io
import zipfile
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from engine import attachments
from engine.attachments import FileRefused
from engine.errors import FormInvalid, NotFound
from models import Attachment, AttachmentPart, JournalEntry
from tests.engine.conftest import At
from tests.worlds import World
from web.demo.player import PAPER

STEP, WHO = "report_case", "qinhaitang"
PNG, JPEG = b"\x89PNG\r\n\x1a\n" + bytes(64), b"\xff\xd8\xff\xe0" + bytes(64)


def archive(*names: str, content: bytes = b"x") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, content)
    return held.getvalue()


WORD, EXCEL = archive("[Content_Types].xml", "word/document.xml"), archive("[Content_Types].xml", "xl/workbook.xml")


def store(world: World, content: bytes, *, who: str = WHO, field: str = "attachments", kind: str = "other", step: str = STEP) -> Attachment:
    return attachments.store(world.session, world.actor(who), world.item(step).id, field, content, kind)


@pytest.mark.parametrize(
    ("content", "ending"), [(PAPER, "pdf"), (PNG, "png"), (JPEG, "jpg"), (WORD, "docx"), (EXCEL, "xlsx")], ids=["pdf", "png", "jpg", "docx", "xlsx"]
)
def test_what_is_kept_comes_back_byte_for_byte_under_a_neutral_name(at: At, content: bytes, ending: str) -> None:
    world = at(STEP)
    kept = store(world, content, kind="inpatient")
    found, parts = attachments.fetch(world.session, world.actor(WHO), kept.id)
    assert b"".join(parts) == content
    assert (found.size, attachments.name(found)) == (len(content), f"inpatient-01.{ending}")
    assert attachments.name(store(world, content, kind="inpatient")) == f"inpatient-02.{ending}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script>",
        b"MZ\x90\x00" + bytes(64),
        b"GIF89a" + bytes(64),
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b" %PDF-1.4",
        b"PK\x03\x04" + bytes(64),
        archive("evil.exe"),
        archive("word/document.xml", "word/vbaProject.bin"),
        archive("xl/workbook.xml", "XL/VBAPROJECT.BIN"),
        WORD[: len(WORD) // 2],
        "病历.pdf".encode(),
    ],
)
def test_what_the_bytes_do_not_tell_to_be_kept_is_refused(at: At, content: bytes) -> None:
    world = at(STEP)
    with pytest.raises(FileRefused):
        store(world, content)
    assert not world.rows(Attachment, Attachment.work_item_id == world.item(STEP).id)


def test_an_archive_of_too_many_names_or_of_a_bomb_is_not_unpacked(at: At) -> None:
    """Only the list of names is read: a file that would grow a thousandfold stays as small as it is."""
    world = at(STEP)
    bomb = archive("word/document.xml", content=bytes(30_000_000))
    assert len(bomb) < 100_000
    assert store(world, bomb).size == len(bomb)
    with pytest.raises(FileRefused):
        store(world, archive("word/document.xml", *(f"{number}" for number in range(5_001))))


def test_the_largest_that_is_kept_and_the_first_that_is_not(at: At) -> None:
    world = at(STEP)
    largest = PAPER + bytes(attachments.MAX_BYTES - len(PAPER))
    kept = store(world, largest)
    assert len(world.rows(AttachmentPart, AttachmentPart.attachment_id == kept.id)) == attachments.MAX_BYTES // attachments.PART_BYTES
    assert b"".join(attachments.fetch(world.session, world.actor(WHO), kept.id)[1]) == largest
    with pytest.raises(FileRefused):
        store(world, largest + b"x")


def test_a_case_holds_so_many_and_no_more(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at(STEP)
    count = len(world.rows(Attachment))
    monkeypatch.setattr(attachments, "MAX_PER_CASE", count + 1)
    store(world, PAPER)
    with pytest.raises(FileRefused):
        store(world, PAPER)


@pytest.mark.parametrize("who", ["fuyubai", "lujianwei", "waidi", "xitong", "renguochang"])
def test_nobody_else_stores_fetches_or_removes(at: At, who: str) -> None:
    world = at(STEP)
    kept, actor = store(world, PAPER), world.actor(who)
    with pytest.raises(NotFound):
        store(world, PAPER, who=who)
    with pytest.raises(NotFound):
        attachments.fetch(world.session, actor, kept.id)
    with pytest.raises(NotFound):
        attachments.remove(world.session, actor, kept.id)
    assert not attachments.of_case(world.session, actor, world.case_id)


def test_the_office_reads_what_the_hospital_stored_and_reading_is_journalled(at: At) -> None:
    world = at(STEP)
    kept = store(world, PAPER)
    actor = world.actor("tangyining")
    attachments.fetch(world.session, actor, kept.id)
    assert kept.id in {row.id for row in attachments.of_case(world.session, actor, world.case_id)}
    world.session.flush()
    entry = world.rows(JournalEntry, JournalEntry.action == "attachment:read")[0]
    assert (entry.actor_id, entry.object_id) == (actor.person_id, kept.id)
    with pytest.raises(NotFound):
        attachments.fetch(world.session, actor, uuid4())


def test_it_is_taken_back_while_the_step_is_open_and_not_afterwards(at: At) -> None:
    world = at(STEP)
    one, two = store(world, PAPER), store(world, PNG)
    attachments.remove(world.session, world.actor(WHO), one.id)
    assert attachments.of_work_item(world.session, world.item(STEP).id) == {"attachments": [str(two.id)]}
    with pytest.raises(NotFound):
        attachments.fetch(world.session, world.actor(WHO), one.id)
    item_id = world.item(STEP).id
    world.hand_in(STEP, WHO, attachments=[str(two.id)])
    with pytest.raises(NotFound):
        attachments.remove(world.session, world.actor(WHO), two.id)
    with pytest.raises(NotFound):
        attachments.store(world.session, world.actor(WHO), item_id, "attachments", PAPER)


def test_a_form_takes_only_files_stored_with_its_own_step_and_field(at: At) -> None:
    world = at(STEP)
    elsewhere = store(world, PAPER, field="another")
    for foreign in (str(elsewhere.id), str(uuid4()), "../../etc/passwd", "", None):
        with pytest.raises(FormInvalid) as caught:
            world.hand_in(STEP, WHO, attachments=[foreign])
        assert ("attachments",) in {finding.path for finding in caught.value.findings}


def test_no_column_holds_a_name_or_a_path(at: At) -> None:
    """The engine is given bytes and a field; there is no place for the name it had on somebody's computer."""
    import inspect

    assert set(inspect.signature(attachments.store).parameters) == {"session", "actor", "item_id", "field", "content", "kind"}
    assert not {"name", "filename", "path"} & set(Attachment.__table__.columns.keys())
    world = at(STEP)
    kept = store(world, PAPER)
    world.session.flush()
    row = world.session.execute(sa.select(Attachment.__table__).where(Attachment.id == kept.id)).one()
    assert row.sha256
    assert isinstance(kept.id, UUID)
