"""Distinguished names as text, and the text of a name that is safe to put in a reply.

The whitelist writes a subject most specific first, with commas and no space:
``CN=<fqdn>,OU=<id>,O=<name>,ST=<Dept (nn)>,C=FR``. That is RFC 4514 with the usual short names.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from asn1crypto import x509

# RFC 4514 §3 short names, and those every certificate tool shows for person certificates.
_SHORT: Final = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
# Inside one RDN the DER order is the encoding's business: show the identifier first.
_RANK: Final = {"CN": 0, "SN": 1, "GN": 2}
_ESCAPED: Final = frozenset('",+;<>\\')


def escape(value: str) -> str:
    """One attribute value, escaped as RFC 4514 §2.4 asks."""
    text = "".join("\\00" if c == "\0" else f"\\{c}" if c in _ESCAPED else c for c in value)
    if text[:1] in (" ", "#"):
        text = "\\" + text
    if len(text) > 1 and text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1] + "\\ "
    return text


def dn_string(name: x509.Name) -> str:
    """``name`` in the whitelist's form.

    :raises ValueError: an attribute is not a string of a known type.
    """
    parts: list[str] = []
    for rdn in reversed(_attributes(name.chosen.dump())):
        shown = [(_SHORT.get(oid, oid), _string(oid, value)) for oid, value in rdn]
        shown.sort(key=lambda pair: (_RANK.get(pair[0], 9), pair))
        parts.append("+".join(f"{short}={escape(value)}" for short, value in shown))
    return ",".join(parts)


@lru_cache(maxsize=512)
def _attributes(der: bytes) -> tuple[tuple[tuple[str, str | None], ...], ...]:
    """The RDNs of a name, each with its attributes' types and values; None for what is not a string.

    Names are asked for many things at each check, and authorities' names at every one.
    """
    return tuple(
        tuple((attribute["type"].dotted, _text(attribute)) for attribute in rdn)
        for rdn in x509.Name.load(der).chosen
    )


def values(name: x509.Name, short: str) -> list[str]:
    """Every value of one attribute (``"OU"``…), in the order of the DER encoding."""
    return [
        _string(oid, value)
        for rdn in _attributes(name.chosen.dump())
        for oid, value in rdn
        if _SHORT.get(oid) == short
    ]


def _text(attribute: x509.NameTypeAndValue) -> str | None:
    """The value of one attribute; TeletexString is read as the Latin-1 it really holds."""
    value = attribute["value"].native
    return value if isinstance(value, str) else None


def _string(oid: str, value: str | None) -> str:
    if value is None:
        raise ValueError(f"attribute {oid} is not a string")
    return value


def authority_label(name: x509.Name) -> str:
    """What to call an authority in a refusal: its CN in printable ASCII, at most 80 characters."""
    found = values(name, "CN") or values(name, "OU") or values(name, "O") or ["(no name)"]
    return "".join(c if " " <= c <= "~" else "?" for c in found[-1])[:80]


def compare_quickly(name: x509.Name, known: x509.Name) -> None:
    """Have ``name``, when it is octet for octet ``known``, take over what asn1crypto compares names by.

    It prepares every string as RFC 5280 §7.1 asks, half a millisecond for a certificate's issuer, which the
    authority's certificate has been through already.
    """
    if name.chosen.dump() == known.chosen.dump():
        for rdn, prepared in zip(name.chosen, known.chosen, strict=True):
            for attribute, other in zip(rdn, prepared, strict=True):
                attribute._prepped = other.prepped_value


def name_id(name: x509.Name) -> str:
    """What equal names have in common (RFC 5280 §7.1): ``Name.hashable``, remembered.

    asn1crypto computes it anew each time, in a tenth of a millisecond.
    """
    return _name_id(name.chosen.dump())


@lru_cache(maxsize=512)
def _name_id(der: bytes) -> str:
    return str(x509.Name.load(der).hashable)
