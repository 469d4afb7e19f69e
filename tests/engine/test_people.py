"""Accounts, roles, signing in and out, the second factor."""

import itertools
from datetime import date, timedelta
from typing import Any

import pyotp
import pytest

from engine import clock, passwords, people, work_items
from engine.errors import InvalidInput, NotFound, WorkItemTaken
from engine.people import CodeRefused, Policy, SignInBlocked, SignInRefused, TwoAdministrators
from models import (
    Appointment,
    JournalEntry,
    Person,
    Realm,
    Role,
    SignIn,
    Throttle,
    Title,
    WorkItemState,
    new_id,
)
from tests.engine.conftest import At
from tests.worlds import World
from web.demo.places import PASSWORD

POLICY = Policy(secret=b"of this installation", address_attempts=8)
NIST = Policy(rules=passwords.RULES["nist80063b"], secret=b"of this installation")


def enter(
    world: World, username: str = "tangyining", password: str = PASSWORD, *, policy: Policy = POLICY, address: str = "10.0.0.1"
) -> tuple[SignIn, str]:
    return people.sign_in(world.session, policy, username, password, address=address, device="Firefox")


def fail(world: World, times: int, username: str = "tangyining", *, policy: Policy = POLICY, address: str = "10.0.0.1") -> None:
    """Try wrong passwords, each counted as the page counts it."""
    for _ in range(times):
        with pytest.raises(SignInRefused):
            enter(world, username, "wrong", policy=policy, address=address)
        people.note_failure(world.session, policy, username, address)
        world.session.flush()


def journalled(world: World) -> list[str]:
    entries = world.rows(JournalEntry, JournalEntry.action.startswith("person:"), JournalEntry.at >= clock.now() - timedelta(minutes=1))
    return [entry.action for entry in sorted(entries, key=lambda entry: entry.id)]


# ── signing in ──


@pytest.mark.parametrize("username", ["tangyining", " TangYiNing ", "TANGYINING"])
def test_name_and_password_begin_a_session_of_which_only_the_hash_is_kept(begun: World, username: str) -> None:
    row, secret = enter(begun, username)
    assert row.person.username == "tangyining"
    assert secret not in (row.secret_hash, str(row.id))
    assert people.of_secret(begun.session, POLICY, secret) is row
    assert journalled(begun)[-1] == "person:sign-in"


def test_the_telephone_number_is_as_good_as_the_name(begun: World) -> None:
    begun.person("tangyining").phone = "13900000001"
    begun.session.flush()
    assert enter(begun, "13900000001")[0].person.username == "tangyining"


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("tangyining", "wrong"),
        ("tangyining", ""),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("tangyining' OR '1'='1", PASSWORD),
        ("tang%", PASSWORD),
        ("tangyining\x00", PASSWORD),
        ("tangyining", PASSWORD + "\x00"),
        ("名" * 500, "密" * 500),
    ],
)
def test_what_is_wrong_is_not_told_apart(begun: World, username: str, password: str) -> None:
    with pytest.raises(SignInRefused) as caught:
        enter(begun, username, password)
    assert caught.value.sentence == "账号或密码不对。"
    people.note_failure(begun.session, POLICY, username, "10.0.0.1")
    begun.session.flush()


def test_an_account_without_a_password_and_an_inactive_one_cannot_sign_in(begun: World) -> None:
    begun.person("tangyining").password_hash = None
    people.change(begun.session, begun.actor("xitong"), begun.person("linshuhe"), is_active=False)
    for username in ("tangyining", "linshuhe"):
        with pytest.raises(SignInRefused):
            enter(begun, username)


def test_an_account_is_locked_after_five_wrong_passwords_even_for_the_right_one(begun: World) -> None:
    fail(begun, 5)
    with pytest.raises(SignInBlocked) as caught:
        enter(begun)
    assert caught.value.fields["minutes"] == 30
    assert enter(begun, "linshuhe")[0]


def test_a_lock_ends_by_itself_and_the_count_begins_anew(begun: World) -> None:
    fail(begun, 5, "lujianwei")
    begun.move(timedelta(minutes=30, seconds=1))
    fail(begun, 4, "lujianwei", address="10.0.0.2")
    assert enter(begun, "lujianwei")[0]
    assert begun.person("lujianwei").failed_sign_ins == 0


def test_the_american_rules_allow_ten_attempts(begun: World) -> None:
    fail(begun, 9, "lujianwei", policy=NIST)
    assert enter(begun, "lujianwei", policy=NIST)[0]
    fail(begun, 10, "lujianwei", policy=NIST)
    with pytest.raises(SignInBlocked) as caught:
        enter(begun, "lujianwei", policy=NIST)
    assert caught.value.fields["minutes"] == 15


def test_a_success_forgives_earlier_failures(begun: World) -> None:
    for _ in range(3):
        fail(begun, 4, "lujianwei")
        enter(begun, "lujianwei")
        begun.move(timedelta(hours=2))


def test_an_administrator_s_new_password_unlocks_the_account(begun: World) -> None:
    fail(begun, 5)
    word = people.issue_password(begun.session, POLICY, begun.actor("xitong"), begun.person("tangyining"))
    assert enter(begun, password=word)[0].person.must_change_password


def test_an_address_that_tries_many_names_waits_whoever_it_asks_for(begun: World) -> None:
    for number in range(8):
        fail(begun, 1, f"nobody{number}")
    with pytest.raises(SignInBlocked):
        enter(begun)
    assert enter(begun, address="10.0.0.2")[0]
    begun.move(timedelta(minutes=31))
    assert enter(begun)[0]


def test_failures_of_an_address_are_forgotten_after_an_hour(begun: World) -> None:
    for number in range(7):
        fail(begun, 1, f"nobody{number}")
    begun.move(timedelta(minutes=61))
    for number in range(7):
        fail(begun, 1, f"nobody{number}")
    assert enter(begun)[0]


def test_no_table_keeps_the_address_of_a_failure_in_the_clear(begun: World) -> None:
    fail(begun, 1, "nobody", address="203.0.113.77")
    assert "203.0.113.77" not in begun.rows(Throttle)[0].key


def test_a_failure_is_journalled_with_the_account_and_without_what_was_typed(begun: World) -> None:
    fail(begun, 1)
    entry = next(row for row in begun.rows(JournalEntry, JournalEntry.action == "person:sign-in-failed"))
    assert (entry.actor_id, entry.object_id, entry.detail) == (None, begun.person("tangyining").id, {"failures": 1})


def test_an_old_password_must_be_changed_where_the_rules_say_so(begun: World) -> None:
    begun.move(timedelta(days=91))
    assert enter(begun)[0].person.must_change_password
    begun.person("linshuhe")
    assert not enter(begun, "linshuhe", policy=NIST)[0].person.must_change_password


def test_a_password_hashed_at_other_costs_is_hashed_anew(begun: World) -> None:
    from argon2 import PasswordHasher

    person = begun.person("tangyining")
    person.password_hash = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    old = person.password_hash
    enter(begun)
    assert person.password_hash != old
    assert enter(begun)[0]


# ── sessions ──


def test_a_session_ends_when_nobody_uses_it(begun: World) -> None:
    row, secret = enter(begun)
    for _ in range(3):
        begun.move(timedelta(minutes=29))
        assert people.of_secret(begun.session, POLICY, secret) is row
        people.seen(begun.session, row.id)
        begun.session.refresh(row)
    begun.move(timedelta(minutes=31))
    assert people.of_secret(begun.session, POLICY, secret) is None
    assert people.sign_ins(begun.session, POLICY, row.person_id) == []


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(begun: World) -> None:
    row, secret = enter(begun)
    for _ in range(24):
        begun.move(timedelta(minutes=29, seconds=50))
        people.seen(begun.session, row.id)
    begun.session.refresh(row)
    assert people.of_secret(begun.session, POLICY, secret) is row
    begun.move(timedelta(minutes=5))
    assert people.of_secret(begun.session, POLICY, secret) is None


def test_signing_out_ends_the_session_on_the_server(begun: World) -> None:
    row, secret = enter(begun)
    people.sign_out(begun.session, begun.actor("tangyining"), row)
    assert people.of_secret(begun.session, POLICY, secret) is None
    people.seen(begun.session, row.id)
    assert people.of_secret(begun.session, POLICY, secret) is None


@pytest.mark.parametrize("secret", ["", "x", "\x00", "名", "a" * 10_000])
def test_a_secret_that_nobody_was_given_is_no_session(begun: World, secret: str) -> None:
    enter(begun)
    assert people.of_secret(begun.session, POLICY, secret) is None


def test_an_account_made_inactive_is_signed_out_everywhere(begun: World) -> None:
    secrets = [enter(begun)[1] for _ in range(2)]
    people.change(begun.session, begun.actor("xitong"), begun.person("tangyining"), is_active=False)
    assert [people.of_secret(begun.session, POLICY, secret) for secret in secrets] == [None, None]
    people.change(begun.session, begun.actor("xitong"), begun.person("tangyining"), is_active=True)
    assert [people.of_secret(begun.session, POLICY, secret) for secret in secrets] == [None, None]


def test_ending_all_sessions_but_one_s_own_says_how_many(begun: World) -> None:
    mine, secret = enter(begun)
    others = [enter(begun)[1] for _ in range(3)]
    assert people.end_all(begun.session, begun.actor("tangyining"), mine.person_id, but=mine.id) == 3
    assert people.of_secret(begun.session, POLICY, secret) is mine
    assert [people.of_secret(begun.session, POLICY, other) for other in others] == [None] * 3


def test_the_running_sessions_are_listed_newest_first(begun: World) -> None:
    rows = []
    for _ in range(3):
        rows.append(enter(begun)[0])
        begun.move(timedelta(minutes=2))
    assert people.sign_ins(begun.session, POLICY, rows[0].person_id) == rows[::-1]


def test_what_was_searched_for_is_kept_with_the_session_and_the_oldest_forgotten(begun: World) -> None:
    row, _ = enter(begun)
    keys = [people.keep_search(begun.session, row, f" 沈若蘅{number} ") for number in range(25)]
    assert len(row.searches) == 20
    assert row.searches[keys[-1]] == "沈若蘅24"
    assert keys[0] not in row.searches
    assert people.keep_search(begun.session, row, "   ") == ""
    long = people.keep_search(begun.session, row, "长" * 500)
    assert row.searches[long] == "长" * 60


def test_confirming_who_sits_there_needs_the_password(begun: World) -> None:
    row, _ = enter(begun)
    begun.move(timedelta(minutes=10))
    with pytest.raises(SignInRefused):
        people.confirm(begun.session, row, "wrong")
    assert row.confirmed_at == clock.now() - timedelta(minutes=10)
    people.confirm(begun.session, row, PASSWORD)
    assert row.confirmed_at == clock.now()


# ── the second factor ──


def code(person: Person, seed: str, *, steps: int = 0) -> str:
    """Return what an authenticator shows now, or some steps of its clock away."""
    return pyotp.TOTP(people.second_factor_secret(POLICY, person, seed)).at(int(clock.now().timestamp()) + 30 * steps)


def enrolled(world: World, username: str = "tangyining") -> tuple[SignIn, str, list[str]]:
    row, _ = enter(world, username)
    seed = people.propose_second_factor()
    recovery = people.enrol_second_factor(world.session, POLICY, world.actor(username), row, seed, code(row.person, seed))
    return row, seed, recovery


def test_who_sees_names_must_show_a_second_factor_and_the_committee_need_not(begun: World) -> None:
    assert people.needs_second_factor(POLICY, begun.actor("tangyining"))
    assert people.needs_second_factor(POLICY, begun.actor("xitong"))
    assert not people.needs_second_factor(POLICY, begun.actor("lujianwei"))
    assert not people.needs_second_factor(Policy(asks_second_factor=False), begun.actor("tangyining"))


def test_an_authenticator_is_used_once_it_showed_the_right_code(begun: World) -> None:
    row, _ = enter(begun)
    seed = people.propose_second_factor()
    with pytest.raises(CodeRefused):
        people.enrol_second_factor(begun.session, POLICY, begun.actor("tangyining"), row, seed, "000000")
    assert row.person.second_factor_seed is None
    recovery = people.enrol_second_factor(begun.session, POLICY, begun.actor("tangyining"), row, seed, code(row.person, seed))
    assert (row.person.second_factor_seed, row.second_factor_at) == (seed, clock.now())
    assert len(set(recovery)) == people.RECOVERY_CODES
    assert not set(recovery) & set(row.person.recovery_codes)


def show(world: World, row: SignIn, text: str) -> None:
    people.show_second_factor(world.session, POLICY, world.actor(row.person.username), row, text)


def test_a_code_is_good_once(begun: World) -> None:
    row, seed, _ = enrolled(begun)
    with pytest.raises(CodeRefused):
        show(begun, row, code(row.person, seed))  # it was used to enrol
    begun.move(timedelta(seconds=30))
    show(begun, row, f" {code(row.person, seed)[:3]} {code(row.person, seed)[3:]} ")
    with pytest.raises(CodeRefused):
        show(begun, row, code(row.person, seed))
    begun.move(timedelta(seconds=30))
    show(begun, row, code(row.person, seed))


def test_a_code_may_be_typed_in_full_width_digits(begun: World) -> None:
    row, seed, _ = enrolled(begun)
    begun.move(timedelta(minutes=5))
    show(begun, row, code(row.person, seed).translate({ord("0") + digit: ord("０") + digit for digit in range(10)}))


def test_a_clock_may_be_half_a_minute_wrong_and_not_more(begun: World) -> None:
    row, seed, _ = enrolled(begun)
    begun.move(timedelta(minutes=10))
    for steps in (-2, 2, 40):
        with pytest.raises(CodeRefused):
            show(begun, row, code(row.person, seed, steps=steps))
    show(begun, row, code(row.person, seed, steps=-1))
    show(begun, row, code(row.person, seed, steps=1))
    with pytest.raises(CodeRefused):  # older than the last one that was used
        show(begun, row, code(row.person, seed))


def test_a_recovery_code_is_good_once_in_any_case(begun: World) -> None:
    row, _, recovery = enrolled(begun)
    show(begun, row, recovery[3].upper())
    with pytest.raises(CodeRefused):
        show(begun, row, recovery[3])
    show(begun, row, recovery[4])
    assert len(row.person.recovery_codes) == people.RECOVERY_CODES - 2


@pytest.mark.parametrize("text", ["", "12345", "1234567", "abcdef", "\x00\x00\x00\x00\x00\x00", "٠١٢٣٤٥", "0" * 10_000])
def test_what_is_no_code_is_refused(begun: World, text: str) -> None:
    row, _, _ = enrolled(begun)
    begun.move(timedelta(minutes=5))
    with pytest.raises(CodeRefused):
        show(begun, row, text)


def test_a_locked_account_cannot_try_codes_either(begun: World) -> None:
    row, seed, _ = enrolled(begun)
    begun.move(timedelta(minutes=5))
    fail(begun, 5)
    with pytest.raises(SignInBlocked):
        show(begun, row, code(row.person, seed))


def test_without_an_authenticator_no_code_is_good(begun: World) -> None:
    row, _ = enter(begun)
    with pytest.raises(CodeRefused):
        show(begun, row, "123456")


def test_the_database_alone_does_not_hold_the_shared_secret(begun: World) -> None:
    person = begun.person("tangyining")
    mine = people.second_factor_secret(POLICY, person, "seed")
    assert mine != people.second_factor_secret(Policy(secret=b"of another"), person, "seed")
    assert mine != people.second_factor_secret(POLICY, begun.person("linshuhe"), "seed")
    assert people.provisioning_uri(POLICY, person, "seed", "评审").startswith("otpauth://totp/")


def test_who_lost_the_authenticator_begins_anew_and_is_signed_out(begun: World) -> None:
    row, _, recovery = enrolled(begun)
    people.reset_second_factor(begun.session, begun.actor("xitong"), row.person)
    assert row.person.second_factor_seed is None
    begun.session.refresh(row)
    assert row.ended_at == clock.now()
    with pytest.raises(CodeRefused):
        show(begun, row, recovery[0])


# ── passwords of accounts ──


def test_changing_one_s_password_needs_the_old_one_and_ends_other_sessions(begun: World) -> None:
    row, secret = enter(begun)
    _, other = enter(begun)
    actor = begun.actor("tangyining")
    with pytest.raises(SignInRefused):
        people.change_password(begun.session, POLICY, actor, row, "wrong", "Lanzhou-2027")
    people.change_password(begun.session, POLICY, actor, row, PASSWORD, "Lanzhou-2027")
    assert people.of_secret(begun.session, POLICY, secret) is row
    assert people.of_secret(begun.session, POLICY, other) is None
    with pytest.raises(SignInRefused):
        enter(begun)
    assert enter(begun, password="Lanzhou-2027")[0]


def test_the_last_five_passwords_and_the_present_one_are_remembered(begun: World) -> None:
    row, _ = enter(begun)
    actor, used = begun.actor("tangyining"), [PASSWORD, *(f"Lanzhou-20{year}" for year in range(30, 36))]
    for old, new in itertools.pairwise(used):
        people.change_password(begun.session, POLICY, actor, row, old, new)
    for former in used[-5:]:
        with pytest.raises(passwords.PasswordRefused):
            people.change_password(begun.session, POLICY, actor, row, used[-1], former)
    people.change_password(begun.session, POLICY, actor, row, used[-1], used[0])


def test_the_american_rules_remember_only_the_present_password(begun: World) -> None:
    row, _ = enter(begun)
    actor = begun.actor("tangyining")
    people.change_password(begun.session, NIST, actor, row, PASSWORD, "correct horse battery")
    with pytest.raises(passwords.PasswordRefused):
        people.change_password(begun.session, NIST, actor, row, "correct horse battery", "correct horse battery")
    people.change_password(begun.session, NIST, actor, row, "correct horse battery", "床前明月光疑是地上霜举头望明月")
    people.change_password(begun.session, NIST, actor, row, "床前明月光疑是地上霜举头望明月", "correct horse battery")
    assert row.person.previous_passwords == []


@pytest.mark.parametrize("policy", [POLICY, NIST])
def test_a_first_password_follows_the_rules_and_must_be_changed(begun: World, policy: Policy) -> None:
    person = begun.person("tangyining")
    words = {people.issue_password(begun.session, policy, begun.actor("xitong"), person) for _ in range(5)}
    assert len(words) == 5
    for word in words:
        passwords.check(word, policy.rules)
    assert person.must_change_password


# ── accounts ──


def test_an_account_is_made_without_a_password_and_of_this_installation_s_realm(begun: World) -> None:
    person = people.add(begun.session, begun.actor("xitong"), username=" Wang.Li-2_x ", name=" 王丽 ", phone=" ", email="", title=Title.CHIEF)
    assert (person.username, person.name, person.phone, person.email, person.realm) == ("wang.li-2_x", "王丽", None, None, Realm.DEMO)
    assert person.password_hash is None
    assert journalled(begun)[-1] == "person:add"


@pytest.mark.parametrize(
    ("username", "name"),
    [
        ("", "王丽"),
        ("  ", "王丽"),
        ("wang li", "王丽"),
        ("王丽", "王丽"),
        ("a" * 41, "王丽"),
        ("tangyining", "汤"),
        ("TANGYINING", "汤"),
        ("wangli", " "),
        ("wang;drop", "王丽"),
        ("wang\x00", "王丽"),
        ("wang/../li", "王丽"),
    ],
)
def test_an_account_with_an_impossible_name_is_refused(begun: World, username: str, name: str) -> None:
    with pytest.raises(InvalidInput):
        people.add(begun.session, begun.actor("xitong"), username=username, name=name)


def test_only_named_columns_of_an_account_can_be_changed(begun: World) -> None:
    person = begun.person("tangyining")
    before = person.password_hash
    people.change(begun.session, begun.actor("xitong"), person, name="汤以宁二", password_hash="x", username="other", realm=Realm.PRODUCTION)
    assert (person.name, person.password_hash, person.username, person.realm) == ("汤以宁二", before, "tangyining", Realm.DEMO)
    entry = begun.rows(JournalEntry, JournalEntry.action == "person:change")[0]
    assert entry.detail == {"columns": ["name"]}


def test_a_change_that_changes_nothing_is_not_journalled(begun: World) -> None:
    people.change(begun.session, begun.actor("xitong"), begun.person("tangyining"), name="汤以宁")
    assert begun.rows(JournalEntry, JournalEntry.action == "person:change") == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("汤", {"tangyining"}),
        ("以宁", {"tangyining"}),
        ("TANGYI", {"tangyining"}),
        ("第一人民", {"fuyubai", "shichenxi", "guobingwen", "qiuliheng"}),
        ("%", set()),
        ("_", set()),
        ("\\", set()),
        ("'", set()),
        ("不存在", set()),
        ("tang%ning", set()),
    ],
)
def test_people_are_found_by_name_username_and_unit_and_wildcards_are_text(begun: World, words: str, found: set[str]) -> None:
    rows, count = people.find(begun.session, words)
    assert {row.username for row in rows} == found
    assert count == len(found)


def test_people_are_listed_in_pages_the_active_ones_first(begun: World) -> None:
    people.change(begun.session, begun.actor("xitong"), begun.person("bailu"), is_active=False)
    rows, count = people.find(begun.session, per_page=10)
    everybody = [row.username for page in range(1, count // 10 + 2) for row in people.find(begun.session, page=page, per_page=10)[0]]
    assert len(rows) == 10
    assert len(set(everybody)) == len(everybody) == count
    assert everybody[-1] == "bailu"


def test_an_unknown_username_is_not_found(begun: World) -> None:
    assert people.get(begun.session, "tangyining").name == "汤以宁"
    with pytest.raises(NotFound):
        people.get(begun.session, "nobody")


def test_names_are_told_by_their_keys(begun: World) -> None:
    one = begun.person("tangyining")
    assert people.names(begun.session, [str(one.id), None, str(new_id())]) == [(one.id, "汤以宁")]


# ── roles ──


def appointed(world: World, username: str, role: Role, code: str = "LZ-FY", **days: Any) -> Appointment:
    return people.appoint(world.session, world.actor("anquan"), world.person(username), role, world.place(code), **days)


@pytest.mark.parametrize(
    ("username", "role"),
    [
        ("xitong", Role.SECURITY_ADMINISTRATOR),
        ("xitong", Role.AUDIT_ADMINISTRATOR),
        ("anquan", Role.AUDIT_ADMINISTRATOR),
        ("shenji", Role.SYSTEM_ADMINISTRATOR),
    ],
)
def test_the_three_administrators_are_kept_apart(begun: World, username: str, role: Role) -> None:
    with pytest.raises(TwoAdministrators):
        appointed(begun, username, role)
    with pytest.raises(TwoAdministrators):
        appointed(begun, username, role, "HX-FY")


def test_the_three_administrators_are_kept_apart_also_when_one_of_the_roles_has_an_end(begun: World) -> None:
    today = clock.today()
    appointed(begun, "bailu", Role.SYSTEM_ADMINISTRATOR, until_on=today + timedelta(days=30))
    with pytest.raises(TwoAdministrators):
        appointed(begun, "bailu", Role.AUDIT_ADMINISTRATOR)
    with pytest.raises(TwoAdministrators):
        appointed(begun, "bailu", Role.AUDIT_ADMINISTRATOR, from_on=today + timedelta(days=30), until_on=today + timedelta(days=60))
    assert appointed(begun, "bailu", Role.AUDIT_ADMINISTRATOR, from_on=today + timedelta(days=31))


def test_an_administrator_s_role_is_held_in_one_place(begun: World) -> None:
    with pytest.raises(InvalidInput):
        appointed(begun, "xitong", Role.SYSTEM_ADMINISTRATOR, "HX-FY")


def test_a_role_is_held_once_at_a_time_in_a_place(begun: World) -> None:
    with pytest.raises(InvalidInput):
        appointed(begun, "tangyining", Role.QC_OFFICER)
    assert appointed(begun, "tangyining", Role.QC_OFFICER, "HX-FY")
    today = clock.today()
    appointed(begun, "bailu", Role.VERIFIER, until_on=today)
    with pytest.raises(InvalidInput):
        appointed(begun, "bailu", Role.VERIFIER)
    assert appointed(begun, "bailu", Role.VERIFIER, from_on=today + timedelta(days=1))


def test_days_out_of_order_are_refused(begun: World) -> None:
    with pytest.raises(InvalidInput):
        appointed(begun, "bailu", Role.VERIFIER, from_on=date(2026, 11, 2), until_on=date(2026, 11, 1))


def test_dismissal_takes_the_role_at_once_and_gives_held_work_back(at: At) -> None:
    world = at("verify_report")
    item = world.item("verify_report")
    work_items.claim(world.session, world.actor("tangyining"), item.id)
    post = next(entry for entry in people.get(world.session, "tangyining").appointments if entry.role is Role.QC_OFFICER)
    people.dismiss(world.session, world.actor("anquan"), post.id)
    world.session.refresh(item)
    assert (item.state, item.person_id, item.claimed_at) == (WorkItemState.READY, None, None)
    assert Role.QC_OFFICER not in world.actor("tangyining").roles
    assert work_items.claim(world.session, world.actor("linshuhe"), item.id).person_id == world.person("linshuhe").id


def test_dismissal_leaves_work_of_other_roles_and_places_alone(at: At) -> None:
    world = at("verify_report")
    item = world.item("verify_report")
    work_items.claim(world.session, world.actor("tangyining"), item.id)
    appointment = appointed(world, "tangyining", Role.VERIFIER)
    people.dismiss(world.session, world.actor("anquan"), appointment.id)
    world.session.refresh(item)
    assert item.state is WorkItemState.RESERVED
    with pytest.raises(WorkItemTaken):
        work_items.claim(world.session, world.actor("linshuhe"), item.id)


def test_an_appointment_of_today_that_ends_today_leaves_no_row_and_can_be_made_again(begun: World) -> None:
    appointment = appointed(begun, "bailu", Role.VERIFIER)
    people.dismiss(begun.session, begun.actor("anquan"), appointment.id)
    assert begun.rows(Appointment, Appointment.person_id == begun.person("bailu").id, Appointment.role == Role.VERIFIER) == []
    assert appointed(begun, "bailu", Role.VERIFIER)


def test_an_appointment_can_end_with_a_day_to_come(begun: World) -> None:
    appointment = appointed(begun, "bailu", Role.VERIFIER)
    last = clock.today() + timedelta(days=3)
    assert people.dismiss(begun.session, begun.actor("anquan"), appointment.id, on=last).until_on == last
    begun.move(timedelta(days=3))
    assert Role.VERIFIER in begun.actor("bailu").roles
    begun.move(timedelta(days=1))
    assert Role.VERIFIER not in begun.actor("bailu").roles


def test_an_appointment_that_is_not_there_cannot_end(begun: World) -> None:
    with pytest.raises(NotFound):
        people.dismiss(begun.session, begun.actor("anquan"), new_id())


def test_appointing_and_dismissing_are_journalled_with_role_and_place(begun: World) -> None:
    appointment = appointed(begun, "bailu", Role.VERIFIER)
    people.dismiss(begun.session, begun.actor("anquan"), appointment.id)
    made, ended = begun.rows(JournalEntry, JournalEntry.actor_id == begun.person("anquan").id)
    assert (made.action, made.detail) == ("person:appoint", {"role": "verifier", "organisation": "LZ-FY", "from_on": "2026-10-22"})
    assert (ended.action, ended.detail) == ("person:dismiss", {"role": "verifier", "until_on": "2026-10-21"})


def test_wrong_codes_add_up_over_many_sign_ins(begun: World) -> None:
    row, _ = enter(begun)
    seed = people.propose_second_factor()
    people.enrol_second_factor(begun.session, POLICY, begun.actor("tangyining"), row, seed, code(row.person, seed))
    for turn in range(5):
        row, _ = enter(begun, address=f"10.0.1.{turn}")
        with pytest.raises(CodeRefused):
            people.show_second_factor(begun.session, POLICY, begun.actor("tangyining"), row, "000000")
        people.note_failure(begun.session, POLICY, "tangyining", f"10.0.1.{turn}")
        begun.session.flush()
    with pytest.raises(SignInBlocked):
        enter(begun, address="10.0.1.9")
