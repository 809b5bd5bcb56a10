"""The headings under which a patient finds a document, derived from its class and type.

The correspondence between codes and headings is not published; this one is ours, by analogy with the
types that patients use for their own documents (DOCPAT01 to DOCPAT09).
"""

from __future__ import annotations

from typing import Final

SUMMARY: Final = "Ma santé en résumé"
CARE: Final = "Ordonnances et soins"
REPORTS: Final = "Comptes rendus"
IMAGING: Final = "Radio, écho, scanner, IRM"
BIOLOGY: Final = "Résultats de biologie"
PREVENTION: Final = "Prévention et dépistages"
CERTIFICATES: Final = "Certificats"
ADMINISTRATIVE: Final = "Pièces administratives"
WISHES: Final = "Volontés et directives anticipées"
OTHER: Final = "Autres"

#: Every heading, in the order of display.
CATEGORIES: Final = (
    SUMMARY,
    CARE,
    REPORTS,
    IMAGING,
    BIOLOGY,
    PREVENTION,
    CERTIFICATES,
    ADMINISTRATIVE,
    WISHES,
    OTHER,
)

_BY_TYPE: Final = {
    "11502-2": BIOLOGY,
    "51969-4": BIOLOGY,  # génétique moléculaire
    "DOCPAT05": BIOLOGY,
    "18748-4": IMAGING,
    "75482-0": PREVENTION,
    "75492-9": PREVENTION,
    "68817-6": PREVENTION,
    "83869-8": PREVENTION,
    "11369-6": PREVENTION,
    "87273-9": PREVENTION,
    "96874-3": PREVENTION,
    "DOCPAT06": PREVENTION,
    "EXPPAT_1": WISHES,
    "EXPPAT_3": WISHES,
}
_BY_CLASS: Final = {
    "10": REPORTS,
    "11": SUMMARY,
    "31": IMAGING,
    "42": CARE,
    "43": CARE,
    "44": CARE,
    "45": CARE,
    "52": CERTIFICATES,
    "95": ADMINISTRATIVE,
}


#: The type (JDV_J66) of what a patient deposits under a heading; its class follows from the map ASS_X04.
#: DOCPAT08 is the medical profile that the space itself makes.
PATIENT_TYPES: Final = {
    SUMMARY: "DOCPAT01",
    CARE: "DOCPAT02",
    REPORTS: "DOCPAT03",
    IMAGING: "DOCPAT04",
    BIOLOGY: "DOCPAT05",
    PREVENTION: "DOCPAT06",
    CERTIFICATES: "DOCPAT07",
    ADMINISTRATIVE: "DOCPAT09",
    WISHES: "EXPPAT_3",
    OTHER: "EXPPAT_2",
}


def category(type_code: str, class_code: str) -> str:
    """The heading of a document, in French."""
    return _BY_TYPE.get(type_code) or _BY_CLASS.get(class_code, OTHER)
