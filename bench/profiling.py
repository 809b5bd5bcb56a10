"""Where the CPU goes for each accepted message: cProfile of a front and of the writer's thread.

``python -m bench.profiling [--mix small] [--count 2000] [--lines 30] [--by tottime|cumulative]``

One process is the front with the writer embedded; the generator is another. cProfile makes Python calls
dearer than they are, so its figures tell the order, not the size; the CPU per message without profile is
measured first and printed. Threads of the readers' pool (look-ups, sealing) are profiled as the third part.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import functools
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

import gateway.rooms  # noqa: F401  # every operation and table
from bench import scene
from bench.apart import Errand, Generator, generator
from bench.messages import MIXES
from gateway import logs
from gateway.server import Front
from gateway.settings import load_settings
from store import Store


class Profiles:
    """A profile for each kind of thread; :attr:`on` starts and stops all of them."""

    def __init__(self) -> None:
        self.loop = cProfile.Profile(time.thread_time)
        self.others: dict[str, list[cProfile.Profile]] = {}
        self.on = False

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` with each call profiled under ``name``, by thread."""
        local = threading.local()

        @functools.wraps(function)
        def profiled(*args: Any, **kwargs: Any) -> Any:
            if not self.on:
                return function(*args, **kwargs)
            profile = getattr(local, "profile", None)
            if profile is None:
                profile = local.profile = cProfile.Profile(time.thread_time)
                self.others.setdefault(name, []).append(profile)
            profile.enable()
            try:
                return function(*args, **kwargs)
            finally:
                profile.disable()

        return profiled

    def stats(self) -> dict[str, pstats.Stats]:
        """A thread that never ran has none."""
        found = {"front (event loop)": pstats.Stats(self.loop)}
        for name, profiles in self.others.items():
            stats = pstats.Stats(profiles[0])
            for profile in profiles[1:]:
                stats.add(profile)
            found[name] = stats
        return found


async def profile(prepared: scene.Scene, load: Generator, errand: Errand) -> dict[str, pstats.Stats]:
    """Serve three rounds of the generator: warm-up, plain, with profiles."""
    settings = load_settings(prepared.home)
    profiles = Profiles()
    with Store.open(prepared.home) as store:
        writer = store._channel._writer  # type: ignore[union-attr]  # embedded: this store is the writer
        writer._run_group = profiles.around("writer", writer._run_group)
        for name in ("aread", "in_thread"):
            setattr(store, name, _profiled(profiles, getattr(store, name)))
        front = Front(prepared.home, settings, store)
        await front.start()
        try:
            for profiled in (False, False, True):
                cpu, groups, jobs = time.process_time(), writer.groups, writer.jobs
                profiles.on = profiled
                if profiled:
                    profiles.loop.enable()
                sent = await asyncio.to_thread(load.send, errand)
                if profiled:
                    profiles.loop.disable()
                profiles.on = False
                used = time.process_time() - cpu
                took, count = sent.last - sent.began, errand.count
                print(
                    f"{'profiled' if profiled else 'plain':9}{count / took:7.0f} messages/s, "
                    f"{used / count * 1000:.2f} ms of CPU each, "
                    f"{(writer.jobs - jobs) / (writer.groups - groups):.1f} jobs in a commit"
                )
                if complaint := await asyncio.to_thread(load.complaint):
                    raise SystemExit(complaint)
        finally:
            await front.close()
    return profiles.stats()


def _profiled(profiles: Profiles, run: Callable[..., Any]) -> Callable[..., Any]:
    """``Store.aread`` or ``in_thread``, with the function that they run in a thread under a profile."""

    def called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        chosen = profiles.around("readers' threads", function) if profiles.on else function
        return run(chosen, *args, **kwargs)

    return called


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mix", choices=sorted(MIXES), default="small")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--by", choices=("tottime", "cumulative"), default="tottime")
    parser.add_argument("--log-level", default="info")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with (folder / "serve.log").open("w") as log:
            logs.set_up(options.log_level, role="front")
            structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
            prepared = scene.prepare(folder, 200, y="none", fronts=1)
            target = prepared.target(0)
            errand = Errand(target, options.mix, options.count, options.connections, check=True)
            with generator() as load:  # forked before this process has threads
                found = asyncio.run(profile(prepared, load, errand))
    for part, stats in found.items():
        total = sum(entry[2] for entry in stats.stats.values())  # type: ignore[attr-defined]
        print(f"\n== {part}: {total / options.count * 1000:.2f} ms of CPU each, with the profile's own cost")
        stats.stream = sys.stdout  # type: ignore[attr-defined]
        stats.sort_stats(options.by).print_stats(options.lines)


if __name__ == "__main__":
    main()
