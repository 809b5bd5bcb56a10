"""How responders are asked: the question itself, once for all who wait, patience with those that fail."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from certs_ocsp import (
    DAY,
    HOUR,
    NOW,
    answer,
    delegate,
    http,
    index_txt,
    issue,
    loaded,
    openssl_ocsp,
    responder,
    responders,
    settings,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags, ocsp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from certs import DemoPki, Issued
from certs.ocsp import OcspResponders
from certs.ocsp_http import Patience
from certs.ocsp_message import OcspRefused, Rules, question, read_answer


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    return DemoPki.create(tmp_path_factory.mktemp("asking") / "pki", now=NOW)


@pytest.fixture(scope="module")
def leaf(pki: DemoPki) -> Issued:
    return issue(pki, "leaf")


async def _ask(ours: OcspResponders, leaf: Issued) -> str:
    return await ours.ask(loaded(leaf.der), loaded(leaf.chain[1]))


def _question(asked: bytes) -> ocsp.OCSPRequest:
    """What was asked, read by another library."""
    head, _, body = asked.partition(b"\r\n\r\n")
    if head.startswith(b"GET "):
        body = b64decode(unquote_to_bytes(head.split(b" ")[1].rpartition(b"/")[2]), validate=True)
    else:
        assert b"content-type: application/ocsp-request" in head.lower()
    return ocsp.load_der_ocsp_request(body)


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("get", [True, False])
async def test_the_question(pki: DemoPki, leaf: Issued, digest: str, get: bool) -> None:
    async with responder(answer(pki, leaf.der)) as (url, asked):
        assert await _ask(responders(url + "/status/", hash=digest, get=get), leaf) == ""
    assert asked[0].startswith(b"GET /status/" if get else b"POST /status/ ")
    read = _question(asked[0])
    assert read.serial_number == leaf.serial
    assert read.hash_algorithm.name == digest
    reference = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(leaf.der),
        x509.load_der_x509_certificate(leaf.chain[1]),
        read.hash_algorithm,
    )
    assert read.issuer_name_hash == reference.build().issuer_name_hash
    assert read.issuer_key_hash == reference.build().issuer_key_hash
    assert list(read.extensions) == []


async def test_a_long_question_goes_by_post(pki: DemoPki, leaf: Issued) -> None:
    async with responder(answer(pki, leaf.der)) as (url, asked):
        assert await _ask(responders(f"{url}/{'x' * 150}"), leaf) == ""
    assert asked[0].startswith(b"POST ")


async def test_the_responder_is_the_one_the_certificate_names(pki: DemoPki) -> None:
    made = b""

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(made)

    async with responder(handler) as (url, asked):
        named = issue(pki, "named", url)
        made = answer(pki, named.der)
        ours = responders()
        assert await _ask(ours, named) == ""
        assert len(asked) == 1
        assert ours.response_held(loaded(named.der), loaded(named.chain[1]), NOW) == made


@pytest.mark.parametrize("policy", ["offered", "required"])
async def test_nonce(pki: DemoPki, leaf: Issued, policy: str) -> None:
    seen: list[bytes] = []
    said = "right"

    async def handler(_head: bytes, body: bytes) -> bytes:
        extensions = ocsp.load_der_ocsp_request(body).extensions
        nonce = extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        seen.append(nonce)
        sent = {"right": nonce, "wrong": bytes(32), "none": b""}[said]
        return http(answer(pki, leaf.der, nonce=sent))

    async with responder(handler) as (url, asked):
        assert await _ask(responders(url, nonce=policy), leaf) == ""
        said = "wrong"
        assert "its nonce is not the one that was sent" in await _ask(responders(url, nonce=policy), leaf)
        said = "none"
        answered = await _ask(responders(url, nonce=policy), leaf)
    assert answered.endswith("it has no nonce") == (policy == "required")
    assert bool(answered) == (policy == "required")
    assert all(head.startswith(b"POST ") for head in asked)
    assert {len(nonce) for nonce in seen} == {32}
    assert len(set(seen)) == 3


async def test_one_question_at_a_time_for_a_certificate(pki: DemoPki, leaf: Issued) -> None:
    come, go = asyncio.Event(), asyncio.Event()

    async def handler(_head: bytes, _body: bytes) -> bytes:
        come.set()
        await go.wait()
        return http(answer(pki, leaf.der))

    async with responder(handler) as (url, asked):
        ours = responders(url)
        waiting = [asyncio.create_task(_ask(ours, leaf)) for _ in range(20)]
        await come.wait()
        waiting[0].cancel()  # a session that ends takes nothing from the others
        go.set()
        outcome = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcome[0], asyncio.CancelledError)
    assert outcome[1:] == [""] * 19
    assert len(asked) == 1
    assert ours.counts()["asked"] == 1


async def test_a_dead_responder_is_left_alone(pki: DemoPki) -> None:
    now = NOW
    leaves = [issue(pki, f"many-{number}") for number in range(6)]
    alive = False

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(answer(pki, leaves[5].der)) if alive else http(b"", "503 Busy")

    async with responder(handler) as (url, asked):
        ours = OcspResponders(settings(url, pause_s=30), clock=lambda: now)
        said = [await _ask(ours, one) for one in leaves[:4]]
        assert [text.rpartition(" answers ")[2] for text in said[:3]] == ["with HTTP status 503"] * 3
        assert said[3].endswith("is left alone for a while, it failed 3 times in a row")
        assert len(asked) == 3
        assert ours.counts()["paused"] == 1
        now += 31_000  # one question is let through; it fails, and the pause begins again
        assert "HTTP status 503" in await _ask(ours, leaves[4])
        assert "left alone" in await _ask(ours, leaves[5])
        now += 31_000
        alive = True
        assert await _ask(ours, leaves[5]) == ""
        assert ours.counts()["paused"] == 0
        assert len(asked) == 5


def test_patience_forgets_without_end() -> None:
    patience = Patience(lambda: NOW)
    for number in range(1000):
        for _ in range(3):
            patience.failed(f"http://{number}.test/")
    assert len(patience.paused) < 300
    assert not patience.lets_through("http://999.test/")


async def test_a_failed_question_is_put_again_after_a_while(pki: DemoPki, leaf: Issued) -> None:
    now = NOW
    right = False

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(answer(pki, leaf.der) if right else b"no")

    async with responder(handler) as (url, asked):
        ours = OcspResponders(settings(url, failure_s=60), clock=lambda: now)
        assert "not an OCSP response" in await _ask(ours, leaf)
        right = True
        assert "not an OCSP response" in await _ask(ours, leaf)
        now += 61_000
        assert await _ask(ours, leaf) == ""
        assert len(asked) == 2


def test_what_is_held(pki: DemoPki, leaf: Issued) -> None:
    certificate, issuer = loaded(leaf.der), loaded(leaf.chain[1])
    ours = responders()
    assert ours.known(certificate, issuer, NOW) is None
    assert ours.offer(answer(pki, leaf.der), certificate, issuer) == ""
    assert ours.known(certificate, issuer, NOW + DAY) is not None
    assert ours.known(certificate, issuer, NOW + DAY + 1) is None
    revoked = answer(pki, leaf.der, status=ocsp.OCSPCertStatus.REVOKED, begin=NOW - 1000)
    assert ours.offer(revoked, certificate, issuer) == ""
    # what is older, replayed by a peer, does not undo it; and it never ends
    assert ours.offer(answer(pki, leaf.der), certificate, issuer) == ""
    known = ours.known(certificate, issuer, NOW + 300 * DAY)
    assert known is not None
    assert known.state == "revoked"
    assert ours.response_held(certificate, issuer, NOW) == b""
    # but for a hold, which may be taken back, and does not take the place of the other
    hold = answer(
        pki,
        leaf.der,
        status=ocsp.OCSPCertStatus.REVOKED,
        reason=ReasonFlags.certificate_hold,
        begin=NOW,
    )
    assert ours.offer(hold, certificate, issuer) == ""
    assert ours.known(certificate, issuer, NOW + 300 * DAY) == known
    ours = responders()
    assert ours.offer(hold, certificate, issuer) == ""
    assert ours.known(certificate, issuer, NOW + DAY) is not None
    assert ours.known(certificate, issuer, NOW + 300 * DAY) is None


def test_the_same_serial_of_another_authority_is_another_certificate(pki: DemoPki, leaf: Issued) -> None:
    ours = responders()
    certificate, issuer = loaded(leaf.der), loaded(leaf.chain[1])
    assert ours.offer(answer(pki, leaf.der), certificate, issuer) == ""
    stranger = pki.stranger(pki.folder.parent / "other")
    other = loaded(stranger.authority("organisations")[0].public_bytes(Encoding.DER))
    assert ours.known(certificate, other, NOW) is None


def test_too_large_an_offer(pki: DemoPki, leaf: Issued) -> None:
    said = responders().offer(bytes(70_000), loaded(leaf.der), loaded(leaf.chain[1]))
    assert said == "it is larger than 65536 octets"


@hypothesis_settings(deadline=None)
@given(st.data())
def test_no_altered_octet_is_believed(leaf: Issued, pki: DemoPki, data: st.DataObject) -> None:
    """Whatever octets are changed: refused, or the very same answer (outside what is signed)."""
    asked = question(leaf.der, leaf.chain[1])
    right = _RIGHT.setdefault(leaf.serial, answer(pki, leaf.der))
    wanted = read_answer(right, asked, now=NOW, rules=Rules())
    changed = bytearray(right)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(right) - 1))] = data.draw(st.integers(0, 255))
    changed = changed[: data.draw(st.integers(0, len(right)))] if data.draw(st.booleans()) else changed
    try:
        assert read_answer(bytes(changed), asked, now=NOW, rules=Rules()) == wanted
    except OcspRefused as refused:
        assert refused.reason.isascii()


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_no_answer(leaf: Issued, noise: bytes) -> None:
    with pytest.raises(OcspRefused):
        read_answer(noise, question(leaf.der, leaf.chain[1]), now=NOW, rules=Rules())


_RIGHT: dict[int, bytes] = {}


@pytest.mark.package("openssl")
@pytest.mark.parametrize("by", ["authority", "delegate"])
@pytest.mark.parametrize("options", [{}, {"get": False}, {"nonce": "required"}, {"hash": "sha256"}])
async def test_openssl_ocsp(pki: DemoPki, tmp_path: Path, by: str, options: dict[str, object]) -> None:
    """A real responder: good, revoked, unknown; with and without nextUpdate."""
    good, revoked, unknown = (issue(pki, name) for name in ("real-good", "real-revoked", "real-unknown"))
    index = index_txt(tmp_path / "index.txt", good=[good], revoked=[(revoked, NOW - DAY)])
    kept = pki.folder / "authorities"
    authority = kept / "organisations.pem"
    signer, key = authority, kept / "organisations.key"
    if by == "delegate":
        signer, key = delegate(pki, "real").pem, pki.paths("real")[1]
    with openssl_ocsp(index, authority, signer, key, "-ndays", "1") as url:
        ours = OcspResponders(settings(url, **options))
        for one, state in ((good, "good"), (revoked, "revoked"), (unknown, "unknown")):
            assert await _ask(ours, one) == ""
            known = ours.known(loaded(one.der), loaded(one.chain[1]), NOW)
            assert known is not None
            assert known.state == state
            if state == "revoked":
                assert (known.revoked_at, known.reason) == (NOW - DAY, "keyCompromise")
            if state == "good":
                assert 23 * HOUR < known.valid_until - NOW < 25 * HOUR


@pytest.mark.package("openssl")
@pytest.mark.parametrize(
    ("options", "clause"),
    [
        (["-ndays", "1", "-badsig"], "its signature is not"),
        (["-ndays", "1", "-rmd", "sha1"], "it is signed with sha1"),
        (["-ndays", "1", "-resp_no_certs"], "nor a delegate it shows"),
        (["-rmd", "sha384"], ""),
    ],
)
async def test_openssl_ocsp_set_wrongly(
    pki: DemoPki, leaf: Issued, tmp_path: Path, options: list[str], clause: str
) -> None:
    index = index_txt(tmp_path / "index.txt", good=[leaf])
    signer = delegate(pki, "real")
    authority = pki.folder / "authorities" / "organisations.pem"
    with openssl_ocsp(index, authority, signer.pem, signer.key, *options) as url:
        said = await _ask(OcspResponders(settings(url)), leaf)
    assert clause in said
    assert bool(said) == bool(clause)
