"""From what a responder does to the rule that a peer is told, through the trust store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

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
    refusal,
    responder,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from certs import CertVerdict, DemoPki, Issued, OnlineTrust

_KEY = ec.generate_private_key(ec.SECP256R1())
_LISTS = {"organisations": "ACI-EL-ORG-TEST.crl", "racine": "ACR-EL-TEST.crl"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    return DemoPki.create(tmp_path_factory.mktemp("rules") / "pki", now=NOW)


@pytest.fixture
def pki(made: DemoPki, tmp_path: Path) -> DemoPki:
    """Its authority "organisations" publishes no list, only a responder."""
    shutil.copytree(made.folder, tmp_path / "pki")
    pki = DemoPki.open(tmp_path / "pki")
    _drop(pki, "organisations")
    return pki


def _drop(pki: DemoPki, authority: str) -> None:
    (pki.trust / "crls" / _LISTS[authority]).unlink()


def _prefer_responders(pki: DemoPki) -> None:
    (pki.trust / "trust.toml").write_text('mode = "demo"\n[revocation]\nprefer = "ocsp"\n')


def _trust(pki: DemoPki, at: int = NOW) -> OnlineTrust:
    return OnlineTrust(pki.trust, clock=lambda: at)


UNKNOWN = "sender.revocation_unknown"
Make = Callable[[DemoPki, Issued], bytes]
CASES: dict[str, tuple[Make, str, str]] = {
    "good": (lambda p, i: answer(p, i.der), "", ""),
    "revoked": (
        lambda p, i: answer(
            p,
            i.der,
            status=ocsp.OCSPCertStatus.REVOKED,
            revoked_at=NOW - DAY,
            reason=x509.ReasonFlags.key_compromise,
        ),
        "sender.revoked",
        r"The certificate was revoked on .* \(keyCompromise\)",
    ),
    "unknown": (
        lambda p, i: answer(p, i.der, status=ocsp.OCSPCertStatus.UNKNOWN),
        UNKNOWN,
        "the responder TEST AC .* does not know it",
    ),
    "late": (
        lambda p, i: answer(p, i.der, begin=NOW - 3 * DAY, end=NOW - HOUR),
        UNKNOWN,
        "the answer of the responder 127.0.0.1:[0-9]+ is refused: it ended on",
    ),
    "early": (
        lambda p, i: answer(p, i.der, begin=NOW + HOUR),
        UNKNOWN,
        "is refused: it holds only from",
    ),
    "wrong key": (lambda p, i: answer(p, i.der, key=_KEY), UNKNOWN, "its signature is not TEST AC"),
    "no nextUpdate, old": (
        lambda p, i: answer(p, i.der, begin=NOW - HOUR, end=None),
        UNKNOWN,
        "has no nextUpdate",
    ),
    "no nextUpdate, new": (lambda p, i: answer(p, i.der, begin=NOW, end=None), "", ""),
    "delegate": (lambda p, i: answer(p, i.der, signer=delegate(p, "d")), "", ""),
    "delegate without OCSPSigning": (
        lambda p, i: answer(p, i.der, signer=delegate(p, "d", signing=False)),
        UNKNOWN,
        "may not sign answers",
    ),
    "delegate expired": (
        lambda p, i: answer(p, i.der, signer=delegate(p, "d", begin=NOW - 9 * DAY, end=NOW - DAY)),
        UNKNOWN,
        "Repondeur d expired on",
    ),
    "delegate whose status no list tells": (
        lambda p, i: answer(p, i.der, signer=delegate(p, "d", nocheck=False)),
        UNKNOWN,
        "the status of its signer Repondeur d is unknown",
    ),
    "another certificate": (
        lambda p, i: answer(p, issue(p, "other").der),
        UNKNOWN,
        "it is about another certificate",
    ),
    "tryLater": (lambda p, i: refusal(ocsp.OCSPResponseStatus.TRY_LATER), UNKNOWN, "it says tryLater"),
    "unauthorized": (
        lambda p, i: refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED),
        UNKNOWN,
        "it says unauthorized",
    ),
    "truncated": (lambda p, i: answer(p, i.der)[:-1], UNKNOWN, "it is not an OCSP response"),
}


async def _verdict(pki: DemoPki, case: Make, at: int = NOW) -> tuple[CertVerdict, int]:
    body = b""

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(body)

    async with responder(handler) as (url, asked):
        leaf = issue(pki, "leaf", url)
        body = case(pki, leaf)
        verdict = await _trust(pki, at).check(leaf.chain, "client")
    return verdict, len(asked)


@pytest.mark.parametrize("name", CASES)
async def test_the_rule_that_follows(pki: DemoPki, name: str) -> None:
    make, rule, sentence = CASES[name]
    verdict, asked = await _verdict(pki, make)
    assert verdict.rule == rule, verdict.reason
    assert asked == 1
    if rule:
        assert re.search(sentence, verdict.reason), verdict.reason
    else:
        assert NOW < verdict.valid_until <= NOW + DAY


async def test_unreachable(pki: DemoPki) -> None:
    async with responder(b"") as (url, _):
        pass
    leaf = issue(pki, "leaf", url)
    verdict = await _trust(pki).check(leaf.chain, "client")
    assert verdict.rule == UNKNOWN
    assert verdict.reason == (
        "The status of the certificate is unknown: there is no revocation list of TEST AC IGC-SANTE "
        f"ELEMENTAIRE ORGANISATIONS; the responder {url.removeprefix('http://')} cannot be reached"
    )


async def test_a_delegate_on_the_list_is_refused(pki: DemoPki) -> None:
    """With nocheck or without: a list that is held is believed."""
    signer = delegate(pki, "listed")
    pki.revoke(signer)
    _prefer_responders(pki)
    pki.write_crls()
    body = b""

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(body)

    async with responder(handler) as (url, asked):
        leaf = issue(pki, "leaf", url)
        body = answer(pki, leaf.der, signer=signer)
        trust = _trust(pki)
        verdict = await trust.check(leaf.chain, "client")
    assert len(asked) == 1
    assert verdict.ok  # by the list, which knows the certificate too
    said = trust.ocsp.offer(body, *map(loaded, leaf.chain))
    assert said == "its signer Repondeur listed is revoked"


async def test_a_revoked_answer_counts_beside_a_list_that_does_not_know_it_yet(pki: DemoPki) -> None:
    pki.write_crls()
    _prefer_responders(pki)
    verdict, asked = await _verdict(pki, CASES["revoked"][0])
    assert (verdict.rule, asked) == ("sender.revoked", 1)


async def test_the_list_alone_is_enough_where_it_is_preferred(pki: DemoPki) -> None:
    pki.write_crls()
    verdict, asked = await _verdict(pki, CASES["revoked"][0])
    assert (verdict.rule, asked) == ("", 0)


@pytest.mark.parametrize("at", [NOW - DAY, NOW - 60 * DAY], ids=["after the issue", "before the issue"])
async def test_the_authority_itself_is_revoked(pki: DemoPki, at: int) -> None:
    """Revoked after it issued the certificate, or before: a good answer that it signs changes nothing."""
    pki.revoke("organisations", at=at, reason="cACompromise")
    pki.write_crls()
    _drop(pki, "organisations")
    verdict, _ = await _verdict(pki, CASES["good"][0])
    assert verdict.rule == "sender.revoked"
    assert "The authority TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS was revoked" in verdict.reason


async def test_an_authority_revoked_later_was_good_at_the_time(pki: DemoPki) -> None:
    pki.write_crls()
    leaf = issue(pki, "leaf")
    pki.revoke("organisations", at=NOW - DAY)
    pki.write_crls()
    trust = _trust(pki)
    assert (await trust.check(leaf.chain, "client")).rule == "sender.revoked"
    assert (await trust.check(leaf.chain, "client", at=NOW - 2 * DAY)).ok


async def test_an_answer_outlives_its_responder_but_not_its_end(pki: DemoPki) -> None:
    now = NOW
    async with responder(b"") as (url, _):
        leaf = issue(pki, "leaf", url)
    trust = OnlineTrust(pki.trust, clock=lambda: now)
    stapled = answer(pki, leaf.der)
    assert (await trust.check(leaf.chain, "client", stapled=stapled)).ok
    assert (await trust.check(leaf.chain, "client")).ok
    trust.reload()  # the folder is read again, the answers stay
    now += DAY - HOUR
    assert (await trust.check(leaf.chain, "client")).ok
    now += 2 * HOUR
    verdict = await trust.check(leaf.chain, "client")
    assert verdict.rule == UNKNOWN
    assert "cannot be reached" in verdict.reason


async def test_settings_are_read_again(pki: DemoPki) -> None:
    async with responder(b"") as (url, asked):
        leaf = issue(pki, "leaf", url)
        (pki.trust / "trust.toml").write_text('mode = "demo"\n[ocsp]\nask = false\n')
        trust = _trust(pki)
        assert "responders are not asked here" in (await trust.check(leaf.chain, "client")).reason
        (pki.trust / "trust.toml").write_text('mode = "demo"\n')
        trust.reload()
        assert "is not an OCSP response" in (await trust.check(leaf.chain, "client")).reason
    assert len(asked) == 1


@pytest.mark.package("openssl")
async def test_with_openssl_ocsp(pki: DemoPki, tmp_path: Path) -> None:
    """The responder named in trust.toml, for certificates that name none."""
    good, bad = issue(pki, "good"), issue(pki, "bad")
    index = index_txt(tmp_path / "index.txt", good=[good], revoked=[(bad, NOW - DAY)])
    kept = pki.folder / "authorities"
    authority, key = kept / "organisations.pem", kept / "organisations.key"
    with openssl_ocsp(index, authority, authority, key, "-ndays", "1") as url:
        text = f'mode = "demo"\n[ocsp.responders]\n"TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS" = "{url}"\n'
        (pki.trust / "trust.toml").write_text(text)
        trust = OnlineTrust(pki.trust)
        assert (await trust.check(good.chain, "client")).ok
        verdict = await trust.check(bad.chain, "client")
        assert verdict.rule == "sender.revoked"
        assert "(keyCompromise)" in verdict.reason
    assert (await trust.check(good.chain, "client")).ok
