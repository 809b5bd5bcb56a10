"""Taking a new habilitation matrix in use: whole, at once, and never a file with a row that is wrong.

A row left out could open what it was there to shut, so one bad row refuses the file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog
from sqlalchemy import insert

import evidence
from dossier.rights.errors import MatrixError
from dossier.rights.matrix import digest_of, matrix_rows, matrix_version
from dossier.rights.matrix_rows import KEPT_FAULTS, BadHabilitation, Habilitation, read
from dossier.rights.matrix_tables import habilitation, habilitation_version
from store import Store, Tx, operation

_log = structlog.get_logger("dossier")


class MatrixReport(msgspec.Struct):
    """What an import did, or would do: ``version`` is the one in use afterwards, 0 the shipped one."""

    version: int
    rows: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    bad_count: int = 0
    bad: list[BadHabilitation] = msgspec.field(default_factory=list)
    switched: bool = False


def import_matrix(store: Store, path: Path, *, actor: str, dry_run: bool = False) -> MatrixReport:
    """Read the matrix at ``path`` and take it in use; with ``dry_run`` only say what would change. Blocking.

    A file with a bad row is not taken, nor one that says what holds already: see the report. Raises
    :class:`MatrixError` ``dossier.matrix_file``, ``dossier.matrix_header``; ``dossier.matrix_rows``: no row.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MatrixError("dossier.matrix_file", f"{path.name}: {error.strerror or error}") from error
    rows, bad = read(content)
    if not rows and not bad:
        raise MatrixError("dossier.matrix_rows", "the file has no row: nobody could read anything")
    now = store.read(matrix_version)
    held = {(one.profession, one.item): one.rights for one in store.read(matrix_rows, now.version)}
    new = {(one.profession, one.item): one.rights for one in rows}
    report = MatrixReport(
        version=now.version,
        rows=len(rows),
        added=len(new.keys() - held.keys()),
        removed=len(held.keys() - new.keys()),
        changed=sum(held[key] != new[key] for key in held.keys() & new.keys()),
        bad_count=len(bad),
        bad=bad[:KEPT_FAULTS],
    )
    if not bad and not dry_run:
        report.version = store.write(switch_matrix, rows=rows, actor=actor, source=path.name)
        report.switched = report.version != now.version
        _log.info("matrix_imported", version=report.version, rows=len(rows), switched=report.switched)
    return report


@operation("dossier.switch_matrix")
def switch_matrix(tx: Tx, *, rows: list[Habilitation], actor: str, source: str) -> int:
    """Put a matrix in use from this transaction on; its version. The same rows again change nothing."""
    evidence.hold(tx)
    held = matrix_version(tx.conn)
    digest = digest_of(rows)
    if digest == bytes(held.sha256):
        return held.version
    version = held.version + 1
    tx.conn.execute(
        insert(habilitation_version).values(
            version=version, at=tx.now, actor=actor, source=source[:255], sha256=digest, row_count=len(rows)
        )
    )
    tx.conn.execute(
        insert(habilitation),
        [{"version": version, **msgspec.structs.asdict(one)} for one in rows],
    )
    return version
