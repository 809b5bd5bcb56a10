"""Who stands behind a certificate or an address, as the directory knows it: the facts, gathered.

:mod:`annuaire.judgement` decides on them. Everything can be asked of the directory as it stood at a past
moment. The look-ups are statements on indexes, prepared once: some stand in the path of every message.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    FromClause,
    String,
    Table,
    and_,
    bindparam,
    case,
    func,
    select,
    union,
)
from sqlalchemy.sql.elements import ColumnElement

from annuaire.card_tables import card, skill
from annuaire.cards import card_number
from annuaire.generations import check_reach, numbers_at, past
from annuaire.judgement import (
    CardFacts,
    HolderCheck,
    HolderFacts,
    Holding,
    Reason,
    Standing,
    judge_holder,
)
from annuaire.lookup import between, false_, fixed, true_
from annuaire.names import fold_address, storable
from annuaire.tables import activity, current, generation, mailbox, named, site
from certs import Identity
from store import Prepared, now_ms

_PERSON: Final = re.compile(r"8[0-9]{11}|0[0-9][0-9AB][0-9]{7}")
_DAY_MS: Final = 86_400_000
#: The sources that share the table of mailboxes: the national list, and local ones.
BOX_SOURCES: Final = ("mailboxes", "local")
_NONE: Final = -1  # a generation that no row belongs to: the source was never loaded


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says that the directory can confirm or deny.

    :param card: number of its card, where the certificate tells it; ``on_card``: its key may be on one.
    :param ends: end of its validity in ms, 0 where that does not matter.
    """

    person: bool
    id_nat: str = ""
    struct_id: str = ""
    profession: str = ""
    specialities: tuple[str, ...] = ()
    card: str = ""
    on_card: bool = False
    ends: int = 0


class HolderMatch(msgspec.Struct, frozen=True):
    """The answer: ``reason`` of the first check that failed, or "match"; ``details`` accuse nobody.

    ``card_known``: the file of cards says something for certain of the certificate's card.
    """

    reason: Reason
    text: str
    checks: list[HolderCheck]
    details: list[str]
    card_known: bool = False

    @property
    def ok(self) -> bool:
        return self.reason == "match"


class Former(msgspec.Struct, frozen=True):
    """An address that the directory does not list: since when (ms, 0: it never did), and its holder then."""

    gone_at: int = 0
    id_nat: str = ""


def claim_of(who: Identity) -> Claim:
    """What there is to confirm in a certificate."""
    person = who.kind == "person"
    return Claim(
        person=person,
        id_nat=who.id_nat if person else "",
        struct_id="" if person else who.struct_id,
        profession=who.profession,
        specialities=tuple(who.specialities),
        card=card_number(who.card),
        on_card=person and (bool(who.card) or who.bearer in ("card", "")),
        ends=who.not_after,
    )


def is_person(id_nat: str) -> bool:
    """Whether an identifier is a professional's (``8`` + RPPS, ``0`` + ADELI)."""
    return _PERSON.fullmatch(id_nat) is not None


def holder_match(conn: Connection, claim: Claim, address: str = "", at: int | None = None) -> HolderMatch:
    """Judge a certificate against the directory; with ``address``, also whether its holder owns that.

    :param at: as the directory stood then (ms); None: now.
    """
    facts = holder_facts(conn, claim, address, at)
    checks = judge_holder(facts)
    failed = next((check for check in checks if not check.ok), None)
    return HolderMatch(
        reason=failed.reason if failed else "match",
        text=(failed or checks[-1]).text,
        checks=checks,
        details=_details(conn, claim, at),
        card_known=facts.cards is not None,
    )


def holder_facts(conn: Connection, claim: Claim, address: str = "", at: int | None = None) -> HolderFacts:
    """What the directory holds about a certificate and an address."""
    if at is not None:
        check_reach(conn, at)
    numbers = numbers_at(conn, at)
    standing, gone_at = professional(conn, claim.id_nat, at) if claim.person else ("unchecked", 0)
    holdings: tuple[Holding, ...] = ()
    gone = Former()
    if address:
        holdings = tuple(Holding(*row) for row in _ask(conn, _holdings, at, address=fold_address(address)))
        gone = Former() if holdings else former(conn, address, at)
    return HolderFacts(
        person=claim.person,
        id_nat=claim.id_nat,
        struct_id=claim.struct_id,
        profession=claim.profession,
        address=address,
        standing=standing,
        gone_at=gone_at,
        professions=_professions_of(conn, claim.id_nat, at),
        structures=same_site(conn, claim.struct_id, at) if claim.struct_id else frozenset(),
        structure_known=_structure_known(conn, claim.struct_id, at),
        loaded=bool(numbers.keys() & {*BOX_SOURCES, "activities"}),
        listed=bool(numbers.keys() & set(BOX_SOURCES)),
        holdings=holdings,
        box_gone_at=gone.gone_at,
        cards=_cards(conn, claim, numbers.get("cards", _NONE), now_ms() if at is None else at),
    )


def professional(conn: Connection, id_nat: str, at: int | None = None) -> tuple[Standing, int]:
    """Where a professional stands (IdNat_PS), and since when (ms) for one who was struck off, else 0."""
    numbers = numbers_at(conn, at)
    if "activities" not in numbers:
        return "unchecked", 0
    values = {"id_nat": storable(id_nat), "number": numbers["activities"]}
    practises, left = _activity_of.first(conn, values)
    if practises:
        return "practises", 0
    if left:
        return "struck_off", _applied(conn, "activities", left)
    return ("no_activity" if _ask(conn, _box_of, at, id_nat=storable(id_nat)) else "unknown"), 0


def former(conn: Connection, address: str, at: int | None = None) -> Former:
    """Since when an address that is not listed has been gone, and which professional held it."""
    gone = [
        Former(_applied(conn, source, ended), id_nat)
        for source, ended, id_nat in _ask(conn, _former, at, address=fold_address(address))
    ]
    return max(gone, key=lambda one: (one.gone_at, one.id_nat), default=Former())


def specialities(conn: Connection, id_nat: str, at: int | None = None) -> list[tuple[str, str]]:
    """The specialities (code, label) of a professional after ``PS_LibreAcces_SavoirFaire``."""
    number = numbers_at(conn, at).get("skills", _NONE)
    return [(row[0], row[1]) for row in _skills.all(conn, {"id_nat": storable(id_nat), "number": number})]


def same_site(conn: Connection, struct_id: str, at: int | None = None) -> frozenset[str]:
    """Every Struct_IdNat that is proven to be the structure: itself, and its FINESS or SIRET.

    The activities prove it when they name both for one site, and neither together with another.
    """
    number = numbers_at(conn, at).get("activities", _NONE)
    values = {"struct_id": storable(struct_id), "number": number}
    twins = {row[0] for row in _twins.all(conn, values)}
    if len(twins) != 1:
        return frozenset({struct_id})
    values["struct_id"] = next(iter(twins))
    back = {row[0] for row in _twins.all(conn, values)}
    return frozenset({struct_id, *twins}) if len(back) == 1 else frozenset({struct_id})


def _applied(conn: Connection, source: str, number: int) -> int:
    row = _applied_at.first(conn, {"source": source, "number": number})
    return 0 if row is None or row[0] is None else int(row[0])


def _professions_of(conn: Connection, id_nat: str, at: int | None) -> frozenset[str]:
    """The professions of the activities; of the mailboxes for somebody without any."""
    if not id_nat:
        return frozenset()
    for statements in (_professions, _box_professions):
        found = {row[0] for row in _ask(conn, statements, at, id_nat=storable(id_nat))} - {""}
        if found:
            return frozenset(found)
    return frozenset()


def _structure_known(conn: Connection, struct_id: str, at: int | None) -> bool:
    asked = storable(struct_id)
    return bool(struct_id) and any(
        _ask(conn, statements, at, struct_id=asked) for statements in (_structure, _structure_box)
    )


def _ask(conn: Connection, statements: tuple[Prepared, Prepared], at: int | None, **asked: str) -> list[Any]:
    return statements[0].all(conn, asked) if at is None else statements[1].all(conn, {**asked, "at": at})


def _cards(conn: Connection, claim: Claim, number: int, moment: int) -> CardFacts | None:
    """What the file of cards says for certain of the card behind a certificate.

    By its number where the certificate tells it; else by its holder, when all his cards of the certificate's
    term (of any term, when none is of that one) are opposed, or none is.
    """
    if number == _NONE or not claim.on_card or not claim.id_nat:
        return None
    values = {"id_nat": storable(claim.id_nat), "number": number}
    rows = [row for row in _cards_of.all(conn, values) if not claim.card or row[0] == claim.card]
    if not rows:
        return None
    if not claim.card:
        term = [row for row in rows if row[1] and abs(row[1] - claim.ends) <= 2 * _DAY_MS]
        rows = term or rows
    opposed = [row[2] for row in rows if 0 < row[2] <= moment]
    if opposed and len(opposed) < len(rows):
        return None
    return CardFacts(found=len(rows), opposed_at=max(opposed, default=0))


def _details(conn: Connection, claim: Claim, at: int | None) -> list[str]:
    """What is worth telling and accuses nobody."""
    if not claim.id_nat or not claim.specialities:
        return []
    known = [code for code, _ in specialities(conn, claim.id_nat, at)]
    stated = ", ".join(claim.specialities)
    if not known:
        return []
    return [f"specialities: the certificate states {stated}, the annuaire {', '.join(sorted(set(known)))}"]


# -- statements ---------------------------------------------------------------------------------

_number: Final = bindparam("number", type_=BigInteger)
_id_nat: Final = bindparam("id_nat", type_=String)
_address: Final = bindparam("address", type_=String)
_struct_id: Final = bindparam("struct_id", type_=String)


def _both(
    table: Table, source: ColumnElement[str], columns: list[ColumnElement[Any]], which: ColumnElement[bool]
) -> tuple[Prepared, Prepared]:
    """The rows of ``table`` that stand in their source's generation now, and at the moment ``at``."""

    def standing(numbers: FromClause) -> Prepared:
        joined = table.join(numbers, numbers.c.source == source)
        return Prepared(select(*columns).select_from(joined).where(between(table, numbers), which).distinct())

    return standing(current), standing(past(bindparam("at", type_=BigInteger)))


def _gone(numbers: FromClause) -> Prepared:
    """The rows of an address that ended before their source's generation of ``numbers``."""
    joined = mailbox.join(numbers, numbers.c.source == mailbox.c.source)
    return Prepared(
        select(mailbox.c.source, mailbox.c.until_generation, mailbox.c.id_nat)
        .select_from(joined)
        .where(mailbox.c.address == _address, mailbox.c.until_generation <= numbers.c.generation)
    )


_source, _activities = mailbox.c.source, fixed("activities")
_holdings: Final = _both(
    mailbox, _source, [mailbox.c.kind, mailbox.c.id_nat, mailbox.c.struct_id], mailbox.c.address == _address
)
_box_of: Final = _both(mailbox, _source, [true_], mailbox.c.id_nat == _id_nat)
_box_professions: Final = _both(mailbox, _source, [mailbox.c.profession], mailbox.c.id_nat == _id_nat)
_structure_box: Final = _both(mailbox, _source, [true_], mailbox.c.struct_id == _struct_id)
_professions: Final = _both(activity, _activities, [activity.c.profession], activity.c.id_nat == _id_nat)
_structure: Final = _both(site, _activities, [true_], named(_struct_id))
_former: Final = _gone(current), _gone(past(bindparam("at", type_=BigInteger)))


def _stands(table: Table) -> ColumnElement[bool]:
    return and_(table.c.from_generation <= _number, table.c.until_generation > _number)


# Whether an activity stands, and the last generation that took one away (NULL: none did).
_activity_of: Final = Prepared(
    select(
        func.max(case((activity.c.until_generation > _number, true_), else_=false_)),
        func.max(case((activity.c.until_generation <= _number, activity.c.until_generation))),
    ).where(activity.c.id_nat == _id_nat, activity.c.from_generation <= _number)
)
_applied_at: Final = Prepared(
    select(generation.c.applied_at).where(
        generation.c.source == bindparam("source", type_=String), generation.c.generation == _number
    )
)
_skills: Final = Prepared(
    select(skill.c.code, skill.c.label)
    .where(skill.c.id_nat == _id_nat, _stands(skill))
    .order_by(skill.c.code)
)
_cards_of: Final = Prepared(
    select(card.c.number, card.c.ends, card.c.opposed).where(card.c.id_nat == _id_nat, _stands(card))
)
# The identifiers that activities give to the site that they also name so.
_twins: Final = Prepared(
    union(
        select(site.c.siret).where(site.c.finess == _struct_id, site.c.siret != "", _stands(site)),
        select(site.c.finess).where(site.c.siret == _struct_id, site.c.finess != "", _stands(site)),
    )
)
