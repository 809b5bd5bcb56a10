"""``passerelle dossier rights …``: who may do what with a record, at the patient's written request."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, reported, show
from commands.record import Ins, Reason, open_record

if TYPE_CHECKING:
    from activity import Actor
    from dossier.rights import Decision, DocumentFacts, RecordFacts
    from store import Store

app = typer.Typer(help="Who may do what with a record.", no_args_is_help=True)
matrix_app = typer.Typer(help="The habilitation matrix: which profession reads what.", no_args_is_help=True)
app.add_typer(matrix_app, name="matrix")

Professional = Annotated[str, typer.Argument(metavar="ID", help="IdNat_PS: 8 and the RPPS number.")]
Number = Annotated[int, typer.Argument(metavar="DOCUMENT", help="See `passerelle dossier list`.")]


@app.callback()
def group() -> None:
    """Who may do what with a record: changed at the patient's written request, each use in his history."""


def _told(changed: bool, json: bool, **said: object) -> None:
    show({**said, "changed": changed}, json)


# -- professionals --------------------------------------------------------------------------------


@app.command()
@reported
def block(
    ins: Ins, professional: Professional, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Shut a record to a professional."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.block(store, box_id, who, professional)
    _told(changed, json, blocked=professional)


@app.command()
@reported
def unblock(
    ins: Ins, professional: Professional, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """End a block; the professional has to be authorised anew."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.unblock(store, box_id, who, professional)
    _told(changed, json, unblocked=professional)


@app.command()
@reported
def authorise(
    ins: Ins, professional: Professional, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Let a professional in, until he is blocked."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.authorise(store, box_id, who, professional)
    _told(changed, json, authorised=professional)


@app.command()
@reported
def appoint(
    ins: Ins, professional: Professional, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Make a physician the treating one, in the place of whoever was."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.appoint(store, box_id, who, professional)
    _told(changed, json, treating=professional)


@app.command()
@reported
def dismiss(ins: Ins, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Have no treating physician any more."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.dismiss(store, box_id, who)
    _told(changed, json, treating="")


@app.command()
@reported
def emergency(
    ins: Ins,
    regulation: Annotated[
        bool | None, typer.Option("--regulation/--no-regulation", help="Access by the SAMU's regulation.")
    ] = None,
    break_glass: Annotated[
        bool | None, typer.Option("--break-glass/--no-break-glass", help="Access for a written reason.")
    ] = None,
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Allow or refuse what emergencies may do."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.set_emergency(store, box_id, who, regulation=regulation, break_glass=break_glass)
    _told(changed, json, regulation=regulation, break_glass=break_glass)


# -- masks ----------------------------------------------------------------------------------------


@app.command()
@reported
def mask(
    ins: Ins,
    document: Annotated[int, typer.Argument(metavar="[DOCUMENT]", help="Its number.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="All, and those filed later.")] = False,
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Mask a document from professionals, or all; authors and the treating physician excepted."""
    from dossier import rights

    _one_or_all(document, every)
    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.mask_all(store, box_id, who) if every else rights.mask(store, box_id, who, document)
    _told(changed, json, masked="all" if every else document)


@app.command()
@reported
def unmask(
    ins: Ins,
    document: Annotated[int, typer.Argument(metavar="[DOCUMENT]", help="Its number.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="End `mask --all`.")] = False,
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """End a mask. Documents that were masked one by one are unmasked one by one."""
    from dossier import rights

    _one_or_all(document, every)
    with open_record(home, ins, reason) as (store, box_id, who):
        changed = (
            rights.unmask_all(store, box_id, who) if every else rights.unmask(store, box_id, who, document)
        )
    _told(changed, json, unmasked="all" if every else document)


def _one_or_all(document: int, every: bool) -> None:
    from store import InvalidInputError

    if bool(document) == every:
        raise InvalidInputError("dossier.document", "give the number of a document, or --all")


@app.command()
@reported
def announce(
    ins: Ins, document: Number, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Make a withheld document visible to the patient, who was told what it says; it cannot be undone."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.announce(store, box_id, who, document)
    _told(changed, json, announced=document)


@app.command()
@reported
def hide(
    ins: Ins, document: Number, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Hide a document from legal representatives; its author, or the patient once of age, shows it again."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        changed = rights.hide(store, box_id, who, document)
    _told(changed, json, hidden=document)


# -- looking --------------------------------------------------------------------------------------


@app.command("show")
@reported
def show_(ins: Ins, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The rights to a record as they stand."""
    from dossier import rights

    with open_record(home, ins, reason) as (store, box_id, who):
        _trace(store, box_id, who)
        held = store.read(rights.rights_of, box_id)
    marks = held.marks.items()
    show(
        {
            "treating physician": held.treating,
            "authorised": sorted(held.authorised),
            "blocked": sorted(held.blocked),
            "regulation": "refused" if held.regulation_refused else "allowed",
            "break glass": "refused" if held.glass_refused else "allowed",
            "all masked": bool(held.all_masked),
            "masked": sorted(number for number, one in marks if one.masked),
            "unmasked": sorted(number for number, one in marks if one.unmasked),
            "withheld": sorted(number for number, one in marks if one.withheld),
            "announced": sorted(number for number, one in marks if one.announced),
        },
        json,
    )


@app.command()
@reported
def explain(
    ins: Annotated[str, typer.Option("--ins", help="The patient's matricule.")],
    professional: Annotated[str, typer.Option(help="IdNat_PS of a professional.")] = "",
    person: Annotated[str, typer.Option(help="INS of the patient, or of who represents him.")] = "",
    document: Annotated[int, typer.Option(help="Number of a document.")] = 0,
    profession: Annotated[str, typer.Option(help="Code of G15, where the directory has none.")] = "",
    purpose: Annotated[str, typer.Option(help="normal, regulation or break_glass.")] = "normal",
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="A past moment."),
    ] = None,
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Who may do what with a record or a document, and why: each action with the rule that decides."""
    import msgspec

    from activity import Actor
    from dossier import rights
    from patients import normalise
    from store import InvalidInputError

    if bool(professional) == bool(person):
        raise InvalidInputError("dossier.asker", "give --professional or --person")
    if purpose not in ("normal", "regulation", "break_glass"):
        raise InvalidInputError("dossier.purpose", "a purpose is normal, regulation or break_glass")
    past = None if at is None else int(at.astimezone().timestamp() * 1000)
    with open_record(home, ins, reason) as (store, box_id, who):
        _trace(store, box_id, who)
        if professional:
            asked = store.read(
                rights.professional,
                professional,
                profession=profession,
                purpose=purpose,  # type: ignore[arg-type]  # one of three, as checked above
                reason="-" if purpose == "break_glass" else "",
                at=past,
            )
        else:
            asked = Actor(by="patient", ident=normalise(person))
        found = store.read(rights.explain, store, box_id, asked, document or None, past)
    if json:
        show(msgspec.to_builtins(found), json)
        return
    show({"who": asked.by, "profession": asked.profession, **_facts(found.record, found.document)}, json)
    show([_answer(action, one) for action, one in found.answers.items()], json)


def _facts(record: RecordFacts, document: DocumentFacts | None) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = {f"record: {name}": one for name, one in msgspec.structs.asdict(record).items()}
    if document is not None:
        facts |= {f"document: {name}": one for name, one in msgspec.structs.asdict(document).items()}
    return facts


def _answer(action: str, decision: Decision) -> dict[str, Any]:
    return {
        "action": action,
        "allowed": decision.allowed,
        "rule": decision.rule,
        "why": decision.english,
        "kept": decision.kept,
    }


def _trace(store: Store, box_id: int, who: Actor) -> None:
    import activity

    store.write(activity.record, entry=activity.entry(store, box_id, who, "rights_read"))


# -- the habilitation matrix ----------------------------------------------------------------------


@matrix_app.callback()
def matrix_group() -> None:
    """The habilitation matrix: which profession reads which class of documents."""


@matrix_app.command("import")
@reported
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: profession;item;rights.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Take a matrix in use, whole and at once; a file with one bad row is refused."""
    import msgspec

    from commands.patient_bulk import actor
    from dossier import rights

    with open_store(home) as store:
        report = rights.import_matrix(store, file, actor=actor(), dry_run=dry_run)
    row = msgspec.to_builtins(report)
    show(row if json else {name: row[name] for name in row if name != "bad"}, json)
    for bad in report.bad:
        typer.echo(f"line {bad.line}: {bad.reason}", err=True)
    if report.bad_count:
        typer.echo("Nothing was changed: correct these rows and import the file again.", err=True)
        raise typer.Exit(1)


@matrix_app.command("show")
@reported
def matrix_show(
    profession: Annotated[str, typer.Option(help="Code of G15: only its rows.")] = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The versions of the matrix; with --profession, what it may read now."""
    import msgspec

    from dossier import rights

    with open_store(home) as store:
        if profession:
            now = store.read(rights.matrix_version)
            rows = store.read(rights.matrix_rows, now.version)
            show(
                [msgspec.structs.asdict(one) for one in rows if one.profession == profession],
                json,
                empty="this profession reads nothing",
            )
            return
        versions = store.read(rights.matrix_versions)
    show(
        [
            {
                "version": one.version,
                "since": moment(one.at),
                "by": one.actor,
                "file": one.source,
                "rows": one.row_count,
                "sha256": bytes(one.sha256).hex(),
            }
            for one in versions
        ],
        json,
    )


@matrix_app.command("export")
@reported
def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write the CSV.")],
    version: Annotated[int, typer.Option(help="Which one; the one in use when left out.")] = -1,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Write a version of the matrix as the CSV that `import` takes."""
    from dossier import rights
    from store import NotFoundError

    with open_store(home) as store:
        number = store.read(rights.matrix_version).version if version < 0 else version
        rows = store.read(rights.matrix_rows, number)
    if not rows:
        raise NotFoundError("dossier.matrix_version", f"there is no version {number} of the matrix")
    file.write_text(rights.matrix_csv(rows), encoding="utf-8")
    show({"version": number, "rows": len(rows), "file": str(file)}, json)
