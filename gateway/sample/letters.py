"""What the sample's people wrote to each other, brought by the road of every message."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Final

from sqlalchemy import func, select, update

from gateway.message import Indexer
from gateway.routing import Envelope, Origin, Recipient, Router
from gateway.sample import files
from gateway.sample.people import (
    CAMILLE,
    DOCTOR,
    LABORATORY,
    LOUIS,
    NURSE,
    PHARMACY,
    PHYSIO,
    Patient,
    Professional,
)
from store import Store, Tx, mail, new_id, now_ms, operation
from store.schema import entry, message

_DAY: Final = 24 * 3_600_000
_HOUR: Final = 3_600_000


@dataclass(frozen=True)
class Letter:
    """``ago`` in ms; an answer goes the other way. ``ends``: no answer is wanted any more."""

    other: Professional
    subject: str
    text: str
    ago: int
    patient: Patient = CAMILLE
    answer: bool = False
    read: bool = True
    ends: bool = False
    html: str = ""
    attachments: tuple[tuple[str, str, bytes], ...] = field(default=())

    @property
    def raw(self) -> bytes:
        made = EmailMessage(policy=SMTP)
        theirs, hers = f'"{self.other.name}" <{self.other.address}>', self.patient.address
        made["From"], made["To"] = (hers, theirs) if self.answer else (theirs, hers)
        made["Subject"] = self.subject
        made["Date"] = format_datetime(datetime.fromtimestamp((now_ms() - self.ago) / 1000, UTC))
        made["Message-ID"] = make_msgid(domain="invite.test")
        if self.ends:
            made["X-MSS-MES"] = "FIN"
        made.set_content(self.text)
        if self.html:
            made.add_alternative(self.html, subtype="html")
        for name, media, content in self.attachments:
            main, _, sub = media.partition("/")
            made.add_attachment(content, maintype=main, subtype=sub, filename=name)
        return made.as_bytes()


def letters() -> list[Letter]:
    """All of them, oldest first."""
    return [
        Letter(
            PHYSIO,
            "Fin de vos séances",
            "Bonjour,\n\nvos dix séances sont terminées, et votre genou va bien. Continuez les exercices "
            "de la feuille jointe, dix minutes par jour.\n\nCet échange est terminé ; reprenez contact par "
            "votre médecin si la douleur revient.\n\nRose Essai",
            62 * _DAY,
            ends=True,
            attachments=(("exercices-genou.pdf", "application/pdf", files.pdf("Exercices pour le genou")),),
        ),
        Letter(
            DOCTOR,
            "Votre ordonnance renouvelée",
            "Bonjour Madame,\n\ncomme convenu, voici votre ordonnance renouvelée pour trois mois.\n\n"
            "Prenez votre tension le matin, assise, et notez-la dans vos mesures : je la regarderai à notre "
            "prochain rendez-vous.\n\nDr Hélène Modèle",
            20 * _DAY,
            attachments=(("ordonnance.pdf", "application/pdf", files.pdf("Ordonnance")),),
        ),
        Letter(
            DOCTOR,
            "Re: Votre ordonnance renouvelée",
            "Bonjour docteur,\n\nmerci. Faut-il que je sois à jeun pour la prise de sang ?\n\n"
            "Camille Specimen",
            19 * _DAY,
            answer=True,
        ),
        Letter(
            DOCTOR,
            "Re: Votre ordonnance renouvelée",
            "Oui, douze heures sans manger ; vous pouvez boire de l'eau.\n\nDr Hélène Modèle",
            18 * _DAY,
        ),
        Letter(
            PHARMACY,
            "Vos médicaments sont prêts",
            "Bonjour,\n\nvos médicaments sont prêts, vous pouvez passer quand vous voulez avant samedi "
            "19 h.\n\nLa pharmacie du Modèle",
            17 * _DAY,
        ),
        Letter(
            NURSE,
            "Vaccin contre la grippe",
            "Bonjour,\n\nje passe dans votre rue mardi matin : voulez-vous en profiter pour le vaccin "
            "contre la grippe ?\n\nAmine Fictif, infirmier",
            4 * _DAY,
            read=False,
            html="<p>Bonjour,</p><p>je passe dans votre rue <b>mardi matin</b> : voulez-vous en profiter "
            "pour le vaccin contre la grippe ?</p><p>Amine Fictif, <i>infirmier</i></p>",
        ),
        Letter(
            LABORATORY,
            "Vos résultats d'analyses",
            "Bonjour,\n\nvos résultats sont joints à ce message et déposés dans votre dossier.\n\n"
            "Le laboratoire",
            1 * _DAY,
            read=False,
            attachments=(("resultats.pdf", "application/pdf", files.pdf("Resultats d'analyses")),),
        ),
        Letter(
            DOCTOR,
            "Radiographie de votre poignet",
            "Bonjour Madame,\n\nla radiographie est rassurante : rien de cassé. Gardez l'attelle encore une "
            "semaine.\n\nDr Hélène Modèle",
            2 * _HOUR,
            read=False,
            attachments=(("poignet.png", "image/png", files.picture()),),
        ),
        Letter(
            DOCTOR,
            "Certificat pour le sport",
            "Bonjour,\n\nvoici le certificat de Louis pour le judo.\n\nDr Hélène Modèle",
            9 * _DAY,
            patient=LOUIS,
            read=False,
            attachments=(("certificat.pdf", "application/pdf", files.pdf("Certificat")),),
        ),
    ]


async def deliver_all(store: Store, router: Router) -> None:
    """Bring every letter, then have it look as old as it says."""
    for one in letters():
        await deliver(store, router, one)


async def deliver(store: Store, router: Router, letter: Letter) -> None:
    """One letter, through the rules; raises :class:`AssertionError` when they refuse the sample."""
    sender, to = letter.other.address, letter.patient.address
    if letter.answer:
        sender, to = to, sender
    box = await store.aread(mail.box_by_address, sender)
    assert box is not None
    indexer, spool, raw = Indexer(), store.spool(), letter.raw
    indexer.feed(raw)
    spool.write(raw)
    envelope = Envelope(
        mail_from=sender,
        recipients=[Recipient(address=to)],
        trace_id=f"{new_id():x}",
        received_at=now_ms() - letter.ago,
        protocol="",
    )
    origin = Origin(
        kind="patient" if letter.answer else "professional",
        box_id=box.box_id,
        address=sender,
        id_nat="" if letter.answer else letter.other.id_nat,
    )
    verdict = await router.accept(origin, envelope, spool, indexer.close(), spool.sha256)
    assert verdict.accepted, verdict
    for address in {sender, to}:
        whose = await store.aread(mail.box_by_address, address)
        assert whose is not None
        seen = letter.read or address == sender
        await store.awrite(age, box_id=whose.box_id, at=now_ms() - letter.ago, seen=seen)


@operation("sample.age")
def age(tx: Tx, *, box_id: int, at: int, seen: bool) -> None:
    """Have the newest message of a box look as if it had come at ``at`` (ms), and been read or not."""
    newest = tx.conn.scalar(select(func.max(message.c.message_id)).where(message.c.box_id == box_id))
    if newest is None:
        return
    place = entry.c.box_id == box_id, entry.c.message_id == newest
    tx.conn.execute(update(entry).where(*place).values(internal_date=at, flags=mail.SEEN if seen else 0))
    row = message.c.box_id == box_id, message.c.message_id == newest
    tx.conn.execute(update(message).where(*row).values(received_at=at))
