"""Who certificates say one is: the real public ones, our own, old shapes and hostile bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from certs import CertificateUnreadable, DemoPki, certificates_in, dn_string, identity
from certs import pki_profiles as shape
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
    assert (who.category, who.product) == ("test", "0")


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


def test_unsorted_set_and_teletex_without_the_real_certificate(chain: Callable[[str], list[bytes]]) -> None:
    der = chain("doctor")[0]
    rdns = asn1.Certificate.load(der).subject.chosen
    members = [pair.dump() for pair in rdns[2]]
    title = _tlv(0x30, b"\x06\x03\x55\x04\x0c" + _tlv(0x14, "Médecin".encode("latin-1")))  # T61String
    former = _tlv(0x30, rdns[0].dump() + _tlv(0x31, title) + _tlv(0x31, b"".join(reversed(members))))
    present = _tlv(0x30, b"".join(rdn.dump() for rdn in rdns))
    assert der.count(present) == 1
    who = identity(_relength(der.replace(present, former), len(former) - len(present)))
    assert (who.id_nat, who.name, who.given, who.title) == ("899900000101", "EXEMPLE", "Camille", "Médecin")


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
