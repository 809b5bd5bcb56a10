"""The bytes of one session: command lines in, replies out, pieces of content, timers, hanging up.

A subclass of aiosmtpd's ``SMTP``, which keeps the life of the connection and STARTTLS. Owned here,
because it is hot or because the stock one is lax:

- A command ends with CRLF and nothing else; a bare CR, LF or a NUL ends the session.
- Replies are gathered and written together when the next command is not here yet (RFC 2920 §3.2).
- What arrives after a command waits in one buffer, whatever reads it next, and is thrown away when
  TLS starts (RFC 3207 §4.2; CVE-2011-0411).
- The stock constructor inspects its own methods for each connection, 0.6 ms; this one does not.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP

from gateway.smtp.dotreader import BareLineEndError
from gateway.smtp.ports import Limits

log = structlog.get_logger("smtp")

READ_SIZE: Final = 256 * 1024
MAX_LINE: Final = 12_290  # RFC 4954 §4: an AUTH line of 12288 octets and its CRLF
_FLUSH_AT: Final = 32 * 1024
_DISCARD_MAX: Final = 1024 * 1024


class HangUpError(Exception):
    """The session is over; what had to be said has been said."""


class LineTooLongError(Exception):
    """A command line longer than any command may be; it has been skipped."""


class Wire(SMTP):
    """Input, output and timers of one connection."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hostname: str, context: ssl.SSLContext | None, limits: Limits
    ) -> None:
        asyncio.StreamReaderProtocol.__init__(
            self,
            asyncio.StreamReader(limit=READ_SIZE, loop=loop),
            client_connected_cb=self._cb_client_connected,
            loop=loop,
        )
        # What aiosmtpd's life-cycle methods use; see the module's text for why its __init__ is not.
        self.loop = loop
        self.hostname = hostname
        self.tls_context = context
        self.session = None
        self.envelope = None
        self.transport = None
        self._timeout_duration = limits.command_timeout
        self._timeout_handle = None
        self._tls_handshake_okay = True
        self._tls_protocol = None
        self._original_transport = None
        self._handler_coroutine = None
        self._handle_hooks = {}
        self.limits = limits
        self._in = bytearray()
        self._out = bytearray()
        self._stopping = False

    # -- output

    def reply(self, code: int, enhanced: str, text: str) -> None:
        """Queue a one-line reply with its enhanced status code (RFC 2034)."""
        self.reply_line(f"{code} {enhanced} {text}")

    def reply_line(self, line: str) -> None:
        """Queue a reply line as it is; anything but printable ASCII becomes ``?``."""
        if not (line.isascii() and line.isprintable()):
            line = "".join(char if " " <= char <= "~" else "?" for char in line)
        self._out += line[:510].encode("ascii") + b"\r\n"  # RFC 5321 §4.5.3.1.5

    async def push(self, status: str | bytes) -> None:
        """Reply now (used by aiosmtpd's STARTTLS)."""
        self.reply_line(status if isinstance(status, str) else status.decode("ascii"))
        await self.flush()

    async def flush(self) -> None:
        """Write the queued replies; waits while the client does not read them."""
        if not self._out:
            return
        if self.transport is None:
            raise HangUpError
        data = bytes(self._out)
        self._out.clear()
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size():
            self._reset_timeout(self.limits.command_timeout)
            await self._writer.drain()
            self._stop_timer()

    # -- input

    async def _fill(self, patience: float) -> None:
        """Wait for input, replies first. Raises :class:`HangUpError` at its end."""
        await self.flush()
        if self._stopping:
            await self.hang_up("421 4.3.2 service shutting down")
        self._reset_timeout(patience)
        data = await self._reader.read(READ_SIZE)
        self._stop_timer()
        if not data:
            raise HangUpError
        self._in += data

    async def read_line(self) -> bytes:
        """The next command line without its CRLF.

        :raises BareLineEndError: a CR, LF or NUL where none may be (RFC 5321 §2.3.8).
        :raises LineTooLongError: longer than 12 KiB; the line is gone.
        """
        scanned = dropped = 0
        while True:
            at = self._in.find(b"\n", scanned)
            if at >= 0:
                if at == 0 or self._in[at - 1] != 0x0D:
                    raise BareLineEndError("command")
                line = bytes(self._in[: at - 1])
                del self._in[: at + 1]
                if dropped or len(line) > MAX_LINE:
                    raise LineTooLongError
                if b"\r" in line or b"\0" in line:
                    raise BareLineEndError("command")
                if len(self._out) > _FLUSH_AT:
                    await self.flush()
                return line
            scanned = len(self._in)
            if scanned > MAX_LINE:
                dropped += scanned - 1
                if dropped > _DISCARD_MAX:
                    await self.hang_up("500 5.5.2 line too long")
                del self._in[:-1]  # the last octet may be the CR of the CRLF
                scanned = 1
            await self._fill(self.limits.command_timeout)

    async def read_some(self, limit: int, patience: float) -> bytes:
        """Between 1 and ``limit`` octets of content, as they come."""
        if not self._in:
            await self._fill(patience)
        if len(self._in) <= limit:
            data = bytes(self._in)
            self._in.clear()
        else:
            data = bytes(self._in[:limit])
            del self._in[:limit]
        return data

    def unread(self, data: bytes) -> None:
        """Give back octets that follow what was read."""
        self._in[:0] = data

    @property
    def input_waiting(self) -> bool:
        return bool(self._in)

    # -- the end

    async def hang_up(self, last: str = "") -> None:
        """Say ``last``, let it arrive, close. Always raises :class:`HangUpError`.

        A socket that is closed with unread input resets the connection and may take the reply with it:
        so what still arrives is read and thrown away for a short while.
        """
        self._in.clear()
        if last:
            self.reply_line(last)
        if self.transport is not None:
            try:
                async with asyncio.timeout(self.limits.linger):
                    await self.flush()
                    if self._writer.can_write_eof():
                        self._writer.write_eof()
                    while await self._reader.read(READ_SIZE):
                        pass
            except (TimeoutError, OSError):
                log.debug("linger_ended")
        raise HangUpError

    def stop(self) -> None:
        """The server closes: an idle session is told and ends, a busy one ends after its command."""
        self._stopping = True
        if self._timeout_handle is not None and not self._timeout_handle.cancelled():
            self._say_and_close("421 4.3.2 service shutting down")

    def abort(self) -> None:
        """Cut the connection now."""
        if self.transport is not None:
            self._writer.transport.abort()

    @property
    def ended(self) -> asyncio.Task[None]:
        """Done when the session's loop is over."""
        assert self._handler_coroutine is not None
        return self._handler_coroutine

    def _say_and_close(self, line: str) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._writer.write(bytes(self._out) + line.encode("ascii") + b"\r\n")
            self._out.clear()
            self.transport.close()

    # -- aiosmtpd's life cycle

    def _stop_timer(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    def _timeout_cb(self) -> None:
        # RFC 5321 §3.8: a server that times out should say 421 before it closes.
        self._say_and_close("421 4.4.2 idle for too long")

    def eof_received(self) -> bool:
        """The client sent all it had. What is here is still served, then the session ends."""
        self._reader.feed_eof()
        # An SSL transport closes at EOF whatever is answered, and warns about True.
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._in.clear()  # RFC 3207 §4.2: nothing said before TLS counts
        super().connection_made(transport)
