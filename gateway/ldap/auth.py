"""Who may look things up: professionals with a mailbox here, by address and app password (RFC 4513 §5.1).

A wrong password costs time: the wait grows with the failures of late from the same address, in whatever
connection, and a connection ends after a few.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from gateway.ldap.directory import Tree
from gateway.ldap.errors import (
    AUTH_METHOD_NOT_SUPPORTED,
    CONFIDENTIALITY_REQUIRED,
    INSUFFICIENT_ACCESS_RIGHTS,
    INVALID_CREDENTIALS,
    UNWILLING_TO_PERFORM,
    LdapError,
    MalformedError,
)
from gateway.ldap.messages import Bind
from gateway.ldap.names import parse_dn
from store import Store, mail

#: (address, app password, peer) → box_id, or None; awaited for every sign-in.
Authenticator = Callable[[str, str, str], Awaitable[int | None]]

_REMEMBERED_S: Final = 600.0
_MOST_PEERS: Final = 10_000
_MOST_DELAYS: Final = 10


class Identity(msgspec.Struct, frozen=True):
    """Who signed in."""

    box_id: int
    address: str


class Throttle:
    """Counts wrong passwords of late, by the client's address. Bounded; ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def failed(self, peer: str) -> int:
        """Note a failure; how many there are of late, at most ten."""
        now = self._clock()
        count, last = self._failures.pop(peer, (0, now))
        count = min(count + 1, _MOST_DELAYS) if now - last < _REMEMBERED_S else 1
        self._failures[peer] = (count, now)
        while len(self._failures) > _MOST_PEERS:
            self._failures.popitem(last=False)
        return count

    def succeeded(self, peer: str) -> None:
        """A right password ends the count."""
        self._failures.pop(peer, None)


def credentials(tree: Tree, bind: Bind, *, encrypted: bool) -> tuple[str, str] | None:
    """Address and password of a bind; None for an anonymous one.

    :raises MalformedError: another version than 3. :raises LdapError: a way to sign in that is not offered,
        no TLS, a name without password, a name that is neither an address nor one of our names.
    """
    if bind.version != 3:
        raise MalformedError("the version is 3")  # RFC 4511 §4.2
    if bind.password is None:
        raise LdapError("ldap.method", "sign in with a password", AUTH_METHOD_NOT_SUPPORTED)
    if not bind.name and not bind.password:
        return None  # RFC 4513 §5.1.1
    if not encrypted:
        raise LdapError("ldap.tls", "TLS comes first", CONFIDENTIALITY_REQUIRED)
    if not bind.password:  # RFC 4513 §5.1.2: such a bind proves nothing
        raise LdapError("ldap.bind", "a password is missing", UNWILLING_TO_PERFORM)
    address = bind.name.strip()
    with contextlib.suppress(LdapError):  # no name of a tree: an address
        address = tree.address_of(parse_dn(bind.name)) or address
    try:
        secret = bind.password.decode("utf-8")
    except UnicodeDecodeError:
        secret = ""
    if not address or not secret or "\0" in address + secret:
        raise wrong()
    return address, secret


def wrong() -> LdapError:
    """One answer for an unknown name, a closed mailbox and a wrong password."""
    return LdapError("ldap.bind", "the address or the password is wrong", INVALID_CREDENTIALS)


async def identify(store: Store, box_id: int) -> Identity:
    """The owner of an open box who may look things up.

    :raises LdapError: not a professional's (``ldap.professionals``), or closed meanwhile.
    """
    box = await store.quick(mail.box_by_id, box_id)
    if box is None or box.state != "open":
        raise wrong()
    if box.kind != "pro":
        raise LdapError(
            "ldap.professionals", "the directory is for professionals", INSUFFICIENT_ACCESS_RIGHTS
        )
    return Identity(box.box_id, box.address)
