"""``passerelle dossier …``: what a record holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, reported, show

if TYPE_CHECKING:
    from dossier import Document

app = typer.Typer(no_args_is_help=True)


@app.command("list")
@reported
def list_(
    ins: Annotated[str, typer.Argument(metavar="INS", help="The patient's matricule, 15 characters.")],
    history: Annotated[bool, typer.Option("--history", help="Also replaced and deleted documents.")] = False,
    reader: Annotated[
        str, typer.Option("--for", help="INS of a reader: what the patient, or who represents him, sees.")
    ] = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The documents of a patient, newest first."""
    from dossier import documents, documents_for
    from patients import UnknownPatientError, normalise, profile

    with open_store(home) as store:
        found = store.read(profile, normalise(ins))
        if found is None:
            raise UnknownPatientError
        listed = []
        if found.box_id is not None and reader:
            who = normalise(reader)
            listed = store.read(documents_for, store, found.box_id, actor_ins=who, history=history)
        elif found.box_id is not None:
            listed = store.read(documents, store, found.box_id, history=history)
    show([_row(document) for document in listed], json, empty="no document")


@app.command("show")
@reported
def show_(
    number: Annotated[int, typer.Argument(metavar="DOCUMENT", help="See `passerelle dossier list`.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """One document in full, without its content."""
    from dossier import document_by_id

    with open_store(home) as store:
        document = store.read(document_by_id, store, number)
    info = document.info
    show(
        _row(document)
        | {
            "unique id": document.unique_id,
            "set id": document.set_id,
            "type code": info.type_code,
            "class code": info.class_code,
            "format": info.format_code,
            "organisation": info.organisation,
            "confidentiality": info.confidentiality,
            "sent by": document.depositor,
            "replaced by": document.replaced_by,
            "size": document.size,
            "sha256": document.sha256.hex(),
            "trace": document.trace_id,
        },
        json,
    )


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
