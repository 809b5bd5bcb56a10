"""What the rules say, in English for the peer, the log and the trace, and in French for the patient.

One source: the rules take their English from here wherever a patient can meet the check, the webmail takes
the French of the same outcome. English is ASCII (it goes into SMTP replies); ``{day}`` stands for a day.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from annuaire import day as day_of

_PARIS: Final = ZoneInfo("Europe/Paris")
_MONTHS: Final = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)


class Words(msgspec.Struct, frozen=True):
    """One outcome of a check, in both languages."""

    en: str
    fr: str


#: What is said when a check holds.
HELD: Final[dict[str, Words]] = {
    "sender.signed_in": Words("the sender has signed in", "Vous êtes connecté."),
    "sender.identity": Words(
        "the proven identity owns the sender address", "L'adresse d'expédition est bien la vôtre."
    ),
    "sender.suspended": Words("the sender's space is not suspended", "Votre espace n'est pas suspendu."),
    "sender.closed": Words("the sender's mailbox is open", "Votre messagerie est ouverte."),
    "patient.acting": Words(
        "who signed in represents the patient", "Vous pouvez écrire au nom de cette personne."
    ),
    "patient.to_patient": Words(
        "the recipient is not a patient", "Le destinataire n'est pas un autre usager."
    ),
    "patient.outside": Words(
        "the recipient is in the trust space", "Le destinataire fait partie de l'espace de confiance."
    ),
    "reply.box_gone": Words(
        "the annuaire no longer publishes this mailbox since {day}: the message may come back",
        "L'annuaire ne publie plus cette messagerie depuis le {day} : votre message pourrait ne pas arriver. "
        "Vous en seriez averti.",
    ),
    "reply.contacted": Words(
        "this professional wrote to the patient", "Ce professionnel vous a écrit : vous pouvez lui écrire."
    ),
    "reply.pharmacy": Words(
        "a pharmacy may be written to first", "Vous pouvez écrire à une pharmacie sans attendre son message."
    ),
    "recipient.quota": Words("the mailbox has room", "La messagerie du destinataire a de la place."),
    "recipient.open": Words("the mailbox is open", "La messagerie du destinataire est ouverte."),
    "message.size": Words("the message is within the size limit", "La taille de votre message convient."),
    "message.signature": Words(
        "the signature does not forbid delivery", "La signature de votre message ne s'oppose pas à l'envoi."
    ),
    "message.accepted": Words("accepted", "Votre message est pris en charge."),
    "relay.taken": Words(
        "the other server took the message", "Votre message a été remis à la messagerie du destinataire."
    ),
}

_LATER: Final = "Réessayez un peu plus tard."
_NOT_SENT: Final = "Votre message n'a pas été envoyé."

#: What is said when it fails.
FAILED: Final[dict[str, Words]] = {
    "sender.tls": Words("STARTTLS is required first", "La connexion doit être chiffrée."),
    "sender.signed_in": Words("sign in first", "Connectez-vous d'abord."),
    "sender.identity": Words(
        "the proven identity does not own the sender address",
        f"L'adresse d'expédition n'est pas la vôtre. {_NOT_SENT}",
    ),
    "sender.suspended": Words(
        "the sender's space is suspended, try again later",
        f"Votre espace est suspendu pour le moment. {_NOT_SENT}",
    ),
    "sender.closed": Words("the sender's mailbox is closed", f"Votre messagerie est fermée. {_NOT_SENT}"),
    "sender.unknown": Words("no patient has the sender address", "Aucun usager n'a cette adresse."),
    "patient.acting": Words(
        "who signed in does not represent the patient any more",
        "Vous ne pouvez pas, ou plus, écrire au nom de cette personne.",
    ),
    "patient.to_patient": Words(
        "patients cannot write to each other",
        "La messagerie ne permet pas d'écrire à un autre usager.",
    ),
    "patient.outside": Words(
        "patients can only write within the trust space",
        "Cette adresse n'appartient pas à l'espace de confiance des professionnels de santé : "
        "vous ne pouvez pas lui écrire d'ici.",
    ),
    "reply.domain_gone": Words(
        "the operator of this professional has left the trust space",
        "La messagerie de ce professionnel ne fait plus partie de l'espace de confiance : "
        "vous ne pouvez plus lui écrire à cette adresse. Joignez-le autrement.",
    ),
    "reply.never_contacted": Words(
        "this professional has not written to the patient first",
        "Vous pourrez écrire à ce professionnel quand il vous aura écrit le premier.",
    ),
    "reply.other_mailbox": Words(
        "this professional wrote from another mailbox: only the one that wrote may be answered",
        "Ce professionnel vous a écrit depuis une autre messagerie : répondez à celle-ci, ou attendez "
        "qu'il vous écrive depuis la nouvelle.",
    ),
    "reply.ended": Words(
        "this professional has ended the exchange",
        "Ce professionnel a mis fin à l'échange : vous pourrez lui répondre quand il vous écrira de nouveau.",
    ),
    "reply.not_practising": Words(
        "this professional no longer practises since {day}, as the annuaire says",
        "D'après l'annuaire, ce professionnel n'exerce plus depuis le {day} : votre message ne lui est pas "
        "envoyé. Adressez-vous à un autre professionnel.",
    ),
    "reply.holder_changed": Words(
        "this mailbox has passed to another holder since it wrote to the patient",
        "Cette messagerie a changé de titulaire depuis qu'elle vous a écrit : "
        "attendez que son nouveau titulaire vous écrive.",
    ),
    "reply.pharmacy": Words(
        "no dispensation by this pharmacy is on record within a year",
        "Vous pouvez écrire le premier aux pharmacies qui vous ont délivré un médicament depuis moins d'un "
        "an ; celle-ci n'en fait pas partie.",
    ),
    "recipient.unknown": Words("no such mailbox here", "Cette messagerie n'existe pas."),
    "recipient.closed": Words("this mailbox is closed", "Cette messagerie est fermée."),
    "recipient.quota": Words("the mailbox is full", f"La messagerie du destinataire est pleine. {_LATER}"),
    "mailbox.unknown": Words("no such mailbox", "Cette messagerie n'existe pas."),
    "mailbox.closed": Words("the mailbox is closed", "Cette messagerie vient d'être fermée."),
    "mailbox.quota": Words("the mailbox is full", f"La messagerie est pleine. {_LATER}"),
    "message.size": Words(
        "the message exceeds the size limit", "Votre message est trop lourd : allégez les pièces jointes."
    ),
    "message.signature": Words(
        "the signature does not hold", f"La signature de votre message n'est pas valable. {_NOT_SENT}"
    ),
    "message.line_end": Words(
        "a line does not end with CRLF",
        f"Votre logiciel de messagerie a mal transmis le message. {_NOT_SENT}",
    ),
    "address.syntax": Words("this is no mail address", "Cette adresse est mal écrite."),
    "address.utf8": Words(
        "an address that is not ASCII needs SMTPUTF8",
        "Cette adresse contient des lettres que votre logiciel ne sait pas transmettre.",
    ),
    "auth.failed": Words("authentication failed", "Identifiant ou mot de passe incorrect."),
    "gateway.error": Words("something failed here", f"Une erreur est survenue chez nous. {_LATER}"),
    "relay.domain": Words(
        "the recipient's domain does not exist", "Le domaine de cette adresse n'existe pas."
    ),
    "relay.null_mx": Words(
        "the recipient's domain takes no mail", "Le domaine de cette adresse ne reçoit pas de messages."
    ),
    "relay.dns": Words(
        "the DNS does not answer", "La messagerie du destinataire est introuvable pour le moment."
    ),
    "relay.connection": Words(
        "no connection to the other server", "La messagerie du destinataire ne répond pas pour le moment."
    ),
    "relay.tls": Words(
        "the other server does not encrypt",
        "La messagerie du destinataire ne propose pas de liaison chiffrée : rien n'a été envoyé.",
    ),
    "relay.identity": Words(
        "the other server does not accept our certificate",
        "La messagerie du destinataire ne nous reconnaît pas pour le moment.",
    ),
    "relay.certificate": Words(
        "the other server's certificate is refused",
        "La messagerie du destinataire n'a pas pu prouver son identité : rien n'a été envoyé.",
    ),
    "relay.whitelist": Words(
        "the other server is not that of an operator of the domain",
        "La messagerie du destinataire n'est pas celle d'un opérateur de confiance : rien n'a été envoyé.",
    ),
    "relay.utf8": Words(
        "the other server lacks SMTPUTF8",
        "La messagerie du destinataire ne sait pas lire les lettres d'une adresse de votre message.",
    ),
    "relay.8bit": Words(
        "the other server takes no 8-bit content",
        "La messagerie du destinataire ne sait pas recevoir ce message tel quel.",
    ),
    "relay.deferred": Words(
        "the other server asked to try again",
        "La messagerie du destinataire demande d'attendre : nous réessayons.",
    ),
    "relay.refused": Words(
        "the other server refused for good", "La messagerie du destinataire a refusé votre message."
    ),
    "relay.expired": Words(
        "the time to try is over",
        "La messagerie du destinataire n'a pas répondu à temps : votre message n'est pas parvenu.",
    ),
    "relay.message": Words(
        "the message is no longer in the outbox", "Votre message n'est plus dans la boîte d'envoi."
    ),
    "relay.dropped": Words(
        "an administrator dropped it", "L'envoi de votre message a été abandonné par un administrateur."
    ),
}


def english(rule: str, ok: bool, at: int = 0) -> str:
    """The sentence for a peer, ASCII. ``at`` (ms): the day that it speaks of.

    :raises KeyError: there is none.
    """
    return (HELD if ok else FAILED)[rule].en.replace("{day}", day_of(at))


def french(rule: str, ok: bool, at: int = 0) -> str:
    """The sentence for the patient; one that says the least for a check that no patient meets."""
    kept = (HELD if ok else FAILED).get(rule)
    if kept is None:
        return "Cette vérification est faite." if ok else f"{_NOT_SENT} {_LATER}"
    return kept.fr.replace("{day}", french_day(at))


def french_day(at: int) -> str:
    """The day of a moment (ms) in France, as one says it: ``1er mars 2026``."""
    there = datetime.fromtimestamp(at / 1000, _PARIS)
    number = "1er" if there.day == 1 else str(there.day)
    return f"{number} {_MONTHS[there.month - 1]} {there.year}"
