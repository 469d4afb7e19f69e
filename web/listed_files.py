"""Decision tables and forms as plain tables and lists: read and changed cell by cell, field by field."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from flask import g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import codes, drafts, form_edits, procedures, table_edits, vocabulary
from engine.errors import DraftLocked, DraftOutdated, InvalidInput, NotFound
from engine.workflow.editing import EditRefused
from engine.workflow.reading import UnreadableDiagram
from models import Audience
from web import words
from web.errors import sentence
from web.language import either, joined, say
from web.outline_desk import Control, Desk, kept, take

POLICIES: Mapping[str, Any] = {
    "UNIQUE": _l("只能有一行符合"),
    "FIRST": _l("取第一个符合的"),
    "ANY": _l("可以几行符合，结果要一样"),
    "PRIORITY": _l("取结果排在最前的"),
    "RULE ORDER": _l("全部结果，按行的顺序"),
    "OUTPUT ORDER": _l("全部结果，按结果的顺序"),
    "COLLECT": _l("全部结果"),
}
FIELDS: Mapping[str, Any] = {
    "textfield": _l("一行文字"),
    "textarea": _l("长文字"),
    "number": _l("数字"),
    "datetime": _l("日期、时间"),
    "select": _l("下拉选一个"),
    "radio": _l("列出来选一个"),
    "checklist": _l("选几个"),
    "checkbox": _l("勾选"),
    "filepicker": _l("文件"),
    "text": _l("说明文字"),
    "group": _l("一节"),
    "dynamiclist": _l("可加多行的表"),
    "expression": _l("算出来的"),
    "separator": _l("分隔线"),
    "spacer": _l("空白"),
}
SUBTYPES: Mapping[str, Any] = {"date": _l("日期"), "time": _l("时间"), "datetime": _l("日期和时间")}
IDENTITIES: Mapping[str, Any] = {
    "": _l("办理用，不涉及个人"),
    "I": _l("能直接认出患者"),
    "Q": _l("可能间接认出患者"),
    "P": _l("单位和医务人员"),
    "C": _l("临床情况"),
    "N": _l("叙述和扫描件"),
}


def _refused(desk: Desk, page: Any, error: EditRefused) -> ResponseReturnValue:
    return page(desk, say(error.sentence, error.fields), 422)


def _common(desk: Desk) -> dict[str, Any]:
    undo, redo = drafts.steps(g.session, desk.draft)
    found = [entry for entry in procedures.check(desk.files) if entry.file == desk.path]
    return {
        "key": desk.key,
        "path": desk.path,
        "desk": desk,
        "procedure": desk.draft.procedure,
        "revision": desk.draft.revision,
        "undo": undo,
        "redo": redo,
        "findings": [
            {"level": entry.level, "text": say(entry.sentence, dict(entry.fields)), "mend": say(entry.mend, dict(entry.fields)) if entry.mend else ""}
            for entry in found
        ],
    }


# ── decision tables ──


def table_page(desk: Desk, problem: str = "", status: int = 200) -> ResponseReturnValue:
    """Show the decision tables of a file, every cell a field."""
    try:
        tables = table_edits.read(desk.content)
    except UnreadableDiagram:
        tables, problem = [], _("这个文件读不成决策表。")
    policies = [(policy, str(POLICIES[policy])) for policy in table_edits.POLICIES]
    return render_template("outlines/table.html", tables=tables, policies=policies, problem=problem, typed=request.form, **_common(desk)), status


def table_act(desk: Desk, revision: int) -> ResponseReturnValue:
    """Save the cells of a table, and add, remove or move a row."""
    what, _colon, rest = request.form.get("act", "").partition(":")
    place = request.form.get("table", 0, type=int)
    row = int(rest) if rest.lstrip("-").isdecimal() else -1
    try:
        tables = table_edits.read(desk.content)
        if not 0 <= place < len(tables):
            raise InvalidInput
        content = _cells(desk.content, tables[place])
        policy = request.form.get("policy", "")
        if policy and policy != tables[place].policy.split(" ")[0]:
            content = table_edits.set_policy(content, place, policy)
        if what == "add":
            content = table_edits.add_row(content, place, row)
        elif what == "remove":
            content = table_edits.remove_row(content, place, row)
        elif what in ("up", "down"):
            content = table_edits.move_row(content, place, row, -1 if what == "up" else 1)
        elif what != "save":
            raise InvalidInput
        at = {"add": row + 1, "up": row - 1, "down": row + 1}.get(what, row)
        return kept(desk, content, _("改了决策表“%(name)s”", name=tables[place].name), revision, place=f"r-{place}-{max(at, 0)}")
    except EditRefused as error:
        return _refused(desk, table_page, error)
    except (DraftOutdated, DraftLocked) as error:
        return table_page(desk, sentence(error), 409)
    except UnreadableDiagram:
        raise NotFound from None


def _cells(content: bytes, table: table_edits.Table) -> bytes:
    cells: dict[tuple[int, int], str] = {}
    notes: dict[int, str] = {}
    for row, rule in enumerate(table.rows):
        for column in range(len(rule.inputs) + len(rule.outputs)):
            name = f"c-{table.place}-{row}-{column}"
            if name in request.form:
                cells[row, column] = request.form[name]
        if f"n-{table.place}-{row}" in request.form:
            notes[row] = request.form[f"n-{table.place}-{row}"]
    return table_edits.write(content, table.place, cells, notes)


# ── forms ──


def form_page(desk: Desk, problem: str = "", status: int = 200) -> ResponseReturnValue:
    """Show the fields of a form as a list."""
    try:
        listed = form_edits.entries(desk.content)
        head = form_edits.head(desk.content)
    except EditRefused as error:
        listed, head, problem = [], dict.fromkeys(form_edits.HEAD, ""), say(error.sentence, error.fields)
    audiences = [(audience.value, str(words.AUDIENCES[audience])) for audience in Audience]
    controls = [
        Control("title", _("名称"), value=head["title"], optional=False),
        Control("title_en", _("英文名称"), value=head["title_en"], optional=False),
        Control("audience", _("谁能看"), "select", head["audience"], choices=audiences, optional=False),
        Control("source", _("来源"), value=head["source"]),
    ]
    page = render_template(
        "outlines/form.html",
        listed=listed,
        controls=controls,
        title=either(head["title"], head["title_en"]),
        kind=_kind,
        facts=functools.partial(_facts, labels=_labels()),
        name=_name,
        problem=problem,
        **_common(desk),
    )
    return page, status


def _kind(component: Mapping[str, Any]) -> str:
    return str(FIELDS.get(str(component.get("type")), component.get("type", "")))


def _name(component: Mapping[str, Any]) -> str:
    label = str(component.get("label") or component.get("text") or component.get("dateLabel") or "")
    return either(label, str((component.get("properties") or {}).get("en", ""))) or _kind(component)


def _labels() -> tuple[str, ...]:
    """Return what the facts of a field are called, for all of them at once."""
    return _("代码"), _("必填"), _("选项"), _("身份分级"), _("什么时候不显示"), _("提示"), _("是")


def _facts(component: Mapping[str, Any], labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return what a field asks beyond its name."""
    key, required, options, graded, hidden, hint, yes = labels
    said = [(key, str(component.get("key") or component.get("path") or ""))]
    said.append((required, yes if form_edits.value(component, "required") else form_edits.value(component, "required_if")))
    lists = codes.lists()
    list_key = form_edits.value(component, "values_key")
    said.append((options, either(lists[list_key].name, lists[list_key].name_en) if list_key in lists else list_key))
    if component.get("values"):
        said.append((options, joined(entry.get("label", "") for entry in component["values"])))
    identity = form_edits.value(component, "identity")
    said.append((graded, str(IDENTITIES.get(identity, identity)) if identity else ""))
    said.append((hidden, form_edits.value(component, "hide")))
    said.append((hint, either(form_edits.value(component, "description"), form_edits.value(component, "hint_en"))))
    return [(label, text) for label, text in said if text]


def form_act(desk: Desk, revision: int) -> ResponseReturnValue:
    """Move or remove a field, or change what the form is called."""
    what, _colon, identifier = request.form.get("act", "").partition(":")
    try:
        if what in ("up", "down"):
            content, told = form_edits.move(desk.content, identifier, -1 if what == "up" else 1), _("移动了一个字段")
        elif what == "remove":
            content, told, identifier = form_edits.remove(desk.content, identifier), _("删掉了一个字段"), ""
        elif what == "head":
            sent = {name: request.form.get(name, "").strip() for name in form_edits.HEAD}
            content, told, identifier = form_edits.set_head(desk.content, sent), _("改了表单的名称"), ""
        else:
            raise InvalidInput
        return kept(desk, content, told, revision, place=f"s-{identifier}" if identifier else "")
    except EditRefused as error:
        return _refused(desk, form_page, error)
    except (DraftOutdated, DraftLocked) as error:
        return form_page(desk, sentence(error), 409)


def field_page(desk: Desk, identifier: str) -> ResponseReturnValue:
    """Change a field; `+` adds one, behind the field `at`."""
    if not desk.path.startswith("forms/"):
        raise NotFound
    is_new, at = identifier == "+", request.values.get("at", "")
    try:
        listed = form_edits.entries(desk.content)
    except EditRefused:
        raise NotFound from None
    entry = next((each for each in listed if each.id == (at if is_new else identifier)), None)
    if entry is None and not (is_new and not at):
        raise NotFound
    controls = _new_controls() if is_new else _field_controls(entry.component if entry else {})
    problem, status = "", 200
    if request.method == "POST":
        for control in controls:
            take(control)
        sent = {control.name: "y" if control.value is True else control.value or "" for control in controls}
        try:
            if is_new:
                content, place = form_edits.add(desk.content, sent["kind"], sent["key"], sent["label"], sent["en"], at)
                told = _("加了字段“%(name)s”", name=sent["label"])
            else:
                content, place = form_edits.set_values(desk.content, identifier, sent), identifier
                told = _("改了字段“%(name)s”", name=sent.get("label", identifier))
            return kept(desk, content, told, request.form.get("revision", 0, type=int), place=f"s-{place}")
        except EditRefused as error:
            status = 422
            control = next((each for each in controls if error.field and each.name == error.field), None)
            if control is None:
                problem = say(error.sentence, error.fields)
            else:
                control.errors.append(say(error.sentence, error.fields))
        except (DraftOutdated, DraftLocked) as error:
            status, problem = 409, sentence(error)
    title = _("加一个字段") if is_new else _name(entry.component) if entry else ""
    kind = "" if is_new or entry is None else _kind(entry.component)
    page = render_template("outlines/field.html", controls=controls, title=title, kind=kind, at=at, problem=problem, **_common(desk))
    return page, status


def _new_controls() -> list[Control]:
    return [
        Control("kind", _("种类"), "select", "textarea", choices=[(kind, str(FIELDS[kind])) for kind in form_edits.KINDS], optional=False),
        Control("label", _("问什么"), optional=False, hint=_("如“讨论结论”。")),
        Control("en", _("问什么（英文）")),
        Control("key", _("代码"), hint=_("小写字母、数字和下划线，如 conclusion。说明文字和“一节”可以不填。")),
    ]


def _lists() -> list[tuple[str, str]]:
    named = [(found.key, either(found.name, found.name_en)) for found in codes.lists().values()]
    return [("", _("无")), *named, *((key, key) for key in vocabulary.CASE_LISTS)]


def _field_controls(component: Mapping[str, Any]) -> list[Control]:
    kind = str(component.get("type"))

    def of(name: str, label: str, shape: str = "text", **more: Any) -> Control:
        return Control(name, label, shape, form_edits.value(component, name), **more)

    if kind == "text":
        return [of("en", _("说明文字（英文）"), "area")]
    controls = [of("label", _("问什么"), optional=False), of("en", _("问什么（英文）"))]
    controls += [of("description", _("提示")), of("hint_en", _("提示（英文）"))]
    if kind not in ("group",):
        controls.append(of("required", _("必填"), "check"))
    if kind in form_edits.CHOICES and not component.get("values"):
        controls.append(of("values_key", _("选项"), "select", choices=_lists()))
    if kind == "number":
        controls += [of("min", _("最小")), of("max", _("最大")), of("unit", _("单位"))]
    if kind in ("textfield", "textarea"):
        controls.append(of("max_length", _("最多几个字")))
    if kind == "datetime":
        controls.append(of("subtype", _("哪一种"), "select", choices=[(name, str(word)) for name, word in SUBTYPES.items()]))
    if kind not in ("group", "dynamiclist"):
        choices = [(name, str(word)) for name, word in IDENTITIES.items()]
        controls.append(of("identity", _("身份分级"), "select", choices=choices, hint=_("评审专家看到的资料按它脱敏。")))
    controls += [
        of("required_if", _("什么时候必填"), "feel"),
        of("hide", _("什么时候不显示"), "feel", hint=_("如 has_facility = false。")),
    ]
    if kind not in ("group", "dynamiclist"):
        controls.append(of("prefill", _("先填好的值"), "feel"))
    return controls
