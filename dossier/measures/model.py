"""What a measure of the record is."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from activity import Actor, By
from dossier.measures.kinds import Context, Kind, Quantity
from dossier.measures.moments import Moment

Status = Literal["current", "removed"]
CURRENT: Final[Status] = "current"
REMOVED: Final[Status] = "removed"


class Who(msgspec.Struct, frozen=True, array_like=True):
    """Who added or removed a measure, as :class:`activity.Actor` has it."""

    by: By
    ident: str
    name: str


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure as it is in the record: as entered, never rounded. ``added_at`` and ``removed_at`` in ms.

    ``unusual``: outside what is usual at that age when it was added; it says nothing of the person.
    """

    box_id: int
    measure_id: int
    quantity: Quantity
    moment: Moment
    status: Status
    context: Context
    note: str
    unusual: bool
    added_at: int
    added_by: Who
    removed_at: int | None = None
    removed_by: Who | None = None

    @property
    def kind(self) -> Kind:
        return self.quantity.kind

    @property
    def taken_at(self) -> int:
        return self.moment.at


class Sealed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is sealed of a measure."""

    numbers: tuple[str, ...]
    unit: str
    offset: int
    day_only: bool
    context: Context
    note: str
    unusual: bool
    ident: str
    name: str


class NewMeasure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row ready to be written."""

    measure_id: int
    kind: Kind
    taken_at: int
    sealed: bytes


class EndedMeasure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row to be ended, and who ends it, sealed."""

    measure_id: int
    ended: bytes


def who(actor: Actor) -> Who:
    """What a measure keeps of an actor."""
    return Who(actor.by, actor.ident, actor.name)


def place(measure_id: int, kind: str, taken_at: int) -> str:
    """Where a row's value is sealed to: neither its kind nor its moment can be changed without it."""
    return f"measure:{measure_id}:{kind}:{taken_at}"


def end_place(measure_id: int) -> str:
    """Where the end of a row is sealed to."""
    return f"measure:{measure_id}:end"
