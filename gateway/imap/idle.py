"""IDLE (RFC 2177): what is committed is told as soon as its notice comes."""

from __future__ import annotations

import asyncio

from gateway.imap.commands import Bare
from gateway.imap.connection import LineTooLong
from gateway.imap.context import Context
from gateway.imap.errors import BadError, ByeError


async def idle(context: Context, command: Bare) -> None:
    """Runs until DONE. A folder is also looked at now and then, in case a notice was lost."""
    connection, limits = context.connection, context.limits
    await context.sync()
    connection.write(b"+ idling\r\n")
    context.announce(expunge=True)
    await connection.flush()
    loop = asyncio.get_running_loop()
    started = last_word = loop.time()
    reading = asyncio.ensure_future(connection.read_line(limits.line_before_login))
    try:
        while True:
            waiting = asyncio.ensure_future(context.changed.wait())
            try:
                await asyncio.wait(
                    {reading, waiting}, timeout=limits.idle_poll, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                waiting.cancel()
            if reading.done():
                break
            if loop.time() - started > limits.idle_timeout:
                raise ByeError("Idle for too long")
            await context.sync()
            before = connection.bytes_out
            context.announce(expunge=True)
            if loop.time() - last_word > limits.idle_keepalive:
                context.untagged("OK Still here")
            await connection.flush()
            if connection.bytes_out != before:
                last_word = loop.time()
        try:
            line = reading.result()
        except LineTooLong:
            raise ByeError("A line is too long") from None
    finally:
        reading.cancel()
        await asyncio.wait({reading})  # its end is ours to see, whatever it is
        if not reading.cancelled():
            reading.exception()
    if line.removesuffix(b"\r").upper() != b"DONE":
        raise BadError("Expected DONE")
    await context.sync()
    context.announce(expunge=True)
    context.ok(command.tag, "Idle is over")
