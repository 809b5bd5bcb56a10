"""``passerelle dossier profile …`` and ``dossier summary``: the medical profile, without reading it.

Who supports the service sees how many items a profile holds, never what they say. At the patient's written
request, which ``--reason`` names, he puts a file in, or has the summary made for the patient. Each use stands
in the patient's history.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, open_store, reported, show

if TYPE_CHECKING:
    from activity import Actor
    from store import Store

app = typer.Typer(help="The medical profile, without reading it.", no_args_is_help=True)
Ins = Annotated[str, typer.Argument(metavar="INS", help="The patient's matricule, 15 characters.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: the patient's written request, its date. Kept.")]


@app.callback()
def group() -> None:
    """The medical profile, without reading it."""


@app.command()
@reported
def counts(ins: Ins, reason: Reason, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """How many items each section holds, by state; nothing of what they say."""
    import activity
    from dossier import health

    with open_store(home) as store:
        box_id, who = _box(store, ins), _actor(reason)
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
    with open_store(home) as store:
        report = health.import_fhir(store, _box(store, ins), _actor(reason), resources)
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
    with open_store(home) as store:
        data = summary_pdf(
            store,
            _box(store, ins),
            _actor(reason),
            language="en" if language == "en" else "fr",
            large=large,
        )
    write_private(out, data)
    show({"file": str(out), "bytes": len(data)}, json)


def _box(store: Store, ins: str) -> int:
    import patients

    found = store.read(patients.profile, patients.normalise(ins))
    if found is None or found.box_id is None:
        raise patients.UnknownPatientError
    return found.box_id


def _actor(reason: str) -> Actor:
    from activity import Actor
    from commands.patient_bulk import actor
    from store import InvalidInputError

    if not reason.strip():
        raise InvalidInputError("health.reason", "--reason names the patient's written request")
    return Actor(by="operator", ident=actor(), reason=reason)
