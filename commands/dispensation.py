"""``passerelle patient dispensation``: the feed that tells to which pharmacies a patient may write first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, open_store, progress_bar, reported, settings, show

app = typer.Typer(help="Dispensations: the pharmacies a patient may write to first.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Dispensations: the pharmacies a patient may write to first."""


@app.command("import")
@reported
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a header line.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Add dispensations: ins;officine;date. Safe to run again; older than two years is left out."""
    import msgspec

    from patients import import_dispensations

    required = settings(home).rules.dispensations == "required"
    with open_store(home) as store, progress_bar(file.name) as advance:
        report = import_dispensations(store, file, progress=advance)
    row = msgspec.to_builtins(report)
    show(row if json else {name: row[name] for name in row if name != "bad"}, json)
    if not json:
        for bad in report.bad[:20]:
            typer.echo(f"line {bad.line}: {bad.reason}", err=True)
        if not required:
            typer.echo('They do not count yet: set dispensations = "required" in [rules].', err=True)
