"""Who appears in the demonstration. Nobody of them exists; the INS are of the demonstration authority."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from certs import DEMO_SERVERS
from patients import OID_NIR_DEMO, Person, ins_key

PATIENT_DOMAIN: Final = "patient.mssante.test"
HOSPITAL_DOMAIN: Final = "hopital-exemple.mssante.test"
OFFICINE_DOMAIN: Final = "officine-exemple.mssante.test"
CLINIC_DOMAIN: Final = "clinique-exemple.mssante.test"
SIGNER_CN: Final = "alb.mssante.test"
SIGNER_OU: Final = "390000000000023"


def ins(first13: str) -> str:
    """The INS of 15 characters: 13 and their key."""
    return first13 + ins_key(first13)


@dataclass(frozen=True)
class Patient:
    """A patient of the demonstration."""

    ins: str
    birth_name: str
    given: str
    sex: str
    birth_date: str
    birth_place: str

    @property
    def address(self) -> str:
        return f"{self.ins}@{PATIENT_DOMAIN}"

    @property
    def person(self) -> Person:
        return Person(
            self.ins,
            OID_NIR_DEMO,
            self.birth_name,
            self.given,
            "",
            self.sex,
            self.birth_date,
            self.birth_place,
        )


ALICE: Final = Patient(ins("2690675056001"), "DUPONT-EXEMPLE", "ALICE", "F", "1969-06-12", "75056")
BASILE: Final = Patient(ins("1850369123042"), "MARTIN-EXEMPLE", "BASILE", "M", "1985-03-02", "69123")
CLEMENCE: Final = Patient(ins("2010113055077"), "PETIT-EXEMPLE", "CLEMENCE", "F", "2001-01-20", "13055")


#: What Alice types in the pages: her card (Vitale), how she is reached, her account.
ALICE_CARD: Final = "123456789"
ALICE_EMAIL: Final = "alice@courriel.test"
ALICE_NAME: Final = "alice.demo"
ALICE_PASSWORD: Final = "quatre hérissons bleus"  # noqa: S105  # of nobody
TERMS: Final = "2026-1"


@dataclass(frozen=True)
class Professional:
    """A professional's or a structure's mailbox at the hospital's operator."""

    key: str
    address: str
    id_nat: str = ""
    struct_id: str = ""
    family: str = ""
    given: str = ""
    profession: str = "10"
    finess: str = ""
    legal_name: str = ""
    sector: str = ""
    row: dict[str, str] = field(default_factory=dict)


DOCTOR: Final = Professional(
    "doctor",
    f"camille.exemple@{HOSPITAL_DOMAIN}",
    id_nat="899900000101",
    family="EXEMPLE",
    given="CAMILLE",
    finess="690000007",
    legal_name="HOPITAL EXEMPLE",
    sector="SA01",
)
COLLEAGUE: Final = Professional(
    "colleague",
    f"jean.collegue@{HOSPITAL_DOMAIN}",
    id_nat="899900000127",
    family="COLLEGUE",
    given="JEAN",
    finess="690000007",
    legal_name="HOPITAL EXEMPLE",
    sector="SA01",
)
PHARMACY: Final = Professional(
    "pharmacy",
    f"pharmacie.exemple@{OFFICINE_DOMAIN}",
    struct_id="1750099999",
    finess="750099999",
    legal_name="PHARMACIE EXEMPLE",
    id_nat="899900000119",
    family="MODELE",
    given="DOMINIQUE",
    profession="21",
    sector="SA33",
)
PROFESSIONALS: Final = (DOCTOR, COLLEAGUE, PHARMACY)

GATEWAY_SERVER, HOSPITAL_SERVER, CLINIC_SERVER = DEMO_SERVERS
