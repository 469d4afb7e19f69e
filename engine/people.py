"""People: accounts, appointments, signing in and out, the second factor."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from engine import clock, journal, messages, passwords
from engine.actor import Actor, of_person
from engine.errors import N_, EngineError, InvalidInput, NotFound
from engine.permissions import IDENTIFIED_ROLES
from models import (
    ADMINISTRATORS,
    Appointment,
    Installation,
    Organisation,
    Person,
    Realm,
    Role,
    SignIn,
    Throttle,
    Title,
    WorkItem,
    WorkItemState,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SEEN_EVERY = timedelta(minutes=1)
CODE_STEP_S = 30
RECOVERY_CODES = 8


class SignInRefused(EngineError):
    """The name or the password is wrong; which of them is not said."""

    sentence = N_("账号或密码不对。")


class SignInBlocked(EngineError):
    """Too many attempts: the account or the address waits."""

    sentence = N_("试的次数太多，请 %(minutes)s 分钟后再试。")


class CodeRefused(EngineError):
    """The code of the second factor is wrong or was used before."""

    sentence = N_("验证码不对，或已经用过。")


class TwoAdministrators(EngineError):
    """System, security and audit administration are kept apart."""

    sentence = N_("系统管理员、安全管理员、审计管理员不能由同一个人担任。")


@dataclass(frozen=True, slots=True)
class Policy:
    """How people sign in here: from the settings, the same for all."""

    rules: passwords.Rules = passwords.RULES["gbt22239"]
    asks_second_factor: bool = True
    idle: timedelta = timedelta(minutes=30)
    lasts: timedelta = timedelta(hours=12)
    secret: bytes = b""
    address_attempts: int = 50


# ── signing in ──


def sign_in(session: Session, policy: Policy, username: str, password: str, *, address: str, device: str) -> tuple[SignIn, str]:
    """Check name and password and begin a session; the second factor, if asked for, comes after it.

    A refusal must be counted: call `note_failure` and commit.

    Returns:
        The row and the secret for the cookie.

    Raises:
        SignInBlocked, SignInRefused: see there.
    """
    _check_throttle(session, _address_key(address))
    person = session.scalar(sa.select(Person).where(_called(username)))
    if person is None:
        _check_throttle(session, _name_key(username))  # a name that does not exist is answered like one that does
    elif person.locked_until is not None and person.locked_until > clock.now():
        raise SignInBlocked(minutes=_minutes(person.locked_until))
    if person is None or not person.is_active or not passwords.fits(password, person.password_hash):
        if person is None or not person.is_active:
            passwords.fits(password, None)
        raise SignInRefused
    assert person.password_hash is not None
    if passwords.needs_rehash(person.password_hash):
        person.password_hash = passwords.hashed(password)
    if not needs_second_factor(policy, of_person(session, person)):  # else wrong codes would never add up
        person.failed_sign_ins, person.locked_until = 0, None
    if policy.rules.lasts and person.password_set_at and person.password_set_at + policy.rules.lasts < clock.now():
        person.must_change_password = True
    secret, now = secrets.token_urlsafe(32), clock.now()
    forgotten = sa.or_(SignIn.seen_at < now - policy.idle, SignIn.began_at < now - policy.lasts)
    session.execute(  # what was searched for goes with the session in which it was typed
        sa.update(SignIn).where(SignIn.person_id == person.id, SignIn.ended_at.is_(None), forgotten).values(searches={}, ended_at=now)
    )
    row = SignIn(
        id=new_id(),
        secret_hash=_hash(secret),
        person_id=person.id,
        began_at=now,
        seen_at=now,
        confirmed_at=now,
        address=address[:45],
        device=device[:120],
    )
    session.add(row)
    session.flush()
    row.person = person
    journal.record(session, of_person(session, person), "person:sign-in", object_id=row.id)
    return row, secret


def note_failure(session: Session, policy: Policy, username: str, address: str) -> None:
    """Count a failed attempt against the account and the address."""
    now = clock.now()
    person = session.scalar(sa.select(Person).where(_called(username)).with_for_update())
    if person is not None:
        if person.locked_until is not None and person.locked_until <= now:
            person.failed_sign_ins, person.locked_until = 0, None
        person.failed_sign_ins += 1
        if person.failed_sign_ins >= policy.rules.attempts:
            person.locked_until = now + policy.rules.locked_for
        journal.record(session, None, "person:sign-in-failed", object_id=person.id, failures=person.failed_sign_ins)
    else:
        _count(session, _name_key(username), policy.rules.attempts, policy.rules.locked_for)
    _count(session, _address_key(address), policy.address_attempts, policy.rules.locked_for)


def _count(session: Session, key: str, attempts: int, locked_for: timedelta) -> None:
    now = clock.now()
    throttle = session.get(Throttle, key, with_for_update=True)
    if throttle is None:
        session.add(Throttle(key=key, failures=1, began_at=now, blocked_until=now + locked_for if attempts <= 1 else None))
        return
    if throttle.began_at < now - timedelta(hours=1):
        throttle.failures, throttle.began_at, throttle.blocked_until = 0, now, None
    throttle.failures += 1
    if throttle.failures >= attempts:
        throttle.blocked_until = now + locked_for


def _called(typed: str) -> sa.ColumnElement[bool]:
    """Return the condition under which a person is called what was typed; NUL, which no database takes, is in nobody's name."""
    plain = typed.strip().replace("\x00", "\ufffd")
    return sa.or_(Person.username == plain.lower(), Person.phone == plain)


def _check_throttle(session: Session, key: str) -> None:
    throttle = session.get(Throttle, key)
    if throttle is not None and throttle.blocked_until is not None and throttle.blocked_until > clock.now():
        raise SignInBlocked(minutes=_minutes(throttle.blocked_until))


def _minutes(until: Any) -> int:
    return int(max(1, round((until - clock.now()).total_seconds() / 60)))


def _address_key(address: str) -> str:
    return hashlib.sha256(f"address:{address}".encode()).hexdigest()


def _name_key(username: str) -> str:
    return hashlib.sha256(f"name:{username.strip().lower()}".encode()).hexdigest()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def of_secret(session: Session, policy: Policy, secret: str) -> SignIn | None:
    """Return the running session of a cookie; one that was ended, idle too long or is too old is none."""
    now = clock.now()
    row = session.scalar(sa.select(SignIn).options(joinedload(SignIn.person)).where(SignIn.secret_hash == _hash(secret), SignIn.ended_at.is_(None)))
    if row is None or not row.person.is_active or now - row.seen_at > policy.idle or now - row.began_at > policy.lasts:
        return None
    return row


def seen(session: Session, row_id: UUID) -> None:
    """Note that a session is in use."""
    session.execute(sa.update(SignIn).where(SignIn.id == row_id, SignIn.ended_at.is_(None)).values(seen_at=clock.now()))


def sign_out(session: Session, actor: Actor, row: SignIn) -> None:
    """End a session on the server; its cookie is worth nothing from now on."""
    row.ended_at, row.searches = clock.now(), {}
    journal.record(session, actor, "person:sign-out", object_id=row.id)
    session.flush()


def end_all(session: Session, actor: Actor, person_id: UUID, *, but: UUID | None = None) -> int:
    """End the sessions of a person, but for one; returns how many."""
    condition = [SignIn.person_id == person_id, SignIn.ended_at.is_(None), *([SignIn.id != but] if but else [])]
    result = session.execute(
        sa.update(SignIn).where(*condition).values(ended_at=clock.now(), searches={}).execution_options(synchronize_session="fetch")
    )
    journal.record(session, actor, "person:end-sessions", object_id=person_id, count=result.rowcount)  # type: ignore[attr-defined]
    return int(result.rowcount)  # type: ignore[attr-defined]


def keep_search(session: Session, row: SignIn, words: str) -> str:
    """Keep what somebody searches for with the session, since a name does not belong into an address. Returns its key."""
    plain = words.strip()[:60]
    if not plain:
        return ""
    key = secrets.token_hex(4)
    row.searches = {**dict(list(row.searches.items())[-19:]), key: plain}
    session.flush()
    return key


def sign_ins(session: Session, policy: Policy, person_id: UUID) -> list[SignIn]:
    """Return the running sessions of a person, newest first."""
    now = clock.now()
    return list(
        session.scalars(
            sa.select(SignIn)
            .where(SignIn.person_id == person_id, SignIn.ended_at.is_(None), SignIn.seen_at > now - policy.idle, SignIn.began_at > now - policy.lasts)
            .order_by(SignIn.seen_at.desc())
        )
    )


# ── the second factor ──


def needs_second_factor(policy: Policy, actor: Actor) -> bool:
    """Tell whether a person must show a second factor: roles that see names, where the policy asks for it."""
    return policy.asks_second_factor and bool(actor.roles & IDENTIFIED_ROLES)


def second_factor_secret(policy: Policy, person: Person, seed: str) -> str:
    """Return the shared secret of an authenticator: derived, so that the database alone does not hold it."""
    digest = hmac.new(policy.secret, f"second-factor:{person.id}:{seed}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:20]).decode()


def propose_second_factor() -> str:
    """Return a seed for a new authenticator."""
    return secrets.token_hex(16)


def provisioning_uri(policy: Policy, person: Person, seed: str, issuer: str) -> str:
    """Return what an authenticator reads from the QR code."""
    return pyotp.TOTP(second_factor_secret(policy, person, seed)).provisioning_uri(name=person.username, issuer_name=issuer)


def enrol_second_factor(session: Session, policy: Policy, actor: Actor, row: SignIn, seed: str, code: str) -> list[str]:
    """Begin to use an authenticator once it shows the right code. Returns the recovery codes, which are shown this once.

    Raises:
        CodeRefused: the code is wrong.
    """
    person = row.person
    step = _step_of(second_factor_secret(policy, person, seed), code)
    if step is None:
        raise CodeRefused
    plain = [f"{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}" for _ in range(RECOVERY_CODES)]
    person.second_factor_seed, person.second_factor_at, person.second_factor_step = seed, clock.now(), step
    person.recovery_codes = [_hash(entry) for entry in plain]
    row.second_factor_at = clock.now()
    person.failed_sign_ins, person.locked_until = 0, None
    journal.record(session, actor, "person:second-factor", object_id=person.id)
    session.flush()
    return plain


def show_second_factor(session: Session, policy: Policy, actor: Actor, row: SignIn, code: str) -> None:
    """Accept a code of the authenticator, each only once, or a recovery code.

    Raises:
        CodeRefused: neither.
        SignInBlocked: too many attempts.
    """
    person = row.person
    if person.locked_until is not None and person.locked_until > clock.now():
        raise SignInBlocked(minutes=_minutes(person.locked_until))
    typed = "".join(code.split()).lower()
    if person.second_factor_seed is None:
        raise CodeRefused
    step = _step_of(second_factor_secret(policy, person, person.second_factor_seed), typed)
    if step is not None and step > (person.second_factor_step or 0):
        person.second_factor_step = step
    elif _hash(typed) in person.recovery_codes:
        person.recovery_codes = [kept for kept in person.recovery_codes if kept != _hash(typed)]
    else:
        raise CodeRefused
    row.second_factor_at = clock.now()
    person.failed_sign_ins, person.locked_until = 0, None
    journal.record(session, actor, "person:second-factor-shown", object_id=row.id)
    session.flush()


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step of a right code, one step of clock difference allowed; full-width digits are digits too."""
    plain = "".join(character for character in unicodedata.normalize("NFKC", code) if character in string.digits)
    current = int(clock.now().timestamp()) // CODE_STEP_S
    totp = pyotp.TOTP(secret)
    for step in (current, current - 1, current + 1):
        if len(plain) == 6 and hmac.compare_digest(totp.at(step * CODE_STEP_S), plain):
            return step
    return None


def is_kept_apart(person: Person) -> bool:
    """Tell whether somebody is one of the three administrators: no other one takes over their account; the console does."""
    return any(post.role in ADMINISTRATORS for post in person.appointments if post.until_on is None or post.until_on >= clock.today())


def _tell_of_reset(session: Session, person: Person, kind: str) -> None:
    """Tell the person and the audit administrators that somebody else reset an account."""
    auditors = session.scalars(
        sa.select(Appointment.person_id).where(
            Appointment.role == Role.AUDIT_ADMINISTRATOR, sa.or_(Appointment.until_on.is_(None), Appointment.until_on >= clock.today())
        )
    ).all()
    messages.write(session, [person.id, *auditors], kind, f"{kind}:{person.id}:{clock.now().isoformat()}", account=person.username)


def reset_second_factor(session: Session, actor: Actor, person: Person) -> None:
    """Let a person who lost the authenticator enrol a new one."""
    person.second_factor_seed, person.second_factor_at, person.second_factor_step, person.recovery_codes = None, None, None, []
    end_all(session, actor, person.id)
    journal.record(session, actor, "person:second-factor-reset", object_id=person.id)
    _tell_of_reset(session, person, "second_factor_reset")
    session.flush()


# ── passwords ──


def change_password(session: Session, policy: Policy, actor: Actor, row: SignIn, old: str, new: str) -> None:
    """Change one's own password; all other sessions end.

    Raises:
        SignInRefused: the old one is wrong.
        passwords.PasswordRefused: the new one does not follow the rules.
    """
    person = row.person
    if not passwords.fits(old, person.password_hash):
        raise SignInRefused
    _set_password(policy, person, new)
    person.must_change_password = False
    end_all(session, actor, person.id, but=row.id)
    journal.record(session, actor, "person:password", object_id=person.id)
    session.flush()


def confirm(session: Session, row: SignIn, password: str) -> None:
    """Confirm who sits at the screen, before something that binds.

    Raises:
        SignInRefused: the password is wrong.
    """
    if not passwords.fits(password, row.person.password_hash):
        raise SignInRefused
    row.confirmed_at = clock.now()
    session.flush()


def issue_password(session: Session, policy: Policy, actor: Actor, person: Person) -> str:
    """Give a person a first password, to be changed at the next sign-in; it is shown this once."""
    word = "-".join(secrets.token_hex(3) for _ in range(2)) + f"-{secrets.choice('ABCDEFGHJKMNPQRSTUVWXYZ')}{secrets.randbelow(10)}"
    if len(word) < policy.rules.least:
        word += "-" + secrets.token_hex((policy.rules.least - len(word)) // 2 + 1)
    person.password_hash, person.password_set_at, person.must_change_password = passwords.hashed(word), clock.now(), True
    person.failed_sign_ins, person.locked_until = 0, None
    end_all(session, actor, person.id)
    journal.record(session, actor, "person:password-issued", object_id=person.id)
    session.flush()
    _tell_of_reset(session, person, "password_issued")
    return word


def _set_password(policy: Policy, person: Person, new: str) -> None:
    previous = [*person.previous_passwords, *([person.password_hash] if person.password_hash else [])][-max(policy.rules.remembered, 1) :]
    passwords.check(
        new,
        policy.rules,
        own_words=[word for word in (person.username, person.name, person.phone) if word],
        previous=previous if policy.rules.remembered else [person.password_hash] if person.password_hash else [],
    )
    person.previous_passwords = previous[-policy.rules.remembered :] if policy.rules.remembered else []
    person.password_hash, person.password_set_at = passwords.hashed(new), clock.now()


# ── accounts and roles ──


def find(session: Session, words: str = "", *, page: int = 1, per_page: int = 50) -> tuple[Sequence[Person], int]:
    """Return a page of people, by name, with their appointments, and how many there are."""
    condition: sa.ColumnElement[bool] = sa.true()
    if words.strip():
        plain = words.strip()
        unit = sa.exists().where(
            Appointment.person_id == Person.id, Appointment.organisation_id == Organisation.id, Organisation.name.icontains(plain, autoescape=True)
        )
        condition = sa.or_(Person.name.icontains(plain, autoescape=True), Person.username.icontains(plain, autoescape=True), unit)
    count = session.scalar(sa.select(sa.func.count()).select_from(Person).where(condition)) or 0
    rows = session.scalars(
        sa.select(Person)
        .options(selectinload(Person.appointments).joinedload(Appointment.organisation))
        .where(condition)
        .order_by(Person.is_active.desc(), Person.name, Person.username)
        .limit(per_page)
        .offset((page - 1) * per_page)
    ).all()
    return rows, count


def names(session: Session, keys: Iterable[str | None]) -> list[tuple[UUID, str]]:
    """Return the names of people by their keys in text."""
    wanted = [UUID(key) for key in keys if key]
    return [(person_id, name) for person_id, name in session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(wanted)))]


def get(session: Session, username: str) -> Person:
    """Return a person by username, with appointments.

    Raises:
        NotFound: there is none.
    """
    person = session.scalar(
        sa.select(Person).options(selectinload(Person.appointments).joinedload(Appointment.organisation)).where(Person.username == username)
    )
    if person is None:
        raise NotFound
    return person


def add(
    session: Session,
    actor: Actor | None,
    *,
    username: str,
    name: str,
    realm: Realm | None = None,
    phone: str | None = None,
    email: str | None = None,
    title: Title | None = None,
    discipline: str | None = None,
) -> Person:
    """Make an account without a password.

    Raises:
        InvalidInput: the username is empty, taken or has other characters than letters, digits, dot, hyphen and underscore.
    """
    plain = username.strip().lower()
    if not plain or len(plain) > 40 or not all(character.isascii() and (character.isalnum() or character in "._-") for character in plain):
        raise InvalidInput
    if session.scalar(sa.select(Person.id).where(Person.username == plain)) or not name.strip():
        raise InvalidInput
    realm = realm or session.scalars(sa.select(Installation.realm)).one()
    person = Person(
        id=new_id(),
        username=plain,
        name=name.strip(),
        realm=realm,
        phone=(phone or "").strip() or None,
        email=(email or "").strip() or None,
        title=title,
        discipline=discipline or None,
        created_at=clock.now(),
        previous_passwords=[],
        recovery_codes=[],
    )
    session.add(person)
    session.flush()
    journal.record(session, actor, "person:add", object_id=person.id)
    return person


def change(session: Session, actor: Actor, person: Person, **values: Any) -> None:
    """Change an account's name, contacts, title, discipline, or whether it is active; an inactive one's sessions end."""
    allowed = {"name", "phone", "email", "title", "discipline", "is_active"}
    changed = {key: value for key, value in values.items() if key in allowed and getattr(person, key) != value}
    for key, value in changed.items():
        setattr(person, key, value)
    if changed.get("is_active") is False:
        end_all(session, actor, person.id)
    if changed:
        journal.record(session, actor, "person:change", object_id=person.id, columns=sorted(changed))
    session.flush()


def appoint(
    session: Session,
    actor: Actor | None,
    person: Person,
    role: Role,
    organisation: Organisation,
    *,
    from_on: date | None = None,
    until_on: date | None = None,
) -> Appointment:
    """Give a person a role in an organisation.

    Raises:
        TwoAdministrators: in that time the person holds another of the three administrators' roles.
        InvalidInput: in that time it is held already, an administrator's role in any organisation; the days are not in order.
    """
    begins = from_on or clock.today()
    if until_on is not None and until_on < begins:
        raise InvalidInput
    held = session.scalars(
        sa.select(Appointment).where(
            Appointment.person_id == person.id,
            sa.or_(Appointment.until_on.is_(None), Appointment.until_on >= begins),
            Appointment.from_on <= until_on if until_on else sa.true(),
        )
    ).all()
    if role in ADMINISTRATORS and any(entry.role in ADMINISTRATORS and entry.role is not role for entry in held):
        raise TwoAdministrators
    if any(entry.role is role and (role in ADMINISTRATORS or entry.organisation_id == organisation.id) for entry in held):
        raise InvalidInput
    appointment = Appointment(id=new_id(), person_id=person.id, role=role, organisation_id=organisation.id, from_on=begins, until_on=until_on)
    session.add(appointment)
    session.flush()
    journal.record(session, actor, "person:appoint", object_id=person.id, role=role.value, organisation=organisation.code, from_on=str(begins))
    return appointment


def dismiss(session: Session, actor: Actor, appointment_id: UUID, *, on: date | None = None) -> Appointment:
    """End an appointment with yesterday, or with a day; work items the person holds in that role go back to their queues.

    Raises:
        NotFound: there is none.
    """
    appointment = session.get(Appointment, appointment_id)
    if appointment is None:
        raise NotFound
    last = on or clock.today() - timedelta(days=1)
    appointment.until_on = max(last, appointment.from_on)
    if last < appointment.from_on:
        session.delete(appointment)
    session.execute(
        sa.update(WorkItem)
        .where(
            WorkItem.person_id == appointment.person_id,
            WorkItem.role == appointment.role,
            WorkItem.organisation_id == appointment.organisation_id,
            WorkItem.state == WorkItemState.RESERVED,
            WorkItem.is_assigned.is_(False),
        )
        .values(state=WorkItemState.READY, person_id=None, claimed_at=None)
    )
    journal.record(session, actor, "person:dismiss", object_id=appointment.person_id, role=appointment.role.value, until_on=str(last))
    session.flush()
    return appointment
