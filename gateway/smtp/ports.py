"""What this room asks of others: the seams, as Protocols. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from certs import CertVerdict, Purpose
from gateway.message import MessageIndex
from gateway.routing.model import Envelope, Origin, Verdict
from store import Spool


class IndexerPort(Protocol):
    """``gateway.message.Indexer``."""

    def feed(self, chunk: bytes) -> None: ...
    def close(self) -> MessageIndex: ...


class Router(Protocol):
    """The rules, applied (``gateway.routing.Router``). A refusal may also be raised as PasserelleError."""

    async def origin(self, verdict: CertVerdict | None, tls: str, peer: str) -> Origin:
        """Operators' port, after STARTTLS: who is this? ``None``: no client certificate was shown."""
        ...

    async def sender(self, origin: Origin, mail_from: str, smtputf8: bool) -> Verdict: ...

    async def recipient(self, origin: Origin, mail_from: str, rcpt: str) -> Verdict: ...

    async def accept(
        self, origin: Origin, envelope: Envelope, spool: Spool, index: MessageIndex, sha256: bytes
    ) -> Verdict:
        """Decide and store. Durable when it returns an acceptance; only then is the spool its own."""
        ...


class Trust(Protocol):
    """``certs.TrustStore``: is this chain (DER, leaf first) good for this purpose now?"""

    async def check(
        self,
        chain: Sequence[bytes],
        purpose: Purpose,
        at: int | None = None,
        stapled: bytes | None = None,
    ) -> CertVerdict: ...


# Submission: who owns this mailbox and password; None: nobody. Never hashes on the event loop.
Authenticate = Callable[[str, str, str], Awaitable[Origin | None]]  # (user, password, peer)
# Submission, SASL EXTERNAL: which mailbox does this certificate open; None: none.
External = Callable[[CertVerdict], Awaitable[Origin | None]]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a port. Sizes in bytes, times in seconds."""

    message_size: int = 25 * 1024 * 1024
    recipients: int = 100  # RFC 5321 §4.5.3.1.8: at least 100
    errors: int = 10  # bad commands before 421
    auth_failures: int = 3
    sessions: int = 1000
    command_timeout: float = 300.0  # RFC 5321 §4.5.3.2.7
    data_timeout: float = 180.0  # between two pieces of content, RFC 5321 §4.5.3.2.5
    data_total: float = 1800.0  # for one whole message
    linger: float = 2.0  # how long a refused client may go on sending before its connection is cut
