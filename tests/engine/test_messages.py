"""The outbox: told once, sent after the commit, tried again at growing distances, without anything that identifies."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import clock, messages, people, subjects, worker
from engine.messages import MAX_ATTEMPTS
from engine.transaction import transaction
from models import Message, Role, WorkItem
from tests.engine.conftest import At
from tests.engine.test_numbers import in_threads
from tests.worlds import World


def wrote(world: World, *usernames: str, once: str = "event:1", **detail: Any) -> int:
    return messages.write(world.session, [world.person(name).id for name in usernames], "told", once, case_id=None, **detail)


def kept(world: World) -> list[Message]:
    return sorted(world.rows(Message), key=lambda row: (row.written_at, str(row.person_id)))


def test_an_event_is_told_once_to_each_person(begun: World) -> None:
    assert wrote(begun, "tangyining", "linshuhe", "tangyining", limit="case_report") == 2
    assert wrote(begun, "tangyining", "linshuhe", "gaohuairen", limit="case_report") == 1
    assert wrote(begun, "tangyining", once="event:2") == 1
    assert len(kept(begun)) == 4
    assert kept(begun)[0].detail == {"limit": "case_report"}


def test_nobody_is_told_nothing(begun: World) -> None:
    assert wrote(begun) == 0
    assert kept(begun) == []


def test_what_is_rolled_back_is_not_told(begun: World) -> None:
    with begun.session.begin_nested() as nested:
        wrote(begun, "tangyining")
        nested.rollback()
    assert kept(begun) == []
    assert wrote(begun, "tangyining") == 1


def test_two_commands_at_once_tell_an_event_once(copy_at: At) -> None:
    world = copy_at()
    person = world.person("tangyining").id
    world.session.rollback()

    def tell() -> None:
        for number in range(10):
            with transaction(world.sessions) as session:
                messages.write(session, [person], "told", f"event:{number}")

    in_threads(tell, tell)
    assert len(kept(world)) == 10


def test_the_inbox_shows_unread_ones_first_and_the_newest_of_them_first(begun: World) -> None:
    for number in range(4):
        wrote(begun, "tangyining", once=f"event:{number}")
        begun.move(timedelta(minutes=1))
    wrote(begun, "linshuhe", once="event:9")
    person = begun.person("tangyining").id
    newest = messages.inbox(begun.session, person)[0]
    messages.mark_read(begun.session, person, newest.id)
    begun.session.expire_all()
    found = messages.inbox(begun.session, person)
    assert [row.once for row in found] == ["event:2", "event:1", "event:0", "event:3"]
    assert messages.unread(begun.session, person) == 3
    assert len(messages.inbox(begun.session, person, limit=2)) == 2
    messages.mark_read(begun.session, person)
    assert messages.unread(begun.session, person) == 0
    assert messages.unread(begun.session, begun.person("linshuhe").id) == 1


def test_another_person_s_message_cannot_be_marked(begun: World) -> None:
    wrote(begun, "tangyining")
    messages.mark_read(begun.session, begun.person("linshuhe").id, kept(begun)[0].id)
    assert messages.unread(begun.session, begun.person("tangyining").id) == 1


# ── sending ──


class Post:
    """Takes messages, or fails as long as it is told to."""

    def __init__(self, fails: int = 0) -> None:
        self.taken: list[UUID] = []
        self.fails = fails

    def __call__(self, message: Message) -> None:
        assert message.person.username
        if self.fails:
            self.fails -= 1
            raise ConnectionRefusedError("no post today")
        self.taken.append(message.id)


def send(world: World, post: Post) -> int:
    """Send everything that waits; return how many attempts were made."""
    attempts = 0
    while worker.send_next(world.sessions, post):
        attempts += 1
    return attempts


def test_a_message_is_sent_once_after_the_commit(begun: World) -> None:
    wrote(begun, "tangyining", "linshuhe")
    begun.session.commit()
    post = Post()
    assert send(begun, post) == 2
    assert send(begun, post) == 0
    assert len(set(post.taken)) == 2
    assert all(row.sent_at == clock.now() and row.next_at is None for row in kept(begun))


def test_what_could_not_be_sent_is_tried_again_at_growing_distances_and_given_up_in_the_end(begun: World) -> None:
    wrote(begun, "tangyining")
    begun.session.commit()
    post, waits = Post(fails=99), []
    for _ in range(MAX_ATTEMPTS):
        assert send(begun, post) == 1
        assert send(begun, post) == 0
        following = kept(begun)[0].next_at
        if following is not None:
            waits.append(following - clock.now())
            begun.move(waits[-1] - timedelta(seconds=1))
            assert send(begun, post) == 0
            begun.move(timedelta(seconds=1))
    assert waits == [timedelta(minutes=2**attempt) for attempt in range(1, MAX_ATTEMPTS)]
    begun.move(timedelta(days=30))
    assert send(begun, post) == 0
    row = kept(begun)[0]
    assert (row.attempts, row.sent_at) == (MAX_ATTEMPTS, None)
    assert messages.unread(begun.session, row.person_id) == 1  # it still stands in the person's list


def test_a_message_that_fails_does_not_hold_the_others_up(begun: World) -> None:
    for number in range(3):
        wrote(begun, "tangyining", once=f"event:{number}")
    begun.session.commit()
    post = Post(fails=1)
    assert send(begun, post) == 3
    assert len(post.taken) == 2
    begun.move(timedelta(minutes=2))
    assert send(begun, post) == 1
    assert len(set(post.taken)) == 3


def test_without_a_post_messages_are_read_in_the_list_alone(begun: World) -> None:
    wrote(begun, "tangyining")
    begun.session.commit()
    assert worker.send_next(begun.sessions, None)
    assert kept(begun)[0].next_at is None
    assert not messages.is_waiting(begun.session)


def test_a_message_waits_until_it_is_due(begun: World) -> None:
    wrote(begun, "tangyining")
    assert messages.is_waiting(begun.session)
    begun.session.execute(sa.update(Message).values(next_at=clock.now() + timedelta(minutes=1)))
    assert not messages.is_waiting(begun.session)
    assert messages.claim_next(begun.session) is None


def test_a_sender_that_dies_half_way_leaves_the_message_to_the_next(begun: World) -> None:
    """It was claimed, committed, and the process ended before the post took it."""
    wrote(begun, "tangyining")
    assert messages.claim_next(begun.session) is not None
    begun.session.commit()
    post = Post()
    assert send(begun, post) == 0
    begun.move(timedelta(minutes=2))
    assert send(begun, post) == 1
    assert len(post.taken) == 1


def test_two_senders_take_each_message_once(copy_at: At) -> None:
    world = copy_at()
    for number in range(12):
        wrote(world, "tangyining", once=f"event:{number}")
    world.session.commit()
    post = Post()

    def run() -> None:
        send(world, post)

    in_threads(run, run)
    assert sorted(map(str, post.taken)) == sorted(str(row.id) for row in kept(world))


# ── to whom ──


@pytest.mark.parametrize(
    ("rungs", "told"),
    [
        (["owner.qc_officer"], {"tangyining", "linshuhe"}),
        (["facility.unit_head", "owner.mch_head"], {"lushoucheng", "gaohuairen"}),
        (["township.township_reporter"], {"yushuqin"}),
        (["administration.health_administration"], {"renguochang"}),
        (["upper.mch_head"], {"jimingtang"}),
        (["facility.nobody", "nowhere.qc_officer", "owner", "", "owner.qc_officer.x"], set()),
    ],
)
def test_a_rung_is_a_party_of_the_case_and_a_role_there(at: At, rungs: list[str], told: set[str]) -> None:
    world = at("verify_report")
    names = {row.id: row.username for row in people.find(world.session, per_page=200)[0]}
    assert {names[key] for key in messages.ladder(world.session, world.case, rungs)} == told


def test_the_township_is_told_once_that_a_case_was_opened(at: At) -> None:
    world = at("fill_card")
    found = world.rows(Message, Message.kind == "told")
    assert [(row.person_id, row.detail) for row in found] == [(world.person("yushuqin").id, {"what": "case_opened"})]


def test_who_is_given_a_step_is_told_of_it_with_the_commit(at: At) -> None:
    world = at("give_opinion")
    steps = {row.id: row.person_id for row in world.rows(WorkItem, WorkItem.element == "give_opinion")}
    found = world.rows(Message, Message.kind == "assigned", Message.work_item_id.in_(steps))
    assert {row.work_item_id: row.person_id for row in found} == steps
    assert all(row.detail == {"element": "give_opinion"} for row in found)


def test_no_message_of_a_whole_case_says_anything_that_identifies(at: At) -> None:
    world = at("end")
    terms = subjects.identifiers(world.session, world.case_id)
    rows = kept(world)
    assert len(rows) > 15
    for row in rows:
        text = json.dumps([row.kind, row.once, row.detail], ensure_ascii=False)
        assert not [term for term in terms if term in text]


def test_roles_of_the_ladder_are_those_in_force(at: At) -> None:
    world = at("verify_report")
    post = next(entry for entry in people.get(world.session, "gaohuairen").appointments if entry.role is Role.MCH_HEAD)
    people.dismiss(world.session, world.actor("anquan"), post.id)
    assert messages.ladder(world.session, world.case, ["owner.mch_head"]) == []
