"""Numbers that people read aloud: of notices, cases, items and files in sequence; of packets and incidents at random."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engine import clock
from models import Counter

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# No letters or digits that are taken for one another.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
KINDS = {
    "maternal_death": "MD",
    "maternal_death_late": "ML",
    "pregnancy_associated": "PA",
    "neonatal_death": "ND",
    "infant_death": "ID",
    "u5_death": "UD",
    "perinatal_death": "PD",
    "maternal_near_miss": "MN",
    "neonatal_near_miss": "NN",
}


def next_in(session: Session, sequence: str, count: int = 1) -> int:
    """Return the next number of a sequence, the last of `count` of them; a rolled-back command gives them back."""
    dialect = session.get_bind().dialect.name
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(Counter).values(key=sequence, value=count)
    statement = insert.on_conflict_do_update(index_elements=["key"], set_={"value": Counter.value + count}).returning(Counter.value)
    return int(session.execute(statement).scalar_one())


def give(session: Session, office: str, mark: str) -> str:
    """Return the next number of an office, year and kind of thing: `LZ26-MD-007`.

    Args:
        mark: MD, ND, … for cases (see `KINDS`), TZ for notices, ZG for rectification items, YT for accountability files.
    """
    head = f"{office}{clock.today():%y}-{mark}"
    return f"{head}-{next_in(session, head):03}"


def several(session: Session, office: str, mark: str, count: int) -> list[str]:
    """Return the next numbers of an office, year and kind of thing, in order; see `give`."""
    head = f"{office}{clock.today():%y}-{mark}"
    last = next_in(session, head, count) if count else 0
    return [f"{head}-{number:03}" for number in range(last - count + 1, last + 1)]


def at_random(length: int = 6) -> str:
    """Return a number that says nothing: `7K4-QX2`."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(length))
    return f"{text[: length // 2]}-{text[length // 2 :]}"


def exists(session: Session, column: sa.orm.InstrumentedAttribute[str], number: str) -> bool:
    """Tell whether a random number is taken."""
    return session.scalar(sa.select(column).where(column == number)) is not None
