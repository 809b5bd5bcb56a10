"""`passerelle annuaire report`: what is wrong, old or missing in the directory."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, open_store, reported, settings, show


@reported
def report(
    home: Home = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(min=0, max=1_000_000, help="Examples of each finding.")] = 5,
    csv: Annotated[bool, typer.Option("--csv", help="One line per example, for a spreadsheet.")] = False,
    json: Json = False,
) -> None:
    """Boxes without active holder, unknown structures and domains, duplicates, age of each source."""
    import msgspec

    from annuaire import hygiene
    from store import now_ms

    hosted = settings(home).gateway.hosted_domains
    with open_store(home) as store:
        found = store.read(
            lambda conn: [*hygiene(conn, now=now_ms(), hosted=hosted, limit=limit)],
        )
    if csv:
        _write_csv([(one.key, one.count, example) for one in found for example in one.examples or [{}]])
        return
    if json:
        show([msgspec.to_builtins(one) for one in found], True)
        return
    show(
        [
            {
                "finding": one.key,
                "count": "-" if one.count is None else one.count,
                "what": f"{one.title} ({one.note})" if one.note else one.title,
            }
            for one in found
        ],
        False,
    )
    for one in found:
        for example in one.examples:
            typer.echo(f"{one.key}: " + "  ".join(value for value in example.values() if value))


def _write_csv(rows: list[tuple[str, int | None, dict[str, str]]]) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout)
    writer.writerow(("finding", "count", "what", "detail"))
    for key, count, example in rows:
        what, *more = [_harmless(value) for value in example.values()] or [""]
        writer.writerow((key, "" if count is None else count, what, " | ".join(one for one in more if one)))


def _harmless(value: str) -> str:
    """A spreadsheet computes what starts like a formula; the directory's texts are written by others."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
