"""Two fronts serve the same ports: sessions in different processes never disagree on a mailbox."""

from __future__ import annotations

import contextlib
import imaplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from wire_support import Owner, Space, fetch, letter, server_process, uids

from gateway.demo.cast import DOCTOR


@contextlib.contextmanager
def two_sessions(space: Space, owner: Owner) -> Iterator[tuple[imaplib.IMAP4_SSL, imaplib.IMAP4_SSL]]:
    """IMAP sessions of one mailbox in two processes: the kernel chooses, so ask until it chose both."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(space.imap(owner))
        for _ in range(50):
            second = stack.enter_context(space.imap(owner))
            if server_process(second.socket()) != server_process(first.socket()):
                yield first, second
                return
    raise AssertionError("one process takes every connection")


def pushed(client: imaplib.IMAP4_SSL, wanted: bytes) -> bytes:
    """What the server says during IDLE, up to the line that holds ``wanted``."""
    told = b""
    while wanted not in told:
        line = client.readline()
        assert line, told
        told += line
    return told


@contextlib.contextmanager
def idle(client: imaplib.IMAP4_SSL) -> Iterator[None]:
    """RFC 2177; Python's imaplib has none of its own yet."""
    client.send(b"idle1 IDLE\r\n")
    assert client.readline().startswith(b"+ ")
    yield
    client.send(b"DONE\r\n")
    while not (line := client.readline()).startswith(b"idle1 "):
        assert line.startswith(b"* "), line
    assert line.startswith(b"idle1 OK")


def flags(client: imaplib.IMAP4, uid: int) -> set[bytes]:
    client.noop()
    status, found = client.uid("FETCH", str(uid), "(FLAGS)")
    assert status == "OK"
    return set(imaplib.ParseFlags(found[0])) - {rb"\Recent"}


@pytest.fixture
def sessions(space: Space, patient: Owner) -> Iterator[tuple[imaplib.IMAP4_SSL, imaplib.IMAP4_SSL]]:
    with space.operators() as client:
        for number in range(5):
            client.sendmail(DOCTOR.address, [patient.address], letter(patient.address, text=str(number)))
    with two_sessions(space, patient) as pair:
        yield pair


Pair = tuple[imaplib.IMAP4_SSL, imaplib.IMAP4_SSL]


def test_flags_and_expunges_are_seen_by_the_other_process(sessions: Pair) -> None:
    first, second = sessions
    assert uids(first) == uids(second) == [1, 2, 3, 4, 5]
    first.uid("STORE", "2", "+FLAGS", r"(\Flagged $Suivi)")
    assert flags(second, 2) == {rb"\Flagged", b"$Suivi"}
    second.uid("STORE", "2", "-FLAGS", "($Suivi)")
    assert flags(first, 2) == {rb"\Flagged"}
    first.uid("STORE", "3:4", "+FLAGS", r"(\Deleted)")
    assert flags(second, 3) == flags(second, 4) == {rb"\Deleted"}
    second.expunge()
    assert uids(first) == uids(second) == [1, 2, 5]
    # sequence numbers agree as well
    for client in sessions:
        status, found = client.fetch("3", "(UID)")
        assert (status, found) == ("OK", [b"3 (UID 5)"])


def test_idle_hears_of_what_another_process_did(space: Space, patient: Owner, sessions: Pair) -> None:
    first, second = sessions
    for client, other in ((first, second), (second, first)):
        count = len(uids(client))
        raw = letter(patient.address)
        with idle(client):
            space.bring(patient.address, raw)
            pushed(client, b"* %d EXISTS" % (count + 1))
            other.noop()
            other.uid("STORE", "1", "FLAGS", rf"(\Seen {'A' if client is first else 'B'})")
            assert b"FLAGS" in pushed(client, b"* 1 FETCH")
            newest = uids(other)[-1]
            other.uid("STORE", str(newest), "+FLAGS", r"(\Deleted)")
            pushed(client, b"FETCH")
            other.expunge()
            pushed(client, b"* %d EXPUNGE" % (count + 1))
        assert len(uids(client)) == count


def test_what_any_front_accepts_every_session_is_told(space: Space, patient: Owner, sessions: Pair) -> None:
    fronts = set()
    for client in sessions:
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                smtp = stack.enter_context(space.operators())
                process = server_process(smtp.sock)
                if process not in fronts:
                    break
            fronts.add(process)
            raw = letter(patient.address)
            with idle(client):
                smtp.sendmail(DOCTOR.address, [patient.address], raw)
                pushed(client, b"EXISTS")
            assert fetch(client, uids(client)[-1]).endswith(raw)
    assert len(fronts) == 2


def test_both_write_at_once_and_agree(space: Space, patient: Owner, sessions: Pair) -> None:
    def work(number: int) -> None:
        client = sessions[number]
        for turn in range(20):
            status, told = client.append("INBOX", rf"(K{number})", None, letter(patient.address))  # type: ignore[arg-type]
            assert status == "OK", told
            client.uid("STORE", "1:5", "+FLAGS", f"(T{number}.{turn})")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (0, 1)))
    seen = []
    for client in sessions:
        client.noop()
        status, found = client.uid("FETCH", "1:*", "(FLAGS)")
        assert status == "OK"
        # imaplib adds what it was told unasked before; the last word on a message counts
        rows = {line.partition(b" ")[0]: set(imaplib.ParseFlags(line)) - {rb"\Recent"} for line in found}
        seen.append(rows)
    assert seen[0] == seen[1]
    assert len(seen[0]) == 45
    assert {b"T%d.%d" % (number, turn) for number in (0, 1) for turn in range(20)} == seen[0][b"1"]
