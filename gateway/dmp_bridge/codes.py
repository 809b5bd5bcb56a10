"""The closed code sets of the DMP as filing uses them: what a document's type and class must be."""

from __future__ import annotations

from typing import Final

from dossier import IHE_FORMATS, Code, TypeCode
from dossier import code_set as codes
from dossier import find_code as find
from dossier import known_code as known
from gateway.dmp_bridge.errors import BridgeError

__all__ = [
    "IHE_FORMATS",
    "LEVEL1_FORMATS",
    "UNKNOWN_MODEL",
    "Code",
    "TypeCode",
    "codes",
    "document_class",
    "document_type",
    "find",
    "known",
]

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


def _shown(code: str) -> str:
    """A peer's code as it may be repeated: ASCII, printable, short."""
    return "".join(char for char in code[:40] if char.isascii() and char.isprintable()) or "(empty)"
