"""`passerelle annuaire`: the directory and the list of authorised domains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import annuaire_report, fhir, whitelist
from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, progress_bar, settings, show

app = typer.Typer(
    name="annuaire", help="Professionals, structures, mailboxes, authorised domains.", no_args_is_help=True
)
app.add_typer(whitelist.app, name="whitelist")
app.command("report")(annuaire_report.report)
app.add_typer(fhir.app, name="fhir")


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Extractions, plain or zip.")
    ],
    home: Home = DEFAULT_HOME,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", help="A list of our own, beside the national one: APP boxes, red list.")
    ] = False,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="Take a file much smaller than the data in use.")
    ] = False,
    accept_older: Annotated[
        bool, typer.Option("--accept-older", help="Take a file whose name dates it before the one in use.")
    ] = False,
    json: Json = False,
) -> None:
    """Load extractions of the Annuaire Santé; which one a file is, its header tells."""
    import msgspec

    from annuaire import import_extraction

    days = settings(home).annuaire.history_days
    with open_store(home) as store:
        reports = []
        for file in files:
            with progress_bar(file.name) as advance:
                report = import_extraction(
                    store,
                    file,
                    progress=advance,
                    dry_run=dry_run,
                    local=local,
                    accept_shrink=accept_shrink,
                    accept_older=accept_older,
                    history_ms=days * 86_400_000,
                )
            reports.append(report)
    if json:
        show([msgspec.to_builtins(report) for report in reports], json)
        return
    counts = ("title", "rows", "added", "changed", "gone", "repeated", "duplicates", "bad_count", "drifted")
    show([{name: getattr(report, name) for name in counts} for report in reports], json)
    for report in reports:
        if report.note:
            typer.echo(f"{report.title}: {report.note}", err=True)
        for row in report.bad[:20]:
            typer.echo(f"{report.title}, line {row.line}: {row.reason}", err=True)
        if report.duplicates:
            some = ", ".join(report.examples_of_duplicates[:5])
            typer.echo(f"{report.duplicates} addresses stand on several lines: {some}", err=True)
        if dry_run:
            for example in report.examples:
                typer.echo(example)
    if dry_run:
        typer.echo("Nothing was changed. Without --dry-run this is put in use.")


@app.command("show")
def show_(
    which: Annotated[str, typer.Argument(help="A mail address, RPPS, ADELI, FINESS or SIRET.")],
    home: Home = DEFAULT_HOME,
    at: Annotated[str, typer.Option(help="As the annuaire stood then, e.g. 2026-08-26T12:00.")] = "",
    json: Json = False,
) -> None:
    """Show the mailboxes of an address, a person or a structure; non-zero when there is none."""
    import msgspec

    from annuaire import find

    with open_store(home) as store:
        rows = [msgspec.to_builtins(box) for box in store.read(find, which, _moment(at))]
    show(rows, json, empty="not in the annuaire" + (f" on {at}" if at else ""))
    if not rows:
        raise typer.Exit(1)


@app.command()
def history(
    which: Annotated[str, typer.Argument(help="A mail address, RPPS, ADELI, FINESS or SIRET.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Tell what each import changed about an address, a person or a structure; non-zero for nothing."""
    import msgspec

    from annuaire import history as history_

    with open_store(home) as store:
        rows = [msgspec.to_builtins(change) for change in store.read(history_, which)]
    if not json:
        rows = [{**row, "applied_at": moment(row["applied_at"])} for row in rows]
    show(rows, json, empty="the annuaire never listed it, as far back as its history is kept")
    if not rows:
        raise typer.Exit(1)


@app.command()
def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Beginnings of words: name, profession, place, address.")
    ] = None,
    home: Home = DEFAULT_HOME,
    profession: Annotated[str, typer.Option(help="Code (10 médecin, 21 pharmacien …) or its label.")] = "",
    town: Annotated[str, typer.Option(help="Beginning of a town's name.")] = "",
    postcode: Annotated[str, typer.Option(help="Five digits.")] = "",
    department: Annotated[str, typer.Option(help="Two or three digits, 2A, 2B.")] = "",
    kind: Annotated[str, typer.Option(help="PER, ORG, CAB or APP.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    json: Json = False,
) -> None:
    """Search mailboxes by words and filters; accents and case do not count. Never shows the red list."""
    import msgspec

    from annuaire import search as search_

    if not text and not any((profession, town, postcode, department, kind)):
        typer.echo("Say what to search: words, or a filter such as --town LYON.", err=True)
        raise typer.Exit(2)
    with open_store(home) as store:
        boxes = store.read(
            search_,
            " ".join(text or []),
            limit,
            profession=profession,
            town=town,
            postcode=postcode,
            department=department,
            kind=kind,
        )
    found = [msgspec.to_builtins(box) for box in boxes]
    columns = ("address", "kind", "name", "profession", "town", "postcode", "active")
    show(found if json else [{name: row[name] for name in columns} for row in found], json)


@app.command()
def generations(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """List the imports, newest first: which is in use, and which of the past can still be asked."""
    import msgspec

    from annuaire import generations as generations_

    with open_store(home) as store:
        rows = [msgspec.to_builtins(one) for one in store.read(generations_)]
    if not json:
        names = ("source", "generation", "state", "row_count", "bad_rows", "file_name")
        times = ("file_date", "applied_at")
        rows = [
            {**{name: row[name] for name in names}, **{name: moment(row[name]) for name in times}}
            for row in rows
        ]
    show(rows, json, empty="nothing was imported yet")


def _moment(text: str) -> int | None:
    """A time given on the command line, local unless it says otherwise, in ms."""
    from datetime import datetime

    if not text:
        return None
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time such as 2026-08-26T12:00", param_hint="--at"
        ) from None
