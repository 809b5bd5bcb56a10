"""Where codes go, changed by the person himself: the new destination counts once a code came back from it.

Who stepped up only; the desk looks at that. The destination before is told.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import Connection, select, update

from patients.signin import flows
from patients.signin.activation import OVER, Answer, Sent
from patients.signin.contacts import Destination, contacts_of, destination_of, keep_contact, proven_of
from patients.signin.events import note
from patients.signin.facts import Channel, masked
from patients.signin.keys import unseal
from patients.signin.pins import MOST_SENT, PIN_MS, Pin, judge_pin, keep_pin
from patients.signin.tables import account
from patients.signin.throttle import Bucket, charge
from store import Tx, operation


class Reach(msgspec.Struct, frozen=True):
    """How a person is reached: the channel of his codes, and what he proved, each partly hidden.

    ``identifier`` is what he signs in with; ``terms`` the version that he accepted, at ``terms_at`` (ms).
    """

    channel: Channel
    email: str
    sms: str
    identifier: str
    terms: str
    terms_at: int


class Move(msgspec.Struct):
    """A change under way: of whom, in which session, to where, and the code that was sent there."""

    ins: str
    session_id: int
    channel: Channel
    to: str
    pin: Pin


def reach_of(conn: Connection, home: Path, ins: str, now: int) -> Reach | None:
    """How the account of a person reaches him at ``now`` (ms); None without an account."""
    asked = select(account.c.channel, account.c.sealed_identifier, account.c.terms, account.c.terms_at)
    row = conn.execute(asked.where(account.c.ins == ins)).one_or_none()
    if row is None:
        return None
    proven = proven_of(conn, home, ins, now)
    email = masked("email", proven["email"]) if "email" in proven else ""
    sms = masked("sms", proven["sms"]) if "sms" in proven else ""
    return Reach(row[0], email, sms, unseal(home, ins.encode(), row[1]).decode(), row[2], row[3])


@operation("patients.signin.begin_move")
def begin_move(
    tx: Tx, *, token: str, ins: str, session_id: int, channel: Channel, to: str, digits: str
) -> Sent:
    """Send a code to a new destination (in its one form). Nothing changes yet."""
    wait = charge(tx, [Bucket("send", (ins,))])
    if wait:
        return Sent(Answer("wait", wait_ms=wait), [])
    state = Move(ins, session_id, channel, to, keep_pin(tx.home, token, digits, tx.now))
    flows.begin(tx, token, "contact", state, MOST_SENT * PIN_MS)
    return Sent(Answer("ok", "confirm", shown=masked(channel, to)), [Destination(channel, to)])


@operation("patients.signin.move_stands")
def move_stands(tx: Tx, *, token: str, session_id: int) -> Answer:
    """Whether a change still waits for its code; nothing is counted or changed."""
    state = flows.load(tx, token, "contact", Move)
    if state is None or state.session_id != session_id:
        return OVER
    return Answer("ok", "confirm", shown=masked(state.channel, state.to))


@operation("patients.signin.end_move")
def end_move(tx: Tx, *, token: str, session_id: int, digits: str) -> Sent:
    """Take the code: from now on codes go there. ``to``: the destinations before, to be told."""
    state = flows.load(tx, token, "contact", Move)
    if state is None or state.session_id != session_id:
        return Sent(OVER, [])
    judged, state.pin = judge_pin(tx.home, token, state.pin, digits, tx.now)
    if judged == "wrong":
        flows.save(tx, token, state)
        return Sent(Answer("wrong", "confirm"), [])
    flows.end(tx, token)
    if judged == "over":
        return Sent(OVER, [])
    before = _told(tx, state.ins)
    keep_contact(tx, state.ins, {state.channel: state.to}, proven=True)
    _by(tx, state.ins, state.channel)
    return Sent(Answer("ok", "end"), [one for one in before if one.to != state.to])


@operation("patients.signin.choose_channel")
def choose_channel(tx: Tx, *, ins: str, channel: Channel) -> bool:
    """Codes go by a channel whose destination the person proved before; false: he proved none."""
    known = contacts_of(tx, [ins]).get(ins, {})
    if channel not in known.get("proven", "").split() or not known.get(channel):
        return False
    _by(tx, ins, channel)
    return True


def _by(tx: Tx, ins: str, channel: Channel) -> None:
    tx.conn.execute(update(account).where(account.c.ins == ins).values(channel=channel, live_flow=None))
    note(tx, ins, "contact_changed", channel)


def _told(tx: Tx, ins: str) -> list[Destination]:
    channel: Channel | None = tx.conn.scalar(select(account.c.channel).where(account.c.ins == ins))
    to = destination_of(tx, ins, channel) if channel else None
    return [to] if to else []
