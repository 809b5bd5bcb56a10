"""Reads a CMS SignedData as a stream (RFC 5652 §5), so that the message in it is never whole in memory.

What is around the content is small and kept, up to fixed limits; the content goes piece by piece to
digests. Both DER and BER are read, indefinite lengths too: signers that stream write them. What a hostile
sender can make long, deep or many is bounded, and nothing is read twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from asn1crypto import algos, cms, core

KEPT_BYTES: Final = 1024 * 1024  # octets kept of everything beside the content
MAX_SIGNERS: Final = 8
MAX_CERTIFICATES: Final = 32
_MAX_DEPTH: Final = 24
_MAX_ELEMENTS: Final = 4096  # constructed elements with an indefinite length
_MAX_PIECES: Final = 1 << 17  # of a content that comes in pieces; signers write 1,000 octets and more in each
_PIECE: Final = 64 * 1024
_LONGEST: Final = 1 << 40

_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET, _CONTENT, _CRLS = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0, 0xA1
_CONSTRUCTED: Final = 0x20

# RFC 5754 §2; what is weaker is named, not computed.
DIGESTS: Final[dict[str, Callable[..., hashlib._Hash]]] = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}
CONTENT_TYPES: Final = {
    "1.2.840.113549.1.7.1": "data",
    "1.2.840.113549.1.7.2": "signed-data",
    "1.2.840.113549.1.7.3": "enveloped-data",
    "1.2.840.113549.1.7.5": "digested-data",
    "1.2.840.113549.1.7.6": "encrypted-data",
    "1.2.840.113549.1.9.16.1.9": "compressed-data",
    "1.2.840.113549.1.9.16.1.23": "enveloped-data",  # authEnvelopedData, RFC 5083
}


class CmsMalformed(Exception):  # noqa: N818
    """The octets are no CMS object, or an incomplete one."""


class CmsRefused(Exception):  # noqa: N818
    """It is readable and is not read: too much of something, or another kind of object (``kind``)."""

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind: Final = kind


class SignedContent(msgspec.Struct, frozen=True, kw_only=True):
    """A SignedData without its content.

    :param digests: of the content, by algorithm; empty when the content is elsewhere (``detached``).
    :param first: the content's first octet, b"" when it has none.
    :param certificates: DER, as carried. :param signers: SignerInfo, DER each.
    """

    version: int
    content_type: str
    detached: bool
    algorithms: list[str]
    digests: dict[str, bytes]
    first: bytes
    certificates: list[bytes]
    signers: list[bytes]


class ContentDigest:
    """The digests of a content that comes in pieces, for the algorithms that a signature names."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._running = {name: DIGESTS[name]() for name in algorithms if name in DIGESTS}
        self.first = b""

    def update(self, piece: bytes) -> None:
        self.first = self.first or piece[:1]
        for running in self._running.values():
            running.update(piece)

    def finish(self) -> dict[str, bytes]:
        return {name: running.digest() for name, running in self._running.items()}


class _Source:
    """Octets in order out of pieces of any size."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""
        self._place = 0
        self.read = 0  # octets given so far
        self._room = KEPT_BYTES
        self.elements = 0
        self.content_pieces = 0

    def some(self, limit: int) -> bytes:
        """At least one octet and at most ``limit``; b"" at the end."""
        while self._place >= len(self._held):
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held, self._place = piece, 0
        given = self._held[self._place : self._place + limit]
        self._place += len(given)
        self.read += len(given)
        return given

    def take(self, count: int) -> bytes:
        """Exactly ``count`` octets to keep."""
        self._room -= count
        if self._room < 0:
            raise CmsRefused("the signature carries too many octets beside the message")
        parts = []
        while count:
            piece = self.some(count)
            if not piece:
                raise CmsMalformed("the signature is cut short")
            parts.append(piece)
            count -= len(piece)
        return b"".join(parts)

    def pieces(self, count: int) -> Iterator[bytes]:
        """Exactly ``count`` octets that are not kept."""
        while count:
            piece = self.some(min(count, _PIECE))
            if not piece:
                raise CmsMalformed("the signature is cut short")
            count -= len(piece)
            yield piece

    def release(self, count: int) -> None:
        """Octets taken that are not kept after all."""
        self._room += count


class _Header(msgspec.Struct, frozen=True):
    tag: int
    length: int  # -1: indefinite
    raw: bytes

    @property
    def ends(self) -> bool:
        return self.raw == b"\0\0"  # X.690 §8.1.5


def _header(source: _Source) -> _Header:
    tag = source.take(1)
    if tag[0] & 0x1F == 0x1F:
        raise CmsMalformed("the signature holds an element that does not belong there")
    first = source.take(1)
    if first[0] < 0x80:
        return _Header(tag[0], first[0], tag + first)
    if first[0] == 0x80:
        if not tag[0] & _CONSTRUCTED:
            raise CmsMalformed("an element of the signature has no length")
        return _Header(tag[0], -1, tag + first)
    count = first[0] & 0x7F
    if count > 8:
        raise CmsMalformed("an element of the signature has an impossible length")
    more = source.take(count)
    length = int.from_bytes(more, "big")
    if length > _LONGEST:
        raise CmsMalformed("an element of the signature has an impossible length")
    return _Header(tag[0], length, tag + first + more)


class _Container:
    """A constructed element that is open: its children one by one, and a check that it ends rightly."""

    def __init__(self, source: _Source, header: _Header) -> None:
        self._source = source
        self._end = -1 if header.length < 0 else source.read + header.length
        self._ended = False

    def next(self) -> _Header | None:
        """The next child's header; None at the end."""
        if self._ended:
            return None
        if self._end >= 0 and self._source.read >= self._end:
            if self._source.read > self._end:
                raise CmsMalformed("an element of the signature reaches beyond the one that holds it")
            self._ended = True
            return None
        header = _header(self._source)
        if header.ends:
            if self._end >= 0:
                raise CmsMalformed("the signature holds an end that nothing began")
            self._ended = True
            return None
        if self._end >= 0 and header.length >= 0 and self._source.read + header.length > self._end:
            raise CmsMalformed("an element of the signature reaches beyond the one that holds it")
        return header

    def close(self) -> None:
        if self.next() is not None:
            raise CmsMalformed("the signature holds an element too many")


def _open(source: _Source, header: _Header | None, tag: int) -> _Container:
    if header is None or header.tag != tag:
        raise CmsMalformed("the octets are not a CMS object")
    return _Container(source, header)


def _element(source: _Source, header: _Header, depth: int = 0) -> bytes:
    """A whole element; an indefinite length becomes a definite one."""
    if header.length >= 0:
        return header.raw + source.take(header.length)
    source.elements += 1
    if depth >= _MAX_DEPTH or source.elements > _MAX_ELEMENTS:
        raise CmsRefused("the signature is nested too deep")
    inside = _Container(source, header)
    parts = []
    while (child := inside.next()) is not None:
        parts.append(_element(source, child, depth + 1))
    return tlv(header.tag, *parts)


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element in DER (X.690 §8.1.3, §10.1): its tag's octet, its length, the octets of ``parts``."""
    count = sum(map(len, parts))
    if count < 0x80:
        return b"".join((bytes((tag, count)), *parts))
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return b"".join((bytes((tag, 0x80 | len(octets))), octets, *parts))


def read_signed(pieces: Iterable[bytes]) -> SignedContent:
    """Read one ContentInfo that holds a SignedData, to its last octet. Blocking.

    :param pieces: the octets, transfer encoding undone.
    :raises CmsMalformed: it is none, it is cut short, or something follows it.
    :raises CmsRefused: another kind of object, or more than the limits allow.
    """
    try:
        return _read(_Source(pieces))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:  # asn1crypto's
        raise CmsMalformed("the signature cannot be decoded") from error


def _read(source: _Source) -> SignedContent:
    info = _open(source, _header(source), _SEQUENCE)  # RFC 5652 §3
    kind = _oid(source, info)
    if kind != "signed-data":
        raise CmsRefused("it is not signed data", kind)
    explicit = _open(source, info.next(), _CONTENT)
    signed = _open(source, explicit.next(), _SEQUENCE)  # RFC 5652 §5.1
    version = core.Integer.load(_child(source, signed, _INTEGER), strict=True).native
    algorithms = _algorithms(_child(source, signed, _SET))
    content_type, detached, content = _content(source, signed, algorithms)
    certificates: list[bytes] = []
    signers: list[bytes] | None = None
    while (header := signed.next()) is not None:
        if signers is not None:
            raise CmsMalformed("the signature holds an element too many")
        if header.tag == _CONTENT and not certificates:
            certificates = _members(source, header, MAX_CERTIFICATES, "certificates")
        elif header.tag == _CRLS:
            _skip(source, header)
        elif header.tag == _SET:
            signers = _members(source, header, MAX_SIGNERS, "signers")
        else:
            raise CmsMalformed("the signature holds an element that does not belong there")
    if signers is None:
        raise CmsMalformed("the signature is cut short")
    for container in (explicit, info):
        container.close()
    if source.some(1):
        raise CmsMalformed("octets follow the signature")
    return SignedContent(
        version=version,
        content_type=content_type,
        detached=detached,
        algorithms=algorithms,
        digests=content.finish(),
        first=content.first,
        certificates=certificates,
        signers=signers,
    )


def _oid(source: _Source, container: _Container) -> str:
    dotted: str = core.ObjectIdentifier.load(_child(source, container, _OID), strict=True).dotted
    return CONTENT_TYPES.get(dotted, dotted)


def _child(source: _Source, container: _Container, tag: int) -> bytes:
    header = container.next()
    if header is None or header.tag != tag:
        raise CmsMalformed("the octets are not a CMS object")
    return _element(source, header)


def _algorithms(der: bytes) -> list[str]:
    found = cms.DigestAlgorithms.load(der, strict=True)
    if len(found) > MAX_SIGNERS:
        raise CmsRefused("the signature names too many digest algorithms")
    return [digest_name(algorithm) for algorithm in found]


def digest_name(algorithm: algos.DigestAlgorithm) -> str:
    """``sha256``…, or the dotted OID of an algorithm that nobody knows.

    :raises ValueError: it has parameters, which no digest has (RFC 5754 §2).
    """
    if algorithm["parameters"].dump() not in (b"", b"\x05\x00"):  # absent or NULL
        raise ValueError("parameters of a digest")
    return str(algorithm["algorithm"].native)


def _content(source: _Source, signed: _Container, algorithms: list[str]) -> tuple[str, bool, ContentDigest]:
    """EncapsulatedContentInfo (RFC 5652 §5.2): (type, whether the content is elsewhere, its digests)."""
    holder = _open(source, signed.next(), _SEQUENCE)
    content_type = _oid(source, holder)
    header = holder.next()
    digest = ContentDigest([] if header is None else algorithms)
    if header is not None:
        explicit = _open(source, header, _CONTENT)
        octets = explicit.next()
        if octets is None:
            raise CmsMalformed("the signed content is missing")
        _octets(source, octets, digest, 0)
        explicit.close()
        holder.close()
    return content_type, header is None, digest


def _octets(source: _Source, header: _Header, digest: ContentDigest, depth: int) -> None:
    """An OCTET STRING, in one piece or made of several (X.690 §8.7)."""
    source.content_pieces += 1
    if source.content_pieces > _MAX_PIECES:
        raise CmsRefused("the signed content comes in too many pieces")
    if header.tag == _OCTETS:
        source.release(len(header.raw))
        for piece in source.pieces(header.length):
            digest.update(piece)
    elif header.tag == _OCTETS | _CONSTRUCTED and depth < _MAX_DEPTH:
        inside = _Container(source, header)
        while (child := inside.next()) is not None:
            _octets(source, child, digest, depth + 1)
    else:
        raise CmsMalformed("the signed content is not an octet string")


def _members(source: _Source, header: _Header, limit: int, what: str) -> list[bytes]:
    found: list[bytes] = []
    inside = _Container(source, header)
    while (child := inside.next()) is not None:
        if len(found) >= limit:
            raise CmsRefused(f"the signature has more than {limit} {what}")
        found.append(_element(source, child))
    return found


def _skip(source: _Source, header: _Header, depth: int = 0) -> None:
    """Revocation lists that a sender carries are not looked at: ours are asked."""
    if header.length >= 0:
        for _ in source.pieces(header.length):
            pass
        return
    source.elements += 1
    if depth >= _MAX_DEPTH or source.elements > _MAX_ELEMENTS:
        raise CmsRefused("the signature is nested too deep")
    inside = _Container(source, header)
    while (child := inside.next()) is not None:
        _skip(source, child, depth + 1)
