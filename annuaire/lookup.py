"""Look-ups in the directory: they stand in the path of every message.

Each is one statement on an index, for the present or for a past moment. Look-ups of the present by
address are remembered, for as long as no import is put in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    exists,
    literal_column,
    not_,
    or_,
    select,
)

from annuaire.generations import check_reach, in_use, past
from annuaire.names import fold_address, storable, structure_id
from annuaire.tables import activity, current, mailbox, named, site
from store import Prepared

#: R02 sectors of an officine (pharmacie d'officine, minière, mutualiste, and the one ANS adds to them).
OFFICINE_SECTORS: Final = ("SA33", "SA38", "SA39", "SA65")
#: Addresses remembered by one connection.
_REMEMBERED: Final = 50_000


class Mailbox(msgspec.Struct, frozen=True):
    """A published mailbox with one of its holders.

    ``kind`` is PER, ORG, APP or CAB (R257); ``active`` is false when activities are loaded and the
    person who holds the box has none; ``officine`` tells an ORG box of a pharmacy open to the public;
    ``red_list``: never to be shown to anyone who searches; ``source``: mailboxes, or local.
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
    department: str = ""
    red_list: bool = False
    source: str = "mailboxes"


class Activity(msgspec.Struct, frozen=True):
    """One activity of a professional, at a structure or (all ids empty) nowhere in particular.

    Codes: ``profession`` G15, ``category`` (C civil, M militaire, E étudiant), ``speciality`` R01 …,
    ``mode`` (L libéral, S salarié, B bénévole), ``role``, ``genre``, ``sector`` R02. ``finess`` and ``siret``
    are Struct_IdNat (``1`` + FINESS, ``3`` + SIRET).
    """

    id_nat: str
    family: str
    given: str
    civility: str
    profession: str
    category: str
    speciality: str
    mode: str
    role: str
    genre: str
    finess: str
    siret: str
    technical: str
    structure_name: str
    sector: str
    town: str
    postcode: str
    department: str

    @property
    def structures(self) -> list[str]:
        """The identifiers under which the structure is known."""
        return [one for one in (self.finess, self.siret, self.technical) if one]


def one_of(column: ColumnElement[str], values: tuple[str, ...]) -> ColumnElement[bool]:
    """``column IN (…)`` with the fixed values written into the statement: nothing to bind at each call."""
    return or_(*(column == fixed(value) for value in values))


def fixed(value: str) -> ColumnElement[str]:
    """``value`` written into the statement."""
    assert value.isalnum() or not value
    return literal_column(f"'{value}'", String)


def between(table: FromClause, numbers: FromClause) -> ColumnElement[bool]:
    """Whether a row of ``table`` stands in its source's generation of ``numbers``."""
    return and_(
        table.c.from_generation <= numbers.c.generation, table.c.until_generation > numbers.c.generation
    )


def _activities_of(table: Table, numbers: FromClause) -> ColumnElement[bool]:
    number = select(numbers.c.generation).where(numbers.c.source == fixed("activities")).scalar_subquery()
    return and_(table.c.from_generation <= number, table.c.until_generation > number)


true_: Final = literal_column("1", Integer)
false_: Final = literal_column("0", Integer)


def boxes(numbers: FromClause, *conditions: ColumnElement[bool]) -> Select[Any]:
    """The mailboxes that meet ``conditions`` in the generations of ``numbers``, for :func:`read_box`."""
    other = numbers.alias("of_activities")
    officine = and_(
        mailbox.c.kind == fixed("ORG"),
        mailbox.c.struct_id != fixed(""),
        exists().where(
            _activities_of(site, other),
            named(mailbox.c.struct_id),
            one_of(site.c.sector, OFFICINE_SECTORS),
        ),
    )
    active = or_(
        one_of(mailbox.c.kind, ("ORG", "APP")),
        mailbox.c.id_nat == fixed(""),
        not_(exists().where(other.c.source == fixed("activities"))),
        exists().where(_activities_of(activity, other), activity.c.id_nat == mailbox.c.id_nat),
    )
    return (
        select(
            mailbox.c.address,
            mailbox.c.kind,
            mailbox.c.id_nat,
            mailbox.c.struct_id,
            mailbox.c.name,
            mailbox.c.profession,
            mailbox.c.speciality,
            case((officine, true_), else_=false_).label("officine"),
            case((active, true_), else_=false_).label("active"),
            mailbox.c.town,
            mailbox.c.postcode,
            mailbox.c.service,
            mailbox.c.department,
            case((mailbox.c.red_list, true_), else_=false_).label("red_list"),
            mailbox.c.source,
        )
        .select_from(mailbox.join(numbers, numbers.c.source == mailbox.c.source))
        .where(between(mailbox, numbers), *conditions)
        .order_by(mailbox.c.address, mailbox.c.id_nat, mailbox.c.struct_id, mailbox.c.kind)
    )


def read_box(row: Sequence[Any]) -> Mailbox:
    """A row of :func:`boxes`."""
    values = list(row)
    for place in (7, 8, 13):
        values[place] = bool(values[place])
    return Mailbox(*values)


def _both(condition: ColumnElement[bool]) -> tuple[Prepared, Prepared]:
    """The statement for now, and the one for the moment ``at``."""
    return Prepared(boxes(current, condition)), Prepared(
        boxes(past(bindparam("at", type_=BigInteger)), condition)
    )


_by_address: Final = _both(mailbox.c.address == bindparam("address"))
_by_id_nat: Final = _both(mailbox.c.id_nat == bindparam("id_nat"))
_by_structure: Final = _both(mailbox.c.struct_id == bindparam("struct_id"))


def _activities(numbers: FromClause) -> Prepared:
    place = ("finess", "siret", "technical", "name", "sector", "town", "postcode", "department")
    person = list(Activity.__struct_fields__[:10])
    return Prepared(
        select(*(activity.c[name] for name in person), *(site.c[name] for name in place))
        .select_from(activity.outerjoin(site, site.c.entry_id == activity.c.site_id))
        .where(_activities_of(activity, numbers), activity.c.id_nat == bindparam("id_nat"))
        .order_by(activity.c.profession, site.c.name, activity.c.entry_id)
    )


_activities_now: Final = _activities(current)
_activities_then: Final = _activities(past(bindparam("at", type_=BigInteger)))


def _ask(
    conn: Connection, statements: tuple[Prepared, Prepared], asked: dict[str, Any], at: int | None
) -> list[Any]:
    if at is None:
        return statements[0].all(conn, asked)
    check_reach(conn, at)
    return statements[1].all(conn, {**asked, "at": at})


class _Memory:
    """Answers of one connection; empty again once other generations are in use than when it was filled."""

    __slots__ = ("boxes", "generations")

    def __init__(self) -> None:
        self.generations: tuple[tuple[str, int], ...] = ()
        self.boxes: dict[str, list[Mailbox]] = {}


def mailbox_of(conn: Connection, address: str, at: int | None = None) -> list[Mailbox]:
    """The published mailbox ``address`` in any case, once per holder; empty when it is not listed.

    Boxes of the red list come too: routing must know them.

    :param at: a past moment (ms); the present by default.

    Raises :class:`~store.InvalidInputError` for a moment before the history that is kept.
    """
    if at is not None:
        return _distinct(_ask(conn, _by_address, {"address": fold_address(address)}, at))
    memory: _Memory | None = conn.info.get("annuaire")
    if memory is None:
        memory = conn.info["annuaire"] = _Memory()
    generations = in_use(conn)
    if generations != memory.generations or len(memory.boxes) >= _REMEMBERED:
        memory.boxes, memory.generations = {}, generations
    known = memory.boxes.get(address)
    if known is None:
        known = _distinct(_by_address[0].all(conn, {"address": fold_address(address)}))
        if len(address) <= 320:
            memory.boxes[address] = known
    return known.copy()


def _distinct(rows: Sequence[Any]) -> list[Mailbox]:
    return list(dict.fromkeys(read_box(row) for row in rows))


def by_id_nat(conn: Connection, id_nat: str, at: int | None = None) -> list[Mailbox]:
    """The mailboxes of a person, by IdNat_PS (``8`` + RPPS, ``0`` + ADELI)."""
    return _distinct(_ask(conn, _by_id_nat, {"id_nat": storable(id_nat)}, at)) if id_nat else []


def by_structure(conn: Connection, struct_id: str, at: int | None = None) -> list[Mailbox]:
    """The mailboxes tied to a structure, by Struct_IdNat (``1`` + FINESS, ``3`` + SIRET, …)."""
    return _distinct(_ask(conn, _by_structure, {"struct_id": storable(struct_id)}, at)) if struct_id else []


def activities(conn: Connection, id_nat: str, at: int | None = None) -> list[Activity]:
    """The activities of a person, by IdNat_PS; empty for one who has none, or is not listed.

    Raises :class:`~store.InvalidInputError` for a moment before the history that is kept.
    """
    if not id_nat:
        return []
    rows = _ask(conn, (_activities_now, _activities_then), {"id_nat": storable(id_nat)}, at)
    found = (Activity(*row[:10], *("" if value is None else value for value in row[10:])) for row in rows)
    return list(dict.fromkeys(found))


def is_officine(conn: Connection, address: str, at: int | None = None) -> bool:
    """Whether ``address`` is a published ORG box of a pharmacy open to the public (rule reply.pharmacy)."""
    return any(box.officine for box in mailbox_of(conn, address, at))


def owns(
    conn: Connection, address: str, *, id_nat: str = "", struct_id: str = "", at: int | None = None
) -> bool:
    """Whether a proven identity owns ``address``.

    A person (IdNat_PS) owns his PER or CAB boxes, a structure (Struct_IdNat) its ORG, APP and CAB boxes.
    """
    if not id_nat and not struct_id:
        return False
    return any(
        (id_nat and box.kind in ("PER", "CAB") and box.id_nat == id_nat)
        or (struct_id and box.kind != "PER" and box.struct_id == struct_id)
        for box in mailbox_of(conn, address, at)
    )


def find(conn: Connection, text: str, at: int | None = None) -> list[Mailbox]:
    """The mailboxes that an administrator means by an address, an IdNat, RPPS, ADELI, FINESS or SIRET."""
    text = text.strip()
    if "@" in text:
        return mailbox_of(conn, text, at)
    bare = "".join(text.split()).upper()
    found: list[Mailbox] = []
    for id_nat in dict.fromkeys((bare, f"8{bare}", f"0{bare}")):
        found += by_id_nat(conn, id_nat, at)
    for struct_id in dict.fromkeys((bare, structure_id("", bare), structure_id("3", bare))):
        found += by_structure(conn, struct_id, at)
    return found
