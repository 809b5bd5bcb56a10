"""A patient's record opened for a verb: which box, who acts, and the reason that his history keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import fail, open_store

if TYPE_CHECKING:
    from activity import Actor
    from store import Store

Ins = Annotated[str, typer.Argument(metavar="INS", help="The patient's matricule, 15 characters.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: the patient's written request, its date. Kept.")]


@contextmanager
def open_record(home: Path, whose: str | int, reason: str) -> Iterator[tuple[Store, int, Actor]]:
    """The store, a patient's box, and the operator with his reason. Ends the verb without reason or record.

    :param whose: the patient's INS, or the number of a document of his.
    """
    from activity import Actor
    from commands.patient_bulk import actor
    from dossier import box_of_document
    from patients import UnknownPatientError, normalise, profile
    from store import InvalidInputError, NotFoundError

    if not reason.strip():
        fail(InvalidInputError("dossier.reason", "give --reason: why, and who asked for it"))
    with open_store(home) as store:
        if isinstance(whose, int):
            box_id = store.read(box_of_document, whose)
            if box_id is None:
                raise NotFoundError("dossier.unknown", f"no document {whose}")
        else:
            found = store.read(profile, normalise(whose))
            if found is None:
                raise UnknownPatientError
            if found.box_id is None:
                raise NotFoundError("dossier.closed", "this patient has no record")
            box_id = found.box_id
        yield store, box_id, Actor(by="operator", ident=actor(), reason=reason.strip())


def assisted(store: Store, box_id: int, ins: str, operator: Actor) -> Actor:
    """The person for whom an operator acts: with his rights, while the history tells of the operator and his
    reason. Ends the verb without ``--as``; raises :class:`ActivityError`: he is a stranger."""
    import msgspec

    import activity
    from patients import normalise
    from store import InvalidInputError

    if not ins:
        fail(InvalidInputError("dossier.as", "give --as: the INS of the person who asks for it"))
    person = store.read(activity.person, box_id, normalise(ins))
    return msgspec.structs.replace(person, operator=operator.ident, reason=operator.reason)
