"""A representative activates the profile of a minor from his own session: no card, no code of its own."""

from __future__ import annotations

from typing import Final

from patients.guardians import may_act_for
from patients.life import change
from patients.profiles import profile
from patients.signin.activation import Answer
from store import Tx, operation

#: Who closed or objected decided: that is taken back with the card, where the person himself is asked.
FRESH: Final = ("known", "notified", "opened")


@operation("patients.signin.activate_minor")
def activate_minor(
    tx: Tx, *, ins: str, representative: str, terms: str, domain: str, wrapped_key: bytes, quota: int
) -> Answer:
    """Activate the profile of ``ins``; ``refused``: he does not represent him now, or it is not to be had.

    No account is made: the minor is reached through the representative until he makes his own.
    """
    found = profile(tx.conn, ins)
    if found is None or ins == representative or not may_act_for(tx.conn, representative, ins).ok:
        return Answer("refused")
    if found.state not in FRESH:
        return Answer("refused")
    change(
        tx,
        ins=ins,
        event="activate",
        actor=f"representative {representative}",
        reason=f"terms {terms} accepted by who represents him",
        domain=domain,
        wrapped_key=wrapped_key,
        quota=quota,
    )
    return Answer("ok", "end")
