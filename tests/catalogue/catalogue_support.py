"""A patient, a list of two services, and short ways to say consents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import activity
import catalogue
import patients
from activity import Activity, Actor
from catalogue import CatalogueReport
from store import Store
from tests.patients.patients_support import DOMAIN, ins_of, person

WEIGHT, PAIN, AGENDA = "read:measures/weight", "write:measures/pain", "read:agenda"
OPERATOR = Actor(by="operator", ident="cli:test", reason="letter of 3 May")


def service(service_id: str = "poids", **changes: Any) -> dict[str, Any]:
    return {
        "id": service_id, "name": f"Le {service_id}", "publisher": "Exemple", "category": "Prévention",
        "description_fr": "Suivre", "price": "gratuit", "sector": "private", "since": "2026-01-01",
        "scopes": [WEIGHT, PAIN], "url": "https://x.exemple.test/", "contact": "c@x.exemple.test",
    } | changes  # fmt: skip


def put(store: Store, folder: Path, *services: dict[str, Any], **options: Any) -> CatalogueReport:
    """Put a list of services in use."""
    path = folder / "services.json"
    path.write_text(json.dumps({"services": list(services)}), encoding="utf-8")
    return catalogue.import_list(store, path, "services", actor="test", **options)


def activated(store: Store, number: int = 0, **traits: str) -> int:
    """Somebody with an activated profile; his box."""
    store.write(patients.add_persons, persons=[person(number, **traits)], actor="test")
    patients.activate(store, ins_of(number), DOMAIN, actor="test")
    found = store.read(patients.profile, ins_of(number))
    assert found is not None and found.box_id is not None
    return found.box_id


def as_person(store: Store, box_id: int, number: int = 0) -> Actor:
    return store.read(activity.person, box_id, ins_of(number))


def journal(store: Store, box_id: int) -> list[Activity]:
    """The journal, oldest first."""
    return store.read(activity.entries, store, box_id)[::-1]
