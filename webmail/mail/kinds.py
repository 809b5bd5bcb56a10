"""What a file is, by its first octets: a name and a claimed media type are only what a stranger says."""

from __future__ import annotations

import io
import re
from typing import Final, Literal

import msgspec
from PIL import Image

from gateway.dmp_bridge import is_xdm_name
from webmail.languages import N_

#: Octets of the beginning that are looked at.
HEAD: Final = 4096
MAX_PIXELS: Final = 40_000_000
Look = Literal["", "pdf", "image", "text", "cda", "xdm", "mail"]


class Kind(msgspec.Struct, frozen=True):
    """``media`` is what the octets are ("application/octet-stream" when that is not known), ``label`` how it
    is called (a msgid), ``look`` how it can be looked at here, ``danger`` for what would act when opened."""

    media: str
    label: str
    look: Look = ""
    icon: str = "file"
    danger: bool = False


UNKNOWN: Final = Kind("application/octet-stream", N_("Fichier"))
PDF: Final = Kind("application/pdf", N_("Document PDF"), "pdf", "file-text")
TEXT: Final = Kind("text/plain", N_("Texte"), "text", "file-text")
PAGE: Final = Kind("text/html", N_("Page web"), "", "file", True)
PROGRAM: Final = Kind("application/x-msdownload", N_("Programme"), "", "file", True)
CDA: Final = Kind("text/xml", N_("Document de santé structuré (CDA)"), "cda", "file-text")
ARCHIVE: Final = Kind("application/zip", N_("Archive de documents de santé (IHE_XDM)"), "xdm", "folder")
ZIP: Final = Kind("application/zip", N_("Archive ZIP"), "", "folder")
MAIL: Final = Kind("message/rfc822", N_("Message joint"), "mail", "mail")
_IMAGE: Final = N_("Image")

_MAGIC: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", Kind("image/jpeg", _IMAGE, "image", "image")),
    (b"\x89PNG\r\n\x1a\n", Kind("image/png", _IMAGE, "image", "image")),
    (b"GIF87a", Kind("image/gif", _IMAGE, "image", "image")),
    (b"GIF89a", Kind("image/gif", _IMAGE, "image", "image")),
    (b"II*\x00", Kind("image/tiff", N_("Image TIFF"), "", "image")),
    (b"MM\x00*", Kind("image/tiff", N_("Image TIFF"), "", "image")),
    (b"{\\rtf", Kind("text/rtf", N_("Texte mis en forme (RTF)"), "", "file-text")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("application/x-ole-storage", N_("Document bureautique"))),
    (b"MZ", PROGRAM),
    (b"\x7fELF", PROGRAM),
    (b"#!", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),
    (b"L\x00\x00\x00\x01\x14\x02\x00", PROGRAM),  # a Windows shortcut
)
_OFFICE: Final = {
    "docx": N_("Document Word"),
    "xlsx": N_("Tableur Excel"),
    "pptx": N_("Présentation PowerPoint"),
    "odt": N_("Document texte (ODT)"),
    "ods": N_("Tableur (ODS)"),
}
_ACTIVE: Final = re.compile(
    rb"<\s*(?:!doctype\s+html|html|script|iframe|svg|body|head|img|object|embed|meta)\b"
)
_CALENDAR: Final = Kind("text/calendar", N_("Rendez-vous (calendrier)"), "text", "calendar")
#: Ends of names that a computer runs.
_RUNS: Final = frozenset(
    str.split(
        """
        exe com scr pif bat cmd msi msp vbs vbe js jse wsf wsh ps1 psm1 jar lnk hta cpl reg dll apk
        app dmg iso img vhd vhdx one chm docm xlsm pptm xlam sh desktop url website scf inf gadget
        application
        """
    )
)
_SEEN: Final = {
    "pdf": ("application/pdf",),
    "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",),
    "png": ("image/png",),
    "gif": ("image/gif",),
    "tif": ("image/tiff",),
    "tiff": ("image/tiff",),
    "txt": ("text/plain",),
    "rtf": ("text/rtf",),
    "zip": ("application/zip",),
    "docx": ("application/zip",),
    "doc": ("application/x-ole-storage", "text/rtf"),
}


def kind_of(head: bytes, name: str, claimed: str) -> Kind:
    """The kind of a file that begins with ``head``; name and claim decide only within a family of kinds."""
    ending = extension(name)
    if claimed == "message/rfc822":
        return MAIL
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _zipped(name, ending)
    if head[128:132] == b"DICM":
        return Kind("application/dicom", N_("Imagerie médicale (DICOM)"), "", "image")
    return _written(head, ending)


def _zipped(name: str, ending: str) -> Kind:
    if is_xdm_name(name):
        return ARCHIVE
    if ending in _OFFICE:
        return Kind("application/zip", _OFFICE[ending], "", "file-text")
    return Kind(ZIP.media, ZIP.label, "", "folder", ending in _RUNS)


def _written(head: bytes, ending: str) -> Kind:
    """A file of characters, or one that is not known."""
    folded = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"clinicaldocument" in folded and b"urn:hl7-org:v3" in folded:
        return CDA
    if folded.startswith(b"begin:vcalendar"):
        return _CALENDAR
    if _ACTIVE.search(folded):
        return PAGE
    if folded.startswith(b"<?xml"):
        return Kind("text/xml", N_("Données (XML)"))
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not head or (b"\x00" in head and not wide):
        return UNKNOWN
    if ending in _RUNS or ending in ("html", "htm", "xhtml", "svg", "xht", "mht", "mhtml"):
        return Kind("application/octet-stream", N_("Programme ou page active"), "", "file", True)
    return TEXT


def extension(name: str) -> str:
    """What stands behind the last point of a name, folded; "" for none."""
    return name.rpartition(".")[2].casefold().strip() if "." in name else ""


def pretends(name: str, kind: Kind) -> bool:
    """Whether a file's name promises something else than the file is: ``facture.pdf`` that is a program, or
    ``facture.pdf.exe``."""
    ending = extension(name)
    if ending in _RUNS:
        return True
    promised = _SEEN.get(ending)
    return promised is not None and kind is not UNKNOWN and kind.media not in promised


def raster(content: bytes) -> tuple[str, bytes] | None:
    """An image that a browser may show: its media type and octets; None for what is none, or costs too much.

    A GIF becomes the PNG of its first picture. Blocking.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "GIF"]) as image:
            if image.size[0] * image.size[1] > MAX_PIXELS:
                return None
            if image.format == "GIF":
                made = io.BytesIO()
                image.convert("RGBA").save(made, "PNG")
                return "image/png", made.getvalue()
            found = "image/jpeg" if image.format == "JPEG" else "image/png"
            image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, ValueError, SyntaxError):
        return None
    except (ArithmeticError, LookupError, TypeError, Warning):  # whatever a decoder says of such bytes
        return None
    return found, content
