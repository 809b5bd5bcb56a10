"""Signing with a key that never leaves its hardware module (PKCS #11 v2.40).

A key is named by a URI (RFC 7512), of which these parts are understood::

    pkcs11:token=Signature;object=recus?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/pin

``token`` or ``serial`` finds the token, ``object`` (its label) or ``id`` the key; the PIN is the first line
of the file ``pin-source``. A PIN inside the URI is refused: settings are read by many.

For signatures only. The key of our TLS servers has to be a file: Python's :mod:`ssl` takes no other.
OpenSSL could be handed one through an engine or a provider and the door of :mod:`certs.libssl`; that was
left, because each handshake would wait for the module on the event loop with every session behind it,
engines are gone from OpenSSL 4, and the provider has to be set up in the machine's own OpenSSL
configuration, which no test of ours sees.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certs.errors import KeyRefused
from certs.identity import load_certificate
from certs.signer import SignatureAlgorithm

try:
    import pkcs11
except ImportError:  # the extra `hsm` is not installed
    pkcs11 = None  # type: ignore[assignment]  # looked at before any use

log = structlog.get_logger("certs")

SCHEME: Final = "pkcs11:"
_PATH_PARTS: Final = frozenset({"token", "serial", "object", "id", "type"})
_QUERY_PARTS: Final = frozenset({"module-path", "pin-source"})
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PROOF: Final = b"does this key belong to the certificate?"


class TokenUri(msgspec.Struct, frozen=True, kw_only=True):
    """Where a key is. Empty: not said."""

    module: Path
    pin: Path
    token: str = ""
    serial: str = ""
    label: str = ""
    key_id: bytes = b""


def parse_uri(text: str) -> TokenUri:
    """Read a ``pkcs11:`` URI.

    :raises KeyRefused: it is none, says too little, or holds a part that is not understood.
    """
    if not text.startswith(SCHEME):
        raise KeyRefused("a key in a module is named by a URI that begins with pkcs11:")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    found = {**_parts(path, ";", _PATH_PARTS), **_parts(query, "&", _QUERY_PARTS)}
    if found.get("type", b"private") != b"private":
        raise KeyRefused("pkcs11: type must be private")
    module, pin = _path(found, "module-path"), _path(found, "pin-source")
    if not {"token", "serial"} & found.keys() or not {"object", "id"} & found.keys():
        raise KeyRefused("pkcs11: name the token (token or serial) and the key (object or id)")
    return TokenUri(
        module=module,
        pin=pin,
        token=_text(found, "token"),
        serial=_text(found, "serial"),
        label=_text(found, "object"),
        key_id=found.get("id", b""),
    )


def _parts(text: str, separator: str, known: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise KeyRefused("pkcs11: a PIN does not belong into the settings, use pin-source")
        if name not in known or not equals:
            raise KeyRefused(f"pkcs11: {_ascii(name)} is not understood")
        if name in found:  # RFC 7512 §2.3: an attribute stands once
            raise KeyRefused(f"pkcs11: {name} stands twice")
        if _BAD_ESCAPE.search(value) or not value.isascii() or not value:
            raise KeyRefused(f"pkcs11: the value of {name} cannot be read")
        found[name] = unquote_to_bytes(value)
    return found


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:40]


def _text(found: dict[str, bytes], name: str) -> str:
    try:
        return found.get(name, b"").decode()
    except UnicodeDecodeError:
        raise KeyRefused(f"pkcs11: the value of {name} cannot be read") from None


def _path(found: dict[str, bytes], name: str) -> Path:
    path = _text(found, name).removeprefix("file:")
    if not path.startswith("/") or "\0" in path:
        raise KeyRefused(f"pkcs11: {name} must be an absolute path")
    return Path(path)


class HsmSigner:
    """A :class:`certs.Signer` whose key is in a module. It logs in when it is first needed, and again after
    the module was gone."""

    def __init__(self, uri: str, chain: Sequence[bytes]) -> None:
        """
        :param chain: DER, the key's certificate first.
        :raises KeyRefused: the module, the token, the PIN or the key fails, or the key is not the
            certificate's. Blocking.
        """
        if pkcs11 is None:
            raise KeyRefused("keys in a module need the extra `hsm` (python-pkcs11)")
        if not chain:
            raise KeyRefused("a key in a module needs its certificate in a file")
        self.chain: Final = tuple(chain)
        self._uri: Final = parse_uri(uri)
        self._public: Final = _public_key(chain[0])
        self.algorithm: Final[SignatureAlgorithm] = (
            "rsa-sha256" if isinstance(self._public, rsa.RSAPublicKey) else "ecdsa-sha256"
        )
        self._lock: Final = threading.Lock()
        self._wrong_pin = False
        self._key: Any = None
        self._session: Any = None
        self._prove(self.sign(_PROOF))

    def sign(self, data: bytes) -> bytes:
        """See :class:`certs.Signer`. Raises :class:`KeyRefused` when the module does not answer."""
        with self._lock:  # a session does one thing at a time
            if self._wrong_pin:  # a few more and the token locks itself for good
                raise KeyRefused("the module refused the PIN: mend it and start again")
            try:
                return self._sign(data)
            except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinExpired) as error:
                self._wrong_pin = True
                self._forget()
                raise KeyRefused("the module refuses the PIN") from error
            except pkcs11.PKCS11Error as error:
                log.warning("module_signs_not", error=type(error).__name__)
                self._forget()
            try:
                return self._sign(data)
            except pkcs11.PKCS11Error as error:
                self._forget()
                raise KeyRefused(f"the module does not sign: {_why(error)}") from error

    def close(self) -> None:
        """Log out."""
        with self._lock:
            self._forget()

    def _sign(self, data: bytes) -> bytes:
        key = self._opened()
        if self.algorithm == "rsa-sha256":
            return bytes(key.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
        hasher = hashes.Hash(hashes.SHA256())
        hasher.update(data)
        # not every module hashes for ECDSA; what it signs is the bare pair r, s (PKCS #11 v2.40 §2.3.1)
        pair = bytes(key.sign(hasher.finalize(), mechanism=pkcs11.Mechanism.ECDSA))
        half = len(pair) // 2
        return encode_dss_signature(int.from_bytes(pair[:half]), int.from_bytes(pair[half:]))

    def _opened(self) -> Any:
        if self._key is None:
            uri = self._uri
            self._session = self._token().open(user_pin=_pin(uri.pin))
            wanted: dict[Any, Any] = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
            if uri.label:
                wanted[pkcs11.Attribute.LABEL] = uri.label
            if uri.key_id:
                wanted[pkcs11.Attribute.ID] = uri.key_id
            keys = list(self._session.get_objects(wanted))
            if len(keys) != 1:
                self._forget()
                raise KeyRefused(f"the token holds {len(keys)} private keys of that name, not one")
            self._key = keys[0]
        return self._key

    def _token(self) -> Any:
        uri = self._uri
        try:
            library = pkcs11.lib(str(uri.module))
            found = [
                token
                for slot in library.get_slots(token_present=True)
                if (token := _token_of(slot)) is not None
                and (not uri.token or token.label == uri.token)
                and (not uri.serial or token.serial.decode("ascii", "replace") == uri.serial)
            ]
        except (RuntimeError, OSError) as error:  # no such library, or none
            raise KeyRefused(f"the module {uri.module.name} cannot be loaded") from error
        if len(found) != 1:
            raise KeyRefused(f"{len(found)} tokens of that name are there, not one")
        return found[0]

    def _forget(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error as error:
                log.debug("module_gone", error=type(error).__name__)

    def _prove(self, signature: bytes) -> None:
        try:
            if isinstance(self._public, rsa.RSAPublicKey):
                self._public.verify(signature, _PROOF, padding.PKCS1v15(), hashes.SHA256())
            else:
                self._public.verify(signature, _PROOF, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            self.close()
            raise KeyRefused("the key of the module does not belong to the certificate") from None


def _token_of(slot: Any) -> Any:
    try:
        return slot.get_token()
    except pkcs11.PKCS11Error:
        return None  # a slot of another kind, not initialised


def _public_key(der: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(load_certificate(der).public_key.dump())
    except ValueError as error:
        raise KeyRefused("the certificate's key cannot be read") from error
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise KeyRefused("the certificate's key is neither RSA nor elliptic")
    return key


def _pin(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise KeyRefused(f"the PIN cannot be read from {path.name}") from error


def _why(error: BaseException) -> str:
    """PKCS #11's own name of the failure."""
    return str(error) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
