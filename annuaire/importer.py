"""Importing an extraction of the Annuaire: streamed, judged row by row, switched in one step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from annuaire import ops
from annuaire.errors import ExtractionError
from annuaire.extraction import Extraction, Line, open_extraction
from annuaire.rows import ActivityRow, MailboxRow, RowFaultError, parse_activity, parse_mailbox
from store import Store, new_id

#: Rows per transaction: about 20 ms of the writer, so that mail passes between two of them.
CHUNK: Final = 2_000
#: Bad rows kept in the report; all are counted.
KEPT_FAULTS: Final = 200
#: More bad rows than this share means that the file, not some rows, is wrong.
WORST_SHARE: Final = 0.05
#: A new file this much smaller than the data in use was cut short somewhere.
SMALLEST_SHARE: Final = 0.8
#: Small files (tests, a town's own list) may shrink as they like.
SHRINK_FLOOR: Final = 1_000

_log = structlog.get_logger("annuaire")


class BadRow(msgspec.Struct, frozen=True):
    """A row left out: its line number (the header is line 1) and the reason."""

    line: int
    reason: str


class ImportReport(msgspec.Struct):
    """What an import did: rows now in use, and how they differ from those before."""

    source: str
    title: str
    rows: int = 0
    repeated: int = 0
    bad_count: int = 0
    bad: list[BadRow] = msgspec.field(default_factory=list)
    added: int = 0
    changed: int = 0
    gone: int = 0
    drifted: list[str] = msgspec.field(default_factory=list)


#: Called with (bytes read, bytes in all) after each chunk.
Progress = Callable[[int, int], None]


def import_extraction(
    store: Store, path: Path, *, progress: Progress | None = None, accept_shrink: bool = False
) -> ImportReport:
    """Load the extraction at ``path`` (which one, its header tells) and put it in use. Blocking.

    Raises :class:`ExtractionError`, the old data staying in use, when the file cannot be read or is
    truncated, when a column is missing, when more than one row in twenty is bad, when nothing is left,
    or when it holds less than four fifths of the rows in use (unless ``accept_shrink``).
    """
    with open_extraction(path) as extraction:
        source = extraction.mapping.layout.source
        number = new_id()
        store.write(ops.begin, source=source, number=number, file_name=path.name)
        try:
            report = _load(store, extraction, number, progress)
            before = store.read(ops.current_generation, source)
            found = store.read(ops.difference, source, number, before)
            _judge(report, found, accept_shrink)
            store.write(
                ops.apply,
                source=source,
                number=number,
                replaces=before,
                sha256=extraction.sha256,
                row_count=found.total,
                bad_rows=report.bad_count,
            )
        except BaseException:
            store.write(ops.abandon, source=source, number=number)
            raise
    while store.write(ops.sweep, source=source, slice_rows=CHUNK):
        pass
    report.repeated = report.rows - found.total
    report.rows, report.added = found.total, found.added
    report.changed, report.gone = found.changed, found.gone
    _log.info(
        "extraction_imported",
        source=source,
        rows=report.rows,
        added=report.added,
        changed=report.changed,
        gone=report.gone,
        bad=report.bad_count,
    )
    return report


def _load(store: Store, extraction: Extraction, number: int, progress: Progress | None) -> ImportReport:
    mapping = extraction.mapping
    report = ImportReport(
        source=mapping.layout.source, title=mapping.layout.title, drifted=list(mapping.drifted)
    )
    mailboxes: list[MailboxRow] = []
    activities: list[ActivityRow] = []

    def flush() -> None:
        if mailboxes:
            store.write(ops.load_mailboxes, number=number, rows=mailboxes)
        if activities:
            store.write(ops.load_activities, number=number, rows=activities)
        mailboxes.clear()
        activities.clear()
        if progress is not None:
            progress(extraction.read, extraction.size)

    for line in extraction.lines():
        try:
            _check(line)
            if mapping.layout.source == "mailboxes":
                mailboxes.append(parse_mailbox(mapping, line.cells))
            else:
                activities.append(parse_activity(mapping, line.cells))
        except RowFaultError as fault:
            report.bad_count += 1
            if len(report.bad) < KEPT_FAULTS:
                report.bad.append(BadRow(line.number, str(fault)))
            continue
        report.rows += 1
        if len(mailboxes) + len(activities) >= CHUNK:
            flush()
    flush()
    return report


def _check(line: Line) -> None:
    if line.fault:
        raise RowFaultError(line.fault)


def _judge(report: ImportReport, found: ops.Difference, accept_shrink: bool) -> None:
    first = f"; line {report.bad[0].line}: {report.bad[0].reason}" if report.bad else ""
    if not found.total:
        raise ExtractionError("annuaire.empty", f"the file holds no usable row{first}")
    if report.bad_count > max(10, WORST_SHARE * (report.rows + report.bad_count)):
        raise ExtractionError(
            "annuaire.rows", f"{report.bad_count} bad rows of {report.rows + report.bad_count}{first}"
        )
    shrunk = found.before >= SHRINK_FLOOR and found.total < SMALLEST_SHARE * found.before
    if shrunk and not accept_shrink:
        raise ExtractionError(
            "annuaire.shrunk",
            f"the file holds {found.total} rows where {found.before} are in use; accept it explicitly "
            "if the extraction really became smaller",
        )
