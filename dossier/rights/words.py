"""Each rule of the rights in a sentence: French first, for patients and professionals, and English."""

from __future__ import annotations

from typing import Final

from dossier.rights.model import Decision

_ALLOWED: Final = {
    "dossier.patient": (
        "C'est le dossier de la personne connectée.",
        "It is the record of who signed in.",
    ),
    "dossier.representative": (
        "La personne connectée représente le patient.",
        "Who signed in represents the patient.",
    ),
    "dossier.feeding": (
        "Le dossier peut toujours être alimenté (article L.1111-15 du code de la santé publique).",
        "A record can always be fed (article L.1111-15 of the Code de la santé publique).",
    ),
    "dossier.own": (
        "Le demandeur, ou sa structure, est l'auteur de ce document.",
        "Who asks, or his structure, is the author of this document.",
    ),
    "dossier.treating": (
        "Le demandeur est le médecin traitant.",
        "Who asks is the treating physician.",
    ),
    "dossier.authorised": (
        "Le patient a donné son accord à ce professionnel.",
        "The patient agreed to this professional's access.",
    ),
    "dossier.regulation": (
        "Accès en urgence par la régulation du SAMU.",
        "Emergency access by the regulation of the SAMU.",
    ),
    "dossier.break_glass": (
        "Accès en urgence par « bris de glace », pour le motif écrit.",
        "Emergency access by breaking the glass, for the written reason.",
    ),
    "dossier.consent": (
        "Le professionnel déclare l'accord du patient ; le patient en est averti.",
        "The professional declares that the patient agreed; the patient is told of it.",
    ),
    "dossier.operator": (
        "L'assistance agit à la demande du patient, sans rien lire du contenu.",
        "Support acts at the patient's request, and reads nothing of the content.",
    ),
}
_REFUSED: Final = {
    "dossier.stranger": (
        "Le demandeur n'a aucun droit sur ce dossier.",
        "Who asks has no right to anything of this record.",
    ),
    "dossier.closed": (
        "Ce dossier n'est pas ouvert.",
        "This record is not open.",
    ),
    "dossier.unknown": (
        "Ce document n'existe pas dans ce dossier.",
        "There is no such document in this record.",
    ),
    "dossier.deleted": (
        "Ce document a été supprimé.",
        "This document was deleted.",
    ),
    "dossier.withheld": (
        "Ce document n'est pas encore visible du patient : une consultation d'annonce est prévue.",
        "The patient does not see this document yet: he is to be told first, in a consultation.",
    ),
    "dossier.hidden": (
        "Ce document n'est pas visible des représentants légaux.",
        "Legal representatives do not see this document.",
    ),
    "dossier.masked": (
        "Le patient a masqué ce document aux professionnels.",
        "The patient masked this document from professionals.",
    ),
    "dossier.author": (
        "Seul l'auteur du document, ou sa structure, peut le faire.",
        "Only the document's author, or his structure, may do that.",
    ),
    "dossier.reserved": (
        "Cette action n'appartient pas au demandeur.",
        "This is not for who asks to do.",
    ),
    "dossier.blocked": (
        "Le patient a bloqué l'accès de ce professionnel.",
        "The patient blocked this professional's access.",
    ),
    "dossier.not_authorised": (
        "Le patient n'a pas donné son accord à ce professionnel.",
        "The patient has not agreed to this professional's access.",
    ),
    "dossier.emergency_refused": (
        "Le patient a refusé cet accès en urgence.",
        "The patient refused this kind of emergency access.",
    ),
    "dossier.reason": (
        "Un motif écrit est nécessaire.",
        "A written reason is needed.",
    ),
    "dossier.habilitation": (
        "La matrice d'habilitation n'ouvre pas cette information à cette profession.",
        "The habilitation matrix does not open this to the profession.",
    ),
    "dossier.together": (
        "Un document ne peut être à la fois masqué aux professionnels et invisible du patient.",
        "A document cannot be masked from professionals and withheld from the patient at once.",
    ),
    "dossier.announced": (
        "Ce document a été rendu visible du patient ; c'est irréversible.",
        "This document was made visible to the patient; that cannot be undone.",
    ),
    "dossier.content": (
        "L'assistance ne lit jamais le contenu d'un dossier.",
        "Support never reads the content of a record.",
    ),
}
#: Rule → its sentences (French, English).
WORDS: Final = _ALLOWED | _REFUSED


def allow(rule: str) -> Decision:
    """The decision that ``rule`` allows."""
    return Decision(True, rule, *_ALLOWED[rule])


def refuse(rule: str, *, kept: bool = False) -> Decision:
    """The decision that ``rule`` refuses; ``kept``: see :class:`Decision`."""
    return Decision(False, rule, *_REFUSED[rule], kept=kept)
