"""S/MIME signatures: OpenSSL's read by us, ours read by OpenSSL, altered and hostile ones refused."""

from __future__ import annotations

import base64
import shutil
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path

import pytest
from asn1crypto import cms, core
from certs_fixtures import NOW, Load
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from smime_support import (
    CONTENT,
    DATA,
    ENVELOPED_DATA,
    SHA256,
    SIGNED_DATA,
    judged,
    openssl,
    openssl_accepts,
    signed_by_openssl,
    signed_data,
    tlv,
)

from certs import (
    DemoPki,
    Issued,
    KeySigner,
    SignerResult,
    TrustError,
    TrustStore,
    file_signer,
    sign_cms,
    verify_signed,
)
from certs.pki_profiles import MAIL, extended, key_usage, organisation_name

pytestmark = pytest.mark.package("openssl")
EMAIL = "secretariat@hopital-exemple.test"


class Cast:
    """Certificates of every kind, issued once."""

    def __init__(self, pki: DemoPki) -> None:
        self.pki = pki
        self.organisation = pki.issue_organisation(
            "Secretariat", "1690000007", "HOPITAL", use="sign", email=EMAIL, name="s-org"
        )
        self.person = pki.issue_person("899900000101", "EXEMPLE", "Camille", use="sign", name="s-person")
        self.client = pki.issue_person("899900000101", "EXEMPLE", "Camille", name="s-client")
        self.expired = pki.issue_organisation(
            "Old", "1690000007", "H", use="sign", name="s-old", begin=NOW - 90 * DAY, end=NOW - DAY
        )
        self.revoked = pki.issue_organisation("Gone", "1690000007", "H", use="sign", name="s-gone")
        pki.revoke(self.revoked, at=NOW - DAY)
        self.stranger = pki.stranger(pki.folder / "strangers").issue_organisation(
            "X", "1690000007", "H", use="sign", name="s-x"
        )
        pki.write_crls(now=NOW)


DAY = 86_400_000


@pytest.fixture(scope="module")
def people(shared: DemoPki, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    folder = tmp_path_factory.mktemp("smime") / "pki"
    shutil.copytree(shared.folder, folder)
    return Cast(DemoPki.open(folder))


@pytest.fixture
def trust(people: Cast, load: Load) -> TrustStore:
    return load(people.pki)


@pytest.fixture(scope="module")
def steady(people: Cast) -> TrustStore:
    """For hypothesis, which wants no fixture made anew for each test."""
    return TrustStore.load(people.pki.trust, clock=lambda: NOW)


def one(der: bytes, content: bytes | None = CONTENT) -> SignerResult:
    (result,), kind = verify_signed([der], None if content is None else [content])
    assert kind == "signed-data"
    return result


# -- what OpenSSL signs


@pytest.mark.parametrize("who", ["organisation", "person"])
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-md", "sha384"),
        ("-md", "sha512"),
        ("-noattr",),
        ("-keyid",),
        ("-cades",),
        ("-nosmimecap",),
        ("-nodetach",),
        ("-nodetach", "-stream"),
        ("-nodetach", "-stream", "-noattr", "-md", "sha512"),
    ],
)
async def test_openssl_signs_and_it_is_good(
    people: Cast, trust: TrustStore, who: str, options: tuple[str, ...]
) -> None:
    der = signed_by_openssl(getattr(people, who), *options)
    content = None if "-nodetach" in options else CONTENT
    found = one(der, content)
    assert (found.outcome, found.reason) == ("intact", "")
    assert (found.signed_at != 0) == ("-noattr" not in options)
    verdict = await judged(der, trust, content=content, received_at=found.signed_at or NOW)
    assert (verdict.state, verdict.reason, verdict.by) == ("good", "", "sender")
    assert verdict.signer is not None
    assert verdict.signer.kind == who


def test_rsa_pss(people: Cast) -> None:
    der = signed_by_openssl(people.organisation, "-keyopt", "rsa_padding_mode:pss")
    assert cms.ContentInfo.load(der)["content"]["signer_infos"][0]["signature_algorithm"].signature_algo == (
        "rsassa_pss"
    )
    assert one(der).outcome == "intact"
    assert one(der, CONTENT + b" ").outcome == "broken"


def test_smime_of_old(people: Cast) -> None:
    """``openssl smime`` writes PKCS #7 1.5, which CMS reads."""
    assert one(signed_by_openssl(people.organisation, command="smime")).outcome == "intact"


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_it_does_not_matter_how_the_octets_come(people: Cast, chunk: int) -> None:
    for options in ((), ("-nodetach", "-stream")):
        der = signed_by_openssl(people.organisation, *options)
        pieces = [der[i : i + chunk] for i in range(0, len(der), chunk)]
        content = [CONTENT[i : i + chunk] for i in range(0, len(CONTENT), chunk)]
        (found,), _ = verify_signed(pieces, None if options else content)
        assert found.outcome == "intact", found.reason


def test_parameters_of_a_digest(people: Cast) -> None:
    """Absent, as we write them, or NULL, as others do (RFC 5754 §2); nothing else."""
    info = cms.ContentInfo.load(sign_cms(CONTENT, signer_of(people.person), NOW))
    info["content"]["digest_algorithms"][0]["parameters"] = core.Null()
    info["content"]["signer_infos"][0]["digest_algorithm"]["parameters"] = core.Null()
    der = info.dump(force=True)
    named = SHA256[2:] + b"\x05\x00"
    assert der.count(named) == 2
    assert one(der).outcome == "intact"
    assert one(der.replace(named, SHA256[2:] + b"\x04\x00")).outcome == "broken"


@pytest.mark.parametrize(
    ("options", "outcome", "words"),
    [
        (("-md", "sha1"), "unsupported", "uses sha1"),
        (("-md", "md5"), "unsupported", "uses md5"),
        (("-nocerts",), "untrusted", "certificate is not in the message"),
    ],
)
def test_what_proves_nothing_is_named(
    people: Cast, options: tuple[str, ...], outcome: str, words: str
) -> None:
    found = one(signed_by_openssl(people.organisation, *options))
    assert found.outcome == outcome
    assert words in found.reason


def test_a_short_rsa_key_is_named(people: Cast) -> None:
    key = rsa.generate_private_key(65537, 1024)
    signer = KeySigner([leaf_for(people.pki, key.public_key())], key)
    found = one(sign_cms(CONTENT, signer, NOW))
    assert (found.outcome, found.reason) == ("unsupported", "The signer's RSA key has 1024 bits only")


def test_a_curve_that_is_not_used_is_named(people: Cast) -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    found = one(sign_cms(CONTENT, KeySigner([leaf_for(people.pki, key.public_key())], key), NOW))
    assert (found.outcome, found.reason) == ("unsupported", "The kind of the signer's key is not accepted")


# -- what the certificate is worth


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("expired", "expired on"),
        ("revoked", "was revoked on"),
        ("client", "not issued for mail signature"),
        ("stranger", "Its issuer bears the name"),
    ],
)
async def test_a_certificate_that_is_refused(people: Cast, trust: TrustStore, who: str, words: str) -> None:
    der = sign_cms(CONTENT, signer_of(getattr(people, who)), NOW)
    assert one(der).outcome == "intact"
    verdict = await judged(der, trust, received_at=NOW)
    assert verdict.state == "untrusted"
    assert words in verdict.reason
    assert verdict.reason.isascii()
    assert verdict.signer is not None
    assert not verdict.temporary


async def test_no_fresh_revocation_list_may_be_mended(people: Cast, load: Load) -> None:
    der = sign_cms(CONTENT, signer_of(people.organisation), NOW)
    verdict = await judged(der, load(people.pki, at=NOW + 60 * DAY), received_at=NOW + 60 * DAY)
    assert (verdict.state, verdict.temporary) == ("untrusted", True)


async def test_a_signer_who_is_not_the_sender(people: Cast, trust: TrustStore) -> None:
    der = sign_cms(CONTENT, signer_of(people.organisation), NOW)
    verdict = await judged(der, trust, owner="", received_at=NOW)
    assert (verdict.state, verdict.reason) == ("not_sender", "The signer is not the one in From")


async def test_a_time_to_come_is_not_believed(people: Cast, trust: TrustStore) -> None:
    der = sign_cms(CONTENT, signer_of(people.organisation), NOW + 3 * DAY)
    verdict = await judged(der, trust, received_at=NOW)
    assert (verdict.state, verdict.reason) == ("untrusted", "The signing time lies in the future")


async def test_several_signers(people: Cast, trust: TrustStore) -> None:
    """One good signature is enough, unless another is broken."""
    both = two_signers(people.organisation, people.stranger)
    assert [found.outcome for found in verify_signed([both], [CONTENT])[0]] == ["intact", "intact"]
    assert (await judged(both, trust, received_at=NOW)).state == "good"
    assert (await judged(both, trust, content=CONTENT + b" ", received_at=NOW)).state == "broken"
    info = cms.ContentInfo.load(both)
    last = info["content"]["signer_infos"][1]
    last["signature"] = bytes(len(last["signature"].native))
    outcomes = {found.outcome for found in verify_signed([info.dump(force=True)], [CONTENT])[0]}
    assert outcomes == {"intact", "broken"}
    assert (await judged(info.dump(force=True), trust, received_at=NOW)).state == "broken"


# -- what was altered


@pytest.fixture(scope="module")
def plain(people: Cast) -> dict[str, bytes]:
    """Signatures that carry the signer's certificate alone: each octet of them says something."""
    return {
        "rsa": signed_by_openssl(people.organisation, "-nosmimecap"),
        "ec": signed_by_openssl(people.person, "-nosmimecap"),
        "bare": signed_by_openssl(people.person, "-noattr"),
        "ours": sign_cms(CONTENT, KeySigner(signer_of(people.person).chain[:1], key_of(people.person)), NOW),
    }


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_octet_of_the_content_may_change(data: st.DataObject, plain: dict[str, bytes]) -> None:
    der = plain[data.draw(st.sampled_from(sorted(plain)))]
    altered = flipped(CONTENT, data)
    found = one(der, altered)
    assert (found.outcome, found.reason) == ("broken", "The message was changed after it was signed")


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_no_octet_of_the_signature_may_change(
    data: st.DataObject, plain: dict[str, bytes], steady: TrustStore
) -> None:
    """Unless it stands intact under a certificate that is refused: that of another key, for one."""
    der = flipped(plain[data.draw(st.sampled_from(sorted(plain)))], data)
    results, _ = verify_signed([der], [CONTENT])
    for found in results:
        assert found.outcome != "intact" or not steady.check_sync(found.chain, "sign").ok


def flipped(octets: bytes, data: st.DataObject) -> bytes:
    place = data.draw(st.integers(0, len(octets) - 1))
    mask = data.draw(st.integers(1, 255))
    return octets[:place] + bytes([octets[place] ^ mask]) + octets[place + 1 :]


@pytest.mark.parametrize("kind", ["rsa", "ec", "bare"])
def test_a_signature_that_is_cut_short(plain: dict[str, bytes], kind: str) -> None:
    for length in range(0, len(plain[kind]), 7):
        assert one(plain[kind][:length]).outcome == "broken", length


def test_octets_after_the_signature(plain: dict[str, bytes]) -> None:
    found = one(plain["rsa"] + b"\0")
    assert (found.outcome, found.reason) == ("broken", "Octets follow the signature")


@given(st.binary(max_size=300))
def test_anything_at_all_is_no_signature(noise: bytes) -> None:
    results, _ = verify_signed([noise], [CONTENT])
    assert [found.outcome for found in results] in (["broken"], ["unsupported"])


def test_a_content_of_its_own_beside_the_signed_part(people: Cast) -> None:
    """A detached signature that brings another content proves that one, not the part beside it."""
    found = one(signed_by_openssl(people.organisation, "-nodetach"), b"Another\r\n")
    assert found.outcome == "broken"
    assert "content of its own" in found.reason


def test_an_object_without_content_is_not_opaque(plain: dict[str, bytes]) -> None:
    assert one(plain["rsa"], None).reason == "The signature holds no content"


def test_the_attributes_of_a_signature_are_no_message(people: Cast) -> None:
    """Shown as a content without attributes, another signature's attributes would verify."""
    info = cms.ContentInfo.load(signed_by_openssl(people.person))
    (signer,) = info["content"]["signer_infos"]
    attributes = signer["signed_attrs"].untag().dump()
    bare = signer.copy()
    del bare["signed_attrs"]
    info["content"]["signer_infos"] = [bare]
    found = one(info.dump(force=True), attributes)
    assert (found.outcome, found.reason) == ("broken", "The signed content is not a message")


def test_the_certificate_that_the_signature_names(people: Cast) -> None:
    """Another certificate with the same number, issuer and key: the ESS attribute tells them apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    named, other = (leaf_for(people.pki, key.public_key(), serial=77, days=days) for days in (10, 20))
    info = cms.ContentInfo.load(sign_cms(CONTENT, KeySigner([named], key), NOW))
    info["content"]["certificates"] = [cms.CertificateChoices.load(other)]
    found = one(info.dump(force=True))
    assert (found.outcome, found.reason) == ("broken", "The signature names another certificate")
    info["content"]["certificates"] = [cms.CertificateChoices.load(der) for der in (other, named)]
    found = one(info.dump(force=True))
    assert found.outcome == "intact"
    assert found.chain[0] == named


def test_an_attribute_that_stands_twice(people: Cast) -> None:
    info = cms.ContentInfo.load(signed_by_openssl(people.person))
    (signer,) = info["content"]["signer_infos"]
    attributes = list(signer["signed_attrs"])
    signer["signed_attrs"] = [*attributes, attributes[0]]
    assert one(info.dump(force=True)).reason == "A signed attribute stands twice"


# -- hostile objects end quickly


def endless(piece: bytes, count: int) -> Iterator[bytes]:
    yield from repeat(piece, count)


def test_too_many_signers(people: Cast) -> None:
    info = cms.ContentInfo.load(signed_by_openssl(people.person))
    signer = info["content"]["signer_infos"][0].dump()
    found = one_of(signed_data(signers=signer * 3000))
    assert (found.outcome, found.reason) == ("unsupported", "The signature has more than 8 signers")


def test_too_many_certificates(people: Cast) -> None:
    found = one_of(signed_data(certificates=people.person.der * 3000))
    assert (found.outcome, found.reason) == ("unsupported", "The signature has more than 32 certificates")


def test_too_large_beside_the_message() -> None:
    found = one_of(signed_data(certificates=tlv(0x30, bytes(2 << 20))))
    assert found.reason == "The signature carries too many octets beside the message"


@pytest.mark.parametrize("tag", [b"\x30\x80", b"\xa0\x80", b"\x24\x80", b"\x31\x80"])
def test_nesting_without_end(tag: bytes) -> None:
    """Each level of an indefinite length costs two octets: a megabyte is half a million levels."""
    for before in (b"", b"\x30\x80" + SIGNED_DATA + b"\xa0\x80\x30\x80\x02\x01\x01" + tlv(0x31, SHA256)):
        for middle in (b"", b"\x30\x80" + DATA + b"\xa0\x80", b"\x30\x80" + DATA + b"\0\0\xa0\x80"):
            (found,), _ = verify_signed([before, middle, *endless(tag * 1000, 500)])
            assert found.outcome in ("broken", "unsupported")


def test_a_content_in_crumbs() -> None:
    start = b"\x30\x80" + SIGNED_DATA + b"\xa0\x80\x30\x80\x02\x01\x01" + tlv(0x31, SHA256)
    start += b"\x30\x80" + DATA + b"\xa0\x80\x24\x80"
    (found,), _ = verify_signed([start, *endless(b"\x04\x01a" * 1000, 10_000)])
    assert (found.outcome, found.reason) == ("unsupported", "The signed content comes in too many pieces")


@pytest.mark.parametrize("length", ["84ffffffff", "88ffffffffffffffff", "89ffffffffffffffffff", "ff"])
def test_lengths_that_cannot_be(length: str) -> None:
    for before in (b"\x30", b"\x30\x80" + SIGNED_DATA + b"\xa0\x80\x30"):
        found = one_of(before + bytes.fromhex(length) + b"\x02\x01\x01")
        assert found.outcome in ("broken", "unsupported")


def test_an_end_that_nothing_began() -> None:
    inner = tlv(0x30, b"\x02\x01\x01", b"\0\0")
    assert one_of(tlv(0x30, SIGNED_DATA, tlv(0xA0, inner))).outcome == "broken"


def test_an_element_that_reaches_out_of_its_holder(plain: dict[str, bytes]) -> None:
    octets = bytearray(plain["ec"])
    assert octets[0] == 0x30
    octets[1 + (octets[1] & 0x7F)] -= 1  # the outermost is one octet short of what it holds
    assert one(bytes(octets)).outcome == "broken"


def test_encrypted_is_recognised(people: Cast) -> None:
    words = ["cms", "-encrypt", "-outform", "DER", "-aes256"]
    code, der, said = openssl(*words, people.organisation.pem, data=CONTENT)
    assert code == 0, said
    for octets in (der, tlv(0x30, ENVELOPED_DATA, tlv(0xA0, b"\x30\x00"))):
        results, kind = verify_signed([octets])
        assert kind == "enveloped-data"
        assert results[0].outcome == "unsupported"


def test_certificates_alone_are_no_signature(people: Cast) -> None:
    code, der, said = openssl("crl2pkcs7", "-nocrl", "-certfile", people.person.pem, "-outform", "DER")
    assert code == 0, said
    assert one(der, None).outcome == "broken"


@pytest.mark.parametrize("opaque", [False, True])
def test_a_large_message_is_never_whole_in_memory(people: Cast, opaque: bool, tmp_path: Path) -> None:
    block = b"0123456789abcdef" * 4096
    (tmp_path / "large").write_bytes(block * 400)  # 25 MiB
    words = ["cms", "-sign", "-binary", "-outform", "DER", "-in", tmp_path / "large"]
    words += ["-signer", people.person.pem, "-inkey", people.person.key, "-out", tmp_path / "signed"]
    code, _, said = openssl(*words, *(["-nodetach", "-stream"] if opaque else []))
    assert code == 0, said

    def pieces() -> Iterator[bytes]:
        with (tmp_path / "signed").open("rb") as file:
            while piece := file.read(65536):
                yield piece

    verify_signed(pieces(), None if opaque else [b""])  # what is loaded once is loaded
    tracemalloc.start()
    try:
        (found,), _ = verify_signed(pieces(), None if opaque else repeat(block, 400))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.outcome == "intact"
    assert peak < 2 << 20


# -- what we sign


@pytest.mark.parametrize("who", ["organisation", "person"])
@pytest.mark.parametrize("detached", [True, False])
def test_openssl_verifies_what_we_sign(people: Cast, tmp_path: Path, who: str, detached: bool) -> None:
    der = sign_cms(CONTENT, signer_of(getattr(people, who)), NOW, detached=detached)
    assert openssl_accepts(der, people.pki, tmp_path, CONTENT if detached else None)
    assert not openssl_accepts(der[:-1] + bytes([der[-1] ^ 1]), people.pki, tmp_path, CONTENT)
    if detached:
        assert not openssl_accepts(der, people.pki, tmp_path, CONTENT + b" ")


def test_the_attributes_that_we_sign(people: Cast) -> None:
    (signer,) = cms.ContentInfo.load(sign_cms(CONTENT, signer_of(people.person), NOW))["content"][
        "signer_infos"
    ]
    found = {item["type"].native: item["values"][0] for item in signer["signed_attrs"]}
    assert set(found) == {"content_type", "message_digest", "signing_time", "signing_certificate_v2"}
    assert found["signing_time"].native == datetime.fromtimestamp(NOW // 1000, UTC)
    # DER sorts the members of a SET (X.690 §11.6): strict verifiers hash what they encode themselves
    members = [item.dump() for item in signer["signed_attrs"]]
    assert members == sorted(members)


def test_signing_times_to_come(people: Cast) -> None:
    """From 2050 on times are written otherwise (RFC 5652 §11.3)."""
    for year in (2049, 2050):
        at = int(datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 1000
        assert one(sign_cms(CONTENT, signer_of(people.person), at)).signed_at == at


def test_a_signer_needs_its_own_key(people: Cast, tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="not that of the signing certificate"):
        KeySigner(people.person.chain, key_of(people.organisation))
    with pytest.raises(TrustError, match="cannot be read"):
        file_signer(tmp_path / "none.pem", people.person.key)
    (tmp_path / "noise").write_text("-----BEGIN PRIVATE KEY-----\nnoise\n-----END PRIVATE KEY-----\n")
    with pytest.raises(TrustError, match="cannot be read"):
        file_signer(people.person.pem, tmp_path / "noise")
    assert file_signer(people.person.pem, people.person.key).algorithm == "ecdsa-sha256"


# -- helpers


def one_of(der: bytes) -> SignerResult:
    return verify_signed([der])[0][0]


def signer_of(issued: Issued) -> KeySigner:
    return file_signer(issued.pem, issued.key)


def key_of(issued: Issued) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    key = load_pem_private_key(issued.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return key


def two_signers(first: Issued, second: Issued) -> bytes:
    """One object with the signatures of both."""
    infos = [cms.ContentInfo.load(sign_cms(CONTENT, signer_of(issued), NOW)) for issued in (first, second)]
    info = infos[0].copy()
    info["content"]["signer_infos"] = [one["content"]["signer_infos"][0] for one in infos]
    info["content"]["certificates"] = [
        certificate for one in infos for certificate in one["content"]["certificates"]
    ]
    assert isinstance(info, core.Sequence)
    der: bytes = info.dump(force=True)
    return der


def leaf_for(
    pki: DemoPki, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, *, serial: int = 4711, days: int = 10
) -> bytes:
    """A signing certificate for a key of the test's choice."""
    authority, key = pki.authority("organisations")
    begin = datetime.fromtimestamp(NOW // 1000, UTC) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(organisation_name(cn="Cle", ou="1690000007", o="HOPITAL", st="Rhône (69)"))
        .issuer_name(authority.subject)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )
    for extension, critical in (key_usage(signature=True), extended(MAIL)):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_the_support_encodes_as_base64_does() -> None:
    """The hand-made DER is what asn1crypto reads."""
    info = cms.ContentInfo.load(signed_data(inner=tlv(4, b"abc")))
    assert info["content"]["encap_content_info"]["content"].native == b"abc"
    assert base64.b64encode(SHA256)
