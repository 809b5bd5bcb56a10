"""Starts and stops the two gateways of the demonstration, each a real ``passerelle serve``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.demo import cast, scene
from gateway.demo.pages import Pages
from gateway.demo.scene import Party, Scene
from store import Store, StoreError

PARTIES: tuple[Party, ...] = ("passerelle", "hopital")
_START_S = 120.0


@contextlib.asynccontextmanager
async def on_stage(play: Scene) -> AsyncIterator[None]:
    """Both gateways serve within the block; their logs go to ``<party>.log`` in the scene's folder."""
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(_serving(play, party)) for party in PARTIES))
        yield


@contextlib.asynccontextmanager
async def _serving(play: Scene, party: Party) -> AsyncIterator[None]:
    home = play.home(party)
    with (play.root / f"{party}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "serve", "--home", str(home),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await _until_ready(process, home, party)
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 30)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, home: Path, party: Party) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_S
    while not (home / "run" / "ready").exists():
        if process.returncode is not None or loop.time() > deadline:
            raise StoreError("demo.start", f"{party} does not start: see {party}.log", fault="config")
        await asyncio.sleep(0.05)


def serve_demo(folder: Path) -> None:
    """Keep the demonstration up until Ctrl-C; prints addresses and sign-ins. Blocking."""
    asyncio.run(_serve(scene.prepare_demo(folder, fixed_ports=True)))


async def _serve(play: Scene) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with on_stage(play):
        if cast.ALICE.address not in play.passwords:
            async with Pages(play) as pages:
                await pages.activate()
            with Store.open(play.home("passerelle")) as store:
                await asyncio.to_thread(scene.app_password, play, store, cast.ALICE)
        for name, value in play.summary().items():
            print(f"{name:60} {value}", flush=True)
        print("Ctrl-C ends it.", flush=True)
        await stop.wait()
