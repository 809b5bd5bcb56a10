"""One SMTP session: the command loop, and the commands around a transaction.

Reading order: :meth:`SmtpSession.serve` → ``smtp_EHLO`` → ``smtp_STARTTLS`` → ``smtp_AUTH`` →
:mod:`gateway.smtp.transaction` (MAIL, RCPT, DATA, BDAT).

Invariants:

- Who is at the other end is decided once: after STARTTLS on the operators' port (certificate), by AUTH
  on the submission port. Until then no MAIL is taken. A certificate that was refused leaves the
  session up, so that MAIL can be answered with the check that refused it.
- Nothing said before TLS is remembered (RFC 3207 §4.2).
"""

from __future__ import annotations

import asyncio
import base64
from typing import Literal, Protocol

import msgspec
from aiosmtpd.smtp import TLSSetupException

from certs import CertVerdict, peer_chain
from gateway.routing.model import Origin
from gateway.smtp.auth import AuthRefusedError, AuthSyntaxError, Mechanisms, decode_response
from gateway.smtp.dotreader import BareLineEndError
from gateway.smtp.ports import Authenticate, External, Trust
from gateway.smtp.transaction import Services, TransactionCommands
from gateway.smtp.wire import HangUpError, LineTooLongError, log
from store.errors import PasserelleError

# RFC 3207 §4: the only commands before TLS on a port that demands it (RSET, HELP and VRFY do no harm
# but are not listed there).
_BEFORE_TLS = frozenset({"EHLO", "HELO", "STARTTLS", "NOOP", "QUIT", "RSET"})
_LINE_LIMITS = {"MAIL": 2048, "RCPT": 2048, "AUTH": 12_288}  # RFC 5321 §4.5.3.1.4, RFC 3461 §5, RFC 4954 §4
_LINE_LIMIT = 1000


class SessionServices(Services, Protocol):
    """What a session asks of its server, beyond what a transaction does."""

    role: Literal["operators", "submission"]
    implicit_tls: bool
    hostname: str
    trust: Trust
    authenticate: Authenticate | None
    external: External | None

    def opened(self, session: SmtpSession) -> bool: ...
    def closed(self, session: SmtpSession) -> None: ...


class SmtpSession(TransactionCommands):
    """The protocol object of one connection."""

    services: SessionServices

    def __init__(self, loop: asyncio.AbstractEventLoop, services: SessionServices, context: object) -> None:
        super().__init__(loop, services.hostname, context, services)  # type: ignore[arg-type]  # SSLContext | None
        self.certificate: CertVerdict | None = None
        self.authenticated = False
        self.auth_failures = 0
        self.peer = ""
        self.tls = ""

    # -- the loop

    async def _handle_client(self) -> None:  # aiosmtpd starts it at connection
        if not self.services.opened(self):
            self._say_and_close("421 4.3.2 too many sessions, try again")
            return
        try:
            await self.serve()
        except HangUpError:
            pass
        except (OSError, TLSSetupException) as error:
            log.info("session_broken", peer=self.peer, error=type(error).__name__)
        except Exception:  # noqa: BLE001  # logged whole; the server lives on
            log.exception("session_failed", peer=self.peer)
            self._say_and_close("421 4.3.0 local error")
        finally:
            self.services.closed(self)
            self.reset_transaction()
            if self.transport is not None:
                self.transport.close()

    async def serve(self) -> None:
        """Greet, then one command after the other, until QUIT or a reason to hang up."""
        assert self.session is not None
        peername = self.session.peer
        self.peer = str(peername[0]) if isinstance(peername, tuple) else ""
        self.origin = Origin(peer=self.peer)
        if self.services.implicit_tls:
            await self._learn_tls()
        self.reply_line(f"220 {self.hostname} ESMTP Passerelle")
        while True:
            try:
                line = await self.read_line()
            except BareLineEndError as error:
                log.warning("bare_line_end", peer=self.peer, origin=self.origin.kind)
                await self.hang_up(error.reply)
            except LineTooLongError:
                self.bad(500, "5.5.2", "line too long")
            else:
                await self._command(line)
            if self.errors > self.limits.errors:
                await self.hang_up("421 4.7.0 too many errors")

    async def _command(self, line: bytes) -> None:
        verb_bytes, _, argument = line.partition(b" ")
        verb = verb_bytes.decode("ascii", "replace").upper()
        if len(line) > _LINE_LIMITS.get(verb, _LINE_LIMIT):
            self.bad(500, "5.5.2", "line too long")
            return
        method = _COMMANDS.get(verb)
        if method is None:
            self.bad(500, "5.5.1", "command not recognized")  # RFC 5321 §4.2.4
            return
        try:
            text = argument.decode("utf-8").strip(" ")
        except UnicodeDecodeError:
            self.bad(501, "5.5.2", "command is not UTF-8")
            return
        if self.tls_context is not None and not self.tls and verb not in _BEFORE_TLS:
            self.reply(530, "5.7.0", "must issue a STARTTLS command first")  # RFC 3207 §4
            return
        await method(self, text or None)

    # -- greeting

    async def smtp_EHLO(self, arg: str | None) -> None:
        if not self._hello(arg):
            return
        self.extended = True
        words = [
            self.hostname,
            f"SIZE {self.limits.message_size}",
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "CHUNKING",
            "DSN",
            "ENHANCEDSTATUSCODES",
        ]
        if self.tls_context is not None and not self.tls:
            words.append("STARTTLS")
        mechanisms = self._mechanisms().offered()
        if mechanisms:
            words.append("AUTH " + " ".join(mechanisms))
        for word in words[:-1]:
            self.reply_line(f"250-{word}")
        self.reply_line(f"250 {words[-1]}")

    async def smtp_HELO(self, arg: str | None) -> None:
        if self._hello(arg):
            self.extended = False
            self.reply_line(f"250 {self.hostname}")

    def _hello(self, arg: str | None) -> bool:
        if not arg or len(arg) > 255 or not arg.isascii() or not arg.isprintable() or " " in arg:
            self.bad(501, "5.5.4", "syntax: EHLO domain")
            return False
        self.reset_transaction()  # RFC 5321 §4.1.4: EHLO also resets
        self.helo = arg
        return True

    # -- TLS

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        if arg:
            self.bad(501, "5.5.4", "STARTTLS takes no argument")
            return
        if self.tls:
            self.bad(503, "5.5.1", "TLS is on already")
            return
        if self.tls_context is None:
            self.reply(454, "4.7.0", "TLS not available")
            return
        self._in.clear()  # RFC 3207 §4.2: commands sent ahead of TLS may be a third party's
        await super().smtp_STARTTLS("")
        # RFC 3207 §4.2: back to the state after the greeting.
        self.helo, self.extended, self.errors = "", False, 0
        await self._learn_tls()

    async def _learn_tls(self) -> None:
        """Read the session's cipher and the client's certificate, and have it judged."""
        assert self.transport is not None
        tls = self.transport.get_extra_info("ssl_object")
        cipher = tls.cipher()
        self.tls = f"{tls.version()} {cipher[0]}" if cipher else str(tls.version())
        chain = peer_chain(tls)
        self.certificate = await self.services.trust.check(chain, "client") if chain else None
        if self.services.role == "operators":
            try:
                origin = await self.services.router.origin(self.certificate, self.tls, self.peer)
            except PasserelleError as error:
                origin = Origin(refusal_rule=error.rule, refusal_reason=error.peer)
            self._proven(origin)
        else:
            self.origin = Origin(peer=self.peer, tls=self.tls)
        log.info("tls", peer=self.peer, tls=self.tls, rule=self.origin.refusal_rule, origin=self.origin.kind)

    def _proven(self, origin: Origin) -> None:
        self.origin = msgspec.structs.replace(origin, peer=self.peer, tls=self.tls)

    def blocked(self) -> str:
        if self.origin.kind != "none":
            return ""
        if self.origin.refusal_rule:
            reason = self.origin.refusal_reason or "refused"
            return f"550 5.7.1 {reason} [{self.origin.refusal_rule}]"
        if self.services.role == "operators":
            return "550 5.7.1 client certificate required [sender.certificate]"
        return "530 5.7.0 authentication required"  # RFC 4954 §6

    # -- AUTH

    def _mechanisms(self) -> Mechanisms:
        if self.services.role != "submission" or not self.tls or self.authenticated:
            return Mechanisms()
        return Mechanisms(
            authenticate=self.services.authenticate,
            external=self.services.external,
            certificate=self.certificate,
            peer=self.peer,
        )

    async def smtp_AUTH(self, arg: str | None) -> None:
        if not self.extended:
            self.bad(503, "5.5.1", "send EHLO first")
            return
        if self.services.role != "submission":
            self.bad(502, "5.5.1", "AUTH not offered")
            return
        if self.authenticated or self.mail is not None:
            self.bad(503, "5.5.1", "already authenticated" if self.authenticated else "transaction under way")
            return
        words = (arg or "").split(" ")
        if not words[0] or len(words) > 2:
            self.bad(501, "5.5.4", "syntax: AUTH mechanism [initial-response]")
            return
        try:
            initial = decode_response(words[1].encode()) if len(words) == 2 else None
            origin = await self._mechanisms().run(words[0].upper(), initial, self._challenge)
        except AuthRefusedError as error:
            self.auth_failures += 1
            log.warning("auth_failed", peer=self.peer, mechanism=words[0].upper()[:20], rule=error.rule)
            if self.auth_failures >= self.limits.auth_failures:
                self.reply_line(error.reply)
                await self.hang_up("421 4.7.0 too many authentication failures")
            self.reply_line(error.reply)
            return
        except PasserelleError as error:
            self.refuse(error)
            return
        self.authenticated = True
        self._proven(origin)
        self.reply(235, "2.7.0", "authentication successful")

    async def _challenge(self, text: bytes) -> bytes:
        self.reply_line("334 " + base64.b64encode(text).decode("ascii"))
        try:
            return decode_response(await self.read_line())
        except LineTooLongError:
            raise AuthSyntaxError("response too long") from None

    # -- the small ones

    async def smtp_NOOP(self, arg: str | None) -> None:
        self.reply(250, "2.0.0", "OK")

    async def smtp_VRFY(self, arg: str | None) -> None:
        if not arg:
            self.bad(501, "5.5.4", "syntax: VRFY address")
            return
        # RFC 5321 §3.5.3: who has a mailbox is not told to who only asks.
        self.reply(252, "2.5.0", "cannot VRFY, but will accept a message and attempt delivery")

    async def smtp_EXPN(self, arg: str | None) -> None:
        self.reply(502, "5.5.1", "EXPN not implemented")

    async def smtp_HELP(self, arg: str | None) -> None:
        self.reply(214, "2.0.0", "commands: " + " ".join(_COMMANDS))

    async def smtp_QUIT(self, arg: str | None) -> None:
        if arg:
            self.bad(501, "5.5.4", "QUIT takes no argument")
            return
        self.reply(221, "2.0.0", "goodbye")
        await self.flush()
        raise HangUpError


_COMMANDS = {
    "EHLO": SmtpSession.smtp_EHLO,
    "HELO": SmtpSession.smtp_HELO,
    "STARTTLS": SmtpSession.smtp_STARTTLS,
    "AUTH": SmtpSession.smtp_AUTH,
    "MAIL": SmtpSession.smtp_MAIL,
    "RCPT": SmtpSession.smtp_RCPT,
    "DATA": SmtpSession.smtp_DATA,
    "BDAT": SmtpSession.smtp_BDAT,
    "RSET": SmtpSession.smtp_RSET,
    "NOOP": SmtpSession.smtp_NOOP,
    "VRFY": SmtpSession.smtp_VRFY,
    "EXPN": SmtpSession.smtp_EXPN,
    "HELP": SmtpSession.smtp_HELP,
    "QUIT": SmtpSession.smtp_QUIT,
}
