"""What processes and the disk did, read from /proc: CPU seconds, memory, flushes. Linux only."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def tree(roots: Iterable[int]) -> list[int]:
    """The processes ``roots`` and everything they started that still lives."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root for root in roots if Path(f"/proc/{root}").exists()]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.append(pid)
            waiting += children.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)): state, ppid, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@dataclass(frozen=True)
class Usage:
    """At one moment: CPU seconds of a process tree (children that ended included), by process."""

    cpu: float
    by_process: dict[int, float] = field(default_factory=dict)

    def since(self, before: Usage) -> float:
        return self.cpu - before.cpu


def usage(roots: Iterable[int]) -> Usage:
    """CPU seconds (user and system) that the trees of ``roots`` have used until now; 10 ms steps."""
    seconds: dict[int, float] = {}
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            # utime, stime, and cutime, cstime: those of children that ended and were waited for
            seconds[pid] = sum(int(value) for value in _stat(pid)[11:15]) / _TICK
    return Usage(sum(seconds.values()), seconds)


def memory(roots: Iterable[int]) -> float:
    """MiB that the trees hold, shared pages counted once (PSS)."""
    total = 0
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def flushes(folder: Path) -> int | None:
    """How often the disk under ``folder`` was told to flush, by anyone; None when the kernel does not say."""
    device = folder.stat().st_dev
    path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    try:
        return int(path.read_text().split()[15])
    except (OSError, IndexError):
        return None


def commits(database: Path) -> int | None:
    """The number of transactions that the WAL index of an SQLite database has counted, modulo 2**32.

    https://www.sqlite.org/walformat.html §2.1: octets 8 to 11 of the -shm file.
    """
    try:
        with database.with_name(database.name + "-shm").open("rb") as file:
            return int.from_bytes(file.read(12)[8:12], "little")
    except OSError:
        return None


def end_cleanly() -> None:
    """Let SIGTERM end this process as an error would, so that the servers it started are stopped."""

    def end(_number: int, _frame: object) -> None:
        raise SystemExit("ended by SIGTERM")

    signal.signal(signal.SIGTERM, end)


def machine() -> str:
    """One line on where this runs."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"
