"""A procedure's form → a WTForms class that reads what a browser sends, and a tree that the templates show.

The schema is checked by `engine.forms`; here text becomes Python values and findings find their fields. Everything
works without JavaScript: hidden fields are then shown and their answers dropped by the server.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from uuid import UUID

from flask import g
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, FieldList, Form, FormField, StringField

from engine import clock, feel, forms
from engine.codes import Code
from engine.forms import UNKNOWN, Context, Finding, Path
from models import Organisation, Person
from web.language import either, is_english, joined, say

_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?\Z")
_TIME = re.compile(r"(\d{1,2})[:：](\d{2})(?::\d{2})?\Z")


def half(text: str) -> str:
    """Return text with full-width digits, signs and blanks as half-width ones."""
    return unicodedata.normalize("NFKC", text).strip()


class _Typed(Field):  # type: ignore[misc]
    """A field of one or more inputs with the same name; the word for unknown may be ticked beside it."""

    raw: list[str]

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed; what cannot be read stays in the page with its sentence."""
        self.raw = [value for value in valuelist if value != UNKNOWN]
        self.is_unknown = UNKNOWN in valuelist
        self.data = UNKNOWN if self.is_unknown else self.read(self.raw)

    def process_data(self, value: Any) -> None:
        """Take a stored value."""
        self.data, self.is_unknown = value, value == UNKNOWN
        self.raw = [] if self.is_unknown else self.write(value)

    def read(self, raw: list[str]) -> Any:
        """Turn typed text into a value."""
        return raw[0] if raw and raw[0].strip() else None

    def write(self, value: Any) -> list[str]:
        """Turn a value into text."""
        return [] if value is None else [str(value)]


class TextField(_Typed):
    """Text as typed."""


class NumberField(_Typed):
    """A number; full-width digits count."""

    def read(self, raw: list[str]) -> Any:
        text = half(raw[0]).replace(",", "") if raw else ""
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) >= 10**12 or len(text) > 24:
            raise ValueError(_("请填数字。"))
        return int(number) if number == number.to_integral_value() else number

    def write(self, value: Any) -> list[str]:
        return [] if value is None else [f"{value:f}" if isinstance(value, Decimal) else str(value)]


class MomentField(_Typed):
    """A date, a time of day, or both in two inputs; 24 hours, in the office's zone."""

    subtype = "date"

    def read(self, raw: list[str]) -> Any:
        texts = [half(text) for text in raw]
        if not any(texts):
            return None
        if self.subtype == "time":
            return {"$": "t", "v": f"{_time(texts[0]):%H:%M:%S}"}
        day = _date(texts[0])
        if self.subtype == "date":
            return day
        if len(texts) < 2 or not texts[1]:
            raise ValueError(_("还差几点几分。不确定时写大约时间。"))
        return datetime.combine(day, _time(texts[1]), clock.zone())

    def write(self, value: Any) -> list[str]:
        if isinstance(value, datetime):
            local = value.astimezone(clock.zone())
            return [f"{local:%Y-%m-%d}", f"{local:%H:%M}"] if self.subtype == "datetime" else [f"{local:%Y-%m-%d}"]
        if isinstance(value, date):
            return [f"{value:%Y-%m-%d}"]
        return [str(value)[:5]] if value is not None else []


class DateField(MomentField):
    """A date."""


class TimeField(MomentField):
    """A time of day."""

    subtype = "time"


class DateTimeField(MomentField):
    """A date and a time of day."""

    subtype = "datetime"


class ManyField(Field):  # type: ignore[misc]
    """Several codes."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take every ticked code once."""
        self.data = list(dict.fromkeys(value for value in valuelist if value))


_ODD_INDEX = re.compile(r"-(?:[0-9]{5,}|(?![0-9]+(?:-|\Z))\d[^-]*|[^-\x00-\x7f]+)(?:-|\Z)")  # no row of a list is called so


def _date(text: str) -> date:
    found = _DATE.match(text)
    try:
        day = date(*map(int, found.groups())) if found else date.fromisoformat(text)
        if not 1900 <= day.year < 2200:
            raise ValueError
        return day
    except ValueError:
        raise ValueError(_("请按 年-月-日 填，如 2026-10-14。")) from None


def _time(text: str) -> time:
    found = _TIME.match(text) or re.match(r"(\d{1,2})(\d{2})\Z", text)
    try:
        if not found:
            raise ValueError
        return time(int(found[1]), int(found[2]))
    except ValueError:
        raise ValueError(_("请按 24 小时制填时间，如 16:40。")) from None


_FIELDS: Mapping[str, type[Field]] = {
    "textfield": TextField,
    "textarea": TextField,
    "number": NumberField,
    "checkbox": BooleanField,
    "radio": TextField,
    "select": TextField,
    "checklist": ManyField,
}
_MOMENTS = {"date": DateField, "time": TimeField, "datetime": DateTimeField}


@lru_cache(maxsize=256)
def form_class(form: forms.Form) -> type[Form]:
    """Return the WTForms class of a form; the same form gives the same class."""
    return _class(form.fields, form.key)


def _class(fields: Sequence[forms.Field], name: str) -> type[Form]:
    members: dict[str, Any] = {}
    for entry in fields:
        if entry.type == "group":
            inner = _class(entry.fields, entry.key or name)
            if entry.key:
                members[entry.key] = FormField(inner)
            else:
                members.update({key: value for key, value in vars(inner).items() if hasattr(value, "field_class")})
        elif entry.type == "dynamiclist":
            row = _class(entry.fields, entry.key)
            if entry.has_row_id:
                row.row_id = StringField()  # type: ignore[attr-defined]
            members[entry.key] = FieldList(FormField(row), max_entries=forms.MAX_ROWS)
        elif entry.type == "datetime":
            members[entry.key] = _MOMENTS.get(entry.subtype, DateField)()
        elif entry.type in _FIELDS:
            members[entry.key] = _FIELDS[entry.type]()
    return type(f"Form_{name}", (Form,), members)


@dataclass
class Node:
    """A component as a template shows it, with the field that reads it, its findings, and the components inside."""

    entry: forms.Field
    path: Path
    field: Any = None
    errors: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    is_hidden: bool = False
    is_required: bool = False
    options: Sequence[Code] = ()
    known: str = ""
    children: list[Node] = dataclasses.field(default_factory=list)
    rows: list[Row] = dataclasses.field(default_factory=list)
    value: Any = None

    @property
    def id(self) -> str:
        """The id of the input, and what error links point at."""
        return "f-" + "-".join(map(str, self.path)) if self.path else f"g-{self.entry.id}"

    @property
    def name(self) -> str:
        """The name under which a browser sends it."""
        return "-".join(map(str, self.path))

    @property
    def label(self) -> str:
        """The label in the language of the page."""
        return either(self.entry.label, self.entry.label_en)

    @property
    def hint(self) -> str:
        """The hint in the language of the page."""
        return either(self.entry.hint, self.entry.hint_en)

    @property
    def unit(self) -> str:
        """The unit in the language of the page."""
        return either(self.entry.unit, self.entry.unit_en)

    @property
    def width(self) -> int:
        """How many of sixteen columns it takes: what the form says, else what its kind needs."""
        if self.entry.columns:
            return min(16, max(2, self.entry.columns))
        if self.entry.type in ("number", "datetime", "textfield"):
            return 8
        if self.entry.type == "select" or (self.entry.type == "radio" and len(self.options) <= 3):
            return 8 if len(self.label) <= 16 or self.entry.type == "select" else 16
        return 16

    def inputs(self) -> Iterator[Node]:
        """Yield every node inside, itself included."""
        yield self
        for child in self.children:
            yield from child.inputs()
        for row in self.rows:
            for child in row.children:
                yield from child.inputs()

    def placed(self, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Yield every node inside, itself included, each with the rows and named groups it lies in."""
        yield where, self
        inside = (*where, self.label) if self.entry.type == "group" and self.entry.key and self.label else where
        for child in self.children:
            yield from child.placed(inside)
        for row in self.rows:
            for child in row.children:
                yield from child.placed((*where, _("%(list)s %(number)s", list=self.label, number=row.index + 1)))

    @property
    def missing(self) -> int:
        """How many required answers are still missing inside."""
        return sum(
            1
            for node in self.inputs()
            if node.is_required
            and not node.is_hidden
            and not node.children
            and (not node.rows if node.entry.type == "dynamiclist" else _empty(node.value))
        )

    @property
    def has_error(self) -> bool:
        """Whether something inside is wrong."""
        return any(node.errors for node in self.inputs())


@dataclass
class Row:
    """A row of a list: its position, its summary line, and whether it is shown open."""

    index: int
    summary: str
    is_open: bool
    children: list[Node]
    row_id: str = ""


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value is False


class Filled:
    """A form with what was typed or stored: values for the engine, a tree for the page."""

    def __init__(
        self, form: forms.Form, context: Context, *, sent: MultiDict[str, str] | None = None, stored: Mapping[str, Any] | None = None
    ) -> None:
        """Read what a browser sent, or take what is stored (in wire form)."""
        self.form, self.context = form, context
        self.was_sent = sent is not None
        data = None if sent is not None else forms.thaw(stored or {})
        if sent is not None:
            sent = MultiDict([(name, value) for name, value in sent.items(multi=True) if not _ODD_INDEX.search(name)])
        self.wtform = form_class(form)(formdata=sent, data=data)
        self.checked: forms.Checked | None = None

    def values(self) -> dict[str, Any]:
        """Return the answers as Python values, the files of the work item among them."""
        return _values(self.form.fields, self.wtform, self.context, ())

    def check(self) -> forms.Checked:
        """Check the answers; what could not even be read counts as wrong."""
        checked = forms.check(self.form, self.values(), self.context)
        unread = list(self._unread())
        paths = {finding.path for finding in unread}
        hidden = set(checked.dropped)
        unread = [finding for finding in unread if not any(finding.path[: len(path)] == path for path in hidden)]
        checked.findings = [*unread, *(finding for finding in checked.findings if finding.path not in paths)]
        self.checked = checked
        return checked

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Show findings of the engine at their fields."""
        if self.checked is None:
            self.check()
        assert self.checked is not None
        known = {(finding.path, finding.rule, finding.sentence) for finding in self.checked.findings}
        self.checked.findings += [finding for finding in findings if (finding.path, finding.rule, finding.sentence) not in known]

    def _unread(self) -> Iterator[Finding]:
        for path, wtfield in _leaves(self.wtform, ()):
            for message in wtfield.process_errors:
                yield Finding(path, "error", zh=str(message), en=str(message))

    def add_row(self, path: str) -> None:
        """Add a blank row to a list."""
        found = self._list(path)
        if found is not None and len(found.entries) < forms.MAX_ROWS:
            found.append_entry()

    def remove_row(self, path: str, index: int) -> None:
        """Remove a row of a list."""
        found = self._list(path)
        if found is not None:
            found.entries = [entry for entry in found.entries if _position(entry) != index]

    def _list(self, path: str) -> FieldList | None:
        current: Any = self.wtform
        for step in path.split("-"):
            if isinstance(current, FieldList):
                current = next((entry for entry in current.entries if str(_position(entry)) == step), None)
            else:
                current = getattr(current, "form", current)
                current = current._fields.get(step) if hasattr(current, "_fields") else None
            if current is None:
                return None
        return current if isinstance(current, FieldList) else None

    def tree(self, *, show_errors: bool = True) -> list[Node]:
        """Return what the page shows: sections and fields with their findings."""
        values = forms.for_draft(self.form, self.values())
        findings: dict[Path, list[Finding]] = {}
        if self.checked is not None and show_errors:
            for finding in self.checked.findings:
                findings.setdefault(finding.path, []).append(finding)
        maker = _Maker(self.context, findings, forms.prefill(self.form, self.context))
        return maker.nodes(self.form.fields, self.wtform, values, (), values)

    def error_links(self, tree: Sequence[Node]) -> list[tuple[str, str]]:
        """Return each error with the id of its field, in the order of the page."""
        found = []
        for top in tree:
            for where, node in top.placed():
                label = " · ".join([*where, node.label]) if node.label else " · ".join(where)
                found += [(node.id, _("%(label)s：%(text)s", label=label, text=message) if label else message) for message in node.errors]
        return found

    def visibility(self) -> dict[str, Any]:
        """Return which fields are hidden, which required and what is computed now, for the page's script."""
        tree = self.tree(show_errors=False)
        nodes = [node for top in tree for node in top.inputs()]
        return {
            "hidden": [node.id for node in nodes if node.is_hidden],
            "required": [node.id for node in nodes if node.is_required],
            "computed": {node.id: str(node.value or "") for node in nodes if node.entry.type == "expression"},
        }


def _position(entry: Any) -> int:
    return int(str(entry.name).rsplit("-", 1)[-1])


def _leaves(form: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    for wtfield in form:
        here = (*path, wtfield.short_name)
        if isinstance(wtfield, FormField):
            yield from _leaves(wtfield.form, here)
        elif isinstance(wtfield, FieldList):
            for index, entry in enumerate(wtfield.entries):
                yield from _leaves(entry.form, (*here, index))
        else:
            yield here, wtfield


def _values(fields: Sequence[forms.Field], form: Any, context: Context, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in fields:
        here = (*path, entry.key)
        if entry.type == "group" and not entry.key:
            found.update(_values(entry.fields, form, context, path))
        elif entry.type == "group":
            found[entry.key] = _values(entry.fields, form[entry.key].form, context, here)
        elif entry.type == "dynamiclist":
            rows = []
            for index, row in enumerate(form[entry.key].entries):
                values = _values(entry.fields, row.form, context, (*here, index))
                if entry.has_row_id:
                    values["row_id"] = row.form.row_id.data
                rows.append(values)
            found[entry.key] = rows
        elif entry.type == "filepicker":
            found[entry.key] = list(context.files.get(".".join(map(str, here)), ()))
        elif entry.key in form._fields:
            found[entry.key] = form[entry.key].data
    return found


@dataclass
class _Maker:
    """Makes the tree: each field's state for the answers as they stand."""

    context: Context
    findings: Mapping[Path, list[Finding]]
    known: Mapping[str, Any]

    def nodes(self, fields: Sequence[forms.Field], form: Any, answers: Any, path: Path, names: Mapping[str, Any]) -> list[Node]:
        return [self.node(entry, form, answers if isinstance(answers, Mapping) else {}, path, names) for entry in fields]

    def node(self, entry: forms.Field, form: Any, answers: Mapping[str, Any], path: Path, names: Mapping[str, Any]) -> Node:
        here = (*path, entry.key) if entry.key else path if entry.type == "group" else (*path, entry.id)
        node = Node(entry, here if entry.key else (), is_hidden=forms.is_hidden(entry, names, self.context))
        if not entry.key and entry.type != "group":
            node.value = text_of(entry, names, self.context)
            return node
        for finding in self.findings.get(here, []) if entry.key else []:
            (node.errors if finding.level == "error" else node.warnings).append(sentence(finding))
        if entry.type == "group":
            inner = answers.get(entry.key, {}) if entry.key else answers
            node.children = self.nodes(
                entry.fields,
                form[entry.key].form if entry.key else form,
                inner,
                here if entry.key else path,
                {**names, **inner} if entry.key else names,
            )
            if node.is_hidden:
                _hide(node.children)
        elif entry.type == "dynamiclist":
            node.is_required = forms.is_required(entry, names, self.context)
            rows = answers.get(entry.key) or []
            for index, sub in enumerate(form[entry.key].entries):
                row = self._answers_of(entry, sub.form)
                children = self.nodes(entry.fields, sub.form, row, (*here, index), {**names, **row})
                blank = forms_is_blank(row)
                wrong = any(inner.errors for child in children for inner in child.inputs())
                node.rows.append(
                    Row(
                        index,
                        summary_of(entry, {**names, **row, **in_words(entry.fields, row, self.context)}, self.context),
                        blank or wrong or not entry.summary,
                        children,
                        getattr(getattr(sub.form, "row_id", None), "data", "") or "",
                    )
                )
            node.value = rows
        else:
            self._leaf(node, entry, form, answers, names)
        return node

    def _answers_of(self, entry: forms.Field, form: Any) -> dict[str, Any]:
        return forms.storable(_values(entry.fields, form, self.context, ()))

    def _leaf(self, node: Node, entry: forms.Field, form: Any, answers: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        node.field = form[entry.key] if entry.key in form._fields else None
        node.is_required = forms.is_required(entry, names, self.context)
        node.value = answers.get(entry.key)
        if entry.type in ("radio", "select", "checklist"):
            node.options = forms.options(entry, self.context)
        if entry.type == "expression":
            node.value = computed_of(entry, names, self.context)
        if len(node.path) == 1 and "known." in (entry.prefill or "") and entry.type not in ("checklist", "filepicker"):
            known = self.known.get(entry.key)
            if known is not None and node.value is not None and known != node.value:
                node.known = shown(entry, known, node.options)


def _hide(nodes: Sequence[Node]) -> None:
    for node in nodes:
        node.is_hidden = True
        _hide(node.children)


def forms_is_blank(row: Mapping[str, Any]) -> bool:
    """Tell whether nothing was answered in a row."""
    return all(_empty(value) or (isinstance(value, Mapping) and "$" not in value and forms_is_blank(value)) for value in row.values())


def sentence(finding: Finding) -> str:
    """Return what a finding says, in the language of the page."""
    if finding.zh:
        return finding.en if is_english() and finding.en else finding.zh
    return say(finding.sentence, dict(finding.fields))


def in_words(fields: Sequence[forms.Field], row: Mapping[str, Any], context: Context) -> dict[str, str]:
    """Return the chosen values of a row in words, for the line that stands for it; of a person the name alone."""
    found = {}
    for entry in fields:
        value = row.get(entry.key) if entry.key else None
        if entry.type in ("radio", "select") and isinstance(value, str):
            option = next((option for option in forms.options(entry, context) if option.code == value), None)
            if option is not None:
                found[entry.key] = either(option.zh, option.en).split(" · ")[0]
    return found


def summary_of(entry: forms.Field, names: Mapping[str, Any], context: Context) -> str:
    """Return the line that stands for a folded row."""
    if not entry.summary:
        return ""
    try:
        value = forms.evaluate(entry.summary, names, context)
    except feel.FeelError:
        return ""
    return str(value) if value is not None else ""


def computed_of(entry: forms.Field, names: Mapping[str, Any], context: Context) -> str:
    """Return the value of a computed answer in words."""
    if not entry.expression:
        return ""
    try:
        return shown(entry, forms.evaluate(entry.expression, names, context), ())
    except feel.FeelError:
        return ""


_PLACE = re.compile(r"\{\{((?:(?!\{\{).)+?)\}\}")  # a place holds no other: else text of nothing but braces takes for ever


def text_of(entry: forms.Field, names: Mapping[str, Any], context: Context) -> str:
    """Return an explaining text with its `{{ FEEL }}` places filled; it is escaped where it is shown."""

    def fill(found: re.Match[str]) -> str:
        try:
            value = forms.evaluate(found[1], names, context)
        except feel.FeelError:
            return ""
        return shown(entry, value, ())

    return _PLACE.sub(fill, either(entry.label, entry.label_en))


def shown(entry: forms.Field, value: Any, options: Sequence[Code]) -> str:
    """Return an answer in words, in the language of the page."""
    from web.jinja import full

    if value is None or value == "":
        return ""
    if value == UNKNOWN:
        return _("不详")
    if isinstance(value, list):
        return joined(shown(entry, item, options) for item in value)
    plain = feel.from_wire(value) if not isinstance(value, Mapping) or "$" in value else str(value)
    if isinstance(plain, bool):
        return _("是") if plain else _("否")
    if isinstance(plain, datetime | date):
        return full(plain)
    for option in options:
        if option.code == plain:
            return either(option.zh, option.en)
    if (entry.values_key or "").startswith(("people.", "organisations.")):
        plain = _named(str(plain))
    return f"{plain} {either(entry.unit, entry.unit_en)}".strip()


def _named(key: str) -> str:
    """Return the name of a person or an organisation that is offered no longer, but stands in a record."""
    try:
        found = g.session.get(Person, UUID(key)) or g.session.get(Organisation, UUID(key))
    except ValueError:
        return key
    return either(found.name, found.name_en) if isinstance(found, Organisation) else found.name if found else key
