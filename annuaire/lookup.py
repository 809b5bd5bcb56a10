"""Look-ups in the directory. Each is one statement on an index: they stand in the path of every message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    exists,
    literal,
    literal_column,
    not_,
    or_,
    select,
)

from annuaire.names import fold_address, storable, structure_id, words
from annuaire.tables import activity, current, mailbox, structure
from store import Prepared

#: R02 sectors of an officine (pharmacie d'officine, minière, mutualiste, and the one ANS adds to them).
OFFICINE_SECTORS: Final = ("SA33", "SA38", "SA39", "SA65")


class Mailbox(msgspec.Struct, frozen=True):
    """A published mailbox with one of its holders.

    ``kind`` is PER, ORG, APP or CAB (R257); ``active`` is false when activities are loaded and the
    person who holds the box has none; ``officine`` tells an ORG box of a pharmacy open to the public.
    """

    address: str
    kind: str
    id_nat: str
    struct_id: str
    name: str
    profession: str
    speciality: str
    officine: bool
    active: bool
    town: str
    postcode: str
    service: str = ""


def _one_of(column: ColumnElement[str], values: tuple[str, ...]) -> ColumnElement[bool]:
    """``column IN (…)`` with the fixed values written into the statement: nothing to bind at each call."""
    return or_(*(column == _fixed(value) for value in values))


def _fixed(value: str) -> ColumnElement[str]:
    assert value.isalnum() or not value
    return literal_column(f"'{value}'", String)


def _in_use(table: Table, source: str) -> ColumnElement[bool]:
    """The rows of ``table`` in the generation of ``source`` that is in use."""
    number = select(current.c.generation).where(current.c.source == _fixed(source)).scalar_subquery()
    return table.c.generation == number


_true: Final = literal_column("1", Integer)
_false: Final = literal_column("0", Integer)
_officine: Final = and_(
    mailbox.c.kind == _fixed("ORG"),
    exists().where(
        _in_use(structure, "activities"),
        structure.c.struct_id == mailbox.c.struct_id,
        _one_of(structure.c.sector, OFFICINE_SECTORS),
    ),
)
_active: Final = or_(
    _one_of(mailbox.c.kind, ("ORG", "APP")),
    mailbox.c.id_nat == _fixed(""),
    not_(exists().where(current.c.source == _fixed("activities"))),
    exists().where(_in_use(activity, "activities"), activity.c.id_nat == mailbox.c.id_nat),
)


def _mailboxes(*conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            mailbox.c.address,
            mailbox.c.kind,
            mailbox.c.id_nat,
            mailbox.c.struct_id,
            mailbox.c.name,
            mailbox.c.profession,
            mailbox.c.speciality,
            case((_officine, _true), else_=_false).label("officine"),
            case((_active, _true), else_=_false).label("active"),
            mailbox.c.town,
            mailbox.c.postcode,
            mailbox.c.service,
        )
        .where(_in_use(mailbox, "mailboxes"), *conditions)
        .order_by(mailbox.c.address, mailbox.c.id_nat, mailbox.c.struct_id, mailbox.c.kind)
    )


_by_address: Final = Prepared(_mailboxes(mailbox.c.address == bindparam("address")))
_by_id_nat: Final = Prepared(_mailboxes(mailbox.c.id_nat == bindparam("id_nat")))
_by_structure: Final = Prepared(_mailboxes(mailbox.c.struct_id == bindparam("struct_id")))
_is_officine: Final = Prepared(
    select(_true)
    .select_from(mailbox)
    .where(_in_use(mailbox, "mailboxes"), mailbox.c.address == bindparam("address"), _officine)
    .limit(1)
)
_owns: Final = Prepared(
    select(_true)
    .select_from(mailbox)
    .where(
        _in_use(mailbox, "mailboxes"),
        mailbox.c.address == bindparam("address"),
        or_(
            and_(
                bindparam("id_nat", type_=String) != _fixed(""),
                _one_of(mailbox.c.kind, ("PER", "CAB")),
                mailbox.c.id_nat == bindparam("id_nat"),
            ),
            and_(
                bindparam("struct_id", type_=String) != _fixed(""),
                mailbox.c.kind != _fixed("PER"),
                mailbox.c.struct_id == bindparam("struct_id"),
            ),
        ),
    )
    .limit(1)
)


def _mailbox(row: Sequence[Any]) -> Mailbox:
    values = dict(zip(Mailbox.__struct_fields__, row, strict=True))
    values["officine"], values["active"] = bool(values["officine"]), bool(values["active"])
    return Mailbox(**values)


def mailbox_of(conn: Connection, address: str) -> list[Mailbox]:
    """The published mailbox ``address`` in any case, once per holder; empty when it is not listed."""
    return [_mailbox(row) for row in _by_address.all(conn, {"address": fold_address(address)})]


def by_id_nat(conn: Connection, id_nat: str) -> list[Mailbox]:
    """The mailboxes of a person, by IdNat_PS (``8`` + RPPS, ``0`` + ADELI)."""
    return [_mailbox(row) for row in _by_id_nat.all(conn, {"id_nat": storable(id_nat)})] if id_nat else []


def by_structure(conn: Connection, struct_id: str) -> list[Mailbox]:
    """The mailboxes tied to a structure, by Struct_IdNat (``1`` + FINESS, ``3`` + SIRET, …)."""
    if not struct_id:
        return []
    return [_mailbox(row) for row in _by_structure.all(conn, {"struct_id": storable(struct_id)})]


def is_officine(conn: Connection, address: str) -> bool:
    """Whether ``address`` is a published ORG box of a pharmacy open to the public (rule reply.pharmacy)."""
    return _is_officine.first(conn, {"address": fold_address(address)}) is not None


def owns(conn: Connection, address: str, *, id_nat: str = "", struct_id: str = "") -> bool:
    """Whether a proven identity owns ``address``.

    A person (IdNat_PS) owns his PER or CAB boxes, a structure (Struct_IdNat) its ORG, APP and CAB boxes.
    """
    if not id_nat and not struct_id:
        return False
    found = {
        "address": fold_address(address),
        "id_nat": storable(id_nat),
        "struct_id": storable(struct_id),
    }
    return _owns.first(conn, found) is not None


def find(conn: Connection, text: str) -> list[Mailbox]:
    """The mailboxes that an administrator means by an address, an IdNat, RPPS, ADELI, FINESS or SIRET."""
    text = text.strip()
    if "@" in text:
        return mailbox_of(conn, text)
    bare = "".join(text.split()).upper()
    found: list[Mailbox] = []
    for id_nat in dict.fromkeys((bare, f"8{bare}", f"0{bare}")):
        found += by_id_nat(conn, id_nat)
    for struct_id in dict.fromkeys((bare, structure_id("", bare), structure_id("3", bare))):
        found += by_structure(conn, struct_id)
    return found


def search(conn: Connection, text: str, limit: int = 20) -> list[Mailbox]:
    """Mailboxes with a word that starts with each word of ``text`` (address, names, profession, place).

    Accents and case do not count. At most ``limit`` (1 to 500) rows, by name.
    """
    wanted = words(text)
    if not wanted:
        return []
    padded = literal(" ") + mailbox.c.search
    # Words hold letters and digits only: nothing in them means anything to LIKE.
    conditions = [padded.like(f"% {word}%") for word in wanted[:10]]
    statement = _mailboxes(*conditions).order_by(None).order_by(mailbox.c.name, mailbox.c.address)
    return [_mailbox(row) for row in conn.execute(statement.limit(max(1, min(limit, 500))))]
