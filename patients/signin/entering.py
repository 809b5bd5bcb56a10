"""Sign-in as operations: who an identifier names, the code that is sent, the session that it opens."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from sqlalchemy import select, update

from patients.signin import flows
from patients.signin.accounts import Found, by_identifier, channel_of
from patients.signin.activation import Answer, Sent
from patients.signin.contacts import destination_of
from patients.signin.events import note
from patients.signin.facts import masked
from patients.signin.keys import tag
from patients.signin.passwords import fold_identifier
from patients.signin.pins import MOST_SENT, MOST_TRIES, PIN_MS, Pin, judge_pin, keep_pin
from patients.signin.sessions import Lifetimes, Method, Session, open_session
from patients.signin.tables import account, device, session
from patients.signin.throttle import Bucket, charge, refund, waiting
from store import Tx, operation

OVER: Final = Answer("over")


class Entry(msgspec.Struct):
    """A flow that waits for a code: of whom, how he proved the first factor, for which session (step-up)."""

    ins: str
    pin: Pin
    method: Method
    session_id: int = 0
    shown: str = ""  # where the code went, as the person may see it


class Attempt(msgspec.Struct, frozen=True):
    """Who an identifier names (nobody too), or how long to wait (ms)."""

    wait_ms: int
    found: Found | None
    refunds: list[Bucket]


class Entered(msgspec.Struct, frozen=True):
    """How a code was taken; ``session`` when it let in."""

    answer: Answer
    session: Session | None = None


@operation("patients.signin.attempt")
def attempt(tx: Tx, *, identifier: str, source: str, device_token: str) -> Attempt:
    """Count a try and look the identifier up; the same work for a known one and an unknown one.

    A device that signed in before has its own limit, so that strangers cannot stop its owner.
    """
    found = by_identifier(tx, identifier)
    ins = found.ins if found else ""
    key = tag(tx.home, "device", device_token, ins)
    statement = select(device.c.device_tag).where(device.c.device_tag == key, device.c.ins == ins)
    known = tx.conn.scalar(statement) is not None
    name = fold_identifier(identifier)
    if known:
        buckets = [Bucket("device", (device_token, ins))]
    else:
        buckets = [
            Bucket("source", (source,)),
            Bucket("source-person", (source, name)),
            Bucket("identifier", (name,)),
        ]
    wait = charge(tx, buckets)
    if wait:
        return Attempt(wait, None, [])
    # success gives back to the owner's device only: that the others emptied would tell who is here
    return Attempt(0, found, buckets if known else [])


@operation("patients.signin.send_pin")
def send_pin(
    tx: Tx, *, token: str, ins: str, digits: str, method: Method, refunds: list[Bucket], session_id: int = 0
) -> Sent:
    """The first factor is proven: begin the flow of the second. ``over``: this person cannot enter.

    Only the latest flow of a person takes its code.
    """
    channel = channel_of(tx, ins)
    to = destination_of(tx, ins, channel) if channel else None
    if to is None:
        return Sent(OVER, [])
    refund(tx, refunds)
    wait = waiting(tx, Bucket("pin", (ins,))) or charge(tx, [Bucket("send", (ins,))])
    if wait:
        return Sent(Answer("wait", wait_ms=wait), [])
    kind: flows.Kind = "step-up" if session_id else "sign-in"
    shown = masked(to.channel, to.to)
    entry = Entry(ins, keep_pin(tx.home, token, digits, tx.now), method, session_id, shown)
    flows.begin(tx, token, kind, entry, MOST_SENT * PIN_MS)
    live = flows.flow_tag(tx, token)
    tx.conn.execute(update(account).where(account.c.ins == ins).values(live_flow=live))
    note(tx, ins, "code_sent", method)
    return Sent(Answer("ok", "code", shown=shown), [to])


@operation("patients.signin.resend_pin")
def resend_pin(tx: Tx, *, token: str, kind: Literal["sign-in", "step-up"], digits: str) -> Sent:
    """Another code in place of the one before; wrong tries stay counted."""
    entry = _live(tx, token, kind)
    channel = channel_of(tx, entry.ins) if entry else None
    to = destination_of(tx, entry.ins, channel) if entry and channel else None
    if entry is None or to is None or entry.pin.sent >= MOST_SENT:
        return Sent(OVER, [])
    wait = charge(tx, [Bucket("send", (entry.ins,))])
    if wait:
        return Sent(Answer("wait", "code", wait_ms=wait), [])
    entry.pin = keep_pin(tx.home, token, digits, tx.now, entry.pin.sent + 1, entry.pin.tries)
    entry.shown = masked(to.channel, to.to)
    flows.save(tx, token, entry)
    note(tx, entry.ins, "code_sent", entry.method)
    return Sent(Answer("ok", "code", shown=entry.shown), [to])


@operation("patients.signin.entry_stands")
def entry_stands(tx: Tx, *, token: str, kind: Literal["sign-in", "step-up"]) -> Answer:
    """Whether a flow still waits for its code, and where that went; nothing is counted or changed."""
    entry = _live(tx, token, kind)
    return Answer("ok", "code", shown=entry.shown) if entry else OVER


@operation("patients.signin.enter_pin")
def enter_pin(
    tx: Tx,
    *,
    token: str,
    digits: str,
    session_token: str,
    device_token: str,
    device_label: str,
    lifetimes: Lifetimes,
) -> Entered:
    """Take the code of a sign-in; a right one opens the session and is never taken again."""
    entry = _live(tx, token, "sign-in")
    answer = _judge(tx, token, entry, digits)
    if entry is None or answer.outcome != "ok":
        return Entered(answer)
    opened = open_session(tx, entry.ins, entry.method, session_token, device_label, device_token, lifetimes)
    return Entered(answer, opened)


@operation("patients.signin.step_up")
def step_up(tx: Tx, *, token: str, session_id: int, digits: str) -> Answer:
    """Take the code of a step-up: the session that asked for it is proven anew."""
    entry = _live(tx, token, "step-up")
    if entry is None or entry.session_id != session_id:
        return OVER
    answer = _judge(tx, token, entry, digits)
    if answer.outcome == "ok":
        tx.conn.execute(update(session).where(session.c.session_id == session_id).values(stepped_at=tx.now))
        note(tx, entry.ins, "stepped_up")
    return answer


@operation("patients.signin.note_refusal")
def note_refusal(tx: Tx, *, ins: str) -> None:
    """Tell the person, in his history, that a wrong password was given."""
    note(tx, ins, "password_refused", "password")


def _live(tx: Tx, token: str, kind: flows.Kind) -> Entry | None:
    """The flow, when its code counts: the latest of a person who may still enter."""
    entry = flows.load(tx, token, kind, Entry)
    if entry is None or channel_of(tx, entry.ins) is None:
        return None
    live = tx.conn.scalar(select(account.c.live_flow).where(account.c.ins == entry.ins))
    return entry if live is not None and bytes(live) == flows.flow_tag(tx, token) else None


def _judge(tx: Tx, token: str, entry: Entry | None, digits: str) -> Answer:
    if entry is None:
        return OVER
    judged, entry.pin = judge_pin(tx.home, token, entry.pin, digits, tx.now)
    if judged == "right":
        refund(tx, [Bucket("pin", (entry.ins,))])
        _end(tx, token, entry.ins)
        return Answer("ok")
    if judged == "wrong":
        charge(tx, [Bucket("pin", (entry.ins,))])
        note(tx, entry.ins, "code_refused", entry.method)
        if entry.pin.tries < MOST_TRIES:
            flows.save(tx, token, entry)
            return Answer("wrong", "code")
    _end(tx, token, entry.ins)
    return OVER


def _end(tx: Tx, token: str, ins: str) -> None:
    flows.end(tx, token)
    tx.conn.execute(update(account).where(account.c.ins == ins).values(live_flow=None))
