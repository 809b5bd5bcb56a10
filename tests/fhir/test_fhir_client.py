"""A FHIR client from PyPI (fhirpy) reads the statement, publishes, searches and reads back."""

from __future__ import annotations

import ssl

from fhirpy import AsyncFHIRClient

from gateway.fhir.parameters import PARAMETERS
from tests.fhir.fhir_kit import DOCTOR, MARIE, World, publication

#: Values that no document here has.
NOT_THERE = {
    "status": "superseded",
    "identifier": "urn:oid:2.25.1",
    "author.family": "zz",
    "author.given": "zz",
}


def client(world: World) -> AsyncFHIRClient:
    card = world.card(DOCTOR)
    context = ssl.create_default_context(cafile=str(world.root))
    context.load_cert_chain(card.pem, card.key)
    return AsyncFHIRClient(world.base, aiohttp_config={"ssl": context})


async def test_fhirpy_publishes_finds_and_reads(world: World) -> None:
    fhir = client(world)
    resource = fhir.resource("DocumentReference", **publication())
    await resource.save()
    assert resource.id and resource["status"] == "current"
    world.authorise()
    for number in range(2, 6):
        await fhir.resource("DocumentReference", **publication(number)).save()
    wanted = fhir.resources("DocumentReference").search(
        **{"patient.identifier": f"urn:oid:{MARIE.oid}|{MARIE.ins}", "type": "34112-3"}
    )
    assert await wanted.count() == 5
    everything = await wanted.limit(2).fetch_all()  # follows the links of three pages
    assert sorted(one["description"] for one in everything) == [f"Lettre {one}" for one in range(1, 6)]
    binary = await fhir.reference("Binary", resource.id).to_resource()
    assert binary["contentType"] == "application/pdf"
    back = await fhir.reference("DocumentReference", resource.id).to_resource()
    assert back["masterIdentifier"] == resource["masterIdentifier"]


async def test_the_statement_says_what_there_is(world: World) -> None:
    statement = (await world.curl("/metadata")).json
    assert statement["fhirVersion"] == "4.0.1" and statement["format"] == ["application/fhir+json"]
    rest = statement["rest"][0]
    told = {(one["type"], way["code"]) for one in rest["resource"] for way in one["interaction"]}
    assert told == set(world.door.interactions())
    searched = next(one for one in rest["resource"] if one["type"] == "DocumentReference")["searchParam"]
    assert {one["name"] for one in searched} == {"patient.identifier", *PARAMETERS}
    world.authorise()
    # each of them is taken by a server that was told to be strict, and finds or sifts
    world.file()
    card = world.card(DOCTOR)
    for name in PARAMETERS:
        value = "2001" if PARAMETERS[name].kind == "date" else NOT_THERE.get(name, "99")
        answer = await world.search(card, f"{name}={value}", extra=("-H", "Prefer: handling=strict"))
        assert answer.status == 200 and answer.json["total"] == 0, name
