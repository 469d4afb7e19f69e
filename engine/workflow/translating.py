"""Diagrams from elsewhere: what can be turned so that it runs here is offered, each turn small and named.

What does not run here is told by the checks. A turn changes what was chosen and keeps every other byte: extensions of the
other product, colours, drawing, comments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from engine.errors import N_
from engine.workflow import bounds, elsewhere, mending, reading
from engine.workflow.reading import BPMN, FLOW_NODES, PS, UnreadableDiagram, extensions, local
from models import Role

_B, _P = f"{{{BPMN}}}", f"{{{PS}}}"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}\Z")
_OWN_ID = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")
_JAVA_SPACES = tuple(space for space in elsewhere.VENDORS if "zeebe" not in space)
_ZEEBE = "http://camunda.org/schema/zeebe/1.0"
ROLES = {role.value: role.value for role in Role}
FIRST = {"ids": 9}
"""Turns that come last, since others name elements by their ids."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A turn that can be made.

    Attributes:
        key: By which it is chosen.
        what: The sentence that tells it, filled from `fields`.
        fix: What `mending` carries out.
    """

    key: str
    element: str | None
    line: int | None
    what: str
    fix: Mapping[str, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)


def offers(content: bytes, roles: Mapping[str, str] | None = None, forms: Collection[str] = ()) -> list[Offer]:
    """Return every turn that a diagram offers; none where it cannot be read.

    Args:
        roles: The role each word stands for, in any language: names of lanes and groups are looked up in it.
        forms: The forms there are; a form of the other product is matched with them by name.
    """
    try:
        root = reading.xml(content)
    except UnreadableDiagram:
        return []
    if sum(1 for _ in root.iter(*(f"{_B}{kind}" for kind in FLOW_NODES))) > bounds.MAX_ALL_ELEMENTS:
        return []
    known = {_folded(word): role for word, role in {**ROLES, **(roles or {})}.items()}
    found: list[Offer] = []
    for offer in _offers(root, known, frozenset(forms)):
        if len(found) >= bounds.MAX_COMPLAINTS:
            break
        found.append(offer)
    return found


def turn(content: bytes, chosen: Iterable[str] | None = None, roles: Mapping[str, str] | None = None, forms: Collection[str] = ()) -> bytes:
    """Make the turns that were chosen, or all that are offered; every byte else stays.

    Raises:
        mending.NotMended: the diagram cannot be read.
    """
    wanted = None if chosen is None else set(chosen)
    picked = [offer for offer in offers(content, roles, forms) if wanted is None or offer.key in wanted]
    if not picked:
        return content
    return mending.edit(content, [offer.fix for offer in sorted(picked, key=lambda offer: FIRST.get(offer.key, 0))])


def _offers(root: etree._Element, roles: Mapping[str, str], forms: Collection[str]) -> Iterator[Offer]:
    for process in root.findall(f"{_B}process"):
        if process.get("isExecutable") != "true" and process.get("id"):
            yield _offer(process, "executable", N_("把流程标为可执行"), {"kind": "executable"})
    yield from _lanes(root, roles)
    laned = {(reference.text or "").strip(): reference.getparent() for reference in root.iter(f"{_B}flowNodeRef")}
    for node in root.iter(*(f"{_B}{kind}" for kind in FLOW_NODES)):
        if not node.get("id"):
            continue
        yield from _step(node, laned, roles, forms)
    for flow in root.iter(f"{_B}sequenceFlow"):
        condition = flow.find(f"{_B}conditionExpression")
        if condition is not None and flow.get("id"):
            yield from _said(flow, condition.text or "", N_("条件“%(was)s”写成“%(text)s”"))
    for owner in root.iter(f"{_B}process", *(f"{_B}{kind}" for kind in FLOW_NODES)):
        said = owner.find(f"{_B}ioSpecification")
        if said is not None and owner.get("id") and said.find(f"{_B}dataInput") is None and said.find(f"{_B}dataOutput") is None:
            fix = {"kind": "remove_parts", "names": ["ioSpecification"]}
            yield _offer(owner, "data", N_("删去“%(name)s”里空的输入输出说明"), fix, name=owner.get("name") or owner.get("id"))
    yield from _flows(root)
    yield from _ids(root)


def _offer(node: etree._Element, kind: str, what: str, fix: Mapping[str, Any], **fields: Any) -> Offer:
    identifier = node.get("id", "")
    shown = {name: elsewhere.plain(str(value)) for name, value in fields.items()}
    return Offer(f"{kind}:{identifier}", identifier, node.sourceline, what, {"element": identifier, **fix}, shown)  # type: ignore[arg-type]


def _folded(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word).strip().casefold()


def _lanes(root: etree._Element, roles: Mapping[str, str]) -> Iterator[Offer]:
    for lane in root.iter(f"{_B}lane"):
        if (lane.get("id") or "").split(".")[0] in ROLES or not lane.get("id"):
            continue
        role = roles.get(_folded(lane.get("name") or ""))
        if role is not None:
            fix = {"kind": "lane_role", "choices": [role], "choice": role}
            yield _offer(lane, "lane", N_("泳道“%(name)s”由角色“%(role)s”办"), fix, name=lane.get("name"), role=role)


def _step(node: etree._Element, laned: Mapping[str, etree._Element | None], roles: Mapping[str, str], forms: Collection[str]) -> Iterator[Offer]:
    kind = local(node)
    if kind in ("task", "manualTask") or (kind == "receiveTask" and not node.get("messageRef")):
        yield _offer(node, "task", N_("把“%(name)s”改成用户任务"), {"kind": "to_user_task"}, name=node.get("name") or node.get("id"))
    if kind in ("userTask", "task", "manualTask"):
        yield from _who(node, laned, roles)
        yield from _form(node, forms)
    if kind == "callActivity":
        called = node.find(f"{_B}extensionElements/{{{_ZEEBE}}}calledElement")
        name = called.get("processId", "") if called is not None else ""
        if name and not node.get("calledElement") and not name.startswith("="):
            yield _offer(node, "called", N_("调用流程“%(name)s”"), {"kind": "called", "to": name}, name=name)
    if kind == "businessRuleTask":
        yield from _decision(node)
    if kind == "scriptTask":
        yield from _script(node)
    yield from _several(node)
    for tag in ("completionCondition", "loopCardinality"):
        text = node.findtext(f"{_B}multiInstanceLoopCharacteristics/{_B}{tag}") or ""
        yield from _said(node, text, N_("算式“%(was)s”写成“%(text)s”"))
    for definition in node.findall(f"{_B}timerEventDefinition"):
        for tag in ("timeDate", "timeDuration"):
            text = (definition.findtext(f"{_B}{tag}") or "").strip()
            if text and not (text[0] in "-P" or text[0].isdigit()):
                yield from _said(node, text, N_("定时“%(was)s”写成“%(text)s”"))


def _said(node: etree._Element, was: str, what: str) -> Iterator[Offer]:
    was = was.strip()
    said = elsewhere.to_feel(was) if was[:2] in ("${", "#{") or was.startswith("=") or re.search(r"==|&&|\|\|", was) else None
    if said is not None and "\n" not in said:
        yield _offer(node, "said", what, {"kind": "expression", "was": was, "text": said}, was=was, text=said)


def _extension(node: etree._Element, space: str, name: str) -> etree._Element | None:
    return node.find(f"{_B}extensionElements/{{{space}}}{name}")


def _who(node: etree._Element, laned: Mapping[str, etree._Element | None], roles: Mapping[str, str]) -> Iterator[Offer]:
    """A group that is one of our roles becomes the step's role, where its lane does not say it already."""
    lane = laned.get(node.get("id", ""))
    if node.get(f"{_P}role") or (lane is not None and (lane.get("id") or "").split(".")[0] in ROLES):
        return
    words: list[str] = []
    for space in _JAVA_SPACES:
        words += re.split(r"[,;]", node.get(f"{{{space}}}candidateGroups") or "")
    assignment = _extension(node, _ZEEBE, "assignmentDefinition")
    if assignment is not None:
        words += re.split(r"[,;]", assignment.get("candidateGroups") or "")
    for expression in node.findall(f"{_B}potentialOwner/{_B}resourceAssignmentExpression/{_B}formalExpression"):
        words += re.split(r"[,;]", re.sub(r"group\(([^)]*)\)", r"\1", expression.text or ""))
    found = {roles[_folded(word.strip().strip("'\""))] for word in words if _folded(word.strip().strip("'\"")) in roles}
    if len(found) == 1:
        role = found.pop()
        yield _offer(
            node, "role", N_("“%(name)s”由角色“%(role)s”办"), {"kind": "role", "choices": [role], "choice": role}, name=node.get("name"), role=role
        )


def _form(node: etree._Element, forms: Collection[str]) -> Iterator[Offer]:
    if extensions(node, "task"):
        return
    named = ""
    for space in _JAVA_SPACES:
        named = named or node.get(f"{{{space}}}formKey") or node.get(f"{{{space}}}formRef") or ""
    definition = _extension(node, _ZEEBE, "formDefinition")
    if definition is not None:
        named = named or definition.get("formId") or definition.get("formKey") or ""
    last = re.sub(r"\.(html?|form|json)$", "", re.split(r"[/:]", named)[-1]) if named else ""
    key = elsewhere.snake(last) if last else ""
    if not key or "$" in named or "{" in named:
        return
    matches = [form for form in forms if form.replace("_", "") == key.replace("_", "")]
    form = matches[0] if matches else key
    fix = {"kind": "settings", "settings": {"task": {"form": form}}}
    yield _offer(node, "form", N_("表单“%(was)s”作为表单“%(form)s”"), fix, was=named, form=form)


def _decision(node: etree._Element) -> Iterator[Offer]:
    if extensions(node, "decision"):
        return
    name = result = ""
    for space in _JAVA_SPACES:
        name = name or node.get(f"{{{space}}}decisionRef") or ""
        result = result or node.get(f"{{{space}}}resultVariable") or ""
    called = _extension(node, _ZEEBE, "calledDecision")
    if called is not None:
        name, result = name or called.get("decisionId") or "", result or called.get("resultVariable") or ""
    if name and not name.startswith(("=", "$", "#")) and _NAME.match(result or "result"):
        settings = {"decision": {"decision": elsewhere.snake(name), "name": name, "result": result or "result"}}
        yield _offer(
            node,
            "decision",
            N_("用决策“%(name)s”，结果放进“%(result)s”"),
            {"kind": "settings", "settings": settings},
            name=name,
            result=result or "result",
        )


def _script(node: etree._Element) -> Iterator[Offer]:
    script = _extension(node, _ZEEBE, "script")
    if script is None or extensions(node, "set"):
        return
    expression, result = (script.get("expression") or "").strip(), script.get("resultVariable") or ""
    said = elsewhere.to_feel(expression) if expression.startswith("=") else None
    if said is not None and _NAME.match(result):
        settings = {"set": {"variable": result, "expression": said}}
        yield _offer(node, "script", N_("算出“%(name)s”"), {"kind": "settings", "settings": settings}, name=result)


def _several(node: etree._Element) -> Iterator[Offer]:
    several = node.find(f"{_B}multiInstanceLoopCharacteristics")
    if several is None or several.find(f"{_B}loopDataInputRef") is not None:
        return
    words: dict[str, str] = {}
    for space in _JAVA_SPACES:
        words.setdefault("loopDataInputRef", several.get(f"{{{space}}}collection") or "")
        words["loopDataInputRef"] = words["loopDataInputRef"] or several.get(f"{{{space}}}collection") or ""
        words["inputDataItem"] = words.get("inputDataItem") or several.get(f"{{{space}}}elementVariable") or ""
    zeebe = _extension(several, _ZEEBE, "loopCharacteristics")
    if zeebe is not None:
        words["loopDataInputRef"] = zeebe.get("inputCollection") or ""
        words["inputDataItem"] = zeebe.get("inputElement") or ""
        words["loopDataOutputRef"] = zeebe.get("outputCollection") or ""
        words["outputDataItem"] = (zeebe.get("outputElement") or "").removeprefix("=").strip()
    clean = {tag: re.sub(r"^(=|[$#]\{)\s*|\}$", "", text).strip() for tag, text in words.items() if text}
    if clean.get("loopDataInputRef") and all(_NAME.match(text) for text in clean.values()):
        fix = {"kind": "several", "words": clean}
        yield _offer(node, "several", N_("对“%(list)s”里的每一个办一份"), fix, list=clean["loopDataInputRef"])


def _flows(root: etree._Element) -> Iterator[Offer]:
    """Conditions and branchings behind a step get a gateway; a gateway gets the default that is missing."""
    out: dict[str, list[etree._Element]] = {}
    for flow in root.iter(f"{_B}sequenceFlow"):
        out.setdefault(flow.get("sourceRef", ""), []).append(flow)
    for node in root.iter(*(f"{_B}{kind}" for kind in FLOW_NODES)):
        flows = out.get(node.get("id", ""), [])
        kind = local(node)
        conditional = [flow for flow in flows if flow.find(f"{_B}conditionExpression") is not None]
        name = node.get("name") or node.get("id")
        if kind in ("exclusiveGateway", "inclusiveGateway"):
            bare = [flow for flow in flows if flow not in conditional]
            if len(flows) > 1 and not node.get("default") and len(bare) == 1 and bare[0].get("id"):
                fix = {"kind": "default", "flow": bare[0].get("id")}
                yield _offer(node, "default", N_("没有条件的一条作为默认连线"), fix)
        elif not kind.endswith("Gateway") and kind not in ("startEvent", "endEvent") and (conditional or len(flows) > 1):
            gateway = "exclusiveGateway" if conditional else "parallelGateway"
            what = N_("在“%(name)s”后面加排他网关，条件移到网关后面") if conditional else N_("在“%(name)s”后面加并行网关")
            yield _offer(node, "gateway", what, {"kind": "gateway", "gateway": gateway}, name=name)


def _ids(root: etree._Element) -> Iterator[Offer]:
    """Ids made by a machine become words, from the names where these are in Latin letters."""
    taken = {node.get("id", "") for node in root.iter(etree.Element)}
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for node in root.iter(*(f"{_B}{kind}" for kind in (*FLOW_NODES, "process"))):
        old = node.get("id", "")
        if not old or old in names or (_OWN_ID.match(old) and not elsewhere.is_machine_made(old)):
            continue
        words = elsewhere.snake(node.get("name") or "") if re.search(r"[A-Za-z]", node.get("name") or "") else ""
        if not words and not elsewhere.is_machine_made(old):
            words = elsewhere.snake(old)
        if not words:
            kind = re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), local(node))
            counts[kind] = counts.get(kind, 0) + 1
            words = f"{kind}_{counts[kind]}"
        new = elsewhere.free(words, taken)
        taken.add(new)
        names[old] = new
    if names:
        fix = {"kind": "rename_all", "names": names}
        yield Offer("ids", None, None, N_("把 %(count)s 个 id 改成小写字母和下划线"), fix, {"count": len(names)})
