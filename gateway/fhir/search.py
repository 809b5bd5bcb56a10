"""ITI-67: a search read, judged and put in order; pages without anything of the patient in their links."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from dossier import Document
from gateway.fhir.codes import ins_of
from gateway.fhir.errors import DoorError
from gateway.fhir.parameters import PARAMETERS, STATUSES, Test
from store import PasserelleError, Sealer, now_ms

#: The patient, by INS: the first is the one of MHD, the others say the same in R4.
PATIENT: Final = ("patient.identifier", "patient:identifier", "subject:identifier")
PAGE: Final = "_page"
_CONTROLS: Final = ("_count", "_sort", "_summary", "_format", "_pretty", "fhirVersion", PAGE)
_SORTS: Final[dict[str, Callable[[Document], Any]]] = {
    "date": lambda one: one.filed_at,
    "creation": lambda one: one.created_at,
    "type": lambda one: one.info.type_code,
    "category": lambda one: one.info.class_code,
}
_FIELDS: Final = 64
_VALUES: Final = 50
_PAGE_LIVES_MS: Final = 3_600_000


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. ``applied`` are the pairs that count, ``ignored`` the names of those that do not.

    ``until`` (ms): documents filed later are not of this search, so that its pages hold together.
    """

    ins: str
    oid: str
    applied: list[tuple[str, str]]
    ignored: list[str]
    count: int
    offset: int = 0
    until: int = 0
    only_count: bool = False

    @property
    def history(self) -> bool:
        """Whether documents are asked for that are not in force."""
        asked = {value for name, value in self.applied if name == "status"}
        return bool(asked) and asked != {"current"}


class _Page(msgspec.Struct, frozen=True, array_like=True):
    who: str
    made: int
    search: Search


def read_search(pairs: Sequence[tuple[str, str]], *, page: int, strict: bool) -> Search:
    """A search as its parameters state it. ``page``: results of one page, at most.

    Raises :class:`DoorError` ``door.search``; also, when ``strict``, for a parameter that is not known
    (RFC 7240 §4.4).
    """
    if len(pairs) > _FIELDS:
        raise DoorError("door.search", "there are too many parameters")
    patient = [value for name, value in pairs if name in PATIENT]
    if len(patient) != 1:
        raise DoorError("door.search", "give patient.identifier=urn:oid:OID|INS, once")
    system, _, value = patient[0].rpartition("|")
    ins, oid = ins_of(system, value)
    if not ins:
        raise DoorError("door.search", "patient.identifier is no INS with its OID and key")
    applied: list[tuple[str, str]] = []
    ignored: list[str] = []
    count, only_count = page, False
    for name, value in pairs:
        if name in PATIENT:
            continue
        if name in PARAMETERS or name == "_sort":
            applied.append((name, value))
        elif name == "_count":
            count = _count(value, page)
        elif name == "_summary" and value in ("count", "false"):
            only_count = value == "count"
        elif name not in _CONTROLS or name == "_summary":
            ignored.append(name)
    if ignored and strict:
        raise DoorError("door.search", f"a parameter is not known: {_shown(ignored[0])}")
    search = Search(
        ins=ins,
        oid=oid,
        applied=applied,
        ignored=ignored,
        count=count,
        until=now_ms(),
        only_count=only_count or count == 0,
    )
    tests_of(search)  # refuses what cannot be before anything is looked for
    _keys(search)
    return search


def _count(value: str, page: int) -> int:
    if not value.isdecimal() or not value.isascii() or len(value) > 6:
        raise DoorError("door.search", "_count is no number")
    return min(int(value), page)


def _shown(name: str) -> str:
    """A peer's word as it may be repeated."""
    return "".join(char for char in name[:40] if char.isascii() and (char.isalnum() or char in "._:-")) or "?"


def tests_of(search: Search) -> list[list[Test]]:
    """The tests a document must pass: of each list, one (a comma is "or", a repetition "and")."""
    tests: list[list[Test]] = []
    for name, value in search.applied:
        if name == "_sort":
            continue
        values = [one for one in value.split(",") if one]
        if not values or len(values) > _VALUES:
            raise DoorError("door.search", f"the value of {name} is empty, or too long")
        tests.append([PARAMETERS[name].read(name, one) for one in values])
    if not any(name == "status" for name, _ in search.applied):
        tests.append([lambda one: STATUSES[one.status] == "current"])
    return tests


def _keys(search: Search) -> list[tuple[Callable[[Document], Any], bool]]:
    keys = []
    for name, value in search.applied:
        for one in value.split(",") if name == "_sort" else ():
            bare = one.removeprefix("-")
            if bare not in _SORTS:
                raise DoorError("door.search", f"_sort takes {', '.join(_SORTS)}")
            keys.append((_SORTS[bare], one.startswith("-")))
    return keys


def found(search: Search, documents: Iterable[Document]) -> list[Document]:
    """Those of some documents that are asked for, in the order asked for; newest first without one."""
    tests = tests_of(search)
    matching = [
        one
        for one in documents
        if one.filed_at <= search.until and all(any(test(one) for test in either) for either in tests)
    ]
    matching.sort(key=lambda one: (one.created_at, one.document_id), reverse=True)
    for key, backwards in reversed(_keys(search)):
        matching.sort(key=key, reverse=backwards)
    return matching


# -- pages ----------------------------------------------------------------------------------------


def link(base: str, search: Search, offset: int, who: str, box_id: int, sealer: Sealer) -> str:
    """Where a page of a search is found: for ``who`` alone, an hour long, the patient sealed in it."""
    state = _Page(who, now_ms(), msgspec.structs.replace(search, offset=offset))
    sealed = sealer.seal(msgspec.msgpack.encode(state), _place(box_id))
    token = base64.urlsafe_b64encode(box_id.to_bytes(8, "big") + sealed).rstrip(b"=").decode()
    return f"{base}/DocumentReference?{urlencode([*search.applied, (PAGE, token)])}"


def box_of_page(token: str) -> int:
    """The box whose key seals a page. Raises :class:`DoorError` ``door.page``."""
    return int.from_bytes(_raw(token)[:8], "big")


def read_page(token: str, who: str, sealer: Sealer) -> Search:
    """The search that a link stands for. Raises :class:`DoorError` ``door.page``: old, or another's."""
    raw = _raw(token)
    try:
        state = msgspec.msgpack.decode(
            sealer.open(raw[8:], _place(int.from_bytes(raw[:8], "big"))), type=_Page
        )
    except (PasserelleError, msgspec.DecodeError):
        raise DoorError("door.page", "the link does not lead anywhere") from None
    if state.who != who or now_ms() - state.made > _PAGE_LIVES_MS:
        raise DoorError("door.page", "the link is old, or another's")
    return state.search


def _place(box_id: int) -> str:
    return f"fhir-page:{box_id}"


def _raw(token: str) -> bytes:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not 8 < len(raw) < 8192 or raw[0] & 0x80:
        raise DoorError("door.page", "the link does not lead anywhere")
    return raw
