"""The words of the record's pages: headings, their symbols and addresses, and what refusals say."""

from __future__ import annotations

from typing import Final

from dossier import CATEGORIES, fold
from store import PasserelleError
from webmail.languages import N_
from webmail.sentences import tell
from webmail.turn import Refused

#: Marked for translation: the headings are the record's own.
HEADINGS: Final = (
    N_("Ma santé en résumé"),
    N_("Ordonnances et soins"),
    N_("Comptes rendus"),
    N_("Radio, écho, scanner, IRM"),
    N_("Résultats de biologie"),
    N_("Prévention et dépistages"),
    N_("Certificats"),
    N_("Pièces administratives"),
    N_("Volontés et directives anticipées"),
    N_("Autres"),
)
assert HEADINGS == CATEGORIES  # a heading without a translation would stand in French
_SYMBOLS: Final = (
    "heart-pulse",
    "pill",
    "file-text",
    "image",
    "test-tube",
    "syringe",
    "file-check",
    "folder",
    "scroll-text",
    "file",
)
#: Heading → the symbol that stands for it.
SYMBOLS: Final = dict(zip(HEADINGS, _SYMBOLS, strict=True))
#: Heading → what stands for it in an address.
SLUGS: Final = {one: fold(one).replace(" ", "-") for one in HEADINGS}
OF_SLUG: Final = {slug: one for one, slug in SLUGS.items()}

UNKNOWN: Final = N_("Ce professionnel n'a pas été reconnu. Cherchez-le par son nom.")
WHERE: Final = N_("Choisissez la rubrique où ranger le document.")
#: Rule → what the person reads.
SENTENCES: Final = {
    "dossier.stranger": N_("Vous n'avez pas accès à ce dossier."),
    "dossier.closed": N_("Ce dossier n'est pas ouvert : il faut d'abord activer le profil."),
    "dossier.unknown": N_("Ce document n'existe pas, ou plus."),
    "dossier.deleted": N_("Ce document a été supprimé."),
    "dossier.author": N_(
        "Vous pouvez remplacer ou supprimer seulement les documents que vous avez déposés. Pour corriger un "
        "document d'un professionnel, demandez-le-lui. Vous pouvez aussi le masquer."
    ),
    "dossier.reserved": N_("Cette action ne vous est pas ouverte."),
    "dossier.busy": N_("Le dossier est en train d'être modifié. Essayez à nouveau dans un instant."),
    "dossier.professional": UNKNOWN,
    "dossier.physician": N_(
        "D'après l'annuaire, ce professionnel n'est pas médecin : il ne peut pas être médecin traitant."
    ),
    "dossier.media": N_(
        "Ce fichier ne peut pas être déposé : il doit être un vrai PDF, JPEG, PNG, TIFF, RTF ou texte (TXT), "
        "et s'ouvrir normalement. Ouvrez-le d'abord sur votre appareil pour vérifier."
    ),
    "dossier.image": N_("Cette image est trop grande : réduisez-la (60 millions de pixels au plus)."),
    "dossier.size": N_("Ce fichier est trop lourd : 5 Mo au plus."),
    "dossier.category": WHERE,
    "dossier.date": N_("Cette date est dans le futur, ou avant 1900."),
    "dossier.version": N_(
        "Ce document a déjà été remplacé par une version plus récente : remplacez celle-ci."
    ),
    "dossier.cda": N_("Ce document ne peut pas être lu."),
    "guardian.secret": N_(
        "Ce document reste caché aux représentants légaux : seul le professionnel qui l'a déposé, ou le "
        "patient une fois majeur, peut le montrer à nouveau."
    ),
    "actor.stranger": N_("Vous ne représentez plus cette personne : son espace ne vous est plus ouvert."),
}
tell(SENTENCES)


def refused(error: PasserelleError) -> Refused:
    """A right that is missing, as a page (403)."""
    return Refused(SENTENCES.get(error.rule, N_("Cette action ne vous est pas ouverte.")))
