"""Alice's space with something of everything, made by the rooms as people make it; a little of Noé's."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import agenda
import catalogue
import dossier
from activity import Actor
from dossier import health, measures, rights
from dossier.measures import moments
from gateway.demo.letters import archive
from gateway.sample.files import pdf, picture
from store import Tx, mail, now_ms, operation
from tests.webmail.web_kit import ALICE, COLLEAGUE, DOCTOR, NOE, PHARMACY, Site, letter

_DAY_MS: Final = 24 * 3_600_000
_LISTS: Final = Path(catalogue.__file__).parent / "sample"
LONG: Final = "Bonjour,\n\n" + "Prenez votre traitement le matin, avec un grand verre d'eau. " * 40
MARKUP: Final = """<h1>Votre compte rendu</h1><p>Bonjour, voici <b>vos résultats</b>.</p>
<table border="1"><tr><th>Analyse</th><th>Valeur</th></tr><tr><td>Glycémie</td><td>0,95 g/L</td></tr></table>
<p><img src="https://ailleurs.test/pixel.gif" alt=""><a href="https://ailleurs.test/">Plus</a></p>"""


#: Which letters these are, in the order in which they come.
_ARCHIVE, _RESULTS = 2, 3


async def fill(site: Site) -> list[str]:
    """Fill the space of the site's Alice, who has an account; addresses of what has most to show."""
    await _letters(site)
    inbox = site.store.read(mail.entries, site.box(), mail.INBOX_ID)
    archive_letter, results = inbox[_ARCHIVE].message_id, inbox[_RESULTS].message_id
    own = await asyncio.to_thread(_record, site)
    await asyncio.to_thread(_agenda, site)
    await asyncio.to_thread(_catalogue, site)
    await asyncio.to_thread(site.store.write, tidy, box_id=site.box())
    answering = f"/messages/{results}/repondre"
    alice = await site.signed_in()
    written = {"objet": "Re: Vos résultats", "texte": "Merci, j'ai une question.", "faire": "enregistrer"}
    kept = await alice.post(answering, written, page=answering)
    draft = kept.headers["location"]
    seen = [f"/messages/{archive_letter}", f"/messages/{results}", f"/documents/{own}"]
    return [*seen, draft, f"{draft}/dossier", "/messages/recherche?q=resultats"]


def _alice() -> Actor:
    return Actor(by="patient", ident=ALICE.ins, name=f"{ALICE.given} {ALICE.birth_name}")


def _doctor() -> Actor:
    return Actor(by="professional", ident=DOCTOR.id_nat, name="Camille EXEMPLE", profession="10")


async def _letters(site: Site) -> None:
    report = ("compte-rendu.pdf", "application/pdf", pdf("Compte rendu"))
    several = (report, ("poignet.png", "image/png", picture()), ("notes.txt", "text/plain", b"Une note.\r\n"))
    zipped = (("IHE_XDM.ZIP", "application/zip", archive(ALICE, "Compte rendu")),)
    wanted = letter("À lire", "Dites-moi que vous avez lu.", Disposition_Notification_To=DOCTOR.address)
    ended = letter("[FIN]", "Cet échange est terminé.", sender=COLLEAGUE)
    for raw, sender in (
        (letter("Votre rendez-vous", "À jeudi, 10 h."), DOCTOR),
        (letter("Un avis", "Je vous propose d'en parler avec votre médecin.", sender=COLLEAGUE), COLLEAGUE),
        (letter("XDM/1.0/DDM+compte-rendu", "Voici votre compte rendu.", attachments=zipped), DOCTOR),
        (letter("Vos résultats", LONG, html=MARKUP, attachments=several), DOCTOR),
        (letter("Votre commande", "Vos médicaments sont prêts.", sender=PHARMACY), PHARMACY),
        (wanted, DOCTOR),
        (letter("", "Sans objet."), DOCTOR),
        (letter("À jeter", "Une annonce sans intérêt."), DOCTOR),
        (ended, COLLEAGUE),
    ):
        await site.deliver(raw, sender=sender)
    await site.deliver(letter("Certificat", "Pour le judo.", to=NOE, attachments=(report,)), to=NOE)
    await site.file_all()


@operation("test.tidy")
def tidy(tx: Tx, *, box_id: int) -> None:
    """The first message was read, the last but one thrown away."""
    inbox = mail.entries(tx.conn, box_id, mail.INBOX_ID)
    trash = mail.special_folder(tx.conn, box_id, "\\Trash")
    assert trash is not None
    mail.change_flags(
        tx, box_id=box_id, folder_id=mail.INBOX_ID, uids=[inbox[0].uid], mode="add", flags=mail.SEEN
    )
    mail.move(tx, box_id=box_id, folder_id=mail.INBOX_ID, uids=[inbox[-2].uid], target_id=trash.folder_id)


def _record(site: Site) -> int:
    """Documents, profile, measures; the id of a document that she filed herself."""
    store, box_id, now = site.store, site.box(), now_ms() // 1000 * 1000
    doctor, alice = _doctor(), _alice()
    for title, kind, ago in (
        ("Ordonnance", "57833-6", 20),
        ("Compte rendu de consultation", "11488-4", 48),
        ("Résultats d'analyses", "11502-2", 1),
    ):
        dossier.deposit(
            store,
            box_id,
            doctor,
            content=pdf(title),
            filename=f"{title}.pdf",
            title=title,
            type_code=kind,
            date=now - ago * _DAY_MS,
        )
    for title, content in (("Radiographie", picture()), ("Note à moi-même", b"Penser au rappel.\n")):
        filed = dossier.deposit(
            store,
            box_id,
            alice,
            content=content,
            filename=f"{title}.{'png' if title == 'Radiographie' else 'txt'}",
            title=title,
            category="Radio, écho, scanner, IRM",
            date=now - 2 * _DAY_MS,
        )
    rights.authorise(store, box_id, alice, DOCTOR.id_nat)
    rights.block(store, box_id, alice, COLLEAGUE.id_nat)
    year = date.today().year  # noqa: DTZ011  # a year is enough
    for item in (
        health.Illness(label="Hypertension artérielle", begin=health.PartialDate(2021), chronic=True),
        health.Treatment(label="Amlodipine", dose=health.Dose(Decimal(5), "mg"), rhythm="le matin"),
        health.Allergy(substance="Pénicilline", reaction="plaques rouges", severity="moderate"),
        health.Vaccination(vaccine="Grippe", diseases=["grippe"], date=health.PartialDate(year - 1, 11)),
        health.NoneKnown(of="family"),
    ):
        health.put(store, box_id, alice, item)
    for days, weight, pressure in ((3, "71,4", "14/9"), (30, "70,6", "13,5/8,5"), (60, "69,2", "12,6/7,9")):
        moment = moments.on_day(datetime.now(ZoneInfo("Europe/Paris")).date() - timedelta(days=days))
        measures.add(store, box_id, alice, measures.parse("weight", weight), moment)
        measures.add(store, box_id, alice, measures.parse("blood_pressure", pressure), moment)
    return filed.document_id


def _agenda(site: Site) -> None:
    today = datetime.now(ZoneInfo("Europe/Paris")).date()

    def at(days: int, clock: str) -> str:
        return f"{(today + timedelta(days=days)).isoformat()}T{clock}:00"

    whom = agenda.Professional(id_nat=DOCTOR.id_nat, name="Camille EXEMPLE")
    for details in (
        agenda.Details(
            title="Consultation",
            begin=at(6, "10:30"),
            end=at(6, "11:00"),
            place="Hôpital Exemple",
            professional=whom,
            reminders=[24 * 60],
        ),
        agenda.Details(
            title="Tension", begin=at(1, "08:00"), end=at(1, "08:10"), rule="FREQ=WEEKLY;COUNT=12"
        ),
    ):
        agenda.add(site.store, site.box(), _alice(), details)


def _catalogue(site: Site) -> None:
    catalogue.import_list(site.store, _LISTS / "criteria.csv", "criteria", actor="test")
    catalogue.import_list(site.store, _LISTS / "services.csv", "services", actor="test")
