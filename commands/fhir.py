"""`passerelle annuaire fhir`: the Annuaire Santé FHIR API, which keeps the directory fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import (
    DEFAULT_HOME,
    Home,
    Json,
    moment,
    open_store,
    progress_bar,
    reported,
    settings,
    show,
)

if TYPE_CHECKING:
    from pathlib import Path

    from annuaire import FhirClient

app = typer.Typer(help="The FHIR API of the Annuaire Santé.", no_args_is_help=True)


def _client(home: Path) -> FhirClient:
    from gateway.freshness import fhir_client

    return fhir_client(home, settings(home))


@app.command()
def sync(
    home: Home = DEFAULT_HOME,
    whole: Annotated[
        bool, typer.Option("--all", help="Ask for every mailbox instead of what changed; takes hours.")
    ] = False,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="With --all: let many mailboxes go.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the directory up to date with what changed; goes on where an interrupted one ended."""
    import msgspec

    from annuaire import sync_fhir

    with open_store(home) as store, _client(home) as client, progress_bar("pages") as advance:
        report = sync_fhir(store, client, whole=whole, accept_shrink=accept_shrink, progress=advance)
    row = msgspec.to_builtins(report)
    if json:
        show(row, json)
        return
    faults = row.pop("faults")
    found = ", ".join(f"{count} {kind}" for kind, count in report.resources.items())
    show({**row, "resources": found}, json)
    for fault in faults[:20]:
        typer.echo(fault, err=True)


@app.command()
@reported
def search(
    text: Annotated[str, typer.Argument(help="A mailbox address, or a part of one.")],
    home: Home = DEFAULT_HOME,
    exact: Annotated[bool, typer.Option("--exact", help="The whole address, nothing less.")] = False,
    json: Json = False,
) -> None:
    """Ask the API itself for mailboxes, now; non-zero when it knows none."""
    import msgspec

    from annuaire import search_fhir

    with _client(home) as client:
        found = search_fhir(client, text, exact=exact)
    rows = [dict(zip(row.__struct_fields__, msgspec.to_builtins(row), strict=True)) for row in found.rows]
    columns = ("address", "kind", "name", "id_nat", "struct_id", "profession", "service", "town")
    show(rows if json else [{name: row[name] for name in columns} for row in rows], json)
    for fault in found.faults[:20]:
        typer.echo(fault, err=True)
    if found.red:
        typer.echo(f"{found.red} more are on the red list and not shown", err=True)
    if not rows:
        raise typer.Exit(1)


@app.command()
def status(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Show up to when changes are applied, and how the last attempt ended."""
    import msgspec

    from annuaire import fhir_searches, refresh_state

    with open_store(home) as store:
        searches = store.read(fhir_searches)
        state = store.read(refresh_state, "fhir")
    rows = [
        {
            "resource": kind,
            "applied up to": one.mark if json else moment(one.mark),
            "unfinished": bool(one.run),
        }
        for kind, one in searches.items()
    ]
    if json:
        show({"searches": rows, "last": msgspec.to_builtins(state)}, json)
        return
    show(rows, json)
    last = f"last tried {moment(state.tried_at)}" if state.tried_at else "never tried"
    typer.echo(f"{last}: {state.reason} [{state.rule}]" if state.rule else last)
