"""Documents for Word: the same data as those for print. Texts go in as text, never as markup.

Paragraphs and tables are written as they stand in the file and read by the library once a section: asking it for each cell
takes ten times as long.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.oxml.shape import CT_Inline
from docx.shared import Cm, Mm, Pt, RGBColor

from web import documents
from web.metafiles import metafile

SOFT, DAI = "52606D", RGBColor(0x1C, 0x5A, 0x6D)
HEAD = "E9EEF1"


def manual(data: Mapping[str, Any]) -> bytes:
    """Return the manual of a procedure as a Word file.

    Raises:
        documents.TooLong: the data are larger than 4 MB.
    """
    documents.measured(data)
    page = _Page(data)
    page.cover()
    page.reading()
    for part in data["parts"]:
        page.part(part)
    page.clocks()
    page.tables()
    page.forms()
    page.glossary()
    return page.done()


def _clean(text: Any) -> str:
    """Leave out what XML cannot hold."""
    return "".join(char for char in str(text) if (char >= " " or char in "\n\t") and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff")


def _run(text: Any, *, size: float | None = None, bold: bool = False, soft: bool = False) -> str:
    """Return a text as it stands in a file."""
    look = ("<w:b/>" if bold else "") + (f'<w:color w:val="{SOFT}"/>' if soft else "") + (f'<w:sz w:val="{round(2 * size)}"/>' if size else "")
    lines = (f'<w:t xml:space="preserve">{escape(line)}</w:t>' for line in _clean(text).replace("\t", " ").split("\n"))
    return f"<w:r><w:rPr>{look}</w:rPr>{'<w:br/>'.join(lines)}</w:r>"


class Written:
    """A Word file whose paragraphs are written as they stand in the file."""

    def __init__(self, title: str) -> None:
        """Begin an empty file with a title among its properties."""
        self.document, self.waiting = Document(), list[str]()
        self.document.core_properties.title, self.document.core_properties.author = _clean(title)[:255], ""

    def paragraph(self, text: Any, style: str) -> None:
        """Write a paragraph in a style, by the key of the style: `Heading1`, `ListBullet`."""
        self.waiting.append(f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{_run(text)}</w:p>')

    def put(self) -> None:
        """Put what is written so far into the document."""
        if self.waiting:
            end = self.document.element.body.sectPr
            for entry in list(parse_xml(f"<w:body {nsdecls('w')}>{''.join(self.waiting)}</w:body>")):
                rows = list(entry.iterchildren(qn("w:tr")))
                for row in rows:  # a table moved at once would take the square of its rows
                    entry.remove(row)
                end.addprevious(entry)
                entry.extend(rows)
            self.waiting = []

    def done(self) -> bytes:
        """Return the file."""
        self.put()
        page = io.BytesIO()
        self.document.save(page)
        return page.getvalue()


class _Page(Written):
    """A document as it is written, one chapter after the other."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.labels = data, data["labels"]
        super().__init__(f"{data['title']} {self.labels['manual']}")
        self.pictures = 0
        self._fonts()
        section = self.document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        self._margins(section)
        section.different_first_page_header_footer = True
        section.header.paragraphs[0].text = _clean(f"{data['title']} {self.labels['manual']}    {data['version']}")
        self._page_number(section.footer.paragraphs[0])

    def _fonts(self) -> None:
        for name, size, bold in (
            ("Normal", 10, False),
            ("Heading 1", 16, True),
            ("Heading 2", 12, True),
            ("Heading 3", 10.5, True),
            ("Header", 8.5, False),
        ):
            style = self.document.styles[name]
            style.font.name, style.font.size, style.font.bold = "Noto Sans SC", Pt(size), bold
            if name.startswith("Heading"):
                style.font.color.rgb = DAI if name == "Heading 1" else RGBColor(0x1F, 0x29, 0x33)
            fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
            for attribute in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
                fonts.attrib.pop(qn(attribute), None)
            fonts.set(qn("w:eastAsia"), "SimHei" if name.startswith("Heading") else "SimSun")

    @staticmethod
    def _margins(section: Any) -> None:
        section.left_margin = section.right_margin = Mm(20)
        section.top_margin, section.bottom_margin = Mm(22), Mm(18)

    @staticmethod
    def _page_number(paragraph: Any) -> None:
        for kind in ("begin", "instr", "end"):
            run = paragraph.add_run()
            if kind == "instr":
                text = OxmlElement("w:instrText")
                text.set(qn("xml:space"), "preserve")
                text.text = "PAGE"
                run._r.append(text)
            else:
                mark = OxmlElement("w:fldChar")
                mark.set(qn("w:fldCharType"), kind)
                run._r.append(mark)

    def heading(self, text: Any, level: int) -> None:
        """Write a heading."""
        self.paragraph(text, f"Heading{level}")

    def line(self, text: Any = "", *, soft: bool = False, size: float | None = None, bold: bool = False) -> None:
        """Write a paragraph."""
        run = _run(text, size=size, bold=bold, soft=soft) if text else ""
        self.waiting.append(f'<w:p><w:pPr><w:spacing w:after="80"/></w:pPr>{run}</w:p>')

    def table(self, head: Sequence[Any], rows: Sequence[Sequence[Any]], widths: Sequence[float], size: float = 8.5) -> None:
        """Write a table whose head is repeated on every page; widths in centimetres."""
        wide = [Cm(width).twips for width in widths]
        grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in wide)
        lines = [self._row(head, wide, size, is_head=True)] if head else []
        lines += [self._row(row, wide, size) for row in rows]
        self.waiting.append(
            f'<w:tbl><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:type="dxa" w:w="{sum(wide)}"/><w:tblLayout w:type="fixed"/></w:tblPr>'
            f'<w:tblGrid>{grid}</w:tblGrid>{"".join(lines)}</w:tbl><w:p><w:pPr><w:spacing w:after="40"/></w:pPr></w:p>'
        )

    @staticmethod
    def _row(texts: Sequence[Any], widths: Sequence[int], size: float, *, is_head: bool = False) -> str:
        shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{HEAD}"/>' if is_head else ""
        cells = (
            f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}</w:tcPr><w:p>{_run(text, size=size, bold=is_head)}</w:p></w:tc>'
            for text, width in zip(texts, widths, strict=True)
        )
        return f"<w:tr>{'<w:trPr><w:tblHeader/></w:trPr>' if is_head else ''}{''.join(cells)}</w:tr>"

    def picture(self, strip: Mapping[str, Any], name: str) -> None:
        """Write a drawing, as wide as the page where it is wider."""
        self.pictures += 1
        package = self.document.part.package
        drawn = metafile(strip["svg"], strip["width"], strip["height"])
        part = Part(PackURI(f"/word/media/diagram{self.pictures}.emf"), "image/x-emf", drawn, package)
        scale = min(25.4 / strip["width"], 14.2 / strip["height"], 0.03)
        inline = CT_Inline.new_pic_inline(
            self.pictures,
            self.document.part.relate_to(part, RELATIONSHIP_TYPE.IMAGE),
            f"diagram{self.pictures}.emf",
            Cm(strip["width"] * scale),
            Cm(strip["height"] * scale),
        )
        inline.docPr.set("descr", _clean(name))
        self.put()
        self.document.add_paragraph().add_run()._r.add_drawing(inline)

    def break_page(self) -> None:
        """Begin a new page."""
        self.waiting.append('<w:p><w:r><w:br w:type="page"/></w:r></w:p>')

    def turned(self, wide: bool) -> None:
        """Begin a section across or upright."""
        self.put()
        section = self.document.add_section()
        section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
        section.page_width, section.page_height = (Mm(297), Mm(210)) if wide else (Mm(210), Mm(297))
        section.different_first_page_header_footer = False
        self._margins(section)

    def cover(self) -> None:
        """Write the first page."""
        for _line in range(6):
            self.line()
        self.line(self.data["title"], size=28, bold=True)
        self.line(self.labels["manual"], soft=True, size=17)
        self.line(self.data.get("which", ""), soft=True, size=12)
        for label, text in self.data["meta"]:
            self.line(f"{label}  {text}", size=10)
        self.line(self.data["note"], soft=True, size=9)
        self.break_page()

    def reading(self) -> None:
        """Write the contents, how diagrams are read, and the states."""
        self.heading(self.labels["contents"], 1)
        for part in self.data["parts"]:
            self.line(f"{part['number']}  {part['name']}")
        for name in ("clocks", "tables", "forms", "glossary"):
            if self.data.get(name):
                self.line(self.labels[name])
        for other in self.data.get("others", ()):
            self.line(other, soft=True)
        if self.data["legend"]:
            self.heading(self.labels["how_to_read"], 2)
        for name, text in self.data["legend"]:
            self.line(f"{name}  {text}", size=9.5)
        if self.data["states"]:
            self.heading(self.labels["states"], 2)
            self.line("  →  ".join(self.data["states"]))

    def part(self, part: Mapping[str, Any]) -> None:
        """Write a diagram and its steps."""
        if part["strips"]:
            self.turned(wide=True)
        self.heading(f"{part['number']}  {part['name']}{self._continued(part)}", 1)
        for strip in part["strips"]:
            self.picture(strip, part["name"])
        if part.get("not_drawn"):
            self.line(self.labels["not_drawn"].replace("{count}", str(part["not_drawn"])), soft=True)
        if part["strips"]:
            self.turned(wide=False)
        for step in part["steps"]:
            self.heading(f"{step['number']}  {step['name']}", 3)
            self.line(f"{step['kind']} · {step['id']}", soft=True, size=8)
            if step["text"]:
                self.line(step["text"])
            if step["rows"]:
                self.table((), [(label, "\n".join(texts)) for label, texts in step["rows"]], (3.6, 13.4), 9)

    def _continued(self, chapter: Mapping[str, Any]) -> str:
        return f" {self.labels['continued']}" if chapter.get("continued") else ""

    def clocks(self) -> None:
        """Write the limits by area."""
        found, areas = self.data["clocks"], self.data["areas"]
        if not found:
            return
        self.turned(wide=True)
        self.heading(self.labels["clocks"], 1)
        room = 25.7 - 3.2 - 2.6 * len(areas) - 5.4
        rows = [
            (entry["name"], *entry["values"], "\n".join(filter(None, (entry["rule"], entry["source"]))), "\n".join(entry["escalation"]))
            for entry in found
        ]
        self.table(
            (self.labels["clock"], *areas, self.labels["rule"], self.labels["escalation"]), rows, (3.2, *[2.6] * len(areas), max(4.0, room), 5.4), 8
        )
        self.turned(wide=False)

    def tables(self) -> None:
        """Write the decision tables."""
        if not self.data["tables"]:
            return
        self.heading(self.labels["tables"], 1)
        for found in self.data["tables"]:
            self.heading(f"{found['name']}{self._continued(found)}", 2)
            if found["hit"]:
                self.line(f"{self.labels['hit']}: {found['hit']}", soft=True, size=8.5)
            head = [*found["inputs"], *found["outputs"]]
            if head:
                self.table(head, [row for row in found["rows"] if len(row) == len(head)], [17.0 / len(head)] * len(head))
            if found.get("left"):
                self.line(self.labels["left"].replace("{count}", str(found["left"])), soft=True, size=8.5)

    def forms(self) -> None:
        """Write every form with its fields and rules."""
        labels = self.labels
        if self.data["forms"]:
            self.heading(labels["forms"], 1)
        for form in self.data["forms"]:
            self.heading(f"{form['number']}  {form['title']}{self._continued(form)}", 2)
            self.line(" · ".join(filter(None, (form["audience"], form["source"]))), soft=True, size=8.5)
            rows = [
                ("　" * field["depth"] + field["label"], field["kind"], field["required"], field["identity"], field["options"])
                for field in form["fields"]
            ]
            if rows:
                self.table(
                    (labels["field"], labels["kind"], labels["required"], labels["identity"], labels["options"]), rows, (5.6, 2.3, 1.7, 1.2, 6.2), 8
                )
            for rule in form["rules"]:
                self.line(f"• {rule['text']} {rule['level']}", size=8.5)

    def glossary(self) -> None:
        """Write what words mean."""
        if not self.data["glossary"]:
            return
        self.heading(self.labels["glossary"], 1)
        self.table((), self.data["glossary"], (3.6, 13.4), 9)
