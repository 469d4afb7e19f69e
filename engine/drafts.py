"""Drafts of procedures: written in the browser, saved as one goes, undone across saves, one writer at a time."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import clock, journal, procedures
from engine.errors import DraftLocked, DraftOutdated, FileUnfit, InvalidInput, NotFound
from models import (
    CaseKind,
    Person,
    Procedure,
    ProcedureDraft,
    ProcedureDraftChange,
    ProcedureDraftFile,
    ProcedureVersion,
    Trial,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from engine.actor import Actor

HELD_FOR = timedelta(seconds=150)
"""How long a lock lives that nobody renews: a closed lid gives the draft back after this."""
KEPT_SAVES = 300
MAX_FILE_BYTES = 2_000_000
MAX_FILES = 300
MAX_TOTAL_BYTES = 6_000_000
"""Of all files together: as much as a procedure may have that is deployed."""
MAX_ZIP_BYTES = 8_000_000
RESERVED_KEYS = frozenset({"help"})
"""Addresses of the studio that no procedure can have."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes the draft now, and until when if nothing more is heard."""

    person_id: UUID
    name: str
    until: datetime


def find(session: Session, key: str) -> ProcedureDraft | None:
    """Return the draft of a procedure, if one is begun."""
    return session.scalar(sa.select(ProcedureDraft).join(Procedure).where(Procedure.key == key).options(sa.orm.joinedload(ProcedureDraft.procedure)))


def get(session: Session, key: str) -> ProcedureDraft:
    """Return the draft of a procedure.

    Raises:
        NotFound: none is begun.
    """
    draft = find(session, key)
    if draft is None:
        raise NotFound
    return draft


def begin(session: Session, actor: Actor, key: str, version: ProcedureVersion | None = None) -> ProcedureDraft:
    """Begin the draft of a procedure from a version; one that is begun already is returned as it is.

    Args:
        version: Where it begins; without one, the version in use, or else the newest.

    Raises:
        NotFound: no such procedure, or it has no version.
    """
    draft = find(session, key)
    if draft is not None:
        return draft
    procedure = procedures.get(session, key)
    base = version or procedures.in_use(session, procedure)
    if base is None or base.procedure_id != procedure.id:
        raise NotFound
    draft = _new(session, actor, procedure, base)
    contents = procedures.version_files(session, base.id)
    session.add_all(ProcedureDraftFile(draft_id=draft.id, path=path, content=content) for path, content in contents.items())
    journal.record(session, actor, "procedure:draft", object_id=procedure.id, key=key, number=base.number)
    session.flush()
    return draft


def create(session: Session, actor: Actor, key: str, name: str, name_en: str, kind: CaseKind, files: Mapping[str, bytes]) -> ProcedureDraft:
    """Begin a procedure that does not exist yet, with its first files.

    Raises:
        InvalidInput: the key is taken or is not one.
    """
    if key in RESERVED_KEYS or not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", key) or session.scalar(sa.select(Procedure.id).where(Procedure.key == key)):
        raise InvalidInput
    procedure = Procedure(key=key, name=name[:60], name_en=name_en[:80], case_kind=kind.value)
    session.add(procedure)
    session.flush()
    draft = _new(session, actor, procedure, None)
    session.add_all(ProcedureDraftFile(draft_id=draft.id, path=path, content=content) for path, content in checked(files).items())
    journal.record(session, actor, "procedure:draft", object_id=procedure.id, key=key, number=0)
    session.flush()
    return draft


def _new(session: Session, actor: Actor, procedure: Procedure, base: ProcedureVersion | None) -> ProcedureDraft:
    now = clock.now()
    draft = ProcedureDraft(
        procedure_id=procedure.id,
        base_version_id=base.id if base else None,
        revision=1,
        created_at=now,
        changed_at=now,
        changed_by_id=actor.person_id,
        locked_by_id=actor.person_id,
        locked_until=now + HELD_FOR,
    )
    draft.procedure = procedure
    session.add(draft)
    session.flush()
    return draft


def files(session: Session, draft: ProcedureDraft) -> dict[str, bytes]:
    """Return every file of a draft as it stands."""
    rows = session.execute(
        sa.select(ProcedureDraftFile.path, ProcedureDraftFile.content)
        .where(ProcedureDraftFile.draft_id == draft.id)
        .order_by(ProcedureDraftFile.path)
    )
    return dict(rows.all())


def file(session: Session, draft: ProcedureDraft, path: str) -> bytes:
    """Return one file.

    Raises:
        NotFound: the draft has none of this path.
    """
    content = session.scalar(sa.select(ProcedureDraftFile.content).where(ProcedureDraftFile.draft_id == draft.id, ProcedureDraftFile.path == path))
    if content is None:
        raise NotFound
    return content


def base_files(session: Session, draft: ProcedureDraft) -> dict[str, bytes]:
    """Return the files of the version that the draft began from; none for a new procedure."""
    if draft.base_version_id is None:
        return {}
    return procedures.version_files(session, draft.base_version_id)


def checked(changes: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files that may stand in a draft.

    Raises:
        FileUnfit: a path that no procedure has, more than 2 MB, or more than 6 MB together; `name` tells the file.
    """
    total = 0
    for path, content in changes.items():
        total += len(content)
        if not procedures.PATHS.fullmatch(path):
            raise FileUnfit(name=path[:120].encode("utf-8", "replace").decode())
        if len(content) > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            raise FileUnfit(name=path)
    return dict(changes)


_ENCODINGS = frozenset({
    "gb18030", "gbk", "gb2312", "big5", "shift_jis", "euc-jp", "euc-kr", "koi8-r", "us-ascii", "latin1",
    "iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252",
})  # fmt: skip
_DECLARED = re.compile(r"""\A(<\?xml[^>]{0,200}?encoding\s*=\s*["'])([A-Za-z0-9._:-]{1,40})(["'])""")


def in_utf8(content: bytes) -> bytes:
    """Return a diagram or table that was written in another encoding in the one that the editors know; all else as it is."""
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = content.decode("utf-16")
        else:
            found = _DECLARED.match(content[:400].decode("ascii", "replace"))
            if found is None or found[2].lower() not in _ENCODINGS:
                return content
            text = content.decode(found[2])
    except (LookupError, UnicodeDecodeError):
        return content
    return _DECLARED.sub(r"\1UTF-8\3", text, count=1).encode("utf-8", "replace")


# ── saving and undoing ──


def save(session: Session, actor: Actor, draft: ProcedureDraft, changes: Mapping[str, bytes | None], revision: int, what: str = "") -> int:
    """Save what was changed; what was undone before can no longer be done again.

    Args:
        changes: New contents by path; None takes a file away.
        revision: The revision that the page began from.
        what: What was done, in a few words, for the list of saves.

    Returns:
        The revision that the draft has now; unchanged contents are no save.

    Raises:
        DraftLocked: somebody else writes now.
        DraftOutdated: it was saved elsewhere since.
        FileUnfit: a path or size that cannot be; nothing is kept.
    """
    checked({path: content for path, content in changes.items() if content is not None})
    _for_writing(session, actor, draft, revision)
    now_there = files(session, draft)
    changed = {path: content for path, content in changes.items() if now_there.get(path) != content}
    if not changed:
        return draft.revision
    after = {**now_there, **changed}
    whole = [content for content in after.values() if content is not None]
    if len(whole) > MAX_FILES or sum(map(len, whole)) > MAX_TOTAL_BYTES:
        raise FileUnfit(name=next(iter(changed)))
    session.execute(sa.delete(ProcedureDraftChange).where(ProcedureDraftChange.draft_id == draft.id, ProcedureDraftChange.is_undone))
    _advance(draft, actor)
    session.add_all(
        ProcedureDraftChange(
            draft_id=draft.id,
            number=draft.revision,
            path=path,
            before=now_there.get(path),
            after=content,
            what=what[:200] or None,
            made_by_id=actor.person_id,
            made_at=draft.changed_at,
        )
        for path, content in changed.items()
    )
    _write(session, draft, changed)
    session.execute(
        sa.delete(ProcedureDraftChange).where(ProcedureDraftChange.draft_id == draft.id, ProcedureDraftChange.number <= draft.revision - KEPT_SAVES)
    )
    session.flush()
    return draft.revision


def undo(session: Session, actor: Actor, draft: ProcedureDraft, revision: int) -> list[str]:
    """Take the last save back. Returns the paths it touched; none, if there is nothing to undo.

    Raises:
        DraftLocked, DraftOutdated: see `save`.
    """
    return _turn(session, actor, draft, revision, undone=True)


def redo(session: Session, actor: Actor, draft: ProcedureDraft, revision: int) -> list[str]:
    """Do again what was undone last."""
    return _turn(session, actor, draft, revision, undone=False)


def _turn(session: Session, actor: Actor, draft: ProcedureDraft, revision: int, *, undone: bool) -> list[str]:
    _for_writing(session, actor, draft, revision)
    of_draft = ProcedureDraftChange.draft_id == draft.id
    pick = sa.func.max if undone else sa.func.min
    number = session.scalar(sa.select(pick(ProcedureDraftChange.number)).where(of_draft, ProcedureDraftChange.is_undone.is_(not undone)))
    if number is None:
        return []
    rows = session.scalars(sa.select(ProcedureDraftChange).where(of_draft, ProcedureDraftChange.number == number)).all()
    _write(session, draft, {row.path: row.before if undone else row.after for row in rows})
    for row in rows:
        row.is_undone = undone
    _advance(draft, actor)
    session.flush()
    return sorted(row.path for row in rows)


def steps(session: Session, draft: ProcedureDraft) -> tuple[int, int]:
    """Return how many saves can be undone, and how many done again."""
    rows = session.execute(
        sa.select(ProcedureDraftChange.is_undone, sa.func.count(sa.distinct(ProcedureDraftChange.number)))
        .where(ProcedureDraftChange.draft_id == draft.id)
        .group_by(ProcedureDraftChange.is_undone)
    )
    counts = {bool(is_undone): count for is_undone, count in rows}
    return counts.get(False, 0), counts.get(True, 0)


def _advance(draft: ProcedureDraft, actor: Actor) -> None:
    now = clock.now()
    draft.revision, draft.changed_at, draft.changed_by_id = draft.revision + 1, now, actor.person_id
    draft.locked_by_id, draft.locked_until = actor.person_id, now + HELD_FOR


def _write(session: Session, draft: ProcedureDraft, changed: Mapping[str, bytes | None]) -> None:
    session.execute(sa.delete(ProcedureDraftFile).where(ProcedureDraftFile.draft_id == draft.id, ProcedureDraftFile.path.in_(list(changed))))
    rows = [{"draft_id": draft.id, "path": path, "content": content} for path, content in changed.items() if content is not None]
    if rows:
        session.execute(sa.insert(ProcedureDraftFile), rows)


# ── one writer at a time ──


def _locked(session: Session, draft: ProcedureDraft) -> None:
    """Hold the row until the transaction ends, and read it anew.

    Raises:
        NotFound: it was deployed or thrown away meanwhile.
    """
    row = session.scalar(sa.select(ProcedureDraft).where(ProcedureDraft.id == draft.id).with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NotFound


def _for_writing(session: Session, actor: Actor, draft: ProcedureDraft, revision: int) -> None:
    _locked(session, draft)
    held = holder(session, draft)
    if held is not None and held.person_id != actor.person_id:
        raise DraftLocked(name=held.name)
    if draft.revision != revision:
        raise DraftOutdated


def claim(session: Session, actor: Actor, draft: ProcedureDraft, revision: int | None = None) -> None:
    """Hold the draft's row until the transaction ends, so that nothing is saved into it beside what comes now.

    Args:
        revision: What the page showed; None where the page shows nothing of it.

    Raises:
        NotFound: it was deployed or thrown away meanwhile.
        DraftLocked, DraftOutdated: see `save`.
    """
    _locked(session, draft)
    _for_writing(session, actor, draft, draft.revision if revision is None else revision)


def holder(session: Session, draft: ProcedureDraft) -> Holder | None:
    """Return who writes the draft now."""
    if draft.locked_by_id is None or draft.locked_until is None or draft.locked_until <= clock.now():
        return None
    name = session.scalar(sa.select(Person.name).where(Person.id == draft.locked_by_id)) or ""
    return Holder(draft.locked_by_id, name, draft.locked_until)


def hold(session: Session, actor: Actor, draft: ProcedureDraft, *, take: bool = False) -> Holder:
    """Hold a draft, or go on holding it; whoever writes keeps it unless it is taken over. Returns who holds it now."""
    _locked(session, draft)
    held = holder(session, draft)
    if held is not None and held.person_id != actor.person_id:
        if not take:
            return held
        journal.record(session, actor, "procedure:take-over", object_id=draft.procedure_id, key=draft.procedure.key, from_person=str(held.person_id))
    draft.locked_by_id, draft.locked_until = actor.person_id, clock.now() + HELD_FOR
    session.flush()
    return Holder(actor.person_id, actor.name, draft.locked_until)


def let_go(session: Session, actor: Actor, draft: ProcedureDraft) -> None:
    """Give a draft back; somebody else's lock stays."""
    _locked(session, draft)
    if draft.locked_by_id == actor.person_id:
        draft.locked_by_id = draft.locked_until = None
        session.flush()


def throw_away(session: Session, actor: Actor, draft: ProcedureDraft) -> None:
    """Throw a draft away with all its saves; a procedure without a version goes with it.

    Raises:
        DraftLocked: somebody else writes now.
    """
    _for_writing(session, actor, draft, draft.revision)
    journal.record(session, actor, "procedure:throw-away", object_id=draft.procedure_id, key=draft.procedure.key)
    procedure = draft.procedure
    forget(session, draft)
    if session.scalar(sa.select(sa.func.count()).where(ProcedureVersion.procedure_id == procedure.id)) == 0:
        session.execute(sa.delete(Trial).where(Trial.procedure_id == procedure.id))
        session.delete(procedure)
    session.flush()


def forget(session: Session, draft: ProcedureDraft) -> None:
    """Take the rows of a draft away."""
    session.execute(sa.delete(ProcedureDraftChange).where(ProcedureDraftChange.draft_id == draft.id))
    session.execute(sa.delete(ProcedureDraftFile).where(ProcedureDraftFile.draft_id == draft.id))
    session.delete(draft)
    session.flush()


# ── in and out ──


def pack(contents: Mapping[str, bytes], name: str) -> bytes:
    """Return files as a zip with one folder, which `pingshen deploy` takes as it is once unpacked."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(f"{name}/{path}", date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the files of a procedure in a zip; its one folder is left away, what no procedure has is not taken.

    Raises:
        FileUnfit: not a zip, damaged, encrypted, packed otherwise than every zip is, or larger unpacked than a procedure can be.
    """
    found: dict[str, bytes] = {}
    # Its list of entries is read whole when a zip is opened: half a million of them are 200 MB.
    if len(content) > MAX_ZIP_BYTES or content.count(b"PK\x01\x02") > 4 * MAX_FILES:
        raise FileUnfit(name="zip")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename and not entry.is_dir()]
            if len(entries) > 4 * MAX_FILES or sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
                raise FileUnfit(name="zip")
            tops = [entry.filename[: -len(procedures.MANIFEST)] for entry in entries if entry.filename.split("/")[-1] == procedures.MANIFEST]
            top = min(tops, key=len, default="")
            for entry in entries:
                path = entry.filename[len(top) :] if entry.filename.startswith(top) else ""
                if not procedures.PATHS.fullmatch(path):
                    continue
                # Other packings take as much memory as their header says; what is encrypted or of a later format is not ours.
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 0x61 or entry.extract_version > 63:
                    raise FileUnfit(name=path)
                with archive.open(entry) as stream:
                    found[path] = stream.read(MAX_FILE_BYTES + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
    ) as error:  # what the library does not unpack is a RuntimeError
        raise FileUnfit(name="zip") from error
    if not found:
        raise FileUnfit(name="zip")
    return checked({path: in_utf8(packed) if path.endswith((".bpmn", ".dmn")) else packed for path, packed in found.items()})
