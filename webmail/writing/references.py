"""Addresses in links: sealed, so that no address, and nobody's pharmacy, stands in a URL or a history."""

from __future__ import annotations

import base64
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from webmail.visit import Visit

_NONCE: Final = 12
_LONGEST: Final = 600


def reference_to(visit: Visit, address: str) -> str:
    """What stands for an address in a link of this session and space. Blocking the first time for a box."""
    nonce = os.urandom(_NONCE)
    sealed = _cipher(visit).encrypt(nonce, address.encode(), b"%d" % visit.box_id)
    return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def address_of(visit: Visit, reference: str) -> str:
    """The address, "" for a reference that is none of this session and space. Blocking as above."""
    if len(reference) > _LONGEST:
        return ""
    try:
        raw = base64.urlsafe_b64decode(reference + "=" * (-len(reference) % 4))
        return _cipher(visit).decrypt(raw[:_NONCE], raw[_NONCE:], b"%d" % visit.box_id).decode()
    except (ValueError, InvalidTag):
        return ""


def _cipher(visit: Visit) -> AESGCM:
    return AESGCM(hmac.digest(visit.token.encode(), b"adresses", "sha256"))
