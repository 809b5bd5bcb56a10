"""Identities that a third party vouches for, matched to exactly one profile: operations of FranceConnect."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from patients.signin import flows
from patients.signin.throttle import Bucket, charge
from patients.tables import patient
from store import Tx, operation

ROUND_TRIP_MS: Final = 15 * 60_000
_FRANCE: Final = "99100"


class Pivot(msgspec.Struct, frozen=True):
    """The pivot identity as FranceConnect gives it; ``gender`` male or female, places as COG codes.

    Born abroad: ``birthplace`` is empty and ``birthcountry`` the country's code.
    """

    given_name: str
    family_name: str
    birthdate: str
    gender: str
    birthplace: str
    birthcountry: str = _FRANCE


class Journey(msgspec.Struct):
    """The state of a flow: what the provider must send back, and what proves that it was we who asked."""

    state: str
    nonce: str
    verifier: str


@operation("patients.signin.begin_journey")
def begin_journey(tx: Tx, *, token: str, journey: Journey, source: str) -> int:
    """Keep a journey to the provider; returns how long to wait (ms), 0: go on."""
    wait = charge(tx, [Bucket("federated", (source,))])
    if not wait:
        flows.begin(tx, token, "federated", journey, ROUND_TRIP_MS)
    return wait


@operation("patients.signin.take_journey")
def take_journey(tx: Tx, *, token: str) -> Journey | None:
    """The journey of a flow, which is thereby over."""
    return flows.take(tx, token, "federated", Journey)


def match(conn: Connection, pivot: Pivot) -> str | None:
    """The INS of the one profile with these traits; None when there is none, or more than one.

    Names are compared as :func:`bare` gives them, given names all and in their order; birth date, sex and
    birth place must be equal. A partial birth date (FranceConnect allows month and day 00) matches nobody.
    """
    place = pivot.birthplace if pivot.birthcountry in ("", _FRANCE) else pivot.birthcountry
    sex = {"male": "M", "female": "F"}.get(pivot.gender)
    family, given = bare(pivot.family_name), bare(pivot.given_name)
    if not (place and sex and family and given):
        return None
    statement = select(patient.c.ins, patient.c.birth_name, patient.c.given_names).where(
        patient.c.birth_date == pivot.birthdate,
        patient.c.birth_place == place.upper(),
        patient.c.sex == sex,
    )
    same = [row[0] for row in conn.execute(statement) if bare(row[1]) == family and bare(row[2]) == given]
    return same[0] if len(same) == 1 else None


def bare(name: str) -> str:
    """A name for comparing: no accents, ligatures undone, upper case, one blank for all that is no letter."""
    text = name.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae").replace("Æ", "AE")
    text = unicodedata.normalize("NFKD", text)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return re.sub(r"[^A-Z]+", " ", text.upper()).strip()
