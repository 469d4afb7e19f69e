"""What diagrams of other products hold, and how their words are said here."""

from __future__ import annotations

import re
from collections.abc import Collection

from engine import feel

VENDORS = {
    "http://camunda.org/schema/1.0/bpmn": "Camunda 7",
    "http://camunda.org/schema/zeebe/1.0": "Camunda 8",
    "http://activiti.org/bpmn": "Activiti",
    "http://flowable.org/bpmn": "Flowable",
    "http://www.jboss.org/drools": "jBPM",
    "http://spiffworkflow.org/bpmn/schema/1.0/core": "SpiffWorkflow",
}
_HARMLESS = frozenset(
    {
        "historyTimeToLive", "versionTag", "isStartableInTasklist", "diagramRelationId", "modelerTemplate", "modelerTemplateVersion",
        "modelerTemplateIcon", "asyncBefore", "asyncAfter", "exclusive", "async", "jobPriority", "taskPriority", "priority", "selectable",
        "packageName", "version", "adHoc", "metaData", "userTask", "bgcolor", "bordercolor", "color", "fontcolor", "fontsize", "erefname",
    }
)  # fmt: skip
_COUNTS = {
    "nrOfCompletedInstances": "instances_done",
    "numberOfCompletedInstances": "instances_done",
    "nrOfInstances": "instances",
    "numberOfInstances": "instances",
}
_WORDS = {"eq": "=", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "and": "and", "or": "or", "==": "=", "&&": "and", "||": "or"}
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*)|(?P<operator>==|!=|<=|>=|&&|\|\||[-+*/<>()!?:]))"
)
_MACHINE = re.compile(
    r"(?i)(^|[-_])(sid|id)?[-_]?[0-9a-f]{8}[-_]?[0-9a-f]{4}|^(Activity|Event|Gateway|Flow|SequenceFlow|Task|Lane|Participant)_[0-9a-z]{5,}$"
)


def is_machine_made(identifier: str) -> bool:
    """Tell whether an id was drawn by lot, so that it says nothing to a reader."""
    return _MACHINE.search(identifier) is not None


def is_setting(space: str, name: str) -> bool:
    """Tell whether an extension of another product changes how it runs there; its colours and notes do not."""
    return space in VENDORS and name not in _HARMLESS


def plain(text: str, most: int = 80) -> str:
    """Return a text that can be shown and sent: no control characters, no halves of characters, not longer than `most`."""
    clean = "".join(letter if letter.isprintable() else "·" for letter in text[:most].replace("\n", " ").replace("\t", " "))
    return clean if len(text) <= most else clean[: most - 1] + "…"


def snake(text: str) -> str:
    """Return an id of small letters, digits and underscores, at most 60 of them."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text[:200])
    words = re.sub(r"[^a-z0-9]+", "_", words.lower())[:60].strip("_")
    return words if re.match(r"[a-z]", words) else f"step_{words}"[:60].rstrip("_")


def beside(identifier: str, kind: str) -> str:
    """Return what something made beside an element is called after: its id, or its kind where a machine made the id."""
    return snake(re.sub(r"^.*}", "", kind) if is_machine_made(identifier) else identifier)


def free(wanted: str, taken: Collection[str]) -> str:
    """Return an id that nobody has, with a number behind it where needed."""
    if wanted not in taken:
        return wanted
    return next(f"{wanted}_{number}" for number in range(2, len(taken) + 3) if f"{wanted}_{number}" not in taken)


def to_feel(text: str) -> str | None:
    """Return an expression of another product as FEEL: `${a == 'x' && !b}` → `a = "x" and not(b)`; None where it cannot be said.

    Camunda 8's `=a = "x"` is FEEL with a sign before it. Calls of methods, scripts and templates are not turned.
    """
    inner = text.strip()
    if len(inner) > 2000:
        return None
    if inner.startswith("="):
        said: str | None = re.sub(r"[A-Za-z_]\w*", lambda found: _COUNTS.get(found[0], found[0]), inner[1:].strip())
    elif inner[:2] in ("${", "#{") and inner.endswith("}"):
        said = _juel(inner[2:-1])
    else:
        said = _juel(inner)
    if not said or said == inner or feel.check(said).error is not None:
        return None
    return said


def _juel(text: str) -> str | None:
    """Say an expression of the Java language in FEEL, word by word."""
    words: list[str] = []
    at, text = 0, text.strip()
    kinds: list[str] = []
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        kind = token.lastgroup or ""
        word = token[kind]
        at = token.end()
        if kind == "name" and text[at : at + 1] == "(":
            return None  # a method
        if kind == "string":
            word = '"' + word[1:-1].replace("\\'", "'").replace('"', '\\"') + '"' if word[0] == "'" else word
        elif kind == "name" and word == "div":
            word = "/"
        elif kind == "name" and word == "not":
            word, kind = "!", "operator"
        elif word in _COUNTS:
            word = _COUNTS[word]
        elif word in _WORDS:
            word, kind = _WORDS[word], "operator"
        words.append(word)
        kinds.append(kind)
    if "?" in words:
        return _choice(words)
    return _operands(words, kinds)


def _operands(words: list[str], kinds: list[str]) -> str | None:
    out: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in ("!", "empty"):
            end = _operand_end(words, at + 1)
            if end is None:
                return None
            inner = _operands(words[at + 1 : end], kinds[at + 1 : end])
            if inner is None:
                return None
            out.append(f"not({inner})" if word == "!" else f"({inner} = null)")
            at = end
            continue
        if word in ("?", ":"):
            return None
        out.append(word)
        at += 1
    said = " ".join(out)
    return said.replace("( ", "(").replace(" )", ")")


def _operand_end(words: list[str], at: int) -> int | None:
    while at < len(words) and words[at] in ("!", "empty"):
        at += 1
    if at >= len(words):
        return None
    if words[at] != "(":
        return at + 1
    depth = 0
    for place in range(at, len(words)):
        depth += (words[place] == "(") - (words[place] == ")")
        if depth == 0:
            return place + 1
    return None


def _choice(words: list[str]) -> str | None:
    """`a ? b : c`, one of them, not inside others."""
    if words.count("?") != 1 or words.count(":") != 1 or words.index("?") > words.index(":"):
        return None
    first, second = words.index("?"), words.index(":")
    parts = [_operands(part, []) for part in (words[:first], words[first + 1 : second], words[second + 1 :])]
    return None if None in parts else f"if {parts[0]} then {parts[1]} else {parts[2]}"
