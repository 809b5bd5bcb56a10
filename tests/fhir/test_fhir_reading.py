"""ITI-67 and ITI-68 with curl: what is found, paged, read, and what the journal says of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest

from tests.fhir.fhir_kit import (
    COLLEAGUE,
    DOCTOR,
    LISTED,
    MARIE,
    NOBODY,
    PAUL,
    PHARMACIST,
    SAMU,
    TEXT,
    World,
    activities,
    journal,
)

pytestmark = pytest.mark.package("curl")


async def test_an_authorised_professional_finds_and_reads(world: World) -> None:
    document = world.file()
    world.authorise()
    card = world.card(DOCTOR)
    found = await world.search(card)
    assert found.status == 200 and found.headers["content-type"].startswith("application/fhir+json")
    bundle = found.json
    assert bundle["type"] == "searchset" and bundle["total"] == 1
    resource = bundle["entry"][0]["resource"]
    assert resource["id"] == str(document)
    assert resource["subject"]["identifier"]["value"] == MARIE.ins
    assert resource["type"]["coding"][0]["system"] == "http://loinc.org"
    content = await world.curl(resource["content"][0]["attachment"]["url"], who=card)
    assert content.status == 200 and content.headers["content-type"].startswith("text/plain")
    assert content.body == TEXT + b"1"
    assert int(content.headers["content-length"]) == resource["content"][0]["attachment"]["size"]
    digest = base64.b64encode(hashlib.sha256(content.body).digest()).decode()
    assert content.headers["repr-digest"] == f"sha-256=:{digest}:"
    again = await world.curl(
        f"/Binary/{document}", "-H", f"If-None-Match: {content.headers['etag']}", who=card
    )
    assert again.status == 304 and not again.body
    assert journal(world)[:3] == [("document_read", ""), ("document_read", ""), ("documents_listed", "")]


async def test_binary_as_a_resource(world: World) -> None:
    document = world.file()
    world.authorise()
    answer = await world.curl(
        f"/Binary/{document}", "-H", "Accept: application/fhir+json", who=world.card(DOCTOR)
    )
    assert base64.b64decode(answer.json["data"]) == TEXT + b"1"
    assert answer.json["contentType"] == "text/plain"


async def test_strangers_learn_nothing_of_who_has_a_record(world: World) -> None:
    world.file()
    card = world.card(DOCTOR)
    answers = [
        await world.search(card),  # not authorised
        await world.search(card, person=PAUL),  # neither
        await world.curl(
            "/DocumentReference/_search",
            "--data-urlencode",
            f"patient.identifier=urn:oid:{MARIE.oid}|{NOBODY}",
            who=card,
        ),
    ]
    world.block()
    answers.append(await world.search(card))
    assert {one.status for one in answers} == {403}
    assert len({one.body for one in answers}) == 1 and answers[0].rules == ["door.patient"]
    assert journal(world)[0] == ("documents_listed", "dossier.blocked")


async def test_whoever_tries_many_identities_is_stopped(world: World) -> None:
    world.authorise()
    card = world.card(COLLEAGUE)
    for _ in range(30):
        assert (await world.search(card)).status == 403
    answer = await world.search(card)
    assert answer.status == 429 and answer.rules == ["door.too_many"] and answer.headers["retry-after"]
    assert (await world.search(world.card(DOCTOR))).status == 200


async def test_the_patient_agrees_before_the_professional(world: World) -> None:
    world.file()
    card = world.card(DOCTOR)
    found = await world.search(card, extra=("-H", "Passerelle-Consent: declared"))
    assert found.status == 200 and found.json["total"] == 1
    assert ("consent_declared", "") in journal(world)
    assert (await world.search(card)).status == 200


async def test_breaking_the_glass_needs_a_reason(world: World) -> None:
    world.file()
    card = world.card(DOCTOR)
    bare = await world.search(card, extra=("-H", "Passerelle-Purpose: break-glass"))
    assert bare.status == 400 and bare.rules == ["door.purpose"]
    found = await world.search(
        card,
        extra=(
            "-H",
            "Passerelle-Purpose: break-glass",
            "-H",
            "Passerelle-Reason: UTF-8''Arr%C3%AAt%20cardiaque%20aux%20urgences",
        ),
    )
    assert found.status == 200 and found.json["total"] == 1
    assert (await world.search(card)).status == 403  # it opened that once


async def test_regulation_is_for_physicians_of_the_samu(world: World) -> None:
    world.file()
    regulation = ("-H", "Passerelle-Purpose: regulation")
    refused = await world.search(world.card(DOCTOR), extra=regulation)
    assert refused.status == 403 and refused.rules == ["door.regulation"]
    found = await world.search(world.card(SAMU), extra=regulation)
    assert found.status == 200 and found.json["total"] == 1


async def test_the_matrix_keeps_what_a_profession_may_not_read(world: World) -> None:
    world.file(1)  # a report
    activities(world.store, world.folder, *LISTED, (PHARMACIST, "21", "750099999"))
    for who in (PHARMACIST, DOCTOR):
        world.authorise(who)
    pharmacist = world.card(PHARMACIST, profession_code=21, title="Pharmacien")
    document = (await world.search(world.card(DOCTOR))).json["entry"][0]["resource"]["id"]
    assert (await world.search(pharmacist)).json["total"] == 0
    refused = await world.curl(f"/Binary/{document}", who=pharmacist)
    assert refused.status == 403 and refused.rules == ["door.refused", "dossier.habilitation"]


async def test_what_is_masked_does_not_exist(world: World) -> None:
    document = world.file(confidentiality=["N", "MASQUE_PS"])
    world.authorise()
    card = world.card(DOCTOR)
    assert (await world.search(card)).json["total"] == 0
    for path in (f"/DocumentReference/{document}", f"/Binary/{document}"):
        masked = await world.curl(path, who=card)
        unknown = await world.curl(path[:-1] + "0" if path[-1] != "0" else path[:-1] + "1", who=card)
        assert (masked.status, masked.body) == (unknown.status, unknown.body) and masked.status == 404
    own = await world.curl(f"/DocumentReference/{document}", who=world.card(COLLEAGUE))
    codes = [one["coding"][0]["code"] for one in own.json["securityLabel"]]
    assert codes == ["N", "MASQUE_PS"]


async def test_pages_hold_nothing_of_the_patient(world: World) -> None:
    numbers = [world.file(number) for number in range(1, 8)]
    world.authorise()
    world.authorise(COLLEAGUE)
    card = world.card(DOCTOR)
    answer = await world.search(card, "_count=3", "_sort=-date")
    seen: list[str] = []
    links: list[str] = []
    while True:
        bundle = answer.json
        seen += [one["resource"]["id"] for one in bundle["entry"]]
        found = {one["relation"]: one["url"] for one in bundle["link"]}
        links += found.values()
        if "next" not in found:
            break
        world.file(100 + len(seen))  # what comes meanwhile does not shift the pages
        answer = await world.curl(found["next"], who=card)
    assert seen == [str(one) for one in reversed(numbers)]
    assert not [one for one in links if MARIE.ins in one]
    other = await world.curl(links[0], who=world.card(COLLEAGUE))
    assert other.status == 400 and other.rules == ["door.page"]


@pytest.mark.parametrize(
    ("field", "count"),
    [
        ("type=http://loinc.org|34112-3", 2),
        ("type=34112-3,11502-2", 3),
        ("type=http://other.example|34112-3", 0),
        ("category=31,10", 3),
        ("creation=ge2025-01-01", 3),
        ("creation=lt2025", 0),
        ("creation=2025-06", 1),
        ("author.family=coll", 3),
        ("author.family=personne", 0),
        (f"author.identifier={COLLEAGUE}", 3),
        (f"identifier=urn:oid:2.25.{MARIE.ins}2", 1),
        ("status=superseded", 0),
        ("status=current,superseded", 3),
        ("_summary=count", 3),
        ("nonsense=1", 3),
    ],
)
async def test_search_parameters(world: World, field: str, count: int) -> None:
    moments = (1_749_000_000_000, 1_760_000_000_000, 1_770_000_000_000)
    for number, (code, at) in enumerate(zip(("34112-3", "34112-3", "11502-2"), moments, strict=True), 1):
        world.file(number, type_code=code, created_at=at)
    world.authorise()
    answer = await world.search(world.card(DOCTOR), field)
    assert answer.status == 200 and answer.json["total"] == count, answer.json


@pytest.mark.parametrize(
    "fields",
    [
        ["type="],
        ["status=other"],
        ["date=yesterday"],
        ["_sort=title"],
        ["_count=many"],
        ["patient.identifier=urn:oid:1.2.250.1.213.1.4.8|123"],
    ],
)
async def test_bad_searches_name_the_parameter(world: World, fields: list[str]) -> None:
    world.authorise()
    answer = await world.search(world.card(DOCTOR), *fields, extra=("-H", "Prefer: handling=strict"))
    if fields == ["type="]:
        assert answer.status == 200  # a parameter without a value asks for nothing
    else:
        assert answer.status == 400 and answer.rules == ["door.search"]


async def test_unknown_parameters_by_preference(world: World) -> None:
    world.authorise()
    card = world.card(DOCTOR)
    strict = await world.search(card, "nonsense=1", extra=("-H", "Prefer: handling=strict"))
    assert strict.status == 400
    lenient = await world.search(card, "nonsense=1")
    assert lenient.json["entry"][-1]["search"]["mode"] == "outcome"


async def test_formats(world: World) -> None:
    world.authorise()
    card = world.card(DOCTOR)
    xml = await world.search(card, extra=("-H", "Accept: application/fhir+xml"))
    assert xml.status == 406 and xml.rules == ["door.accept"]
    body = await world.curl(
        "/DocumentReference", "-H", "Content-Type: application/fhir+xml", who=card, data=b"<a/>"
    )
    assert body.status == 415 and body.rules == ["door.content_type"]
    assert (await world.curl("/Patient", who=card)).rules == ["door.path"]
    method = await world.curl("/Binary/1", "-X", "PUT", who=card)
    assert method.status == 405 and method.headers["allow"] == "GET, HEAD"


async def test_many_read_at_the_same_time(world: World) -> None:
    document = world.file()
    world.authorise()
    card = world.card(DOCTOR)
    answers = await asyncio.gather(*(world.curl(f"/Binary/{document}", who=card) for _ in range(12)))
    assert {one.status for one in answers} == {200} and {one.body for one in answers} == {TEXT + b"1"}
    assert journal(world).count(("document_read", "")) == 12
