"""Transactions of every shape on the running operators' port: many recipients, none, many at once."""

from __future__ import annotations

import smtplib
from concurrent.futures import ThreadPoolExecutor

import pytest
from wire_support import Owner, Space, eventually, letter, message_id, new_patient, sha256

import evidence
from gateway.demo.cast import ALICE, BASILE, DOCTOR, HOSPITAL_DOMAIN
from store import Store


@pytest.fixture
def others(space: Space, ours: Store) -> list[Owner]:
    return [new_patient(ours, space.scene) for _ in range(2)]


def test_one_refused_recipient_spoils_nothing_for_the_others(
    space: Space, ours: Store, patient: Owner, others: list[Owner]
) -> None:
    raw = letter(patient.address)
    everyone = [patient.address, BASILE.address, *(one.address for one in others), "1@patient.mssante.test"]
    with space.operators() as client:
        refused = client.sendmail(DOCTOR.address, everyone, raw)
    assert {address: code for address, (code, _) in refused.items()} == {
        BASILE.address: 550,
        "1@patient.mssante.test": 550,
    }
    assert refused[BASILE.address][1].endswith(b"[recipient.opposed]")
    for one in (patient, *others):
        (served,) = space.messages(one)
        assert served.endswith(raw)
        # nobody reads in his copy who else got one
        assert not any(
            other.address.encode() in served[: -len(raw)] for other in (patient, *others) if other != one
        )
    links = ours.read(evidence.trace, message_id(raw))
    assert sorted((link.event, link.recipient) for link in links) == sorted(
        ("delivered", one.address) for one in (patient, *others)
    )
    assert len({link.trace_id for link in links}) == 1


def test_nobody_accepted_means_no_content(space: Space) -> None:
    with space.operators() as client:
        assert client.mail(DOCTOR.address)[0] == 250
        assert client.rcpt(BASILE.address)[0] == 550
        code, told = client.docmd("DATA")
        assert (code, told) == (554, b"5.5.1 no valid recipients")
        assert client.rset()[0] == 250


def test_the_null_reverse_path_is_for_reports_only(space: Space, patient: Owner) -> None:
    with space.operators() as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("", [patient.address], letter(patient.address))
        assert b"[sender.identity]" in caught.value.smtp_error
        assert caught.value.smtp_code == 550
        report = (
            f"From: <postmaster@{HOSPITAL_DOMAIN}>\r\nTo: <{patient.address}>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\n\r\nnon remis\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            "Reporting-MTA: dns; mss.hopital-exemple.test\r\n\r\nFinal-Recipient: rfc822; x@y.test\r\n"
            "Action: failed\r\nStatus: 5.1.1\r\n--b--\r\n"
        ).encode()
        client.sendmail("", [patient.address], report)
    (served,) = space.messages(patient)
    assert served.startswith(b"Return-Path: <>\r\n")
    assert served.endswith(report)


def test_a_report_opens_no_correspondence(space: Space, patient: Owner) -> None:
    report = (
        f"From: <{DOCTOR.address}>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report;"
        ' report-type=disposition-notification; boundary="b"\r\n\r\n--b\r\n\r\nlu\r\n--b\r\n'
        "Content-Type: message/disposition-notification\r\n\r\n"
        "Disposition: manual-action; displayed\r\n--b--\r\n"
    ).encode()
    space.bring(patient.address, report, sender="")
    with space.submission(patient) as client:
        client.mail(patient.address)
        code, told = client.rcpt(DOCTOR.address)
        assert code == 550 and told.endswith(b"[reply.never_contacted]")
    space.bring(patient.address, letter(patient.address))
    with space.submission(patient) as client:
        client.mail(patient.address)
        assert client.rcpt(DOCTOR.address)[0] == 250


def test_pipelined_transactions(space: Space, patient: Owner) -> None:
    """RFC 2920: whole groups of commands, three messages by BDAT, in one write."""
    raws = [letter(patient.address, text=str(number)) for number in range(3)]
    out = b""
    for raw in raws:
        for command in (
            f"MAIL FROM:<{DOCTOR.address}>",
            f"RCPT TO:<{patient.address}>",
            f"RCPT TO:<{BASILE.address}>",
        ):
            out += command.encode() + b"\r\n"
        out += b"BDAT %d LAST\r\n" % len(raw) + raw
    with space.operators() as client:
        client.send(out + b"NOOP\r\n")
        codes = [client.getreply()[0] for _ in range(13)]
        assert codes == [250, 250, 550, 250] * 3 + [250]
        # DATA ends a group; the content and the next transaction go together
        more = [letter(patient.address, text=str(number)) for number in (3, 4)]
        envelope = f"MAIL FROM:<{DOCTOR.address}>\r\nRCPT TO:<{patient.address}>\r\nDATA\r\n".encode()
        client.send(envelope)
        assert [client.getreply()[0] for _ in range(3)] == [250, 250, 354]
        client.send(more[0] + b".\r\n" + envelope)
        assert [client.getreply()[0] for _ in range(4)] == [250, 250, 250, 354]
        client.send(more[1] + b".\r\n")
        assert client.getreply()[0] == 250
    served = space.messages(patient)
    assert [data.endswith(raw) for data, raw in zip(served, raws + more, strict=True)] == [True] * 5


def test_bad_commands_leave_the_session_usable(space: Space, patient: Owner) -> None:
    raw = letter(patient.address)
    with space.operators() as client:
        for line, code in [
            (b"WHAT\r\n", 500),
            (b"MAIL FROM:<a@b\r\n", 553),
            (b"MAIL FROM <a@b.test>\r\n", 501),
            (b"MAIL FROM:<" + b"a" * 3000 + b"@b>\r\n", 500),
            (b"RCPT TO:<x@y.test>\r\n", 503),
            (b"DATA\r\n", 503),
            (b"AUTH PLAIN AAAA\r\n", 502),
            (b"MAIL FROM:<\xff\xfe@b.test>\r\n", 501),
        ]:
            client.send(line)
            assert client.getreply()[0] == code, line
        client.sendmail(DOCTOR.address, [patient.address], raw)
    assert space.copies(patient, raw) == 1


def test_a_hundred_messages_over_one_connection(space: Space, patient: Owner) -> None:
    raws = [letter(patient.address, text=str(number)) for number in range(100)]
    with space.operators() as client:
        for raw in raws:
            client.sendmail(DOCTOR.address, [patient.address], raw)
    served = space.messages(patient)
    assert [sha256(data[-len(raw) :]) for data, raw in zip(served, raws, strict=True)] == [
        sha256(raw) for raw in raws
    ]


def test_fifty_connections_at_once(space: Space, ours: Store, patient: Owner, others: list[Owner]) -> None:
    boxes = [patient, *others]

    def client(number: int) -> list[tuple[Owner, bytes]]:
        sent = []
        with space.operators(timeout=120) as session:
            for turn in range(3):
                to = boxes[(number + turn) % len(boxes)]
                raw = letter(to.address, text=f"{number} {turn}")
                session.sendmail(DOCTOR.address, [to.address], raw)
                sent.append((to, raw))
        return sent

    with ThreadPoolExecutor(50) as pool:
        sent = [item for items in pool.map(client, range(50)) for item in items]
    assert len(sent) == 150
    for box in boxes:
        wanted = sorted(sha256(raw) for to, raw in sent if to == box)
        lengths = {len(raw) for to, raw in sent if to == box}
        served = space.messages(box)
        assert len(served) == len(wanted)
        tails = {sha256(data[-length:]) for data in served for length in lengths}
        assert set(wanted) <= tails
    report = ours.read(evidence.verify, evidence.public_key(ours.home))
    assert report.ok, report.reason


def test_the_same_message_again_is_known_whoever_takes_it(space: Space, ours: Store, patient: Owner) -> None:
    """An operator that lost our 250 sends again: over other connections, to other processes, at once."""
    raw = letter(patient.address)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: space.bring(patient.address, raw), range(8)))
    assert space.copies(patient, raw) == 1
    events = [link.event for link in ours.read(evidence.trace, message_id(raw))]
    assert sorted(events) == ["delivered"] + ["duplicate"] * 7


def test_a_patient_of_another_gateway_cannot_be_played(space: Space, patient: Owner, pharmacy: Owner) -> None:
    """A patient sends as himself only; and his own mail for the pharmacy arrives."""
    forged = letter(pharmacy.address, sender=ALICE.address)
    with space.submission(patient) as client:
        code, told = client.mail(ALICE.address)
        assert code == 550 and told.endswith(b"[sender.identity]")
        client.mail(patient.address)
        client.rcpt(pharmacy.address)
        code, told = client.data(forged)
        assert code == 550 and told.endswith(b"[sender.identity]")
        own = letter(pharmacy.address, sender=patient.address)
        client.sendmail(patient.address, [pharmacy.address], own)
    eventually(lambda: space.copies(pharmacy, own, "hopital") == 1)
    assert space.copies(pharmacy, forged, "hopital") == 0
