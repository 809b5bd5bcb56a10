"""SASL on the submission port (RFC 4954): EXTERNAL by certificate, PLAIN and LOGIN by app password.

The session owns the dialogue, this module only knows what the responses mean. A wrong response and a
wrong password get the same answer, and nothing here hashes: that is done by the callable that the
server was given, off the event loop.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable

import msgspec

from certs import CertVerdict
from gateway.routing.model import Origin
from gateway.smtp.ports import Authenticate, External
from store.errors import PasserelleError

Challenge = Callable[[bytes], Awaitable[bytes]]


class AuthRefusedError(PasserelleError):
    """The authentication failed (RFC 4954 §6)."""

    code = 535
    enhanced = "5.7.8"

    def __init__(self, peer: str = "credentials invalid", *, rule: str = "auth.failed") -> None:
        super().__init__(rule, peer)


class AuthSyntaxError(PasserelleError):
    """The dialogue is not what the mechanism says."""

    code = 501
    enhanced = "5.5.2"

    def __init__(self, peer: str) -> None:
        super().__init__("auth.syntax", peer)


class Mechanisms(msgspec.Struct, kw_only=True):
    """What a session may use: the callables, and the judged certificate if one was shown."""

    authenticate: Authenticate | None = None
    external: External | None = None
    certificate: CertVerdict | None = None
    peer: str = ""

    def offered(self) -> list[str]:
        """The names for EHLO; EXTERNAL only with a good certificate (RFC 4422 App. A)."""
        names = []
        if self.external is not None and self.certificate is not None and self.certificate.ok:
            names.append("EXTERNAL")
        if self.authenticate is not None:
            names += ["PLAIN", "LOGIN"]
        return names

    async def run(self, name: str, initial: bytes | None, challenge: Challenge) -> Origin:
        """Run one mechanism to its end.

        :param initial: the decoded initial response, ``None`` when the client sent none.
        :param challenge: sends a challenge, gives the decoded response.
        :raises AuthRefusedError: not proven. :raises AuthSyntaxError: malformed, or unknown (504).
        """
        if name == "EXTERNAL" and self.external is not None:
            return await self._external(initial if initial is not None else await challenge(b""))
        if name == "PLAIN" and self.authenticate is not None:
            return await self._plain(initial if initial is not None else await challenge(b""))
        if name == "LOGIN" and self.authenticate is not None:
            user = initial if initial is not None else await challenge(b"Username:")
            return await self._password(user, await challenge(b"Password:"))
        error = AuthSyntaxError("mechanism not offered")
        error.code, error.enhanced = 504, "5.5.4"  # RFC 4954 §4
        raise error

    async def _external(self, response: bytes) -> Origin:
        verdict = self.certificate
        if self.external is None or verdict is None:
            raise AuthRefusedError("no client certificate was shown", rule="sender.certificate")
        if not verdict.ok:
            raise AuthRefusedError(verdict.reason, rule=verdict.rule)
        origin = await self.external(verdict)
        if origin is None:
            raise AuthRefusedError("the certificate opens no mailbox here", rule="sender.identity")
        if origin.refusal_rule:  # struck off, or on a card that was opposed
            raise AuthRefusedError(origin.refusal_reason, rule=origin.refusal_rule)
        wanted = _text(response)
        # RFC 4422 App. A.2: an authorization identity may be asked for; only one's own is given. A
        # certificate that stands for several mailboxes has no single address: MAIL is judged by the rules.
        if wanted and origin.address and wanted.casefold() != origin.address.casefold():
            raise AuthRefusedError("the certificate does not open that mailbox", rule="sender.identity")
        return origin

    async def _plain(self, response: bytes) -> Origin:
        parts = response.split(b"\0")  # RFC 4616 §2: authzid NUL authcid NUL passwd
        if len(parts) != 3:
            raise AuthSyntaxError("malformed PLAIN response")
        wanted = _text(parts[0])
        if wanted and wanted.casefold() != _text(parts[1]).casefold():
            raise AuthRefusedError
        return await self._password(parts[1], parts[2])

    async def _password(self, user: bytes, password: bytes) -> Origin:
        assert self.authenticate is not None
        name, secret = _text(user), _text(password)
        if not name or not secret:
            raise AuthRefusedError
        origin = await self.authenticate(name, secret, self.peer)
        if origin is None:
            raise AuthRefusedError
        return origin


def decode_response(line: bytes) -> bytes:
    """Decode a base64 response; ``=`` alone is the empty one (RFC 4954 §4). Raises on ``*``."""
    if line == b"*":
        raise AuthSyntaxError("authentication cancelled")
    if line == b"=":
        return b""
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        raise AuthSyntaxError("response is not base64") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise AuthSyntaxError("response is not UTF-8") from None
