"""``passerelle dossier …``: a record's documents, for administrators and support; each use in its history.

Support lists documents and never reads one: there is no verb for it. What changes a record is done for a
person who asks for it (``--as``), with his rights, and a written reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import dossier_history, dossier_measures, dossier_profile, dossier_rights
from commands.common import DEFAULT_HOME, Home, Json, fail, moment, reported, show
from commands.record import Ins, Reason, assisted, open_record

if TYPE_CHECKING:
    from dossier import Document

app = typer.Typer(no_args_is_help=True)
app.command()(dossier_history.history)
app.command()(dossier_history.notices)
app.add_typer(dossier_measures.app, name="measure")
app.add_typer(dossier_rights.app, name="rights")
app.add_typer(dossier_profile.app, name="profile")
app.command("summary")(dossier_profile.summary)
Number = Annotated[int, typer.Argument(metavar="DOCUMENT", help="See `passerelle dossier list`.")]
For = Annotated[str, typer.Option("--as", help="INS of who asks: the patient, or who represents him.")]
Heading = Annotated[str, typer.Option("--category", help='The heading, e.g. "Comptes rendus".')]


@app.command("list")
@reported
def list_(
    ins: Ins,
    reason: Reason = "",
    history: Annotated[bool, typer.Option("--history", help="Also replaced documents.")] = False,
    reader: Annotated[
        str, typer.Option("--for", help="INS of a reader: what the patient, or who represents him, sees.")
    ] = "",
    category: Heading = "",
    type_code: Annotated[str, typer.Option("--type", help="Type code of JDV_J66.")] = "",
    author: Annotated[str, typer.Option(help="Words of the author or his organisation.")] = "",
    text: Annotated[str, typer.Option(help="Words of title, type, heading, author.")] = "",
    since: Annotated[str, typer.Option(help="First day of the documents, YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option(help="Last day of the documents, YYYY-MM-DD.")] = "",
    order: Annotated[str, typer.Option(help="newest, oldest, filed, title, author or category.")] = "newest",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The documents of a patient: titles, never their content."""
    from typing import get_args

    import activity
    from dossier import Order, Wanted, documents_for, list_documents, ordered
    from store import InvalidInputError

    if order not in get_args(Order):
        fail(InvalidInputError("dossier.order", f"--order is one of {', '.join(get_args(Order))}"))
    wanted = Wanted(
        category=category,
        type_code=type_code,
        author=author,
        text=text,
        since=_day(since, 0),
        until=_day(until, 1),
    )
    with open_record(home, ins, reason) as (store, box_id, operator):
        listed = list_documents(store, box_id, operator, wanted, history=history)
        if reader:
            person = activity.Actor(by="patient", ident=reader)
            seen = store.read(documents_for, store, box_id, person, history=history)
            kept = {one.document_id for one in seen}
            listed = [one for one in listed if one.document_id in kept]
    show([_row(one) for one in ordered(listed, order)], json, empty="no document")  # type: ignore[arg-type]  # checked above


@app.command("show")
@reported
def show_(number: Number, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """One document in full, without its content."""
    import activity
    from dossier import document_for

    with open_record(home, number, reason) as (store, box_id, operator):
        document = store.read(document_for, store, box_id, number, operator)
        entry = activity.entry(
            store, box_id, operator, "documents_listed", kind="document", subject=str(number)
        )
        store.write(activity.record, entry=entry)
    info = document.info
    show(
        _row(document)
        | {
            "unique id": document.unique_id,
            "set id": document.set_id,
            "type code": info.type_code,
            "class code": info.class_code,
            "format": info.format_code,
            "kind of file": info.body_mime or info.mime,
            "organisation": info.organisation,
            "confidentiality": info.confidentiality,
            "filed by": document.deposited_by,
            "sent by": document.depositor,
            "replaced by": document.replaced_by,
            "size": document.size,
            "sha256": document.sha256.hex(),
            "trace": document.trace_id,
        },
        json,
    )


@app.command()
@reported
def versions(number: Number, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """All versions of a document, newest first."""
    import activity
    from dossier import document_versions

    with open_record(home, number, reason) as (store, box_id, operator):
        found = store.read(document_versions, store, box_id, number, operator)
        entry = activity.entry(
            store, box_id, operator, "documents_listed", kind="document", subject=str(number)
        )
        store.write(activity.record, entry=entry)
    show([_row(one) for one in found], json)


@app.command()
@reported
def deposit(
    ins: Ins,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    who: For = "",
    reason: Reason = "",
    category: Heading = "",
    title: Annotated[str, typer.Option(help="The file's name when it is left out.")] = "",
    date: Annotated[str, typer.Option(help="Day of the document, YYYY-MM-DD.")] = "",
    replaces: Annotated[int, typer.Option(help="Number of the document that it takes the place of.")] = 0,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Deposit a file for a patient, as he asks for it: JPEG, PNG, PDF, RTF, TIFF or TXT of at most 5 MB."""
    from dossier import PATIENT_LIMIT, document_for
    from dossier import deposit as deposit_file

    with open_record(home, ins, reason) as (store, box_id, operator):
        person = assisted(store, box_id, who, operator)
        replaced = store.read(document_for, store, box_id, replaces, person) if replaces else None
        with file.open("rb") as opened:
            content = opened.read(PATIENT_LIMIT + 1)
        filed = deposit_file(
            store,
            box_id,
            person,
            content=content,
            filename=file.name,
            title=title,
            category=category,
            date=_day(date, 0),
            replaces=replaced.unique_id if replaced is not None else "",
        )
    show({"number": filed.document_id, "outcome": filed.outcome}, json)


@app.command()
@reported
def save(
    ins: Ins,
    message: Annotated[int, typer.Argument(metavar="MESSAGE", help="The message's number.")],
    part: Annotated[list[int] | None, typer.Option(help="Attachment from 1; all when left out.")] = None,
    who: For = "",
    reason: Reason = "",
    category: Heading = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Save the attachments of a message into the record of its patient, as he asks for it."""
    import msgspec

    from gateway.dmp_bridge import save_parts

    with open_record(home, ins, reason) as (store, box_id, operator):
        person = assisted(store, box_id, who, operator)
        saved = save_parts(store, box_id, message, person, part, category=category)
    show([msgspec.structs.asdict(one) for one in saved], json, empty="no attachment")
    if any(one.outcome == "refused" for one in saved):
        raise typer.Exit(1)


@app.command()
@reported
def delete(
    number: Number, who: For = "", reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Delete a document that the patient deposited, as he asks for it."""
    from dossier import remove

    with open_record(home, number, reason) as (store, box_id, operator):
        filed = remove(store, box_id, assisted(store, box_id, who, operator), number)
    show({"number": filed.document_id, "outcome": filed.outcome}, json)


@app.command("import")
@reported
def import_(
    archives: Annotated[list[Path], typer.Argument(metavar="ARCHIVE…", help="IHE_XDM.ZIP files.")],
    ins: Annotated[str, typer.Option("--ins", help="The patient's matricule, 15 characters.")],
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check, file nothing.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The history of a former DMP: original dates, authors, ids, versions and status are kept."""
    import msgspec

    from gateway.dmp_bridge import import_history

    with open_record(home, ins, reason) as (store, box_id, operator):
        lines = import_history(store, box_id, operator, archives, dry_run=dry_run)
    show([msgspec.structs.asdict(line) for line in lines], json, empty="no document")
    if any(line.outcome == "refused" for line in lines):
        raise typer.Exit(1)


def _day(text: str, later: int) -> int | None:
    """The beginning of a day in Paris, or of the one ``later`` days after it, in ms; None for ""."""
    from datetime import date, datetime, time, timedelta
    from zoneinfo import ZoneInfo

    from store import InvalidInputError

    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=later)
    except (ValueError, OverflowError):
        fail(InvalidInputError("dossier.day", f"{text} is no day: write it as 2024-03-15"))
    return int(datetime.combine(day, time(), ZoneInfo("Europe/Paris")).timestamp() * 1000)


def _row(document: Document) -> dict[str, object]:
    from dossier import category

    info = document.info
    return {
        "number": document.document_id,
        "category": category(info.type_code, info.class_code),
        "type": info.type_label,
        "title": info.title,
        "author": info.author,
        "date": moment(document.created_at),
        "filed": moment(document.filed_at),
        "version": document.version,
        "status": document.status,
    }
