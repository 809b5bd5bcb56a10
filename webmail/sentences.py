"""What a refusal says: a sentence for each rule that a person can meet.

Areas add theirs by :func:`tell`; what is not there says the least, and the page names the rule for who helps.
"""

from __future__ import annotations

from typing import Final

from gateway.routing.words import FAILED
from store import PasserelleError
from webmail.languages import N_, Language, translations, typeset

FORGED: Final = N_(
    "Ce formulaire n'est plus valable : vous avez peut-être changé de profil dans un autre onglet, ou la "
    "page était restée ouverte trop longtemps. Rien n'a été enregistré."
)
NO_COOKIES: Final = N_(
    "Votre navigateur n'a pas gardé le cookie dont ce formulaire a besoin. Autorisez les cookies de ce site, "
    "rechargez la page précédente, puis recommencez. Rien n'a été enregistré."
)
GUEST: Final = N_("Vous êtes en mode invité : rien n'est enregistré. Activez votre profil pour continuer.")
_LEAST: Final = N_("Cette action n'a pas pu être faite. Rien n'a été modifié.")
_SENTENCES: dict[str, str] = {}


def tell(sentences: dict[str, str]) -> None:
    """Add sentences (msgids) by rule."""
    _SENTENCES.update(sentences)


def sentence(error: PasserelleError, language: Language) -> str:
    """What the person is told."""
    if error.rule in _SENTENCES:
        return translations(language).gettext(_SENTENCES[error.rule])
    if error.rule in FAILED:
        words = FAILED[error.rule]
        return typeset(words.fr) if language == "fr" else words.en.capitalize() + "."
    return translations(language).gettext(_LEAST)
