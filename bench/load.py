"""The load generator: N connections by STARTTLS with a client certificate, PIPELINING, K messages.

Costs little itself: non-blocking TLS sockets under one epoll in each process, messages ready made. A
latency is from the first octet of MAIL to the last of the 250 that ends the message; with a steady
``rate`` it is from the moment the message was due, so that waiting for a free connection counts.
"""

from __future__ import annotations

import array
import multiprocessing
import os
import select
import signal
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Generator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from bench.messages import SENDER, Corpus
from bench.target import Target

_STALL_S = 60.0
_HELLO = b"EHLO mta.operator.example\r\n"
_BLOCKED = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


class RefusedError(Exception):
    """The server answered with something else than it had to."""


@dataclass
class Sent:
    """What was accepted: numbers of messages, when (monotonic s), how long each took (s)."""

    began: float
    numbers: array.array[int] = field(default_factory=lambda: array.array("L"))
    ends: array.array[float] = field(default_factory=lambda: array.array("d"))
    latencies: array.array[float] = field(default_factory=lambda: array.array("d"))
    failures: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    octets: int = 0
    cpu: float = 0.0

    @property
    def last(self) -> float:
        return max(self.ends, default=self.began)

    def take(self, other: Sent) -> None:
        """Add what another process sent."""
        self.began = min(self.began, other.began)
        self.numbers += other.numbers
        self.ends += other.ends
        self.latencies += other.latencies
        self.failures.update(other.failures)
        self.connections += other.connections
        self.octets += other.octets
        self.cpu += other.cpu


Steps = Generator[None, None, Any]


class _Link:
    """One connection. Its methods yield whenever the socket would block."""

    def __init__(self, target: Target, poll: select.epoll) -> None:
        self.socket: Any = socket.create_connection(target.smtp, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.number = self.socket.fileno()
        self._poll = poll
        self._pending = b""
        self._host = target.smtp[0]
        poll.register(self.number, select.EPOLLIN)

    def secure(self, context: ssl.SSLContext) -> Steps:
        self.socket = context.wrap_socket(
            self.socket, server_hostname=self._host, do_handshake_on_connect=False
        )
        yield from self._until_done(self.socket.do_handshake)

    def send(self, data: bytes) -> Steps:
        if isinstance(self.socket, ssl.SSLSocket):  # OpenSSL wants the same data again until all is taken
            yield from self._until_done(self.socket.send, data)
            return
        view = memoryview(data)
        while view:
            view = view[(yield from self._until_done(self.socket.send, view)) :]

    def _until_done(self, call: Any, *args: Any) -> Steps:
        while True:
            try:
                return call(*args)
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._poll.modify(self.number, select.EPOLLIN | select.EPOLLOUT)
                yield
                self._poll.modify(self.number, select.EPOLLIN)
            except ssl.SSLWantReadError:
                yield

    def replies(self, count: int, wanted: bytes) -> Steps:
        """Read ``count`` replies; each must begin with a digit of ``wanted``, the first bad one is raised."""
        bad = b""
        while count:
            line, found, rest = self._pending.partition(b"\r\n")
            if not found:
                yield from self._more()
                continue
            self._pending = rest
            if line[3:4] != b"-":
                count -= 1
                if line[:1] not in wanted and not bad:
                    bad = line
        if bad:
            raise RefusedError(bad.decode("ascii", "replace"))

    def _more(self) -> Steps:
        while True:
            try:
                data = self.socket.recv(65536)
            except _BLOCKED:
                yield
                continue
            if not data:
                raise ConnectionError("the server closed the connection")
            self._pending += data
            return

    def close(self) -> None:
        self._poll.unregister(self.number)
        self.socket.close()


class _Sender:
    """One process of the generator: its share of messages over its share of connections."""

    def __init__(
        self, target: Target, corpus: Corpus, numbers: range, connections: int, each: int, rate: float
    ) -> None:
        self._target = target
        self._corpus = corpus
        self._waiting = deque(numbers)
        self._connections = min(connections, len(numbers))
        self._each = each
        self._rate = rate  # of this process
        self._taken = 0
        self._context = target.context(client=True)
        self._poll = select.epoll()
        self.sent = Sent(time.monotonic())

    def run(self) -> Sent:
        cpu = time.process_time()
        self.sent.began = time.monotonic()
        running: dict[int, Generator[None, None, None]] = {}
        for _ in range(self._connections):
            self._start(running)
        heard = time.monotonic()
        while running:
            events = self._poll.poll(0.001 if self._rate else 1.0)
            if events:
                heard = time.monotonic()
            elif time.monotonic() - heard > _STALL_S:
                self.sent.failures[f"no answer for {_STALL_S:.0f} s"] += len(running)
                break
            ready = {number for number, _ in events}
            # A connection that waits for its next message has no event: with a rate, all are looked at.
            for number in list(running) if self._rate else ready:
                if number in running:
                    try:
                        next(running[number])
                    except StopIteration:
                        del running[number]
                        if self._waiting and self._each:
                            self._start(running)
        self.sent.cpu = time.process_time() - cpu
        return self.sent

    def _start(self, running: dict[int, Generator[None, None, None]]) -> None:
        link = _Link(self._target, self._poll)
        steps = self._session(link)
        try:
            next(steps)
        except StopIteration:
            return
        running[link.number] = steps

    def _session(self, link: _Link) -> Generator[None, None, None]:
        number = -1
        try:
            yield from link.replies(1, b"2")
            yield from link.send(_HELLO)
            yield from link.replies(1, b"2")
            yield from link.send(b"STARTTLS\r\n")
            yield from link.replies(1, b"2")
            yield from link.secure(self._context)
            yield from link.send(_HELLO)
            yield from link.replies(1, b"2")
            self.sent.connections += 1
            done = 0
            while self._waiting and (not self._each or done < self._each):
                number = self._waiting.popleft()
                begin = time.monotonic()
                if self._rate:
                    begin = self.sent.began + self._taken / self._rate
                    self._taken += 1
                    while time.monotonic() < begin:
                        yield
                yield from self._message(link, number, begin)
                number, done = -1, done + 1
            yield from link.send(b"QUIT\r\n")
            yield from link.replies(1, b"2")
        except (RefusedError, OSError) as error:
            self.sent.failures[f"{type(error).__name__}: {error}"[:120]] += 1
        finally:
            link.close()

    def _message(self, link: _Link, number: int, begin: float) -> Steps:
        corpus = self._corpus
        boxes = corpus.targets(number)
        rcpt = b"".join(b"RCPT TO:<%s>\r\n" % corpus.address(box).encode() for box in boxes)
        wire = corpus.wire(number)
        yield from link.send(
            b"MAIL FROM:<%s> SIZE=%d BODY=8BITMIME\r\n%sDATA\r\n" % (SENDER.encode(), len(wire), rcpt)
        )
        yield from link.replies(2 + len(boxes), b"23")
        yield from link.send(wire)
        yield from link.replies(1, b"2")
        end = time.monotonic()
        sent = self.sent
        sent.numbers.append(number)
        sent.ends.append(end)
        sent.latencies.append(end - begin)
        sent.octets += len(wire)


def _child(sender: _Sender, pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what the parent would tidy up is not this process's
    pipe.send(sender.run())
    pipe.close()


def send(
    target: Target,
    corpus: Corpus,
    count: int,
    *,
    connections: int = 20,
    each: int = 0,
    rate: float = 0.0,
    processes: int = 1,
) -> Sent:
    """Send messages 0 to ``count`` - 1 of the corpus; returns what was accepted.

    :param each: messages of a connection before a new one takes its place; 0: all of them.
    :param rate: messages per second in all; 0: as fast as the server answers.
    :param processes: that share the work. The generator's own CPU is in the result: when it comes near a
        core for each process, it is the generator that is measured.
    """
    processes = max(1, min(processes, connections, count))
    fork = multiprocessing.get_context("fork")  # the corpus is shared, nothing runs here in a thread
    workers = []
    for share in range(processes):
        mine = connections // processes + (share < connections % processes)
        sender = _Sender(target, corpus, range(share, count, processes), mine, each, rate / processes)
        ours, its = fork.Pipe(duplex=False)
        worker = fork.Process(target=_child, args=(sender, its), name=f"load-{share}")
        worker.start()
        its.close()
        workers.append((worker, ours))
    total: Sent | None = None
    for worker, pipe in workers:
        try:
            part: Sent = pipe.recv()
        except EOFError:
            raise SystemExit(f"the generator's process {os.getpid()}/{worker.pid} failed") from None
        worker.join()
        if total is None:
            total = part
        else:
            total.take(part)
    assert total is not None
    return total
