"""Whatever is in the files of a procedure, the checks, the offers and the reader answer within a second, in little memory, without an exception."""

from __future__ import annotations

import resource
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from engine.workflow import bounds, checking, flows, form_checks, kinds, library, mending, reading, translating
from tests.engine.workflow.test_checking import BPMN, ENDS, FIT, FORM, MAIN, MANIFEST, drawn, flow, step

SECONDS, BYTES = 2.0, 64_000_000  # a second on a quiet machine; the measuring itself doubles it


def chain(count: int) -> str:
    """Draw tasks in a row."""
    nodes = "".join(f'<userTask id="t{place}"/>' for place in range(count))
    return ENDS + nodes + flow("s", "t0") + "".join(flow(f"t{place}", f"t{place + 1}") for place in range(count - 1)) + flow(f"t{count - 1}", "e")


def blocks(count: int, wide: int) -> str:
    """Draw parallel blocks in a row."""
    text, last = ENDS, "s"
    for block in range(count):
        text += f'<parallelGateway id="g{block}"/><parallelGateway id="j{block}"/>' + flow(last, f"g{block}")
        for branch in range(wide):
            text += f'<userTask id="t{block}_{branch}"/>' + flow(f"g{block}", f"t{block}_{branch}") + flow(f"t{block}_{branch}", f"j{block}")
        last = f"j{block}"
    return text + flow(last, "e")


def mesh(count: int) -> str:
    """Join every gateway with every other."""
    gateways = "".join(f'<exclusiveGateway id="g{place}"/>' for place in range(count))
    links = "".join(
        f'<sequenceFlow id="f{a}_{b}" sourceRef="g{a}" targetRef="g{b}"><conditionExpression>x = {b}</conditionExpression></sequenceFlow>'
        for a in range(count)
        for b in range(count)
        if a != b
    )
    return ENDS + gateways + links + flow("s", "g0") + flow("g1", "e")


def nested(count: int) -> str:
    """Put parts into one another."""
    inner = step("deep")
    for level in range(count):
        inner = f'<subProcess id="p{level}"><startEvent id="a{level}"/>{inner}<endEvent id="z{level}"/></subProcess>'
    return ENDS + inner


def called(count: int) -> bytes:
    """Let processes call one another in circles."""
    text = "".join(
        f'<process id="m{place}" isExecutable="true"><startEvent id="s{place}"/><callActivity id="c{place}" calledElement="m{(place + 1) % count}"/>'
        f'<callActivity id="k{place}" calledElement="m{place * 7 % count}"/><endEvent id="e{place}"/>'
        f"{flow(f's{place}', f'c{place}')}{flow(f'c{place}', f'k{place}')}{flow(f'k{place}', f'e{place}')}</process>"
        for place in range(count)
    )
    return f'<definitions xmlns="{BPMN}">{text}</definitions>'.encode()


def process(body: str) -> bytes:
    """Make a diagram of one process."""
    return drawn(f'<process id="main" isExecutable="true">{body}</process>').encode()


def one_condition(text: str) -> bytes:
    """Make a diagram with one condition."""
    return process(ENDS + '<exclusiveGateway id="g"/><endEvent id="h"/>' + flow("s", "g") + flow("g", "e", text) + flow("g", "h", text))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "20,000 elements": lambda: process("".join(f'<task id="t{place}"/>' for place in range(20_000))),
    "a long row": lambda: process(chain(390)),
    "a row too long": lambda: process(chain(2_000)),
    "exponential": lambda: process(blocks(60, 3)),
    "wide": lambda: process(blocks(3, 100)),
    "everything with everything": lambda: process(mesh(100)),
    "parts in parts": lambda: process(nested(120)),
    "parts in parts beyond the parser": lambda: process(nested(300)),
    "calls in circles": lambda: called(100),
    "an attribute of 2 MB": lambda: process(f'<startEvent id="s" name="{"x" * 1_980_000}"/>'),
    "an id of 2 MB": lambda: process(f'<startEvent id="{"x" * 990_000}"/>'),
    "70,000 namespaces": lambda: f'<definitions xmlns="{BPMN}" {" ".join(f"""xmlns:x{n}="u{n}" """ for n in range(70_000))}/>'.encode(),
    "40,000 tags": lambda: process("<documentation/>" * 39_000),
    "flows without number": lambda: process(ENDS + '<sequenceFlow id="f" sourceRef="s" targetRef="e"/>' * 15_000),
    "lanes without number": lambda: process('<laneSet id="l">' + '<lane id="a"><flowNodeRef>b</flowNodeRef></lane>' * 9_000 + "</laneSet>" + ENDS),
    "events beside one task": lambda: process(
        ENDS
        + '<userTask id="t"/>'
        + flow("s", "t")
        + flow("t", "e")
        + "".join(f'<boundaryEvent id="b{n}" attachedToRef="t" cancelActivity="false"/>' + flow(f"b{n}", "e") for n in range(200))
    ),
    "an expression without end": lambda: one_condition("1 + " * 60_000 + "1"),
    "an expression too deep": lambda: one_condition("(" * 9_000),
    "deep expressions": lambda: one_condition("a in (" * 90 + "1" + ")" * 90),
    "many variables": lambda: process(
        ENDS
        + "".join(
            f'<scriptTask id="t{n}"><extensionElements>'
            + "".join(f'<ps:set variable="v{n}_{k}" expression="v{n}_{k} + 1"/>' for k in range(20))
            + "</extensionElements></scriptTask>"
            for n in range(300)
        )
    ),
    "a thousand million instances": lambda: process(
        ENDS
        + '<userTask id="t"><multiInstanceLoopCharacteristics><loopCardinality>1000000000</loopCardinality></multiInstanceLoopCharacteristics></userTask>'
        + flow("s", "t")
        + flow("t", "e")
    ),
    "data that the library looks for without end": lambda: process(
        ENDS
        + '<subProcess id="p"><startEvent id="a"/><userTask id="t"><dataInputAssociation><sourceRef>r</sourceRef></dataInputAssociation></userTask>'
        + '<endEvent id="z"/>'
        + flow("a", "t")
        + flow("t", "z")
        + '<dataObjectReference id="r" dataObjectRef="none"/></subProcess>'
        + flow("s", "p")
        + flow("p", "e")
    ),
    "a circle without a choice": lambda: process(
        ENDS + '<parallelGateway id="g"/><userTask id="t"/>' + flow("s", "g") + flow("g", "t") + flow("t", "g") + flow("g", "e")
    ),
    "a duration beyond counting": lambda: process(
        ENDS
        + f'<intermediateCatchEvent id="t"><timerEventDefinition><timeDuration>P{"9" * 5_000}Y</timeDuration></timerEventDefinition></intermediateCatchEvent>'
        + flow("s", "t")
        + flow("t", "e")
    ),
    "places that are no numbers": lambda: MAIN.replace('y="0"', 'y="high"', 1).replace('y="200"', 'y="nan"', 1).encode(),
    "one id for everything": lambda: process('<startEvent id="s"/><endEvent id="s"/><userTask id="s"/>' + flow("s", "s")),
    "no ids": lambda: process("<startEvent/><endEvent/><userTask/><sequenceFlow/><boundaryEvent/><callActivity/><subProcess/>"),
    "odd ids": lambda: process(
        "".join(f'<userTask id="{odd}"/>' for odd in ("../../x", "a b", "%(id)s", "{x}", "&#x202E;", "Start", "x [child]", "😀"))
    ),
    "UTF-16": lambda: process(ENDS).decode().encode("utf-16"),
    "UTF-7": lambda: b'<?xml version="1.0" encoding="UTF-7"?>+ADw-definitions/+AD4-',
    "NUL": lambda: process('<startEvent id="s\x00"/>'),
    "half a character": lambda: process('<startEvent id="s" name="&#xD800;"/>'),
    "entities": lambda: b'<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>' + process('<startEvent name="&b;"/>'),
    "nothing": lambda: b"",
}
FORMS: dict[str, bytes] = {
    "deep": b'{"id":"f","components":' + b'[{"type":"group","components":' * 5_000 + b"[]" + b"}]" * 5_000 + b"}",
    "brackets": b"[" * 300_000,
    "wide": FORM.replace('"components": [', '"components": [' + '{"type":"text","id":"a"},' * 5_000, 1).encode(),
    "a pattern that grows": FORM.replace("[0-9]{11}", "(((a{1,90}){1,90}){1,90}){1,90}").encode(),
    "a pattern that goes back and forth": FORM.replace("[0-9]{11}", "(a+)+$").encode(),
    "halves of characters": FORM.replace("年龄", "\\ud800").encode(),
    "numbers beyond numbers": FORM.replace('"min": 10', '"min": 1e999').encode(),
    "long numbers": FORM.replace('"min": 10', f'"min": {"9" * 5_000}').encode(),
    "not a number": FORM.replace('"min": 10', '"min": "sNaN"').encode(),
    "everything of another type": FORM.replace('"audience": "case"', '"audience": []').replace('"field": "age"', '"field": {}').encode(),
}


def forget() -> None:
    """Let the next check do all its work."""
    for kept in (checking._kept, kinds._checked, kinds._tree, form_checks._kept):
        kept.cache_clear()


def answer(files: dict[str, bytes]) -> set[str]:
    """Check files, see that it was quick and small, and that everything said of them can be shown."""
    forget()
    tracemalloc.start()
    before = time.process_time()
    found = checking.check(files)
    spent = time.process_time() - before
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spent < SECONDS, spent
    assert most < BYTES, most
    assert len(found) <= bounds.MAX_COMPLAINTS + 1
    for complaint in found:
        said = complaint.sentence % complaint.fields + complaint.mend % complaint.fields + str(complaint)
        assert len(said.encode()) < 3_000
    codes = {complaint.code for complaint in found}
    assert "check_failed" not in codes, [str(complaint) for complaint in found if complaint.code == "check_failed"]
    return codes


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_diagram_is_answered_in_bounds(case: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert answer({**FIT, "main.bpmn": HOSTILE[case]()})
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2 * BYTES


@pytest.mark.parametrize("case", FORMS)
def test_a_hostile_form_is_answered_in_bounds(case: str) -> None:
    answer({**FIT, "forms/f.json": FORMS[case]})


@pytest.mark.parametrize(
    "content", [b"a=" + b"[" * 9_000, b".".join([b"a"] * 9_000) + b"=1", b"\xff", b"[[a]]\n" * 3_000, MANIFEST.replace(b'"main"', b"[]")]
)
def test_a_hostile_manifest_is_answered_in_bounds(content: bytes) -> None:
    assert "manifest" in answer({**FIT, "procedure.toml": content})


def test_many_files_are_answered_in_bounds() -> None:
    answer({f"f{number}.bpmn": process(chain(3)) for number in range(300)})
    answer({f"f{number}.bpmn": process(f"<documentation>{'x' * 1_900_000}</documentation>") for number in range(3)})
    answer({f"forms/f{number}.json": FORMS["wide"] for number in range(12)})
    assert answer({f"f{number}.bpmn": b"" for number in range(500)}) == {"too_many_files"}
    assert answer({}) == {"manifest"}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_diagram_is_turned_and_read_in_bounds(case: str) -> None:
    content = HOSTILE[case]()
    before = time.process_time()
    found = translating.offers(content)
    try:
        turned = translating.turn(content)
        assert turned == content or found
    except mending.NotMended:
        pass
    try:
        reading.read({"main.bpmn": content}, "main")
    except reading.UnreadableDiagram as error:
        assert error.reason
    assert time.process_time() - before < SECONDS


@pytest.mark.parametrize("text", [blocks(2, 2), blocks(3, 3), blocks(1, 9), chain(5), MAIN])
def test_the_reckoned_growth_is_never_less_than_what_the_library_predicts(text: str) -> None:
    content = text.encode() if text.startswith("<definitions") else process(text.replace("<userTask ", '<userTask ps:role="qc_officer" '))
    files = {**FIT, "main.bpmn": content}
    found = reading.read(files, "main")
    (scope,) = [scope for scope in flows.scopes(reading.xml(content), reading.FLOW_NODES) if scope.id == "main"]
    with library.at(datetime.now(UTC)):
        predicted = len(library.Workflow(found.spec, found.parts).tasks)
    assert predicted - 3 <= flows.growth(scope)[0] < 3 * predicted + 20
