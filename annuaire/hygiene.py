"""What an administrator should put right in the directory, or ask others to put right: the hygiene report.

Every finding is one statement that the database answers as it goes: rows are counted, the first few are
kept as examples, nothing else is held. On the national files the whole report takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    not_,
    or_,
    select,
)

from annuaire.card_tables import card
from annuaire.generations import generations, numbers_at
from annuaire.holder import BOX_SOURCES
from annuaire.names import fold_domain
from annuaire.tables import activity, mailbox, named, site
from annuaire.whitelist_lookup import whitelist_status
from annuaire.whitelist_tables import whitelist_listing
from store import metadata

#: Every source there is, in the order in which the report names them.
SOURCES: Final = (*BOX_SOURCES, "activities", "cards", "skills", "whitelist")

_box: Final = metadata.tables["box"]
_FETCH: Final = 2_000
_DAY_MS: Final = 86_400_000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found. ``count`` is None when it could not be looked for: ``note`` says what is missing."""

    key: str
    title: str
    count: int | None
    examples: list[dict[str, str]] = []
    note: str = ""


def hygiene(
    conn: Connection, *, now: int, hosted: Collection[str] = (), limit: int = 10
) -> Iterator[Finding]:
    """The findings, one after the other, each with at most ``limit`` examples.

    :param now: ms; for ages and terms. :param hosted: domains whose mailboxes are served here.
    """
    numbers = numbers_at(conn)
    yield from _sources(conn, numbers, now)
    activities = numbers.get("activities")
    boxes = or_(false(), *(_of(source, numbers) for source in BOX_SOURCES if source in numbers))
    if not numbers.keys() & set(BOX_SOURCES):
        yield Finding(key="box", title="mailboxes", count=None, note="no mailboxes are loaded")
        return
    if activities is None:
        yield Finding(
            key="box.no_active_holder",
            title="mailboxes without an active holder",
            count=None,
            note="no activities are loaded",
        )
    else:
        yield from _holders(conn, boxes, activities, limit)
        yield _found(
            conn,
            "structure.unknown",
            "mailboxes of structures that no activity names",
            _unknown_structures(boxes, activities),
            limit,
        )
    yield _found(conn, "box.duplicate", "addresses on several lines", _duplicates(boxes), limit)
    if "whitelist" in numbers:
        yield _found(
            conn,
            "domain.not_whitelisted",
            "domains of mailboxes that are not in the whitelist",
            _domains(conn, boxes, numbers["whitelist"]),
            limit,
        )
    else:
        yield Finding(
            key="domain.not_whitelisted",
            title="domains of mailboxes that are not in the whitelist",
            count=None,
            note="no whitelist is in use",
        )
    if hosted:
        yield from _hosted(conn, hosted, boxes, activities, limit)
    yield _found(conn, "box.liste_rouge", "mailboxes on the liste rouge", _hidden(boxes), limit)
    if "cards" in numbers:
        yield _found(conn, "card.opposed", "cards opposed", _opposed(numbers["cards"], now), limit)
    else:
        yield Finding(
            key="card.opposed", title="cards opposed", count=None, note="no file of cards is loaded"
        )


def _found(conn: Connection, key: str, title: str, statement: Select[Any], limit: int) -> Finding:
    """Run one statement to its end: count its rows, keep the first ones."""
    count = 0
    examples: list[dict[str, str]] = []
    for row in _rows(conn, statement):
        if count < limit:
            examples.append({name: str(value) for name, value in row._mapping.items()})
        count += 1
    return Finding(key=key, title=title, count=count, examples=examples)


def _rows(conn: Connection, statement: Select[Any]) -> Iterator[Any]:
    with conn.execute(statement, execution_options={"yield_per": _FETCH}) as rows:
        yield from rows


def _of(source: str, numbers: Mapping[str, int]) -> ColumnElement[bool]:
    """The mailboxes in use of one source."""
    return and_(mailbox.c.source == source, stands(mailbox, numbers[source]))


def stands(table: FromClause, number: int) -> ColumnElement[bool]:
    """The rows of ``table`` that stand in generation ``number``."""
    return and_(table.c.from_generation <= number, table.c.until_generation > number)


def _sources(conn: Connection, numbers: Mapping[str, int], now: int) -> Iterator[Finding]:
    """How old each source in use is."""
    in_use = [one for one in generations(conn) if numbers.get(one.source) == one.generation]
    ages = {one.source: (one.file_date or one.applied_at or now, one.file_name) for one in in_use}
    status = whitelist_status(conn)
    if status is not None:
        ages["whitelist"] = (max(status.generated_at, status.confirmed_at), status.origin)
    for source in SOURCES:
        title = f"{source}: days since it was made"
        if source in ages:
            since, name = ages[source]
            yield Finding(key=f"age.{source}", title=title, count=max(0, now - since) // _DAY_MS, note=name)
        else:
            yield Finding(key=f"age.{source}", title=title, count=None, note="not loaded")


def _holders(conn: Connection, boxes: ColumnElement[bool], activities: int, limit: int) -> Iterator[Finding]:
    """Boxes of persons without activity: of those who had one once, and of the others. One pass."""
    mine = activity.c.id_nat == mailbox.c.id_nat
    once = exists().where(mine, activity.c.from_generation <= activities)
    statement = select(
        mailbox.c.address, mailbox.c.kind, mailbox.c.id_nat, mailbox.c.name, case((once, 1), else_=0)
    ).where(
        boxes,
        mailbox.c.kind.in_(("PER", "CAB")),
        mailbox.c.id_nat != "",
        not_(exists().where(mine, stands(activity, activities))),
    )
    counts = [0, 0]
    examples: list[list[dict[str, str]]] = [[], []]
    for address, kind, id_nat, name, gone in _rows(conn, statement):
        if counts[gone] < limit:
            examples[gone].append({"address": address, "kind": kind, "id_nat": id_nat, "name": name})
        counts[gone] += 1
    yield Finding(
        key="box.no_active_holder",
        title="mailboxes of holders without any activity, now or before",
        count=counts[0],
        examples=examples[0],
    )
    yield Finding(
        key="box.struck_off",
        title="mailboxes of holders struck off since they were loaded",
        count=counts[1],
        examples=examples[1],
    )


def _unknown_structures(boxes: ColumnElement[bool], activities: int) -> Select[Any]:
    known = exists().where(named(mailbox.c.struct_id), stands(site, activities))
    return select(mailbox.c.address, mailbox.c.kind, mailbox.c.struct_id, mailbox.c.name).where(
        boxes, mailbox.c.kind.in_(("ORG", "APP")), mailbox.c.struct_id != "", not_(known)
    )


def _duplicates(boxes: ColumnElement[bool]) -> Select[Any]:
    lines = func.count().label("lines")
    return (
        select(mailbox.c.address, lines)
        .where(boxes)
        .group_by(mailbox.c.address)
        .having(lines > 1)
        .order_by(mailbox.c.address)
    )


def _domain(conn: Connection, address: ColumnElement[str]) -> ColumnElement[str]:
    """The domain of a folded address: what follows its only ``@``."""
    if conn.dialect.name == "sqlite":
        return func.substr(address, func.instr(address, "@") + 1)
    return func.split_part(address, "@", 2)


def _domains(conn: Connection, boxes: ColumnElement[bool], version: int) -> Select[Any]:
    domain = _domain(conn, mailbox.c.address).label("domain")
    found = select(domain, func.count().label("boxes")).where(boxes).group_by(domain).subquery("domains")
    listed = exists().where(
        whitelist_listing.c.domain == found.c.domain,
        whitelist_listing.c.from_version <= version,
        whitelist_listing.c.until_version > version,
    )
    return select(found).where(not_(listed)).order_by(found.c.boxes.desc(), found.c.domain)


def _hosted(
    conn: Connection, hosted: Collection[str], boxes: ColumnElement[bool], activities: int | None, limit: int
) -> Iterator[Finding]:
    """Boxes served here against what the directory publishes of our domains."""
    domains = [fold_domain(domain) for domain in hosted]
    ours = and_(_box.c.kind == "pro", _box.c.state == "open", _domain(conn, _box.c.address).in_(domains))
    listed = exists().where(mailbox.c.address == _box.c.address, boxes)
    title = "mailboxes here that the annuaire does not list"
    unlisted = select(_box.c.address, _box.c.owner).where(ours, not_(listed)).order_by(_box.c.address)
    yield _found(conn, "hosted.unlisted", title, unlisted, limit)
    here = exists().where(_box.c.address == mailbox.c.address, _box.c.state == "open")
    missing = select(mailbox.c.address, mailbox.c.kind, mailbox.c.name).where(
        boxes, _domain(conn, mailbox.c.address).in_(domains), not_(here)
    )
    title = "mailboxes of our domains in the annuaire that are not here"
    yield _found(conn, "hosted.missing", title, missing, limit)
    if activities is not None:
        mine = activity.c.id_nat == _box.c.owner
        struck = select(_box.c.address, _box.c.owner).where(
            ours,
            _box.c.owner != "",
            not_(exists().where(mine, stands(activity, activities))),
            exists().where(mine, activity.c.from_generation <= activities),
        )
        title = "mailboxes here whose owner was struck off"
        yield _found(conn, "hosted.struck_off", title, struck.order_by(_box.c.address), limit)


def _hidden(boxes: ColumnElement[bool]) -> Select[Any]:
    """Those of local lists: the national list leaves them out."""
    return select(mailbox.c.address, mailbox.c.kind).where(boxes, mailbox.c.red_list.is_(True))


def _opposed(cards: int, now: int) -> Select[Any]:
    """Cards opposed whose term has not ended: those that somebody might still show."""
    return select(card.c.id_nat, card.c.number, card.c.kind).where(
        stands(card, cards),
        card.c.opposed > 0,
        card.c.opposed <= now,
        or_(card.c.ends == 0, card.c.ends >= now),
    )
