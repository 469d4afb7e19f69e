"""Every page in a real browser: accessible, quiet in the console, never wider than the screen; in both languages, light and dark."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from engine.transaction import transaction
from models import Case, Packet, Record, RectificationItem, WorkItem, WorkItemState
from models import Person as Account
from models.database import Sessions
from tests.browser.conftest import NARROW, WIDE, Person

TASKS = (
    ("tangyining", "verify_report"),
    ("tangyining", "plan_rectification"),
    ("qinhaitang", "fill_card"),
    ("qinhaitang", "hold_discussion"),
    ("fanyunzhi", "visit_scene"),
    ("lujianwei", "give_opinion"),
    ("lujianwei", "sign_conclusion"),
    ("baoyunfei", "review_at_upper_level"),
)
PAGES = {
    "tangyining": (
        "/",
        "/work-items?view=all",
        "/notices",
        "/notices/new",
        "/cases",
        "/conclusions",
        "/rectifications",
        "/procedures",
        "/profiles",
        "/profiles/jieshou",
        "/organisations",
        "/people",
        "/people/tangyining",
        "/messages",
        "/account",
        "/more",
        "/procedures/maternal_death/versions/1",
        "/procedures/maternal_death/versions/1/forms/report_card",
    ),
    "zoushoutian": ("/", "/notices/new"),
    "xushenyan": ("/", "/work-items", "/packets"),
    "xitong": ("/people/new", "/people/tangyining/edit", "/organisations/new", "/incidents", "/calendar"),
    "anquan": ("/people/tangyining",),
    "shenji": ("/journal",),
    "liucheng": (
        "/",
        "/studio",
        "/studio/help",
        "/studio/maternal_death/trials",
        "/bottlenecks/maternal_death",
        "/version-changes/maternal_death/1",
        "/procedures/maternal_death/versions/1",
        "/procedures/maternal_death/versions/1/outline",
    ),
    "renguochang": ("/", "/conclusions", "/accountability", "/rectifications"),
}


def found(sessions: Sessions) -> list[tuple[str, str]]:
    """Return every page with a reader for it: those above, and one of each kind that has a number."""
    with sessions() as session:

        def first(query: Any) -> Any:
            return session.execute(query.limit(1)).scalar()

        number = first(sa.select(Case.number).where(Case.number.is_not(None)).order_by(Case.number))
        record = first(sa.select(Record.id).join(Case, Case.id == Record.case_id).where(Record.form == "case_report", Case.number == number))
        packet = first(sa.select(Packet.number).join(Case, Case.id == Packet.case_id).where(Case.state == "in_review"))
        item = first(sa.select(RectificationItem.number))
        people = dict(session.execute(sa.select(Account.username, Account.id)).all())  # type: ignore[arg-type]
        tasks = [
            (
                username,
                first(
                    sa.select(WorkItem.id)
                    .where(
                        WorkItem.element == element,
                        WorkItem.state.in_((WorkItemState.READY, WorkItemState.RESERVED)),
                        sa.or_(WorkItem.person_id.is_(None), WorkItem.person_id == people[username]),
                    )
                    .order_by(WorkItem.offered_at)
                ),
                element,
            )
            for username, element in TASKS
        ]
    assert number
    assert packet
    assert item
    pages = [(username, path) for username, paths in PAGES.items() for path in paths]
    pages += [
        ("tangyining", f"/cases/{number}"),
        ("tangyining", f"/cases/{number}/records/{record}"),
        ("tangyining", f"/cases/{number}/journal"),
        ("tangyining", f"/cases/{number}/hold"),
        ("tangyining", f"/cases/{number}/reopen"),
        ("xushenyan", f"/packets/{packet}"),
        ("tangyining", f"/rectifications/{item}"),
        ("tangyining", "/nowhere"),
    ]
    return pages + [(username, f"/work-items/{item_id}") for username, item_id, _ in tasks if item_id is not None]


@pytest.mark.parametrize(
    ("size", "language", "theme", "half"),
    [
        (WIDE, "zh-CN", "light", 0),
        (WIDE, "en", "dark", 1),
        (NARROW, "en", "dark", 0),
        (NARROW, "zh-CN", "light", 1),
    ],
    ids=["wide", "wide-english-dark", "phone-english-dark", "phone"],
)
def test_every_page_is_accessible_quiet_and_fits(visit: Any, sessions: Sessions, size: tuple[int, int], language: str, theme: str, half: int) -> None:
    """Each page on both widths, in both languages, light and dark; half of the pages the other way round."""
    with transaction(sessions) as session:
        session.execute(sa.update(Account).values(theme=theme))
    wrong: list[tuple[str, list[str]]] = []
    people: dict[str, Person] = {}
    pages = found(sessions)
    assert len(pages) > 50
    for username, path in pages:
        if username not in people:
            people[username] = visit(username, size, language)
        person = people[username]
        person.open(path)
        faults = person.faults()
        noise = [line for line in person.complaints if not (path == "/nowhere" and "404" in line)]
        person.complaints.clear()
        if faults or noise:
            wrong.append((f"{username} {path}", [*faults, *noise]))
    assert not wrong, "\n".join(f"{page}\n    " + "\n    ".join(lines) for page, lines in wrong)


def test_the_gate_and_signing_in_are_accessible(visit: Any) -> None:
    for size, language in ((WIDE, "zh-CN"), (NARROW, "en")):
        person = visit(None, size, language)
        person.open("/sign-in")
        assert person.faults() == []
        person.page.fill("#username", "tangyining")
        person.page.fill("#password", "wrong")
        person.page.press("#password", "Enter")
        person.page.wait_for_selector("[role=alert]")
        assert person.faults() == []


def test_the_diagram_is_lit_and_its_mark_is_in_sight(visit: Any, sessions: Sessions) -> None:
    with sessions() as session:
        number = session.scalar(sa.select(Case.number).where(Case.state == "in_review"))
    page = visit("tangyining").open(f"/cases/{number}")
    page.wait_for_selector(".canvas .is-current")
    assert page.locator(".canvas .is-done").count() > 3
    mark = page.locator(".canvas .bjs-powered-by")
    box = mark.bounding_box()
    assert box is not None
    over = (
        page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y)?.closest('.bjs-powered-by') !== null",
            [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
        )
        if page.viewport_size and box["y"] + box["height"] < page.viewport_size["height"]
        else True
    )
    assert over
    page.select_option("#which", label="评审")
    page.wait_for_selector(".canvas [data-element-id='draft_conclusion']")
    page.click("[data-zoom=in]")
    page.click("[data-diagram-toggle]")
    assert not page.locator(".canvas").is_visible()
    assert page.locator("ol.walk").first.is_visible()
