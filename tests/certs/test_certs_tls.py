"""Any client gets through the handshake, is seen whole, and is answered with the failing check."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from certs_fixtures import Load
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certs import (
    DemoPki,
    TlsUnavailable,
    TrustStore,
    client_context,
    libssl,
    operators_context,
    peer_chain,
    server_context,
    tls,
    verify_self,
)

Chain = Callable[[str], list[bytes]]

EXPECTED = {
    "hospital": "good",
    "doctor": "good",
    "revoked": "sender.revoked",
    "expired": "sender.certificate",
    "stranger": "sender.certificate",
}


@asynccontextmanager
async def _judge(pki: DemoPki, store: TrustStore) -> AsyncIterator[int]:
    """A TLS server that tells each client the verdict on its certificate, and the chain's length."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = peer_chain(writer.get_extra_info("ssl_object"))
        verdict = await store.check(shown, "client")
        writer.write(f"{len(shown)} {verdict.rule or 'good'} {verdict.reason}\r\n".encode())
        await writer.drain()
        writer.close()

    context = operators_context(*pki.paths("gateway"))
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _ask(port: int, context: ssl.SSLContext) -> tuple[str, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    version = writer.get_extra_info("ssl_object").version()
    line = (await reader.readline()).decode()
    writer.close()
    await writer.wait_closed()
    return line, version


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_every_certificate_completes_the_handshake(
    shared: DemoPki, load: Load, version: ssl.TLSVersion
) -> None:
    async with _judge(shared, load(shared)) as port:
        for name, outcome in EXPECTED.items():
            context = client_context(*shared.paths(name))
            context.maximum_version = version
            line, spoken = await _ask(port, context)
            assert line.startswith(f"2 {outcome} "), line  # leaf and intermediate, both seen
            assert spoken == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        line, _ = await _ask(port, client_context())
        assert line == "0 sender.certificate No certificate was presented\r\n"


async def test_a_second_session_shows_its_certificate_again(shared: DemoPki, load: Load) -> None:
    async with _judge(shared, load(shared)) as port:
        context = client_context(*shared.paths("hospital"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        for _ in range(3):
            assert (await _ask(port, context))[0].startswith("2 good")


def test_the_peer_still_proves_its_key(chain: Chain, shared: DemoPki) -> None:
    """Only the chain's verification is replaced: another's certificate without its key gets nowhere.

    A client cannot be made to lie through the ssl module, so the bytes on the wire are changed.
    """
    server = operators_context(*shared.paths("gateway"))
    client = client_context(*shared.paths("hospital"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    wire = ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, wire)
    mine, stolen = chain("hospital")[0], shared.issued("clinic").der
    # The same length of key: the hospital's point is replaced by the clinic's in the certificate.
    point = x509.load_der_x509_certificate(mine).public_key()
    other = x509.load_der_x509_certificate(stolen).public_key()
    swap = [k.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for k in (point, other)]
    changed = False
    # CertificateVerify, RFC 5246 §7.4.8
    with pytest.raises(ssl.SSLError, match="BAD_SIGNATURE"):
        for _ in range(8):
            for side in (theirs, ours):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
                flight = wire.read()
                changed = changed or swap[0] in flight
                to_server.write(flight.replace(*swap))
    assert changed


async def test_other_suites_are_refused(shared: DemoPki, load: Load) -> None:
    async with _judge(shared, load(shared)) as port:
        for suite in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA256"):
            context = client_context(*shared.paths("hospital"))
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(suite)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await _ask(port, context)
    assert operators_context(*shared.paths("gateway")).minimum_version is ssl.TLSVersion.TLSv1_2


async def test_the_client_sees_the_servers_chain(shared: DemoPki, load: Load, chain: Chain) -> None:
    async with _judge(shared, load(shared)) as port:
        context = client_context(*shared.paths("hospital"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        seen = peer_chain(writer.get_extra_info("ssl_object"))
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert seen == chain("gateway")
    verdict = await load(shared).check(seen, "server")
    assert verdict.ok
    assert "localhost" in verdict.identity.hosts


class _Smtp(SMTP):
    """Answers EHLO after STARTTLS with the verdict, as the operators' port will."""

    store: TrustStore

    async def smtp_EHLO(self, hostname: str) -> None:
        if self._tls_protocol is not None:
            verdict = await self.store.check(
                peer_chain(self.transport.get_extra_info("ssl_object")), "client"
            )
            if not verdict.ok:
                await self.push(f"550 5.7.1 {verdict.reason} [{verdict.rule}]")
                return
        await super().smtp_EHLO(hostname)


@asynccontextmanager
async def _smtp(pki: DemoPki, store: TrustStore) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    context = operators_context(*pki.paths("gateway"))
    _Smtp.store = store
    server = await loop.create_server(
        lambda: _Smtp(object(), tls_context=context, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _openssl(port: int, pki: DemoPki, name: str, said: bytes, *options: str) -> str:
    pem, key = pki.paths(name)
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-cert", str(pem),
        "-key", str(key), "-cert_chain", str(pem), *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(said), 20)
    return out.decode()


@pytest.mark.package("openssl")
@pytest.mark.parametrize(("name", "outcome"), EXPECTED.items())
async def test_openssl_over_plain_tls(shared: DemoPki, load: Load, name: str, outcome: str) -> None:
    async with _judge(shared, load(shared)) as port:
        assert f" {outcome} " in await _openssl(port, shared, name, b"")


@pytest.mark.package("openssl")
@pytest.mark.parametrize(("name", "outcome"), EXPECTED.items())
async def test_openssl_starttls_gets_the_reason_in_a_reply(
    shared: DemoPki, load: Load, name: str, outcome: str
) -> None:
    async with _smtp(shared, load(shared)) as port:
        said = await _openssl(port, shared, name, b"EHLO peer\r\nQUIT\r\n", "-starttls", "smtp")
    if outcome == "good":
        assert "250 HELP" in said
        assert "550" not in said
    else:
        assert "550 5.7.1 " in said
        assert f"[{outcome}]" in said


def test_a_port_without_client_certificates(shared: DemoPki) -> None:
    assert server_context(*shared.paths("gateway")).verify_mode is ssl.CERT_NONE


def test_certificate_and_key_that_do_not_match(shared: DemoPki) -> None:
    with pytest.raises(ssl.SSLError):
        operators_context(shared.paths("gateway")[0], shared.paths("clinic")[1])


# -- the safety of the one unusual step ---------------------------------------------------------


def test_self_test_passes_here() -> None:
    verify_self.cache_clear()
    verify_self()


def test_unknown_python_is_refused_aloud(monkeypatch: pytest.MonkeyPatch, shared: DemoPki) -> None:
    monkeypatch.setattr(libssl, "LAYOUT_KNOWN", frozenset({(3, 99)}))
    with pytest.raises(TlsUnavailable, match=r"needs CPython 3\.99"):
        tls._requesting_context(*shared.paths("gateway"))


def test_pointer_of_another_context_is_not_believed(monkeypatch: pytest.MonkeyPatch, shared: DemoPki) -> None:
    """What the cross-check is for: a pointer to a live SSL_CTX that is not this context's."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked = server_context(*shared.paths("gateway"))

    class Elsewhere:
        @staticmethod
        def from_address(_: int) -> Any:
            return ctypes.c_void_p.from_address(id(other) + object.__basicsize__)

    monkeypatch.setattr(libssl, "POINTER", Elsewhere)
    with pytest.raises(TlsUnavailable, match="not laid out as expected"):
        libssl.context_pointer(asked)
    monkeypatch.undo()
    assert libssl.context_pointer(asked)


def test_if_the_call_had_no_effect_the_self_test_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(certificate: Path, key: Path) -> ssl.SSLContext:
        context = server_context(certificate, key)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    monkeypatch.setattr(tls, "_requesting_context", without)
    verify_self.cache_clear()
    with pytest.raises(TlsUnavailable, match="refused by OpenSSL"):
        verify_self()
    verify_self.cache_clear()
