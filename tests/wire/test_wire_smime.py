"""Signed mail through the running gateways: what OpenSSL signs, and what it says of our receipts."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import re
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from wire_support import Owner, Space, eventually, letter, message_id, run, send_bdat

import evidence
from certs import DemoPki, Issued
from gateway.demo import cast, letters
from gateway.demo.cast import DOCTOR
from gateway.demo.letters import Letter
from gateway.message import decode_meta
from store import Store, mail
from tests.corpus.signing import openssl, signed, verified_by_openssl

pytestmark = pytest.mark.package("openssl")
NOBODY = f"{cast.ins('1990175056999')}@{cast.PATIENT_DOMAIN}"


@pytest.fixture(scope="module")
def signer(space: Space) -> Issued:
    """The doctor's signing certificate."""
    return DemoPki.open(space.scene.root / "pki").issue_person(
        "899900000101", "EXEMPLE", "Camille", use="sign", name="wire-signer"
    )


@pytest.fixture
def root(space: Space) -> Path:
    return next((space.scene.root / "pki" / "trust" / "roots").iterdir())


def split(served: bytes) -> tuple[str, bytes]:
    """(our prefix on unfolded lines, the message as it was sent)."""
    prefix, mark, rest = served.partition(b"From: <")
    return prefix.decode("ascii").replace("\r\n\t", " "), mark + rest


@pytest.mark.parametrize("options", [(), ("-nodetach",), ("-nodetach", "-stream"), ("-md", "sha384")])
def test_signed_by_openssl_and_verified_by_it_after_imap(
    space: Space, patient: Owner, signer: Issued, root: Path, options: tuple[str, ...]
) -> None:
    raw = signed(DOCTOR.address, signer, *options)
    space.bring(patient.address, raw)
    (served,) = space.messages(patient)
    prefix, message = split(served)
    assert message == raw
    assert verified_by_openssl(message, root).endswith(b"le compte rendu suit.\r\n")
    assert verified_by_openssl(served, root).endswith(b"le compte rendu suit.\r\n"), "the prefix is outside"
    assert "smime=pass body.smime-part=" in prefix


@pytest.mark.package("swaks")
def test_swaks_brings_a_signed_message(
    space: Space, patient: Owner, signer: Issued, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "raw").write_bytes(signed(DOCTOR.address, signer))
    pair = space.pki.paths("hospital")
    code, out = run(
        "swaks", "--server", "localhost", "--port", str(space.port("operators")),
        "--helo", "mss.hopital-exemple.test", "--tls", "--tls-cert", pair[0], "--tls-key", pair[1],
        "--tls-ca-path", space.authorities, "--from", DOCTOR.address, "--to", patient.address,
        "--data", f"@{tmp_path / 'raw'}",
    )  # fmt: skip
    assert code == 0, out
    (served,) = space.messages(patient)
    assert "smime=pass" in split(served)[0]
    assert verified_by_openssl(served, root)


def test_a_large_one_by_bdat(space: Space, patient: Owner, signer: Issued, root: Path) -> None:
    raw = signed(DOCTOR.address, signer, text="".join(f"{number:070}\r\n" for number in range(100_000)))
    with space.operators() as client:
        assert send_bdat(client, DOCTOR.address, patient.address, raw)[0] == 250
    (served,) = space.messages(patient)
    prefix, message = split(served)
    assert message == raw
    assert "smime=pass" in prefix
    assert verified_by_openssl(message, root)


def test_an_altered_one_is_delivered_and_flagged(
    space: Space, ours: Store, patient: Owner, signer: Issued
) -> None:
    raw = signed(DOCTOR.address, signer, message_id="<altered@wire.test>").replace(b"suit", b"cuit")
    space.bring(patient.address, raw)
    (served,) = space.messages(patient)
    prefix, message = split(served)
    assert message == raw
    assert 'smime=fail reason="The message was changed after it was signed"' in prefix
    (link,) = ours.read(evidence.trace, "altered@wire.test")
    assert '"smime":"broken"' in link.detail


def test_unsigned_mail_says_nothing_of_signatures(space: Space, patient: Owner) -> None:
    space.bring(patient.address, letter(patient.address))
    assert "smime" not in split(space.messages(patient)[0])[0]


# -- our receipts


def reports(space: Space, doctor: Owner, about: str) -> Iterator[bytes]:
    """The messages in the doctor's box that answer a message."""
    for served in space.messages(doctor, "hopital"):
        if re.search(rb"^In-Reply-To: " + re.escape(about.encode()), served, re.MULTILINE):
            yield served


def inner(octets: bytes, kind: str) -> list[EmailMessage]:
    """The parts of a signed report."""
    report = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(report, EmailMessage)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == kind
    assert not report.defects
    return list(report.iter_parts())


def check_signed(served: bytes, root: Path, signer_address: str, folder: Path) -> bytes:
    """OpenSSL verifies it, and its certificate names the sender; the octets that it signs."""
    assert b'protocol="application/pkcs7-signature"' in served
    content = verified_by_openssl(served, root)
    (folder / "m").write_bytes(served)
    pem = folder / "signer.pem"
    openssl(
        "cms", "-verify", "-in", folder / "m", "-CAfile", root, "-signer", pem, "-out", folder / "content"
    )
    assert signer_address in openssl("x509", "-in", pem, "-noout", "-email").decode()
    assert content.isascii()
    return content


def test_the_report_of_a_delivery(
    space: Space, patient: Owner, doctor: Owner, root: Path, tmp_path: Path
) -> None:
    """Signed here, brought to the hospital's gateway, which verifies it too."""
    raw = letter(patient.address)
    about = re.search(rb"Message-ID: (<[^>]+>)", raw)
    assert about is not None
    with space.operators() as client:
        client.sendmail(DOCTOR.address, [patient.address], raw, rcpt_options=["NOTIFY=SUCCESS"])
    served = eventually(lambda: list(reports(space, doctor, about[1].decode())))[0]
    content = check_signed(served, root, f"postmaster@{cast.PATIENT_DOMAIN}", tmp_path)
    text, status, _ = inner(content, "delivery-status")
    assert "Votre message a été distribué à" in text.get_content()
    assert status.get_payload()[1]["Action"] == "delivered"
    assert "smime=pass body.smime-part=2" in split(served)[0].replace("\r\n ", " ")


def test_the_report_of_a_failure(
    space: Space, theirs: Store, doctor: Owner, root: Path, tmp_path: Path
) -> None:
    """The hospital's own gateway tells its doctor, signed with its certificate."""
    raw = letter(NOBODY)
    about = re.search(rb"Message-ID: (<[^>]+>)", raw)
    assert about is not None
    with space.submission(doctor, "hopital") as client:
        client.sendmail(DOCTOR.address, [NOBODY], raw)
    served = eventually(lambda: list(reports(space, doctor, about[1].decode())))[0]
    content = check_signed(served, root, f"postmaster@{cast.HOSPITAL_DOMAIN}", tmp_path)
    _, status, header = inner(content, "delivery-status")
    assert status.get_payload()[1]["Action"] == "failed"
    assert header.get_content_type() == "text/rfc822-headers"


def test_the_receipt_of_a_filing(
    space: Space, theirs: Store, patient: Owner, doctor: Owner, root: Path, tmp_path: Path
) -> None:
    assert patient.patient is not None
    sent = Letter(
        DOCTOR.address,
        patient.address,
        "Votre compte rendu",
        "Bonjour",
        (("IHE_XDM.ZIP", "application/zip", letters.archive(patient.patient, "Compte rendu")),),
        (("Disposition-Notification-To", f"<{DOCTOR.address}>"),),
    )
    space.bring(patient.address, sent.raw)
    served = eventually(lambda: list(reports(space, doctor, sent.message_id)))[0]
    content = check_signed(served, root, f"postmaster@{cast.PATIENT_DOMAIN}", tmp_path)
    text, disposition = inner(content, "disposition-notification")
    assert "Le document a été intégré" in text.get_content()
    assert "processed" in disposition.as_string()
    box = theirs.read(mail.box_by_address, DOCTOR.address)
    assert box is not None
    ids = [entry.message_id for entry in theirs.read(mail.entries, box.box_id, mail.INBOX_ID)]
    found = theirs.read(lambda conn: theirs.messages(conn, box.box_id, ids))
    kept = [decode_meta(message.meta) for message in found.values()]
    (meta,) = [meta for meta in kept if sent.message_id == meta.index.facts.in_reply_to]
    assert meta.signature is not None
    assert (meta.signature.state, meta.signature.by) == ("good", "sender")
    assert meta.index.facts.auto == "mdn"


def test_a_record_of_the_evidence_as_a_signed_receipt(
    space: Space, ours: Store, patient: Owner, root: Path
) -> None:
    """For whoever knows the authorities and not our evidence.pub."""
    raw = letter(patient.address)
    space.bring(patient.address, raw)
    (link,) = ours.read(evidence.trace, message_id(raw))
    home = space.scene.home("passerelle")
    code, out = run(sys.executable, "-m", "cli", "evidence", "receipt", str(link.seq), "--home", home)
    assert code == 0, out
    receipt = json.loads(out)
    cms = base64.b64decode(receipt.pop("cms"))
    assert (
        json.loads(openssl("cms", "-verify", "-inform", "DER", "-binary", "-CAfile", root, data=cms))
        == receipt
    )
    assert receipt["recipient"] == patient.address
