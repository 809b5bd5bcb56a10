"""Keys: a master key wraps one key per box, a box key wraps one key per message.

Destroying ``box.wrapped_key`` makes every body, subject and envelope of that box unreadable, in the
live store and in every backup of it that lacks the key (R.1111-36 CSP: deletion on request).
All wrapping is AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D §8.2.2) and associated data
that binds the key to its place.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.errors import StoreError
from store.files import write_private

KEY_BYTES = 32
_NONCE_BYTES = 12


def load_master_key(path: Path, *, create: bool = False) -> bytes:
    """The 32-byte master key kept as hexadecimal in ``path`` (mode 0600), made when ``create`` and absent.

    Raises :class:`StoreError` when it is missing or not 64 hexadecimal digits.
    """
    if create and not path.exists():
        write_private(path, f"{new_key().hex()}\n".encode())
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise StoreError(
            "store.key", f"the master key cannot be read: {type(error).__name__}", fault="config"
        ) from None
    if len(key) != KEY_BYTES:
        raise StoreError("store.key", "the master key is not 32 bytes long", fault="config")
    return key


def key_file_passphrase(home: Path) -> bytes:
    """The passphrase of a home's private key files: 64 hexadecimal digits derived from ``master.key``.

    Raises :class:`StoreError` when the master key cannot be read.
    """
    # RFC 5869 §3.2: the info keeps what is derived apart from the master key's own use
    derived = HKDF(SHA256(), KEY_BYTES, None, b"passerelle: private key files")
    return derived.derive(load_master_key(home / "master.key")).hex().encode()


def new_key() -> bytes:
    """Random bytes for a new key."""
    return os.urandom(KEY_BYTES)


def wrap(cipher: AESGCM, secret: bytes, place: bytes) -> bytes:
    """``secret`` sealed under ``cipher``; ``place`` must be given again to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, secret, place)


def unwrap(cipher: AESGCM, sealed: bytes, place: bytes) -> bytes:
    """The reverse of :func:`wrap`. Raises :class:`StoreError` when key, place or bytes are not the same."""
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
    except (InvalidTag, ValueError):
        raise StoreError("store.key", "a sealed value does not open: wrong key or damaged bytes") from None
