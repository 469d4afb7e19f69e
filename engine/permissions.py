"""Who may do what: permissions per role, and which cases an actor may see. Nothing is allowed that is not named here."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from engine.actor import Actor
from models import OPEN_STATES, Case, CaseParty, Organisation, Role, WorkItem, WorkItemState


class Permission(enum.Enum):
    """What can be allowed; read left to right."""

    ACCOUNTABILITY_READ = "accountability:read"
    CALENDAR_EDIT = "calendar:edit"
    CASE_CANCEL = "case:cancel"
    CASE_HOLD = "case:hold"
    CASE_JOURNAL = "case:journal"
    CASE_LIST = "case:list"
    CASE_MERGE = "case:merge"
    CASE_READ = "case:read"
    CASE_READ_ASSIGNED = "case:read-assigned"
    CASE_REOPEN = "case:reopen"
    CASE_STEER = "case:steer"
    CONCLUSION_READ = "conclusion:read"
    INCIDENT_RETRY = "incident:retry"
    JOURNAL_READ = "journal:read"
    NOTICE_READ = "notice:read"
    NOTICE_TAKE = "notice:take"
    ORGANISATION_EDIT = "organisation:edit"
    ORGANISATION_READ = "organisation:read"
    PACKET_READ = "packet:read"
    PERSON_EDIT = "person:edit"
    PERSON_READ = "person:read"
    PROCEDURE_APPROVE = "procedure:approve"
    PROCEDURE_DEPLOY = "procedure:deploy"
    PROCEDURE_EDIT = "procedure:edit"
    PROCEDURE_MEASURE = "procedure:measure"
    PROCEDURE_MIGRATE = "procedure:migrate"
    PROCEDURE_READ = "procedure:read"
    PROFILE_READ = "profile:read"
    RECTIFICATION_READ = "rectification:read"
    ROLE_APPOINT = "role:appoint"
    WORK_ITEM_HAND_IN = "work-item:hand-in"


P, R = Permission, Role
_STAFF = {P.WORK_ITEM_HAND_IN, P.ORGANISATION_READ, P.PROCEDURE_READ, P.PROFILE_READ}
_CASE = {P.CASE_LIST, P.CASE_READ}
_OFFICE = {
    P.NOTICE_READ,
    P.CASE_HOLD,
    P.CASE_MERGE,
    P.CASE_REOPEN,
    P.CASE_JOURNAL,
    P.CONCLUSION_READ,
    P.RECTIFICATION_READ,
    P.PERSON_READ,
}
_PROCEDURE = {P.PROCEDURE_READ, P.PROCEDURE_EDIT, P.PROCEDURE_DEPLOY, P.PROCEDURE_APPROVE, P.PROCEDURE_MIGRATE, P.PROCEDURE_MEASURE}
_COMMITTEE = {P.WORK_ITEM_HAND_IN, P.PACKET_READ, P.PROCEDURE_READ, P.PROFILE_READ}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    role: frozenset(granted)
    for role, granted in {
        R.VILLAGE_REPORTER: {P.NOTICE_TAKE, P.NOTICE_READ, P.WORK_ITEM_HAND_IN},
        R.TOWNSHIP_REPORTER: {*_STAFF, *_CASE, P.NOTICE_TAKE, P.NOTICE_READ, P.RECTIFICATION_READ},
        R.FACILITY_REPORTER: {*_STAFF, *_CASE, P.NOTICE_TAKE, P.NOTICE_READ, P.RECTIFICATION_READ},
        R.OBSTETRIC_SAFETY_OFFICE: {*_STAFF, *_CASE, P.NOTICE_TAKE, P.NOTICE_READ, P.RECTIFICATION_READ},
        R.UNIT_HEAD: {*_STAFF, *_CASE, P.NOTICE_READ, P.RECTIFICATION_READ},
        R.QC_OFFICER: {*_STAFF, *_CASE, *_OFFICE, P.NOTICE_TAKE},
        R.MCH_HEAD: {*_STAFF, *_CASE, *_OFFICE, P.CASE_CANCEL, P.CASE_STEER, P.PROCEDURE_APPROVE, P.PROCEDURE_MEASURE},
        R.INVESTIGATOR: {*_STAFF, P.CASE_LIST, P.CASE_READ_ASSIGNED},
        R.REDACTION_OFFICER: {*_STAFF, P.CASE_LIST, P.CASE_READ_ASSIGNED},
        R.COMMITTEE_CHAIR: _COMMITTEE,
        R.COMMITTEE_DEPUTY: _COMMITTEE,
        R.COMMITTEE_MEMBER: _COMMITTEE,
        R.SECRETARY: _COMMITTEE,
        R.HEALTH_ADMINISTRATION: {
            P.WORK_ITEM_HAND_IN,
            P.ORGANISATION_READ,
            P.PROCEDURE_READ,
            P.PROFILE_READ,
            P.CONCLUSION_READ,
            P.RECTIFICATION_READ,
            P.ACCOUNTABILITY_READ,
        },
        R.ACCOUNTABILITY_OFFICER: {P.WORK_ITEM_HAND_IN, P.ACCOUNTABILITY_READ, P.RECTIFICATION_READ},
        R.RECTIFICATION_OWNER: {P.WORK_ITEM_HAND_IN, P.RECTIFICATION_READ},
        R.VERIFIER: {P.WORK_ITEM_HAND_IN, P.RECTIFICATION_READ},
        R.UPPER_REVIEWER: _COMMITTEE,
        R.PROCESS_ADMINISTRATOR: {*_PROCEDURE, P.PROFILE_READ, P.ORGANISATION_READ, P.CALENDAR_EDIT},
        R.SYSTEM_ADMINISTRATOR: {P.ORGANISATION_READ, P.ORGANISATION_EDIT, P.PERSON_READ, P.PERSON_EDIT, P.INCIDENT_RETRY, P.CALENDAR_EDIT},
        R.SECURITY_ADMINISTRATOR: {P.ORGANISATION_READ, P.PERSON_READ, P.ROLE_APPOINT},
        R.AUDIT_ADMINISTRATOR: {P.ORGANISATION_READ, P.PERSON_READ, P.JOURNAL_READ},
    }.items()
}

# Roles that see names: a second factor is asked of them in production.
IDENTIFIED_ROLES = frozenset(
    role for role, granted in PERMISSIONS.items() if granted & {P.CASE_READ, P.CASE_READ_ASSIGNED, P.NOTICE_READ, P.PERSON_EDIT, P.ROLE_APPOINT}
)


def permitted(actor: Actor) -> frozenset[Permission]:
    """Return everything the actor's roles allow somewhere."""
    granted: set[Permission] = set()
    for role in actor.roles:
        granted |= PERMISSIONS[role]
    return frozenset(granted)


def allows(actor: Actor, permission: Permission) -> bool:
    """Tell whether one of the actor's roles allows this somewhere; where, is decided in the query."""
    return any(permission in PERMISSIONS[role] for role in actor.roles)


def reaches(actor: Actor, permission: Permission) -> list[str]:
    """Return the path prefixes under which the actor's roles allow this."""
    return sorted({post.reach for post in actor.posts if permission in PERMISSIONS[post.role]})


def within(column: Any, prefixes: Iterable[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a path lies under one of the prefixes; never, if there is none."""
    conditions = [column.startswith(prefix, autoescape=True) for prefix in prefixes]
    return sa.or_(*conditions) if conditions else sa.false()


def roles_over(actor: Actor, case: Case) -> frozenset[Role]:
    """Return the roles that an actor holds over a case: in one of its parties, or in the area in which its institution works.

    A role somewhere else says nothing here: the chair of another city is nobody's chair in this one.
    """
    parties = set(case.parties.values())
    return frozenset(post.role for post in actor.posts if str(post.organisation_id) in parties)


COMMITTEE = frozenset({Role.COMMITTEE_CHAIR, Role.COMMITTEE_DEPUTY, Role.COMMITTEE_MEMBER, Role.SECRETARY, Role.UPPER_REVIEWER})

# What manages a case is for the institution in charge alone: a party that gave a notice, or was in charge before, reads.
MANAGING = frozenset(
    {
        Permission.CASE_CANCEL,
        Permission.CASE_HOLD,
        Permission.CASE_MERGE,
        Permission.CASE_REOPEN,
        Permission.CASE_STEER,
        Permission.PROCEDURE_MIGRATE,
    }
)


def visible(actor: Actor, permission: Permission = Permission.CASE_READ) -> sa.ColumnElement[bool]:
    """Return the condition on `cases` under which an actor sees a case identified.

    By permission within the actor's part of the tree, one of the case's parties lying in it; for those who read
    assigned cases, through a work item of the case that is theirs, or that they may claim.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    prefixes = reaches(actor, permission)
    if prefixes:
        party = aliased(Organisation)
        capacity = CaseParty.capacity == "owner" if permission in MANAGING else sa.true()
        conditions.append(
            sa.exists().where(CaseParty.case_id == Case.id, CaseParty.organisation_id == party.id, capacity, within(party.path, prefixes))
        )
    if permission is Permission.CASE_READ and allows(actor, Permission.CASE_READ_ASSIGNED):
        conditions.append(sa.exists().where(WorkItem.case_id == Case.id, WorkItem.audience.in_(("case", "office")), mine_or_claimable(actor)))
    return sa.or_(*conditions) if conditions else sa.false()


def mine_or_claimable(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on `work_items` under which a work item is, was or may become the actor's."""
    return sa.or_(theirs(actor), WorkItem.completed_by_id == actor.person_id, claimable(actor))


def theirs(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition under which a work item is an actor's: what is the committee's, only as long as they sit on one."""
    mine = WorkItem.person_id == actor.person_id
    if actor.roles & COMMITTEE:
        return mine
    return sa.and_(mine, sa.or_(WorkItem.audience.not_in(("committee", "author")), WorkItem.role.in_(tuple(actor.roles))))


def claimable(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on `work_items` under which the actor may claim one: role and organisation fit, and four eyes."""
    posts = [sa.and_(WorkItem.role == post.role, WorkItem.organisation_id == post.organisation_id) for post in actor.posts]
    if not posts:
        return sa.false()
    return sa.and_(
        WorkItem.state == WorkItemState.READY,
        sa.or_(WorkItem.excluded_id.is_(None), WorkItem.excluded_id != actor.person_id),
        sa.or_(*posts),
    )


def may_hand_in(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on `work_items` under which an open one is the actor's to do."""
    return sa.and_(WorkItem.state.in_(OPEN_STATES), sa.or_(theirs(actor), claimable(actor)))
