"""Numbers that people read aloud."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from engine import numbers
from engine.transaction import transaction
from models import CaseKind, Packet
from tests.engine.conftest import At
from tests.worlds import World


def test_numbers_of_an_office_a_year_and_a_kind_count_from_one(session: Session) -> None:
    assert [numbers.give(session, "LZ", "MD") for _ in range(3)] == ["LZ26-MD-001", "LZ26-MD-002", "LZ26-MD-003"]
    assert numbers.give(session, "LZ", "TZ") == "LZ26-TZ-001"
    assert numbers.give(session, "YP", "MD") == "YP26-MD-001"


def test_a_new_year_begins_anew_at_midnight_of_the_office(begun: World) -> None:
    numbers.give(begun.session, "LZ", "MD")
    begun.move(datetime(2026, 12, 31, 15, 59, tzinfo=UTC))
    assert numbers.give(begun.session, "LZ", "MD") == "LZ26-MD-002"
    begun.move(datetime(2026, 12, 31, 16, 0, tzinfo=UTC))
    assert numbers.give(begun.session, "LZ", "MD") == "LZ27-MD-001"


def test_the_thousandth_number_is_longer_and_not_cut(session: Session) -> None:
    found = [numbers.next_in(session, "LZ26-MD") for _ in range(999)]
    assert found == list(range(1, 1000))
    assert numbers.give(session, "LZ", "MD") == "LZ26-MD-1000"


def test_a_command_that_is_rolled_back_gives_its_number_back(begun: World) -> None:
    with begun.session.begin_nested() as nested:
        assert numbers.give(begun.session, "LZ", "MD") == "LZ26-MD-001"
        nested.rollback()
    assert numbers.give(begun.session, "LZ", "MD") == "LZ26-MD-001"


def test_two_threads_get_every_number_once_and_leave_no_gap(copy_at: At) -> None:
    world = copy_at()
    given: list[int] = []

    def take() -> None:
        for turn in range(15):
            with transaction(world.sessions) as session:
                number = numbers.next_in(session, "LZ26-MD")
                if turn % 5 == 4:  # a command that fails gives it back
                    session.rollback()
                else:
                    given.append(number)

    in_threads(take, take)
    assert sorted(given) == list(range(1, 25))


def in_threads(*acts: Callable[[], None]) -> None:
    """Run several acts at once and wait for all of them; what one raises is raised here."""
    raised: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_every_kind_of_case_has_a_mark_of_its_own() -> None:
    assert set(numbers.KINDS) == {kind.value for kind in CaseKind}
    assert len(set(numbers.KINDS.values())) == len(numbers.KINDS)


def test_a_random_number_says_nothing_and_holds_no_letters_taken_for_digits() -> None:
    found = {numbers.at_random() for _ in range(500)}
    assert len(found) > 490
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{3}-[2-9A-HJ-NP-Z]{3}", number) for number in found)
    assert not set("01IOL") & set("".join(found))


@pytest.mark.parametrize("length", [6, 8, 11])
def test_a_random_number_has_the_length_that_was_asked_for(length: int) -> None:
    assert len(numbers.at_random(length).replace("-", "")) == length


def test_a_number_that_is_taken_is_known(at: At) -> None:
    world = at("check_redaction")
    number = world.session.query(Packet.number).scalar()
    assert numbers.exists(world.session, Packet.number, number)
    assert not numbers.exists(world.session, Packet.number, "AAA-AAA")
