"""Signs a message of ours: multipart/signed around what it was (RFC 8551 §3.5, RFC 1847 §2.1).

The fields that describe the content go into the signed part with it; the others stay outside, where
transport and readers look for them. The signed part is 7-bit text, which no relay needs to change.
"""

from __future__ import annotations

import base64
import re

import structlog

from certs import Signer, Signing, sign_cms
from gateway.smtp.reports import new_boundary
from store import now_ms
from store.errors import InvalidInputError, PasserelleError

log = structlog.get_logger("smtp")

_FIELD = re.compile(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*")


def sign_message(raw: bytes, signer: Signer, at: int) -> bytes:
    """The message with a detached signature beside its content. Blocking: a millisecond or more.

    :param raw: a whole message with CRLF line ends, its content 7-bit. :param at: the signing time (ms).
    :raises InvalidInputError: it is not 7-bit text, so that a relay might alter it.
    :raises PasserelleError: the key cannot be used.
    """
    header, blank, body = raw.partition(b"\r\n\r\n")
    outside: list[bytes] = []
    inside: list[bytes] = []
    for field in _FIELD.findall(header + b"\r\n"):
        name = field.partition(b":")[0].strip().lower()
        (inside if name.startswith(b"content-") else outside).append(field)
    entity = b"".join(inside) + b"\r\n" + body
    if not blank or not entity.isascii():  # RFC 8551 §3.1.3
        raise InvalidInputError("report.encoding", "what is signed must be 7-bit text with a header")
    boundary = new_boundary().encode()
    signature = base64.encodebytes(sign_cms(entity, signer, at)).replace(b"\n", b"\r\n")
    return b"".join(
        [
            *outside,
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n'
            b'\tmicalg=sha-256; boundary="%b"\r\n\r\n' % boundary,
            b"--%b\r\n" % boundary,
            entity,
            b"\r\n--%b\r\n" % boundary,
            b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n'
            b"Content-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n',
            signature,
            b"--%b--\r\n" % boundary,
        ]
    )


def signed_or_not(raw: bytes, signing: Signing | None) -> bytes:
    """The message signed now, or as it is: without a signer, and when the key cannot be used at the moment.

    A report that is late proves less than one that is not signed. Blocking.
    """
    signer = signing() if signing is not None else None
    if signer is None:
        return raw
    try:
        return sign_message(raw, signer, now_ms())
    except PasserelleError as error:
        log.error("report_not_signed", rule=error.rule, reason=error.log)
        return raw
