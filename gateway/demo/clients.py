"""The clients of the demonstration: aiosmtplib to send, aioimaplib to read, httpx for HTTPS. None is ours."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosmtplib

from gateway.demo.letters import Letter
from gateway.demo.scene import Party, Scene
from store import StoreError

try:
    from aioimaplib import aioimaplib
except ImportError:  # GPL-3.0-only: an extra, see pyproject.toml
    aioimaplib = None

PATIENCE_S = 15.0
LOOK_AGAIN_S = 1.0


class Refused(Exception):  # noqa: N818  # an answer of the server, not a failure of ours
    """The server's refusal: its reply line."""


def trusting(scene: Scene, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """A client's context: the demonstration's authorities, and its certificate and key if any."""
    context = ssl.create_default_context()
    for path in sorted((scene.root / "pki" / "trust").glob("*/*.pem")):
        if path.parent.name != "crls":
            context.load_verify_locations(path)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


async def submit(
    scene: Scene,
    party: Party,
    letter: Letter,
    *,
    certificate: str = "",
    user: str = "",
) -> str:
    """Send by submission, signed in by certificate (SASL EXTERNAL) or by the app password of ``user``.

    Returns the server's last reply. :raises Refused: with the reply that refused.
    """
    host, port = scene.port(party, "submission")
    pair = scene.pki.paths(certificate) if certificate else None
    client = aiosmtplib.SMTP(
        hostname=host, port=port, use_tls=True, tls_context=trusting(scene, pair), timeout=PATIENCE_S
    )
    async with client:
        if certificate:
            await client.ehlo()
            reply = await client.execute_command(b"AUTH", b"EXTERNAL", b"=")
            if reply.code != 235:
                raise Refused(f"{reply.code} {reply.message}")
        else:
            await client.login(user, scene.passwords[user])
        return await _send(client, letter)


async def bring(scene: Scene, certificate: str, letter: Letter) -> str:
    """Send as an operator does: STARTTLS with ``certificate`` to Passerelle's operators' port."""
    host, port = scene.port("passerelle", "operators")
    client = aiosmtplib.SMTP(
        hostname=host,
        port=port,
        start_tls=True,
        tls_context=trusting(scene, scene.pki.paths(certificate)),
        timeout=PATIENCE_S,
    )
    async with client:
        return await _send(client, letter)


async def _send(client: aiosmtplib.SMTP, letter: Letter) -> str:
    try:
        await client.mail(letter.mail_from, options=["BODY=8BITMIME"])
        await client.rcpt(letter.to, options=["NOTIFY=FAILURE,SUCCESS"])
        reply = await client.data(letter.raw)
    except aiosmtplib.SMTPResponseException as error:
        raise Refused(f"{error.code} {error.message}") from None
    return f"{reply.code} {reply.message}"


class Mailbox:
    """One signed-in IMAP session of aioimaplib, its INBOX selected."""

    def __init__(self, imap: Any) -> None:
        self._imap = imap

    async def uids(self) -> list[int]:
        await self._imap.noop()
        answer = await self._imap.uid_search("ALL")
        return [int(uid) for uid in answer.lines[0].split()]

    async def raw(self, uid: int) -> bytes:
        answer = await self._imap.uid("fetch", str(uid), "(BODY.PEEK[])")
        return max((bytes(line) for line in answer.lines if isinstance(line, (bytes, bytearray))), key=len)

    async def envelope(self, uid: int) -> bytes:
        answer = await self._imap.uid("fetch", str(uid), "(ENVELOPE BODYSTRUCTURE)")
        return b" ".join(bytes(line) for line in answer.lines)

    async def wait_for(self, wanted: str) -> bytes:
        """The first message that holds ``wanted``, waiting by IDLE for it to arrive.

        :raises StoreError: it did not come in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        seen: set[int] = set()
        while loop.time() < deadline:
            for uid in await self.uids():
                if uid not in seen:
                    seen.add(uid)
                    raw = await self.raw(uid)
                    if wanted.encode() in raw:
                        return raw
            idle = await self._imap.idle_start(timeout=deadline - loop.time())
            with contextlib.suppress(asyncio.TimeoutError):
                # what arrived while a message was fetched was told then: IDLE does not tell it again
                await asyncio.wait_for(self._imap.wait_server_push(), LOOK_AGAIN_S)
            self._imap.idle_done()
            await asyncio.wait_for(idle, PATIENCE_S)
        raise StoreError("demo.arrival", "the message did not arrive in time")


@contextlib.asynccontextmanager
async def mailbox(scene: Scene, party: Party, address: str) -> AsyncIterator[Mailbox]:
    """Sign in over IMAP with the app password of ``address``."""
    if aioimaplib is None:
        raise StoreError("demo.extra", "aioimaplib is missing: pip install passerelle[demo]", fault="config")
    host, port = scene.port(party, "imap")
    imap = aioimaplib.IMAP4_SSL(host=host, port=port, timeout=PATIENCE_S, ssl_context=trusting(scene))
    await imap.wait_hello_from_server()
    answer = await imap.login(address, scene.passwords[address])
    if answer.result != "OK":
        raise Refused(str(answer.lines))
    await imap.select("INBOX")
    try:
        yield Mailbox(imap)
    finally:
        await imap.logout()


def same_bytes(letter: Letter, served: bytes) -> bool:
    """SHA-256 of what went over the wire against SHA-256 of what IMAP serves after our own lines."""
    raw = letter.raw
    return hashlib.sha256(raw).digest() == hashlib.sha256(served[-len(raw) :]).digest()


def rule_of(reply: str) -> str:
    """The rule that a reply names at its end."""
    found = re.search(r"\[([a-z_.]+)\]", reply)
    return found[1] if found else ""
