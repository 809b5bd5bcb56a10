"""The sample's record, agenda and consents: documents, profile, measures, appointments."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import agenda
import catalogue
import dossier
import patients
from activity import Actor
from dossier import health, measures
from gateway.sample import files
from gateway.sample.people import CAMILLE, DOCTOR, LABORATORY, LOUIS, Patient
from store import Store, now_ms

_DAY_MS: Final = 24 * 3_600_000
_LIST: Final = Path(catalogue.__file__).parent / "sample"


def fill(store: Store) -> None:
    """Fill the record of the sample's patient, and a little of her child's. Blocking."""
    _documents(store)
    _profile(store)
    _measures(store)
    _agenda(store)
    _catalogue(store)


def _today() -> date:
    return datetime.now(ZoneInfo("Europe/Paris")).date()


def _box(store: Store, patient: Patient) -> int:
    found = store.read(patients.profile, patient.ins)
    assert found is not None and found.box_id is not None
    return found.box_id


def _camille() -> Actor:
    return Actor(by="patient", ident=CAMILLE.ins, name="Camille SPECIMEN")


def _documents(store: Store) -> None:
    doctor = Actor(
        by="professional", ident=DOCTOR.id_nat, name=DOCTOR.name, profession="10", organisation=DOCTOR.place
    )
    laboratory = Actor(
        by="structure", ident=LABORATORY.struct_id, structure=LABORATORY.struct_id, name=LABORATORY.name
    )
    now = now_ms() // 1000 * 1000
    for patient, actor, title, kind, ago in (
        (CAMILLE, doctor, "Ordonnance", "57833-6", 20),
        (CAMILLE, doctor, "Compte rendu de consultation", "11488-4", 48),
        (CAMILLE, laboratory, "Résultats d'analyses de sang", "11502-2", 1),
        (LOUIS, doctor, "Certificat médical pour le sport", "11488-4", 9),
    ):
        dossier.deposit(
            store,
            _box(store, patient),
            actor,
            content=files.pdf(title),
            filename=f"{title}.pdf",
            title=title,
            type_code=kind,
            date=now - ago * _DAY_MS,
        )
    dossier.deposit(
        store,
        _box(store, CAMILLE),
        _camille(),
        content=files.picture(),
        filename="radio-poignet.png",
        title="Radiographie du poignet",
        category="Radio, écho, scanner, IRM",
        date=now - 2 * _DAY_MS,
    )


def _profile(store: Store) -> None:
    box_id, actor = _box(store, CAMILLE), _camille()
    year = _today().year
    for item in (
        health.Illness(label="Hypertension artérielle", begin=health.PartialDate(2021), chronic=True),
        health.Treatment(
            label="Amlodipine", dose=health.Dose(Decimal(5), "mg"), rhythm="le matin", reason="tension"
        ),
        health.Allergy(substance="Pénicilline", reaction="plaques rouges", severity="moderate"),
        health.Vaccination(
            vaccine="Rappel DTP",
            diseases=["diphtérie", "tétanos", "poliomyélite"],
            date=health.PartialDate(2022, 5),
        ),
        health.Vaccination(vaccine="Grippe", diseases=["grippe"], date=health.PartialDate(year - 1, 11)),
        health.NoneKnown(of="family"),
    ):
        health.put(store, box_id, actor, item)


def _measures(store: Store) -> None:
    box_id, actor = _box(store, CAMILLE), _camille()
    today = _today()
    weights = ("71,4", "71", "70,6", "70,8", "70,1", "69,7", "69,5", "69,2")
    pressures = ("14/9", "13,5/8,5", "13,8/8,7", "13/8,2", "12,8/8", "12,9/8,1", "12,5/7,8", "12,6/7,9")
    for number, (weight, pressure) in enumerate(zip(weights, pressures, strict=True)):
        moment = measures.moments.on_day(today - timedelta(days=3 + 24 * (len(weights) - 1 - number)))
        measures.add(store, box_id, actor, measures.parse("weight", weight), moment)
        measures.add(store, box_id, actor, measures.parse("blood_pressure", pressure), moment)
    height = measures.moments.on_day(today - timedelta(days=200))
    measures.add(store, box_id, actor, measures.parse("height", "1,68 m"), height)


def _agenda(store: Store) -> None:
    box_id, actor = _box(store, CAMILLE), _camille()
    today = _today()

    def at(days: int, clock: str) -> str:
        return f"{(today + timedelta(days=days)).isoformat()}T{clock}:00"

    doctor = agenda.Professional(id_nat=DOCTOR.id_nat, name=DOCTOR.name)
    for details in (
        agenda.Details(
            title="Consultation de suivi",
            begin=at(6, "10:30"),
            end=at(6, "11:00"),
            place="Centre de santé du Parc inventé, Lyon",
            professional=doctor,
            reminders=[24 * 60],
        ),
        agenda.Details(
            title="Prise de tension à la maison",
            begin=at(1, "08:00"),
            end=at(1, "08:10"),
            rule="FREQ=WEEKLY;COUNT=12",
        ),
        agenda.Details(title="Dentiste", begin=at(23, "17:15"), end=at(23, "17:45"), place="Lyon 3e"),
    ):
        agenda.add(store, box_id, actor, details)


def _catalogue(store: Store) -> None:
    catalogue.import_list(store, _LIST / "criteria.csv", "criteria", actor="sample")
    catalogue.import_list(store, _LIST / "services.csv", "services", actor="sample")
