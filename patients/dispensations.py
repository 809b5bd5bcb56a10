"""Dispensations by pharmacies, as the health insurance tells them: to which ones a patient may write first.

CSV, UTF-8, a header in any order with ``;`` or ``,`` between: ``ins, officine, date``. ``officine`` is a
FINESS, a SIRET or a Struct_IdNat (``1`` + FINESS, ``3`` + SIRET), ``date`` is ``YYYY-MM-DD``. What was
dispensed is not in it. Rows are kept for two years, so that `explain` can still tell what held a year ago.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, Final

import msgspec
import structlog
from sqlalchemy import BigInteger, Column, Connection, Index, String, Table, bindparam, delete, func, select

from patients.calendar import anniversary, today
from patients.errors import DispensationsFileError
from patients.ins import normalise, valid_ins
from patients.rows import rows_below
from store import Prepared, Store, Tx, metadata, now_ms, operation, upsert

#: How long a dispensation lets the patient write first.
VALID_YEARS: Final = 1
KEPT_YEARS: Final = 2
CHUNK: Final = 1_000
MAX_LINE: Final = 4_096
KEPT_FAULTS: Final = 200
_COLUMNS: Final = ("ins", "officine", "date")
_FINESS: Final = re.compile(r"[0-9][0-9AB][0-9]{7}", re.ASCII)
_SIRET: Final = re.compile(r"[0-9]{14}", re.ASCII)
_STRUCTURE: Final = re.compile(r"1[0-9][0-9AB][0-9]{7}|3[0-9]{14}", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

_log = structlog.get_logger("patients")

dispensation = Table(
    "dispensation",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("struct_id", String(20), primary_key=True),  # Struct_IdNat, as the feed names the officine
    Column("day", String(10), primary_key=True),  # in France, YYYY-MM-DD
    Column("noted_at", BigInteger, nullable=False),  # ms: when the feed told it
    Index("ix_dispensation_day", "day"),
)

_newest: Final = Prepared(
    select(func.max(dispensation.c.day)).where(
        dispensation.c.ins == bindparam("ins"),
        dispensation.c.struct_id == bindparam("struct_id"),
        dispensation.c.day <= bindparam("day"),
        dispensation.c.noted_at <= bindparam("at"),
    )
)


class Dispensation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A pharmacy (Struct_IdNat) dispensed to a patient on a day (``YYYY-MM-DD``)."""

    ins: str
    struct_id: str
    day: str


class BadDispensation(msgspec.Struct, frozen=True):
    """A row left out: its line number (the header is line 1) and the reason, without what it said."""

    line: int
    reason: str


class DispensationsReport(msgspec.Struct):
    """What an import did: rows that were new, rows known already or too old, rows that cannot be taken."""

    added: int = 0
    known: int = 0
    bad_count: int = 0
    bad: list[BadDispensation] = msgspec.field(default_factory=list)


class _RowFaultError(ValueError):
    pass


def dispensed(conn: Connection, ins: str, structures: Iterable[str], at: int) -> bool:
    """Whether one of ``structures`` (Struct_IdNat of one pharmacy) dispensed within a year of ``at`` (ms).

    The year ends with the anniversary, a day in France; only what the feed had told by ``at`` counts.
    """
    day = today(at)
    asked = {"ins": ins, "day": day.isoformat(), "at": at}
    found = (_newest.first(conn, {**asked, "struct_id": one})[0] for one in structures)
    return any(within_a_year(date.fromisoformat(newest), day) for newest in found if newest)


def within_a_year(dispensed_on: date, day: date) -> bool:
    """Whether a dispensation still counts on ``day``: from its own day to its anniversary, both included."""
    return dispensed_on <= day <= anniversary(dispensed_on, VALID_YEARS)


def import_dispensations(
    store: Store, path: Path, *, progress: Callable[[int, int], None] | None = None
) -> DispensationsReport:
    """Add the dispensations of the file at ``path``; safe to run again. Blocking.

    Rows older than two years are left out, and forgotten where they are held. Raises
    :class:`DispensationsFileError` when the file or its header cannot be read.
    """
    report = DispensationsReport()
    now = today(now_ms())
    oldest = anniversary(now, -KEPT_YEARS).isoformat()
    try:
        file = path.open("rb")
    except OSError as error:
        raise DispensationsFileError(
            "dispensations.file", f"{path.name}: {error.strerror or error}"
        ) from error
    size = path.stat().st_size
    gathered: dict[Dispensation, None] = {}

    def add() -> None:
        if gathered:
            added = store.write(add_dispensations, rows=list(gathered))
            report.added += added
            report.known += len(gathered) - added
            gathered.clear()

    with file:
        for line, found in _rows(file, now):
            if isinstance(found, str):
                report.bad_count += 1
                if len(report.bad) < KEPT_FAULTS:
                    report.bad.append(BadDispensation(line, found))
            elif found.day < oldest or found in gathered:
                report.known += 1
            else:
                gathered[found] = None
            if len(gathered) >= CHUNK:
                add()
                if progress is not None:
                    progress(file.tell(), size)
    add()
    store.write(forget_dispensations, before=oldest)
    if progress is not None:
        progress(size, size)
    _log.info("dispensations_imported", added=report.added, known=report.known, bad=report.bad_count)
    return report


@operation("patients.add_dispensations")
def add_dispensations(tx: Tx, *, rows: list[Dispensation]) -> int:
    """Keep dispensations that are not known yet (each once in ``rows``); returns how many that were."""
    values = [{**msgspec.structs.asdict(one), "noted_at": tx.now} for one in rows]
    keys = ["ins", "struct_id", "day"]
    statement = upsert(dispensation, values, keys, update=False).returning(dispensation.c.day)
    return len(tx.conn.execute(statement).all())


@operation("patients.forget_dispensations")
def forget_dispensations(tx: Tx, *, before: str) -> int:
    """Drop what was dispensed before a day (``YYYY-MM-DD``); returns how many rows that were."""
    return tx.conn.execute(delete(dispensation).where(dispensation.c.day < before)).rowcount


def _rows(file: IO[bytes], now: date) -> Iterator[tuple[int, Dispensation | str]]:
    """``(line number, dispensation or fault)`` for each row."""
    try:
        header = file.readline(MAX_LINE).decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DispensationsFileError("dispensations.header", "the header line is not UTF-8") from None
    separator = ";" if header.count(";") >= header.count(",") else ","
    labels = [label.strip().strip('"').strip().casefold() for label in header.split(separator)]
    missing = [name for name in _COLUMNS if labels.count(name) != 1]
    if missing:
        text = f"the header lacks {', '.join(missing)}, or names it twice"
        raise DispensationsFileError("dispensations.header", text)
    places = {name: labels.index(name) for name in _COLUMNS}
    below = rows_below(file, places, len(labels), separator=separator, longest=MAX_LINE)
    for number, found in below:
        try:
            yield number, found if isinstance(found, str) else _dispensation(found, now)
        except _RowFaultError as fault:
            yield number, str(fault)


def _dispensation(cells: dict[str, str], now: date) -> Dispensation:
    ins, officine, day = normalise(cells["ins"]), normalise(cells["officine"]), cells["date"]
    if not valid_ins(ins):
        raise _RowFaultError("ins: not a matricule of 15 characters with its key")
    if _FINESS.fullmatch(officine):
        officine = f"1{officine}"
    elif _SIRET.fullmatch(officine):
        officine = f"3{officine}"
    elif not _STRUCTURE.fullmatch(officine):
        raise _RowFaultError("officine: neither a FINESS nor a SIRET")
    try:
        given = date.fromisoformat(day) if _DAY.fullmatch(day) else None
    except ValueError:
        given = None
    if given is None:
        raise _RowFaultError("date: not a day written YYYY-MM-DD")
    if given > now:
        raise _RowFaultError("date: in the future")
    return Dispensation(ins, officine, day)
