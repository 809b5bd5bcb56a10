"""Responders for tests: answers made to measure, a small HTTP server, and Debian's `openssl ocsp`."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import core
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from certs import DemoPki, Issued
from certs.ocsp import OcspResponders
from certs.pki_profiles import AUTHORITY_NAMES, CLIENT, SERVER, extended, key_usage, organisation_name
from certs.settings import OcspSection, TrustSettings
from store import now_ms

# The one clock of these tests: answers are made by programs that look at the machine's.
NOW = now_ms() // 1000 * 1000
HOUR = 3_600_000
DAY = 24 * HOUR
ISSUER = AUTHORITY_NAMES["organisations"]

Handler = Callable[[bytes, bytes], Awaitable[bytes]]  # (head, body) -> the whole HTTP answer


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def loaded(der: bytes) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(der)


def issue(
    pki: DemoPki,
    name: str,
    url: str = "",
    *,
    authority: str = "organisations",
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """A leaf for client and server, whose responder is at ``url``."""
    extensions = [key_usage(signature=True), extended(CLIENT, SERVER), *extra]
    if url:
        where = x509.UniformResourceIdentifier(url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
        extensions.append((x509.AuthorityInformationAccess([access]), False))
    subject = organisation_name(cn=f"{name}.test", ou="1690000007", o="ESSAI", st="Paris (75)")
    return pki.issue(name, subject, extensions, authority=authority)


def delegate(
    pki: DemoPki, name: str, *, signing: bool = True, nocheck: bool = True, begin: int = 0, end: int = 0
) -> Issued:
    """A certificate to sign answers with, of the authority "organisations"."""
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if signing else ExtendedKeyUsageOID.CLIENT_AUTH
    extensions = [key_usage(signature=True), extended(usage)]
    if nocheck:
        extensions.append((x509.OCSPNoCheck(), False))
    subject = organisation_name(cn=f"Repondeur {name}", ou="1690000007", o="ESSAI", st="Paris (75)")
    return pki.issue(name, subject, extensions, begin=begin or None, end=end or None)


def answer(
    pki: DemoPki,
    about: bytes,
    *,
    signer: Issued | str = "organisations",
    key: Any = None,
    issuer: str = "organisations",
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    begin: int = NOW - HOUR,
    end: int | None = NOW + DAY,
    revoked_at: int = 0,
    reason: x509.ReasonFlags | None = None,
    nonce: bytes = b"",
    digest: hashes.HashAlgorithm | None = None,
    identifier: hashes.HashAlgorithm | None = None,
    by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.NAME,
    shown: Sequence[bytes] | None = None,
) -> bytes:
    """An OCSPResponse about the certificate ``about`` (DER), right unless told otherwise."""
    authority, authority_secret = pki.authority(issuer)
    if isinstance(signer, str):
        certificate, secret = pki.authority(signer)
        certificates: list[x509.Certificate] = []
    else:
        certificate = x509.load_der_x509_certificate(signer.der)
        secret = load_pem_private_key(signer.key.read_bytes(), None)  # type: ignore[assignment]
        certificates = [certificate]
    if shown is not None:
        certificates = [x509.load_der_x509_certificate(der) for der in shown]
    assert isinstance(authority_secret, ec.EllipticCurvePrivateKey)
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        x509.load_der_x509_certificate(about),
        authority,
        identifier or hashes.SHA1(),
        status,
        moment(begin),
        None if end is None else moment(end),
        moment(revoked_at or NOW - 2 * DAY) if revoked else None,
        reason if revoked else None,
    )
    builder = builder.responder_id(by, certificate)
    if certificates:
        builder = builder.certificates(certificates)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    response = builder.sign(secret, digest or hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]  # keys of our own PKI
    return response if key is None else changed(response, key=key)


def basic_of(response: bytes) -> Any:
    return asn1_ocsp.OCSPResponse.load(response).basic_ocsp_response


def packed(basic: Any) -> bytes:
    """A basic response inside its envelope."""
    body = core.ParsableOctetString(basic.dump(force=True))
    inner = {"response_type": "basic_ocsp_response", "response": body}
    return bytes(asn1_ocsp.OCSPResponse({"response_status": "successful", "response_bytes": inner}).dump())


def changed(
    response: bytes, change: Callable[[Any], None] = lambda _: None, *, key: ec.EllipticCurvePrivateKey
) -> bytes:
    """The same with its data changed, signed anew."""
    basic = basic_of(response)
    change(basic["tbs_response_data"])
    basic["signature"] = key.sign(basic["tbs_response_data"].dump(force=True), ec.ECDSA(hashes.SHA256()))
    return packed(basic)


def refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def http(body: bytes, status: str = "200 OK", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/ocsp-response\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + extra.encode() + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def responder(handler: Handler | bytes, *, slow: float = 0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve ``handler``, or one body to everybody; gives the URL and the questions asked so far."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            asked.append(head + body)
            whole = http(handler) if isinstance(handler, bytes) else await handler(head, body)
            for place in range(0, len(whole), 64 if slow else len(whole)):
                writer.write(whole[place : place + (64 if slow else len(whole))])
                await writer.drain()
                await asyncio.sleep(slow)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def settings(url: str = "", **options: Any) -> TrustSettings:
    """Demo settings; ``url`` is the responder of the authority "organisations"."""
    override = {"responders": {ISSUER: url}} if url else {}
    return TrustSettings(mode="demo", ocsp=OcspSection(**{**override, **options}))


def responders(url: str = "", *, at: int = NOW, **options: Any) -> OcspResponders:
    return OcspResponders(settings(url, **options), clock=lambda: at)


def index_txt(path: Path, *, good: Sequence[Issued] = (), revoked: Sequence[tuple[Issued, int]] = ()) -> Path:
    """The database that `openssl ocsp` reads, as `openssl ca` writes it. Revocation times in ms."""

    def day(ms: int) -> str:
        return moment(ms).strftime("%y%m%d%H%M%SZ")

    lines = []
    for state, one, at in [("V", i, 0) for i in good] + [("R", i, at) for i, at in revoked]:
        end = x509.load_der_x509_certificate(one.der).not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
        when = f"{day(at)},keyCompromise" if at else ""
        serial = f"{one.serial:X}"
        lines.append(f"{state}\t{end}\t{when}\t{serial.zfill(len(serial) + len(serial) % 2)}\tunknown\t/CN=x")
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@contextmanager
def openssl_ocsp(index: Path, authority: Path, signer: Path, key: Path, *more: str) -> Iterator[str]:
    """A running `openssl ocsp`; gives its URL."""
    process = subprocess.Popen(
        ["openssl", "ocsp", "-port", "0", "-index", str(index), "-CA", str(authority),
         "-rsigner", str(signer), "-rkey", str(key), *more],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        port = re.search(r":(\d+) PID", line)
        assert port is not None, line
        yield f"http://127.0.0.1:{port[1]}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
