"""The writing half of an import: chunks go to the writer while the next lines are read."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import msgspec
from sqlalchemy import Table

from annuaire import ops
from store import Store

#: Rows on their way at once: while a batch is written, the next one is read.
_AHEAD: Final = 100_000
_encode: Final = msgspec.msgpack.Encoder().encode


class Writes:
    """Sends an import's changes; a failure comes out of the next call, or of the end of the ``with``."""

    def __init__(self, store: Store, source: str, number: int, chunk: int) -> None:
        self.number = number
        self._store = store
        self._about = {"source": source, "number": number}
        self._chunk = chunk
        self._thread = ThreadPoolExecutor(1, "annuaire-writes")
        self._sent: deque[Future[None]] = deque()

    def __enter__(self) -> Writes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._sent and kind is None:
                self._sent.popleft().result()
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def add(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """New rows of ``table``, whole and in the order of its columns."""
        for start in range(0, len(rows), self._chunk):
            self._send(ops.load, table=str(table.name), rows=_encode(rows[start : start + self._chunk]))

    def end(self, table: Table, entries: array[int]) -> None:
        """Rows that the file no longer has."""
        for start in range(0, len(entries), self._chunk):
            self._send(ops.end, table=str(table.name), entries=list(entries[start : start + self._chunk]))

    def restate(self, table: Table, lines: list[tuple[int, int]]) -> None:
        """(entry, digest of line) of rows that stand on another line now."""
        for start in range(0, len(lines), self._chunk):
            self._send(ops.restate, table=str(table.name), lines=dict(lines[start : start + self._chunk]))

    def _send(self, operation: Callable[..., None], **arguments: Any) -> None:
        while len(self._sent) * self._chunk >= _AHEAD:
            self._sent.popleft().result()

        def write() -> None:
            self._store.write(operation, **self._about, **arguments)

        self._sent.append(self._thread.submit(write))
