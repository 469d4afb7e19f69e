"""The documents name what exists and nothing else; links lead somewhere; no file names a machine or a package registry."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import click
import pytest
from lxml import etree

from engine import decision_tables
from engine.actor import AREA_ROLES
from engine.permissions import IDENTIFIED_ROLES, PERMISSIONS, Permission
from engine.services import all_services
from engine.workflow.reading import BPMN, PS
from models import Role
from web.cli import main
from web.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
# Put together here, so that this file does not name what it looks for.
REGISTRIES = tuple(
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"), ("registry", "yarnpkg"), ("npm" + "mirror", "com"))
)
HOMES = ("work", "root", "home", "Users")
MACHINES = re.compile(rf"(?<![\w.])/(?:{'|'.join(HOMES)})/(?=[\w.])")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)|<img[^>]*\bsrc=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^```.*?^```|^    .*?$", re.MULTILINE | re.DOTALL)


@lru_cache
def text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@lru_cache
def committed() -> tuple[Path, ...]:
    """Return the files that are kept or about to be; without git, as in an unpacked archive, those of the rooms."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    else:
        rooms = ("models", "engine", "bpmn", "web", "tests", "docs")
        found = [str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*")] + [path.name for path in ROOT.glob("*.*")]
    kept = [ROOT / name for name in found if name and not {"node_modules", "dist", "__pycache__"} & set(Path(name).parts)]
    return tuple(path for path in kept if path.is_file())


def sections(document: str, level: int) -> dict[str, str]:
    """Return what stands under each heading of a level, by the heading's words in code."""
    parts = re.split(rf"^{'#' * level} +(.+?)\s*$", document, flags=re.MULTILINE)
    return {CODE.findall(head)[0]: body.split("\n## ")[0] for head, body in zip(parts[1::2], parts[2::2], strict=True) if CODE.search(head)}


def rows(document: str, columns: int) -> Iterator[list[str]]:
    """Yield the rows of the tables of a width whose first cell is in code."""
    for line in document.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == columns and cells[0].startswith("`"):
            yield cells


# ── settings, commands ──


def test_every_setting_stands_with_its_default_in_its_document() -> None:
    wanted = {f"PINGSHEN_{entry.name.upper()}": str(entry.default) or "(none)" for entry in fields(Settings)}
    assert {cells[0].strip("`"): cells[1].strip("`") for cells in rows(text("docs/settings.md"), 4)} == wanted
    spoken = {name for path in ("docs/settings.md", "docs/commands.md", "CONTRIBUTING.md") for name in re.findall(r"PINGSHEN_[A-Z_]+", text(path))}
    assert spoken <= set(wanted)


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for key, command in group.commands.items():
        yield f"{name} {key}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {key}")


def test_every_command_and_option_stands_in_its_document() -> None:
    known = dict(commands(main, "pingshen"))
    written = sections(text("docs/commands.md"), 3)
    assert set(written) == set(known)
    for name, command in known.items():
        options = {option for entry in command.params if isinstance(entry, click.Option) for option in entry.opts}
        assert {cells[0].strip("`") for cells in rows(written[name], 3)} == options, name
        assert set(re.findall(r"(?<!\S)`?(--[a-z][a-z-]+)", written[name])) <= options, name


def test_documents_show_commands_that_exist() -> None:
    known = set(dict(commands(main, "pingshen")))
    for path in ("README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))):
        for word in re.findall(r"(?:run\.py pingshen|`pingshen) ([a-z][a-z-]*)", text(path)):
            assert f"pingshen {word}" in known, f"{path}: pingshen {word}"


# ── permissions, roles ──


def test_every_permission_stands_in_its_document() -> None:
    first = text("docs/permissions.md").split("\n## Roles", 1)[0]
    assert [cells[0].strip("`") for cells in rows(first, 2)] == sorted(permission.value for permission in Permission)


def test_every_role_stands_with_its_reach_and_permissions() -> None:
    written = {cells[0].strip("`"): cells[1:] for cells in rows(text("docs/permissions.md"), 5)}
    assert set(written) == {role.value for role in Role}
    for role in Role:
        _name, reach, second, granted = written[role.value]
        assert CODE.findall(granted) == sorted(permission.value for permission in PERMISSIONS[role]), role
        assert (reach, second) == ("area" if role in AREA_ROLES else "institution", "yes" if role in IDENTIFIED_ROLES else ""), role


# ── services ──


def given() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the service tasks of the shipped diagrams: element, service, arguments."""
    for path in sorted((ROOT / "bpmn").rglob("*.bpmn")):
        for task in etree.parse(path).iter(f"{{{BPMN}}}serviceTask"):
            for entry in task.iter(f"{{{PS}}}service"):
                yield task.get("id", ""), entry.get("name", ""), {part.get("name", ""): part.get("expression", "") for part in entry}


def test_every_service_stands_in_its_document() -> None:
    assert set(sections(text("docs/services.md"), 3)) == set(all_services())


def test_every_argument_of_a_service_is_explained() -> None:
    written = {name: {cells[0].strip("`") for cells in rows(body, 2)} for name, body in sections(text("docs/services.md"), 3).items()}
    used: dict[str, set[str]] = {}
    for _element, service, arguments in given():
        used.setdefault(service, set()).update(arguments)
    assert {name: used.get(name, set()) for name in written} == written


def test_what_the_diagrams_give_stands_in_the_document() -> None:
    written = {
        cells[1].strip("`"): (cells[2].strip("`"), re.findall(r"`([^`]+)` ← `([^`]+)`", cells[3])) for cells in rows(text("docs/services.md"), 4)
    }
    assert written == {element: (service, list(arguments.items())) for element, service, arguments in given()}


# ── forms, diagrams ──


def asked(path: str, *names: str) -> set[str]:
    """Return the keys that a module asks of a mapping called one of the names: `name["key"]` and `name.get("key")`."""
    found = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Subscript):
            owner, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            owner, key = node.func.value, node.args[0]
        else:
            continue
        if isinstance(owner, ast.Name) and owner.id in names and isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.add(key.value)
    return found


def table(path: str, head: str) -> set[str]:
    """Return what is in code in the first column of the table with this head."""
    body = text(path).split(head, 1)[1].split("\n\n", 1)[0]
    return {name for line in body.splitlines()[2:] for name in CODE.findall(line.split("|")[1])}


def test_every_property_of_a_component_stands_in_the_document() -> None:
    assert table("bpmn/README.md", "| property | meaning |") == asked("engine/forms.py", "properties")


def test_every_key_of_the_form_itself_stands_in_the_document() -> None:
    part = text("bpmn/README.md").split("## Forms", 1)[1].split("Components:", 1)[0]
    keys = asked("engine/forms.py", "ours")
    assert {key for key in keys if not re.search(rf"[`\"*]{key}\b", part)} == set()
    assert set(re.findall(r"^- \**`?([a-z_]+)[`:*]", part, re.MULTILINE)) <= keys


def test_every_attribute_of_a_task_stands_in_the_document() -> None:
    assert table("bpmn/README.md", "| attribute of `ps:task` | meaning |") == asked("engine/workflow/reading.py", "task")


def test_every_attribute_of_a_decision_stands_in_the_document() -> None:
    assert table("bpmn/README.md", "| attribute of `ps:decision` | meaning |") == asked("engine/workflow/reading.py", "decision")


def test_the_example_of_examples_in_the_document_can_be_read() -> None:
    part = text("bpmn/README.md").split("### Examples", 1)[1]
    found = decision_tables.read_examples("{" + part.split("    {\n", 1)[1].split("\n    }", 1)[0] + "}")
    assert (found.decision, found.now.isoformat()) == ("scope", decision_tables.EXAMPLE_NOW)
    assert f"At most {decision_tables.MAX_EXAMPLES}\nexamples, {decision_tables.EXAMPLE_SECONDS} s" in part


def test_every_list_that_depends_on_the_case_stands_in_the_document() -> None:
    found = {"matches", "timeline"}
    for path in ("engine/choices.py", "engine/notices.py", "engine/work_items.py", "engine/packets.py"):
        found |= set(re.findall(r"\"((?:organisations|people|procedures)\.[a-z_]+)\"", text(path)))
    assert table("bpmn/README.md", "| list | offers |") == found


# ── all files ──


def documents() -> list[Path]:
    return [path for path in committed() if path.suffix == ".md"]


def anchors(path: Path) -> set[str]:
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", head) for head in HEADING.findall(FENCED.sub("", path.read_text("utf-8"))))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in plain}


def test_links_lead_somewhere() -> None:
    assert documents()
    lost = []
    for path in documents():
        for found in LINK.findall(FENCED.sub("", path.read_text("utf-8"))):
            link = next(part for part in found if part)
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name) if name else path
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                lost.append(f"{path.relative_to(ROOT)}: {link}")
    assert lost == []


@lru_cache
def plain_texts() -> tuple[tuple[str, str], ...]:
    """Return every committed file that is text."""
    found = []
    for path in committed():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found.append((path.relative_to(ROOT).as_posix(), content.decode("utf-8", "replace")))
    return tuple(found)


def test_no_file_names_a_package_registry() -> None:
    assert [(name, host) for name, content in plain_texts() for host in REGISTRIES if host in content] == []


def test_no_file_names_a_path_of_a_machine() -> None:
    assert [(name, found.group()) for name, content in plain_texts() for found in MACHINES.finditer(content)] == []


@pytest.mark.parametrize("home", HOMES)
def test_a_path_of_a_machine_is_told_from_a_folder_of_ours(home: str) -> None:
    assert all(MACHINES.search(line) for line in (f"cd /{home}/x", f'"/{home}/.cache"', f"file:///{home}/a/b", f"(/{home}/a)"))
    assert not any(MACHINES.search(line) for line in (f"/{home}-items/", f"web/templates/{home}/show.html", f"/{home}/"))
