"""Who certificates say one is: the real public ones, our own, old shapes and hostile bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1
from certs_fixtures import NOW
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from certs import (
    CertificateUnreadable,
    DemoPki,
    certificates_in,
    demo_pki,
    dn_string,
    identity,
    structure_form,
)
from certs import pki_profiles as shape
from certs.identity import CARD_OID, CATEGORY_OID, PRODUCT_OID, SPECIALITY_OID
from certs.names import escape

REAL = Path(__file__).parents[3] / "shared" / "data" / "mssante" / "certs"
real = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real public certificates are not beside the repository"
)


def _real(name: str) -> bytes:
    return certificates_in((REAL / name).read_bytes())[0]


@real
def test_person_of_igc_sante() -> None:
    who = identity(_real("TEST_igcsante_CPS_medecin_sign_2019.der"))
    assert (who.kind, who.id_nat, who.profession, who.speciality) == ("person", "899900063480", "10", "SM26")
    assert (who.name, who.given, who.title, who.category) == ("LIBRE", "MAX", "Médecin", "test")
    assert who.subject_dn == "CN=899900063480+SN=LIBRE+GN=MAX,title=Médecin,C=FR"
    assert who.struct_id == ""


@real
def test_person_of_the_former_pki_with_teletex_and_unsorted_set() -> None:
    who = identity(_real("TEST_gipcps_classe1_CPS_medecin_2016.der"))
    assert (who.kind, who.id_nat, who.profession, who.speciality) == ("person", "899900038839", "10", "SM26")
    assert (who.name, who.given, who.title) == ("TRAL", "ADEMIS", "Médecin")
    assert (who.category, who.product, who.bearer) == ("test", "0", "card")
    assert (who.card, who.specialities) == ("8025000001/2500577253", ["SM26"])
    assert (who.struct_id, who.register) == ("", "")


@real
def test_organisation_that_signs_from_before_2019() -> None:
    who = identity(_real("TEST_igcsante_ORG_SIGN_2017.der"))
    assert (who.kind, who.struct_id, who.id_nat) == ("organisation", "339172288100052", "")
    assert (who.category, who.bearer, who.card) == ("test", "software", "")


@real
def test_every_published_certificate_is_decoded() -> None:
    files = [file for file in REAL.iterdir() if file.suffix in (".der", ".pem")]
    kinds = [identity(der).kind for file in files for der in certificates_in(file.read_bytes())]
    assert sorted(kinds) == ["organisation"] * 3 + ["other"] * 2 + ["person"] * 2


@pytest.mark.parametrize(
    ("struct_id", "form"),
    [
        ("1690000007", "finess"),
        ("12A0000007", "finess"),
        ("2347976684", "siren"),
        ("347976684200724", "siret"),
        ("499900063480001", "rpps_rank"),
        ("10B0127189", "former"),
        ("R10100000123456", "technical"),
        ("C010000000123456", "technical"),
        ("590000000012", "other"),
        ("CARDIOLOGIE", ""),
        ("0002 187512751", ""),
        ("Médecin", ""),
        ("", ""),
    ],
)
def test_forms_of_structure_identifiers(struct_id: str, form: str) -> None:
    assert structure_form(struct_id) == form


@real
def test_whitelist_signer() -> None:
    who = identity(_real("PROD_igcsante_ORG_SIGN_whitelist_signer_2023.der"))
    assert who.subject_dn == (
        "CN=alb.mssante.fr,OU=347976684200724,O=CAPGEMINI TECHNOLOGY SERVICES,ST=Hauts-de-Seine (92),C=FR"
    )
    assert (who.kind, who.category, who.struct_id) == ("organisation", "prod", "347976684200724")
    assert who.emails == ["alb@mssante.fr"]
    assert (who.not_before, who.not_after) == (1_692_798_863_000, 1_787_493_263_000)


@real
def test_organisation_with_a_former_structure_identifier() -> None:
    who = identity(_real("TEST_igcsante_ORG_AUTHCLI_2019.der"))
    assert (who.kind, who.struct_id, who.name) == ("organisation", "10B0127189", "CENTRE DE SANTE RPPS12718")
    assert who.subject_dn.endswith("ST=Rhône (69),C=FR")


@real
def test_authorities_are_nobody() -> None:
    found = certificates_in((REAL / "PROD_igcsante_elementaire_ca_chain.pem").read_bytes())
    assert [identity(der).kind for der in found] == ["other", "other"]


def test_demo_parties(chain: Callable[[str], list[bytes]]) -> None:
    doctor, server = identity(chain("doctor")[0]), identity(chain("hospital")[0])
    assert (doctor.kind, doctor.id_nat, doctor.profession, doctor.speciality) == (
        "person", "899900000101", "10", "SM54",
    )  # fmt: skip
    assert (
        server.subject_dn == "CN=mss.hopital-exemple.test,OU=1690000007,O=HOPITAL EXEMPLE,ST=Rhône (69),C=FR"
    )
    assert (server.kind, server.struct_id, server.category) == ("server", "1690000007", "test")
    assert server.hosts == ["mss.hopital-exemple.test", "localhost", "127.0.0.1"]
    assert identity(chain("hospital-auth")[0]).kind == "organisation"


def test_dn_equals_cryptography_in_the_ordinary_case(chain: Callable[[str], list[bytes]]) -> None:
    der = chain("clinic")[0]
    assert identity(der).subject_dn == x509.load_der_x509_certificate(der).subject.rfc4514_string()


def test_an_organisation_cannot_name_itself_a_professional(pki: DemoPki) -> None:
    posing = pki.issue_organisation("899900000101", "1690000007", "HOPITAL EXEMPLE", name="posing")
    who = identity(posing.der)
    assert (who.kind, who.id_nat) == ("organisation", "")
    doctor = shape.Person(name="x", id_nat="899900000101", sn="EXEMPLE", gn="Camille")
    forged = pki.issue("forged", shape.person_name(doctor), [shape.category(), *shape.profession(doctor)])
    assert identity(forged.der).id_nat == ""


def test_two_common_names_make_no_identifier(pki: DemoPki) -> None:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, value) for value in ("899900000119", "899900000101")]
    doubled = pki.issue("doubled", x509.Name(names), [], authority="personnes")
    assert identity(doubled.der).id_nat == ""


def test_card_of_an_establishment_uses_o_and_cn(pki: DemoPki) -> None:
    name = shape.organisation_name(
        cn="1690000007/0042", ou="1690000007", o="HOPITAL EXEMPLE", st="Rhône (69)"
    )
    who = identity(pki.issue("cpe", name, [], authority="personnes").der)
    assert (who.kind, who.name, who.given) == ("person", "HOPITAL EXEMPLE", "1690000007/0042")
    assert (who.struct_id, who.id_nat) == ("1690000007", "")
    assert who.register == "1690000007/0042"


def _private(oid: str, der: bytes) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der), False


def test_card_number_and_several_specialities(pki: DemoPki) -> None:
    holder = shape.Person(name="x", id_nat="899900000101", sn="EXEMPLE", gn="Camille")
    codes = b"".join(_tlv(0x0C, code) for code in (b"SM26", b"SM54"))
    extensions = [
        _private(CARD_OID, _tlv(0x13, b"8025000001/2500000017")),
        _private(CATEGORY_OID, b"\x04\x01\x00"),
        _private(SPECIALITY_OID, _tlv(0x30, codes)),
    ]
    issued = pki.issue("card", shape.person_name(holder), extensions, authority="personnes")
    who = identity(issued.der)
    assert (who.card, who.category, who.bearer) == ("8025000001/2500000017", "prod", "card")
    assert (who.speciality, who.specialities) == ("SM26", ["SM26", "SM54"])


@pytest.mark.parametrize(
    ("oid", "der"),
    [
        (CARD_OID, b"\x02\x01\x07"),
        (CARD_OID, b"\x13\x05abc"),
        (CATEGORY_OID, b"\x04\x02\x00\x03"),
        (SPECIALITY_OID, b"\x30\x03\x0c\x01\xff"),
    ],
)
def test_extensions_of_another_type_make_the_certificate_unreadable(
    pki: DemoPki, oid: str, der: bytes
) -> None:
    holder = shape.Person(name="x", id_nat="899900000101", sn="EXEMPLE", gn="Camille")
    issued = pki.issue("odd", shape.person_name(holder), [_private(oid, der)], authority="personnes")
    with pytest.raises(CertificateUnreadable):
        identity(issued.der)


def test_unsorted_set_and_teletex_without_the_real_certificate(chain: Callable[[str], list[bytes]]) -> None:
    who = identity(_as_the_former_pki_wrote_it(chain("doctor")[0]))
    assert (who.id_nat, who.name, who.given, who.title) == ("899900000101", "EXEMPLE", "Camille", "Médecin")


def _as_the_former_pki_wrote_it(der: bytes) -> bytes:
    rdns = asn1.Certificate.load(der).subject.chosen
    members = [pair.dump() for pair in rdns[2]]
    title = _tlv(0x30, b"\x06\x03\x55\x04\x0c" + _tlv(0x14, "Médecin".encode("latin-1")))  # T61String
    former = _tlv(0x30, rdns[0].dump() + _tlv(0x31, title) + _tlv(0x31, b"".join(reversed(members))))
    present = _tlv(0x30, b"".join(rdn.dump() for rdn in rdns))
    assert der.count(present) == 1
    return _relength(der.replace(present, former), len(former) - len(present))


def _relength(der: bytes, change: int) -> bytes:
    """Mend the lengths of Certificate and TBSCertificate (both in two bytes) after an edit."""
    data = bytearray(der)
    for at in (2, 6):
        assert data[at - 1] == 0x82
        data[at : at + 2] = (int.from_bytes(data[at : at + 2], "big") + change).to_bytes(2, "big")
    return bytes(data)


def _tlv(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("HOPITAL, SITE NORD", "HOPITAL\\, SITE NORD"),
        ('CRLCC "PAUL STRAUSS"', 'CRLCC \\"PAUL STRAUSS\\"'),
        (" bord ", "\\ bord\\ "),
        ("#1", "\\#1"),
        ("a+b;c<d>e\\f", "a\\+b\\;c\\<d\\>e\\\\f"),
        ("nul\0", "nul\\00"),
        ("Rhône (69)", "Rhône (69)"),
        ("", ""),
    ],
)
def test_escape(value: str, escaped: str) -> None:
    assert escape(value) == escaped


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30))
def test_dn_reads_back(value: str) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, value, _validate=False)])
    text = dn_string(asn1.Name.load(name.public_bytes()))
    assert x509.Name.from_rfc4514_string(text) == name


def test_truncated_and_followed(chain: Callable[[str], list[bytes]]) -> None:
    der = chain("doctor")[0]
    for bad in (der[:-1], der[:200], der[:1], b"", der + b"\0", b"\x30\x80" + der):
        with pytest.raises(CertificateUnreadable) as raised:
            identity(bad)
        assert raised.value.rule == "sender.certificate"


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_cleanly(data: bytes) -> None:
    with pytest.raises(CertificateUnreadable):
        identity(data)


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate with every private extension and, in the subject, TeletexString and an unsorted SET."""
    pki = demo_pki(tmp_path_factory.mktemp("former") / "pki", now=NOW)
    holder = shape.Person(name="x", id_nat="899900000101", sn="EXEMPLE", gn="Camille", speciality="SM26")
    extensions = [
        _private(CARD_OID, _tlv(0x13, b"8025000001/2500000017")),
        _private(CATEGORY_OID, b"\x04\x01\x80"),
        _private(PRODUCT_OID, b"\x02\x01\x00"),
        *shape.profession(holder),
    ]
    der = pki.issue("former", shape.person_name(holder), extensions, authority="personnes").der
    return _as_the_former_pki_wrote_it(der)


@given(st.data())
def test_damaged_former_certificates_never_crash(former: bytes, data: st.DataObject) -> None:
    assert identity(former).title == "Médecin"
    der = bytearray(former)
    subject = former.index(b"899900000101")  # most damage where the former PKI was odd
    places = st.one_of(st.integers(0, len(der) - 1), st.integers(subject - 80, subject + 40))
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(places)] = data.draw(st.integers(0, 255))
    try:
        who = identity(bytes(der))
    except CertificateUnreadable:
        return
    assert len(who.fingerprint) == 64


@given(st.data())
def test_damaged_certificates_never_crash(shared: DemoPki, data: st.DataObject) -> None:
    der = bytearray(shared.issued(data.draw(st.sampled_from(["doctor", "hospital", "whitelist-signer"]))).der)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        who = identity(bytes(der))
    except CertificateUnreadable:
        return
    assert len(who.fingerprint) == 64


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----", b"xyz"]
)
def test_files_without_a_certificate(content: bytes) -> None:
    with pytest.raises(CertificateUnreadable):
        certificates_in(content)
