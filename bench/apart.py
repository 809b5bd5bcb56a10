"""The load generator as a process of its own, for measurements that serve in this process.

It is forked before this process starts threads, and then waits on a pipe.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench import verify
from bench.load import Sent, send
from bench.messages import Corpus
from bench.target import Target


@dataclass(frozen=True)
class Errand:
    """One round to send; ``check``: and read it back over IMAP."""

    target: Target
    mix: str
    count: int
    connections: int = 20
    each: int = 0
    check: bool = False


def _serve(pipe: Connection) -> None:
    while (errand := pipe.recv()) is not None:
        target = errand.target
        corpus = Corpus(f"a{time.time_ns():x}", errand.mix, target.address, target.boxes)
        sent = send(target, corpus, errand.count, connections=errand.connections, each=errand.each)
        pipe.send(sent)
        complaint = f"not accepted: {dict(sent.failures)}" if sent.failures else ""
        if errand.check and not complaint:
            found = verify.check(target, corpus, sent, bodies_of=2)
            complaint = "" if found.ok else str(found)
        pipe.send(complaint)


class Generator:
    """The other process, as seen from here."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def send(self, errand: Errand) -> Sent:
        """Blocking until the last message is answered; :meth:`complaint` must be asked next."""
        self._pipe.send(errand)
        sent: Sent = self._pipe.recv()
        return sent

    def complaint(self) -> str:
        """What went wrong with the last errand; waits for its check. Blocking."""
        text: str = self._pipe.recv()
        return text


@contextlib.contextmanager
def generator() -> Iterator[Generator]:
    """The process lives within the block."""
    fork = multiprocessing.get_context("fork")
    ours, its = fork.Pipe()
    process = fork.Process(target=_serve, args=(its,), name="load")
    process.start()
    its.close()
    try:
        yield Generator(ours)
    finally:
        with contextlib.suppress(OSError):
            ours.send(None)
        process.join(10)
        if process.is_alive():
            process.terminate()
            process.join()
