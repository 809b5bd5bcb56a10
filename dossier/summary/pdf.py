"""The summary as a PDF: A4, black on white, fonts embedded, the same bytes for the same sheet."""

from __future__ import annotations

import io
import threading
from typing import Any, Final

import msgspec
from reportlab.lib.colors import Color, black
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from dossier.summary import words
from dossier.summary.archival import archival, dated
from dossier.summary.letters import BOLD, REGULAR, Printer
from dossier.summary.sheet import Block, Grid, Sheet
from dossier.summary.words import told

_MARGIN: Final = 16 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
#: A table lower than this is not broken over pages.
_KEPT: Final = A4[1] / 4
_HAIR: Final = Color(0.55, 0.55, 0.55)
_SHADE: Final = Color(0.93, 0.93, 0.93)
_OURS: Final = ("FONTNAME", (0, 0), (-1, -1), REGULAR)  # or a table names a font that is not embedded
# Fonts and caches of the library are shared by its documents: one is made at a time.
_one_at_a_time: Final = threading.Lock()


class _Sizes(msgspec.Struct, frozen=True):
    text: float
    heading: float
    title: float
    foot: float


NORMAL: Final = _Sizes(9, 11.5, 20, 7.5)
LARGE: Final = _Sizes(16, 19, 26, 11)


def render(sheet: Sheet, *, large: bool = False) -> bytes:
    """The bytes of the PDF. ``large``: letters of 16 points, tables told line by line. Blocking."""
    with _one_at_a_time:
        pages = _build(sheet, large, 0)[1]
        data, again = _build(sheet, large, pages)
        assert again == pages
    return data


def _build(sheet: Sheet, large: bool, pages: int) -> tuple[bytes, int]:
    out = io.BytesIO()
    document = _Document(out, sheet, LARGE if large else NORMAL, pages)
    document.build(_Story(sheet, large).flowables(), canvasmaker=document.canvas_of)
    return out.getvalue(), document.page


class _Document(BaseDocTemplate):
    """Pages that name the patient and tell their number; an outline of the headings."""

    def __init__(self, out: io.BytesIO, sheet: Sheet, sizes: _Sizes, pages: int) -> None:
        self.sheet, self.sizes, self.pages = sheet, sizes, pages
        self.printer = Printer()
        super().__init__(
            out,
            pagesize=A4,
            title=self.printer.plain(f"{sheet.title} – {sheet.person}"),
            author=self.printer.plain(sheet.author),
            subject=sheet.subtitle,
            creator="Passerelle",
            producer="Passerelle (ReportLab)",
            initialFontName=REGULAR,
        )
        top, bottom = _MARGIN + 3 * mm, _MARGIN + sizes.foot + 3 * mm
        frame = Frame(
            _MARGIN, bottom, _WIDTH, A4[1] - top - bottom, leftPadding=0, rightPadding=0, topPadding=0,
            bottomPadding=0,
        )  # fmt: skip
        self.addPageTemplates([PageTemplate(id="page", frames=[frame], onPage=self.decorate)])

    def canvas_of(self, *words: Any, **more: Any) -> Canvas:
        more |= {"invariant": 1, "lang": "fr-FR" if self.sheet.language == "fr" else "en-GB"}
        more["initialFontName"] = REGULAR
        canvas = Canvas(*words, **more)
        dated(canvas, self.sheet.made_at)
        canvas.showOutline()
        return canvas

    def decorate(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        sheet, size = self.sheet, self.sizes.foot
        canvas.saveState()
        canvas.setFont(REGULAR, size)
        if canvas.getPageNumber() > 1:
            canvas.drawString(_MARGIN, A4[1] - _MARGIN, self.printer.plain(sheet.running))
            if self.sizes is NORMAL:
                canvas.drawRightString(A4[0] - _MARGIN, A4[1] - _MARGIN, sheet.title)
        canvas.setStrokeColor(_HAIR)
        canvas.setLineWidth(0.4)
        canvas.line(_MARGIN, _MARGIN + size + 1 * mm, A4[0] - _MARGIN, _MARGIN + size + 1 * mm)
        canvas.drawString(_MARGIN, _MARGIN - 0.5 * mm, self.printer.plain(sheet.made_short))
        number = told(words.PAGE, sheet.language).format(canvas.getPageNumber(), self.pages or "?")
        canvas.drawRightString(A4[0] - _MARGIN, _MARGIN - 0.5 * mm, number)
        canvas.restoreState()

    def handle_documentBegin(self) -> None:
        """Called once the canvas is made and told its title and author."""
        super().handle_documentBegin()
        archival(self.canv, self.sheet.made_at)

    def afterFlowable(self, flowable: Flowable) -> None:
        """Called after each flowable is placed: headings go into the outline."""
        if isinstance(flowable, _Heading):
            key = f"heading-{flowable.number}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(flowable.text, key, level=0)


class _Heading(Paragraph):
    """A section's heading: a paragraph that the outline names."""

    def __init__(self, text: str, markup: str, style: ParagraphStyle, number: int) -> None:
        super().__init__(markup, style)
        self.text, self.number = text, number


class _Story:
    """The flowables of a sheet."""

    def __init__(self, sheet: Sheet, large: bool) -> None:
        self.sheet, self.large = sheet, large
        self.sizes = LARGE if large else NORMAL
        self.printer = Printer()

        def style(size: float, font: str = REGULAR, **more: Any) -> ParagraphStyle:
            return ParagraphStyle(
                f"{font}{size}{sorted(more.items())}", fontName=font, fontSize=size, leading=size * 1.3,
                textColor=black, alignment=TA_LEFT, splitLongWords=1, **more,
            )  # fmt: skip

        text = self.sizes.text
        self.text = style(text)
        self.bold = style(text, BOLD, keepWithNext=int(large))
        self.heading = style(self.sizes.heading, BOLD, spaceBefore=text * 1.1, spaceAfter=2, keepWithNext=1)
        self.title = style(self.sizes.title, BOLD)
        self.subtitle = style(self.sizes.heading)
        self.small = style(self.sizes.foot, spaceBefore=3)
        self.alert = style(self.sizes.heading, BOLD)

    def flowables(self) -> list[Flowable]:
        sheet = self.sheet
        story: list[Flowable] = [
            self._paragraph(sheet.title, self.title),
            self._paragraph(sheet.subtitle, self.subtitle),
            self._paragraph(sheet.made, self.text),
            Spacer(0, self.sizes.text * 0.6),
            self._identity(),
        ]
        if sheet.alert:
            story += [Spacer(0, self.sizes.text * 0.6), self._boxed(self._paragraph(sheet.alert, self.alert))]
        for number, block in enumerate(sheet.blocks):
            story += self._block(number, block)
        story.append(Spacer(0, self.sizes.text))
        story += [self._paragraph(note, self.small) for note in sheet.notes]
        if self.printer.missing:  # as it is: the box that it begins with is not one more
            note = told(words.UNPRINTED, sheet.language).format(self.printer.missing)
            story.append(Paragraph(note, self.small))
        return story

    def _paragraph(self, text: str, style: ParagraphStyle) -> Paragraph:
        return Paragraph(self.printer.markup(text), style)

    def _identity(self) -> Table:
        pairs = [(self._paragraph(f"{name} :" if self.sheet.language == "fr" else f"{name}:", self.text),
                  self._paragraph(value, self.bold)) for name, value in self.sheet.identity]  # fmt: skip
        share = 0.42 if self.large else 0.34
        table = Table([list(pair) for pair in pairs], colWidths=[_WIDTH * share, _WIDTH * (1 - share)])
        table.setStyle(
            [_OURS, ("BOX", (0, 0), (-1, -1), 0.8, black), ("TOPPADDING", (0, 0), (-1, -1), 1.5),
             ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5), ("VALIGN", (0, 0), (-1, -1), "TOP")]
        )  # fmt: skip
        return table

    def _boxed(self, paragraph: Paragraph) -> Table:
        table = Table([[paragraph]], colWidths=[_WIDTH], splitInRow=1)
        table.setStyle([_OURS, ("BOX", (0, 0), (-1, -1), 1.6, black)])
        return table

    def _block(self, number: int, block: Block) -> list[Flowable]:
        heading = _Heading(
            self.printer.plain(block.heading), self.printer.markup(block.heading), self.heading, number
        )
        if block.grid is None:
            return [KeepTogether([heading, self._paragraph(block.sentence, self.text)])]
        if self.large:
            return [heading, *self._told(block.grid)]
        table = self._table(block.grid)
        if table.wrap(_WIDTH, A4[1])[1] < _KEPT:
            return [KeepTogether([heading, table])]
        heading.keepWithNext = 0  # a long table begins where its heading stands
        return [CondPageBreak(_KEPT / 2), heading, table]

    def _table(self, grid: Grid) -> Table:
        total = sum(grid.widths)
        rows = [[self._paragraph(cell, self.bold) for cell in grid.columns]]
        for row in grid.rows:
            first, *others = row
            rows.append(
                [self._paragraph(first, self.bold), *(self._paragraph(cell, self.text) for cell in others)]
            )
        table = Table(
            rows, colWidths=[_WIDTH * width / total for width in grid.widths], repeatRows=1, splitInRow=1,
            hAlign="LEFT",
        )  # fmt: skip
        table.setStyle(
            [
                _OURS,
                ("BACKGROUND", (0, 0), (-1, 0), _SHADE),
                ("LINEABOVE", (0, 0), (-1, 0), 0.8, black),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, black),
                ("LINEBELOW", (0, 1), (-1, -1), 0.4, _HAIR),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
        return table

    def _told(self, grid: Grid) -> list[Flowable]:
        """A table for large letters: each row as lines of its own."""
        story: list[Flowable] = []
        colon = " : " if self.sheet.language == "fr" else ": "
        for row in grid.rows:
            story.append(self._paragraph(f"• {row[0]}", self.bold))
            story += [
                self._paragraph(f"{name}{colon}{cell}", self.text)
                for name, cell in zip(grid.columns[1:], row[1:], strict=True)
                if cell
            ]
            story.append(Spacer(0, self.sizes.text * 0.5))
        return story
