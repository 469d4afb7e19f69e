"""Incidents: what the system could not complete. Nothing changed; an administrator reads the place and tries again."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import clock, feel, forms, journal, numbers, work_items, workflow
from engine.actor import of_person
from engine.errors import N_, EngineError, NotFound, NotNow, StepFailed
from engine.transaction import transaction
from models import (
    Case,
    Deadline,
    DeadlineKind,
    Draft,
    Incident,
    IncidentKind,
    Person,
    Procedure,
    ProcedureVersion,
    Source,
    Subject,
    WorkItem,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from models.database import Sessions

OWN_ROOMS = ("/engine/", "/models/", "/web/", "/bpmn/")
MOST_AT_ONCE = 50
# Reasons of a workflow that are ours, word for word: no value of a case can stand in them.
OWN_REASONS = ("the diagram does not come to rest", "the diagram has been walked too many times in one go")


def _kinds(kind: type[Exception]) -> list[str]:
    return [kind.__name__, *(name for inner in type.__subclasses__(kind) for name in _kinds(inner))]


_FEEL = "|".join(sorted(set(_kinds(feel.FeelError))))

# The cause of an incident in words, by what its error looks like: where it lies (`diagram`, `case`, `database`, `program`),
# what happened, and what to do. The first that fits is taken; `what` is the piece the pattern finds.
CAUSES: tuple[tuple[str, str, str, str], ...] = (
    (
        rf"(?:{_FEEL}): (?P<what>.+)",
        "diagram",
        N_("图上这一步的一个表达式算不出来：%(what)s"),
        N_("在流程设计里打开这一步，改正它的表达式或给变量先赋值；部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r".*the case has no (?P<what>\w+)",
        "case",
        N_("这一步要交给个案里没有的单位（%(what)s）。"),
        N_("个案没有这个单位时，图上要绕开这一步，或在表单里补上单位；改好后再试一次。"),
    ),
    (
        r".*is no (?:key|instant)",
        "diagram",
        N_("图上这一步指定的人、事项或时间，算出来不是人、事项或时间。"),
        N_("在流程设计里打开这一步，检查指定的人和起算时间；部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r".*without a final state",
        "diagram",
        N_("流程走到了头，但图上没有写明个案的最后状态。"),
        N_("在流程设计里给结束事件写上个案状态；部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r".*(?:come to rest|too many times|again and again)",
        "diagram",
        N_("流程在没有人办的步骤里打转，停不下来。"),
        N_("在流程设计里检查这一步前后的回路；部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r"Unstorable",
        "diagram",
        N_("流程的变量太多，或有一个值存不下来。"),
        N_("在流程设计里少留变量：表单的回答不必都写进流程。部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r".*no service (?P<what>.+)",
        "diagram",
        N_("图上写的自动办理 %(what)s，系统里没有。"),
        N_("在流程设计里选一个有的自动办理；部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r".*no (?:packet|plan|redaction|such item)",
        "case",
        N_("自动办理要用的资料还不在：前面的步骤没有办，或被跳过了。"),
        N_("看个案的经过，把前面的步骤退回去补办，再试一次。"),
    ),
    (
        r".*without a form or a lane",
        "diagram",
        N_("图上这一步没有表单，或不在任何角色的横带里。"),
        N_("在流程设计里给这一步选表单和角色；部署后把个案移到新的一版，再试一次。"),
    ),
    (
        r"(?:Operational|Interface|Timeout|Pool)\w*",
        "database",
        N_("数据库当时没有回应。"),
        N_("数据库恢复以后再试一次；常常发生时请检查磁盘和连接数。"),
    ),
    (
        r"(?:Integrity|StaleData|Serialization)\w*",
        "database",
        N_("两件事同时改了同一个内容。"),
        N_("再试一次，一般就会成功。"),
    ),
    (
        r"(?:Workflow|StepFailed)\w*",
        "diagram",
        N_("流程在图上这一步走不下去。"),
        N_("在流程设计里打开这一步看检查结果；部署后把个案移到新的一版，再试一次。"),
    ),
)
UNKNOWN_CAUSE = (
    "program",
    N_("程序在这里没有料到的情形。"),
    N_("请把事件编号和下面的代码位置告诉维护人员。程序更新以后可以再试一次。"),
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something could not be completed, for somebody who does not program.

    Attributes:
        where: `diagram`, `case`, `database` or `program`.
        sentence, remedy: What happened and what to do; `what` fills the sentence's place.
    """

    where: str
    sentence: str
    remedy: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on which diagram an incident happened."""

    procedure: Procedure
    version: ProcedureVersion


def cause(incident: Incident) -> Cause:
    """Return the cause of an incident in words."""
    for pattern, where, sentence, remedy in CAUSES:
        found = re.match(pattern, incident.error, re.DOTALL)
        if found is not None:
            return Cause(where, sentence, remedy, (found.groupdict().get("what") or "").strip()[:160])
    return Cause(*UNKNOWN_CAUSE)


def keep_hand_in(sessions: Sessions, actor: Actor, item_id: UUID, answers: Mapping[str, Any], key: str, error: Exception) -> str:
    """After a hand-in failed and was rolled back: keep what was typed as a draft, write an incident. Returns its number."""
    with transaction(sessions) as session:
        item = session.get(WorkItem, item_id)
        try:
            with session.begin_nested():
                work_items.save_draft(session, actor, item_id, answers)
        except (EngineError, sa.exc.SQLAlchemyError):
            pass
        incident = write(
            session,
            IncidentKind.HAND_IN,
            error,
            case_id=item.case_id if item else None,
            work_item_id=item_id,
            person_id=actor.person_id,
            element=item.element if item else None,
            key=key,
        )
        return incident.number


def write(
    session: Session,
    kind: IncidentKind,
    error: BaseException,
    *,
    case_id: UUID | None = None,
    work_item_id: UUID | None = None,
    person_id: UUID | None = None,
    element: str | None = None,
    **detail: Any,
) -> Incident:
    """Write an incident: the kind of error and the places in our code, never its values."""
    reason = error.reason if isinstance(error, StepFailed) else ""
    incident = Incident(
        id=new_id(),
        number=numbers.at_random(6),
        kind=kind,
        case_id=case_id,
        work_item_id=work_item_id,
        person_id=person_id,
        element=(error.element if isinstance(error, StepFailed) else None) or element,
        error=_named(error, reason),
        trace=places(error),
        detail=detail,
        occurred_at=clock.now(),
        attempts=1,
    )
    session.add(incident)
    session.flush()
    return incident


def _named(error: BaseException, reason: str) -> str:
    """Return the error without values: a diagram's reason names expressions, not answers."""
    cause = error.__cause__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    kind = type(cause or error).__name__
    if isinstance(cause, feel.FeelError):
        return f"{kind}: {cause.message}"[:200]
    if isinstance(cause, workflow.WorkflowFailed) and cause.reason in OWN_REASONS:
        return f"{kind}: {cause.reason}"
    return (f"{kind}: {reason}" if isinstance(error, StepFailed) and cause is None and reason else kind)[:200]


def places(error: BaseException) -> list[str]:
    """Return where an error came from, innermost cause last: files, lines and kinds, never its words."""
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < 40:
        for frame in traceback.extract_tb(current.__traceback__):
            name = frame.filename.replace("\\", "/")
            for room in OWN_ROOMS:
                if room in name and "site-packages" not in name:
                    found.append(f"{room.strip('/')}/{name.rsplit(room, 1)[1]}:{frame.lineno} {frame.name}")
        current = current.__cause__
    return found[-40:]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of incidents is narrowed to; `is_of_procedures` leaves out what happened outside any case."""

    is_open: bool = True
    procedure: str = ""
    version: int | None = None
    kind: IncidentKind | None = None
    is_of_procedures: bool = False


def find(session: Session, wanted: Filter | None = None, *, is_open: bool = True, page: int = 1, per_page: int = 25) -> tuple[list[Incident], int]:
    """Return a page of incidents, newest first, and how many there are."""
    wanted = wanted or Filter(is_open)
    conditions: list[sa.ColumnElement[bool]] = [Incident.resolved_at.is_(None) if wanted.is_open else Incident.resolved_at.is_not(None)]
    if wanted.kind is not None:
        conditions.append(Incident.kind == wanted.kind)
    if wanted.is_of_procedures:
        conditions.append(Incident.case_id.is_not(None))
    if wanted.procedure or wanted.version is not None:
        of = (
            sa.select(Case.id)
            .join(ProcedureVersion, ProcedureVersion.id == Case.procedure_version_id)
            .join(Procedure, Procedure.id == ProcedureVersion.procedure_id)
        )
        if wanted.procedure:
            of = of.where(Procedure.key == wanted.procedure)
        if wanted.version is not None:
            of = of.where(ProcedureVersion.number == wanted.version)
        conditions.append(Incident.case_id.in_(of))
    count = session.scalar(sa.select(sa.func.count()).select_from(Incident).where(*conditions)) or 0
    rows = session.scalars(
        sa.select(Incident).where(*conditions).order_by(Incident.occurred_at.desc(), Incident.id).limit(per_page).offset((page - 1) * per_page)
    )
    return list(rows), count


def place(session: Session, incident: Incident) -> Place | None:
    """Return the version whose diagram an incident happened on: the one that its case follows now."""
    row = session.execute(
        sa.select(Procedure, ProcedureVersion)
        .join(ProcedureVersion, ProcedureVersion.procedure_id == Procedure.id)
        .join(Case, Case.procedure_version_id == ProcedureVersion.id)
        .where(Case.id == incident.case_id)
    ).first()
    return Place(*row) if row else None


def alike(session: Session, incident: Incident) -> list[Incident]:
    """Return the open incidents of the same kind and cause at the same step, the incident itself among them."""
    return list(
        session.scalars(
            sa.select(Incident)
            .where(
                Incident.resolved_at.is_(None),
                Incident.kind == incident.kind,
                Incident.error == incident.error,
                Incident.element == incident.element if incident.element is not None else Incident.element.is_(None),
            )
            .order_by(Incident.occurred_at, Incident.id)
            .limit(MOST_AT_ONCE)
        )
    )


def after(session: Session, incident: Incident) -> str:
    """Return what has become of it: `open`, `dismissed`, `done`, `gone` (another way was taken), `waiting` or `retried`."""
    if incident.resolved_at is None:
        return "open"
    if incident.resolution == "dismissed":
        return "dismissed"
    if incident.kind is IncidentKind.HAND_IN:
        state = session.scalar(sa.select(WorkItem.state).where(WorkItem.id == incident.work_item_id))
        return {"completed": "done", "exited": "gone"}.get(state.value if state is not None else "", "retried")
    if incident.kind is IncidentKind.TIMER:
        deadline = _timer(session, incident)
        return "waiting" if deadline is not None else "done"
    return "retried"


def get(session: Session, number: str) -> Incident:
    """Return an incident by its number.

    Raises:
        NotFound: there is none.
    """
    incident = session.scalar(sa.select(Incident).where(Incident.number == number))
    if incident is None:
        raise NotFound
    return incident


def retry(session: Session, actor: Actor, number: str) -> Incident:
    """Try the failed command again: a hand-in with its person's draft and key, a timer or message by making it due now.

    Raises:
        NotNow: it is resolved, or what it needs is gone.
        EngineError: it failed again, for the same or another reason.
    """
    incident = get(session, number)
    if incident.resolved_at is not None:
        raise NotNow
    if incident.kind is IncidentKind.HAND_IN:
        _hand_in_again(session, incident)
    elif incident.kind is IncidentKind.TIMER:
        _due_again(session, incident)
    else:
        raise NotNow
    _resolve(session, actor, incident, "retried")
    return incident


def dismiss(session: Session, actor: Actor, number: str) -> Incident:
    """Close an incident without trying again: somebody dealt with it otherwise."""
    incident = get(session, number)
    if incident.resolved_at is None:
        _resolve(session, actor, incident, "dismissed")
    return incident


def retry_alike(session: Session, actor: Actor, number: str) -> tuple[int, int]:
    """Try everything again that failed of the same cause at the same step, each on its own. Returns how many did, and did not.

    Each is a savepoint: one that fails again takes nothing of the others with it.
    """
    done = failed = 0
    for incident in alike(session, get(session, number)):
        one = incident.number
        try:
            with session.begin_nested():
                retry(session, actor, one)
                session.flush()
            done += 1
        except NotNow:
            failed += 1
        except (sa.exc.OperationalError, sa.exc.InterfaceError):
            raise
        except Exception as error:
            session.expire_all()
            note_failure(session, one, error)
            failed += 1
    return done, failed


def failed_again(sessions: Sessions, number: str, error: Exception) -> None:
    """Count a retry that failed, with its new reason."""
    with transaction(sessions) as session:
        note_failure(session, number, error)


def note_failure(session: Session, number: str, error: Exception) -> None:
    """Count a retry that failed, in the running transaction."""
    incident = get(session, number)
    incident.attempts += 1
    incident.error = _named(error, error.reason if isinstance(error, StepFailed) else "")
    incident.trace = places(error)
    if isinstance(error, StepFailed) and error.element is not None:
        incident.element = error.element


def _resolve(session: Session, actor: Actor, incident: Incident, how: str) -> None:
    incident.resolved_at, incident.resolved_by_id, incident.resolution = clock.now(), actor.person_id, how
    journal.record(session, actor, f"incident:{how}", case_id=incident.case_id, object_id=incident.id, number=incident.number)
    session.flush()


def _hand_in_again(session: Session, incident: Incident) -> None:
    person = session.get(Person, incident.person_id) if incident.person_id else None
    draft = session.execute(
        sa.select(Draft, Subject.details)
        .outerjoin(Subject, sa.and_(Subject.source == Source.DRAFT, Subject.source_id == Draft.id))
        .where(Draft.work_item_id == incident.work_item_id, Draft.person_id == incident.person_id)
    ).first()
    if person is None or draft is None or incident.work_item_id is None:
        raise NotNow
    answers = forms.thaw(forms.put_identity(draft[0].answers, draft[1] or {}))
    work_items.hand_in(session, of_person(session, person), incident.work_item_id, answers, key=incident.detail["key"])


def _due_again(session: Session, incident: Incident) -> None:
    deadline = _timer(session, incident)
    if deadline is None:
        raise NotNow
    deadline.next_at, deadline.attempts = clock.now(), 0


def _timer(session: Session, incident: Incident) -> Deadline | None:
    """Return the clock that failed, while it is open; once its case was moved to another version, the one in its place."""
    deadline = session.get(Deadline, UUID(incident.detail["deadline"])) if "deadline" in incident.detail else None
    if deadline is not None and deadline.withdrawn_at is None and deadline.met_at is None:
        return deadline
    key = deadline.key if deadline is not None else incident.element
    return session.scalar(
        sa.select(Deadline)
        .where(
            Deadline.case_id == incident.case_id,
            Deadline.key == key,
            Deadline.kind == DeadlineKind.TIMER,
            Deadline.met_at.is_(None),
            Deadline.withdrawn_at.is_(None),
        )
        .order_by(Deadline.due_at)
        .limit(1)
    )
