"""The installation: what this database serves, its demo clock, its counters and its working calendar."""

from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ByValue, one_of
from models.person import Realm


class Installation(Base):
    """The only row of its table. A demo's people point at realm 'demo', which a production database lacks."""

    __tablename__ = "installation"
    __table_args__ = (
        one_of("realm", "realm", Realm),
        sa.CheckConstraint("row_number = 1", name="one_row"),
        sa.CheckConstraint("realm = 'demo' OR clock_ahead_s = 0", name="true_clock_in_production"),
    )

    realm: Mapped[Realm] = mapped_column(ByValue(Realm), primary_key=True)
    row_number: Mapped[int] = mapped_column(unique=True, default=1)
    created_at: Mapped[datetime]
    clock_ahead_s: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class Counter(Base):
    """The last number given out in a sequence of case, notice or item numbers."""

    __tablename__ = "counters"

    key: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    value: Mapped[int]


class DayKind(enum.Enum):
    """How a day of the calendar differs from the usual week."""

    HOLIDAY = "holiday"
    WORKDAY = "workday"


class CalendarDay(Base):
    """A day on which the office works though it is a weekend, or rests though it is not.

    Source:
        The State Council's yearly notice on public holidays and make-up days.
    """

    __tablename__ = "calendar_days"
    __table_args__ = (one_of("kind", "kind", DayKind),)

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[DayKind] = mapped_column(ByValue(DayKind))
    note: Mapped[str | None] = mapped_column(sa.String(60))
