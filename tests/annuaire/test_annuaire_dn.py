"""Subject names: the tolerant comparison, and that tolerance opens no door."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from annuaire import fold_dn, same_dn, split_dn

SAME = [
    ('CN=m.fr,OU=1330781295,O="C.H. DE  CADILLAC",ST=Gironde (33),C=FR',
     "CN=m.fr,OU=1330781295,O=C.H. DE  CADILLAC,ST=Gironde (33),C=FR"),
    ('CN=m.fr,OU=1,O=CRLCC "PAUL STRAUSS",ST=X,C=FR', r"CN=m.fr,OU=1,O=CRLCC \"PAUL STRAUSS\",ST=X,C=FR"),
    ('CN=m.fr,OU=1,O="PAUL" CENTRE,ST=X,C=FR', r"CN=m.fr,OU=1,O=\"PAUL\" CENTRE,ST=X,C=FR"),
    ("CN=m.fr,OU=1,O=A\u00a0B,ST=X,C=FR", "CN=m.fr,OU=1,O=A B,ST=X,C=FR"),
    ("CN=m.fr,OU=1,O=A,L=Paris (75),C=FR", "cn=M.FR,ou=1,o=a,st=paris (75),c=fr"),
    ('CN=m.fr,OU=1,O="A, B",ST=X,C=FR', r"CN=m.fr,OU=1,O=A\, B,ST=X,C=FR"),
    ("CN=m.fr,OU=1,O=A, B,ST=X,C=FR", r"CN=m.fr,OU=1,O=A\, B,ST=X,C=FR"),
    ("CN=m.fr, OU=1, O=A, ST=X, C=FR", "CN=m.fr,OU=1,O=A,ST=X,C=FR"),
    ("C=FR,ST=X,O=A,OU=1,CN=m.fr", "CN=m.fr,OU=1,O=A,ST=X,C=FR"),
    (r"CN=m.fr,O=\C3\89tablissement,C=FR", "CN=m.fr,O=établissement,C=FR"),
]  # fmt: skip

DIFFERENT = [
    ("CN=a.fr,OU=1,O=A,ST=X,C=FR", "CN=b.fr,OU=1,O=A,ST=X,C=FR"),
    ("CN=a.fr,OU=1,O=A,ST=X,C=FR", "CN=a.fr,OU=2,O=A,ST=X,C=FR"),
    ("CN=a.fr,OU=1,O=A,C=FR", "CN=a.fr,OU=1,O=A"),
    # An organisation name that carries a key of its own must not pass for the real thing.
    (r"CN=evil.fr,O=x\,OU=1\,ST=X,C=FR", "CN=evil.fr,O=x,OU=1,ST=X,C=FR"),
    ('CN=evil.fr,O="x,OU=1,ST=X",C=FR', "CN=evil.fr,O=x,OU=1,ST=X,C=FR"),
    (r"CN=evil.fr,O=x\2COU=1,C=FR", "CN=evil.fr,O=x,OU=1,C=FR"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one: str, other: str) -> None:
    assert same_dn(one, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str) -> None:
    assert not same_dn(one, other)


def test_what_is_no_name_stays_whole() -> None:
    assert split_dn("nonsense") == [("", "nonsense")]
    assert split_dn("CN=" + "a" * 5000) == [("", "CN=" + "a" * 5000)]
    assert split_dn("") == []


_letters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Cn"))
# A value that opens and ends with a quote reads as a quoted one: that is the tolerance wanted.
_values = st.text(_letters, min_size=1, max_size=40).filter(
    lambda text: text.strip() == text and not text.startswith('"')
)


@given(_values, _values)
def test_every_rfc4514_text_reads_back(organisation: str, unit: str) -> None:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, "mss.exemple.fr"),
        ]
    )
    pairs = split_dn(name.rfc4514_string())
    blanks = " ".join
    assert pairs == [
        ("CN", "mss.exemple.fr"),
        ("OU", blanks(unit.split())),
        ("O", blanks(organisation.split())),
        ("C", "FR"),
    ]


@given(st.text(max_size=200), st.text(max_size=60))
def test_folding_never_fails(text: str, value: str) -> None:
    fold_dn(text)
    assert fold_dn(f"CN={value}") == fold_dn(f"CN={value}")


def test_the_text_of_a_certificate_matches() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Bouches-du-Rhône (13)"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "C.H. DE  L'EXEMPLE"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "1130099999"),
            x509.NameAttribute(NameOID.COMMON_NAME, "mss.exemple.fr"),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    listed = 'CN=mss.exemple.fr,OU=1130099999,O="C.H. DE  L\'EXEMPLE",L=Bouches-du-Rhône (13),C=FR'
    assert same_dn(cert.subject.rfc4514_string(), listed)
