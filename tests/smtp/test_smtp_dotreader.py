"""The DATA reader: every line ending, at every split, and the round trip for any CRLF text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.dotreader import BareLineEndError, DotReader, DotWriter, LineEndGuard, has_bare

# What an SMTP server must not take for an end, nor for content (RFC 5321 §4.1.1.4, §2.3.8).
SMUGGLING = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\r\n.\r\n",
    b"\r\n.\r\r\n",
    b"\n\r\n.\r\n",
    b"\r\n\n.\r\n",
    b"\n",
    b"\r",
    b"\n\r",
    b"\r\r\n",
    b"\r\n\n",
]


def read(pieces: list[bytes]) -> tuple[bytes, bool, bytes]:
    reader, body = DotReader(), b""
    for number, piece in enumerate(pieces):
        body += reader.feed(piece)
        if reader.done:
            return body, True, reader.rest + b"".join(pieces[number + 1 :])
    return body, False, b""


def splits(data: bytes) -> list[list[bytes]]:
    """The whole, every cut in two, and octet by octet."""
    return [
        [data],
        *([data[:at], data[at:]] for at in range(1, len(data))),
        [data[at : at + 1] for at in range(len(data))],
    ]


@pytest.mark.parametrize("ending", SMUGGLING, ids=repr)
def test_no_other_ending_is_taken_wherever_the_pieces_are_cut(ending: bytes) -> None:
    wire = b"Subject: x\r\n\r\nfirst" + ending + b"MAIL FROM:<evil@x>\r\nsecond\r\n.\r\n"
    for pieces in splits(wire):
        with pytest.raises(BareLineEndError) as caught:
            read(pieces)
        assert caught.value.reply == "554 5.5.2 bare CR or LF in message content [message.line_end]"


@pytest.mark.parametrize("ending", SMUGGLING, ids=repr)
def test_no_other_ending_is_taken_as_the_first_octets(ending: bytes) -> None:
    for pieces in splits(ending + b"x\r\n.\r\n"):
        with pytest.raises(BareLineEndError):
            read(pieces)


@pytest.mark.parametrize(
    ("wire", "body", "rest"),
    [
        (b".\r\n", b"", b""),
        (b"\r\n.\r\n", b"\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n", b""),
        (b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n", b""),
        (b"..\r\n.\r\n", b".\r\n", b""),
        (b".a\r\n.\r\n", b"a\r\n", b""),
        (b"...\r\n.\r\n", b"..\r\n", b""),
        (b"a.\r\n.\r\n", b"a.\r\n", b""),
        (b"a\r\n.b\r\n\r\n.\r\n", b"a\r\nb\r\n\r\n", b""),
        (b"a\r\n.\r\nMAIL FROM:<b@c>\r\n", b"a\r\n", b"MAIL FROM:<b@c>\r\n"),
        (b"a\r\n.\r\n.\r\n", b"a\r\n", b".\r\n"),
        (b"\x00\xff\x80\r\n.\r\n", b"\x00\xff\x80\r\n", b""),
    ],
)
def test_content_and_what_follows_it(wire: bytes, body: bytes, rest: bytes) -> None:
    for pieces in splits(wire):
        assert read(pieces) == (body, True, rest)


@pytest.mark.parametrize("wire", [b"", b"a", b"a\r\n", b"a\r\n.", b"a\r\n.\r", b".", b".\r", b"a\r"])
def test_an_unfinished_content_is_not_done(wire: bytes) -> None:
    for pieces in splits(wire) if wire else [[b""]]:
        assert not read(pieces)[1]


lines = st.lists(
    st.one_of(
        st.binary(max_size=12).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")),
        st.sampled_from([b"", b".", b"..", b".a", b"..."]),
    ),
    max_size=20,
)


@given(lines, st.lists(st.integers(1, 9), min_size=1, max_size=8), st.binary(max_size=10))
def test_what_is_written_is_read_in_any_pieces(text: list[bytes], sizes: list[int], rest: bytes) -> None:
    body = b"".join(line + b"\r\n" for line in text)
    writer = DotWriter()
    wire, at, turn = b"", 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        wire += writer.feed(body[at : at + size])
        at, turn = at + size, turn + 1
    wire += writer.close()
    if not body:
        wire = b".\r\n"
    pieces, at = [], 0
    data = wire + rest
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    assert read(pieces) == (body, True, rest)


@given(st.binary(max_size=60).map(lambda raw: raw.translate(bytes([13, 10, 46, 97] * 64))))
def test_any_octets_in_any_pieces_end_as_a_naive_reader_says(wire: bytes) -> None:
    """Against a reader that is slow and plain: cut at the first CRLF.CRLF, then look at each octet."""
    end = (b"\r\n" + wire).find(b"\r\n.\r\n")
    if end < 0:
        return
    content = (b"\r\n" + wire)[2 : end + 2] if end else b""
    bare = content.replace(b"\r\n", b"")
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        if b"\r" in bare or b"\n" in bare:
            with pytest.raises(BareLineEndError):
                read(pieces)
        else:
            stripped = b"\r\n".join(
                line[1:] if line.startswith(b".") else line for line in content.split(b"\r\n")
            )
            assert read(pieces) == (stripped, True, wire[end + 3 :])


def test_a_message_without_final_line_end_gets_one_and_a_bare_one_is_not_sent() -> None:
    writer = DotWriter()
    assert writer.feed(b"a") + writer.close() == b"a\r\n.\r\n"
    with pytest.raises(BareLineEndError):
        DotWriter().feed(b"a\nb")
    writer = DotWriter()
    writer.feed(b"a\r")
    with pytest.raises(BareLineEndError):
        writer.close()


@given(
    st.binary(max_size=40).map(lambda raw: raw.translate(bytes([13, 10, 97, 98] * 64))), st.integers(0, 40)
)
def test_the_guard_sees_the_same_in_one_piece_or_two(data: bytes, at: int) -> None:
    plain = data.replace(b"\r\n", b"")
    bad = b"\r" in plain or b"\n" in plain
    assert has_bare(data) == bad
    for pieces in ([data], [data[:at], data[at:]], [data[n : n + 1] for n in range(len(data))]):
        guard = LineEndGuard("test")
        try:
            for piece in pieces:
                guard.feed(piece)
            guard.close()
            found = False
        except BareLineEndError:
            found = True
        assert found == bad
