"""What the sign-in tables hold in place of names and secrets: keyed digests and sealed values.

Both keys are derived from the home's master key: a copied table tells neither which card is whose, nor where
somebody's codes go, nor lets a six-digit code be tried out.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store import StoreError, key_file_passphrase

_NONCE_BYTES: Final = 12
#: Sealed values are filled up to a multiple of this, so that their length tells nothing.
_BLOCK: Final = 512


@functools.lru_cache(maxsize=8)
def _keys(home: Path) -> tuple[bytes, AESGCM]:
    derived = HKDF(SHA256(), 64, None, b"passerelle: sign-in").derive(key_file_passphrase(home))  # RFC 5869
    return derived[:32], AESGCM(derived[32:])


def tag(home: Path, what: str, *parts: str) -> bytes:
    """A keyed digest (32 bytes) of ``parts``; ``what`` keeps one use apart from another.

    Raises :class:`StoreError` when the home's master key cannot be read.
    """
    said = "\0".join([what, *(f"{len(part)}:{part}" for part in parts)])
    return hmac.new(_keys(home)[0], said.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def seal(home: Path, place: bytes, secret: bytes) -> bytes:
    """``secret`` sealed; ``place`` must be given again to open it. The length is hidden to 512 bytes."""
    whole = len(secret).to_bytes(4, "big") + secret
    whole += bytes(-len(whole) % _BLOCK)
    nonce = os.urandom(_NONCE_BYTES)  # NIST SP 800-38D §8.2.2
    return nonce + _keys(home)[1].encrypt(nonce, whole, place)


def unseal(home: Path, place: bytes, sealed: bytes) -> bytes:
    """The reverse of :func:`seal`. Raises :class:`StoreError` when it does not open."""
    try:
        whole = _keys(home)[1].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
    except (InvalidTag, ValueError):
        raise StoreError("store.key", "a sealed value does not open: wrong key or damaged bytes") from None
    return whole[4 : 4 + int.from_bytes(whole[:4], "big")]


def new_token() -> str:
    """A random name of 256 bits, for a flow, a session or a device: 43 letters."""
    return secrets.token_urlsafe(32)
