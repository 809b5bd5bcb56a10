"""Programs of Debian's packages against the running gateways: swaks, openssl s_client, mbsync, curl."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from wire_support import Owner, Space, eventually, fetch, letter, message_id, run, sha256, uids

import evidence
from gateway.demo import cast
from gateway.demo.cast import ALICE, BASILE, CLEMENCE, COLLEAGUE, DOCTOR, PHARMACY
from store import Store

HELO = "mss.hopital-exemple.test"


def swaks(space: Space, *words: str | Path, certificate: str = "hospital") -> tuple[int, str]:
    """To the operators' port, with STARTTLS and a client certificate unless ``certificate`` is empty."""
    shown = []
    if certificate:
        pair = space.pki.paths(certificate)
        shown = ["--tls", "--tls-cert", pair[0], "--tls-key", pair[1], "--tls-ca-path", space.authorities]
    server = ["--server", "localhost", "--port", str(space.port("operators")), "--helo", HELO]
    return run("swaks", *server, *shown, *words)


@pytest.mark.package("swaks")
def test_swaks_brings_a_message_as_an_operator(space: Space, patient: Owner, tmp_path: Path) -> None:
    raw = letter(patient.address, text="Compte rendu à venir.")
    (tmp_path / "raw").write_bytes(raw)
    code, out = swaks(
        space, "--from", DOCTOR.address, "--to", patient.address, "--data", f"@{tmp_path / 'raw'}"
    )
    assert code == 0, out
    assert "=== TLS started with cipher TLSv1.3" in out
    trace = re.search(r"<~  250 2\.0\.0 .*, trace ([0-9a-f]+)", out)
    assert trace is not None, out
    (served,) = space.messages(patient)
    assert raw.strip() in served  # swaks writes line ends of its own at the end
    with Store.open(space.scene.home("passerelle")) as store:
        assert [link.event for link in store.read(evidence.trace, trace[1])] == ["delivered"]


@pytest.mark.package("swaks")
@pytest.mark.parametrize(
    ("certificate", "sender", "to", "rule"),
    [
        ("stranger", DOCTOR.address, ALICE.address, "550 5.7.1 .*[sender.certificate]"),
        ("revoked", DOCTOR.address, ALICE.address, "550 5.7.1 .*[sender.revoked]"),
        ("expired", DOCTOR.address, ALICE.address, "550 5.7.1 .*[sender.certificate]"),
        ("doctor", DOCTOR.address, ALICE.address, "550 5.7.1 .*[sender.whitelist]"),
        ("clinic", DOCTOR.address, ALICE.address, "550 5.7.1 .*[sender.whitelist]"),
        ("hospital", "a@elsewhere.test", ALICE.address, "550 5.7.1 .*[sender.whitelist]"),
        ("hospital", ALICE.address, ALICE.address, "550 5.7.1 .*[sender.whitelist]"),
        ("hospital", DOCTOR.address, BASILE.address, "550 5.2.1 .*[recipient.opposed]"),
        ("hospital", DOCTOR.address, CLEMENCE.address, "550 5.1.1 .*[recipient.unknown]"),
        ("hospital", DOCTOR.address, f"123@{cast.PATIENT_DOMAIN}", "550 5.1.3 .*[recipient.invalid]"),
        ("hospital", DOCTOR.address, PHARMACY.address, "550 5.7.1 .*[recipient.relay]"),
        ("hospital", DOCTOR.address, "a@elsewhere.test", "550 5.7.1 .*[recipient.relay]"),
        ("", DOCTOR.address, ALICE.address, "530 5.7.0 must issue a STARTTLS command first"),
    ],
)
def test_swaks_is_refused_by_the_rule_that_it_broke(
    space: Space, certificate: str, sender: str, to: str, rule: str
) -> None:
    code, out = swaks(space, "--from", sender, "--to", to, certificate=certificate)
    assert code in (23, 24), out  # swaks: MAIL, or every RCPT, was refused
    pattern = re.escape(rule).replace(re.escape(".*"), ".*")
    assert re.search(pattern, out), out


@pytest.mark.package("swaks")
def test_swaks_hears_that_the_author_is_not_the_sender(space: Space, patient: Owner) -> None:
    forged = ["--header", f"From: <{COLLEAGUE.address}>"]
    code, out = swaks(space, "--from", DOCTOR.address, "--to", patient.address, *forged)
    assert code == 26, out  # the content was refused
    assert re.search(r"550 5\.7\.1 .*\[sender\.identity\]", out), out
    assert space.messages(patient) == []


@pytest.mark.package("swaks")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submits_with_a_password(space: Space, patient: Owner, pharmacy: Owner, mechanism: str) -> None:
    server = ["--server", "localhost", "--port", str(space.port("submission")), "--tls-on-connect"]
    who = ["--auth", mechanism, "--auth-user", patient.address, "--from", patient.address]
    marked = ["--header", f"X-Essai: {mechanism}.{patient.box_id}", "--header", f"From: <{patient.address}>"]
    right = ["--auth-password", patient.password]
    code, out = run("swaks", *server, *who, *right, *marked, "--to", PHARMACY.address)
    assert code == 0, out
    assert "235 2.7.0" in out
    wanted = f"X-Essai: {mechanism}.{patient.box_id}".encode()
    eventually(lambda: any(wanted in served for served in space.messages(pharmacy, "hopital")))
    code, out = run("swaks", *server, *who, *right, "--to", DOCTOR.address)
    assert code == 24 and "[reply.never_contacted]" in out, out
    code, out = run("swaks", *server, *who, *right, "--to", ALICE.address)
    assert code == 24 and "[patient.to_patient]" in out, out
    code, out = run("swaks", *server, *who, *right, "--to", "a@elsewhere.test")
    assert code == 24 and "[patient.outside]" in out, out
    code, out = run("swaks", *server, *who, "--auth-password", "wrong", "--to", PHARMACY.address)
    assert code == 28 and "535 5.7.8" in out, out  # swaks: AUTH failed


# -- openssl


def s_client(space: Space, *words: str | Path, data: bytes = b"") -> tuple[int, str]:
    where = ["-connect", f"localhost:{space.port('operators')}", "-CAfile", space.authorities]
    return run("openssl", "s_client", "-starttls", "smtp", "-name", HELO, *where, *words, data=data)


@pytest.mark.package("openssl")
def test_openssl_sees_our_certificate_and_tls_1_2_or_better(space: Space) -> None:
    certificate, key = space.pki.paths("hospital")
    for version, shown in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        code, out = s_client(
            space, "-cert", certificate, "-key", key, version, "-verify_return_error", data=b"QUIT\r\n"
        )
        assert code == 0, out
        assert "Verify return code: 0 (ok)" in out
        assert f"New, {shown}" in out
        assert "CN = smtps.passerelle.test" in out
    for version in ("-tls1", "-tls1_1"):
        code, out = s_client(space, version, "-cipher", "ALL:@SECLEVEL=0", data=b"QUIT\r\n")
        assert code != 0, out
        assert "Cipher is (NONE)" in out


@pytest.mark.package("openssl")
@pytest.mark.parametrize(
    ("service", "version"),
    [("submission", "-tls1_1"), ("imap", "-tls1_1"), ("submission", "-tls1_2"), ("imap", "-tls1_3")],
)
def test_openssl_on_the_ports_with_tls_from_the_first_octet(space: Space, service: str, version: str) -> None:
    where = ["-connect", f"localhost:{space.port(service)}", "-CAfile", space.authorities]  # type: ignore[arg-type]
    code, out = run("openssl", "s_client", *where, version, "-cipher", "ALL:@SECLEVEL=0", data=b"Q\n")
    if version == "-tls1_1":
        assert code != 0 and "Cipher is (NONE)" in out, out
    else:
        assert code == 0 and "Verify return code: 0 (ok)" in out, out


@pytest.mark.package("openssl")
@pytest.mark.parametrize("name", ["stranger", "revoked", "expired"])
def test_a_bad_certificate_completes_the_handshake_and_hears_why(
    space: Space, patient: Owner, name: str
) -> None:
    certificate, key = space.pki.paths(name)
    dialogue = f"EHLO {HELO}\r\nMAIL FROM:<{DOCTOR.address}>\r\nRCPT TO:<{patient.address}>\r\nQUIT\r\n"
    code, out = s_client(
        space, "-cert", certificate, "-key", key, "-quiet", "-ign_eof", data=dialogue.encode()
    )
    assert code == 0, out
    rule = "sender.revoked" if name == "revoked" else "sender.certificate"
    assert re.search(rf"^550 5\.7\.1 .*\[{re.escape(rule)}\]", out, re.MULTILINE), out
    assert "503 5.5.1 need MAIL" in out
    assert "221 2.0.0" in out


SMUGGLED = (
    "MAIL FROM:<{sender}>\r\nRCPT TO:<{to}>\r\nDATA\r\n"
    "From: <{sender}>\r\nX-Smuggled: yes\r\n\r\nsecond\r\n.\r\n"
)


ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\r\n\n.\r\n",
    b"\r\r\n.\r\n",
]


@pytest.mark.package("openssl")
def test_no_second_message_is_smuggled_in(space: Space, patient: Owner) -> None:
    certificate, key = space.pki.paths("hospital")
    names = {"sender": DOCTOR.address, "to": patient.address}
    first = "MAIL FROM:<{sender}>\r\nRCPT TO:<{to}>\r\nDATA\r\nFrom: <{sender}>\r\n\r\nfirst".format(**names)

    def attempt(end: bytes) -> str:
        dialogue = f"EHLO {HELO}\r\n{first}".encode() + end + SMUGGLED.format(**names).encode() + b"QUIT\r\n"
        return s_client(space, "-cert", certificate, "-key", key, "-quiet", "-ign_eof", data=dialogue)[1]

    with ThreadPoolExecutor(len(ENDS)) as pool:
        for end, out in zip(ENDS, pool.map(attempt, ENDS), strict=True):
            # refused, and the connection closed: nothing after it was taken for a command
            assert re.search(r"^554 5\.5\.2 .*\[message\.line_end\]", out, re.MULTILINE), (end, out)
            assert "221 " not in out, (end, out)
            assert out.count("354 ") == 1, (end, out)
    assert space.messages(patient) == []


# -- mbsync


def _maildir(octets: bytes) -> bytes:
    """As it lies in a Maildir: Unix line ends; mbsync's own mark taken away."""
    return re.sub(rb"^X-TUID: [^\n]*\n", b"", octets.replace(b"\r\n", b"\n"), flags=re.MULTILINE)


@pytest.mark.package("mbsync")
def test_mbsync_keeps_a_copy_of_a_patients_mailbox(space: Space, patient: Owner, tmp_path: Path) -> None:
    raws = [letter(patient.address, text=f"Message {number}\r\n" * number) for number in range(1, 31)]
    with space.operators() as client:
        for raw in raws:
            client.sendmail(DOCTOR.address, [patient.address], raw)
    served = space.messages(patient)
    assert [data.endswith(raw) for data, raw in zip(served, raws, strict=True)] == [True] * 30
    maildir = tmp_path / "maildir"
    maildir.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPAccount passerelle\nHost localhost\nPort {space.port('imap')}\nUser {patient.address}\n"
        f'Pass "{patient.password}"\nSSLType IMAPS\nCertificateFile {space.authorities}\n\n'
        "IMAPStore far\nAccount passerelle\n\n"
        f"MaildirStore near\nPath {maildir}/\nInbox {maildir}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\n"
        "SyncState *\nCopyArrivalDate yes\n"
    )

    def sync() -> None:
        code, out = run("mbsync", "-c", config, "-a")
        assert code == 0, out

    def files() -> dict[str, Path]:
        paths = [path for place in ("cur", "new") for path in (maildir / "INBOX" / place).iterdir()]
        return {sha256(_maildir(path.read_bytes())): path for path in paths}

    sync()
    assert set(files()) == {sha256(_maildir(data)) for data in served}
    # flags back: one answered, one away
    answered, gone = files()[sha256(_maildir(served[3]))], files()[sha256(_maildir(served[4]))]
    answered.rename(maildir / "INBOX" / "cur" / (answered.name.partition(":2,")[0] + ":2,RS"))
    gone.rename(maildir / "INBOX" / "cur" / (gone.name.partition(":2,")[0] + ":2,ST"))
    sync()
    with space.imap(patient) as client:
        assert len(uids(client)) == 29
        status, found = client.uid("FETCH", "4", "(FLAGS)")
        assert status == "OK" and rb"\Answered" in found[0] and rb"\Seen" in found[0]
        # and forth: a flag set here reaches the Maildir
        client.uid("STORE", "7", "+FLAGS", r"(\Flagged)")
    sync()
    assert files()[sha256(_maildir(served[6]))].name.endswith(":2,F")
    assert len(files()) == 29


# -- curl


@pytest.mark.package("curl")
def test_curl_submits_by_certificate_and_fetches(
    space: Space, patient: Owner, doctor: Owner, tmp_path: Path
) -> None:
    """SASL EXTERNAL at the hospital, relayed by mutual TLS to Passerelle, fetched by the patient."""
    raw = letter(patient.address, text="Envoyé avec un certificat.")
    upload = tmp_path / "raw"
    upload.write_bytes(raw)
    certificate, key = space.pki.paths("doctor")
    common = ["curl", "-sS", "--cacert", space.authorities, "--max-time", "60"]
    sending = [
        *common,
        "--cert",
        certificate,
        "--key",
        key,
        "--login-options",
        "AUTH=EXTERNAL",
        "-u",
        f"{DOCTOR.address}:",
    ]
    server = f"smtps://localhost:{space.port('submission', 'hopital')}/{HELO}"
    what = ["--mail-from", DOCTOR.address, "--mail-rcpt", patient.address, "-T", upload]
    code, out = run(*sending, server, *what)
    assert code == 0, out
    eventually(lambda: space.copies(patient, raw) == 1)
    box = f"imaps://localhost:{space.port('imap')}"
    signed_in = [*common, "-u", f"{patient.address}:{patient.password}"]
    code, _ = run(*signed_in, f"{box}/INBOX;UID=1", "-o", tmp_path / "served")
    assert code == 0
    served = (tmp_path / "served").read_bytes()
    assert sha256(served[-len(raw) :]) == sha256(raw)
    code, out = run(*signed_in, box)
    assert code == 0 and "INBOX" in out and r"\Sent" in out
    # an address that this certificate does not own
    what[1] = COLLEAGUE.address
    code, out = run(*sending, "-v", server, *what)
    assert code != 0 and "[sender.identity]" in out, out


@pytest.mark.package("curl")
def test_curl_answers_with_a_password(space: Space, patient: Owner, doctor: Owner, tmp_path: Path) -> None:
    space.bring(patient.address, letter(patient.address))
    raw = letter(DOCTOR.address, sender=patient.address, subject="Re: Bonjour", text="Merci.")
    upload = tmp_path / "raw"
    upload.write_bytes(raw)
    server = f"smtps://localhost:{space.port('submission')}/curl.test"
    who = ["-u", f"{patient.address}:{patient.password}", "--mail-from", patient.address]
    code, out = run(
        "curl",
        "-sS",
        "--cacert",
        space.authorities,
        *who,
        "--mail-rcpt",
        DOCTOR.address,
        "-T",
        upload,
        server,
    )
    assert code == 0, out
    eventually(lambda: space.copies(doctor, raw, "hopital") == 1)
    with space.imap(patient, folder='"Envoy&AOk-s"') as client:
        assert [fetch(client, uid).endswith(raw) for uid in uids(client)] == [True]
    with Store.open(space.scene.home("passerelle")) as store:
        events = [link.event for link in store.read(evidence.trace, message_id(raw))]
    assert events == ["accepted", "relayed"]
