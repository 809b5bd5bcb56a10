"""What the tree holds: an entry for each published mailbox, and those of the tree itself. Pure.

A mailbox of a person is an inetOrgPerson, one of a structure an organizationalUnit; both are named by their
address, ``mail=…,<base>``. A mailbox with several holders is one entry with several values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import annuaire
from annuaire import Mailbox
from gateway.ldap.names import escape, parse_dn
from gateway.ldap.schema import ATTRIBUTES, OBJECT_CLASSES, PERSON, STRUCTURE, Entry

SUBSCHEMA: Final = "cn=subschema"
START_TLS: Final = "1.3.6.1.4.1.1466.20037"
WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"
PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"
_TITLES: Final = frozenset({"Dr", "Pr", "M.", "Mme"})
_KINDS_SHOWN: Final = frozenset({"PER", "ORG", "CAB"})


def split_name(name: str) -> tuple[str, str]:
    """Given and family name of ``"Dr Marie EXEMPLE"``: what is in capitals at the end is the family's."""
    words = name.split()
    if words and words[0] in _TITLES:
        words = words[1:]
    place = len(words)
    while place > 1 and words[place - 1] == words[place - 1].upper():
        place -= 1
    if place == 1 and len(words) == 1:
        place = 0
    return " ".join(words[:place]), " ".join(words[place:])


def shown(box: Mailbox) -> bool:
    """Whether the view shows a mailbox: not those of applications (APP), which are not published."""
    return box.kind in _KINDS_SHOWN


def mailbox_entry(rows: Sequence[Mailbox], base: str) -> Entry:
    """The entry of a mailbox; ``rows``: one for each of its holders, all with one address."""
    first = rows[0]
    gathered: dict[str, list[str]] = {"objectClass": [], "cn": [], "displayName": []}
    person = bool(first.id_nat) and first.kind != "ORG"
    for row in rows:
        if person:
            given, family = split_name(row.name)
            _add(gathered, "cn", f"{given} {family}".strip(), f"{family} {given}".strip())
            _add(gathered, "sn", family)
            _add(gathered, "givenName", given)
        else:
            _add(gathered, "cn", row.name)
            _add(gathered, "o", row.name)
            _add(gathered, "ou", row.service or row.name)
        _add(gathered, "displayName", row.name)
        _add(gathered, "mail", row.address)
        _add(gathered, "title", annuaire.profession_label(row.profession)[0])
        _add(gathered, "employeeNumber", row.id_nat)
        _add(gathered, "mssStructure", row.struct_id)
        _add(gathered, "l", row.town)
        _add(gathered, "postalCode", row.postcode)
        _add(gathered, "businessCategory", row.kind)
    # RFC 4519 §3.12, §3.11: cn and sn, and ou, must be there; a box without a name goes by its address
    for needed in ("cn", "sn") if person else ("ou",):
        if not gathered.get(needed):
            gathered[needed] = [first.address]
    gathered["objectClass"] = list(PERSON if person else STRUCTURE)
    return Entry(
        f"mail={escape(first.address)},{base}",
        {name: tuple(values) for name, values in gathered.items() if values},
        _operational("inetOrgPerson" if person else "organizationalUnit"),
    )


def _add(gathered: dict[str, list[str]], name: str, *values: str) -> None:
    there = gathered.setdefault(name, [])
    # RFC 4512 §2.2: no two values of an attribute are equal
    known = {annuaire.fold(value) for value in there}
    for value in values:
        if value and annuaire.fold(value) not in known:
            known.add(annuaire.fold(value))
            there.append(value)


def mailbox_entries(rows: Iterable[Mailbox], base: str) -> list[Entry]:
    """One entry for each address among ``rows``, in their order; those not shown are left out.

    An address that any source puts on the liste rouge is not shown, whatever the others say.
    """
    by_address: dict[str, list[Mailbox]] = {}
    hidden: set[str] = set()
    for row in rows:
        if row.red_list:
            hidden.add(row.address)
        elif shown(row):
            by_address.setdefault(row.address, []).append(row)
    return [mailbox_entry(same, base) for address, same in by_address.items() if address not in hidden]


def base_entry(base: str) -> Entry:
    """The top of the tree; its class follows its first attribute."""
    key, value = parse_dn(base)[0]
    name = {"ou": "organizationalUnit", "o": "organization", "dc": "domain"}.get(key, "top")
    classes = ("top",) if name == "top" else ("top", name)
    return Entry(base, {"objectClass": classes, key: (value,)}, _operational(name))


def root_dse(base: str, *, start_tls: bool) -> Entry:
    """What this server is and can (RFC 4512 §5.1). ``start_tls``: whether that is still to be had."""
    extensions = (WHO_AM_I, START_TLS) if start_tls else (WHO_AM_I,)
    return Entry(
        "",
        {"objectClass": ("top",)},
        {
            "namingContexts": (base,),
            "subschemaSubentry": (SUBSCHEMA,),
            "supportedLDAPVersion": ("3",),
            "supportedExtension": extensions,
            "supportedControl": (PAGED_RESULTS,),
            # RFC 3673: "+" selects operational attributes; RFC 4526: filters of no parts
            "supportedFeatures": ("1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.3"),
            "vendorName": ("Passerelle",),
        },
    )


def subschema() -> Entry:
    """The subschema entry (RFC 4512 §4.2)."""
    return Entry(
        SUBSCHEMA,
        {"objectClass": ("top", "subschema"), "cn": ("subschema",)},
        {
            "objectClasses": tuple(OBJECT_CLASSES.values()),
            "attributeTypes": tuple(one.definition for one in ATTRIBUTES),
        },
    )


def _operational(structural: str) -> dict[str, tuple[str, ...]]:
    return {"structuralObjectClass": (structural,), "subschemaSubentry": (SUBSCHEMA,)}
