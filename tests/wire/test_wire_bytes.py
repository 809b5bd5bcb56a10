"""What a professional sent is what the patient gets: SHA-256 over the wire against SHA-256 over IMAP."""

from __future__ import annotations

import base64
import imaplib
import random
import re
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest
from wire_support import Owner, Space, fetch, letter, send_bdat, server_process, sha256, uids

from gateway.demo.cast import DOCTOR
from tests.corpus import WITHOUT_FINAL_LINE_END, large_message, nasty_messages

LIMIT = 25 * 1024 * 1024
CORPUS = nasty_messages()
NAME = re.compile(rb"^X-Corpus: (\S+)\r\n", re.MULTILINE)


def authored(name: str, raw: bytes) -> bytes:
    """The message as the doctor may send it: its From fields give way to his, all other octets stay.

    The rules ask that From be the proven sender's (sender.identity), and many of the corpus have none,
    several, or a broken one.
    """
    header, blank, body = raw.partition(b"\r\n\r\n")
    if raw.startswith(b"\r\n"):
        header, blank, body = b"", b"", raw
    elif blank:
        header, blank = header + b"\r\n", b"\r\n"
    lines, dropping = [], False
    for line in header.splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")) or not (lines or dropping):
            dropping = line.partition(b":")[0].strip().lower() == b"from"
        if not dropping:
            lines.append(line)
    return (
        b"From: <%b>\r\nX-Corpus: %b\r\n" % (DOCTOR.address.encode(), name.encode())
        + b"".join(lines)
        + blank
        + body
    )


def carried(name: str, raw: bytes) -> bytes:
    """A message of the doctor's that carries another one, whole and untouched, as its content."""
    return (
        b"From: <%b>\r\nX-Corpus: %b\r\nSubject: transmis\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" % (DOCTOR.address.encode(), name.encode())
    ) + raw


def by_data(client: smtplib.SMTP, to: str, raw: bytes) -> None:
    client.sendmail(DOCTOR.address, [to], raw, mail_options=["BODY=8BITMIME", "SMTPUTF8"])


def by_bdat(client: smtplib.SMTP, to: str, raw: bytes) -> None:
    code, told = send_bdat(client, DOCTOR.address, to, raw, chunk=len(raw) * 2 // 3 + 1)
    assert code == 250, told


@pytest.mark.parametrize("way", [by_data, by_bdat])
@pytest.mark.parametrize("shape", [authored, carried])
def test_every_message_of_the_corpus_arrives_byte_for_byte(
    space: Space,
    patient: Owner,
    shape: Callable[[str, bytes], bytes],
    way: Callable[[smtplib.SMTP, str, bytes], None],
) -> None:
    sent = {name: shape(name, raw) for name, raw in CORPUS.items()}
    if way is by_data:  # RFC 5321 §4.1.1.4: DATA cannot carry a message without a final line end
        for name in WITHOUT_FINAL_LINE_END:
            sent[name] += b"\r\n"
    with space.operators() as client:
        for raw in sent.values():
            way(client, patient.address, raw)
    with space.imap(patient) as reader:
        served = [fetch(reader, uid) for uid in uids(reader)]
    # nothing missing, nothing twice
    names = [NAME.search(data) for data in served]
    assert [found[1].decode() for found in names if found] == list(CORPUS)
    for (name, raw), data in zip(sent.items(), served, strict=True):
        assert sha256(data[-len(raw) :]) == sha256(raw), name
        added = data[: -len(raw)]
        # what the gateway adds is a prefix of whole header lines
        assert added.startswith(b"Return-Path: <" + DOCTOR.address.encode() + b">\r\nReceived: from "), name
        assert added.endswith(b"\r\n") and b"\r\n\r\n" not in added, name


def test_the_reshaped_corpus_is_still_the_corpus() -> None:
    field = re.compile(rb"^from[ \t]*:.*\r?\n?(?:[ \t].*\r?\n?)*", re.IGNORECASE | re.MULTILINE)
    for name, raw in CORPUS.items():
        assert carried(name, raw).endswith(b"\r\n\r\n" + raw)
        header, blank, body = raw.partition(b"\r\n\r\n") if not raw.startswith(b"\r\n") else (b"", b"", raw)
        kept = authored(name, raw).split(b"\r\n", 2)[2]
        assert kept == field.sub(b"", header + blank[:2]) + blank[2:] + body, name


def test_imap_serves_parts_and_pieces_of_the_same_bytes(space: Space, patient: Owner) -> None:
    raws = [
        authored(name, CORPUS[name])
        for name in ("nested_multiparts", "dots", "rfc822_chain", "no_final_line_end")
    ]
    with space.operators() as client:
        for raw in raws:
            by_bdat(client, patient.address, raw)
    with space.imap(patient) as reader:
        for uid, raw in zip(uids(reader), raws, strict=True):
            whole = fetch(reader, uid)
            assert fetch(reader, uid, "BODY.PEEK[HEADER]") + fetch(reader, uid, "BODY.PEEK[TEXT]") == whole
            pieces, start = b"", 0
            while piece := _partial(reader, uid, start, 97):
                pieces += piece
                start += len(piece)
            assert pieces == whole
            status, found = reader.uid("FETCH", str(uid), "(RFC822.SIZE)")
            assert status == "OK" and f"RFC822.SIZE {len(whole)}".encode() in found[0]
            assert whole.endswith(raw)


def _partial(reader: imaplib.IMAP4, uid: int, start: int, length: int) -> bytes:
    status, found = reader.uid("FETCH", str(uid), f"(BODY.PEEK[]<{start}.{length}>)")
    assert status == "OK"
    return next((item[1] for item in found if isinstance(item, tuple)), b"")


@pytest.mark.parametrize("way", [by_data, by_bdat])
def test_25_mib_and_not_an_octet_more(
    space: Space, patient: Owner, way: Callable[[smtplib.SMTP, str, bytes], None]
) -> None:
    head = authored("large", b"")
    raw = head + large_message(LIMIT - len(head) + len(_from_line())).replace(_from_line(), b"", 1)
    assert len(raw) == LIMIT
    with space.operators() as client:
        assert client.esmtp_features["size"] == str(LIMIT)
        way(client, patient.address, raw)
    with space.imap(patient) as reader:
        (uid,) = uids(reader)
        served = fetch(reader, uid)
        assert sha256(served[-LIMIT:]) == sha256(raw)
    with space.operators() as client:
        code, told = client.mail(DOCTOR.address, [f"SIZE={LIMIT + 1}"])
        assert (code, told.split()[0]) == (552, b"5.3.4")
        assert b"[message.size]" in told
        client.rset()
        longer = raw[:-2] + b"+\r\n"
        if way is by_bdat:
            code, told = send_bdat(client, DOCTOR.address, patient.address, longer)
            client.rset()
        else:
            client.mail(DOCTOR.address)
            client.rcpt(patient.address)
            code, told = client.data(longer)
        assert code == 552, told
        assert b"[message.size]" in told
        # the session lives on
        by_data(client, patient.address, letter(patient.address))
    with space.imap(patient) as reader:
        assert len(uids(reader)) == 2


def _memory(process: int, name: str) -> int:
    """A figure of /proc/PID/status in octets."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _peak_grows_by(process: int, work: Callable[[], object]) -> int:
    """How much the largest size of a process exceeds, during ``work()``, its size before."""
    Path(f"/proc/{process}/clear_refs").write_text("5")  # proc(5): the peak begins anew
    before = _memory(process, "VmRSS")
    work()
    return _memory(process, "VmHWM") - before


@pytest.mark.parametrize("way", [by_data, by_bdat])
def test_no_process_holds_a_large_message_whole(
    space: Space, patient: Owner, way: Callable[[smtplib.SMTP, str, bytes], None]
) -> None:
    # octets that do not compress: what is held would be held in full size
    small, large = (
        letter(patient.address) + base64.encodebytes(random.Random(7).randbytes(size)).replace(b"\n", b"\r\n")
        for size in (1 << 20, 17 << 20)
    )
    with space.operators() as client:
        way(client, patient.address, small)  # what a first message loads and reserves is no part of it
        grown = _peak_grows_by(server_process(client.sock), lambda: way(client, patient.address, large))
    assert grown < len(large) // 2
    with space.imap(patient) as reader:
        first, second = uids(reader)
        fetch(reader, first)
        served: list[bytes] = []
        process = server_process(reader.socket())
        grown = _peak_grows_by(process, lambda: served.append(fetch(reader, second)))
    assert sha256(served[0][-len(large) :]) == sha256(large)
    assert grown < len(large) // 2


def _from_line() -> bytes:
    first = large_message(4096).partition(b"\r\n")[0] + b"\r\n"
    assert first.startswith(b"From: ")
    return first
