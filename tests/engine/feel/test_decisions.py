"""Decision models: tables with every hit policy, boxed expressions, types, services, imports, and refusals."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from xml.sax.saxutils import escape, quoteattr

import pytest

from engine.feel import DecisionFailed, FeelError, LimitExceeded, ModelRefused, NullExplained, decisions, to_wire

NAMESPACE = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def model(*elements, namespace="urn:test", standard=NAMESPACE):
    """Return a model with these elements."""
    return read_text(*elements, namespace=namespace, standard=standard).encode()


def read_text(*elements, namespace="urn:test", standard=NAMESPACE):
    return f'<definitions xmlns="{standard}" name="Test" namespace="{namespace}">{"".join(elements)}</definitions>'


def attributes(**values):
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value is not None)


def literal(text, type_ref=None):
    return f"<literalExpression{attributes(typeRef=type_ref)}><text>{escape(text)}</text></literalExpression>"


def given(name, type_ref=None):
    variable = f"<variable{attributes(name=name, typeRef=type_ref)}/>"
    return f'<inputData id="i_{name}" name={quoteattr(name)}>{variable}</inputData>'


def decision(name, logic, requires=(), type_ref=None):
    """Return a decision; `requires` are ids with a letter for the kind: i, d, k, s."""
    needed = {
        "i": ("informationRequirement", "requiredInput"),
        "d": ("informationRequirement", "requiredDecision"),
        "k": ("knowledgeRequirement", "requiredKnowledge"),
        "s": ("knowledgeRequirement", "requiredKnowledge"),
    }
    requirements = ""
    for reference in requires:
        outer, inner = needed[reference.rpartition("#")[2][0]]
        href = reference if "#" in reference else f"#{reference}"
        requirements += f"<{outer}><{inner}{attributes(href=href)}/></{outer}>"
    variable = f"<variable{attributes(name=name, typeRef=type_ref)}/>"
    return f'<decision id="d_{name}" name={quoteattr(name)}>{variable}{requirements}{logic}</decision>'


def table(policy, inputs, outputs, rules, aggregation=None):
    """Return a decision table; an input is (expression, type, values), an output (name, type, values, default)."""
    xml = ""
    for expression, type_ref, values in inputs:
        allowed = f"<inputValues><text>{escape(values)}</text></inputValues>" if values else ""
        text = f"<inputExpression{attributes(typeRef=type_ref)}><text>{escape(expression)}</text></inputExpression>"
        xml += f"<input>{text}{allowed}</input>"
    for name, type_ref, values, default in outputs:
        inner = f"<outputValues><text>{escape(values)}</text></outputValues>" if values else ""
        inner += f"<defaultOutputEntry><text>{escape(default)}</text></defaultOutputEntry>" if default else ""
        xml += f"<output{attributes(name=name, typeRef=type_ref)}>{inner}</output>"
    for tests, results in rules:
        cells = "".join(f"<inputEntry><text>{escape(test)}</text></inputEntry>" for test in tests)
        cells += "".join(f"<outputEntry><text>{escape(result)}</text></outputEntry>" for result in results)
        xml += f"<rule>{cells}</rule>"
    return f"<decisionTable{attributes(hitPolicy=policy, aggregation=aggregation)}>{xml}</decisionTable>"


def simple(policy, rules, aggregation=None, values=None, default=None):
    """Return a model of one table of one input `x` and one output."""
    logic = table(policy, [("x", None, None)], [("r", None, values, default)], rules, aggregation)
    return decisions.read(model(given("x"), decision("d", logic, ["i_x"])))


OVERLAP = [(["> 0"], ["1"]), (["> 5"], ["2"]), (["> 7"], ["2"]), (["> 100"], ["3"])]
LEVELS = [(["> 0"], ['"low"']), (["> 5"], ['"high"']), (["> 7"], ['"middle"'])]


@pytest.mark.parametrize(
    ("policy", "aggregation", "x", "result"),
    [
        ("UNIQUE", None, 3, 1),
        (None, None, 3, 1),
        ("UNIQUE", None, -1, None),
        ("ANY", None, -1, None),
        ("FIRST", None, 8, 1),
        ("FIRST", None, -1, None),
        ("RULE ORDER", None, 8, [1, 2, 2]),
        ("RULE ORDER", None, -1, []),
        ("COLLECT", None, 8, [1, 2, 2]),
        ("COLLECT", None, -1, []),
        ("COLLECT", "SUM", 8, 5),
        ("COLLECT", "MIN", 8, 1),
        ("COLLECT", "MAX", 8, 2),
        ("COLLECT", "COUNT", 8, 3),
        ("COLLECT", "COUNT", -1, 0),
        ("COLLECT", "SUM", -1, None),
        ("COLLECT", "MAX", -1, None),
        ("UNIQUE", None, None, None),
    ],
)
def test_hit_policies(environment, policy, aggregation, x, result):
    assert simple(policy, OVERLAP, aggregation).decide("d", {"x": x}, environment) == result


@pytest.mark.parametrize(
    ("policy", "x", "result"),
    [
        ("PRIORITY", 8, "high"),
        ("OUTPUT ORDER", 8, ["high", "middle", "low"]),
        ("PRIORITY", 3, "low"),
        ("PRIORITY", 0, None),
        ("OUTPUT ORDER", 0, []),
    ],
)
def test_policies_by_the_order_of_output_values(environment, policy, x, result):
    found = simple(policy, LEVELS, values='"high", "middle", "low"').decide("d", {"x": x}, environment)
    assert found == result


def test_priority_needs_output_values(environment):
    with pytest.raises(DecisionFailed) as caught:
        simple("PRIORITY", LEVELS).decide("d", {"x": 8}, environment)
    assert caught.value.decision == "d"


def test_unique_with_two_hits_is_an_error_that_names_the_rules(environment):
    with pytest.raises(DecisionFailed) as caught:
        simple("UNIQUE", OVERLAP).decide("d", {"x": 8}, environment)
    assert (caught.value.message, caught.value.decision) == ("UNIQUE, but rules 1 and 2 and 3 match", "d")
    reasons = []
    assert simple("UNIQUE", OVERLAP).decide("d", {"x": 8}, environment, strict=False, reasons=reasons) is None
    assert (reasons[0].kind, reasons[0].decision) == ("failed", "d")


def test_any_wants_equal_results(environment):
    assert simple("ANY", OVERLAP[1:3]).decide("d", {"x": 8}, environment) == 2
    with pytest.raises(DecisionFailed, match="rules 1 and 2 give different results"):
        simple("ANY", OVERLAP).decide("d", {"x": 8}, environment)


@pytest.mark.parametrize(("policy", "default"), [("UNIQUE", "9"), ("COLLECT", "9"), ("PRIORITY", "9"), ("FIRST", "x * 2")])
def test_a_default_is_given_when_nothing_matches(environment, policy, default):
    found = simple(policy, OVERLAP, default=default).decide("d", {"x": -1}, environment)
    assert found == (-2 if "x" in default else 9)


def several(policy, aggregation=None):
    inputs = [("age", "number", None), ("kind", "string", '"maternal","newborn"')]
    outputs = [("level", "string", '"county","city"', '"none"'), ("days", "number", None, None)]
    rules = [
        ([">= 18", '"maternal"'], ['"city"', "3"]),
        (["-", '"newborn"'], ['"county"', "7"]),
        (["< 1", "-"], ['"county"', "5"]),
        (["", 'not("newborn")'], ['"city"', "30"]),
    ]
    logic = table(policy, inputs, outputs, rules, aggregation)
    return decisions.read(model(given("age"), given("kind"), decision("d", logic, ["i_age", "i_kind"])))


def test_several_inputs_and_outputs(environment):
    assert several("FIRST").decide("d", {"age": 30, "kind": "maternal"}, environment) == {"level": "city", "days": 3}
    assert several("RULE ORDER").decide("d", {"age": 0, "kind": "newborn"}, environment) == [
        {"level": "county", "days": 7},
        {"level": "county", "days": 5},
    ]
    ranked = several("OUTPUT ORDER").decide("d", {"age": 0, "kind": "maternal"}, environment)
    assert [each["level"] for each in ranked] == ["county", "city"]
    assert several("COLLECT", "COUNT").decide("d", {"age": 0, "kind": "newborn"}, environment) == 2


def test_defaults_of_several_outputs(environment):
    logic = table("UNIQUE", [("x", None, None)], [("a", None, None, "1"), ("b", None, None, None)], [(["> 1"], ["2", "3"])])
    found = decisions.read(model(given("x"), decision("d", logic, ["i_x"]))).decide("d", {"x": 0}, environment)
    assert found == {"a": 1, "b": None}


def test_an_input_that_is_not_allowed_is_an_error(environment):
    with pytest.raises(DecisionFailed, match="input 'kind' is not allowed"):
        several("FIRST").decide("d", {"age": 1, "kind": "other"}, environment)


def test_an_input_of_the_wrong_type_is_an_error(environment):
    logic = literal("x + 1")
    sound = decisions.read(model(given("x", "number"), decision("d", logic, ["i_x"])))
    assert sound.decide("d", {"x": 1}, environment) == 2
    assert sound.decide("d", {"x": [1]}, environment) == 2
    with pytest.raises(FeelError) as caught:
        sound.decide("d", {"x": "1"}, environment)
    assert (caught.value.kind, caught.value.decision) == ("wrong type", "d")
    with pytest.raises(NullExplained) as missing:
        sound.decide("d", {}, environment)
    assert (missing.value.kind, missing.value.expression, missing.value.position) == (
        "variable not found",
        "x + 1",
        (0, 1),
    )


def test_dates_and_the_environment_in_a_table(environment):
    rules = [(["< today()"], ['"late"']), (['[today()..today() + duration("P2D")]'], ['"soon"']), (["-"], ['"later"'])]
    logic = table("FIRST", [("due", "date", None)], [("r", "string", None, None)], rules)
    sound = decisions.read(model(given("due", "date"), decision("d", logic, ["i_due"])))
    for day, result in [(21, "late"), (22, "soon"), (24, "soon"), (25, "later")]:
        assert sound.decide("d", {"due": to_wire(date(2026, 11, day))}, environment) == result
    assert sound.inputs == {"due": "date"}


def test_names_of_the_environment_are_seen_and_told(environment):
    rules = [(["> notify_facility_h"], ['"late"']), (["-"], ['"in time"'])]
    sound = decisions.read(
        model(
            given("hours"),
            decision("d", table("FIRST", [("hours", None, None)], [("", None, None, None)], rules), ["i_hours"]),
        )
    )
    assert sound.unknown_names == {"d": {"notify_facility_h"}}
    assert sound.decide("d", {"hours": 3}, replace(environment, names={"notify_facility_h": 2})) == "late"
    with pytest.raises(NullExplained):
        sound.decide("d", {"hours": 3}, environment)


def test_what_was_decided_before_does_not_stand_in_for_a_decision(environment):
    sound = decisions.read(model(given("x"), decision("a", literal("x + 1"), ["i_x"]), decision("b", literal("a * 2"), ["d_a"])))
    assert sound.decide("b", {"x": 1, "a": 100, "b": 100}, environment) == 4


def test_a_decision_is_computed_once(environment):
    calls = []
    lent = replace(environment, functions={"tick": lambda: calls.append(1) or len(calls)})
    sound = decisions.read(
        model(
            decision("a", literal("tick()")),
            decision("b", literal("a"), ["d_a"]),
            decision("c", literal("a"), ["d_a"]),
            decision("d", literal("[a, b, c]"), ["d_a", "d_b", "d_c"]),
        )
    )
    assert sound.decide("d", {}, lent) == [1, 1, 1]
    assert sound.decisions == ("a", "b", "c", "d")


def test_names_with_symbols_are_read_where_they_are_declared(environment):
    sound = decisions.read(
        model(
            given("pre-tax income"),
            given("pre"),
            decision("net/gross", literal("pre-tax income * 0.8"), ["i_pre-tax income"]),
            decision("difference", literal("pre-tax"), ["i_pre"]),
            decision("all", literal("{pre-tax: 1, r: pre-tax}.pre-tax + net/gross"), ["d_net/gross"]),
        )
    )
    assert sound.decide("all", {"pre-tax income": 100}, environment) == 81
    assert sound.unknown_names == {"difference": {"tax"}}


def test_boxed_context_and_relation(environment):
    entries = (
        f'<contextEntry><variable name="double" typeRef="number"/>{literal("x * 2")}</contextEntry>'
        f'<contextEntry><variable name="rows"/><relation><column name="who"/><column name="n" typeRef="number"/>'
        f"<row>{literal(chr(34) + 'a' + chr(34))}{literal('double')}</row></relation></contextEntry>"
    )
    result = f"<contextEntry>{literal('rows[n > 1].who')}</contextEntry>"
    sound = decisions.read(
        model(
            given("x"),
            decision("whole", f"<context>{entries}</context>", ["i_x"]),
            decision("last", f"<context>{entries}{result}</context>", ["i_x"]),
        )
    )
    assert sound.decide("whole", {"x": 3}, environment) == {"double": 6, "rows": [{"who": "a", "n": 6}]}
    assert sound.decide("last", {"x": 3}, environment) == ["a"]


def test_boxed_conditional_filter_and_loops(environment):
    def loop(keyword, body):
        inner = "return" if keyword == "for" else "satisfies"
        return f'<{keyword} iteratorVariable="n"><in>{literal("xs")}</in><{inner}>{body}</{inner}></{keyword}>'

    sound = decisions.read(
        model(
            given("xs"),
            decision(
                "if",
                f"<conditional><if>{literal('count(xs) > 1')}</if><then>{literal('1')}</then><else>{literal('2')}</else></conditional>",
                ["i_xs"],
            ),
            decision("filter", f"<filter><in>{literal('xs')}</in><match>{literal('item > 1')}</match></filter>", ["i_xs"]),
            decision("nth", f"<filter><in>{literal('xs')}</in><match>{literal('-1')}</match></filter>", ["i_xs"]),
            decision("for", loop("for", literal("n * 2")), ["i_xs"]),
            decision("running", loop("for", literal("count(partial)")), ["i_xs"]),
            decision("some", loop("some", literal("n > 2")), ["i_xs"]),
            decision("every", loop("every", literal("n > 2")), ["i_xs"]),
            decision("list", f"<list>{literal('1')}{literal('xs')}</list>", ["i_xs"]),
        )
    )
    found = {name: sound.decide(name, {"xs": [1, 2, 3]}, environment) for name in sound.decisions}
    assert found == {
        "if": 1,
        "filter": [2, 3],
        "nth": 3,
        "for": [2, 4, 6],
        "running": [0, 1, 2],
        "some": True,
        "every": False,
        "list": [1, [1, 2, 3]],
    }


def knowledge(name, parameters, body, type_ref=None, requires=""):
    formal = "".join(f"<formalParameter{attributes(name=key, typeRef=kind)}/>" for key, kind in parameters)
    return (
        f'<businessKnowledgeModel id="k_{name}" name="{name}"><variable{attributes(name=name, typeRef=type_ref)}/>'
        f"<encapsulatedLogic>{formal}{body}</encapsulatedLogic>{requires}</businessKnowledgeModel>"
    )


def test_knowledge_models_and_invocations(environment):
    binding = f'<binding><parameter name="b"/>{literal("2")}</binding><binding><parameter name="a"/>{literal("10")}</binding>'
    sound = decisions.read(
        model(
            knowledge("minus", [("a", "number"), ("b", "number")], literal("a - b"), "number"),
            knowledge("factorial", [("n", "number")], literal("if n < 2 then 1 else n * factorial(n - 1)")),
            knowledge("count", [("n", None)], literal('"mine"')),
            decision("literal", literal("minus(5, 3) + minus(b: 1, a: 2)"), ["k_minus"]),
            decision("boxed", f"<invocation>{literal('minus')}{binding}</invocation>", ["k_minus"]),
            decision(
                "builtin",
                f"<invocation>{literal('modulo')}<binding><parameter name='dividend'/>{literal('7')}</binding>"
                f"<binding><parameter name='divisor'/>{literal('4')}</binding></invocation>",
            ),
            decision("recursive", literal("factorial(5)"), ["k_factorial"]),
            decision("own", literal("count([1, 2])"), ["k_count"]),
            decision("wrong", literal('minus("a", 1)'), ["k_minus"]),
        )
    )
    assert sound.problems == ()
    assert sound.decide("literal", {}, environment) == 3
    assert sound.decide("boxed", {}, environment) == 8
    assert sound.decide("builtin", {}, environment) == 3
    assert sound.decide("recursive", {}, environment) == 120
    assert sound.decide("own", {}, environment) == "mine"
    assert sound.decide("minus", {"a": 3, "b": 1}, environment) == 2
    with pytest.raises(NullExplained) as caught:
        sound.decide("wrong", {}, environment)
    assert (caught.value.kind, caught.value.decision) == ("wrong arguments", "wrong")


def test_services(environment):
    service = (
        '<decisionService id="s_risk" name="risk"><variable name="risk" typeRef="number"/>'
        '<outputDecision href="#d_score"/><inputDecision href="#d_base"/><inputData href="#i_x"/></decisionService>'
    )
    sound = decisions.read(
        model(
            given("x", "number"),
            decision("base", literal("1000")),
            service,
            decision("score", literal("base + x"), ["d_base", "i_x"]),
            decision("use", literal("risk(1, 2) + risk(base: 10, x: 5)"), ["s_risk"]),
        )
    )
    assert sound.services == ("risk",)
    assert sound.decide("use", {}, environment) == 18
    assert sound.decide("risk", {"x": 1, "base": 2}, environment) == 3


TYPES = """
<itemDefinition name="tLevel"><typeRef>string</typeRef>
 <allowedValues><text>"low","high"</text></allowedValues></itemDefinition>
<itemDefinition name="tLevels" isCollection="true"><typeRef>tLevel</typeRef></itemDefinition>
<itemDefinition name="tMother"><itemComponent name="age"><typeRef>number</typeRef></itemComponent>
 <itemComponent name="levels"><typeRef>tLevels</typeRef></itemComponent></itemDefinition>
<itemDefinition name="tSmall"><typeRef>number</typeRef>
 <typeConstraint><text>&lt; 10</text></typeConstraint></itemDefinition>
<itemDefinition name="tDay"><typeRef>date and time</typeRef></itemDefinition>
"""


@pytest.mark.parametrize(
    ("type_ref", "text", "result"),
    [
        ("tLevel", '"low"', "low"),
        ("tLevel", '"middle"', "error"),
        ("tLevel", "1", "error"),
        ("tLevel", '["high"]', "high"),
        ("tLevels", '"low"', ["low"]),
        ("tLevels", '["low", "high"]', ["low", "high"]),
        ("tLevels", '["low", "other"]', "error"),
        ("tMother", '{age: 30, levels: ["low"], more: 1}', {"age": 30, "levels": ["low"], "more": 1}),
        ("tMother", "{age: 30}", "error"),
        ("tMother", '{age: "30", levels: []}', "error"),
        ("tMother", "{age: null, levels: null}", {"age": None, "levels": None}),
        ("tSmall", "9", 9),
        ("tSmall", "10", "error"),
        ("tDay", '@"2026-11-22"', {"$": "dt", "v": "2026-11-22T00:00:00Z"}),
        ("string", "null", None),
        ("Any", "1", 1),
        ("dateTime", '@"2026-11-22"', {"$": "dt", "v": "2026-11-22T00:00:00Z"}),
        ("feel:number", "[5]", 5),
    ],
)
def test_types(environment, type_ref, text, result):
    sound = decisions.read(model(TYPES, decision("d", literal(text), type_ref=type_ref)))
    if result != "error":
        assert sound.decide("d", {}, environment) == result
        return
    with pytest.raises(NullExplained) as caught:
        sound.decide("d", {}, environment)
    assert (caught.value.kind, caught.value.decision) == ("wrong type", "d")
    assert sound.decide("d", {}, environment, strict=False) is None


def test_instance_of_a_type_of_the_model(environment):
    text = '["low" instance of tLevel, "other" instance of tLevel, 1 instance of tLevel, {age: 1} instance of tMother]'
    found = decisions.read(model(TYPES, decision("d", literal(text)))).decide("d", {}, environment)
    assert found == [True, True, False, False]


def test_imports(environment):
    library = decisions.read(
        model(
            given("x"),
            decision("plus one", literal("x + 1"), ["i_x"]),
            knowledge("twice", [("n", "number")], literal("n * 2")),
            namespace="urn:library",
        )
    )
    text = '<import namespace="urn:library" name="lib" importType="x"/>'
    main = decisions.read(
        model(
            text,
            given("x"),
            decision(
                "d",
                literal("lib.plus one + lib.twice(10) + x"),
                ["urn:library#d_plus one", "urn:library#k_twice", "i_x"],
            ),
        ),
        [library],
    )
    assert main.problems == ()
    assert main.decide("d", {"x": 100, "lib": {"x": 1}}, environment) == 122
    assert main.decide("d", {"x": 100}, environment) == 221
    with pytest.raises(ModelRefused, match="'lib' is missing"):
        decisions.read(model(text))


def test_a_text_that_is_not_feel_is_a_problem_of_the_model_and_an_error_of_its_decision(environment):
    unsound = decisions.read(
        model(
            decision("good", literal("1")),
            decision("bad", literal("1 +")),
            decision("worse", literal("bad"), ["d_bad"]),
            decision("typed", literal("1"), type_ref="tNowhere"),
            decision("lost", literal("1"), ["d_nowhere"]),
        )
    )
    assert [(problem.decision, problem.kind) for problem in unsound.problems] == [
        (None, "model"),
        ("lost", "model"),
        ("bad", "syntax"),
    ]
    assert unsound.decide("good", {}, environment) == 1
    with pytest.raises(FeelError) as caught:
        unsound.decide("worse", {}, environment)
    assert (caught.value.decision, caught.value.expression, caught.value.position) == ("bad", "1 +", (3, 3))
    reasons = []
    assert unsound.decide("worse", {}, environment, strict=False, reasons=reasons) is None
    assert reasons[0].decision == "bad"


def test_decisions_that_are_not_there(environment):
    sound = decisions.read(model(given("x"), decision("d", literal("1"))))
    for name in ("nowhere", "x"):
        with pytest.raises(DecisionFailed) as caught:
            sound.decide(name, {}, environment)
        assert caught.value.decision == name


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (b"", "broken"),
        (b"<definitions", "broken"),
        (b"<html/>", "not the definitions"),
        (read_text(standard="urn:other").encode(), "not the definitions"),
        (b'<!DOCTYPE definitions [<!ENTITY a "b">]>' + model(), "document type"),
        (b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 9000 + b'"><!ENTITY c "' + b"&b;" * 999 + b'">]><a>&c;</a>', "broken"),
        (b"<!-- -->" * 200_000, "larger than"),
        (model(given("a"), given("a")), "given twice"),
        (model(decision("d", "") + decision("e", "").replace("d_e", "d_d")), "'d_d' is given twice"),
        (model('<inputData id="x"/>'), "an input without a name"),
        (model(decision("d", table("NONSENSE", [], [("r", None, None, None)], []))), "hit policy 'NONSENSE'"),
        (model(decision("d", table("COLLECT", [], [("r", None, None, None)], [], "AVERAGE"))), "aggregation 'AVERAGE'"),
        (model(decision("d", table("FIRST", [], [("r", None, None, None)], [], "SUM"))), "aggregation 'SUM'"),
        (model(decision("d", table("FIRST", [], [], []))), "without an output"),
        (model(decision("d", table("FIRST", [], [("a", None, None, None)] * 2, []))), "names of their own"),
        (model(decision("d", table("FIRST", [("x", None, None)], [("a", None, None, None)], [([], ["1"])]))), "rule 1"),
        (model(decision("d", '<functionDefinition kind="Java"/>')), "kind Java is refused"),
        (
            model(decision("d", '<context><contextEntry><functionDefinition kind="PMML"/></contextEntry></context>')),
            "kind PMML",
        ),
        (
            model(decision("d", '<literalExpression expressionLanguage="urn:python"><text>1</text></literalExpression>')),
            "language",
        ),
        (model(decision("a", literal("b"), ["d_b"]), decision("b", literal("a"), ["d_a"])), "requires itself"),
        (
            model(
                '<itemDefinition name="a"><typeRef>b</typeRef></itemDefinition>',
                '<itemDefinition name="b"><typeRef>a</typeRef></itemDefinition>',
            ),
            "refines itself",
        ),
        (model(*(given(f"x{i}") for i in range(2001))), "more than 2000"),
        (model("<decision name='d'>" + "<list>" * 300 + "</list>" * 300 + "</decision>"), ""),
        (model(*(decision(f"d{i}", literal("+".join("1" * 9000))) for i in range(12))), "too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_that_are_refused(xml, message):
    with pytest.raises(ModelRefused) as caught:
        decisions.read(xml)
    assert message in str(caught.value)


def test_a_refusal_names_its_decision():
    with pytest.raises(ModelRefused) as caught:
        decisions.read(model(decision("boxed risk", '<functionDefinition kind="Java"/>')))
    assert caught.value.decision == "boxed risk"
    assert str(caught.value) == "boxed risk: a function of kind Java is refused"


def test_an_external_function_in_a_text_is_a_problem():
    unsound = decisions.read(model(decision("d", literal('function(a) external {java: {class: "java.lang.Math"}}'))))
    assert [problem.message for problem in unsound.problems] == ["external functions are refused"]


@pytest.mark.parametrize(
    "standard",
    ["http://www.omg.org/spec/DMN/20151101/dmn.xsd", NAMESPACE, "https://www.omg.org/spec/DMN/20230324/MODEL/"],
)
def test_versions_of_the_standard(environment, standard):
    assert decisions.read(model(decision("d", literal("1")), standard=standard)).decide("d", {}, environment) == 1


def test_a_decision_has_one_budget(environment):
    endless = decisions.read(
        model(
            decision("a", literal("count(for i in 1..40000 return i)")),
            *(decision(name, literal("count(for i in 1..20000 return i)")) for name in "bcdef"),
            decision("all", literal("1"), ["d_a", "d_b", "d_c", "d_d", "d_e", "d_f"]),
            knowledge("g", [("n", None)], literal("g(n + 1)")),
            decision("deep", literal("g(1)"), ["k_g"]),
        )
    )
    assert endless.decide("b", {}, environment) == 20000
    for name in ("all", "deep"):
        for strict in (True, False):
            with pytest.raises(LimitExceeded):
                endless.decide(name, {}, environment, strict=strict)


def test_one_model_decides_in_many_threads(environment):
    sound, start = several("FIRST"), threading.Barrier(8)

    def work(age):
        start.wait()
        return {sound.decide("d", {"age": age, "kind": "maternal"}, environment)["days"] for _ in range(100)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, [30, 0] * 4)) == [{3}, {5}] * 4
