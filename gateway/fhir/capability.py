"""The CapabilityStatement: made from the very tables by which requests are answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.fhir.codes import FHIR_JSON
from gateway.fhir.parameters import PARAMETERS
from gateway.fhir.search import PATIENT

#: What the statement says was last changed with.
DATE: Final = "2026-11-22"
VERSION: Final = "1.0.0"

_WORDS: Final = {
    ("DocumentReference", "read"): "the resource of one document, without its content",
    ("DocumentReference", "search-type"): "ITI-67; POST _search keeps the INS out of URLs",
    ("DocumentReference", "create"): "ITI-105, simplified publish",
    ("DocumentReference", "patch"): "JSON Patch on securityLabel, or status entered-in-error by the author",
    ("DocumentReference", "delete"): "by its author; it stays traceable",
    ("Binary", "read"): "ITI-68: the bytes themselves, or a Binary when fhir+json is asked for",
}


def statement(base: str, interactions: Iterable[tuple[str, str]], *, tokens: bool) -> dict[str, Any]:
    """The statement of a door under ``base``.

    :param interactions: (resource, code) of every route there is. :param tokens: bearer tokens are taken.
    """
    by_type: dict[str, list[str]] = {}
    for resource, code in interactions:
        by_type.setdefault(resource, []).append(code)
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "publisher": "Passerelle",
        "kind": "instance",
        "software": {"name": "Passerelle", "version": VERSION},
        "implementation": {"description": "Porte des professionnels (Passerelle)", "url": base},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON],
        "patchFormat": ["application/json-patch+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    "Sous-ensemble de MHD 4 (ITI-67, ITI-68, ITI-105) tel que PDSm 3 le profile, en JSON "
                    "seulement. Subset of MHD 4 as PDSm 3 profiles it, in JSON only."
                ),
                "security": _security(tokens=tokens),
                "resource": [_resource(name, codes) for name, codes in by_type.items()],
            }
        ],
    }


def _security(*, tokens: bool) -> dict[str, Any]:
    ways = ["Certificates", *(["OAuth"] if tokens else [])]
    system = "http://terminology.hl7.org/CodeSystem/restful-security-service"
    return {
        "cors": False,
        "service": [{"coding": [{"system": system, "code": code}]} for code in ways],
        "description": (
            "Certificat client de l'IGC-Santé (personne ou structure)"
            + (" ou jeton d'accès Pro Santé Connect (RFC 6750)." if tokens else ".")
        ),
    }


def _resource(name: str, codes: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": name,
        "interaction": [{"code": code, "documentation": _WORDS[name, code]} for code in codes],
        "versioning": "versioned" if name == "DocumentReference" else "no-version",
        "readHistory": False,
        "conditionalCreate": False,
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
    }
    if "search-type" in codes:
        made["searchParam"] = [_patient(), *(_parameter(one) for one in PARAMETERS)]
    return made


def _patient() -> dict[str, str]:
    return {
        "name": PATIENT[0],
        "definition": "http://hl7.org/fhir/SearchParameter/Patient-identifier",
        "type": "token",
        "documentation": "required, once: urn:oid:OID|INS",
    }


def _parameter(name: str) -> Mapping[str, str]:
    one = PARAMETERS[name]
    return {
        "name": one.name,
        "definition": one.definition,
        "type": one.kind,
        "documentation": one.words,
    }
