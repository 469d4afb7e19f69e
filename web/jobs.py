"""Work in the background: one loop inside the server on SQLite, Procrastinate's workers on PostgreSQL.

What is due stands in our own tables; a job only says "look at this case now". So a lost job is found again by the next
sweep, a doubled one finds nothing to do, and a worker killed half-way leaves a rolled back transaction behind.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import procrastinate
import sqlalchemy as sa
from procrastinate.exceptions import AlreadyEnqueued

from engine import clock, messages, trials, worker
from engine.transaction import transaction
from models import Installation
from web import anchors

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.database import Sessions
    from web.settings import Settings

log = logging.getLogger("pingshen.worker")
SCHEMA = "procrastinate"
EVERY_SECONDS = "*/10"
QUEUE = "pingshen"


def read_demo_clock(session: Session) -> None:
    """Look at how far a demonstration's clock was moved."""
    clock.set_ahead(session.scalar(sa.select(Installation.clock_ahead_s)) or 0)


def before_each_turn(settings: Settings) -> Callable[[Session], None]:
    """Return what a worker's loop does first in each turn: look at a demonstration's clock, keep the end of the journal."""

    def do(session: Session) -> None:
        if settings.is_demo:
            read_demo_clock(session)
        keep_anchor(session, settings)

    return do


def keep_anchor(session: Session, settings: Settings) -> None:
    """Keep the end of the journal where the settings say, if it is time; a file that cannot be written stops nothing else."""
    if settings.anchor_file:
        try:
            anchors.keep(session, Path(settings.anchor_file))
        except (OSError, ValueError) as error:
            log.warning("the end of the journal was not kept: %s", type(error).__name__)


def start_loop(
    sessions: Sessions, deliver: messages.Deliverer | None, *, every_s: float = 5.0, before: Callable[[Session], None] | None = None
) -> Callable[[], None]:
    """Start the loop in a thread of its own. Returns what stops it after the turn it is in."""
    stop = threading.Event()
    thread = threading.Thread(
        target=worker.loop,
        args=(sessions, deliver, stop),
        name="pingshen-worker",
        daemon=True,
        kwargs={"every_s": every_s, "before": before},
    )
    thread.start()

    def finish() -> None:
        stop.set()
        thread.join(timeout=10)

    return finish


def prepare(engine: sa.Engine) -> None:
    """Make Procrastinate's tables in a schema of their own, once; on SQLite there is nothing to make."""
    if engine.dialect.name != "postgresql":
        return
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x4A6F6273})
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        if connection.scalar(sa.text(f"SELECT to_regclass('{SCHEMA}.procrastinate_jobs')")) is None:
            connection.exec_driver_sql(f"SET LOCAL search_path TO {SCHEMA}")
            cursor = connection.connection.cursor()
            cursor.execute(procrastinate.schema.SchemaManager.get_schema())
            cursor.close()


def application(settings: Settings, sessions: Sessions, deliver: messages.Deliverer | None) -> procrastinate.App:
    """Return the workers' tasks: a sweep that finds what is due, a turn per case, a run through the outbox, one through the trials."""
    address = sa.make_url(settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address, kwargs={"options": f"-c search_path={SCHEMA}"}))

    @app.task(name="turn", queue=QUEUE)
    def turn(case_id: str) -> None:
        while worker.fire_next(sessions, UUID(case_id)):
            pass

    @app.task(name="send", queue=QUEUE)
    def send() -> None:
        while worker.send_next(sessions, deliver):
            pass

    @app.task(name="trial", queue=QUEUE)
    def trial() -> None:
        while trials.advance(sessions):
            pass

    def ask(task: procrastinate.tasks.Task, lock: str, **arguments: str) -> None:
        with contextlib.suppress(AlreadyEnqueued):
            task.configure(queueing_lock=lock).defer(**arguments)

    @app.periodic(cron=f"* * * * * {EVERY_SECONDS}")
    @app.task(name="sweep", queue=QUEUE, queueing_lock="sweep", pass_context=False)
    def sweep(timestamp: int) -> None:  # noqa: ARG001 - the scheduler passes it
        with transaction(sessions, read_only=True) as session:
            due, waiting, tried = worker.due_cases(session), messages.is_waiting(session), trials.is_waiting(session)
        for case_id in due:
            ask(turn, f"case:{case_id}", case_id=str(case_id))
        if waiting:
            ask(send, "send")
        if tried:
            ask(trial, "trial")

    @app.periodic(cron="*/10 * * * *")
    @app.task(name="anchor", queue=QUEUE, queueing_lock="anchor", pass_context=False)
    def anchor(timestamp: int) -> None:  # noqa: ARG001 - the scheduler passes it
        with transaction(sessions, read_only=True) as session:
            keep_anchor(session, settings)

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="tidy", queue=QUEUE, queueing_lock="tidy", pass_context=True)
    async def tidy(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001 - the scheduler passes it
        """Forget the jobs of workers that died: what they were to do is found again by the sweep."""
        for job in await context.app.job_manager.get_stalled_jobs():
            await context.app.job_manager.finish_job(job, status=procrastinate.jobs.Status.FAILED, delete_job=True)

    return app


def work(settings: Settings, sessions: Sessions, deliver: messages.Deliverer | None, *, concurrency: int = 4, wait: bool = True) -> None:
    """Work until told to stop; with `wait=False` only until nothing is left to do."""
    app = application(settings, sessions, deliver)
    with app.open():
        app.run_worker(queues=[QUEUE], concurrency=concurrency, wait=wait, delete_jobs="always", fetch_job_polling_interval=2.0)
