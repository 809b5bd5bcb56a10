"""Taking a profile in from FHIR resources: what is understood and can be is added, the rest is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from activity import Actor
from dossier.health.errors import HealthError
from dossier.health.fhir_reading import from_fhir
from dossier.health.writing import put
from store import Store

MOST_TOLD: Final = 200


class BadItem(msgspec.Struct, frozen=True):
    """A resource that was left out: its place (from 1), its type, and the sentence that refused it."""

    number: int
    resource: str
    reason: str


class Imported(msgspec.Struct):
    """What an import did. ``other``: resources that are no items of a profile; at most 200 ``bad`` ones."""

    added: int = 0
    other: int = 0
    bad_count: int = 0
    bad: list[BadItem] = msgspec.field(default_factory=list)


def resources_of(raw: bytes) -> list[dict[str, Any]]:
    """The resources of a file: a FHIR Bundle, a list of resources, or one. Raises :class:`HealthError`
    ``health.file``: it is no such JSON."""
    try:
        read = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read = None
    if isinstance(read, dict) and read.get("resourceType") == "Bundle":
        entries = read.get("entry")
        read = [one.get("resource") for one in entries if isinstance(one, dict)] if entries else []
    elif isinstance(read, dict):
        read = [read]
    if not isinstance(read, list) or not all(isinstance(one, dict) and "resourceType" in one for one in read):
        raise HealthError(
            "health.file",
            "the file is neither a FHIR Bundle nor a list of FHIR resources in JSON",
            "Ce fichier n'est ni un Bundle FHIR ni une liste de ressources FHIR en JSON.",
        )
    return read


def import_fhir(store: Store, box_id: int, actor: Actor, resources: Iterable[dict[str, Any]]) -> Imported:
    """Add the items that some resources tell, each with its entry in the journal. Blocking.

    An item that was added before is added again: nobody knows whether it is the same. Raises
    :class:`RightsError` when ``actor`` may not; what of it was added before stays.
    """
    report = Imported()
    for number, resource in enumerate(resources, 1):
        item = from_fhir(resource)
        if item is None:
            report.other += 1
            continue
        try:
            put(store, box_id, actor, item)
            report.added += 1
        except HealthError as error:
            report.bad_count += 1
            if len(report.bad) < MOST_TOLD:
                report.bad.append(BadItem(number, resource["resourceType"], error.english))
    return report
