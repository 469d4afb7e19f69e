"""Forms read and changed field by field, for those who edit them as a list. Pure functions from text to text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import forms
from engine.errors import N_
from engine.workflow.editing import EditRefused

KINDS = ("textfield", "textarea", "number", "datetime", "select", "radio", "checklist", "checkbox", "filepicker", "text", "group", "dynamiclist")
CHOICES = ("select", "radio", "checklist")
NESTED = ("group", "dynamiclist")
MAX_TEXT = 2000
# Where each value stands in a component: a path of keys.
PLACES: Mapping[str, tuple[str, ...]] = {
    "label": ("label",),
    "en": ("properties", "en"),
    "description": ("description",),
    "hint_en": ("properties", "hint_en"),
    "values_key": ("valuesKey",),
    "required": ("validate", "required"),
    "min": ("validate", "min"),
    "max": ("validate", "max"),
    "max_length": ("validate", "maxLength"),
    "unit": ("appearance", "suffixAdder"),
    "unit_en": ("properties", "unit_en"),
    "identity": ("properties", "id"),
    "required_if": ("properties", "required_if"),
    "prefill": ("properties", "prefill"),
    "hide": ("conditional", "hide"),
    "past": ("properties", "past"),
    "subtype": ("subtype",),
}
HEAD = ("title", "title_en", "audience", "source")


@dataclass(frozen=True, slots=True)
class Entry:
    """A component where it stands: how deep, and whether it can go up or down."""

    id: str
    depth: int
    component: Mapping[str, Any]
    goes_up: bool
    goes_down: bool


def entries(content: bytes) -> list[Entry]:
    """Return the components of a form in order.

    Raises:
        EditRefused: it is not a form.
    """
    found: list[Entry] = []

    def visit(components: list[Any], depth: int) -> None:
        for place, component in enumerate(components):
            found.append(Entry(str(component.get("id", "")), depth, component, place > 0, place + 1 < len(components)))
            if depth < forms.MAX_DEPTH:
                visit(component.get("components") or [], depth + 1)

    visit(_open(content)["components"], 0)
    return found


def value(component: Mapping[str, Any], name: str) -> str:
    """Return a value of a component as it is typed."""
    found: Any = component
    for key in PLACES[name]:
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return "y" if found else ""
    text = "" if found is None else str(found)
    return text.removeprefix("=").strip() if name == "hide" else text


def head(content: bytes) -> dict[str, str]:
    """Return title, audience and source of a form."""
    ours = _open(content).get("pingshen") or {}
    return {name: str(ours.get(name, "")) for name in HEAD}


def set_head(content: bytes, values: Mapping[str, str]) -> bytes:
    """Write title, audience or source."""
    schema = _open(content)
    ours = schema.setdefault("pingshen", {})
    for name, text in values.items():
        if name not in HEAD or len(text) > MAX_TEXT:
            raise EditRefused(N_("内容太长。"), name)
        if name in ("title", "title_en") and not text:
            raise EditRefused(N_("请填名称。"), name)
        if text or name in ours:
            ours[name] = text
    return _closed(content, schema)


def set_values(content: bytes, identifier: str, values: Mapping[str, str]) -> bytes:
    """Write values of a component by the names of `PLACES`; an empty one takes it away.

    Raises:
        EditRefused: a value that cannot be, or a form that would no longer be one; `field` names it.
    """
    schema = _open(content)
    component = _found(schema, identifier)[1]
    for name, text in values.items():
        if name == "key":
            component["path" if component.get("type") in NESTED else "key"] = text
            continue
        if name not in PLACES or len(text) > MAX_TEXT:
            raise EditRefused(N_("内容太长。"), name)
        if name in ("min", "max", "max_length") and text and not re.fullmatch(r"-?\d{1,9}(\.\d{1,6})?", text):
            raise EditRefused(N_("请填数字。"), name)
        if value(component, name) != text:
            _put(component, name, text)
    return _closed(content, schema)


def _put(component: dict[str, Any], name: str, text: str) -> None:
    *path, last = PLACES[name]
    holder = component
    for key in path:
        holder = holder.setdefault(key, {})
    if not text:
        holder.pop(last, None)
        for key in path:
            if not component.get(key):
                component.pop(key, None)
    elif name == "required":
        holder[last] = True
    elif name in ("min", "max", "max_length"):
        holder[last] = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    else:
        holder[last] = f"={text}" if name == "hide" else text
    if name == "label" and component.get("type") == "datetime":
        component["dateLabel"] = text


def add(content: bytes, kind: str, key: str, label: str, label_en: str, after: str = "") -> tuple[bytes, str]:
    """Put a new field behind another one; behind a group without a key, inside it. Returns the form and the field's id.

    Raises:
        EditRefused: the key is no key, or taken.
    """
    schema = _open(content)
    if kind not in KINDS:
        raise EditRefused(N_("没有这种字段。"), "kind")
    if kind != "text" and kind != "group" and not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", key):
        raise EditRefused(N_("代码用小写字母、数字和下划线，字母开头。"), "key")
    if not label.strip():
        raise EditRefused(N_("请填名称。"), "label")
    taken = {entry.id for entry in entries(content)}
    base = f"{'Section' if kind == 'group' else 'Field'}_{key or 'note'}"
    identifier = next(name for name in (base, *(f"{base}_{count}" for count in range(2, 1000))) if name not in taken)
    component: dict[str, Any] = {"type": kind, "id": identifier}
    if kind == "text":
        component["text"] = label
    elif kind in NESTED:
        component |= {"label": label, "components": []} | ({"path": key} if key else {})
        if kind == "dynamiclist":
            component["components"] = [{"type": "textfield", "id": f"{identifier}_text", "key": "text", "label": label}]
    else:
        component |= {"key": key, "label": label}
        if kind == "datetime":
            component |= {"subtype": "date", "dateLabel": label}
        if kind in CHOICES:
            component["valuesKey"] = "CS-YESNO"
    if label_en:
        component["properties"] = {"en": label_en}
    if after:
        holder, beside = _found(schema, after)
        if beside.get("type") == "group" and not beside.get("path") and kind != "group":
            beside.setdefault("components", []).append(component)
        else:
            holder.insert(holder.index(beside) + 1, component)
    else:
        schema["components"].append(component)
    return _closed(content, schema), identifier


def remove(content: bytes, identifier: str) -> bytes:
    """Take a field away, with what is in it.

    Raises:
        EditRefused: a rule names it.
    """
    schema = _open(content)
    holder, component = _found(schema, identifier)
    key = component.get("key") or component.get("path")
    for rule in (schema.get("pingshen") or {}).get("rules") or ():
        if key and re.search(rf"(^|[.\[\]]){re.escape(str(key))}($|[.\[\]])", str(rule.get("field", ""))):
            raise EditRefused(N_("规则“%(rule)s”还用着这个字段，先改规则。"), rule=str(rule.get("zh", rule.get("id"))))
    holder.remove(component)
    return _closed(content, schema)


def move(content: bytes, identifier: str, by: int) -> bytes:
    """Move a field up (-1) or down (1) among its neighbours."""
    schema = _open(content)
    holder, component = _found(schema, identifier)
    at = holder.index(component)
    if not 0 <= at + by < len(holder):
        raise EditRefused(N_("这一行不能再移了。"))
    holder.insert(at + by, holder.pop(at))
    return _closed(content, schema)


def _found(schema: Mapping[str, Any], identifier: str) -> tuple[list[Any], dict[str, Any]]:
    todo: list[list[Any]] = [schema["components"]]
    while todo:
        components = todo.pop()
        for component in components:
            if component.get("id") == identifier:
                return components, component
            if component.get("components"):
                todo.append(component["components"])
    raise EditRefused(N_("没有这个字段，表单可能刚改过。"))


def _open(content: bytes) -> dict[str, Any]:
    try:
        forms.parse(content)
        schema: dict[str, Any] = json.loads(content)
    except (forms.UnreadableForm, ValueError) as error:
        raise EditRefused(N_("这个文件不是能用的表单：%(reason)s"), reason=str(error)[:200]) from error
    return schema


def _closed(before: bytes, schema: Mapping[str, Any]) -> bytes:
    """Return a form as text, indented as it was; what is no form any more is refused."""
    indented = re.search(rb'\n( +|\t+)"', before)
    width: int | str | None = None
    if indented:
        width = "\t" if indented[1].startswith(b"\t") else len(indented[1])
    content = (json.dumps(schema, ensure_ascii=False, indent=width) + ("\n" if before.endswith(b"\n") else "")).encode()
    try:
        forms.parse(content)
    except forms.UnreadableForm as error:
        raise EditRefused(N_("这样改以后表单不能用：%(reason)s"), "key" if "key" in str(error) else "", reason=str(error)[:200]) from error
    return content
