"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("note", sa.String(length=60), nullable=True),
        sa.CheckConstraint("kind IN ('holiday', 'workday')", name=op.f("ck_calendar_days_kind")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_days")),
    )
    op.create_table(
        "counters",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_counters")),
    )
    op.create_table(
        "installation",
        sa.Column("realm", sa.String(length=10), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("realm = 'demo' OR clock_ahead_s = 0", name=op.f("ck_installation_true_clock_in_production")),
        sa.CheckConstraint("realm IN ('production', 'demo')", name=op.f("ck_installation_realm")),
        sa.CheckConstraint("row_number = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("realm", name=op.f("pk_installation")),
        sa.UniqueConstraint("row_number", name=op.f("uq_installation_row_number")),
    )
    op.create_table(
        "procedures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("case_kind", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedures")),
        sa.UniqueConstraint("key", name=op.f("uq_procedures_key")),
    )
    op.create_index(op.f("ix_procedures_case_kind"), "procedures", ["case_kind"], unique=False)
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint("key", name=op.f("uq_profiles_key")),
    )
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("short_name", sa.String(length=40), nullable=True),
        sa.Column("name_en", sa.String(length=120), nullable=True),
        sa.Column("kind", sa.String(length=22), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=True),
        sa.Column("phone", sa.String(length=30), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('area', 'health_administration', 'mch_institution', 'hospital', 'township_health_centre', 'village_clinic', 'other')",
            name=op.f("ck_organisations_kind"),
        ),
        sa.CheckConstraint(
            "level IN ('village', 'township', 'county', 'city', 'province', 'national')",
            name=op.f("ck_organisations_level"),
        ),
        sa.CheckConstraint("path LIKE '/%/'", name=op.f("ck_organisations_path_shape")),
        sa.CheckConstraint("parent_id IS NULL OR parent_id <> id", name=op.f("ck_organisations_not_its_own_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["organisations.id"], name=op.f("fk_organisations_parent_id_organisations")),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_organisations_profile_id_profiles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("code", name=op.f("uq_organisations_code")),
        sa.UniqueConstraint("path", name=op.f("uq_organisations_path")),
    )
    op.create_index(op.f("ix_organisations_parent_id"), "organisations", ["parent_id"], unique=False)
    op.create_index("ix_organisations_path", "organisations", ["path"], unique=False, postgresql_ops={"path": "text_pattern_ops"})
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=40), nullable=False),
        sa.Column("phone", sa.String(length=30), nullable=True),
        sa.Column("email", sa.String(length=120), nullable=True),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("title", sa.String(length=15), nullable=True),
        sa.Column("discipline", sa.String(length=40), nullable=True),
        sa.Column("realm", sa.String(length=10), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("previous_passwords", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("second_factor_seed", sa.String(length=40), nullable=True),
        sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_factor_step", sa.BigInteger(), nullable=True),
        sa.Column("recovery_codes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("failed_sign_ins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("language", sa.String(length=12), nullable=True),
        sa.Column("theme", sa.String(length=8), nullable=False),
        sa.Column("text_size", sa.Integer(), nullable=False),
        sa.Column("has_single_keys", sa.Boolean(), nullable=False),
        sa.CheckConstraint("title IN ('resident', 'attending', 'associate_chief', 'chief')", name=op.f("ck_people_title")),
        sa.CheckConstraint("failed_sign_ins >= 0", name=op.f("ck_people_failed_sign_ins")),
        sa.CheckConstraint("text_size IN (100, 115, 130)", name=op.f("ck_people_text_size")),
        sa.CheckConstraint("username = lower(username)", name=op.f("ck_people_username_lower")),
        sa.ForeignKeyConstraint(["realm"], ["installation.realm"], name=op.f("fk_people_realm_installation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("phone", name=op.f("uq_people_phone")),
        sa.UniqueConstraint("username", name=op.f("uq_people_username")),
    )
    op.create_table(
        "profile_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_profile_versions_number_positive")),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_profile_versions_profile_id_profiles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_versions")),
        sa.UniqueConstraint("profile_id", "digest", name=op.f("uq_profile_versions_profile_id_digest")),
        sa.UniqueConstraint("profile_id", "number", name=op.f("uq_profile_versions_profile_id_number")),
    )
    op.create_table(
        "appointments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=23), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "role IN ('village_reporter', 'township_reporter', 'facility_reporter', 'obstetric_safety_office', 'unit_head', 'qc_officer', 'mch_head', 'investigator', 'redaction_officer', 'committee_chair', 'committee_deputy', 'committee_member', 'secretary', 'health_administration', 'accountability_officer', 'rectification_owner', 'verifier', 'upper_reviewer', 'process_administrator', 'system_administrator', 'security_administrator', 'audit_administrator')",
            name=op.f("ck_appointments_role"),
        ),
        sa.CheckConstraint("until_on IS NULL OR until_on >= from_on", name=op.f("ck_appointments_days_in_order")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_appointments_organisation_id_organisations")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_appointments_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointments")),
        sa.UniqueConstraint(
            "person_id",
            "role",
            "organisation_id",
            "from_on",
            name=op.f("uq_appointments_person_id_role_organisation_id_from_on"),
        ),
    )
    op.create_index(op.f("ix_appointments_organisation_id"), "appointments", ["organisation_id"], unique=False)
    op.create_index(
        "uq_appointments_one_administrator",
        "appointments",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("until_on IS NULL AND role IN ('system_administrator', 'security_administrator', 'audit_administrator')"),
        postgresql_where=sa.text("until_on IS NULL AND role IN ('system_administrator', 'security_administrator', 'audit_administrator')"),
    )
    op.create_table(
        "procedure_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("procedure_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("comment", sa.String(length=500), nullable=True),
        sa.Column("deployed_by_id", sa.Uuid(), nullable=True),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number > 0", name=op.f("ck_procedure_versions_number_positive")),
        sa.ForeignKeyConstraint(["deployed_by_id"], ["people.id"], name=op.f("fk_procedure_versions_deployed_by_id_people")),
        sa.ForeignKeyConstraint(["procedure_id"], ["procedures.id"], name=op.f("fk_procedure_versions_procedure_id_procedures")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure_versions")),
        sa.UniqueConstraint("procedure_id", "digest", name=op.f("uq_procedure_versions_procedure_id_digest")),
        sa.UniqueConstraint("procedure_id", "number", name=op.f("uq_procedure_versions_procedure_id_number")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("device", sa.String(length=120), nullable=True),
        sa.Column("searches", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sign_ins_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_sign_ins_secret_hash")),
    )
    op.create_index(op.f("ix_sign_ins_person_id"), "sign_ins", ["person_id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_reason", sa.String(length=7), nullable=True),
        sa.Column("is_reopened", sa.Boolean(), nullable=False),
        sa.Column("procedure_version_id", sa.Uuid(), nullable=False),
        sa.Column("profile_version_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=True),
        sa.Column("township_id", sa.Uuid(), nullable=True),
        sa.Column("parties", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("conclusion", sa.String(length=30), nullable=True),
        sa.CheckConstraint(
            "(state IN ('closed', 'merged', 'out_of_scope', 'converted')) = (ended_at IS NOT NULL)",
            name=op.f("ck_cases_end_dated"),
        ),
        sa.CheckConstraint("hold_reason IN ('autopsy', 'police', 'dispute', 'other')", name=op.f("ck_cases_hold_reason")),
        sa.CheckConstraint(
            "kind IN ('maternal_death', 'maternal_death_late', 'pregnancy_associated', 'neonatal_death', 'infant_death', 'u5_death', 'perinatal_death', 'maternal_near_miss', 'neonatal_near_miss')",
            name=op.f("ck_cases_kind"),
        ),
        sa.CheckConstraint("number IS NOT NULL OR state IN ('notified', 'merged')", name=op.f("ck_cases_opened_has_number")),
        sa.CheckConstraint(
            "state IN ('notified', 'opened', 'reported', 'verified', 'investigating', 'prepared', 'in_review', 'concluded', 'signed', 'rectifying', 'closed', 'merged', 'out_of_scope', 'converted')",
            name=op.f("ck_cases_state"),
        ),
        sa.CheckConstraint("(held_at IS NULL) = (hold_reason IS NULL)", name=op.f("ck_cases_hold_has_reason")),
        sa.CheckConstraint("revision > 0 AND course > 0", name=op.f("ck_cases_counts_positive")),
        sa.ForeignKeyConstraint(["facility_id"], ["organisations.id"], name=op.f("fk_cases_facility_id_organisations")),
        sa.ForeignKeyConstraint(["owner_id"], ["organisations.id"], name=op.f("fk_cases_owner_id_organisations")),
        sa.ForeignKeyConstraint(
            ["procedure_version_id"],
            ["procedure_versions.id"],
            name=op.f("fk_cases_procedure_version_id_procedure_versions"),
        ),
        sa.ForeignKeyConstraint(["profile_version_id"], ["profile_versions.id"], name=op.f("fk_cases_profile_version_id_profile_versions")),
        sa.ForeignKeyConstraint(["township_id"], ["organisations.id"], name=op.f("fk_cases_township_id_organisations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("number", name=op.f("uq_cases_number")),
    )
    op.create_index(op.f("ix_cases_facility_id"), "cases", ["facility_id"], unique=False)
    op.create_index(op.f("ix_cases_owner_id"), "cases", ["owner_id"], unique=False)
    op.create_index(op.f("ix_cases_procedure_version_id"), "cases", ["procedure_version_id"], unique=False)
    op.create_index("ix_cases_state_event_at", "cases", ["state", "event_at"], unique=False)
    op.create_table(
        "procedure_files",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(length=120), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("path NOT LIKE '/%' AND path NOT LIKE '%..%'", name=op.f("ck_procedure_files_path_inside")),
        sa.ForeignKeyConstraint(["version_id"], ["procedure_versions.id"], name=op.f("fk_procedure_files_version_id_procedure_versions")),
        sa.PrimaryKeyConstraint("version_id", "path", name=op.f("pk_procedure_files")),
    )
    op.create_table(
        "accountability_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(length=30), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_accountability_files_case_id_cases")),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_accountability_files_organisation_id_organisations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accountability_files")),
        sa.UniqueConstraint("case_id", "course", "trigger", name=op.f("uq_accountability_files_case_id_course_trigger")),
        sa.UniqueConstraint("number", name=op.f("uq_accountability_files_number")),
    )
    op.create_index(op.f("ix_accountability_files_case_id"), "accountability_files", ["case_id"], unique=False)
    op.create_index(op.f("ix_accountability_files_organisation_id"), "accountability_files", ["organisation_id"], unique=False)
    op.create_table(
        "case_links",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=13), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('merged_into', 'converted_to', 'same_delivery')", name=op.f("ck_case_links_kind")),
        sa.CheckConstraint("case_id <> other_id", name=op.f("ck_case_links_two_cases")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_links_case_id_cases")),
        sa.ForeignKeyConstraint(["other_id"], ["cases.id"], name=op.f("fk_case_links_other_id_cases")),
        sa.PrimaryKeyConstraint("case_id", "other_id", "kind", name=op.f("pk_case_links")),
    )
    op.create_index(op.f("ix_case_links_other_id"), "case_links", ["other_id"], unique=False)
    op.create_index(
        "uq_case_links_merged_once",
        "case_links",
        ["case_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'merged_into'"),
        postgresql_where=sa.text("kind = 'merged_into'"),
    )
    op.create_table(
        "case_parties",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("capacity", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_parties_case_id_cases")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_case_parties_organisation_id_organisations")),
        sa.PrimaryKeyConstraint("case_id", "organisation_id", "capacity", name=op.f("pk_case_parties")),
    )
    op.create_index(op.f("ix_case_parties_organisation_id"), "case_parties", ["organisation_id"], unique=False)
    op.create_table(
        "deadlines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amber_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("red_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalate_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned", sa.String(length=9), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("met_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_reason", sa.String(length=40), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind <> 'limit' OR (start_at <= amber_at AND amber_at <= red_at AND red_at <= due_at AND due_at <= escalate_at)",
            name=op.f("ck_deadlines_instants_in_order"),
        ),
        sa.CheckConstraint("kind IN ('limit', 'timer')", name=op.f("ck_deadlines_kind")),
        sa.CheckConstraint("warned IN ('none', 'amber', 'red', 'overdue', 'escalated')", name=op.f("ck_deadlines_warned")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_deadlines_attempts")),
        sa.CheckConstraint("next_at IS NULL OR (met_at IS NULL AND withdrawn_at IS NULL)", name=op.f("ck_deadlines_over_is_quiet")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_deadlines_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
    )
    op.create_index("ix_deadlines_case", "deadlines", ["case_id", "key"], unique=False)
    op.create_index("ix_deadlines_next_at", "deadlines", ["next_at"], unique=False)
    op.create_index(op.f("ix_deadlines_task_id"), "deadlines", ["task_id"], unique=False)
    op.create_index(
        "uq_deadlines_one_of_a_task",
        "deadlines",
        ["task_id", "kind"],
        unique=True,
        sqlite_where=sa.text("met_at IS NULL AND withdrawn_at IS NULL"),
        postgresql_where=sa.text("met_at IS NULL AND withdrawn_at IS NULL"),
    )
    op.create_index(
        "uq_deadlines_one_of_a_case",
        "deadlines",
        ["case_id", "key"],
        unique=True,
        sqlite_where=sa.text("task_id IS NULL AND met_at IS NULL AND withdrawn_at IS NULL"),
        postgresql_where=sa.text("task_id IS NULL AND met_at IS NULL AND withdrawn_at IS NULL"),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("work_item_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("element", sa.String(length=80), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("trace", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_id", sa.Uuid(), nullable=True),
        sa.Column("resolution", sa.String(length=20), nullable=True),
        sa.CheckConstraint("kind IN ('hand_in', 'timer', 'message', 'request')", name=op.f("ck_incidents_kind")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_incidents_case_id_cases")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_incidents_person_id_people")),
        sa.ForeignKeyConstraint(["resolved_by_id"], ["people.id"], name=op.f("fk_incidents_resolved_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("number", name=op.f("uq_incidents_number")),
    )
    op.create_index("ix_incidents_open", "incidents", ["resolved_at", "occurred_at"], unique=False)
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["people.id"], name=op.f("fk_journal_entries_actor_id_people")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_journal_entries_case_id_cases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
        sa.UniqueConstraint("case_id", "sequence", name=op.f("uq_journal_entries_case_id_sequence")),
    )
    op.create_index("ix_journal_entries_actor", "journal_entries", ["actor_id", "id"], unique=False)
    op.create_index(op.f("ix_journal_entries_at"), "journal_entries", ["at"], unique=False)
    op.create_index("ix_journal_entries_case", "journal_entries", ["case_id", "id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("once", sa.String(length=120), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("work_item_id", sa.Uuid(), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_messages_attempts")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_messages_case_id_cases")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_messages_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("person_id", "once", name=op.f("uq_messages_person_id_once")),
    )
    op.create_index("ix_messages_next_at", "messages", ["next_at"], unique=False)
    op.create_index("ix_messages_person", "messages", ["person_id", "read_at"], unique=False)
    op.create_table(
        "packets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("redacted_by_id", sa.Uuid(), nullable=False),
        sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_by_id", sa.Uuid(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(checked_by_id IS NULL) = (checked_at IS NULL)", name=op.f("ck_packets_check_whole")),
        sa.CheckConstraint("checked_by_id IS NULL OR checked_by_id <> redacted_by_id", name=op.f("ck_packets_two_people")),
        sa.CheckConstraint("released_at IS NULL OR checked_by_id IS NOT NULL", name=op.f("ck_packets_checked_before_release")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_packets_case_id_cases")),
        sa.ForeignKeyConstraint(["checked_by_id"], ["people.id"], name=op.f("fk_packets_checked_by_id_people")),
        sa.ForeignKeyConstraint(["redacted_by_id"], ["people.id"], name=op.f("fk_packets_redacted_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packets")),
        sa.UniqueConstraint("number", name=op.f("uq_packets_number")),
    )
    op.create_index(op.f("ix_packets_case_id"), "packets", ["case_id"], unique=False)
    op.create_table(
        "records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(length=60), nullable=False),
        sa.Column("audience", sa.String(length=14), nullable=False),
        sa.Column("procedure_version_id", sa.Uuid(), nullable=False),
        sa.Column("work_item_id", sa.Uuid(), nullable=True),
        sa.Column("element", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("answers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("warnings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("submitted_by_id", sa.Uuid(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "audience IN ('case', 'office', 'committee', 'author', 'item', 'administration')",
            name=op.f("ck_records_audience"),
        ),
        sa.CheckConstraint("version = 1 OR replaces_id IS NOT NULL", name=op.f("ck_records_later_version_replaces")),
        sa.CheckConstraint("version > 0", name=op.f("ck_records_version_positive")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_records_case_id_cases")),
        sa.ForeignKeyConstraint(
            ["procedure_version_id"],
            ["procedure_versions.id"],
            name=op.f("fk_records_procedure_version_id_procedure_versions"),
        ),
        sa.ForeignKeyConstraint(["replaces_id"], ["records.id"], name=op.f("fk_records_replaces_id_records")),
        sa.ForeignKeyConstraint(["submitted_by_id"], ["people.id"], name=op.f("fk_records_submitted_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_records_replaces_id")),
    )
    op.create_index("ix_records_case", "records", ["case_id", "form", "is_current"], unique=False)
    op.create_index(op.f("ix_records_work_item_id"), "records", ["work_item_id"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("message", sa.String(length=60), nullable=False),
        sa.Column("element", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_subscriptions_case_id_cases")),
        sa.PrimaryKeyConstraint("case_id", "task_id", "message", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "workflow_scopes",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("is_frozen", sa.Boolean(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_workflow_scopes_case_id_cases")),
        sa.PrimaryKeyConstraint("case_id", "course", "scope", name=op.f("pk_workflow_scopes")),
    )
    op.create_table(
        "crossings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("crossed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("element", sa.String(length=80), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["accountability_files.id"], name=op.f("fk_crossings_file_id_accountability_files")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_crossings_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crossings")),
    )
    op.create_index(op.f("ix_crossings_file_id"), "crossings", ["file_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("case_kind", sa.String(length=20), nullable=False),
        sa.Column("hop", sa.String(length=8), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("reporter_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_by_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receiver_id", sa.Uuid(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("receipt_method", sa.String(length=9), nullable=True),
        sa.Column("is_read_back", sa.Boolean(), nullable=True),
        sa.Column("late_reason", sa.String(length=40), nullable=True),
        sa.Column("command_key", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "case_kind IN ('maternal_death', 'maternal_death_late', 'pregnancy_associated', 'neonatal_death', 'infant_death', 'u5_death', 'perinatal_death', 'maternal_near_miss', 'neonatal_near_miss')",
            name=op.f("ck_notices_case_kind"),
        ),
        sa.CheckConstraint("hop IN ('village', 'township', 'facility', 'other')", name=op.f("ck_notices_hop")),
        sa.CheckConstraint("receipt_method IN ('phone', 'in_person', 'network')", name=op.f("ck_notices_receipt_method")),
        sa.CheckConstraint("(received_at IS NULL) = (receiver_id IS NULL)", name=op.f("ck_notices_receipt_whole")),
        sa.CheckConstraint("event_at <= learned_at", name=op.f("ck_notices_event_before_learned")),
        sa.CheckConstraint("learned_at <= notified_at", name=op.f("ck_notices_learned_before_notified")),
        sa.CheckConstraint("received_at IS NULL OR notified_at <= received_at", name=op.f("ck_notices_notified_before_received")),
        sa.CheckConstraint(
            "receiver_id IS NULL OR reporter_id IS NULL OR receiver_id <> reporter_id",
            name=op.f("ck_notices_two_people"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_notices_case_id_cases")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_notices_organisation_id_organisations")),
        sa.ForeignKeyConstraint(["receiver_id"], ["people.id"], name=op.f("fk_notices_receiver_id_people")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_notices_record_id_records")),
        sa.ForeignKeyConstraint(["recorded_by_id"], ["people.id"], name=op.f("fk_notices_recorded_by_id_people")),
        sa.ForeignKeyConstraint(["reporter_id"], ["people.id"], name=op.f("fk_notices_reporter_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("command_key", name=op.f("uq_notices_command_key")),
        sa.UniqueConstraint("number", name=op.f("uq_notices_number")),
    )
    op.create_index(op.f("ix_notices_case_id"), "notices", ["case_id"], unique=False)
    op.create_index(op.f("ix_notices_organisation_id"), "notices", ["organisation_id"], unique=False)
    op.create_index(op.f("ix_notices_recorded_by_id"), "notices", ["recorded_by_id"], unique=False)
    op.create_index(op.f("ix_notices_reporter_id"), "notices", ["reporter_id"], unique=False)
    op.create_table(
        "packet_readers",
        sa.Column("packet_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_advisory", sa.Boolean(), nullable=False),
        sa.Column("recused_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["packet_id"], ["packets.id"], name=op.f("fk_packet_readers_packet_id_packets")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_packet_readers_person_id_people")),
        sa.PrimaryKeyConstraint("packet_id", "person_id", name=op.f("pk_packet_readers")),
    )
    op.create_index(op.f("ix_packet_readers_person_id"), "packet_readers", ["person_id"], unique=False)
    op.create_table(
        "rectification_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("issue", sa.Text(), nullable=False),
        sa.Column("factor", sa.String(length=4), nullable=True),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("done_when", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("first_due_on", sa.Date(), nullable=False),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("verified_by_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'verified') = (verified_by_id IS NOT NULL)",
            name=op.f("ck_rectification_items_verified_by_someone"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'submitted', 'returned', 'verified', 'cancelled')",
            name=op.f("ck_rectification_items_state"),
        ),
        sa.CheckConstraint("due_on >= start_on", name=op.f("ck_rectification_items_days_in_order")),
        sa.CheckConstraint(
            "verified_by_id IS NULL OR verified_by_id <> owner_id",
            name=op.f("ck_rectification_items_verified_by_another"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_rectification_items_case_id_cases")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_rectification_items_organisation_id_organisations")),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], name=op.f("fk_rectification_items_owner_id_people")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_rectification_items_record_id_records")),
        sa.ForeignKeyConstraint(["verified_by_id"], ["people.id"], name=op.f("fk_rectification_items_verified_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rectification_items")),
        sa.UniqueConstraint("number", name=op.f("uq_rectification_items_number")),
    )
    op.create_index(op.f("ix_rectification_items_case_id"), "rectification_items", ["case_id"], unique=False)
    op.create_index(op.f("ix_rectification_items_organisation_id"), "rectification_items", ["organisation_id"], unique=False)
    op.create_index(op.f("ix_rectification_items_owner_id"), "rectification_items", ["owner_id"], unique=False)
    op.create_table(
        "work_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("course", sa.Integer(), nullable=False),
        sa.Column("element", sa.String(length=80), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("phase", sa.String(length=8), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=120), nullable=False),
        sa.Column("form", sa.String(length=60), nullable=False),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("role", sa.String(length=23), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("is_assigned", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("excluded_id", sa.Uuid(), nullable=True),
        sa.Column("rectification_item_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("variables", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_by_id", sa.Uuid(), nullable=True),
        sa.Column("command_key", sa.String(length=64), nullable=True),
        sa.CheckConstraint("(state = 'completed') = (completed_at IS NOT NULL)", name=op.f("ck_work_items_completion_dated")),
        sa.CheckConstraint(
            "(state = 'ready') = (person_id IS NULL) OR state IN ('completed', 'exited')",
            name=op.f("ck_work_items_ready_is_free"),
        ),
        sa.CheckConstraint(
            "role IN ('village_reporter', 'township_reporter', 'facility_reporter', 'obstetric_safety_office', 'unit_head', 'qc_officer', 'mch_head', 'investigator', 'redaction_officer', 'committee_chair', 'committee_deputy', 'committee_member', 'secretary', 'health_administration', 'accountability_officer', 'rectification_owner', 'verifier', 'upper_reviewer', 'process_administrator', 'system_administrator', 'security_administrator', 'audit_administrator')",
            name=op.f("ck_work_items_role"),
        ),
        sa.CheckConstraint("state <> 'completed' OR completed_by_id IS NOT NULL", name=op.f("ck_work_items_completion_signed")),
        sa.CheckConstraint("state <> 'reserved' OR person_id IS NOT NULL", name=op.f("ck_work_items_reserved_by_someone")),
        sa.CheckConstraint("state IN ('ready', 'reserved', 'completed', 'exited')", name=op.f("ck_work_items_state")),
        sa.CheckConstraint(
            "excluded_id IS NULL OR completed_by_id IS NULL OR excluded_id <> completed_by_id",
            name=op.f("ck_work_items_four_eyes_done"),
        ),
        sa.CheckConstraint("excluded_id IS NULL OR person_id IS NULL OR excluded_id <> person_id", name=op.f("ck_work_items_four_eyes")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_work_items_case_id_cases")),
        sa.ForeignKeyConstraint(["completed_by_id"], ["people.id"], name=op.f("fk_work_items_completed_by_id_people")),
        sa.ForeignKeyConstraint(["excluded_id"], ["people.id"], name=op.f("fk_work_items_excluded_id_people")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_work_items_organisation_id_organisations")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_work_items_person_id_people")),
        sa.ForeignKeyConstraint(
            ["rectification_item_id"],
            ["rectification_items.id"],
            name=op.f("fk_work_items_rectification_item_id_rectification_items"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_items")),
        sa.UniqueConstraint("command_key", name=op.f("uq_work_items_command_key")),
    )
    op.create_index("ix_work_items_case", "work_items", ["case_id", "state"], unique=False)
    op.create_index("ix_work_items_person", "work_items", ["person_id", "state"], unique=False)
    op.create_index("ix_work_items_queue", "work_items", ["state", "role", "organisation_id"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("work_item_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(length=20), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("uploaded_by_id", sa.Uuid(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("size > 0 AND ordinal > 0", name=op.f("ck_attachments_sizes_positive")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_attachments_case_id_cases")),
        sa.ForeignKeyConstraint(["uploaded_by_id"], ["people.id"], name=op.f("fk_attachments_uploaded_by_id_people")),
        sa.ForeignKeyConstraint(["work_item_id"], ["work_items.id"], name=op.f("fk_attachments_work_item_id_work_items")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("case_id", "kind", "ordinal", name=op.f("uq_attachments_case_id_kind_ordinal")),
    )
    op.create_index(op.f("ix_attachments_work_item_id"), "attachments", ["work_item_id"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("work_item_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("answers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("revision > 0", name=op.f("ck_drafts_revision_positive")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_drafts_person_id_people")),
        sa.ForeignKeyConstraint(["work_item_id"], ["work_items.id"], name=op.f("fk_drafts_work_item_id_work_items")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drafts")),
        sa.UniqueConstraint("work_item_id", "person_id", name=op.f("uq_drafts_work_item_id_person_id")),
    )
    op.create_index(op.f("ix_drafts_person_id"), "drafts", ["person_id"], unique=False)
    op.create_table(
        "attachment_parts",
        sa.Column("attachment_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachments.id"], name=op.f("fk_attachment_parts_attachment_id_attachments")),
        sa.PrimaryKeyConstraint("attachment_id", "position", name=op.f("pk_attachment_parts")),
    )
    op.create_table(
        "subjects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=6), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("id_number", sa.String(length=30), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("search", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=False),
        sa.CheckConstraint("(source = 'draft') = (draft_id IS NOT NULL)", name=op.f("ck_subjects_draft_known")),
        sa.CheckConstraint("source IN ('case', 'record', 'draft')", name=op.f("ck_subjects_source")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_subjects_case_id_cases")),
        sa.ForeignKeyConstraint(["draft_id"], ["drafts.id"], name=op.f("fk_subjects_draft_id_drafts"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
        sa.UniqueConstraint("source", "source_id", name=op.f("uq_subjects_source_source_id")),
    )
    op.create_index(op.f("ix_subjects_case_id"), "subjects", ["case_id"], unique=False)
    op.create_index(op.f("ix_subjects_draft_id"), "subjects", ["draft_id"], unique=False)
    op.create_index("ix_subjects_id_number", "subjects", ["id_number"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_subjects_id_number", table_name="subjects")
    op.drop_index(op.f("ix_subjects_draft_id"), table_name="subjects")
    op.drop_index(op.f("ix_subjects_case_id"), table_name="subjects")
    op.drop_table("subjects")
    op.drop_table("attachment_parts")
    op.drop_index(op.f("ix_drafts_person_id"), table_name="drafts")
    op.drop_table("drafts")
    op.drop_index(op.f("ix_attachments_work_item_id"), table_name="attachments")
    op.drop_table("attachments")
    op.drop_index("ix_work_items_queue", table_name="work_items")
    op.drop_index("ix_work_items_person", table_name="work_items")
    op.drop_index("ix_work_items_case", table_name="work_items")
    op.drop_table("work_items")
    op.drop_index(op.f("ix_rectification_items_owner_id"), table_name="rectification_items")
    op.drop_index(op.f("ix_rectification_items_organisation_id"), table_name="rectification_items")
    op.drop_index(op.f("ix_rectification_items_case_id"), table_name="rectification_items")
    op.drop_table("rectification_items")
    op.drop_index(op.f("ix_packet_readers_person_id"), table_name="packet_readers")
    op.drop_table("packet_readers")
    op.drop_index(op.f("ix_notices_reporter_id"), table_name="notices")
    op.drop_index(op.f("ix_notices_recorded_by_id"), table_name="notices")
    op.drop_index(op.f("ix_notices_organisation_id"), table_name="notices")
    op.drop_index(op.f("ix_notices_case_id"), table_name="notices")
    op.drop_table("notices")
    op.drop_index(op.f("ix_crossings_file_id"), table_name="crossings")
    op.drop_table("crossings")
    op.drop_table("workflow_scopes")
    op.drop_table("subscriptions")
    op.drop_index(op.f("ix_records_work_item_id"), table_name="records")
    op.drop_index("ix_records_case", table_name="records")
    op.drop_table("records")
    op.drop_index(op.f("ix_packets_case_id"), table_name="packets")
    op.drop_table("packets")
    op.drop_index("ix_messages_person", table_name="messages")
    op.drop_index("ix_messages_next_at", table_name="messages")
    op.drop_table("messages")
    op.drop_index("ix_journal_entries_case", table_name="journal_entries")
    op.drop_index(op.f("ix_journal_entries_at"), table_name="journal_entries")
    op.drop_index("ix_journal_entries_actor", table_name="journal_entries")
    op.drop_table("journal_entries")
    op.drop_index("ix_incidents_open", table_name="incidents")
    op.drop_table("incidents")
    op.drop_index(op.f("ix_deadlines_task_id"), table_name="deadlines")
    op.drop_index("ix_deadlines_next_at", table_name="deadlines")
    op.drop_index("ix_deadlines_case", table_name="deadlines")
    op.drop_table("deadlines")
    op.drop_index(op.f("ix_case_parties_organisation_id"), table_name="case_parties")
    op.drop_table("case_parties")
    op.drop_index(
        "uq_case_links_merged_once",
        table_name="case_links",
        sqlite_where=sa.text("kind = 'merged_into'"),
        postgresql_where=sa.text("kind = 'merged_into'"),
    )
    op.drop_index(op.f("ix_case_links_other_id"), table_name="case_links")
    op.drop_table("case_links")
    op.drop_index(op.f("ix_accountability_files_organisation_id"), table_name="accountability_files")
    op.drop_index(op.f("ix_accountability_files_case_id"), table_name="accountability_files")
    op.drop_table("accountability_files")
    op.drop_table("procedure_files")
    op.drop_index("ix_cases_state_event_at", table_name="cases")
    op.drop_index(op.f("ix_cases_procedure_version_id"), table_name="cases")
    op.drop_index(op.f("ix_cases_owner_id"), table_name="cases")
    op.drop_index(op.f("ix_cases_facility_id"), table_name="cases")
    op.drop_table("cases")
    op.drop_index(op.f("ix_sign_ins_person_id"), table_name="sign_ins")
    op.drop_table("sign_ins")
    op.drop_table("procedure_versions")
    op.drop_index(
        "uq_appointments_one_administrator",
        table_name="appointments",
        sqlite_where=sa.text("until_on IS NULL AND role IN ('system_administrator', 'security_administrator', 'audit_administrator')"),
        postgresql_where=sa.text("until_on IS NULL AND role IN ('system_administrator', 'security_administrator', 'audit_administrator')"),
    )
    op.drop_index(op.f("ix_appointments_organisation_id"), table_name="appointments")
    op.drop_table("appointments")
    op.drop_table("profile_versions")
    op.drop_table("people")
    op.drop_index("ix_organisations_path", table_name="organisations", postgresql_ops={"path": "text_pattern_ops"})
    op.drop_index(op.f("ix_organisations_parent_id"), table_name="organisations")
    op.drop_table("organisations")
    op.drop_table("throttles")
    op.drop_table("profiles")
    op.drop_index(op.f("ix_procedures_case_kind"), table_name="procedures")
    op.drop_table("procedures")
    op.drop_table("installation")
    op.drop_table("counters")
    op.drop_table("calendar_days")
