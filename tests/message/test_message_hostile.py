# ruff: noqa: E501  (tables of wire text read better unbroken)
"""Messages made to cost much: time stays about linear, memory small, limits are told as defects."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from gateway.message import Indexer, MessageIndex, walk
from gateway.message.types import ADDRESS_LIMIT, DEPTH_LIMIT, HEADER_LIMIT, PART_LIMIT
from tests.corpus import large_message
from tests.message.help import fed, index
from tests.message.replies import read_whole

SIZE = 200_000
MULTI = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def _nest(levels: int) -> bytes:
    tops = b"".join(
        b"Content-Type: multipart/mixed; boundary=%dx\r\n\r\n--%dx\r\n" % (n, n) for n in range(levels)
    )
    return tops + b"\r\nfond\r\n" + b"".join(b"--%dx--\r\n" % n for n in reversed(range(levels)))


HOSTILE = {
    "addresses": b"From: " + b"a," * (SIZE // 2),
    "addresses dotted": b"From: " + b"a." * (SIZE // 2),
    "addresses open quotes": b"From: " + b'"a' * (SIZE // 2),
    "addresses open comments": b"From: " + b"(a" * (SIZE // 2),
    "addresses closed comments": b"From: a" + b"(" * (SIZE // 2) + b")" * (SIZE // 2),
    "addresses angles": b"From: " + b"<a" * (SIZE // 2),
    "addresses routes": b"From: <" + b"@a," * (SIZE // 3),
    "addresses groups": b"From: " + b"a:;," * (SIZE // 4),
    "addresses words": b"From: " + b"a " * (SIZE // 2) + b"<",
    "addresses blanks": b"From: a" + b" " * SIZE + b"b",
    "addresses escapes": b'From: "' + b"\\" * SIZE,
    "from many times": b"From: a@b\r\n" * (SIZE // 11),
    "lines without colon": b"a\r\n" * (SIZE // 3),
    "a line without end": b"a" * SIZE,
    "a name without end": b"Subject" + b" " * SIZE,
    "folds": b"Subject: a\r\n" + b" \r\n" * (SIZE // 3),
    "carriage returns": b"Subject: " + b"\r" * SIZE,
    "line ends": MULTI + b"\n" * SIZE,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * (SIZE // 14),
    "half encoded words": b"Subject: " + b"=?" * (SIZE // 2),
    "long half encoded word": b"Subject: =?a?q?" + b"=" * SIZE,
    "references": b"References: " + b"<" * SIZE,
    "params": b"Content-Type: text/plain" + b"; a=b" * (SIZE // 5),
    "params broken": b"Content-Type: text/plain" + b'; a="' * (SIZE // 5),
    "params continued": b"Content-Type: text/plain" + b"".join(b"; a*%d=b" % n for n in range(SIZE // 10)),
    "params continued wrong": b"Content-Type: text/plain" + b"; a*1*=b" * (SIZE // 8),
    "params semicolons": b"Content-Type: text/plain" + b";" * SIZE,
    "params huge section": b"Content-Type: text/plain; a*" + b"9" * SIZE + b"=b",
    "languages": b"Content-Type: text/plain\r\nContent-Language: " + b"a," * (SIZE // 2),
    "message ids": b"Message-ID: " + b"<a" * (SIZE // 2),
    "almost boundaries": MULTI + b"\r\n--c" * (SIZE // 5),
    "many parts": MULTI + b"--b\r\n" * (SIZE // 5),
    "many closings": MULTI + b"--b--\r\n" * (SIZE // 7),
    "deep": _nest(3000),
    "deep prefixes": b"".join(
        b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (b"a" * n, b"a" * n) for n in range(1, 90)
    )
    + (b"\r\n--" + b"a" * 75 + b"b") * (SIZE // 80),
    "deep messages": b"Content-Type: message/rfc822\r\n\r\n" * (SIZE // 32),
    "wide and deep": MULTI.replace(b"=b", b"=o") + b"--o\r\nContent-Type: multipart/mixed; boundary=oo\r\n\r\n" * (SIZE // 48),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_time_stays_small(name: str) -> None:
    data = HOSTILE[name]
    started = time.process_time()
    found = fed(data, 16_384)
    spent = time.process_time() - started
    read_whole(found.envelope)
    read_whole(found.bodystructure)
    # anything quadratic in 200 kB takes minutes; a slow machine takes well under a second
    assert spent < 3.0


def test_single_octets_are_not_quadratic() -> None:
    started = time.process_time()
    found = fed(b"From: a@b\r\nSubject: " + b"x" * SIZE, 1)
    assert found.size == SIZE + 20
    assert time.process_time() - started < 5.0


def test_memory_does_not_follow_the_message() -> None:
    piece = large_message(1 << 20)
    endless = b"X-" + b"h" * 65_000
    for head, body in ((piece, b"A" * 65_536), (b"", endless)):
        indexer = Indexer()
        indexer.feed(head)
        tracemalloc.start()
        for _ in range(200):
            indexer.feed(body)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        found = indexer.close()
        assert found.size == len(head) + 200 * len(body)
        assert peak < 4 * HEADER_LIMIT


def test_header_limit() -> None:
    head = b"Subject: s\r\n" + b"X-Filler: " + b"x" * HEADER_LIMIT + b"\r\nTo: late@x.fr\r\n\r\n"
    data = head + b"corps\r\n"
    found = index(data)
    assert found.header_end == len(head)
    assert found.header == head[:HEADER_LIMIT]
    assert "header.limit" in found.defects
    assert found.facts.subject == "s"
    assert found.facts.to == []
    assert fed(data, 1000) == found == fed(data, 65_537)


def test_header_limit_then_a_boundary() -> None:
    data = MULTI + b"--b\r\nX: " + b"x" * HEADER_LIMIT + b"\r\n--b\r\n\r\nsuite\r\n--b--\r\n"
    found = index(data)
    assert [data[part.body_start : part.end] for part in found.root.children] == [b"", b"suite"]
    assert "header.limit" in found.defects
    assert fed(data, 999) == found == fed(data, 70_001)


def _depth(found: MessageIndex) -> int:
    depth, part = 1, found.root
    while part.children:
        depth, part = depth + 1, part.children[0]
    return depth


def test_depth_limit() -> None:
    found = index(_nest(150))
    assert _depth(found) == DEPTH_LIMIT
    assert "depth.limit" in found.defects
    inside = index(b"Content-Type: message/rfc822\r\n\r\n" * 150)
    assert _depth(inside) == DEPTH_LIMIT
    assert "depth.limit" in inside.defects


def test_part_limit() -> None:
    found = index(MULTI + b"--b\r\n\r\nx\r\n" * (PART_LIMIT + 50))
    assert sum(1 for _ in walk(found.root)) == PART_LIMIT
    assert "parts.limit" in found.defects


def test_address_limit() -> None:
    found = index(b"To: " + b"a@b, " * (ADDRESS_LIMIT + 10) + b"a@b\r\n\r\n")
    assert len(found.facts.to) == ADDRESS_LIMIT
    assert "addresses.limit" in found.defects


def test_twenty_five_mebibytes() -> None:
    data = large_message(25 << 20)
    started = time.process_time()
    found = fed(data, 65_536)
    assert time.process_time() - started < 3.0
    attached = found.root.children[1]
    assert attached.filename == "grand.bin"
    assert attached.size > (25 << 20) - 2000
    assert found.defects == []
