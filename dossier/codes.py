"""The closed code sets of the DMP, read once from ``data/codes.tsv``.

A type code must be in JDV_J66, its class follows from the map ASS_X04 (GESTIONNAIRE check of the volet
"Transmission de documents CDA en messages HL7v2").
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

#: Names of the sets: JDV_J66, J57, J60, J58, J61, J04, J01.
SetName = Literal["type", "class", "format", "confidentiality", "facility", "practice", "specialty"]

IHE_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
#: Format code of a file kept as it is: its media type says all (IHE FormatCode vocabulary).
MIME_SUFFICIENT: Final = "urn:ihe:iti:xds:2017:mimeTypeSufficient"


class Code(msgspec.Struct, frozen=True):
    """One concept: ``code`` in the coding system ``system`` (an OID or a name), ``display`` in French."""

    code: str
    system: str = ""
    display: str = ""


class TypeCode(Code, frozen=True):
    """A document type with the class ASS_X04 gives it ("" where the map has none)."""

    class_code: str = ""


@cache
def _sets() -> dict[str, dict[str, TypeCode]]:
    sets: dict[str, dict[str, TypeCode]] = {}
    text = (Path(__file__).parent / "data" / "codes.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, code, system, class_code, display = line.split("\t")
            sets.setdefault(name, {})[code] = TypeCode(code, system, display, class_code)
    return sets


def find(name: SetName, code: str) -> TypeCode | None:
    """The concept ``code`` of the set ``name``, or None."""
    return _sets()[name].get(code)


def codes(name: SetName) -> list[TypeCode]:
    """Every concept of the set ``name``, in the order of the set."""
    return list(_sets()[name].values())


def known(name: SetName, code: str, *, default: str) -> TypeCode:
    """The concept ``code`` of the set ``name``, else its ``default`` (which must exist)."""
    return find(name, code) or _sets()[name][default]
