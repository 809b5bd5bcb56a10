"""Profiles: what is known of a person, the operations that move one through its life.

Invariant: a profile is ``opened``, ``activated``, ``suspended`` or ``closed`` only with a box, made in the
same transaction as the change of state; the box is open in all of these but ``closed``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update

from patients.errors import TransitionError, UnknownPatientError
from patients.ins import address_of_ins, shaped_ins
from patients.states import RECEIVING, Event, Refusal, State, transition
from patients.tables import patient, patient_event
from store import Prepared, Store, Tx, mail, new_id, operation

#: The column that keeps when a state was last entered.
_ENTERED: Final[dict[State, str]] = {
    "notified": "notified_at",
    "opened": "opened_at",
    "activated": "activated_at",
    "opposed": "opposed_at",
    "closed": "closed_at",
    "suspended": "suspended_at",
}


class Profile(msgspec.Struct, frozen=True):
    """A person and the state of his profile. Times in ms, None for what never happened.

    ``birth_date`` is ``YYYY-MM-DD``, ``birth_place`` a COG code, ``address`` empty without a box.
    """

    ins: str
    oid: str
    birth_name: str
    given_names: list[str]
    used_name: str
    sex: str
    birth_date: str
    birth_place: str
    state: State
    box_id: int | None
    address: str
    notified_at: int | None
    opened_at: int | None
    activated_at: int | None
    opposed_at: int | None
    closed_at: int | None
    suspended_at: int | None

    @property
    def name(self) -> str:
        """The name to show: ``"Marie EXEMPLE"``."""
        given = self.given_names[0].title() if self.given_names else ""
        return f"{given} {(self.used_name or self.birth_name).upper()}".strip()


class ProfileEvent(msgspec.Struct, frozen=True):
    """One change in the life of a profile: when, what, by whom, why."""

    at: int
    event: str
    from_state: str
    to_state: str
    actor: str
    reason: str


_columns: Final = [patient.c[name] for name in Profile.__struct_fields__]
_by_ins: Final = Prepared(select(*_columns).where(patient.c.ins == bindparam("ins")))
_by_address: Final = Prepared(select(*_columns).where(patient.c.address == bindparam("address")))
_by_box: Final = Prepared(select(*_columns).where(patient.c.box_id == bindparam("box_id")))


def _profile(conn: Connection, statement: Prepared, **asked: Any) -> Profile | None:
    row = statement.first(conn, asked)
    if row is None:
        return None
    values = dict(zip(Profile.__struct_fields__, row, strict=True))
    values["given_names"] = values["given_names"].split()
    values["address"] = values["address"] or ""
    return Profile(**values)


def profile(conn: Connection, ins: str) -> Profile | None:
    """The profile of a matricule (upper case), or None."""
    return _profile(conn, _by_ins, ins=ins) if shaped_ins(ins) else None


def profile_by_address(conn: Connection, address: str) -> Profile | None:
    """The profile that was given ``address`` (any case), or None."""
    address = address.strip().casefold()
    return _profile(conn, _by_address, address=address) if address.isascii() else None


def profile_by_box(conn: Connection, box_id: int) -> Profile | None:
    """The profile whose mailbox is ``box_id``, or None."""
    return _profile(conn, _by_box, box_id=box_id)


def history(conn: Connection, ins: str) -> list[ProfileEvent]:
    """Everything that happened to a profile, oldest first."""
    columns = [patient_event.c[name] for name in ProfileEvent.__struct_fields__]
    statement = select(*columns).where(patient_event.c.ins == ins)
    rows = conn.execute(statement.order_by(patient_event.c.at, patient_event.c.event_id))
    return [ProfileEvent(*row) for row in rows]


def count_by_state(conn: Connection) -> dict[str, int]:
    """How many profiles are in each state."""
    statement = select(patient.c.state, func.count()).group_by(patient.c.state).order_by(patient.c.state)
    return {row[0]: row[1] for row in conn.execute(statement)}


@operation("patients.change")
def change(
    tx: Tx,
    *,
    ins: str,
    event: Event,
    actor: str,
    reason: str = "",
    domain: str = "",
    wrapped_key: bytes = b"",
    quota: int = 0,
) -> Profile:
    """Apply ``event`` to a profile and to its box, in one transaction; returns the profile after it.

    :param domain: the patients' domain, for the events that may make a box (``open``, ``activate``).
    :param wrapped_key: from ``Store.new_box_key``, for the same; unused when the box exists.

    Raises :class:`UnknownPatientError`, :class:`TransitionError` (``patient.transition``).
    """
    before = profile(tx.conn, ins)
    if before is None:
        raise UnknownPatientError
    after = transition(before.state, event)
    if isinstance(after, Refusal):
        raise TransitionError("patient.transition", after.reason)
    values: dict[str, Any] = {"state": after}
    if after in _ENTERED:
        values[_ENTERED[after]] = tx.now
    if after in RECEIVING and before.box_id is None:
        if not domain or not wrapped_key:
            raise TransitionError("patient.box", "a mailbox needs the patients' domain and a key")
        address = address_of_ins(ins, domain).casefold()
        values["address"] = address
        values["box_id"] = mail.create_box(
            tx, address=address, kind="patient", owner=ins, wrapped_key=wrapped_key, quota=quota
        )
    elif before.box_id is not None and (after == "closed") != (before.state == "closed"):
        mail.set_box_state(tx, box_id=before.box_id, state="closed" if after == "closed" else "open")
    tx.conn.execute(update(patient).where(patient.c.ins == ins).values(**values))
    record_event(tx, ins, event, before.state, after, actor, reason)
    changed = profile(tx.conn, ins)
    assert changed is not None
    return changed


def record_event(
    tx: Tx, ins: str, event: str, from_state: str, to_state: str, actor: str, reason: str
) -> None:
    """Add a line to the history of a profile; part of the caller's operation."""
    tx.conn.execute(
        patient_event.insert().values(
            ins=ins,
            event_id=new_id(),
            at=tx.now,
            event=event,
            from_state=from_state,
            to_state=to_state,
            actor=actor,
            reason=reason,
        )
    )


def notify(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Note that the person was told of the service (mail or letter). Blocking, as are those below."""
    return store.write(change, ins=ins, event="notify", actor=actor, reason=reason)


def open_profile(
    store: Store, ins: str, domain: str, *, actor: str, reason: str = "", quota: int = 0
) -> Profile:
    """Open the profile of a person who neither activated nor objected; its box receives and waits."""
    return _with_box(store, ins, "open", domain, actor, reason, quota)


def activate(store: Store, ins: str, domain: str, *, actor: str, reason: str = "", quota: int = 0) -> Profile:
    """The person takes his profile: he gets ``<INS>@<domain>`` and its mailbox, unless he has them."""
    return _with_box(store, ins, "activate", domain, actor, reason, quota)


def oppose(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """The person objects: no profile, no box; mail to him is refused with this cause."""
    return store.write(change, ins=ins, event="oppose", actor=actor, reason=reason)


def close(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Close the profile and its box; the content is kept as an archive."""
    return store.write(change, ins=ins, event="close", actor=actor, reason=reason)


def reopen(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Open a closed profile again, with its archive and its address."""
    return store.write(change, ins=ins, event="reopen", actor=actor, reason=reason)


def suspend(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Stop the use of an activated profile (malfunction, fraud)."""
    return store.write(change, ins=ins, event="suspend", actor=actor, reason=reason)


def resume(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """End a suspension."""
    return store.write(change, ins=ins, event="resume", actor=actor, reason=reason)


def _with_box(
    store: Store, ins: str, event: Event, domain: str, actor: str, reason: str, quota: int
) -> Profile:
    return store.write(
        change,
        ins=ins,
        event=event,
        actor=actor,
        reason=reason,
        domain=domain,
        wrapped_key=store.new_box_key(),
        quota=quota,
    )
