"""ITI-105, masks and deletion with curl: what is filed, for whom, and what is refused before anything is."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from dossier import documents as raw
from tests.fhir.fhir_kit import (
    CLINIC,
    COLLEAGUE,
    DOCTOR,
    HOSPITAL,
    MARIE,
    NOBODY,
    PAUL,
    PDF,
    World,
    journal,
    publication,
)

pytestmark = pytest.mark.package("curl")


def held(world: World, person: Any = MARIE) -> list[str]:
    documents = world.store.read(raw.documents, world.store, world.box(person), history=True)
    return [f"{one.status} {one.info.title}" for one in documents]


async def test_a_document_is_published_and_read_back(world: World) -> None:
    card = world.card(DOCTOR)
    answer = await world.post(publication(), card)
    assert answer.status == 201, answer.json
    resource = answer.json
    assert answer.headers["location"] == f"{world.base}/DocumentReference/{resource['id']}"
    assert resource["content"][0]["attachment"]["title"] == "Lettre 1"
    assert resource["content"][0]["attachment"]["creation"] == "2026-03-01T09:00:00.000Z"
    assert resource["masterIdentifier"]["value"] == "urn:oid:2.25.771"
    back = await world.curl(resource["content"][0]["attachment"]["url"], who=card)
    assert back.body == PDF + b"1" and back.headers["content-type"] == "application/pdf"
    assert journal(world)[-1] == ("document_deposited", "")
    assert held(world, PAUL) == []


async def test_the_same_document_twice_is_one(world: World) -> None:
    card = world.card(DOCTOR)
    first = await world.post(publication(), card)
    again = await world.post(publication(), card)
    assert (first.status, again.status) == (201, 200)
    assert again.headers["location"] == first.headers["location"] and len(held(world)) == 1


def patient(**changes: Any) -> dict[str, Any]:
    """A Patient sent with a document, whose traits are Marie's but for ``changes``."""
    made = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": f"urn:oid:{MARIE.oid}", "value": MARIE.ins}],
        "name": [{"use": "official", "family": "Exemple", "given": ["Marie"]}],
        "gender": "female",
        "birthDate": "1988-05-01",
    }
    return made | changes


WRONG = [
    {"subject": {"identifier": {"system": f"urn:oid:{MARIE.oid}", "value": NOBODY}}},
    {"subject": {"identifier": {"system": "urn:oid:1.2.250.1.213.1.4.9", "value": MARIE.ins}}},
    {"subject": {"identifier": {"system": f"urn:oid:{MARIE.oid}", "value": MARIE.ins[:-1] + "0"}}},
    {"subject": {"identifier": {"value": MARIE.ins}}},
    {"subject": {"reference": "Patient/1"}},
    {"subject": {"reference": "#p"}, "contained": [patient(birthDate="1988-05-02")]},
    {"subject": {"reference": "#p"}, "contained": [patient(gender="male")]},
    {"subject": {"reference": "#p"}, "contained": [patient(name=[{"use": "official", "family": "Essai"}])]},
    {
        "subject": {"reference": "#p"},
        "contained": [patient(name=[{"use": "official", "family": "Exemple", "given": ["Paul"]}])],
    },
    {  # two patients in one document
        "contained": [patient(identifier=[{"system": f"urn:oid:{PAUL.oid}", "value": PAUL.ins}])],
    },
    {"context": {"sourcePatientInfo": {"identifier": {"system": f"urn:oid:{PAUL.oid}", "value": PAUL.ins}}}},
]


@pytest.mark.parametrize("change", WRONG)
async def test_no_document_reaches_a_wrong_record(world: World, change: dict[str, Any]) -> None:
    answer = await world.post(publication(**change), world.card(DOCTOR))
    assert answer.status == 422 and answer.rules == ["door.identity"], answer.body
    assert held(world) == held(world, PAUL) == []


async def test_a_patient_sent_with_it_agrees(world: World) -> None:
    names = [{"use": "official", "family": "EXEMPLE", "given": ["Anne", "marie"]}]
    for number, contained in enumerate((patient(), patient(name=names), patient(gender="unknown")), 1):
        resource = publication(number, subject={"reference": "#p"}, contained=[contained])
        assert (await world.post(resource, world.card(DOCTOR))).status == 201
    assert len(held(world)) == 3


def attachment(**changes: Any) -> dict[str, Any]:
    resource = publication()
    resource["content"][0]["attachment"] |= changes
    return dict(resource)


def digest(algorithm: str, content: bytes) -> str:
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode()


@pytest.mark.parametrize(
    ("resource", "rule"),
    [
        (attachment(size=3), "door.integrity"),
        (attachment(hash=digest("sha1", b"x")), "door.integrity"),
        (attachment(hash="AAAA"), "door.integrity"),
        (attachment(contentType="image/jpeg"), "door.deposit"),
        (attachment(contentType="application/zip"), "door.deposit"),
        (attachment(data="=="), "door.resource"),
        (attachment(url="https://other.example/1"), "door.resource"),
        (attachment(creation="demain"), "door.resource"),
        (attachment(creation="2099-01-01"), "door.deposit"),
        (attachment(title=" "), "door.resource"),
        (publication(status="superseded"), "door.resource"),
        (publication(type={"coding": [{"code": "00000-0"}]}), "door.resource"),
        (publication(type={"coding": [{"system": "http://other", "code": "34112-3"}]}), "door.resource"),
        (publication(masterIdentifier={"value": "12"}), "door.resource"),
        (publication(author=[]), "door.resource"),
        (publication(by=COLLEAGUE), "door.resource"),
        (publication(securityLabel=[{"coding": [{"code": "R"}]}]), "door.resource"),
        (publication(modifierExtension=[{"url": "x"}]), "door.resource"),
        (publication(relatesTo=[{"code": "appends", "target": {"reference": "1"}}]), "door.resource"),
        (
            publication(relatesTo=[{"code": "replaces", "target": {"reference": "DocumentReference/1"}}]),
            "door.replaces",
        ),
        ([1], "door.resource"),
    ],
)
async def test_what_is_not_as_it_says_is_refused(world: World, resource: Any, rule: str) -> None:
    answer = await world.post(resource, world.card(DOCTOR))
    assert answer.rules[0] == rule and answer.status in (409, 422), answer.json
    assert held(world) == []


async def test_right_sums_are_taken(world: World) -> None:
    content = PDF + b"1"
    for algorithm in ("sha1", "sha256"):
        resource = attachment(size=len(content), hash=digest(algorithm, content))
        assert (await world.post(resource, world.card(DOCTOR))).status in (200, 201)
    assert len(held(world)) == 1


async def test_the_author_replaces_masks_and_deletes(world: World) -> None:
    card = world.card(DOCTOR)
    first = await world.post(publication(1), card)
    reference = {"reference": f"DocumentReference/{first.json['id']}"}
    second = await world.post(publication(2, relatesTo=[{"code": "replaces", "target": reference}]), card)
    assert second.status == 201, second.json
    assert sorted(held(world)) == ["approved Lettre 2", "deprecated Lettre 1"]
    path = f"/DocumentReference/{second.json['id']}"
    kind = ("-X", "PATCH", "-H", "Content-Type: application/json-patch+json")
    mask = [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [{"code": "MASQUE_PS"}]}}]
    stale = await world.curl(path, *kind, "-H", 'If-Match: W/"9"', who=card, data=json.dumps(mask).encode())
    assert stale.status == 412
    etag = second.headers["etag"]
    masked = await world.curl(
        path, *kind, "-H", f"If-Match: {etag}", who=card, data=json.dumps(mask).encode()
    )
    assert masked.status == 200, masked.json
    assert [one["coding"][0]["code"] for one in masked.json["securityLabel"]] == ["N", "MASQUE_PS"]
    assert masked.headers["etag"] != etag
    bare = [{"op": "remove", "path": "/securityLabel/1"}]
    unmasked = await world.curl(path, *kind, who=card, data=json.dumps(bare).encode())
    assert unmasked.status == 403 and "dossier.reserved" in unmasked.rules  # a mask is the patient's will
    gone = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
    assert (await world.curl(path, *kind, who=card, data=json.dumps(gone).encode())).status == 204
    assert (await world.curl(path, who=card)).status == 404
    assert "deleted Lettre 2" in held(world)
    whats = [what for what, rule in journal(world) if not rule]
    assert {"document_replaced", "document_masked", "document_deleted"} <= set(whats)


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "replace", "path": "/description", "value": "x"}],
        [{"op": "replace", "path": "/status", "value": "superseded"}],
        [{"op": "remove", "path": "/status"}],
        [{"op": "add", "path": "/securityLabel/9", "value": {}}],
        [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [{"code": "V"}]}}],
        [{"op": "move", "path": "/status"}],
        {"resourceType": "DocumentReference"},
        [],
    ],
)
async def test_nothing_else_can_be_changed(world: World, patch: Any) -> None:
    card = world.card(DOCTOR)
    document = (await world.post(publication(), card)).json["id"]
    answer = await world.curl(
        f"/DocumentReference/{document}",
        "-X",
        "PATCH",
        "-H",
        "Content-Type: application/json-patch+json",
        who=card,
        data=json.dumps(patch).encode(),
    )
    assert answer.status in (400, 422) and answer.rules[0] in ("door.change", "door.json")
    assert held(world) == ["approved Lettre 1"]


async def test_others_change_nothing_of_his(world: World) -> None:
    document = (await world.post(publication(), world.card(DOCTOR))).json["id"]
    other = world.card(COLLEAGUE)
    stranger = await world.curl(f"/DocumentReference/{document}", "-X", "DELETE", who=other)
    assert stranger.status == 404
    world.authorise(COLLEAGUE)
    known = await world.curl(f"/DocumentReference/{document}", "-X", "DELETE", who=other)
    assert known.status == 403 and "dossier.author" in known.rules
    replacing = publication(
        2,
        by=COLLEAGUE,
        relatesTo=[{"code": "replaces", "target": {"reference": f"DocumentReference/{document}"}}],
    )
    assert (await world.post(replacing, other)).rules[0] == "door.replaces"
    assert held(world) == ["approved Lettre 1"]


async def test_a_structure_deposits_and_sees_its_own_only(world: World) -> None:
    hospital = world.pki.issue_organisation("auth", HOSPITAL, "HOPITAL EXEMPLE", name="hospital-auth")
    clinic = world.pki.issue_organisation("auth", CLINIC, "CLINIQUE EXEMPLE", name="clinic-auth")
    author = [{"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": HOSPITAL}}]
    document = await world.post(publication(author=author), hospital)
    assert document.status == 201, document.json
    assert (await world.search(hospital)).json["total"] == 1
    nothing = await world.search(clinic)
    unknown = await world.search(clinic, person=PAUL)
    assert nothing.status == unknown.status == 403 and nothing.body == unknown.body
    assert (await world.curl(f"/Binary/{document.json['id']}", who=clinic)).status == 404


async def test_bodies_within_bounds(world: World) -> None:
    large = await world.curl(
        "/DocumentReference",
        "-H",
        "Content-Type: application/fhir+json",
        who=world.card(DOCTOR),
        data=b"[" * (28 * 1024 * 1024),
    )
    assert large.status == 413 and large.rules == ["door.size"]
    nested = await world.curl(
        "/DocumentReference",
        "-H",
        "Content-Type: application/fhir+json",
        who=world.card(DOCTOR),
        data=b"[" * 200_000,
    )
    assert nested.status == 400 and nested.rules == ["door.json"]
