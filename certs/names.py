"""Distinguished names as text, and the text of a name that is safe to put in a reply.

The whitelist writes a subject most specific first, with commas and no space:
``CN=<fqdn>,OU=<id>,O=<name>,ST=<Dept (nn)>,C=FR``. That is RFC 4514 with the usual short names.
"""

from __future__ import annotations

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
    for rdn in reversed(list(name.chosen)):
        shown = [(_SHORT.get(a["type"].dotted, a["type"].dotted), text(a)) for a in rdn]
        shown.sort(key=lambda pair: (_RANK.get(pair[0], 9), pair))
        parts.append("+".join(f"{short}={escape(value)}" for short, value in shown))
    return ",".join(parts)


def values(name: x509.Name, short: str) -> list[str]:
    """Every value of one attribute (``"OU"``…), in the order of the DER encoding."""
    return [text(a) for rdn in name.chosen for a in rdn if _SHORT.get(a["type"].dotted) == short]


def text(attribute: x509.NameTypeAndValue) -> str:
    """The value of one attribute; TeletexString is read as the Latin-1 it really holds."""
    value = attribute["value"].native
    if not isinstance(value, str):
        raise ValueError(f"attribute {attribute['type'].dotted} is not a string")
    return value


def authority_label(name: x509.Name) -> str:
    """What to call an authority in a refusal: its CN in printable ASCII, at most 80 characters."""
    found = values(name, "CN") or values(name, "OU") or values(name, "O") or ["(no name)"]
    return "".join(c if " " <= c <= "~" else "?" for c in found[-1])[:80]
