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
from gateway.routing import contact, contacts, facts, rules
from gateway.routing.correspondence import note
from store import Store, Tx, new_id, operation

CLINIC = f"secretariat@{cast.CLINIC_DOMAIN}"  # trusted, not published
OUTSIDE = "someone@outside.example"
AUTHORS = (DOCTOR, COLLEAGUE, CLINIC, PHARMACY)
EVERYBODY = (*AUTHORS, OUTSIDE, ALICE.address, f"never@{cast.HOSPITAL_DOMAIN}")
TRUSTED = (*AUTHORS, f"never@{cast.HOSPITAL_DOMAIN}")


@operation("test.correspondence")
def noted(tx: Tx, *, box_id: int, address: str, author: str, effect: str, at: int) -> None:
    """One event, at a time of our choice."""
    present, tx.now = tx.now, at
    note(tx, box_id=box_id, address=address, author=author, effect=effect, trace_id="t")
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
        self.log: list[tuple[str, str, str]] = []  # (author, contact, effect)

    def send(self, author: str, reply_to: str, subject: str, end_header: bool, automatic: bool) -> None:
        given_names = [reply_to] if reply_to else []
        contacted = self.store.read(facts.contact_address, PATIENTS, author, given_names)
        # the model's own view of whom the message speaks for
        assert contacted == (reply_to.casefold() if reply_to.casefold() in TRUSTED else author)
        effect = rules.effect_on_correspondence(subject=subject, end_header=end_header, automatic=automatic)
        if effect == "nothing":
            return
        self.store.write(
            noted, box_id=self.box_id, address=contacted, author=author, effect=effect, at=self.time
        )
        self.log.append((author, contacted, effect))

    authors = st.sampled_from(AUTHORS)
    replies = st.sampled_from(["", "", *EVERYBODY, COLLEAGUE.upper()])

    @rule(author=authors, reply_to=replies)
    def plain(self, author: str, reply_to: str) -> None:
        self.send(author, reply_to, "Bonjour", False, False)

    @rule(author=authors, reply_to=replies, header=st.booleans())
    def fin(self, author: str, reply_to: str, header: bool) -> None:
        self.send(author, reply_to, "[FIN]", header, False)

    @rule(author=authors, reply_to=replies)
    def fin_header(self, author: str, reply_to: str) -> None:
        self.send(author, reply_to, "Bonjour", True, False)

    @rule(author=authors, reply_to=replies, subject=st.sampled_from(["[FIN]", "Bonjour"]))
    def automatic(self, author: str, reply_to: str, subject: str) -> None:
        self.send(author, reply_to, subject, False, True)

    @rule(step=st.integers(-10_000, 366 * 86_400_000))
    def clock(self, step: int) -> None:
        """Time passes; a clock that is set right may also step back."""
        self.time += step

    def answer(self, address: str) -> str:
        checks = rules.patient_writes(self.store.read(facts.patient_writes, PATIENTS, self.box_id, address))
        verdict = rules.verdict(checks)
        return "" if verdict.accepted else verdict.rule

    @invariant()
    def nobody_else(self) -> None:
        """Who may be written to was opened by a message whose author has not ended it since."""
        for address in EVERYBODY:
            if self.answer(address) == "" and address != PHARMACY:
                assert any(
                    effect == "opens"
                    and contacted == address
                    and (author, "ends") not in [(a, e) for a, _, e in self.log[number + 1 :]]
                    for number, (author, contacted, effect) in enumerate(self.log)
                ), f"{address} may be written to after {self.log}"

    @invariant()
    def exactly_these(self) -> None:
        """The whole answer, against a replay of the log."""
        opened: dict[str, int] = {}
        ended: dict[str, int] = {}
        spoke: dict[str, set[str]] = {}  # author -> contacts that he spoke for
        for number, (author, contacted, effect) in enumerate(self.log, 1):
            spoke.setdefault(author, set()).add(contacted)
            if effect == "opens":
                opened[contacted] = number
            elif effect == "ends":
                ended |= dict.fromkeys(spoke[author], number)
        known = set().union(*spoke.values()) if spoke else set()
        for address in EVERYBODY:
            if address == ALICE.address:
                expected = "patient.to_patient"
            elif address == OUTSIDE:
                expected = "patient.outside"
            elif opened.get(address, 0) > ended.get(address, 0) or address == PHARMACY:
                expected = ""
            else:
                expected = "reply.ended" if address in known else "reply.never_contacted"
            assert self.answer(address) == expected, f"{address} after {self.log}"
            assert self.answer(address.upper()) == expected, "addresses are compared without case"
        assert {address for address, _ in self.store.read(contacts, self.box_id)} == known


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
        opened.write(noted, box_id=box_id, address=DOCTOR, author=DOCTOR, effect=effect, at=time)
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
            opened.write(noted, box_id=box_id, address=DOCTOR, author=DOCTOR, effect=effect, at=5)
        state = opened.read(contact, box_id, DOCTOR)
        assert (state.opened_at > state.ended_at) is expected


def test_one_patients_messages_say_nothing_of_another(opened: Store) -> None:
    box_id, other = new_id(), new_id()
    opened.write(noted, box_id=box_id, address=DOCTOR, author=DOCTOR, effect="opens", at=5)
    assert opened.read(contact, box_id, DOCTOR).contacted
    assert not opened.read(contact, other, DOCTOR).contacted
