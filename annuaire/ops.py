"""Write operations of an import: what differs is written beside what is in use, then one row switches.

Invariant: look-ups read the generation that ``annuaire_current`` names, and it is named only once all that
differs from the one before is committed. Until then new rows begin later than what is read, and ended
rows end later. An import that was interrupted, by whatever, is undone before the next one begins; undoing
and pruning go a slice per transaction, so that millions of rows never hold up the mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, func, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from annuaire.card_tables import card, skill
from annuaire.errors import ExtractionError
from annuaire.generations import current_generation
from annuaire.rows import MailboxRow, digest
from annuaire.tables import IN_USE, activity, current, ended, generation, mailbox, site
from store import Bulk, Tx, operation, upsert

#: The tables of each source. Sources that share a table are imported one at a time.
TABLES: Final[dict[str, tuple[Table, ...]]] = {
    "mailboxes": (mailbox,),
    "local": (mailbox,),
    "activities": (activity, site),
    "cards": (card,),
    "skills": (skill,),
    "diplomas": (),  # judged, not kept
}
_BY_NAME: Final = {table.name: table for tables in TABLES.values() for table in tables}
_BULKS: Final = {name: Bulk(table, list(table.columns)) for name, table in _BY_NAME.items()}
_decode: Final = msgspec.msgpack.Decoder(list[list[Any]]).decode


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """An import under way: its number, the generation it is compared with (0: none), its first entry id.

    Entry ids are given by the importer, upwards.
    """

    number: int
    replaces: int
    first_entry: int


def siblings(source: str) -> list[str]:
    """The sources that share a table with ``source``, itself included."""
    return [name for name, tables in TABLES.items() if set(tables) & set(TABLES[source])]


def of_source(table: Table, source: str) -> ColumnElement[bool]:
    """The rows of ``source`` in a table that it may share."""
    return table.c.source == source if "source" in table.c else true()


@operation("annuaire.begin")
def begin(tx: Tx, *, source: str, file_name: str, file_date: int | None) -> Begun:
    """Start an import of ``source``; one under way on the same tables is given up."""
    tx.conn.execute(
        update(generation)
        .where(generation.c.source.in_(siblings(source)), generation.c.state == "loading")
        .values(state="undo")
    )
    mine = generation.c.source == source
    number = (tx.conn.scalar(select(func.max(generation.c.generation)).where(mine)) or 0) + 1
    first = 1 + max(tx.conn.scalar(select(func.max(table.c.entry_id))) or 0 for table in TABLES[source])
    tx.conn.execute(
        generation.insert().values(
            source=source,
            generation=number,
            state="loading",
            file_name=file_name,
            file_date=file_date,
            sha256="",
            row_count=0,
            bad_rows=0,
            first_entry=first,
            started_at=tx.now,
            applied_at=None,
        )
    )
    return Begun(number, current_generation(tx.conn, source), first)


@operation("annuaire.load")
def load(tx: Tx, *, source: str, number: int, table: str, rows: bytes) -> None:
    """Add rows (msgpack, lists in the order of the table's columns) that begin with this import."""
    _check_loading(tx, source, number)
    _insert(tx, table, _decode(rows))


@operation("annuaire.end")
def end(tx: Tx, *, source: str, number: int, table: str, entries: list[int]) -> None:
    """End rows with this import: it no longer has them."""
    _check_loading(tx, source, number)
    rows = _BY_NAME[table]
    tx.conn.execute(update(rows).where(rows.c.entry_id.in_(entries)).values(until_generation=number))


@operation("annuaire.restate")
def restate(tx: Tx, *, source: str, number: int, table: str, lines: dict[int, int]) -> None:
    """Note that rows (by entry id) which did not change stand on other lines (digest) of the file now."""
    _check_loading(tx, source, number)
    rows = _BY_NAME[table]
    tx.conn.execute(
        update(rows).where(rows.c.entry_id == bindparam("entry")).values(line=bindparam("new_line")),
        [{"entry": entry, "new_line": line} for entry, line in lines.items()],
    )


@operation("annuaire.apply")
def apply(
    tx: Tx, *, source: str, number: int, replaces: int, sha256: str, row_count: int, bad_rows: int
) -> None:
    """Put an import in use. ``replaces`` is the generation it was compared with (0: none).

    Raises :class:`ExtractionError` when another import came between.
    """
    _check_loading(tx, source, number)
    if current_generation(tx.conn, source) != replaces or unfinished(tx.conn, source):
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


@operation("annuaire.give_up")
def give_up(tx: Tx, *, source: str, number: int) -> None:
    """Give up an import (0: any of ``source``); what is in use does not change; see :func:`undo`."""
    tx.conn.execute(
        update(generation)
        .where(
            generation.c.source == source,
            generation.c.generation == number if number else true(),
            generation.c.state == "loading",
        )
        .values(state="undo")
    )


@operation("annuaire.undo")
def undo(tx: Tx, *, source: str, slice_rows: int) -> bool:
    """Undo about ``slice_rows`` changes of imports given up, of all sources that share tables; more left?"""
    found = unfinished(tx.conn, source)
    if found is None:
        return False
    owner, number, first = found
    for table in TABLES[owner]:
        mine = of_source(table, owner)
        brought = table.c.entry_id >= first, table.c.from_generation == number
        if _delete(tx, table, select(table.c.entry_id).where(*brought, mine), slice_rows):
            return True
        taken = select(table.c.entry_id).where(table.c.until_generation == number, ended(table), mine)
        entries = list(tx.conn.scalars(taken.limit(slice_rows)))
        if entries:
            back = update(table).where(table.c.entry_id.in_(entries)).values(until_generation=IN_USE)
            tx.conn.execute(back)
            return True
    _set_state(tx, owner, generation.c.generation == number, "dropped")
    return True


@operation("annuaire.prune")
def prune(tx: Tx, *, source: str, before: int, slice_rows: int) -> bool:
    """Forget about ``slice_rows`` rows no longer in use at ``before`` (ms); whether more are left."""
    kept = tx.conn.scalar(
        select(func.max(generation.c.generation)).where(
            generation.c.source == source, generation.c.applied_at <= before
        )
    )
    if kept is None:
        return False
    _set_state(tx, source, (generation.c.generation < kept) & (generation.c.state == "old"), "pruned")
    for table in TABLES[source]:
        gone = table.c.until_generation <= kept, ended(table), of_source(table, source)
        if _delete(tx, table, select(table.c.entry_id).where(*gone), slice_rows):
            return True
    return False


def add_boxes(tx: Tx, *, source: str, number: int, rows: Sequence[MailboxRow]) -> None:
    """Add single mailboxes to the import ``number``, which must be loading, within an operation."""
    _check_loading(tx, source, number)
    first = 1 + (tx.conn.scalar(select(func.max(mailbox.c.entry_id))) or 0)
    values = []
    for entry, row in enumerate(rows, first):
        content = msgspec.structs.astuple(row)
        line = digest(*map(str, content))  # no line of a file: one that says the same is found by its content
        values.append((entry, number, IN_USE, line, source, *content))
    _insert(tx, mailbox.name, values)


def insert_new(tx: Tx, table: Table) -> Insert:
    """INSERT of many rows that leaves rows already there untouched, on SQLite and PostgreSQL."""
    dialect = sqlite if tx.conn.dialect.name == "sqlite" else postgresql
    statement: Insert = dialect.insert(table).on_conflict_do_nothing()
    return statement


def set_current(tx: Tx, source: str, number: int) -> None:
    """Let look-ups read generation ``number`` of ``source`` from this transaction on."""
    tx.conn.execute(upsert(current, {"source": source, "generation": number}, keys=["source"]))


def unfinished(conn: Connection, source: str) -> tuple[str, int, int] | None:
    """(source, number, first entry) of an import given up on the tables of ``source``, not yet undone."""
    row = conn.execute(
        select(generation.c.source, generation.c.generation, generation.c.first_entry)
        .where(generation.c.source.in_(siblings(source)), generation.c.state == "undo")
        .order_by(generation.c.generation)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.source, row.generation, row.first_entry)


def _insert(tx: Tx, table: str, values: Sequence[Sequence[Any]]) -> None:
    _BULKS[table].run(tx.conn, values)
    if table == mailbox.name and values and tx.conn.dialect.name == "sqlite":
        first, last = values[0][0], values[-1][0]
        tx.conn.exec_driver_sql(
            "INSERT INTO annuaire_text (rowid, search) SELECT entry_id, search FROM annuaire_bal "
            "WHERE entry_id BETWEEN ? AND ?",
            (first, last),
        )


def _delete(tx: Tx, table: Table, wanted: Any, limit: int) -> Sequence[int]:
    """Delete up to ``limit`` of the rows whose ids ``wanted`` selects; which ones."""
    entries = list(tx.conn.scalars(wanted.limit(limit)))
    if entries and table is mailbox and tx.conn.dialect.name == "sqlite":
        marks = ", ".join("?" * len(entries))
        # An index without content of its own must be told what the row said.
        tx.conn.exec_driver_sql(
            "INSERT INTO annuaire_text (annuaire_text, rowid, search) "  # noqa: S608  # marks only
            f"SELECT 'delete', entry_id, search FROM annuaire_bal WHERE entry_id IN ({marks})",
            tuple(entries),
        )
    if entries:
        tx.conn.execute(delete(table).where(table.c.entry_id.in_(entries)))
    return entries


def _set_state(tx: Tx, source: str, which: ColumnElement[bool], state: str) -> None:
    tx.conn.execute(update(generation).where(generation.c.source == source, which).values(state=state))


def _check_loading(tx: Tx, source: str, number: int) -> None:
    state = tx.conn.scalar(
        select(generation.c.state).where(generation.c.source == source, generation.c.generation == number)
    )
    if state != "loading":
        raise ExtractionError("annuaire.superseded", "another import of the same extraction has started")
