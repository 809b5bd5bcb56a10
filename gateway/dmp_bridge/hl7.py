"""The HL7 v2 strings that XDS metadata carry: CX, XCN, XON, PID fields, and times.

Shapes as CI-SIS writes them (volet "Partage de documents de santé"): components ``^``, sub-components
``&``; an authority is its OID as ``&oid&ISO``.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import msgspec

PERSON_OID: Final = "1.2.250.1.71.4.2.1"
STRUCTURE_OID: Final = "1.2.250.1.71.4.2.2"

_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_TIME: Final = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d{1,6})?([+-]\d{4})?")


class Identifier(msgspec.Struct, frozen=True):
    """An identifier and the OID of the authority that gave it."""

    value: str = ""
    oid: str = ""


class Person(msgspec.Struct, frozen=True):
    """An author: national identifier (IdNat_PS for a professional), names as written."""

    id: str = ""
    oid: str = ""
    name: str = ""
    given: str = ""


class Organisation(msgspec.Struct, frozen=True):
    """An organisation: Struct_IdNat and name."""

    id: str = ""
    oid: str = ""
    name: str = ""


def is_oid(text: str) -> bool:
    """True for a plain OID of at most 64 characters, the only uniqueId the DMP takes."""
    return len(text) <= 64 and _OID.fullmatch(text) is not None


def components(text: str) -> list[str]:
    """The components of a field, between ``^``."""
    return text.split("^")


def _part(parts: list[str], number: int) -> str:
    """Component ``number`` counted from 1, "" when absent."""
    return parts[number - 1].strip() if number <= len(parts) else ""


def _authority(component: str) -> str:
    pieces = component.split("&")
    return pieces[1].strip() if len(pieces) > 1 else ""


def parse_cx(text: str) -> Identifier:
    """``value^^^&oid&ISO^type`` → value and OID (both "" when absent)."""
    parts = components(text)
    return Identifier(_part(parts, 1), _authority(_part(parts, 4)))


def cx(value: str, oid: str, kind: str = "NH") -> str:
    """A CX: a value and the OID of who gave it."""
    return f"{_clean(value)}^^^&{oid}&ISO^{kind}"


def parse_xcn(text: str) -> Person:
    """``id^family^given^^^^^^&oid&ISO^D^^^IDNPS`` → a person. Text without components is a name."""
    parts = components(text)
    if len(parts) == 1:
        return Person(name=text.strip())
    return Person(_part(parts, 1), _authority(_part(parts, 9)), _part(parts, 2), _part(parts, 3))


def xcn(person: Person) -> str:
    """An XCN: a person with identifier and authority."""
    authority = f"&{person.oid}&ISO" if person.oid else ""
    kind = "IDNPS" if person.oid == PERSON_OID else "RI"
    return f"{_clean(person.id)}^{_clean(person.name)}^{_clean(person.given)}^^^^^^{authority}^D^^^{kind}"


def parse_xon(text: str) -> Organisation:
    """``name^^^^^&oid&ISO^IDNST^^^id`` → an organisation."""
    parts = components(text)
    return Organisation(_part(parts, 10), _authority(_part(parts, 6)), _part(parts, 1))


def xon(organisation: Organisation) -> str:
    """An XON: an organisation, with its identifier where it has one."""
    if not organisation.id:
        return _clean(organisation.name)
    oid = organisation.oid or STRUCTURE_OID
    return f"{_clean(organisation.name)}^^^^^&{oid}&ISO^IDNST^^^{_clean(organisation.id)}"


def _clean(text: str) -> str:
    """No separators of HL7 v2 inside a value."""
    return re.sub(r"[\^&~|\\\r\n]", " ", text).strip()


def clean(text: str) -> str:
    """``text`` without the separators of HL7 v2."""
    return _clean(text)


def parse_time(text: str) -> int | None:
    """``YYYY[MM[DD[hh[mm[ss[.f]]]]]][±zzzz]`` (UTC without zone) in ms, None when it is no HL7 time."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        moment = dt.datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=dt.UTC,
        )
        if zone:
            offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
            if offset >= dt.timedelta(hours=15):
                return None
            moment = moment - offset if zone[0] == "+" else moment + offset
    except (ValueError, OverflowError):
        return None
    return int(moment.timestamp()) * 1000


def is_precise_time(text: str) -> bool:
    """True for a time to the second with its zone (CI-SIS structuration minimale, effectiveTime)."""
    match = _TIME.fullmatch(text.strip())
    return (
        match is not None and match[6] is not None and match[7] is not None and parse_time(text) is not None
    )


def utc_time(ms: int) -> str:
    """``YYYYMMDDhhmmss`` in UTC, as XDS metadata write times."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y%m%d%H%M%S")


def zoned_time(ms: int) -> str:
    """``YYYYMMDDhhmmss+0000``, as CDA headers write times."""
    return utc_time(ms) + "+0000"
