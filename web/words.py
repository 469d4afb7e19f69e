"""Words: what enumerations, journal actions, messages and menus are called on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from engine import codes
from engine.permissions import Permission
from models import Audience, CaseKind, CaseState, HoldReason, Hop, ItemState, Level, OrganisationKind, ReceiptMethod, Role, Title, WorkItemState
from web.language import either, inside, joined

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.actor import Actor
    from engine.limits import Limit
    from engine.profiles import Values
    from models import JournalEntry, WorkItem

ROLES: Mapping[Role, Any] = {
    Role.VILLAGE_REPORTER: _l("村医"),
    Role.TOWNSHIP_REPORTER: _l("乡镇妇幼专干"),
    Role.FACILITY_REPORTER: _l("医疗机构指定专人"),
    Role.OBSTETRIC_SAFETY_OFFICE: _l("产科安全管理办公室"),
    Role.UNIT_HEAD: _l("单位负责人"),
    Role.QC_OFFICER: _l("质控员"),
    Role.MCH_HEAD: _l("妇幼机构负责人"),
    Role.INVESTIGATOR: _l("调查员"),
    Role.REDACTION_OFFICER: _l("脱敏人员"),
    Role.COMMITTEE_CHAIR: _l("评审组组长"),
    Role.COMMITTEE_DEPUTY: _l("评审组副组长"),
    Role.COMMITTEE_MEMBER: _l("评审专家"),
    Role.SECRETARY: _l("评审秘书"),
    Role.HEALTH_ADMINISTRATION: _l("卫生健康行政部门"),
    Role.ACCOUNTABILITY_OFFICER: _l("约谈督查人员"),
    Role.RECTIFICATION_OWNER: _l("整改责任人"),
    Role.VERIFIER: _l("整改核查人"),
    Role.UPPER_REVIEWER: _l("上级评审专家"),
    Role.PROCESS_ADMINISTRATOR: _l("流程管理员"),
    Role.SYSTEM_ADMINISTRATOR: _l("系统管理员"),
    Role.SECURITY_ADMINISTRATOR: _l("安全管理员"),
    Role.AUDIT_ADMINISTRATOR: _l("审计管理员"),
}
KINDS: Mapping[CaseKind, Any] = {
    CaseKind.MATERNAL_DEATH: _l("孕产妇死亡"),
    CaseKind.MATERNAL_DEATH_LATE: _l("晚期孕产妇死亡"),
    CaseKind.PREGNANCY_ASSOCIATED: _l("妊娠相关但非因妊娠"),
    CaseKind.NEONATAL_DEATH: _l("新生儿死亡"),
    CaseKind.INFANT_DEATH: _l("婴儿死亡"),
    CaseKind.U5_DEATH: _l("5岁以下儿童死亡"),
    CaseKind.PERINATAL_DEATH: _l("围产儿死亡"),
    CaseKind.MATERNAL_NEAR_MISS: _l("危重孕产妇"),
    CaseKind.NEONATAL_NEAR_MISS: _l("危重新生儿"),
}
STATES: Mapping[CaseState, Any] = {
    CaseState.NOTIFIED: _l("已通知"),
    CaseState.OPENED: _l("已开案"),
    CaseState.REPORTED: _l("已报送"),
    CaseState.VERIFIED: _l("已核实"),
    CaseState.INVESTIGATING: _l("调查中"),
    CaseState.PREPARED: _l("评审准备"),
    CaseState.IN_REVIEW: _l("评审中"),
    CaseState.CONCLUDED: _l("已有结论"),
    CaseState.SIGNED: _l("已签署"),
    CaseState.RECTIFYING: _l("整改中"),
    CaseState.CLOSED: _l("已结案"),
    CaseState.MERGED: _l("已并入"),
    CaseState.OUT_OF_SCOPE: _l("不在范围"),
    CaseState.CONVERTED: _l("已转类"),
}
HOLD_REASONS: Mapping[HoldReason, Any] = {
    HoldReason.AUTOPSY: _l("等待尸检"),
    HoldReason.POLICE: _l("公安办理中"),
    HoldReason.DISPUTE: _l("纠纷处理中"),
    HoldReason.OTHER: _l("其他原因"),
}
HOPS: Mapping[Hop, Any] = {
    Hop.VILLAGE: _l("村 → 乡镇"),
    Hop.TOWNSHIP: _l("乡镇 → 妇幼机构"),
    Hop.FACILITY: _l("医疗机构 → 妇幼机构"),
    Hop.OTHER: _l("其他 → 妇幼机构"),
}
METHODS: Mapping[ReceiptMethod, Any] = {
    ReceiptMethod.PHONE: _l("电话"),
    ReceiptMethod.IN_PERSON: _l("当面"),
    ReceiptMethod.NETWORK: _l("网络"),
}
ITEM_STATES: Mapping[ItemState, Any] = {
    ItemState.OPEN: _l("办理中"),
    ItemState.SUBMITTED: _l("待核查"),
    ItemState.RETURNED: _l("已退回"),
    ItemState.VERIFIED: _l("已核查"),
    ItemState.CANCELLED: _l("已取消"),
}
ITEM_TAGS: Mapping[ItemState, tuple[str, str]] = {
    ItemState.OPEN: ("dai", "tool"),
    ItemState.SUBMITTED: ("hold", "eye"),
    ItemState.RETURNED: ("half", "arrow-back"),
    ItemState.VERIFIED: ("done", "check"),
    ItemState.CANCELLED: ("", "x"),
}
WORK_STATES: Mapping[WorkItemState, Any] = {
    WorkItemState.READY: _l("待认领"),
    WorkItemState.RESERVED: _l("办理中"),
    WorkItemState.COMPLETED: _l("已完成"),
    WorkItemState.EXITED: _l("不再需要"),
}
LEVELS: Mapping[Level, Any] = {
    Level.VILLAGE: _l("村"),
    Level.TOWNSHIP: _l("乡镇"),
    Level.COUNTY: _l("县区"),
    Level.CITY: _l("市"),
    Level.PROVINCE: _l("省"),
    Level.NATIONAL: _l("国家"),
}
ORGANISATION_KINDS: Mapping[OrganisationKind, Any] = {
    OrganisationKind.AREA: _l("地区"),
    OrganisationKind.HEALTH_ADMINISTRATION: _l("卫生健康行政部门"),
    OrganisationKind.MCH_INSTITUTION: _l("妇幼保健机构"),
    OrganisationKind.HOSPITAL: _l("医院"),
    OrganisationKind.TOWNSHIP_HEALTH_CENTRE: _l("乡镇卫生院、社区卫生服务中心"),
    OrganisationKind.VILLAGE_CLINIC: _l("村卫生室"),
    OrganisationKind.OTHER: _l("其他机构"),
}
TITLES: Mapping[Title, Any] = {
    Title.RESIDENT: _l("住院医师"),
    Title.ATTENDING: _l("主治医师"),
    Title.ASSOCIATE_CHIEF: _l("副主任医师"),
    Title.CHIEF: _l("主任医师"),
}
AUDIENCES: Mapping[Audience, Any] = {
    Audience.CASE: _l("实名资料"),
    Audience.OFFICE: _l("妇幼机构内部"),
    Audience.COMMITTEE: _l("评审组"),
    Audience.AUTHOR: _l("只有本人，公开前"),
    Audience.ITEM: _l("整改有关人员"),
    Audience.ADMINISTRATION: _l("卫生健康行政部门可见"),
}
PARTIES: Mapping[str, Any] = {
    "owner": _l("负责机构"),
    "facility": _l("发生机构"),
    "township": _l("居住乡镇"),
    "administration": _l("行政部门"),
    "notice": _l("通知单位"),
    "former_owner": _l("原负责机构"),
    "upper": _l("上级机构"),
}
TOLD: Mapping[str, Any] = {"case_opened": _l("户籍地在您辖区的个案已开案，请配合入户调查。")}


def called(kind: CaseKind, name: str | None) -> str:
    """Return how a page calls the subject of a case: a woman with her form of address."""
    if not name:
        return _("姓名不详")
    return _("%(name)s 女士", name=name) if kind.value.startswith("maternal") else name


def amount(limit: Limit) -> str:
    """Return the value of a limit with its unit."""
    texts = {
        "h": _("%(hours)s 小时", hours=limit.value),
        "d": _("%(days)s 天", days=limit.value),
        "wd": _("%(days)s 个工作日", days=limit.value),
        "dom": _("%(day)s 日前（次月）", day=limit.value),
    }
    return texts[limit.unit]


def message_text(kind: str, detail: Mapping[str, Any], step: str) -> str:
    """Return what a message says. It never names a subject."""
    texts = {
        "assigned": _("“%(step)s”等您办理。", step=step),
        "again": _("“%(step)s”退回来了，请再办一次。", step=step),
        "skipped": _("“%(step)s”不用办了：机构负责人跳过了这一步，理由见个案。", step=step),
        "taken_back": _("“%(step)s”先不办了：个案退回到以前的步骤，理由见个案。", step=step),
        "cancelled": _("“%(step)s”不用办了：个案已撤销，理由见个案。", step=step),
        "passed_on": _("同事把“%(step)s”转交给您。", step=step),
        "deadline_amber": _("“%(step)s”的时限已过半。", step=step),
        "deadline_red": _("“%(step)s”临近时限。", step=step),
        "deadline_overdue": _("“%(step)s”已超时限。", step=step),
        "deadline_escalated": _("“%(step)s”超时限较久，已报告上级。", step=step),
        "password_issued": _("系统管理员重设了账号 %(account)s 的密码。不是本人要求的，请告诉审计管理员。", account=detail.get("account", "")),
        "second_factor_reset": _(
            "安全管理员重置了账号 %(account)s 的第二重验证。不是本人要求的，请告诉审计管理员。", account=detail.get("account", "")
        ),
        "reopened": _("个案重新评审，进入第 %(course)s 轮。", course=detail.get("course", 2)),
        "crossing_told": _("这个个案按触发情形移交约谈督查，只移交规定的内容，不含个人意见和表决。"),
        "crossed": _("约谈督查档案 %(number)s 已移交，只含规定的内容。请按程序办理。", number=detail.get("accountability", "")),
        "recused": _("您已回避，评审资料 %(number)s 已收回，不必再办。", number=detail.get("packet", "")),
        "told": _("有一步到时还没有办，请催办。")
        if str(detail.get("what", "")).endswith(("overdue", "_late"))
        else str(TOLD.get(detail.get("what", ""), _("个案有新情况。"))),
    }
    return texts.get(kind, _("有新情况。"))


def menu(actor: Actor, permitted: frozenset[Permission], session: Session | None) -> list[dict[str, Any]]:
    """Return the menu of a person: what their roles work with, in the order in which they need it."""
    from engine import notices, work_items

    roles = actor.roles
    village = roles <= {Role.VILLAGE_REPORTER}
    entries: list[tuple[str, str, Any, bool]] = [
        ("home.show", "sun", _("今日"), True),
        ("notices.new", "phone", _("电话通知"), Permission.NOTICE_TAKE in permitted and not ({Role.QC_OFFICER} & roles)),
        ("work_items.queue", "inbox", _("任务"), Permission.WORK_ITEM_HAND_IN in permitted and not village),
        ("notices.index", "phone", _("通知"), Permission.NOTICE_READ in permitted and not village),
        ("cases.index", "folder", _("个案"), Permission.CASE_LIST in permitted),
        ("packets.index", "book", _("资料与意见"), Permission.PACKET_READ in permitted),
        ("conclusions.index", "gavel", _("结论"), Permission.CONCLUSION_READ in permitted),
        ("rectifications.index", "tool", _("整改"), Permission.RECTIFICATION_READ in permitted),
        ("accountability.index", "shield", _("约谈督查"), Permission.ACCOUNTABILITY_READ in permitted),
        ("studio.index", "edit", _("流程设计"), Permission.PROCEDURE_EDIT in permitted),
        (
            "procedures.index",
            "route",
            _("流程"),
            Permission.PROCEDURE_READ in permitted and bool(roles & {Role.PROCESS_ADMINISTRATOR, Role.QC_OFFICER, Role.MCH_HEAD}),
        ),
        (
            "profiles.index",
            "sliders",
            _("地方参数"),
            Permission.PROFILE_READ in permitted and bool(roles & {Role.PROCESS_ADMINISTRATOR, Role.QC_OFFICER, Role.MCH_HEAD}),
        ),
        ("organisations.index", "sitemap", _("单位"), Permission.ORGANISATION_READ in permitted and bool(roles & _ADMINISTRATION)),
        ("people.index", "people", _("人员"), Permission.PERSON_READ in permitted),
        ("calendar.index", "calendar", _("工作日历"), Permission.CALENDAR_EDIT in permitted),
        ("incidents.index", "alert", _("事件"), bool(permitted & {Permission.INCIDENT_RETRY, Permission.PROCEDURE_EDIT})),
        ("journal.index", "history", _("操作日志"), Permission.JOURNAL_READ in permitted),
    ]
    counts: dict[str, int] = {}
    if session is not None and Permission.WORK_ITEM_HAND_IN in permitted:
        counts["work_items.queue"] = work_items.counts(session, actor)["all"]
    if session is not None and Permission.NOTICE_READ in permitted and not village:
        counts["notices.index"] = notices.waiting(session, actor)
    return [
        {"endpoint": endpoint, "url": url_for(endpoint), "icon": icon, "label": label, "count": counts.get(endpoint)}
        for endpoint, icon, label, shown in entries
        if shown
    ]


_ADMINISTRATION = {
    Role.PROCESS_ADMINISTRATOR,
    Role.SYSTEM_ADMINISTRATOR,
    Role.SECURITY_ADMINISTRATOR,
    Role.AUDIT_ADMINISTRATOR,
    Role.QC_OFFICER,
    Role.MCH_HEAD,
}


def act(entry: JournalEntry, name: str, item: WorkItem | None, values: Values, result: str = "") -> str:
    """Return what an entry of a case's journal says, as a sentence; nothing for what does not belong to the course."""
    detail = entry.detail
    step = either(item.name, item.name_en) if item is not None else ""
    limit = values.describe(str(detail.get("limit", "")))
    clock_name = either(limit.get("name", str(detail.get("limit", ""))), limit.get("name_en"))
    again = _("，第 %(version)s 版", version=detail["version"]) if detail.get("version", 1) != 1 else ""
    outcome = _("：%(result)s", result=result) if result else ""
    texts: dict[str, str] = {
        "notice:take": _("%(name)s 记录了电话通知 %(number)s。", name=name, number=detail.get("number", "")),
        "work-item:hand-in": _("%(name)s 完成“%(step)s”%(again)s%(outcome)s。", name=name, step=step, again=again, outcome=outcome),
        "deadline:overdue": _("“%(clock)s”已超时限，已告知 %(count)s 人。", clock=clock_name, count=detail.get("people", 0)),
        "deadline:escalated": _("“%(clock)s”超时限较久，已报告上级。", clock=clock_name),
        "timer:fire": _("定时到点，流程走到下一步。"),
        "case:hold": _("%(name)s 暂缓办理：%(reason)s。", name=name, reason=inside(str(_reason(detail.get("reason"))))),
        "case:resume": _("%(name)s 恢复办理。", name=name),
        "case:merge": _("%(name)s 把本个案并入另一个案。", name=name),
        "case:skip": _("%(name)s 跳过“%(step)s”，这一步没有办：%(reason)s", name=name, step=step, reason=detail.get("reason", "")),
        "case:send-back": _(
            "%(name)s 把个案退回到“%(step)s”：%(reason)s",
            name=name,
            step=either(str(detail.get("name", "")), str(detail.get("name_en", ""))),
            reason=detail.get("reason", ""),
        ),
        "case:cancel": _("%(name)s 撤销了个案：%(reason)s", name=name, reason=detail.get("reason", "")),
        "case:join": _("%(count)s 份通知并入本个案，时限从最早的一份起算。", count=len(detail.get("notices", []))),
        "case:reopen": _("%(name)s 重新评审：%(reason)s", name=name, reason=detail.get("reason", "")),
        "case:change-version": _("改按流程第 %(number)s 版办理，原为第 %(left)s 版。", number=detail.get("number", ""), left=detail.get("left", "")),
        "case:undo-version": _("转回流程第 %(number)s 版办理。", number=detail.get("number", "")),
        "case:message": _("%(name)s 办理“%(act)s”：%(reason)s", name=name, act=result, reason=detail.get("reason", "")),
        "packet:recuse": _("一位专家回避，资料已收回。"),
        "accountability:cross": _("按触发情形移交约谈督查，只移交规定的内容。"),
        "work-item:delegate": _("%(name)s 把“%(step)s”转交同事。", name=name, step=step),
        "attachment:store": _("%(name)s 上传了一份文件。", name=name),
    }
    return texts.get(entry.action, "")


def _reason(value: Any) -> Any:
    return HOLD_REASONS[HoldReason(value)] if value in {reason.value for reason in HoldReason} else ""


DETAILS: dict[str, Any] = {  # what the journal of the installation tells of an entry: no word that somebody wrote
    "element": _l("步骤"),
    "number": _l("编号"),
    "version": _l("版本"),
    "limit": _l("时限"),
    "hop": _l("环节"),
    "role": _l("角色"),
    "trigger": _l("触发"),
    "people": _l("告知人数"),
    "count": _l("数量"),
    "failures": _l("失败次数"),
    "size": _l("字节"),
}
FREE_DETAILS: dict[str, Any] = {"reason": _l("理由"), "note": _l("说明")}
ACTIONS: Mapping[str, Any] = {
    "case:read": _l("查阅个案"),
    "case:read-journal": _l("查阅个案日志"),
    "work-item:read": _l("查阅任务"),
    "packet:read": _l("查阅资料"),
    "attachment:read": _l("取文件"),
    "rectification:read": _l("查阅整改"),
    "accountability:read": _l("查阅约谈卷宗"),
    "conclusion:read": _l("查阅结论"),
    "notice:take": _l("记录通知"),
    "case:begin": _l("个案开始"),
    "case:hold": _l("暂缓"),
    "case:resume": _l("恢复"),
    "case:merge": _l("并入"),
    "case:skip": _l("跳过步骤"),
    "case:send-back": _l("退回到以前的步骤"),
    "case:cancel": _l("撤销个案"),
    "case:join": _l("并入本个案"),
    "case:reopen": _l("重新评审"),
    "case:change-version": _l("个案转版"),
    "case:undo-version": _l("个案转回原版"),
    "case:message": _l("流程动作"),
    "work-item:claim": _l("认领"),
    "work-item:release": _l("放回"),
    "work-item:delegate": _l("转交"),
    "work-item:hand-in": _l("提交"),
    "timer:fire": _l("定时"),
    "deadline:overdue": _l("超时限"),
    "deadline:escalated": _l("报告上级"),
    "packet:recuse": _l("回避"),
    "accountability:cross": _l("移交"),
    "attachment:store": _l("上传文件"),
    "attachment:remove": _l("去掉文件"),
    "person:sign-in": _l("登录"),
    "person:sign-out": _l("退出"),
    "person:sign-in-failed": _l("登录失败"),
    "person:second-factor": _l("启用第二重验证"),
    "person:second-factor-shown": _l("第二重验证"),
    "person:second-factor-reset": _l("重置第二重验证"),
    "person:password": _l("换密码"),
    "person:password-issued": _l("发放密码"),
    "person:end-sessions": _l("结束登录"),
    "person:add": _l("新增人员"),
    "person:change": _l("修改人员"),
    "person:appoint": _l("任职"),
    "person:dismiss": _l("免职"),
    "organisation:add": _l("新增单位"),
    "organisation:change": _l("修改单位"),
    "calendar:set": _l("修改日历"),
    "procedure:deploy": _l("部署流程"),
    "procedure:activate": _l("启用流程"),
    "procedure:approve": _l("批准流程新版"),
    "procedure:draft": _l("开始修改流程"),
    "trial:start": _l("部署前试走"),
    "trial:stop": _l("停止试走"),
    "procedure:refuse": _l("不批准流程新版"),
    "procedure:take-over": _l("接手流程草稿"),
    "procedure:throw-away": _l("丢弃流程草稿"),
    "procedure:withdraw": _l("取消定时启用"),
    "procedure:export-log": _l("导出事件日志"),
    "incident:retried": _l("重试事件"),
    "incident:dismissed": _l("了结事件"),
    "journal:read": _l("查阅操作日志"),
    "demo:load": _l("载入演示个案"),
}

VALUE_NAMES: Mapping[str, Any] = {
    "maternal_review_mode": _l("孕产妇死亡评审方式"),
    "onsite_required": _l("必须现场调查"),
    "household_investigation": _l("入户调查"),
    "blinding": _l("盲法"),
    "quorum_share": _l("法定人数比例"),
    "quorum_min": _l("法定人数下限"),
    "deployment_approval": _l("流程新版要由第二个人批准"),
    "external_required": _l("必须有外部专家"),
    "required_disciplines": _l("必须到会的专业"),
    "voting_title_min": _l("表决专家最低职称"),
    "accountability_triggers": _l("约谈触发"),
    "city_review_required": _l("必须市级评审"),
    "province_report_required": _l("必须报送省级"),
    "levels": _l("层级"),
    "office_opens": lazy_pgettext("time of day", "上班"),
    "office_closes": lazy_pgettext("time of day", "下班"),
    "case_prefix": _l("编号前缀"),
    "stages": _l("全程分析阶段"),
    "hidden_fields": _l("不用的字段"),
    "item_days_max": _l("整改最长天数"),
}
VALUE_WORDS: Mapping[str, Any] = {
    "per_case": _l("逐例"),
    "quarterly_collective": _l("每季集中"),
    "patient_only": _l("只遮盖患者"),
    "patient_and_provider": _l("遮盖患者和机构"),
    "conclusion": _l("结论为可避免"),
    "event": _l("发生孕产妇死亡"),
    "trace_back": _l("逐级倒查"),
    "area": _l("地区工作"),
    "with_township": _l("有居住乡镇就做"),
    "village": _l("村"),
    "township": _l("乡镇"),
    "county": _l("县区"),
    "city": _l("市"),
    "province": _l("省"),
    "associate_chief": _l("副主任医师"),
    "chief": _l("主任医师"),
    "obstetrics": _l("产科"),
    "planned": _l("计划内外"),
}


def role_name(key: str) -> str:
    """Return what a role is called, by its key; nothing for what is no role."""
    return str(ROLES[Role(key)]) if key in {entry.value for entry in Role} else ""


def rung_name(rung: str) -> str:
    """Return a rung of the escalation ladder in words."""
    capacity, _dot, role = rung.partition(".")
    called_so = role_name(role)
    return _("%(party)s %(role)s", party=inside(str(PARTIES.get(capacity, capacity))), role=called_so) if called_so else rung


def value_words(key: str, value: Any) -> str:
    """Return a value of a profile in words."""
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, list):
        return joined(value_words(key, entry) for entry in value) or _("无")
    if key == "stages":
        return codes.word("CS-STAGE", str(value), "en" if either("zh", "en") == "en" else "zh")
    if key == "quorum_share" and isinstance(value, float):
        return f"{value:.0%}"
    return str(VALUE_WORDS.get(str(value), value)) if value != "" else _("无")
