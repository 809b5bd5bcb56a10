"""The search parameters of ITI-67 as a table: what each means, and which documents it finds.

One table serves the search and the CapabilityStatement, so that neither says what the other does not do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from annuaire import fold
from dossier import Document, SetName, find_code
from gateway.fhir.codes import is_system, unique_id_of
from gateway.fhir.dates import span
from gateway.fhir.errors import DoorError

Kind = Literal["token", "date", "string", "special"]
#: Whether a document is one of those that a parameter's value asks for.
Test = Callable[[Document], bool]

STATUSES: Final = {"approved": "current", "deprecated": "superseded", "deleted": "entered-in-error"}
_PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_R4: Final = "http://hl7.org/fhir/SearchParameter/"
_MHD: Final = "https://profiles.ihe.net/ITI/MHD/SearchParameter/"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One search parameter. ``read`` makes a test of one value, or refuses it."""

    name: str
    kind: Kind
    definition: str
    words: str
    read: Callable[[str, str], Test]


def _bad(name: str, why: str) -> DoorError:
    return DoorError("door.search", f"the value of {name} is not understood: {why}")


def _split(value: str) -> tuple[str | None, str]:
    """System and code of a token: ``code``, ``system|code``, ``|code`` (FHIR R4 §3.1.1.4.11)."""
    system, bar, code = value.rpartition("|")
    return (system if bar else None), code


def _code(of: SetName, get: Callable[[Document], list[str]]) -> Callable[[str, str], Test]:
    def read(name: str, value: str) -> Test:
        system, code = _split(value)
        if not code and not system:
            raise _bad(name, "it names no code")

        def test(document: Document) -> bool:
            return any(_matches(of, one, system, code) for one in get(document))

        return test

    return read


def _matches(of: SetName, there: str, system: str | None, code: str) -> bool:
    if code and there != code:
        return False
    if system is None:
        return bool(there)
    found = find_code(of, there)
    return is_system(system, found.system) if found is not None else not system


def _status(name: str, value: str) -> Test:
    code = _split(value)[1]
    if code not in STATUSES.values():
        raise _bad(name, "it is current, superseded or entered-in-error")
    return lambda document: STATUSES[document.status] == code


def _moment(get: Callable[[Document], int]) -> Callable[[str, str], Test]:
    def read(name: str, value: str) -> Test:
        prefix = value[:2] if value[:2] in _PREFIXES else "eq"
        asked = span(value[2:] if value[:2] in _PREFIXES else value)
        if asked is None:
            raise _bad(name, "it is no date")
        first, after = asked
        tests: dict[str, Callable[[int], bool]] = {  # FHIR R4 §3.1.1.4.6
            "eq": lambda at: first <= at < after,
            "ne": lambda at: not first <= at < after,
            "gt": lambda at: at >= after,
            "sa": lambda at: at >= after,
            "lt": lambda at: at < first,
            "eb": lambda at: at < first,
            "ge": lambda at: at >= first,
            "le": lambda at: at < after,
        }
        held = tests[prefix]
        return lambda document: held(get(document))

    return read


def _identifier(name: str, value: str) -> Test:
    system, code = _split(value)
    wanted = unique_id_of({"system": system, "value": code} if system else {"value": code})
    if not wanted:
        raise _bad(name, "it is no identifier of a document")
    return lambda document: wanted in (document.unique_id, document.set_id)


def _name(name: str, value: str) -> Test:
    wanted = fold(value)
    if not wanted:
        raise _bad(name, "it is empty")

    # FHIR R4 §3.1.1.4.7: begins with; of the author one line is known, so any of its words may
    def test(document: Document) -> bool:
        words = fold(document.info.author).split()
        return any(" ".join(words[place:]).startswith(wanted) for place in range(len(words)))

    return test


def _author(name: str, value: str) -> Test:
    code = _split(value)[1]
    if not code:
        raise _bad(name, "it is empty")
    return lambda document: code in (document.author_id, document.author_struct)


def _id(name: str, value: str) -> Test:
    return lambda document: str(document.document_id) == value


PARAMETERS: Final = {
    one.name: one
    for one in (
        Parameter(
            name="_id", kind="token", definition=f"{_R4}Resource-id", words="id of the resource", read=_id
        ),
        Parameter(
            name="status",
            kind="token",
            definition=f"{_R4}DocumentReference-status",
            words="current, superseded or entered-in-error; without it: current",
            read=_status,
        ),
        Parameter(
            name="identifier",
            kind="token",
            definition=f"{_R4}clinical-identifier",
            words="unique id of the document, or id of the set of its versions",
            read=_identifier,
        ),
        Parameter(
            name="type",
            kind="token",
            definition=f"{_R4}clinical-type",
            words="type, of JDV_J66",
            read=_code("type", lambda one: [one.info.type_code]),
        ),
        Parameter(
            name="category",
            kind="token",
            definition=f"{_R4}DocumentReference-category",
            words="class, of JDV_J57",
            read=_code("class", lambda one: [one.info.class_code]),
        ),
        Parameter(
            name="format",
            kind="token",
            definition=f"{_R4}DocumentReference-format",
            words="format, of JDV_J60",
            read=_code("format", lambda one: [one.info.format_code]),
        ),
        Parameter(
            name="facility",
            kind="token",
            definition=f"{_R4}DocumentReference-facility",
            words="sector of activity, of JDV_J61",
            read=_code("facility", lambda one: [one.info.facility]),
        ),
        Parameter(
            name="setting",
            kind="token",
            definition=f"{_R4}DocumentReference-setting",
            words="setting of the practice, of JDV_J04",
            read=_code("practice", lambda one: [one.info.practice]),
        ),
        Parameter(
            name="date",
            kind="date",
            definition=f"{_R4}DocumentReference-date",
            words="when it was filed here",
            read=_moment(lambda one: one.filed_at),
        ),
        Parameter(
            name="creation",
            kind="date",
            definition=f"{_MHD}DocumentReference-Creation",
            words="when the document was written",
            read=_moment(lambda one: one.created_at),
        ),
        Parameter(
            name="period",
            kind="date",
            definition=f"{_R4}DocumentReference-period",
            words="begin of the act",
            read=_moment(lambda one: one.info.service_at or one.created_at),
        ),
        Parameter(
            name="author.family",
            kind="string",
            definition=f"{_R4}individual-family",
            words="name of the author: begin of one of its words",
            read=_name,
        ),
        Parameter(
            name="author.given",
            kind="string",
            definition=f"{_R4}individual-given",
            words="as author.family",
            read=_name,
        ),
        Parameter(
            name="author.identifier",
            kind="token",
            definition=f"{_R4}Practitioner-identifier",
            words="IdNat_PS of the author, or Struct_IdNat of his structure",
            read=_author,
        ),
    )
}
