"""Cards and destinations: imported beside the persons, and what the person himself gave and proved."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select

from patients.signin.facts import Channel, Facts
from patients.signin.keys import seal, tag, unseal
from patients.signin.outgrown import still_his
from patients.signin.tables import card, contact
from patients.tables import patient
from store import Tx, upsert

#: Persons whom the same facts name, at most, without the work telling how many there are.
MOST_ALIKE: Final = 4


class Destination(msgspec.Struct, frozen=True):
    """Where a code goes."""

    channel: Channel
    to: str


def alike(persons: list[str]) -> list[str]:
    """The persons, filled up with nobodies: one is looked for as four are, and nobody as somebody."""
    return persons + [""] * (MOST_ALIKE - len(persons))


def contacts_of(tx: Tx, persons: list[str]) -> dict[str, dict[str, str]]:
    """The destinations known of each person; part of an operation.

    ``{ins: {"email": …, "sms": …, "proven": "email sms"}}``, each key where there is something to say.
    """
    asked = alike(persons)
    statement = select(contact.c.ins, contact.c.sealed, contact.c.updated_at).where(contact.c.ins.in_(asked))
    rows = {row[0]: row for row in tx.conn.execute(statement)}
    # A representative's address is not the person's once he decides alone.
    own = [ins for ins in asked if still_his(tx.conn, ins, rows[ins][2] if ins in rows else 0, tx.now)]
    return {
        ins: msgspec.json.decode(unseal(tx.home, ins.encode(), rows[ins][1]), type=dict[str, str])
        for ins in own
        if ins in rows
    }


def destination_of(tx: Tx, ins: str, channel: Channel) -> Destination | None:
    """Where a person gets codes by ``channel``; part of an operation."""
    to = contacts_of(tx, [ins]).get(ins, {}).get(channel)
    return Destination(channel, to) if to else None


def proven_email(conn: Connection, home: Path, ins: str, now: int) -> str:
    """The e-mail address that a person showed to be his and that still is at ``now`` (ms), or ""."""
    return proven_of(conn, home, ins, now).get("email", "")


def proven_of(conn: Connection, home: Path, ins: str, now: int) -> dict[str, str]:
    """What a person showed to be his and that still is at ``now`` (ms), by channel."""
    row = conn.execute(
        select(contact.c.sealed, contact.c.updated_at).where(contact.c.ins == ins)
    ).one_or_none()
    if row is None or not still_his(conn, ins, row[1], now):
        return {}
    known = msgspec.json.decode(unseal(home, ins.encode(), row[0]), type=dict[str, str])
    return {channel: known[channel] for channel in known.get("proven", "").split() if channel in known}


def keep_contact(tx: Tx, ins: str, known: dict[str, str], *, proven: bool = False) -> None:
    """Add to the destinations of a person, or replace them; part of an operation.

    :param proven: the person showed that they are his; an import leaves them alone from now on.
    """
    before = contacts_of(tx, [ins]).get(ins, {})
    after = before | {channel: to for channel, to in known.items() if to}
    if proven:
        after["proven"] = " ".join(sorted({*before.get("proven", "").split(), *known}))
    sealed = seal(tx.home, ins.encode(), msgspec.json.encode(after))
    tx.conn.execute(upsert(contact, {"ins": ins, "sealed": sealed, "updated_at": tx.now}, ["ins"]))


def keep_card(tx: Tx, ins: str, holder: str, kind: str, serial: str) -> None:
    """Keep that ``ins`` is on a card whose printed number is ``holder``; part of an operation."""
    row = {
        "card_tag": tag(tx.home, "card", kind, serial),
        "ins": ins,
        "holder_tag": tag(tx.home, "holder", holder),
    }
    tx.conn.execute(upsert(card, row, ["card_tag", "ins"]))


def forget_cards(tx: Tx, ins: str) -> None:
    """Drop the cards of a person, lost or replaced; part of an operation."""
    tx.conn.execute(delete(card).where(card.c.ins == ins))


def beneficiaries(tx: Tx, facts: Facts) -> list[str]:
    """The persons (INS, sorted) whom all three facts name; none when one of them is wrong.

    The number is the one printed on the card, or the person's own.
    """
    named = select(card.c.ins, card.c.holder_tag).join(patient, patient.c.ins == card.c.ins)
    rows = tx.conn.execute(
        named.where(
            card.c.card_tag == tag(tx.home, "card", facts.card_kind, facts.card_serial),
            patient.c.birth_date == facts.birth_date,
        ).order_by(card.c.ins)
    )
    holder = tag(tx.home, "holder", facts.number)
    return [row[0] for row in rows if facts.number == row[0] or bytes(row[1]) == holder]


def given_names(conn: Connection, persons: list[str]) -> dict[str, str]:
    """The first given name of each person, to choose among."""
    rows = conn.execute(select(patient.c.ins, patient.c.given_names).where(patient.c.ins.in_(persons)))
    return {row[0]: row[1].split(" ")[0] for row in rows}
