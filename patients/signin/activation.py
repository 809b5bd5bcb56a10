"""Activation, step by step, as operations: facts, code, choice, decision, contact, account.

Nothing that depends on a person is answered before a code was proven that only he was sent: for an unknown
person, wrong facts, an opposed, closed, suspended or deleted profile, the answers and the work are those of
anybody else. That is why the choice among the beneficiaries of a card comes after the code.
"""

from __future__ import annotations

import hmac
from typing import Final, Literal

import msgspec

from patients.codes import Purpose, check_provisional_code, forget_codes
from patients.life import change
from patients.profiles import profile
from patients.signin import flows
from patients.signin.accounts import put_account
from patients.signin.contacts import Destination, alike, beneficiaries, contacts_of, given_names, keep_contact
from patients.signin.events import note
from patients.signin.facts import Channel, Facts, decoy, masked
from patients.signin.keys import tag
from patients.signin.pins import MOST_SENT, Pin, judge_pin, keep_pin
from patients.signin.throttle import Bucket, charge, refund
from patients.states import Event, State
from store import Tx, operation

Step = Literal["code", "choice", "decision", "contact", "confirm", "account", "end"]
Outcome = Literal["ok", "wrong", "over", "wait", "refused"]
#: How the code is to come: sent, or with the notice's letter.
Way = Literal["email", "sms", "letter"]
LIFETIME_MS: Final = 45 * 60_000
MOST_TRIES: Final = 5
MOST_NAMES: Final = 10
_ACTOR: Final = "patient"
_PURPOSES: Final[tuple[Purpose, ...]] = ("notice", "entry")


class Answer(msgspec.Struct, frozen=True):
    """What the person is told.

    ``ok``: go on with ``step``. ``wrong``: again. ``over``: begin anew. ``wait``: after ``wait_ms``.
    ``refused``: not possible for this profile; only said after the code was proven.
    ``shown`` is a destination partly hidden, ``choices`` are given names, to be named by their place.
    """

    outcome: Outcome
    step: Step = "end"
    wait_ms: int = 0
    shown: str = ""
    choices: list[str] = []


class Sent(msgspec.Struct, frozen=True):
    """An answer, and where the code is to be sent meanwhile: nothing that the person may be told."""

    answer: Answer
    to: list[Destination]


class Activation(msgspec.Struct):
    """The state of a flow. ``persons`` are those who may still be meant; none for a stranger."""

    step: Step
    persons: list[str]
    reached: list[str]  # of these persons the destination was sent a code
    channel: Way
    entry: bytes
    tries: int = 0
    by: Channel | Literal[""] = ""  # the proven way to reach the person
    to: str = ""
    pin: Pin | None = None
    terms: str = ""
    names_tried: int = 0
    shown: str = ""  # the destination as the person may see it
    sent: int = 1  # how often a code was sent, or would have been


OVER: Final = Answer("over")


def after_proof(persons: int) -> Step:
    """The step after a right code."""
    return "choice" if persons > 1 else "decision"


def after_activate(by: str) -> Step:
    """The step after the decision to activate: a way to reach the person must be proven."""
    return "account" if by else "contact"


def event_of(state: State, decision: Literal["activate", "oppose"]) -> Event | Literal["", "refused"]:
    """What a decision does to a profile; "" changes nothing, ``refused`` is not possible this way."""
    if state in ("suspended", "deleted"):
        return "refused"
    if decision == "activate":
        return "" if state == "activated" else "reopen" if state == "closed" else "activate"
    if state in ("opposed", "closed"):
        return ""
    if state == "activated":
        return "refused"  # closing is for the person who is signed in
    return "close" if state == "opened" else "oppose"


def entry_digest(home_tag: bytes, code: str) -> bytes:
    """What is kept of the code of a flow: ``home_tag`` is keyed and the flow's own."""
    bare = "".join(letter for letter in code if letter not in " -\u00a0").upper()
    return hmac.digest(home_tag, bare.encode("utf-8", "surrogatepass"), "sha256")


@operation("patients.signin.begin_activation")
def begin_activation(tx: Tx, *, token: str, facts: Facts, channel: Way, code: str, source: str) -> Sent:
    """Take the facts. The answer is the same whether they are somebody's or not."""
    buckets = [
        Bucket("source", (source,)),
        Bucket("source-person", (source, facts.number)),
        Bucket("card", (facts.card_kind, facts.card_serial)),
        Bucket("person", (facts.number,)),
    ]
    wait = charge(tx, buckets)
    if wait:
        return Sent(Answer("wait", wait_ms=wait), [])
    persons = beneficiaries(tx, facts)
    known = contacts_of(tx, persons)
    reached: list[str] = []
    to: list[Destination] = []
    shown = ""
    if channel != "letter":
        reached = [ins for ins in persons if known.get(ins, {}).get(channel)]
        to = [Destination(channel, one) for one in sorted({known[ins][channel] for ins in reached})]
        shown = masked(channel, to[0].to) if to else decoy(tx.home, channel, facts)
    digest = entry_digest(_flow_key(tx, token), code)
    state = Activation("code", persons, reached, channel, digest, shown=shown)
    flows.begin(tx, token, "activation", state, LIFETIME_MS)
    return Sent(Answer("ok", "code", shown=shown), to)


@operation("patients.signin.resend_activation")
def resend_activation(tx: Tx, *, token: str, code: str) -> Sent:
    """Another code in place of the one before; wrong tries stay counted. ``over``: no more are sent.

    A stranger's facts get the same answer; so do those of somebody who was sent too many in this hour.
    """
    state = _at(tx, token, "code")
    if state is None or state.channel == "letter" or state.sent >= MOST_SENT:
        return Sent(OVER, [])
    known = contacts_of(tx, state.persons)
    found = {known.get(ins, {}).get(state.channel, "") for ins in state.reached} - {""}
    wait = charge(tx, [Bucket("send", (state.persons[0] if state.persons else token,))])
    state.entry = entry_digest(_flow_key(tx, token), code)
    state.sent += 1
    flows.save(tx, token, state)
    to = [] if wait else [Destination(state.channel, one) for one in sorted(found)]
    return Sent(Answer("ok", "code", shown=state.shown), to)


@operation("patients.signin.prove_activation")
def prove_activation(tx: Tx, *, token: str, code: str) -> Answer:
    """Take a code: the one that was sent, or one that the person has (:mod:`patients.codes`)."""
    state = _at(tx, token, "code")
    if state is None:
        return OVER
    proven = []
    # the digest is compared whoever it is; a code that went nowhere proves nobody
    if hmac.compare_digest(state.entry, entry_digest(_flow_key(tx, token), code)):
        proven = state.reached
        state.by = state.channel if state.channel != "letter" else ""
    for ins in [] if proven else alike(state.persons):
        # of the notice, or of who takes over his account when he comes of age
        good = [check_provisional_code(tx, ins, code, purpose=purpose) for purpose in _PURPOSES]
        if any(good):
            proven = [ins]
            state.by = ""
    if not proven:
        state.tries += 1
        if state.tries >= MOST_TRIES:
            flows.end(tx, token)
            return OVER
        flows.save(tx, token, state)
        return Answer("wrong", "code")
    state.persons = sorted(proven)
    state.entry = b""
    state.step = after_proof(len(proven))
    return _go_on(tx, token, state)


@operation("patients.signin.choose_person")
def choose_person(tx: Tx, *, token: str, place: int) -> Answer:
    """Take the choice among the persons of the card, by its place."""
    state = _at(tx, token, "choice")
    if state is None:
        return OVER
    if not 0 <= place < len(state.persons):
        return _told(tx, state, "wrong")
    state.persons = [state.persons[place]]
    state.step = "decision"
    return _go_on(tx, token, state)


@operation("patients.signin.decide_activation")
def decide_activation(
    tx: Tx, *, token: str, decision: Literal["activate", "oppose"], terms: str, current_terms: str
) -> Answer:
    """Take the decision. To activate, the version of the terms that is in force must be accepted."""
    state = _at(tx, token, "decision")
    if state is None:
        return OVER
    ins = state.persons[0]
    found = profile(tx.conn, ins)
    event = "refused" if found is None else event_of(found.state, decision)
    if event == "refused":
        flows.end(tx, token)
        return Answer("refused")
    if decision == "oppose":
        if event:
            change(tx, ins=ins, event=event, actor=_ACTOR, reason="decided at the first sign-in")
        forget_codes(tx, [ins])
        flows.end(tx, token)
        return Answer("ok", "end")
    if not current_terms or terms != current_terms:
        return Answer("wrong", "decision")
    state.terms = terms
    state.step = after_activate(state.by)
    if state.by:
        state.to = contacts_of(tx, [ins]).get(ins, {}).get(state.by, "")
        if not state.to:
            state.by, state.step = "", "contact"
    return _go_on(tx, token, state)


@operation("patients.signin.give_contact")
def give_contact(tx: Tx, *, token: str, channel: Channel, to: str, digits: str) -> Sent:
    """Take an e-mail address or a telephone number (in its one form), to be proven by a code."""
    state = _at(tx, token, "contact") or _at(tx, token, "confirm")
    if state is None:
        return Sent(OVER, [])
    sent = state.pin.sent + 1 if state.pin else 1
    if sent > MOST_SENT:
        flows.end(tx, token)
        return Sent(OVER, [])
    wait = charge(tx, [Bucket("send", (state.persons[0],))])
    if wait:
        return Sent(Answer("wait", state.step, wait_ms=wait), [])
    tries = state.pin.tries if state.pin else 0
    state.pin = keep_pin(tx.home, token, digits, tx.now, sent, tries)
    state.by, state.to, state.step = channel, to, "confirm"
    shown = state.shown = masked(channel, to)
    flows.save(tx, token, state)
    return Sent(Answer("ok", "confirm", shown=shown), [Destination(channel, to)])


@operation("patients.signin.confirm_contact")
def confirm_contact(tx: Tx, *, token: str, digits: str) -> Answer:
    """Take the code that was sent to the new destination."""
    state = _at(tx, token, "confirm")
    if state is None or state.pin is None:
        return OVER
    judged, state.pin = judge_pin(tx.home, token, state.pin, digits, tx.now)
    if judged == "over":
        flows.end(tx, token)
        return OVER
    if judged == "right":
        state.step = "account"
    flows.save(tx, token, state)
    return Answer("ok" if judged == "right" else "wrong", state.step)


@operation("patients.signin.make_account")
def make_account(
    tx: Tx,
    *,
    token: str,
    identifier: str,
    password: bytes,
    domain: str,
    wrapped_key: bytes,
    quota: int,
) -> Sent:
    """Make the account and activate (or reopen) the profile, in one transaction.

    ``wrong``: the identifier is another person's. Identifier and password were looked at before.
    ``to``: whom to tell that an account was made anew.
    """
    state = _at(tx, token, "account")
    if state is None or not state.by:
        return Sent(OVER, [])
    ins = state.persons[0]
    found = profile(tx.conn, ins)
    event = "refused" if found is None else event_of(found.state, "activate")
    if event == "refused":
        flows.end(tx, token)
        return Sent(Answer("refused"), [])
    before = [Destination(state.by, state.to)] if event == "" else []
    if not put_account(tx, ins, identifier, password, state.by, state.terms):
        state.names_tried += 1
        if state.names_tried >= MOST_NAMES:
            flows.end(tx, token)
            return Sent(OVER, [])
        flows.save(tx, token, state)
        return Sent(Answer("wrong", "account"), [])
    if event:
        reason = f"terms {state.terms} accepted"
        change(
            tx,
            ins=ins,
            event=event,
            actor=_ACTOR,
            reason=reason,
            domain=domain,
            wrapped_key=wrapped_key,
            quota=quota,
        )
    keep_contact(tx, ins, {state.by: state.to}, proven=True)
    if state.pin is not None:
        note(tx, ins, "contact_changed", state.by)
    forget_codes(tx, [ins])
    refund(tx, [Bucket("pin", (ins,)), Bucket("person", (ins,))])
    flows.end(tx, token)
    return Sent(Answer("ok", "end"), before)


@operation("patients.signin.activation_stands")
def activation_stands(tx: Tx, *, token: str) -> Answer:
    """Where an activation stands, to show its step again; nothing is counted or changed."""
    state = flows.load(tx, token, "activation", Activation)
    if state is None:
        return OVER
    shown = state.shown if state.step in ("code", "confirm") else ""
    return msgspec.structs.replace(_told(tx, state, "ok"), shown=shown)


def _flow_key(tx: Tx, token: str) -> bytes:
    return tag(tx.home, "entry code", token)


def _at(tx: Tx, token: str, step: Step) -> Activation | None:
    state = flows.load(tx, token, "activation", Activation)
    return state if state is not None and state.step == step else None


def _go_on(tx: Tx, token: str, state: Activation) -> Answer:
    flows.save(tx, token, state)
    return _told(tx, state, "ok")


def _told(tx: Tx, state: Activation, outcome: Outcome) -> Answer:
    choices: list[str] = []
    if state.step == "choice":
        names = given_names(tx.conn, state.persons)
        choices = [names.get(ins, "") for ins in state.persons]
    return Answer(outcome, state.step, choices=choices)
