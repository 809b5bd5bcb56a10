"""FETCH: sections, partial ranges, the stored prefix, large and damaged bodies."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re

import pytest
from imap_support import USER, Bench, Wire, simple_message

from store import mail as mailboxes

PREFIX = b"Return-Path: <marie@hop.example>\r\nReceived: from a by b; Mon, 2 Nov 2026 10:00:00 +0100\r\n"
INNER = b"From: inner@x.example\r\nSubject: inner\r\n\r\ninner text\r\n"
NESTED = (
    b"From: marie@hop.example\r\nSubject: outer\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=B\r\n\r\npreamble\r\n"
    b"--B\r\nContent-Type: text/plain\r\nX-Part: one\r\n\r\nfirst\r\n"
    b"--B\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + b"\r\n"
    b"--B\r\nContent-Type: application/pdf; name=a.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n"
    b"--B--\r\n"
)


def literal(response: bytes) -> bytes:
    """The content of the only literal of a FETCH response."""
    found = re.search(rb"\{(\d+)\}\r\n", response)
    assert found, response
    return response[found.end() : found.end() + int(found[1])]


async def section(wire: Wire, name: str, number: int = 1) -> bytes:
    return literal((await wire.ok(f"FETCH {number} BODY.PEEK{name}")).untagged[0])


async def test_sections(bench: Bench) -> None:
    await bench.adeliver(NESTED, prefix=PREFIX)
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    whole = PREFIX + NESTED
    header = PREFIX + NESTED[: NESTED.index(b"\r\n\r\n") + 4]
    assert await section(wire, "[]") == whole
    assert await section(wire, "[HEADER]") == header
    assert await section(wire, "[TEXT]") == whole[len(header) :]
    assert await section(wire, "[1]") == b"first"
    assert await section(wire, "[1.MIME]") == b"Content-Type: text/plain\r\nX-Part: one\r\n\r\n"
    assert await section(wire, "[2]") == INNER
    assert await section(wire, "[2.HEADER]") == b"From: inner@x.example\r\nSubject: inner\r\n\r\n"
    assert await section(wire, "[2.TEXT]") == b"inner text\r\n"
    assert await section(wire, "[2.1]") == b"inner text\r\n"
    assert await section(wire, "[3]") == b"JVBERg=="
    assert await section(wire, "[HEADER.FIELDS (subject Received)]") == (
        b"Received: from a by b; Mon, 2 Nov 2026 10:00:00 +0100\r\nSubject: outer\r\n\r\n"
    )
    assert await section(wire, "[HEADER.FIELDS.NOT (subject Received Return-Path content-type)]") == (
        b"From: marie@hop.example\r\nMIME-Version: 1.0\r\n\r\n"
    )
    assert await section(wire, "[2.HEADER.FIELDS (Subject)]") == b"Subject: inner\r\n\r\n"
    for missing in ("[4]", "[1.HEADER]", "[2.2]", "[3.MIME.]"):
        answer = await wire.command(f"FETCH 1 BODY.PEEK{missing}")
        assert answer.status == "BAD" or answer.untagged == [b"* 1 FETCH (BODY%b NIL)" % missing.encode()]
    answer = await wire.ok("FETCH 1 (RFC822.SIZE RFC822.HEADER)")
    assert answer.untagged[0].startswith(b"* 1 FETCH (RFC822.SIZE %d RFC822.HEADER {" % len(whole))
    assert literal(answer.untagged[0]) == header
    answer = await wire.ok("FETCH 1 (ENVELOPE BODY BODYSTRUCTURE)")
    assert b'ENVELOPE (NIL "outer" ' in answer.untagged[0] and b"BODYSTRUCTURE ((" in answer.untagged[0]


@pytest.mark.parametrize("size", [1, 50, 1000])
async def test_partial_ranges(bench: Bench, size: int) -> None:
    await bench.adeliver(NESTED, prefix=PREFIX)
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    whole = PREFIX + NESTED
    for origin in (0, 10, len(PREFIX) - 1, len(PREFIX), len(PREFIX) + 7, len(whole) - 1, len(whole), 10**6):
        answer = await wire.ok(f"FETCH 1 BODY.PEEK[]<{origin}.{size}>")
        assert f"BODY[]<{origin}> {{".encode() in answer.untagged[0]
        assert literal(answer.untagged[0]) == whole[origin : origin + size]
    assert await section(wire, "[1]<1.3>") == b"irs"
    assert await section(wire, "[HEADER.FIELDS (Subject)]<3.4>") == b"ject"


async def test_reading_sets_seen(bench: Bench) -> None:
    for number in range(3):
        await bench.adeliver(simple_message(number))
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    await wire.ok("FETCH 1 (BODY.PEEK[] RFC822.HEADER BODYSTRUCTURE ENVELOPE)")
    assert (await wire.ok("SEARCH SEEN")).untagged == [b"* SEARCH"]
    answer = await wire.ok("UID FETCH 1:2 BODY[TEXT]")
    assert answer.untagged[0].startswith(b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) BODY[TEXT] {")
    assert len(answer.untagged) == 2
    answer = await wire.ok("FETCH 1 RFC822.TEXT")
    assert b"FLAGS" not in answer.untagged[0]
    answer = await wire.ok("FETCH 1:3 (FLAGS RFC822)")
    assert [b"\\Seen" in line for line in answer.untagged] == [True, True, True]
    assert len(answer.untagged) == 3


async def test_large_message_is_streamed_exactly(bench: Bench) -> None:
    noise = random.Random(7).randbytes(6 * 1024 * 1024).replace(b"\0", b"\1")
    raw = b"Subject: big\r\nContent-Type: application/octet-stream\r\n\r\n" + noise
    wire = await bench.wire()
    assert (await wire.append("INBOX", raw)).status == "OK"
    await bench.adeliver(raw, prefix=PREFIX)
    await wire.ok("SELECT INBOX")
    answer = await wire.ok("FETCH 1:2 BODY.PEEK[]", patience=60)
    assert hashlib.sha256(literal(answer.untagged[0])).digest() == hashlib.sha256(raw).digest()
    assert literal(answer.untagged[1]) == PREFIX + raw
    assert await section(wire, "[TEXT]<3000000.700000>") == noise[3_000_000:3_700_000]
    await wire.ok("NOOP")


async def test_slow_reader_holds_little(bench: Bench) -> None:
    """A client that does not read stops the server's reading of the body; the server stays responsive."""
    raw = b"Subject: big\r\n\r\n" + random.Random(8).randbytes(16 * 1024 * 1024).replace(b"\0", b"\1")
    await bench.adeliver(raw)
    slow, quick = await bench.wire(), await bench.wire()
    await slow.ok("SELECT INBOX")
    slow.writer.transport.pause_reading()
    slow.send(b"big FETCH 1 BODY.PEEK[]\r\n")
    await asyncio.sleep(0.5)
    context = next(c for c in bench.server._sessions.values() if c.connection.bytes_out > 100_000)
    assert context.connection.bytes_out < 12 * 1024 * 1024
    await quick.ok("SELECT INBOX")
    slow.writer.transport.resume_reading()
    answer = await slow.answer(b"big", patience=60)
    assert literal(answer.untagged[0]) == raw


async def test_unreadable_body_is_told_and_the_session_lives_on(bench: Bench) -> None:
    for number in range(3):
        await bench.adeliver(simple_message(number, "x" * 900))
    segments = sorted((bench.store.home / "segments").iterdir())
    entry = bench.store.read(mailboxes.entries, bench.box_id, 1)[1]
    message = bench.store.read(bench.store.messages, bench.box_id, [entry.message_id])[entry.message_id]
    with segments[-1].open("r+b") as file:  # damage the sealed body of the second message
        file.seek(message.ref.offset + 20)
        file.write(b"\xff\x00\xff\x00")
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    answer = await wire.command("FETCH 1:3 BODY.PEEK[]")
    assert b"NO [UNAVAILABLE] 1 of the messages cannot be read" in answer.tagged
    assert answer.numbered(b"FETCH") == [1, 3]
    answer = await wire.ok("FETCH 2 (FLAGS ENVELOPE)")  # the index is kept apart
    assert b'"Message 1"' in answer.untagged[0]
    assert (await wire.ok("SEARCH BODY xxx")).untagged == [b"* SEARCH 1 3"]


async def test_header_names_come_back_as_asked(bench: Bench) -> None:
    await bench.adeliver(simple_message(1))
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    answer = await wire.ok('FETCH 1 BODY.PEEK[HEADER.FIELDS ("To" subject)]')
    assert answer.untagged[0].startswith(b'* 1 FETCH (BODY[HEADER.FIELDS ("To" subject)] {')
    answer = await wire.ok(b"FETCH 1 BODY.PEEK[HEADER.FIELDS ({2+}\r\nTo)]")
    assert answer.untagged[0].startswith(b'* 1 FETCH (BODY[HEADER.FIELDS ("To")] {')
    assert USER.encode() in answer.untagged[0]


async def test_many_messages_in_groups(bench: Bench) -> None:
    await bench.adeliver(simple_message(7))
    await asyncio.to_thread(_multiply, bench, 1000)
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    answer = await wire.ok("FETCH 1:* (UID FLAGS)")
    assert answer.numbered(b"FETCH") == list(range(1, 1001))
    answer = await wire.ok("UID FETCH 1:* (ENVELOPE BODY.PEEK[TEXT])", patience=30)
    assert answer.numbered(b"FETCH") == list(range(1, 1001))
    assert all(b"Bonjour 7" in line for line in answer.untagged)


def _multiply(bench: Bench, count: int) -> None:
    """Fill INBOX up to ``count`` entries by copying."""
    have = 1
    while have < count:
        more = min(have, count - have)
        bench.store.write(
            mailboxes.copy,
            box_id=bench.box_id,
            folder_id=1,
            uids=list(range(1, more + 1)),
            target_id=1,
        )
        have += more
