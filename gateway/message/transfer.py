"""Transfer encodings undone as a stream (RFC 2045 §6), with the tolerance real mail needs."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

from gateway.message.words import loose_base64

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOISE = bytes(i for i in range(256) if i not in _BASE64 + b"=")
_PADDING = re.compile(rb"=+")
_LINE_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_LONG_LINE = 64 * 1024


def decode_stream(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The octets of a part's body once decoded. `encoding` is that of `Part.encoding`: base64 and
    quoted-printable are decoded, whatever else is passed as it is (RFC 2045 §6.4). Never refuses: octets that
    do not belong are passed over, a cut end is kept as far as it goes. Holds one chunk at a time."""
    if encoding == "base64":
        return _base64(chunks)
    if encoding == "quoted-printable":
        return _quoted_printable(chunks)
    return iter(chunks)


def _base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        data = held + chunk.translate(None, _NOISE)
        if b"=" in data:
            # Padding ends a run; another may follow where encoded files were put end to end. A run at the end
            # of the data may go on in the next chunk.
            *ended, data = _PADDING.split(data)
            for run in ended:
                if run:
                    yield loose_base64(run)
        whole = len(data) & ~3
        held = data[whole:]
        if whole:
            yield binascii.a2b_base64(data[:whole])
    if held:
        yield loose_base64(held)


def _quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        data = held + chunk
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > _LONG_LINE:
            cut = _safe_cut(data)
        held = data[cut:]
        if cut:
            yield _decode_lines(data[:cut])
    if held:
        yield _decode_lines(held)


def _safe_cut(data: bytes) -> int:
    """A place in a line without end where no escape and no run of blanks is cut in two."""
    stop = data.rfind(b"=", len(data) - 2)
    shown = data if stop < 0 else data[:stop]
    return len(shown.rstrip(b" \t\r")) or len(shown)


def _decode_lines(data: bytes) -> bytes:
    # RFC 2045 §6.7 (3): blanks before a line end were added on the way
    return binascii.a2b_qp(_LINE_BLANKS.sub(b"", data))
