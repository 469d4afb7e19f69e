"""Vocabulary of a procedure: every name that its expressions and properties may use, for completion in the studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from lxml import etree

from engine import codes, decision_tables, feel, forms, profiles, services
from engine.errors import N_
from engine.workflow import checking, form_checks, reading
from engine.workflow.reading import BPMN, PS, local
from models import Audience, CaseState, Profile, Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

STARTS: Mapping[str, str] = {
    "hop": N_("哪一级通知的"),
    "kind": N_("个案种类"),
    "notice_at": N_("接到通知的时间"),
    "reopened": N_("是否重新评审"),
    "reporter": N_("通知人"),
}
FACTS: Mapping[str, str] = {
    "kind": N_("个案种类"),
    "state": N_("个案状态"),
    "event_at": N_("事件时间（死亡时间）"),
    "clock_start": N_("时限起算时间"),
    "opened_at": N_("开案时间"),
    "has_facility": N_("有没有医疗机构"),
    "has_township": N_("有没有乡镇"),
    "is_reopened": N_("是否重新评审"),
    "conclusion": N_("结论代码"),
}
HOST: Mapping[str, tuple[str, str]] = {
    "due": ("due(limit, from)", N_("地方参数里的一个时限从某时起算，到期的时刻；当地不设这个时限时为空")),
    "end of day": ("end of day(date)", N_("某一天下班的时刻")),
    "add working days": ("add working days(date, n)", N_("加若干个工作日")),
    "members": ("members()", N_("评审组成员：person、recused、advisory")),
    "resident number valid": ("resident number valid(text)", N_("身份证号校验位是否正确")),
    "resident number birth": ("resident number birth(text)", N_("身份证号里的出生日期")),
}
OUTPUTS: Mapping[str, str] = {
    "answers": N_("这张表单的回答，如 answers.decision"),
    "person": N_("办理人"),
    "record": N_("提交的记录"),
}
ORGANISATIONS: Mapping[str, str] = {
    "owner": N_("负责的妇幼保健机构"),
    "facility": N_("医疗机构"),
    "township": N_("乡镇"),
    "reporting": N_("报告单位（医疗机构，没有时为乡镇）"),
    "administration": N_("卫生健康行政部门"),
    "upper": N_("上一级"),
    "item": N_("整改事项的责任单位"),
}


def of_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the files themselves name: variables with the step that sets them, forms, processes, messages, decisions."""
    variables: dict[str, dict[str, str]] = {name: {"name": name, "from": "", "kind": "start"} for name in checking.STARTS_WITH}
    processes, messages, steps = [], [], []
    for path, root in reading.diagrams(files):
        for process in root.iter(f"{{{BPMN}}}process"):
            processes.append(
                {"id": process.get("id", ""), "name": process.get("name", ""), "name_en": process.get(f"{{{PS}}}name_en", ""), "file": path}
            )
        messages += [{"id": entry.get("id", ""), "name": entry.get("name", ""), "file": path} for entry in root.iter(f"{{{BPMN}}}message")]
        for node in root.iter(etree.Element):
            if not isinstance(node.tag, str) or not node.tag.startswith(f"{{{BPMN}}}") or local(node) not in reading.FLOW_NODES:
                continue
            name: str = node.get("name") or node.get("id") or ""
            steps.append({"id": node.get("id", ""), "name": name, "name_en": node.get(f"{{{PS}}}name_en") or "", "kind": local(node), "file": path})
            for found, kind in _set_by(node):
                variables.setdefault(found, {"name": found, "from": name, "kind": kind})
    listed = []
    for form in forms.readable(files).values():
        fields = [
            {"key": entry.key, "label": entry.label, "label_en": entry.label_en or entry.label} for entry in form.inputs() if entry.identity != "I"
        ]
        listed.append({"key": form.key, "title": form.title, "title_en": form.title_en, "fields": fields})
    variables.pop("", None)
    return {
        "variables": sorted(variables.values(), key=lambda entry: entry["name"]),
        "forms": listed,
        "processes": processes,
        "messages": messages,
        "steps": steps,
        "decisions": _decisions(files),
    }


def _set_by(node: etree._Element) -> list[tuple[str, str]]:
    found = [(entry.get("variable", ""), "output") for entry in reading.extensions(node, "output")]
    found += [(entry.get("variable", ""), "set") for entry in reading.extensions(node, "set")]
    found += [(entry.get("result", ""), "decision") for entry in reading.extensions(node, "decision")]
    for loop in node.findall(f"{{{BPMN}}}multiInstanceLoopCharacteristics"):
        found += [(entry.get("name", ""), "item") for tag in ("inputDataItem", "outputDataItem") for entry in loop.findall(f"{{{BPMN}}}{tag}")]
        found += [((entry.text or "").strip(), "results") for entry in loop.findall(f"{{{BPMN}}}loopDataOutputRef")]
    return found


def _decisions(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return the decision tables with their decisions and what each takes; one that cannot be read is there without."""
    tables = reading.tables(files)
    found = []
    for path, content in tables.items():
        try:
            named = decision_tables.names(content, {other: text for other, text in tables.items() if other != path})
        except feel.FeelError:
            named = []
        inputs = {entry.name: [name for name, _type in entry.inputs] for entry in named}
        found.append({"key": reading.decision_key(path), "decisions": list(inputs), "inputs": inputs})
    return found


def of_host(session: Session) -> dict[str, Any]:
    """Return what the host offers to every procedure: case facts, profile values, limits by area, functions, services, lists."""
    areas = [
        (profile, profiles.values(session, profiles.in_force(session, profile.key).id))
        for profile in session.scalars(sa.select(Profile).order_by(Profile.key))
    ]
    known: dict[str, dict[str, Any]] = {}
    for profile, values in areas:
        for key, entry in values.content["limits"].items():
            limit = known.setdefault(key, {"key": key, "name": entry.get("name", key), "name_en": entry.get("name_en", key), "values": []})
            kept = "value" in entry and entry.get("kept") is not False
            limit["values"].append(
                {"area": profile.name, "area_en": profile.name_en, "value": entry.get("value") if kept else None, "unit": entry.get("unit", "")}
            )
    return {
        "case": [{"name": name, "text": text} for name, text in FACTS.items()],
        "profile": sorted({name for _, values in areas for name in values.values}),
        "outputs": [{"name": name, "text": text} for name, text in OUTPUTS.items()],
        "starts": [{"name": name, "text": text} for name, text in STARTS.items()],
        "functions": [{"name": name, "signature": signature, "text": text} for name, (signature, text) in HOST.items()]
        + [{"name": name, "signature": f"{name}()", "text": ""} for name in sorted(feel.FUNCTION_NAMES) if name not in HOST],
        "limits": sorted(known.values(), key=lambda limit: limit["name"]),
        "services": [
            {"name": name, "text": (function.__doc__ or "").split("\n")[0], "arguments": _arguments(name)}
            for name, function in sorted(services.all_services().items())
        ],
        "roles": [role.value for role in Role],
        "states": [state.value for state in CaseState],
        "audiences": [audience.value for audience in Audience],
        "organisations": [{"key": key, "text": text} for key, text in ORGANISATIONS.items()],
        "code_lists": [{"key": found.key, "name": found.name, "name_en": found.name_en} for found in codes.lists().values()]
        + [{"key": key, "name": key, "name_en": key} for key in sorted(form_checks.CASE_LISTS)],
    }


def _arguments(service: str) -> list[dict[str, Any]]:
    needed, possible = services.arguments()[service]
    return [{"name": name, "optional": name in possible} for name in (*sorted(needed), *sorted(possible))]
