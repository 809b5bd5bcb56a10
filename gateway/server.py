"""The composition root: reads the settings and wires the rooms into what a process runs.

A gateway is a writer (the store of the parent process), *fronts* that serve the ports, and one *back*
that works off the queues. Each part can also run in one process with the others, as the tests do.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import platform
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

import annuaire
import evidence
import patients
from certs import TrustStore, client_context, operators_context, server_context
from gateway.dmp_bridge import FilingWorker, LocalDossier
from gateway.dmp_bridge import Policy as FilingPolicy
from gateway.imap import ImapServer
from gateway.reporter import Reporter, delivery_report
from gateway.routing import Router, forget_deliveries
from gateway.settings import Settings
from gateway.smtp import Limits, RelayWorker, Route, Routes, Schedule, SmtpServer
from store import PasserelleError, Store, now_ms, tasks

log = structlog.get_logger("server")

HOUR_MS = 3_600_000
SILENCE_MS = HOUR_MS  # DESIGN §1.1: every accepted recipient ends within one hour
REMEMBER_DELIVERIES_MS = 7 * 24 * HOUR_MS
RELOAD_TRUST_S = 300.0


def split_port(value: str) -> tuple[str, int]:
    """``host:port`` of the settings, checked when they were read."""
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port)


class _Part:
    """What fronts and back have in common: trust, certificates, and housekeeping tasks that end with them."""

    def __init__(self, home: Path, settings: Settings, store: Store) -> None:
        self.home = home
        self.settings = settings
        self.store = store
        self.trust = TrustStore.load(home / "trust")
        self.certificate = home / settings.tls.certificate
        self.key = home / settings.tls.key
        self._tasks: list[asyncio.Task[None]] = []

    def _keep(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(_every(seconds, work)))

    async def _reload_trust(self) -> None:
        """Pick up new certificates of authorities and new revocation lists without a restart."""
        await asyncio.to_thread(self.trust.reload)

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except PasserelleError as error:
            log.error("housekeeping_failed", rule=error.rule, reason=error.log)


class Front(_Part):
    """Serves the ports: operators' SMTP, submission, IMAP. Any number may share them (``reuse_port``)."""

    def __init__(self, home: Path, settings: Settings, store: Store) -> None:
        super().__init__(home, settings, store)
        self.router = Router(store, settings.policy(), delivery_report(settings))
        limits = Limits(message_size=settings.gateway.message_size)
        asking: ssl.SSLContext = operators_context(self.certificate, self.key)
        shared = {
            "router": self.router,
            "new_spool": store.spool,
            "trust": self.trust,
            "context": asking,
            "hostname": settings.gateway.hostname,
            "limits": limits,
        }
        self.operators = SmtpServer(role="operators", **shared)  # type: ignore[arg-type]  # a mapping of each parameter's own type
        self.submission = SmtpServer(
            role="submission",
            implicit_tls=True,
            authenticate=self.router.authenticate,
            external=self.router.external,
            **shared,  # type: ignore[arg-type]  # as above
        )
        self.imap = ImapServer(
            store,
            self._sign_in,
            server_context(self.certificate, self.key),
            size_limit=settings.gateway.message_size,
        )

    async def _sign_in(self, user: str, password: str, peer: str) -> int | None:
        return await patients.check_app_password(self.store, user, password)

    async def start(self, *, reuse_port: bool = False) -> None:
        """Listen on every port of the settings. Raises :class:`OSError` when one is taken."""
        ports = self.settings.ports
        for server, where in (
            (self.operators, ports.operators),
            (self.submission, ports.submission),
            (self.imap, ports.imap),
        ):
            if where:
                host, port = split_port(where)
                await server.start(host, port, reuse_port=reuse_port)
        self._keep(RELOAD_TRUST_S, self._reload_trust)

    async def close(self) -> None:
        """Stop listening, let sessions end their command, then return."""
        await self._stop_tasks()
        await asyncio.gather(self.operators.close(), self.submission.close(), self.imap.close())


class Back(_Part):
    """Works off the queues: relay, filing; reports silence; forgets what need not be remembered."""

    def __init__(self, home: Path, settings: Settings, store: Store) -> None:
        super().__init__(home, settings, store)
        # One back for each home: its name finds again what it had leased when it was killed.
        self.owner = f"{platform.node()[:40]}:{hashlib.sha256(bytes(home.resolve())).hexdigest()[:16]}"
        routes = {
            domain.casefold(): Route(*split_port(where)) for domain, where in settings.relay.routes.items()
        }
        self.relay = RelayWorker(
            store=store,
            routes=Routes(routes),
            context=client_context(self.certificate, self.key),
            trust=self.trust,
            allowed=self._allowed,
            hostname=settings.gateway.hostname,
            reports_from=settings.system_address,
            schedule=Schedule(lifetime=settings.relay.lifetime_hours * HOUR_MS),
            domains=settings.relay.concurrency,
            owner=self.owner,
        )
        self.filing = FilingWorker(
            store,
            LocalDossier(store),
            Reporter(store, settings),
            owner=self.owner,
            policy=FilingPolicy(y=settings.gateway.y),
        )
        self._stop = asyncio.Event()
        self._filing: asyncio.Task[None] | None = None

    async def _allowed(self, domain: str, subject_dn: str) -> bool:
        return await self.store.aread(annuaire.whitelist_allows, domain, subject_dn)

    async def start(self, *, reuse_port: bool = False) -> None:
        """Begin to work; ``reuse_port`` is there for symmetry with :class:`Front`."""
        count = await self.store.awrite(tasks.take_back, owner=self.owner)
        log.info("queues", taken_back=count)
        self.relay.start()
        self._filing = asyncio.create_task(self.filing.run(self._stop))
        self._keep(RELOAD_TRUST_S, self._reload_trust)
        self._keep(60.0, self._report_silence)
        self._keep(3600.0, self._forget)

    async def _report_silence(self) -> None:
        """Silence is a failure (DESIGN §1.1): say which accepted messages have no end after an hour."""
        for trace_id, _ in await self.store.aread(evidence.silent, now_ms() - SILENCE_MS):
            log.warning("silent_for_an_hour", trace=trace_id)

    async def _forget(self) -> None:
        await self.store.awrite(forget_deliveries, before=now_ms() - REMEMBER_DELIVERIES_MS)

    async def close(self) -> None:
        """Take nothing more; what is under way ends, or its lease runs out."""
        self._stop.set()
        await self._stop_tasks()
        await self.relay.close()
        if self._filing is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._filing
