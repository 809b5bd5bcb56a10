"""The figures that the scheme publishes, read from what happened: no counter is kept.

Enrolment comes from the steps of profiles, mail from the chain of evidence, documents from the record. Each
figure of a table is one statement, or one pass over rows that come in order, so that memory does not grow
with the population. Small counts never leave :func:`indicators`: see :mod:`gateway.suppression`.

Whether a mailbox wrote, or a profile has a document, is asked for each row of a table: the total counts it
once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, func, literal, select

import dossier
import evidence
import patients
from gateway import places, suppression
from patients import calendar
from store import InvalidInputError, now_ms

By = Literal["", "month", "region", "sector", "kind"]
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
#: The most months of one table.
MOST_MONTHS: Final = 600

ENROLMENT: Final = ("notified", "opposed", "created", "closed", "activated")
USE: Final = (
    "messages received by users",
    "messages sent by users",
    "professional mailboxes that wrote",
    "documents filed",
    "profiles with a document",
)
RECEIVED, SENT, WROTE, FILED, WITH_DOCUMENT = USE
MEASURES: Final = ("measures added by users", "users who added measures")
MEASURED, MEASURING = MEASURES
#: Rates, per cent: part and whole. Of a month they would compare different people.
RATES: Final = {
    "created of notified": ("created", "notified"),
    "opposed of notified": ("opposed", "notified"),
    "closed of created": ("closed", "created"),
    "activated of created": ("activated", "created"),
    "with a document of created": (WITH_DOCUMENT, "created"),
}


class Row(msgspec.Struct, frozen=True):
    """One line: its label, and a figure or None for what is hidden; ``rates`` in per cent."""

    label: str
    figures: dict[str, int | None]
    rates: dict[str, float | None]


class Table(msgspec.Struct, frozen=True):
    """The figures of [``since``, ``until``) (ms), ``total`` and by month, region, sector or kind of measure.

    The rows of one table are the same whatever was counted: an absent row would tell that it is empty.
    """

    by: By
    since: int
    until: int
    total: Row
    rows: list[Row]
    hidden_below: int = suppression.LEAST


class _Column:
    """One figure: by label, and in all."""

    def __init__(self) -> None:
        self.by: Counter[str] = Counter()
        self.total = 0

    def add(self, labels: Iterable[str], count: int = 1) -> None:
        """Something that counts once in all, and once for each of ``labels``."""
        self.total += count
        for label in labels:
            self.by[label] += count


def indicators(
    conn: Connection,
    *,
    since: int = 0,
    until: int | None = None,
    by: By = "",
    home: Path | None = None,
) -> Table:
    """The figures of a period in ms, small counts left out; used as ``store.read(indicators, by="month")``.

    ``sector`` is that of the professional's mailbox at the time: enrolment and measures are not told by it.
    By ``kind`` measures alone are told. No table has both kinds and months or regions: with their totals
    beside them, small counts could be found in two directions.

    Raises :class:`InvalidInputError` (``stats.period``, ``stats.sectors``).
    """
    end = now_ms() if until is None else until
    if end < since:
        raise InvalidInputError("stats.period", "the period ends before it begins")
    count = _Count(conn, since, end, by, home)
    return _table(count.columns(), count.labels(), since, end, by)


def _table(columns: dict[str, _Column], labels: list[str], since: int, until: int, by: By) -> Table:
    shown: dict[str, list[int | None]] = {}
    total: dict[str, int | None] = {}
    for name, column in columns.items():
        total[name] = suppression.shown_total(column.total)
        shown[name] = suppression.shown([column.by[label] for label in labels], column.total)
    rows = [
        Row(label, figures, _rates(figures) if by == "region" else {})
        for place, label in enumerate(labels)
        for figures in [{name: cells[place] for name, cells in shown.items()}]
    ]
    return Table(by, since, until, Row("total", total, _rates(total)), rows)


def _rates(figures: dict[str, int | None]) -> dict[str, float | None]:
    compared = {name: pair for name, pair in RATES.items() if set(pair) <= figures.keys()}
    return suppression.rates(figures, compared)


class _Count:
    """One table's worth of counting."""

    def __init__(self, conn: Connection, since: int, until: int, by: By, home: Path | None) -> None:
        self._conn, self._since, self._until, self._by = conn, since, until, by
        self._lanes = places.Lanes(home)
        self._months: dict[int, str] = {}

    def labels(self) -> list[str]:
        """Every row of the table, in order, the unknown first: it is the first to cover for small ones."""
        if self._by == "region":
            return [places.UNKNOWN, *places.REGIONS]
        if self._by == "sector":
            return list(reversed(places.LANES))
        if self._by == "kind":
            return [_kind_label(kind) for kind in dossier.measures.KINDS]
        return self._all_months() if self._by == "month" else []

    def _all_months(self) -> list[str]:
        first = self._since or self._earliest()
        if first is None or first >= self._until:
            return []
        year, month = (int(part) for part in calendar.month_of(first).split("-"))
        last, found = calendar.month_of(self._until - 1), [calendar.month_of(first)]
        while found[-1] != last:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            found.append(f"{year:04d}-{month:02d}")
            if len(found) > MOST_MONTHS:
                raise InvalidInputError("stats.period", f"at most {MOST_MONTHS} months")
        return found

    def _earliest(self) -> int | None:
        return patients.first_step(self._conn)

    def columns(self) -> dict[str, _Column]:
        """Every figure of the table."""
        found: dict[str, _Column] = {}
        if self._by != "sector":
            found[MEASURED], found[MEASURING] = self._measured()
        if self._by == "kind":
            return found
        if self._by != "sector":
            found |= self._steps()
        found[RECEIVED], found[WROTE] = self._received()
        found[SENT] = self._sent()
        found[FILED], found[WITH_DOCUMENT] = self._filed()
        return {name: found[name] for name in (*ENROLMENT, *USE, *MEASURES) if name in found}

    # -- by what ----------------------------------------------------------------------------------

    def _bucket(self, at: ColumnElement[int], department: ColumnElement[str]) -> ColumnElement[Any]:
        """What a statement groups by: hours for months, which begin at a full hour of UTC; days for
        sectors."""
        if self._by == "region":
            return department
        width = {"month": HOUR_MS, "sector": DAY_MS}.get(self._by)
        return literal("") if width is None else at // literal(width, BigInteger)

    def _label(self, bucket: Any, address: str = "") -> list[str]:
        """The rows that a bucket counts for; ``address`` is the professional's."""
        if self._by == "month":
            if bucket not in self._months:
                self._months[bucket] = calendar.month_of(bucket * HOUR_MS)
            return [self._months[bucket]]
        if self._by == "region":
            return [places.region_of(bucket)]
        if self._by == "sector":
            return [self._lanes.lane(self._conn, address, (bucket + 1) * DAY_MS - 1)]
        return [_kind_label(bucket)] if self._by == "kind" else []

    def _rows(self, query: Select[Any]) -> Iterator[Any]:
        """Rows as the database finds them, a thousand at a time."""
        return iter(self._conn.execute(query.execution_options(yield_per=1000)))

    # -- figures ----------------------------------------------------------------------------------

    def _steps(self) -> dict[str, _Column]:
        by: Literal["", "hour", "department"] = ""
        if self._by == "month":
            by = "hour"
        elif self._by == "region":
            by = "department"
        found: dict[str, _Column] = {name: _Column() for name in ENROLMENT}
        for step in patients.steps_by(self._conn, by, self._since, self._until):
            found[step.figure].add(self._label(step.bucket), step.persons)
        return found

    def _received(self) -> tuple[_Column, _Column]:
        """Messages delivered to users, and the mailboxes that wrote them."""
        flow = evidence.flows(["delivered"], self._since, self._until)
        homes = patients.residences()
        bucket = self._bucket(flow.c.at, homes.c.department).label("bucket")
        query = (
            select(flow.c.sender, bucket, func.count())
            .select_from(flow.join(homes, homes.c.address == flow.c.recipient))
            .group_by(flow.c.sender, "bucket")
            .order_by(flow.c.sender)
        )
        received, wrote = _Column(), _Column()
        for sender, rows in groupby(self._rows(query), lambda row: row[0]):
            labels: set[str] = set()
            for _, place, count in rows:
                mine = self._label(place, sender)
                received.add(mine, count)
                labels.update(mine)
            wrote.add(labels)
        return received, wrote

    def _sent(self) -> _Column:
        """Messages of users, each once whatever its recipients."""
        flow = evidence.flows(["accepted", "delivered"], self._since, self._until)
        homes = patients.residences()
        bucket = self._bucket(flow.c.at, homes.c.department).label("bucket")
        joined = flow.join(homes, homes.c.address == flow.c.sender)
        sent = _Column()
        if self._by != "sector":
            counted = select(bucket, func.count(flow.c.trace_id.distinct())).select_from(joined)
            for place, count in self._rows(counted.group_by("bucket")):
                sent.add(self._label(place), count)
            return sent
        each = select(flow.c.trace_id, bucket, flow.c.recipient).select_from(joined)
        for _, rows in groupby(self._rows(each.order_by(flow.c.trace_id)), lambda row: row[0]):
            sent.add({label for _, place, address in rows for label in self._label(place, address)})
        return sent

    def _filed(self) -> tuple[_Column, _Column]:
        """Documents filed, and the profiles that got one."""
        filing = dossier.filings(self._since, self._until)
        homes = patients.residences()
        bucket = self._bucket(filing.c.filed_at, homes.c.department).label("bucket")
        by_sector = self._by == "sector"
        who = filing.c.depositor if by_sector else literal("")
        query = (
            select(filing.c.box_id, bucket, who.label("who"), func.count())
            .select_from(filing.join(homes, homes.c.box_id == filing.c.box_id))
            .group_by(filing.c.box_id, "bucket", "who")
            .order_by(filing.c.box_id)
        )
        filed, profiles = _Column(), _Column()
        for _, rows in groupby(self._rows(query), lambda row: row[0]):
            labels: set[str] = set()
            for _, place, address, count in rows:
                mine = self._label(place, address)
                filed.add(mine, count)
                labels.update(mine)
            profiles.add(labels)
        return filed, profiles

    def _measured(self) -> tuple[_Column, _Column]:
        """Measures that patients or their representatives added, and the profiles that got one so."""
        added = dossier.measures.counts(self._since, self._until)
        homes = patients.residences()
        by_month_or_place = self._bucket(added.c.added_at, homes.c.department)
        bucket = (added.c.kind if self._by == "kind" else by_month_or_place).label("bucket")
        query = (
            select(added.c.box_id, bucket, func.count())
            .select_from(added.join(homes, homes.c.box_id == added.c.box_id))
            .group_by(added.c.box_id, "bucket")
            .order_by(added.c.box_id)
        )
        measures, users = _Column(), _Column()
        for _, rows in groupby(self._rows(query), lambda row: row[0]):
            labels: set[str] = set()
            for _, place, count in rows:
                mine = self._label(place)
                measures.add(mine, count)
                labels.update(mine)
            users.add(labels)
        return measures, users


def _kind_label(kind: dossier.measures.Kind) -> str:
    return dossier.measures.INFO[kind].english


class Kept:
    """The totals for gauges, counted again when they are an hour old. One thread at a time."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock: Final = clock
        self._at = 0
        self._totals: dict[str, int | None] = {}

    def totals(self, read: Callable[[], Table]) -> dict[str, int | None]:
        """Figure to its total, None for what is hidden; ``read`` gives the table when it is time."""
        now = self._clock()
        if not self._totals or now - self._at >= HOUR_MS:
            self._totals, self._at = read().total.figures, now
        return self._totals
