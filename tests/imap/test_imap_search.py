"""SEARCH: every key, decoded text, charsets."""

from __future__ import annotations

import base64
import quopri

import pytest
from imap_support import USER, Bench, simple_message

from store import mail as mailboxes

DAY = 86_400_000
HTML = (
    b"From: =?utf-8?q?Zo=C3=A9?= <zoe@x.example>\r\nTo: b@x.example\r\nCc: Carole <c@x.example>\r\n"
    b"Subject: =?iso-8859-1?Q?R=E9sultats_d=27analyse?=\r\nDate: Tue, 3 Nov 2026 23:30:00 -0500\r\n"
    b"X-Empty:\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
    b"--B\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    + quopri.encodestring("<p>Très <b>bon</b>ne santé &eacute;tude</p>".encode("latin-1"))
    + b"\r\n--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(("cœur " * 40 + "ŒDÈME").encode())
    + b"--B\r\nContent-Type: application/octet-stream\r\n\r\nhidden binary words\r\n"
    b"--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: enveloped\r\n\r\nembedded text\r\n--B--\r\n"
)


@pytest.fixture
async def filled(bench: Bench) -> Bench:
    """1 plain, 2 rich, 3 seen and flagged, 4 deleted with a keyword, 5 long."""
    start = 1_793_491_200_000  # 2026-11-01
    await bench.adeliver(simple_message(1), prefix=b"X-Added: prefix\r\n", internal_date=start)
    await bench.adeliver(HTML, internal_date=start + DAY)
    await bench.adeliver(simple_message(3), flags=5, internal_date=start + 2 * DAY - 1)
    await bench.adeliver(simple_message(4), flags=8 | 2, keywords="$Done", internal_date=start + 3 * DAY)
    await bench.adeliver(simple_message(5, "y" * 5000), flags=16, internal_date=start + 4 * DAY)
    return bench


CASES = [
    ("ALL", "1 2 3 4 5"),
    ("SEEN", "3"),
    ("UNSEEN", "1 2 4 5"),
    ("FLAGGED", "3"),
    ("UNFLAGGED SEEN", ""),
    ("DELETED", "4"),
    ("UNDELETED ANSWERED", ""),
    ("ANSWERED", "4"),
    ("UNANSWERED UNDRAFT", "1 2 3"),
    ("DRAFT", "5"),
    ("KEYWORD $done", "4"),
    ("UNKEYWORD $DONE", "1 2 3 5"),
    ("RECENT", "1 2 3 4 5"),
    ("NEW", "1 2 4 5"),
    ("OLD", ""),
    ("NOT OR SEEN DELETED", "1 2 5"),
    ("(OR (SEEN FLAGGED) 5) NOT DRAFT", "3"),
    ("2:3", "2 3"),
    ("*", "5"),
    ("UID 4:*", "4 5"),
    ("UID 90", ""),
    ("UID 90:*", "5"),
    ("1:3 UID 2:4", "2 3"),
    ("LARGER 4000", "5"),
    ("SMALLER 500", "1 3 4"),
    ("BEFORE 2-Nov-2026", "1"),
    ("ON 2-Nov-2026", "2 3"),
    ('SINCE "3-Nov-2026"', "4 5"),
    ("SENTON 3-Nov-2026", "2"),  # the day as written, its zone disregarded
    ("SENTBEFORE 3-Nov-2026", "1 3 4 5"),
    ("SENTSINCE 3-Nov-2026", "2"),
    ("FROM marie", "1 3 4 5"),
    ("FROM hop.EXAMPLE", "1 3 4 5"),
    (f"TO {USER}", "1 3 4 5"),
    ("CC carole", "2"),
    ("BCC x", ""),
    ('SUBJECT "message 3"', "3"),
    ("HEADER X-Added prefix", "1"),
    ("HEADER X-Added nothing", ""),
    ('HEADER X-Empty ""', "2"),
    ('HEADER X-Absent ""', ""),
    ("BODY bonjour", "1 3 4"),
    ("BODY marie", ""),
    ("TEXT x-added", "1"),
    ('TEXT "message 4"', "4"),
    ("BODY embedded", "2"),
    ("BODY enveloped", "2"),
    ("BODY hidden", ""),
    ("BODY bonne", ""),
    ("NOT BODY bonjour UNDRAFT", "2"),
    ("OR BODY bonjour SUBJECT zzz 3:4", "3 4"),
    ("MODSEQ 1", "1 2 3 4 5 (MODSEQ 6)"),
    ("MODSEQ 5", "4 5 (MODSEQ 6)"),
    ("MODSEQ 99", ""),
]


async def test_every_key(filled: Bench) -> None:
    wire = await filled.wire()
    await wire.ok("SELECT INBOX")
    for program, expected in CASES:
        answer = await wire.ok(f"SEARCH {program}")
        assert answer.untagged == [b" ".join([b"* SEARCH", *expected.encode().split()])], program
    assert (await wire.ok("SEARCH 6")).untagged == [b"* SEARCH"]


async def test_text_is_decoded(filled: Bench) -> None:
    wire = await filled.wire()
    await wire.ok("SELECT INBOX")
    for key, text, expected in (
        ("SUBJECT", "résultats D'ANALYSE", b"* SEARCH 2"),
        ("FROM", "ZOÉ", b"* SEARCH 2"),
        ("BODY", "santé", b"* SEARCH 2"),
        ("BODY", "étude", b"* SEARCH 2"),
        ("BODY", "œdème", b"* SEARCH 2"),
        ("BODY", "cœur œdème", b"* SEARCH 2"),
        ("TEXT", "résultats", b"* SEARCH 2"),
        ("TEXT", "Œdème", b"* SEARCH 2"),
        ("BODY", "œdèmes", b"* SEARCH"),
    ):
        needle = text.encode()
        line = b"SEARCH CHARSET UTF-8 %b {%d+}\r\n%b" % (key.encode(), len(needle), needle)
        assert (await wire.ok(line)).untagged == [expected], (key, text)
    answer = await wire.command("SEARCH CHARSET ISO-8859-1 SUBJECT x")
    assert answer.tagged.split(b" ", 1)[1].startswith(b"NO [BADCHARSET (US-ASCII UTF-8)]")


async def test_text_across_chunks(bench: Bench) -> None:
    """A word lying across the borders of the stored frames is found, in every encoding."""
    filler = "é" * (128 * 1024 - 4)
    text = filler + "accouchement" + filler
    for encoding, body in (
        ("8bit", text.encode()),
        ("base64", base64.encodebytes(text.encode())),
        ("quoted-printable", quopri.encodestring(text.encode())),
    ):
        await bench.adeliver(
            b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
            + encoding.encode()
            + b"\r\n\r\n"
            + body
        )
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    assert (await wire.ok("SEARCH BODY ACCOUCHEMENT")).untagged == [b"* SEARCH 1 2 3"]
    assert (await wire.ok("SEARCH BODY accouchements")).untagged == [b"* SEARCH"]


async def test_empty_folder(bench: Bench) -> None:
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    for program in ("ALL", "UID 1:*", "TEXT x", "UNSEEN"):
        assert (await wire.ok(f"SEARCH {program}")).untagged == [b"* SEARCH"]
    assert (await wire.ok("UID FETCH 1:* FLAGS")).untagged == []
    assert mailboxes.SEEN == 1
