"""The five kinds of file a level 1 document may wrap, and whether bytes really are what they claim.

CI-SIS "Structuration minimale" §nonXMLBody: PDF, plain text, RTF, JPEG, TIFF. A claim is believed only
when the content agrees: a renamed program is never put into a record.
"""

from __future__ import annotations

from typing import Final

from gateway.dmp_bridge.errors import CdaError

ALLOWED: Final = ("application/pdf", "text/plain", "text/rtf", "image/jpeg", "image/tiff")

_ALIASES: Final = {
    "application/x-pdf": "application/pdf",
    "application/rtf": "text/rtf",
    "application/x-rtf": "text/rtf",
    "text/richtext": "text/rtf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/x-tiff": "image/tiff",
}
_BY_EXTENSION: Final = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "rtf": "text/rtf",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "tif": "image/tiff",
    "tiff": "image/tiff",
}
_VAGUE: Final = {"application/octet-stream", "application/x-download", "binary/octet-stream", ""}


def kind(claimed: str, filename: str) -> str:
    """The allowed media type an attachment claims to be, "" when it is none of the five.

    Mailers often send ``application/octet-stream``: then the file name's extension is the claim.
    """
    claimed = claimed.lower()
    claimed = _ALIASES.get(claimed, claimed)
    if claimed in _VAGUE:
        return _BY_EXTENSION.get(filename.rpartition(".")[2].lower(), "")
    if claimed == "text/plain" and filename.lower().endswith(".rtf"):
        return "text/rtf"
    return claimed if claimed in ALLOWED else ""


def check(mime: str, content: bytes) -> None:
    """Raises :class:`CdaError` ``cda.media``: not one of the five kinds, empty, or not what it claims."""
    if mime not in ALLOWED:
        raise CdaError("cda.media", "only PDF, text, RTF, JPEG and TIFF can be filed")
    if not content:
        raise CdaError("cda.media", "an empty file cannot be filed")
    if not _is(mime, content):
        raise CdaError("cda.media", f"a file said to be {mime} is not one")


def _is(mime: str, content: bytes) -> bool:
    if mime == "application/pdf":
        return content.startswith(b"%PDF-") and b"%%EOF" in content[-4096:]  # ISO 32000-1 §7.5.2, §7.5.5
    if mime == "image/jpeg":
        return content.startswith(b"\xff\xd8\xff")
    if mime == "image/tiff":
        return content.startswith((b"II*\x00", b"MM\x00*"))
    if mime == "text/rtf":
        return content.startswith(b"{\\rtf")
    return b"\x00" not in content and not content.startswith(
        (b"%PDF-", b"{\\rtf", b"MZ", b"\x7fELF", b"PK\x03\x04")
    )
