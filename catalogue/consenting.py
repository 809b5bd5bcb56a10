"""Consents to exchanges: said scope by scope, kept as events, read as how they stand at a moment.

Invariants: nothing is stored but what was said; that a consent expired, that its service changed hands, that
it was given for a minor who now decides himself, is derived at each question. What is said, and its entry in
the journal, are one transaction, which looks again at everything that was judged before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select

import activity
import evidence
import patients
from activity import Actor, Entry
from catalogue.decision import words
from catalogue.errors import CatalogueError
from catalogue.listing import ID, ever_listed, listed_since, service, services, version_in_use
from catalogue.model import By, Consent, Consented, ConsentEvent, Service, Standing
from catalogue.scopes import Scope, parse_scope
from catalogue.tables import consent_event
from patients import calendar
from store import Store, StoreError, Tx, new_id, now_ms, operation

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Consented)
#: How often a question is asked anew when something changed between its answer and its record.
MOST_TRIES: Final = 8


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a judgement rests on, so that a transaction can see whether it still holds, without any key.

    ``last_event``: the newest consent event of the box; ``version``: the list in use; ``state`` of the
    profile; ``trusted``: see :func:`patients.trusted_since`; ``day`` in Paris; ``expires_at`` in ms, 0:
    never.
    """

    last_event: int
    version: int
    state: str
    trusted: int
    day: str
    expires_at: int = 0


# -- reading --------------------------------------------------------------------------------------


def mark(conn: Connection, box_id: int, at: int) -> Mark:
    """The mark of a box at ``at`` (ms)."""
    owner = patients.profile_by_box(conn, box_id)
    newest = select(func.max(consent_event.c.event_id)).where(consent_event.c.box_id == box_id)
    return Mark(
        last_event=conn.scalar(newest) or 0,
        version=version_in_use(conn, "services"),
        state=owner.state if owner is not None else "",
        trusted=patients.trusted_since(conn, owner.ins, at) if owner is not None else 0,
        day=calendar.today(at).isoformat(),
    )


def holds(tx: Tx, box_id: int, seen: Mark) -> bool:
    """Whether what was judged still is so in this transaction."""
    now = msgspec.structs.replace(mark(tx.conn, box_id, tx.now), expires_at=seen.expires_at)
    return now == seen and (not seen.expires_at or tx.now < seen.expires_at)


def consent_events(conn: Connection, store: Store, box_id: int) -> list[ConsentEvent]:
    """Everything that was said of consents in a box, in its true order.

    Raises :class:`StoreError` when the box's key is gone.
    """
    query = select(consent_event).where(consent_event.c.box_id == box_id).order_by(consent_event.c.event_id)
    sealer = store.sealer(box_id)
    return [
        ConsentEvent(row.event_id, row.at, _decoder.decode(sealer.open(row.sealed, _place(row.event_id))))
        for row in conn.execute(query)
    ]


def last_said(events: list[ConsentEvent], service_id: str, scope: str) -> ConsentEvent | None:
    """The last event that speaks of a scope of a service."""
    found = None
    for one in events:
        if one.what.service_id == service_id and scope in one.what.scopes:
            found = one
    return found


def standing(
    said: ConsentEvent | None, *, at: int, trusted: int, listed: Service | None, listed_from: int
) -> Standing:
    """How a consent stands at ``at`` (ms), by the last event that speaks of it.

    :param trusted: what was said before it, somebody may have said who decides no more.
    :param listed: the service in the list in use, there without a gap from version ``listed_from`` on.
    """
    if said is None:
        return "none"
    what = said.what
    if what.said == "revoked":
        return "revoked"
    if what.expires_at and at >= what.expires_at:
        return "expired"
    if listed is not None and (what.publisher != listed.publisher or what.version < listed_from):
        return "changed"
    return "unconfirmed" if said.at < trusted else "given"


def consents(conn: Connection, store: Store, box_id: int, at: int | None = None) -> list[Consent]:
    """How every consent that was ever given in a box stands now, or would at ``at`` (ms), by service."""
    moment = now_ms() if at is None else at
    events = consent_events(conn, store, box_id)
    trusted = mark(conn, box_id, moment).trusted
    in_use = {one.id: one for one in services(conn)}
    found = []
    for service_id, scope in sorted({(one.what.service_id, s) for one in events for s in one.what.scopes}):
        said = last_said(events, service_id, scope)
        assert said is not None
        listed = in_use.get(service_id)
        found.append(
            Consent(
                service_id=service_id,
                service=said.what.service,
                scope=scope,
                standing=standing(
                    said,
                    at=moment,
                    trusted=trusted,
                    listed=listed,
                    listed_from=listed_since(conn, service_id) if listed is not None else 0,
                ),
                at=said.at,
                expires_at=said.what.expires_at,
                version=said.what.version,
                by=said.what.by,
                name=said.what.name,
            )
        )
    return found


_FRENCH: Final[dict[Standing, str]] = {
    "none": "aucun accord",
    "given": "accord donné",
    "revoked": "accord retiré",
    "expired": "accord donné, qui a pris fin,",
    "changed": "accord à redonner (le service a changé d'éditeur ou quitté le catalogue),",
    "unconfirmed": "accord à confirmer (donné avant que vous décidiez),",
}


def sentence(one: Consent) -> str:
    """What a patient reads of a consent, in French."""
    day = calendar.today(one.at).strftime("%d/%m/%Y")
    until = f" ; fin le {calendar.today(one.expires_at - 1).strftime('%d/%m/%Y')}" if one.expires_at else ""
    what = parse_scope(one.scope).french
    return f"{one.service} : {what} – {_FRENCH[one.standing]} le {day}{until}."


def _place(event_id: int) -> str:
    return f"consent:{event_id}"


# -- saying ---------------------------------------------------------------------------------------


def consent(
    store: Store, box_id: int, actor: Actor, service_id: str, scopes: Iterable[str], *, expires_at: int = 0
) -> list[str]:
    """The patient, or who represents him, lets a service do what ``scopes`` say; returns them. Blocking.

    :param actor: by patient or representative (:func:`activity.person`), or an operator with the reason why
        he writes it down for the patient.
    :param expires_at: ms, 0 for no end.

    A refusal is in the journal. Raises :class:`CatalogueError`: ``catalogue.actor``, ``catalogue.scope``,
    ``catalogue.expiry``, ``catalogue.unknown``, ``catalogue.not_referenced``, ``catalogue.no_exchange``,
    ``catalogue.closed``, ``catalogue.busy``.
    """
    by = _speaker(actor)
    wanted = sorted({str(_scope(one)) for one in scopes})
    if expires_at and expires_at <= now_ms():
        raise CatalogueError("catalogue.expiry", "a consent ends in the future, or without a day")
    for _ in range(MOST_TRIES):
        seen, found, rule = store.read(_askable, box_id, service_id, wanted)
        more = {"service": found.name if found is not None else "", "scopes": " ".join(wanted)}
        if rule:
            _refused(store, box_id, actor, service_id, rule, more)
        assert found is not None
        said = Consented(
            service_id=found.id,
            service=found.name,
            said="given",
            scopes=wanted,
            expires_at=expires_at,
            version=seen.version,
            offered=found.scopes,
            publisher=found.publisher,
            by=by,
            ident=actor.ident,
            name=actor.name,
            reason=actor.reason,
        )
        if expires_at:
            more["expires_at"] = str(expires_at)
        made = activity.entry(
            store, box_id, actor, "consent_given", kind="service", subject=service_id, more=more
        )
        if _write(store, box_id, said, seen, made):
            return wanted
    raise CatalogueError("catalogue.busy", "the consents changed again and again meanwhile: ask once more")


def revoke(store: Store, box_id: int, actor: Actor, service_id: str, scopes: Iterable[str] = ()) -> list[str]:
    """Take consents back: those to ``scopes``, or all that a service has; returns the scopes. Blocking.

    It always can be done while the box can be read, whatever became of the service or the profile.

    Raises :class:`CatalogueError`: ``catalogue.actor``, ``catalogue.no_consent``, ``catalogue.busy``.
    """
    by = _speaker(actor)
    asked = {str(_scope(one)) for one in scopes}
    for _ in range(MOST_TRIES):
        seen, events = store.read(_said, store, box_id)
        given = {
            scope: last
            for scope in {s for one in events if one.what.service_id == service_id for s in one.what.scopes}
            if (last := last_said(events, service_id, scope)) is not None and last.what.said == "given"
        }
        wanted = sorted(asked & given.keys() if asked else given.keys())
        if not wanted or asked - given.keys():
            raise CatalogueError("catalogue.no_consent", "no such consent stands: there is nothing to revoke")
        newest = max((given[scope] for scope in wanted), key=lambda one: one.event_id).what
        said = msgspec.structs.replace(
            newest,
            said="revoked",
            scopes=wanted,
            expires_at=0,
            by=by,
            ident=actor.ident,
            name=actor.name,
            reason=actor.reason,
        )
        made = activity.entry(
            store,
            box_id,
            actor,
            "consent_revoked",
            kind="service",
            subject=service_id,
            more={"service": newest.service, "scopes": " ".join(wanted)},
        )
        if _write(store, box_id, said, seen, made):
            return wanted
    raise CatalogueError("catalogue.busy", "the consents changed again and again meanwhile: ask once more")


def _speaker(actor: Actor) -> By:
    if actor.by == "operator" and not actor.reason.strip():
        raise CatalogueError("catalogue.actor", "an operator says why he writes down a patient's consent")
    if actor.by not in ("patient", "representative", "operator"):
        raise CatalogueError("catalogue.actor", "only the patient, or who represents him, consents")
    return actor.by


def _scope(text: str) -> Scope:
    try:
        return parse_scope(text)
    except ValueError as error:
        raise CatalogueError("catalogue.scope", f"{error}") from None


def _askable(
    conn: Connection, box_id: int, service_id: str, scopes: list[str]
) -> tuple[Mark, Service | None, str]:
    """The mark, the service, and the rule that stands against a consent ("": none)."""
    now = now_ms()
    seen, found = mark(conn, box_id, now), service(conn, service_id)
    rule = ""
    if found is None:
        rule = "catalogue.not_referenced" if ever_listed(conn, service_id) else "catalogue.unknown"
    elif not referenced(found, seen.day):
        rule = "catalogue.not_referenced"
    elif seen.state != "activated":
        rule = "catalogue.closed"
    elif not found.scopes:
        rule = "catalogue.no_exchange"
    elif not scopes or not set(scopes) <= set(found.scopes):
        rule = "catalogue.scope"
    return seen, found, rule


def referenced(one: Service, day: str) -> bool:
    """Whether ``day`` (YYYY-MM-DD) is in the days of a service's referencing, both ends included."""
    return one.since <= day and (not one.until or day <= one.until)


def _said(conn: Connection, store: Store, box_id: int) -> tuple[Mark, list[ConsentEvent]]:
    return mark(conn, box_id, now_ms()), consent_events(conn, store, box_id)


def _refused(
    store: Store, box_id: int, actor: Actor, service_id: str, rule: str, more: dict[str, str]
) -> None:
    try:
        made = activity.entry(
            store,
            box_id,
            actor,
            "consent_given",
            kind="service",
            subject=service_id if ID.fullmatch(service_id) else "?",
            rule=rule,
            more=more,
        )
        store.write(activity.record, entry=made)
    except StoreError as error:
        if error.rule != "store.key":  # what held the journal is destroyed with the box's key
            raise
    french, english = words(rule)
    raise CatalogueError(rule, english, french=french)


def _write(store: Store, box_id: int, said: Consented, seen: Mark, made: Entry) -> bool:
    event_id = max(new_id(), seen.last_event + 1)
    sealed = store.sealer(box_id).seal(_encoder.encode(said), _place(event_id))
    return store.write(note_consent, event_id=event_id, sealed=sealed, seen=seen, entry=made)


@operation("catalogue.note_consent")
def note_consent(tx: Tx, *, event_id: int, sealed: bytes, seen: Mark, entry: Entry) -> bool:
    """Write what was said and its journal entry; False, and nothing written, when what was judged changed.

    Raises :class:`CatalogueError` ``catalogue.actor`` when the speaker lost his right meanwhile.
    """
    evidence.hold(tx)
    if not holds(tx, entry.box_id, seen):
        return False
    if (
        entry.by in ("patient", "representative")
        and patients.reader(tx.conn, entry.ident, entry.box_id, tx.now).viewer == "stranger"
    ):
        raise CatalogueError("catalogue.actor", "who speaks neither is the patient nor represents him")
    tx.conn.execute(
        insert(consent_event).values(box_id=entry.box_id, event_id=event_id, at=tx.now, sealed=sealed)
    )
    activity.note(tx, entry)
    return True
