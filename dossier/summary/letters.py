"""The letters that the summary can print: two DejaVu fonts, embedded; what they lack is shown as a box."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
#: Printed in the place of a letter that cannot be.
BOX: Final = "▯"
_FONTS: Final = Path(__file__).parent.parent / "fonts"
#: Written from right to left: without shaping they would stand in a wrong order, so they are not printed.
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


@cache
def letters() -> frozenset[int]:
    """The code points that both fonts have; the first call registers the fonts."""
    found: set[int] | None = None
    for name in (REGULAR, BOLD):
        font = TTFont(name, str(_FONTS / f"{name}.ttf"))
        pdfmetrics.registerFont(font)
        held = set(font.face.charToGlyph)
        found = held if found is None else found & held
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    assert found is not None
    return frozenset(one for one in found if unicodedata.bidirectional(chr(one)) not in _RIGHT_TO_LEFT)


class Printer:
    """Turns text into what a paragraph takes, and counts what could not be printed."""

    def __init__(self) -> None:
        self.missing = 0
        self._letters = letters()

    def plain(self, text: str) -> str:
        """Text of letters that can be printed, as it is otherwise."""
        shown = []
        for one in unicodedata.normalize("NFC", text):
            if one == "\n" or ord(one) in self._letters:
                shown.append(one)
            elif unicodedata.category(one) in ("Cc", "Cf", "Mn", "Me") and not unicodedata.combining(one):
                continue  # joiners, directions, variation selectors: nothing to see
            else:
                self.missing += 1
                shown.append(BOX)
        return "".join(shown)

    def markup(self, text: str) -> str:
        """The same as the markup of a paragraph: nothing of the text is taken for a tag."""
        return escape(self.plain(text)).replace("\n", "<br/>")
