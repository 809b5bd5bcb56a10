"""Revocation lists: which are believed, what they cover, and the price of big ones."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509 as asn1
from certs_fixtures import NOW, Load
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from certs import Authority, Crl, CrlIndex, CrlRefused, DemoPki
from certs import pki_profiles as shape

ORG = "organisations"
Extensions = list[tuple[x509.ExtensionType, bool]]


def _authorities(pki: DemoPki) -> list[Authority]:
    return [
        Authority(asn1.Certificate.load(pki.authority(which)[0].public_bytes(Encoding.DER)))
        for which in ("racine", "organisations", "personnes")
    ]


def _point(**given: object) -> Extensions:
    fields: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return [(x509.IssuingDistributionPoint(**{**fields, **given}), True)]  # type: ignore[arg-type]


def test_a_good_list(shared: DemoPki) -> None:
    crl = Crl(shared.crl(ORG), _authorities(shared), "x.crl")
    assert (crl.label, crl.number, crl.scope) == ("TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS", 2, "all")
    assert list(crl.revoked) == [shared.issued("revoked").serial]
    assert crl.revoked[shared.issued("revoked").serial].reason == "keyCompromise"
    assert (crl.this_update, crl.next_update) == (NOW - 3_600_000, NOW + 7 * 86_400_000)


_ODD = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ([(_ODD, True)], "critical extension 1.2.3.4"),
        (_point(only_contains_attribute_certs=True), "attribute certificates"),
    ],
)
def test_refused_by_its_extensions(shared: DemoPki, extensions: Extensions, reason: str) -> None:
    with pytest.raises(CrlRefused, match=reason):
        Crl(shared.crl(ORG, extensions=extensions), _authorities(shared))


def test_an_unknown_extension_that_is_not_critical_is_passed_over(shared: DemoPki) -> None:
    assert Crl(shared.crl(ORG, extensions=[(_ODD, False)]), _authorities(shared)).number == 2


def test_critical_extension_of_an_entry(shared: DemoPki) -> None:
    certificate, key = shared.authority(ORG)
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(5)
        .revocation_date(datetime.fromtimestamp(NOW / 1000, UTC))
        .add_extension(x509.CertificateIssuer([x509.DirectoryName(certificate.subject)]), critical=True)
        .build()
    )
    with pytest.raises(CrlRefused, match="an entry has the critical extension"):
        Crl(_list(certificate, key, [entry]), _authorities(shared))


def test_signed_by_another_key(shared: DemoPki) -> None:
    forged = shared.crl(ORG, signer=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(
        CrlRefused, match="its signature is not TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS's"
    ):
        Crl(forged, _authorities(shared))


def test_of_another_authority_with_the_same_name(shared: DemoPki, pki: DemoPki) -> None:
    stranger = pki.stranger(pki.folder / "other")
    with pytest.raises(CrlRefused, match="authority key identifier"):
        Crl(stranger.crl(ORG), _authorities(shared))


def test_of_an_authority_nobody_trusts(shared: DemoPki) -> None:
    with pytest.raises(CrlRefused, match="is not a trusted authority"):
        Crl(shared.crl("personnes"), _authorities(shared)[:2])


def test_by_a_key_that_may_not_sign_lists(pki: DemoPki) -> None:
    name = shape.organisation_name(cn="x", ou="1690000007", o="X", st="Y")
    leaf = pki.issue("leaf", name, [shape.key_usage(signature=True)])
    authority = Authority(asn1.Certificate.load(leaf.der))
    assert not authority.signs_crls
    certificate = x509.load_der_x509_certificate(leaf.der)
    with pytest.raises(CrlRefused, match="may not sign revocation lists"):
        Crl(_list(certificate, pki.authority(ORG)[1], [], identifier=False), [authority])


def test_no_next_update(shared: DemoPki) -> None:
    der = shared.crl(ORG)
    crl = x509.load_der_x509_crl(der)
    assert crl.next_update_utc is not None
    following = crl.next_update_utc.strftime("%y%m%d%H%M%SZ").encode()
    tbs = crl.tbs_certlist_bytes
    shorter = tbs.replace(b"\x17\x0d" + following, b"")
    assert len(shorter) == len(tbs) - 15
    assert tbs[1] == 0x82
    shorter = b"\x30\x82" + (len(shorter) - 4).to_bytes(2, "big") + shorter[4:]
    with pytest.raises(CrlRefused, match="no nextUpdate"):
        Crl(_wrapped(der, tbs, shorter), _authorities(shared))


def _wrapped(der: bytes, tbs: bytes, other: bytes) -> bytes:
    content = der[4:].replace(tbs, other)
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def test_sha1_signature_is_not_believed(shared: DemoPki) -> None:
    # The algorithm identifier alone decides, before any signature: ecdsa-with-SHA256 to SHA1.
    der = shared.crl(ORG)
    new, old = bytes.fromhex("06072a8648ce3d0401"), bytes.fromhex("06082a8648ce3d040302")
    assert der.count(old) == 2
    tbs = x509.load_der_x509_crl(der).tbs_certlist_bytes
    inner = tbs.replace(b"\x30\x0a" + old, b"\x30\x09" + new)
    inner = b"\x30\x82" + (len(inner) - 4).to_bytes(2, "big") + inner[4:]
    outer = _wrapped(der, tbs, inner).replace(b"\x30\x0a" + old, b"\x30\x09" + new)
    outer = b"\x30\x82" + (len(outer) - 4).to_bytes(2, "big") + outer[4:]
    with pytest.raises(CrlRefused, match="signed with sha1"):
        Crl(outer, _authorities(shared))


def test_scope(shared: DemoPki, pki: DemoPki, load: Load) -> None:
    """Lists for authorities only, or of another distribution point, say nothing of a holder."""
    path = pki.trust / "crls" / shape.CRL_FILES[ORG]
    elsewhere = [x509.UniformResourceIdentifier("http://igc-sante.test/CRL/other.crl")]
    here = [x509.UniformResourceIdentifier(f"http://igc-sante.test/CRL/{shape.CRL_FILES[ORG]}")]
    for extensions, accepted in (
        (_point(only_contains_ca_certs=True), False),
        (_point(only_contains_user_certs=True), True),
        (_point(full_name=elsewhere), False),
        (_point(full_name=here), True),
    ):
        path.write_bytes(pki.crl(ORG, extensions=extensions))
        verdict = load(pki).check_sync(shared.issued("hospital").chain, "client")
        assert verdict.ok is accepted
        assert verdict.rule == ("" if accepted else "sender.revocation_unknown")


def test_a_partial_list_still_revokes(pki: DemoPki, load: Load) -> None:
    path = pki.trust / "crls" / "users.crl"
    victim = pki.issued("hospital")
    pki.revoke(victim)
    path.write_bytes(pki.crl(ORG, extensions=_point(only_contains_user_certs=True)))
    store = load(pki)
    assert len(store.crls) == 4
    assert store.check_sync(victim.chain, "client").rule == "sender.revoked"


def test_the_newest_of_several_files_is_used(pki: DemoPki, load: Load) -> None:
    victim = pki.issued("hospital")
    pki.revoke(victim)
    (pki.trust / "crls" / "a-newer.crl").write_bytes(pki.crl(ORG, number=5))
    (pki.trust / "crls" / "z-older.crl").write_bytes(pki.crl(ORG, number=4))
    store = load(pki)
    assert sorted(crl.number for crl in store.crls) == [2, 2, 5]
    assert store.check_sync(victim.chain, "client").rule == "sender.revoked"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x30\x03\x02\x01\x00"])
def test_rubbish_in_the_folder_is_named_and_passed_over(pki: DemoPki, load: Load, content: bytes) -> None:
    (pki.trust / "crls" / "rubbish.crl").write_bytes(content)
    store = load(pki)
    assert [problem.file for problem in store.problems] == ["rubbish.crl"]
    assert store.check_sync(pki.issued("hospital").chain, "client").ok


def test_pem_list(pki: DemoPki, load: Load) -> None:
    for path in pki.trust.glob("crls/*.crl"):
        path.write_bytes(x509.load_der_x509_crl(path.read_bytes()).public_bytes(Encoding.PEM))
    store = load(pki)
    assert not store.problems
    assert store.check_sync(pki.issued("hospital").chain, "client").ok


@given(st.data())
def test_damaged_lists_are_refused_cleanly(shared: DemoPki, data: st.DataObject) -> None:
    der = bytearray(_list_of(shared))
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CrlRefused):
        Crl(bytes(der[: data.draw(st.sampled_from([len(der), len(der) - 1, at]))]), _authorities(shared))


_kept: dict[int, bytes] = {}


def _list_of(pki: DemoPki) -> bytes:
    return _kept.setdefault(id(pki), pki.crl(ORG))


def test_big_list_is_asked_in_no_time(shared: DemoPki) -> None:
    certificate, key = shared.authority(ORG)
    moment = datetime.fromtimestamp(NOW / 1000, UTC)
    entries = [
        x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment).build()
        for serial in range(1, 20_001)
    ]
    index = CrlIndex([Crl(_list(certificate, key, entries), _authorities(shared))])
    issuer = asn1.Certificate.load(certificate.public_bytes(Encoding.DER))
    begin = time.process_time()
    for serial in range(1, 1001):
        (held,) = index.issued_by(issuer.subject.hashable)
        assert serial in held.revoked
        assert serial + 20_000 not in held.revoked
    # A list asked entry by entry would take 1000 times 20 000 steps: minutes.
    assert time.process_time() - begin < 5


def _list(
    certificate: x509.Certificate,
    key: object,
    entries: list[x509.RevokedCertificate],
    *,
    identifier: bool = True,
) -> bytes:
    moment = datetime.fromtimestamp(NOW / 1000, UTC)
    builder = (
        x509.CertificateRevocationListBuilder(revoked_certificates=entries)
        .issuer_name(certificate.subject)
        .last_update(moment)
        .next_update(moment + timedelta(days=7))
        .add_extension(x509.CRLNumber(77), critical=False)
    )
    if identifier:
        public = certificate.public_key()
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)  # type: ignore[arg-type]
        builder = builder.add_extension(authority, critical=False)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
