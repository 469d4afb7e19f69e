"""Decision tables of a procedure: what is wrong with them before they decide anything, and the examples kept with them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from engine import feel, resident_numbers
from engine.errors import N_
from engine.feel import analysis, dmn
from engine.workflow import bounds, checking, reading
from engine.workflow.reading import BPMN, PS, extensions
from engine.workflow.rules import Rule

MAX_TABLES = 60
MAX_TABLE_BYTES = feel.decisions.MAX_ALL_XML
"""Of all decision tables of a procedure together."""
MAX_EXAMPLES = 300
MAX_EXAMPLE_BYTES = 300_000
EXAMPLE_SECONDS = 0.4
"""Processor time of all examples of a table together."""
_KEY = re.compile(r"decisions/[a-z][a-z0-9_]*\.(dmn|examples\.json)")
_RANKED = ("PRIORITY", "OUTPUT ORDER")


class UnreadableExamples(Exception):
    """The examples of a table are not what they should be; `reason` tells why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Example:
    """One example: what a decision is given, and the result that is expected, in wire form."""

    name: str
    inputs: Mapping[str, Any]
    expected: Any


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a decision, the instant that `now()` tells them, and the texts that are FEEL still to be computed."""

    decision: str
    examples: tuple[Example, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of an example.

    Attributes:
        is_ok: Whether the result is the expected one.
        got, expected: In wire form.
        hits: The numbers from 1 of the rules that matched in the decision's own table.
        tables: The same of every table that was asked, by decision.
        error: Why there is no result, or no expectation, in plain English.
    """

    name: str
    is_ok: bool
    got: Any = None
    expected: Any = None
    hits: tuple[int, ...] = ()
    tables: tuple[feel.Hits, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A decision as an editor offers it. Inputs and outputs are pairs of name and type, the type empty where it is not told.

    Attributes:
        inputs: What it must be given: the inputs it requires, and the names it reads beside them.
        outputs: Of a table with several outputs, each; otherwise one without a name.
        hit_policy: Of a table, empty for anything else.
    """

    id: str
    name: str
    inputs: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    hit_policy: str = ""


# ── names ──


def names(xml: bytes, others: Mapping[str, bytes] | None = None) -> list[Named]:
    """Return the decisions of a model with what they take and give.

    Args:
        others: The other models of the procedure, by path, among which imports are found.

    Raises:
        feel.ModelRefused: the model cannot be read.
    """
    definitions = dmn.read_xml(xml)
    model = feel.decisions.read_all({**(others or {}), "": xml})[""]
    found = []
    for element in definitions.elements:
        if element.kind != "decision":
            continue
        inputs: dict[str, str] = {}
        if isinstance(model, feel.Model):
            required, free, _functions = model.needs(element.name)
            inputs = {name: type_name or "" for name, type_name in required.items()} | dict.fromkeys(sorted(free - inputs_given()), "")
        outputs: tuple[tuple[str, str], ...] = (("", element.type or ""),)
        policy = ""
        if isinstance(element.logic, dmn.TableBox):
            policy = element.logic.hit_policy
            columns = element.logic.outputs
            outputs = tuple((output.name if len(columns) > 1 else "", output.type or element.type or "") for output in columns)
        found.append(Named("" if element.id.startswith("name:") else element.id, element.name, tuple(inputs.items()), outputs, policy))
    return found


def inputs_given() -> frozenset[str]:
    """Return the names that every expression of a case sees, so that nobody has to give them to a table."""
    return checking.GIVEN


# ── examples ──


def read_examples(content: bytes | str | Mapping[str, Any]) -> Examples:
    r"""Read the examples kept with a table.

    `{"decision": "Name", "now": "2026-01-01T09:00:00+08:00", "examples": [{"name": "…", "inputs": {"age": 35}, "expect": "=\"late\""}]}`.
    A text that begins with `=` is FEEL, also inside lists and contexts; everything else stands for itself. `now` may be left out.

    Raises:
        UnreadableExamples: not JSON, or not of this form, or too many.
    """
    if isinstance(content, Mapping):
        found: Any = content
    else:
        if len(content) > MAX_EXAMPLE_BYTES:
            raise UnreadableExamples(f"more than {MAX_EXAMPLE_BYTES} bytes")
        try:
            found = json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError, ArithmeticError):
            raise UnreadableExamples("not JSON") from None
    if not isinstance(found, Mapping) or not isinstance(found.get("decision"), str) or not isinstance(found.get("examples"), list):
        raise UnreadableExamples("decision and examples are missing")
    if len(found["examples"]) > MAX_EXAMPLES:
        raise UnreadableExamples(f"more than {MAX_EXAMPLES} examples")
    examples = []
    for number, each in enumerate(found["examples"], 1):
        if not isinstance(each, Mapping) or not isinstance(each.get("inputs", {}), Mapping) or "expect" not in each:
            raise UnreadableExamples(f"example {number} lacks inputs or expect")
        name = each.get("name")
        examples.append(Example(name[:200] if isinstance(name, str) and name else str(number), each.get("inputs", {}), each["expect"]))
    return Examples(found["decision"], tuple(examples), _instant(found.get("now", EXAMPLE_NOW)))


EXAMPLE_NOW = "2026-01-01T09:00:00+08:00"
"""The instant of examples that tell none."""


def _instant(text: Any) -> datetime:
    try:
        now = datetime.fromisoformat(text)
        if now.tzinfo is None:
            now = now.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
        now.astimezone(ZoneInfo("UTC"))
    except (TypeError, ValueError, OverflowError):
        raise UnreadableExamples("now is no instant") from None
    return now


def _no_constant(name: str) -> Any:
    raise ValueError(name)


class _Weekdays:
    """The calendar of examples: Monday to Friday."""

    def is_working_day(self, day: date, /) -> bool:
        """Tell whether people work on this day."""
        return day.isoweekday() <= 5


def run_examples(
    model: feel.Model | bytes | Mapping[str, bytes], examples: Examples | bytes | str | Mapping[str, Any], *, key: str = ""
) -> list[ExampleResult]:
    """Run examples through their decision and say of each what came out.

    Args:
        model: A compiled model, its XML, or the files of a procedure, of which `key` names the table.
        examples: As `read_examples` takes and gives them.

    Raises:
        feel.ModelRefused: the model cannot be read.
        UnreadableExamples: the examples cannot.
    """
    if not isinstance(examples, Examples):
        examples = read_examples(examples)
    if isinstance(model, bytes):
        model = feel.decisions.read(model)
    elif not isinstance(model, feel.Model):
        read = feel.decisions.read_all(reading.tables(model)).get(f"decisions/{key}.dmn")
        if read is None:
            raise feel.ModelRefused(f"there is no table {key[:100]!r}")
        if isinstance(read, feel.ModelRefused):
            raise read
        model = read
    environment = feel.Environment(
        now=examples.now,
        zone="Asia/Shanghai",
        calendar=_Weekdays(),
        functions={"resident number valid": resident_numbers.valid, "resident number birth": resident_numbers.birth},
    )
    ends = time.thread_time() + EXAMPLE_SECONDS
    results = []
    for example in examples.examples:
        if time.thread_time() > ends:
            results.append(ExampleResult(example.name, False, error="the examples take too long"))
        else:
            results.append(_run(model, examples.decision, example, environment))
    return results


def _run(model: feel.Model, decision: str, example: Example, environment: feel.Environment) -> ExampleResult:
    hits: list[feel.Hits] = []
    got = expected = None
    try:
        expected = _wire(example.expected, environment)
        inputs = {name: _wire(value, environment) for name, value in example.inputs.items()}
        got = model.decide(model.named(decision) or decision, inputs, environment, hits=hits)
        is_ok, error = feel.evaluate("a = b", {"a": got, "b": expected}, environment) is True, None
    except feel.FeelError as failure:
        is_ok, error = False, f"{failure.decision}: {failure.message}" if failure.decision else failure.message
    own = next((table.rules for table in reversed(hits) if table.decision == model.named(decision)), ())
    return ExampleResult(example.name, is_ok, got, expected, own, tuple(hits), error)


def _wire(value: Any, environment: feel.Environment, depth: int = 0) -> Any:
    """Return a value of an example in wire form."""
    if depth > 20:
        raise feel.LimitExceeded("nested too deeply")
    if isinstance(value, str) and value.startswith("="):
        return feel.evaluate(value[1:], {}, environment)
    if isinstance(value, list):
        return [_wire(item, environment, depth + 1) for item in value]
    if isinstance(value, dict):
        found = {key: _wire(item, environment, depth + 1) for key, item in value.items()}
        return {"$": "c", "v": found} if "$" in found else found
    return feel.to_wire(value)


# ── what is wrong ──


RULES: dict[str, Rule] = {
    "decision_path": Rule(N_("文件名“%(path)s”不能用。"), N_("决策表的文件名用小写字母、数字和下划线，以字母开头。")),
    "decision_too_many": Rule(N_("决策表太多或太大，没有检查。"), N_("一套流程最多 %(files)s 张决策表、共 %(bytes)s MB；请删去不用的。")),
    "decision_listed": Rule(
        N_("procedure.toml 里写了决策表“%(key)s”，但没有这个文件。"), N_("加上文件 decisions/%(key)s.dmn，或从 decisions 里删去这一项。")
    ),
    "decision_unused": Rule(N_("没有哪一步用到这个决策表。"), N_("在图里加一个业务规则任务并选这个决策表，或删去文件。"), "warning"),
    "decision_unreadable": Rule(N_("决策表不能使用：%(reason)s"), N_("改正这一处，或从原来的软件重新导出 DMN 文件。")),
    "decision_language": Rule(N_("这里只认 FEEL，不认“%(language)s”。"), N_("把算式改写成 FEEL，并去掉 expressionLanguage。")),
    "decision_external": Rule(N_("不能调用 %(kind)s 函数“%(name)s”。"), N_("把函数改写成 FEEL。")),
    "decision_expression": Rule(N_("“%(where)s”里的“%(text)s”不能用：%(reason)s"), N_('改正算式；文字要加英文双引号，例如 "是"。')),
    "decision_function": Rule(N_("“%(where)s”里调用的“%(name)s”没有这个函数。"), N_("改成已有的函数，或在表里加上这个知识模型并连上。")),
    "decision_file_missing": Rule(N_("没有叫“%(key)s”的决策表。"), N_("改成已有的决策表，或新建 decisions/%(key)s.dmn。")),
    "decision_missing": Rule(N_("决策表“%(key)s”里没有叫“%(name)s”的决策。"), N_("改成表里有的决策：%(known)s。")),
    "decision_input_missing": Rule(N_("决策“%(name)s”要用“%(input)s”，这一步没有给。"), N_("在这一步的输入里加上“%(input)s”和算它的式子。")),
    "decision_input_unknown": Rule(N_("决策“%(name)s”不用“%(input)s”，给了也没有作用。"), N_("删去这一项输入，或改成表里的名称。"), "warning"),
    "decision_input_twice": Rule(N_("输入“%(input)s”给了两次。"), N_("删去其中一项。")),
    "decision_input_empty": Rule(N_("有一项输入没有名称或没有算式。"), N_("补上名称和算式，或删去这一项。")),
    "table_overlap": Rule(
        N_("第 %(one)s 条和第 %(other)s 条规则会同时成立（%(region)s），而命中策略是“唯一”。"), N_("把条件改得不重叠，或换用“首个”等命中策略。")
    ),
    "table_conflict": Rule(
        N_("第 %(one)s 条和第 %(other)s 条规则会同时成立（%(region)s），结果却不同，而命中策略是“任一”。"),
        N_("让两条的结果相同，或把条件改得不重叠。"),
    ),
    "table_gap": Rule(N_("没有规则管到：%(region)s。"), N_("加一条规则，或给输出写上默认值。"), "warning"),
    "table_never": Rule(
        N_("第 %(one)s 条规则不会成立：“%(column)s”没有允许的值合乎“%(text)s”。"), N_("改正条件或允许的值，或删去这一条。"), "warning"
    ),
    "table_unreachable": Rule(N_("第 %(one)s 条规则轮不到：前面的规则已经管到它的全部情形。"), N_("把它移到前面，或删去这一条。"), "warning"),
    "table_not_listed": Rule(
        N_("第 %(one)s 条规则的结果“%(text)s”不在“%(column)s”的允许值里，排不了先后。"), N_("改正结果，或把它加进输出的允许值。")
    ),
    "table_not_in_values": Rule(
        N_("第 %(one)s 条规则的结果“%(text)s”不在“%(column)s”的允许值里。"), N_("改正结果，或把它加进输出的允许值。"), "warning"
    ),
    "table_no_order": Rule(N_("按优先级命中的表要有输出的允许值，没有就排不了先后。"), N_("给输出写上允许值，先后就是优先级。")),
    "table_type": Rule(
        N_("第 %(one)s 条规则的“%(text)s”与“%(column)s”的类型不合。"), N_("改正这一格，或改列的类型；数字不加引号，文字加英文双引号。")
    ),
    "table_nothing": Rule(N_("第 %(one)s 条规则“%(column)s”的“%(text)s”算不出值。"), N_("改正这一格：区间的两头不要颠倒，日期要存在；空值写 null。")),
    "table_aggregation": Rule(N_("不能汇总：%(text)s。"), N_("汇总只用于一个输出，求和的结果要是数字。")),
    "table_too_large": Rule(N_("表太大，规则之间有没有重叠和漏洞没有查全。"), N_("把表拆成几张小的，或靠示例来查。"), "warning"),
    "examples_unreadable": Rule(N_("示例不能读取：%(reason)s"), N_("示例是 JSON：decision、examples，每个示例有 name、inputs、expect。")),
    "examples_without_table": Rule(N_("示例没有对应的决策表。"), N_("文件名要与决策表相同：decisions/%(key)s.dmn。"), "warning"),
    "example_failed": Rule(N_("示例“%(name)s”不成立：应为 %(expected)s，得到 %(got)s。"), N_("改正决策表，或改正示例的期望。"), "warning"),
    "example_error": Rule(N_("示例“%(name)s”没有结果：%(reason)s"), N_("改正决策表，或补全示例的输入。"), "warning"),
}


def complaints(files: Mapping[str, bytes], known: frozenset[str] | None = None) -> list[checking.Complaint]:
    """Tell what is wrong with the decision tables of a procedure, with the steps that use them, and with their examples.

    Args:
        files: All files of the procedure by path.
        known: The names that every expression sees beside the inputs of a table; None stands for those of a case.
    """
    found: list[checking.Complaint] = []
    paths = reading.tables(files)
    for path in files:
        if path.startswith("decisions/") and not _KEY.fullmatch(path):
            found.append(_complaint("decision_path", path, path=path[:120]))
    manifest = _manifest(files)
    listed = manifest.get("decisions", [])
    for key in listed if isinstance(listed, list) else []:
        if f"decisions/{key}.dmn" not in files:
            found.append(_complaint("decision_listed", "procedure.toml", key=str(key)[:100]))
    if len(paths) > MAX_TABLES or sum(map(len, paths.values())) > MAX_TABLE_BYTES:
        return [*found, _complaint("decision_too_many", min(paths), files=MAX_TABLES, bytes=f"{MAX_TABLE_BYTES / 1_000_000:g}")]
    models: dict[str, feel.Model] = {}
    for path, model in feel.decisions.read_all(paths).items():
        lines, refused = _refused(path, paths[path])
        found += refused
        if isinstance(model, feel.ModelRefused):
            if not refused:
                found.append(_complaint("decision_unreadable", path, model.element, model.line, reason=str(model)[:300]))
            continue
        models[reading.decision_key(path)] = model
        found += _model(path, model, lines)
    found += _tasks(files, models, inputs_given() if known is None else known)
    found += _examples(files, models, is_binding=manifest.get("examples") == "binding")
    return found


def _complaint(code: str, file: str, element: str | None = None, line: int | None = None, level: str = "", **fields: Any) -> checking.Complaint:
    rule = RULES[code]
    return checking.Complaint(code, rule.sentence, level or rule.level, file, element, line, fields, mend=rule.mend)


def _manifest(files: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Return the manifest; whoever checks it complains when it cannot be read."""
    try:
        return bounds.toml(files["procedure.toml"])
    except (KeyError, ValueError):
        return {}


def _refused(path: str, xml: bytes) -> tuple[dict[str, int | None], list[checking.Complaint]]:
    """Return the line of every id, and what is refused by name: other languages, functions in Java or PMML."""
    lines: dict[str, int | None] = {}
    found: list[checking.Complaint] = []
    try:
        root = dmn.parse_xml(xml)
    except feel.ModelRefused:
        return lines, found
    for node in root.iter(etree.Element):
        if node.get("id"):
            lines[node.get("id", "")] = dmn.line_of(node)
        language, kind = node.get("expressionLanguage"), node.get("kind")
        if language and not dmn.is_feel(language):
            found.append(_complaint("decision_language", path, _holder(node).get("id"), dmn.line_of(node), language=language[:60]))
        if kind and kind != "FEEL" and etree.QName(node).localname in ("functionDefinition", "encapsulatedLogic"):
            where, name = _holder(node), ""
            for holder in (node, *node.iterancestors()):
                name = (
                    name or holder.get("name") or next((child.get("name", "") for child in holder if etree.QName(child).localname == "variable"), "")
                )
            found.append(_complaint("decision_external", path, where.get("id"), dmn.line_of(node), kind=kind[:20], name=name[:60]))
    return lines, found[:50]


def _holder(node: etree._Element) -> etree._Element:
    """Return the innermost decision, knowledge model or rule around a node, else the node."""
    for holder in (node, *node.iterancestors()):
        if etree.QName(holder).localname in ("rule", "decision", "businessKnowledgeModel") and holder.get("id"):
            return holder
    return node


def _model(path: str, model: feel.Model, lines: Mapping[str, int | None]) -> Iterator[checking.Complaint]:
    """Look at the expressions and tables of one model."""
    boxes = {element.name: (element, list(analysis.tables(element.logic))) for element in model.elements}
    for problem in model.problems[:50]:
        element, found = boxes.get(problem.decision or "", (None, []))
        place = _place(problem.expression, found) or (element.id if element else None)
        yield _complaint(
            "decision_expression",
            path,
            place if place in lines else None,
            lines.get(place or ""),
            where=problem.decision or "",
            text=(problem.expression or "")[:60],
            reason=problem.message,
        )
    for name, functions in model.unknown_functions.items():
        element = boxes[name][0]
        for function in sorted(functions - checking.HOST_FUNCTIONS):
            yield _complaint(
                "decision_function", path, element.id if element else None, lines.get(element.id if element else ""), where=name, name=function
            )
    for element, found in boxes.values():
        for table in found:
            for finding in analysis.analyse(table, model):
                yield _finding(path, finding, table, element.id, lines)


def _place(text: str | None, tables: Sequence[dmn.TableBox]) -> str | None:
    """Return the id of the first rule that has a cell with this text."""
    for table in tables:
        for identifier, (tests, results) in zip(table.rule_ids, table.rules, strict=True):
            if text is not None and (text in tests or text in results):
                return identifier or None
    return None


def _finding(path: str, finding: analysis.Finding, table: dmn.TableBox, decision: str, lines: Mapping[str, int | None]) -> checking.Complaint:
    """Say what is odd about a table."""
    code = {
        "overlap": "table_overlap",
        "conflict": "table_conflict",
        "gap": "table_gap",
        "never": "table_never",
        "unreachable": "table_unreachable",
        "not listed": "table_not_listed" if table.hit_policy in _RANKED else "table_not_in_values",
        "no order": "table_no_order",
        "type": "table_type",
        "nothing": "table_nothing",
        "aggregation": "table_aggregation",
        "too large": "table_too_large",
    }[finding.kind]
    identifier = table.rule_ids[finding.rules[-1] - 1] if finding.rules else table.id
    element = next((each for each in (identifier, table.id, decision) if each in lines), None)
    fields: dict[str, Any] = {"region": finding.text[:200] or "-", "column": finding.column[:60] or "-", "text": finding.text[:60] or "-"}
    if finding.rules:
        fields |= {"one": finding.rules[0], "other": finding.rules[-1]}
    level = "warning" if finding.kind in ("overlap", "conflict") and not finding.is_sure else ""
    return _complaint(code, path, element, lines.get(element or ""), level, **fields)


def _tasks(files: Mapping[str, bytes], models: Mapping[str, feel.Model], known: frozenset[str]) -> Iterator[checking.Complaint]:
    """Look at the business rule tasks of the diagrams: what they decide, what they give, where the result goes."""
    used: set[str] = set()
    diagrams = 0
    for path, root in reading.diagrams(files):
        diagrams += 1
        for node in root.iter(f"{{{BPMN}}}businessRuleTask"):
            yield from _task(path, node, files, models, known, used)
    if diagrams:
        used |= {reading.decision_key(path) for path in _imported(files)}
        for key in models:
            if key not in used:
                yield _complaint("decision_unused", f"decisions/{key}.dmn")


def _imported(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the tables that another one imports."""
    namespaces: dict[str, str] = {}
    wanted: set[str] = set()
    for path, xml in reading.tables(files).items():
        try:
            definitions = dmn.read_xml(xml)
        except feel.ModelRefused:
            continue
        namespaces[definitions.namespace] = path
        wanted |= {namespace for _, namespace in definitions.imports}
    yield from (path for namespace, path in namespaces.items() if namespace in wanted)


def _task(
    path: str, node: etree._Element, files: Mapping[str, bytes], models: Mapping[str, feel.Model], known: frozenset[str], used: set[str]
) -> Iterator[checking.Complaint]:
    """Look at one business rule task."""

    def at(code: str, **fields: Any) -> checking.Complaint:
        return _complaint(code, path, node.get("id"), dmn.line_of(node), **fields)

    asked = extensions(node, "decision")
    if len(asked) != 1:
        return  # the checks of diagrams say so
    key, name = asked[0].get("decision", ""), asked[0].get("name", "")
    used.add(key)
    if not key or not name:
        return
    inputs = [(entry.get("name", ""), entry.get("expression", "")) for entry in asked[0].findall(f"{{{PS}}}input")]
    given = [input_name for input_name, _ in inputs]
    if any(not input_name or not text.strip() for input_name, text in inputs):
        yield at("decision_input_empty")
    for twice in sorted({input_name for input_name in given if given.count(input_name) > 1}):
        yield at("decision_input_twice", input=twice[:60])
    if f"decisions/{key}.dmn" not in files:
        yield at("decision_file_missing", key=key[:60])
    model = models.get(key)
    if model is None:
        return
    found = model.named(name)
    if found is None:
        yield at("decision_missing", key=key[:60], name=name[:60], known="、".join([*model.decisions, *model.services][:10]))
        return
    required, free, _functions = model.needs(found)
    if found not in (*model.decisions, *model.services):
        return
    # An input of an imported model is given as `import.input`, inside a context under the import's name, or by its own name.
    wanted = {part for each in required for part in (each, each.split(".", 1)[0], each.rsplit(".", 1)[-1])}
    for each in required:
        if not {each, each.split(".", 1)[0], each.rsplit(".", 1)[-1]} & set(given):
            yield at("decision_input_missing", name=found, input=each)
    for each in sorted(free - known - set(given)):
        yield at("decision_input_missing", name=found, input=each)
    for each in given:
        if each and each not in wanted | free:
            yield at("decision_input_unknown", name=found, input=each[:60])


def _examples(files: Mapping[str, bytes], models: Mapping[str, feel.Model], *, is_binding: bool) -> Iterator[checking.Complaint]:
    """Run the examples kept with the tables."""
    ends = time.thread_time() + 2 * EXAMPLE_SECONDS
    for path, content in sorted(files.items()):
        if not (path.startswith("decisions/") and path.endswith(".examples.json")):
            continue
        key = path[len("decisions/") : -len(".examples.json")]
        if f"decisions/{key}.dmn" not in files:
            yield _complaint("examples_without_table", path, key=key)
            continue
        try:
            examples = read_examples(content)
            results = run_examples(models[key], examples) if key in models and time.thread_time() < ends else []
        except UnreadableExamples as error:
            yield _complaint("examples_unreadable", path, reason=error.reason)
            continue
        for result in results:
            if result.error is not None:
                yield _complaint("example_error", path, level="error" if is_binding else "", name=result.name, reason=result.error[:200])
            elif not result.is_ok:
                yield _complaint(
                    "example_failed",
                    path,
                    level="error" if is_binding else "",
                    name=result.name,
                    expected=text(result.expected),
                    got=text(result.got),
                )


def text(value: Any) -> str:
    """Return a value in wire form as a person reads it, cut after 100 characters."""
    environment = feel.Environment(now=datetime.fromisoformat(EXAMPLE_NOW))
    try:
        written = feel.evaluate("string([value])", {"value": value}, environment)
    except feel.FeelError:
        written = None
    return str(written)[1:-1][:100] if isinstance(written, str) else json.dumps(value, ensure_ascii=False)[:100]
