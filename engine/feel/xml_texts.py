"""XML before it is parsed: whether its tags can be counted in its bytes. A tree costs fifty times its text."""

from __future__ import annotations

import re

ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "latin1", "gb18030", "gbk", "gb2312"})
"""Those in which `<` is a byte of its own, and every such byte may be one."""
MAX_DECLARATION = 300
"""Bytes of the line that tells the encoding."""
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ENCODING = re.compile(rb"""\sencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")


def is_xml(content: bytes) -> bool:
    """Tell whether a text begins as XML does."""
    return _head(content).startswith(b"<")


def is_countable(content: bytes) -> bool:
    """Tell whether a text is written in an encoding in which its tags can be counted without reading it.

    In others `<` is hidden: in UTF-7 as `+ADw-`. Where the encoding is told in a way that a parser may read otherwise than it
    is read here, it is none.
    """
    head = _head(content)
    if not head.startswith(b"<?xml"):
        return True  # UTF-8, or UTF-16 with its mark
    declaration, end, _rest = head.partition(b"?>")
    if not end or declaration.count(b"encoding") > 1:
        return False
    found = _ENCODING.search(declaration)
    return found[1].decode().lower() in ENCODINGS if found is not None else b"encoding" not in declaration


def _head(content: bytes) -> bytes:
    """Return the beginning as one byte a character, without the mark of its byte order and blanks."""
    head = content[: 2 * MAX_DECLARATION]
    for mark in _MARKS:
        head = head.removeprefix(mark)
    return head.replace(b"\x00", b"")[:MAX_DECLARATION].lstrip()
