"""Dovecot as the oracle: the same commands on the same messages must bring the same answers."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.utils import parsedate
from typing import Any

import pytest
from imap_dovecot import dovecot
from imap_support import Bench
from test_imap_search import CASES, HTML

from tests.corpus import nasty_messages
from tests.message.replies import read_fetches

SEARCHES = [
    "ALL", "*", "UID 3:5", "LARGER 1000", "SMALLER 600", "NOT 1:4", "OR 2 UID 3", "1:3 NOT 2",
    "SENTON 20-Nov-2026", "SENTBEFORE 20-Nov-2026", "SENTSINCE 20-Nov-2026", "SENTSINCE 21-Nov-2026",
    "FROM exemple", "TO patient", "CC x", "SUBJECT structure", "SUBJECT s", "HEADER Message-ID exemple",
    'HEADER Content-Type ""', "HEADER X-Nothing y", "TEXT exemple", "BODY texte", "NOT BODY texte",
    "BODY dedans", "TEXT dedans", "OR SUBJECT structure BODY texte", "KEYWORD $Chosen", "UNKEYWORD $Chosen",
    "FLAGGED", "UNFLAGGED", "DELETED UNSEEN", "(OR FLAGGED DELETED) NOT DRAFT", "SEEN", "UNSEEN ANSWERED",
    "SUBJECT {7+}\r\nréunion", "CHARSET UTF-8 SUBJECT {2+}\r\né", "CHARSET UTF-8 FROM {6+}\r\nHélène",
    "CHARSET UTF-8 BODY {2+}\r\né",
]  # fmt: skip
STORES = [
    "STORE 1:* FLAGS.SILENT ()",
    "STORE 2:9 +FLAGS.SILENT (\\Flagged $Chosen)",
    "STORE 4,6 -FLAGS.SILENT (\\Flagged)",
    "STORE 5:8 +FLAGS.SILENT (\\Deleted \\Answered $other)",
    "STORE 8 FLAGS.SILENT (\\Seen \\Draft $CHOSEN)",
]
SECTIONS = [
    "BODY.PEEK[]<0.300>", "BODY.PEEK[]<100.50>", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]",
    "BODY.PEEK[TEXT]<10.20>", "BODY.PEEK[1]", "BODY.PEEK[2]", "BODY.PEEK[1.1]", "BODY.PEEK[1.MIME]",
    "BODY.PEEK[2.MIME]", "BODY.PEEK[2.HEADER]", "BODY.PEEK[2.TEXT]", "BODY.PEEK[2.1]",
    "BODY.PEEK[2.1.MIME]", "BODY.PEEK[9]", "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]",
    "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT FROM TO)]", "BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]",
    "BODY.PEEK[2.HEADER.FIELDS.NOT (SUBJECT)]", "RFC822.SIZE", "RFC822.HEADER", "UID",
]  # fmt: skip
FOLDERS = [
    "CREATE zo", "CREATE zo/a", "CREATE zo/a/b", "CREATE zo/c", 'CREATE "zo/Envoy&AOk-s x"', 'LIST "" zo*',
    'LIST "" zo/%', 'LIST "" %/%', 'LIST zo/ %', 'LIST "zo/a/" *', 'LIST "" "zo/*x"', 'LIST "" inbox',
    'LIST "" ""', "RENAME zo/a zo/d", 'LIST "" zo*', "DELETE zo/c", 'LIST "" zo/%',
    "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)",
]  # fmt: skip


async def both(
    bench: Bench, messages: list[bytes], commands: list[str]
) -> tuple[list[tuple[bytes, str]], list[tuple[bytes, str]]]:
    """Our answers and Dovecot's."""
    theirs = await asyncio.to_thread(dovecot, messages, commands)
    for data in messages:
        await bench.adeliver(data)
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    mine = []
    for command in commands:
        answer = await wire.command(command, 60)
        mine.append((b"".join(line + b"\r\n" for line in answer.untagged), answer.status))
    return mine, theirs


def corpus() -> list[bytes]:
    """Messages small enough for many commands."""
    small = [data for data in nasty_messages().values() if len(data) < 20_000]
    # To Dovecot a message without a usable Date was sent before any day; here it was sent on none.
    return [HTML, *(data for data in small if parsedate(str(message_from_bytes(data).get("Date"))))]


def essence(answer: tuple[bytes, str]) -> list[bytes]:
    """The LIST, SEARCH and STATUS responses, sorted, and the status."""
    lines = [line.strip() for line in answer[0].split(b"\r\n")]
    return [*sorted(line for line in lines if line[2:6] in (b"LIST", b"SEAR", b"STAT")), answer[1].encode()]


# Attached messages without a body, where Dovecot counts the boundary's own line end as theirs.
CUT_OTHERWISE = {"rfc822_empty", "rfc822_header_only", "rfc822_base64"}

# Where we find more: the header of an attached message is part of the body (RFC 3501 §6.4.4 BODY), and
# raw 8-bit header text is read as Latin-1 when it is not UTF-8.
MORE = {"SEARCH BODY dedans", "SEARCH BODY enveloped", "SEARCH CHARSET UTF-8 SUBJECT {2+}\r\né"}


EMPTY = b"{0}\r\n"


async def differences(bench: Bench, messages: list[bytes], commands: list[str]) -> dict[str, Any]:
    mine, theirs = await both(bench, messages, commands)
    return {
        command: (essence(m), essence(t))
        for command, m, t in zip(commands, mine, theirs, strict=True)
        if essence(m) != essence(t) and not (command in MORE and set(m[0].split()) > set(t[0].split()))
    }


@pytest.mark.package("dovecot")
async def test_search_finds_what_dovecot_finds(bench: Bench) -> None:
    searches = [f"SEARCH {program}" for program in SEARCHES]
    commands = [*STORES, *searches, "UID SEARCH UNSEEN", "SEARCH 100000", "SEARCH CHARSET foo ALL"]
    assert await differences(bench, corpus(), commands) == {}


@pytest.mark.package("dovecot")
async def test_search_of_the_table(bench: Bench) -> None:
    wanted = ("FROM", "TO", "SUBJECT", "HEADER", "BODY", "TEXT", "SENT", "NOT", "OR", "UID", "1:", "2:", "*")
    commands = [f"SEARCH {program}" for program, _ in CASES if program.startswith(wanted)]
    messages = [HTML, *corpus()[1:8]]
    assert await differences(bench, messages, commands) == {}


@pytest.mark.package("dovecot")
async def test_sections_are_cut_as_dovecot_cuts_them(bench: Bench) -> None:
    odd = {data for name, data in nasty_messages().items() if name in CUT_OTHERWISE}
    # The first has bare LF, which Dovecot rewrites and we keep.
    messages = [data for data in corpus()[1:] if data not in odd]
    commands = [STORES[0], *(f"FETCH 1:{len(messages)} {section}" for section in SECTIONS)]
    mine, theirs = await both(bench, messages, commands)
    first, second = (read_fetches(b"".join(octets for octets, _ in answers)) for answers in (mine, theirs))
    wrong = {
        (number, name): (first.get(number, {}).get(name), value)
        for number, items in second.items()
        for name, value in items.items()
        if (first.get(number, {}).get(name) or b"").replace(b"NIL", EMPTY) != value.replace(b"NIL", EMPTY)
    }
    assert len(second) == len(messages)
    assert wrong == {}


@pytest.mark.package("dovecot")
async def test_folders_are_listed_as_dovecot_lists_them(bench: Bench) -> None:
    assert await differences(bench, corpus()[:3], FOLDERS) == {}
