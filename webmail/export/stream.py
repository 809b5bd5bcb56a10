"""A file that is sent while it is made: written in a thread, read by the event loop, little of it in memory.

Nothing of it reaches a disk. When the reader goes away, or takes too long, the writer stops.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, BinaryIO, Final, cast

#: Octets of one piece, and pieces that wait at most.
PIECE: Final = 256 * 1024
WAITING: Final = 8
#: Seconds for which the writer waits for a reader who takes nothing.
PATIENCE: Final = 60.0


class Gone(OSError):  # noqa: N818  # what a pipe says when nobody reads any more
    """Nobody reads any more."""


class Pipe(io.RawIOBase):
    """Where the thread writes; not seekable. Its pieces come out of :meth:`pieces`."""

    def __init__(self, patience: float = PATIENCE) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._held = bytearray()
        self._gone = threading.Event()
        self._patience = patience

    def writable(self) -> bool:
        """It takes octets, and gives none."""
        return True

    def write(self, data: Any, /) -> int:
        """Take octets; waits while the reader is behind. Raises :class:`Gone`."""
        given = memoryview(data).cast("B")
        self._held += given
        while len(self._held) >= PIECE:
            self._put(bytes(self._held[:PIECE]))
            del self._held[:PIECE]
        return len(given)

    def finish(self) -> None:
        """Send what is left, and the end."""
        if self._held:
            self._put(bytes(self._held))
            self._held.clear()
        self._put(None)

    def _put(self, piece: bytes | None) -> None:
        if self._gone.is_set():
            raise Gone("the reader is gone")
        waiting = asyncio.run_coroutine_threadsafe(self._queue.put(piece), self._loop)
        try:
            waiting.result(self._patience)
        except TimeoutError:
            waiting.cancel()
            self.leave()
            raise Gone("the reader takes nothing") from None

    def leave(self) -> None:
        """The reader goes: whatever is written from now on is refused."""
        self._gone.set()

    def drain(self) -> None:
        """Let a writer that waits go on, so that it sees that nobody reads (of the event loop)."""
        while not self._queue.empty():
            self._queue.get_nowait()

    async def next(self) -> bytes | None:
        """The next piece, None at the end."""
        return await self._queue.get()


async def sending(
    make: Callable[[BinaryIO], object], *, done: Callable[[], None], patience: float = PATIENCE
) -> AsyncGenerator[bytes, None]:
    """Start making, in a thread of its own; the pieces, of which the first is there already.

    :param make: writes the file; it may block.
    :param done: called when it ended, whole or not, whether or not anybody reads.

    Raises what the maker raises before its first piece. Later, the pieces end with that error, so that
    whoever receives them sees that they are not all.
    """
    pipe = Pipe(patience)

    def work() -> None:
        make(cast(BinaryIO, pipe))
        pipe.finish()

    # Not a thread of the store: its readers are few, and a phone may take minutes.
    making = asyncio.ensure_future(asyncio.to_thread(work))

    def ended(task: asyncio.Future[None]) -> None:
        done()
        if not task.cancelled():
            task.exception()  # seen, though nobody may read it

    making.add_done_callback(ended)
    reading = asyncio.ensure_future(pipe.next())
    await _either(making, reading)
    if not reading.done() and making.done() and making.exception() is not None:
        reading.cancel()
        making.result()
    return _pieces(pipe, making, reading)


async def _pieces(
    pipe: Pipe, making: asyncio.Future[None], reading: asyncio.Future[bytes | None]
) -> AsyncGenerator[bytes, None]:
    try:
        while True:
            await _either(making, reading)
            if not reading.done() and making.exception() is not None:
                making.result()
            piece = await reading
            if piece is None:
                await making
                return
            yield piece
            reading = asyncio.ensure_future(pipe.next())
    finally:
        pipe.leave()
        reading.cancel()
        while not making.done():
            pipe.drain()
            await asyncio.wait({making}, timeout=0.05)


async def _either(making: asyncio.Future[None], reading: asyncio.Future[bytes | None]) -> None:
    both: set[asyncio.Future[Any]] = {making, reading}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
