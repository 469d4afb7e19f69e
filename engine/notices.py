"""Notices: taken, received hop by hop, matched with what is known. Each hop has its own clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from engine import (
    calendars,
    cases,
    choices,
    clock,
    codes,
    deadlines,
    environment,
    feel,
    forms,
    journal,
    limits,
    numbers,
    organisations,
    permissions,
    procedures,
    profiles,
    records,
    subjects,
)
from engine.codes import Code
from engine.errors import FormInvalid, InvalidInput, NotAllowed, NotFound
from engine.permissions import Permission
from engine.services import service
from models import (
    FINAL_STATES,
    Case,
    CaseKind,
    Hop,
    Notice,
    Organisation,
    OrganisationKind,
    ReceiptMethod,
    Role,
    Source,
    Subject,
    WorkItem,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.projection import Command

FORM = "notice"
RECEIPTS = ("receipt", "township_receipt")  # the forms by which a call is received
LIMITS = {Hop.VILLAGE: "notify_village", Hop.TOWNSHIP: "notify_township", Hop.FACILITY: "notify_facility", Hop.OTHER: "notify_facility"}
HOP_OF_ROLE = {Role.VILLAGE_REPORTER: Hop.VILLAGE, Role.TOWNSHIP_REPORTER: Hop.TOWNSHIP}
SAME_EVENT = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Taken:
    """A notice that was taken: with its case, and whether it had been taken before with the same key."""

    notice: Notice
    case: Case
    is_new: bool


def context(session: Session, actor: Actor, kind: CaseKind | None = None) -> tuple[forms.Form, forms.Context]:
    """Return the form of a new notice and what its expressions see for this reporter.

    Raises:
        NotAllowed: the actor takes no notices.
        NotFound: no procedure for the kind, or for any, is active.
    """
    if not permissions.allows(actor, Permission.NOTICE_TAKE):
        raise NotAllowed
    kinds = procedures.active_kinds(session)
    if not kinds:
        raise NotFound
    kind = kind or kinds[0]
    version = procedures.active(session, kind)
    form = procedures.form(session, version.id, FORM)
    home = _home(session, actor)
    profile = profiles.of_organisation(session, home)
    values = profiles.values(session, profile.id)
    calendar = calendars.current(session)
    functions = {"due": lambda limit, start: _due(values, calendar, limit, start)}
    surroundings = feel.Environment(
        now=clock.now(),
        zone=clock.zone(),
        calendar=calendar,
        functions={**functions, **environment.RESIDENT_NUMBERS},
        names={"profile": environment.wire(values.values), "case": {"kind": kind.value, "late_report": False}},
    )
    owner = _owner(session, home)
    receivers = _receivers(session, home, owner)
    names = {
        "person": {**choices.person(actor, home), "hop": _hop(actor).value},
        "known": {"receiver": _usual(session, actor, receivers)},
        "variables": {},
        "now": feel.to_wire(clock.now().astimezone(clock.zone())),
    }
    makers = {
        "people.receivers": lambda: receivers,
        "procedures.kinds": lambda: [code for code in codes.lists()["CS-CASEKIND"].codes if CaseKind(code.code) in kinds],
    }
    return form, forms.Context(surroundings, names, choices.of_form(session, form, owner, makers))


def take(session: Session, actor: Actor, answers: Mapping[str, Any], *, key: str) -> Taken:
    """Take a phone notice: keep it as a record, open its case in state notified and offer it to whoever receives it.

    Args:
        key: The command's key; the same key twice is the same notice.

    Raises:
        FormInvalid: answers that cannot be true; nothing is kept.
        NotAllowed: the actor takes no notices.

    Source:
        Review procedures, §4 P0 and P1; forms §1.
    """
    _alone(session, key)
    known = session.scalar(sa.select(Notice).options(joinedload(Notice.case)).where(Notice.command_key == key))
    if known is not None:
        if known.recorded_by_id != actor.person_id:
            raise InvalidInput
        return Taken(known, known.case, False)
    said_kind = answers.get("case_kind")
    kind = next((kind for kind in procedures.active_kinds(session) if kind.value == said_kind), None)
    form, surroundings = context(session, actor, kind)
    checked = forms.check(form, answers, surroundings)
    if checked.errors:
        raise FormInvalid(checked.errors)
    assert kind is not None  # the form offers only these, and asks for one
    said = {name: feel.from_wire(value) for name, value in checked.answers.items()}
    home = _home(session, actor)
    facility = organisations.get(session, UUID(said["facility"])) if said.get("facility") else None
    township = _township(session, said, home)
    hop = Hop(said["hop"]) if said.get("hop") else _hop(actor)
    owner = _owner(session, facility or township or home)
    event_at, learned_at = said["event_dt"], said.get("learned_dt") or said["event_dt"]
    notified_at = said["notice_dt"]
    start = event_at if hop in (Hop.FACILITY, Hop.OTHER) else learned_at
    case = cases.begin(session, actor, kind, owner=owner, facility=facility, township=township, event_at=event_at, clock_start_at=start)
    record = records.submit(session, case, form, checked, actor)
    reporter_is_actor = not said.get("reporter_name")
    values = profiles.values(session, case.profile_version_id)
    limit = values.limit(LIMITS[hop]) or limits.Limit(LIMITS[hop], 24, "h")
    notice = Notice(
        id=new_id(),
        number=numbers.give(session, cases.office_code(session, case), "TZ"),
        case_id=case.id,
        case_kind=kind,
        hop=hop,
        organisation_id=home.id if reporter_is_actor else (facility.id if facility else None),
        reporter_id=actor.person_id if reporter_is_actor else None,
        recorded_by_id=actor.person_id,
        record_id=record.id,
        event_at=event_at,
        learned_at=learned_at,
        notified_at=notified_at,
        recorded_at=clock.now(),
        clock_start_at=start,
        due_at=limits.reckon(limit, start, calendars.current(session)).due_at,
        late_reason=said.get("late_reason"),
        command_key=key,
    )
    session.add(notice)
    session.flush()
    deadlines.note_notice(session, case, notice, limit)
    journal.record(session, actor, "notice:take", case_id=case.id, object_id=notice.id, number=notice.number, hop=hop.value)
    reporter = str(notice.reporter_id) if notice.reporter_id else None  # who does not receive their own call
    cases.walk(session, actor, case, {"hop": hop.value, "kind": kind.value, "reopened": False, "notice_at": notified_at, "reporter": reporter})
    return Taken(notice, case, True)


def _alone(session: Session, key: str) -> None:
    """Let two commands with the same key run one after the other; SQLite has one writer as it is."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))


def timing(session: Session, actor: Actor, answers: Mapping[str, Any]) -> tuple[datetime, datetime, datetime] | None:
    """Return where the clock of a notice starts, when it is due and when the call was, as far as the answers say so."""
    event_at, called_at = answers.get("event_dt"), answers.get("notice_dt")
    if not isinstance(event_at, datetime) or not isinstance(called_at, datetime) or called_at < event_at:
        return None
    hop = Hop(answers["hop"]) if answers.get("hop") in {entry.value for entry in Hop} else _hop(actor)
    learned_at = answers.get("learned_dt")
    start = learned_at if hop not in (Hop.FACILITY, Hop.OTHER) and isinstance(learned_at, datetime) else event_at
    profile = profiles.of_organisation(session, _home(session, actor))
    due_at = _due(profiles.values(session, profile.id), calendars.current(session), LIMITS[hop], start)
    return (start, due_at, called_at) if due_at else None


def receive(
    session: Session,
    actor: Actor | None,
    case: Case,
    *,
    received_at: datetime,
    method: ReceiptMethod,
    is_read_back: bool,
    hop: Hop | None = None,
) -> Notice:
    """Note who received the latest notice of a case that nobody has received, when and how.

    Raises:
        NotFound: every notice has its receipt.
        InvalidInput: the receiver is the reporter, or received before the call.
    """
    query = sa.select(Notice).where(Notice.case_id == case.id, Notice.received_at.is_(None)).order_by(Notice.notified_at.desc())
    notice = session.scalars(query.where(Notice.hop == hop) if hop else query).first()
    if notice is None or actor is None:
        raise NotFound
    if notice.reporter_id == actor.person_id or received_at < notice.notified_at:
        raise InvalidInput
    notice.receiver_id, notice.received_at, notice.receipt_method, notice.is_read_back = actor.person_id, received_at, method, is_read_back
    return notice


def match(session: Session, actor: Actor, case: Case) -> list[Code]:
    """Return the cases that may be the same as a new one: same day ± 3 days and the same name, number, age or place.

    Source:
        Review procedures, §4 D1.
    """
    mine = subjects.of_case(session, case.id)
    other = sa.orm.aliased(Subject)
    rows = session.execute(
        sa.select(Case, other)
        .outerjoin(other, sa.and_(other.source == Source.CASE, other.source_id == Case.id))
        .where(
            Case.id != case.id,
            Case.kind == case.kind,
            Case.state.not_in(FINAL_STATES),
            Case.number.is_not(None),
            Case.event_at.between(case.event_at - SAME_EVENT, case.event_at + SAME_EVENT),
            permissions.visible(actor),
        )
        .order_by(Case.event_at)
        .limit(20)
    ).all()
    found: list[tuple[int, Code]] = []
    for row, subject in rows:
        signs = [
            bool(mine and subject and mine.id_number and mine.id_number == subject.id_number),
            bool(mine and subject and mine.name and mine.name == subject.name),
            bool(case.facility_id and case.facility_id == row.facility_id),
            bool(case.township_id and case.township_id == row.township_id),
        ]
        if any(signs):
            name = subject.name if subject and subject.name else row.number
            moment = row.event_at.astimezone(clock.zone())
            reasons_zh = [word for sign, word in zip(signs, ("证件号码", "姓名", "机构", "乡镇"), strict=True) if sign]
            reasons_en = [word for sign, word in zip(signs, ("identity number", "name", "facility", "township"), strict=True) if sign]
            found.append(
                (
                    -sum(signs),
                    Code(
                        str(row.id),
                        f"{row.number} {name}，{moment:%m-%d %H:%M}，{'、'.join(reasons_zh)}相同",
                        f"{row.number} {name}, {moment:%m-%d %H:%M}, same {', '.join(reasons_en)}",
                    ),
                )
            )
    return [code for _, code in sorted(found, key=lambda pair: pair[0])]


def of_case(session: Session, case_id: UUID) -> list[Notice]:
    """Return the notices of a case, the first one first."""
    return list(
        session.scalars(
            sa.select(Notice)
            .options(joinedload(Notice.organisation), joinedload(Notice.reporter), joinedload(Notice.receiver), joinedload(Notice.recorded_by))
            .where(Notice.case_id == case_id)
            .order_by(Notice.notified_at, Notice.id)
        )
    )


def mine(session: Session, actor: Actor, *, limit: int = 30) -> list[Notice]:
    """Return what a person has reported, newest first, with what came of it."""
    return list(
        session.scalars(
            sa.select(Notice)
            .options(joinedload(Notice.receiver), joinedload(Notice.case), joinedload(Notice.organisation))
            .where(sa.or_(Notice.recorded_by_id == actor.person_id, Notice.reporter_id == actor.person_id))
            .order_by(Notice.recorded_at.desc(), Notice.id.desc())
            .limit(limit)
        )
    )


def find(session: Session, actor: Actor, *, page: int = 1, per_page: int = 25) -> tuple[list[tuple[Notice, str | None]], int]:
    """Return a page of the notices of visible cases with the subject's name, newest first, and how many there are."""
    condition = permissions.visible(actor)
    base = sa.select(Notice).join(Case, Case.id == Notice.case_id).where(condition)
    count = session.scalar(base.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0
    rows = session.execute(
        base.outerjoin(Subject, sa.and_(Subject.source == Source.CASE, Subject.source_id == Case.id))
        .options(joinedload(Notice.case), joinedload(Notice.organisation), joinedload(Notice.reporter), joinedload(Notice.receiver))
        .with_only_columns(Notice, Subject.name, maintain_column_froms=True)
        .order_by(Notice.notified_at.desc(), Notice.id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return [(notice, name) for notice, name in rows], count


def report_due(session: Session, notice: Notice) -> datetime | None:
    """Return until when the case report on a notice's case is asked for, by the case's profile."""
    return _due(profiles.values(session, notice.case.profile_version_id), calendars.current(session), "case_report", notice.case.clock_start_at)


def waiting(session: Session, actor: Actor) -> int:
    """Return how many notices wait until the actor receives them."""
    return session.scalar(sa.select(sa.func.count()).where(WorkItem.form.in_(RECEIPTS), permissions.may_hand_in(actor))) or 0


# ── services ──


@service
def receive_notice(command: Command, arguments: Mapping[str, Any]) -> None:
    """Note on the case's notice who received it, when (`received_at`), how (`method`) and whether it was read back (`read_back`).

    Source:
        Review procedures, §4 P1.
    """
    try:
        receive(
            command.session,
            command.actor,
            command.case,
            received_at=feel.from_wire(arguments["received_at"]),
            method=ReceiptMethod(arguments["method"]),
            is_read_back=bool(arguments.get("read_back")),
        )
    except NotFound:
        return


@service
def pass_notice_on(command: Command, arguments: Mapping[str, Any]) -> None:
    """Keep the township's call as a notice of its own hop: the clock of its step began at `learned_at` and was met at `notified_at`.

    Source:
        Review procedures, §3 Clock start, §5.1 step 2.
    """
    session, case, actor = command.session, command.case, command.actor
    first = session.scalars(sa.select(Notice).where(Notice.case_id == case.id).order_by(Notice.notified_at)).first()
    if first is None or actor is None:
        raise NotFound
    learned_at, notified_at = feel.from_wire(arguments["learned_at"]), feel.from_wire(arguments["notified_at"])
    values = profiles.values(session, case.profile_version_id)
    limit = values.limit(LIMITS[Hop.TOWNSHIP]) or limits.Limit(LIMITS[Hop.TOWNSHIP], 24, "h")
    organisation = session.scalar(sa.select(Organisation).where(Organisation.id == case.township_id)) if case.township_id else None
    record = records.current(session, case.id, "pass_on")
    notice = Notice(
        id=new_id(),
        number=numbers.give(session, cases.office_code(session, case), "TZ"),
        case_id=case.id,
        case_kind=case.kind,
        hop=Hop.TOWNSHIP,
        organisation_id=organisation.id if organisation else None,
        reporter_id=actor.person_id,
        recorded_by_id=actor.person_id,
        record_id=record.id if record else first.record_id,
        event_at=first.event_at,
        learned_at=max(learned_at, first.event_at),
        notified_at=max(notified_at, learned_at),
        recorded_at=clock.now(),
        clock_start_at=learned_at,
        due_at=limits.reckon(limit, learned_at, calendars.current(session)).due_at,
        late_reason=arguments.get("late_reason"),
    )
    session.add(notice)
    if record is not None and record.work_item_id is not None:
        deadlines.met_by_call(session, record.work_item_id, notified_at)


# ── who and where ──


def _hop(actor: Actor) -> Hop:
    for role, hop in HOP_OF_ROLE.items():
        if role in actor.roles:
            return hop
    return Hop.FACILITY


def _home(session: Session, actor: Actor) -> Organisation:
    """Return the organisation for which the actor takes notices."""
    for post in actor.posts:
        if Permission.NOTICE_TAKE in permissions.PERMISSIONS[post.role]:
            return organisations.get(session, post.organisation_id)
    raise NotAllowed


def _owner(session: Session, organisation: Organisation) -> Organisation:
    owner = organisations.nearest(session, organisation.path, OrganisationKind.MCH_INSTITUTION)
    if owner is None:
        raise InvalidInput
    return owner


def _township(session: Session, said: Mapping[str, Any], home: Organisation) -> Organisation | None:
    """Return the township of the residence: as said, else the reporter's own."""
    if said.get("residence_area"):
        return organisations.get(session, UUID(said["residence_area"]))
    if home.kind in (OrganisationKind.TOWNSHIP_HEALTH_CENTRE, OrganisationKind.VILLAGE_CLINIC):
        return organisations.nearest(session, home.path, OrganisationKind.TOWNSHIP_HEALTH_CENTRE)
    return None


def _receivers(session: Session, home: Organisation, owner: Organisation) -> list[Code]:
    """Return who may answer the telephone: QC officers of the MCH institution, and before them, for a village, the township's."""
    found: list[Code] = []
    if home.kind is OrganisationKind.VILLAGE_CLINIC:
        found += choices.with_roles(session, [Role.TOWNSHIP_REPORTER], choices.area_of(home).rstrip("/").rsplit("/", 1)[0] + "/")
    return [*found, *choices.with_roles(session, [Role.QC_OFFICER], choices.area_of(owner), owner.id)]


def _usual(session: Session, actor: Actor, receivers: list[Code]) -> str | None:
    """Return who took this reporter's last call, or the only one there is to take the first; a suggestion, to be changed."""
    offered = [code.code for code in receivers]
    last = session.scalar(
        sa.select(Notice.receiver_id)
        .where(Notice.recorded_by_id == actor.person_id, Notice.receiver_id.is_not(None))
        .order_by(Notice.recorded_at.desc())
        .limit(1)
    )
    if last is not None and str(last) in offered:
        return str(last)
    return offered[0] if len(offered) == 1 else None


def _due(values: profiles.Values, calendar: limits.WorkingCalendar, key: str, start: Any) -> datetime | None:
    limit = values.limit(key) if key in values.content["limits"] else None
    return limits.reckon(limit, start, calendar).due_at if limit and isinstance(start, datetime) else None
