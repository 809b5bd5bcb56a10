"""Which octets a signature signs: found by offsets, in messages that are signed as a whole."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import (
    Indexer,
    MessageIndex,
    MessageMeta,
    Signature,
    attachments,
    canonical,
    decode_meta,
    decode_stream,
    encode_meta,
    signed_parts,
)

PART = b"Content-Type: text/plain\r\n\r\nBonjour\r\n\r\nune ligne\r\n"
P7S = base64.b64encode(b"\x30\x00signature")


def read(raw: bytes) -> MessageIndex:
    indexer = Indexer()
    indexer.feed(raw)
    return indexer.close()


def detached(
    part: bytes = PART,
    *,
    protocol: str = "application/pkcs7-signature",
    media: str = "application/pkcs7-signature",
    after: bytes = b"",
    preamble: bytes = b"",
    end: bytes = b"--b--\r\n",
) -> bytes:
    return (
        b"From: a@b.test\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/signed; micalg=sha-256; boundary=b;\r\n"
        + f' protocol="{protocol}"\r\n\r\n'.encode()
        + preamble
        + b"--b\r\n"
        + part
        + b"\r\n--b\r\n"
        + f"Content-Type: {media}; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        + P7S
        + b"\r\n"
        + after
        + end
    )


@pytest.mark.parametrize(
    "part",
    [
        PART,
        b"\r\n",
        b"\r\nno header of its own",
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\nepilogue\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" + detached(),
        b"Content-Type: text/plain\r\n\r\nsp\xc3\xa9cial --b\r\n--bb is no boundary? it is not alone\r\n",
    ],
)
@pytest.mark.parametrize("preamble", [b"", b"This is signed.\r\n"])
def test_the_signed_octets_are_the_whole_first_part(part: bytes, preamble: bytes) -> None:
    if b"--bb" in part:
        part = part.replace(b"--bb", b"-- b")
    raw = detached(part, preamble=preamble, after=b"\r\n", end=b"--b--\r\na footer of a list\r\n")
    found = signed_parts(read(raw))
    assert found is not None
    assert (found.kind, found.part, found.fault, found.encoding) == ("detached", "2", "", "base64")
    start, end = found.content
    assert raw[start:end] == part
    start, end = found.signature
    assert b"".join(decode_stream([raw[start:end]], found.encoding)) == base64.b64decode(P7S)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.test\r\n\r\nBonjour\r\n",
        detached(protocol="application/pgp-signature", media="application/pgp-signature"),
        b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + detached() + b"\r\n--x--\r\n",
        b"From: a@b.test\r\nContent-Type: message/rfc822\r\n\r\n" + detached(),
        b"From: a@b.test\r\nContent-Type: multipart/signed\r\n\r\nno boundary\r\n",
        b"",
    ],
)
def test_not_signed_as_a_whole(raw: bytes) -> None:
    assert signed_parts(read(raw)) is None


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (detached(after=b"--b\r\n\r\na footer as a third part\r\n"), "exactly two parts"),
        (detached(media="text/plain"), "is no signature"),
        (detached().replace(b"\r\n--b\r\nContent-Type: application", b"\r\n--c\r\n"), "exactly two parts"),
        (detached().replace(b"boundary=b", b"bound=b"), "exactly two parts"),
        (detached(after=b"--b\r\n\r\nx\r\n" * 10_001), "too many parts"),
    ],
)
def test_it_says_it_is_signed_and_is_not(raw: bytes, words: str) -> None:
    found = signed_parts(read(raw))
    assert found is not None
    assert words in found.fault


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/pkcs7-mime; smime-type=signed-data", "opaque"),
        ("application/pkcs7-mime; name=smime.p7m", "opaque"),
        ("application/x-pkcs7-mime; smime-type=signed-data", "opaque"),
        ("application/octet-stream; name=SMIME.P7M", "opaque"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "encrypted"),
        ("application/pkcs7-mime; smime-type=authEnveloped-data", "encrypted"),
        ("application/octet-stream; name=a.pdf", ""),
    ],
)
def test_objects(content_type: str, kind: str) -> None:
    raw = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    found = signed_parts(read(raw + P7S + b"\r\n"))
    assert (found.kind if found else "") == kind
    if found is not None:
        assert len(raw) == found.signature[0]
        assert found.part == "1"


@given(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r\n", b"text"]), max_size=40),
    st.integers(1, 9),
)
def test_canonical_line_ends(pieces: list[bytes], step: int) -> None:
    octets = b"".join(pieces)
    wanted = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    cut = [octets[i : i + step] for i in range(0, len(octets), step)]
    assert b"".join(canonical(cut)) == wanted
    assert b"".join(canonical([wanted])) == wanted


@pytest.mark.parametrize(
    ("first", "auto"),
    [
        (b"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r--", "dsn"),
        (b"Content-Type: multipart/report; report-type=disposition-notification; boundary=r\r\n\r\n", "mdn"),
        (PART, ""),
    ],
)
def test_a_signed_report_is_a_report(first: bytes, auto: str) -> None:
    assert read(detached(first)).facts.auto == auto


def test_the_verdict_is_kept_beside_the_index() -> None:
    index = read(detached())
    kept = Signature("good", by="sender", kind="detached", name="EXEMPLE", checked_at=1)
    assert decode_meta(encode_meta(MessageMeta(prefix=b"", index=index, signature=kept))).signature == kept
    assert decode_meta(encode_meta(MessageMeta(prefix=b"", index=index))).signature is None


def test_what_was_stored_before_is_still_read() -> None:
    """Meta had two members once; a third was added at the end."""
    encoded = encode_meta(MessageMeta(prefix=b"p", index=read(detached())))
    assert encoded[0] == 0x93  # an array of three (MessagePack)
    assert encoded[-1] == 0xC0  # nil
    old = decode_meta(b"\x92" + encoded[1:-1])
    assert (old.prefix, old.signature) == (b"p", None)


def test_a_signature_is_no_file_of_the_message() -> None:
    part = (
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nBonjour\r\n--c\r\n"
        b"Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\r\n--c--"
    )
    assert [found.filename for found in attachments(read(detached(part)).root)] == ["a.pdf"]
    assert attachments(read(detached()).root) == []
    footer = detached(part, after=b"--b\r\nContent-Type: application/pdf; name=b.pdf\r\n\r\n%PDF\r\n")
    assert [found.filename for found in attachments(read(footer).root)] == ["a.pdf"], "not signed, not filed"
