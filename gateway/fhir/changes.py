"""What may be changed of a document: its masks and, by its author, whether it is there at all.

PDSm changes metadata by PATCH. Taken is a JSON Patch (RFC 6902) on ``/securityLabel`` and ``/status``.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final, Literal

import msgspec

from activity import Actor
from dossier import rights
from gateway.fhir.codes import HIDDEN, MASKED, MASKS, WITHHELD, in_set
from gateway.fhir.errors import DoorError
from gateway.fhir.resources import security_labels
from store import Store

_MOST: Final = 32
Step = Callable[[Store, int, Actor, int], bool]


class _Operation(msgspec.Struct, frozen=True):
    op: Literal["add", "remove", "replace", "test"]
    path: str
    value: Any = None


class Change(msgspec.Struct, frozen=True):
    """What a patch comes to: the masks that the document shall have, or that it is to go."""

    masks: frozenset[str]
    delete: bool = False


def read_change(body: bytes, masks: list[str], status: str) -> Change:
    """What a JSON Patch makes of a document that has these masks and this status.

    Raises :class:`DoorError`: ``door.json``, ``door.change``.
    """
    try:
        operations = msgspec.json.decode(body, type=list[_Operation])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DoorError("door.json", "the body is no JSON Patch of add, remove, replace and test") from None
    if not 0 < len(operations) <= _MOST:
        raise DoorError("door.change", f"a patch has 1 to {_MOST} operations")
    held: dict[str, Any] = {"status": status, "securityLabel": security_labels(masks)}
    try:
        for one in operations:
            _apply(held, one)
    except RecursionError:
        raise DoorError("door.json", "the patch is nested too deeply") from None
    if held.get("status") == "entered-in-error" and status == "current":
        return Change(frozenset(masks), delete=True)
    if held.get("status") != status:
        raise DoorError("door.change", "status can only become entered-in-error")
    return Change(_masks(held.get("securityLabel", [])))


def _apply(held: dict[str, Any], one: _Operation) -> None:
    parts = one.path.split("/")[1:]  # RFC 6901 §3; no name here needs escaping
    if parts == ["status"] or parts == ["securityLabel"]:
        name = parts[0]
        if one.op == "test":
            _tested(held.get(name), one.value)
        elif one.op == "remove":
            if name == "status":
                raise DoorError("door.change", "status cannot be left out")
            held[name] = []
        else:
            held[name] = deepcopy(one.value)
        return
    if len(parts) != 2 or parts[0] != "securityLabel" or not isinstance(held["securityLabel"], list):
        raise DoorError("door.change", "only status and securityLabel can be changed")
    _at_index(held["securityLabel"], parts[1], one)


def _at_index(rows: list[Any], index: str, one: _Operation) -> None:
    if index == "-" and one.op == "add":  # RFC 6902 §4.1
        rows.append(one.value)
        return
    if not index.isdecimal() or not index.isascii() or len(index) > 4:
        raise DoorError("door.change", "the path leads to no securityLabel")
    place = int(index)
    if place >= len(rows) + (one.op == "add"):
        raise DoorError("door.change", "the path leads to no securityLabel")
    match one.op:
        case "add":
            rows.insert(place, one.value)
        case "remove":
            del rows[place]
        case "replace":
            rows[place] = one.value
        case "test":
            _tested(rows[place], one.value)


def _tested(found: object, wanted: object) -> None:
    if found != wanted:  # RFC 6902 §4.6
        raise DoorError("door.version", "the document is not as the patch expects it")


def _masks(rows: object) -> frozenset[str]:
    if not isinstance(rows, list):
        raise DoorError("door.change", "securityLabel is no list")
    codes = set()
    for row in rows:
        coded = row.get("coding") if isinstance(row, dict) else None
        listed = coded if isinstance(coded, list) else []
        code = next((code for one in listed if (code := in_set("confidentiality", one))), "")
        if code not in ("N", *MASKS):
            raise DoorError("door.change", "a securityLabel is not one of those taken here")
        codes.add(code)
    return frozenset(codes - {"N"})


#: Mask → what puts it on, and what takes it off.
_STEPS: Final[dict[str, tuple[Step, Step]]] = {
    MASKED: (rights.mask, rights.unmask),
    WITHHELD: (rights.withhold, rights.announce),
    HIDDEN: (rights.hide, rights.show),
}


def steps(change: Change, masks: list[str]) -> list[Step]:
    """What is to be done, one after the other; what is taken off first, as two masks may exclude each other.

    Raises :class:`DoorError` ``door.change`` for more than one: they could not be done as one.
    """
    off = [_STEPS[code][1] for code in MASKS if code in masks and code not in change.masks]
    on = [_STEPS[code][0] for code in MASKS if code in change.masks and code not in masks]
    if len(off) + len(on) > 1:
        raise DoorError("door.change", "change one mask at a time")
    return off + on
