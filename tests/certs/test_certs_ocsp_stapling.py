"""RFC 6066 §8 both ways, with OpenSSL's own programs at the other end."""

from __future__ import annotations

import asyncio
import gc
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certs_ocsp import DAY, HOUR, NOW, answer, http, issue, responder
from cryptography.x509 import ocsp

from certs import (
    DemoPki,
    Issued,
    OnlineTrust,
    OwnStatus,
    Staple,
    TlsUnavailable,
    client_context,
    libssl,
    operators_context,
    peer_chain,
    server_context,
    stapled_response,
    stapling,
    stapling_trouble,
)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    return DemoPki.create(tmp_path_factory.mktemp("stapling") / "pki", now=NOW)


@pytest.fixture(scope="module")
def ours(pki: DemoPki) -> Issued:
    return issue(pki, "ours")


@asynccontextmanager
async def _server(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _seen(port: int, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes | None:
    context = client_context()
    context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = stapled_response(writer.get_extra_info("ssl_object"))
    writer.close()
    return found


def test_it_works_here() -> None:
    stapling_trouble.cache_clear()
    assert stapling_trouble() == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("make", [operators_context, server_context])
async def test_from_our_server_to_our_client(
    pki: DemoPki, ours: Issued, make: type[operators_context], version: ssl.TLSVersion
) -> None:
    staple = Staple()
    response = answer(pki, ours.der)
    async with _server(make(ours.pem, ours.key, staple)) as port:
        assert await _seen(port, version) is None
        staple.hold(ours.der, response)
        assert await _seen(port, version) == response
        staple.hold(b"another certificate", response)
        assert await _seen(port, version) is None
        staple.hold(ours.der, b"")
        assert await _seen(port, version) is None


async def test_two_servers_have_their_own(pki: DemoPki, ours: Issued) -> None:
    first, second = Staple(), Staple()
    first.hold(ours.der, b"first")
    second.hold(ours.der, b"second")
    async with (
        _server(server_context(ours.pem, ours.key, first)) as one,
        _server(server_context(ours.pem, ours.key, second)) as two,
        _server(server_context(ours.pem, ours.key)) as none,
    ):
        assert [await _seen(port) for port in (one, two, none)] == [b"first", b"second", None]


def test_a_context_that_ends_lets_go_of_its_staple(ours: Issued) -> None:
    gc.collect()  # those of other tests may end at any time
    before = set(stapling._staples)
    context = server_context(ours.pem, ours.key, Staple())
    (made,) = set(stapling._staples) - before
    del context
    gc.collect()
    assert made not in stapling._staples


def test_who_has_no_connection_has_no_response() -> None:
    assert stapled_response(None) is None
    made = client_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert stapled_response(made) is None  # before the handshake


def test_where_openssl_cannot_be_reached_it_is_said_and_all_goes_on(
    monkeypatch: pytest.MonkeyPatch, ours: Issued
) -> None:
    monkeypatch.setattr(libssl, "LAYOUT_KNOWN", frozenset({(3, 99)}))
    stapling_trouble.cache_clear()
    try:
        assert "needs CPython 3.99" in stapling_trouble()
        assert server_context(ours.pem, ours.key, Staple()).verify_mode is ssl.CERT_NONE
        context = client_context()
        assert stapled_response(context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())) is None
    finally:
        stapling_trouble.cache_clear()


def test_another_layout_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the connection's pointer must be its context."""
    made = client_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert libssl.connection_pointer(made)
    right = libssl._field
    monkeypatch.setattr(libssl, "_field", lambda thing, place: right(thing, place + 1))
    with pytest.raises(TlsUnavailable, match="not laid out as expected"):
        libssl.connection_pointer(made)


# -- OpenSSL at the other end ------------------------------------------------------------------


@pytest.mark.package("openssl")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("sent", [True, False])
async def test_s_client_sees_what_we_send(pki: DemoPki, ours: Issued, version: str, sent: bool) -> None:
    staple = Staple()
    if sent:
        staple.hold(ours.der, answer(pki, ours.der))
    async with _server(operators_context(ours.pem, ours.key, staple)) as port:
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-status", version,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    text = out.decode(errors="replace")
    if sent:
        assert "OCSP Response Status: successful" in text
        assert "Cert Status: good" in text
        assert f"Serial Number: {ours.serial:X}" in text.replace("Serial Number: 0", "Serial Number: ")
    else:
        assert "OCSP response: no response sent" in text


@pytest.mark.package("openssl")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("status", ["good", "revoked", "late", None])
async def test_s_server_staples_and_the_verdict_follows(
    pki: DemoPki, tmp_path: Path, version: str, status: str | None
) -> None:
    """No list covers this authority: what the server sends decides."""
    name = f"peer{version}-{status}"
    theirs = issue(pki, name)
    trust = _without_lists(pki, tmp_path)
    made = {
        "good": lambda: answer(pki, theirs.der),
        "revoked": lambda: answer(pki, theirs.der, status=ocsp.OCSPCertStatus.REVOKED),
        "late": lambda: answer(pki, theirs.der, begin=NOW - 3 * DAY, end=NOW - HOUR),
    }
    options: list[str] = []
    if status is not None:
        (tmp_path / "status.der").write_bytes(made[status]())
        options = ["-status_file", str(tmp_path / "status.der")]
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(theirs.pem), "-key", str(theirs.key),
        "-cert_chain", str(theirs.pem), "-naccept", "1", version, *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        port = 0
        while not port:
            line = await asyncio.wait_for(process.stdout.readline(), 10)
            found = re.search(rb"ACCEPT .*:(\d+)", line)
            port = int(found[1]) if found else 0
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context())
        tls = writer.get_extra_info("ssl_object")
        verdict = await trust.check(peer_chain(tls), "server", stapled=stapled_response(tls))
        writer.close()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
    assert (
        verdict.rule
        == {
            "good": "",
            "revoked": "sender.revoked",
            "late": "sender.revocation_unknown",
            None: "sender.revocation_unknown",
        }[status]
    )
    if status == "late":
        assert "the stapled response is refused: it ended on" in verdict.reason


def _without_lists(pki: DemoPki, folder: Path) -> OnlineTrust:
    """The trust folder without the list of the authority "organisations"."""
    target = folder / "trust"
    for source in pki.trust.rglob("*"):
        if source.is_file() and source.name != "ACI-EL-ORG-TEST.crl":
            place = target / source.relative_to(pki.trust)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read_bytes())
    return OnlineTrust(target)


# -- our own certificate's status --------------------------------------------------------------


async def test_our_own_status_is_fetched_and_renewed_at_half_its_life(pki: DemoPki, tmp_path: Path) -> None:
    now = NOW
    made: list[bytes] = []
    right = True

    async def handler(_head: bytes, _body: bytes) -> bytes:
        made.append(answer(pki, named.der, begin=now - HOUR, end=now + DAY))
        return http(made[-1]) if right else http(b"", "500 Oops")

    async with responder(handler) as (url, _):
        named = issue(pki, "own", url)
        trust = OnlineTrust(pki.trust, clock=lambda: now)
        own = OwnStatus(trust, clock=lambda: now)
        assert await own.refresh(named.chain) == ""
        assert own.staple.response_for(named.der) == made[0]
        now += HOUR
        assert await own.refresh(named.chain) == ""
        assert len(made) == 1
        now += 12 * HOUR
        right = False
        assert await own.refresh(named.chain) == ""  # the old one still holds
        assert own.staple.response_for(named.der) == made[0]
        now += DAY
        assert "HTTP status 500" in await own.refresh(named.chain)
        assert own.staple.response_for(named.der) == b""  # never an answer that has ended
        now += HOUR
        right = True
        assert await own.refresh(named.chain) == ""
        assert own.staple.response_for(named.der) == made[-1]


async def test_a_certificate_without_a_responder_has_no_status(pki: DemoPki, ours: Issued) -> None:
    own = OwnStatus(OnlineTrust(pki.trust))
    assert await own.refresh(ours.chain) == "the certificate names no responder"
    assert await own.refresh([b"\x30"]) == "our certificate cannot be read, or its issuer is not known"
