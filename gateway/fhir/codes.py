"""Codes of the record as FHIR writes them: which URL stands for which coding system.

The canonical URLs of the French ones are those of the NOS as PDSm uses them; where none is known here the
system is its OID (``urn:oid:…``), which is always understood too.
"""

from __future__ import annotations

import re
from typing import Any, Final

import patients
from dossier import SetName, find_code

FHIR_JSON: Final = "application/fhir+json"
URI: Final = "urn:ietf:rfc:3986"
ID_NAT_PS: Final = "urn:oid:1.2.250.1.71.4.2.1"
STRUCT_ID_NAT: Final = "urn:oid:1.2.250.1.71.4.2.2"
PROFESSION: Final = "urn:oid:1.2.250.1.71.1.2.7"  # G15
_NOS: Final = "https://mos.esante.gouv.fr/NOS/"
_URLS: Final = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "1.2.250.1.213.1.1.4.1": f"{_NOS}TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument",
    "1.2.250.1.213.1.1.4.9": f"{_NOS}TRE_A01-CadreExercice/FHIR/TRE-A01-CadreExercice",
    "1.2.250.1.71.4.2.4": f"{_NOS}TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite",
    "1.3.6.1.4.1.19376.1.2.3": f"{_NOS}TRE_A11-IheFormatCode/FHIR/TRE-A11-IheFormatCode",
}
_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")

#: Masks, as ``securityLabel`` holds them (TRE_A07).
MASKED: Final = "MASQUE_PS"
WITHHELD: Final = "INVISIBLE_PATIENT"
HIDDEN: Final = "INVISIBLE_REPRESENTANTS_LEGAUX"
MASKS: Final = (MASKED, WITHHELD, HIDDEN)


def system_url(system: str) -> str:
    """The URL of a coding system that is known here by its OID or name."""
    return _URLS.get(system) or (f"urn:oid:{system}" if _OID.fullmatch(system) else system)


def is_system(said: str, system: str) -> bool:
    """Whether a URL stands for a coding system; its OID, bare or as a URN, is taken too."""
    return said in (system_url(system), f"urn:oid:{system}", system)


def concept(name: SetName, code: str, label: str = "") -> dict[str, Any]:
    """A CodeableConcept for a code of a set."""
    return {"coding": [coding(name, code, label)]}


def coding(name: SetName, code: str, label: str = "") -> dict[str, Any]:
    """A Coding for a code of a set; without a system for one that the set does not hold."""
    found = find_code(name, code)
    made = {"system": system_url(found.system)} if found is not None else {}
    made["code"] = code
    shown = label or (found.display if found is not None else "")
    return made | ({"display": shown} if shown else {})


def in_set(name: SetName, said: object) -> str:
    """The code of a Coding, "" unless it is in the set and its system, where it names one, is the set's."""
    if not isinstance(said, dict) or not isinstance(said.get("code"), str):
        return ""
    found = find_code(name, said["code"])
    system = said.get("system", "")
    if found is None or not isinstance(system, str) or (system and not is_system(system, found.system)):
        return ""
    return found.code


def ins_of(system: str, value: str) -> tuple[str, str]:
    """Matricule (15 characters) and OID of an Identifier or a token; ("", "") when it is no INS."""
    oid = system.removeprefix("urn:oid:")
    ins = patients.normalise(value)
    if oid not in patients.INS_OIDS or not patients.valid_ins(ins):
        return "", ""
    return ins, oid


def unique_identifier(unique_id: str) -> dict[str, str]:
    """The identifier of a document: an OID, or ``root^extension``."""
    root, _, extension = unique_id.partition("^")
    if extension:
        return {"system": f"urn:oid:{root}" if _OID.fullmatch(root) else root, "value": extension}
    return {"system": URI, "value": f"urn:oid:{root}" if _OID.fullmatch(root) else root}


def unique_id_of(said: object) -> str:
    """The reverse of :func:`unique_identifier`; "" when it is none."""
    if not isinstance(said, dict):
        return ""
    system, value = said.get("system", URI), said.get("value", "")
    if not isinstance(system, str) or not isinstance(value, str) or not value or len(value) > 128:
        return ""
    if system == URI:
        bare = value.removeprefix("urn:oid:")
        if value.startswith("urn:uuid:"):
            return uuid_oid(value)
        return bare if _OID.fullmatch(bare) else ""
    root = system.removeprefix("urn:oid:")
    return f"{root}^{value}" if _OID.fullmatch(root) and "^" not in value else ""


def uuid_oid(value: str) -> str:
    """The OID under 2.25 that stands for ``urn:uuid:…`` (ITU-T X.667 §7); "" for no UUID."""
    digits = value.removeprefix("urn:uuid:").replace("-", "")
    return f"2.25.{int(digits, 16)}" if re.fullmatch(r"[0-9a-fA-F]{32}", digits) else ""
