"""Every item goes to FHIR and comes back the same; what others write never breaks anything."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest
from fhirpy import SyncFHIRClient
from health_support import EVERYTHING
from hypothesis import given, settings
from hypothesis import strategies as st

from dossier import health
from dossier.health import Dose, HealthError, NoneKnown, PartialDate, from_fhir, to_fhir
from dossier.health.checks import checked
from dossier.health.items import AllergyKind, Answer, Relation, Role, Severity, Subject, Topic

words = st.text("aàbçéλЖ <&>\"'", min_size=1, max_size=20).map(str.strip).filter(bool)
maybe = st.one_of(st.just(""), words)
lines = st.lists(words, max_size=3).map("\n".join)
dates = st.builds(
    lambda day, parts: PartialDate(*(day.year, day.month, day.day)[:parts]),
    st.dates(date(1990, 1, 1), date(2020, 12, 31)),
    st.integers(1, 3),
)
some = st.one_of(st.none(), dates)
doses = st.builds(
    Dose,
    st.decimals(Decimal("0.000001"), Decimal(100_000_000), places=6),
    st.sampled_from(health.UNITS),
)
codes = st.sampled_from([("", ""), ("CIM-10", "J45.9"), ("SNOMED CT", "195967001")])
items = st.one_of(
    st.builds(
        lambda code, **more: health.Illness(system=code[0], code=code[1], **more),
        codes, label=words, begin=some, chronic=st.booleans(), ald=st.booleans(), note=lines,
    ),
    st.builds(health.Illness, label=words, end=some),
    st.builds(
        health.Treatment,
        label=words, dose=st.one_of(st.none(), doses), rhythm=maybe, begin=some, reason=maybe, note=lines,
    ),
    st.builds(
        health.Allergy,
        substance=words, kind=st.sampled_from(get_args(AllergyKind)), reaction=maybe,
        severity=st.sampled_from(get_args(Severity)), begin=some, note=lines,
    ),
    st.builds(
        health.Vaccination,
        vaccine=words, diseases=st.lists(words, max_size=4), date=dates, number=st.integers(0, 20),
        booster=st.booleans(), lot=maybe, giver=maybe, giver_id=st.sampled_from(["", "810000000001"]),
        place=maybe, next_due=st.one_of(st.none(), st.just(PartialDate(2039))), note=lines,
    ),
    st.builds(
        health.FamilyHistory,
        relation=st.sampled_from(get_args(Relation)), illness=words,
        onset_age=st.one_of(st.none(), st.integers(0, 120)), note=lines,
    ),
    st.builds(
        health.Contact,
        role=st.sampled_from(get_args(Role)), name=words, relation=maybe,
        phone=st.sampled_from(["", "+33612345678"]), note=lines,
    ),
    st.builds(
        health.Wish,
        subject=st.sampled_from(get_args(Subject)), answer=st.sampled_from(get_args(Answer)),
        family_told=st.booleans(), where=maybe, document=st.sampled_from(["", "1.2.250.1^x"]), text=words,
    ),
    st.builds(
        health.Administrative,
        topic=st.sampled_from(get_args(Topic)), text=words, number=maybe, until=some, note=lines,
    ),
    st.builds(NoneKnown, of=st.sampled_from(sorted(health.CAN_BE_NONE))),
)  # fmt: skip


@given(items)
@settings(max_examples=400)
def test_there_and_back(item: health.Item) -> None:
    clean = checked(item, born="1980-01-01", today=date(2026, 11, 22))
    resource = json.loads(json.dumps(to_fhir(clean, patient="Patient/1", item_id=7)))
    assert from_fhir(resource) == clean
    assert resource["id"] == "7"
    assert {"subject", "patient"} & resource.keys()


def test_the_kinds_of_resources() -> None:
    kinds = [to_fhir(item)["resourceType"] for item in EVERYTHING]
    assert kinds == [
        "Condition", "AllergyIntolerance", "MedicationStatement", "Immunization", "FamilyMemberHistory",
        "RelatedPerson", "Observation", "Observation",
    ]  # fmt: skip
    nothing = [
        to_fhir(NoneKnown(of=section)) for section in ("allergy", "treatment", "illness", "vaccination")
    ]
    assert [
        (one.get("code") or one.get("medicationCodeableConcept") or one["vaccineCode"])["coding"][0]["code"]
        for one in nothing
    ] == ["no-known-allergies", "no-known-medications", "no-known-problems", "no-known-immunizations"]


def test_what_is_over_says_so() -> None:
    illness, allergy, treatment = EVERYTHING[:3]
    assert to_fhir(illness, over=True)["clinicalStatus"]["coding"][0]["code"] == "resolved"
    assert to_fhir(allergy, over=True)["clinicalStatus"]["coding"][0]["code"] == "inactive"
    assert to_fhir(treatment, over=True)["status"] == "completed"


def test_another_client_reads_the_paths() -> None:
    client = SyncFHIRClient("http://127.0.0.1:9/fhir")
    told = to_fhir(EVERYTHING[3], patient="Patient/1")
    resource = client.resource(told.pop("resourceType"), **told)
    assert resource.get_by_path(["protocolApplied", 0, "targetDisease", 1, "text"]) == "Tétanos"
    assert resource.get_by_path("occurrenceDateTime") == "2019-05-12"


@pytest.mark.parametrize(
    ("resource", "item"),
    [
        (
            {
                "resourceType": "Condition",
                "code": {
                    "coding": [{"system": "http://snomed.info/sct", "code": "195967001", "display": "Asthma"}]
                },
                "onsetDateTime": "2019-05-12T10:00:00+02:00",
            },
            health.Illness(
                label="Asthma", system="SNOMED CT", code="195967001", begin=PartialDate(2019, 5, 12)
            ),
        ),
        (
            {
                "resourceType": "MedicationStatement",
                "status": "active",
                "medicationCodeableConcept": {"text": "Metformine"},
                "dosage": [{"doseAndRate": [{"doseQuantity": {"value": 0.5, "unit": "g"}}]}],
            },
            health.Treatment(label="Metformine", dose=Dose(Decimal("0.5"), "g")),
        ),
        ({"resourceType": "Condition", "code": {"text": "x"}, "onsetDateTime": "2019-02-30"}, None),
        ({"resourceType": "Condition"}, None),
        ({"resourceType": "Immunization", "status": "not-done", "vaccineCode": {"text": "x"}}, None),
        ({"resourceType": "Immunization", "status": "entered-in-error", "vaccineCode": {"text": "x"}}, None),
        (
            {
                "resourceType": "AllergyIntolerance",
                "code": {"text": "x"},
                "verificationStatus": {"coding": [{"system": "v", "code": "entered-in-error"}]},
            },
            None,
        ),
        ({"resourceType": "Observation", "code": {"text": "Poids"}, "valueQuantity": {"value": 70}}, None),
        ({"resourceType": "Patient"}, None),
        ({}, None),
        (
            {"resourceType": "RelatedPerson", "name": [{"given": ["Anne"], "family": "EXEMPLE"}]},
            health.Contact(role="other", name="Anne EXEMPLE"),
        ),
    ],
)
def test_what_others_write(resource: dict[str, Any], item: health.Item | None) -> None:
    assert from_fhir(resource) == item


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(items, st.data())
@settings(max_examples=300)
def test_no_shape_breaks_it(item: health.Item, data: st.DataObject) -> None:
    resource = to_fhir(item)
    place: Any = resource
    for _ in range(data.draw(st.integers(0, 4))):
        key = data.draw(st.sampled_from(sorted(place))) if isinstance(place, dict) else 0
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place = place[key]
    key = data.draw(st.sampled_from(sorted(place))) if isinstance(place, dict) else 0
    if key != "resourceType":
        place[key] = data.draw(anything)
    found = from_fhir(resource)
    if found is not None:
        try:
            checked(found, born="", today=date(2026, 11, 22))
        except HealthError as error:
            assert error.rule.startswith("health.")
