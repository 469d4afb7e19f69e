"""Documents for Word: the same data as those for print. Texts go in as text, never as markup."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_BREAK
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph

from web import documents

SOFT, DAI = RGBColor(0x52, 0x60, 0x6D), RGBColor(0x1C, 0x5A, 0x6D)
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
    return "".join(char for char in str(text) if char >= " " or char in "\n\t")


class _Page:
    """A document as it is written, one chapter after the other."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data, self.labels = data, data["labels"]
        self.document = Document()
        self.document.core_properties.title = _clean(f"{data['title']} {self.labels['manual']}")
        self.document.core_properties.author = ""
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
        self.document.add_heading(_clean(text), level)

    def line(self, text: Any, *, soft: bool = False, size: float | None = None, bold: bool = False) -> Any:
        """Write a paragraph."""
        paragraph = self.document.add_paragraph()
        run = paragraph.add_run(_clean(text))
        run.bold = bold
        if soft:
            run.font.color.rgb = SOFT
        if size:
            run.font.size = Pt(size)
        paragraph.paragraph_format.space_after = Pt(4)
        return paragraph

    def table(self, head: Sequence[Any], rows: Sequence[Sequence[Any]], widths: Sequence[float], size: float = 8.5) -> None:
        """Write a table whose head is repeated on every page; widths in centimetres."""
        table = self.document.add_table(rows=len(rows) + bool(head), cols=len(widths))
        table.style = "Table Grid"
        table.autofit = False
        for grid, width in zip(table._tbl.tblGrid.gridCol_lst, widths, strict=True):
            grid.w = Cm(width)
        # Straight to the elements: the library's cells look through the whole table each time.
        for place, (line, texts) in enumerate(zip(table._tbl.tr_lst, [head, *rows] if head else rows, strict=True)):
            is_head = bool(head) and place == 0
            for cell, text, width in zip(line.tc_lst, texts, widths, strict=True):
                cell.width = Cm(width)
                run = Paragraph(cell.p_lst[0], self.document).add_run(_clean(text))
                run.font.size, run.bold = Pt(size), is_head
                if is_head:
                    shade = OxmlElement("w:shd")
                    shade.set(qn("w:val"), "clear")
                    shade.set(qn("w:fill"), HEAD)
                    cell.get_or_add_tcPr().append(shade)
            if is_head:
                repeat = OxmlElement("w:tblHeader")
                repeat.set(qn("w:val"), "true")
                line.get_or_add_trPr().append(repeat)
        self.document.add_paragraph().paragraph_format.space_after = Pt(2)

    def break_page(self) -> None:
        """Begin a new page."""
        self.document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)

    def turned(self, wide: bool) -> None:
        """Begin a section across or upright."""
        section = self.document.add_section()
        section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
        section.page_width, section.page_height = (Mm(297), Mm(210)) if wide else (Mm(210), Mm(297))
        section.different_first_page_header_footer = False
        self._margins(section)

    def cover(self) -> None:
        """Write the first page."""
        for _line in range(6):
            self.document.add_paragraph()
        self.line(self.data["title"], size=28, bold=True)
        self.line(self.labels["manual"], soft=True, size=17)
        self.document.add_paragraph()
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
        self.heading(f"{part['number']}  {part['name']}", 1)
        for strip in part["strips"]:
            picture = documents.picture(strip["svg"], strip["width"], strip["height"], scale=1.6)
            scale = min(25.4 / strip["width"], 14.2 / strip["height"], 0.03)
            self.document.add_picture(io.BytesIO(picture), width=Cm(strip["width"] * scale), height=Cm(strip["height"] * scale))
        if part["strips"]:
            self.turned(wide=False)
        for step in part["steps"]:
            self.heading(f"{step['number']}  {step['name']}", 3)
            self.line(f"{step['kind']} · {step['id']}", soft=True, size=8)
            if step["text"]:
                self.line(step["text"])
            if step["rows"]:
                self.table((), [(label, "\n".join(texts)) for label, texts in step["rows"]], (3.6, 13.4), 9)

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
            self.heading(found["name"], 2)
            if found["hit"]:
                self.line(f"{self.labels['hit']}: {found['hit']}", soft=True, size=8.5)
            head = [*found["inputs"], *found["outputs"]]
            if head:
                self.table(head, [row for row in found["rows"] if len(row) == len(head)], [17.0 / len(head)] * len(head))

    def forms(self) -> None:
        """Write every form with its fields and rules."""
        labels = self.labels
        self.heading(labels["forms"], 1)
        for form in self.data["forms"]:
            self.heading(f"{form['number']}  {form['title']}", 2)
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
        self.heading(self.labels["glossary"], 1)
        self.table((), self.data["glossary"], (3.6, 13.4), 9)

    def done(self) -> bytes:
        """Return the file."""
        page = io.BytesIO()
        self.document.save(page)
        return page.getvalue()
