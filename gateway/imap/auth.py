"""Getting in: LOGIN, AUTHENTICATE PLAIN, STARTTLS (RFC 3501 §6.2, RFC 4616, RFC 4959)."""

from __future__ import annotations

import asyncio
import base64
import binascii

import structlog

from gateway.imap.capabilities import capabilities
from gateway.imap.commands import Authenticate, Bare, Login
from gateway.imap.connection import LineTooLong
from gateway.imap.context import Context
from gateway.imap.errors import BadError, ByeError, NoError

log = structlog.get_logger("imap")

_FAILED = "The address or the password is wrong"


async def login(context: Context, command: Login) -> None:
    """LOGIN (RFC 3501 §6.2.3)."""
    _require_tls(context)
    await _let_in(context, command.tag, command.user, command.password)


async def authenticate(context: Context, command: Authenticate) -> None:
    """AUTHENTICATE PLAIN, with or without initial response (RFC 3501 §6.2.2, RFC 4616, RFC 4959)."""
    _require_tls(context)
    if command.mechanism != "PLAIN":
        raise NoError("The mechanism is PLAIN")
    if command.initial is None:
        context.connection.write(b"+ \r\n")
        await context.connection.flush()
        try:
            line = await context.connection.read_line(context.limits.line_before_login)
        except LineTooLong:
            raise ByeError("A line is too long") from None
        response = line.removesuffix(b"\r")
        if response == b"*":  # RFC 3501 §6.2.2: the client cancels
            raise BadError("Cancelled")
    else:
        response = b"" if command.initial == b"=" else command.initial
    try:
        decoded = base64.b64decode(response, validate=True)
    except binascii.Error:
        raise BadError("That is not base64") from None
    parts = decoded.split(b"\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:  # RFC 4616 §2
        raise BadError("That is not a PLAIN message")
    authorisation, user, password = parts
    if authorisation and authorisation != user:
        raise NoError("Nobody acts for another", "AUTHORIZATIONFAILED")
    await _let_in(context, command.tag, user, password)


async def _let_in(context: Context, tag: str, user: bytes, password: bytes) -> None:
    box_id = None
    try:
        name, secret = user.decode("utf-8"), password.decode("utf-8")
    except UnicodeDecodeError:
        name = secret = ""
    if name and secret and "\0" not in name + secret:
        box_id = await context.authenticate(name, secret, context.connection.peer)
    if box_id is None:
        context.failed_logins += 1
        context.metrics.failed_logins += 1
        log.info("imap_login_failed", peer=context.connection.peer, attempt=context.failed_logins)
        await asyncio.sleep(context.limits.login_delay * context.failed_logins)
        if context.failed_logins >= context.limits.login_attempts:
            context.connection.write(NoError(_FAILED, "AUTHENTICATIONFAILED").line(tag))
            raise ByeError("Too many failed logins")
        raise NoError(_FAILED, "AUTHENTICATIONFAILED")  # RFC 5530 §3
    context.box_id = box_id
    try:
        context.on_login(context)
    except NoError:
        context.box_id = None
        raise
    context.metrics.logins += 1
    names = capabilities(encrypted=True, starttls=False, logged_in=True)
    context.ok(tag, "Welcome", f"CAPABILITY {names}")


async def starttls(context: Context, command: Bare) -> None:
    """RFC 3501 §6.2.1: nothing said before counts, nothing sent before is read."""
    if context.starttls is None or context.connection.encrypted:
        raise BadError("TLS is on already" if context.connection.encrypted else "TLS is not offered here")
    context.ok(command.tag, "Begin the TLS handshake")
    await context.connection.flush()
    await context.connection.start_tls(context.starttls)


def _require_tls(context: Context) -> None:
    if not context.connection.encrypted:
        raise NoError("TLS comes first", "PRIVACYREQUIRED")  # RFC 5530 §3
