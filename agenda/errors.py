"""What the agenda refuses, each rule with its sentence in French and in English."""

from __future__ import annotations

from typing import Final

from store import PasserelleError
from store.errors import Fault

#: rule → (French, English); the English one is ASCII: it may stand in a reply.
SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "agenda.title": (
        "Donnez un titre au rendez-vous, de 200 caractères au plus.",
        "give the appointment a title of at most 200 characters",
    ),
    "agenda.text": (
        "Un texte est trop long ou contient des caractères interdits.",
        "a text is too long or holds control characters",
    ),
    "agenda.date": (
        "Cette date ou cette heure n'existe pas, ou n'est pas entre 1900 et 2199.",
        "this date or time does not exist, or is not between 1900 and 2199",
    ),
    "agenda.end": (
        "La fin doit suivre le début, de 366 jours au plus.",
        "the end must follow the beginning, by 366 days at most",
    ),
    "agenda.zone": (
        "Ce fuseau horaire est inconnu : donnez par exemple Europe/Paris.",
        "this time zone is unknown: give for example Europe/Paris",
    ),
    "agenda.rule": (
        "Cette répétition n'est pas comprise, ou produirait trop d'occurrences.",
        "this recurrence is not understood, or would give too many occurrences",
    ),
    "agenda.changes": (
        "L'occurrence à modifier n'existe pas, ou trop d'occurrences sont modifiées.",
        "the occurrence to change does not exist, or too many are changed",
    ),
    "agenda.reminder": (
        "Un rappel se donne en minutes avant le début, de 0 à 40 320 (quatre semaines), dix au plus.",
        "a reminder is in minutes before the beginning, 0 to 40320 (four weeks), ten at most",
    ),
    "agenda.range": (
        "La période demandée est vide ou dépasse dix ans.",
        "the period asked for is empty or longer than ten years",
    ),
    "agenda.full": (
        "L'agenda est plein : supprimez d'abord des rendez-vous.",
        "the agenda is full: remove some appointments first",
    ),
    "agenda.unknown": ("Ce rendez-vous n'existe pas.", "there is no such appointment"),
    "agenda.changed": (
        "Ce rendez-vous a été modifié entre-temps : relisez-le avant de recommencer.",
        "this appointment was changed meanwhile: read it again first",
    ),
    "agenda.refused": (
        "Vous n'êtes pas autorisé à faire cela dans cet agenda.",
        "you may not do this in this agenda",
    ),
    "agenda.closed": (
        "Ce profil est fermé, suspendu ou absent : son agenda n'est pas accessible.",
        "this profile is closed, suspended or absent: its agenda cannot be reached",
    ),
    "agenda.file": (
        "Ce fichier n'est pas un agenda iCalendar, ou il est trop grand.",
        "this file is no iCalendar, or it is too big",
    ),
    "agenda.proposal": (
        "Cette proposition n'existe pas, ou elle a déjà reçu une réponse.",
        "there is no such proposal, or it was answered already",
    ),
    "agenda.plan": (
        "Ce fichier de propositions ne peut pas être repris.",
        "this file of proposals cannot be taken",
    ),
    "agenda.feed": (
        "Cet abonnement n'existe pas, ou il y en a déjà vingt.",
        "there is no such feed, or there are twenty already",
    ),
    "agenda.invitation": (
        "Cette invitation n'existe pas, ou elle n'attend plus de réponse.",
        "there is no such invitation, or it waits for no answer any more",
    ),
}


class AgendaError(PasserelleError):
    """A refusal of the agenda. ``french`` and ``peer`` (English) say it in a sentence; ``hint`` adds what a
    person who reads the log may know: a line, a name of a field, never a title."""

    code = 554
    enhanced = "5.6.0"
    fault: Fault = "peer"

    def __init__(self, rule: str, hint: str = "") -> None:
        english = SENTENCES[rule][1]
        super().__init__(rule, english, log=f"{english} ({hint})" if hint else "")

    @property
    def french(self) -> str:
        return SENTENCES[self.rule][0]
