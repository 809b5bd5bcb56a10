"""The mailbox's pages: conversations by professional, folders, what is done to letters and undone again."""

from __future__ import annotations

import re

from gateway.demo import cast
from store import mail
from store.mail import SEEN, Entry
from tests.webmail.web_kit import ALICE, CLEMENCE, COLLEAGUE, NOE, PHARMACY, Browser, Site, hide, letter


def conversations(page: str) -> list[str]:
    """Paths of the conversations that a page lists, in order."""
    return re.findall(r'class="row[^"]*" href="(/messages/conversation/[^"?]+)"', page)


def messages(page: str) -> list[str]:
    """Ids of the messages that a page lists, in order."""
    return re.findall(r'name="message" value="(\d+)"', page)


def titles(page: str) -> list[str]:
    return re.findall(r'<span class="title">([^<]+?)\s*<', page)


def undoing(page: str) -> str:
    """Where the button « Annuler » of a page posts to."""
    found = re.search(r'action="(/messages/annuler[^"]+)"', page)
    assert found, page[:3000]
    return found[1].replace("&amp;", "&")


def entries(site: Site, use: str, who: cast.Patient = ALICE) -> list[Entry]:
    """What a folder holds, as a mail program sees it."""
    box_id = site.box(who)
    with_use = [one for one in site.store.read(mail.folders, box_id) if one.special_use == use]
    folder = next(one for one in with_use if use or one.name == "INBOX")
    return site.store.read(mail.entries, box_id, folder.folder_id)


async def test_nothing_yet_is_said_kindly(site: Site, alice: Browser) -> None:
    page = await alice.get("/messages")
    assert "Pas encore de message" in page
    assert "/pharmacies" in page


async def test_letters_are_grouped_by_professional_newest_first(site: Site, alice: Browser) -> None:
    await site.deliver(letter("Premier"))
    await site.deliver(letter("Résultats", sender=COLLEAGUE), sender=COLLEAGUE)
    await site.deliver(letter("Second"))
    await site.deliver(letter("Ordonnance", sender=PHARMACY), sender=PHARMACY)
    page = await alice.get("/messages")
    assert titles(page) == ["PHARMACIE EXEMPLE", "Dr Camille EXEMPLE", "Dr Jean COLLEGUE"]
    assert "Médecin" in page
    assert "Second" in page
    assert "Premier" not in page  # the newest subject stands for a conversation
    assert "@" not in page.partition("<main")[2].partition("</main")[0]
    found = await alice.get(conversations(page)[1])
    assert len(messages(found)) == 2
    assert found.index("Second") < found.index("Premier")
    assert "Vérifié dans l" in found
    assert "HOPITAL EXEMPLE" in found


async def test_addresses_of_conversations_tell_nothing(site: Site, alice: Browser) -> None:
    await site.deliver(letter())
    (path,) = conversations(await alice.get("/messages"))
    key = path.rpartition("/")[2]
    assert cast.DOCTOR.id_nat not in path
    assert re.fullmatch(r"[A-Za-z0-9_-]{20}", key)
    await site.deliver(letter(to=CLEMENCE), to=CLEMENCE)
    clemence = await site.signed_in(CLEMENCE)
    (other,) = conversations(await clemence.get("/messages"))
    assert other != path  # keyed by the box
    await clemence.get(path, 404)


async def test_filters_and_unread_marks(site: Site, alice: Browser) -> None:
    await site.deliver(letter("Sans rien"))
    attached = (("analyses.pdf", "application/pdf", b"%PDF-1.4"),)
    await site.deliver(letter("Analyses", sender=COLLEAGUE, attachments=attached), sender=COLLEAGUE)
    assert titles(await alice.get("/messages?filtre=pieces")) == ["Dr Jean COLLEGUE"]
    (message,) = messages(await alice.get(conversations(await alice.get("/messages?filtre=pieces"))[0]))
    answer = await alice.post(f"/messages/{message}/lu", page="/messages")
    assert "1 message marqué comme lu" in await alice.after(answer)
    assert titles(await alice.get("/messages?filtre=non-lus")) == ["Dr Camille EXEMPLE"]
    await alice.get("/messages?filtre=autre", 404)
    await alice.get("/messages?dossier=autre", 404)


async def test_what_is_read_here_is_read_everywhere_and_undone(site: Site, alice: Browser) -> None:
    await site.deliver(letter())
    (message,) = messages(await alice.get("/messages?dossier=reception"))
    said = await alice.after(await alice.post("/messages/lu", {"message": message}, page="/messages"))
    assert [one.flags for one in entries(site, "")] == [SEEN]
    undone = await alice.post(undoing(said), page="/messages")
    assert "comme avant" in await alice.after(undone)
    assert [one.flags for one in entries(site, "")] == [0]


async def test_the_bin_and_back(site: Site, alice: Browser) -> None:
    await site.deliver(letter("À jeter"))
    await site.deliver(letter("À garder", sender=COLLEAGUE), sender=COLLEAGUE)
    one = conversations(await alice.get("/messages"))[1].rpartition("/")[2]
    answer = await alice.post("/messages/corbeille", {"conversation": one}, page="/messages")
    said = await alice.after(answer)
    assert "1 message mis à la corbeille" in said
    assert titles(said) == ["Dr Jean COLLEGUE"]
    assert len(entries(site, "\\Trash")) == 1
    await alice.post(undoing(said), page="/messages")
    assert len(entries(site, "")) == 2
    assert entries(site, "\\Trash") == []
    # and once more, to restore it from the bin's own page
    await alice.post("/messages/corbeille", {"conversation": one}, page="/messages")
    (thrown,) = messages(await alice.get("/messages?dossier=corbeille"))
    await alice.post("/messages/restaurer", {"message": thrown}, page="/messages?dossier=corbeille")
    assert len(entries(site, "")) == 2


async def test_restoring_takes_a_mark_for_removal_off(site: Site, alice: Browser) -> None:
    await site.deliver(letter())
    (message,) = messages(await alice.get("/messages?dossier=reception"))
    await alice.post(f"/messages/{message}/corbeille", page="/messages")
    (entry,) = entries(site, "\\Trash")
    bin_id = site.store.read(mail.special_folder, site.box(), "\\Trash")
    assert bin_id is not None
    site.store.write(
        mail.change_flags,
        box_id=site.box(),
        folder_id=bin_id.folder_id,
        uids=[entry.uid],
        mode="add",
        flags=mail.DELETED,
    )
    await alice.post(f"/messages/{message}/restaurer", page="/messages")
    (back,) = entries(site, "")
    assert not back.flags & mail.DELETED


async def test_for_good_only_out_of_the_bin_and_asked_twice(site: Site, alice: Browser) -> None:
    await site.deliver(letter("Adieu"))
    (message,) = messages(await alice.get("/messages?dossier=reception"))
    await alice.post("/messages/supprimer", {"message": message, "oui": "oui"}, page="/messages", status=422)
    assert len(entries(site, "")) == 1
    await alice.post(f"/messages/{message}/corbeille", page="/messages")
    asked = await alice.post("/messages/supprimer", {"message": message}, page="/messages", status=200)
    assert "Supprimer pour toujours" in asked.text
    assert len(entries(site, "\\Trash")) == 1
    await alice.post("/messages/supprimer", {"message": message, "oui": "oui"}, page="/messages")
    assert entries(site, "\\Trash") == []
    await alice.post(f"/messages/{message}/lu", page="/messages", status=404)


async def test_emptying_the_bin_leaves_what_came_since(site: Site, alice: Browser) -> None:
    await site.deliver(letter("Un"))
    await site.deliver(letter("Deux"))
    second, first = messages(await alice.get("/messages?dossier=reception"))
    assert "déjà vide" in await alice.after(await alice.client.get("/messages/corbeille/vider"))
    await alice.post(f"/messages/{first}/corbeille", page="/messages")
    page = await alice.get("/messages/corbeille/vider")
    until = re.search(r'name="jusqua" value="(\d+)"', page)
    assert until
    await alice.post(f"/messages/{second}/corbeille", page="/messages")
    await alice.post("/messages/corbeille/vider", {"jusqua": until[1]}, page="/messages")
    assert [str(one.message_id) for one in entries(site, "\\Trash")] == [second]


async def test_archived_conversations_leave_the_list_until_something_comes(
    site: Site, alice: Browser
) -> None:
    await site.deliver(letter("Ancien"))
    (path,) = conversations(await alice.get("/messages"))
    await alice.post("/messages/archiver", {"conversation": path.rpartition("/")[2]}, page="/messages")
    assert conversations(await alice.get("/messages")) == []
    assert "Archives" in await alice.get(path)
    await site.deliver(letter("Nouveau"))
    assert conversations(await alice.get("/messages")) == [path]
    assert len(messages(await alice.get(path))) == 2


async def test_own_folders(site: Site, alice: Browser) -> None:
    await site.deliver(letter())
    (message,) = messages(await alice.get("/messages?dossier=reception"))
    refused = await alice.post("/messages/dossiers", {"nom": "a/b"}, page="/messages/dossiers", status=422)
    assert "barre oblique" in refused.text
    assert 'value="a/b"' in refused.text
    await alice.post("/messages/dossiers", {"nom": "Labo <b>"}, page="/messages/dossiers")
    again = await alice.post("/messages/dossiers", {"nom": "Labo <b>"}, page="/messages/dossiers", status=422)
    assert "porte déjà ce nom" in again.text
    page = await alice.get("/messages/dossiers")
    assert "Labo &lt;b&gt;" in page
    own = re.findall(r"/messages/dossiers/(\d+)/renommer", page)
    assert len(own) == 1
    await alice.post(f"/messages/dossiers/{own[0]}/renommer", {"nom": "Labo"}, page="/messages/dossiers")
    moved = await alice.post(f"/messages/{message}/deplacer", {"vers": own[0]}, page="/messages")
    assert "1 message déplacé" in await alice.after(moved)
    assert messages(await alice.get(f"/messages?dossier={own[0]}")) == [message]
    await alice.post(f"/messages/dossiers/{own[0]}/supprimer", page="/messages/dossiers")
    assert messages(await alice.get("/messages?dossier=corbeille")) == [message]
    for standard in ("1", "3", "0"):
        await alice.post(f"/messages/dossiers/{standard}/supprimer", page="/messages", status=404)


async def test_letters_of_others_are_not_there(site: Site, alice: Browser) -> None:
    await site.deliver(letter("Pour Alice"))
    await site.deliver(letter("Pour Clémence", to=CLEMENCE), to=CLEMENCE)
    clemence = await site.signed_in(CLEMENCE)
    (hers,) = messages(await clemence.get("/messages?dossier=reception"))
    (mine,) = messages(await alice.get("/messages?dossier=reception"))
    for what in ("lu", "non-lu", "corbeille", "archiver", "deplacer", "restaurer", "supprimer"):
        await alice.post(f"/messages/{hers}/{what}", {"vers": "archives"}, page="/messages", status=404)
        both = {"message": [mine, hers], "vers": "archives"}
        await alice.post(f"/messages/{what}", both, page="/messages", status=404)
    assert [one.flags for one in entries(site, "")] == [0]  # nothing was done to hers either
    assert [one.flags for one in entries(site, "", CLEMENCE)] == [0]


async def test_undoing_is_bounded_and_of_this_box(site: Site, alice: Browser) -> None:
    await site.deliver(letter())
    for bad in ("quoi=autre&ou=1-2-3", "quoi=lu&ou=", "quoi=lu&ou=1-2", "quoi=place&ou=1-x-2"):
        await alice.post(f"/messages/annuler?{bad}", page="/messages", status=404)
    await alice.post("/messages/annuler?quoi=place&ou=1-3-0", page="/messages", status=404)  # the outbox
    answer = await alice.post("/messages/annuler?quoi=lu&ou=1-999999-0", page="/messages")
    assert "plus rien à annuler" in await alice.after(answer)


async def test_what_is_hidden_is_nowhere_for_a_representative(site: Site) -> None:
    await site.deliver(letter("Pour tous", to=NOE), to=NOE)
    hidden = letter("Entre nous", "le mot caché", sender=COLLEAGUE, to=NOE)
    await site.deliver(hidden, to=NOE, sender=COLLEAGUE)
    parent = await site.signed_in(ALICE, space=NOE)
    page = await parent.get("/messages")
    path = conversations(page)[0]
    assert "Entre nous" in page
    secret = messages(await parent.get("/messages?dossier=reception"))[0]
    hide(site, int(secret), cast.DOCTOR.id_nat)  # the shelf is warm already: what is hidden is asked anew
    page = await parent.get("/messages")
    assert "Entre nous" not in page
    assert "COLLEGUE" not in page
    assert 'id="non-lus" class="count">1<' in page
    await parent.get(path, 404)
    assert messages(await parent.get("/messages?dossier=reception")) != [secret]
    for q in ("entre nous", "mot caché", "collegue"):
        found = await parent.get(f"/messages/recherche?q={q}")
        assert secret not in found
        assert "COLLEGUE" not in found
    await parent.post(f"/messages/{secret}/corbeille", page="/messages", status=404)
    await parent.post("/messages/lu", {"message": secret}, page="/messages", status=404)


async def test_deleting_a_folder_spares_what_is_hidden_in_it(site: Site) -> None:
    await site.deliver(letter("Caché", to=NOE), to=NOE)
    parent = await site.signed_in(ALICE, space=NOE)
    (secret,) = messages(await parent.get("/messages?dossier=reception"))
    await parent.post("/messages/dossiers", {"nom": "Rangé"}, page="/messages/dossiers")
    (own,) = re.findall(r"/messages/dossiers/(\d+)/renommer", await parent.get("/messages/dossiers"))
    await parent.post(f"/messages/{secret}/deplacer", {"vers": own}, page="/messages")
    hide(site, int(secret), cast.DOCTOR.id_nat)
    await parent.post(f"/messages/dossiers/{own}/supprimer", page="/messages/dossiers")
    assert [one.message_id for one in entries(site, "\\Trash", NOE)] == [int(secret)]
    answer = await parent.client.get("/messages/corbeille/vider")
    assert answer.status_code == 303  # for the parent there is nothing to remove
