"""A CDA document as a page: its header, then every section, or what its one file says."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from lxml import etree

from dossier import media
from dossier.cda import body
from dossier.cda.body import N
from dossier.cda.budget import Budget
from dossier.cda.header import add_header, title_of
from dossier.cda.narrative import Narrative
from dossier.cda.nodes import Node, to_html, to_text
from dossier.cda.words import Language, absent, word
from dossier.errors import DossierError

_SECTIONS: Final = 6  # depth of sections within sections
#: What no page may hold (XML 1.0 §2.2) and what moves a terminal: in a text file it may stand.
_UNSHOWN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A document made readable. ``html`` is one ``article`` whose elements and attributes are those of
    :data:`dossier.cda.nodes.ALLOWED`, its classes begin with ``cda-``; ``cut`` when something was too long to
    be shown; ``body_mime`` is the media type of the file a level 1 document wraps, else ""."""

    title: str
    html: str
    text: str
    cut: bool
    body_mime: str


def render(content: bytes, language: Language = "fr") -> Rendered:
    """Make a CDA document readable: header and narrative, in the document's words and our labels. Blocking.

    Raises :class:`UnsafeXmlError` (rules ``xml.*``), :class:`DossierError` ``dossier.cda`` (no CDA document).
    """
    root = body.read(content)
    budget = Budget()
    page = Node("article", {"class": "cda-document"})
    add_header(root, page, budget, language)
    structured = root.find("c:component/c:structuredBody", N)
    unstructured = root.find("c:component/c:nonXMLBody/c:text", N)
    body_mime = ""
    if structured is not None:
        narrative = Narrative(root, budget, language)
        for section in structured.iterfind("c:component/c:section", N):
            _section(section, page, narrative, budget, language, 1)
    elif unstructured is not None:
        body_mime = body.kind_of(unstructured)
        _file(unstructured, body_mime, page, budget, language)
    else:
        page.add("div", word("nothing", language), class_="cda-absent")
    if budget.cut:
        page.add("div", word("cut", language), class_="cda-cut")
    return Rendered(
        title=title_of(root), html=to_html(page), text=to_text(page), cut=budget.cut, body_mime=body_mime
    )


def _section(
    section: etree._Element,
    to: Node,
    narrative: Narrative,
    budget: Budget,
    language: Language,
    depth: int,
) -> None:
    if not budget.node():
        return
    made = to.add("section")
    title = section.find("c:title", N)
    heading = " ".join("".join(str(one) for one in title.itertext()).split()) if title is not None else ""
    if heading:
        made.add(f"h{min(depth + 1, 4)}", budget.text(heading))
    text = section.find("c:text", N)
    if text is not None:
        narrative.add(text, made)
    elif section.get("nullFlavor"):
        made.add("div", absent(section.get("nullFlavor", ""), language), class_="cda-absent")
    for inner in section.iterfind("c:component/c:section", N):
        if depth < _SECTIONS:
            _section(inner, made, narrative, budget, language, depth + 1)
        else:
            budget.cut = True


def _file(text: etree._Element, mime: str, to: Node, budget: Budget, language: Language) -> None:
    """The one file of a level 1 document: shown where it is a text or an image, else named."""
    try:
        octets = body.decoded(text)
    except DossierError:
        octets = b""
    address = body.image_address(octets) if budget.image(len(octets)) else ""
    if address:
        to.add("img", src=address, alt=word("image", language))
    elif mime == "text/plain" and media.is_kind(mime, octets):
        made = to.add("div", class_="cda-text")
        for line in budget.text(octets.decode("utf-8", "replace")).splitlines():
            if budget.node():
                made.children.append(_UNSHOWN.sub("", line))
                made.add("br")
    else:
        known = mime if mime in media.PATIENT_KINDS else "?"
        to.add("div", f"{word('file', language)} ({known}).", class_="cda-file")
