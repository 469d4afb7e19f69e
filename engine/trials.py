"""Trials: a draft or a version tried before it is deployed, on its scenarios and on what happened in real cases.

A replay runs in the background, about a second at a time, each time going on where the last one stopped. Nothing of a case
is written, and nothing that somebody answered in a form stands in a trial: numbers of cases, ids of steps, counts, minutes.
"""

from __future__ import annotations

import gc
import io
import logging
import time as monotonic
import zipfile
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine import calendars, clock, drafts, forms, journal, permissions, procedures, profiles, replay, scenarios
from engine.errors import InvalidInput, NotFound, NotNow
from engine.permissions import Permission
from engine.replay import Difference
from engine.transaction import transaction
from engine.workflow import UnreadableDiagram
from models import Case, Organisation, Procedure, ProcedureVersion, Profile, ProfileVersion, Trial, TrialKind, TrialState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.procedures import Deployed
    from models.database import Sessions

log = logging.getLogger("pingshen.trials")
MAX_CASES = 5_000
MAX_KEPT_DIFFERENCES = 2_000
CHUNK, MAX_CHUNK = 10, 25
KEPT_READY = 3
TURN_S = 1.0
OPEN = (TrialState.WAITING, TrialState.RUNNING)
OUTCOMES = ("same", "aside", "other", "stuck", "incomparable")
_ready: dict[str, Deployed] = {}
_lock = Lock()


# ── what is tried ──


def files_of(session: Session, key: str) -> tuple[Procedure, dict[str, bytes], ProcedureVersion | None]:
    """Return the files that are tried for a procedure: its draft's, or without one those of the version in use.

    Raises:
        NotFound: no such procedure, or it has neither.
    """
    draft = drafts.find(session, key)
    if draft is not None:
        return draft.procedure, drafts.files(session, draft), None
    procedure = procedures.get(session, key)
    version = procedures.in_use(session, procedure)
    if version is None:
        raise NotFound
    return procedure, procedures.version_files(session, version.id), version


def ready(files: Mapping[str, bytes]) -> Deployed:
    """Make files ready to run; the last ones are kept in memory.

    Raises:
        InvalidInput: they cannot be read; `what` tells the file or the reason.
    """
    digest = procedures.digest({path: content for path, content in files.items() if not path.startswith(scenarios.FOLDER)})
    with _lock:
        if digest in _ready:
            return _ready[digest]
    try:
        made = procedures.ready(UUID(int=0), files)
    except UnreadableDiagram as error:
        raise InvalidInput(what=f"{error.file} {error.reason}".strip()) from None
    except (forms.UnreadableForm, KeyError, ValueError, TypeError) as error:
        raise InvalidInput(what=str(error)[:200]) from None
    with _lock:
        while len(_ready) >= KEPT_READY:
            _ready.pop(next(iter(_ready)))
        _ready[digest] = made
    return made


def run_scenarios(
    session: Session, files: Mapping[str, bytes], only: str | None = None, *, known: Collection[str] = (), seconds: float | None = None
) -> list[scenarios.Result]:
    """Run the scenarios that are kept with a set of files, under the profiles and the calendar of this installation.

    Args:
        known: Those that are left out.
        seconds: Of processor time, after which no other is begun, and what is not done is left out.

    Raises:
        InvalidInput: the files cannot be made ready.
    """
    contents = {key: profiles.in_force(session, key).content for key in session.scalars(sa.select(Profile.key))}
    deployed, standard = ready(files), scenarios.defaults(files)
    office = calendars.current(session)
    ends = None if seconds is None else monotonic.thread_time() + seconds
    results: list[scenarios.Result] = []
    for scenario in scenarios.scenarios(files):
        if (only is None or scenario.key == only) and scenario.key not in known:
            left = scenarios.MAX_SECONDS if ends is None else min(scenarios.MAX_SECONDS, ends - monotonic.thread_time())
            result = scenarios.run(deployed, standard, scenario, contents, office, left) if left > 0 else None
            if result is None or (result.scenario.problem == scenarios.ENDLESS and left < scenarios.MAX_SECONDS):
                break
            results.append(result)
    return results


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files as one zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path), files[path], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """Return the files of a trial."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# ── commands and questions ──


def start(session: Session, actor: Actor, key: str, kind: TrialKind, wanted: Mapping[str, Any]) -> Trial:
    """Begin a trial of a procedure's draft, or of the version in use where there is none.

    Args:
        kind: A replay waits for the worker; scenarios are run at once.
        wanted: For a replay: `since` and `until` (days on which cases began), `profile` (key), `state` (`over`, `running` or
            empty), `most` (how many cases, the newest first).

    Raises:
        NotFound: no such procedure.
        InvalidInput: the files cannot be made ready, or `wanted` makes no sense.
    """
    procedure, files, version = files_of(session, key)
    asked = {**_checked(wanted), "reach": permissions.reaches(actor, Permission.PROCEDURE_EDIT)}
    trial = Trial(
        procedure_id=procedure.id,
        version_id=version.id if version else None,
        kind=kind,
        state=TrialState.WAITING,
        digest=procedures.digest(files),
        files=pack(files),
        wanted=asked,
        started_by_id=actor.person_id,
        started_at=clock.now(),
        done=0,
        total=0,
        progress={},
        result={},
    )
    if kind is TrialKind.SCENARIOS:
        came_out = _known(session, key, trial.digest)
        results = run_scenarios(session, files, known=came_out, seconds=scenarios.MAX_ALL_SECONDS)
        came_out |= {result.scenario.key: result.holds for result in results}
        keys = [scenario.key for scenario in scenarios.scenarios(files)]
        trial.state, trial.ended_at = TrialState.DONE, clock.now()
        trial.total, trial.done = len(keys), len(came_out)
        trial.result = {"scenarios": [{"key": name, "holds": came_out.get(name)} for name in keys]}
    else:
        ready(files)
        trial.total = min(session.scalar(_cases(procedure.id, trial.wanted, clock.now(), sa.func.count())) or 0, trial.wanted["most"])
    session.add(trial)
    session.flush()
    journal.record(session, actor, "trial:start", object_id=trial.id, key=key, kind=kind.value, count=trial.total)
    session.flush()
    return trial


def _known(session: Session, key: str, digest: str) -> dict[str, bool]:
    """Return how scenarios came out that were run already of the same files, if the last time did not come to all of them."""
    last = next(iter(find(session, key, kind=TrialKind.SCENARIOS, limit=1)), None)
    rows = last.result.get("scenarios", ()) if last is not None and last.digest == digest else ()
    return {row["key"]: row["holds"] for row in rows if row["holds"] is not None} if any(row["holds"] is None for row in rows) else {}


def _checked(wanted: Mapping[str, Any]) -> dict[str, Any]:
    try:
        days = {name: date.fromisoformat(str(wanted[name])).isoformat() if wanted.get(name) else None for name in ("since", "until")}
        most = int(wanted.get("most") or 1_000)
    except (TypeError, ValueError):
        raise InvalidInput from None
    state = str(wanted.get("state") or "")
    if any(day and not 1900 < date.fromisoformat(day).year < 9000 for day in days.values()):  # what no database keeps in every zone
        raise InvalidInput
    if state not in ("", "over", "running") or not 0 < most <= MAX_CASES:
        raise InvalidInput
    return {**days, "profile": str(wanted.get("profile") or "")[:40], "state": state, "most": most}


def _cases(procedure_id: UUID, wanted: Mapping[str, Any], before: datetime, *columns: Any) -> Any:
    """Return the query for the cases of a procedure that are asked for."""
    query = (
        sa.select(*columns)
        .select_from(Case)
        .join(ProcedureVersion, ProcedureVersion.id == Case.procedure_version_id)
        .where(ProcedureVersion.procedure_id == procedure_id, Case.created_at <= before)
    )
    if wanted.get("since"):
        query = query.where(Case.created_at >= datetime.combine(date.fromisoformat(wanted["since"]), time(), clock.zone()))
    if wanted.get("until"):
        query = query.where(Case.created_at < datetime.combine(date.fromisoformat(wanted["until"]) + timedelta(days=1), time(), clock.zone()))
    if wanted.get("state"):
        query = query.where(Case.ended_at.is_not(None) if wanted["state"] == "over" else Case.ended_at.is_(None))
    # Only what lies in the area of whoever asks: their institution in charge does.
    query = query.where(Case.owner_id.in_(sa.select(Organisation.id).where(permissions.within(Organisation.path, wanted.get("reach", ())))))
    if wanted.get("profile"):
        profile = sa.select(ProfileVersion.id).join(Profile).where(Profile.key == wanted["profile"])
        query = query.where(Case.profile_version_id.in_(profile))
    return query


def find(session: Session, key: str, *, actor: Actor | None = None, kind: TrialKind | None = None, limit: int = 10) -> list[Trial]:
    """Return the trials of a procedure, newest first, without their files; those that an actor may see."""
    query = sa.select(Trial).join(Procedure, Procedure.id == Trial.procedure_id).where(Procedure.key == key)
    if kind is not None:
        query = query.where(Trial.kind == kind)
    found = session.scalars(query.options(sa.orm.defer(Trial.files)).order_by(Trial.started_at.desc(), Trial.id).limit(10 * limit))
    return [trial for trial in found if actor is None or may_see(actor, trial)][:limit]


def may_see(actor: Actor, trial: Trial) -> bool:
    """Tell whether all that a trial looked at lies in an actor's area: it names cases by their numbers."""
    mine = permissions.reaches(actor, Permission.PROCEDURE_EDIT)
    return trial.kind is TrialKind.SCENARIOS or all(any(path.startswith(own) for own in mine) for path in trial.wanted.get("reach", [""]))


def get(session: Session, key: str, trial_id: UUID, actor: Actor | None = None) -> Trial:
    """Return a trial of a procedure.

    Raises:
        NotFound: there is none with this key, or it looked at cases that the actor's area does not hold.
    """
    found = session.scalar(sa.select(Trial).join(Procedure, Procedure.id == Trial.procedure_id).where(Procedure.key == key, Trial.id == trial_id))
    if found is None or (actor is not None and not may_see(actor, found)):
        raise NotFound
    return found


def stop(session: Session, actor: Actor, trial: Trial) -> None:
    """Stop a trial; what it has found so far stays.

    Raises:
        NotNow: it has ended.
    """
    session.refresh(trial, with_for_update=True)
    if trial.state not in OPEN:
        raise NotNow
    trial.state, trial.ended_at = TrialState.STOPPED, clock.now()
    journal.record(session, actor, "trial:stop", object_id=trial.id, done=trial.done)
    session.flush()


def differences(trial: Trial) -> list[Difference]:
    """Return what a replay found otherwise, in the order of the cases."""
    return [Difference(**{**row, "work": [tuple(entry) for entry in row["work"]]}) for row in trial.result.get("cases", ())]


def walks(session: Session, trial: Trial, number: str) -> tuple[replay.History, replay.Followed, replay.Followed, Deployed, Deployed]:
    """Walk one case of a trial again, as it stands now, through the version it ran under and through what was tried.

    Raises:
        NotFound: the trial did not look at this case, or it cannot be walked again.
    """
    if number not in {row["number"] for row in trial.result.get("cases", ())} | set(trial.result.get("same", ())):
        raise NotFound
    case_id = replay.by_number(session, number)
    if case_id is None:
        raise NotFound
    tried = ready(unpack(trial.files))
    replayer = replay.Replayer(tried)
    history = replayer.read(session, [case_id])[0]
    if history.problem:
        raise NotFound
    old, new = replayer.walks(history)
    return history, old, new, procedures.deployed(session, history.version_id), tried


# ── the work in the background ──


def is_waiting(session: Session) -> bool:
    """Tell whether a trial waits for the worker."""
    return bool(session.scalar(sa.select(sa.exists().where(Trial.state.in_(OPEN), Trial.kind == TrialKind.REPLAY))))


def advance(sessions: Sessions, *, turn_s: float = TURN_S) -> bool:
    """Do about a second of work on the trial that waits longest. Returns whether there was one.

    Reading and walking happen in a transaction that only reads; what was found is written in a short one of its own, and only
    if nobody else has gone on with the trial or stopped it meanwhile.
    """
    with transaction(sessions, read_only=True) as session:
        trial = session.scalar(
            sa.select(Trial).where(Trial.state.in_(OPEN), Trial.kind == TrialKind.REPLAY).order_by(Trial.started_at, Trial.id).limit(1)
        )
        if trial is None:
            return False
        session.expunge(trial)
    was, collects = trial.done, gc.isenabled()
    gc.disable()  # a walk cuts its cycles itself; the collector would look through everything else for nothing, a fifth of the time
    try:
        found, progress, is_done = _turn(sessions, trial, turn_s)
    except sa.exc.SQLAlchemyError:
        raise
    except Exception as error:
        log.warning("a trial failed: %s", type(error).__name__)
        with transaction(sessions) as session:
            failed = session.get(Trial, trial.id, with_for_update=True)
            if failed is not None and failed.state in OPEN:
                failed.state, failed.ended_at = TrialState.FAILED, clock.now()
                failed.result = {**failed.result, "failed": type(error).__name__}
        return True
    finally:
        if collects:
            gc.enable()
    with transaction(sessions) as session:
        now_there = session.get(Trial, trial.id, with_for_update=True)
        if now_there is None or now_there.state not in OPEN or now_there.done != was:
            return True
        now_there.progress = progress
        now_there.result = found
        now_there.total = max(now_there.total, progress["done"])
        now_there.done = progress["done"]
        now_there.state = TrialState.DONE if is_done else TrialState.RUNNING
        if is_done:
            now_there.total = now_there.done
            now_there.ended_at = clock.now()
    return True


def _turn(sessions: Sessions, trial: Trial, turn_s: float) -> tuple[dict[str, Any], dict[str, Any], bool]:
    began = monotonic.monotonic()
    replayer = replay.Replayer(ready(unpack(trial.files)))
    result, progress = _opened(trial.result), {"done": 0, **trial.progress}
    before = progress["done"]
    while True:
        with transaction(sessions, read_only=True) as session:
            left = min(_room(progress["done"] - before, monotonic.monotonic() - began, turn_s), trial.wanted["most"] - progress["done"])
            case_ids = _next(session, trial, progress, left) if left > 0 else []
            histories = replayer.read(session, case_ids)
        if not case_ids:
            return result, progress, True
        for history in histories:
            if progress["done"] > before and monotonic.monotonic() - began > turn_s:
                return result, progress, False
            _add(result, replayer.compare(history, trial.started_at))
            progress |= {"done": progress["done"] + 1, "at": history.created_at.isoformat(), "id": str(history.case_id)}


def _room(done: int, spent_s: float, turn_s: float) -> int:
    """Return how many cases to read next: as many as a turn still has time for at its pace so far, one at least."""
    return CHUNK if not done or not spent_s else max(1, min(MAX_CHUNK, round(done * (turn_s / spent_s - 1)) + 1))


def _next(session: Session, trial: Trial, progress: Mapping[str, Any], count: int) -> list[UUID]:
    """Return the next cases, the newest first, after the one looked at last."""
    query = _cases(trial.procedure_id, trial.wanted, trial.started_at, Case.id)
    if "at" in progress:
        at, last = datetime.fromisoformat(progress["at"]), UUID(progress["id"])
        query = query.where(sa.or_(Case.created_at < at, sa.and_(Case.created_at == at, Case.id > last)))
    return list(session.scalars(query.order_by(Case.created_at.desc(), Case.id).limit(count)))


def _opened(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "counts": dict(result.get("counts", {})),
        "same": list(result.get("same", ())),
        "cases": list(result.get("cases", ())),
        "work": [list(row) for row in result.get("work", ())],
        "clocks": {key: dict(row) for key, row in result.get("clocks", {}).items()},
        "not_kept": int(result.get("not_kept", 0)),
    }


def _add(result: dict[str, Any], found: Difference) -> None:
    """Add what was found of a case to the whole."""
    counts = result["counts"]
    counts[found.outcome] = counts.get(found.outcome, 0) + 1
    if found.outcome == "same":
        result["same"].append(found.number)
        return
    for role, capacity, organisation, count in found.work:
        row = next((row for row in result["work"] if row[:3] == [role, capacity, organisation]), None)
        if row is None:
            result["work"].append([role, capacity, organisation, max(count, 0), max(-count, 0)])
        else:
            row[3] += max(count, 0)
            row[4] += max(-count, 0)
    touched: dict[str, set[str]] = {}
    for clock_ in found.clocks:
        row = result["clocks"].setdefault(
            clock_["key"], {"cases": 0, "new": 0, "gone": 0, "later": 0, "earlier": 0, "renamed": 0, "more_late": 0, "less_late": 0}
        )
        touched.setdefault(clock_["key"], set()).add(replay.direction(clock_))
        row["more_late"] += clock_["new_late"] and not clock_["old_late"]
        row["less_late"] += clock_["old_late"] and not clock_["new_late"]
    for key, ways in touched.items():
        result["clocks"][key]["cases"] += 1
        for way in ways:
            result["clocks"][key][way] += 1
    if len(result["cases"]) >= MAX_KEPT_DIFFERENCES:
        result["not_kept"] += 1
        return
    # Which institution a case lies with is nobody's business here: only the sum over all cases names institutions.
    work: dict[tuple[str, str], int] = {}
    for role, capacity, _, count in found.work:
        work[role, capacity] = work.get((role, capacity), 0) + count
    row = {name: getattr(found, name) for name in Difference.__dataclass_fields__}
    row["work"] = [[role, capacity, "", count] for (role, capacity), count in work.items() if count]
    result["cases"].append(row)
