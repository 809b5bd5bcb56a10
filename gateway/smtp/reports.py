"""What delivery reports (DSN) and receipts (MDN) have in common: headers, boundaries, safe text."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime

# Header fields of the original that a report may show: enough to find the message, nothing of what it
# is about. Subject is left out on purpose: it may name a patient and an illness.
SHOWN_FIELDS = frozenset({"message-id", "date", "from", "to"})
_BASE64_STEP = 57 * 1024  # octets per step, a multiple of 57: lines of 76 characters


def new_boundary() -> str:
    """A boundary that no content holds: 128 random bits, and ``=_`` that no encoding produces."""
    return f"=_passerelle_{secrets.token_hex(16)}"


def rfc_date(moment: int) -> str:
    """``moment`` (ms) as RFC 5322 §3.3 writes it."""
    return format_datetime(datetime.fromtimestamp(moment / 1000, tz=UTC))


def encoded(text: str) -> str:
    """Text for a header field, as encoded words when it is not ASCII (RFC 2047)."""
    return text if text.isascii() else Header(text, "utf-8").encode(linesep="\r\n")


def one_line(text: str, limit: int = 400) -> str:
    """Text of others for a field of ours: printable ASCII, one line, bounded."""
    return "".join(char if " " <= char <= "~" else "?" for char in text.replace("\n", " "))[:limit]


def shown_header(header: bytes) -> bytes:
    """The fields of a message's header that a report may show, as they are (:data:`SHOWN_FIELDS`)."""
    kept = []
    for field in re.findall(rb"[^\r\n]+\r?\n?(?:[ \t][^\r\n]*\r?\n?)*", header):
        name = field.partition(b":")[0].strip().lower().decode("ascii", "replace")
        if name in SHOWN_FIELDS:
            kept.append(field.rstrip(b"\r\n"))
    return b"".join(field + b"\r\n" for field in kept)


def seven_bit(text: bytes) -> bytes:
    """Lines of text (CRLF) as quoted-printable (RFC 2045 §6.7): no relay needs to change them."""
    return binascii.b2a_qp(text, istext=True)


def base64_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 in lines of 76 characters (RFC 2045 §6.8), from pieces of any size."""
    pending = b""
    for chunk in chunks:
        pending += chunk
        whole = len(pending) // _BASE64_STEP * _BASE64_STEP
        for start in range(0, whole, _BASE64_STEP):
            yield _lines(pending[start : start + _BASE64_STEP])
        pending = pending[whole:]
    if pending:
        yield _lines(pending)


def _lines(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")
