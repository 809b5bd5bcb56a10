"""One child process of the supervisor: a front or the back of a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
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


async def run(home: Path, role: str, settings: Settings, ready: Connection) -> int:
    """Serve until SIGTERM (0), or until the writer went away (3)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = Store.open(home, url=settings.run.database)
    status = 0
    try:
        part = Back(home, settings, store) if role == "back" else Front(home, settings, store)
        await part.start(reuse_port=True)
        ready.send_bytes(b"ready")
        ready.close()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _WATCH_WRITER_S)
            if not store.connected:
                log.error("writer_gone")
                status = 3
                break
        await part.close()
    finally:
        store.close()
    return status


def run_child(home: Path, role: str, ready: Connection) -> None:
    """The whole life of a child; leaves the process with its exit status."""
    try:
        settings = load_settings(home)
        logs.set_up(settings.run.log_level, settings.run.log_format, role=role)
        status = asyncio.run(run(home, role, settings, ready))
    except PasserelleError as error:
        log.error("cannot_start", rule=error.rule, reason=error.log)
        status = 2
    sys.exit(status)
