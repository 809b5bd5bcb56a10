"""The medical profile and the measures into the archive: a FHIR R4 Bundle for other software; the items as
JSON and the measures as CSV, exactly as entered, for taking them over.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

import catalogue
from activity import Actor
from catalogue import Consent
from dossier import health, measures
from dossier.health import Author, Item, ProfileItem
from dossier.measures import INFO, KINDS, Measure
from patients import Profile
from store import Store

BUNDLE: Final = "profile/bundle.json"
ITEMS: Final = "profile/items.json"
MEASURES: Final = "profile/measures.csv"
_UCUM: Final = "http://unitsofmeasure.org"
_LOINC: Final = "http://loinc.org"
_GENDERS: Final = {"M": "male", "F": "female"}
_NAMESPACE: Final = uuid.UUID("1f6a0d3e-8f0b-5c55-9d3c-60a1a1f4f7c2")


class ItemFact(msgspec.Struct, frozen=True, kw_only=True):
    """An item of ``profile/items.json``: what it says, whether it is over, who added it when (ms)."""

    item: Item
    ended: bool
    hidden: bool
    added_at: int
    added_by: Author


class HealthPlan(msgspec.Struct, frozen=True):
    """The items of the profile and the measures that go along."""

    items: list[ProfileItem]
    measures: list[Measure]


def plan_health(conn: Connection, store: Store, box_id: int, reader: Actor) -> HealthPlan:
    """What ``reader`` may read of profile and measures. Raises as :func:`dossier.measures.series`."""
    return HealthPlan(
        items=health.items(conn, store, box_id, reader),
        measures=[one for kind in KINDS for one in measures.series(conn, store, box_id, reader, kind)],
    )


def item_facts(plan: HealthPlan) -> list[ItemFact]:
    """The items as ``profile/items.json`` has them."""
    return [
        ItemFact(
            item=one.item,
            ended=one.state == "ended",
            hidden=one.hidden,
            added_at=one.added_at,
            added_by=one.added_by,
        )
        for one in plan.items
    ]


def bundle(owner: Profile, plan: HealthPlan, consents: list[Consent], moment: str) -> dict[str, Any]:
    """A FHIR R4 Bundle (type collection): the Patient, one resource an item, Observations, Consents.

    :param moment: when it is made, ISO 8601 with an offset.
    """
    entries: list[dict[str, Any]] = []

    def add(key: str, resource: dict[str, Any]) -> str:
        url = f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{owner.ins}/{key}')}"
        entries.append({"fullUrl": url, "resource": resource})
        return url

    patient = add("patient", _patient(owner))
    for item in plan.items:
        resource = health.to_fhir(
            item.item, patient=patient, item_id=item.item_id, over=item.state == "ended"
        )
        add(f"item/{item.item_id}", resource)
    for one in plan.measures:
        add(f"measure/{one.measure_id}", _observation(one, patient))
    for number, consent in enumerate(consents):
        add(f"consent/{number}", _consent(consent, patient))
    return {"resourceType": "Bundle", "type": "collection", "timestamp": moment, "entry": entries}


def _patient(owner: Profile) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"use": "official", "system": f"urn:oid:{owner.oid}", "value": owner.ins}],
        "name": [{"use": "official", "family": owner.birth_name, "given": owner.given_names}],
        "gender": _GENDERS.get(owner.sex.upper(), "unknown"),
        "birthDate": owner.birth_date,
    }


def _observation(one: Measure, patient: str) -> dict[str, Any]:
    info = INFO[one.kind]
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": str(one.measure_id),
        "status": "final",
        "code": {
            "coding": [{"system": _LOINC, "code": info.loinc, "display": info.english}],
            "text": info.french,
        },
        "subject": {"reference": patient},
        "effectiveDateTime": _when(one),
    }
    if one.note:
        resource["note"] = [{"text": one.note}]
    values = [_quantity(one, number) for number in one.quantity.numbers]
    if len(info.parts) == 1:
        return resource | {"valueQuantity": values[0]}
    components = [
        {
            "code": {"coding": [{"system": _LOINC, "code": part.loinc}], "text": part.french},
            "valueQuantity": value,
        }
        for part, value in zip(info.parts, values, strict=True)
    ]
    return resource | {"component": components}


def _when(one: Measure) -> str:
    return one.moment.day.isoformat() if one.moment.day_only else one.moment.iso


def _quantity(one: Measure, number: str) -> dict[str, Any]:
    value = msgspec.Raw(number.encode())  # the digits as entered: no binary fraction touches them
    unit = (
        {"unit": one.quantity.unit, "system": _UCUM, "code": one.quantity.unit} if one.quantity.unit else {}
    )
    return {"value": value, **unit}


def _consent(one: Consent, patient: str) -> dict[str, Any]:
    return {
        "resourceType": "Consent",
        "status": "active" if one.standing == "given" else "inactive",
        "scope": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                    "code": "patient-privacy",
                }
            ]
        },
        "category": [{"text": "Accord à un échange de données avec un service du catalogue"}],
        "patient": {"reference": patient},
        "policyRule": {"text": catalogue.sentence(one)},
    }
