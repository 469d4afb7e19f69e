"""Profiles: local limits, cycles, quorum and triggers, versioned; a case keeps the version it started with."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock
from engine.errors import NotFound
from engine.limits import Limit
from models import Organisation, Profile, ProfileVersion

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

DEFAULT = "cn_default"


@dataclass(frozen=True)
class Values:
    """The content of a profile version, with what it inherits already filled in."""

    content: Mapping[str, Any]

    @property
    def values(self) -> Mapping[str, Any]:
        """What diagrams and forms read as `profile.<key>`."""
        values: Mapping[str, Any] = self.content["values"]
        return values

    def limit(self, key: str) -> Limit | None:
        """Return a limit, or None where the area does not keep it.

        Raises:
            KeyError: no profile knows such a limit.
        """
        entry = self.content["limits"][key]
        if "value" not in entry or entry.get("kept") is False:
            return None
        return Limit(key, int(entry["value"]), str(entry["unit"]))

    def describe(self, key: str) -> Mapping[str, Any]:
        """Return the words of a limit: name, rule, source, who is told."""
        entry: Mapping[str, Any] = self.content["limits"].get(key, {})
        return entry


def shipped() -> dict[str, dict[str, Any]]:
    """Return the profiles that come with the product, each with what it inherits filled in."""
    folder = resources.files("bpmn") / "profiles"
    raw = {entry.name[:-5]: tomllib.loads(entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {key: _fill(raw, key) for key in sorted(raw)}


def _fill(raw: Mapping[str, dict[str, Any]], key: str) -> dict[str, Any]:
    own = raw[key]
    if "extends" not in own:
        return own
    base = _fill(raw, own["extends"])
    limits = {name: dict(entry) for name, entry in base["limits"].items()}
    for name, entry in own.get("limits", {}).items():
        limits[name] = {**limits.get(name, {}), **entry}
    return {**base, **own, "limits": limits, "values": {**base["values"], **own.get("values", {})}}


def load_shipped(session: Session) -> int:
    """Bring the shipped profiles into the database; unchanged ones stay as they are. Returns how many versions are new."""
    added = 0
    for key, content in shipped().items():
        effective_on: date = content.pop("effective_on")
        plain = json.loads(json.dumps(content, ensure_ascii=False))
        digest = hashlib.sha256(json.dumps([plain, str(effective_on)], sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        profile = session.scalar(sa.select(Profile).where(Profile.key == key))
        if profile is None:
            profile = Profile(key=key, name=content["name"], name_en=content["name_en"])
            session.add(profile)
            session.flush()
        profile.name, profile.name_en = content["name"], content["name_en"]
        versions = session.scalars(sa.select(ProfileVersion).where(ProfileVersion.profile_id == profile.id)).all()
        if any(version.digest == digest for version in versions):
            continue
        number = max((version.number for version in versions), default=0) + 1
        session.add(
            ProfileVersion(profile_id=profile.id, number=number, digest=digest, content=plain, effective_on=effective_on, created_at=clock.now())
        )
        added += 1
    session.flush()
    return added


def of_organisation(session: Session, organisation: Organisation) -> ProfileVersion:
    """Return the version in force for an organisation: its own or the nearest above it, else the national default."""
    codes = organisation.path.strip("/").split("/")
    paths = ["/" + "/".join(codes[: count + 1]) + "/" for count in range(len(codes))]
    row = session.execute(
        sa.select(Profile.key)
        .join(Organisation, Organisation.profile_id == Profile.id)
        .where(Organisation.path.in_(paths))
        .order_by(sa.func.length(Organisation.path).desc())
        .limit(1)
    ).first()
    return in_force(session, row[0] if row else DEFAULT)


def in_force(session: Session, key: str) -> ProfileVersion:
    """Return the version of a profile that is in force today.

    Raises:
        NotFound: no such profile, or none of its versions is in force yet.
    """
    version = session.scalar(
        sa.select(ProfileVersion)
        .join(Profile)
        .where(Profile.key == key, ProfileVersion.effective_on <= clock.today())
        .order_by(ProfileVersion.effective_on.desc(), ProfileVersion.number.desc())
        .limit(1)
    )
    if version is None:
        raise NotFound
    return version


_by_version: dict[UUID, Values] = {}


def values(session: Session, version_id: UUID) -> Values:
    """Return the values of a version; versions never change, so each is read once per process."""
    found = _by_version.get(version_id)
    if found is None:
        content = session.scalar(sa.select(ProfileVersion.content).where(ProfileVersion.id == version_id))
        if content is None:
            raise NotFound
        found = _by_version[version_id] = Values(content)
    return found


@lru_cache(maxsize=1)
def known_values() -> frozenset[str]:
    """Return the keys of the other values that some shipped profile knows."""
    return frozenset(key for content in shipped().values() for key in content["values"])


def known_limits() -> frozenset[str]:
    """Return the keys of limits that some shipped profile knows."""
    return frozenset(key for content in shipped().values() for key in content["limits"])
