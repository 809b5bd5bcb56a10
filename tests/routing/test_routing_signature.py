"""Signed messages through the router: the verdict in the prefix, the evidence and beside the message."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from routing_support import ALICE, COLLEAGUE, DOCTOR, PATIENTS, PHARMACY, Post, message, operator, settle

import evidence
from certs import DemoPki, Issued, KeyPair, TrustStore, file_signer
from gateway.demo import cast
from gateway.keyring import LiveSigner, keystore
from gateway.message import Indexer, MessageIndex, Signature, decode_meta
from gateway.routing import Envelope, Policy, Recipient, Router
from gateway.settings import FILE_NAME, SettingsError, load_settings
from gateway.smtp import sign_message
from store import PasserelleError, Store, mail, new_id, now_ms
from tests.corpus.signing import header, openssl, signed, verified_by_openssl

pytestmark = pytest.mark.package("openssl")
DAY = 86_400_000


class Signers:
    """Certificates that people sign with."""

    def __init__(self, pki: DemoPki) -> None:
        self.pki = pki
        self.doctor = pki.issue_person("899900000101", "EXEMPLE", "Camille", use="sign", name="s-doctor")
        self.colleague = pki.issue_person("899900000127", "COLLEGUE", "Jean", use="sign", name="s-jean")
        self.hospital = self._organisation("s-hospital", "1690000007")
        self.pharmacy = self._organisation("s-pharmacy", "1750099999")
        self.named = self._organisation("s-named", "1130000003", email=DOCTOR.upper())
        self.revoked = self._organisation("s-revoked", "1690000007", email=DOCTOR)
        pki.revoke(self.revoked)
        pki.write_crls()
        self.client = pki.issued("doctor")
        self.expired = pki.issue_person(
            "899900000101", "EXEMPLE", "Camille", use="sign", name="s-old", end=pki.now - DAY
        )

    def _organisation(self, name: str, struct_id: str, email: str = "") -> Issued:
        return self.pki.issue_organisation(name, struct_id, "O", use="sign", email=email, name=name)


@pytest.fixture(scope="session")
def signers(space: Path, tmp_path_factory: pytest.TempPathFactory) -> Signers:
    folder = shutil.copytree(space / "pki", tmp_path_factory.mktemp("signers") / "pki")
    return Signers(DemoPki.open(folder))


def judge(store: Store, signers: Signers, policy: Policy = PATIENTS) -> Post:
    return Post(store, Router(store, policy, trust=TrustStore.load(signers.pki.trust)))


@pytest.fixture
async def desk(store: Store, signers: Signers) -> AsyncIterator[Post]:
    """A router that looks at signatures."""
    post = judge(store, signers)
    yield post
    await settle(post.router)


def kept(post: Post) -> Signature:
    (stored,) = post.stored(ALICE.address)
    found = decode_meta(stored.meta).signature
    assert found is not None
    return found


def told(post: Post) -> str:
    """Authentication-Results of Alice's one message, unfolded."""
    (stored,) = post.stored(ALICE.address)
    prefix = decode_meta(stored.meta).prefix.decode("ascii").replace("\r\n\t", " ")
    (line,) = re.findall(r"^Authentication-Results: (.*)\r$", prefix, re.MULTILINE)
    return str(line)


def proven(post: Post) -> dict[str, str]:
    """The detail of the evidence of acceptance."""
    links = [link for link in post.store.read(evidence.walk) if link.event == "delivered"]
    detail: dict[str, str] = json.loads(links[-1].detail)
    return detail


# -- who signed


@pytest.mark.parametrize("options", [(), ("-nodetach",), ("-nodetach", "-stream"), ("-md", "sha512")])
async def test_the_sender_signed(desk: Post, signers: Signers, options: tuple[str, ...]) -> None:
    raw = signed(DOCTOR, signers.doctor, *options)
    assert (await desk.from_doctor(raw)).accepted
    assert desk.inbox(ALICE.address) == [raw]
    found = kept(desk)
    assert (found.state, found.by, found.reason) == ("good", "sender", "")
    assert (found.holder, found.name, found.given, found.id_nat) == (
        "person",
        "EXEMPLE",
        "Camille",
        "899900000101",
    )
    assert found.kind == ("opaque" if "-nodetach" in options else "detached")
    assert abs(found.signed_at - now_ms()) < DAY
    assert found.test
    line = told(desk)
    assert "; smime=pass body.smime-part=" + ("1" if "-nodetach" in options else "2") in line
    assert f"body.smime-serial={signers.doctor.serial:x}" in line
    assert 'body.smime-issuer="CN=TEST AC IGC-SANTE ELEMENTAIRE PERSONNES,' in line
    detail = proven(desk)
    assert detail["smime"] == "good"
    assert (detail["smime_by"], detail["smime_signer"]) == ("sender", "899900000101")
    assert detail["smime_certificate"] == found.fingerprint
    assert "EXEMPLE" not in json.dumps({key: value for key, value in detail.items() if key != "by"})
    assert desk.store.read(evidence.verify, evidence.public_key(desk.store.home)).ok


@pytest.mark.parametrize(
    ("who", "author", "state", "by"),
    [
        ("doctor", DOCTOR, "good", "sender"),
        ("named", DOCTOR, "good", "sender"),  # the certificate names the address, in capitals
        ("pharmacy", PHARMACY, "good", "sender"),  # the box is the structure's
        ("hospital", DOCTOR, "good", "structure"),  # the operator of the domain
        ("colleague", DOCTOR, "not_sender", ""),
        ("pharmacy", DOCTOR, "not_sender", ""),
        ("doctor", COLLEAGUE, "not_sender", ""),
    ],
)
async def test_who_signed_for_whom(
    desk: Post, signers: Signers, who: str, author: str, state: str, by: str
) -> None:
    origin = operator(desk.store, cast.HOSPITAL_DOMAIN)
    raw = signed(author, getattr(signers, who))
    assert (await desk.send(origin, author, [ALICE.address], raw)).accepted
    found = kept(desk)
    assert (found.state, found.by) == (state, by)
    assert f"smime={'pass' if state == 'good' else 'policy'}" in told(desk)
    if state == "not_sender":
        assert 'reason="The signer is not the one in From"' in told(desk)
        assert proven(desk)["smime_reason"] == "The signer is not the one in From"


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("revoked", "revoked"),
        ("expired", "expired on"),
        ("client", "not issued for mail signature"),
    ],
)
async def test_a_certificate_that_is_refused(desk: Post, signers: Signers, who: str, words: str) -> None:
    raw = signed(DOCTOR, getattr(signers, who))
    assert (await desk.from_doctor(raw)).accepted
    found = kept(desk)
    assert found.state == "untrusted"
    assert words in found.reason
    line = told(desk)
    assert "smime=policy" in line
    assert "body.smime-issuer" not in line, "what is not believed is not repeated"
    assert "smime_signer" not in proven(desk)


async def test_a_name_in_a_certificate_of_anybody_cannot_write_lines(desk: Post, tmp_path: Path) -> None:
    key, pem = tmp_path / "key", tmp_path / "pem"
    subject = "/CN=x\r\nX-Forged: yes\r\n/emailAddress=a@b.test\r\nX-Also: yes"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]
    openssl(*words, "-subj", subject, "-keyout", key, "-out", pem)
    forged = Issued(name="x", pem=pem, key=key, chain=[], authority="", serial=0)
    assert (await desk.from_doctor(signed(DOCTOR, forged))).accepted
    (stored,) = desk.stored(ALICE.address)
    prefix = decode_meta(stored.meta).prefix
    assert kept(desk).state == "untrusted"
    assert b"Forged" not in prefix
    assert b"\r\nX-" not in prefix


# -- what was altered


async def test_one_octet_of_the_text(desk: Post, signers: Signers) -> None:
    raw = signed(DOCTOR, signers.doctor).replace(b"Bonjour", b"Bonsoir")
    assert (await desk.from_doctor(raw)).accepted
    assert kept(desk).reason == "The message was changed after it was signed"
    assert 'smime=fail reason="The message was changed after it was signed"' in told(desk)
    assert proven(desk)["smime"] == "broken"
    assert desk.inbox(ALICE.address) == [raw]


async def test_a_broken_one_can_be_refused(store: Store, signers: Signers) -> None:
    post = judge(store, signers, msgspec.structs.replace(PATIENTS, smime="refuse-broken"))
    raw = signed(DOCTOR, signers.doctor)
    verdict = await post.from_doctor(raw.replace(b"Bonjour", b"Bonsoir"))
    assert verdict.reply == (
        "550 5.7.7 the signature does not hold: The message was changed after it was signed"
        " [message.signature]"
    )
    await settle(post.router)
    links = [link for link in store.read(lambda conn: list(evidence.walk(conn))) if link.event != "profile"]
    assert [(link.event, link.rule) for link in links] == [("refused", "message.signature")]
    assert post.inbox(ALICE.address) == []
    for good in (raw, signed(DOCTOR, signers.colleague), signed(DOCTOR, signers.revoked), message(DOCTOR)):
        assert (await post.from_doctor(good)).accepted
    assert len(post.inbox(ALICE.address)) == 4


async def test_footers_of_lists(desk: Post, signers: Signers) -> None:
    """Outside what is signed a footer does no harm; within it does."""
    raw = signed(DOCTOR, signers.doctor)
    boundary = re.search(rb'boundary="([^"]+)"', raw)
    assert boundary is not None
    close = b"--" + boundary[1] + b"--"
    assert raw.count(close) == 1
    epilogue = raw + b"\r\n-- \r\nListe de diffusion\r\n"
    third = raw.replace(close, b"--" + boundary[1] + b"\r\n\r\nListe\r\n" + close)
    inside = raw.replace(b"le compte rendu suit.\r\n", b"le compte rendu suit.\r\n-- \r\nListe\r\n")
    wrapped = (
        header(DOCTOR)
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=liste\r\n\r\n--liste\r\n"
        + raw.partition(b"MIME-Version: 1.0\r\n")[2]
        + b"\r\n--liste\r\n\r\nListe\r\n--liste--\r\n"
    )
    for octets in (epilogue, third, inside, wrapped):
        assert (await desk.from_doctor(octets)).accepted
    found = [decode_meta(one.meta).signature for one in desk.stored(ALICE.address)]
    assert [one.state if one else "none" for one in found] == ["good", "broken", "broken", "none"]


async def test_a_signed_message_within_another(desk: Post, signers: Signers) -> None:
    """Only the outer one is ours to judge: what was forwarded may be broken, or somebody else's."""
    inner = signed(COLLEAGUE, signers.colleague).replace(b"Bonjour", b"Bonsoir")
    entity = b"Content-Type: message/rfc822\r\n\r\n" + inner
    raw = signed(DOCTOR, signers.doctor, entity=entity)
    assert (await desk.from_doctor(raw)).accepted
    assert kept(desk).state == "good"
    plain = header(DOCTOR, "<forward@example.test>") + b"MIME-Version: 1.0\r\n" + entity
    assert (await desk.from_doctor(plain)).accepted
    assert [decode_meta(one.meta).signature is None for one in desk.stored(ALICE.address)] == [False, True]
    assert b"smime=" not in decode_meta(desk.stored(ALICE.address)[1].meta).prefix


async def test_the_signature_may_be_binary(desk: Post, signers: Signers) -> None:
    """Base64 is a choice of the sender's; with 8-bit transport an object may come as it is."""
    part = b"Content-Type: text/plain\r\n\r\nBonjour\r\n"
    words = ["cms", "-sign", "-binary", "-outform", "DER", "-nosmimecap"]
    der = openssl(*words, "-signer", signers.doctor.pem, "-inkey", signers.doctor.key, data=part)
    for encoding, octets in (
        ("binary", der),
        ("base64", base64.encodebytes(der).replace(b"\n", b"\r\n")),
        ("quoted-printable", b"".join(b"=%02X" % octet for octet in der)),
    ):
        raw = (
            header(DOCTOR, f"<{encoding}@example.test>")
            + b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b;"
            + b' protocol="application/x-pkcs7-signature"\r\n\r\n--b\r\n'
            + part
            + b"\r\n--b\r\nContent-Type: application/x-pkcs7-signature\r\n"
            + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
            + octets
            + b"\r\n--b--\r\n"
        )
        assert (await desk.from_doctor(raw)).accepted
    found = [decode_meta(one.meta).signature for one in desk.stored(ALICE.address)]
    assert [(one.state, one.reason) for one in found if one] == [("good", "")] * 3


async def test_bare_line_ends_are_read_as_crlf(desk: Post, signers: Signers) -> None:
    """Nothing else than CRLF comes over SMTP, but what is signed is the canonical form (RFC 8551 §3.1.1)."""
    raw = signed(DOCTOR, signers.doctor).replace(b"\r\n", b"\n")
    assert (await desk.from_doctor(raw)).accepted
    assert kept(desk).state == "good"


async def test_a_large_signed_message(desk: Post, signers: Signers) -> None:
    """Larger than what a spool keeps in memory: it is read back from its file."""
    lines = "".join(f"{number:070}\r\n" for number in range(60_000))
    raw = signed(DOCTOR, signers.doctor, text=lines)
    assert len(raw) > 4 << 20
    assert (await desk.from_doctor(raw)).accepted
    assert kept(desk).state == "good"
    assert desk.inbox(ALICE.address) == [raw]


@pytest.mark.parametrize(
    "noise", [b"", b"MIIB", b"\xff" * 99, b"MIAGCSqGSIb3DQEHAqCAMIACAQExADCABgkqhkiG9w0BBwE="]
)
@pytest.mark.parametrize("media", ["pkcs7-mime; smime-type=signed-data", "pkcs7-mime"])
async def test_objects_that_are_none(desk: Post, media: str, noise: bytes) -> None:
    top = f"MIME-Version: 1.0\r\nContent-Type: application/{media}\r\n"
    raw = header(DOCTOR) + top.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + noise
    assert (await desk.from_doctor(raw)).accepted
    assert kept(desk).state == "broken"


async def test_encrypted_is_delivered_as_it_is(desk: Post, signers: Signers) -> None:
    words = ["cms", "-encrypt", "-crlfeol", "-aes256", signers.hospital.pem]
    sealed = openssl(*words, data=b"Content-Type: text/plain\r\n\r\nsecret\r\n")
    for octets in (sealed, sealed.replace(b"smime-type=enveloped-data; ", b"")):
        assert (await desk.from_doctor(header(DOCTOR, f"<{len(octets)}@x.test>") + octets)).accepted
    for stored in desk.stored(ALICE.address):
        meta = decode_meta(stored.meta)
        assert meta.signature is not None
        assert (meta.signature.kind, meta.signature.state) == ("encrypted", "unsupported")
        assert meta.signature.reason == "The message is encrypted: it cannot be read here"
        assert b"smime=neutral" in meta.prefix
    assert desk.inbox(ALICE.address)[0] == header(DOCTOR, f"<{len(sealed)}@x.test>") + sealed


async def test_unsigned_mail_is_as_before(desk: Post) -> None:
    assert (await desk.from_doctor(message(DOCTOR))).accepted
    assert "smime" not in told(desk)
    assert not [key for key in proven(desk) if key.startswith("smime")]
    assert decode_meta(desk.stored(ALICE.address)[0].meta).signature is None


# -- our own receipts


async def test_our_report_is_signed_and_is_a_report(store: Store, space: Path, signers: Signers) -> None:
    """NOTIFY=SUCCESS of another operator: its report is signed, and would pass our own rules."""
    ours = signers.pki.issue_organisation(
        "r", "390000000000015", "P", use="sign", email=f"postmaster@{cast.PATIENT_DOMAIN}", name="r"
    )
    report = message("postmaster@patient.mssante.test").replace(
        b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1
    )

    def write(envelope: Envelope, delivered: list[Recipient], index: MessageIndex) -> bytes:
        return sign_message(report, file_signer(ours.pem, ours.key), now_ms())

    policy = msgspec.structs.replace(PATIENTS, system_address=f"postmaster@{cast.PATIENT_DOMAIN}")
    router = Router(store, policy, write, TrustStore.load(signers.pki.trust))
    post = Post(store, router)
    raw = message(DOCTOR)
    indexer = Indexer()
    indexer.feed(raw)
    spool = store.spool()
    spool.write(raw)
    envelope = Envelope(
        mail_from=DOCTOR,
        recipients=[Recipient(address=ALICE.address, notify="SUCCESS")],
        trace_id=f"{new_id():x}",
        received_at=now_ms(),
    )
    origin = operator(store, cast.HOSPITAL_DOMAIN)
    assert (await router.accept(origin, envelope, spool, indexer.close(), spool.sha256)).accepted
    box = store.read(mail.box_by_address, f"postmaster@{cast.PATIENT_DOMAIN}")
    assert box is not None
    (entry,) = store.read(mail.entries, box.box_id, mail.OUTBOX_ID)
    found = store.read(lambda conn: store.messages(conn, box.box_id, [entry.message_id]))[entry.message_id]
    root = next((signers.pki.trust / "roots").iterdir())
    signed_part = verified_by_openssl(post.body(found), root)
    assert signed_part == b"Content-Type: text/plain\r\n\r\nBonjour.\r\n"
    assert post.body(found).startswith(b"From: <postmaster@patient.mssante.test>\r\n")


async def test_a_renewed_certificate_signs_from_then_on(home: Path, signers: Signers) -> None:
    settings = load_settings(home)
    live = LiveSigner(home, settings)
    first = live()
    assert first is not None
    await live.refresh()
    assert live() is first
    issued = signers.hospital
    key = load_pem_private_key(issued.key.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    keystore(home, settings).install("sign", KeyPair.make(issued.chain, key))
    await live.refresh()
    second = live()
    assert second is not None
    assert second.chain[0] == issued.der != first.chain[0]
    (home / settings.smime.certificate).write_text("noise")
    await live.refresh()
    assert live() is second, "what cannot be used changes nothing"
    with pytest.raises(PasserelleError):
        LiveSigner(home, settings)


def test_certificate_and_key_go_together(home: Path) -> None:
    path = home / FILE_NAME
    text = path.read_text()
    path.write_text(text.replace('key = "tls/sign.key"\n', ""))
    with pytest.raises(SettingsError, match="certificate and key go together"):
        load_settings(home)
