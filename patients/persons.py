"""Import of insured persons from CSV: streamed, judged row by row, safe to run again.

Header (any order, ``;`` or ``,`` between): ``ins, oid, birth_name, given_names, sex, birth_date,
birth_place`` and optionally ``used_name``, ``department`` or ``postcode`` (of residence) and
``previous_ins``. UTF-8. Given names are separated by blanks.

A matricule that changed (NIA to NIR) is not taken over: address, mailbox and record hang on the old one. A
row whose ``previous_ins`` has a profile here is left out and told, so that nobody ever has two.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Final

import msgspec
import structlog
from sqlalchemy import Connection, bindparam, select, update

import evidence
from patients.errors import PersonsFileError
from patients.history import Step, record_steps
from patients.ins import INS_OIDS, normalise, shaped_ins, valid_ins
from patients.rows import rows_below
from patients.tables import patient
from store import Bulk, Store, Tx, operation

CHUNK: Final = 1_000
MAX_LINE: Final = 16_384
KEPT_FAULTS: Final = 200
_REQUIRED: Final = ("ins", "oid", "birth_name", "given_names", "sex", "birth_date", "birth_place")
_OPTIONAL: Final = ("used_name", "department", "postcode", "previous_ins")
#: Sex as RNIV and CDA write it; I (indéterminé) is U in CDA.
_SEXES: Final = {"M": "M", "F": "F", "I": "U", "U": "U"}
_COG: Final = re.compile(r"[0-9]{5}|2[AB][0-9]{3}", re.ASCII)
# RNIV EXI SI 07 keeps names to letters, blank, hyphen and apostrophe; accents of older files are taken.
_NAME: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[ '’-])*")

#: Code of a département of residence: two characters, or three overseas.
_DEPARTMENT: Final = re.compile(r"0[1-9]|[1-8][0-9]|9[0-5]|2[AB]|97[1-8]|98[4-9]", re.ASCII)
_POSTCODE: Final = re.compile(r"[0-9]{5}", re.ASCII)

_log = structlog.get_logger("patients")


class Person(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The five traits of a person, his matricule and his département, as the table keeps them."""

    ins: str
    oid: str
    birth_name: str
    given_names: str
    used_name: str
    sex: str
    birth_date: str
    birth_place: str
    department: str = ""


_NEW: Final = Bulk(patient, [patient.c[name] for name in (*Person.__struct_fields__, "state", "created_at")])


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
    """What became of a slice of persons; ``deleted`` are matricules whose profile was deleted for good."""

    added: int
    changed: int
    unchanged: int
    deleted: list[str] = []


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A good row: who, and the matricule he had before ("" for none)."""

    line: int
    person: Person
    previous: str


class _RowFaultError(ValueError):
    pass


def import_persons(
    store: Store,
    path: Path,
    *,
    actor: str,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PersonsReport:
    """Add the persons of the file at ``path`` in state ``known``, or correct their traits. Blocking.

    A state is never changed by an import. Rows are taken in slices of a thousand: interrupted, it is
    simply run again. With ``dry_run`` nothing is written, and the report tells what would be.

    Raises :class:`PersonsFileError` when the file or its header cannot be read.
    """
    report = PersonsReport()
    try:
        file = path.open("rb")
    except OSError as error:
        raise PersonsFileError("patients.file", f"{path.name}: {error.strerror or error}") from error
    size = path.stat().st_size
    rows: dict[str, _Row] = {}
    with file:
        for line, found in _persons(file):
            if isinstance(found, str):
                _bad(report, line, found)
                continue
            rows[found.person.ins] = found
            if len(rows) >= CHUNK:
                _add(store, rows, actor, report, dry_run)
                if progress is not None:
                    progress(file.tell(), size)
    _add(store, rows, actor, report, dry_run)
    if progress is not None:
        progress(size, size)
    report.bad.sort(key=lambda bad: bad.line)
    _log.info(
        "persons_imported",
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
        bad=report.bad_count,
        dry_run=dry_run,
    )
    return report


def _bad(report: PersonsReport, line: int, reason: str) -> None:
    report.bad_count += 1
    if len(report.bad) < KEPT_FAULTS:
        report.bad.append(BadPerson(line, reason))


class _Judged(msgspec.Struct, frozen=True):
    new: list[Person]
    other: list[Person]
    deleted: list[str]


def _judge(conn: Connection, persons: list[Person]) -> _Judged:
    """Who is new, whose traits differ, whose profile was deleted."""
    traits = Person.__struct_fields__
    statement = select(*(patient.c[name] for name in traits), patient.c.state)
    asked = [person.ins for person in persons]
    held = {row[0]: row for row in conn.execute(statement.where(patient.c.ins.in_(asked)))}
    judged = _Judged([], [], [])
    for person in persons:
        row = held.get(person.ins)
        if row is None:
            judged.new.append(person)
        elif row.state == "deleted":
            judged.deleted.append(person.ins)
        else:
            if not person.department:  # a file without that column takes nothing away
                person = msgspec.structs.replace(person, department=row.department)
            if person != Person(*row[:-1]):
                judged.other.append(person)
    return judged


def _counted(judged: _Judged, persons: int) -> Counted:
    new, other, deleted = len(judged.new), len(judged.other), len(judged.deleted)
    return Counted(new, other, persons - new - other - deleted, judged.deleted)


@operation("patients.add")
def add_persons(tx: Tx, *, persons: list[Person], actor: str) -> Counted:
    """Add or correct persons (each INS once), leaving states alone; a deleted profile stays as it is."""
    evidence.hold(tx)
    judged = _judge(tx.conn, persons)
    if judged.new:
        _NEW.run(tx.conn, [(*msgspec.structs.astuple(one), "known", tx.now) for one in judged.new])
    if judged.other:
        names = [name for name in Person.__struct_fields__ if name != "ins"]
        statement = update(patient).where(patient.c.ins == bindparam("asked"))
        tx.conn.execute(
            statement.values({name: bindparam(f"new_{name}") for name in names}),
            [
                {"asked": one.ins, **{f"new_{name}": getattr(one, name) for name in names}}
                for one in judged.other
            ],
        )
    record_steps(tx, "import", [Step(one.ins, "", "known") for one in judged.new], actor, "")
    corrected = [Step(one.ins, "", "") for one in judged.other]
    record_steps(tx, "correct", corrected, actor, "traits corrected by an import")
    return _counted(judged, len(persons))


def _add(store: Store, rows: dict[str, _Row], actor: str, report: PersonsReport, dry_run: bool) -> None:
    former = {row.previous for row in rows.values() if row.previous}
    there = store.read(_known, sorted(former)) if former else set()
    for row in [row for row in rows.values() if row.previous in there]:
        _bad(report, row.line, "previous_ins: has a profile here; a matricule that changed is not taken over")
        del rows[row.person.ins]
    persons = [row.person for row in rows.values()]
    if persons:
        if dry_run:
            counted = _counted(store.read(_judge, persons), len(persons))
        else:
            counted = store.write(add_persons, persons=persons, actor=actor)
        report.added += counted.added
        report.changed += counted.changed
        report.unchanged += counted.unchanged
        for ins in counted.deleted:
            _bad(
                report,
                rows[ins].line,
                "ins: its profile was deleted for good, its address is not given again",
            )
    rows.clear()


def _known(conn: Connection, wanted: list[str]) -> set[str]:
    return set(conn.execute(select(patient.c.ins).where(patient.c.ins.in_(wanted))).scalars())


def _persons(file: IO[bytes]) -> Iterator[tuple[int, _Row | str]]:
    """``(line number, row or fault)`` for each row."""
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
    wanted: tuple[str, ...] = (*_REQUIRED, *_OPTIONAL)
    places = {name: labels.index(name) for name in wanted if name in labels}
    below = rows_below(file, places, len(labels), separator=separator, longest=MAX_LINE)
    for number, found in below:
        try:
            row = found if isinstance(found, str) else _Row(number, _person(found), _previous(found))
            yield number, row
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
        department=_department(cells.get("department", ""), cells.get("postcode", "")),
    )


def _previous(cells: dict[str, str]) -> str:
    text = cells.get("previous_ins", "")
    previous = normalise(text) if text else ""
    if previous and (not shaped_ins(previous) or previous == normalise(cells["ins"])):
        raise _RowFaultError("previous_ins: not another matricule")
    return previous


def _department(code: str, postcode: str) -> str:
    """The code of the département of residence; from a postcode where it is not given, "" for neither."""
    code = code.upper()
    if not code and postcode:
        if not _POSTCODE.fullmatch(postcode):
            raise _RowFaultError("postcode: not five digits")
        code = postcode[:3] if postcode[:2] in ("97", "98") else postcode[:2]
        if code == "20":  # Corsica: 200, 201 in the south, 202 and 206 in the north
            code = "2A" if postcode[2] in "01" else "2B"
    if code and (not _DEPARTMENT.fullmatch(code) or code == "20"):
        raise _RowFaultError("department: not the code of a département")
    return code


def _name(text: str, field: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > 100 or not _NAME.fullmatch(name):
        raise _RowFaultError(f"{field}: empty, too long or not a name")
    return name


def _birth_date(text: str) -> str:
    born = _day(text)
    if born is None or not date(1850, 1, 1) <= born <= datetime.now(UTC).date():
        raise _RowFaultError("birth_date: not a date of birth")
    return born.isoformat()


@functools.lru_cache(maxsize=65_536)  # a population has fewer birth dates, and strptime is slow
def _day(text: str) -> date | None:
    for form in ("%Y-%m-%d", "%Y%m%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None
