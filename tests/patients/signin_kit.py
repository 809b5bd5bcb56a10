"""A desk over a real store, persons with cards, and a letter box that keeps what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, event

from patients import Person, add_persons, ins_key, new_provisional_code, signin
from patients.signin import imports
from patients.signin.desk import Begun, Desk, Rules, SignedIn
from patients.signin.sessions import Lifetimes
from patients.signin.upkeep import forget_access
from store import Store, Tx, operation
from tests.patients.patients_support import Clock, set_clock

DOMAIN = "patient.example"
TERMS = "2026-1"
PASSWORD = "trois hérissons gris"
HERE, THERE = "192.0.2.10", "198.51.100.7"


def matricule(number: int, born: str = "1980-03-21") -> str:
    first = f"2{born[2:4]}{born[5:7]}75056{number:03d}"
    return first + ins_key(first)


MARIE, ANNE, ZOE, LEA = (matricule(n) for n in (1, 2, 3, 4))
PAUL, LUC = matricule(5, "1975-11-02"), matricule(6, "1975-11-02")
BORN = {MARIE: "1980-03-21", ANNE: "1980-03-21", ZOE: "2014-05-06", LEA: "2014-05-06"}
SERIALS = {MARIE: "123456789", ANNE: "20202020", ZOE: "123456789", LEA: "123456789"}


def set_signin_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the patients' tests, for the desk too."""
    clock = set_clock(monkeypatch)
    for place in ("sessions", "desk"):
        monkeypatch.setattr(f"patients.signin.{place}.now_ms", clock)
    return clock


class Letters:
    """What was sent, newest last."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    async def send(self, channel: str, to: str, text_fr: str, text_en: str) -> None:
        assert text_fr and text_en
        self.sent.append((channel, to, text_fr))

    def code(self, to: str) -> str:
        """The code of the latest message to ``to``."""
        texts = [text for _, whom, text in self.sent if whom == to]
        found = re.search(r" : ([A-Z0-9-]+)\. ", texts[-1])
        assert found, texts
        return found[1]


class World:
    """Everything a test needs."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.letters = Letters()
        self.courier = signin.Courier(self.letters)
        self.rules = Rules(DOMAIN, TERMS, lifetimes=Lifetimes())
        self.desk = Desk(store, self.courier, self.rules)
        people = [
            (MARIE, "EXEMPLE", "MARIE CLAIRE"),
            (ANNE, "ESSAI", "ANNE"),
            (ZOE, "EXEMPLE", "ZOE"),
            (LEA, "EXEMPLE", "LEA"),
        ]
        persons = [
            Person(ins, "1.2.250.1.213.1.4.10", name, given, "", "F", BORN[ins], "75056")
            for ins, name, given in people
        ]
        store.write(add_persons, persons=persons, actor="test")
        rows = [
            imports.Reach(2, MARIE, "plain", SERIALS[MARIE], "", "marie@example.org", "+33612345642"),
            imports.Reach(3, ANNE, "plain", SERIALS[ANNE], "", "anne@example.com", ""),
            imports.Reach(4, ZOE, "plain", SERIALS[ZOE], MARIE, "marie@example.org", ""),
            imports.Reach(5, LEA, "plain", SERIALS[LEA], MARIE, "marie@example.org", ""),
        ]
        assert store.write(imports.add_reach, rows=rows) == []

    async def facts(self, ins: str, *, channel: str = "email", source: str = HERE, **other: str) -> Begun:
        said = {
            "birth_date": BORN.get(ins, "1975-11-02"),
            "number": ins,
            "card_kind": "plain",
            "card_serial": SERIALS.get(ins, "99999999"),
        } | other
        begun = await self.desk.begin_activation(channel=channel, source=source, **said)
        assert isinstance(begun, Begun)
        await self.courier.drain()
        return begun

    async def activated(
        self, ins: str = MARIE, to: str = "marie@example.org", name: str = "marie.e", word: str = PASSWORD
    ) -> None:
        """The whole of activation, by e-mail."""
        token = (await self.facts(ins)).token
        answer = await self.desk.prove(token, self.letters.code(to))
        assert (answer.outcome, answer.step) == ("ok", "decision")
        assert (await self.desk.decide(token, "activate", TERMS)).step == "account"
        done = await self.desk.make_account(token, name, word)
        assert done == signin.Answer("ok", "end")
        await self.courier.drain()

    async def password(
        self, name: str = "marie.e", word: str = PASSWORD, *, source: str = HERE, device: str = ""
    ) -> Begun:
        begun = await self.desk.sign_in(identifier=name, password=word, source=source, device_token=device)
        await self.courier.drain()
        return begun

    async def signed_in(self, name: str = "marie.e", to: str = "marie@example.org") -> SignedIn:
        begun = await self.password(name)
        assert begun.answer.outcome == "ok", begun
        entered = await self.desk.enter(begun.token, self.letters.code(to), device_label="Firefox")
        assert isinstance(entered, SignedIn), entered
        return entered


@operation("tests.signin.notice_code")
def notice_code(tx: Tx, *, ins: str) -> str:
    """A code as the campaign's letter brings it."""
    return new_provisional_code(tx, ins)


@operation("tests.signin.handed_over")
def handed_over(tx: Tx, *, ins: str) -> str:
    """What happens to the access of who takes over his account, and the code that he gets."""
    forget_access(tx, ins)
    return new_provisional_code(tx, ins, purpose="entry")


class Work:
    """How much was done: statements, password hashes."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.hashes = 0

    @property
    def shape(self) -> tuple[list[str], int]:
        """Statements by verb and table, and hashes."""
        verbs = [re.sub(r"\s+", " ", text)[:400] for text in self.statements]
        return verbs, self.hashes


@contextmanager
def counted_work() -> Iterator[Work]:
    """Count what is done meanwhile, in every thread; values do not count, texts of statements do."""
    work = Work()

    def seen(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        work.statements.append(statement)

    verify = PasswordHasher.verify

    def counting(self: PasswordHasher, *given: Any) -> bool:
        work.hashes += 1
        return verify(self, *given)

    event.listen(Engine, "before_cursor_execute", seen)
    PasswordHasher.verify = counting  # type: ignore[method-assign,assignment]
    try:
        yield work
    finally:
        event.remove(Engine, "before_cursor_execute", seen)
        PasswordHasher.verify = verify  # type: ignore[method-assign]
