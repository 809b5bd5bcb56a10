"""The promise over the whole gateway: no sequence of events lets a patient write to somebody who neither
wrote to him nor is a pharmacy.

Hypothesis plays messages, ends, repeats, imports of the directory and of the list of domains, strikings off,
changes of holders, dispensations and the clock, on a real store and through the real router. Beside it runs
a plain model of the world: dictionaries, a log, and the decision table. After every step the router,
`explain` and the model agree on every address; the promise is asserted in its own words besides; and
`explain` about any earlier moment says what was said then.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from decision_tables import PATIENT_WRITES
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from routing_support import PATIENTS, Post, message, operator, settle
from world import OPERATORS, World, tick

import patients
from gateway.demo import cast
from gateway.routing import Origin, Router, contacts, domain_of, explain
from patients import OID_NIR_DEMO, Person
from patients.calendar import today
from store import Store, now_ms

A, B = f"alpha@{cast.HOSPITAL_DOMAIN}", f"beta@{cast.HOSPITAL_DOMAIN}"
CLINIC = f"secretariat@{cast.CLINIC_DOMAIN}"  # never published
PHARMACY, FINESS = f"pharmacie@{cast.OFFICINE_DOMAIN}", "750000019"
PATIENT, OUTSIDE = cast.CLEMENCE.address, "someone@outside.example"
AUTHORS = (A, B, CLINIC, PHARMACY)
EVERYBODY = (*AUTHORS, f"never@{cast.HOSPITAL_DOMAIN}", OUTSIDE, PATIENT)
PEOPLE = ("810000000019", "810000000027")
KINDS = ("plain", "fin", "header", "answer", "generated", "generated fin")
POLICY = msgspec.structs.replace(PATIENTS, dispensations="required")


class Opening(msgspec.Struct, frozen=True):
    """A message's right: who wrote, whom he named, and who held that mailbox then."""

    author: str
    address: str
    holder: str


class Gateway(RuleBasedStateMachine):
    """One patient, four mailboxes, two people."""

    store: ClassVar[Store]
    folder: ClassVar[Path]
    loop: ClassVar[asyncio.AbstractEventLoop]
    offset: ClassVar[list[int]]
    numbers: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.openings: list[Opening] = []  # those that stand, oldest first
        self.known: set[str] = set()  # addresses that wrote, or that a message named
        self.opened_by: dict[str, set[str]] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.dispensed: date | None = None
        self.past: list[tuple[int, dict[str, str]]] = []

    @initialize()
    def begin(self) -> None:
        number = next(self.numbers)
        ins = cast.ins(f"1{80 + number // 12 % 20:02}{number % 12 + 1:02}75{number // 240 + 1:03}001")
        person = Person(ins, OID_NIR_DEMO, "EXEMPLE", "LEO", "", "M", "1980-01-01", "75056")
        self.store.write(patients.add_persons, persons=[person], actor="test")
        profile = patients.activate(self.store, ins, cast.PATIENT_DOMAIN, actor="test")
        assert profile.box_id is not None
        self.ins, self.address = ins, profile.address
        self.origin = Origin(kind="patient", box_id=profile.box_id, address=profile.address, tls="TLS")
        self.world = World(self.store, self.folder)
        self.holder = {A: PEOPLE[0], B: PEOPLE[1]}  # now, or the last one
        self.world.person(A, PEOPLE[0], "ALPHA")
        self.world.person(B, PEOPLE[1], "BETA")
        self.world.place(PHARMACY, FINESS, "SA33")
        self.world.people["810000000035"] = "ELSE"  # the file is never empty
        self.world.list_domains()
        self.world.publish()

    # -- events -----------------------------------------------------------------------------------

    def may_send(self, author: str) -> bool:
        left = author in self.holder and self.holder[author] not in self.world.people
        return domain_of(author) in self.world.domains and not left

    def deliver(self, author: str, raw: bytes) -> bool:
        """MAIL, RCPT and content, by a router that remembers nothing of the past."""
        router = Router(self.store, POLICY)

        async def run() -> bool:
            listed = domain_of(author) in self.world.domains
            origin = (
                operator(self.store, domain_of(author))
                if listed
                else Origin(kind="operator", dn=OPERATORS[domain_of(author)], tls="TLS")
            )
            allowed = await router.sender(origin, author)
            assert allowed.accepted == self.may_send(author), allowed
            if allowed.accepted:
                assert (await router.recipient(origin, author, self.address)).accepted
                post = Post(self.store, router)
                assert (await post.send(origin, author, [self.address], raw)).accepted
            await settle(router)
            return allowed.accepted

        return self.loop.run_until_complete(run())

    @rule(author=st.sampled_from(AUTHORS))
    def letter(self, author: str) -> None:
        self.write(author, [], "plain")

    @rule(author=st.sampled_from(AUTHORS[:2]), address=st.sampled_from(AUTHORS))
    def referral(self, author: str, address: str) -> None:
        self.write(author, [address], "plain")

    @rule(author=st.sampled_from(AUTHORS))
    def end(self, author: str) -> None:
        self.write(author, [], "fin")

    @rule(
        author=st.sampled_from(AUTHORS),
        reply_to=st.lists(st.sampled_from(EVERYBODY), max_size=2),
        kind=st.sampled_from(KINDS),
    )
    def write(self, author: str, reply_to: list[str], kind: str) -> None:
        fields = [f"Cc: <{one}>" for one in AUTHORS[:2]]
        if reply_to:
            fields.append("Reply-To: " + ", ".join(f"<{one}>" for one in reply_to))
        if kind == "header":
            fields.append("X-MSS-MES: FIN")
        if kind == "answer":
            fields.append("Auto-Submitted: auto-replied")
        if kind.startswith("generated"):
            fields.append("Auto-Submitted: auto-generated")
        subject = "[FIN]" if kind.endswith("fin") else "Bonjour"
        raw = message(author, subject=subject, fields=tuple(fields), message_id=f"<{len(self.sent)}@x.test>")
        if not self.deliver(author, raw):
            return
        self.sent.append((author, raw))
        named = {one for one in reply_to if self.trusted(one)} or {author}
        if kind.endswith("fin"):
            self.known |= {author} | self.opened_by.get(author, set())
            self.openings = [one for one in self.openings if author not in (one.author, one.address)]
        elif kind == "plain":
            self.known |= named
            self.opened_by.setdefault(author, set()).update(named)
            self.openings += [Opening(author, one, self.published(one)) for one in sorted(named)]
        elif kind != "answer":
            self.known |= named

    @rule(which=st.integers(0, 20))
    def repeat(self, which: int) -> None:
        """The same octets once more, as an operator does who missed our answer."""
        if self.sent:
            self.deliver(*self.sent[which % len(self.sent)])

    @rule(address=st.sampled_from([A, B]))
    def hand_over(self, address: str) -> None:
        """The mailbox is the other person's from now on; published again if it was not."""
        person = PEOPLE[self.holder[address] == PEOPLE[0]]
        practises = person in self.world.people
        self.world.person(address, person, f"NAME{person}", practises=practises)
        self.holder[address] = person
        self.world.publish()

    @rule(address=st.sampled_from([A, B, PHARMACY]))
    def unpublish(self, address: str) -> None:
        self.world.boxes.pop(address, None)
        if not self.world.boxes:
            self.world.place(f"other@{cast.HOSPITAL_DOMAIN}", "690000015")
        self.world.publish()

    @rule(person=st.sampled_from(PEOPLE))
    def strike_off_or_restore(self, person: str) -> None:
        if person in self.world.people:
            del self.world.people[person]
        else:
            self.world.people[person] = f"NAME{person}"
        self.world.publish()

    @rule(sector=st.sampled_from(["SA33", "SA65", "SA01"]))
    def officine(self, sector: str) -> None:
        self.world.place(PHARMACY, FINESS, sector)
        self.world.publish()

    @rule(domain=st.sampled_from([cast.CLINIC_DOMAIN, cast.HOSPITAL_DOMAIN]))
    def list_or_unlist(self, domain: str) -> None:
        self.world.domains ^= {domain}
        self.world.list_domains()

    @rule(days=st.sampled_from([0, 360, 366, 400]))
    def dispense(self, days: int) -> None:
        day = today(now_ms()) - timedelta(days)
        feed = self.folder / "feed.csv"
        feed.write_text(f"ins,officine,date\n{self.ins},{FINESS},{day.isoformat()}\n", encoding="utf-8")
        patients.import_dispensations(self.store, feed)
        self.dispensed = max(day, self.dispensed or day)

    @rule(days=st.integers(1, 10))
    def days_pass(self, days: int) -> None:
        self.offset[0] += days * 86_400_000

    # -- the model --------------------------------------------------------------------------------

    def trusted(self, address: str) -> bool:
        return domain_of(address) in self.world.domains

    def published(self, address: str) -> str:
        """Who holds a published mailbox, "" for one that is not."""
        row = self.world.boxes.get(address, {})
        return row.get("national", "") or row.get("structure", "")

    def is_officine(self) -> bool:
        return PHARMACY in self.world.boxes and self.world.sectors[FINESS] in ("SA33", "SA65")

    def within_a_year(self) -> bool:
        if self.dispensed is None:
            return False
        ends = self.dispensed + timedelta(1)  # of 29 February: 1 March
        if (self.dispensed.month, self.dispensed.day) != (2, 29):
            ends = self.dispensed
        return today(now_ms()) <= ends.replace(year=ends.year + 1)

    def rights(self, address: str) -> list[Opening]:
        return [one for one in self.openings if one.address == address]

    def expected(self, address: str) -> str:
        rights = self.rights(address)
        before, after = rights[-1].holder if rights else "", self.published(address)
        changed = bool(before and after and before != after)
        left = address in self.holder and self.holder[address] not in self.world.people
        people = {after} & set(PEOPLE)
        elsewhere = any(self.holder.get(one.address) in people for one in self.openings)
        officine = address == PHARMACY and self.is_officine()
        return PATIENT_WRITES.outcome(
            {
                "acts": "yes",
                "patient": "yes" if address == PATIENT else "no",
                "trusted": "yes" if self.trusted(address) else "no",
                "wrote": "yes" if address in self.known else "no",
                "right": "open" if rights else "closed",
                "holder": {(0, 0): "same", (0, 1): "left", (1, 0): "other", (1, 1): "both"}[changed, left],
                "mailbox": "another" if elsewhere else "this",
                "officine": "yes" if officine else "no",
                "feed": "within" if self.within_a_year() else "nothing",
            }
        )

    def asked(self, address: str, at: int | None = None) -> str:
        told = self.store.read(explain, POLICY, self.address, address, at)
        verdict = told.verdict
        return f"accept {verdict.rule}" if verdict.accepted else f"{verdict.code} {verdict.rule}"

    @invariant()
    def the_router_explain_and_the_model_agree(self) -> None:
        router = Router(self.store, POLICY)

        async def run() -> dict[str, str]:
            found = {}
            for address in EVERYBODY:
                verdict = await router.recipient(self.origin, self.address, address)
                action = "accept" if verdict.accepted else str(verdict.code)
                found[address] = f"{action} {verdict.rule}"
            await settle(router)
            return found

        found = self.loop.run_until_complete(run())
        assert found == {address: self.expected(address) for address in EVERYBODY}
        assert found == {address: self.asked(address) for address in EVERYBODY}
        self.past.append((tick(), found))
        self.nobody_who_neither_wrote_nor_is_a_pharmacy({a for a in found if found[a].startswith("accept")})

    def nobody_who_neither_wrote_nor_is_a_pharmacy(self, reached: set[str]) -> None:
        """The promise, in its own words; it reads nothing but what happened."""
        for address in reached:
            assert address not in (PATIENT, OUTSIDE)
            assert domain_of(address) in self.world.domains
            if address == PHARMACY and self.is_officine() and self.within_a_year():
                continue
            wrote = [one for one in self.openings if one.address == address]
            assert wrote, f"{address} neither wrote nor is a pharmacy"
            assert self.published(address) in ("", wrote[-1].holder) or not wrote[-1].holder

    @invariant()
    def the_list_of_contacts_is_that_of_the_model(self) -> None:
        told = dict(self.store.read(contacts, self.origin.box_id))
        assert told.keys() == self.known
        assert {one for one, contact in told.items() if contact.open} == {
            one.address for one in self.openings
        }

    @rule(which=st.integers(0, 30))
    def look_back(self, which: int) -> None:
        """What `explain` says of a past moment is what was said then."""
        if self.past:
            at, then = self.past[which % len(self.past)]
            assert {address: self.asked(address, at) for address in EVERYBODY} == then


@pytest.fixture
def offset(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By how many ms the clock of this process is ahead."""
    ahead, real = [0], time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + ahead[0] * 1_000_000)
    return ahead


def test_the_promise(space: Path, tmp_path: Path, offset: list[int]) -> None:
    with Store.open(shutil.copytree(space / "passerelle", tmp_path / "home")) as store:
        loop = asyncio.new_event_loop()
        try:
            machine = type(
                "ThisGateway",
                (Gateway,),
                {
                    "store": store,
                    "folder": tmp_path,
                    "loop": loop,
                    "offset": offset,
                    "numbers": iter(range(100_000)),
                },
            )
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=15,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            loop.close()
