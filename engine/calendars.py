"""The working calendar: weekends, holidays and make-up days, kept in the database and edited there."""

from __future__ import annotations

import time as monotonic
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import holidays
import sqlalchemy as sa

from engine import clock, journal
from engine.errors import InvalidInput
from engine.limits import WorkingCalendar
from models import CalendarDay, DayKind

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor

FRESH_FOR_S = 60.0
_exceptions: tuple[float, Mapping[date, bool]] | None = None


def current(session: Session, closes: str = "18:00") -> WorkingCalendar:
    """Return the calendar of the office; the table is read at most once a minute per process."""
    global _exceptions
    kept = _exceptions  # another thread may forget it meanwhile
    if kept is None or monotonic.monotonic() - kept[0] > FRESH_FOR_S:
        rows = session.execute(sa.select(CalendarDay.day, CalendarDay.kind)).all()
        kept = _exceptions = (monotonic.monotonic(), {day: kind is DayKind.WORKDAY for day, kind in rows})
    return WorkingCalendar(clock.zone(), kept[1], time.fromisoformat(closes))


def forget() -> None:
    """Read the table again at the next use."""
    global _exceptions
    _exceptions = None


def seed(session: Session, years: range) -> int:
    """Add the known Chinese holidays and make-up days of years that have none yet. Returns how many days are new."""
    known = {day.year for day in session.scalars(sa.select(CalendarDay.day))}
    added = 0
    for year in years:
        if year in known:
            continue
        rest = holidays.country_holidays("CN", years=year, language="zh_CN")
        for day, name in rest.items():
            if day.weekday() < 5:
                session.add(CalendarDay(day=day, kind=DayKind.HOLIDAY, note=str(name)[:60]))
                added += 1
        for day in sorted(getattr(rest, "weekend_workdays", ())):
            if day.year == year:
                session.add(CalendarDay(day=day, kind=DayKind.WORKDAY, note="调休上班"))
                added += 1
    session.flush()
    forget()
    return added


def in_english(year: int) -> dict[date, str]:
    """Return what the known holidays of a year are called in English, as `seed` names them in Chinese."""
    known = holidays.country_holidays("CN", years=year, language="en_US")
    return {**dict.fromkeys(getattr(known, "weekend_workdays", ()), "Make-up working day"), **{day: str(name) for day, name in known.items()}}


def of_year(session: Session, year: int) -> list[CalendarDay]:
    """Return the exceptional days of a year in order."""
    return list(
        session.scalars(
            sa.select(CalendarDay).where(CalendarDay.day >= date(year, 1, 1), CalendarDay.day <= date(year, 12, 31)).order_by(CalendarDay.day)
        )
    )


def set_day(session: Session, actor: Actor, day: date, kind: DayKind | None, note: str | None = None) -> None:
    """Name a day a holiday or a working day, or (None) let it be what its weekday says. Running deadlines keep their instants.

    Raises:
        InvalidInput: the day lies more than three years away.
    """
    if abs(day - clock.today()) > timedelta(days=3 * 366):
        raise InvalidInput
    found = session.get(CalendarDay, day)
    if kind is None:
        if found is not None:
            session.delete(found)
    elif found is None:
        session.add(CalendarDay(day=day, kind=kind, note=(note or "")[:60] or None))
    else:
        found.kind, found.note = kind, (note or "")[:60] or None
    journal.record(session, actor, "calendar:set", day=str(day), kind=kind.value if kind else "usual")
    session.flush()
    forget()


def uncovered_year(session: Session, at: datetime | None = None) -> int | None:
    """Return the year whose holidays are not known though deadlines already reach into it, if any."""
    calendar = current(session)
    day = (at or clock.now()).astimezone(clock.zone()).date() + timedelta(days=45)
    return None if calendar.covers(day.year) else day.year
