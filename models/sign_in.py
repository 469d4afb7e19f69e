"""Sign-ins: a browser's session, kept on the server so that an ended one is ended everywhere."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id
from models.person import Person


class SignIn(Base):
    """One browser signed in as one person. The cookie carries a secret; only its SHA-256 is kept."""

    __tablename__ = "sign_ins"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    secret_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("people.id"), index=True)
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    second_factor_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(sa.String(45))
    device: Mapped[str | None] = mapped_column(sa.String(120))
    searches: Mapped[dict[str, Any]] = mapped_column(default=dict)

    person: Mapped[Person] = relationship()


class Throttle(Base):
    """Failed attempts counted per account name and per address, by a hash of either."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    began_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
