"""The person who acts, with the roles in force now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from engine import clock
from models import Appointment, Organisation, Person, Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Post:
    """A role in force: in which organisation, and the subtree it reaches (`reach` is a path prefix)."""

    role: Role
    organisation_id: UUID
    organisation: str
    path: str
    reach: str
    organisation_en: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. Without a post nothing is allowed."""

    person_id: UUID
    name: str
    posts: tuple[Post, ...] = ()
    title: str | None = None
    discipline: str | None = None
    roles: frozenset[Role] = field(default=frozenset())

    def organisations(self, *roles: Role) -> list[UUID]:
        """Return the organisations in which the actor holds one of the roles."""
        return [post.organisation_id for post in self.posts if post.role in roles]


# These work for the whole area in which their institution lies; all others for their own institution.
AREA_ROLES = frozenset(
    {
        Role.TOWNSHIP_REPORTER,
        Role.QC_OFFICER,
        Role.MCH_HEAD,
        Role.INVESTIGATOR,
        Role.REDACTION_OFFICER,
        Role.SECRETARY,
        Role.COMMITTEE_CHAIR,
        Role.COMMITTEE_DEPUTY,
        Role.COMMITTEE_MEMBER,
        Role.HEALTH_ADMINISTRATION,
        Role.ACCOUNTABILITY_OFFICER,
        Role.VERIFIER,
        Role.UPPER_REVIEWER,
        Role.PROCESS_ADMINISTRATOR,
        Role.SYSTEM_ADMINISTRATOR,
        Role.SECURITY_ADMINISTRATOR,
        Role.AUDIT_ADMINISTRATOR,
    }
)


def of_person(session: Session, person: Person) -> Actor:
    """Return the actor a person is now: one query."""
    today = clock.today()
    rows = session.execute(
        sa.select(Appointment.role, Organisation.id, Organisation.name, Organisation.path, Organisation.name_en)
        .join(Organisation, Organisation.id == Appointment.organisation_id)
        .where(
            Appointment.person_id == person.id,
            Appointment.from_on <= today,
            sa.or_(Appointment.until_on.is_(None), Appointment.until_on >= today),
            Organisation.is_active,
        )
        .order_by(Appointment.from_on, Appointment.id)
    ).all()
    return with_posts(
        person, (Post(role, organisation_id, name, path, _reach(role, path), name_en) for role, organisation_id, name, path, name_en in rows)
    )


def with_posts(person: Person, posts: Iterable[Post]) -> Actor:
    """Return a person as an actor with the given posts."""
    held = tuple(posts)
    return Actor(
        person_id=person.id,
        name=person.name,
        posts=held,
        title=person.title.value if person.title else None,
        discipline=person.discipline,
        roles=frozenset(post.role for post in held),
    )


def _reach(role: Role, path: str) -> str:
    """An institution's area is the node above it."""
    return path.rstrip("/").rsplit("/", 1)[0] + "/" if role in AREA_ROLES and path.count("/") > 2 else path
