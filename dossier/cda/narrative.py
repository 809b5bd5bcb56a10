"""The narrative of a section (HL7 CDA R2 §4.3.5, NarrativeBlock.xsd) → elements of a page.

Everything that is shown is built here; an element that is not known is passed through for its text, so that
nothing written for the reader is lost and nothing else gets in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lxml import etree

from dossier.cda import body
from dossier.cda.body import NS
from dossier.cda.budget import MAX_DEPTH, Budget
from dossier.cda.nodes import Node
from dossier.cda.words import Language, absent, word
from dossier.errors import DossierError

_UNSEEN: Final = frozenset({"script", "style", "object", "iframe", "svg", "template"})
_STYLES: Final = {
    "bold": "cda-bold",
    "italics": "cda-italic",
    "italic": "cda-italic",
    "underline": "cda-underline",
    "emphasis": "cda-italic",
}
_NUMBERS: Final = {"arabic": "1", "littleroman": "i", "bigroman": "I", "littlealpha": "a", "bigalpha": "A"}
_ALIGNED: Final = {"left": "cda-left", "center": "cda-center", "right": "cda-right"}
_ROW_PARENTS: Final = frozenset({"thead", "tbody", "tfoot"})
_LINK: Final = re.compile(r"https?://[^\s<>\"'\\\x00-\x20]{1,2000}", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\r\n]+")


class Narrative:
    """Builds the page's elements for the sections of one document.

    :param root: of the document: its ``observationMedia`` are what ``renderMultiMedia`` refers to.
    """

    def __init__(self, root: etree._Element, budget: Budget, language: Language) -> None:
        self._budget = budget
        self._language = language
        self._media = {
            one.get("ID", ""): one.find("c:value", body.N)
            for one in root.iter(f"{{{NS}}}observationMedia")
            if one.get("ID")
        }
        self._images: dict[str, tuple[int, str, str]] = {}
        self._notes: list[Node] = []
        self._numbers: dict[str, int] = {}
        self._inside_link = False
        self._makers: dict[str, Callable[[etree._Element, Node, int], None]] = {
            "br": self._break,
            "content": self._content,
            "footnote": self._footnote,
            "footnoteRef": self._footnote_ref,
            "item": self._item_alone,
            "linkHtml": self._link,
            "list": self._list,
            "paragraph": lambda one, to, depth: self._within(one, to, "div", depth, "cda-paragraph"),
            "renderMultiMedia": self._multimedia,
            "sub": lambda one, to, depth: self._within(one, to, "sub", depth),
            "sup": lambda one, to, depth: self._within(one, to, "sup", depth),
            "table": self._table,
        }

    def add(self, text: etree._Element, to: Node) -> None:
        """Add what a section's ``text`` says, then its footnotes."""
        self._notes, self._numbers = [], {}
        self._walk(text, to, 0)
        if self._notes:
            to.add("div", word("notes", self._language), class_="cda-notes")
            to.add("ol", class_="cda-notes").children.extend(self._notes)

    # -- walking ----------------------------------------------------------------------------------

    def _walk(self, element: etree._Element, to: Node, depth: int) -> None:
        """What an element holds, in order."""
        if element.get("nullFlavor") and not len(element) and not (element.text or "").strip():
            to.add("span", absent(element.get("nullFlavor", ""), self._language), class_="cda-absent")
        self._say(element.text, to)
        for child in element:
            self._one(child, to, depth + 1)
            self._say(child.tail, to)

    def _one(self, child: etree._Element, to: Node, depth: int) -> None:
        name = _name(child)
        if name in _UNSEEN or not isinstance(child.tag, str) or not self._budget.node():
            return
        if depth > MAX_DEPTH:
            self._say(" ".join(str(piece) for piece in child.itertext()), to)
            return
        maker = self._makers.get(name)
        if maker is not None:
            maker(child, to, depth)
        elif name in ("caption", "th", "td", "tr"):  # outside of what they belong to
            self._within(child, to, "div", depth)
        else:
            self._walk(child, to, depth)

    def _say(self, text: str | None, to: Node) -> None:
        if text:
            kept = self._budget.text(_SPACE.sub(" ", text))
            if kept:
                to.children.append(kept)

    def _within(self, element: etree._Element, to: Node, name: str, depth: int, style: str = "") -> None:
        made = to.add(name, **({"class_": style} if style else {}))
        self._walk(element, made, depth)

    # -- inline -----------------------------------------------------------------------------------

    def _break(self, element: etree._Element, to: Node, depth: int) -> None:
        to.add("br")
        self._walk(element, to, depth)  # empty by the schema; whatever it holds is kept

    def _content(self, element: etree._Element, to: Node, depth: int) -> None:
        revised = {"insert": "ins", "delete": "del"}.get(element.get("revised", ""), "span")
        styles = [_STYLES.get(one.casefold(), "") for one in element.get("styleCode", "").split()]
        style = " ".join(dict.fromkeys(filter(None, styles)))
        self._within(element, to, revised, depth, style)

    def _link(self, element: etree._Element, to: Node, depth: int) -> None:
        address = (element.get("href") or "").strip()
        if self._inside_link or _LINK.fullmatch(address) is None:
            self._walk(element, to, depth)
            return
        made = to.add("a", href=address, rel="noopener noreferrer nofollow")
        self._inside_link = True
        self._walk(element, made, depth)
        self._inside_link = False

    def _footnote(self, element: etree._Element, to: Node, depth: int) -> None:
        number = len(self._notes) + 1
        if element.get("ID"):
            self._numbers[element.get("ID", "")] = number
        to.add("sup", f"[{number}]", class_="cda-note")
        note = Node("li")
        self._notes.append(note)  # before what it holds: a note may hold another
        self._walk(element, note, depth)

    def _footnote_ref(self, element: etree._Element, to: Node, depth: int) -> None:
        number = self._numbers.get(element.get("IDREF", ""))
        if number is not None:
            to.add("sup", f"[{number}]", class_="cda-note")
        self._walk(element, to, depth)

    def _multimedia(self, element: etree._Element, to: Node, depth: int) -> None:
        for reference in (element.get("referencedObject") or "").split()[:20]:
            if self._budget.node():
                self._image(reference, to)
        self._walk(element, to, depth)  # its caption

    def _image(self, reference: str, to: Node) -> None:
        if reference not in self._images:  # decoded once, however often it is referred to
            self._images[reference] = self._read_image(self._media.get(reference))
        size, mime, address = self._images[reference]
        if address and self._budget.image(size):
            to.add("img", src=address, alt=word("image", self._language))
        else:
            what = "not_shown" if mime.startswith("image/") or not size else "attached"
            to.add("span", f"[{word(what, self._language)}]", class_="cda-absent")

    def _read_image(self, value: etree._Element | None) -> tuple[int, str, str]:
        """Octets of a media value, its type, and its address where it is an image that may still be shown."""
        if value is None:
            return 0, "", ""
        try:
            octets = body.decoded(value)
        except DossierError:
            octets = b""
        address = body.image_address(octets) if self._budget.fits(len(octets)) else ""
        return len(octets), body.kind_of(value), address

    # -- lists and tables -------------------------------------------------------------------------

    def _list(self, element: etree._Element, to: Node, depth: int) -> None:
        numbered = element.get("listType") == "ordered"
        marks = [_NUMBERS.get(one.casefold(), "") for one in element.get("styleCode", "").split()]
        mark = next(filter(None, marks), "")
        caption = next((one for one in element if _name(one) == "caption"), None)
        if caption is not None:
            self._within(caption, to, "div", depth, "cda-caption")
        made = to.add("ol" if numbered else "ul", **({"type_": mark} if numbered and mark else {}))
        for child in element:
            if child is not caption and self._budget.node():
                self._within(child, made, "li", depth)
        self._strays(element, to)

    def _item_alone(self, element: etree._Element, to: Node, depth: int) -> None:
        self._within(element, to, "div", depth)

    def _table(self, element: etree._Element, to: Node, depth: int) -> None:
        self._strays(element, to)
        made = to.add("table")
        # HTML Living Standard §4.9.1: the caption comes first, then heads, bodies, feet
        for child in element:
            if _name(child) == "caption" and not made.children and self._budget.node():
                self._within(child, made, "caption", depth)
        rows: list[etree._Element] = []
        for child in element:
            name = _name(child)
            if name in _ROW_PARENTS and self._budget.node():
                self._rows(list(child), made.add(name), depth + 1)
                self._strays(child, to)
            elif name not in ("caption", "col", "colgroup", *_ROW_PARENTS):
                rows.append(child)
        if rows:
            self._rows(rows, made.add("tbody"), depth)

    def _rows(self, elements: list[etree._Element], to: Node, depth: int) -> None:
        for element in elements:
            if not self._budget.node():
                return
            made = to.add("tr")
            cells = list(element) if _name(element) == "tr" else [element]
            for cell in cells:
                if self._budget.node():
                    self._cell(cell, made, depth + 2)
            if _name(element) == "tr":
                self._strays(element, made.add("td") if _stray(element) else made)

    def _cell(self, element: etree._Element, row: Node, depth: int) -> None:
        name = _name(element)
        made = row.add("th" if name == "th" else "td")
        for span, most in (("colspan", 100), ("rowspan", 1000)):
            number = element.get(span, "")
            if number.isascii() and number.isdigit() and len(number) < 6 and 1 < int(number) <= most:
                made.attributes[span] = number
        if element.get("align") in _ALIGNED:
            made.attributes["class"] = _ALIGNED[element.get("align", "")]
        if name in ("th", "td") and depth <= MAX_DEPTH:
            self._walk(element, made, depth)
        else:
            self._one(element, made, depth)

    def _strays(self, element: etree._Element, to: Node) -> None:
        """Text between rows or items, where none belongs."""
        text = _stray(element)
        if text:
            self._say(text, to)


def _stray(element: etree._Element) -> str:
    pieces = [element.text, *(child.tail for child in element)]
    return " ".join(piece.strip() for piece in pieces if piece and piece.strip())


def _name(element: etree._Element) -> str:
    """The local name; a foreign element of the same name says the same."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
