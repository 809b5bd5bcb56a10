"""What the entries of the view may hold: attributes, object classes, and how they are selected (RFC 4512).

Attributes are those of RFC 4519, RFC 4524 and RFC 2798 that the directory can fill, and two of our own for
what these have no place for; their OIDs are under 2.25, the arc of UUIDs, where nobody need be asked.
"""

from __future__ import annotations

from typing import Final

import msgspec

_STRUCTURE: Final = "2.25.254331962498731402515475350016567211464"
_MAILBOX: Final = "2.25.184027089757696325715649979603730461973"

# matching rules and syntaxes by their names and OIDs in RFC 4517
_TEXT: Final = (
    "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
)
_IA5: Final = (
    "EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26"
)
_OID: Final = "EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38"
_NAME: Final = "SUP name"
_DN: Final = "EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12"
_PLAIN: Final = "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
_SERVER: Final = "USAGE dSAOperation"


class AttributeType(msgspec.Struct, frozen=True):
    """One attribute: its OID, its names (the first is the one we write), and the rest of its definition."""

    oid: str
    names: tuple[str, ...]
    rest: str

    @property
    def definition(self) -> str:
        """RFC 4512 §4.1.2."""
        names = " ".join(f"'{name}'" for name in self.names)
        return f"( {self.oid} NAME ( {names} ) {self.rest} )"


ATTRIBUTES: Final = tuple(
    AttributeType(oid, tuple(names.split()), rest)
    for oid, names, rest in (
        ("2.5.4.0", "objectClass", _OID),
        ("2.5.4.41", "name", _TEXT),
        ("2.5.4.3", "cn commonName", _NAME),
        ("2.5.4.4", "sn surname", _NAME),
        ("2.5.4.42", "givenName gn", _NAME),
        ("2.5.4.10", "o organizationName", _NAME),
        ("2.5.4.11", "ou organizationalUnitName", _NAME),
        ("2.5.4.12", "title", _NAME),
        ("2.5.4.7", "l localityName", _NAME),
        ("2.5.4.13", "description", _TEXT),
        ("2.5.4.15", "businessCategory", _TEXT),
        ("2.5.4.17", "postalCode", _TEXT),
        ("2.16.840.1.113730.3.1.241", "displayName", _TEXT),
        ("2.16.840.1.113730.3.1.3", "employeeNumber", _TEXT),
        ("0.9.2342.19200300.100.1.3", "mail rfc822Mailbox", _IA5),
        ("0.9.2342.19200300.100.1.1", "uid userid", _TEXT),
        ("0.9.2342.19200300.100.1.25", "dc domainComponent", _IA5),
        ("2.5.4.20", "telephoneNumber", _TEXT),
        (_STRUCTURE, "mssStructure", _TEXT),
        ("2.5.21.9", "structuralObjectClass", f"{_OID} USAGE directoryOperation"),
        ("2.5.18.10", "subschemaSubentry", f"{_DN} USAGE directoryOperation"),
        ("2.5.21.5", "attributeTypes", "SYNTAX 1.3.6.1.4.1.1466.115.121.1.3 USAGE directoryOperation"),
        ("2.5.21.6", "objectClasses", "SYNTAX 1.3.6.1.4.1.1466.115.121.1.37 USAGE directoryOperation"),
        ("1.3.6.1.4.1.1466.101.120.5", "namingContexts", f"{_DN} {_SERVER}"),
        ("1.3.6.1.4.1.1466.101.120.7", "supportedExtension", f"{_OID} {_SERVER}"),
        ("1.3.6.1.4.1.1466.101.120.13", "supportedControl", f"{_OID} {_SERVER}"),
        ("1.3.6.1.4.1.1466.101.120.15", "supportedLDAPVersion", f"{_PLAIN} {_SERVER}"),
        ("1.3.6.1.4.1.4203.1.3.5", "supportedFeatures", f"{_OID} {_SERVER}"),
        ("1.3.6.1.1.4", "vendorName", f"{_PLAIN} {_SERVER}"),
    )
)

#: Object class → its definition (RFC 4512 §4.1.1); the mail of a structure needs a class that allows it.
OBJECT_CLASSES: Final = {
    "top": "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
    "person": (
        "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( telephoneNumber $ description ) )"
    ),
    "organizationalPerson": (
        "( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY ( title $ postalCode $ ou $ l ) )"
    ),
    "inetOrgPerson": (
        "( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP organizationalPerson STRUCTURAL "
        "MAY ( businessCategory $ displayName $ employeeNumber $ givenName $ mail $ o $ uid ) )"
    ),
    "organizationalUnit": (
        "( 2.5.6.5 NAME 'organizationalUnit' SUP top STRUCTURAL MUST ou "
        "MAY ( businessCategory $ description $ l $ postalCode $ telephoneNumber ) )"
    ),
    "mssMailbox": (
        f"( {_MAILBOX} NAME 'mssMailbox' SUP top AUXILIARY MUST mail "
        "MAY ( cn $ displayName $ o $ title $ employeeNumber $ mssStructure ) )"
    ),
    "organization": "( 2.5.6.4 NAME 'organization' SUP top STRUCTURAL MUST o )",
    "domain": "( 0.9.2342.19200300.100.4.13 NAME 'domain' SUP top STRUCTURAL MUST dc )",
    "subschema": "( 2.5.20.1 NAME 'subschema' AUXILIARY MAY ( attributeTypes $ objectClasses ) )",
}
PERSON: Final = ("top", "person", "organizationalPerson", "inetOrgPerson", "mssMailbox")
STRUCTURE: Final = ("top", "organizationalUnit", "mssMailbox")

_BY_NAME: Final = {word.casefold(): one.names[0] for one in ATTRIBUTES for word in (one.oid, *one.names)}
_SUBTYPES: Final = {"name": tuple(one.names[0] for one in ATTRIBUTES if one.rest == _NAME)}
_TEXTS: Final = frozenset(one.names[0] for one in ATTRIBUTES if one.rest in (_TEXT, _IA5, _NAME))
_CLASS_OIDS: Final = {definition.split()[1]: name for name, definition in OBJECT_CLASSES.items()}


def canonical(description: str) -> str | None:
    """The attribute that a description names, by one of its names or its OID; None for none of ours."""
    return _BY_NAME.get(description.partition(";")[0].casefold())


def known(description: str) -> bool:
    """Whether a description names an attribute of the schema."""
    return canonical(description) is not None


def matches_texts(description: str) -> bool:
    """Whether the attribute has a rule for substrings."""
    return canonical(description) in _TEXTS


def object_class(value: str) -> str:
    """An object class as the entries write it, folded, from its name or OID."""
    return _CLASS_OIDS.get(value.strip(), value.strip()).casefold()


class Entry(msgspec.Struct, frozen=True):
    """One entry: its name, its user attributes and its operational ones, by the names that we write."""

    dn: str
    attributes: dict[str, tuple[str, ...]]
    operational: dict[str, tuple[str, ...]]

    def values(self, description: str) -> tuple[str, ...]:
        """The values of an attribute and of its subtypes; those of options (``cn;lang-fr``) are none."""
        name = canonical(description)
        if name is None or ";" in description:
            return ()
        found: tuple[str, ...] = ()
        for one in (name, *_SUBTYPES.get(name, ())):
            found += self.attributes.get(one, ()) + self.operational.get(one, ())
        return found

    def selected(self, asked: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
        """The attributes that a search asked for (RFC 4511 §4.5.1.8; "+" is RFC 3673)."""
        if not asked:
            return list(self.attributes.items())
        names: dict[str, None] = {}
        for description in asked:
            if description == "*":
                names |= dict.fromkeys(self.attributes)
            elif description == "+":
                names |= dict.fromkeys(self.operational)
            elif ";" not in description and (name := canonical(description)):
                names |= dict.fromkeys((name, *_SUBTYPES.get(name, ())))
        everything = self.attributes | self.operational
        return [(name, everything[name]) for name in names if name in everything]
