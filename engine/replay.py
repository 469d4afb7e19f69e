"""Replay: what happened in past and running cases, walked again in memory, through the version they ran under and another one.

Both walks are fed with the same acts and compared with each other, so that what memory imitates imperfectly cancels out. The
walk through the old version must come out as the journal says; a case of which it does not is told and not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from engine import calendars, clock, feel, procedures, profiles, scenarios
from engine.limits import WorkingCalendar
from engine.workflow import NotWaiting, Specification, WorkflowFailed
from engine.workflow.simulating import PLAN_FORM, Clock, Opened, Surroundings, Walk, is_same, unchanged
from engine.workflow.storing import Unstorable, first_data
from models import (
    Case,
    JournalEntry,
    Message,
    Notice,
    Organisation,
    OrganisationKind,
    Record,
    VersionChange,
    WorkflowScope,
    WorkItem,
    WorkItemState,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.procedures import Deployed

MAX_INVENTED = 150
DONE, MESSAGE, BEGIN, TIMER, JOIN, MERGE, REOPEN = (
    "work-item:hand-in",
    "case:message",
    "case:begin",
    "timer:fire",
    "case:join",
    "case:merge",
    "case:reopen",
)
QUIET = ("case:hold", "case:resume")
KNOWN = frozenset({DONE, MESSAGE, BEGIN, TIMER, JOIN, MERGE, REOPEN, *QUIET})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step as it was offered in truth: to whom, and the act that finished it, if one did."""

    id: UUID
    course: int
    element: str
    person: str | None
    item: str | None
    offered_at: datetime
    done_by: str = ""
    done_at: datetime | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    record: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happened: which entry of the journal, when, and what it was about."""

    kind: str
    at: datetime
    item: UUID | None = None
    message: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    clock_start: datetime | None = None


@dataclass
class History:
    """All that is known of a case for walking it again; `problem` says why it cannot be."""

    case_id: UUID
    number: str
    kind: str
    state: str
    is_over: bool
    event_at: datetime
    clock_start: datetime
    created_at: datetime
    owner: str
    facility: str | None
    township: str | None
    version_id: UUID
    profile_version_id: UUID
    acts: list[Act] = field(default_factory=list)
    steps: dict[str, list[Recorded]] = field(default_factory=dict)
    walked: list[str] = field(default_factory=list)
    was_moved: bool = False
    problem: str = ""


class Places:
    """The institutions, read once: who has a part in a case, as `engine.organisations` tells it from the database."""

    def __init__(self, session: Session) -> None:
        rows = session.execute(sa.select(Organisation.id, Organisation.parent_id, Organisation.path, Organisation.kind, Organisation.is_active)).all()
        self._by_id = {str(row.id): row for row in rows}
        self._serving: dict[tuple[str, OrganisationKind], list[str]] = {}
        areas = {row.id: row.path for row in rows}
        for row in sorted(rows, key=lambda row: str(row.path)):
            if row.is_active and row.parent_id in areas:
                self._serving.setdefault((areas[row.parent_id], row.kind), []).append(str(row.id))
        self._known: dict[tuple[str | None, str | None, str], Mapping[str, str]] = {}

    def nearest(self, key: str, kind: OrganisationKind, above: int = 0) -> str | None:
        """Return the institution of a kind that serves the area of another one, `above` levels up."""
        row = self._by_id.get(key)
        codes = row.path.strip("/").split("/") if row is not None else []
        for count in range(len(codes), 0, -1):
            found = self._serving.get(("/" + "/".join(codes[:count]) + "/", kind))
            if found:
                if not above:
                    return found[0]
                above -= 1
        return None

    def parties(self, facility: str | None, township: str | None, owner: str) -> Mapping[str, str]:
        """Return who has a part in a case, by capacity."""
        wanted = (facility, township, owner)
        if wanted not in self._known:
            found = {
                "owner": owner,
                "facility": facility,
                "township": township,
                "reporting": facility or township,
                "administration": self.nearest(owner, OrganisationKind.HEALTH_ADMINISTRATION),
                "upper": self.nearest(owner, OrganisationKind.MCH_INSTITUTION, 1) or owner,
            }
            self._known[wanted] = {capacity: key for capacity, key in found.items() if key is not None}
        return self._known[wanted]

    def owner_for(self, key: str) -> str | None:
        """Return the institution in charge for an organisation that a case is handed to."""
        row = self._by_id.get(key)
        if row is None:
            return None
        return key if row.kind is OrganisationKind.MCH_INSTITUTION else self.nearest(key, OrganisationKind.MCH_INSTITUTION)

    def is_township(self, key: str) -> bool:
        """Tell whether a key is that of a township's health centre."""
        row = self._by_id.get(key)
        return row is not None and row.kind is OrganisationKind.TOWNSHIP_HEALTH_CENTRE


# ── what happened ──


def histories(session: Session, case_ids: Sequence[UUID], deployed_of: Callable[[UUID], Deployed], tried: Deployed) -> list[History]:
    """Return what happened in some cases, in their order: a query per table, whatever their number.

    Only the forms that some step's outputs read, in one of the versions, are read here at all.
    """
    cases = {
        row.id: row
        for row in session.execute(
            sa.select(
                Case.id,
                Case.number,
                Case.kind,
                Case.state,
                Case.ended_at,
                Case.event_at,
                Case.clock_start_at,
                Case.created_at,
                Case.owner_id,
                Case.facility_id,
                Case.township_id,
                Case.procedure_version_id,
                Case.profile_version_id,
            ).where(Case.id.in_(case_ids))
        )
    }
    entries: dict[UUID, list[Any]] = {}
    taken: dict[UUID, UUID] = {}
    for entry in session.execute(
        sa.select(JournalEntry.case_id, JournalEntry.at, JournalEntry.action, JournalEntry.object_id, JournalEntry.sequence, JournalEntry.detail)
        .where(JournalEntry.case_id.in_(case_ids), sa.or_(JournalEntry.sequence.is_not(None), JournalEntry.action == "notice:take"))
        .order_by(JournalEntry.case_id, JournalEntry.sequence, JournalEntry.id)
    ):
        if entry.sequence is None:
            taken.setdefault(entry.case_id, entry.object_id)
        else:
            entries.setdefault(entry.case_id, []).append(entry)
    starts = {
        row.id: row for row in session.execute(sa.select(Notice.id, Notice.number, Notice.clock_start_at).where(Notice.id.in_(list(taken.values()))))
    }
    items: dict[UUID, list[Any]] = {}
    for row in session.execute(
        sa.select(
            WorkItem.id,
            WorkItem.case_id,
            WorkItem.course,
            WorkItem.element,
            WorkItem.organisation_id,
            WorkItem.is_assigned,
            WorkItem.person_id,
            WorkItem.rectification_item_id,
            WorkItem.state,
            WorkItem.offered_at,
            WorkItem.completed_at,
            WorkItem.completed_by_id,
        )
        .where(WorkItem.case_id.in_(case_ids))
        .order_by(WorkItem.offered_at, WorkItem.id)
    ):
        items.setdefault(row.case_id, []).append(row)
    read = {form for version in [tried, *(deployed_of(row.procedure_version_id) for row in cases.values())] for form in _read_forms(version)}
    said = {
        row.work_item_id: row
        for row in session.execute(
            sa.select(Record.work_item_id, Record.id, Record.form, Record.answers).where(
                Record.case_id.in_(case_ids), Record.work_item_id.is_not(None), Record.form.in_(read)
            )
        )
    }
    roots: dict[tuple[UUID, int], bytes] = {
        (case_id, course): state
        for case_id, course, state in session.execute(
            sa.select(WorkflowScope.case_id, WorkflowScope.course, WorkflowScope.state).where(
                WorkflowScope.case_id.in_(case_ids), WorkflowScope.scope == ""
            )
        )
    }
    openings = [f"told:{case_id}:1:case_opened" for case_id in case_ids]
    first_told = (
        sa.select(Message.case_id, sa.func.min(Message.written_at))
        .where(Message.case_id.in_(case_ids), Message.kind == "told", Message.once.in_(openings))
        .group_by(Message.case_id)
    )
    told = dict(session.execute(first_told).all())
    moved = set(session.scalars(sa.select(VersionChange.case_id).where(VersionChange.case_id.in_(case_ids), VersionChange.undone_at.is_(None))))
    found = []
    for case_id in case_ids:
        case = cases.get(case_id)
        if case is None:
            continue
        start = starts.get(taken.get(case_id, case_id))
        history = History(
            case_id=case_id,
            number=case.number or (start.number if start is not None else "—"),
            kind=case.kind.value,
            state=case.state.value,
            is_over=case.ended_at is not None,
            event_at=case.event_at,
            clock_start=start.clock_start_at if start is not None else case.clock_start_at,
            created_at=case.created_at,
            owner=str(case.owner_id),
            facility=str(case.facility_id) if case.facility_id else None,
            township=str(case.township_id) if case.township_id else None,
            version_id=case.procedure_version_id,
            profile_version_id=case.profile_version_id,
            was_moved=case_id in moved,
        )
        try:
            deployed = deployed_of(case.procedure_version_id)
            _acts(history, entries.get(case_id, ()), roots)
            _steps(history, items.get(case_id, ()), said, deployed)
            _beginnings(history, items.get(case_id, ()), said, deployed, told.get(case_id))
        except Unstorable:
            history.problem = "no_beginning"
        found.append(history)
    return found


def _read_forms(deployed: Deployed) -> frozenset[str]:
    """Return the forms whose answers decide where a case goes: read by outputs, by a service, or for the township."""
    known = _forms_read.get(deployed.specification.spec)
    if known is None:
        elements = deployed.specification.elements.values()
        known = frozenset({element.plan.form for element in elements if element.plan is not None and element.outputs} | {PLAN_FORM})
        known |= {key for key, form in deployed.forms.items() if form.township}
        _forms_read[deployed.specification.spec] = known
    return known


_forms_read: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


def _acts(history: History, entries: Iterable[Any], roots: Mapping[tuple[UUID, int], bytes]) -> None:
    course = 0
    for entry in entries:
        detail = entry.detail
        history.walked += detail.get("walked", ())
        if entry.action not in KNOWN:
            history.problem = history.problem or f"act {entry.action}"
            continue
        if entry.action in QUIET:
            continue
        variables: Mapping[str, Any] = {}
        if entry.action == BEGIN:
            course += 1
            blob = roots.get((history.case_id, course))
            if blob is None:
                history.problem = history.problem or "no_beginning"
                continue
            variables = first_data(blob)
        start = detail.get("clock_start")
        history.acts.append(
            Act(
                entry.action,
                entry.at,
                entry.object_id if entry.action == DONE else None,
                str(detail.get("message", "")),
                variables,
                datetime.fromisoformat(start) if start else None,
            )
        )
    if course == 0:
        history.problem = history.problem or "no_beginning"


def _steps(history: History, items: Iterable[Any], said: Mapping[UUID, Any], deployed: Deployed) -> None:
    for row in items:
        is_done = row.state is WorkItemState.COMPLETED
        record = said.get(row.id) if is_done else None
        element = deployed.specification.elements.get(row.element)
        if is_done and record is None and element is not None and element.outputs and not history.problem:
            history.problem = "no_record"
        history.steps.setdefault(row.element, []).append(
            Recorded(
                id=row.id,
                course=row.course,
                element=row.element,
                person=str(row.person_id) if row.is_assigned and row.person_id else None,
                item=str(row.rectification_item_id) if row.rectification_item_id else None,
                offered_at=row.offered_at,
                done_by=str(row.completed_by_id or ""),
                done_at=row.completed_at if is_done else None,
                answers=record.answers if record is not None else {},
                record=str(record.id) if record is not None else "",
            )
        )


def _beginnings(history: History, items: Sequence[Any], said: Mapping[UUID, Any], deployed: Deployed, told: datetime | None) -> None:
    """Find what the case did not know yet when it began: a township told by a later form, an institution it was handed away from.

    Args:
        told: When somebody was first told that the case is opened.
    """
    elements = deployed.specification.elements
    for row in items:
        element = elements.get(row.element)
        if element is not None and element.plan is not None and (element.plan.organisation or "owner") == "owner":
            history.owner = str(row.organisation_id)
            break
    if history.township is None:
        return
    settled = [
        row.completed_at
        for row in items
        if (record := said.get(row.id)) is not None
        and (key := deployed.forms[record.form].township if record.form in deployed.forms else "")
        and record.answers.get(key) == history.township
    ]
    if not settled:
        return
    # Who is told of the case when it is opened is told then where the township was known, else when it became known.
    if told is not None and any(abs((told - moment).total_seconds()) < 2 for moment in settled):
        history.township = None


def by_number(session: Session, number: str) -> UUID | None:
    """Return the case that `History.number` names: by its own number, or before it has one by its notice's."""
    own = session.scalar(sa.select(Case.id).where(Case.number == number))
    return own or session.scalar(
        sa.select(JournalEntry.case_id)
        .join(Notice, Notice.id == JournalEntry.object_id)
        .where(Notice.number == number, JournalEntry.action == "notice:take")
        .limit(1)
    )


# ── walking again ──


@dataclass
class Followed:
    """A walk that followed a history: the steps done without an answer, what could not be done, and where it failed."""

    walk: Walk
    invented: Counter[str] = field(default_factory=Counter)
    unsent: list[str] = field(default_factory=list)
    used: set[UUID] = field(default_factory=set)
    failed: str = ""
    failed_at: str | None = None


def follow(deployed: Deployed, history: History, surroundings: Surroundings, until: datetime) -> Followed:
    """Walk a history through a version: every act at its instant, timers at theirs.

    A step is finished as it was in truth: at that instant, or at once where that has passed. One that was left open in
    truth stays open. One that was never offered is done at once, without answers.
    """
    walk = Walk(
        deployed.specification,
        surroundings,
        kind=history.kind,
        event_at=history.event_at,
        clock_start=history.clock_start,
        owner=history.owner,
        facility=history.facility,
        township=history.township,
    )
    followed = Followed(walk)
    try:
        _follow(followed, history, until)
    except WorkflowFailed as error:
        followed.failed, followed.failed_at = _why(error), error.element
    walk.dispose()
    return followed


def _why(error: WorkflowFailed) -> str:
    """Return why a walk could not go on, without values: what the library says of an error may quote what somebody answered."""
    cause: BaseException | None = error.__cause__
    if cause is None:
        return error.reason
    while not isinstance(cause, feel.FeelError) and cause.__cause__ is not None:
        cause = cause.__cause__
    return cause.message if isinstance(cause, feel.FeelError) else type(cause).__name__


class _Follower:
    """Matches the steps a walk offers with those that were offered in truth."""

    def __init__(self, followed: Followed, history: History) -> None:
        self.followed, self.walk, self.history = followed, followed.walk, history
        self.match: dict[UUID, Recorded | None] = {}
        self.waiting: dict[UUID, Opened] = {}
        self.past: set[UUID] = set()

    def settle(self, at: datetime) -> None:
        """Do at once what was done in truth before this instant, and what was never offered."""
        walk, steps = self.walk, True
        while steps:
            steps = False
            for opened in list(walk.items.values()):
                if opened.task_id not in self.match:
                    self._note(opened)
                recorded = self.match[opened.task_id]
                if recorded is None:
                    self.followed.invented[opened.element] += 1
                    if sum(self.followed.invented.values()) > MAX_INVENTED:
                        raise WorkflowFailed("the new steps come up again and again", opened.element)
                    opened.is_invented = True
                    walk.complete(opened, None, opened.person or "", at)
                elif recorded.id in self.past:
                    self.finish(opened, recorded, at)
                else:
                    continue
                steps = True
                break

    def finish(self, opened: Opened, recorded: Recorded, at: datetime) -> None:
        """Finish a step with what was handed in in truth."""
        self.walk.complete(opened, recorded.answers, recorded.done_by, at, record=recorded.record)

    def _note(self, opened: Opened) -> None:
        """Find the step that was offered in truth in the place of this one."""
        rows = self.history.steps.get(opened.element, [])
        free = [row for row in rows if row.id not in self.followed.used and row.course == self.walk.course and row.item == opened.item]
        exact = [row for row in free if row.person == opened.person]
        # Given to somebody else than in truth it is the same step, unless several people had one of their own.
        if not exact and len({row.person for row in rows if row.course == self.walk.course}) > 1:
            free = []
        found = next(iter(exact or free), None)
        self.match[opened.task_id] = found
        if found is not None:
            self.followed.used.add(found.id)
            self.waiting[found.id] = opened

    def advance(self, to: datetime) -> None:
        """Let the timers fire that are due until an instant, each followed by what it brings."""
        walk = self.walk
        for _ in range(500):
            due = walk.next_timer
            if walk.is_over or due is None or due > to:
                return
            walk.fire(max(due, walk.now))
            self.settle(walk.now)
        raise WorkflowFailed("the timers come up again and again")


def _follow(followed: Followed, history: History, until: datetime) -> None:
    walk, follower = followed.walk, _Follower(followed, history)
    for act in history.acts:
        follower.advance(act.at)
        at = max(act.at, walk.now)
        if act.kind == BEGIN:
            walk.start(act.variables, at)
        elif act.kind == DONE and act.item is not None:
            follower.past.add(act.item)
            opened = follower.waiting.get(act.item)
            recorded = follower.match.get(opened.task_id) if opened is not None else None
            if opened is not None and recorded is not None and opened.is_open:
                follower.finish(opened, recorded, at)
        elif act.kind == MESSAGE:
            try:
                walk.send(act.message, at)
            except NotWaiting:
                followed.unsent.append(act.message)
        elif act.kind == JOIN and act.clock_start is not None:
            walk.move_clock(act.clock_start, at)
        elif act.kind == MERGE:
            walk.end("merged", at)
        elif act.kind == REOPEN:
            walk.reopen(at)
        follower.settle(at)
    follower.advance(until)


# ── comparing ──


@dataclass
class Difference:
    """What of a case would be otherwise; everything in ids, counts and minutes, nothing of what was answered.

    Attributes:
        outcome: `same`, `other` (another way), `aside` (the same way, other clocks or other hands), `stuck` (the new version
            cannot go on), `incomparable`.
        after: The last element that both walks passed before they part.
        old_next, new_next: What each of them passed next.
        clocks: Each with its key, its step, minutes from the case's beginning to its end in the old and the new walk (None:
            it does not run there), and whether it was or would be late.
        work: By role and capacity, how many steps more or fewer.
        open_old, open_new: The steps that are open in the end.
    """

    number: str
    outcome: str
    is_over: bool
    reason: str = ""
    at: str | None = None
    after: str | None = None
    old_next: str | None = None
    new_next: str | None = None
    added: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    is_reordered: bool = False
    unanswered: dict[str, int] = field(default_factory=dict)
    clocks: list[dict[str, Any]] = field(default_factory=list)
    work: list[tuple[str, str, str, int]] = field(default_factory=list)
    open_old: dict[str, int] = field(default_factory=dict)
    open_new: dict[str, int] = field(default_factory=dict)
    state_old: str = ""
    state_new: str = ""

    def signature(self) -> str:
        """Return what cases that differ in the same way have in common."""
        clocks = sorted({f"{row['key']}@{row['element'] or ''}:{row['new_key'] or ''}:{direction(row)}" for row in self.clocks})
        work = sorted(f"{role}@{capacity}:{'+' if count > 0 else '-'}" for role, capacity, _, count in self.work)
        parts = [self.outcome, self.reason, self.at, self.after, sorted(self.added), sorted(self.left_out), self.is_reordered, clocks, work]
        return repr(parts)


def direction(row: Mapping[str, Any]) -> str:
    """Return what became of a clock: `new`, `gone`, `later`, `earlier` or `renamed` (another limit that ends at the same instant)."""
    if row["old"] is None or row["new"] is None:
        return "new" if row["old"] is None else "gone"
    return "later" if row["new"] > row["old"] else "earlier" if row["new"] < row["old"] else "renamed"


def compare(history: History, old: Followed, new: Followed, was: Specification, would: Specification, until: datetime) -> Difference:
    """Compare the two walks of a case, one through each specification."""
    if problem := _unlike_the_journal(history, old):
        return Difference(history.number, "incomparable", history.is_over, problem)
    ways = _way(old.walk, was), _way(new.walk, would)
    added, left_out = Counter(ways[1]) - Counter(ways[0]), Counter(ways[0]) - Counter(ways[1])
    parts = ways[0] != ways[1]
    found = Difference(
        number=history.number,
        outcome="same",
        is_over=history.is_over,
        added=dict(added),
        left_out=dict(left_out),
        is_reordered=parts and not added and not left_out,
        unanswered=dict(new.invented),
        clocks=_clocks(history, old.walk, new.walk, until),
        work=_work(old.walk, new.walk),
        open_old=dict(Counter(item.element for item in old.walk.items.values())),
        open_new=dict(Counter(item.element for item in new.walk.items.values())),
        state_old=str(old.walk.facts["state"]),
        state_new=str(new.walk.facts["state"]),
    )
    if new.failed:
        found.outcome, found.reason, found.at = "stuck", new.failed[:200], new.failed_at
    elif parts or found.open_old != found.open_new or found.state_old != found.state_new:
        found.outcome = "other"
    elif found.clocks or found.work:
        found.outcome = "aside"
    if found.outcome in ("other", "stuck"):
        found.after, found.old_next, found.new_next = _parting(old.walk, new.walk, was, would)
    return found


def _parting(old: Walk, new: Walk, was: Specification, would: Specification) -> tuple[str | None, str | None, str | None]:
    """Return the element after which the walks part, and what each passes or offers next.

    Branches run beside each other, so that what is passed just before is not always what leads there: the flows tell.
    """
    passed = [[step.element for step in walk.walked] + [item.element for item in walk.items.values()] for walk in (old, new)]
    more_new, more_old = _first_more(passed[1], passed[0]), _first_more(passed[0], passed[1])
    place, way, ahead = (more_new, passed[1], flows(would)) if more_new is not None else (more_old, passed[0], flows(was))
    if place is None:
        place = next((place for place, (left, right) in enumerate(zip(*passed, strict=False)) if left != right), min(map(len, passed)))
        old_next, new_next = (row[place] if place < len(row) else None for row in passed)
        return passed[0][place - 1] if place else None, old_next, new_next
    both = set(passed[0]) & set(passed[1])
    leads = [element for element in way[:place] if element in both and way[place] in ahead.get(element, ())]
    if not leads:
        return None, None if more_old is None else passed[0][more_old], None if more_new is None else passed[1][more_new]
    after, time = leads[-1], way[:place].count(leads[-1])
    return after, _next_of(after, time, passed[0], was), _next_of(after, time, passed[1], would)


def _first_more(way: Sequence[str], other: Sequence[str]) -> int | None:
    """Return the place at which a walk first passes an element more often than the other walk ever does."""
    left = Counter(other)
    for place, element in enumerate(way):
        left[element] -= 1
        if left[element] < 0:
            return place
    return None


def _next_of(after: str, time: int, passed: Sequence[str], specification: Specification) -> str | None:
    """Return what a walk passed or offered next on the way from an element it passed so many times, gateways left behind."""
    places = [place for place, element in enumerate(passed) if element == after]
    came = passed[places[min(time, len(places)) - 1] + 1 :] if places else []
    ahead, todo, seen = flows(specification), [after], {after}
    while todo:
        here = todo.pop(0)
        leads = sorted({element for element in ahead.get(here, ()) if element in came and element not in seen}, key=came.index)[:1]
        seen.update(leads)
        found = next((element for element in leads if not specification.elements[element].kind.endswith("Gateway")), None)
        if found is not None:
            return found
        todo += leads
    return None


_flows: WeakKeyDictionary[Any, Mapping[str, Sequence[str]]] = WeakKeyDictionary()


def flows(specification: Specification) -> Mapping[str, Sequence[str]]:
    """Return for each element those that its flows lead to, boundary events with the task they sit at."""
    known = _flows.get(specification.spec)
    if known is not None:
        return known
    found: dict[str, list[str]] = {}
    for scope in [specification.spec, *specification.parts.values()]:
        for task in scope.task_specs.values():
            own = getattr(task, "bpmn_id", None) or ""
            if own not in specification.elements:
                continue
            todo, seen = list(task._outputs), set()
            while todo:
                name = todo.pop()
                if name in seen or name not in scope.task_specs:
                    continue
                seen.add(name)
                target = getattr(scope.task_specs[name], "bpmn_id", None) or ""
                if target in specification.elements and target != own and not name.endswith(("Split", "Join")):
                    found.setdefault(own, []).append(target)
                else:
                    todo += scope.task_specs[name]._outputs
    _flows[specification.spec] = found
    return found


def _unlike_the_journal(history: History, old: Followed) -> str:
    """Return why the walk through the old version is not what happened; empty if it is."""
    if history.problem:
        return history.problem
    passed = [step.element for step in old.walk.walked]
    if old.failed or Counter(passed) != Counter(history.walked) or str(old.walk.facts["state"]) != history.state:
        return "moved" if history.was_moved else "failed" if old.failed else "unlike"
    return ""


def _way(walk: Walk, specification: Specification) -> list[str]:
    """Return the elements of a walk that people speak of: gateways only lead to them."""
    return [step.element for step in walk.walked if not specification.elements[step.element].kind.endswith("Gateway")]


def _clocks(history: History, old: Walk, new: Walk, until: datetime) -> list[dict[str, Any]]:
    def by_step(walk: Walk) -> dict[tuple[str, bool, int], Clock]:
        seen: Counter[tuple[str, bool]] = Counter()
        found: dict[tuple[str, bool, int], Clock] = {}
        for one in walk.clocks:
            place = (one.element or one.key, one.element is not None)
            found[(*place, seen[place])] = one
            seen[place] += 1
        return found

    was, would = by_step(old), by_step(new)
    rows = []
    for place in [*was, *(place for place in would if place not in was)]:
        before, after = was.get(place), would.get(place)
        if before is not None and after is not None and before.due_at == after.due_at and before.key == after.key:
            continue
        one = before or after
        assert one is not None
        rows.append(
            {
                "key": one.key,
                "new_key": after.key if before is not None and after is not None and before.key != after.key else None,
                "element": one.element,
                "old": _minutes(history.created_at, before.due_at) if before else None,
                "new": _minutes(history.created_at, after.due_at) if after else None,
                "old_late": bool(before and before.is_late(until)),
                "new_late": bool(after and after.is_late(until)),
            }
        )
    return rows


def _minutes(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds() / 60)


def _work(old: Walk, new: Walk) -> list[tuple[str, str, str, int]]:
    def count(walk: Walk) -> Counter[tuple[str, str, str]]:
        return Counter((item.role, item.capacity, _unit(item.organisation)) for item in walk.history if item.exited_at is None)

    was, would = count(old), count(new)
    return [(*key, would[key] - was[key]) for key in sorted({*was, *would}) if would[key] != was[key]]


def _unit(key: str) -> str:
    """Return the key of an institution; nothing for what is none, for a diagram can put any answer in its place."""
    try:
        return str(UUID(str(key)))
    except ValueError:
        return ""


class Replayer:
    """Walks cases through one set of files: what it needs of the database is read in a session, the walking needs none."""

    def __init__(self, tried: Deployed) -> None:
        self.tried = tried
        self._versions: dict[UUID, Deployed] = {}
        self._unchanged: dict[UUID, frozenset[str] | None] = {}
        self._values: dict[UUID, profiles.Values] = {}
        self._calendars: dict[str, WorkingCalendar] = {}
        self._places: Places | None = None
        self._surround: dict[tuple[bool, UUID, UUID], Surroundings] = {}

    def read(self, session: Session, case_ids: Sequence[UUID]) -> list[History]:
        """Read what happened in some cases."""

        def deployed_of(version_id: UUID) -> Deployed:
            if version_id not in self._versions:
                self._versions[version_id] = procedures.deployed(session, version_id)
            return self._versions[version_id]

        if self._places is None:
            self._places = Places(session)
        found = histories(session, case_ids, deployed_of, self.tried)
        for history in found:
            if history.profile_version_id not in self._values:
                values = self._values[history.profile_version_id] = profiles.values(session, history.profile_version_id)
                closes = str(values.values.get("office_closes", "18:00"))
                self._calendars[closes] = calendars.current(session, closes)
        return found

    def walks(self, history: History, until: datetime | None = None) -> tuple[Followed, Followed]:
        """Walk a case through the version it ran under and through the tried one; once, where both walks are bound to be the same."""
        ran, now = self._versions[history.version_id], until or clock.now()
        old = follow(ran, history, self._surroundings(ran, history.profile_version_id), now)
        if not old.failed and is_same(old.walk, self.tried.specification, self._same_parts(history.version_id)):
            return old, old
        return old, follow(self.tried, history, self._surroundings(self.tried, history.profile_version_id), now)

    def _surroundings(self, deployed: Deployed, profile_version_id: UUID) -> Surroundings:
        """Return what walks through some files under a profile ask of the world."""
        key = deployed is self.tried, deployed.version_id, profile_version_id
        if key not in self._surround:
            places, values = self._places, self._values[profile_version_id]
            assert places is not None
            calendar = self._calendars[str(values.values.get("office_closes", "18:00"))]
            self._surround[key] = scenarios.surroundings(
                deployed, values, calendar, parties=places.parties, owner_for=places.owner_for, is_township=places.is_township
            )
        return self._surround[key]

    def _same_parts(self, version_id: UUID) -> frozenset[str] | None:
        """Return the parts that a version and the tried one have in common; None if they read the township from other answers."""
        if version_id not in self._unchanged:
            ran = self._versions[version_id]
            told = scenarios.townships(ran) == scenarios.townships(self.tried)
            self._unchanged[version_id] = unchanged(ran.specification, self.tried.specification) if told else None
        return self._unchanged[version_id]

    def compare(self, history: History, until: datetime | None = None) -> Difference:
        """Tell what of a case would be otherwise."""
        now = until or clock.now()
        if history.problem:
            return Difference(history.number, "incomparable", history.is_over, history.problem)
        old, new = self.walks(history, now)
        return compare(history, old, new, self._versions[history.version_id].specification, self.tried.specification, now)
