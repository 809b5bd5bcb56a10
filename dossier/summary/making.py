"""Making the summary for somebody: his rights first, then the journal, then the file."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

import activity
import annuaire
import patients
from activity import Actor
from dossier import measures, rights
from dossier.categories import SUMMARY
from dossier.deposits import deposit
from dossier.health import Language
from dossier.health.reading import profile_for, whole_profile
from dossier.measures import KINDS, Latest
from dossier.measures.reading import of_kind
from dossier.model import Filed
from dossier.rights import Action
from dossier.rights.decisions import Question, note_allowed
from dossier.summary.pdf import render
from dossier.summary.sheet import Contents, Sheet, compose
from patients import calendar
from store import NotFoundError, Store, now_ms

_FILE: Final = "ma-sante-en-resume-{}.pdf"


def summary_pdf(
    store: Store,
    box_id: int,
    actor: Actor,
    *,
    language: Language = "fr",
    large: bool = False,
    now: int | None = None,
) -> bytes:
    """ "Ma santé en résumé" as a PDF, of what ``actor`` may read of the profile and the measures. Blocking.

    The making is in the journal (``summary_made``) before the bytes are given. An operator makes it only with
    a written reason, at the patient's request. The same content at the same ``now`` (ms) gives the same
    bytes. Raises :class:`RightsError`; :class:`NotFoundError` ``dossier.unknown``: no patient has this box.
    """
    sheet = summary_sheet(store, box_id, actor, language=language, now=now)
    return render(sheet, large=large)


def summary_sheet(
    store: Store, box_id: int, actor: Actor, *, language: Language = "fr", now: int | None = None
) -> Sheet:
    """What :func:`summary_pdf` prints, as plain text; decided, journalled and raising like it."""
    action: Action = "export" if actor.by == "operator" else "read_profile"
    rights.require(store, box_id, actor, action, what="summary_made")
    entry = activity.entry(store, box_id, actor, "summary_made", more={"language": language})
    asked = Question(box_id=box_id, actor=actor, action=action)
    note_allowed(store, asked, entry)
    contents = store.read(_contents, store, box_id, actor)
    return compose(contents, actor, language, now_ms() if now is None else now)


def save_summary(
    store: Store, box_id: int, actor: Actor, *, language: Language = "fr", now: int | None = None
) -> Filed:
    """Make the summary and file it in the record, under "Ma santé en résumé" (type DOCPAT01). Blocking.

    For the patient and who represents him. Raises as :func:`summary_pdf` and :func:`dossier.deposit`.
    """
    at = now_ms() if now is None else now
    rights.require(store, box_id, actor, "deposit", what="document_deposited")
    sheet = summary_sheet(store, box_id, actor, language=language, now=at)
    return deposit(
        store,
        box_id,
        actor,
        content=render(sheet),
        filename=_FILE.format(calendar.today(at).isoformat()),
        title=f"{sheet.title} – {calendar.today(at).isoformat()}",
        category=SUMMARY,
        date=at,
    )


def _contents(conn: Connection, store: Store, box_id: int, actor: Actor) -> Contents:
    owner = patients.profile_by_box(conn, box_id)
    if owner is None:
        raise NotFoundError("dossier.unknown", "no patient has this mailbox")
    support = actor.by == "operator"
    reading = whole_profile if support else profile_for
    return Contents(
        owner=owner,
        profile=reading(conn, store, box_id, actor),
        latest=_latest(conn, store, box_id, actor),
        physician=_physician(conn, box_id),
    )


def _latest(conn: Connection, store: Store, box_id: int, actor: Actor) -> Latest | None:
    if actor.by == "operator":  # who has decided on "export"
        found = {kind: one for kind in KINDS for one in of_kind(conn, store, box_id, kind, most=1)}
        weights = [one for kind, one in found.items() if kind == "weight"]
        born = measures.birth_date_of(conn, box_id)
        computed = measures.indices(weights, of_kind(conn, store, box_id, "height"), born)
        return Latest(found, computed[-1] if computed else None)
    if not rights.may(conn, store, box_id, actor, "read_measures").allowed:
        return None
    return measures.latest(conn, store, box_id, actor)


def _physician(conn: Connection, box_id: int) -> str:
    """The declared treating physician: as the directory names him, and by his number."""
    ident = rights.rights_of(conn, box_id).treating
    if not ident:
        return ""
    listed = annuaire.activities(conn, ident)
    name = " ".join((listed[0].civility, listed[0].given, listed[0].family)).strip() if listed else ""
    return f"{name} ({ident})" if name else ident
