"""Every address with a number, asked with the numbers of somebody else's things: there is nothing there."""

from __future__ import annotations

import html
import re

from starlette.routing import Route

import agenda
import dossier
import patients
from agenda import Details
from dossier import measures
from dossier.measures import moments
from patients import signin
from store import mail
from tests.webmail.record_support import PDF, THE_COLLEAGUE, Record
from tests.webmail.test_web_calendar_sharing import invite
from tests.webmail.web_kit import ALICE, CLEMENCE, COLLEAGUE, NOE, Browser, Site, form_key, hide, letter
from tests.webmail.writing_kit import arrived, entries, submit
from webmail.guards import Gate

#: What a form with an address of its own would bring besides the key.
FORM = {"version": "1", "oui": "oui", "reponse": "oui", "faire": "enregistrer", "texte": "x", "objet": "x"}


async def things(site: Site, alice: Browser) -> dict[str, str]:
    """One of each kind of thing, of Alice's; numbers by the name that addresses have for them."""
    box, record = site.box(), Record(site)
    message = await arrived(site, letter(attachments=(("a.pdf", "application/pdf", PDF),)))
    path = f"/messages/{message}/repondre"
    await submit(alice, path, await alice.get(path), "enregistrer", texte="Merci")
    (draft,) = entries(site, "\\Drafts")
    await invite(site)
    (invited,) = site.store.read(agenda.invitations, site.store, box, record.me)
    quantity, when = measures.parse("weight", "70"), moments.parse("01/06/2020")
    noted = measures.add(site.store, box, record.me, quantity, when)
    details = Details(
        title="Dentiste", begin="2026-03-03T14:30:00", end="2026-03-03T15:00:00", zone="Europe/Paris"
    )
    feed, _ = agenda.open_feed(site.store, box, record.me, label="Téléphone", shows="busy")
    patients.add_app_password(site.store, box, "Téléphone")
    (password,) = site.store.read(patients.app_passwords, box)
    answer = await alice.post(
        "/sante/ajouter/maladies",
        {"label": "Asthme", "system": "", "code": ""},
        page="/sante/ajouter/maladies",
    )
    (key,) = set(re.findall(r"/messages/conversation/([\w-]+)", await alice.get("/messages")))
    site.store.write(mail.create_folder, box_id=box, name="Rangé")
    folder = next(one for one in site.store.read(mail.folders, box) if one.name == "Rangé")
    return {
        "message_id": str(message),
        "draft_id": str(draft.message_id),
        "document_id": str(record.deposit()),
        "invitation_id": str(invited.invitation_id),
        "measure_id": str(noted.measure_id),
        "appointment_id": str(agenda.add(site.store, box, record.me, details).appointment_id),
        "feed_id": str(feed.feed_id),
        "credential_id": str(password.credential_id),
        "item_id": answer.headers["location"].rpartition("/")[2],
        "session_id": str(site.store.read(signin.sessions_of, ALICE.ins)[0].session_id),
        "passkey_id": "1",
        "folder_id": str(folder.folder_id),
        "key": key,
        "path": "2",
        "kind": "poids",
        "number": "1",
    }


def state(site: Site) -> tuple[object, ...]:
    """What of Alice's a form could have changed."""
    box, record = site.box(), Record(site)
    return (
        [(one.name, one.highestmodseq) for one in site.store.read(mail.folders, box)],
        [(one.document_id, one.status) for one in record.seen()],
        site.store.read(agenda.feeds, site.store, box, record.me),
        site.store.read(patients.app_passwords, box),
        len(record.journal()),
        len(site.store.read(signin.sessions_of, ALICE.ins)),
    )


async def test_ids_of_another_box_are_nothing(site: Site, alice: Browser) -> None:
    known = await things(site, alice)
    clemence = await site.signed_in(CLEMENCE)
    mother = await site.signed_in(ALICE, space=NOE)
    before, asked, wrong = state(site), 0, []
    for who in (clemence, mother):
        key = form_key(await who.get("/aide"))
        for route in site.door.app.routes:
            assert isinstance(route, Route)
            names = set(re.findall(r"\{(\w+)", route.path))
            if (
                not names
                or not names <= known.keys()
                or not hasattr(route.endpoint, "gate")
                or names == {"kind"}
            ):
                continue
            address = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: known[found[1]], route.path)
            own = who is mother and re.search("/compte/(sessions|cles)", address)
            for method in (route.methods or set()) - {"HEAD"}:
                data = {"_cle": key, **FORM} if method == "POST" else None
                answer = await who.client.request(method, address, data=data)
                asked += 1
                if method == "POST" and re.fullmatch(r"/messages/\d+/repondre|/brouillons/\d+", address):
                    # What was typed is kept in his own drafts, as when the original went meanwhile.
                    assert re.fullmatch(r"/brouillons/\d+", answer.headers["location"])
                    continue
                if answer.status_code != (403 if own else 404):
                    wrong.append((method, address, answer.status_code, answer.headers.get("location")))
    assert asked > 100
    assert wrong == []
    assert state(site) == before


async def test_ids_of_another_box_in_forms_are_nothing(site: Site, alice: Browser) -> None:
    known = await things(site, alice)
    mine = await arrived(site, to=CLEMENCE)
    clemence = await site.signed_in(CLEMENCE)
    path = f"/messages/{mine}/repondre"
    page = await clemence.get(path)
    made = await submit(
        clemence,
        path,
        page,
        "enregistrer",
        texte="x",
        brouillon=known["draft_id"],
        original=known["message_id"],
    )
    where = made.headers["location"]
    assert "Merci" not in await clemence.get(where)
    chosen = await clemence.post(
        f"{where}/dossier", {"document": known["document_id"]}, page=where, status=422
    )
    assert "lettre" not in chosen.text
    before = state(site)
    for name, value in (("message", known["message_id"]), ("conversation", known["key"])):
        for verb in ("lu", "corbeille", "deplacer", "supprimer"):
            data = {name: value, "vers": "archives", "oui": "oui"}
            await clemence.post(f"/messages/{verb}", data, page="/messages", status=404)
    await clemence.post(
        "/messages/lu", {"message": [str(mine), known["message_id"]]}, page="/messages", status=404
    )
    data = {"message": str(mine), "vers": known["folder_id"]}
    await clemence.post("/messages/deplacer", data, page="/messages", status=404)
    await clemence.post("/profil", {"boite": str(site.box())}, page="/profils", status=404)
    await clemence.post("/profil", {"boite": str(site.box(NOE))}, page="/profils", status=404)
    assert state(site) == before


async def test_a_space_that_is_not_his_is_not_shown_whatever_the_cookie_says(site: Site) -> None:
    for box in (site.box(), site.box(NOE), 0, -1, 1 << 70):
        clemence = await site.signed_in(CLEMENCE)
        clemence.client.cookies.set("__Host-profil", str(box), domain="localhost.local", path="/")
        page = await clemence.get("/compte")
        assert site.profile(CLEMENCE).name in page
        assert site.profile(ALICE).name not in page


def test_every_kind_of_number_is_tried(site: Site) -> None:
    known = {
        "message_id", "draft_id", "document_id", "invitation_id", "measure_id", "appointment_id", "feed_id",
        "credential_id", "item_id", "session_id", "passkey_id", "folder_id", "number",
    }  # fmt: skip
    gates = [
        one
        for one in site.door.app.routes
        if isinstance(one, Route) and isinstance(getattr(one.endpoint, "gate", None), Gate)
    ]
    assert {name for one in gates for name in re.findall(r"\{(\w+):int", one.path)} == known


async def test_what_is_hidden_is_on_no_page_that_links_lead_to(site: Site) -> None:
    """A parent's walk through the child's space, and to filters and files that no link leads to."""
    child = Record(site, NOE, ALICE)
    child.letter(title="Vaccin")
    hidden = child.letter(
        PDF + b"%", THE_COLLEAGUE, codes=["INVISIBLE_REPRESENTANTS_LEGAUX"], title="Contraception"
    )
    dossier.read_document(child.store, child.box_id, hidden, THE_COLLEAGUE)
    await arrived(site, to=NOE)
    raw = letter(
        "Entre nous",
        "le mot caché",
        to=NOE,
        sender=COLLEAGUE,
        attachments=(("pilule.pdf", "application/pdf", PDF),),
    )
    secret = await arrived(site, raw, to=NOE, sender=COLLEAGUE)
    hide(site, secret)
    told = (
        "Contraception",
        "COLLEGUE",
        "Entre nous",
        "mot caché",
        "pilule",
        COLLEAGUE.address,
        str(hidden),
        str(secret),
    )
    mother = await site.signed_in(ALICE, space=NOE)
    waiting = [
        "/", "/messages/non-lus", "/historique.csv", "/historique.json", "/agenda/export/calendrier",
        "/mesures/fichier/exporter", "/messages?filtre=pieces", "/messages?filtre=non-lus", "/droits",
        "/documents?versions=toutes", "/messages/recherche?q=cach%C3%A9", "/ecrire", "/catalogue/accords",
    ]  # fmt: skip
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 70:
            continue
        seen.add(path)
        answer = await mother.client.get(path)
        for one in told:
            assert one not in answer.text, (path, one)
        if answer.headers.get("content-type", "").startswith("text/html"):
            links = re.findall(r'(?:href|src)="(/[^"#]*)', answer.text)
            waiting += [
                html.unescape(one)
                for one in links
                if not re.match(r"/(statique|agenda\?|agenda/(jour|semaine))", one)
            ]
    assert len(seen) > 50
