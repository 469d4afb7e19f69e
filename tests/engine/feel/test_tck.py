"""The public test kit of DMN (github.com/dmn-tck/tck), which is not part of this repository.

It is found through the environment variable PINGSHEN_TCK, or as `shared/dmn-tck` beside the repository. Without it
these tests are skipped, and say so.
"""

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path

import pytest
from lxml import etree

from engine import decision_tables
from engine.feel import Environment, FeelError, Model, ModelRefused, Wire, decisions, to_wire
from engine.feel.temporal import read_date, read_date_time, read_duration, read_time

KIT = Path(os.environ.get("PINGSHEN_TCK") or Path(__file__).resolve().parents[4] / "shared" / "dmn-tck")
SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}"
NUMERIC = {"decimal", "double", "float", "int", "integer", "long"}
READERS = {"date": read_date, "time": read_time, "dateTime": read_date_time, "duration": read_duration}

EXTERNAL_JAVA = {f"0076-feel-external-java {name}" for name in ["boxed_001", "varargs_001", *(f"literal_{number:03}" for number in range(1, 13))]}
"""Results that come from functions in Java. The model is refused when it is read."""


def children(node: etree._Element, *names: str) -> list[etree._Element]:
    return [child for child in node if isinstance(child.tag, str) and (not names or local(child) in names)]


def child(node: etree._Element, *names: str) -> etree._Element | None:
    return next(iter(children(node, *names)), None)


def local(node: etree._Element) -> str:
    return etree.QName(node).localname


def wire_value(node: etree._Element | None) -> Wire:
    """Return the value of an input, expected result, item or component."""
    if node is None:
        return None
    value, items, parts = child(node, "value"), child(node, "list"), children(node, "component")
    if items is not None:
        return None if items.get(f"{SCHEMA}nil") == "true" else [wire_value(item) for item in children(items, "item")]
    if parts:
        return {part.get("name"): wire_value(part) for part in parts}
    if value is None or value.get(f"{SCHEMA}nil") == "true":
        return None
    kind, text = (value.get(f"{SCHEMA}type") or "string").rpartition(":")[2], value.text or ""
    if kind in NUMERIC:
        return to_wire(Decimal(text.strip()))
    if kind == "boolean":
        return text.strip() in ("true", "1")
    return to_wire(READERS[kind](text.strip())) if kind in READERS else text


def number(wire: Wire) -> Decimal | None:
    if type(wire) in (int, float):
        return Decimal(repr(wire))
    return Decimal(wire["v"]) if type(wire) is dict and wire.get("$") == "n" else None


def same(wanted: Wire, found: Wire) -> bool:
    """Compare as the kit does: numbers nearly, UTC by any of its names, everything else exactly."""
    if number(wanted) is not None and number(found) is not None:
        return isclose(number(wanted), number(found), rel_tol=1e-9, abs_tol=1e-8)
    if type(wanted) is not type(found):
        return False
    if type(wanted) is list:
        return len(wanted) == len(found) and all(map(same, wanted, found))
    if type(wanted) is not dict:
        return wanted == found
    if wanted.get("$") in ("t", "dt"):
        one, other = (re.sub(r"@(Etc/)?UTC$", "Z", wire.get("v", "")) for wire in (wanted, found))
        return wanted["$"] == found.get("$") and one == other
    return wanted.keys() == found.keys() and all(same(wanted[key], found[key]) for key in wanted)


@dataclass
class Folder:
    """The models of one folder of the kit, built when they are asked for; imports are found by namespace."""

    path: Path
    roots: dict[str, tuple[bytes, etree._Element]] = field(default_factory=dict)
    built: dict[str, Model | ModelRefused] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for file in sorted(self.path.glob("*.dmn")):
            xml = file.read_bytes()
            self.roots[file.name] = xml, etree.fromstring(xml)

    def imports(self, name: str) -> dict[str, str]:
        return {node.get("namespace"): node.get("name") for node in children(self.roots[name][1], "import")}

    def model(self, name: str) -> Model:
        if name not in self.built:
            needed = [other for other, (_, root) in self.roots.items() if root.get("namespace") in self.imports(name)]
            try:
                self.built[name] = decisions.read(self.roots[name][0], [self.model(other) for other in needed])
            except ModelRefused as error:
                self.built[name] = error
        found = self.built[name]
        if isinstance(found, ModelRefused):
            raise found
        return found


def results(level: int) -> Iterator[tuple[str, Wire, Wire]]:
    """Yield a name, the result wanted and the result found, for each of a level."""
    environment = Environment(now=datetime(2026, 11, 22, 2, tzinfo=UTC), zone="Asia/Manila")
    for path in sorted((KIT / f"compliance-level-{level}").iterdir()):
        folder = Folder(path)
        for file in sorted(path.glob("*-test-*.xml")):
            root = etree.parse(file).getroot()
            name = Path(root.findtext("{*}modelName").strip()).name
            name = name if name in folder.roots else f"{name}.dmn"
            for case in children(root, "testCase"):
                given: dict[str, Wire] = {}
                for node in children(case, "inputNode"):
                    alias = folder.imports(name).get(node.get("namespace"))
                    target = given.setdefault(alias, {}) if alias else given
                    target[node.get("name")] = wire_value(node)
                for node in children(case, "resultNode"):
                    output, invoked = node.get("name"), case.get("invocableName")
                    try:
                        found = folder.model(name).decide(invoked or output, given, environment, strict=False)
                    except FeelError:
                        found = None
                    if invoked and type(found) is dict and output in found:
                        found = found[output]
                    yield f"{path.name} {output}", wire_value(child(node, "expected")), found


@pytest.fixture
def kit():
    """Skip, and say so, when the kit is not there."""
    if not (KIT / "compliance-level-3").is_dir():
        reason = "the DMN test kit is absent: set PINGSHEN_TCK, or lay it beside the repository as shared/dmn-tck"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)


@pytest.mark.filterwarnings("default:the DMN test kit is absent")
def test_level_2_is_whole(kit):
    found = list(results(2))
    assert [name for name, wanted, value in found if not same(wanted, value)] == []
    assert (len(found), sum(wanted is not None for _, wanted, _ in found)) == (126, 110)


@pytest.mark.filterwarnings("default:the DMN test kit is absent")
def test_level_3_is_whole_but_for_external_java(kit):
    found = list(results(3))
    wrong = {name for name, wanted, value in found if not same(wanted, value)}
    assert wrong == EXTERNAL_JAVA
    valued = [(name, wanted, value) for name, wanted, value in found if wanted is not None]
    assert (len(found), len(valued)) == (3369, 1916)
    assert sum(same(wanted, value) for _, wanted, value in valued) == 1916 - len(EXTERNAL_JAVA)


@pytest.mark.filterwarnings("default:the DMN test kit is absent")
def test_external_java_is_refused_by_name(kit):
    [path] = (KIT / "compliance-level-3" / "0076-feel-external-java").glob("*.dmn")
    [complaint] = decision_tables.complaints({"decisions/java.dmn": path.read_bytes()})
    assert (complaint.code, complaint.level, dict(complaint.fields)) == ("decision_external", "error", {"kind": "Java", "name": "maxDouble"})


@pytest.mark.filterwarnings("default:the DMN test kit is absent")
def test_what_is_said_of_the_tables_of_the_kit(kit):
    """The kit's tables are sound but for gaps, some of them well known: nothing overlaps that should not."""
    told = {}
    for path in sorted(KIT.glob("compliance-level-*/*/*.dmn")):
        found = decision_tables.complaints({"decisions/kit.dmn": path.read_bytes()})
        told[path.name] = [complaint for complaint in found if complaint.code.startswith("table_")]
    assert {complaint.code for complaints in told.values() for complaint in complaints} == {"table_gap"}
    assert [complaint.fields["region"] for complaint in told["0004-lending.dmn"]] == [
        'Pre-bureauRiskCategory: not("HIGH", "MEDIUM", "LOW", "VERY LOW", "DECLINE")',
        "ExistingCustomer: false; ApplicationRiskScore: 130",
    ]
