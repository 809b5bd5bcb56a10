"""Import of cards and destinations, beside the persons: streamed CSV, bad rows reported, safe to run again.

Header (any order, ``;`` between): ``ins``, then any of ``card_kind`` (plain, photo), ``card_serial``,
``holder`` (the number on the card, where it is another person's), ``email``, ``phone``. UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
import structlog
from sqlalchemy import select

from patients.errors import PersonsFileError
from patients.ins import normalise, shaped_ins
from patients.persons import KEPT_FAULTS, MAX_LINE, BadPerson
from patients.rows import rows_below
from patients.signin.contacts import contacts_of, keep_card, keep_contact
from patients.signin.facts import FactsError, read_destination, read_serial
from patients.tables import patient
from store import Store, Tx, operation

CHUNK: Final = 500
_OPTIONAL: Final = ("card_kind", "card_serial", "holder", "email", "phone")

_log = structlog.get_logger("patients")


class Reach(msgspec.Struct, frozen=True, array_like=True):
    """A row: a person, a card he is on ("" for none), where he is reached ("" where not)."""

    line: int
    ins: str
    card_kind: str
    card_serial: str
    holder: str
    email: str
    phone: str


class ReachReport(msgspec.Struct):
    """What an import did."""

    cards: int = 0
    contacts: int = 0
    bad_count: int = 0
    bad: list[BadPerson] = msgspec.field(default_factory=list)


def import_reach(
    store: Store, path: Path, *, progress: Callable[[int, int], None] | None = None
) -> ReachReport:
    """Add cards; add or replace destinations, except those a person proved himself. Blocking.

    Raises :class:`PersonsFileError` when the file or its header cannot be read.
    """
    report = ReachReport()
    size = path.stat().st_size if path.exists() else 0
    held: list[Reach] = []
    try:
        with path.open("rb") as file:
            for line, found in _rows(file):
                if isinstance(found, str):
                    _bad(report, line, found)
                    continue
                held.append(found)
                if len(held) >= CHUNK:
                    _add(store, held, report)
                    if progress is not None:
                        progress(file.tell(), size)
    except OSError as error:
        raise PersonsFileError("patients.file", f"{path.name}: {error.strerror or error}") from error
    _add(store, held, report)
    report.bad.sort(key=lambda bad: bad.line)
    _log.info("reach_imported", cards=report.cards, contacts=report.contacts, bad=report.bad_count)
    return report


def _bad(report: ReachReport, line: int, reason: str) -> None:
    report.bad_count += 1
    if len(report.bad) < KEPT_FAULTS:
        report.bad.append(BadPerson(line, reason))


def _add(store: Store, held: list[Reach], report: ReachReport) -> None:
    if held:
        for line in store.write(add_reach, rows=held):
            _bad(report, line, "ins: no such person here")
        report.cards += sum(1 for row in held if row.card_serial)
        report.contacts += sum(1 for row in held if row.email or row.phone)
        held.clear()


@operation("patients.signin.add_reach")
def add_reach(tx: Tx, *, rows: list[Reach]) -> list[int]:
    """Keep cards, and destinations that are not proven; returns the lines whose person is unknown."""
    wanted = sorted({row.ins for row in rows})
    known = set(tx.conn.execute(select(patient.c.ins).where(patient.c.ins.in_(wanted))).scalars())
    proven = {ins: said for ins, said in contacts_of(tx, sorted(known)).items() if said.get("proven")}
    unknown = []
    for row in rows:
        if row.ins not in known:
            unknown.append(row.line)
            continue
        if row.card_serial:
            keep_card(tx, row.ins, row.holder or row.ins, row.card_kind, row.card_serial)
        said = {"email": row.email, "sms": row.phone}
        mine = proven.get(row.ins)
        if mine is not None:
            said = {channel: to for channel, to in said.items() if channel not in mine["proven"].split()}
        if any(said.values()):
            keep_contact(tx, row.ins, said)
    return unknown


def _rows(file: IO[bytes]) -> Iterator[tuple[int, Reach | str]]:
    try:
        labels = file.readline(MAX_LINE).decode("utf-8-sig").strip().casefold().split(";")
    except UnicodeDecodeError:
        raise PersonsFileError("patients.encoding", "the header line is not UTF-8") from None
    labels = [label.strip().strip('"') for label in labels]
    if labels.count("ins") != 1 or not set(labels) & set(_OPTIONAL) or len(set(labels)) != len(labels):
        raise PersonsFileError("patients.header", "the header needs ins, and card_serial, email or phone")
    places = {label: place for place, label in enumerate(labels)}
    for number, found in rows_below(file, places, len(labels), separator=";", longest=MAX_LINE):
        try:
            yield number, found if isinstance(found, str) else _reach(number, found)
        except FactsError as fault:
            yield number, f"{fault}: not of its form"


def _reach(line: int, cells: dict[str, str]) -> Reach:
    ins, holder = normalise(cells["ins"]), normalise(cells.get("holder", ""))
    if not shaped_ins(ins):
        raise FactsError("ins")
    if holder and not shaped_ins(holder):
        raise FactsError("holder")
    kind, serial = cells.get("card_kind", "") or "plain", cells.get("card_serial", "")
    email, phone = cells.get("email", ""), cells.get("phone", "")
    return Reach(
        line,
        ins,
        kind if serial else "",
        read_serial(kind, serial) if serial else "",
        holder,
        read_destination("email", email) if email else "",
        read_destination("sms", phone) if phone else "",
    )
