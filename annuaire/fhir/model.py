"""The FHIR resources of the Annuaire Santé API, as far as they are read.

Shapes: FHIR R4 (4.0.1), profiles as-dp-practitioner, as-dp-practitionerrole and as-dp-organization. What
they hold beyond this is passed over. A resource that was deleted comes in an incremental search with its
``id`` and ``active: false``, often nothing else.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Kind = Literal["Organization", "Practitioner", "PractitionerRole"]

#: Roles last: they refer to the other two.
KINDS: Final[tuple[Kind, ...]] = ("Organization", "Practitioner", "PractitionerRole")


class _Element(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all: unknown members are ignored, JSON names are camelCase."""


class Coding(_Element, frozen=True):
    """A code of a system (FHIR R4 §2.24.0.4)."""

    system: str = ""
    code: str = ""


class Concept(_Element, frozen=True):
    """CodeableConcept."""

    coding: list[Coding] = []


class Extension(_Element, frozen=True):
    """An extension, simple or nested."""

    url: str = ""
    extension: list[Extension] = []
    value_coding: Coding | None = None
    value_codeable_concept: Concept | None = None
    value_string: str = ""
    value_boolean: bool = False


class ContactPoint(_Element, frozen=True):
    """A telecom: a mailbox of the trust space when its extension says so."""

    system: str = ""
    value: str = ""
    extension: list[Extension] = []


class Identifier(_Element, frozen=True):
    """An identifier in a system."""

    system: str = ""
    value: str = ""


class HumanName(_Element, frozen=True):
    """A name of practice."""

    family: str = ""
    given: list[str] = []
    prefix: list[str] = []


class Reference(_Element, frozen=True):
    """A reference such as ``Practitioner/003-1-2``."""

    reference: str = ""


class Qualification(_Element, frozen=True):
    """A profession, a speciality, a diploma."""

    code: Concept = Concept()


class Address(_Element, frozen=True):
    """A postal address of a structure."""

    city: str = ""
    postal_code: str = ""
    district: str = ""


class Meta(_Element, frozen=True):
    """``last_updated``: ISO 8601 with a zone."""

    last_updated: str = ""


class Resource(_Element, frozen=True):
    """What the three resources share; missing parts read as empty."""

    resource_type: str
    id: str
    meta: Meta = Meta()
    active: bool = True
    identifier: list[Identifier] = []
    telecom: list[ContactPoint] = []


class Practitioner(Resource, frozen=True):
    """A professional, once for each profession that he practises."""

    name: list[HumanName] = []
    qualification: list[Qualification] = []


class PractitionerRole(Resource, frozen=True):
    """A professional's activity in a structure."""

    practitioner: Reference = Reference()
    organization: Reference = Reference()


class Organization(Resource, frozen=True):
    """A structure: establishment, practice, pharmacy."""

    name: str = ""
    alias: list[str] = []
    type: list[Concept] = []
    address: list[Address] = []


TYPES: Final[dict[str, type[Resource]]] = {
    "Organization": Organization,
    "Practitioner": Practitioner,
    "PractitionerRole": PractitionerRole,
}


class Link(_Element, frozen=True):
    """A link of a Bundle; ``next`` leads to the next page (FHIR R4 §3.1.1.3)."""

    relation: str = ""
    url: str = ""


class Search(_Element, frozen=True):
    """``match``: what was searched for; ``include``: what it refers to."""

    mode: str = "match"


class BundleEntry(_Element, frozen=True):
    """One resource of a page, still as JSON: one that is malformed spoils no other."""

    resource: msgspec.Raw = msgspec.Raw(b"null")
    search: Search = Search()


class Bundle(_Element, frozen=True):
    """One page of a search."""

    resource_type: str
    type: str = ""
    link: list[Link] = []
    entry: list[BundleEntry] = []


class Issue(_Element, frozen=True):
    """One line of an OperationOutcome."""

    diagnostics: str = ""


class Outcome(_Element, frozen=True):
    """OperationOutcome: why the server refused."""

    issue: list[Issue] = []
