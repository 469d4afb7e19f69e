"""Dates, times and durations of FEEL, independent of the limits of Python's datetime.

Years reach from -999,999,999 to 999,999,999 and clocks count nanoseconds (DMN 1.5, 10.3.2.3.5 to 10.3.2.3.8). A zone is
None (local), an offset from UTC in seconds, or the name of a zone in the IANA database.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, TypeAlias, final
from zoneinfo import ZoneInfo

NANOS = 10**9
DAY_NANOS = 86_400 * NANOS
MILLISECOND = 10**6
"""Nanoseconds; finer differences do not count when times are compared, as the test kit has it."""
MAX_YEAR = 999_999_999
MAX_OFFSET = 18 * 3600
"""The largest offset from UTC, in seconds (XML Schema allows 14 hours, the test kit and java.time 18)."""

Zone: TypeAlias = int | str | None

_EPOCH = date(1970, 1, 1).toordinal()
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097


class Plain:
    """A value with slots that is equal to another of its class with equal slots."""

    __slots__: tuple[str, ...] = ()

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._key()))})"


@final
class Date(Plain):
    """A calendar day, as days since 1970-01-01 in the Gregorian calendar."""

    __slots__ = ("days",)

    def __init__(self, days: int) -> None:
        self.days = days

    def __str__(self) -> str:
        year, month, day = civil(self.days)
        return f"{'-' if year < 0 else ''}{abs(year):04d}-{month:02d}-{day:02d}"


@final
class Time(Plain):
    """A time of day, as nanoseconds since midnight, with or without a zone."""

    __slots__ = ("nanos", "zone")

    def __init__(self, nanos: int, zone: Zone = None) -> None:
        self.nanos = nanos
        self.zone = zone

    def __str__(self) -> str:
        return _clock_text(self.nanos) + zone_text(self.zone)

    @property
    def order(self) -> int:
        """Nanoseconds since midnight UTC; a named zone counts with its offset of 1 January 1970."""
        return self.nanos - (offset_at(self.zone, 0, 0) or 0) * NANOS


@final
class DateTime(Plain):
    """A day and a time of day, with or without a zone; `fold` 1 is the second of two equal clocks, as they go back."""

    __slots__ = ("_instant", "days", "fold", "nanos", "zone")

    def __init__(self, days: int, nanos: int, zone: Zone = None, fold: int = 0) -> None:
        self.days = days
        self.nanos = nanos
        self.zone = zone
        self.fold = fold
        self._instant: int | None = None

    def _key(self) -> tuple[Any, ...]:
        return self.days, self.nanos, self.zone, self.fold

    def __str__(self) -> str:
        return f"{Date(self.days)}T{_clock_text(self.nanos)}{zone_text(self.zone)}"

    @property
    def instant(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z; a local value counts as if it were UTC."""
        if self._instant is None:
            offset = offset_at(self.zone, self.days, self.nanos, self.fold) or 0
            self._instant = self.days * DAY_NANOS + self.nanos - offset * NANOS
        return self._instant


@final
class Duration(Plain):
    """A days and time duration, in nanoseconds."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    def __str__(self) -> str:
        seconds, fraction = divmod(abs(self.nanos), NANOS)
        days, hours, minutes, seconds = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
        clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        if seconds or fraction:
            clock += f"{seconds}{_fraction_text(fraction)}S"
        text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
        return f"{'-' if self.nanos < 0 else ''}P{text or 'T0S'}"


@final
class Months(Plain):
    """A years and months duration, in months."""

    __slots__ = ("months",)

    def __init__(self, months: int) -> None:
        self.months = months

    def __str__(self) -> str:
        years, months = divmod(abs(self.months), 12)
        text = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        return f"{'-' if self.months < 0 else ''}P{text or '0M'}"


# The calendar


def civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a day number."""
    cycles, rest = divmod(days, _CYCLE_DAYS)
    found = date.fromordinal(rest + _EPOCH)
    return found.year + cycles * _CYCLE_YEARS, found.month, found.day


def day_number(year: int, month: int, day: int) -> int | None:
    """Return the number of a day, or None when there is no such day."""
    if abs(year) > MAX_YEAR:
        return None
    cycles, rest = divmod(year - 1970, _CYCLE_YEARS)
    try:
        return date(1970 + rest, month, day).toordinal() - _EPOCH + cycles * _CYCLE_DAYS
    except (ValueError, OverflowError):
        return None


_FIRST_DAY = day_number(-MAX_YEAR, 1, 1) or 0
_LAST_DAY = day_number(MAX_YEAR, 12, 31) or 0


def exists(days: int) -> bool:
    """Tell whether a day number lies in the calendar."""
    return _FIRST_DAY <= days <= _LAST_DAY


def add_months(days: int, months: int) -> int | None:
    """Move a day by months; a day that the month does not have becomes its last (31 January + 1 = 28 February)."""
    year, month, day = civil(days)
    year, month = divmod(year * 12 + month - 1 + months, 12)
    while day > 28:
        found = day_number(year, month + 1, day)
        if found is not None:
            return found
        day -= 1
    return day_number(year, month + 1, day)


def add_to_date(value: Date, duration: Duration | Months) -> Date | None:
    """Add a duration to a date; a part of a day counts from midnight and the clock is dropped."""
    if type(duration) is Months:
        days = add_months(value.days, duration.months)
    else:
        days = (value.days * DAY_NANOS + duration.nanos) // DAY_NANOS
    return Date(days) if days is not None and exists(days) else None


def add_to_date_time(value: DateTime, duration: Duration | Months) -> DateTime | None:
    """Add a duration: months move the calendar, seconds move the instant (DMN 1.5, 10.3.2.3.5 and table 57)."""
    if type(duration) is Months:
        days = add_months(value.days, duration.months)
        return None if days is None else DateTime(days, value.nanos, value.zone, value.fold)
    nanos = duration.nanos
    if isinstance(value.zone, str):
        return in_zone(value.instant + nanos, value.zone)
    days, clock = divmod(value.days * DAY_NANOS + value.nanos + nanos, DAY_NANOS)
    return DateTime(days, clock, value.zone) if exists(days) else None


def in_zone(instant: int, zone: int | str) -> DateTime | None:
    """Return the local date and time of an instant (nanoseconds since 1970-01-01T00:00:00Z) in a zone."""
    if isinstance(zone, int):
        days, clock = divmod(instant + zone * NANOS, DAY_NANOS)
        return DateTime(days, clock, zone) if exists(days) else None
    days, clock = divmod(instant, DAY_NANOS)
    if not exists(days):
        return None
    seconds, fraction = divmod(clock, NANOS)
    near, shifted_days = _python_datetime(days, seconds)
    local = near.replace(tzinfo=UTC).astimezone(_zone_info(zone))
    moved = local.toordinal() - _EPOCH + shifted_days
    return DateTime(moved, _seconds_of(local) * NANOS + fraction, zone, local.fold)


def _seconds_of(value: datetime) -> int:
    return value.hour * 3600 + value.minute * 60 + value.second


def _python_datetime(days: int, seconds: int) -> tuple[datetime, int]:
    """Return a datetime with the same calendar, moved by whole 400-year cycles into Python's years, and that move."""
    ordinal = days + _EPOCH
    cycles = 0
    if ordinal < 400:
        cycles = (ordinal - 400) // _CYCLE_DAYS
    elif ordinal > 3_652_000:
        cycles = (ordinal - 3_652_000) // _CYCLE_DAYS + 1
    shift = cycles * _CYCLE_DAYS
    return datetime.combine(date.fromordinal(ordinal - shift), datetime.min.time()) + timedelta(seconds=seconds), shift


# Zones

_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)


@lru_cache(maxsize=1024)
def _zone_info(name: str) -> ZoneInfo | None:
    if len(name) > 60 or not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def is_zone(name: str) -> bool:
    """Tell whether the IANA database has a zone of this name."""
    return _zone_info(name) is not None


def offset_at(zone: Zone, days: int, nanos: int, fold: int = 0) -> int | None:
    """Return the offset from UTC in seconds at a local day and clock, or None without a zone."""
    if not isinstance(zone, str):
        return zone
    local, _ = _python_datetime(days, nanos // NANOS)
    offset = local.replace(tzinfo=_zone_info(zone), fold=fold).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


# Reading

_DATE = r"(-?(?:[1-9]\d{4,8}|\d{4}))-(\d\d)-(\d\d)"
_TIME = (
    r"(\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    r"(?:(Z)|([+-])(\d\d):(\d\d)(?::(\d\d))?|@([A-Za-z0-9_/+-]+))?"
)
_READ_DATE = re.compile(_DATE, re.ASCII)
_READ_TIME = re.compile(_TIME, re.ASCII)
_READ_DATE_TIME = re.compile(f"{_DATE}T{_TIME}", re.ASCII)
_READ_DURATION = re.compile(r"(-)?P(?:(\d{1,30})D)?(T(?:(\d{1,30})H)?(?:(\d{1,30})M)?(?:(\d{1,30})(?:\.(\d*))?S)?)?", re.ASCII)
_READ_MONTHS = re.compile(r"(-)?P(?:(\d{1,30})Y)?(?:(\d{1,30})M)?", re.ASCII)


def _fraction(digits: str | None) -> int:
    """Return nanoseconds of the digits after the point; finer digits are dropped."""
    return int(digits[:9].ljust(9, "0")) if digits else 0


def _read_clock(groups: Iterator[str | None]) -> tuple[int, Zone] | None:
    """Return nanoseconds of the day and zone; 24:00:00 is a whole day."""
    hour, minute, second, fraction, utc, sign, offset_h, offset_m, offset_s, name = groups
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 24 or minutes > 59 or seconds > 59 or (hours == 24 and (minutes or seconds or fraction)):
        return None
    nanos = (hours * 3600 + minutes * 60 + seconds) * NANOS + _fraction(fraction)
    zone: Zone = None
    if utc:
        zone = 0
    elif sign:
        zone = int(offset_h or 0) * 3600 + int(offset_m or 0) * 60 + int(offset_s or 0)
        if int(offset_m or 0) > 59 or int(offset_s or 0) > 59 or zone > MAX_OFFSET:
            return None
        zone = -zone if sign == "-" else zone
    elif name:
        if not is_zone(name):
            return None
        zone = name
    return nanos, zone


def read_date(text: str) -> Date | None:
    """Read `2026-11-22`."""
    found = _READ_DATE.fullmatch(text)
    days = day_number(int(found[1]), int(found[2]), int(found[3])) if found else None
    return None if days is None else Date(days)


def read_time(text: str) -> Time | None:
    """Read `10:15:00`, `10:15:00.5Z`, `10:15:00+08:00` or `10:15:00@Asia/Shanghai`."""
    found = _READ_TIME.fullmatch(text)
    clock = _read_clock(iter(found.groups())) if found else None
    return None if clock is None else Time(clock[0] % DAY_NANOS, clock[1])


def read_date_time(text: str) -> DateTime | None:
    """Read a date, `T` and a time; a date alone is midnight."""
    found = _READ_DATE_TIME.fullmatch(text)
    if not found:
        day = read_date(text)
        return None if day is None else DateTime(day.days, 0)
    groups = found.groups()
    days, clock = day_number(int(groups[0]), int(groups[1]), int(groups[2])), _read_clock(iter(groups[3:]))
    if days is None or clock is None:
        return None
    over, nanos = divmod(clock[0], DAY_NANOS)
    return DateTime(days + over, nanos, clock[1]) if exists(days + over) else None


def read_duration(text: str) -> Duration | Months | None:
    """Read `P1Y2M` or `P1DT2H3M4.5S`, with an optional sign; the two kinds never mix."""
    if text[-1:] in ("P", "T", "-", ""):
        return None
    found = _READ_MONTHS.fullmatch(text)
    if found:
        months = int(found[2] or 0) * 12 + int(found[3] or 0)
        return Months(-months if found[1] else months)
    found = _READ_DURATION.fullmatch(text)
    if not found:
        return None
    hours = int(found[2] or 0) * 24 + int(found[4] or 0)
    nanos = ((hours * 60 + int(found[5] or 0)) * 60 + int(found[6] or 0)) * NANOS + _fraction(found[7])
    return Duration(-nanos if found[1] else nanos)


def read_temporal(text: str) -> Date | DateTime | Time | Duration | Months | None:
    """Read any of the above: the text of an `@"..."` literal (DMN 1.5, 10.3.1.2, rule 62)."""
    return read_date(text) or read_date_time(text) or read_time(text) or read_duration(text)


# Writing


def _fraction_text(nanos: int) -> str:
    return f".{nanos:09d}".rstrip("0") if nanos else ""


def _clock_text(nanos: int) -> str:
    seconds, fraction = divmod(nanos, NANOS)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{_fraction_text(fraction)}"


def zone_text(zone: Zone) -> str:
    """Return a zone as it follows a clock: nothing, `Z`, `+08:00` or `@Asia/Shanghai`."""
    if zone is None:
        return ""
    if isinstance(zone, str):
        return f"@{zone}"
    if zone == 0:
        return "Z"
    size = abs(zone)
    seconds = f":{size % 60:02d}" if size % 60 else ""
    return f"{'-' if zone < 0 else '+'}{size // 3600:02d}:{size // 60 % 60:02d}{seconds}"


# To and from Python


def zone_of(value: datetime | Any) -> Zone:
    """Return the zone of an aware or naive Python datetime or time.

    Raises:
        ValueError: The offset is unknown or not in whole seconds.
    """
    if value.tzinfo is None:
        return None
    key = getattr(value.tzinfo, "key", None)
    if isinstance(key, str) and is_zone(key):
        return key
    offset = value.utcoffset()
    if offset is None or offset.microseconds:
        raise ValueError("the offset from UTC is not in whole seconds")
    return offset.days * 86_400 + int(offset.seconds)


def tzinfo_of(zone: Zone) -> ZoneInfo | timezone | None:
    """Return the Python zone of a zone."""
    if zone is None:
        return None
    if isinstance(zone, str):
        return _zone_info(zone)
    return UTC if zone == 0 else timezone(timedelta(seconds=zone))


def clock_nanos(value: Any) -> int:
    """Return the nanoseconds of the day of a Python datetime or time."""
    return (_seconds_of(value) * 1_000_000 + int(value.microsecond)) * 1000


def from_date(value: date) -> Date:
    """Return the FEEL date of a Python date."""
    return Date(value.toordinal() - _EPOCH)


def from_datetime(value: datetime) -> DateTime:
    """Return the FEEL date and time of a Python datetime."""
    return DateTime(value.toordinal() - _EPOCH, clock_nanos(value), zone_of(value), value.fold)


def from_timedelta(value: timedelta) -> Duration:
    """Return the FEEL duration of a Python timedelta."""
    return Duration((value.days * 86_400 + value.seconds) * NANOS + value.microseconds * 1000)


def to_date(value: Date) -> date:
    """Return the Python date; ValueError outside the years 1 to 9999."""
    return date.fromordinal(value.days + _EPOCH)


def to_datetime(value: DateTime) -> datetime:
    """Return the Python datetime, cut to microseconds; ValueError outside the years 1 to 9999."""
    day = date.fromordinal(value.days + _EPOCH)
    clock = timedelta(microseconds=value.nanos // 1000)
    whole = datetime(day.year, day.month, day.day) + clock
    return whole.replace(tzinfo=tzinfo_of(value.zone), fold=value.fold)


def to_timedelta(value: Duration) -> timedelta:
    """Return the Python timedelta, cut to microseconds; OverflowError beyond its range."""
    return timedelta(microseconds=value.nanos // 1000)
