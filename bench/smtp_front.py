"""What the SMTP front costs by itself: session, TLS, strict reading, index and sealed spool, no commit.

``python -m bench.smtp_front [--size 8192] [--count 3000] [--connections 8] [--fresh]``

The router accepts at once, so the figures are an upper bound for the whole gateway. The client runs in a
process of its own; CPU per message is the server's only (``time.process_time``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import ssl
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from certs import TrustStore, client_context, demo_pki, operators_context
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


def _session(port: int, context: ssl.SSLContext, messages: int, body: bytes) -> None:
    def until(count: int) -> None:
        nonlocal pending
        while count:
            while b"\r\n" not in pending:
                got = wire.recv(65536)
                if not got:
                    raise SystemExit("the server closed")
                pending += got
            line, _, pending = pending.partition(b"\r\n")
            if line[3:4] != b"-":
                if line[:1] not in b"23":
                    raise SystemExit(line.decode())
                count -= 1

    pending = b""
    wire: Any = socket.create_connection(("127.0.0.1", port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    until(1)
    wire.sendall(b"EHLO bench.example\r\nSTARTTLS\r\n")
    until(2)
    wire = context.wrap_socket(wire)
    wire.sendall(b"EHLO bench.example\r\n")
    until(1)
    head = b"MAIL FROM:<a@a.example> BODY=8BITMIME\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"
    for _ in range(messages):
        wire.sendall(head)
        until(3)
        wire.sendall(body + b".\r\n")
        until(1)
    wire.close()


def _client(port: int, pem: str, key: str, count: int, size: int, fresh: bool) -> None:
    context = client_context(Path(pem), Path(key))
    line = b"x" * 76 + b"\r\n"
    body = b"Message-ID: <1@a.example>\r\nSubject: bench\r\n\r\n" + line * max(1, size // len(line))
    for _ in range(count if fresh else 1):
        _session(port, context, 1 if fresh else count, body)


async def run(size: int, count: int, connections: int, fresh: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        pki = demo_pki(Path(folder) / "pki")
        with Store.open(Path(folder) / "home") as store:
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
            pem, key = map(str, pki.paths("hospital"))
            spawn = multiprocessing.get_context("spawn")
            each = count // connections
            clients = [
                spawn.Process(target=_client, args=(server.port, pem, key, each, size, fresh))
                for _ in range(connections)
            ]
            for client in clients:
                client.start()
            while not server.busy:  # noqa: ASYNC110  # clients are other processes
                await asyncio.sleep(0.005)
            began, cpu = time.perf_counter(), time.process_time()
            while any(client.is_alive() for client in clients):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            took, used = time.perf_counter() - began, time.process_time() - cpu
            for client in clients:
                client.join()
                if client.exitcode:
                    raise SystemExit("a client failed")
            await server.close()
    total = each * connections
    return {
        "size": size,
        "messages": total,
        "messages_per_s": round(total / took, 1),
        "cpu_ms_per_message": round(used / total * 1000, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--fresh", action="store_true", help="a new connection for each message")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(asyncio.run(run(options.size, options.count, options.connections, options.fresh))))


if __name__ == "__main__":
    main()
