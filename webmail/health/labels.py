"""What the sections of the medical profile and their choices are called on the pages (French msgids)."""

from __future__ import annotations

from typing import Final

import msgspec

from dossier.health import Section
from webmail.languages import N_


class SectionWords(msgspec.Struct, frozen=True):
    """``slug`` stands in addresses, ``icon`` is a symbol of ours; ``none`` is the statement that there is
    nothing, "" where it is no answer; ``over`` what ending an item is called, "" where nothing ends."""

    slug: str
    title: str
    add: str
    icon: str
    about: str
    none: str = ""
    no_one: str = ""
    over: str = ""


SECTION_WORDS: Final[dict[Section, SectionWords]] = {
    "illness": SectionWords(
        "maladies",
        N_("Maladies et sujets de santé"),
        N_("Ajouter une maladie"),
        "stethoscope",
        N_("Ce que vous avez, ou avez eu : maladies, opérations, sujets à suivre."),
        N_("Aucune maladie connue"),
        N_("Je n'ai aucune maladie connue"),
        N_("C'est terminé"),
    ),
    "treatment": SectionWords(
        "traitements",
        N_("Traitements"),
        N_("Ajouter un traitement"),
        "pill",
        N_("Les médicaments que vous prenez, avec la dose exacte."),
        N_("Aucun traitement"),
        N_("Je ne prends aucun traitement"),
        N_("Je ne le prends plus"),
    ),
    "allergy": SectionWords(
        "allergies",
        N_("Allergies et intolérances"),
        N_("Ajouter une allergie"),
        "shield-alert",
        N_("Médicaments, aliments ou autres choses que votre corps ne supporte pas."),
        N_("Aucune allergie connue"),
        N_("Je n'ai aucune allergie connue"),
        N_("Je ne suis plus allergique"),
    ),
    "vaccination": SectionWords(
        "vaccinations",
        N_("Vaccinations"),
        N_("Ajouter une vaccination"),
        "syringe",
        N_("Les vaccins reçus, comme dans un carnet de vaccination."),
        N_("Aucune vaccination"),
        N_("Je n'ai reçu aucun vaccin"),
    ),
    "family": SectionWords(
        "famille",
        N_("Antécédents familiaux"),
        N_("Ajouter un antécédent familial"),
        "users",
        N_("Les maladies de vos parents, frères, sœurs, grands-parents…"),
        N_("Aucun antécédent familial connu"),
        N_("Je ne connais aucun antécédent familial"),
    ),
    "contact": SectionWords(
        "entourage",
        N_("Entourage"),
        N_("Ajouter une personne"),
        "phone",
        N_("Votre personne de confiance, qui prévenir, qui vous aide."),
    ),
    "wish": SectionWords(
        "volontes",
        N_("Volontés"),
        N_("Ajouter une volonté"),
        "flag",
        N_("Don d'organes, directives anticipées, autres souhaits."),
    ),
    "administrative": SectionWords(
        "administratif",
        N_("Informations pratiques"),
        N_("Ajouter une information"),
        "file-text",
        N_("Complémentaire santé, langue parlée, besoins particuliers, logement…"),
    ),
}
SECTION_OF: Final[dict[str, Section]] = {words.slug: section for section, words in SECTION_WORDS.items()}

ALLERGY_KINDS: Final = {
    "": N_("Je ne sais pas"),
    "medicine": N_("Médicament"),
    "food": N_("Aliment"),
    "contact": N_("Contact avec la peau"),
    "airborne": N_("Dans l'air (pollen, poussière…)"),
    "venom": N_("Venin (guêpe, abeille…)"),
    "other": N_("Autre"),
}
SEVERITIES: Final = {
    "": N_("Je ne sais pas"),
    "mild": N_("Légère"),
    "moderate": N_("Moyenne"),
    "severe": N_("Grave"),
}
RELATIONS: Final = {
    "mother": N_("Mère"),
    "father": N_("Père"),
    "sister": N_("Sœur"),
    "brother": N_("Frère"),
    "daughter": N_("Fille"),
    "son": N_("Fils"),
    "grandmother": N_("Grand-mère"),
    "grandfather": N_("Grand-père"),
    "aunt": N_("Tante"),
    "uncle": N_("Oncle"),
    "cousin": N_("Cousin, cousine"),
    "other": N_("Autre"),
}
ROLES: Final = {
    "trusted": N_("Personne de confiance"),
    "warn": N_("À prévenir en cas d'urgence"),
    "physician": N_("Médecin qui me suit"),
    "carer": N_("Personne qui m'aide"),
    "other": N_("Autre"),
}
SUBJECTS: Final = {
    "organ_donation": N_("Don d'organes"),
    "directives": N_("Directives anticipées"),
    "other": N_("Autre souhait"),
}
ANSWERS: Final = {"": N_("Sans réponse"), "yes": N_("Oui"), "no": N_("Non")}
TOPICS: Final = {
    "insurance": N_("Complémentaire santé"),
    "language": N_("Langue parlée"),
    "needs": N_("Besoins particuliers, handicap"),
    "work": N_("Travail"),
    "housing": N_("Logement"),
    "other": N_("Autre"),
}
SYSTEMS: Final = {"": N_("Aucun code"), "CIM-10": "CIM-10", "SNOMED CT": "SNOMED CT"}
