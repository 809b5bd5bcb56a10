"""CPU of the steps that one small message takes, each measured alone: what is worth making cheaper.

``python -m bench.steps [--repeat 1000]``

No profiler, so the figures are true in size; what is missing from their sum is the event loop, TLS, and
threads that wait for each other.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

import gateway.rooms  # noqa: F401  # every operation and table
from bench import figures, scene
from bench.messages import SENDER, Corpus
from certs import identity
from gateway import logs
from gateway.message import Indexer, MessageMeta, encode_meta
from gateway.routing import Router, commit, facts, prefix
from gateway.routing.model import Envelope, Origin, Recipient
from gateway.settings import load_settings
from gateway.smtp.dotreader import DotReader
from gateway.smtp.params import parse_mail, parse_rcpt
from store import Notice, Store, operations


def _timed(name: str, repeat: int, step: Callable[[], Any]) -> dict[str, object]:
    for _ in range(10):
        step()
    begin = time.process_time()
    for _ in range(repeat):
        step()
    return {"step": name, "CPU µs": (time.process_time() - begin) / repeat * 1e6}


async def _awaited(name: str, repeat: int, step: Callable[[], Awaitable[Any]]) -> dict[str, object]:
    for _ in range(10):
        await step()
    begin = time.process_time()
    for _ in range(repeat):
        await step()
    return {"step": name, "CPU µs": (time.process_time() - begin) / repeat * 1e6}


async def measure(prepared: scene.Scene, repeat: int) -> list[dict[str, object]]:
    """Rows for a table."""
    settings = load_settings(prepared.home)
    corpus = Corpus("steps", "small", scene.address, 100)
    raw, wire = corpus.raw(1), corpus.wire(1)
    origin = Origin(
        kind="operator",
        name="operator",
        dn=identity(prepared.pki.issued("operator").der).subject_dn,
        tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
        peer="127.0.0.1",
    )
    recipient = scene.address(1)
    envelope = Envelope(
        mail_from=SENDER,
        recipients=[Recipient(address=recipient)],
        trace_id="c0ffee",
        received_at=1_790_000_000_000,
        helo="mta.operator.example",
        peer="127.0.0.1",
    )
    with Store.open(prepared.home) as store:
        router = Router(store, settings.policy())

        def read_in() -> Any:
            indexer = Indexer()
            indexer.feed(raw)
            return indexer.close()

        def spooled() -> Any:
            spool = store.spool()
            spool.write(raw)
            return spool

        index = read_in()
        lines = prefix.build_prefix(envelope, origin, "gateway.example", recipient)
        meta = encode_meta(MessageMeta(prefix=lines, index=index))
        gathered = await store.aread(router._gather, origin, envelope, index)
        box_id = gathered.targets[0].box_id

        def placed() -> dict[str, Any]:
            spool = spooled()
            return router._place(gathered, origin, envelope, spool, index, spool.sha256)

        operation = operations.of(commit.accept)
        kwargs = placed()
        encoded = operation.encode(kwargs)
        notices = [Notice(box_id, 1, 5)]

        async def accepted() -> None:
            spool = spooled()
            verdict = await router.accept(origin, envelope, spool, read_in(), spool.sha256)
            assert verdict.accepted

        policy, host = settings.policy(), "gateway.example"
        steps: list[tuple[str, Callable[[], Any], int]] = [
            ("MAIL: parse", lambda: parse_mail(f"FROM:<{SENDER}> SIZE=8192", extended=True), 0),
            ("RCPT: parse", lambda: parse_rcpt(f"TO:<{recipient}>", extended=True, utf8=False), 0),
            ("RCPT: look-up", lambda: store.read(facts.target, policy, origin, recipient), 0),
            ("DATA: strict reader", lambda: DotReader().feed(wire), len(wire)),
            ("DATA: index of the message", read_in, len(raw)),
            ("DATA: spool (SHA-256)", spooled, len(raw)),
            ("place: prefix", lambda: prefix.build_prefix(envelope, origin, host, recipient), len(lines)),
            (
                "place: encode the index",
                lambda: encode_meta(MessageMeta(prefix=lines, index=index)),
                len(meta),
            ),
            ("place: all, spool included", placed, len(raw)),
            ("to the writer: encode the arguments", lambda: operation.encode(kwargs), len(encoded)),
            ("in the writer: decode them", lambda: operation.decode(encoded), len(encoded)),
            ("a notice, for each process", lambda: _decode(msgspec.msgpack.encode(notices)), 0),
            ("log line, text", _logging("text"), 0),
            ("log line, JSON", _logging("json"), 0),
        ]
        rows = [{**_timed(name, repeat, step), "octets": octets or ""} for name, step, octets in steps]
        waits: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("a trip to a thread and back", lambda: store.in_thread(int)),
            ("the same with BEGIN and COMMIT of a read", lambda: store.aread(bool)),
            ("accept: all, with a commit of its own", accepted),
        ]
        rows += [await _awaited(name, repeat, wait) for name, wait in waits]
    return rows


_decode = msgspec.msgpack.Decoder(list[Notice]).decode


def _logging(form: str) -> Callable[[], None]:
    out = io.StringIO()

    def line() -> None:
        logger.info("accepted", trace="c0ffee", size=8192, delivered=1, queued=0, duplicates=0)

    logs.set_up("info", form, role="front-1")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(out))
    logger = structlog.get_logger("routing").bind()
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        prepared = scene.prepare(Path(name), 100, y="none")
        print(figures.table(asyncio.run(measure(prepared, options.repeat))))


if __name__ == "__main__":
    main()
