"""The list of authorised domains in use: import, versions, look-ups.

A domain may be served under several certificate names, by several operators: the key is (domain, name),
and a peer is authorised for a domain when any of its entries carries the peer's subject name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog
from sqlalchemy import Connection, Integer, String, bindparam, literal_column, select, update

from annuaire import ops
from annuaire.dn import fold_dn
from annuaire.errors import WhitelistError
from annuaire.names import fold, fold_domain
from annuaire.tables import current, whitelist_entry, whitelist_version
from annuaire.whitelist_xml import MAX_BYTES, Entry, SignedList, read_signed_list
from store import Prepared, Store, Tx, new_id, operation

CHUNK: Final = 2_000

_log = structlog.get_logger("annuaire")


class SignerVerdict(Protocol):
    """What :mod:`certs` says of a certificate path; ``reason`` names the failing check."""

    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> str: ...


#: Judges the signer's path, validity and revocation: DER, signer first.
CheckSigner = Callable[[list[bytes]], Awaitable[SignerVerdict]]


class WhitelistStatus(msgspec.Struct, frozen=True):
    """The list in use. Times in ms."""

    version: int
    generated_at: int
    imported_at: int
    entries: int
    signer: str
    sha256: str

    def age(self, now: int) -> int:
        """How old the list is at ``now``, from its generation, in ms."""
        return now - self.generated_at


class WhitelistReport(msgspec.Struct, frozen=True):
    """What an import changed, in entries (domain, name)."""

    version: int
    entries: int
    added: int
    gone: int
    generated_at: int
    signer: str


async def import_whitelist(
    store: Store,
    path: Path,
    check_signer: CheckSigner,
    *,
    signer_cn: str,
    signer_ou: str,
    accept_older: bool = False,
) -> WhitelistReport:
    """Verify the signed list at ``path`` and put it in use; on any failure the last good one stays.

    Checked in this order: the cryptographic signature, the signer's CN **and** OU, then path, validity
    and revocation by ``check_signer``; last that the list is not older than the one in use (a replay).

    Raises :class:`WhitelistError`.
    """
    if not signer_cn or not signer_ou:
        raise WhitelistError("whitelist.signer", "no expected signer (CN and OU) is set")
    try:
        signed = await asyncio.to_thread(_read, path)
    except OSError as error:
        raise WhitelistError("whitelist.file", f"{path.name}: {error.strerror or error}") from error
    if (fold(signed.signer_cn), fold(signed.signer_ou)) != (fold(signer_cn), fold(signer_ou)):
        raise WhitelistError(
            "whitelist.signer", f"signed by {signed.signer}, expected CN={signer_cn}, OU={signer_ou}"
        )
    verdict = await check_signer(signed.chain)
    if not verdict.ok:
        raise WhitelistError("whitelist.signer", f"the signer's certificate is refused: {verdict.reason}")
    held = await store.aread(whitelist_status)
    if held is not None and signed.generated_at < held.generated_at and not accept_older:
        raise WhitelistError("whitelist.older", "the list is older than the one in use")
    return await asyncio.to_thread(install, store, signed)


def install(store: Store, signed: SignedList) -> WhitelistReport:
    """Put a list in use whose signature and signer were found good. Blocking."""
    version = new_id()
    held = store.read(current_pairs)
    rows = {(entry.domain, fold_dn(entry.dn)): entry for entry in signed.entries}
    store.write(
        begin_whitelist,
        version=version,
        generated_at=signed.generated_at,
        sha256=signed.sha256,
        signer=signed.signer,
        fingerprint=signed.signer_fingerprint,
        entries=len(rows),
    )
    kept = list(rows.values())
    for start in range(0, len(kept), CHUNK):
        store.write(load_whitelist, version=version, entries=kept[start : start + CHUNK])
    store.write(apply_whitelist, version=version)
    report = WhitelistReport(
        version=version,
        entries=len(rows),
        added=len(rows.keys() - held),
        gone=len(held - rows.keys()),
        generated_at=signed.generated_at,
        signer=signed.signer,
    )
    _log.info("whitelist_imported", entries=report.entries, added=report.added, gone=report.gone)
    return report


def _read(path: Path) -> SignedList:
    with path.open("rb") as file:
        return read_signed_list(file.read(MAX_BYTES + 1))


@operation("annuaire.begin_whitelist")
def begin_whitelist(
    tx: Tx, *, version: int, generated_at: int, sha256: str, signer: str, fingerprint: str, entries: int
) -> None:
    """Announce a version of the list; it is not in use before :func:`apply_whitelist`."""
    tx.conn.execute(
        whitelist_version.insert().values(
            version=version,
            generated_at=generated_at,
            imported_at=tx.now,
            sha256=sha256,
            signer=signer,
            signer_fingerprint=fingerprint,
            entries=entries,
            complete=False,
        )
    )


@operation("annuaire.load_whitelist")
def load_whitelist(tx: Tx, *, version: int, entries: list[Entry]) -> None:
    """Add entries to a version; of two with one (domain, name) the first stays."""
    rows = [
        {
            "version": version,
            "domain": entry.domain,
            "dn_folded": fold_dn(entry.dn),
            "dn": entry.dn,
            "description": entry.description,
            "updated_at": entry.updated_at,
        }
        for entry in entries
    ]
    if rows:
        tx.conn.execute(ops.insert_new(tx, whitelist_entry), rows)


@operation("annuaire.apply_whitelist")
def apply_whitelist(tx: Tx, *, version: int) -> None:
    """Put a loaded version in use. Earlier versions are kept."""
    tx.conn.execute(
        update(whitelist_version).where(whitelist_version.c.version == version).values(complete=True)
    )
    ops.set_current(tx, "whitelist", version)


_in_use: Final = (
    select(current.c.generation)
    .where(current.c.source == literal_column("'whitelist'", String))
    .scalar_subquery()
)
_found: Final = literal_column("1", Integer)
_allows: Final = Prepared(
    select(_found)
    .select_from(whitelist_entry)
    .where(
        whitelist_entry.c.version == _in_use,
        whitelist_entry.c.domain == bindparam("domain"),
        whitelist_entry.c.dn_folded == bindparam("dn"),
    )
)
_listed: Final = Prepared(
    select(_found)
    .select_from(whitelist_entry)
    .where(whitelist_entry.c.version == _in_use, whitelist_entry.c.domain == bindparam("domain"))
    .limit(1)
)
_domains: Final = Prepared(
    select(whitelist_entry.c.domain)
    .where(whitelist_entry.c.version == _in_use, whitelist_entry.c.dn_folded == bindparam("dn"))
    .order_by(whitelist_entry.c.domain)
)
_entries: Final = (
    select(
        whitelist_entry.c.domain,
        whitelist_entry.c.dn,
        whitelist_entry.c.description,
        whitelist_entry.c.updated_at,
    )
    .where(whitelist_entry.c.version == _in_use, whitelist_entry.c.domain == bindparam("domain"))
    .order_by(whitelist_entry.c.dn_folded)
)


def whitelist_allows(conn: Connection, domain: str, subject_dn: str) -> bool:
    """Whether the list authorises the peer whose certificate names ``subject_dn`` to act for ``domain``."""
    if not subject_dn:
        return False
    return _allows.first(conn, {"domain": fold_domain(domain), "dn": fold_dn(subject_dn)}) is not None


def domain_listed(conn: Connection, domain: str) -> bool:
    """Whether ``domain`` belongs to the trust space."""
    return _listed.first(conn, {"domain": fold_domain(domain)}) is not None


def whitelist_domains(conn: Connection, subject_dn: str) -> list[str]:
    """The domains that the peer named ``subject_dn`` may act for, in order."""
    rows = _domains.all(conn, {"dn": fold_dn(subject_dn)}) if subject_dn else []
    return [row[0] for row in rows]


def whitelist_entries(conn: Connection, domain: str) -> list[Entry]:
    """The entries of ``domain`` in the list in use."""
    rows = conn.execute(_entries, {"domain": fold_domain(domain)})
    return [Entry(row.domain, row.dn, row.description, row.updated_at) for row in rows]


def whitelist_status(conn: Connection) -> WhitelistStatus | None:
    """The list in use, or None when none was ever imported."""
    columns = [whitelist_version.c[name] for name in WhitelistStatus.__struct_fields__]
    row = conn.execute(select(*columns).where(whitelist_version.c.version == _in_use)).one_or_none()
    return None if row is None else WhitelistStatus(**row._mapping)


def whitelist_age(conn: Connection, now: int) -> int | None:
    """Age in ms of the list in use, counted from its generation; None without one."""
    status = whitelist_status(conn)
    return None if status is None else status.age(now)


def current_pairs(conn: Connection) -> set[tuple[str, str]]:
    """Every (domain, folded name) of the list in use."""
    columns = whitelist_entry.c.domain, whitelist_entry.c.dn_folded
    rows = conn.execute(select(*columns).where(whitelist_entry.c.version == _in_use))
    return {(row.domain, row.dn_folded) for row in rows}
