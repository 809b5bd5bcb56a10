"""TLS with the pair that is in use now: a renewed certificate is shown to the next peer, without a restart.

A listening port keeps the context it began with: its *door*. At every handshake the door hands the
connection to the newest context (OpenSSL's server-name callback, which runs whether or not the client names
a server). Sessions under way keep theirs. A context is never changed in place: ``load_cert_chain`` on one in
use would leave the old certificate beside the new one when their kinds of key differ, and would drop the old
key when the new files are broken.

What cannot be loaded changes nothing: the pair in use stays, and :attr:`LiveTls.problem` says why.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from certs.errors import KeyRefused
from certs.keys import KeyPair
from certs.keystore import Keystore, Role
from certs.tls import client_context
from store import PasserelleError

log = structlog.get_logger("certs")

#: A context from (certificate file, key file, its passphrase).
Make = Callable[[Path, Path, bytes], ssl.SSLContext]


def _client(certificate: Path, key: Path, passphrase: bytes) -> ssl.SSLContext:
    return client_context(certificate, key, passphrase=passphrase)


class _Door:
    """The context of a listening port and the one that serves the next handshake."""

    def __init__(self, make: Make, pair: KeyPair) -> None:
        self.make: Final = make
        self.context: Final = pair.lend(make)
        self.newest = self.context
        self.context.sni_callback = self._hand_over

    def _hand_over(self, tls: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        tls.context = self.newest


class _Loaded:
    """Everything made from the files at one moment."""

    def __init__(self, store: Keystore, client: Role, doors: Sequence[_Door]) -> None:
        self.pair: Final = store.current("server")
        self.contexts: Final = [self.pair.lend(door.make) for door in doors]
        self.client_pair: Final = self.pair if client == "server" else store.current(client)
        self.client: Final = self.client_pair.lend(_client)
        self.others: Final = [pair.lend(_client) for pair in store.others(client)]


class LiveTls:
    """Our side of TLS in one process. Made and used on the event loop's thread.

    :raises KeyRefused: there is no usable pair to begin with.
    """

    def __init__(self, store: Keystore) -> None:
        self.store: Final = store
        self.problem = ""
        self.changes = 0
        self._role: Final[Role] = "client" if "client" in store.slots else "server"
        self._doors: list[_Door] = []
        self._seen = store.state()
        self._settling = self._seen
        try:
            self._loaded = _Loaded(store, self._role, ())
        except OSError as error:  # ssl.SSLError among them
            raise KeyRefused(f"our certificate cannot be used: {error}") from error

    @property
    def pair(self) -> KeyPair:
        """What the ports show now."""
        return self._loaded.pair

    @property
    def client(self) -> ssl.SSLContext:
        """For the next connection out."""
        return self._loaded.client

    @property
    def others(self) -> list[ssl.SSLContext]:
        """For a peer that refuses the certificate of :attr:`client`: with the next and the previous pair."""
        return self._loaded.others

    def door(self, make: Make) -> ssl.SSLContext:
        """A context for a listening port, good for the life of the process. Blocking: ms."""
        door = _Door(make, self.pair)
        self._doors.append(door)
        return door.context

    async def refresh(self, *, force: bool = False) -> bool:
        """Load again what changed; whether anything did. To be called every few seconds.

        Files that change are left alone until they have been the same for two calls: whoever copies a
        certificate and then its key is not caught in between.

        :param force: load now, whatever the files' dates.
        """
        try:
            await asyncio.to_thread(self.store.activate_due)
            state = await asyncio.to_thread(self.store.state)
        except PasserelleError as error:
            self._report(error.log)
            return False
        settled, self._settling = state == self._settling, state
        if not force and (state == self._seen or not settled):
            return False
        self._seen = state
        return await self._load()

    async def _load(self) -> bool:
        doors = list(self._doors)
        try:
            loaded = await asyncio.to_thread(_Loaded, self.store, self._role, doors)
        except (PasserelleError, OSError) as error:
            self._report(error.log if isinstance(error, PasserelleError) else str(error))
            return False
        for door, context in zip(doors, loaded.contexts, strict=True):
            door.newest = context
        changed = (
            loaded.pair.chain != self.pair.chain or loaded.client_pair.chain != self._loaded.client_pair.chain
        )
        self._loaded, self.problem = loaded, ""
        if changed:
            self.changes += 1
            log.info("certificate_in_use", serial=f"{loaded.pair.identity.serial:x}")
        return changed

    def _report(self, reason: str) -> None:
        if reason != self.problem:
            log.error("certificate_not_loaded", reason=reason)
        self.problem = reason
