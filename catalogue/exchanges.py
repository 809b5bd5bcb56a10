"""The one door of every exchange with a service of the catalogue: decided now, written down, then given.

Invariant: the entry of the journal is committed before :func:`exchange` returns, in a transaction in which
everything that the decision rests on (consents, list, profile, representatives, day) still is what it was.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

import activity
import evidence
from activity import Actor, Entry
from catalogue.consenting import (
    MOST_TRIES,
    Mark,
    consent_events,
    holds,
    last_said,
    mark,
    referenced,
    standing,
)
from catalogue.decision import Decision, ExchangeFacts, decide
from catalogue.errors import CatalogueError
from catalogue.listing import ID, ever_listed, listed_since, service
from catalogue.model import Service
from catalogue.scopes import parse_scope
from store import Store, Tx, now_ms, operation


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange that may take place, once, now. ``activity_id`` is its entry in the patient's journal;
    ``version`` the list that it was judged by."""

    activity_id: int
    box_id: int
    service_id: str
    scope: str
    version: int


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and what it rests on."""

    decision: Decision
    seen: Mark
    service: Service | None


def judge(
    conn: Connection, store: Store, box_id: int, service_id: str, scope: str, at: int | None = None
) -> Judged:
    """Decide for a box, now or at ``at`` (ms) by today's list; writes nothing, so nobody may act on it.

    Raises :class:`CatalogueError` ``catalogue.scope`` (no such scope exists), :class:`StoreError` when the
    box's key is gone.
    """
    try:
        wanted = str(parse_scope(scope))
    except ValueError as error:
        raise CatalogueError("catalogue.scope", f"{error}") from None
    moment = now_ms() if at is None else at
    seen = mark(conn, box_id, moment)
    listed = service(conn, service_id)
    said = last_said(consent_events(conn, store, box_id), service_id, wanted)
    facts = ExchangeFacts(
        known=ever_listed(conn, service_id),
        listed=listed is not None,
        referenced=listed is not None and referenced(listed, seen.day),
        exchanges=listed is not None and bool(listed.scopes),
        offered=listed is not None and wanted in listed.scopes,
        open=seen.state == "activated",
        consent=standing(
            said,
            at=moment,
            trusted=seen.trusted,
            listed=listed,
            listed_from=listed_since(conn, service_id) if listed is not None else 0,
        ),
    )
    decision = decide(facts)
    expires_at = said.what.expires_at if said is not None and decision.allowed else 0
    return Judged(
        decision=decision, seen=msgspec.structs.replace(seen, expires_at=expires_at), service=listed
    )


def exchange(store: Store, box_id: int, service_id: str, scope: str, *, purpose: str) -> Exchange:
    """May this service do this with this patient's data now? Everything that exchanges asks here, each time.

    :param service_id: who asks, as proven by who calls. :param scope: as ``read:measures/weight``.
    :param purpose: what for, in words for the patient; sealed in his journal.

    The entry ``data_exchanged`` is committed before this returns, or before it refuses. Blocking.

    Raises :class:`CatalogueError` with the rule of :func:`catalogue.decide`, or ``catalogue.purpose``,
    ``catalogue.busy``; :class:`StoreError` when the box's key is gone.
    """
    if not purpose.strip():
        raise CatalogueError("catalogue.purpose", "an exchange says what it is for")
    shown = service_id if ID.fullmatch(service_id) else "?"
    for _ in range(MOST_TRIES):
        judged = store.read(judge, store, box_id, service_id, scope)
        decision, found = judged.decision, judged.service
        actor = Actor(
            by="service",
            ident=shown,
            name=found.name if found is not None else "",
            organisation=found.publisher if found is not None else "",
        )
        made = activity.entry(
            store,
            box_id,
            actor,
            "data_exchanged",
            kind="service",
            subject=shown,
            rule="" if decision.allowed else decision.rule,
            more={"scope": scope, "purpose": purpose.strip()[:500], "version": str(judged.seen.version)},
        )
        if not store.write(note_exchange, seen=judged.seen, entry=made):
            continue  # something changed meanwhile: decide anew
        if not decision.allowed:
            raise CatalogueError(decision.rule, decision.english, french=decision.french)
        return Exchange(
            activity_id=made.activity_id,
            box_id=box_id,
            service_id=service_id,
            scope=scope,
            version=judged.seen.version,
        )
    raise CatalogueError("catalogue.busy", "the consents changed again and again meanwhile: ask once more")


@operation("catalogue.note_exchange")
def note_exchange(tx: Tx, *, seen: Mark, entry: Entry) -> bool:
    """Write an exchange, or its refusal, into the journal; False, and nothing written, when what was judged
    is so no more: a consent revoked a moment ago, a list just replaced."""
    evidence.hold(tx)
    if not holds(tx, entry.box_id, seen):
        return False
    activity.note(tx, entry)
    return True
