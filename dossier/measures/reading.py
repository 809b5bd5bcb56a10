"""Reading measures: a few by their kind and period, the newest of each, all for an export.

Values are opened one by one, so every reading is bounded: the newest :data:`MOST` of what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select

import activity
import patients
from activity import Actor
from dossier import rights
from dossier.measures.bmi import Bmi, indices
from dossier.measures.kinds import KINDS, Kind, Quantity
from dossier.measures.model import CURRENT, REMOVED, Measure, Sealed, Status, Who, end_place, place
from dossier.measures.moments import Moment
from dossier.measures.tables import measure
from dossier.rights.decisions import Question, note_allowed
from store import Prepared, Sealer, Store

#: The most measures of one kind that one reading opens.
MOST: Final = 50_000
_FAR: Final = 1 << 62
_sealed: Final = msgspec.msgpack.Decoder(Sealed)
_who: Final = msgspec.msgpack.Decoder(Who)
_COLUMNS: Final = (
    "measure_id",
    "kind",
    "taken_at",
    "status",
    "added_at",
    "removed_at",
    "by",
    "sealed",
    "ended",
)
_columns: Final = [measure.c[name] for name in _COLUMNS]
_of_kind: Final = Prepared(
    select(*_columns)
    .where(
        measure.c.box_id == bindparam("box_id"),
        measure.c.kind == bindparam("kind"),
        measure.c.status == bindparam("status"),
        measure.c.taken_at >= bindparam("since"),
        measure.c.taken_at < bindparam("until"),
    )
    .order_by(measure.c.taken_at.desc(), measure.c.measure_id.desc())
    .limit(bindparam("most"))
)
_one: Final = Prepared(
    select(*_columns).where(
        measure.c.box_id == bindparam("box_id"), measure.c.measure_id == bindparam("measure_id")
    )
)


class Latest(msgspec.Struct, frozen=True):
    """The newest measure of each kind that has one, and the index of the newest weight."""

    measures: dict[Kind, Measure]
    bmi: Bmi | None


# -- for whom it is decided -----------------------------------------------------------------------


def series(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    kind: Kind,
    since: int = 0,
    until: int = _FAR,
    *,
    history: bool = False,
    most: int = MOST,
) -> list[Measure]:
    """The measures of a kind taken in [``since``, ``until``) (ms), oldest first, the newest ``most`` of them.

    With ``history`` removed ones too. Leaves no trace: it is for what a patient reads of himself, and within
    :func:`read`. Used as ``store.read(series, store, box_id, actor, kind)``. Raises
    :class:`dossier.rights.RightsError` when ``actor`` may not, :class:`StoreError` when the box's key is
    gone.
    """
    _allowed(conn, store, box_id, actor)
    return of_kind(conn, store, box_id, kind, since, until, history=history, most=most)


def measure_for(conn: Connection, store: Store, box_id: int, actor: Actor, measure_id: int) -> Measure | None:
    """One measure whatever its status, or None; otherwise as :func:`series`."""
    _allowed(conn, store, box_id, actor)
    return by_id(conn, store, box_id, measure_id)


def latest(conn: Connection, store: Store, box_id: int, actor: Actor) -> Latest:
    """The newest of each kind; otherwise as :func:`series`."""
    _allowed(conn, store, box_id, actor)
    found: dict[Kind, Measure] = {}
    for kind in KINDS:
        for one in of_kind(conn, store, box_id, kind, most=1):
            found[kind] = one
    weight, index = found.get("weight"), None
    if weight is not None:
        index = next(iter(_indices(conn, store, box_id, [weight])), None)
    return Latest(found, index)


def index_series(
    conn: Connection, store: Store, box_id: int, actor: Actor, since: int = 0, until: int = _FAR
) -> list[Bmi]:
    """The body mass index at each weight of a period, computed; otherwise as :func:`series`."""
    weights = series(conn, store, box_id, actor, "weight", since, until)
    return _indices(conn, store, box_id, weights)


def read(
    store: Store, box_id: int, actor: Actor, kinds: Sequence[Kind], since: int = 0, until: int = _FAR
) -> dict[Kind, list[Measure]]:
    """Several series at once; who is not the patient himself leaves an entry ``measures_read`` first.

    Blocking. Raises as :func:`series`; a refusal is in the journal too.
    """
    traced(store, box_id, actor, kinds)
    return store.read(_several, store, box_id, actor, kinds, since, until)


def read_latest(store: Store, box_id: int, actor: Actor) -> Latest:
    """:func:`latest`, traced as :func:`read` is."""
    traced(store, box_id, actor, KINDS)
    return store.read(latest, store, box_id, actor)


def read_indices(store: Store, box_id: int, actor: Actor, since: int = 0, until: int = _FAR) -> list[Bmi]:
    """:func:`index_series`, traced as :func:`read` is."""
    traced(store, box_id, actor, ("weight", "height"))
    return store.read(index_series, store, box_id, actor, since, until)


def traced(store: Store, box_id: int, actor: Actor, kinds: Iterable[Kind]) -> None:
    """Decide on a reading, and write it down unless the patient reads himself."""
    rights.require(store, box_id, actor, "read_measures", what="measures_read")
    asker, _ = store.read(rights.facts_of, box_id, actor)
    if asker.by == "patient" and asker.viewer == "self":
        return
    asked = Question(box_id=box_id, actor=actor, action="read_measures")
    more = {"kinds": " ".join(kinds)}
    entry = activity.entry(store, box_id, actor, "measures_read", kind="measure", more=more)
    note_allowed(store, asked, entry)


def _several(
    conn: Connection, store: Store, box_id: int, actor: Actor, kinds: Sequence[Kind], since: int, until: int
) -> dict[Kind, list[Measure]]:
    return {kind: series(conn, store, box_id, actor, kind, since, until) for kind in kinds}


def _allowed(conn: Connection, store: Store, box_id: int, actor: Actor) -> None:
    decision = rights.may(conn, store, box_id, actor, "read_measures")
    if not decision.allowed:
        raise rights.RightsError(decision)


# -- within the room ------------------------------------------------------------------------------


def of_kind(
    conn: Connection,
    store: Store,
    box_id: int,
    kind: Kind,
    since: int = 0,
    until: int = _FAR,
    *,
    history: bool = False,
    most: int = MOST,
) -> list[Measure]:
    """As :func:`series`, for who has decided."""
    asked = {"box_id": box_id, "kind": kind, "since": since or -_FAR, "until": until, "most": most}
    statuses: tuple[Status, ...] = (CURRENT, REMOVED) if history else (CURRENT,)
    rows = [row for status in statuses for row in _of_kind.all(conn, asked | {"status": status})]
    sealer = store.sealer(box_id) if rows else None
    found = [_opened(box_id, row, sealer) for row in rows if sealer is not None]
    found.sort(key=lambda one: (one.taken_at, one.measure_id))
    return found[-most:]


def by_id(conn: Connection, store: Store, box_id: int, measure_id: int) -> Measure | None:
    """One measure whatever its status, or None; for who has decided."""
    row = _one.first(conn, {"box_id": box_id, "measure_id": measure_id})
    return None if row is None else _opened(box_id, row, store.sealer(box_id))


def everything(conn: Connection, store: Store, box_id: int, *, history: bool = False) -> list[Measure]:
    """All measures of a box by kind and moment; for who has decided."""
    return [one for kind in KINDS for one in of_kind(conn, store, box_id, kind, history=history, most=_FAR)]


class Held(msgspec.Struct, frozen=True):
    """How many measures a box has, and when (ms) the last was added; not of what kinds, which would tell of
    health."""

    current: int
    removed: int
    last_added_at: int | None


def held(conn: Connection, box_id: int) -> Held:
    """What support may know of the measures of a box: neither kinds nor values. The caller traces it."""
    query = select(measure.c.status, func.count(), func.max(measure.c.added_at)).group_by(measure.c.status)
    rows = {row[0]: row for row in conn.execute(query.where(measure.c.box_id == box_id))}
    current, removed = (rows[status][1] if status in rows else 0 for status in (CURRENT, REMOVED))
    return Held(current, removed, max((row[2] for row in rows.values()), default=None))


def _indices(conn: Connection, store: Store, box_id: int, weights: Sequence[Measure]) -> list[Bmi]:
    owner = patients.profile_by_box(conn, box_id)
    heights = of_kind(conn, store, box_id, "height")
    return indices(weights, heights, owner.birth_date if owner is not None else "")


def _opened(box_id: int, row: Any, sealer: Sealer) -> Measure:
    measure_id, kind, taken_at, status, added_at, removed_at, by, sealed, ended = row
    held = _sealed.decode(sealer.open(bytes(sealed), place(measure_id, kind, taken_at)))
    return Measure(
        box_id=box_id,
        measure_id=measure_id,
        quantity=Quantity(kind, held.numbers, held.unit),
        moment=Moment(taken_at, held.offset, held.day_only),
        status=status,
        context=held.context,
        note=held.note,
        unusual=held.unusual,
        added_at=added_at,
        added_by=Who(by, held.ident, held.name),
        removed_at=removed_at,
        removed_by=_who.decode(sealer.open(bytes(ended), end_place(measure_id)))
        if ended is not None
        else None,
    )
