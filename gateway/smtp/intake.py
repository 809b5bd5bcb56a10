"""Takes the content of one message in, piece by piece: sealed spool (which hashes) and index in one pass.

Nothing larger than a piece is held. Work on 64 KiB and more leaves the event loop; smaller messages
are worked on where they are, because a trip to a thread costs more than they do.
"""

from __future__ import annotations

import asyncio

from gateway.message import MessageIndex
from gateway.smtp.ports import IndexerPort
from store import Spool

THREAD_FROM = 64 * 1024


class Intake:
    """One message on its way in.

    :param spool: where the raw bytes go (``store.spool()``).
    :param indexer: ``gateway.message.Indexer()``; sees the same bytes.
    """

    __slots__ = ("_handed_over", "_indexer", "_parts", "_pending", "_spool", "peak", "size")

    def __init__(self, spool: Spool, indexer: IndexerPort) -> None:
        self._spool = spool
        self._handed_over = False
        self._indexer = indexer
        self._parts: list[bytes] = []
        self._pending = 0
        self.size = 0
        self.peak = 0  # most bytes ever held here at once; the bound that the tests keep

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Gathers small pieces, so that compression and hashing see large ones."""
        if not chunk:
            return
        self._parts.append(chunk)
        self._pending += len(chunk)
        self.size += len(chunk)
        self.peak = max(self.peak, self._pending)
        if self._pending >= THREAD_FROM:
            work = asyncio.ensure_future(asyncio.to_thread(self._work, self._take()))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                # The connection is gone; the thread is not, and the spool is discarded after it.
                await asyncio.wait([work])
                raise

    async def close(self) -> MessageIndex:
        """All bytes are here: work off what is left and give the finished index."""
        if self.size >= THREAD_FROM:
            return await asyncio.to_thread(self._finish)
        return self._finish()

    def hand_over(self) -> Spool:
        """The spool, which is the caller's from now on."""
        self._handed_over = True
        return self._spool

    def discard(self) -> None:
        """Forget the content, unless it was handed over."""
        if not self._handed_over:
            self._parts.clear()
            self._pending = 0
            self._spool.discard()

    def _finish(self) -> MessageIndex:
        if self._pending:
            self._work(self._take())
        return self._indexer.close()

    def _take(self) -> bytes:
        data = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
        self._parts.clear()
        self._pending = 0
        return data

    def _work(self, data: bytes) -> None:
        self._spool.write(data)
        self._indexer.feed(data)
