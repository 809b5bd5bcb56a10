"""Write operations of a synchronisation: begin, stage a page, finish.

Invariant: a page and the address of the next one are written in one transaction, so an interrupted search
is taken up where it ended and stages nothing twice. ``mark`` moves only when the directory has changed.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql

from annuaire.fhir.errors import FhirError
from annuaire.fhir.model import KINDS
from annuaire.fhir.tables import is_staged, resource, search
from store import Tx, operation, upsert

NOTHING = "[]"


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Where the search of one kind stands; see :mod:`annuaire.fhir.tables`."""

    kind: str
    mark: int = 0
    run: int = 0
    whole: bool = False
    begun_at: int = 0
    highest: int = 0
    next_url: str = ""
    done: bool = False


class Found(msgspec.Struct, frozen=True, array_like=True):
    """A resource to stage. ``holder`` and ``rows`` are JSON; of a gone one only ``id`` is known."""

    id: str
    gone: bool
    id_nat: str
    struct_id: str
    holder: str
    rows: str
    updated_at: int


def searches(conn: Connection) -> dict[str, Search]:
    """Where each search stands, by kind."""
    rows = conn.execute(select(search))
    held = {row.kind: Search(**row._mapping) for row in rows}
    return {kind: held.get(kind, Search(kind=kind)) for kind in KINDS}


@operation("annuaire.fhir_begin")
def begin(tx: Tx, *, run: int, whole: bool, marks: dict[str, int]) -> None:
    """Begin a search of every kind; what an unfinished one had staged is given up."""
    tx.conn.execute(update(resource).where(is_staged).values(staged=""))
    for kind in KINDS:
        values = Search(kind=kind, mark=marks[kind], run=run, whole=whole)
        tx.conn.execute(upsert(search, msgspec.structs.asdict(values), keys=["kind"]))


@operation("annuaire.fhir_stage")
def stage(
    tx: Tx,
    *,
    kind: str,
    run: int,
    found: list[Found],
    next_url: str,
    begun_at: int,
    highest: int,
) -> None:
    """Keep what a page gave, and where the next one is (``next_url`` "": this was the last)."""
    _check_run(tx, kind, run)
    insert = postgresql.insert(resource)  # renders ON CONFLICT for SQLite too
    keys = ["kind", "id"]
    anew = {name: insert.excluded[name] for name in ("run", "gone", "staged", "updated_at")}
    told = {name: insert.excluded[name] for name in ("id_nat", "struct_id", "holder")}
    for gone in (False, True):
        values = [
            {
                "kind": kind,
                "id": one.id,
                "run": run,
                "gone": one.gone,
                "id_nat": one.id_nat,
                "struct_id": one.struct_id,
                "holder": one.holder,
                "rows": NOTHING,
                "staged": one.rows,
                "updated_at": one.updated_at,
            }
            for one in found
            if one.gone == gone
        ]
        if values:
            changed = anew if gone else {**anew, **told}
            statement = insert.on_conflict_do_update(index_elements=keys, set_=changed)
            tx.conn.execute(statement, values)
    tx.conn.execute(
        update(search)
        .where(search.c.kind == kind)
        .values(next_url=next_url, begun_at=begun_at, highest=highest, done=not next_url)
    )


@operation("annuaire.fhir_restart")
def restart(tx: Tx, *, kind: str, run: int) -> None:
    """Begin the search of one kind anew: the server has forgotten the page where it ended."""
    _check_run(tx, kind, run)
    tx.conn.execute(
        update(search).where(search.c.kind == kind).values(next_url="", begun_at=0, highest=0, done=False)
    )


@operation("annuaire.fhir_absent")
def absent(tx: Tx, *, run: int) -> None:
    """After a search of everything: stage the end of what it did not give any more."""
    tx.conn.execute(
        update(resource)
        .where(resource.c.run != run, resource.c.rows != NOTHING)
        .values(staged=NOTHING, gone=True)
    )


@operation("annuaire.fhir_finish")
def finish(tx: Tx, *, run: int, marks: dict[str, int]) -> None:
    """The directory has what was staged: keep it as given, move the marks."""
    for kind in KINDS:
        _check_run(tx, kind, run)
        tx.conn.execute(
            update(search)
            .where(search.c.kind == kind)
            .values(run=0, mark=marks[kind], next_url="", begun_at=0, highest=0, done=False)
        )
    tx.conn.execute(update(resource).where(is_staged).values(rows=resource.c.staged, staged=""))


def _check_run(tx: Tx, kind: str, run: int) -> None:
    held = tx.conn.scalar(select(search.c.run).where(search.c.kind == kind))
    if held != run:
        raise FhirError("fhir.superseded", "another synchronisation has started")
