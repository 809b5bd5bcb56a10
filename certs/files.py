"""Certificates and revocation lists as files: PEM (one or several), DER, PKCS #7 bundles."""

from __future__ import annotations

import os
import re
import secrets
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from asn1crypto import cms

from certs.errors import CertificateUnreadable, TrustError
from certs.identity import DECODE_ERRORS

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.S)
_BASE64: Final = re.compile(rb"-----[^-]+-----|\s")

MAX_FILE_BYTES: Final = 256 * 1024 * 1024


def certificates_in(data: bytes) -> list[bytes]:
    """The DER certificates of one file's content, in the file's order.

    :param data: PEM with any number of certificates (other blocks are passed over), one DER
        certificate, or a PKCS #7 bundle (``.p7b``), as IGC-Santé publishes its chain.
    :raises CertificateUnreadable: there is none.
    """
    if b"-----BEGIN" in data:
        found = [_unarmour(block) for block in _CERTIFICATE.findall(data)]
        if found:
            return found
        if b"-----BEGIN PKCS7-----" not in data:
            raise CertificateUnreadable("no CERTIFICATE block in the PEM text")
        data = _unarmour(data)
    if not data.startswith(b"\x30"):
        raise CertificateUnreadable("neither PEM nor DER")
    # A SignedData begins with the OID pkcs7-signedData (RFC 2315 §9).
    if b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in data[:24]:
        try:
            held = cms.ContentInfo.load(data, strict=True)["content"]["certificates"]
            return [choice.chosen.dump() for choice in held if choice.name == "certificate"]
        except DECODE_ERRORS as error:
            raise CertificateUnreadable("the PKCS #7 bundle is malformed") from error
    return [data]


def crls_in(data: bytes) -> list[bytes]:
    """The DER revocation lists of one file's content (PEM or DER); empty when there is none."""
    if b"-----BEGIN" in data:
        return [_unarmour(block) for block in _CRL.findall(data)]
    return [data] if data.startswith(b"\x30") else []


def _unarmour(block: bytes) -> bytes:
    try:
        return b64decode(_BASE64.sub(b"", block), validate=True)
    except ValueError as error:
        raise CertificateUnreadable("bad base64 in the PEM text") from error


def read_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every plain file of ``folder``, in name order; hidden files passed over.

    :raises TrustError: a file is too big, or it or the folder cannot be read.
    """
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        paths = [path for path in found if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise TrustError(f"{folder.name}/ cannot be read: {error.strerror}") from error
    for path in paths:
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise TrustError(f"{path.name} is larger than {MAX_FILE_BYTES} bytes")
            yield path.name, path.read_bytes()
        except OSError as error:
            raise TrustError(f"{path.name} cannot be read: {error.strerror}") from error


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` so that a reader, or a crash, sees the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
