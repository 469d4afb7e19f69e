"""Attachments: stored and fetched with the transaction they belong to, under neutral names, after a look at their bytes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from engine import clock, journal, permissions, records
from engine.errors import N_, EngineError, NotFound
from models import OPEN_STATES, Attachment, AttachmentPart, Audience, Case, WorkItem, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor

MAX_BYTES, PART_BYTES, MAX_PER_CASE = 20_000_000, 1_000_000, 200
TYPES: Mapping[str, str] = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}


class FileRefused(EngineError):
    """The file is empty, too large, or not of a kind that is kept."""

    sentence = N_("只能上传 PDF、图片（PNG、JPEG）、Word 或 Excel 文件，每个不超过 20 MB。")


def kind_of(content: bytes) -> str:
    """Return the media type that the bytes themselves tell; a name or a header proves nothing.

    Raises:
        FileRefused: none of the kinds that are kept, or a document with macros.
    """
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = set(archive.namelist())
        except (zipfile.BadZipFile, ValueError, RuntimeError):  # damaged, a hostile date or name, an unknown way of packing
            raise FileRefused from None
        if len(names) <= 5000 and not any(name.lower().endswith("vbaproject.bin") for name in names):
            if "word/document.xml" in names:
                return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            if "xl/workbook.xml" in names:
                return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    raise FileRefused


def store(session: Session, actor: Actor, item_id: UUID, field: str, content: bytes, kind: str = "other") -> Attachment:
    """Keep a file for a field of an open work item. The name it had is dropped.

    Args:
        kind: What it is, by `CS-FILEKIND`.

    Raises:
        FileRefused: see `kind_of`; or the case has too many files.
        NotFound: the work item is not the actor's.
    """
    if not content or len(content) > MAX_BYTES:
        raise FileRefused
    media_type = kind_of(content)
    item = session.scalar(sa.select(WorkItem).where(WorkItem.id == item_id, permissions.may_hand_in(actor)))
    if item is None:
        raise NotFound
    session.execute(sa.select(Case.id).where(Case.id == item.case_id).with_for_update(key_share=True))
    there = sa.select(sa.func.count()).select_from(Attachment).where(Attachment.case_id == item.case_id, Attachment.removed_at.is_(None))
    count = session.scalar(there) or 0
    if count >= MAX_PER_CASE:
        raise FileRefused
    last = session.scalar(sa.select(sa.func.max(Attachment.ordinal)).where(Attachment.case_id == item.case_id, Attachment.kind == kind))
    attachment = Attachment(
        id=new_id(),
        case_id=item.case_id,
        work_item_id=item.id,
        field=field,
        kind=kind,
        ordinal=(last or 0) + 1,
        audience=item.audience,
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        uploaded_by_id=actor.person_id,
        uploaded_at=clock.now(),
    )
    session.add(attachment)
    session.flush()
    session.add_all(
        AttachmentPart(attachment_id=attachment.id, position=position, content=content[start : start + PART_BYTES])
        for position, start in enumerate(range(0, len(content), PART_BYTES))
    )
    journal.record(session, actor, "attachment:store", case_id=item.case_id, object_id=attachment.id, media_type=media_type, size=len(content))
    session.flush()
    return attachment


def remove(session: Session, actor: Actor, attachment_id: UUID) -> None:
    """Take a file back while its work item is open and the actor's.

    Raises:
        NotFound: it is not, or the step is done.
    """
    attachment = session.scalar(
        sa.select(Attachment)
        .join(WorkItem, WorkItem.id == Attachment.work_item_id)
        .where(Attachment.id == attachment_id, WorkItem.state.in_(OPEN_STATES), permissions.may_hand_in(actor))
    )
    if attachment is None:
        raise NotFound
    attachment.removed_at = clock.now()
    journal.record(session, actor, "attachment:remove", case_id=attachment.case_id, object_id=attachment.id)
    session.flush()


def of_work_item(session: Session, item_id: UUID) -> dict[str, list[str]]:
    """Return the keys of the files of a work item by field."""
    found: dict[str, list[str]] = {}
    for attachment in session.scalars(
        sa.select(Attachment).where(Attachment.work_item_id == item_id, Attachment.removed_at.is_(None)).order_by(Attachment.ordinal)
    ):
        found.setdefault(attachment.field, []).append(str(attachment.id))
    return found


def listed(session: Session, item_id: UUID) -> list[Attachment]:
    """Return the files of a work item."""
    return list(
        session.scalars(
            sa.select(Attachment)
            .where(Attachment.work_item_id == item_id, Attachment.removed_at.is_(None))
            .order_by(Attachment.field, Attachment.uploaded_at, Attachment.ordinal)
        )
    )


def of_case(session: Session, actor: Actor, case_id: UUID) -> list[Attachment]:
    """Return the files of a case that an actor may fetch; none of a case that they do not see."""
    return list(
        session.scalars(
            sa.select(Attachment)
            .options(joinedload(Attachment.uploaded_by))
            .join(Case, Case.id == Attachment.case_id)
            .where(Attachment.case_id == case_id, Attachment.removed_at.is_(None), _readable(actor), permissions.visible(actor))
            .order_by(Attachment.kind, Attachment.ordinal)
        )
    )


def fetch(session: Session, actor: Actor, attachment_id: UUID) -> tuple[Attachment, Iterator[bytes]]:
    """Return a file and its bytes in parts; journalled.

    Raises:
        NotFound: not there, or not visible to the actor.
    """
    attachment = session.scalar(
        sa.select(Attachment)
        .join(Case, Case.id == Attachment.case_id)
        .where(
            Attachment.id == attachment_id,
            Attachment.removed_at.is_(None),
            sa.or_(
                sa.and_(_readable(actor), permissions.visible(actor)),
                sa.exists().where(WorkItem.id == Attachment.work_item_id, permissions.mine_or_claimable(actor)),
                _about_own_item(actor),
            ),
        )
    )
    if attachment is None:
        raise NotFound
    journal.record(session, actor, "attachment:read", case_id=attachment.case_id, object_id=attachment.id)
    parts = session.scalars(
        sa.select(AttachmentPart.content).where(AttachmentPart.attachment_id == attachment.id).order_by(AttachmentPart.position)
    ).all()
    return attachment, iter(parts)


def _readable(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.or_(
        records.readable(actor, Attachment.case_id, Attachment.audience, without=[Audience.COMMITTEE]), Attachment.uploaded_by_id == actor.person_id
    )


def _about_own_item(actor: Actor) -> sa.ColumnElement[bool]:
    """The evidence of an item is read by whoever verifies it."""
    step, mine = sa.orm.aliased(WorkItem), sa.orm.aliased(WorkItem)
    return sa.exists().where(
        step.id == Attachment.work_item_id,
        step.rectification_item_id.is_not(None),
        mine.rectification_item_id == step.rectification_item_id,
        sa.or_(mine.person_id == actor.person_id, mine.completed_by_id == actor.person_id),
    )


def name(attachment: Attachment) -> str:
    """Return the name a file is fetched under: its kind and number, nothing of the case."""
    return f"{attachment.kind}-{attachment.ordinal:02}.{TYPES[attachment.media_type]}"
