"""The professionals' door over real sockets: its PKI, its directory, its patients, and foreign clients."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import activity
import annuaire
import dossier
import patients
from activity import Actor
from annuaire.demo import write_activities
from certs import DemoPki, Issued, TrustError, TrustStore, operators_context
from dossier import rights
from gateway.fhir import Door, FhirDoor, Gatekeeper, ProSante, Tokens
from gateway.http import HttpServer, Limits
from patients import Person, Profile
from store import Store
from tests.oidc.provider import SECRET

DOMAIN = "patient.exemple.fr"
DOCTOR, COLLEAGUE, GONE, PHARMACIST, SAMU = (f"8999000{number:05}" for number in range(201, 206))
HOSPITAL, CLINIC, SAMU_SITE = "1690000007", "1690000015", "1750000019"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
TEXT = b"Compte rendu de consultation : tout va bien.\r\n"
AUDIENCE = "https://passerelle.example/fhir"


def ins(first13: str) -> str:
    return first13 + patients.ins_key(first13)


MARIE = Person(
    ins("2880575056001"), patients.OID_NIR_TEST, "EXEMPLE", "MARIE ANNE", "", "F", "1988-05-01", "75056"
)
PAUL = Person(ins("1850369123042"), patients.OID_NIR_TEST, "ESSAI", "PAUL", "", "M", "1985-03-02", "69123")
NOBODY = ins("1850369123099")


def activities(store: Store, folder: Path, *people: tuple[str, str, str]) -> None:
    """The directory knows these: IdNat_PS, profession, FINESS."""
    rows = [
        {
            "national": id_nat,
            "family": "EXEMPLE",
            "given": "CAMILLE",
            "profession": profession,
            "finess": finess,
            "legal_name": "HOPITAL EXEMPLE",
            "sector": "SA01",
        }
        for id_nat, profession, finess in people
    ]
    path = write_activities(folder / "PS_LibreAcces_Personne_activite.txt", rows)
    annuaire.import_extraction(store, path, accept_shrink=True)


LISTED = (
    (DOCTOR, "10", "690000007"),
    (COLLEAGUE, "10", "690000015"),
    (SAMU, "10", "750000019"),
)


@dataclass
class Answer:
    """What curl got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rules(self) -> list[str]:
        """The rules of an OperationOutcome."""
        assert self.json["resourceType"] == "OperationOutcome", self.json
        return [one["code"] for issue in self.json["issue"] for one in issue["details"]["coding"]]


@dataclass
class World:
    store: Store
    folder: Path
    pki: DemoPki
    server: HttpServer
    door: FhirDoor

    @property
    def base(self) -> str:
        return f"https://localhost:{self.server.port}/fhir"

    @property
    def root(self) -> Path:
        return next(iter(sorted((self.pki.trust / "roots").iterdir())))

    def profile(self, person: Person) -> Profile:
        found = self.store.read(patients.profile, person.ins)
        assert found is not None and found.box_id is not None
        return found

    def box(self, person: Person = MARIE) -> int:
        box_id = self.profile(person).box_id
        assert box_id is not None
        return box_id

    def authorise(self, id_nat: str = DOCTOR, person: Person = MARIE) -> None:
        """The patient lets a professional in."""
        actor = Actor(by="patient", ident=person.ins)
        rights.authorise(self.store, self.box(person), actor, id_nat)

    def block(self, id_nat: str = DOCTOR, person: Person = MARIE) -> None:
        rights.block(self.store, self.box(person), Actor(by="patient", ident=person.ins), id_nat)

    def file(self, number: int = 1, *, person: Person = MARIE, by: str = COLLEAGUE, **said: Any) -> int:
        """A document on record; its id."""
        actor = Actor(by="professional", ident=by, name="Jean COLLEGUE", profession="10", structure=CLINIC)
        given: dict[str, Any] = {
            "title": f"Compte rendu {number}",
            "mime": "text/plain",
            "type_code": "34112-3",
            "unique_id": f"2.25.{person.ins}{number}",
        }
        filed = dossier.deposit(
            self.store,
            self.box(person),
            actor,
            content=TEXT + str(number).encode(),
            said=dossier.Said(**(given | said)),
        )
        return filed.document_id

    async def curl(
        self,
        path: str,
        *arguments: str,
        who: Issued | None = None,
        token: str = "",
        data: bytes | None = None,
    ) -> Answer:
        """Ask with curl; ``path`` begins after the base, or is a whole URL."""
        url = path if path.startswith("http") else self.base + path
        command = ["curl", "-s", "-i", "--http1.1", "--path-as-is", "--cacert", str(self.root)]
        if who is not None:
            command += ["--cert", str(who.pem), "--key", str(who.key)]
        if token:
            command += ["-H", f"Authorization: Bearer {token}"]
        if data is not None:
            command += ["--data-binary", "@-", "-H", "Expect:"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            url,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate(data)
        assert process.returncode == 0, (process.returncode, err)
        return answer_of(out)

    async def post(self, resource: Any, who: Issued | None, *arguments: str, token: str = "") -> Answer:
        """ITI-105."""
        return await self.curl(
            "/DocumentReference",
            "-H",
            "Content-Type: application/fhir+json",
            *arguments,
            who=who,
            token=token,
            data=json.dumps(resource).encode(),
        )

    async def search(self, who: Issued | None, *fields: str, person: Person = MARIE, **more: Any) -> Answer:
        """ITI-67 by POST."""
        form = [f"patient.identifier=urn:oid:{person.oid}|{person.ins}", *fields]
        arguments = [part for one in form for part in ("--data-urlencode", one)]
        extra = more.pop("extra", ())
        return await self.curl("/DocumentReference/_search", *arguments, *extra, who=who, **more)

    def card(self, id_nat: str, **given: Any) -> Issued:
        """A professional's card."""
        name = given.pop("name", f"card-{id_nat}")
        try:
            return self.pki.issued(name)
        except TrustError:
            return self.pki.issue_person(id_nat, "EXEMPLE", "CAMILLE", name=name, **given)


def answer_of(out: bytes) -> Answer:
    """The last answer in what curl printed."""
    while True:
        head, _, body = out.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        if status != 100:
            break
        out = body
    fields = (line.partition(":") for line in lines[1:])
    return Answer(status, {name.lower(): value.strip() for name, _, value in fields}, body)


def publication(number: int = 1, *, person: Person = MARIE, by: str = DOCTOR, **changes: Any) -> Any:
    """A resource of the simplified publish profile."""
    resource: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:2.25.77{number}"},
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34112-3"}]},
        "subject": {"identifier": {"system": f"urn:oid:{person.oid}", "value": person.ins}},
        "author": [{"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": by}, "display": "Dr E."}],
        "content": [
            {
                "attachment": {
                    "contentType": "application/pdf",
                    "language": "fr-FR",
                    "data": base64.b64encode(PDF + str(number).encode()).decode(),
                    "title": f"Lettre {number}",
                    "creation": "2026-03-01T10:00:00+01:00",
                }
            }
        ],
    }
    return resource | changes


async def token(issuer: str, client: str, *, resource: str = AUDIENCE, certificate: bytes = b"") -> str:
    """An access token of one of the services."""
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": SECRET}
    if resource:
        form["resource"] = resource
    headers = {"x-certificate": base64.b64encode(certificate).decode()} if certificate else {}
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.post(f"{issuer}/token", data=form, headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["access_token"])


async def open_world(
    folder: Path,
    pki: DemoPki,
    *,
    prosante: ProSante | None = None,
    http: httpx.AsyncClient | None = None,
    limits: Limits | None = None,
    **door: Any,
) -> World:
    """A door with two patients (Marie's and Paul's profiles open) and four professionals in the directory."""
    store = Store.open(folder / "home")
    people = [MARIE, PAUL]
    store.write(patients.add_persons, persons=people, actor="test")
    for person in people:
        patients.activate(store, person.ins, DOMAIN, actor="test")
    activities(store, folder, *LISTED)
    settings = Door(**({"regulation": frozenset({SAMU_SITE})} | door))
    tokens = Tokens(prosante, http) if prosante is not None and http is not None else None
    trust = TrustStore.load(pki.trust)
    made = FhirDoor(store, Gatekeeper(store, trust, tokens, settings), settings)
    context = operators_context(*pki.paths("gateway"))
    server = HttpServer(made.app, context, limits or Limits(body=2 * settings.size), name="fhir")
    await server.start()
    return World(store, folder, pki, server, made)


def journal(world: World, person: Person = MARIE) -> list[tuple[str, str]]:
    """What the patient's journal says, newest first: what, and the rule that refused."""
    entries = world.store.read(activity.entries, world.store, world.box(person))
    return [(one.what, one.rule) for one in entries]
