"""A relay that is killed between the peer's 250 and our commit: sent again, ended once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from smtp_support import World
from test_smtp_relay import Post, post  # noqa: F401  # the fixture

import evidence
from gateway.routing.model import Recipient
from store import Store

pytestmark = pytest.mark.wire

WORKER = """
import asyncio, sys
from pathlib import Path
from certs import TrustStore, client_context
from gateway.smtp import RelayWorker, Route, Routes
from store import Store

async def yes(domain, dn):
    return True

async def main(home, pki, port):
    with Store.open(Path(home)) as store:
        await RelayWorker(
            store=store,
            routes=Routes({"there.example": Route("127.0.0.1", int(port))}),
            context=client_context(Path(pki) / "gateway.pem", Path(pki) / "gateway.key"),
            trust=TrustStore.load(Path(pki) / "trust"),
            allowed=yes,
            hostname="smtps.passerelle.test",
            lease_ms=500,
        ).drain()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("point", "sent"), [("relay.sent", 2), ("relay.ended", 1), ("writer.before_commit", 1)]
)
async def test_killed_midway(post: Post, here: World, point: str, sent: int) -> None:  # noqa: F811
    post.sink.answers = {"bad@there.example": ["550 5.1.1 no"] * 2}
    trace = post.submit(Recipient(address="a@there.example"), Recipient(address="bad@there.example"))
    home = post.store.home
    post.store.close()
    root = str(Path(__file__).parents[2])

    async def work(kill_at: str) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WORKER,
            str(home),
            str(here.pki.folder),
            str(post.sink.port),
            cwd=root,
            env={**os.environ, "PASSERELLE_KILL_AT": kill_at, "PYTHONPATH": root},
            stdout=asyncio.subprocess.DEVNULL,
        )
        return await asyncio.wait_for(process.wait(), 30)

    assert await work(point) == -9
    await asyncio.sleep(0.6)  # the dead worker's lease runs out
    assert await work("") == 0
    with Store.open(home) as again:
        post.store = again
        assert len(post.sink.got) == sent
        assert sorted(post.states()) == ["done", "failed"]
        assert sorted(event for event, _, _ in post.events(trace)) == ["failed", "relayed"]
        assert len(post.reports()) == 1
        assert post.outbox() == 0
        assert again.read(evidence.verify, evidence.public_key(home)).ok
