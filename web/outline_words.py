"""What an outline says on a page: each step in words, each value with the name that people know it by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, pgettext

from engine import codes, vocabulary
from engine.forms import Field, Form, readable
from engine.limits import Limit
from engine.workflow import reading
from engine.workflow.outlining import Outline, Step, Way
from models import CaseState, Role
from web import words
from web.language import either, is_english, joined, say

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KINDS: Mapping[str, Any] = {
    "startEvent": _l("开始"),
    "endEvent": _l("结束"),
    "endEvent:terminate": _l("结束，别处还在办的也停下"),
    "userTask": _l("由人办理"),
    "manualTask": _l("手工任务"),
    "task": _l("普通任务"),
    "sendTask": _l("发送任务"),
    "receiveTask": _l("接收任务"),
    "serviceTask": _l("系统自动办"),
    "scriptTask": _l("系统计算"),
    "businessRuleTask": _l("查决策表"),
    "callActivity": _l("进入另一个流程"),
    "subProcess": _l("子流程"),
    "transaction": _l("事务"),
    "adHocSubProcess": _l("自由子流程"),
    "exclusiveGateway": _l("决定：只走一条"),
    "inclusiveGateway": _l("决定：符合的都走"),
    "parallelGateway": _l("同时进行：每条都走"),
    "eventBasedGateway": _l("先发生哪个走哪条"),
    "complexGateway": _l("复杂网关"),
    "intermediateCatchEvent": _l("等待"),
    "intermediateThrowEvent": _l("途中通知"),
    "boundaryEvent": _l("附着的事件"),
    "boundaryEvent:timer": _l("到了时间"),
    "boundaryEvent:message": _l("有人提出"),
    "boundaryEvent:error": _l("出错时"),
    "boundaryEvent:escalation": _l("上报时"),
    "intermediateCatchEvent:timer": _l("等到时间"),
    "intermediateCatchEvent:message": _l("等人提出"),
}
JOINS: Mapping[str, Any] = {
    "exclusiveGateway": _l("几条路在这里汇合"),
    "inclusiveGateway": _l("等走了的分支都办完"),
    "parallelGateway": _l("等所有分支都办完"),
}
NEW_KINDS: Mapping[str, Any] = {key: KINDS[key] for key in ("userTask", "serviceTask", "scriptTask", "businessRuleTask", "callActivity")}
ARGUMENTS: Mapping[str, Any] = {
    "advisory": _l("只提供咨询"),
    "by": _l("谁报的"),
    "checked_by": _l("复核人"),
    "code": _l("结论代码"),
    "due_on": _l("期限"),
    "into": _l("并入哪个个案"),
    "item": _l("整改事项"),
    "late_reason": _l("迟报原因"),
    "learned_at": _l("得知时间"),
    "method": _l("接报方式"),
    "notified_at": _l("通知时间"),
    "people": _l("哪些人"),
    "person": _l("哪个人"),
    "read_back": _l("已复述核对"),
    "received_at": _l("接报时间"),
    "redacted_by": _l("脱敏人"),
    "state": _l("状态"),
    "to": _l("转给哪个单位"),
    "trigger": _l("触发情形"),
    "what": _l("发什么"),
    "whom": _l("发给谁"),
}
SERVICES: Mapping[str, Any] = {
    "admit": _l("声明后让专家打开资料"),
    "check_packet": _l("记下资料已由第二人复核"),
    "conclude": _l("记下结论的代码"),
    "hand_over": _l("移交约谈督查"),
    "make_packet": _l("制作脱敏资料"),
    "merge_case": _l("并入另一个个案"),
    "note_item": _l("记下整改事项办到哪里"),
    "open_case": _l("开案、编号"),
    "pass_notice_on": _l("把乡镇的电话记为一次通知"),
    "raise_items": _l("按批准的方案立整改事项"),
    "receive_notice": _l("登记谁接了报"),
    "recuse": _l("收回回避专家的资料"),
    "release_packet": _l("把资料发给专家"),
    "reveal_opinions": _l("公开个人意见"),
    "tell": _l("发一条消息"),
    "transfer_case": _l("转交管辖机构"),
    "withdraw_packet": _l("收回资料"),
}
DRAWN: Mapping[str, Any] = {
    "textAnnotation": _l("批注"),
    "group": _l("框"),
    "dataObjectReference": _l("数据"),
    "dataStoreReference": _l("数据库"),
    "association": _l("批注的连线"),
    "messageFlow": _l("消息的连线"),
}
OPERATORS: Mapping[str, Any] = {
    "=": lazy_pgettext("compares", "是"),
    "!=": _l("不是"),
    ">": _l("大于"),
    "<": _l("小于"),
    ">=": _l("不小于"),
    "<=": _l("不大于"),
}
STARTS: tuple[tuple[str, Any], ...] = (
    ("case.event_at", _l("事件（死亡）时间")),
    ("case.clock_start", _l("时限起算时间")),
    ("case.opened_at", _l("开案时间")),
    ("now()", _l("到这一步的时候")),
)
_COMPARED = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(!=|>=|<=|=|>|<)\s*(\"[^\"\\]*\"|-?[\d.]+|true|false|null)\s*\Z")
_NAMED = re.compile(r"\s*([A-Za-z_][\w.]*)\s*\Z")
_ANSWER = re.compile(r"\s*answers\.([a-z_][a-z0-9_]*)(?:\s*=\s*\"([^\"\\]*)\")?\s*\Z")


@dataclass(frozen=True, slots=True)
class Fact:
    """A line below a step: what it is about, and what it says; `is_code` for an expression, `url` where it leads."""

    label: str
    text: str
    is_code: bool = False
    file: str = ""


@dataclass
class Names:
    """The names of everything that a procedure's files mention."""

    files: Mapping[str, bytes]
    host: dict[str, Any]
    own: dict[str, Any]
    forms: dict[str, Form] = field(default_factory=dict)
    process_files: dict[str, str] = field(default_factory=dict)
    answers: dict[str, tuple[Field, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, files: Mapping[str, bytes]) -> Names:
        """Collect them."""
        found = cls(files, vocabulary.of_host(session), vocabulary.of_files(files))
        found.forms = readable(files)
        found.process_files = {entry["id"]: entry["file"] for entry in found.own["processes"]}
        found.answers = dict(found._answers())
        return found

    def _answers(self) -> Iterator[tuple[str, tuple[Field, str]]]:
        """Yield the variables that are an answer of a form, with its field."""
        for _path, root in reading.diagrams(self.files):
            for node in root.iter(f"{{{reading.BPMN}}}userTask"):
                for task in reading.extensions(node, "task")[:1]:
                    form = self.forms.get(task.get("form", ""))
                    for entry in reading.extensions(node, "output") if form else ():
                        answer = _ANSWER.match(entry.get("expression", ""))
                        field_ = next((each for each in form.inputs() if answer and each.key == answer[1]), None) if form else None
                        if answer and field_ is not None:
                            yield entry.get("variable", ""), (field_, answer[2] or "")

    def role(self, role: str) -> str:
        """Return what a role is called."""
        return str(words.ROLES[Role(role)]) if role in {entry.value for entry in Role} else role

    def form(self, key: str) -> str:
        """Return what a form is called."""
        form = self.forms.get(key)
        return either(form.title, form.title_en) if form else key

    def process(self, identifier: str) -> str:
        """Return what a process is called."""
        for entry in self.own["processes"]:
            if entry["id"] == identifier:
                return either(entry["name"], entry["name_en"]) or identifier
        return identifier

    def limit(self, key: str) -> str:
        """Return a limit with its values by area."""
        for limit in self.host["limits"]:
            if limit["key"] == key:
                return either(limit["name"], limit["name_en"]) + " · " + self.amounts(limit)
        return key

    def amounts(self, limit: Mapping[str, Any]) -> str:
        """Return the values of a limit, areas with the same value together."""
        by_value: dict[str, list[str]] = {}
        for entry in limit["values"]:
            value = words.amount(Limit(limit["key"], entry["value"], entry["unit"])) if entry["value"] is not None else _("不设")
            by_value.setdefault(value, []).append(either(entry["area"], entry["area_en"]))
        if len(by_value) == 1:
            return next(iter(by_value))
        return joined(_("%(value)s（%(areas)s）", value=value, areas=joined(areas)) for value, areas in by_value.items())

    def organisation(self, key: str) -> str:
        """Return what a party is called."""
        return say(vocabulary.ORGANISATIONS[key]) if key in vocabulary.ORGANISATIONS else key

    def start(self, text: str) -> str:
        """Return where a clock starts, in words where there are some."""
        return next((str(name) for key, name in STARTS if key == text), text)

    def condition(self, text: str) -> str:
        """Return a condition in words; empty where only the expression itself says it."""
        for word, joint in ((" or ", _("，或者 ")), (" and ", _("，并且 "))):
            if word in text:
                parts = [self.condition(part) for part in text.split(word)]
                mixed = " and " in text and " or " in text
                return "" if mixed or not all(parts) else joint.join(parts)
        compared = _COMPARED.match(text)
        if compared:
            name, operator, value = compared.groups()
            known = self.answers.get(name)
            label = self.variable(name)
            if known and known[1] and value in ("true", "false"):  # a variable that is an answer compared
                is_it = (operator == "=") == (value == "true")
                return _("%(what)s %(is)s %(value)s", what=label, value=self.option(known[0], known[1]), **{"is": OPERATORS["=" if is_it else "!="]})
            if value in ("true", "false"):
                return _("%(what)s：%(yes)s", what=label, yes=_("是") if (value == "true") == (operator == "=") else _("否"))
            told = self.option(known[0], value.strip('"')) if known else _("空") if value == "null" else value
            return _("%(what)s %(is)s %(value)s", what=label, value=told, **{"is": OPERATORS[operator]})
        named = _NAMED.match(text)
        if named and named[1] == "true":
            return _("总是")
        if named and (named[1] in self.answers or named[1].startswith("case.")):
            return _("%(what)s：%(yes)s", what=self.variable(named[1]), yes=_("是"))
        return ""

    def variable(self, name: str) -> str:
        """Return what a variable stands for: the question of a form, or a fact of the case."""
        if name in self.answers:
            entry = self.answers[name][0]
            return "“" + either(entry.label, entry.label_en) + "”"
        fact = vocabulary.FACTS.get(name.removeprefix("case.")) if name.startswith("case.") else vocabulary.STARTS.get(name)
        return say(fact) if fact else name

    def option(self, entry: Field, value: str) -> str:
        """Return the words of an answer's value."""
        for code in entry.values:
            if code.code == value:
                return either(code.zh, code.en)
        return codes.word(entry.values_key or "", value, "en" if is_english() else "zh") if entry.values_key else value


def service(name: str) -> str:
    """Return what a service does, with its name."""
    return f"{SERVICES[name]} · {name}" if name in SERVICES else name


def argument(name: str) -> str:
    """Return what a service is given under a name, with the name."""
    return f"{ARGUMENTS[name]} · {name}" if name in ARGUMENTS else name


def title(step: Step) -> str:
    """Return what a step is called; one without a name by what it is."""
    name = either(step.name, step.values.get("name_en"))
    return name or kind(step)


def kind(step: Step) -> str:
    """Return what a step is."""
    if step.is_gateway and step.is_join:
        return str(JOINS.get(step.kind, KINDS.get(step.kind, step.kind)))
    return str(KINDS.get(f"{step.kind}:{step.event}", KINDS.get(step.kind, step.kind)))


def facts(step: Step, names: Names, lanes: Mapping[str, str]) -> list[Fact]:
    """Return what is to be said below a step, the most asked first."""
    found: list[Fact] = []
    values = step.values

    def say_(label: str, text: str, *, is_code: bool = False, file: str = "") -> None:
        if text:
            found.append(Fact(label, text, is_code, file))

    if step.kind == "userTask":
        lane = either(lanes.get(step.lane, ""), names.role(step.role)) or names.role(step.role)
        say_(_("谁办"), names.role(step.role) if values.get("role") else lane)
        say_(_("谁办（算式）"), values.get("task_role", ""), is_code=True)
        say_(_("哪个单位"), names.organisation(values.get("organisation", "owner")))
        say_(_("只给这个人"), values.get("person", ""), is_code=True)
        say_(_("不能是这个人"), values.get("exclude", ""), is_code=True)
        form = values.get("form", "")
        say_(pgettext("one", "表单"), names.form(form), file=f"forms/{form}.json" if form in names.forms else "")
        say_(_("打开时先显示"), names.form(values.get("shows", "")))
        say_(_("重办时"), _("重新填，另存一份") if values.get("fresh") else "")
        say_(_("整改事项"), values.get("item", ""), is_code=True)
    if values.get("limit"):
        say_(pgettext("one", "时限"), names.limit(values["limit"]))
        start = values.get("from", "")
        say_(_("从何时起算"), names.start(start) if start else _("到这一步的时候"), is_code=bool(start) and names.start(start) == start)
    say_(_("截止"), values.get("due", ""), is_code=True)
    if values.get("service"):
        say_(_("系统做什么"), service(values["service"]))
    for name, expression in values.get("arguments", ()):
        say_(argument(name), expression, is_code=True)
    for name, expression in values.get("sets", ()):
        say_(_("算出 %(name)s", name=name), expression, is_code=True)
    if values.get("table"):
        say_(_("决策表"), f"{values['table']} · {values['decision']}", file=f"decisions/{values['table']}.dmn")
        for name, expression in values.get("inputs", ()):
            say_(_("给表的 %(name)s", name=name), expression, is_code=True)
        say_(_("结果记为"), values.get("result", ""), is_code=True)
    if step.called:
        say_(pgettext("one", "流程"), names.process(step.called), file=names.process_files.get(step.called, ""))
    if values.get("collection") or values.get("cardinality"):
        each = values.get("collection") or values.get("cardinality", "")
        say_(_("对每一个都办") if not values.get("in_turn") else _("一个一个地办"), each, is_code=True)
        say_(_("每一个叫作"), values.get("item_name", ""), is_code=True)
        say_(_("结果收在"), values.get("results", ""), is_code=True)
        say_(_("够了就停"), values.get("completion", ""), is_code=True)
    for name, expression in values.get("outputs", ()):
        say_(_("记下 %(name)s", name=name), expression, is_code=True)
    if values.get("timer"):
        say_(_("时间"), timer(values["timer"], names), is_code=timer(values["timer"], names) == values["timer"])
    if values.get("message"):
        roles = [names.role(role) for role in values.get("message_role", "").split()]
        say_(_("谁可以提出"), joined(roles))
        say_(_("用哪张表单"), names.form(values.get("message_form", "")))
    if "interrupts" in values:
        say_(_("原来那一步"), _("到此为止") if values["interrupts"] else _("照常办，不打断"))
    for limit, start in values.get("arms", ()):
        say_(_("开始计时"), names.limit(limit) + (f" · {names.start(start)}" if start else ""))
    for limit in values.get("meets", ()):
        say_(_("停止计时"), names.limit(limit))
    state = values.get("state", "")
    say_(_("个案状态变为"), str(words.STATES[CaseState(state)]) if state in {entry.value for entry in CaseState} else state)
    say_(_("说明与依据"), either(values.get("documentation", ""), values.get("documentation_en")))
    return found


_DUE = re.compile(r"due\(\"([a-z0-9_]+)\",\s*(.+)\)\Z", re.DOTALL)
_HOURS = re.compile(r"\(?([\w.()]+?)\)?\s*\+\s*duration\(\"PT(\d+)H\"\)\Z")


def timer(text: str, names: Names) -> str:
    """Return the time of an event in words, where it is one of the usual ways to write it."""
    found = _DUE.match(text)
    if found:
        return _("从“%(start)s”起，满“%(limit)s”", start=names.start(found[2]), limit=names.limit(found[1]))
    found = _HOURS.match(text)
    if found and names.start(found[1]) != found[1]:
        return _("从“%(start)s”起满 %(hours)s 小时", start=names.start(found[1]), hours=found[2])
    return text


def way_label(step: Step, way: Way, names: Names) -> str:
    """Return what a branch is called: its name, and when it is taken."""
    name = either(way.name, way.name_en)
    if step.kind == "parallelGateway":
        return name
    if way.is_default:
        return _("其他情况：%(name)s", name=name) if name else _("其他情况")
    told = names.condition(way.condition) if way.condition else ""
    if name and told:
        return _("%(name)s（如果 %(condition)s）", name=name, condition=told)
    if name or told:
        return name or _("如果 %(condition)s", condition=told)
    return ""


def way_end(way: Way) -> str:
    """Return where a flow leads, in words; empty where the list itself goes on."""
    return {
        "on": _("接着到第 %(number)s 步", number=way.to),
        "back": _("回到第 %(number)s 步", number=way.to),
        "nowhere": _("没有连到任何一步"),
        "next": _("接着到第 %(number)s 步", number=way.to) if way.letter else "",
    }.get(way.leads, "")


def places(outline: Outline) -> list[tuple[str, str]]:
    """Return every flow as a place between two steps, for choosing."""
    named = {step.id: step for step in outline.steps()}
    found = []
    for step, way in outline.ways():
        if way.target not in named:
            continue
        first, last = f"{step.number}{way.letter} {title(step)}", f"{way.to} {title(named[way.target])}"
        found.append((way.flow, _("“%(first)s”与“%(last)s”之间", first=first, last=last)))
    return found


def targets(outline: Outline, steps: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return every step that a flow may lead to, with its number."""
    return [
        (step.id, f"{step.number} {title(step)}")
        for step in outline.steps()
        if step.kind not in ("startEvent", "boundaryEvent") and step.id not in steps
    ]
