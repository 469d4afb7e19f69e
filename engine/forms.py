"""Forms: form-js schemas read into fields, and answers checked against them. The rules live in data."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from engine import codes, feel, json_texts
from engine.errors import N_

INPUTS = frozenset({"textfield", "textarea", "number", "datetime", "checkbox", "radio", "select", "checklist", "filepicker"})
SHOWN = frozenset({"text", "separator", "spacer", "expression"})
NESTED = frozenset({"group", "dynamiclist"})
UNKNOWN = "unknown"
RESERVED = frozenset({"now", "today", "case", "known", "profile", "person", "answers", "variables"})
MAX_ROWS, MAX_TEXT, MAX_DEPTH = 200, 20_000, 12
MAX_BYTES, MAX_PARTS = 400_000, 60_000
"""Of one form: its text, and the values, lists and mappings in it."""
MAX_ALL_BYTES, MAX_ALL_COMPONENTS = 3_000_000, 5_000
"""Of all forms of a procedure."""
KEY = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
Path = tuple[str | int, ...]


class UnreadableForm(Exception):
    """The form is not fit: `component` tells where, `reason` what."""

    def __init__(self, reason: str, component: str = "") -> None:
        super().__init__(f"{reason} ({component})" if component else reason)
        self.reason, self.component = reason, component


@dataclass(frozen=True, slots=True)
class Field:
    """A component of a form. `key` is empty for what is only shown or only groups."""

    id: str
    type: str
    key: str = ""
    subtype: str = ""
    label: str = ""
    label_en: str = ""
    hint: str = ""
    hint_en: str = ""
    unit: str = ""
    unit_en: str = ""
    identity: str = "A"
    required: bool = False
    required_if: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimals: int = 0
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    pattern_message: str | None = None
    pattern_message_en: str | None = None
    warn_min: Decimal | None = None
    warn_max: Decimal | None = None
    past: bool = False
    values_key: str | None = None
    values: tuple[codes.Code, ...] = ()
    suggestions: str | None = None
    hide: str | None = None
    prefill: str | None = None
    expression: str | None = None
    default: Any = None
    is_segmented: bool = False
    offers_unknown: bool = False
    has_row_id: bool = False
    summary: str | None = None
    rows: int = 4
    is_multiple: bool = False
    file_kind: str = ""
    accept: str = ""
    columns: int | None = None
    is_folded: bool = False
    is_quick: bool = False
    fields: tuple[Field, ...] = ()

    def name(self, language: str) -> str:
        """Return the label in a language."""
        return (self.label_en or self.label) if language.startswith("en") else self.label


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over several answers: `when` is true, there is something to say at `field`."""

    id: str
    level: str
    field: str
    when: str
    zh: str
    en: str


@dataclass(frozen=True)
class Form:
    """A form of a procedure version."""

    key: str
    title: str
    title_en: str
    audience: str
    tells: str
    township: str  # the answer that tells the township of the household
    has_review: bool
    source: str
    checks: tuple[str, ...]
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]

    def inputs(self) -> Iterator[Field]:
        """Yield every field that takes an answer, lists and groups with a path included."""
        yield from _inputs(self.fields)

    @property
    def needs_known(self) -> bool:
        """Tell whether checking it looks at earlier records."""
        texts = [rule.when for rule in self.rules]
        texts += [text for entry in _all(self.fields) for text in (entry.hide, entry.required_if, entry.expression) if text]
        return any("known" in text for text in texts)

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names that its expressions begin with: what must be known to check it."""
        texts = [rule.when for rule in self.rules]
        texts += [text for entry in _all(self.fields) for text in (entry.hide, entry.required_if, entry.expression, entry.prefill) if text]
        return frozenset(name.path[0] for text in texts for name in feel.check(text).names if name.path)

    @functools.cached_property
    def takes_files(self) -> bool:
        """Whether a file can be attached to some answer."""
        return any(entry.type == "filepicker" for entry in _all(self.fields))

    @property
    def has_identity(self) -> bool:
        """Tell whether some answer identifies the subject."""
        return any(entry.identity == "I" for entry in _all(self.fields))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about an answer. `zh` and `en` hold a rule's own sentence; otherwise `sentence` is translated."""

    path: Path
    level: str
    sentence: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    zh: str = ""
    en: str = ""
    rule: str = ""


@dataclass
class Checked:
    """Answers as they would be kept, in wire form, and what there is to say about them."""

    answers: dict[str, Any]
    findings: list[Finding]
    dropped: list[Path]

    @property
    def errors(self) -> list[Finding]:
        """What refuses the form."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What asks for a second look."""
        return [finding for finding in self.findings if finding.level == "warning"]


@dataclass(frozen=True)
class Context:
    """What expressions of a form see beside its answers, and the lists that depend on the case."""

    environment: feel.Environment
    names: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Sequence[codes.Code]] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)


def readable(files: Mapping[str, bytes]) -> dict[str, Form]:
    """Return the forms among the files of a procedure by key; those that cannot be read are left out, and those too many."""
    found = {}
    with contextlib.suppress(UnreadableForm):
        for key, content in _in_bounds(files):
            with contextlib.suppress(UnreadableForm):
                found[key] = parse(content)
    return found


def parse_all(files: Mapping[str, bytes]) -> dict[str, Form]:
    """Return the forms among the files of a procedure by key.

    Raises:
        UnreadableForm: one of them is, or together they are more than is read.
    """
    return {key: parse(content) for key, content in _in_bounds(files)}


def _in_bounds(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    size = components = 0
    for path, content in sorted(files.items()):
        if path.startswith("forms/"):
            size, components = size + len(content), components + content.count(b'"type"')
            if size > MAX_ALL_BYTES or components > MAX_ALL_COMPONENTS:
                raise UnreadableForm(f"the forms together are larger than {MAX_ALL_BYTES} bytes or {MAX_ALL_COMPONENTS} components", path[6:-5])
            yield path[6:-5], content


def is_small(content: bytes) -> bool:
    """Tell whether a text is of a size that a form can have; reading another may cost a hundred times its bytes."""
    return len(content) <= MAX_BYTES and json_texts.is_small(content, MAX_PARTS)


def parse(content: bytes) -> Form:
    """Read a form-js schema.

    Raises:
        UnreadableForm: not JSON, too large, a component we do not know, a key twice or reserved, a missing part.
    """
    if not is_small(content):
        raise UnreadableForm(f"larger than {MAX_BYTES} bytes or {MAX_PARTS} parts")
    try:
        schema = json.loads(content)
        ours = schema["pingshen"]
        taken: set[str] = set()
        fields = tuple(_field(component, taken, 0) for component in schema["components"])
        rules = tuple(Rule(str(rule["id"]), rule["level"], rule["field"], rule["when"], rule["zh"], rule["en"]) for rule in ours.get("rules", ()))
        return Form(
            key=schema["id"],
            title=ours["title"],
            title_en=ours["title_en"],
            audience=ours["audience"],
            tells=ours.get("tells", ""),
            township=ours.get("township", ""),
            has_review=bool(ours.get("review", False)),
            source=ours.get("source", ""),
            checks=tuple(ours.get("checks", ())),
            fields=fields,
            rules=rules,
        )
    except UnreadableForm:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ArithmeticError) as error:
        raise UnreadableForm(f"{type(error).__name__}: {error}"[:200]) from None


def _field(component: Mapping[str, Any], taken: set[str], depth: int, *, in_row: bool = False) -> Field:
    if depth > MAX_DEPTH:
        raise UnreadableForm("nested too deeply")
    kind, identifier = component["type"], str(component.get("id", ""))
    if kind not in INPUTS | SHOWN | NESTED:
        raise UnreadableForm(f"component of type {kind!r} is not supported", identifier)
    key = component.get("path" if kind in NESTED else "key") or ""
    if kind in INPUTS | {"dynamiclist", "expression"} and not key:
        raise UnreadableForm("no key", identifier)
    if key:
        if not KEY.match(key) or (key in RESERVED and not (in_row and key == "person")):
            raise UnreadableForm(f"key {key!r} is not allowed", identifier)
        if key in taken:
            raise UnreadableForm(f"key {key!r} is used twice", identifier)
        taken.add(key)
    properties, validate = component.get("properties") or {}, component.get("validate") or {}
    inner: set[str] = set() if key else taken
    appearance = component.get("appearance") or {}
    hide = (component.get("conditional") or {}).get("hide")
    label = component.get("label") or component.get("dateLabel") or component.get("timeLabel") or component.get("text") or ""
    return Field(
        id=identifier,
        type=kind,
        key=key,
        subtype=component.get("subtype", "date" if kind == "datetime" else ""),
        label=label,
        label_en=properties.get("en", ""),
        hint=component.get("description") or "",
        hint_en=properties.get("hint_en", ""),
        unit=appearance.get("suffixAdder") or "",
        unit_en=properties.get("unit_en", ""),
        identity=properties.get("id", "A"),
        required=bool(validate.get("required")),
        required_if=properties.get("required_if"),
        minimum=_number(validate.get("min")),
        maximum=_number(validate.get("max")),
        decimals=int(component.get("decimalDigits") or 0),
        min_length=_whole(validate.get("minLength")),
        max_length=_whole(validate.get("maxLength")),
        pattern=validate.get("pattern"),
        pattern_message=validate.get("patternErrorMessage"),
        pattern_message_en=properties.get("pattern_en"),
        warn_min=_number(properties.get("warn_min")),
        warn_max=_number(properties.get("warn_max")),
        past=properties.get("past") == "true",
        values_key=component.get("valuesKey"),
        values=tuple(
            codes.Code(str(entry["value"]), entry["label"], entry.get("label_en", entry["label"])) for entry in component.get("values") or ()
        ),
        suggestions=properties.get("codes"),
        hide=_feel(hide),
        prefill=properties.get("prefill"),
        expression=_feel(component.get("expression")),
        default=component.get("defaultValue"),
        is_segmented=properties.get("seg") == "true",
        offers_unknown=properties.get("unknown") == "true",
        has_row_id=properties.get("row_id") == "true",
        summary=properties.get("summary"),
        rows=int(properties.get("long", 4)),
        is_multiple=bool(component.get("multiple")),
        file_kind=properties.get("file_kind", ""),
        accept=component.get("accept") or "",
        columns=_whole((component.get("layout") or {}).get("columns")),
        is_folded=properties.get("folded") == "true",
        is_quick=properties.get("quick") == "true",
        fields=tuple(_field(child, inner, depth + 1, in_row=in_row or kind == "dynamiclist") for child in component.get("components") or ()),
    )


def _feel(text: Any) -> str | None:
    """form-js writes an expression as `=…`."""
    return text.strip().removeprefix("=").strip() if isinstance(text, str) and text.strip() else None


def _number(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def _whole(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def _all(fields: Sequence[Field]) -> Iterator[Field]:
    for entry in fields:
        yield entry
        yield from _all(entry.fields)


def _inputs(fields: Sequence[Field]) -> Iterator[Field]:
    for entry in fields:
        if entry.type == "group" and not entry.key:
            yield from _inputs(entry.fields)
        elif entry.key:
            yield entry


# ── checking ──


def check(form: Form, answers: Mapping[str, Any], context: Context) -> Checked:
    """Check answers and make them ready to keep.

    Hidden answers are dropped (to a fixpoint: a hidden answer hides what hangs on it), computed ones computed, empty
    ones null. Nothing of the input that the form does not ask for comes through.

    Args:
        answers: Python values by key: text, Decimal, bool, date, aware datetime, lists of codes, rows as lists of
            mappings. `"unknown"` answers a field that offers it.

    Returns:
        The answers in wire form and the findings, those of fields before those of rules.
    """
    kept: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, value in _asked(form.fields, answers).items():
        kept[name] = _wire(value, (name,), findings)
    dropped: list[Path] = []
    for _ in range(10):
        hidden = list(_hidden(form.fields, kept, context, (), kept))
        for path in hidden:
            dropped.append(path)
            _remove(kept, path)
        _compute(form.fields, kept, context, kept)
        if not hidden:
            break
    findings += _check_fields(form.fields, kept, context, (), kept)
    told = {finding.path for finding in findings}
    findings += [finding for finding in _check_rules(form, kept, context) if finding.path not in told or finding.level == "warning"]
    return Checked(_plain(form.fields, kept), findings, dropped)


def evaluate(text: str, names: Mapping[str, Any], context: Context) -> Any:
    """Evaluate an expression of a form over wire values: a missing name is null."""
    return feel.evaluate(text, {**context.names, **names}, context.environment, strict=False)


def is_hidden(entry: Field, names: Mapping[str, Any], context: Context) -> bool:
    """Tell whether a field is hidden for these answers; an expression that fails hides nothing."""
    return entry.hide is not None and _is_true(entry.hide, names, context)


def is_required(entry: Field, names: Mapping[str, Any], context: Context) -> bool:
    """Tell whether a field must be answered for these answers."""
    return entry.required or (entry.required_if is not None and _is_true(entry.required_if, names, context))


def prefill(form: Form, context: Context) -> dict[str, Any]:
    """Return first values, in wire form, for a form nobody has written in yet."""
    return _prefill(form.fields, context)


def _prefill(fields: Sequence[Field], context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in fields:
        if entry.type == "group":
            inner = _prefill(entry.fields, context)
            if entry.key:
                found[entry.key] = inner
            else:
                found.update(inner)
        elif entry.prefill:
            try:
                value = evaluate(entry.prefill, {}, context)
            except feel.FeelError:
                value = None
            if value is not None:
                found[entry.key] = value
        elif entry.key and entry.default is not None:
            found[entry.key] = entry.default
    return found


def _is_true(text: str, names: Mapping[str, Any], context: Context) -> bool:
    try:
        return evaluate(text, names, context) is True
    except feel.FeelError:
        return False


def _asked(fields: Sequence[Field], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form asks for and nothing else; blank text is no answer."""
    found: dict[str, Any] = {}
    for entry in fields:
        if entry.type == "group" and not entry.key:
            found.update(_asked(entry.fields, answers))
        elif entry.type == "group":
            value = answers.get(entry.key)
            found[entry.key] = _asked(entry.fields, value if isinstance(value, Mapping) else {})
        elif entry.type == "dynamiclist":
            rows = answers.get(entry.key)
            found[entry.key] = [
                _row(entry, row) for row in (rows if isinstance(rows, Sequence) and not isinstance(rows, str) else ()) if isinstance(row, Mapping)
            ]
            found[entry.key] = [row for row in found[entry.key] if not _is_blank({k: v for k, v in row.items() if k != "row_id"})]
            taken: set[str] = set()
            for row in found[entry.key] if entry.has_row_id else ():  # a row's key is its own, whatever was sent
                row["row_id"] = row["row_id"] if row["row_id"] not in taken else str(uuid.uuid4())
                taken.add(row["row_id"])
        elif entry.type in INPUTS:
            value = answers.get(entry.key)
            found[entry.key] = (value.strip() or None) if isinstance(value, str) else value
    return found


def _row(entry: Field, row: Mapping[str, Any]) -> dict[str, Any]:
    found = _asked(entry.fields, row)
    if entry.has_row_id:
        found["row_id"] = _uuid(row.get("row_id")) or str(uuid.uuid4())
    return found


def _uuid(value: Any) -> str | None:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        return None


def _is_blank(value: Any) -> bool:
    """Tell whether nothing was answered: an unticked box alone is no answer."""
    if isinstance(value, Mapping):
        return all(_is_blank(inner) for inner in value.values())
    if isinstance(value, list):
        return all(_is_blank(inner) for inner in value)
    return value is None or value == "" or value is False


def for_draft(form: Form, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return answers as a draft keeps them: in wire form, only what the form asks for, unchecked; what cannot be stored is left out."""
    found: dict[str, Any] = storable(_asked(form.fields, answers))
    return found


def storable(value: Any) -> Any:
    """Return Python values nested as they are in wire form; what cannot be stored is left out."""
    if isinstance(value, Mapping):
        return {key: storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value[: MAX_ROWS * 2]]
    try:
        return feel.to_wire(value)
    except feel.FeelError:
        return None


def thaw(value: Any) -> Any:
    """Return answers in wire form as Python values, nested as they are."""
    if isinstance(value, Mapping) and "$" not in value:
        return {key: thaw(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [thaw(inner) for inner in value]
    return feel.from_wire(value)


def _wire(value: Any, path: Path, findings: list[Finding]) -> Any:
    """Return an answer in wire form, nested as it is; what cannot be kept is told of at its place."""
    if isinstance(value, Mapping):
        return {key: _wire(inner, (*path, key), findings) for key, inner in value.items()}
    if isinstance(value, list):
        return [_wire(inner, (*path, index) if isinstance(inner, Mapping) else path, findings) for index, inner in enumerate(value)]
    try:
        return feel.to_wire(value)
    except feel.FeelError:
        findings.append(Finding(path, "error", N_("这里有不能保存的字符，请重新填写。")))
        return None


def _hidden(fields: Sequence[Field], answers: Any, context: Context, path: Path, names: Mapping[str, Any]) -> Iterator[Path]:
    for entry in fields:
        if is_hidden(entry, names, context):
            yield from _answered(entry, answers, path)
        elif entry.type == "group":
            inner = answers.get(entry.key, {}) if entry.key else answers
            yield from _hidden(entry.fields, inner, context, (*path, entry.key) if entry.key else path, {**names, **inner} if entry.key else names)
        elif entry.type == "dynamiclist":
            for index, row in enumerate(answers.get(entry.key) or []):
                yield from _hidden(entry.fields, row, context, (*path, entry.key, index), {**names, **row})


def _answered(entry: Field, answers: Any, path: Path) -> Iterator[Path]:
    """Yield the answered paths under a hidden field."""
    if entry.type == "group" and not entry.key:
        for child in entry.fields:
            yield from _answered(child, answers, path)
    elif entry.key and isinstance(answers, Mapping) and not _is_blank(answers.get(entry.key)):
        yield (*path, entry.key)


def _remove(answers: Any, path: Path) -> None:
    for step in path[:-1]:
        answers = answers[step]
    old = answers[path[-1]]
    answers[path[-1]] = (
        [] if isinstance(old, list) and old and isinstance(old[0], Mapping) else {} if isinstance(old, Mapping) and "$" not in old else None
    )


def _compute(fields: Sequence[Field], answers: dict[str, Any], context: Context, names: Mapping[str, Any]) -> None:
    for entry in fields:
        if entry.type == "expression" and entry.expression:
            try:
                answers[entry.key] = evaluate(entry.expression, names, context)
            except feel.FeelError:
                answers[entry.key] = None
        elif entry.type == "group":
            inner = answers.setdefault(entry.key, {}) if entry.key else answers
            _compute(entry.fields, inner, context, {**names, **inner} if entry.key else names)
        elif entry.type == "dynamiclist":
            for row in answers.get(entry.key) or []:
                _compute(entry.fields, row, context, {**names, **row})


def _check_fields(fields: Sequence[Field], answers: Any, context: Context, path: Path, names: Mapping[str, Any]) -> Iterator[Finding]:
    for entry in fields:
        if is_hidden(entry, names, context):
            continue
        here = (*path, entry.key) if entry.key else path
        if entry.type == "group":
            inner = (answers.get(entry.key) or {}) if entry.key else answers
            yield from _check_fields(entry.fields, inner, context, here, {**names, **inner} if entry.key else names)
        elif entry.type == "dynamiclist":
            rows = answers.get(entry.key) or []
            if is_required(entry, names, context) and not rows:
                yield Finding(here, "error", N_("请至少填一项。"))
            if len(rows) > MAX_ROWS:
                yield Finding(here, "error", N_("最多 %(count)s 项。"), {"count": MAX_ROWS})
            for index, row in enumerate(rows[:MAX_ROWS]):
                yield from _check_fields(entry.fields, row, context, (*here, index), {**names, **row})
        elif entry.type in INPUTS:
            value = answers.get(entry.key)
            if value is None or value == [] or (entry.type == "checkbox" and value is False):
                if is_required(entry, names, context):
                    yield Finding(
                        here,
                        "error",
                        N_("请选择一项。")
                        if entry.type in ("radio", "select", "checklist")
                        else N_("请填写。")
                        if entry.type != "checkbox"
                        else N_("请确认后勾选。"),
                    )
            elif not (entry.offers_unknown and value == UNKNOWN):
                yield from _check_value(entry, value, here, context)


def _check_value(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    checker: Callable[[Field, Any, Path, Context], Iterator[Finding]] | None = _CHECKERS.get(entry.type)
    if checker is None:
        return
    try:
        yield from checker(entry, value, path, context)
    except feel.FeelError:
        yield Finding(path, "error", N_("这里有不能保存的字符，请重新填写。"))


def _check_text(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield Finding(path, "error", N_("请填写文字。"))
        return
    most = entry.max_length or (200 if entry.type == "textfield" else MAX_TEXT)
    if len(value) > most:
        yield Finding(path, "error", N_("最多 %(most)s 个字，现在有 %(count)s 个。"), {"most": most, "count": len(value)})
    elif entry.min_length and len(value) < entry.min_length:
        yield Finding(path, "error", N_("至少写 %(least)s 个字。"), {"least": entry.min_length})
    elif entry.pattern and not _matches(entry.pattern, value, context):
        yield Finding(path, "error", N_("格式不对，请核对。"), zh=entry.pattern_message or "", en=entry.pattern_message_en or "")


def _matches(pattern: str, value: str, context: Context) -> bool:
    """A form's pattern is hostile until it has matched in bounded time: it runs in FEEL's budget."""
    try:
        whole = f"^(?:{pattern})$"
        return feel.evaluate("matches(value, pattern)", {"value": value, "pattern": whole}, context.environment, strict=False) is True
    except feel.FeelError:
        return False


def _check_number(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    number = feel.from_wire(value)
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        yield Finding(path, "error", N_("请填数字。"))
        return
    if entry.decimals == 0 and number != int(number):
        yield Finding(path, "error", N_("请填整数。"))
    elif entry.minimum is not None and number < entry.minimum:
        yield Finding(path, "error", N_("不能小于 %(bound)s。"), {"bound": entry.minimum})
    elif entry.maximum is not None and number > entry.maximum:
        yield Finding(path, "error", N_("不能大于 %(bound)s。"), {"bound": entry.maximum})
    elif entry.warn_min is not None and number < entry.warn_min:
        yield Finding(path, "warning", N_("比常见值低，请再核对；不影响提交。"))
    elif entry.warn_max is not None and number > entry.warn_max:
        yield Finding(path, "warning", N_("比常见值高，请再核对；不影响提交。"))


def _check_moment(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    moment = feel.from_wire(value)
    if entry.subtype == "time":
        if not isinstance(value, Mapping) or value.get("$") != "t":
            yield Finding(path, "error", N_("请按 24 小时制填时间，如 16:40。"))
        return
    wanted = datetime if entry.subtype == "datetime" else date
    if not isinstance(moment, wanted) or (wanted is date and isinstance(moment, datetime)):
        yield Finding(path, "error", N_("请填日期和时间。") if wanted is datetime else N_("请填日期。"))
        return
    year = moment.year
    if not 1900 <= year <= 2200:
        yield Finding(path, "error", N_("年份不对，请核对。"))
    elif entry.past:
        present = context.environment.now.astimezone(ZoneInfo(context.environment.zone_name))
        if (isinstance(moment, datetime) and moment > present) or (not isinstance(moment, datetime) and moment > present.date()):
            yield Finding(path, "error", N_("不能晚于现在。"))


def _check_choice(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    known = {code.code for code in options(entry, context)}
    chosen = value if entry.type == "checklist" else [value]
    if not isinstance(chosen, list) or any(not isinstance(choice, str) or choice not in known for choice in chosen):
        yield Finding(path, "error", N_("请从列出的各项中选。"))


def _check_file(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    known = set(context.files.get(".".join(map(str, path)), ()))
    if not isinstance(value, list) or any(not isinstance(attachment, str) or attachment not in known for attachment in value):
        yield Finding(path, "error", N_("文件不见了，请重新上传。"))


def _check_box(entry: Field, value: Any, path: Path, context: Context) -> Iterator[Finding]:
    if not isinstance(value, bool):
        yield Finding(path, "error", N_("请勾选或不勾选。"))


_CHECKERS: Mapping[str, Callable[[Field, Any, Path, Context], Iterator[Finding]]] = {
    "textfield": _check_text,
    "textarea": _check_text,
    "number": _check_number,
    "datetime": _check_moment,
    "radio": _check_choice,
    "select": _check_choice,
    "checklist": _check_choice,
    "filepicker": _check_file,
    "checkbox": _check_box,
}


def options(entry: Field, context: Context) -> Sequence[codes.Code]:
    """Return the values a field offers: its own, those of its code list, or those that depend on the case."""
    if entry.values:
        return entry.values
    key = entry.values_key or ""
    if key in context.choices:
        return context.choices[key]
    found = codes.lists().get(key)
    return found.codes if found else ()


def _check_rules(form: Form, answers: Mapping[str, Any], context: Context) -> Iterator[Finding]:
    for rule in form.rules:
        for path, names in _places(rule.field, answers):
            try:
                fires = evaluate(rule.when, names, context) is True
            except feel.FeelError:
                fires = False
            if fires:
                yield Finding(path, rule.level, zh=rule.zh, en=rule.en, rule=rule.id)


def _places(where: str, answers: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the places a rule speaks of, with the names it sees there: `blood[].given` is one place per row."""
    if "[]" not in where:
        path: Path = tuple(where.split("."))
        yield path, answers
        return
    head, _, tail = where.partition("[]")
    keys = head.split(".")
    rows: Any = answers
    for key in keys:
        rows = rows.get(key) if isinstance(rows, Mapping) else None
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        rest = [key for key in tail.split(".") if key]
        yield (*keys, index, *rest), {**answers, **row, "row_number": index + 1}


def _plain(fields: Sequence[Field], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has no answer, so that a record holds answers and nothing else."""
    return {key: value for key, value in answers.items() if value is not None and value != [] and value != {}}


# ── identity ──


def take_identity(form: Form, answers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide answers in wire form into those that do not identify and those that do (class I), of the same shape."""
    return _divide(form.fields, answers)


def _divide(fields: Sequence[Field], answers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    plain: dict[str, Any] = dict(answers)
    identity: dict[str, Any] = {}
    for entry in fields:
        if entry.type == "group" and not entry.key:
            inner_plain, inner = _divide(entry.fields, plain)
            plain, identity = inner_plain, {**identity, **inner}
        elif entry.key in plain:
            value = plain[entry.key]
            if entry.identity == "I" and not entry.fields:
                identity[entry.key] = plain.pop(entry.key)
            elif entry.type == "group" and isinstance(value, Mapping):
                plain[entry.key], inner = _divide(entry.fields, value)
                if inner:
                    identity[entry.key] = inner
            elif entry.type == "dynamiclist" and isinstance(value, list):
                rows = [_divide(entry.fields, row) for row in value]
                plain[entry.key] = [row for row, _ in rows]
                if any(inner for _, inner in rows):
                    identity[entry.key] = [inner for _, inner in rows]
    return plain, identity


def put_identity(answers: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """Put divided answers together again."""
    whole = dict(answers)
    for key, value in identity.items():
        mine = whole.get(key)
        if isinstance(value, Mapping) and "$" not in value and isinstance(mine, Mapping | None):
            whole[key] = put_identity(mine or {}, value)
        elif isinstance(value, list) and isinstance(mine, list) and len(value) == len(mine) and all(isinstance(row, Mapping) for row in value):
            whole[key] = [put_identity(row, inner) for row, inner in zip(mine, value, strict=True)]
        else:
            whole[key] = value
    return whole
