"""Import of insured persons from CSV: streamed, judged row by row, safe to run again.

Header (any order, ``;`` or ``,`` between): ``ins, oid, birth_name, given_names, sex, birth_date,
birth_place`` and optionally ``used_name``. UTF-8. Given names are separated by blanks.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Final

import msgspec
import structlog
from sqlalchemy import bindparam, select, update

from patients.errors import PersonsFileError
from patients.ins import INS_OIDS, normalise, shaped_ins, valid_ins
from patients.profiles import record_event
from patients.tables import patient
from store import Store, Tx, operation

CHUNK: Final = 1_000
MAX_LINE: Final = 16_384
KEPT_FAULTS: Final = 200
_REQUIRED: Final = ("ins", "oid", "birth_name", "given_names", "sex", "birth_date", "birth_place")
_OPTIONAL: Final = ("used_name",)
#: Sex as RNIV and CDA write it; I (indéterminé) is U in CDA.
_SEXES: Final = {"M": "M", "F": "F", "I": "U", "U": "U"}
_COG: Final = re.compile(r"[0-9]{5}|2[AB][0-9]{3}", re.ASCII)
# RNIV EXI SI 07 keeps names to letters, blank, hyphen and apostrophe; accents of older files are taken.
_NAME: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[ '’-])*")

_log = structlog.get_logger("patients")


class Person(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The five traits of a person and his matricule, as the table keeps them."""

    ins: str
    oid: str
    birth_name: str
    given_names: str
    used_name: str
    sex: str
    birth_date: str
    birth_place: str


class BadPerson(msgspec.Struct, frozen=True):
    """A row left out: its line number (the header is line 1) and the reason, without what it said."""

    line: int
    reason: str


class PersonsReport(msgspec.Struct):
    """What an import did."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad_count: int = 0
    bad: list[BadPerson] = msgspec.field(default_factory=list)


class Counted(msgspec.Struct, frozen=True):
    """What became of a slice of persons."""

    added: int
    changed: int
    unchanged: int


class _RowFaultError(ValueError):
    pass


def import_persons(
    store: Store, path: Path, *, actor: str, progress: Callable[[int, int], None] | None = None
) -> PersonsReport:
    """Add the persons of the file at ``path`` in state ``known``, or correct their traits. Blocking.

    A state is never changed by an import. Rows are taken in slices of a thousand: interrupted, it is
    simply run again. Raises :class:`PersonsFileError` when the file or its header cannot be read.
    """
    report = PersonsReport()
    try:
        file = path.open("rb")
    except OSError as error:
        raise PersonsFileError("patients.file", f"{path.name}: {error.strerror or error}") from error
    size = path.stat().st_size
    persons: dict[str, Person] = {}
    with file:
        for line, found in _persons(file):
            if isinstance(found, str):
                report.bad_count += 1
                if len(report.bad) < KEPT_FAULTS:
                    report.bad.append(BadPerson(line, found))
                continue
            persons[found.ins] = found
            if len(persons) >= CHUNK:
                _add(store, persons, actor, report)
                if progress is not None:
                    progress(file.tell(), size)
    _add(store, persons, actor, report)
    if progress is not None:
        progress(size, size)
    _log.info(
        "persons_imported",
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
        bad=report.bad_count,
    )
    return report


@operation("patients.add")
def add_persons(tx: Tx, *, persons: list[Person], actor: str) -> Counted:
    """Add or correct persons (each INS once), leaving states alone."""
    traits = Person.__struct_fields__
    held = {
        row.ins: Person(*row)
        for row in tx.conn.execute(
            select(*(patient.c[name] for name in traits)).where(
                patient.c.ins.in_([person.ins for person in persons])
            )
        )
    }
    new = [person for person in persons if person.ins not in held]
    other = [person for person in persons if person.ins in held and held[person.ins] != person]
    if new:
        rows = [{**msgspec.structs.asdict(one), "state": "known", "created_at": tx.now} for one in new]
        tx.conn.execute(patient.insert(), rows)
    if other:
        statement = update(patient).where(patient.c.ins == bindparam("asked"))
        tx.conn.execute(
            statement.values({name: bindparam(f"new_{name}") for name in traits if name != "ins"}),
            [
                {
                    "asked": one.ins,
                    **{f"new_{name}": getattr(one, name) for name in traits if name != "ins"},
                }
                for one in other
            ],
        )
    for one in new:
        record_event(tx, one.ins, "import", "", "known", actor, "")
    for one in other:
        record_event(tx, one.ins, "correct", "", "", actor, "traits corrected by an import")
    return Counted(len(new), len(other), len(persons) - len(new) - len(other))


def _add(store: Store, persons: dict[str, Person], actor: str, report: PersonsReport) -> None:
    if persons:
        counted = store.write(add_persons, persons=list(persons.values()), actor=actor)
        report.added += counted.added
        report.changed += counted.changed
        report.unchanged += counted.unchanged
        persons.clear()


def _persons(file: IO[bytes]) -> Iterator[tuple[int, Person | str]]:
    """``(line number, person or fault)`` for each row."""
    first = file.readline(MAX_LINE)
    try:
        header = first.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise PersonsFileError("patients.encoding", "the header line is not UTF-8") from None
    separator = ";" if header.count(";") >= header.count(",") else ","
    labels = [label.strip().strip('"').strip().casefold() for label in header.split(separator)]
    missing = [name for name in _REQUIRED if labels.count(name) != 1]
    if missing:
        raise PersonsFileError("patients.header", f"the header lacks {', '.join(missing)}, or names it twice")
    places = {name: labels.index(name) for name in (*_REQUIRED, *_OPTIONAL) if name in labels}
    number = 1
    while raw := file.readline(MAX_LINE):
        number += 1
        if len(raw) >= MAX_LINE and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE)
            yield number, "line too long"
            continue
        if not raw.strip():
            continue
        try:
            # One row is one line: no trait holds a line end, so quotes never span two.
            cells = next(csv.reader([raw.decode("utf-8").rstrip("\r\n")], delimiter=separator, strict=True))
            if len(cells) != len(labels):
                raise _RowFaultError(f"{len(cells)} columns where the header has {len(labels)}")
            yield number, _person({name: cells[place].strip() for name, place in places.items()})
        except UnicodeDecodeError:
            yield number, "not UTF-8"
        except csv.Error as error:
            yield number, f"not CSV: {error}"
        except _RowFaultError as fault:
            yield number, str(fault)


def _person(cells: dict[str, str]) -> Person:
    ins = normalise(cells["ins"])
    if not shaped_ins(ins):
        raise _RowFaultError("ins: not the 15 characters of a matricule")
    if not valid_ins(ins):
        raise _RowFaultError("ins: wrong key")
    if cells["oid"] not in INS_OIDS:
        raise _RowFaultError("oid: not an authority of the INS")
    sex = _SEXES.get(cells["sex"].upper())
    if sex is None:
        raise _RowFaultError("sex: not M, F or I")
    place = cells["birth_place"].upper()
    if not _COG.fullmatch(place):
        raise _RowFaultError("birth_place: not a COG code")
    return Person(
        ins=ins,
        oid=cells["oid"],
        birth_name=_name(cells["birth_name"], "birth_name"),
        given_names=_name(cells["given_names"], "given_names"),
        used_name=_name(cells["used_name"], "used_name") if cells.get("used_name") else "",
        sex=sex,
        birth_date=_birth_date(cells["birth_date"]),
        birth_place=place,
    )


def _name(text: str, field: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > 100 or not _NAME.fullmatch(name):
        raise _RowFaultError(f"{field}: empty, too long or not a name")
    return name


def _birth_date(text: str) -> str:
    for form in ("%Y-%m-%d", "%Y%m%d", "%d/%m/%Y"):
        try:
            born = datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        if not date(1850, 1, 1) <= born <= datetime.now(UTC).date():
            break
        return born.isoformat()
    raise _RowFaultError("birth_date: not a date of birth")
