"""Documents to print: data typeset as PDF with typst, and drawings as pictures.

Whatever a diagram, a form or somebody wrote reaches a template as data, never as markup: a name that looks like markup is
printed as it stands. Templates lie in `templates/documents`; they see `data`, and the fonts of the bundles alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typst

TEMPLATES = Path(__file__).parent / "templates" / "documents"
FONTS = Path(__file__).parent / "static" / "dist" / "fonts"
FONT = "Noto Sans SC"
MAX_INPUT = 4_000_000
PICTURE = """#let data = json(bytes(sys.inputs.data))
#set page(width: data.width * 1pt, height: data.height * 1pt, margin: 0pt, fill: white)
#image(bytes(data.svg), width: data.width * 1pt, height: data.height * 1pt)
"""
_one_at_a_time = threading.Semaphore(2)


class TooLong(ValueError):
    """More than anybody prints."""


def font_path() -> Path:
    """Return the folder with the fonts of documents: Noto Sans SC, regular and bold."""
    return FONTS


def pdf(template_name: str, data: Mapping[str, Any]) -> bytes:
    """Typeset data with a template.

    Args:
        template_name: The name of a file in `templates/documents`, without its ending.
        data: Plain values; a template reads them with `json(bytes(sys.inputs.data))`.

    Raises:
        TooLong: the data are larger than 4 MB.
    """
    found: bytes = _compile((TEMPLATES / f"{template_name}.typ").read_bytes(), data, format="pdf")
    return found


def picture(svg: str, width: float, height: float, *, scale: float = 2.0) -> bytes:
    """Return a drawing as PNG, for documents that take no SVG.

    Args:
        width, height: Of the drawing, in its own units.
        scale: Dots for each unit; less where the picture would have more than twelve million dots.
    """
    scale = min(scale, (12_000_000 / max(1.0, width * height)) ** 0.5)
    found: bytes = _compile(PICTURE.encode(), {"svg": svg, "width": width, "height": height}, format="png", ppi=72 * scale)
    return found


def sheet(svg: str, width: float, height: float) -> bytes:
    """Return a drawing as a PDF of one page of its own size.

    Args:
        width, height: Of the drawing, in its own units; one becomes three quarters of a point, as on a screen.

    Raises:
        TooLong: the drawing is larger than 4 MB.
    """
    found: bytes = _compile(PICTURE.encode(), {"svg": svg, "width": width * 0.75, "height": height * 0.75}, format="pdf")
    return found


def measured(data: Mapping[str, Any]) -> str:
    """Return data as the templates read them.

    Raises:
        TooLong: they are larger than 4 MB.
    """
    text = json.dumps(data, ensure_ascii=False, default=str)
    if len(text) > MAX_INPUT:
        raise TooLong
    return text


def _compile(source: bytes, data: Mapping[str, Any], **options: Any) -> Any:
    text = measured(data)
    with _turn():
        return typst.compile(source, font_paths=[str(FONTS)], ignore_system_fonts=True, sys_inputs={"data": text}, **options)


@contextmanager
def _turn() -> Iterator[None]:
    """Let two documents be typeset at once: each takes a core and some memory."""
    with _one_at_a_time:
        yield
