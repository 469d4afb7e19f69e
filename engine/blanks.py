"""Blanks: what a procedure and its files begin with, and the lists of the manifest that name its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources

from lxml import etree

from engine import procedures
from engine.errors import InvalidInput
from engine.workflow import reading

LISTS: Mapping[str, tuple[str, str]] = {"shared": ("shared/", ".bpmn"), "forms": ("forms/", ".json"), "decisions": ("decisions/", ".dmn")}
"""Lists of the manifest, with folder and ending of the files whose keys they hold."""
KINDS: Mapping[str, str] = {"form": "forms", "table": "decisions", "diagram": "shared"}
"""What can be begun, and the list that names it."""


def procedure(key: str, name: str, name_en: str, kind: str) -> dict[str, bytes]:
    """Return the files of a procedure that begins with nothing but a start and an end at which the case is closed."""
    values = {"key": key, "name": name, "name_en": name_en, "case_kind": kind, "main": key}
    manifest = "".join(f"{label} = {_toml(value)}\n" for label, value in values.items()) + "shared = []\nforms = []\n"
    return {procedures.MANIFEST: manifest.encode(), f"{key}.bpmn": diagram(key, name, name_en)}


def _toml(text: str) -> str:
    escaped = _plain(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(text: str) -> str:
    """Return a text without what neither XML nor TOML can hold."""
    return re.sub("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", " ", text)


def diagram(process: str, name: str, name_en: str, *, is_called: bool = False) -> bytes:
    """Return a diagram with a pool of one lane, a start and an end.

    Args:
        is_called: Another diagram calls it: its end does not close the case.
    """
    root = _filled("blank.bpmn", {"PROCESS": process, "NAME_EN": name_en, "NAME": name})
    for node in root.iter(etree.Element):
        if node.text and "PROCESS" in node.text:
            node.text = node.text.replace("PROCESS", process)
        if is_called and reading.local(node) == "endEvent":
            del node.attrib[f"{{{reading.PS}}}state"]
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def form(key: str, title: str, title_en: str) -> bytes:
    """Return a form without fields."""
    ours = {"title": title, "title_en": title_en, "audience": "case", "review": False, "source": "", "rules": []}
    schema = {"type": "default", "id": key, "schemaVersion": 18, "components": [], "pingshen": ours}
    return json.dumps(schema, ensure_ascii=False, indent=1).encode() + b"\n"


def table(key: str, name: str) -> bytes:
    """Return a decision table with one input, one output and one rule, to be changed."""
    return etree.tostring(_filled("blank.dmn", {"KEY": key, "NAME": name}), xml_declaration=True, encoding="UTF-8")


def _filled(blank: str, words: Mapping[str, str]) -> etree._Element:
    """Return a shipped blank with words in the places that its attributes keep for them."""
    root = etree.fromstring((resources.files("bpmn") / blank).read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
    places = re.compile("|".join(words))
    for node in root.iter(etree.Element):
        for attribute, value in node.attrib.items():
            node.set(attribute, places.sub(lambda found: _plain(words[found[0]]), str(value)))
    return root


def added(files: Mapping[str, bytes], kind: str, key: str, name: str, name_en: str) -> tuple[str, dict[str, bytes]]:
    """Return the path of a new file, and what changes with it: the file itself, and the manifest that names it.

    Args:
        kind: A key of `KINDS`.

    Raises:
        InvalidInput: there is a file of this key already, or a process of it.
    """
    folder, ending = LISTS[KINDS[kind]]
    path = f"{folder}{key}{ending}"
    if path in files or (kind == "diagram" and key in _processes(files)):
        raise InvalidInput
    made = {
        "form": lambda: form(key, name, name_en),
        "table": lambda: table(key, name),
        "diagram": lambda: diagram(key, name, name_en, is_called=True),
    }[kind]()
    return path, {path: made} | _rewritten(files, KINDS[kind], key, is_there=True)


def removed(files: Mapping[str, bytes], path: str) -> dict[str, bytes | None]:
    """Return what changes when a file is taken away: the file, the examples kept with a table, and the manifest that named it.

    Raises:
        InvalidInput: no list of the manifest names files like this one, or there is none of this path.
    """
    found = next(((name, path[len(folder) : -len(ending)]) for name, (folder, ending) in LISTS.items() if _is_in(path, folder, ending)), None)
    if found is None or path not in files:
        raise InvalidInput
    examples = path.removesuffix(".dmn") + ".examples.json"
    return {path: None, **({examples: None} if examples in files else {}), **_rewritten(files, *found, is_there=False)}


def is_removable(path: str) -> bool:
    """Tell whether a file is one that can be taken away: a shared diagram, a form, a decision table."""
    return any(_is_in(path, folder, ending) for folder, ending in LISTS.values())


def _is_in(path: str, folder: str, ending: str) -> bool:
    return path.startswith(folder) and path.endswith(ending)


def _processes(files: Mapping[str, bytes]) -> set[str]:
    return {process.get("id", "") for _path, root in reading.diagrams(files) for process in root.iter(f"{{{reading.BPMN}}}process")}


def _rewritten(files: Mapping[str, bytes], name: str, key: str, *, is_there: bool) -> dict[str, bytes]:
    """Return the manifest with a key in one of its lists, or without; its other lines stay as somebody wrote them."""
    try:
        manifest = files[procedures.MANIFEST].decode()
    except (KeyError, UnicodeDecodeError):  # the checks say so
        return {}
    found = re.search(rf"^{name}[ \t]*=[ \t]*\[([^\[\]]*)\]", manifest, re.M)
    if found is None and not is_there:
        return {}
    if found is None:
        part = re.search(r"^[ \t]*\[", manifest, re.M)  # behind it the list would belong to that part
        end = part.start() if part else len(manifest)
        before = manifest[:end].rstrip("\n") + "\n" if manifest[:end].strip() else ""
        return {procedures.MANIFEST: f'{before}{name} = ["{key}"]\n{manifest[end:]}'.encode()}
    inside = _with(found[1], key) if is_there else re.sub(rf""",\s*["']{key}["']|["']{key}["']\s*,?\s*""", "", found[1])
    return {procedures.MANIFEST: (manifest[: found.start(1)] + inside + manifest[found.end(1) :]).encode()}


def _with(keys: str, key: str) -> str:
    if re.search(rf"""["']{key}["']""", keys):
        return keys
    kept = keys.rstrip().removesuffix(",")
    is_over_lines = "\n" in keys[len(keys.rstrip()) :]
    return (f'{kept}, "{key}"' if kept.strip() else f'"{key}"') + (",\n" if is_over_lines else "")
