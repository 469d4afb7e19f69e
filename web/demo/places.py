"""Settling a made-up city: its institutions and a person for each role."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import clock, organisations, passwords, people
from models import Level, Organisation, OrganisationKind, Person, Profile, Realm, Role, Title

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PASSWORD = "Pingshen-2026"  # of every demonstration account, which only a demonstration's database can hold


def settle(session: Session, realm: Realm = Realm.DEMO, password: str = PASSWORD) -> dict[str, Person]:
    """Make the institutions and people of the demonstration. Returns the people by username."""
    content = tomllib.loads((resources.files("web.demo") / "places.toml").read_text("utf-8"))
    known: dict[str, Organisation] = {}
    profiles = dict(session.execute(sa.select(Profile.key, Profile.id)).all())
    for entry in content["organisations"]:
        known[entry["code"]] = organisations.add(
            session,
            None,
            parent=known.get(entry.get("under", "")),
            code=entry["code"],
            name=entry["name"],
            name_en=entry.get("name_en"),
            short_name=entry.get("short_name"),
            kind=OrganisationKind(entry["kind"]),
            level=Level(entry["level"]),
            grade=entry.get("grade"),
            phone=entry.get("phone"),
            profile_id=profiles[entry["profile"]] if "profile" in entry else None,
        )
    hashed, now = passwords.hashed(password), clock.now()
    everybody: dict[str, Person] = {}
    for entry in content["people"]:
        person = people.add(
            session,
            None,
            username=entry["username"],
            name=entry["name"],
            realm=realm,
            email=entry.get("email"),
            title=Title(entry["title"]) if "title" in entry else None,
            discipline=entry.get("discipline"),
        )
        person.password_hash, person.password_set_at = hashed, now
        for post in entry["posts"]:
            role, _, code = post.partition("@")
            people.appoint(session, None, person, Role(role), known[code], from_on=clock.today().replace(month=1, day=1))
        everybody[person.username] = person
    session.flush()
    return everybody
