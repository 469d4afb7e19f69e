"""`pingshen work` on PostgreSQL: several workers share what is due; one that is killed leaves nothing undone and nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine

from engine import calendars, trials
from engine.actor import of_person
from engine.transaction import transaction
from models import Case, Deadline, DeadlineKind, Installation, JournalEntry, Message, Person, Trial, TrialKind, TrialState
from models.database import connect, sessions_of
from tests.conftest import START
from tests.postgres import Postgres
from web.demo.player import Player, Script, Stage, play

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60


@pytest.fixture
def filled(postgres: Postgres, postgres_template: str) -> Iterator[tuple[str, datetime]]:
    """A PostgreSQL database in which four cases wait for somebody, and their present."""
    with postgres.database(postgres_template) as url:
        present = START + timedelta(days=45)
        with time_machine.travel(START, tick=False) as traveller:
            calendars.forget()
            engine = connect(url)
            stage = Stage(sessions_of(engine), traveller.move_to)
            steps = {"fill_card": 3, "report_case": 3, "verify_report": 8, "give_opinion": 40}
            players = [Player(stage, Script(event=present - timedelta(days=days), leaves=(step,))) for step, days in steps.items()]
            for _ in play(stage, players, until=present):
                pass
            engine.dispose()
        yield url, present


def worker(url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PINGSHEN_DATABASE_URL": url, "PINGSHEN_REALM": "demo", "PINGSHEN_LOG_LEVEL": "WARNING"}
    return subprocess.Popen([sys.executable, "-m", "web.cli", "work", "--concurrency", "2"], cwd=ROOT, env=environment)


def test_workers_share_what_is_due_and_a_killed_one_is_not_missed(filled: tuple[str, datetime]) -> None:
    url, moment = filled
    engine = connect(url)
    sessions = sessions_of(engine)
    later = moment + timedelta(days=40)
    with transaction(sessions) as session:
        session.execute(sa.update(Installation).values(clock_ahead_s=round((later - datetime.now(UTC)).total_seconds())))
        due = session.scalar(sa.select(sa.func.count()).select_from(Deadline).where(Deadline.next_at <= later))
        told = session.scalar(sa.select(sa.func.count()).select_from(Message))
        administrator = of_person(session, session.scalars(sa.select(Person).where(Person.username == "liucheng")).one())
        trials.start(session, administrator, "maternal_death", TrialKind.REPLAY, {})
    assert due
    assert told is not None
    first, second = worker(url), worker(url)
    try:
        last, killed = time.monotonic() + SECONDS, False
        while True:
            with transaction(sessions, read_only=True) as session:
                left = session.scalar(sa.select(sa.func.count()).select_from(Deadline).where(Deadline.next_at <= later)) or 0
                left += trials.is_waiting(session)
            if left == 0:
                break
            assert time.monotonic() < last, f"{left} of {due} are still due"
            assert second.poll() is None, "the worker ended by itself"
            if not killed and left < due:
                first.kill()
                killed = True
            time.sleep(0.1)
    finally:
        first.kill()
        first.wait(timeout=20)
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=20) == 0
    with transaction(sessions, read_only=True) as session:
        now_told = session.execute(sa.select(Message.person_id, Message.once)).all()
        warned = session.execute(sa.select(JournalEntry.object_id, JournalEntry.action).where(JournalEntry.action.startswith("deadline:"))).all()
        overdue = session.scalars(
            sa.select(Deadline.id).where(
                Deadline.kind == DeadlineKind.LIMIT, Deadline.due_at <= later, Deadline.met_at.is_(None), Deadline.withdrawn_at.is_(None)
            )
        ).all()
        assert session.scalar(sa.select(sa.func.count()).select_from(Case)) == 4
        assert session.scalars(sa.select(Trial.state)).all() == [TrialState.DONE]
    engine.dispose()
    assert len(now_told) > told
    assert max(Counter(now_told).values()) == 1
    assert max(Counter(warned).values()) == 1
    assert {row for row, _action in warned} >= set(overdue)
