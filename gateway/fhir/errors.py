"""What the professionals' door refuses, as FHIR says it: a status, an issue type, and both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from store import PasserelleError

#: Rule → status (RFC 9110 §15), issue type (FHIR R4, ValueSet issue-type), French.
_RULES: Final[Mapping[str, tuple[int, str, str]]] = {
    "door.credentials": (401, "login", "Un jeton Pro Santé Connect ou un certificat client est nécessaire."),
    "door.token": (401, "login", "Le jeton présenté n'est pas valable."),
    "door.binding": (401, "login", "Le jeton n'est pas lié au certificat présenté."),
    "door.certificate": (401, "login", "Le certificat présenté n'est pas accepté."),
    "door.provider": (503, "transient", "Pro Santé Connect ne répond pas : réessayez plus tard."),
    "door.holder": (403, "forbidden", "L'annuaire ne confirme pas ce professionnel ou cette structure."),
    "door.regulation": (403, "forbidden", "Ce mode d'accès est réservé aux médecins régulateurs du SAMU."),
    "door.purpose": (400, "invalid", "Le motif d'accès n'est pas compris."),
    "door.patient": (403, "forbidden", "Aucun dossier ouvert à ce demandeur pour cette identité."),
    "door.refused": (403, "forbidden", "Les droits du dossier ne le permettent pas à ce demandeur."),
    "door.too_many": (429, "throttled", "Trop de demandes refusées : réessayez plus tard."),
    "door.unknown": (404, "not-found", "Ce document n'existe pas, ou n'est pas visible de ce demandeur."),
    "door.path": (404, "not-found", "Cette adresse n'existe pas ici."),
    "door.method": (405, "not-supported", "Cette opération n'existe pas ici."),
    "door.accept": (406, "not-supported", "Seul le format application/fhir+json est servi."),
    "door.content_type": (415, "not-supported", "Le contenu n'est pas d'un type accepté ici."),
    "door.size": (413, "too-long", "La requête est trop grande."),
    "door.json": (400, "structure", "Le corps de la requête n'est pas une ressource FHIR lisible."),
    "door.search": (400, "invalid", "Un paramètre de recherche n'est pas compris."),
    "door.page": (400, "invalid", "Cette page de résultats n'existe plus : refaites la recherche."),
    "door.resource": (422, "invariant", "La ressource ne respecte pas le profil de publication simplifiée."),
    "door.identity": (422, "business-rule", "L'identité ne correspond à aucun dossier ouvert ici."),
    "door.integrity": (422, "value", "Le document ne correspond pas à sa taille ou à son empreinte."),
    "door.replaces": (409, "conflict", "Le document à remplacer n'est pas remplaçable par ce demandeur."),
    "door.change": (422, "not-supported", "Seuls le masquage et la suppression peuvent être modifiés."),
    "door.version": (412, "conflict", "Le document a été modifié entre-temps."),
    "door.deposit": (422, "business-rule", "Le document n'est pas accepté."),
    "door.internal": (500, "exception", "Une erreur interne est survenue."),
}


class DoorError(PasserelleError):
    """A request that the door refuses. ``status`` and ``issue`` follow from the rule.

    :param english: the check that failed, one sentence.
    :param where: FHIRPath of the element at fault, "" for none.
    """

    def __init__(self, rule: str, english: str, *, where: str = "", french: str = "", more: str = "") -> None:
        super().__init__(rule, english)
        self.status, self.issue, usual = _RULES[rule]
        self.french: Final = french or usual
        self.where: Final = where
        self.more: Final = more  # the rule of another room behind this one


class TokenError(DoorError):
    """A bearer token that is refused (RFC 6750 §3.1)."""


def known_rules() -> list[str]:
    """Every rule of the door."""
    return list(_RULES)
