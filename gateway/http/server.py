"""A listening port that serves one ASGI application.

Applications get no lifespan events: what they need, they are given when they are made. Several processes
may listen on one port (``reuse_port``).
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import Counter
from typing import Final

import structlog
from uvicorn import Config
from uvicorn.server import ServerState

from gateway.http.limits import Limits
from gateway.http.protocol import HttpConnection
from gateway.http.shell import ASGI, Shell

log = structlog.get_logger("http")

_HANDSHAKE_S: Final = 20.0
_SHUTDOWN_S: Final = 3.0


class HttpServer:
    """One port.

    :param app: the application (ASGI 3). ``request.state.tls`` is a :class:`gateway.http.Tls`.
    :param context: of a LiveTls door; None: clear text, for a loopback address or behind another's TLS.
    :param name: of the port in the log.
    """

    def __init__(
        self, app: ASGI, context: ssl.SSLContext | None, limits: Limits | None = None, *, name: str = "http"
    ) -> None:
        self.limits = limits or Limits()
        self.port = 0
        self._name = name
        self._context = context
        self._config = Config(
            Shell(app, self.limits.body),
            http=HttpConnection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=max(1, round(self.limits.idle_timeout)),
        )
        self._config.load()
        self._state = ServerState()
        self._connections: set[HttpConnection] = set()
        self._peers: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._closing = False

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False) -> None:
        """Listen; afterwards :attr:`port` is the real one. Raises :class:`OSError` when it cannot."""
        secure = self._context is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: HttpConnection(self._config, self._state, self),
            host,
            port,
            ssl=self._context,
            ssl_handshake_timeout=_HANDSHAKE_S if secure else None,
            ssl_shutdown_timeout=_SHUTDOWN_S if secure else None,
            reuse_port=reuse_port or None,
            backlog=256,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("http_listening", port_of=self._name, host=host, port=self.port, tls=secure)

    async def close(self, grace: float = 10.0) -> None:
        """Stop listening, close idle connections, let requests under way end for ``grace`` seconds."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=grace)
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was answered last is on its way out
        for connection in list(self._connections):
            connection.shutdown()
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def busy(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    # -- what connections ask (Gate)

    def opened(self, connection: HttpConnection, peer: str) -> bool:
        whose = _network(peer)
        if (
            self._closing
            or len(self._connections) >= self.limits.connections
            or self._peers[whose] >= self.limits.per_peer
        ):
            return False
        self._connections.add(connection)
        self._peers[whose] += 1
        return True

    def closed(self, connection: HttpConnection, peer: str) -> None:
        whose = _network(peer)
        self._connections.discard(connection)
        self._peers[whose] -= 1
        if self._peers[whose] <= 0:
            del self._peers[whose]

    def refused(self, status: int, why: str) -> None:
        log.info("http_refused", port_of=self._name, status=status, why=why)


def _network(peer: str) -> str:
    """Whose connection it is: an IPv4 address, or the /64 that one subscriber has of IPv6."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else peer
