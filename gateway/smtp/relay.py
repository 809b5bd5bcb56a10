"""The relay: takes tasks of the queue ``relay`` and sends them to the operators of their domains.

Invariants:

- A task ends in one transaction with its evidence and its report (:mod:`gateway.smtp.outcomes`).
- At least once: a worker that dies lets its lease run out and the message is sent again. The window in
  which the peer sees it twice lies between its 250 and our commit, or its 250 that never reached us.
- Waiting is durable: when to try again is in the task, not in this process.
- A slow domain holds up only its own messages: each domain's tasks run beside the others'.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby

import msgspec
import structlog

from certs import Signing
from gateway.message import MessageIndex, MessageMeta, decode_meta
from gateway.routing.model import RelayJob
from gateway.smtp.address import domain_of
from gateway.smtp.client import (
    Allowed,
    Content,
    IdentityRefusedError,
    Outcome,
    PeerError,
    RelayClient,
    Timeouts,
)
from gateway.smtp.outcomes import Ledger
from gateway.smtp.ports import Trust
from gateway.smtp.routes import RouteError, Routes
from store import Notice, PasserelleError, Store, faults, mail, now_ms, tasks
from store.tasks import Task

log = structlog.get_logger("relay")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When to try again and when to give up. Milliseconds."""

    first: int = 60_000
    factor: float = 2.0
    longest: int = 3_600_000
    jitter: float = 0.2
    warn_after: int = 4 * 3_600_000
    lifetime: int = 48 * 3_600_000

    def delay(self, attempts: int, chance: float) -> int:
        """How long to wait after the attempt of this number (from 1); ``chance`` in [0, 1)."""
        base = min(self.longest, self.first * self.factor ** min(attempts - 1, 30))
        return int(base * (1 + self.jitter * (2 * chance - 1)))


class RelayWorker:
    """Runs until :meth:`close`; any number of them may work on one store.

    :param routes: where a domain's servers are. :param context: ``certs.client_context``.
    :param others: contexts with other certificates of ours, for a server that refuses who we are: while a
        certificate is renewed, its whitelist may still, or already, name another one.
    :param trust: judges servers' certificates. :param allowed: the whitelist (domain, DN).
    :param hostname: our name in EHLO and reports. :param reports_from: whom reports come from.
    :param signing: signs them; None: they are not signed.
    """

    def __init__(
        self,
        *,
        store: Store,
        routes: Routes,
        context: ssl.SSLContext,
        trust: Trust,
        allowed: Allowed,
        hostname: str,
        others: Sequence[ssl.SSLContext] = (),
        reports_from: str = "",
        signing: Signing | None = None,
        schedule: Schedule | None = None,
        timeouts: Timeouts | None = None,
        owner: str = "relay",
        domains: int = 16,
        batch: int = 100,
        lease_ms: int = 30 * 60_000,
        poll: float = 5.0,
    ) -> None:
        self.context = context  # both may be replaced at certificate renewal
        self.others = others
        self._store = store
        self._routes = routes
        self._trust = trust
        self._allowed = allowed
        self._hostname = hostname
        self._schedule = schedule or Schedule()
        self._timeouts = timeouts or Timeouts()
        self._owner = owner
        self._domains = domains
        self._batch = batch
        self._lease_ms = lease_ms
        self._poll = poll
        self._ledger = Ledger(store, hostname, reports_from, signing)
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._main: asyncio.Task[None] | None = None
        self._closing = False
        self._unsubscribe: Callable[[], None] = lambda: None

    # -- life

    def start(self) -> None:
        """Work in the background of the running loop."""
        self._unsubscribe = self._store.subscribe(self._notice)
        self._main = asyncio.create_task(self._run())

    async def close(self, grace: float = 10.0) -> None:
        """Take no more; what is being sent may end for ``grace`` seconds, then its lease runs out."""
        self._closing = True
        self._unsubscribe()
        self._wake.set()
        if self._main is not None:
            await self._main
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _notice(self, notice: Notice) -> None:
        if notice.box_id == 0 and notice.folder_id == tasks.QUEUES[tasks.RELAY]:
            self._wake.set()

    async def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                took = await self.take()
            except PasserelleError as error:
                log.error("lease_failed", rule=error.rule)
                took = 0
            if not took or len(self._running) >= self._domains:
                await self._pause()

    async def _pause(self) -> None:
        """Until there may be work, or room for it."""
        waits: set[asyncio.Task[None]] = set()
        if len(self._running) >= self._domains:
            waits |= self._running
        else:
            waits.add(asyncio.ensure_future(self._woken()))
        await asyncio.wait(waits, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits - self._running:
            wait.cancel()

    async def _woken(self) -> None:
        await self._wake.wait()

    async def take(self) -> int:
        """Lease what is due and start to send it; how many tasks that was."""
        leased = await self._store.awrite(
            tasks.lease, queue=tasks.RELAY, owner=self._owner, limit=self._batch, lease_ms=self._lease_ms
        )
        until = now_ms() + self._lease_ms
        work = [(task, msgspec.msgpack.decode(task.payload, type=RelayJob)) for task in leased]
        for domain, group in groupby(sorted(work, key=_by_domain), key=_by_domain):
            sender = asyncio.create_task(self._send_domain(domain, list(group), until))
            self._running.add(sender)
            sender.add_done_callback(self._ended)
        return len(leased)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("relay_failed", error=type(error).__name__)  # the lease brings the tasks back

    async def drain(self) -> None:
        """Send all that is due now, and wait for its end (tests, CLI)."""
        while await self.take():
            await asyncio.gather(*self._running)

    # -- one domain

    async def _send_domain(self, domain: str, work: list[_Work], until: int) -> None:
        late = [item for item in work if self._expired(item[1])]
        rest = [item for item in work if not self._expired(item[1])]
        for task, job in late:
            await self._give_up(task, job)
        if not rest:
            return
        try:
            routes = await self._routes.find(domain)
        except RouteError as error:
            await self._all(rest, _ours(error))
            return
        problem: PasserelleError = PeerError("relay.connection", "no connection, or none for long enough")
        contexts = [self.context, *self.others]
        for route in routes:
            for context in contexts:
                refused = False  # as the holder of this certificate
                try:
                    async with RelayClient(
                        route=route,
                        domain=domain,
                        hostname=self._hostname,
                        context=context,
                        trust=self._trust,
                        allowed=self._allowed,
                        timeouts=self._timeouts,
                    ) as client:
                        last = context is contexts[-1]
                        rest, refused = await self._send_all(client, rest, until, last=last)
                except PeerError as error:
                    log.info("peer_unusable", domain=domain, host=route.host, rule=error.rule)
                    problem = error
                    refused = isinstance(error, IdentityRefusedError)
                if not rest:
                    return
                if not refused:
                    break
                log.info("certificate_not_accepted", domain=domain, host=route.host)
        await self._all(rest, _ours(problem))

    async def _send_all(
        self, client: RelayClient, work: list[_Work], until: int, *, last: bool
    ) -> tuple[list[_Work], bool]:
        """Send over one connection; what it did not come to, for the next server or a later time.

        :param last: we have no further certificate to show.
        :returns: what is left, and whether because the server refused our certificate.
        """
        groups = [list(group) for _, group in groupby(sorted(work, key=_by_message), key=_by_message)]
        while groups:
            if not client.usable or now_ms() > until - self._lease_ms // 2:
                break
            group = groups.pop(0)
            for start in range(0, len(group), 50):
                if not await self._send_one(client, group[start : start + 50], last=last):
                    return [*group[start:], *(item for group in groups for item in group)], True
        return [item for group in groups for item in group], False

    async def _send_one(self, client: RelayClient, group: list[_Work], *, last: bool) -> bool:
        """One transaction; False, with nothing written down, when another certificate may do better."""
        task, job = group[0]
        found = await self._stored(task.box_id, job.message_id)
        if found is None:
            gone = Outcome(
                result="failed",
                rule="relay.message",
                status="5.3.0",
                reply="554 5.3.0 the message is gone [relay.message]",
            )
            await self._all(group, gone)
            return True
        message, meta = found
        faults.point("relay.leased")
        outcomes = await client.send([item[1] for item in group], self._content(message, meta))
        faults.point("relay.sent")
        if not last and all(outcome.about_us for outcome in outcomes):
            return False
        for (one, its), outcome in zip(group, outcomes, strict=True):
            await self._write_down(one, its, outcome, meta)
        faults.point("relay.ended")
        return True

    async def _stored(self, box_id: int, message_id: int) -> tuple[mail.StoredMessage, MessageMeta] | None:
        try:
            found = await self._store.aread(
                lambda conn: self._store.messages(conn, box_id, [message_id]).get(message_id)
            )
        except PasserelleError:
            return None  # the box was destroyed, and its key with it
        return None if found is None else (found, decode_meta(found.meta))

    def _content(self, message: mail.StoredMessage, meta: MessageMeta) -> Content:
        prefix = _without_return_path(meta.prefix)
        reader = self._store.open_body(message)

        async def pieces() -> AsyncIterator[bytes]:
            chunks = reader.chunks()
            held = prefix
            while (chunk := await self._store.in_thread(_next, chunks)) is not None:
                yield held + chunk if held else chunk
                held = b""
            if held:
                yield held

        return Content(
            size=len(prefix) + message.ref.size,
            eight_bit=meta.index.eight_bit or not prefix.isascii(),
            header_utf8=not (prefix + meta.index.header).isascii(),
            pieces=pieces,
        )

    # -- outcomes

    async def _all(self, work: list[_Work], outcome: Outcome) -> None:
        for task, job in work:
            await self._write_down(task, job, outcome, None)

    def _expired(self, job: RelayJob) -> bool:
        return now_ms() >= job.received_at + self._schedule.lifetime

    async def _give_up(self, task: Task, job: RelayJob) -> None:
        last = task.last_error or "no answer"
        outcome = Outcome(
            result="failed",
            rule="relay.expired",
            status="4.4.7",
            reply=f"451 4.4.7 delivery took too long, last answer: {last} [relay.expired]",
        )
        await self._write_down(task, job, outcome, None)

    async def _write_down(
        self, task: Task, job: RelayJob, outcome: Outcome, meta: MessageMeta | None
    ) -> None:
        index = meta.index if meta is not None else None
        log.info("relay", trace=job.trace_id, result=outcome.result, rule=outcome.rule, host=outcome.host)
        if outcome.result == "sent":
            await self._ledger.relayed(task, job, outcome, index)
            return
        if outcome.result == "failed":
            await self._ledger.failed(task, job, outcome, index or await self._index(task, job))
            return
        now = now_ms()
        end = job.received_at + self._schedule.lifetime
        chance = random.random()  # noqa: S311  # spreads retries, no secret
        due_at = min(now + self._schedule.delay(task.attempts, chance), end)
        if not job.delay_told and now - job.received_at >= self._schedule.warn_after and job.mail_from:
            known = index or await self._index(task, job)
            if known is not None and "DELAY" in job.recipient.notify.split(","):
                await self._ledger.delayed(task, job, outcome, known, due_at=due_at, until=end)
                return
        note = outcome.reply[:500]
        await self._store.awrite(tasks.retry, task_id=task.task_id, due_at=due_at, error=note)

    async def _index(self, task: Task, job: RelayJob) -> MessageIndex | None:
        found = await self._stored(task.box_id, job.message_id)
        return found[1].index if found is not None else None


_Work = tuple[Task, RelayJob]


def _by_domain(item: _Work) -> str:
    return domain_of(item[1].recipient.address)


def _by_message(item: _Work) -> tuple[int, int, str, str, str]:
    """What recipients of one transaction share."""
    task, job = item
    return task.box_id, job.message_id, job.mail_from, job.ret, job.envid


def _without_return_path(prefix: bytes) -> bytes:
    """RFC 5321 §4.4: only the final delivery writes Return-Path; what is relayed carries none."""
    if prefix[:12].lower() == b"return-path:":
        return prefix[prefix.index(b"\r\n") + 2 :]
    return prefix


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def _ours(error: PasserelleError) -> Outcome:
    result = "retry" if error.code < 500 else "failed"
    return Outcome(
        result=result,  # type: ignore[arg-type]  # one of the two literals
        rule=error.rule,
        status=error.enhanced,
        reply=error.reply,
    )
