"""The profile as FHIR R4 resources, for taking it along; :mod:`dossier.health.fhir_reading` is the way back.

Each item becomes one resource of the kind that other software looks for. What R4 has no element for stands in
extensions of our own. A resource names the patient by the reference that the caller gives, and carries no
identity itself. Partial dates are FHIR dates as they are.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from dossier.health.items import (
    Administrative,
    Allergy,
    Contact,
    FamilyHistory,
    Illness,
    Item,
    NoneKnown,
    Treatment,
    Vaccination,
    Wish,
)

Resource = dict[str, Any]

#: Base of the extensions and code systems that are ours alone.
OURS: Final = "urn:passerelle:fhir"
SYSTEMS: Final = {"CIM-10": "http://hl7.org/fhir/sid/icd-10", "SNOMED CT": "http://snomed.info/sct"}
UCUM: Final = "http://unitsofmeasure.org"
#: Our units that UCUM has a code for; the others are counted things and go without.
UCUM_CODES: Final = {
    "kg": "kg", "g": "g", "mg": "mg", "µg": "ug", "ng": "ng", "l": "L", "ml": "mL", "µl": "uL",
    "UI": "[IU]", "mmol": "mmol", "mEq": "meq", "MBq": "MBq", "GBq": "GBq", "%": "%", "mg/ml": "mg/mL",
    "µg/ml": "ug/mL", "mg/kg": "mg/kg", "µg/kg": "ug/kg", "UI/kg": "[IU]/kg", "UI/ml": "[IU]/mL",
    "mg/h": "mg/h", "µg/h": "ug/h", "ml/h": "mL/h", "l/min": "L/min",
}  # fmt: skip
#: IdNat_PS, the national identifiers of professionals.
ID_NAT_PS: Final = "urn:oid:1.2.250.1.71.4.2.1"
ALLERGY_CATEGORIES: Final = {
    "medicine": "medication",
    "food": "food",
    "contact": "environment",
    "airborne": "environment",
    "venom": "biologic",
}
RELATIONS: Final = {
    "mother": "MTH", "father": "FTH", "sister": "SIS", "brother": "BRO", "daughter": "DAU", "son": "SON",
    "grandmother": "GRMTH", "grandfather": "GRFTH", "aunt": "AUNT", "uncle": "UNCLE", "cousin": "COUSN",
    "other": "FAMMEMB",
}  # fmt: skip
ROLE_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
#: "None known", as the International Patient Summary says it.
ABSENT: Final = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
ABSENT_CODES: Final = {
    "illness": "no-known-problems",
    "treatment": "no-known-medications",
    "allergy": "no-known-allergies",
    "vaccination": "no-known-immunizations",
}
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"


def to_fhir(item: Item, *, patient: str = "", item_id: int = 0, over: bool = False) -> Resource:
    """The item as one resource: FHIR R4 JSON, as a dict of plain values.

    :param patient: reference to the Patient resource (``"Patient/1"``); left out when empty.
    :param item_id: becomes the resource's id; 0 for none.
    :param over: the item holds no more, whatever its dates say.
    """
    resource = _resource(item, over)
    if item_id:
        resource["id"] = str(item_id)
    if patient:
        by_subject = resource["resourceType"] in ("Condition", "MedicationStatement", "Observation")
        resource["subject" if by_subject else "patient"] = {"reference": patient}
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}


def _resource(item: Item, over: bool) -> Resource:
    if isinstance(item, Illness):
        return _condition(item, over)
    if isinstance(item, Treatment):
        return _medication(item, over)
    if isinstance(item, Allergy):
        return _allergy(item, over)
    if isinstance(item, Vaccination):
        return _immunization(item)
    if isinstance(item, FamilyHistory):
        return _family(item)
    if isinstance(item, Contact):
        return _related(item, over)
    if isinstance(item, Wish):
        return _wish(item, over)
    if isinstance(item, Administrative):
        return _administrative(item, over)
    return _none(item)


def _condition(item: Illness, over: bool) -> Resource:
    coding = [{"system": SYSTEMS[item.system], "code": item.code}] if item.system else []
    return {
        "resourceType": "Condition",
        "clinicalStatus": _status("condition-clinical", "resolved" if over or item.end else "active"),
        "code": {"text": item.label} | ({"coding": coding} if coding else {}),
        "onsetDateTime": str(item.begin or ""),
        "abatementDateTime": str(item.end or ""),
        "note": _note(item.note),
        "extension": _extensions(chronic=item.chronic, ald=item.ald),
    }


def _medication(item: Treatment, over: bool) -> Resource:
    dosage: Resource = {"text": item.rhythm} if item.rhythm else {}
    if item.dose is not None:
        quantity: Resource = {"value": number(item.dose.amount), "unit": item.dose.unit}
        if code := UCUM_CODES.get(item.dose.unit):
            quantity |= {"system": UCUM, "code": code}
        dosage["doseAndRate"] = [{"doseQuantity": quantity}]
    period = {name: str(day) for name, day in (("start", item.begin), ("end", item.end)) if day}
    return {
        "resourceType": "MedicationStatement",
        "status": "completed" if over or item.end else "active",
        "medicationCodeableConcept": {"text": item.label},
        "effectivePeriod": period,
        "dosage": [dosage] if dosage else [],
        "reasonCode": [{"text": item.reason}] if item.reason else [],
        "note": _note(item.note),
    }


def _allergy(item: Allergy, over: bool) -> Resource:
    reaction: Resource = {"manifestation": [{"text": item.reaction}]} if item.reaction else {}
    if reaction and item.severity:
        reaction["severity"] = item.severity
    category = ALLERGY_CATEGORIES.get(item.kind)
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _status("allergyintolerance-clinical", "inactive" if over else "active"),
        "category": [category] if category else [],
        "code": {"text": item.substance},
        "onsetDateTime": str(item.begin or ""),
        "reaction": [reaction] if reaction else [],
        "note": _note(item.note),
        "extension": _extensions(
            kind=item.kind, severity="" if item.reaction else item.severity
        ),  # R4 has no severity without a manifestation
    }


def _immunization(item: Vaccination) -> Resource:
    giver: Resource = {"display": item.giver} if item.giver else {}
    if item.giver_id:
        giver["identifier"] = {"system": ID_NAT_PS, "value": item.giver_id}
    protocol: Resource = {"targetDisease": [{"text": one} for one in item.diseases]} if item.diseases else {}
    if item.number:
        protocol["doseNumberPositiveInt"] = item.number
    elif protocol:
        protocol["doseNumberString"] = "?"  # R4 demands a number
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"text": item.vaccine},
        "occurrenceDateTime": str(item.date),
        "lotNumber": item.lot,
        "location": {"display": item.place} if item.place else {},
        "performer": [{"actor": giver}] if giver else [],
        "protocolApplied": [protocol] if protocol else [],
        "note": _note(item.note),
        "extension": _extensions(booster=item.booster, next_due=str(item.next_due or "")),
    }


def _family(item: FamilyHistory) -> Resource:
    condition: Resource = {"code": {"text": item.illness}}
    if item.onset_age is not None:
        condition["onsetAge"] = {"value": item.onset_age, "unit": "a", "system": UCUM, "code": "a"}
    return {
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "relationship": {"coding": [{"system": ROLE_CODE, "code": RELATIONS[item.relation]}]},
        "condition": [condition],
        "note": _note(item.note),
    }


def _related(item: Contact, over: bool) -> Resource:
    return {
        "resourceType": "RelatedPerson",
        "active": not over,
        "name": [{"text": item.name}],
        "relationship": [{"text": item.relation}] if item.relation else [],
        "telecom": [{"system": "phone", "value": item.phone}] if item.phone else [],
        "extension": _extensions(role=item.role, note=item.note),
    }


def _wish(item: Wish, over: bool) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "cancelled" if over else "final",
        "code": {"coding": [{"system": f"{OURS}:wish", "code": item.subject}]},
        "valueString": item.text,
        "extension": _extensions(
            answer=item.answer, family_told=item.family_told, where=item.where, document=item.document
        ),
    }


def _administrative(item: Administrative, over: bool) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "cancelled" if over else "final",
        "code": {"coding": [{"system": f"{OURS}:administrative", "code": item.topic}]},
        "valueString": item.text,
        "note": _note(item.note),
        "extension": _extensions(number=item.number, until=str(item.until or "")),
    }


def _none(item: NoneKnown) -> Resource:
    code = ABSENT_CODES.get(item.of)
    coding = {"system": ABSENT, "code": code} if code else {"system": f"{OURS}:none", "code": item.of}
    concept = {"coding": [coding]}
    if item.of == "treatment":
        return {
            "resourceType": "MedicationStatement",
            "status": "unknown",
            "medicationCodeableConcept": concept,
        }
    if item.of == "allergy":
        status = _status("allergyintolerance-clinical", "active")
        return {"resourceType": "AllergyIntolerance", "clinicalStatus": status, "code": concept}
    if item.of == "vaccination":
        return {
            "resourceType": "Immunization",
            "status": "not-done",
            "vaccineCode": concept,
            "occurrenceString": "unknown",
        }
    if item.of == "illness":
        status = _status("condition-clinical", "active")
        return {"resourceType": "Condition", "clinicalStatus": status, "code": concept}
    return {"resourceType": "Observation", "status": "final", "code": concept}


def number(amount: Decimal) -> int | float:
    """A dose's amount as a JSON number: at most fourteen figures, which a float keeps exactly as written."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _status(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{_TERMINOLOGY}/{system}", "code": code}]}


def _note(text: str) -> list[Resource]:
    return [{"text": text}] if text else []


def _extensions(**told: str | bool) -> list[Resource]:
    """What R4 has no element for; nothing for "" and False."""
    found: list[Resource] = []
    for name, value in told.items():
        if value:
            kind = "valueBoolean" if isinstance(value, bool) else "valueString"
            found.append({"url": f"{OURS}:{name}", kind: value})
    return found
