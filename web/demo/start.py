"""Starting a demonstration: its folder, its database, its made-up city and cases, its accounts on paper."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine.transaction import transaction
from models import Installation, Organisation, Person, Realm, SignIn
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from web.demo import load, places
from web.settings import Settings, from_environment, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

FOLDER = Path("data") / "demo"
SHOWN_FIRST = (
    "tangyining",
    "qinhaitang",
    "fangjingshu",
    "zoushoutian",
    "qitinglan",
    "yanhuaijin",
    "xushenyan",
    "lujianwei",
    "gaohuairen",
    "renguochang",
    "peiwenxiu",
    "chushiyao",
    "liucheng",
    "xitong",
    "anquan",
    "shenji",
)


class NotADemonstration(Exception):
    """The database belongs to production, or is empty."""


def open_folder(folder: Path, database_url: str = "") -> tuple[Settings, sa.Engine, Sessions]:
    """Open, or make, the folder of a demonstration and connect to its database."""
    folder.mkdir(parents=True, exist_ok=True)
    url = database_url or f"sqlite:///{(folder / 'pingshen.db').resolve()}"
    key = folder / "secret_key"
    if not key.exists():
        with os.fdopen(os.open(key, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(new_secret())
    settings = from_environment(
        realm=Realm.DEMO.value,
        database_url=url,
        secret_key=key.read_text(),
        office="澜州市妇幼保健院",
        duty_phone="0551-000-0110",
        anchor_file=str((folder / "journal-anchors.txt").resolve()),
    )
    engine = connect(url)
    return settings, engine, sessions_of(engine)


def prepare(engine: sa.Engine, sessions: Sessions, say: Callable[[str], None]) -> None:
    """Bring the database up to date and, when it is new, fill it: procedures, profiles, places and cases.

    A start that was interrupted while filling begins again; what is complete is never touched.

    Raises:
        NotADemonstration: the database was made for production.
    """
    upgrade(engine)
    with transaction(sessions) as session:
        row = session.scalar(sa.select(Installation))
        if row is not None and row.realm is not Realm.DEMO:
            raise NotADemonstration
    load.load(sessions, say=say)


def accounts(session: Session) -> list[dict[str, Any]]:
    """Return the accounts: the ones to begin with first, each with its roles and where it works."""
    from web import words

    units = dict(session.execute(sa.select(Organisation.id, Organisation.name)).all())  # type: ignore[arg-type]
    people = {person.username: person for person in session.scalars(sa.select(Person).options(sa.orm.selectinload(Person.appointments)))}
    order = [*SHOWN_FIRST, *(name for name in sorted(people) if name not in SHOWN_FIRST)]
    return [
        {
            "username": name,
            "password": places.PASSWORD,
            "name": people[name].name,
            "roles": [
                {"role": post.role.value, "role_zh": str(words.ROLES[post.role]), "organisation": units[post.organisation_id]}
                for post in people[name].appointments
            ],
        }
        for name in order
        if name in people
    ]


def write_accounts(folder: Path, address: str, rows: list[dict[str, Any]]) -> Path:
    """Leave the address and the accounts in `accounts.json`."""
    path = folder / "accounts.json"
    path.write_text(json.dumps({"address": address, "accounts": rows}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def move_clock(sessions: Sessions, by: timedelta) -> int:
    """Move a demonstration's clock; whoever is signed in stays so. Returns how many seconds it is ahead now.

    Raises:
        NotADemonstration: the clock of production cannot be moved.
    """
    with transaction(sessions) as session:
        row = session.scalar(sa.select(Installation).with_for_update())
        if row is None or row.realm is not Realm.DEMO:
            raise NotADemonstration
        row.clock_ahead_s += round(by.total_seconds())
        for sign_in in session.scalars(sa.select(SignIn).where(SignIn.ended_at.is_(None))):
            sign_in.began_at, sign_in.seen_at, sign_in.confirmed_at = sign_in.began_at + by, sign_in.seen_at + by, sign_in.confirmed_at + by
        return row.clock_ahead_s
