"""How a process reaches the one writer: directly when it holds it, else over a Unix socket.

Frames are a 4-byte big-endian length and a msgpack array. Client to writer:
``[number, operation, arguments]``, or ``[0, "-folders", []]`` from one that needs no notices of folders.
Writer to client: ``[number, 0, result]``, ``[number, 1, error]`` or ``[0, 2, notices]``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from store.errors import PasserelleError, StoreError
from store.operations import Notice, Operation, named
from store.writer import Job, Writer

log = structlog.get_logger("store")

_LENGTH = struct.Struct(">I")
_RESULT, _ERROR, _NOTICES = 0, 1, 2
_NO_FOLDERS = "-folders"  # instead of an operation: this client needs no notices of folders
MAX_FRAME = 64 * 1024 * 1024
_LONGEST_NAME = 107  # sun_path without its NUL: unix(7)
NoticeSink = Callable[[list[Notice]], None]


class Request(msgspec.Struct, array_like=True):
    """Client to writer: run ``operation``; ``number`` comes back with its reply."""

    number: int
    operation: str
    arguments: msgspec.Raw


class Reply(msgspec.Struct, array_like=True):
    """Writer to client: the end of request ``number``, or notices (number 0)."""

    number: int
    kind: int
    body: msgspec.Raw


class WireError(msgspec.Struct, array_like=True):
    """A :class:`PasserelleError` on its way between processes."""

    rule: str
    peer: str
    log: str
    code: int
    enhanced: str
    fault: str

    @classmethod
    def of(cls, error: PasserelleError) -> WireError:
        return cls(error.rule, error.peer, error.log, error.code, error.enhanced, error.fault)

    def error(self) -> PasserelleError:
        fault: Any = self.fault
        return PasserelleError(
            self.rule, self.peer, log=self.log, code=self.code, enhanced=self.enhanced, fault=fault
        )


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
_decode_reply = msgspec.msgpack.Decoder(Reply).decode


def _frame(kind: int, number: int, body: Any) -> bytes:
    raw = _encode((number, kind, body))
    return _LENGTH.pack(len(raw)) + raw


class Pending:
    """Where the end of a call goes: a future of an event loop or of a waiting thread."""

    __slots__ = ("future", "loop", "operation")

    def __init__(self, operation: Operation[Any], loop: asyncio.AbstractEventLoop | None) -> None:
        self.operation = operation
        self.loop = loop
        self.future: Any = loop.create_future() if loop else Future()

    def settle(self, result: Any, error: PasserelleError | None) -> None:
        if self.future.done():  # the caller has gone
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Settler:
    """Gathers ended calls and wakes each event loop once for all of them."""

    def __init__(self) -> None:
        self._ended: dict[asyncio.AbstractEventLoop, list[tuple[Pending, Any, PasserelleError | None]]] = {}

    def add(self, pending: Pending, result: Any, error: PasserelleError | None) -> None:
        if pending.loop is None:
            pending.settle(result, error)
        else:
            self._ended.setdefault(pending.loop, []).append((pending, result, error))

    def flush(self) -> None:
        ended, self._ended = self._ended, {}
        for loop, calls in ended.items():
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_settle_all, calls)


def _settle_all(calls: list[tuple[Pending, Any, PasserelleError | None]]) -> None:
    for pending, result, error in calls:
        pending.settle(result, error)


class Channel(Protocol):
    """What the store needs of a way to the writer."""

    def call(
        self, operation: Operation[Any], kwargs: dict[str, Any], loop: asyncio.AbstractEventLoop | None
    ) -> Any: ...

    @property
    def connected(self) -> bool: ...

    def close(self) -> None: ...


class LocalChannel:
    """The way to a writer in this process."""

    def __init__(self, writer: Writer, settler: Settler) -> None:
        self._writer = writer
        self._settler = settler

    @property
    def connected(self) -> bool:
        return True

    def call(
        self, operation: Operation[Any], kwargs: dict[str, Any], loop: asyncio.AbstractEventLoop | None
    ) -> Any:
        pending = Pending(operation, loop)
        self._writer.submit(
            Job(operation, kwargs, lambda job: self._settler.add(pending, job.result, job.error))
        )
        return pending.future

    def close(self) -> None:
        self._writer.close()
        self._settler.flush()


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """What names a socket to the system, which takes 107 octets (unix(7)): a home may lie deep."""
    if len(os.fsencode(path)) <= _LONGEST_NAME:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class RemoteChannel:
    """The way to the writer of another process. Lost connections fail the calls under way with 451."""

    def __init__(self, path: Path, sink: NoticeSink, *, folders: bool = True) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
        try:
            with _reachable(path) as name:
                self._socket.connect(name)
        except OSError:
            self._socket.close()
            raise
        if not folders:
            raw = _encode((0, _NO_FOLDERS, msgspec.Raw(b"\x90")))
            self._socket.sendall(_LENGTH.pack(len(raw)) + raw)
        self._sink = sink
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._receive, name="store-channel", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self._open

    def call(
        self, operation: Operation[Any], kwargs: dict[str, Any], loop: asyncio.AbstractEventLoop | None
    ) -> Any:
        pending = Pending(operation, loop)
        number = next(self._numbers)
        raw = _encode((number, operation.name, msgspec.Raw(operation.encode(kwargs))))
        self._pending[number] = pending
        try:
            with self._lock:
                if not self._open:
                    raise ConnectionError
                self._socket.sendall(_LENGTH.pack(len(raw)) + raw)
        except OSError:
            if self._pending.pop(number, None) is not None:
                pending.settle(None, _lost())
        return pending.future

    def _receive(self) -> None:
        settler = Settler()
        try:
            for bodies in _frames(self._socket):
                for body in bodies:
                    self._take(_decode_reply(body), settler)
                settler.flush()
        except (OSError, msgspec.DecodeError):
            pass
        self._open = False
        for number in list(self._pending):
            pending = self._pending.pop(number, None)
            if pending is not None:
                settler.add(pending, None, _lost())
        settler.flush()

    def _take(self, reply: Reply, settler: Settler) -> None:
        if reply.kind == _NOTICES:
            self._sink(msgspec.msgpack.decode(reply.body, type=list[Notice]))
            return
        pending = self._pending.pop(reply.number, None)
        if pending is None:
            return
        if reply.kind == _RESULT:
            settler.add(pending, pending.operation.decode_result(reply.body), None)
        else:
            settler.add(pending, None, msgspec.msgpack.decode(reply.body, type=WireError).error())

    def close(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()


def _lost() -> StoreError:
    return StoreError("store.writer", "the writing process is away; nothing is known of this call's end")


def _frames(connection: socket.socket) -> Any:
    """Yield lists of whole frame bodies as they arrive. Ends when the peer closes."""
    buffer = bytearray()
    while data := connection.recv(1024 * 1024):
        buffer += data
        bodies = []
        start = 0
        while len(buffer) - start >= 4:
            length = _LENGTH.unpack_from(buffer, start)[0]
            if length > MAX_FRAME:
                raise ConnectionError("frame too long")
            if len(buffer) - start - 4 < length:
                break
            bodies.append(bytes(buffer[start + 4 : start + 4 + length]))
            start += 4 + length
        del buffer[:start]
        yield bodies


class WriterService:
    """Offers this process's writer to others over a Unix socket (mode 0600)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clients: set[_Client] = set()
        self._writer: Writer | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(self, writer: Writer) -> None:
        self._writer = writer
        self._path.unlink(missing_ok=True)  # left by a killed process; we hold the lock
        with _reachable(self._path) as name:
            self._listener.bind(name)
        self._path.chmod(0o600)
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="store-service", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            client = _Client(connection, self)
            self._clients.add(client)
            threading.Thread(target=client.serve, name="store-client", daemon=True).start()

    def announce(self, notices: list[Notice]) -> None:
        whole = _frame(_NOTICES, 0, notices)
        few = [notice for notice in notices if not notice.folder_id or not notice.box_id]
        part = _frame(_NOTICES, 0, few) if few else b""
        for client in list(self._clients):
            if frame := whole if client.folders else part:
                client.queue(frame)

    def flush(self) -> None:
        for client in list(self._clients):
            client.flush()

    def submit(self, request: Request, client: _Client) -> None:
        """Hand a client's request to the writer."""
        if request.operation == _NO_FOLDERS:
            client.folders = False
            return
        try:
            operation = named(request.operation)
            kwargs = operation.decode(request.arguments)
        except PasserelleError as error:
            client.send(_frame(_ERROR, request.number, WireError.of(error)))
            return
        except msgspec.MsgspecError:
            client.send(
                _frame(
                    _ERROR,
                    request.number,
                    WireError.of(StoreError("store.operation", f"bad arguments for {request.operation}")),
                )
            )
            return

        def done(job: Job) -> None:
            if job.error is not None:
                client.queue(_frame(_ERROR, request.number, WireError.of(job.error)))
            else:
                client.queue(_frame(_RESULT, request.number, job.result))

        assert self._writer is not None
        self._writer.submit(Job(operation, kwargs, done))

    def drop(self, client: _Client) -> None:
        self._clients.discard(client)

    def close(self) -> None:
        # shutdown() wakes the thread that waits in accept(); close() alone does not on Linux
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for client in list(self._clients):
            client.close()


class _Client:
    """The writer's end of one process's connection. A peer that stops reading for 10 s is dropped."""

    def __init__(self, connection: socket.socket, service: WriterService) -> None:
        self._socket = connection
        self._service = service
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        self.folders = True  # whether it hears of changes in folders; of boxes and queues it always does
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 10, 0))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)

    def serve(self) -> None:
        try:
            for bodies in _frames(self._socket):
                for body in bodies:
                    self._service.submit(_decode_request(body), self)
        except (OSError, msgspec.DecodeError) as error:
            log.warning("writer_client_lost", error=type(error).__name__)
        self._service.drop(self)
        self._socket.close()

    def queue(self, frame: bytes) -> None:
        self._waiting.append(frame)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.send(b"".join(waiting))

    def send(self, data: bytes) -> None:
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError:
            self.close()

    def close(self) -> None:
        self._service.drop(self)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
