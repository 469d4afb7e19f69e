"""Code lists: every coded answer's values, in both languages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """One value of a list, with its words and what else the list says of it."""

    code: str
    zh: str
    en: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CodeList:
    """A code list in its order."""

    key: str
    name: str
    name_en: str
    source: str
    codes: tuple[Code, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_code", {code.code: code for code in self.codes})

    def get(self, code: str) -> Code | None:
        """Return one value by its code."""
        found: Code | None = self._by_code.get(code)  # type: ignore[attr-defined]
        return found


@lru_cache(maxsize=1)
def lists() -> Mapping[str, CodeList]:
    """Return every code list by its key."""
    found: dict[str, CodeList] = {}
    for entry in (resources.files("bpmn") / "codes").iterdir():
        if entry.name.endswith(".toml"):
            content = tomllib.loads(entry.read_text("utf-8"))
            codes = tuple(
                Code(row["code"], row["zh"], row["en"], {key: value for key, value in row.items() if key not in ("code", "zh", "en")})
                for row in content["codes"]
            )
            found[content["key"]] = CodeList(content["key"], content["name"], content["name_en"], content.get("source", ""), codes)
    return found


def word(key: str, code: str | None, language: str) -> str:
    """Return the word of a code, or the code itself where the list does not know it."""
    entry = lists()[key].get(code) if code and key in lists() else None
    return (entry.en if language.startswith("en") else entry.zh) if entry else (code or "")
