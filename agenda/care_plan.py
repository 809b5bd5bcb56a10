"""The table of preventive care: what is proposed to whom, at which age, how often.

CSV, UTF-8, separated by ``;``, a header in any order: ``code``, ``kind`` (vaccination, screening, visit),
``sex`` (M, F, or empty for everybody), ``from`` and ``to`` (ages as ``8d``, ``6w``, ``2m``, ``6y``; from that
birthday on, until the day before the other), ``interval`` (empty: once), ``label_fr``, ``label_en``,
``text_fr``, ``text_en``, ``conditions``, ``source``, ``source_date`` (YYYY-MM-DD). A version is taken whole
or not at all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, insert, select

from agenda.errors import AgendaError
from agenda.model import BadPart, ProposalKind
from agenda.tables import care_plan
from patients import calendar
from store import Store, Tx, new_id, now_ms, operation

MAX_FILE: Final = 1024 * 1024
MAX_ROWS: Final = 2_000
DEFAULT: Final = Path(__file__).parent / "data" / "plan.csv"
COLUMNS: Final = (
    "code",
    "kind",
    "sex",
    "from",
    "to",
    "interval",
    "label_fr",
    "label_en",
    "text_fr",
    "text_en",
    "conditions",
    "source",
    "source_date",
)
_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9_-]{1,31}", re.ASCII)
_AGE: Final = re.compile(r"(\d{1,4})([dwmy])", re.ASCII)
Unit = Literal["d", "w", "m", "y"]
_KINDS: Final[tuple[ProposalKind, ...]] = ("vaccination", "screening", "visit")
_SEXES: Final = ("", "M", "F")
_UNITS: Final[tuple[Unit, ...]] = ("d", "w", "m", "y")


class Length(msgspec.Struct, frozen=True):
    """A number of days, weeks, months or years of the calendar."""

    number: int
    unit: Unit

    def after(self, day: date) -> date:
        """The day that much later. Of a day that does not exist there, the one that follows: nobody is a
        month or a year old before."""
        if self.unit in ("d", "w"):
            return day + timedelta(days=self.number * (7 if self.unit == "w" else 1))
        if self.unit == "y":
            return calendar.anniversary(day, self.number)
        year, month = divmod(day.year * 12 + day.month - 1 + self.number, 12)
        try:
            return date(year, month + 1, day.day)
        except ValueError:
            return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One row. ``interval`` None: once. ``conditions`` are words for the reader, never evaluated."""

    code: str
    kind: ProposalKind
    sex: str
    since: Length
    until: Length
    interval: Length | None
    label_fr: str
    label_en: str
    text_fr: str
    text_en: str
    conditions: str
    source: str
    source_date: str


class CarePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the table. ``plan_id`` 0 is the one that comes with Passerelle."""

    plan_id: int
    at: int
    actor: str
    sha256: bytes
    items: list[Item]


class PlanReport(msgspec.Struct, kw_only=True):
    """What an import did, or would do; codes that are new, changed, gone."""

    items: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: bool = False
    bad: list[BadPart] = msgspec.field(default_factory=list)


_items: Final = msgspec.msgpack.Decoder(list[Item])


def read_plan(data: bytes) -> tuple[list[Item], list[BadPart]]:
    """The rows of a file and those that cannot be taken, by line.

    Raises :class:`AgendaError` ``agenda.plan``: too big, not UTF-8, another header, no row.
    """
    if len(data) > MAX_FILE:
        raise AgendaError("agenda.plan", "more than 1 MiB")
    try:
        lines = list(
            csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";", strict=True)
        )
    except UnicodeDecodeError:
        raise AgendaError("agenda.plan", "not UTF-8") from None
    except csv.Error as error:
        raise AgendaError("agenda.plan", f"not CSV: {error}") from None
    header = [name.strip().casefold() for name in lines[0]] if lines else []
    if sorted(header) != sorted(COLUMNS):
        raise AgendaError("agenda.plan", "the header must name " + ", ".join(COLUMNS))
    items: dict[str, Item] = {}
    bad = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != len(header):
                raise ValueError(f"{len(cells)} columns where the header has {len(header)}")
            item = _item(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
            if item.code in items:
                raise ValueError("code: there is a row with this code already")
            items[item.code] = item
        except ValueError as fault:
            bad.append(BadPart(number, str(fault)))
    if not (items or bad) or len(items) > MAX_ROWS:
        raise AgendaError("agenda.plan", "no row, or more than 2000")
    return list(items.values()), bad


def _item(row: dict[str, str]) -> Item:
    if not _CODE.fullmatch(row["code"]):
        raise ValueError("code: 2 to 32 of A-Z, 0-9, _ and -")
    kind = next((one for one in _KINDS if one == row["kind"]), None)
    if kind is None:
        raise ValueError("kind: vaccination, screening or visit")
    if row["sex"] not in _SEXES:
        raise ValueError("sex: M, F or empty")
    since, until = _length(row["from"], "from"), _length(row["to"], "to")
    for leap in (date(2023, 1, 1), date(2024, 2, 29)):
        if since.after(leap) >= until.after(leap):
            raise ValueError("to: not after from")
    interval = _length(row["interval"], "interval") if row["interval"] else None
    if interval is not None and interval.number == 0:
        raise ValueError("interval: must be more than nothing")
    for name in ("label_fr", "label_en", "text_fr", "text_en", "source"):
        if not 0 < len(row[name]) <= 500:
            raise ValueError(f"{name}: empty, or more than 500 characters")
    if len(row["label_fr"]) > 150 or len(row["conditions"]) > 500:
        raise ValueError("label_fr: more than 150 characters, or conditions: more than 500")
    try:
        date.fromisoformat(row["source_date"])
    except ValueError:
        raise ValueError("source_date: not a day written YYYY-MM-DD") from None
    rest = (
        "code",
        "sex",
        "label_fr",
        "label_en",
        "text_fr",
        "text_en",
        "conditions",
        "source",
        "source_date",
    )
    return Item(kind=kind, since=since, until=until, interval=interval, **{name: row[name] for name in rest})


def _length(text: str, name: str) -> Length:
    match = _AGE.fullmatch(text)
    unit = next((one for one in _UNITS if match is not None and one == match[2]), None)
    if match is None or unit is None:
        raise ValueError(f"{name}: a number and d, w, m or y")
    found = Length(int(match[1]), unit)
    if found.after(date(2000, 1, 1)) > date(2150, 1, 1):
        raise ValueError(f"{name}: more than 150 years")
    return found


@cache
def default_plan() -> CarePlan:
    """The table that comes with Passerelle: to be checked by a physician before production."""
    data = DEFAULT.read_bytes()
    items, bad = read_plan(data)
    assert not bad, bad
    return CarePlan(plan_id=0, at=0, actor="", sha256=hashlib.sha256(data).digest(), items=items)


def current_plan(conn: Connection) -> CarePlan:
    """The table in force: the newest that was imported, else the default."""
    found = plans(conn, limit=1)
    return found[0] if found else default_plan()


def plans(conn: Connection, *, limit: int = 100) -> list[CarePlan]:
    """The versions that were imported, newest first."""
    rows = conn.execute(select(care_plan).order_by(care_plan.c.plan_id.desc()).limit(limit))
    return [
        CarePlan(
            plan_id=row.plan_id,
            at=row.at,
            actor=row.actor,
            sha256=bytes(row.sha256),
            items=_items.decode(row.items),
        )
        for row in rows
    ]


def import_plan(store: Store, path: Path, *, actor: str, reason: str, dry_run: bool = False) -> PlanReport:
    """Take a new version of the table, whole: with one bad row nothing is changed. Blocking.

    The file in force again changes nothing. Raises :class:`AgendaError` ``agenda.plan`` when the file cannot
    be read at all; bad rows are in the report.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AgendaError("agenda.plan", f"{path.name}: {error.strerror or error}") from error
    items, bad = read_plan(data)
    before = store.read(current_plan)
    held = {one.code: one for one in before.items}
    report = PlanReport(
        items=len(items),
        added=sum(one.code not in held for one in items),
        changed=sum(one.code in held and held[one.code] != one for one in items),
        removed=len(held.keys() - {one.code for one in items}),
        unchanged=before.items == items,
        bad=bad,
    )
    if not (bad or dry_run or report.unchanged):
        store.write(
            put_plan,
            plan=CarePlan(
                plan_id=new_id(),
                at=now_ms(),
                actor=actor,
                sha256=hashlib.sha256(data).digest(),
                items=items,
            ),
            reason=reason,
        )
    return report


@operation("agenda.put_plan")
def put_plan(tx: Tx, *, plan: CarePlan, reason: str) -> None:
    """Put a version of the table into force."""
    values = {
        "plan_id": plan.plan_id,
        "at": tx.now,
        "actor": plan.actor,
        "reason": reason[:320],
        "sha256": plan.sha256,
        "items": msgspec.msgpack.encode(plan.items),
    }
    tx.conn.execute(insert(care_plan).values(**values))
