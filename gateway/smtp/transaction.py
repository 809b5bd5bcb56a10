"""One mail transaction: MAIL, RCPT, then DATA or BDAT (RFC 5321 §3.3, RFC 3030), and RSET.

Invariants:

- The 250 that ends a message is the router's, and the router answers when the message is durable.
- A transaction that fails at any point leaves nothing: its spool is discarded.
- A connection that breaks while the router stores a message does not interrupt it; the client will
  send the message again, which SMTP allows (RFC 5321 §6.1: duplicates rather than losses).
"""

from __future__ import annotations

import abc
import asyncio
import re
import ssl
from collections.abc import Awaitable
from typing import Protocol

from gateway.message import MessageIndex
from gateway.routing.model import Envelope, Origin, Recipient, Verdict
from gateway.smtp.dotreader import BareLineEndError, DotReader, LineEndGuard
from gateway.smtp.intake import Intake
from gateway.smtp.params import parse_mail, parse_rcpt
from gateway.smtp.ports import IndexerPort, Limits, Router
from gateway.smtp.wire import READ_SIZE, Wire, log
from store import Spool, new_id, now_ms
from store.errors import PasserelleError

_BDAT = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)
_TOO_BIG = "message exceeds the size limit"


class Services(Protocol):
    """What a session asks of its server (:class:`gateway.smtp.server.SmtpServer`)."""

    router: Router
    limits: Limits

    def new_spool(self) -> Spool: ...
    def new_indexer(self) -> IndexerPort: ...
    def keep(self, task: asyncio.Task[Verdict]) -> None: ...


class TransactionCommands(Wire, abc.ABC):
    """The state of one transaction and the commands that move it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hostname: str,
        context: ssl.SSLContext | None,
        services: Services,
    ) -> None:
        super().__init__(loop, hostname, context, services.limits)
        self.services = services
        self.helo = ""
        self.extended = False
        self.errors = 0
        self.origin = Origin()
        self.mail: Envelope | None = None
        self._intake: Intake | None = None  # of a BDAT transaction under way
        self._guard: LineEndGuard | None = None
        self._bdat_failed = False

    # -- helpers for all commands

    def bad(self, code: int, enhanced: str, text: str) -> None:
        """Answer a command that was wrong in itself; too many of them end the session."""
        self.errors += 1
        self.reply(code, enhanced, text)

    def refuse(self, error: PasserelleError) -> None:
        """Answer with what a refusal says of itself."""
        if error.fault == "peer" and 500 <= error.code < 510:
            self.errors += 1
        self.reply_line(error.reply)

    async def ask(self, question: Awaitable[Verdict]) -> Verdict:
        """The router's verdict; a failure of ours becomes "try again" (RFC 5321 §4.2.1: 4yz)."""
        try:
            return await question
        except PasserelleError as error:
            action = "defer" if error.code < 500 else "refuse"
            return Verdict(
                action=action,  # type: ignore[arg-type]  # one of the two literals
                rule=error.rule,
                code=error.code,
                enhanced=error.enhanced,
                peer=error.peer,
                log=error.log,
            )
        except Exception:  # noqa: BLE001  # logged whole; the peer is told to try again
            log.exception("router_failed", trace=self.mail.trace_id if self.mail else "")
            return Verdict(
                action="defer",
                rule="gateway.error",
                code=451,
                enhanced="4.3.0",
                peer="local error, try again",
            )

    @abc.abstractmethod
    def blocked(self) -> str:
        """The reply line that forbids mail on this session now; ``""`` when mail may start."""

    # -- state

    def reset_transaction(self) -> None:
        """Forget the transaction (RFC 5321 §4.1.1.5)."""
        self.mail = None
        if self._intake is not None:
            self._intake.discard()
        self._intake = self._guard = None
        self._bdat_failed = False

    def _set_post_data_state(self) -> None:  # aiosmtpd calls it at connection and STARTTLS
        self.reset_transaction()

    @property
    def protocol_name(self) -> str:
        """The keyword after "with" in Received (RFC 3848, RFC 6531 §4.3)."""
        if not self.extended:
            return "SMTP"
        secure = "S" if self.origin.tls else ""
        proven = "A" if self.origin.kind in ("professional", "patient") else ""
        utf8 = self.mail is not None and self.mail.smtputf8
        return ("UTF8SMTP" if utf8 else "ESMTP") + secure + proven

    # -- commands

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not self.helo:
            self.bad(503, "5.5.1", "send EHLO first")
            return
        blocked = self.blocked()
        if blocked and not self.origin.refusal_rule:
            self.reply_line(blocked)
            return
        if self.mail is not None:
            self.bad(503, "5.5.1", "nested MAIL")
            return
        try:
            command = parse_mail(arg or "", extended=self.extended)
        except PasserelleError as error:
            self.refuse(error)
            return
        if command.size > self.limits.message_size:  # RFC 1870 §6.1
            self.reply(552, "5.3.4", f"{_TOO_BIG} of {self.limits.message_size} octets [message.size]")
            return
        # A refused certificate is the router's to answer, with evidence; it can never make it good.
        verdict = await self.ask(self.services.router.sender(self.origin, command.address, command.smtputf8))
        if blocked or not verdict.accepted:
            self.reply_line(blocked if verdict.accepted else verdict.reply)
            return
        self.mail = Envelope(
            mail_from=command.address,
            recipients=[],
            trace_id=f"{new_id():x}",
            received_at=now_ms(),
            helo=self.helo,
            peer=self.origin.peer,
            ret=command.ret,
            envid=command.envid,
            body=command.body,
            smtputf8=command.smtputf8,
        )
        self.mail.protocol = self.protocol_name
        self.reply(250, "2.1.0", "sender OK")

    async def smtp_RCPT(self, arg: str | None) -> None:
        mail = self.mail
        if mail is None or self._intake is not None or self._bdat_failed:
            self.bad(503, "5.5.1", "need MAIL" if mail is None else "content has begun")
            return
        if len(mail.recipients) >= self.limits.recipients:  # RFC 5321 §4.5.3.1.10
            self.reply(452, "4.5.3", "too many recipients, send the rest in another transaction")
            return
        try:
            command = parse_rcpt(arg or "", extended=self.extended, utf8=mail.smtputf8)
        except PasserelleError as error:
            self.refuse(error)
            return
        folded = command.address.casefold()
        if any(known.address.casefold() == folded for known in mail.recipients):
            self.reply(250, "2.1.5", "recipient OK, named before")
            return
        verdict = await self.ask(self.services.router.recipient(self.origin, mail.mail_from, command.address))
        if not verdict.accepted:
            self.reply_line(verdict.reply)
            return
        mail.recipients.append(Recipient(address=command.address, notify=command.notify, orcpt=command.orcpt))
        self.reply(250, "2.1.5", "recipient OK")

    async def smtp_RSET(self, arg: str | None) -> None:
        if arg:
            self.bad(501, "5.5.4", "RSET takes no argument")
            return
        self.reset_transaction()
        self.reply(250, "2.0.0", "OK")

    async def smtp_DATA(self, arg: str | None) -> None:
        refusal = self._data_refusal(arg)
        if refusal:
            self.errors += 1
            if self.input_waiting:
                # The client did not wait for 354: what follows may be content, never commands.
                await self.hang_up(refusal)
            self.reply_line(refusal)
            return
        assert self.mail is not None
        self.reply_line("354 end with <CRLF>.<CRLF>")
        intake = self._new_intake()
        try:
            failure = await self._read_data(intake)
            if failure:
                self.reply_line(failure)
            else:
                await self._complete(intake)
        finally:
            intake.discard()
            self.reset_transaction()

    def _data_refusal(self, arg: str | None) -> str:
        if arg:
            return "501 5.5.4 DATA takes no argument"
        if self.mail is None:
            return "503 5.5.1 need MAIL"
        if self._intake is not None or self._bdat_failed:
            return "503 5.5.1 DATA after BDAT"  # RFC 3030 §2
        if not self.mail.recipients:
            return "554 5.5.1 no valid recipients"  # RFC 5321 §3.3
        return ""

    async def _read_data(self, intake: Intake) -> str:
        """Read to the end of the content; ``""``, or the reply that refuses it."""
        reader = DotReader()
        failure = ""
        deadline = self.loop.time() + self.limits.data_total
        seen = 0
        while not reader.done:
            chunk = await self._some_content(READ_SIZE, deadline)
            seen += len(chunk)
            if failure and seen > 2 * self.limits.message_size + READ_SIZE:
                await self.hang_up(failure)
            try:
                body = reader.feed(chunk)
            except BareLineEndError as error:
                log.warning("bare_line_end", peer=self.origin.peer, origin=self.origin.kind)
                await self.hang_up(error.reply)
            failure = failure or await self._take_in(intake, body)
        self.unread(reader.rest)
        return failure

    async def _some_content(self, limit: int, deadline: float) -> bytes:
        left = deadline - self.loop.time()
        if left <= 0:
            await self.hang_up("421 4.4.2 message took too long")
        return await self.read_some(limit, min(self.limits.data_timeout, left))

    async def _take_in(self, intake: Intake, body: bytes) -> str:
        if intake.size + len(body) > self.limits.message_size:
            intake.discard()
            return f"552 5.3.4 {_TOO_BIG} of {self.limits.message_size} octets [message.size]"
        try:
            await intake.feed(body)
        except PasserelleError as error:
            return error.reply
        except Exception:  # noqa: BLE001  # logged whole
            # Disk full or the like: the content is still read to its end, then refused for now.
            log.exception("intake_failed")
            return "452 4.3.1 cannot take the message now"
        return ""

    def _new_intake(self) -> Intake:
        return Intake(self.services.new_spool(), self.services.new_indexer())

    async def _complete(self, intake: Intake) -> None:
        """The content is whole: index, decide, store, answer."""
        mail = self.mail
        assert mail is not None
        try:
            index = await intake.close()
        except PasserelleError as error:
            self.reply_line(error.reply)
            return
        except Exception:  # noqa: BLE001  # logged whole; the peer is told to try again
            log.exception("index_failed", trace=mail.trace_id)
            self.reply(451, "4.3.0", "local error, try again")
            return
        verdict = await self.ask(asyncio.shield(self._accept(mail, intake, index)))
        if verdict.accepted:
            self.reply(verdict.code, verdict.enhanced, f"{verdict.peer}, trace {mail.trace_id}")
        else:
            self.reply_line(verdict.reply)

    def _accept(self, mail: Envelope, intake: Intake, index: MessageIndex) -> asyncio.Task[Verdict]:
        spool = intake.hand_over()
        origin, router = self.origin, self.services.router

        async def run() -> Verdict:
            try:
                return await router.accept(origin, mail, spool, index, spool.sha256)
            finally:
                spool.discard()  # what was accepted is in the store by now

        task = asyncio.create_task(run())
        self.services.keep(task)
        return task

    async def smtp_BDAT(self, arg: str | None) -> None:
        match = _BDAT.fullmatch(arg or "")
        if match is None:
            # Without a size nobody knows where the next command starts.
            await self.hang_up("501 5.5.4 syntax: BDAT size [LAST]")
            return
        size, last = int(match[1]), match[2] is not None
        refusal = self._bdat_refusal()
        intake = self._intake
        if not refusal and intake is None:
            intake = self._intake = self._new_intake()
            self._guard = LineEndGuard("message content")
        if size > 2 * self.limits.message_size:
            await self.hang_up(f"552 5.3.4 {_TOO_BIG} of {self.limits.message_size} octets [message.size]")
        refusal = await self._read_chunk(size, intake, refusal)  # RFC 3030 §2: octets follow in any case
        try:
            if not refusal and last and self._guard is not None:
                self._guard.close()
        except BareLineEndError as error:
            refusal = error.reply
        if refusal:
            self.errors += 1
            self.reply_line(refusal)
            # RFC 3030 §2: after a failed BDAT the transaction is over; what is sent ahead fails too.
            mail = self.mail
            self.reset_transaction()
            self.mail, self._bdat_failed = (None, False) if last else (mail, mail is not None)
        elif last:
            assert intake is not None
            try:
                await self._complete(intake)
            finally:
                self.reset_transaction()
        else:
            self.reply(250, "2.0.0", f"{size} octets received")

    def _bdat_refusal(self) -> str:
        if self.mail is None:
            return "503 5.5.1 need MAIL"
        if self._bdat_failed:
            return "503 5.5.1 an earlier BDAT failed, send RSET"
        if not self.mail.recipients:
            return "554 5.5.1 no valid recipients"
        return ""

    async def _read_chunk(self, size: int, intake: Intake | None, refusal: str) -> str:
        deadline = self.loop.time() + self.limits.data_total
        while size:
            data = await self._some_content(min(size, READ_SIZE), deadline)
            size -= len(data)
            if refusal:
                continue
            assert intake is not None
            assert self._guard is not None
            try:
                self._guard.feed(data)  # BINARYMIME is not offered: text lines only (RFC 3030 §3)
            except BareLineEndError as error:
                refusal = error.reply
                continue
            refusal = await self._take_in(intake, data)
        return refusal
