"""The five kinds of file a level 1 document may wrap, and whether bytes really are what they claim."""

from __future__ import annotations

from dossier import FILE_KINDS, file_kind, is_kind
from gateway.dmp_bridge.errors import CdaError


def kind(claimed: str, filename: str) -> str:
    """The allowed media type an attachment claims to be, "" when it is none of the five."""
    return file_kind(claimed, filename)


def check(mime: str, content: bytes) -> None:
    """Raises :class:`CdaError` ``cda.media``: not one of the five kinds, empty, or not what it claims."""
    if mime not in FILE_KINDS:
        raise CdaError("cda.media", "only PDF, text, RTF, JPEG and TIFF can be filed")
    if not content:
        raise CdaError("cda.media", "an empty file cannot be filed")
    if not is_kind(mime, content):
        raise CdaError("cda.media", f"a file said to be {mime} is not one")
