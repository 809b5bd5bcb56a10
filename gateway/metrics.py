"""Figures for Prometheus, on ``[ports] metrics``: served by the back, which is one, so nothing is added up.

Every figure is read when it is asked for, from the store, the keys and the trust folder; each function
below is one figure, declared with its name and its meaning. Labels are roles, names of authorities, queues,
states, events and rules: no address, no name of a person, nothing of health.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import activity
import annuaire
import evidence
from certs import Keystore, TrustStore, standings
from gateway.indicators import Kept, indicators
from store import PasserelleError, Store, now_ms, tasks

log = structlog.get_logger("metrics")

#: Labels of one value, and the value.
Values = Iterator[tuple[tuple[str, ...], float]]
_DAY_MS: Final = 86_400_000
_HEAD_BYTES: Final = 8192
_PATIENCE_S: Final = 10.0


class Sources(msgspec.Struct, frozen=True, eq=False):
    """Where figures are read."""

    store: Store
    trust: TrustStore
    keys: Keystore
    kept: Kept = msgspec.field(default_factory=Kept)


class Figure(msgspec.Struct, frozen=True):
    """One gauge: its name without the prefix, its meaning, its labels, and who reads it."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    read: Callable[[Sources], Values]


FIGURES: Final[list[Figure]] = []
_Read = Callable[[Sources], Values]


def _figure(name: str, meaning: str, *labels: str) -> Callable[[_Read], _Read]:
    def declare(read: _Read) -> _Read:
        FIGURES.append(Figure(name, meaning, labels, read))
        return read

    return declare


@_figure(
    "certificate_days_left", "Days until a certificate of ours expires; negative: it has", "role", "state"
)
def _certificate_days_left(sources: Sources) -> Values:
    for one in standings(sources.keys):
        if one.state != "retired":
            yield (one.role, one.state), one.days


@_figure("plain_keys", "Private key files of ours that are not sealed")
def _plain_keys(sources: Sources) -> Values:
    yield (), len(sources.keys.plain_keys())


@_figure("crl_days_left", "Days until the next revocation list of an authority is due", "authority", "scope")
def _crl_days_left(sources: Sources) -> Values:
    soonest: dict[tuple[str, str], float] = {}
    for crl in sources.trust.crls:
        key = (crl.label, crl.scope)
        left = (crl.next_update - now_ms()) / _DAY_MS
        soonest[key] = min(left, soonest.get(key, left))
    yield from soonest.items()


@_figure("trust_problems", "Files of the trust folder that were passed over")
def _trust_problems(sources: Sources) -> Values:
    yield (), len(sources.trust.problems)


@_figure("whitelist_age_seconds", "For how long nobody has confirmed the list of authorised domains")
def _whitelist_age(sources: Sources) -> Values:
    age = sources.store.read(annuaire.whitelist_age, now_ms())
    if age is not None:
        yield (), age / 1000


@_figure("annuaire_age_seconds", "How long ago a source of the directory was imported", "source")
def _annuaire_age(sources: Sources) -> Values:
    for source, age in sources.store.read(annuaire.directory_ages, now_ms()).items():
        yield (source,), age / 1000


@_figure("queue_tasks", "Tasks that have not ended", "queue", "state")
def _queue_tasks(sources: Sources) -> Values:
    counted = sources.store.read(tasks.depths)
    for queue in tasks.QUEUES:  # zeros too: an alarm needs a value to compare
        for state in ("due", "leased", "held", "failed"):
            yield (queue, state), counted.get((queue, state), 0)


@_figure("notices", "E-mail notices to patients: how many ended how, since ever, and wait now", "state")
def _notices(sources: Sources) -> Values:
    for state, count in sources.store.read(activity.notice_counts).items():
        yield (state,), count


@_figure("indicator", "Enrolment and use until now, counted each hour; below ten: absent", "figure")
def _indicator(sources: Sources) -> Values:
    for name, count in sources.kept.totals(lambda: sources.store.read(indicators)).items():
        if count is not None:
            yield (name,), count


class Registry(Collector):
    """All figures, and the records of evidence counted since this object was made. Read by one thread at a
    time."""

    def __init__(self, sources: Sources) -> None:
        self._sources: Final = sources
        self._seen, _ = sources.store.read(evidence.tally, 1 << 62)
        self._records: Counter[tuple[str, str]] = Counter()
        self._registry: Final = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The figures as Prometheus reads them. Blocking: ms."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What cannot be read is left out and counted: one broken source hides no other figure."""
        unread = GaugeMetricFamily("passerelle_unread", "Figures that could not be read", labels=["figure"])
        for figure in FIGURES:
            family = GaugeMetricFamily(f"passerelle_{figure.name}", figure.meaning, labels=figure.labels)
            failed = 0
            try:
                for labels, value in figure.read(self._sources):
                    family.add_metric(labels, value)
            except (PasserelleError, OSError) as error:
                log.warning("figure_unread", figure=figure.name, error=type(error).__name__)
                failed = 1
            unread.add_metric([figure.name], failed)
            if not failed:
                yield family
        yield self._evidence()
        yield unread

    def _evidence(self) -> Metric:
        """Acceptances, deliveries, refusals by rule: what the chain of evidence grew by."""
        self._seen, found = self._sources.store.read(evidence.tally, self._seen)
        self._records.update(found)
        family = CounterMetricFamily(
            "passerelle_evidence_records", "Records of evidence since the start", labels=["event", "rule"]
        )
        for labels, count in self._records.items():
            family.add_metric(labels, count)
        return family


class MetricsServer:
    """``GET /metrics`` over HTTP/1.1 (RFC 9112), one request a connection."""

    def __init__(self, sources: Sources) -> None:
        self._sources: Final = sources
        self._registry: Registry | None = None
        self._turn: Final = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; afterwards :attr:`port` is the real one. Raises :class:`OSError` when it cannot."""
        self._registry = await asyncio.to_thread(Registry, self._sources)
        self._server = await asyncio.start_server(self._accepted, host, port, limit=_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("metrics_listening", host=host, port=self.port)

    async def close(self) -> None:
        """Stop listening, cut what is open."""
        if self._server is None:
            return
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                writer.write(await self._answer(reader))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            log.debug("metrics_client_gone")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _reply("431 Request Header Fields Too Large", b"")
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):  # RFC 9112 §3
            return _reply("400 Bad Request", b"")
        method, target = words[0], words[1].partition(b"?")[0]
        if target != b"/metrics":
            return _reply("404 Not Found", b"")
        if method not in (b"GET", b"HEAD"):
            return _reply("405 Method Not Allowed", b"", "Allow: GET, HEAD\r\n")
        assert self._registry is not None
        async with self._turn:
            text = await asyncio.to_thread(self._registry.text)
        return _reply("200 OK", text, with_body=method == b"GET")


def _reply(status: str, body: bytes, more: str = "", *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE_LATEST}\r\nContent-Length: {len(body)}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
