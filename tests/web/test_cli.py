"""The command line: made ready, upgraded, deployed, looked at; each refusal is a sentence."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from click.testing import CliRunner, Result

from engine import clock, journal, procedures
from engine.transaction import transaction
from models import Appointment, Person, ProcedureVersion, Role
from models.database import connect, sessions_of
from web import anchors
from web.cli import main

SECRET = "a secret of more than thirty-two characters"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The settings of a production on SQLite."""
    return {"PINGSHEN_DATABASE_URL": f"sqlite:///{tmp_path / 'p.db'}", "PINGSHEN_SECRET_KEY": SECRET, "PINGSHEN_REALM": "production"}


def call(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environment).invoke(main, arguments)


def begun(environment: dict[str, str]) -> Result:
    return call(environment, "init", "--area", "澜州市", "--code", "340199", "--system", "席同", "--security", "安荃", "--audit", "沈霁")


def test_a_production_is_made_once_with_three_administrators(environment: dict[str, str]) -> None:
    made = begun(environment)
    assert made.exit_code == 0, made.output
    with sessions_of(connect(environment["PINGSHEN_DATABASE_URL"]))() as session:
        rows = session.execute(sa.select(Person.username, Appointment.role).join(Appointment, Appointment.person_id == Person.id)).all()
        assert set(rows) == {("system", Role.SYSTEM_ADMINISTRATOR), ("security", Role.SECURITY_ADMINISTRATOR), ("audit", Role.AUDIT_ADMINISTRATOR)}
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 3  # nobody of the demonstration
    again = begun(environment)
    assert again.exit_code != 0
    assert "nothing was changed" in again.output


def test_a_demonstration_is_refused_on_a_production_database(environment: dict[str, str]) -> None:
    begun(environment)
    answer = call({}, "demo", "--port", "0", "--database-url", environment["PINGSHEN_DATABASE_URL"])
    assert answer.exit_code != 0
    assert "belongs to production" in answer.output


def test_the_doctor_says_what_is_missing_before_and_after(environment: dict[str, str], tmp_path: Path) -> None:
    before = call(environment, "doctor")
    assert (before.exit_code, "pingshen upgrade" in before.output) == (1, True)
    assert call(environment, "upgrade").exit_code == 0
    empty = call(environment, "doctor")
    assert (empty.exit_code, "pingshen init" in empty.output) == (1, True)
    begun(environment)
    after = call(environment, "doctor")
    assert "3 active accounts" in after.output
    assert "PINGSHEN_PUBLIC_URL is not https" in after.output
    away = call({**environment, "PINGSHEN_DATABASE_URL": f"sqlite:///{tmp_path / 'nowhere' / 'p.db'}"}, "doctor")
    assert away.exit_code == 1
    assert "does not answer" in away.output
    assert "Traceback" not in away.output


def test_upgrading_is_safe_to_repeat_and_brings_what_is_shipped(environment: dict[str, str]) -> None:
    begun(environment)
    engine = connect(environment["PINGSHEN_DATABASE_URL"])
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM calendar_days")
    first, second = call(environment, "upgrade"), call(environment, "upgrade")
    assert first.exit_code == second.exit_code == 0
    assert " 0 days of the calendar" not in first.output
    assert "0 versions of profiles and 0 days" in second.output


def test_a_changed_procedure_is_checked_deployed_and_activated_from_its_folder(environment: dict[str, str], tmp_path: Path) -> None:
    begun(environment)
    source = Path(procedures.__file__).parents[1] / "bpmn"
    for part in ("maternal_death", "shared", "forms"):
        shutil.copytree(source / part, tmp_path / "bpmn" / part)
    folder = tmp_path / "bpmn" / "maternal_death"
    assert call(environment, "deploy", str(folder), "--check").exit_code == 0
    diagram = folder / "maternal_death.bpmn"
    text = diagram.read_text()
    diagram.write_text(text.replace('name="结案"', 'name="归档结案"', 1))
    done = call(environment, "deploy", str(folder), "--activate", "--comment", "换一个名字")
    assert done.exit_code == 0, done.output
    assert "maternal_death version 2, active" in done.output
    with sessions_of(connect(environment["PINGSHEN_DATABASE_URL"]))() as session:
        assert session.scalar(sa.select(ProcedureVersion.comment).where(ProcedureVersion.number == 2)) == "换一个名字"
    diagram.write_text(text.replace('targetRef="card_wanted"', 'targetRef="nowhere"').replace("<bpmn:startEvent", "<bpmn:scriptTask", 1))
    wrong = call(environment, "deploy", str(folder))
    assert wrong.exit_code != 0
    assert "error:" in wrong.output
    assert "nothing was kept" in wrong.output
    (folder / "procedure.toml").write_text('shared = ["../../secret"]\nforms = []\n')
    assert "no procedure's folder" in call(environment, "deploy", str(folder)).output
    (folder / "procedure.toml").unlink()
    assert "no procedure's folder" in call(environment, "deploy", str(folder)).output


def test_accounts_are_listed_and_a_new_password_issued(environment: dict[str, str]) -> None:
    begun(environment)
    assert "席同" in call(environment, "people").output
    assert call(environment, "people", "--reset", "system").exit_code == 0
    assert "There is no account" in call(environment, "people", "--reset", "nobody").output
    assert "cn_default" in call(environment, "profiles").output


@pytest.mark.parametrize("by", ["36h", "-3h", "+", "+99999d", "yesterday"])
def test_a_clock_moves_forward_by_a_span_and_in_a_demonstration_alone(environment: dict[str, str], tmp_path: Path, by: str) -> None:
    assert call({}, "demo-clock", "--data", str(tmp_path), "--", by).exit_code != 0


def test_settings_that_production_cannot_do_without_are_asked_for() -> None:
    answer = call({"PINGSHEN_DATABASE_URL": "sqlite://", "PINGSHEN_SECRET_KEY": "short", "PINGSHEN_REALM": "production"}, "doctor")
    assert answer.exit_code != 0
    assert "PINGSHEN_SECRET_KEY" in answer.output


def test_the_journal_is_verified_against_its_hashes_and_the_anchors_kept_outside(environment: dict[str, str], tmp_path: Path) -> None:
    begun(environment)
    engine, file = connect(environment["PINGSHEN_DATABASE_URL"]), tmp_path / "anchors.txt"
    environment["PINGSHEN_ANCHOR_FILE"] = str(file)
    sessions = sessions_of(engine)

    def say(text: str) -> None:
        with transaction(sessions) as session:
            journal.record(session, None, "test:write", text=text)

    say("one")
    bare = call(environment, "verify", "--journal")
    assert (bare.exit_code, "no anchor was compared" in bare.output) == (0, True), bare.output
    with sessions() as session:
        assert anchors.keep(session, file) is not None
        assert anchors.keep(session, file) is None  # within the hour
    say("two")
    say("three")
    with sessions() as session, time_machine.travel(clock.now() + timedelta(hours=2)):
        kept = anchors.keep(session, file)
    assert kept is not None
    whole = call(environment, "verify", "--journal")
    assert (whole.exit_code, f"whole up to {kept.position}:{kept.hash}" in whole.output) == (0, True), whole.output
    with engine.begin() as connection:  # somebody cuts the tail and sets the head back
        connection.exec_driver_sql(f"DELETE FROM journal_entries WHERE position = {kept.position}")
        connection.exec_driver_sql(
            "UPDATE journal_heads SET (position, hash) = (SELECT position, hash FROM journal_entries ORDER BY position DESC LIMIT 1)"
        )
    cut = call(environment, "verify", "--journal")
    assert (cut.exit_code, f"broken at entry {kept.position}" in cut.output) == (1, True), cut.output
    typed = call({**environment, "PINGSHEN_ANCHOR_FILE": ""}, "verify", "--journal", "--anchor", f"{kept.position}:{kept.hash}")
    assert (typed.exit_code, "missing" in typed.output) == (1, True), typed.output
    file.write_text("nonsense\n")
    assert "Line 1" in call(environment, "verify", "--journal").output
    assert "--journal" in call(environment, "verify").output
