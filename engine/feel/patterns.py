"""Regular expressions of XPath (F&O 3.1, 5.6, as DMN 1.5, 10.3.4.3 asks), run by an engine that can be stopped.

A pattern is read piece by piece and written anew for the `regex` package, so nothing of that package's own syntax
(fuzzy matching, recursion, lookaround) can enter from an expression.
"""

import re
import time
from functools import lru_cache
from types import ModuleType
from typing import Any

from engine.feel.environment import Run
from engine.feel.errors import LimitExceeded
from engine.feel.values import MAX_ITEMS, MAX_TEXT

MAX_PATTERN = 1_000
"""Characters of a pattern."""
MAX_SUBJECT = 20_000
"""Characters of a text under a pattern."""
MAX_GROUPS = 20
MAX_REPEATED = 2_000
"""Copies of pieces that counted repetitions such as `{10,20}` ask for, all nesting multiplied."""

_STEPS = 20
"""What one use of a pattern costs before its length is counted."""

_QUANTIFIER = re.compile(r"(?:[?*+]|\{([0-9]{1,6})(?:,([0-9]{1,6})?)?\})\??")
_PROPERTY = re.compile(r"\{([A-Z][a-z]?|Is[A-Za-z0-9-]+)\}")
_REPLACEMENT = re.compile(r"[^\\$]+|\\([\\$])|\$([0-9])")


class PatternError(ValueError):
    """The text is not a regular expression of XPath."""


class _Translator:
    """Reads one pattern and writes it for the `regex` package."""

    def __init__(self, pattern: str, dot_all: bool, multi_line: bool) -> None:
        self.pattern = pattern
        self.index = 0
        self.any = "." if dot_all else r"[^\n\r]"
        self.begin, self.finish = ("^", "$") if multi_line else (r"\A", r"\Z")
        self.groups = 0
        self.closed: set[int] = set()

    @property
    def next(self) -> str:
        """The next character, empty at the end."""
        return self.pattern[self.index : self.index + 1]

    def take(self) -> str:
        """Step over the next character and return it."""
        character = self.next
        if not character:
            raise PatternError("unexpected end")
        self.index += 1
        return character

    def skip(self, text: str) -> bool:
        """Step over this text if it comes next."""
        if self.pattern.startswith(text, self.index):
            self.index += len(text)
            return True
        return False

    def whole(self) -> str:
        """Translate the whole pattern."""
        written, _ = self.alternatives()
        if self.next:
            raise PatternError("unexpected ')'")
        return written

    def alternatives(self) -> tuple[str, int]:
        """Translate branches separated by `|`; also return how many pieces they unfold to."""
        branches, size = [], 0
        while True:
            written = []
            while self.next not in ("", "|", ")"):
                piece, pieces = self.piece()
                written.append(piece)
                size += pieces
                if size > MAX_REPEATED:
                    raise LimitExceeded("a regular expression repeats too much")
            branches.append("".join(written))
            if not self.skip("|"):
                return "|".join(branches), size + 1

    def piece(self) -> tuple[str, int]:
        """Translate an atom and its quantifier."""
        atom, size = self.atom()
        quantifier, times = self.quantifier()
        if size * times > MAX_REPEATED:
            raise LimitExceeded("a regular expression repeats too much")
        return atom + quantifier, size * times

    def quantifier(self) -> tuple[str, int]:
        """Translate `?`, `*`, `+`, `{n}`, `{n,}` or `{n,m}`, each also reluctant; also return the copies of it."""
        found = _QUANTIFIER.match(self.pattern, self.index)
        if not found:
            if self.next == "{":
                raise PatternError("'{' must be escaped")
            return "", 1
        self.index = found.end()
        if self.next and self.next in "?*+":
            raise PatternError("nothing to repeat")
        low, high = int(found[1] or 1), int(found[2] or found[1] or 1)
        if found[2] and high < low:
            raise PatternError("the least is greater than the most")
        return found[0], max(1, low, high)

    def atom(self) -> tuple[str, int]:
        """Translate a character, class, group, anchor or back reference."""
        character = self.take()
        if character == ".":
            return self.any, 1
        if character == "^":
            return self.begin, 1
        if character == "$":
            return self.finish, 1
        if character == "[":
            return self.character_class(), 1
        if character == "(":
            return self.group()
        if character == "\\":
            return self.escape(), 1
        if character in "?*+{}])":
            raise PatternError(f"{character!r} must be escaped")
        return re.escape(character), 1

    def group(self) -> tuple[str, int]:
        """Translate a group, capturing or not."""
        if self.skip("?:"):
            opening, number = "(?:", 0
        else:
            self.groups += 1
            opening, number = "(", self.groups
        if self.next == "?":
            raise PatternError("only (?: is allowed after '('")
        if opening == "(" and self.groups > MAX_GROUPS:
            raise LimitExceeded(f"more than {MAX_GROUPS} groups in a regular expression")
        inner, size = self.alternatives()
        if not self.skip(")"):
            raise PatternError("a group that does not end")
        self.closed.add(number)
        return f"{opening}{inner})", size

    def escape(self) -> str:
        """Translate what follows a backslash outside a class."""
        character = self.next
        if character and character in "123456789":
            self.index += 1
            number = int(character)
            following = int(character + self.next) if self.next.isascii() and self.next.isdigit() else 0
            if following in self.closed:
                self.index += 1
                number = following
            if number not in self.closed:
                raise PatternError("a back reference to a group that is not there yet")
            return f"(?:\\{number})"
        plain, inside = self.class_escape()
        return plain or f"[{inside}]"

    def class_escape(self) -> tuple[str, str]:
        """Translate an escape as it stands alone and as it stands inside `[...]`; the first is empty if alike."""
        character = self.take()
        if character in "nrt":
            return "", f"\\{character}"
        if character in "\\|.-^?*+{}()[]$/":
            return "", re.escape(character)
        if character in "pP":
            name = self.property_name()
            return "", f"\\{character}{{{name}}}"
        if character in _CLASSES:
            return "", _CLASSES[character]
        raise PatternError(f"unknown escape \\{character}")

    def property_name(self) -> str:
        """Read `{Lu}` or `{IsBasicLatin}` and return the name that the package knows."""
        found = _PROPERTY.match(self.pattern, self.index)
        if not found:
            raise PatternError("expected a category as in \\p{Lu}")
        self.index = found.end()
        name = found[1]
        return f"In{name[2:]}" if len(name) > 2 else name

    def character_class(self) -> str:
        """Translate `[...]` after its bracket, with subtraction as in `[a-z-[aeiou]]`."""
        negation = "^" if self.skip("^") else ""
        inside: list[str] = []
        while True:
            if self.next == "]" and inside:
                self.index += 1
                return f"[{negation}{''.join(inside)}]"
            if self.pattern.startswith("-[", self.index) and inside:
                self.index += 2
                excluded = self.character_class()
                if not self.skip("]"):
                    raise PatternError("a subtraction must be last in its class")
                return f"(?:(?!{excluded})[{negation}{''.join(inside)}])"
            inside.append(self.class_member(bool(inside)))

    def class_member(self, follows: bool) -> str:
        """Translate one character, escape or range of a class."""
        first, single = self.class_character(follows)
        if self.next != "-" or self.pattern[self.index + 1 : self.index + 2] in ("]", "[", ""):
            return first
        if not single:
            raise PatternError("a range must begin with a character")
        self.index += 1
        last, single = self.class_character(True)
        if not single or _code(last) < _code(first):
            raise PatternError("a range runs backwards")
        return f"{first}-{last}"

    def class_character(self, follows: bool) -> tuple[str, bool]:
        """Translate one character of a class; also tell whether it is a single one."""
        character = self.take()
        if character == "\\":
            _, inside = self.class_escape()
            return inside, inside[:2] not in ("\\p", "\\P") and inside not in _CLASSES.values()
        if character == "[" or (character == "-" and follows and self.next != "]"):
            raise PatternError(f"{character!r} must be escaped in a class")
        return (re.escape(character) if character.isascii() and not character.isalnum() else character), True


def _code(written: str) -> int:
    escaped = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}.get(written, written[-1])
    return ord(escaped)


_CLASSES = {
    "s": r" \t\n\r",
    "S": r"\x00-\x08\x0B\x0C\x0E-\x1F\x21-\U0010FFFF",
    "d": r"\p{Nd}",
    "D": r"\P{Nd}",
    "w": r"\p{L}\p{M}\p{N}\p{S}",
    "W": r"\p{P}\p{Z}\p{C}",
    "i": r"\p{L}\p{Nl}_:",
    "c": r"\p{L}\p{Nl}\p{M}\p{Nd}_:.\-\xB7",
}


def _translated(pattern: str, flags: str) -> tuple[str, int]:
    """Return a pattern as the `regex` package reads it, and the number of its groups."""
    if "q" in flags:
        return re.escape(pattern), 0
    if "x" in flags:
        pattern = re.sub(r"(\[[^\]]*\])|\s+", lambda found: found[1] or "", pattern)
    translator = _Translator(pattern, "s" in flags, "m" in flags)
    return translator.whole(), translator.groups


def _engine() -> ModuleType:
    """Return the `regex` package, imported at first use: it costs 50 ms, and few expressions have a pattern."""
    import regex

    return regex


@lru_cache(maxsize=256)
def _compiled(pattern: str, flags: str) -> tuple[Any, int]:
    """Return a compiled pattern and the number of its groups.

    Raises:
        PatternError: The pattern or a flag is not one of XPath.
        LimitExceeded: The pattern is too large.
    """
    if len(pattern) > MAX_PATTERN:
        raise LimitExceeded(f"a regular expression longer than {MAX_PATTERN} characters")
    if not set(flags) <= set("smixq"):
        raise PatternError("the flags are s, m, i, x and q")
    regex = _engine()
    written, groups = _translated(pattern, flags)
    options = regex.VERSION0 | (regex.MULTILINE if "m" in flags else 0) | (regex.DOTALL if "s" in flags else 0)
    try:
        return regex.compile(written, options | (regex.IGNORECASE if "i" in flags else 0), cache_pattern=False), groups
    except (regex.error, OverflowError, RecursionError):
        raise PatternError("not a regular expression") from None


class Search:
    """One use of a pattern on one text, paid from the budget of a run."""

    def __init__(self, text: str, pattern: str, flags: str, run: Run) -> None:
        run.spend(_STEPS + len(pattern) // 4)
        run.room_for_text(len(text))
        if len(text) > MAX_SUBJECT:
            raise LimitExceeded(f"a text longer than {MAX_SUBJECT} characters under a regular expression")
        self.text = text
        self.run = run
        _engine()
        began = time.thread_time()
        self.pattern, self.groups = _compiled(pattern, flags)
        self.pay(began)

    def pay(self, began: float) -> None:
        """Take the processor time since `began` from the budget."""
        self.run.pattern_seconds -= time.thread_time() - began
        if self.run.pattern_seconds <= 0:
            raise LimitExceeded("regular expressions take too long")

    def found(self, text: str | None = None) -> bool:
        """Tell whether the pattern occurs in the text, or in another."""
        began = time.thread_time()
        try:
            result = self.pattern.search(self.text if text is None else text, timeout=self.run.pattern_seconds)
        except TimeoutError:
            raise LimitExceeded("a regular expression takes too long") from None
        self.pay(began)
        return result is not None

    def all(self) -> list[Any]:
        """Return every match from left to right."""
        began, matches = time.thread_time(), []
        try:
            for match in self.pattern.finditer(self.text, timeout=self.run.pattern_seconds):
                matches.append(match)
                if len(matches) > MAX_ITEMS:
                    raise LimitExceeded(f"a list of more than {MAX_ITEMS} items")
        except TimeoutError:
            raise LimitExceeded("a regular expression takes too long") from None
        self.pay(began)
        self.run.spend(len(matches))
        return matches


def matches(text: str, pattern: str, flags: str, run: Run) -> bool:
    """Return whether a pattern occurs in a text."""
    return Search(text, pattern, flags, run).found()


def replace(text: str, pattern: str, replacement: str, flags: str, run: Run) -> str | None:
    r"""Return the text with every match replaced; None when the pattern matches the empty text.

    `$1` to `$9` and further stand for groups, `\$` and `\\` for themselves; with the flag q all characters do.
    """
    search = Search(text, pattern, flags, run)
    if search.found(""):
        return None
    parts = [replacement] if "q" in flags else _replacement(replacement, search.groups)
    pieces: list[str] = []
    size, last = 0, 0
    for match in search.all():
        filled = [text[last : match.start()]]
        filled += [part if isinstance(part, str) else match[part] or "" for part in parts]
        last = match.end()
        size += sum(map(len, filled))
        if size > MAX_TEXT:
            raise LimitExceeded(f"a text longer than {MAX_TEXT} characters")
        run.spend(len(filled))
        pieces.append("".join(filled))
    result = "".join(pieces) + text[last:]
    run.room_for_text(len(result))
    return result


def _replacement(text: str, groups: int) -> list[str | int]:
    """Split a replacement into texts and group numbers; a group that the pattern does not have is empty.

    Raises:
        PatternError: A backslash or dollar stands alone.
    """
    parts: list[str | int] = []
    index = 0
    while index < len(text):
        found = _REPLACEMENT.match(text, index)
        if not found:
            raise PatternError("'\\' and '$' must be escaped in a replacement")
        index = found.end()
        if not found[2]:
            parts.append(found[1] or found[0])
            continue
        number = int(found[2])
        while text[index : index + 1] in tuple("0123456789") and number * 10 + int(text[index]) <= groups and number:
            number = number * 10 + int(text[index])
            index += 1
        parts.append(number if number <= groups else "")
    return parts


def split(text: str, delimiter: str, run: Run) -> list[str]:
    """Return the pieces between the matches of a pattern; one that matches the empty text splits between characters."""
    search = Search(text, delimiter, "", run)
    pieces, last = [], 0
    for match in search.all():
        if match.start() == match.end() and match.start() in (0, len(text)):
            continue  # nothing stands before the first character, and nothing behind the last
        pieces.append(text[last : match.start()])
        last = match.end()
    run.room(len(pieces) + 1)
    return [*pieces, text[last:]]
