"""The kinds of file the record takes, and whether bytes really are what they claim.

CI-SIS "Structuration minimale" §nonXMLBody: PDF, plain text, RTF, JPEG, TIFF; from patients also PNG. A claim
is believed only when the content agrees: a renamed program is never put into a record.
"""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, UnidentifiedImageError

from dossier.errors import DossierError

#: What professionals' documents may wrap.
FILE_KINDS: Final = ("application/pdf", "text/plain", "text/rtf", "image/jpeg", "image/tiff")
#: What a patient may deposit.
PATIENT_KINDS: Final = (*FILE_KINDS, "image/png")
#: The largest file a patient may deposit, in octets: the 5 MB that are told to him.
PATIENT_LIMIT: Final = 5_000_000
#: An image beyond this, all its pages together, costs too much to show: an A4 page of 600 dpi is 35 million.
MAX_PIXELS: Final = 60_000_000
MAX_PAGES: Final = 200

_ALIASES: Final = {
    "application/x-pdf": "application/pdf",
    "application/rtf": "text/rtf",
    "application/x-rtf": "text/rtf",
    "text/richtext": "text/rtf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/x-tiff": "image/tiff",
    "image/x-png": "image/png",
}
_BY_EXTENSION: Final = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "rtf": "text/rtf",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "png": "image/png",
}
_EXTENSIONS: Final = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/rtf": "rtf",
    "image/jpeg": "jpg",
    "image/tiff": "tif",
    "image/png": "png",
    "text/xml": "xml",
}
_VAGUE: Final = {"application/octet-stream", "application/x-download", "binary/octet-stream", ""}
_PILLOW: Final = {"image/jpeg": "JPEG", "image/tiff": "TIFF", "image/png": "PNG"}
_NAMES: Final = {
    "application/pdf": "PDF",
    "text/plain": "TXT",
    "text/rtf": "RTF",
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "image/png": "PNG",
}


def kind(claimed: str, filename: str, kinds: tuple[str, ...] = FILE_KINDS) -> str:
    """The media type of ``kinds`` that a file claims to be, "" when it is none of them.

    Mailers often send ``application/octet-stream``: then the file name's extension is the claim.
    """
    claimed = claimed.partition(";")[0].strip().lower()
    claimed = _ALIASES.get(claimed, claimed)
    if claimed in _VAGUE:
        claimed = _BY_EXTENSION.get(filename.rpartition(".")[2].lower(), "")
    elif claimed == "text/plain" and filename.lower().endswith(".rtf"):
        claimed = "text/rtf"
    return claimed if claimed in kinds else ""


def extension(mime: str) -> str:
    """The extension of a file of this kind, "bin" for one that is not known."""
    return _EXTENSIONS.get(mime, "bin")


def listed(kinds: tuple[str, ...] = FILE_KINDS) -> str:
    """The kinds in words: "PDF, TXT, RTF, JPEG and TIFF"."""
    names = [_NAMES[mime] for mime in kinds]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def is_kind(mime: str, content: bytes) -> bool:
    """Whether bytes begin and end as their media type wants. Nothing is decoded."""
    if mime == "application/pdf":
        return content.startswith(b"%PDF-") and b"%%EOF" in content[-4096:]  # ISO 32000-1 §7.5.2, §7.5.5
    if mime == "image/jpeg":
        return content.startswith(b"\xff\xd8\xff")
    if mime == "image/tiff":
        return content.startswith((b"II*\x00", b"MM\x00*"))
    if mime == "image/png":
        return content.startswith(b"\x89PNG\r\n\x1a\n")
    if mime == "text/rtf":
        return content.startswith(b"{\\rtf")
    return (
        mime == "text/plain"
        and b"\x00" not in content
        and not content.startswith((b"%PDF-", b"{\\rtf", b"MZ", b"\x7fELF", b"PK\x03\x04", b"\x89PNG"))
    )


def check(mime: str, content: bytes, kinds: tuple[str, ...] = FILE_KINDS) -> None:
    """Refuse what is not the file it claims to be. Blocking: images are opened.

    Raises :class:`DossierError`: ``dossier.media`` (not one of ``kinds``, empty, something else than it
    claims, an image that does not open), ``dossier.image`` (an image that would cost too much to show).
    """
    if mime not in kinds:
        raise DossierError("dossier.media", f"only {listed(kinds)} files can be deposited")
    if not content:
        raise DossierError("dossier.media", "an empty file cannot be deposited")
    if not is_kind(mime, content):
        raise DossierError("dossier.media", f"a file said to be {mime} is not one")
    if mime in _PILLOW:
        check_image(mime, content)


def check_image(mime: str, content: bytes) -> tuple[int, int]:
    """Width and height in pixels of an image that opens and is not too large. Raises as :func:`check`."""
    try:
        with Image.open(io.BytesIO(content), formats=[_PILLOW[mime]]) as image:
            size, pages = image.size, 1
            pixels = size[0] * size[1]
            while pixels <= MAX_PIXELS and pages <= MAX_PAGES and _turn(image, pages):
                pixels += image.size[0] * image.size[1]
                pages += 1
        if pixels > MAX_PIXELS or pages > MAX_PAGES:
            raise DossierError("dossier.image", "the image is too large: more than 60 million pixels")
        if mime != "image/tiff":  # its pages were walked through
            with Image.open(io.BytesIO(content), formats=[_PILLOW[mime]]) as image:
                image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DossierError("dossier.image", "the image is too large: more than 60 million pixels") from None
    except DossierError:
        raise
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        ArithmeticError,
        LookupError,
        TypeError,
        Warning,
    ):
        # whatever a decoder says of bytes that are no image of this kind
        raise DossierError("dossier.media", f"a file said to be {mime} is damaged or is not one") from None
    return size


def _turn(image: Image.Image, page: int) -> bool:
    """Go to a page of an image; False when there is none. A PNG that moves shows its first picture."""
    if image.format != "TIFF":
        return False
    try:
        image.seek(page)
    except EOFError:
        return False
    return True
