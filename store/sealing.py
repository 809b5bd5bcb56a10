"""Sealing rows: what tells of somebody's health is kept encrypted under the key of his box."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store import keys


class Sealer:
    """Seals and opens small values of one box; from :meth:`store.Store.sealer`.

    A value is bound to its ``place``, any name that tells one row from all others of the box: moved to
    another row it does not open. Destroying the box's key ends them all.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, place: str) -> bytes:
        """Encrypt ``plain`` (a few KiB at most) for the row ``place``."""
        return keys.wrap(self._cipher, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """The reverse. Raises :class:`StoreError` ``store.key``: another place or key, damaged bytes."""
        return keys.unwrap(self._cipher, sealed, place.encode())
