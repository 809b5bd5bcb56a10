"""One child process of the supervisor: ``python -m gateway.worker HOME ROLE``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import structlog

import gateway.rooms  # noqa: F401  # every operation and table
from gateway import logs
from gateway.server import Back, Front
from gateway.settings import Settings, load_settings
from store import PasserelleError, Store

log = structlog.get_logger("worker")

_WATCH_WRITER_S = 0.2


async def run(home: Path, role: str, settings: Settings) -> int:
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
        print("ready", flush=True)
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


def main() -> int:
    home, role = Path(sys.argv[1]), sys.argv[2]
    try:
        settings = load_settings(home)
        logs.set_up(settings.run.log_level, settings.run.log_format, role=role)
        return asyncio.run(run(home, role, settings))
    except PasserelleError as error:
        log.error("cannot_start", rule=error.rule, reason=error.log)
        return 2


if __name__ == "__main__":
    sys.exit(main())
