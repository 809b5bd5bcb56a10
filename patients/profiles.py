"""Profiles: what is known of a person and of the life of his profile. :mod:`patients.life` changes it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select

from patients.ins import shaped_ins
from patients.states import State
from patients.tables import patient
from store import Prepared

#: The column that keeps when a state was last entered.
ENTERED: Final[dict[State, str]] = {
    "notified": "notified_at",
    "opened": "opened_at",
    "activated": "activated_at",
    "opposed": "opposed_at",
    "closed": "closed_at",
    "suspended": "suspended_at",
    "deleted": "deleted_at",
}


class Profile(msgspec.Struct, frozen=True):
    """A person and the state of his profile. Times in ms, None for what never happened.

    ``birth_date`` is ``YYYY-MM-DD``, ``birth_place`` a COG code, ``address`` empty without a box.
    ``department`` is the code of the département of residence, "" where unknown. ``erase_at`` is when the
    content of a closed profile is to be destroyed; once it was, the traits are "".
    """

    ins: str
    oid: str
    birth_name: str
    given_names: list[str]
    used_name: str
    sex: str
    birth_date: str
    birth_place: str
    state: State
    box_id: int | None
    address: str
    notified_at: int | None
    opened_at: int | None
    activated_at: int | None
    opposed_at: int | None
    closed_at: int | None
    suspended_at: int | None
    erase_at: int | None = None
    deleted_at: int | None = None
    department: str = ""

    @property
    def name(self) -> str:
        """The name to show: ``"Marie EXEMPLE"``."""
        given = self.given_names[0].title() if self.given_names else ""
        return f"{given} {(self.used_name or self.birth_name).upper()}".strip()


_columns: Final = [patient.c[name] for name in Profile.__struct_fields__]
_by_ins: Final = Prepared(select(*_columns).where(patient.c.ins == bindparam("ins")))
_by_address: Final = Prepared(select(*_columns).where(patient.c.address == bindparam("address")))
_by_box: Final = Prepared(select(*_columns).where(patient.c.box_id == bindparam("box_id")))


def _profile(conn: Connection, statement: Prepared, **asked: Any) -> Profile | None:
    row = statement.first(conn, asked)
    if row is None:
        return None
    values = dict(zip(Profile.__struct_fields__, row, strict=True))
    values["given_names"] = values["given_names"].split()
    values["address"] = values["address"] or ""
    return Profile(**values)


def profile(conn: Connection, ins: str) -> Profile | None:
    """The profile of a matricule (upper case), or None."""
    return _profile(conn, _by_ins, ins=ins) if shaped_ins(ins) else None


def profile_by_address(conn: Connection, address: str) -> Profile | None:
    """The profile that was given ``address`` (any case), or None."""
    address = address.strip().casefold()
    return _profile(conn, _by_address, address=address) if address.isascii() else None


def profile_by_box(conn: Connection, box_id: int) -> Profile | None:
    """The profile whose mailbox is ``box_id``, or None."""
    return _profile(conn, _by_box, box_id=box_id)


def count_by_state(conn: Connection) -> dict[str, int]:
    """How many profiles are in each state."""
    statement = select(patient.c.state, func.count()).group_by(patient.c.state).order_by(patient.c.state)
    return {row[0]: row[1] for row in conn.execute(statement)}
