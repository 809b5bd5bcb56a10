"""What PDF/A-1b asks of the file beyond embedded fonts, and a moment of making that is no clock's.

Clauses are those of ISO 19005-1:2005. The library writes none of this by itself: its document is completed
before it is saved.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.pdfbase.pdfdoc import (
    NoEncryption,
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFObject,
    PDFStream,
    PDFString,
    pdfdocEnc,
)
from reportlab.pdfgen.canvas import Canvas

#: The colours of sRGB, adapted to D50, as an ICC profile of version 2 writes them (clause 6.2.2).
_COLOURANTS: Final = {
    b"wtpt": (0.9642, 1.0, 0.8249),
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_CONDITION: Final = "sRGB, gamma 2.2"
_XMP: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/">
<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt></dc:description>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<pdf:Keywords></pdf:Keywords><pdf:Producer>{producer}</pdf:Producer>
<xmp:CreatorTool>{creator}</xmp:CreatorTool>
<xmp:CreateDate>{date}</xmp:CreateDate><xmp:ModifyDate>{date}</xmp:ModifyDate>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>
"""


class _Line(PDFObject):
    """Bytes of a stream, after which ``endstream`` stands on a line of its own (clause 6.1.7)."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __len__(self) -> int:
        return len(self.content)

    def format(self, document: Any) -> bytes:
        return self.content + b"\n"


class _Plain(NoEncryption):
    """No encryption: the library's last step for each stream, where its end is set right."""

    def encode(self, content: bytes | str) -> _Line:
        return _Line(content if isinstance(content, bytes) else pdfdocEnc(content))


def dated(canvas: Canvas, made_at: int) -> None:
    """Have the document say that it was made at ``made_at`` (ms), in UTC, whatever the clock says."""
    moment = datetime.fromtimestamp(made_at / 1000, UTC)
    document: Any = canvas._doc  # type: ignore[attr-defined]  # the library offers no other way
    stamp = document._timeStamp
    stamp.t, stamp.YMDhms, stamp.dhh, stamp.dmm = made_at / 1000, tuple(moment.timetuple()[:6]), 0, 0
    document.updateSignature(str(made_at))


def archival(canvas: Canvas, made_at: int) -> None:
    """Complete a document that is about to be saved: metadata (clause 6.7), output intent (6.2.2), ends of
    streams. Its information (title, author…) is final by then."""
    document: Any = canvas._doc  # type: ignore[attr-defined]  # as above
    info, catalog = document.info, document.Catalog
    date = datetime.fromtimestamp(made_at // 1000, UTC).isoformat()
    told = {
        name: escape(getattr(info, name)) for name in ("title", "author", "subject", "producer", "creator")
    }
    xmp = _XMP.format(language=escape(catalog.Lang.s), date=date, **told)
    metadata = PDFStream(
        PDFDictionary({"Type": PDFName("Metadata"), "Subtype": PDFName("XML")}), xmp.encode()
    )  # not compressed: clause 6.7.2
    profile = PDFStream(PDFDictionary({"N": 3}), icc_profile())
    intent = PDFDictionary(
        {
            "Type": PDFName("OutputIntent"),
            "S": PDFName("GTS_PDFA1"),
            "OutputConditionIdentifier": PDFString(_CONDITION),
            "Info": PDFString(_CONDITION),
            "DestOutputProfile": document.Reference(profile),
        }
    )
    catalog.Metadata = metadata
    catalog.OutputIntents = PDFArray([intent])
    catalog.__NoDefault__ = catalog.__Refs__ = [*catalog.__NoDefault__, "OutputIntents"]
    document.encrypt = _Plain()


@cache
def icc_profile() -> bytes:
    """A display profile of version 2.1 with the colours of sRGB and a gamma of 2.2: same bytes every time."""
    text = _CONDITION.encode()
    tags = {
        # ASCII with its length; no Unicode, no Macintosh words
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 8 + 3 + 67),
        b"cprt": b"text" + bytes(4) + b"Public domain\0",
        **{name: b"XYZ " + bytes(4) + _fixed(*values) for name, values in _COLOURANTS.items()},
        **{
            name: b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256))
            for name in (b"rTRC", b"gTRC", b"bTRC")
        },
    }
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(data), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(4 * 6) + _fixed(0.9642, 1.0, 0.8249)
    return head + bytes(128 - len(head)) + table + data


def _fixed(*values: float) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in values))
