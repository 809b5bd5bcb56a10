"""Write operations of the list of authorised domains: load beside the version in use, then switch.

Invariant: look-ups read the version that ``annuaire_current`` names. While a version is loaded its new
entries begin, and the entries it takes away end, at a version that nobody reads yet; an interrupted load
is undone by the next one. Every operation is small, so that mail passes between two of them.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql

from annuaire.dn import fold_dn
from annuaire.errors import WhitelistError
from annuaire.tables import current
from annuaire.whitelist_tables import OPEN, SOURCE, whitelist_listing, whitelist_version
from annuaire.whitelist_xml import Entry
from store import Tx, operation, upsert


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version about to be loaded. Times in ms."""

    version: int
    generated_at: int
    sha256: str
    signer: str
    fingerprint: str
    entries: int
    origin: str


@operation("annuaire.begin_whitelist")
def begin_whitelist(tx: Tx, *, new: NewVersion) -> None:
    """Announce a version; it is not in use before :func:`apply_whitelist`. An unfinished one is undone."""
    unfinished = tx.conn.scalars(
        select(whitelist_version.c.version).where(whitelist_version.c.complete.is_(False))
    ).all()
    for version in unfinished:
        tx.conn.execute(delete(whitelist_listing).where(whitelist_listing.c.from_version == version))
        tx.conn.execute(
            update(whitelist_listing)
            .where(whitelist_listing.c.until_version == version)
            .values(until_version=OPEN)
        )
        tx.conn.execute(delete(whitelist_version).where(whitelist_version.c.version == version))
    tx.conn.execute(
        whitelist_version.insert().values(
            version=new.version,
            generated_at=new.generated_at,
            imported_at=tx.now,
            confirmed_at=0,
            origin=new.origin,
            sha256=new.sha256,
            signer=new.signer,
            signer_fingerprint=new.fingerprint,
            entries=new.entries,
            added=0,
            changed=0,
            gone=0,
            complete=False,
        )
    )


@operation("annuaire.load_whitelist")
def load_whitelist(tx: Tx, *, version: int, entries: list[Entry]) -> None:
    """Add entries to a version; of two with one (domain, name) the first stays."""
    _check_loading(tx, version)
    rows = [
        {
            "domain": entry.domain,
            "dn_folded": fold_dn(entry.dn),
            "from_version": version,
            "until_version": OPEN,
            "dn": entry.dn,
            "description": entry.description,
            "updated_at": entry.updated_at,
        }
        for entry in entries
    ]
    if rows:
        # PostgreSQL's construct renders ON CONFLICT for SQLite too.
        tx.conn.execute(postgresql.insert(whitelist_listing).on_conflict_do_nothing(), rows)


@operation("annuaire.close_whitelist")
def close_whitelist(tx: Tx, *, version: int, keys: list[tuple[str, str]]) -> None:
    """Take the entries (domain, folded name) away with ``version``."""
    _check_loading(tx, version)
    table = whitelist_listing.c
    statement = (
        update(whitelist_listing)
        .where(
            table.domain == bindparam("the_domain"),
            table.dn_folded == bindparam("the_name"),
            table.from_version != version,
            table.until_version == OPEN,
        )
        .values(until_version=version)
    )
    if keys:
        tx.conn.execute(statement, [{"the_domain": domain, "the_name": name} for domain, name in keys])


@operation("annuaire.apply_whitelist")
def apply_whitelist(tx: Tx, *, version: int, replaces: int, added: int, changed: int, gone: int) -> None:
    """Put a loaded version in use. ``replaces`` is the one it was compared with (0: none).

    Raises :class:`WhitelistError` when another import came between.
    """
    _check_loading(tx, version)
    used = tx.conn.scalar(select(current.c.generation).where(current.c.source == SOURCE)) or 0
    if used != replaces or version <= replaces:
        raise WhitelistError("whitelist.superseded", "another list was put in use meanwhile")
    tx.conn.execute(
        update(whitelist_version)
        .where(whitelist_version.c.version == version)
        .values(complete=True, imported_at=tx.now, added=added, changed=changed, gone=gone)
    )
    tx.conn.execute(upsert(current, {"source": SOURCE, "generation": version}, keys=["source"]))


@operation("annuaire.confirm_whitelist")
def confirm_whitelist(tx: Tx, *, version: int) -> None:
    """Write down that the list in use was fetched again and is still the published one."""
    tx.conn.execute(
        update(whitelist_version).where(whitelist_version.c.version == version).values(confirmed_at=tx.now)
    )


@operation("annuaire.sweep_whitelist")
def sweep_whitelist(tx: Tx, *, before: int, slice_rows: int) -> bool:
    """Forget the versions that were out of use before ``before`` (ms), a slice; whether more are left."""
    kept = tx.conn.scalar(
        select(whitelist_version.c.version)
        .where(whitelist_version.c.complete.is_(True), whitelist_version.c.imported_at <= before)
        .order_by(whitelist_version.c.version.desc())
        .limit(1)
    )
    if kept is None:
        return False
    tx.conn.execute(
        delete(whitelist_version).where(
            whitelist_version.c.version < kept, whitelist_version.c.complete.is_(True)
        )
    )
    table = whitelist_listing.c
    rows = tx.conn.execute(
        select(table.domain, table.dn_folded, table.from_version)
        .where(table.until_version <= kept)
        .limit(slice_rows)
    ).all()
    if not rows:
        return False
    statement = delete(whitelist_listing).where(
        table.domain == bindparam("the_domain"),
        table.dn_folded == bindparam("the_name"),
        table.from_version == bindparam("the_version"),
    )
    tx.conn.execute(
        statement,
        [{"the_domain": one[0], "the_name": one[1], "the_version": one[2]} for one in rows],
    )
    return len(rows) == slice_rows


def _check_loading(tx: Tx, version: int) -> None:
    complete = tx.conn.scalar(
        select(whitelist_version.c.complete).where(whitelist_version.c.version == version)
    )
    if complete is None or complete:
        raise WhitelistError("whitelist.superseded", "another import of the list has started")
