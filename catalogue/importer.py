"""Putting a list in use: judged as a whole, compared with the one before, switched in one transaction.

Whatever fails, the list before stays in use. A row that cannot be read keeps the whole list out: a service
that vanished by a slip of the pen could exchange nothing any more, and nobody would know why.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import insert, update

import evidence
from catalogue.errors import CatalogueFileError
from catalogue.listing import contents, criteria, version_in_use
from catalogue.model import Criterion, List
from catalogue.rows import MAX_BYTES, MAX_ROWS, BadRow, entry_of, read_rows
from catalogue.tables import OPEN, catalogue_entry, catalogue_version
from store import Store, Tx, operation

#: A new list this much smaller than the one in use was cut short, or is not the one we want.
SMALLEST_SHARE: Final = 0.8
#: Smaller lists may shrink as they like.
SHRINK_FLOOR: Final = 10
_MOST_BAD: Final = 200
_log: Final = structlog.get_logger("catalogue")


class CatalogueReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import changed, or (``applied`` false) would have. ``replaces``: the version before, 0: none;
    the same as ``version``: nothing changed. ``bad``: at most 200 of ``bad_count`` rows."""

    which: List
    version: int
    replaces: int
    applied: bool
    entries: int
    added: list[str]
    changed: list[str]
    gone: list[str]
    bad_count: int
    bad: list[BadRow]


def import_list(
    store: Store,
    path: Path,
    which: List,
    *,
    actor: str,
    dry_run: bool = False,
    accept_shrink: bool = False,
) -> CatalogueReport:
    """Put the services or the criteria of a CSV or JSON file in use. Blocking.

    With bad rows nothing is put in use; the report tells them (``applied`` false). ``dry_run``: judge only.

    Raises :class:`CatalogueFileError`: ``catalogue.file``, ``catalogue.shrunk``, ``catalogue.superseded``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CatalogueFileError("catalogue.file", f"{path.name}: {error.strerror or error}") from error
    known = {} if which == "criteria" else store.read(criteria)
    found, bad = _judged(data, which, path.name, set(known))
    replaces = store.read(version_in_use, which)
    before = store.read(contents, which)
    added = [key for key in found if key not in before]
    changed = [key for key in found if key in before and before[key] != found[key]]
    gone = [key for key in before if key not in found]
    same = replaces > 0 and not (added or changed or gone)
    if len(before) >= SHRINK_FLOOR and len(found) < SMALLEST_SHARE * len(before) and not accept_shrink:
        raise CatalogueFileError(
            "catalogue.shrunk",
            f"the list holds {len(found)} entries where {len(before)} are in use; accept it explicitly if so "
            "many really left",
        )
    applied = not bad and not dry_run
    version = replaces if same else replaces + 1
    if applied and not same:
        store.write(
            put_version,
            new=NewVersion(
                which=which,
                version=version,
                origin=path.name,
                sha256=hashlib.sha256(data).hexdigest(),
                actor=actor,
                entries=len(found),
                load=[(key, found[key]) for key in added + changed],
                fresh=len(added),
                gone=gone,
            ),
        )
        _log.info("catalogue_imported", list=which, version=version, entries=len(found), gone=len(gone))
    return CatalogueReport(
        which=which,
        version=version,
        replaces=replaces,
        applied=applied,
        entries=len(found),
        added=added,
        changed=changed,
        gone=gone,
        bad_count=len(bad),
        bad=bad[:_MOST_BAD],
    )


def _judged(data: bytes, which: List, name: str, known: set[str]) -> tuple[dict[str, str], list[BadRow]]:
    """JSON of each entry by its id, in order; and the bad rows."""
    found: dict[str, str] = {}
    bad: list[BadRow] = []
    for line, cells in read_rows(data, which, name):
        if len(found) + len(bad) >= MAX_ROWS:
            raise CatalogueFileError("catalogue.file", f"{name}: more than {MAX_ROWS} rows")
        if isinstance(cells, str):
            bad.append(BadRow(line, cells))
            continue
        try:
            entry = entry_of(cells, which, known)
        except ValueError as error:
            bad.append(BadRow(line, str(error)))
            continue
        key = entry.code if isinstance(entry, Criterion) else entry.id
        if key in found:
            bad.append(BadRow(line, f"{key} stands there twice"))
        else:
            found[key] = msgspec.json.encode(entry, order="deterministic").decode()
    if not found and not bad:
        raise CatalogueFileError("catalogue.file", f"{name}: no entry")
    return found, bad


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to put in use; ``load`` are (id, JSON) of new and changed entries, ``fresh`` of them new."""

    which: List
    version: int
    origin: str
    sha256: str
    actor: str
    entries: int
    load: list[tuple[str, str]]
    fresh: int
    gone: list[str]


@operation("catalogue.put_version")
def put_version(tx: Tx, *, new: NewVersion) -> None:
    """Put a list in use in one step: from its commit on, a service that left it exchanges nothing.

    Raises :class:`CatalogueFileError` ``catalogue.superseded`` when another import came between.
    """
    evidence.hold(tx)  # exchanges that are being decided come before, or see this version
    if version_in_use(tx.conn, new.which) != new.version - 1:
        raise CatalogueFileError("catalogue.superseded", "another list was put in use meanwhile")
    table = catalogue_entry.c
    closed = [key for key, _ in new.load] + new.gone
    for start in range(0, len(closed), 500):
        tx.conn.execute(
            update(catalogue_entry)
            .where(
                table.list == new.which,
                table.entry_id.in_(closed[start : start + 500]),
                table.until_version == OPEN,
            )
            .values(until_version=new.version)
        )
    if new.load:
        tx.conn.execute(
            insert(catalogue_entry),
            [
                {
                    "list": new.which,
                    "entry_id": key,
                    "from_version": new.version,
                    "until_version": OPEN,
                    "content": content,
                }
                for key, content in new.load
            ],
        )
    tx.conn.execute(
        insert(catalogue_version).values(
            list=new.which,
            version=new.version,
            imported_at=tx.now,
            origin=new.origin,
            sha256=new.sha256,
            actor=new.actor,
            entries=new.entries,
            added=new.fresh,
            changed=len(new.load) - new.fresh,
            gone=len(new.gone),
        )
    )
