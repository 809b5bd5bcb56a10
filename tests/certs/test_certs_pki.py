"""The demonstration PKI: shaped like the real one, opened again, protected, quick."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1
from certs_fixtures import NOW, Load
from cryptography.hazmat.primitives.serialization import Encoding

from certs import DemoPki, TrustError, certificates_in, demo_pki, identity

REAL = Path(__file__).parents[3] / "shared" / "data" / "mssante" / "certs"
# What the demonstration does not imitate: nothing here publishes or answers.
NOT_MADE = {"authority_information_access", "freshest_crl"}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real public certificates are not beside the repository")
@pytest.mark.parametrize(
    ("real", "ours"),
    [
        ("TEST_igcsante_CPS_medecin_sign_2019.der", "doctor"),
        ("TEST_igcsante_ORG_AUTHCLI_2019.der", "hospital-auth"),
        ("PROD_igcsante_ORG_SIGN_whitelist_signer_2023.der", "whitelist-signer"),
    ],
)
def test_same_shape_as_the_real_ones(shared: DemoPki, real: str, ours: str) -> None:
    theirs = asn1.Certificate.load((REAL / real).read_bytes())
    mine = asn1.Certificate.load(shared.issued(ours).der)
    assert _rdns(mine) == _rdns(theirs)
    missing = {name for name, _ in _extensions(theirs)} - {name for name, _ in _extensions(mine)} - NOT_MADE
    assert missing <= {"private_key_usage_period"}  # on signing certificates; the doctor's authenticates
    shared_names = {name for name, _ in _extensions(theirs)} & {name for name, _ in _extensions(mine)}
    for name in shared_names:
        assert dict(_extensions(mine))[name] == dict(_extensions(theirs))[name], name


def _rdns(certificate: asn1.Certificate) -> list[set[str]]:
    return [{pair["type"].native for pair in rdn} for rdn in certificate.subject.chosen]


def _extensions(certificate: asn1.Certificate) -> list[tuple[str, bool]]:
    return [(e["extn_id"].native, e["critical"].native) for e in certificate["tbs_certificate"]["extensions"]]


def test_rsa_keys(tmp_path: Path) -> None:
    pki = DemoPki.create(tmp_path / "rsa", now=NOW, key_type="rsa2048")
    key = asn1.Certificate.load(pki.authority("racine")[0].public_bytes(Encoding.DER)).public_key
    assert (key.algorithm, key.bit_size) == ("rsa", 2048)


def test_opened_again_it_issues_and_revokes(pki: DemoPki, load: Load) -> None:
    again = DemoPki.open(pki.folder)
    assert again.now == NOW
    fresh = again.issue_person("899900000127", "NOUVEAU", "Alex", 60, "Infirmier", name="nurse")
    assert load(again).check_sync(fresh.chain, "client").identity.profession == "60"
    again.revoke(fresh)
    again.write_crls()
    assert load(again).check_sync(fresh.chain, "client").rule == "sender.revoked"
    assert load(again).check_sync(again.issued("revoked").chain, "client").rule == "sender.revoked"


def test_keys_are_private_and_chains_whole(shared: DemoPki) -> None:
    for path in shared.folder.rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(certificates_in(shared.paths("hospital")[0].read_bytes())) == 2


def test_the_three_to_refuse_bear_the_hospitals_name(shared: DemoPki) -> None:
    names = {
        identity(shared.issued(name).der).subject_dn
        for name in ("hospital", "revoked", "expired", "stranger")
    }
    assert len(names) == 1


def test_a_pki_is_not_overwritten(shared: DemoPki, tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="holds a PKI already"):
        demo_pki(shared.folder)
    with pytest.raises(TrustError, match="does not hold"):
        DemoPki.open(tmp_path)
    with pytest.raises(TrustError, match="nothing was issued"):
        shared.issued("nobody")


def test_quick(tmp_path: Path) -> None:
    begin = time.process_time()
    demo_pki(tmp_path / "pki", now=NOW)
    assert time.process_time() - begin < 2
