"""The English catalogue is complete, and no Chinese stands where English readers would meet it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.pofile import read_po
from jinja2 import Environment

ROOT = Path(__file__).parents[2]
PO = ROOT / "web" / "translations" / "en" / "LC_MESSAGES" / "messages.po"
TEMPLATES = sorted((ROOT / "web" / "templates").rglob("*.html"))
MODULES = sorted(path for folder in ("engine", "web") for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)
KEYWORDS = ("N_", "_l", "lazy_gettext", "lazy_pgettext:1c,2")
CALLS = ("_", "_l", "N_", "gettext", "lazy_gettext", "pgettext", "lazy_pgettext")

PLACE = re.compile(r"%\(\w+\)[a-z]|%%|\{\w+\}")
HAN = re.compile(r"[\u2e80-\u2fff\u3400-\u9fff\uf900-\ufaff]")
CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")  # Han and full-width punctuation

HAN_IN_ENGLISH: frozenset[str] = frozenset()  # msgids whose English holds Chinese on purpose
IN_TEMPLATES = {"中文"}  # the button that changes the language
IN_MODULES = {"中文", "　"}  # the same; the indent of a tree in a list
FREE_MODULES = ("cli.py", "demo/", "forms/from_schema.py")  # they speak both languages, hold made-up people, read typed dates


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="en")


def extracted() -> set[tuple[str | None, str]]:
    with (ROOT / "web" / "translations.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(
        ROOT,
        methods,
        options,
        {**DEFAULT_KEYWORDS, **parse_keywords(KEYWORDS)},
        directory_filter=lambda path: not Path(path).name.startswith((".", "_", "node_modules")),
    )
    return {(context, message) for _file, _line, message, _comments, context in found if isinstance(message, str)}


def spoken() -> Iterator[tuple[str | None, str]]:
    """Yield every literal that a Python module hands to a translating call, also where Babel does not look."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _called(node) in CALLS and all(isinstance(value, ast.Constant) for value in node.args):
                *context, message = [value.value for value in node.args if isinstance(value, ast.Constant)]
                yield (str(context[0]) if context else None), str(message)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""


def test_every_message_is_translated_and_nothing_else_is_kept(catalogue: Catalog) -> None:
    known = {(message.context, message.id) for message in catalogue if message.id}
    wanted = extracted() | set(spoken())
    assert (wanted - known, known - wanted) == (set(), set())
    assert not catalogue.obsolete


def test_each_translation_is_whole(catalogue: Catalog) -> None:
    wrong = [
        message.id
        for message in catalogue
        if message.id and (message.fuzzy or not message.string or sorted(PLACE.findall(message.id)) != sorted(PLACE.findall(message.string)))
    ]
    assert wrong == []


def test_no_translation_holds_chinese_or_what_would_end_an_attribute(catalogue: Catalog) -> None:
    wrong = [
        message.id
        for message in catalogue
        if message.id and message.id not in HAN_IN_ENGLISH and (CHINESE.search(message.string) or re.search(r'["<>&]', message.string))
    ]
    assert wrong == []


def test_the_catalogue_tells_nothing_of_who_made_it_or_where() -> None:
    text = PO.read_text("utf-8")
    head = text.split("\n\n", 1)[0]
    assert "@" not in head
    assert "Date" not in head
    assert not re.search(r"^#[:~,] .*(fuzzy|\.py|\.html)", text, re.MULTILINE)


def outside(source: str) -> Iterator[str]:
    """Yield the Chinese of a template that stands outside a translating call."""
    before: list[str] = []
    for _line, kind, value in Environment(autoescape=True).lex(source):
        if kind == "whitespace" or kind.startswith("comment"):
            continue
        is_spoken = kind == "string" and (before[-2:] == ["_", "("] or before[-4:-2] == ["pgettext", "("])
        if CHINESE.search(value) and not is_spoken and value.strip("'\"") not in IN_TEMPLATES:
            yield value
        before.append(value)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "web" / "templates").as_posix())
def test_templates_speak_through_the_catalogue(path: Path) -> None:
    assert list(outside(path.read_text("utf-8"))) == []


def test_the_search_finds_chinese_outside_a_call() -> None:
    assert list(outside("{# 注 #}<b>甲</b>{{ _('乙') }}{{ pgettext('one', '丙') }}{{ x|join('、') }}{{ '中文' }}")) == ["<b>甲</b>", "'、'"]


def test_modules_of_the_pages_speak_through_the_catalogue() -> None:
    found = []
    for path in MODULES:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("web/") or name.removeprefix("web/").startswith(FREE_MODULES):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in CALLS]
        translated = {id(inner) for call in calls for value in call.args for inner in ast.walk(value)}
        found += [
            (name, node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and CHINESE.search(node.value)
            and id(node) not in translated
            and node.value not in IN_MODULES
        ]
    assert found == []
