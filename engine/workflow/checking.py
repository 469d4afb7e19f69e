"""Is a procedure fit to deploy? Each complaint names its element, its line, and says in a sentence what would happen.

The rules cover what the library accepts and does otherwise than drawn, and what only Pingshen knows: roles, forms,
services, limits, names in expressions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from engine import feel, forms
from engine.errors import N_
from engine.workflow import library, reading
from engine.workflow.reading import BPMN, FLOW_NODES, PS, UnreadableDiagram, extensions, local
from models import Audience, CaseKind, CaseState, Role

MAX_TASKS = 400
MAX_ELEMENTS = 400
EVENTS = {
    "startEvent": {"message", "timer"},
    "endEvent": {"message", "error", "escalation", "terminate"},
    "intermediateCatchEvent": {"message", "timer"},
    "intermediateThrowEvent": {"message", "escalation"},
    "boundaryEvent": {"error", "escalation", "message", "timer"},
}
UNSUPPORTED = frozenset({"complexGateway", "adHocSubProcess", "transaction", "sendTask", "receiveTask", "businessRuleTask", "task", "manualTask"})
RESERVED = frozenset({"Start", "End", "Root", "StartEventSplit", "StartEventJoin"})
ORGANISATIONS = frozenset({"owner", "facility", "township", "reporting", "administration", "upper", "item"})
GIVEN = frozenset({"case", "profile"})
HOST_FUNCTIONS = frozenset({"due", "end of day", "members", "resident number valid", "resident number birth"})
STARTS_WITH = frozenset({"hop", "kind", "reopened", "notice_at", "reporter"})


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that does not fit. `sentence` is translated, `fields` fill its places; an error refuses, a warning does not."""

    code: str
    sentence: str
    level: str = "error"
    file: str = ""
    element: str | None = None
    line: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.element) if part)
        return f"{place}: {self.code}: {self.sentence % self.fields}"


def check(files: Mapping[str, bytes], *, services: frozenset[str] | None = None, limits: frozenset[str] | None = None) -> list[Complaint]:
    """Check all files of a procedure together.

    Args:
        services: The services the host knows; None skips the question.
        limits: The limits some profile knows; None skips it.
    """
    complaints: list[Complaint] = []
    manifest = _manifest(files, complaints)
    parsed = _forms(files, complaints)
    roots: dict[str, etree._Element] = {}
    for path, content in sorted(files.items()):
        if path.endswith(".bpmn"):
            try:
                roots[path] = reading.xml(content, path)
            except UnreadableDiagram as error:
                complaints.append(_unreadable(error, path))
    for path, root in roots.items():
        complaints += _diagram(root, path)
    complaints += _ids(roots)
    if manifest is None or any(complaint.level == "error" for complaint in complaints):
        return complaints
    complaints += _ours(roots, parsed, services, limits)
    complaints += _names(roots, parsed)
    if any(complaint.level == "error" for complaint in complaints):
        return complaints
    return [*complaints, *_runs(files, manifest["main"])]


def _manifest(files: Mapping[str, bytes], complaints: list[Complaint]) -> dict[str, Any] | None:
    try:
        manifest = tomllib.loads(files["procedure.toml"].decode())
        for key in ("key", "name", "name_en", "case_kind", "main"):
            if not isinstance(manifest[key], str) or not manifest[key]:
                raise KeyError(key)
        CaseKind(manifest["case_kind"])
        return manifest
    except (KeyError, ValueError, UnicodeDecodeError):
        complaints.append(Complaint("manifest", N_("procedure.toml 缺少必要的内容，或写法不对。"), file="procedure.toml"))
        return None


def _forms(files: Mapping[str, bytes], complaints: list[Complaint]) -> dict[str, forms.Form]:
    parsed: dict[str, forms.Form] = {}
    for path, content in sorted(files.items()):
        if not path.startswith("forms/"):
            continue
        key = path[6:-5]
        try:
            form = forms.parse(content)
        except forms.UnreadableForm as error:
            complaints.append(Complaint("form_unreadable", N_("表单不能使用：%(reason)s"), file=path, fields={"reason": str(error)}))
            continue
        if form.key != key:
            complaints.append(Complaint("form_key", N_("表单的 id 与文件名不同。"), file=path))
        if form.audience not in {audience.value for audience in Audience}:
            complaints.append(Complaint("form_audience", N_("表单的读者“%(audience)s”不认识。"), file=path, fields={"audience": form.audience}))
        complaints += _form_expressions(form, path)
        parsed[form.key] = form
    return parsed


def _form_expressions(form: forms.Form, path: str) -> Iterator[Complaint]:
    texts = [(rule.when, f"rule {rule.id}") for rule in form.rules]

    def visit(fields: Any) -> None:
        for entry in fields:
            texts.extend(
                (text, entry.key or entry.id) for text in (entry.hide, entry.required_if, entry.prefill, entry.expression, entry.summary) if text
            )
            visit(entry.fields)

    visit(form.fields)
    for text, where in texts:
        found = feel.check(text)
        if found.error is not None:
            yield Complaint(
                "form_expression", N_("表单中“%(where)s”的算式写错了：%(reason)s"), file=path, fields={"where": where, "reason": found.error.message}
            )


def _unreadable(error: UnreadableDiagram, path: str) -> Complaint:
    sentences = {
        "too_large": N_("文件超过 2 MB。"),
        "not_xml": N_("文件不是完整的 XML。"),
        "doctype": N_("文件里不能有 DOCTYPE。"),
        "not_bpmn": N_("文件不是 BPMN 图。"),
        "task_without_lane": N_("任务不在任何泳道里，不知道由谁办。"),
    }
    return Complaint(
        error.reason if error.reason in sentences else "unreadable",
        sentences.get(error.reason, N_("图不能读取：%(reason)s")),
        file=error.file or path,
        element=error.element,
        line=error.line,
        fields={"reason": error.reason},
    )


# ── what is drawn ──


def _diagram(root: etree._Element, path: str) -> Iterator[Complaint]:
    seen: dict[str, etree._Element] = {}
    count = 0
    for node in root.iter(etree.Element):
        identifier = node.get("id")
        if identifier and str(node.tag).startswith(f"{{{BPMN}}}"):
            if identifier in seen:
                yield _at(node, path, "duplicate_id", N_("图里有两个元素用了同一个 id“%(id)s”。"), id=identifier)
            seen[identifier] = node
        if not str(node.tag).startswith(f"{{{BPMN}}}"):
            continue
        kind = local(node)
        if kind in FLOW_NODES:
            count += 1
            yield from _node(node, path, kind)
    if count > MAX_ELEMENTS:
        yield Complaint("too_many_elements", N_("一张图最多 %(most)s 个元素。"), file=path, fields={"most": MAX_ELEMENTS})
    processes = root.findall(f"{{{BPMN}}}process")
    if not processes:
        yield Complaint("no_process", N_("图里没有流程。"), file=path)
    for process in processes:
        if process.get("isExecutable") != "true":
            yield _at(process, path, "not_executable", N_("流程要标为可执行（isExecutable）。"))
        for scope in [process, *process.iter(f"{{{BPMN}}}subProcess")]:
            yield from _scope(scope, path)


def _node(node: etree._Element, path: str, kind: str) -> Iterator[Complaint]:
    identifier = node.get("id") or ""
    if not identifier:
        yield _at(node, path, "no_id", N_("元素没有 id。"))
    if identifier in RESERVED or identifier.endswith((".EndJoin", ".BoundaryEventSplit", ".BoundaryEventJoin", "[child]")):
        yield _at(node, path, "reserved_id", N_("id“%(id)s”是引擎自己用的，请换一个。"), id=identifier)
    if kind in UNSUPPORTED:
        yield _at(node, path, "unsupported", N_("这里不能用“%(kind)s”，个案会停住或走错。"), kind=kind)
    if kind == "subProcess" and node.get("triggeredByEvent") == "true":
        yield _at(node, path, "event_subprocess", N_("不能用事件子流程；请在子流程上用边界事件。"))
    definitions = [child for child in node if isinstance(child.tag, str) and child.tag.endswith("EventDefinition")]
    for definition in definitions:
        name = local(definition)[: -len("EventDefinition")]
        if kind in EVENTS and name not in EVENTS[kind]:
            yield _at(node, path, "event_unsupported", N_("“%(kind)s”上不能用“%(name)s”事件，引擎会当作没有。"), kind=kind, name=name)
        if name == "timer" and definition.find(f"{{{BPMN}}}timeCycle") is not None:
            yield _at(node, path, "cycle_timer", N_("不能用循环定时器；周期工作由系统安排。"))
        if name == "message" and not definition.get("messageRef"):
            yield _at(node, path, "message_missing", N_("消息事件没有指明消息。"))
    if kind == "boundaryEvent" and (not node.get("attachedToRef") or len(definitions) != 1):
        yield _at(node, path, "boundary", N_("边界事件要附在一个元素上，并且只有一种触发。"))
    if kind in ("intermediateCatchEvent",) and not definitions:
        yield _at(node, path, "catch_nothing", N_("这个事件什么也不等，会直接通过。"))
    if kind == "eventBasedGateway":
        yield _at(node, path, "event_gateway", N_("不能用事件网关；请在任务上用边界事件。"))
    if node.find(f"{{{BPMN}}}standardLoopCharacteristics") is not None:
        yield _at(node, path, "standard_loop", N_("不能用标准循环；请画回头的连线。"))
    for script in node.findall(f"{{{BPMN}}}script"):
        if (script.text or "").strip():
            yield _at(node, path, "script", N_("图里不能有程序脚本；请用 ps:set 写算式。"))


def _scope(scope: etree._Element, path: str) -> Iterator[Complaint]:
    nodes = {
        child.get("id", ""): child
        for child in scope
        if isinstance(child.tag, str) and local(child) in FLOW_NODES and child.tag.startswith(f"{{{BPMN}}}")
    }
    ahead: dict[str, list[etree._Element]] = {}
    inward: dict[str, list[etree._Element]] = {}
    for flow in scope.findall(f"{{{BPMN}}}sequenceFlow"):
        source, target = flow.get("sourceRef", ""), flow.get("targetRef", "")
        if source not in nodes or target not in nodes:
            yield _at(flow, path, "dangling_flow", N_("连线的一头没有连上。"))
            continue
        ahead.setdefault(source, []).append(flow)
        inward.setdefault(target, []).append(flow)
        gateway = local(nodes[source]) in ("exclusiveGateway", "inclusiveGateway")
        if flow.find(f"{{{BPMN}}}conditionExpression") is not None and not gateway:
            yield _at(flow, path, "condition_ignored", N_("条件只在网关后面的连线上有效，这里会被忽略。"))
    starts = [identifier for identifier, node in nodes.items() if local(node) == "startEvent"]
    if len(starts) != 1:
        yield _at(scope, path, "one_start", N_("每个流程要有且只有一个开始事件。"))
    if not any(local(node) == "endEvent" for node in nodes.values()):
        yield _at(scope, path, "no_end", N_("流程没有结束事件，个案不会结束。"))
    reached = _reached(starts, ahead, nodes)
    for identifier, node in nodes.items():
        kind, out = local(node), ahead.get(identifier, [])
        if identifier not in reached:
            yield _at(node, path, "unreachable", N_("从开始走不到这里，它会被丢掉。"))
        if not out and kind != "endEvent":
            yield _at(node, path, "dead_end", N_("走到这里就没有下一步，个案会停在这里。"))
        if len(out) > 1 and not kind.endswith("Gateway"):
            yield _at(node, path, "several_flows", N_("任务后面只能有一条连线；要分岔请加网关。"))
        if kind in ("exclusiveGateway", "inclusiveGateway") and len(out) > 1:
            yield from _gateway(node, path, out)
        if kind == "parallelGateway" and len(inward.get(identifier, [])) > 1:
            yield from _join(identifier, node, path, inward, nodes)


def _gateway(node: etree._Element, path: str, out: list[etree._Element]) -> Iterator[Complaint]:
    default = node.get("default")
    bare = [flow for flow in out if flow.find(f"{{{BPMN}}}conditionExpression") is None and flow.get("id") != default]
    for flow in bare:
        yield _at(flow, path, "no_condition", N_("网关后面的连线要写条件，或设为默认。"))
    always = any((flow.findtext(f"{{{BPMN}}}conditionExpression") or "").strip() == "true" for flow in out)
    if default is None and not always:
        yield _at(node, path, "no_default", N_("网关没有默认连线：条件都不成立时个案会出错。"))


def _join(
    identifier: str,
    node: etree._Element,
    path: str,
    inward: Mapping[str, list[etree._Element]],
    nodes: Mapping[str, etree._Element],
) -> Iterator[Complaint]:
    """A parallel join waits on each of its flows: two of them from one exclusive choice can never both come."""
    choices: dict[str, str] = {}
    for flow in inward[identifier]:
        for origin in _choices_behind(flow.get("sourceRef", ""), inward, nodes):
            if origin in choices and choices[origin] != flow.get("id"):
                yield _at(node, path, "join_waits_for_ever", N_("并行汇合等的两条连线来自同一个二选一网关，个案会停在这里。"))
                return
            choices[origin] = flow.get("id", "")


def _choices_behind(start: str, inward: Mapping[str, list[etree._Element]], nodes: Mapping[str, etree._Element]) -> set[str]:
    """Return the exclusive gateways from which a token comes straight to a node, not yet merged."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = [start]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        kind, coming = local(nodes[current]), inward.get(current, [])
        if kind == "parallelGateway" or len(coming) > 1:
            continue
        if kind == "exclusiveGateway":
            found.add(current)
        todo += [flow.get("sourceRef", "") for flow in coming]
    return found


def _reached(starts: list[str], ahead: Mapping[str, list[etree._Element]], nodes: Mapping[str, etree._Element]) -> set[str]:
    seen: set[str] = set()
    todo = list(starts)
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        todo += [flow.get("targetRef", "") for flow in ahead.get(current, [])]
        todo += [identifier for identifier, node in nodes.items() if node.get("attachedToRef") == current]
    return seen


def _ids(roots: Mapping[str, etree._Element]) -> Iterator[Complaint]:
    """Ids must be unique in the whole procedure: work items and journals name an element without its diagram."""
    seen: dict[str, str] = {}
    for path, root in roots.items():
        for node in root.iter(*(f"{{{BPMN}}}{kind}" for kind in (*FLOW_NODES, "process"))):
            identifier = node.get("id", "")
            if identifier in seen and seen[identifier] != path:
                yield _at(
                    node, path, "id_in_two_files", N_("id“%(id)s”在 %(other)s 里也有；整套流程里不能重复。"), id=identifier, other=seen[identifier]
                )
            seen.setdefault(identifier, path)


# ── what only we know ──


def _ours(
    roots: Mapping[str, etree._Element], parsed: Mapping[str, forms.Form], services: frozenset[str] | None, limits: frozenset[str] | None
) -> Iterator[Complaint]:
    processes = {process.get("id") for root in roots.values() for process in root.findall(f"{{{BPMN}}}process")}
    roles = {role.value for role in Role}
    for path, root in roots.items():
        for lane in root.iter(f"{{{BPMN}}}lane"):
            if (lane.get("id") or "").split(".")[0] not in roles:
                yield _at(lane, path, "unknown_role", N_("泳道的 id 要是一个角色，“%(id)s”不是。"), id=lane.get("id"))
        for node in root.iter(*(f"{{{BPMN}}}{kind}" for kind in FLOW_NODES)):
            kind = local(node)
            if kind == "userTask":
                yield from _user_task(node, path, parsed, limits)
            elif kind == "serviceTask":
                names = [entry.get("name") for entry in extensions(node, "service")]
                if len(names) != 1 or (services is not None and names[0] not in services):
                    yield _at(node, path, "unknown_service", N_("没有叫“%(name)s”的服务。"), name=", ".join(map(str, names)))
            elif kind == "scriptTask" and not extensions(node, "set"):
                yield _at(node, path, "empty_script", N_("脚本任务没有算式。"))
            elif kind == "callActivity" and node.get("calledElement") not in processes:
                yield _at(node, path, "unknown_process", N_("调用的流程“%(name)s”不在这套流程里。"), name=node.get("calledElement"))
            state = node.get(f"{{{PS}}}state")
            if state and state not in {member.value for member in CaseState}:
                yield _at(node, path, "unknown_state", N_("没有“%(state)s”这个个案状态。"), state=state)
            for entry in [*extensions(node, "arm"), *extensions(node, "meet")]:
                if limits is not None and entry.get("limit") not in limits:
                    yield _at(node, path, "unknown_limit", N_("地方参数里没有时限“%(limit)s”。"), limit=entry.get("limit"))
            for entry in extensions(node, "message"):
                for role in (entry.get("role") or "").split() or [""]:  # any of several may send it
                    if role not in roles:
                        yield _at(node, path, "unknown_role", N_("“%(id)s”不是角色。"), id=role)
                if entry.get("form") is not None and entry.get("form") not in parsed:
                    yield _at(node, path, "unknown_form", N_("没有叫“%(form)s”的表单。"), form=entry.get("form"))


def _user_task(node: etree._Element, path: str, parsed: Mapping[str, forms.Form], limits: frozenset[str] | None) -> Iterator[Complaint]:
    task = extensions(node, "task")
    if len(task) != 1:
        yield _at(node, path, "no_form", N_("任务没有说明用哪张表单。"))
        return
    if task[0].get("form") not in parsed:
        yield _at(node, path, "unknown_form", N_("没有叫“%(form)s”的表单。"), form=task[0].get("form"))
    if task[0].get("shows", task[0].get("form")) not in parsed:
        yield _at(node, path, "unknown_form", N_("没有叫“%(form)s”的表单。"), form=task[0].get("shows"))
    if task[0].get("organisation", "owner") not in ORGANISATIONS:
        yield _at(node, path, "unknown_party", N_("“%(party)s”不是个案的一方。"), party=task[0].get("organisation"))
    if limits is not None and task[0].get("limit") and task[0].get("limit") not in limits:
        yield _at(node, path, "unknown_limit", N_("地方参数里没有时限“%(limit)s”。"), limit=task[0].get("limit"))
    if not node.get("name"):
        yield _at(node, path, "no_name", N_("任务没有名称，办理的人看不懂。"))


def _names(roots: Mapping[str, etree._Element], parsed: Mapping[str, forms.Form]) -> Iterator[Complaint]:
    """Compile every expression and ask of each free name whether something in the procedure sets it."""
    known = set(GIVEN | STARTS_WITH)
    for root in roots.values():
        for tag in ("output", "set"):
            known |= {entry.get("variable", "") for entry in root.iter(f"{{{PS}}}{tag}")}
        for tag in ("inputDataItem", "outputDataItem"):
            known |= {entry.get("name", "") for entry in root.iter(f"{{{BPMN}}}{tag}")}
        known |= {(entry.text or "").strip() for entry in root.iter(f"{{{BPMN}}}loopDataOutputRef")}
    for path, root in roots.items():
        for node in root.iter(*(f"{{{BPMN}}}{kind}" for kind in (*FLOW_NODES, "sequenceFlow"))):
            for text, extra, where in _expressions(node):
                found = feel.check(text)
                if found.error is not None:
                    yield _at(node, path, "expression", N_("“%(where)s”的算式写错了：%(reason)s"), where=where, reason=found.error.message)
                    continue
                for name in found.names:
                    given = HOST_FUNCTIONS if name.is_call else known | extra
                    if name.name not in given and not name.is_loose:
                        yield _at(node, path, "unknown_name", N_("“%(where)s”里的“%(name)s”没有任何一步给出。"), where=where, name=name.name)
                yield from _answers_used(node, path, found, parsed)


def _answers_used(node: etree._Element, path: str, found: feel.Check, parsed: Mapping[str, forms.Form]) -> Iterator[Complaint]:
    """An answer that goes into the workflow must exist in the form and must not identify the subject."""
    task = extensions(node, "task")
    form = parsed.get(task[0].get("form", "")) if task else None
    if form is None:
        return
    inputs = {entry.key: entry for entry in form.inputs()}
    for name in found.names:
        if name.name != "answers" or len(name.path) < 2:
            continue
        entry = inputs.get(name.path[1])
        if entry is None:
            yield _at(node, path, "unknown_answer", N_("表单“%(form)s”里没有“%(field)s”。"), form=form.key, field=name.path[1])
        elif entry.identity == "I":
            yield _at(node, path, "identity_leaves", N_("“%(field)s”能认出患者，不能放进流程变量。"), field=entry.key)


def _expressions(node: etree._Element) -> Iterator[tuple[str, frozenset[str], str]]:
    """Yield every expression of an element with the names it sees besides the variables, and where it stands."""
    outputs = frozenset({"answers", "person", "record"})
    for entry in extensions(node, "output"):
        yield entry.get("expression", ""), outputs, entry.get("variable", "")
    for entry in extensions(node, "set"):
        yield entry.get("expression", ""), frozenset(), entry.get("variable", "")
    for task in extensions(node, "task"):
        for attribute in ("person", "exclude", "item", "role", "due", "from"):
            if task.get(attribute):
                yield task.get(attribute, ""), frozenset(), attribute
    for entry in extensions(node, "arm"):
        if entry.get("from"):
            yield entry.get("from", ""), outputs, entry.get("limit", "")
    for entry in node.iter(f"{{{PS}}}argument"):
        yield entry.get("expression", ""), frozenset(), entry.get("name", "")
    condition = node.find(f"{{{BPMN}}}conditionExpression")
    if condition is not None:
        yield condition.text or "", frozenset(), N_("条件")
    for tag in ("timeDate", "timeDuration"):
        for entry in node.iter(f"{{{BPMN}}}{tag}"):
            if not (entry.text or "").strip().startswith(("P", "1", "2")):
                yield entry.text or "", frozenset(), N_("定时")
    for entry in node.iter(f"{{{BPMN}}}loopCardinality"):
        yield entry.text or "", frozenset(), "loopCardinality"
    for entry in node.iter(f"{{{BPMN}}}completionCondition"):
        yield entry.text or "", frozenset({"instances", "instances_done", "results"}), "completionCondition"


# ── does it run? ──


def _runs(files: Mapping[str, bytes], main: str) -> Iterator[Complaint]:
    """Read it as a case would, and count the tasks the library predicts: parallel blocks in a row grow exponentially."""
    try:
        specification = reading.read(files, main)
    except UnreadableDiagram as error:
        yield _unreadable(error, error.file)
        return
    for name, spec in {main: specification.spec, **specification.parts}.items():
        with library.at(datetime.now(UTC)):
            workflow = library.Workflow(spec, specification.parts)
            count = len(workflow.tasks)
            library.dispose(workflow)
        if count > MAX_TASKS:
            process = specification.processes.get(name)
            yield Complaint(
                "too_branchy",
                N_("并行分支一个接一个，引擎要预计 %(count)s 步；请把一部分放进调用的流程。"),
                file=process.file if process else "",
                element=name,
                fields={"count": count},
            )
    yield from _calls_itself(specification)


def _calls_itself(specification: reading.Specification) -> Iterator[Complaint]:
    """A process that calls itself, straight or round about, never ends."""
    calls: dict[str, set[str]] = {}
    for element in specification.elements.values():
        if element.called:
            calls.setdefault(element.process, set()).add(element.called)
    for process in calls:
        seen: set[str] = set()
        todo = list(calls[process])
        while todo:
            current = todo.pop()
            if current == process:
                yield Complaint(
                    "calls_itself",
                    N_("流程“%(name)s”会调用到自己，个案不会停。"),
                    file=specification.processes[process].file,
                    element=process,
                    fields={"name": process},
                )
                break
            if current not in seen:
                seen.add(current)
                todo += calls.get(current, ())


def _at(node: etree._Element, path: str, code: str, sentence: str, **fields: Any) -> Complaint:
    return Complaint(code, sentence, file=path, element=node.get("id"), line=node.sourceline, fields=fields)  # type: ignore[arg-type]
