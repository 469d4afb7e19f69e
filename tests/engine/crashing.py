"""What a process does that is killed: hands tasks in, fires clocks, serves pages; each thing done is told after its commit."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import time_machine

from engine import procedures, work_items, worker
from engine.actor import of_person
from engine.transaction import transaction
from engine.workflow import bench
from models import OPEN_STATES, Case, Person, WorkItem
from models.database import Sessions, connect, sessions_of
from web import bench as measured

NUMBERED = "CRASH-"
TASKS = 29  # of a case that nobody disturbs
STEPS = 600  # a process that lives longer than this has met no death


def deploy(sessions: Sessions) -> None:
    """Make the measured procedure the one for near-misses: many kinds of step, each of them fast."""
    with transaction(sessions) as session:
        version = procedures.deploy(session, None, {**bench.files(), "procedure.toml": measured.MANIFEST, "forms/f.json": measured.FORM})
        procedures.activate(session, None, version)


def begin(sessions: Sessions, number: str) -> UUID:
    """Begin a case of it."""
    return measured.begin(sessions, number)[1]


def key_of(item_id: UUID) -> str:
    """Return the key of the command that hands a task in: whoever tries again uses the same."""
    return item_id.hex


def upcoming(sessions: Sessions) -> UUID | None:
    """Return the open task that is handed in next."""
    with transaction(sessions, read_only=True) as session:
        return session.scalar(
            sa.select(WorkItem.id)
            .join(Case, Case.id == WorkItem.case_id)
            .where(WorkItem.state.in_(OPEN_STATES), Case.number.like(f"{NUMBERED}%"))
            .order_by(Case.number, WorkItem.offered_at, WorkItem.id)
            .limit(1)
        )


def hand_in(sessions: Sessions, item_id: UUID) -> work_items.HandedIn:
    """Hand a task in, as the one who does them all."""
    with transaction(sessions) as session:
        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == "tangyining")).one())
        return work_items.hand_in(session, actor, item_id, {"note": "done"}, key=key_of(item_id))


def work(url: str, moment: datetime, told: int) -> None:
    """Hand in task after task, beginning case after case, until killed: `+` and a key for each that is done."""
    with time_machine.travel(moment, tick=True):
        sessions = sessions_of(connect(url))
        for _ in range(STEPS):
            item_id = upcoming(sessions)
            if item_id is None:
                with transaction(sessions, read_only=True) as session:
                    count = session.scalar(sa.select(sa.func.count()).select_from(Case).where(Case.number.like(f"{NUMBERED}%")))
                begin(sessions, f"{NUMBERED}{count:04}")
                continue
            os.write(told, f"?{item_id}\n".encode())
            hand_in(sessions, item_id)
            os.write(told, f"+{item_id}\n".encode())


def fire(url: str, moment: datetime, told: int) -> None:
    """Fire what is due, turn after turn, until killed."""
    with time_machine.travel(moment, tick=True):
        sessions = sessions_of(connect(url))
        while worker.fire_next(sessions):
            os.write(told, b"+turn\n")


def serve(url: str, moment: datetime, told: int) -> None:
    """Serve the pages as `pingshen serve` does, without its worker: `@` and the port."""
    from web import cli, create_app
    from web.settings import Settings

    logging.disable(logging.CRITICAL)
    with time_machine.travel(moment, tick=True):
        sessions = sessions_of(connect(url))
        app = create_app(Settings(realm="demo", database_url=url, secret_key="a key for tests of forty characters long"), sessions)
        server: Any = cli.listen(app, "127.0.0.1", 0, 4)
        os.write(told, f"@{server.effective_port}\n".encode())
        cli.run(server, lambda: None)
