"""A recorded Annuaire Santé API: Bundles in its exact shape, fictitious people, over a real socket.

It answers like a server that has been recorded: a script says what comes next for each address, and every
request is kept, so that a test can look at what was asked and with which key.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
KEY = "0f1e2d3c-fictitious-key"

ANNUAIRE = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition"
CORE = "https://hl7.fr/ig/fhir/core"
NOS = "https://mos.esante.gouv.fr/NOS"


@dataclass
class Asked:
    """One request."""

    path: str
    query: dict[str, list[str]]
    key: str


@dataclass
class Answer:
    """What to answer: a status, a body, headers; ``cut`` octets of the body only when not 0."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    stall: float = 0.0


class Api:
    """The recording: by kind of resource, the pages of a search; and faults that come first."""

    def __init__(self) -> None:
        self.url = ""
        self.pages: dict[str, list[list[Json]]] = {}
        self.faults: list[Answer] = []
        self.asked: list[Asked] = []
        self.rewrite: Callable[[Json], Json] = lambda bundle: bundle
        self.expired: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        if asked.key != KEY:
            return outcome(401, "Unauthorized")
        if self.faults:
            return self.faults.pop(0)
        if asked.path.endswith("/_page"):
            kind, _, number = asked.query["id"][0].partition("-")
            if asked.query["id"][0] in self.expired:
                return outcome(410, "HAPI-0418: Search ID does not exist and may have expired")
        else:
            kind, number = asked.path.rpartition("/")[2], "0"
        pages = self.pages.get(kind, []) or [[]]
        return Answer(json.dumps(self.rewrite(self._bundle(kind, pages, int(number)))).encode())

    def _bundle(self, kind: str, pages: list[list[Json]], number: int) -> Json:
        link = [{"relation": "self", "url": f"{self.url}/{kind}"}]
        if number + 1 < len(pages):
            link.insert(0, {"relation": "next", "url": f"{self.url}/_page?id={kind}-{number + 1}"})
        bundle: Json = {
            "resourceType": "Bundle",
            "id": "387c9b7f-ee25-4735-a699-4e9397b98044",
            "type": "searchset",
            "total": sum(map(len, pages)),
            "link": link,
        }
        if pages[number]:
            bundle["entry"] = [self._entry(kind, one) for one in pages[number]]
        return bundle

    def _entry(self, kind: str, resource: Json) -> Json:
        which = resource.get("resourceType", "")
        return {
            "fullUrl": f"{self.url}/{which}/{resource.get('id')}",
            "resource": resource,
            "search": {"mode": "match" if which == kind else "include"},
        }


def outcome(status: int, text: str) -> Answer:
    issue = [{"severity": "error", "code": "processing", "diagnostics": text}]
    return Answer(json.dumps({"resourceType": "OperationOutcome", "issue": issue}).encode(), status)


@contextmanager
def serving(certificate: Path, key: Path) -> Iterator[Api]:
    """The API under ``https://localhost:…/fhir/v2``."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, parse_qs(parts.query), self.headers.get("ESANTE-API-KEY", ""))
            api.asked.append(asked)
            said = api.answer(asked)
            if said.stall:
                stop.wait(said.stall)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/fhir+json;charset=UTF-8")
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body[: said.cut or None])
            if said.cut:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Quiet."""

    stop = threading.Event()

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """A client that goes away is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    api.url = f"https://localhost:{server.server_port}/fhir/v2"
    try:
        yield api
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


def mailbox(
    address: str, kind: str = "", *, service: str = "", description: str = "", red: bool | None = None
) -> Json:
    """A telecom of the trust space, as the API writes it."""
    email_type: Json = {
        "url": f"{CORE}/StructureDefinition/fr-core-contact-point-email-type",
        "valueCoding": {
            "system": f"{NOS}/TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie",
            "code": "MSSANTE",
        },
    }
    told: list[Json] = []
    if kind:
        coding = [{"system": f"{NOS}/TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL", "code": kind}]
        told.append({"url": "type", "valueCodeableConcept": {"coding": coding}})
    if description:
        told.append({"url": "description", "valueString": description})
    if service:
        told.append({"url": "service", "valueString": service})
    told.append({"url": "digitization", "valueBoolean": True})
    if red is not None:
        told.append({"url": "listeRouge", "valueBoolean": red})
    metadata = {"url": f"{ANNUAIRE}/as-ext-mailbox-mss-metadata", "extension": told}
    return {"extension": [email_type, metadata], "system": "email", "value": address}


def plain_email(address: str) -> Json:
    """An organisation's ordinary address: no mailbox of the trust space."""
    return {"system": "email", "value": address}


def practitioner(
    which: str,
    rpps: str,
    family: str,
    given: str,
    *telecom: Json,
    updated: str = "2026-08-26T10:16:30.021+02:00",
    profession: str = "10",
) -> Json:
    return {
        "resourceType": "Practitioner",
        "id": which,
        "meta": _meta("practitioner", updated),
        "language": "fr",
        "identifier": [
            _identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", f"8{rpps}"),
            _identifier("RPPS", "https://rpps.esante.gouv.fr", rpps),
        ],
        "active": True,
        "name": [{"use": "usual", "family": family, "given": [given], "prefix": ["MME"]}],
        "telecom": list(telecom),
        "qualification": [
            {
                "code": {
                    "coding": [
                        {"system": f"{NOS}/TRE_R48-DiplomeEtatFrancais/FHIR/TRE-R48", "code": "DE01"},
                    ]
                }
            },
            {
                "code": {
                    "coding": [
                        {
                            "system": f"{NOS}/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante",
                            "code": profession,
                        },
                        {
                            "system": f"{NOS}/TRE_R09-CategorieProfessionnelle/FHIR/"
                            "TRE-R09-CategorieProfessionnelle",
                            "code": "C",
                        },
                    ]
                }
            },
        ],
    }


def role(
    which: str,
    person: str,
    structure: str,
    *telecom: Json,
    updated: str = "2026-08-26T10:20:00.000+02:00",
) -> Json:
    return {
        "resourceType": "PractitionerRole",
        "id": which,
        "meta": _meta("practitionerrole", updated),
        "language": "fr",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "1001500032"}],
        "active": True,
        "practitioner": {"reference": f"Practitioner/{person}"},
        "organization": {"reference": f"Organization/{structure}"},
        "telecom": list(telecom),
    }


def organization(
    which: str,
    struct_id: str,
    name: str,
    *telecom: Json,
    sector: str = "SA33",
    updated: str = "2026-08-26T10:10:00.000+02:00",
) -> Json:
    return {
        "resourceType": "Organization",
        "id": which,
        "meta": _meta("organization", updated),
        "language": "fr",
        "identifier": [
            _identifier("IDNST", "urn:oid:1.2.250.1.71.4.2.2", struct_id),
            _identifier("FINEJ", "https://finess.esante.gouv.fr", struct_id[1:]),
        ],
        "active": True,
        "type": [
            {
                "extension": [
                    {"url": f"{ANNUAIRE}/as-ext-organization-types", "valueCode": "secteurActiviteRASS"}
                ],
                "coding": [
                    {
                        "system": f"{NOS}/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite",
                        "code": sector,
                    }
                ],
            }
        ],
        "name": name,
        "telecom": list(telecom),
        "address": [{"city": "BOURGES", "postalCode": "18000", "district": "18", "line": ["1 RUE X"]}],
    }


def deleted(kind: str, which: str, updated: str = "2026-08-27T08:00:00.000+02:00") -> Json:
    """A deleted resource in an incremental search: its id, and that it is not active."""
    return {"resourceType": kind, "id": which, "meta": {"lastUpdated": updated}, "active": False}


def _meta(profile: str, updated: str) -> Json:
    return {
        "versionId": "1",
        "lastUpdated": updated,
        "source": "https://annuaire.sante.fr",
        "profile": [f"{CORE}/StructureDefinition/fr-core-{profile}", f"{ANNUAIRE}/as-dp-{profile}"],
    }


def _identifier(code: str, system: str, value: str) -> Json:
    coding = [{"system": f"{CORE}/CodeSystem/fr-core-cs-v2-0203", "code": code}]
    return {"use": "official", "type": {"coding": coding}, "system": system, "value": value}
