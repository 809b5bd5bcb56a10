from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from imap_support import PASSWORD, USER, Bench, contexts, limits, simple_message

from gateway.imap import ImapServer
from store import Store


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    return contexts(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def home_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as store:
        yield store


@pytest.fixture
async def bench(home_store: Store, tls: tuple[ssl.SSLContext, ssl.SSLContext, Path]) -> AsyncIterator[Bench]:
    server_context, client_context, certificate = tls
    box_id = await asyncio.to_thread(home_store.create_box, address=USER, kind="patient", owner="x")

    async def authenticate(user: str, password: str, peer: str) -> int | None:
        assert peer == "127.0.0.1"
        return box_id if (user, password) == (USER, PASSWORD) else None

    server = ImapServer(home_store, authenticate, server_context, limits=limits())
    await server.start("127.0.0.1", 0)
    bench = Bench(home_store, box_id, server, client_context, server_context, certificate)
    yield bench
    for wire in bench.wires:
        await wire.close()
    await server.close()
    assert server.metrics.faults == 0


@pytest.fixture
def sync_bench(
    tmp_path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext, Path]
) -> Iterator[tuple[asyncio.AbstractEventLoop, Bench]]:
    """A running server for tests that are not coroutines: (its loop, the bench)."""
    server_context, client_context, certificate = tls
    loop = asyncio.new_event_loop()
    with Store.open(tmp_path / "home") as store:
        box_id = store.create_box(address=USER, kind="patient", owner="x")

        async def authenticate(user: str, password: str, peer: str) -> int | None:
            return box_id

        server = ImapServer(store, authenticate, server_context, limits=limits())
        loop.run_until_complete(server.start("127.0.0.1", 0))
        bench = Bench(store, box_id, server, client_context, server_context, certificate)
        bench.deliver(simple_message())
        yield loop, bench
        loop.run_until_complete(server.close())
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
