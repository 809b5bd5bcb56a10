"""A listening port: wires sessions to the router, the store and the trust store.

Two roles (DESIGN §2): ``operators``, STARTTLS with mutual TLS, and ``submission``, TLS (implicit or by
STARTTLS) with SASL. Several processes may listen on one port (``reuse_port``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Literal

import structlog

from gateway.message import Indexer
from gateway.routing.model import Verdict
from gateway.smtp.ports import (
    Authenticate,
    External,
    IndexerPort,
    Limits,
    Router,
    Trust,
)
from gateway.smtp.session import SmtpSession
from store import Spool

Role = Literal["operators", "submission"]
log = structlog.get_logger("smtp")


class SmtpServer:
    """One port.

    :param role: ``operators``: certificate is the identity. ``submission``: AUTH is.
    :param router: decides and stores (:class:`gateway.smtp.ports.Router`).
    :param new_spool: ``store.spool``.
    :param trust: judges client certificates (``certs.TrustStore``).
    :param context: ``certs.operators_context``: asks for a client certificate and takes any; judging it
        is the trust store's, so that the refusal can be explained.
    :param hostname: our name in the greeting, in EHLO and in Received.
    :param implicit_tls: TLS from the first octet (RFC 8314 §3.3) instead of STARTTLS.
    :param authenticate: app passwords, for PLAIN and LOGIN. :param external: certificates, for EXTERNAL.
    """

    def __init__(
        self,
        *,
        role: Role,
        router: Router,
        new_spool: Callable[[], Spool],
        trust: Trust,
        context: ssl.SSLContext,
        hostname: str,
        implicit_tls: bool = False,
        authenticate: Authenticate | None = None,
        external: External | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.role: Literal["operators", "submission"] = role
        self.router = router
        self.trust = trust
        # At renewal call its load_cert_chain again: new handshakes show the new certificate, on both kinds
        # of port.
        self.context = context
        self.hostname = hostname
        self.implicit_tls = implicit_tls
        self.authenticate = authenticate
        self.external = external
        self.limits = limits or Limits()
        self.port = 0
        self._new_spool = new_spool
        self._server: asyncio.Server | None = None
        self._sessions: set[SmtpSession] = set()
        self._accepts: set[asyncio.Task[Verdict]] = set()
        self._closing = False

    # -- life

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False) -> None:
        """Listen; afterwards ``port`` is the real one. Raises :class:`OSError` when it cannot."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._new_session,
            host,
            port,
            ssl=self.context if self.implicit_tls else None,
            ssl_shutdown_timeout=3.0 if self.implicit_tls else None,
            reuse_port=reuse_port or None,
            backlog=512,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("listening", role=self.role, host=host, port=self.port, implicit_tls=self.implicit_tls)

    async def close(self, grace: float = 10.0) -> None:
        """Stop listening, tell idle sessions 421, let busy ones end their command for ``grace`` seconds."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.stop()
        ends = [session.ended for session in self._sessions]
        if ends:
            await asyncio.wait(ends, timeout=grace)
        for session in list(self._sessions):
            session.abort()
        # What the router has begun to store is finished: its outcome must not be unknown.
        if self._accepts:
            await asyncio.wait(self._accepts)
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def busy(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    def _new_session(self) -> SmtpSession:
        context = None if self.implicit_tls else self.context
        return SmtpSession(asyncio.get_running_loop(), self, context)

    # -- what sessions ask (SessionServices)

    def new_spool(self) -> Spool:
        return self._new_spool()

    def new_indexer(self) -> IndexerPort:
        return Indexer()

    def keep(self, task: asyncio.Task[Verdict]) -> None:
        """Hold on to a task that outlives its session, and look at its exception."""
        self._accepts.add(task)
        task.add_done_callback(self._kept)

    def _kept(self, task: asyncio.Task[Verdict]) -> None:
        self._accepts.discard(task)
        if not task.cancelled():
            task.exception()  # the session logs it; without one nobody waits for the answer

    def opened(self, session: SmtpSession) -> bool:
        if self._closing or len(self._sessions) >= self.limits.sessions:
            return False
        self._sessions.add(session)
        return True

    def closed(self, session: SmtpSession) -> None:
        self._sessions.discard(session)
