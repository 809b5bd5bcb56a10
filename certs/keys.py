"""Private keys: how they lie on the disk, and the certificates that belong to them.

A key of ours is kept as encrypted PKCS #8 (RFC 5958 §3; PBES2 with AES-256-CBC, RFC 8018 §6.2). Its
passphrase is derived from the home's master key, or comes from where the administrator keeps one. OpenSSL
wants keys as files: :meth:`KeyPair.lend` writes one that is sealed under a random passphrase and removes
it at once, so that a clear key never touches the disk.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from asn1crypto import pem, x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    pkcs12,
)

from certs.errors import CertificateUnreadable, KeyRefused
from certs.files import certificates_in
from certs.identity import Identity, identity, load_certificate
from store import key_file_passphrase

T = TypeVar("T")
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Ask = Callable[[str], bytes]

_KEY_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.S)
_SEALED: Final = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.M)
_LEAST_RSA_BITS: Final = 2048
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_LARGEST_FILE: Final = 1024 * 1024


class KeySafe:
    """Seals private keys into PEM, and opens them, with one passphrase that is fetched when needed."""

    def __init__(self, passphrase: Callable[[], bytes], where: str) -> None:
        self.passphrase: Final = functools.cache(passphrase)
        self.where: Final = where

    @classmethod
    def of(cls, home: Path, where: str = "") -> KeySafe:
        """The safe of a home.

        :param where: empty: derived from ``master.key``. ``file:PATH`` (relative to the home),
            ``env:NAME``, or ``credential:NAME`` of systemd (``$CREDENTIALS_DIRECTORY``).
        :raises KeyRefused: ``where`` is none of them. What it names is looked for at first use.
        """
        kind, _, name = where.partition(":")
        if not where:
            return cls(lambda: key_file_passphrase(home), "master.key")
        if kind == "file" and name:
            return cls(lambda: _of_file(home / name), where)
        if kind == "env" and name:
            return cls(lambda: _of_environment(name), where)
        if kind == "credential" and name and "/" not in name:
            return cls(lambda: _of_credential(name), where)
        raise KeyRefused("tls.passphrase: give file:PATH, env:NAME or credential:NAME")

    def seal(self, key: PrivateKey) -> bytes:
        """PEM, encrypted."""
        return _sealed(key, self.passphrase())

    def open(self, data: bytes) -> PrivateKey:
        """The key of a PEM text, sealed by us or in clear.

        :raises KeyRefused: there is none, it is of a kind that is not used, or it was sealed elsewhere.
        """
        return _pem_key(
            data, lambda: self.passphrase(), f"it does not open with the passphrase of {self.where}"
        )


class KeyPair(msgspec.Struct, frozen=True, eq=False):
    """A private key and its certificate. ``chain``: DER, leaf first, then its intermediates."""

    chain: tuple[bytes, ...]
    key: PrivateKey

    @classmethod
    def make(cls, chain: Sequence[bytes], key: PrivateKey) -> KeyPair:
        """:raises KeyRefused: the first certificate is not the key's."""
        if not chain or not belongs(chain[0], key):
            raise KeyRefused("the private key does not belong to the certificate")
        return cls(tuple(chain), key)

    @property
    def identity(self) -> Identity:
        """Who the certificate says we are. Decoded at each call."""
        return identity(self.chain[0])

    @property
    def kind(self) -> str:
        """Such as "RSA 2048" or "EC P-256"."""
        return kind_of(self.key)

    def pem(self, safe: KeySafe) -> bytes:
        """Sealed key and chain in one text."""
        return safe.seal(self.key) + self.chain_pem()

    def chain_pem(self) -> bytes:
        """The certificates."""
        return chain_pem(self.chain)

    def lend(self, use: Callable[[Path, Path, bytes], T]) -> T:
        """``use(certificate file, key file, passphrase)`` with files that are gone afterwards. Blocking."""
        once = secrets.token_hex(32).encode()
        with tempfile.TemporaryDirectory(prefix="pair-") as folder:  # mode 0700
            file = Path(folder) / "pair.pem"
            file.write_bytes(_sealed(self.key, once) + self.chain_pem())
            return use(file, file, once)


class Bundle(msgspec.Struct, frozen=True):
    """What a file to import holds."""

    certificates: tuple[bytes, ...]
    key: PrivateKey | None


def belongs(certificate: bytes, key: PrivateKey) -> bool:
    """Whether the certificate (DER) is that of the key."""
    try:
        info = load_certificate(certificate).public_key.dump()
        return load_der_public_key(info) == key.public_key()
    except (CertificateUnreadable, UnsupportedAlgorithm, ValueError):
        return False


def kind_of(key: PrivateKey) -> str:
    """The kind and size of a key, for people."""
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"


def is_sealed(data: bytes) -> bool:
    """Whether the private key of a PEM text is encrypted."""
    return _SEALED.search(data) is not None


def holds_key(data: bytes) -> bool:
    """Whether a PEM text holds a private key."""
    return _KEY_BLOCK.search(data) is not None


def read_bundle(data: bytes, ask: Ask) -> Bundle:
    """The certificates and the key of one file: PEM in any order, DER of either, PKCS #7, PKCS #12.

    :param ask: gives a passphrase when one is needed; called with what it is for.
    :raises KeyRefused: nothing of the sort, a wrong passphrase, or a kind of key that is not used.
    """
    if len(data) > _LARGEST_FILE:
        raise KeyRefused(f"the file is larger than {_LARGEST_FILE} octets")
    try:
        if b"-----BEGIN" in data:
            return _pem_bundle(data, ask)
        if _inside(data)[:3] == b"\x02\x01\x03":  # PFX ::= SEQUENCE { version 3, … } (RFC 7292 §4)
            return _pkcs12(data, ask)
        if key := _der_key(data, ask):
            return Bundle((), key)
        found = tuple(certificates_in(data))
        for der in found:
            load_certificate(der, whole=True)
    except CertificateUnreadable as error:
        raise KeyRefused(f"neither PEM, DER nor PKCS #12: {error.peer}") from error
    return Bundle(found, None)


def ordered_chain(
    certificates: Sequence[bytes], key: PrivateKey, known: Sequence[x509.Certificate]
) -> list[bytes]:
    """The key's certificate and its issuers up to, and without, a root; each found by its name.

    :param known: intermediates that complete a file without them.
    :raises KeyRefused: no certificate belongs to the key.
    """
    leaf = next((der for der in certificates if belongs(der, key)), None)
    if leaf is None:
        raise KeyRefused("the private key does not belong to the certificate")
    held = [load_certificate(der) for der in certificates if der != leaf]
    chain = [load_certificate(leaf)]
    while (issuer := _issuer(chain[-1], [*held, *known])) is not None and issuer not in chain:
        chain.append(issuer)
    return [certificate.dump() for certificate in chain]


def _issuer(of: x509.Certificate, held: Sequence[x509.Certificate]) -> x509.Certificate | None:
    if of.self_issued:
        return None
    for one in held:
        if one.subject == of.issuer and not one.self_issued:
            wanted, has = of.authority_key_identifier, one.key_identifier
            if wanted is None or has is None or wanted == has:
                return one
    return None


def chain_pem(chain: Sequence[bytes]) -> bytes:
    """Certificates as PEM, in their order."""
    return b"".join(pem.armor("CERTIFICATE", der) for der in chain)


def _pem_bundle(data: bytes, ask: Ask) -> Bundle:
    key = None
    if holds_key(data):
        key = _pem_key(data, lambda: ask("the private key"), "wrong passphrase of the private key")
    certificates: tuple[bytes, ...] = ()
    if b"-----BEGIN CERTIFICATE-----" in data or b"-----BEGIN PKCS7-----" in data:
        certificates = tuple(certificates_in(data))
        for der in certificates:
            load_certificate(der, whole=True)
    if key is None and not certificates:
        raise KeyRefused("the PEM text holds neither a certificate nor a private key")
    return Bundle(certificates, key)


def _pem_key(data: bytes, passphrase: Callable[[], bytes], wrong: str) -> PrivateKey:
    blocks = [match[0] for match in _KEY_BLOCK.finditer(data)]
    if len(blocks) != 1:
        raise KeyRefused("there is no private key in the PEM text" if not blocks else "several private keys")
    secret = passphrase() if is_sealed(blocks[0]) else None
    return _loaded(lambda: load_pem_private_key(blocks[0], secret), wrong if secret is not None else "")


def _der_key(data: bytes, ask: Ask) -> PrivateKey | None:
    inside = _inside(data)
    if inside[:3] in (b"\x02\x01\x00", b"\x02\x01\x01"):  # PrivateKeyInfo, RSAPrivateKey, ECPrivateKey
        return _loaded(lambda: load_der_private_key(data, None), "")
    # EncryptedPrivateKeyInfo begins with the scheme: an OID of PKCS #5 or PKCS #12
    if inside[:1] == b"\x30" and b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05" in inside[:20]:
        secret = ask("the private key")
        return _loaded(lambda: load_der_private_key(data, secret), "wrong passphrase of the private key")
    return None


def _pkcs12(data: bytes, ask: Ask) -> Bundle:
    secret = ask("the PKCS #12 file")
    try:
        held = pkcs12.load_pkcs12(data, secret)
    except UnsupportedAlgorithm as error:
        raise KeyRefused(
            "the PKCS #12 file uses an old encryption: convert it with `openssl pkcs12 -legacy`"
        ) from error
    except (ValueError, TypeError) as error:
        raise KeyRefused("the PKCS #12 file is damaged, or its passphrase is another") from error
    certificates = [held.cert, *held.additional_certs]
    ders = tuple(one.certificate.public_bytes(Encoding.DER) for one in certificates if one is not None)
    return Bundle(ders, None if held.key is None else _fit(held.key))


def _loaded(load: Callable[[], object], wrong: str) -> PrivateKey:
    try:
        return _fit(load())
    except UnsupportedAlgorithm as error:
        raise KeyRefused("the private key is of a kind that is not used here") from error
    except (ValueError, TypeError) as error:
        raise KeyRefused(wrong or "the private key is damaged") from error


def _fit(key: object) -> PrivateKey:
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _LEAST_RSA_BITS:
            raise KeyRefused(f"an RSA key of {key.key_size} bits is too short: {_LEAST_RSA_BITS} at least")
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    raise KeyRefused("the private key is neither RSA nor of the curves P-256, P-384 and P-521")


def _sealed(key: PrivateKey, passphrase: bytes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


def _inside(data: bytes) -> bytes:
    """What follows the header of the outermost SEQUENCE."""
    if data[:1] != b"\x30" or len(data) < 4:
        return b""
    return data[2 + (data[1] & 0x7F if data[1] & 0x80 else 0) :]


def _of_file(path: Path) -> bytes:
    try:
        return _clean(path.read_bytes(), str(path.name))
    except OSError as error:
        raise KeyRefused(f"the passphrase file {path.name} cannot be read: {error.strerror}") from error


def _of_environment(name: str) -> bytes:
    return _clean(os.environ.get(name, "").encode(), f"the variable {name}")


def _of_credential(name: str) -> bytes:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise KeyRefused("there is no $CREDENTIALS_DIRECTORY: start under systemd with LoadCredential=")
    return _of_file(Path(folder) / name)


def _clean(text: bytes, where: str) -> bytes:
    passphrase = text.rstrip(b"\r\n")
    if not passphrase or b"\n" in passphrase:
        raise KeyRefused(f"{where} does not hold one line with a passphrase")
    return passphrase
