"""What the SMTP front costs by itself: session, TLS, strict reading, index and sealed spool, no commit.

``python -m bench.smtp_front [--mix small] [--count 3000] [--connections 8] [--fresh]``

The router accepts at once, so the figures are an upper bound for the whole gateway. The generator is
another process; CPU per message is the server's only (``time.process_time``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from bench.apart import Errand, Generator, generator
from bench.figures import percentile
from bench.messages import MIXES
from bench.scene import address
from bench.target import Target
from certs import DemoPki, TrustStore, demo_pki, operators_context
from gateway.routing.model import Origin, Verdict
from gateway.smtp import Limits, SmtpServer
from store import Store

ACCEPT = Verdict(action="accept", rule="bench")


class NullRouter:
    """Accepts everything and keeps nothing."""

    async def origin(self, *_: Any) -> Origin:
        return Origin(kind="operator", name="bench")

    async def sender(self, *_: Any) -> Verdict:
        return ACCEPT

    async def recipient(self, *_: Any) -> Verdict:
        return ACCEPT

    async def accept(self, *_: Any) -> Verdict:
        return ACCEPT


async def _serve(
    folder: Path, pki: DemoPki, load: Generator, mix: str, count: int, connections: int, fresh: bool
) -> dict[str, object]:
    with Store.open(folder / "home") as store:
        server = SmtpServer(
            role="operators",
            router=NullRouter(),
            new_spool=store.spool,
            trust=TrustStore.load(pki.trust),
            context=operators_context(*pki.paths("gateway")),
            hostname="bench.example",
            limits=Limits(),
        )
        await server.start()
        certificate, key = pki.paths("hospital")
        target = Target(
            name="front",
            smtp=("127.0.0.1", server.port),
            imap=("127.0.0.1", 0),
            certificate=certificate,
            key=key,
            authorities=pki.trust / "roots" / "racine.pem",
            address=address,
            boxes=100,
            password="",
            roots=(),
            folder=folder,
        )
        errand = Errand(target, mix, count, connections, 1 if fresh else 0)
        cpu = time.process_time()
        sent = await asyncio.to_thread(load.send, errand)
        used = time.process_time() - cpu
        complaint = await asyncio.to_thread(load.complaint)
        await server.close()
        if complaint:
            raise SystemExit(complaint)
    return {
        "mix": mix,
        "connection": "new for each" if fresh else "kept",
        "messages": count,
        "messages/s": count / (sent.last - sent.began),
        "CPU ms each": used / count * 1000,
        "p50 ms": percentile(sent.latencies, 0.5) * 1000,
        "p99 ms": percentile(sent.latencies, 0.99) * 1000,
    }


def measure(mix: str, count: int, connections: int = 8, *, fresh: bool = False) -> dict[str, object]:
    """One row for a table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, generator() as load:
        pki = demo_pki(Path(name) / "pki")
        return asyncio.run(_serve(Path(name), pki, load, mix, count, connections, fresh))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mix", choices=sorted(MIXES), default="small")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--fresh", action="store_true", help="a new connection for each message")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(measure(options.mix, options.count, options.connections, fresh=options.fresh)))


if __name__ == "__main__":
    main()
