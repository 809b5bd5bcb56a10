"""The store as one object: read, write durably, hear of changes, keep bodies.

Layout of a home directory: ``store.db`` (rows), ``segments/`` (sealed bodies), ``spool/`` (bodies
on their way in), ``run/writer.sock`` (the way to the writer), ``writer.lock``, ``master.key``.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, Table, func, select

from store import bodies, channel, database, keys, mail, operations, segments
from store.clock import new_id
from store.errors import StoreError
from store.lanes import Lanes
from store.operations import Notice, Tx
from store.postgres import PostgresNotices
from store.schema import message as message_table
from store.sealing import Sealer
from store.writer import Writer

log = structlog.get_logger("store")

P = ParamSpec("P")
T = TypeVar("T")
NoticeCallback = Callable[[Notice], None]
READERS = 4

# Tables whose rows name records of segments; recovery keeps what they name (columns segment, offset, length).
_body_tables: list[Table] = [message_table]


def holds_bodies(table: Table) -> Table:
    """Declare that rows of ``table`` name sealed bodies by columns segment, offset and length."""
    _body_tables.append(table)
    return table


class Store:
    """One process's view of the store. Make it with :meth:`open`."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.url = url
        self._master = AESGCM(keys.load_master_key(home / "master.key", create=_is_new(home)))
        self._box_keys: dict[int, bytes] = {}
        self._callbacks: list[tuple[asyncio.AbstractEventLoop | None, NoticeCallback]] = []
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._readers = Lanes(READERS, "store-read")
        self._segments = segments.SegmentWriter(home / "segments")
        self._segment_reader = segments.SegmentReader(home / "segments")
        self._engine: Engine | None = None
        self._channel: channel.Channel | None = None
        self._service: channel.WriterService | None = None
        self._notices: PostgresNotices | None = None
        self._lock_file = -1
        self.recovered: dict[str, int] = {}

    # -- opening and closing ------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        url: str = "",
        wait_for_writer: float = 0.0,
        may_lead: bool = True,
        folder_notices: bool = True,
    ) -> Store:
        """Open the store under ``home``.

        The first process becomes the writer (it holds ``writer.lock``), migrates the schema, recovers
        and offers the writer to the others; the others reach it over ``run/writer.sock``. With a
        PostgreSQL ``url`` every process writes by itself.

        :param wait_for_writer: seconds to wait for the writing process to be ready.
        :param folder_notices: whether to hear of changes in folders, not only of boxes and queues.
        :param may_lead: false for a process that must never become the writer: its parent is.
        :raises StoreError: the home is unusable, damaged, or the writer does not answer.
        """
        home.mkdir(parents=True, exist_ok=True)
        for name in ("segments", "spool", "run"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
        store = cls(home, url or database.sqlite_url(home))
        try:
            if store.url.startswith("sqlite:"):
                store._open_sqlite(wait_for_writer, may_lead, folder_notices)
            else:
                store._open_postgres()
        except BaseException:
            store.close()
            raise
        return store

    def _open_sqlite(self, patience: float, may_lead: bool, folder_notices: bool) -> None:
        self._lock_file = os.open(self.home / "writer.lock", os.O_RDWR | os.O_CREAT, 0o600)
        path = self.home / "run" / "writer.sock"
        waited = 0.0
        while True:
            try:
                if not may_lead:
                    raise BlockingIOError
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                try:
                    self._channel = channel.RemoteChannel(path, self._hear, folders=folder_notices)
                except (FileNotFoundError, ConnectionRefusedError):
                    if waited >= max(patience, 10.0):
                        raise StoreError("store.writer", "the writing process does not answer") from None
                    threading.Event().wait(0.02)
                    waited += 0.02
                    continue
                self._engine = database.reading_engine(self.url)
                return
            self._become_writer()
            service = self._service = channel.WriterService(path)
            writer = self._start_writer(service.announce, service.flush)
            service.start(writer)
            return

    def _open_postgres(self) -> None:
        self._become_writer(recover=False)
        self._notices = PostgresNotices(self.url, self._hear)
        self._start_writer(self._notices.announce, lambda: None)

    def _become_writer(self, *, recover: bool = True) -> None:
        engine = database.writing_engine(self.url)
        database.migrate(engine)
        self._engine = database.reading_engine(self.url)
        self._writing_engine = engine
        if recover:
            ends: dict[int, int] = {}
            with self._engine.connect() as connection:
                for table in _body_tables:
                    end = func.max(table.c.offset + table.c.length)
                    for segment, last in connection.execute(
                        select(table.c.segment, end).group_by(table.c.segment)
                    ):
                        ends[segment] = max(ends.get(segment, 0), last)
            self.recovered = segments.recover(self.home / "segments", ends)

    def _start_writer(
        self, announce: Callable[[list[Notice]], None], flush: Callable[[], None], *, own_notices: bool = True
    ) -> Writer:
        settler = channel.Settler()

        def announced(notices: list[Notice]) -> None:
            self._hear(notices)  # at once here, so that a key destroyed is a key forgotten
            announce(notices)  # PostgreSQL brings ours back a second time: hearing twice changes nothing

        def after_group() -> None:
            settler.flush()
            flush()

        writer = Writer(self._writing_engine, self.home, announced, after_group)
        writer.start()
        self._channel = channel.LocalChannel(writer, settler)
        return writer

    @property
    def is_writer(self) -> bool:
        return isinstance(self._channel, channel.LocalChannel)

    @property
    def connected(self) -> bool:
        """Whether the writer can be reached; once lost, this store is of no use any more."""
        return self._channel is not None and self._channel.connected

    def close(self) -> None:
        """Finish what was submitted, then let go of files, threads and the lock."""
        if self._channel is not None:
            self._channel.close()
        if self._service is not None:
            self._service.close()
        if self._notices is not None:
            self._notices.close()
        self._readers.close()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._segments.close()
        self._segment_reader.close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- reading ------------------------------------------------------------------------------

    def _reading(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed or connection.invalidated:
            assert self._engine is not None
            connection = self._local.connection = self._engine.connect()
            self._local.busy = False
            self._connections.append(connection)
        return connection

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(connection, …)`` within one snapshot. Blocking: not for the event loop."""
        connection = self._reading()
        if self._local.busy:  # a read within a read shares its snapshot
            return function(connection, *args, **kwargs)
        self._local.busy = True
        try:
            with database.snapshot(connection):
                return function(connection, *args, **kwargs)
        finally:
            self._local.busy = False

    def aread(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """The same in a thread of the reader pool."""
        return self._readers.run(lambda: self.read(function, *args, **kwargs))

    def quick(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """A point look-up for the event loop: a statement or two on an index, no more.

        SQLite answers those from memory in 30 to 60 µs, half of what a trip to a thread costs, so they run
        where they are; on PostgreSQL they wait for a server, so they take the trip.
        """
        if not self.url.startswith("sqlite:"):
            return self.aread(function, *args, **kwargs)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.set_result(self.read(function, *args, **kwargs))
        return future

    def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Run blocking work of the store (bodies) in a thread of the reader pool."""
        return self._readers.run(lambda: function(*args, **kwargs))

    # -- writing ------------------------------------------------------------------------------

    def write(self, operation: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a write operation; when this returns, its effect is on the disk. Keyword arguments only.

        :raises PasserelleError: what the operation raised; :class:`StoreError` when the store failed.
        """
        result: T = self._call(operation, args, kwargs, None).result()
        return result

    def awrite(
        self, operation: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """The same for the event loop."""
        awaitable: Awaitable[T] = self._call(operation, args, kwargs, asyncio.get_running_loop())
        return awaitable

    def _call(
        self,
        operation: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> Any:
        if args:
            raise TypeError("an operation takes keyword arguments only")
        assert self._channel is not None
        return self._channel.call(operations.of(operation), kwargs, loop)

    # -- change notices -----------------------------------------------------------------------

    def subscribe(self, callback: NoticeCallback) -> Callable[[], None]:
        """Have ``callback(notice)`` called after each commit that changed a box.

        It runs in the event loop that subscribed, or in the receiving thread when there is none.
        Returns a function that ends the subscription.
        """
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        item = (loop, callback)
        self._callbacks.append(item)

        def unsubscribe() -> None:
            if item in self._callbacks:
                self._callbacks.remove(item)

        return unsubscribe

    def _hear(self, notices: list[Notice]) -> None:
        for notice in notices:
            if notice.folder_id == 0:
                self._box_keys.pop(notice.box_id, None)
        loops: dict[asyncio.AbstractEventLoop | None, list[NoticeCallback]] = {}
        for loop, callback in list(self._callbacks):
            loops.setdefault(loop, []).append(callback)
        for loop, callbacks in loops.items():
            if loop is None:
                _tell(callbacks, notices)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(_tell, callbacks, notices)

    # -- boxes and bodies ---------------------------------------------------------------------

    def new_box_key(self) -> bytes:
        """A new box key, wrapped by the master key: what :func:`store.mail.create_box` takes."""
        return keys.wrap(self._master, keys.new_key(), b"box")

    def create_box(self, *, address: str, kind: str, owner: str, quota: int = 0) -> int:
        """Make a mailbox (BAL) with its standard folders; returns its box_id. Blocking.

        :raises StoreError: the address is taken.
        """
        return self.write(
            mail.create_box,
            address=address,
            kind=kind,
            owner=owner,
            wrapped_key=self.new_box_key(),
            quota=quota,
        )

    def box_key(self, box_id: int) -> bytes:
        """The plain key of a box. Raises :class:`StoreError` when the box or its key is gone. Blocking."""
        key = self._box_keys.get(box_id)
        if key is None:
            wrapped = self.read(mail.wrapped_key, box_id)
            if wrapped is None:
                raise StoreError("store.key", "this box has no key: it is closed and its content destroyed")
            key = keys.unwrap(self._master, wrapped, b"box")
            if len(self._box_keys) > 20_000:
                self._box_keys.clear()
            self._box_keys[box_id] = key
        return key

    def sealer(self, box_id: int) -> Sealer:
        """What seals and opens rows of a box. Raises as :meth:`box_key`. Blocking the first time."""
        return Sealer(self.box_key(box_id))

    def spool(self) -> bodies.Spool:
        """Begin to take in a body."""
        return bodies.Spool(self.home / "spool")

    def new_message(
        self, box_id: int, spool: bodies.Spool, meta: bytes, sha256: bytes = b"", *, prefix_size: int = 0
    ) -> mail.NewMessage:
        """Place the spooled body in a segment (once for all its boxes) and seal it for ``box_id``. Blocking.

        :param meta: the encoded index (``gateway.message.encode_meta``), sealed with the body's key.
        :param sha256: checked against the body when given.
        :param prefix_size: octets of the prefix that is served before the body (RFC822.SIZE counts them).
        :raises StoreError: the disk refuses, the box has no key, or the digest differs.
        """
        box_cipher = AESGCM(self.box_key(box_id))
        ref = spool.place(self._segments)
        if sha256 and sha256 != ref.sha256:
            raise StoreError("store.body", "the body's digest is not the one computed on the wire")
        message_id = new_id()
        return mail.NewMessage(
            message_id=message_id,
            ref=ref,
            wrapped_key=keys.wrap(box_cipher, spool.key, mail.key_place(box_id, message_id)),
            sealed_meta=bodies.seal_meta(spool.cipher, meta),
            size=prefix_size + ref.size,
        )

    def place_body(self, box_id: int, spool: bodies.Spool) -> tuple[bodies.BodyRef, bytes]:
        """Place a body that is no message (a document); returns its reference and wrapped key. Blocking.

        The operation that names it must add ``ref.segment`` to ``tx.segments``.
        """
        box_cipher = AESGCM(self.box_key(box_id))
        ref = spool.place(self._segments)
        return ref, keys.wrap(box_cipher, spool.key, b"body")

    def open_placed(self, box_id: int, ref: bodies.BodyRef, wrapped_key: bytes) -> bodies.BodyReader:
        """Read back what :meth:`place_body` placed. Blocking."""
        key = keys.unwrap(AESGCM(self.box_key(box_id)), wrapped_key, b"body")
        return bodies.BodyReader(self._segment_reader, ref, key)

    def messages(
        self, conn: Connection, box_id: int, message_ids: list[int]
    ) -> dict[int, mail.StoredMessage]:
        """The named messages with their indexes opened; those that are gone are left out."""
        cipher = AESGCM(self.box_key(box_id))
        found = {}
        for row in mail.message_rows(conn, box_id, message_ids):
            key = keys.unwrap(cipher, row.wrapped_key, mail.key_place(box_id, row.message_id))
            found[row.message_id] = mail.StoredMessage(
                box_id=box_id,
                message_id=row.message_id,
                ref=bodies.BodyRef(row.segment, row.offset, row.length, row.size, row.sha256),
                received_at=row.received_at,
                key=key,
                meta=bodies.open_meta(key, row.sealed_meta),
            )
        return found

    def open_body(self, message: mail.StoredMessage) -> bodies.BodyReader:
        """A reader of the message's raw bytes as they came over the wire. Its methods block."""
        return bodies.BodyReader(self._segment_reader, message.ref, message.key)


def _is_new(home: Path) -> bool:
    """Nothing was ever kept here: only then may a master key be made. Another one would open nothing."""
    return not (home / "store.db").exists() and not any((home / "segments").glob("*.seg"))


def _tell(callbacks: list[NoticeCallback], notices: list[Notice]) -> None:
    for notice in notices:
        for callback in callbacks:
            callback(notice)
