"""``passerelle dossier profile …`` and ``dossier summary``: the medical profile, without reading it.

Who supports the service sees how many items a profile holds, never what they say. At the patient's written
request, which ``--reason`` names, he puts a file in, or has the summary made for the patient. Each use stands
in the patient's history.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, reported, show
from commands.record import Ins, Reason, open_record

app = typer.Typer(help="The medical profile, without reading it.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The medical profile, without reading it."""


@app.command()
@reported
def counts(ins: Ins, reason: Reason, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """How many items each section holds, by state; nothing of what they say."""
    import activity
    from dossier import health

    with open_record(home, ins, reason) as (store, box_id, who):
        entry = activity.entry(store, box_id, who, "profile_read", more={"counts": "yes"})
        store.write(activity.record, entry=entry)
        held = store.read(health.counts, box_id)
    rows = [
        {"section": section, "current": held.get((section, "current"), 0),
         "ended": held.get((section, "ended"), 0), "removed": held.get((section, "removed"), 0)}
        for section in health.SECTIONS
    ]  # fmt: skip
    show(rows, json)


@app.command("import")
@reported
def import_(
    ins: Ins,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="FHIR Bundle, JSON.")],
    reason: Reason,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Add the items of a FHIR Bundle (JSON) that the patient gave, at his written request."""
    from dossier import health

    resources = health.resources_of(file.read_bytes())
    with open_record(home, ins, reason) as (store, box_id, who):
        report = health.import_fhir(store, box_id, who, resources)
    show({"added": report.added, "no items": report.other, "refused": report.bad_count}, json)
    for bad in report.bad:
        typer.echo(f"resource {bad.number} ({bad.resource}): {bad.reason}", err=True)
    if report.bad_count:
        raise typer.Exit(1)


@reported
def summary(
    ins: Ins,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The PDF to write.")],
    reason: Reason,
    language: Annotated[str, typer.Option(help="fr or en.")] = "fr",
    large: Annotated[bool, typer.Option("--large", help="Large print.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Make "Ma santé en résumé" for the patient, at his written request: a PDF that is for him alone."""
    from dossier.summary import summary_pdf
    from store import InvalidInputError, write_private

    if out.exists():
        raise InvalidInputError("health.exists", f"{out.name} exists, and is not written over")
    if language not in ("fr", "en"):
        raise InvalidInputError("health.language", "the language is fr or en")
    with open_record(home, ins, reason) as (store, box_id, who):
        data = summary_pdf(store, box_id, who, language="en" if language == "en" else "fr", large=large)
    write_private(out, data)
    show({"file": str(out), "bytes": len(data)}, json)
