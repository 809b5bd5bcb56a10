"""The octets of one connection: lines and literals in, joined responses out.

Nothing here knows IMAP beyond CRLF. Reading is bounded: beyond :data:`HIGH_WATER` unread octets the
socket is not read, so a client that pipelines faster than it is served waits in TCP. Writing is
joined: responses gather in memory and leave in one write at :meth:`Connection.flush`, which waits
while the client is slow.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, cast

HIGH_WATER: Final = 256 * 1024
LINGER: Final = 30.0
"""Seconds that the last octets of a closed connection may take to leave."""
FLUSH_AT: Final = 128 * 1024
"""Gathered octets from which :attr:`Connection.full` asks for a flush."""


class ConnectionClosed(Exception):  # noqa: N818  # a state of the peer, not a fault
    """The peer is gone, or took no octet for too long."""


class LineTooLong(Exception):  # noqa: N818
    """A line is longer than allowed; the rest of the stream cannot be trusted."""


class Connection(asyncio.Protocol):
    """One client's transport. All methods run in the loop's thread."""

    def __init__(self, write_timeout: float) -> None:
        self._write_timeout = write_timeout
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._out_size = 0
        self._closed = False
        self._linger: asyncio.TimerHandle | None = None
        self._lost = False
        self._paused = False
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self.bytes_in = 0
        self.bytes_out = 0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=512 * 1024, low=128 * 1024)

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        self._buffer += data
        if len(self._buffer) > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake(self._readable)

    def eof_received(self) -> bool:
        self._closed = True
        self._wake(self._readable)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = self._lost = True
        if self._linger is not None:  # it would keep the connection's buffers for its whole time
            self._linger.cancel()
        self._wake(self._readable)
        self._wake(self._writable)
        self._writable = None

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._wake(self._writable)
        self._writable = None

    @staticmethod
    def _wake(future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)

    # -- what the peer is

    @property
    def peer(self) -> str:
        """The client's address, empty once unknown."""
        if self._transport is None:
            return ""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if name else ""

    @property
    def encrypted(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    @property
    def closed(self) -> bool:
        return self._closed

    # -- reading

    async def _wait_readable(self) -> None:
        if self._closed:
            raise ConnectionClosed
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        loop = asyncio.get_running_loop()
        self._readable = loop.create_future()
        try:
            await self._readable
        finally:
            self._readable = None

    def has_line(self) -> bool:
        """A complete line waits: the client pipelines, its answers may travel together."""
        return b"\n" in self._buffer

    async def read_line(self, limit: int) -> bytes:
        """A line without its LF, at most ``limit`` octets; the CR, if any, is left at its end."""
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched)
            if end > limit or (end < 0 and len(self._buffer) > limit):
                raise LineTooLong
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line
            searched = len(self._buffer)
            await self._wait_readable()

    async def read_some(self, limit: int) -> bytes:
        """Between 1 and ``limit`` octets, what there is."""
        while not self._buffer:
            await self._wait_readable()
        if len(self._buffer) <= limit:
            chunk = bytes(self._buffer)
            self._buffer.clear()
        else:
            chunk = bytes(self._buffer[:limit])
            del self._buffer[:limit]
        return chunk

    async def read_exactly(self, size: int) -> bytes:
        """``size`` octets; the caller has checked the size against its limit."""
        out = bytearray()
        while len(out) < size:
            out += await self.read_some(size - len(out))
        return bytes(out)

    async def discard(self, size: int) -> None:
        """Read and forget ``size`` octets, in bounded memory."""
        while size:
            size -= len(await self.read_some(min(size, 64 * 1024)))

    # -- writing

    def write(self, octets: bytes) -> None:
        """Gather ``octets``; they leave at the next flush."""
        self._out.append(octets)
        self._out_size += len(octets)

    @property
    def full(self) -> bool:
        return self._out_size >= FLUSH_AT

    def push(self) -> None:
        """Hand what is gathered to the transport without waiting for the client."""
        if self._out and self._transport is not None and not self._transport.is_closing():
            joined = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self.bytes_out += len(joined)
            self._transport.write(joined)
        self._out.clear()
        self._out_size = 0

    async def flush(self) -> None:
        """Send what is gathered and wait until the transport's buffer has room.

        Raises :class:`ConnectionClosed` when the peer is gone or does not read.
        """
        self.push()
        if self._closed or self._transport is None or self._transport.is_closing():
            raise ConnectionClosed
        if self._writable is not None:
            try:
                async with asyncio.timeout(self._write_timeout):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                self.abort()
                raise ConnectionClosed from None

    # -- the connection itself

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Upgrade to TLS. Octets sent before the handshake are refused, never interpreted.

        Raises :class:`ConnectionClosed` when there were such octets or the handshake fails.
        """
        if self._transport is None or self._buffer:  # command injection before TLS (RFC 9051 §6.2.1)
            self.abort()
            raise ConnectionClosed
        loop = asyncio.get_running_loop()
        try:
            upgraded = await loop.start_tls(self._transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            self.abort()
            raise ConnectionClosed from None
        if upgraded is None:
            raise ConnectionClosed
        self._transport = upgraded
        self._paused = False

    def close(self) -> None:
        """Send what is gathered and close."""
        self.push()
        if self._transport is not None and not self._lost:
            self._transport.close()
            # A client that does not read what is left cannot keep the connection.
            self._linger = asyncio.get_running_loop().call_later(LINGER, self._abort_unless_lost)

    def _abort_unless_lost(self) -> None:
        if not self._lost:
            self.abort()

    def abort(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.abort()
