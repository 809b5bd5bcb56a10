"""The operations that move a profile through its life, one by one.

Invariant: a profile is ``opened``, ``activated``, ``suspended``, ``closed`` or ``deleted`` only with a box,
made in the same transaction as the change of state; the box is closed in the last two and open in the others.
Bulk steps: :mod:`patients.campaign`, :mod:`patients.opening`, :mod:`patients.archive`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

import evidence
from patients.calendar import archived_until, latest_deletion
from patients.codes import forget_codes
from patients.erasure import erase
from patients.errors import TransitionError, UnknownPatientError
from patients.history import Step, record_steps
from patients.ins import address_of_ins
from patients.profiles import ENTERED, Profile, profile
from patients.states import RECEIVING, WITH_BOX, Event, Refusal, transition
from patients.tables import patient
from store import Store, Tx, mail, operation

_SHUT = frozenset({"closed", "deleted"})


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
    erase_at: int = 0,
) -> Profile:
    """Apply ``event`` to a profile and to its box, in one transaction; returns the profile after it.

    :param domain: the patients' domain, for the events that may make a box (``open``, ``activate``).
    :param wrapped_key: from ``Store.new_box_key``, for the same; unused when the box exists.
    :param erase_at: (ms) for ``ask_delete``, at most three months away.

    Raises :class:`UnknownPatientError`, :class:`TransitionError` (``patient.transition``).
    """
    evidence.hold(tx)
    before = profile(tx.conn, ins)
    if before is None:
        raise UnknownPatientError
    after = transition(before.state, event)
    if isinstance(after, Refusal):
        raise TransitionError("patient.transition", after.reason)
    values: dict[str, Any] = {"state": after}
    if after in ENTERED and (after != before.state or event == "notify"):
        values[ENTERED[after]] = tx.now
    if event == "close":
        values["erase_at"] = archived_until(tx.now)
    elif event == "reopen":
        values["erase_at"] = None
    elif event == "ask_delete":
        if erase_at > latest_deletion(tx.now):  # R.1111-36 CSP
            raise TransitionError("patient.deletion", "a deletion is done within three months of its request")
        end = before.erase_at or archived_until(before.closed_at or tx.now)
        values["erase_at"] = min(max(erase_at, tx.now), end)
    if after in RECEIVING and before.box_id is None:
        if not domain or not wrapped_key:
            raise TransitionError("patient.box", "a mailbox needs the patients' domain and a key")
        address = address_of_ins(ins, domain).casefold()
        values["address"] = address
        values["box_id"] = mail.create_box(
            tx, address=address, kind="patient", owner=ins, wrapped_key=wrapped_key, quota=quota
        )
    elif before.box_id is not None and after in WITH_BOX:
        if after not in _SHUT and event in ("activate", "reopen"):
            mail.complete_folders(tx, before.box_id)
        if (after in _SHUT) != (before.state in _SHUT):
            mail.set_box_state(tx, box_id=before.box_id, state="closed" if after in _SHUT else "open")
    if after in ("activated", "opposed"):
        forget_codes(tx, [ins])
    tx.conn.execute(update(patient).where(patient.c.ins == ins).values(**values))
    if after == "deleted":
        erase(tx, ins, before.box_id)
    record_steps(tx, event, [Step(ins, before.state, after)], actor, reason)
    changed = profile(tx.conn, ins)
    assert changed is not None
    return changed


def notify(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Note that the person was told of the service (mail or letter). Blocking, as are those below."""
    return store.write(change, ins=ins, event="notify", actor=actor, reason=reason)


def open_profile(
    store: Store, ins: str, domain: str, *, actor: str, reason: str = "", quota: int = 0
) -> Profile:
    """Open the profile of a person who neither activated nor objected; its box receives and waits.

    At once: whether the six weeks are over is looked at by :func:`patients.open_due` only.
    """
    return _with_box(store, ins, "open", domain, actor, reason, quota)


def activate(store: Store, ins: str, domain: str, *, actor: str, reason: str = "", quota: int = 0) -> Profile:
    """The person takes his profile: he gets ``<INS>@<domain>`` and its mailbox, unless he has them."""
    return _with_box(store, ins, "activate", domain, actor, reason, quota)


def oppose(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """The person objects: no profile, no box; mail to him is refused with this cause."""
    return store.write(change, ins=ins, event="oppose", actor=actor, reason=reason)


def close(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Close the profile and its box; the content is kept as an archive for ten years.

    A death is a closing with that reason: nobody else may ever have the address.
    """
    return store.write(change, ins=ins, event="close", actor=actor, reason=reason)


def reopen(store: Store, ins: str, *, actor: str, reason: str = "") -> Profile:
    """Open a closed profile again, with its archive and its address; a deletion asked for is off."""
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
