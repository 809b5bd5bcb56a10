"""Professions in words: labels of the codes of G15 that the annuaire publishes, French and English."""

from __future__ import annotations

from typing import Final

PROFESSIONS: Final[dict[str, tuple[str, str]]] = {
    "10": ("Médecin", "physician"),
    "21": ("Pharmacien", "pharmacist"),
    "26": ("Audioprothésiste", "hearing aid specialist"),
    "28": ("Opticien-Lunetier", "optician"),
    "31": ("Assistant dentaire", "dental assistant"),
    "32": ("Physicien médical", "medical physicist"),
    "35": ("Aide-soignant", "care assistant"),
    "36": ("Ambulancier", "ambulance driver"),
    "37": ("Auxiliaire de puériculture", "nursery nurse"),
    "38": ("Préparateur en pharmacie hospitalière", "hospital pharmacy technician"),
    "39": ("Préparateur en pharmacie", "pharmacy technician"),
    "40": ("Chirurgien-Dentiste", "dental surgeon"),
    "50": ("Sage-Femme", "midwife"),
    "60": ("Infirmier", "nurse"),
    "69": ("Infirmier psychiatrique", "psychiatric nurse"),
    "70": ("Masseur-Kinésithérapeute", "physiotherapist"),
    "80": ("Pédicure-Podologue", "podiatrist"),
    "81": ("Orthoprothésiste", "prosthetist"),
    "82": ("Podo-Orthésiste", "shoe orthotist"),
    "83": ("Orthopédiste-Orthésiste", "orthotist"),
    "84": ("Oculariste", "ocularist"),
    "85": ("Épithésiste", "maxillofacial prosthetist"),
    "86": ("Technicien de laboratoire médical", "medical laboratory technician"),
    "91": ("Orthophoniste", "speech therapist"),
    "92": ("Orthoptiste", "orthoptist"),
    "93": ("Psychologue", "psychologist"),
    "94": ("Ergothérapeute", "occupational therapist"),
    "95": ("Diététicien", "dietitian"),
    "96": ("Psychomotricien", "psychomotor therapist"),
    "98": ("Manipulateur ERM", "radiographer"),
}


def profession_label(code: str) -> tuple[str, str]:
    """The profession of a code of G15 in French and English; both "" for a code without a label."""
    return PROFESSIONS.get(code, ("", ""))
