"""DSN, MDN and prefix: what they say, what they never say, and that a mail library can read them."""

from __future__ import annotations

import base64
import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs import DemoPki, TrustError, file_signer, verify_signed
from gateway.dmp_bridge import LABELS
from gateway.message import Indexer, decode_stream, signed_parts
from gateway.routing.model import Envelope, Origin, Recipient
from gateway.routing.prefix import AuthResult, authentication_results, build_prefix, received
from gateway.smtp import sign_message, signed_or_not
from gateway.smtp.dsn import DsnRecipient, build_dsn, wanted
from gateway.smtp.mdn import MdnFile, build_mdn
from gateway.smtp.reports import base64_lines, shown_header
from store.errors import InvalidInputError

NOW = 1_790_000_000_000
HEADER = (
    b"Received: from x\r\n\tby y\r\nMessage-ID: <m1@a.example>\r\nDate: Mon, 1 Jan 2026 00:00:00 +0000\r\n"
    b"From: Dr <dr@a.example>\r\nTO: p@b.example,\r\n q@b.example\r\nSubject: BIOPSIE de Mme\r\n X\r\n"
    b"X-MSS-INS: O\r\nBcc: secret@c.example\r\n\r\n"
)


def parse(raw: bytes) -> EmailMessage:
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def dsn(**changes: object) -> bytes:
    recipient = {
        "address": "p@b.example",
        "action": "failed",
        "status": "5.1.1",
        "orcpt": "rfc822;P+2BX@B.Example",
        "rule": "recipient.unknown",
        "diagnostic": "550 5.1.1 no such patient [recipient.unknown]",
        "remote": "mx.b.example",
    }
    recipient |= {key: value for key, value in changes.items() if key in recipient or key == "retry_until"}
    top = {key: value for key, value in changes.items() if key not in recipient}
    return build_dsn(
        **(
            {
                "hostname": "gw.example",
                "mail_from": "dr@a.example",
                "report_id": "r1",
                "now": NOW,
                "arrival": NOW - 1000,
                "recipients": [DsnRecipient(**recipient)],  # type: ignore[arg-type]
                "header": HEADER,
                "envid": "Env+3Did",
                "message_id": "<m1@a.example>",
            }
            | top
        )  # type: ignore[arg-type]
    )


def test_a_failure_report_is_read_by_a_mail_library_and_shows_no_subject() -> None:
    raw = dsn()
    message = parse(raw)
    assert message["Subject"] == "Message non distribué"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "dr@a.example"
    assert message["In-Reply-To"] == "<m1@a.example>"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    text, status, header = message.get_payload()
    assert "aucun profil patient" in text.get_content()
    assert "no patient with this address" in text.get_content()
    about, whom = status.get_payload()
    assert about["Original-Envelope-Id"] == "Env=id"
    assert about["Reporting-MTA"] == "dns; gw.example"
    assert whom["Original-Recipient"] == "rfc822;P+X@B.Example"
    assert whom["Final-Recipient"] == "rfc822;p@b.example"
    assert (whom["Action"], whom["Status"]) == ("failed", "5.1.1")
    assert whom["Diagnostic-Code"].endswith("[recipient.unknown]")
    assert whom["Remote-MTA"] == "dns; mx.b.example"
    assert header.get_content_type() == "text/rfc822-headers"
    shown = header.get_payload()
    assert "Message-ID: <m1@a.example>" in shown
    assert "q@b.example" in shown
    for hidden in (b"BIOPSIE", b"Mme", b"X-MSS", b"secret", b"Received: from x"):
        assert hidden not in raw


@pytest.mark.parametrize(
    ("action", "title"),
    [
        ("delayed", "Message en attente de distribution"),
        ("delivered", "Message distribué"),
        ("relayed", "Message transmis"),
    ],
)
def test_titles(action: str, title: str) -> None:
    message = parse(dsn(action=action, status="4.4.1", retry_until=NOW + 1))
    assert message["Subject"] == title
    whom = message.get_payload()[1].get_payload()[1]
    assert whom["Action"] == action
    assert ("Will-Retry-Until" in whom) == (action == "delayed")


def test_no_report_about_a_null_sender() -> None:
    with pytest.raises(InvalidInputError):
        dsn(mail_from="")
    with pytest.raises(InvalidInputError):
        dsn(recipients=[])


@pytest.mark.parametrize(
    ("mail_from", "notify", "told"),
    [
        ("a@b", "", {"failed"}),
        ("a@b", "NEVER", set()),
        ("a@b", "SUCCESS", {"delivered", "relayed"}),
        ("a@b", "SUCCESS,FAILURE,DELAY", {"failed", "delayed", "delivered", "relayed"}),
        ("a@b", "DELAY", {"delayed"}),
        ("", "SUCCESS,FAILURE,DELAY", set()),
    ],
)
def test_who_is_told_what(mail_from: str, notify: str, told: set[str]) -> None:
    for action in ("failed", "delayed", "delivered", "relayed"):
        assert wanted(mail_from, notify, action) == (action in told)  # type: ignore[arg-type]


def test_others_text_cannot_add_lines_or_parts() -> None:
    raw = dsn(diagnostic="550 é\r\n--x\r\nFinal-Recipient: evil", envid="a+0D+0Ab", orcpt="rfc822;x+0D+0Ay")
    whom = parse(raw).get_payload()[1].get_payload()[1]
    assert whom["Final-Recipient"] == "rfc822;p@b.example"
    assert b"\r\nFinal-Recipient: evil" not in raw


def test_utf8_addresses_use_the_global_forms() -> None:
    raw = dsn(address="zoé@b.example", header="From: zoé <z@a.example>\r\nSubject: é\r\n\r\n".encode())
    message = parse(raw)
    assert message.get_payload()[1].get_content_type() == "message/global-delivery-status"
    assert message.get_payload()[2].get_content_type() == "message/global-headers"
    assert raw.isascii(), "nobody on its way needs to convert it"
    assert b"Final-Recipient: utf-8;zo=C3=A9@b.example\r\n" in raw


@given(st.binary(max_size=200))
def test_only_four_fields_are_ever_shown(noise: bytes) -> None:
    shown = shown_header(b"Subject: SECRET\r\n" + noise + b"\r\nSubject: SECRET\r\n")
    for line in shown.split(b"\r\n"):
        if line and line[:1] not in b" \t":
            assert line.partition(b":")[0].strip().lower() in (b"message-id", b"date", b"from", b"to")


def test_receipts_of_success_and_failure() -> None:
    original = b"Message-ID: <m1@a>\r\nSubject: s\r\n\r\nbody"
    files = [
        MdnFile(name="IHE_XDM.ZIP", media="application/zip", chunks=lambda: [b"PK", b"\x03" * 200]),
        MdnFile(name='Résumé".pdf', media="application/pdf", chunks=lambda: [b"%PDF"]),
    ]
    for code in (0, *LABELS):
        raw = b"".join(
            build_mdn(
                hostname="gw.example",
                sender="279035121518989@patient.example",
                to="dr@a.example",
                report_id="r2",
                now=NOW,
                subject="XDM/1.0/DDM+CR X",
                message_id="<m1@a>",
                original_recipient="279035121518989@patient.example",
                code=code,
                label=LABELS.get(code, ""),
                detail="une phrase",
                original=lambda: [original[:9], original[9:]],
                files=files,
            )
        )
        message = parse(raw)
        assert message["Subject"] == (
            f"[KO Intégration système !][{code}] XDM/1.0/DDM+CR X" if code else "XDM/1.0/DDM+CR X"
        )
        report, archive, pdf = message.get_payload()
        assert report.get_param("report-type") == "disposition-notification"
        text, disposition, third = report.get_payload()
        fields = disposition.get_payload()[0]
        expected = f"processed/Error: {code}^" if code else "processed"
        assert fields["Disposition"].startswith(f"automatic-action/MDN-sent-automatically; {expected}")
        assert fields["Original-Message-ID"] == "<m1@a>"
        assert fields["Final-Recipient"] == "rfc822;279035121518989@patient.example"
        assert (str(code) in text.get_content()) == bool(code)
        assert third.get_content_type() == "message/rfc822"
        assert original in raw
        assert archive.get_filename() == "IHE_XDM.ZIP"
        assert archive.get_content() == b"PK" + b"\x03" * 200
        assert pdf.get_filename() == "Résumé.pdf"
    with pytest.raises(InvalidInputError):
        build_mdn(
            hostname="h", sender="s", to="t", report_id="r", now=NOW, subject="", message_id="", code=907
        )


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_base64_in_any_pieces(chunks: list[bytes]) -> None:
    coded = b"".join(base64_lines(chunks))
    assert base64.b64decode(coded) == b"".join(chunks)
    assert all(len(line) <= 76 for line in coded.split(b"\r\n"))


ENVELOPE = Envelope(
    mail_from="dr@a.example",
    recipients=[Recipient(address="p@b.example")],
    trace_id="abc",
    received_at=NOW,
    helo="mx.a.example",
    peer="192.0.2.1",
)
OPERATOR = Origin(
    kind="operator",
    dn="CN=mx.a.example,OU=1690000007,O=HÔPITAL (SUD),ST=Rhône (69),C=FR",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)


def test_the_prefix_names_who_sent_and_only_this_recipient() -> None:
    raw = build_prefix(
        ENVELOPE,
        OPERATOR,
        "gw.example",
        "p@b.example",
        [AuthResult(method="dkim", result="pass", properties={"header.d": "a.example"})],
    )
    lines = raw.decode().split("\r\n")
    assert lines[0] == "Return-Path: <dr@a.example>"
    message = email.message_from_bytes(raw + b"\r\n", policy=email.policy.default)
    whole = " ".join(str(message["Received"]).split())
    assert whole.startswith("from mx.a.example ([192.0.2.1]) (certificate CN=mx.a.example,OU=1690000007,")
    assert r"O=HOPITAL \(SUD\),ST=Rhone \(69\),C=FR)" in whole
    assert "with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id abc for <p@b.example>; " in whole
    results = " ".join(str(message["Authentication-Results"]).split())
    assert results.startswith("gw.example; x-mtls=pass smtp.mailfrom=dr@a.example x-tls.subject=")
    assert results.endswith("; dkim=pass header.d=a.example")
    assert raw.isascii()


def test_a_submission_and_nothing_checked() -> None:
    patient = Origin(kind="patient", address="p@b.example")
    assert b"auth=pass smtp.auth=p@b.example" in build_prefix(ENVELOPE, patient, "gw", "x@y")
    assert authentication_results("gw", []) == b"Authentication-Results: gw; none\r\n"


@pytest.mark.parametrize(("protocol", "clause"), [("ESMTPSA", " with ESMTPSA"), ("", "")])
def test_where_a_patient_writes_from_is_not_told(protocol: str, clause: str) -> None:
    envelope = Envelope(
        mail_from="p@b.example",
        recipients=[],
        trace_id="abc",
        received_at=NOW,
        helo="telephone-d-alice",
        peer="192.0.2.7",
        protocol=protocol,
    )
    whole = b" ".join(received(envelope, Origin(kind="patient"), "gw.example").split()).decode()
    assert whole.startswith(f"Received: from gw.example by gw.example (Passerelle){clause} id abc; ")


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=60))
def test_no_input_breaks_the_prefix(helo: str, peer: str, dn: str) -> None:
    clean = [text.encode("utf-8", "ignore").decode() for text in (helo, peer, dn)]
    envelope = Envelope(
        mail_from="", recipients=[], trace_id="t", received_at=NOW, helo=clean[0], peer=clean[1]
    )
    raw = received(envelope, Origin(kind="operator", dn=clean[2]), "gw.example")
    assert raw.isascii()
    folded = raw.replace(b"\r\n\t", b" ")
    assert folded.count(b"\r\n") == 1
    assert folded.endswith(b"\r\n")
    assert b"\r" not in folded[:-2]
    assert b"\n" not in folded[:-2]


# -- signed reports


class Token:
    """A signing key of the test's own; ``works`` false: a hardware module that does not answer."""

    def __init__(self, pki: DemoPki, *, works: bool = True) -> None:
        issued = pki.issue_organisation("r", "390000000000015", "P", use="sign", name="r")
        self._inner = file_signer(issued.pem, issued.key)
        self.chain, self.algorithm = self._inner.chain, self._inner.algorithm
        self.works = works

    def sign(self, data: bytes) -> bytes:
        if not self.works:
            raise TrustError("the module does not answer")
        return self._inner.sign(data)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    return Token(DemoPki.create(tmp_path_factory.mktemp("token") / "pki"))


def content_of(raw: bytes) -> bytes:
    """What a signed message signs, after its signature was verified."""
    indexer = Indexer()
    indexer.feed(raw)
    parts = signed_parts(indexer.close())
    assert parts is not None and parts.fault == ""
    content = raw[slice(*parts.content)]
    signature = decode_stream([raw[slice(*parts.signature)]], parts.encoding)
    (found,), _ = verify_signed(signature, [content])
    assert (found.outcome, found.reason) == ("intact", "")
    return content


def test_a_signed_report_holds_the_report_untouched(token: Token) -> None:
    raw = dsn()
    signed = sign_message(raw, token, NOW)
    message = parse(signed)
    assert message.get_content_type() == "multipart/signed"
    assert message.get_param("protocol") == "application/pkcs7-signature"
    assert message.get_param("micalg") == "sha-256"
    for name in ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "Auto-Submitted"):
        assert message.get_all(name) == parse(raw).get_all(name)
    assert message.get_all("MIME-Version") == ["1.0"]
    body = raw.partition(b"\r\n\r\n")[2]
    head = raw[raw.index(b"Content-Type: multipart/report") : raw.index(b"\r\n\r\n")]
    assert content_of(signed) == head + b"\r\n\r\n" + body
    assert signed.isascii()


@given(
    st.lists(
        st.sampled_from(["Bonjour", "", ".", "From nobody", "--x", " trailing ", "a" * 900]), max_size=8
    ),
    st.booleans(),
)
def test_whatever_the_text_its_signature_holds(token: Token, lines: list[str], ends: bool) -> None:
    text = "\r\n".join(lines) + ("\r\n" if ends else "")
    raw = f"From: a@b.test\r\nContent-Type: text/plain\r\nX-Long: a\r\n\tb\r\n\r\n{text}".encode()
    signed = sign_message(raw, token, NOW)
    assert content_of(signed) == b"Content-Type: text/plain\r\n\r\n" + text.encode()
    assert signed.startswith(b"From: a@b.test\r\nX-Long: a\r\n\tb\r\nContent-Type: multipart/signed;")


def test_a_receipt_and_its_attached_files_are_signed(token: Token) -> None:
    raw = b"".join(
        build_mdn(
            hostname="gw.example",
            sender="a@b.example",
            to="dr@a.example",
            report_id="r3",
            now=NOW,
            subject="Résultats",
            message_id="<m1@a>",
            code=900,
            label=LABELS[900],
            files=[MdnFile(name="a.pdf", media="application/pdf", chunks=lambda: [b"%PDF" * 50])],
        )
    )
    assert content_of(sign_message(raw, token, NOW)).startswith(b"Content-Type: multipart/mixed;")


def test_eight_bit_text_is_not_signed(token: Token) -> None:
    """A relay that must convert it would break the signature (RFC 8551 §3.1.3)."""
    raw = "From: a@b.test\r\nContent-Type: text/plain\r\n\r\né\r\n".encode()
    with pytest.raises(InvalidInputError, match="7-bit"):
        sign_message(raw, token, NOW)
    assert signed_or_not(raw, lambda: token) == raw
    wide = "From: é@b.test\r\nContent-Type: text/plain\r\n\r\ne\r\n".encode()
    assert content_of(sign_message(wide, token, NOW)).endswith(b"\r\n\r\ne\r\n")


def test_a_report_goes_out_when_its_key_does_not_answer(token: Token) -> None:
    raw = dsn()
    assert signed_or_not(raw, None) == raw
    assert signed_or_not(raw, lambda: None) == raw
    token.works = False
    try:
        assert signed_or_not(raw, lambda: token) == raw
    finally:
        token.works = True
    assert content_of(signed_or_not(raw, lambda: token))
