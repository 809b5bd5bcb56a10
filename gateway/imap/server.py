"""The listener: connections in, sessions run, change notices handed to those they concern."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import structlog

from gateway.imap.connection import Connection
from gateway.imap.context import Authenticator, Context
from gateway.imap.errors import NoError
from gateway.imap.metrics import Metrics
from gateway.imap.session import run
from gateway.imap.settings import Limits
from store import Notice, Store

log = structlog.get_logger("imap")

HANDSHAKE_TIMEOUT: Final = 30.0
SHUTDOWN_TIMEOUT: Final = 3.0  # a client that never says goodbye holds its buffers no longer


class ImapServer:
    """IMAP4rev1 over TLS on a store.

    :param authenticate: (user, password, peer address) → box_id, or None; awaited for every login.
    :param ssl_context: the server's; implicit TLS, or STARTTLS where ``implicit_tls`` is false.
    :param size_limit: octets of the largest message APPEND takes; overrides ``limits.message``.
    """

    def __init__(
        self,
        store: Store,
        authenticate: Authenticator,
        ssl_context: ssl.SSLContext,
        *,
        size_limit: int | None = None,
        limits: Limits | None = None,
        implicit_tls: bool = True,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self._store = store
        self._authenticate = authenticate
        self._ssl = ssl_context
        self._implicit = implicit_tls
        self._limits = limits or Limits(**({} if size_limit is None else {"message": size_limit}))
        self._sessions: dict[asyncio.Task[None], Context] = {}
        self._by_box: defaultdict[int, set[int]] = defaultdict(set)
        self._contexts: dict[int, Context] = {}
        self._server: asyncio.Server | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen; ``port`` 0 takes a free one, see :attr:`port`. Raises :class:`OSError`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._accept,
            host,
            port,
            ssl=self._ssl if self._implicit else None,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._implicit else None,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT if self._implicit else None,
            reuse_port=reuse_port or None,
            backlog=256,
        )
        self._unsubscribe = self._store.subscribe(self._hear)
        log.info("imap_listening", port=self.port, implicit_tls=self._implicit)

    @property
    def port(self) -> int:
        """The port listened on. Raises :class:`RuntimeError` before :meth:`start`."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the server is not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, tell every client, end every session."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._sessions)
        for task, context in list(self._sessions.items()):
            context.connection.write(b"* BYE The server is going down\r\n")
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- connections

    def _accept(self) -> Connection:
        return _Accepted(self._limits.write_timeout, self._begin)

    def _begin(self, connection: Connection) -> None:
        if len(self._sessions) >= self._limits.connections:
            self.metrics.refused_connections += 1
            connection.write(b"* BYE [UNAVAILABLE] Too many connections\r\n")
            connection.close()
            return
        context = Context(
            connection=connection,
            store=self._store,
            authenticate=self._authenticate,
            limits=self._limits,
            metrics=self.metrics,
            starttls=None if self._implicit else self._ssl,
            on_login=self._logged_in,
        )
        task = asyncio.get_running_loop().create_task(run(context))
        self._sessions[task] = context
        self.metrics.connections += 1
        self.metrics.sessions += 1
        task.add_done_callback(self._ended)

    def _logged_in(self, context: Context) -> None:
        mine = self._by_box[context.box]
        if len(mine) >= self._limits.connections_per_box:
            raise NoError("Too many connections to this mailbox", "LIMIT")  # RFC 5530 §3
        mine.add(id(context))
        self._contexts[id(context)] = context

    def _ended(self, task: asyncio.Task[None]) -> None:
        context = self._sessions.pop(task)
        self.metrics.sessions -= 1
        self.metrics.bytes_in += context.connection.bytes_in
        self.metrics.bytes_out += context.connection.bytes_out
        if context.box_id is not None:
            self._contexts.pop(id(context), None)
            mine = self._by_box[context.box_id]
            mine.discard(id(context))
            if not mine:
                del self._by_box[context.box_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("imap_fault", error=type(task.exception()).__name__, where="session")

    def _hear(self, notice: Notice) -> None:
        for key in self._by_box.get(notice.box_id, ()):
            self._contexts[key].hear(notice)


class _Accepted(Connection):
    """A connection that begins its session once, when its transport is ready."""

    def __init__(self, write_timeout: float, begin: Callable[[Connection], None]) -> None:
        super().__init__(write_timeout)
        self._begin: Callable[[Connection], None] | None = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin, self._begin = self._begin, None
        if begin is not None:  # STARTTLS calls again
            begin(self)
