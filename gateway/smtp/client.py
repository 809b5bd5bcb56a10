"""One connection to another operator: STARTTLS, both certificates, one transaction after the other.

aiosmtplib does connection, EHLO, STARTTLS and replies. Its DATA wants the whole message as one ``bytes``
and makes two more copies; here the content goes out in pieces of 256 KiB through an ``asyncio`` stream
writer over the same protocol, so a 25 MiB message costs less than a megabyte. Where the peer offers
CHUNKING the content goes by BDAT (RFC 3030), which changes no octet; by DATA a message without a final
line end gets one.

Nothing is ever sent in clear, nor to a server whose certificate is not that of an operator of the domain.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Literal

import aiosmtplib
import msgspec
import structlog

from certs import peer_chain, stapled_response
from gateway.routing.model import RelayJob
from gateway.smtp.address import needs_utf8
from gateway.smtp.dotreader import DotWriter
from gateway.smtp.ports import Trust
from gateway.smtp.routes import Route
from store.errors import PasserelleError

log = structlog.get_logger("relay")

# (casefolded domain, subject DN of the server's certificate) → is this an operator of the domain?
Allowed = Callable[[str, str], Awaitable[bool]]
Result = Literal["sent", "retry", "failed"]
# OpenSSL's names of the alerts about a certificate
_ALERTS = re.compile(r"ALERT_(?:.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s*(.*)", re.DOTALL)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient. ``reply`` is the reply line that decided, ours or the peer's.

    :param about_us: the peer refused who we are, before it was told of a recipient.
    """

    result: Result
    rule: str
    status: str
    reply: str
    host: str = ""
    dsn_offered: bool = False
    about_us: bool = False


class Content(msgspec.Struct, kw_only=True):
    """A message to send. ``pieces`` starts anew at each call."""

    size: int
    eight_bit: bool
    header_utf8: bool
    pieces: Callable[[], AsyncIterator[bytes]]


class PeerError(PasserelleError):
    """The connection cannot be used; the message is tried again later."""

    code = 451
    enhanced = "4.4.1"


class IdentityRefusedError(PeerError):
    """The server does not take the certificate that we showed."""

    def __init__(self, reason: str) -> None:
        super().__init__("relay.identity", reason, enhanced="4.7.5")


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds (RFC 5321 §4.5.3.2)."""

    connect: float = 60.0
    command: float = 300.0
    final: float = 600.0  # the reply after the content


class RelayClient:
    """A connection that is ready for transactions; an async context manager.

    :param context: ``certs.client_context``: shows our certificate, judges nothing.
    :param trust: judges the server's chain. :param allowed: the whitelist.
    """

    def __init__(
        self,
        *,
        route: Route,
        domain: str,
        hostname: str,
        context: ssl.SSLContext,
        trust: Trust,
        allowed: Allowed,
        timeouts: Timeouts,
    ) -> None:
        self.route = route
        self.domain = domain
        self.timeouts = timeouts
        self._hostname = hostname
        self._context = context
        self._trust = trust
        self._allowed = allowed
        self._smtp = aiosmtplib.SMTP(
            hostname=route.host,
            port=route.port,
            local_hostname=hostname,
            timeout=timeouts.connect,
            start_tls=False,
        )
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> RelayClient:
        """Connect and prove both sides. Raises :class:`PeerError`."""
        tls = False
        try:
            await self._smtp.connect()
            await self._smtp.ehlo()
            if not self._smtp.supports_extension("starttls"):
                raise PeerError("relay.tls", "the server does not offer STARTTLS", enhanced="4.7.4")
            tls = True
            await self._smtp.starttls(tls_context=self._context, timeout=self.timeouts.connect)
            await self._judge()
            await self._smtp.ehlo()
        except PeerError:
            self._smtp.close()
            raise
        except (aiosmtplib.SMTPException, OSError) as error:
            self._smtp.close()
            if _certificate_alert(error):
                raise IdentityRefusedError("the server does not accept our certificate") from error
            # Its alert may be lost, and with TLS 1.3 it looks at our certificate after we think that the
            # handshake is done (RFC 8446 §4.4.2.4): all that is seen is that it closes.
            if tls and isinstance(error, aiosmtplib.SMTPServerDisconnected):
                reason = "the server closed during TLS: it may not accept our certificate"
                raise IdentityRefusedError(reason) from error
            raise PeerError("relay.connection", _words(error)) from error
        protocol, transport = self._smtp.protocol, self._smtp.transport
        assert protocol is not None
        assert isinstance(transport, asyncio.WriteTransport)
        loop = asyncio.get_running_loop()
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._smtp.is_connected and kind is None:
                await self._smtp.quit(timeout=5)
        except (aiosmtplib.SMTPException, OSError):
            log.debug("quit_failed", host=self.route.host)
        finally:
            self._smtp.close()

    @property
    def usable(self) -> bool:
        return self._smtp.is_connected

    async def _judge(self) -> None:
        tls = self._smtp.get_transport_info("ssl_object")
        # RFC 6066 §8: the server may have sent the status of its certificate along.
        verdict = await self._trust.check(peer_chain(tls), "server", stapled=stapled_response(tls))
        if not verdict.ok:
            raise PeerError("relay.certificate", f"server: {verdict.reason}", enhanced="4.7.5")
        if not await self._allowed(self.domain, verdict.identity.subject_dn):
            raise PeerError(
                "relay.whitelist",
                "the server's certificate is not that of an operator of the domain",
                enhanced="4.7.5",
                log=f"certificate of {verdict.identity.subject_dn} for {self.domain}",
            )

    # -- a transaction

    async def send(self, jobs: list[RelayJob], content: Content) -> list[Outcome]:
        """Send one message to recipients that share sender and parameters; one outcome for each job.

        Never raises for what the peer does: a broken connection is "retry" for who has no answer yet.
        The window of doubt of SMTP remains: after the last octet and before the reply, the peer may
        have taken the message, which will be sent again (RFC 5321 §4.5.3.2.6, RFC 1047).
        """
        outcomes: list[Outcome | None] = [None] * len(jobs)
        try:
            refusal = self._obstacle(jobs, content) or await self._mail(jobs[0], content)
            taken = [] if refusal else await self._rcpt(jobs, outcomes)
            final = None
            if taken:
                final = await self._content(content)
                for place in taken:
                    outcomes[place] = final
            if self.usable and (final is None or final.result != "sent"):
                await self._command("RSET")
            fallback = refusal
        except aiosmtplib.SMTPResponseException as error:
            fallback = self._outcome(error.code, error.message)
            self._smtp.close()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            fallback = self._own("retry", "relay.connection", "4.4.2", f"451 4.4.2 {_words(error)}")
            self._smtp.close()
        done = fallback or self._own("retry", "relay.connection", "4.4.2", "451 4.4.2 no answer")
        return [outcome or done for outcome in outcomes]

    def _obstacle(self, jobs: list[RelayJob], content: Content) -> Outcome | None:
        """What cannot travel unchanged to this peer is not sent: no rebuilding (DESIGN §1.3)."""
        addresses = [jobs[0].mail_from, *(job.recipient.address for job in jobs)]
        utf8 = needs_utf8(*addresses) or content.header_utf8
        if utf8 and not self._smtp.supports_extension("smtputf8"):  # RFC 6531 §3.5
            text = "550 5.6.7 the recipient's server does not support SMTPUTF8"
            return self._own("failed", "relay.utf8", "5.6.7", text)
        if content.eight_bit and not self._smtp.supports_extension("8bitmime"):  # RFC 6152 §3
            text = "554 5.6.3 the recipient's server does not support 8BITMIME"
            return self._own("failed", "relay.8bit", "5.6.3", text)
        limit = self._smtp.esmtp_extensions.get("size", "")
        if limit.isdigit() and 0 < int(limit) < content.size:  # RFC 1870 §5
            text = f"552 5.3.4 the recipient's server takes at most {limit} octets"
            return self._own("failed", "message.size", "5.3.4", text)
        return None

    async def _mail(self, job: RelayJob, content: Content) -> Outcome | None:
        words = [f"FROM:<{job.mail_from}>"]
        offers = self._smtp.supports_extension
        if offers("size"):
            words.append(f"SIZE={content.size}")
        if offers("8bitmime"):
            words.append("BODY=8BITMIME" if content.eight_bit else "BODY=7BIT")
        if offers("smtputf8") and (
            job.smtputf8 or content.header_utf8 or needs_utf8(job.mail_from, job.recipient.address)
        ):
            words.append("SMTPUTF8")
        if offers("dsn"):  # RFC 3461 §5.2.1: passed on as given
            words += [f"RET={job.ret}"] if job.ret else []
            words += [f"ENVID={job.envid}"] if job.envid else []
        code, text = await self._command("MAIL", *words)
        if code == 250:
            return None
        outcome = self._outcome(code, text)
        # RFC 3463 §3.8: security or policy. At MAIL the peer knows of us only.
        about_us = outcome.status.split(".")[1] == "7"
        return msgspec.structs.replace(outcome, about_us=about_us)

    async def _rcpt(self, jobs: list[RelayJob], outcomes: list[Outcome | None]) -> list[int]:
        taken = []
        for place, job in enumerate(jobs):
            words = [f"TO:<{job.recipient.address}>"]
            if self._smtp.supports_extension("dsn"):
                words += [f"NOTIFY={job.recipient.notify}"] if job.recipient.notify else []
                words += [f"ORCPT={job.recipient.orcpt}"] if job.recipient.orcpt else []
            code, text = await self._command("RCPT", *words)
            if code in (250, 251):
                taken.append(place)
            else:
                outcomes[place] = self._outcome(code, text)
        return taken

    async def _command(self, *words: str) -> tuple[int, str]:
        octets = [word.encode() for word in words]
        answer = await self._smtp.execute_command(*octets, timeout=self.timeouts.command)
        return answer.code, answer.message

    async def _content(self, content: Content) -> Outcome:
        if self._smtp.supports_extension("chunking"):
            code, text = await self._bdat(content)
        else:
            code, text = await self._data(content)
        return self._outcome(code, text)

    async def _bdat(self, content: Content) -> tuple[int, str]:
        left = content.size
        async for piece in content.pieces():
            left -= len(piece)
            head = f"BDAT {len(piece)}{'' if left else ' LAST'}\r\n".encode()
            code, text = await self._stream(_of(head, piece))
            if not left or code != 250:
                return code, text  # whole, or refused: then the transaction is over (RFC 3030 §2)
        return await self._command("BDAT", "0", "LAST")

    async def _data(self, content: Content) -> tuple[int, str]:
        code, text = await self._command("DATA")
        if code != 354:
            return code, text
        dots = DotWriter()

        async def stuffed() -> AsyncIterator[bytes]:
            async for piece in content.pieces():
                yield dots.feed(piece)
            yield dots.close()

        return await self._stream(stuffed())

    async def _stream(self, pieces: AsyncIterator[bytes]) -> tuple[int, str]:
        """Write the pieces with back-pressure, and read the one reply to them."""
        protocol, writer = self._smtp.protocol, self._writer
        assert writer is not None
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        # The reply may come while we still write (a peer that refuses early): be waiting before.
        answer = asyncio.ensure_future(protocol.read_response(timeout=self.timeouts.final))
        await asyncio.sleep(0)
        try:
            async for piece in pieces:
                if answer.done():
                    break
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), self.timeouts.command)
        except ConnectionError:
            # The peer has closed: the reply that says why may have come before.
            log.debug("closed_while_writing", host=self.route.host)
        except BaseException:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            raise
        response = await answer
        return response.code, response.message

    # -- outcomes

    def _outcome(self, code: int, text: str) -> Outcome:
        """What the peer's reply says."""
        found = _ENHANCED.match(text)
        status = found[1] if found else f"{code // 100 if code in range(200, 600) else 4}.0.0"
        if 200 <= code < 300:
            return self._end("sent", "relay.taken", status, f"{code} {text}")
        if 500 <= code < 600:
            return self._end("failed", "relay.refused", status, f"{code} {text}")
        return self._end("retry", "relay.deferred", status, f"{code} {text}")

    def _own(self, result: Result, rule: str, status: str, reply: str) -> Outcome:
        """An outcome that we decided: the reply names its rule."""
        return self._end(result, rule, status, f"{reply} [{rule}]")

    def _end(self, result: Result, rule: str, status: str, reply: str) -> Outcome:
        return Outcome(
            result=result,
            rule=rule,
            status=status,
            reply=" ".join(reply.split()),
            host=self.route.host,
            dsn_offered=self._smtp.supports_extension("dsn"),
        )


async def _of(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def _certificate_alert(error: BaseException) -> bool:
    """Whether the peer ended TLS because of our certificate (RFC 8446 §6.2)."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and _ALERTS.search(cause.reason or ""):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _words(error: BaseException) -> str:
    """What went wrong, in words that hold no address of a person."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {' '.join(error.message.split())}"[:200]
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'handshake'}"
    return "connection failed or lost"
