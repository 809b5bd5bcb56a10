"""From resources of the API to rows of the directory: the same rows as the extraction gives.

- A mailbox is a ``telecom`` of system ``email`` whose type of messaging is ``MSSANTE`` (R256); an
  organisation's other e-mail addresses are no mailboxes of the trust space.
- PER and CAB with a person alone stand at the Practitioner; with a person and a structure at the
  PractitionerRole; ORG and APP at the Organization.
- A mailbox on the red list (``listeRouge``) is marked: it proves a sender and is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from annuaire.fhir.model import (
    TYPES,
    ContactPoint,
    Extension,
    Organization,
    Practitioner,
    PractitionerRole,
    Resource,
)
from annuaire.layouts import MAILBOXES
from annuaire.layouts import Mapping as Columns
from annuaire.names import national_id, structure_id
from annuaire.rows import MailboxRow, RowFaultError, parse_mailbox

_EMAIL_TYPE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
_ANNUAIRE: Final = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/"
_METADATA: Final = f"{_ANNUAIRE}as-ext-mailbox-mss-metadata"
_NOS: Final = "https://mos.esante.gouv.fr/NOS/"
_R256: Final = f"{_NOS}TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie"
_PROFESSIONS: Final = f"{_NOS}TRE_G15-ProfessionSante/"
_SPECIALITIES: Final = f"{_NOS}TRE_R38-SpecialiteOrdinale/"
_IDNPS: Final = "urn:oid:1.2.250.1.71.4.2.1"
_RPPS: Final = "https://rpps.esante.gouv.fr"
_IDNST: Final = "urn:oid:1.2.250.1.71.4.2.2"
_FINESS: Final = "https://finess.esante.gouv.fr"
_SIRENE: Final = "https://sirene.fr"

#: What the extraction writes beside the codes of G15, for the search by words; the API gives codes only.
_LABELS: Final = {
    "10": "Médecin", "21": "Pharmacien", "26": "Audioprothésiste", "28": "Opticien-Lunetier",
    "31": "Assistant dentaire", "32": "Physicien médical", "40": "Chirurgien-Dentiste", "50": "Sage-Femme",
    "60": "Infirmier", "69": "Infirmier psychiatrique", "70": "Masseur-Kinésithérapeute",
    "80": "Pédicure-Podologue", "81": "Orthoprothésiste", "82": "Podo-Orthésiste",
    "83": "Orthopédiste-Orthésiste", "84": "Oculariste", "85": "Épithésiste",
    "86": "Technicien de laboratoire médical", "91": "Orthophoniste", "92": "Orthoptiste",
    "94": "Ergothérapeute", "95": "Diététicien", "96": "Psychomotricien", "98": "Manipulateur ERM",
}  # fmt: skip

#: The cells of a mailbox row, one for each field of the extraction that we take.
_COLUMNS: Final = Columns(
    layout=MAILBOXES,
    width=len(MAILBOXES.fields),
    places={field: place for place, field in enumerate(MAILBOXES.fields)},
    drifted=(),
)


class Holder(msgspec.Struct, frozen=True):
    """What a mailbox row says of its person or its structure; also what other resources refer to."""

    id_nat: str = ""
    struct_id: str = ""
    cells: dict[str, str] = {}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One resource as a search gave it.

    :param updated_at: ``meta.lastUpdated`` in ms; 0 when it does not say.
    :param gone: it was deleted, or is not active any more.
    :param faults: why mailboxes of it were left out.
    """

    kind: str
    id: str
    updated_at: int
    gone: bool
    holder: Holder
    rows: list[MailboxRow]
    faults: list[str] = []


def read_resource(raw: bytes) -> Resource:
    """One resource of a page. Raises :class:`RowFaultError` when it cannot be read."""
    try:
        found = msgspec.json.decode(raw, type=Resource)
        kind = TYPES.get(found.resource_type)
        if kind is None:
            raise RowFaultError(f"a resource of another type, {found.resource_type[:30]!r}")
        full: Resource = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RowFaultError(f"a malformed resource: {str(error)[:120]}") from None
    if not full.id or len(full.id) > 64:  # FHIR R4 §2.24.0.1: an id has at most 64 characters
        raise RowFaultError("a resource without a usable id")
    return full


def see(resource: Resource, holders: Mapping[str, Holder]) -> Seen:
    """What a resource says of mailboxes.

    :param holders: by reference (``Practitioner/003-1``), what is known of those that a role refers to.

    Raises :class:`RowFaultError` when its holder is missing or unknown.
    """
    gone = not resource.active
    boxes = [] if gone else [one for one in resource.telecom if _is_mailbox(one)]
    # A resource that was deleted tells its id and nothing else.
    holder = _holder(resource, holders) if boxes or not gone else Holder()
    if boxes and not (holder.id_nat or holder.struct_id):
        raise RowFaultError("a mailbox whose holder has no national identifier")
    rows, faults = [], []
    for box in boxes:
        details = _details(box)
        kind = details["kind"] or ("ORG" if isinstance(resource, Organization) else "PER")
        cells = {**holder.cells, **details, "kind": kind, "address": box.value}
        try:
            rows.append(parse_mailbox(_COLUMNS, [cells.get(field, "") for field in MAILBOXES.fields]))
        except RowFaultError as fault:
            faults.append(str(fault))
    return Seen(
        kind=resource.resource_type,
        id=resource.id,
        updated_at=moment(resource.meta.last_updated),
        gone=gone,
        holder=holder,
        rows=rows,
        faults=faults,
    )


def holder_of(resource: Resource) -> Holder:
    """What a Practitioner or an Organization tells of itself. Raises :class:`RowFaultError`."""
    if isinstance(resource, Practitioner):
        return _person(resource)
    if isinstance(resource, Organization):
        return _structure(resource)
    raise RowFaultError("a role holds nothing by itself")


def moment(text: str) -> int:
    """An instant of FHIR (ISO 8601 with a zone) in ms; 0 when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _holder(resource: Resource, holders: Mapping[str, Holder]) -> Holder:
    if not isinstance(resource, PractitionerRole):
        return holder_of(resource)
    person = holders.get(resource.practitioner.reference)
    if person is None:
        raise RowFaultError("a role of a professional who is not known here")
    if not resource.organization.reference:
        return person
    structure = holders.get(resource.organization.reference)
    if structure is None:
        raise RowFaultError("a role in a structure that is not known here")
    return Holder(person.id_nat, structure.struct_id, {**structure.cells, **person.cells})


def _person(resource: Practitioner) -> Holder:
    ids = {one.system: one.value for one in resource.identifier}
    id_nat = national_id("8", ids.get(_RPPS, ""), ids.get(_IDNPS, ""))
    name = resource.name[0] if resource.name else None
    codes = [code for one in resource.qualification for code in one.code.coding]
    profession = next((code.code for code in codes if code.system.startswith(_PROFESSIONS)), "")
    cells = {
        "national": id_nat,
        "civility": name.prefix[0] if name and name.prefix else "",
        "family": name.family if name else "",
        "given": " ".join(name.given) if name else "",
        "profession": profession,
        "profession_label": _LABELS.get(profession, ""),
        "speciality": next((code.code for code in codes if code.system.startswith(_SPECIALITIES)), ""),
    }
    return Holder(id_nat, "", cells)


def _structure(resource: Organization) -> Holder:
    ids = {one.system: one.value for one in resource.identifier}
    sirets = [
        one.value for one in resource.identifier if one.system.startswith(_SIRENE) and len(one.value) == 14
    ]
    struct = (
        structure_id("", ids.get(_IDNST, ""))
        or structure_id("1", ids.get(_FINESS, ""))
        or structure_id("3", sirets[0] if sirets else "")
    )
    place = resource.address[0] if resource.address else None
    cells = {
        "structure": struct,
        "legal_name": resource.name,
        "trade_name": resource.alias[0] if resource.alias else "",
        "delivery_line": f"{place.postal_code} {place.city}".strip() if place else "",
        "postcode": place.postal_code if place else "",
        "department": place.district if place else "",
    }
    return Holder("", struct, cells)


def _is_mailbox(point: ContactPoint) -> bool:
    return point.system == "email" and any(
        one.url == _EMAIL_TYPE and (_R256, "MSSANTE") in _codes(one) for one in point.extension
    )


def _codes(extension: Extension) -> list[tuple[str, str]]:
    concept = extension.value_codeable_concept
    codings = [extension.value_coding] if extension.value_coding else concept.coding if concept else []
    return [(one.system, one.code) for one in codings]


def _details(point: ContactPoint) -> dict[str, str]:
    """``kind`` (R257), ``service``, ``red_list`` ("oui" when the mailbox is on it)."""
    found = {"kind": "", "service": "", "red_list": ""}
    for metadata in point.extension:
        if metadata.url != _METADATA:
            continue
        for one in metadata.extension:
            if one.url == "type":
                found["kind"] = next((code for _, code in _codes(one)), "")
            elif one.url == "service":
                found["service"] = one.value_string
            elif one.url == "listeRouge" and one.value_boolean:
                found["red_list"] = "oui"
    return found
