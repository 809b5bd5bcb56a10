"""Plays the mission on real sockets: what must work works, who must be refused is refused by his rule."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import activity
import dossier
import evidence
from gateway import logs
from gateway.demo import cast, clients, letters, scene
from gateway.demo.cast import ALICE, BASILE, CLEMENCE, COLLEAGUE, DOCTOR, PHARMACY
from gateway.demo.clients import Refused, mailbox, rule_of, same_bytes
from gateway.demo.companions import Companions
from gateway.demo.letters import Letter
from gateway.demo.pages import Pages
from gateway.demo.scene import Scene
from gateway.demo.stage import on_stage
from store import PasserelleError, Store

Act = Callable[[], Awaitable[str]]


class Transcript:
    """One line of plain words for each act, with a mark and its time."""

    def __init__(self) -> None:
        self.failed = 0
        self.began = time.monotonic()

    async def act(self, words: str, act: Act) -> None:
        start = time.monotonic()
        try:
            found = await act()
            mark = "✓"
        except (TimeoutError, AssertionError, Refused, PasserelleError, OSError) as error:
            found, mark = f"{type(error).__name__}: {error}", "✗"
            self.failed += 1
        took = (time.monotonic() - start) * 1000
        print(f"{mark} {words}{' — ' + found if found else ''}  ({took:.0f} ms)", flush=True)


class Mission:
    """The acts, in order; each leaves what the next ones need."""

    def __init__(self, play: Scene, ours: Store, theirs: Store) -> None:
        self.play, self.ours, self.theirs = play, ours, theirs
        self.record = Letter(
            DOCTOR.address,
            ALICE.address,
            "Votre compte rendu",
            "Bonjour,\r\nvoici votre compte rendu et une fiche de conseils.\r\nÀ bientôt.",
            (
                ("conseils.pdf", "application/pdf", letters.pdf("Conseils apres consultation")),
                ("IHE_XDM.ZIP", "application/zip", letters.archive(ALICE, "Compte rendu de consultation")),
            ),
        )
        self.answer = Letter(ALICE.address, DOCTOR.address, "Re: Votre compte rendu", "Merci docteur.")

    def acts(self) -> list[tuple[str, Act]]:
        return [
            (
                "Alice activates her space in the pages, with her card and a code; she has a mailbox",
                self.activation,
            ),
            (
                "The doctor sends text, a PDF and IHE_XDM.ZIP through his hospital; Alice reads it",
                self.reading,
            ),
            ("Both documents are in Alice's record, once", self.filing),
            ("A message brought twice by the hospital's operator is delivered once", self.again),
            ("Alice's answer reaches the doctor at the hospital", self.answering),
            (
                "In the pages, Alice signs in, reads it, sees it filed, and answers with a photograph",
                self.webmail,
            ),
            ("Alice writes first to a pharmacy: accepted, and it arrives", self.pharmacy),
            ("Refused: a stranger's certificate", self.operator("stranger", "sender.certificate")),
            ("Refused: a revoked certificate", self.operator("revoked", "sender.revoked")),
            ("Refused: an expired certificate", self.operator("expired", "sender.certificate")),
            (
                "Refused: a domain whose certificate is another operator's",
                self.operator("clinic", "sender.whitelist"),
            ),
            ("Refused: an address that the sender does not own", self.not_owned),
            ("Refused: Alice writes to a professional who never wrote to her", self.never_contacted),
            ("Refused: Alice writes after the doctor's [FIN]", self.ended),
            ("Refused: a patient who opposed; the doctor gets « Message non distribué »", self.opposed),
            ("Another patient's CDA: delivered, not filed, the doctor is told 904", self.other_patient),
            *Companions(self.play, self.ours).acts(),
            ("The trace of the first message, end by end", self.trace),
            ("The evidence of both gateways holds", self.evidence),
        ]

    # -- what must work

    async def activation(self) -> str:
        async with Pages(self.play) as pages:
            await pages.activate()
        await asyncio.to_thread(scene.app_password, self.play, self.ours, ALICE)
        return ALICE.address

    async def reading(self) -> str:
        async with mailbox(self.play, "passerelle", ALICE.address) as box:
            await clients.submit(self.play, "hopital", self.record, certificate="doctor")
            served = await box.wait_for(self.record.message_id)
        assert same_bytes(self.record, served), "the bytes differ"
        async with mailbox(self.play, "hopital", DOCTOR.address) as box:
            report = await box.wait_for("Action: delivered")
        assert self.record.message_id.encode() in report
        return (
            f"{len(self.record.raw)} octets, byte for byte; the doctor has the delivery report he asked for"
        )

    async def filing(self) -> str:
        wanted = 2
        for _ in range(150):
            found = await self.documents()
            if len(found) >= wanted and not await self.filings_left():
                break
            await asyncio.sleep(0.1)
        assert len(found) == wanted, f"{len(found)} documents"
        return ", ".join(sorted(f"« {document.info.title} »" for document in found))

    async def documents(self) -> list[dossier.Document]:
        box = await self.ours.aread(scene.box_by_address, ALICE.address)
        alice = await self.ours.aread(activity.person, box.box_id, ALICE.ins)
        return await self.ours.aread(dossier.documents_for, self.ours, box.box_id, alice)

    async def filings_left(self) -> int:
        return len(await self.ours.aread(scene.filings_left))

    async def again(self) -> str:
        letter = Letter(DOCTOR.address, ALICE.address, "Rappel", "Prenez rendez-vous.")
        before = await self.count(ALICE.address)
        for _ in range(2):
            await clients.bring(self.play, "hospital", letter)
        assert await self.count(ALICE.address) == before + 1, "not delivered exactly once"
        found = await self.ours.aread(evidence.trace, letter.message_id)
        assert [link.event for link in found] == ["delivered", "duplicate"]
        return "delivered once, then known"

    async def count(self, address: str) -> int:
        async with mailbox(self.play, "passerelle", address) as box:
            return len(await box.uids())

    async def answering(self) -> str:
        async with mailbox(self.play, "hopital", DOCTOR.address) as box:
            await clients.submit(self.play, "passerelle", self.answer, user=ALICE.address)
            served = await box.wait_for(self.answer.message_id)
        assert same_bytes(self.answer, served), "the bytes differ"
        return f"{len(self.answer.raw)} octets, byte for byte"

    async def webmail(self) -> str:
        async with mailbox(self.play, "hopital", DOCTOR.address) as box, Pages(self.play) as pages:
            await pages.sign_in()
            page = await pages.read(self.record.subject)
            assert "fiche de conseils" in page, "the text is not shown"
            assert "Déposé dans votre dossier" in page, "the page does not say that it is filed"
            photograph = ("poignet.png", letters.photograph(), "image/png")
            await pages.answer("Voici une photographie, docteur.", photograph)
            served = await box.wait_for("Voici une photographie, docteur.")
        assert b"poignet.png" in served, "the photograph is not there"
        return f"{len(served)} octets at the hospital, sent once"

    async def pharmacy(self) -> str:
        order = Letter(ALICE.address, PHARMACY.address, "Ordonnance", "Bonjour, puis-je passer ce soir ?")
        async with mailbox(self.play, "hopital", PHARMACY.address) as box:
            await clients.submit(self.play, "passerelle", order, user=ALICE.address)
            served = await box.wait_for(order.message_id)
        assert same_bytes(order, served), "the bytes differ"
        return "reply.pharmacy"

    # -- who must be refused

    def operator(self, certificate: str, rule: str) -> Act:
        async def act() -> str:
            letter = Letter(DOCTOR.address, ALICE.address, "Bonjour", "Bonjour")
            return await _refused(clients.bring(self.play, certificate, letter), rule)

        return act

    async def not_owned(self) -> str:
        letter = Letter(COLLEAGUE.address, ALICE.address, "Bonjour", "Bonjour")
        return await _refused(
            clients.submit(self.play, "hopital", letter, certificate="doctor"), "sender.identity"
        )

    async def never_contacted(self) -> str:
        letter = Letter(ALICE.address, COLLEAGUE.address, "Bonjour", "Bonjour")
        return await _refused(
            clients.submit(self.play, "passerelle", letter, user=ALICE.address), "reply.never_contacted"
        )

    async def ended(self) -> str:
        end = Letter(DOCTOR.address, ALICE.address, "[FIN]", "Cet échange est terminé.")
        async with mailbox(self.play, "passerelle", ALICE.address) as box:
            await clients.submit(self.play, "hopital", end, certificate="doctor")
            await box.wait_for(end.message_id)
        late = replace(self.answer, message_id="<late@demo.test>")
        return await _refused(
            clients.submit(self.play, "passerelle", late, user=ALICE.address), "reply.ended"
        )

    async def opposed(self) -> str:
        letter = Letter(DOCTOR.address, BASILE.address, "Bonjour", "Bonjour")
        async with mailbox(self.play, "hopital", DOCTOR.address) as box:
            await clients.submit(self.play, "hopital", letter, certificate="doctor")
            report = await box.wait_for("recipient.opposed")
        assert letter.message_id.encode() in report
        return "recipient.opposed"

    async def other_patient(self) -> str:
        letter = Letter(
            DOCTOR.address,
            ALICE.address,
            "XDM/1.0/DDM+CR ou fiche de consultation",
            "Bonjour",
            (("IHE_XDM.ZIP", "application/zip", letters.archive(CLEMENCE, "Compte rendu d'une autre")),),
            (("Disposition-Notification-To", f"<{DOCTOR.address}>"),),
        )
        async with mailbox(self.play, "passerelle", ALICE.address) as box:
            await clients.submit(self.play, "hopital", letter, certificate="doctor")
            assert same_bytes(letter, await box.wait_for(letter.message_id)), "the bytes differ"
        async with mailbox(self.play, "hopital", DOCTOR.address) as box:
            report = await box.wait_for("processed/Error: 904")
        assert letter.message_id.encode() in report
        assert len(await self.documents()) == 2, "it was filed"
        return "delivered, 2 documents in the record as before"

    # -- what is left behind

    async def trace(self) -> str:
        links = await self.ours.aread(evidence.trace, self.record.message_id)
        links += await self.theirs.aread(evidence.trace, self.record.message_id)
        events = [link.event for link in links]
        for event in ("delivered", "filed", "accepted", "relayed"):
            assert event in events, f"no record of {event}"
        assert events.count("filed") == 2, f"filed {events.count('filed')} times"
        lines = [f"    {link.event:10} {link.recipient} {link.rule} {link.detail}" for link in links]
        return "\n".join(["", *lines, "   "])

    async def evidence(self) -> str:
        told = []
        for party, store in (("passerelle", self.ours), ("hopital", self.theirs)):
            report = await store.aread(evidence.verify, evidence.public_key(store.home))
            assert report.ok, f"{party}: {report.reason}"
            told.append(f"{party} {report.records} records")
        return ", ".join(told)


async def _refused(sending: Awaitable[str], rule: str) -> str:
    try:
        reply = await sending
    except Refused as refusal:
        assert rule_of(str(refusal)) == rule, f"refused by another rule: {refusal}"
        return str(refusal)
    raise AssertionError(f"it was accepted: {reply}")


async def _play(play: Scene) -> int:
    transcript = Transcript()
    async with on_stage(play):
        began = time.monotonic()
        with Store.open(play.home("passerelle")) as ours, Store.open(play.home("hopital")) as theirs:
            mission = Mission(play, ours, theirs)
            for words, act in mission.acts():
                await transcript.act(words, act)
        print(f"The scenario took {time.monotonic() - began:.1f} s.", flush=True)
    if transcript.failed:
        print(f"{transcript.failed} acts did not hold; logs and homes are in {play.root}", flush=True)
    else:
        print("Everything held.", flush=True)
    return 1 if transcript.failed else 0


def play(folder: Path | None) -> int:
    """Prepare a scene in ``folder`` (or a temporary one), play, and return 0 only if everything held."""
    logs.set_up("warning")
    chosen = folder or Path(tempfile.mkdtemp(prefix="passerelle-demo-"))
    began = time.monotonic()
    play = scene.prepare_demo(chosen)
    print(
        f"The stage is set in {chosen} ({time.monotonic() - began:.1f} s): a PKI, a signed whitelist,"
        f" the directory, {cast.PATIENT_DOMAIN} and a hospital's operator.",
        flush=True,
    )
    status = asyncio.run(_play(play))
    if folder is None and status == 0:
        shutil.rmtree(chosen)
    sys.stdout.flush()
    return status
