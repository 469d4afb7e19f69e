"""Packets: the redacted copy that reviewers read: made from the records by identity class, checked, released, withdrawn."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from engine import clock, codes, feel, forms, identifiers, journal, messages, numbers, permissions, records, subjects
from engine.codes import Code
from engine.errors import N_, NotFound, Recused, StepFailed
from engine.forms import Field, Finding, Form
from engine.identifiers import Terms
from engine.permissions import Permission
from engine.services import service
from models import (
    Appointment,
    Audience,
    Case,
    CaseParty,
    Organisation,
    Packet,
    PacketReader,
    Person,
    Record,
    Role,
    WorkItem,
    WorkItemState,
    new_id,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.procedures import Deployed
    from engine.projection import Command

REDACTION, SITTING, RESITTING, OPINION = "redaction", "sitting", "resitting", "opinion"
SHOWN_FORMS = (
    "report_card",
    "case_report",
    "facility_discussion",
    "facility_annex",
    "community_annex",
    "onsite_record",
    "investigation_report",
    "supplement",
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


# ── reading ──


def readable(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on `packets` under which an actor may open one.

    Until it is withdrawn, a member to whom it was released, who has declared and is not recused, and the secretary of the
    office; at any time, whoever has a step of the case on the committee's data before them, the upper level's reviewer too.
    """
    reader = sa.exists().where(
        PacketReader.packet_id == Packet.id,
        PacketReader.person_id == actor.person_id,
        PacketReader.declared_at.is_not(None),
        PacketReader.recused_at.is_(None),
    )
    recused = sa.exists().where(PacketReader.packet_id == Packet.id, PacketReader.person_id == actor.person_id, PacketReader.recused_at.is_not(None))
    offices = actor.organisations(Role.SECRETARY)
    secretary = sa.exists().where(Case.id == Packet.case_id, Case.owner_id.in_(offices)) if offices else sa.false()
    step = sa.exists().where(
        WorkItem.case_id == Packet.case_id,
        WorkItem.course == Packet.course,
        WorkItem.audience == Audience.COMMITTEE.value,
        WorkItem.form.in_(("upper_review", "conclusion", "minutes")),
        permissions.may_hand_in(actor),
    )
    return sa.and_(Packet.released_at.is_not(None), ~recused, sa.or_(sa.and_(Packet.withdrawn_at.is_(None), sa.or_(reader, secretary)), step))


def read(session: Session, actor: Actor, number: str, *, to_write: bool = False) -> Packet:
    """Open a packet; journalled.

    Raises:
        NotFound: not there, not released, withdrawn, or the actor has not declared.
        Recused: the packet was taken from the actor.
    """
    if to_write:  # the journal entry refers to the case: see `work_items.show`
        case_id = session.scalar(sa.select(Packet.case_id).where(Packet.number == number, readable(actor)))
        session.execute(sa.select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))
    packet = session.scalar(sa.select(Packet).where(Packet.number == number, readable(actor)))
    if packet is None or not permissions.allows(actor, Permission.PACKET_READ):
        recused = sa.select(PacketReader.person_id).join(Packet, Packet.id == PacketReader.packet_id)
        if session.scalar(
            recused.where(Packet.number == number, PacketReader.person_id == actor.person_id, PacketReader.recused_at.is_not(None)).limit(1)
        ):
            raise Recused
        raise NotFound
    journal.record(session, actor, "packet:read", case_id=packet.case_id, object_id=packet.id, number=packet.number)
    return packet


def numbers_for(session: Session, actor: Actor, case_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return by which number an actor knows cases.

    Those who see a case, and the health administration over it, by the case's own; a committee's reader by the packet's.
    """
    wanted = list(dict.fromkeys(case_ids))
    if not wanted:
        return {}
    offices = actor.organisations(Role.SECRETARY)
    reader = sa.exists().where(PacketReader.packet_id == Packet.id, PacketReader.person_id == actor.person_id)
    known = session.execute(
        sa.select(Packet.case_id, Packet.number)
        .join(Case, Case.id == Packet.case_id)
        .where(Packet.case_id.in_(wanted), sa.or_(reader, Case.owner_id.in_(offices)))
        .order_by(Packet.released_at)
    ).all()
    over = sa.exists().where(CaseParty.case_id == Case.id, CaseParty.organisation_id.in_(actor.organisations(Role.HEALTH_ADMINISTRATION)))
    seen = session.execute(
        sa.select(Case.id, Case.number).where(Case.id.in_(wanted), Case.number.is_not(None), permissions.visible(actor) | over)
    ).all()
    return {case_id: number for case_id, number in [*known, *seen] if number}


def mine(session: Session, actor: Actor) -> list[Packet]:
    """Return the packets an actor may open, newest first."""
    return list(session.scalars(sa.select(Packet).where(readable(actor)).order_by(Packet.released_at.desc(), Packet.id)))


def missing_opinions(session: Session, actor: Actor, packets: Iterable[Packet]) -> dict[UUID, list[str]]:
    """Return whose opinions are still missing, by packet; for the chair, the deputy and the secretary, who wait for them."""
    if not actor.roles & {Role.COMMITTEE_CHAIR, Role.COMMITTEE_DEPUTY, Role.SECRETARY}:
        return {}
    by_case = {(packet.case_id, packet.course): packet.id for packet in packets if packet.withdrawn_at is None}
    rows = session.execute(
        sa.select(WorkItem.case_id, WorkItem.course, Person.name)
        .join(Person, Person.id == WorkItem.person_id)
        .where(
            WorkItem.form == OPINION,
            WorkItem.state.in_((WorkItemState.READY, WorkItemState.RESERVED)),
            WorkItem.case_id.in_({case_id for case_id, _ in by_case}),
        )
        .order_by(Person.name)
    )
    found: dict[UUID, list[str]] = {}
    for case_id, course, name in rows:
        if (case_id, course) in by_case:
            found.setdefault(by_case[case_id, course], []).append(name)
    return found


def opinions(session: Session, actor: Actor, packet: Packet) -> list[tuple[Record, str]]:
    """Return the opinions on a packet that an actor may read: their own, and all once the chair has opened the discussion."""
    rows = session.execute(
        sa.select(Record, Person.name)
        .join(Person, Person.id == Record.submitted_by_id)
        .where(
            Record.case_id == packet.case_id,
            Record.course == packet.course,
            Record.form == OPINION,
            Record.is_current,
            sa.or_(Record.submitted_by_id == actor.person_id, Record.revealed_at.is_not(None)),
        )
        .order_by(Record.submitted_at)
    )
    return [(record, name) for record, name in rows]


def committee_records(session: Session, packet: Packet) -> list[Record]:
    """Return the committee's records of a packet's course: sitting, minutes, conclusion, signatures."""
    return list(
        session.scalars(
            sa.select(Record)
            .where(
                Record.case_id == packet.case_id,
                Record.course == packet.course,
                Record.audience == Audience.COMMITTEE,
                Record.is_current,
                Record.form.in_(("sitting", "minutes", "conclusion", "upper_review", "collective_review")),
            )
            .order_by(Record.submitted_at)
        )
    )


def of_case(session: Session, case_id: UUID, course: int) -> Packet | None:
    """Return the packet of a case's course that is not withdrawn, or the last one."""
    return session.scalar(
        sa.select(Packet)
        .where(Packet.case_id == case_id, Packet.course == course)
        .order_by(Packet.withdrawn_at.is_not(None), Packet.redacted_at.desc())
        .limit(1)
    )


# ── what must not be in it ──


def terms(session: Session, case: Case, deployed: Deployed) -> Terms:
    """Return what identifies somebody in a case, with the forms of address a narrative may use."""
    subject: set[str] = set()
    for text in subjects.identifiers(session, case.id):
        subject.add(text)
        subject |= identifiers.parts_of(text)
    parties = session.scalars(
        sa.select(Organisation).join(CaseParty, CaseParty.organisation_id == Organisation.id).where(CaseParty.case_id == case.id)
    ).all()
    places = {name for organisation in parties for name in (organisation.name, organisation.short_name) if name}
    people = set(
        session.scalars(
            sa.select(Person.name).join(Appointment).where(Appointment.organisation_id.in_([organisation.id for organisation in parties]))
        )
    )
    found = session.scalars(sa.select(Record).where(Record.case_id == case.id)).all()
    said = [pair for record in found for form in _forms_of(session, record, deployed) for pair in _values_of(form.fields, record.answers, "P")]
    names = _organisation_names(session, [value for _, value in said])
    for entry, value in said:
        named = _spoken(names, value)
        if not named or not 1 < len(named) <= 40 or named == forms.UNKNOWN or named.startswith("L-"):
            continue
        (places if any(mark in named for mark in _MARKS_OF_PLACES) else people).add(named)
        if entry.key.endswith(("_name", "name")):
            people |= identifiers.parts_of(named)
    places = {part for name in places for part in identifiers.places_of(name)}
    return Terms(frozenset(subject), frozenset(term for term in people if len(term) > 1), frozenset(term for term in places if len(term) > 1))


def _forms_of(session: Session, record: Record, deployed: Deployed) -> list[Form]:
    """Return the form as the case has it now, and the one by which the record was filled in where that is another: what either hides is hidden."""
    from engine import procedures

    now = deployed.forms.get(record.form)
    then = None if record.procedure_version_id == deployed.version_id else procedures.form(session, record.procedure_version_id, record.form)
    return [form for form in (now, then) if form is not None]


_MARKS_OF_PLACES = ("院", "站", "中心", "诊所", "卫生室", "科")


def _organisation_names(session: Session, values: Iterable[Any]) -> dict[str, str]:
    """Return the names of the institutions among answers, in one query."""
    keys: set[UUID] = set()
    for value in values:
        with contextlib.suppress(ValueError):
            keys.add(UUID(value if isinstance(value, str) else ""))
    if not keys:
        return {}
    return {str(key): name for key, name in session.execute(sa.select(Organisation.id, Organisation.name).where(Organisation.id.in_(keys)))}


def _spoken(names: Mapping[str, str], value: Any) -> str | None:
    """Return an answer of class P as it would be spoken: the name of an institution, or what was typed."""
    if not isinstance(value, str):
        return None
    return names.get(value) or (None if _UUID.fullmatch(value) else value.strip())


def check_answers(session: Session, case: Case, form: Form, answers: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what identifies somebody in a form that must not: anybody in the redaction, the subject in what leaves the office."""
    if "no_subject" in form.checks:
        known = subjects.identifiers(session, case.id)
        whole = frozenset(text for text in known if len(text) > 2)  # two characters may be a word of the language
        wanted = Terms(whole, frozenset(), frozenset())
        for path, text in _texts(answers, ()):
            for found in identifiers.find(text, wanted, with_dates=False)[:5]:
                yield Finding(path, "error", _SENTENCES[found.kind], {"term": found.term})
        return
    if "no_identifiers" not in form.checks:
        return
    from engine import procedures

    wanted = terms(session, case, procedures.deployed(session, case.procedure_version_id))
    for path, text in _texts(answers, ()):
        for term, kind in list(dict.fromkeys((found.term, found.kind) for found in identifiers.find(text, wanted)))[:5]:
            yield Finding(path, "error", _SENTENCES[kind], {"term": term})


_SENTENCES = {
    "subject": N_("文中还有“%(term)s”，会认出患者或家属。"),
    "person": N_("文中还有“%(term)s”，会认出工作人员。"),
    "place": N_("文中还有“%(term)s”，会认出机构或地点。"),
    "number": N_("文中还有证件号码“%(term)s”。"),
    "telephone": N_("文中还有电话“%(term)s”。"),
    "date": N_("文中还有日期“%(term)s”，请改成第几天。"),
}


def _texts(value: Any, path: forms.Path) -> Iterator[tuple[forms.Path, str]]:
    if isinstance(value, str):
        if not _UUID.fullmatch(value):  # keys of rows, people and places are nobody's words
            yield path, value
    elif isinstance(value, Mapping) and "$" not in value:
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))


# ── making ──

EXACT = frozenset({"income_month"})  # quasi-identifiers (forms §15, class Q) that are numbers of one household


@dataclass
class _Maker:
    """Turns records into what reviewers may read: class C as it is, class Q generalised, places of care as letters."""

    names: Mapping[str, str]
    wanted: Terms
    day0: date
    letters: dict[str, str] = field(default_factory=dict)
    hidden: list[dict[str, str]] = field(default_factory=list)

    def section(self, form: Form, answers: Mapping[str, Any]) -> dict[str, Any] | None:
        rows = self.rows(form.fields, answers)
        return {"form": form.key, "title": form.title, "title_en": form.title_en, "rows": rows} if rows else None

    def rows(self, fields: Iterable[Field], answers: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for entry in fields:
            if entry.type == "group":
                found += self.rows(entry.fields, answers.get(entry.key, {}) if entry.key else answers)
                continue
            value = answers.get(entry.key)
            if not entry.key or value is None or value == []:
                continue
            if entry.type == "dynamiclist":
                lists = [self.rows(entry.fields, row) for row in value]
                lists = [row for row in lists if row]
                if lists:
                    found.append({"label": entry.label, "label_en": entry.label_en or entry.label, "lists": lists})
                continue
            shown = self.shown(entry, value)
            if shown is None:
                self.hidden.append({"label": entry.label, "label_en": entry.label_en or entry.label})
            else:
                found.append({"label": entry.label, "label_en": entry.label_en or entry.label, "value": shown[0], "value_en": shown[1]})
        return found

    def shown(self, entry: Field, value: Any) -> tuple[str, str] | None:
        """Return the words of an answer in both languages, or None for what is hidden."""
        if entry.type == "filepicker" or entry.identity in ("I", "N", "A"):
            return None
        if entry.identity == "Q" and (entry.type in ("textfield", "textarea") or entry.key in EXACT):
            return None  # words and exact sums cannot be generalised
        if entry.identity == "P":
            name = _spoken(self.names, value)
            if name is None or (not (entry.values_key or "").startswith("organisations.") and "unit" not in entry.key):
                return None
            letter = self.letters.setdefault(name, chr(ord("A") + min(len(self.letters), 25)))
            return f"机构 {letter}", f"Facility {letter}"
        zh, en = words(entry, value, self.relative)
        return self.clean(zh), self.clean(en)

    def relative(self, moment: date | datetime) -> tuple[str, str]:
        """Return a day counted from day 0, with the time of day where there is one."""
        local = moment.astimezone(clock.zone()) if isinstance(moment, datetime) else None
        days = ((local.date() if local else moment) - self.day0) / timedelta(days=1)
        time = f" {local:%H:%M}" if local else ""
        return f"第 {int(days)} 天{time}", f"day {int(days)}{time}"

    def clean(self, text: str) -> str:
        return identifiers.cover(text, self.wanted)


def words(entry: Field, value: Any, when: Any) -> tuple[str, str]:
    """Return an answer in words, in both languages.

    Args:
        when: Turns a date or instant into words in both languages.
    """
    if value == forms.UNKNOWN and (entry.offers_unknown or entry.type == "textfield"):
        return "不详", "unknown"
    plain = feel.from_wire(value) if not isinstance(value, list) else value
    unit, unit_en = (f" {entry.unit}" if entry.unit else ""), (f" {entry.unit_en or entry.unit}" if entry.unit else "")
    if isinstance(plain, bool):
        return ("是", "yes") if plain else ("否", "no")
    if isinstance(plain, datetime | date):
        zh, en = when(plain)
        return zh, en
    if isinstance(plain, list):
        pairs = [_code_words(entry, str(item)) for item in plain]
        return "、".join(zh for zh, _ in pairs), ", ".join(en for _, en in pairs)
    if isinstance(plain, str):
        zh, en = _code_words(entry, plain)
        return zh + unit, en + unit_en
    return f"{plain}{unit}", f"{plain}{unit_en}"


def _code_words(entry: Field, code: str) -> tuple[str, str]:
    if entry.type in ("select", "radio", "checklist"):
        found = codes.lists().get(entry.values_key or "")
        options = entry.values or (found.codes if found else ())
        for option in options:
            if option.code == code:
                return option.zh, option.en
    return code, code


def _values_of(fields: Iterable[Field], answers: Mapping[str, Any], identity: str) -> Iterator[tuple[Field, Any]]:
    for entry in fields:
        if entry.type == "group":
            yield from _values_of(entry.fields, answers.get(entry.key, {}) if entry.key else answers, identity)
        elif entry.type == "dynamiclist":
            for row in answers.get(entry.key) or []:
                yield from _values_of(entry.fields, row, identity)
        elif entry.key in answers and entry.identity == identity:
            yield entry, answers[entry.key]


def preview(session: Session, case: Case, deployed: Deployed) -> dict[str, Any]:
    """Return what the records give to a packet without the redaction officer's own words."""
    latest = {
        record.form: record
        for record in session.scalars(
            sa.select(Record)
            .where(Record.case_id == case.id, Record.form.in_(SHOWN_FORMS), Record.is_current)
            .order_by(Record.submitted_at, Record.id)
        )
    }
    shown = [(_forms_of(session, latest[key], deployed)[0], latest[key].answers) for key in SHOWN_FORMS if key in latest]
    names = _organisation_names(session, [value for form, answers in shown for _, value in _values_of(form.fields, answers, "P")])
    maker = _Maker(names, terms(session, case, deployed), _day0(case, latest))
    sections = [section for form, answers in shown if (section := maker.section(form, answers))]
    hidden = list({entry["label"]: entry for entry in maker.hidden}.values())
    return {"sections": sections, "hidden": hidden, "day0": "admission"}


def _day0(case: Case, latest: Mapping[str, Record]) -> date:
    """Return the day of the first admission, else of the delivery, else of the event."""
    report, card = latest.get("case_report"), latest.get("report_card")
    moments = [feel.from_wire(row["arrival"]) for row in (report.answers.get("admissions", []) if report else []) if row.get("arrival")]
    if card and card.answers.get("delivery_dt"):
        moments.append(feel.from_wire(card.answers["delivery_dt"]))
    moments = [moment for moment in moments if isinstance(moment, datetime)]
    return (min(moments) if moments else case.event_at).astimezone(clock.zone()).date()


def make(session: Session, case: Case, deployed: Deployed, by: UUID) -> Packet:
    """Make the packet of the latest redaction; one of the same course that was not released is replaced.

    Raises:
        StepFailed: there is no redaction.
    """
    record = records.current(session, case.id, REDACTION)
    if record is None:
        raise StepFailed(element=None, reason="no redaction")
    said = record.answers
    content = {
        "title": said["title"],
        "narrative": said["narrative"],
        "timeline": said.get("timeline", []),
        "blinding": said.get("blinding"),
        **preview(session, case, deployed),
        "kind": case.kind.value,
    }
    hashed = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    former = of_case(session, case.id, case.course)
    if former is not None and former.withdrawn_at is None:
        former.withdrawn_at = clock.now()
    number = numbers.at_random()
    while numbers.exists(session, Packet.number, number):
        number = numbers.at_random()
    packet = Packet(
        id=new_id(),
        number=number,
        case_id=case.id,
        course=case.course,
        title=said["title"][:120],
        content=content,
        content_hash=hashed,
        redacted_by_id=by,
        redacted_at=clock.now(),
    )
    session.add(packet)
    session.flush()
    return packet


# ── for the committee's forms ──


def variables(session: Session, case: Case, item: WorkItem, wanted: Set[str] | None = None) -> dict[str, Any]:
    """Return what the committee's forms know beside the answers: packet, panel, missing opinions.

    Args:
        wanted: The names that are asked for; None for all of them.
    """
    if item.audience not in ("committee", "author") and item.form not in ("redaction", "redaction_check"):
        return {}
    found: dict[str, Any] = {}
    if wanted is None or wanted & {"packet_number", "packet_title"}:
        packet = of_case(session, case.id, case.course)
        found |= {"packet_number": packet.number if packet else None, "packet_title": packet.title if packet else None}
    if wanted is None or wanted & {"attendance", "panel_size"}:
        panel = panel_rows(session, case)
        found |= {"attendance": panel, "panel_size": len(panel)}
    if wanted is None or wanted & {"opinions", "missing", "all_in"}:
        given, missing = session.execute(
            sa.select(
                sa.select(sa.func.count())
                .select_from(Record)
                .where(Record.case_id == case.id, Record.course == case.course, Record.form == OPINION, Record.is_current)
                .scalar_subquery(),
                sa.select(sa.func.count())
                .select_from(WorkItem)
                .where(
                    WorkItem.case_id == case.id,
                    WorkItem.course == case.course,
                    WorkItem.form == OPINION,
                    WorkItem.state.in_((WorkItemState.READY, WorkItemState.RESERVED)),
                )
                .scalar_subquery(),
            )
        ).one()
        found |= {"opinions": given, "missing": missing, "all_in": missing == 0}
    return found


def panel_rows(session: Session, case: Case) -> list[dict[str, Any]]:
    """Return the members named for the sitting and their substitutes, with discipline and whether they are recused."""
    rows: dict[str, dict[str, Any]] = {}
    for record in session.scalars(
        sa.select(Record)
        .where(Record.case_id == case.id, Record.course == case.course, Record.form.in_((SITTING, RESITTING)), Record.is_current)
        .order_by(Record.submitted_at)
    ):
        for row in [*record.answers.get("panel", []), *record.answers.get("substitutes", [])]:
            rows.setdefault(row["person"], {"person": row["person"], "voting": bool(row.get("voting")), "is_external": bool(row.get("is_external"))})
    if not rows:
        return []
    keys = [UUID(person) for person in rows]
    for person_id, discipline in session.execute(sa.select(Person.id, Person.discipline).where(Person.id.in_(keys))):
        rows[str(person_id)]["discipline"] = discipline
    reader = aliased(PacketReader)
    recused = set(
        session.scalars(
            sa.select(reader.person_id)
            .join(Packet, Packet.id == reader.packet_id)
            .where(Packet.case_id == case.id, Packet.course == case.course, reader.recused_at.is_not(None))
        )
    )
    for key, row in rows.items():
        row["presence"] = "recused" if UUID(key) in recused else "present"
    return list(rows.values())


def members(session: Session, case: Case) -> list[dict[str, Any]]:
    """Return the standing of everybody to whom a packet of the case's course was released, as expressions see it."""
    rows = session.execute(
        sa.select(PacketReader.person_id, PacketReader.recused_at, PacketReader.is_advisory)
        .join(Packet, Packet.id == PacketReader.packet_id)
        .where(Packet.case_id == case.id, Packet.course == case.course, Packet.withdrawn_at.is_(None))
        .order_by(PacketReader.released_at, PacketReader.person_id)
    )
    return [{"person": str(person_id), "recused": recused_at is not None, "advisory": bool(advisory)} for person_id, recused_at, advisory in rows]


def panel_choices(session: Session, case: Case) -> list[Code]:
    """Return the members named for the sitting as values of a list."""
    keys = [UUID(row["person"]) for row in panel_rows(session, case)]
    rows = session.execute(sa.select(Person.id, Person.name).where(Person.id.in_(keys)).order_by(Person.name))
    return [Code(str(person_id), name, name) for person_id, name in rows]


def timeline_choices(session: Session, case: Case) -> list[Code]:
    """Return the items of the packet's timeline as values of a list."""
    packet = of_case(session, case.id, case.course)
    return [
        Code(str(index + 1), f"{row.get('t', '')} {row.get('what', '')}"[:60], f"{row.get('t', '')} {row.get('what', '')}"[:60])
        for index, row in enumerate(packet.content.get("timeline", []) if packet else [])
    ]


# ── services ──


@service
def make_packet(command: Command, arguments: Mapping[str, Any]) -> None:
    """Make the de-identified packet of the latest redaction, done by the person `redacted_by`.

    Source:
        Forms, §9 and §15.
    """
    make(command.session, command.case, command.deployed, UUID(arguments["redacted_by"]))


@service
def check_packet(command: Command, arguments: Mapping[str, Any]) -> None:
    """Note that a second person (`checked_by`) checked the packet; the database refuses the one who made it."""
    packet = _current(command)
    packet.checked_by_id, packet.checked_at = UUID(arguments["checked_by"]), clock.now()


@service
def release_packet(command: Command, arguments: Mapping[str, Any]) -> None:
    """Release the packet to the members named in `people`; each opens it once they have declared.

    Source:
        Forms, §9 and §14.
    """
    packet, session = _current(command), command.session
    packet.released_at = packet.released_at or clock.now()
    session.flush()
    known = {reader.person_id for reader in session.scalars(sa.select(PacketReader).where(PacketReader.packet_id == packet.id))}
    for person in dict.fromkeys(UUID(person) for person in arguments["people"]):
        if person not in known:
            session.add(PacketReader(packet_id=packet.id, person_id=person, released_at=clock.now()))
    session.flush()


@service
def admit(command: Command, arguments: Mapping[str, Any]) -> None:
    """Let a member (`person`) open the packet once the declaration is signed; an `advisory` one reads but does not vote."""
    reader = _reader(command, arguments["person"])
    if reader is not None:
        reader.declared_at, reader.is_advisory = clock.now(), bool(arguments.get("advisory"))


@service
def recuse(command: Command, arguments: Mapping[str, Any]) -> None:
    """Take the packet from a recused member (`person`) at once.

    Source:
        Review procedures, §6 Recusal.
    """
    reader = _reader(command, arguments["person"])
    if reader is not None:
        reader.recused_at = clock.now()
        number = command.session.scalar(sa.select(Packet.number).where(Packet.id == reader.packet_id))
        messages.write(command.session, [reader.person_id], "recused", f"recused:{reader.packet_id}", case_id=command.case.id, packet=number)
    journal.record(command.session, command.actor, "packet:recuse", case_id=command.case.id, person=arguments["person"])


@service
def reveal_opinions(command: Command, arguments: Mapping[str, Any]) -> None:
    """Let the committee see its members' opinions: the chair opens the discussion.

    Source:
        Review procedures, §6 Independent opinions first.
    """
    command.session.execute(
        sa.update(Record)
        .where(Record.case_id == command.case.id, Record.course == command.case.course, Record.form == OPINION, Record.revealed_at.is_(None))
        .values(revealed_at=clock.now())
        .execution_options(synchronize_session=False)
    )


@service
def withdraw_packet(command: Command, arguments: Mapping[str, Any]) -> None:
    """Withdraw the packet from its readers, after sign-off or before a new one is made."""
    for packet in command.session.scalars(sa.select(Packet).where(Packet.case_id == command.case.id, Packet.withdrawn_at.is_(None))):
        packet.withdrawn_at = clock.now()


def _current(command: Command) -> Packet:
    command.session.flush()
    packet = of_case(command.session, command.case.id, command.case.course)
    if packet is None or packet.withdrawn_at is not None:
        raise StepFailed(element=None, reason="no packet")
    return packet


def _reader(command: Command, person: str) -> PacketReader | None:
    return command.session.get(PacketReader, (_current(command).id, UUID(person)))


def case_of(session: Session, packet: Packet) -> Case:
    """Return the case of a packet, for commands on it; nothing of it is shown to reviewers."""
    return session.scalars(sa.select(Case).where(Case.id == packet.case_id)).one()


def reading_context(session: Session, packet: Packet, form: Form) -> forms.Context:
    """Return what is needed to show a committee's record: its lists, and nothing of the case."""
    from engine import choices, environment, organisations

    case = session.scalars(sa.select(Case).where(Case.id == packet.case_id)).one()
    owner = organisations.get(session, case.owner_id)
    extra = {"timeline": lambda: timeline_choices(session, case), "people.panel": lambda: panel_choices(session, case)}
    names: dict[str, Any] = {"known": {}, "person": {}, "variables": {}, "now": None, "case": {}}
    return forms.Context(environment.of_case(session, case), names, choices.of_form(session, form, owner, extra))
