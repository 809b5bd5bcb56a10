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

import evidence
import patients
from certs import LiveTls, OnlineTrust, ending, operators_context, server_context
from gateway.dmp_bridge import FilingWorker, LocalDossier, read_deposited_cda
from gateway.dmp_bridge import Policy as FilingPolicy
from gateway.freshness import Refresher, authorised
from gateway.imap import ImapServer
from gateway.invitations import Invitations
from gateway.keyring import LiveSigner, keystore
from gateway.ldap import LdapServer
from gateway.ldap import Limits as LdapLimits
from gateway.metrics import MetricsServer, Sources
from gateway.night import NIGHT_LOOK_S, Night
from gateway.notices import Notices
from gateway.professionals import ProfessionalsDoor
from gateway.reminding import LOOK_S as REMIND_S
from gateway.reminding import Reminding
from gateway.reporter import Reporter, delivery_report
from gateway.routing import Router, forget_deliveries
from gateway.settings import Settings
from gateway.smtp import Limits, RelayWorker, Route, Routes, Schedule, SmtpServer
from gateway.trust_keeping import FETCH_S, LOOK_S, STATUS_S, TrustKeeper
from gateway.web import PatientsDoor
from store import PasserelleError, Store, now_ms, tasks

log = structlog.get_logger("server")

HOUR_MS = 3_600_000
SILENCE_MS = HOUR_MS  # DESIGN §1.1: every accepted recipient ends within one hour
REMEMBER_DELIVERIES_MS = 7 * 24 * HOUR_MS
RELOAD_TRUST_S = 300.0
LOOK_AT_KEYS_S = 2.0
DAY_S = 86_400.0


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
        self.trust = OnlineTrust(home / "trust")
        self.keeper = TrustKeeper(home, settings, self.trust)
        self.tls = LiveTls(keystore(home, settings))
        self.signing = LiveSigner(home, settings)
        self._tasks: list[asyncio.Task[None]] = []

    def _keep(self, seconds: float, work: Callable[[], Awaitable[None]], *, at_once: bool = False) -> None:
        self._tasks.append(asyncio.create_task(_every(seconds, work, 0.0 if at_once else seconds)))

    async def _reload_trust(self) -> None:
        """Pick up new certificates of authorities and new revocation lists without a restart."""
        await asyncio.to_thread(self.trust.reload)

    async def _look_at_keys(self) -> None:
        """Show a renewed certificate to whoever connects from now on; sessions go on as they are."""
        await self.tls.refresh()
        await self.signing.refresh()

    async def reload(self) -> None:
        """What SIGHUP asks for: certificates, keys and trust are read again, whatever their files' dates."""
        log.info("reload")
        await self.tls.refresh(force=True)
        await self.signing.refresh(force=True)
        try:
            await self._reload_trust()
        except PasserelleError as error:
            log.error("trust_not_reloaded", rule=error.rule, reason=error.log)

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _every(seconds: float, work: Callable[[], Awaitable[None]], first: float) -> None:
    await asyncio.sleep(first)
    while True:
        try:
            await work()
        except PasserelleError as error:
            log.error("housekeeping_failed", rule=error.rule, reason=error.log)
        except Exception as error:  # one bad night must not end all the nights after it
            log.error("housekeeping_broken", error=type(error).__name__, exc_info=True)
        await asyncio.sleep(seconds)


class Front(_Part):
    """Serves the ports: operators' SMTP, submission, IMAP, LDAP. Several may share them (``reuse_port``)."""

    def __init__(self, home: Path, settings: Settings, store: Store) -> None:
        super().__init__(home, settings, store)
        self.router = Router(store, settings.policy(), delivery_report(settings, self.signing), self.trust)
        limits = Limits(message_size=settings.gateway.message_size)
        asking = self.tls.door(
            lambda cert, key, phrase: operators_context(cert, key, self.keeper.staple, passphrase=phrase)
        )
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
            self._door(),
            size_limit=settings.gateway.message_size,
        )
        self.ldap, self.ldap_starttls = self._ldap(implicit_tls=True), self._ldap(implicit_tls=False)
        self.fhir = ProfessionalsDoor(home, settings, store, self.trust, asking, read_deposited_cda)
        self.web = PatientsDoor(home, settings, store, self.router, self._door())

    def _door(self) -> ssl.SSLContext:
        """Of a port where no client certificate is wanted."""
        return self.tls.door(
            lambda cert, key, phrase: server_context(cert, key, self.keeper.staple, passphrase=phrase)
        )

    def _ldap(self, *, implicit_tls: bool) -> LdapServer:
        return LdapServer(
            self.store,
            self._sign_in,
            self._door(),
            base=self.settings.ldap_base,
            limits=LdapLimits(entries=self.settings.ldap.entries),
            implicit_tls=implicit_tls,
        )

    async def _refresh_status(self) -> None:
        await self.keeper.refresh_status(self.tls.pair.chain)

    async def _sign_in(self, user: str, password: str, peer: str) -> int | None:
        return await patients.check_app_password(self.store, user, password)

    async def start(self, *, reuse_port: bool = False) -> None:
        """Listen on every port of the settings. Raises :class:`OSError` when one is taken."""
        ports = self.settings.ports
        for server, where in (
            (self.operators, ports.operators),
            (self.submission, ports.submission),
            (self.imap, ports.imap),
            (self.ldap, ports.ldap),
            (self.ldap_starttls, ports.ldap_starttls),
            (self.fhir, ports.fhir),
            (self.web, ports.web),
        ):
            if where:
                host, port = split_port(where)
                await server.start(host, port, reuse_port=reuse_port)
        self._keep(LOOK_AT_KEYS_S, self._look_at_keys)
        self._keep(RELOAD_TRUST_S, self._reload_trust)
        self._keep(LOOK_S, self.keeper.look)
        self._keep(STATUS_S, self._refresh_status, at_once=True)

    async def close(self) -> None:
        """Stop listening, let sessions end their command, then return."""
        await self._stop_tasks()
        mail = (self.operators, self.submission, self.imap)
        servers = (*mail, self.ldap, self.ldap_starttls, self.fhir, self.web)
        await asyncio.gather(*(server.close() for server in servers))


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
            context=self.tls.client,
            others=self.tls.others,
            trust=self.trust,
            allowed=self._allowed,
            hostname=settings.gateway.hostname,
            reports_from=settings.system_address,
            signing=self.signing,
            schedule=Schedule(lifetime=settings.relay.lifetime_hours * HOUR_MS),
            domains=settings.relay.concurrency,
            owner=self.owner,
        )
        self.filing = FilingWorker(
            store,
            LocalDossier(store),
            Reporter(store, settings, self.signing),
            owner=self.owner,
            policy=FilingPolicy(y=settings.gateway.y),
        )
        self.refresher = Refresher(home, settings, store, self.trust)
        self.night = Night(settings, store)
        self.notices = Notices(home, settings, store, self.owner)
        self.reminding = Reminding(store, settings)
        self.chores = (Invitations(store).worker(self.owner), self.reminding.worker(self.owner))
        self.metrics = MetricsServer(Sources(store, self.trust, self.tls.store))
        self._stop = asyncio.Event()
        self._filing: asyncio.Task[None] | None = None
        self._working: list[asyncio.Task[None]] = []

    async def _allowed(self, domain: str, subject_dn: str) -> bool:
        return await self.store.aread(authorised, self.settings, domain, subject_dn)

    async def start(self, *, reuse_port: bool = False) -> None:
        """Begin to work; ``reuse_port`` is there for symmetry with :class:`Front`."""
        count = await self.store.awrite(tasks.take_back, owner=self.owner)
        log.info("queues", taken_back=count)
        self.relay.start()
        self._filing = asyncio.create_task(self.filing.run(self._stop))
        self._working = [asyncio.create_task(chore.run(self._stop)) for chore in self.chores]
        if self.settings.ports.metrics:
            await self.metrics.start(*split_port(self.settings.ports.metrics))
        await self._warn_of_ends()
        self._keep(LOOK_AT_KEYS_S, self._look_at_keys)
        self._keep(DAY_S, self._warn_of_ends)
        self._keep(RELOAD_TRUST_S, self._reload_trust)
        self._keep(LOOK_S, self.keeper.look)
        self._keep(FETCH_S, self.keeper.fetch, at_once=True)
        self._keep(60.0, self._report_silence)
        self._keep(3600.0, self._forget)
        self._keep(NIGHT_LOOK_S, self.night.look, at_once=True)
        if self.reminding.enabled:
            self._keep(REMIND_S, self.reminding.look, at_once=True)
        if self.notices.enabled:
            self._keep(self.settings.notices.look_seconds, self.notices.look, at_once=True)
        self._keep(60.0, self.refresher.whitelist)
        self._keep(60.0, self.refresher.fhir)
        self._keep(3600.0, self.refresher.watch)

    async def _look_at_keys(self) -> None:
        await super()._look_at_keys()
        self._show_current()

    async def reload(self) -> None:
        await super().reload()
        self._show_current()

    def _show_current(self) -> None:
        self.relay.context, self.relay.others = self.tls.client, self.tls.others

    async def _warn_of_ends(self) -> None:
        """Every day from 30 days before a certificate of ours ends."""
        _, soon = await asyncio.to_thread(ending, self.tls.store)
        for one in soon:
            log.warning("certificate_ends", role_of_key=one.role, days=one.days, level_of_alarm=one.level)

    async def _report_silence(self) -> None:
        """Silence is a failure (DESIGN §1.1): say which accepted messages have no end after an hour."""
        for trace_id, _ in await self.store.aread(evidence.silent, now_ms() - SILENCE_MS):
            log.warning("silent_for_an_hour", trace=trace_id)

    async def _forget(self) -> None:
        await self.store.awrite(forget_deliveries, before=now_ms() - REMEMBER_DELIVERIES_MS)
        await self.store.awrite(patients.signin.tidy)

    async def close(self) -> None:
        """Take nothing more; what is under way ends, or its lease runs out."""
        self.refresher.close()
        self.night.close()
        self.notices.close()
        self._stop.set()
        await self._stop_tasks()
        await self.metrics.close()
        await self.relay.close()
        if self._filing is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._filing
        await asyncio.gather(*self._working, return_exceptions=True)
