"""Each entry of the journal as a sentence: French first, and English.

It shows no code and no id: titles, labels of professions and reasons of refusals are passed in by who may
read them. What is not known is said in general words.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from activity.model import Activity, By, What
from activity.wishes import Wish


class Words(NamedTuple):
    """The same in both languages."""

    fr: str
    en: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a sentence is made with besides the entry.

    ``me``: who reads is who acted. ``title``: of the document, item or service, "" where it is not to be
    named; ``gone``: it was deleted since. ``profession``: of who acted, in French and English. ``why``: of a
    refusal, one sentence each.
    """

    me: bool = False
    title: str = ""
    gone: bool = False
    profession: Words = Words("", "")
    why: Words = Words("", "")


class _Deed(NamedTuple):
    """After "a", after "a voulu"; English past tense, and after "wanted to". ``{}``: the title."""

    fr: str
    fr_wanted: str
    en: str
    en_wanted: str


_DEEDS: Final[dict[What, _Deed]] = {
    "documents_listed": _Deed(
        "consulté la liste des documents",
        "consulter la liste des documents",
        "looked at the list of documents",
        "look at the list of documents",
    ),
    "document_read": _Deed(
        "consulté le document{}", "consulter le document{}", "read the document{}", "read the document{}"
    ),
    "document_deposited": _Deed(
        "déposé le document{}", "déposer le document{}", "filed the document{}", "file the document{}"
    ),
    "document_saved": _Deed(
        "enregistré le document{} depuis un message",
        "enregistrer le document{} depuis un message",
        "saved the document{} from a message",
        "save the document{} from a message",
    ),
    "document_replaced": _Deed(
        "remplacé le document{}",
        "remplacer le document{}",
        "replaced the document{}",
        "replace the document{}",
    ),
    "document_deleted": _Deed(
        "supprimé le document{}", "supprimer le document{}", "deleted the document{}", "delete the document{}"
    ),
    "document_masked": _Deed(
        "masqué aux professionnels le document{}",
        "masquer aux professionnels le document{}",
        "masked the document{} from professionals",
        "mask the document{} from professionals",
    ),
    "document_unmasked": _Deed(
        "rendu visible aux professionnels le document{}",
        "rendre visible aux professionnels le document{}",
        "made the document{} visible to professionals",
        "make the document{} visible to professionals",
    ),
    "documents_masked": _Deed(
        "masqué tous les documents aux professionnels",
        "masquer tous les documents aux professionnels",
        "masked all documents from professionals",
        "mask all documents from professionals",
    ),
    "documents_unmasked": _Deed(
        "cessé de masquer tous les documents aux professionnels",
        "cesser de masquer tous les documents aux professionnels",
        "ceased to mask all documents from professionals",
        "cease to mask all documents from professionals",
    ),
    "document_withheld": _Deed(
        "réservé le document{} jusqu'à une consultation d'annonce",
        "réserver le document{} jusqu'à une consultation d'annonce",
        "kept back the document{} until a consultation",
        "keep back the document{} until a consultation",
    ),
    "document_announced": _Deed(
        "rendu visible le document{} après une consultation d'annonce",
        "rendre visible le document{} après une consultation d'annonce",
        "made the document{} visible after a consultation",
        "make the document{} visible after a consultation",
    ),
    "document_hidden": _Deed(
        "caché le document{} aux représentants légaux",
        "cacher le document{} aux représentants légaux",
        "hid the document{} from legal representatives",
        "hide the document{} from legal representatives",
    ),
    "document_shown": _Deed(
        "montré le document{} aux représentants légaux",
        "montrer le document{} aux représentants légaux",
        "showed the document{} to legal representatives",
        "show the document{} to legal representatives",
    ),
    "professional_blocked": _Deed(
        "bloqué l'accès d'un professionnel{}",
        "bloquer l'accès d'un professionnel{}",
        "blocked the access of a professional{}",
        "block the access of a professional{}",
    ),
    "professional_unblocked": _Deed(
        "débloqué l'accès d'un professionnel{}",
        "débloquer l'accès d'un professionnel{}",
        "ended the block of a professional{}",
        "end the block of a professional{}",
    ),
    "professional_authorised": _Deed(
        "autorisé l'accès d'un professionnel{}",
        "autoriser l'accès d'un professionnel{}",
        "let a professional{} in",
        "let a professional{} in",
    ),
    "consent_declared": _Deed(
        "déclaré avoir recueilli l'accord du patient",
        "déclarer avoir recueilli l'accord du patient",
        "declared that the patient agreed",
        "declare that the patient agreed",
    ),
    "physician_appointed": _Deed(
        "désigné le médecin traitant{}",
        "désigner le médecin traitant{}",
        "appointed the treating physician{}",
        "appoint the treating physician{}",
    ),
    "physician_dismissed": _Deed(
        "mis fin à la désignation du médecin traitant{}",
        "mettre fin à la désignation du médecin traitant{}",
        "ended the appointment of the treating physician{}",
        "end the appointment of the treating physician{}",
    ),
    "emergency_changed": _Deed(
        "changé les accès en urgence",
        "changer les accès en urgence",
        "changed the emergency accesses",
        "change the emergency accesses",
    ),
    "profile_read": _Deed(
        "consulté le profil médical",
        "consulter le profil médical",
        "read the medical profile",
        "read the medical profile",
    ),
    "profile_item_added": _Deed(
        "ajouté une information{} au profil médical",
        "ajouter une information{} au profil médical",
        "added an item{} to the medical profile",
        "add an item{} to the medical profile",
    ),
    "profile_item_changed": _Deed(
        "modifié une information{} du profil médical",
        "modifier une information{} du profil médical",
        "changed an item{} of the medical profile",
        "change an item{} of the medical profile",
    ),
    "profile_item_removed": _Deed(
        "retiré une information{} du profil médical",
        "retirer une information{} du profil médical",
        "removed an item{} from the medical profile",
        "remove an item{} from the medical profile",
    ),
    "measures_read": _Deed(
        "consulté les mesures", "consulter les mesures", "read the measures", "read the measures"
    ),
    "measure_added": _Deed(
        "ajouté une mesure{}", "ajouter une mesure{}", "added a measure{}", "add a measure{}"
    ),
    "measure_removed": _Deed(
        "retiré une mesure{}", "retirer une mesure{}", "removed a measure{}", "remove a measure{}"
    ),
    "measures_imported": _Deed(
        "importé des mesures", "importer des mesures", "imported measures", "import measures"
    ),
    "measures_counted": _Deed(
        "compté les mesures, sans les lire",
        "compter les mesures, sans les lire",
        "counted the measures, without reading any",
        "count the measures, without reading any",
    ),
    "summary_made": _Deed(
        "produit le résumé du profil médical",
        "produire le résumé du profil médical",
        "made the summary of the medical profile",
        "make the summary of the medical profile",
    ),
    "rights_read": _Deed(
        "consulté les droits d'accès au dossier",
        "consulter les droits d'accès au dossier",
        "looked at the rights to the record",
        "look at the rights to the record",
    ),
    "history_read": _Deed(
        "consulté l'historique d'activité",
        "consulter l'historique d'activité",
        "read the history of activity",
        "read the history of activity",
    ),
    "appointments_read": _Deed(
        "consulté l'agenda", "consulter l'agenda", "looked at the agenda", "look at the agenda"
    ),
    "appointment_added": _Deed(
        "ajouté un rendez-vous", "ajouter un rendez-vous", "added an appointment", "add an appointment"
    ),
    "appointment_changed": _Deed(
        "modifié un rendez-vous", "modifier un rendez-vous", "changed an appointment", "change an appointment"
    ),
    "appointment_removed": _Deed(
        "retiré un rendez-vous", "retirer un rendez-vous", "removed an appointment", "remove an appointment"
    ),
    "calendar_imported": _Deed(
        "importé un calendrier", "importer un calendrier", "imported a calendar", "import a calendar"
    ),
    "calendar_exported": _Deed(
        "exporté l'agenda", "exporter l'agenda", "exported the agenda", "export the agenda"
    ),
    "feed_opened": _Deed(
        "ouvert un lien d'abonnement à l'agenda",
        "ouvrir un lien d'abonnement à l'agenda",
        "opened a subscription link to the agenda",
        "open a subscription link to the agenda",
    ),
    "feed_revoked": _Deed(
        "fermé un lien d'abonnement à l'agenda",
        "fermer un lien d'abonnement à l'agenda",
        "closed a subscription link to the agenda",
        "close a subscription link to the agenda",
    ),
    "proposal_accepted": _Deed(
        "accepté une proposition de l'agenda",
        "accepter une proposition de l'agenda",
        "accepted a proposal of the agenda",
        "accept a proposal of the agenda",
    ),
    "proposal_declined": _Deed(
        "décliné une proposition de l'agenda",
        "décliner une proposition de l'agenda",
        "declined a proposal of the agenda",
        "decline a proposal of the agenda",
    ),
    "proposal_done": _Deed(
        "noté comme faite une proposition de l'agenda",
        "noter comme faite une proposition de l'agenda",
        "noted a proposal of the agenda as done",
        "note a proposal of the agenda as done",
    ),
    "proposal_received": _Deed(
        "proposé un rendez-vous par message",
        "proposer un rendez-vous par message",
        "proposed an appointment by mail",
        "propose an appointment by mail",
    ),
    "proposal_withdrawn": _Deed(
        "annulé un rendez-vous par message",
        "annuler un rendez-vous par message",
        "cancelled an appointment by mail",
        "cancel an appointment by mail",
    ),
    "consent_given": _Deed(
        "accepté l'échange de données avec un service{}",
        "accepter l'échange de données avec un service{}",
        "agreed to the exchange of data with a service{}",
        "agree to the exchange of data with a service{}",
    ),
    "consent_revoked": _Deed(
        "mis fin à l'échange de données avec un service{}",
        "mettre fin à l'échange de données avec un service{}",
        "ended the exchange of data with a service{}",
        "end the exchange of data with a service{}",
    ),
    "consents_read": _Deed(
        "consulté les accords donnés aux services",
        "consulter les accords donnés aux services",
        "looked at what services were agreed to",
        "look at what services were agreed to",
    ),
    "data_exchanged": _Deed("échangé des données", "échanger des données", "exchanged data", "exchange data"),
    "notices_changed": _Deed(
        "choisi la fréquence des avis par courriel{}",
        "choisir la fréquence des avis par courriel{}",
        "chose how often notices come by e-mail{}",
        "choose how often notices come by e-mail{}",
    ),
    "archive_exported": _Deed(
        "exporté toutes les données", "exporter toutes les données", "exported all data", "export all data"
    ),
    "archive_imported": _Deed(
        "importé une archive de données",
        "importer une archive de données",
        "imported an archive of data",
        "import an archive of data",
    ),
}
_WISHES: Final[dict[Wish, Words]] = {
    "at_once": Words("dès qu'il y a du nouveau", "as soon as there is something new"),
    "daily": Words("chaque jour", "each day"),
    "weekly": Words("chaque semaine", "each week"),
    "none": Words("aucun", "none"),
}
_NOBODY: Final[dict[By, Words]] = {
    "patient": Words("La personne titulaire du dossier", "The person whose record it is"),
    "representative": Words("Une personne qui représente le patient", "A person who represents the patient"),
    "professional": Words("Un professionnel de santé", "A health professional"),
    "structure": Words("Une structure de soins", "A care structure"),
    "operator": Words("L'assistance", "Support"),
    "service": Words("Un service référencé", "A referenced service"),
    "gateway": Words("La plateforme", "The platform"),
}
_ROLE: Final[dict[By, Words]] = {
    "patient": Words("titulaire du dossier", "whose record it is"),
    "representative": Words("représentation légale", "legal representative"),
    "structure": Words("structure de soins", "care structure"),
    "service": Words("service du catalogue", "service of the catalogue"),
}
#: What stands before the name: G15 médecin, chirurgien-dentiste.
_DOCTORS: Final = frozenset({"10", "40"})


def who(entry: Activity, known: Known) -> Words:
    """Who acted, without a verb: « Dr Anne EXEMPLE (médecin, CHU d'Exempleville) »."""
    details = entry.details
    if known.me:
        return Words("Vous", "You")
    if entry.by in ("operator", "gateway"):
        return _NOBODY[entry.by]
    if entry.by == "professional":
        name = details.name
        if name and details.profession in _DOCTORS and not name.startswith("Dr "):
            name = f"Dr {name}"
        said = [
            _with(name or nobody, [label, details.organisation])
            for nobody, label in zip(_NOBODY["professional"], known.profession, strict=True)
        ]
        return Words(*said)
    name = (details.organisation or details.name) if entry.by == "structure" else details.name
    if not name:
        return _NOBODY[entry.by]
    return Words(*(_with(name, [role]) for role in _ROLE[entry.by]))


def sentence(entry: Activity, known: Known | None = None) -> Words:
    """An entry in words, with its purpose, its written reason, and why it was refused."""
    known = known or Known()
    deed, actor = _DEEDS[entry.what], who(entry, known)
    title = _title(entry, known)
    if entry.refused:
        wanted = "avez" if known.me else "a"
        said = Words(
            f"{actor.fr} {wanted} voulu {deed.fr_wanted.format(title.fr)}",
            f"{actor.en} wanted to {deed.en_wanted.format(title.en)}",
        )
    else:
        did = "avez" if known.me else "a"
        said = Words(f"{actor.fr} {did} {deed.fr.format(title.fr)}", f"{actor.en} {deed.en.format(title.en)}")
    said = _joined(said, _purpose(entry))
    if not entry.refused:
        return _joined(said, Words(".", "."))
    said = _joined(said, Words(" : refusé.", ": refused."))
    return _joined(said, Words(*(f" {why}" if why else "" for why in known.why)))


def _title(entry: Activity, known: Known) -> Words:
    wish = entry.details.more.get("wish", "") if entry.what == "notices_changed" else ""
    if wish in _WISHES:
        chosen = _WISHES[wish]
        return Words(f" : {chosen.fr}", f": {chosen.en}")
    said = Words(f" « {known.title} »", f" “{known.title}”") if known.title else Words("", "")
    return _joined(said, Words(" (supprimé depuis)", " (deleted since)")) if known.gone else said


def _purpose(entry: Activity) -> Words:
    reason = entry.details.reason.strip()
    if entry.purpose == "regulation":
        return Words(" en urgence (régulation du SAMU)", " in an emergency (regulation of the SAMU)")
    if entry.purpose == "break_glass":
        said = Words(" en urgence (bris de glace)", " in an emergency (breaking the glass)")
        written = Words(f", motif écrit : « {reason} »", f", written reason: “{reason}”")
        return _joined(said, written) if reason else said
    if reason:
        return Words(f", motif : « {reason} »", f", reason: “{reason}”")
    return Words("", "")


def _with(name: str, more: list[str]) -> str:
    inside = ", ".join(part for part in more if part)
    return f"{name} ({inside})" if inside else name


def _joined(first: Words, second: Words) -> Words:
    return Words(first.fr + second.fr, first.en + second.en)
