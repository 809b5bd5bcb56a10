"""Files inside a CDA document: the body of level 1, the PDF copy of a structured one, images of the text."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from lxml import etree

from dossier import media, xmlsafe
from dossier.errors import DossierError

NS: Final = "urn:hl7-org:v3"
N: Final = {"c": NS}
#: Section of a structured document that holds its copy as PDF (CI-SIS "Structuration minimale").
_COPY: Final = "1.2.250.1.213.1.1.2.243"
_SHOWN: Final = ("image/jpeg", "image/png")
_NOISE: Final = str.maketrans("", "", " \t\r\n")


def read(content: bytes) -> etree._Element:
    """The root of a CDA document. Raises :class:`UnsafeXmlError`, :class:`DossierError` ``dossier.cda``."""
    root = xmlsafe.parse(content, "the CDA document")
    if root.tag != f"{{{NS}}}ClinicalDocument":
        raise DossierError("dossier.cda", "the document is not a CDA ClinicalDocument")
    return root


def embedded(content: bytes) -> tuple[str, bytes] | None:
    """The file inside a CDA document: media type and octets; None when there is none.

    Raises :class:`UnsafeXmlError`, :class:`DossierError`: ``dossier.cda`` (no CDA document, undecodable),
    ``dossier.media`` (not the file it claims to be).
    """
    found = _file(read(content))
    if found is None:
        return None
    mime, octets = found
    if mime not in media.FILE_KINDS or not media.is_kind(mime, octets):
        raise DossierError("dossier.media", "the file inside the document is not what it claims to be")
    return mime, octets


def _file(root: etree._Element) -> tuple[str, bytes] | None:
    text = root.find("c:component/c:nonXMLBody/c:text", N)
    if text is not None:
        return kind_of(text), decoded(text)
    for section in root.iter(f"{{{NS}}}section"):
        if any(one.get("root") == _COPY for one in section.findall("c:templateId", N)):
            for value in section.iterfind(".//c:observationMedia/c:value", N):
                return kind_of(value), decoded(value)
    return None


def kind_of(element: etree._Element) -> str:
    """The media type that an encapsulated value claims (HL7 ED.mediaType; text/plain when none is said)."""
    claimed = (element.get("mediaType") or "text/plain").strip().lower()
    return media.kind(claimed, "", media.PATIENT_KINDS) or claimed


def decoded(element: etree._Element) -> bytes:
    """The octets of an encapsulated value. Raises :class:`DossierError` ``dossier.cda``."""
    content = "".join(str(piece) for piece in element.itertext())
    if element.get("representation") != "B64":
        return content.strip().encode()
    try:
        return base64.b64decode(content.translate(_NOISE), validate=True)
    except (binascii.Error, ValueError):
        raise DossierError("dossier.cda", "the base64 content of the document cannot be decoded") from None


def image_address(octets: bytes) -> str:
    """A ``data:`` address (RFC 2397 §2) of an image that a browser shows, by what it is and not by what it is
    said to be; "" for anything else."""
    mime = next((one for one in _SHOWN if media.is_kind(one, octets)), "")
    if not mime:
        return ""
    try:
        media.check(mime, octets, _SHOWN)
    except DossierError:
        return ""
    return f"data:{mime};base64,{base64.b64encode(octets).decode('ascii')}"
