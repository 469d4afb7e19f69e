"""A diagram's text, changed in places: whatever an edit does not touch keeps its bytes, comments and quotes included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from engine.workflow.reading import BPMN, MAX_BYTES, PS, UnreadableDiagram, xml

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TOKEN = re.compile(r"""<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|</[^>]*>|<(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.DOTALL)
_DECLARED = (("ps", PS), ("xsi", XSI))


@dataclass(slots=True)
class _Source:
    """How a node was written: its tags and the text inside and behind it, and what they were read as; of its attributes, the hash."""

    start: str
    end: str = ""
    text: str = ""
    tail: str = ""
    tag: object = None
    attributes: int | None = None
    read_text: str | None = None
    read_tail: str | None = None


class Markup:
    """The tree of a diagram that remembers how it was written.

    Raises:
        UnreadableDiagram: not well formed, larger than 2 MB, with a DOCTYPE, or no BPMN.
    """

    def __init__(self, content: bytes, file: str = "", *, tag: str = f"{{{BPMN}}}definitions", declares: bool = True) -> None:
        """Read a file whose root has a tag.

        Args:
            declares: Whether our prefixes are declared at the root where they are not yet.
        """
        if len(content) > MAX_BYTES:
            raise UnreadableDiagram("too_large", file=file)
        root = xml(content, file, tag=tag, keeps_all=True)
        is_recoded = (root.getroottree().docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "ASCII", "US-ASCII")
        if is_recoded:
            content = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
        text = content.decode("utf-8")
        opening = _root_tag(text)
        missing = [(prefix, uri) for prefix, uri in _DECLARED if uri not in root.nsmap.values() and prefix not in root.nsmap]
        wanted = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in missing) if declares else ""
        if wanted:
            close = opening.end() - (2 if opening[0].endswith("/>") else 1)
            text = text[:close].rstrip() + wanted + text[close:]
            opening = _root_tag(text)
        if wanted or is_recoded:
            del root  # two trees at once would be twice the memory
            root = xml(text.encode("utf-8"), file, tag=tag, keeps_all=True)
        self.root = root
        self._head, self._foot = text[: opening.start()], ""
        self._sources: dict[etree._Element, _Source] = {}
        self._match(text, opening.start())

    def _match(self, text: str, start: int) -> None:
        """Find the words of every node: tags come in the order of the tree."""
        nodes = iter(self.root.iter())
        open_nodes: list[_Source] = []
        known: dict[str, str] = {}
        last: _Source | None = None  # the node whose tail the next words are; None: they are the text of the innermost one
        at = start
        for token in _TOKEN.finditer(text, start):
            words = token[0]
            if words.startswith("<![CDATA["):
                continue
            between, at = text[at : token.start()], token.end()
            between, words = known.setdefault(between, between), known.setdefault(words, words)
            if last is not None:
                last.tail = between
            elif open_nodes:
                open_nodes[-1].text = between
            if words.startswith("</"):
                last = open_nodes.pop()
                last.end = words
            else:
                node = next(nodes)
                read_text, read_tail = (None if part is None else known.setdefault(part, part) for part in (node.text, node.tail))
                source = _Source(words, tag=node.tag, read_text=read_text, read_tail=read_tail)
                self._sources[node] = source
                if words.startswith(("<!--", "<?")):
                    last = source
                    continue
                source.attributes = _print(node)
                if words.endswith("/>"):
                    last = source
                else:
                    open_nodes.append(source)
                    last = None
            if not open_nodes:
                self._foot = text[at:]
                return

    def to_bytes(self) -> bytes:
        """Return the text as it is now."""
        out = [self._head]
        self._write(self.root, out)
        return ("".join(out) + self._foot).encode("utf-8")

    def _write(self, node: etree._Element, out: list[str]) -> None:
        source = self._sources.get(node)
        if not isinstance(node.tag, str):
            out.append(source.start if source else etree.tostring(node, encoding="unicode", with_tail=False))
            return
        text, is_empty = node.text or "", not len(node) and not node.text
        same = source is not None and source.tag == node.tag and source.attributes == _print(node)
        if source is not None and same and (is_empty or not source.start.endswith("/>")):
            out.append(source.start)
            is_closed = source.start.endswith("/>")
        else:
            out.append(_start(node, is_empty))
            is_closed = is_empty
        if is_closed:
            return
        out.append(source.text if source is not None and source.read_text == node.text else escape(text))
        for child in node:
            self._write(child, out)
            words = self._sources.get(child)
            out.append(words.tail if words is not None and words.read_tail == child.tail else escape(child.tail or ""))
        out.append(f"</{_name(node)}>")


def _print(node: etree._Element) -> int:
    return hash(frozenset(node.attrib.items()))


def _root_tag(text: str) -> re.Match[str]:
    for token in _TOKEN.finditer(text):
        if not token[0].startswith(("<!--", "<?")):
            return token
    raise UnreadableDiagram("not_xml")


def _name(node: etree._Element) -> str:
    local = etree.QName(node).localname
    return f"{node.prefix}:{local}" if node.prefix else local


def _start(node: etree._Element, is_empty: bool) -> str:
    parent = node.getparent()
    known = parent.nsmap if parent is not None else {}
    words = [_name(node)]
    for prefix, uri in node.nsmap.items():
        if known.get(prefix) != uri:
            words.append((f"xmlns:{prefix}" if prefix else "xmlns") + "=" + quoteattr(uri))
    prefixes = {uri: prefix for prefix, uri in node.nsmap.items() if prefix}
    for key, value in node.attrib.items():
        name = etree.QName(key)
        prefix = prefixes.get(name.namespace) if name.namespace else None
        if name.namespace == "http://www.w3.org/XML/1998/namespace":
            prefix = "xml"
        words.append((f"{prefix}:{name.localname}" if prefix else name.localname) + "=" + quoteattr(str(value)))
    return "<" + " ".join(words) + (" />" if is_empty else ">")


# ── new nodes and attributes ──


def make(near: etree._Element, tag: str, attributes: dict[str, str]) -> etree._Element:
    """Return a new element that knows the prefixes of another one; it is not in the tree yet."""
    known = dict(near.nsmap)  # None is the prefix of the default namespace
    try:
        return near.makeelement(tag, attributes, known)  # type: ignore[arg-type]
    except ValueError:  # some tools write a namespace that is none
        own = {prefix: uri for prefix, uri in known.items() if uri == etree.QName(tag).namespace}
        return near.makeelement(tag, attributes, own)  # type: ignore[arg-type]


def unset(node: etree._Element, name: str) -> None:
    """Take an attribute away, if it is there."""
    if name in node.attrib:
        del node.attrib[name]


def attributes(node: etree._Element) -> dict[str, str]:
    """Return the attributes of a node."""
    return {str(name): str(value) for name, value in node.attrib.items()}


# ── children, with the indentation of their neighbours ──


def insert(parent: etree._Element, index: int, child: etree._Element) -> None:
    """Put a child among the children of a node, on a line of its own."""
    count = len(parent)
    step = _step(parent)
    inner = _indent(parent) + step
    if count == 0:
        parent.text = "\n" + inner
        child.tail = "\n" + _indent(parent)
    elif index >= count:
        before = parent[-1]
        child.tail = before.tail if before.tail and not before.tail.strip() else "\n" + _indent(parent)
        before.tail = "\n" + inner
    else:
        child.tail = "\n" + inner
    parent.insert(index, child)


def append(parent: etree._Element, child: etree._Element) -> None:
    """Put a child behind the others."""
    insert(parent, len(parent), child)


def remove(node: etree._Element) -> None:
    """Take a node away together with its line."""
    parent = node.getparent()
    if parent is None:
        return
    before = node.getprevious()
    if node.getnext() is None:  # the end tag of the parent moves up
        if before is not None:
            before.tail = node.tail
        elif not (parent.text or "").strip():
            parent.text = None
    node.tail = None
    parent.remove(node)


def _indent(node: etree._Element) -> str:
    """Return the blanks before a node."""
    before = node.getprevious()
    parent = node.getparent()
    if parent is None:
        return ""
    words = before.tail if before is not None else parent.text
    if words and "\n" in words and not words.strip():
        return words.rsplit("\n", 1)[1]
    return _indent(parent) + "  "


def _step(node: etree._Element) -> str:
    return "\t" if _indent(node).startswith("\t") else "  "
