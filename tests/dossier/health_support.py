"""A person with a record, who may act on it, and items to put into it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import activity
import patients
from activity import Activity, Actor
from dossier import health, rights
from dossier.health import Dose, PartialDate
from patients import calendar
from store import Store, now_ms
from tests.patients.patients_support import DOMAIN, ins_of, person

PATIENT, MOTHER, STRANGER = (ins_of(number) for number in range(3))
DOCTOR: Final = Actor(
    by="professional", ident="810000000001", name="Dr Camille EXEMPLE", profession="10",
    structure="1750803447", organisation="Centre de santé de l'Exemple",
)  # fmt: skip
OTHER: Final = Actor(by="professional", ident="810000000002", name="Dr Paul AUTRE", profession="10")
PHARMACIST: Final = Actor(by="professional", ident="810000000003", name="Ana OFFICINE", profession="21")
SUPPORT: Final = Actor(by="operator", ident="cli:test", reason="written request of 3 March")

ASTHMA: Final = health.Illness(
    label="Asthme", system="CIM-10", code="J45.9", begin=PartialDate(2014), chronic=True, ald=True
)
PENICILLIN: Final = health.Allergy(
    substance="Pénicilline", kind="medicine", reaction="Œdème de Quincke", severity="severe",
    begin=PartialDate(1999, 4),
)  # fmt: skip
INHALER: Final = health.Treatment(
    label="Salbutamol 100 µg", dose=Dose(Decimal(2), "bouffée"), rhythm="si besoin",
    begin=PartialDate(2010, 9), reason="Asthme",
)  # fmt: skip
TETANUS: Final = health.Vaccination(
    vaccine="Revaxis", diseases=["Diphtérie", "Tétanos", "Poliomyélite"], date=PartialDate(2019, 5, 12),
    booster=True, lot="R1234", next_due=PartialDate(2039),
)  # fmt: skip
HEART: Final = health.FamilyHistory(relation="father", illness="Infarctus du myocarde", onset_age=52)
TRUSTED: Final = health.Contact(role="trusted", name="Anne EXEMPLE", relation="sœur", phone="06 12 34 56 78")
GIVES: Final = health.Wish(subject="organ_donation", answer="yes", family_told=True)
INSURANCE: Final = health.Administrative(
    topic="insurance", text="Mutuelle de l'Exemple", number="M-12345", until=PartialDate(2027, 12, 31)
)
EVERYTHING: Final = (ASTHMA, PENICILLIN, INHALER, TETANUS, HEART, TRUSTED, GIVES, INSURANCE)


class Record:
    """Somebody of age (or ``years`` old, with a mother) whose record is open."""

    def __init__(self, home: Path, years: int = 40, *, url: str = "", **traits: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "passerelle.toml").write_text(
            f'[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "{DOMAIN}"\n',
            encoding="utf-8",
        )
        self.home = home
        self.store = Store.open(home, url=url)
        self.born = f"{calendar.today(now_ms()).year - years}-01-01"
        first = person(0, **({"birth_date": self.born} | traits))
        self.store.write(patients.add_persons, persons=[first, person(1), person(2)], actor="test")
        for ins in (PATIENT, MOTHER):
            patients.activate(self.store, ins, DOMAIN, actor="test")
        if years < 18:
            self.store.write(
                patients.attach_representative, ins=PATIENT, representative=MOTHER, capacity="parent",
                actor="desk", reason="",
            )  # fmt: skip
        found = self.store.read(patients.profile, PATIENT)
        assert found is not None and found.box_id is not None
        self.box_id = found.box_id

    def grow_up(self) -> None:
        born = f"{calendar.today(now_ms()).year - 19}-01-01"
        self.store.write(patients.add_persons, persons=[person(0, birth_date=born)], actor="test")

    def actor(self, ins: str) -> Actor:
        return self.store.read(activity.person, self.box_id, ins)

    @property
    def patient(self) -> Actor:
        return self.actor(PATIENT)

    def authorise(self, *professionals: Actor) -> None:
        for one in professionals:
            rights.authorise(self.store, self.box_id, self.patient, one.ident)

    def put(self, item: health.Item, actor: Actor | None = None, **more: Any) -> int:
        return health.put(self.store, self.box_id, actor or self.patient, item, **more)

    def items(self, actor: Actor | None = None, **more: Any) -> list[health.ProfileItem]:
        return self.store.read(health.items, self.store, self.box_id, actor or self.patient, **more)

    def seen(self, actor: Actor) -> set[str]:
        return {health.name_of(one.item) or one.section for one in self.items(actor)}

    def journal(self, what: str) -> list[Activity]:
        found = self.store.read(activity.entries, self.store, self.box_id)
        return [one for one in found if one.what == what]
