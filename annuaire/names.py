"""Canonical forms of the directory's names: addresses, domains, identifiers, people, search words.

Everything stored or looked up passes through these functions, so that the two sides always agree.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final

# The local part as RFC 5321 §4.1.2 allows it without quotes, with RFC 6531 §3.3 letters.
_LOCAL: Final = re.compile(r"[^\s@()<>\[\]:;,\\\"\x00-\x1f\x7f]+")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_UNSTORABLE: Final = re.compile("[\\x00\\ud800-\\udfff]")
_ACCENTS: Final = re.compile("[\u0300-\u034e\u0350-\u036f]")  # all of them combine
_WORD: Final = re.compile(r"[^\W_]+")
_FINESS: Final = re.compile(r"[0-9][0-9AB][0-9]{7}")
_SIRET: Final = re.compile(r"[0-9]{14}")

#: Civility codes of practice as a patient reads them.
_CIVILITIES: Final = {
    "DR": "Dr", "DOCTEUR": "Dr", "PR": "Pr", "PROFESSEUR": "Pr", "M": "M.", "MR": "M.",
    "MONSIEUR": "M.", "MME": "Mme", "MADAME": "Mme", "MLLE": "Mme", "MADEMOISELLE": "Mme",
}  # fmt: skip

#: Kinds of structure identifier, by code or label, to the digit that opens a Struct_IdNat.
_STRUCTURE_KINDS: Final = {
    "0": "0", "1": "1", "2": "2", "3": "3", "4": "4",
    "FINESS": "1", "SIREN": "2", "SIRET": "3", "ADELI": "0", "RPPS": "4", "RPPSRANG": "4", "RPPS RANG": "4",
}  # fmt: skip


def storable(text: str) -> str:
    """``text`` with what no database keeps (NUL, lone surrogates from bad bytes) as U+FFFD."""
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub("\ufffd", text)


def fold(text: str) -> str:
    """``text`` for comparison: no accents, case folded, blanks (U+00A0 too) single and trimmed."""
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = _ACCENTS.sub("", plain)
    if not plain.isascii():
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(plain.split())


def words(text: str) -> list[str]:
    """The words of ``text`` as the search compares them: folded, letters and digits only, in order."""
    return _WORD.findall(fold(text))


def fold_domain(domain: str) -> str:
    """A mail domain for comparison: lower case, no final dot, A-labels (RFC 5890) for an IDN.

    A text that is no domain comes back case folded: it then equals nothing that was stored.
    """
    name = storable(domain).strip().rstrip(".").casefold()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return name


def fold_address(address: str) -> str:
    """A mail address for comparison: case folded on both sides of the last ``@``.

    RFC 5321 §2.4 leaves the case of local parts to the receiving host; MSSanté addresses are published
    in any case and never differ by it.
    """
    if address.isascii() and "\x00" not in address:
        return address.strip().rstrip(".").lower() if "@" in address else address.strip().lower()
    local, at, domain = unicodedata.normalize("NFC", storable(address).strip()).rpartition("@")
    return f"{local.casefold()}{at}{fold_domain(domain)}"


@functools.lru_cache(maxsize=16_384)
def valid_domain(domain: str) -> bool:
    """Whether a folded domain is a host name of two labels or more (RFC 1035 §2.3.1 lengths)."""
    labels = domain.split(".")
    return len(domain) <= 253 and len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)


def valid_address(address: str) -> bool:
    """Whether a folded address is an addr-spec without quotes that the directory may publish."""
    local, _, domain = address.rpartition("@")
    # RFC 5321 §4.5.3.1.1: at most 64 octets before the @.
    return len(local.encode()) <= 64 and _LOCAL.fullmatch(local) is not None and valid_domain(domain)


def national_id(kind: str, identifier: str, national: str) -> str:
    """IdNat_PP of a person: the published one, else type digit and identifier (8 + RPPS, 0 + ADELI)."""
    national = "".join(national.split()).upper()
    if national:
        return national
    identifier = "".join(identifier.split()).upper()
    kind = kind.strip().upper()
    kind = {"RPPS": "8", "ADELI": "0"}.get(kind, kind)
    return f"{kind}{identifier}" if identifier and kind.isdigit() else ""


def structure_id(kind: str, identifier: str) -> str:
    """Struct_IdNat of a structure: ``1`` + FINESS (9), ``3`` + SIRET (14), ``4`` + RPPS rank, ...

    ``kind`` is the code of the identifier type or its label; empty, the shape of ``identifier`` tells.
    An identifier that already carries its digit, or a technical one, comes back as it is.
    """
    bare = identifier if identifier.isalnum() else "".join(identifier.split())
    if not bare:
        return ""
    bare = bare.upper()
    digit = _STRUCTURE_KINDS.get(kind) or _STRUCTURE_KINDS.get(" ".join(kind.split()).upper(), "")
    if _FINESS.fullmatch(bare):
        return f"{digit or '1'}{bare}"
    if _SIRET.fullmatch(bare) and digit in ("", "3"):
        return f"3{bare}"
    if digit and not bare.startswith(digit):
        return f"{digit}{bare}"
    return bare


def person_name(civility: str, given: str, family: str) -> str:
    """The name that a patient reads: ``"Dr Marie EXEMPLE"``, ``"Jean-Pierre D'EXEMPLE"``."""
    title = _CIVILITIES.get(civility.strip().rstrip(".").upper(), "")
    first = re.sub(r"[^\W\d_]+", lambda match: match[0].capitalize(), " ".join(given.split()))
    return " ".join(part for part in (title, first, " ".join(family.split()).upper()) if part)


def structure_name(trade: str, legal: str, service: str) -> str:
    """The name of a structure's mailbox: shop sign, else legal name, and its service when it differs."""
    name = " ".join(trade.split()) or " ".join(legal.split())
    service = " ".join(service.split())
    if not service or fold(service) in fold(name):
        return name or service
    return f"{name} - {service}" if name else service
