"""`passerelle annuaire`: the directory and the list of authorised domains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, progress_bar, settings, show

app = typer.Typer(
    name="annuaire", help="Professionals, structures, mailboxes, authorised domains.", no_args_is_help=True
)
whitelist = typer.Typer(help="The signed list of authorised domains.", no_args_is_help=True)
app.add_typer(whitelist, name="whitelist")


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Extractions, plain or zip.")
    ],
    home: Home = DEFAULT_HOME,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="Take a file much smaller than the data in use.")
    ] = False,
    json: Json = False,
) -> None:
    """Load extractions of the Annuaire Santé; which one a file is, its header tells."""
    import msgspec

    from annuaire import import_extraction

    with open_store(home) as store:
        reports = []
        for file in files:
            with progress_bar(file.name) as advance:
                reports.append(import_extraction(store, file, progress=advance, accept_shrink=accept_shrink))
    if json:
        show([msgspec.to_builtins(report) for report in reports], json)
        return
    counts = ("title", "rows", "added", "changed", "gone", "repeated", "bad_count", "drifted")
    show([{name: getattr(report, name) for name in counts} for report in reports], json)
    for report in reports:
        for row in report.bad[:20]:
            typer.echo(f"{report.title}, line {row.line}: {row.reason}", err=True)


@app.command("show")
def show_(
    which: Annotated[str, typer.Argument(help="A mail address, RPPS, ADELI, FINESS or SIRET.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Show the mailboxes of an address, a person or a structure; non-zero when there is none."""
    import msgspec

    from annuaire import find

    with open_store(home) as store:
        rows = [msgspec.to_builtins(box) for box in store.read(find, which)]
    show(rows, json, empty="not in the annuaire")
    if not rows:
        raise typer.Exit(1)


@app.command()
def search(
    text: Annotated[list[str], typer.Argument(help="Beginnings of words: name, profession, place, address.")],
    home: Home = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    json: Json = False,
) -> None:
    """Search mailboxes by words; accents and case do not count."""
    import msgspec

    from annuaire import search as search_

    with open_store(home) as store:
        found = [msgspec.to_builtins(box) for box in store.read(search_, " ".join(text), limit)]
    columns = ("address", "kind", "name", "profession", "town", "postcode", "active")
    show(found if json else [{name: row[name] for name in columns} for row in found], json)


@whitelist.command("import")
def whitelist_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The signed XML list.")],
    home: Home = DEFAULT_HOME,
    signer_cn: Annotated[str, typer.Option(help="Expected CN of the signer; else as in the settings.")] = "",
    signer_ou: Annotated[str, typer.Option(help="Expected OU of the signer; else as in the settings.")] = "",
    accept_older: Annotated[
        bool, typer.Option("--accept-older", help="Take a list older than the one in use.")
    ] = False,
    json: Json = False,
) -> None:
    """Verify the signed list and put it in use; on any doubt the last good one stays."""
    import asyncio
    from functools import partial

    import msgspec

    from annuaire import import_whitelist
    from certs import TrustStore

    expected = settings(home).whitelist
    with open_store(home) as store:
        report = asyncio.run(
            import_whitelist(
                store,
                file,
                partial(TrustStore.load(home / "trust").check, purpose="sign"),
                signer_cn=signer_cn or expected.signer_cn,
                signer_ou=signer_ou or expected.signer_ou,
                accept_older=accept_older,
            )
        )
    row = msgspec.to_builtins(report)
    show(row if json else {**row, "generated_at": moment(report.generated_at)}, json)


@whitelist.command("show")
def whitelist_show(
    home: Home = DEFAULT_HOME,
    domain: Annotated[str, typer.Argument(help="A mail domain; without one, the list itself.")] = "",
    json: Json = False,
) -> None:
    """Show who may act for a domain; non-zero when the domain is not listed."""
    import msgspec

    from annuaire import whitelist_entries, whitelist_status

    with open_store(home) as store:
        status = store.read(whitelist_status)
        entries = store.read(whitelist_entries, domain) if domain else []
    if domain:
        rows = []
        for one in entries:
            updated = one.updated_at if json else moment(one.updated_at)
            rows.append({"certificate": one.dn, "description": one.description, "updated": updated})
        show(rows, json, empty="not a domain of the trust space")
    elif status is not None:
        row = msgspec.to_builtins(status)
        times_of = {name: moment(row[name]) for name in ("generated_at", "imported_at")}
        show(row if json else {**row, **times_of}, json)
    else:
        show({}, json, empty="no list was imported yet")
    if not (entries or (status and not domain)):
        raise typer.Exit(1)
