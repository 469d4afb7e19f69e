"""What the database itself refuses, whoever writes: every named constraint, on both databases."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models import Base, Installation, Person, Realm, Role
from models.database import connect, sessions_of
from models.upgrading import upgrade
from tests.worlds import KINDS

NOW = datetime(2026, 10, 22, 1, 40, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
IDS: dict[str, uuid.UUID] = {
    name: uuid.UUID(int=number << 64 | 0x8000_0000_0000_0000)
    for number, name in enumerate(
        (
            "province",
            "hospital",
            "ada",
            "ben",
            "profile",
            "profile_version",
            "procedure",
            "version",
            "case",
            "other_case",
            "record",
            "notice",
            "item",
            "held_item",
            "done_item",
            "rectification",
            "draft",
            "subject",
            "packet",
            "file",
            "crossing",
            "attachment",
            "incident",
            "message",
            "sign_in",
            "deadline",
            "case_clock",
            "timer",
            "task",
            "appointment",
            "administrator",
            "new",
            "procedure_draft",
            "procedure_change",
            "trial",
            "version_change",
            "nobody",
        ),
        1,
    )
}


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return rows of every table that may stand together, the one that is spoilt first."""
    of = IDS
    place = {"kind": "area", "level": "province", "is_active": True}
    person = {
        "realm": "demo",
        "is_active": True,
        "created_at": NOW,
        "must_change_password": False,
        "previous_passwords": [],
        "recovery_codes": [],
        "failed_sign_ins": 0,
        "theme": "light",
        "text_size": 100,
        "has_single_keys": True,
    }
    case = {
        "kind": "maternal_death",
        "is_reopened": False,
        "procedure_version_id": of["version"],
        "profile_version_id": of["profile_version"],
        "owner_id": of["hospital"],
        "parties": {},
        "event_at": NOW,
        "clock_start_at": NOW,
        "created_at": NOW,
        "changed_at": NOW,
        "revision": 1,
        "course": 1,
    }
    work = {
        "case_id": of["case"],
        "course": 1,
        "element": "verify",
        "path": "",
        "name": "核实",
        "name_en": "Verify",
        "form": "verification",
        "audience": "case",
        "role": "qc_officer",
        "is_assigned": False,
        "variables": {},
        "offered_at": NOW,
    }
    clock = {"case_id": of["case"], "key": "case_report", "start_at": NOW, "due_at": LATER, "warned": "none", "attempts": 0}
    limit = {**clock, "kind": "limit", "amber_at": NOW, "red_at": NOW, "escalate_at": LATER}
    return {
        "installation": [{"realm": "demo", "row_number": 1, "created_at": NOW, "clock_ahead_s": 0}],
        "calendar_days": [{"day": date(2026, 10, 1), "kind": "holiday"}],
        "counters": [{"key": "LZ26-MD", "value": 1}],
        "procedures": [{"id": of["procedure"], "key": "death", "name": "死亡", "name_en": "Death", "case_kind": "maternal_death"}],
        "profiles": [{"id": of["profile"], "key": "local", "name": "本地", "name_en": "Local"}],
        "throttles": [{"key": "t" * 64, "failures": 1, "began_at": NOW}],
        "organisations": [
            {"id": of["hospital"], "code": "AA-H", "name": "医院", "parent_id": of["province"], "path": "/AA/AA-H/", **place, "kind": "hospital"},
            {"id": of["province"], "code": "AA", "name": "省", "parent_id": None, "path": "/AA/", **place},
        ],
        "people": [
            {"id": of["ada"], "username": "ada", "name": "甲", "phone": "1", **person},
            {"id": of["ben"], "username": "ben", "name": "乙", "phone": "2", **person},
        ],
        "profile_versions": [
            {
                "id": of["profile_version"],
                "profile_id": of["profile"],
                "number": 1,
                "digest": "a",
                "content": {},
                "effective_on": date(2026, 1, 1),
                "created_at": NOW,
            },
        ],
        "appointments": [
            {
                "id": of["administrator"],
                "person_id": of["ada"],
                "role": "system_administrator",
                "organisation_id": of["hospital"],
                "from_on": date(2026, 1, 1),
            },
        ],
        "procedure_versions": [{"id": of["version"], "procedure_id": of["procedure"], "number": 1, "digest": "a", "deployed_at": NOW}],
        "sign_ins": [{"id": of["sign_in"], "secret_hash": "s", "person_id": of["ada"], "began_at": NOW, "seen_at": NOW, "searches": {}}],
        "cases": [
            {"id": of["case"], "number": "AA26-MD-001", "state": "opened", **case},
            {"id": of["other_case"], "number": "AA26-MD-002", "state": "opened", **case},
        ],
        "procedure_files": [{"version_id": of["version"], "path": "procedure.toml", "content": b"x"}],
        "accountability_files": [
            {
                "id": of["file"],
                "number": "AA26-YT-001",
                "case_id": of["case"],
                "course": 1,
                "trigger": "event",
                "organisation_id": of["province"],
                "opened_at": NOW,
            },
        ],
        "case_links": [{"case_id": of["case"], "other_id": of["other_case"], "kind": "merged_into", "linked_at": NOW}],
        "case_parties": [{"case_id": of["case"], "organisation_id": of["hospital"], "capacity": "owner"}],
        "deadlines": [
            {"id": of["deadline"], "task_id": of["task"], "next_at": NOW, **limit},
            {"id": of["case_clock"], "task_id": None, "next_at": NOW, **limit, "key": "county_review"},
            {"id": of["timer"], "task_id": of["new"], "next_at": NOW, "kind": "timer", **clock},
        ],
        "incidents": [
            {
                "id": of["incident"],
                "number": "AAA-BBB",
                "kind": "hand_in",
                "error": "E",
                "trace": [],
                "detail": {},
                "occurred_at": NOW,
                "attempts": 1,
            },
        ],
        "journal_entries": [
            {"id": 1, "at": NOW, "action": "case:begin", "case_id": of["case"], "sequence": 2, "detail": {}, "position": 1, "hash": "a" * 64}
        ],
        "journal_heads": [{"row_number": 1, "position": 1, "hash": "a" * 64, "before": "0" * 64}],
        "messages": [
            {"id": of["message"], "person_id": of["ada"], "kind": "told", "once": "told:1", "detail": {}, "written_at": NOW, "attempts": 0},
        ],
        "packets": [
            {
                "id": of["packet"],
                "number": "AAA-CCC",
                "case_id": of["case"],
                "course": 1,
                "title": "t",
                "content": {},
                "content_hash": "h",
                "redacted_by_id": of["ada"],
                "redacted_at": NOW,
                "checked_by_id": of["ben"],
                "checked_at": NOW,
                "released_at": NOW,
            },
        ],
        "records": [
            {
                "id": of["record"],
                "case_id": of["case"],
                "course": 1,
                "form": "notice",
                "audience": "case",
                "procedure_version_id": of["version"],
                "version": 1,
                "is_current": True,
                "answers": {},
                "warnings": [],
                "submitted_by_id": of["ada"],
                "submitted_at": NOW,
            },
        ],
        "subscriptions": [{"case_id": of["case"], "task_id": of["task"], "message": "reopened", "element": "reopened"}],
        "workflow_scopes": [{"case_id": of["case"], "course": 1, "scope": "", "is_frozen": False, "state": b"x"}],
        "crossings": [{"id": of["crossing"], "file_id": of["file"], "crossed_at": NOW, "content": {}}],
        "notices": [
            {
                "id": of["notice"],
                "number": "AA26-TZ-001",
                "case_id": of["case"],
                "case_kind": "maternal_death",
                "hop": "facility",
                "reporter_id": of["ada"],
                "recorded_by_id": of["ada"],
                "record_id": of["record"],
                "event_at": EARLIER,
                "learned_at": EARLIER,
                "notified_at": NOW,
                "recorded_at": NOW,
                "clock_start_at": EARLIER,
                "due_at": LATER,
                "receiver_id": of["ben"],
                "received_at": NOW,
                "receipt_method": "phone",
                "command_key": "k",
            },
        ],
        "packet_readers": [{"packet_id": of["packet"], "person_id": of["ben"], "released_at": NOW, "is_advisory": False}],
        "rectification_items": [
            {
                "id": of["rectification"],
                "number": "AA26-ZG-001",
                "case_id": of["case"],
                "record_id": of["record"],
                "source": "conclusion",
                "issue": "i",
                "level": "facility",
                "kind": "training",
                "action": "a",
                "done_when": "d",
                "owner_id": of["ada"],
                "organisation_id": of["hospital"],
                "start_on": date(2026, 11, 1),
                "due_on": date(2026, 11, 30),
                "first_due_on": date(2026, 11, 30),
                "extensions": 0,
                "state": "open",
            },
        ],
        "work_items": [
            {"id": of["held_item"], "state": "reserved", "person_id": of["ada"], "excluded_id": of["ben"], **work},
            {"id": of["item"], "state": "ready", "excluded_id": of["ben"], **work},
            {
                "id": of["done_item"],
                "state": "completed",
                "person_id": of["ada"],
                "completed_by_id": of["ada"],
                "completed_at": NOW,
                "excluded_id": of["ben"],
                "command_key": "k",
                **work,
            },
        ],
        "attachments": [
            {
                "id": of["attachment"],
                "case_id": of["case"],
                "work_item_id": of["item"],
                "field": "f",
                "kind": "other",
                "ordinal": 1,
                "audience": "case",
                "media_type": "application/pdf",
                "size": 1,
                "sha256": "h",
                "uploaded_by_id": of["ada"],
                "uploaded_at": NOW,
            },
        ],
        "drafts": [{"id": of["draft"], "work_item_id": of["item"], "person_id": of["ada"], "answers": {}, "revision": 1, "saved_at": NOW}],
        "attachment_parts": [{"attachment_id": of["attachment"], "position": 0, "content": b"x"}],
        "procedure_approvals": [
            {
                "version_id": of["version"],
                "asked_by_id": of["ada"],
                "asked_at": NOW,
                "is_approved": True,
                "verdict_by_id": of["ben"],
                "verdict_at": NOW,
            },
        ],
        "procedure_drafts": [
            {
                "id": of["procedure_draft"],
                "procedure_id": of["procedure"],
                "base_version_id": of["version"],
                "revision": 1,
                "created_at": NOW,
                "changed_at": NOW,
                "changed_by_id": of["ada"],
                "locked_by_id": of["ada"],
                "locked_until": LATER,
            },
        ],
        "procedure_draft_files": [{"draft_id": of["procedure_draft"], "path": "procedure.toml", "content": b"x"}],
        "procedure_draft_changes": [
            {
                "id": of["procedure_change"],
                "draft_id": of["procedure_draft"],
                "number": 2,
                "path": "procedure.toml",
                "after": b"x",
                "made_by_id": of["ada"],
                "made_at": NOW,
                "is_undone": False,
            },
        ],
        "trials": [
            {
                "id": of["trial"],
                "procedure_id": of["procedure"],
                "version_id": of["version"],
                "kind": "replay",
                "state": "waiting",
                "digest": "a",
                "files": b"x",
                "wanted": {},
                "done": 0,
                "total": 0,
                "progress": {},
                "result": {},
                "started_by_id": of["ada"],
                "started_at": NOW,
            },
        ],
        "version_changes": [
            {
                "id": of["version_change"],
                "case_id": of["case"],
                "from_version_id": of["version"],
                "to_version_id": of["version"],
                "revision": 2,
                "mapping": {},
                "before": {},
                "made_by_id": of["ada"],
                "made_at": NOW,
                "undone_at": LATER,
                "undone_by_id": of["ada"],
            },
        ],
        "version_change_scopes": [{"change_id": of["version_change"], "scope": "", "is_frozen": False, "state": b"x"}],
        "subjects": [{"id": of["subject"], "source": "case", "source_id": of["case"], "case_id": of["case"], "details": {}}],
    }


# What spoils a row: the columns that are changed, in the first row of the table or in the one whose key stands under `id`.
SPOILT: dict[str, dict[str, Any]] = {
    "ck_installation_one_row": {"row_number": 2},
    "ck_journal_heads_one_row": {"row_number": 2},
    "ck_installation_true_clock_in_production": {"realm": "production", "clock_ahead_s": 60},
    "ck_organisations_not_its_own_parent": {"parent_id": IDS["hospital"]},
    "ck_organisations_path_shape": {"path": "AA/AA-H"},
    "ck_people_failed_sign_ins": {"failed_sign_ins": -1},
    "ck_people_text_size": {"text_size": 101},
    "ck_people_username_lower": {"username": "Ada"},
    "ck_profile_versions_number_positive": {"number": 0},
    "ck_appointments_days_in_order": {"until_on": date(2025, 12, 31)},
    "ck_procedure_versions_number_positive": {"number": 0},
    "ck_cases_counts_positive": {"course": 0},
    "ck_cases_end_dated": {"state": "closed"},
    "ck_cases_hold_has_reason": {"held_at": NOW},
    "ck_cases_opened_has_number": {"number": None},
    "ck_procedure_files_path_inside": {"path": "forms/../../etc/passwd"},
    "ck_procedure_approvals_four_eyes": {"verdict_by_id": IDS["ada"]},
    "ck_procedure_approvals_verdict_whole": {"verdict_at": None},
    "ck_procedure_drafts_lock_ends": {"locked_until": None},
    "ck_procedure_drafts_revision_positive": {"revision": 0},
    "ck_procedure_draft_files_path_inside": {"path": "/etc/passwd"},
    "ck_trials_progress_within": {"done": 1},
    "ck_version_changes_undoing_signed": {"undone_by_id": None},
    "ck_case_links_two_cases": {"other_id": IDS["case"]},
    "ck_deadlines_attempts": {"attempts": -1},
    "ck_deadlines_instants_in_order": {"amber_at": LATER + timedelta(hours=1)},
    "ck_deadlines_over_is_quiet": {"met_at": NOW},
    "ck_messages_attempts": {"attempts": -1},
    "ck_packets_check_whole": {"checked_at": None},
    "ck_packets_checked_before_release": {"checked_by_id": None, "checked_at": None},
    "ck_packets_two_people": {"checked_by_id": IDS["ada"]},
    "ck_records_later_version_replaces": {"version": 2},
    "ck_records_version_positive": {"version": 0, "replaces_id": IDS["record"]},
    "ck_notices_event_before_learned": {"learned_at": EARLIER - timedelta(hours=1)},
    "ck_notices_learned_before_notified": {"learned_at": LATER},
    "ck_notices_notified_before_received": {"received_at": EARLIER},
    "ck_notices_receipt_whole": {"receiver_id": None},
    "ck_notices_two_people": {"receiver_id": IDS["ada"]},
    "ck_rectification_items_days_in_order": {"due_on": date(2026, 10, 31)},
    "ck_rectification_items_verified_by_another": {"state": "verified", "verified_by_id": IDS["ada"]},
    "ck_rectification_items_verified_by_someone": {"state": "verified"},
    "ck_work_items_completion_dated": {"id": IDS["done_item"], "completed_at": None},
    "ck_work_items_completion_signed": {"id": IDS["done_item"], "completed_by_id": None},
    "ck_work_items_four_eyes": {"id": IDS["held_item"], "excluded_id": IDS["ada"]},
    "ck_work_items_four_eyes_done": {"id": IDS["done_item"], "person_id": None, "excluded_id": IDS["ada"]},
    "ck_work_items_ready_is_free": {"id": IDS["item"], "person_id": IDS["ada"]},
    "ck_work_items_reserved_by_someone": {"id": IDS["held_item"], "person_id": None},
    "ck_attachments_sizes_positive": {"size": 0},
    "ck_drafts_revision_positive": {"revision": 0},
    "ck_subjects_draft_known": {"draft_id": IDS["draft"]},
}
# Which CHECKs of others a spoilt row breaks as well: either of them may be named.
BESIDES = {"ck_work_items_reserved_by_someone": {"ck_work_items_ready_is_free"}}
# What tells a second row apart from the first, but for the constraint: other unique columns, in every table.
TOLD_APART: dict[str, dict[str, Any]] = {
    "organisations": {"code": "BB", "path": "/BB/"},
    "people": {"username": "cy", "phone": "3"},
    "profile_versions": {"number": 2, "digest": "b"},
    "procedure_versions": {"number": 2, "digest": "b"},
    "cases": {"number": "AA26-MD-003"},
    "accountability_files": {"number": "AA26-YT-002", "course": 2},
    "deadlines": {"task_id": IDS["nobody"]},
    "journal_entries": {"sequence": 3, "position": 2},
    "notices": {"number": "AA26-TZ-002", "command_key": "l"},
    "appointments": {"from_on": date(2026, 2, 1), "role": "qc_officer"},
    "procedures": {"key": "birth"},
    "profiles": {"key": "other"},
    "sign_ins": {"secret_hash": "r"},
    "incidents": {"number": "AAA-DDD"},
    "messages": {"once": "told:2"},
    "packets": {"number": "AAA-EEE"},
    "rectification_items": {"number": "AA26-ZG-002"},
    "work_items": {"command_key": "m"},
    "attachments": {"ordinal": 2},
    "drafts": {"person_id": IDS["ben"]},
    "subjects": {"source_id": IDS["nobody"]},
}
# Constraints that hold for some rows only: what brings the second row under them, and under `id` the first row.
ONLY_SOME: dict[str, dict[str, Any]] = {
    "uq_appointments_one_administrator": {"role": "audit_administrator", "from_on": date(2026, 3, 1)},
    "uq_appointments_person_id_role_organisation_id_from_on": {"until_on": date(2026, 5, 1)},
    "uq_deadlines_one_of_a_task": {"key": "verification"},
    "uq_deadlines_one_of_a_case": {"id": IDS["case_clock"]},
    "uq_work_items_command_key": {"id": IDS["done_item"]},
    "uq_records_replaces_id": {"version": 2, "replaces_id": IDS["record"]},
}


def table(name: str) -> sa.Table:
    return Base.metadata.tables[name]


def checks() -> list[tuple[str, str]]:
    """Return every CHECK with its table; those of enumerations end in the name of their column."""
    return sorted(
        (str(constraint.name), found.name)
        for found in Base.metadata.sorted_tables
        for constraint in found.constraints
        if isinstance(constraint, sa.CheckConstraint)
    )


def enumerations() -> list[tuple[str, str, str]]:
    """Return every CHECK of an enumeration with its table and column."""
    return [
        (name, found, name.removeprefix(f"ck_{found}_"))
        for name, found in checks()
        if name.removeprefix(f"ck_{found}_") in table(found).columns and name not in SPOILT
    ]


def uniques() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return every rule that something is there once, with its table and columns."""
    found = []
    for one in Base.metadata.sorted_tables:
        found += [(str(rule.name), one.name, tuple(rule.columns.keys())) for rule in one.constraints if isinstance(rule, sa.UniqueConstraint)]
        found += [(str(index.name), one.name, tuple(index.columns.keys())) for index in one.indexes if index.unique]
    return sorted(found)


def references() -> list[tuple[str, str, str]]:
    """Return every reference to another row with its table and column."""
    return sorted(
        (str(rule.name), one.name, rule.column_keys[0])
        for one in Base.metadata.sorted_tables
        for rule in one.constraints
        if isinstance(rule, sa.ForeignKeyConstraint)
    )


@pytest.fixture(scope="module", params=KINDS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A database with a row or more in every table."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('filled') / 'filled.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        engine = connect(url)
        stack.callback(engine.dispose)
        upgrade(engine)
        wanted = rows()
        with engine.begin() as connection:
            connection.execute(sa.delete(table("journal_heads")))  # a new database has its own
            for one in Base.metadata.sorted_tables:
                for values in sorted(wanted[one.name], key=lambda row: row.get("parent_id") is not None):
                    connection.execute(sa.insert(one).values(**values))
        yield engine


def refused(engine: sa.Engine, *statements: sa.Executable) -> str:
    """Return what the database says of the last of some statements; nothing of them stays."""
    with engine.connect() as connection, connection.begin() as outer:
        for before in statements[:-1]:
            connection.execute(before)
        with pytest.raises(sa.exc.IntegrityError) as caught:
            connection.execute(statements[-1])
        outer.rollback()
    return str(caught.value.orig)


def first(name: str, key: Any = None) -> dict[str, Any]:
    """Return the row of a table with a key, else its first."""
    return next(row for row in rows()[name] if key is None or row.get("id") == key)


def picked(name: str, row: dict[str, Any]) -> sa.ColumnElement[bool]:
    return sa.and_(*[column == row[column.name] for column in table(name).primary_key])


def test_every_check_is_tried_here() -> None:
    assert {name for name, _ in checks()} == set(SPOILT) | {name for name, _, _ in enumerations()}


@pytest.mark.parametrize("name", sorted(SPOILT))
def test_a_row_that_breaks_a_rule_is_refused(filled: sa.Engine, name: str) -> None:
    where = dict(checks())[name]
    values = dict(SPOILT[name])
    row = first(where, values.pop("id", None))
    said = refused(filled, sa.update(table(where)).where(picked(where, row)).values(**values))
    assert any(known in said for known in {name} | BESIDES.get(name, set())), said


@pytest.mark.parametrize(("name", "where", "column"), enumerations())
def test_a_value_outside_an_enumeration_is_refused(filled: sa.Engine, name: str, where: str, column: str) -> None:
    row = first(where)
    value = sa.literal_column("'odd'")
    besides = {"held_at": NOW} if name == "ck_cases_hold_reason" else {}
    said = refused(filled, sa.update(table(where)).where(picked(where, row)).values(**{column: value}, **besides))
    assert name in said or where == "installation", said


@pytest.mark.parametrize(("name", "where", "columns"), uniques())
def test_what_is_there_once_is_refused_twice(filled: sa.Engine, name: str, where: str, columns: tuple[str, ...]) -> None:
    over = dict(ONLY_SOME.get(name, {}))
    row = first(where, over.pop("id", None))
    fresh = {"id": 99 if where == "journal_entries" else IDS["nobody"]} if "id" in row else {}
    apart = {key: value for key, value in TOLD_APART.get(where, {}).items() if key not in columns}
    second = {**row, **fresh, **apart, **over}
    before: list[sa.Executable] = []
    if name == "uq_installation_row_number":
        second = {**row, "realm": "production"}
    elif name == "uq_case_links_merged_once":
        case = {**first("cases"), "id": IDS["nobody"], "number": "AA26-MD-009"}
        before, second = [sa.insert(table("cases")).values(**case)], {**row, "other_id": IDS["nobody"]}
    elif name == "uq_deadlines_one_of_a_case":
        second = {**second, "task_id": None}
    elif name == "uq_records_replaces_id":
        before = [sa.insert(table(where)).values(**{**second, "id": IDS["new"]})]
    said = refused(filled, *before, sa.insert(table(where)).values(**second))
    assert name in said or all(f"{where}.{column}" in said for column in columns), said


@pytest.mark.parametrize(("name", "where", "column"), references())
def test_a_row_that_points_to_nothing_is_refused(filled: sa.Engine, name: str, where: str, column: str) -> None:
    row = first(where)
    value: Any = "production" if column == "realm" else IDS["nobody"]
    besides = {"source": "draft"} if name == "fk_subjects_draft_id_drafts" else {}
    if name == "fk_rectification_items_verified_by_id_people":
        besides = {"state": "verified"}
    said = refused(filled, sa.update(table(where)).where(picked(where, row)).values(**{column: value}, **besides))
    assert name in said or "FOREIGN KEY" in said, said


@pytest.mark.parametrize("where", sorted(Base.metadata.tables))
def test_no_table_holds_the_same_key_twice(filled: sa.Engine, where: str) -> None:
    said = refused(filled, sa.insert(table(where)).values(**first(where)))
    assert "UNIQUE" in said or "duplicate key" in said, said


def test_a_met_clock_leaves_room_for_another_of_the_same_step(filled: sa.Engine) -> None:
    row = first("deadlines")
    with filled.connect() as connection, connection.begin() as outer:
        connection.execute(sa.update(table("deadlines")).where(picked("deadlines", row)).values(met_at=NOW, next_at=None))
        connection.execute(sa.insert(table("deadlines")).values(**{**row, "id": IDS["nobody"]}))
        outer.rollback()


@pytest.mark.parametrize("database_kind", KINDS)
def test_a_demo_account_cannot_be_made_in_a_production_database(request: pytest.FixtureRequest, tmp_path: Path, database_kind: str) -> None:
    with ExitStack() as stack:
        if database_kind == "sqlite":
            url = f"sqlite:///{tmp_path / 'production.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        engine = connect(url)
        stack.callback(engine.dispose)
        upgrade(engine)
        with sessions_of(engine)() as session:
            session.add(Installation(realm=Realm.PRODUCTION, created_at=NOW))
            session.commit()
            session.add(Person(username="demo", name="演示", realm=Realm.DEMO, created_at=NOW))
            with pytest.raises(sa.exc.IntegrityError):
                session.flush()
            session.rollback()
            session.add(Installation(realm=Realm.DEMO, row_number=2, created_at=NOW))
            with pytest.raises(sa.exc.IntegrityError, match="one_row"):
                session.flush()
            session.rollback()
            session.execute(sa.update(Installation).values(clock_ahead_s=0))
            with pytest.raises(sa.exc.IntegrityError, match="true_clock_in_production"):
                session.execute(sa.update(Installation).values(clock_ahead_s=3600))
            session.rollback()


def test_the_three_administrators_are_the_roles_of_the_index() -> None:
    index = next(index for index in table("appointments").indexes if index.name == "uq_appointments_one_administrator")
    text = str(index.dialect_options["sqlite"]["where"])
    assert {role for role in Role if f"'{role.value}'" in text} == {Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR}
