"""What the page of a case shows: its clocks, its parties and people, its course in sentences, its procedure in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask import g
from flask_babel import gettext as _
from flask_babel import pgettext

from engine import cases, codes, journal, procedures, profiles, records
from models import (
    OPEN_STATES,
    Audience,
    Case,
    CaseLink,
    CaseParty,
    Deadline,
    JournalEntry,
    Notice,
    Organisation,
    Packet,
    PacketReader,
    Person,
    Record,
    WorkItem,
    WorkItemState,
)
from web import words
from web.jinja import moment, strip_clock
from web.language import either, inside, joined

if TYPE_CHECKING:
    from engine.procedures import Deployed
    from engine.workflow.reading import Element, Specification

SEALED = (Audience.AUTHOR, Audience.COMMITTEE)


@dataclass(frozen=True)
class StripEntry:
    """One clock of the strip, with the rule it follows."""

    key: str
    name: str
    rule: str
    source: str
    limit: str
    shown: dict[str, Any]
    due: str
    start: str
    before: str


def strip(case: Case, clocks: list[Deadline], deployed: Deployed) -> list[StripEntry]:
    """Return at most five clocks in the order of the procedure: those over several steps first, then the open ones."""
    values = profiles.values(g.session, case.profile_version_id)
    wanted = list(deployed.manifest.get("clocks", []))
    by_key: dict[str, Deadline] = {}
    kept_too: dict[str, list[Deadline]] = {}
    for deadline in clocks:
        kept_too.setdefault(deadline.key, []).append(deadline)
        kept = by_key.get(deadline.key)
        if (
            kept is None
            or (kept.met_at is not None and deadline.met_at is None)
            or ((kept.met_at is None) == (deadline.met_at is None) and _latest(deadline) > _latest(kept))
        ):
            by_key[deadline.key] = deadline
    steps = dict(g.session.execute(sa.select(WorkItem.id, WorkItem.element).where(WorkItem.case_id == case.id)).all())

    def same_step(one: Deadline, other: Deadline) -> bool:
        return steps.get(one.task_id) == steps.get(other.task_id)

    order = [key for key in wanted if key in by_key]
    order += [key for key, deadline in sorted(by_key.items(), key=lambda pair: pair[1].due_at) if key not in order and deadline.met_at is None]
    entries = []
    for key in order[:5]:
        deadline, entry, limit = by_key[key], values.describe(key), values.limit(key) if key in values.content["limits"] else None
        entries.append(
            StripEntry(
                key,
                either(entry.get("name", key), entry.get("name_en")),
                either(entry.get("rule", ""), entry.get("rule_en")),
                either(entry.get("source", ""), entry.get("source_en")),
                _("限 %(amount)s", amount=words.amount(limit)) if limit else _("按方案写明的期限"),
                strip_clock(deadline),
                inside(moment(deadline.due_at)),
                inside(moment(deadline.start_at)),
                _before([other for other in kept_too[key] if other.met_at is not None and other.id != deadline.id and same_step(other, deadline)]),
            )
        )
    return entries


def _latest(deadline: Deadline) -> tuple[datetime, datetime]:
    return deadline.due_at, deadline.met_at or deadline.due_at


def _before(rounds: list[Deadline]) -> str:
    """Return what became of the same clock in earlier rounds: lateness stays to be seen when a step is done again."""
    told = []
    for deadline in sorted(rounds, key=lambda row: row.due_at)[-2:]:
        shown = strip_clock(deadline)
        told.append(f"{shown['value']}{_('，')}{shown['note']}")
    return _("此前：%(rounds)s", rounds=_("；").join(told)) if told else ""


def summary(case: Case) -> str:
    """Return one line on what happened, from the latest records."""
    known = records.known(g.session, case.id, identified=False)
    card, notice = known.get("report_card", {}), known.get("notice", {})
    parts = []
    age = card.get("age") or notice.get("age")
    if isinstance(age, int):
        parts.append(_("%(age)s 岁", age=age))
    cause = card.get("cause_a") or notice.get("diagnosis")
    if isinstance(cause, str) and cause:
        parts.append(cause)
    when = moment(case.event_at)
    parts.append(_("%(moment)s 去世", moment=inside(when)) if case.kind.value.endswith("death") else when)
    return _("%(sentence)s。", sentence=_("，").join([parts[0], *map(inside, parts[1:])]))


def parties(case: Case) -> list[tuple[str, str]]:
    """Return who has a part in a case."""
    rows = g.session.execute(
        sa.select(CaseParty.capacity, Organisation.name, Organisation.name_en)
        .join(Organisation, Organisation.id == CaseParty.organisation_id)
        .where(CaseParty.case_id == case.id)
        .order_by(CaseParty.capacity)
    )
    return [(str(words.PARTIES.get(capacity, capacity)), either(name, name_en)) for capacity, name, name_en in rows]


def people_in(case: Case) -> list[tuple[str, str]]:
    """Return who worked on a case, by role; of the committee only how many are recused."""
    rows = g.session.execute(
        sa.select(WorkItem.role, Person.name)
        .join(Person, Person.id == WorkItem.completed_by_id)
        .where(WorkItem.case_id == case.id, WorkItem.state == WorkItemState.COMPLETED, WorkItem.audience.not_in([kind.value for kind in SEALED]))
        .order_by(WorkItem.completed_at)
    ).all()
    by_role: dict[str, dict[str, None]] = {}
    for role, person in rows:
        by_role.setdefault(str(words.ROLES[role]), {})[person] = None
    found = {role: joined(names) for role, names in by_role.items()}
    recused = g.session.scalar(
        sa.select(sa.func.count())
        .select_from(PacketReader)
        .join(Packet, Packet.id == PacketReader.packet_id)
        .where(Packet.case_id == case.id, PacketReader.recused_at.is_not(None))
    )
    return [*found.items(), *([(_("回避"), _("%(count)s 位专家", count=recused))] if recused else [])]


def links(case: Case) -> list[tuple[str, str]]:
    """Return the cases that belong together with this one."""
    rows = g.session.execute(
        sa.select(CaseLink, Case).join(
            Case,
            sa.or_(
                sa.and_(CaseLink.case_id == case.id, Case.id == CaseLink.other_id), sa.and_(CaseLink.other_id == case.id, Case.id == CaseLink.case_id)
            ),
        )
    )
    return [
        (pgettext("into which case", "已并入") if link.case_id == case.id else _("并入本个案"), cases.reference(g.session, other))
        for link, other in rows
        if other.number or link.other_id == case.id
    ]


def latest(case: Case) -> list[tuple[str, str]]:
    """Return a case at a glance: how it was reported and where it stands."""
    notice = g.session.scalar(
        sa.select(Notice)
        .where(Notice.case_id == case.id)
        .order_by(Notice.notified_at)
        .limit(1)
        .options(sa.orm.joinedload(Notice.reporter), sa.orm.joinedload(Notice.organisation))
    )
    found = [(_("现在"), str(words.STATES[case.state]))]
    if notice is not None:
        unit = either(notice.organisation.name, notice.organisation.name_en) if notice.organisation else ""
        who = _("，").join(part for part in (notice.reporter.name if notice.reporter else "", unit) if part)
        found.insert(
            0, (pgettext("one", "通知"), _("%(moment)s，%(who)s", moment=moment(notice.notified_at), who=who) if who else moment(notice.notified_at))
        )
    return found


# ── its course ──


@dataclass(frozen=True)
class Sentence:
    """A line of a case's course."""

    at: Any
    text: str
    kind: str = "ok"


def course(case: Case, found: Sequence[Record], deployed: Deployed) -> list[Sentence]:
    """Return what happened in plain sentences, newest first: from the journal's acts, without readings.

    Who of the committee did what stays with the committee.
    """
    rows = g.session.execute(
        sa.select(JournalEntry, Person.name)
        .outerjoin(Person, Person.id == JournalEntry.actor_id)
        .where(JournalEntry.case_id == case.id, JournalEntry.action.not_in(journal.READINGS))
        .order_by(JournalEntry.id.desc())
        .limit(300)
    ).all()
    items = {item.id: item for item in g.session.scalars(sa.select(WorkItem).where(WorkItem.case_id == case.id))}
    records_by_item = {(record.work_item_id, record.version): record for record in found}
    values = profiles.values(g.session, case.profile_version_id)
    elements = deployed.specification.elements.values()
    names_of_messages = {element.message: either(element.name, element.name_en) for element in elements if element.message}
    sentences = []
    for entry, name in rows:
        item = items.get(entry.object_id)
        who = str(words.ROLES[item.role]) if item is not None and Audience(item.audience) in SEALED else name or _("系统")
        record = records_by_item.get((entry.object_id, entry.detail.get("version", 1)))
        result = told(deployed, record) if record is not None else names_of_messages.get(entry.detail.get("message", ""), "")
        text = words.act(entry, who, item, values, result)
        if text:
            kind = "sent" if entry.action.startswith(("deadline:", "case:hold")) or "return" in str(entry.detail.get("decision", "")) else "ok"
            sentences.append(Sentence(entry.at, text, kind))
    return sentences


def grouped(found: Sequence[Record]) -> list[list[Record]]:
    """Return the current records, those of the same form together, newest first."""
    groups: dict[str, list[Record]] = {}
    for record in found:
        if record.is_current:
            groups.setdefault(record.form, []).append(record)
    return list(groups.values())


def titles(deployed: Deployed, found: Sequence[Record]) -> dict[str, str]:
    """Return what the forms of a case are called, those too that its procedure does not have any more."""
    known = {key: either(form.title, form.title_en) for key, form in deployed.forms.items()}
    for record in found:
        if record.form not in known:
            form = procedures.form(g.session, record.procedure_version_id, record.form)
            known[record.form] = either(form.title, form.title_en)
    return known


def told(deployed: Deployed, record: Record) -> str:
    """Return the answer of a record that tells its result, in words: the one that its form names in `tells`."""
    is_own = record.procedure_version_id == deployed.version_id
    form = deployed.forms.get(record.form) if is_own else procedures.form(g.session, record.procedure_version_id, record.form)
    if form is None or not form.tells:
        return ""
    entry = next((entry for entry in form.inputs() if entry.key == form.tells), None)
    if entry is None:
        return ""
    options = codes.lists()[entry.values_key].codes if entry.values_key in codes.lists() else entry.values
    return next((either(option.zh, option.en) for option in options if option.code == record.answers.get(form.tells)), "")


@dataclass(frozen=True)
class Step:
    """A step of the procedure as the list beside the diagram shows it.

    Attributes:
        state: `ok` done, `cur` under way, `later` to come, `past` not taken by this case.
    """

    id: str
    name: str
    state: str
    who: str
    when: str
    documentation: str
    steps: tuple[Step, ...] = ()


def walk(case: Case, deployed: Deployed) -> list[Step]:
    """Return the steps of the procedure in order, those of a called part inside it: what is done by whom, what is under way."""
    items: dict[str, list[WorkItem]] = {}
    for item in g.session.scalars(
        sa.select(WorkItem).where(WorkItem.case_id == case.id, WorkItem.course == case.course).options(sa.orm.joinedload(WorkItem.completed_by))
    ):
        items.setdefault(item.element, []).append(item)
    walker = _Walker(deployed.specification, items, journal.walked(g.session, case.id, case.course), case.ended_at is not None)
    return walker.steps(deployed.specification.main, is_past=walker.is_over, seen=frozenset({deployed.specification.main}))


class _Walker:
    """Goes through the diagrams in the order in which they are drawn."""

    def __init__(self, specification: Specification, items: Mapping[str, Sequence[WorkItem]], passed: Set[str], is_over: bool) -> None:
        self.specification, self.items, self.passed, self.is_over = specification, items, passed, is_over

    def steps(self, process: str, *, is_past: bool, seen: frozenset[str]) -> list[Step]:
        found = []
        for element_id in self.specification.processes[process].outline:
            element = self.specification.elements[element_id]
            if element.kind == "userTask":
                found.append(self._task(element, is_past))
            elif element.kind == "callActivity" and element.called and element.called not in seen:
                inner = self.steps(element.called, is_past=is_past or element_id in self.passed, seen=seen | {element.called})
                found.append(self._part(element, inner, is_past))
        return found

    def _task(self, element: Element, is_past: bool) -> Step:
        rows = self.items.get(element.id, ())
        done = [item for item in rows if item.state is WorkItemState.COMPLETED]
        running = [item for item in rows if item.state in OPEN_STATES]
        state = "cur" if running else "ok" if done else "past" if is_past or rows else "later"
        who = joined(dict.fromkeys(item.completed_by.name for item in done if item.completed_by))
        if rows and Audience(rows[0].audience) in SEALED:
            who = _("%(done)s 位已办", done=len(done)) if done else ""
        if running and len(running) + len(done) > 1:
            who = _("%(all)s 位，%(done)s 位已提交", all=len(running) + len(done), done=len(done))
        when = moment(max(item.completed_at for item in done if item.completed_at)) if done and not running else ""
        return Step(element.id, either(element.name, element.name_en), state, who, when, either(element.documentation, element.documentation_en))

    def _part(self, element: Element, inner: list[Step], is_past: bool) -> Step:
        states = {step.state for step in inner}
        state = "cur" if "cur" in states else "ok" if element.id in self.passed else "past" if is_past else "cur" if "ok" in states else "later"
        when = next((step.when for step in reversed(inner) if step.when), "") if state == "ok" else ""
        return Step(
            element.id, either(element.name, element.name_en), state, "", when, either(element.documentation, element.documentation_en), tuple(inner)
        )
