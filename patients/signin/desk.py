"""The desk: what web pages call, step by step. Everything a person gives comes as text and is judged here.

Sources are client addresses as the listening side saw them (never a header that the client wrote).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Literal

import msgspec

from patients.codes import random_code
from patients.credentials import hash_secret, verify_secret
from patients.signin import activation, entering, minors, moving
from patients.signin.accounts import account_password, change_password
from patients.signin.activation import Answer, Sent
from patients.signin.courier import Courier
from patients.signin.facts import Channel, FactsError, read_destination, read_facts
from patients.signin.keys import new_token
from patients.signin.passwords import LONGEST, identifier_fault, password_fault, prepared
from patients.signin.pins import PIN_MS, new_pin
from patients.signin.sessions import Lifetimes, Method, Session, stepped_up
from patients.signin.texts import About, code_text, notice_text
from patients.signin.throttle import Bucket, network
from store import Store, now_ms

_MINUTE: Final = 60_000
_WAYS: Final[dict[str, activation.Way]] = {"email": "email", "sms": "sms", "letter": "letter"}
_PIN_MINUTES: Final = PIN_MS // _MINUTE


class Rules(msgspec.Struct, frozen=True):
    """What the settings say of sign-in. ``terms``: the version of the terms of use in force."""

    domain: str
    terms: str
    quota: int = 0
    lifetimes: Lifetimes = Lifetimes()


class Begun(msgspec.Struct, frozen=True):
    """An answer and the token of the flow, which the next step gives back (a cookie, not an address)."""

    token: str
    answer: Answer


class FieldFault(msgspec.Struct, frozen=True):
    """A field that cannot be, whoever the person is; nothing was looked up or counted."""

    field: str
    reason: str = "form"


class SignedIn(msgspec.Struct, frozen=True):
    """A session was opened. The two tokens are for the browser's cookies and cannot be had again."""

    session: Session
    session_token: str
    device_token: str


class Desk:
    """Activation and sign-in over a store and a courier."""

    def __init__(self, store: Store, courier: Courier, rules: Rules) -> None:
        self._store = store
        self._courier = courier
        self._rules = rules

    # Activation

    async def begin_activation(
        self,
        *,
        birth_date: str,
        number: str,
        card_kind: str,
        card_serial: str,
        channel: str,
        source: str,
    ) -> Begun | FieldFault:
        """The three facts, and how the code is to come: ``email``, ``sms``, or ``letter`` (it came)."""
        try:
            facts = read_facts(birth_date, number, card_kind, card_serial)
        except FactsError as fault:
            return FieldFault(str(fault))
        way = _WAYS.get(channel)
        if way is None:
            return FieldFault("channel")
        token, code = new_token(), random_code()
        sent = await self._store.awrite(
            activation.begin_activation,
            token=token,
            facts=facts,
            channel=way,
            code=code,
            source=network(source),
        )
        self._courier.send(sent.to, code_text("activation", code, activation.LIFETIME_MS // _MINUTE))
        return Begun(token, sent.answer)

    async def resend_activation(self, token: str) -> Answer:
        """Another code, in place of the one before; ``over``: no more are sent for this flow."""
        code = random_code()
        sent = await self._store.awrite(activation.resend_activation, token=token, code=code)
        self._courier.send(sent.to, code_text("activation", code, activation.LIFETIME_MS // _MINUTE))
        return sent.answer

    async def prove(self, token: str, code: str) -> Answer:
        """The code of twelve characters: the one that was sent, or the notice's."""
        return await self._store.awrite(activation.prove_activation, token=token, code=code[:64])

    async def choose(self, token: str, place: int) -> Answer:
        """Which of the choices, from 0."""
        return await self._store.awrite(activation.choose_person, token=token, place=place)

    async def decide(self, token: str, decision: Literal["activate", "oppose"], terms: str = "") -> Answer:
        """Activate, with the version of the terms that was shown and accepted, or object."""
        return await self._store.awrite(
            activation.decide_activation,
            token=token,
            decision=decision,
            terms=terms,
            current_terms=self._rules.terms,
        )

    async def give_contact(self, token: str, channel: Channel, to: str) -> Answer | FieldFault:
        """Where codes shall go from now on; a code is sent there. Again: another destination or code."""
        try:
            to = read_destination(channel, to)
        except FactsError as fault:
            return FieldFault(str(fault))
        digits = new_pin()
        work = self._store.awrite(activation.give_contact, token=token, channel=channel, to=to, digits=digits)
        return await self._sent(work, "contact", digits)

    async def confirm_contact(self, token: str, digits: str) -> Answer:
        """The code that came there."""
        return await self._store.awrite(activation.confirm_contact, token=token, digits=digits[:32])

    async def make_account(self, token: str, identifier: str, password: str) -> Answer | FieldFault:
        """Identifier and password; the profile is activated with it."""
        if fault := identifier_fault(identifier):
            return FieldFault("identifier", fault)
        if weak := password_fault(password, identifier):
            return FieldFault("password", weak)
        hashed = await hash_secret(prepared(password))
        sent = await self._store.awrite(
            activation.make_account,
            token=token,
            identifier=identifier,
            password=hashed,
            domain=self._rules.domain,
            wrapped_key=self._store.new_box_key(),
            quota=self._rules.quota,
        )
        self._courier.send(sent.to, notice_text("reset"))
        return sent.answer

    async def stands(
        self, token: str, kind: Literal["activation", "sign-in", "step-up"] = "activation"
    ) -> Answer:
        """Where a flow stands, to show its step again; ``over`` when it has ended."""
        if kind == "activation":
            return await self._store.awrite(activation.activation_stands, token=token)
        return await self._store.awrite(entering.entry_stands, token=token, kind=kind)

    # Sign-in

    async def sign_in(self, *, identifier: str, password: str, source: str, device_token: str = "") -> Begun:
        """The first factor. ``refused``: whatever is wrong, of whomever."""
        tried = await self._store.awrite(
            entering.attempt,
            identifier=identifier[:256],
            source=network(source),
            device_token=device_token[:64],
        )
        if tried.wait_ms:
            return Begun("", Answer("wait", wait_ms=tried.wait_ms))
        text = prepared(password) if len(password) <= LONGEST else ""
        found = tried.found
        good = await verify_secret(found.password if found else None, text)
        if found is None or not good or not found.usable:
            if found is not None:
                self._courier.later("refusal_not_noted", self._noted(found.ins))
            return Begun("", Answer("refused"))
        return await self.second_factor(found.ins, "password", tried.refunds)

    async def second_factor(self, ins: str, method: Method, refunds: list[Bucket]) -> Begun:
        """Send the code of a sign-in whose first factor is proven (by this desk or by FranceConnect)."""
        token, digits = new_token(), new_pin()
        work = self._store.awrite(
            entering.send_pin, token=token, ins=ins, digits=digits, method=method, refunds=refunds
        )
        answer = await self._sent(work, "sign-in", digits)
        if answer.outcome == "over":
            return Begun("", Answer("refused"))
        return Begun(token if answer.outcome == "ok" else "", answer)

    async def resend(self, token: str, kind: Literal["sign-in", "step-up"] = "sign-in") -> Answer:
        """Another code, in place of the one before."""
        digits = new_pin()
        work = self._store.awrite(entering.resend_pin, token=token, kind=kind, digits=digits)
        return await self._sent(work, kind, digits)

    async def enter(
        self, token: str, digits: str, *, device_token: str = "", device_label: str = ""
    ) -> SignedIn | Answer:
        """The second factor: the session, or what is wrong."""
        session_token, device_token = new_token(), device_token[:64] or new_token()
        entered = await self._store.awrite(
            entering.enter_pin,
            token=token,
            digits=digits[:32],
            session_token=session_token,
            device_token=device_token,
            device_label=device_label,
            lifetimes=self._rules.lifetimes,
        )
        if entered.session is None:
            return entered.answer
        return SignedIn(entered.session, session_token, device_token)

    # Signed in

    async def ask_step_up(self, session: Session) -> Begun:
        """Send a code to somebody who is signed in, before an act that matters."""
        token, digits = new_token(), new_pin()
        work = self._store.awrite(
            entering.send_pin,
            token=token,
            ins=session.ins,
            digits=digits,
            method=session.method,
            refunds=[],
            session_id=session.session_id,
        )
        return Begun(token, await self._sent(work, "step-up", digits))

    async def step_up(self, session: Session, token: str, digits: str) -> Answer:
        """The code of the step-up."""
        return await self._store.awrite(
            entering.step_up, token=token, session_id=session.session_id, digits=digits[:32]
        )

    async def change_password(self, session: Session, old: str, new: str) -> Answer | FieldFault:
        """A new password for somebody who stepped up in the last ten minutes; his other sessions end."""
        if not stepped_up(session, now_ms()):
            return Answer("refused")
        kept = await self._store.awrite(account_password, ins=session.ins)
        identifier, digest = kept if kept else ("", None)
        if not await verify_secret(digest, prepared(old) if len(old) <= LONGEST else ""):
            return Answer("wrong")
        if weak := password_fault(new, identifier):
            return FieldFault("password", weak)
        hashed = await hash_secret(prepared(new))
        to = await self._store.awrite(
            change_password, ins=session.ins, password=hashed, session_id=session.session_id
        )
        self._courier.send(to, notice_text("password"))
        return Answer("ok")

    async def move(self, session: Session, channel: str, to: str) -> Begun | FieldFault:
        """Send a code to where codes shall go from now on, for somebody who stepped up just now."""
        if not stepped_up(session, now_ms()):
            return Begun("", Answer("refused"))
        try:
            to = read_destination(channel, to)
        except FactsError as fault:
            return FieldFault(str(fault))
        token, digits = new_token(), new_pin()
        work = self._store.awrite(
            moving.begin_move,
            token=token,
            ins=session.ins,
            session_id=session.session_id,
            channel="email" if channel == "email" else "sms",
            to=to,
            digits=digits,
        )
        answer = await self._sent(work, "contact", digits)
        return Begun(token if answer.outcome == "ok" else "", answer)

    async def move_stands(self, session: Session, token: str) -> Answer:
        """Whether a change of destination still waits for its code."""
        return await self._store.awrite(moving.move_stands, token=token, session_id=session.session_id)

    async def end_move(self, session: Session, token: str, digits: str) -> Answer:
        """The code that came there. Where codes went before is told."""
        sent = await self._store.awrite(
            moving.end_move, token=token, session_id=session.session_id, digits=digits[:32]
        )
        self._courier.send(sent.to, notice_text("moved"))
        return sent.answer

    async def choose_channel(self, session: Session, channel: Channel) -> Answer:
        """Codes by the other way that is proven already, for somebody who stepped up just now."""
        if not stepped_up(session, now_ms()):
            return Answer("refused")
        done = await self._store.awrite(moving.choose_channel, ins=session.ins, channel=channel)
        return Answer("ok" if done else "refused")

    async def activate_minor(self, session: Session, ins: str, terms: str) -> Answer:
        """Activate the profile of a minor whom the person represents, with the terms that are in force."""
        if not stepped_up(session, now_ms()):
            return Answer("refused")
        if not self._rules.terms or terms != self._rules.terms:
            return Answer("wrong")
        return await self._store.awrite(
            minors.activate_minor,
            ins=ins,
            representative=session.ins,
            terms=terms,
            domain=self._rules.domain,
            wrapped_key=self._store.new_box_key(),
            quota=self._rules.quota,
        )

    async def _sent(self, work: Awaitable[Sent], about: About, digits: str) -> Answer:
        sent = await work
        self._courier.send(sent.to, code_text(about, digits, _PIN_MINUTES))
        return sent.answer

    async def _noted(self, ins: str) -> None:
        await self._store.awrite(entering.note_refusal, ins=ins)
