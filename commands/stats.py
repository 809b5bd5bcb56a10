"""``passerelle stats``: the figures that the scheme publishes, and those of the gateway's own work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, open_store, reported, show

if TYPE_CHECKING:
    from gateway.indicators import By, Row, Table

_DAY = "YYYY-MM-DD, in Paris."


@reported
def stats(
    since: Annotated[str, typer.Option(help=f"From this day on, {_DAY}")] = "",
    until: Annotated[str, typer.Option(help=f"To the end of this day, {_DAY}")] = "",
    by: Annotated[str, typer.Option(help="A row for each month, region, sector, or kind of measure.")] = "",
    gateway: Annotated[
        bool, typer.Option("--gateway", help="The gateway's own work instead: not for publication.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Enrolment and use of the service, as the scheme publishes them; counts below ten are left out.

    A count that would give a small one away by subtraction is left out too. Tables of different periods can
    be subtracted from each other: publish one set of periods.
    """
    from store import InvalidInputError

    start, end = _moment(since, "stats.since", 0), _moment(until, "stats.until", 1)
    if by not in ("", "month", "region", "sector", "kind"):
        fail(InvalidInputError("stats.by", "figures are told by month, region, sector or kind"))
    if gateway:
        figures = _gateway(home, start or 0)
        if csv:
            _write_csv([{"figure": name, "count": count} for name, count in figures.items()])
        else:
            show(figures, json)
        return
    from gateway.indicators import indicators

    with open_store(home) as store:
        table = store.read(indicators, since=start or 0, until=end, by=cast("By", by), home=home)
    _print(table, csv, json)


def _moment(day: str, rule: str, days: int) -> int | None:
    """Midnight in Paris of a day, some days later, in ms; None for no day."""
    from datetime import datetime, timedelta

    from patients import calendar
    from store import InvalidInputError

    if not day:
        return None
    try:
        asked = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=calendar.PARIS) + timedelta(days=days)
        return int(asked.timestamp() * 1000)
    except (ValueError, OverflowError):
        fail(InvalidInputError(rule, "a day is written YYYY-MM-DD"))


def _print(table: Table, csv: bool, as_json: bool) -> None:
    import msgspec

    if as_json:
        show(msgspec.to_builtins(table), True)
        return
    rows = [*table.rows, table.total]
    if csv:
        _write_csv([_cells(row, table, "") for row in rows])
        return
    if table.by:
        show([_cells(row, table, "-") for row in rows], False)
    else:
        cells = _cells(table.total, table, "-")
        show({name: value for name, value in cells.items() if name != "total"}, False)
    typer.echo(f"-: below {table.hidden_below}, or would give such a figure away", err=True)


def _cells(row: Row, table: Table, hidden: str) -> dict[str, Any]:
    cells: dict[str, Any] = {table.by or "total": row.label}
    for name in table.total.figures:
        value = row.figures[name]
        cells[name] = hidden if value is None else value
    if table.by in ("", "region"):
        for name in table.total.rates:
            part = row.rates.get(name)
            cells[f"{name} %"] = hidden if part is None else part
    return cells


def _write_csv(rows: list[dict[str, Any]]) -> None:
    import csv
    import sys

    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _gateway(home: Path, since: int) -> dict[str, int]:
    """What was delivered, relayed, refused and filed; what waits; the profiles by state."""
    import evidence
    import patients
    from store import now_ms, tasks

    with open_store(home) as store:
        figures: dict[str, int] = dict(sorted(store.read(evidence.counts, since).items()))
        figures |= {
            f"profiles {state}": count for state, count in store.read(patients.count_by_state).items()
        }
        for queue in tasks.QUEUES:
            figures[f"{queue} waiting"] = len(store.read(tasks.pending, queue, 1_000_000))
        figures["silent for an hour"] = len(store.read(evidence.silent, now_ms() - 3_600_000))
    return figures
