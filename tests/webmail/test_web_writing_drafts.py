"""Drafts are messages of the folder of drafts: one for each letter, whoever keeps it."""

from __future__ import annotations

import asyncio

import activity
from gateway.routing import prepare
from store import mail
from tests.webmail.web_kit import ALICE, NOE, Browser, Site, letter
from tests.webmail.writing_kit import (
    PDF,
    arrived,
    entries,
    field,
    opened,
    outgoing,
    pdf,
    queued,
    submit,
    typed,
)


async def test_a_draft_is_kept_with_its_flags_and_gone_on_with(site: Site, alice: Browser) -> None:
    number = await arrived(site, subject="Bilan")
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    kept = await submit(alice, path, page, "enregistrer", texte="Début", citer="oui", files=[pdf()])
    where = kept.headers["location"]
    (entry,) = entries(site, "\\Drafts")
    assert where == f"/brouillons/{entry.message_id}"
    assert entry.flags == mail.DRAFT | mail.SEEN
    (message,) = opened(site, "\\Drafts")
    assert message["Subject"] == "Re: Bilan"
    assert message.get_body().get_content().strip() == "Début"  # type: ignore[union-attr]  # it has one
    page = await alice.get(where)
    assert typed(page) == "Début"
    assert "bilan.pdf" in page
    assert 'value="oui" checked' in page
    assert (await alice.client.get(path)).headers["location"] == where
    again = await submit(alice, where, page, "enregistrer", texte="Début, suite")
    assert len(entries(site, "\\Drafts")) == 1
    page = await alice.get(again.headers["location"])
    await submit(alice, again.headers["location"], page)
    assert entries(site, "\\Drafts") == []
    (sent,) = outgoing(site)
    assert "X-Passerelle-Brouillon" not in sent
    assert [one.get_content() for one in sent.iter_attachments()] == [PDF]


async def test_the_script_keeps_what_is_typed_in_one_draft(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    empty = await submit(alice, path, page, "auto", status=200, fragment=True)
    assert "data-draft" not in empty.text
    assert entries(site, "\\Drafts") == []
    for text in ("B", "Bo", "Bonjour"):
        told = await submit(alice, path, page, "auto", status=200, fragment=True, texte=text)
        assert "Brouillon enregistré" in told.text
    await asyncio.gather(
        *(submit(alice, path, page, "auto", status=200, fragment=True, texte="Bonjour !") for _ in range(4))
    )
    await submit(alice, path, page, "auto", status=200, fragment=True, texte="Bonjour à tous")
    assert len(entries(site, "\\Drafts")) == 1
    (message,) = opened(site, "\\Drafts")
    assert message.get_content().strip() == "Bonjour à tous"


async def test_nothing_is_kept_of_a_letter_that_left(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    await submit(alice, path, page, texte="Parti.")
    late = await submit(alice, path, page, "auto", status=200, fragment=True, texte="Par")
    assert "data-draft" in late.text or entries(site, "\\Drafts") == []
    assert entries(site, "\\Drafts") == []


async def test_files_come_up_one_after_the_other_and_go(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    piece = await submit(
        alice, path, page, "joindre", status=200, fragment=True, files=[pdf("un.pdf")], texte="Texte"
    )
    assert "un.pdf" in piece.text
    assert "<html" not in piece.text
    draft = field(piece.text, "brouillon")
    there = f"/brouillons/{draft}"
    page = await alice.get(there)
    more = await submit(alice, there, page, "joindre", files=[pdf("deux.pdf", PDF + b"\n%%EOF\n")])
    page = await alice.get(more.headers["location"])
    assert typed(page) == "Texte"
    gone = await submit(alice, there, page, f"retirer:0-{len(PDF)}")
    page = await alice.get(gone.headers["location"])
    assert "un.pdf" not in page
    assert "deux.pdf" in page
    assert len(entries(site, "\\Drafts")) == 1


async def test_a_draft_is_thrown_away_and_taken_back(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    where = (await submit(alice, path, page, "enregistrer", texte="Peut-être")).headers["location"]
    gone = await alice.post(f"{where}/supprimer", page=where)
    assert entries(site, "\\Drafts") == []
    told = await alice.after(gone)
    assert f"{where}/reprendre" in told
    await alice.get(where, 404)
    await alice.post(f"{where}/reprendre")
    assert typed(await alice.get(where)) == "Peut-être"
    await alice.post(f"/brouillons/{number}/supprimer", status=404)  # a letter that was received is no draft


async def test_a_draft_of_another_mail_client_is_gone_on_with(site: Site, alice: Browser) -> None:
    raw = letter("Ma question", "", html="<p>Bonjour&nbsp;Docteur</p><p>Deux<br>lignes</p>")
    message, _ = prepare(site.store, site.box(), raw.replace(ALICE.address.encode(), b"x@y.example", 1))
    folder = site.store.read(mail.special_folder, site.box(), "\\Drafts")
    assert folder is not None
    site.store.write(
        mail.append, box_id=site.box(), folder_id=folder.folder_id, message=message, flags=mail.DRAFT
    )
    where = f"/brouillons/{message.message_id}"
    page = await alice.get(where)
    assert field(page, "objet") == "Ma question"
    kept = await submit(alice, where, page, "enregistrer", texte="Autre")
    assert len(entries(site, "\\Drafts")) == 1
    assert kept.headers["location"] != where


async def test_a_child_s_draft_stays_in_his_space(site: Site, alice: Browser) -> None:
    parent = await site.signed_in(ALICE, space=NOE)
    number = await arrived(site, to=NOE)
    path = f"/messages/{number}/repondre"
    where = (await submit(parent, path, await parent.get(path), "enregistrer", texte="Noé")).headers[
        "location"
    ]
    assert entries(site, "\\Drafts") == []
    assert len(entries(site, "\\Drafts", NOE)) == 1
    await alice.get(where, 404)
    assert typed(await parent.get(where)) == "Noé"


async def test_documents_of_the_dossier_go_along_and_are_told_to_the_journal(
    site: Site, alice: Browser
) -> None:
    number = await arrived(site, attachments=(("Bilan.pdf", "application/pdf", PDF),))
    await site.file_all()
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    chosen = await submit(alice, path, page, "dossier", texte="Voici le bilan.")
    where = chosen.headers["location"]
    assert where.endswith("/dossier")
    listed = await alice.get(where)
    document = field(listed.replace('id="f-document', 'x="'), "document")
    done = await alice.post(where, {"document": [document, "999999"]}, page=where, status=422)
    assert "plus lisible" in done.text
    (draft,) = entries(site, "\\Drafts")
    page = await alice.get(f"/brouillons/{draft.message_id}")
    assert typed(page) == "Voici le bilan."
    await submit(alice, f"/brouillons/{draft.message_id}", page)
    (sent,) = outgoing(site)
    (attached,) = sent.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content() == PDF
    told = site.store.read(activity.entries, site.store, site.box())
    assert {"documents_listed", "document_read"} <= {one.what for one in told}


async def test_a_draft_whose_files_are_gone_is_not_sent_without_them(site: Site, alice: Browser) -> None:
    number = await arrived(site)
    path = f"/messages/{number}/repondre"
    page = await alice.get(path)
    where = (await submit(alice, path, page, "enregistrer", texte="Avec", files=[pdf()])).headers["location"]
    page = await alice.get(where)
    (entry,) = entries(site, "\\Drafts")
    folder = site.store.read(mail.special_folder, site.box(), "\\Drafts")
    assert folder is not None
    place = {"box_id": site.box(), "folder_id": folder.folder_id, "uids": [entry.uid]}
    site.store.write(mail.change_flags, **place, mode="add", flags=mail.DELETED)  # type: ignore[arg-type]  # as above
    site.store.write(mail.expunge, **place)  # type: ignore[arg-type]  # as above
    kept = await submit(alice, where, page, status=422)
    assert "joignez-les à nouveau" in kept.text.replace("&#39;", "'")
    assert queued(site) == []
