"""A software authenticator: makes ES256 key pairs and answers both WebAuthn ceremonies as a browser would."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: Any) -> bytes:
    """Canonical CBOR (RFC 8949) of what a ceremony needs: integers, bytes, texts, maps."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(value[key]) for key in value)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for extra, size in ((24, 1), (25, 2), (26, 4)):
        if number < 1 << (8 * size):
            return bytes([major << 5 | extra]) + number.to_bytes(size, "big")
    raise ValueError(number)


class Authenticator:
    """One credential; ``counts`` says whether its signatures are counted."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin = origin
        self.counts = counts
        self.count = 0
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential = os.urandom(32)
        self.user_handle = b""

    def create(self, options: str, *, flags: int = UP | UV, rp_id: str = "", **client: str) -> str:
        """What ``navigator.credentials.create`` gives, as JSON."""
        asked = json.loads(options)
        assert asked["authenticatorSelection"]["userVerification"] == "required"
        assert asked["attestation"] == "none"
        self.user_handle = unb64(asked["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        public = cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})  # RFC 9053: EC2, ES256, P-256
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + public
        data = self._data(rp_id or asked["rp"]["id"], flags | AT) + attested
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", asked["challenge"], client)),
            "attestationObject": b64(cbor({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._answer(response)

    def get(
        self, options: str, *, flags: int = UP | UV, rp_id: str = "", user_handle: bytes = b"", **client: str
    ) -> str:
        """What ``navigator.credentials.get`` gives, as JSON."""
        asked = json.loads(options)
        assert asked["userVerification"] == "required"
        assert not asked.get("allowCredentials")
        data = self._data(rp_id or asked["rpId"], flags)
        said = self._client("webauthn.get", asked["challenge"], client)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": b64(said),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": b64(user_handle or self.user_handle),
        }
        return self._answer(response)

    def _data(self, rp_id: str, flags: int) -> bytes:
        if self.counts:
            self.count += 1
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str, other: dict[str, str]) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | other).encode()

    def _answer(self, response: dict[str, str]) -> str:
        name = b64(self.credential)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )
