"""Where the signature of a signed message stands, and which octets it signs (RFC 8551 §3.4, §3.5).

Only a message that is signed as a whole is found: a signed message within another (forwarded, or wrapped by
a mailing list) is that other's content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from gateway.message.types import MessageIndex, Part

_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_OBJECTS = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_ENCRYPTED = frozenset({"enveloped-data", "authenveloped-data"})


class SignedParts(msgspec.Struct, frozen=True, kw_only=True):
    """Octets of the raw message as [start, end).

    :param kind: "detached" (the signature is beside the content), "opaque" (the content is within the
        object), "encrypted" (it says so: nothing can be read of it).
    :param part: the IMAP number of the part with the signature.
    :param signature: the body of that part, still in its transfer ``encoding``.
    :param content: what a detached signature signs: the whole first part, its header included.
    :param fault: one sentence when the parts are not as a signed message has them; then nothing else holds.
    """

    kind: Literal["detached", "opaque", "encrypted"]
    part: str = ""
    signature: tuple[int, int] = (0, 0)
    encoding: str = ""
    content: tuple[int, int] = (0, 0)
    fault: str = ""


def signed_parts(index: MessageIndex) -> SignedParts | None:
    """The parts of a message that says it is signed or encrypted with S/MIME; None for all others."""
    root = index.root
    if root.media == "multipart/signed":
        return _detached(index, root)
    named = root.media == "application/octet-stream" and root.filename.lower().endswith(".p7m")
    if root.media not in _OBJECTS and not named:  # RFC 8551 §3.9
        return None
    kind = root.params.get("smime-type", "").lower()
    return SignedParts(
        kind="encrypted" if kind in _ENCRYPTED else "opaque",
        part="1",
        signature=(root.body_start, root.end),
        encoding=root.encoding,
    )


def _detached(index: MessageIndex, root: Part) -> SignedParts | None:
    protocol = root.params.get("protocol", "").lower()
    last = root.children[-1] if root.children else None
    if protocol not in _SIGNATURES and (last is None or last.media not in _SIGNATURES):
        return None  # signed with something else, OpenPGP for one
    if len(root.children) != 2:  # RFC 1847 §2.1
        full = "parts.limit" in index.defects
        fault = "It has too many parts to be looked at" if full else "A signed message has exactly two parts"
        return SignedParts(kind="detached", fault=fault)
    content, signature = root.children
    if signature.media not in _SIGNATURES:
        return SignedParts(kind="detached", fault="The second part of the signed message is no signature")
    return SignedParts(
        kind="detached",
        part="2",
        signature=(signature.body_start, signature.end),
        encoding=signature.encoding,
        content=(content.header_start, content.end),
    )


def canonical(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets with every line end as CRLF (RFC 8551 §3.1.1), in pieces of about the same size.

    Mail that came over SMTP has no other line ends and passes as it is.
    """
    after_cr = False
    for chunk in chunks:
        if not chunk:
            continue
        lone = chunk.count(b"\n") - chunk.count(b"\r\n") - (after_cr and chunk[:1] == b"\n")
        if lone:
            first = b"\n" if after_cr and chunk[:1] == b"\n" else b""
            rest = chunk[len(first) :].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            yield first + rest
        else:
            yield chunk
        after_cr = chunk.endswith(b"\r")
