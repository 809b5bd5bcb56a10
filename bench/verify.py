"""Reading back over IMAP: is every accepted message there, once, and octet for octet."""

from __future__ import annotations

import hashlib
import imaplib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from bench.load import Sent
from bench.messages import Corpus
from bench.target import Target

_UID = re.compile(rb"UID (\d+)")
_PATIENCE_S = 180.0


@contextmanager
def inbox(target: Target, box: int) -> Iterator[imaplib.IMAP4_SSL]:
    """A session with the mailbox's INBOX selected, for reading only."""
    client = imaplib.IMAP4_SSL(*target.imap, ssl_context=target.context(), timeout=60)
    try:
        client.login(target.address(box), target.password)
        client.select("INBOX", readonly=True)
        yield client
    finally:
        client.logout()


@dataclass
class Findings:
    """What the mailboxes hold of one run."""

    found: int = 0
    missing: int = 0
    twice: int = 0
    unexpected: int = 0
    compared: int = 0
    differ: int = 0

    @property
    def ok(self) -> bool:
        return not (self.missing or self.twice or self.unexpected or self.differ)

    def take(self, other: Findings) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        return (
            f"{self.found} copies found, {self.missing} missing, {self.twice} twice, "
            f"{self.unexpected} unexpected; {self.compared} bodies compared, {self.differ} differ"
        )


def _by_box(corpus: Corpus, sent: Sent) -> dict[int, set[int]]:
    expected: dict[int, set[int]] = defaultdict(set)
    for number in sent.numbers:
        for box in corpus.targets(number):
            expected[box].add(number)
    return expected


def wait_readable(target: Target, corpus: Corpus, sent: Sent, last: int = 16) -> float:
    """Wait until the server's queues are empty and the ``last`` accepted messages are seen over IMAP.

    Returns when that was (monotonic s). A server that delivers before it answers needs no waiting: the
    check itself then is what this time adds.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while target.waiting:
        if time.monotonic() > deadline:
            raise SystemExit(f"{target.name}: its queue does not empty")
        time.sleep(0.01)
    order = sorted(range(len(sent.numbers)), key=lambda at: sent.ends[at])[-last:]
    numbers = [sent.numbers[at] for at in order]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _until_seen(target, corpus, number, deadline), numbers))
    return time.monotonic()


def _until_seen(target: Target, corpus: Corpus, number: int, deadline: float) -> None:
    for box in corpus.targets(number):
        while True:
            with inbox(target, box) as client:
                # the newest messages are enough: a search through headers would be work of its own
                _, answer = client.fetch("*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
                if corpus.message_id(number).encode() in _joined(answer):
                    break
                if number in dict(_numbers(client, corpus.run)).values():
                    break
            if time.monotonic() > deadline:
                raise SystemExit(f"{target.name}: message {number} was accepted and is not to be seen")
            time.sleep(0.02)


def _joined(answer: Sequence[object]) -> bytes:
    return b" ".join(
        part for item in answer for part in (item if isinstance(item, tuple) else (item,)) if part
    )


def _numbers(client: imaplib.IMAP4_SSL, run: str) -> list[tuple[bytes, int]]:
    """(UID, number) of the messages of a run in the selected folder."""
    pattern = re.compile(rb"<" + re.escape(run.encode()) + rb"\.(\d+)@")
    _, answer = client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    found = []
    for at, item in enumerate(answer):
        if isinstance(item, tuple) and (match := pattern.search(item[1])):
            tail = answer[at + 1] if at + 1 < len(answer) and isinstance(answer[at + 1], bytes) else b""
            uid = _UID.search(item[0] + tail)
            assert uid is not None
            found.append((uid[1], int(match[1])))
    return found


def check(target: Target, corpus: Corpus, sent: Sent, *, bodies_of: int = 20) -> Findings:
    """Compare every mailbox with what was accepted, and the bodies of every ``1/n`` of them by SHA-256.

    :param bodies_of: of how many mailboxes the messages are fetched whole.
    """
    expected = _by_box(corpus, sent)
    chosen = set(sorted(expected)[:: max(1, len(expected) // max(1, bodies_of))]) if bodies_of else set()
    total = Findings()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(
            lambda box: _check_box(target, corpus, box, expected[box], box in chosen), sorted(expected)
        ):
            total.take(found)
    return total


def _check_box(target: Target, corpus: Corpus, box: int, expected: set[int], bodies: bool) -> Findings:
    found = Findings()
    with inbox(target, box) as client:
        pairs = _numbers(client, corpus.run)
        seen = Counter(number for _, number in pairs)
        found.found = sum(1 for number in expected if number in seen)
        found.missing = len(expected) - found.found
        found.twice = sum(count - 1 for count in seen.values())
        found.unexpected = sum(1 for number in seen if number not in expected)
        if bodies:
            for uid, number in pairs:
                _, answer = client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
                raw = corpus.raw(number)
                got = next(item[1] for item in answer if isinstance(item, tuple))
                # The server puts its own fields before the message, and nothing else anywhere.
                tail = hashlib.sha256(got[-len(raw) :]).digest()
                found.compared += 1
                found.differ += tail != hashlib.sha256(raw).digest()
    return found
