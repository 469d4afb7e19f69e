"""Fills a demonstration: a made-up city, and published cases that stand at different points of their course."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from engine import cases, clock, installation, journal
from engine.limits import WorkingCalendar
from engine.transaction import transaction
from models import Case, Installation, JournalEntry, Notice, Realm, Role
from models.database import Sessions
from web.demo import dossiers, places
from web.demo.player import Player, Script, Stage, play

DONE = "demo:load"
BEFORE = timedelta(days=90)  # the city is settled this long before the present


@dataclass(frozen=True)
class Standing:
    """Where a case of the demonstration stands.

    Attributes:
        dossier: Whose course it is.
        days: How many days before the present she died; the hour is the dossier's.
        hours: Or how many hours.
        steps: What differs from the usual course, given the present.
        leaves: Steps that nobody has done yet.
    """

    name: str
    dossier: str
    days: int = 0
    hours: float = 0
    steps: Callable[[_Moments, dossiers.Dossier], list[dict[str, Any]]] | None = None
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Moments:
    """Moments counted from the present in working days, so that a demonstration looks the same after every weekend."""

    now: datetime
    calendar: WorkingCalendar

    def at(self, working_days: int, hour: str) -> datetime:
        """Return an hour of the working day so many working days from today; negative is before."""
        today = self.now.astimezone(clock.zone()).date()
        day = self.calendar.add_working_days(today, working_days)
        return datetime.combine(day, time.fromisoformat(hour), clock.zone())


def _in_review(moments: _Moments, dossier: dossiers.Dossier) -> list[dict[str, Any]]:
    """The packet is with the panel, the sitting is set; two opinions are in."""
    return [
        {"element": "arrange_sitting", "at": moments.at(-3, "10:05"), "answers": {"meeting_dt": moments.at(2, "14:30")}},
        {"element": "give_opinion", "leave": True},
        *(
            {"element": "declare", "person": person, "at": moments.at(-3, hour)}
            for person, hour in (
                ("xushenyan", "11:20"),
                ("wenrenchu", "12:35"),
                ("lujianwei", "15:40"),
                ("morushi", "17:10"),
                ("yechengxuan", "20:25"),
            )
        ),
        {"element": "give_opinion", "person": "lujianwei", "leave": False, "at": moments.at(-2, "20:10"), "answers": dossier.opinion(0)},
        {"element": "give_opinion", "person": "morushi", "leave": False, "at": moments.at(-1, "21:05"), "answers": dossier.opinion(1)},
    ]


def _signing(moments: _Moments, dossier: dossiers.Dossier) -> list[dict[str, Any]]:
    """The meeting was held, the facility has answered; one member has signed."""
    return [
        {"element": "arrange_sitting", "answers": {"meeting_dt": moments.at(-4, "14:30")}},
        *_opinions(dossier),
        {"element": "draft_conclusion", "at": moments.at(-3, "16:20")},
        {"element": "reply_facts", "at": moments.at(-2, "11:10")},
        {"element": "sign_conclusion", "leave": True},
        {"element": "sign_conclusion", "person": "lujianwei", "leave": False, "at": moments.at(-1, "12:40")},
    ]


def _rectifying(moments: _Moments, dossier: dossiers.Dossier) -> list[dict[str, Any]]:
    """The plan is approved: one item waits to be verified, one is under way, one asks for more time and waits too long."""
    return [
        *_opinions(dossier),
        {"element": "do_item", "item": 1, "at": moments.at(-2, "10:30")},
        {"element": "verify_item", "leave": True},
        {"element": "do_item", "item": 2, "leave": True},
        {
            "element": "do_item",
            "item": 3,
            "at": moments.at(-7, "15:20"),
            "answers": {
                "wanted": "extension",
                "new_due": "@today+P75D",
                "extension_reason": "与外单位的协议还在会签，顺延一个月。",
                "evidence": [],
                "progress": [],
            },
        },
        {"element": "rule_on_request", "leave": True},
    ]


def _closed(_moments: _Moments, dossier: dossiers.Dossier) -> list[dict[str, Any]]:
    """Everything is done."""
    return _opinions(dossier)


def _opinions(dossier: dossiers.Dossier) -> list[dict[str, Any]]:
    """Each member has an opinion of their own."""
    panel = ("xushenyan", "wenrenchu", "lujianwei", "morushi", "yechengxuan")
    return [{"element": "give_opinion", "person": person, "answers": dossier.opinion(place)} for place, person in enumerate(panel)]


STANDINGS = (
    Standing("closed", "md-01-amniotic-fluid-embolism", days=75, steps=_closed),
    Standing("rectifying", "md-02-puerperal-streptococcal-sepsis", days=47, steps=_rectifying),
    Standing("signing", "md-04-eclampsia-subarachnoid-haemorrhage", days=20, steps=_signing, leaves=("sign_as_chair",)),
    Standing("in_review", "md-06-massive-pulmonary-embolism", days=16, steps=_in_review),
    Standing("overdue", "md-03-atonic-haemorrhage-late-referral", hours=66, leaves=("report_case",)),
    Standing("new", "md-05-acute-fatty-liver-second-trimester", hours=3, leaves=("check_duplicate",)),
)


@dataclass
class Summary:
    """What a demonstration was filled with: each standing with the number of its case, or of its notice before it has one."""

    numbers: dict[str, str] = field(default_factory=dict)
    acts: int = 0


def load(
    sessions: Sessions,
    *,
    now: datetime | None = None,
    move: Callable[[datetime], None] | None = None,
    say: Callable[[str], object] = str,
) -> Summary:
    """Settle the city, deploy the procedures and play the cases up to the present.

    An interrupted load goes on where it stopped; a finished one is never touched again.

    Args:
        sessions: Of a database that is at the newest migration.
        now: The present of the demonstration; by default the clock's.
        move: Sets the present while the cases are played; by default the clock is moved, and set right at the end.
        say: Told what is being done.
    """
    ahead = clock.now() - datetime.now(UTC)
    present = now or clock.now()
    try:
        _furnish(sessions, present, move or _move, say)
        stage = Stage(sessions, move or _move)
        if _is_done(sessions):
            return _summary(sessions, 0)
        say("playing the cases")
        (move or _move)(_latest(sessions))
        players = [_player(sessions, stage, standing, present) for standing in STANDINGS]
        acts = sum(1 for _ in play(stage, players, until=present))
        with transaction(sessions) as session:
            journal.record(session, None, DONE, cases=len(players))
        return _summary(sessions, acts)
    finally:
        if move is None:
            clock.set_ahead(round(ahead.total_seconds()))


def _move(to: datetime) -> None:
    """Let the clock show a moment, rounded up to a second so that what is due then is due."""
    clock.set_ahead(math.ceil((to - datetime.now(UTC)).total_seconds()))


def _furnish(sessions: Sessions, present: datetime, move: Callable[[datetime], None], say: Callable[[str], object]) -> None:
    """Make an empty database a city that has been at work for a while."""
    with transaction(sessions) as session:
        if session.scalar(sa.select(Installation)) is not None:
            return
        say("settling the city: profiles, calendar, procedures, people")
        move(present - BEFORE)
        installation.begin(session, Realm.DEMO)
        places.settle(session)


def _player(sessions: Sessions, stage: Stage, standing: Standing, present: datetime) -> Player:
    """Return the player of a case, begun already when an earlier load was interrupted."""
    content = dossiers.read(standing.dossier)
    with transaction(sessions, read_only=True) as session:
        begun = session.scalar(sa.select(Case).join(Notice, Notice.case_id == Case.id).where(Notice.command_key == _key(standing)))
    if begun is not None:
        event = begun.event_at
    elif standing.hours:
        event = (present - timedelta(hours=standing.hours)).replace(second=0, microsecond=0)
    else:
        died = dossiers.Dossier(content).died
        day = present.astimezone(clock.zone()).date() - timedelta(days=standing.days)
        event = datetime.combine(day, died.time(), clock.zone())
    dossier = dossiers.Dossier(content, event)
    reporter = dossiers.places().holder(dossier.facility or "", Role.FACILITY_REPORTER.value)
    script = Script(
        event=event,
        notice={"by": reporter, "after": _told_after(dossier), "key": _key(standing)},
        leaves=standing.leaves,
        steps=standing.steps(_Moments(present, stage.calendar), dossier) if standing.steps else (),
        answers=dossier.answers(),
    )
    return Player(stage, script, begun.id if begun is not None else None)


def _told_after(dossier: dossiers.Dossier) -> str:
    """Return how long after the death the facility called."""
    called = dossier.moment("notice_dt")
    minutes = int((called - dossier.event) / timedelta(minutes=1)) if called else 45
    return f"PT{max(5, minutes)}M"


def _key(standing: Standing) -> str:
    return f"demo:{standing.dossier}"


def _latest(sessions: Sessions) -> datetime:
    """Return the last moment at which something happened."""
    with transaction(sessions, read_only=True) as session:
        return session.scalars(sa.select(sa.func.max(JournalEntry.at))).one()


def _is_done(sessions: Sessions) -> bool:
    with transaction(sessions, read_only=True) as session:
        return session.scalar(sa.select(sa.exists().where(JournalEntry.action == DONE))) is True


def _summary(sessions: Sessions, acts: int) -> Summary:
    with transaction(sessions, read_only=True) as session:
        found: Mapping[str, Case] = {
            notice.command_key: session.get_one(Case, notice.case_id)
            for notice in session.scalars(sa.select(Notice).where(Notice.command_key.in_([_key(standing) for standing in STANDINGS])))
            if notice.command_key
        }
        return Summary({standing.name: cases.reference(session, found[_key(standing)]) for standing in STANDINGS if _key(standing) in found}, acts)
