"""The ground all tables stand on: keys, instants, enumerations, names of constraints."""

from __future__ import annotations

import enum
import os
import time
import uuid
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, mapped_column  # noqa: F401
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> uuid.UUID:
    """Return a key that is unique everywhere and grows with time, so that indexes stay compact.

    Source:
        RFC 9562, 5.7 (UUID version 7): 48 bits of milliseconds, then 74 random bits.
    """
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62)


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC on every database; a naive one is refused.

    Raises:
        ValueError: the value has no time zone.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """SQLite has no zones: there the text is UTC by convention."""
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Turn the instant to UTC on its way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give back an aware instant in UTC."""
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class ByValue(TypeDecorator[enum.Enum]):
    """An enumeration kept as its value, in a text column with a named CHECK."""

    impl = sa.String
    cache_ok = True

    def __init__(self, kind: type[enum.Enum]) -> None:
        super().__init__(length=max(len(str(member.value)) for member in kind))
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Accept a member or its value; anything else is refused before it reaches the database."""
        return None if value is None else str(self.kind(value).value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> enum.Enum | None:
        """Give back the member."""
        return None if value is None else self.kind(value)


def one_of(name: str, column: str, kind: type[enum.Enum]) -> sa.CheckConstraint:
    """Return the CHECK that lets the database itself refuse values outside an enumeration."""
    values = ", ".join(f"'{member.value}'" for member in kind)
    return sa.CheckConstraint(f"{column} IN ({values})", name=name)


class Base(DeclarativeBase):
    """Every table: named constraints, time-ordered keys, aware instants, JSON as text."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Instant(),
        date: sa.Date(),
        uuid.UUID: sa.Uuid(),
        dict[str, Any]: sa.JSON(none_as_null=True),
        list[Any]: sa.JSON(none_as_null=True),
        bytes: sa.LargeBinary(),
        str: sa.Text(),
    }
