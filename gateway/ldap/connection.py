"""The octets of one connection: whole messages in, joined responses out, StartTLS between.

Reading is bounded: beyond :data:`HIGH_WATER` unread octets the socket is not read. Nothing here knows LDAP
beyond the length of a message.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from gateway.ldap.ber import message_size

HIGH_WATER: Final = 128 * 1024
LINGER: Final = 5.0  # seconds that the last octets of a closed connection may take to leave


class ConnectionClosed(Exception):  # noqa: N818  # a state of the peer, not a fault
    """The peer is gone, or took no octet for too long."""


class Connection(asyncio.Protocol):
    """One client's transport. All methods run in the loop's thread."""

    def __init__(self, write_timeout: float, begin: Callable[[Connection], None]) -> None:
        self._write_timeout = write_timeout
        self._begin: Callable[[Connection], None] | None = begin
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._closed = False
        self._paused = False
        self._linger: asyncio.TimerHandle | None = None
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        begin, self._begin = self._begin, None
        if begin is not None:  # StartTLS calls again
            begin(self)

    def data_received(self, data: bytes) -> None:
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
        self._closed = True
        if self._linger is not None:
            self._linger.cancel()
        self._wake(self._readable)
        self.resume_writing()

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
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(name[0]) if name else ""

    @property
    def encrypted(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is not None

    # -- reading and writing

    async def read_message(self, limit: int) -> bytes:
        """The octets of the next message.

        :raises ConnectionClosed: there is none. :raises MalformedError: no message, or a larger one than
            ``limit``, told by its first octets.
        """
        while True:
            size = message_size(self._buffer, limit)
            if size is not None and len(self._buffer) >= size:
                message = bytes(self._buffer[:size])
                del self._buffer[:size]
                return message
            if self._closed:
                raise ConnectionClosed
            if self._paused and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
            self._readable = asyncio.get_running_loop().create_future()
            try:
                await self._readable
            finally:
                self._readable = None

    async def send(self, octets: bytes) -> None:
        """Write, and wait until the transport's buffer has room.

        :raises ConnectionClosed: the peer is gone or does not read.
        """
        if self._closed or self._transport is None or self._transport.is_closing():
            raise ConnectionClosed
        self._transport.write(octets)
        if self._writable is not None:
            try:
                async with asyncio.timeout(self._write_timeout):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                self.abort()
                raise ConnectionClosed from None

    # -- the connection itself

    async def start_tls(self, context: ssl.SSLContext, patience: float) -> None:
        """Upgrade to TLS. Octets sent before the handshake end the connection; they are never interpreted.

        :raises ConnectionClosed: there were such octets, or the handshake fails.
        """
        if self._transport is None or self._buffer:
            self.abort()
            raise ConnectionClosed
        loop = asyncio.get_running_loop()
        try:
            upgraded = await loop.start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=patience
            )
        except (OSError, ssl.SSLError):
            upgraded = None
        if upgraded is None:
            self.abort()
            raise ConnectionClosed
        self._transport = upgraded
        self._paused = False

    def close(self, last: bytes = b"") -> None:
        """Write ``last``, then close; a client that does not read it cannot keep the connection."""
        self._closed = True
        if self._transport is not None and not self._transport.is_closing():
            if last:
                self._transport.write(last)
            self._transport.close()
            self._linger = asyncio.get_running_loop().call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Close at once."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()
