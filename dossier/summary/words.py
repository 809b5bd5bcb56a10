"""The summary's words, in French and in English."""

from __future__ import annotations

from typing import Final

from dossier.health import Language, Section

Pair = tuple[str, str]

TITLE: Final[Pair] = ("Ma santé en résumé", "My health in brief")
SUBTITLE: Final[Pair] = ("Synthèse du profil médical", "Summary of the medical profile")
HEADINGS: Final[dict[Section, Pair]] = {
    "allergy": ("Allergies et intolérances", "Allergies and intolerances"),
    "illness": ("Maladies et sujets de santé", "Illnesses and health matters"),
    "treatment": ("Traitements en cours", "Current treatments"),
    "vaccination": ("Vaccinations", "Vaccinations"),
    "family": ("Antécédents familiaux", "Family history"),
    "contact": ("Entourage", "Contacts"),
    "wish": ("Volontés", "Wishes"),
    "administrative": ("Informations administratives", "Administrative information"),
}
MEASURES: Final[Pair] = ("Dernières mesures", "Latest measures")
PHYSICIAN: Final[Pair] = ("Médecin traitant déclaré", "Declared treating physician")
NOT_FILLED: Final[Pair] = ("Rubrique non renseignée.", "Nothing was told here.")
NONE_KNOWN: Final[dict[Section, Pair]] = {
    "allergy": ("Aucune allergie connue, selon le patient.", "No known allergy, as the patient says."),
    "illness": ("Aucune maladie connue, selon le patient.", "No known illness, as the patient says."),
    "treatment": ("Aucun traitement en cours, selon le patient.", "No treatment, as the patient says."),
    "vaccination": ("Aucune vaccination, selon le patient.", "No vaccination, as the patient says."),
    "family": (
        "Aucun antécédent familial connu, selon le patient.",
        "No known family history, as the patient says.",
    ),
}
NO_TREATMENT_NOW: Final[Pair] = (
    "Aucun traitement en cours ; des traitements terminés figurent dans le profil.",
    "No current treatment; the profile has treatments that ended.",
)
NO_MEASURE: Final[Pair] = ("Aucune mesure enregistrée.", "No measure was recorded.")
NOT_DECLARED: Final[Pair] = ("Aucun médecin traitant déclaré.", "No treating physician was declared.")

# -- columns and labels ---------------------------------------------------------------------------

COLUMNS: Final[dict[str, Pair]] = {
    "illness": ("Maladie", "Illness"),
    "code": ("Code", "Code"),
    "since": ("Depuis", "Since"),
    "until": ("Jusqu'à", "Until"),
    "remark": ("Précisions", "Remarks"),
    "medicine": ("Médicament", "Medicine"),
    "dose": ("Dose", "Dose"),
    "rhythm": ("Rythme", "Rhythm"),
    "reason": ("Motif", "Reason"),
    "substance": ("Substance", "Substance"),
    "kind": ("Nature", "Kind"),
    "reaction": ("Réaction", "Reaction"),
    "severity": ("Gravité", "Severity"),
    "disease": ("Maladie visée", "Disease"),
    "vaccine": ("Vaccin", "Vaccine"),
    "date": ("Date", "Date"),
    "number": ("Dose", "Dose"),
    "lot": ("Lot", "Lot"),
    "giver": ("Vacciné par", "Given by"),
    "due": ("Prochaine", "Next due"),
    "source": ("Source", "Source"),
    "relation": ("Parent", "Relative"),
    "onset": ("Âge au début", "Age at onset"),
    "role": ("Rôle", "Role"),
    "name": ("Nom", "Name"),
    "link": ("Lien", "Relation"),
    "phone": ("Téléphone", "Telephone"),
    "subject": ("Sujet", "Subject"),
    "answer": ("Réponse", "Answer"),
    "where": ("Où", "Where"),
    "fact": ("Information", "Information"),
    "contract": ("Numéro", "Number"),
    "measure": ("Mesure", "Measure"),
    "value": ("Valeur", "Value"),
}
ALLERGY_KINDS: Final[dict[str, Pair]] = {
    "": ("", ""),
    "medicine": ("médicament", "medicine"),
    "food": ("aliment", "food"),
    "contact": ("contact", "contact"),
    "airborne": ("respiratoire", "airborne"),
    "venom": ("venin", "venom"),
    "other": ("autre", "other"),
}
SEVERITIES: Final[dict[str, Pair]] = {
    "": ("", ""),
    "mild": ("légère", "mild"),
    "moderate": ("modérée", "moderate"),
    "severe": ("grave", "severe"),
}
RELATIONS: Final[dict[str, Pair]] = {
    "mother": ("mère", "mother"),
    "father": ("père", "father"),
    "sister": ("sœur", "sister"),
    "brother": ("frère", "brother"),
    "daughter": ("fille", "daughter"),
    "son": ("fils", "son"),
    "grandmother": ("grand-mère", "grandmother"),
    "grandfather": ("grand-père", "grandfather"),
    "aunt": ("tante", "aunt"),
    "uncle": ("oncle", "uncle"),
    "cousin": ("cousin ou cousine", "cousin"),
    "other": ("autre parent", "other relative"),
}
ROLES: Final[dict[str, Pair]] = {
    "trusted": ("personne de confiance", "trusted person"),
    "warn": ("personne à prévenir", "person to warn"),
    "physician": ("médecin traitant", "treating physician"),
    "carer": ("aidant", "carer"),
    "other": ("autre", "other"),
}
SUBJECTS: Final[dict[str, Pair]] = {
    "organ_donation": ("Don d'organes", "Organ donation"),
    "directives": ("Directives anticipées", "Advance directives"),
    "other": ("Autre volonté", "Other wish"),
}
ANSWERS: Final[dict[tuple[str, str], Pair]] = {
    ("organ_donation", "yes"): ("d'accord pour donner", "agrees to give"),
    ("organ_donation", "no"): ("refuse de donner", "refuses to give"),
    ("directives", "yes"): ("rédigées", "written"),
    ("directives", "no"): ("non rédigées", "not written"),
    ("other", "yes"): ("oui", "yes"),
    ("other", "no"): ("non", "no"),
}
FAMILY_TOLD: Final[Pair] = ("famille informée", "family told")
IN_RECORD: Final[Pair] = ("document du dossier", "document of the record")
TOPICS: Final[dict[str, Pair]] = {
    "insurance": ("Complémentaire santé", "Complementary insurance"),
    "language": ("Langue", "Language"),
    "needs": ("Besoins liés à un handicap", "Needs of a disability"),
    "work": ("Profession", "Work"),
    "housing": ("Logement", "Housing"),
    "other": ("Autre", "Other"),
}
SEXES: Final[dict[str, Pair]] = {
    "M": ("masculin", "male"),
    "F": ("féminin", "female"),
    "U": ("indéterminé", "undetermined"),
}
CHRONIC: Final[Pair] = ("chronique", "chronic")
ALD: Final[Pair] = ("affection de longue durée (ALD)", "recognised long-term illness (ALD)")
BOOSTER: Final[Pair] = ("rappel", "booster")
VALID_UNTIL: Final[Pair] = ("échéance : {}", "until {}")
BORN_AGE: Final[Pair] = ("{} ({} ans)", "{} (aged {})")
ONSET: Final[Pair] = ("{} ans", "{}")
BY_PATIENT: Final[Pair] = ("patient", "patient")
BY_REPRESENTATIVE: Final[Pair] = ("représentant", "representative")
BY_SUPPORT: Final[Pair] = ("saisi à sa demande", "entered at his request")

# -- identity and notes ---------------------------------------------------------------------------

IDENTITY: Final[dict[str, Pair]] = {
    "birth_name": ("Nom de naissance", "Birth name"),
    "used_name": ("Nom utilisé", "Name used"),
    "given": ("Prénoms", "Given names"),
    "sex": ("Sexe", "Sex"),
    "born": ("Date de naissance", "Date of birth"),
    "place": ("Lieu de naissance (code COG)", "Place of birth (COG code)"),
    "ins": ("Matricule INS", "INS number"),
}
MADE: Final[Pair] = ("Établie le {} à {} par {}.", "Made on {} at {} by {}.")
MADE_SHORT: Final[Pair] = ("Établie le {} à {}", "Made on {} at {}")
MAKERS: Final[dict[str, Pair]] = {
    "patient": ("le patient", "the patient"),
    "representative": ("son représentant légal {}", "the patient's legal representative {}"),
    "professional": ("{}", "{}"),
    "operator": ("l'assistance, à la demande du patient", "support, at the patient's request"),
}
ALERT: Final[Pair] = ("Allergies : {}", "Allergies: {}")
SOURCES: Final[Pair] = (
    "Ces informations sont déclarées par le patient ou son représentant et ne remplacent pas un "
    "avis médical. ✓ : ajouté par un professionnel dont l'identité a été vérifiée.",
    "The patient or his representative told these facts; they replace no "
    "medical advice. ✓: added by a professional whose identity was proven.",
)
LEFT_OUT: Final[Pair] = (
    "Rubriques non communiquées à l'auteur de cette synthèse : {}.",
    "Sections not open to who made this summary: {}.",
)
UNPRINTED: Final[Pair] = (
    "▯ : caractère qui n'a pas pu être imprimé ({}).",
    "▯: a character that could not be printed ({}).",
)
RUNNING: Final[Pair] = ("{}, né(e) le {}, INS {}", "{}, born on {}, INS {}")
PAGE: Final[Pair] = ("page {}/{}", "page {}/{}")


def told(pair: Pair, language: Language) -> str:
    """One of a pair."""
    return pair[1] if language == "en" else pair[0]
