"""Who may come in: certificates and tokens of a real provider, and everything that is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import RSAKey

from certs import DemoPki
from gateway.fhir import ProSante
from tests.fhir.fhir_kit import (
    AUDIENCE,
    CLINIC,
    DOCTOR,
    GONE,
    LISTED,
    World,
    activities,
    open_world,
    publication,
    token,
)
from tests.oidc.provider import SECRET, node_modules, running

pytestmark = pytest.mark.package("curl")


def psc(id_nat: str, **more: Any) -> dict[str, Any]:
    """Claims as Pro Santé Connect writes them."""
    said = {
        "sub": f"f:550e8400:{id_nat}",
        "preferred_username": id_nat,
        "SubjectNameID": id_nat,
        "given_name": "Camille",
        "family_name": "EXEMPLE",
        "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"],
        "acr": "eidas1",
    }
    return said | more


SERVICES = {
    "doctor": psc(DOCTOR),
    "doctor-bound": psc(DOCTOR),
    "clinic": psc(DOCTOR, SubjectOrganizationID=CLINIC, SubjectOrganization="CLINIQUE"),
    "gone": psc(GONE),
    "weak": psc(DOCTOR, acr="eidas0"),
    "two": psc(DOCTOR, preferred_username=GONE),
    "nurse-claimed": psc(DOCTOR, SubjectRole=["60^1.2.250.1.213.1.1.5.5"]),
    "nameless": {"acr": "eidas1"},
    "refresh": psc(DOCTOR, typ="Refresh"),
    "identity": psc(DOCTOR, nonce="x"),
}


@pytest.fixture(scope="module")
def issuer(repository: Path) -> Iterator[str]:
    with running(repository, node_modules(repository), services=SERVICES, alg="RS256") as url:
        yield url


@pytest_asyncio.fixture
async def psc_world(tmp_path: Path, pki: DemoPki, issuer: str) -> AsyncIterator[World]:
    settings = ProSante(
        issuer=issuer, audiences=(AUDIENCE,), acr=("eidas1", "eidas2"), client_id="doctor", secret=SECRET
    )
    async with httpx.AsyncClient(trust_env=False) as http:
        made = await open_world(tmp_path, pki, prosante=settings, http=http)
        yield made
        await made.server.close()
        made.store.close()


# -- certificates ---------------------------------------------------------------------------------


async def test_without_credentials(world: World) -> None:
    answer = await world.search(None)
    assert answer.status == 403 and answer.rules == ["door.credentials"]
    assert (await world.curl("/metadata")).status == 200


async def test_certificates_that_are_refused_name_the_check(world: World) -> None:
    for name in ("expired", "revoked", "stranger"):
        answer = await world.search(world.pki.issued(name))
        assert answer.rules[0] == "door.certificate", name
        assert len(answer.rules) == 2 and answer.rules[1].startswith("sender."), name


async def test_who_left_the_directory_is_refused_from_then_on(world: World) -> None:
    world.file()
    world.authorise()
    card = world.card(DOCTOR)
    assert (await world.search(card)).status == 200
    activities(world.store, world.folder, *LISTED[1:])
    answer = await world.search(card)
    assert answer.status == 403 and answer.rules == ["door.holder"]
    assert "struck off" in answer.json["issue"][0]["diagnostics"]


async def test_who_is_unknown_or_of_another_profession_is_refused(world: World) -> None:
    unknown = await world.search(world.card("899900000999"))
    other = await world.search(world.card(DOCTOR, name="other-profession", profession_code=21))
    assert unknown.rules == other.rules == ["door.holder"]


# -- tokens ---------------------------------------------------------------------------------------


async def test_a_token_opens_the_door(psc_world: World, issuer: str) -> None:
    psc_world.file()
    refused = await psc_world.search(None)
    assert refused.status == 401 and refused.headers["www-authenticate"] == 'Bearer realm="passerelle"'
    signed = await token(issuer, "doctor")
    assert (await psc_world.search(None, token=signed)).rules == ["door.patient"]
    psc_world.authorise()
    found = await psc_world.search(None, token=signed)
    assert found.status == 200 and found.json["total"] == 1
    filed = await psc_world.post(publication(), None, token=signed)
    assert filed.status == 201 and filed.json["author"]


async def test_an_opaque_token_is_asked_about(psc_world: World, issuer: str) -> None:
    psc_world.authorise()
    opaque = await token(issuer, "doctor", resource="")
    assert opaque.count(".") != 2
    answer = await psc_world.search(None, token=opaque)
    # the provider says that it is active, but not that it is for us
    assert answer.status == 401 and "aud" in answer.json["issue"][0]["diagnostics"]
    assert (await psc_world.search(None, token="nothing-of-the-kind")).rules == ["door.token"]


@pytest.mark.parametrize(
    ("client", "why"),
    [
        ("weak", "acr"),
        ("two", "no professional"),
        ("nameless", "no professional"),
        ("refresh", "another kind"),
        ("identity", "identity token"),
    ],
)
async def test_tokens_that_are_refused(psc_world: World, issuer: str, client: str, why: str) -> None:
    answer = await psc_world.search(None, token=await token(issuer, client))
    assert answer.status == 401 and answer.rules == ["door.token"]
    assert why in answer.json["issue"][0]["diagnostics"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_the_directory_has_the_last_word(psc_world: World, issuer: str) -> None:
    for client in ("gone", "nurse-claimed"):
        answer = await psc_world.search(None, token=await token(issuer, client))
        assert answer.status == 403 and answer.rules == ["door.holder"], client


async def test_for_another_audience(psc_world: World, issuer: str) -> None:
    answer = await psc_world.search(
        None, token=await token(issuer, "doctor", resource="https://other.example")
    )
    assert answer.status == 401 and "aud" in answer.json["issue"][0]["diagnostics"]


async def test_forged_tokens(psc_world: World, issuer: str) -> None:
    psc_world.authorise()
    claims = psc(DOCTOR) | {"iss": issuer, "aud": AUDIENCE, "exp": int(time.time()) + 600}

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    good = await token(issuer, "doctor")
    head, body, signature = good.split(".")
    mine = RSAKey.generate_key(2048, {"kid": "k1"})
    forged = [
        f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(claims)}.",
        jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": "k1"}, claims, mine),
        jwt.encode({"alg": "RS256", "typ": "at+jwt", "jwk": mine.as_dict(private=False)}, claims, mine),
        f"{head}.{part(claims)}.{signature}",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        "a.b.c",
        "é",
    ]
    for one in forged:
        answer = await psc_world.search(None, token=one)
        assert answer.status == 401 and answer.rules == ["door.token"], one
    assert (await psc_world.search(None, token=good)).status == 200


async def test_a_bound_token_needs_its_certificate(psc_world: World, issuer: str) -> None:
    psc_world.authorise()
    card = psc_world.card(DOCTOR)
    bound = await token(issuer, "doctor-bound", certificate=card.der)
    assert (await psc_world.search(card, token=bound)).status == 200
    without = await psc_world.search(None, token=bound)
    other = await psc_world.search(psc_world.pki.issued("hospital"), token=bound)
    assert without.rules == other.rules == ["door.binding"] and without.status == 401


async def test_a_provider_that_is_away(tmp_path: Path, pki: DemoPki) -> None:
    settings = ProSante(issuer="http://127.0.0.1:9", audiences=(AUDIENCE,))
    async with httpx.AsyncClient(trust_env=False) as http:
        made = await open_world(tmp_path, pki, prosante=settings, http=http)
        answer = await made.search(None, token="a.b.c")
        await made.server.close()
        made.store.close()
    assert answer.status == 503 and answer.rules == ["door.provider"]


async def test_tokens_are_judged_while_others_read(psc_world: World, issuer: str) -> None:
    psc_world.authorise()
    signed = await token(issuer, "doctor")
    answers = await asyncio.gather(*(psc_world.search(None, token=signed) for _ in range(8)))
    assert {one.status for one in answers} == {200}
