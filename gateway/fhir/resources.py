"""What the record holds, as FHIR resources: DocumentReference as PDSm shapes it, Bundle, OperationOutcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

import patients
from dossier import Document
from dossier.rights import Standing
from gateway.fhir.codes import (
    HIDDEN,
    ID_NAT_PS,
    MASKED,
    MASKS,
    STRUCT_ID_NAT,
    WITHHELD,
    coding,
    concept,
    unique_identifier,
)
from gateway.fhir.dates import instant
from gateway.fhir.errors import DoorError
from gateway.fhir.parameters import STATUSES
from patients import Profile

#: What our own codes of errors belong to.
RULES: Final = "urn:passerelle:rules"


class Facts(msgspec.Struct, frozen=True):
    """What besides a document its resource tells: whose it is, and which masks it has by now."""

    patient: Profile
    standing: Standing
    hidden: frozenset[bytes] = frozenset()

    def masks(self, document: Document) -> list[str]:
        """The masks of a document as they stand: those it was filed with, and what was said since."""
        said = document.info.confidentiality
        mark = self.standing.marks.get(document.document_id)
        unmasked, announced, shown = (mark.unmasked, mark.announced, mark.shown) if mark else (0, 0, False)
        held = {
            MASKED: bool(mark and mark.masked) or (MASKED in said and not unmasked),
            WITHHELD: bool(mark and mark.withheld) or (WITHHELD in said and not announced),
            HIDDEN: patients.document_item(document.unique_id) in self.hidden
            or (HIDDEN in said and not shown),
        }
        return [code for code in MASKS if held[code]]


def document_reference(
    document: Document, facts: Facts, base: str, *, replaced: Iterable[int] = ()
) -> dict[str, Any]:
    """The resource of a document, without its content. ``replaced``: ids of those whose place it took."""
    info = document.info
    attachment = {
        "contentType": info.mime,
        "language": "fr-FR",
        "url": f"{base}/Binary/{document.document_id}",
        "size": document.size,
        "title": info.title,
        "creation": instant(document.created_at),
    }
    content: dict[str, Any] = {"attachment": attachment}
    if info.format_code:
        content["format"] = coding("format", info.format_code)
    context: dict[str, Any] = {
        "period": {"start": instant(info.service_at or document.created_at)},
        "sourcePatientInfo": subject(facts.patient),
    }
    if info.facility:
        context["facilityType"] = concept("facility", info.facility)
    if info.practice:
        context["practiceSetting"] = concept("practice", info.practice)
    contained, authors = _authors(document)
    made: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "id": str(document.document_id),
        "meta": {
            "versionId": version_id(document, facts),
            "lastUpdated": instant(document.ended_at or document.filed_at),
        },
        "contained": contained,
        "masterIdentifier": unique_identifier(document.unique_id),
        "status": STATUSES[document.status],
        "type": concept("type", info.type_code, info.type_label),
        "category": [concept("class", info.class_code, info.class_label)],
        "subject": subject(facts.patient),
        "date": instant(document.filed_at),
        "author": authors,
        "description": info.title,
        "securityLabel": security_labels(facts.masks(document)),
        "content": [content],
        "context": context,
    }
    if document.set_id:
        made["identifier"] = [unique_identifier(document.set_id)]
    targets = [{"reference": f"DocumentReference/{one}"} for one in replaced]
    if targets:
        made["relatesTo"] = [{"code": "replaces", "target": one} for one in targets]
    return made if contained else {name: value for name, value in made.items() if name != "contained"}


def version_id(document: Document, facts: Facts) -> str:
    """Changes with whatever of the resource can change: status and masks."""
    bits = "".join("1" if code in facts.masks(document) else "0" for code in MASKS)
    return f"{document.version}.{list(STATUSES).index(document.status)}.{bits}"


def etag(document: Document, facts: Facts) -> str:
    """The version as a weak entity tag (FHIR R4 §3.1.0.1.3)."""
    return f'W/"{version_id(document, facts)}"'


def security_labels(masks: Iterable[str]) -> list[dict[str, Any]]:
    """``N`` first, which is mandatory, then the masks."""
    return [concept("confidentiality", code) for code in ("N", *masks)]


def subject(patient: Profile) -> dict[str, Any]:
    """The patient by his INS; a reference to no server's resource."""
    return {"type": "Patient", "identifier": {"system": f"urn:oid:{patient.oid}", "value": patient.ins}}


def _authors(document: Document) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Contained resources, and references to them."""
    info = document.info
    contained: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    if document.author_id:
        person: dict[str, Any] = {"resourceType": "Practitioner", "id": "author"}
        person["identifier"] = [{"system": ID_NAT_PS, "value": document.author_id}]
        if info.author:
            person["name"] = [{"text": info.author}]
        contained.append(person)
        references.append({"reference": "#author", "type": "Practitioner"})
    elif info.author:
        references.append({"display": info.author})
    if document.author_struct or info.organisation:
        place: dict[str, Any] = {"resourceType": "Organization", "id": "organization"}
        if document.author_struct:
            place["identifier"] = [{"system": STRUCT_ID_NAT, "value": document.author_struct}]
        if info.organisation:
            place["name"] = info.organisation
        contained.append(place)
        references.append({"reference": "#organization", "type": "Organization"})
    return contained, references or [{"display": "auteur inconnu"}]


def searchset(
    resources: list[dict[str, Any]],
    base: str,
    *,
    total: int,
    links: Mapping[str, str],
    warning: DoorError | None = None,
) -> dict[str, Any]:
    """A Bundle of a page of results; ``warning`` is told with them."""
    entries = [
        {
            "fullUrl": f"{base}/DocumentReference/{one['id']}",
            "resource": one,
            "search": {"mode": "match"},
        }
        for one in resources
    ]
    if warning is not None:
        told = outcome(warning, severity="warning")
        entries.append({"resource": told, "search": {"mode": "outcome"}})
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": total,
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    return bundle | ({"entry": entries} if entries else {})


def outcome(error: DoorError, *, severity: str = "error") -> dict[str, Any]:
    """What was refused and by which rule, in French and in English."""
    rules = [error.rule, *([error.more] if error.more else [])]
    issue: dict[str, Any] = {
        "severity": severity,
        "code": error.issue,
        "details": {
            "coding": [{"system": RULES, "code": rule} for rule in rules],
            "text": error.french,
        },
        "diagnostics": error.peer,
    }
    if error.where:
        issue["expression"] = [error.where]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
