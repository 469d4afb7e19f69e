"""Choices: the lists of a form that depend on the case or on who fills it, made only when a form asks for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from engine import clock, codes, organisations
from engine.codes import Code
from engine.forms import Form
from models import Appointment, Organisation, OrganisationKind, Person, Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor

HOSPITALS = (OrganisationKind.HOSPITAL, OrganisationKind.MCH_INSTITUTION)
CARE = (*HOSPITALS, OrganisationKind.TOWNSHIP_HEALTH_CENTRE, OrganisationKind.VILLAGE_CLINIC)
INSTITUTIONS = (
    *HOSPITALS,
    OrganisationKind.TOWNSHIP_HEALTH_CENTRE,
    OrganisationKind.VILLAGE_CLINIC,
    OrganisationKind.HEALTH_ADMINISTRATION,
    OrganisationKind.OTHER,
)
COMMITTEE = (Role.COMMITTEE_CHAIR, Role.COMMITTEE_DEPUTY, Role.COMMITTEE_MEMBER, Role.UPPER_REVIEWER)
OWNERS = (Role.RECTIFICATION_OWNER, Role.UNIT_HEAD, Role.OBSTETRIC_SAFETY_OFFICE, Role.FACILITY_REPORTER, Role.TOWNSHIP_REPORTER)


def of_form(session: Session, form: Form, home: Organisation, extra: Mapping[str, Callable[[], list[Code]]] | None = None) -> dict[str, list[Code]]:
    """Return the lists that a form asks for.

    Args:
        home: The MCH institution in charge: people and institutions are those of its area, and of the area above it
            where that is named.
        extra: More lists by their key, made on demand.
    """
    area = area_of(home)
    wide = area.rstrip("/").rsplit("/", 1)[0] + "/" if area.count("/") > 2 else area
    institutions = functools.cache(lambda: organisations.of_kind(session, INSTITUTIONS, under=wide))
    staff = functools.cache(lambda: _appointed(session, wide))
    makers: dict[str, Callable[[], list[Code]]] = {
        "organisations.hospitals": lambda: units(row for row in institutions() if row.kind in HOSPITALS),
        "organisations.care": lambda: units(row for row in institutions() if row.kind in CARE),
        "organisations.townships": lambda: townships(session, wide),
        "organisations.all": lambda: units(institutions()),
        "people.committee": lambda: _people(staff(), COMMITTEE, wide, home.id),
        "people.investigators": lambda: _people(staff(), (Role.INVESTIGATOR, Role.QC_OFFICER), area),
        "people.receivers": lambda: _people(staff(), (Role.QC_OFFICER,), area),
        "people.owners": lambda: _people(staff(), OWNERS, wide),
        "procedures.kinds": lambda: list(codes.lists()["CS-CASEKIND"].codes),
        "people.unit": lambda: _people(staff(), tuple(Role), area),
        **(extra or {}),
    }
    wanted = {entry.values_key for entry in _every(form.fields) if entry.values_key}
    return {key: makers[key]() for key in wanted if key in makers}


def _every(fields: Iterable[Any]) -> Iterable[Any]:
    for entry in fields:
        yield entry
        yield from _every(entry.fields)


def area_of(organisation: Organisation) -> str:
    """Return the path of the area in which an institution lies."""
    return organisation.path if organisation.kind is OrganisationKind.AREA else organisation.path.rstrip("/").rsplit("/", 1)[0] + "/"


def units(found: Iterable[Organisation]) -> list[Code]:
    """Return organisations as values of a list."""
    return [Code(str(organisation.id), organisation.name, organisation.name_en or organisation.name) for organisation in found]


def townships(session: Session, under: str) -> list[Code]:
    """Return the townships and streets of an area by their own names; each stands for the health centre that serves it."""
    area, centre = aliased(Organisation), Organisation
    rows = session.execute(
        sa.select(centre.id, area.name, area.name_en)
        .join(area, area.id == centre.parent_id)
        .where(centre.kind == OrganisationKind.TOWNSHIP_HEALTH_CENTRE, centre.is_active, centre.path.startswith(under, autoescape=True))
        .order_by(centre.path)
    )
    return [Code(str(centre_id), name, name_en or name) for centre_id, name, name_en in rows]


def with_roles(session: Session, roles: Iterable[Role], under: str, organisation_id: UUID | None = None) -> list[Code]:
    """Return the people who hold one of the roles under a path; those of one organisation first."""
    return _people(_appointed(session, under), roles, under, organisation_id)


def _appointed(session: Session, under: str) -> Sequence[Any]:
    today = clock.today()
    return session.execute(
        sa.select(
            Person.id,
            Person.name,
            Person.discipline,
            Appointment.role,
            Organisation.id.label("unit_id"),
            Organisation.name.label("unit"),
            Organisation.name_en.label("unit_en"),
            Organisation.path,
        )
        .join(Appointment, Appointment.person_id == Person.id)
        .join(Organisation, Organisation.id == Appointment.organisation_id)
        .where(
            Person.is_active,
            Appointment.from_on <= today,
            sa.or_(Appointment.until_on.is_(None), Appointment.until_on >= today),
            Organisation.path.startswith(under, autoescape=True),
        )
        .order_by(Organisation.path, Person.name)
    ).all()


def _people(staff: Sequence[Any], roles: Iterable[Role], under: str, organisation_id: UUID | None = None) -> list[Code]:
    wanted, found = frozenset(roles), dict[UUID, Code]()
    for row in sorted((row for row in staff if row.role in wanted and row.path.startswith(under)), key=lambda row: row.unit_id != organisation_id):
        names = f"{row.name} · {row.unit}", f"{row.name} · {row.unit_en or row.unit}"
        found.setdefault(row.id, Code(str(row.id), *names, {"discipline": row.discipline, "name": row.name}))
    return list(found.values())


def person(actor: Actor, home: Organisation) -> dict[str, Any]:
    """Return what a form may know of the person who fills it."""
    return {
        "id": str(actor.person_id),
        "name": actor.name,
        "organisation": str(home.id),
        "organisation_name": home.name,
        "is_hospital": home.kind in HOSPITALS,
        "is_mch": home.kind is OrganisationKind.MCH_INSTITUTION,
        "is_receiver": Role.QC_OFFICER in actor.roles,
        "roles": sorted(role.value for role in actor.roles),
        "title": actor.title,
        "discipline": actor.discipline,
    }
