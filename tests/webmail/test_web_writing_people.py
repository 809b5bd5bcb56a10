"""To whom one may write: who wrote, pharmacies; and receipts for reading."""

from __future__ import annotations

import re

import msgspec

import evidence
from tests.webmail.web_kit import ALICE, COLLEAGUE, DOCTOR, NOE, PHARMACY, Browser, Site, letter
from tests.webmail.writing_kit import arrived, entries, opened, outgoing, queued, submit


async def test_who_may_be_written_to_and_who_may_not(site: Site, alice: Browser) -> None:
    page = await alice.get("/ecrire")
    assert "c'est le professionnel qui écrit le premier" in page.replace("&#39;", "'")
    await arrived(site)
    await arrived(site, sender=COLLEAGUE)
    await arrived(site, letter("[FIN]", "Au revoir.", sender=COLLEAGUE), sender=COLLEAGUE)
    page = await alice.get("/ecrire")
    may, _, may_not = page.partition('<details class="card fold"')
    assert "Camille EXEMPLE" in may
    assert "a mis fin à" in may_not
    assert DOCTOR.address not in page
    (path,) = set(re.findall(r'href="(/ecrire/[^"]+)"', page))
    assert DOCTOR.address not in path
    form = await alice.get(path)
    await submit(alice, path, form, objet="Question", texte="Bonjour docteur.")
    (sent,) = outgoing(site)
    assert sent["Subject"] == "Question"
    assert "In-Reply-To" not in sent


async def test_a_pharmacy_is_found_and_written_to_first(site: Site, alice: Browser) -> None:
    assert "Aucune pharmacie" not in await alice.get("/pharmacies")
    assert "Aucune pharmacie" in await alice.get("/pharmacies?nom=introuvable")
    assert "Aucune pharmacie" in await alice.get("/pharmacies?nom=camille")  # no pharmacy: a doctor
    page = await alice.get("/pharmacies?nom=exemple")
    assert "PHARMACIE" in page
    piece = await alice.get("/pharmacies?nom=exemple", **{"HX-Request": "true"})
    assert "<html" not in piece
    (path,) = set(re.findall(r'href="(/ecrire/[^"]+)"', page))
    form = await alice.get(path)
    assert "Choisir une ordonnance" in form
    await submit(alice, path, form, objet="", texte="Bonjour", status=422)
    assert queued(site) == []
    await submit(alice, path, form, objet="Ordonnance", texte="Pouvez-vous préparer ceci ?")
    (job,) = queued(site)
    assert job.recipient.address == PHARMACY.address
    (sent,) = opened(site, "\\Sent")
    (event,) = site.store.read(evidence.trace, sent["Message-ID"])
    assert event.rule == "reply.pharmacy"


async def test_where_dispensations_are_required_a_pharmacy_says_why_not(site: Site, alice: Browser) -> None:
    site.router.policy = msgspec.structs.replace(site.router.policy, dispensations="required")
    page = await alice.get("/pharmacies?nom=exemple")
    assert "un an" in page
    assert "/ecrire/" not in page


async def test_references_are_of_one_session_and_space(site: Site, alice: Browser) -> None:
    page = await alice.get("/pharmacies?nom=exemple")
    path = re.findall(r'href="(/ecrire/[^"]+)"', page)[0]
    other = await site.signed_in(ALICE)
    await other.get(path, 404)
    child = await site.signed_in(ALICE, space=NOE)
    await child.get(path, 404)
    for wrong in ("x", "A" * 700, "é", path.rpartition("/")[2][:-2] + "AA"):
        await alice.get(f"/ecrire/{wrong}", 404)


def asking(to: str = DOCTOR.address) -> bytes:
    return letter("Résultats", Disposition_Notification_To=f"<{to}>")


async def test_a_receipt_is_sent_when_the_person_says_yes_and_once(site: Site, alice: Browser) -> None:
    number = await arrived(site, asking())
    assert queued(site) == []  # reading sends nothing
    path = f"/messages/{number}/accuse"
    await alice.get(f"/messages/{number}")
    assert queued(site) == []
    done = await alice.post(path, {"reponse": "oui"})
    assert done.headers["location"] == f"/messages/{number}"
    again = await alice.post(path, {"reponse": "oui"})
    assert again.status_code == 303
    (job,) = queued(site)
    assert (job.mail_from, job.recipient.address) == ("", DOCTOR.address)
    (receipt,) = outgoing(site)
    assert receipt.get_content_type() == "multipart/report"
    assert receipt.get_param("report-type") == "disposition-notification"
    text, report = receipt.iter_parts()
    told = report.get_payload()[0] if report.is_multipart() else report.get_payload()
    lines = " ".join(str(told).split())  # fields may be folded
    original = opened(site)[-1]["Message-ID"].strip()
    assert "Disposition: manual-action/MDN-sent-manually; displayed" in lines
    assert f"Final-Recipient: rfc822;{ALICE.address}" in lines
    assert f"Original-Message-ID: {original}" in lines
    assert receipt["In-Reply-To"].strip() == original
    assert "affiché" in text.get_content()
    (entry,) = [one for one in entries(site) if one.message_id == number]
    assert "$MDNSent" in entry.keywords.split()
    assert entries(site, "\\Sent") == []
    (event,) = site.store.read(evidence.trace, receipt["Message-ID"])
    assert event.event == "accepted"


async def test_no_is_remembered(site: Site, alice: Browser) -> None:
    number = await arrived(site, asking())
    await alice.post(f"/messages/{number}/accuse", {"reponse": "non"})
    await alice.post(f"/messages/{number}/accuse", {"reponse": "oui"})
    assert queued(site) == []
    (entry,) = [one for one in entries(site) if one.message_id == number]
    assert entry.keywords.split() == ["$MDNSent", "MDNDeclined"]


async def test_a_receipt_that_would_go_elsewhere_is_not_sent(site: Site, alice: Browser) -> None:
    number = await arrived(site, asking(COLLEAGUE.address))
    told = await alice.post(f"/messages/{number}/accuse", {"reponse": "oui"}, status=422)
    assert "à une autre adresse" in told.text
    plain = await arrived(site)
    await alice.post(f"/messages/{plain}/accuse", {"reponse": "oui"})
    assert queued(site) == []


async def test_a_receipt_goes_by_the_rules(site: Site, alice: Browser) -> None:
    number = await arrived(site, asking())
    await arrived(site, letter("[FIN]", "Au revoir."))
    told = await alice.post(f"/messages/{number}/accuse", {"reponse": "oui"}, status=422)
    assert "a mis fin à" in told.text
    assert queued(site) == []


async def test_a_parent_s_receipt_is_told_from_the_child_s(site: Site) -> None:
    parent = await site.signed_in(ALICE, space=NOE)
    raw = letter("Résultats", to=NOE, Disposition_Notification_To=f"<{DOCTOR.address}>")
    number = await arrived(site, raw, to=NOE)
    await parent.post(f"/messages/{number}/accuse", {"reponse": "oui"})
    (receipt,) = outgoing(site, NOE)
    (event,) = site.store.read(evidence.trace, receipt["Message-ID"])
    assert f"patient:{ALICE.ins}" in event.detail
