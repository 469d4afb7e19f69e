"""Trials: a draft or version tried on scenarios or on real cases in the background; nothing of a case is written."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ByValue, new_id, one_of


class TrialKind(enum.Enum):
    """Scenarios kept with the procedure, or a replay of past and running cases."""

    SCENARIOS = "scenarios"
    REPLAY = "replay"


class TrialState(enum.Enum):
    """Waiting for the worker, at work, done, stopped by somebody, or failed."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Trial(Base):
    """One trial with its progress. `files` is the tried set of files, zipped, so that a later save does not change it.

    `wanted` holds what was asked for, `progress` what the next turn goes on from, `result` what came out. None of them
    holds an answer of a form.
    """

    __tablename__ = "trials"
    __table_args__ = (
        one_of("kind", "kind", TrialKind),
        one_of("state", "state", TrialState),
        sa.CheckConstraint("done >= 0 AND total >= 0 AND done <= total", name="progress_within"),
        sa.Index("ix_trials_procedure", "procedure_id", "started_at"),
        sa.Index("ix_trials_state", "state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    procedure_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("procedures.id"))
    version_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("procedure_versions.id"))
    kind: Mapped[TrialKind] = mapped_column(ByValue(TrialKind))
    state: Mapped[TrialState] = mapped_column(ByValue(TrialState), default=TrialState.WAITING)
    digest: Mapped[str] = mapped_column(sa.String(64))
    files: Mapped[bytes]
    wanted: Mapped[dict[str, Any]] = mapped_column(default=dict)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    started_by_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("people.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
