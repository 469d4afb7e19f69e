"""Subjects: the identified and the de-identified reading of the woman or child. Identity is kept here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from pypinyin import Style, lazy_pinyin
from sqlalchemy.dialects import postgresql, sqlite

from engine import resident_numbers
from models import Source, Subject, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Which answer of any form tells who she is: the latest one wins.
COLUMNS = {
    "subject_name": "name",
    "name": "name",
    "subject_id": "id_number",
    "id_no": "id_number",
    "subject_phone": "phone",
    "contact_phone": "phone",
}


def search_text(name: str | None) -> str | None:
    """Return what a name is found by: its characters in pairs and alone, and its pinyin, from every syllable on and by initials."""
    if not name:
        return None
    plain = "".join(character for character in name if character.isalnum()).lower()
    pairs = [plain[index : index + 2] for index in range(len(plain) - 1)]
    syllables = lazy_pinyin(plain, style=Style.NORMAL, errors="ignore")
    spoken = ["".join(syllables[index:]) for index in range(min(len(syllables), 8))]
    words = [plain, *plain, *pairs, *spoken, "".join(syllable[0] for syllable in syllables if syllable)]
    return " " + " ".join(dict.fromkeys(word for word in words if word)) + " "


def columns_of(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a form's identifying answers fill."""
    found: dict[str, Any] = {}
    for key, column in COLUMNS.items():
        value = identity.get(key)
        if isinstance(value, str) and value and value != "unknown":
            found[column] = resident_numbers.normal(value) if column == "id_number" else value
    if "name" in found:
        found["search"] = search_text(found["name"])
    return found


def keep(session: Session, case_id: UUID, identity: Mapping[str, Any], *, record_id: UUID | None = None, draft_id: UUID | None = None) -> None:
    """Keep the identifying answers of a record or draft, and let the case know what a record adds: one statement.

    A draft says nothing about the case until it is handed in.
    """
    if not identity:
        return
    source, source_id = (Source.RECORD, record_id) if record_id else (Source.DRAFT, draft_id)
    columns = columns_of(identity)
    empty: dict[str, Any] = {"name": None, "id_number": None, "phone": None, "search": None}
    rows = [
        {
            "id": new_id(),
            "source": source,
            "source_id": source_id,
            "case_id": case_id,
            "draft_id": draft_id,
            **empty,
            **columns,
            "details": dict(identity),
        }
    ]
    if record_id and columns:
        rows.append(
            {
                "id": new_id(),
                "source": Source.CASE,
                "source_id": case_id,
                "case_id": case_id,
                "draft_id": None,
                **empty,
                **columns,
                "details": {},
            }
        )
    dialect = session.get_bind().dialect.name
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(Subject).values(rows)
    new = insert.excluded
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["source", "source_id"],
            set_={
                # The case keeps what an earlier record knew; a draft forgets what was taken out of it.
                **{column: sa.func.coalesce(new[column], Subject.__table__.c[column]) if record_id else new[column] for column in empty},
                "details": new["details"],
            },
        )
    )


def details(session: Session, source: Source, source_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the identifying answers of records or drafts."""
    if not source_ids:
        return {}
    rows = session.execute(sa.select(Subject.source_id, Subject.details).where(Subject.source == source, Subject.source_id.in_(source_ids)))
    return dict(rows.all())


def of_case(session: Session, case_id: UUID) -> Subject | None:
    """Return who a case is about, as known now."""
    return session.scalar(sa.select(Subject).where(Subject.source == Source.CASE, Subject.source_id == case_id))


def identifiers(session: Session, case_id: UUID) -> set[str]:
    """Return every text that identifies the subject in any record of the case: what a packet must not hold."""
    found: set[str] = set()
    for subject in session.scalars(sa.select(Subject).where(Subject.case_id == case_id, Subject.source != Source.DRAFT)):
        found.update(text for text in (subject.name, subject.id_number, subject.phone) if text)
        found.update(_texts(subject.details))
    return {text for text in found if text != "unknown"}


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value.strip()} if len(value.strip()) > 1 else set()
    if isinstance(value, Mapping):
        return set() if "$" in value else set().union(*(_texts(inner) for inner in value.values()), set())
    if isinstance(value, list):
        return set().union(*(_texts(inner) for inner in value), set())
    return set()
