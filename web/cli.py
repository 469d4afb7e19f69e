"""`pingshen`: what the people who keep an installation type. `pingshen --help` lists the commands."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import sqlalchemy as sa

from engine import clock, installation, journal, organisations, people, procedures, profiles
from engine.actor import of_person
from engine.errors import Deployment, EngineError, InvalidInput
from engine.transaction import transaction
from models import Level, OrganisationKind, Profile, Realm, Role
from models.database import Sessions, connect, sessions_of
from models.upgrading import is_current, upgrade
from web import anchors
from web.demo.start import FOLDER
from web.settings import SettingMissing, Settings, from_environment

if TYPE_CHECKING:
    from web import Application

BEGAN = time.monotonic()
MOVE = re.compile(r"\+?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?\Z")


BROKEN = {
    "content": "its content is not what was written",
    "gap": "an entry is missing before the one that stands here",
    "tail": "the entries from here on are missing",
    "head": "the end of the chain is not the one that was written",
    "anchor": "the journal was written anew: its hash is not the one that was kept",
}


def say(text: str) -> None:
    """Print a line of progress."""
    click.echo(f"[{time.monotonic() - BEGAN:5.1f} s] {text}")


def refuse(text: str) -> None:
    """Stop with a sentence."""
    raise click.ClickException(text)


def opened() -> tuple[Settings, sa.Engine, Sessions]:
    """Read the settings and open the database."""
    try:
        settings = from_environment()
    except SettingMissing as error:
        raise click.ClickException(str(error)) from None
    engine = connect(settings.database_url, pool_size=settings.threads)
    return settings, engine, sessions_of(engine)


def current_database() -> tuple[Settings, sa.Engine, Sessions]:
    """Open a database that is at the newest migration."""
    settings, engine, sessions = opened()
    with answering():
        if not is_current(engine):
            refuse("The database is not at the newest version. Run: pingshen upgrade")
    return settings, engine, sessions


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Say in a sentence that the database does not answer."""
    try:
        yield
    except sa.exc.OperationalError as error:
        refuse(f"The database does not answer: {type(error.orig).__name__}")


@click.group()
def main() -> None:
    """Pingshen: the review of critical maternal and newborn cases."""


# ── serving ──


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, show_default=True, help="folder of the demonstration")
@click.option("--database-url", default="", help="SQLAlchemy URL, to demonstrate on PostgreSQL")
def demo(host: str, port: int, data: Path, database_url: str) -> None:
    """Fill a made-up city with real published cases, serve it, print address and accounts."""
    from flask_babel import force_locale

    from web import create_app, jobs
    from web.demo import start

    settings, engine, sessions = start.open_folder(data, database_url)
    log_to_standard_error(settings.log_level)
    try:
        start.prepare(engine, sessions, say)
    except start.NotADemonstration:
        refuse("This database belongs to production. A demonstration needs one of its own.")
    app = create_app(settings, sessions)
    with app.app_context(), force_locale("zh_Hans_CN"), transaction(sessions, read_only=True) as session:
        jobs.read_demo_clock(session)
        rows = start.accounts(session)
    server = listen(app, host, port, settings.threads)
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{server.effective_port}/"  # noqa: S104 - what was asked for
    path = start.write_accounts(data, address, rows)
    click.echo(f"\n  评审 Pingshen · demonstration · 演示\n\n  {address}\n\n  accounts, all with the password {rows[0]['password']}:\n")
    for row in rows[: len(start.SHOWN_FIRST)]:
        first = row["roles"][0]
        click.echo(f"    {row['username']:<14} {row['name']}　{first['role_zh']} · {first['organisation']}")
    command = os.environ.get("PINGSHEN_COMMAND", "pingshen") + " demo-clock +36h" + ("" if data == FOLDER else f" --data {data}")
    click.echo(f"\n  all {len(rows)} accounts: {path}\n  move the clock: {command}\n  stop: Ctrl+C; the data stays in {data}\n")
    finish = jobs.start_loop(sessions, None, every_s=1.0, before=jobs.before_each_turn(settings))
    run(server, finish)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
def serve(host: str, port: int) -> None:
    """Serve the pages. On SQLite the worker runs inside; on PostgreSQL run `pingshen work` beside it."""
    from web import create_app, jobs, mail

    settings, engine, sessions = current_database()
    log_to_standard_error(settings.log_level)
    try:
        app = create_app(settings, sessions)
    except SettingMissing as error:
        raise click.ClickException(str(error)) from None
    server = listen(app, host, port, settings.threads, proxies=settings.proxies)
    finish: Callable[[], None] = lambda: None  # noqa: E731 - nothing to end
    if engine.dialect.name == "sqlite":
        finish = jobs.start_loop(sessions, mail.deliverer(app), before=jobs.before_each_turn(settings))
    say(f"serving on http://{host}:{server.effective_port}/")
    run(server, finish)


@main.command()
@click.option("--concurrency", default=4, show_default=True, help="cases worked on at the same time")
@click.option("--once", is_flag=True, help="stop when nothing is left to do")
def work(concurrency: int, once: bool) -> None:
    """Do what the clock asks for: warnings, timers, mails. As many workers as wanted on PostgreSQL."""
    from web import create_app, jobs, mail

    settings, engine, sessions = current_database()
    log_to_standard_error(settings.log_level)
    deliver = mail.deliverer(create_app(settings, sessions))
    if settings.is_demo:
        with transaction(sessions, read_only=True) as session:
            jobs.read_demo_clock(session)
    if engine.dialect.name == "postgresql" and not once:
        jobs.prepare(engine)
        jobs.work(settings, sessions, deliver, concurrency=concurrency)
        return
    from engine import worker

    say(f"{worker.run(sessions, deliver)} turns")
    if not once:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        worker.loop(sessions, deliver, stop, before=jobs.before_each_turn(settings))


def listen(app: Application, host: str, port: int, threads: int, *, proxies: int = 0) -> Any:
    """Take the port. With proxies in front their X-Forwarded headers come through to the application, which counts them.

    Raises:
        ClickException: something else has it.
    """
    import waitress

    try:
        return waitress.create_server(
            app,
            host=host,
            port=port,
            threads=threads,
            ident=None,
            max_request_body_size=26_000_000,
            clear_untrusted_proxy_headers=proxies == 0,
            connection_limit=1000,
            channel_timeout=60,
            asyncore_use_poll=True,
        )
    except OSError as error:
        raise click.ClickException(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None


def run(server: Any, finish: Callable[[], None]) -> None:
    """Serve until told to stop; then let the worker end its turn."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        finish()


def log_to_standard_error(level: str) -> None:
    """Log plainly, with the time in UTC; nothing of a case is ever in a line."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)sZ %(levelname)s %(name)s: %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


# ── keeping ──


@main.command("upgrade")
def upgrade_database() -> None:
    """Bring the database to the newest version; safe to repeat."""
    from web import jobs

    _settings, engine, sessions = opened()
    with answering():
        upgrade(engine)
        jobs.prepare(engine)
        with transaction(sessions) as session:
            versions, days = installation.refresh(session)
    say(f"the database is at the newest version; {versions} versions of profiles and {days} days of the calendar are new")


@main.command()
@click.option("--area", required=True, help="name of the area that is served, e.g. a city")
@click.option("--code", required=True, help="its code, e.g. the division code")
@click.option("--level", type=click.Choice([level.value for level in Level]), default="city", show_default=True)
@click.option("--profile", default="cn_default", show_default=True, help="local rules; see: pingshen profiles")
@click.option("--system", "system_name", required=True, help="name of the system administrator")
@click.option("--security", "security_name", required=True, help="name of the security administrator")
@click.option("--audit", "audit_name", required=True, help="name of the audit administrator")
def init(area: str, code: str, level: str, profile: str, system_name: str, security_name: str, audit_name: str) -> None:
    """Make a new production database ready: rules, calendar, procedures, the area, three administrators kept apart."""
    settings, engine, sessions = opened()
    if settings.is_demo:
        refuse("PINGSHEN_REALM is demo; a demonstration is made by `pingshen demo`.")
    upgrade(engine)
    try:
        with transaction(sessions) as session:
            installation.begin(session, Realm.PRODUCTION)
            profile_id = session.scalar(sa.select(Profile.id).where(Profile.key == profile))
            if profile_id is None:
                refuse(f"There is no profile {profile}.")
            root = organisations.add(
                session,
                None,
                parent=None,
                code=code,
                name=area,
                kind=OrganisationKind.AREA,
                level=Level(level),
                profile_id=profile_id,
            )
            issued = []
            for username, name, role in (
                ("system", system_name, Role.SYSTEM_ADMINISTRATOR),
                ("security", security_name, Role.SECURITY_ADMINISTRATOR),
                ("audit", audit_name, Role.AUDIT_ADMINISTRATOR),
            ):
                person = people.add(session, None, username=username, name=name)
                people.appoint(session, None, person, role, root)
                issued.append((username, name, people.issue_password(session, settings.policy, of_person(session, person), person)))
    except installation.BegunBefore:
        refuse("This database is in use already; nothing was changed.")
    click.echo("First passwords, shown this once; each must be changed at the first sign-in:\n")
    for username, name, password in issued:
        click.echo(f"  {username:<10} {name}　{password}")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="tell what is wrong and change nothing")
@click.option("--activate", is_flag=True, help="let new cases open under the new version at once")
@click.option("--comment", default="", help="what changed and why, kept with the version")
def deploy(folder: Path, only_check: bool, activate: bool, comment: str) -> None:
    """Check a procedure's FOLDER and keep it as a new version; what it shares lies in ../shared and ../forms."""
    try:
        files = procedures.files_of(folder)
    except InvalidInput as error:
        refuse(f"This is no procedure's folder: {error.fields['what']}")
    complaints = procedures.check(files)
    for complaint in complaints:
        click.echo(f"{complaint.level}: {complaint.file} {complaint.element}: {complaint.sentence % complaint.fields}")
    if only_check:
        sys.exit(1 if any(complaint.level == "error" for complaint in complaints) else 0)
    _settings, _engine, sessions = current_database()
    try:
        with transaction(sessions) as session:
            version = procedures.deploy(session, None, files, comment or None)
            if activate:
                procedures.activate(session, None, version)
            say(f"{version.procedure.key} version {version.number}" + (", active" if activate else ", kept; not active"))
    except Deployment:
        refuse("Not fit to deploy; nothing was kept.")


@main.command("profiles")
def list_profiles() -> None:
    """List the shipped profiles."""
    for key, content in profiles.shipped().items():
        click.echo(f"{key:<14} {content['name']}　{content['name_en']}")


@main.command("people")
@click.argument("words", default="")
@click.option("--reset", "username", help="issue a new first password to this account and end its sessions")
def list_people(words: str, username: str | None) -> None:
    """List accounts whose name, account or unit contains WORDS; or issue a new password from the console."""
    settings, _engine, sessions = current_database()
    with transaction(sessions) as session:
        if username:
            try:
                person = people.get(session, username)
                click.echo(people.issue_password(session, settings.policy, of_person(session, person), person))
            except EngineError:
                refuse(f"There is no account {username}.")
            return
        rows, count = people.find(session, words, per_page=1000)
        for person in rows:
            posts = ", ".join(f"{post.role.value}@{post.organisation.code}" for post in person.appointments)
            click.echo(f"{person.username:<16} {person.name}\t{posts}{'' if person.is_active else ' (inactive)'}")
        click.echo(f"{count} accounts")


@main.command()
def doctor() -> None:
    """Look at settings, database and worker, and say what needs hands. Ends with 1 if something does."""
    settings, engine, sessions = opened()
    problems = []
    with answering():
        click.echo(f"realm {settings.realm}, zone {settings.zone}, database {engine.dialect.name} {version_of(engine)}")
        is_ready = is_current(engine)
    if not is_ready:
        problems.append("the database is not at the newest version: pingshen upgrade")
    elif not installation.is_begun(sessions):
        problems.append("the database is empty: pingshen init")
    else:
        with transaction(sessions, read_only=True) as session:
            health = installation.health(session)
        click.echo(f"{health.people} active accounts, {health.open_cases} open cases")
        if health.realm != settings.realm:
            problems.append(f"the database was made for realm {health.realm}")
        if health.is_behind:
            problems.append("the worker does not keep up: is it running?")
        if health.open_incidents:
            problems.append(f"{health.open_incidents} incidents wait for a decision (in the pages: 事件 Incidents)")
        if health.uncovered_year:
            problems.append(f"the holidays of {health.uncovered_year} are not entered")
    if not settings.is_demo and not settings.public_url.startswith("https://"):
        problems.append("PINGSHEN_PUBLIC_URL is not https: cookies travel in the clear")
    if not settings.is_demo and not settings.smtp_host:
        problems.append("no mail server is set: messages are shown in the pages only")
    if settings.smtp_host and not settings.mail_from:
        problems.append("PINGSHEN_MAIL_FROM is not set: mails have no sender")
    for problem in problems:
        click.echo(f"  ! {problem}")
    if not problems:
        click.echo("all is well")
    sys.exit(1 if problems else 0)


@main.command()
@click.option("--journal", "whole_journal", is_flag=True, help="read the whole journal and compare it with its hashes and anchors")
@click.option("--anchors", "file", type=click.Path(dir_okay=False, path_type=Path), help="file of anchors; by default that of the settings")
@click.option("--anchor", "typed", multiple=True, help="an anchor that was kept elsewhere: POSITION:HASH")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="folder of a demonstration")
def verify(whole_journal: bool, file: Path | None, typed: tuple[str, ...], data: Path | None) -> None:
    """Prove that nothing was changed behind the pages, or name the first entry that was. Ends with 1 if something was."""
    if not whole_journal:
        refuse("Say what to verify: --journal")
    settings, _engine, sessions = current_database() if data is None else start_folder(data)
    kept = file or (Path(settings.anchor_file) if settings.anchor_file else None)
    try:
        known = anchors.read(kept) if kept else []
        known += [journal.Anchor.read(text.replace(":", " ", 1)) for text in typed]
    except ValueError as error:
        refuse(f"This is no anchor: {error}" if typed else f"Line {error} of {kept} holds no anchor.")
    except OSError as error:
        refuse(f"The anchors cannot be read: {error.strerror}")
    with answering(), transaction(sessions, read_only=True) as session:
        verdict = journal.verify(session, known)
    click.echo(f"{verdict.entries} entries, {len(known)} anchors")
    if not verdict.is_whole:
        found = f" (journal_entries.id = {verdict.entry_id})" if verdict.entry_id is not None else ""
        click.echo(f"  ! broken at entry {verdict.broken_at}{found}: {BROKEN[verdict.why]}")
        sys.exit(1)
    if not known:
        click.echo("  no anchor was compared: a tail cut off together with the head would not be noticed")
    click.echo(f"the journal is whole up to {verdict.head.position}:{verdict.head.hash}")


def start_folder(data: Path) -> tuple[Settings, sa.Engine, Sessions]:
    """Open the folder of a demonstration that is there already."""
    from web.demo import start

    if not data.is_dir():
        refuse(f"There is no folder {data}.")
    return start.open_folder(data)


def version_of(engine: sa.Engine) -> str:
    """Return the version of the database's program."""
    with engine.connect() as connection:
        return ".".join(map(str, connection.dialect.server_version_info or ()))


@main.command("demo-clock")
@click.argument("by")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, show_default=True, help="folder of the demonstration")
@click.option("--database-url", default="", help="where the demonstration is not in its folder")
def demo_clock(by: str, data: Path, database_url: str) -> None:
    """Move the clock of a demonstration forward BY a span like +36h, +10d or +2d4h30m; the running server catches up."""
    from web.demo import start

    found = MOVE.match(by)
    if not found or not any(found.groups()):
        refuse("Say how far: +36h, +10d, +90m or +2d4h30m. The clock moves forward only.")
    assert found is not None
    days, hours, minutes = (int(part or 0) for part in found.groups())
    moved = timedelta(days=days, hours=hours, minutes=minutes)
    if moved > timedelta(days=3660):
        refuse("Ten years at most.")
    if not database_url and not (data / "pingshen.db").exists():
        refuse(f"There is no demonstration in {data}. Start one with: pingshen demo")
    settings, _engine, sessions = start.open_folder(data, database_url)
    try:
        ahead = start.move_clock(sessions, moved)
    except (start.NotADemonstration, sa.exc.OperationalError):
        refuse("Only a demonstration's clock can be moved.")
    clock.set_zone(settings.zone)
    clock.set_ahead(ahead)
    local: datetime = clock.now().astimezone(clock.zone())
    say(f"the demonstration's clock now shows {local:%Y-%m-%d %H:%M}; a running one catches up within a few seconds")


@main.group()
def bench() -> None:
    """Measure, as ratios taken side by side on this machine."""


@bench.command("engine")
@click.option("--rounds", default=5, show_default=True)
@click.option("--database-url", default="", help="an empty database to measure on besides SQLite")
def bench_engine(rounds: int, database_url: str) -> None:
    """Measure a step with loading and saving against the same step in memory and against the library's own JSON; then on a database."""
    from engine.workflow import bench as measure
    from web import bench as on_database

    for line in [*measure.report(rounds), "", *on_database.report(), *(on_database.report(database_url) if database_url else [])]:
        click.echo(line)


if __name__ == "__main__":
    main()
