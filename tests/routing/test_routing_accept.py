"""Router.accept on a real store: all of it is done, or nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from routing_support import (
    ALICE,
    CLEMENCE,
    COLLEAGUE,
    DOCTOR,
    HOSPITAL,
    PATIENTS,
    PHARMACY,
    Post,
    digest,
    message,
    operator,
    patient,
    settle,
    with_pdf,
)

import evidence
import patients
from gateway.demo import cast
from gateway.routing import Origin, Router
from store import Store, mail, tasks


def events(store: Store, ident: str) -> list[tuple[str, str]]:
    return [(link.event, link.rule) for link in store.read(evidence.trace, ident)]


def chain_holds(store: Store) -> bool:
    report = store.read(evidence.verify, evidence.public_key(store.home))
    return report.ok


async def test_a_message_is_delivered_byte_for_byte(post: Post) -> None:
    raw = message(DOCTOR, text="Accents à l'octet près \N{EURO SIGN}\r\n.\r\n..")
    verdict = await post.from_doctor(raw)
    assert (verdict.action, verdict.code) == ("accept", 250)
    assert post.inbox(ALICE.address) == [raw]
    assert events(post.store, "<1@example.test>") == [("delivered", "recipient.open")]
    (link,) = post.store.read(evidence.trace, "1@example.test")
    assert (link.sha256, link.sender, link.recipient) == (digest(raw), DOCTOR, ALICE.address.casefold())
    assert chain_holds(post.store)


async def test_the_prefix_names_one_recipient_only(post: Post) -> None:
    raw = message(DOCTOR)
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    await post.send(origin, DOCTOR, [ALICE.address, CLEMENCE.address], raw)
    (stored,) = post.stored(ALICE.address)
    assert ALICE.ins.encode() in stored.meta
    assert CLEMENCE.ins.encode() not in stored.meta
    assert b"Return-Path: <" + DOCTOR.encode() in stored.meta


async def test_one_body_serves_all_recipients(post: Post) -> None:
    raw = message(DOCTOR)
    before = sum(path.stat().st_size for path in (post.store.home / "segments").glob("*.seg"))
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    await post.send(origin, DOCTOR, [ALICE.address, CLEMENCE.address], raw)
    after = sum(path.stat().st_size for path in (post.store.home / "segments").glob("*.seg"))
    assert post.inbox(ALICE.address) == post.inbox(CLEMENCE.address) == [raw]
    assert 0 < after - before < 2 * len(raw), "the body was stored twice"


# -- duplicates -----------------------------------------------------------------------------------


async def test_the_same_again_is_acknowledged_and_not_delivered(post: Post) -> None:
    raw = with_pdf(DOCTOR)
    assert (await post.from_doctor(raw)).accepted
    assert (await post.from_doctor(raw)).accepted
    assert (await post.from_doctor(raw, ALICE.address.upper())).accepted
    assert post.inbox(ALICE.address) == [raw]
    assert [event for event, _ in events(post.store, "pdf@example.test")] == [
        "delivered",
        "duplicate",
        "duplicate",
    ]
    assert len(post.store.read(tasks.pending, tasks.FILING)) == 1


async def test_another_recipient_sender_or_byte_is_another_message(post: Post) -> None:
    raw = message(DOCTOR)
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    assert (await post.from_doctor(raw)).accepted
    assert (await post.from_doctor(raw + b"\r\n")).accepted
    assert (await post.from_doctor(raw, CLEMENCE.address)).accepted
    other = raw.replace(b"From:", f"Sender: <{COLLEAGUE}>\r\nFrom:".encode())
    assert (await post.send(origin, COLLEAGUE, [ALICE.address], other)).accepted
    assert len(post.inbox(ALICE.address)) == 3
    assert len(post.inbox(CLEMENCE.address)) == 1


async def test_a_half_known_message_reaches_the_new_half(post: Post) -> None:
    raw = message(DOCTOR)
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    await post.from_doctor(raw)
    assert (await post.send(origin, DOCTOR, [ALICE.address, CLEMENCE.address], raw)).accepted
    assert (len(post.inbox(ALICE.address)), len(post.inbox(CLEMENCE.address))) == (1, 1)


async def test_a_patients_repeated_message_leaves_once(post: Post) -> None:
    await post.from_doctor(message(DOCTOR))
    answer = message(ALICE.address, subject="Re: Bonjour", message_id="<re@example.test>")
    origin = patient(post.store, ALICE.address)
    for _ in range(3):
        assert (await post.send(origin, ALICE.address, [DOCTOR], answer)).accepted
    assert len(post.store.read(tasks.pending, tasks.RELAY)) == 1
    assert post.sent(ALICE.address) == [answer]
    assert events(post.store, "re@example.test") == [("accepted", "reply.contacted")]


# -- what changes between RCPT and the end of DATA -------------------------------------------------


@pytest.mark.parametrize("asked_before", [True, False], ids=["remembered", "looked up"])
async def test_a_box_closed_after_rcpt_defers_the_whole_message(post: Post, asked_before: bool) -> None:
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    for one in (ALICE, CLEMENCE) if asked_before else ():
        assert (await post.router.recipient(origin, DOCTOR, one.address)).accepted
    patients.close(post.store, ALICE.ins, actor="test", reason="asked")
    verdict = await post.send(origin, DOCTOR, [CLEMENCE.address, ALICE.address], with_pdf(DOCTOR), "t1")
    rule = "mailbox.closed" if asked_before else "recipient.closed"
    assert (verdict.action, verdict.code, verdict.rule) == ("defer", 451, rule)
    assert post.inbox(CLEMENCE.address) == []
    assert post.store.read(tasks.pending, tasks.FILING) == []
    await settle(post.router)
    assert {event for event, _ in events(post.store, "t1")} <= {"refused"}
    assert await post.may_alice_write(DOCTOR) != ""


class Racing(Router):
    """Something happens when the body is placed and before the commit."""

    def meanwhile(self) -> None:
        patients.close(self.store, ALICE.ins, actor="test", reason="asked")

    def _place(self, *args: Any) -> dict[str, Any]:
        placed = super()._place(*args)
        self.meanwhile()
        return placed


async def test_a_box_closed_before_the_commit_defers_and_stores_nothing(store: Store) -> None:
    router = Racing(store, PATIENTS)
    post = Post(store, router)
    origin = operator(store, cast.HOSPITAL_DOMAIN)
    raw = with_pdf(DOCTOR)
    verdict = await post.send(origin, DOCTOR, [CLEMENCE.address, ALICE.address], raw, "t2")
    assert (verdict.action, verdict.code, verdict.rule) == ("defer", 451, "mailbox.closed")
    assert post.inbox(CLEMENCE.address) == []
    assert store.read(tasks.pending, tasks.FILING) == []
    assert events(store, "t2") == []
    # Without the closed box the sender's next try goes through: nothing of the first one is remembered.
    assert (await Post(store, Router(store, PATIENTS)).send(origin, DOCTOR, [CLEMENCE.address], raw)).accepted
    assert post.inbox(CLEMENCE.address) == [raw]
    assert chain_holds(store)


async def test_a_full_box_defers(home: Any) -> None:
    with Store.open(home) as store:
        post = Post(store, Router(store, PATIENTS))
        box_id = store.create_box(address=f"small@{cast.HOSPITAL_DOMAIN}", kind="pro", owner="1", quota=600)
        hosting = Post(store, Router(store, HOSPITAL))
        origin = operator(store, cast.PATIENT_DOMAIN)
        letter = message("someone@" + cast.CLINIC_DOMAIN, text="x" * 300)
        clinic = operator(store, cast.CLINIC_DOMAIN)
        first = await hosting.send(
            clinic, f"someone@{cast.CLINIC_DOMAIN}", [f"small@{cast.HOSPITAL_DOMAIN}"], letter
        )
        again = await hosting.send(
            clinic, f"someone@{cast.CLINIC_DOMAIN}", [f"small@{cast.HOSPITAL_DOMAIN}"], letter + b"\r\n"
        )
        third = await hosting.router.recipient(
            clinic, f"someone@{cast.CLINIC_DOMAIN}", f"small@{cast.HOSPITAL_DOMAIN}"
        )
        assert origin.kind == "operator"
        refused = [verdict for verdict in (first, again, third) if not verdict.accepted]
        assert refused, "a quota of 600 octets never filled up"
        assert {verdict.code // 100 for verdict in refused} == {4}
        assert {verdict.rule for verdict in refused} <= {"mailbox.quota", "recipient.quota"}
        counts = store.read(mail.folder_counts, box_id, mail.INBOX_ID)
        assert counts.messages == 3 - len(refused) - third.accepted
        await settle(hosting.router)
        await settle(post.router)


# -- refused content -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mail_from", "raw", "rule", "code"),
    [
        (DOCTOR, message(COLLEAGUE), "sender.identity", 550),
        (DOCTOR, message(f"{DOCTOR}>, <{COLLEAGUE}"), "sender.identity", 550),
        (DOCTOR, b"Subject: no From\r\n\r\nx\r\n", "sender.identity", 550),
        (DOCTOR, message(f"someone@{cast.CLINIC_DOMAIN}"), "sender.identity", 550),
        ("", message(DOCTOR), "sender.identity", 550),
        (DOCTOR, message(DOCTOR, text="x" * (26 * 1024 * 1024)), "message.size", 552),
    ],
    ids=["another author", "two authors", "no author", "author elsewhere", "null path", "size"],
)
async def test_refused_content_leaves_evidence_and_nothing_else(
    post: Post, mail_from: str, raw: bytes, rule: str, code: int
) -> None:
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    verdict = await post.send(origin, mail_from, [ALICE.address, CLEMENCE.address], raw, "t3")
    assert (verdict.action, verdict.rule, verdict.code) == ("refuse", rule, code)
    await settle(post.router)
    assert events(post.store, "t3") == [("refused", rule)] * 2
    assert post.inbox(ALICE.address) == post.inbox(CLEMENCE.address) == []


async def test_a_secretary_sends_in_the_doctors_name(post: Post) -> None:
    raw = message(DOCTOR, fields=(f"Sender: <{COLLEAGUE}>",))
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    assert (await post.send(origin, COLLEAGUE, [ALICE.address], raw)).accepted
    assert await post.may_alice_write(DOCTOR) == ""
    assert await post.may_alice_write(COLLEAGUE) == "reply.never_contacted"


async def test_a_delivery_report_has_the_null_reverse_path(post: Post) -> None:
    report = message(
        DOCTOR,
        fields=(
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        ),
        text="--b\r\n\r\nfailed\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; a\r\n\r\nAction: failed\r\n--b--",
    )
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    assert (await post.send(origin, "", [ALICE.address], report)).accepted
    assert post.inbox(ALICE.address) == [report]
    assert await post.may_alice_write(DOCTOR) == "reply.never_contacted"


# -- who may be answered ---------------------------------------------------------------------------


async def test_a_message_opens_its_author(post: Post) -> None:
    assert await post.may_alice_write(DOCTOR) == "reply.never_contacted"
    await post.from_doctor(message(DOCTOR))
    assert await post.may_alice_write(DOCTOR) == ""
    assert await post.may_alice_write(COLLEAGUE) == "reply.never_contacted"


async def test_reply_to_opens_the_contact_instead(post: Post) -> None:
    await post.from_doctor(message(DOCTOR, fields=(f"Reply-To: <{COLLEAGUE}>",)))
    assert await post.may_alice_write(COLLEAGUE) == ""
    assert await post.may_alice_write(DOCTOR) == "reply.never_contacted"


@pytest.mark.parametrize(
    "reply_to", ["someone@outside.example", CLEMENCE.address, "not an address", "", DOCTOR.upper()]
)
async def test_a_reply_to_outside_the_trust_space_counts_for_nothing(post: Post, reply_to: str) -> None:
    await post.from_doctor(message(DOCTOR, fields=(f"Reply-To: <{reply_to}>",)))
    assert await post.may_alice_write(DOCTOR) == ""
    assert await post.may_alice_write(CLEMENCE.address) == "patient.to_patient"
    assert await post.may_alice_write("someone@outside.example") == "patient.outside"


async def test_fin_ends_and_a_new_message_reopens(post: Post) -> None:
    await post.from_doctor(message(DOCTOR))
    await post.from_doctor(message(DOCTOR, subject="[FIN]"))
    assert await post.may_alice_write(DOCTOR) == "reply.ended"
    await post.from_doctor(message(DOCTOR, subject="Encore", message_id="<2@example.test>"))
    assert await post.may_alice_write(DOCTOR) == ""


async def test_fin_ends_the_contact_that_its_author_opened(post: Post) -> None:
    await post.from_doctor(message(DOCTOR, fields=(f"Reply-To: <{COLLEAGUE}>",)))
    await post.from_doctor(message(DOCTOR, subject="[FIN]"))
    assert await post.may_alice_write(COLLEAGUE) == "reply.ended"


@pytest.mark.parametrize("subject", ["[fin]", "Re: [FIN]", "[FIN] bonjour", "FIN"])
async def test_only_the_exact_subject_ends(post: Post, subject: str) -> None:
    await post.from_doctor(message(DOCTOR))
    await post.from_doctor(message(DOCTOR, subject=subject, message_id="<2@example.test>"))
    assert await post.may_alice_write(DOCTOR) == ""


async def test_the_end_header_speaks_of_its_own_message_only(post: Post) -> None:
    await post.from_doctor(message(DOCTOR, fields=("X-MSS-MES: FIN",)))
    assert await post.may_alice_write(DOCTOR) == "reply.ended"
    await post.from_doctor(message(DOCTOR))
    assert await post.may_alice_write(DOCTOR) == ""
    await post.from_doctor(message(DOCTOR, fields=("X-MSS-MES: FIN",), message_id="<3@example.test>"))
    assert await post.may_alice_write(DOCTOR) == ""


async def test_an_automatic_message_opens_nothing(post: Post) -> None:
    await post.from_doctor(message(DOCTOR, fields=("Auto-Submitted: auto-replied",)))
    assert await post.may_alice_write(DOCTOR) == "reply.never_contacted"
    assert len(post.inbox(ALICE.address)) == 1


async def test_another_patients_correspondence_is_his_own(post: Post) -> None:
    await post.from_doctor(message(DOCTOR), CLEMENCE.address)
    assert await post.may_alice_write(DOCTOR) == "reply.never_contacted"


async def test_a_patient_writes_to_a_pharmacy_first(post: Post) -> None:
    origin = patient(post.store, ALICE.address)
    raw = message(ALICE.address, message_id="<rx@example.test>")
    assert (await post.send(origin, ALICE.address, [PHARMACY], raw)).accepted
    assert events(post.store, "rx@example.test") == [("accepted", "reply.pharmacy")]
    (task,) = post.store.read(tasks.pending, tasks.RELAY)
    assert (task.subject_key, task.box_id) == (PHARMACY, origin.box_id)
    assert post.sent(ALICE.address) == [raw]


async def test_a_patients_address_on_the_network_is_not_shown(post: Post) -> None:
    await post.from_doctor(message(DOCTOR))
    origin = patient(post.store, ALICE.address)
    await post.send(origin, ALICE.address, [DOCTOR], message(ALICE.address, message_id="<a@example.test>"))
    (sent,) = post.stored(ALICE.address, "\\Sent")
    assert origin.peer.encode() not in sent.meta


# -- filing ----------------------------------------------------------------------------------------


async def test_an_attachment_for_a_patient_leaves_a_filing_task(post: Post) -> None:
    await post.from_doctor(message(DOCTOR))
    assert post.store.read(tasks.pending, tasks.FILING) == []
    await post.from_doctor(with_pdf(DOCTOR))
    (task,) = post.store.read(tasks.pending, tasks.FILING)
    assert task.subject_key == ALICE.address.casefold()


async def test_nothing_is_filed_where_the_policy_says_so(store: Store) -> None:
    post = Post(store, Router(store, msgspec.structs.replace(PATIENTS, y="none")))
    await post.from_doctor(with_pdf(DOCTOR))
    assert store.read(tasks.pending, tasks.FILING) == []


# -- sign-in ---------------------------------------------------------------------------------------


async def test_a_wrong_password_opens_nothing(post: Post) -> None:
    box = post.store.read(mail.box_by_address, ALICE.address)
    assert box is not None
    secret = patients.add_app_password(post.store, box.box_id, "test")
    known = await post.router.authenticate(ALICE.address, secret, "192.0.2.3")
    assert known is not None
    assert (known.kind, known.box_id, known.peer) == ("patient", box.box_id, "192.0.2.3")
    assert await post.router.authenticate(ALICE.address, secret + "x", "192.0.2.3") is None
    patients.close(post.store, ALICE.ins, actor="test", reason="asked")
    assert await post.router.authenticate(ALICE.address, secret, "192.0.2.3") is None


async def test_nobody_sends_without_having_proven_who_he_is(post: Post) -> None:
    for origin, rule in (
        (Origin(), "sender.tls"),
        (Origin(tls="TLSv1.3"), "sender.certificate"),
        (Origin(tls="TLSv1.3", refusal_rule="sender.revoked", refusal_reason="revoked"), "sender.revoked"),
    ):
        verdict = await post.router.sender(origin, DOCTOR)
        assert (verdict.action, verdict.rule) == ("refuse", rule)


async def test_an_unknown_state_of_revocation_is_temporary(post: Post) -> None:
    """It is our list that is old: the peer's mail must not bounce for it (RFC 5321 §4.2.1)."""
    rule = "sender.revocation_unknown"
    origin = Origin(dn="CN=x", tls="TLSv1.3", refusal_rule=rule, refusal_reason="no fresh list")
    verdict = await post.router.sender(origin, DOCTOR)
    assert (verdict.action, verdict.rule, verdict.code) == ("defer", rule, 451)
