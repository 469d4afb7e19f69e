"""The journal is chained: each entry carries the hash of the one before it and of its own content."""

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ENTRIES = sa.table(
    "journal_entries",
    sa.column("id", sa.BigInteger()),
    sa.column("at", sa.DateTime(timezone=True)),
    sa.column("actor_id", sa.Uuid()),
    sa.column("action", sa.String()),
    sa.column("case_id", sa.Uuid()),
    sa.column("sequence", sa.Integer()),
    sa.column("object_id", sa.Uuid()),
    sa.column("detail", sa.JSON()),
    sa.column("position", sa.BigInteger()),
    sa.column("hash", sa.String()),
)
_BATCH = 1000


def upgrade() -> None:
    heads = op.create_table(
        "journal_heads",
        sa.Column("row_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.CheckConstraint("row_number = 1", name=op.f("ck_journal_heads_one_row")),
        sa.PrimaryKeyConstraint("row_number", name=op.f("pk_journal_heads")),
    )
    with op.batch_alter_table("journal_entries") as batch:
        batch.add_column(sa.Column("position", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("hash", sa.String(length=64), nullable=True))
    connection = op.get_bind()
    position, before, hashed, last = 0, "0" * 64, "0" * 64, -1
    while rows := connection.execute(sa.select(_ENTRIES).where(_ENTRIES.c.id > last).order_by(_ENTRIES.c.id).limit(_BATCH)).all():
        for row in rows:
            position, before = position + 1, hashed
            hashed = hashlib.sha256((before + _digest(row)).encode()).hexdigest()
            connection.execute(sa.update(_ENTRIES).where(_ENTRIES.c.id == row.id).values(position=position, hash=hashed))
        last = rows[-1].id
    connection.execute(sa.insert(heads).values(row_number=1, position=position, hash=hashed, before=before))
    with op.batch_alter_table("journal_entries") as batch:
        batch.alter_column("position", existing_type=sa.BigInteger(), nullable=False)
        batch.alter_column("hash", existing_type=sa.String(length=64), nullable=False)
        batch.create_unique_constraint(op.f("uq_journal_entries_position"), ["position"])


def _digest(row: Any) -> str:
    def key(value: uuid.UUID | None) -> str | None:
        return str(value) if value else None

    at: datetime = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)
    columns = (
        at.astimezone(UTC).isoformat(timespec="microseconds"),
        key(row.actor_id),
        row.action,
        key(row.case_id),
        row.sequence,
        key(row.object_id),
        row.detail,
    )
    return hashlib.sha256(json.dumps(columns, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def downgrade() -> None:
    with op.batch_alter_table("journal_entries") as batch:
        batch.drop_constraint(op.f("uq_journal_entries_position"), type_="unique")
        batch.drop_column("hash")
        batch.drop_column("position")
    op.drop_table("journal_heads")
