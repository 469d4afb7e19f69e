"""Procedures are changed in the browser: drafts, approvals, trials, cases moved to another version."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "procedure_approvals",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by_id", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activate_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_approved", sa.Boolean(), nullable=True),
        sa.Column("verdict_by_id", sa.Uuid(), nullable=True),
        sa.Column("verdict_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "(verdict_by_id IS NULL) = (verdict_at IS NULL) AND (verdict_by_id IS NULL) = (is_approved IS NULL)",
            name=op.f("ck_procedure_approvals_verdict_whole"),
        ),
        sa.CheckConstraint(
            "verdict_by_id IS NULL OR asked_by_id IS NULL OR verdict_by_id <> asked_by_id", name=op.f("ck_procedure_approvals_four_eyes")
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["people.id"], name=op.f("fk_procedure_approvals_asked_by_id_people")),
        sa.ForeignKeyConstraint(["verdict_by_id"], ["people.id"], name=op.f("fk_procedure_approvals_verdict_by_id_people")),
        sa.ForeignKeyConstraint(["version_id"], ["procedure_versions.id"], name=op.f("fk_procedure_approvals_version_id_procedure_versions")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_procedure_approvals")),
    )
    op.create_table(
        "procedure_drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("procedure_id", sa.Uuid(), nullable=False),
        sa.Column("base_version_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_id", sa.Uuid(), nullable=True),
        sa.Column("locked_by_id", sa.Uuid(), nullable=True),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(locked_by_id IS NULL) = (locked_until IS NULL)", name=op.f("ck_procedure_drafts_lock_ends")),
        sa.CheckConstraint("revision > 0", name=op.f("ck_procedure_drafts_revision_positive")),
        sa.ForeignKeyConstraint(["base_version_id"], ["procedure_versions.id"], name=op.f("fk_procedure_drafts_base_version_id_procedure_versions")),
        sa.ForeignKeyConstraint(["changed_by_id"], ["people.id"], name=op.f("fk_procedure_drafts_changed_by_id_people")),
        sa.ForeignKeyConstraint(["locked_by_id"], ["people.id"], name=op.f("fk_procedure_drafts_locked_by_id_people")),
        sa.ForeignKeyConstraint(["procedure_id"], ["procedures.id"], name=op.f("fk_procedure_drafts_procedure_id_procedures")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure_drafts")),
        sa.UniqueConstraint("procedure_id", name=op.f("uq_procedure_drafts_procedure_id")),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("procedure_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=9), nullable=False),
        sa.Column("state", sa.String(length=7), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("started_by_id", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('scenarios', 'replay')", name=op.f("ck_trials_kind")),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'stopped', 'failed')", name=op.f("ck_trials_state")),
        sa.CheckConstraint("done >= 0 AND total >= 0 AND done <= total", name=op.f("ck_trials_progress_within")),
        sa.ForeignKeyConstraint(["procedure_id"], ["procedures.id"], name=op.f("fk_trials_procedure_id_procedures")),
        sa.ForeignKeyConstraint(["started_by_id"], ["people.id"], name=op.f("fk_trials_started_by_id_people")),
        sa.ForeignKeyConstraint(["version_id"], ["procedure_versions.id"], name=op.f("fk_trials_version_id_procedure_versions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
    )
    op.create_index("ix_trials_procedure", "trials", ["procedure_id", "started_at"], unique=False)
    op.create_index("ix_trials_state", "trials", ["state"], unique=False)
    op.create_table(
        "procedure_draft_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=120), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=True),
        sa.Column("after", sa.LargeBinary(), nullable=True),
        sa.Column("what", sa.String(length=200), nullable=True),
        sa.Column("made_by_id", sa.Uuid(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_undone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["procedure_drafts.id"], name=op.f("fk_procedure_draft_changes_draft_id_procedure_drafts")),
        sa.ForeignKeyConstraint(["made_by_id"], ["people.id"], name=op.f("fk_procedure_draft_changes_made_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure_draft_changes")),
        sa.UniqueConstraint("draft_id", "number", "path", name=op.f("uq_procedure_draft_changes_draft_id_number_path")),
    )
    op.create_table(
        "procedure_draft_files",
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(length=120), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("path NOT LIKE '/%' AND path NOT LIKE '%..%'", name=op.f("ck_procedure_draft_files_path_inside")),
        sa.ForeignKeyConstraint(["draft_id"], ["procedure_drafts.id"], name=op.f("fk_procedure_draft_files_draft_id_procedure_drafts")),
        sa.PrimaryKeyConstraint("draft_id", "path", name=op.f("pk_procedure_draft_files")),
    )
    op.create_table(
        "version_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("from_version_id", sa.Uuid(), nullable=False),
        sa.Column("to_version_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("made_by_id", sa.Uuid(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by_id IS NULL)", name=op.f("ck_version_changes_undoing_signed")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_version_changes_case_id_cases")),
        sa.ForeignKeyConstraint(["from_version_id"], ["procedure_versions.id"], name=op.f("fk_version_changes_from_version_id_procedure_versions")),
        sa.ForeignKeyConstraint(["made_by_id"], ["people.id"], name=op.f("fk_version_changes_made_by_id_people")),
        sa.ForeignKeyConstraint(["to_version_id"], ["procedure_versions.id"], name=op.f("fk_version_changes_to_version_id_procedure_versions")),
        sa.ForeignKeyConstraint(["undone_by_id"], ["people.id"], name=op.f("fk_version_changes_undone_by_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version_changes")),
    )
    op.create_index("ix_version_changes_case", "version_changes", ["case_id", "made_at"], unique=False)
    op.create_table(
        "version_change_scopes",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("is_frozen", sa.Boolean(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["version_changes.id"], name=op.f("fk_version_change_scopes_change_id_version_changes")),
        sa.PrimaryKeyConstraint("change_id", "scope", name=op.f("pk_version_change_scopes")),
    )


def downgrade() -> None:
    op.drop_table("version_change_scopes")
    op.drop_index("ix_version_changes_case", table_name="version_changes")
    op.drop_table("version_changes")
    op.drop_table("procedure_draft_files")
    op.drop_table("procedure_draft_changes")
    op.drop_index("ix_trials_state", table_name="trials")
    op.drop_index("ix_trials_procedure", table_name="trials")
    op.drop_table("trials")
    op.drop_table("procedure_drafts")
    op.drop_table("procedure_approvals")
