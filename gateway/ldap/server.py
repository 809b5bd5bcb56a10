"""The listener: connections in, sessions run, never more than the limits allow."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from typing import Final

import structlog

from gateway.ldap import messages
from gateway.ldap.auth import Authenticator, Identity
from gateway.ldap.connection import Connection
from gateway.ldap.directory import Tree
from gateway.ldap.errors import BUSY, LdapError
from gateway.ldap.metrics import Metrics
from gateway.ldap.session import Services, Session
from gateway.ldap.settings import Limits
from store import Store

log = structlog.get_logger("ldap")

_HANDSHAKE_S: Final = 30.0
_SHUTDOWN_S: Final = 3.0


class LdapServer:
    """LDAPv3 over TLS on the directory of a store, read-only.

    :param authenticate: (address, app password, peer) → box_id, or None.
    :param ssl_context: the server's, TLS 1.2 at least.
    :param implicit_tls: TLS from the first octet, else StartTLS.
    :param base: name of the tree's top, see :func:`gateway.ldap.default_base`.
    :raises LdapError: ``base`` is no distinguished name.
    """

    def __init__(
        self,
        store: Store,
        authenticate: Authenticator,
        ssl_context: ssl.SSLContext,
        *,
        base: str,
        limits: Limits | None = None,
        implicit_tls: bool = True,
    ) -> None:
        self._limits = limits or Limits()
        self._ssl = ssl_context
        self._implicit = implicit_tls
        self._services = Services(
            store,
            authenticate,
            Tree(base, self._limits),
            self._limits,
            starttls=None if implicit_tls else ssl_context,
            admit=self._admit,
        )
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._boxes: defaultdict[int, set[int]] = defaultdict(set)
        self._server: asyncio.Server | None = None

    @property
    def metrics(self) -> Metrics:
        """What was done so far."""
        return self._services.metrics

    @property
    def port(self) -> int:
        """The port listened on. Raises :class:`RuntimeError` before :meth:`start`."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the server is not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen; ``port`` 0 takes a free one, see :attr:`port`. Raises :class:`OSError`."""
        self._server = await asyncio.get_running_loop().create_server(
            self._accept,
            host,
            port,
            ssl=self._ssl if self._implicit else None,
            ssl_handshake_timeout=_HANDSHAKE_S if self._implicit else None,
            ssl_shutdown_timeout=_SHUTDOWN_S if self._implicit else None,
            reuse_port=reuse_port or None,
            backlog=128,
        )
        log.info("ldap_listening", port=self.port, implicit_tls=self._implicit)

    async def close(self) -> None:
        """Stop listening, tell every client, end every session."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._sessions)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> Connection:
        return Connection(self._limits.write_timeout, self._begin)

    def _begin(self, connection: Connection) -> None:
        if len(self._sessions) >= self._limits.connections:
            self.metrics.refused_connections += 1
            busy = LdapError("ldap.busy", "too many connections", BUSY)
            connection.close(messages.disconnection(busy.result, busy.diagnostic))
            return
        session = Session(connection, self._services)
        task = asyncio.get_running_loop().create_task(session.run())
        self._sessions[task] = session
        self.metrics.connections += 1
        self.metrics.sessions += 1
        task.add_done_callback(self._ended)

    def _admit(self, session: Session, identity: Identity) -> None:
        """Count a session for its mailbox. Raises :class:`LdapError` when there are too many."""
        self._leave(session)
        mine = self._boxes[identity.box_id]
        if len(mine) >= self._limits.connections_per_box:
            raise LdapError("ldap.busy", "too many connections of this mailbox", BUSY)
        mine.add(id(session))

    def _leave(self, session: Session) -> None:
        for box_id in [box_id for box_id, mine in self._boxes.items() if id(session) in mine]:
            self._boxes[box_id].discard(id(session))
            if not self._boxes[box_id]:
                del self._boxes[box_id]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._leave(self._sessions.pop(task))
        self.metrics.sessions -= 1
