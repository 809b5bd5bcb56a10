"""Identitovigilance: does a document speak of the patient whose box received it? Pure functions.

The INS (15 characters with key, and its OID) and the strict traits of the RNIV (birth name, first birth
given name, sex, birth date, birthplace) must agree with the profile before anything is filed.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Protocol

import msgspec

from gateway.dmp_bridge.errors import IDENTITY_DIFFERS, INS_ABSENT, TRAITS_INCOMPLETE, UNKNOWN_PATIENT
from gateway.dmp_bridge.hl7 import Identifier
from gateway.dmp_bridge.metadata import Traits
from patients import INS_OIDS, RECEIVING, valid_ins

_LETTERS: Final = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
)


class Patient(Protocol):
    """What identity vigilance reads of a patient's profile (``patients.Profile`` is one)."""

    @property
    def ins(self) -> str: ...
    @property
    def oid(self) -> str: ...
    @property
    def birth_name(self) -> str: ...
    @property
    def given_names(self) -> list[str]: ...
    @property
    def sex(self) -> str: ...
    @property
    def birth_date(self) -> str: ...
    @property
    def birth_place(self) -> str: ...
    @property
    def state(self) -> str: ...


class Identity(msgspec.Struct, frozen=True):
    """The outcome: ``code`` 0 when the document is this patient's, else 902 to 905. ``rule`` names the check
    that failed (``identity.*``), ``reason`` is a sentence without any of the compared values."""

    code: int = 0
    rule: str = ""
    reason: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0


def check_identity(
    ins: Identifier, traits: Traits, patient: Patient | None, *, place_required: bool = True
) -> Identity:
    """Compare what a document states with the profile of its recipient.

    :param ins: the document's patient identifier; empty when it gives no INS.
    :param place_required: False for sources that cannot carry the birthplace (sourcePatientInfo).
    """
    if patient is None or patient.state not in RECEIVING:
        return Identity(UNKNOWN_PATIENT, "identity.patient", "the recipient has no open record here")
    if not ins.value or ins.oid not in INS_OIDS:
        return Identity(
            INS_ABSENT, "identity.ins_absent", "the document carries no INS with one of its authorities"
        )
    if not valid_ins(ins.value):
        return Identity(
            IDENTITY_DIFFERS, "identity.key", "the INS of the document is not 15 characters with a right key"
        )
    if ins.value.upper() != patient.ins.upper():
        return Identity(IDENTITY_DIFFERS, "identity.ins", "the INS of the document is not the recipient's")
    if ins.oid != patient.oid:
        return Identity(
            IDENTITY_DIFFERS, "identity.oid", "the INS authority of the document is not the recipient's"
        )
    missing = _missing(traits, place_required)
    if missing:
        return Identity(TRAITS_INCOMPLETE, "identity.traits", f"the document lacks: {', '.join(missing)}")
    for name, agrees in _comparisons(traits, patient):
        if not agrees:
            return Identity(
                IDENTITY_DIFFERS, f"identity.{name}", f"{_WORDS[name]} differs from the recipient's"
            )
    return Identity()


_WORDS: Final = {
    "birth_name": "the birth name",
    "given": "the first birth given name",
    "given_names": "the list of birth given names",
    "sex": "the sex",
    "birth_date": "the birth date",
    "birth_place": "the birthplace",
}


def _missing(traits: Traits, place_required: bool) -> list[str]:
    missing = []
    if not fold(traits.birth_name):
        missing.append("birth name")
    if not fold(traits.first_given):
        missing.append("first birth given name")
    if not traits.sex:
        missing.append("sex")
    if len(_digits(traits.birth_date)) != 8:
        missing.append("birth date")
    if place_required and not traits.birth_place:
        missing.append("birthplace")
    return missing


def _comparisons(traits: Traits, patient: Patient) -> list[tuple[str, bool]]:
    known = fold(" ".join(patient.given_names)).split()
    first = fold(patient.given_names[0]) if patient.given_names else ""
    stated = fold(" ".join(traits.given_names)).split()
    shorter = min(len(known), len(stated))
    return [
        ("birth_name", fold(traits.birth_name) == fold(patient.birth_name)),
        ("given", fold(traits.first_given) == first),
        # either side may carry only the first of the names; what both carry must be the same
        ("given_names", known[:shorter] == stated[:shorter]),
        ("sex", _sex(traits.sex) == _sex(patient.sex)),
        ("birth_date", _digits(traits.birth_date) == _digits(patient.birth_date)),
        (
            "birth_place",
            not (traits.birth_place and patient.birth_place)
            or traits.birth_place.strip().upper() == patient.birth_place.strip().upper(),
        ),
    ]


def fold(name: str) -> str:
    """A name as it is compared: no accents, upper case, hyphens and apostrophes as spaces."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    kept = (char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join("".join(kept).upper().split())


def _sex(sex: str) -> str:
    folded = sex.strip().upper()
    return "U" if folded in ("U", "UN", "UNK", "I", "O") else folded


def _digits(date: str) -> str:
    return "".join(char for char in date if char in "0123456789")
