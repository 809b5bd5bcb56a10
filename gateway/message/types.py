"""What is known about a message once it has been read: addresses, parts, facts, index, stored meta.

The structs are encoded as MessagePack arrays: new fields go last and carry a default, so that meta
written by an older version still decodes.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

# The index stays small whatever the message is: beyond these limits the rest is opaque and a defect says so.
HEADER_LIMIT = 256 * 1024  # octets of header blocks kept, over the whole message
PART_LIMIT = 10_000  # parts, the root included
DEPTH_LIMIT = 100  # levels, the root included
ADDRESS_LIMIT = 10_000  # addresses of the envelope and the facts, over the whole message
BOUNDARY_LIMIT = 80  # octets of a boundary compared; RFC 2046 §5.1.1 allows 70


class Address(msgspec.Struct, array_like=True, frozen=True):
    """One mailbox of an address header (RFC 5322 §3.4).

    `name` is decoded text, "" when absent. `address` is the addr-spec as written (quoted local parts
    keep their quotes), "" when it cannot be parsed.
    """

    name: str
    address: str


class Part(msgspec.Struct, array_like=True):
    """One MIME part. Offsets are octets of the raw message.

    The header is [header_start, body_start), blank line included; the body is [body_start, end). The line
    end before a boundary belongs to the boundary (RFC 2046 §5.1.1). `lines` counts the line ends of the body.
    `media` is lower case ("text/plain" by default, RFC 2045 §5.2), `params` has lower case names and
    decoded values, `encoding` is lower case ("7bit" by default), `disposition` is lower case or "",
    `filename` is decoded (RFC 2231, RFC 2047), `content_id` is as written. A message/rfc822 part has one
    child, the root of the inner message, and the ENVELOPE of that message.
    """

    header_start: int
    body_start: int
    end: int
    lines: int
    media: str
    params: dict[str, str]
    encoding: str
    disposition: str
    filename: str
    content_id: str
    children: list[Part]
    envelope: bytes = b""

    @property
    def size(self) -> int:
        """Octets of the body."""
        return self.end - self.body_start

    @property
    def attached(self) -> bool:
        """True for a leaf (or an attached message) that a reader shows as a file."""
        if self.media.startswith("multipart/"):
            return False
        return self.disposition == "attachment" or self.filename != "" or self.media == "message/rfc822"


class Facts(msgspec.Struct, array_like=True):
    """What the rules and the search look at. Text is decoded; nothing here is trusted.

    `auto` is "dsn" or "mdn" for a multipart/report of that type, else the Auto-Submitted keyword unless
    "no" (RFC 3834 §5), else "". `mss_end_header` is true for `X-MSS-MES: FIN`; the subject `[FIN]`, which
    ends the whole exchange, is for routing to read in `subject_raw`. `x_mss` holds the values of
    X-MSS-CODECDA, X-MSS-INS and X-MSS-NIL under these names. `headers_bad` lists "name:reason" where reason
    is missing, duplicate or syntax (RFC 5322 §3.6). `disposition_to` asks for a receipt (RFC 8098 §2.1).
    """

    message_id: str
    date: str
    subject: str
    subject_raw: str
    sender: Address | None
    from_: list[Address]
    reply_to: list[Address]
    to: list[Address]
    cc: list[Address]
    in_reply_to: str
    references: list[str]
    mss_end_header: bool
    x_mss: dict[str, str]
    disposition_to: list[Address]
    auto: str
    xdm: bool
    headers_bad: list[str]

    @property
    def mss_end(self) -> bool:
        """True when this message says that no reply is wanted (`X-MSS-MES: FIN`)."""
        return self.mss_end_header


class MessageIndex(msgspec.Struct, array_like=True):
    """Everything IMAP and routing need without reading the message again.

    `size` and `lines` are those of the raw message, `header_end` is the offset of the body. `header` holds
    the root header, blank line included, cut at HEADER_LIMIT (then "header.limit" is a defect). `envelope`,
    `bodystructure` and `body` are ready IMAP bytes, parentheses included (RFC 3501 §7.4.2). `nuls` and
    `eight_bit` tell whether such octets occur anywhere.
    """

    size: int
    header_end: int
    header: bytes
    lines: int
    root: Part
    envelope: bytes
    bodystructure: bytes
    body: bytes
    facts: Facts
    defects: list[str]
    nuls: bool = False
    eight_bit: bool = False


class Signature(msgspec.Struct, array_like=True, frozen=True):
    """What was found of a message's S/MIME signature when it came in, for those who show the message.

    `state` is "good", "untrusted", "broken", "not_sender" or "unsupported", `reason` an ASCII sentence for
    all but "good". `by` is "sender" or "structure" when good. `kind` is "detached", "opaque" or "encrypted".
    What follows is the certificate's, all empty when none was found: `holder` is "person", "organisation",
    "server" or "other", `name` the person's or structure's name as it stands there. Times are ms:
    `signed_at` is the signer's claim (0 when absent), `checked_at` the moment that the verdict is of.
    """

    state: str
    reason: str = ""
    by: str = ""
    kind: str = ""
    signed_at: int = 0
    checked_at: int = 0
    holder: str = ""
    name: str = ""
    given: str = ""
    id_nat: str = ""
    struct_id: str = ""
    profession: str = ""
    address: str = ""
    subject_dn: str = ""
    issuer_dn: str = ""
    serial: str = ""  # hexadecimal
    fingerprint: str = ""  # SHA-256, hexadecimal
    test: bool = False  # a certificate of the test category


class MessageMeta(msgspec.Struct, array_like=True):
    """What is stored beside the sealed body: what we prepend to it (Received, Authentication-Results), the
    index of the body alone, and the signature where the message is signed."""

    prefix: bytes
    index: MessageIndex
    signature: Signature | None = None


def walk(root: Part, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Part]]:
    """Yields (IMAP part number, part) for `root` and each part below it (RFC 3501 §6.4.5).

    The number of the whole message is () when it is a multipart, (1,) otherwise. The root of an inner message
    has the number of its message/rfc822 part when it is a multipart, and that number followed by 1 otherwise.
    """
    if not path and not root.media.startswith("multipart/"):
        path = (1,)
    yield path, root
    if root.media == "message/rfc822":
        for inner in root.children:
            yield from walk(inner, path if inner.media.startswith("multipart/") else (*path, 1))
        return
    for place, child in enumerate(root.children, 1):
        yield from walk(child, (*path, place))


def calendars(root: Part) -> list[Part]:
    """The parts of type text/calendar in order, shown or attached; of an attached message none."""
    if root.media.startswith("multipart/"):
        return [found for child in root.children for found in calendars(child)]
    return [root] if root.media == "text/calendar" else []


def attachments(root: Part) -> list[Part]:
    """The files of a message in order. An attached message is one file: what it holds is not looked at. What
    signs another part (RFC 1847 §2.1) is no file."""
    if root.media == "multipart/signed":
        return attachments(root.children[0]) if root.children else []
    if root.media.startswith("multipart/"):
        return [found for child in root.children for found in attachments(child)]
    return [root] if root.attached else []
