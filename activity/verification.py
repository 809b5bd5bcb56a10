"""Whether the journal is what the chain of evidence recorded: nothing changed, dropped or added behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, func, select

import evidence
import patients
from activity.journal import digest
from activity.model import Entry
from activity.tables import activity

_AT_ONCE: Final = 2000
_FIELDS: Final = Entry.__struct_fields__


class JournalReport(msgspec.Struct):
    """What checking found. ``broken`` and ``missing`` are numbers of records of evidence: whose entry is
    another than what was recorded, and whose entry is gone. ``unproven``: entries that no record names;
    ``erased``: of profiles that were deleted for good."""

    entries: int = 0
    unproven: int = 0
    erased: int = 0
    broken: list[int] = msgspec.field(default_factory=list)
    missing: list[int] = msgspec.field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not (self.broken or self.missing or self.unproven)


def check(conn: Connection, ins: str = "") -> JournalReport:
    """Whether every entry agrees with its record of evidence and none is missing: of one patient, or of all.

    It reads the chain once, which :func:`evidence.verify` checks by itself.
    """
    report = JournalReport()
    owner = patients.profile(conn, ins) if ins else None
    total = select(func.count()).select_from(activity)
    if ins:
        total = total.where(activity.c.box_id == (owner.box_id if owner is not None else None))
    report.entries = conn.scalar(total) or 0
    held = 0
    for records in _batches(conn, ins):
        numbers = [record.seq for record in records]
        rows = {
            row.evidence_seq: row
            for row in conn.execute(select(activity).where(activity.c.evidence_seq.in_(numbers)))
        }
        for record in records:
            row = rows.get(record.seq)
            if row is None:
                gone = patients.profile(conn, record.recipient)
                if gone is not None and gone.state == "deleted":
                    report.erased += 1
                else:
                    report.missing.append(record.seq)
                continue
            held += 1
            if not _agrees(row, record):
                report.broken.append(record.seq)
    report.unproven = max(0, report.entries - held)
    return report


def _batches(conn: Connection, ins: str) -> Iterator[list[evidence.Record]]:
    found: list[evidence.Record] = []
    for record in evidence.walk(conn):
        if record.event == "activity" and (not ins or record.recipient == ins):
            found.append(record)
            if len(found) == _AT_ONCE:
                yield found
                found = []
    if found:
        yield found


def _agrees(row: Row[Any], record: evidence.Record) -> bool:
    values = {name: getattr(row, name) for name in _FIELDS} | {"sealed": bytes(row.sealed)}
    return str(row.activity_id) == record.trace_id and digest(Entry(**values), row.at) == record.sha256
