"""What the trust store accepts and refuses, each refusal with its rule and its reason."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from certs_fixtures import NOW, Load, demanding
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from certs import (
    CertificateRefused,
    CrlRefused,
    DemoPki,
    Purpose,
    TrustError,
    TrustStore,
    certificates_in,
)
from certs import pki_profiles as shape

DAY = 86_400_000
Chain = Callable[[str], list[bytes]]


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("gateway", "client"),
        ("gateway", "server"),
        ("hospital", "client"),
        ("doctor", "client"),
        ("pharmacist", "client"),
        ("hospital-auth", "client"),
        ("whitelist-signer", "sign"),
    ],
)
async def test_accepted(shared: DemoPki, load: Load, chain: Chain, name: str, purpose: Purpose) -> None:
    verdict = await load(shared).check(chain(name), purpose)
    assert (verdict.ok, verdict.rule, verdict.reason) == (True, "", "")
    assert len(verdict.path) == 3
    assert verdict.path[0] == verdict.identity.subject_dn == verdict.require().subject_dn
    assert verdict.path[2].startswith("CN=TEST AC RACINE IGC-SANTE ELEMENTAIRE,OU=IGC-SANTE TEST,")
    assert verdict.valid_until == NOW + 7 * DAY  # the lists' nextUpdate, before notAfter


@pytest.mark.parametrize(
    ("name", "purpose", "rule", "reason"),
    [
        (
            "revoked",
            "client",
            "sender.revoked",
            "The certificate was revoked on 2026-09-20T14:13:20Z (keyCompromise)",
        ),
        ("expired", "client", "sender.certificate", "The certificate expired on 2026-09-20T14:13:20Z"),
        (
            "stranger",
            "client",
            "sender.certificate",
            "bears the name TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS but",
        ),
        ("doctor", "server", "sender.certificate", "not issued for server authentication"),
        ("hospital", "sign", "sender.certificate", "not issued for mail signature"),
        ("whitelist-signer", "client", "sender.certificate", "not issued for client authentication"),
    ],
)
def test_refused(
    shared: DemoPki, load: Load, chain: Chain, name: str, purpose: Purpose, rule: str, reason: str
) -> None:
    verdict = load(shared).check_sync(chain(name), purpose)
    assert not verdict.ok
    assert verdict.rule == rule
    assert reason in verdict.reason
    assert verdict.reason.isascii()
    assert [check.ok for check in verdict.checks][-1] is False
    with pytest.raises(CertificateRefused) as raised:
        verdict.require()
    assert raised.value.reply == f"550 5.7.1 {verdict.reason} [{rule}]"


def test_the_path_needs_only_the_leaf(shared: DemoPki, load: Load, chain: Chain) -> None:
    assert load(shared).check_sync(chain("hospital")[:1], "client").ok


def test_presented_intermediate_is_enough_for_the_path(pki: DemoPki, load: Load, chain: Chain) -> None:
    (pki.trust / "intermediates" / "organisations.pem").unlink()
    verdict = load(pki).check_sync(chain("hospital"), "client")
    # Found, but its list could not be verified without its authority in the folder: nothing is assumed.
    assert (verdict.rule, len(verdict.path)) == ("sender.revocation_unknown", 3)
    alone = load(pki).check_sync(chain("hospital")[:1], "client")
    assert alone.rule == "sender.certificate"
    assert "is not a trusted authority" in alone.reason


def test_nothing_presented_and_rubbish(shared: DemoPki, load: Load, chain: Chain) -> None:
    store = load(shared)
    assert store.check_sync([], "client").reason == "No certificate was presented"
    truncated = store.check_sync([chain("hospital")[0][:-1]], "client")
    assert (truncated.rule, truncated.identity.subject_dn) == ("sender.certificate", "")
    assert "cannot be read" in truncated.reason
    assert store.check_sync([chain("hospital")[0], b"rubbish"], "client").ok


def test_self_signed_and_authority_as_leaf(shared: DemoPki, load: Load, chain: Chain) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = shape.organisation_name(cn="a", ou="1690000007", o="b", st="c")
    moment = datetime.fromtimestamp(NOW / 1000, UTC)
    own = (
        x509.CertificateBuilder(name, name, key.public_key(), 7)
        .not_valid_before(moment - shape.YEAR)
        .not_valid_after(moment + shape.YEAR)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    store = load(shared)
    assert (
        store.check_sync([own], "client").reason == "The certificate is self-signed and is not a trusted root"
    )
    authority = store.check_sync(chain("hospital")[1:], "client")
    assert authority.reason == "It is an authority's certificate, not a holder's"


def test_altered_leaf(shared: DemoPki, load: Load, chain: Chain) -> None:
    altered = chain("hospital")[0].replace(b"HOPITAL EXEMPLE", b"HOPITAL EXAMPLE")
    verdict = load(shared).check_sync([altered], "client")
    assert verdict.rule == "sender.certificate"
    assert "its signature is not that authority's" in verdict.reason


def test_stranger_that_copies_the_key_identifier(pki: DemoPki, load: Load) -> None:
    certificate, _ = pki.authority("organisations")
    stranger = pki.stranger(pki.folder / "other")
    _, key = stranger.authority("organisations")
    stranger._authorities["organisations"] = (certificate, key)  # the trusted certificate, another key
    verdict = load(pki).check_sync(stranger.issue_server("x.test", "1690000007", "X").chain, "client")
    assert "its signature is not that authority's" in verdict.reason


@pytest.mark.parametrize("offset", [-6 * 365 * DAY, -31 * DAY])
def test_not_yet_valid(shared: DemoPki, load: Load, chain: Chain, offset: int) -> None:
    verdict = load(shared, at=NOW + offset).check_sync(chain("hospital"), "client")
    assert verdict.rule == "sender.certificate"
    assert "not valid before" in verdict.reason


def test_expired_root(shared: DemoPki, load: Load, pki: DemoPki) -> None:
    late = NOW + 15 * 365 * DAY
    leaf = pki.issue_server("late.test", "1690000007", "X", begin=late - DAY, end=late + DAY)
    verdict = load(pki, at=late - DAY // 2).check_sync(leaf.chain, "client")
    assert "an authority's certificate in the path expired" in verdict.reason.lower()


def test_unknown_critical_extension(pki: DemoPki, load: Load) -> None:
    odd = x509.UnrecognizedExtension(ObjectIdentifier("1.2.250.1.71.99"), b"\x05\x00")
    name = shape.organisation_name(cn="odd.test", ou="1690000007", o="X", st="Y")
    extensions = [shape.key_usage(signature=True), shape.extended(shape.CLIENT)]
    refused = load(pki).check_sync(pki.issue("odd", name, [*extensions, (odd, True)]).chain, "client")
    assert "unsupported critical extension" in refused.reason
    assert load(pki).check_sync(pki.issue("fine", name, [*extensions, (odd, False)]).chain, "client").ok


def test_usage_extensions_are_required(pki: DemoPki, load: Load) -> None:
    name = shape.organisation_name(cn="bare.test", ou="1690000007", o="X", st="Y")
    bare = load(pki).check_sync(pki.issue("bare", name, []).chain, "client")
    assert "key usage none; extended none" in bare.reason
    only = pki.issue("only", name, [shape.key_usage(repudiation=True), shape.extended(shape.CLIENT)])
    assert "may not be used for digital signature" in load(pki).check_sync(only.chain, "client").reason


def test_policies(pki: DemoPki, load: Load) -> None:
    wanted = load(pki, settings=demanding(policies={"accepted": [shape.POLICY]}))
    assert wanted.check_sync(pki.issued("hospital").chain, "client").ok
    name = shape.organisation_name(cn="p.test", ou="1690000007", o="X", st="Y")
    extensions = [shape.key_usage(signature=True), shape.extended(shape.CLIENT)]
    other = pki.issue("other", name, extensions, policy="1.2.250.1.213.1.7.9")
    refused = wanted.check_sync(other.chain, "client")
    assert refused.rule == "sender.certificate"
    assert "polic" in refused.reason
    assert load(pki).check_sync(other.chain, "client").ok


# -- revocation ---------------------------------------------------------------------------------


def test_without_a_list_nobody_is_accepted(pki: DemoPki, load: Load, chain: Chain) -> None:
    (pki.trust / "crls" / "ACI-EL-ORG-TEST.crl").unlink()
    verdict = load(pki).check_sync(chain("hospital"), "client")
    assert verdict.rule == "sender.revocation_unknown"
    assert "there is no revocation list of TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS" in verdict.reason
    with pytest.raises(CertificateRefused) as raised:
        verdict.require()
    assert (raised.value.code, raised.value.enhanced, raised.value.fault) == (451, "4.7.1", "config")


def test_the_roots_list_counts_too(pki: DemoPki, load: Load, chain: Chain) -> None:
    (pki.trust / "crls" / "ACR-EL-TEST.crl").unlink()
    verdict = load(pki).check_sync(chain("hospital"), "client")
    assert verdict.rule == "sender.revocation_unknown"
    assert "the authority TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS is unknown" in verdict.reason


def test_stale_list_and_grace(shared: DemoPki, load: Load, chain: Chain) -> None:
    end = NOW + 7 * DAY
    assert load(shared, at=end).check_sync(chain("hospital"), "client").ok
    stale = load(shared, at=end + 1).check_sync(chain("hospital"), "client")
    assert stale.rule == "sender.revocation_unknown"
    assert "ended on 2026-09-28T14:13:20Z" in stale.reason
    graced = load(shared, at=end + 1, settings=demanding(revocation={"staleness_s": 3600})).check_sync(
        chain("hospital"), "client"
    )
    assert (graced.ok, graced.valid_until) == (True, end + 3_600_000)
    assert (
        not load(shared, at=end + 3_600_001, settings=demanding(revocation={"staleness_s": 3600}))
        .check_sync(chain("hospital"), "client")
        .ok
    )


def test_a_stale_list_still_refuses_the_revoked(shared: DemoPki, load: Load, chain: Chain) -> None:
    assert load(shared, at=NOW + 30 * DAY).check_sync(chain("revoked"), "client").rule == "sender.revoked"


def test_list_of_tomorrow(pki: DemoPki, load: Load, chain: Chain) -> None:
    pki.write_crls(now=NOW + DAY)
    verdict = load(pki).check_sync(chain("hospital"), "client")
    assert verdict.rule == "sender.revocation_unknown"
    assert "begins on" in verdict.reason


def test_revoked_authority(pki: DemoPki, load: Load, chain: Chain) -> None:
    pki.revoke("organisations", reason="cACompromise")
    pki.write_crls()
    verdict = load(pki).check_sync(chain("hospital"), "client")
    assert verdict.rule == "sender.revoked"
    assert "authority TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS was revoked" in verdict.reason
    assert "(cACompromise)" in verdict.reason
    assert load(pki).check_sync(chain("doctor"), "client").ok


def test_judging_the_past(shared: DemoPki, load: Load, chain: Chain) -> None:
    store = load(shared)
    assert store.check_sync(chain("revoked"), "client", at=NOW - 2 * DAY).ok
    assert store.check_sync(chain("revoked"), "client", at=NOW).rule == "sender.revoked"
    assert store.check_sync(chain("expired"), "client", at=NOW - 2 * DAY).ok


# -- life of the store --------------------------------------------------------------------------


def test_reload_sees_a_revocation(pki: DemoPki, load: Load) -> None:
    store, victim = load(pki), pki.issued("hospital")
    assert store.check_sync(victim.chain, "client").ok
    pki.revoke(victim)
    pki.write_crls()
    assert store.check_sync(victim.chain, "client").ok  # what is loaded rules until the reload
    store.reload()
    verdict = store.check_sync(victim.chain, "client")
    assert (verdict.rule, verdict.revoked_at) == ("sender.revoked", NOW - DAY)


def test_an_older_list_does_not_undo_a_revocation(pki: DemoPki, load: Load) -> None:
    victim, crls = pki.issued("hospital"), pki.trust / "crls"
    older = (crls / "ACI-EL-ORG-TEST.crl").read_bytes()
    pki.revoke(victim)
    pki.write_crls()
    store = load(pki)
    (crls / "ACI-EL-ORG-TEST.crl").write_bytes(older)
    store.reload()
    assert store.check_sync(victim.chain, "client").rule == "sender.revoked"
    assert "older than the list in use" in store.problems[0].reason


def test_a_list_is_verified_once(pki: DemoPki, load: Load) -> None:
    store = load(pki)
    before = store.crls
    (pki.trust / "crls" / "ACI-EL-PP-TEST.crl").write_bytes(pki.crl("personnes", number=8))
    store.reload()
    kept = [old is new for old, new in zip(before, store.crls, strict=True)]
    assert kept == [True, False, True]


def test_failed_reload_keeps_what_was_in_use(pki: DemoPki, load: Load) -> None:
    store = load(pki)
    (pki.trust / "roots" / "racine.pem").write_text("broken")
    with pytest.raises(TrustError, match=r"roots/racine\.pem"):
        store.reload()
    assert store.check_sync(pki.issued("hospital").chain, "client").ok


def test_folder_without_a_root(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="no usable root"):
        TrustStore.load(tmp_path)


def test_der_files_and_hidden_files(pki: DemoPki, load: Load, chain: Chain) -> None:
    for path in (*pki.trust.glob("roots/*"), *pki.trust.glob("intermediates/*")):
        path.write_bytes(certificates_in(path.read_bytes())[0])
    (pki.trust / "roots" / ".editor.swp").write_bytes(b"rubbish")
    assert load(pki).check_sync(chain("hospital"), "client").ok


def test_cache_expires_with_the_list(shared: DemoPki, chain: Chain) -> None:
    now = [NOW]
    store = TrustStore.load(shared.trust, clock=lambda: now[0])
    first = store.check_sync(chain("hospital"), "client")
    now[0] += 6 * DAY
    assert store.check_sync(chain("hospital"), "client") is first
    assert store.check_sync(chain("hospital"), "server") is not first
    now[0] = NOW + 7 * DAY + 1
    later = store.check_sync(chain("hospital"), "client")
    assert later.rule == "sender.revocation_unknown"
    assert store.check_sync(chain("hospital"), "client") is later
    now[0] += 60_001
    assert store.check_sync(chain("hospital"), "client") is not later


async def test_many_checks_at_once_agree(shared: DemoPki, load: Load, chain: Chain) -> None:
    store = load(shared)
    names = ["hospital", "revoked", "expired", "stranger", "doctor", "gateway"] * 4
    verdicts = await asyncio.gather(*(store.check(chain(name), "client") for name in names))
    assert [v.ok for v in verdicts] == [name in ("hospital", "doctor", "gateway") for name in names]


def test_import_of_a_list(pki: DemoPki, load: Load, tmp_path: Path) -> None:
    store, victim = load(pki), pki.issued("hospital")
    held = (pki.trust / "crls" / "ACI-EL-ORG-TEST.crl").read_bytes()
    pki.revoke(victim)
    fresh = pki.crl("organisations", number=9)
    assert store.import_crl(fresh).number == 9
    assert store.check_sync(victim.chain, "client").rule == "sender.revoked"
    assert store.import_crl(fresh).number == 9  # the same again changes nothing
    with pytest.raises(CrlRefused, match="not newer"):
        store.import_crl(held)
    with pytest.raises(CrlRefused, match="exactly one"):
        store.import_crl(b"")
    shutil.copytree(pki.trust, tmp_path / "copy")
    assert TrustStore.load(tmp_path / "copy", clock=lambda: NOW).check_sync(victim.chain, "client").revoked_at


@given(st.lists(st.binary(max_size=120), max_size=4))
def test_no_bytes_are_accepted_or_crash(shared: DemoPki, chain_of_bytes: list[bytes]) -> None:
    verdict = _quick(shared).check_sync(chain_of_bytes, "client")
    assert verdict.rule == "sender.certificate"


@given(st.data())
def test_no_damaged_certificate_is_accepted(shared: DemoPki, data: st.DataObject) -> None:
    der = bytearray(shared.issued("hospital").der)
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= data.draw(st.integers(1, 255))
    verdict = _quick(shared).check_sync([bytes(der)], "client")
    assert not verdict.ok
    assert verdict.rule == "sender.certificate"


_stores: dict[Path, TrustStore] = {}


def _quick(pki: DemoPki) -> TrustStore:
    return _stores.setdefault(pki.trust, TrustStore.load(pki.trust, clock=lambda: NOW))


@pytest.mark.package("openssl")
@pytest.mark.parametrize(("name", "code"), [("hospital", 0), ("doctor", 0), ("revoked", 2), ("stranger", 2)])
def test_openssl_agrees(shared: DemoPki, tmp_path: Path, name: str, code: int) -> None:
    authorities = tmp_path / "untrusted.pem"
    authorities.write_bytes(b"".join(p.read_bytes() for p in shared.trust.glob("intermediates/*.pem")))
    lists = tmp_path / "crls.pem"
    crls = [x509.load_der_x509_crl(p.read_bytes()) for p in shared.trust.glob("crls/*.crl")]
    lists.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in crls))
    done = subprocess.run(
        [
            "openssl", "verify", "-crl_check_all", "-attime", str(NOW // 1000), "-CRLfile", str(lists),
            "-CAfile", str(shared.trust / "roots" / "racine.pem"), "-untrusted", str(authorities),
            "-x509_strict", "-purpose", "sslclient", str(shared.paths(name)[0]),
        ],
        capture_output=True,
        check=False,
        text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    if name == "revoked":
        assert "certificate revoked" in done.stderr
