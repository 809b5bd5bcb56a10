"""Pictures of any kind made into ones that every browser shows: drawn anew, so that nothing but the picture
is left of a stranger's file."""

from __future__ import annotations

import base64
import io
from typing import Final

import msgspec
from PIL import Image, ImageOps

from dossier import DossierError, check_file

#: Pages of a TIFF that are shown, their width and height at most, and octets of all together.
MOST_PAGES: Final = 30
_EDGE: Final = (1800, 2600)
_ROOM: Final = 12_000_000
_QUALITY: Final = 82
_KINDS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/tiff": "TIFF"}
#: What a decoder says of a damaged picture, and of one that is too large.
_BROKEN: Final = (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, Warning)


class Pictures(msgspec.Struct, frozen=True):
    """``addresses`` are data: addresses (RFC 2397 §2), one for each page; ``cut``: there are more pages."""

    addresses: list[str]
    cut: bool = False


def draw(media: str, content: bytes) -> Pictures:
    """The pages of a picture. Blocking.

    Raises :class:`DossierError`: ``dossier.media``, ``dossier.image`` (see :func:`dossier.check_file`).
    """
    check_file(media, content, tuple(_KINDS))
    addresses: list[str] = []
    room = _ROOM
    try:
        with Image.open(io.BytesIO(content), formats=[_KINDS[media]]) as image:
            pages = getattr(image, "n_frames", 1) if media == "image/tiff" else 1
            for page in range(min(pages, MOST_PAGES)):
                if pages > 1:
                    image.seek(page)
                address = _page(image)
                room -= len(address)
                if addresses and room < 0:
                    return Pictures(addresses, cut=True)
                addresses.append(address)
    except Image.DecompressionBombError:
        raise DossierError("dossier.image", "the image is too large to be shown") from None
    except _BROKEN:
        raise DossierError("dossier.media", "the image is damaged") from None
    return Pictures(addresses, cut=pages > len(addresses))


def _page(image: Image.Image) -> str:
    """One page as it is to be seen: turned as the camera was held, no larger than a screen takes."""
    image.draft("RGB", _EDGE)
    turned = ImageOps.exif_transpose(image)
    plain = turned.mode in ("1", "L", "P", "LA", "PA", "RGBA") and image.format != "JPEG"
    drawn = turned.convert("RGBA" if "A" in turned.mode or "transparency" in turned.info else "RGB")
    if drawn.mode == "RGBA":
        paper = Image.new("RGB", drawn.size, "white")
        paper.paste(drawn, mask=drawn.getchannel("A"))
        drawn = paper
    drawn.thumbnail(_EDGE)
    written = io.BytesIO()
    if plain:
        drawn.quantize(64).save(written, "PNG")
        return _address("image/png", written)
    drawn.save(written, "JPEG", quality=_QUALITY)
    return _address("image/jpeg", written)


def _address(media: str, written: io.BytesIO) -> str:
    return f"data:{media};base64,{base64.b64encode(written.getvalue()).decode('ascii')}"
