"""How codes reach persons: by e-mail through a relay, by a command for SMS, or into files (demo).

A text holds no health data. Neither it nor the destination is ever logged or shown to other users of the
machine: a command gets both on its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Literal, Protocol

import aiosmtplib
import msgspec

from store import PasserelleError, new_id, write_private
from store.errors import Fault


class SenderError(PasserelleError):
    """A message could not be handed over; the text tells neither what nor to whom."""

    code = 451
    enhanced = "4.4.1"
    fault: Fault = "config"


class CodeSender(Protocol):
    """What brings texts to persons."""

    async def send(self, channel: Literal["email", "sms"], to: str, text_fr: str, text_en: str) -> None:
        """Hand a message over. Raises :class:`SenderError` when nobody took it."""


class FileSender:
    """Writes each message to a file of its own, readable by its owner only. For the demo and for tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, channel: Literal["email", "sms"], to: str, text_fr: str, text_en: str) -> None:
        """Write ``FOLDER/<number>.json`` with channel, destination and texts."""
        said = {"channel": channel, "to": to, "fr": text_fr, "en": text_en}
        await asyncio.to_thread(self._write, msgspec.json.encode(said))

    def _write(self, said: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._folder / f"{new_id()}.json", said)


class SmtpSender:
    """Sends e-mail through one relay.

    :param tls: ``starttls`` (must succeed), ``implicit``, or ``none`` for a relay on the same machine.
    """

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        *,
        tls: Literal["starttls", "implicit", "none"] = "starttls",
        user: str = "",
        password: str = "",
        context: ssl.SSLContext | None = None,
        subject: str = "Votre code / Your code",
        timeout: float = 30.0,  # of the SMTP exchange
    ) -> None:
        self._to = (host, port)
        self._sender = sender
        self._tls = tls
        self._sign_in = (user, password)
        self._context = context
        self._subject = subject
        self._timeout = timeout

    async def send(self, channel: Literal["email", "sms"], to: str, text_fr: str, text_en: str) -> None:
        """Send one message; ``sms`` is refused."""
        if channel != "email":
            raise SenderError("signin.channel", "this sender brings e-mail only")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, self._subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
        message.set_content(f"{text_fr}\n\n{text_en}\n")
        user, password = self._sign_in
        try:
            await aiosmtplib.send(
                message,
                hostname=self._to[0],
                port=self._to[1],
                username=user or None,
                password=password or None,
                use_tls=self._tls == "implicit",
                start_tls=self._tls == "starttls",
                tls_context=self._context,
                timeout=self._timeout,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise SenderError("signin.relay", f"the relay did not take it: {type(error).__name__}") from None


class CommandSender:
    """Starts a command for each message: first line of its standard input the destination, then the text.

    Exit status 0: taken. What it prints is not kept: it might repeat the code.
    """

    def __init__(self, command: Sequence[str], *, seconds: float = 30.0) -> None:
        self._command = list(command)
        self._seconds = seconds

    async def send(self, channel: Literal["email", "sms"], to: str, text_fr: str, text_en: str) -> None:
        """Run the command once."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise SenderError("signin.command", f"does not start: {type(error).__name__}") from None
        try:
            said = f"{to}\n{text_fr}\n{text_en}\n".encode()
            await asyncio.wait_for(process.communicate(said), self._seconds)
        except TimeoutError:
            raise SenderError("signin.command", "did not end in time") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise SenderError("signin.command", f"ended with status {process.returncode}")


class ChannelSender:
    """Chooses by channel."""

    def __init__(self, email: CodeSender | None, sms: CodeSender | None) -> None:
        self._by = {"email": email, "sms": sms}

    async def send(self, channel: Literal["email", "sms"], to: str, text_fr: str, text_en: str) -> None:
        """Hand over to the sender of the channel. Raises :class:`SenderError` where there is none."""
        sender = self._by[channel]
        if sender is None:
            raise SenderError("signin.channel", f"nothing is configured for {channel}")
        await sender.send(channel, to, text_fr, text_en)
