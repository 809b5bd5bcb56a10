"""Who appears in the sample: a patient, her child, and those who care for them. None of them exists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import annuaire
from annuaire.demo import write_activities, write_mssante
from patients import OID_NIR_DEMO, Person, ins_key
from store import Store

PATIENT_DOMAIN: Final = "patient.invite.test"
PRO_DOMAIN: Final = "soins.invite.test"


@dataclass(frozen=True)
class Patient:
    """A patient of the sample."""

    ins: str
    family: str
    given: str
    sex: str
    born: str

    @property
    def address(self) -> str:
        return f"{self.ins}@{PATIENT_DOMAIN}"

    @property
    def person(self) -> Person:
        return Person(self.ins, OID_NIR_DEMO, self.family, self.given, "", self.sex, self.born, "69123")


@dataclass(frozen=True)
class Professional:
    """Somebody who writes to her, or an organisation (``struct_id``)."""

    local: str
    name: str  # as the mail shows it
    id_nat: str = ""
    struct_id: str = ""
    civility: str = ""
    family: str = ""
    given: str = ""
    profession: str = "10"
    speciality: str = ""
    finess: str = "690000999"
    place: str = "CENTRE DE SANTE DU PARC INVENTE"
    sector: str = "SA05"
    town: str = "LYON"
    postcode: str = "69003"

    @property
    def address(self) -> str:
        return f"{self.local}@{PRO_DOMAIN}"


def _ins(first13: str) -> str:
    return first13 + ins_key(first13)


CAMILLE: Final = Patient(_ins("2870469123012"), "SPECIMEN", "CAMILLE", "F", "1987-04-12")
LOUIS: Final = Patient(_ins("1170969123034"), "SPECIMEN", "LOUIS", "M", "2017-09-03")

DOCTOR: Final = Professional(
    "helene.modele",
    "Dr Hélène MODELE",
    id_nat="899900000911",
    civility="DR",
    family="MODELE",
    given="HELENE",
    speciality="SM54",
)
NURSE: Final = Professional(
    "amine.fictif",
    "Amine FICTIF",
    id_nat="899900000929",
    family="FICTIF",
    given="AMINE",
    profession="60",
)
PHYSIO: Final = Professional(
    "rose.essai",
    "Rose ESSAI",
    id_nat="899900000937",
    family="ESSAI",
    given="ROSE",
    profession="70",
    place="CABINET DE KINESITHERAPIE EXEMPLE",
)
LABORATORY: Final = Professional(
    "resultats.labo",
    "Laboratoire des Exemples",
    struct_id="1690000981",
    id_nat="899900000945",
    family="ECHANTILLON",
    given="PAUL",
    profession="21",
    finess="690000981",
    place="LABORATOIRE DES EXEMPLES",
    sector="SA25",
)
PHARMACY: Final = Professional(
    "pharmacie.dumodele",
    "Pharmacie du Modèle",
    struct_id="1690000973",
    id_nat="899900000952",
    family="OFFICINE",
    given="CLAUDE",
    profession="21",
    finess="690000973",
    place="PHARMACIE DU MODELE",
    sector="SA33",
)
PROFESSIONALS: Final = (DOCTOR, NURSE, PHYSIO, LABORATORY, PHARMACY)


def directory(store: Store, folder: Path) -> None:
    """Have the annuaire know them; ``folder`` holds the extractions that are written for it. Blocking."""
    mailboxes: list[dict[str, str]] = []
    activities: list[dict[str, str]] = []
    for one in PROFESSIONALS:
        person = {
            "civility": one.civility,
            "family": one.family,
            "given": one.given,
            "profession": one.profession,
        }
        where = {"postcode": one.postcode, "department": one.postcode[:2]}
        site = {"finess": one.finess, "legal_name": one.place, "sector": one.sector, "town": one.town}
        activities.append({"national": one.id_nat, **person, **site, **where, "speciality": one.speciality})
        box = {"address": one.address, "legal_name": one.place, **where, "delivery_line": one.town}
        if one.struct_id:
            mailboxes.append({"kind": "ORG", "structure_kind": "1", "structure": one.finess, **box})
        else:
            mailboxes.append({"kind": "PER", "national": one.id_nat, **person, **box})
    for path in (
        write_mssante(folder / "Extraction_Correspondance_MSSante.txt", mailboxes),
        write_activities(folder / "PS_LibreAcces_Personne_activite.txt", activities),
    ):
        annuaire.import_extraction(store, path)
