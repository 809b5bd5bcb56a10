"""Items from FHIR R4 resources, ours or another's. What is not understood is no item, and breaks nothing."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final, get_args

from dossier.health import fhir
from dossier.health.dates import PartialDate, parse_date
from dossier.health.doses import Dose, parse_dose
from dossier.health.errors import HealthError
from dossier.health.fhir import OURS, Resource
from dossier.health.items import (
    Administrative,
    Allergy,
    AllergyKind,
    Answer,
    CodeSystem,
    Contact,
    FamilyHistory,
    Illness,
    Item,
    NoneKnown,
    Relation,
    Role,
    Section,
    Severity,
    Subject,
    Topic,
    Treatment,
    Vaccination,
    Wish,
)

_SYSTEMS: Final[dict[str, CodeSystem]] = {
    fhir.SYSTEMS["CIM-10"]: "CIM-10",
    fhir.SYSTEMS["SNOMED CT"]: "SNOMED CT",
}
_UNITS: Final = {code: unit for unit, code in fhir.UCUM_CODES.items()}
_NONE: Final = {code: section for section, code in fhir.ABSENT_CODES.items()}
_KINDS: Final = {"medication": "medicine", "food": "food", "biologic": "other", "environment": "other"}
_RELATIONS: Final = {code: relation for relation, code in fhir.RELATIONS.items()}


def from_fhir(resource: Resource) -> Item | None:
    """The item that a resource tells, or None: another kind of resource, one entered in error, or one
    whose dates or figures cannot be read. The item is not checked against the patient: ``put`` does."""
    reader = _READERS.get(_text(resource.get("resourceType")))
    if reader is None or resource.get("status") == "entered-in-error":
        return None
    if "entered-in-error" in _codes(resource.get("verificationStatus")).values():
        return None
    try:
        return _none(resource) or reader(resource)
    except HealthError:
        return None


def _none(resource: Resource) -> NoneKnown | None:
    for name in ("code", "medicationCodeableConcept", "vaccineCode"):
        codes = _codes(resource.get(name))
        section = _NONE.get(codes.get(fhir.ABSENT, "")) or codes.get(f"{OURS}:none", "")
        if section in get_args(Section):
            return NoneKnown(of=section)  # type: ignore[arg-type]  # looked at above
    return None


def _illness(resource: Resource) -> Illness | None:
    label = _concept(resource.get("code"))
    if not label:
        return None
    system: CodeSystem = ""
    code = ""
    for url, found in _codes(resource.get("code")).items():
        if url in _SYSTEMS and not code:
            system, code = _SYSTEMS[url], found
    return Illness(
        label=label,
        system=system,
        code=code,
        begin=_date(resource.get("onsetDateTime")),
        end=_date(resource.get("abatementDateTime")),
        chronic=_extension(resource, "chronic") is True,
        ald=_extension(resource, "ald") is True,
        note=_note(resource),
    )


def _treatment(resource: Resource) -> Treatment | None:
    label = _concept(resource.get("medicationCodeableConcept"))
    if not label:
        return None
    dosage = _dict(_first(resource.get("dosage")))
    rate = _dict(_first(dosage.get("doseAndRate")))
    period = _dict(resource.get("effectivePeriod"))
    return Treatment(
        label=label,
        dose=_dose(_dict(rate.get("doseQuantity"))),
        rhythm=_text(dosage.get("text")),
        begin=_date(period.get("start") or resource.get("effectiveDateTime")),
        end=_date(period.get("end")),
        reason=_concept(_first(resource.get("reasonCode"))),
        note=_note(resource),
    )


def _dose(quantity: Resource) -> Dose | None:
    value = quantity.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    unit = _UNITS.get(_text(quantity.get("code"))) if quantity.get("system") == fhir.UCUM else None
    # "1 unit" through the reader of what people write, for its spellings
    return Dose(amount, unit or parse_dose(f"1 {_text(quantity.get('unit'))}").unit)


def _allergy(resource: Resource) -> Allergy | None:
    substance = _concept(resource.get("code"))
    if not substance:
        return None
    reaction = _dict(_first(resource.get("reaction")))
    told = _extension(resource, "kind")
    return Allergy(
        substance=substance,
        kind=_one_of(AllergyKind, told or _KINDS.get(_text(_first(resource.get("category"))), ""), ""),
        reaction=_concept(_first(reaction.get("manifestation"))),
        severity=_one_of(Severity, reaction.get("severity") or _extension(resource, "severity"), ""),
        begin=_date(resource.get("onsetDateTime")),
        note=_note(resource),
    )


def _vaccination(resource: Resource) -> Vaccination | None:
    vaccine, date = _concept(resource.get("vaccineCode")), _date(resource.get("occurrenceDateTime"))
    if not vaccine or date is None or resource.get("status") != "completed":
        return None
    protocol = _dict(_first(resource.get("protocolApplied")))
    actor = _dict(_dict(_first(resource.get("performer"))).get("actor"))
    identifier = _dict(actor.get("identifier"))
    dose = protocol.get("doseNumberPositiveInt")
    return Vaccination(
        vaccine=vaccine,
        diseases=[name for one in _list(protocol.get("targetDisease")) if (name := _concept(one))],
        date=date,
        number=dose if isinstance(dose, int) and not isinstance(dose, bool) else 0,
        booster=_extension(resource, "booster") is True,
        lot=_text(resource.get("lotNumber")),
        giver=_text(actor.get("display")),
        giver_id=_text(identifier.get("value")) if identifier.get("system") == fhir.ID_NAT_PS else "",
        place=_text(_dict(resource.get("location")).get("display")),
        next_due=_date(_extension(resource, "next_due")),
        note=_note(resource),
    )


def _family(resource: Resource) -> FamilyHistory | None:
    condition = _dict(_first(resource.get("condition")))
    illness = _concept(condition.get("code"))
    if not illness:
        return None
    code = _codes(resource.get("relationship")).get(fhir.ROLE_CODE, "")
    age = _dict(condition.get("onsetAge")).get("value")
    return FamilyHistory(
        relation=_one_of(Relation, _RELATIONS.get(code), "other"),
        illness=illness,
        onset_age=age if isinstance(age, int) and not isinstance(age, bool) else None,
        note=_note(resource),
    )


def _contact(resource: Resource) -> Contact | None:
    human = _dict(_first(resource.get("name")))
    given = [_text(one) for one in _list(human.get("given"))]
    name = _text(human.get("text")) or " ".join([*given, _text(human.get("family"))]).strip()
    if not name:
        return None
    phones = [one for one in _list(resource.get("telecom")) if _dict(one).get("system") == "phone"]
    return Contact(
        role=_one_of(Role, _extension(resource, "role"), "other"),
        name=name,
        relation=_concept(_first(resource.get("relationship"))),
        phone=_text(_dict(_first(phones)).get("value")),
        note=_text(_extension(resource, "note")),
    )


def _observation(resource: Resource) -> Wish | Administrative | None:
    """Ours alone: any other observation is a measure, or nothing of the profile."""
    codes = _codes(resource.get("code"))
    text = _text(resource.get("valueString"))
    if subject := codes.get(f"{OURS}:wish"):
        return Wish(
            subject=_one_of(Subject, subject, "other"),
            answer=_one_of(Answer, _extension(resource, "answer"), ""),
            family_told=_extension(resource, "family_told") is True,
            where=_text(_extension(resource, "where")),
            document=_text(_extension(resource, "document")),
            text=text,
        )
    if topic := codes.get(f"{OURS}:administrative"):
        return Administrative(
            topic=_one_of(Topic, topic, "other"),
            text=text,
            number=_text(_extension(resource, "number")),
            until=_date(_extension(resource, "until")),
            note=_note(resource),
        )
    return None


_READERS: Final = {
    "Condition": _illness,
    "MedicationStatement": _treatment,
    "AllergyIntolerance": _allergy,
    "Immunization": _vaccination,
    "FamilyMemberHistory": _family,
    "RelatedPerson": _contact,
    "Observation": _observation,
}


# -- what may be of any shape ---------------------------------------------------------------------


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first(value: Any) -> Any:
    return next(iter(_list(value)), None)


def _concept(value: Any) -> str:
    """The words of a CodeableConcept."""
    concept = _dict(value)
    shown = [_text(_dict(one).get("display")) for one in _list(concept.get("coding"))]
    return _text(concept.get("text")) or next((one for one in shown if one), "")


def _codes(value: Any) -> dict[str, str]:
    """system → code of a CodeableConcept, the first of each system."""
    found: dict[str, str] = {}
    for one in _list(_dict(value).get("coding")):
        found.setdefault(_text(_dict(one).get("system")), _text(_dict(one).get("code")))
    return found


def _note(resource: Resource) -> str:
    return "\n".join(text for one in _list(resource.get("note")) if (text := _text(_dict(one).get("text"))))


def _extension(resource: Resource, name: str) -> Any:
    for one in _list(resource.get("extension")):
        if _dict(one).get("url") == f"{OURS}:{name}":
            return one.get("valueBoolean", one.get("valueString"))
    return None


def _date(value: Any) -> PartialDate | None:
    """A FHIR date or dateTime; the time of the day is left out. Raises :class:`HealthError`: no such date."""
    text = _text(value)
    return parse_date(text[:10]) if text else None


def _one_of(kind: Any, value: Any, otherwise: Any) -> Any:
    return value if value in get_args(kind) else otherwise
