"""Write operations of an import: load beside the data in use, then switch in one step.

Invariant: look-ups read the generation that ``annuaire_current`` names, and a generation is named only
once all its rows are committed. Whatever interrupts an import leaves the old data in use; the rows of
an abandoned or replaced generation are deleted afterwards, a slice per transaction, so that deleting
millions of rows never holds up the mail.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Table, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from annuaire.errors import ExtractionError
from annuaire.rows import ActivityRow, MailboxRow
from annuaire.tables import activity, current, generation, mailbox, structure
from store import Tx, operation, upsert

_TABLES: dict[str, tuple[tuple[Table, Column[Any]], ...]] = {
    "mailboxes": ((mailbox, mailbox.c.address),),
    "activities": ((activity, activity.c.id_nat), (structure, structure.c.struct_id)),
}


@operation("annuaire.begin")
def begin(tx: Tx, *, source: str, number: int, file_name: str) -> None:
    """Start generation ``number`` of ``source``; a load of it that was left unfinished is given up."""
    tx.conn.execute(
        update(generation)
        .where(generation.c.source == source, generation.c.state == "loading")
        .values(state="old")
    )
    tx.conn.execute(
        generation.insert().values(
            source=source,
            generation=number,
            state="loading",
            file_name=file_name,
            sha256="",
            row_count=0,
            bad_rows=0,
            started_at=tx.now,
            applied_at=None,
        )
    )


@operation("annuaire.load_mailboxes")
def load_mailboxes(tx: Tx, *, number: int, rows: list[MailboxRow]) -> None:
    """Add ``rows`` to the generation being loaded; of two rows with one key the first stays."""
    _check_loading(tx, "mailboxes", number)
    values = [{"generation": number, **msgspec.structs.asdict(row)} for row in rows]
    if values:
        tx.conn.execute(insert_new(tx, mailbox), values)


@operation("annuaire.load_activities")
def load_activities(tx: Tx, *, number: int, rows: list[ActivityRow]) -> None:
    """Add ``rows`` and the structures they name to the generation being loaded."""
    _check_loading(tx, "activities", number)
    values = [{"generation": number, **msgspec.structs.asdict(row)} for row in rows]
    places = {
        (struct_id, row.sector): {
            "generation": number,
            "struct_id": struct_id,
            "sector": row.sector,
            "name": row.structure_name,
            "town": row.town,
            "postcode": row.postcode,
        }
        for row in rows
        for struct_id in (row.struct_finess, row.struct_siret, row.struct_technical)
        if struct_id
    }
    if values:
        tx.conn.execute(insert_new(tx, activity), values)
    if places:
        tx.conn.execute(insert_new(tx, structure), list(places.values()))


@operation("annuaire.apply")
def apply(
    tx: Tx, *, source: str, number: int, replaces: int, sha256: str, row_count: int, bad_rows: int
) -> None:
    """Put generation ``number`` in use. ``replaces`` is the one it was compared with (0: none).

    Raises :class:`ExtractionError` when another import came between.
    """
    _check_loading(tx, source, number)
    if current_generation(tx.conn, source) != replaces:
        raise ExtractionError("annuaire.superseded", "another import finished meanwhile; run this one again")
    tx.conn.execute(
        update(generation)
        .where(generation.c.source == source, generation.c.state == "current")
        .values(state="old")
    )
    tx.conn.execute(
        update(generation)
        .where(generation.c.source == source, generation.c.generation == number)
        .values(state="current", sha256=sha256, row_count=row_count, bad_rows=bad_rows, applied_at=tx.now)
    )
    set_current(tx, source, number)


@operation("annuaire.abandon")
def abandon(tx: Tx, *, source: str, number: int) -> None:
    """Give up a load; the data in use does not change."""
    tx.conn.execute(
        update(generation)
        .where(
            generation.c.source == source,
            generation.c.generation == number,
            generation.c.state == "loading",
        )
        .values(state="old")
    )


@operation("annuaire.sweep")
def sweep(tx: Tx, *, source: str, slice_rows: int) -> bool:
    """Delete about ``slice_rows`` rows of generations no longer in use; whether more are left."""
    number = tx.conn.scalar(
        select(generation.c.generation)
        .where(generation.c.source == source, generation.c.state == "old")
        .order_by(generation.c.generation)
        .limit(1)
    )
    if number is None:
        return False
    for table, key in _TABLES[source]:
        mine = table.c.generation == number
        last = tx.conn.scalar(select(key).where(mine).order_by(key).offset(slice_rows).limit(1))
        if last is not None:
            tx.conn.execute(delete(table).where(mine, key <= last))
            return True
        tx.conn.execute(delete(table).where(mine))
    tx.conn.execute(
        update(generation)
        .where(generation.c.source == source, generation.c.generation == number)
        .values(state="dropped")
    )
    return True


def insert_new(tx: Tx, table: Table) -> Insert:
    """INSERT of many rows that leaves rows already there untouched, on SQLite and PostgreSQL."""
    dialect = sqlite if tx.conn.dialect.name == "sqlite" else postgresql
    statement: Insert = dialect.insert(table).on_conflict_do_nothing()
    return statement


def current_generation(conn: Connection, source: str) -> int:
    """The generation of ``source`` in use, 0 when nothing was ever loaded."""
    number: int | None = conn.scalar(select(current.c.generation).where(current.c.source == source))
    return number or 0


def set_current(tx: Tx, source: str, number: int) -> None:
    """Let look-ups read generation ``number`` of ``source`` from this transaction on."""
    tx.conn.execute(upsert(current, {"source": source, "generation": number}, keys=["source"]))


def _check_loading(tx: Tx, source: str, number: int) -> None:
    state = tx.conn.scalar(
        select(generation.c.state).where(generation.c.source == source, generation.c.generation == number)
    )
    if state != "loading":
        raise ExtractionError("annuaire.superseded", "another import of the same extraction has started")


class Difference(msgspec.Struct, frozen=True):
    """Two generations compared: rows in the new one, in the old one, and what became of them."""

    total: int
    before: int
    added: int
    changed: int
    gone: int


_KEYS: dict[str, tuple[Column[Any], ...]] = {
    "mailboxes": (
        mailbox.c.address,
        mailbox.c.id_nat,
        mailbox.c.struct_id,
        mailbox.c.kind,
        mailbox.c.service,
    ),
    "activities": (activity.c.id_nat, activity.c.activity_key),
}


def difference(conn: Connection, source: str, number: int, before: int) -> Difference:
    """Compare generation ``number`` with ``before`` (a read: the rows of neither change any more)."""
    table = _TABLES[source][0][0]
    old = table.alias("old")
    same = [old.c[column.name] == column for column in _KEYS[source]]
    total = _count(conn, table, number)
    held = _count(conn, table, before)
    kept, changed = conn.execute(
        select(func.count(), func.count().filter(old.c.digest != table.c.digest))
        .select_from(table.join(old, and_(old.c.generation == before, *same)))
        .where(table.c.generation == number)
    ).one()
    return Difference(total=total, before=held, added=total - kept, changed=changed, gone=held - kept)


def _count(conn: Connection, table: Table, number: int) -> int:
    found = conn.scalar(select(func.count()).select_from(table).where(table.c.generation == number))
    return int(found or 0)
