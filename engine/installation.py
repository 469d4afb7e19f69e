"""The installation: what a new database begins with, and what somebody looks at who keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import calendars, clock, procedures, profiles
from engine.transaction import transaction
from models import Case, Deadline, Incident, Installation, Message, Person, Realm

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.database import Sessions

TOLERATED_DELAY = timedelta(minutes=5)


class BegunBefore(Exception):
    """The database is in use already; nothing was changed."""


def begin(session: Session, realm: Realm) -> None:
    """Make an empty database ready: shipped profiles, the calendar of these years, the shipped procedures active.

    Raises:
        BegunBefore: it was begun before.
    """
    if session.scalar(sa.select(Installation)) is not None:
        raise BegunBefore
    session.add(Installation(realm=realm, created_at=clock.now()))
    session.flush()
    profiles.load_shipped(session)
    year = clock.today().year
    calendars.seed(session, range(year - 1, year + 2))
    for key in procedures.shipped():
        procedures.activate(session, None, procedures.deploy(session, None, procedures.shipped_files(key)))


def is_begun(sessions: Sessions) -> bool:
    """Tell whether a database was made ready."""
    with transaction(sessions, read_only=True) as session:
        return session.scalar(sa.select(Installation)) is not None


def refresh(session: Session) -> tuple[int, int]:
    """Bring what is shipped into a database in use: new versions of profiles, and the holidays of years that have none.

    Procedures are not among it: a new version is deployed when somebody decides to.

    Returns:
        How many versions of profiles and how many days are new.
    """
    if session.scalar(sa.select(Installation)) is None:
        return 0, 0
    year = clock.today().year
    return profiles.load_shipped(session), calendars.seed(session, range(year - 1, year + 2))


@dataclass(frozen=True)
class Health:
    """How the installation is."""

    realm: str
    people: int
    open_cases: int
    due_for: timedelta | None
    mail_waits_for: timedelta | None
    open_incidents: int
    uncovered_year: int | None

    @property
    def is_behind(self) -> bool:
        """Whether the worker seems to be away."""
        return any(wait is not None and wait > TOLERATED_DELAY for wait in (self.due_for, self.mail_waits_for))


def health(session: Session) -> Health:
    """Look at what a keeper must know: is the worker keeping up, does something wait for hands?"""
    now = clock.now()
    due = session.scalar(sa.select(sa.func.min(Deadline.next_at)).where(Deadline.next_at <= now))
    mail = session.scalar(sa.select(sa.func.min(Message.next_at)).where(Message.next_at <= now))
    return Health(
        realm=session.scalars(sa.select(Installation.realm)).one().value,
        people=session.scalar(sa.select(sa.func.count()).select_from(Person).where(Person.is_active)) or 0,
        open_cases=session.scalar(sa.select(sa.func.count()).select_from(Case).where(Case.ended_at.is_(None))) or 0,
        due_for=now - due if due else None,
        mail_waits_for=now - mail if mail else None,
        open_incidents=session.scalar(sa.select(sa.func.count()).select_from(Incident).where(Incident.resolved_at.is_(None))) or 0,
        uncovered_year=calendars.uncovered_year(session),
    )
