"""The lines that stand before a stored message: Return-Path, Received, Authentication-Results.

The message itself is never touched; IMAP serves prefix + raw. Pure functions, ASCII out (an address
that needs SMTPUTF8 stays UTF-8, RFC 6532 §3.2), lines folded below 78 octets where a space allows it.

An Authentication-Results line that came inside a message is left there, since its bytes are the
sender's (and maybe signed): only the topmost one, in the prefix, is ours (RFC 8601 §5).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

import msgspec

from gateway.routing.model import Envelope, Origin

_TOKEN = re.compile(r"[A-Za-z0-9.!#$%&'*+\-^_`|~@]+")  # RFC 8601 §2.2: value without quotes
_FOLD_AT = 76


class AuthResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result of RFC 8601 §2.2, e.g. method ``dkim``, result ``pass``, ``header.d`` → ``a.example``."""

    method: str
    result: str
    reason: str = ""
    properties: dict[str, str] = msgspec.field(default_factory=dict)


def build_prefix(
    envelope: Envelope, origin: Origin, hostname: str, recipient: str, results: Iterable[AuthResult] = ()
) -> bytes:
    """The whole prefix of one recipient's copy.

    :param recipient: whose copy it is; named in Received and nobody else (no leak between recipients).
    :param results: what was checked beyond the session; the session's own result comes first.
    """
    return (
        return_path(envelope.mail_from)
        + received(envelope, origin, hostname, recipient)
        + authentication_results(hostname, [*session_results(envelope, origin), *results])
    )


def return_path(mail_from: str) -> bytes:
    """RFC 5321 §4.4: the last hop writes the reverse-path at the top."""
    return f"Return-Path: <{mail_from}>\r\n".encode()


def received(envelope: Envelope, origin: Origin, hostname: str, recipient: str = "") -> bytes:
    """RFC 5321 §4.4, with the cipher and, from an operator, the subject of its certificate as comments.

    From where a patient writes is not told (RFC 5321 §7.6): his device's name and address lead to his home.
    """
    client = f"{_helo(envelope.helo)} ({_address_literal(envelope.peer)})"
    if origin.kind == "patient":
        client = hostname
    where = _where(client, origin.dn, hostname, envelope.protocol, origin.tls)
    words = [where, "id", envelope.trace_id]
    if recipient:
        words.append(f"for <{recipient}>")
    words[-1] += ";"
    moment = datetime.fromtimestamp(envelope.received_at / 1000, tz=UTC)
    return _fold(" ".join([*words, format_datetime(moment)]))


@lru_cache(maxsize=1024)
def _where(client: str, dn: str, hostname: str, protocol: str, tls: str) -> str:
    """The part of Received that all messages of a session share."""
    words = ["Received: from", client]
    if dn:
        words.append(f"({_comment('certificate ' + dn)})")
    words += ["by", hostname, "(Passerelle)"]
    if protocol:
        words += ["with", protocol]
    if tls:
        words.append(f"({_comment(tls)})")
    return " ".join(words)


def session_results(envelope: Envelope, origin: Origin) -> list[AuthResult]:
    """What the session proved: ``auth`` for SASL (RFC 8601 §2.7.4), ``x-mtls`` for a certificate."""
    if origin.kind in ("professional", "patient"):
        proven = origin.address or origin.id_nat or origin.struct_id
        return [AuthResult(method="auth", result="pass", properties={"smtp.auth": proven})]
    if origin.kind == "operator":
        properties = {"smtp.mailfrom": envelope.mail_from or "<>", "x-tls.subject": origin.dn}
        return [AuthResult(method="x-mtls", result="pass", properties=properties)]
    return []


def authentication_results(hostname: str, results: Iterable[AuthResult]) -> bytes:
    """The Authentication-Results line (RFC 8601 §2.2); "none" when nothing was checked."""
    texts = []
    for item in results:
        words = [f"{item.method}={item.result}"]
        if item.reason:
            words.append(f"reason={_value(item.reason)}")
        words += [f"{name}={_value(value)}" for name, value in item.properties.items()]
        texts.append(" ".join(words))
    return _fold("; ".join([f"Authentication-Results: {hostname}", *(texts or ["none"])]))


def _helo(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9.\-\[\]:]+", name) else "unknown"


def _address_literal(peer: str) -> str:
    if re.fullmatch(r"[0-9.]+", peer):
        return f"[{peer}]"
    return f"[IPv6:{peer}]" if re.fullmatch(r"[0-9A-Fa-f:.]+", peer) else "unknown"  # RFC 5321 §4.1.3


def _ascii(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return "".join(char if " " <= char <= "~" else " " for char in plain)


def _comment(text: str) -> str:
    return re.sub(r"([()\\])", r"\\\1", _ascii(text))  # RFC 5322 §3.2.2


def _value(text: str) -> str:
    if _TOKEN.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", _ascii(text)) + '"'


def _fold(line: str) -> bytes:
    """Break at spaces (RFC 5322 §2.2.3), never within the first 2 words; ends with CRLF."""
    lines, current = [], ""
    for word in line.split(" "):
        if current and len(current) + 1 + len(word) > _FOLD_AT and current.rstrip() not in ("", "\t"):
            lines.append(current)
            current = "\t" + word
        else:
            current = f"{current} {word}" if current else word
    lines.append(current)
    return "\r\n".join(lines).encode() + b"\r\n"
