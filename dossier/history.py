"""The history of a record as one reader sees it: in words, without what is kept from him.

Invariants: what is kept from a reader leaves no line and no count; titles are those that he may read now; who
reads another's history is in it himself, before he is given anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection

import activity
import annuaire
import patients
from activity import Activity, Actor, Asked, By, Counts, Kept, Kind, Known, Purpose, Title, What, Words
from dossier import health, rights
from dossier.access import kept_from, titles_for
from dossier.rights.words import WORDS
from store import Store

#: Lines that one call gives, unless it asks for another number; and the most of an export.
PAGE: Final = 500
_EVERYTHING: Final = Asked()
#: Reasons of refusals as the patient himself reads them, where "you" is clearer.
_YOU: Final[dict[str, Words]] = {
    "dossier.blocked": Words("Vous l'avez bloqué.", "You blocked this access."),
    "dossier.not_authorised": Words("Vous ne l'avez pas autorisé.", "You did not agree to this access."),
    "dossier.masked": Words(
        "Vous avez masqué ce document aux professionnels.", "You masked this document from professionals."
    ),
    "dossier.emergency_refused": Words(
        "Vous avez refusé cet accès en urgence.", "You refused this kind of emergency access."
    ),
}
_SILENT: Final = Words("", "")
#: Reasons that would tell of what somebody means to withhold.
_UNSAID: Final = frozenset({"dossier.together"})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a history. ``at`` in ms; ``who`` without a verb; ``french`` and ``english`` are sentences.

    ``title`` is "" where the reader is not told it; ``why`` (French) of a refusal, "" otherwise. ``subject``
    is the id of what ``kind`` names, "" where the reader does not find it there any more.
    """

    activity_id: int
    at: int
    by: By
    what: What
    kind: Kind
    purpose: Purpose
    who: str
    french: str
    english: str
    title: str = ""
    gone: bool = False
    refused: bool = False
    why: str = ""
    subject: str = ""


def history_for(
    store: Store,
    box_id: int,
    actor: Actor,
    asked: Asked = _EVERYTHING,
    *,
    since: int = 0,
    until: int | None = None,
    before: int = 0,
    limit: int = PAGE,
) -> list[Line]:
    """A page of the history that ``actor`` may see, newest first; see :func:`activity.entries`.

    Blocking. It is written to the journal (``history_read``) first, also when it is refused.

    Raises :class:`dossier.rights.RightsError`: neither the patient, nor who represents him, nor the treating
    physician, nor an operator with a written reason; :class:`StoreError`: the box's key is gone.
    """
    rights.require(store, box_id, actor, "read_history", what="history_read")
    store.write(activity.record, entry=activity.entry(store, box_id, actor, "history_read"))
    return store.read(
        _lines, store, box_id, actor, asked, since=since, until=until, before=before, limit=limit
    )


def history_counts(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    asked: Asked = _EVERYTHING,
    *,
    since: int = 0,
    until: int | None = None,
) -> Counts:
    """How many entries ``actor`` may see, without a trace; none for who may not read the history."""
    if not rights.may(conn, store, box_id, actor, "read_history").allowed:
        return Counts()
    without = activity.kept(conn, store, box_id, actor)
    return activity.counts(conn, box_id, asked, since=since, until=until, without=without)


def _lines(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    asked: Asked,
    *,
    since: int,
    until: int | None,
    before: int,
    limit: int,
) -> list[Line]:
    without: Kept = activity.kept(conn, store, box_id, actor)
    found = activity.entries(
        conn,
        store,
        box_id,
        asked,
        since=since,
        until=until,
        before=before,
        limit=limit,
        without=without,
    )
    wanted: dict[Kind, set[str]] = {}
    for one in found:
        if one.subject:
            wanted.setdefault(one.kind, set()).add(one.subject)
    titles = activity.titles(conn, store, box_id, actor, wanted)
    return [_line(one, actor, titles.get((one.kind, one.subject), Title())) for one in found]


def _line(one: Activity, reader: Actor, title: Title) -> Line:
    why = _why(one.rule, himself=reader.by == "patient")
    label = annuaire.profession_label(one.details.profession)
    known = Known(
        # support reads what the patient reads: to him, support is not "you"
        me=one.by == reader.by != "operator" and one.ident == reader.ident,
        title=title.text,
        gone=title.gone,
        profession=Words(label[0].lower(), label[1]),
        why=why,
    )
    said = activity.sentence(one, known)
    return Line(
        activity_id=one.activity_id,
        at=one.at,
        by=one.by,
        what=one.what,
        kind=one.kind,
        purpose=one.purpose,
        who=activity.who(one, known).fr,
        french=said.fr,
        english=said.en,
        title=title.text,
        gone=title.gone,
        refused=one.refused,
        why=why.fr,
        subject=one.subject if title.text and not title.gone else "",
    )


def _why(rule: str, *, himself: bool) -> Words:
    if himself and rule in _YOU:
        return _YOU[rule]
    return Words(*WORDS[rule]) if rule in WORDS and rule not in _UNSAID else _SILENT


def _reading_as(conn: Connection, box_id: int, actor: Actor) -> Actor:
    owner = patients.profile_by_box(conn, box_id) if actor.by == "operator" else None
    return Actor(by="patient", ident=owner.ins) if owner is not None else actor


# -- what is kept from whom, and what things are called ---------------------------------------------


@activity.keeps("document")
def kept_documents(conn: Connection, store: Store, box_id: int, actor: Actor) -> Collection[str]:
    """Documents that an actor is not to learn of; support reads what the patient reads."""
    return {str(one) for one in kept_from(conn, store, box_id, _reading_as(conn, box_id, actor))}


@activity.keeps("item")
def kept_items(conn: Connection, store: Store, box_id: int, actor: Actor) -> Collection[str]:
    """Items of the medical profile that are hidden from an actor."""
    return {str(one) for one in health.hidden_from(conn, store, box_id, actor)}


@activity.names("document")
def document_titles(
    conn: Connection, store: Store, box_id: int, actor: Actor, wanted: set[str]
) -> Mapping[str, Title]:
    """Titles of documents that an actor may see; of a deleted one, the patient's side is still told it."""
    found = titles_for(conn, store, box_id, actor) if wanted else {}
    return {str(one): Title(*told) for one, told in found.items() if str(one) in wanted}


@activity.names("professional")
def professional_names(
    conn: Connection, _store: Store, _box_id: int, _actor: Actor, wanted: set[str]
) -> Mapping[str, Title]:
    """Names of professionals (IdNat_PS) as the directory has them now."""
    found = {}
    for ident in wanted:
        listed = annuaire.activities(conn, ident)
        if listed:
            found[ident] = Title(f"{listed[0].given.title()} {listed[0].family.upper()}".strip())
    return found
