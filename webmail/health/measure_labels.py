"""What kinds of measures are called in addresses, their symbols, and how one is typed."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from dossier.measures import Shown
from webmail.languages import N_

Period = Literal["mois", "annee", "tout"]
PERIODS: Final[dict[Period, str]] = {
    "mois": N_("Un mois"),
    "annee": N_("Un an"),
    "tout": N_("Tout"),
}
DAYS: Final[dict[Period, int]] = {"mois": 31, "annee": 366, "tout": 0}


class KindWords(msgspec.Struct, frozen=True):
    """``slug`` stands in addresses; ``hint`` shows how the value is typed."""

    slug: str
    icon: str
    hint: str


KIND_WORDS: Final[dict[Shown, KindWords]] = {
    "weight": KindWords("poids", "weight", N_("Par exemple : 72,5")),
    "height": KindWords("taille", "ruler", N_("Par exemple : 168 ou 1,68 m")),
    "bmi": KindWords("imc", "scale", ""),
    "waist": KindWords("tour-de-taille", "ruler", N_("Par exemple : 84")),
    "temperature": KindWords("temperature", "thermometer", N_("Par exemple : 37,2")),
    "blood_pressure": KindWords("tension", "activity", N_("Les deux nombres : 12/8 ou 120/80")),
    "heart_rate": KindWords("frequence-cardiaque", "heart-pulse", N_("Battements par minute : 70")),
    "glycaemia": KindWords("glycemie", "droplet", N_("Par exemple : 0,95")),
    "cholesterol_total": KindWords("cholesterol-total", "droplet", N_("Par exemple : 1,90")),
    "cholesterol_ldl": KindWords("cholesterol-ldl", "droplet", N_("Par exemple : 1,10")),
    "cholesterol_hdl": KindWords("cholesterol-hdl", "droplet", N_("Par exemple : 0,55")),
    "triglycerides": KindWords("triglycerides", "droplet", N_("Par exemple : 1,20")),
    "pain": KindWords("douleur", "trending-up", N_("De 0 (aucune) à 10 (la pire)")),
}
KIND_OF: Final[dict[str, Shown]] = {words.slug: kind for kind, words in KIND_WORDS.items()}
