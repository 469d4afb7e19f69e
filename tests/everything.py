"""`python3 run.py test`: the same lines for everybody: ruff, mypy, the import contracts, and every test.

Arguments go to pytest. The checks of the text run beside the tests; what fails is shown at the end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
CHECKS = {
    "ruff": [BIN / "ruff", "check", "--output-format", "concise", "."],
    "ruff format": [BIN / "ruff", "format", "--check", "--quiet", "."],
    "mypy": [BIN / "mypy"],
    "lint-imports": [BIN / "lint-imports"],
}
BEGAN = time.monotonic()


def say(text: str) -> None:
    """Print a line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", flush=True)


def main() -> int:
    """Run all checks; return 0 when every one of them is content."""
    arguments = sys.argv[1:]
    running = {}
    for name, command in CHECKS.items() if not arguments else ():
        out = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the check is done
        running[name] = (subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT), out)
    say("ruff, mypy and the import contracts run beside the tests" if running else "tests")
    pytest = [BIN / "python", "-m", "pytest", *(arguments or ["-n", "3", "--dist", "worksteal", "--durations", "8"])]
    failed = [] if subprocess.run([str(part) for part in pytest], cwd=ROOT).returncode == 0 else ["tests"]
    for name, (process, out) in running.items():
        if process.wait():
            failed.append(name)
            out.seek(0)
            print(out.read(), flush=True)
        say(f"{name}: {'complaints, see above' if name in failed else 'content'}")
    say("failed: " + ", ".join(failed) if failed else "everything is content")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
