"""The processes of a running gateway.

The parent holds the store's writer and starts the others: ``front`` processes serve the ports (they
share them by SO_REUSEPORT), one ``back`` process works off the queues. A child that dies is started
again; when the parent dies, its children see the writer go away and end too, so nothing half-alive
stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import multiprocessing
import os
import signal
import time
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from gateway.settings import Settings
from gateway.worker import run_child
from store import Store, StoreError

log = structlog.get_logger("supervisor")

_RESTART_AFTER_S = 0.2
_RESTART_AT_MOST_S = 10.0
_STEADY_AFTER_S = 30.0
_GRACE_S = 20.0

# Children are forked from a small server process that has imported everything once and runs no thread:
# a restart takes milliseconds, and no lock of the writer's threads is ever copied.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["gateway.worker"])


class Supervisor:
    """Runs the children of one home until told to stop."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self._home = home
        fronts = settings.run.fronts or min(os.cpu_count() or 1, 4)
        self._roles = [f"front-{number}" for number in range(1, fronts + 1)] + ["back"]
        self.failed = ""  # the process that ended before it ever served
        self._stop = asyncio.Event()
        self._serving: dict[str, int] = {}  # role -> its process, since it serves
        self._ready: dict[str, asyncio.Event] = {role: asyncio.Event() for role in self._roles}

    def stop(self) -> None:
        self._stop.set()

    def reload(self) -> None:
        """Have every process read certificates, keys and trust again; no session is lost."""
        log.info("reload", processes=len(self._serving))
        for pid in self._serving.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)

    async def ready(self) -> None:
        """Returns when every child serves."""
        await asyncio.gather(*(event.wait() for event in self._ready.values()))

    async def run(self) -> None:
        """Keep the children alive; on :meth:`stop` end them gracefully and return."""
        await asyncio.gather(*(self._keep(role) for role in self._roles))

    async def _keep(self, role: str) -> None:
        pause = _RESTART_AFTER_S
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            began = loop.time()
            status = await self._one_life(role)
            if self._stop.is_set():
                return
            if not self._ready[role].is_set():  # what cannot start does not start: no use in trying again
                self.failed = role
                self.stop()
                return
            if loop.time() - began > _STEADY_AFTER_S:
                pause = _RESTART_AFTER_S
            log.error("process_ended", process=role, status=status, restart_in=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(pause * 2, _RESTART_AT_MOST_S)

    async def _one_life(self, role: str) -> int | None:
        """Start a child and wait for its end, or end it when told to stop; returns its exit status."""
        loop = asyncio.get_running_loop()
        ours, its = _context.Pipe(duplex=False)
        child = _context.Process(target=run_child, args=(self._home, role, its), name=role)
        try:
            await asyncio.to_thread(child.start)  # the first one waits for the fork server's imports
        except (OSError, EOFError) as error:  # the fork server died under it; the next start makes a new one
            log.error("cannot_fork", process=role, error=type(error).__name__)
            ours.close()
            return None
        finally:
            its.close()
        ended = asyncio.Event()
        loop.add_reader(child.sentinel, ended.set)
        loop.add_reader(ours.fileno(), self._heard, role, ours, child.pid)
        stopping = asyncio.create_task(self._stop.wait())
        ending = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.is_set():
                child.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(ending), _GRACE_S)
                if not ended.is_set():
                    log.error("process_killed", process=role)
                    child.kill()
                    await ending
        finally:
            stopping.cancel()
            ending.cancel()
            self._serving.pop(role, None)
            loop.remove_reader(child.sentinel)
            loop.remove_reader(ours.fileno())
            ours.close()
        child.join()
        return child.exitcode

    def _heard(self, role: str, pipe: Connection, pid: int | None) -> None:
        """The child said that it serves, or its end of the pipe was closed."""
        asyncio.get_running_loop().remove_reader(pipe.fileno())
        with contextlib.suppress(EOFError, OSError):
            pipe.recv_bytes()
            if pid is not None:
                self._serving[role] = pid
            self._ready[role].set()


def open_writer(home: Path, settings: Settings, patience: float = 5.0) -> Store:
    """Open the store as its writer; waits ``patience`` seconds for a verb that holds it. Blocking.

    :raises StoreError: ``store.writer``: another process serves this home.
    """
    deadline = time.monotonic() + patience
    while True:
        store = Store.open(home, url=settings.run.database)
        if store.is_writer:
            return store
        store.close()
        if time.monotonic() > deadline:
            raise StoreError("store.writer", "another process serves this home already")
        time.sleep(0.1)


def ask_to_reload(home: Path) -> None:
    """Send SIGHUP to the supervisor that serves ``home``, and to nobody who bears its number since.

    :raises StoreError: ``gateway.running``: nobody serves it.
    """
    try:
        descriptor = os.open(home / "run" / "serve.pid", os.O_RDONLY)
    except OSError:
        raise _not_served() from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # it lives
        os.kill(int(os.read(descriptor, 32)), signal.SIGHUP)
    else:
        raise _not_served()
    finally:
        os.close(descriptor)


def _not_served() -> StoreError:
    return StoreError("gateway.running", "no gateway serves this home", fault="config")


async def serve(home: Path, settings: Settings, store: Store) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP has certificates read again.

    ``store`` must be the writer: opened before any child starts.

    :raises StoreError: ``gateway.start``: a process ended before it ever served.
    """
    supervisor = Supervisor(home, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    # A SIGHUP to the whole process group must not end the fork server, and the children with it: what is
    # ignored when it starts stays ignored there; each child sets its own handler.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    await asyncio.to_thread(forkserver.ensure_running)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    pid_file = home / "run" / "serve.pid"
    pid_file.write_text(f"{os.getpid()}\n")
    alive = os.open(pid_file, os.O_RDONLY)
    fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go when we end, however: see ask_to_reload
    running = asyncio.create_task(supervisor.run())
    ready = asyncio.create_task(supervisor.ready())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            log.info("serving", hostname=settings.gateway.hostname, recovered=store.recovered)
            (home / "run" / "ready").touch()
        await running
        if supervisor.failed:
            raise StoreError(
                "gateway.start", f"{supervisor.failed} cannot start: see the log", fault="config"
            )
    finally:
        ready.cancel()
        os.close(alive)
        pid_file.unlink(missing_ok=True)
        (home / "run" / "ready").unlink(missing_ok=True)
