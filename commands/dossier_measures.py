"""``passerelle dossier measure …``: how measures are read, and files of them, at a patient's request.

Who supports the service reads no measure and adds none by hand: there is no verb for it. What of a record
these verbs touch stands in the patient's history.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, reported, show
from commands.record import Ins, Reason, open_record

app = typer.Typer(no_args_is_help=True)
_SHOWN_FAULTS = 20


@app.command()
@reported
def kinds(json: Json = False) -> None:
    """The kinds of measures: units (the first is the canonical one), codes, and what an adult's can be."""
    from dossier import measures

    rows = []
    for kind in measures.KINDS:
        info, adult = measures.INFO[kind], measures.limits(kind, 30 * 12)
        bounds = [
            "–".join(measures.words.plain(number, 2) for number in (one.low, one.high))
            for one in adult.possible
        ]
        rows.append(
            {
                "kind": kind,
                "name": info.french,
                "units": [unit.code for unit in info.units],
                "LOINC": info.loinc,
                "possible": bounds,
            }
        )
    show(rows, json)


@app.command("understand")
@reported
def understand(
    kind: Annotated[str, typer.Argument(help="See `passerelle dossier measure kinds`.")],
    text: Annotated[str, typer.Argument(help="As a patient types it.")],
    unit: Annotated[str, typer.Option(help="The unit that the form proposes, as `kinds` writes it.")] = "",
    json: Json = False,
) -> None:
    """How what is typed is read, or the sentence it is refused with. Nothing is kept."""
    from datetime import date

    from dossier import measures

    try:
        entered = measures.parse(measures.kind_named(kind), text, unit)
        strange = measures.unusual(entered, "", date(2000, 1, 1))
    except measures.MeasureError as error:
        typer.echo(error.french, err=True)
        fail(error)
    canonical = measures.INFO[entered.kind].units[0].code
    show(
        {
            "entered": measures.words.quantity(entered, "fr"),
            "canonical": measures.words.converted(entered, canonical, "fr"),
            "asked again": strange,
        },
        json,
    )


@app.command()
@reported
def count(ins: Ins, reason: Reason, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """How many measures a patient has, not of what kinds; the patient's history tells of it."""
    import activity
    from dossier.measures import held

    with open_record(home, ins, reason) as (store, box_id, actor):
        entry = activity.entry(store, box_id, actor, "measures_counted", kind="measure")
        store.write(activity.record, entry=entry)
        found = store.read(held, box_id)
    show(
        {
            "current": found.current,
            "removed": found.removed,
            "last added": found.last_added_at if json else moment(found.last_added_at),
        },
        json,
    )


@app.command("import")
@reported
def import_(
    ins: Ins,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: kind;taken_at;value;unit.")],
    reason: Reason,
    zone: Annotated[str, typer.Option(help="Of times that name no offset.")] = "Europe/Paris",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Keep nothing; tell what would be.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Keep the measures of a file that the patient gave; what is on record already is left out.

    Columns: kind, taken_at (or date and time), value, unit, and optionally context and note.
    """
    import msgspec

    from dossier.measures import import_measures

    with open_record(home, ins, reason) as (store, box_id, actor), file.open("rb") as opened:
        report = import_measures(store, box_id, actor, opened, zone=zone, dry_run=dry_run)
    row = msgspec.to_builtins(report)
    show(row if json else {name: row[name] for name in row if name != "bad"}, json)
    if not json:
        for bad in report.bad[:_SHOWN_FAULTS]:
            typer.echo(f"line {bad.line}: {bad.english} [{bad.rule}]", err=True)
        if report.bad_count > _SHOWN_FAULTS:
            typer.echo(f"… and {report.bad_count - _SHOWN_FAULTS} more lines; --json tells 200", err=True)
