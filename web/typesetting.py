"""Typesets one document in a process of its own, run as a file: `documents.py` is who calls.

The typesetter keeps in memory whatever it has ever laid out, and how much a document takes is known only when it is done. Here
both end with the process, and the kernel sees to it that neither its memory nor its time goes beyond the bounds.
Nothing but `typst` and the standard library is imported, so that it begins in a moment.

On its input stands one JSON text: `template` (typst), `data` (text, as the template reads it), `fonts` (a folder), `options` of
the typesetter. On its output stands the document.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import typst

MAX_MEMORY = 64_000_000
"""Bytes that a document may take beyond what the process has when it begins."""
MAX_SECONDS = 2
"""Processor time of the whole process; a manual takes a third of a second."""
STATUS = Path("/proc/self/status")


def main() -> None:
    """Typeset what stands on the input."""
    wanted: dict[str, Any] = json.load(sys.stdin.buffer)
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[wanted["fonts"]])
    compiler = typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
    compiler.compile(b"x", format="pdf")  # what every document takes is there now
    bound()
    made = compiler.compile(wanted["template"].encode(), sys_inputs={"data": wanted["data"]}, **wanted["options"])
    if not isinstance(made, bytes):
        raise TypeError("one document was wanted")
    sys.stdout.buffer.write(made)


def bound() -> None:
    """Let the process take no more than a document may, where the system knows such bounds."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (in_use() + MAX_MEMORY,) * 2)


def in_use() -> int:
    """Return how many bytes the process has for its data now.

    Raises:
        ValueError: the system does not tell.
    """
    for line in STATUS.read_text("ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise ValueError("VmData")


if __name__ == "__main__":
    main()
