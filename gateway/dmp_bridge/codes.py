"""The closed code sets of the DMP, read once from ``data/codes.tsv``.

A type code must be in JDV_J66, its class follows from the map ASS_X04 (GESTIONNAIRE check of the volet
"Transmission de documents CDA en messages HL7v2").
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from gateway.dmp_bridge.errors import BridgeError

IHE_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"

#: Format code of a level 1 document by the media type it wraps (JDV_J60).
LEVEL1_FORMATS: Final[dict[str, str]] = {
    "application/pdf": "urn:ihe:iti:xds-sd:pdf:2008",
    "text/plain": "urn:ihe:iti:xds-sd:text:2008",
    "text/rtf": "urn:ihe:iti-fr:xds-sd:rtf:2010",
    "image/jpeg": "urn:ihe:iti-fr:xds-sd:jpeg:2010",
    "image/tiff": "urn:ihe:iti-fr:xds-sd:tiff:2010",
}
#: Format code where a structured model is not known to us (JDV_J60).
UNKNOWN_MODEL: Final = "urn:asipSante:modelesHorsProfils:2011"


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


def find(name: str, code: str) -> TypeCode | None:
    """The concept ``code`` of the set ``name`` (``type``, ``class``, ``format``, ``confidentiality``,
    ``facility``, ``practice``, ``specialty``), or None."""
    return _sets()[name].get(code)


def codes(name: str) -> list[TypeCode]:
    """Every concept of the set ``name``, in the order of the set."""
    return list(_sets()[name].values())


def document_type(code: str) -> TypeCode:
    """The type ``code`` of JDV_J66. Raises :class:`BridgeError` ``codes.type`` when it is not in the set."""
    found = find("type", code)
    if found is None:
        raise BridgeError("codes.type", f"type code {_shown(code)} is not in the DMP's set JDV_J66")
    return found


def document_class(type_code: TypeCode, claimed: str = "") -> Code:
    """The class of a type: by ASS_X04, else the ``claimed`` one when it is in JDV_J57.

    Raises :class:`BridgeError` ``codes.class`` when neither gives one.
    """
    found = find("class", type_code.class_code or claimed)
    if found is None:
        raise BridgeError("codes.class", f"no class of JDV_J57 for type {_shown(type_code.code)}")
    return found


def known(name: str, code: str, *, default: str) -> TypeCode:
    """The concept ``code`` of the set ``name``, else its ``default`` (which must exist)."""
    return find(name, code) or _sets()[name][default]


def _shown(code: str) -> str:
    """A peer's code as it may be repeated: ASCII, printable, short."""
    return "".join(char for char in code[:40] if char.isascii() and char.isprintable()) or "(empty)"
