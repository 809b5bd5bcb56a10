# ruff: noqa: E501  (tables of wire text read better unbroken)
"""What holds for every message: chunking does not matter, nothing crashes, IMAP bytes are well formed."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.message import (
    MessageIndex,
    MessageMeta,
    Part,
    decode_meta,
    encode_meta,
    find_part,
    header_fields,
    section_span,
    walk,
)
from tests.corpus import nasty_messages
from tests.message.help import fed, index
from tests.message.replies import read_whole

# Pieces that mean something to a mail reader, so that random messages get deep.
PIECES = [
    b"From: ", b"To: ", b"Subject: ", b"Sender:", b"Date: x", b"Message-ID: <a@b>", b"a@b.c", b"<a@b>", b'"', b"(", b")", b"\\",
    b",", b";", b":", b"@", b".", b"[", b"]", b"=?utf-8?q?=C3=A9?=", b"=?x?b?!!?=", b"\r\n", b"\n", b"\r\n\r\n", b"\n\n", b"\r", b" ", b"\t",
    b"\0", b"\xe9", b"\xc3\xa9", b"MIME-Version: 1.0\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b'Content-Type: multipart/digest; boundary="bb"\n', b"Content-Type: message/rfc822\r\n", b"Content-Type: text/html; charset=x\r\n",
    b"Content-Type: ", b"multipart/x", b"; boundary=", b"b--", b"Content-Disposition: attachment; filename*0*=utf-8''%C3%A9; filename*1=b\r\n",
    b"Content-Language: fr, en\r\n", b"Content-Transfer-Encoding: base64\r\n", b"--b", b"--bb", b"--b--", b"--b\r\n", b"\r\n--b\r\n", b"\n--bb--\n", b"--", b"texte",
]  # fmt: skip
MESSAGES = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=40).map(b"".join),
    st.binary(max_size=300),
)


def _check(found: MessageIndex, data: bytes) -> None:
    assert found.size == len(data)
    assert found.lines == data.count(b"\n")
    assert found.nuls == (b"\0" in data)
    assert found.eight_bit == (not data.isascii())
    assert len(read_whole(found.envelope)) == 10
    read_whole(found.bodystructure)
    read_whole(found.body)
    assert data.startswith(found.header)
    assert found.header == data[: found.header_end]
    _check_part(found.root, data, 0, len(data))
    for path, part in walk(found.root):
        if path and part.media != "message/rfc822":
            assert find_part(found.root, path) is not None
    for path in ((), (1,), (2, 1), (1, 1, 1, 1)):
        for what in ("", "HEADER", "TEXT", "MIME"):
            span = section_span(found, path, what)  # type: ignore[arg-type]  # mypy widens the loop's literals
            assert span is None or 0 <= span[0] <= span[1] <= len(data)
    whole = header_fields(found.header, [], inverse=True)
    assert len(whole) <= len(found.header)
    assert decode_meta(encode_meta(MessageMeta(b"Received: x\r\n", found))).index == found


def _check_part(part: Part, data: bytes, start: int, end: int) -> None:
    assert start <= part.header_start <= part.body_start <= part.end <= end
    assert part.lines == data.count(b"\n", part.body_start, part.end)
    place = part.body_start
    for child in part.children:
        _check_part(child, data, place, part.end)
        place = child.end


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
@example(b"")
@example(b"\r")
@example(b"\r\n")
@example(b"Content-Type: message/rfc822")
def test_any_octets(data: bytes) -> None:
    _check(index(data), data)


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.data())
def test_chunks_do_not_matter(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=8))
    whole = index(data)
    assert index(data, *cuts) == whole
    assert fed(data, 1) == whole


@pytest.mark.parametrize("name", nasty_messages())
def test_corpus(name: str) -> None:
    data = nasty_messages()[name]
    whole = index(data)
    _check(whole, data)
    for size in (1, 2, 7, 100) if len(data) < 20_000 else (61, 1000):
        assert fed(data, size) == whole
    _check(index(data.replace(b"\r\n", b"\n")), data.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("name", nasty_messages())
def test_bare_line_feeds_give_the_same_structure(name: str) -> None:
    """Only octet counts change with the line ends, literals included."""
    data = nasty_messages()[name]

    def shape(part: Part) -> tuple[object, ...]:
        return part.media, part.params, part.lines, part.filename, [shape(child) for child in part.children]

    ours, bare = index(data), index(data.replace(b"\r\n", b"\n"))
    assert shape(ours.root) == shape(bare.root)
    assert ours.envelope == bare.envelope
    assert ours.facts == bare.facts
