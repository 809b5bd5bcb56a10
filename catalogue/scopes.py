"""Scopes of an exchange: what a service may read or write, in codes for machines and words for people.

``read:documents/ordonnances``, ``write:measures/weight``, ``read:profile/allergy``, ``read:agenda``: an
access, a part of the record, and what of it. The codes are stable; consents name them.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Access = Literal["read", "write"]
Part = Literal["documents", "measures", "profile", "agenda"]

#: part -> code -> what a patient reads, in French and English. "" stands for the part as a whole.
PARTS: Final[dict[Part, dict[str, tuple[str, str]]]] = {
    "documents": {
        "resume": ("Ma santé en résumé", "my health in short"),
        "ordonnances": ("Ordonnances et soins", "prescriptions and care"),
        "comptes-rendus": ("Comptes rendus", "reports"),
        "imagerie": ("Radio, écho, scanner, IRM", "medical imaging"),
        "biologie": ("Résultats de biologie", "laboratory results"),
        "prevention": ("Prévention et dépistages", "prevention and screening"),
        "certificats": ("Certificats", "medical certificates"),
        "administratif": ("Pièces administratives", "administrative papers"),
        "volontes": ("Volontés et directives anticipées", "wishes and advance directives"),
        "autres": ("Autres", "other documents"),
    },
    "measures": {
        "weight": ("poids", "weight"),
        "height": ("taille", "height"),
        "waist": ("tour de taille", "waist"),
        "temperature": ("température", "temperature"),
        "blood_pressure": ("tension artérielle", "blood pressure"),
        "heart_rate": ("fréquence cardiaque", "heart rate"),
        "glycaemia": ("glycémie", "glycaemia"),
        "cholesterol_total": ("cholestérol total", "total cholesterol"),
        "cholesterol_ldl": ("cholestérol LDL", "LDL cholesterol"),
        "cholesterol_hdl": ("cholestérol HDL", "HDL cholesterol"),
        "triglycerides": ("triglycérides", "triglycerides"),
        "pain": ("douleur", "pain"),
    },
    "profile": {
        "illness": ("maladies et sujets de santé", "illnesses and health topics"),
        "treatment": ("traitements", "treatments"),
        "allergy": ("allergies", "allergies"),
        "vaccination": ("vaccinations", "vaccinations"),
        "family": ("antécédents familiaux", "family history"),
        "contact": ("entourage", "persons to contact"),
        "wish": ("volontés", "wishes"),
        "administrative": ("situation administrative", "administrative facts"),
    },
    "agenda": {"": ("agenda", "appointments")},
}
_PART_FRENCH: Final = {"documents": "documents : ", "measures": "mesures : ", "profile": "profil médical : "}
_PART_ENGLISH: Final = {"documents": "documents: ", "measures": "measures: ", "profile": "medical profile: "}


class Scope(msgspec.Struct, frozen=True):
    """One thing that a service may do: ``access`` to ``code`` of a ``part`` ("" for the agenda)."""

    access: Access
    part: Part
    code: str = ""

    def __str__(self) -> str:
        return f"{self.access}:{self.part}/{self.code}" if self.code else f"{self.access}:{self.part}"

    @property
    def french(self) -> str:
        words = PARTS[self.part][self.code][0]
        verb = "lire" if self.access == "read" else "ajouter"
        return f"{verb} – {_PART_FRENCH.get(self.part, '')}{words}"

    @property
    def english(self) -> str:
        words = PARTS[self.part][self.code][1]
        verb = "read" if self.access == "read" else "add"
        return f"{verb} – {_PART_ENGLISH.get(self.part, '')}{words}"


def parse_scope(text: str) -> Scope:
    """The scope that ``text`` writes. Raises :class:`ValueError` where it is none."""
    access, colon, rest = text.strip().partition(":")
    part, _, code = rest.partition("/")
    for known_access in ("read", "write"):
        for known_part, codes in PARTS.items():
            if colon and access == known_access and part == known_part and code in codes:
                scope = Scope("read" if access == "read" else "write", known_part, code)
                if str(scope) == text.strip():
                    return scope
    raise ValueError(f"no scope is called {text.strip()[:80]!r}")
