"""Workflow: where a case stands in its procedure, as bytes per scope, and the messages it waits for."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class WorkflowScope(Base):
    """One scope of a case's workflow: the root ('') or a called part; a finished part is frozen and not loaded again."""

    __tablename__ = "workflow_scopes"

    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), primary_key=True)
    course: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    is_frozen: Mapped[bool] = mapped_column(default=False)
    state: Mapped[bytes]


class Subscription(Base):
    """A message that a case waits for at an element of its diagram; people of a role may send it."""

    __tablename__ = "subscriptions"

    case_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("cases.id"), primary_key=True)
    task_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    message: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    element: Mapped[str] = mapped_column(sa.String(80))
