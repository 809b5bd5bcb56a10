"""Reading the catalogue: the services in use, one by one or by words, and as they stood before."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select

from catalogue.model import Criterion, List, Listed, Service, Version
from catalogue.tables import OPEN, catalogue_entry, catalogue_version

_service: Final = msgspec.json.Decoder(Service)
_criterion: Final = msgspec.json.Decoder(Criterion)
#: What an id may be: nothing else was ever in a list, and nothing else is asked of the database.
ID: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_WORD: Final = re.compile(r"[^\W_]+")
_version_columns: Final = [catalogue_version.c[name] for name in Version.__struct_fields__]


def fold(text: str) -> str:
    """``text`` for comparison: no accents, case folded."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def version_in_use(conn: Connection, which: List) -> int:
    """The version of a list that is in use; 0 before the first import."""
    table = catalogue_version.c
    return conn.scalar(select(func.max(table.version)).where(table.list == which)) or 0


def versions(conn: Connection, which: List) -> list[Version]:
    """Every version of a list, the one in use first."""
    query = select(*_version_columns).where(catalogue_version.c.list == which)
    return [
        Version(**row._mapping) for row in conn.execute(query.order_by(catalogue_version.c.version.desc()))
    ]


def contents(conn: Connection, which: List) -> dict[str, str]:
    """Id -> JSON of every entry in use, in the order of ids."""
    table = catalogue_entry.c
    query = select(table.entry_id, table.content).where(table.list == which, table.until_version == OPEN)
    return {row.entry_id: row.content for row in conn.execute(query.order_by(table.entry_id))}


def services(conn: Connection) -> list[Service]:
    """The services in use, by name."""
    found = [_service.decode(content) for content in contents(conn, "services").values()]
    return sorted(found, key=lambda one: (fold(one.name), one.id))


def criteria(conn: Connection) -> dict[str, Criterion]:
    """The criteria in use, by code."""
    return {code: _criterion.decode(content) for code, content in contents(conn, "criteria").items()}


def service(conn: Connection, service_id: str) -> Service | None:
    """A service of the list in use, whatever its days; None when it is not (or no more) in it."""
    if not ID.fullmatch(service_id):
        return None
    row = conn.execute(_of(service_id).where(catalogue_entry.c.until_version == OPEN)).one_or_none()
    return None if row is None else _service.decode(row.content)


def search(
    conn: Connection,
    text: str = "",
    *,
    category: str = "",
    sector: str = "",
    exchanging: bool | None = None,
) -> list[Service]:
    """The services in use that have a word beginning with each word of ``text`` (name, publisher, category,
    descriptions), accents and case aside; of one category or sector, with or without exchange of data."""
    wanted = _WORD.findall(fold(text))
    return [
        one
        for one in services(conn)
        if _matches(one, wanted)
        and (not category or fold(category) == fold(one.category))
        and (not sector or sector == one.sector)
        and (exchanging is None or exchanging == bool(one.scopes))
    ]


def _matches(one: Service, wanted: list[str]) -> bool:
    text = " ".join((one.id, one.name, one.publisher, one.category, one.description_fr, one.description_en))
    words = _WORD.findall(fold(text))
    return all(any(word.startswith(start) for word in words) for start in wanted)


def service_history(conn: Connection, service_id: str) -> list[Listed]:
    """A service over time, the newest first; empty when it never was in the list."""
    if not ID.fullmatch(service_id):
        return []
    began = {one.version: one.imported_at for one in versions(conn, "services")}
    rows = conn.execute(_of(service_id).order_by(catalogue_entry.c.from_version.desc()))
    return [
        Listed(
            since_version=row.from_version,
            since=began[row.from_version],
            until=began.get(row.until_version),
            service=_service.decode(row.content),
        )
        for row in rows
    ]


def listed_since(conn: Connection, service_id: str) -> int:
    """The version from which a service is in the list without a gap; 0 when it is not in it."""
    since = OPEN
    for row in conn.execute(_of(service_id).order_by(catalogue_entry.c.from_version.desc())):
        if row.until_version != since:
            break
        since = row.from_version
    return 0 if since == OPEN else since


def ever_listed(conn: Connection, service_id: str) -> bool:
    """Whether a service is or was in the list."""
    return ID.fullmatch(service_id) is not None and conn.execute(_of(service_id)).first() is not None


def _of(service_id: str) -> Select[Any]:
    table = catalogue_entry.c
    return select(table.from_version, table.until_version, table.content).where(
        table.list == "services", table.entry_id == service_id
    )
