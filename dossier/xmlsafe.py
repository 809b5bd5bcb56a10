"""XML from strangers: one hardened parser for METADATA.XML and CDA documents.

Refused before parsing: a DTD (so no entity of any kind can be declared) and encodings that are not
ASCII-compatible. Counted while parsing: depth and elements. Network and files are never touched.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from dossier.errors import UnsafeXmlError

MAX_XML: Final = 26 * 1024 * 1024
MAX_DEPTH: Final = 200
MAX_ELEMENTS: Final = 300_000
_CHUNK: Final = 64 * 1024
_LIBXML_TEXT: Final = 9_000_000  # libxml2 refuses a text node above 10 MB unless told otherwise
#: The XML declaration (XML 1.0 §2.8): whoever hides an encoding in another shape is refused.
_DECLARATION: Final = re.compile(
    rb"""<\?xml\s{1,20}version\s{0,20}=\s{0,20}["']1\.[0-9]["']"""
    rb"""(?:\s{1,20}encoding\s{0,20}=\s{0,20}["']([A-Za-z0-9._-]{1,40})["'])?"""
    rb"""(?:\s{1,20}standalone\s{0,20}=\s{0,20}["'](?:yes|no)["'])?\s{0,20}\?>"""
)
_ENCODINGS: Final = {b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252"}


def parse(data: bytes, what: str, *, limit: int = MAX_XML) -> etree._Element:
    """The root element of ``data``, without comments and processing instructions.

    ``what`` names the input in errors ("METADATA.XML", "CDA"). Raises :class:`UnsafeXmlError`: ``xml.size``
    (above ``limit`` bytes), ``xml.encoding``, ``xml.dtd``, ``xml.depth``, ``xml.syntax``.
    """
    if len(data) > limit:
        raise UnsafeXmlError("xml.size", f"{what} is larger than {limit // (1024 * 1024)} MiB")
    _check_encoding(data, what)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnsafeXmlError("xml.dtd", f"{what} has a DTD or entities, which are not accepted")
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=len(data) > _LIBXML_TEXT,
        remove_comments=True,
        remove_pis=True,
    )
    depth = elements = 0
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
            for event, _ in parser.read_events():
                depth += 1 if event == "start" else -1
                elements += event == "start"
                if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
                    raise UnsafeXmlError("xml.depth", f"{what} is nested too deep or has too many elements")
        root: etree._Element = parser.close()
    except etree.XMLSyntaxError as error:
        where = f" at line {error.lineno}" if error.lineno else ""
        raise UnsafeXmlError("xml.syntax", f"{what} is not well-formed XML{where}") from None
    except (ValueError, LookupError):
        raise UnsafeXmlError("xml.syntax", f"{what} is not well-formed XML") from None
    return root


def _check_encoding(data: bytes, what: str) -> None:
    if b"\x00" in data[:4] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnsafeXmlError("xml.encoding", f"{what} is in an encoding that is not accepted")
    head = data[:400].removeprefix(b"\xef\xbb\xbf")
    if not re.match(rb"<\?xml\s", head):
        return
    declared = _DECLARATION.match(head)
    if declared is None or (declared[1] or b"utf-8").lower() not in _ENCODINGS:
        raise UnsafeXmlError("xml.encoding", f"{what} is in an encoding that is not accepted")
