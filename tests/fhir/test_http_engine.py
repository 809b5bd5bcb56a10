"""The HTTP engine over real sockets: bounds, deadlines, closing, two on one port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from certs import DemoPki, operators_context
from gateway.http import HttpServer, Limits


async def hello(request: Request) -> Response:
    body = await request.body()
    return PlainTextResponse(
        f"{len(body)} {len(request.state.tls.chain)} {request.headers.get('x-late', '-')}"
    )


async def slow(request: Request) -> Response:
    await asyncio.sleep(0.5)
    return PlainTextResponse("done")


async def broken(request: Request) -> Response:
    raise ValueError("a secret of the program")


APP = Starlette(
    routes=[
        Route("/", hello, methods=["GET", "POST"]),
        Route("/slow", slow),
        Route("/broken", broken),
    ]
)
QUICK = Limits(
    body=1000,
    head=2000,
    fields=20,
    connections=4,
    per_peer=3,
    head_timeout=0.4,
    body_timeout=0.4,
    idle_timeout=1.0,
    linger=0.2,
)


@asynccontextmanager
async def serving(limits: Limits = QUICK) -> AsyncIterator[HttpServer]:
    server = HttpServer(APP, None, limits)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def ask(server: HttpServer, *pieces: bytes, pause: float = 0.0) -> bytes:
    """All that a server answers to these pieces until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


LAST = b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + LAST, 200),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\n" + LAST, 200),
        (b"GET /nowhere HTTP/1.1\r\nHost: a\r\n" + LAST, 404),
        (b"DELETE / HTTP/1.1\r\nHost: a\r\n" + LAST, 405),
        (b"GET /broken HTTP/1.1\r\nHost: a\r\n" + LAST, 500),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 30 + b"\r\n", 431),
        (b"GET /" + b"x" * 1500 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048, 413),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
    ],
)
async def test_answers(sent: bytes, status: int) -> None:
    async with serving() as server:
        answer = await ask(server, sent)
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer[:200]
    assert b"x-content-type-options: nosniff" in answer and b"secret" not in answer
    if status == 200:
        assert b"\r\ndate: " in answer and b"cache-control: no-store" in answer
    if sent.startswith(b"HEAD"):
        assert answer.endswith(b"\r\n\r\n")


async def test_slow_clients_are_cut() -> None:
    async with serving() as server:
        head = await ask(server, *[b"GET / HTTP/1.1\r\n", b"A: b\r\n", b"C: d\r\n", b"E: f\r\n"], pause=0.2)
        body = await ask(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        silent = await ask(server)
    assert head.startswith(b"HTTP/1.1 408") or head == b"reset"
    assert body in (b"", b"reset") and silent == b""


async def test_trailers_are_no_headers() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving() as server:
        answer = await ask(server, head + b"1\r\nx\r\n0\r\nX-Late: yes\r\n\r\n")
    assert answer.endswith(b"1 0 -")


async def test_connections_are_counted() -> None:
    async with serving() as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert server.busy == 3
        answer = await ask(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503") and b"retry-after" in answer
        for _, writer in held:
            writer.close()
        await asyncio.sleep(0.05)
        assert (await ask(server, b"GET / HTTP/1.1\r\nHost: a\r\n" + LAST)).startswith(b"HTTP/1.1 200")


async def test_closing_ends_the_request_under_way() -> None:
    server = HttpServer(APP, None, QUICK)
    await server.start()
    asked = asyncio.create_task(ask(server, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"))
    await asyncio.sleep(0.1)
    await server.close()
    assert (await asked).endswith(b"done")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_two_fronts_share_a_port() -> None:
    first, second = (HttpServer(APP, None) for _ in range(2))
    await first.start("127.0.0.1", 0, reuse_port=True)
    await second.start("127.0.0.1", first.port, reuse_port=True)
    await first.close()
    assert (await ask(second, b"GET / HTTP/1.1\r\nHost: a\r\n" + LAST)).startswith(b"HTTP/1.1 200")
    await second.close()


@pytest.mark.package("openssl")
async def test_the_clients_chain_is_seen(tmp_path: Path, pki: DemoPki) -> None:
    server = HttpServer(APP, operators_context(*pki.paths("gateway")))
    await server.start()
    card = pki.issued("hospital")
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-quiet", "-ign_eof", "-connect", f"127.0.0.1:{server.port}"),
        *("-cert", str(card.pem), "-key", str(card.key), "-cert_chain", str(card.pem)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate(b"GET / HTTP/1.1\r\nHost: a\r\n" + LAST)
    await server.close()
    assert out.startswith(b"HTTP/1.1 200") and b"strict-transport-security" in out
    assert int(out.split()[-2]) >= 1
