"""The quick reader of a list's entries against cryptography's, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from asn1crypto import crl as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from revocation_support import directory, moment, named

from certs import CrlRefused
from certs.crl_entries import Entries

_KEY = ec.generate_private_key(ec.SECP256R1())
_REASONS = sorted(set(x509.ReasonFlags) - {x509.ReasonFlags.unspecified}, key=lambda reason: reason.value)
_MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda when: when.replace(microsecond=0)
)
_ENTRIES = st.lists(
    st.tuples(st.integers(1, 2**158), _MOMENTS, st.none() | st.sampled_from(_REASONS), st.none() | _MOMENTS),
    max_size=12,
    unique_by=lambda entry: entry[0],
)


def _list(entries: list[x509.RevokedCertificate]) -> bytes:
    builder = x509.CertificateRevocationListBuilder(revoked_certificates=entries)
    builder = builder.issuer_name(named("A")).last_update(moment(10**12)).next_update(moment(2 * 10**12))
    return builder.sign(_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def _entry(
    serial: int, when: datetime, reason: x509.ReasonFlags | None, invalid: datetime | None, issuer: str = ""
) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(serial, when)
    if invalid is not None:
        builder = builder.add_extension(x509.InvalidityDate(invalid), critical=False)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    if issuer:
        builder = builder.add_extension(x509.CertificateIssuer(directory(issuer)), critical=True)
    return builder.build()


def _content(der: bytes) -> bytes:
    frame = asn1.CertificateList.load(der)["tbs_cert_list"]["revoked_certificates"]
    return b"" if frame.native is None else bytes(frame.contents)


@given(_ENTRIES)
def test_as_cryptography_reads_it(entries: list[tuple[int, datetime, x509.ReasonFlags, datetime]]) -> None:
    der = _list([_entry(*entry) for entry in entries])
    ours = Entries(_content(der), "A", indirect=False)
    theirs = x509.load_der_x509_crl(der)
    assert len(ours) == ours.total == len(theirs)
    assert set(ours) == {entry.serial_number for entry in theirs}
    for entry in theirs:
        found = ours[entry.serial_number]
        assert found.at == int(entry.revocation_date_utc.timestamp()) * 1000
        reasons = [e.value.reason.value for e in entry.extensions if isinstance(e.value, x509.CRLReason)]
        assert found.reason == (reasons[0] if reasons else "unspecified")
        assert ours.get(entry.serial_number + 2**159) is None


@given(_ENTRIES, st.data())
def test_damage_is_refused_or_harmless(
    entries: list[tuple[int, datetime, x509.ReasonFlags, datetime]], data: st.DataObject
) -> None:
    """Under a signature nobody damages entries; still nothing but CrlRefused may come of it."""
    content = bytearray(_content(_list([_entry(*entry) for entry in entries])) or b"\x30\x00")
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        ours = Entries(bytes(content[: data.draw(st.sampled_from([len(content), at]))]), "A", indirect=True)
    except CrlRefused:
        return
    assert all(ours[serial].reason for serial in ours)


def test_issuers_hold_for_the_entries_that_follow() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    der = _list(
        [_entry(1, when, None, None), _entry(2, when, None, None, "B"), _entry(3, when, None, None),
         _entry(3, when, x509.ReasonFlags.superseded, None, "C")]
    )  # fmt: skip
    name_b, name_c = (directory(cn)[0].value.public_bytes() for cn in "BC")
    b, c = (asn1.Name.load(name).hashable for name in (name_b, name_c))
    ours = Entries(_content(der), "A", indirect=True)
    assert (list(ours), ours.total) == ([1], 4)
    assert [ours.find(b, serial) is not None for serial in (1, 2, 3)] == [False, True, True]
    found = ours.find(c, 3)
    assert found is not None
    assert found.reason == "superseded"


@pytest.mark.parametrize(
    "entry",
    [
        "30 12 02 01 05 17 0d 3236313330313030303030305a",  # a month that is not
        "30 12 02 01 05 17 0d 3236303233303030303030305a",  # the 30th of February
        "30 12 02 01 05 17 0d 3236303133303030303036305a",
        "30 12 02 01 05 17 0d 3236303130313234303030305a",  # 24 o'clock
        "30 12 02 01 05 17 0d 3236303130313030303030302b",  # no Z
        "30 11 02 00 17 0d 3236303130313030303030305a",  # no serial
        "30 12 02 01 05 13 0d 3236303130313030303030305a",  # no time
        "30 05 02 01 05 17 0d",
        "31 12 02 01 05 17 0d 3236303130313030303030305a",
        "30 80 02 01 05 17 0d 3236303130313030303030305a 00 00",  # indefinite length
        "30",
    ],
)
def test_refused(entry: str) -> None:
    with pytest.raises(CrlRefused, match="an entry cannot be read"):
        Entries(bytes.fromhex(entry), "A", indirect=False)


def test_negative_and_padded_serials() -> None:
    rest = bytes.fromhex("170d3236303130313030303030305a")
    negative, padded = bytes.fromhex("30120201ff") + rest, bytes.fromhex("3013020200 05") + rest
    ours = Entries(negative + padded, "A", indirect=False)
    assert sorted(ours) == [-1, 5]
    assert 255 not in ours
