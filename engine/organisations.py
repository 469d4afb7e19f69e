"""Organisations: the tree from village to province, and who has a part in a case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import journal
from engine.errors import InvalidInput, NotFound
from models import Appointment, Level, Organisation, OrganisationKind, Person, Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor


def get(session: Session, organisation_id: UUID) -> Organisation:
    """Return an organisation.

    Raises:
        NotFound: there is none with this key.
    """
    found = session.get(Organisation, organisation_id)
    if found is None:
        raise NotFound
    return found


def tree(session: Session) -> Sequence[Organisation]:
    """Return every organisation in the order of the tree."""
    return session.scalars(sa.select(Organisation).order_by(Organisation.path)).all()


def of_kind(session: Session, kinds: Iterable[OrganisationKind], *, under: str | None = None) -> Sequence[Organisation]:
    """Return the active institutions of some kinds, under a path."""
    query = sa.select(Organisation).where(Organisation.kind.in_(tuple(kinds)), Organisation.is_active)
    if under:
        query = query.where(Organisation.path.startswith(under, autoescape=True))
    return session.scalars(query.order_by(Organisation.path)).all()


def nearest(session: Session, path: str, kind: OrganisationKind, *, above: int = 0) -> Organisation | None:
    """Return the institution of a kind that serves the area of a path: the one in the nearest area upwards.

    Args:
        above: How many of them to pass: 1 finds the one of the next level up.
    """
    codes = path.strip("/").split("/")
    areas = ["/" + "/".join(codes[: count + 1]) + "/" for count in range(len(codes))]
    area = sa.orm.aliased(Organisation)
    rows = session.scalars(
        sa.select(Organisation)
        .join(area, area.id == Organisation.parent_id)
        .where(Organisation.kind == kind, Organisation.is_active, area.path.in_(areas))
        .order_by(sa.func.length(area.path).desc(), Organisation.path)
    ).all()
    levels: list[Organisation] = []
    for row in rows:
        if not levels or levels[-1].parent_id != row.parent_id:
            levels.append(row)
    return levels[above] if len(levels) > above else None


def parties(session: Session, *, facility: Organisation | None, township: Organisation | None, owner: Organisation) -> dict[str, str]:
    """Return who has a part in a case, by capacity, as keys in text."""
    administration = nearest(session, owner.path, OrganisationKind.HEALTH_ADMINISTRATION)
    upper = nearest(session, owner.path, OrganisationKind.MCH_INSTITUTION, above=1)
    found: dict[str, Organisation | None] = {
        "owner": owner,
        "facility": facility,
        "township": township,
        "reporting": facility or township,
        "administration": administration,
        "upper": upper or owner,
    }
    return {capacity: str(organisation.id) for capacity, organisation in found.items() if organisation is not None}


def people_with(session: Session, organisation_id: UUID | None, roles: Iterable[Role], on: Any) -> list[tuple[UUID, Role]]:
    """Return the active people who hold one of the roles in an organisation on a day."""
    if organisation_id is None:
        return []
    rows = session.execute(
        sa.select(Appointment.person_id, Appointment.role)
        .join(Person)
        .where(
            Appointment.organisation_id == organisation_id,
            Appointment.role.in_(tuple(roles)),
            Person.is_active,
            Appointment.from_on <= on,
            sa.or_(Appointment.until_on.is_(None), Appointment.until_on >= on),
        )
        .order_by(Appointment.from_on, Appointment.person_id)
    )
    return [(person_id, role) for person_id, role in rows]


def add(session: Session, actor: Actor | None, *, parent: Organisation | None, **columns: Any) -> Organisation:
    """Add an organisation under another.

    Raises:
        InvalidInput: the code is empty, too long, not made of letters, digits and hyphens, or taken, be it in other capitals
            (who sees what is decided by the path, and SQLite does not tell capitals apart there); an institution as parent.
    """
    code = str(columns["code"]).strip()
    if not 0 < len(code) <= 20 or not all(character.isascii() and (character.isalnum() or character == "-") for character in code):
        raise InvalidInput
    if parent is not None and parent.kind is not OrganisationKind.AREA:
        raise InvalidInput
    if session.scalar(sa.select(Organisation.id).where(sa.func.lower(Organisation.code) == code.lower())):
        raise InvalidInput
    columns["code"] = code
    organisation = Organisation(parent_id=parent.id if parent else None, path=f"{parent.path if parent else '/'}{code}/", **columns)
    session.add(organisation)
    session.flush()
    journal.record(session, actor, "organisation:add", object_id=organisation.id, code=code)
    return organisation


def change(session: Session, actor: Actor, organisation: Organisation, values: Mapping[str, Any]) -> None:
    """Change names, kind, level, telephone, profile or whether it is active; its place in the tree stays."""
    allowed = {"name", "short_name", "name_en", "kind", "level", "grade", "phone", "profile_id", "is_active"}
    changed = {key: value for key, value in values.items() if key in allowed and getattr(organisation, key) != value}
    for key, value in changed.items():
        setattr(organisation, key, value)
    if changed:
        journal.record(session, actor, "organisation:change", object_id=organisation.id, columns=sorted(changed))
    session.flush()


LEVELS = tuple(Level)
