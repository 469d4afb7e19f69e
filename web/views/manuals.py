"""Manuals: a procedure as a document to print, PDF or Word: of a version, or of the draft as it stands now."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from engine import clock, drafts, manuals, procedures, profiles
from engine.errors import Deployment, EngineError, NotFound
from engine.forms import UnreadableForm
from engine.permissions import Permission
from engine.procedures import Deployed
from engine.vocabulary import ORGANISATIONS
from engine.workflow import UnreadableDiagram
from models import Audience, CaseState, Profile
from web import documents, word_documents, words
from web.guards import requires
from web.jinja import full
from web.language import is_english, joined, say

views = Blueprint("manuals", __name__)
KEPT = 4
"""How many typeset manuals are kept: the same one is often asked for by several people."""
_typeset: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
_lock = threading.Lock()
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
VOCABULARY: Mapping[str, Any] = {
    "userTask": _l("人办的步骤"),
    "manualTask": _l("人办的步骤"),
    "callActivity": _l("另有一张图"),
    "subProcess": _l("内部的一段"),
    "transaction": _l("内部的一段"),
    "serviceTask": _l("系统自动办"),
    "scriptTask": _l("系统自动算"),
    "businessRuleTask": _l("按决策表判断"),
    "boundaryEvent": _l("步骤上的事件"),
    "intermediateCatchEvent": _l("等待的事件"),
    "startEvent": _l("开始"),
    "endEvent": _l("结束"),
    "role": _l("角色"),
    "another role": _l("另定角色"),
    "organisation": _l("单位"),
    "person": _l("指定的人"),
    "four eyes": _l("不能由谁办"),
    "form": _l("表单"),
    "deadline": _l("时限"),
    "clock starts": _l("从何时起算"),
    "rule": _l("规则"),
    "source": _l("依据"),
    "escalation": _l("超时限告知"),
    "overdue": _l("到时限："),
    "escalated": _l("超得更久："),
    "who may act": _l("谁可以办"),
    "see": _l("见"),
    "starts clock": _l("开始时限"),
    "meets clock": _l("完成时限"),
    "state after": _l("此后的状态"),
    "reads": _l("读取"),
    "writes": _l("写入"),
    "not kept": _l("不设"),
    "required": _l("必填"),
    "sometimes": _l("有条件"),
    "refuses": _l("（拒绝）"),
    "warns": _l("（提醒）"),
    "textfield": _l("文字"),
    "textarea": _l("长文字"),
    "number": _l("数字"),
    "date": _l("日期"),
    "time": _l("钟点"),
    "datetime": _l("日期和时间"),
    "checkbox": _l("勾选"),
    "radio": _l("单选"),
    "select": _l("单选"),
    "checklist": _l("多选"),
    "filepicker": _l("文件"),
    "group": _l("分组"),
    "dynamiclist": _l("逐行"),
    "expression": _l("自动算"),
}
LABELS: Mapping[str, Any] = {
    "manual": _l("流程手册"),
    "contents": _l("目录"),
    "how_to_read": _l("怎样读图"),
    "states": _l("个案的状态"),
    "steps": _l("步骤"),
    "clocks": _l("时限"),
    "clock": _l("时限"),
    "rule": _l("规则和依据"),
    "escalation": _l("超时限告知"),
    "tables": _l("决策表"),
    "hit": _l("取值方式"),
    "forms": _l("表单"),
    "field": _l("字段"),
    "kind": _l("种类"),
    "required": _l("必填"),
    "identity": _l("分级"),
    "options": _l("选项"),
    "rules": _l("规则"),
    "glossary": _l("用语"),
    "continued": _l("（续）"),
    "not_drawn": _l("这张图有 {count} 个图形和连线，太多，没有画出。"),
    "left": _l("还有 {count} 条规则没有印出，全部规则在决策表文件里。"),
}


@views.get("/procedures/<key>/versions/<int:number>/manual.pdf")
@requires(Permission.PROCEDURE_READ)
def version_pdf(key: str, number: int) -> ResponseReturnValue:
    """Return the manual of a version as PDF."""
    return _answer(*_of_version(key, number), "pdf")


@views.get("/procedures/<key>/versions/<int:number>/manual.docx")
@requires(Permission.PROCEDURE_READ)
def version_docx(key: str, number: int) -> ResponseReturnValue:
    """Return the manual of a version for Word."""
    return _answer(*_of_version(key, number), "docx")


@views.get("/studio/<key>/manual.pdf")
@requires(Permission.PROCEDURE_EDIT)
def draft_pdf(key: str) -> ResponseReturnValue:
    """Return the manual of a draft as PDF."""
    return _answer(*_of_draft(key), "pdf")


@views.get("/studio/<key>/manual.docx")
@requires(Permission.PROCEDURE_EDIT)
def draft_docx(key: str) -> ResponseReturnValue:
    """Return the manual of a draft for Word."""
    return _answer(*_of_draft(key), "docx")


def _of_version(key: str, number: int) -> tuple[Deployed, str, list[tuple[str, str]]]:
    version = procedures.numbered(g.session, key, number)
    state = _("%(day)s启用", day=full(version.activated_at)) if version.activated_at else _("未启用")
    return (
        procedures.deployed(g.session, version.id),
        f"{key}-{number}",
        [
            (_("版本"), _("第 %(number)s 版", number=number)),
            (_("部署"), full(version.deployed_at)),
            (_("启用"), state),
            (_("指纹"), version.digest),
            (_("打印"), full(clock.now())),
            *([(_("说明"), version.comment)] if version.comment else []),
        ],
    )


def _of_draft(key: str) -> tuple[Deployed, str, list[tuple[str, str]]]:
    draft = drafts.find(g.session, key)
    if draft is None:
        raise NotFound
    files = drafts.files(g.session, draft)
    try:
        found = procedures.ready(UUID(int=0), files)
    except EngineError:
        raise
    except (UnreadableDiagram, UnreadableForm, ValueError, KeyError) as error:
        raise Deployment([error]) from None
    return (
        found,
        f"{key}-draft-{draft.revision}",
        [
            (_("版本"), _("草稿，第 %(number)s 次保存，没有部署", number=draft.revision)),
            (_("保存于"), full(draft.changed_at)),
            (_("指纹"), procedures.digest(files)),
            (_("打印"), full(clock.now())),
        ],
    )


def _answer(deployed: Deployed, name: str, meta: list[tuple[str, str]], kind: str) -> ResponseReturnValue:
    """Return a manual, or one of its volumes; of several volumes, first which there are."""
    volumes = manuals.volumes(content(deployed, meta))
    number = request.args.get("volume", type=int)
    if number is None and len(volumes) > 1:
        listed = [
            (request.path + f"?volume={place}", _which(volume), _chapters(volume, volume["chapters"][place - 1]))
            for place, volume in enumerate(volumes, 1)
        ]
        return render_template("procedures/volumes.html", title=volumes[0]["title"], listed=listed, kind=kind)
    if not 1 <= (number or 1) <= len(volumes):
        raise NotFound
    data = _told(volumes[(number or 1) - 1])
    language = "en" if is_english() else "zh"
    known = kind, hashlib.sha256(json.dumps(data, ensure_ascii=False, sort_keys=True, default=str).encode("utf-8", "replace")).digest()
    body = _typeset.get(known)
    if body is None:
        body = documents.pdf("manual", data) if kind == "pdf" else word_documents.manual(data)
        with _lock:
            _typeset[known] = body
            while len(_typeset) > KEPT:
                _typeset.popitem(last=False)
    mimetype = "application/pdf" if kind == "pdf" else WORD
    part = f"-{number}" if len(volumes) > 1 else ""
    return Response(body, mimetype=mimetype, headers={"Content-Disposition": f'inline; filename="{name}{part}-{language}.{kind}"'})


def _told(volume: dict[str, Any]) -> dict[str, Any]:
    """Return a volume with what it says of itself and of the others."""
    count = volume["of"]
    if count == 1:
        return volume
    others = []
    for place, chapters in enumerate(volume["chapters"], 1):
        if place != volume["volume"]:
            others.append(_("第 %(number)s 册：%(chapters)s", number=place, chapters=joined(_chapters(volume, chapters))))
    return volume | {"which": _which(volume), "others": others}


def _which(volume: Mapping[str, Any]) -> str:
    return str(_("第 %(number)s 册，共 %(count)s 册", number=volume["volume"], count=volume["of"]))


def _chapters(volume: Mapping[str, Any], chapters: list[tuple[str, str]]) -> list[str]:
    """Return what is in a volume, in words."""
    return [name if kind == "parts" else f"{volume['labels'][kind]} {name}".strip() for kind, name in chapters]


def content(deployed: Deployed, meta: list[tuple[str, str]]) -> dict[str, Any]:
    """Return all that is printed, in the language of the page."""
    states = {state.value for state in CaseState}
    lexicon = manuals.Lexicon(
        is_english=is_english(),
        say=lambda key: str(VOCABULARY.get(key, key)),
        role=words.role_name,
        organisation=lambda key: say(ORGANISATIONS[key]) if key in ORGANISATIONS else key,
        state=lambda key: str(words.STATES[CaseState(key)]) if key in states else key,
        rung=words.rung_name,
        amount=words.amount,
        audience=lambda key: str(words.AUDIENCES[Audience(key)]) if key in {kind.value for kind in Audience} else key,
    )
    return {
        **manuals.content(deployed, lexicon, _areas()),
        "meta": meta,
        "version": meta[0][1],
        "footer": _("评审 Pingshen"),
        "note": _("由部署的图、表单和决策表自动写成；与系统里办理的一致。"),
        "labels": {name: str(text) for name, text in LABELS.items()},
        "legend": _legend(),
        "glossary": _glossary(),
    }


def _areas() -> list[manuals.Area]:
    """Return the profiles in force, the national one first."""
    found = []
    for profile in g.session.scalars(sa.select(Profile).order_by(Profile.key != profiles.DEFAULT, Profile.key)).all()[:6]:
        try:
            version = profiles.in_force(g.session, profile.key)
        except NotFound:
            continue
        found.append(manuals.Area(profile.name, profile.name_en, profiles.values(g.session, version.id)))
    return found


def _legend() -> list[tuple[str, str]]:
    return [
        (_("圆角框"), _("一个步骤。左上角的小人：由人办；齿轮：系统自动办；粗边框：里面另有一张图。")),
        (_("圆"), _("开始（细边）、结束（粗边）、中途的事件（双边）。里面的钟：到时间；信封：有人发起。")),
        (_("菱形"), _("分岔或汇合。叉：只走一条；加号：几条同时走；短斜线的出口：其他条件都不成立时走。")),
        (_("三条竖线"), _("同时有几份，各办各的。")),
        (_("横带"), _("由谁办：左边写着角色或单位。")),
    ]


def _glossary() -> list[tuple[str, str]]:
    return [
        (_("个案"), _("一例需要评审的死亡或危重病例，从通知到结案。")),
        (_("步骤"), _("交给一个角色的一项工作，用一张表单办理。")),
        (_("时限"), _("办完一步或一段的期限。到一半、八成、到期、超期一半时提醒；超了时限会一直记着。")),
        (_("超时限告知"), _("到期和超期一半时，除办理人外还告知谁。")),
        (_("地方参数"), _("各地自己的时限、法定人数和触发情形。个案沿用开案时的版本。")),
        (_("版本"), _("部署以后不再改的一套图、表单和决策表。在办个案沿用开案时的版本，除非移过去。")),
        (_("读取、写入"), _("流程决定往哪里走时用到的变量，从表单的回答或自动步骤得来。")),
        (_("身份分级"), _("I 直接身份，Q 准身份，P 机构和人员，C 临床，N 叙述，A 管理。决定评审资料里怎样遮盖。")),
        (_("不能由谁办"), _("办过前一步的人不能核对自己。")),
        (_("FEEL"), _("决策用的表达式语言，OMG DMN 标准的一部分。")),
    ]
