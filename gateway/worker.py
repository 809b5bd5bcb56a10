"""One child process of the supervisor: a front or the back of a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import sys
from asyncio import sslproto
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

import gateway.rooms  # noqa: F401  # every operation and table
from gateway import logs
from gateway.server import Back, Front
from gateway.settings import Settings, load_settings
from store import PasserelleError, Store

log = structlog.get_logger("worker")

_WATCH_WRITER_S = 0.2


def _tune() -> None:
    """Fewer collections: what start-up made stays, and a session's garbage is rarely in cycles.

    asyncio gives every TLS connection a read buffer of 256 KiB; a quarter of it serves as well, and a
    thousand idle mail clients cost 64 MiB instead of 256.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sslproto.SSLProtocol.max_size = 64 * 1024


async def run(home: Path, role: str, settings: Settings, ready: Connection) -> int:
    """Serve until SIGTERM (0), or until the writer or the fork server went away (3)."""
    stop, wanted = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = os.getppid()
    # The supervisor holds the writer: a child that outlives it for a moment must not take its place.
    store = Store.open(home, url=settings.run.database, may_lead=False, folder_notices=role != "back")
    status = 0
    try:
        if not _supervised():
            return 3
        part = Back(home, settings, store) if role == "back" else Front(home, settings, store)
        await part.start(reuse_port=True)
        loop.add_signal_handler(signal.SIGHUP, wanted.set)
        reloading = asyncio.create_task(_reload_when(wanted, part))
        try:
            with ready:
                ready.send_bytes(b"ready")
        except OSError:  # nobody waits for this child any more
            stop.set()
            status = 3
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _WATCH_WRITER_S)
            # Without its fork server a child has nobody who would tell of its end: another takes its place.
            if not store.connected or os.getppid() != server:
                log.error("writer_gone" if not store.connected else "fork_server_gone")
                status = 3
                break
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)
        await part.close()
    finally:
        store.close()
    return status


async def _reload_when(wanted: asyncio.Event, part: Front | Back) -> None:
    """One reload after the other, however many signals come meanwhile."""
    while True:
        await wanted.wait()
        wanted.clear()
        await part.reload()


def _supervised() -> bool:
    """Whether the supervisor lives that started this child; another may hold the writer already."""
    supervisor = multiprocessing.parent_process()
    return supervisor is None or supervisor.is_alive()


def run_child(home: Path, role: str, ready: Connection) -> None:
    """The whole life of a child; leaves the process with its exit status."""
    try:
        settings = load_settings(home)
        logs.set_up(settings.run.log_level, settings.run.log_format, role=role)
        _tune()
        status = asyncio.run(run(home, role, settings, ready))
    except PasserelleError as error:
        log.error("cannot_start", rule=error.rule, reason=error.log)
        status = 2
    except OSError as error:  # a port is taken, a file cannot be read
        log.error("cannot_start", rule="gateway.system", reason=str(error))
        status = 2
    sys.exit(status)
