"""INS: the national health identity number of a person, and the mail address made of it.

The matricule has 15 characters: 13 of the NIR or NIA (sex, year, month, département, commune, order) and
a key of two digits. Those born in Corsica since 1976 carry ``2A`` or ``2B`` as département: the local part
of an address is therefore the 15-character matricule, not 15 digits; letters are written in upper case and
compared in any.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_MATRICULE: Final = re.compile(r"[1-9][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{8}", re.ASCII)
_BODY: Final = re.compile(r"[1-9][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}", re.ASCII)

OID_NIR: Final = "1.2.250.1.213.1.4.8"
OID_NIA: Final = "1.2.250.1.213.1.4.9"
OID_NIR_TEST: Final = "1.2.250.1.213.1.4.10"
OID_NIR_DEMO: Final = "1.2.250.1.213.1.4.11"
#: Assigning authorities of an INS, and whether each names real persons.
INS_OIDS: Final = {OID_NIR: True, OID_NIA: True, OID_NIR_TEST: False, OID_NIR_DEMO: False}


class InsParts(msgspec.Struct, frozen=True):
    """The parts of a matricule, as text; ``department`` may be ``2A`` or ``2B``."""

    sex: str
    year: str
    month: str
    department: str
    commune: str
    order: str
    key: str


def normalise(text: str) -> str:
    """A matricule as people write it, without blanks and in upper case."""
    return "".join(text.split()).upper()


def ins_key(first13: str) -> str:
    """The key of a matricule: ``97 - n mod 97``, two digits, Corsica's 2A and 2B counting as 19 and 18.

    Raises :class:`ValueError` when ``first13`` is not the 13 characters of a NIR or NIA.
    """
    body = normalise(first13)
    if not _BODY.fullmatch(body):
        raise ValueError("not the 13 first characters of an INS")
    number = int(body.replace("2A", "19").replace("2B", "18"))
    return f"{97 - number % 97:02d}"


def shaped_ins(ins: str) -> bool:
    """Whether ``ins`` has the form of a matricule, whatever its key."""
    return _MATRICULE.fullmatch(ins) is not None


def valid_ins(ins: str) -> bool:
    """Whether ``ins`` is a matricule with its right key (upper case, no blanks)."""
    return shaped_ins(ins) and ins_key(ins[:13]) == ins[13:]


def split(ins: str) -> InsParts:
    """The parts of a matricule. Raises :class:`ValueError` when it has not the form of one."""
    if not shaped_ins(ins):
        raise ValueError("not an INS")
    places = ((0, 1), (1, 3), (3, 5), (5, 7), (7, 10), (10, 13), (13, 15))
    return InsParts(*(ins[start:end] for start, end in places))


def address_of_ins(ins: str, domain: str) -> str:
    """The mail address of a patient: ``<matricule>@<patient domain>``, as people read it."""
    return f"{ins}@{domain}"


def ins_of_address(address: str, domain: str) -> str | None:
    """The matricule of a patient's address, in upper case; None when it is no address of ``domain``.

    The form is checked, not the key: that the key is wrong is for the rule ``recipient.invalid`` to say.
    A local part of another form gives None too; :func:`in_patient_domain` tells the two apart.
    """
    local, at, found = address.strip().rpartition("@")
    if not at or found.rstrip(".").casefold() != domain.casefold():
        return None
    ins = local.upper()
    return ins if shaped_ins(ins) else None


def in_patient_domain(address: str, domain: str) -> bool:
    """Whether ``address`` is in the patients' domain, whatever its local part."""
    return address.strip().rpartition("@")[2].rstrip(".").casefold() == domain.casefold()
