"""Every route names its permission and is tried by everybody of the cast."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from jinja2 import BytecodeCache

from engine.permissions import PERMISSIONS
from models import (
    AccountabilityFile,
    Attachment,
    Case,
    Incident,
    JournalEntry,
    Notice,
    Packet,
    Person,
    Profile,
    Record,
    RectificationItem,
    Role,
    WorkItem,
)
from models.database import Sessions
from tests.web.conftest import Browser, make_app
from web import Application, guards

CAST = {
    Role.VILLAGE_REPORTER: "zoushoutian",
    Role.TOWNSHIP_REPORTER: "fangjingshu",
    Role.FACILITY_REPORTER: "qinhaitang",
    Role.QC_OFFICER: "tangyining",
}
OPEN = {"sign_in.show", "sign_in.enter", "assets", "alive", "static"}
UNFINISHED = {"sign_in.leave", "sign_in.second_factor", "sign_in.new_password"}


def one_of_each_role(sessions: Sessions) -> dict[str, frozenset[Role]]:
    """Return people who together hold every role, with their roles."""
    with sessions() as session:
        people = {
            person.username: frozenset(post.role for post in person.appointments)
            for person in session.scalars(sa.select(Person).options(sa.orm.selectinload(Person.appointments)))
        }
    chosen: dict[str, frozenset[Role]] = {}
    for role in Role:
        if not any(role in roles for roles in chosen.values()):
            name = min((name for name, roles in people.items() if role in roles), key=lambda name: len(people[name]))
            chosen[name] = people[name]
    assert frozenset().union(*chosen.values()) == set(Role)
    return chosen


def values(sessions: Sessions) -> dict[str, Any]:
    """Return a real value for every place in an address."""
    with sessions() as session:

        def first(column: Any) -> Any:
            return session.scalar(sa.select(column).where(column.is_not(None)).limit(1))

        return {
            "reference": first(Case.number),
            "item_id": first(WorkItem.id),
            "record_id": first(Record.id),
            "attachment_id": first(Attachment.id),
            "username": "tangyining",
            "code": "LZ-FY",
            "process": "maternal_death",
            "message": "new_facts",
            "version": 1,
            "form_key": "report_card",
            "number": first(Packet.number),
            "appointment_id": uuid.uuid4(),
            "message_id": uuid.uuid4(),
            "key": first(Profile.key),
            "year": 2026,
            "notice": first(Notice.number),
            "item": first(RectificationItem.number),
            "file": first(AccountabilityFile.number) or "none",
            "incident": first(Incident.number) or "none",
            "row_id": uuid.uuid4(),
            "person_id": uuid.uuid4(),
            "path": "maternal_death.bpmn",
            "element": "close_case",
            "what": "after",
            "task_id": uuid.uuid4(),
            "trial_id": uuid.uuid4(),
            "side": "old",
            "other": 1,
            "format": "docx",
        }


def test_every_route_names_who_may_see_it(app: Application) -> None:
    unnamed = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in ("assets", "alive") and not hasattr(app.view_functions[rule.endpoint], "guard")
    ]
    assert unnamed == []
    anybody = {rule.endpoint for rule in app.url_map.iter_rules() if getattr(app.view_functions[rule.endpoint], "guard", None) == guards.ANYBODY}
    assert anybody == {"sign_in.show", "sign_in.enter", "account.language"}


def test_a_route_that_names_nobody_is_refused_to_everybody(filled_url: str, sessions: Sessions, templates: BytecodeCache) -> None:
    app = make_app(filled_url, sessions, templates)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    assert Browser(app).sign_in("tangyining").get("/forgotten").status_code == 403
    assert Browser(app).get("/forgotten").status_code == 401


def test_nobody_who_is_not_signed_in_gets_anything_but_the_gate(app: Application, sessions: Sessions, browse: Any) -> None:
    nobody, known = browse(), values(sessions)
    token = nobody.token()
    for rule, path in paths(app, known):
        if rule.endpoint in OPEN | {"account.language"}:
            continue
        for method in rule.methods & {"GET", "POST"}:
            answer = nobody.client.open(path, method=method, data={"csrf_token": token} if method == "POST" else None)
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert "password" in answer.text


def paths(app: Application, known: dict[str, Any]) -> list[tuple[Any, str]]:
    """Return every route with an address filled with real values."""
    found = []
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            filled = {name: _value(rule, name, known) for name in rule.arguments}
            found.append((rule, adapter.build(rule.endpoint, filled, method=next(iter(rule.methods - {"HEAD", "OPTIONS"})))))
    return found


def _value(rule: Any, name: str, known: dict[str, Any]) -> Any:
    area = rule.endpoint.split(".")[0]
    if name == "number":
        return {
            "rectifications": known["item"],
            "notices": known["notice"],
            "accountability": known["file"],
            "incidents": known["incident"],
            "procedures": 1,
            "outlines": 1,
            "comparisons": 1,
            "version_changes": 1,
            "manuals": 1,
            "trials": known["reference"],
            "conclusions": known["reference"],
        }.get(area, known["number"])
    if name == "key" and area in ("outlines", "procedures", "comparisons", "version_changes", "bottlenecks", "event_logs", "manuals", "trials"):
        return "maternal_death"
    if name == "digest":
        return "0"
    if name == "name" and area == "trials":
        return "straight"
    if name == "name":
        return "app.js"
    return known[name]


def cast(sessions: Sessions) -> list[tuple[str, frozenset[Role]]]:
    return sorted(one_of_each_role(sessions).items())


@pytest.mark.parametrize("place", range(14))
def test_everybody_sees_exactly_what_their_roles_allow(app: Application, sessions: Sessions, browse: Any, place: int) -> None:
    """Reading and writing: a route is refused with 403 if and only if no role of the person grants one of its permissions."""
    people, known = cast(sessions), values(sessions)
    for username, roles in people[place::14]:
        granted = frozenset().union(*(PERMISSIONS[role] for role in roles))
        browser: Browser = browse(username)
        token = browser.token("/account")
        journal = count(sessions)
        for rule, path in paths(app, known):
            guard = getattr(app.view_functions[rule.endpoint], "guard", None)
            if rule.endpoint in OPEN | UNFINISHED | {"account.language", "account.end_session"}:
                continue
            allowed = guard == guards.SIGNED_IN or (isinstance(guard, tuple) and bool(granted & set(guard)))
            for method in sorted(rule.methods & {"GET", "POST"}):
                answer = browser.client.open(path, method=method, data={"csrf_token": token} if method == "POST" else None)
                assert answer.status_code < 500, (username, method, path, answer.status_code)
                if not allowed:
                    assert answer.status_code == 403, (username, method, path, answer.status_code)
                    assert "您现在不能办理" in answer.text
                else:
                    assert answer.status_code != 403 or method == "POST", (username, method, path)
        assert not [entry for entry in writes(sessions, journal) if entry.actor_id is None]


def count(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalar(sa.select(sa.func.max(JournalEntry.id))) or 0


def writes(sessions: Sessions, after: int) -> list[JournalEntry]:
    with sessions() as session:
        return list(session.scalars(sa.select(JournalEntry).where(JournalEntry.id > after)))
