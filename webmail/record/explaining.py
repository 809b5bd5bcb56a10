"""Why somebody may, or may not: the rule that decides as a sentence for the person whose record it is."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

import activity
import dossier
from dossier import Document, rights
from dossier.rights import Action, Decision
from gateway.routing import contacts
from webmail.languages import N_
from webmail.people import contact_of
from webmail.record.people import Professional, professional_of
from webmail.turn import Turn
from webmail.visit import Visit

#: Entries of the journal that are looked through for professionals.
_FAR: Final = 2_000

#: Of one document: the rule that decides → (he reads it because, he does not because).
_DOCUMENT: Final = {
    "dossier.own": N_("%(name)s peut le lire : il ou elle en est l'auteur, ou l'a déposé."),
    "dossier.treating": N_("%(name)s peut le lire : c'est le médecin traitant."),
    "dossier.authorised": N_("%(name)s peut le lire : un accès lui a été donné."),
    "dossier.blocked": N_("%(name)s ne peut pas le lire : son accès est bloqué."),
    "dossier.not_authorised": N_("%(name)s ne peut pas le lire : aucun accès ne lui a été donné."),
    "dossier.masked": N_("%(name)s ne peut pas le lire : ce document est masqué."),
    "dossier.habilitation": N_(
        "%(name)s ne peut pas le lire : sa profession n'ouvre pas ce genre de document."
    ),
    "dossier.closed": N_("%(name)s ne peut pas le lire : le dossier n'est pas ouvert."),
}
_YES: Final = N_("%(name)s peut le lire.")
_NO: Final = N_("%(name)s ne peut pas le lire.")

#: Of the record: the rule → a sentence about somebody who was named before.
_RECORD: Final = {
    "dossier.own": N_("Oui, ce qu'il ou elle a écrit ou déposé."),
    "dossier.treating": N_("Oui : c'est le médecin traitant."),
    "dossier.authorised": N_("Oui : un accès lui a été donné."),
    "dossier.feeding": N_("Oui : la loi permet à tout professionnel de déposer un document."),
    "dossier.consent": N_("Oui, devant le patient et avec son accord. C'est écrit dans l'historique."),
    "dossier.regulation": N_("Oui : l'accès du SAMU n'est pas refusé."),
    "dossier.break_glass": N_("Oui, en écrivant pourquoi. Vous en êtes averti aussitôt."),
    "dossier.blocked": N_("Non : son accès est bloqué."),
    "dossier.not_authorised": N_("Non : aucun accès ne lui a été donné."),
    "dossier.emergency_refused": N_("Non : cet accès en urgence est refusé."),
    "dossier.habilitation": N_("Non : sa profession n'y donne pas droit."),
    "dossier.reserved": N_("Non."),
    "dossier.closed": N_("Non : le dossier n'était pas ouvert."),
}
_OTHERWISE: Final = (N_("Non."), N_("Oui."))
#: What is told of a professional, in this order: a question, and the action that answers it.
QUESTIONS: Final[tuple[tuple[str, Action], ...]] = (
    (N_("Lire les mesures"), "read_measures"),
    (N_("Lire le profil médical"), "read_profile"),
    (N_("Voir les vaccins"), "read_vaccinations"),
    (N_("Ajouter un vaccin"), "add_vaccination"),
    (N_("Lire l'entourage et les volontés"), "read_wishes"),
    (N_("Déposer un document"), "deposit"),
    (N_("Déclarer que le patient lui donne accès"), "declare_consent"),
    (N_("Lire l'historique du dossier"), "read_history"),
    (N_("Bloquer un autre professionnel"), "block"),
)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one professional may read one document."""

    who: Professional
    decision: Decision

    @property
    def allowed(self) -> bool:
        return self.decision.allowed

    def sentence(self, turn: Turn) -> str:
        """Why, for who asks; a representative reads the same of the patient's record."""
        text = _DOCUMENT.get(self.decision.rule, _YES if self.decision.allowed else _NO)
        return turn.say(text, name=self.who.name or turn.say(N_("Ce professionnel")))


def sights_of(conn: Connection, visit: Visit, one: Document) -> list[Sight]:
    """Every professional that the record knows of before one document: who reads it first."""
    found = []
    for who in known_to(conn, visit, extra=_authors(one)):
        actor = rights.professional(conn, who.ident, profession=who.profession)
        answers = rights.explain(conn, visit.store, visit.box_id, actor, one.document_id).answers
        found.append(Sight(who=who, decision=answers["read"]))
    return sorted(found, key=lambda sight: (not sight.allowed, sight.who.name))


def _authors(one: Document) -> dict[str, str]:
    """Professionals (IdNat_PS) who wrote or filed a document, with the name it gives."""
    if one.from_patient:
        return {one.author_id: one.info.author} if one.author_id else {}
    depositor = one.depositor_id if one.deposited_by == "professional" else ""
    names = {depositor: "", one.author_id: one.info.author}
    return {ident: name for ident, name in names.items() if ident}


def known_to(conn: Connection, visit: Visit, extra: dict[str, str] | None = None) -> list[Professional]:
    """The professionals that a record knows of: who wrote, filed, read, was let in or blocked, or sent a
    message; nobody whom only something kept from this reader would name."""
    store, box_id, actor = visit.store, visit.box_id, visit.actor
    names: dict[str, tuple[str, str]] = {ident: (name, "") for ident, name in (extra or {}).items()}
    for one in dossier.documents_for(conn, store, box_id, actor):
        for ident, name in _authors(one).items():
            names.setdefault(ident, (name, ""))
    seen = activity.entries(
        conn,
        store,
        box_id,
        activity.Asked(by=("professional",)),
        limit=_FAR,
        without=activity.kept(conn, store, box_id, actor),
    )
    for line in seen:
        known = names.get(line.ident, ("", ""))
        names[line.ident] = (known[0] or line.details.name, known[1] or line.details.profession)
    held = rights.rights_of(conn, box_id)
    for ident in (*held.blocked, *held.authorised, held.treating):
        if ident:
            names.setdefault(ident, ("", ""))
    if visit.own:  # messages that are hidden from a representative would name their senders
        for address, contact in contacts(conn, box_id):
            who = contact_of(conn, address)
            if contact.contacted and who.listed and not who.organisation:
                names.setdefault(who.key, (who.name, ""))
    found = [professional_of(conn, ident, *known) for ident, known in names.items()]
    return sorted(found, key=lambda who: who.name)


def said_of_record(turn: Turn, decision: Decision) -> str:
    """Whether somebody may do something in the record, and why."""
    return turn.say(_RECORD.get(decision.rule, _OTHERWISE[decision.allowed]))
