"""Whom a patient may answer, by the real road: sessions, messages, imports of the directory and the list."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from routing_support import ALICE, CLEMENCE, PATIENTS, Post, message, operator, patient, settle
from world import OPERATORS, World, tick

import evidence
import patients
from gateway.demo import cast
from gateway.routing import Router, contacts, domain_of, explain, explain_all, rules
from patients.calendar import today
from store import Store, now_ms

DOMAIN = cast.HOSPITAL_DOMAIN
A, B, C = (f"{name}@{DOMAIN}" for name in ("alpha", "beta", "gamma"))
SERVICE, SOFTWARE = f"service@{DOMAIN}", f"logiciel@{DOMAIN}"
ELSEWHERE = f"secretariat@{cast.CLINIC_DOMAIN}"  # trusted, never published
PHARMACY = f"pharmacie@{cast.OFFICINE_DOMAIN}"
ALPHA, BETA, GAMMA = "810000000019", "810000000027", "810000000035"
OFFICINE = "750000019"


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    made = World(store, tmp_path)
    for address, id_nat, name in ((A, ALPHA, "ALPHA"), (B, BETA, "BETA"), (C, GAMMA, "GAMMA")):
        made.person(address, id_nat, name)
    made.place(SERVICE, "690000015")
    made.place(SOFTWARE, "690000015", kind="APP")
    made.place(PHARMACY, OFFICINE, "SA33")
    made.list_domains()
    made.publish()
    return made


class Talk:
    """Short ways to write to Alice, and to ask whom she may write to."""

    def __init__(self, store: Store) -> None:
        self.store, self.number, self.router = store, 0, Router(store, PATIENTS)

    async def write(
        self, author: str, *fields: str, subject: str = "Bonjour", to: str = ALICE.address
    ) -> bytes:
        self.number += 1
        raw = message(author, subject=subject, fields=fields, message_id=f"<{self.number}@example.test>")
        await self.again(author, raw, to)
        return raw

    async def again(self, author: str, raw: bytes, to: str = ALICE.address) -> None:
        post = Post(self.store, self.router)
        origin = operator(self.store, domain_of(author))
        sent = await post.send(origin, author, [to], raw)
        assert sent.accepted, sent.reply
        tick()

    async def answer(self, to: str) -> str:
        """The rule that RCPT names, or the one that lets it pass; `explain` must say the same."""
        verdict = await self.router.recipient(patient(self.store, ALICE.address), ALICE.address, to)
        told = self.store.read(explain, self.router.policy, ALICE.address, to)
        assert told.verdict == verdict
        await settle(self.router)
        return verdict.rule if not verdict.accepted else f"+{verdict.rule}"

    def warnings(self, to: str) -> list[str]:
        return [check.rule for check in self.store.read(explain, PATIENTS, ALICE.address, to).warnings]


@pytest.fixture
def talk(store: Store, world: World) -> Talk:
    assert world.store is store
    return Talk(store)


# -- Reply-To -------------------------------------------------------------------------------------


async def test_every_trusted_address_of_reply_to_may_be_answered(talk: Talk) -> None:
    await talk.write(
        A, f"Reply-To: <{B}>, Somebody <outside@example.com>, <{ELSEWHERE}>, <{CLEMENCE.address}>"
    )
    assert await talk.answer(B) == await talk.answer(ELSEWHERE) == "+reply.contacted"
    assert await talk.answer(A) == "reply.never_contacted"
    assert await talk.answer("outside@example.com") == "patient.outside"
    assert await talk.answer(CLEMENCE.address) == "patient.to_patient"


async def test_a_reply_to_may_name_the_author_too(talk: Talk) -> None:
    await talk.write(A, f"Reply-To: <{A}>, <{B}>")
    assert await talk.answer(A) == await talk.answer(B) == "+reply.contacted"


async def test_a_reply_to_opens_twenty_addresses_at_most(talk: Talk) -> None:
    await talk.write(A, "Reply-To: " + ", ".join(f"<p{number}@{DOMAIN}>" for number in range(40)))
    assert len(talk.store.read(contacts, patient(talk.store, ALICE.address).box_id)) == 20


async def test_a_mailbox_here_must_exist_to_be_named(store: Store, world: World) -> None:
    """For professionals hosted beside the patients, the gateway knows its own mailboxes."""
    policy = msgspec.structs.replace(PATIENTS, hosted=frozenset({cast.CLINIC_DOMAIN}))
    store.create_box(address=ELSEWHERE, kind="pro", owner="")
    talk = Talk(store)
    talk.router = Router(store, policy)
    await talk.write(A, f"Reply-To: <nobody@{cast.CLINIC_DOMAIN}>")
    assert await talk.answer(A) == "+reply.contacted", "the From stands in for a Reply-To that leads nowhere"
    await talk.write(B, f"Reply-To: <{ELSEWHERE}>")
    assert (await talk.answer(ELSEWHERE), await talk.answer(B)) == (
        "+recipient.open",
        "reply.never_contacted",
    )


# -- [FIN] and X-MSS-MES: FIN ---------------------------------------------------------------------


async def test_each_professional_of_a_thread_is_a_contact_of_his_own(talk: Talk) -> None:
    """To and Cc open nothing: who was in copy did not write."""
    await talk.write(A, f"Cc: <{B}>, <{C}>")
    await talk.write(C, f"Cc: <{A}>", "In-Reply-To: <1@example.test>")
    assert [await talk.answer(one) for one in (A, B, C)] == [
        "+reply.contacted",
        "reply.never_contacted",
        "+reply.contacted",
    ]
    await talk.write(A, f"Cc: <{C}>", subject="[FIN]")
    assert [await talk.answer(one) for one in (A, B, C)] == [
        "reply.ended",
        "reply.never_contacted",
        "+reply.contacted",
    ]


async def test_an_end_takes_back_what_its_author_opened_and_nothing_else(talk: Talk) -> None:
    await talk.write(A, f"Reply-To: <{B}>")
    await talk.write(A, f"Reply-To: <{ELSEWHERE}>")
    await talk.write(B)  # he also wrote himself
    await talk.write(A, subject="[FIN]")
    assert await talk.answer(B) == "+reply.contacted", "another's end does not close what he opened himself"
    assert await talk.answer(ELSEWHERE) == "reply.ended"
    await talk.write(B, subject="[FIN]")
    assert await talk.answer(B) == "reply.ended"


async def test_who_was_named_by_another_may_end_it_himself(talk: Talk) -> None:
    await talk.write(A, f"Reply-To: <{B}>")
    await talk.write(B, f"Reply-To: <{C}>", subject="[FIN]")
    assert await talk.answer(B) == "reply.ended"
    assert await talk.answer(C) == "reply.never_contacted", "an end names nobody new"
    await talk.write(A, f"Reply-To: <{B}>")
    assert await talk.answer(B) == "+reply.contacted", "a new message opens again"


@pytest.mark.parametrize(
    ("subject", "fields", "expected"),
    [
        ("[FIN]", ("X-MSS-MES: FIN",), "reply.ended"),  # both: nothing earlier, and not this one
        ("[FIN]", (), "reply.ended"),
        ("=?utf-8?q?=5BFIN=5D?=", (), "reply.ended"),  # the same subject, encoded (RFC 2047)
        ("[FIN]", ("Auto-Submitted: auto-generated",), "reply.ended"),  # sent by the software, as asked
        ("Bonjour", ("X-MSS-MES: FIN",), "+reply.contacted"),  # of its own message only
        ("Bonjour", ("X-MSS-MES: fin",), "+reply.contacted"),
        ("[fin]", (), "+reply.contacted"),
        ("Re: [FIN]", (), "+reply.contacted"),
        ("[FIN] merci", (), "+reply.contacted"),
        ("[FIN]", ("Auto-Submitted: auto-replied",), "+reply.contacted"),  # an answering machine ends nothing
    ],
)
async def test_what_ends(talk: Talk, subject: str, fields: tuple[str, ...], expected: str) -> None:
    await talk.write(A)
    await talk.write(A, *fields, subject=subject)
    assert await talk.answer(A) == expected
    await talk.write(A, subject="Encore")
    assert await talk.answer(A) == "+reply.contacted", "a new message opens again"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("X-MSS-MES: FIN",), "reply.ended"),
        (("Auto-Submitted: auto-generated",), "reply.ended"),
        (("Auto-Submitted: auto-replied",), "reply.never_contacted"),
        (("Auto-Submitted: no",), "+reply.contacted"),
    ],
)
async def test_what_a_single_message_opens(talk: Talk, fields: tuple[str, ...], expected: str) -> None:
    await talk.write(A, *fields)
    assert await talk.answer(A) == expected


async def test_a_repeated_delivery_opens_nothing_again(talk: Talk) -> None:
    first = await talk.write(A)
    await talk.write(A, subject="[FIN]")
    await talk.again(A, first)
    assert await talk.answer(A) == "reply.ended"


# -- what became of the mailbox -------------------------------------------------------------------


async def test_another_holder_of_the_address_is_another_person(talk: Talk, world: World) -> None:
    await talk.write(A)
    world.person(A, GAMMA, "GAMMA")
    world.publish()
    assert await talk.answer(A) == "reply.holder_changed"
    await talk.write(A, subject="Je reprends votre suivi")
    assert await talk.answer(A) == "+reply.contacted", "now he has written himself"
    world.person(A, ALPHA, "ALPHA")
    world.publish()
    assert await talk.answer(A) == "reply.holder_changed"


async def test_the_same_holder_under_a_new_number_is_the_same(talk: Talk, world: World) -> None:
    """Nurses went from ADELI to RPPS; corrections of a name change nobody either."""
    world.person(B, "0690000123", "DURAND")
    world.publish()
    await talk.write(B)
    await talk.write(A)
    world.person(B, "810000000043", "DURAND")
    world.person(A, ALPHA, "ALPHA-MARTIN")
    world.publish()
    assert await talk.answer(B) == await talk.answer(A) == "+reply.contacted"


async def test_a_mailbox_that_is_published_no_more_is_told_and_may_be_answered(
    talk: Talk, world: World
) -> None:
    """It may have closed, or gone on the liste rouge: only its operator knows."""
    await talk.write(B)
    assert talk.warnings(B) == []
    row = world.boxes.pop(B)
    before = world.publish()
    assert (await talk.answer(B), talk.warnings(B)) == ("+reply.contacted", ["reply.box_gone"])
    (warning,) = talk.store.read(explain, PATIENTS, ALICE.address, B).warnings
    assert "ne publie plus cette messagerie depuis le" in warning.french
    assert talk.store.read(explain, PATIENTS, ALICE.address, B, before).warnings == []
    await talk.write(B)
    assert talk.warnings(B) == [], "it wrote since: it is alive"
    world.boxes[B] = row
    world.publish()
    assert (await talk.answer(B), talk.warnings(B)) == ("+reply.contacted", [])


@pytest.mark.parametrize("published", [True, False], ids=["still published", "gone with him"])
async def test_who_practises_no_more_is_not_written_to(talk: Talk, world: World, published: bool) -> None:
    await talk.write(A)
    del world.people[ALPHA]
    if not published:
        del world.boxes[A]
    before = world.publish()
    assert await talk.answer(A) == "reply.not_practising"
    told = talk.store.read(explain, PATIENTS, ALICE.address, A)
    assert "n'exerce plus depuis le" in told.french
    assert told.verdict.peer.startswith("this professional no longer practises since 20")
    assert talk.store.read(explain, PATIENTS, ALICE.address, A, before).verdict.accepted, "then he did"
    world.person(A, ALPHA, "ALPHA")
    world.publish()
    assert await talk.answer(A) == "+reply.contacted", "he practises again"


async def test_a_new_mailbox_of_the_same_professional_has_to_write_first(talk: Talk, world: World) -> None:
    new = f"alpha.nouveau@{DOMAIN}"
    await talk.write(A)
    del world.boxes[A]
    world.person(new, ALPHA, "ALPHA")
    world.publish()
    assert await talk.answer(new) == "reply.other_mailbox"
    assert (await talk.answer(A), talk.warnings(A)) == ("+reply.contacted", ["reply.box_gone"])
    await talk.write(new)
    assert await talk.answer(new) == "+reply.contacted"


async def test_an_operator_that_left_the_trust_space(talk: Talk, world: World) -> None:
    await talk.write(ELSEWHERE)
    world.domains.remove(cast.CLINIC_DOMAIN)
    before = world.list_domains()
    assert await talk.answer(ELSEWHERE) == "reply.domain_gone"
    assert await talk.answer(f"never@{cast.CLINIC_DOMAIN}") == "patient.outside"
    assert talk.store.read(explain, PATIENTS, ALICE.address, ELSEWHERE, before).verdict.accepted
    world.domains = set(OPERATORS)
    world.list_domains()
    assert await talk.answer(ELSEWHERE) == "+reply.contacted"


async def test_organisations_and_applications_are_contacts_like_any_other(talk: Talk) -> None:
    for address in (SERVICE, SOFTWARE):
        assert await talk.answer(address) == "reply.never_contacted"
        await talk.write(address)
        assert await talk.answer(address) == "+reply.contacted"


# -- pharmacies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sector", ["SA33", "SA38", "SA39", "SA65", "SA01", ""])
async def test_an_officine_is_known_by_its_sector(talk: Talk, world: World, sector: str) -> None:
    world.place(PHARMACY, OFFICINE, sector)
    world.publish()
    expected = "+reply.pharmacy" if sector in ("SA33", "SA38", "SA39", "SA65") else "reply.never_contacted"
    assert await talk.answer(PHARMACY) == expected


async def test_a_pharmacists_own_mailbox_is_no_pharmacy(talk: Talk, world: World) -> None:
    own = f"pharmacien@{cast.OFFICINE_DOMAIN}"
    world.person(own, GAMMA)
    world.boxes[own] |= {"structure_kind": "1", "structure": OFFICINE}
    world.publish()
    assert await talk.answer(own) == "reply.never_contacted"


async def test_with_a_feed_only_where_something_was_dispensed(talk: Talk, tmp_path: Path) -> None:
    talk.router = Router(talk.store, msgspec.structs.replace(PATIENTS, dispensations="required"))
    assert await talk.answer(PHARMACY) == "reply.pharmacy"
    before = tick()
    feed = tmp_path / "feed.csv"
    feed.write_text(f"ins;officine;date\n{ALICE.ins};{OFFICINE};{today(now_ms()).isoformat()}\n")
    assert patients.import_dispensations(talk.store, feed).added == 1
    assert await talk.answer(PHARMACY) == "+reply.pharmacy"
    told = talk.store.read(explain, talk.router.policy, ALICE.address, PHARMACY, before)
    assert told.verdict.rule == "reply.pharmacy", "the feed had not told it yet"
    assert not told.verdict.accepted
    other = talk.store.read(explain, talk.router.policy, CLEMENCE.address, PHARMACY)
    assert not other.verdict.accepted, "it was dispensed to somebody else"


async def test_a_pharmacy_that_wrote_may_be_answered_without_any_dispensation(talk: Talk) -> None:
    talk.router = Router(talk.store, msgspec.structs.replace(PATIENTS, dispensations="required"))
    await talk.write(PHARMACY)
    assert await talk.answer(PHARMACY) == "+reply.contacted"
    await talk.write(PHARMACY, subject="[FIN]")
    assert await talk.answer(PHARMACY) == "reply.ended"


# -- many recipients, one voice -------------------------------------------------------------------


async def test_each_recipient_has_his_own_verdict(talk: Talk) -> None:
    await talk.write(A)
    wanted = {
        A: "+reply.contacted",
        B: "reply.never_contacted",
        PHARMACY: "+reply.pharmacy",
        CLEMENCE.address: "patient.to_patient",
        "someone@outside.example": "patient.outside",
    }
    assert {one: await talk.answer(one) for one in wanted} == wanted
    origin = patient(talk.store, ALICE.address)
    told = talk.store.read(explain_all, PATIENTS, origin, list(wanted))
    assert [one.recipient for one in told] == list(wanted)
    assert [("+" if one.verdict.accepted else "") + one.verdict.rule for one in told] == list(wanted.values())
    post = Post(talk.store, talk.router)
    accepted = [one.recipient for one in told if one.verdict.accepted]
    raw = message(ALICE.address, message_id="<both@example.test>")
    assert (await post.send(origin, ALICE.address, accepted, raw)).accepted
    raw = message(ALICE.address, message_id="<sneaky@example.test>")
    refused = await post.send(origin, ALICE.address, [*accepted, B], raw)
    assert (refused.action, refused.rule) == ("defer", "reply.never_contacted"), "RCPT had refused it"


async def test_the_trace_tells_what_the_sender_was_told(talk: Talk) -> None:
    await talk.answer(B)
    links = [one for one in talk.store.read(lambda conn: list(evidence.walk(conn))) if one.event == "refused"]
    sentence = rules.english("reply.never_contacted", False)
    assert sentence in links[-1].detail
    assert links[-1].rule == "reply.never_contacted"


# -- who acts for whom ----------------------------------------------------------------------------


async def test_a_stranger_in_a_patients_box_may_write_to_nobody(talk: Talk) -> None:
    await talk.write(A)
    own = patient(talk.store, ALICE.address)
    himself = msgspec.structs.replace(own, actor_ins=ALICE.ins)
    stranger = msgspec.structs.replace(own, actor_ins=CLEMENCE.ins)
    assert (await talk.router.recipient(himself, ALICE.address, A)).accepted
    assert (await talk.router.recipient(stranger, ALICE.address, A)).rule == "patient.acting"
    assert (await talk.router.recipient(stranger, ALICE.address, PHARMACY)).rule == "patient.acting"
    await settle(talk.router)


async def test_a_representative_writes_for_as_long_as_he_is_one(talk: Talk) -> None:
    """In the child's name, from the child's box; nothing of it comes into his own."""
    ins = cast.ins("1190675056001")
    child = patients.Person(ins, patients.OID_NIR_DEMO, "EXEMPLE", "LEO", "", "M", "2019-06-01", "75056")
    talk.store.write(patients.add_persons, persons=[child], actor="test")
    profile = patients.activate(talk.store, ins, cast.PATIENT_DOMAIN, actor="test")
    await talk.write(A, to=profile.address)
    parent = msgspec.structs.replace(patient(talk.store, profile.address), actor_ins=ALICE.ins)

    async def rule_for(to: str) -> str:
        return (await talk.router.recipient(parent, profile.address, to)).rule

    assert await rule_for(A) == "patient.acting"
    link = {"ins": ins, "representative": ALICE.ins, "actor": "test", "reason": "mother"}
    talk.store.write(patients.attach_representative, capacity="parent", **link)
    tick()
    assert await rule_for(A) == "reply.contacted"
    assert await rule_for(B) == "reply.never_contacted"
    assert await talk.answer(A) == "reply.never_contacted", "not from her own box"
    talk.store.write(patients.remove_representative, **link)
    tick()
    assert await rule_for(A) == "patient.acting"
    await settle(talk.router)


async def test_a_suspended_patient_does_not_send(talk: Talk) -> None:
    await talk.write(A)
    before = tick()
    patients.suspend(talk.store, ALICE.ins, actor="test", reason="fraud")
    origin = patient(talk.store, ALICE.address)
    assert (await talk.router.sender(origin, ALICE.address)).rule == "sender.suspended"
    assert talk.store.read(explain, PATIENTS, ALICE.address, A).verdict.rule == "sender.suspended"
    assert talk.store.read(explain, PATIENTS, ALICE.address, A, before).verdict.accepted
    await settle(talk.router)
