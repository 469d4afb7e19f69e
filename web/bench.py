"""`pingshen bench engine` on a database: the same procedure, every task handed in as a person would, statements counted."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from engine import cases, clock, installation, procedures, work_items
from engine.actor import Actor, of_person
from engine.transaction import transaction
from engine.workflow import bench
from models import OPEN_STATES, CaseKind, Organisation, Person, Realm, WorkItem
from models.database import Sessions, connect, sessions_of
from models.upgrading import upgrade
from web.demo import places

MANIFEST = b"""key = "bench"
name = "bench"
name_en = "bench"
case_kind = "maternal_near_miss"
main = "bench"
shared = []
forms = ["f"]
"""
FORM = (
    b'{"type": "default", "id": "f", "schemaVersion": 18, "components": [{"type": "textfield", "id": "Field_note", "key": "note", "label": "note"}],'
    b' "pingshen": {"title": "f", "title_en": "f", "audience": "case"}}'
)


@contextmanager
def counted(engine: sa.Engine) -> Iterator[dict[str, int]]:
    """Count statements and commits on a database."""
    found = {"statements": 0, "commits": 0}

    def statement(*_: object) -> None:
        found["statements"] += 1

    def commit(_: object) -> None:
        found["commits"] += 1

    sa.event.listen(engine, "before_cursor_execute", statement)
    sa.event.listen(engine, "commit", commit)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", statement)
        sa.event.remove(engine, "commit", commit)


def report(database_url: str = "") -> list[str]:
    """Walk a case of the measured procedure on a database and return the line to print."""
    with tempfile.TemporaryDirectory(prefix="pingshen-bench-") as folder:
        engine = connect(database_url or f"sqlite:///{Path(folder) / 'bench.db'}")
        try:
            return [_line(engine, *_walk(engine))]
        finally:
            engine.dispose()


def _line(engine: sa.Engine, seconds: list[float], statements: list[int], commits: list[int]) -> str:
    return (
        f"on {engine.dialect.name}: {len(seconds)} tasks handed in, {statistics.median(seconds) * 1000:.1f} ms each (median); "
        f"{statistics.median(statements):.0f} SQL statements (at most {max(statements)}), {max(commits)} commit"
    )


def begin(sessions: Sessions, number: str) -> tuple[Actor, UUID]:
    """Begin a case of the benchmark's procedure. Returns who works on it, and its key."""
    with transaction(sessions) as session:
        actor = of_person(session, session.scalars(sa.select(Person).where(Person.username == "tangyining")).one())
        owner = session.scalars(sa.select(Organisation).where(Organisation.code == "LZ-FY")).one()
        now = clock.now()
        kind = CaseKind.MATERNAL_NEAR_MISS
        case = cases.begin(session, actor, kind, owner=owner, facility=None, township=None, event_at=now, clock_start_at=now)
        case.number, case.opened_at = number, now
        cases.walk(session, actor, case, bench.VARIABLES)
        return actor, case.id


def _walk(engine: sa.Engine) -> tuple[list[float], list[int], list[int]]:
    upgrade(engine)
    sessions = sessions_of(engine)
    with transaction(sessions) as session:
        installation.begin(session, Realm.DEMO)
        places.settle(session)
        version = procedures.deploy(session, None, {**bench.files(), "procedure.toml": MANIFEST, "forms/f.json": FORM})
        procedures.activate(session, None, version)
    seconds, statements, commits = [], [], []
    actor, case_id = begin(sessions, "BENCH-1")
    waiting = sa.select(WorkItem.id).where(WorkItem.case_id == case_id, WorkItem.state.in_(OPEN_STATES)).order_by(WorkItem.offered_at, WorkItem.id)
    while True:
        with transaction(sessions, read_only=True) as session:
            item_id: Any = session.scalar(waiting.limit(1))
        if item_id is None:
            return seconds, statements, commits
        with counted(engine) as found:
            began = time.perf_counter()
            with transaction(sessions) as session:
                work_items.hand_in(session, actor, item_id, {"note": "done"}, key=uuid4().hex)
            seconds.append(time.perf_counter() - began)
        statements.append(found["statements"])
        commits.append(found["commits"])
