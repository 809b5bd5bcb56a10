"""What making things durable costs here, by itself: commits and disk syncs, nothing else.

``python -m bench.commit [--folder .] [--seconds 2]``
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import figures
from bench.system import machine

_ROW = os.urandom(300)
_BODY = os.urandom(8192)


def _timed(step: Callable[[], None], seconds: float) -> list[float]:
    for _ in range(20):
        step()
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        step()
        took.append(time.perf_counter() - begin)
    return took


def _row(name: str, took: list[float], each: int = 1) -> dict[str, object]:
    return {
        "step": name,
        "steps/s": len(took) / sum(took),
        "messages/s": each * len(took) / sum(took),
        "p50 ms": figures.percentile(took, 0.5) * 1000,
        "p99 ms": figures.percentile(took, 0.99) * 1000,
    }


def measure(folder: Path, seconds: float = 1.0) -> list[dict[str, object]]:
    """Rows for a table: an SQLite commit (WAL, synchronous=FULL), an append with fdatasync, both together.

    The last rows do what the gateway's writer does for a group: sync one body segment that got ``n``
    bodies of 8 KiB, then commit ``n`` rows of 300 octets.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        base = sqlite3.connect(Path(place) / "commit.db", isolation_level=None)
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=FULL")
        base.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, data BLOB)")
        file = os.open(Path(place) / "segment", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def commit(count: int = 1) -> None:
            base.execute("BEGIN IMMEDIATE")
            for _ in range(count):
                base.execute("INSERT INTO row (data) VALUES (?)", (_ROW,))
            base.execute("COMMIT")

        def append(count: int = 1) -> None:
            for _ in range(count):
                os.write(file, _BODY)
            os.fdatasync(file)

        def both(count: int) -> Callable[[], None]:
            def group() -> None:
                append(count)
                commit(count)

            return group

        try:
            rows = [
                _row("SQLite commit, 1 row", _timed(commit, seconds)),
                _row("append 8 KiB + fdatasync", _timed(append, seconds)),
            ]
            rows += [
                _row(f"both, group of {count}", _timed(both(count), seconds), count)
                for count in (1, 4, 16, 64)
            ]
        finally:
            os.close(file)
            base.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--seconds", type=float, default=2.0, help="for each step")
    options = parser.parse_args()
    print(machine())
    print(figures.table(measure(options.folder, options.seconds)))


if __name__ == "__main__":
    main()
