"""Importing an extraction of the Annuaire: streamed, compared with what is in use, switched in one step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from annuaire import ops
from annuaire.cards import check_diploma
from annuaire.comparison import KEPT_FAULTS, Comparison, Tally
from annuaire.errors import ExtractionError
from annuaire.extraction import Extraction, open_extraction
from annuaire.generations import current_generation, current_import
from annuaire.layouts import DIPLOMAS
from annuaire.rows import RowFaultError
from annuaire.writes import Writes
from store import Store, now_ms

#: Rows per transaction beside a running gateway: mail passes between two of them.
CHUNK: Final = 1_000
#: More bad rows than this share means that the file, not some rows, is wrong.
WORST_SHARE: Final = 0.05
#: A new file this much smaller than the data in use was cut short somewhere.
SMALLEST_SHARE: Final = 0.8
#: Small files (tests, a town's own list) may shrink as they like.
SHRINK_FLOOR: Final = 1_000
#: What a past decision can be explained with: ten years.
HISTORY_MS: Final = 3_650 * 86_400_000
_NOT_KEPT: Final = "every row was judged; nothing of it is kept, for nothing here reads diplomas"

_log = structlog.get_logger("annuaire")

#: Called with (bytes read, bytes in all) now and then.
Progress = Callable[[int, int], None]


class BadRow(msgspec.Struct, frozen=True):
    """A row left out: its line number (the header is line 1) and the reason."""

    line: int
    reason: str


class ImportReport(msgspec.Struct, kw_only=True):
    """What an import did, or with ``dry_run`` would do: rows in use after it, and how they differ.

    ``repeated``: lines that say what another line said already. ``duplicates``: how many addresses stand
    on several lines; ``examples_of_duplicates``: some of them. ``examples``: some differences, in words.
    ``note``: what is particular about this extraction, in words.
    """

    source: str
    title: str
    dry_run: bool = False
    file_date: int | None = None
    rows: int = 0
    repeated: int = 0
    bad_count: int = 0
    bad: list[BadRow] = msgspec.field(default_factory=list)
    added: int = 0
    changed: int = 0
    gone: int = 0
    duplicates: int = 0
    examples_of_duplicates: list[str] = msgspec.field(default_factory=list)
    examples: list[str] = msgspec.field(default_factory=list)
    drifted: list[str] = msgspec.field(default_factory=list)
    note: str = ""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is to be imported; see :func:`import_extraction`."""

    local: bool = False
    dry_run: bool = False
    accept_shrink: bool = False
    accept_older: bool = False
    history_ms: int = HISTORY_MS
    chunk: int = CHUNK


def import_file(store: Store, path: Path, wishes: Wishes, progress: Progress | None) -> ImportReport:
    """Import ``path`` in this process; what :func:`annuaire.import_extraction` says holds. Blocking."""
    with open_extraction(path) as extraction:
        source = _source(extraction, wishes)
        if source == DIPLOMAS.source:
            return _report(extraction, source, _judge_only(extraction, progress), wishes)
        _check_age(store, source, extraction, wishes)
        if wishes.dry_run:
            number = store.read(current_generation, source)
            compared = Comparison(store, extraction, source, ops.Begun(0, number, 1 << 30), None)
            tally = compared.run(progress)
            _judge(tally, wishes.accept_shrink)
            return _report(extraction, source, tally, wishes)
        clean(store, source, wishes.chunk)
        name = path.name
        begun = store.write(ops.begin, source=source, file_name=name, file_date=extraction.date)
        try:
            clean(store, source, wishes.chunk)
            with Writes(store, source, begun.number, wishes.chunk) as writes:
                compared = Comparison(store, extraction, source, begun, writes)
                tally = compared.run(progress)
                _judge(tally, wishes.accept_shrink)
                compared.finish()
            store.write(
                ops.apply,
                source=source,
                number=begun.number,
                replaces=begun.replaces,
                sha256=extraction.sha256,
                row_count=tally.rows,
                bad_rows=tally.bad_count,
            )
        except BaseException:
            store.write(ops.give_up, source=source, number=begun.number)
            clean(store, source, wishes.chunk)
            raise
    before = now_ms() - wishes.history_ms
    while store.write(ops.prune, source=source, before=before, slice_rows=wishes.chunk):
        pass
    report = _report(extraction, source, tally, wishes)
    counts = {name: getattr(report, name) for name in ("rows", "added", "changed", "gone")}
    _log.info("extraction_imported", source=source, bad=report.bad_count, **counts)
    return report


def _judge_only(extraction: Extraction, progress: Progress | None) -> Tally:
    """Judge and count the rows of a file of which nothing is kept."""
    tally, number = Tally(), 1
    for lines in extraction.blocks():
        for raw in lines:
            number += 1
            if not (line := raw.strip()):
                continue
            try:
                check_diploma(extraction.mapping, extraction.cells(line))
                tally.rows += 1
            except RowFaultError as fault:
                tally.bad_count += 1
                if len(tally.bad) < KEPT_FAULTS:
                    tally.bad.append((number, str(fault)))
        if progress is not None:
            progress(extraction.read, extraction.size)
    _judge(tally, accept_shrink=True)
    _log.info("extraction_judged", source=extraction.mapping.layout.source, rows=tally.rows, kept=0)
    return tally


def clean(store: Store, source: str, slice_rows: int = CHUNK) -> None:
    """Undo what interrupted imports left on the tables of ``source``. Blocking."""
    while store.write(ops.undo, source=source, slice_rows=slice_rows):
        pass


def _source(extraction: Extraction, wishes: Wishes) -> str:
    source = extraction.mapping.layout.source
    if not wishes.local:
        return source
    if source != "mailboxes":
        raise ExtractionError("annuaire.local", "a local list has the columns of the list of mailboxes")
    return "local"


def _check_age(store: Store, source: str, extraction: Extraction, wishes: Wishes) -> None:
    held = store.read(current_import, source)
    if held is None or held.file_date is None or extraction.date is None or wishes.accept_older:
        return
    if extraction.date < held.file_date:
        raise ExtractionError("annuaire.older", f"the file is older than {held.file_name}, which is in use")


def _judge(tally: Tally, accept_shrink: bool) -> None:
    first = f"; line {tally.bad[0][0]}: {tally.bad[0][1]}" if tally.bad else ""
    read = tally.rows + tally.bad_count
    if not tally.rows:
        raise ExtractionError("annuaire.empty", f"the file holds no usable row{first}")
    if tally.bad_count > max(10, WORST_SHARE * read):
        raise ExtractionError("annuaire.rows", f"{tally.bad_count} bad rows of {read}{first}")
    shrunk = tally.before >= SHRINK_FLOOR and tally.rows < SMALLEST_SHARE * tally.before
    if shrunk and not accept_shrink:
        raise ExtractionError(
            "annuaire.shrunk",
            f"the file holds {tally.rows} rows where {tally.before} are in use; accept it explicitly "
            "if the extraction really became smaller",
        )


def _report(extraction: Extraction, source: str, tally: Tally, wishes: Wishes) -> ImportReport:
    return ImportReport(
        source=source,
        title=extraction.mapping.layout.title,
        dry_run=wishes.dry_run,
        file_date=extraction.date,
        rows=tally.rows,
        repeated=tally.repeated,
        bad_count=tally.bad_count,
        bad=[BadRow(line, reason) for line, reason in tally.bad],
        added=tally.added,
        changed=tally.changed,
        gone=tally.gone,
        duplicates=len(tally.duplicates),
        examples_of_duplicates=sorted(tally.duplicates)[:20],
        examples=tally.examples,
        drifted=list(extraction.mapping.drifted),
        note=_NOT_KEPT if source == DIPLOMAS.source else "",
    )
