"""Words for what differs between two versions of a procedure: sentences, sections and the written summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from engine import profiles, vocabulary
from engine.workflow.versions import MAX_CHANGES, Change, Summary
from models import CaseState
from web import words
from web.language import either, is_english, joined

WHAT: Mapping[str, Any] = {
    "step": _l("步骤"),
    "event": lazy_pgettext("bpmn", "事件"),
    "gateway": _l("判断"),
    "service": _l("自动步骤"),
    "part": _l("子流程"),
    "flow": _l("路线"),
    "lane": _l("泳道"),
    "process": lazy_pgettext("one", "流程"),
    "message": lazy_pgettext("one", "消息"),
    "diagram": _l("流程图"),
    "table": _l("决策表"),
    "rule": lazy_pgettext("one", "规则"),
    "input": _l("输入"),
    "output": _l("输出"),
    "form": lazy_pgettext("one", "表单"),
    "field": lazy_pgettext("one", "字段"),
    "check": _l("核对规则"),
    "manifest": _l("流程说明"),
    "scenario": _l("情景"),
    "examples": _l("例子"),
    "file": _l("文件"),
}
KINDS: Mapping[str, Any] = {
    "added": _l("新增"),
    "removed": _l("删去"),
    "changed": lazy_pgettext("one", "修改"),
    "renamed": _l("换标识"),
    "moved": _l("换位置"),
}
SIGNS: Mapping[str, str] = {"added": "+", "removed": "−", "changed": "~", "renamed": "~", "moved": "↔"}
SECTIONS: Mapping[str, Any] = {
    "steps": _l("步骤"),
    "people": _l("由谁办理"),
    "limits": _l("时限"),
    "ways": _l("走向和条件"),
    "decisions": _l("决策表"),
    "forms": _l("表单"),
    "rest": _l("其他"),
}
ATTRIBUTES: Mapping[str, Any] = {
    "kind": _l("种类"),
    "name": _l("名称"),
    "name_en": _l("英文名称"),
    "role": _l("角色"),
    "role_expression": _l("角色（表达式）"),
    "organisation": lazy_pgettext("one", "单位"),
    "person": _l("指定的人"),
    "exclude": _l("不能由谁办理"),
    "item": lazy_pgettext("one", "整改事项"),
    "form": lazy_pgettext("one", "表单"),
    "limit": _l("时限"),
    "clock_start": _l("时限起算"),
    "due": _l("到期"),
    "timer": _l("定时"),
    "arms": _l("起算的时限"),
    "meets": _l("结束的时限"),
    "fresh": _l("重新填写"),
    "shows": _l("先显示的表单"),
    "outputs": _l("写出的变量"),
    "sets": _l("设置的变量"),
    "service": _l("服务"),
    "arguments": _l("服务的参数"),
    "decision": _l("决策"),
    "escalation": _l("升级告知"),
    "quorum": _l("法定人数"),
    "condition": _l("条件"),
    "default": _l("默认路线"),
    "source": _l("出处"),
    "target": _l("去处"),
    "attached": _l("所附步骤"),
    "interrupts": _l("是否中断步骤"),
    "called": _l("调用的流程"),
    "message": lazy_pgettext("one", "消息"),
    "message_role": _l("谁可以发"),
    "message_form": _l("发时填的表单"),
    "event": _l("事件定义"),
    "instances": _l("多人同时办理"),
    "phase": _l("阶段"),
    "state": _l("个案状态"),
    "part": _l("所在子流程"),
    "file": _l("所在文件"),
    "documentation": _l("说明和来源"),
    "documentation_en": _l("英文说明"),
    "executable": _l("可否执行"),
    "extension": _l("其他软件的属性"),
    "other": _l("其他属性"),
    "policy": _l("命中规则"),
    "logic": _l("表达式"),
    "order": _l("顺序"),
    "cells": _l("单元格"),
    "label": _l("名称"),
    "expression": _l("表达式"),
    "type": _l("种类"),
    "section": _l("分节"),
    "values": _l("选项"),
    "valuesKey": _l("选项列表"),
    "description": _l("提示"),
    "validate.required": _l("必填"),
    "validate.min": _l("最小值"),
    "validate.max": _l("最大值"),
    "validate.minLength": _l("最短长度"),
    "validate.maxLength": _l("最长长度"),
    "validate.pattern": _l("格式"),
    "conditional.hide": _l("何时隐藏"),
    "properties.en": _l("英文名称"),
    "properties.hint_en": _l("英文提示"),
    "properties.id": _l("身份类别"),
    "properties.required_if": _l("何时必填"),
    "properties.prefill": _l("预填"),
    "properties.warn_min": _l("提醒下限"),
    "properties.warn_max": _l("提醒上限"),
    "title": _l("名称"),
    "title_en": _l("英文名称"),
    "audience": _l("给谁看"),
    "review": _l("提交前复核"),
    "checks": _l("文字检查"),
    "tells": _l("代表结果的字段"),
    "township": _l("乡镇字段"),
    "level": _l("级别"),
    "field": lazy_pgettext("one", "字段"),
    "when": _l("条件"),
    "zh": _l("提示语"),
    "en": _l("英文提示语"),
}
_FLAGS = {"true": _l("是"), "false": _l("否")}


def what(change: Change) -> str:
    """Return what kind of thing changed, in words."""
    return str(WHAT.get(change.what, change.what))


def attribute(change: Change) -> str:
    """Return which property changed, in words; the table of a form's source is the rule's."""
    if change.attribute == "source" and change.what in ("form", "check"):
        return str(_("来源"))
    return str(ATTRIBUTES.get(change.attribute, change.attribute))


def shown(change: Change, value: str) -> str:
    """Return a value in words where there are words for it."""
    if not value:
        return ""
    if change.attribute == "role":
        return words.role_name(value) or value
    if change.attribute == "message_role":
        return joined(words.role_name(role) or role for role in value.split())
    if change.attribute == "organisation":
        return str(_(vocabulary.ORGANISATIONS[value])) if value in vocabulary.ORGANISATIONS else value
    if change.attribute == "limit":
        entry = profiles.shipped()["cn_default"]["limits"].get(value, {})
        return either(entry.get("name", value), entry.get("name_en"))
    if change.attribute == "state" and value in {state.value for state in CaseState}:
        return str(words.STATES[CaseState(value)])
    return str(_FLAGS.get(value, value))


def name(change: Change) -> str:
    """Return what the changed thing is called in the language of the page."""
    return either(change.name, change.name_en)


def sentence(change: Change, *, cut: int = 120) -> str:
    """Return one change as a sentence; long values are cut."""

    def short(value: str) -> str:
        flat = " ".join(shown(change, value).split())
        return flat if len(flat) <= cut else f"{flat[: cut - 1]}…"

    text: str = _(change.sentence)
    return text % {
        "what": what(change),
        "name": name(change),
        "property": attribute(change),
        "before": short(change.before),
        "after": short(change.after),
    }


def report(title: str, lines: Sequence[str], summary: Summary, most: int = MAX_CHANGES) -> dict[str, Any]:
    """Return the written summary as plain text in its order: for whom what changes, then by subject.

    Args:
        lines: What stands under the title: procedure, versions, date.
        most: How many changes are told of each role and subject.
    """

    def told(changes: Sequence[Change]) -> list[str]:
        more = [_("还有 %(count)s 处没有列出。", count=len(changes) - most)] if len(changes) > most else []
        return [*map(sentence, changes[:most]), *more]

    counts = [_("%(kind)s %(count)s 处", kind=str(KINDS[kind]), count=summary.counts[kind]) for kind in KINDS if summary.counts.get(kind)]
    is_cut = sum(summary.counts.values()) >= MAX_CHANGES
    all_told = [_("不同太多，只比较到前 %(count)s 处。", count=MAX_CHANGES)] if is_cut else []
    return {
        "title": title,
        "lines": [*lines, joined(counts) or _("没有不同。"), *all_told],
        "english": is_english(),
        "whom_title": _("对谁有什么变化"),
        "whom": [{"title": words.role_name(role) or role, "lines": told(changes)} for role, changes in summary.roles.items()],
        "sections": [{"title": str(SECTIONS[key]), "lines": told(found)} for key, found in summary.sections.items()],
    }


def docx(found: Mapping[str, Any]) -> bytes:
    """Return a written summary as a Word document."""
    from docx.oxml.ns import qn

    from web.word_documents import Written

    page = Written(found["title"])
    for style in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet"):
        page.document.styles[style].font.name = "Noto Sans SC"
        page.document.styles[style].element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "SimSun")
    page.paragraph(found["title"], "Title")
    for line in found["lines"]:
        page.paragraph(line, "Normal")
    if found["whom"]:
        page.paragraph(found["whom_title"], "Heading1")
    for level, part in [*((2, part) for part in found["whom"]), *((1, part) for part in found["sections"])]:
        page.paragraph(part["title"], f"Heading{level}")
        for line in part["lines"]:
            page.paragraph(line, "ListBullet")
    return page.done()
