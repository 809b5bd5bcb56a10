"""``passerelle portability …``: one person as one archive, and such an archive taken over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, progress_bar, reported, show
from commands.record import Ins, Reason, open_record

if TYPE_CHECKING:
    from gateway.portability import Missing

app = typer.Typer(no_args_is_help=True)
_SHOWN = 20


@app.command()
@reported
def export(
    ins: Ins,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The archive to write; a new file.")],
    reader: Annotated[
        str, typer.Option("--for", help="INS of who gets it: a legal representative; else the patient.")
    ] = "",
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Write all that one person's space holds into a ZIP: mail, documents, profile, agenda, history.

    What is kept from who gets it is left out. The file is not encrypted.
    """
    import activity
    from gateway.portability import export_to_file
    from patients import normalise

    with open_record(home, ins, reason) as (store, box_id, who), progress_bar(out.name) as advance:
        eyes = store.read(activity.person, box_id, normalise(reader or ins))
        manifest = export_to_file(store, box_id, who, out, advance, reader=eyes)
    row = {
        "file": str(out),
        "octets": out.stat().st_size,
        **manifest.counts,
        "missing": len(manifest.missing),
    }
    show(row, json)
    _tell(manifest.missing)


@app.command("import")
@reported
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An archive of `export`.")],
    ins: Annotated[str, typer.Option("--ins", help="The patient it is of; he has to be the same.")],
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Verify and count; change nothing.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Take over what another home exported of the same person; again, it brings nothing twice.

    Mail comes as old mail: no rule is asked, no correspondence opened. Consents are listed, not taken over.
    """
    import msgspec

    from gateway.portability import import_archive

    with (
        open_record(home, ins, reason) as (store, box_id, who),
        progress_bar(file.name) as advance,
        file.open("rb") as archive,
    ):
        result = import_archive(store, box_id, who, archive, advance, dry_run=dry_run)
    if json:
        show(msgspec.to_builtins(result), json)
    else:
        rows: list[dict[str, object]] = [msgspec.to_builtins(one) for one in result.parts]
        if dry_run:  # what is there already is not looked at
            rows = [{"part": one.part, "in the archive": one.came} for one in result.parts]
        show(rows, json)
        typer.echo(f"the archive is of {moment(result.made_at)}{'; nothing was changed' if dry_run else ''}")
        for sentence in result.listed:
            typer.echo(f"not taken over: {sentence}")
        _tell([*result.missing_there, *result.missing])
    if result.missing:
        raise typer.Exit(1)


def _tell(missing: list[Missing]) -> None:
    for one in missing[:_SHOWN]:
        typer.echo(f"missing: {one.part} {one.item}: {one.reason}", err=True)
    if len(missing) > _SHOWN:
        typer.echo(f"… and {len(missing) - _SHOWN} more; --json or manifest.json tell them", err=True)
