"""Whatever professionals send, in whatever order and at whatever time, a patient may write to nobody but
those whom a message opened to him, and pharmacies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from routing_support import ALICE, COLLEAGUE, DOCTOR, PATIENTS, PHARMACY

from gateway.demo import cast
from gateway.routing import Origin, contact, contacts, facts, rules
from gateway.routing.answering import patient_writes
from gateway.routing.correspondence import note
from store import Store, Tx, new_id, operation

CLINIC = f"secretariat@{cast.CLINIC_DOMAIN}"  # trusted, not published
OUTSIDE = "someone@outside.example"
AUTHORS = (DOCTOR, COLLEAGUE, CLINIC, PHARMACY)
EVERYBODY = (*AUTHORS, OUTSIDE, ALICE.address, f"never@{cast.HOSPITAL_DOMAIN}")
TRUSTED = (*AUTHORS, f"never@{cast.HOSPITAL_DOMAIN}")


@operation("test.correspondence")
def noted(tx: Tx, *, box_id: int, named: list[str], author: str, effect: str, at: int) -> None:
    """One event, at a time of our choice."""
    present, tx.now = tx.now, at
    note(tx, box_id=box_id, contacts=named, author=author, effect=effect, trace_id="t")
    tx.now = present


@pytest.fixture(scope="module")
def opened(space: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("correspondence") / "home"
    with Store.open(shutil.copytree(space / "passerelle", home)) as store:
        yield store


class Exchanges(RuleBasedStateMachine):
    """Messages to one patient, and after each of them the right to answer, address by address."""

    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.box_id = new_id()
        self.time = 1_800_000_000_000
        self.log: list[tuple[str, frozenset[str], str]] = []  # (author, contacts, effect)

    def send(
        self, author: str, reply_to: list[str], subject: str, end_header: bool, automatic: rules.Automatic
    ) -> None:
        named = self.store.read(facts.contact_addresses, PATIENTS, author, reply_to)
        # the model's own view of whom the message speaks for
        assert set(named) == ({one.casefold() for one in reply_to} & set(TRUSTED) or {author})
        effect = rules.effect_on_correspondence(subject=subject, end_header=end_header, automatic=automatic)
        if effect == "nothing":
            return
        self.store.write(
            noted, box_id=self.box_id, named=list(named), author=author, effect=effect, at=self.time
        )
        self.log.append((author, frozenset(named), effect))

    authors = st.sampled_from(AUTHORS)
    replies = st.lists(st.sampled_from([*EVERYBODY, COLLEAGUE.upper()]), max_size=3)

    @rule(author=authors, reply_to=replies)
    def plain(self, author: str, reply_to: list[str]) -> None:
        self.send(author, reply_to, "Bonjour", False, "no")

    @rule(author=authors, reply_to=replies, header=st.booleans(), process=st.booleans())
    def fin(self, author: str, reply_to: list[str], header: bool, process: bool) -> None:
        self.send(author, reply_to, "[FIN]", header, "generated" if process else "no")

    @rule(author=authors, reply_to=replies)
    def fin_header(self, author: str, reply_to: list[str]) -> None:
        self.send(author, reply_to, "Bonjour", True, "no")

    @rule(author=authors, reply_to=replies, subject=st.sampled_from(["[FIN]", "Bonjour"]))
    def automatic(self, author: str, reply_to: list[str], subject: str) -> None:
        self.send(author, reply_to, subject, False, "answer")

    @rule(author=authors, reply_to=replies)
    def by_a_process(self, author: str, reply_to: list[str]) -> None:
        self.send(author, reply_to, "Bonjour", False, "generated")

    @rule(step=st.integers(-10_000, 366 * 86_400_000))
    def clock(self, step: int) -> None:
        """Time passes; a clock that is set right may also step back."""
        self.time += step

    def answer(self, address: str) -> str:
        origin = Origin(kind="patient", box_id=self.box_id, tls="TLS")
        checks = rules.patient_writes(self.store.read(patient_writes, PATIENTS, origin, address))
        verdict = rules.verdict(checks)
        return "" if verdict.accepted else verdict.rule

    @invariant()
    def nobody_else(self) -> None:
        """Who may be written to was opened by a message that neither its author nor he has ended since."""
        for address in EVERYBODY:
            if self.answer(address) == "" and address != PHARMACY:
                assert any(
                    effect == "opens"
                    and address in named
                    and not {(author, "ends"), (address, "ends")}
                    & {(a, e) for a, _, e in self.log[number + 1 :]}
                    for number, (author, named, effect) in enumerate(self.log)
                ), f"{address} may be written to after {self.log}"

    @invariant()
    def exactly_these(self) -> None:
        """The whole answer, against a replay of the log."""
        standing: set[tuple[str, str]] = set()  # (author, whom he opened)
        spoke: dict[str, set[str]] = {}  # author -> whom he ever opened
        known: set[str] = set()
        for author, named, effect in self.log:
            if effect == "opens":
                standing |= {(author, one) for one in named}
                spoke.setdefault(author, set()).update(named)
            if effect == "ends":
                standing = {(a, one) for a, one in standing if author not in (a, one)}
                known |= {author} | spoke.get(author, set())
            else:
                known |= named
        for address in EVERYBODY:
            if address == ALICE.address:
                expected = "patient.to_patient"
            elif address == OUTSIDE:
                expected = "patient.outside"
            elif address in {one for _, one in standing} or address == PHARMACY:
                expected = ""
            else:
                expected = "reply.ended" if address in known else "reply.never_contacted"
            assert self.answer(address) == expected, f"{address} after {self.log}"
            assert self.answer(address.upper()) == expected, "addresses are compared without case"
        told = dict(self.store.read(contacts, self.box_id))
        assert told.keys() == known
        assert {address for address, one in told.items() if one.open} == {one for _, one in standing}
        assert told == {address: self.store.read(contact, self.box_id, address) for address in known}


def test_no_sequence_of_messages_opens_anybody_else(opened: Store) -> None:
    machine = type("TheseExchanges", (Exchanges,), {"store": opened})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    effects=st.lists(st.sampled_from(["opens", "ends", "silent"]), min_size=1, max_size=8),
    steps=st.lists(st.integers(1, 10_000), min_size=8, max_size=8),
)
def test_the_past_stays_what_it_was(opened: Store, effects: list[str], steps: list[int]) -> None:
    """`explain --at`: at each moment the state is that of the messages until then."""
    box_id, time = new_id(), 1_800_000_000_000
    moments = []
    for effect, step in zip(effects, steps, strict=False):
        time += step
        opened.write(noted, box_id=box_id, named=[DOCTOR], author=DOCTOR, effect=effect, at=time)
        moments.append(time)
    assert not opened.read(contact, box_id, DOCTOR, moments[0] - 1).contacted
    for number, moment in enumerate(moments):
        seen = effects[: number + 1]
        state = opened.read(contact, box_id, DOCTOR, moment)
        expected = [effect for effect in seen if effect != "silent"][-1:] == ["opens"]
        assert (state.opened_at > state.ended_at) == expected
        assert state.contacted


def test_messages_of_one_millisecond_keep_their_order(opened: Store) -> None:
    for last, expected in (("opens", True), ("ends", False)):
        box_id = new_id()
        for effect in ["ends", "opens"] * 20 + (["ends"] if last == "ends" else []):
            opened.write(noted, box_id=box_id, named=[DOCTOR], author=DOCTOR, effect=effect, at=5)
        state = opened.read(contact, box_id, DOCTOR)
        assert (state.opened_at > state.ended_at) is expected


def test_one_patients_messages_say_nothing_of_another(opened: Store) -> None:
    box_id, other = new_id(), new_id()
    opened.write(noted, box_id=box_id, named=[DOCTOR], author=DOCTOR, effect="opens", at=5)
    assert opened.read(contact, box_id, DOCTOR).contacted
    assert not opened.read(contact, other, DOCTOR).contacted
