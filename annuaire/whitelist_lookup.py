"""Look-ups in the list of authorised domains, now or as it stood at a past time.

A domain may be served under several certificate names, by several operators: the key is (domain, name),
and a peer is authorised for a domain when any of its entries carries the peer's subject name.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    bindparam,
    literal_column,
    or_,
    select,
)
from sqlalchemy.sql.selectable import ScalarSelect

from annuaire.dn import fold_dn
from annuaire.errors import WhitelistError
from annuaire.names import fold_domain
from annuaire.tables import current
from annuaire.whitelist_tables import SOURCE, whitelist_listing, whitelist_version
from annuaire.whitelist_xml import Entry
from store import Prepared


class WhitelistStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the list. Times in ms.

    :param generated_at: when it was made, as the list itself says (``DateDeGeneration``).
    :param imported_at: since when it is, or was, in use.
    :param confirmed_at: when it was last fetched again, unchanged, from its authenticated source; 0: never.
    :param added: entries that the version before did not have; ``changed`` and ``gone`` likewise.
    """

    version: int
    generated_at: int
    imported_at: int
    confirmed_at: int
    entries: int
    added: int
    changed: int
    gone: int
    signer: str
    sha256: str
    origin: str

    def age(self, now: int) -> int:
        """For how long, at ``now``, nobody has said that the list is the current one, in ms.

        It counts from its generation, or from the last time it was fetched again unchanged: a list is
        made anew only when something in it changes.
        """
        return now - max(self.generated_at, self.confirmed_at)


class WhitelistDiff(msgspec.Struct, frozen=True):
    """What two versions do not share; ``changed`` holds (before, after)."""

    before: int
    after: int
    added: list[Entry]
    gone: list[Entry]
    changed: list[tuple[Entry, Entry]]


_Version = ScalarSelect[Any] | ColumnElement[int]

_in_use: Final = (
    select(current.c.generation)
    .where(current.c.source == literal_column(f"'{SOURCE}'", String))
    .scalar_subquery()
)
_given: Final = bindparam("version", type_=whitelist_version.c.version.type)
_found: Final = literal_column("1", Integer)
#: A name is folded in 20 to 50 µs, as long as the look-up takes, and peers are few.
_folded: Final = lru_cache(maxsize=4096)(fold_dn)
_table: Final = whitelist_listing.c


def _standing(version: _Version, *conditions: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """The entries that stand in ``version``."""
    return [_table.from_version <= version, _table.until_version > version, *conditions]


def _both(statement: Any) -> tuple[Prepared, Prepared]:
    """One look-up for the version in use, one for a given version."""
    return Prepared(statement(_in_use)), Prepared(statement(_given))


def _select_allows(version: _Version) -> Select[Any]:
    return (
        select(_found)
        .select_from(whitelist_listing)
        .where(*_standing(version, _table.domain == bindparam("domain"), _table.dn_folded == bindparam("dn")))
    )


def _select_listed(version: _Version) -> Select[Any]:
    return (
        select(_found)
        .select_from(whitelist_listing)
        .where(*_standing(version, _table.domain == bindparam("domain")))
        .limit(1)
    )


def _select_domains(version: _Version) -> Select[Any]:
    return (
        select(_table.domain)
        .where(*_standing(version, _table.dn_folded == bindparam("dn")))
        .order_by(_table.domain)
    )


def _select_entries(version: _Version) -> Select[Any]:
    return (
        select(_table.domain, _table.dn, _table.description, _table.updated_at)
        .where(*_standing(version, _table.domain == bindparam("domain")))
        .order_by(_table.dn_folded)
    )


_allows: Final = _both(_select_allows)
_listed: Final = _both(_select_listed)
_domains: Final = _both(_select_domains)
_entries: Final = _both(_select_entries)
_at: Final = Prepared(
    select(whitelist_version.c.version)
    .where(
        whitelist_version.c.complete.is_(True),
        whitelist_version.c.imported_at <= bindparam("at"),
    )
    .order_by(whitelist_version.c.version.desc())
    .limit(1)
)


def _rows(conn: Connection, pair: tuple[Prepared, Prepared], at: int | None, **values: str) -> list[Any]:
    if at is None:
        return pair[0].all(conn, values)
    version = whitelist_at(conn, at)
    return [] if version is None else pair[1].all(conn, {**values, "version": version})


def whitelist_at(conn: Connection, at: int) -> int | None:
    """The version that was in use at ``at`` (ms); None before the first one that is kept."""
    row = _at.first(conn, {"at": at})
    return None if row is None else int(row[0])


def whitelist_allows(conn: Connection, domain: str, subject_dn: str, at: int | None = None) -> bool:
    """Whether the list authorises the peer whose certificate names ``subject_dn`` to act for ``domain``.

    :param at: as the list in use at that time (ms) said; None: now.
    """
    if not subject_dn:
        return False
    return bool(_rows(conn, _allows, at, domain=fold_domain(domain), dn=_folded(subject_dn)))


def domain_listed(conn: Connection, domain: str, at: int | None = None) -> bool:
    """Whether ``domain`` belongs, or at ``at`` (ms) belonged, to the trust space."""
    return bool(_rows(conn, _listed, at, domain=fold_domain(domain)))


def whitelist_domains(conn: Connection, subject_dn: str, at: int | None = None) -> list[str]:
    """The domains that the peer named ``subject_dn`` may act for, in order."""
    rows = _rows(conn, _domains, at, dn=_folded(subject_dn)) if subject_dn else []
    return [row[0] for row in rows]


def whitelist_entries(conn: Connection, domain: str, at: int | None = None) -> list[Entry]:
    """The entries of ``domain`` in the list in use, or in use at ``at`` (ms)."""
    return [Entry(*row) for row in _rows(conn, _entries, at, domain=fold_domain(domain))]


_columns: Final = [whitelist_version.c[name] for name in WhitelistStatus.__struct_fields__]


def whitelist_status(conn: Connection) -> WhitelistStatus | None:
    """The list in use, or None when none was ever imported."""
    row = conn.execute(select(*_columns).where(whitelist_version.c.version == _in_use)).one_or_none()
    return None if row is None else WhitelistStatus(**row._mapping)


def whitelist_versions(conn: Connection) -> list[WhitelistStatus]:
    """Every version that is kept, the newest first."""
    rows = conn.execute(
        select(*_columns)
        .where(whitelist_version.c.complete.is_(True))
        .order_by(whitelist_version.c.version.desc())
    )
    return [WhitelistStatus(**row._mapping) for row in rows]


def whitelist_age(conn: Connection, now: int) -> int | None:
    """Age in ms of the list in use (see :meth:`WhitelistStatus.age`); None without one."""
    status = whitelist_status(conn)
    return None if status is None else status.age(now)


def whitelist_diff(conn: Connection, before: int, after: int) -> WhitelistDiff:
    """What changed from version ``before`` (0: the empty list) to version ``after``, by domain and name.

    Raises :class:`WhitelistError` when one of them is not kept (any more).
    """
    known = {one.version for one in whitelist_versions(conn)} | {0}
    for version in (before, after):
        if version not in known:
            raise WhitelistError("whitelist.version", f"version {version} is not kept")
    low, high = sorted((before, after))
    rows = conn.execute(
        select(whitelist_listing)
        .where(
            or_(
                (_table.from_version > low) & (_table.from_version <= high),
                (_table.until_version > low) & (_table.until_version <= high),
            )
        )
        .order_by(_table.domain, _table.dn_folded)
    )
    sides: dict[tuple[str, str], list[Entry | None]] = {}
    for row in rows:
        pair = sides.setdefault((row.domain, row.dn_folded), [None, None])
        for side, version in enumerate((before, after)):
            if row.from_version <= version < row.until_version:
                pair[side] = Entry(row.domain, row.dn, row.description, row.updated_at)
    added, gone, changed = [], [], []
    for old, new in sides.values():
        if old is None and new is not None:
            added.append(new)
        elif old is not None and new is None:
            gone.append(old)
        elif old is not None and new is not None and old != new:
            changed.append((old, new))
    return WhitelistDiff(before, after, added, gone, changed)


def current_entries(conn: Connection) -> dict[tuple[str, str], Entry]:
    """Every entry of the list in use by (domain, folded name)."""
    rows = conn.execute(select(whitelist_listing).where(*_standing(_in_use)))
    return {
        (row.domain, row.dn_folded): Entry(row.domain, row.dn, row.description, row.updated_at)
        for row in rows
    }
