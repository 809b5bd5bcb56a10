"""An answer leaves as the rules want it, once, and nothing that was typed is lost."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import evidence
from gateway.routing import Verdict, end_sending, prepare
from gateway.smtp.client import Outcome
from gateway.smtp.outcomes import Ledger, drop_relay
from store import StoreError, mail, tasks
from tests.webmail.web_kit import ALICE, CLEMENCE, COLLEAGUE, DOCTOR, NOE, Browser, Site, letter
from tests.webmail.writing_kit import (
    PDF,
    arrived,
    entries,
    field,
    form_of,
    opened,
    outgoing,
    pdf,
    queued,
    submit,
    typed,
)
from webmail.writing import state_of


async def test_an_answer_leaves_for_the_other_operator(site: Site, alice: Browser) -> None:
    number = await arrived(site, subject="Votre bilan", text="Voici.\n\nComment allez-vous ?")
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    assert "Comment allez-vous" in page
    assert "Camille EXEMPLE" in page
    done = await submit(alice, path, page, texte="Bien, merci.\nÀ bientôt 😀", citer="oui")
    assert done.headers["location"].startswith("/messages/conversation/")
    (job,) = queued(site)
    assert (job.mail_from, job.recipient.address) == (ALICE.address, DOCTOR.address)
    (sent,) = opened(site, "\\Sent")
    (leaves,) = outgoing(site)
    assert leaves.as_bytes() == sent.as_bytes()
    original = opened(site)[-1]
    hostname = site.door.kit.wants.hostname
    assert [name for name in leaves.keys() if name not in ("From", "To")] == [  # noqa: SIM118  # fields repeat
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Content-Transfer-Encoding",
        "Content-Type",
        "MIME-Version",
    ]
    assert leaves["Subject"] == "Re: Votre bilan"
    assert leaves["In-Reply-To"].strip() == leaves["References"].strip() == original["Message-ID"].strip()
    assert re.fullmatch(rf"<[0-9a-f]{{32}}@{re.escape(hostname)}>", leaves["Message-ID"])
    (author,), (to,) = leaves["From"].addresses, leaves["To"].addresses
    assert (author.addr_spec, author.display_name) == (ALICE.address, "Alice DUPONT-EXEMPLE")
    assert (to.addr_spec, to.display_name) == (DOCTOR.address, "Dr Camille EXEMPLE")
    assert leaves.get_content_type() == "text/plain"
    assert leaves["Content-Type"].params["format"] == "flowed"
    text = leaves.get_content().replace("\r\n", "\n")
    assert text.startswith("Bien, merci.\nÀ bientôt 😀\n")
    assert "> Comment allez-vous ?" in text
    (kept,) = entries(site, "\\Sent")
    assert kept.flags & mail.SEEN
    assert entries(site, "\\Drafts") == []
    answered = next(one for one in entries(site) if one.message_id == number)
    assert answered.flags & mail.ANSWERED
    (event,) = site.store.read(evidence.trace, leaves["Message-ID"])
    assert (event.event, event.rule, event.sender) == ("accepted", "reply.contacted", ALICE.address)
    assert '"by":"app-password"' in event.detail


async def test_a_double_click_sends_once(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    data = {**form_of(page), "faire": "envoyer", "texte": "Une seule fois."}
    answers = await asyncio.gather(
        *(alice.client.post(path, data=data, files=[pdf()]) for _ in range(5)), return_exceptions=False
    )
    assert {one.status_code for one in answers} == {303}
    assert len(queued(site)) == len(entries(site, "\\Sent")) == 1
    assert entries(site, "\\Drafts") == []
    again = await submit(alice, path, page, texte="Une seule fois.", files=[pdf()])
    assert "d%C3%A9j%C3%A0" not in again.headers["location"]
    assert "était déjà parti" in await alice.after(again)
    assert len(queued(site)) == 1


async def test_what_was_changed_after_it_left_is_a_second_letter_only_when_wanted(
    site: Site, alice: Browser
) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    await submit(alice, path, page, texte="Premier.")
    kept = (await submit(alice, path, page, texte="Second.", status=422)).text
    assert "Ce message est déjà parti" in kept
    assert typed(kept) == "Second."
    assert len(queued(site)) == 1
    await submit(alice, f"/brouillons/{field(kept, 'brouillon')}", kept)
    assert len(queued(site)) == 2
    assert len({one["Message-ID"] for one in opened(site, "\\Sent")}) == 2


async def test_files_of_the_device_go_along(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    await submit(
        alice, path, page, texte="Voici.", files=[pdf("été\u202egpj.pdf"), pdf("b.pdf", PDF + b"%%EOF\n")]
    )
    (sent,) = outgoing(site)
    assert sent.get_content_type() == "multipart/mixed"
    first, second = sent.iter_attachments()
    assert first.get_filename() == "étégpj.pdf"
    assert first.get_content() == PDF
    assert second.get_content_type() == "application/pdf"


async def test_a_file_that_is_not_taken_stops_the_letter_and_loses_nothing(
    site: Site, alice: Browser
) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    files = [pdf("bon.pdf"), pdf("faux.pdf", b"MZ\x90\x00"), ("fichiers", ("vide.txt", b"", "text/plain"))]
    kept = (await submit(alice, path, page, texte="Voici.", files=files, status=422)).text
    assert queued(site) == []
    assert "faux.pdf" in kept
    assert "vide.txt" in kept
    assert typed(kept) == "Voici."
    await submit(alice, f"/brouillons/{field(kept, 'brouillon')}", kept)
    (sent,) = outgoing(site)
    assert [one.get_filename() for one in sent.iter_attachments()] == ["bon.pdf"]


async def test_too_much_is_told_and_the_rest_is_kept(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    large = PDF[:-7] + b"0" * 20_000_000 + b"\n%%EOF\n"  # fits the port, not a message once in base64
    answer = await submit(
        alice,
        path,
        page,
        "joindre",
        texte="Voici.",
        files=[pdf("petit.pdf"), pdf("grand.pdf", large)],
        status=422,
    )
    assert "ne tient pas dans la place" in answer.text
    (draft,) = opened(site, "\\Drafts")
    assert [one.get_filename() for one in draft.iter_attachments()] == ["petit.pdf"]
    assert queued(site) == []


async def test_the_rules_speak_in_the_form(site: Site, alice: Browser) -> None:
    number = await arrived(site, sender=COLLEAGUE)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    await arrived(site, letter("[FIN]", "Au revoir.", sender=COLLEAGUE), sender=COLLEAGUE)
    closed = await alice.get(path, 403)
    assert "a mis fin à l" in closed
    kept = (await submit(alice, path, page, texte="Trop tard ?", status=422)).text
    assert "a mis fin à l" in kept
    assert typed(kept) == "Trop tard ?"
    assert queued(site) == []
    assert len(entries(site, "\\Drafts")) == 1


async def test_a_stranger_is_refused_whatever_the_form_says(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    domain = DOCTOR.address.partition("@")[2]
    for address, words in (
        (COLLEAGUE.address, "quand il vous aura écrit"),
        (CLEMENCE.address, "un autre usager"),
        ("quelquun@example.org", "espace de confiance"),
        (f"a b@{domain}", ""),
        (f"{DOCTOR.address}, {COLLEAGUE.address}", "quand il vous aura écrit"),
    ):
        kept = (await submit(alice, path, page, texte="Bonjour.", a=address, status=422)).text
        assert words in kept, address
        assert typed(kept) == "Bonjour."
    assert queued(site) == []


async def test_when_the_router_defers_the_text_is_kept(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    accept = site.router.accept

    async def later(*_: object) -> Verdict:
        return Verdict(action="defer", rule="mailbox.quota", code=452, enhanced="4.2.2", peer="full")

    async def fails(*_: object) -> Verdict:
        raise StoreError("store.disk", "the disk is full")

    async def breaks(*_: object) -> Verdict:
        raise RuntimeError

    for broken in (later, fails, breaks):
        site.router.accept = broken  # type: ignore[method-assign,assignment]  # what cannot be made to happen
        page = (await submit(alice, path, page, texte="Gardez-moi.", status=422)).text
        assert "est pas parti" in page
        assert typed(page) == "Gardez-moi."
    site.router.accept = accept  # type: ignore[method-assign]  # as above
    await submit(alice, path, page)
    assert len(queued(site)) == 1
    assert entries(site, "\\Drafts") == []


async def test_a_crash_after_the_acceptance_sends_nothing_twice(site: Site, alice: Browser) -> None:
    """The letter left and we died before its draft went: the draft knows it when it is opened."""
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    kept = await submit(alice, path, page, "enregistrer", texte="Une fois.")
    draft = kept.headers["location"]
    page = await alice.get(draft)
    write, ended = site.store.awrite, []

    async def dies(operation: Any, **values: Any) -> Any:
        if operation is end_sending:
            ended.append(values)
            raise StoreError("store.closed", "the process is gone")
        return await write(operation, **values)

    site.store.awrite = dies  # type: ignore[method-assign]  # the moment cannot be hit otherwise
    await submit(alice, draft, page)
    site.store.awrite = write  # type: ignore[method-assign]  # as above
    assert ended
    assert len(entries(site, "\\Drafts")) == len(queued(site)) == 1
    (left,) = entries(site, "\\Drafts")
    answer = await alice.client.get(f"/brouillons/{left.message_id}")
    assert answer.status_code == 303
    assert "déjà envoyé" in await alice.after(answer)
    assert entries(site, "\\Drafts") == []
    assert len(queued(site)) == len(entries(site, "\\Sent")) == 1
    await alice.get(draft, 404)


async def test_a_child_s_letter_tells_who_wrote_it(site: Site) -> None:
    parent = await site.signed_in(ALICE, space=NOE)
    number = await arrived(site, to=NOE)
    path = f"/messages/{number}/repondre"
    page = await parent.get(path)
    assert "Vous écrivez au nom de" in page
    own = await site.signed_in(ALICE)
    foreign = await own.client.post(path, data={**form_of(page), "faire": "envoyer", "texte": "x"})
    assert foreign.status_code == 403
    await own.get(path, 404)
    await submit(parent, path, page, texte="Noé va mieux.")
    (sent,) = outgoing(site, NOE)
    assert sent["From"].addresses[0].addr_spec == NOE.address
    (event,) = site.store.read(evidence.trace, sent["Message-ID"])
    assert f"patient:{ALICE.ins}" in event.detail
    assert entries(site, "\\Sent") == []
    assert len(entries(site, "\\Sent", NOE)) == 1


async def test_somebody_else_s_numbers_lead_nowhere(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    other = await site.signed_in(CLEMENCE)
    await other.get(f"/messages/{number}/repondre", 404)
    page = await alice.get(f"/messages/{number}/repondre")
    kept = await submit(alice, f"/messages/{number}/repondre", page, "enregistrer", texte="À moi.")
    await other.get(kept.headers["location"], 404)
    await other.get(f"{kept.headers['location']}/dossier", 404)
    await other.post(f"{kept.headers['location']}/supprimer", status=404)
    await other.post(f"/messages/{number}/accuse", {"reponse": "oui"}, status=404)


async def test_answers_to_notices_of_the_service_are_not_offered(site: Site, alice: Browser) -> None:
    raw = letter("Avis").replace(DOCTOR.address.encode(), site.router.policy.system_address.encode())
    message, _ = prepare(site.store, site.box(), raw)
    site.store.write(mail.append, box_id=site.box(), folder_id=mail.INBOX_ID, message=message)
    page = await alice.get(f"/messages/{message.message_id}/repondre", 403)
    assert "personne ne lirait" in page


async def test_what_another_operator_returns_is_told(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    page = await alice.get(f"/messages/{number}/repondre")
    await submit(alice, f"/messages/{number}/repondre", page, texte="Bonjour.")
    (entry,), (sent,) = entries(site, "\\Sent"), opened(site, "\\Sent")
    (task,) = site.store.read(tasks.pending, tasks.RELAY)
    (job,) = queued(site)
    taken = Outcome(result="sent", rule="relay.taken", status="2.0.0", reply="250 2.0.0 ok", dsn_offered=True)
    assert await Ledger(site.store, "mss.example").relayed(task, job, taken, None)
    path = f"/messages/{entry.message_id}"
    assert "Remis à la messagerie du destinataire." in await alice.get(path)
    for whose, who, action in (
        ("<another@letter.example>", DOCTOR.address, "failed"),
        (sent["Message-ID"], COLLEAGUE.address, "failed"),
        (sent["Message-ID"], DOCTOR.address, "delayed"),
    ):
        await site.deliver(bounce(whose, who, action))
        assert "Revenu" not in await alice.get(path), (whose, who, action)
    report = await arrived(site, bounce(sent["Message-ID"], DOCTOR.address, "failed"))
    page = await alice.get(path)
    assert "Revenu : le destinataire ne l'a pas reçu." in page
    assert f'href="/messages/{report}"' in page
    assert "Remis à la messagerie" not in page


def bounce(message_id: str, recipient: str, action: str) -> bytes:
    lines = [
        f"From: {DOCTOR.address}",
        f"To: {ALICE.address}",
        "Subject: Undelivered",
        f"Message-ID: <{action}.{len(recipient)}.{len(message_id)}@mx.example>",
        "Date: Sun, 22 Nov 2026 10:00:00 +0100",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        *("", "--b", "Content-Type: text/plain", "", "words", "--b"),
        *("Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example", ""),
        *(f"Final-Recipient: rfc822; {recipient}", f"Action: {action}", "Status: 5.2.2", "", "--b"),
        *("Content-Type: text/rfc822-headers", "", f"Message-ID:\r\n {message_id}", "--b--", ""),
    ]
    return "\r\n".join(lines).encode()


async def test_what_became_of_it_is_told(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    page = await alice.get(f"/messages/{number}/repondre")
    await submit(alice, f"/messages/{number}/repondre", page, texte="Bonjour.")
    (sent,) = opened(site, "\\Sent")
    told = site.store.read(state_of, sent["Message-ID"], ALICE.address, "fr")
    assert (told.state, told.kind) == ("waiting", "info")
    assert site.store.read(state_of, sent["Message-ID"], CLEMENCE.address, "fr").state == "unknown"
    assert told.text == "En cours d'envoi."
    (task,) = site.store.read(tasks.pending, tasks.RELAY)
    site.store.write(drop_relay, task_id=task.task_id)
    told = site.store.read(state_of, sent["Message-ID"], ALICE.address, "fr")
    assert (told.state, told.kind) == ("refused", "bad")
    assert "abandonné" in told.text
    assert "dropped" in site.store.read(state_of, sent["Message-ID"], ALICE.address, "en").text
