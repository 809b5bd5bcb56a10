"""Adding, correcting and removing measures. A correction removes one and adds another: nothing is
overwritten.

What is written is decided twice: before it is sealed, and within the transaction, so that a right which ended
meanwhile ends it.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, Row, delete, func, select, update

import activity
import evidence
import patients
from activity import Actor, Entry
from dossier import rights
from dossier.measures import moments, plausible
from dossier.measures.errors import MeasureError
from dossier.measures.kinds import INFO, Context, Quantity
from dossier.measures.model import (
    CURRENT,
    REMOVED,
    EndedMeasure,
    Measure,
    NewMeasure,
    Sealed,
    end_place,
    place,
    who,
)
from dossier.measures.moments import Moment
from dossier.measures.reading import by_id
from dossier.measures.tables import measure
from store import Bulk, Sealer, Store, Tx, new_id, now_ms, operation

LONGEST_NOTE: Final = 300
_NEW: Final = Bulk(
    measure,
    [
        measure.c[name]
        for name in ("box_id", "measure_id", "kind", "taken_at", "status", "added_at", "by", "sealed")
    ],
)
#: How a change ended. ``refused``: the right ended meanwhile; ``gone``: what was to be removed is removed
#: already; ``other``: measures came that the caller had not seen.
Outcome = Literal["done", "refused", "gone", "other"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A measure before it is kept: see :func:`draft`."""

    quantity: Quantity
    moment: Moment
    context: Context
    note: str
    unusual: bool


def draft(
    quantity: Quantity,
    moment: Moment,
    birth_date: str,
    *,
    context: Context = "",
    note: str = "",
    now: int | None = None,
) -> Draft:
    """Judge a measure of someone born on ``birth_date`` ("" where unknown); a page asks again where it is
    ``unusual``.

    Raises :class:`MeasureError`: a value, moment, context or note that cannot be.
    """
    moments.check(moment, now_ms() if now is None else now, birth_date)
    unusual = plausible.unusual(quantity, birth_date, moment.day)
    if context not in INFO[quantity.kind].contexts:
        raise MeasureError(
            "measure.context",
            "Ce type de mesure n'a pas cette précision.",
            "This kind of measure has no such detail.",
        )
    return Draft(quantity=quantity, moment=moment, context=context, note=_note(note), unusual=unusual)


def _note(text: str) -> str:
    note = unicodedata.normalize("NFC", text).strip()
    if len(note) > LONGEST_NOTE or any(unicodedata.category(one) in ("Cc", "Cs", "Cn") for one in note):
        raise MeasureError(
            "measure.note",
            f"La note tient en une ligne de {LONGEST_NOTE} caractères au plus.",
            f"A note is one line of at most {LONGEST_NOTE} characters.",
        )
    return note


def birth_date_of(conn: Connection, box_id: int) -> str:
    """The birth date by which measures of a box are judged, "" where unknown."""
    owner = patients.profile_by_box(conn, box_id)
    return owner.birth_date if owner is not None else ""


def add(
    store: Store,
    box_id: int,
    actor: Actor,
    quantity: Quantity,
    moment: Moment,
    *,
    context: Context = "",
    note: str = "",
) -> Measure:
    """Keep a measure, with its entry in the journal. Blocking.

    Raises :class:`dossier.rights.RightsError`, :class:`MeasureError` as :func:`draft`.
    """
    return _change(store, box_id, actor, None, quantity, moment, context, note)


def correct(
    store: Store,
    box_id: int,
    actor: Actor,
    measure_id: int,
    quantity: Quantity,
    moment: Moment,
    *,
    context: Context = "",
    note: str = "",
) -> Measure:
    """Remove a measure and keep another in its place, both or neither.

    Raises as :func:`add` and :func:`remove`; ``measure.shape`` where the other is of another kind.
    """
    old = _current(store, box_id, actor, measure_id)
    if old.kind != quantity.kind:
        raise MeasureError(
            "measure.shape",
            "Une correction garde le type de mesure.",
            "A correction keeps the kind of the measure.",
        )
    return _change(store, box_id, actor, old, quantity, moment, context, note)


def remove(store: Store, box_id: int, actor: Actor, measure_id: int) -> None:
    """Take a measure out of series and plots; it stays in the history with who removed it and when. Blocking.

    Raises :class:`dossier.rights.RightsError`, :class:`MeasureError` ``measure.unknown``: no such measure, or
    it is removed already.
    """
    old = _current(store, box_id, actor, measure_id)
    entry = _removal(store, box_id, actor, old)
    _write(store, box_id, actor, [], [_ended(store, box_id, actor, old)], [entry])


def _current(store: Store, box_id: int, actor: Actor, measure_id: int) -> Measure:
    rights.require(store, box_id, actor, "write_measures", what="measure_removed")
    found = store.read(by_id, store, box_id, measure_id)
    if found is None or found.status != CURRENT:
        raise _unknown()
    return found


def _change(
    store: Store,
    box_id: int,
    actor: Actor,
    old: Measure | None,
    quantity: Quantity,
    moment: Moment,
    context: Context,
    note: str,
) -> Measure:
    if old is None:
        rights.require(store, box_id, actor, "write_measures", what="measure_added")
    judged = draft(quantity, moment, store.read(birth_date_of, box_id), context=context, note=note)
    new = sealed(store.sealer(box_id), actor, judged)
    more: dict[str, str] = {"kind": quantity.kind}
    entries = [] if old is None else [_removal(store, box_id, actor, old)]
    entries.append(
        activity.entry(
            store,
            box_id,
            actor,
            "measure_added",
            kind="measure",
            subject=str(new.measure_id),
            more=more if old is None else more | {"instead_of": str(old.measure_id)},
        )
    )
    _write(store, box_id, actor, [new], [] if old is None else [_ended(store, box_id, actor, old)], entries)
    found = store.read(by_id, store, box_id, new.measure_id)
    assert found is not None
    return found


def _removal(store: Store, box_id: int, actor: Actor, old: Measure) -> Entry:
    more: dict[str, str] = {"kind": old.kind}
    subject = str(old.measure_id)
    return activity.entry(store, box_id, actor, "measure_removed", kind="measure", subject=subject, more=more)


def sealed(sealer: Sealer, actor: Actor, judged: Draft) -> NewMeasure:
    """The row of a judged measure, under a new id."""
    measure_id, quantity, moment = new_id(), judged.quantity, judged.moment
    by = who(actor)
    content = Sealed(
        numbers=quantity.numbers,
        unit=quantity.unit,
        offset=moment.offset,
        day_only=moment.day_only,
        context=judged.context,
        note=judged.note,
        unusual=judged.unusual,
        ident=by.ident,
        name=by.name,
    )
    where = place(measure_id, quantity.kind, moment.at)
    return NewMeasure(
        measure_id, quantity.kind, moment.at, sealer.seal(msgspec.msgpack.encode(content), where)
    )


def _ended(store: Store, box_id: int, actor: Actor, old: Measure) -> EndedMeasure:
    content = msgspec.msgpack.encode(who(actor))
    return EndedMeasure(old.measure_id, store.sealer(box_id).seal(content, end_place(old.measure_id)))


def _write(
    store: Store,
    box_id: int,
    actor: Actor,
    new: list[NewMeasure],
    ended: list[EndedMeasure],
    entries: list[Entry],
) -> None:
    outcome = store.write(
        change, box_id=box_id, actor=actor, action="write_measures", new=new, ended=ended, entries=entries
    )
    if outcome == "refused":
        rights.require(store, box_id, actor, "write_measures", what=entries[0].what)
        raise busy()  # it may again
    if outcome == "gone":
        raise _unknown()


@operation("dossier.change_measures")
def change(
    tx: Tx,
    *,
    box_id: int,
    actor: Actor,
    action: Literal["write_measures", "import"],
    new: list[NewMeasure],
    ended: list[EndedMeasure],
    entries: list[Entry],
    seen: int | None = None,
) -> Outcome:
    """Write rows, the ends of others, and what the journal says of both: all or nothing.

    ``seen``: how many rows the caller knew, current and removed; with others there nothing is written.
    """
    evidence.hold(tx)
    if not rights.decide(action, *rights.facts_of(tx.conn, box_id, actor)).allowed:
        return "refused"
    if seen is not None and rows_held(tx.conn, box_id) != seen:
        return "other"
    for one in ended:
        row = _status(tx.conn, box_id, one.measure_id)
        if row is None or row.status != CURRENT:
            return "gone"
    for one in ended:
        tx.conn.execute(
            update(measure)
            .where(measure.c.box_id == box_id, measure.c.measure_id == one.measure_id)
            .values(status=REMOVED, removed_at=tx.now, ended=one.ended)
        )
    _NEW.run(
        tx.conn,
        [
            (box_id, one.measure_id, one.kind, one.taken_at, CURRENT, tx.now, actor.by, one.sealed)
            for one in new
        ],
    )
    for entry in entries:
        activity.note(tx, entry)
    return "done"


def rows_held(conn: Connection, box_id: int) -> int:
    """How many measures a box has, removed ones too."""
    return conn.scalar(select(func.count()).select_from(measure).where(measure.c.box_id == box_id)) or 0


def _status(conn: Connection, box_id: int, measure_id: int) -> Row[tuple[str]] | None:
    where = (measure.c.box_id == box_id, measure.c.measure_id == measure_id)
    return conn.execute(select(measure.c.status).where(*where)).one_or_none()


@patients.erases
def _erase(tx: Tx, box_id: int) -> None:
    tx.conn.execute(delete(measure).where(measure.c.box_id == box_id))


def _unknown() -> MeasureError:
    return MeasureError(
        "measure.unknown",
        "Cette mesure n'existe pas, ou plus.",
        "There is no such measure, or it was removed.",
    )


def busy() -> MeasureError:
    """Others write the same measures at this moment."""
    return MeasureError(
        "measure.busy",
        "Les mesures changent en ce moment même : recommencez.",
        "Measures are changing at this very moment: try again.",
    )
