"""Documents to print: data typeset as PDF with typst, and drawings as pictures.

Whatever a diagram, a form or somebody wrote reaches a template as data, never as markup: a name that looks like markup is
printed as it stands. Templates lie in `templates/documents`; they see `data`, and the fonts of the bundles alone.
Each document is typeset in a process of its own (`typesetting.py`), whose memory and time are bounded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates" / "documents"
FONTS = Path(__file__).parent / "static" / "dist" / "fonts"
FONT = "Noto Sans SC"
MAX_INPUT = 4_000_000
PICTURE = """#let data = json(bytes(sys.inputs.data))
#set page(width: data.width * 1pt, height: data.height * 1pt, margin: 0pt, fill: white)
#image(bytes(data.svg), width: data.width * 1pt, height: data.height * 1pt)
#place(bottom + left, dx: 4pt, dy: -3pt, text(font: "Noto Sans SC", size: 7pt, data.note))
"""
WORKER = Path(__file__).parent / "typesetting.py"
WAIT_S = 20
"""Seconds after which somebody else's work on a busy machine is no longer waited for."""
# One thread, and blocks given back when they are free: what a document takes is then always the same, and less.
ALLOCATION = {"RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}
_two_at_a_time = threading.Semaphore(2)


class TooLong(ValueError):
    """More than anybody prints, or than a document may take to be typeset."""


def font_path() -> Path:
    """Return the folder with the fonts of documents: Noto Sans SC, regular and bold."""
    return FONTS


def pdf(template_name: str, data: Mapping[str, Any]) -> bytes:
    """Typeset data with a template.

    Args:
        template_name: The name of a file in `templates/documents`, without its ending.
        data: Plain values; a template reads them with `json(bytes(sys.inputs.data))`.

    Raises:
        TooLong: the data are larger than 4 MB, or the document would take more than it may.
    """
    return _typeset((TEMPLATES / f"{template_name}.typ").read_text("utf-8"), data)


def sheet(svg: str, width: float, height: float, note: str = "") -> bytes:
    """Return a drawing as a PDF of one page of its own size.

    Args:
        width, height: Of the drawing, in its own units; one becomes three quarters of a point, as on a screen.
        note: What stands small at its foot.

    Raises:
        TooLong: the drawing is larger than 4 MB, or would take more than a document may.
    """
    return _typeset(PICTURE, {"svg": svg, "width": width * 0.75, "height": height * 0.75, "note": note})


def measured(data: Mapping[str, Any]) -> str:
    """Return data as the templates read them.

    Raises:
        TooLong: they are larger than 4 MB.
    """
    text = json.dumps(data, ensure_ascii=False, default=str)
    if len(text) > MAX_INPUT:
        raise TooLong
    return text


def _typeset(template: str, data: Mapping[str, Any]) -> bytes:
    wanted = {"template": template, "data": measured(data), "fonts": str(FONTS), "options": {"format": "pdf"}}
    with _two_at_a_time:
        try:
            done = subprocess.run(  # noqa: S603 - our own file; what it is given is data
                [sys.executable, "-I", str(WORKER)],
                input=json.dumps(wanted, ensure_ascii=False).encode("utf-8", "replace"),
                capture_output=True,
                timeout=WAIT_S,
                env={**os.environ, **ALLOCATION},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TooLong from None
    if done.returncode < 0:  # stopped at its bounds
        raise TooLong
    if done.returncode != 0 or not done.stdout:
        raise RuntimeError("a document could not be typeset")
    return done.stdout
