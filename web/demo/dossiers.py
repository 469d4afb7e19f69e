"""Turns a dossier of a published case (`cases/README.md`) into answers for the forms of its course.

What the dossier gives is said as it gives it; its made-up identity fills what identifies; its times move with the day
of the demonstration. What it does not give is unknown, or the default that lies beside the procedure. What the
committee says comes from `reviews.toml`, by cause of death.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from engine import clock, codes

FOLDER = resources.files("web.demo") / "cases"
UNKNOWN = "unknown"
STAGES = (
    "pre_pregnancy",
    "booking",
    "antenatal_care",
    "risk_grading_and_referral",
    "admission",
    "labour_delivery_operation",
    "rescue_and_transfer",
    "postpartum_in_hospital",
    "postpartum_follow_up",
)
CELLS = tuple(f"{link}_{aspect}" for link in ("person", "care", "other") for aspect in ("knowledge", "attitude", "resources", "management"))
FACTOR_OF_LEVEL = {"village": 4, "township": 7, "county": 11, "city": 15}
ASPECTS = ("knowledge", "attitude", "resources", "management")
INTERVENTION_OF = {"NM05": "vasoactive", "NM06": "cpr", "NM12": "ventilation", "NM15": "dialysis", "NM25": "hysterectomy"}
AUTOPSY = {"not offered": "not_offered", "refused": "refused", "done": "done", "pending": "pending"}
SAID_IN_TIMES = {
    "before pregnancy": "孕前",
    "antenatal": "孕期",
    "on arrival": "到院时",
    "after birth": "产后",
    "after operation": "术后",
    "after death": "死后",
    "at home": "在家中",
    "district hospital": "县级医院",
    "tertiary hospital": "三级医院",
    "transfer": "转院途中",
    "about": "约",
}
FULL_WIDTH = {",": "，", ";": "；", ":": "：", "(": "（", ")": "）"}
HALF_WIDTH = re.compile(r"(?<=[\u3400-\u9fff）%])[,;:(](?!\d\d\b)|(?<=[\da-zA-Z\u3400-\u9fff])\)|(?<=\w)[,;](?=[\u3400-\u9fff])")
CHECKSUM = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def names(kind: str = "maternal_death") -> list[str]:
    """Return the dossiers of a kind of case."""
    every = sorted(entry.name[:-5] for entry in FOLDER.iterdir() if entry.name.endswith(".json"))
    return [name for name in every if read(name)["case_kind"] == kind]


@lru_cache(maxsize=32)
def read(name: str) -> dict[str, Any]:
    """Return a dossier as it lies in `cases/`."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"), parse_float=Decimal)
    return content


@lru_cache(maxsize=1)
def reviews() -> dict[str, dict[str, Any]]:
    """Return what the committee says, by class of cause."""
    return tomllib.loads((resources.files("web.demo") / "reviews.toml").read_text("utf-8"), parse_float=Decimal)


@dataclass(frozen=True)
class Places:
    """The institutions of the made-up city by name, and who holds a role there."""

    codes: Mapping[str, str]
    areas: Mapping[str, str]
    people: Mapping[tuple[str, str], Sequence[str]]

    def holder(self, code: str, *roles: str) -> str:
        """Return a person who holds one of the roles at an institution, the first role first."""
        return next(name for role in roles for name in self.people.get((role, code), ()))


@lru_cache(maxsize=1)
def places() -> Places:
    """Return the made-up city."""
    content = tomllib.loads((resources.files("web.demo") / "places.toml").read_text("utf-8"))
    area = {entry["code"]: entry["name"] for entry in content["organisations"] if entry["kind"] == "area"}
    people: dict[tuple[str, str], list[str]] = {}
    for person in content["people"]:
        for post in person["posts"]:
            role, _, code = post.partition("@")
            people.setdefault((role, code), []).append(person["username"])
    return Places(
        codes={entry["name"]: entry["code"] for entry in content["organisations"]},
        areas={area[entry["under"]]: entry["code"] for entry in content["organisations"] if entry["kind"] == "township_health_centre"},
        people=people,
    )


class Dossier:
    """A dossier that happens in the demonstration: she dies at `event`, everything else moves with it."""

    def __init__(self, content: Mapping[str, Any], event: datetime | None = None, zone: ZoneInfo | None = None) -> None:
        self.content, self.zone = content, zone or clock.zone()
        self.facts: Mapping[str, Any] = content["facts"]
        self.invented = {name.strip(): entry["value"] for entry in content["invented"] for name in entry["field"].split("/")}
        self.died = self._absolute(self.invented["death_dt"])
        self.event = (event or self.died).astimezone(self.zone)
        self.shift = self.event - self.died

    # ── what a dossier says ──

    def said(self, key: str, default: Any = None) -> Any:
        """Return a fact, else what was made up for it: a plain value or the code of a coded one."""
        for found in (self.facts.get(key), self.invented.get(key)):
            if isinstance(found, Mapping) and ("code" in found or "value" in found):
                return found.get("code", found.get("value"))
            if found is not None and not isinstance(found, Mapping | list):
                return found
        return default

    def code(self, key: str, default: str = UNKNOWN) -> str:
        """Return a code that was given as one."""
        for found in (self.facts.get(key), self.invented.get(key)):
            if isinstance(found, Mapping) and "code" in found:
                return str(found["code"])
        return default

    def moment(self, key: str) -> datetime | None:
        """Return an instant that was made up with its day and hour, moved to the demonstration."""
        found = self.invented.get(key)
        return self._absolute(found) + self.shift if isinstance(found, str) and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d", found) else None

    def day(self, text: str) -> date:
        """Return a day, moved to the demonstration."""
        return (self._absolute(f"{text} 12:00") + self.shift).date()

    def _absolute(self, text: str) -> datetime:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=self.zone)

    def when(self, text: str) -> datetime | str:
        """Return the instant of a relative time that tells the hour; unknown otherwise."""
        match = re.search(r"day (\d+)", text)
        hour = re.search(r"(?<![+\d])(\d\d):(\d\d)", text)
        after = re.search(r"\+(\d\d):(\d\d)", text)
        day0 = self.content["day0"]
        if match is None:
            return UNKNOWN
        base = self._absolute(f"{day0['invented_date']} 00:00") + timedelta(days=int(match[1]))
        started = re.search(r"(\d\d):(\d\d)", day0.get("invented_clock", ""))
        if after and started:
            moment = base.replace(hour=int(started[1]), minute=int(started[2])) + timedelta(hours=int(after[1]), minutes=int(after[2]))
        elif hour:
            moment = base.replace(hour=int(hour[1]), minute=int(hour[2]))
        else:
            return UNKNOWN
        return min(moment + self.shift, self.event)

    @property
    def age(self) -> Any:
        """How old she was."""
        return self.said("age", UNKNOWN)

    @property
    def weeks(self) -> tuple[Any, Any]:
        """How far the pregnancy was: weeks and days."""
        found = self.facts.get("weeks_or_days") or self.invented.get("weeks_or_days") or {}
        return found.get("weeks") or UNKNOWN, found.get("days") if found.get("days") is not None else UNKNOWN

    @property
    def parity(self) -> Any:
        """How many births there were before this one."""
        found = self.facts.get("parity")
        if isinstance(found, Mapping):
            return found["value"] - ("after this birth" in found.get("note", ""))
        return self.said("parity", UNKNOWN)

    @property
    def is_delivered(self) -> bool:
        """Whether there was a birth."""
        return self.code("delivery_mode", "0") != "0"

    @property
    def facility(self) -> str | None:
        """The code of the institution in which she died."""
        unit = self.invented.get("facility") or (self.invented.get("admissions.unit") or [""])[-1]
        return places().codes.get(unit)

    @property
    def township(self) -> str | None:
        """The code of the health centre of her residence."""
        address = self.said("residence_address", "")
        return next((code for area, code in places().areas.items() if area in address), None)

    @cached_property
    def id_number(self) -> str:
        """Her made-up identity number, born so many years later as the demonstration lies after the dossier's day."""
        text = str(self.said("id_no", UNKNOWN))
        years = self.event.year - self.died.year
        if not years or len(text) != 18:
            return text
        birthday = text[10:14] if text[10:14] != "0229" else "0228"
        body = f"{text[:6]}{int(text[6:10]) + years}{birthday}{text[14:17]}"
        return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, CHECKSUM, strict=True)) % 11]

    @cached_property
    def review(self) -> Mapping[str, Any]:
        """What the committee says of this cause."""
        found: Mapping[str, Any] = reviews().get(self.code("underlying"), reviews()["other"])
        return found

    # ── as a text without names ──

    def label(self, text: str) -> str:
        """Return a relative time in Chinese."""
        said = re.sub(r"GA (\d+)w(\d)d", r"孕 \1 周 \2 天", text)
        said = re.sub(r"GA (\d+)w", r"孕 \1 周", said)
        said = re.sub(r"(?:about )?(\d+) years before", lambda found: f"{'约 ' if 'about' in found[0] else ''}{found[1]} 年前", said)
        said = re.sub(r"(?:operation end|extubation) \+~?", lambda found: "术后 " if "operation" in found[0] else "拔管后 ", said)
        said = re.sub(r"admission days? (\d+(?:[–-]\d+)?)", r"入院第 \1 天", said)
        said = re.sub(r"day (\d+(?:[–-]\d+)?)", r"第 \1 天", said)
        for english, chinese in SAID_IN_TIMES.items():
            said = said.replace(english, chinese)
        said = re.sub(r"(\d+)h\b", r"\1 小时", said).replace("~", "约 ")
        return re.sub(r"[A-Za-z]+", "", said).replace(", ", "，").replace(",", "，").strip(" ，") or "时间不详"

    @cached_property
    def timeline(self) -> list[dict[str, str]]:
        """The course in relative times."""
        return [{"t": self.label(row["t"])[:40], "stage": row["stage"], "what": full_stop(row["what"])} for row in self.content["timeline"]]

    @cached_property
    def narrative(self) -> str:
        """The course as one text: nothing in it tells who she was or where."""
        weeks, days = self.weeks
        pregnancy = "" if weeks == UNKNOWN else f"，孕 {weeks} 周" + ("" if days in (UNKNOWN, 0) else f" {days} 天")
        births = "" if UNKNOWN in (self.said("gravidity", UNKNOWN), self.parity) else f"，孕 {self.said('gravidity')} 产 {self.parity}"
        course = "".join(f"{row['t']}：{row['what']}" for row in self.timeline)
        return f"孕产妇 {self.age} 岁{births}{pregnancy}。{course}"[:990]

    def happened(self, *stages: str) -> str:
        """Return what happened in some stages."""
        return "".join(row["what"] for row in self.timeline if row["stage"] in stages)

    @property
    def questions(self) -> list[str]:
        """What a committee would ask."""
        return list(self.content["expected"].get("reviewable_questions", ()))

    # ── the forms ──

    def answers(self) -> dict[str, dict[str, Any]]:
        """Return answers by form, to be laid over the defaults."""
        return {
            "notice": self.notice(),
            "report_card": self.report_card(),
            "case_report": self.case_report(),
            "facility_discussion": self.facility_discussion(),
            "verification": {"floating": self.code("household", "1") == "2"},
            "facility_annex": self.facility_annex(),
            "community_annex": self.community_annex(),
            "onsite_record": self.onsite_record(),
            "investigation_report": self.investigation_report(),
            "redaction": self.redaction(),
            "opinion": self.opinion(),
            "minutes": self.minutes(),
            "conclusion": self.conclusion(),
            "feedback": self.feedback(),
            "upper_review": self.upper_review(),
            "rectification_plan": self.rectification_plan(),
        }

    def notice(self) -> dict[str, Any]:
        """The phone notice: when, who, where."""
        born = self.moment("delivery_dt")
        ended = self.invented.get("pregnancy_end_date")
        state: dict[str, Any] = {"pregnancy_state": "pregnant", "weeks": self.weeks[0], "days_postpartum": "@none"}
        if self.is_delivered:
            state = {"pregnancy_state": "postpartum", "days_postpartum": (self.event - born).days if born else UNKNOWN}
        elif ended:
            state = {"pregnancy_state": "ended", "days_postpartum": (self.event.date() - self.day(ended)).days}
        return {
            "event_dt": self.event,
            "subject_name": self.said("name"),
            "age": self.age,
            **state,
            "place": self.place("death_place"),
            "facility": token("organisation", self.facility) or "@none",
            "diagnosis": text(self.said("diagnosis"), 200),
            "hop": self.said("hop", "facility"),
            "subject_id": self.id_number,
            "subject_phone": self.said("subject_phone") or self.said("contact_phone"),
            "residence_area": token("organisation", self.township) or "@none",
            "death_confirmed_by": "值班医师",
        }

    def report_card(self) -> dict[str, Any]:
        """The report card."""
        came_from = self.before_last()
        anc = self.said("anc")
        return {
            "name": self.said("name"),
            "id_no": self.id_number,
            "contact_phone": self.said("contact_phone", UNKNOWN),
            "report_address": token("organisation", self.township) or UNKNOWN,
            "household_address": self.said("household_address", UNKNOWN),
            "residence_address": self.said("residence_address", UNKNOWN),
            "household": self.code("household", "1"),
            "age": self.age,
            **self.ethnic(),
            "education": self.code("education", "9"),
            "income": self.code("income", "9"),
            "terrain": self.code("terrain", "3"),
            "gravidity": self.said("gravidity", UNKNOWN),
            "parity": self.parity,
            "abortions": self.said("abortions", UNKNOWN),
            "lmp": self.lmp() or UNKNOWN,
            "delivery_mode": self.code("delivery_mode", "0"),
            "delivery_dt": self.moment("delivery_dt") or UNKNOWN,
            "pregnancy_end_date": self.day(self.invented["pregnancy_end_date"]) if self.invented.get("pregnancy_end_date") else UNKNOWN,
            "death_dt": self.event,
            "delivery_place": self.place("delivery_place"),
            "death_place": self.place("death_place"),
            **self.unit_of("delivery_facility", self.delivery_unit()),
            "death_facility": token("organisation", self.facility) or "@none",
            "transferred": "yes" if came_from else "no",
            **(self.unit_of("transferred_from", came_from) if came_from else {}),
            "first_contact": "no" if came_from else "yes",
            "first_contact_unit": came_from or "@none",
            "modern_delivery": yes_no(self.said("modern_delivery")),
            "attendant": self.code("attendant"),
            "anc": yes_no(anc),
            "first_anc_week": self.said("first_anc_week", UNKNOWN),
            "anc_visits": self.said("anc_visits", UNKNOWN),
            "last_anc_unit": "@none",
            **{f"interval_{line}": "@none" for line in "abcd"},
            **self.causes(),
            "basis": self.code("basis", "3"),
            "underlying": self.code("underlying", "50"),
            "summary": self.narrative,
            "filled_unit": next((name for name, code in places().codes.items() if code == self.facility), "@none"),
        }

    def case_report(self) -> dict[str, Any]:
        """The case report; lists that the dossier leaves open stay empty."""
        weeks, days = self.weeks
        mode, met = self.code("delivery_mode", "0"), [row["code"] for row in self.content["criteria"]]
        interventions = [{"kind": INTERVENTION_OF[code], "done": "yes", "start_dt": UNKNOWN} for code in met if code in INTERVENTION_OF]
        blood = [
            {
                "product": coded("CS-BLOODPRODUCT", row["product"], "other"),
                "units": UNKNOWN if row.get("units") is None else row["units"],
                "unit_kind": "u",
                "note": row.get("when", "")[:200],
            }
            for row in self.facts.get("blood", ())
        ]
        return {
            "onset_dt": self.moment("onset_dt") or UNKNOWN,
            "onset_symptom": text(self.said("onset_symptom"), 200) or UNKNOWN,
            "weeks": weeks,
            "weeks_days": days,
            "height_cm": UNKNOWN,
            "weight_kg": UNKNOWN,
            "past_history": self.more(),
            "admissions": self.admissions(),
            "icu": [],
            "risk_none": not self.colours(),
            "risk_colour_history": self.colours(),
            "special_case_owner": self.owner(),
            "rescue_none": not self.rescue(),
            "rescue": self.rescue(),
            "consultations": self.consultations(),
            "interventions": interventions,
            "blood_loss_ml": UNKNOWN,
            "blood": blood,
            "anaesthesia": [],
            "measurements": [],
            "contradictions": [],
            "imaging": [],
            "microbiology": [],
            "caesarean": "none" if not mode.startswith("3") else "planned" if "planned" in str(self.facts.get("ddi_min")) else "emergency",
            "ddi_min": UNKNOWN,
            "baby_outcome": self.babies(),
            "criteria": self.criteria(),
            "autopsy": self.autopsy(),
            "autopsy_findings": self.said("autopsy_findings", UNKNOWN),
            "facility_view": self.review["problems"],
        }

    def facility_discussion(self) -> dict[str, Any]:
        """The in-house discussion."""
        chain = self.content["cause_chain"]
        views = ("产科", "重症医学科", "急诊科")
        return {
            "chair_name": "业务副院长",
            "chair_post": "主持人",
            "presented": self.narrative,
            "views": "".join(f"{unit}：{found['text']}" for unit, found in zip(views, self.review["findings"], strict=False)),
            "problems": self.review["problems"],
            "improvements": self.review["improvements"],
            "conclusion_of_facility": f"死亡原因：{'，由于'.join(row['zh'] for row in chain if row['line'] != 'ii')}。处理过程有可以改进的环节。",
        }

    def facility_annex(self) -> dict[str, Any]:
        """The facility's annex."""
        last = self.admissions()[-1]
        came_from = self.before_last()
        lmp, obstetric = self.lmp(), self.happened("pre_pregnancy")
        risky = [row for row in self.colours() if row["colour"] != "green"]
        return {
            "address": self.said("residence_address", UNKNOWN),
            "name": self.said("name"),
            "age": self.age,
            **self.ethnic(),
            "occupation": UNKNOWN,
            "education": self.code("education", "9"),
            "husband_name": self.said("spouse", UNKNOWN),
            "husband_age": UNKNOWN,
            "husband_ethnic": UNKNOWN,
            "husband_occupation": UNKNOWN,
            "husband_education": "9",
            "income_month": UNKNOWN,
            "insurance": UNKNOWN,
            "pregnancies": self.said("gravidity", UNKNOWN),
            "births": self.parity,
            "history_medical": UNKNOWN,
            "history_surgical": UNKNOWN,
            "history_obgyn": "yes" if obstetric else "unknown",
            "history_obgyn_text": text(obstetric, 500),
            "risk_factors": "yes" if risky else "no",
            "risk_factors_text": text(self.more() or "见分级记录。", 500),
            "lmp": lmp or UNKNOWN,
            "due_date": lmp + timedelta(days=280) if lmp else UNKNOWN,
            "anc_visits": self.said("anc_visits", UNKNOWN),
            "anc_tests": text(self.happened("antenatal_care"), 500) or "@none",
            "symptoms": "unknown",
            "medical_disease": "unknown",
            "obstetric_disease": "unknown",
            "high_risk": "yes" if risky else "no",
            "high_risk_treated": "unknown",
            "admitted_dt": self.moment("admitted_dt") or last["arrival"],
            "admission_reason": text(last["diagnosis"], 200),
            "admission_no": self.said("admission_no", "@none"),
            "transferred": "yes" if came_from else "no",
            **(self.unit_of("transferred_from", came_from) if came_from else {}),
            "admission_state": self.admission_state(),
            "labour": self.happened("labour_delivery_operation") or "未进入产程。",
            "delivery_mode": self.code("delivery_mode", "0"),
            "course": [{"at_dt": row["at_dt"], "handling": row["action"]} for row in self.rescue()]
            or [{"at_dt": UNKNOWN, "event": row["what"]} for row in self.timeline[-3:]],
            "participants": [],
            "supplies_drugs": "抢救药品齐全。",
            "supplies_equipment": "监护与抢救设备在位。",
            "supplies_blood": "按抢救需要申请，时间见输血记录。",
            "death_dt": self.event,
            "cause": " ← ".join(row["zh"] for row in self.content["cause_chain"] if row["line"] != "ii")[:300],
            "autopsy": self.autopsy(),
            "problems": self.review["problems"],
            "improvements": self.review["improvements"],
        }

    def community_annex(self) -> dict[str, Any]:
        """The community's annex: what happened before and outside the hospital."""
        stages = ("pre_pregnancy", "booking", "antenatal_care", "onset_care_seeking", "postpartum_follow_up")
        outside = [row for row in self.timeline if row["stage"] in stages]
        is_far = self.code("terrain", "1") != "1"
        return {
            "age": self.age,
            "education": self.code("education", "9"),
            "occupation": UNKNOWN,
            "area": self.code("terrain", "3"),
            "income": "9",
            "informants": [
                {"role": "family", "relation": "丈夫", "name": self.said("spouse", "@none"), "interview_date": "@today"},
                {"role": "provider", "relation": "妇幼专干", "interview_date": "@today"},
            ],
            "timeline": [{"at_dt": UNKNOWN, "event": f"{row['t']}：{row['what']}"} for row in (outside or self.timeline)[:10]],
            "verbal_account": "家属所述与病历大致相符。",
            "emergency": full_stop(str(self.said("onset_symptom", "不详"))),
            "unit_response": [],
            **({"county_km": 31, "county_min": 55, "township_km": 6, "township_min": 20, "village_km": 1, "village_min": 10} if is_far else {}),
        }

    def onsite_record(self) -> dict[str, Any]:
        """The visit to the facility."""
        findings = self.findings()
        items = (
            "record",
            "staff",
            "drugs",
            "transport",
            "critical_values",
            "consultations",
            "delivery_checklist",
            "drills",
            "ledger",
            "handover",
            "family",
        )
        asked = [{"role": "科主任", "questions": question, "answer": "按病历记录说明，缺的时间点正在补核。"} for question in self.questions[:1]]
        return {
            "unit": token("organisation", self.facility) or "@none",
            "checklist": [{"item": "readiness", "ok": "no", "found": findings[0]["text"]}, *({"item": item, "ok": "yes"} for item in items)],
            "interviews": asked,
            "immediate_actions": [{"action": text(findings[0]["recommendation"], 300)}],
            "findings": [{"finding": found["text"], "factor": factor(found)} for found in findings],
        }

    def investigation_report(self) -> dict[str, Any]:
        """The whole-course analysis: every stage answered."""
        gaps = {found["stage"]: found["text"] for found in self.findings()}
        rows: list[dict[str, Any]] = []
        for stage in dict.fromkeys([*STAGES, *(row["stage"] for row in self.timeline)]):
            happened = self.happened(stage)
            if happened:
                times = [row["t"] for row in self.timeline if row["stage"] == stage]
                rows.append(
                    {
                        "stage": stage,
                        "answer": "described",
                        "period": text(times[0], 100),
                        "happened": happened,
                        **({"gap": gaps[stage]} if stage in gaps else {}),
                    }
                )
            else:
                rows.append({"stage": stage, "answer": "not_applicable" if stage == "postpartum_follow_up" else "none"})
        contradictions = "；".join(self.content["discrepancies_in_source"][::2])
        return {
            "delays": list(self.review["delays"]),
            "delays_note": self.review["problems"],
            "missing": f"资料之间的矛盾：{contradictions}。" if contradictions else "@none",
            "informants": [
                {"role": "family", "relation": "丈夫", "name": self.said("spouse", "@none"), "interview_date": "@today-P1D"},
                {"role": "provider", "relation": "参加抢救的医务人员", "interview_date": "@today-P1D"},
            ],
            "stages": rows,
            "opinion": f"{self.narrative[:600]}调查所见：{self.review['problems']}",
        }

    def redaction(self) -> dict[str, Any]:
        """The packet: title, narrative, relative timeline."""
        title = re.split(r"[；;、，,。]", str(self.said("diagnosis", "孕产妇死亡")))[0]
        return {"title": text(title if len(title) >= 4 else f"{title}致孕产妇死亡", 60), "narrative": self.narrative, "timeline": self.timeline}

    def opinion(self, place: int = 0) -> dict[str, Any]:
        """An individual opinion; each member (`place`) ranks the findings in their own order."""
        findings = self.findings()
        order = findings[place % len(findings) :] + findings[: place % len(findings)]
        dissents = place == 1
        return {
            "cells": self.cells(order, with_recommendation=True),
            "preventability": "unavoidable" if dissents else "avoidable_if",
            "delays": list(self.review["delays"]),
            "info_enough": "somewhat" if dissents else "mostly",
            "confidence": str(3 + place % 3),
            "strengths": [dict(self.review["done_well"])],
            "issues": [
                {"stage": found["stage"], "text": found["text"], **({"standard": found["standard"]} if "standard" in found else {})}
                for found in order[: 3 - place % 2]
            ],
            "recommendations": [],
        }

    def minutes(self) -> dict[str, Any]:
        """The meeting."""
        return {
            "presentation": self.narrative,
            "questions": "".join(f"问：{question}" for question in self.questions) or "@none",
            "deliberation": f"根本死因{self.underlying()}，无异议。{self.review['problems']}",
            "pattern": "@none",
        }

    def conclusion(self) -> dict[str, Any]:
        """The committee's conclusion."""
        findings = self.findings()
        return {
            **self.causes(),
            "underlying": self.code("underlying", "50"),
            "cause_group": str(self.content.get("icd_mm", "8")),
            "delays": list(self.review["delays"]),
            "cells": self.cells(findings),
            "factors": sorted({factor(found) for found in findings}),
            "strengths": [dict(self.review["done_well"])],
            "issues": [{"stage": found["stage"], "level": issue_level(found), "text": found["text"]} for found in findings],
            "recommendations": [
                {"level": rec_level(found), "action": found["recommendation"], "role_responsible": "医务处处长", "factor": factor(found)}
                for found in findings
            ],
            "text": f"根本死因为{self.underlying()}。{self.review['done_well']['text']}{self.review['problems']}"
            "在改进上述环节的条件下，这例死亡有可能避免。",
        }

    def feedback(self) -> dict[str, Any]:
        """What the facility is told."""
        return {
            "to": [token("organisation", self.facility)] if self.facility else "@none",
            "to_other": "@none" if self.facility else "有关机构",
            "content": f"评审认为：{self.review['done_well']['text']}请就以下环节制定整改措施：{self.review['problems']}",
        }

    def upper_review(self) -> dict[str, Any]:
        """What the upper level says: the same."""
        return {**self.causes(), "underlying": self.code("underlying", "50"), "factors": sorted({factor(found) for found in self.findings()})}

    def rectification_plan(self) -> dict[str, Any]:
        """One item for each finding."""
        unit = self.facility or self.township or "LZ-FE"
        owners = [
            places().holder(unit, role, "rectification_owner", "obstetric_safety_office", "facility_reporter", "township_reporter")
            for role in ("rectification_owner", "facility_reporter", "unit_head")
        ]
        return {
            "items": [
                {
                    "issue": found["text"],
                    "factor": factor(found),
                    "level": rec_level(found),
                    "type": found["type"],
                    "action": found["recommendation"],
                    "owner": token("person", owner),
                    "unit": token("organisation", unit),
                    "resources": found["resources"],
                    "start": "@today",
                    "due": f"@today+P{found['days']}D",
                    "done_when": found["done_when"],
                }
                for found, owner in zip(self.findings(), owners, strict=True)
            ]
        }

    # ── parts of forms ──

    def findings(self) -> list[dict[str, Any]]:
        """The review's findings, the main one first."""
        return [dict(found) for found in self.review["findings"]]

    def cells(self, findings: Sequence[Mapping[str, Any]], *, with_recommendation: bool = False) -> dict[str, Any]:
        """Return the twelve cells."""
        cells: dict[str, Any] = {cell: {"present": "na" if cell == "person_management" else "no"} for cell in CELLS}
        for rank, found in enumerate(findings[:3], 1):
            cells[found["cell"]] = {
                "present": "yes",
                "text": found["text"],
                "rank": str(rank),
                "evidence": self.evidence(found["stage"]),
                **({"level": found["level"]} if "level" in found else {}),
                **({"recommendation": found["recommendation"]} if with_recommendation else {}),
            }
        return cells

    def evidence(self, stage: str) -> str:
        """Return where in the timeline a stage is told."""
        rows = [str(place) for place, row in enumerate(self.timeline, 1) if row["stage"] == stage]
        return f"时间轴第 {'、'.join(rows)} 条" if rows else "时间轴未记"

    def causes(self) -> dict[str, Any]:
        """Return the cause chain."""
        rows = {row["line"]: row for row in self.content["cause_chain"]}
        said: dict[str, Any] = {}
        for line in ("a", "b", "c", "d", "ii"):
            said[f"cause_{line}"] = rows[line]["zh"] if line in rows else "@none"
            said[f"cause_{line}_icd"] = rows[line]["icd10"] if line in rows else "@none"
        last = max(line for line in rows if line != "ii")
        return {**said, "underlying_icd": rows[last]["icd10"]}

    def underlying(self) -> str:
        """Return the underlying cause in words."""
        chain = [row for row in self.content["cause_chain"] if row["line"] != "ii"]
        return str(chain[-1]["zh"])

    def place(self, key: str) -> str:
        """Return the code of a place; unknown where the dossier has none."""
        return self.code(key, "9")

    def ethnic(self) -> dict[str, Any]:
        """Return the ethnicity as the form asks for it."""
        said = self.said("ethnic", UNKNOWN)
        return {"ethnic": "1" if said == "汉" else UNKNOWN if said == UNKNOWN else "2", "ethnic_name": "@none" if said in ("汉", UNKNOWN) else said}

    def lmp(self) -> date | None:
        """Return the last menstrual period reckoned from the weeks."""
        weeks, days = self.weeks
        born = self.moment("delivery_dt") or self.moment("onset_dt")
        if weeks == UNKNOWN or born is None:
            return None
        return born.date() - timedelta(weeks=int(weeks), days=0 if days == UNKNOWN else int(days))

    def unit_of(self, key: str, name: str | None) -> dict[str, Any]:
        """Return a unit as one of the list, or as text beside it."""
        code = places().codes.get(name or "")
        if code is not None:
            return {key: token("organisation", code), f"{key}_other": "@none"}
        return {key: "@none", f"{key}_other": name or "@none"}

    def units(self) -> list[str]:
        """Return the names of the units that saw her, in order."""
        named = self.invented.get("admissions.unit")
        facility = self.invented.get("facility")
        found = list(named) if named else [row["unit"] for row in self.facts.get("admissions", ())] or [facility or "不详"]
        if facility and not named:
            found[-1] = facility
        return [str(unit) for unit in found]

    def before_last(self) -> str | None:
        """Return the unit she was transferred from."""
        units = self.units()
        return units[-2] if self.said("transferred") is True and len(units) > 1 else None

    def delivery_unit(self) -> str | None:
        """Return the unit in which she gave birth."""
        units, born = self.units(), self.moment("delivery_dt")
        arrivals = self.invented.get("admissions.arrival") or []
        for unit, arrival in zip(units, arrivals, strict=False):
            if arrival and born and self._absolute(arrival) + self.shift <= born:
                return unit
        return units[-1]

    def admissions(self) -> list[dict[str, Any]]:
        """Return where she was seen, in order."""
        told = list(self.facts.get("admissions", ())) or [{"diagnosis": self.said("diagnosis")}]
        arrivals, departures = (list(self.invented.get(f"admissions.{key}") or []) for key in ("arrival", "departure"))
        rows: list[dict[str, Any]] = []
        for place, (unit, row) in enumerate(zip(self.units(), told, strict=False)):
            is_last = place == len(told) - 1
            arrival = arrivals[place] if place < len(arrivals) else None
            departure = departures[place] if place < len(departures) else None
            admitted = self.moment("admitted_dt") if is_last else None
            rows.append(
                {
                    **self.unit_of("unit", unit),
                    "arrival": self._absolute(arrival) + self.shift if arrival else admitted or UNKNOWN,
                    "diagnosis": text(row.get("diagnosis") or "不详", 300),
                    **({"treatment": text(row["treatment"], 1000)} if row.get("treatment") else {}),
                    "departure": self.event if is_last else self._absolute(departure) + self.shift if departure else UNKNOWN,
                    "departure_kind": "died" if is_last else "transferred" if place == len(told) - 2 else "discharged",
                    **({"admission_no": self.said("admission_no")} if is_last and self.said("admission_no") else {}),
                }
            )
        return rows

    def admission_state(self) -> str:
        """Return in what state she came to where she died."""
        born, arrived = self.moment("delivery_dt"), self.admissions()[-1]["arrival"]
        if not self.is_delivered:
            return "abortion_ectopic" if self.invented.get("pregnancy_end_date") else "antenatal"
        return "postpartum" if isinstance(arrived, datetime) and born is not None and born < arrived else "antenatal"

    def colours(self) -> list[dict[str, Any]]:
        """Return how the risk was graded."""
        return [
            {"graded_date": self.day(row["date"]), "colour": row["colour"], "graded_by": row.get("by", "@none")}
            for row in self.invented.get("risk_colour_history", ())
        ]

    def owner(self) -> str:
        """Return who manages the special case."""
        return str(self.said("special_case_owner", UNKNOWN))

    def rescue(self) -> list[dict[str, Any]]:
        """Return the rescue."""
        return [
            {"at_dt": self.when(row["t"]), "action": text(row["action"], 1000), **({"role": row["role"]} if row.get("role") else {})}
            for row in self.facts.get("rescue", ())
        ]

    def consultations(self) -> list[dict[str, Any]]:
        """Return who was consulted; what no code says stands in the advice."""
        rows = []
        for row in self.facts.get("consultations", ()):
            code = coded("CS-DISCIPLINE", row["discipline"], "L-multidisciplinary" if "多学科" in row["discipline"] else "L-other")
            rows.append({"discipline": code, "called": self.when(row.get("called", "")), "advice": row["discipline"]})
        return rows

    def babies(self) -> list[dict[str, Any]]:
        """Return what became of the baby."""
        told = self.facts.get("baby_outcome") or []
        made_up = self.invented.get("baby_outcome") or []
        rows = []
        for place in range(max(len(told), len(made_up))):
            row = {**(made_up[place] if place < len(made_up) else {}), **(told[place] if place < len(told) else {})}
            apgar, outcome = row.get("apgar") or {}, str(row.get("outcome", ""))
            lives = "alive_well" if "无并发症" in outcome else "alive_unspecified" if "存活" in outcome else UNKNOWN
            rows.append(
                {
                    "sex": coded("CS-SEX", str(row.get("sex", "")), UNKNOWN),
                    "weight_g": row.get("weight_g", UNKNOWN),
                    "weeks": self.weeks[0],
                    **{f"apgar_{minute}": apgar[minute] for minute in ("1", "5", "10") if minute in apgar},
                    "outcome": coded("CS-BABYOUTCOME", outcome, lives),
                }
            )
        return rows if self.is_delivered else []

    def criteria(self) -> list[dict[str, Any]]:
        """Return the criteria that were met, and those that must be asked for."""
        rows = [
            {
                "criterion": row["code"],
                "answer": "met",
                "first_met_dt": self.when(row.get("first_met", "")),
                "basis": text(row.get("basis"), 200),
                **({} if row.get("value") in (None, "yes") else {"value": f"{row['value']} {row.get('unit', '')}".strip()}),
            }
            for row in self.content["criteria"]
        ]
        known = {row["criterion"] for row in rows}
        rows += [
            {"criterion": row["code"], "answer": "ask", "question": f"已知：{row['value']}。请补充数值、时间或持续时间。"}
            for row in self.content["criteria_not_counted"]
            if "ask" in row["why_not_counted"] and row["code"] not in known
        ]
        return rows

    def autopsy(self) -> str:
        """Return whether there was an autopsy."""
        said = str(self.said("autopsy", "not offered"))
        return AUTOPSY.get(said, said)

    def more(self) -> str:
        """Return what the dossier tells beside the fields of the forms."""
        return text("；".join(row["zh"] for row in self.content.get("facts_without_field", ())), 1000) or "@none"


# ── words and codes ──


def token(kind: str, name: str | None) -> str | None:
    """Return the token that stands for a person or an institution."""
    return f"@{kind} {name}" if name else None


def text(value: Any, most: int) -> str:
    """Return a text that fits a field, with Chinese punctuation."""
    return HALF_WIDTH.sub(lambda found: FULL_WIDTH[found[0]], str(value))[:most] if value else ""


def full_stop(said: str) -> str:
    """Return a sentence with Chinese punctuation and its full stop."""
    plain = text(said, len(said))
    return plain if plain.endswith(("。", "？", "！")) else f"{plain}。"


def yes_no(value: Any) -> str:
    """Return a truth as the code of an answer."""
    return {True: "yes", False: "no"}.get(value, UNKNOWN)


def coded(name: str, said: str, default: str) -> str:
    """Return the code of a word in a code list."""
    return next((code.code for code in codes.lists()[name].codes if said and code.zh == said), default)


def factor(found: Mapping[str, Any]) -> str:
    """Return the factor of CS-FACTOR22 that a finding's cell and level stand for."""
    link, _, aspect = found["cell"].partition("_")
    if link == "care":
        village = found["level"] == "village" and aspect == "management"
        return "22" if village else f"{FACTOR_OF_LEVEL[found['level']] + ASPECTS.index(aspect):02}"
    return f"{({'person': 1, 'other': 19}[link]) + ASPECTS.index(aspect):02}" if aspect != "management" else "22"


def issue_level(found: Mapping[str, Any]) -> str:
    """Return the level at which an issue lies."""
    return str(found.get("level", "village"))


def rec_level(found: Mapping[str, Any]) -> str:
    """Return at which level a recommendation is carried out."""
    levels = {"city": "facility", "county": "facility", "township": "county_system", "village": "community"}
    return levels.get(found.get("level", ""), "patient_family")
