"""What somebody might try at the door: to read without a trace, to learn who has what, to break it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import dossier
import patients
from activity import Actor
from tests.fhir.fhir_kit import COLLEAGUE, DOCTOR, MARIE, NOBODY, PAUL, World, journal, publication

PATCH = ("-X", "PATCH", "-H", "Content-Type: application/json-patch+json")
NOTHING = b'[{"op": "test", "path": "/status", "value": "current"}]'


async def test_a_patch_that_changes_nothing_is_an_access_like_others(world: World) -> None:
    """Who is let in leaves a trace; who is not leaves his refusal, whatever he would have changed."""
    document = world.file()
    card, path = world.card(DOCTOR), f"/DocumentReference/{document}"
    refused = await world.curl(path, *PATCH, who=card, data=NOTHING)
    assert refused.status == 404
    assert journal(world)[0] == ("documents_listed", "dossier.not_authorised")
    world.authorise()
    before = len(journal(world))
    told = await world.curl(path, *PATCH, who=card, data=NOTHING)
    assert told.status == 200 and told.json["description"] == "Compte rendu 1"
    assert journal(world)[: len(journal(world)) - before] == [("documents_listed", "")]


async def test_a_relation_to_a_document_tells_nothing_of_it(world: World) -> None:
    """Let in or not, blocked or not: the same answer for a document that is there and one that never was."""
    document = world.file(confidentiality=["N", "MASQUE_PS"])
    plain = world.file(2)
    ids = [f"2.25.{MARIE.ins}1", f"2.25.{MARIE.ins}2", "2.25.4711"]
    targets: list[dict[str, Any]] = [
        {"identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{one}"}} for one in ids
    ]
    targets += [{"reference": f"DocumentReference/{one}"} for one in (document, plain, 4711)]
    card = world.card(DOCTOR)
    for blocked in (False, True):
        if blocked:
            world.block()
        answers = [
            await world.post(publication(9, relatesTo=[{"code": "replaces", "target": one}]), card)
            for one in targets
        ]
        assert {one.status for one in answers} == {409}
        assert len({one.body for one in answers}) == 1, [one.json for one in answers]
    refusals = [rule for what, rule in journal(world) if what == "document_replaced"]
    assert len(refusals) >= 2 * 5  # of what is in this record or in none


async def test_a_deleted_profile_is_as_none(world: World) -> None:
    world.file(person=PAUL)
    card = world.card(DOCTOR)
    patients.close(world.store, PAUL.ins, actor="test")
    closed = await world.search(card, person=PAUL)
    patients.ask_deletion(world.store, PAUL.ins, actor="test")
    assert world.profile(PAUL).state == "deleted"
    deleted = await world.search(card, person=PAUL)
    unknown = await world.curl(
        "/DocumentReference/_search",
        "--data-urlencode",
        f"patient.identifier=urn:oid:{MARIE.oid}|{NOBODY}",
        who=card,
    )
    assert closed.status == 403
    assert closed.body == deleted.body == unknown.body


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": 5},
        {"identifier": True},
        {"contained": [{"resourceType": "Patient", "id": "p", "gender": []}]},
        {"contained": [{"resourceType": "Patient", "id": "p", "gender": {"a": 1}}]},
    ],
)
async def test_nonsense_is_the_senders_fault(world: World, changes: dict[str, Any]) -> None:
    answer = await world.post(publication(**changes), world.card(DOCTOR))
    assert answer.status == 422, answer.body


async def test_a_patch_nested_to_the_brim_is_refused(world: World) -> None:
    document, card = world.file(by=COLLEAGUE), world.card(COLLEAGUE)
    for depth in (300, 500, 700, 900, 5000):
        deep = f'[{{"op":"replace","path":"/securityLabel","value":{"[" * depth}{"]" * depth}}}]'
        answer = await world.curl(f"/DocumentReference/{document}", *PATCH, who=card, data=deep.encode())
        assert answer.status in (400, 422), (depth, answer.body)
        assert json.loads(answer.body)["resourceType"] == "OperationOutcome"


async def test_what_is_withheld_leaves_no_line_however_it_is_asked_for(world: World) -> None:
    """A number has other spellings: none of them reaches the journal, which is read without what is kept."""
    document = world.file(confidentiality=["N", "INVISIBLE_PATIENT"])
    world.authorise()
    card, patient = world.card(DOCTOR), Actor(by="patient", ident=MARIE.ins)
    before = dossier.history_for(world.store, world.box(), patient)
    for path in (f"/DocumentReference/0{document}", f"/Binary/0{document}"):
        assert (await world.curl(path, who=card)).status == 200
    patch = await world.curl(f"/DocumentReference/0{document}", *PATCH, who=card, data=NOTHING)
    assert patch.status == 200 and len(journal(world)) >= 3
    after = dossier.history_for(world.store, world.box(), patient)
    assert [one.what for one in after] == ["history_read", *(one.what for one in before)]
