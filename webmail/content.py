"""Files given to a browser: which are shown, under which name they are kept, and the head they travel with.

What strangers sent is never given as a page of this site: only the kinds of :data:`SHOWN` are shown, each
under a policy that lets nothing run or load; everything else is a download of no particular kind.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dossier import clean_filename, file_extension
from store import Store
from webmail.rendering import PAGE_HEADERS, STATIC

#: What a browser shows by itself, if it really is that (see :func:`dossier.is_kind`).
SHOWN: Final = ("application/pdf", "image/jpeg", "image/png", "text/plain")
#: Kinds that keep their name on download; others are "some octets".
_KEPT: Final = (
    *SHOWN,
    "text/rtf",
    "text/csv",
    "image/tiff",
    "image/gif",
    "image/webp",
    "application/json",
    "application/zip",
)
_VAGUE: Final = "application/octet-stream"
_NOT_ASCII: Final = re.compile(r"[^A-Za-z0-9._ -]+")

#: Of a file in a frame of ours. A browser's own viewer of PDFs does not start in a sandbox; nothing of ours
#: is within its reach all the same: no script, no form, no address.
_FILE: Final = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
#: How documents look in their frames. It stands in the page itself: a frame of its own origin may load
#: nothing of this site.
STYLE: Final = (STATIC / "document.css").read_text(encoding="utf-8").strip()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
#: Of a page that we made out of a stranger's document: its own origin, no script, nothing from elsewhere; its
#: one style is known by its digest. Links open outside.
_FRAME: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "
    f"style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def file_name(name: str, media: str, otherwise: str = "document") -> str:
    """A name fit for any device: of one line, without a path, ending as the kind of file ends."""
    ending = file_extension(media) if media in _KEPT else ""
    cleaned = clean_filename(name) or otherwise
    if not ending or ending == "bin":
        return cleaned
    stem, point, last = cleaned.rpartition(".")
    same = {"jpeg": "jpg", "tiff": "tif"}.get(last.lower(), last.lower()) == ending
    if same:
        return cleaned
    known = point and last.isascii() and last.isalnum() and len(last) <= 4
    return f"{stem if known and stem else cleaned}.{ending}"


#: Of everything that a stranger wrote: not told apart by guessing, shown by our own pages alone.
_GUARDED: Final = {
    **PAGE_HEADERS,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}


def disposition(name: str, *, shown: bool) -> str:
    """The value of Content-Disposition: the plain name for old clients, the true one beside it."""
    kind = "inline" if shown else "attachment"  # RFC 6266 §4.2
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _NOT_ASCII.sub("_", plain).strip() or "document"
    if plain == name:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"  # RFC 8187 §3.2.1


def head(name: str, media: str, *, shown: bool = False) -> dict[str, str]:
    """The head of a file: shown only where it may be, never guessed at, kept by no cache.

    :param media: what the file is; the caller has looked at its octets.
    """
    shown = shown and media in SHOWN
    kind = media if media in _KEPT else _VAGUE
    if kind in ("text/plain", "text/csv"):
        kind = f"{kind}; charset=utf-8"
    return {
        **_GUARDED,
        "Content-Type": kind,
        "Content-Disposition": disposition(file_name(name, media), shown=shown),
        "Content-Security-Policy": _FILE if shown else f"sandbox; {_FILE}",
    }


def frame(body: str, *, policy: str = _FRAME) -> Response:
    """A page for a sandboxed frame, made out of a stranger's document; its one style is :data:`STYLE`."""
    headers = {**_GUARDED, "Content-Security-Policy": policy}
    return Response(body, headers=headers, media_type="text/html")


def streamed(
    store: Store, chunks: Callable[[], Iterator[bytes]], size: int, headers: dict[str, str]
) -> Response:
    """A file sent piece by piece, each read in a thread.

    :param chunks: begins to read; it and what it gives may block.
    """

    async def pieces() -> AsyncIterator[bytes]:
        reading = await store.in_thread(chunks)
        while piece := await store.in_thread(next, reading, b""):
            yield piece

    return StreamingResponse(pieces(), headers={**headers, "Content-Length": str(size)})


def is_look_ahead(request: Request) -> bool:
    """Whether nobody is going to see the answer: HEAD, or a browser that asks before a person did."""
    wanted = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    return request.method == "HEAD" or any("prefetch" in one or "preview" in one for one in wanted)
