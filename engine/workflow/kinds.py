"""What kind of value an expression gives, where that can be told without running it: to find comparisons that never hold.

FEEL compares like with like: a date with an instant, a number with text give null, and a condition on null is false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from engine import feel, forms
from engine.errors import N_
from engine.feel import parser

Kinds = Mapping[tuple[str, ...], str]
WORDS: Mapping[str, str] = {
    "string": N_("文字"),
    "number": N_("数字"),
    "boolean": N_("是否"),
    "date": N_("日期"),
    "instant": N_("日期和时间"),
    "time": N_("时间"),
    "duration": N_("时长"),
    "list": N_("列表"),
}
FACTS: Kinds = {
    ("case", "kind"): "string",
    ("case", "state"): "string",
    ("case", "event_at"): "instant",
    ("case", "clock_start"): "instant",
    ("case", "opened_at"): "instant",
    ("case", "has_facility"): "boolean",
    ("case", "has_township"): "boolean",
    ("case", "is_reopened"): "boolean",
    ("hop",): "string",
    ("kind",): "string",
    ("reopened",): "boolean",
    ("instances",): "number",
    ("instances_done",): "number",
    ("results",): "list",
}
_GIVES: Mapping[str, str] = {
    "today": "date",
    "date": "date",
    "now": "instant",
    "date and time": "instant",
    "due": "instant",
    "end of day": "instant",
    "time": "time",
    "string": "string",
    "substring": "string",
    "upper case": "string",
    "lower case": "string",
    "string length": "number",
    "number": "number",
    "count": "number",
    "sum": "number",
    "floor": "number",
    "ceiling": "number",
    "abs": "number",
    "contains": "boolean",
    "starts with": "boolean",
    "ends with": "boolean",
    "matches": "boolean",
    "list contains": "boolean",
    "not": "boolean",
    "members": "list",
    "append": "list",
    "concatenate": "list",
}
_FIELDS: Mapping[str, str] = {
    "textfield": "string",
    "textarea": "string",
    "radio": "string",
    "select": "string",
    "number": "number",
    "checkbox": "boolean",
    "checklist": "list",
    "filepicker": "list",
    "dynamiclist": "list",
}
_MOMENTS = {"date": "date", "datetime": "instant", "time": "time"}


@lru_cache(maxsize=4096)
def _checked(text: str) -> feel.Check:
    return feel.check(text)


def checked(text: str) -> feel.Check:
    """Return the check of an expression; short ones are remembered."""
    return _checked(text) if len(text) <= 400 else feel.check(text)


@lru_cache(maxsize=2048)
def _tree(text: str) -> parser.Node | None:
    try:
        return parser.parse(text)
    except (feel.FeelError, RecursionError):
        return None


def tree(text: str) -> parser.Node | None:
    """Return the tree of an expression, None where it is none; only short ones are looked at."""
    return _tree(text) if len(text) <= 400 else None


def of_form(form: forms.Form) -> dict[tuple[str, ...], str]:
    """Return the kinds of a form's answers by path; what may be answered "unknown" is of no kind."""
    found: dict[tuple[str, ...], str] = {}

    def visit(fields: Sequence[forms.Field], path: tuple[str, ...]) -> None:
        for entry in fields:
            here = (*path, entry.key) if entry.key else path
            kind = _MOMENTS.get(entry.subtype) if entry.type == "datetime" else _FIELDS.get(entry.type)
            if entry.key and kind is not None and not entry.offers_unknown:
                found[here] = kind
            if entry.type == "group":
                visit(entry.fields, here)

    visit(form.fields, ())
    return found


def of_variables(sources: Iterable[tuple[str, str, str]], known: Mapping[str, forms.Form]) -> dict[tuple[str, ...], str]:
    """Return the kinds of variables that every step setting them agrees on.

    Args:
        sources: Name, expression, and the form whose answers the expression sees (or empty).
    """
    entries = list(sources)
    answers = {key: {("answers", *path): kind for path, kind in of_form(form).items()} for key, form in known.items()}
    found: dict[tuple[str, ...], str] = dict(FACTS)
    for _ in range(3):
        told: dict[str, set[str]] = {}
        for name, text, form in entries:
            node = tree(text) if text else None
            if node is not None and isinstance(node, parser.Literal) and node.value is None:
                told.setdefault(name, set())
                continue
            told.setdefault(name, set()).add((kind_of(node, {**found, **answers.get(form, {})}) if node is not None else "") or "")
        found = {**FACTS, **{(name,): next(iter(kinds)) for name, kinds in told.items() if len(kinds) == 1 and "" not in kinds}}
    return found


def kind_of(node: parser.Node, known: Kinds) -> str | None:
    """Return the kind of value that an expression gives, None where it cannot be told."""
    match node:
        case parser.Literal(value=value):
            if isinstance(value, bool):
                return "boolean"
            return "string" if isinstance(value, str) else None if value is None or not _is_number(value) else "number"
        case parser.Name(name=name):
            return known.get((name,))
        case parser.Path(source=parser.Name(name=name), names=names):
            return known.get((name, *names))
        case parser.Call(function=parser.Name(name=name), arguments=arguments):
            if name == "duration":
                return "duration"
            if name == "add working days" and arguments:
                return kind_of(arguments[0], known)
            return _GIVES.get(name)
        case parser.Comparison() | parser.Logic() | parser.Between() | parser.In() | parser.InstanceOf():
            return "boolean"
        case parser.If(yes=yes, no=no):
            kinds = {kind_of(yes, known), kind_of(no, known)}
            return kinds.pop() if len(kinds) == 1 else None
        case parser.ListNode():
            return "list"
        case parser.Arithmetic(first=first, rest=rest) if len(rest) == 1:
            left, right = kind_of(first, known), kind_of(rest[0][1], known)
            if left == right and left in ("number", "string"):
                return left
            if left in ("date", "instant") and right == "duration":
                return left
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int) or type(value).__name__ == "Decimal"


def differing(text: str, known: Kinds) -> Iterator[tuple[str, str]]:
    """Yield the kinds of the two sides of each comparison that never holds."""
    if not any(mark in text for mark in "<>=") or (root := tree(text)) is None:
        return
    todo: list[parser.Node] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, parser.Loop | parser.Filter | parser.FunctionNode | parser.ContextNode):
            continue  # names may be bound anew inside
        if isinstance(node, parser.Comparison):
            left, right = kind_of(node.left, known), kind_of(node.right, known)
            if left is not None and right is not None and left != right and "list" not in (left, right):
                yield WORDS[left], WORDS[right]
        todo.extend(parser.children(node))


def is_surely_read(text: str, name: str) -> bool:
    """Tell whether an expression reads a name whatever comes before it: not only behind `and`, `or`, `if` or in a loop."""
    root = tree(text)
    todo: list[parser.Node] = [] if root is None else [root]
    while todo:
        node = todo.pop()
        match node:
            case parser.Name(name=found):
                if found == name:
                    return True
            case parser.Logic(operands=operands):
                todo.append(operands[0])
            case parser.If(condition=condition):
                todo.append(condition)
            case parser.Loop(iterators=iterators):
                todo.extend(each.source for each in iterators[:1])
            case parser.Filter(source=source):
                todo.append(source)
            case parser.FunctionNode() | parser.ContextNode():
                pass
            case _:
                todo.extend(parser.children(node))
    return False
